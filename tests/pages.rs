//! The man page and the completions that `make pages` makes: of this program, and whole.

#![cfg(feature = "cli")]

#[path = "pages/ask.rs"]
mod ask;
#[path = "pages/help.rs"]
mod help;
#[path = "pages/man.rs"]
mod man;
#[path = "pages/shells.rs"]
mod shells;

use std::path::Path;

use help::{Help, Kind};

fn asked() -> Help {
    ask::ask(Path::new(env!("CARGO_BIN_EXE_smolget"))).unwrap()
}

#[test]
fn every_option_is_on_every_page() {
    let help = asked();
    let pages = [man::page(&help).replace("\\-", "-"), shells::bash(&help), shells::zsh(&help), shells::fish(&help)];
    for option in &help.options {
        let name = option.long.trim_start_matches('-');
        for page in &pages {
            assert!(page.contains(name), "{name} is missing in {page}");
        }
    }
    assert!(help.options.len() > 25, "{:?}", help.options);
}

#[test]
fn what_an_option_takes_is_what_the_program_takes() {
    let help = asked();
    let value = |long: &str| help.options.iter().find(|option| option.long == long).unwrap().value.as_ref();
    assert_eq!(value("--input").map(|value| (value.name.as_str(), value.kind)), Some(("FILE", Kind::File)));
    assert_eq!(value("--dir").map(|value| (value.name.as_str(), value.kind)), Some(("DIR", Kind::Folder)));
    assert_eq!(value("--jobs").map(|value| value.name.as_str()), Some("N"));
    assert_eq!(value("--header").map(|value| value.name.as_str()), Some("'Name: value'"));
    for switch in ["--json", "--help", "--quiet"] {
        assert_eq!(value(switch), None, "{switch}");
    }
}

#[test]
fn the_man_page_has_what_else_the_help_says() {
    let page = man::page(&asked());
    for part in [
        ".SH NAME\nsmolget \\- fetch a list of URLs",
        ".TP\n.B 143\nstopped by SIGTERM\n",
        ".TP\n\\fB\\-j\\fR, \\fB\\-\\-jobs\\fR \\fIN\\fR\nrun N transfers at once",
        "\nsmolget \\-d out https://",
        "\nSMOLGET_LOG takes a filter",
    ] {
        assert!(page.contains(part), "{part:?} is missing in {page}");
    }
}
