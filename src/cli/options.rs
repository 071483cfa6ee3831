//! Raw arguments → options that hold: every value read, every contradiction refused. Nothing after this checks one again.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use smolget::text::{conceal, conceal_value, escape};
use smolget::{
    AfterCut, Builder, DEFAULT_JOBS, Durability, Existing, Family, Fetcher, Gates, Header, Keep, Limits, MAX_JOBS,
    Method, Netrc, OnFailure, Pages, Reach, Trust,
};

use super::args::Args;
use super::descriptors::Need;
use super::failure::Failure;
use super::hooks::Command;
use super::memory::{self, Limit};
use super::normalise::{refuse, spelled};
use super::{proxies, values};

/// A proxy resolves names itself, so nothing is known of the addresses behind it.
const NOT_THROUGH_PROXIES: &str = "--deny-private can't be kept through a proxy, which connects to what it likes; \
                                   leave out one of them, or give --proxy '' where the environment names a proxy";

/// What a run of the command is to do.
#[derive(Debug)]
pub struct Options {
    /// How everything is fetched.
    pub builder: Builder,
    /// How many workers are wanted.
    pub jobs: usize,
    /// What each of them takes of the process's descriptors.
    pub need: Need,
    /// What all of it may take of the machine's memory, and what each of them takes of that.
    pub memory: (Option<Limit>, memory::Need),
    /// The URLs of the command line: they come first.
    pub urls: Vec<String>,
    pub inputs: Vec<Input>,
    pub output: Output,
    /// What is run for each saved file.
    pub exec: Option<Command>,
    /// What is run at the end.
    pub on_done: Option<Command>,
    /// Where the jobs that failed are listed.
    pub failed: Option<PathBuf>,
    pub chatter: Chatter,
    pub tls: Tls,
    /// The option that names the roots, for when they can't be read.
    pub roots: &'static str,
    /// How often `-v` was given.
    pub verbosity: u8,
}

/// Where a list comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Stdin,
    File(PathBuf),
}

/// What goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Nothing,
    Rows,
    Bodies,
    /// The rows go to standard error then.
    BodiesAndRows,
}

/// What goes to standard error beside failures and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chatter {
    /// Nothing.
    Quiet,
    /// Progress, if it is a terminal, and the summary.
    Usual,
}

/// Whether servers have to prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Verified,
    Unverified,
}

