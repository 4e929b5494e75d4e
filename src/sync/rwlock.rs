//! [`RwLock`]: data for many readers or one writer, under a lock that outlives them.

use super::data_traits::{guard_of_data, lock_of_data};
use super::guard_tag::GuardTag;
use super::result::{LockFailure, guarded, inconsistent, refused};
use super::{Deadline, LockResult, LockTimeoutResult, TryLockResult, is_current_thread};
use crate::ParticipantId;
#[allow(unused_imports)] // for the links below
use crate::error::TryLockError;
#[allow(unused_imports)] // for the links of the documentation
use crate::error::{LockError, LockTimeoutError};
use crate::platform::Linux;
use crate::raw::rwlock::{Line, Reading};
use crate::raw::{self, Cause, Leaked, NotLocked};
use crate::segment::local::{self, OwnHome};
use crate::segment::{Definition, Part, Shareable};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// Data that many threads may read at the same time, or one may write, in memory that processes
/// share.
///
/// It works as [`std::sync::RwLock`], and no death of a reader or a writer keeps the others from
/// going on. If a **writer** died, by whatever cause, the next reader or writer gets its guard
/// inside [`LockError::OwnerDied`]. So does everybody after it, until a writer has checked the data
/// and calls [`RwLockWriteGuard::mark_consistent`]. A reader cannot have changed anything, so
/// nobody learns of its death or panic.
///
/// It must be in a [`Segment`](crate::Segment). Elsewhere every operation gives
/// [`RegisterError::NotInSegment`](crate::RegisterError::NotInSegment). A thread takes part in a
/// segment from its first operation there. For data whose length is chosen at run time,
/// `RwLock::<[T]>::create` makes a [`RwLockSegment`](crate::RwLockSegment).
///
/// ```
/// use outlive::{LockError, RwLock, Segment};
///
/// let limits = Segment::<RwLock<[u64; 2]>>::anonymous(|_zero| {})?;
/// match limits.write() {
///     Ok(mut limits) => *limits = [3, 7],
///     Err(LockError::OwnerDied(left)) => {
///         let mut limits = left.into_inner();
///         *limits = [3, 7]; // whatever makes it right again
///         limits.mark_consistent();
///     }
///     Err(other) => return Err(other.into()),
/// }
/// assert_eq!(limits.read().unwrap()[1], 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # How many readers
///
/// Every reader writes its id into a word of its own. So a writer can find out which reader died. A
/// lock has `READERS` such words, 16 by default. **Readers beyond that number wait** for any word
/// to come free. Each word has a cache line (128 bytes) of its own, so that readers on different
/// processors do not disturb each other. So the lock takes `(READERS + 1) * 128` bytes.
///
/// A thread's word is chosen by its number in the segment's participant table
/// ([`ParticipantId::index`](crate::ParticipantId::index)). If another reader has that word, the
/// thread takes a free one, and tries this one first from then on. So threads that read at the same
/// time soon have different words, and all their reads are fast. Choose `READERS` not below the
/// number of threads that read at the same time: otherwise a reader that finds its word taken
/// searches for another one.
///
/// While a thread reads another lock, of whatever segment, it cannot change the word that it tries
/// first. If another reader has that word, the thread takes a free one, and reads of this lock are
/// slower until the next write: each reader then checks all words.
///
/// # Order
///
/// A writer that waits keeps new readers out, so writers do not starve. When a writer is done, all
/// waiters are woken, and any of them may be first, reader or writer. Readers have no turn of their
/// own, so writers that follow each other without a pause may keep them waiting. Among writers, and
/// among readers beyond `READERS`, there is no order either.
///
/// A thread that reads or writes cannot lock again: it gets [`LockError::Deadlock`], each time and
/// at once. (The `try_` forms without a timeout return `WouldBlock`.) Other locks hang there if a
/// writer happens to wait in between. [`RwLockWriteGuard::downgrade`] makes a writer a reader.
/// There is no upgrade of a reader to a writer. Two readers that want it would wait for each other,
/// so one upgrade would have to fail in the middle.
///
/// # If a process dies
///
/// | participant                                     | what the others see                                                            |
/// |-------------------------------------------------|--------------------------------------------------------------------------------|
/// | a reader (SIGKILL, exit, exec, end of thread)    | nothing: the writer that waits for it goes on, its word is taken by others      |
/// | a writer                                        | `OwnerDied` with the guard, until a writer calls `mark_consistent`             |
/// | a writer that waits for readers to finish       | nothing; as a writer if it died before it had found these readers               |
/// | a waiter for a writer                     | nothing                                                                        |
/// | a thread that unlocks, before or after the release    | as a holder, or nothing; the waiters go on                                  |
///
/// All of this takes as long as the kernel takes to end the thread: tens of microseconds, unless it
/// writes a core dump first. (The death of a thread that was only about to wake a waiter is noticed
/// within ten milliseconds. The guide has the limits.)
///
/// # If a guard is leaked
///
/// As with [`Mutex`](crate::Mutex#if-a-guard-is-leaked): if the guard's thread ends, and its
/// process lives on, nobody gets the hold. After a leaked write guard everybody gets
/// [`LockError::Leaked`]. After a leaked read guard all writers get it, and readers go on. If
/// leaked read guards have all reader words, readers get it, too.
/// [`read_leaked`](Self::read_leaked) and [`write_leaked`](Self::write_leaked) are for callers that
/// know that the leaked references are not used any more.
#[repr(C)]
pub struct RwLock<T: ?Sized, const READERS: usize = 16> {
    raw: raw::RwLock<Linux, READERS>,
    data: UnsafeCell<T>,
}

