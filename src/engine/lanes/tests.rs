//! The lanes by themselves: tickets are numbers, and time is handed in.

use super::hosts::MAX_IDLE;
use super::*;

/// The name of the ticket is enough.
impl Load for u64 {
    fn load(&self) -> usize {
        1024
    }
}

const SECOND: Duration = Duration::from_secs(1);
const RULES: Rules = Rules { workers: 8, per_host: usize::MAX, interval: None, retries: 3 };

fn lanes(workers: usize) -> (Lanes<u64>, Instant) {
    (Lanes::new(Rules { workers, ..RULES }), Instant::now())
}

/// Ends a ticket, in this way.
fn end(lanes: &mut Lanes<u64>, pass: Pass, contact: Contact, now: Instant) -> Queued {
    lanes.ended(pass, contact, None, now, || 1.0)
}

/// Has a host answer once.
fn prove(lanes: &mut Lanes<u64>, host: &str, now: Instant) {
    let (_, pass) = lanes.admit(host, 0, now).unwrap();
    end(lanes, pass, Contact::Made, now);
}

fn next(lanes: &mut Lanes<u64>, now: Instant) -> Option<u64> {
    lanes.next(now).map(|(ticket, _)| ticket)
}

#[test]
fn a_host_that_answers_may_have_all_workers_and_a_new_one_an_eighth() {
    let (mut lanes, now) = lanes(16);
    assert!((0..2).all(|n| lanes.admit("new", n, now).is_some()));
    assert!(lanes.admit("new", 2, now).is_none());
    prove(&mut lanes, "good", now);
    assert!((0..14).all(|n| lanes.admit("good", n, now).is_some()));
    assert_eq!(next(&mut lanes, now), None);
}

#[test]
fn nobody_is_overtaken_while_all_workers_are_busy() {
    let (mut lanes, now) = lanes(1);
    let (_, first) = lanes.admit("slow", 1, now).unwrap();
    assert!(lanes.admit("slow", 2, now).is_none());
    assert!(!lanes.wants_more(now + SECOND));
    assert!(lanes.admit("other", 3, now + SECOND).is_none());
    end(&mut lanes, first, Contact::Made, now + SECOND);
    assert_eq!([next(&mut lanes, now + SECOND), next(&mut lanes, now + SECOND)], [Some(2), None]);
}

#[test]
fn workers_that_were_idle_once_are_not_idle_for_ever() {
    let (mut lanes, now) = lanes(1);
    let (_, first) = lanes.admit("a", 1, now).unwrap();
    assert!(lanes.admit("a", 2, now).is_none() && lanes.admit("a", 3, now).is_none());
    end(&mut lanes, first, Contact::Made, now);
    assert!(!lanes.wants_more(now));
    assert_eq!(next(&mut lanes, now), Some(2));
    assert!(!lanes.wants_more(now + SECOND) && !lanes.wants_more(now + 2 * SECOND));
}

#[test]
fn the_first_answer_lets_the_rest_go_in_the_lists_order() {
    let (mut lanes, now) = lanes(8);
    let (_, pass) = lanes.admit("a", 1, now).unwrap();
    assert_eq!(pass.outlook, Outlook::Unknown);
    for n in 2..5 {
        assert!(lanes.admit("a", n, now).is_none());
    }
    lanes.answered(pass.lane);
    assert_eq!([2, 3, 4].map(Some), [(); 3].map(|()| next(&mut lanes, now)));
    let (_, pass) = lanes.admit("a", 5, now).unwrap();
    assert_eq!(pass.outlook, Outlook::Good);
}