impl Options {
    /// Reads what was given, and what `env` says of proxies; `stdin_is_terminal` keeps a run without any URL from waiting for a
    /// person.
    ///
    /// # Errors
    ///
    /// A usage error.
    pub fn new(args: Args, stdin_is_terminal: bool, env: impl Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        exclude("--stdout", args.stdout, "--discard", args.discard)?;
        for (other, has_other) in [("--stdout", args.stdout), ("--discard", args.discard), ("--head", args.head)] {
            exclude("--durable", args.durable, other, has_other)?;
            exclude("--min-ratio", args.min_ratio.is_some(), other, has_other)?;
            exclude("--exec", args.exec.is_some(), other, has_other)?;
        }
        for (other, has_other) in [("--stdout", args.stdout), ("--discard", args.discard), ("--head", args.head)] {
            exclude("--sync", args.sync, other, has_other)?;
            exclude("--continue", args.r#continue, other, has_other)?;
        }
        exclude("--sync", args.sync, "--skip-existing", args.skip_existing)?;
        exclude("--min-size", args.min_size.is_some(), "--head", args.head)?;
        exclude("--not-html", args.not_html, "--head", args.head)?;
        exclude("--cacert", args.cacert.is_some(), "--system-roots", args.system_roots)?;
        exclude("-4", args.ipv4, "-6", args.ipv6)?;
        let proxies = proxies::read(args.proxy.as_deref(), env)?;
        if args.deny_private && !proxies.is_empty() {
            return Err(Failure::Usage(NOT_THROUGH_PROXIES.to_owned()));
        }
        let builder = builder(&args)?.proxies(proxies);
        let memory_need = memory_need(&args);
        let jobs = read("--jobs", &args.jobs, jobs)?.unwrap_or(DEFAULT_JOBS);
        let bytes = read("--max-memory", &args.max_memory, smolget::parse_size)?;
        let max_memory = args.max_memory.zip(bytes).map(|(text, bytes)| Limit { text, bytes });
        let mut inputs: Vec<_> = args.input.into_iter().map(Input::from).collect();
        if inputs.is_empty() && args.urls.is_empty() {
            if stdin_is_terminal {
                return Err(Failure::Usage("no URL; give one, or a list with --input FILE".to_owned()));
            }
            inputs.push(Input::Stdin);
        }
        let need = match (args.discard || args.head, args.durable) {
            (true, _) => Need::COUNTING,
            _ if args.sync => Need::COMPARING,
            (_, true) => Need::SYNCING,
            _ => Need::KEEPING,
        };
        let has_commands = args.exec.is_some() || args.on_done.is_some();
        Ok(Self {
            builder,
            jobs,
            need: if has_commands { need.with_commands() } else { need },
            memory: (max_memory, memory_need),
            urls: args.urls,
            inputs,
            output: match (args.stdout, args.json) {
                (false, false) => Output::Nothing,
                (false, true) => Output::Rows,
                (true, false) => Output::Bodies,
                (true, true) => Output::BodiesAndRows,
            },
            exec: command("--exec", args.exec.as_deref())?,
            on_done: command("--on-done", args.on_done.as_deref())?,
            failed: args.failed.map(PathBuf::from),
            chatter: if args.quiet { Chatter::Quiet } else { Chatter::Usual },
            tls: if args.insecure { Tls::Unverified } else { Tls::Verified },
            roots: if args.cacert.is_some() { "--cacert" } else { "--system-roots" },
            verbosity: args.verbose,
        })
    }
}

impl From<String> for Input {
    fn from(name: String) -> Self {
        if name == "-" { Self::Stdin } else { Self::File(name.into()) }
    }
}

fn exclude(one: &str, has_one: bool, other: &str, has_other: bool) -> Result<(), Failure> {
    if has_one && has_other {
        return Err(Failure::Usage(format!("{one} and {other} exclude each other; give one of them")));
    }
    Ok(())
}

fn builder(args: &Args) -> Result<Builder, Failure> {
    let mut builder = Fetcher::builder()
        .keep(keep(args)?)
        .gates(gates(args)?)
        .limits(limits(args)?)
        .family(family(args))
        .trust(trust(args));
    if let Some(product) = read("--user-agent", &args.user_agent, printable)? {
        builder = builder.user_agent(product);
    }
    if let Some(file) = &args.failed {
        if file.is_empty() {
            return Err(refuse("--failed", file));
        }
        builder = builder.tell_entries();
    }
    if let Some(time) = read("--deadline", &args.deadline, values::time)? {
        builder = builder.deadline(time);
    }
    if let Some(time) = read("--wait-online", &args.wait_online, values::time)? {
        builder = builder.wait_online(time);
    }
    if let Some(retries) = read("--retries", &args.retries, count)? {
        builder = builder.retries(retries);
    }
    if let Some(redirects) = read("--max-redirects", &args.max_redirects, count)? {
        builder = builder.max_redirects(redirects);
    }
    if let Some(transfers) = read("--per-host", &args.per_host, jobs)? {
        builder = builder.per_host(transfers);
    }
    if let Some(rate) = read("--rate", &args.rate, values::rate)? {
        builder = builder.rate(rate);
    }
    if let Some(bytes) = read("--limit-rate", &args.limit_rate, values::speed)? {
        builder = builder.limit_rate(bytes);
    }
    if let Some(bytes) = read("--min-speed", &args.min_speed, values::speed)? {
        builder = builder.min_speed(bytes);
    }
    if args.compressed {
        builder = compressed(builder)?;
    }
    for text in &args.resolve {
        builder = builder.resolve(values::resolve(text).ok_or_else(|| refuse("--resolve", text))?);
    }
    if let Some(file) = &args.netrc_file {
        builder = builder.netrc(netrc(file)?);
    }
    for text in &args.header {
        builder = builder.header(header(text)?);
    }
    let durability = if args.durable { Durability::Synced } else { Durability::Written };
    let reach = if args.deny_private { Reach::Public } else { Reach::Anywhere };
    let method = if args.head { Method::Head } else { Method::Get };
    let after_cut = if args.r#continue { AfterCut::GoOn } else { AfterCut::StartOver };
    let on_failure = if args.fail_fast { OnFailure::Stop } else { OnFailure::GoOn };
    Ok(builder.durability(durability).reach(reach).method(method).on_failure(on_failure).after_cut(after_cut))
}

fn command(long: &'static str, text: Option<&str>) -> Result<Option<Command>, Failure> {
    text.map(|text| Command::parse(long, text).ok_or_else(|| refuse(long, text))).transpose()
}

/// Reads the value of an option if it was given.
fn read<T>(long: &str, text: &Option<String>, read: fn(&str) -> Option<T>) -> Result<Option<T>, Failure> {
    text.as_deref().map(|text| read(text).ok_or_else(|| refuse(long, text))).transpose()
}

fn jobs(text: &str) -> Option<usize> {
    let jobs = usize::try_from(values::whole(text)?).ok()?;
    Some(jobs).filter(|jobs| (1..=MAX_JOBS).contains(jobs))
}

fn count(text: &str) -> Option<u32> {
    u32::try_from(values::whole(text)?).ok()
}

fn printable(text: &str) -> Option<String> {
    if text.chars().any(char::is_control) { None } else { Some(text.to_owned()) }
}

fn header(text: &str) -> Result<Header, Failure> {
    Header::parse(text).map_err(|why| {
        let got = conceal_value(text);
        Failure::value(&spelled("--header"), &got, &format!("'Name: value': {why}"))
    })
}

#[cfg(feature = "compressed")]
fn compressed(builder: Builder) -> Result<Builder, Failure> {
    Ok(builder.compression(smolget::Compression::Asked))
}

#[cfg(not(feature = "compressed"))]
fn compressed(_builder: Builder) -> Result<Builder, Failure> {
    let message = "--compressed: this smolget was built without it; build it with the feature `compressed`";
    Err(Failure::Usage(message.to_owned()))
}

/// The longest netrc file that is read, in bytes: what is longer is something else.
const MAX_NETRC: u64 = 1 << 20;

fn netrc(file: &str) -> Result<Netrc, Failure> {
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(MAX_NETRC + 1).read_to_string(&mut text));
    let unusable = |why: &str| {
        Failure::Usage(format!("--netrc-file: got \"{}\", which can't be used: {why}", escape(&conceal(file))))
    };
    match read {
        Err(error) => Err(unusable(&error.to_string())),
        Ok(length) if length as u64 > MAX_NETRC => Err(unusable("it is over 1 MiB")),
        Ok(_) => Netrc::parse(&text).map_err(|why| unusable(&why)),
    }
}

