//! [`Semaphore`]: permits that are counted, and held by nobody in particular.

use super::guard_tag::GuardTag;
use super::result::{FromRaw, Short, refused};
use super::{Deadline, take_part_to_wake};
use crate::error::{AcquireError, AcquireTimeoutError, OverReleaseError, RangeError, ReleaseError, TryAcquireError};
use crate::platform::Linux;
use crate::raw;
use crate::segment::{Definition, Shareable, local};
use core::fmt;
use std::time::{Duration, Instant};

/// A counting semaphore in memory that processes share. Sixteen bytes.
///
/// [`new`](Self::new) makes what Python's `multiprocessing.Semaphore` is, `bounded(n, n)` what its
/// `BoundedSemaphore` is. **Any** participant may release, whether it has acquired or not.
/// [`permit`](Self::permit) gives a guard that releases (Python's `with`).
///
/// It must be in a [`Segment`](crate::Segment), as a [`Mutex`](crate::Mutex).
///
/// ```
/// use outlive::{ReleaseError, Segment, Semaphore};
///
/// let slots = Segment::<Semaphore>::anonymous(|slots| *slots = Semaphore::bounded(2, 2))?;
/// {
///     let _permit = slots.permit().unwrap();
///     assert_eq!(slots.available(), 1);
/// }
/// slots.acquire_many(2).unwrap();
/// slots.release_many(2)?;
/// assert!(matches!(slots.release(), Err(ReleaseError::OverRelease(error)) if error.available == 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Fairness
///
/// None: the thread that comes first when permits are there has them. Threads that want few can
/// overtake a thread that wants many, without end.
///
/// # If a process dies
///
/// | participant                                  | what the others see                                                   |
/// |----------------------------------------------|-----------------------------------------------------------------------|
/// | a thread that has acquired, before it released     | **its permits are gone**: a semaphore does not record who took a permit, so nobody can know whether another thread is to release it. Permits that come back are those of a [`PermitPool`](crate::PermitPool) |
/// | a waiter, woken or not                 | nothing: the wake that it was given goes to another waiter          |
/// | a thread that releases                            | it has released or has not; a waiter for what it released gets it    |
///
/// # If a permit is leaked
///
/// A [`SemaphorePermit`] gives no reference. A leaked one stays acquired, until a thread
/// calls [`release`](Self::release) for it: also when its thread ends, and when its process does.
#[repr(transparent)]
pub struct Semaphore {
    pub(super) raw: raw::Semaphore<Linux>,
}

// SAFETY: four words, understood whatever their bits; repr(transparent) over repr(C), no pointers,
// no Drop.
unsafe impl Shareable for Semaphore {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("outlive::Semaphore");
}

impl Semaphore {
    /// The most permits that a semaphore can have: 2^31 - 1, as Linux's `SEM_VALUE_MAX`.
    pub const MAX_PERMITS: u32 = raw::Semaphore::<Linux>::MOST;

