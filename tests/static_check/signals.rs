//! The checks of signals: what was done is kept, what was not is told as interrupted, and the status says which it was.

use rustix::process::Signal;

use crate::program::Program;
use crate::reply::{Gate, Reply};
use crate::server::Server;
use crate::{Check, Verdict};

pub const CHECKS: [Check; 2] = [
    ("SIGINT", |program, _| interrupted(program, Signal::INT, 130)),
    ("SIGTERM", |program, _| interrupted(program, Signal::TERM, 143)),
];

/// Stops a run that has one job behind it, one under way and one before it.
fn interrupted(program: &Program, signal: Signal, status: i32) -> Verdict {
    let reached = Gate::new();
    let opened = reached.clone();
    let server = Server::start(move |request| match request.target.as_str() {
        "/done" => Reply::ok("done"),
        // The part of the body shows that the head is out; it can't be told when that is read.
        _ => Reply::ok("half").length(8).then_open(&opened).hold(),
    });
    let list: String = ["/done\n", "/held\n", "/next\n"].map(|path| server.url(path)).concat();
    let run = program.start(&["-i", "-", "--json", "--discard", "-j", "1"], &list)?;
    if !reached.wait(std::time::Duration::from_secs(30)) {
        return Err(format!("the second job was not reached: {}", run.finish()?.describe()));
    }
    run.signal(signal)?;
    let rows = run.finish()?.rows(status)?;
    let ends: Vec<_> = rows.iter().map(|row| row["error"].as_str().unwrap_or("ok")).collect();
    if ends == ["ok", "interrupted", "interrupted"] {
        return Ok(format!("exit status {status}"));
    }
    Err(format!("{ends:?} for one job done, one under way and one that was read"))
}
