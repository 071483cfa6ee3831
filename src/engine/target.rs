//! A job → the file that it is to become, and what is there under its name.

use super::leash::Leash;
use super::run::Run;
use crate::error::Error;
use crate::job::Job;
use crate::output::{Folder, Name};

/// The file that a job is to become.
#[derive(Debug)]
pub(super) struct Target {
    pub name: Name,
    /// The length of the file that is there, if there is one and it matters.
    pub previous: Option<u64>,
}

impl Target {
    /// Looks at what is there as far as it matters to the job.
    pub async fn new(run: &Run, job: &Job, name: Name, leash: &mut Leash, folder: &Folder) -> Result<Self, Error> {
        let previous = match job.own_gates().or(run.config.gates).min_ratio {
            Some(_) => leash.hold(folder.length(&name)).await??,
            None => None,
        };
        Ok(Self { name, previous })
    }
}
