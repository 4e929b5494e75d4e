//! What the kernel and the C library offer, as far as `outlive-benches` does not have it.

use outlive::{Segment, Shareable};
use std::io;
use std::ops::Deref;
use std::os::unix::net::UnixDatagram;
use std::ptr::NonNull;

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

/// A value in memory of its own, which forked children share. The value is never dropped.
#[derive(Debug)]
pub struct Shared<T>(NonNull<T>);

// SAFETY: it gives what a shared reference gives.
unsafe impl<T: Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Puts the value there.
    ///
    /// # Errors
    /// Those of mmap(2).
    pub fn new(value: T) -> io::Result<Self> {
        let new = Self::map()?;
        // SAFETY: long enough, aligned to pages, and nobody else's yet.
        unsafe { new.0.write(value) };
        Ok(new)
    }

    /// A value whose bytes are all zero.
    ///
    /// # Errors
    /// Those of mmap(2).
    pub fn zeroed() -> io::Result<Self>
    where
        T: Shareable,
    {
        Self::map()
    }

    /// All bytes are zero: a value of a [`Shareable`] type, and of others when one is put there.
    fn map() -> io::Result<Self> {
        const { assert!(align_of::<T>() <= 4096, "a mapping begins with a page") };
        let (all, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), size_of::<T>().max(1), all, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(NonNull::new(at.cast::<T>()).expect("no mapping is at address 0")))
    }

    /// Where it is.
    #[must_use]
    pub fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: a valid value, as long as this one lives.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made. No reference into it is left.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<T>().max(1)) };
    }
}
