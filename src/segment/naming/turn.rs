//! The two locks: the turn at a file, and its use. See the [module above](super).

use super::descriptor::Descriptor;
use super::{inode, look, metadata, read_header};
use crate::error::{Error, Result};
use crate::platform::linux::{Lock, lock_byte, others_lock, unlock_byte};
use crate::segment::header;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// The bytes that are locked, behind the end of any file.
const TURN: i64 = i64::MAX - 2;
const USE: i64 = i64::MAX - 1;

/// How long others may take over something that takes microseconds, unless they are stopped.
#[derive(Debug)]
pub(in crate::segment) struct Backoff {
    begun: Instant,
    bound: Duration,
    pause: Duration,
}

impl Backoff {
    pub(in crate::segment) fn new(bound: Duration) -> Self {
        Self { begun: Instant::now(), bound, pause: Duration::from_micros(50) }
    }

    /// Waits a moment before the next attempt.
    ///
    /// # Errors
    /// [`Error::Busy`] when the time is over: `by` is the lock that is in the way.
    pub(in crate::segment) fn pause(&mut self, by: Option<Lock>) -> Result<()> {
        let left = self.bound.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            return Err(self.over(by));
        }
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(Duration::from_millis(2));
        Ok(())
    }

    /// What is said when the time is over.
    pub(super) fn over(&self, by: Option<Lock>) -> Error {
        Error::Busy { waited: self.begun.elapsed(), by_reader: by == Some(Lock::Shared) }
    }
}

fn refused(e: std::io::Error) -> Error {
    Error::io("lock a byte of the segment", None, e)
}

/// The turn at a file: no other opener or replacer acts while it lasts. Given back when dropped, or
/// by the end of the process.
///
/// It is had through an open file of its own: a child that is forked meanwhile has that one, too,
/// but no mapping of it, and loses it with exec or when it closes its descriptors. To give it back
/// is to unlock it, for such children, too.
#[derive(Debug)]
pub(in crate::segment) struct Turn(Descriptor);

impl Turn {
    /// The turn, or the lock that is in the way.
    pub(super) fn try_take(file: File) -> Result<core::result::Result<Self, Option<Lock>>> {
        // With the descriptor's number looked after first: from here on a lock may be given back.
        let this = Self(Descriptor::new(file)?);
        let file = this.0.get()?;
        if lock_byte(file, TURN, Lock::Exclusive).map_err(refused)? {
            return Ok(Ok(this));
        }
        Ok(Err(others_lock(file, TURN).map_err(refused)?))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Ok(file) = self.0.get() {
            let _given_back_with_the_open_file = unlock_byte(file, TURN);
        }
    }
}

/// Opens the segment of that name, in its turn: nobody else opens or replaces it, and no
/// replacement takes its name, before the turn is dropped. Only a segment, by its header, and only
/// one of that owner.
pub(in crate::segment) fn open(path: &Path, owner: u32, backoff: &mut Backoff) -> Result<(Turn, File)> {
    loop {
        let candidate = look(path, owner)?;
        header::judge_format(&read_header(&candidate)?.0)?;
        let wanted = inode(&candidate)?;
        let in_the_way = match Turn::try_take(candidate)? {
            Ok(turn) => {
                // An open file of its own, for the use. It is opened by the name, to see that this
                // still is the file's.
                let file = look(path, owner)?;
                if inode(&file)? == wanted {
                    return Ok((turn, file));
                }
                None // replaced while we waited for the turn
            }
            Err(by) => by,
        };
        backoff.pause(in_the_way)?;
    }
}

/// The turn at a file that was not opened by its name, by open files of its own.
pub(in crate::segment) fn turn_at(again: impl Fn() -> Result<File>, backoff: &mut Backoff) -> Result<Turn> {
    loop {
        match Turn::try_take(again()?)? {
            Ok(turn) => return Ok(turn),
            Err(by) => backoff.pause(by)?,
        }
    }
}

/// Says of an open file that the mapping that will be made through it is one that counts.
pub(in crate::segment) fn share(file: &File, backoff: &mut Backoff) -> Result<()> {
    while !lock_byte(file.as_fd(), USE, Lock::Shared).map_err(refused)? {
        backoff.pause(others_lock(file.as_fd(), USE).map_err(refused)?)?; // outlive never locks it exclusively
    }
    Ok(())
}

/// Whether anybody has the segment mapped through another open file than this one.
pub(in crate::segment) fn is_in_use(file: BorrowedFd<'_>) -> Result<bool> {
    others_lock(file, USE).map(|lock| lock.is_some()).map_err(refused)
}

/// Whether the file has this name.
pub(super) fn is_named(file: &File, path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let ours = metadata(file)?;
    Ok(std::fs::symlink_metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())))
}
