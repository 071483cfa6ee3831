//! Users and passwords by host, as `.netrc` files have them: text → entries, a host → what it is told.
//!
//! Read as curl does, a few things more strictly: what is no entry is an error, not passed over, and a `#` begins a comment
//! only where a keyword could stand. No content is in any message or `Debug` output.

use std::fmt;

use surf::Url;

use crate::url::parse_host;

/// The entries of a `.netrc` file, in their order.
#[derive(Clone, Default)]
pub struct Netrc(Vec<Entry>);

#[derive(Clone, Default)]
struct Entry {
    /// As URLs have it; `None` is `default`.
    host: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

/// Who names a host: that decides what is told there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// The user, in a URL.
    ByUser,
    /// A server, in a redirect from another origin.
    ByServer,
}

impl Netrc {
    /// Reads the text of such a file: `machine NAME` or `default`, each with `login`, `password` and `account`; values may stand
    /// in double quotes; `macdef` with all up to an empty line is passed over.
    ///
    /// # Errors
    ///
    /// A message with the number of the line and nothing of what stands there.
    ///
    /// ```
    /// use smolget::Netrc;
    ///
    /// assert!(Netrc::parse("machine example.org login me password \"my secret\"").is_ok());
    /// assert_eq!(Netrc::parse("\nmy secret").unwrap_err(), "line 2 has a word that is no keyword; quote values with blanks");
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words { rest: text, line: 1 };
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(keyword) = words.keyword()? {
            match keyword.as_str() {
                "machine" => {
                    let name = words.value()?;
                    entries.push(Entry { host: Some(host(&name)), ..Entry::default() });
                }
                "default" => entries.push(Entry::default()),
                "login" | "password" | "account" => {
                    let value = words.value()?;
                    let Some(entry) = entries.last_mut() else {
                        return Err(words.error("has no machine above it"));
                    };
                    match keyword.as_str() {
                        "login" => entry.login = Some(value),
                        "password" => entry.password = Some(value),
                        _ => {}
                    }
                }
                "macdef" => words.pass_over_macro()?,
                _ => return Err(words.error("has a word that is no keyword; quote values with blanks")),
            }
        }
        Ok(Self(entries))
    }

    /// User and password for a URL that brings no password of its own; the user is that of the URL if it brings one.
    ///
    /// What is said to a host that a server has named could be said to whoever is on the way, so only an entry of that host
    /// counts there, and only over TLS.
    pub(crate) fn login(&self, url: &Url, named: Named) -> Option<(&str, &str)> {
        let host = url.host_str()?;
        if url.password().is_some() || named == Named::ByServer && url.scheme() != "https" {
            return None;
        }
        let is_for = |entry: &&Entry| match &entry.host {
            Some(own) => own == host,
            None => named == Named::ByUser,
        };
        let has_login = |entry: &&Entry| url.username().is_empty() || entry.login.as_deref() == Some(url.username());
        let Entry { login, password, .. } = self.0.iter().filter(is_for).find(has_login)?;
        let told = (login.as_deref().unwrap_or_default(), password.as_deref().unwrap_or_default());
        Some(told).filter(|_| login.is_some() || password.is_some())
    }
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Netrc({} entries)", self.0.len())
    }
}

/// A machine's name as URLs have it, if it can stand in one.
fn host(name: &str) -> String {
    let host = parse_host(name).or_else(|| parse_host(&format!("[{name}]")));
    host.map_or_else(|| name.to_owned(), |host| host.to_string())
}

