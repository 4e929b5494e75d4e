//! [`WaitError`], [`TryWaitError`], [`WaitTimeoutError`]: an event was not set.

use super::RegisterError;
use super::register::needs_registration;
use std::fmt;

const INTERRUPTED: &str = "the event was not set when this thread was interrupted, and nothing was taken; see to the signal, then wait again or give up";

/// An event was not set, however long the caller waited: [`Event::wait`](crate::Event::wait).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The event was not set when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// An event is not set: [`Event::try_wait`](crate::Event::try_wait).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryWaitError {
    /// The event is not set.
    WouldBlock,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for TryWaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str("the event is not set; wait for it, or try again later"),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// An event was not set by the deadline: [`Event::wait_timeout`](crate::Event::wait_timeout),
/// [`Event::wait_until`](crate::Event::wait_until).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitTimeoutError {
    /// The event was not set by the deadline.
    TimedOut,
    /// The event was not set when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for WaitTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the event was not set by the deadline; wait longer, or give up"),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// What a wait without a deadline can give, one with a deadline can give, too.
impl From<WaitError> for WaitTimeoutError {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Interrupted => Self::Interrupted,
            WaitError::Register(error) => Self::Register(error),
        }
    }
}

needs_registration! { WaitError TryWaitError WaitTimeoutError }
