//! [`Lock`]: the mutex's word without data, taken and given back by separate calls.

use super::guard_tag::GuardTag;
use super::result::{LockFailure, guarded, refused};
use super::{Deadline, LockResult, LockTimeoutResult, TryLockResult, is_current_thread, participant_that_holds};
use crate::ParticipantId;
#[allow(unused_imports)] // for the links of the documentation
use crate::error::{LockError, LockTimeoutError, TryLockError};
use crate::error::{NotHeldError, NotInSegmentError, RegisterError};
use crate::platform::Linux;
use crate::raw::{self, Acquired, Cause, Leaked, NotLocked, Participant};
use crate::segment::{Definition, Shareable, local};
use core::fmt;
use core::marker::PhantomData;
use std::time::{Duration, Instant};

/// A lock that protects something outside of itself: a file, a device, a terminal. It takes four
/// bytes.
///
/// It is as Python's `multiprocessing.Lock`: [`acquire`](Self::acquire) and
/// [`release`](Self::release) are separate calls, and **any** participant may release the lock.
/// [`lock`](Self::lock) gives a guard. Unlike Python's, the lock outlives its holder: the next
/// acquirer gets [`LockError::OwnerDied`], and has acquired the lock.
///
/// ```
/// use outlive::{Lock, Segment};
///
/// let lock = Segment::<Lock>::anonymous(|_free| {})?;
/// {
///     let _guard = lock.lock().unwrap(); // Python's `with lock:`
/// }
/// lock.acquire().unwrap();
/// lock.release()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// As with [`Mutex`](crate::Mutex#if-a-process-dies). The holder is the participant that acquired
/// the lock last. Every acquirer learns of the death, or the panic, until a holder calls
/// [`mark_consistent`](Self::mark_consistent). Only the first of these acquirers learns which
/// participant died or panicked.
///
/// # If a thread ends with it
///
/// The lock stays acquired as long as the thread's *process* lives, as Python's does: others wait,
/// and any participant may release it. It does not matter whether the thread had a guard. When that
/// process ends, the next to acquire the lock gets [`LockError::OwnerDied`]. A waiter gets it up to
/// a second later. A process in another PID namespace is not known to end: then somebody has to
/// release.
#[repr(transparent)]
pub struct Lock {
    pub(super) raw: raw::Mutex<Linux>,
}

// SAFETY: one word, understood whatever its bits; repr(transparent), no pointers, no Drop.
unsafe impl Shareable for Lock {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("outlive::Lock");
}

impl Lock {
    /// A free lock. Memory of zeros is a free lock.
    pub const fn new() -> Self {
        Self { raw: raw::Mutex::from_word(Linux::zero()) }
    }

