//! Turns the answers of `raw` into the error types of each kind of call.

use crate::error::{
    AcquireError, AcquireTimeoutError, BarrierError, BarrierTimeoutError, CondvarError, Inconsistent, LockError,
    LockTimeoutError, OnceError, RecvError, RecvMessageError, RecvMessageTimeoutError, RecvTimeoutError, RegisterError,
    SendMessageError, SendMessageTimeoutError, TryAcquireError, TryLockError, TryRecvError, TryRecvMessageError,
    TrySendMessageError, WaitAnyError, WaitAnyTimeoutError, WaitError, WaitTimeoutError,
};
use crate::raw::barrier::NotPassed;
use crate::raw::event::NotSet;
use crate::raw::once::NotBegun;
use crate::raw::permit_pool::NoPermit;
use crate::raw::queue::NotClaimed;
use crate::raw::semaphore::NotAcquired;
use crate::raw::wait_any::NotReady;
use crate::raw::{Acquired, Cause, NotLocked};

/// The result of a `lock`: the guard, or an error, which may contain the guard.
pub type LockResult<G> = Result<G, LockError<G>>;

/// The result of a `try_lock`: the guard, or an error, which may contain the guard.
pub type TryLockResult<G> = Result<G, TryLockError<G>>;

/// The result of a lock with a deadline: the guard, or an error, which may contain the guard.
pub type LockTimeoutResult<G> = Result<G, LockTimeoutError<G>>;

/// The result of a wait with a condition variable: the guard, or an error, which may contain the
/// guard.
pub type CondvarResult<G> = Result<G, CondvarError<G>>;

/// The error type of one kind of call: without a deadline, without waiting, or with a deadline. It
/// is made from the failures of `raw` that this kind of call can have.
pub(super) trait FromRaw<R>: From<RegisterError> {
    fn from_raw(refusal: R) -> Self;
}

/// The error type of a call that locks. With two of these errors the caller has got the lock.
pub(super) trait LockFailure<G>: FromRaw<NotLocked> {
    fn owner_died(left: Inconsistent<G>) -> Self;
    fn poisoned(left: Inconsistent<G>) -> Self;
}

/// For failures that a wait without a deadline cannot have.
#[cold]
pub(super) fn no_deadline() -> ! {
    unreachable!("a wait without a deadline does not time out")
}

/// Turns the answer into a result. If the lock was taken, `guard` makes the guard.
#[inline(always)]
pub(super) fn guarded<G, E: LockFailure<G>>(
    answer: Result<Acquired, NotLocked>,
    guard: impl FnOnce(Option<Cause>) -> G,
) -> Result<G, E> {
    match answer {
        Ok(Acquired { inconsistent: None }) => Ok(guard(None)),
        Ok(Acquired { inconsistent: Some(cause) }) => Err(inconsistent(cause, guard)),
        Err(refusal) => Err(refused(refusal)),
    }
}

/// The error of a lock that was taken, and that a former holder left inconsistent by its death or
/// panic.
#[cold]
pub(super) fn inconsistent<G, E: LockFailure<G>>(cause: Cause, guard: impl FnOnce(Option<Cause>) -> G) -> E {
    let guard = guard(Some(cause));
    match cause {
        Cause::Died(by) => E::owner_died(Inconsistent::new(guard, by)),
        Cause::Panicked(by) => E::poisoned(Inconsistent::new(guard, by)),
    }
}

#[cold]
pub(super) fn refused<R, E: FromRaw<R>>(refusal: R) -> E {
    E::from_raw(refusal)
}

impl<G> FromRaw<NotLocked> for LockError<G> {
    fn from_raw(refusal: NotLocked) -> Self {
        match refusal {
            NotLocked::Deadlock => Self::Deadlock,
            NotLocked::TooDeep => Self::TooDeep,
            NotLocked::Interrupted => Self::Interrupted,
            NotLocked::Leaked(by) => Self::Leaked { by },
            NotLocked::WouldBlock | NotLocked::TimedOut => no_deadline(),
        }
    }
}

