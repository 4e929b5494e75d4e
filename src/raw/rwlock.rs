//! Many readers or one writer, who outlive each other.
//!
//! # Words
//!
//! The writer word is the word of a [hold](super::hold), but that bit 28 of a held word is another,
//! and a free one has a meaning for it without INCONSISTENT, too:
//!
//! | HELD | INCONSISTENT | bit 28    | meaning                                                                          |
//! |------|--------------|-----------|----------------------------------------------------------------------------------|
//! | 0    | 0            | 0         | no writer (the whole word is 0)                                                  |
//! | 0    | 0            | DISPLACED | no writer; a reader holds, or held, another word than its home                   |
//! | 0    | 1            | PANICKED  | no writer; the bits below say who left the data inconsistent, by death or panic  |
//! | 1    | any          | DRAINING  | a writer that waits for the readers to go, and has not touched the data yet      |
//! | 1    | any          | 0         | a writer that has the data (or is about to: it looks for readers)                |
//!
//! Each reader word is the word of a hold, 0 or `holder + WAITERS`, on a cache line of its own. A
//! reader takes one by name. It tries its *home* first; the others, if a living reader has that;
//! and if the living have all, it sleeps on all of them, as far as one wait takes so many words
//! (its home first, then the lifelines, then the others; what is left to the net is then a word
//! that comes free). In all of these words WAITERS is set by who is about to sleep, and cleared by
//! the release, which wakes **all**: if a writer woke one reader, it would leave the other readers
//! asleep though nobody writes.
//!
//! # Homes
//!
//! A thread's home is the word at its index plus its *shift*, modulo the number of words. The shift
//! is the thread's own ([`Home`]), the same for all locks, and 0 at first. A reader that finds a
//! living reader in its home takes another word, and makes that its home if it may. So two living
//! threads collide once, and from then on both read by the fast path. Threads that come and go
//! cannot make two of the living collide for ever.
//!
//! A shift moves all homes of the thread. So it moves only while the thread has no other reader
//! word, in any lock: else invariant 3 would not hold there. A reader that must not move is *away
//! from home*.
//!
//! # Who sees whom
//!
//! A reader takes its word, then looks at the writer word. A writer takes the writer word, then
//! looks at the reader words. Each has a sequentially consistent fence between the two, so that at
//! least one sees the other: the reader then withdraws, the writer waits. Since readers give way,
//! writers do not starve.
//!
//! # Invariants
//!
//! 1. A reader word that names a living reader which has seen the writer word without holder after
//!    its fence: no writer touches the data before that word changes.
//! 2. The writer word names a living writer, without DRAINING, which has seen every reader word
//!    without a living holder after its fence: that writer alone touches the data.
//! 3. While a reader has another word than its home, the writer word is not 0: the reader saw it so
//!    after its fence, only a writer that has the data makes it 0 again, and one that gives up
//!    leaves it as it was. While a thread has a reader word, its homes do not move, but to that
//!    word with its taking. So a thread that reads already and takes its home a second time finds
//!    the writer word changed, looks at all words, and finds its own id. This is what makes nested
//!    read locks an error each time, and not only sometimes. Model:
//!    `rwlock::a_home_that_moves_while_another_word_is_held_hides_a_nested_lock`.
//! 4. Who sleeps on a word has set WAITERS in it, or somebody who is watched is about to wake all
//!    on it.
//! 5. The release is the last access to a word: after it the memory may be gone.
//!
//! # If a process dies
//!
//! A reader: its word is cleared by the writer that waits for it, or taken over by the next reader.
//! A writer: whoever looks next, reader or writer, puts the cause into the writer word, and it
//! stays there until a writer vouches for the data. A writer that dies while DRAINING has changed
//! nothing, and nobody is told (but that it died, where the word was inconsistent already). One
//! that dies between its CAS and that flag is told as one that wrote.
//!
//! A hold that was [leaked](super::table::Table::has_leaked) is nobody's: a writer is refused
//! because of a leaked reader or writer, a reader because of a leaked writer, or if all reader
//! words are leaked.

