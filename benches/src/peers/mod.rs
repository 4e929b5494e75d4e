//! The locks that are measured, outlive's and the others, all in the same kind of memory: the root
//! of an anonymous [`Segment`](outlive::Segment).

mod flock;
mod glibc;

pub use flock::{Flock, FlockFile};
pub use glibc::{Cond, Pthread, PthreadRwLock, Robustness, Sem};

use outlive::{Definition, LockError, Mutex, Shareable};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

/// A lock around a number, for processes.
pub trait Guarded {
    /// Locks, does that with the number, and unlocks. The death of the last holder is repaired,
    /// `inside` comes first.
    ///
    /// # Panics
    /// If the lock refuses.
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
                let mut guard = left.into_guard();
                let result = inside(&mut guard);
                guard.mark_consistent();
                result
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }
}

/// The least that a lock can cost: one compare-and-swap to take it, one swap to give it back. It
/// cannot wait.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Floor {
    word: AtomicU32,
}

impl Floor {
    /// Takes it as `id`; whether that worked.
    #[inline(always)]
    #[must_use]
    pub fn take(&self, id: u32) -> bool {
        // ORDERING: Acquire, as every lock; pairs with the Release of `give_back`.
        self.word.compare_exchange(0, id, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives it back; the word that was there.
    #[inline(always)]
    pub fn give_back(&self) -> u32 {
        // ORDERING: Release, as every lock; pairs with the Acquire of `take`.
        self.word.swap(0, Ordering::Release)
    }
}

/// Room for a [`std::sync::Mutex`], which knows only the threads of one process.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Std {
    mutex: MaybeUninit<std::sync::Mutex<u64>>,
}

// SAFETY: room for bytes, without drop glue. They become a mutex only in `set_up`, and are used as
// one only by a caller that vouches for it.
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
    /// [`set_up`](Self::set_up) was called, and no other process uses it.
    #[must_use]
    pub unsafe fn get(&self) -> &std::sync::Mutex<u64> {
        // SAFETY: as the caller says.
        unsafe { self.mutex.assume_init_ref() }
    }
}
