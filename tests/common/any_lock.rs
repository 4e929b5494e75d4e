//! `Mutex`, `ReentrantMutex` and `Lock` for tests that do the same with each of them.

use outlive::{
    Lock, LockError, LockGuard, LockResult, LockTimeoutResult, Mutex, MutexGuard, NotHeldError, ParticipantId,
    ReentrantMutex, ReentrantMutexGuard, Shareable, TryLockResult,
};
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// A lock. A holder has a guard, or, of a [`Bare`] lock, nothing.
pub trait AnyLock: Shareable + Default + Debug + Send + Sync + 'static {
    type Hold<'a>;
    const NAME: &'static str;
    /// The names of the calls that lock and unlock it.
    const CALLS: [&'static str; 2];
    /// How often a holder locks it, and unlocks it.
    const DEPTH: usize;
    /// Every holder learns which participant died, until one marks the data consistent. Otherwise
    /// the first holder alone learns it.
    const KEEPS_THE_NAME: bool;
    fn lock(&self) -> LockResult<Self::Hold<'_>>;
    fn try_lock(&self) -> TryLockResult<Self::Hold<'_>>;
    fn try_lock_for(&self, timeout: Duration) -> LockTimeoutResult<Self::Hold<'_>>;
    fn try_lock_until(&self, deadline: Instant) -> LockTimeoutResult<Self::Hold<'_>>;
    fn mark_consistent(&self, hold: &mut Self::Hold<'_>);
    fn unlock(&self, hold: Self::Hold<'_>);
    fn holder(&self) -> Option<ParticipantId>;
}

/// A lock whose holders acquire and release it without a guard.
#[derive(Debug, Default, Shareable)]
#[repr(C)]
pub struct Bare<L>(L);

impl<L> Deref for Bare<L> {
    type Target = L;
    fn deref(&self) -> &L {
        &self.0
    }
}

macro_rules! any_lock {
    ($type:ty, $lock:ident, depth $depth:literal, keeps the name $keeps:literal, $hold:ty,
     [$call:ident, $try:ident, $try_for:ident, $try_until:ident, $unlock:ident],
     $mark:expr, $give_back:expr) => {
        impl AnyLock for $type {
            type Hold<'a> = $hold;
            const NAME: &'static str = stringify!($lock);
            const CALLS: [&'static str; 2] = [stringify!($call), stringify!($unlock)];
            const DEPTH: usize = $depth;
            const KEEPS_THE_NAME: bool = $keeps;
            fn lock(&self) -> LockResult<Self::Hold<'_>> {
                $lock::$call(self)
            }
            fn try_lock(&self) -> TryLockResult<Self::Hold<'_>> {
                $lock::$try(self)
            }
            fn try_lock_for(&self, timeout: Duration) -> LockTimeoutResult<Self::Hold<'_>> {
                $lock::$try_for(self, timeout)
            }
            fn try_lock_until(&self, deadline: Instant) -> LockTimeoutResult<Self::Hold<'_>> {
                $lock::$try_until(self, deadline)
            }
            fn mark_consistent(&self, hold: &mut Self::Hold<'_>) {
                let mark: fn(&Self, &mut Self::Hold<'_>) = $mark;
                mark(self, hold);
            }
            fn unlock(&self, hold: Self::Hold<'_>) {
                let give_back: fn(&Self, Self::Hold<'_>) = $give_back;
                give_back(self, hold);
            }
            fn holder(&self) -> Option<ParticipantId> {
                $lock::holder(self)
            }
        }
    };
}
macro_rules! guarded {
    ($type:ty, $lock:ident, depth $depth:literal, keeps the name $keeps:literal, $hold:ty) => {
        any_lock! {
            $type, $lock, depth $depth, keeps the name $keeps, $hold,
            [lock, try_lock, try_lock_for, try_lock_until, unlock],
            |_, guard| guard.mark_consistent(), |_, guard| drop(guard)
        }
    };
}
macro_rules! bare {
    ($lock:ident, $type:ty, depth $depth:literal) => {
        any_lock! {
            Bare<$type>, $lock, depth $depth, keeps the name false, (),
            [acquire, try_acquire, try_acquire_for, try_acquire_until, release],
            |lock, _| lock.0.mark_consistent().expect("held"), |lock, _| lock.0.release().expect("held")
        }
    };
}
guarded!(Mutex<()>, Mutex, depth 1, keeps the name true, MutexGuard<'a, ()>);
guarded!(ReentrantMutex<()>, ReentrantMutex, depth 2, keeps the name true, ReentrantMutexGuard<'a, ()>);
guarded!(Lock, Lock, depth 1, keeps the name false, LockGuard<'a>);
bare!(ReentrantMutex, ReentrantMutex<()>, depth 2);
bare!(Lock, Lock, depth 1);

/// A lock that can be held without a guard, and get one later.
pub trait Adopts: AnyLock {
    fn adopt(&self) -> Result<Self::Hold<'_>, NotHeldError>;
    fn forget(hold: Self::Hold<'_>);
    fn release(&self) -> Result<(), NotHeldError>;
}

macro_rules! adopts {
    ($($type:ty, $lock:ident, $guard:ident;)*) => {$(
        impl Adopts for $type {
            fn adopt(&self) -> Result<Self::Hold<'_>, NotHeldError> {
                $lock::adopt(self)
            }
            fn forget(hold: Self::Hold<'_>) {
                $guard::forget(hold);
            }
            fn release(&self) -> Result<(), NotHeldError> {
                $lock::release(self)
            }
        }
    )*};
}
adopts! { ReentrantMutex<()>, ReentrantMutex, ReentrantMutexGuard; Lock, Lock, LockGuard; }

/// A lock, and what it protects.
#[derive(Debug, Default, Shareable)]
#[repr(C)]
pub struct Protected<L> {
    pub lock: L,
    /// The process that is inside of the lock. A process that is killed inside stays noted.
    inside: AtomicU32,
    /// Two numbers that are equal unless a holder died between the two updates.
    pub pair: [AtomicU64; 2],
    /// Updates that children report as done.
    pub reported: AtomicU64,
}

impl<L: AnyLock> Protected<L> {
    /// Locks as often as a holder does, and repairs what a dead holder left. Returns the holds, and
    /// a word: whether a holder had died.
    pub fn take(&self) -> Result<(Vec<L::Hold<'_>>, &'static str), String> {
        let (hold, word) = match self.lock.lock() {
            Ok(_) if self.is_half() => return Err("half an update that was not reported".into()),
            Ok(hold) => (hold, "ok"),
            Err(LockError::OwnerDied(left)) => {
                if L::KEEPS_THE_NAME && left.by().is_none() {
                    return Err("nobody knows who died".into());
                }
                let mut hold = left.into_inner();
                self.pair[1].store(self.pair[0].load(SeqCst), SeqCst);
                self.lock.mark_consistent(&mut hold);
                (hold, "owner died")
            }
            Err(other) => return Err(other.to_string()),
        };
        let mut holds = vec![hold];
        while holds.len() < L::DEPTH {
            holds.push(self.lock.lock().map_err(|error| format!("a further lock: {error}"))?);
        }
        Ok((holds, word))
    }

    fn is_half(&self) -> bool {
        self.pair[0].load(SeqCst) != self.pair[1].load(SeqCst)
    }

    /// Unlocks as often as [`take`](Self::take) locked.
    pub fn give_back(&self, holds: Vec<L::Hold<'_>>) {
        holds.into_iter().for_each(|hold| self.lock.unlock(hold));
    }

    /// What the holder does.
    pub fn update(&self) {
        self.pair[0].fetch_add(1, SeqCst);
        std::hint::black_box(&self.pair);
        self.pair[1].fetch_add(1, SeqCst);
    }

    /// Locks, updates and unlocks. No other is inside, and half an update is reported. Returns
    /// whether a holder had died.
    pub fn get_through(&self, me: ParticipantId) -> Result<&'static str, String> {
        let (holds, word) = self.take()?;
        let process = std::process::id();
        self.inside.store(process, SeqCst);
        self.pair[0].fetch_add(1, SeqCst);
        std::thread::yield_now();
        self.pair[1].fetch_add(1, SeqCst);
        if self.inside.load(SeqCst) != process || self.is_half() || self.lock.holder() != Some(me) {
            return Err("two were inside at once".into());
        }
        self.give_back(holds);
        Ok(word)
    }
}