use super::hold::{Cause, INCONSISTENT, Id, WAITERS, has_waiters, is_inconsistent};
use super::mutex::{Acquired, Leaked, NotLocked};
use super::table::{Kept, Participant};
use super::vigil::Vigil;
use crate::platform::{Expect, Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// Bit 28 of a writer word that is free and consistent.
const DISPLACED: u32 = 1 << 28;
/// Bit 28 of a writer word that is held.
const DRAINING: u32 = 1 << 28;

/// A word with its cache line, and the neighbour that some processors fetch along.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Line<W>(W);

impl<W> Line<W> {
    /// The word with nothing beside it.
    pub const fn new(word: W) -> Self {
        Self(word)
    }
}

/// See the [module](self). `READERS` is the number of reader words.
#[derive(Debug)]
#[repr(C)]
pub struct RwLock<P: Platform, const READERS: usize> {
    writer: Line<P::Word>,
    readers: [Line<P::Word>; READERS],
}

/// A read hold: in which of the reader words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Reading {
    /// The word's number, for [`RwLock::unlock_read`].
    pub word: usize,
    /// Why the data may be inconsistent, if it may be.
    pub inconsistent: Option<Cause>,
}

/// What moves a thread's homes: see the [module](self#homes).
pub trait Home: Copy {
    /// The thread's shift. It changes by [`move_by`](Self::move_by) alone.
    fn shift(self) -> usize;

    /// Adds that to the thread's shift, and says so. Does nothing if the thread has a reader word,
    /// of any lock, but for the one that it has just taken, or is about to take another, in what a
    /// signal handler has interrupted.
    fn move_by(self, by: usize) -> bool;
}

/// Homes that do not move: a reader that does not find its home free is away from home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed;

impl Home for Fixed {
    #[inline(always)]
    fn shift(self) -> usize {
        0
    }

    fn move_by(self, _by: usize) -> bool {
        false
    }
}

/// How long an operation waits where it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Not at all.
    Immediate,
    /// Until this moment of [`Platform::now`]'s clock; `None`: for ever.
    By(Option<Duration>),
}

/// The writer word as one look at it found it.
#[derive(Clone, Copy)]
enum Writer {
    /// The writer has leaked its hold.
    Leaked(Id),
    /// The writer is dead, and its process still ending.
    Ending,
    /// There is no living one: this would be the word without the dead one, if it is not that
    /// already.
    Gone { left: u32 },
    /// There is.
    Living(Id),
}

/// The state of one operation's waiting, on whatever words.
struct Wait<'t, P: Platform> {
    me: Participant<'t, P>,
    vigil: Option<Vigil<'t, P>>,
    leaked: Leaked,
    /// One who does not wait looks slowly once: `table::reap` says why.
    may_reap: bool,
}

impl<'t, P: Platform> Wait<'t, P> {
    fn new(me: Participant<'t, P>, deadline: Deadline, leaked: Leaked) -> Self {
        let vigil = match deadline {
            Deadline::Immediate => None,
            Deadline::By(deadline) => Some(Vigil::new(me, deadline)),
        };
        Self { me, vigil, leaked, may_reap: true }
    }

    /// Whether that holder, which is not alive, has leaked its hold, and that matters.
    fn has_leaked(&self, holder: Id) -> bool {
        self.leaked != Leaked::Take && self.me.table.has_leaked(holder)
    }

    /// The same, also if its process is still ending.
    fn why_kept(&self, holder: Id) -> Option<Kept> {
        if self.leaked == Leaked::Take { None } else { self.me.table.why_kept(holder) }
    }

    /// Waits a moment for the process of the dead one that this word names to end.
    fn while_ending(&mut self, word: &P::Word, seen: u32) -> Result<(), NotLocked> {
        let vigil = self.vigil.as_mut().ok_or(NotLocked::WouldBlock)?;
        Ok(vigil.sleep_briefly(word, seen)?)
    }

