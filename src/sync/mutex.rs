//! [`Mutex`]: data under a lock that outlives its holder.

use super::data_traits::{guard_of_data, lock_of_data};
use super::guard_tag::GuardTag;
use super::result::{LockFailure, guarded};
use super::{Deadline, LockResult, LockTimeoutResult, TryLockResult, is_current_thread};
use crate::ParticipantId;
#[allow(unused_imports)] // for the links below
use crate::error::TryLockError;
#[allow(unused_imports)] // for the links of the documentation
use crate::error::{LockError, LockTimeoutError};
use crate::platform::Linux;
use crate::raw::{self, Cause, Leaked};
use crate::segment::{Definition, Part, Shareable, local};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// Data that one thread at a time may use, in memory that processes share. It takes four bytes and
/// the data.
///
/// It works as [`std::sync::Mutex`], with one more answer. If a holder **died**, by whatever cause,
/// the next thread to lock gets the guard inside [`LockError::OwnerDied`]. So does every thread
/// after it, until a holder that has checked the data calls [`MutexGuard::mark_consistent`].
///
/// It must be in a [`Segment`](crate::Segment). Elsewhere every operation gives
/// [`RegisterError::NotInSegment`](crate::RegisterError::NotInSegment). A thread takes part in a
/// segment from its first operation there. For data whose length is chosen at run time,
/// `Mutex::<[T]>::create` makes a [`MutexSegment`](crate::MutexSegment).
///
/// ```
/// use outlive::{LockError, Mutex, Segment};
///
/// let counter = Segment::<Mutex<u64>>::anonymous(|_zero| {})?;
/// match counter.lock() {
///     Ok(mut count) => *count += 1,
///     Err(LockError::OwnerDied(left)) => {
///         let mut count = left.into_inner();
///         *count = 0; // whatever makes it right again
///         count.mark_consistent();
///     }
///     Err(other) => return Err(other.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                                      | what the others see                                                      |
/// |--------------------------------------------------|--------------------------------------------------------------------------|
/// | the holder (SIGKILL, exit, exec, end of thread)   | the next thread to lock, or a waiter, gets `OwnerDied` with the guard     |
/// | a waiter       | nothing                                                                  |
/// | a thread that unlocks | before the release: `OwnerDied`; after it: nothing, and the waiters go on |
///
/// The others learn of the death as soon as the kernel has ended the thread. That takes tens of
/// microseconds, and longer if the kernel writes a core dump first. The death of a thread that was
/// only about to wake a waiter is noticed later, within ten milliseconds. The guide has the limits.
///
/// # If a guard is leaked
///
/// The guard's thread holds the lock as long as the thread lives, as with std. If the thread ends,
/// and its process lives on, every thread that locks gets [`LockError::Leaked`] at once. For
/// another thread of that process may still use a reference that the guard gave. When that process
/// ends, the next to lock gets `OwnerDied`. A process in another PID namespace cannot be checked,
/// and counts as living. So does a process that has become another program by exec.
/// [`lock_leaked`](Self::lock_leaked) is for callers that know better.
#[repr(C)]
pub struct Mutex<T: ?Sized> {
    pub(super) raw: raw::Mutex<Linux>,
    data: UnsafeCell<T>,
}

// SAFETY: repr(C); the word is understood whatever its bits, the data is Shareable; no pointers, no
// Drop but T's (none).
unsafe impl<T: Shareable> Shareable for Mutex<T> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::Mutex",
        &[
            Part::words::<raw::Mutex<Linux>>("raw", offset_of!(Self, raw)),
            Part::cell::<T>("data", offset_of!(Self, data)),
        ],
    );
}

