//! Files behind segments: unnamed until they are complete, published in one atomic step, and told abandoned by a lock.
//!
//! Whoever has a segment open keeps a shared `flock` on its inode. So an exclusive one proves that nobody has it open:
//! it is needed to replace an abandoned segment, and to declare the participants of a copy or of an earlier boot dead.
//! The kernel drops these locks with the last descriptor; the dead hold none.
//!
//! # Replacing
//!
//! The new file gets a second name, and the two names are *exchanged* (renameat2(2)), so that what the name really stood
//! for at that moment can be looked at afterwards, under the second name: if it is not the abandoned file (somebody has removed
//! the name and given it anew meanwhile), the names are exchanged back. A plain rename would take the name from that one
//! without a trace. All the while the new file is locked exclusively: who opens it waits, and then looks whether it still
//! has the name. The second name is `.outlive-NEW-OLD`, by the inodes of the two, and nobody else's; what
//! a replacer that was killed leaves there is removed by the next one, if it is one of these two inodes and not locked.

use super::allocation::allocate;
use super::{checks, header};
use crate::error::{Error, Result};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long others may take over something that takes microseconds, unless they are stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tries until it is done or patience ends.
fn patiently<V>(mut attempt: impl FnMut() -> Result<Option<V>>) -> Result<V> {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt()? {
            return Ok(value);
        }
        if start.elapsed() > PATIENCE {
            return Err(Error::Busy);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn lock(file: &File, operation: FlockOperation) -> Result<bool> {
    match rustix::fs::flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(Error::io("lock the segment", None, errno)),
    }
}

/// The anonymous kind: no name, sealed against resizing once it has its length.
pub(super) fn memfd(total: usize) -> Result<File> {
    use rustix::fs::{MemfdFlags, SealFlags};
    let fd = rustix::fs::memfd_create("outlive", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(|e| Error::io("create a memfd", None, e))?;
    let file = away_from_stdio(File::from(fd))?;
    allocate(&file, total, None)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
        .map_err(|e| Error::io("seal the memfd", None, e))?;
    Ok(file)
}

/// A child's standard streams take the numbers 0 to 2: a descriptor to be passed on must not have one of them.
pub(super) fn away_from_stdio(file: File) -> Result<File> {
    rustix::io::fcntl_dupfd_cloexec(&file, 3)
        .map(File::from)
        .map_err(|e| Error::io("duplicate the descriptor", None, e))
}

/// A file on the file system of `path` that has no name yet.
#[derive(Debug)]
pub(super) struct Unpublished<'p> {
    pub(super) file: File,
    path: &'p Path,
}

impl<'p> Unpublished<'p> {
    pub(super) fn new(path: &'p Path, mode: u32, total: usize) -> Result<Self> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mode = Mode::from_raw_mode(mode);
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, parent, flags, mode).map_err(|e| {
            if e == Errno::OPNOTSUPP || e == Errno::ISDIR {
                return Error::Unsupported(format!(
                    "the file system of {} has no unnamed files (O_TMPFILE), by which a segment is published in one step; use another, such as tmpfs, ext4, xfs or btrfs",
                    parent.display()
                ));
            }
            Error::io("create a segment in", Some(parent), e)
        })?;
        let file = away_from_stdio(File::from(fd))?;
        // The exact mode: the umask has nothing to say about what was asked for by number.
        rustix::fs::fchmod(&file, mode).map_err(|e| Error::io("set the mode of", Some(path), e))?;
        allocate(&file, total, Some(path))?;
        // Nobody else has this inode.
        lock(&file, FlockOperation::NonBlockingLockShared)?;
        Ok(Self { file, path })
    }

    /// Gives the file its name, in one step. False if the name is taken.
    pub(super) fn publish(&self) -> Result<bool> {
        self.link(self.path)
    }

    fn link(&self, to: &Path) -> Result<bool> {
        use std::os::fd::AsRawFd;
        // Linking by descriptor alone needs a capability; by its name in /proc it does not (open(2), O_TMPFILE).
        let from = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        match rustix::fs::linkat(CWD, &*from, CWD, to, AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(Error::io("publish the segment", Some(to), errno)),
        }
    }

    /// Takes the name from an abandoned segment, in one step; see the [module](self). False if that one is in use, has lost
    /// the name meanwhile, or does not belong to us.
    pub(super) fn replace_abandoned(&self, owner: u32) -> Result<bool> {
        let old = match open(self.path) {
            Ok(old) => old,
            Err(Error::NotFound(_)) => return self.publish(),
            Err(error) => return Err(error),
        };
        check_owner(&old, owner)?;
        if !lock(&old, FlockOperation::NonBlockingLockExclusive)? || !is_named(&old, self.path)? {
            return Ok(false);
        }
        remove_leftovers(self.path);
        // Nobody else has it open yet. Until it is certain that the name is ours, nobody shall.
        lock(&self.file, FlockOperation::NonBlockingLockExclusive)?;
        let beside = self.path.with_file_name(Beside { new: inode(&self.file)?.1, old: inode(&old)?.1 }.name());
        if !self.link(&beside)? {
            return Err(Error::AlreadyExists(beside));
        }
        let replaced = self.exchange(&old, &beside)?;
        share(&self.file)?;
        // Between the two locks it may have been taken for abandoned itself: what counts is who has the name in the end.
        Ok(replaced && is_named(&self.file, self.path)?)
    }

    /// Exchanges the names until the second one stands for `old` (true) or for the new file (false), and removes it.
    fn exchange(&self, old: &File, beside: &Path) -> Result<bool> {
        for _ in 0..1_000 {
            match rustix::fs::renameat_with(CWD, beside, CWD, self.path, RenameFlags::EXCHANGE) {
                Ok(()) => {}
                // The name has been removed: whatever is beside it now takes it, unless somebody else is quicker.
                Err(Errno::NOENT) => {
                    match rustix::fs::renameat_with(CWD, beside, CWD, self.path, RenameFlags::NOREPLACE) {
                        Ok(()) => return is_named(&self.file, self.path),
                        Err(Errno::EXIST) => continue,
                        Err(errno) => return Err(Error::io("replace", Some(self.path), errno)),
                    }
                }
                Err(errno) => {
                    remove_name(beside, &[&self.file]);
                    return Err(match errno {
                        Errno::INVAL | Errno::NOSYS => Error::Unsupported(format!(
                            "the file system of {} cannot exchange two names (RENAME_EXCHANGE), which replacing needs",
                            self.path.display()
                        )),
                        other => Error::io("replace", Some(self.path), other),
                    });
                }
            }
            if remove_name(beside, &[old]) {
                return Ok(true);
            }
            if remove_name(beside, &[&self.file]) {
                return Ok(false);
            }
        }
        Err(Error::Busy)
    }
}