    /// Acquires, waiting as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible). A thread that has acquired the lock already
    /// waits until another thread releases it, as with Python's.
    ///
    /// # Errors
    /// [`LockError::OwnerDied`] and [`LockError::Poisoned`]: **the lock is acquired**, but a former
    /// holder died or panicked. [`LockError::Interrupted`]; [`LockError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn acquire(&self) -> LockResult<()> {
        self.acquire_with(Deadline::NEVER)
    }

    /// Acquires if that takes no waiting. A dead holder is no reason to wait, unless [its process
    /// lives on](Self#if-a-thread-ends-with-it).
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`]. [`TryLockError::OwnerDied`] and [`TryLockError::Poisoned`]:
    /// **the lock is acquired**, but a former holder died or panicked. [`TryLockError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_acquire(&self) -> TryLockResult<()> {
        self.acquire_with(Deadline::Immediate)
    }

    /// Acquires, waiting at most for `timeout` (monotonic time). [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire), and [`LockTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_for(&self, timeout: Duration) -> LockTimeoutResult<()> {
        self.acquire_with(Deadline::after(timeout))
    }

    /// Acquires, waiting at most to `deadline`.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire), and [`LockTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_until(&self, deadline: Instant) -> LockTimeoutResult<()> {
        self.acquire_with(Deadline::at(deadline))
    }

    #[inline(always)]
    fn acquire_with<E: LockFailure<()>>(&self, deadline: Deadline) -> Result<(), E> {
        local::lock_begins(); // before the look-up: see there
        match local::known(self) {
            Some(me) if self.raw.take_free(me) => Ok(()),
            _ => self.acquire_slow(deadline),
        }
    }

    /// As [`acquire_with`](Self::acquire_with), after its fast path has counted a lock, and taken
    /// none.
    #[cold]
    fn acquire_slow<E: LockFailure<()>>(&self, deadline: Deadline) -> Result<(), E> {
        local::lock_ends();
        let me = local::participant(self)?;
        guarded(self.take(me, deadline), |_left| local::lock_begins())
    }

    fn take(&self, me: Participant<'_, Linux>, deadline: Deadline) -> Result<Acquired, NotLocked> {
        match deadline {
            Deadline::Immediate => self.raw.try_lock_with(me, Leaked::Wait),
            Deadline::By(deadline) => self.raw.lock_with(me, deadline, Leaked::Wait),
        }
    }

    /// Releases the lock on behalf of its holder.
    ///
    /// # Errors
    /// Nobody holds the lock.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). If the holder is dead, and nobody has acquired the lock
    /// since its death, this frees the lock. The next holder then does not learn of that death. A
    /// caller that releases on behalf of a dead holder answers for what the lock protects. An
    /// inconsistency that was marked before that holder stays marked.
    #[inline]
    pub fn release(&self) -> Result<(), NotHeldError> {
        match local::known(self) {
            Some(me) if self.raw.release_plain(me.id.word()) => {
                local::lock_ends();
                Ok(())
            }
            _ => self.release_slow(),
        }
    }

    /// Releases the lock on behalf of its holder, whatever the state of the lock.
    #[cold]
    fn release_slow(&self) -> Result<(), NotHeldError> {
        let me = match local::participant(self) {
            Ok(me) => Some(me.id),
            Err(RegisterError::NotInSegment) => return Err(NotInSegmentError::new().into()),
            Err(_no_room) => None, // it may release all the same
        };
        let holder = self.raw.release(None, None)?;
        if me == Some(holder) {
            local::lock_ends();
        }
        Ok(())
    }

    /// Acquires, and gives a guard that releases. As a rule the thread that has a guard also drops
    /// it. So a thread that has acquired the lock already gets an error here, where
    /// [`acquire`](Self::acquire) waits.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire), with the guard inside if the lock was acquired;
    /// [`LockError::Deadlock`] if this thread acquired it last.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn lock(&self) -> LockResult<LockGuard<'_>> {
        self.lock_with(Deadline::NEVER)
    }

    /// As [`try_acquire`](Self::try_acquire), with a guard.
    ///
    /// # Errors
    /// Those of [`try_acquire`](Self::try_acquire).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_lock(&self) -> TryLockResult<LockGuard<'_>> {
        self.lock_with(Deadline::Immediate)
    }

    /// As [`try_acquire_for`](Self::try_acquire_for), with a guard.
    ///
    /// # Errors
    /// Those of [`try_acquire_for`](Self::try_acquire_for).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_lock_for(&self, timeout: Duration) -> LockTimeoutResult<LockGuard<'_>> {
        self.lock_with(Deadline::after(timeout))
    }

    /// As [`try_acquire_until`](Self::try_acquire_until), with a guard.
    ///
    /// # Errors
    /// Those of [`try_acquire_until`](Self::try_acquire_until).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_lock_until(&self, deadline: Instant) -> LockTimeoutResult<LockGuard<'_>> {
        self.lock_with(Deadline::at(deadline))
    }

    #[inline(always)]
    fn lock_with<'a, E: LockFailure<LockGuard<'a>>>(&'a self, deadline: Deadline) -> Result<LockGuard<'a>, E> {
        local::lock_begins(); // before the look-up: see there
        match local::known(self) {
            Some(me) if self.raw.take_free(me) => Ok(LockGuard::new(self, me.id)),
            _ => self.lock_slow(deadline),
        }
    }

    /// As [`lock_with`](Self::lock_with), after its fast path has counted a lock, and taken none.
    #[cold]
    fn lock_slow<'a, E: LockFailure<LockGuard<'a>>>(&'a self, deadline: Deadline) -> Result<LockGuard<'a>, E> {
        local::lock_ends();
        let me = local::participant(self)?;
        // If another thread releases the lock between this check and the wait, the wait takes it at
        // once.
        if matches!(deadline, Deadline::By(_)) && self.raw.holder() == Some(me.id) {
            return Err(refused(NotLocked::Deadlock));
        }
        guarded(self.take(me, deadline), |_left| {
            local::lock_begins();
            LockGuard::new(self, me.id)
        })
    }

    /// Makes a guard for the lock, which this thread has [acquired](Self::acquire). Dropping the
    /// guard releases the lock. For example, a wait on a [`Condvar`](crate::Condvar) needs a guard.
    /// [`LockGuard::forget`] is the reverse.
    ///
    /// ```
    /// use outlive::{Condvar, Lock, Segment, Shareable};
    /// use std::time::Duration;
    ///
    /// #[derive(Shareable)]
    /// #[repr(C)]
    /// struct Condition {
    ///     lock: Lock,
    ///     changed: Condvar,
    /// }
    ///
    /// let condition = Segment::<Condition>::anonymous(|_free| {})?;
    /// condition.lock.acquire().unwrap();
    /// let guard = condition.lock.adopt()?;
    /// let (guard, _) = condition.changed.wait_timeout(guard, Duration::from_millis(1)).unwrap();
    /// guard.forget(); // acquired, as before the wait
    /// condition.lock.release()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Make one guard for one acquisition. If two guards were made, or the lock was released
    /// without the guard, the guard that is dropped last panics. If another participant has
    /// released the lock, the drop of any guard panics.
    ///
    /// # Errors
    /// The calling thread is not the holder: another thread has acquired the lock last, or nobody
    /// holds it.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). Nothing is changed by this.
    pub fn adopt(&self) -> Result<LockGuard<'_>, NotHeldError> {
        let me = participant_that_holds(self, || self.raw.holder())?;
        Ok(LockGuard::new(self, me))
    }

    /// Says, as the holder, that what the lock protects is right again.
    ///
    /// # Errors
    /// The calling thread is not the holder: another thread has acquired the lock last, or nobody
    /// holds it.
    pub fn mark_consistent(&self) -> Result<(), NotHeldError> {
        let me = participant_that_holds(self, || self.raw.holder())?;
        Ok(self.raw.mark_consistent_by(me)?)
    }

    /// Whether what the lock protects is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        self.raw.is_inconsistent()
    }

    /// The participant that acquired the lock last, dead or alive, if nobody has released it since.
    /// [`Segment::participant`](crate::Segment::participant) says which process that is.
    pub fn holder(&self) -> Option<ParticipantId> {
        self.raw.holder()
    }

    /// Whether the calling thread acquired the lock last, and nobody has released it since.
    ///
    /// ```
    /// use outlive::{Lock, Segment};
    ///
    /// let lock = Segment::<Lock>::anonymous(|_free| {})?;
    /// lock.acquire().unwrap();
    /// assert!(lock.is_owned_by_current_thread());
    /// lock.release()?;
    /// assert!(!lock.is_owned_by_current_thread());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_owned_by_current_thread(&self) -> bool {
        is_current_thread(self, self.raw.holder())
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

