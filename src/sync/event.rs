//! [`Event`]: something has happened, or has not yet.

use super::result::{FromRaw, refused};
use super::{Deadline, take_part_to_wake};
use crate::error::{NotInSegmentError, TryWaitError, WaitError, WaitTimeoutError};
use crate::platform::Linux;
use crate::raw::{self, event::NotSet};
use crate::segment::{Definition, Shareable, local};
use core::fmt;
use std::time::{Duration, Instant};

/// A flag that can be waited for, in memory that processes share. Four bytes.
///
/// It works as Python's `multiprocessing.Event`, except that there `set` hangs if a process was
/// killed while it waited. Here `set` never hangs. The event stays set until it is
/// [cleared](Self::clear). A [`set`](Self::set) releases every thread that waits at that moment,
/// even if a clear follows at once.
///
/// A set of an event made by [`auto_reset`](Self::auto_reset) releases one waiter, or the next that
/// comes, and the event is clear again. The event remembers *that* it was set, not how often: if no
/// waiter was released between two sets, they count as one.
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                                 | what the others see                                                            |
/// |---------------------------------------------|--------------------------------------------------------------------------------|
/// | a setter, anywhere in `set`                | the event is set and the waiters are released, or nothing has happened (see below for a full table) |
/// | a waiter, also while it is woken      | nothing; with `auto_reset` a set that had not released it yet releases another waiter |
/// | a thread that was to set it, and never did        | nothing: a waiter that must not wait forever needs a timeout, or a [`Barrier`](crate::Barrier) |
///
/// A setter takes part, so that the waiters notice its death. If the participant table is full, it
/// sets the event all the same, without taking part. If it then dies after the event is set and
/// before the waiters are woken, only their rechecks release them: after a second at most, or up to
/// four where many wait.
///
/// Nobody holds an event: there is no guard to leak.
#[repr(transparent)]
pub struct Event {
    pub(super) raw: raw::Event<Linux>,
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

    /// A cleared event. Each set of it releases one waiter, instead of all.
    ///
    /// ```
    /// use outlive::{Event, Segment};
    ///
    /// let bell = Segment::<Event>::anonymous(|bell| *bell = Event::auto_reset())?;
    /// bell.set().unwrap();
    /// bell.wait().unwrap();
    /// assert!(!bell.is_set());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn auto_reset() -> Self {
        Self { raw: raw::Event::from_word(Linux::word(raw::Event::<Linux>::AUTO_RESET)) }
    }

    /// Sets the event, and releases the waiters (with `auto_reset` one of them, or the next that
    /// comes). The released waiters see what was written before the `set`. If nobody waits, there
    /// is no system call.
    ///
    /// # Errors
    /// The event is in no segment.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn set(&self) -> Result<(), NotInSegmentError> {
        take_part_to_wake(self)?;
        self.raw.set();
        Ok(())
    }

    /// Clears the event. Returns whether it was set.
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

    /// Waits until it is set, as long as it takes. A signal ends the wait only in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`WaitError::Interrupted`]; [`WaitError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn wait(&self) -> Result<(), WaitError> {
        self.wait_with(None)
    }

    /// Succeeds if the event is set. Never waits. With `auto_reset`, success also clears the event.
    ///
    /// # Errors
    /// [`TryWaitError::WouldBlock`] if the event is not set; [`TryWaitError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn try_wait(&self) -> Result<(), TryWaitError> {
        local::participant(self)?;
        if self.raw.try_wait() { Ok(()) } else { Err(TryWaitError::WouldBlock) }
    }

    /// Waits until it is set, at most that long (monotonic time). [`Duration::MAX`] waits forever.
    ///
    /// # Errors
    /// [`WaitTimeoutError::TimedOut`], [`WaitTimeoutError::Interrupted`],
    /// [`WaitTimeoutError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), WaitTimeoutError> {
        self.wait_with(Deadline::after(timeout).deadline())
    }

    /// Waits until it is set, at most until that moment. A moment that has passed counts as now.
    ///
    /// # Errors
    /// [`WaitTimeoutError::TimedOut`], [`WaitTimeoutError::Interrupted`],
    /// [`WaitTimeoutError::Register`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_until(&self, deadline: Instant) -> Result<(), WaitTimeoutError> {
        self.wait_with(Deadline::at(deadline).deadline())
    }

    #[inline(always)]
    fn wait_with<E: FromRaw<NotSet>>(&self, deadline: Option<Duration>) -> Result<(), E> {
        let me = local::participant(self)?;
        self.raw.wait(me, deadline).map_err(refused)
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
