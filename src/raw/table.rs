//! The participant table: which threads take part in a segment, and which of them are alive.
//!
//! A participant is one thread in one segment. It owns a [`Slot`] with two lifelines. When the
//! thread ends, the kernel *cuts* a lifeline: it sets a mark in it, and wakes one sleeper. The
//! first lifeline holds the thread's id. The second one holds the id of the thread's process; a
//! main thread does not use it. It is needed for exec. If a thread other than the main thread calls
//! exec, it takes the main thread's id before the kernel walks its robust list. So the kernel would
//! never mark its first lifeline. **A participant is dead if either lifeline is marked.**
//!
//! # The claim word
//!
//! | bits  | name       | meaning                                                             |
//! |-------|------------|---------------------------------------------------------------------|
//! | 0–21  | thread     | the claiming thread's id, in its own PID namespace                  |
//! |       |            | FREE: the upper bits of the round                                   |
//! | 22–45 | tag        | CLAIMED: distinguishes the claimer from another thread with the same id |
//! |       |            | else: the round, modulo 2^24                                        |
//! | 46–61 | generation | how many participants have claimed the slot in this round, from 1   |
//! | 62–63 | state      | FREE; CLAIMED: the lifelines are the predecessor's;                 |
//! |       |            | LIVE and LEAKED: the lifelines are the owner's                      |
//!
//! The generation does not wrap. [`recycle`] explains what a round is, and what becomes of a slot
//! in its last generation.
//!
//! LEAKED is LIVE with a warning: the owner may have leaked a guard. After the owner's end, another
//! thread of its process may still use what the guard gave. So a thread that ends by itself and may
//! have leaked a guard writes LEAKED before it ends. LEAKED with the thread id 0 means: reaping has
//! found that thread gone, but the kernel has not marked its lifelines.
//!
//! # Invariants
//!
//! 1. A slot gets a new owner only by the CAS to CLAIMED, which also changes the generation. The
//!    CAS replaces FREE, or LIVE with a marked *first* lifeline. On its walk, the kernel comes to
//!    the first lifeline last. If the second lifeline alone is marked (exec), the owner is dead,
//!    but the kernel may not have finished. The kernel may still read the links of the first
//!    lifeline, and compare its word with the id of the thread that ends. A successor in another
//!    PID namespace may have the same id. So only reaping frees such a slot, once the owner is
//!    certainly gone.
//! 2. In CLAIMED only the claimer writes to the slot. A living claimer is never considered gone
//!    ([`Newcomer::is_claimer_gone`]). So whatever the claimer does late, the slot is still its
//!    own.
//! 3. A word names `(index, generation)` only after that generation's lifelines were armed, and
//!    after a Release fence.
//! 4. From LIVE on, a mark on a lifeline means that this generation is dead. Only the kernel writes
//!    marks. A participant that leaves changes LIVE to FREE instead; so does reaping. Both do it by
//!    a CAS on the claim. No successor's claim has the same value, so the CAS cannot free a
//!    successor's slot. The thread id in a lifeline proves nothing: thread ids are reused, and two
//!    PID namespaces may have equal ones.
//! 5. A mark is overwritten only after all sleepers on it were woken. A newcomer arms its
//!    lifelines, and then changes the membership word and wakes all sleepers on that word. Only
//!    then it begins its first operation.
//! 6. Only the owner changes LIVE to LEAKED, before its lifelines are cut. LEAKED becomes FREE in
//!    two cases only: the owner's process is known to be gone, or the owner is dead and no word
//!    names it.
//!
//! So a word's holder is alive if and only if its slot is LIVE or LEAKED in the named generation,
//! and neither lifeline is marked. The lifelines are read before the generation. If they are a
//! successor's, the generation read after them is the successor's, too. If a slot is in LEAKED and
//! its owner is dead, the owner has *leaked* what it held: see [`Table::has_leaked`].

pub mod reap;
pub mod recycle;

