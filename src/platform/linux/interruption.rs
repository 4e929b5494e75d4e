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
use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};
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

/// What ends the sleeps of a thread.
#[derive(Clone, Copy)]
enum Scope {
    /// Nothing but what is waited for.
    None,
    /// Any handler.
    Handlers,
    /// This alone, which lives as long as the scope.
    By(*const Interrupter),
}

thread_local! {
    /// The innermost scope. It has no destructor, and so can be had to the thread's end.
    static SCOPE: Cell<Scope> = const { Cell::new(Scope::None) };
}

/// Puts the outer scope back, in a panic, too.
struct Outer(Scope);

impl Drop for Outer {
    fn drop(&mut self) {
        SCOPE.set(self.0);
    }
}

fn within<R>(scope: Scope, body: impl FnOnce() -> R) -> R {
    let _outer = Outer(SCOPE.replace(scope));
    body()
}

/// Runs `body` with sleeps that any handler ends.
pub(crate) fn by_handlers<R>(body: impl FnOnce() -> R) -> R {
    within(Scope::Handlers, body)
}

/// Runs `body` with sleeps that this alone ends.
pub(crate) fn by<R>(interrupter: &Interrupter, body: impl FnOnce() -> R) -> R {
    within(Scope::By(interrupter), body)
}

/// Runs `body` with sleeps that nothing interrupts.
pub(crate) fn never<R>(body: impl FnOnce() -> R) -> R {
    within(Scope::None, body)
}

/// How many words of a wait the scope of this thread needs.
pub(super) fn words() -> usize {
    usize::from(matches!(SCOPE.get(), Scope::By(_)))
}

/// See [`Platform::wait_interruptibly`](super::Platform::wait_interruptibly).
pub(super) fn wait<'w>(words: impl Iterator<Item = Expect<'w, AtomicU32>>, until: Option<Duration>) -> bool {
    match SCOPE.get() {
        Scope::None => {
            futex::wait(words, until);
            false
        }
        Scope::Handlers => futex::wait(words, until) == futex::Ended::ByHandler,
        Scope::By(interrupter) => {
            // SAFETY: `by` was given a reference, and has not returned: it would have put the outer
            // scope back.
            let interrupter = unsafe { &*interrupter };
            if futex::waitv_works() {
                let mut words = words;
                let news = words.next(); // it stays the first
                let interruption = Expect { word: &interrupter.word, value: 0 };
                futex::wait(news.into_iter().chain([interruption]).chain(words), until);
            } else if !interrupter.is_raised() {
                futex::wait(words, until);
            }
            interrupter.is_raised()
        }
    }
}