#[test]
fn others_overtake_a_host_that_is_left_alone_until_it_may_be_asked() {
    let (mut lanes, now) = lanes(8);
    prove(&mut lanes, "a", now);
    let (_, first) = lanes.admit("a", 1, now).unwrap();
    let (second, pass) = lanes.admit("a", 2, now).unwrap();
    let queued = lanes.ended(first, Contact::Made, Some(9 * SECOND), now, || 1.0);
    assert_eq!(queued, Queued::Recall);
    lanes.recall(pass, second);
    lanes.give_back("a", first, 9 * SECOND, 1, now);
    assert!(lanes.admit("a", 3, now).is_none() && lanes.admit("b", 4, now).is_some());
    assert_eq!((next(&mut lanes, now), lanes.wake(now)), (None, Some(now + 9 * SECOND)));
    let then = now + 9 * SECOND;
    assert_eq!([1, 2, 3].map(Some), [(); 3].map(|()| next(&mut lanes, then)));
}

#[test]
fn a_host_that_a_redirect_led_to_is_left_alone_if_it_asks_so() {
    let (mut lanes, now) = lanes(8);
    prove(&mut lanes, "first", now);
    let (ticket, pass) = lanes.admit("first", 1, now).unwrap();
    end(&mut lanes, pass, Contact::Made, now);
    lanes.give_back("second", pass, Duration::ZERO, ticket, now);
    let (ticket, pass) = lanes.next(now).unwrap();
    assert_eq!((ticket, pass.outlook), (1, Outlook::Unknown));
    assert_eq!(lanes.ended(pass, Contact::Made, Some(9 * SECOND), now, || 1.0), Queued::Stay);
    assert!(lanes.admit("first", 2, now).is_some() && lanes.admit("second", 3, now).is_none());
    // It starts anew, and comes to the host that asks so before those that are behind it in the list.
    lanes.give_back("first", pass, 9 * SECOND, ticket, now);
    let then = now + 9 * SECOND;
    assert_eq!(lanes.next(now).map(|(ticket, _)| ticket), None);
    let (ticket, pass) = lanes.next(then).unwrap();
    end(&mut lanes, pass, Contact::Made, then);
    lanes.give_back("second", pass, Duration::ZERO, ticket, then);
    assert_eq!([next(&mut lanes, then), next(&mut lanes, then)], [Some(1), Some(3)]);
}

#[test]
fn a_host_that_is_missed_waits_as_one_and_all_its_tickets_fail_when_it_is_down() {
    let (mut lanes, mut now) = lanes(8);
    let (mut ticket, mut pass) = lanes.admit("dead", 1, now).unwrap();
    for n in 2..10 {
        assert!(lanes.admit("dead", n, now).is_none());
    }
    for wait in [1, 2, 4] {
        end(&mut lanes, pass, Contact::Missed(ErrorKind::Dns), now);
        lanes.give_back("dead", pass, SECOND, ticket, now);
        assert_eq!((next(&mut lanes, now), lanes.wake(now)), (None, Some(now + wait * SECOND)));
        now += wait * SECOND;
        (ticket, pass) = lanes.next(now).unwrap();
        assert_eq!((ticket, pass.outlook), (1, Outlook::Unknown));
        assert!(lanes.next(now).is_none());
    }
    end(&mut lanes, pass, Contact::Missed(ErrorKind::Dns), now);
    for n in 2..10 {
        let (ticket, pass) = lanes.next(now).unwrap();
        assert_eq!((ticket, pass.outlook), (n, Outlook::Down(ErrorKind::Dns)));
        end(&mut lanes, pass, Contact::Unknown, now);
    }
    let (_, pass) = lanes.admit("dead", 10, now + 59 * SECOND).unwrap();
    assert_eq!(pass.outlook, Outlook::Down(ErrorKind::Dns));
    end(&mut lanes, pass, Contact::Unknown, now);
    let (_, pass) = lanes.admit("dead", 11, now + 60 * SECOND).unwrap();
    assert_eq!(pass.outlook, Outlook::Unknown);
}

