//! Where are segments: names in the shared-memory file system, kept names, or files?

use super::{allocation, checks};
use crate::error::{IoError, LocationError, Unsupported};
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where names lie, by shm_open(3) and by custom.
const MEMORY: &str = "/dev/shm";
/// Where the directories of [`Location::persistent`] lie. It survives reboots, and all users may
/// write there.
const KEPT: &str = "/var/tmp";
/// The longest name in a directory, on Linux.
const LONGEST_FILE_NAME: usize = 255;
/// The shortest length of a path that the kernel does not accept.
const TOO_LONG_A_PATH: usize = 4096;

/// Where other processes find a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Named(String),
    Persistent(String),
    File(PathBuf),
}

impl Location {
    /// A name in the shared-memory file system (`/dev/shm`). It is gone after the next boot.
    ///
    /// # When the user logs out
    ///
    /// systemd-logind removes all files of a user in `/dev/shm` and its subdirectories when the
    /// last session of that user ends. That is `RemoveIPC=yes` in logind.conf(5), the default. Root
    /// and system users are exempt. Processes that go on (started by `nohup`, `tmux` or cron) keep
    /// the segment that they have open, but its name is gone. The next
    /// [`open_or_create`](crate::SegmentOptions::open_or_create) makes a second segment of that
    /// name.
    ///
    /// [`Segment::has_name`](crate::Segment::has_name) says whether that has happened. To prevent
    /// it, run the service as a system user, say `loginctl enable-linger` for the user, set
    /// `RemoveIPC=no`, or use [`Location::persistent`].
    pub fn named(name: impl Into<String>) -> Self {
        Self(Kind::Named(name.into()))
    }

    /// A name that stays when its user logs out: a file in the directory `/var/tmp/outlive-UID`,
    /// which belongs to this user alone.
    ///
    /// The directory is made, without privileges, when the first segment is created there. It must
    /// belong to the effective user, have mode 0700, and be no symbolic link. Processes of other
    /// users cannot open the segment by name, but it can be [passed](crate::Segment::pass_to) to
    /// them.
    ///
    /// It has a price. The segment is on disk. The kernel writes changed pages back from time to
    /// time, and a thread that changes one may have to wait for the disk. The segment survives
    /// reboots, after which all its participants are dead. systemd-tmpfiles(8) removes files below
    /// `/var/tmp` that were not used for thirty days, unless tmpfiles.d(5) has a line such as
    /// `x /var/tmp/outlive-*`.
    pub fn persistent(name: impl Into<String>) -> Self {
        Self(Kind::Persistent(name.into()))
    }

    /// A file, which survives a reboot. Its participants do not.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// The path of the file at this location. Nothing is made.
    ///
    /// # Errors
    /// [`LocationError::InvalidName`] or [`LocationError::InvalidPath`] if no file can have this
    /// name; [`LocationError::Unsupported`] if `/dev/shm` is not in memory;
    /// [`LocationError::UntrustedDirectory`] if other users could change the directory of
    /// [`persistent`](Self::persistent); [`LocationError::Io`] if one of these two directories
    /// cannot be examined.
    pub fn path(&self) -> Result<PathBuf, LocationError> {
        match &self.0 {
            Kind::Named(name) => {
                let path = Path::new(MEMORY).join(checked(name)?);
                must_be_in_memory(Path::new(MEMORY))?;
                Ok(path)
            }
            Kind::Persistent(name) => {
                let directory = kept_directory();
                let path = directory.join(checked(name)?);
                must_be_ours_alone(&directory)?;
                Ok(path)
            }
            Kind::File(path) if can_be_a_file(path) => Ok(path.clone()),
            Kind::File(path) => Err(LocationError::InvalidPath(path.clone())),
        }
    }

    /// The same for a creator. It also makes the directory, if that is ours to make.
    pub(super) fn path_to_create(&self) -> Result<PathBuf, LocationError> {
        if let Kind::Persistent(name) = &self.0 {
            checked(name)?;
            let directory = kept_directory();
            match rustix::fs::mkdirat(CWD, &directory, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(IoError::new("make the directory", Some(&directory), errno).into()),
            }
        }
        self.path()
    }
}

fn checked(name: &str) -> Result<&str, LocationError> {
    let fits = (1..=200).contains(&name.len());
    if !fits || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(LocationError::InvalidName(name.into()));
    }
    Ok(name)
}

fn can_be_a_file(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let last = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_name = !matches!(last, b"" | b"." | b"..") && last.len() <= LONGEST_FILE_NAME;
    is_name && bytes.len() < TOO_LONG_A_PATH && !bytes.contains(&0)
}

/// If nothing is mounted there, named segments would lie on the disk below, survive a reboot, and
/// fill that disk.
fn must_be_in_memory(directory: &Path) -> Result<(), LocationError> {
    match rustix::fs::statfs(directory) {
        Ok(system) if allocation::is_memory(&system) => return Ok(()),
        Ok(_) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(IoError::new("examine", Some(directory), errno).into()),
    }
    Err(Unsupported(format!(
        "{} is not mounted as a memory file system, so there is no place for named segments; mount a tmpfs there, or use Location::file or Location::persistent",
        directory.display()
    ))
    .into())
}

fn kept_directory() -> PathBuf {
    Path::new(KEPT).join(format!("outlive-{}", rustix::process::geteuid().as_raw()))
}

/// A user who can write there could replace our segment by another. The directory need not exist
/// yet.
fn must_be_ours_alone(directory: &Path) -> Result<(), LocationError> {
    let metadata = match std::fs::symlink_metadata(directory) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(IoError::new("look at the directory", Some(directory), e).into()),
    };
    let found = if !metadata.is_dir() {
        "is no directory".into()
    } else if checks::owner(metadata.uid(), rustix::process::geteuid().as_raw()).is_err() {
        format!("belongs to user {}", metadata.uid())
    } else if metadata.mode() & 0o7777 != 0o700 {
        format!("has mode {:#o}", metadata.mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(LocationError::UntrustedDirectory { path: directory.into(), found })
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
/// A [`Location::named`].
impl From<String> for Location {
    fn from(name: String) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_no_file_can_have_is_an_error() {
        let long = format!("/tmp/{}", "x".repeat(256));
        let deep = "/x".repeat(2_048);
        for path in ["", "/", ".", "..", "/tmp/", "/tmp/.", "a/..", "nul\0", &long, &deep] {
            assert!(matches!(Location::file(path).path(), Err(LocationError::InvalidPath(_))), "{path:?}");
        }
        let longest = format!("/tmp/{}", "x".repeat(255));
        for path in ["x", ".x", "/tmp/x", "./x", "../x", &longest] {
            assert!(Location::file(path).path().is_ok(), "{path:?}");
        }
    }
}
