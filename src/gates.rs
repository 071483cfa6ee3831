//! What a body has to be like to take the place of an old file: text → [`Gates`], and those of a run under those of a job.
//!
//! The one place that reads sizes and ratios as users write them, for flags and for lists alike. Whether a body passes, the
//! engine judges.

use std::fmt;

use crate::grammar::decimal;

/// What a body has to be like to be kept. One that is not fails its job, and an old file stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gates {
    /// The shortest body that is taken, in bytes.
    pub min_size: Option<u64>,
    /// The longest body that is taken, in bytes.
    pub max_size: Option<u64>,
    /// How much shorter than the file that it is to replace a body may be. Where there is no file any length will do.
    pub min_ratio: Option<Ratio>,
    /// Whether pages are taken; they are unless set.
    pub pages: Option<Pages>,
}

/// Whether a body may be a page of HTML: it says so in its `Content-Type`, or begins with `<!doctype html` or `<html`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// It may.
    Taken,
    /// It fails its job: captive portals and hosts that are gone answer with a page whatever was asked for.
    Refused,
}

/// A part of a whole, from 0 to 1, to a millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ratio {
    millionths: u32,
}

/// The millionths of a whole.
const WHOLE: u32 = 1_000_000;

impl Gates {
    /// Sets a gate as a list has it: `min-size=1k`, `max-size=8M`, `min-ratio=0.5`, `not-html=true`. Whether there is one of
    /// that name.
    ///
    /// # Errors
    ///
    /// A message if the value can't be used.
    pub fn set(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let size = || parse_size(value).map(Some).ok_or("a size is written in bytes, such as 4096, 64k, 8M or 1G");
        match name {
            "min-size" => self.min_size = size()?,
            "max-size" => self.max_size = size()?,
            "min-ratio" => {
                self.min_ratio = Some(Ratio::parse(value).ok_or("a ratio is a number from 0 to 1, such as 0.5")?)
            }
            "not-html" => self.pages = Some(pages(value).ok_or("it is written `not-html=true` or `not-html=false`")?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The options of a list that set these.
    pub(crate) fn options(self) -> impl Iterator<Item = (&'static str, String)> {
        let pages = self.pages.map(|pages| (pages == Pages::Refused).to_string());
        let options = [
            ("min-size", self.min_size.map(|bytes| bytes.to_string())),
            ("max-size", self.max_size.map(|bytes| bytes.to_string())),
            ("min-ratio", self.min_ratio.map(|ratio| ratio.to_string())),
            ("not-html", pages),
        ];
        options.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// These, and for what they leave open, `others`. Of two longest bodies the shorter counts: whoever runs a list that
    /// others write has set that limit for their own sake.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            min_size: self.min_size.or(others.min_size),
            max_size: [self.max_size, others.max_size].into_iter().flatten().min(),
            min_ratio: self.min_ratio.or(others.min_ratio),
            pages: self.pages.or(others.pages),
        }
    }
}

impl Ratio {
    /// Reads a number from 0 to 1, such as `0.5`. What is below a millionth is dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits: Vec<u8> = fraction.bytes().chain(std::iter::repeat(b'0')).take(6).collect();
        let whole = decimal(whole.as_bytes())?.checked_mul(WHOLE.into())?;
        let millionths = whole.checked_add(decimal(&digits)?)?;
        u32::try_from(millionths).ok().filter(|millionths| *millionths <= WHOLE).map(|millionths| Self { millionths })
    }

    /// The least whole number that is not below this part of `of`.
    #[must_use]
    pub fn part(self, of: u64) -> u64 {
        let part = (u128::from(of) * u128::from(self.millionths)).div_ceil(WHOLE.into());
        u64::try_from(part).unwrap_or(of)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.millionths / WHOLE, self.millionths % WHOLE)
    }
}

fn pages(text: &str) -> Option<Pages> {
    match text {
        "true" => Some(Pages::Refused),
        "false" => Some(Pages::Taken),
        _ => None,
    }
}