    /// [`Participant::inherit`], if the one that is named has not leaked its hold: asked once more,
    /// since before that its id may have come round. Model:
    /// `leaked::a_late_writer_is_given_no_leaked_hold`.
    fn inherit(&self, word: &P::Word, seen: u32, take: impl FnOnce() -> bool) -> bool {
        let is_kept = || Id::holder_in(seen).is_some_and(|holder| self.has_leaked(holder));
        self.me.inherit(word, seen, || !is_kept() && take())
    }

    /// Waits a while for a word of that value, which a living `holder` has, to change.
    fn while_held(&mut self, word: &P::Word, seen: u32, holder: Id) -> Result<(), NotLocked> {
        let Some(vigil) = &mut self.vigil else {
            return self.would_block();
        };
        vigil.wait_while(word, seen, Some(holder))?;
        Ok(())
    }

    /// As `while_held`, for a reader that can go on when any of `words` changes. Living readers
    /// hold them, or have leaked their holds; `holder`, which lives, holds `words[first]`.
    fn while_all_are_held<const N: usize>(
        &mut self,
        words: [Expect<'_, P::Word>; N],
        first: usize,
        holder: Id,
    ) -> Result<(), NotLocked> {
        let Some(vigil) = &mut self.vigil else {
            return self.would_block();
        };
        if vigil.spin() {
            return Ok(());
        }
        for Expect { word, value } in words {
            // ORDERING: Relaxed, as above.
            if !has_waiters(value) && word.compare_exchange(value, value | WAITERS, Relaxed, Relaxed).is_err() {
                return Ok(());
            }
        }
        let mut words = words.map(|Expect { word, value }| Expect { word, value: value | WAITERS });
        words.swap(0, first);
        let Some((first, others)) = words.split_first() else { return Ok(()) };
        Ok(vigil.sleep_on_any(*first, others, Some(holder))?)
    }

    /// The answer to one who does not wait, or `Ok` if it is to look again: as in
    /// `Mutex::try_lock`.
    fn would_block(&mut self) -> Result<(), NotLocked> {
        let has_looked = core::mem::take(&mut self.may_reap) && self.me.table.reap_lost_if_due(P::now());
        if has_looked { Ok(()) } else { Err(NotLocked::WouldBlock) }
    }

    /// The answer to one who would wait for itself.
    fn deadlock(&self) -> NotLocked {
        if self.vigil.is_some() { NotLocked::Deadlock } else { NotLocked::WouldBlock }
    }
}

impl<P: Platform, const READERS: usize> RwLock<P, READERS> {
    /// A lock of these words. 0 in all of them is a free one; any other values are some state or
    /// other.
    pub const fn from_lines(writer: Line<P::Word>, readers: [Line<P::Word>; READERS]) -> Self {
        Self { writer, readers }
    }

    /// Takes a reader word, and waits for writers to go.
    ///
    /// # Errors
    /// [`NotLocked::WouldBlock`], or [`NotLocked::TimedOut`] or [`NotLocked::Interrupted`], by
    /// `patience`; [`NotLocked::Deadlock`] if the caller reads or writes already (`WouldBlock` with
    /// [`Deadline::Immediate`]). [`NotLocked::Leaked`] of a writer, or if all reader words are
    /// leaked.
    ///
    /// # If a process dies
    /// A writer: this reader is told. Others: nobody notices.
    #[inline]
    pub fn read(&self, me: Participant<'_, P>, deadline: Deadline) -> Result<Reading, NotLocked> {
        self.read_with(me, deadline, Leaked::Refuse)
    }

    /// [`read`](Self::read), by that rule for leaked holds of writers; [`Leaked::Wait`] is as
    /// [`Leaked::Refuse`]. Those of readers are left to them.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), but [`NotLocked::Leaked`] of a writer with [`Leaked::Take`].
    ///
    /// # If a process dies
    /// As [`read`](Self::read).
    #[inline]
    pub fn read_with(&self, me: Participant<'_, P>, deadline: Deadline, leaked: Leaked) -> Result<Reading, NotLocked> {
        self.read_from(Fixed, me, deadline, leaked)
    }

