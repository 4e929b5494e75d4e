//! The participant table: who takes part in a segment, and who of them is alive.
//!
//! A participant is one thread in one segment. It owns a [`Slot`], and in it two lifelines: the
//! first holds its thread id; the second, of every thread but a process's main one, holds the
//! process id, because on exec such a thread takes the main thread's id before its list is walked,
//! and the first would never be marked. **Either one marked means dead.**
//!
//! # The claim word
//!
//! | bits  | name       | meaning                                                                          |
//! |-------|------------|----------------------------------------------------------------------------------|
//! | 0–21  | thread     | id of the claiming thread, in its own PID namespace; FREE: upper bits of the round |
//! | 22–45 | tag        | CLAIMED: what tells the claimer from others of its id; else: the round, modulo 2^24 |
//! | 46–61 | generation | how many have claimed the slot in this round, from 1                             |
//! | 62–63 | state      | FREE, CLAIMED (lifelines are the predecessor's), LIVE and LEAKED (lifelines are this one's) |
//!
//! The generation does not wrap: what becomes of a slot in its last one, and what a round is,
//! [`recycle`] tells.
//!
//! LEAKED is LIVE with a warning. The owner writes it before it ends by itself while a guard of its
//! own may be leaked: another thread of its process may still use what that guard gave. With the
//! thread id 0 reaping has found that thread gone, though the kernel has not marked its
//! lifelines.
//!
//! # Invariants
//!
//! 1. Only the CAS FREE or LIVE-and-marked → CLAIMED gives a slot away, and it changes the
//!    generation. Marked is then the *first* lifeline, which the kernel walks last. With the second
//!    alone marked (exec) the owner is dead, but the kernel may still have to read the first one's
//!    links, and compare its word with a thread id that a successor in another PID namespace may
//!    have, too: such a slot is freed by reaping, once the owner is gone for certain.
//! 2. In CLAIMED only the claimer writes to the slot. A claimer that is alive is never taken for
//!    gone ([`Newcomer::is_claimer_gone`]), so what it does late, it does to a slot that is still
//!    its own.
//! 3. A word names `(index, generation)` only after that generation's lifelines were armed (and a
//!    Release fence).
//! 4. From LIVE on, a mark on a lifeline is this generation's death. Nobody but the kernel writes
//!    it there: who leaves, or is found gone by reaping, ends LIVE → FREE, by a CAS on the
//!    claim, which no successor's equals. A lifeline's value proves nothing: thread ids are reused,
//!    and equal in two PID namespaces.
//! 5. A mark is never overwritten before all who sleep on it were woken; a newcomer changes the
//!    membership word, and wakes all on it, after it is armed and before its first operation.
//! 6. Only the owner changes LIVE to LEAKED, before its lifelines are cut. LEAKED becomes FREE only
//!    when the owner's process is known to be gone, or the owner is dead and no word names it.
//!
//! So a word's holder is alive if and only if its slot is LIVE or LEAKED in the named generation,
//! and neither lifeline is marked. The lifelines are read before the generation: if they were a
//! successor's, the generation is seen to have moved on. A holder that is dead in LEAKED has
//! *leaked* its hold: see [`Table::has_leaked`].

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
    /// The word of a slot that is free after this generation of that round.
    fn free(generation: u16, round: u32) -> Self {
        Self { state: FREE, generation, thread: round >> 24, tag: round }
    }
    /// Whether the slot is not taken, if its first lifeline is `own`.
    fn is_over(self, own: u32) -> bool {
        match self.state {
            FREE => true,
            LIVE => own & MARK != 0, // the first alone: invariant 1
            _ => false,              // CLAIMED, LEAKED
        }
    }
}

/// One participant's place.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Slot<P: Platform> {
    claim: P::Word64,
    lifelines: [P::Lifeline; 2],
    about: P::ThreadInfo,
    /// How often the generations have begun anew. Wraps after 2^32 rounds of 65,535 registrations
    /// of this slot; see [`recycle`].
    round: P::Word,
    /// Whom the owner is taking something over from; see [`recycle`].
    heir_of: P::Word,
}

