//! Being called at the end of a thread that ends by itself.
//!
//! The C library calls the destructors of a thread's keys (pthread_key_create(3)) after those of
//! its thread-local variables, in up to four rounds, as long as some key has a value. The hook is
//! called in each of them. Which round it is cannot be told: a value may have been set for the
//! first time by another key's destructor. So there is no waiting for the last one, which may never
//! come.
//!
//! One case is left out: a thread that calls this for the first time in the fourth round, in the
//! destructor of a younger key. A thread that is killed, and one whose process ends, exits or
//! becomes another program, calls nothing either.

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// `PTHREAD_DESTRUCTOR_ITERATIONS` of glibc, and of musl.
const ROUNDS: usize = 4;

/// The key, plus 1; 0: not made yet. A forked child inherits it.
static KEY: AtomicU64 = AtomicU64::new(0);
/// What is to be called: an `extern "C" fn()`.
static HOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Has `hook` called when the calling thread ends by itself, once or several times: other
/// destructors may run before, between and after. It is the same in all calls.
///
/// # Errors
/// The error number of a C library that has no key left.
pub(crate) fn call_at_thread_end(hook: extern "C" fn()) -> Result<(), c_int> {
    // ORDERING: Relaxed; a thread sees its own store, and all threads store the same.
    HOOK.store(hook as *mut (), Ordering::Relaxed);
    let key = key()?;
    // SAFETY: the key was made by `pthread_key_create` and is never deleted.
    match unsafe { libc::pthread_setspecific(key, ptr::without_provenance(1)) } {
        0 => Ok(()),
        errno => Err(errno),
    }
}

fn key() -> Result<libc::pthread_key_t, c_int> {
    // ORDERING: Relaxed; a key is a number, and publishes nothing.
    if let Some(key) = KEY.load(Ordering::Relaxed).checked_sub(1) {
        return Ok(key as libc::pthread_key_t);
    }
    let mut key = 0;
    // SAFETY: writes to a live local; the destructor has the type that is asked for.
    let errno = unsafe { libc::pthread_key_create(&mut key, Some(at_thread_end)) };
    if errno != 0 {
        return Err(errno);
    }
    match KEY.compare_exchange(0, u64::from(key) + 1, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Ok(key),
        Err(others) => {
            // SAFETY: made just now, and used by nobody.
            unsafe { libc::pthread_key_delete(key) };
            Ok((others - 1) as libc::pthread_key_t)
        }
    }
}

/// `value`: which call it is, from 1.
extern "C" fn at_thread_end(value: *mut c_void) {
    // ORDERING: Relaxed; this thread has stored it before it set the key's value.
    let hook = HOOK.load(Ordering::Relaxed);
    // SAFETY: a function of that type, stored in `call_at_thread_end`.
    let hook = unsafe { core::mem::transmute::<*mut (), extern "C" fn()>(hook) };
    hook();
    let calls = value.addr();
    if let (true, Ok(key)) = (calls < ROUNDS, key()) {
        // Without memory for its value this call is the last.
        // SAFETY: as in `call_at_thread_end`.
        unsafe { libc::pthread_setspecific(key, ptr::without_provenance(calls + 1)) };
    }
}
