//! How is an abandoned segment replaced? See the [module above](super).

use super::turn::{self, Backoff, Turn, is_in_use, is_named};
use super::{inode, open_existing, publish, read_header, record, reopen};
use crate::error::{IoError, OpenError};
use crate::segment::header;
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// A replacer, and what it requires of the segment that it replaces.
#[derive(Debug)]
pub(in crate::segment) struct Replacer<'a> {
    pub(in crate::segment) path: &'a Path,
    pub(in crate::segment) owner: u32,
    /// The user has said that nobody uses it, whatever participants are on record.
    pub(in crate::segment) is_vouched_for: bool,
}

impl Replacer<'_> {
    /// Fails for what can never be replaced, before anything is made.
    pub(in crate::segment) fn expect_segment_or_nothing(&self) -> Result<(), OpenError> {
        match open_existing(self.path, self.owner) {
            Ok(file) => header::judge_format(&read_header(&file)?.0),
            Err(OpenError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives the name to the new file, in one step, if no file has it, or an abandoned segment
    /// does. False if that segment is in use.
    pub(in crate::segment) fn replace(&self, new: BorrowedFd<'_>, backoff: &mut Backoff) -> Result<bool, OpenError> {
        let new = reopen(new).map_err(|e| IoError::new("open the new segment anew", None, e))?;
        // Nobody shall use the new file until it is certain that it has the name. Nobody else can
        // have it open yet.
        let turn = reopen(&new).map_err(|e| IoError::new("open the new segment anew", None, e))?;
        let Ok(_turn) = Turn::try_take(turn)? else { return Err(backoff.over(None)) };
        loop {
            if publish(&new, self.path)? {
                return Ok(true);
            }
            match turn::open(self.path, self.owner, backoff) {
                Ok((_turn, old)) => return Ok(self.is_abandoned(&old)? && self.take_name_of(&old, &new)?),
                Err(OpenError::NotFound(_)) => backoff.pause_for_change(self.path)?, // it went between our two looks
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether nobody uses this segment. The caller has the turn at it.
    fn is_abandoned(&self, old: &File) -> Result<bool, OpenError> {
        let (header, _) = read_header(old)?;
        header::judge_format(&header)?;
        if is_in_use(old.as_fd())? {
            return Ok(false);
        }
        if !self.is_vouched_for {
            record::expect_nobody_alive(old, &header)?;
        }
        Ok(true)
    }

    /// Takes the name from the old file for the new one. The caller has the turns at both.
    fn take_name_of(&self, old: &File, new: &File) -> Result<bool, OpenError> {
        self.remove_leftovers();
        let beside = self.path.with_file_name(Beside { new: inode(new)?.1, old: inode(old)?.1 }.name());
        if !publish(new, &beside)? {
            return Err(OpenError::AlreadyExists(beside));
        }
        // The number of attempts is bounded, in case an adversary gives the name anew between each
        // two of our steps.
        for _ in 0..1_000 {
            match rustix::fs::renameat_with(CWD, &beside, CWD, self.path, RenameFlags::EXCHANGE) {
                Ok(()) => {}
                // The name has been removed. The file that has the second name takes it, unless
                // another process is quicker.
                Err(Errno::NOENT) => match self.give_free_name(&beside, new) {
                    Ok(Some(is_ours)) => return Ok(is_ours),
                    Ok(None) => continue,
                    Err(errno) => return Err(self.failed(errno, &beside, new)),
                },
                Err(errno) => return Err(self.failed(errno, &beside, new)),
            }
            // If the old file now has the second name, the first name is ours. If the second name
            // cannot be removed, the next replacer removes it.
            if is_named(old, &beside).unwrap_or(false) {
                let _removed_by_the_next = std::fs::remove_file(&beside);
                return Ok(true);
            }
            if is_named(new, &beside).unwrap_or(false) {
                let _removed_by_the_next = std::fs::remove_file(&beside);
                return Ok(false);
            }
            // To exchange two names of one file has no effect: that file has this name already.
            if are_one_file(&beside, self.path) {
                let _removed_by_the_next = std::fs::remove_file(&beside);
                return Ok(false);
            }
        }
        Err(self.failed(Errno::BUSY, &beside, new))
    }

    /// Gives the first name, which no file has, to the file that has the second. Answers whether
    /// that is the new file, or `None` if the name is taken.
    fn give_free_name(&self, beside: &Path, new: &File) -> Result<Option<bool>, Errno> {
        let is_new = is_named(new, beside).unwrap_or(false); // others touch it only while nobody has its turn
        match rustix::fs::renameat_with(CWD, beside, CWD, self.path, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(Some(is_new)),
            Err(Errno::EXIST) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// The error if the names could not be exchanged, or not exchanged back.
    fn failed(&self, errno: Errno, beside: &Path, new: &File) -> OpenError {
        if matches!(rustix::fs::lstat(beside), Err(Errno::NOENT)) {
            let found = format!(
                "somebody removed {}, the second name of a file that was about to have this one; let nobody remove such names, see what has this one now, and try again",
                beside.display()
            );
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, found);
            return IoError::new("replace", Some(self.path), source).into();
        }
        if !is_named(new, beside).unwrap_or(false) {
            return IoError::new(
                "give back its name to the file that has been exchanged for another, and is now",
                Some(beside),
                errno,
            )
            .into();
        }
        let _removed_by_the_next = std::fs::remove_file(beside);
        match errno {
            Errno::INVAL | Errno::NOSYS => OpenError::Unsupported(format!(
                "the file system of {} cannot exchange two names (RENAME_EXCHANGE), which replacing needs",
                self.path.display()
            )),
            other => IoError::new("replace", Some(self.path), other).into(),
        }
    }

    /// Removes what killed replacers have left in the directory. A file that cannot be examined
    /// stays.
    fn remove_leftovers(&self) {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let Some(beside) = entry.file_name().to_str().and_then(Beside::from_name) else { continue };
            let _stays = self.remove_leftover(&entry.path(), &beside);
        }
    }

    fn remove_leftover(&self, path: &Path, name: &Beside) -> Result<(), OpenError> {
        let file = open_existing(path, self.owner)?;
        let (_, inode) = inode(&file)?;
        if inode != name.new && inode != name.old {
            return Ok(());
        }
        // A replacer that is still at work has the turns at both.
        let turn = reopen(&file).map_err(|e| IoError::new("open anew", Some(path), e))?;
        let Ok(_turn) = Turn::try_take(turn)? else { return Ok(()) };
        if self.is_abandoned(&file)? && is_named(&file, path)? {
            std::fs::remove_file(path).map_err(|e| IoError::new("remove", Some(path), e))?;
        }
        Ok(())
    }
}

/// The second name of a file that is about to replace another: see the [module above](super).
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
    fn from_name(name: &str) -> Option<Self> {
        let (new, old) = name.strip_prefix(".outlive-")?.split_once('-')?;
        let this = Self { new: u64::from_str_radix(new, 16).ok()?, old: u64::from_str_radix(old, 16).ok()? };
        (this.name() == name).then_some(this)
    }
}

fn are_one_file(one: &Path, other: &Path) -> bool {
    let what = |path| rustix::fs::lstat(path).map(|stat| (stat.st_dev, stat.st_ino));
    matches!((what(one), what(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fault that was there once: it then said that another file had lost its name, and was to be
    /// found under the second one.
    #[test]
    #[cfg_attr(miri, ignore = "Miri exchanges no names")]
    fn a_second_name_that_was_removed_is_not_taken_for_an_exchange() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("segment");
        let new = std::fs::File::create_new(directory.path().join("new")).expect("made");
        let replacer = Replacer { path: &path, owner: 0, is_vouched_for: false };
        let beside = directory.path().join(".outlive-1-2");
        assert_eq!(replacer.give_free_name(&beside, &new), Err(Errno::NOENT));
        let text = replacer.failed(Errno::NOENT, &beside, &new).to_string();
        assert!(text.starts_with("cannot replace") && text.contains("somebody removed"), "{text}");
        std::fs::write(&beside, "another file").expect("made");
        let text = replacer.failed(Errno::BUSY, &beside, &new).to_string();
        assert!(text.contains("give back its name") && beside.exists(), "{text}");
    }
}
