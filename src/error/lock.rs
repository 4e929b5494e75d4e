//! [`LockError`], [`TryLockError`], [`LockTimeoutError`]: why a lock was not given as usual.
//!
//! One type for each way to ask: without a deadline, without waiting, and with a deadline. None of
//! them implements [`std::error::Error`], since each may contain a guard, which borrows the lock.
//! The `?` operator turns them into a [`LockErrorKind`] or a `Box<dyn Error>`.

use super::kind::carries_guard;
use super::{LockErrorKind, RegisterError};
use crate::ParticipantId;
use std::fmt;

/// A guard of something that may be inconsistent, and why it may be.
///
/// The state stays: every thread that locks learns of it, until a holder that has checked the data
/// calls [`MutexGuard::mark_consistent`](crate::MutexGuard::mark_consistent), or the method of that
/// name of another guard. The other methods are those of [`std::sync::PoisonError`].
pub struct Inconsistent<G> {
    guard: G,
    by: Option<ParticipantId>,
}

impl<G> Inconsistent<G> {
    pub(crate) fn new(guard: G, by: Option<ParticipantId>) -> Self {
        Self { guard, by }
    }

    /// The participant that died or panicked, or `None` where that is no longer known.
    /// [`Segment::participant`](crate::Segment::participant) says which process and thread that
    /// was.
    pub fn by(&self) -> Option<ParticipantId> {
        self.by
    }

    /// The guard, to judge and repair.
    pub fn into_inner(self) -> G {
        self.guard
    }

    /// A reference to the guard.
    pub fn get_ref(&self) -> &G {
        &self.guard
    }

    /// The guard, to judge and repair.
    pub fn get_mut(&mut self) -> &mut G {
        &mut self.guard
    }

    pub(crate) fn map_guard<H>(self, change: impl FnOnce(G) -> H) -> Inconsistent<H> {
        Inconsistent { guard: change(self.guard), by: self.by }
    }
}

impl<G> fmt::Debug for Inconsistent<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inconsistent").field("by", &self.by).finish_non_exhaustive()
    }
}

