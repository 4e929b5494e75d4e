//! Scopes in which sleeps of the calling thread can be interrupted: by any signal handler that runs
//! on it, or by an [`Interrupter`].
//!
//! # What the kernel does
//!
//! A handler that was installed without SA_RESTART ends every futex wait with EINTR. With
//! SA_RESTART that is so for `futex` with a deadline alone; `futex_waitv` is begun anew after the
//! handler, and compares all words anew (kernel/futex, signal(7)). And a handler that runs just
//! before the system call ends nothing. So what is exact is a word that the handler changes, and
//! that the wait watches.

use super::super::Expect;
use super::futex;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering, compiler_fence};
use core::time::Duration;

/// Ends the sleeps of those that are in a [scope](crate::interruptible_by) of its.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Interrupter {
    word: AtomicU32,
}

impl Interrupter {
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(0) }
    }

    /// Async-signal-safe (signal-safety(7)): one exchange, and one system call that leaves `errno`
    /// as it was.
    pub(crate) fn interrupt(&self) {
        // ORDERING: Release. Pairs with the Acquire of `is_raised` and `clear`: who is interrupted
        // sees what was written before.
        if self.word.swap(1, Ordering::Release) == 0 {
            // SAFETY: the place of this thread's errno, which nobody else writes.
            let errno = unsafe { *libc::__errno_location() };
            futex::wake(&self.word, u32::MAX);
            // SAFETY: as above.
            unsafe { *libc::__errno_location() = errno };
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.word.load(Ordering::Acquire) != 0
    }

    /// Gives whether it was raised.
    pub(crate) fn clear(&self) -> bool {
        self.word.swap(0, Ordering::Acquire) != 0
    }
}

/// Stands for any handler; nobody raises it.
static HANDLERS: Interrupter = Interrupter::new();

thread_local! {
    /// What ends the sleeps of the innermost scope: null for nothing, [`HANDLERS`], or an
    /// interrupter that lives as long as the scope. It has no destructor, and so can be had to the
    /// thread's end.
    ///
    /// One word, written at once: a signal handler may wait between any two instructions of this
    /// thread.
    static SCOPE: AtomicPtr<Interrupter> = const { AtomicPtr::new(ptr::null_mut()) };
}

/// What ends the sleeps of a scope: see [`SCOPE`].
type Scope = *const Interrupter;

// ORDERING: Relaxed; it is this thread's own, and that of the handlers that interrupt it. Fences
// keep the compiler from moving what is in a scope across its ends.
fn enter(scope: Scope) -> Scope {
    compiler_fence(Ordering::SeqCst);
    let outer = SCOPE.with(|current| {
        let outer = current.load(Ordering::Relaxed);
        current.store(scope.cast_mut(), Ordering::Relaxed);
        outer
    });
    compiler_fence(Ordering::SeqCst);
    outer
}

fn current() -> Scope {
    SCOPE.with(|current| current.load(Ordering::Relaxed))
}

/// The scope around another one. Puts it back when that ends, in a panic, too.
#[derive(Debug)]
pub(crate) struct Outer(Scope);

impl Drop for Outer {
    fn drop(&mut self) {
        enter(self.0);
    }
}

impl Outer {
    /// Runs `body` as if the inner scope had not begun.
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        within(self.0, |_inner| body())
    }
}

fn within<R>(scope: Scope, body: impl FnOnce(&Outer) -> R) -> R {
    let outer = Outer(enter(scope));
    body(&outer)
}

/// Runs `body` with sleeps that any handler ends.
pub(crate) fn by_handlers<R>(body: impl FnOnce() -> R) -> R {
    within(&raw const HANDLERS, |_outer| body())
}

/// Runs `body` with sleeps that this alone ends.
pub(crate) fn by<R>(interrupter: &Interrupter, body: impl FnOnce() -> R) -> R {
    within(interrupter, |_outer| body())
}

/// Runs `body` with sleeps that nothing interrupts, but for what it runs in the
/// [scope around it](Outer::run).
pub(crate) fn never<R>(body: impl FnOnce(&Outer) -> R) -> R {
    within(ptr::null(), body)
}

/// How many words of a wait the scope of this thread needs.
pub(super) fn words() -> usize {
    let scope = current();
    usize::from(!scope.is_null() && !ptr::eq(scope, &HANDLERS))
}

/// See [`Platform::wait_interruptibly`](super::Platform::wait_interruptibly).
pub(super) fn wait<'w>(words: impl Iterator<Item = Expect<'w, AtomicU32>>, until: Option<Duration>) -> bool {
    // SAFETY: null, a static, or what `by` was given a reference to; that has not returned, since
    // it would have put the outer scope back.
    let Some(interrupter) = (unsafe { current().as_ref() }) else {
        futex::wait(words, until);
        return false;
    };
    if ptr::eq(interrupter, &HANDLERS) {
        return futex::wait(words, until) == futex::Ended::ByHandler;
    }
    if futex::waitv_works() {
        let mut words = words;
        let awaited = words.next(); // it stays the first
        let interruption = Expect { word: &interrupter.word, value: 0 };
        futex::wait(awaited.into_iter().chain([interruption]).chain(words), until);
    } else if !interrupter.is_raised() {
        futex::wait(words, until);
    }
    interrupter.is_raised()
}
