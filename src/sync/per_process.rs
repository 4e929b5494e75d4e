//! A value that each process makes for itself.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use crate::atomic::AtomicPtr;
use crate::error::Unsupported;
use crate::segment::local;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

/// A value that a process makes when it first needs it, and keeps until it ends.
///
/// A forked child makes one of its own: locks in its parent's may have been held at the time of the
/// fork, and its parent's threads do not exist there.
pub(super) struct PerProcess<T>(AtomicPtr<(u64, T)>);

impl<T: Send + Sync + 'static> PerProcess<T> {
    pub(super) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The value, if this process has made one.
    pub(super) fn current(&self) -> Option<&'static T> {
        // SAFETY: null, or leaked.
        unsafe { Self::of(self.0.load(Acquire), local::process_number()) }
    }

    /// The value behind this pointer, if the process of this number has made it.
    ///
    /// # Safety
    /// The pointer is null, or its value lives forever.
    unsafe fn of(made: *const (u64, T), number: u64) -> Option<&'static T> {
        // SAFETY: as the caller says.
        let (process, value) = unsafe { made.as_ref() }?;
        (*process == number).then_some(value)
    }

    /// The value. If two threads make one at once, one of the two is dropped.
    pub(super) fn get_or_try<E: From<Unsupported>>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&'static T, E> {
        // A forked child has none at first. Its own children would take what it makes for theirs.
        let number = local::ensure_process_number()?;
        // It is read once: the exchange replaces what was seen here, and not another thread's.
        let before = self.0.load(Acquire);
        // SAFETY: null, or leaked.
        if let Some(value) = unsafe { Self::of(before, number) } {
            return Ok(value);
        }
        let new = Box::into_raw(Box::new((number, make()?)));
        // ORDERING: AcqRel; publishes the value, and finds that of another thread.
        let published = match self.0.compare_exchange(before, new, AcqRel, Acquire) {
            Ok(_) => new,
            Err(other) => {
                // SAFETY: nobody else knows it.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: a thread of this process has published it, so it is never freed.
        Ok(unsafe { &(*published).1 })
    }
}