    /// [`read_with`](Self::read_with), from a home that may move.
    ///
    /// # Errors
    /// As [`read_with`](Self::read_with).
    ///
    /// # If a process dies
    /// As [`read`](Self::read).
    #[inline]
    pub fn read_from(
        &self,
        from: impl Home,
        me: Participant<'_, P>,
        deadline: Deadline,
        leaked: Leaked,
    ) -> Result<Reading, NotLocked> {
        let home = Self::home(me.id, from);
        // ORDERING: Relaxed, then the fence. What the last writer wrote comes with the writer word.
        let taken = self.readers[home].0.compare_exchange_then_fence(0, me.id.word(), Relaxed, Relaxed).is_ok();
        // ORDERING: the load must not be older than the fence: it pairs with the one of `write`,
        // model `rwlock::without_fences_reader_and_writer_miss_each_other`. Acquire: pairs with the
        // Release of `unlock_write`. Model: `rwlock::a_writer_publishes_to_readers`.
        if taken && self.writer.0.load(Acquire) == 0 {
            return Ok(Reading { word: home, inconsistent: None });
        }
        self.read_slow(from, me, taken.then_some(home), deadline, leaked)
    }

    #[inline(always)]
    fn home(id: Id, from: impl Home) -> usize {
        const { assert!(READERS > 0, "a RwLock needs a reader word") };
        // The sum does not wrap: a shift grows by less than READERS with each collision.
        id.index().wrapping_add(from.shift()) % READERS
    }

    /// Whether a reader that has taken that word is at home, if need be because its home moves
    /// there.
    fn is_at_home(id: Id, from: impl Home, word: usize) -> bool {
        let home = Self::home(id, from);
        word == home || from.move_by((word + READERS - home) % READERS)
    }

    #[cold]
    fn read_slow(
        &self,
        from: impl Home,
        me: Participant<'_, P>,
        mut taken: Option<usize>,
        deadline: Deadline,
        leaked: Leaked,
    ) -> Result<Reading, NotLocked> {
        let mut wait = Wait::new(me, deadline, leaked);
        let answer =
            if self.reads(me.id, taken) { Err(wait.deadlock()) } else { self.settle(from, me, &mut taken, &mut wait) };
        if let (Err(_), Some(word)) = (answer, taken) {
            self.unlock_read(word);
        }
        answer
    }

    /// Takes a word if none is `taken`, and looks whether there is a writer, until there is a word
    /// and no writer.
    fn settle(
        &self,
        from: impl Home,
        me: Participant<'_, P>,
        taken: &mut Option<usize>,
        wait: &mut Wait<'_, P>,
    ) -> Result<Reading, NotLocked> {
        loop {
            // ORDERING: Acquire, as in `read`; and before a writer's lifeline is read, as in
            // `raw::mutex`.
            let seen = self.writer.0.load(Acquire);
            match (self.judge(me, seen, wait), *taken) {
                (Writer::Leaked(writer), _) => return Err(NotLocked::Leaked(writer)),
                (Writer::Ending, _) => wait.while_ending(&self.writer.0, seen)?,
                (Writer::Living(writer), _) => {
                    if let Some(word) = taken.take() {
                        self.unlock_read(word);
                    }
                    if writer == me.id {
                        return Err(wait.deadlock());
                    }
                    wait.while_held(&self.writer.0, seen, writer)?;
                }
                (Writer::Gone { left }, _) if left != seen => {
                    // ORDERING: Release: who reads this word with Acquire sees what the dead had
                    // written, as this one does by the mark. Model:
                    // `rwlock::two_readers_and_a_writer_whoever_dies`.
                    let leave = || self.writer.0.compare_exchange(seen, left, Release, Relaxed).is_ok();
                    let _or_look_again = wait.inherit(&self.writer.0, seen, leave);
                }
                // Since the first look, a signal handler may have taken one while this waited.
                (Writer::Gone { .. }, None) if self.reads(me.id, None) => return Err(wait.deadlock()),
                (Writer::Gone { .. }, None) => *taken = self.take_word(from, me, wait)?,
                (Writer::Gone { left }, Some(word)) => {
                    if Self::is_at_home(me.id, from, word) || left != 0 {
                        return Ok(Reading { word, inconsistent: Cause::from_free_word(left) });
                    }
                    // ORDERING: Relaxed; invariant 3 is about what this thread itself will see.
                    let _or_look_again = self.writer.0.compare_exchange(0, DISPLACED, Relaxed, Relaxed);
                }
            }
        }
    }

