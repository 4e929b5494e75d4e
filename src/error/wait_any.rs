//! [`WaitAnyError`], [`TryWaitAnyError`], [`WaitAnyTimeoutError`]: no source was ready.

use super::RegisterError;
use super::register::needs_registration;
use std::fmt;

const INTERRUPTED: &str = "none of the sources was ready when this thread was interrupted, and nothing was taken; see to the signal, then wait again or give up";
const NO_SOURCE: &str = "there is nothing to wait for, and the wait would never end; give at least one source";

fn too_many(f: &mut fmt::Formatter<'_>, words: usize, most: usize) -> fmt::Result {
    write!(
        f,
        "the sources have {words} words, and one wait takes {most} of them (a death has two, any other source one); wait for fewer, or in several threads"
    )
}

/// No source was ready, however long the caller waited: [`wait_any`](crate::wait_any).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitAnyError {
    /// There is no source.
    NoSource,
    /// The sources are more than one wait can hold. A death has two words, any other source one.
    TooMany {
        /// How many words the sources have.
        words: usize,
        /// How many words one wait takes.
        most: usize,
    },
    /// No source was ready when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment of one of the sources.
    Register(RegisterError),
}

impl fmt::Display for WaitAnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => f.write_str(NO_SOURCE),
            Self::TooMany { words, most } => too_many(f, *words, *most),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "a source cannot be waited for here: {error}"),
        }
    }
}

/// No source is ready: [`try_wait_any`](crate::try_wait_any).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryWaitAnyError {
    /// No source is ready, or there is none.
    WouldBlock,
    /// This thread cannot be registered as a participant of the segment of one of the sources.
    Register(RegisterError),
}

impl fmt::Display for TryWaitAnyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str("none of the sources is ready; wait for them, or try again later"),
            Self::Register(error) => write!(f, "a source cannot be waited for here: {error}"),
        }
    }
}

/// No source was ready by the deadline: [`wait_any_timeout`](crate::wait_any_timeout),
/// [`wait_any_deadline`](crate::wait_any_deadline).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitAnyTimeoutError {
    /// No source was ready by the deadline.
    TimedOut,
    /// There is no source.
    NoSource,
    /// The sources are more than one wait can hold. A death has two words, any other source one.
    TooMany {
        /// How many words the sources have.
        words: usize,
        /// How many words one wait takes.
        most: usize,
    },
    /// No source was ready when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// This thread cannot be registered as a participant of the segment of one of the sources.
    Register(RegisterError),
}

impl fmt::Display for WaitAnyTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => {
                f.write_str("none of the sources was ready by the deadline; wait for them longer, or give up")
            }
            Self::NoSource => f.write_str(NO_SOURCE),
            Self::TooMany { words, most } => too_many(f, *words, *most),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::Register(error) => write!(f, "a source cannot be waited for here: {error}"),
        }
    }
}

/// What a wait without a deadline can give, one with a deadline can give, too.
impl From<WaitAnyError> for WaitAnyTimeoutError {
    fn from(error: WaitAnyError) -> Self {
        match error {
            WaitAnyError::NoSource => Self::NoSource,
            WaitAnyError::TooMany { words, most } => Self::TooMany { words, most },
            WaitAnyError::Interrupted => Self::Interrupted,
            WaitAnyError::Register(error) => Self::Register(error),
        }
    }
}

needs_registration! { WaitAnyError TryWaitAnyError WaitAnyTimeoutError }