impl<G> FromRaw<NotLocked> for TryLockError<G> {
    fn from_raw(refusal: NotLocked) -> Self {
        match refusal {
            NotLocked::TooDeep => Self::TooDeep,
            NotLocked::Leaked(by) => Self::Leaked { by },
            // Only a call that waits can have one of the last three.
            NotLocked::WouldBlock | NotLocked::TimedOut | NotLocked::Interrupted | NotLocked::Deadlock => {
                Self::WouldBlock
            }
        }
    }
}

impl<G> FromRaw<NotLocked> for LockTimeoutError<G> {
    fn from_raw(refusal: NotLocked) -> Self {
        match refusal {
            NotLocked::Deadlock => Self::Deadlock,
            NotLocked::TooDeep => Self::TooDeep,
            NotLocked::Interrupted => Self::Interrupted,
            NotLocked::Leaked(by) => Self::Leaked { by },
            NotLocked::TimedOut | NotLocked::WouldBlock => Self::TimedOut,
        }
    }
}

macro_rules! can_come_nevertheless {
    ($($error:ident)*) => {$(
        impl<G> LockFailure<G> for $error<G> {
            fn owner_died(left: Inconsistent<G>) -> Self {
                Self::OwnerDied(left)
            }
            fn poisoned(left: Inconsistent<G>) -> Self {
                Self::Poisoned(left)
            }
        }
    )*};
}
can_come_nevertheless! { LockError TryLockError LockTimeoutError }

/// The result for a lock that is taken again after a wait.
pub(super) fn retaken<G>(cause: Option<Cause>, guard: G) -> CondvarResult<G> {
    match cause {
        None => Ok(guard),
        Some(Cause::Died(by)) => Err(CondvarError::OwnerDied(Inconsistent::new(guard, by))),
        Some(Cause::Panicked(by)) => Err(CondvarError::Poisoned(Inconsistent::new(guard, by))),
    }
}

/// A failure to get `count` permits.
pub(super) struct Short {
    pub(super) refused: NotAcquired,
    pub(super) wanted: u32,
}

impl FromRaw<Short> for AcquireError {
    fn from_raw(Short { refused, wanted }: Short) -> Self {
        match refused {
            NotAcquired::Interrupted => Self::Interrupted,
            NotAcquired::TooMany { maximum } => Self::TooMany { wanted, maximum },
            NotAcquired::WouldBlock | NotAcquired::TimedOut => no_deadline(),
        }
    }
}

impl FromRaw<Short> for TryAcquireError {
    fn from_raw(Short { refused, wanted }: Short) -> Self {
        match refused {
            NotAcquired::TooMany { maximum } => Self::TooMany { wanted, maximum },
            NotAcquired::WouldBlock | NotAcquired::TimedOut | NotAcquired::Interrupted => Self::WouldBlock,
        }
    }
}

impl FromRaw<Short> for AcquireTimeoutError {
    fn from_raw(Short { refused, wanted }: Short) -> Self {
        match refused {
            NotAcquired::Interrupted => Self::Interrupted,
            NotAcquired::TooMany { maximum } => Self::TooMany { wanted, maximum },
            NotAcquired::TimedOut | NotAcquired::WouldBlock => Self::TimedOut,
        }
    }
}

impl FromRaw<NoPermit> for AcquireError {
    fn from_raw(refusal: NoPermit) -> Self {
        match refusal {
            NoPermit::Interrupted => Self::Interrupted,
            NoPermit::WouldBlock | NoPermit::TimedOut => no_deadline(),
        }
    }
}

impl FromRaw<NoPermit> for TryAcquireError {
    fn from_raw(refusal: NoPermit) -> Self {
        match refusal {
            NoPermit::WouldBlock | NoPermit::TimedOut | NoPermit::Interrupted => Self::WouldBlock,
        }
    }
}

impl FromRaw<NoPermit> for AcquireTimeoutError {
    fn from_raw(refusal: NoPermit) -> Self {
        match refusal {
            NoPermit::Interrupted => Self::Interrupted,
            NoPermit::TimedOut | NoPermit::WouldBlock => Self::TimedOut,
        }
    }
}

impl FromRaw<NotSet> for WaitError {
    fn from_raw(refusal: NotSet) -> Self {
        match refusal {
            NotSet::Interrupted => Self::Interrupted,
            NotSet::TimedOut => no_deadline(),
        }
    }
}

