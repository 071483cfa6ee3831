//! The parts of `--help` → a man page, in the macros of man(7).

use crate::help::{Help, Opt};

/// The page, for section 1.
pub fn page(help: &Help) -> String {
    let mut page = format!(".TH SMOLGET 1 \"\" \"{}\" \"User Commands\"\n", escape(&help.version));
    let does = help.does.trim_end_matches('.');
    page += &format!(".SH NAME\nsmolget \\- {}\n", escape(&lower_first(does)));
    page += &format!(".SH SYNOPSIS\n.B smolget\n{}\n", escape(&help.usage));
    page += &format!(".SH DESCRIPTION\n{}\n", escape(&help.does));
    for note in &help.notes {
        page += &format!(".PP\n{}\n", escape(note));
    }
    let (url, what) = &help.positional;
    page += &format!(".SH OPTIONS\n.TP\n.I {}\n{}\n", escape(url), escape(what));
    page.extend(help.options.iter().map(option));
    page += ".SH EXIT STATUS\n";
    page.extend(help.statuses.iter().map(|(status, meaning)| format!(".TP\n.B {status}\n{}\n", escape(meaning))));
    page += ".SH EXAMPLES\n.EX\n";
    page.extend(help.examples.iter().map(|example| format!("{}\n", escape(example))));
    page += ".EE\n";
    page
}

fn option(option: &Opt) -> String {
    let long = format!("\\fB{}\\fR", escape(&option.long));
    let names = option.short.map_or_else(|| long.clone(), |short| format!("\\fB\\-{short}\\fR, {long}"));
    let value = option.value.as_ref().map_or_else(String::new, |value| format!(" \\fI{}\\fR", escape(&value.name)));
    format!(".TP\n{names}{value}\n{}\n", escape(&option.does))
}

/// Text that stands for itself: no dash becomes a hyphen, and no line a request.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if escaped.starts_with('.') { format!("\\&{escaped}") } else { escaped }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_text_is_taken_for_a_request() {
        assert_eq!(escape(".x 'a\\b' --c"), "\\&.x \\(aqa\\eb\\(aq \\-\\-c");
        assert_eq!(escape("'x"), "\\(aqx");
    }
}
