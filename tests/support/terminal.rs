//! A terminal of the test's own, to see what is shown on one and nowhere else.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Both ends of a pseudo-terminal.
pub struct Terminal {
    screen: File,
    line: File,
}

impl Terminal {
    pub fn new() -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("the system has pseudo-terminals");
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let path = ptsname(&screen, Vec::new()).unwrap();
        let line = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(path.to_bytes())).unwrap();
        Self { screen: screen.into(), line }
    }

    /// The end that a program is given as one of its standard streams.
    pub fn line(&self) -> File {
        self.line.try_clone().unwrap()
    }

    /// All that was shown, once no program has the terminal any more. It has to fit what the kernel keeps: 4 KiB.
    pub fn shown(mut self) -> String {
        drop(self.line);
        let mut shown = Vec::new();
        // The last reader of a terminal without a writer gets an error in place of an end.
        let _ = self.screen.read_to_end(&mut shown);
        String::from_utf8(shown).expect("what is shown is text")
    }
}
