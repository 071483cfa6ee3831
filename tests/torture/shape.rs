//! The shapes of runs: which files are fetched in which way, with which options, over what.

use crate::reply::Reply;
use crate::server::{Request, Server};
use std::time::Duration;

/// One way to run the binary on the list of all [`FILES`].
pub struct Shape {
    pub name: &'static str,
    pub options: &'static [&'static str],
    pub before: Before,
    /// What the targets begin with, so what the server does first.
    route: &'static str,
}

/// What lies in the folder when the run starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// Another file under each name.
    Old,
    /// What a killed run left: every second file, and temporaries.
    Half,
}

const FRESH: Shape = Shape { name: "fresh", options: &[], before: Before::Nothing, route: "body" };

/// What has to outlive a power cut.
pub const DURABLE: Shape = Shape { name: "durable", options: &["--durable"], before: Before::Old, ..FRESH };

/// What is remembered of each file, and may never be ahead of it.
pub const SYNC: Shape = Shape { name: "sync", options: &["--sync"], before: Before::Old, ..FRESH };

/// What changes how a file comes about belongs here, a line each.
pub const SHAPES: &[Shape] = &[
    FRESH,
    Shape { name: "replaced", before: Before::Old, ..FRESH },
    Shape { name: "resumed", options: &["--skip-existing"], before: Before::Half, ..FRESH },
    Shape { name: "redirected", route: "moved", ..FRESH },
    DURABLE,
    Shape { name: "resumed, durable", options: &["--skip-existing", "--durable"], before: Before::Half, ..FRESH },
    SYNC,
    Shape { name: "continue", options: &["-c"], ..FRESH },
    Shape { name: "sync, continue", options: &["--sync", "-c"], before: Before::Old, ..FRESH },
    // Every second file is there, and the same.
    Shape { name: "sync, compared", options: &["--sync"], before: Before::Half, ..FRESH },
];

impl Shape {
    /// Whether what is known of a file is remembered for the next run.
    pub fn remembers(&self) -> bool {
        self.options.contains(&"--sync")
    }

    /// Whether what was cut is left for the next run to go on with.
    pub fn goes_on(&self) -> bool {
        self.options.contains(&"-c")
    }
}

/// A file of the list. Each lies in a folder of its own, so that a path tells which job a call is about.
pub struct File {
    pub name: &'static str,
    size: usize,
    chunked: bool,
}

/// A body of at most 64 KiB is written at once, a longer one as it comes.
pub const FILES: [File; 7] = [
    File { name: "empty", size: 0, chunked: false },
    File { name: "small/counted", size: 1024, chunked: false },
    File { name: "large/counted", size: 200_000, chunked: false },
    File { name: "bits/chunked", size: 1025, chunked: true },
    File { name: "piece/counted", size: 64 << 10, chunked: false },
    File { name: "over/counted", size: (64 << 10) + 1, chunked: false },
    File { name: "far/down/chunked", size: 200_001, chunked: true },
];

impl File {
    /// The folders of the list, without the one that all are in.
    pub fn folder(&self) -> Option<&'static str> {
        self.name.rsplit_once('/').map(|(folder, _)| folder)
    }

    pub fn new_content(&self) -> Vec<u8> {
        (0..self.size).map(|n| (n % 251) as u8 ^ self.name.as_bytes()[0]).collect()
    }

    /// Shorter or longer than the new content, and nowhere the same.
    pub fn old_content(&self) -> Vec<u8> {
        let size = if self.size > 100_000 { self.size / 2 } else { self.size + 1000 };
        (0..size).map(|n| !((n % 251) as u8 ^ self.name.as_bytes()[0])).collect()
    }
}

/// A server for each file, so that a port tells which job a call is about.
pub struct Site(Vec<Server>);

impl Site {
    pub fn open() -> Self {
        Self(FILES.iter().map(|_| Server::start(answer)).collect())
    }

    /// The port of a file's server.
    pub fn port(&self, index: usize) -> u16 {
        self.0[index].port()
    }

    pub fn url(&self, index: usize, shape: &Shape) -> String {
        self.0[index].url(&format!("/{}/{index}", shape.route))
    }

    /// The list of all files.
    pub fn list(&self, shape: &Shape) -> String {
        let job = |(index, file): (usize, &File)| format!("{}\n out={}\n", self.url(index, shape), file.name);
        FILES.iter().enumerate().map(job).collect()
    }
}

fn answer(request: &Request) -> Reply {
    let (route, index) = request.target[1..].split_once('/').expect("a target is a route and a file");
    if route == "moved" {
        return Reply::redirect(302, format!("/body/{index}"));
    }
    let file = &FILES[index.parse::<usize>().expect("files are numbered")];
    let etag = format!("\"{index}\"");
    if request.field("If-None-Match") == Some(&etag) {
        return Reply::status(304).field("ETag", etag);
    }
    let mut body = file.new_content();
    if let Some(first) = request.field("Range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')) {
        assert_eq!(request.field("If-Range"), Some(etag.as_str()), "only the rest of the same is asked for");
        let first = first.parse::<usize>().expect("a place is a number");
        if first >= file.size {
            return Reply::status(416).field("Content-Range", format!("bytes */{}", file.size));
        }
        let range = format!("bytes {first}-{}/{}", file.size - 1, file.size);
        return Reply::status(206).body(&body[first..]).field("ETag", etag).field("Content-Range", range);
    }
    if file.chunked {
        return Reply::ok(body).field("ETag", etag).chunked(30_000);
    }
    // Not all at once, so that a run has a middle.
    let rest = body.split_off(file.size / 2);
    Reply::ok(body).field("ETag", etag).length(file.size as u64).then_pause(Duration::from_millis(2)).then(rest)
}
