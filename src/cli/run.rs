//! Options → a whole run: fetch, report, stop when asked to, exit status.
//!
//! Three futures on one thread share a [`Board`]: one delivers outcomes, one watches for signals, one draws progress.
//! Nothing on that thread waits for standard output or standard error.

use std::cell::Cell;
use std::fmt;
use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_io::Timer;
use async_signal::{Signal, Signals};
use futures_lite::StreamExt as _;
use rustix::process::Signal as Sent;
use smol::LocalExecutor;
use smolget::input::{List, Unfinished};
use smolget::{Error, ErrorKind, Stopper, Traffic};

use super::again::Again;
use super::console::Console;
use super::deliver::Delivery;
use super::descriptors;
use super::failure::Failure;
use super::hooks::Order;
use super::jobs::{self, Jobs};
use super::memory;
use super::normalise::spelled;
use super::options::{Chatter, Options, Tls};
use super::process::{self, Running};
use super::progress::Progress;
use super::report::{Report, Tally};
use super::writer::Writer;

/// A second signal this soon is the first once more: timeout(1) sends one to its child and then one to all of its group, and
/// nobody presses a key as fast.
const ECHO: Duration = Duration::from_millis(20);

/// Between two drawings of the progress line, and between two attempts to say something.
pub const TICK: Duration = Duration::from_millis(100);

/// How often a run that is to end offers what it has to tell of commands to a standard error that takes nothing.
pub const PATIENCE: u32 = 10;

/// The columns of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;

/// What the parts of a run tell each other.
pub struct Board {
    pub stopper: Stopper,
    pub tally: Cell<Tally>,
    /// The exit status that the first signal asked for.
    pub caught: Cell<Option<u8>>,
    /// Whether the terminal where the progress line would be is needed for something else.
    pub terminal_taken: Cell<bool>,
    /// The command that runs now.
    pub running: Running,
    /// Whether one has failed, or was left out.
    pub command_failed: Cell<bool>,
    /// How often what is told of commands is still offered to a standard error that takes nothing, once the run is to end.
    pub patience: Cell<u32>,
}

impl Board {
    fn new(stopper: Stopper) -> Self {
        Self {
            stopper,
            tally: Cell::default(),
            caught: Cell::default(),
            terminal_taken: Cell::default(),
            running: Running::default(),
            command_failed: Cell::default(),
            patience: Cell::new(PATIENCE),
        }
    }

    /// Whether someone waits for the run to end: whoever sent a signal or set a deadline.
    pub fn is_to_end(&self) -> bool {
        self.ends().contains(&true)
    }

    /// Who does: whoever sent a signal, and whoever set a deadline.
    pub fn ends(&self) -> [bool; 2] {
        [self.caught.get().is_some(), self.stopper.is_past_deadline()]
    }

    /// Whether not all went well: a list that was not read to its end in time counts as a job that failed.
    fn has_failed(&self) -> bool {
        self.tally.get().failed > 0 || self.stopper.is_past_deadline()
    }
}

/// Runs to the end; the exit status.
///
/// # Errors
///
/// Why nothing was fetched.
pub async fn run(options: Options, console: &Console) -> Result<u8, Failure> {
    let started = Instant::now();
    let (max_memory, need) = options.memory;
    let jobs = memory::afford(options.jobs, need, max_memory.as_ref())?;
    let jobs = descriptors::afford(jobs, options.need);
    let fetcher = options.builder.jobs(jobs).build().map_err(|error| unusable(&error, options.roots))?;
    let lists = jobs::open(&options.inputs)?;
    fetcher.prepare().await.map_err(cannot)?;
    let again = options.failed.as_deref().map(Again::begin).transpose()?;
    let report = Report::stdout(options.output, console.clone(), again);
    let mut writer = Writer::new(options.output).map_err(cannot)?;
    if options.tls == Tls::Unverified {
        let _ = console.say("smolget: warning: --insecure: certificates are not verified\n");
    }
    outlive_file_sizes().map_err(cannot)?;
    // Nobody asks for the third where there are no commands.
    let signals = [Signal::Int, Signal::Term, Signal::Child];
    let commands = usize::from(options.exec.is_some() || options.on_done.is_some());
    let signals = Signals::new(&signals[..2 + commands]).map_err(cannot)?;
    if commands > 0 {
        process::unblock().map_err(cannot)?;
    }

    let unread = Arc::new(OnceLock::new());
    let unfinished: Vec<_> = lists.iter().map(List::unfinished).collect();
    let outcomes = fetcher.fetch(Jobs::new(options.urls, lists, unread.clone()));
    let board = Board::new(outcomes.stopper());
    let (delivering, traffic) = (LocalExecutor::new(), outcomes.traffic());
    // Tasks of their own: what delivers is polled with each response, and asking for signals is a system call.
    let _watching = delivering.spawn(watch::<()>(signals, console, &board));
    let _drawing = delivering.spawn(draw::<()>(options.chatter, traffic, console, &board));
    let mut delivery = Delivery::new(outcomes, options.output, report.taken(), &board, options.exec.as_ref(), console);
    let delivered = async {
        // A run that is stopped leaves jobs half read: they have rows too.
        let left = unfinished.into_iter().filter_map(Unfinished::outcome);
        let unwritten = delivery.deliver(report, &mut writer, left).await.err();
        let fatal: Vec<_> = unwritten.into_iter().chain(unread.get().map(ToString::to_string)).collect();
        let failed = board.has_failed();
        let summary = (options.chatter == Chatter::Usual).then(|| board.tally.get().summary(started.elapsed()));
        board.terminal_taken.set(true);
        let status = || status(board.caught.get(), !fatal.is_empty(), failed || board.command_failed.get());
        if let Some(command) = &options.on_done {
            delivery.run_last(command, Order::for_end(board.tally.get(), status())).await;
        }
        delivery.wait_for(say_last(&fatal, summary, console)).await;
        status()
    };
    Ok(delivering.run(delivered).await)
}

