//! Outcomes → result rows and bodies on standard output, failures on standard error, and the tally of the run.
//!
//! The only writer of standard output. What is written here blocks, so the run loop has it done on the writer's thread;
//! a row is out as soon as its batch is. Once standard output has failed nothing more goes there.

use std::io::{self, IsTerminal as _, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use smolget::text::escape;
use smolget::{Body, Kept, Outcome};

use super::again::Again;
use super::console::Console;
use super::failure::Failure;
use super::options::Output;
use super::row::{End, Row};
use super::waiting::{Taken, Waiting};

/// How many jobs ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub ok: u64,
    pub failed: u64,
    pub skipped: u64,
    /// Of the bodies that were kept or counted.
    pub bytes: u64,
    /// How many files were written.
    pub saved: u64,
}

impl Tally {
    fn count(&mut self, end: &End) {
        match end {
            End::Kept { bytes, file, .. } => {
                self.ok += 1;
                self.saved += u64::from(file.is_some());
                self.bytes = self.bytes.saturating_add(*bytes);
            }
            // Its bytes were there before.
            End::Unchanged { .. } => self.ok += 1,
            End::Skipped { .. } => self.skipped += 1,
            End::Failed { .. } => self.failed += 1,
        }
    }

    /// The last line of a run.
    pub fn summary(&self, elapsed: Duration) -> String {
        let Self { ok, failed, skipped, bytes, .. } = *self;
        let jobs = ok + failed + skipped;
        let (seconds, hundredths) = (elapsed.as_secs(), elapsed.subsec_millis() / 10);
        format!(
            "smolget: {jobs} jobs, {ok} ok, {failed} failed, {skipped} skipped, {bytes} bytes, \
             {seconds}.{hundredths:02} seconds\n"
        )
    }
}

/// Writes results; `W` is standard output.
pub struct Report<W = Waiting<Stdout>> {
    stdout: W,
    console: Console,
    output: Output,
    /// Whether standard output is a terminal, so that a progress line would be in the way there.
    terminal: bool,
    tally: Tally,
    broken: Option<io::Error>,
    /// The list of the jobs that failed, if one is asked for.
    again: Option<Again>,
    has_ended: bool,
    // Both empty between batches; kept for their room.
    rows: String,
    notes: String,
}

impl Report {
    /// A report to the process's standard output.
    ///
    /// The jobs that failed also go to `again`, if there is such a list.
    pub fn stdout(output: Output, console: Console, again: Option<Again>) -> Self {
        let mut report = Report::new(Waiting::new(Stdout), output, console);
        report.terminal = io::stdout().is_terminal();
        report.again = again;
        report
    }

    /// The count of what standard output has taken.
    pub fn taken(&self) -> Taken {
        self.stdout.taken()
    }

    /// Whether anything of these goes out: if not, they only have to be [counted](Self::count).
    pub fn has_news(&self, outcomes: &[Outcome]) -> bool {
        self.output != Output::Nothing
            || outcomes.iter().any(|outcome| !outcome.is_ok())
            || self.has_ended && self.again.is_some()
    }

    /// The list of the jobs that failed, if one is asked for.
    pub fn again(&self) -> Option<Again> {
        self.again.clone()
    }

    /// Takes note of outcomes that are to be written next: that may never be done. It doesn't block.
    pub fn expect(&self, outcomes: &[Outcome]) {
        if let Some(again) = &self.again {
            again.expect(outcomes);
        }
    }

    /// Takes note that no batch comes after the next one.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// Counts outcomes that there is nothing to write of, and so doesn't block.
    pub fn count(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            // A row would be made for nothing but the log.
            if log::log_enabled!(log::Level::Info) {
                self.tell(&Row::from(outcome));
            } else {
                self.tally.count(&End::of(outcome));
            }
        }
    }

    /// Writes what there is to tell of some outcomes. A failure to do so is [kept](Self::broken).
    pub fn write(&mut self, outcomes: Vec<Outcome>) {
        if self.terminal {
            self.console.clear();
        }
        for outcome in outcomes {
            let row = Row::from(&outcome);
            match outcome.into_result() {
                Ok(Kept::Held(body)) => self.hand_over(row, |stdout| Body::write_to(body, stdout)),
                _ => self.tell(&row),
            }
        }
        self.flush();
        if let Some(again) = self.again.as_ref().filter(|_| self.has_ended) {
            again.finish();
        }
    }
}

impl<W: Write> Report<W> {
    fn new(stdout: W, output: Output, console: Console) -> Self {
        Self {
            stdout,
            console,
            output,
            terminal: false,
            tally: Tally::default(),
            broken: None,
            again: None,
            has_ended: false,
            rows: String::new(),
            notes: String::new(),
        }
    }

    /// The jobs so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Whether a progress line would be in the way of what is written.
    pub fn is_on_terminal(&self) -> bool {
        self.terminal
    }

    /// Why results can no longer be written.
    pub fn broken(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }

    /// Why what was asked for could not be written, whole.
    pub fn lacks(&self) -> Option<String> {
        let unlisted = || self.again.as_ref()?.broken();
        self.broken.as_ref().map(unwritten).or_else(unlisted)
    }

    /// Writes a body, whole, then tells of its job: that it failed if the body could not be written.
    fn hand_over(&mut self, mut row: Row, body: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.broken.is_none() {
            self.broken = body(&mut self.stdout).err();
        }
        if let Some(error) = &self.broken {
            row.fail_to_write(unwritten(error));
        }
        self.tell(&row);
    }