    /// A semaphore of so many permits, and no other maximum than
    /// [`MAX_PERMITS`](Self::MAX_PERMITS). Memory of zeros is one of none.
    ///
    /// # Panics
    /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS). [`try_new`](Self::try_new) gives
    /// an error instead.
    pub const fn new(permits: u32) -> Self {
        assert!(permits <= Self::MAX_PERMITS, "more permits than a semaphore can have");
        Self::from_numbers(permits, 0)
    }

    /// As [`new`](Self::new), with an answer for each number.
    ///
    /// ```
    /// use outlive::{Segment, Semaphore};
    ///
    /// let error = Semaphore::try_new(u32::MAX).unwrap_err();
    /// assert_eq!(error.maximum, Semaphore::MAX_PERMITS.into());
    /// let of_three = Semaphore::try_new(3)?;
    /// let slots = Segment::<Semaphore>::anonymous(|slots| *slots = of_three)?;
    /// assert_eq!(slots.available(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The number is one with which `new` panics.
    pub const fn try_new(permits: u32) -> Result<Self, RangeError> {
        if permits > Self::MAX_PERMITS {
            return Err(Self::out_of_range("the number of a semaphore's permits", permits, 0, Self::MAX_PERMITS));
        }
        Ok(Self::from_numbers(permits, 0))
    }

    /// A semaphore of so many permits, of which there can never be more than `maximum`.
    ///
    /// # Panics
    /// If there are more permits than `maximum`, or that is more than
    /// [`MAX_PERMITS`](Self::MAX_PERMITS), or 0. [`try_bounded`](Self::try_bounded) gives an error
    /// instead.
    pub const fn bounded(permits: u32, maximum: u32) -> Self {
        assert!(permits <= maximum, "more permits than the maximum");
        assert!(maximum != 0 && maximum <= Self::MAX_PERMITS, "a maximum is 1 to 2^31 - 1");
        Self::from_numbers(permits, maximum)
    }

    /// As [`bounded`](Self::bounded), with an answer for each pair of numbers.
    ///
    /// ```
    /// use outlive::{RangeError, Semaphore};
    ///
    /// assert!(matches!(Semaphore::try_bounded(3, 2), Err(RangeError { found: 3, maximum: 2, .. })));
    /// assert!(matches!(Semaphore::try_bounded(0, 0), Err(RangeError { found: 0, minimum: 1, .. })));
    /// assert!(Semaphore::try_bounded(2, 2).is_ok());
    /// ```
    ///
    /// # Errors
    /// The numbers are a pair with which `bounded` panics. The error is about the maximum, if that
    /// is wrong, and about the permits otherwise.
    pub const fn try_bounded(permits: u32, maximum: u32) -> Result<Self, RangeError> {
        if maximum == 0 || maximum > Self::MAX_PERMITS {
            return Err(Self::out_of_range("the maximum of a semaphore", maximum, 1, Self::MAX_PERMITS));
        }
        if permits > maximum {
            return Err(Self::out_of_range("the number of a bounded semaphore's permits", permits, 0, maximum));
        }
        Ok(Self::from_numbers(permits, maximum))
    }

    /// `maximum`: 0 for none.
    const fn from_numbers(permits: u32, maximum: u32) -> Self {
        let word = Linux::word;
        Self { raw: raw::Semaphore::from_words(word(permits), word(permits), word(0), word(maximum)) }
    }

    const fn out_of_range(what: &'static str, found: u32, minimum: u32, maximum: u32) -> RangeError {
        RangeError::new(what, found as u64, minimum as u64, maximum as u64)
    }

    /// Acquires a permit, waiting as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`AcquireError::Interrupted`]; [`AcquireError::Register`] where the thread cannot take part
    /// in the segment.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn acquire(&self) -> Result<(), AcquireError> {
        self.acquire_with(1, Deadline::NEVER)
    }

    /// Acquires a permit if there is one.
    ///
    /// # Errors
    /// [`TryAcquireError::WouldBlock`]; [`TryAcquireError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_acquire(&self) -> Result<(), TryAcquireError> {
        self.acquire_with(1, Deadline::Immediate)
    }

    /// Acquires a permit, waiting at most that long (monotonic time). [`Duration::MAX`] waits
    /// forever.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire), and [`AcquireTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_for(&self, timeout: Duration) -> Result<(), AcquireTimeoutError> {
        self.acquire_with(1, Deadline::after(timeout))
    }

    /// Acquires a permit, waiting at most until that moment.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire), and [`AcquireTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_until(&self, deadline: Instant) -> Result<(), AcquireTimeoutError> {
        self.acquire_with(1, Deadline::at(deadline))
    }

    /// Acquires `count` permits at once: all or none. See [fairness](Self#fairness).
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire), and [`AcquireError::TooMany`] at once if there can
    /// never be as many.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn acquire_many(&self, count: u32) -> Result<(), AcquireError> {
        self.acquire_with(count, Deadline::NEVER)
    }

    /// Acquires `count` permits at once if there are as many.
    ///
    /// # Errors
    /// [`TryAcquireError::WouldBlock`]; [`TryAcquireError::TooMany`];
    /// [`TryAcquireError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_acquire_many(&self, count: u32) -> Result<(), TryAcquireError> {
        self.acquire_with(count, Deadline::Immediate)
    }

    /// Acquires `count` permits at once, waiting at most that long.
    ///
    /// # Errors
    /// Those of [`acquire_many`](Self::acquire_many), and [`AcquireTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_many_for(&self, count: u32, timeout: Duration) -> Result<(), AcquireTimeoutError> {
        self.acquire_with(count, Deadline::after(timeout))
    }

    /// Acquires `count` permits at once, waiting at most until that moment.
    ///
    /// # Errors
    /// Those of [`acquire_many`](Self::acquire_many), and [`AcquireTimeoutError::TimedOut`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_acquire_many_until(&self, count: u32, deadline: Instant) -> Result<(), AcquireTimeoutError> {
        self.acquire_with(count, Deadline::at(deadline))
    }

    // The thread must take part before it takes or gives a permit: then others notice its death.
    #[inline(always)]
    fn acquire_with<E: FromRaw<Short>>(&self, count: u32, deadline: Deadline) -> Result<(), E> {
        if local::known(self).is_some() && self.raw.acquire_fast(count) {
            Ok(())
        } else {
            self.acquire_slow(count, deadline)
        }
    }

    #[cold]
    fn acquire_slow<E: FromRaw<Short>>(&self, count: u32, deadline: Deadline) -> Result<(), E> {
        let me = local::participant(self)?;
        let answer = match deadline {
            Deadline::Immediate => self.raw.try_acquire(count),
            Deadline::By(deadline) => self.raw.acquire(me, count, deadline),
        };
        answer.map_err(|refusal| refused(Short { refused: refusal, wanted: count }))
    }

    /// Gives a permit, acquired or new.
    ///
    /// # Errors
    /// [`ReleaseError::OverRelease`] if there are as many as there can be; nothing is changed.
    /// [`ReleaseError::NotInSegment`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn release(&self) -> Result<(), ReleaseError> {
        self.release_many(1)
    }

    /// Gives `count` permits, acquired or new.
    ///
    /// # Errors
    /// [`ReleaseError::OverRelease`] if there would be more than there can be; nothing is changed.
    /// [`ReleaseError::NotInSegment`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn release_many(&self, count: u32) -> Result<(), ReleaseError> {
        if self.give_fast(count) { Ok(()) } else { self.release_slow(count) }
    }

    #[cold]
    fn release_slow(&self, count: u32) -> Result<(), ReleaseError> {
        take_part_to_wake(self)?;
        Ok(self.give(count)?)
    }

    /// The fast path of a release, for a thread that takes part. Returns false if it has changed
    /// nothing.
    #[inline(always)]
    fn give_fast(&self, released: u32) -> bool {
        local::known(self).is_some() && self.raw.release_fast(released)
    }

    fn give(&self, released: u32) -> Result<(), OverReleaseError> {
        self.raw.release(released).map_err(|found| OverReleaseError::new(released, found.available, found.maximum))
    }

    /// As [`acquire`](Self::acquire), with a guard that releases.
    ///
    /// # Errors
    /// Those of [`acquire`](Self::acquire).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). A guard dies with its process and releases nothing.
    #[inline]
    pub fn permit(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.permits_with(1, Deadline::NEVER)
    }

    /// As [`try_acquire`](Self::try_acquire), with a guard.
    ///
    /// # Errors
    /// Those of [`try_acquire`](Self::try_acquire).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_permit(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.permits_with(1, Deadline::Immediate)
    }

    /// As [`try_acquire_for`](Self::try_acquire_for), with a guard.
    ///
    /// # Errors
    /// Those of [`try_acquire_for`](Self::try_acquire_for).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_permit_for(&self, timeout: Duration) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.permits_with(1, Deadline::after(timeout))
    }

    /// As [`try_acquire_until`](Self::try_acquire_until), with a guard.
    ///
    /// # Errors
    /// Those of [`try_acquire_until`](Self::try_acquire_until).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_permit_until(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.permits_with(1, Deadline::at(deadline))
    }

    /// As [`acquire_many`](Self::acquire_many), with one guard of `count` permits.
    ///
    /// ```
    /// use outlive::{Segment, Semaphore};
    ///
    /// let slots = Segment::<Semaphore>::anonymous(|slots| *slots = Semaphore::new(3))?;
    /// let two = slots.permits(2)?;
    /// assert_eq!((two.count(), slots.available()), (2, 1));
    /// assert!(slots.try_permits(2).is_err());
    /// drop(two);
    /// assert_eq!(slots.available(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`acquire_many`](Self::acquire_many).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). A guard dies with its process and releases nothing.
    pub fn permits(&self, count: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.permits_with(count, Deadline::NEVER)
    }

    /// As [`try_acquire_many`](Self::try_acquire_many), with one guard of `count` permits.
    ///
    /// # Errors
    /// Those of [`try_acquire_many`](Self::try_acquire_many).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_permits(&self, count: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.permits_with(count, Deadline::Immediate)
    }

    /// As [`try_acquire_many_for`](Self::try_acquire_many_for), with one guard of `count` permits.
    ///
    /// # Errors
    /// Those of [`try_acquire_many_for`](Self::try_acquire_many_for).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_permits_for(&self, count: u32, timeout: Duration) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.permits_with(count, Deadline::after(timeout))
    }

    /// As [`try_acquire_many_until`](Self::try_acquire_many_until), with one guard of `count`
    /// permits.
    ///
    /// # Errors
    /// Those of [`try_acquire_many_until`](Self::try_acquire_many_until).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn try_permits_until(&self, count: u32, deadline: Instant) -> Result<SemaphorePermit<'_>, AcquireTimeoutError> {
        self.permits_with(count, Deadline::at(deadline))
    }

    #[inline(always)]
    fn permits_with<E: FromRaw<Short>>(&self, count: u32, deadline: Deadline) -> Result<SemaphorePermit<'_>, E> {
        self.acquire_with(count, deadline).map(|()| SemaphorePermit { semaphore: self, tag: GuardTag::now(count) })
    }

    /// How many permits there are at the moment (Python's `get_value`).
    pub fn available(&self) -> u32 {
        self.raw.available()
    }

    /// The most that there can be.
    pub fn maximum(&self) -> u32 {
        self.raw.maximum()
    }
}

