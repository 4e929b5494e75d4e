//! Files behind segments: unnamed until they are complete, published in one atomic step, and told abandoned by a lock.
//!
//! Whoever has a segment open keeps a shared `flock` on its inode. So an exclusive one proves that nobody has it open:
//! it is needed to replace an abandoned segment, and to declare the participants of a copy or of an earlier boot dead.
//! The kernel drops these locks with the last descriptor; the dead hold none.

use super::header;
use crate::error::{Error, Result};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where a segment is to be found by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Named(String),
    File(PathBuf),
}

impl Location {
    /// A name in the shared-memory file system (`/dev/shm`): gone with the next boot.
    pub fn named(name: impl Into<String>) -> Self {
        Self(Kind::Named(name.into()))
    }
    /// A file of its own, which outlives a reboot (its participants do not).
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// The file of this location.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn path(&self) -> Result<PathBuf> {
        match &self.0 {
            Kind::Named(name) => {
                let fits = (1..=200).contains(&name.len());
                if !fits || name.starts_with('.') || name.contains(['/', '\0']) {
                    return Err(Error::InvalidName(name.clone()));
                }
                Ok(Path::new("/dev/shm").join(name))
            }
            Kind::File(path) => match path.file_name() {
                Some(_) => Ok(path.clone()),
                None => Err(Error::InvalidName(path.display().to_string())),
            },
        }
    }
}

/// A [`Location::named`].
impl From<&str> for Location {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}
/// A [`Location::named`].
impl From<&String> for Location {
    fn from(name: &String) -> Self {
        Self::named(name)
    }
}
/// A [`Location::file`].
impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::file(path)
    }
}
/// A [`Location::file`].
impl From<&PathBuf> for Location {
    fn from(path: &PathBuf) -> Self {
        Self::file(path)
    }
}
/// A [`Location::file`].
impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::file(path)
    }
}

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
fn away_from_stdio(file: File) -> Result<File> {
    rustix::io::fcntl_dupfd_cloexec(&file, 3)
        .map(File::from)
        .map_err(|e| Error::io("duplicate the descriptor", None, e))
}

/// A file of that length with all its room allocated: a full disk is an error here, and not a SIGBUS later.
fn allocate(file: &File, total: usize, path: Option<&Path>) -> Result<()> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, total as u64)
        .map_err(|e| Error::io("allocate the segment", path, e))
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
        // While the exclusive lock is ours, so is this second name: one left by a replacer that was killed may go.
        let mut beside = OsString::from(".");
        beside.push(self.path.file_name().unwrap_or_default());
        beside.push(".new");
        let beside = self.path.with_file_name(beside);
        if !self.link(&beside)? {
            std::fs::remove_file(&beside).map_err(|e| Error::io("remove the leftover", Some(&beside), e))?;
            self.link(&beside)?;
        }
        std::fs::rename(&beside, self.path).map_err(|e| Error::io("replace", Some(self.path), e))?;
        // Somebody else may have removed the name and given it anew meanwhile: what counts is who has it in the end.
        is_named(&self.file, self.path)
    }
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

fn check_owner(file: &File, owner: u32) -> Result<()> {
    let found = metadata(file)?.uid();
    if found == owner { Ok(()) } else { Err(Error::Owner { found, expected: owner }) }
}

fn metadata(file: &File) -> Result<std::fs::Metadata> {
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
