//! Guards that a condition variable gives back and takes again.

use super::CondvarResult;
use super::guard_tag::GuardTag;
use super::lock::{Lock, LockGuard};
use super::mutex::{Mutex, MutexGuard};
use super::reentrant::{ReentrantMutex, ReentrantMutexGuard};
use super::result::retaken;
use crate::ParticipantId;
use crate::error::{CondvarError, NotHeldError, NotWaitedError};
use crate::platform::Linux;
use crate::raw::mutex::NotLocked;
use crate::raw::{self, Acquired, Cause, Leaked, Participant};
use crate::segment::local;
use core::mem::ManuallyDrop;

/// A guard that a [`Condvar`](crate::Condvar) can wait with: of a [`Mutex`](crate::Mutex), a
/// [`ReentrantMutex`](crate::ReentrantMutex) of data that is `Sync`, or a [`Lock`](crate::Lock).
/// Nothing else can be one.
///
/// A thread that has two guards of a `ReentrantMutex`, and waits with one of them, keeps the other.
/// That guard still refers to the data while another thread has the lock.
pub trait Waitable: sealed::Guard {}

impl<T: ?Sized> Waitable for MutexGuard<'_, T> {}
impl<T: Sync> Waitable for ReentrantMutexGuard<'_, T> {}
impl Waitable for LockGuard<'_> {}

pub(super) use sealed::Hold;

type RawMutex = raw::Mutex<Linux>;

mod sealed {
    use super::*;

    pub trait Guard: Sized {
        /// What a condition is asked about: the data of a `Mutex`; the guard of a lock that gives
        /// no `&mut`.
        type Seen: ?Sized;
        #[doc(hidden)]
        type Lock: ?Sized;
        #[doc(hidden)]
        type Hold: Hold<Self>;
        #[doc(hidden)]
        fn seen(&mut self) -> &mut Self::Seen;
        /// The lock, if the guard stands for a hold of this thread's.
        #[doc(hidden)]
        fn held_lock(&self) -> Result<&Self::Lock, NotWaitedError>;
        /// The guard's parts, for [`Hold::lock_again`]; the lock stays held.
        #[doc(hidden)]
        fn into_hold(self) -> Self::Hold;
    }

    #[allow(unreachable_pub)] // a bound of a public trait's type: Rust 1.85 takes it for unreachable
    pub trait Hold<G> {
        /// The mutex whose word says who holds the lock.
        fn lock(&self) -> &RawMutex;
        fn release(&mut self);
        fn lock_again(&self, me: Participant<'_, Linux>) -> Result<Acquired, NotLocked>;
        /// The guard of a lock that was `taken` again.
        fn into_guard(self, me: Participant<'_, Linux>, taken: Result<Acquired, NotLocked>) -> CondvarResult<G>;
    }
}

/// What is left of a guard while its lock is given back.
#[derive(Debug)]
pub struct Parts<'a, L: ?Sized> {
    lock: &'a L,
    /// The guard's own part of its tag.
    own: u32,
    /// Holds beyond the first.
    count: u32,
}

/// A fork's copy stands for nothing: the hold is the parent's.
fn is_ours(tag: GuardTag, holder: Option<ParticipantId>) -> Result<(), NotHeldError> {
    if tag.is_of_this_process() { Ok(()) } else { Err(NotHeldError::by(holder)) }
}

/// The outcome of a lock call without a deadline. If somebody has written the caller's own id into
/// the word, the lock counts as held.
///
/// # Errors
/// [`CondvarError::Leaked`]: the lock is not held.
fn inconsistency<G>(answer: Result<Acquired, NotLocked>) -> Result<Option<Cause>, CondvarError<G>> {
    match answer {
        Ok(acquired) => Ok(acquired.inconsistent),
        Err(NotLocked::Leaked(by)) => Err(CondvarError::Leaked { by }),
        Err(_) => Ok(None),
    }
}

impl<'a, T: ?Sized> sealed::Guard for MutexGuard<'a, T> {
    type Seen = T;
    type Lock = Mutex<T>;
    type Hold = Parts<'a, Mutex<T>>;

