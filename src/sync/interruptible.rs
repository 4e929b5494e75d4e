//! Waits that a signal ends: [`interruptible`], and [`interruptible_by`] an [`Interrupter`].

use crate::platform::linux;
use core::fmt;

/// Runs `body`, and in it ends each sleep of the calling thread that a signal handler interrupts.
///
/// Elsewhere a handler runs and the wait goes on, as with std's locks. A binding to a language with
/// handlers of its own (Python's for Ctrl-C) must come back to run them. Within the scope every
/// operation that waits can end as `Interrupted`, whatever the primitive: for example
/// [`LockError::Interrupted`](crate::LockError::Interrupted) or
/// [`WaitError::Interrupted`](crate::WaitError::Interrupted). The caller sees to the signal, and
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
/// Nothing: it gives up as at a deadline, and checks once more before that. So it takes what is
/// there instead of returning `Interrupted`. A wake that it was given is not lost for others.
///
/// - A **lock**, permit or event was not taken. A thread that does not have to sleep is not
///   interrupted.
/// - At a [`Barrier`](crate::Barrier) the arrival is taken back, and the barrier is *not* broken:
///   the others wait on, and the caller may come again. If all have met meanwhile the caller is
///   successful instead. While the action of another party runs, all have met, and the caller is
///   not interrupted: it waits for the end of the action.
/// - A wait with a [`Condvar`](crate::Condvar) takes the lock again before it returns, and waits
///   for that as long as it takes: nothing interrupts that. A notified waiter returns as notified.
///   A waiter that was not gets
///   [`CondvarError::WaitInterrupted`](crate::CondvarError::WaitInterrupted) with the guard. From
///   the forms that return [why they ended](crate::Condvar#which-waiter-is-notified) it is
///   [`Woken::Interrupted`](crate::Woken::Interrupted). If the lock was left by the dead or by a
///   panic, that error comes first.
/// - With a [`Once`](crate::Once) or [`OnceLock`](crate::OnceLock) it is another thread that
///   initialises. A [`LazyLock`](crate::LazyLock) that is dereferenced has no way to return an
///   error, and waits on.
///
/// [`RwLockWriteGuard::downgrade`](crate::RwLockWriteGuard::downgrade) waits for readers that step
/// back, for an instant, and is not interrupted.
///
/// # Which handlers, and when
///
/// A handler that was installed **without** SA_RESTART, as Python installs its own, ends each sleep
/// that it interrupts. The kernel does not report a handler that ran *just before* the sleep began,
/// as with `sem_wait`. Then the sleep goes on until another signal comes, or what is waited for.
/// The same holds if the handler ran while a wait with a `Condvar` took its lock again. Nor is a
/// signal reported that another thread handled. And with SA_RESTART the kernel itself lets most
/// sleeps go on. Where any of this matters, the handler says so by an [`Interrupter`]: see
/// [`interruptible_by`].
///
/// # Scopes
///
/// A scope is the calling thread's. Threads that `body` starts are not in it. A child that `body`
/// forks is, as it is a copy of this thread. A coroutine that runs on several stacks must not leave
/// a scope open where it is suspended. The innermost scope decides alone, whatever those around it
/// are. The scope ends with `body`, by a panic, too. What `body` calls is in it: a barrier's
/// action, the condition of [`wait_while`](crate::Condvar::wait_while), destructors. Code there
/// that cannot do with interruptions has a scope of its own by an interrupter that nobody uses.
///
/// # If a process dies
///
/// That is as elsewhere: a thread that dies while it gives up has died waiting.
pub fn interruptible<R>(body: impl FnOnce() -> R) -> R {
    linux::by_handlers(body)
}

/// Runs `body`, and in it ends each sleep of the calling thread as soon as `interrupter` was
/// [interrupted](Interrupter::interrupt).
///
/// As [`interruptible`], but exact: a call of [`interrupt`](Interrupter::interrupt) is never
/// missed, whichever thread makes it, and whatever the flags of the handler are. Other handlers end
/// nothing: they run, and the wait goes on. If it was interrupted before, an operation that would
/// have to sleep is interrupted at once.
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
/// CPython's own handler knows no interrupter. There are two ways to connect them: a handler of the
/// binding that calls [`interrupt`](Interrupter::interrupt), and then the one that it found
/// installed; or a thread that reads what Python's handler writes to `signal.set_wakeup_fd`.
///
/// # What it costs
///
/// An operation that does not sleep pays nothing. A sleep watches one word more, of the 128 that
/// one wait takes. Without `futex_waitv` the word is checked with the other rechecks: an
/// interruption by another thread may come as late as the next recheck, after 20 to 80 ms.
///
/// # If a process dies
///
/// As with [`interruptible`]. An interrupter is the process's own: a forked child has a copy of it,
/// as it was, and only the child itself can call that copy.
pub fn interruptible_by<R>(interrupter: &Interrupter, body: impl FnOnce() -> R) -> R {
    linux::by(&interrupter.inner, body)
}

/// What ends the sleeps in scopes of [`interruptible_by`], of any number of threads of a process.
///
/// Once it has interrupted, it stays so until it is [cleared](Self::clear): all sleeps in its
/// scopes are interrupted, those that begin later, too. Usually a `static`, and one for each thread
/// that is to be interrupted by itself. It lies in the memory of one process, not in a segment.
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

    /// Ends the sleeps in scopes of its, and those to come, until it is [cleared](Self::clear).
    /// The interrupted threads see what was written before.
    ///
    /// A signal handler may call this: it is one atomic exchange, and a system call (futex(2)) if
    /// it had not interrupted before. It leaves `errno` as it was.
    pub fn interrupt(&self) {
        self.inner.interrupt();
    }

    /// Whether it has interrupted, and was not cleared since.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.inner.is_raised()
    }

    /// From now on it interrupts nothing, until [`interrupt`](Self::interrupt) is called again.
    /// Returns whether it had interrupted.
    ///
    /// To be called before the caller checks what the signal was about. Then a signal that comes
    /// meanwhile ends the next sleep.
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
