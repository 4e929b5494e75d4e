//! The participant table: who takes part in a segment, and who of them is alive.
//!
//! A participant is one thread in one segment. It owns a [`Slot`], and in it two lifelines: the first holds its thread id;
//! the second, of every thread but a process's main one, holds the process id, because on exec such a thread takes the main
//! thread's id before its list is walked, and the first would never be marked. **Either one marked means dead.**
//!
//! # The claim word
//!
//! | bits  | name       | meaning                                                                          |
//! |-------|------------|----------------------------------------------------------------------------------|
//! | 0–21  | thread     | id of the claiming thread, in its own PID namespace                              |
//! | 22–45 | tag        | a hash by which a claimer that died at once can be told from its successors      |
//! | 46–61 | generation | how many have claimed the slot, from 1, modulo 2^16, leaving out 0               |
//! | 62–63 | state      | FREE, CLAIMED (lifelines are the predecessor's), LIVE and LEAKED (lifelines are this one's) |
//!
//! LEAKED is LIVE with a warning. The owner writes it before it ends by itself while a guard of its
//! own may be leaked: another thread of its process may still use what that guard gave. With the thread
//! id 0 the slow look has found that thread gone, though the kernel has not marked its lifelines.
//!
//! # Invariants
//!
//! 1. Only the CAS FREE or LIVE-and-marked → CLAIMED gives a slot away, and it changes the generation. Marked is then the
//!    *first* lifeline, which the kernel walks last. With the second alone marked (exec) the owner is dead, but the kernel may
//!    still have to read the first one's links, and compare its word with a thread id that a successor in
//!    another PID namespace may have, too: such a slot is freed by the slow look, once the owner is gone for certain.
//! 2. In CLAIMED only the claimer writes to the slot, and by CAS, since it may wrongly be taken for dead: then it finds
//!    out at CLAIMED → LIVE, and starts over. Before that it is nobody's holder, so nothing is lost.
//! 3. A word names `(index, generation)` only after that generation's lifelines were armed (and a Release fence).
//! 4. From LIVE on, a mark on a lifeline is this generation's death. Nobody but the kernel writes it there: who leaves, or is
//!    found gone by the slow look, ends LIVE → FREE, by a CAS on the claim, which no successor's equals. A lifeline's value
//!    proves nothing: thread ids are reused, and equal in two PID namespaces.
//! 5. A mark is never overwritten before all who sleep on it were woken; a newcomer changes the membership word, and wakes
//!    all on it, after it is armed and before its first operation.
//! 6. Only the owner changes LIVE to LEAKED, before its lifelines are cut. LEAKED becomes FREE only
//!    when the owner's process is known to be gone.
//!
//! So a word's holder is alive if and only if its slot is LIVE or LEAKED in the named generation, and neither lifeline is marked. The
//! lifelines are read before the generation: if they were a successor's, the generation is seen to have moved on.
//! A holder that is dead in LEAKED has *leaked* its hold: see [`Table::has_leaked`].

use super::hold::Id;
use crate::platform::{About, Lifeline, Long, MARK, OWNER, Platform, WAKE_AT_DEATH, Word};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

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
    fn of(word: u64) -> Self {
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
    /// Whether the lifelines are those of this claim, and tell whether its owner is alive.
    fn is_armed(self) -> bool {
        self.state == LIVE || self.state == LEAKED && self.thread != 0
    }
    fn next_generation(self) -> u16 {
        self.generation.wrapping_add(1).max(1)
    }
}

/// One participant's place.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Slot<P: Platform> {
    claim: P::Long,
    lifelines: [P::Lifeline; 2],
    about: P::About,
}

impl<P: Platform> Slot<P> {
    /// A slot of these parts; all zero is a free one.
    pub fn from_parts(claim: P::Long, lifelines: [P::Lifeline; 2], about: P::About) -> Self {
        Self { claim, lifelines, about }
    }

    /// The claim word of a slot's first owner, alive, for those who build a table by hand.
    pub fn claim_of_first(thread: u32) -> u64 {
        Claim { state: LIVE, generation: 1, thread, tag: 0 }.word()
    }

