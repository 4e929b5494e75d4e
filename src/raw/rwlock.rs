//! A lock for many readers or one writer, which outlives them.
//!
//! # Words
//!
//! The writer word is the word of a [hold](super::hold), with another meaning of bit 28: in a held
//! word it is DRAINING, and in a free and consistent one DISPLACED.
//!
//! | HELD | INCONSISTENT | bit 28    | meaning                                                                          |
//! |------|--------------|-----------|----------------------------------------------------------------------------------|
//! | 0    | 0            | 0         | no writer (the whole word is 0)                                                  |
//! | 0    | 0            | DISPLACED | no writer; a reader holds, or held, a word that is not its home                  |
//! | 0    | 1            | PANICKED  | no writer; the bits below name the participant that died or panicked             |
//! | 1    | any          | DRAINING  | a writer that waits for the readers to go, and has not touched the data yet      |
//! | 1    | any          | 0         | a writer that has the data, or still checks for readers                          |
//!
//! Each reader word has a cache line of its own. It is the word of a hold: 0, or the holder's id,
//! perhaps with WAITERS. A reader takes a word by a CAS that writes the reader's id. It first tries
//! its *home*. If a living reader holds that word, the reader tries the other words. If living
//! readers hold all words, the reader sleeps on all of them. One wait takes at most 128 words, in
//! this order: the home, the lifelines that are watched, the other reader words. If a word has no
//! room in the wait, only the next recheck finds that it is free.
//!
//! In all of these words, a participant that is about to sleep sets WAITERS, and the release clears
//! it. The release wakes **all** sleepers: a writer that woke only one reader would leave the other
//! readers asleep though nobody writes.
//!
//! # Homes
//!
//! A thread's home is the word at its index plus its *shift*, modulo the number of words. The shift
//! belongs to the thread ([`Home`]), is the same for all locks, and is 0 at first. A reader that
//! finds a living reader in its home takes another word, and makes that word its home if it may. So
//! two living threads collide once, and from then on both read by the fast path. Threads that come
//! and go cannot make two living threads collide forever.
//!
//! A shift moves all homes of the thread. So it moves only while the thread has no other reader
//! word, in any lock. Otherwise invariant 3 would fail in the lock of that other word. A reader
//! that must not move its homes is *away from home*.
//!
//! # Reader and writer notice each other
//!
//! A reader takes its word, then checks the writer word. A writer takes the writer word, then
//! checks the reader words. Each has a sequentially consistent fence between the two steps, so at
//! least one notices the other. The reader then withdraws, and the writer waits. Readers give way,
//! so writers do not starve.
//!
//! # Invariants
//!
//! 1. Assume that a reader word names a living reader, and that after its fence this reader found
//!    no holder in the writer word. Then no writer touches the data before the reader word changes.
//! 2. Assume that the writer word names a living writer, without DRAINING, and that after its fence
//!    this writer found no living holder in any reader word. Then this writer alone touches the
//!    data.
//! 3. While a reader holds a word that is not its home, the writer word is nonzero (DISPLACED, at
//!    least). The reader checked that after its fence. Only a writer that got the data resets it to
//!    0; a writer that gives up restores what it found. A thread's homes move only as it takes a
//!    reader word, to that word; while it has the word they stay. Assume that a thread reads by a
//!    word that is not its home, and then reads a second time, by its home. It finds the writer
//!    word nonzero. So it checks all words, and finds its own id. This makes a nested read lock an
//!    error each time, and not only sometimes. Model:
//!    `rwlock::a_home_that_moves_while_another_word_is_held_hides_a_nested_lock`.
//! 4. A participant that sleeps on a word has set WAITERS in it, or a watched participant is about
//!    to wake all sleepers on the word.
//! 5. The release is the last access to a word: after it the memory may be gone.
//!
//! # If a process dies
//!
//! A reader: the writer that waits for its word clears the word, or the next reader takes it over.
//! A writer: the next reader or writer puts the cause into the writer word. It stays there until a
//! writer marks the data consistent. A writer that dies while DRAINING has changed nothing, so no
//! error reports its death. There is one exception: in a word that was inconsistent already, the
//! dead writer becomes the cause. A writer that dies between its CAS and DRAINING is reported as if
//! it had written.
//!
//! Nobody takes over a hold that was [leaked](super::table::Table::has_leaked). A leaked reader or
//! writer makes writing fail. A leaked writer makes reading fail, and so do leaked readers if they
//! have all reader words.

