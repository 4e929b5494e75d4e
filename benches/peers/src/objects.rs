//! What the kernel and the C library offer, as far as `outlive-benches` does not have it.

use outlive::{Segment, Shareable};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

/// A segment that holds one of glibc's objects.
///
/// # Errors
/// Those of the segment, and those of `set_up`.
pub fn made<T: Shareable + Sync>(
    set_up: impl FnOnce(&mut T) -> io::Result<()>,
) -> Result<Segment<T>, Box<dyn std::error::Error>> {
    let mut answer = Ok(());
    let segment = Segment::anonymous(|new| answer = set_up(new))?;
    answer?;
    Ok(segment)
}

/// A pair of sockets with boundaries between messages.
#[derive(Debug)]
pub struct Datagrams(UnixDatagram, UnixDatagram);

impl Datagrams {
    /// A pair.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn new() -> io::Result<Self> {
        UnixDatagram::pair().map(|(one, other)| Self(one, other))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Those of send(2).
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        self.0.send(message).map(|_| ())
    }

    /// Receives a message. Returns its length.
    ///
    /// # Errors
    /// Those of recv(2).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.recv(buffer)
    }
}

/// A lock of fcntl(2) that belongs to the open file description.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// A lock of a file without a name.
    ///
    /// # Errors
    /// Those of the file.
    pub fn new() -> io::Result<Self> {
        tempfile::tempfile().map(Self)
    }

    fn set(&self, kind: i32) -> io::Result<()> {
        // SAFETY: all bytes 0 are a valid flock; it lives for the call.
        let result = unsafe {
            let mut lock: libc::flock = std::mem::zeroed();
            lock.l_type = kind as libc::c_short;
            libc::fcntl(self.0.as_raw_fd(), libc::F_OFD_SETLKW, &raw mut lock)
        };
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Locks, does it, and unlocks.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn with<R>(&self, inside: impl FnOnce() -> R) -> R {
        self.set(libc::F_WRLCK).expect("a file can be locked");
        let result = inside();
        self.set(libc::F_UNLCK).expect("it is locked");
        result
    }
}
