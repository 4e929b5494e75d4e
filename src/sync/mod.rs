//! The typed faces of [`raw`](crate::raw): what programs use.

mod lock;
mod mutex;
mod permit_pool;
mod semaphore;
mod stamp;

pub use lock::{Lock, LockGuard};
pub use mutex::{Mutex, MutexGuard};
pub use permit_pool::{Permit, PermitPool};
pub use semaphore::{Semaphore, SemaphorePermit};

use crate::error::LockError;
use crate::platform::{Linux, Platform};
use crate::raw::Refusal;
use std::time::{Duration, Instant};

/// What an attempt to lock gives: the guard, or the reason why not, which may contain the guard.
pub type LockResult<G> = Result<G, LockError<G>>;

/// How long an operation may wait. `Deadline::Never` also stands for a moment further away than clocks count.
#[derive(Clone, Copy)]
enum Patience {
    None,
    Until(Option<Duration>),
}

impl Patience {
    const FOREVER: Self = Self::Until(None);

    fn lasting(timeout: Duration) -> Self {
        Self::Until(Linux::now().checked_add(timeout))
    }
    fn until(deadline: Instant) -> Self {
        Self::lasting(deadline.saturating_duration_since(Instant::now()))
    }
}

impl<G> From<Refusal> for LockError<G> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::WouldBlock => Self::WouldBlock,
            Refusal::TimedOut => Self::TimedOut,
            Refusal::Deadlock => Self::Deadlock,
        }
    }
}
