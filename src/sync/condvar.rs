//! [`Condvar`]: waiting until the data under a lock is as it should be.

use super::CondvarResult;
use super::waitable::{Hold, Waitable};
use crate::error::{CondvarError, NotWaitedError};
use crate::platform::{Linux, Platform};
pub use crate::raw::condvar::Woken;
use crate::raw::{self, Participant};
use crate::segment::{Definition, Shareable, local};
use core::fmt;
use std::time::{Duration, Instant};

/// A condition variable in memory that processes share. Eight bytes.
///
/// It works as [`std::sync::Condvar`], with the [guards](Waitable) of [`Mutex`](crate::Mutex),
/// [`ReentrantMutex`](crate::ReentrantMutex) and [`Lock`](crate::Lock). A wait with a
/// `ReentrantMutex` gives all holds back, and takes all of them again. From Python's
/// `multiprocessing.Condition`, `wait_for` is [`wait_while`](Self::wait_while) with the opposite
/// predicate, and `notify(n)` is [`notify_n`](Self::notify_n). A wait may end for no reason, as
/// everywhere, but more often: each time a participant of the segment dies or comes. So **wait for
/// a predicate** under the lock, in a loop or by [`wait_while`](Self::wait_while).
///
/// The condition variable and the lock are in the same segment. Make the predicate true first,
/// under the lock. Then notify, before or after the lock is released.
///
/// A notification before the release costs less. By [`notify_one`](Self::notify_one) or
/// [`notify_n`](Self::notify_n) it wakes nobody: the release of the lock wakes the waiters, one
/// after the other. It does not work so if waiters wait with different locks, if more than 63
/// threads take part, or if the segment has had more than 256 at a time.
///
/// ```
/// use outlive::{Condvar, Mutex, Segment, Shareable};
///
/// #[derive(Shareable)]
/// #[repr(C)]
/// struct Tank {
///     liters: Mutex<u64>,
///     filled: Condvar,
/// }
///
/// let tank = Segment::<Tank>::anonymous(|_empty| {})?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| {
///         *tank.liters.lock().unwrap() = 10;
///         tank.filled.notify_one();
///     });
///     let liters = tank.liters.lock().unwrap();
///     let mut liters = tank.filled.wait_while(liters, |liters| *liters < 5).unwrap();
///     *liters -= 5;
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # If a process dies
///
/// | participant                                                         | what the others see                                     |
/// |---------------------------------------------------------------------|---------------------------------------------------------|
/// | a notifier, also after it made the predicate true and before `notify` | all waiters check their predicate             |
/// | a waiter, also if it was given a notification                 | the same; no notifier ever waits for it        |
/// | anybody else in the segment                                         | the same: a wait that ends for no reason                |
/// | the holder of the lock                                             | the next holder gets `OwnerDied`; from a wait it is [`CondvarError::OwnerDied`] |
///
/// # Which waiter is notified
///
/// [`wait_outcome`](Self::wait_outcome) and its timed forms return why a wait ended: [`Woken`]. All
/// calls of [`notify_one`](Self::notify_one), [`notify_n`](Self::notify_n) and
/// [`notify_all`](Self::notify_all) together ask for a number of notifications. No more waits than
/// that end as [`Woken::Notified`]. Exactly as many do (or all, if fewer threads wait) where
///
/// - the notifier has the lock that the waiters wait with; and
/// - no waiter is killed after it has taken its notification.
///
/// A wait lasts from the release of the lock up to the moment at which the waiter has the lock
/// again. So a waiter that was woken by a death, and does not have the lock yet, can still be
/// notified. If a notified waiter is killed before it has taken the lock again, another thread that
/// waited at that time is notified instead. A thread that wants a notification, and has no
/// predicate, therefore waits in a loop. It misses none if notifiers have the lock:
///
/// ```
/// use outlive::{Condvar, Lock, Segment, Shareable, Woken};
/// use std::error::Error;
///
/// # #[derive(Shareable)]
/// # #[repr(C)]
/// # struct Condition { lock: Lock, changed: Condvar }
/// /// Python's `Condition.wait()`.
/// fn wait(condition: &Condition) -> Result<(), Box<dyn Error>> {
///     let mut guard = condition.lock.adopt()?; // `wait` is called with the lock acquired
///     loop {
///         // A death or a panic with the lock is no matter here: the guard is in the error, too.
///         let waited = condition.changed.wait_outcome(guard).or_else(|error| error.into_guard())?;
///         let woken;
///         (guard, woken) = waited;
///         if woken == Woken::Notified {
///             guard.forget(); // the lock stays acquired
///             return Ok(());
///         }
///     }
/// }
///
/// let condition = Segment::<Condition>::anonymous(|_free| {})?;
/// std::thread::scope(|scope| {
///     condition.lock.acquire().unwrap();
///     scope.spawn(|| {
///         let _guard = condition.lock.lock().unwrap(); // once the wait has released it
///         condition.changed.notify_one();
///     });
///     wait(&condition).unwrap();
///     condition.lock.release().unwrap();
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A loop that waits for [`Woken::Notified`] alone does not learn that the notifier was killed
/// before it notified. With a predicate it would.
///
/// A wait notices a death within ten milliseconds. If it has lasted longer than that, it notices a
/// death as soon as the kernel does. [`wait_while`](Self::wait_while) is cheaper than
/// [`wait`](Self::wait) in a loop. For the first ten milliseconds it need not watch the other
/// participants of the segment, because it can check the condition again after that.
#[repr(transparent)]
pub struct Condvar {
    raw: raw::Condvar<Linux>,
}