use super::hold::Id;
use crate::platform::{Lifeline, MARK, OWNER, Platform, ThreadInfo, Word, Word64};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use recycle::Named;

const FREE: u64 = 0;
const CLAIMED: u64 = 1;
const LIVE: u64 = 2;
const LEAKED: u64 = 3;

/// The claim word, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Claim {
    state: u64,
    generation: u16,
    thread: u32,
    tag: u32,
}

impl Claim {
    fn from_word(word: u64) -> Self {
        Self {
            state: word >> 62,
            generation: (word >> 46) as u16,
            thread: (word & 0x3f_ffff) as u32,
            tag: (word >> 22 & 0xff_ffff) as u32,
        }
    }
    fn word(self) -> u64 {
        self.state << 62
            | u64::from(self.generation) << 46
            | u64::from(self.tag & 0xff_ffff) << 22
            | u64::from(self.thread & 0x3f_ffff)
    }
    /// Whether the lifelines are this claim's, and show whether its owner is alive.
    fn is_armed(self) -> bool {
        self.state == LIVE || self.state == LEAKED && self.thread != 0
    }
    /// The claim of a slot that is free after this generation of this round.
    fn free(generation: u16, round: u32) -> Self {
        Self { state: FREE, generation, thread: round >> 24, tag: round }
    }
    /// Whether the slot has no owner, or a dead owner with which the kernel is done. `own` is the
    /// value of the first lifeline. In CLAIMED and LEAKED the answer is false, though the owner may
    /// be dead.
    fn is_over(self, own: u32) -> bool {
        match self.state {
            FREE => true,
            LIVE => own & MARK != 0, // the first alone: invariant 1
            _ => false,              // CLAIMED, LEAKED
        }
    }
}

/// One participant's slot.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Slot<P: Platform> {
    claim: P::Word64,
    lifelines: [P::Lifeline; 2],
    thread: P::ThreadInfo,
    /// How often the generations have begun anew; see [`recycle`]. Wraps after 2^32 rounds of
    /// 65,535 registrations in this slot.
    round: P::Word,
    /// The dead participant from which the owner is taking something over; see [`recycle`].
    heir_of: P::Word,
}

impl<P: Platform> Slot<P> {
    /// A slot made of these parts. If all are zero, the slot is free.
    pub fn from_parts(claim: P::Word64, lifelines: [P::Lifeline; 2], thread: P::ThreadInfo) -> Self {
        Self { claim, lifelines, thread, round: P::Word::new(0), heir_of: P::Word::new(0) }
    }

    /// The claim word of a slot whose first owner is alive. For tables that are built by hand.
    pub fn claim_of_first(thread: u32) -> u64 {
        Claim { state: LIVE, generation: 1, thread, tag: 0 }.word()
    }

    /// The id of the participant that has the slot, or had it last.
    pub fn living_or_dead(&self, index: usize) -> Id {
        Id::new(index, Claim::from_word(self.claim.load(Relaxed)).generation) // ORDERING: an id alone says nothing about its owner
    }

    /// Runs `read` on the record of participant `id`. Returns the result of `read`, or `None` if
    /// the slot has no record of that participant.
    ///
    /// The slot has a participant's record from the moment when the participant has described
    /// itself to the moment when the next one claims the slot. `read` also gets the thread id; a
    /// slot that was freed has none. The result is discarded if the slot was claimed meanwhile.
    pub fn read_record<V>(&self, id: Id, read: impl FnOnce(&P::ThreadInfo, Option<u32>) -> V) -> Option<V> {
        let has_record = |claim: Claim| {
            claim.state != CLAIMED && claim.generation == id.generation() && claim.generation != 0 // 0 is nobody's
        };
        // ORDERING: Acquire. Pairs with the Release by which the claim became LIVE: the record is
        // not the previous owner's. Model: `table::nobody_is_told_of_in_the_place_of_another`.
        let claim = Claim::from_word(self.claim.load(Acquire));
        if !has_record(claim) {
            return None;
        }
        let value = read(&self.thread, Some(claim.thread).filter(|thread| claim.is_armed() && *thread != 0));
        // ORDERING: Acquire. Pairs with the Release fence of `claim`: if a part of the record was
        // the next owner's, so is the claim that is read now. Model: the same.
        P::fence(Acquire);
        has_record(Claim::from_word(self.claim.load(Relaxed))).then_some(value) // ORDERING: Relaxed, after the fence.
    }

