//! The smallest parts of the grammar of HTTP and of URLs, which many read.

/// The longest ETag that is used.
const MAX_ETAG: usize = 1024;

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether two words are the same, letter case of ASCII aside. Here once: what the standard library has for it goes by sixteen
/// bytes at a time, wherever it is called, and the words of HTTP are short.
pub(crate) fn is_same_word(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    fn is_same(one: &[u8], other: &[u8]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.eq_ignore_ascii_case(other))
    }
    is_same(one.as_ref(), other.as_ref())
}

/// Whether a `Content-Type` is this media type, whatever its parameters (RFC 9110, section 8.3.1).
pub(crate) fn is_media_type(content_type: &[u8], media_type: &str) -> bool {
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    is_same_word(essence.trim_ascii(), media_type)
}

/// Digits alone, up to 64 bits: the standard library's parser would take a sign.
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Whether this is an entity tag (RFC 9110, section 8.8.3), of ASCII alone. Without the quotes it might be read as a list, or as
/// `*`, which any version matches.
pub(crate) fn is_etag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    text.len() <= MAX_ETAG
        && inner.is_some_and(|inner| inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'))
}

/// Whether this is a date as a header field has it (RFC 9110, section 5.6.7).
pub(crate) fn is_date(text: &str) -> bool {
    !has_control(text) && httpdate::parse_http_date(text).is_ok()
}

/// Whether a text is a URL's scheme (RFC 3986, section 3.1), known or not.
pub(crate) fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether a text holds a control character: C0, DEL or C1.
pub(crate) fn has_control(text: &str) -> bool {
    may_have_control(text) && text.chars().any(char::is_control)
}

/// As [`has_control`], where TAB is none.
pub(crate) fn has_control_but_tab(text: &str) -> bool {
    may_have_control(text) && text.chars().any(|c| c.is_control() && c != '\t')
}

/// Whether a look at the characters is worth it: every byte of a list comes by here, and this look costs a fraction.
fn may_have_control(text: &str) -> bool {
    // C1 begins with 0xC2 in UTF-8.
    text.bytes().fold(false, |may, byte| may | (byte < b' ') | (byte == 0x7f) | (byte == 0xc2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_control_character_is_found_and_no_other() {
        for c in '\0'..='\u{1ff}' {
            let text = format!("a{c}z");
            assert_eq!(has_control(&text), c.is_control(), "{c:?}");
            assert_eq!(has_control_but_tab(&text), c.is_control() && c != '\t', "{c:?}");
        }
    }
}
