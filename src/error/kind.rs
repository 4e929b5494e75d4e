//! [`LockErrorKind`]: why a lock was not given as usual, without its guard.

use super::{NotWaitedError, RegisterError};
use crate::ParticipantId;
use std::fmt;

/// Why a lock was not given as usual, or why a wait with a condition variable ended. It is to
/// [`LockError`](crate::LockError), [`TryLockError`](crate::TryLockError),
/// [`LockTimeoutError`](crate::LockTimeoutError) and [`CondvarError`](crate::CondvarError) what
/// [`std::io::ErrorKind`] is to [`std::io::Error`].
///
/// It borrows nothing, and implements [`std::error::Error`]. Each of those errors has it by `kind`,
/// and becomes it by `?`. That drops the guard, which
/// [releases the lock](crate::LockError#with-), as inconsistent as it was.
///
/// ```
/// use outlive::{LockErrorKind, Mutex, Segment};
///
/// fn count(visits: &Mutex<u64>) -> Result<u64, LockErrorKind> {
///     let mut visits = visits.try_lock()?;
///     *visits += 1;
///     Ok(*visits)
/// }
///
/// let visits = Segment::<Mutex<u64>>::anonymous(|_zero| {})?;
/// let guard = visits.lock()?;
/// assert_eq!(count(&visits), Err(LockErrorKind::WouldBlock));
/// drop(guard);
/// assert_eq!(count(&visits), Ok(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockErrorKind {
    /// A former holder died while it held the lock.
    OwnerDied {
        /// The former holder, if it is known.
        by: Option<ParticipantId>,
    },
    /// A former holder panicked while it held the lock.
    Poisoned {
        /// The former holder, if it is known.
        by: Option<ParticipantId>,
    },
    /// Somebody alive holds the lock, and the caller did not want to wait.
    WouldBlock,
    /// Somebody alive held the lock, and had not released it by the deadline.
    TimedOut,
    /// The calling thread holds the lock already, and would wait for itself.
    Deadlock,
    /// The calling thread holds a reentrant lock so often that one more hold cannot be counted.
    TooDeep,
    /// Somebody alive still held the lock when the caller was [interrupted](crate::interruptible).
    Interrupted,
    /// A wait with a condition variable was [interrupted](crate::interruptible).
    WaitInterrupted,
    /// The holder leaked its guard, and its thread has ended. See
    /// [`LockError::Leaked`](crate::LockError::Leaked).
    Leaked {
        /// The holder.
        by: ParticipantId,
    },
    /// A condition variable could not wait with the guard.
    NotWaited(NotWaitedError),
    /// The thread cannot be registered as a participant of the segment.
    Register(RegisterError),
}

/// The participant that left something inconsistent, as a text.
struct Former(Option<ParticipantId>);

impl fmt::Display for Former {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, "participant {id}"),
            None => f.write_str("a former holder"),
        }
    }
}

impl fmt::Display for LockErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied { by } => write!(
                f,
                "{} died while it held the lock; take the guard out of the error, or lock again, check what it protects, then mark_consistent",
                Former(*by)
            ),
            Self::Poisoned { by } => write!(
                f,
                "{} panicked while it held the lock; take the guard out of the error, or lock again, check what it protects, then mark_consistent",
                Former(*by)
            ),
            Self::WouldBlock => f.write_str("somebody holds the lock; wait for it, or try again later"),
            Self::TimedOut => f.write_str("somebody held the lock past the deadline; wait longer, or give up"),
            Self::Deadlock => {
                f.write_str("this thread holds the lock already, and would wait for itself; drop its guard first")
            }
            Self::TooDeep => {
                f.write_str("this thread holds the lock so often that one more cannot be counted; drop guards first")
            }
            Self::Interrupted => f.write_str(
                "somebody still held the lock when this thread was interrupted; see to the signal, then lock again or give up",
            ),
            Self::WaitInterrupted => f.write_str(
                "this thread was interrupted before it was notified, and took the lock again; see to the signal, then wait again or give up",
            ),
            Self::Leaked { by } => write!(
                f,
                "participant {by} leaked its guard and ended; its process may still use what the guard gave: end that process, or, if nothing uses it, take the lock over with the unsafe lock_leaked (read_leaked, write_leaked)"
            ),
            Self::NotWaited(error) => write!(f, "nothing was waited for, the lock is as it was: {error}"),
            Self::Register(error) => write!(f, "the lock cannot be used here: {error}"),
        }
    }
}

impl std::error::Error for LockErrorKind {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotWaited(error) => Some(error),
            Self::Register(error) => Some(error),
            _ => None,
        }
    }
}

/// What the errors have in common that may contain a guard: their texts, and what `?` makes of
/// them.
macro_rules! carries_guard {
    ($($error:ident)*) => {$(
        impl<G> fmt::Debug for $error<G> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.kind(), f)
            }
        }

        impl<G> fmt::Display for $error<G> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.kind(), f)
            }
        }

        /// Drops the guard, if there is one.
        impl<G> From<$error<G>> for LockErrorKind {
            fn from(error: $error<G>) -> Self {
                error.kind()
            }
        }

        /// Drops the guard, if there is one, and boxes the [`LockErrorKind`].
        impl<'a, G> From<$error<G>> for Box<dyn std::error::Error + 'a> {
            fn from(error: $error<G>) -> Self {
                LockErrorKind::from(error).into()
            }
        }

        /// Drops the guard, if there is one, and boxes the [`LockErrorKind`].
        impl<'a, G> From<$error<G>> for Box<dyn std::error::Error + Send + Sync + 'a> {
            fn from(error: $error<G>) -> Self {
                LockErrorKind::from(error).into()
            }
        }
    )*};
}
pub(super) use carries_guard;
