//! [`ReadyFdError`]: a source has no descriptor that becomes readable.

use super::{IoError, RegisterError};
use std::fmt;

/// A source has no descriptor that becomes readable:
/// [`WaitSource::descriptor`](crate::WaitSource::descriptor).
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadyFdError {
    /// The kernel gave no descriptor, or did not read it.
    Io(IoError),
    /// A thread cannot be registered as a participant of the segment: the caller, or the thread
    /// that sleeps for the descriptors of this process.
    Register(RegisterError),
    /// The descriptor belongs to the process that forked this one. Make another one from the
    /// source.
    OfAnotherProcess,
}

impl fmt::Display for ReadyFdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Register(error) => write!(f, "the source cannot be waited for here: {error}"),
            Self::OfAnotherProcess => f.write_str(
                "this descriptor belongs to the process that forked this one: make another one from the source",
            ),
        }
    }
}

impl std::error::Error for ReadyFdError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Register(error) => Some(error),
            Self::OfAnotherProcess => None,
        }
    }
}

impl From<IoError> for ReadyFdError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}

impl From<RegisterError> for ReadyFdError {
    fn from(error: RegisterError) -> Self {
        Self::Register(error)
    }
}