// SAFETY: repr(C); the words are understood whatever their bits, the data is Shareable; no
// pointers, no Drop but T's (none).
unsafe impl<T: Shareable, const READERS: usize> Shareable for RwLock<T, READERS> {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::RwLock",
        &[
            Part::const_parameter("READERS", READERS as u128),
            Part::words::<raw::RwLock<Linux, READERS>>("raw", offset_of!(Self, raw)),
            Part::cell::<T>("data", offset_of!(Self, data)),
        ],
    );
}

// SAFETY: the lock gives the data to one writer, or to readers (raw::rwlock, invariants 1 and 2),
// as std's RwLock does: Send because a writer may take it out, Sync because readers share it.
unsafe impl<T: ?Sized + Send + Sync, const READERS: usize> Sync for RwLock<T, READERS> {}

/// The operations of one kind, which differ in how long they wait.
macro_rules! family {
    ($what:literal, $with:ident, $guard:ident, $wait:ident, $try_now:ident, $try_for:ident, $try_until:ident) => {
        #[doc = concat!("Locks for ", $what, ", waiting as long as it takes.")]
        ///
        /// A signal ends the wait only in an [interruptible scope](crate::interruptible). A thread
        /// that reads or writes already gets [`LockError::Deadlock`] at once.
        ///
        /// # Errors
        /// [`LockError::OwnerDied`] and [`LockError::Poisoned`], which contain the guard;
        /// [`LockError::Deadlock`]; [`LockError::Leaked`]; [`LockError::Interrupted`];
        /// [`LockError::Register`] where the thread cannot take part in the segment.
        ///
        /// # If a process dies
        /// See [above](Self#if-a-process-dies).
        #[inline]
        pub fn $wait(&self) -> LockResult<$guard<'_, T, READERS>> {
            self.$with(Deadline::NEVER)
        }

        #[doc = concat!("Locks for ", $what, " if that takes no waiting. The dead are no reason to wait, unless their processes are still ending.")]
        ///
        /// [`TryLockError::WouldBlock`] may be spurious: the other attempt may itself be about to
        /// fail.
        ///
        /// # Errors
        /// [`TryLockError::WouldBlock`], also if this thread reads or writes itself.
        /// [`TryLockError::OwnerDied`] and [`TryLockError::Poisoned`], which contain the guard;
        /// [`TryLockError::Leaked`]; [`TryLockError::Register`].
        ///
        /// # If a process dies
        /// See [above](Self#if-a-process-dies).
        #[inline]
        pub fn $try_now(&self) -> TryLockResult<$guard<'_, T, READERS>> {
            self.$with(Deadline::Immediate)
        }

        #[doc = concat!("Locks for ", $what, ", waiting at most that long (monotonic time). [`Duration::MAX`] waits forever.")]
        ///
        /// # Errors
        #[doc = concat!("Those of [`", stringify!($wait), "`](Self::", stringify!($wait), "), and [`LockTimeoutError::TimedOut`].")]
        ///
        /// # If a process dies
        /// See [above](Self#if-a-process-dies).
        pub fn $try_for(&self, timeout: Duration) -> LockTimeoutResult<$guard<'_, T, READERS>> {
            self.$with(Deadline::after(timeout))
        }

        #[doc = concat!("Locks for ", $what, ", waiting at most until that moment. A moment that has passed counts as now.")]
        ///
        /// # Errors
        #[doc = concat!("Those of [`", stringify!($wait), "`](Self::", stringify!($wait), "), and [`LockTimeoutError::TimedOut`].")]
        ///
        /// # If a process dies
        /// See [above](Self#if-a-process-dies).
        pub fn $try_until(&self, deadline: Instant) -> LockTimeoutResult<$guard<'_, T, READERS>> {
            self.$with(Deadline::at(deadline))
        }
    };
}