    /// The record of the owner's thread.
    pub fn thread(&self) -> &P::ThreadInfo {
        &self.thread
    }
    /// The place of the lock with which the owner waits, or waited last. The owner writes it; see
    /// [`condvar`](super::condvar).
    pub(crate) fn waits_with(&self) -> &P::Word {
        self.lifelines[0].spare()
    }
    /// The lifelines: the thread's, and the process's.
    pub fn lifelines(&self) -> &[P::Lifeline; 2] {
        &self.lifelines
    }
    /// The round of the generations, modulo 2^24. The slot must be in LIVE.
    pub fn round(&self) -> u32 {
        Claim::from_word(self.claim.load(Relaxed)).tag // ORDERING: as above.
    }
    /// The id and the thread id of the participant that has the slot, if it is alive.
    pub fn living(&self, index: usize) -> Option<(Id, u32)> {
        self.alive().map(|(_, claim)| (Id::new(index, claim.generation), claim.thread))
    }
    /// The values of the lifelines, if their owner is alive.
    pub(crate) fn armed(&self) -> Option<[u32; 2]> {
        self.alive().map(|(lifelines, _)| lifelines)
    }
    /// The lifelines and the claim, if the owner is alive.
    fn alive(&self) -> Option<([u32; 2], Claim)> {
        // ORDERING: Acquire for all, lifelines first; see `Table::is_alive`.
        let [own, process] = self.lifelines.each_ref().map(|lifeline| lifeline.word().load(Acquire));
        let claim = Claim::from_word(self.claim.load(Acquire));
        (is_owned(own) && process & MARK == 0 && claim.is_armed()).then_some(([own, process], claim))
    }
}

/// Whether a lifeline with this value has a living owner.
pub(crate) fn is_owned(value: u32) -> bool {
    value & OWNER != 0 && value & MARK == 0
}

/// Wakes all sleepers on a lifeline, and makes it 0. The caller has claimed its slot.
fn reset<P: Platform>(word: &P::Word) {
    // ORDERING: Relaxed; the kernel is done with the former owner (invariant 1), and only the
    // claimer writes the lifeline now.
    if word.load(Relaxed) != 0 {
        // Some sleepers may still sleep, because a process that should have woken them is stopped.
        // EQUIVALENT(wake#1 dropped; all to one): one sleeper was woken when the word was marked.
        // That sleeper finds the word changed, and wakes the others, or dies while they watch it.
        // If our thread id equals the former owner's, a sleeper sees no change and goes on sleeping
        // on what is now our lifeline. That sleeper is woken all the same: by our announcement,
        // which wakes all, or by our death.
        P::wake(word, u32::MAX);
        // ORDERING: Release. The claimer has read the mark with Acquire. So a participant that
        // finds the 0, and judges the dead owner by it, sees what the dead owner wrote. Model:
        // `table::what_the_dead_wrote_is_seen_though_its_slot_has_an_owner`.
        word.store(0, Release);
    }
}

/// The membership word, taken apart.
///
/// | bits  | name  | meaning                                                                |
/// |-------|-------|------------------------------------------------------------------------|
/// | 0–12  | used  | how many slots, from the first on, were ever used                      |
/// | 13–31 | count | announcements, modulo 2^19: registrations, and slots that reaping frees |
///
/// The count's wrap is harmless, unless 2^19 announcements fall between a sleeper's load of the
/// word and its sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership(pub(crate) u32);

