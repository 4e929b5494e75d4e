//! The locks that are measured, outlive's and the others, all in the same kind of memory: the root of an anonymous
//! [`Segment`](outlive::Segment).

use libc::{c_int, pthread_mutex_t};
use outlive::{Fingerprint, LockError, Mutex, Shareable};
use std::cell::UnsafeCell;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A lock around a number, for processes.
pub trait Guarded {
    /// Locks, does that with the number, and unlocks. The death of the last holder is repaired, `inside` comes first.
    ///
    /// # Panics
    /// If the lock refuses.
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R;
}

impl<L: Guarded> Guarded for &L {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        (**self).with(inside)
    }
}

impl Guarded for Mutex<u64> {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        match self.lock() {
            Ok(mut guard) => inside(&mut guard),
            Err(LockError::OwnerDied(left)) => {
                let mut guard = left.into_guard();
                let result = inside(&mut guard);
                guard.mark_consistent();
                result
            }
            Err(refusal) => panic!("{refusal}"),
        }
    }
}

/// The least that a lock can cost: one compare-and-swap to take it, one swap to give it back. It cannot wait.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Floor {
    word: AtomicU32,
}

impl Floor {
    /// Takes it as `id`; whether that worked.
    #[inline(always)]
    #[must_use]
    pub fn take(&self, id: u32) -> bool {
        // ORDERING: Acquire, as every lock; pairs with the Release of `give_back`.
        self.word.compare_exchange(0, id, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives it back; the word that was there.
    #[inline(always)]
    pub fn give_back(&self) -> u32 {
        // ORDERING: Release, as every lock; pairs with the Acquire of `take`.
        self.word.swap(0, Ordering::Release)
    }
}

/// Of which kind a [`Pthread`] is. Both are shared between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Robustness {
    /// `PTHREAD_MUTEX_STALLED`: a dead holder holds for ever.
    Stalled,
    /// `PTHREAD_MUTEX_ROBUST`: the next one gets `EOWNERDEAD`.
    Robust,
}

/// glibc's mutex with `PTHREAD_PROCESS_SHARED`, and a number beside it. Memory of zeros is a private one, free: [`set_up`](Self::set_up) it.
#[repr(C, align(64))]
pub struct Pthread {
    mutex: UnsafeCell<pthread_mutex_t>,
    data: UnsafeCell<u64>,
}

// SAFETY: the lock gives the data to one thread at a time, and the functions on the mutex itself are made for sharing.
unsafe impl Sync for Pthread {}

// SAFETY: repr(C) around bytes and a u64, no drop glue. That glibc believes what it finds in the bytes (thread ids, a robust
// list's links) does no harm here: in this crate it lies in anonymous segments alone, which nobody has but forks of one
// program, and these write to it through glibc.
unsafe impl Shareable for Pthread {
    const FINGERPRINT: u64 = Fingerprint::of::<Self>("Pthread").finish();
}

impl std::fmt::Debug for Pthread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pthread").finish_non_exhaustive()
    }
}

impl Pthread {
    /// Makes it a mutex of that kind, where it is. It must not be moved afterwards, and in a segment is not.
    ///
    /// # Errors
    /// What glibc answers.
    pub fn set_up(&mut self, robustness: Robustness) -> io::Result<()> {
        let robust = match robustness {
            Robustness::Stalled => libc::PTHREAD_MUTEX_STALLED,
            Robustness::Robust => libc::PTHREAD_MUTEX_ROBUST,
        };
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised first, used by this thread alone, and destroyed last; the mutex is ours by
        // `&mut self`, so nobody uses it yet.
        unsafe {
            answer(libc::pthread_mutexattr_init(attributes))?;
            answer(libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
            answer(libc::pthread_mutexattr_setrobust(attributes, robust))?;
            answer(libc::pthread_mutex_init(self.mutex.get(), attributes))?;
            answer(libc::pthread_mutexattr_destroy(attributes))
        }
    }

    /// `pthread_mutex_lock`, with its answer.
    #[inline(always)]
    #[must_use]
    pub fn lock(&self) -> c_int {
        // SAFETY: initialised by `set_up`, or zero, which is PTHREAD_MUTEX_INITIALIZER.
        unsafe { libc::pthread_mutex_lock(self.mutex.get()) }
    }

    /// `pthread_mutex_unlock`, with its answer.
    ///
    /// # Safety
    /// The calling thread holds the mutex, and no reference to the data is left.
    #[inline(always)]
    pub unsafe fn unlock(&self) -> c_int {
        // SAFETY: as the caller says.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) }
    }
}

impl Guarded for Pthread {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        let locked = self.lock();
        assert!(matches!(locked, 0 | libc::EOWNERDEAD), "pthread_mutex_lock: {locked}");
        // SAFETY: the mutex is held, so this is the only reference.
        let result = inside(unsafe { &mut *self.data.get() });
        // SAFETY: the mutex is held by this thread, in the second case as inconsistent; the reference is gone.
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

/// Room for a [`std::sync::Mutex`], which knows only the threads of one process.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Std {
    mutex: MaybeUninit<std::sync::Mutex<u64>>,
}

// SAFETY: room for bytes, without drop glue. They become a mutex only in `set_up`, and are used as one only by a caller that
// vouches for it.
unsafe impl Shareable for Std {
    const FINGERPRINT: u64 = Fingerprint::of::<Self>("Std").finish();
}

impl Std {
    /// Puts a free mutex there.
    pub fn set_up(&mut self) {
        self.mutex.write(std::sync::Mutex::new(0));
    }

    /// The mutex.
    ///
    /// # Safety
    /// [`set_up`](Self::set_up) was called, and no other process uses it.
    #[must_use]
    pub unsafe fn get(&self) -> &std::sync::Mutex<u64> {
        // SAFETY: as the caller says.
        unsafe { self.mutex.assume_init_ref() }
    }
}

/// flock(2) on a file without a name. Each process opens it for itself: such a lock belongs to the open file.
#[derive(Debug)]
pub struct FlockFile {
    file: File,
}

impl FlockFile {
    /// A new file in memory.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn new() -> io::Result<Self> {
        // SAFETY: the name is a C string.
        let descriptor = unsafe { libc::memfd_create(c"flock".as_ptr(), libc::MFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor, which nobody else has.
        let file = unsafe { OwnedFd::from_raw_fd(descriptor) }.into();
        Ok(Self { file })
    }

    /// The calling process's own way to lock it, around a number in shared memory.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn open<'n>(&self, number: &'n AtomicU64) -> io::Result<Flock<'n>> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let file = File::options().read(true).write(true).open(path)?;
        Ok(Flock { file, number })
    }
}

/// One process's way to a [`FlockFile`].
#[derive(Debug)]
pub struct Flock<'n> {
    file: File,
    number: &'n AtomicU64,
}

impl Flock<'_> {
    fn flock(&self, operation: c_int) {
        // SAFETY: a descriptor of our own. Bounded: signals end the wait, and end the benchmark's children.
        let answer = unsafe { libc::flock(self.file.as_raw_fd(), operation) };
        assert_eq!(answer, 0, "flock: {}", io::Error::last_os_error());
    }
}

impl Guarded for Flock<'_> {
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        self.flock(libc::LOCK_EX);
        // ORDERING: Relaxed; the lock orders the accesses to the number, through the kernel.
        let mut number = self.number.load(Ordering::Relaxed);
        let result = inside(&mut number);
        self.number.store(number, Ordering::Relaxed);
        self.flock(libc::LOCK_UN);
        result
    }
}