impl<T, const READERS: usize> RwLock<T, READERS> {
    /// How far behind the beginning the data lies. It is the same if the data is a slice of `T`.
    pub(super) const OFFSET_OF_DATA: usize = offset_of!(Self, data);

    /// A free lock around `data`. Memory of zeros is one around zeros.
    pub const fn new(data: T) -> Self {
        let readers = [const { Line::new(Linux::zero()) }; READERS];
        Self { raw: raw::RwLock::from_lines(Line::new(Linux::zero()), readers), data: UnsafeCell::new(data) }
    }

    /// The data.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized, const READERS: usize> RwLock<T, READERS> {
    family!("reading", read_with, RwLockReadGuard, read, try_read, try_read_for, try_read_until);
    family!("writing", write_with, RwLockWriteGuard, write, try_write, try_write_for, try_write_until);

    #[inline(always)]
    fn read_with<'a, E>(&'a self, deadline: Deadline) -> Result<RwLockReadGuard<'a, T, READERS>, E>
    where
        E: LockFailure<RwLockReadGuard<'a, T, READERS>>,
    {
        let me = local::participant(self)?;
        local::read_begins();
        self.reading(self.raw.read_from(OwnHome, me, deadline, Leaked::Refuse))
    }

    /// After `read_begins`.
    #[inline(always)]
    fn reading<'a, E>(&'a self, answer: Result<Reading, NotLocked>) -> Result<RwLockReadGuard<'a, T, READERS>, E>
    where
        E: LockFailure<RwLockReadGuard<'a, T, READERS>>,
    {
        match answer {
            Ok(Reading { word, inconsistent: None }) => Ok(RwLockReadGuard::new(self, word)),
            Ok(Reading { word, inconsistent: Some(cause) }) => {
                Err(inconsistent(cause, |_left| RwLockReadGuard::new(self, word)))
            }
            Err(refusal) => {
                local::read_ends();
                Err(refused(refusal))
            }
        }
    }

    #[inline(always)]
    fn write_with<'a, E>(&'a self, deadline: Deadline) -> Result<RwLockWriteGuard<'a, T, READERS>, E>
    where
        E: LockFailure<RwLockWriteGuard<'a, T, READERS>>,
    {
        let me = local::participant(self)?;
        guarded(self.raw.write(me, deadline), |left| RwLockWriteGuard::new(self, left))
    }

    /// As [`try_read`](Self::try_read), also if a thread has
    /// [leaked a guard](Self#if-a-guard-is-leaked) and ended. A leaked write hold is taken away,
    /// and counts as a death: [`TryLockError::OwnerDied`]. Leaked read holds stay.
    ///
    /// # Safety
    /// No reference that a leaked write guard gave is used any more, in any process.
    ///
    /// # Errors
    /// Those of [`try_read`](Self::try_read); `Leaked` only if leaked read holds have all reader
    /// words.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub unsafe fn read_leaked(&self) -> TryLockResult<RwLockReadGuard<'_, T, READERS>> {
        let me = local::participant(self)?;
        local::read_begins();
        self.reading(self.raw.read_from(OwnHome, me, Deadline::Immediate, Leaked::Take))
    }

    /// As [`try_write`](Self::try_write), and takes away the holds of threads that
    /// [leaked a guard](Self#if-a-guard-is-leaked) and ended. A leaked write hold counts as a
    /// death: [`TryLockError::OwnerDied`].
    ///
    /// # Safety
    /// No reference that a leaked guard gave is used any more, in any process.
    ///
    /// # Errors
    /// Those of [`try_write`](Self::try_write), except `Leaked`.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub unsafe fn write_leaked(&self) -> TryLockResult<RwLockWriteGuard<'_, T, READERS>> {
        let me = local::participant(self)?;
        let answer = self.raw.write_with(me, Deadline::Immediate, Leaked::Take);
        guarded(answer, |left| RwLockWriteGuard::new(self, left))
    }

    /// Whether the data is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        self.raw.is_inconsistent()
    }

    /// The writer at the moment, dead or alive. It may still wait for the readers that are left.
    /// [`Segment::participant`](crate::Segment::participant) says which process that is.
    pub fn writer(&self) -> Option<ParticipantId> {
        self.raw.writer()
    }

    /// Whether the calling thread is the writer. (Readers are not checked.)
    ///
    /// ```
    /// use outlive::{RwLock, RwLockWriteGuard, Segment};
    ///
    /// let limits = Segment::<RwLock<u64>>::anonymous(|_zero| {})?;
    /// let limit = limits.write().unwrap();
    /// assert!(limits.is_written_by_current_thread());
    /// let _reader = RwLockWriteGuard::downgrade(limit);
    /// assert!(!limits.is_written_by_current_thread());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_written_by_current_thread(&self) -> bool {
        is_current_thread(self, self.raw.writer())
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
    "RwLock", try_read,
    /// Never waits. It shows `<locked>` instead of the data if another thread writes, or if this
    /// thread has the lock already.
    [?Sized] [const READERS: usize] RwLock<T, READERS>
}

