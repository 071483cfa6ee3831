//! A request header field: text → a field that may be sent, or why not.

use std::fmt;

use crate::grammar::{has_control_but_tab, is_same_word, is_token};

/// Fields that frame the message or belong to one connection: what they say is decided here, by nobody else.
const OWN_FIELDS: [&str; 7] =
    ["connection", "content-length", "expect", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// A request header field, known to be one that may be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

impl Header {
    /// Reads `Name: value`.
    ///
    /// # Errors
    ///
    /// A message if the name is not a token, the value holds a control character, or the field would change how the
    /// message is framed (`Content-Length`, `Transfer-Encoding`, `Connection` and their like).
    ///
    /// ```
    /// use smolget::Header;
    ///
    /// assert_eq!(Header::parse("Accept:  text/plain ").unwrap().value(), "text/plain");
    /// assert!(Header::parse("Transfer-Encoding: chunked").is_err());
    /// ```
    pub fn parse(line: &str) -> Result<Self, String> {
        let (name, value) = line.split_once(':').ok_or("a header is written `Name: value`")?;
        let value = value.trim_matches([' ', '\t']);
        if name.is_empty() || !name.bytes().all(is_token) {
            // Not shown: where the colon was forgotten, this is a part of the value, which may be a secret.
            return Err("what stands before the colon is not a header name".to_owned());
        }
        if has_control_but_tab(value) {
            return Err(format!("the value of `{name}` holds a control character"));
        }
        if OWN_FIELDS.iter().any(|own| is_same_word(name, own)) {
            return Err(format!("`{name}` is set by smolget itself"));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// The field's name, as it was written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The field's value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether this is the field of that name, letter case aside.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        is_same_word(&self.name, name)
    }
}

impl fmt::Debug for Header {
    /// Without the value: it may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_could_smuggle_another_is_refused() {
        assert!(Header::parse("X-A: 1").is_ok());
        for bad in ["X-A", ": 1", "X A: 1", "X-A: 1\r\nX-B: 2", "X-A: \0", "connection: close", "Content-Length: 5"] {
            assert!(Header::parse(bad).is_err(), "{bad}");
        }
    }
}
