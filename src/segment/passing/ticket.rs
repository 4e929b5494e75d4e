//! How does a child find the descriptor that it was passed?
//!
//! A child finds the number of its descriptor in an environment variable. Its own children inherit
//! the variable, too, and there the number may stand for any other descriptor. So the variable also
//! has the device, the inode, and a *mark*: a random number that is the file offset of the passed
//! descriptor. No other descriptor has it, and nothing reads at that offset.
//!
//! The number is checked before anything is done with it. If all three fit, the descriptor was
//! passed to this process, and this module may close it.

#![allow(clippy::disallowed_types)] // process-local, never in shared memory, never in an algorithm

use super::can_be_written;
use crate::atomic::AtomicU64;
use crate::error::IoError;
use crate::segment::local::process_number;
use crate::segment::naming;
use core::fmt;
use core::str::FromStr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use rustix::io::FdFlags;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// The begin of the environment variable of each segment that is passed.
const VARIABLE: &str = "OUTLIVE_SEGMENT_";
pub(super) fn variable(name: &str) -> String {
    format!("{VARIABLE}{name}")
}

/// What a child learns of a descriptor that was passed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) number: RawFd,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) mark: u64,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.number, self.device, self.inode, self.mark)
    }
}

impl FromStr for Ticket {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let numbers: Vec<u64> = text.split(':').map(str::parse).collect::<Result<_, _>>().map_err(drop)?;
        let [number, device, inode, mark] = numbers[..] else { return Err(()) };
        let number = RawFd::try_from(number).map_err(drop)?;
        // The standard streams are never passed. An offset of 0 is that of every file that was just
        // opened.
        if number > 2 && mark > 0 { Ok(Self { number, device, inode, mark }) } else { Err(()) }
    }
}

impl Ticket {
    /// Whether the number is the descriptor that was passed. If it is a FIFO, a terminal or another
    /// file, nothing happens to that.
    fn fits(&self) -> bool {
        // SAFETY: all bytes of this structure may be zero.
        let mut found: libc::stat = unsafe { core::mem::zeroed() };
        // SAFETY: the structure can be written. A number that is not open is an error.
        let is_open = unsafe { libc::fstat(self.number, &mut found) } == 0;
        let is_the_file =
            found.st_mode & libc::S_IFMT == libc::S_IFREG && (found.st_dev, found.st_ino) == (self.device, self.inode);
        // SAFETY: this reads the offset, and sets nothing.
        is_open && is_the_file && unsafe { libc::lseek(self.number, 0, libc::SEEK_CUR) } == self.mark as i64
    }

    /// An open file for a new handle. The number stays open: after an error of this caller, the
    /// next caller may have the right type.
    pub(super) fn open(&self) -> Result<Option<(File, bool)>, IoError> {
        if !self.fits() {
            return Ok(None);
        }
        // SAFETY: it is open, and by its mark it was passed to this process. Only this module
        // closes it.
        let passed = unsafe { BorrowedFd::borrow_raw(self.number) };
        // Children of this process get it only if it is passed on.
        rustix::io::fcntl_setfd(passed, FdFlags::CLOEXEC)
            .map_err(|e| IoError::new("set a flag of the passed descriptor", None, e))?;
        can_be_written(passed).then(|| reopen_or_duplicate(passed)).transpose()
    }

    /// Closes the number. False if another thread was first.
    pub(super) fn close(&self) -> bool {
        one_at_a_time(|| {
            let fits = self.fits();
            if fits {
                // SAFETY: by its mark it is the descriptor that was passed. Only this module closes
                // it, one thread at a time.
                unsafe { libc::close(self.number) };
            }
            fits
        })
    }
}

/// Runs `body`, which takes microseconds, in one thread of this process at a time. The caller has a
/// mapping, so its process has a number. A child that is forked at the wrong moment would inherit a
/// mutex locked. Here the child finds the number of another process, and goes in.
fn one_at_a_time<V>(body: impl FnOnce() -> V) -> V {
    static INSIDE: AtomicU64 = AtomicU64::new(0);
    let process = process_number();
    loop {
        let inside = INSIDE.load(Relaxed);
        // ORDERING: Acquire; pairs with the Release below: the system calls of two threads do not
        // mix. They publish no memory.
        if inside != process && INSIDE.compare_exchange(inside, process, Acquire, Relaxed).is_ok() {
            break;
        }
        std::thread::yield_now();
    }
    let value = body();
    INSIDE.store(0, Release);
    value
}

/// A separate open file of the same inode, without a lock, and `false`. A process that may not open
/// the file again, or cannot for lack of /proc, gets a duplicate, and `true`: that is the same open
/// file, with the same locks. Another failure is an error.
pub(super) fn reopen_or_duplicate(descriptor: impl AsFd) -> Result<(File, bool), IoError> {
    reopen_or_else(descriptor, |error| naming::is_forbidden(error) || naming::is_impossible(error))
}

/// The same of a descriptor that did not come from a participant. A lack of /proc is an error then:
/// a shared open file does not show whether anybody uses the segment.
pub(super) fn reopen_or_duplicate_a_strangers(descriptor: impl AsFd) -> Result<(File, bool), IoError> {
    reopen_or_else(descriptor, naming::is_forbidden)
}

fn reopen_or_else(
    descriptor: impl AsFd,
    is_shared_after: impl Fn(&std::io::Error) -> bool,
) -> Result<(File, bool), IoError> {
    match naming::reopen(&descriptor) {
        Ok(file) => Ok((naming::away_from_stdio(file)?, false)),
        Err(error) if is_shared_after(&error) => Ok((duplicate(descriptor.as_fd(), &known_numbers())?, true)),
        Err(error) => Err(IoError::new("open the segment's file anew", None, error)),
    }
}

/// The numbers that this process's own environment names. They were passed to this process, and
/// each is closed when it has been inherited.
fn known_numbers() -> Vec<RawFd> {
    let known = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(VARIABLE.as_bytes()));
    known.filter_map(|(_, value)| Some(value.to_str()?.parse::<Ticket>().ok()?.number)).collect()
}

/// A duplicate, which has the same mark. It must not get one of the `known` numbers, because it
/// would be taken for a descriptor that was passed.
fn duplicate(descriptor: BorrowedFd<'_>, known: &[RawFd]) -> Result<File, IoError> {
    let mut least = 3;
    loop {
        let new = rustix::io::fcntl_dupfd_cloexec(descriptor, least)
            .map_err(|e| IoError::new("duplicate the descriptor", None, e))?;
        if !known.contains(&new.as_raw_fd()) {
            return Ok(File::from(new));
        }
        least = new.as_raw_fd() + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri opens no files")]
    fn a_duplicate_does_not_get_a_number_that_was_passed() {
        let file = File::open("/dev/null").expect("there");
        // Numbers below 500 are all known, so only others remain.
        let known: Vec<RawFd> = (0..500).collect();
        let duplicate = duplicate(file.as_fd(), &known).expect("a descriptor");
        assert!(duplicate.as_raw_fd() >= 500);
    }

    #[test]
    fn a_malformed_variable_is_not_a_ticket() {
        let ticket = Ticket { number: 7, device: 1, inode: u64::MAX, mark: 9 };
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
        for wrong in ["", "7", "7:1:2", "7:1:2:3:4", "7:1:2:0", "2:1:2:3", "-7:1:2:3", "4294967303:1:2:3", "7:1:x:3"] {
            assert!(wrong.parse::<Ticket>().is_err(), "{wrong:?}");
        }
    }
}
