//! [`UnfinishedError`], [`UnfinishedTimeoutError`]: tasks were not finished.

use super::RegisterError;
use super::register::needs_registration;
use std::fmt;

const INTERRUPTED: &str =
    "tasks were still to be done when this thread was interrupted; see to the signal, then wait again or give up";

/// Tasks were still to be done, however long the caller waited:
/// [`TaskQueue::join`](crate::TaskQueue::join).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnfinishedError {
    /// Tasks were still to be done when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for UnfinishedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// Tasks were still to be done at the deadline:
/// [`TaskQueue::join_timeout`](crate::TaskQueue::join_timeout),
/// [`TaskQueue::join_deadline`](crate::TaskQueue::join_deadline).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnfinishedTimeoutError {
    /// Tasks were still to be done at the deadline.
    TimedOut,
    /// Tasks were still to be done when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for UnfinishedTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("tasks were still to be done at the deadline; wait longer, or give up"),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// What a wait without a deadline can give, one with a deadline can give, too.
impl From<UnfinishedError> for UnfinishedTimeoutError {
    fn from(error: UnfinishedError) -> Self {
        match error {
            UnfinishedError::Interrupted => Self::Interrupted,
            UnfinishedError::Register(error) => Self::Register(error),
        }
    }
}

needs_registration! { UnfinishedError UnfinishedTimeoutError }