fn memory_need(args: &Args) -> memory::Need {
    let need = if args.stdout && !args.head { memory::Need::HOLDING } else { memory::Need::USUAL };
    if args.compressed { need.decoding() } else { need }
}

/// What becomes of a body: `--stdout` and `--discard` say more than `--dir`; with `--head` there is none.
fn keep(args: &Args) -> Result<Keep, Failure> {
    let dir = args.dir.as_deref().unwrap_or(".");
    if dir.is_empty() {
        // DIR, `/` and the name would else be a file at the root.
        return Err(refuse("--dir", dir));
    }
    if args.discard || args.head {
        return Ok(Keep::Count);
    }
    if args.stdout {
        return Ok(Keep::Hold);
    }
    let existing = match (args.sync, args.skip_existing) {
        (true, _) => Existing::Sync,
        (_, true) => Existing::Skip,
        _ => Existing::Replace,
    };
    Ok(Keep::Save { dir: dir.into(), existing })
}

/// What every body has to be like.
fn gates(args: &Args) -> Result<Gates, Failure> {
    let mut gates = Gates { pages: args.not_html.then_some(Pages::Refused), ..Gates::default() };
    let given = [("--min-size", &args.min_size), ("--max-size", &args.max_size), ("--min-ratio", &args.min_ratio)];
    for (long, text) in given {
        if let Some(text) = text {
            gates.set(long.trim_start_matches('-'), text).map_err(|_| refuse(long, text))?;
        }
    }
    Ok(gates)
}