impl FromRaw<NotSet> for WaitTimeoutError {
    fn from_raw(refusal: NotSet) -> Self {
        match refusal {
            NotSet::Interrupted => Self::Interrupted,
            NotSet::TimedOut => Self::TimedOut,
        }
    }
}

impl FromRaw<NotPassed> for BarrierError {
    fn from_raw(failed: NotPassed) -> Self {
        match failed {
            NotPassed::Broken { died } => Self::Broken { died },
            NotPassed::Interrupted => Self::Interrupted,
            NotPassed::TimedOut => no_deadline(),
        }
    }
}

impl FromRaw<NotPassed> for BarrierTimeoutError {
    fn from_raw(failed: NotPassed) -> Self {
        match failed {
            NotPassed::Broken { died } => Self::Broken { died },
            NotPassed::Interrupted => Self::Interrupted,
            NotPassed::TimedOut => Self::TimedOut,
        }
    }
}

impl FromRaw<NotBegun> for OnceError {
    fn from_raw(refusal: NotBegun) -> Self {
        match refusal {
            NotBegun::Deadlock => Self::Deadlock,
            NotBegun::Interrupted => Self::Interrupted,
        }
    }
}

impl FromRaw<NotClaimed> for RecvError {
    fn from_raw(refusal: NotClaimed) -> Self {
        match refusal {
            NotClaimed::Closed => Self::Disconnected,
            NotClaimed::Interrupted => Self::Interrupted,
            NotClaimed::WouldBlock | NotClaimed::TimedOut => no_deadline(),
        }
    }
}

impl FromRaw<NotClaimed> for TryRecvError {
    fn from_raw(refusal: NotClaimed) -> Self {
        match refusal {
            NotClaimed::Closed => Self::Disconnected,
            // The last two come of a wait alone.
            NotClaimed::WouldBlock | NotClaimed::TimedOut | NotClaimed::Interrupted => Self::Empty,
        }
    }
}

impl FromRaw<NotClaimed> for RecvTimeoutError {
    fn from_raw(refusal: NotClaimed) -> Self {
        match refusal {
            NotClaimed::Closed => Self::Disconnected,
            NotClaimed::Interrupted => Self::Interrupted,
            NotClaimed::TimedOut | NotClaimed::WouldBlock => Self::TimedOut,
        }
    }
}

/// As the errors of a [`Queue`](crate::Queue) say it.
macro_rules! of_messages {
    ($($error:ident { $waited:expr, $interrupted:expr })*) => {$(
        impl FromRaw<NotClaimed> for $error {
            fn from_raw(refusal: NotClaimed) -> Self {
                match refusal {
                    NotClaimed::Closed => Self::Disconnected,
                    NotClaimed::Interrupted => $interrupted,
                    NotClaimed::WouldBlock | NotClaimed::TimedOut => $waited,
                }
            }
        }
    )*};
}

of_messages! {
    SendMessageError { no_deadline(), Self::Interrupted }
    TrySendMessageError { Self::Full, Self::Full }
    SendMessageTimeoutError { Self::TimedOut, Self::Interrupted }
    RecvMessageError { no_deadline(), Self::Interrupted }
    TryRecvMessageError { Self::Empty, Self::Empty }
    RecvMessageTimeoutError { Self::TimedOut, Self::Interrupted }
}

impl FromRaw<NotReady> for WaitAnyError {
    fn from_raw(refusal: NotReady) -> Self {
        match refusal {
            NotReady::NoSource => Self::NoSource,
            NotReady::TooMany { words, most } => Self::TooMany { words, most },
            NotReady::Interrupted => Self::Interrupted,
            NotReady::TimedOut => no_deadline(),
        }
    }
}

impl FromRaw<NotReady> for WaitAnyTimeoutError {
    fn from_raw(refusal: NotReady) -> Self {
        match refusal {
            NotReady::NoSource => Self::NoSource,
            NotReady::TooMany { words, most } => Self::TooMany { words, most },
            NotReady::Interrupted => Self::Interrupted,
            NotReady::TimedOut => Self::TimedOut,
        }
    }
}
