//! [`ReentrantMutex`]: a lock that its holder may take again.

use super::data_traits::{guard_of_data, lock_of_data};
use super::guard_tag::GuardTag;
use super::result::{LockFailure, guarded};
use super::{Deadline, LockResult, LockTimeoutResult, TryLockResult, is_current_thread, participant_that_holds};
use crate::ParticipantId;
use crate::error::NotHeldError;
#[allow(unused_imports)] // for the links below
use crate::error::TryLockError;
#[allow(unused_imports)] // for the links of the documentation
use crate::error::{LockError, LockTimeoutError};
use crate::platform::Linux;
use crate::raw::mutex::NotHeld;
use crate::raw::{self, Acquired, Cause, Leaked, NotLocked, Participant};
use crate::segment::{Definition, Part, Shareable, local};
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ops::Deref;
use std::time::{Duration, Instant};

/// A mutex that its holder may lock again, around data in memory that processes share. It takes
/// eight bytes and the data.
///
/// A function that locks may call another one that locks, too. The lock is free when as many holds
/// were given back as were taken. One thread can have several guards at a time. So the guards give
/// only `&T`. What is to be changed is an atomic, as with parking_lot's lock of this name and std's
/// `ReentrantLock`.
///
/// `ReentrantMutex<()>` is as Python's `multiprocessing.RLock`, with [`acquire`](Self::acquire) and
/// [`release`](Self::release) as separate calls. But Python's lock is never released when its
/// holder dies. Here the next holder learns of the death, as with [`Mutex`](crate::Mutex). It does
/// not matter how often the dead holder had taken the lock.
///
/// ```
/// use outlive::atomic::{AtomicU64, Ordering};
/// use outlive::{ReentrantMutex, Segment};
///
/// fn add(account: &ReentrantMutex<AtomicU64>, amount: u64) {
///     let sum = account.lock().unwrap();
///     sum.fetch_add(amount, Ordering::Relaxed);
/// }
///
/// let account = Segment::<ReentrantMutex<AtomicU64>>::anonymous(|_zero| {})?;
/// let sum = account.lock().unwrap();
/// add(&account, 1); // locks again
/// add(&account, 2); // nobody else was in between
/// assert_eq!(sum.load(Ordering::Relaxed), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// As with [`Mutex`](crate::Mutex#if-a-process-dies). All holds of the dead participant end with
/// it.
///
/// A thread that learned of a death or a panic when it took the lock does not learn it again when
/// it takes the lock once more. If a panic gives back the last hold, the lock is left
/// [`Poisoned`](LockError::Poisoned). Only the first guard knows which participant died or
/// panicked. If another guard, or [`release`](Self::release), gives back the last hold, the next
/// holder gets the same error without the participant's id.
///
/// # If a guard is leaked
///
/// As with [`Mutex`](crate::Mutex#if-a-guard-is-leaked). A hold that was taken by
/// [`acquire`](Self::acquire) gives no reference. If a thread ends with such holds alone, the next
/// to lock gets [`LockError::OwnerDied`].
#[repr(C)]
pub struct ReentrantMutex<T> {
    pub(super) raw: raw::ReentrantMutex<Linux>,
    data: T,
}

// SAFETY: repr(C); the words are understood whatever their bits, the data is Shareable; no
// pointers, no Drop but T's (none).
unsafe impl<T: Shareable> Shareable for ReentrantMutex<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::ReentrantMutex",
        &[
            Part::words::<raw::ReentrantMutex<Linux>>("raw", offset_of!(Self, raw)),
            Part::field::<T>("data", offset_of!(Self, data)),
        ],
    );
}

// SAFETY: `&T` is given to the one thread that holds the lock (raw::mutex, invariants 1 and 2),
// never to two at a time.
unsafe impl<T: Send> Sync for ReentrantMutex<T> {}

