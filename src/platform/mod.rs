//! The seam: the only door to atomics, fences, futexes, lifelines, time and spinning.
//!
//! Everything in [`raw`](crate::raw) is generic over [`Platform`] and uses nothing else. In
//! production the platform is [`Linux`]: atomics in mapped memory, `futex_waitv`, the robust list.
//! In the project's models it is a modelled kernel on loom's or shuttle's atomics, where death is
//! an action that may happen at every operation. The code that ships is therefore the code that was
//! explored.
//!
//! # What a platform promises
//!
//! 1. [`Platform::wait`] compares and enqueues word by word, in the order given, and then sleeps. A
//!    wake on a word after its comparison is not lost. Every return may be spurious, and says
//!    nothing about its cause.
//! 2. When a participant dies, each of its armed [lifelines](Lifeline) gets [`MARK`] set, after all
//!    that the participant wrote, and **one** of those that wait on it is woken.
//! 3. Time is monotonic.

use core::fmt::Debug;
use core::sync::atomic::Ordering;
use core::time::Duration;

/// The standard atomics, for what is plain data in a segment. Synchronization goes through
/// [`Platform`].
#[allow(clippy::disallowed_types)] // this is where they come from
pub mod atomic {
    pub use core::sync::atomic::{
        AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32,
        AtomicU64, AtomicUsize, Ordering,
    };
}

#[cfg(all(
    target_os = "linux",
    any(target_env = "gnu", all(target_env = "musl", target_arch = "x86_64")),
    target_pointer_width = "64",
    target_endian = "little"
))]
pub mod linux;
#[cfg(all(
    target_os = "linux",
    any(target_env = "gnu", all(target_env = "musl", target_arch = "x86_64")),
    target_pointer_width = "64",
    target_endian = "little"
))]
pub use linux::Linux;
#[cfg(not(all(
    target_os = "linux",
    any(target_env = "gnu", all(target_env = "musl", target_arch = "x86_64")),
    target_pointer_width = "64",
    target_endian = "little"
)))]
compile_error!(
    "outlive needs 64-bit little-endian Linux with glibc, or with musl on x86_64: it stands on futexes, and on the robust list as the C library has it"
);

#[cfg(test)]
pub(crate) mod puppet;

/// Bit of a lifeline that the kernel sets when its owner dies (`FUTEX_OWNER_DIED`).
pub const MARK: u32 = 0x4000_0000;
/// Bit of a lifeline without which the kernel marks but wakes nobody (`FUTEX_WAITERS`): always set.
pub const WAKE_AT_DEATH: u32 = 0x8000_0000;
/// The bits of a lifeline that hold its owner's thread (or process) id, 0 for none
/// (`FUTEX_TID_MASK`).
pub const OWNER: u32 = 0x3fff_ffff;

/// A 32-bit atomic that can be waited on. The methods are those of
/// [`core::sync::atomic::AtomicU32`].
#[allow(missing_docs)] // the standard library's names and meaning
pub trait Word: Debug + Send + Sync {
    fn new(value: u32) -> Self;
    fn load(&self, order: Ordering) -> u32;
    fn store(&self, value: u32, order: Ordering);
    fn swap(&self, value: u32, order: Ordering) -> u32;
    fn compare_exchange(&self, current: u32, new: u32, success: Ordering, failure: Ordering) -> Result<u32, u32>;
    fn fetch_add(&self, value: u32, order: Ordering) -> u32;
    fn fetch_or(&self, value: u32, order: Ordering) -> u32;
    fn fetch_and(&self, value: u32, order: Ordering) -> u32;
    /// A fence between the earlier and the later accesses of this thread, to all words and data.
    fn fence(order: Ordering);

