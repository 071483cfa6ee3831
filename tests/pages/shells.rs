//! The parts of `--help` → completions for bash, zsh and fish.

use crate::help::{Help, Kind, Opt};

/// For bash: a file for bash-completion, which also works by itself.
pub fn bash(help: &Help) -> String {
    let names = |kind| {
        let taking = help.options.iter().filter(move |option| option.value.as_ref().map(|value| value.kind) == kind);
        taking.flat_map(spellings).collect::<Vec<_>>()
    };
    let all: Vec<_> = help.options.iter().flat_map(spellings).collect();
    let (files, folders, others) = (names(Some(Kind::File)), names(Some(Kind::Folder)), names(Some(Kind::Other)));
    format!(
        r#"# Completions of smolget for bash.
_smolget() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=()
    case $before in
        {files}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        {folders}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word"); return ;;
        {others}) return ;;
    esac
    case $word in
        -*) mapfile -t COMPREPLY < <(compgen -W '{all}' -- "$word") ;;
    esac
}}
complete -F _smolget smolget
"#,
        files = files.join("|"),
        folders = folders.join("|"),
        others = others.join("|"),
        all = all.join(" "),
    )
}

/// For zsh: a file that is found as `_smolget` in a folder of `fpath`.
pub fn zsh(help: &Help) -> String {
    let mut text = "#compdef smolget\n# Completions of smolget for zsh.\n_arguments -s -S \\\n".to_owned();
    for option in &help.options {
        let does = quoted(&option.does.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]"));
        let value = option.value.as_ref().map_or_else(String::new, |value| {
            let action = match value.kind {
                Kind::File => "_files",
                Kind::Folder => "_files -/",
                Kind::Other => " ",
            };
            format!(":{}:{action}", quoted(&value.name.replace(':', "\\:")))
        });
        for spelling in spellings(option) {
            let joined = match (&option.value, spelling.starts_with("--")) {
                (None, _) => "",
                (Some(_), true) => "=",
                (Some(_), false) => "+",
            };
            text += &format!("  '*{spelling}{joined}[{does}]{value}' \\\n");
        }
    }
    text + "  '*:URL:_urls'\n"
}

/// For fish: a file of a folder of `fish_complete_path`.
pub fn fish(help: &Help) -> String {
    let mut text = "# Completions of smolget for fish.\ncomplete -c smolget -f\n".to_owned();
    for option in &help.options {
        let short = option.short.map_or_else(String::new, |short| format!(" -s {short}"));
        let value = match option.value.as_ref().map(|value| value.kind) {
            None => "",
            Some(Kind::File) => " -rF",
            Some(Kind::Folder) => " -xa '(__fish_complete_directories)'",
            Some(Kind::Other) => " -x",
        };
        let (long, does) =
            (option.long.trim_start_matches('-'), option.does.replace('\\', "\\\\").replace('\'', "\\'"));
        text += &format!("complete -c smolget{short} -l {long}{value} -d '{does}'\n");
    }
    text
}

/// `-j` and `--jobs`, or `--json` alone.
fn spellings(option: &Opt) -> Vec<String> {
    option.short.map(|short| format!("-{short}")).into_iter().chain([option.long.clone()]).collect()
}

/// Text for within single quotes, where nothing stands for a single quote.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}