impl<P: Platform> Slot<P> {
    /// A slot of these parts; all zero is a free one.
    pub fn from_parts(claim: P::Word64, lifelines: [P::Lifeline; 2], about: P::ThreadInfo) -> Self {
        Self { claim, lifelines, about, round: P::Word::new(0), heir_of: P::Word::new(0) }
    }

    /// The claim word of a slot's first owner, alive, for those who build a table by hand.
    pub fn claim_of_first(thread: u32) -> u64 {
        Claim { state: LIVE, generation: 1, thread, tag: 0 }.word()
    }

    /// The id of the participant that has or had the slot.
    pub fn living_or_dead(&self, index: usize) -> Id {
        Id::new(index, Claim::of(self.claim.load(Relaxed)).generation) // ORDERING: an id alone says nothing of its owner
    }

    /// What `read` finds in the facts about the participant `id`, if the slot speaks of it: from
    /// the time when that one has described itself until the next one claims the slot. `read` also
    /// gets its thread id, which a slot that was freed does not tell. It may be run in vain.
    pub fn read_record<V>(&self, id: Id, read: impl FnOnce(&P::ThreadInfo, Option<u32>) -> V) -> Option<V> {
        let speaks_of_it = |claim: Claim| {
            claim.state != CLAIMED && claim.generation == id.generation() && claim.generation != 0 // 0 is nobody's
        };
        // ORDERING: Acquire. Pairs with the Release by which the claim became LIVE: the facts are
        // not those of the owner before. Model: `table::no_record_is_read_as_that_of_another`.
        let claim = Claim::of(self.claim.load(Acquire));
        if !speaks_of_it(claim) {
            return None;
        }
        let told = read(&self.about, Some(claim.thread).filter(|thread| claim.is_armed() && *thread != 0));
        // ORDERING: Acquire. Pairs with the Release fence of `claim`: if one of the facts was the
        // next owner's, so is the claim that is looked at now. Model: the same.
        P::fence(Acquire);
        speaks_of_it(Claim::of(self.claim.load(Relaxed))).then_some(told) // ORDERING: Relaxed, after the fence.
    }