/// Removes a name if it stands for one of these files.
fn remove_name(path: &Path, files: &[&File]) -> bool {
    files.iter().any(|file| is_named(file, path).unwrap_or(false)) && std::fs::remove_file(path).is_ok()
}

/// The second name of a file that is about to replace another: see the [module](self).
#[derive(Debug, PartialEq, Eq)]
struct Beside {
    new: u64,
    old: u64,
}

impl Beside {
    fn name(&self) -> String {
        format!(".outlive-{:x}-{:x}", self.new, self.old)
    }
    /// The two inodes of a name, if it is such a name.
    fn of(name: &str) -> Option<Self> {
        let (new, old) = name.strip_prefix(".outlive-")?.split_once('-')?;
        let this = Self { new: u64::from_str_radix(new, 16).ok()?, old: u64::from_str_radix(old, 16).ok()? };
        (this.name() == name).then_some(this)
    }
}

/// Removes what replacers that were killed have left in the directory of `path`. Whatever cannot be looked at stays.
fn remove_leftovers(path: &Path) {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let Some(beside) = entry.file_name().to_str().and_then(Beside::of) else { continue };
        let Ok(file) = open(&entry.path()) else { continue };
        let is_one_of_them = inode(&file).is_ok_and(|(_, inode)| inode == beside.new || inode == beside.old);
        // Who is in the middle of a replacement holds the exclusive lock on both.
        if is_one_of_them && lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap_or(false) {
            remove_name(&entry.path(), &[&file]);
        }
    }
}

