//! Is a participant on record alive, although no lock says that the segment is in use? See the
//! [module above](super).

use super::{Path, metadata};
use crate::error::{IoError, OpenError};
use crate::platform::linux::{Known, Linux, Sight};
use crate::raw::table::Slot;
use crate::segment::header::{self, Origin};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

/// The type of file system by statfs(2), for a file that is seen through an overlay.
const OVERLAYFS: rustix::fs::FsWord = 0x794c_7630;

/// What this file is now. An opener that revives it writes this into its header.
pub(in crate::segment) fn origin_of(file: &File) -> Result<Origin, IoError> {
    static BOOT: Known = Known::not_yet();
    let about = metadata(file)?;
    let birth = about.created().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let boot = || std::fs::read(Path::new("/proc/sys/kernel/random/boot_id")).ok();
    Ok(Origin {
        boot: BOOT.get(|| boot().map_or(0, |id| header::boot(id.trim_ascii()))),
        birth: birth.map_or(0, |since| since.as_nanos() as u64),
        device: about.dev(),
        inode: about.ino(),
    })
}

/// Whether the participants on record certainly took part in another boot, or in another file of
/// which this one is a copy. Then none of them can have this file mapped.
pub(in crate::segment) fn is_from_elsewhere(file: &File, header: &[u8; header::LENGTH]) -> Result<bool, IoError> {
    let (written, now) = (Origin::from_header(header), origin_of(file)?);
    let is_other_boot = written.boot != 0 && now.boot != 0 && written.boot != now.boot;
    Ok(is_other_boot || written.is_other_file(now))
}

/// Whether the file is seen through an overlay. Then a mapping is made through another file, and
/// does not keep the locks of this one.
pub(in crate::segment) fn is_on_overlay(file: impl AsFd) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|about| about.f_type == OVERLAYFS)
}

/// Fails if a participant on record is known to live. The caller has found that, by the locks, no
/// process has the segment mapped.
///
/// # Errors
/// [`OpenError::SeenTwice`].
pub(in crate::segment) fn expect_nobody_alive(file: &File, header: &[u8; header::LENGTH]) -> Result<(), OpenError> {
    let (written, now) = (Origin::from_header(header), origin_of(file)?);
    if written.boot == 0 || written.boot != now.boot || written.is_other_file(now) {
        return Ok(()); // nothing is known, or the record is of another file
    }
    let table = TableCopy::from_file(file, header::participants(header))?;
    // Where a second view is known to exist, a participant out of sight may be there.
    let is_overlay = is_on_overlay(file);
    let living = table.slots().iter().enumerate().find_map(|(index, slot)| {
        let (id, thread) = slot.living(index)?;
        match slot.thread().observe(thread) {
            Sight::Alive(process_id) => Some(OpenError::SeenTwice { id, process_id: Some(process_id) }),
            Sight::Unseen if is_overlay => Some(OpenError::SeenTwice { id, process_id: None }),
            Sight::Unseen | Sight::NotThere => None,
        }
    });
    living.map_or(Ok(()), Err)
}

/// A copy of a file's participant table. The file may be truncated at any time, and a mapping of it
/// would raise SIGBUS.
#[derive(Debug)]
pub(in crate::segment) struct TableCopy {
    bytes: Option<memmap2::MmapMut>,
    slots: usize,
}

impl TableCopy {
    /// Slots that the file does not contain count as free.
    pub(in crate::segment) fn from_file(file: impl AsFd, slots: usize) -> Result<Self, IoError> {
        let length = slots * header::SLOT;
        if length == 0 {
            return Ok(Self { bytes: None, slots });
        }
        let mut bytes = memmap2::MmapMut::map_anon(length).map_err(|e| IoError::new("map memory", None, e))?;
        let mut filled = 0;
        while filled < length {
            match rustix::io::pread(&file, &mut bytes[filled..], (header::TABLE + filled) as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(IoError::new("read the participants of the segment", None, e)),
            }
        }
        Ok(Self { bytes: Some(bytes), slots })
    }

    pub(in crate::segment) fn slots(&self) -> &[Slot<Linux>] {
        let Some(bytes) = &self.bytes else { return &[] };
        // SAFETY: so many slots lie within the copy, aligned to its page. They consist of atomics
        // and unused integers, so any bytes are valid. Nobody else has this memory, and it is not
        // touched otherwise while they are borrowed.
        unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast::<Slot<Linux>>(), self.slots) }
    }
}
