//! The command line as it was typed → the plain form that argh reads: `--long`, `value`, …, `--`, URLs.
//!
//! It owns the one table of flags, and all that users of getopt expect and argh does not do: `--name=value`, `-j8`,
//! clusters (`-qvv`), values that start with `-`, and the last of a repeated option wins. It refuses unknown flags,
//! missing values, values for switches, and what is not UTF-8; it does not look into a value.

use std::ffi::OsString;

use smolget::text;

use super::failure::Failure;

const TIME: Takes = Takes::One("a time above 0 and up to 10 years, such as 1.5, 500ms, 2s, 2m or 1h");
const COUNT: Takes = Takes::One("a whole number from 0 to 4294967295");
const SIZE: Takes = Takes::One("a size in bytes, such as 4096, 64k, 8M or 1G");

const COMMAND: Takes = Takes::One("a command: words between blanks, or in quotes that have an end");
const SPEED: Takes = Takes::One("a number of bytes above 0, such as 4096, 64k or 8M");

/// What `--proxy` takes, and the variables that do the same.
pub const TAKES_PROXY: &str = "a proxy such as http://USER:PASSWORD@HOST:PORT or socks5h://HOST:PORT";

/// Every option there is, in the order of `--help`. A `--help` and a table that differ fail a test.
const FLAGS: &[Flag] = &[
    Flag::new('i', "--input", Takes::Many("a file, or - for standard input")),
    Flag::new('j', "--jobs", Takes::One("a whole number from 1 to 1024")),
    Flag::new('d', "--dir", Takes::One("a folder")),
    Flag::long("--discard", Takes::Nothing),
    Flag::long("--stdout", Takes::Nothing),
    Flag::long("--durable", Takes::Nothing),
    Flag::long("--sync", Takes::Nothing),
    Flag::new('c', "--continue", Takes::Nothing),
    Flag::long("--skip-existing", Takes::Nothing),
    Flag::long("--json", Takes::Nothing),
    Flag::long("--failed", Takes::One("a file")),
    Flag::long("--exec", COMMAND),
    Flag::long("--on-done", COMMAND),
    Flag::new('q', "--quiet", Takes::Nothing),
    Flag::new('v', "--verbose", Takes::Nothing),
    Flag::new('H', "--header", Takes::Many("'Name: value'")),
    Flag::new('A', "--user-agent", Takes::One("text without control characters")),
    Flag::long("--netrc-file", Takes::One("a file of users and passwords by host, as curl and ftp have it")),
    Flag::long("--head", Takes::Nothing),
    Flag::long("--connect-timeout", TIME),
    Flag::long("--timeout", TIME),
    Flag::long("--max-time", TIME),
    Flag::long("--deadline", TIME),
    Flag::long("--wait-online", TIME),
    Flag::long("--retries", COUNT),
    Flag::long("--max-redirects", COUNT),
    Flag::long("--compressed", Takes::Nothing),
    Flag::long("--max-size", SIZE),
    Flag::long("--min-size", SIZE),
    Flag::long("--min-ratio", Takes::One("a number from 0 to 1, such as 0.5")),
    Flag::long("--not-html", Takes::Nothing),
    Flag::long("--max-memory", Takes::One("a size in bytes, such as 4096k, 8M or 1G")),
    Flag::long("--per-host", Takes::One("a whole number from 1 to 1024")),
    Flag::long("--rate", Takes::One("a number from 0.001 to 1000000, such as 5 or 0.2")),
    Flag::long("--limit-rate", SPEED),
    Flag::long("--min-speed", SPEED),
    Flag::long("--fail-fast", Takes::Nothing),
    Flag::long("--cacert", Takes::One("a file")),
    Flag::long("--system-roots", Takes::Nothing),
    Flag::long("--insecure", Takes::Nothing),
    Flag::long("--resolve", Takes::Many("HOST:PORT:ADDR, where ADDR is an IP address")),
    Flag::long("--deny-private", Takes::Nothing),
    Flag::long("--proxy", Takes::One(TAKES_PROXY)),
    Flag::new('4', "--ipv4", Takes::Nothing),
    Flag::new('6', "--ipv6", Takes::Nothing),
    Flag::long("--version", Takes::Nothing),
    Flag::long("--help", Takes::Nothing),
];

/// Puts the arguments, the program's name not among them, into the form that argh reads.
///
/// # Errors
///
/// A usage error for the first argument that is none of the options, or that misses a value or has one too many.
pub fn normalise(args: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, Failure> {
    let mut line = Line::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = utf8(arg).map_err(|got| Failure::value("argument", &got, "UTF-8 text"))?;
        if arg == "--" {
            for url in args.by_ref() {
                line.urls.push(utf8(url).map_err(|got| Failure::value("URL", &got, "UTF-8 text"))?);
            }
        } else if arg.starts_with("--") {
            line.long(&arg, &mut args)?;
        } else if let Some(cluster) = arg.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            line.cluster(cluster, &mut args)?;
        } else {
            line.urls.push(arg);
        }
    }
    Ok(line.plain())
}

