//! Reads this process's own memory through the kernel. Memory that cannot be read gives an error
//! instead of a fault, and a write at the same time is no data race.
//!
//! The call is process_vm_readv(2). It needs no descriptor: a process that has none left must be
//! able to leave a segment. Some sandboxes refuse the call (Docker's before version 20.10). There
//! the bytes go through a pipe: no sandbox refuses pipe2(2), write(2) and read(2).

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Reads by process_vm_readv(2), and by a pipe once that call has been refused.
#[derive(Debug, Default)]
pub(crate) struct OwnMemory {
    pipe: Option<Pipe>,
}

/// A pipe. It is empty between two reads.
#[derive(Debug)]
struct Pipe {
    from: OwnedFd,
    to: OwnedFd,
}

impl OwnMemory {
    /// The greatest number of bytes for one [`read`](Self::read). The kernel's smallest pipe has
    /// room for so many (pipe(7)).
    pub(crate) const MOST: usize = 4096;

    /// Copies the memory at the address `start` to `bytes`.
    ///
    /// # Errors
    /// If not all bytes can be read. Where process_vm_readv(2) is refused, also those of pipe2(2).
    ///
    /// # Panics
    /// If `bytes` is longer than [`MOST`](Self::MOST).
    pub(crate) fn read(&mut self, start: usize, bytes: &mut [u8]) -> Result<()> {
        assert!(bytes.len() <= Self::MOST, "{} bytes are more than {}", bytes.len(), Self::MOST);
        let read = match &self.pipe {
            Some(pipe) => pipe.read(start, bytes)?,
            None => match read_by_call(start, bytes) {
                Err(error) if error.raw_os_error() != Some(libc::EFAULT) => {
                    self.pipe.insert(Pipe::open()?).read(start, bytes)?
                }
                answer => answer?,
            },
        };
        if read == bytes.len() { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }
}

/// Returns how many bytes could be read.
fn read_by_call(start: usize, bytes: &mut [u8]) -> Result<usize> {
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let there = libc::iovec { iov_base: start as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: the kernel writes only to the live bytes, and checks the memory that it reads.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &here, 1, &there, 1, 0) };
    usize::try_from(read).map_err(|_| Error::last_os_error())
}

impl Pipe {
    fn open() -> Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: two numbers are written there.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } != 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: both descriptors are open, and belong to this call.
        let [from, to] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        Ok(Self { from, to })
    }

    /// Returns how many bytes could be read. All bytes that go into the pipe come out again.
    fn read(&self, start: usize, bytes: &mut [u8]) -> Result<usize> {
        // SAFETY: the kernel checks the memory that it reads, and changes nothing there.
        let put = unsafe { libc::write(self.to.as_raw_fd(), start as *const libc::c_void, bytes.len()) };
        let put = usize::try_from(put).map_err(|_| Error::last_os_error())?;
        // SAFETY: `put` bytes are in the pipe, and `bytes` is at least so long.
        let got = unsafe { libc::read(self.from.as_raw_fd(), bytes.as_mut_ptr().cast(), put) };
        usize::try_from(got).map_err(|_| Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no memory that cannot be read")]
    fn what_is_there_is_read_and_what_is_not_is_an_error() {
        let piped = OwnMemory { pipe: Some(Pipe::open().expect("a pipe")) };
        for mut memory in [OwnMemory::default(), piped] {
            let page = memmap2::MmapMut::map_anon(2 * OwnMemory::MOST).expect("two pages");
            let start = page.as_ptr() as usize;
            // SAFETY: the second page is this test's, and only the kernel accesses it.
            let answer =
                unsafe { libc::mprotect((start + OwnMemory::MOST) as *mut _, OwnMemory::MOST, libc::PROT_NONE) };
            assert_eq!(answer, 0);
            let written = *b"so it is";
            let mut bytes = [0; 8];
            for round in 0..20_000 {
                // Half of the bytes can be read, then none. The pipe must be empty each time.
                assert!(memory.read(start + OwnMemory::MOST - 4, &mut bytes).is_err(), "{round}");
                assert!(memory.read(start + OwnMemory::MOST, &mut bytes).is_err(), "{round}");
            }
            memory.read(written.as_ptr() as usize, &mut bytes).expect("it is there");
            assert_eq!(bytes, written);
            assert!(memory.read(8, &mut bytes).is_err());
            let mut most = [1; OwnMemory::MOST];
            memory.read(start, &mut most).expect("it is there");
            assert_eq!(most, [0; OwnMemory::MOST]);
        }
    }
}
