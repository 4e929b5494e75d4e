//! Mutation testing. The question answered here: is each ordering, wake, fence and second check in
//! `src/raw` needed? Each is weakened or removed, one at a time. A mutant is the algorithm with one
//! such change. A named model must then fail, and so kill the mutant.
//!
//! The sources are never touched. [`instrument`] writes a copy that contains every mutant, all of
//! them inactive. An environment variable activates one, so that all mutants need only one build.
//! [`sites`] finds the places by general rules. Places that no rule finds are in `patches.toml`.
//! [`run`] tries each mutant with the model that is known to kill it (`killers.toml`). If that
//! model does not fail, it tries all models that concern the file.
//!
//! A mutant may change nothing that can be observed. Then the source has a proof of that, directly
//! above the line: `// EQUIVALENT(success AcqRel to Acquire): why`.

pub mod evidence;
pub mod explored;
mod finder;
pub mod instrument;
pub mod killers;
pub mod logic;
pub mod run;
pub mod sites;

use std::path::PathBuf;

/// An error is a message for the person who started the run.
pub type Result<T> = core::result::Result<T, String>;

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The text of a file.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