use super::hold::{Cause, INCONSISTENT, Id, WAITERS, has_waiters, is_inconsistent};
use super::mutex::{Acquired, Leaked, NotLocked};
use super::table::{Kept, Participant};
use super::vigil::{Deadline, Vigil};
use crate::platform::{Expect, Platform, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Bit 28 of a writer word that is free and consistent.
const DISPLACED: u32 = 1 << 28;
/// Bit 28 of a writer word that is held.
const DRAINING: u32 = 1 << 28;

/// A word that has two cache lines for itself: its own line, and the neighbouring one, which some
/// processors fetch together with it.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Line<W>(W);

impl<W> Line<W> {
    /// A line with this word and nothing else.
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

/// A read hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Reading {
    /// The number of the reader word, for [`RwLock::unlock_read`].
    pub word: usize,
    /// Why the data may be inconsistent, if it may be.
    pub inconsistent: Option<Cause>,
}

/// What moves a thread's homes: see the [module](self#homes).
pub trait Home: Copy {
    /// The thread's shift. It changes by [`move_by`](Self::move_by) alone.
    fn shift(self) -> usize;

    /// Adds `by` to the thread's shift, and returns whether it did. It does nothing in two cases.
    /// The thread may have another reader word, of any lock, beside the one just taken. Or a signal
    /// handler may call this, after it has interrupted the thread as the thread takes a reader
    /// word.
    fn move_by(self, by: usize) -> bool;
}

/// Homes that do not move. A reader that does not find its home free is away from home.
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

/// What one load of the writer word found.
#[derive(Clone, Copy)]
enum Writer {
    /// The writer has leaked its hold.
    Leaked(Id),
    /// The writer is dead, and its process is still ending.
    Ending,
    /// No living writer. `left` is the value that the writer word should have without the dead
    /// writer. The word may have that value already.
    Gone { left: u32 },
    /// A living writer.
    Living(Id),
}

/// The state of one operation's waiting, on any of the words.
struct Wait<'t, P: Platform> {
    me: Participant<'t, P>,
    vigil: Option<Vigil<'t, P>>,
    leaked: Leaked,
    /// Whether an operation that does not wait may still reap. It reaps at most once: reaping could
    /// be due each time (see `table::reap`).
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

    /// The reason for which nobody may take over from this dead holder, if there is one: it has
    /// leaked its hold, or its process is still ending.
    fn why_kept(&self, holder: Id) -> Option<Kept> {
        if self.leaked == Leaked::Take { None } else { self.me.table.why_kept(holder) }
    }

    /// Waits a moment. This word names a dead holder, and the process of that holder is still
    /// ending.
    fn while_ending(&mut self, word: &P::Word, seen: u32) -> Result<(), NotLocked> {
        let vigil = self.vigil.as_mut().ok_or(NotLocked::WouldBlock)?;
        Ok(vigil.sleep_briefly(word, seen)?)
    }

    /// [`Participant::inherit`], unless the named holder has leaked its hold, and that matters.
    /// Model: `leaked::a_late_writer_is_given_no_leaked_hold`.
    fn inherit(&self, word: &P::Word, seen: u32, take: impl FnOnce() -> bool) -> bool {
        self.leaked.inherit(self.me, word, seen, take)
    }

    /// Waits a while for `word` to change. Its value was `seen`, and a living `holder` has it.
    fn while_held(&mut self, word: &P::Word, seen: u32, holder: Id) -> Result<(), NotLocked> {
        let Some(vigil) = &mut self.vigil else {
            return self.would_block();
        };
        vigil.wait_while(word, seen, Some(holder))?;
        Ok(())
    }

    /// As `while_held`, for a reader that can go on when any of `words` changes. Each word is held
    /// by a living reader, or by a reader that has leaked its hold. The living `holder` has
    /// `words[first]`.
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
            // ORDERING: Relaxed, as in `Vigil::wait_while`.
            if !has_waiters(value) && word.compare_exchange(value, value | WAITERS, Relaxed, Relaxed).is_err() {
                return Ok(());
            }
        }
        let mut words = words.map(|Expect { word, value }| Expect { word, value: value | WAITERS });
        words.swap(0, first);
        let Some((first, others)) = words.split_first() else { return Ok(()) };
        Ok(vigil.sleep_on_any(*first, others, Some(holder))?)
    }

    /// The answer to a caller that does not wait. It is `Ok` if the caller is to check again, as in
    /// `Mutex::try_lock`.
    fn would_block(&mut self) -> Result<(), NotLocked> {
        let has_looked = core::mem::take(&mut self.may_reap) && self.me.table.reap_lost_if_due(P::now());
        if has_looked { Ok(()) } else { Err(NotLocked::WouldBlock) }
    }

    /// The answer to a caller that would wait for itself.
    fn deadlock(&self) -> NotLocked {
        if self.vigil.is_some() { NotLocked::Deadlock } else { NotLocked::WouldBlock }
    }
}

