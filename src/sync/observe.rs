//! What a [`Monitor`](crate::Monitor) tells of the primitives: by loads with Relaxed alone.

use super::{Event, Lock, Mutex, PermitPool, ReentrantMutex, RwLock, Semaphore};
use crate::platform::{Linux, Word};
use crate::raw::{self, Id};
use crate::segment::{Observe, Shareable, sealed};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// What a [`Monitor`](crate::Monitor) tells of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockState {
    /// Who holds it, dead or alive; of a [`RwLock`](crate::RwLock) who writes, or waits for the last readers.
    pub holder: Option<Id>,
    /// Whether what it protects was left inconsistent.
    pub is_inconsistent: bool,
}

macro_rules! locks {
    ($([$($generics:tt)*] $lock:ty, $holder:ident;)*) => {$(
        impl<$($generics)*> sealed::Observe for $lock {}
        impl<$($generics)*> Observe for $lock {
            type Observed = LockState;
            fn observed(&self) -> LockState {
                LockState { holder: self.$holder(), is_inconsistent: self.is_inconsistent() }
            }
        }
    )*};
}

locks! {
    [T: Shareable] Mutex<T>, holder;
    [T: Shareable] ReentrantMutex<T>, holder;
    [] Lock, holder;
    [T: Shareable, const READERS: usize] RwLock<T, READERS>, writer;
}

impl sealed::Observe for Semaphore {}
/// How many permits there are.
impl Observe for Semaphore {
    type Observed = u32;
    fn observed(&self) -> u32 {
        self.available()
    }
}

impl sealed::Observe for Event {}
/// Whether it is set.
impl Observe for Event {
    type Observed = bool;
    fn observed(&self) -> bool {
        // SAFETY: an event is a word alone, down to it `repr(transparent)`.
        let word = unsafe { &*ptr::from_ref(self).cast::<<Linux as crate::platform::Platform>::Word>() };
        // ORDERING: Relaxed; a fence follows. The event's own look is one with Acquire, which read-only
        // memory does not admit, so it is at a copy.
        raw::Event::<Linux>::from_word(Word::new(word.load(Relaxed))).is_set()
    }
}

impl<const N: usize> sealed::Observe for PermitPool<N> {}
/// Which permits are held, and by whom, dead or alive.
impl<const N: usize> Observe for PermitPool<N> {
    type Observed = Vec<(usize, Id)>;
    fn observed(&self) -> Vec<(usize, Id)> {
        self.holders().collect()
    }
}