    fn seen(&mut self) -> &mut T {
        self
    }
    fn held_lock(&self) -> Result<&Mutex<T>, NotWaitedError> {
        is_ours(self.tag, self.lock.raw.holder())?;
        Ok(self.lock)
    }
    fn into_hold(self) -> Self::Hold {
        local::hold_ends(); // the hold begins anew with the guard that comes back
        let guard = ManuallyDrop::new(self);
        Parts { lock: guard.lock, own: guard.tag.own(), count: 0 }
    }
}

impl<'a, T: ?Sized> Hold<MutexGuard<'a, T>> for Parts<'a, Mutex<T>> {
    fn lock(&self) -> &RawMutex {
        &self.lock.raw
    }
    fn release(&mut self) {
        self.lock.raw.unlock(self.own);
    }
    fn lock_again(&self, me: Participant<'_, Linux>) -> Result<Acquired, NotLocked> {
        self.lock.raw.lock_again(me)
    }
    fn into_guard(
        self,
        _me: Participant<'_, Linux>,
        taken: Result<Acquired, NotLocked>,
    ) -> CondvarResult<MutexGuard<'a, T>> {
        let cause = inconsistency(taken)?;
        retaken(cause, MutexGuard::new(self.lock, cause))
    }
}

impl<'a, T> sealed::Guard for ReentrantMutexGuard<'a, T> {
    type Seen = Self;
    type Lock = ReentrantMutex<T>;
    type Hold = Parts<'a, ReentrantMutex<T>>;

    fn seen(&mut self) -> &mut Self {
        self
    }
    fn held_lock(&self) -> Result<&ReentrantMutex<T>, NotWaitedError> {
        let holder = self.lock.raw.holder();
        is_ours(self.tag, holder)?;
        if holder == Some(local::participant(self.lock)?.id) {
            Ok(self.lock)
        } else {
            Err(NotHeldError::by(holder).into())
        }
    }
    fn into_hold(self) -> Self::Hold {
        local::hold_ends(); // the hold begins anew with the guard that comes back
        let guard = ManuallyDrop::new(self);
        Parts { lock: guard.lock, own: guard.tag.own(), count: 0 }
    }
}

impl<'a, T> Hold<ReentrantMutexGuard<'a, T>> for Parts<'a, ReentrantMutex<T>> {
    fn lock(&self) -> &RawMutex {
        self.lock.raw.mutex()
    }
    fn release(&mut self) {
        let cause = if ParticipantId::holder_in(self.own).is_some() { 0 } else { self.own };
        self.count = self.lock.raw.release_all(cause);
    }
    fn lock_again(&self, me: Participant<'_, Linux>) -> Result<Acquired, NotLocked> {
        self.lock.raw.lock_again(me, self.count)
    }
    fn into_guard(
        self,
        me: Participant<'_, Linux>,
        taken: Result<Acquired, NotLocked>,
    ) -> CondvarResult<ReentrantMutexGuard<'a, T>> {
        let cause = inconsistency(taken)?;
        retaken(cause, ReentrantMutexGuard::new(self.lock, cause.map_or(me.id.word(), Cause::word)))
    }
}

impl<'a> sealed::Guard for LockGuard<'a> {
    type Seen = Self;
    type Lock = Lock;
    type Hold = Parts<'a, Lock>;

    fn seen(&mut self) -> &mut Self {
        self
    }
    /// Another thread may have released the lock on our behalf. If it does so only after this
    /// check, no harm is done: the wait releases the lock in any case.
    fn held_lock(&self) -> Result<&Lock, NotWaitedError> {
        let holder = self.lock.holder();
        is_ours(self.tag, holder)?;
        if holder == ParticipantId::holder_in(self.tag.own()) {
            Ok(self.lock)
        } else {
            Err(NotHeldError::by(holder).into())
        }
    }
    fn into_hold(self) -> Self::Hold {
        let guard = ManuallyDrop::new(self);
        Parts { lock: guard.lock, own: guard.tag.own(), count: 0 }
    }
}

impl<'a> Hold<LockGuard<'a>> for Parts<'a, Lock> {
    fn lock(&self) -> &RawMutex {
        &self.lock.raw
    }
    fn release(&mut self) {
        if self.lock.raw.release(ParticipantId::holder_in(self.own), None).is_ok() {
            local::lock_ends(); // otherwise another thread has released the lock
        }
    }
    fn lock_again(&self, me: Participant<'_, Linux>) -> Result<Acquired, NotLocked> {
        self.lock.raw.lock_again_with(me, Leaked::Wait)
    }
    fn into_guard(
        self,
        me: Participant<'_, Linux>,
        taken: Result<Acquired, NotLocked>,
    ) -> CondvarResult<LockGuard<'a>> {
        let cause = inconsistency(taken)?;
        local::lock_begins();
        retaken(cause, LockGuard::new(self.lock, me.id))
    }
}
