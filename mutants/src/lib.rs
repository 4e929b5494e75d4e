//! Shows that nothing in outlive's algorithms is there in vain: each ordering, wake, fence and
//! second look in `src/raw` is weakened or taken away, one at a time, and a model that has a name
//! must fail.
//!
//! The sources are never touched. [`instrument`] writes a copy in which every mutant is present and
//! asleep; which one is awake is told by an environment variable, so that all of them cost one
//! build. [`sites`] finds the places, by general rules; what no rule can find is in `patches.toml`.
//! [`run`] tries each mutant with the model that is known to kill it (`killers.toml`), and if that
//! one does not, with all that have to do with the file.
//!
//! A mutant that changes nothing needs a proof, which stands in the source, right above the line:
//! `// EQUIVALENT(success AcqRel to Acquire): why`.

pub mod evidence;
pub mod explored;
mod finder;
pub mod instrument;
pub mod killers;
pub mod logic;
pub mod run;
pub mod sites;

use std::path::PathBuf;

/// What can go wrong on the way, told to whoever started it.
pub type Result<T> = core::result::Result<T, String>;

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The text of a file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
