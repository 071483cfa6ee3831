//! The header fields of a job's requests, hop by hop: what goes along and what stays behind.
//!
//! ```text
//!  first URL ── all fields, its credentials, or those that a netrc file has for its host
//!     │ same origin: nothing changes, unless the Location brings credentials of its own
//!     ▼ another origin: only Accept, Accept-Language and User-Agent, and never the old credentials again;
//!       those that a netrc file has for that very host go there over TLS alone
//! ```

use surf::Url;

use crate::config::{Compression, Config};
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::header::Header;
use crate::job::Job;
use crate::netrc::Named;
use crate::transport::Fields;

/// What may cross to another origin: it tells no more of the user than any request does.
const PORTABLE: [&str; 3] = ["accept", "accept-language", "user-agent"];

/// The fields for the next request of an attempt.
#[derive(Debug)]
pub(super) struct Route<'a> {
    config: &'a Config,
    job: &'a Job,
    is_at_home: bool,
    fields: Fields,
}

/// The fields of every job that brings none of its own, encoded once for a whole run.
///
/// # Errors
///
/// Kind [`Url`](ErrorKind::Url) if a field can't be sent.
pub(super) fn common(config: &Config) -> Result<Fields, Error> {
    encode(config, &config.headers.iter().collect::<Vec<_>>(), None)
}

impl<'a> Route<'a> {
    /// The fields for a job's URL or mirror; `common` if it needs no others.
    pub fn start(config: &'a Config, common: &Fields, job: &'a Job, url: &Url) -> Result<Self, Error> {
        let credentials = credentials(url, config, Named::ByUser)?;
        let fields = match credentials {
            None if job.headers.is_empty() => common.clone(),
            credentials => encode(config, &own(config, job).collect::<Vec<_>>(), credentials)?,
        };
        Ok(Self { config, job, is_at_home: true, fields })
    }

    /// The fields for where a redirect has led to another origin.
    pub fn led_to(config: &'a Config, job: &'a Job, url: &Url) -> Result<Self, Error> {
        let mut route = Self { config, job, is_at_home: true, fields: Fields::default() };
        route.follow(url, false)?;
        Ok(route)
    }

    /// Goes on to `url`.
    pub fn follow(&mut self, url: &Url, same_origin: bool) -> Result<(), Error> {
        if same_origin && !has_credentials(url) {
            return Ok(());
        }
        let named = if same_origin && self.is_at_home { Named::ByUser } else { Named::ByServer };
        let credentials = credentials(url, self.config, named)?;
        self.is_at_home &= same_origin;
        let own = own(self.config, self.job);
        let going = own.filter(|header| self.is_at_home || PORTABLE.iter().any(|name| header.is(name)));
        self.fields = encode(self.config, &going.collect::<Vec<_>>(), credentials)?;
        Ok(())
    }