/// Why there is no fetcher: beside the roots, only headers that can't be sent together show no earlier.
fn unusable(error: &Error, roots: &str) -> Failure {
    let option = if error.kind() == ErrorKind::Url { spelled("--header") } else { roots.to_owned() };
    Failure::Usage(format!("{option}: {error}"))
}

fn cannot(error: impl fmt::Display) -> Failure {
    Failure::Run(error.to_string())
}

/// One status for all that happened: a signal counts over what ended the run, and that over failed jobs.
fn status(caught: Option<u8>, fatal: bool, failed: bool) -> u8 {
    match (caught, fatal, failed) {
        (Some(status), _, _) => status,
        (None, true, _) => 3,
        (None, false, true) => 1,
        (None, false, false) => 0,
    }
}

/// Keeps SIGXFSZ from killing: a write past `ulimit -f` is an error then, of its job alone.
///
/// Nobody has to hear of it, and to listen would take descriptors. The handler stays all the same, and does nothing: the
/// registry below never gives a signal back to the system.
fn outlive_file_sizes() -> io::Result<()> {
    Signals::new([Signal::Xfsz]).map(drop)
}

/// Says what ended the run, and the summary, once standard error takes it.
async fn say_last(fatal: &[String], summary: Option<String>, console: &Console) {
    let fatal = fatal.iter().map(|message| Failure::Run(message.clone()).to_string());
    let words: String = fatal.chain(summary).collect();
    while !words.is_empty() && !console.try_say(&words) {
        Timer::after(TICK).await;
    }
}

/// Stops the run at the first signal and ends the process at the second. Never done.
async fn watch<T>(mut signals: Signals, console: &Console, board: &Board) -> T {
    let mut first = None;
    while let Some(signal) = signals.next().await {
        let status = match signal {
            Ok(Signal::Int) => 130,
            Ok(Signal::Term) => 143,
            Ok(Signal::Child) => {
                board.running.look();
                continue;
            }
            // What can't be told apart from no signal must not keep the next from being seen, nor others from their turn.
            _ => {
                Timer::after(TICK).await;
                continue;
            }
        };
        if let Some(status) = board.caught.get() {
            if first.is_some_and(|first: Instant| first.elapsed() < ECHO) {
                continue;
            }
            board.running.signal(Sent::TERM);
            console.try_clear();
            std::process::exit(status.into());
        }
        first = Some(Instant::now());
        board.caught.set(Some(status));
        board.stopper.stop();
        board.running.wake();
    }
    pending().await
}

/// Redraws the progress line if there is to be one. Never done.
async fn draw<T>(chatter: Chatter, traffic: Traffic, console: &Console, board: &Board) -> T {
    if chatter == Chatter::Quiet || !io::stderr().is_terminal() {
        return pending().await;
    }
    let started = Instant::now();
    let mut progress = Progress::default();
    loop {
        Timer::after(TICK).await;
        let line = progress.line(started.elapsed(), traffic.take(), board.tally.get(), width());
        // Nobody can tell where a command has left the cursor.
        if !board.terminal_taken.get() && !board.running.is_there() {
            console.draw(line);
        }
    }
}

fn width() -> usize {
    let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
    if columns == 0 { USUAL_WIDTH } else { columns.into() }
}

#[cfg(test)]
mod tests {
    use smolget::{Builder, Fetcher, Header, Trust};

    use super::*;

    #[test]
    fn what_keeps_a_fetcher_from_being_made_is_put_down_to_its_option() {
        let told = |builder: Builder| unusable(&builder.build().unwrap_err(), "--cacert").to_string();
        let host = || Header::parse("Host: h").unwrap();
        let message = told(Fetcher::builder().header(host()).header(host()));
        assert!(message.starts_with("smolget: -H, --header: a request can't have two `Host` headers; "), "{message}");
        assert!(Fetcher::builder().header(host()).build().is_ok());
        if cfg!(feature = "tls") {
            let message = told(Fetcher::builder().trust(Trust::Pem("/no/such/file".into())));
            assert!(message.starts_with("smolget: --cacert: got \"/no/such/file\""), "{message}");
        }
    }

    #[test]
    fn the_exit_status_tells_a_signal_over_a_failed_run_over_failed_jobs() {
        assert_eq!(status(None, false, false), 0);
        assert_eq!(status(None, false, true), 1);
        assert_eq!(status(None, true, false), 3);
        assert_eq!(status(None, true, true), 3);
        assert_eq!(status(Some(130), true, true), 130);
        assert_eq!(status(Some(143), false, false), 143);
    }
}