fn limits(args: &Args) -> Result<Limits, Failure> {
    let or_default = |time: Option<Duration>, default| time.unwrap_or(default);
    let usual = Limits::default();
    Ok(Limits {
        connect: or_default(read("--connect-timeout", &args.connect_timeout, values::time)?, usual.connect),
        silence: or_default(read("--timeout", &args.timeout, values::time)?, usual.silence),
        total: read("--max-time", &args.max_time, values::time)?,
    })
}

fn family(args: &Args) -> Family {
    match (args.ipv4, args.ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    }
}

fn trust(args: &Args) -> Trust {
    match &args.cacert {
        _ if args.insecure => Trust::Anything,
        Some(file) => Trust::Pem(file.into()),
        None if args.system_roots => Trust::System,
        None => Trust::BuiltIn,
    }
}

#[cfg(test)]
mod tests {
    use smolget::{Proxies, Proxy, Ratio, Resolve};

    use super::*;
    use crate::cli::args::{self, Asked};

    fn options(line: &str) -> Result<Options, String> {
        let words = line.split_whitespace().map(|arg| OsString::from(arg.replace('~', " ")));
        match args::parse(words).map_err(|e| e.to_string())? {
            Asked::Run(args) => Options::new(*args, true, |_| None).map_err(|e| e.to_string()),
            Asked::Text(text) => panic!("{text}"),
        }
    }

    fn save(dir: &str, existing: Existing) -> Keep {
        Keep::Save { dir: dir.into(), existing }
    }

    #[test]
    fn options_set_up_the_fetcher_that_they_name() {
        let plain = || Fetcher::builder().keep(save(".", Existing::Replace));
        let second = Duration::from_secs(1);
        let limits = Limits { connect: second, silence: 2 * second, total: Some(3 * second) };
        let resolve = Resolve { host: "h".to_owned(), port: 80, address: [127, 0, 0, 1].into() };
        for (line, expected) in [
            ("", plain()),
            ("-d out --skip-existing", plain().keep(save("out", Existing::Skip))),
            ("-d out --sync", plain().keep(save("out", Existing::Sync))),
            ("-c", plain().after_cut(AfterCut::GoOn)),
            ("--discard -d out", plain().keep(Keep::Count)),
            ("--stdout -d out", plain().keep(Keep::Hold)),
            ("--head --stdout", plain().keep(Keep::Count).method(Method::Head)),
            (
                "-H a:~b --header=c:d",
                plain().header(Header::parse("a: b").unwrap()).header(Header::parse("c: d").unwrap()),
            ),
            ("-A me", plain().user_agent("me")),
            ("--connect-timeout 1 --timeout 2s --max-time 3000ms", plain().limits(limits)),
            ("--deadline 1s", plain().deadline(second)),
            #[cfg(feature = "compressed")]
            ("--compressed", plain().compression(smolget::Compression::Asked)),
            ("--failed f", plain().tell_entries()),
            ("--wait-online 1m", plain().wait_online(60 * second)),
            ("--retries 0 --max-redirects=0", plain().retries(0).max_redirects(0)),
            ("--max-size 1k", plain().max_size(1024)),
            ("--per-host 2", plain().per_host(2)),
            ("--rate 0.5", plain().rate(0.5)),
            ("--limit-rate 1k", plain().limit_rate(1024)),
            ("--min-speed 1k", plain().min_speed(1024)),
            ("--min-size 1k", plain().gates(Gates { min_size: Some(1024), ..Gates::default() })),
            ("--min-ratio 0.5", plain().gates(Gates { min_ratio: Ratio::parse("0.5"), ..Gates::default() })),
            ("--not-html", plain().gates(Gates { pages: Some(Pages::Refused), ..Gates::default() })),
            ("--fail-fast", plain().on_failure(OnFailure::Stop)),
            ("--cacert f", plain().trust(Trust::Pem("f".into()))),
            ("--system-roots", plain().trust(Trust::System)),
            ("--insecure --cacert f", plain().trust(Trust::Anything)),
            ("--resolve H:80:127.0.0.1", plain().resolve(resolve)),
            ("--durable", plain().durability(Durability::Synced)),
            ("--deny-private", plain().reach(Reach::Public)),
            ("--proxy p:1", plain().proxies(Proxies::all(Proxy::parse("p:1").unwrap()))),
            ("--proxy= --deny-private", plain().reach(Reach::Public)),
            ("-4", plain().family(Family::V4)),
            ("-6", plain().family(Family::V6)),
        ] {
            let options = options(&format!("{line} http://h/")).unwrap();
            assert_eq!(format!("{:?}", options.builder), format!("{expected:?}"), "{line}");
        }
    }

