//! Mutants of the logic: the changes that cargo-mutants proposes, in the same one build.
//!
//! [cargo-mutants](https://mutants.rs) finds the places and proposes the changes.
//! `.cargo/mutants.toml` excludes those that are pointless. cargo-mutants itself would need a build
//! for each of a thousand mutants. It runs only those that cannot be switched while a program runs:
//! constants, and functions that return an `impl Trait` ([`Logic::out_of_reach`]).

use crate::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A change that cargo-mutants proposes.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Given {
    /// The place and the change, in the words of cargo-mutants.
    pub name: String,
    pub(crate) genre: Genre,
    pub(crate) replacement: String,
    file: String,
    span: Span,
}

/// The kinds of mutants of cargo-mutants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub(crate) enum Genre {
    FnValue,
    BinaryOperator,
    UnaryOperator,
    MatchArm,
    MatchArmGuard,
    StructField,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
struct Span {
    start: Position,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

/// All changes that cargo-mutants proposes for `src/raw`, except those known not to build.
#[derive(Debug, Default)]
pub struct Logic {
    given: Vec<Given>,
    unviable: BTreeSet<(String, String)>,
}

impl Logic {
    /// Asks cargo-mutants for its changes.
    ///
    /// # Errors
    /// It is not installed, or its version prints another format.
    pub fn ask(root: &Path) -> Result<Self> {
        let mut command = Command::new("cargo");
        let output = command.args(["mutants", "--list", "--json"]).current_dir(root).output();
        let output = output.map_err(|error| format!("cargo: {error}"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cargo-mutants is needed (`cargo install cargo-mutants --locked`):\n{errors}"));
        }
        let mut given: Vec<Given> =
            serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo mutants --list: {error}"))?;
        // It lists a change once for each target that the file belongs to.
        let mut names = BTreeSet::new();
        given.retain(|given| names.insert(given.name.clone()));
        Ok(Self { given, unviable: BTreeSet::new() })
    }

    /// These changes, in the form of cargo-mutants.
    #[cfg(test)]
    pub(crate) fn of_json(given: serde_json::Value) -> Self {
        Self { given: serde_json::from_value(given).expect("changes"), unviable: BTreeSet::new() }
    }

    /// The changes in this file, by line (counted from 1) and column (counted from 0).
    pub(crate) fn of(&self, file: &str) -> BTreeMap<(usize, usize), Vec<&Given>> {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        for given in self.given.iter().filter(|given| given.file == format!("src/raw/{file}.rs")) {
            places.entry((given.span.start.line, given.span.start.column - 1)).or_default().push(given);
        }
        places
    }

    /// Excludes these mutants, given by file and key.
    pub fn forget(&mut self, unviable: impl IntoIterator<Item = (String, String)>) {
        self.unviable.extend(unviable);
    }

    pub(crate) fn is_viable(&self, file: &str, key: &str) -> bool {
        !self.unviable.contains(&(file.to_owned(), key.to_owned()))
    }

    /// Whether there are no changes: cargo-mutants was not asked, or found none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The number of mutants that do not build.
    #[must_use]
    pub fn unviable(&self) -> usize {
        self.unviable.len()
    }

    /// The names of all changes that are not in `reached`. cargo-mutants itself has to try them.
    #[must_use]
    pub fn out_of_reach(&self, reached: &BTreeSet<String>) -> Vec<String> {
        self.given.iter().map(|given| &given.name).filter(|name| !reached.contains(*name)).cloned().collect()
    }
}
