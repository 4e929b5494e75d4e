//! What the parties have done so far, in a file that the driver and all parties map. It outlives
//! each of them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The most producers of one scenario.
pub const PRODUCERS: u64 = 4096;
/// The most parties that churn in one scenario.
pub const CHURNERS: u64 = 4096;

const WORDS: u64 = 64 + CHURNERS + PRODUCERS * 5;

/// The numbers, as words of a shared mapping.
#[derive(Debug, Clone, Copy)]
pub struct Ledger {
    words: &'static [AtomicU64],
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $at:expr;)*) => {
        $($(#[$doc])* #[must_use] pub fn $name(&self) -> &AtomicU64 { &self.words[$at] })*
    };
}

impl Ledger {
    /// Makes the file, of zeros, and maps it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create_new(path)?.set_len(WORDS * 8)?;
        Self::open(path)
    }

    /// Maps the file. The mapping stays as long as the process: a few pages for each cell.
    ///
    /// # Errors
    /// Those of open(2) and mmap(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        if file.metadata()?.len() < WORDS * 8 {
            return Err(io::Error::other("the ledger is too short"));
        }
        let (length, all) = (WORDS as usize * 8, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), length, all, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a mapping of this length, aligned to pages, which is never unmapped. All
        // processes access it by whole words only. Nobody shortens the file.
        let words = unsafe { std::slice::from_raw_parts(at.cast::<AtomicU64>(), WORDS as usize) };
        Ok(Self { words })
    }

    words! {
        /// Not 0: who churns or produces without end is to stop.
        stop = 0;
        /// Tickets that waiters on a condition may take. Guarded by its lock.
        tickets = 1;
        /// 1 + the number of the last producer, or 0 as long as more producers come.
        last_producer = 2;
        /// How many items the last producer sends.
        last_count = 3;
        /// Items received and counted.
        received = 4;
        /// Items whose bytes are not those of any item.
        torn = 5;
        /// Items that were received again.
        doubled = 6;
        /// Who is inside the lock: 1 + the number of the party, or 0.
        inside = 7;
        /// How often a churning party was told of a death.
        told = 8;
        /// How often a churning party found the mark of another inside, and was not told.
        untold = 9;
        /// How often two living parties were inside at once.
        together = 10;
    }

    /// How often this party has had the lock.
    #[must_use]
    pub fn turns(&self, party: u64) -> &AtomicU64 {
        &self.words[64 + (party % CHURNERS) as usize]
    }

    fn of_producer(&self, producer: u64, which: u64) -> &AtomicU64 {
        &self.words[(64 + CHURNERS + (producer % PRODUCERS) * 4 + which) as usize]
    }

    /// Items that this producer has begun to send.
    #[must_use]
    pub fn begun(&self, producer: u64) -> &AtomicU64 {
        self.of_producer(producer, 0)
    }

    /// Items whose sending has returned.
    #[must_use]
    pub fn sent(&self, producer: u64) -> &AtomicU64 {
        self.of_producer(producer, 1)
    }

    /// Items of this producer that were received.
    #[must_use]
    pub fn arrived(&self, producer: u64) -> &AtomicU64 {
        self.of_producer(producer, 2)
    }

    /// The number that the next item of this producer has at least.
    #[must_use]
    pub fn expected(&self, producer: u64) -> &AtomicU64 {
        self.of_producer(producer, 3)
    }

    /// Which of the 64 numbers before the expected one were received: bit 0 is the last of them.
    fn window(&self, producer: u64) -> &AtomicU64 {
        &self.words[(64 + CHURNERS + PRODUCERS * 4 + producer % PRODUCERS) as usize]
    }

    /// Notes an item that was received, or bytes that are none. An item may be overtaken by up to
    /// 63 others: a task queue keeps the order only about.
    pub fn note(&self, item: Option<(u64, u64)>) {
        match item {
            Some((producer, number)) => {
                let (expected, window) = (self.expected(producer), self.window(producer));
                let (next, seen) = (expected.load(SeqCst), window.load(SeqCst));
                let (next, seen, bit) = if number >= next {
                    let shift = u32::try_from(number + 1 - next).unwrap_or(u32::MAX);
                    (number + 1, seen.checked_shl(shift).unwrap_or(0), 1)
                } else {
                    (
                        next,
                        seen,
                        u32::try_from(next - 1 - number).ok().and_then(|by| 1_u64.checked_shl(by)).unwrap_or(0),
                    )
                };
                if bit == 0 || seen & bit != 0 {
                    self.doubled().fetch_add(1, SeqCst);
                } else {
                    window.store(seen | bit, SeqCst);
                    expected.store(next, SeqCst);
                    self.arrived(producer).fetch_add(1, SeqCst);
                }
            }
            None => {
                self.torn().fetch_add(1, SeqCst);
            }
        }
        self.received().fetch_add(1, SeqCst);
    }
}

/// Fills in an item: the producer, the number, bytes that follow from both, and a checksum of all.
pub fn write_item(bytes: &mut [u8], producer: u64, number: u64) {
    let (body, end) = bytes.split_at_mut(bytes.len() - 8);
    body[..8].copy_from_slice(&producer.to_le_bytes());
    body[8..16].copy_from_slice(&number.to_le_bytes());
    let pattern = (producer << 32 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    for chunk in body[16..].chunks_mut(8) {
        chunk.copy_from_slice(&pattern[..chunk.len()]);
    }
    end.copy_from_slice(&checksum(body).to_le_bytes());
}

/// The producer and the number of an item, if its checksum fits its bytes.
#[must_use]
pub fn read_item(bytes: &[u8], size: u64) -> Option<(u64, u64)> {
    if bytes.len() as u64 != size || bytes.len() < 24 {
        return None;
    }
    let word = |at: usize| Some(u64::from_le_bytes(bytes[at..at + 8].try_into().ok()?));
    let (producer, number) = (word(0)?, word(8)?);
    let is_whole = word(bytes.len() - 8)? == checksum(&bytes[..bytes.len() - 8]);
    (is_whole && producer < PRODUCERS).then_some((producer, number))
}

/// FNV over words of eight bytes.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    })
}

#[cfg(test)]
mod tests {
    use super::{Ledger, read_item, write_item};
    use std::sync::atomic::Ordering::SeqCst;

    #[test]
    fn an_overtaken_item_has_arrived_and_a_second_one_is_doubled() {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::create(&directory.path().join("ledger")).expect("a file");
        for number in [0, 3, 1, 2, 70, 7] {
            ledger.note(Some((5, number)));
        }
        assert_eq!((ledger.arrived(5).load(SeqCst), ledger.doubled().load(SeqCst)), (6, 0));
        for number in [3, 70, 7, 6] {
            ledger.note(Some((5, number)));
        }
        assert_eq!((ledger.arrived(5).load(SeqCst), ledger.doubled().load(SeqCst)), (6, 4), "6 is too long ago");
    }

    #[test]
    fn an_item_is_read_as_written_and_each_changed_byte_is_seen() {
        for size in [64, 100, 6000] {
            let mut item = vec![0; size];
            write_item(&mut item, 3, 77);
            assert_eq!(read_item(&item, size as u64), Some((3, 77)));
            assert_eq!(read_item(&item[1..], size as u64), None);
            for at in 0..size {
                item[at] ^= 1;
                assert_eq!(read_item(&item, size as u64), None, "byte {at}");
                item[at] ^= 1;
            }
        }
    }
}
