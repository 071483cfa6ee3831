//! `--exec` and `--on-done`: the user's commands, run for what has been saved, and at the end.
//!
//! One at a time, while the run goes on. There is no shell, unless the user names one. What they are to know is in their
//! environment. It owns when a command is ended, and what is told of one that has failed; it begins no process itself.

use std::env;
use std::ffi::CStr;
use std::fmt::Display;
use std::future::pending;
use std::io;
use std::mem;
use std::os::unix::ffi::OsStringExt as _;
use std::task::Poll;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future::{or, poll_fn};
use rustix::process::{Signal, WaitStatus};
use smolget::text::escape;
use smolget::{Kept, Outcome};

use super::console::Console;
use super::process::Texts;
use super::report::Tally;
use super::row;
use super::run::{Board, PATIENCE, TICK};

/// How long a command that was told to end may take for that: less than procd waits before it kills (5 s).
const GRACE: Duration = Duration::from_secs(3);

/// A command: words, and the option that names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    option: &'static str,
    words: Texts,
}

impl Command {
    /// Reads words as a shell does: between blanks, in single or double quotes, or behind a backslash. Nothing else is special.
    /// `None` if there is none, or something has no end.
    pub fn parse(option: &'static str, text: &str) -> Option<Self> {
        let (mut words, mut is_word, mut quote, mut is_escaped) = (Texts::default(), false, None, false);
        for byte in [text, " "].concat().into_bytes() {
            match byte {
                _ if mem::take(&mut is_escaped) => {
                    if quote.is_some() && !matches!(byte, b'"' | b'\\' | b'$' | b'`') {
                        words.push(b'\\');
                    }
                    words.push(byte);
                }
                b'\\' if quote != Some(b'\'') => is_escaped = true,
                b'"' | b'\'' if quote.is_none() => quote = Some(byte),
                _ if quote == Some(byte) => quote = None,
                _ if quote.is_none() && byte.is_ascii_whitespace() => {
                    if mem::take(&mut is_word) {
                        words.end();
                    }
                    continue;
                }
                _ => words.push(byte),
            }
            is_word = true;
        }
        let is_whole = !is_word && words.first().is_some_and(|program| !program.is_empty());
        is_whole.then_some(Self { option, words })
    }

    /// Runs it to its end, and tells if it failed. Once the run is to end the command is, too, and none is begun for a file.
    ///
    /// Whoever polls this has the run go on first, which may find that its time is up.
    pub async fn run(&self, order: Order, board: &Board, console: &Console) {
        let why = if order.file.is_none() || !board.is_to_end() {
            console.try_clear();
            let ended = async {
                board.running.start(&self.words, &environment(&order.told))?;
                or(board.running.end(), stop(board)).await
            };
            complaint(ended.await)
        } else {
            Some("not run, since the run was stopped".to_owned())
        };
        let Some(why) = why else { return };
        board.command_failed.set(true);
        let (option, program) = (self.option, self.words.first().map(CStr::to_string_lossy).unwrap_or_default());
        let (of, file) = order.file.as_deref().map_or(("", ""), |file| (" for ", file));
        let failure = format!("smolget: {option}{of}{}: `{}`: {why}\n", escape(file), escape(&program));
        while !console.try_say(&failure) {
            let patience = board.patience.get();
            if patience == 0 {
                return;
            }
            Timer::after(TICK).await;
            board.patience.set(patience - u32::from(board.is_to_end()));
        }
        board.patience.set(PATIENCE);
    }
}

/// What there is to complain of in how a command has ended.
fn complaint(ended: io::Result<WaitStatus>) -> Option<String> {
    let status = match ended {
        Ok(status) => status,
        Err(error) => return Some(error.to_string()),
    };
    let (how, number) = match status.exit_status() {
        Some(0) => return None,
        Some(code) => ("exit status", code),
        None => ("ended by signal", status.terminating_signal().unwrap_or_default()),
    };
    Some(format!("{how} {number}"))
}

/// Ends the command that runs at the first signal, and at the deadline. One that is begun after either may go on, until the other
/// comes or a second signal. Never done.
async fn stop<T>(board: &Board) -> T {
    let before = board.ends();
    poll_fn(|_| if board.ends() == before { Poll::Pending } else { Poll::Ready(()) }).await;
    for signal in [Signal::TERM, Signal::KILL] {
        board.running.signal(signal);
        Timer::after(GRACE).await;
    }
    pending().await
}

/// What a command is run for.
pub struct Order {
    /// What it is told: `NAME=value`.
    told: Texts,
    /// The file that was saved; `None` at the end of the run.
    file: Option<String>,
}