impl<T> ReentrantMutex<T> {
    /// A free lock around `data`. Memory of zeros is a free lock around zeros.
    pub const fn new(data: T) -> Self {
        Self { raw: raw::ReentrantMutex::from_words(Linux::zero(), Linux::zero()), data }
    }

    /// Locks, waiting as long as it takes. A thread that holds the lock already does not wait.
    ///
    /// A signal ends the wait only in an [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] and [`LockError::Poisoned`], which contain the guard;
    /// [`LockError::TooDeep`] if this thread holds it 2^32 times; [`LockError::Leaked`];
    /// [`LockError::Interrupted`]; [`LockError::Register`] where the thread cannot take part in the
    /// segment.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn lock(&self) -> LockResult<ReentrantMutexGuard<'_, T>> {
        self.lock_with(Deadline::NEVER)
    }

    /// Locks if that takes no waiting. A dead holder is no reason to wait, unless its process is
    /// still ending.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`]; [`TryLockError::OwnerDied`] and [`TryLockError::Poisoned`],
    /// which contain the guard; [`TryLockError::TooDeep`]; [`TryLockError::Leaked`];
    /// [`TryLockError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<ReentrantMutexGuard<'_, T>> {
        self.lock_with(Deadline::Immediate)
    }

    /// Locks, waiting at most for `timeout` (monotonic time). [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock), and [`LockTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_lock_for(&self, timeout: Duration) -> LockTimeoutResult<ReentrantMutexGuard<'_, T>> {
        self.lock_with(Deadline::after(timeout))
    }

    /// Locks, waiting at most to `deadline`. A deadline that has passed counts as now.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock), and [`LockTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_lock_until(&self, deadline: Instant) -> LockTimeoutResult<ReentrantMutexGuard<'_, T>> {
        self.lock_with(Deadline::at(deadline))
    }

    /// Takes a hold without a guard, for Python's `acquire()`. Until the hold is
    /// [released](Self::release), [`lock`](Self::lock) gives this thread guards at once.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock). After `OwnerDied` and `Poisoned` **the hold is taken**.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn acquire(&self) -> LockResult<()> {
        self.acquire_with(Deadline::NEVER)
    }

    /// As [`acquire`](Self::acquire), if that takes no waiting.
    ///
    /// # Errors
    /// Those of [`try_lock`](Self::try_lock).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_acquire(&self) -> TryLockResult<()> {
        self.acquire_with(Deadline::Immediate)
    }

    /// As [`acquire`](Self::acquire), waiting at most for `timeout`. [`Duration::MAX`] waits
    /// forever.
    ///
    /// # Errors
    /// Those of [`try_lock_for`](Self::try_lock_for).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_for(&self, timeout: Duration) -> LockTimeoutResult<()> {
        self.acquire_with(Deadline::after(timeout))
    }

    /// As [`acquire`](Self::acquire), waiting at most to `deadline`.
    ///
    /// # Errors
    /// Those of [`try_lock_until`](Self::try_lock_until).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_until(&self, deadline: Instant) -> LockTimeoutResult<()> {
        self.acquire_with(Deadline::at(deadline))
    }

    /// Gives back one hold of this thread. To be called once for each [`acquire`](Self::acquire).
    ///
    /// A guard gives its own hold back. If a thread releases the hold of a guard by this, the guard
    /// no longer has the lock. This asks for `T: Sync`, so that such a guard can change only what
    /// several threads may change at a time.
    ///
    /// # Errors
    /// The calling thread does not hold the lock. Nothing is changed. (Python's `release` of a lock
    /// that is not owned fails, too.)
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn release(&self) -> Result<(), NotHeldError>
    where
        T: Sync,
    {
        let me = participant_that_holds(self, || self.raw.holder())?;
        Ok(self.raw.release(me, 0)?)
    }

    /// Makes a guard for a hold that this thread has [acquired](Self::acquire). Dropping the guard
    /// gives the hold back. [`ReentrantMutexGuard::forget`] is the reverse.
    ///
    /// A wait on a [`Condvar`](crate::Condvar) needs no adopted hold: [`lock`](Self::lock) gives a
    /// guard at once, and the wait gives all holds back. As [`release`](Self::release), this asks
    /// for `T: Sync`, because this cannot know which holds have guards already.
    ///
    /// ```
    /// # let lock = outlive::Segment::<outlive::ReentrantMutex<()>>::anonymous(|_| {})?;
    /// lock.acquire().unwrap();
    /// {
    ///     let _guard = lock.adopt()?;
    /// }
    /// assert_eq!(lock.holder(), None);
    /// assert!(lock.adopt().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The calling thread does not hold the lock.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). Nothing is changed by this.
    pub fn adopt(&self) -> Result<ReentrantMutexGuard<'_, T>, NotHeldError>
    where
        T: Sync,
    {
        let me = participant_that_holds(self, || self.raw.holder())?;
        Ok(ReentrantMutexGuard::new(self, me.word()))
    }

    #[inline(always)]
    fn take(&self, me: Participant<'_, Linux>, deadline: Deadline) -> Result<Acquired, NotLocked> {
        match deadline {
            Deadline::Immediate => self.raw.try_lock(me),
            Deadline::By(deadline) => self.raw.lock(me, deadline),
        }
    }

    #[inline(always)]
    fn acquire_with<E: LockFailure<()>>(&self, deadline: Deadline) -> Result<(), E> {
        let me = local::participant(self)?;
        guarded(self.take(me, deadline), |_left| ())
    }

    #[inline(always)]
    fn lock_with<'a, E>(&'a self, deadline: Deadline) -> Result<ReentrantMutexGuard<'a, T>, E>
    where
        E: LockFailure<ReentrantMutexGuard<'a, T>>,
    {
        let me = local::participant(self)?;
        let id = me.id;
        guarded(self.take(me, deadline), move |left| {
            ReentrantMutexGuard::new(self, left.map_or(id.word(), Cause::word))
        })
    }

    /// As [`try_lock`](Self::try_lock), but also takes the lock over from a thread that [leaked a
    /// guard](Self#if-a-guard-is-leaked) and ended. The caller then gets
    /// [`TryLockError::OwnerDied`].
    ///
    /// # Safety
    /// No reference that a leaked guard gave is used any more, in any process.
    ///
    /// # Errors
    /// Those of [`try_lock`](Self::try_lock), except `Leaked`.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub unsafe fn lock_leaked(&self) -> TryLockResult<ReentrantMutexGuard<'_, T>> {
        let me = local::participant(self)?;
        let answer = self.raw.try_lock_with(me, Leaked::Take);
        guarded(answer, |left| ReentrantMutexGuard::new(self, left.map_or(me.id.word(), Cause::word)))
    }

    /// Whether the data is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        self.raw.is_inconsistent()
    }

    /// Says, as the holder, that the data is right again.
    ///
    /// # Errors
    /// The calling thread does not hold the lock.
    pub fn mark_consistent(&self) -> Result<(), NotHeldError> {
        participant_that_holds(self, || self.raw.holder())?;
        self.raw.mark_consistent();
        Ok(())
    }

    /// The holder at the moment, dead or alive.
    /// [`Segment::participant`](crate::Segment::participant) says which process that is.
    pub fn holder(&self) -> Option<ParticipantId> {
        self.raw.holder()
    }

    /// Whether the calling thread holds the lock, once or several times.
    ///
    /// ```
    /// use outlive::{ReentrantMutex, Segment};
    ///
    /// let lock = Segment::<ReentrantMutex<()>>::anonymous(|_free| {})?;
    /// lock.acquire().unwrap();
    /// assert!(lock.is_owned_by_current_thread());
    /// lock.release()?;
    /// assert!(!lock.is_owned_by_current_thread());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_owned_by_current_thread(&self) -> bool {
        is_current_thread(self, self.raw.holder())
    }

    /// The data, without locking: the borrow shows that nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.data
    }

    /// The data.
    pub fn into_inner(self) -> T {
        self.data
    }
}