    /// Takes the home word, or another one; or else waits a while. Every word taken is taken before
    /// a fence.
    fn take_word(
        &self,
        from: impl Home,
        me: Participant<'_, P>,
        wait: &mut Wait<'_, P>,
    ) -> Result<Option<usize>, NotLocked> {
        let home = Self::home(me.id, from);
        let (mut held_by, mut leaked_by) = (None, None);
        let mut all: [_; READERS] = core::array::from_fn(|word| Expect { word: &self.readers[word].0, value: 0 });
        for word in (home..READERS).chain(0..home) {
            let place = &self.readers[word].0;
            // ORDERING: Acquire, before the holder's lifeline is read, as in `raw::mutex`.
            let seen = place.load(Acquire);
            match Id::holder_in(seen) {
                Some(holder) if me.table.is_alive(holder) => {
                    all[word].value = seen;
                    held_by = held_by.or(Some((word, holder)));
                }
                // Whatever the caller knows of leaked writers: a leaked reader may read.
                Some(holder) if me.table.has_leaked(holder) => {
                    all[word].value = seen;
                    leaked_by = Some(holder);
                }
                // Others of its process may still read.
                Some(holder) if me.table.why_kept(holder) == Some(Kept::Ending) => {
                    wait.while_ending(place, seen)?;
                    return Ok(None);
                }
                // Who sleeps on the word of a dead reader watches that reader, and looks again: no
                // need to keep WAITERS.
                // ORDERING: as in `read`.
                _ => {
                    // Once more, as in `Wait::inherit`.
                    let is_kept = || Id::holder_in(seen).is_some_and(|holder| me.table.has_leaked(holder));
                    let take = || {
                        !is_kept() && place.compare_exchange_then_fence(seen, me.id.word(), Relaxed, Relaxed).is_ok()
                    };
                    return Ok(me.inherit(place, seen, take).then_some(word));
                }
            }
        }
        match (held_by, leaked_by) {
            (Some((word, holder)), _) => wait.while_all_are_held(all, word, holder)?,
            (None, Some(holder)) => return Err(NotLocked::Leaked(holder)),
            (None, None) => {}
        }
        Ok(None)
    }

    /// Gives a reader word back, which the caller has.
    ///
    /// # If a process dies
    /// Before the word is written: a reader died. After it, before the wake: the sleepers look, and
    /// see it free.
    #[inline]
    pub fn unlock_read(&self, word: usize) {
        let Some(place) = self.readers.get(word) else { return };
        // ORDERING: Release. Pairs with the Acquire of the writer's look in `write` and `drain`: it
        // writes after this reader has read. Model:
        // `rwlock::a_reader_is_done_before_the_writer_writes`.
        if has_waiters(place.0.swap(0, Release)) {
            Self::wake_all(&place.0);
        }
    }

    /// Takes the writer word, and waits for readers to go.
    ///
    /// # Errors
    /// Those of [`read`](Self::read); [`NotLocked::Leaked`] of a writer, or of any reader.
    ///
    /// # If a process dies
    /// A writer that had the data: this writer is told. Others: nobody notices.
    #[inline]
    pub fn write(&self, me: Participant<'_, P>, deadline: Deadline) -> Result<Acquired, NotLocked> {
        self.write_with(me, deadline, Leaked::Refuse)
    }