    /// What is known of its owner.
    pub fn thread(&self) -> &P::ThreadInfo {
        &self.about
    }
    /// The lifelines: of the thread, and of the process.
    pub fn lifelines(&self) -> &[P::Lifeline; 2] {
        &self.lifelines
    }
    /// The round of its generations, modulo 2^24, as the claim of a slot in LIVE tells.
    pub fn round(&self) -> u32 {
        Claim::of(self.claim.load(Relaxed)).tag // ORDERING: as above.
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

/// Makes a lifeline of a slot that the caller has claimed 0, after waking all who sleep on it.
fn reset<P: Platform>(word: &P::Word) {
    // ORDERING: Relaxed; the kernel has done with the former owner (invariant 1), and nobody but
    // the claimer writes it now.
    if word.load(Relaxed) != 0 {
        // For the sake of those whom a stopped process should have woken.
        // EQUIVALENT(wake#1 dropped; all to one): whoever marked the word has woken one who slept
        // on it, and that one finds the word changed and wakes the others, or dies watched by them.
        // If our thread has the number of the former owner's, so that it finds no change, the
        // others sleep on a word that is ours: our death wakes one of them, and our announcement
        // all.
        P::wake(word, u32::MAX);
        // ORDERING: Release. Whoever judges by the 0 sees what the dead wrote, whose mark the
        // claimer has read with Acquire. Model:
        // `table::what_the_dead_wrote_is_seen_even_if_its_slot_has_a_new_owner`.
        word.store(0, Release);
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
    /// Changes with every registration; sleepers watch it so that newcomers are watched, too. Its
    /// low 13 bits say how many slots were ever used.
    pub membership: &'m P::Word,
    /// Where the next claimer begins to look, so that slots are taken in turn. A hint.
    pub cursor: &'m P::Word,
    /// When the last slow look was begun; see [`reap`].
    pub stamp: &'m P::Word,
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

/// Why nobody may have what a dead participant held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It ended by itself, with a [leaked](Table::has_leaked) hold, and its process lives.
    Leaked,
    /// Its process is still [ending](Platform::is_ending). That is over in a moment.
    Ending,
}

/// Every slot is taken by the living.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRegistered;

/// Who registers, and what only its platform can do.
pub trait Newcomer<P: Platform> {
    /// Its thread id, 22 bits.
    fn thread(&self) -> u32;
    /// 24 bits by which it is told from other threads of the same id; see
    /// [`Newcomer::is_claimer_gone`].
    fn tag(&self) -> u32;
    /// Writes down what is known of it.
    fn describe(&self, about: &P::ThreadInfo, id: Id);
    /// Arms the lifelines. Both words are without owner.
    fn arm(&self, lifelines: &[P::Lifeline; 2]);
    /// Whether the claimer of that thread id and tag is known to be gone. When in doubt, false:
    /// **never true for one that is alive**, or two write to one slot, and a living holder is
    /// judged dead. Model: `table::a_claimer_wrongly_judged_gone_makes_a_living_holder_dead`.
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool;
    /// Tells `named` of every word of the segment that may name a participant, and of more if it
    /// cannot be told. False if that cannot be done: then no slot is recycled.
    fn read_names(&self, named: &mut Named) -> bool;
}

impl<'m, P: Platform> Table<'m, P> {
    /// Whether the participant is alive. Ids that never were count as dead.
    ///
    /// The caller has read the word that names `id` with Acquire, and acts on the verdict by a CAS
    /// on the value that it read: an Acquire at the CAS alone would come too late.
    pub fn is_alive(&self, id: Id) -> bool {
        let Some(slot) = self.slots.get(id.index()) else {
            return false;
        };
        // ORDERING: Acquire on the lifelines, then Acquire on the claim. The holder's CAS came
        // after its Release fence, so who has seen that CAS with Acquire sees lifelines and claim
        // of this generation at least; and if the lifelines are a successor's, the claim, read
        // after them, is the successor's too. A mark seen is seen with all that the dead wrote
        // before. Model: `table::a_living_holder_is_never_judged_dead`.
        slot.alive().is_some_and(|(_, claim)| claim.generation == id.generation())
    }

    /// Why what the participant held, which is [not alive](Self::is_alive), must not be given to
    /// anybody else now, if that is so: a reference that its guard gave may be in use.
    pub fn why_kept(&self, id: Id) -> Option<Kept> {
        let slot = self.slots.get(id.index())?;
        // ORDERING: Acquire, as in `has_leaked`.
        let claim = Claim::of(slot.claim.load(Acquire));
        match claim.state {
            _ if claim.generation != id.generation() => None,
            LIVE if P::is_ending(&slot.about, claim.thread) => Some(Kept::Ending),
            LEAKED if self.is_leaked(id, slot, claim) => Some(Kept::Leaked),
            _ => None,
        }
    }

    /// Whether the participant, which is [not alive](Self::is_alive), ended by itself with a leaked
    /// hold, in a process that lives, or may live.
    ///
    /// What such a holder held must not be given to anybody else: a reference that its guard gave
    /// may still be in use. Once its process is known to be gone, the answer is false for all who
    /// ask.
    pub fn has_leaked(&self, id: Id) -> bool {
        let Some(slot) = self.slots.get(id.index()) else {
            return false;
        };
        // ORDERING: Acquire. The claim may be that of a new owner of the same id, whom the caller
        // does not know yet: the facts must be no older than the claim, or a living process is
        // taken for gone. And who sees the freed claim sees what the process wrote. Models:
        // `leaked::a_leaked_hold_is_given_to_nobody`,
        // `leaked::a_late_heir_is_given_no_leaked_hold`.
        let claim = Claim::of(slot.claim.load(Acquire));
        (claim.state, claim.generation) == (LEAKED, id.generation()) && self.is_leaked(id, slot, claim)
    }

    /// Whether a claim in LEAKED keeps what was leaked. Frees the slot if its process is gone.
    fn is_leaked(&self, id: Id, slot: &Slot<P>, claim: Claim) -> bool {
        let is_gone = P::is_process_gone(&slot.about);
        if is_gone && self.free(slot, claim) {
            self.announce(id.index());
        }
        !is_gone
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

    /// The slots that were ever used: the others have no owner.
    pub(crate) fn slots_in_use(&self) -> impl Iterator<Item = &'m Slot<P>> + use<'m, P> {
        // ORDERING: Relaxed; a newcomer that the caller has to know of is known with what it did.
        let used = Membership(self.membership.load(Relaxed)).used();
        self.slots.iter().take(used)
    }

    /// The slot of a participant, if there is such a slot.
    pub fn slot(&self, id: Id) -> Option<&'m Slot<P>> {
        self.slots.get(id.index())
    }

    /// Makes `who` a participant.
    ///
    /// # Errors
    /// [`NotRegistered`] if no slot is free or left by the dead.
    ///
    /// # If a process dies
    /// The newcomer, before it claims: nothing has happened. Between claim and armed lifelines: the
    /// slot stays taken until somebody who needs one finds, by reaping, that the claimer is
    /// gone; nobody waits for it. After that: as any participant. One that [recycles](recycle): a
    /// slot keeps its last generation, or has begun a new round.
    pub fn register(&self, who: &impl Newcomer<P>) -> Result<Id, NotRegistered> {
        let count = self.slots.len().min(Id::MAX_PARTICIPANTS);
        for slowly in [false, true] {
            if slowly {
                self.free_abandoned_claims(who);
                self.reap_lost();
                self.recycle(who);
            }
            let start = self.cursor.load(Relaxed) as usize; // ORDERING: a hint
            for index in (0..count).map(|i| (start.wrapping_add(i)) % count) {
                if let Some(id) = self.claim(index, who) {
                    self.announce(index);
                    // ORDERING: Release fence. Pairs with the Acquire by which a judge reads a word
                    // that names us: whatever we write after this, with whatever ordering, is seen
                    // together with our armed lifeline and our claim.
                    P::fence(Release);
                    return Ok(id);
                }
            }
        }
        Err(NotRegistered)
    }

    fn claim(&self, index: usize, who: &impl Newcomer<P>) -> Option<Id> {
        let slot = &self.slots[index];
        // ORDERING: Acquire. The lifelines that are read next are not older than this claim.
        // Model: `table::a_slot_that_the_dead_left_goes_to_one`.
        let seen = slot.claim.load(Acquire);
        let former = Claim::of(seen);
        // ORDERING: Acquire. What the dead wrote is seen with its mark.
        let is_over = former.is_over(slot.lifelines[0].word().load(Acquire));
        if !is_over || former.generation >= P::LAST_GENERATION {
            return None; // taken, or to be recycled first
        }
        // What it says of its owner is needed as long as others of its process may use what it
        // held.
        if former.state == LIVE && P::is_ending(&slot.about, former.thread) {
            return None;
        }
        let generation = former.generation + 1;
        let mine = Claim { state: CLAIMED, generation, thread: who.thread(), tag: who.tag() };
        // ORDERING: Release. Who judges the predecessor by this generation sees all that it wrote,
        // whose mark we have read with Acquire. Model:
        // `table::what_the_dead_wrote_is_seen_even_if_its_slot_has_a_new_owner`.
        slot.claim.compare_exchange(seen, mine.word(), Release, Relaxed).ok()?;
        // ORDERING: Relaxed; a hint.
        self.cursor.store((index + 1) as u32, Relaxed);
        // The second, too: after an exec it is marked, and a main thread, which arms the first
        // alone, would be born dead.
        for lifeline in &slot.lifelines {
            reset::<P>(lifeline.word());
        }
        // ORDERING: Relaxed for both; nobody asks for them before the slot is LIVE.
        slot.heir_of.store(0, Relaxed);
        let round = slot.round.load(Relaxed);
        let id = Id::new(index, generation);
        // ORDERING: Release. Pairs with the Acquire fence of `read_record`: who reads one of the
        // facts that are written now sees the claim, too. Model:
        // `table::no_record_is_read_as_that_of_another`.
        P::fence(Release);
        who.describe(&slot.about, id);
        let live = Claim { state: LIVE, tag: round, ..mine };
        // ORDERING: Release. The lifelines were reset before this is seen, or an old mark would be
        // taken for ours. Model: `table::a_slot_that_the_dead_left_goes_to_one`. It fails only if
        // somebody has scribbled on the claim.
        slot.claim.compare_exchange(mine.word(), live.word(), Release, Relaxed).ok()?;
        who.arm(&slot.lifelines);
        Some(id)
    }

    /// Makes all sleepers look again, and collect lifelines anew: something about the slot has
    /// changed.
    fn announce(&self, index: usize) {
        let mut seen = self.membership.load(Relaxed);
        // ORDERING: Release. A sleeper that reads the new value with Acquire finds the armed
        // lifeline, or the claim that was freed, and those of all announcements before it, too:
        // they are one release sequence. Model: `vigil::a_newcomer_is_watched_too`.
        while let Err(now) = self.membership.compare_exchange(seen, Membership(seen).with(index).0, Release, Relaxed) {
            seen = now;
        }
        P::wake(self.membership, u32::MAX);
    }

    /// The participant `id`, who calls, gives its slot away. No word names it, and the kernel finds
    /// its lifelines no more.
    ///
    /// # If a process dies
    /// Before the slot is free: nothing tells of it but reaping, which every newcomer takes
    /// who finds no slot. Nobody waits for one who holds nothing.
    pub fn leave(&self, id: Id) {
        let Some(slot) = self.slot(id) else { return };
        let claim = Claim::of(slot.claim.load(Relaxed)); // ORDERING: it is our own.
        if !claim.is_armed() || claim.generation != id.generation() {
            return; // somebody has scribbled on it
        }
        for lifeline in slot.lifelines() {
            // ORDERING: Relaxed; who leaves has told of all that it did, and nobody else writes it
            // before it is free.
            // EQUIVALENT(taken as equal): the next owner resets what is left there.
            if lifeline.word().load(Relaxed) != 0 {
                lifeline.word().store(0, Relaxed);
                // EQUIVALENT(dropped; all to one): nobody has to learn that somebody has left; of
                // the next owner the announcement tells all. It is so that nobody goes on watching
                // a word for nothing.
                P::wake(lifeline.word(), u32::MAX);
            }
        }
        self.free(slot, claim); // last: from here on it may be another's
    }

    /// LIVE, CLAIMED or LEAKED → FREE. False if somebody was quicker.
    fn free(&self, slot: &Slot<P>, claim: Claim) -> bool {
        // ORDERING: Relaxed; it was written before the claim that the caller has read with Acquire.
        let free = Claim::free(claim.generation, slot.round.load(Relaxed));
        // ORDERING: Release. Who judges by the free claim sees what the dead wrote, of whose end
        // the caller knows. Model: `mutex::a_mark_by_reaping_publishes_what_the_dead_wrote`.
        slot.claim.compare_exchange(claim.word(), free.word(), Release, Relaxed).is_ok()
    }

    /// Declares all dead who ever took part, while nobody does: the segment is a copy, or older
    /// than the last boot.
    ///
    /// Those who were just being registered, too: their thread ids mean others now, or nobody.
    pub fn end_all(&self) {
        for slot in self.slots {
            // ORDERING: Relaxed for all; the caller publishes it, and nobody else is there.
            let claim = Claim::of(slot.claim.load(Relaxed));
            slot.claim.store(Claim::free(claim.generation, slot.round.load(Relaxed)).word(), Relaxed);
            for lifeline in slot.lifelines() {
                lifeline.word().store(0, Relaxed);
            }
        }
    }

    /// Frees slots whose claimer died before it armed its lifelines.
    fn free_abandoned_claims(&self, who: &impl Newcomer<P>) {
        for slot in self.slots {
            // ORDERING: Relaxed; what the claimer knew is known with its end, and so is the round.
            // If the claim is old, it has changed, and the exchange is refused.
            let claim = Claim::of(slot.claim.load(Relaxed));
            if claim.state == CLAIMED && who.is_claimer_gone(claim.thread, claim.tag) {
                self.free(slot, claim); // if not, somebody was quicker
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