/// The thread reads as long as this lives. Dropping it unlocks.
///
/// In a child that was forked while the parent held it, the copy of the guard releases nothing, but
/// it still gives the reference. See [fork](crate::guide#fork).
#[must_use = "if unused the lock is given back at once"]
pub struct RwLockReadGuard<'a, T: ?Sized, const READERS: usize = 16> {
    lock: &'a RwLock<T, READERS>,
    /// Its own part: the number of the reader word.
    tag: GuardTag,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

// SAFETY: a `&RwLockReadGuard` gives only `&T`.
unsafe impl<T: ?Sized + Sync, const READERS: usize> Sync for RwLockReadGuard<'_, T, READERS> {}

impl<'a, T: ?Sized, const READERS: usize> RwLockReadGuard<'a, T, READERS> {
    /// After `read_begins`.
    #[inline(always)]
    fn new(lock: &'a RwLock<T, READERS>, word: usize) -> Self {
        Self { lock, tag: GuardTag::now(word as u32), not_send: PhantomData }
    }
}

impl<T: ?Sized, const READERS: usize> Deref for RwLockReadGuard<'_, T, READERS> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard's thread reads, so nobody writes the data (raw::rwlock, invariant 1).
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized, const READERS: usize> Drop for RwLockReadGuard<'_, T, READERS> {
    #[inline]
    fn drop(&mut self) {
        if self.tag.is_of_this_process() {
            self.lock.raw.unlock_read(self.tag.own() as usize);
            local::read_ends(); // only now, as in `Mutex`
        }
    }
}