/// The usage error for an option whose value is not what it takes.
pub fn refuse(long: &str, got: &str) -> Failure {
    refuse_for(long, got, FLAGS.iter().find(|flag| flag.long == long).map_or("", |flag| flag.takes.words()))
}

/// As [`refuse`], where more is to be said of what it takes.
pub fn refuse_for(long: &str, got: &str, takes: &str) -> Failure {
    Failure::value(&spelled(long), got, takes)
}

/// An option in all its spellings, as `--help` has it: `-j, --jobs`.
pub fn spelled(long: &str) -> String {
    match FLAGS.iter().find(|flag| flag.long == long).and_then(|flag| flag.short) {
        Some(short) => format!("-{short}, {long}"),
        None => long.to_owned(),
    }
}

/// One option: how it is written and what it takes.
struct Flag {
    short: Option<char>,
    long: &'static str,
    takes: Takes,
}

/// What an option takes, in the words of a usage error.
#[derive(PartialEq, Eq)]
enum Takes {
    Nothing,
    /// One value: a later one replaces it.
    One(&'static str),
    /// A value each time.
    Many(&'static str),
}

impl Flag {
    const fn new(short: char, long: &'static str, takes: Takes) -> Self {
        Self { short: Some(short), long, takes }
    }

    const fn long(long: &'static str, takes: Takes) -> Self {
        Self { short: None, long, takes }
    }

    fn takes_value(&self) -> bool {
        self.takes != Takes::Nothing
    }
}

impl Takes {
    fn words(&self) -> &'static str {
        match self {
            Self::Nothing => "no value",
            Self::One(what) | Self::Many(what) => what,
        }
    }
}

/// What has been read of the command line.
#[derive(Default)]
struct Line {
    options: Vec<(&'static Flag, Option<String>)>,
    urls: Vec<String>,
}

impl Line {
    /// `--name`, `--name value` or `--name=value`.
    fn long(&mut self, arg: &str, rest: &mut impl Iterator<Item = OsString>) -> Result<(), Failure> {
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg, None),
        };
        let flag = FLAGS.iter().find(|flag| flag.long == name).ok_or_else(|| unknown(name))?;
        match value {
            Some(value) if !flag.takes_value() => return Err(refuse(name, &value)),
            Some(value) => self.add(flag, Some(value)),
            None => self.add_with_next(flag, rest)?,
        }
        Ok(())
    }

    /// `-q`, `-qvv`, `-j8`, `-j 8`, `-qj8`: the first option that takes a value takes what is left.
    fn cluster(&mut self, cluster: &str, rest: &mut impl Iterator<Item = OsString>) -> Result<(), Failure> {
        let mut letters = cluster.chars();
        while let Some(letter) = letters.next() {
            let flag = FLAGS.iter().find(|flag| flag.short == Some(letter));
            let flag = flag.ok_or_else(|| unknown(&format!("-{letter}")))?;
            let value = letters.as_str();
            if flag.takes_value() && !value.is_empty() {
                self.add(flag, Some(value.to_owned()));
                break;
            }
            self.add_with_next(flag, rest)?;
        }
        Ok(())
    }

    /// Adds an option whose value, if it takes one, is the next argument, whatever that looks like.
    fn add_with_next(&mut self, flag: &'static Flag, rest: &mut impl Iterator<Item = OsString>) -> Result<(), Failure> {
        let mut value = None;
        if flag.takes_value() {
            let missing =
                || Failure::Usage(format!("{}: got no value; takes {}", spelled(flag.long), flag.takes.words()));
            let next = rest.next().ok_or_else(missing)?;
            value = Some(utf8(next).map_err(|got| refuse(flag.long, &got))?);
        }
        self.add(flag, value);
        Ok(())
    }

    fn add(&mut self, flag: &'static Flag, value: Option<String>) {
        if let Takes::One(_) = flag.takes {
            self.options.retain(|(earlier, _)| earlier.long != flag.long);
        }
        self.options.push((flag, value));
    }

    /// The plain form. argh takes nothing beside `--help`, so nothing is left beside it.
    fn plain(self) -> Vec<String> {
        if self.options.iter().any(|(flag, _)| flag.long == "--help") {
            return vec!["--help".to_owned()];
        }
        let mut plain = Vec::new();
        for (flag, value) in self.options {
            plain.push(flag.long.to_owned());
            plain.extend(value);
        }
        plain.push("--".to_owned());
        plain.extend(self.urls);
        plain
    }
}

fn unknown(name: &str) -> Failure {
    Failure::Usage(format!("{}: unknown option", text::escape(&text::conceal(name))))
}

