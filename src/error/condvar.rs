//! [`CondvarError`]: why a wait with a condition variable did not end as usual.

use super::kind::carries_guard;
use super::{Inconsistent, LockErrorKind, NotHeldError, RegisterError};
use crate::ParticipantId;
use std::fmt;

/// Why a wait with a [`Condvar`](crate::Condvar) did not end as usual: `wait` and its other forms.
///
/// `G` is the guard, which the error contains wherever the lock is held: in each variant but
/// [`Leaked`](Self::Leaked). See [`LockError`](crate::LockError#with-) for `?`.
#[non_exhaustive]
pub enum CondvarError<G> {
    /// The lock is yours again, but another holder died while it held the lock. What the lock
    /// protects may be half changed.
    OwnerDied(Inconsistent<G>),
    /// The lock is yours again, but another holder panicked while it held the lock. What the lock
    /// protects may be half changed.
    Poisoned(Inconsistent<G>),
    /// The wait was [interrupted](crate::interruptible), and gives the guard back. No notification
    /// is lost by that. The lock was released meanwhile, and is held again.
    WaitInterrupted(G),
    /// Another thread took the lock meanwhile, leaked its guard, and ended. The lock is not held.
    /// See [`LockError::Leaked`](crate::LockError::Leaked).
    Leaked {
        /// That thread.
        by: ParticipantId,
    },
    /// The condition variable could not wait with this guard, and gives it back. The lock was not
    /// released.
    NotWaited {
        /// The guard.
        guard: G,
        /// Why not.
        error: NotWaitedError,
    },
}

impl<G> CondvarError<G> {
    /// The guard, if there is one: after each variant but [`Leaked`](Self::Leaked).
    ///
    /// # Errors
    /// The error itself, if it came without the lock.
    pub fn into_guard(self) -> Result<G, Self> {
        match self {
            Self::OwnerDied(left) | Self::Poisoned(left) => Ok(left.into_inner()),
            Self::NotWaited { guard, .. } | Self::WaitInterrupted(guard) => Ok(guard),
            Self::Leaked { .. } => Err(self),
        }
    }

    /// The reason alone, without the guard.
    pub fn kind(&self) -> LockErrorKind {
        match self {
            Self::OwnerDied(left) => LockErrorKind::OwnerDied { by: left.by() },
            Self::Poisoned(left) => LockErrorKind::Poisoned { by: left.by() },
            Self::WaitInterrupted(_) => LockErrorKind::WaitInterrupted,
            Self::Leaked { by } => LockErrorKind::Leaked { by: *by },
            Self::NotWaited { error, .. } => LockErrorKind::NotWaited(error.clone()),
        }
    }

    pub(crate) fn map_guard<H>(self, change: impl FnOnce(G) -> H) -> CondvarError<H> {
        match self {
            Self::OwnerDied(left) => CondvarError::OwnerDied(left.map_guard(change)),
            Self::Poisoned(left) => CondvarError::Poisoned(left.map_guard(change)),
            Self::WaitInterrupted(guard) => CondvarError::WaitInterrupted(change(guard)),
            Self::Leaked { by } => CondvarError::Leaked { by },
            Self::NotWaited { guard, error } => CondvarError::NotWaited { guard: change(guard), error },
        }
    }
}

carries_guard! { CondvarError }

/// Why a condition variable could not wait with a guard: in [`CondvarError::NotWaited`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotWaitedError {
    /// The condition variable and the lock are in different segments.
    OtherSegment,
    /// The calling thread does not hold the lock. Either it is a child that was forked while its
    /// parent held the lock, or somebody else has released the lock.
    NotHeld(NotHeldError),
    /// The calling thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl fmt::Display for NotWaitedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSegment => f.write_str(
                "the condition variable and the lock are in different segments; put both into one, so that its participants watch each other",
            ),
            Self::NotHeld(error) => error.fmt(f),
            Self::Register(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotWaitedError {}

impl From<NotHeldError> for NotWaitedError {
    fn from(error: NotHeldError) -> Self {
        Self::NotHeld(error)
    }
}

impl From<RegisterError> for NotWaitedError {
    fn from(error: RegisterError) -> Self {
        Self::Register(error)
    }
}