    fn tell(&mut self, row: &Row) {
        self.tally.count(&row.end);
        if let Some(again) = &self.again {
            again.tell(row);
        }
        match self.output {
            Output::Rows => row.encode(&mut self.rows),
            Output::BodiesAndRows => row.encode(&mut self.notes),
            Output::Nothing | Output::Bodies => {}
        }
        match row.failure() {
            // Its row is on standard error already.
            Some(_) if self.output == Output::BodiesAndRows => {}
            Some(failure) => self.notes.push_str(&failure),
            None => log::info!("{}: ok in {} ms", escape(&row.url), row.millis),
        }
    }

    /// Writes the lines of a batch, all at once.
    fn flush(&mut self) {
        if self.broken.is_none() {
            self.broken = self.stdout.write_all(self.rows.as_bytes()).err();
        }
        let said = self.console.say(&self.notes);
        // Failures that nobody can be told of don't end a run; rows do.
        if self.output == Output::BodiesAndRows && self.broken.is_none() {
            self.broken = said.err();
        }
        self.rows.clear();
        self.notes.clear();
    }
}

/// Prints what was asked for instead of a run; the exit status.
///
/// # Errors
///
/// A failure if standard output is closed or full.
pub fn print(text: &str) -> Result<u8, Failure> {
    let printed = Waiting::new(Stdout).write_all(text.as_bytes());
    printed.map(|()| 0).map_err(|error| Failure::Run(unwritten(&error)))
}

/// What is told when results can't be written.
pub fn unwritten(error: &io::Error) -> String {
    format!("standard output can't be written: {error}")
}

/// Standard output without std's line buffer, which would write row by row, and without a descriptor of its own.
#[derive(Debug)]
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        rustix::stdio::stdout()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::tests::Sink;
    use crate::cli::row::tests::{kept, timeout};

    /// Standard output that takes so many bytes and then is full.
    struct Disk(Vec<u8>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.1);
            self.1 -= fits;
            if fits == 0 { Err(io::ErrorKind::StorageFull.into()) } else { self.0.write(&bytes[..fits]) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn report(output: Output, room: usize) -> (Report<Disk>, Sink) {
        let sink = Sink::default();
        (Report::new(Disk(Vec::new(), room), output, Console::new(sink.clone(), || true)), sink)
    }

    fn failed(url: &str) -> Row {
        Row { status: None, end: timeout(), ..kept(url) }
    }

    fn out(report: &Report<Disk>) -> &str {
        std::str::from_utf8(&report.stdout.0).unwrap()
    }

    #[test]
    fn without_json_only_failures_are_told_and_on_standard_error() {
        let (mut report, sink) = report(Output::Nothing, 0);
        report.tell(&kept("http://a/"));
        report.tell(&failed("http://b/"));
        report.flush();
        assert_eq!((out(&report), sink.taken().as_str()), ("", "smolget: http://b/: no answer\n"));
        assert!(report.broken().is_none());
    }

    #[test]
    fn with_json_every_job_has_a_row_and_failures_are_named_too() {
        let (mut report, sink) = report(Output::Rows, 1000);
        report.tell(&kept("http://a/"));
        report.tell(&failed("http://b/"));
        report.flush();
        let lines: Vec<_> = out(&report).lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("{\"url\":\"http://a/\",\"ok\":true") && lines[0].ends_with('}'));
        assert!(lines[1].starts_with("{\"url\":\"http://b/\",\"ok\":false") && lines[1].ends_with('}'));
        assert_eq!(sink.taken(), "smolget: http://b/: no answer\n");
    }

    #[test]
    fn with_bodies_on_standard_output_the_rows_go_to_standard_error() {
        let (mut report, sink) = report(Output::BodiesAndRows, 1000);
        report.hand_over(kept("http://a/"), |stdout| stdout.write_all(b"body"));
        report.tell(&failed("http://b/"));
        report.flush();
        assert_eq!(out(&report), "body");
        let told = sink.taken();
        assert_eq!(told.lines().filter(|line| line.starts_with("{\"url\":")).count(), 2);
        assert!(!told.contains("smolget: "), "{told}");
    }

    #[test]
    fn a_full_standard_output_is_remembered_and_left_alone() {
        let (mut report, _sink) = report(Output::Rows, 10);
        report.tell(&kept("http://a/"));
        report.flush();
        assert!(report.broken().is_some());
        report.stdout.1 = 1000;
        report.tell(&kept("http://b/"));
        report.flush();
        assert_eq!(out(&report), "{\"url\":\"ht");
        assert_eq!(report.tally().ok, 2);
    }

    #[test]
    fn a_body_that_does_not_fit_is_a_failed_job_and_so_is_each_after_it() {
        let (mut report, sink) = report(Output::Bodies, 6);
        report.hand_over(kept("http://a/"), |stdout| stdout.write_all(b"four"));
        report.hand_over(kept("http://b/"), |stdout| stdout.write_all(b"four"));
        report.hand_over(kept("http://c/"), |_| panic!("standard output is full"));
        report.flush();
        assert_eq!(report.tally(), Tally { ok: 1, failed: 2, skipped: 0, bytes: 1024, saved: 0 });
        let told = sink.taken();
        assert_eq!(told.lines().count(), 2);
        assert!(told.starts_with("smolget: http://b/: standard output can't be written: "), "{told}");
    }

    #[test]
    fn the_summary_counts_every_job_once() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.count(&kept("http://h/").end);
        }
        tally.count(&timeout());
        tally.count(&End::Skipped { file: String::new() });
        assert_eq!(
            tally.summary(Duration::from_millis(529)),
            "smolget: 5 jobs, 3 ok, 1 failed, 1 skipped, 3072 bytes, 0.52 seconds\n"
        );
        assert_eq!(
            Tally::default().summary(Duration::from_millis(61_009)),
            "smolget: 0 jobs, 0 ok, 0 failed, 0 skipped, 0 bytes, 61.00 seconds\n"
        );
    }
}
