//! A user and a password, as they stand in a URL → as the header fields that carry them (RFC 7617).
//!
//! Pure. They are in no `Debug` output.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use surf::http::auth::BasicAuth;

/// What a server or a proxy is told about who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub user: String,
    pub password: String,
}

impl Credentials {
    /// Those that stand percent-encoded in a URL; `None` if they are not UTF-8.
    pub fn decode(user: &str, password: &str) -> Option<Self> {
        let decode = |text| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
        Some(Self { user: decode(user)?, password: decode(password)? })
    }

    /// The value of a field.
    pub fn basic(&self) -> String {
        BasicAuth::new(&self.user, &self.password).value().to_string()
    }
}