    /// [`compare_exchange`](Self::compare_exchange), followed on success by a sequentially
    /// consistent [`fence`](Self::fence).
    ///
    /// If two threads each write a word, pass such a fence, and then read the other's word, at least
    /// one of them sees the other's write.
    ///
    /// A backend overrides it where the exchange can be the fence, as on x86-64.
    #[inline(always)]
    fn compare_exchange_then_fence(
        &self,
        current: u32,
        new: u32,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u32, u32> {
        let result = self.compare_exchange(current, new, success, failure);
        if result.is_ok() {
            Self::fence(Ordering::SeqCst);
        }
        result
    }
    /// [`swap`](Self::swap), followed by a fence as in
    /// [`compare_exchange_then_fence`](Self::compare_exchange_then_fence).
    #[inline(always)]
    fn swap_then_fence(&self, value: u32, order: Ordering) -> u32 {
        let was = self.swap(value, order);
        Self::fence(Ordering::SeqCst);
        was
    }
}

/// A 64-bit atomic. The methods are those of [`core::sync::atomic::AtomicU64`].
#[allow(missing_docs)] // the standard library's names and meaning
pub trait Word64: Debug + Send + Sync {
    fn new(value: u64) -> Self;
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
    fn compare_exchange(&self, current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64>;
}

/// A word that the kernel cuts when its owner dies, with whatever the kernel needs to find it.
pub trait Lifeline: Debug + Send + Sync {
    /// Its word.
    type Word: Word;
    /// The word that sleepers watch: the owner's id with [`WAKE_AT_DEATH`], and [`MARK`] alone once
    /// it has died.
    fn word(&self) -> &Self::Word;
}

/// What a slot of the participant table says about its owner, beside the words that algorithms
/// judge by.
pub trait ThreadInfo: Debug + Send + Sync {
    /// A number that all participants of one process share, and no two living processes:
    /// [`Id`](crate::raw::Id) of the process's first participant in this segment.
    fn process(&self) -> u32;
    /// Notes, for people who look, that the owner sleeps on `word` (`None`: no longer). Nothing
    /// depends on it.
    fn note_waiting<W>(&self, word: Option<&W>);
    /// Whether the owner has noted that it sleeps. A hint.
    fn is_waiting(&self) -> bool {
        false
    }
    /// At which primitive the owner waits, by a number that says so to others; 0: at none of those
    /// that ask. Relaxed.
    fn waits_at(&self) -> u32;
    /// Says what [`waits_at`](Self::waits_at) tells. By the owner alone.
    fn set_waits_at(&self, number: u32);
}

/// One word of a [`Platform::wait`], and what it must contain for the sleep to begin.
#[derive(Debug)]
pub struct Expect<'a, W> {
    /// The word.
    pub word: &'a W,
    /// Its expected value.
    pub value: u32,
}

impl<W> Clone for Expect<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Expect<'_, W> {}

/// Atomics, fences, futexes, lifelines, time, spinning. See the [module](self).
pub trait Platform: Debug + Sized + Send + Sync + 'static {
    /// 32-bit atomic and futex.
    type Word: Word;
    /// 64-bit atomic.
    type Word64: Word64;
    /// Word that is cut at death.
    type Lifeline: Lifeline<Word = Self::Word>;
    /// Facts about a participant.
    type ThreadInfo: ThreadInfo;

    /// How often an algorithm looks at a word before it goes to sleep.
    const SPINS: u32;
    /// The last generation that a slot of the participant table has before it begins a new round:
    /// less in models.
    const LAST_GENERATION: u16 = u16::MAX;
    /// The most words that one [`wait`](Self::wait) takes.
    const MOST_WORDS: usize;

    /// [`Word::fence`]. A backend writes it there.
    #[inline(always)]
    fn fence(order: Ordering) {
        Self::Word::fence(order);
    }
    /// Passes a moment between two looks.
    fn spin();
    /// Time since some fixed moment, monotonic.
    fn now() -> Duration;
    /// Sleeps until woken on one of `words`, or one of them differs from its expected value, or
    /// `until` has passed on [`now`](Self::now)'s clock, or for no reason at all.
    ///
    /// An iterator, so that each platform makes the list that its kernel wants, and there is no
    /// second one on the stack.
    fn wait<'w>(words: impl Iterator<Item = Expect<'w, Self::Word>>, until: Option<Duration>)
    where
        Self::Word: 'w;
    /// As [`wait`](Self::wait), and tells whether the caller is to give up: it is in a scope that
    /// [allows that](crate::interruptible), and was interrupted. Then, too, it may have been given
    /// a wake. Without such scopes it is `wait`.
    fn wait_interruptibly<'w>(words: impl Iterator<Item = Expect<'w, Self::Word>>, until: Option<Duration>) -> bool
    where
        Self::Word: 'w,
    {
        Self::wait(words, until);
        false
    }
    /// The most words that one wait of the calling thread takes now: a scope may need one of
    /// [them all](Self::MOST_WORDS) for itself.
    fn most_words() -> usize {
        Self::MOST_WORDS
    }
    /// Wakes up to `count` of those that sleep on `word`. Gives how many it found asleep there.
    fn wake(word: &Self::Word, count: u32) -> u32;

    /// The longest first sleep, in which only the primitive's own word and its holder are watched;
    /// `None`: no such phase.
    fn first_phase() -> Option<Duration>;
    /// The longest sleep without a look (the net); `None` switches the net off, which only tests
    /// do.
    fn recheck() -> Option<Duration>;
    /// How often somebody looks slowly, for all; `None`: nobody, as if the net were off.
    fn reap_period() -> Option<Duration> {
        Self::recheck()
    }
    /// Whether one wait can watch many words. Without it [`recheck`](Self::recheck) is the
    /// contract.
    fn watches_many() -> bool;
    /// The slow check: true only if the participant is known to be gone without its lifeline
    /// telling. When in doubt, false. `thread` is that of its claim; see
    /// [`Newcomer`](crate::raw::table::Newcomer). What it says of itself may be a successor's: then
    /// the answer does not matter.
    fn is_gone(about: &Self::ThreadInfo, thread: u32) -> bool;
    /// Whether the process of a dead participant is still ending: another of its threads is killed,
    /// and may be in a system call that writes or reads what the dead one held. When in doubt,
    /// false. `thread` is that of the participant's claim.
    fn is_ending(about: &Self::ThreadInfo, thread: u32) -> bool {
        let _nobody_has_siblings = (about, thread);
        false
    }
    /// The caller is about to sleep until a participant releases, or dies. Whatever makes
    /// [`is_ending`](Self::is_ending) answer sooner then is done now, when there is time.
    fn prepare_for_end(about: &Self::ThreadInfo) {
        let _nothing_helps = about;
    }
    /// As [`is_gone`](Self::is_gone), of the participant's whole process.
    fn is_process_gone(about: &Self::ThreadInfo) -> bool;
}
