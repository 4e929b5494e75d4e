//! The locks and queues that are measured: outlive's and the others. All lie in the same kind of
//! memory, the root of an anonymous [`Segment`](outlive::Segment).

mod flock;
mod glibc;
mod posix;
mod ring;

pub use flock::{Flock, FlockFile};
pub use glibc::{Cond, Pthread, PthreadBarrier, PthreadRwLock, Robustness, Sem};
pub use posix::PosixQueue;
pub use ring::{LockedRing, Ring};

use outlive::{Definition, LockError, Mutex, Shareable};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

/// A lock around a number, for processes.
pub trait Guarded {
    /// Locks, calls `inside` with the number, and unlocks. If the last holder has died, marks the
    /// data as consistent after `inside`.
    ///
    /// # Panics
    /// If the lock returns another error.
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R;
}

impl<L: Guarded> Guarded for &L {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        (**self).with(inside)
    }
}

impl Guarded for Mutex<u64> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        match self.lock() {
            Ok(mut guard) => inside(&mut guard),
            Err(LockError::OwnerDied(left)) => {
                let mut guard = left.into_inner();
                let result = inside(&mut guard);
                guard.mark_consistent();
                result
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The least that a lock can cost: one compare-and-swap to take it, and one swap to give it back.
/// Nobody can wait for it.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Floor {
    word: AtomicU32,
}

impl Floor {
    /// Takes the lock as `id`. Returns whether that worked.
    #[inline(always)]
    #[must_use]
    pub fn take(&self, id: u32) -> bool {
        // ORDERING: Acquire, as in every lock. Pairs with the Release of `give_back`.
        self.word.compare_exchange(0, id, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock back. Returns the id that was there.
    #[inline(always)]
    pub fn give_back(&self) -> u32 {
        // ORDERING: Release, as in every lock. Pairs with the Acquire of `take`.
        self.word.swap(0, Ordering::Release)
    }
}

/// Room for a [`std::sync::Mutex`], which works only among the threads of one process.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Std {
    mutex: MaybeUninit<std::sync::Mutex<u64>>,
}

// SAFETY: room for bytes, without drop glue. They become a mutex only in `set_up`. They are used as
// a mutex only by a caller that promises that `set_up` was called.
unsafe impl Shareable for Std {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("Std");
}

impl Std {
    /// Puts a free mutex there.
    pub fn set_up(&mut self) {
        self.mutex.write(std::sync::Mutex::new(0));
    }

    /// The mutex.
    ///
    /// # Safety
    /// [`set_up`](Self::set_up) was called, and no other process uses the mutex.
    #[must_use]
    pub unsafe fn get(&self) -> &std::sync::Mutex<u64> {
        // SAFETY: as the caller says.
        unsafe { self.mutex.assume_init_ref() }
    }
}