    /// [`write`](Self::write), by that rule for leaked holds; [`Leaked::Wait`] is as
    /// [`Leaked::Refuse`].
    ///
    /// # Errors
    /// Those of [`write`](Self::write), but [`NotLocked::Leaked`] with [`Leaked::Take`].
    ///
    /// # If a process dies
    /// As [`write`](Self::write).
    #[inline]
    pub fn write_with(
        &self,
        me: Participant<'_, P>,
        deadline: Deadline,
        leaked: Leaked,
    ) -> Result<Acquired, NotLocked> {
        // ORDERING: Relaxed, then the fence, which pairs with the one of `read`; and as it
        // acquires, too, with the Release of `unlock_write`. Model:
        // `rwlock::a_writer_overtaken_by_a_writer_sees_the_last_update`.
        let taken = self.writer.0.compare_exchange_then_fence(0, me.id.word(), Relaxed, Relaxed).is_ok();
        // ORDERING: Acquire. Pairs with the Release of `unlock_read`.
        if taken && self.readers.iter().all(|reader| reader.0.load(Acquire) == 0) {
            return Ok(Acquired { inconsistent: None });
        }
        self.write_slow(me, taken, deadline, leaked)
    }

    #[cold]
    fn write_slow(
        &self,
        me: Participant<'_, P>,
        taken: bool,
        deadline: Deadline,
        leaked: Leaked,
    ) -> Result<Acquired, NotLocked> {
        let mut wait = Wait::new(me, deadline, leaked);
        let reads = self.reads(me.id, None);
        let left = match (taken, reads) {
            (true, _) => {
                // ORDERING: Relaxed; who judges us dead decides by a CAS on the whole word.
                self.writer.0.fetch_or(DRAINING, Relaxed);
                0
            }
            (false, true) => return Err(wait.deadlock()),
            (false, false) => self.take_writer(me, &mut wait)?,
        };
        let drained = if reads { Err(wait.deadlock()) } else { self.drain(me, &mut wait) };
        if let Err(refusal) = drained {
            self.unlock_write(left);
            return Err(refusal);
        }
        // ORDERING: Relaxed; as above, and the mark of our death, if it comes, comes with all that
        // we wrote.
        self.writer.0.fetch_and(!DRAINING, Relaxed);
        Ok(Acquired { inconsistent: Cause::from_free_word(left) })
    }

    /// Takes the writer word from nobody or from a dead writer. Gives the word that is to be put
    /// back if this comes to nothing.
    fn take_writer(&self, me: Participant<'_, P>, wait: &mut Wait<'_, P>) -> Result<u32, NotLocked> {
        loop {
            // ORDERING: Acquire, before the holder's lifeline is read, as in `raw::mutex`.
            let seen = self.writer.0.load(Acquire);
            match self.judge(me, seen, wait) {
                Writer::Leaked(writer) => return Err(NotLocked::Leaked(writer)),
                Writer::Ending => wait.while_ending(&self.writer.0, seen)?,
                Writer::Living(writer) if writer == me.id => return Err(wait.deadlock()),
                Writer::Living(writer) => wait.while_held(&self.writer.0, seen, writer)?,
                Writer::Gone { left } => {
                    let new = me.id.word() | DRAINING | left & INCONSISTENT;
                    // ORDERING: as in `write`.
                    let take = || self.writer.0.compare_exchange_then_fence(seen, new, Relaxed, Relaxed).is_ok();
                    if wait.inherit(&self.writer.0, seen, take) {
                        return Ok(left);
                    }
                }
            }
        }
    }

    /// Waits, with the writer word, until no reader is there.
    fn drain(&self, me: Participant<'_, P>, wait: &mut Wait<'_, P>) -> Result<(), NotLocked> {
        for reader in &self.readers {
            loop {
                // ORDERING: Acquire. Pairs with the Release of `unlock_read`; and before the
                // reader's lifeline is read, as in `raw::mutex`.
                let seen = reader.0.load(Acquire);
                match Id::holder_in(seen) {
                    None => break,
                    // Taken by a signal handler while this waited for another writer.
                    Some(holder) if holder == me.id => return Err(wait.deadlock()),
                    Some(holder) if me.table.is_alive(holder) => wait.while_held(&reader.0, seen, holder)?,
                    Some(holder) => match wait.why_kept(holder) {
                        Some(Kept::Leaked) => return Err(NotLocked::Leaked(holder)),
                        Some(Kept::Ending) => wait.while_ending(&reader.0, seen)?,
                        // ORDERING: Relaxed: that the dead has done reading goes to the next writer
                        // with the writer word.
                        None => {
                            let clear = || reader.0.compare_exchange(seen, 0, Relaxed, Relaxed).is_ok();
                            let _or_look_again = wait.inherit(&reader.0, seen, clear);
                        }
                    },
                }
            }
        }
        Ok(())
    }