    #[test]
    fn what_is_told_is_as_it_was_asked() {
        let told = |line| options(line).map(|o| (o.output, o.chatter, o.tls, o.verbosity)).unwrap();
        assert_eq!(told("u"), (Output::Nothing, Chatter::Usual, Tls::Verified, 0));
        assert_eq!(told("u --json -qv"), (Output::Rows, Chatter::Quiet, Tls::Verified, 1));
        assert_eq!(told("u --stdout -vv --insecure"), (Output::Bodies, Chatter::Usual, Tls::Unverified, 2));
        assert_eq!(told("u --stdout --json").0, Output::BodiesAndRows);
    }

    #[test]
    fn jobs_come_from_the_line_from_lists_or_from_standard_input() {
        let both = options("u -i f -i - v").unwrap();
        assert_eq!((both.urls.len(), both.inputs), (2, vec![Input::File("f".into()), Input::Stdin]));
        assert_eq!(options("u").unwrap().inputs, []);
        assert_eq!(Options::new(Args::default(), false, |_| None).unwrap().inputs, [Input::Stdin]);
        assert!(Options::new(Args::default(), true, |_| None).unwrap_err().to_string().contains("no URL"));
        assert_eq!(options("-i -").unwrap().inputs, [Input::Stdin]);
    }