// SAFETY: two words, understood whatever their bits; repr(transparent) over repr(C), no pointers,
// no Drop.
unsafe impl Shareable for Condvar {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("outlive::Condvar");
}

/// Whether a wait ended because its time was over. [`Woken`] says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it ended because its time was over: from [`wait_timeout`](Condvar::wait_timeout),
    /// without a notification; from [`wait_timeout_while`](Condvar::wait_timeout_while), with the
    /// condition still true. Python's `wait` and `wait_for` give the opposite.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// A condition variable without waiters. Memory of zeros is one.
    pub const fn new() -> Self {
        Self { raw: raw::Condvar::from_words(Linux::zero(), Linux::zero()) }
    }

    /// Releases the lock, waits for a notification, and takes the lock again. It may return for no
    /// reason.
    ///
    /// # Errors
    /// [`CondvarError::OwnerDied`] and [`CondvarError::Poisoned`], which contain the guard, if the
    /// wait finds the lock inconsistent when it takes it again, because a holder died or panicked.
    /// [`CondvarError::Leaked`], which contains no guard, if another thread took the lock
    /// meanwhile, leaked its guard, and ended. [`CondvarError::NotWaited`], which contains the
    /// guard, if the lock is in [another segment](NotWaitedError::OtherSegment), or if this thread
    /// does not [hold](NotWaitedError::NotHeld) the lock. A forked child does not hold it, nor does
    /// a thread whose [`Lock`](crate::Lock) another thread has released.
    /// [`CondvarError::WaitInterrupted`], which contains the guard, in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). The wait returns, whichever participant dies.
    pub fn wait<G: Waitable>(&self, guard: G) -> CondvarResult<G> {
        without_answer(self.wait_to(guard, true, None))
    }

    /// As [`wait`](Self::wait), and returns [why it ended](Self#which-waiter-is-notified).
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait), except `WaitInterrupted`: an interrupted wait succeeds with
    /// [`Woken::Interrupted`]. Beside the guard, an error contains the reason for which the wait
    /// ended. In [`CondvarError::NotWaited`] that is [`Woken::Neither`].
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). The wait returns [`Woken::Neither`], whichever
    /// participant dies.
    pub fn wait_outcome<G: Waitable>(&self, guard: G) -> CondvarResult<(G, Woken)> {
        self.wait_to(guard, true, None)
    }

    /// As [`wait_timeout`](Self::wait_timeout), and returns
    /// [why it ended](Self#which-waiter-is-notified). A notified waiter gets [`Woken::Notified`],
    /// even if its time is over.
    ///
    /// ```
    /// use outlive::{Condvar, Mutex, Segment, Shareable, Woken};
    /// use std::time::Duration;
    ///
    /// #[derive(Shareable)]
    /// #[repr(C)]
    /// struct Tank {
    ///     liters: Mutex<u64>,
    ///     filled: Condvar,
    /// }
    ///
    /// let tank = Segment::<Tank>::anonymous(|_empty| {})?;
    /// let liters = tank.liters.lock().unwrap();
    /// let (_liters, woken) = tank.filled.wait_timeout_outcome(liters, Duration::from_millis(1)).unwrap();
    /// assert_eq!(woken, Woken::TimedOut);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`wait_outcome`](Self::wait_outcome).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). The wait returns [`Woken::Neither`], whichever
    /// participant dies.
    pub fn wait_timeout_outcome<G: Waitable>(&self, guard: G, timeout: Duration) -> CondvarResult<(G, Woken)> {
        self.wait_to(guard, true, deadline_after(timeout))
    }

    /// As [`wait_timeout_outcome`](Self::wait_timeout_outcome), with a deadline instead of a
    /// timeout.
    ///
    /// # Errors
    /// Those of [`wait_outcome`](Self::wait_outcome).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). The wait returns [`Woken::Neither`], whichever
    /// participant dies.
    pub fn wait_until_outcome<G: Waitable>(&self, guard: G, deadline: Instant) -> CondvarResult<(G, Woken)> {
        self.wait_timeout_outcome(guard, deadline.saturating_duration_since(Instant::now()))
    }

    /// Waits as long as the condition is true. It is checked with the lock held, at least once.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait). An error ends the wait at once, whatever the condition. Only
    /// an interruption is no error if the condition is false by then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). The condition is checked again.
    pub fn wait_while<G: Waitable>(
        &self,
        mut guard: G,
        mut condition: impl FnMut(&mut G::Seen) -> bool,
    ) -> CondvarResult<G> {
        let (mut woken, mut is_interrupted) = (Woken::Notified, false);
        while condition(guard.seen()) {
            if is_interrupted {
                return Err(CondvarError::WaitInterrupted(guard));
            }
            (guard, woken) = match self.wait_noting(guard, woken != Woken::Notified, None, &mut is_interrupted) {
                Ok(waited) => waited,
                error => return without_answer(error),
            };
        }
        Ok(guard)
    }

    /// As [`wait`](Self::wait), at most that long (monotonic time). [`Duration::MAX`] waits
    /// forever. Zero gives the lock back, and takes it again.
    ///
    /// The time that it takes to have the lock again is not counted.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_timeout<G: Waitable>(&self, guard: G, timeout: Duration) -> CondvarResult<(G, WaitTimeoutResult)> {
        match self.wait_to(guard, true, deadline_after(timeout)) {
            Ok((guard, Woken::Interrupted)) => Err(CondvarError::WaitInterrupted((guard, WaitTimeoutResult(false)))),
            Ok((guard, woken)) => Ok((guard, WaitTimeoutResult(woken == Woken::TimedOut))),
            Err(error) => Err(error.map_guard(|(guard, woken)| (guard, WaitTimeoutResult(woken == Woken::TimedOut)))),
        }
    }

    /// As [`wait_timeout`](Self::wait_timeout), with a deadline instead of a timeout.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    pub fn wait_until<G: Waitable>(&self, guard: G, deadline: Instant) -> CondvarResult<(G, WaitTimeoutResult)> {
        self.wait_timeout(guard, deadline.saturating_duration_since(Instant::now()))
    }

    /// As [`wait_while`](Self::wait_while), at most that long. The condition is checked after the
    /// time is over, too.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait). An error ends the wait at once, whatever the condition. Only
    /// an interruption is no error if the condition is false by then.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies). The condition is checked again.
    pub fn wait_timeout_while<G: Waitable>(
        &self,
        mut guard: G,
        timeout: Duration,
        mut condition: impl FnMut(&mut G::Seen) -> bool,
    ) -> CondvarResult<(G, WaitTimeoutResult)> {
        let deadline = deadline_after(timeout);
        let mut is_over = WaitTimeoutResult(timeout.is_zero());
        let (mut woken, mut is_interrupted) = (Woken::Notified, false);
        loop {
            if !condition(guard.seen()) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            if is_over.timed_out() {
                return Ok((guard, is_over));
            }
            if is_interrupted {
                return Err(CondvarError::WaitInterrupted((guard, WaitTimeoutResult(false))));
            }
            (guard, woken) = match self.wait_noting(guard, woken != Woken::Notified, deadline, &mut is_interrupted) {
                Ok(waited) => waited,
                Err(error) => return Err(error.map_guard(|(guard, _)| (guard, WaitTimeoutResult(false)))),
            };
            is_over = WaitTimeoutResult(deadline.is_some_and(|deadline| deadline <= Linux::now()));
        }
    }

    /// With `watch` the waiter watches everybody, from before it gives the lock back. Without, the
    /// wait is cheaper, and ends after ten milliseconds.
    fn wait_to<G: Waitable>(&self, guard: G, watch: bool, deadline: Option<Duration>) -> CondvarResult<(G, Woken)> {
        self.wait_noting(guard, watch, deadline, &mut false)
    }

    /// As `wait_to`. Sets `is_interrupted` if the wait was interrupted, even if the waiter was
    /// notified.
    fn wait_noting<G: Waitable>(
        &self,
        guard: G,
        watch: bool,
        deadline: Option<Duration>,
        is_interrupted: &mut bool,
    ) -> CondvarResult<(G, Woken)> {
        let me = match self.participant_with(&guard) {
            Ok(me) => me,
            Err(error) => return Err(CondvarError::NotWaited { guard: (guard, Woken::Neither), error }),
        };
        let mut hold = guard.into_hold();
        let place = local::place_of(hold.lock());
        let waited = self.raw.wait(me, watch, deadline, place, || hold.release());
        *is_interrupted = waited.was_interrupted();
        let taken = hold.lock_again(me);
        let woken = self.raw.leave(me, waited, hold.lock());
        match hold.into_guard(me, taken) {
            Ok(guard) => Ok((guard, woken)),
            Err(error) => Err(error.map_guard(|guard| (guard, woken))),
        }
    }

    fn participant_with<G: Waitable>(&self, guard: &G) -> Result<Participant<'_, Linux>, NotWaitedError> {
        let lock = guard.held_lock()?;
        let me = local::participant(self)?;
        if local::are_in_one_segment(self, lock)? { Ok(me) } else { Err(NotWaitedError::OtherSegment) }
    }

    /// Wakes one of the waiters. If nobody waits, it costs a load of the word.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn notify_one(&self) {
        self.notify_n(1);
    }

    /// Wakes `count` waiters, or all if there are fewer.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn notify_n(&self, count: u32) {
        if self.raw.has_waiters() {
            self.notify_slow(count);
        }
    }

    /// Wakes all waiters.
    ///
    /// # If a process dies
    /// See [above](Self#if-a-process-dies).
    #[inline]
    pub fn notify_all(&self) {
        if self.raw.has_waiters() {
            self.notify_all_slow();
        }
    }

    // The notifier takes part in the segment, so that the waiters watch it, even if it has never
    // locked anything here. A thread that cannot take part notifies all the same.
    #[cold]
    fn notify_slow(&self, count: u32) {
        match local::participant(self) {
            Ok(me) if local::may_hold() => self.raw.notify_holding(me, count, |place| local::lock_at(me, place)),
            me => self.raw.notify(me.ok().map(|me| me.table), count),
        }
    }

    #[cold]
    fn notify_all_slow(&self) {
        let _unwatched = local::participant(self);
        self.raw.notify_all();
    }
}

/// For callers that do not ask for the reason: only an interruption is an error.
fn without_answer<G>(waited: CondvarResult<(G, Woken)>) -> CondvarResult<G> {
    match waited {
        Ok((guard, Woken::Interrupted)) => Err(CondvarError::WaitInterrupted(guard)),
        Ok((guard, _)) => Ok(guard),
        Err(error) => Err(error.map_guard(|(guard, _)| guard)),
    }
}

fn deadline_after(timeout: Duration) -> Option<Duration> {
    Linux::now().checked_add(timeout)
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

/// Never waits.
impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("has_waiters", &self.raw.has_waiters()).finish()
    }
}
