//! [`LocationError`] and [`RemoveError`]: what can be wrong with the place of a segment.

use super::IoError;
use super::register::Unsupported;
use std::fmt;
use std::path::PathBuf;

/// A [`Location`](crate::Location) where no segment can be.
#[derive(Debug)]
#[non_exhaustive]
pub enum LocationError {
    /// No segment can have this name.
    InvalidName(String),
    /// No file can have this path.
    InvalidPath(PathBuf),
    /// Other users could change the directory of
    /// [`Location::persistent`](crate::Location::persistent).
    UntrustedDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// `/dev/shm` is not in memory.
    Unsupported(String),
    /// The operating system refused a step.
    Io(IoError),
}

impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidName(name) => write!(
                f,
                "{name:?} cannot name a segment; use 1 to 200 bytes without '/' or NUL, and not beginning with '.'"
            ),
            Self::InvalidPath(path) => write!(
                f,
                "{path:?} cannot be a segment's file; give a path that ends in a file name of at most 255 bytes, without NUL"
            ),
            Self::UntrustedDirectory { path, found } => write!(
                f,
                "{} must be a directory of this user's with mode 0700, but it {found}; put that right, or use Location::file",
                path.display()
            ),
            Self::Unsupported(what) => f.write_str(what),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LocationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<IoError> for LocationError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

impl From<Unsupported> for LocationError {
    fn from(Unsupported(what): Unsupported) -> Self {
        Self::Unsupported(what)
    }
}

/// A segment's name was not removed: [`Segment::remove`](crate::Segment::remove).
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoveError {
    /// There is no segment of that name.
    NotFound(PathBuf),
    /// No segment can be there.
    Location(LocationError),
    /// The operating system refused a step.
    Io(IoError),
}

impl fmt::Display for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path) => write!(f, "there is no segment {} to remove; check the name", path.display()),
            Self::Location(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RemoveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound(_) => None,
            Self::Location(error) => error.source(),
            Self::Io(error) => error.source(),
        }
    }
}

impl From<LocationError> for RemoveError {
    fn from(error: LocationError) -> Self {
        Self::Location(error)
    }
}

impl From<IoError> for RemoveError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}