    /// The id of the participant that has or had the slot.
    pub fn living_or_dead(&self, index: usize) -> Id {
        Id::new(index, Claim::of(self.claim.load(Relaxed)).generation) // ORDERING: an id alone says nothing of its owner
    }

    /// What is known of its owner.
    pub fn about(&self) -> &P::About {
        &self.about
    }
    /// The lifelines: of the thread, and of the process.
    pub fn lifelines(&self) -> &[P::Lifeline; 2] {
        &self.lifelines
    }
    /// The id of the participant that has the slot, and its thread id, if it is alive.
    pub fn living(&self, index: usize) -> Option<(Id, u32)> {
        self.alive().map(|(_, claim)| (Id::new(index, claim.generation), claim.thread))
    }
    /// What the lifelines contain, if their owner is alive.
    pub(crate) fn armed(&self) -> Option<[u32; 2]> {
        self.alive().map(|(lifelines, _)| lifelines)
    }
    /// The lifelines and the claim, if the owner is alive.
    fn alive(&self) -> Option<([u32; 2], Claim)> {
        // ORDERING: Acquire for all, lifelines first; see `Table::is_alive`.
        let [own, process] = self.lifelines.each_ref().map(|lifeline| lifeline.word().load(Acquire));
        let claim = Claim::of(self.claim.load(Acquire));
        (is_owned(own) && process & MARK == 0 && claim.is_armed()).then_some(([own, process], claim))
    }
}

/// Whether a lifeline's value is that of a living owner.
pub(crate) fn is_owned(value: u32) -> bool {
    value & OWNER != 0 && value & MARK == 0
}

/// Makes a lifeline that was `left` by the slot's former owner 0, after waking all who sleep on it.
fn reset<P: Platform>(word: &P::Word, left: u32) {
    if left != 0 {
        // For the sake of those whom a stopped process should have woken.
        // EQUIVALENT(wake#1 dropped; all to one): whoever marked the word has woken one who slept on it, and that one finds the
        // word changed and wakes the others, or dies watched by them. If our thread has the number of the former owner's, so that
        // it finds no change, the others sleep on a word that is ours: our death wakes one of them, and our announcement all.
        P::wake(word, u32::MAX);
        // The kernel has done with the former owner (invariant 1). So what is there now, if not that, is a successor's, who took us
        // for dead: we find out at CLAIMED → LIVE. Model: `table::who_was_taken_for_gone_harms_no_successor`.
        // ORDERING: Relaxed; the claim orders it. Whoever reads the 0 reads it as part of the mark's release sequence.
        let _successors = word.compare_exchange(left, 0, Relaxed, Relaxed);
    }
}

/// The membership word, taken apart.
///
/// | bits  | name  | meaning                                                                                          |
/// |-------|-------|--------------------------------------------------------------------------------------------------|
/// | 0–12  | used  | how many slots were ever used, from the first on: the others need not be looked at               |
/// | 13–31 | count | registrations, modulo 2^19: harmless unless all of them fall between a sleeper's look and its sleep |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership(pub(crate) u32);

impl Membership {
    const USED: u32 = (1 << 13) - 1;

    /// The slots that may have an owner are the first so many.
    pub(crate) fn used(self) -> usize {
        (self.0 & Self::USED) as usize
    }
    /// After a registration in this slot.
    fn with(self, index: usize) -> Self {
        let used = self.used().max(index + 1) as u32;
        Self((self.0 & !Self::USED).wrapping_add(Self::USED + 1) | used & Self::USED)
    }
}

/// The participants of a segment.
#[derive(Debug)]
pub struct Table<'m, P: Platform> {
    /// Changes with every registration; sleepers watch it so that newcomers are watched, too. Its low 13 bits say how many slots were ever used.
    pub membership: &'m P::Word,
    /// Where the next claimer begins to look, so that slots are taken in turn. A hint.
    pub cursor: &'m P::Word,
    /// The slots.
    pub slots: &'m [Slot<P>],
}

/// Who acts: one thread in one segment.
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

