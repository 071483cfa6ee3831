//! `--proxy` and the environment → the proxies of a run.
//!
//! The variables are those of curl, and empty ones count as if they were not there. `HTTP_PROXY` is none of them: a web
//! server sets it from a request's `Proxy` field for the programs that it runs (CVE-2016-5385).

use std::ffi::OsString;

use smolget::{Proxies, Proxy};

use super::failure::Failure;
use super::normalise::{TAKES_PROXY, refuse_for};

const HTTP: [&str; 1] = ["http_proxy"];
const HTTPS: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const ALL: [&str; 2] = ["all_proxy", "ALL_PROXY"];
const EXCEPT: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// Reads what the option, if it was given, and the variables say; `''` as the option's value says that there is no proxy.
///
/// # Errors
///
/// A usage error that names the option or the variable.
pub fn read(option: Option<&str>, env: impl Fn(&str) -> Option<OsString>) -> Result<Proxies, Failure> {
    let proxies = match option {
        Some("") => return Ok(Proxies::default()),
        Some(text) => Proxies::all(Proxy::parse(text).map_err(|why| refuse_for("--proxy", text, &takes(&why)))?),
        None => {
            let all = variable(&ALL, &env)?;
            let (http, https) = (variable(&HTTP, &env)?.or(all.clone()), variable(&HTTPS, &env)?.or(all));
            let proxies = http.into_iter().fold(Proxies::default(), Proxies::http);
            https.into_iter().fold(proxies, Proxies::https)
        }
    };
    let except = first(&EXCEPT, &env)?.map(|(_, hosts)| hosts).unwrap_or_default();
    Ok(proxies.except(&except))
}

/// The proxy that the first of these variables names which is set.
fn variable(names: &[&'static str], env: impl Fn(&str) -> Option<OsString>) -> Result<Option<Proxy>, Failure> {
    let proxy =
        |(name, text): (_, String)| Proxy::parse(&text).map_err(|why| Failure::value(name, &text, &takes(&why)));
    first(names, env)?.map(proxy).transpose()
}

/// The first of these variables that is set, with its value.
fn first(
    names: &[&'static str],
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(&'static str, String)>, Failure> {
    let set = |name: &&'static str| Some((*name, env(name).filter(|value| !value.is_empty())?));
    let Some((name, value)) = names.iter().find_map(set) else { return Ok(None) };
    let value = value.into_string().map_err(|value| Failure::value(name, &value.to_string_lossy(), "UTF-8 text"))?;
    Ok(Some((name, value)))
}

fn takes(why: &str) -> String {
    format!("{TAKES_PROXY}: {why}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    /// What is made of an option and of variables, `NAME=VALUE` each.
    fn proxies(option: Option<&str>, variables: &[&str]) -> Result<String, String> {
        let env = |name: &str| {
            let values = variables.iter().filter_map(|variable| variable.split_once('='));
            values.filter(|(set, _)| *set == name).map(|(_, value)| OsString::from(value)).next()
        };
        read(option, env).map(|proxies| format!("{proxies:?}")).map_err(|error| error.to_string())
    }

    fn expected(http: Option<&str>, https: Option<&str>, except: &str) -> Result<String, String> {
        let proxy = |text: &str| Proxy::parse(text).unwrap();
        let proxies = http.map(proxy).into_iter().fold(Proxies::default(), Proxies::http);
        let proxies = https.map(proxy).into_iter().fold(proxies, Proxies::https);
        Ok(format!("{:?}", proxies.except(except)))
    }

    #[test]
    fn each_variable_goes_for_what_it_names_and_lower_case_first() {
        let (a, b, c) = (Some("a:1"), Some("b:1"), Some("c:1"));
        for (variables, http, https, except) in [
            (&[][..], None, None, ""),
            (&["http_proxy=a:1"], a, None, ""),
            (&["HTTP_PROXY=a:1"], None, None, ""),
            (&["https_proxy=a:1", "HTTPS_PROXY=b:1"], None, a, ""),
            (&["HTTPS_PROXY=b:1"], None, b, ""),
            (&["https_proxy=", "HTTPS_PROXY=b:1"], None, b, ""),
            (&["all_proxy=a:1", "ALL_PROXY=b:1"], a, a, ""),
            (&["ALL_PROXY=b:1", "https_proxy=c:1"], b, c, ""),
            (&["http_proxy=", "all_proxy=b:1"], b, b, ""),
            (&["http_proxy=a:1", "no_proxy=h", "NO_PROXY=g"], a, None, "h"),
            (&["http_proxy=a:1", "NO_PROXY=g,f"], a, None, "g,f"),
        ] {
            assert_eq!(proxies(None, variables), expected(http, https, except), "{variables:?}");
        }
    }

    #[test]
    fn the_option_replaces_the_proxies_but_not_who_is_excepted() {
        let variables = ["http_proxy=a:1", "no_proxy=h", "https_proxy=not:a:proxy"];
        assert_eq!(proxies(Some("b:1"), &variables), expected(Some("b:1"), Some("b:1"), "h"));
        assert_eq!(proxies(Some(""), &variables), expected(None, None, ""));
    }

    #[test]
    fn what_is_no_proxy_is_put_down_to_who_named_it_and_shows_no_password() {
        let told = proxies(Some("https://u:secret@p:1"), &[]).unwrap_err();
        assert!(told.starts_with("smolget: --proxy: got \"https://u:***@p:1\"; takes a proxy such as "), "{told}");
        let told = proxies(None, &["ALL_PROXY=http://u:secret@p"]).unwrap_err();
        assert!(told.starts_with("smolget: ALL_PROXY: got \"http://u:***@p\"; takes a proxy such as "), "{told}");
        assert!(told.contains("has to name its port"), "{told}");
        let told = read(None, |_| Some(OsString::from_vec(b"\xff:1".to_vec()))).unwrap_err().to_string();
        assert!(told.contains("takes UTF-8 text"), "{told}");
    }
}
