//! The cases of a harness → a row each, and at last a line `NAME: passed N of M` and an exit status.

use std::collections::BTreeMap;
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

    /// Counts cases of one kind, each of some group: a row for all that passed, with a count for each group, and one for each
    /// that did not. That there is none is a failure.
    #[allow(dead_code, reason = "shared by the harnesses, of which few have so many cases")]
    pub fn rows(&mut self, case: &str, results: Vec<(&str, Result<(), String>)>) {
        let is_empty = results.is_empty();
        let mut groups = BTreeMap::<&str, usize>::new();
        for (group, result) in results {
            match result {
                Ok(()) => *groups.entry(group).or_default() += 1,
                Err(why) => self.row(case, Err(why)),
            }
        }
        let count: usize = groups.values().sum();
        if is_empty {
            self.row(case, Err("nothing was tried".to_owned()));
        }
        if count > 0 {
            let groups: Vec<String> = groups.iter().map(|(group, count)| format!("{group} {count}")).collect();
            self.row(case, Ok(format!("{count}: {}", groups.join(", "))));
            self.cases += count - 1;
            self.passed += count - 1;
        }
    }

    /// Tells of a case that can't be had here: it counts neither as passed nor as a case.
    #[allow(dead_code, reason = "shared by the harnesses, of which few need the machine's leave")]
    pub fn not_run(&mut self, case: &str, why: &str) {
        println!("not run {case:48} {why}");
    }

    /// Prints the total. It is a failure if a case failed, and if there was none.
    pub fn finish(self) -> ExitCode {
        println!("{}: passed {} of {}", self.name, self.passed, self.cases);
        if self.passed == self.cases && self.cases > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
