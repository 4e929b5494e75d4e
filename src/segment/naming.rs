//! Which files are behind segments, how do they get their names, and what says that one is in use?
//!
//! # What says that this memory has been in use without interruption
//!
//! The words in a segment name participants. An opener must know whether the participants on record
//! can still be alive. They cannot after a reboot, in a copy, in a backup that was put back, and
//! after all processes have died. Then the opener *revives* the segment: it frees the whole
//! participant table. All that the dead held goes to the next caller who asks for it.
//!
//! **In use means mapped by some process.** A process maps a segment through an open file that has
//! a shared lock, `USE`. It is a lock of the open file (`F_OFD_SETLK`, fcntl(2)). The mapping keeps
//! the open file, and the open file keeps the lock. So the kernel gives the lock back when the last
//! mapping goes: by unmapping, by exec, or by any death.
//!
//! No descriptor is needed for that: a daemon may close them all. A forked child has the mapping,
//! and with it the lock. A descriptor that is passed on belongs to the same open file. It keeps the
//! lock until its receiver has locked an open file of its own.
//!
//! 1. A participant on record takes part through a mapping. The mapping is not unmapped before its
//!    thread has left or ended. So as long as one participant lives, the lock is held.
//! 2. So if only the opener has the lock, no participant on record is alive. The opener revives.
//! 3. If another process has it, the segment has been mapped without interruption since the last
//!    revival: each opener since then found others there, or revived. The opener joins.
//!
//! The boot, the name, the inode and the contents of the file play no part in this argument. A
//! process may have the segment mapped and not take part: a thread of it idles, or it is a forked
//! child. Then the segment looks in use, and is joined. That is harmless, because the kernel marks
//! the lifelines of threads that die.
//!
//! # Turns
//!
//! An opener holds the `TURN` of the file, an exclusive lock on another byte. It holds it from
//! before it asks for the use until it has joined or revived. So openers never disturb each other,
//! and only one of them revives. Nobody ever takes `USE` exclusively: the opener asks for the locks
//! of others (`F_OFD_GETLK`).
//!
//! A process that may not open the file anew is passed an open file, and shares it. Its locks are
//! those of all who share it: they have the turn at the same time, and do not see each other's use.
//! So such a process never revives. It joins the segment of a participant who has passed it on. It
//! joins what strangers gave it, too, if the origin (see below) does not say that the record is of
//! another boot or of another file. A half revived segment it does not open. One sharer that fails
//! gives the turn back for all. So after it has locked the use, a sharer takes the turn once more.
//!
//! A sharer that is killed in its turn leaves it taken as long as anybody has the open file, for
//! example in a kept command. Others are told [`OpenError::Busy`] meanwhile. And a sharer that
//! fails after it has locked the use leaves it locked so long: another sharer may rely on that.
//!
//! An opener that is killed gives its turn back by dying. It may have died in the middle of the
//! revival, and a child that it forked in that moment may keep the mapping. So a mark in the header
//! says that a revival has begun. An opener that finds the mark revives again. No participant can
//! have registered meanwhile, because users get the segment only after the mark is cleared.
//!
//! # Two views of one file
//!
//! Locks fail where one file is seen through two views, each with locks of its own. Examples are an
//! overlay and its upper directory, and a network file system and the directory that it exports.
//! Also, on an overlay the lock goes with the last descriptor, because the mapping is made through
//! the file below.
//!
//! So before a revival, and before a replacement, the opener searches for a participant on record
//! that is known to live: its lifeline is not cut, its thread is there, and the thread began when
//! the one on record did. If it finds one, the opener fails with [`OpenError::SeenTwice`]. The user
//! may vouch that nobody uses the segment.
//!
//! The header's *origin* narrows this search. It identifies a copy, whose participants live
//! elsewhere: the file has another time of birth, or another inode on the same device. (An overlay
//! changes the device, and keeps the time of birth.) It also identifies another boot, in which an
//! equal thread would be a coincidence. A wrong origin can cause a needless error, or omit this
//! search. The decision is by the locks.
//!
//! The search sees participants in the opener's own PID namespace, and in those below it.
//! Participants out of sight do not count, unless the file is seen through an overlay. There a
//! second view is known to exist, and the opener fails, too. So a participant is overlooked only if
//! it is out of sight of an opener that sees the file without an overlay.
//!
//! # Readers
//!
//! A process that may only read the file can take shared locks only. A shared lock on `USE` makes
//! the segment look in use: it is joined, not revived, and not replaced. A shared lock on `TURN`
//! makes openers and replacers fail with [`OpenError::Busy`] after their `busy_timeout`. Mode 0600
//! keeps readers away.
//!
//! # Replacing
//!
//! A replacer holds the turns at the old file and at the new one. The new file gets a second name,
//! and the two names are *exchanged* (renameat2(2)). After the exchange, the second name shows
//! which file really had the name. If it is not the abandoned one, the name was removed and given
//! anew in between, and the replacer exchanges the names back. A plain rename would silently
//! destroy the file that has the name.
//!
//! Whoever opens the new file waits for its turn, and then checks that the file still has the name.
//! The second name is `.outlive-NEW-OLD`, by the inodes of the two files. A replacer that is killed
//! leaves it there. The next replacer removes it if it is one of these two inodes, a segment, and
//! abandoned.
//!
//! There is one exception. Another file may have had the name at the moment of the exchange, and
//! the replacer may be killed before it has exchanged the names back. Then that file keeps the
//! second name, since nobody can know that it had the first.