impl Order {
    /// Tells of a file that was saved; `None` if none was.
    // Within the future of the whole run it, and what else is kept out here, would take some 400 bytes more.
    #[inline(never)]
    pub fn for_saved(outcome: &Outcome) -> Option<Self> {
        let Ok(Kept::Saved { file, bytes }) = outcome.result() else { return None };
        let file = file.to_string_lossy();
        let told = told(&[
            ("URL", &outcome.url()),
            ("FINAL_URL", shown(&outcome.final_url())),
            ("FILE", &file),
            ("STATUS", shown(&outcome.status())),
            ("BYTES", bytes),
            ("WRITTEN", shown(&outcome.written())),
            ("MS", &row::millis(outcome)),
            ("ATTEMPTS", &outcome.attempts()),
            ("REDIRECTS", &outcome.redirects()),
            ("LINE", shown(&outcome.line())),
        ]);
        Some(Self { told, file: Some(file.into_owned()) })
    }

    /// Tells of a run that has ended, with the exit status that it will have.
    pub fn for_end(tally: Tally, status: u8) -> Self {
        let Tally { ok, failed, skipped, bytes, saved } = &tally;
        let told = told(&[
            ("JOBS", &(ok + failed + skipped)),
            ("OK", ok),
            ("FAILED", failed),
            ("SKIPPED", skipped),
            ("BYTES", bytes),
            ("SAVED", saved),
            ("EXIT", &status),
        ]);
        Self { told, file: None }
    }
}

fn told(rows: &[(&str, &dyn Display)]) -> Texts {
    let mut told = Texts::default();
    for (name, value) in rows {
        told.add(format!("SMOLGET_{name}={value}").as_bytes());
    }
    told
}

/// What there is nothing to say of is empty, so that nothing is taken for it that smolget found itself.
fn shown<T: Display>(value: &Option<T>) -> &dyn Display {
    value.as_ref().map_or(&"", |value| value)
}

/// What is told, and what smolget has in its own environment.
#[inline(never)]
fn environment(told: &Texts) -> Texts {
    let (mut variables, told) = (told.clone(), told.all());
    for (name, value) in env::vars_os() {
        let mut variable = name.into_vec();
        variable.push(b'=');
        if !told.iter().any(|told| told.to_bytes().starts_with(&variable)) {
            variable.extend(value.into_vec());
            variables.add(&variable);
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_between_blanks_or_in_quotes() {
        for (text, words) in [
            ("gzip", &[c"gzip"][..]),
            ("  a\t-b  c ", &[c"a", c"-b", c"c"]),
            ("sh -c 'gzip \"$SMOLGET_FILE\" | x'", &[c"sh", c"-c", c"gzip \"$SMOLGET_FILE\" | x"]),
            ("a \"b 'c'\" d'e f'g ''", &[c"a", c"b 'c'", c"de fg", c""]),
            ("a $c * ä", &[c"a", c"$c", c"*", c"ä"]),
            (r#"sh -c "gzip \"\$SMOLGET_FILE\"""#, &[c"sh", c"-c", c"gzip \"$SMOLGET_FILE\""]),
            (r#"a\ b \" "\n\\" '\' \\"#, &[c"a b", c"\"", c"\\n\\", c"\\", c"\\"]),
        ] {
            assert_eq!(Command::parse("--exec", text).unwrap().words.all(), words, "{text}");
        }
        for text in ["", "  ", "a 'b", "\"", "'' a", "a \\", r#"a "b\""#, "a '"] {
            assert_eq!(Command::parse("--exec", text), None, "{text}");
        }
    }

    #[test]
    fn what_is_told_takes_the_place_of_what_was_there() {
        let told = told(&[("FILE", &"a=b\0c"), ("LINE", shown(&None::<u64>)), ("MS", shown(&Some(7)))]);
        assert_eq!(told.all(), [c"SMOLGET_FILE=a=bc", c"SMOLGET_LINE=", c"SMOLGET_MS=7"]);
        let mut told = Texts::default();
        told.add(b"PATH=mine");
        told.add(b"PA=1");
        let variables = environment(&told);
        let variables = variables.all();
        let (told, found) = variables.split_at(2);
        assert_eq!(told, [c"PATH=mine", c"PA=1"]);
        assert!(!found.iter().any(|variable| variable.to_bytes().starts_with(b"PATH=")));
        assert_eq!(found.len(), env::vars_os().filter(|(name, _)| name != "PATH").count());
    }
}