    #[test]
    fn a_value_out_of_range_is_named_with_what_it_takes() {
        for (line, told) in [
            ("-j 0", "-j, --jobs: got \"0\"; takes a whole number from 1 to 1024"),
            ("-j 1025", "-j, --jobs: got \"1025\"; takes a whole number from 1 to 1024"),
            ("-j +8", "-j, --jobs: got \"+8\"; takes a whole number from 1 to 1024"),
            ("--retries -1", "--retries: got \"-1\"; takes a whole number from 0 to 4294967295"),
            (
                "--max-redirects 4294967296",
                "--max-redirects: got \"4294967296\"; takes a whole number from 0 to 4294967295",
            ),
            ("--max-size 1T", "--max-size: got \"1T\"; takes a size in bytes, such as 4096, 64k, 8M or 1G"),
            ("--per-host 0", "--per-host: got \"0\"; takes a whole number from 1 to 1024"),
            ("--rate 0", "--rate: got \"0\"; takes a number from 0.001 to 1000000, such as 5 or 0.2"),
            ("--limit-rate 0", "--limit-rate: got \"0\"; takes a number of bytes above 0, such as 4096, 64k or 8M"),
            ("--min-size 1T", "--min-size: got \"1T\"; takes a size in bytes, such as 4096, 64k, 8M or 1G"),
            ("--min-ratio 2", "--min-ratio: got \"2\"; takes a number from 0 to 1, such as 0.5"),
            ("--max-memory much", "--max-memory: got \"much\"; takes a size in bytes, such as 4096k, 8M or 1G"),
            ("--dir=", "-d, --dir: got \"\"; takes a folder"),
            ("--failed=", "--failed: got \"\"; takes a file"),
            ("-A a\u{7}", "-A, --user-agent: got \"a\\u{7}\"; takes text without control characters"),
            ("--resolve h:80", "--resolve: got \"h:80\"; takes HOST:PORT:ADDR, where ADDR is an IP address"),
            ("--stdout --discard", "--stdout and --discard exclude each other; give one of them"),
            (
                "--exec a~'b",
                "--exec: got \"a 'b\"; takes a command: words between blanks, or in quotes that have an end",
            ),
            ("--exec a --head", "--exec and --head exclude each other; give one of them"),
            ("--durable --head", "--durable and --head exclude each other; give one of them"),
            ("-c --stdout", "--continue and --stdout exclude each other; give one of them"),
            ("--sync --stdout", "--sync and --stdout exclude each other; give one of them"),
            ("--skip-existing --sync", "--sync and --skip-existing exclude each other; give one of them"),
            ("--min-ratio 1 --stdout", "--min-ratio and --stdout exclude each other; give one of them"),
            ("--not-html --head", "--not-html and --head exclude each other; give one of them"),
            ("--cacert f --system-roots", "--cacert and --system-roots exclude each other; give one of them"),
            ("--proxy p:1 --deny-private", NOT_THROUGH_PROXIES),
            ("-46", "-4 and -6 exclude each other; give one of them"),
        ] {
            assert_eq!(options(&format!("{line} u")).unwrap_err(), format!("smolget: {told}\nsee smolget --help\n"));
        }
        for long in ["--connect-timeout", "--timeout", "--max-time", "--deadline", "--wait-online"] {
            let told = options(&format!("{long} 0 u")).unwrap_err();
            assert!(told.starts_with(&format!("smolget: {long}: got \"0\"; takes a time above 0")), "{told}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_shown_as_it_was_given() {
        for (header, got) in [
            ("no~colon", "no colon"),
            ("Connection:~close", "Connection: close"),
            ("X-A:~\u{7}", "X-A: \\u{7}"),
            ("Cookies~hush", "Cookies hush"),
        ] {
            let told = options(&format!("-H {header} u")).unwrap_err();
            let start = format!("smolget: -H, --header: got \"{got}\"; takes 'Name: value': ");
            assert!(told.starts_with(&start), "{told}");
        }
    }

    #[test]
    fn a_secret_in_a_header_that_cannot_be_sent_is_not_shown() {
        for (header, got) in [
            ("Authorization:~Bearer~hush\u{7}", "Authorization: ***"),
            ("authorization:hush\u{7}", "authorization: ***"),
            ("Authorization~:~Bearer~hush", "Authorization ***"),
            ("Authorization~Bearer~hush", "Authorization ***"),
            ("Authorization~Basic~hush:hush", "Authorization ***"),
            ("Authorization=hush", "Authorization ***"),
            ("\"Authorization:~Bearer~hush\"", "Authorization: ***"),
            ("Proxy-Authorization~Basic~hush", "Proxy-Authorization ***"),
            ("COOKIE:~hush\u{7}", "COOKIE: ***"),
            ("Cookie", "Cookie ***"),
            ("Token:~hush\u{7}", "Token: ***"),
            ("X-ApiKey~hush", "X-ApiKey ***"),
            ("http-passwd=hush", "http-passwd ***"),
        ] {
            let told = options(&format!("-H {header} u")).unwrap_err();
            assert!(told.contains(&format!("got \"{got}\"; takes")), "{told}");
            assert!(!told.contains("hush"), "{told}");
        }
    }
}
