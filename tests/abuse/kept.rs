//! What happens to a kept connection between two requests, and on the second: each case has a server of its own.

use std::time::Duration;

use crate::case::{Act, BODY, Case, End, SILENT_HEAD, Stage, TRUNCATED, whole};
use crate::reply::{Gate, Reply};
use crate::server::{Request, Server};

/// An answer that nobody asked for.
const FORGED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
/// The request was answered on the connection of the one before.
const REUSED: &[usize] = &[2];
/// The connection of the one before was not used.
const FRESH: &[usize] = &[1];
/// It was used, and replaced when it turned out closed.
const REPLACED: &[usize] = &[2, 1];

pub fn cases() -> Vec<Case> {
    between().into_iter().chain(second()).collect()
}

/// An act in two turns, with what answers each request.
fn in_turn(
    script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    gate: Option<Gate>,
    turns: Option<&'static [usize]>,
    end: End,
) -> Act {
    Act { stage: Stage::InTurn { server: Server::start(script), gate, turns }, end }
}

/// The first answer is this, any other a good one.
fn first(reply: Reply, gate: Option<Gate>, turns: Option<&'static [usize]>) -> Act {
    in_turn(move |request| if request.target == "/first" { reply.clone() } else { whole() }, gate, turns, End::right())
}

fn twin() -> Act {
    first(whole(), None, Some(REUSED))
}

fn named(name: impl Into<String>, abuse: Act) -> Case {
    Case { name: name.into(), abuse, twin: twin() }
}

/// Between the first answer and the second request.
fn between() -> Vec<Case> {
    let late = |pause: u64| {
        let sent = Gate::new();
        let reply = whole().then_pause(Duration::from_millis(pause)).then(FORGED).then_open(&sent).hold();
        named(format!("bytes on the idle connection, {pause} ms later"), first(reply, Some(sent), Some(FRESH)))
    };
    let closing = |pause: u64| {
        let reply = whole().then_pause(Duration::from_micros(pause)).close();
        named(format!("close {pause} µs after the answer, as the next request is sent"), first(reply, None, None))
    };
    let at_once = Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{BODY}{FORGED}")).hold();
    let sent = Gate::new();
    let flood =
        whole().then_pause(Duration::from_millis(5)).then_repeat("junk".repeat(4096), 4).then_open(&sent).hold();
    let mut cases = vec![
        named("bytes right behind the answer", first(at_once, None, Some(FRESH))),
        named("64 KiB on the idle connection", first(flood, Some(sent), Some(FRESH))),
    ];
    cases.extend([5, 20, 50].map(late));
    cases.extend([0, 100, 300, 1000, 3000].map(closing));
    cases
}

/// The second request on the connection.
fn second() -> Vec<Case> {
    let then = |reply: Reply, turns, end: End| {
        in_turn(move |request| if request.turn == 1 { whole() } else { reply.clone() }, None, Some(turns), end)
    };
    let part = |text: &str| Reply::raw(text);
    vec![
        named("close on the second request", then(part("").close(), REPLACED, End::right())),
        named("reset on the second request", then(part("").reset(), REPLACED, End::right())),
        named("close after a byte of the second answer", then(part("H").close(), REUSED, TRUNCATED)),
        named("close in the second head", then(part("HTTP/1.1 200 OK\r\nCo").close(), REUSED, TRUNCATED)),
        named(
            "reset in the second body",
            then(whole().length(99).then_pause(Duration::from_millis(50)).reset(), REUSED, TRUNCATED),
        ),
        named("silence on the second request", then(part("").hold(), REUSED, SILENT_HEAD)),
    ]
}