/// Never waits.
impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("holder", &self.holder()).field("inconsistent", &self.is_inconsistent()).finish()
    }
}

/// The lock is held as long as this lives. Dropping it releases.
///
/// # Panics
/// Dropping the guard panics if another participant has released the lock meanwhile. That release
/// is allowed, but then the lock did not protect what this thread did. (Python's `with` raises
/// there, too.) [`LockGuard::release`] gives an error instead.
///
/// A child that was forked meanwhile has a copy of the guard. The copy releases nothing: the hold
/// is the parent's. See [fork](crate::guide#fork).
#[must_use = "if unused the lock is given back at once"]
pub struct LockGuard<'a> {
    pub(super) lock: &'a Lock,
    /// The guard's own part of the tag is the word of the holder's id.
    pub(super) tag: GuardTag,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

// SAFETY: nothing can be done through a `&LockGuard`.
unsafe impl Sync for LockGuard<'_> {}

impl<'a> LockGuard<'a> {
    #[inline(always)]
    pub(super) fn new(lock: &'a Lock, id: ParticipantId) -> Self {
        Self { lock, tag: GuardTag::now(id.word()), not_send: PhantomData }
    }

    /// Says that what the lock protects is right again. After this call, the next holder does not
    /// learn of the earlier death or panic.
    ///
    /// If another participant has released the lock meanwhile, this thread holds nothing that it
    /// could mark consistent. Then this changes nothing. [`Lock::mark_consistent`] gives an error
    /// instead.
    pub fn mark_consistent(&mut self) {
        if let (true, Some(me)) = (self.tag.is_of_this_process(), ParticipantId::holder_in(self.tag.own())) {
            let _released_by_another = self.lock.raw.mark_consistent_by(me);
        }
    }

