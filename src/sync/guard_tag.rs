//! What a guard remembers, in one word.

use crate::segment::local;

/// In which process a hold was taken, whether the thread was panicking then, and 32 bits for the
/// guard's own use.
///
/// All this is in one word, because a guard is returned inside a `Result`. A larger guard would be
/// copied through memory at every lock. That costs half as much as the lock itself.
///
/// | bits  | meaning                                                                                          |
/// |-------|--------------------------------------------------------------------------------------------------|
/// | 0–30  | the process number; a forked descendant has an equal one only if 2^31 numbers (of forks, threads,  |
/// |       | and dropped segments) were given out along the line of forks while the guard lived               |
/// | 31    | the thread was panicking                                                                         |
/// | 32–63 | for the guard's own use                                                                          |
#[derive(Debug, Clone, Copy)]
pub(super) struct GuardTag(u64);

const PROCESS: u64 = (1 << 31) - 1;
const PANICKING: u64 = 1 << 31;

impl GuardTag {
    #[inline(always)]
    pub(super) fn now(own: u32) -> Self {
        let panicking = if std::thread::panicking() { PANICKING } else { 0 };
        Self(u64::from(own) << 32 | panicking | local::process_number() & PROCESS)
    }

    /// Whether this is the process that took the hold. It is not in a child that was forked since:
    /// there the guard is a copy, and the hold is the parent's.
    #[inline(always)]
    pub(super) fn is_of_this_process(self) -> bool {
        local::process_number() & PROCESS == self.0 & PROCESS
    }

    /// Whether the thread has begun to panic since the hold was taken.
    #[inline(always)]
    pub(super) fn panicked_since(self) -> bool {
        std::thread::panicking() && self.0 & PANICKING == 0
    }

    #[inline(always)]
    pub(super) fn own(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) fn set_own(&mut self, own: u32) {
        self.0 = self.0 & u64::from(u32::MAX) | u64::from(own) << 32;
    }
}
