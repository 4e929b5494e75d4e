//! glibc's primitives, shared between processes.
//!
//! glibc trusts the bytes of each: thread ids, the links of a robust list. That does no harm here.
//! In this crate they lie only in anonymous segments, to which only forks of one program have
//! access, and these write to them only through glibc.

use super::Guarded;
use libc::{c_int, pthread_barrier_t, pthread_cond_t, pthread_mutex_t, pthread_rwlock_t, sem_t};
use outlive::{Definition, Shareable};
use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;

/// The kind of a [`Pthread`]. Both kinds are shared between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Robustness {
    /// `PTHREAD_MUTEX_STALLED`: a dead holder keeps the lock forever.
    Stalled,
    /// `PTHREAD_MUTEX_ROBUST`: the next holder gets `EOWNERDEAD`.
    Robust,
}

/// glibc's mutex with `PTHREAD_PROCESS_SHARED`, and a number beside it. Memory of zeros is a free
/// mutex of one process; [`set_up`](Self::set_up) makes it a shared one.
#[repr(C, align(64))]
pub struct Pthread {
    mutex: UnsafeCell<pthread_mutex_t>,
    data: UnsafeCell<u64>,
}

// SAFETY: the lock gives the data to one thread at a time. Several threads may call the functions
// on the mutex itself.
unsafe impl Sync for Pthread {}

// SAFETY: repr(C) around bytes and a u64, no drop glue; see the module.
unsafe impl Shareable for Pthread {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("Pthread");
}

impl std::fmt::Debug for Pthread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pthread").finish_non_exhaustive()
    }
}

impl Pthread {
    /// Makes it a mutex of this kind, in place. It must not be moved afterwards; in a segment it
    /// is not.
    ///
    /// # Errors
    /// Those of glibc.
    pub fn set_up(&mut self, robustness: Robustness) -> io::Result<()> {
        let robust = match robustness {
            Robustness::Stalled => libc::PTHREAD_MUTEX_STALLED,
            Robustness::Robust => libc::PTHREAD_MUTEX_ROBUST,
        };
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised first, used by this thread alone, and destroyed
        // last. The mutex is ours by `&mut self`, so nobody uses it yet.
        unsafe {
            answer(libc::pthread_mutexattr_init(attributes))?;
            answer(libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
            answer(libc::pthread_mutexattr_setrobust(attributes, robust))?;
            answer(libc::pthread_mutex_init(self.mutex.get(), attributes))?;
            answer(libc::pthread_mutexattr_destroy(attributes))
        }
    }

    /// `pthread_mutex_lock`. Returns its result.
    #[inline(always)]
    #[must_use]
    pub fn lock(&self) -> c_int {
        // SAFETY: initialised by `set_up`, or zero, which is PTHREAD_MUTEX_INITIALIZER.
        unsafe { libc::pthread_mutex_lock(self.mutex.get()) }
    }

    /// `pthread_mutex_unlock`. Returns its result.
    ///
    /// # Safety
    /// The calling thread holds the mutex, and no reference to the data is left.
    #[inline(always)]
    pub unsafe fn unlock(&self) -> c_int {
        // SAFETY: as the caller says.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) }
    }
}

impl Pthread {
    /// The number beside the mutex.
    ///
    /// # Safety
    /// The calling thread holds the mutex.
    #[inline(always)]
    #[must_use]
    pub unsafe fn number(&self) -> u64 {
        // SAFETY: as the caller says, so nobody writes the number.
        unsafe { *self.data.get() }
    }
    /// Changes the number beside the mutex.
    ///
    /// # Safety
    /// The calling thread holds the mutex.
    #[inline(always)]
    pub unsafe fn set_number(&self, number: u64) {
        // SAFETY: as the caller says, so nobody else has access.
        unsafe { *self.data.get() = number };
    }
}

impl Guarded for Pthread {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        let locked = self.lock();
        assert!(matches!(locked, 0 | libc::EOWNERDEAD), "pthread_mutex_lock: {locked}");
        // SAFETY: the mutex is held, so this is the only reference.
        let result = inside(unsafe { &mut *self.data.get() });
        // SAFETY: this thread holds the mutex; after EOWNERDEAD the mutex is inconsistent. The
        // reference is gone.
        unsafe {
            if locked == libc::EOWNERDEAD {
                libc::pthread_mutex_consistent(self.mutex.get());
            }
            self.unlock();
        }
        result
    }
}