impl<P: Platform, const READERS: usize> RwLock<P, READERS> {
    /// A lock of these words. If all are 0, it is free. Every other combination of values is some
    /// state, too.
    pub const fn from_lines(writer: Line<P::Word>, readers: [Line<P::Word>; READERS]) -> Self {
        Self { writer, readers }
    }

    /// Takes a reader word, and waits for writers to go.
    ///
    /// # Errors
    /// With [`Deadline::Immediate`], [`NotLocked::WouldBlock`]. With [`Deadline::By`],
    /// [`NotLocked::TimedOut`] and [`NotLocked::Interrupted`], and [`NotLocked::Deadlock`] if the
    /// caller reads or writes already. [`NotLocked::Leaked`] if a writer has leaked its hold, or
    /// readers have leaked all reader words.
    ///
    /// # If a process dies
    /// A writer: the answer names it as the cause of the inconsistency. Others: nobody notices.
    #[inline]
    pub fn read(&self, me: Participant<'_, P>, deadline: Deadline) -> Result<Reading, NotLocked> {
        self.read_with(me, deadline, Leaked::Refuse)
    }

    /// [`read`](Self::read), with this rule for the leaked hold of a writer. [`Leaked::Wait`] is as
    /// [`Leaked::Refuse`]. Leaked holds of readers are respected in any case.
    ///
    /// # Errors
    /// Those of [`read`](Self::read); with [`Leaked::Take`], no [`NotLocked::Leaked`] for a writer.
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
        // ORDERING: Relaxed, then the fence. The load of the writer word acquires what the last
        // writer wrote.
        let taken = self.readers[home].0.compare_exchange_then_fence(0, me.id.word(), Relaxed, Relaxed).is_ok();
        // ORDERING: Acquire, after the fence. The fence pairs with the one of `write`; model:
        // `rwlock::without_fences_reader_and_writer_miss_each_other`. The Acquire pairs with the
        // Release of `unlock_write`; model: `rwlock::a_writer_publishes_to_readers`.
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

    /// Whether a reader that has taken `word` is at home. Moves its home there if it may.
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

