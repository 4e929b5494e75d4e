//! [`ProcessExitError`]: the end of a process cannot be waited for.

use super::{IoError, OpenError, Unsupported};
use std::fmt;

/// The end of a process cannot be waited for.
///
/// ```
/// use outlive::{ProcessExit, ProcessExitError};
///
/// let mut child = std::process::Command::new("true").spawn()?;
/// child.wait()?;
/// let gone = ProcessExit::of(child.id());
/// assert!(matches!(gone, Err(ProcessExitError::NotFound { .. })));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessExitError {
    /// There is no such process.
    NotFound {
        /// Its id, as it was given.
        process_id: u32,
    },
    /// The kernel has no pidfds.
    Unsupported,
    /// There is no memory for the event that stands for the end.
    Open(OpenError),
    /// The operating system refused a step.
    Io(IoError),
}

impl fmt::Display for ProcessExitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { process_id } => write!(
                f,
                "there is no process {process_id}, or it has ended and was waited for; watch a child before you wait for it"
            ),
            Self::Unsupported => f.write_str(
                "this kernel has no pidfds, by which the end of a process is noticed; Linux 5.3 or later has them",
            ),
            Self::Open(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProcessExitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<OpenError> for ProcessExitError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<Unsupported> for ProcessExitError {
    fn from(unsupported: Unsupported) -> Self {
        Self::Open(unsupported.into())
    }
}

impl From<IoError> for ProcessExitError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}
