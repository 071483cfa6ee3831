//! Rows and files of a run that is over → which jobs failed, or what does not fit together.

use serde_json::Value;

use crate::place::Place;
use crate::shape::{FILES, Shape, Site};

/// A job that failed by its row.
pub struct Failed {
    /// Of its file.
    pub index: usize,
    pub row: Value,
}

impl Failed {
    pub fn name(&self) -> &'static str {
        FILES[self.index].name
    }

    pub fn is_io(&self) -> bool {
        self.row["error"] == "io"
    }
}

/// Each job has to have exactly one row, and each that is ok its file; the jobs that failed.
pub fn failed(place: &Place, site: &Site, shape: &Shape) -> Result<Vec<Failed>, String> {
    let (files, rows) = (place.files(), place.rows()?);
    let mut failed = Vec::new();
    for (index, file) in FILES.iter().enumerate() {
        let url = site.url(index, shape);
        let mut of_job = rows.iter().filter(|row| row["url"] == url.as_str());
        let (Some(row), None) = (of_job.next(), of_job.next()) else {
            return Err(format!("{} has no row, or two", file.name));
        };
        let is_new = files.get(file.name) == Some(&file.new_content());
        match row["ok"] == true {
            true if is_new => {}
            true => return Err(format!("{} is ok by its row, and is not", file.name)),
            false => failed.push(Failed { index, row: row.clone() }),
        }
    }
    if rows.len() == FILES.len() { Ok(failed) } else { Err(format!("{} rows for {} jobs", rows.len(), FILES.len())) }
}
