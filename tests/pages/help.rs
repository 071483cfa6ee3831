//! The text of `--help` → its parts.

/// What `--help` says.
#[derive(Debug)]
pub struct Help {
    /// Name and version.
    pub version: String,
    /// What follows the program's name in a command.
    pub usage: String,
    /// What it does, in a sentence.
    pub does: String,
    /// What stands for a URL, and what that may be.
    pub positional: (String, String),
    pub options: Vec<Opt>,
    pub examples: Vec<String>,
    pub notes: Vec<String>,
    /// Each exit status with its meaning.
    pub statuses: Vec<(String, String)>,
}

/// One option.
#[derive(Debug)]
pub struct Opt {
    /// Without its dash.
    pub short: Option<char>,
    /// With its dashes.
    pub long: String,
    pub does: String,
    /// What it takes, if it takes something.
    pub value: Option<Value>,
}

/// What an option takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Value {
    /// What stands for it.
    pub name: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Other,
}

impl Help {
    /// Takes the text apart.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn parse(help: &str, version: &str) -> Result<Self, String> {
        let mut blocks = help.split("\n\n").map(str::trim_end);
        let usage = blocks.next().and_then(|line| line.strip_prefix("Usage: smolget ")).ok_or("no usage in --help")?;
        let does = blocks.next().ok_or("no description in --help")?.replace('\n', " ");
        let blocks: Vec<_> = blocks.filter_map(|block| block.split_once(":\n")).collect();
        let block = |title: &str| {
            let found = blocks.iter().find(|(name, _)| *name == title);
            found.map(|(_, lines)| entries(lines)).ok_or_else(|| format!("no {title:?} in --help"))
        };
        let pairs = |title: &str| Ok::<Vec<_>, String>(block(title)?.iter().map(|entry| pair(entry)).collect());
        Ok(Self {
            version: version.to_owned(),
            usage: usage.to_owned(),
            does,
            positional: pairs("Positional Arguments")?.pop().ok_or("no URL in --help")?,
            options: block("Options")?.iter().map(|entry| Opt::parse(entry)).collect::<Result<_, _>>()?,
            examples: block("Examples")?,
            notes: sentences(&block("Notes")?),
            statuses: pairs("Error codes")?,
        })
    }
}

/// The entries of a block: a line that is indented further goes on with the one above.
fn entries(block: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in block.lines() {
        let indent = line.len() - line.trim_start().len();
        match entries.last_mut() {
            Some(entry) if indent > 2 => {
                entry.push(' ');
                entry.push_str(line.trim_start());
            }
            _ => entries.push(line.trim_start().to_owned()),
        }
    }
    entries
}

/// Notes are broken into lines by hand: a line that ends a sentence ends a note.
fn sentences(lines: &[String]) -> Vec<String> {
    let mut notes = vec![String::new()];
    for line in lines {
        if let Some(note) = notes.last_mut() {
            if !note.is_empty() {
                note.push(' ');
            }
            note.push_str(line);
        }
        if line.ends_with('.') {
            notes.push(String::new());
        }
    }
    notes.retain(|note| !note.is_empty());
    notes
}

/// A word, and what is said of it.
fn pair(entry: &str) -> (String, String) {
    let (word, said) = entry.split_once(' ').unwrap_or((entry, ""));
    (word.to_owned(), said.trim_start().to_owned())
}

impl Opt {
    /// Reads `-j, --jobs  run …` or `--json  print …`.
    fn parse(entry: &str) -> Result<Self, String> {
        let (first, rest) = pair(entry);
        let short = first.strip_suffix(',').and_then(|short| short.strip_prefix('-')?.chars().next());
        let (long, does) = if short.is_some() { pair(&rest) } else { (first, rest) };
        if !long.starts_with("--") || does.is_empty() {
            return Err(format!("not understood in --help: {entry:?}"));
        }
        Ok(Self { short, long, does, value: None })
    }
}

impl Value {
    /// Reads it from the usage error for an option that has no value.
    ///
    /// # Errors
    ///
    /// If the message is another one.
    pub fn parse(message: &str) -> Result<Self, String> {
        let takes = message.lines().find_map(|line| line.split_once("got no value; takes "));
        let (_, takes) = takes.ok_or_else(|| format!("not understood: {message:?}"))?;
        let known = [
            ("a file", "FILE", Kind::File),
            ("a folder", "DIR", Kind::Folder),
            ("a command", "CMD", Kind::File),
            ("a time", "T", Kind::Other),
            ("a size", "B", Kind::Other),
            ("a whole number", "N", Kind::Other),
            ("text", "S", Kind::Other),
        ];
        if let Some((_, name, kind)) = known.into_iter().find(|(start, ..)| takes.starts_with(start)) {
            return Ok(Self { name: name.to_owned(), kind });
        }
        // Others show what it looks like.
        let end = if takes.starts_with('\'') { takes.rfind('\'').map(|end| end + 1) } else { takes.find([',', ' ']) };
        Ok(Self { name: takes[..end.unwrap_or(takes.len())].to_owned(), kind: Kind::Other })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_put_together_from_their_lines() {
        assert_eq!(
            entries("  -a, --b   one\n            two\n  --c       three"),
            ["-a, --b   one two", "--c       three"]
        );
    }

    #[test]
    fn an_option_has_one_or_two_names() {
        let both = Opt::parse("-j, --jobs        run N").unwrap();
        assert_eq!((both.short, both.long.as_str(), both.does.as_str()), (Some('j'), "--jobs", "run N"));
        let one = Opt::parse("--connect-timeout allow T").unwrap();
        assert_eq!((one.short, one.long.as_str(), one.does.as_str()), (None, "--connect-timeout", "allow T"));
        assert!(Opt::parse("jobs  run N").is_err());
    }

    #[test]
    fn what_an_option_takes_is_in_its_usage_error() {
        let value = |takes| Value::parse(&format!("smolget: -x, --xx: got no value; takes {takes}\nsee …\n")).unwrap();
        assert_eq!(value("a folder"), Value { name: "DIR".to_owned(), kind: Kind::Folder });
        assert_eq!(value("a file, or - for standard input").kind, Kind::File);
        assert_eq!(value("a time above 0").name, "T");
        assert_eq!(value("'Name: value'").name, "'Name: value'");
        assert_eq!(value("HOST:PORT:ADDR, where ADDR is an IP address").name, "HOST:PORT:ADDR");
        assert!(Value::parse("smolget: something else\n").is_err());
    }

    #[test]
    fn a_note_ends_with_a_line_that_ends_a_sentence() {
        let lines = ["One. Two".to_owned(), "goes on.".to_owned(), "Three.".to_owned()];
        assert_eq!(sentences(&lines), ["One. Two goes on.", "Three."]);
    }
}