lock_of_data! {
    "ReentrantMutex", try_lock,
    /// Never waits: it shows whether another thread holds the lock.
    [Sized] [] ReentrantMutex<T>
}

/// One hold of a [`ReentrantMutex`]. Dropping it gives the hold back.
///
/// A child that was forked meanwhile has a copy of the guard. The copy releases nothing, but it
/// still gives the reference. See [fork](crate::guide#fork).
///
/// # Panics
/// Dropping the guard panics if its hold is gone, because this thread has
/// [released](ReentrantMutex::release) more often than it had acquired.
#[must_use = "if unused the hold is given back at once"]
pub struct ReentrantMutexGuard<'a, T> {
    pub(super) lock: &'a ReentrantMutex<T>,
    /// The guard's own part of the tag is the word of the holder's id. After an inconsistency, it
    /// is the word of the cause.
    pub(super) tag: GuardTag,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

// SAFETY: a `&ReentrantMutexGuard` gives only `&T`.
unsafe impl<T: Sync> Sync for ReentrantMutexGuard<'_, T> {}

impl<'a, T> ReentrantMutexGuard<'a, T> {
    #[inline(always)]
    pub(super) fn new(lock: &'a ReentrantMutex<T>, own: u32) -> Self {
        local::hold_begins();
        Self { lock, tag: GuardTag::now(own), not_send: PhantomData }
    }