/// Opens anew what a descriptor stands for: another open file, without the lock of the first.
pub(super) fn reopen(descriptor: impl AsFd) -> std::io::Result<File> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd());
    std::fs::OpenOptions::new().read(true).write(true).open(path)
}

/// Opens a file as it is, without following a symbolic link, and without a lock.
fn open(path: &Path) -> Result<File> {
    // NONBLOCK: a fifo of that name must not hang us.
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
        Ok(fd) => away_from_stdio(File::from(fd)),
        Err(Errno::NOENT) => Err(Error::NotFound(path.into())),
        Err(Errno::ISDIR | Errno::NXIO) => Err(Error::NotASegment),
        Err(errno) => Err(Error::io("open the segment", Some(path), errno)),
    }
}

pub(super) fn check_owner(file: &File, owner: u32) -> Result<()> {
    checks::owner(metadata(file)?.uid(), owner)
}

pub(super) fn metadata(file: &File) -> Result<std::fs::Metadata> {
    file.metadata().map_err(|e| Error::io("look at the segment", None, e))
}

pub(super) fn is_named(file: &File, path: &Path) -> Result<bool> {
    let ours = metadata(file)?;
    Ok(std::fs::symlink_metadata(path).is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())))
}

/// Opens the segment of that name, with the shared lock, and makes sure that it still has the name.
pub(super) fn open_shared(path: &Path, owner: u32) -> Result<File> {
    patiently(|| {
        let file = open(path)?;
        check_owner(&file, owner)?;
        if !lock(&file, FlockOperation::NonBlockingLockShared)? {
            return Ok(None); // being replaced, or revived
        }
        Ok(is_named(&file, path)?.then_some(file))
    })
}

/// The shared lock on a descriptor that came from somewhere else.
pub(super) fn share(file: &File) -> Result<()> {
    patiently(|| Ok(lock(file, FlockOperation::NonBlockingLockShared)?.then_some(())))
}

/// What the header says, and the file's length. The mapping comes after the judgement.
pub(super) fn read_header(file: &File) -> Result<([u8; header::LENGTH], u64)> {
    let about = metadata(file)?;
    if !about.is_file() {
        return Err(Error::NotASegment);
    }
    let mut bytes = [0; header::LENGTH];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok((bytes, about.len())),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(Error::NotASegment),
        Err(e) => Err(Error::io("read the segment", None, e)),
    }
}

/// Device and inode.
pub(super) fn inode(file: &File) -> Result<(u64, u64)> {
    metadata(file).map(|m| (m.dev(), m.ino()))
}

/// What the header of this file must give as its identity.
pub(super) fn identity(file: &File) -> Result<u64> {
    const BOOT: &str = "/proc/sys/kernel/random/boot_id";
    let boot = std::fs::read(BOOT).map_err(|e| Error::io("read", Some(Path::new(BOOT)), e))?;
    let (device, inode) = inode(file)?;
    Ok(header::identity(boot.trim_ascii(), device, inode))
}

/// Calls `revive` while nobody else has the segment open, unless its identity is found to be right meanwhile. Ends with the
/// shared lock.
pub(super) fn with_exclusive(file: &File, is_right: impl Fn() -> Result<bool>, revive: impl Fn()) -> Result<()> {
    patiently(|| {
        if is_right()? {
            return Ok(Some(()));
        }
        // The two who find this at once both have the shared lock: it is given back first, so that one can win.
        rustix::fs::flock(file.as_fd(), FlockOperation::Unlock)
            .map_err(|e| Error::io("unlock the segment", None, e))?;
        if lock(file, FlockOperation::NonBlockingLockExclusive)? && !is_right()? {
            revive();
        }
        share(file)?;
        Ok(None)
    })
}