/// The words of a file.
struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl Words<'_> {
    /// The next word, behind comments; `None` at the end.
    fn keyword(&mut self) -> Result<Option<String>, String> {
        loop {
            self.pass_over_blanks();
            if !self.rest.starts_with('#') {
                return self.word();
            }
            self.rest = self.rest.get(self.rest.find('\n').unwrap_or(self.rest.len())..).unwrap_or_default();
        }
    }

    /// The value of the keyword before it.
    fn value(&mut self) -> Result<String, String> {
        let line = self.line;
        self.pass_over_blanks();
        self.word()?.ok_or_else(|| format!("line {line} ends in a keyword that lacks its value"))
    }

    fn pass_over_blanks(&mut self) {
        while let Some(c) = self.rest.chars().next().filter(|c| c.is_whitespace()) {
            self.line += usize::from(c == '\n');
            self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }

    fn word(&mut self) -> Result<Option<String>, String> {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            return self.quoted(quoted).map(Some);
        }
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        Ok(Some(word.to_owned()).filter(|word| !word.is_empty()))
    }

    /// A word in quotes, the first of which has been read.
    fn quoted(&mut self, text: &str) -> Result<String, String> {
        let mut word = String::new();
        let mut chars = text.chars();
        loop {
            let c = match chars.next() {
                Some('"') => break,
                Some('\\') => match chars.next() {
                    Some('n') => Some('\n'),
                    Some('r') => Some('\r'),
                    Some('t') => Some('\t'),
                    other => other.filter(|&c| c != '\n'),
                },
                other => other.filter(|&c| c != '\n'),
            };
            word.push(c.ok_or_else(|| self.error("has a quote that does not end there"))?);
        }
        // All but what is left was read.
        let left = chars.as_str().len();
        self.rest = self.rest.get(self.rest.len() - left..).unwrap_or_default();
        Ok(word)
    }

    /// A macro ends at an empty line.
    fn pass_over_macro(&mut self) -> Result<(), String> {
        self.value()?;
        let mut is_first = true;
        while let Some((line, rest)) = self.rest.split_once('\n') {
            self.rest = rest;
            self.line += 1;
            // The first is what is left of the line that names it.
            if !is_first && line.trim().is_empty() {
                return Ok(());
            }
            is_first = false;
        }
        self.rest = "";
        Ok(())
    }

    fn error(&self, what: &str) -> String {
        format!("line {} {what}", self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(netrc: &str, url: &str, named: Named) -> Option<String> {
        let netrc = Netrc::parse(netrc).unwrap();
        netrc.login(&Url::parse(url).unwrap(), named).map(|(user, password)| format!("{user}:{password}"))
    }

    #[test]
    fn an_entry_is_told_to_its_host_alone() {
        let file =
            "machine h login u password p\nmachine G.Example\n\tlogin v\n\tpassword q # r\nmachine ::1 password s";
        for (url, told) in [
            ("http://h/", Some("u:p")),
            ("http://h:81/", Some("u:p")),
            ("https://g.example/", Some("v:q")),
            ("http://[::1]/", Some(":s")),
            ("http://x.h/", None),
            ("http://h.h/", None),
            ("http://h./", None),
            ("http://u@h/", Some("u:p")),
            ("http://other@h/", None),
            ("http://u:mine@h/", None),
            ("http://:mine@h/", None),
        ] {
            assert_eq!(login(file, url, Named::ByUser).as_deref(), told, "{url}");
        }
    }

    #[test]
    fn the_first_that_fits_counts_and_default_fits_every_host_that_the_user_names() {
        let file =
            "machine h login a password 1 machine h login b password 2 default login c password 3 machine g login d";
        let told = |url, named| login(file, url, named);
        assert_eq!(told("http://h/", Named::ByUser).as_deref(), Some("a:1"));
        assert_eq!(told("http://b@h/", Named::ByUser).as_deref(), Some("b:2"));
        assert_eq!(told("http://g/", Named::ByUser).as_deref(), Some("c:3"));
        assert_eq!(told("https://x/", Named::ByServer), None);
        assert_eq!(told("https://h/", Named::ByServer).as_deref(), Some("a:1"));
        assert_eq!(told("http://h/", Named::ByServer), None);
        assert_eq!(login("default machine h login u", "http://h/", Named::ByUser), None);
    }

    #[test]
    fn values_may_be_quoted_and_hold_what_looks_like_syntax() {
        for (file, told) in [
            ("machine h login \"a b\" password \"\\\"\\\\\\n\\x\"", "a b:\"\\\nx"),
            ("machine h login machine password #1", "machine:#1"),
            ("machine h login u password \u{fc}#", "u:\u{fc}#"),
            ("machine h account x login u password p", "u:p"),
            ("machine\nh\r\nlogin\n u\npassword\n\np", "u:p"),
            ("# machine h login x\n#\nmachine h login u # password x\npassword p#", "u:p#"),
            ("machine h login \"\" password \"\"", ":"),
            ("macdef x\nlogin y\n\"\n\nmachine h login u password p", "u:p"),
            ("machine h login u password p\nmacdef init\nput x\n", "u:p"),
        ] {
            assert_eq!(login(file, "http://h/", Named::ByUser).as_deref(), Some(told), "{file}");
        }
    }

    #[test]
    fn what_is_none_is_told_by_its_line_and_nothing_else() {
        for (file, line) in [
            ("machine h\nlogin u\npassword secret secret", 3),
            ("login secret", 1),
            ("\n\npassword secret\n", 3),
            ("machine h login", 1),
            ("machine h\npassword\n", 2),
            ("machine", 1),
            ("machine h password \"secret\nx\"", 1),
            ("machine h\npassword \"secret", 2),
            ("machine h password \"secret\\", 1),
            ("{\"secret\":1}", 1),
        ] {
            let why = Netrc::parse(file).map(|_| ()).expect_err(file);
            assert!(why.starts_with(&format!("line {line} ")) && !why.contains("secret"), "{file:?}: {why}");
        }
        for empty in ["", "\n# nothing\n", "macdef x"] {
            assert!(Netrc::parse(empty).is_ok(), "{empty}");
        }
        assert!(!format!("{:?}", Netrc::parse("machine hush login hush password hush").unwrap()).contains("hush"));
    }
}
