//! [`LeaveError`]: a thread cannot leave a segment.

use super::IoError;
use std::fmt;

/// The calling thread could not leave the segment: [`Segment::detach`](crate::Segment::detach). It
/// still takes part.
#[derive(Debug)]
#[non_exhaustive]
pub enum LeaveError {
    /// At this offset of the segment, a word says that the thread holds something. Plain data that
    /// happens to have the same bits counts, too.
    StillHolding {
        /// Offset in bytes from the segment's start.
        offset: usize,
    },
    /// The operating system refused a step.
    Io(IoError),
}

impl fmt::Display for LeaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillHolding { offset } => write!(
                f,
                "this thread still holds something in the segment (the word at byte {offset} names it); release it first"
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LeaveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::StillHolding { .. } => None,
            Self::Io(error) => error.source(),
        }
    }
}

impl From<IoError> for LeaveError {
    fn from(error: IoError) -> Self {
        Self::Io(error)
    }
}
