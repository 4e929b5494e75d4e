//! The words of a pipe's ring, and how bytes get into them.

use crate::platform::Linux;
use crate::raw::pipe::{Frame, WORD, Words};
use crate::segment::{Definition, Part, Shareable};
use core::fmt;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

/// A word of the ring of a [`Pipe`](super::Pipe). It can be named, as the room of a pipe's segment,
/// and has no operations.
#[repr(transparent)]
pub struct PipeWord {
    word: <Linux as crate::platform::Platform>::Word64,
}

// SAFETY: a word, understood whatever its bits; repr(transparent), no pointers, no Drop.
unsafe impl Shareable for PipeWord {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "outlive::PipeWord",
        &[Part::words::<<Linux as crate::platform::Platform>::Word64>("word", offset_of!(Self, word))],
    );
}

impl fmt::Debug for PipeWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipeWord").finish_non_exhaustive()
    }
}

/// A ring in shared memory: a power of two of words. Who makes one keeps the memory mapped as long
/// as the ring is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring {
    first: NonNull<PipeWord>,
    /// The number of the words.
    count: u64,
}

// SAFETY: it is a shared reference to words, whose bytes only the owners of the two ends use.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Words<Linux> for Ring {
    #[inline(always)]
    fn count(&self) -> u64 {
        self.count
    }
    #[inline(always)]
    fn word(&self, position: u64) -> &<Linux as crate::platform::Platform>::Word64 {
        // SAFETY: the index is less than the number of words. They are mapped: see `Ring`.
        unsafe { &self.first.add((position & (self.count - 1)) as usize).as_ref().word }
    }
}

impl Ring {
    /// `None`: the number of words is not one that a ring can have. The pointer of `words` gives
    /// the right to use all of them.
    pub(super) fn new(words: NonNull<[PipeWord]>) -> Option<Self> {
        let count = words.len() as u64;
        (count.is_power_of_two() && count >= super::FEWEST_WORDS).then_some(Self { first: words.cast(), count })
    }

    /// How many bytes the words have.
    pub(super) fn bytes(&self) -> usize {
        (self.count * WORD) as usize
    }

    /// The parts of the memory of so many bytes from a position on. The second is empty, or begins
    /// with the first word.
    #[inline(always)]
    fn parts(&self, position: u64, length: usize) -> [(*mut u8, usize); 2] {
        let base: *mut u8 = self.first.as_ptr().cast();
        let offset = ((position & (self.count - 1)) * WORD) as usize;
        let first = length.min(self.bytes() - offset);
        // SAFETY: the offset is less than the size of the ring.
        [(unsafe { base.add(offset) }, first), (base, length - first)]
    }

    /// Writes the bytes of a frame for which the caller, its sender, has reserved room.
    ///
    /// Word by word, and not by `memcpy`, for two reasons. A message is often written just before
    /// it is sent. Then `memcpy` would have to wait for the writes, because it reads more bytes at
    /// once than they wrote. And a thread that waits for a frame on behalf of the receiver's tasks
    /// may look at a word that was a header and is data now.
    #[inline(always)]
    pub(super) fn write(&self, frame: &Frame, bytes: &[u8]) {
        debug_assert!(bytes.len() as u64 == frame.bytes());
        self.store(frame.data(), bytes);
    }

    #[inline(always)]
    fn store(&self, position: u64, bytes: &[u8]) {
        let (words, rest) = (bytes.chunks_exact(WORD as usize), bytes.chunks_exact(WORD as usize).remainder());
        let mut at = position;
        for word in words {
            let word = u64::from_le_bytes(word.try_into().expect("as many bytes as a word has"));
            // ORDERING: Relaxed; the frame's header publishes it.
            self.word(at).store(word, Relaxed);
            at = at.wrapping_add(1);
        }
        if !rest.is_empty() {
            let word = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.word(at).store(word, Relaxed); // ORDERING: as above
        }
    }

    /// Reads the bytes of a frame that the caller, the receiver, has found. `to` has room for them.
    #[inline(always)]
    unsafe fn read_to(&self, frame: &Frame, to: *mut u8) {
        let [(first, length), (second, rest)] = self.parts(frame.data(), frame.bytes() as usize);
        // SAFETY: both parts are within the ring: a frame is shorter. Within a pipe, the words
        // behind the header of a published frame are used by the receiver alone. The Acquire that
        // found the header orders this after the sender's write. Any bytes are a valid u8.
        unsafe {
            core::ptr::copy_nonoverlapping(first, to, length);
            if rest > 0 {
                core::ptr::copy_nonoverlapping(second, to.add(length), rest);
            }
        }
    }

    /// Reads the bytes of a frame that the caller, the receiver, has found, into as many bytes.
    ///
    /// # Panics
    /// If `to` is shorter.
    #[inline(always)]
    pub(super) fn read(&self, frame: &Frame, to: &mut [u8]) {
        let to = &mut to[..frame.bytes() as usize];
        // SAFETY: there is room for the bytes.
        unsafe { self.read_to(frame, to.as_mut_ptr()) }
    }

    /// Appends the bytes of a frame that the caller, the receiver, has found.
    pub(super) fn append(&self, frame: &Frame, to: &mut Vec<u8>) {
        let length = frame.bytes() as usize;
        to.reserve(length);
        // SAFETY: there is room for the bytes behind those that there are, and then they are
        // written.
        unsafe {
            self.read_to(frame, to.as_mut_ptr().add(to.len()));
            to.set_len(to.len() + length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    /// Miri and ThreadSanitizer see the race, if it is one.
    #[test]
    fn a_word_may_be_looked_at_while_bytes_are_written_over_it() {
        let words: Box<[PipeWord]> = (0..64).map(|_| PipeWord { word: <Linux as Platform>::Word64::new(0) }).collect();
        let ring = Ring::new(NonNull::from(&*words)).expect("a power of two");
        std::thread::scope(|scope| {
            scope.spawn(|| ring.store(60, &[7; 300]));
            let looks = scope.spawn(|| (0..64).filter(|at| ring.word(*at).load(Relaxed) != 0).count());
            assert!(looks.join().expect("no panic") <= 38);
        });
        assert_eq!((0..64).map(|at| ring.word(at).load(Relaxed)).filter(|word| *word != 0).count(), 38);
    }
}
