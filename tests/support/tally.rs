//! The cases of a harness → a row each, and at last a line `NAME: passed N of M` and an exit status.

use std::process::ExitCode;

/// Counts what passed.
pub struct Tally {
    name: &'static str,
    passed: usize,
    cases: usize,
}

impl Tally {
    pub fn new(name: &'static str) -> Self {
        Self { name, passed: 0, cases: 0 }
    }

    /// Counts a case and prints its row: what came of it, or what should not have.
    pub fn row(&mut self, case: &str, verdict: Result<String, String>) {
        self.cases += 1;
        match verdict {
            Ok(what) => {
                self.passed += 1;
                println!("ok      {case:48} {what}");
            }
            Err(why) => println!("FAILED  {case:48} {why}"),
        }
    }

    /// Prints the total. It is a failure if a case failed, and if there was none.
    pub fn finish(self) -> ExitCode {
        println!("{}: passed {} of {}", self.name, self.passed, self.cases);
        if self.passed == self.cases && self.cases > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
