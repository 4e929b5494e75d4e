//! [`EndError`]: no end of a channel was taken.

use super::RegisterError;
use super::register::needs_registration;
use std::fmt;

/// No end was taken.
///
/// From [`Queue::sender`](crate::Queue::sender) and [`Queue::receiver`](crate::Queue::receiver).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndError {
    /// The queue is closed. Nobody can send any more.
    Disconnected,
    /// Living processes have all ends of this side.
    Full {
        /// How many ends a side has.
        most: usize,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for EndError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str(
                "the queue is closed, by hand or because all senders or all receivers are gone; make another queue",
            ),
            Self::Full { most } => write!(
                f,
                "all {most} ends of this side of the queue are taken; clone an end within a process, or drop ends that are not used"
            ),
            Self::Register(error) => write!(f, "no end can be taken here: {error}"),
        }
    }
}

needs_registration! { EndError }
