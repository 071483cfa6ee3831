//! Standard error: whole lines from whoever has something to say, and at most one progress line below them.
//!
//! The log, the reporter and the progress line write through this one owner, from any thread, so that none tears
//! another. What the reporter says is written however long that takes. All else comes from threads that have better
//! to do than to wait for a terminal that is held still, and is left unsaid then. It knows nothing of what is said.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use super::waiting::{Waiting, is_writable};

/// Back to the start of the line, and erase what is on it (ECMA-48, EL).
const ERASE: &str = "\r\u{1b}[K";

/// How long the log waits for a reader that has fallen behind, before records are lost.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often it looks meanwhile.
const GLANCE: Duration = Duration::from_millis(1);

/// A handle to standard error; clones share it.
#[derive(Clone)]
pub struct Console(Arc<Shared>);

struct Shared {
    screen: Mutex<Screen>,
    /// Whether the log has waited in vain, and nothing was said since.
    stuck: AtomicBool,
}

struct Screen {
    sink: Box<dyn Write + Send>,
    /// Whether the sink takes a line at once.
    is_ready: fn() -> bool,
    /// The progress line that is there now; empty if there is none.
    drawn: String,
}

impl Console {
    /// The process's standard error.
    pub fn stderr() -> Self {
        Self::new(Waiting::new(io::stderr()), || is_writable(&io::stderr()))
    }

    /// A console that writes to `sink`, of which `is_ready` tells whether it takes a line at once.
    pub fn new(sink: impl Write + Send + 'static, is_ready: fn() -> bool) -> Self {
        let screen = Screen { sink: Box::new(sink), is_ready, drawn: String::new() };
        Self(Arc::new(Shared { screen: Mutex::new(screen), stuck: AtomicBool::new(false) }))
    }

    /// Writes whole lines, in place of the progress line, which the next [`draw`](Self::draw) brings back. This blocks.
    pub fn say(&self, lines: &str) -> io::Result<()> {
        self.screen().say(lines)
    }

    /// Takes the progress line away. This blocks.
    pub fn clear(&self) {
        self.screen().clear();
    }

    /// As [`say`](Self::say), if that can be done at once: `false` if not. What fails at once counts as said.
    pub fn try_say(&self, lines: &str) -> bool {
        self.ready().map(|mut screen| screen.say(lines)).is_some()
    }

    /// As [`clear`](Self::clear), if that can be done at once.
    pub fn try_clear(&self) {
        if let Some(mut screen) = self.ready() {
            screen.clear();
        }
    }

    /// Puts `line` in place of the progress line, if that can be done at once. One that can't be drawn is no loss.
    pub fn draw(&self, line: String) {
        if let Some(mut screen) = self.ready() {
            screen.draw(line);
        }
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.0.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The screen, if nobody is writing to it and it takes a line at once.
    fn ready(&self) -> Option<MutexGuard<'_, Screen>> {
        let screen = match self.0.screen.try_lock() {
            Ok(screen) => screen,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(screen).filter(|screen| (screen.is_ready)())
    }
}

impl Screen {
    fn say(&mut self, lines: &str) -> io::Result<()> {
        if lines.is_empty() || self.drawn.is_empty() {
            return self.sink.write_all(lines.as_bytes());
        }
        self.drawn.clear();
        self.sink.write_all(format!("{ERASE}{lines}").as_bytes())
    }

    fn draw(&mut self, line: String) {
        if self.drawn != line {
            let _ = self.sink.write_all(format!("\r{line}\u{1b}[K").as_bytes());
            self.drawn = line;
        }
    }

    fn clear(&mut self) {
        if !self.drawn.is_empty() {
            self.drawn.clear();
            let _ = self.sink.write_all(ERASE.as_bytes());
        }
    }
}

/// For the log, which writes a record at a time. One that nobody takes in time is lost: nothing waits for the log twice.
impl Write for Console {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let (lines, started) = (String::from_utf8_lossy(record), Instant::now());
        while !self.try_say(&lines) {
            if self.0.stuck.load(Ordering::Relaxed) || started.elapsed() >= PATIENCE {
                self.0.stuck.store(true, Ordering::Relaxed);
                return Ok(record.len());
            }
            thread::sleep(GLANCE);
        }
        self.0.stuck.store(false, Ordering::Relaxed);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A sink that can be looked into.
    #[derive(Clone, Default)]
    pub struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        pub fn taken(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_said_takes_the_place_of_the_progress_line() {
        let sink = Sink::default();
        let mut console = Console::new(sink.clone(), || true);
        console.say("one\n").unwrap();
        console.draw("1 done".to_owned());
        console.say("two\n").unwrap();
        console.draw("1 done".to_owned());
        console.write_all(b"three\n").unwrap();
        console.clear();
        assert_eq!(sink.taken(), "one\n\r1 done\u{1b}[K\r\u{1b}[Ktwo\n\r1 done\u{1b}[K\r\u{1b}[Kthree\n");
    }

    #[test]
    fn a_line_that_has_not_changed_is_not_drawn_again() {
        let sink = Sink::default();
        let console = Console::new(sink.clone(), || true);
        console.draw("1 done".to_owned());
        sink.taken();
        console.draw("1 done".to_owned());
        assert_eq!(sink.taken(), "");
        console.draw("2 done".to_owned());
        assert_eq!(sink.taken(), "\r2 done\u{1b}[K");
        console.clear();
        console.clear();
        assert_eq!(sink.taken(), ERASE);
    }

    #[test]
    fn what_would_have_to_wait_is_left_unsaid() {
        let sink = Sink::default();
        let console = Console::new(sink.clone(), || false);
        console.draw("1 done".to_owned());
        assert!(!console.try_say("one\n"));
        console.clone().write_all(b"a record\n").unwrap();
        assert_eq!(sink.taken(), "");
        console.say("a failure\n").unwrap();
        assert_eq!(sink.taken(), "a failure\n");
    }

    #[test]
    fn whoever_is_stuck_in_a_write_holds_up_nobody_else() {
        let sink = Sink::default();
        let mut console = Console::new(sink.clone(), || true);
        assert!(console.try_say("one\n"));
        let other = console.clone();
        let writing = other.screen();
        console.draw("1 done".to_owned());
        console.try_clear();
        assert!(!console.try_say("two\n"));
        console.write_all(b"a record\n").unwrap();
        assert!(console.0.stuck.load(Ordering::Relaxed));
        drop(writing);
        console.write_all(b"another\n").unwrap();
        assert!(!console.0.stuck.load(Ordering::Relaxed));
        assert_eq!(sink.taken(), "one\nanother\n");
    }
}