impl Membership {
    const USED: u32 = (1 << 13) - 1;

    /// How many slots, from the first on, can have an owner. The slots after them were never used.
    pub(crate) fn used(self) -> usize {
        (self.0 & Self::USED) as usize
    }
    /// The word after an announcement for this slot.
    fn with(self, index: usize) -> Self {
        let used = self.used().max(index + 1) as u32;
        Self((self.0 & !Self::USED).wrapping_add(Self::USED + 1) | used & Self::USED)
    }
}

/// The participants of a segment.
#[derive(Debug)]
pub struct Table<'m, P: Platform> {
    /// Changes with every registration. Sleepers watch it, so that they watch newcomers, too. Its
    /// low 13 bits say how many slots were ever used.
    pub membership: &'m P::Word,
    /// The slot that the next newcomer tries first, so that slots are taken in turn. A hint.
    pub cursor: &'m P::Word,
    /// When the last reaping was begun; see [`reap`].
    pub stamp: &'m P::Word,
    /// The slots.
    pub slots: &'m [Slot<P>],
}

/// A participant: one thread in one segment.
#[derive(Debug)]
pub struct Participant<'t, P: Platform> {
    /// Its id.
    pub id: Id,
    /// The table in which it is.
    pub table: &'t Table<'t, P>,
}

impl<P: Platform> Clone for Participant<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<P: Platform> Copy for Participant<'_, P> {}

/// Why nobody may take what a dead participant held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The participant ended by itself, with a [leaked](Table::has_leaked) hold, and its process
    /// lives.
    Leaked,
    /// The participant's process is still [ending](Platform::is_ending). That is over in a moment.
    Ending,
}

/// No slot is free, and no slot was left by a dead participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRegistered;

/// A thread that registers. The trait has what only the platform of that thread can do.
pub trait Newcomer<P: Platform> {
    /// Its thread id, 22 bits.
    fn thread(&self) -> u32;
    /// 24 bits that distinguish the thread from another thread with the same id; see
    /// [`Newcomer::is_claimer_gone`].
    fn tag(&self) -> u32;
    /// Writes the thread's record.
    fn describe(&self, record: &P::ThreadInfo, id: Id);
    /// Arms the lifelines. Neither of the words has an owner yet.
    fn arm(&self, lifelines: &[P::Lifeline; 2]);
    /// Whether the claimer with this thread id and tag is known to be gone. When in doubt, false:
    /// **never true for a living claimer**. Otherwise two threads write to one slot, and a living
    /// holder is judged dead. Model:
    /// `table::a_claimer_taken_for_gone_in_error_makes_a_living_holder_dead`.
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool;
    /// Passes each word of the segment that may name a participant to [`Named::note`]. Other words
    /// may be passed, too. Returns false if the words cannot be read: then no slot is recycled.
    fn read_names(&self, named: &mut Named) -> bool;
}

impl<'m, P: Platform> Table<'m, P> {
    /// Whether the participant is alive. An id that no participant ever had counts as dead.
    ///
    /// The caller must have read the word that names `id` with Acquire. It must act on the answer
    /// by a CAS on the value that it read. An Acquire at the CAS alone would come too late.
    pub fn is_alive(&self, id: Id) -> bool {
        let Some(slot) = self.slots.get(id.index()) else {
            return false;
        };
        // ORDERING: Acquire on the lifelines, then Acquire on the claim. The holder's CAS came
        // after the Release fence of its registration. So a caller that has read that CAS with
        // Acquire sees lifelines and claim of this generation, or of a later one. If the lifelines
        // are a successor's, so is the claim, which is read after them. If the caller sees a mark,
        // it sees all that the dead participant wrote before. Model:
        // `table::a_living_holder_is_never_judged_dead`.
        slot.alive().is_some_and(|(_, claim)| claim.generation == id.generation())
    }

