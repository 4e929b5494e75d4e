//! A descriptor that becomes readable when a source is ready.

use super::entry::Registered;
use super::{Notify, Task, Told};
use crate::error::{IoError, ReadyFdError, RegisterError};
use crate::segment::local;
use crate::sync::wait_any::WaitSource;
use core::fmt;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};

/// A descriptor that becomes readable when a source is ready, for epoll and its kin:
/// [`WaitSource::descriptor`].
///
/// When it is readable, [clear](Self::clear) it first, and then try until an attempt would block.
/// If the source is still ready when it is cleared, it becomes readable again at once. It may be
/// readable in vain: another process was quicker.
///
/// ```
/// use outlive::Queue;
/// use std::os::fd::AsFd;
///
/// let jobs = Queue::<u64>::anonymous(64)?;
/// let ready = jobs.readable().descriptor()?;
/// jobs.send(7)?;
/// // epoll, poll, an event loop:
/// rustix::event::poll(&mut [rustix::event::PollFd::new(&ready, rustix::event::PollFlags::IN)], None)?;
/// ready.clear()?;
/// assert_eq!(jobs.try_iter().collect::<Vec<_>>(), [7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is an eventfd(2). Only this process makes it readable and clears it: a descriptor that was
/// passed to another process, or inherited by a child, tells of this process's wait.
///
/// # If a process dies
/// As [`wait_any`](crate::wait_any#if-a-process-dies). A death of this process ends its wait, and
/// nothing is lost by it.
pub struct ReadyFd<'a> {
    descriptor: Arc<OwnedFd>,
    task: Mutex<Task<'a>>,
    /// In which it was made.
    process: u64,
}

impl<'a> WaitSource<'a> {
    /// A descriptor that becomes readable when the source is ready, for epoll and its kin.
    ///
    /// As for a [future](Self::ready), a thread of the crate sleeps for it.
    ///
    /// # Errors
    /// [`ReadyFdError::Io`] if there can be no more descriptors; [`ReadyFdError::Register`].
    ///
    /// # If a process dies
    /// As [`wait_any`](crate::wait_any#if-a-process-dies).
    pub fn descriptor(self) -> Result<ReadyFd<'a>, ReadyFdError> {
        let descriptor = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
            .map_err(|errno| IoError::new("make an eventfd", None, errno))?;
        // A forked child has no number before its first operation.
        let process = local::ensure_process_number().map_err(RegisterError::from)?;
        let ready = ReadyFd { descriptor: Arc::new(descriptor), task: Task::new(self).into(), process };
        ready.register()?;
        Ok(ready)
    }
}

impl ReadyFd<'_> {
    /// Makes the descriptor unreadable, until the source is ready. If the source is ready now, the
    /// descriptor is readable again when this returns.
    ///
    /// # Errors
    /// [`ReadyFdError::Register`], [`ReadyFdError::Io`]: the descriptor will not become readable,
    /// unless a later call succeeds. [`ReadyFdError::OfAnotherProcess`]: the process that made it
    /// has forked this one.
    pub fn clear(&self) -> Result<(), ReadyFdError> {
        // A child must not take the parent's wake. And a thread of the parent's may have had the
        // lock when it forked.
        if self.process != local::process_number() {
            return Err(ReadyFdError::OfAnotherProcess);
        }
        let mut count = [0; 8];
        match rustix::io::read(&self.descriptor, &mut count) {
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(errno) => return Err(IoError::new("read an eventfd", None, errno).into()),
        }
        Ok(self.register()?)
    }

    fn register(&self) -> Result<(), RegisterError> {
        // A thread that panicked here has left the task as it was, or registered.
        let mut told = Told::default(); // is dropped after the lock
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.register(&mut told, || Notify::Descriptor(Arc::clone(&self.descriptor)))? == Registered::Ready {
            make_readable(&self.descriptor);
            // Nobody knows when the user tries. So others have their turn now.
            told.0.append(&mut task.leave().0);
        }
        Ok(())
    }
}

/// Makes an eventfd readable.
pub(super) fn make_readable(descriptor: &OwnedFd) {
    // It fails only if it has been readable 2^64 times, or in a process that may not write.
    let _is_readable_already = rustix::io::write(descriptor, &1u64.to_ne_bytes());
}

impl AsFd for ReadyFd<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for ReadyFd<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl fmt::Debug for ReadyFd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyFd").field("descriptor", &self.descriptor).finish_non_exhaustive()
    }
}