    pub fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// The headers that the user gives, for all jobs and for this one.
fn own<'h>(config: &'h Config, job: &'h Job) -> impl Iterator<Item = &'h Header> {
    config.headers.iter().chain(&job.headers)
}

fn encode(config: &Config, own: &[&Header], credentials: Option<String>) -> Result<Fields, Error> {
    let codings = (config.compression == Compression::Asked).then_some("gzip, deflate");
    let user_agent = Some(config.user_agent.as_str());
    let defaults = [("User-Agent", user_agent), ("Accept", Some("*/*")), ("Accept-Encoding", codings)];
    let authorization = [("Authorization", credentials.as_deref())];
    // A header that the user gives replaces the one that would be sent anyway.
    let missing = defaults
        .into_iter()
        .chain(authorization)
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .filter(|(name, _)| !own.iter().any(|header| header.is(name)));
    Fields::new(&mut missing.chain(own.iter().map(|header| (header.name(), header.value()))))
}

/// The Basic credentials (RFC 7617) for a URL: its own, or those that a netrc file has for its host.
fn credentials(url: &Url, config: &Config, named: Named) -> Result<Option<String>, Error> {
    let credentials = match config.netrc.login(url, named) {
        Some((user, password)) => Some(Credentials { user: user.to_owned(), password: password.to_owned() }),
        None if !has_credentials(url) => return Ok(None),
        None => Credentials::decode(url.username(), url.password().unwrap_or_default()),
    };
    let no_text = || Error::new(ErrorKind::Url, "the user or password in the URL is not UTF-8");
    Ok(Some(credentials.ok_or_else(no_text)?.basic()))
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netrc::Netrc;

    fn config(headers: &[&str]) -> Config {
        let headers = headers.iter().map(|line| Header::parse(line).unwrap()).collect();
        Config { headers, user_agent: "ua".to_owned(), ..Config::default() }
    }

    fn sent(fields: &Fields) -> String {
        String::from_utf8(fields.as_bytes().to_vec()).unwrap()
    }

    fn route(config: &Config, job: &str, hops: &[(&str, bool)]) -> String {
        let job = Job::new(job).unwrap().header(Header::parse("Cookie: c").unwrap());
        let mut route = Route::start(config, &Fields::default(), &job, job.url()).unwrap();
        for (url, same_origin) in hops {
            route.follow(&Url::parse(url).unwrap(), *same_origin).unwrap();
        }
        sent(route.fields())
    }

    #[test]
    fn on_the_same_origin_nothing_changes() {
        let config = config(&["X-Key: k"]);
        let all = "User-Agent: ua\r\nAccept: */*\r\nAuthorization: Basic dTpw\r\nX-Key: k\r\nCookie: c\r\n";
        assert_eq!(route(&config, "http://u:p@h/", &[]), all);
        assert_eq!(route(&config, "http://u:p@h/", &[("http://h/b", true)]), all);
    }

    #[test]
    fn on_another_origin_only_the_portable_fields_are_left_and_the_way_back_restores_nothing() {
        let config = config(&["X-Key: k", "Accept-Language: de", "Authorization: Bearer t", "accept: text/plain"]);
        let few = "User-Agent: ua\r\nAccept-Language: de\r\naccept: text/plain\r\n";
        assert_eq!(route(&config, "http://u:p@h/", &[("http://g/", false)]), few);
        assert_eq!(route(&config, "http://u:p@h/", &[("http://g/", false), ("http://h/", false)]), few);
    }

    #[test]
    fn credentials_of_a_location_are_used_there() {
        let there = route(&config(&[]), "http://u:p@h/", &[("http://a%3Ab:%C3%BC@g/", false)]);
        // base64 of `a:b:ü`
        assert_eq!(there, "User-Agent: ua\r\nAccept: */*\r\nAuthorization: Basic YTpiOsO8\r\n");
    }

    #[test]
    fn what_the_user_says_replaces_the_defaults() {
        let fields = common(&config(&["User-Agent: mine", "Accept: text/plain"])).unwrap();
        assert_eq!(sent(&fields), "User-Agent: mine\r\nAccept: text/plain\r\n");
        assert_eq!(sent(&common(&config(&[])).unwrap()), "User-Agent: ua\r\nAccept: */*\r\n");
    }

    #[test]
    fn credentials_that_are_not_text_are_refused() {
        let credentials = |url| credentials(&Url::parse(url).unwrap(), &Config::default(), Named::ByUser);
        assert!(credentials("http://%ff:p@h/").is_err());
        assert_eq!(credentials("http://h/").unwrap(), None);
    }

    #[test]
    fn what_a_netrc_file_has_for_a_host_goes_there_and_what_the_user_says_goes_before_it() {
        // base64 of `u:p`, `v:q` and `d:d`.
        let (u, v, d) = ("dTpw", "djpx", "ZDpk");
        let netrc = "machine h login u password p machine g login v password q default login d password d";
        let config = |headers| Config { netrc: Netrc::parse(netrc).unwrap(), ..config(headers) };
        for (job, hops, sent) in [
            ("http://h/", &[][..], Some(u)),
            ("http://h/", &[("http://h/b", true)], Some(u)),
            ("http://d:d@h/", &[], Some(d)),
            ("http://x/", &[], Some(d)),
            ("http://x/", &[("http://x/b", true)], Some(d)),
            ("https://h/", &[("https://g/", false)], Some(v)),
            ("https://h/", &[("https://g/", false), ("https://g/b", true)], Some(v)),
            ("https://h/", &[("https://x/", false)], None),
            ("http://h/", &[("http://g/", false)], None),
            ("http://h/", &[("https://h/", false)], Some(u)),
            ("https://x/", &[("https://h/", false), ("https://x/", false)], None),
            ("https://x/", &[("https://d:d@h/", false)], Some(d)),
        ] {
            let fields = route(&config(&[]), job, hops);
            let authorization = fields.lines().find_map(|line| line.strip_prefix("Authorization: Basic "));
            assert_eq!(authorization, sent, "{job} {hops:?}");
        }
        let own = route(&config(&["Authorization: Bearer t"]), "http://h/", &[]);
        assert!(own.contains("Authorization: Bearer t\r\n") && !own.contains("Basic"), "{own}");
    }
}
