//! [`AcquireError`], [`TryAcquireError`], [`AcquireTimeoutError`]: no permit came.

use super::RegisterError;
use super::register::needs_registration;
use std::fmt;

const INTERRUPTED: &str = "no permit had become available when this thread was interrupted, and nothing was taken; see to the signal, then wait again or give up";
const WOULD_BLOCK: &str = "no permit is available without waiting; wait for it, or try again later";
const TIMED_OUT: &str = "no permit had become available by the deadline; wait longer, or give up";

fn write_too_many(f: &mut fmt::Formatter<'_>, wanted: u32, maximum: u32) -> fmt::Result {
    write!(f, "{wanted} permits were asked for at once, and there can never be more than {maximum}; ask for fewer")
}

/// No permit came, however long the caller waited. Nothing was taken.
///
/// From [`Semaphore::acquire`](crate::Semaphore::acquire),
/// [`PermitPool::permit`](crate::PermitPool::permit) and the other forms without a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// Nothing had become available when the caller was [interrupted](crate::interruptible).
    /// Nothing was taken.
    Interrupted,
    /// There can never be as many permits as were asked for at once.
    TooMany {
        /// How many were asked for.
        wanted: u32,
        /// How many there can be.
        maximum: u32,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::TooMany { wanted, maximum } => write_too_many(f, *wanted, *maximum),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// No permit came without waiting. Nothing was taken.
///
/// From [`Semaphore::try_acquire`](crate::Semaphore::try_acquire),
/// [`PermitPool::try_permit`](crate::PermitPool::try_permit) and the other forms that do not wait.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// No permit is available, or not as many as were asked for.
    WouldBlock,
    /// There can never be as many permits as were asked for at once.
    TooMany {
        /// How many were asked for.
        wanted: u32,
        /// How many there can be.
        maximum: u32,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str(WOULD_BLOCK),
            Self::TooMany { wanted, maximum } => write_too_many(f, *wanted, *maximum),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// No permit came by the deadline. Nothing was taken.
///
/// From [`Semaphore::try_acquire_for`](crate::Semaphore::try_acquire_for),
/// [`PermitPool::try_permit_for`](crate::PermitPool::try_permit_for) and the other forms with a
/// deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireTimeoutError {
    /// No permit was available by the deadline, or not as many as were asked for.
    TimedOut,
    /// Nothing had become available when the caller was [interrupted](crate::interruptible).
    /// Nothing was taken.
    Interrupted,
    /// There can never be as many permits as were asked for at once.
    TooMany {
        /// How many were asked for.
        wanted: u32,
        /// How many there can be.
        maximum: u32,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for AcquireTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str(TIMED_OUT),
            Self::Interrupted => f.write_str(INTERRUPTED),
            Self::TooMany { wanted, maximum } => write_too_many(f, *wanted, *maximum),
            Self::Register(error) => write!(f, "it cannot be waited for here: {error}"),
        }
    }
}

/// What a wait without a deadline can give, one with a deadline can give, too.
impl From<AcquireError> for AcquireTimeoutError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Interrupted => Self::Interrupted,
            AcquireError::TooMany { wanted, maximum } => Self::TooMany { wanted, maximum },
            AcquireError::Register(error) => Self::Register(error),
        }
    }
}

needs_registration! { AcquireError TryAcquireError AcquireTimeoutError }