    /// The reason why nobody may take now what the participant held: a reference that its guard
    /// gave may still be in use. `None`: another participant may take it. The caller must have
    /// found that the participant is [not alive](Self::is_alive).
    pub fn why_kept(&self, id: Id) -> Option<Kept> {
        let slot = self.slots.get(id.index())?;
        // ORDERING: Acquire, as in `has_leaked`.
        let claim = Claim::from_word(slot.claim.load(Acquire));
        match claim.state {
            _ if claim.generation != id.generation() => None,
            LIVE if P::is_ending(&slot.thread, claim.thread) => Some(Kept::Ending),
            LEAKED if self.is_leaked(id, slot, claim) => Some(Kept::Leaked),
            _ => None,
        }
    }

    /// Whether the participant ended by itself with a leaked hold, and its process lives, or may
    /// live. The caller must have found that the participant is [not alive](Self::is_alive).
    ///
    /// Nobody may take what such a holder held: a reference that its guard gave may still be in
    /// use. Once its process is known to be gone, the answer is false for every caller.
    pub fn has_leaked(&self, id: Id) -> bool {
        let Some(slot) = self.slots.get(id.index()) else {
            return false;
        };
        // ORDERING: Acquire. The claim may be that of a new owner with the same id, whom the caller
        // does not know. So the record must not be older than the claim. Otherwise a living process
        // could be judged by the record of a former owner, and be found gone. Besides, a caller
        // that sees the freed claim sees what the owner's process wrote. Models:
        // `leaked::a_leaked_hold_is_given_to_nobody`,
        // `leaked::a_late_heir_is_given_no_leaked_hold`.
        let claim = Claim::from_word(slot.claim.load(Acquire));
        (claim.state, claim.generation) == (LEAKED, id.generation()) && self.is_leaked(id, slot, claim)
    }

    /// Whether others must still leave the owner's holds alone. The claim is in LEAKED. Frees the
    /// slot if the owner's process is gone.
    fn is_leaked(&self, id: Id, slot: &Slot<P>, claim: Claim) -> bool {
        let is_gone = P::is_process_gone(&slot.thread);
        if is_gone && self.free(slot, claim) {
            self.announce(id.index());
        }
        !is_gone
    }

    /// Warns that the caller, participant `id`, is about to end by itself and may leave a leaked
    /// hold.
    ///
    /// # If a process dies
    /// Before or after the word is written: others may take its holds, because its process is gone.
    pub fn leak(&self, id: Id) {
        let Some(slot) = self.slot(id) else { return };
        let claim = Claim::from_word(slot.claim.load(Relaxed)); // ORDERING: it is our own.
        if (claim.state, claim.generation) == (LIVE, id.generation()) {
            let leaked = Claim { state: LEAKED, ..claim };
            // ORDERING: Relaxed; the kernel marks the lifeline after this. A participant that
            // judges reads the mark first, with Acquire. The CAS fails only if the claim was
            // scribbled on.
            let _scribbled = slot.claim.compare_exchange(claim.word(), leaked.word(), Relaxed, Relaxed);
        }
    }

    /// The slots that were ever used. The others have no owner.
    pub(crate) fn slots_in_use(&self) -> impl Iterator<Item = &'m Slot<P>> + use<'m, P> {
        // ORDERING: Relaxed. If the caller must know of a newcomer, the caller has seen something
        // that the newcomer wrote after its registration.
        let used = Membership(self.membership.load(Relaxed)).used();
        self.slots.iter().take(used)
    }