    /// Keeps the lock acquired without a guard, as after [`Lock::acquire`]. The lock stays acquired
    /// until it is [released](Lock::release). [`Lock::adopt`] gives a guard again.
    ///
    /// A panic after this leaves the lock acquired, and nobody learns of the panic. In a child that
    /// was forked since the lock was taken, this does nothing: the hold is the parent's.
    ///
    /// # If a process dies
    /// See [`Lock`](Lock#if-a-process-dies). Nothing is changed by this.
    pub fn forget(self) {
        core::mem::forget(self); // the word and the count of locks are as after `acquire`
    }

    /// Releases the lock. Gives an error if another participant has released it already.
    ///
    /// # Errors
    /// Another participant has released the lock meanwhile.
    ///
    /// # If a process dies
    /// As [`Lock::release`].
    pub fn release(self) -> Result<(), NotHeldError> {
        let this = core::mem::ManuallyDrop::new(self);
        this.give_back()
    }

    #[inline(always)]
    fn give_back(&self) -> Result<(), NotHeldError> {
        let is_plain = self.tag.is_of_this_process() && !self.tag.panicked_since();
        if is_plain && self.lock.raw.release_plain(self.tag.own()) {
            local::lock_ends();
            return Ok(());
        }
        give_back_slowly(&self.lock.raw, self.tag)
    }
}

// The tag by value: a reference would force the guard into memory before the fast path's CAS.
#[cold]
fn give_back_slowly(raw: &raw::Mutex<Linux>, tag: GuardTag) -> Result<(), NotHeldError> {
    if !tag.is_of_this_process() {
        return Ok(()); // a fork's copy
    }
    let id = ParticipantId::holder_in(tag.own());
    let left = tag.panicked_since().then_some(Cause::Panicked(id));
    raw.release(id, left)?; // if somebody else did, this thread's count stays too high, which is harmless
    local::lock_ends();
    Ok(())
}

impl Drop for LockGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            tell_of_the_loss(&error);
        }
    }
}

#[cold]
fn tell_of_the_loss(error: &NotHeldError) {
    // A second panic would abort: the first one is enough.
    assert!(std::thread::panicking(), "a LockGuard lost its lock: {error}");
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockGuard").field(self.lock).finish()
    }
}