// SAFETY: the lock gives the data to one thread at a time (raw::mutex, invariants 1 and 2), as
// std's Mutex does.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// How far behind the beginning the data lies. It is the same if the data is a slice of `T`.
    pub(super) const OFFSET_OF_DATA: usize = offset_of!(Self, data);

    /// A free mutex around `data`. Memory of zeros is a free mutex around zeros.
    pub const fn new(data: T) -> Self {
        Self { raw: raw::Mutex::from_word(Linux::zero()), data: UnsafeCell::new(data) }
    }

    /// The data.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks, waiting as long as it takes.
    ///
    /// A signal ends the wait only in an [interruptible scope](crate::interruptible). A thread that
    /// holds the lock already gets [`LockError::Deadlock`] at once.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] and [`LockError::Poisoned`], which contain the guard;
    /// [`LockError::Deadlock`]; [`LockError::Leaked`]; [`LockError::Interrupted`];
    /// [`LockError::Register`] where the thread cannot take part in the segment.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.lock_with(Deadline::NEVER)
    }

    /// Locks if that takes no waiting. A dead holder is no reason to wait, unless its process is
    /// still ending.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`], also if this thread holds the lock itself.
    /// [`TryLockError::OwnerDied`] and [`TryLockError::Poisoned`], which contain the guard;
    /// [`TryLockError::Leaked`]; [`TryLockError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        self.lock_with(Deadline::Immediate)
    }

    /// Locks, waiting at most for `timeout` (monotonic time). [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock), and [`LockTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_lock_for(&self, timeout: Duration) -> LockTimeoutResult<MutexGuard<'_, T>> {
        self.lock_with(Deadline::after(timeout))
    }

    /// Locks, waiting at most to `deadline`. A deadline that has passed counts as now.
    ///
    /// # Errors
    /// Those of [`lock`](Self::lock), and [`LockTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_lock_until(&self, deadline: Instant) -> LockTimeoutResult<MutexGuard<'_, T>> {
        self.lock_with(Deadline::at(deadline))
    }

    /// As [`try_lock`](Self::try_lock), but also takes the lock over from a thread that [leaked its
    /// guard](Self#if-a-guard-is-leaked) and ended. The caller then gets
    /// [`TryLockError::OwnerDied`].
    ///
    /// # Safety
    /// No reference that the leaked guard gave is used any more, in any process.
    ///
    /// # Errors
    /// Those of [`try_lock`](Self::try_lock), except `Leaked`.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub unsafe fn lock_leaked(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let answer = self.raw.try_lock_with(local::participant(self)?, Leaked::Take);
        guarded(answer, |left| MutexGuard::new(self, left))
    }

    #[inline(always)]
    fn lock_with<'a, E: LockFailure<MutexGuard<'a, T>>>(&'a self, deadline: Deadline) -> Result<MutexGuard<'a, T>, E> {
        local::hold_begins(); // before the look-up: see there
        match local::known(self) {
            Some(me) if self.raw.take_free(me) => Ok(MutexGuard::counted(self, None)),
            _ => self.lock_slow(deadline),
        }
    }

    /// As [`lock_with`](Self::lock_with), after its fast path has counted a hold, and taken none.
    #[cold]
    fn lock_slow<'a, E: LockFailure<MutexGuard<'a, T>>>(&'a self, deadline: Deadline) -> Result<MutexGuard<'a, T>, E> {
        local::hold_ends();
        let me = local::participant(self)?;
        let answer = match deadline {
            Deadline::Immediate => self.raw.try_lock(me),
            Deadline::By(deadline) => self.raw.lock(me, deadline),
        };
        guarded(answer, |left| MutexGuard::new(self, left))
    }

    /// Whether the data is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        self.raw.is_inconsistent()
    }

    /// The holder at the moment, dead or alive.
    /// [`Segment::participant`](crate::Segment::participant) says which process that is.
    pub fn holder(&self) -> Option<ParticipantId> {
        self.raw.holder()
    }

    /// Whether the calling thread holds the lock.
    ///
    /// ```
    /// use outlive::{Mutex, Segment};
    ///
    /// let counter = Segment::<Mutex<u64>>::anonymous(|_zero| {})?;
    /// assert!(!counter.is_owned_by_current_thread());
    /// let _guard = counter.lock().unwrap();
    /// assert!(counter.is_owned_by_current_thread());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_owned_by_current_thread(&self) -> bool {
        is_current_thread(self, self.raw.holder())
    }

    /// Where the data is.
    pub(super) fn data(&self) -> *const T {
        self.data.get()
    }

    /// The data, without locking: the borrow shows that nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
}

lock_of_data! {
    "Mutex", try_lock,
    /// Never waits: it shows whether somebody holds the lock.
    [?Sized] [] Mutex<T>
}

/// The lock is held as long as this lives. Dropping it unlocks.
///
/// A child that was forked meanwhile has a copy of the guard. The copy releases nothing, but it
/// still gives the reference. See [fork](crate::guide#fork).
#[must_use = "if unused the lock is given back at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    pub(super) lock: &'a Mutex<T>,
    /// The guard's own part of the tag is the word to leave behind, as `raw::hold` has it.
    pub(super) tag: GuardTag,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

// SAFETY: a `&MutexGuard` gives only `&T`.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    #[inline(always)]
    pub(super) fn new(lock: &'a Mutex<T>, left: Option<Cause>) -> Self {
        local::hold_begins();
        Self::counted(lock, left)
    }

    /// After `hold_begins`.
    #[inline(always)]
    fn counted(lock: &'a Mutex<T>, left: Option<Cause>) -> Self {
        Self { lock, tag: GuardTag::now(left.map_or(0, Cause::word)), not_send: PhantomData }
    }

    /// Says that the data is right again. After this call, the next holder does not learn of the
    /// earlier death or panic.
    pub fn mark_consistent(&mut self) {
        self.tag.set_own(0);
        if self.tag.is_of_this_process() {
            self.lock.raw.mark_consistent();
        }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard's thread holds the lock, so nobody writes the data (raw::mutex,
        // invariants 1 and 2).
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; and this borrow of the guard is unique.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.tag.is_of_this_process() {
            return; // a fork's copy
        }
        if self.tag.panicked_since() {
            self.tag.set_own(Cause::Panicked(self.lock.raw.holder()).word());
        }
        self.lock.raw.unlock(self.tag.own());
        // The count of holds is lowered after the exchange, because an exchange waits for the
        // stores before it. So the count is too high for a moment, which is allowed.
        local::hold_ends();
    }
}

guard_of_data! { [?Sized] [] MutexGuard<'_, T> }