mod descriptor;
mod record;
mod replace;
mod turn;

pub(super) use descriptor::{Descriptor, is_forbidden, is_impossible, mark, name_in_proc, reopen, reopen_to_read};
pub(super) use record::{TableCopy, expect_nobody_alive, is_from_elsewhere, is_on_overlay, origin_of};
pub(super) use replace::Replacer;
pub(super) use turn::{Backoff, Turn, is_in_use, open, share, turn_at};

use super::allocation::allocate;
use super::{checks, header};
use crate::error::{IoError, OpenError};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// A file for the anonymous kind: it has no name, and is sealed against resizing once it has its
/// length.
pub(super) fn memfd(total: usize) -> Result<File, OpenError> {
    use rustix::fs::{MemfdFlags, SealFlags};
    let fd = rustix::fs::memfd_create("outlive", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(|e| IoError::new("create a memfd", None, e))?;
    let file = away_from_stdio(File::from(fd))?;
    allocate(&file, total, None)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
        .map_err(|e| IoError::new("seal the memfd", None, e))?;
    Ok(file)
}

/// A child's standard streams take the numbers 0 to 2, so a descriptor to be passed on must have
/// another.
pub(super) fn away_from_stdio(file: File) -> Result<File, IoError> {
    rustix::io::fcntl_dupfd_cloexec(&file, 3)
        .map(File::from)
        .map_err(|e| IoError::new("duplicate the descriptor", None, e))
}

/// A file on the file system of `path` that has no name yet.
pub(super) fn unnamed(path: &Path, mode: u32, total: usize) -> Result<File, OpenError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mode = Mode::from_raw_mode(mode);
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, parent, flags, mode).map_err(|e| {
        if e == Errno::OPNOTSUPP || e == Errno::ISDIR {
            return OpenError::Unsupported(format!(
                "the file system of {} has no unnamed files (O_TMPFILE), by which a segment is published in one step; use another, such as tmpfs, ext4, xfs or btrfs",
                parent.display()
            ));
        }
        IoError::new("create a segment in", Some(parent), e).into()
    })?;
    let file = away_from_stdio(File::from(fd))?;
    // The exact mode: the umask must not change a mode that was asked for by number.
    rustix::fs::fchmod(&file, mode).map_err(|e| IoError::new("set the mode of", Some(path), e))?;
    allocate(&file, total, Some(path))?;
    Ok(file)
}

