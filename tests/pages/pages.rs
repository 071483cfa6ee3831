//! `smolget --help` → a man page, and completions for bash, zsh and fish.
//!
//! `cargo run --example pages PATH-TO-SMOLGET FOLDER`; `make pages` runs it. What `--help` does not say, which options take
//! a value and which kind of one, is asked of the program as well, so that nothing here has to be kept in step. Exit
//! status 1 if the program can't be run, prints something else than is understood here, or the folder can't be written.

mod ask;
mod help;
mod man;
mod shells;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let (Some(program), Some(folder)) = (args.next(), args.next()) else {
        eprintln!("pages: usage: pages PATH-TO-SMOLGET FOLDER");
        return ExitCode::from(2);
    };
    match write(&program, &folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pages: {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}

/// Writes all pages to the folder, under the names that the shells and man look for.
fn write(program: &Path, folder: &Path) -> Result<(), String> {
    let help = ask::ask(program)?;
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let pages = [
        ("smolget.1", man::page(&help)),
        ("smolget.bash", shells::bash(&help)),
        ("_smolget", shells::zsh(&help)),
        ("smolget.fish", shells::fish(&help)),
    ];
    for (name, text) in pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
