//! A program → what it says of itself, when it is asked.

use std::io;
use std::path::Path;
use std::process::{Command, Output};

use crate::help::{Help, Value};

/// What the program says of itself.
///
/// # Errors
///
/// If it can't be run, or what it prints is not understood.
pub fn ask(program: &Path) -> Result<Help, String> {
    let run = |args: &[&str]| run(program, args).map_err(|e| format!("{e}; build it first, or say where it is"));
    let version = text(run(&["--version"])?.stdout)?;
    let mut help = Help::parse(&text(run(&["--help"])?.stdout)?, version.trim_end())?;
    for option in &mut help.options {
        // With a value it can't be used, if it takes none; without, if it takes one. Neither comes to fetch anything.
        let with_value = run(&["--help", &format!("{}=x", option.long)])?;
        if with_value.status.success() {
            option.value = Some(Value::parse(&text(run(&[&option.long])?.stderr)?)?);
        }
    }
    Ok(help)
}

fn run(program: &Path, args: &[&str]) -> io::Result<Output> {
    Command::new(program).args(args).output()
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "it printed what is not UTF-8".to_owned())
}
