//! The command line → raw arguments, or the text that was asked for. The comments on the fields are `--help`.
//!
//! Nothing is checked here but the options' names: values are read in `options`.

use std::ffi::OsString;

use argh::FromArgs;

use super::failure::Failure;
use super::normalise::normalise;

/// What the command line asks for.
pub enum Asked<T = Args> {
    Run(Box<T>),
    /// `--help` or `--version`.
    Text(String),
}

/// Reads the arguments, the program's name not among them.
///
/// # Errors
///
/// A usage error.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, Failure> {
    let line = normalise(args)?;
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    match Args::from_args(&["smolget"], &line) {
        Ok(args) if args.version => Ok(Asked::Text(concat!("smolget ", env!("CARGO_PKG_VERSION"), "\n").to_owned())),
        Ok(args) => Ok(Asked::Run(Box::new(args))),
        Err(exit) if exit.status.is_ok() => Ok(Asked::Text(exit.output)),
        Err(exit) => Err(Failure::Usage(exit.output.trim_end().to_owned())),
    }
}

/// Fetch a list of URLs over HTTP and HTTPS, several at once, each into a file.
#[derive(Debug, FromArgs, Default)]
#[argh(
    help_triggers("--help"),
    usage = "[OPTIONS] [URL...]",
    note = "N is a whole number. T is a time in seconds, such as 1.5, or with ms, s, m or
h. B is a size in bytes, or with k, M or G (powers of 1024). Options may be
written --jobs 8, --jobs=8, -j 8 or -j8; -- ends them.",
    note = "A list has a URL a line; further URLs after TABs are mirrors of the same file.
Indented lines below it are its options: out=NAME, header=Name: value,
checksum=sha-256=HEX, and max-size=B, min-size=B, min-ratio=R or not-html=true
for that job alone. Lines that start with # are passed over.",
    note = "SMOLGET_LOG takes a filter for the log, such as debug or smolget=trace.",
    example = "{command_name} -d out https://example.org/a.tar https://example.org/b.tar",
    example = "{command_name} -i urls.txt -j 32 -d out --json > results.ndjson",
    error_code(0, "  every job is ok"),
    error_code(1, "  a job failed, or a command of --exec or --on-done"),
    error_code(2, "  the command line can't be used; nothing was fetched"),
    error_code(3, "  the run could not go on: a list, the folder or standard output failed"),
    error_code(130, "stopped by SIGINT"),
    error_code(143, "stopped by SIGTERM")
)]
pub struct Args {
    /// read jobs from FILE, - for standard input; repeatable (default: standard input if no URL is given)
    #[argh(option, short = 'i')]
    pub input: Vec<String>,

    /// run N transfers at once, 1 to 1024 (default 8)
    #[argh(option, short = 'j')]
    pub jobs: Option<String>,

    /// save bodies under DIR, which is made if it is missing (default .)
    #[argh(option, short = 'd')]
    pub dir: Option<String>,

    /// read and count bodies, save nothing
    #[argh(switch)]
    pub discard: bool,

    /// write bodies to standard output, each whole, in order of completion
    #[argh(switch)]
    pub stdout: bool,

    /// sync each file and its folder to the disk before its job is done
    #[argh(switch)]
    pub durable: bool,

    /// ask for what has changed since the last run with --sync, and write only that; implies --durable
    #[argh(switch)]
    pub sync: bool,

    /// go on with what was cut, in this run and in the next, if the server can tell that the file is the same
    #[argh(switch, short = 'c')]
    pub r#continue: bool,

    /// do not fetch a job whose file exists already
    #[argh(switch)]
    pub skip_existing: bool,

    /// print one JSON object a job on standard output (with --stdout: on standard error)
    #[argh(switch)]
    pub json: bool,

    /// leave the jobs that failed in FILE, as a list to be fed in again; empty if none did
    #[argh(option)]
    pub failed: Option<String>,

    /// run CMD for each saved file, one at a time, with SMOLGET_FILE and the rest of its row in the environment
    #[argh(option)]
    pub exec: Option<String>,

    /// run CMD once at the end, with SMOLGET_SAVED, the number of saved files, and other counts in the environment
    #[argh(option)]
    pub on_done: Option<String>,

    /// show no progress and no summary; failures are still named on standard error
    #[argh(switch, short = 'q')]
    pub quiet: bool,

    /// log a line a URL on standard error; -vv and -vvv log more
    #[argh(switch, short = 'v')]
    pub verbose: u8,

    /// add the request header 'Name: value'; repeatable
    #[argh(option, short = 'H')]
    pub header: Vec<String>,

    /// send S as User-Agent (default smolget/VERSION)
    #[argh(option, short = 'A')]
    pub user_agent: Option<String>,

    /// take users and passwords of hosts from FILE, in the form of .netrc
    #[argh(option)]
    pub netrc_file: Option<String>,

    /// send HEAD requests, which have no bodies
    #[argh(switch)]
    pub head: bool,

    /// allow T for name look-up, TCP and TLS together (default 10)
    #[argh(option)]
    pub connect_timeout: Option<String>,

