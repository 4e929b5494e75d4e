//! A value that each process makes for itself.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use crate::atomic::AtomicPtr;
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
        let (process, value) = unsafe { self.0.load(Acquire).as_ref() }?;
        (*process == local::process_number()).then_some(value)
    }

    /// The value. If two threads make one at once, one of the two is dropped.
    pub(super) fn get_or_try<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&'static T, E> {
        if let Some(value) = self.current() {
            return Ok(value);
        }
        let before = self.0.load(Acquire);
        let new = Box::into_raw(Box::new((local::process_number(), make()?)));
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