/// The argument as text, or as near as it comes to text.
fn utf8(arg: OsString) -> Result<String, String> {
    arg.into_string().map_err(|arg| arg.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use argh::FromArgs as _;

    use super::*;
    use crate::cli::args::Args;

    fn plain(line: &str) -> Result<String, String> {
        let args = line.split_whitespace().map(|arg| OsString::from(arg.replace('~', " ")));
        normalise(args).map(|args| args.join(" ")).map_err(|e| e.to_string())
    }

    #[test]
    fn every_way_to_write_an_option_comes_to_one() {
        for (typed, read) in [
            ("", "--"),
            ("--jobs 8 u", "--jobs 8 -- u"),
            ("--jobs=8 u", "--jobs 8 -- u"),
            ("-j 8 u", "--jobs 8 -- u"),
            ("-j8 u", "--jobs 8 -- u"),
            ("u -qvv v", "--quiet --verbose --verbose -- u v"),
            ("-qj8 u", "--quiet --jobs 8 -- u"),
            ("-qj 8 u", "--quiet --jobs 8 -- u"),
            ("-46", "--ipv4 --ipv6 --"),
            ("-i -", "--input - --"),
            ("-i--", "--input -- --"),
            ("-H -x:~1", "--header -x: 1 --"),
            ("--header=a:~b=c", "--header a: b=c --"),
            ("--dir=", "--dir  --"),
            ("-", "-- -"),
            ("-j 8 -- -q --json --", "--jobs 8 -- -q --json --"),
        ] {
            assert_eq!(plain(typed).as_deref(), Ok(read), "{typed}");
        }
    }

    #[test]
    fn the_last_of_a_single_value_wins_and_repeatable_ones_add_up() {
        assert_eq!(plain("-j 1 -i a -j2 -i b").as_deref(), Ok("--input a --jobs 2 --input b --"));
    }

    #[test]
    fn help_is_found_anywhere_but_in_a_value_or_behind_the_options() {
        assert_eq!(plain("u -j 0 --help -q").as_deref(), Ok("--help"));
        assert_eq!(plain("-d --help").as_deref(), Ok("--dir --help --"));
        assert_eq!(plain("-- --help").as_deref(), Ok("-- --help"));
    }

    #[test]
    fn what_is_no_option_or_lacks_its_value_is_refused() {
        for (typed, told) in [
            ("--per-hosts 2", "--per-hosts: unknown option"),
            ("--jobsx=2", "--jobsx: unknown option"),
            ("-qx", "-x: unknown option"),
            ("-q=1", "-=: unknown option"),
            ("u --jobs", "-j, --jobs: got no value; takes a whole number from 1 to 1024"),
            ("-qj", "-j, --jobs: got no value; takes a whole number from 1 to 1024"),
            ("--json=yes", "--json: got \"yes\"; takes no value"),
            ("--http://u:p@h", "--http://u:***@h: unknown option"),
        ] {
            assert_eq!(plain(typed), Err(format!("smolget: {told}\nsee smolget --help\n")), "{typed}");
        }
    }

    #[test]
    fn what_is_not_utf8_is_refused_by_name() {
        let told = |args: &[&[u8]]| {
            let args = args.iter().map(|arg| OsString::from_vec(arg.to_vec()));
            normalise(args).unwrap_err().to_string()
        };
        assert!(told(&[b"-d", b"a\xff"]).starts_with("smolget: -d, --dir: got \"a\u{fffd}\"; takes a folder"));
        assert!(told(&[b"--dir=a\xff"]).starts_with("smolget: argument: got \"--dir=a\u{fffd}\"; takes UTF-8 text"));
        assert!(told(&[b"--", b"\xff"]).starts_with("smolget: URL: got \"\u{fffd}\"; takes UTF-8 text"));
    }

    #[test]
    fn the_table_is_what_argh_takes_and_help_shows() {
        let help = Args::from_args(&["smolget"], &["--help"]).unwrap_err().output;
        let options = help.split_once("Options:").and_then(|(_, rest)| rest.split_once("Examples:")).unwrap().0;
        let lines = options.lines().filter(|line| line.starts_with("  -"));
        let shown = lines.map(|line| line.split_whitespace().take_while(|word| word.starts_with('-')).collect());
        let shown: Vec<Vec<_>> = shown.collect();
        let table = FLAGS.iter().map(|flag| match flag.short {
            Some(short) => vec![format!("-{short},"), flag.long.to_owned()],
            None => vec![flag.long.to_owned()],
        });
        assert_eq!(shown, table.collect::<Vec<_>>());
        for flag in FLAGS.iter().filter(|flag| flag.long != "--help") {
            let args = [flag.long, "x"];
            let args = if flag.takes_value() { &args[..] } else { &args[..1] };
            assert!(Args::from_args(&["smolget"], args).is_ok(), "{}", flag.long);
        }
    }
}