/// Without permits and without limit, as memory of zeros.
impl Default for Semaphore {
    fn default() -> Self {
        Self::new(0)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).field("maximum", &self.maximum()).finish()
    }
}

/// Permits of a [`Semaphore`] that are released when this is dropped, by whatever thread.
///
/// # Panics
/// Its drop panics if others have released so many meanwhile that there is no room for its own (as
/// the end of Python's `with` on a `BoundedSemaphore`). [`SemaphorePermit::release`] gives an error
/// instead.
///
/// In a child that was forked since, the copy of the guard releases nothing: the permit is the
/// parent's.
#[must_use = "if unused the permit is released at once"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    /// Its own part: how many permits.
    tag: GuardTag,
}

impl SemaphorePermit<'_> {
    /// How many permits these are.
    pub fn count(&self) -> u32 {
        self.tag.own()
    }

    /// Releases, and says if that could be done.
    ///
    /// # Errors
    /// The semaphore has as many permits as it can have; nothing is changed.
    ///
    /// # If a process dies
    /// As [`Semaphore::release`].
    pub fn release(self) -> Result<(), OverReleaseError> {
        core::mem::ManuallyDrop::new(self).give_back()
    }

    /// Leaves the permits acquired: somebody else will release them, or nobody.
    pub fn forget(self) {
        core::mem::forget(self);
    }

    #[inline]
    fn give_back(&self) -> Result<(), OverReleaseError> {
        if !self.tag.is_of_this_process() {
            return Ok(()); // a fork's copy
        }
        if self.semaphore.give_fast(self.tag.own()) { Ok(()) } else { self.give_back_slowly() }
    }

    #[cold]
    fn give_back_slowly(&self) -> Result<(), OverReleaseError> {
        // For a thread that this was sent to. The semaphore is in a segment: it was acquired there.
        let _in_a_segment = take_part_to_wake(self.semaphore);
        self.semaphore.give(self.tag.own())
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            // A second panic would abort: the first one is enough.
            assert!(std::thread::panicking(), "a SemaphorePermit could not be released: {error}");
        }
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit").field("count", &self.count()).field("of", self.semaphore).finish()
    }
}
