//! Waits that a signal ends: [`interruptible`], and [`interruptible_by`] an [`Interrupter`].

use crate::platform::linux;
use core::fmt;

/// Runs `body`. Within it, a signal handler that interrupts a sleep of the calling thread ends the
/// sleep.
///
/// Outside of such a scope a handler runs, and then the wait goes on, as with std's locks. But a
/// language may have handlers of its own, as Python has for Ctrl-C. A binding to such a language
/// must return from the wait to run them. Within the scope every operation that waits can end as
/// `Interrupted`, whatever the primitive: for example
/// [`LockError::Interrupted`](crate::LockError::Interrupted) or
/// [`WaitError::Interrupted`](crate::WaitError::Interrupted). The caller handles the signal, and
/// then waits again or gives up.
///
/// ```
/// use outlive::{Barrier, BarrierError, Segment, interruptible};
/// # fn run_handlers() -> Result<(), ()> { Err(()) }
///
/// let meeting = Segment::<Barrier<2>>::anonymous(|_two| {})?;
/// # let meet = || loop {
/// let met = loop {
///     match interruptible(|| meeting.wait()) {
///         // Python's PyErr_CheckSignals, say. If it has raised KeyboardInterrupt, that is the answer.
///         Err(BarrierError::Interrupted) => run_handlers()?,
///         met => break Ok::<_, ()>(met),
///     }
/// };
/// #   break met;
/// # };
/// # meeting.abort()?;
/// # assert!(matches!(meet(), Ok(Err(BarrierError::Broken { .. }))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What an interrupted operation has done
///
/// Nothing: it gives up as at a deadline, and checks once more before that. If it can then have
/// what it waits for, it takes that, and does not return `Interrupted`. A wake that it was given is
/// not lost for others.
///
/// - A **lock**, permit or event was not taken. A thread that does not have to sleep is not
///   interrupted.
/// - At a [`Barrier`](crate::Barrier) the arrival is taken back, and the barrier is *not* broken:
///   the others wait on, and the caller may come again. If all have met meanwhile, the caller is
///   successful instead. While the action of another party runs, all have met. Then the caller is
///   not interrupted, and waits for the end of the action.
/// - A wait with a [`Condvar`](crate::Condvar) takes the lock again before it returns. Nothing
///   interrupts that, however long it takes. A notified waiter returns as notified. Any other
///   waiter gets [`CondvarError::WaitInterrupted`](crate::CondvarError::WaitInterrupted) with the
///   guard. The forms that return [why they ended](crate::Condvar#which-waiter-is-notified) return
///   [`Woken::Interrupted`](crate::Woken::Interrupted). If a dead participant or a panic has left
///   the lock inconsistent, the error for that comes first.
/// - At a [`Once`](crate::Once) or [`OnceLock`](crate::OnceLock) the caller has waited for another
///   thread that initialises. A [`LazyLock`](crate::LazyLock) that is dereferenced has no way to
///   return an error, and waits on.
///
/// [`RwLockWriteGuard::downgrade`](crate::RwLockWriteGuard::downgrade) waits an instant for readers
/// that step back. It is not interrupted.
///
/// # Which handlers, and when
///
/// A handler that was installed **without** SA_RESTART ends each sleep that it interrupts. Python
/// installs its handlers so. But some signals do not end a sleep:
///
/// - As with `sem_wait`, the kernel does not report a handler that ran *just before* the sleep
///   began. Then the sleep goes on until another signal comes, or what is waited for.
/// - The same holds if the handler ran while a wait with a `Condvar` took its lock again.
/// - A signal that another thread handled is not reported.
/// - With SA_RESTART the kernel itself lets most sleeps go on.
///
/// Where any of this matters, the handler uses an [`Interrupter`]: see [`interruptible_by`].
///
/// # Scopes
///
/// A scope is the calling thread's. Threads that `body` starts are not in it. A child that `body`
/// forks is in it, because the child is a copy of this thread. A coroutine that runs on several
/// stacks must not leave a scope open where it is suspended.
///
/// Of several scopes, only the innermost counts. The scope ends with `body`, also if `body` panics.
/// All that `body` calls is in the scope: a barrier's action, the condition of
/// [`wait_while`](crate::Condvar::wait_while), destructors. If some of that code must not be
/// interrupted, give it a scope of its own, by an interrupter that nobody uses.
///
/// # If a process dies
///
/// As outside of a scope: a thread that dies while it gives up counts as one that died while it
/// waited.
pub fn interruptible<R>(body: impl FnOnce() -> R) -> R {
    linux::by_handlers(body)
}

