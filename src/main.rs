//! The `smolget` command: arguments → a run → an exit status.

mod cli;

use std::env;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use cli::args::{self, Asked};
use cli::console::Console;
use cli::failure::Failure;
use cli::options::Options;
use cli::{descriptors, logging, report, run};

fn main() -> ExitCode {
    let console = Console::stderr();
    let status = smolget(&console).unwrap_or_else(|failure| {
        // A standard error that can't be written to leaves the exit status to tell it.
        let _ = console.say(&failure.to_string());
        failure.status()
    });
    ExitCode::from(status)
}

fn smolget(console: &Console) -> Result<u8, Failure> {
    let options = match asked()? {
        Asked::Run(options) => options,
        Asked::Text(text) => return report::print(&text),
    };
    logging::start(options.verbosity, console.clone());
    descriptors::suffice()?;
    smolget::block_on(Box::pin(run::run(*options, console)))
}

/// What the command line asks for. Not inlined: a run takes those pages of the stack again that this took.
#[inline(never)]
fn asked() -> Result<Asked<Options>, Failure> {
    Ok(match args::parse(env::args_os().skip(1))? {
        Asked::Run(args) => {
            Asked::Run(Box::new(Options::new(*args, io::stdin().is_terminal(), |name| env::var_os(name))?))
        }
        Asked::Text(text) => Asked::Text(text),
    })
}
