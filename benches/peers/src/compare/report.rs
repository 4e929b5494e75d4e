//! A whole run: what was measured, and where. It can be written as JSON, and read again.

use super::Effort;
use super::figures::{Case, Summary};
use super::machine::Machine;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

/// What one run has measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// How much.
    pub effort: Effort,
    /// All cases, workload by workload.
    pub cases: Vec<Case>,
}

/// A case as it is written: with its summaries, for readers that do not compute them.
#[derive(Serialize)]
struct WithSummaries<'a> {
    #[serde(flatten)]
    case: &'a Case,
    summaries: Vec<Summary>,
}

impl Report {
    /// Writes it as JSON, with a line for each case.
    ///
    /// # Errors
    /// Those of the file.
    pub fn write(&self, file: &Path) -> Result<(), Box<dyn Error>> {
        let mut writer = BufWriter::new(File::create(file)?);
        write!(writer, "{{\"machine\":")?;
        serde_json::to_writer(&mut writer, &self.machine)?;
        write!(writer, ",\n\"effort\":")?;
        serde_json::to_writer(&mut writer, &self.effort)?;
        write!(writer, ",\n\"cases\":[")?;
        for (index, case) in self.cases.iter().enumerate() {
            write!(writer, "{}", if index == 0 { "\n" } else { ",\n" })?;
            let summaries = case.summaries().into_iter().map(Summary::rounded).collect();
            serde_json::to_writer(&mut writer, &WithSummaries { case, summaries })?;
        }
        writeln!(writer, "\n]}}")?;
        Ok(writer.flush()?)
    }

    /// Reads what [`write`](Self::write) has written.
    ///
    /// # Errors
    /// Those of the file. Also if it is no such JSON.
    pub fn read(file: &Path) -> Result<Self, Box<dyn Error>> {
        let reader = BufReader::new(File::open(file).map_err(|error| format!("{}: {error}", file.display()))?);
        Ok(serde_json::from_reader(reader).map_err(|error| format!("{}: {error}", file.display()))?)
    }

    /// The cases of a workload.
    #[must_use]
    pub fn of_workload(&self, workload: &str) -> Vec<&Case> {
        self.cases.iter().filter(|case| case.workload == workload).collect()
    }
}
