//! The checks of what has to be fetched: the files, byte for byte.

use std::fs;

use sha2::{Digest as _, Sha256};

use crate::program::Program;
use crate::server::Server;
use crate::site::{HOST, Site, body};
use crate::{Check, Verdict};

pub const CHECKS: [Check; 6] = [
    ("the version", version),
    ("200 URLs over http", |program, site| many(program, site, &site.http, 200)),
    ("200 URLs over TLS 1.3", |program, site| many(program, site, &site.tls13, 200)),
    ("20 URLs over TLS 1.2", |program, site| many(program, site, &site.tls12, 20)),
    ("a large file with its checksum", large),
    ("a redirect", redirect),
];

/// A file that has to be there, and whose body it has to have.
struct Wanted {
    name: String,
    body: Vec<u8>,
}

fn version(program: &Program, _: &Site) -> Verdict {
    let output = program.run(&["--version"], "")?;
    let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    let is_right = output.status.success() && said == concat!("smolget ", env!("CARGO_PKG_VERSION"));
    if is_right { Ok(said) } else { Err(format!("{said:?}, {}", output.describe())) }
}

/// So many files by the server's name, every tenth of them in chunks.
fn many(program: &Program, site: &Site, server: &Server, count: usize) -> Verdict {
    let names = (0..count).map(|n| if n % 10 == 0 { format!("{n}-chunked") } else { format!("{n}") });
    let wanted: Vec<Wanted> = names.map(|name| Wanted { body: body(&format!("/{name}")), name }).collect();
    let list: String = wanted.iter().map(|Wanted { name, .. }| server.url_as(HOST, &format!("/{name}\n"))).collect();
    fetch(program, &list, &wanted, &["--cacert", &site.roots(), "--resolve", &server.resolve(HOST)])
}

fn large(program: &Program, site: &Site) -> Verdict {
    let wanted = Wanted { name: "large".to_owned(), body: body("/large") };
    let digest: String = Sha256::digest(&wanted.body).iter().map(|byte| format!("{byte:02x}")).collect();
    fetch(program, &format!("{}\n checksum=sha-256={digest}\n", site.http.url("/large")), &[wanted], &[])
}

fn redirect(program: &Program, site: &Site) -> Verdict {
    let wanted = Wanted { name: "moved".to_owned(), body: body("/small") };
    fetch(program, &site.http.url("/moved\n"), &[wanted], &[])
}

/// Fetches the list; then exactly what is wanted has to be in the folder.
fn fetch(program: &Program, list: &str, wanted: &[Wanted], args: &[&str]) -> Verdict {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let out = folder.path().display().to_string();
    let usual = ["-i", "-", "--json", "-j", "16", "-d", &out];
    let rows = program.run(&[&usual, args].concat(), list)?.rows(0)?;
    if let Some(row) = rows.iter().find(|row| row["ok"] != true) {
        return Err(row.to_string());
    }
    let is_right = |file: &&Wanted| fs::read(folder.path().join(&file.name)).is_ok_and(|content| content == file.body);
    if let Some(file) = wanted.iter().find(|file| !is_right(file)) {
        return Err(format!("{} has not the bytes that were sent", file.name));
    }
    let there = fs::read_dir(folder.path()).map_err(|e| e.to_string())?.count();
    if (rows.len(), there) != (wanted.len(), wanted.len()) {
        return Err(format!("{} rows and {there} files for {} URLs", rows.len(), wanted.len()));
    }
    Ok(format!("{there} files"))
}