/// Every slot is taken by the living.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Who registers, and the two things only its platform can do.
pub trait Newcomer<P: Platform> {
    /// Its thread id, 22 bits.
    fn thread(&self) -> u32;
    /// 24 bits by which it can be told from another thread of the same id; see [`Newcomer::is_claimer_gone`].
    fn tag(&self) -> u32;
    /// Writes down what is known of it.
    fn describe(&self, about: &P::About, id: Id);
    /// Arms the lifelines. Both words are without owner.
    fn arm(&self, lifelines: &[P::Lifeline; 2]);
    /// Whether the claimer of that thread id and tag is known to be gone. When in doubt, false; but a wrong
    /// answer does no harm.
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool;
}

impl<'m, P: Platform> Table<'m, P> {
    /// Whether the participant is alive. Ids that never were count as dead.
    ///
    /// The caller has read the word that names `id` with Acquire, and acts on the verdict by a CAS on the value that it
    /// read: an Acquire at the CAS alone would come too late.
    pub fn is_alive(&self, id: Id) -> bool {
        let Some(slot) = self.slots.get(id.index()) else {
            return false;
        };
        // ORDERING: Acquire on the lifelines, then Acquire on the claim. The holder's CAS came after its Release fence, so
        // who has seen that CAS with Acquire sees lifelines and claim of this generation at least; and if the lifelines
        // are a successor's, the claim, read after them, is the successor's too. A mark seen is seen with all that the
        // dead wrote before. Model: `table::a_living_holder_is_never_judged_dead`.
        slot.alive().is_some_and(|(_, claim)| claim.generation == id.generation())
    }

    /// Whether the participant, which is [not alive](Self::is_alive), ended by itself with a leaked
    /// hold, in a process that lives, or may live.
    ///
    /// What such a holder held must not be given to anybody else: a reference that its guard gave may
    /// still be in use. Once its process is known to be gone, the answer is false for all who ask.
    pub fn has_leaked(&self, id: Id) -> bool {
        let Some(slot) = self.slots.get(id.index()) else {
            return false;
        };
        // ORDERING: Acquire. The caller has seen the mark of this generation's death, which the
        // kernel wrote after the owner's LEAKED, or a later claim. Pairs with `free`: a judge that
        // sees the freed claim sees what the process wrote.
        // Model: `mutex::a_leaked_hold_is_given_to_nobody`.
        let claim = Claim::of(slot.claim.load(Acquire));
        if (claim.state, claim.generation) != (LEAKED, id.generation()) {
            return false;
        }
        if !P::is_process_gone(&slot.about, claim.thread, claim.tag) {
            return true;
        }
        if self.free(slot, claim) {
            self.announce(id.index());
        }
        false
    }

    /// The participant `id`, which calls, is about to end by itself, and may leave a leaked hold.
    ///
    /// # If a process dies
    /// Before or after the word is written: its holds go to the next, since its process is gone.
    pub fn leak(&self, id: Id) {
        let Some(slot) = self.slot(id) else { return };
        let claim = Claim::of(slot.claim.load(Relaxed)); // ORDERING: it is our own.
        if (claim.state, claim.generation) == (LIVE, id.generation()) {
            let leaked = Claim { state: LEAKED, ..claim };
            // ORDERING: Relaxed; the kernel marks the lifeline after it, and judges read the mark
            // first, with Acquire. It fails only if somebody has scribbled on the claim.
            let _scribbled = slot.claim.compare_exchange(claim.word(), leaked.word(), Relaxed, Relaxed);
        }
    }