    /// Says that the data is right again. After this call, the next holder does not learn of the
    /// earlier death or panic.
    pub fn mark_consistent(&mut self) {
        if self.tag.is_of_this_process() {
            self.lock.raw.mark_consistent();
        }
    }

    /// Keeps the hold without a guard, as after [`ReentrantMutex::acquire`]. The hold stays until
    /// it is [released](ReentrantMutex::release). [`ReentrantMutex::adopt`] gives a guard again.
    ///
    /// A hold without a guard gives no reference. So if its thread ends, the hold goes to the next
    /// thread that locks, and is not [leaked](ReentrantMutex#if-a-guard-is-leaked). In a child that
    /// was forked since the hold was taken, this does nothing: the hold is the parent's.
    ///
    /// # If a process dies
    /// See [`ReentrantMutex`](ReentrantMutex#if-a-process-dies). Nothing is changed by this.
    pub fn forget(self) {
        let guard = core::mem::ManuallyDrop::new(self);
        if guard.tag.is_of_this_process() {
            local::hold_ends(); // of the guard alone: the words are as after `acquire`
        }
    }

    #[inline]
    fn give_back(&self) -> Result<(), NotHeld> {
        let own = self.tag.own();
        match ParticipantId::holder_in(own) {
            Some(id) if !self.tag.panicked_since() => self.lock.raw.release(id, 0),
            _ => self.give_back_slow(own),
        }
    }

    /// After an inconsistency, or in a panic.
    #[cold]
    fn give_back_slow(&self, cause: u32) -> Result<(), NotHeld> {
        // The thread that locked was a participant. If it no longer is one, it holds nothing.
        let Ok(me) = local::participant(self.lock) else { return Err(NotHeld { holder: None }) };
        if self.tag.panicked_since() {
            self.lock.raw.release_in_panic(me.id)
        } else {
            self.lock.raw.release(me.id, cause)
        }
    }
}

impl<T> Deref for ReentrantMutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        &self.lock.data
    }
}

impl<T> Drop for ReentrantMutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.tag.is_of_this_process() {
            return; // a fork's copy
        }
        let given_back = self.give_back();
        local::hold_ends(); // only now, as in `Mutex`
        if let Err(lost) = given_back {
            // A second panic would abort: the first one is enough.
            assert!(std::thread::panicking(), "a ReentrantMutexGuard lost its hold: {}", NotHeldError::from(lost));
        }
    }
}

guard_of_data! { [Sized] [] ReentrantMutexGuard<'_, T> }