/// Why a call without a time limit (`lock`, `read`, `write`, `acquire`) did not give the lock as
/// usual.
///
/// `G` is the guard, which the error contains where the lock was taken. After `acquire` it is `()`:
/// the lock is acquired then, and has to be released.
///
/// # With `?`
///
/// The error may borrow the lock, so it does not implement [`std::error::Error`]. In a function
/// that returns `Box<dyn Error>`, `Box<dyn Error + Send + Sync>` or [`LockErrorKind`], `?` works
/// all the same: the reason is kept, and the guard is dropped. That releases the lock, which stays
/// as inconsistent as it was. The next thread to lock learns of it, too. (With `acquire` there is
/// no guard, and the lock stays acquired.)
///
/// ```
/// use outlive::{Mutex, Segment};
/// use std::error::Error;
///
/// fn count(visits: &Mutex<u64>) -> Result<u64, Box<dyn Error>> {
///     let mut visits = visits.lock()?;
///     *visits += 1;
///     Ok(*visits)
/// }
///
/// let visits = Segment::<Mutex<u64>>::anonymous(|_zero| {})?;
/// assert_eq!(count(&visits)?, 1);
/// # Ok::<(), Box<dyn Error>>(())
/// ```
#[non_exhaustive]
pub enum LockError<G> {
    /// The lock is yours, but a former holder died while it held the lock. What the lock protects
    /// may be half changed.
    OwnerDied(Inconsistent<G>),
    /// The lock is yours, but a former holder panicked while it held the lock. What the lock
    /// protects may be half changed.
    Poisoned(Inconsistent<G>),
    /// The calling thread holds the lock already, and would wait for itself.
    Deadlock,
    /// The calling thread holds a [`ReentrantMutex`](crate::ReentrantMutex) so often that one more
    /// hold cannot be counted. Nothing was changed.
    TooDeep,
    /// Somebody alive still held the lock when the caller was [interrupted](crate::interruptible).
    /// The lock was not taken.
    Interrupted,
    /// The holder leaked its guard (`mem::forget`, `Box::leak`), and its thread has ended. Its
    /// process lives, or may live, and may still use a reference that the guard gave. So nobody
    /// gets the lock before that process ends. The exceptions are unsafe methods: `lock_leaked`,
    /// `read_leaked`, `write_leaked`.
    Leaked {
        /// The holder.
        by: ParticipantId,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl<G> LockError<G> {
    /// The reason alone, without the guard.
    pub fn kind(&self) -> LockErrorKind {
        match self {
            Self::OwnerDied(left) => LockErrorKind::OwnerDied { by: left.by },
            Self::Poisoned(left) => LockErrorKind::Poisoned { by: left.by },
            Self::Deadlock => LockErrorKind::Deadlock,
            Self::TooDeep => LockErrorKind::TooDeep,
            Self::Interrupted => LockErrorKind::Interrupted,
            Self::Leaked { by } => LockErrorKind::Leaked { by: *by },
            Self::Register(error) => LockErrorKind::Register(error.clone()),
        }
    }
}

/// Why a call that does not wait (`try_lock`, `try_read`, `try_write`, `try_acquire`) did not give
/// the lock as usual.
///
/// `G` is the guard, which the error contains where the lock was taken. See [`LockError`] for
/// `acquire`, and for [`?`](LockError#with-).
#[non_exhaustive]
pub enum TryLockError<G> {
    /// The lock is yours, but a former holder died while it held the lock. What the lock protects
    /// may be half changed.
    OwnerDied(Inconsistent<G>),
    /// The lock is yours, but a former holder panicked while it held the lock. What the lock
    /// protects may be half changed.
    Poisoned(Inconsistent<G>),
    /// Somebody alive holds the lock. That may be the calling thread itself.
    WouldBlock,
    /// The calling thread holds a [`ReentrantMutex`](crate::ReentrantMutex) so often that one more
    /// hold cannot be counted. Nothing was changed.
    TooDeep,
    /// The holder leaked its guard, and its thread has ended. See [`LockError::Leaked`].
    Leaked {
        /// The holder.
        by: ParticipantId,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl<G> TryLockError<G> {
    /// The reason alone, without the guard.
    pub fn kind(&self) -> LockErrorKind {
        match self {
            Self::OwnerDied(left) => LockErrorKind::OwnerDied { by: left.by },
            Self::Poisoned(left) => LockErrorKind::Poisoned { by: left.by },
            Self::WouldBlock => LockErrorKind::WouldBlock,
            Self::TooDeep => LockErrorKind::TooDeep,
            Self::Leaked { by } => LockErrorKind::Leaked { by: *by },
            Self::Register(error) => LockErrorKind::Register(error.clone()),
        }
    }
}

/// Why a call with a time limit (`try_lock_for`, `try_lock_until`, and such forms of `read`,
/// `write` and `acquire`) did not give the lock as usual.
///
/// `G` is the guard, which the error contains where the lock was taken. See [`LockError`] for
/// `acquire`, and for [`?`](LockError#with-).
#[non_exhaustive]
pub enum LockTimeoutError<G> {
    /// The lock is yours, but a former holder died while it held the lock. What the lock protects
    /// may be half changed.
    OwnerDied(Inconsistent<G>),
    /// The lock is yours, but a former holder panicked while it held the lock. What the lock
    /// protects may be half changed.
    Poisoned(Inconsistent<G>),
    /// Somebody alive held the lock, and had not released it by the deadline.
    TimedOut,
    /// The calling thread holds the lock already, and would wait for itself.
    Deadlock,
    /// The calling thread holds a [`ReentrantMutex`](crate::ReentrantMutex) so often that one more
    /// hold cannot be counted. Nothing was changed.
    TooDeep,
    /// Somebody alive still held the lock when the caller was [interrupted](crate::interruptible).
    /// The lock was not taken.
    Interrupted,
    /// The holder leaked its guard, and its thread has ended. See [`LockError::Leaked`].
    Leaked {
        /// The holder.
        by: ParticipantId,
    },
    /// This thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

impl<G> LockTimeoutError<G> {
    /// The reason alone, without the guard.
    pub fn kind(&self) -> LockErrorKind {
        match self {
            Self::OwnerDied(left) => LockErrorKind::OwnerDied { by: left.by },
            Self::Poisoned(left) => LockErrorKind::Poisoned { by: left.by },
            Self::TimedOut => LockErrorKind::TimedOut,
            Self::Deadlock => LockErrorKind::Deadlock,
            Self::TooDeep => LockErrorKind::TooDeep,
            Self::Interrupted => LockErrorKind::Interrupted,
            Self::Leaked { by } => LockErrorKind::Leaked { by: *by },
            Self::Register(error) => LockErrorKind::Register(error.clone()),
        }
    }
}

carries_guard! { LockError TryLockError LockTimeoutError }

/// What the errors of the three ways to lock have in common, beside [`carries_guard`].
macro_rules! comes_with_or_without_guard {
    ($($error:ident)*) => {$(
        impl<G> $error<G> {
            /// The guard, after [`OwnerDied`](Self::OwnerDied) and [`Poisoned`](Self::Poisoned).
            ///
            /// # Errors
            /// The error itself, if it came without the lock.
            pub fn into_guard(self) -> Result<G, Self> {
                match self {
                    Self::OwnerDied(left) | Self::Poisoned(left) => Ok(left.guard),
                    other => Err(other),
                }
            }
        }

        impl<G> From<RegisterError> for $error<G> {
            fn from(error: RegisterError) -> Self {
                Self::Register(error)
            }
        }
    )*};
}
comes_with_or_without_guard! { LockError TryLockError LockTimeoutError }

/// What a lock without a deadline can give, one with a deadline can give, too.
impl<G> From<LockError<G>> for LockTimeoutError<G> {
    fn from(error: LockError<G>) -> Self {
        match error {
            LockError::OwnerDied(left) => Self::OwnerDied(left),
            LockError::Poisoned(left) => Self::Poisoned(left),
            LockError::Deadlock => Self::Deadlock,
            LockError::TooDeep => Self::TooDeep,
            LockError::Interrupted => Self::Interrupted,
            LockError::Leaked { by } => Self::Leaked { by },
            LockError::Register(error) => Self::Register(error),
        }
    }
}