fn answer(code: c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Defines a type around an object of glibc's that processes can share.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[repr(C, align(64))]
        pub struct $name(UnsafeCell<$inner>);

        // SAFETY: only glibc's functions access it, and several threads may call these.
        unsafe impl Sync for $name {}

        // SAFETY: repr(C) around bytes, no drop glue; see the module.
        unsafe impl Shareable for $name {
            const DEFINITION: &'static Definition = &Definition::atomic::<Self>(stringify!($name));
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

object! {
    /// POSIX's unnamed semaphore, shared between processes. Call [`set_up`](Self::set_up) first.
    Sem, sem_t
}

impl Sem {
    /// Makes it a semaphore of `value` permits, in place.
    ///
    /// # Errors
    /// Those of glibc.
    pub fn set_up(&mut self, value: u32) -> io::Result<()> {
        // SAFETY: ours by `&mut self`, so nobody uses it yet.
        match unsafe { libc::sem_init(self.0.get(), 1, value) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
    /// `sem_wait`; 0 if it worked.
    #[inline(always)]
    pub fn wait(&self) -> c_int {
        // SAFETY: initialised by `set_up`.
        unsafe { libc::sem_wait(self.0.get()) }
    }
    /// `sem_post`; 0 if it worked.
    #[inline(always)]
    pub fn post(&self) -> c_int {
        // SAFETY: as above.
        unsafe { libc::sem_post(self.0.get()) }
    }
}

object! {
    /// `pthread_rwlock_t` with `PTHREAD_PROCESS_SHARED`. Call [`set_up`](Self::set_up) first.
    PthreadRwLock, pthread_rwlock_t
}

impl PthreadRwLock {
    /// Makes it a free lock, in place.
    ///
    /// # Errors
    /// Those of glibc.
    pub fn set_up(&mut self) -> io::Result<()> {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised first and destroyed last. The lock is ours by
        // `&mut self`.
        unsafe {
            answer(libc::pthread_rwlockattr_init(attributes))?;
            answer(libc::pthread_rwlockattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
            answer(libc::pthread_rwlock_init(self.0.get(), attributes))?;
            answer(libc::pthread_rwlockattr_destroy(attributes))
        }
    }
    /// `pthread_rwlock_rdlock`; 0 if it worked.
    #[inline(always)]
    pub fn read(&self) -> c_int {
        // SAFETY: initialised by `set_up`.
        unsafe { libc::pthread_rwlock_rdlock(self.0.get()) }
    }
    /// `pthread_rwlock_wrlock`; 0 if it worked.
    #[inline(always)]
    pub fn write(&self) -> c_int {
        // SAFETY: as above.
        unsafe { libc::pthread_rwlock_wrlock(self.0.get()) }
    }
    /// `pthread_rwlock_unlock`; 0 if it worked.
    ///
    /// # Safety
    /// The calling thread holds it.
    #[inline(always)]
    pub unsafe fn unlock(&self) -> c_int {
        // SAFETY: as the caller says.
        unsafe { libc::pthread_rwlock_unlock(self.0.get()) }
    }
}

object! {
    /// `pthread_cond_t` with `PTHREAD_PROCESS_SHARED`. Call [`set_up`](Self::set_up) first.
    Cond, pthread_cond_t
}

impl Cond {
    /// Makes it a condition variable, in place.
    ///
    /// # Errors
    /// Those of glibc.
    pub fn set_up(&mut self) -> io::Result<()> {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised first and destroyed last. The condition variable
        // is ours by `&mut self`.
        unsafe {
            answer(libc::pthread_condattr_init(attributes))?;
            answer(libc::pthread_condattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
            answer(libc::pthread_cond_init(self.0.get(), attributes))?;
            answer(libc::pthread_condattr_destroy(attributes))
        }
    }
    /// `pthread_cond_wait`; 0 if it worked.
    ///
    /// # Safety
    /// The calling thread holds the mutex, and has no reference to its data. The condition variable
    /// is used with this mutex only.
    #[inline(always)]
    pub unsafe fn wait(&self, mutex: &Pthread) -> c_int {
        // SAFETY: as the caller says; both were set up.
        unsafe { libc::pthread_cond_wait(self.0.get(), mutex.mutex.get()) }
    }
    /// `pthread_cond_signal`; 0 if it worked.
    #[inline(always)]
    pub fn signal(&self) -> c_int {
        // SAFETY: initialised by `set_up`.
        unsafe { libc::pthread_cond_signal(self.0.get()) }
    }
    /// `pthread_cond_broadcast`; 0 if it worked.
    pub fn broadcast(&self) -> c_int {
        // SAFETY: initialised by `set_up`.
        unsafe { libc::pthread_cond_broadcast(self.0.get()) }
    }
}

object! {
    /// `pthread_barrier_t` with `PTHREAD_PROCESS_SHARED`. Call [`set_up`](Self::set_up) first.
    PthreadBarrier, pthread_barrier_t
}

impl PthreadBarrier {
    /// Makes it a barrier for so many, in place.
    ///
    /// # Errors
    /// Those of glibc.
    pub fn set_up(&mut self, parties: u32) -> io::Result<()> {
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised first and destroyed last. The barrier is ours by
        // `&mut self`.
        unsafe {
            answer(libc::pthread_barrierattr_init(attributes))?;
            answer(libc::pthread_barrierattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
            answer(libc::pthread_barrier_init(self.0.get(), attributes, parties))?;
            answer(libc::pthread_barrierattr_destroy(attributes))
        }
    }
    /// `pthread_barrier_wait`. Returns whether it worked.
    #[inline(always)]
    #[must_use]
    pub fn wait(&self) -> bool {
        // SAFETY: initialised by `set_up`.
        matches!(unsafe { libc::pthread_barrier_wait(self.0.get()) }, 0 | libc::PTHREAD_BARRIER_SERIAL_THREAD)
    }
}
