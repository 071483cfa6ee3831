//! Why there was no run at all → a message and an exit status. What fails during a run is told by `run`.

use std::fmt;

use smolget::text;

/// Why nothing was fetched.
#[derive(Debug)]
pub enum Failure {
    /// The command line can't be used.
    Usage(String),
    /// The command line is fine, but the run could not go on.
    Run(String),
}

impl Failure {
    /// A usage error: the option, what it got, what it takes.
    pub fn value(option: &str, got: &str, takes: &str) -> Self {
        Self::Usage(format!("{option}: got \"{}\"; takes {takes}", text::escape(&text::conceal(got))))
    }

    /// The exit status that says so.
    pub fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Run(_) => 3,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => writeln!(f, "smolget: {message}\nsee smolget --help"),
            Self::Run(message) => writeln!(f, "smolget: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_error_names_the_option_what_it_got_and_what_it_takes() {
        let failure = Failure::value("--jobs", "0\u{1b}", "a number");
        assert_eq!(failure.to_string(), "smolget: --jobs: got \"0\\u{1b}\"; takes a number\nsee smolget --help\n");
        assert_eq!(failure.status(), 2);
        assert_eq!(Failure::Run("no".to_owned()).status(), 3);
    }
}