#[test]
fn a_ticket_that_hangs_is_behind_the_others_and_is_not_its_host() {
    let (mut lanes, mut now) = lanes(8);
    let silence = Contact::Missed(ErrorKind::Timeout(crate::error::Phase::Head));
    let (mut ticket, mut pass) = lanes.admit("slow", 1, now).unwrap();
    assert!((2..=3).all(|n| lanes.admit("slow", n, now).is_none()));
    for n in [2, 3, 1] {
        end(&mut lanes, pass, silence, now);
        let pass_on = lanes.put_off(pass);
        lanes.give_back("slow", pass_on, SECOND, ticket, now);
        assert!(next(&mut lanes, now).is_none());
        now = lanes.wake(now).unwrap();
        (ticket, pass) = lanes.next(now).unwrap();
        assert_eq!((ticket, pass.outlook), (n, Outlook::Unknown));
    }
    // Had three others hung as well, it would be the host; but one answers.
    lanes.answered(pass.lane);
    assert_eq!([2, 3].map(Some), [(); 2].map(|()| next(&mut lanes, now)));
}

#[test]
fn a_host_with_one_ticket_that_hangs_is_never_down() {
    let (mut lanes, mut now) = lanes(8);
    let silence = Contact::Missed(ErrorKind::Timeout(crate::error::Phase::Head));
    let (_, mut pass) = lanes.admit("slow", 1, now).unwrap();
    for wait in [1, 2, 4, 8, 16] {
        end(&mut lanes, pass, silence, now);
        let pass_on = lanes.put_off(pass);
        lanes.give_back("slow", pass_on, SECOND, 1, now);
        assert_eq!((next(&mut lanes, now), lanes.wake(now)), (None, Some(now + wait * SECOND)));
        now += wait * SECOND;
        (_, pass) = lanes.next(now).unwrap();
        assert_eq!(pass.outlook, Outlook::Unknown);
    }
}

#[test]
fn tickets_that_hang_at_a_host_that_has_answered_wait_each_for_itself() {
    let (mut lanes, now) = lanes(8);
    prove(&mut lanes, "a", now);
    let silence = Contact::Missed(ErrorKind::Timeout(crate::error::Phase::Head));
    let out: Vec<_> = (0..8).filter_map(|n| lanes.admit("a", n, now)).collect();
    for (ticket, pass) in out {
        assert_eq!(end(&mut lanes, pass, silence, now), Queued::Stay);
        let pass = lanes.put_off(pass);
        lanes.give_back("a", pass, SECOND, ticket, now);
    }
    // Those that have not been tried may go at once: one after another, until one answers.
    let (_, pass) = lanes.admit("a", 8, now).unwrap();
    assert_eq!((pass.outlook, lanes.admit("a", 9, now).is_none()), (Outlook::Unknown, true));
    lanes.answered(pass.lane);
    assert_eq!((next(&mut lanes, now), next(&mut lanes, now)), (Some(9), None));
    assert_eq!((0..6).map(Some).collect::<Vec<_>>(), [(); 6].map(|()| next(&mut lanes, now + SECOND)));
}

#[test]
fn a_host_may_have_so_many_out_and_each_that_ends_makes_room() {
    let (mut lanes, now) = (Lanes::new(Rules { per_host: 2, ..RULES }), Instant::now());
    prove(&mut lanes, "a", now);
    let (_, first) = lanes.admit("a", 1, now).unwrap();
    assert!(lanes.admit("a", 2, now).is_some() && lanes.admit("a", 3, now).is_none());
    assert!(lanes.admit("b", 4, now).is_some() && next(&mut lanes, now).is_none());
    end(&mut lanes, first, Contact::Made, now);
    assert_eq!((next(&mut lanes, now), next(&mut lanes, now)), (Some(3), None));
    assert!((0..10).all(|n| lanes.admit("", n, now).is_some()));
}

