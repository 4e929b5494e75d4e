//! [`IoError`]: the operating system refused a step.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The operating system refused a step of an operation.
///
/// [`source`](std::error::Error::source) gives what the system said.
#[derive(Debug)]
#[non_exhaustive]
pub struct IoError {
    /// The step, as it reads behind "cannot".
    pub doing: &'static str,
    /// The file that the step was about, if that file has a name.
    pub path: Option<PathBuf>,
    /// What the system said.
    pub source: io::Error,
}

impl IoError {
    pub(crate) fn new(doing: &'static str, path: Option<&Path>, source: impl Into<io::Error>) -> Self {
        Self { doing, path: path.map(Into::into), source: source.into() }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, path, source } = self;
        match path {
            Some(path) => write!(f, "cannot {doing} {}: {source}", path.display()),
            None => write!(f, "cannot {doing}: {source}"),
        }
    }
}

impl std::error::Error for IoError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
