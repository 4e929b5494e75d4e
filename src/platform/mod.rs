//! The seam: the only door to atomics, fences, futexes, lifelines, time and spinning.
//!
//! The algorithms in [`raw`](crate::raw) are generic over [`Platform`] and use nothing else. In
//! production the platform is [`Linux`]: atomics in mapped memory, `futex_waitv`, the robust list.
//! In the project's models it is a modelled kernel on loom's or shuttle's atomics, and a
//! participant may die at every operation. So the code that ships is the code that was explored.
//!
//! # What a platform promises
//!
//! 1. [`Platform::wait`] takes the words in the order given. For each it compares the value and
//!    enqueues the sleeper; then it sleeps. A wake on a word after its comparison is not lost.
//!    Every return may be spurious, and says nothing about its cause.
//! 2. When a participant dies, [`MARK`] is set in each of its armed [lifelines](Lifeline), and
//!    **one** of the sleepers on that lifeline is woken. A participant that reads the mark also
//!    sees everything that the dead participant wrote.
//! 3. Time is monotonic.

use core::fmt::Debug;
use core::sync::atomic::Ordering;
use core::time::Duration;

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
/// Bit of a lifeline that makes the kernel wake a sleeper when the owner dies (`FUTEX_WAITERS`).
/// Every armed lifeline has it.
pub const WAKE_AT_DEATH: u32 = 0x8000_0000;
/// The bits of a lifeline that hold its owner's thread (or process) id; 0: no owner
/// (`FUTEX_TID_MASK`).
pub const OWNER: u32 = 0x3fff_ffff;

/// A 32-bit atomic on which a thread can wait. Methods without a description are those of
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
    /// A fence between the earlier and the later accesses of the calling thread.
    fn fence(order: Ordering);

    /// [`compare_exchange`](Self::compare_exchange), followed on success by a sequentially
    /// consistent [`fence`](Self::fence).
    ///
    /// If two threads each write a word, pass such a fence, and then read the other's word, at
    /// least one of them sees the other's write.
    ///
    /// A backend overrides this where the exchange itself can be the fence, as on x86-64.
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

/// A 64-bit atomic. Methods without a description are those of [`core::sync::atomic::AtomicU64`].
#[allow(missing_docs)] // the standard library's names and meaning
pub trait Word64: Debug + Send + Sync {
    fn new(value: u64) -> Self;
    fn load(&self, order: Ordering) -> u64;
    fn store(&self, value: u64, order: Ordering);
    fn swap(&self, value: u64, order: Ordering) -> u64;
    fn compare_exchange(&self, current: u64, new: u64, success: Ordering, failure: Ordering) -> Result<u64, u64>;
    /// A fence between the earlier and the later accesses of the calling thread.
    fn fence(order: Ordering);

    /// As [`Word::compare_exchange_then_fence`].
    #[inline(always)]
    fn compare_exchange_then_fence(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        let result = self.compare_exchange(current, new, success, failure);
        if result.is_ok() {
            Self::fence(Ordering::SeqCst);
        }
        result
    }
    /// As [`Word::swap_then_fence`].
    #[inline(always)]
    fn swap_then_fence(&self, value: u64, order: Ordering) -> u64 {
        let was = self.swap(value, order);
        Self::fence(Ordering::SeqCst);
        was
    }
}

/// A word that the kernel marks when its owner dies, and the links by which the kernel finds it.
pub trait Lifeline: Debug + Send + Sync {
    /// The type of the word.
    type Word: Word;
    /// The word that sleepers watch.
    ///
    /// While the owner lives, an armed lifeline has the owner's id in [`OWNER`], and
    /// [`WAKE_AT_DEATH`]. When the owner dies, [`MARK`] is set, and the id goes.
    fn word(&self) -> &Self::Word;
    /// Another word of the slot, beside the lifeline. The kernel does not use it, nor does the C
    /// library. Only the slot's owner writes it.
    fn spare(&self) -> &Self::Word;
}

/// Facts about the owner of a slot in the participant table. They lie in the slot, beside the words
/// by which algorithms judge the owner.
pub trait ThreadInfo: Debug + Send + Sync {
    /// A number that all participants of one process share. No two living processes have the same.
    ///
    /// It is the [`Id`](crate::raw::Id) of the process's first participant in this segment.
    fn process(&self) -> u32;
    /// Notes that the owner sleeps on `word`, or with `None` that it sleeps no longer.
    ///
    /// The note is for people, such as users of a monitor. No algorithm depends on it.
    fn note_waiting<W>(&self, word: Option<&W>);
    /// Whether the owner has noted that it sleeps. A hint.
    fn is_waiting(&self) -> bool {
        false
    }
    /// The number of the primitive at which the owner waits, as set by
    /// [`set_waits_at`](Self::set_waits_at). 0: the owner waits at no primitive that sets a number.
    ///
    /// A Relaxed load.
    fn waits_at(&self) -> u32;
    /// Sets the number that [`waits_at`](Self::waits_at) returns. Only the owner calls this.
    fn set_waits_at(&self, number: u32);
}

