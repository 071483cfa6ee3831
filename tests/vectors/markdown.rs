//! llhttp's folder of Markdown files → its cases.
//!
//! A case is a heading and, below it, a comment `<!-- meta={…} -->`, a block `http` with the bytes, in which some are
//! written as escapes, and a block `log` with what llhttp makes of them. What can't be read is an error: a case that is
//! passed over without a word would look like one that passed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::verdict::Verdict;

/// A response and what llhttp makes of it.
pub struct Case {
    /// The file's name and the heading.
    pub name: String,
    pub strictness: Strictness,
    /// Whether the request is HEAD.
    pub is_head: bool,
    pub input: Vec<u8>,
    /// llhttp's, with the leniency that the case asks for.
    pub verdict: Verdict,
}

/// What llhttp was told to let pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    Strict,
    /// What comes after the response; the response itself is held to the rules.
    LenientBehind,
    /// Something in the response: the case shows what a strict reader has to refuse.
    Lenient,
}

/// Every case of every file of the folder, in the order of their names.
pub fn cases(folder: &Path) -> Result<Vec<Case>, String> {
    let listing = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = listing.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    let mut cases = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file = path.file_stem().unwrap_or_default().to_string_lossy();
        cases.extend(cases_of(&file, &text)?);
    }
    if cases.is_empty() { Err(format!("{}: no case is there", folder.display())) } else { Ok(cases) }
}

fn cases_of(file: &str, text: &str) -> Result<Vec<Case>, String> {
    let (mut cases, mut name, mut meta, mut input) = (Vec::new(), String::new(), None, None);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix('#') {
            name = format!("{file}: {}", heading.trim_start_matches('#').trim());
        } else if let Some(json) = line.strip_prefix("<!-- meta=") {
            meta = Some(json.trim_end().trim_end_matches("-->").to_owned());
        } else if line == "```http" {
            input = Some(block(&mut lines));
        } else if line == "```log" {
            let (Some(meta), Some(input)) = (meta.take(), input.take()) else {
                return Err(format!("{name}: a log without a case"));
            };
            cases.push(case(&name, &meta, &input, &block(&mut lines)).map_err(|why| format!("{name}: {why}"))?);
        }
    }
    let blocks = text.lines().filter(|line| *line == "```http").count();
    if cases.len() == blocks { Ok(cases) } else { Err(format!("{file}: {} cases in {blocks} blocks", cases.len())) }
}

/// The lines to the end of the block; the last one keeps no line end.
fn block<'a>(lines: &mut impl Iterator<Item = &'a str>) -> String {
    lines.take_while(|line| *line != "```").collect::<Vec<_>>().join("\n")
}

fn case(name: &str, meta: &str, input: &str, log: &str) -> Result<Case, String> {
    let meta: Value = serde_json::from_str(meta).map_err(|e| format!("{meta}: {e}"))?;
    let input = unescape(input)?;
    Ok(Case {
        name: name.to_owned(),
        strictness: strictness(&meta)?,
        is_head: meta["skipBody"] == true,
        verdict: Verdict::of(log, &input)?,
        input,
    })
}

fn strictness(meta: &Value) -> Result<Strictness, String> {
    match meta["type"].as_str() {
        // `finish` differs in that llhttp was told of the connection's end.
        Some("response" | "response-finish") => Ok(Strictness::Strict),
        Some("response-lenient-keep-alive" | "response-lenient-data-after-close") => Ok(Strictness::LenientBehind),
        Some(kind) if kind.starts_with("response-lenient-") => Ok(Strictness::Lenient),
        _ => Err(format!("a type that is not known here: {meta}")),
    }
}

/// The bytes of a block: a line end stands for CR LF, none where a backslash precedes it; the other escapes are C's.
fn unescape(block: &str) -> Result<Vec<u8>, String> {
    if block.contains("${") || block.contains("\\x") {
        return Err("has escapes that are not known here".to_owned());
    }
    let lines = block.replace("\\\n", "").replace('\n', "\r\n");
    let text = lines.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t").replace("\\f", "\x0c");
    Ok(text.into_bytes())
}
