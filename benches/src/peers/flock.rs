//! flock(2), a lock that the kernel releases when its holder dies.

use super::Guarded;
use libc::c_int;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file without a name, for flock(2). Each process opens it for itself, because such a lock
/// belongs to the open file.
#[derive(Debug)]
pub struct FlockFile {
    file: File,
}

impl FlockFile {
    /// A new file in memory.
    ///
    /// # Errors
    /// Those of memfd_create(2).
    pub fn new() -> io::Result<Self> {
        // SAFETY: the name is a C string.
        let descriptor = unsafe { libc::memfd_create(c"flock".as_ptr(), libc::MFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor, which belongs to this call.
        let file = unsafe { OwnedFd::from_raw_fd(descriptor) }.into();
        Ok(Self { file })
    }

    /// Opens the file for the calling process, as a lock around a number in shared memory.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open<'n>(&self, number: &'n AtomicU64) -> io::Result<Flock<'n>> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let file = File::options().read(true).write(true).open(path)?;
        Ok(Flock { file, number })
    }
}

/// A [`FlockFile`] as one process has opened it.
#[derive(Debug)]
pub struct Flock<'n> {
    file: File,
    number: &'n AtomicU64,
}

impl Flock<'_> {
    fn flock(&self, operation: c_int) {
        // SAFETY: a descriptor of our own. The wait is bounded: a signal ends the benchmark's
        // children.
        let answer = unsafe { libc::flock(self.file.as_raw_fd(), operation) };
        assert_eq!(answer, 0, "flock: {}", io::Error::last_os_error());
    }
}

impl Guarded for Flock<'_> {
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        self.flock(libc::LOCK_EX);
        // ORDERING: Relaxed. The lock orders the accesses to the number, through the kernel.
        let mut number = self.number.load(Ordering::Relaxed);
        let result = inside(&mut number);
        self.number.store(number, Ordering::Relaxed);
        self.flock(libc::LOCK_UN);
        result
    }
}