    /// Gives the writer word back, which the caller has, and leaves the word behind that is given:
    /// 0, or [`Cause::word`] if the data may be inconsistent.
    ///
    /// # If a process dies
    /// Before the word is written: the writer died. After it, before the wake: the sleepers look,
    /// and see it free.
    #[inline]
    pub fn unlock_write(&self, left: u32) {
        debug_assert!(Id::holder_in(left).is_none() && !has_waiters(left));
        // ORDERING: Release. Pairs with the Acquire in `read` and `settle`, and with the fence in
        // `write` and `take_writer`.
        if has_waiters(self.writer.0.swap(left, Release)) {
            Self::wake_all(&self.writer.0);
        }
    }

    /// Makes the caller, who writes, a reader, with no writer between. Waits only for readers that
    /// have just come, and withdraw. `left` as in [`unlock_write`](Self::unlock_write).
    ///
    /// # If a process dies
    /// As [`unlock_write`](Self::unlock_write); after it, a reader died.
    pub fn downgrade(&self, me: Participant<'_, P>, left: u32) -> Reading {
        self.downgrade_from(Fixed, me, left)
    }

    /// [`downgrade`](Self::downgrade), to a home that may move.
    ///
    /// # If a process dies
    /// As [`downgrade`](Self::downgrade).
    pub fn downgrade_from(&self, from: impl Home, me: Participant<'_, P>, left: u32) -> Reading {
        let mut wait = Wait::new(me, Deadline::By(None), Leaked::Take); // nothing is left of readers here
        wait.vigil = wait.vigil.map(Vigil::to_the_end); // nor can it be given up
        loop {
            if let Ok(Some(word)) = self.take_word(from, me, &mut wait) {
                let displaced = !Self::is_at_home(me.id, from, word) && left == 0;
                self.unlock_write(if displaced { DISPLACED } else { left });
                return Reading { word, inconsistent: Cause::from_free_word(left) };
            }
        }
    }

    #[cold]
    fn wake_all(word: &P::Word) {
        P::wake(word, u32::MAX);
    }

    /// Whether a reader word, but for that one, names the participant, who asks for itself.
    fn reads(&self, id: Id, except: Option<usize>) -> bool {
        // ORDERING: Relaxed; its own writes it sees, and nobody else writes a word that names a
        // living reader.
        let names = |word: &Line<P::Word>| Id::holder_in(word.0.load(Relaxed)) == Some(id);
        self.readers.iter().enumerate().any(|(index, word)| Some(index) != except && names(word))
    }

    /// Who has the writer word, as `seen` by a load with Acquire. Any bits are understood.
    fn judge(&self, me: Participant<'_, P>, seen: u32, wait: &Wait<'_, P>) -> Writer {
        match Id::holder_in(seen) {
            None => Writer::Gone { left: seen & !WAITERS },
            Some(holder) if holder == me.id || me.table.is_alive(holder) => Writer::Living(holder),
            Some(holder) => match wait.why_kept(holder) {
                Some(Kept::Leaked) => Writer::Leaked(holder),
                Some(Kept::Ending) => Writer::Ending,
                // It had touched nothing. There may be a displaced reader that it waited for.
                None if seen & (DRAINING | INCONSISTENT) == DRAINING => Writer::Gone { left: DISPLACED },
                None => Writer::Gone { left: Cause::Died(Some(holder)).word() },
            },
        }
    }

    /// Whether the data is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        is_inconsistent(self.writer.0.load(Relaxed))
    }

    /// The writer, to whom this is left, vouches for the data.
    pub fn mark_consistent(&self) {
        // ORDERING: Relaxed; the flag goes to others with the release.
        self.writer.0.fetch_and(!INCONSISTENT, Relaxed);
    }

    /// The writer at the moment, dead or alive.
    pub fn writer(&self) -> Option<Id> {
        Id::holder_in(self.writer.0.load(Relaxed))
    }
}

#[cfg(test)]
mod waits;
