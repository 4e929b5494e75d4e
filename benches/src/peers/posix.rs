//! The kernel's queues of messages.

use std::ffi::CString;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// A POSIX message queue without a name.
#[derive(Debug)]
pub struct PosixQueue(libc::mqd_t);

impl PosixQueue {
    /// A queue for so many messages of this length. (The kernel allows 10 by default.)
    ///
    /// # Errors
    /// Those of mq_open(3).
    pub fn new(messages: usize, length: usize) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = CString::new(format!("/outlive-peers-{}-{number}", std::process::id()))?;
        // SAFETY: the name and the attributes live for the calls; all bytes 0 are valid attributes.
        let queue = unsafe {
            let mut attributes: libc::mq_attr = std::mem::zeroed();
            attributes.mq_maxmsg = messages as libc::c_long;
            attributes.mq_msgsize = length as libc::c_long;
            let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
            let queue = libc::mq_open(name.as_ptr(), flags, 0o600, &raw mut attributes);
            if queue != -1 {
                libc::mq_unlink(name.as_ptr());
            }
            queue
        };
        if queue == -1 { Err(io::Error::last_os_error()) } else { Ok(Self(queue)) }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Those of mq_send(3).
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        // SAFETY: the message is as long as it says.
        let result = unsafe { libc::mq_send(self.0, message.as_ptr().cast(), message.len(), 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Receives a message. Returns its length.
    ///
    /// # Errors
    /// Those of mq_receive(3).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer is as long as it says.
        let length =
            unsafe { libc::mq_receive(self.0, buffer.as_mut_ptr().cast(), buffer.len(), std::ptr::null_mut()) };
        usize::try_from(length).map_err(|_| io::Error::last_os_error())
    }
}

impl Drop for PosixQueue {
    fn drop(&mut self) {
        // SAFETY: it is open, and used by this value alone.
        unsafe { libc::mq_close(self.0) };
    }
}
