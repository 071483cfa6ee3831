//! The order of calls: what `--durable` tells as ok was synced before it had its name, and its folders before it was told.
//!
//! It holds the program to that also where no disk can be mounted, to be cut off from power.

use std::path::Path;

use crate::place::Place;
use crate::shape::{FILES, File, Shape, Site};
use crate::state::NAME;
use crate::strace::{Call, Strace};
use crate::tally::Tally;

/// The steps of a file.
const TOLD: &str = "written, synced, named, its folders synced, told";
const REMEMBERED: &str = "written, synced, named, its folders synced, remembered, told";

/// Watches a run of that shape: each file is a case.
pub fn of(shape: &Shape, strace: &Strace, site: &Site, tally: &mut Tally) {
    let place = Place::new(shape.before);
    let calls = strace.watch(&place, shape, site, "fsync,rename,renameat,renameat2,splice,write,pwrite64");
    let each = FILES.iter().map(|file| {
        let verdict = in_order(&calls, &place.out(), file, shape.remembers());
        let verdict = verdict.map_err(|step| format!("{} is not {step}", file.name));
        (if shape.remembers() { REMEMBERED } else { TOLD }, verdict)
    });
    tally.rows(&format!("the order of calls: {}", shape.name), each.collect());
}

/// Each step has to be over before the next begins; the first that is missing or too early.
fn in_order(calls: &[Call], out: &Path, file: &File, is_remembered: bool) -> Result<(), &'static str> {
    let find = |name: &str, parts: &[&str], after: usize| {
        let is_it = |call: &&Call| {
            call.name.starts_with(name) && call.begun >= after && parts.iter().all(|part| call.text.contains(part))
        };
        calls.iter().find(is_it)
    };
    let path = out.join(file.name);
    let folder = path.parent().ok_or("a folder")?;
    let last = file.name.rsplit('/').next().unwrap_or(file.name);
    let shown = |folder: &Path| format!("<{}>", folder.display());

    let rename = find("rename", &[&shown(folder), &format!(", \"{last}\"")], 0).ok_or("named")?;
    let temporary = rename.text.split('"').nth(1).ok_or("named")?;
    let sync = find("fsync", &[temporary], 0).ok_or("synced")?;
    let mut writes =
        calls.iter().filter(|call| ["splice", "write"].contains(&call.name.as_str()) && call.text.contains(temporary));
    let row = find("write", &["/rows>", &format!("{}\\\"", path.display())], 0).ok_or("told")?;
    let line = format!("\\t{}\\t", file.name);
    let next = if is_remembered { find("pwrite64", &[NAME, &line], 0).ok_or("remembered")? } else { row };
    let is_synced =
        |folder: &Path| find("fsync", &[&shown(folder)], rename.ended).is_some_and(|sync| sync.ended <= next.begun);
    let mut above = folder.ancestors().take_while(|folder| folder.starts_with(out));
    match () {
        () if writes.any(|write| write.ended > sync.begun) => Err("synced after it was written"),
        () if sync.ended > rename.begun => Err("named after it was synced"),
        () if next.begun > row.begun => Err("told after it was remembered"),
        () if !above.all(is_synced) => Err("told or remembered after its folders were synced"),
        () => Ok(()),
    }
}
