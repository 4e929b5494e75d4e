//! [`Event`]: something has happened, or has not yet.

use super::{Deadline, take_part_to_wake};
use crate::error::{Error, WaitError};
use crate::platform::Linux;
use crate::raw::{self, event::NotSet};
use crate::segment::{Definition, Shareable, local};
use core::fmt;
use std::time::{Duration, Instant};

/// A flag that can be waited for, in memory that processes share. Four bytes.
///
/// As Python's `multiprocessing.Event`, whose `set` hangs when a process that waited was killed;
/// this one's never does. It stays set until it is [cleared](Self::clear), and whoever waits at the
/// moment of a [`set`](Self::set) is released by it, even if a clear follows at once.
///
/// An event made by [`auto_reset`](Self::auto_reset) releases one waiter for each set, or the next
/// to come, and is clear again. It remembers *that* it was set, not how often: two sets before a
/// waiter has taken the first are one.
///
/// ```
/// use outlive::{Event, Segment};
/// use std::time::Duration;
///
/// let ready = Segment::<Event>::anonymous(|_cleared| {})?;
/// assert!(ready.wait_timeout(Duration::from_millis(1)).is_err());
/// std::thread::scope(|scope| {
///     scope.spawn(|| ready.wait().unwrap());
///     ready.set().unwrap();
/// });
/// assert!(ready.is_set());
/// # Ok::<(), outlive::Error>(())
/// ```
///
/// # If a process dies
///
/// | who                                         | what the others see                                                            |
/// |---------------------------------------------|--------------------------------------------------------------------------------|
/// | one that sets, anywhere in it                | the event is set and those who wait are released, or nothing has happened       |
/// | one that waits, or was just being woken      | nothing; with `auto_reset` a set that it had not taken releases another          |
/// | one that was to set it, and never did        | nothing: who may not wait for ever waits with a timeout, or on a [`Barrier`](crate::Barrier) |
///
/// Nobody holds an event: there is no guard to leak.
#[repr(transparent)]
pub struct Event {
    raw: raw::Event<Linux>,
}

// SAFETY: one word, understood whatever its bits; repr(transparent), no pointers, no Drop.
unsafe impl Shareable for Event {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("outlive::Event");
}

impl Event {
    /// A cleared event that stays set until it is cleared. Memory of zeros is one.
    pub const fn new() -> Self {
        Self { raw: raw::Event::from_word(Linux::zero()) }
    }

    /// A cleared event that each set releases one waiter of.
    ///
    /// ```
    /// use outlive::{Event, Segment};
    ///
    /// let bell = Segment::<Event>::anonymous(|bell| *bell = Event::auto_reset())?;
    /// bell.set().unwrap();
    /// bell.wait().unwrap();
    /// assert!(!bell.is_set());
    /// # Ok::<(), outlive::Error>(())
    /// ```
    pub const fn auto_reset() -> Self {
        Self { raw: raw::Event::from_word(Linux::word(raw::Event::<Linux>::AUTO_RESET)) }
    }

    /// Sets it, and releases those who wait (with `auto_reset` one of them, or the next to come).
    /// What was written before is seen by whom it releases. Where nobody waits there is no system
    /// call.
    ///
    /// # Errors
    /// [`Error::NotInSegment`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn set(&self) -> Result<(), Error> {
        take_part_to_wake(self)?;
        self.raw.set();
        Ok(())
    }

    /// Clears it. Gives whether it was set.
    ///
    /// # If a process dies
    /// It is cleared, or not.
    #[inline]
    pub fn clear(&self) -> bool {
        self.raw.clear()
    }

    /// Whether it is set at the moment.
    #[inline]
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.raw.is_set()
    }

    /// Waits until it is set, as long as it takes. A signal ends the wait in an
    /// [interruptible scope](crate::interruptible) alone.
    ///
    /// # Errors
    /// [`WaitError::Interrupted`]; [`WaitError::Unusable`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn wait(&self) -> Result<(), WaitError> {
        self.wait_with(Deadline::NEVER)
    }

    /// Does not wait: whether it is set; with `auto_reset` it is then clear.
    ///
    /// # Errors
    /// [`WaitError::WouldBlock`] if it is not set; [`WaitError::Unusable`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_wait(&self) -> Result<(), WaitError> {
        self.wait_with(Deadline::Immediate)
    }

    /// Waits until it is set, at most that long (monotonic time). [`Duration::MAX`] is for ever.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`], [`WaitError::Interrupted`], [`WaitError::Unusable`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), WaitError> {
        self.wait_with(Deadline::after(timeout))
    }

    /// Waits until it is set, at most until then. A moment that has passed is as good as now.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`], [`WaitError::Interrupted`], [`WaitError::Unusable`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_until(&self, deadline: Instant) -> Result<(), WaitError> {
        self.wait_with(Deadline::at(deadline))
    }

    #[inline(always)]
    fn wait_with(&self, deadline: Deadline) -> Result<(), WaitError> {
        let me = local::participant(self)?;
        match deadline {
            Deadline::Immediate if self.raw.try_wait() => Ok(()),
            Deadline::Immediate => Err(WaitError::WouldBlock),
            Deadline::By(deadline) => self.raw.wait(me, deadline).map_err(Self::refuse),
        }
    }

    #[cold]
    fn refuse(not_set: NotSet) -> WaitError {
        match not_set {
            NotSet::TimedOut => WaitError::TimedOut,
            NotSet::Interrupted => WaitError::Interrupted,
        }
    }

    /// Whether each set releases one waiter, instead of all.
    #[must_use]
    pub fn is_auto_reset(&self) -> bool {
        self.raw.is_auto_reset()
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

/// Never waits.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("set", &self.is_set()).field("auto_reset", &self.is_auto_reset()).finish()
    }
}
