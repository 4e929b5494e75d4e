//! A hook that is called at the end of a thread that ends by itself.
//!
//! The C library calls the destructors of a thread's keys (pthread_key_create(3)) after those of
//! its thread-local variables. It does so in up to four rounds, as long as some key has a value.
//! The hook is called in each round. A destructor cannot know which round it is in, because another
//! key's destructor may have set the value for the first time. So the hook cannot wait for the last
//! round, which may never come.
//!
//! The hook is not called in one case: a thread asks for it for the first time in the fourth round,
//! in the destructor of a younger key. Nor is it called in a thread that is killed, or whose
//! process ends, exits or becomes another program.

use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// `PTHREAD_DESTRUCTOR_ITERATIONS` of glibc, and of musl.
const ROUNDS: usize = 4;

/// The key, plus 1. 0: there is no key yet. A forked child inherits it.
static KEY: AtomicU64 = AtomicU64::new(0);
/// The hook, an `extern "C" fn()`.
static HOOK: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Makes sure that `hook` is called when the calling thread ends by itself, once or several times.
/// Other destructors may run before, between and after these calls. All callers pass the same hook.
///
/// # Errors
/// The error number of the C library, if it has no key or no memory left.
pub(crate) fn call_at_thread_end(hook: extern "C" fn()) -> Result<(), c_int> {
    // ORDERING: Relaxed. A thread sees its own store, and all threads store the same hook.
    HOOK.store(hook as *mut (), Ordering::Relaxed);
    let key = key()?;
    // SAFETY: the key was made by `pthread_key_create` and is never deleted.
    match unsafe { libc::pthread_setspecific(key, ptr::without_provenance(1)) } {
        0 => Ok(()),
        errno => Err(errno),
    }
}

fn key() -> Result<libc::pthread_key_t, c_int> {
    // ORDERING: Relaxed. A key is a number, and publishes nothing.
    if let Some(key) = KEY.load(Ordering::Relaxed).checked_sub(1) {
        return Ok(key as libc::pthread_key_t);
    }
    let mut key = 0;
    // SAFETY: writes to a live local; the destructor has the type that the call requires.
    let errno = unsafe { libc::pthread_key_create(&mut key, Some(at_thread_end)) };
    if errno != 0 {
        return Err(errno);
    }
    match KEY.compare_exchange(0, u64::from(key) + 1, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Ok(key),
        Err(others) => {
            // SAFETY: this call made the key, and nothing uses it.
            unsafe { libc::pthread_key_delete(key) };
            Ok((others - 1) as libc::pthread_key_t)
        }
    }
}

/// `value`: the number of this call in the thread, from 1.
extern "C" fn at_thread_end(value: *mut c_void) {
    // ORDERING: Relaxed. This thread stored the hook before it set the key's value.
    let hook = HOOK.load(Ordering::Relaxed);
    // SAFETY: `call_at_thread_end` stored a function of this type.
    let hook = unsafe { core::mem::transmute::<*mut (), extern "C" fn()>(hook) };
    hook();
    let calls = value.addr();
    if let (true, Ok(key)) = (calls < ROUNDS, key()) {
        // If there is no memory for the value, this call is the last.
        // SAFETY: as in `call_at_thread_end`.
        unsafe { libc::pthread_setspecific(key, ptr::without_provenance(calls + 1)) };
    }
}