    /// The slot of a participant, if there is such a slot.
    pub fn slot(&self, id: Id) -> Option<&'m Slot<P>> {
        self.slots.get(id.index())
    }

    /// Makes `who` a participant.
    ///
    /// # Errors
    /// [`Full`] if no slot is free or left by the dead.
    ///
    /// # If a process dies
    /// The newcomer, before it claims: nothing has happened. Between claim and armed lifelines: the slot stays taken until
    /// somebody who needs one finds, by a slow look, that the claimer is gone; nobody waits for it. After that: as any participant.
    pub fn register(&self, who: &impl Newcomer<P>) -> Result<Id, Full> {
        let count = self.slots.len().min(Id::MOST_PARTICIPANTS);
        for slowly in [false, true] {
            if slowly {
                self.free_abandoned_claims(who);
                self.look_slowly();
            }
            let start = self.cursor.load(Relaxed) as usize; // ORDERING: a hint
            for index in (0..count).map(|i| (start.wrapping_add(i)) % count) {
                if let Some(id) = self.claim(index, who) {
                    self.announce(index);
                    // ORDERING: Release fence. Pairs with the Acquire by which a judge reads a word that names us: whatever we
                    // write after this, with whatever ordering, is seen together with our armed lifeline and our claim.
                    P::fence(Release);
                    return Ok(id);
                }
            }
        }
        Err(Full)
    }

    fn claim(&self, index: usize, who: &impl Newcomer<P>) -> Option<Id> {
        let slot = &self.slots[index];
        // ORDERING: Acquire. The lifelines that are read next are not older than this claim.
        // Model: `table::a_slot_that_the_dead_left_goes_to_one`.
        let seen = slot.claim.load(Acquire);
        let former = Claim::of(seen);
        // Read before the claim: what is reset later is the predecessor's, and never a successor's, invariant 2.
        let left = slot.lifelines.each_ref().map(|lifeline| lifeline.word().load(Acquire));
        let to_be_had = match former.state {
            FREE => true,
            LIVE => left[0] & MARK != 0, // the first alone: invariant 1
            _ => false,                  // CLAIMED, LEAKED
        };
        if !to_be_had {
            return None;
        }
        let mine = Claim { state: CLAIMED, generation: former.next_generation(), thread: who.thread(), tag: who.tag() };
        // ORDERING: Release. Who judges the predecessor by this generation sees all that it wrote, whose mark we have read with
        // Acquire. Model: `table::what_the_dead_wrote_is_seen_though_its_slot_has_an_owner`.
        slot.claim.compare_exchange(seen, mine.word(), Release, Relaxed).ok()?;
        // ORDERING: Relaxed; a hint.
        self.cursor.store((index + 1) as u32, Relaxed);
        for (lifeline, left) in slot.lifelines.iter().zip(left) {
            reset::<P>(lifeline.word(), left);
        }
        let id = Id::new(index, mine.generation);
        who.describe(&slot.about, id);
        let live = Claim { state: LIVE, ..mine };
        // ORDERING: Release. The lifelines were reset before this is seen, or an old mark would be taken for ours.
        // Model: `table::a_slot_that_the_dead_left_goes_to_one`.
        slot.claim.compare_exchange(mine.word(), live.word(), Release, Relaxed).ok()?;
        who.arm(&slot.lifelines);
        Some(id)
    }

    /// Makes all sleepers look again, and collect lifelines anew: something about the slot has changed.
    fn announce(&self, index: usize) {
        let mut seen = self.membership.load(Relaxed);
        // ORDERING: Release. A sleeper that reads the new value with Acquire finds the armed lifeline, or the claim that was
        // freed, and those of all announcements before it, too: they are one release sequence.
        // Model: `vigil::a_newcomer_is_watched_too`.
        while let Err(now) = self.membership.compare_exchange(seen, Membership(seen).with(index).0, Release, Relaxed) {
            seen = now;
        }
        P::wake(self.membership, u32::MAX);
    }

    /// The participant `id`, who calls, gives its slot away. No word names it, and the kernel finds its lifelines no more.
    ///
    /// # If a process dies
    /// Before the slot is free: nothing tells of it but the slow look, which every newcomer takes who finds no slot. Nobody waits
    /// for one who holds nothing.
    pub fn leave(&self, id: Id) {
        let Some(slot) = self.slot(id) else { return };
        let claim = Claim::of(slot.claim.load(Relaxed)); // ORDERING: it is our own.
        if !claim.is_armed() || claim.generation != id.generation() {
            return; // somebody has scribbled on it
        }
        for lifeline in slot.lifelines() {
            // ORDERING: Relaxed; who leaves has told of all that it did, and nobody else writes it before it is free.
            // EQUIVALENT(taken as equal): the next owner resets what is left there.
            if lifeline.word().load(Relaxed) != 0 {
                lifeline.word().store(0, Relaxed);
                // EQUIVALENT(dropped; all to one): nobody has to learn that somebody has left; of the next owner the announcement
                // tells all. It is so that nobody goes on watching a word for nothing.
                P::wake(lifeline.word(), u32::MAX);
            }
        }
        self.free(slot, claim); // last: from here on it may be another's
    }

    /// The slow look: ends, on the kernel's behalf, the participants that are known to be gone.
    ///
    /// By the claim, never by a mark on the lifeline: between a look and the mark the slot may have become a successor's, whose
    /// thread id may be equal. Model: `table::equal_thread_ids_are_not_confused`.
    pub fn look_slowly(&self) {
        for (index, slot) in self.slots.iter().enumerate().take(Id::MOST_PARTICIPANTS) {
            let claim = Claim::of(slot.claim.load(Acquire));
            if claim.state == LEAKED {
                self.look_slowly_at_leaked(index, slot, claim);
                continue;
            }
            if claim.state != LIVE || !P::is_gone(&slot.about, claim.thread, claim.tag) {
                continue;
            }
            // Where the kernel did its part there is nothing to do.
            // ORDERING: Relaxed; what the dead wrote is known with its end. A compare-exchange, so that it reads the newest value,
            // and one that writes nothing unless that is a mark.
            let (word, mark) = (slot.lifelines[0].word(), MARK | WAKE_AT_DEATH);
            let seen = word.compare_exchange(mark, mark, Relaxed, Relaxed).unwrap_or_else(|now| now);
            // EQUIVALENT(look who was marked is freed): a slot is given away with its mark as well as without; it is so that nobody is
            // woken for a death that the kernel has told of.
            if seen & MARK == 0 && self.free(slot, claim) {
                // Those who sleep on its lifelines see no change there: this tells them.
                self.announce(index);
            }
        }
    }

    /// Frees the slot if its owner's process is gone; else notes whether its owner is.
    fn look_slowly_at_leaked(&self, index: usize, slot: &Slot<P>, claim: Claim) {
        let is_kept = self.has_leaked(Id::new(index, claim.generation));
        let is_unmarked = slot.alive().is_some_and(|(_, now)| now == claim);
        if is_kept && is_unmarked && P::is_gone(&slot.about, claim.thread, claim.tag) {
            let ended = Claim { thread: 0, ..claim };
            // ORDERING: Release, as in `free`.
            if slot.claim.compare_exchange(claim.word(), ended.word(), Release, Relaxed).is_ok() {
                self.announce(index);
            }
        }
    }

    /// LIVE, CLAIMED or LEAKED → FREE. False if somebody was quicker, or a claimer that was taken for dead lives.
    fn free(&self, slot: &Slot<P>, claim: Claim) -> bool {
        let free = Claim { state: FREE, thread: 0, tag: 0, ..claim };
        // ORDERING: Release. Who judges by the free claim sees what the dead wrote, of whose end the caller knows.
        // Model: `mutex::a_mark_by_hand_publishes_what_the_dead_wrote`.
        slot.claim.compare_exchange(claim.word(), free.word(), Release, Relaxed).is_ok()
    }

    /// Declares all dead who ever took part, while nobody does: the segment is a copy, or older than the last boot.
    ///
    /// Those who were just being registered, too: their thread ids mean others now, or nobody.
    pub fn end_all(&self) {
        for slot in self.slots {
            // ORDERING: Relaxed for all; the caller publishes it, and nobody else is there.
            let claim = Claim::of(slot.claim.load(Relaxed));
            slot.claim.store(Claim { state: FREE, thread: 0, tag: 0, ..claim }.word(), Relaxed);
            for lifeline in slot.lifelines() {
                lifeline.word().store(0, Relaxed);
            }
        }
    }

    /// Frees slots whose claimer died before it armed its lifelines.
    fn free_abandoned_claims(&self, who: &impl Newcomer<P>) {
        for slot in self.slots {
            let claim = Claim::of(slot.claim.load(Relaxed)); // ORDERING: the verdict is a CAS on this very value
            if claim.state == CLAIMED && who.is_claimer_gone(claim.thread, claim.tag) {
                self.free(slot, claim); // if not, it lives, or somebody was quicker
            }
        }
    }
}

impl<P: Platform> Participant<'_, P> {
    /// The number of this participant's process; 0 if its slot is not there.
    pub(crate) fn process(&self) -> u32 {
        self.table.slot(self.id).map_or(0, |slot| slot.about.process())
    }
}

#[cfg(test)]
mod tests;
