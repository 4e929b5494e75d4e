//! Scopes in which sleeps of the calling thread can be interrupted: by any signal handler that runs
//! on the thread, or by an [`Interrupter`].
//!
//! # What the kernel does
//!
//! A handler that was installed without SA_RESTART ends every futex wait with EINTR. A handler with
//! SA_RESTART ends only the waits of `futex` that have a deadline; after the handler the kernel
//! begins a `futex_waitv` again, and compares all words again (kernel/futex, signal(7)). A handler
//! that runs just before the system call ends nothing. So a handler interrupts for certain only by
//! changing a word that the wait watches.

use super::super::Expect;
use super::futex;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering, compiler_fence};
use core::time::Duration;

/// Ends the sleeps of all threads that are in a [scope](crate::interruptible_by) of this
/// interrupter.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Interrupter {
    word: AtomicU32,
}

impl Interrupter {
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(0) }
    }

    /// Async-signal-safe (signal-safety(7)): it makes one exchange and one system call, and leaves
    /// `errno` as it was.
    pub(crate) fn interrupt(&self) {
        // ORDERING: Release. Pairs with the Acquire of `is_raised` and `clear`: a thread that is
        // interrupted sees everything that was written before.
        if self.word.swap(1, Ordering::Release) == 0 {
            // SAFETY: the address of this thread's errno, to which no other thread writes.
            let errno = unsafe { *libc::__errno_location() };
            futex::wake(&self.word, u32::MAX);
            // SAFETY: as above.
            unsafe { *libc::__errno_location() = errno };
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.word.load(Ordering::Acquire) != 0
    }

    /// Resets the interrupter. Returns whether it was raised.
    pub(crate) fn clear(&self) -> bool {
        self.word.swap(0, Ordering::Acquire) != 0
    }
}

/// Stands for any signal handler. It is never raised.
static HANDLERS: Interrupter = Interrupter::new();

thread_local! {
    /// What ends the sleeps of the innermost scope: null for nothing, [`HANDLERS`], or an
    /// interrupter that lives as long as the scope. It has no destructor, so it can be used until
    /// the thread's end.
    ///
    /// It is one word, written by one store: a signal handler that runs between any two
    /// instructions of this thread may wait, too.
    static SCOPE: AtomicPtr<Interrupter> = const { AtomicPtr::new(ptr::null_mut()) };
}

/// What ends the sleeps of a scope: see [`SCOPE`].
type Scope = *const Interrupter;

// ORDERING: Relaxed. Only this thread uses it, and the handlers that interrupt the thread. Fences
// keep the compiler from moving the scope's body across the ends of the scope.
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

/// The scope around an inner one. Dropping this, also in a panic, makes it the current scope again.
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

/// Runs `body`; its sleeps are ended by any signal handler.
pub(crate) fn by_handlers<R>(body: impl FnOnce() -> R) -> R {
    within(&raw const HANDLERS, |_outer| body())
}

/// Runs `body`; its sleeps are ended by this interrupter alone.
pub(crate) fn by<R>(interrupter: &Interrupter, body: impl FnOnce() -> R) -> R {
    within(interrupter, |_outer| body())
}

/// Runs `body`; its sleeps are not interrupted. What `body` runs by [`Outer::run`] can be
/// interrupted as outside of this scope.
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
    // SAFETY: null, a static, or the interrupter to which `by` has a reference. That call of `by`
    // has not returned: it would have made the outer scope the current one.
    let Some(interrupter) = (unsafe { current().as_ref() }) else {
        futex::wait(words, until);
        return false;
    };
    if ptr::eq(interrupter, &HANDLERS) {
        return futex::wait(words, until) == futex::Ended::ByHandler;
    }
    if futex::waitv_works() {
        let mut words = words;
        let awaited = words.next(); // the primitive's word stays the first
        let interruption = Expect { word: &interrupter.word, value: 0 };
        futex::wait(awaited.into_iter().chain([interruption]).chain(words), until);
    } else if !interrupter.is_raised() {
        futex::wait(words, until);
    }
    interrupter.is_raised()
}
