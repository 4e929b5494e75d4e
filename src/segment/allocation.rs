//! Is there room for a segment? It is allocated before the segment is mapped, so that a full disk
//! is an error and not a SIGBUS.
//!
//! That is certain where a write goes to the blocks that were allocated. It is not certain where a
//! write needs a new block: on btrfs, which does not overwrite data (unless the file has
//! `chattr +C`), and on any file system for blocks that are shared with a copy (`cp --reflink`, a
//! snapshot). There, a write to a clean page can still raise SIGBUS when the disk is full.

use super::naming::metadata;
use crate::error::{IoError, OpenError};
use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The smallest step of an allocation that signals interrupt again and again.
const PAGE: u64 = 4096;
/// The unit of `st_blocks`, on every file system.
const BLOCK: u64 = 512;
/// `f_type` of tmpfs and ramfs.
const MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Gives a new file its length, with all its room allocated.
pub(super) fn allocate(file: &File, total: usize, path: Option<&Path>) -> Result<(), OpenError> {
    let needed = total as u64;
    // Checked first: exceeding this limit raises SIGXFSZ, which kills a process without a handler
    // for it.
    if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| *limit < needed) {
        return Err(OpenError::FileSizeLimit { limit, needed });
    }
    allocate_all(file, FallocateFlags::empty(), needed, path)
}

/// Allocates what is missing of an existing segment of `total` bytes: a copy may have holes
/// (`cp --sparse`).
///
/// The length stays. Somebody may have truncated the file since it was checked, and to make it
/// longer again would hide that.
pub(super) fn fill_holes(file: &File, total: usize) -> Result<(), OpenError> {
    let (length, about) = (total as u64, metadata(file)?);
    let has_holes = if rustix::fs::fstatfs(file).is_ok_and(|system| is_memory(&system)) && about.blksize() == PAGE {
        // The count of blocks is exact in memory. SEEK_HOLE is not: it reports allocated pages that
        // were never written as holes.
        about.blocks().saturating_mul(BLOCK) < length
    } else {
        // Elsewhere the count includes blocks without data, and blocks after the end. SEEK_HOLE
        // moves the file offset, by which a passed descriptor is known. So a separate open file is
        // used for it.
        let hole = super::naming::reopen(file).ok().and_then(|again| rustix::fs::seek(again, SeekFrom::Hole(0)).ok());
        hole.is_none_or(|hole| hole < length)
    };
    if !has_holes {
        return Ok(());
    }
    let path: Option<PathBuf> = std::fs::read_link(super::naming::name_in_proc(file)).ok();
    match allocate_all(file, FallocateFlags::KEEP_SIZE, length, path.as_deref()) {
        // NFS knows no such call. There the length is checked before, and not in the same step.
        Err(OpenError::Unsupported(_)) if metadata(file)?.len() == length => {
            allocate_all(file, FallocateFlags::empty(), length, path.as_deref())
        }
        answer => answer,
    }
}

/// Whether a file system is nothing but memory.
pub(super) fn is_memory(system: &rustix::fs::StatFs) -> bool {
    MEMORY.contains(&(system.f_type as u64))
}

fn allocate_all(file: &File, how: FallocateFlags, needed: u64, path: Option<&Path>) -> Result<(), OpenError> {
    let step = |at, length| rustix::fs::fallocate(file, how, at, length);
    in_steps(needed, step).map_err(|errno| match errno {
        Errno::NOSPC | Errno::DQUOT => OpenError::NoSpace { path: path.map(Into::into), needed },
        Errno::OPNOTSUPP | Errno::NOSYS => OpenError::Unsupported(format!(
            "the file system{} cannot allocate room in advance (fallocate), without which a full disk would kill those who use the segment; use another, such as tmpfs, ext4, xfs, btrfs or f2fs",
            path.map(|path| format!(" of {}", path.display())).unwrap_or_default()
        )),
        other => IoError::new("allocate the segment", path, other).into(),
    })
}

/// Allocates all of it, in one step if no signal interrupts. tmpfs gives back what an interrupted
/// step has allocated. So each signal halves the steps. Even a signal every millisecond cannot keep
/// the allocation from completing.
fn in_steps(total: u64, mut allocate: impl FnMut(u64, u64) -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    let (mut at, mut step) = (0, total);
    while at < total {
        let length = step.min(total - at);
        match allocate(at, length) {
            Ok(()) => at += length,
            Err(Errno::INTR) => step = (step / 2).next_multiple_of(PAGE),
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Allocations of more than `most` bytes are always interrupted, and allocate nothing.
    fn allocated(total: u64, most: u64) -> Vec<(u64, u64)> {
        let mut done = vec![];
        let answer = in_steps(total, |at, length| {
            if length > most {
                return Err(Errno::INTR);
            }
            done.push((at, length));
            Ok(())
        });
        answer.expect("it comes to an end");
        done
    }

    #[test]
    fn an_interrupted_allocation_goes_on_in_shorter_steps() {
        assert_eq!(allocated(1 << 20, 1 << 30), [(0, 1 << 20)], "one step if nothing interrupts");
        for (total, most) in [(1 << 20, 1 << 18), (5 * PAGE, PAGE), (7 * PAGE, 2 * PAGE), (PAGE, PAGE)] {
            let mut end = 0;
            for (at, length) in allocated(total, most) {
                assert_eq!(at, end, "without a gap");
                end += length;
            }
            assert_eq!(end, total);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri allocates no files")]
    fn the_holes_of_a_file_that_was_truncated_are_filled_without_making_it_longer() {
        let in_memory = rustix::fs::memfd_create("truncated", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd");
        for file in [tempfile::tempfile().expect("a file"), File::from(in_memory)] {
            file.set_len(PAGE).expect("a hole");
            fill_holes(&file, 2 * PAGE as usize).expect("there is room");
            let about = metadata(&file).expect("open");
            assert_eq!(about.len(), PAGE, "its length when it was truncated");
            assert!(about.blocks() * BLOCK >= PAGE, "a hole is left");
        }
    }

    #[test]
    fn any_other_error_ends_an_allocation() {
        let mut calls = 0;
        let answer = in_steps(1 << 20, |_, _| {
            calls += 1;
            Err(Errno::NOSPC)
        });
        assert_eq!((answer, calls), (Err(Errno::NOSPC), 1));
    }
}
