//! Bodies → files, memory or nothing.
//!
//! ```text
//! job ─▶ Folder::claim ─▶ Name ─▶ Sink ─▶ bytes in memory ─▶ (large: a file, not yet under its name) ─┬▶ finish ─▶ Complete
//!                                                                                                    └▶ discard
//! ```
//!
//! A [`Folder`] is the output directory: it gives every job of a run a name of its own. A [`Sink`] takes the body of one
//! attempt and leaves either the whole of it or nothing. Everything that touches the disk runs on the disk's own threads, and
//! is reached through directory descriptors, so that no symbolic link below the directory is passed through.

mod compare;
mod folder;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod held;
mod known;
mod name;
mod partial;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "no_pipe.rs")]
mod pipe;
mod places;
mod record;
mod sink;
mod spool;
mod state;
mod temporary;
mod used;
mod written;

pub(crate) use compare::Comparison;
pub(crate) use folder::{Folder, Rules};
pub(crate) use held::Held;
pub(crate) use known::Known;
pub(crate) use name::Name;
pub(crate) use partial::{Origin, Rest};
pub(crate) use record::{Note, Source, Validators};
pub(crate) use sink::{Saving, Sink};
pub(crate) use spool::Leftover;
pub(crate) use written::{Complete, Uncommitted, Written, commit, sync};