    /// give up after a silence of T: no byte of head or body (default 30)
    #[argh(option)]
    pub timeout: Option<String>,

    /// allow T for the whole of one attempt (default: no limit)
    #[argh(option)]
    pub max_time: Option<String>,

    /// stop the whole run after T (default: never)
    #[argh(option)]
    pub deadline: Option<String>,

    /// wait up to T until the first host, or its proxy, is there; then go on all the same (default: do not wait)
    #[argh(option)]
    pub wait_online: Option<String>,

    /// try N more times what can pass: timeouts, resets, busy servers (default 3)
    #[argh(option)]
    pub retries: Option<String>,

    /// follow up to N redirects; with 0 a redirect is a failure (default 10)
    #[argh(option)]
    pub max_redirects: Option<String>,

    /// have bodies compressed on their way (gzip, deflate) and save them decoded
    #[argh(switch)]
    pub compressed: bool,

    /// fail a job whose body is longer than B (default: no limit)
    #[argh(option)]
    pub max_size: Option<String>,

    /// fail a job whose body is shorter than B; an old file stays
    #[argh(option)]
    pub min_size: Option<String>,

    /// fail a job whose body is shorter than this part of the old file, such as 0.5; that stays
    #[argh(option)]
    pub min_ratio: Option<String>,

    /// fail a job whose body is a page of HTML, as captive portals send; an old file stays
    #[argh(switch)]
    pub not_html: bool,

    /// run fewer transfers at once, so that the whole process stays below B of memory (default: no limit)
    #[argh(option)]
    pub max_memory: Option<String>,

    /// run at most N transfers at once from one host, 1 to 1024; others' jobs overtake (default: no limit)
    #[argh(option)]
    pub per_host: Option<String>,

    /// begin at most N attempts a second at one host, 0.001 to 1000000, such as 0.2 (default: no limit)
    #[argh(option)]
    pub rate: Option<String>,

    /// take at most B bytes of bodies a second, all transfers together (default: no limit)
    #[argh(option)]
    pub limit_rate: Option<String>,

    /// fail a transfer that brings less than B bytes a second over 30 s (default: no limit)
    #[argh(option)]
    pub min_speed: Option<String>,

    /// stop at the first failed job
    #[argh(switch)]
    pub fail_fast: bool,

    /// trust the PEM roots in FILE instead of the built-in ones
    #[argh(option)]
    pub cacert: Option<String>,

    /// trust the system's roots instead of the built-in ones
    #[argh(switch)]
    pub system_roots: bool,

    /// do not verify TLS: whoever is on the way can read and change everything
    #[argh(switch)]
    pub insecure: bool,

    /// connect to ADDR for HOST:PORT, written HOST:PORT:ADDR; repeatable
    #[argh(option)]
    pub resolve: Vec<String>,

    /// connect to no loopback, private, link-local, multicast or reserved address, wherever it came from
    #[argh(switch)]
    pub deny_private: bool,

    /// go through the proxy URL, http:// or socks5h://; '' for none (default: http_proxy, https_proxy, all_proxy, no_proxy)
    #[argh(option)]
    pub proxy: Option<String>,

    /// use IPv4 alone
    #[argh(switch, short = '4')]
    pub ipv4: bool,

    /// use IPv6 alone
    #[argh(switch, short = '6')]
    pub ipv6: bool,

    /// print the version
    #[argh(switch)]
    pub version: bool,

    /// what to fetch; if there is none and no list, standard input is the list
    #[argh(positional, arg_name = "URL")]
    pub urls: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &[&str]) -> Asked {
        parse(line.iter().map(OsString::from)).unwrap()
    }

    #[test]
    fn help_fits_a_terminal_and_says_what_can_be_relied_on() {
        let Asked::Text(help) = asked(&["-q", "--help", "-j0"]) else { panic!("no help") };
        assert!(help.starts_with("Usage: smolget [OPTIONS] [URL...]\n"), "{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for part in
            ["-j, --jobs        run N transfers at once, 1 to 1024 (default 8)\n", "\n  143 stopped by SIGTERM\n"]
        {
            assert!(help.contains(part), "{part}\n{help}");
        }
    }

    #[test]
    fn the_version_is_printed_whatever_else_is_asked() {
        let Asked::Text(version) = asked(&["-j", "0", "--version", "http://h/"]) else { panic!("no version") };
        assert_eq!(version, concat!("smolget ", env!("CARGO_PKG_VERSION"), "\n"));
    }

    #[test]
    fn arguments_are_taken_as_they_are() {
        let Asked::Run(args) = asked(&["-qvvj8", "a", "--resolve=x", "--resolve", "y", "--", "-b", "help"]) else {
            panic!("no run")
        };
        assert!(args.quiet && !args.json);
        assert_eq!((args.verbose, args.jobs.as_deref()), (2, Some("8")));
        assert_eq!(args.resolve, ["x", "y"]);
        assert_eq!(args.urls, ["a", "-b", "help"]);
    }
}