/// Runs `body`. Within it, each sleep of the calling thread ends as soon as `interrupter` was
/// [interrupted](Interrupter::interrupt).
///
/// This is as [`interruptible`], but exact: a call of [`interrupt`](Interrupter::interrupt) is
/// never missed. It does not matter which thread makes the call, and which flags the handler has.
/// Handlers without such a call end nothing: they run, and the wait goes on. If `interrupt` was
/// called before an operation that would have to sleep, that operation is interrupted at once.
///
/// ```
/// use outlive::{Event, Interrupter, Segment, WaitError, interruptible_by};
///
/// static CTRL_C: Interrupter = Interrupter::new();
///
/// extern "C" fn handler(_signal: i32) {
///     CTRL_C.interrupt();
/// }
/// # unsafe extern "C" { fn raise(signal: i32) -> i32; fn signal(signal: i32, handler: usize) -> usize; }
/// # unsafe { signal(2, handler as usize) };
///
/// // `handler` is installed for SIGINT, by sigaction(2) or a crate for that.
/// let never_set = Segment::<Event>::anonymous(|_cleared| {})?;
/// # unsafe { raise(2) };
/// let answer = interruptible_by(&CTRL_C, || never_set.wait());
/// assert!(matches!(answer, Err(WaitError::Interrupted)));
/// assert!(CTRL_C.clear()); // from now on it can interrupt again
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # For a binding to Python
///
/// CPython's own handler knows no interrupter. There are two ways to connect them:
///
/// - The binding installs its own handler. That handler calls
///   [`interrupt`](Interrupter::interrupt), and then the handler that was installed before.
/// - A thread reads what Python's handler writes to `signal.set_wakeup_fd`.
///
/// # What it costs
///
/// An operation that does not sleep pays nothing. A sleep watches one word more, of the 128 that
/// one wait takes. Without `futex_waitv` the word is checked only at each recheck. An interruption
/// by another thread may then come as late as the next recheck, after 20 to 80 ms.
///
/// # If a process dies
///
/// As with [`interruptible`]. An interrupter belongs to one process. A forked child has a copy of
/// it, in the state that it had at the fork. Only the child itself can interrupt by that copy.
pub fn interruptible_by<R>(interrupter: &Interrupter, body: impl FnOnce() -> R) -> R {
    linux::by(&interrupter.inner, body)
}

/// Ends the sleeps in all scopes of [`interruptible_by`] that have this interrupter. These scopes
/// may be those of any number of threads of a process.
///
/// After [`interrupt`](Self::interrupt) it stays interrupted until it is [cleared](Self::clear).
/// Meanwhile all sleeps in its scopes are interrupted, also those that begin later. It is usually a
/// `static`. A thread that is to be interrupted by itself needs an interrupter of its own. An
/// interrupter lies in the memory of one process, not in a segment.
///
/// ```
/// use outlive::{Interrupter, Lock, LockError, Segment, interruptible_by};
///
/// let stop = Interrupter::new();
/// let held = Segment::<Lock>::anonymous(|_free| {})?;
/// held.acquire().unwrap();
/// std::thread::scope(|scope| {
///     let waiter = scope.spawn(|| interruptible_by(&stop, || held.acquire()));
///     stop.interrupt();
///     assert!(matches!(waiter.join().unwrap(), Err(LockError::Interrupted)));
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Interrupter {
    inner: linux::Interrupter,
}

impl Interrupter {
    /// An interrupter that interrupts nothing yet.
    pub const fn new() -> Self {
        Self { inner: linux::Interrupter::new() }
    }

    /// Ends the sleeps in all scopes of this interrupter, and those to come, until it is
    /// [cleared](Self::clear). The interrupted threads see what was written before this call.
    ///
    /// A signal handler may call this. It is one atomic exchange, and a system call (futex(2)) if
    /// the interrupter was not interrupted already. It leaves `errno` as it was.
    pub fn interrupt(&self) {
        self.inner.interrupt();
    }

    /// Whether [`interrupt`](Self::interrupt) was called, and the interrupter was not cleared
    /// since.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.inner.is_raised()
    }

    /// Ends the interruption: from now on the interrupter interrupts nothing, until
    /// [`interrupt`](Self::interrupt) is called again. Returns whether it was interrupted.
    ///
    /// To be called before the caller checks what the signal was about. Then a signal that comes
    /// during this check ends the next sleep.
    pub fn clear(&self) -> bool {
        self.inner.clear()
    }
}

impl Default for Interrupter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupter").field("interrupted", &self.is_interrupted()).finish()
    }
}
