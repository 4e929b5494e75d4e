//! How do the two locks work, the turn at a file and its use? See the [module above](super).

use super::descriptor::Descriptor;
use super::{inode, metadata, open_existing, read_header};
use crate::error::{IoError, OpenError};
use crate::platform::linux::{Lock, lock_byte, others_lock, unlock_byte};
use crate::segment::header;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// The bytes that are locked, after the end of any file.
const TURN: i64 = i64::MAX - 2;
const USE: i64 = i64::MAX - 1;

/// How long to wait for other processes, which need only microseconds unless they are stopped.
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

    /// Sleeps for a moment before the next attempt.
    ///
    /// # Errors
    /// [`OpenError::Busy`] after the timeout. `by` is the lock that is in the way.
    pub(in crate::segment) fn pause(&mut self, by: Option<Lock>) -> Result<(), OpenError> {
        if self.sleep() { Ok(()) } else { Err(self.over(by)) }
    }

    /// The same, because another process has changed what has this name between two of our steps.
    ///
    /// # Errors
    /// [`OpenError::KeepsChanging`] after the timeout.
    pub(in crate::segment) fn pause_for_change(&mut self, path: &Path) -> Result<(), OpenError> {
        if self.sleep() {
            return Ok(());
        }
        Err(OpenError::KeepsChanging { path: path.into(), waited: self.begun.elapsed() })
    }

    /// False if the timeout is over.
    fn sleep(&mut self) -> bool {
        let left = self.bound.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(Duration::from_millis(2));
        true
    }

    /// The error after the timeout.
    pub(super) fn over(&self, by: Option<Lock>) -> OpenError {
        OpenError::Busy { waited: self.begun.elapsed(), by_reader: by == Some(Lock::Shared) }
    }
}

fn lock_failed(e: std::io::Error) -> IoError {
    IoError::new("lock a byte of the segment", None, e)
}

/// The turn at a file: while it lasts, no other opener or replacer acts. It is given back when it
/// is dropped, or when the process ends.
///
/// The turn has an open file of its own. A child that is forked meanwhile has that open file, too,
/// but no mapping of it, and loses it with exec or when it closes its descriptors. To drop the turn
/// unlocks the file, also for such children.
#[derive(Debug)]
pub(in crate::segment) struct Turn {
    file: Descriptor,
    is_taken: bool,
}

impl Turn {
    /// The turn, or the lock that is in the way.
    pub(super) fn try_take(file: File) -> Result<Result<Self, Option<Lock>>, OpenError> {
        // The descriptor comes first, so that the lock is given back whatever happens from here on.
        let mut this = Self { file: Descriptor::new(file)?, is_taken: false };
        this.is_taken = lock_byte(this.file.get()?, TURN, Lock::Exclusive).map_err(lock_failed)?;
        if this.is_taken {
            return Ok(Ok(this));
        }
        Ok(Err(others_lock(this.file.get()?, TURN).map_err(lock_failed)?))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Whoever shares the open file may have taken it meanwhile.
        if let (true, Ok(file)) = (self.is_taken, self.file.get()) {
            let _given_back_with_the_open_file = unlock_byte(file, TURN);
        }
    }
}

/// Opens the segment of that name, in its turn: until the turn is dropped, nobody else opens or
/// replaces it, and no replacement takes its name. The file must be a segment by its header, and
/// belong to that owner.
pub(in crate::segment) fn open(path: &Path, owner: u32, backoff: &mut Backoff) -> Result<(Turn, File), OpenError> {
    loop {
        let candidate = open_existing(path, owner)?;
        header::judge_format(&read_header(&candidate)?.0)?;
        let wanted = inode(&candidate)?;
        match Turn::try_take(candidate)? {
            Ok(turn) => {
                // A separate open file, for the use. It is opened by the name, to check that the
                // name is still this file's.
                let file = open_existing(path, owner)?;
                if inode(&file)? == wanted {
                    return Ok((turn, file));
                }
                backoff.pause_for_change(path)?; // replaced while we waited for the turn
            }
            Err(by) => backoff.pause(by)?,
        }
    }
}

/// The turn at a file that was not opened by its name. `again` opens the file anew for each
/// attempt.
pub(in crate::segment) fn turn_at(
    again: impl Fn() -> Result<File, OpenError>,
    backoff: &mut Backoff,
) -> Result<Turn, OpenError> {
    loop {
        match Turn::try_take(again()?)? {
            Ok(turn) => return Ok(turn),
            Err(by) => backoff.pause(by)?,
        }
    }
}

/// Locks an open file as used: the mapping that will be made through it then counts.
pub(in crate::segment) fn share(file: &File, backoff: &mut Backoff) -> Result<(), OpenError> {
    while !lock_byte(file.as_fd(), USE, Lock::Shared).map_err(lock_failed)? {
        backoff.pause(others_lock(file.as_fd(), USE).map_err(lock_failed)?)?; // outlive never locks it exclusively
    }
    Ok(())
}

/// Whether the segment is mapped through any open file but this one.
pub(in crate::segment) fn is_in_use(file: BorrowedFd<'_>) -> Result<bool, IoError> {
    others_lock(file, USE).map(|lock| lock.is_some()).map_err(lock_failed)
}

/// Whether the file has this name.
pub(super) fn is_named(file: &File, path: &Path) -> Result<bool, IoError> {
    use std::os::unix::fs::MetadataExt;
    let ours = metadata(file)?;
    Ok(std::fs::symlink_metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())))
}
