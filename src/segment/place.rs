//! Where segments are: names in the shared-memory file system, kept names, and files.

use super::{allocation, checks};
use crate::error::{Error, Result};
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where names are, by shm_open(3) and by custom.
const MEMORY: &str = "/dev/shm";
/// Where the directories of [`Location::persistent`] are: survives reboots, and everybody may write there.
const KEPT: &str = "/var/tmp";
/// The longest name in a directory, on Linux.
const LONGEST_FILE_NAME: usize = 255;
/// The length of a path that the kernel no longer takes.
const TOO_LONG_A_PATH: usize = 4096;

/// Where a segment is to be found by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Named(String),
    Persistent(String),
    File(PathBuf),
}

impl Location {
    /// A name in the shared-memory file system (`/dev/shm`): gone with the next boot.
    ///
    /// # When the user logs out
    ///
    /// With `RemoveIPC=yes` in logind.conf(5), which is systemd's default, systemd-logind removes all files of a user below
    /// `/dev/shm` as soon as the last session of that user ends. System users and root are spared. Processes that go on
    /// (in `tmux`, by `nohup`, a job of cron) keep the segment that they have, without its name: the next
    /// [`open_or_create`](crate::Options::open_or_create) makes a second one beside it.
    ///
    /// [`Segment::has_name`](crate::Segment::has_name) tells whether that has happened. Against it help a system user
    /// for the service, `loginctl enable-linger` for the user, `RemoveIPC=no`, or [`Location::persistent`].
    pub fn named(name: impl Into<String>) -> Self {
        Self(Kind::Named(name.into()))
    }

    /// A name that stays when its user logs out: a file in `/var/tmp/outlive-UID`, a directory of this user's alone.
    ///
    /// It is made when the first segment is created there, and must be a directory of this user's with mode 0700.
    /// No privileges are needed. Processes of other users do not find the segment; it can be
    /// [passed](crate::Segment::pass_to) to them.
    ///
    /// What it costs: the segment is on disk, not in memory, so the kernel writes changed pages back from time to time, and a
    /// write may wait for the disk. It survives reboots, after which all its participants are dead. systemd-tmpfiles(8)
    /// removes what nobody has used for thirty days below `/var/tmp`, unless a line such as `x /var/tmp/outlive-*` in
    /// tmpfiles.d(5) says otherwise.
    pub fn persistent(name: impl Into<String>) -> Self {
        Self(Kind::Persistent(name.into()))
    }

    /// A file of its own, which outlives a reboot (its participants do not).
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// The file of this location. Nothing is made.
    ///
    /// # Errors
    /// [`Error::InvalidName`] or [`Error::InvalidPath`] for what cannot be; [`Error::Unsupported`] if `/dev/shm` is not in
    /// memory; [`Error::UntrustedDirectory`] if that of [`persistent`](Self::persistent) could be changed by others.
    pub fn path(&self) -> Result<PathBuf> {
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
            Kind::File(path) => Err(Error::InvalidPath(path.clone())),
        }
    }

    /// The same for a creator: with the directory, where that is ours to make.
    pub(super) fn path_to_create(&self) -> Result<PathBuf> {
        if let Kind::Persistent(name) = &self.0 {
            checked(name)?;
            let directory = kept_directory();
            match rustix::fs::mkdirat(CWD, &directory, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::io("make the directory", Some(&directory), errno)),
            }
        }
        self.path()
    }
}

fn checked(name: &str) -> Result<&str> {
    let fits = (1..=200).contains(&name.len());
    if !fits || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(Error::InvalidName(name.into()));
    }
    Ok(name)
}

fn can_be_a_file(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let last = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_name = !matches!(last, b"" | b"." | b"..") && last.len() <= LONGEST_FILE_NAME;
    is_name && bytes.len() < TOO_LONG_A_PATH && !bytes.contains(&0)
}

/// On a disk below an empty mount point, names would outlive a boot, and fill that disk.
fn must_be_in_memory(directory: &Path) -> Result<()> {
    if rustix::fs::statfs(directory).is_ok_and(|system| allocation::is_memory(&system)) {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "{} is not mounted as a memory file system, so there is no place for named segments; mount a tmpfs there, or use Location::file or Location::persistent",
        directory.display()
    )))
}

fn kept_directory() -> PathBuf {
    Path::new(KEPT).join(format!("outlive-{}", rustix::process::geteuid().as_raw()))
}

/// Who could write there could put another segment in the place of ours. A directory that is not there yet is not wrong.
fn must_be_ours_alone(directory: &Path) -> Result<()> {
    let about = match std::fs::symlink_metadata(directory) {
        Ok(about) => about,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Error::io("look at the directory", Some(directory), e)),
    };
    let found = if !about.is_dir() {
        "is no directory".into()
    } else if checks::owner(about.uid(), rustix::process::geteuid().as_raw()).is_err() {
        format!("belongs to user {}", about.uid())
    } else if about.mode() & 0o7777 != 0o700 {
        format!("has mode {:#o}", about.mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(Error::UntrustedDirectory { path: directory.into(), found })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_the_name_of_a_file_is_refused() {
        let long = format!("/tmp/{}", "x".repeat(256));
        let deep = "/x".repeat(2_048);
        for path in ["", "/", ".", "..", "/tmp/", "/tmp/.", "a/..", "nul\0", &long, &deep] {
            assert!(matches!(Location::file(path).path(), Err(Error::InvalidPath(_))), "{path:?}");
        }
        let longest = format!("/tmp/{}", "x".repeat(255));
        for path in ["x", ".x", "/tmp/x", "./x", "../x", &longest] {
            assert!(Location::file(path).path().is_ok(), "{path:?}");
        }
    }
}
