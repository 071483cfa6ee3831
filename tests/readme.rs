//! README.md says what the program does; here it is held to that.
//!
//! Its Rust code is compiled as a test of the documentation; see `src/lib.rs`.

#![cfg(feature = "cli")]

mod support;

use support::smolget;

const README: &str = include_str!("../README.md");

/// The code blocks of that language.
fn blocks(language: &str) -> Vec<&'static str> {
    let open = format!("\n```{language}\n");
    README.split(&open).skip(1).map(|rest| rest.split("```\n").next().unwrap()).collect()
}

fn help() -> String {
    String::from_utf8(smolget().arg("--help").run().exits(0).stdout).unwrap()
}

/// The options in a text: words that start with a dash, without their values.
fn options(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| word.starts_with('-'));
    words.map(|word| word.split('=').next().unwrap()).collect()
}

#[test]
fn the_help_in_the_readme_is_what_the_program_prints() {
    let help = help();
    let shown: Vec<_> = blocks("text").into_iter().filter(|block| block.starts_with("Usage: smolget ")).collect();
    assert_eq!(shown, [help]);
}

#[test]
fn every_option_in_the_recipes_is_one_that_the_program_has() {
    let help = help();
    let has = options(&help);
    let commands: Vec<_> = blocks("sh")
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| Some(line.split_once("smolget ")?.1.split(" | ").next().unwrap()))
        .collect();
    let used: Vec<_> = commands.iter().flat_map(|command| options(command)).collect();
    assert!(used.len() > 20, "{commands:?}");
    for option in used {
        assert!(has.contains(&option), "{option} is not in --help");
    }
}

#[test]
fn the_exit_statuses_in_the_readme_are_those_in_the_help() {
    let help = help();
    let (_, ends) = help.split_once("Error codes:\n").unwrap();
    let told: Vec<_> = ends.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let (_, table) = README.split_once("| status | meaning |\n|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| !line.is_empty());
    let shown: Vec<_> = rows.flat_map(|row| row.split('|').nth(1).unwrap().split(',').map(str::trim)).collect();
    assert_eq!(shown, told);
}
