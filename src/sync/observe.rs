//! What a [`Monitor`](crate::Monitor) shows of the primitives, by loads with Relaxed alone.

use super::{Event, Lock, Mutex, PermitPool, ReentrantMutex, RwLock, Semaphore};
use crate::ParticipantId;
use crate::platform::{Linux, Word};
use crate::raw;
use crate::segment::{Observe, Shareable, sealed};
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// What a [`Monitor`](crate::Monitor) shows of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockState {
    /// The holder, dead or alive. Of a [`RwLock`](crate::RwLock): the writer, which may still wait
    /// for the last readers.
    pub holder: Option<ParticipantId>,
    /// Whether what it protects was left inconsistent.
    pub is_inconsistent: bool,
}

/// For how long a lock has been seen with one holder, by a caller that checks again and again.
///
/// It is for waiters that want to know the holder: after each timeout the waiter asks for the
/// holder of the lock. A [`Monitor`](crate::Monitor) does it with [`LockState::holder`].
///
/// No lock notes when it was taken, since that would make each lock and unlock slower. So this does
/// not know:
///
/// * since when the lock was held before the first check. It cannot be longer than the holder's
///   [`age`](crate::ParticipantInfo::age);
/// * what happened between two checks. The holder may have released the lock, and taken it again.
///
/// ```
/// use outlive::{HolderWatch, LockTimeoutError, Mutex, Segment};
/// use std::time::Duration;
///
/// let account = Segment::<Mutex<u64>>::anonymous(|_zero| {})?;
/// # std::thread::scope(|scope| -> Result<(), Box<dyn std::error::Error>> {
/// # let (held, is_held) = std::sync::mpsc::channel();
/// # let (end, is_over) = std::sync::mpsc::channel::<()>();
/// # let account = &account;
/// # scope.spawn(move || {
/// #     let _guard = account.lock().unwrap();
/// #     held.send(()).unwrap();
/// #     let _ = is_over.recv();
/// # });
/// # is_held.recv().unwrap();
/// # let mut end = Some(end);
/// let mut watch = HolderWatch::new();
/// let guard = loop {
///     match account.try_lock_for(Duration::from_millis(10)) {
///         Err(LockTimeoutError::TimedOut) => {
///             if let Some((holder, seen_for)) = watch.observe(account.holder()) {
///                 match account.participant(holder) {
///                     Some(who) => println!("seen with {who}, for {seen_for:?}"),
///                     None => println!("seen with participant {holder}, who has gone, for {seen_for:?}"),
///                 }
/// #               drop(end.take());
///             }
///         }
///         answer => break answer,
///     }
/// };
/// # assert!(guard.is_ok());
/// # Ok(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct HolderWatch {
    seen: Option<(ParticipantId, Instant)>,
}

impl HolderWatch {
    /// A watch that has seen nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: None }
    }

    /// Notes the holder of the lock. Returns the holder, and for how long all checks in a row have
    /// found this holder: zero, if this is the first one. `None` if nobody holds it.
    ///
    /// A dead holder is one as long as the lock names it. The next participant in its slot has
    /// another id.
    pub fn observe(&mut self, holder: Option<ParticipantId>) -> Option<(ParticipantId, Duration)> {
        let now = Instant::now();
        let same = self.seen.filter(|(id, _)| holder == Some(*id));
        self.seen = same.or(holder.map(|id| (id, now)));
        self.seen.map(|(id, since)| (id, now.saturating_duration_since(since)))
    }
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
        // ORDERING: Relaxed; a fence follows. The event's own check loads with Acquire, which
        // read-only memory does not admit. So it checks a copy.
        raw::Event::<Linux>::from_word(Word::new(word.load(Relaxed))).is_set()
    }
}

impl<const N: usize> sealed::Observe for PermitPool<N> {}
/// The permits that are held, and their holders, dead or alive.
impl<const N: usize> Observe for PermitPool<N> {
    type Observed = Vec<(usize, ParticipantId)>;
    fn observed(&self) -> Vec<(usize, ParticipantId)> {
        self.holders().collect()
    }
}
