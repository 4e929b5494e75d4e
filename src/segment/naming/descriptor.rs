//! Is this descriptor still ours? Other code in this process may close it without asking.
//!
//! A daemon closes all descriptors that it inherited, and more. The number may then stand for
//! something else, even for this very file. So before a number is used or closed, it is checked
//! what the number stands for: the device, the inode, and the *file position*, which belongs to the
//! open file. Nothing here reads or writes at the position. So the position is a mark that no other
//! open file of the same file has.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use crate::atomic::AtomicI32;
use crate::error::{DescriptorLostError, IoError};
use core::sync::atomic::Ordering::Relaxed;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};

/// The number of an open file. Dropping this closes the file, if the number is still ours by then.
#[derive(Debug)]
pub(in crate::segment) struct Descriptor {
    /// [`CLOSED`] after it was closed on purpose.
    number: AtomicI32,
    device: u64,
    inode: u64,
    position: u64,
}

/// No descriptor's number.
const CLOSED: RawFd = -1;

impl Descriptor {
    pub(in crate::segment) fn new(file: File) -> Result<Self, IoError> {
        let (device, inode) = super::inode(&file)?;
        let position = mark(&file)?;
        Ok(Self { number: AtomicI32::new(file.into_raw_fd()), device, inode, position })
    }

    /// The descriptor, if the number still stands for the same open file.
    ///
    /// # Errors
    /// The descriptor's number stands for another file, or the descriptor was closed on purpose.
    pub(in crate::segment) fn get(&self) -> Result<BorrowedFd<'_>, DescriptorLostError> {
        // ORDERING: Relaxed; a thread that closes it has the only handle of the segment to itself.
        let number = self.number.load(Relaxed);
        if number == CLOSED {
            return Err(DescriptorLostError::new(None));
        }
        // SAFETY: it is checked what the number stands for, and handed on only if that is ours.
        // Nobody has a reason to close it in between.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let about = rustix::fs::fstat(descriptor);
        let is_file = about.is_ok_and(|about| (about.st_dev, about.st_ino) == (self.device, self.inode));
        let is_ours = is_file && rustix::fs::seek(descriptor, SeekFrom::Current(0)).is_ok_and(|at| at == self.position);
        is_ours.then_some(descriptor).ok_or(DescriptorLostError::new(Some(number)))
    }

    /// Closes it, if it is still ours.
    ///
    /// # Safety
    /// Nobody has borrowed it.
    pub(in crate::segment) unsafe fn close(&self) {
        if self.get().is_ok() {
            // ORDERING: Relaxed, as in `get`.
            let number = self.number.swap(CLOSED, Relaxed);
            // SAFETY: it is ours by the check above, and is not used after this.
            unsafe { rustix::io::close(number) };
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: a borrow would have to outlive it.
        unsafe { self.close() };
    }
}

/// The mark of an open file: its position, or a new one if it has none. A descriptor that was
/// passed keeps its mark: if it could not be opened anew, it is the same open file as the parent's.
pub(in crate::segment) fn mark(file: &File) -> Result<u64, IoError> {
    let failed = |e: rustix::io::Errno| IoError::new("mark the segment's file", None, e);
    let random = std::hash::RandomState::new().build_hasher().finish();
    match rustix::fs::tell(file).map_err(failed)? {
        // The position is above all that is read or written, and below the largest file of any file
        // system.
        0 => rustix::fs::seek(file, SeekFrom::Start(1 << 40 | random >> 25)).map_err(failed),
        mark => Ok(mark),
    }
}

/// The name of a descriptor in /proc, for the calling thread.
///
/// `/proc/self` would be the main thread. That may have ended while others go on, and then it has
/// no descriptors. It may also have other descriptors than the calling thread (`CLONE_FILES`,
/// unshare(2)).
pub(in crate::segment) fn name_in_proc(descriptor: impl AsFd) -> String {
    format!("/proc/thread-self/fd/{}", descriptor.as_fd().as_raw_fd())
}

/// Opens anew the file that a descriptor stands for: another open file, without the locks of the
/// first.
pub(in crate::segment) fn reopen(descriptor: impl AsFd) -> std::io::Result<File> {
    std::fs::OpenOptions::new().read(true).write(true).open(name_in_proc(descriptor))
}

/// The same, only for reading. Where the file may not be opened anew, this is another descriptor of
/// the same open file.
pub(in crate::segment) fn reopen_to_read(descriptor: BorrowedFd<'_>) -> Result<File, IoError> {
    let again = File::open(name_in_proc(descriptor));
    let file = again.or_else(|_| descriptor.try_clone_to_owned().map(File::from));
    super::away_from_stdio(file.map_err(|e| IoError::new("duplicate the descriptor", None, e))?)
}

/// Whether this error says that the process may not open a file anew.
pub(in crate::segment) fn is_forbidden(error: &std::io::Error) -> bool {
    is_one_of(error, &[Errno::ACCESS, Errno::PERM, Errno::ROFS, Errno::TXTBSY])
}

/// Whether this error says that nobody can open a file anew here: there is no /proc, or it cannot
/// be used.
pub(in crate::segment) fn is_impossible(error: &std::io::Error) -> bool {
    is_one_of(error, &[Errno::NOENT, Errno::LOOP, Errno::NOSYS])
}

fn is_one_of(error: &std::io::Error, errors: &[Errno]) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| errors.contains(&errno))
}