/// One word of a [`Platform::wait`], and the value that it must have for the sleep to begin.
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
    /// A 32-bit atomic on which a thread can wait.
    type Word: Word;
    /// A 64-bit atomic.
    type Word64: Word64;
    /// A word that is marked when its owner dies.
    type Lifeline: Lifeline<Word = Self::Word>;
    /// Facts about a participant.
    type ThreadInfo: ThreadInfo;

    /// How often an algorithm checks the word of a lock before it goes to sleep.
    const SPINS: u32;
    /// The greatest generation of a slot in the participant table. After it the slot counts from
    /// the beginning again. Models have a small one.
    const LAST_GENERATION: u16 = u16::MAX;
    /// The greatest number of words that one [`wait`](Self::wait) takes.
    const MOST_WORDS: usize;

    /// The same as [`Word::fence`], which is where a backend implements it.
    #[inline(always)]
    fn fence(order: Ordering) {
        Self::Word::fence(order);
    }
    /// Passes a moment between two checks of a word.
    fn spin();
    /// How often the calling thread checks before it goes to sleep, in a wait for what another
    /// participant does when it likes: a message, a permit, an event, an arrival. A platform may
    /// learn that from [`note_spins`](Self::note_spins).
    fn learned_spins() -> u32 {
        Self::SPINS
    }
    /// Notes whether the calling thread found what it waited for while it spun in such a wait.
    fn note_spins(_have_helped: bool) {}
    /// How often the calling thread spins without a look in the wait for messages (or for room)
    /// that begins: it lets some gather. A platform may learn from its calls whether that pays.
    ///
    /// `word` is the word on which the thread would sleep. `passed` says how many messages have
    /// passed so far, wrapping, and `capacity` how many the channel can hold.
    fn spins_to_gather(word: &Self::Word, passed: u64, capacity: u64) -> u32 {
        let _nobody_gathers = (word, passed, capacity);
        0
    }
    /// The time since a fixed moment. It never goes back.
    fn now() -> Duration;
    /// Sleeps until the caller is woken on one of `words`, or until the time is `until` on the
    /// clock of [`now`](Self::now). It may also return early, without a reason.
    ///
    /// It does not sleep if one of the words differs from its expected value.
    ///
    /// The words come as an iterator: each platform makes the list that its kernel wants, and no
    /// second list lies on the stack.
    fn wait<'w>(words: impl Iterator<Item = Expect<'w, Self::Word>>, until: Option<Duration>)
    where
        Self::Word: 'w;
    /// As [`wait`](Self::wait). Returns true if the caller is to give up: it is in a scope that
    /// [allows interruption](crate::interruptible), and was interrupted.
    ///
    /// A wait that was interrupted may have consumed a wake all the same. A platform without such
    /// scopes keeps this implementation.
    fn wait_interruptibly<'w>(words: impl Iterator<Item = Expect<'w, Self::Word>>, until: Option<Duration>) -> bool
    where
        Self::Word: 'w,
    {
        Self::wait(words, until);
        false
    }
    /// The greatest number of words that one wait of the calling thread takes now.
    ///
    /// It is less than [`MOST_WORDS`](Self::MOST_WORDS) in a scope that needs a word for itself.
    fn most_words() -> usize {
        Self::MOST_WORDS
    }
    /// Wakes up to `count` threads that sleep on `word`. Returns how many it woke.
    fn wake(word: &Self::Word, count: u32) -> u32;
    /// Moves up to `count` threads that sleep on `from`, if its value is `expected`: from now on
    /// they sleep on `to` instead. The other words that they sleep on stay, and so do their
    /// deadlines.
    ///
    /// Returns how many threads it moved. `None`: the value is another one, or this platform moves
    /// nobody.
    fn requeue(from: &Self::Word, expected: u32, to: &Self::Word, count: u32) -> Option<u32> {
        let _nobody_is_moved = (from, expected, to, count);
        None
    }

    /// The longest first phase of a wait, in which a sleeper watches only the word of its primitive
    /// and the holder's lifeline. `None`: there is no such phase.
    fn first_phase() -> Option<Duration>;
    /// The longest sleep before a sleeper checks everything again. `None` switches the recheck off,
    /// which only tests do.
    fn recheck() -> Option<Duration>;
    /// The period in which the participants of a segment reap once, all together: one of them asks
    /// [`is_gone`](Self::is_gone) about the others. `None`: never, as when the recheck is off.
    fn reap_period() -> Option<Duration> {
        Self::recheck()
    }
    /// Whether one wait can watch many words. If not, a sleeper learns of most deaths at its next
    /// [`recheck`](Self::recheck).
    fn watches_many() -> bool;
    /// Whether the participant is gone although its lifeline is not marked. True only if that is
    /// certain. Slow: it asks the operating system.
    ///
    /// `thread` is the thread id in the participant's claim; see
    /// [`Newcomer`](crate::raw::table::Newcomer). `info` may already be that of the slot's next
    /// owner; then the caller ignores the answer.
    fn is_gone(info: &Self::ThreadInfo, thread: u32) -> bool;
    /// Whether the process of a dead participant is still ending.
    ///
    /// It is ending as long as another of its threads has been killed, but is still inside a system
    /// call. That call may read or write what the dead participant held. When in doubt, false.
    /// `thread` is the thread id in the participant's claim.
    fn is_ending(info: &Self::ThreadInfo, thread: u32) -> bool {
        let _nobody_has_siblings = (info, thread);
        false
    }
    /// Prepares for a later [`is_ending`](Self::is_ending) about the same participant, so that the
    /// later call is faster.
    ///
    /// The caller has time for this: it is about to sleep until that participant releases or dies.
    fn prepare_for_end(info: &Self::ThreadInfo) {
        let _nothing_helps = info;
    }
    /// As [`is_gone`](Self::is_gone), about the participant's whole process.
    fn is_process_gone(info: &Self::ThreadInfo) -> bool;
}
