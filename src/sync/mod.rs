//! The typed faces of [`raw`](crate::raw): what programs use.

mod barrier;
mod condvar;
mod event;
mod guard_tag;
mod interruptible;
mod lock;
mod mutex;
mod observe;
mod once;
mod permit_pool;
mod reentrant;
mod rwlock;
mod semaphore;
mod waitable;

pub use barrier::{Barrier, BarrierMember, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult, Woken};
pub use event::Event;
pub use interruptible::{Interrupter, interruptible, interruptible_by};
pub use lock::{Lock, LockGuard};
pub use mutex::{Mutex, MutexGuard};
pub use observe::{HolderWatch, LockState};
pub use once::{LazyLock, Once, OnceLock, OnceState, SetError};
pub use permit_pool::{Permit, PermitPool};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Semaphore, SemaphorePermit};
pub use waitable::Waitable;

use crate::error::{Error, LockError};
use crate::platform::{Linux, Platform};
use crate::raw::{Id, NotLocked};
use crate::segment::local;
use std::time::{Duration, Instant};

/// What an attempt to lock gives: the guard, or the reason why not, which may contain the guard.
pub type LockResult<G> = Result<G, LockError<G>>;

/// How long an operation may wait. `Until(None)` also stands for a moment further away than clocks
/// count.
#[derive(Clone, Copy)]
enum Deadline {
    Immediate,
    By(Option<Duration>),
}

impl Deadline {
    const NEVER: Self = Self::By(None);

    fn after(timeout: Duration) -> Self {
        Self::By(Linux::now().checked_add(timeout))
    }
    fn at(deadline: Instant) -> Self {
        Self::after(deadline.saturating_duration_since(Instant::now()))
    }
    /// Of an operation that always waits.
    fn deadline(self) -> Option<Duration> {
        match self {
            Self::Immediate => Some(Duration::ZERO),
            Self::By(deadline) => deadline,
        }
    }
}

/// Makes the calling thread, which may be about to wake others, a participant: those who sleep
/// notice if it dies before it has woken them. One for which there is no room may wake them all the
/// same; of its death there only the net tells.
///
/// # Errors
/// [`Error::NotInSegment`] alone.
#[inline(always)]
fn take_part_to_wake<T: ?Sized>(place: &T) -> Result<(), Error> {
    match local::participant(place) {
        Err(Error::NotInSegment) => Err(Error::NotInSegment),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether a holder in the segment of `place` is the calling thread. One that does not take part
/// there holds nothing, and is not registered for the question.
fn is_current_thread<T: ?Sized>(place: &T, holder: Option<Id>) -> bool {
    holder.is_some() && holder == local::known_as(place)
}

impl<G> From<NotLocked> for LockError<G> {
    fn from(refusal: NotLocked) -> Self {
        match refusal {
            NotLocked::WouldBlock => Self::WouldBlock,
            NotLocked::TimedOut => Self::TimedOut,
            NotLocked::Interrupted => Self::Interrupted,
            NotLocked::Deadlock => Self::Deadlock,
            NotLocked::TooDeep => Self::TooDeep,
            NotLocked::Leaked(by) => Self::Leaked { by },
        }
    }
}