    /// The slot of a participant, if there is such a slot.
    pub fn slot(&self, id: Id) -> Option<&'m Slot<P>> {
        self.slots.get(id.index())
    }

    /// Makes `newcomer` a participant.
    ///
    /// # Errors
    /// [`NotRegistered`] if no slot is free or left by a dead participant.
    ///
    /// # If a process dies
    /// - The newcomer, before it claims: nothing has happened.
    /// - The newcomer, between its claim and the armed lifelines: the slot stays taken. The next
    ///   newcomer that finds no other slot finds the claimer gone, and frees the slot. Nobody waits
    ///   for such a claimer.
    /// - The newcomer, after it has armed its lifelines: as any participant.
    /// - The newcomer, while it [recycles](recycle): a slot keeps its last generation, or has begun
    ///   a new round.
    pub fn register(&self, newcomer: &impl Newcomer<P>) -> Result<Id, NotRegistered> {
        let count = self.slots.len().min(Id::MAX_PARTICIPANTS);
        for reaps in [false, true] {
            if reaps {
                self.free_abandoned_claims(newcomer);
                self.reap_lost();
                self.recycle(newcomer);
            }
            let start = self.cursor.load(Relaxed) as usize; // ORDERING: a hint
            for index in (0..count).map(|i| (start.wrapping_add(i)) % count) {
                if let Some(id) = self.claim(index, newcomer) {
                    self.announce(index);
                    // ORDERING: Release fence. Pairs with the Acquire by which another participant
                    // reads a word that names us. Whatever we write after this, with any ordering,
                    // is seen together with our armed lifelines and our claim.
                    P::fence(Release);
                    return Ok(id);
                }
            }
        }
        Err(NotRegistered)
    }

    fn claim(&self, index: usize, newcomer: &impl Newcomer<P>) -> Option<Id> {
        let slot = &self.slots[index];
        // ORDERING: Acquire. The lifelines, which are read next, are not older than this claim.
        // Model: `table::a_slot_that_the_dead_left_goes_to_one`.
        let seen = slot.claim.load(Acquire);
        let former = Claim::from_word(seen);
        // ORDERING: Acquire. What the dead owner wrote is seen with its mark.
        let is_over = former.is_over(slot.lifelines[0].word().load(Acquire));
        if !is_over || former.generation >= P::LAST_GENERATION {
            return None; // taken, or to be recycled first
        }
        // The owner's record is needed as long as other threads of its process may use what it
        // held.
        if former.state == LIVE && P::is_ending(&slot.thread, former.thread) {
            return None;
        }
        let generation = former.generation + 1;
        let mine = Claim { state: CLAIMED, generation, thread: newcomer.thread(), tag: newcomer.tag() };
        // ORDERING: Release. We have read the predecessor's mark with Acquire. So a participant
        // that judges the predecessor by this generation sees all that it wrote. Model:
        // `table::what_the_dead_wrote_is_seen_though_its_slot_has_an_owner`.
        slot.claim.compare_exchange(seen, mine.word(), Release, Relaxed).ok()?;
        // ORDERING: Relaxed; a hint.
        self.cursor.store((index + 1) as u32, Relaxed);
        // Both lifelines are reset: after an exec the second one is marked. A main thread arms only
        // the first one. With the old mark in the second one, it would be dead from the start.
        for lifeline in &slot.lifelines {
            reset::<P>(lifeline.word());
        }
        // ORDERING: Relaxed for both; nobody reads them before the slot is LIVE.
        slot.heir_of.store(0, Relaxed);
        let round = slot.round.load(Relaxed);
        let id = Id::new(index, generation);
        // ORDERING: Release. Pairs with the Acquire fence of `read_record`: a reader that finds a
        // part of the record that is written now sees the claim, too. Model:
        // `table::nobody_is_told_of_in_the_place_of_another`.
        P::fence(Release);
        newcomer.describe(&slot.thread, id);
        let live = Claim { state: LIVE, tag: round, ..mine };
        // ORDERING: Release. A participant that sees LIVE sees the lifelines reset. Otherwise it
        // would take an old mark for ours. Model: `table::a_slot_that_the_dead_left_goes_to_one`.
        // The CAS fails only if the claim was scribbled on.
        slot.claim.compare_exchange(mine.word(), live.word(), Release, Relaxed).ok()?;
        newcomer.arm(&slot.lifelines);
        Some(id)
    }

    /// Announces that the slot has changed: makes all sleepers check again, and collect the
    /// lifelines anew.
    fn announce(&self, index: usize) {
        let mut seen = self.membership.load(Relaxed);
        // ORDERING: Release. A sleeper that reads the new value with Acquire finds the armed
        // lifelines, or the freed claim. It finds those of all earlier announcements, too, because
        // all announcements are one release sequence. Model: `vigil::a_newcomer_is_watched_too`.
        while let Err(now) = self.membership.compare_exchange(seen, Membership(seen).with(index).0, Release, Relaxed) {
            seen = now;
        }
        P::wake(self.membership, u32::MAX);
    }

    /// Frees the slot of the caller, participant `id`. Before this call, every word that names the
    /// caller must be gone, and the kernel must no longer find its lifelines.
    ///
    /// # If a process dies
    /// Before the slot is free: only reaping notices the death. A newcomer that finds no slot
    /// reaps. Nobody waits for a participant that holds nothing.
    pub fn leave(&self, id: Id) {
        let Some(slot) = self.slot(id) else { return };
        let claim = Claim::from_word(slot.claim.load(Relaxed)); // ORDERING: it is our own.
        if !claim.is_armed() || claim.generation != id.generation() {
            return; // the claim was scribbled on
        }
        for lifeline in slot.lifelines() {
            // ORDERING: Relaxed. The caller has published all that it did before, and nobody else
            // writes the lifeline before the slot is free.
            if lifeline.word().load(Relaxed) != 0 {
                lifeline.word().store(0, Relaxed);
                // For those that wait for this participant's end (`wait_any::Death`).
                P::wake(lifeline.word(), u32::MAX);
            }
        }
        self.free(slot, claim); // last: from here on the slot may be another participant's
    }

    /// LIVE, CLAIMED or LEAKED → FREE. False if the claim has changed.
    fn free(&self, slot: &Slot<P>, claim: Claim) -> bool {
        // ORDERING: Relaxed; the round was written before the claim, which the caller has read with
        // Acquire.
        let free = Claim::free(claim.generation, slot.round.load(Relaxed));
        // ORDERING: Release. The caller knows of the owner's end. So a participant that judges by
        // the free claim sees what the dead owner wrote. Model:
        // `mutex::a_mark_by_hand_publishes_what_the_dead_wrote`.
        slot.claim.compare_exchange(claim.word(), free.word(), Release, Relaxed).is_ok()
    }

    /// Frees all slots, while nobody takes part: the segment is a copy, or older than the last
    /// boot.
    ///
    /// This includes the slots of participants that were just registering: their thread ids now
    /// belong to other threads, or to none.
    pub fn end_all(&self) {
        for slot in self.slots {
            // ORDERING: Relaxed for all; nobody else takes part, and the caller publishes the
            // result.
            let claim = Claim::from_word(slot.claim.load(Relaxed));
            slot.claim.store(Claim::free(claim.generation, slot.round.load(Relaxed)).word(), Relaxed);
            for lifeline in slot.lifelines() {
                lifeline.word().store(0, Relaxed);
            }
        }
    }

    /// Frees the slots whose claimers died before they armed their lifelines.
    fn free_abandoned_claims(&self, newcomer: &impl Newcomer<P>) {
        for slot in self.slots {
            // ORDERING: Relaxed. If the caller knows of the claimer's end, it sees all that the
            // claimer wrote, and the round. If the value read here is old, the exchange fails.
            let claim = Claim::from_word(slot.claim.load(Relaxed));
            if claim.state == CLAIMED && newcomer.is_claimer_gone(claim.thread, claim.tag) {
                self.free(slot, claim); // if it fails, another newcomer was faster
            }
        }
    }
}

impl<P: Platform> Participant<'_, P> {
    /// The number of this participant's process; 0 if there is no such slot.
    pub(crate) fn process(&self) -> u32 {
        self.table.slot(self.id).map_or(0, |slot| slot.thread.process())
    }
}

#[cfg(test)]
mod tests;
