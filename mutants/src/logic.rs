//! The logic: what cargo-mutants would change, in the same one build.
//!
//! [cargo-mutants](https://mutants.rs) finds the places and thinks of the changes;
//! `.cargo/mutants.toml` tells it which are in vain. It would build anew for each of a thousand.
//! What cannot be switched while a program runs (constants, functions that return an `impl Trait`)
//! is left to it: [`Logic::out_of_reach`].

use crate::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What cargo-mutants would do.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Given {
    /// Where, and what, in its own words.
    pub name: String,
    pub(crate) genre: Genre,
    pub(crate) replacement: String,
    file: String,
    span: Span,
}

/// Its words for the kinds of mutants.
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

/// All that it would do to `src/raw`, without what is known not to build.
#[derive(Debug, Default)]
pub struct Logic {
    given: Vec<Given>,
    unviable: BTreeSet<(String, String)>,
}

impl Logic {
    /// Asks it.
    ///
    /// # Errors
    /// It is not installed, or is of a version that speaks otherwise.
    pub fn ask(root: &Path) -> Result<Self> {
        let mut command = Command::new("cargo");
        let output = command.args(["mutants", "--list", "--json"]).current_dir(root).output();
        let output = output.map_err(|error| format!("cargo: {error}"))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cargo-mutants is needed (`cargo install cargo-mutants --locked`):\n{told}"));
        }
        let given = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo mutants --list: {error}"))?;
        Ok(Self { given, unviable: BTreeSet::new() })
    }

    /// What it would do to this file, by line (from 1 on) and column (from 0 on).
    pub(crate) fn of(&self, file: &str) -> BTreeMap<(usize, usize), Vec<&Given>> {
        let mut places = BTreeMap::<_, Vec<_>>::new();
        for given in self.given.iter().filter(|given| given.file == format!("src/raw/{file}.rs")) {
            places.entry((given.span.start.line, given.span.start.column - 1)).or_default().push(given);
        }
        places
    }

    /// From now on these do not exist: file and key.
    pub fn forget(&mut self, unviable: impl IntoIterator<Item = (String, String)>) {
        self.unviable.extend(unviable);
    }

    pub(crate) fn is_viable(&self, file: &str, key: &str) -> bool {
        !self.unviable.contains(&(file.to_owned(), key.to_owned()))
    }

    /// Whether it was not asked, or has found nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// How many do not build.
    #[must_use]
    pub fn unviable(&self) -> usize {
        self.unviable.len()
    }

    /// Those which are not among these, by their names: cargo-mutants itself has to try them.
    #[must_use]
    pub fn out_of_reach(&self, reached: &BTreeSet<String>) -> Vec<String> {
        self.given.iter().map(|given| &given.name).filter(|name| !reached.contains(*name)).cloned().collect()
    }
}