/// The thread writes as long as this lives. Dropping it unlocks.
///
/// In a child that was forked while the parent held it, the copy of the guard releases nothing, but
/// it still gives the reference. See [fork](crate::guide#fork).
#[must_use = "if unused the lock is given back at once"]
pub struct RwLockWriteGuard<'a, T: ?Sized, const READERS: usize = 16> {
    lock: &'a RwLock<T, READERS>,
    /// Its own part: the word to leave behind, as `raw::hold` has it.
    tag: GuardTag,
    not_send: PhantomData<*const ()>, // the holder is a thread
}

// SAFETY: a `&RwLockWriteGuard` gives only `&T`.
unsafe impl<T: ?Sized + Sync, const READERS: usize> Sync for RwLockWriteGuard<'_, T, READERS> {}

impl<'a, T: ?Sized, const READERS: usize> RwLockWriteGuard<'a, T, READERS> {
    #[inline(always)]
    fn new(lock: &'a RwLock<T, READERS>, left: Option<Cause>) -> Self {
        local::hold_begins();
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

    /// Makes a reader of the writer, with no other writer in between. From then on other threads
    /// may read, too. (An associated function, as std's.)
    ///
    /// If the data is inconsistent and not marked consistent, the others learn of it, as always.
    ///
    /// ```
    /// use outlive::{RwLock, RwLockWriteGuard, Segment};
    ///
    /// let total = Segment::<RwLock<u64>>::anonymous(|_zero| {})?;
    /// let mut guard = total.write().unwrap();
    /// *guard += 1;
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!(*guard, 1); // still what was written
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the thread has left the segment, which it can only if another process has overwritten the
    /// lock, and now finds no free slot in it.
    ///
    /// # If a process dies
    /// Before the downgrade is done, the caller dies as a writer. From then on it dies as a reader.
    pub fn downgrade(this: Self) -> RwLockReadGuard<'a, T, READERS> {
        let mut this = core::mem::ManuallyDrop::new(this);
        if this.tag.is_of_this_process() {
            // The writer has taken part since it locked, and cannot leave the segment while the
            // lock names it.
            let me = local::participant(this.lock).expect("a holder takes part");
            let left = this.left();
            local::read_begins();
            let word = this.lock.raw.downgrade_from(OwnHome, me, left).word;
            local::hold_ends(); // the writer's
            return RwLockReadGuard::new(this.lock, word);
        }
        // A fork's copy stays a copy: the hold is the parent's.
        RwLockReadGuard { lock: this.lock, tag: this.tag, not_send: PhantomData }
    }

    /// The writer word to leave behind.
    #[inline]
    fn left(&mut self) -> u32 {
        if self.tag.panicked_since() {
            self.tag.set_own(Cause::Panicked(self.lock.raw.writer()).word());
        }
        self.tag.own()
    }
}

impl<T: ?Sized, const READERS: usize> Deref for RwLockWriteGuard<'_, T, READERS> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard's thread writes, so nobody else does (raw::rwlock, invariant 2).
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized, const READERS: usize> DerefMut for RwLockWriteGuard<'_, T, READERS> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; nobody reads either, and this borrow of the guard is unique.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized, const READERS: usize> Drop for RwLockWriteGuard<'_, T, READERS> {
    #[inline]
    fn drop(&mut self) {
        if self.tag.is_of_this_process() {
            let left = self.left();
            self.lock.raw.unlock_write(left);
            local::hold_ends(); // only now, as in `Mutex`
        }
    }
}

macro_rules! shows_data {
    ($($guard:ident)*) => {$(
        guard_of_data! { [?Sized] [const READERS: usize] $guard<'_, T, READERS> }
    )*};
}
shows_data! { RwLockReadGuard RwLockWriteGuard }