#[test]
fn a_hosts_tickets_go_at_their_intervals_whoever_is_late() {
    let interval = Some(SECOND / 10);
    let (mut lanes, now) = (Lanes::new(Rules { interval, ..RULES }), Instant::now());
    prove(&mut lanes, "a", now);
    let mut passes: Vec<_> = (0..30).filter_map(|n| lanes.admit("a", n, now)).collect();
    assert!(passes.is_empty() && lanes.admit("b", 99, now).is_some());
    // A few milliseconds late each time, as timers are.
    for n in 1..8_u32 {
        let due = now + SECOND * n / 10;
        assert_eq!(lanes.wake(now), Some(due));
        assert!(lanes.next(due - SECOND / 1000).is_none());
        passes.extend(lanes.next(due + SECOND / 200));
        assert_eq!(passes.len(), n as usize);
    }
    // All workers are busy: nothing is queued, to go at once later.
    assert!(lanes.next(now + 60 * SECOND).is_none());
    end(&mut lanes, passes[0].1, Contact::Made, now);
    assert!(lanes.next(now + 60 * SECOND).is_some() && lanes.next(now + 60 * SECOND).is_none());
}

#[test]
fn a_host_that_is_down_takes_no_turns_for_what_is_not_sent() {
    let rules = Rules { interval: Some(SECOND), retries: 0, ..RULES };
    let (mut lanes, mut now) = (Lanes::new(rules), Instant::now());
    let (mut ticket, mut pass) = lanes.admit("dead", 0, now).unwrap();
    for miss in 1..=2 {
        end(&mut lanes, pass, Contact::Missed(ErrorKind::Connect), now);
        lanes.give_back("dead", pass, SECOND, ticket, now);
        now += SECOND * (2 - miss);
        (ticket, pass) = lanes.next(now).unwrap();
    }
    assert_eq!(pass.outlook, Outlook::Down(ErrorKind::Connect));
    end(&mut lanes, pass, Contact::Unknown, now);
    for n in 1..1000 {
        let (_, pass) = lanes.admit("dead", n, now).unwrap();
        end(&mut lanes, pass, Contact::Unknown, now);
    }
    assert!(lanes.admit("dead", 1000, now + 60 * SECOND).is_some_and(|(_, pass)| pass.outlook == Outlook::Unknown));
}

#[test]
fn a_ticket_that_is_recalled_gives_its_turn_back() {
    let (mut lanes, now) = (Lanes::new(Rules { interval: Some(100 * SECOND), ..RULES }), Instant::now());
    prove(&mut lanes, "a", now);
    let then = now + 100 * SECOND;
    let (ticket, pass) = lanes.admit("a", 1, then).unwrap();
    lanes.recall(pass, ticket);
    assert_eq!((next(&mut lanes, then), next(&mut lanes, then)), (Some(1), None));
    assert_eq!((lanes.admit("a", 2, then).is_none(), lanes.wake(then)), (true, Some(then + 100 * SECOND)));
}

#[test]
fn a_tickets_own_wait_is_its_own_and_its_place_is_kept() {
    let (mut lanes, now) = lanes(8);
    prove(&mut lanes, "a", now);
    let (ticket, pass) = lanes.admit("a", 1, now).unwrap();
    end(&mut lanes, pass, Contact::Made, now);
    lanes.give_back("a", pass, SECOND, ticket, now);
    assert!(lanes.admit("a", 2, now).is_some() && !lanes.is_empty());
    assert_eq!((next(&mut lanes, now), lanes.wake(now)), (None, Some(now + SECOND)));
    assert_eq!(next(&mut lanes, now + SECOND), Some(1));
}

#[test]
fn a_mirror_goes_by_its_own_host() {
    let (mut lanes, now) = lanes(8);
    let (ticket, pass) = lanes.admit("dead", 1, now).unwrap();
    end(&mut lanes, pass, Contact::Missed(ErrorKind::Connect), now);
    lanes.give_back("mirror", pass, Duration::ZERO, ticket, now);
    assert_eq!(next(&mut lanes, now), Some(1));
}

#[test]
fn the_list_is_read_as_far_as_there_are_workers_and_further_when_some_are_idle() {
    let (mut lanes, now) = lanes(8);
    let mut read = 0;
    let mut read_on = |lanes: &mut Lanes<u64>, now| {
        while lanes.wants_more(now) {
            read += 1;
            lanes.admit("a", read, now);
        }
        read
    };
    assert_eq!(read_on(&mut lanes, now), 9);
    assert!(next(&mut lanes, now).is_none());
    assert_eq!((read_on(&mut lanes, now), lanes.wake(now)), (9, Some(now + PATIENCE)));
    assert_eq!(read_on(&mut lanes, now + PATIENCE), 257);
}