/// Gives an unnamed file a name, in one step. False if the name is taken.
pub(super) fn publish(file: impl AsFd, to: &Path) -> Result<bool, IoError> {
    // Linking by descriptor alone needs a capability. Linking by the descriptor's name in /proc
    // does not (open(2), O_TMPFILE).
    match rustix::fs::linkat(CWD, name_in_proc(file), CWD, to, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(IoError::new("publish the segment", Some(to), errno)),
    }
}

/// Opens a regular file of that owner as it is, for reading and writing.
fn open_existing(path: &Path, owner: u32) -> Result<File, OpenError> {
    open_as_it_is(path, OFlags::RDWR, Some(owner))
}

/// Opens a regular file as it is, without following a symbolic link. If an owner is given, the file
/// must be that user's. The file is examined before it is opened, because opening a device may do
/// something to it.
pub(super) fn open_as_it_is(path: &Path, access: OFlags, owner: Option<u32>) -> Result<File, OpenError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => OpenError::NotFound(path.into()),
        // It has become a symbolic link since it was examined.
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => OpenError::NotASegment,
        _ => IoError::new("open the segment", Some(path), error).into(),
    };
    let expect = |metadata: &std::fs::Metadata| match metadata.uid() {
        _ if !metadata.is_file() => Err(OpenError::NotASegment),
        found => owner.map_or(Ok(()), |owner| checks::owner(found, owner)),
    };
    expect(&std::fs::symlink_metadata(path).map_err(failed)?)?;
    // NONBLOCK: if it has become a fifo meanwhile, that must not hang us.
    let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    let file = away_from_stdio(File::from(fd))?;
    expect(&metadata(&file)?)?;
    Ok(file)
}

pub(super) fn metadata(file: &File) -> Result<std::fs::Metadata, IoError> {
    file.metadata().map_err(|e| IoError::new("examine the segment", None, e))
}

/// Fails for anything but a regular file, before anything is done with it. Gives the user id of its
/// owner.
pub(super) fn expect_regular(file: BorrowedFd<'_>) -> Result<u32, OpenError> {
    let about = rustix::fs::fstat(file).map_err(|e| IoError::new("examine the segment", None, e))?;
    match rustix::fs::FileType::from_raw_mode(about.st_mode) {
        rustix::fs::FileType::RegularFile => Ok(about.st_uid),
        _ => Err(OpenError::NotASegment),
    }
}

/// Whether a descriptor is open for one of these kinds of access.
pub(super) fn is_open_for(file: BorrowedFd<'_>, kinds: &[OFlags]) -> bool {
    rustix::fs::fcntl_getfl(file)
        .is_ok_and(|flags| kinds.contains(&(flags & OFlags::RWMODE)) && !flags.contains(OFlags::PATH))
}

/// The error for a descriptor that is not open for that.
pub(super) fn not_open_for(what: &str) -> IoError {
    let found = format!("it is not open for {what}; open it so");
    IoError::new(
        "use the descriptor of the segment",
        None,
        std::io::Error::new(std::io::ErrorKind::PermissionDenied, found),
    )
}

/// The header's bytes, and the file's length. The file is mapped only after they were checked.
pub(super) fn read_header(file: &File) -> Result<([u8; header::LENGTH], u64), OpenError> {
    let metadata = metadata(file)?;
    if !metadata.is_file() {
        return Err(OpenError::NotASegment);
    }
    let mut bytes = [0; header::LENGTH];
    // The missing part of a header that was cut off is zero. Later the file is rejected because of
    // its length.
    let there = metadata.len().min(header::LENGTH as u64) as usize;
    if there < header::LEAST {
        return Err(OpenError::NotASegment);
    }
    match file.read_exact_at(&mut bytes[..there], 0) {
        Ok(()) => Ok((bytes, metadata.len())),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(OpenError::NotASegment),
        Err(e) => Err(IoError::new("read the segment", None, e).into()),
    }
}

/// Device and inode.
pub(super) fn inode(file: &File) -> Result<(u64, u64), IoError> {
    metadata(file).map(|m| (m.dev(), m.ino()))
}
