//! Log records → one escaped line each on standard error, of the levels that `SMOLGET_LOG` or `-v` ask for.

use std::env;
use std::fmt;
use std::io::Write as _;

use env_logger::{Builder, Target};
use log::{Level, LevelFilter};
use smolget::text;

use super::console::Console;

/// The most characters of a record: whatever they are, a pipe that is ready takes so many without waiting (pipe(7),
/// `PIPE_BUF`: 4096 bytes).
const LONGEST: usize = 1000;

/// Takes the log to `console` from now on.
pub fn start(verbosity: u8, console: Console) {
    let mut builder = Builder::new();
    match env::var("SMOLGET_LOG") {
        Ok(filter) => builder.parse_filters(&filter),
        Err(_) => builder.filter_module("smolget", level(verbosity)),
    };
    builder.format(|out, record| writeln!(out, "{}", line(record.level(), record.args())));
    builder.target(Target::Pipe(Box::new(console))).init();
}

fn level(verbosity: u8) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}

fn line(level: Level, message: &fmt::Arguments<'_>) -> String {
    let level = level.as_str().to_ascii_lowercase();
    let line = format!("smolget: {level}: {}", text::escape(&message.to_string()));
    line.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_v_shows_a_level_more() {
        let levels = [LevelFilter::Warn, LevelFilter::Info, LevelFilter::Debug, LevelFilter::Trace, LevelFilter::Trace];
        assert_eq!([0, 1, 2, 3, 255].map(level), levels);
    }

    #[test]
    fn a_record_is_one_line_that_steers_no_terminal() {
        assert_eq!(line(Level::Warn, &format_args!("a\n\u{1b}[2J")), "smolget: warn: a\\u{a}\\u{1b}[2J");
    }

    #[test]
    fn a_long_record_is_cut_to_what_a_pipe_takes_at_once() {
        assert!(line(Level::Debug, &format_args!("{}", "\u{10348}".repeat(5000))).len() <= 4000);
        assert!(line(Level::Debug, &format_args!("{}", "x".repeat(900))).ends_with(&"x".repeat(900)));
    }
}
