//! Reading this process's own memory by the kernel's hand: what cannot be read is an error and no
//! fault, and what is written meanwhile no data race.
//!
//! By process_vm_readv(2), which needs no descriptor: a process that has none left must be able to
//! leave a segment. Some sandboxes refuse that call (Docker's before version 20.10). There it goes
//! through a pipe, since pipe2(2), write(2) and read(2) are calls that no sandbox refuses.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A way to read it; the first one, as long as it is not refused.
#[derive(Debug, Default)]
pub(crate) struct OwnMemory {
    pipe: Option<Pipe>,
}

/// A pipe, which is empty between two reads.
#[derive(Debug)]
struct Pipe {
    from: OwnedFd,
    to: OwnedFd,
}

impl OwnMemory {
    /// The most bytes of one [`read`](Self::read). A pipe of the kernel's smallest size has room
    /// for them (pipe(7)).
    pub(crate) const MOST: usize = 4096;

    /// Copies what lies at the address `start`.
    ///
    /// # Errors
    /// If not all of it can be read; those of pipe2(2) where process_vm_readv(2) is refused.
    ///
    /// # Panics
    /// If `bytes` are more than [`MOST`](Self::MOST).
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

/// Gives how many bytes could be read.
fn read_by_call(start: usize, bytes: &mut [u8]) -> Result<usize> {
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let there = libc::iovec { iov_base: start as *mut libc::c_void, iov_len: bytes.len() };
    // SAFETY: writes to the live bytes alone; what it reads it checks itself.
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
        // SAFETY: open, and nobody else's.
        let [from, to] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        Ok(Self { from, to })
    }

    /// Gives how many bytes could be read. All that is put in is taken out.
    fn read(&self, start: usize, bytes: &mut [u8]) -> Result<usize> {
        // SAFETY: the kernel checks what it reads; what is there does not change by it.
        let put = unsafe { libc::write(self.to.as_raw_fd(), start as *const libc::c_void, bytes.len()) };
        let put = usize::try_from(put).map_err(|_| Error::last_os_error())?;
        // SAFETY: so many bytes are in the pipe, and no more are written than the live ones.
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
            // SAFETY: the second page is ours, and is not touched by anybody but the kernel.
            let answer =
                unsafe { libc::mprotect((start + OwnMemory::MOST) as *mut _, OwnMemory::MOST, libc::PROT_NONE) };
            assert_eq!(answer, 0);
            let written = *b"so it is";
            let mut bytes = [0; 8];
            for round in 0..20_000 {
                // Half of it, and nothing of it: whatever was put into the pipe is out of it again.
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