/// Reads a size in bytes: a whole number, or one with `k`, `M` or `G` (powers of 1024) in either letter case.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let units = [(['k', 'K'], 1 << 10), (['m', 'M'], 1 << 20), (['g', 'G'], 1 << 30)];
    let with_unit = units.iter().find_map(|(letters, unit)| Some((text.strip_suffix(letters)?, *unit)));
    let (number, unit) = with_unit.unwrap_or((text, 1));
    decimal(number.as_bytes())?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates(options: &[(&str, &str)]) -> Gates {
        let mut gates = Gates::default();
        assert!(options.iter().all(|(name, value)| gates.set(name, value).unwrap()));
        gates
    }

    #[test]
    fn gates_are_written_as_they_are_read() {
        for options in [
            &[("min-size", "1k"), ("max-size", "2M"), ("min-ratio", "0.25"), ("not-html", "true")][..],
            &[("min-ratio", "1"), ("not-html", "false")],
            &[],
        ] {
            let written: Vec<_> = gates(options).options().collect();
            let read: Vec<_> = written.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!((gates(&read), read.len()), (gates(options), options.len()), "{written:?}");
        }
    }

    #[test]
    fn each_gate_is_set_by_its_name_and_no_other() {
        let all = gates(&[("min-size", "1"), ("max-size", "1k"), ("min-ratio", "0.25"), ("not-html", "true")]);
        let min_ratio = Some(Ratio { millionths: 250_000 });
        let pages = Some(Pages::Refused);
        assert_eq!(all, Gates { min_size: Some(1), max_size: Some(1024), min_ratio, pages });
        assert_eq!(Gates::default().set("html", "true"), Ok(false));
        for (name, value) in [("min-size", "x"), ("max-size", ""), ("min-ratio", "2"), ("not-html", "yes")] {
            assert!(Gates::default().set(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn a_ratio_is_a_number_from_nothing_to_all() {
        for (text, millionths) in
            [("0", 0), ("1", WHOLE), ("1.0", WHOLE), ("0.5", 500_000), ("0.0000019", 1), ("00.250", 250_000)]
        {
            assert_eq!(Ratio::parse(text), Some(Ratio { millionths }), "{text}");
        }
        for bad in
            ["", ".", ".5", "1.", "-0", "+1", "1.1", "2", "1.0000010", "0.5x", "1e0", "50%", "99999999999999999999"]
        {
            assert_eq!(Ratio::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_part_is_rounded_up_and_never_more_than_the_whole() {
        let part = |ratio, of| Ratio::parse(ratio).unwrap().part(of);
        assert_eq!([part("0.5", 0), part("0.5", 1), part("0.5", 10), part("0.9", 11)], [0, 1, 5, 10]);
        assert_eq!([part("1", u64::MAX), part("0", u64::MAX)], [u64::MAX, 0]);
    }

    #[test]
    fn what_a_job_says_goes_before_what_the_run_says() {
        let run = gates(&[("min-size", "1"), ("max-size", "2"), ("not-html", "true")]);
        let job = gates(&[("min-size", "5"), ("not-html", "false")]);
        let both = job.or(run);
        assert_eq!((both.min_size, both.max_size, both.pages), (Some(5), Some(2), Some(Pages::Taken)));
    }

    #[test]
    fn a_size_is_digits_with_a_power_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64k", 65_536),
            ("64K", 65_536),
            ("8m", 8 << 20),
            ("8M", 8 << 20),
            ("2g", 2 << 30),
            ("2G", 2 << 30),
            ("18446744073709551615", u64::MAX),
            ("17179869183G", 17_179_869_183 << 30),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for bad in [
            "",
            "k",
            "-1",
            "+1",
            "1.5k",
            "1kB",
            "1T",
            " 1",
            "1 k",
            "0x10",
            "18446744073709551616",
            "17179869184G",
            "1é",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