    /// Returns when the caller has a reader word and there is no writer. Until then it takes a
    /// word, unless one is `taken`, and checks for a writer, by turns.
    fn settle(
        &self,
        from: impl Home,
        me: Participant<'_, P>,
        taken: &mut Option<usize>,
        wait: &mut Wait<'_, P>,
    ) -> Result<Reading, NotLocked> {
        loop {
            // ORDERING: Acquire, as in `read`. It comes before the load of a writer's lifeline, as
            // in `raw::mutex`.
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
                    // ORDERING: Release. The mark in the dead writer's lifeline let this reader see
                    // what that writer wrote. A participant that loads this word with Acquire must
                    // see it, too. Model: `rwlock::two_readers_and_a_writer_whoever_dies`.
                    let leave = || self.writer.0.compare_exchange(seen, left, Release, Relaxed).is_ok();
                    let _or_again = wait.inherit(&self.writer.0, seen, leave);
                }
                // While this call waited, a signal handler may have taken a reader word.
                (Writer::Gone { .. }, None) if self.reads(me.id, None) => return Err(wait.deadlock()),
                (Writer::Gone { .. }, None) => *taken = self.take_word(from, me, wait)?,
                (Writer::Gone { left }, Some(word)) => {
                    if Self::is_at_home(me.id, from, word) || left != 0 {
                        return Ok(Reading { word, inconsistent: Cause::from_free_word(left) });
                    }
                    // ORDERING: Relaxed; invariant 3 is about what this thread itself will load.
                    let _or_again = self.writer.0.compare_exchange(0, DISPLACED, Relaxed, Relaxed);
                }
            }
        }
    }

    /// Takes the home word or another one, or else waits a while. A fence follows the CAS that
    /// takes a word.
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
                // A signal handler may have taken it since the caller searched for its own word.
                Some(holder) if holder == me.id => return Err(wait.deadlock()),
                Some(holder) if me.table.is_alive(holder) => {
                    all[word].value = seen;
                    held_by = held_by.or(Some((word, holder)));
                }
                // This does not depend on the rule for leaked writers: a leaked reader may still
                // read.
                Some(holder) if me.table.has_leaked(holder) => {
                    all[word].value = seen;
                    leaked_by = Some(holder);
                }
                // Other threads of the dead reader's process may still read the data.
                Some(holder) if me.table.why_kept(holder) == Some(Kept::Ending) => {
                    wait.while_ending(place, seen)?;
                    return Ok(None);
                }
                // WAITERS need not be kept: a sleeper on the word of a dead reader watches that
                // reader, and checks again.
                // ORDERING: as in `read`.
                _ => {
                    let take = || place.compare_exchange_then_fence(seen, me.id.word(), Relaxed, Relaxed).is_ok();
                    return Ok(me.inherit_unless_leaked(place, seen, take).then_some(word));
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

    /// Gives back a reader word that the caller has.
    ///
    /// # If a process dies
    /// Before the word is written: a reader died. After that, before the wake: the sleepers check,
    /// and find the word free.
    #[inline]
    pub fn unlock_read(&self, word: usize) {
        let Some(place) = self.readers.get(word) else { return };
        // ORDERING: Release. Pairs with the Acquire loads in `write` and `drain`: the writer writes
        // after this reader has read. Model:
        // `rwlock::a_reader_is_done_before_the_writer_writes`.
        if has_waiters(place.0.swap(0, Release)) {
            Self::wake_all(&place.0);
        }
    }

    /// Takes the writer word, and waits for readers to go.
    ///
    /// # Errors
    /// Those of [`read`](Self::read); [`NotLocked::Leaked`] if a writer or any reader has leaked
    /// its hold.
    ///
    /// # If a process dies
    /// A writer that had the data: the answer names it as the cause of the inconsistency. Others:
    /// nobody notices.
    #[inline]
    pub fn write(&self, me: Participant<'_, P>, deadline: Deadline) -> Result<Acquired, NotLocked> {
        self.write_with(me, deadline, Leaked::Refuse)
    }

    /// [`write`](Self::write), with this rule for leaked holds. [`Leaked::Wait`] is as
    /// [`Leaked::Refuse`].
    ///
    /// # Errors
    /// Those of [`write`](Self::write); with [`Leaked::Take`], no [`NotLocked::Leaked`].
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
        // ORDERING: Relaxed, then the fence. The fence pairs with the one of `read`. As it
        // acquires, too, it also pairs with the Release of `unlock_write`. Model:
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
                // ORDERING: Relaxed. A participant that judges us dead takes the word over by a
                // CAS. That CAS fails if this flag has changed the word.
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
        // ORDERING: Relaxed, as above. If we die, the mark of our death publishes all that we
        // wrote.
        self.writer.0.fetch_and(!DRAINING, Relaxed);
        Ok(Acquired { inconsistent: Cause::from_free_word(left) })
    }

    /// Takes the writer word if it is free or names a dead writer. Returns the value to restore if
    /// the caller gives up.
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

    /// Waits until no reader has a word. The caller has the writer word.
    fn drain(&self, me: Participant<'_, P>, wait: &mut Wait<'_, P>) -> Result<(), NotLocked> {
        for reader in &self.readers {
            loop {
                // ORDERING: Acquire. Pairs with the Release of `unlock_read`. It comes before the
                // load of the reader's lifeline, as in `raw::mutex`.
                let seen = reader.0.load(Acquire);
                match Id::holder_in(seen) {
                    None => break,
                    // A signal handler took the word while this call waited for another writer.
                    Some(holder) if holder == me.id => return Err(wait.deadlock()),
                    Some(holder) if me.table.is_alive(holder) => wait.while_held(&reader.0, seen, holder)?,
                    Some(holder) => match wait.why_kept(holder) {
                        Some(Kept::Leaked) => return Err(NotLocked::Leaked(holder)),
                        Some(Kept::Ending) => wait.while_ending(&reader.0, seen)?,
                        // ORDERING: Relaxed. The next writer learns from the writer word that the
                        // dead reader no longer reads.
                        None => {
                            let clear = || reader.0.compare_exchange(seen, 0, Relaxed, Relaxed).is_ok();
                            let _or_again = wait.inherit(&reader.0, seen, clear);
                        }
                    },
                }
            }
        }
        Ok(())
    }

    /// Gives back the writer word, which the caller has. `left` is the value that it leaves: 0, or
    /// [`Cause::word`] if the data may be inconsistent.
    ///
    /// # If a process dies
    /// Before the word is written: the writer died. After that, before the wake: the sleepers
    /// check, and find the word free.
    #[inline]
    pub fn unlock_write(&self, left: u32) {
        debug_assert!(Id::holder_in(left).is_none() && !has_waiters(left));
        // ORDERING: Release. Pairs with the Acquire in `read` and `settle`, and with the fence in
        // `write` and `take_writer`.
        if has_waiters(self.writer.0.swap(left, Release)) {
            Self::wake_all(&self.writer.0);
        }
    }

    /// Makes a reader of the caller, which is the writer. No other writer comes in between. The
    /// caller may wait, but only for readers that have just come, and that withdraw because it
    /// writes. `left` is as in [`unlock_write`](Self::unlock_write).
    ///
    /// # If a process dies
    /// As [`unlock_write`](Self::unlock_write). If the caller dies after that, it counts as a
    /// reader.
    pub fn downgrade(&self, me: Participant<'_, P>, left: u32) -> Reading {
        self.downgrade_from(Fixed, me, left)
    }

    /// [`downgrade`](Self::downgrade), to a home that may move.
    ///
    /// # If a process dies
    /// As [`downgrade`](Self::downgrade).
    pub fn downgrade_from(&self, from: impl Home, me: Participant<'_, P>, left: u32) -> Reading {
        let mut wait = Wait::new(me, Deadline::By(None), Leaked::Take);
        wait.vigil = wait.vigil.map(Vigil::uninterruptible); // a downgrade cannot be given up
        loop {
            let taken = match self.take_word(from, me, &mut wait) {
                Ok(taken) => taken,
                // `write` has left no leaked reader, and nobody has read since: the words were
                // overwritten. The caller, too, has read nothing since.
                Err(NotLocked::Leaked(holder)) => {
                    self.forget(me, holder);
                    None
                }
                Err(_) => self.word_of(me.id, None),
            };
            if let Some(word) = taken {
                let displaced = !Self::is_at_home(me.id, from, word) && left == 0;
                self.unlock_write(if displaced { DISPLACED } else { left });
                return Reading { word, inconsistent: Cause::from_free_word(left) };
            }
        }
    }

    /// Frees the reader words that name a dead participant, which does not read.
    #[cold]
    fn forget(&self, me: Participant<'_, P>, dead: Id) {
        for Line(word) in &self.readers {
            // ORDERING: Acquire, as in `take_word`.
            // EQUIVALENT(Acquire to Relaxed): `inherit` reads the name anew, with Acquire.
            let seen = word.load(Acquire);
            if Id::holder_in(seen) == Some(dead) {
                // ORDERING: Relaxed, as in `drain`.
                let clear = || word.compare_exchange(seen, 0, Relaxed, Relaxed).is_ok();
                let _or_again = me.inherit(word, seen, clear);
            }
        }
    }

    #[cold]
    fn wake_all(word: &P::Word) {
        P::wake(word, u32::MAX);
    }

    /// Whether a reader word other than `except` names this participant, which is the caller.
    fn reads(&self, id: Id, except: Option<usize>) -> bool {
        self.word_of(id, except).is_some()
    }

    /// The first reader word other than `except` that names this participant, which is the caller.
    fn word_of(&self, id: Id, except: Option<usize>) -> Option<usize> {
        // ORDERING: Relaxed; the caller sees its own writes, and no other participant writes a word
        // that names a living reader.
        let names = |word: &Line<P::Word>| Id::holder_in(word.0.load(Relaxed)) == Some(id);
        (0..READERS).find(|index| Some(*index) != except && names(&self.readers[*index]))
    }

    /// Who has the writer word. `seen` is its value by a load with Acquire; any value is
    /// understood.
    fn judge(&self, me: Participant<'_, P>, seen: u32, wait: &Wait<'_, P>) -> Writer {
        match Id::holder_in(seen) {
            None => Writer::Gone { left: seen & !WAITERS },
            Some(holder) if holder == me.id || me.table.is_alive(holder) => Writer::Living(holder),
            Some(holder) => match wait.why_kept(holder) {
                Some(Kept::Leaked) => Writer::Leaked(holder),
                Some(Kept::Ending) => Writer::Ending,
                // The dead writer had touched nothing. It waited for readers, and a displaced one
                // may still be there.
                None if seen & (DRAINING | INCONSISTENT) == DRAINING => Writer::Gone { left: DISPLACED },
                None => Writer::Gone { left: Cause::Died(Some(holder)).word() },
            },
        }
    }

    /// Whether the data is marked inconsistent at the moment.
    pub fn is_inconsistent(&self) -> bool {
        is_inconsistent(self.writer.0.load(Relaxed))
    }

    /// Marks the data consistent. For the writer alone.
    pub fn mark_consistent(&self) {
        // ORDERING: Relaxed; the release publishes the flag.
        self.writer.0.fetch_and(!INCONSISTENT, Relaxed);
    }

    /// The writer at the moment, dead or alive.
    pub fn writer(&self) -> Option<Id> {
        Id::holder_in(self.writer.0.load(Relaxed))
    }
}

#[cfg(test)]
mod waits;
