//! Locks on single bytes of a file, owned by an open file (`F_OFD_SETLK`, fcntl(2)).
//!
//! Such a lock belongs to the open file, not to a process or a descriptor. It lasts as long as the
//! open file has a descriptor in any process, or a mapping that was made through it. The bytes need
//! not exist in the file. An exclusive lock needs a file that is open for writing. No call here
//! waits.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The two kinds of lock on a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Any number of open files may have a shared lock.
    Shared,
    /// One open file has the exclusive lock; then no other open file has a shared one.
    Exclusive,
}

fn request(kind: libc::c_int, byte: i64) -> libc::flock64 {
    // SAFETY: a structure of integers, for which all zero is a valid value.
    let mut request: libc::flock64 = unsafe { core::mem::zeroed() };
    request.l_type = kind as libc::c_short;
    request.l_whence = libc::SEEK_SET as libc::c_short;
    request.l_start = byte;
    request.l_len = 1;
    request
}

fn call(file: BorrowedFd<'_>, command: libc::c_int, mut request: libc::flock64) -> io::Result<libc::flock64> {
    // SAFETY: the descriptor is open, and the structure lives for the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut request) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(request),
    }
}

/// Locks the byte for this open file. Returns false if a lock of another open file is in the way.
pub(crate) fn lock_byte(file: BorrowedFd<'_>, byte: i64, how: Lock) -> io::Result<bool> {
    let kind = match how {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
    };
    match call(file, libc::F_OFD_SETLK, request(kind, byte)) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives back this open file's lock on the byte, for all processes that share the open file.
pub(crate) fn unlock_byte(file: BorrowedFd<'_>, byte: i64) -> io::Result<()> {
    call(file, libc::F_OFD_SETLK, request(libc::F_UNLCK, byte)).map(drop)
}

/// The kind of a lock that another open file has on the byte; `None`: no other open file has one.
pub(crate) fn others_lock(file: BorrowedFd<'_>, byte: i64) -> io::Result<Option<Lock>> {
    let found = call(file, libc::F_OFD_GETLK, request(libc::F_WRLCK, byte))?;
    Ok(match i32::from(found.l_type) {
        libc::F_UNLCK => None,
        libc::F_RDLCK => Some(Lock::Shared),
        _ => Some(Lock::Exclusive),
    })
}