#[test]
fn patience_is_had_once_and_not_before_each_ticket_that_overtakes() {
    let (mut lanes, now) = lanes(1);
    prove(&mut lanes, "b", now);
    let (_, pass) = lanes.admit("a", 0, now).unwrap();
    lanes.ended(pass, Contact::Made, Some(100 * SECOND), now, || 1.0);
    assert!(lanes.admit("a", 0, now).is_none() && !lanes.wants_more(now));
    let then = now + PATIENCE;
    for n in 1..100 {
        assert!(lanes.wants_more(then), "{n}");
        let (_, pass) = lanes.admit("b", n, then).unwrap();
        assert!(!lanes.wants_more(then), "{n}");
        end(&mut lanes, pass, Contact::Made, then);
    }
    // Once nothing is held it begins anew.
    let later = then + 100 * SECOND;
    let (_, pass) = lanes.next(later).unwrap();
    assert!(lanes.wants_more(later));
    lanes.ended(pass, Contact::Made, Some(SECOND), later, || 1.0);
    assert!(lanes.admit("a", 0, later).is_none() && !lanes.wants_more(later));
}

#[test]
fn a_host_that_is_alone_may_have_idle_workers_though_it_has_not_answered() {
    for (supply, most) in [(Supply::Ended, 8), (Supply::Dry, 7), (Supply::Open, 1)] {
        let (mut lanes, now) = lanes(8);
        for n in 0..20 {
            lanes.admit("a", n, now);
        }
        lanes.is_dry(now);
        let then = now + PATIENCE;
        while lanes.stretch(then, supply).is_some() {}
        assert_eq!(lanes.out, most, "{supply:?}");
    }
    let (mut lanes, now) = lanes(8);
    for n in 0..20 {
        lanes.admit(["a", "b"][n as usize % 2], n, now);
    }
    assert!(lanes.stretch(now, Supply::Ended).is_none());
}

#[test]
fn a_run_that_is_over_lets_everything_go() {
    let (mut lanes, now) = lanes(8);
    let (ticket, pass) = lanes.admit("a", 1, now).unwrap();
    lanes.admit("a", 2, now);
    end(&mut lanes, pass, Contact::Made, now);
    lanes.give_back("a", pass, 100 * SECOND, ticket, now);
    lanes.release();
    for n in [1, 2] {
        let (ticket, pass) = lanes.next(now).unwrap();
        assert_eq!(ticket, n);
        end(&mut lanes, pass, Contact::Unknown, now);
    }
    assert!(lanes.is_empty());
}

#[test]
fn of_many_hosts_those_are_forgotten_of_which_there_is_nothing_to_know() {
    let (mut lanes, now) = lanes(8);
    let (_, pass) = lanes.admit("parked", 0, now).unwrap();
    lanes.ended(pass, Contact::Made, Some(SECOND), now, || 1.0);
    for n in 0..100_000 {
        prove(&mut lanes, &n.to_string(), now);
    }
    assert!(lanes.admit("parked", 1, now).is_none());
    // That a host could not be reached is little to know, of many.
    for n in 0..100_000 {
        let (_, pass) = lanes.admit(&n.to_string(), n, now).unwrap();
        end(&mut lanes, pass, Contact::Missed(ErrorKind::Connect), now);
    }
    assert!(lanes.lanes.len() <= MAX_IDLE + 2, "{}", lanes.lanes.len());
    assert!(next(&mut lanes, now).is_none());
}

#[test]
fn what_has_no_host_may_always_go() {
    let (mut lanes, now) = lanes(1);
    let passes: Vec<_> = (0..10).map(|n| lanes.admit("", n, now).unwrap().1).collect();
    assert!(passes.iter().all(|pass| pass.is_free()));
    for pass in passes {
        end(&mut lanes, pass, Contact::Unknown, now);
    }
    assert!(lanes.is_empty());
}
