//! Slots in their last generation, and how they begin a new round.
//!
//! An [`Id`] has 16 bits of generation. If the generations simply wrapped, a newcomer could get an
//! id that a word still names. The newcomer would then be taken for the dead holder. So a slot
//! whose generation is the [last](Platform::LAST_GENERATION) is *retired* when its owner is dead:
//! no newcomer claims it. It begins a new *round* only when a newcomer finds no other slot. The
//! round starts above every generation that still serves as the name of a dead owner:
//!
//! 1. The newcomer notes the claims of the retired slots.
//! 2. It reads the whole segment. A word that names a dead owner keeps that generation, and all
//!    below it, from being used again. If a word does not name an owner when it is read, it does
//!    not name that owner later. For only the owner itself writes its id into a word that does not
//!    have it, and all these owners are dead.
//! 3. After a fence the newcomer reads the announcements of the living *heirs*. An heir is a
//!    participant that takes something over from a dead one. Heirs are a danger: an heir judges a
//!    word before step 2, and stalls. Then a new owner of the same id takes the same hold, and the
//!    heir's late CAS takes it from the living owner. So an heir announces the dead participant,
//!    passes a fence, then checks the word again, and judges again ([`Participant::inherit`]). If
//!    the newcomer does not see the announcement, the heir sees a value of the word that is at
//!    least as new as the value that the newcomer read.
//! 4. By a CAS on the claim noted in step 1 the newcomer frees the slot, with the highest
//!    generation that it found named. The next owner has the generation after that. Generation 0
//!    belongs to no participant.
//!
//! Plain data may look like a name. Then the generations up to that name are not used. If it looks
//! like the name of the last generation, the slot is not used as long as the data stays so.
//!
//! # Slots of threads that may have leaked a hold
//!
//! A thread's count of what it may have leaked can be too high. So a newcomer that finds no slot
//! also frees the slots in LEAKED whose owner is dead and which no word names.
//!
//! # Other participants that stall, and then compare a word with an old id
//!
//! - A waiter that sets WAITERS by a CAS: if the word names a new owner of that id by then, the
//!   waiter is about to wait for that owner, too.
//! - A sleeper that expects a value with WAITERS: the release of the participant named there wakes
//!   it, and so does that participant's death.
//! - A newcomer's CAS on a claim: claims do not recur. A free claim has the 32 bits of its round. A
//!   claim in LIVE has 24 bits of the round, and the thread id. To mistake such a claim, a newcomer
//!   must be stopped during 2^40 registrations in one slot, which take most of a year at full
//!   speed. It must then go on just while a thread with the same id has the slot.
//! - A claim in CLAIMED has no round. It has the claimer's thread id and tag, which no other thread
//!   has while the claimer lives.
//!
//! # If a process dies
//!
//! The newcomer, before step 4: nothing has happened, but a round may be left out. An heir: it
//! takes nothing over any more, and its announcement does not count.

use super::{Claim, LEAKED, Newcomer, Participant, Table};
use crate::platform::{Lifeline, MARK, Platform, Word, Word64};
use crate::raw::hold::Id;
use core::sync::atomic::Ordering::{self, Acquire, Relaxed, Release, SeqCst};

/// The announcement of a participant that is an heir twice: in a signal handler, and in the code
/// that the handler has interrupted. No round begins meanwhile. No id has this word.
const OF_MANY: u32 = u32::MAX;

/// For each slot, the highest generation that a word names.
#[derive(Debug)]
pub struct Named {
    highest: Vec<u16>,
}

impl Named {
    fn for_slots(slots: usize) -> Self {
        Self { highest: vec![0; slots] }
    }

    /// Notes the name in a word, if it may be the word of a hold. Any word is allowed.
    #[inline]
    pub fn note(&mut self, word: u32) {
        let Some(id) = Id::holder_in(word) else { return };
        if let Some(highest) = self.highest.get_mut(id.index()) {
            *highest = id.generation().max(*highest);
        }
    }
}

impl<P: Platform> Table<'_, P> {
    /// Begins a new round in each retired slot where that is possible.
    pub(super) fn recycle(&self, newcomer: &impl Newcomer<P>) {
        let slots = || self.slots.iter().enumerate().take(Id::MAX_PARTICIPANTS);
        let retired: Vec<_> = slots()
            .filter_map(|(index, slot)| {
                // ORDERING: Relaxed for the claim, which is read again below, with Acquire. Acquire
                // for the mark: the words, which are read next, are not older than the owner's end.
                // So the marks are read before the words. Model:
                // `table::who_takes_a_hold_and_dies_while_words_are_read_is_not_forgotten`.
                let seen = slot.claim.load(Relaxed);
                let claim = Claim::from_word(seen);
                let is_retired =
                    claim.generation >= P::LAST_GENERATION && claim.is_over(slot.lifelines[0].word().load(Acquire));
                is_retired.then_some((index, seen))
            })
            .collect();
        // The owners of these slots are dead. Each of them may have leaked a hold, or may have
        // leaked nothing. A mark on the second lifeline alone is not enough: invariant 1.
        let leaked: Vec<_> = slots()
            // ORDERING: Acquire, for two reasons. The participant that freed a retired slot knew of
            // its owner's end, so the words, which are read next, are not older than that end. A
            // participant that may leak has armed its lifelines, so no old mark is taken for its
            // own. Models: `table::a_slot_that_reaping_freed_keeps_the_names_of_its_dead`,
            // `table::a_newcomer_takes_no_slot_of_one_that_may_leak`.
            .map(|(index, slot)| (index, slot, Claim::from_word(slot.claim.load(Acquire))))
            .filter(|(_, _, claim)| claim.state == LEAKED)
            // ORDERING: Acquire: the words, which are read next, are not older than the owner's
            // end. Model: `table::a_newcomer_takes_no_slot_of_one_that_says_so_and_leaks_a_hold`.
            .filter(|(_, slot, claim)| claim.thread == 0 || slot.lifelines[0].word().load(Acquire) & MARK != 0)
            .collect();
        if retired.is_empty() && leaked.is_empty() {
            return;
        }
        let mut named = Named::for_slots(self.slots.len());
        if !newcomer.read_names(&mut named) {
            return;
        }
        for (index, slot, claim) in leaked {
            if named.highest[index] < claim.generation {
                self.free(slot, claim); // no word names the owner: it has leaked nothing
            }
        }
        // ORDERING: SeqCst. Pairs with the fence of `inherit_from`: step 3. Models:
        // `table::an_id_comes_round_after_the_last_heir`,
        // `table::without_fences_a_late_heir_robs_the_living`.
        P::fence(SeqCst);
        for (_, slot) in slots() {
            // ORDERING: Acquire. Pairs with the Release of `inherit_from`: an heir that is done has
            // done its CAS.
            // EQUIVALENT(Acquire to Relaxed): where no circle of program order and reads-from is
            // possible, as in loom and RC11. If an heir's fence came before ours, we see its
            // announcement and its registration. If its fence came after ours, the heir finds the
            // word at least as new as we did, and needs no announcement. Assume that we see an heir
            // done, and that the heir's CAS yet replaces what the new owner of the id has written.
            // Then the heir would have read a value that was written only because the heir was
            // done: a circle. The load is Acquire for processors that may do a relaxed exchange
            // after a store that follows it.
            let heir_of = slot.heir_of.load(Acquire);
            if heir_of != 0 && slot.alive().is_some() {
                if heir_of == OF_MANY {
                    return;
                }
                named.note(heir_of);
            }
        }
        for (index, seen) in retired {
            let highest = named.highest[index];
            if highest < P::LAST_GENERATION {
                let slot = &self.slots[index];
                // ORDERING: Relaxed; the claim publishes it.
                let round = slot.round.fetch_add(1, Relaxed).wrapping_add(1);
                // ORDERING: Release, for the round. The fence publishes what the dead owner wrote,
                // which was seen before the fence.
                let _or_another_was_faster =
                    slot.claim.compare_exchange(seen, Claim::free(highest, round).word(), Release, Relaxed);
            }
        }
    }
}

impl<P: Platform> Participant<'_, P> {
    /// Runs `take`, a CAS on `word` that expects the value `seen`. If `seen` names a participant
    /// that was found dead, three things hold while `take` runs. The word still names that
    /// participant, it is still dead, and its id gets no new owner. So a caller that stalls takes
    /// nothing from a new owner. Returns false if the three things do not hold, or if `take` fails.
    /// A caller that must not take what was leaked uses
    /// [`inherit_unless_leaked`](Self::inherit_unless_leaked).
    pub fn inherit(&self, word: &P::Word, seen: u32, take: impl FnOnce() -> bool) -> bool {
        match Id::holder_in(seen) {
            None => take(),
            Some(dead) => self.inherit_from(dead, seen, |order| word.load(order), take),
        }
    }

    /// [`inherit`](Self::inherit), but takes nothing that was [leaked](super::Table::has_leaked).
    ///
    /// That is checked at a time when the id cannot be given out anew, also if the caller has
    /// checked it before: meanwhile a new owner may have got the id, and may have leaked what the
    /// word stands for. Models: `leaked::a_late_heir_is_given_no_leaked_hold` and its kin.
    pub fn inherit_unless_leaked(&self, word: &P::Word, seen: u32, take: impl FnOnce() -> bool) -> bool {
        self.inherit(word, seen, || !Id::holder_in(seen).is_some_and(|holder| self.table.has_leaked(holder)) && take())
    }

    /// [`inherit`](Self::inherit) for any value that names the dead participant. `load` reads it
    /// anew, in the order that it is given.
    pub fn inherit_from<V: PartialEq>(
        &self,
        dead: Id,
        seen: V,
        load: impl FnOnce(Ordering) -> V,
        take: impl FnOnce() -> bool,
    ) -> bool {
        let announcement = self.table.slot(self.id).map(|slot| &slot.heir_of);
        // `before` is not 0 in a signal handler that has interrupted this very function. The
        // interrupted heir's announcement must stay.
        let before = announcement.map_or(0, |announcement| announcement.load(Relaxed));
        if let Some(announcement) = announcement {
            let announced = if before == 0 { dead.word() } else { OF_MANY };
            announcement.store(announced, Relaxed); // ORDERING: the fence orders it.
        }
        // ORDERING: SeqCst. Pairs with the fence of `recycle`; model:
        // `table::an_id_comes_round_after_the_last_heir`.
        P::fence(SeqCst);
        // ORDERING: Acquire, as `Table::is_alive` requires.
        let taken = load(Acquire) == seen && !self.table.is_alive(dead) && take();
        if let Some(announcement) = announcement {
            // ORDERING: Release. A newcomer that reads this value with Acquire comes after `take`,
            // on any processor.
            // EQUIVALENT(Release to Relaxed): where no circle of program order and reads-from is
            // possible; the reason is in `recycle`, where the announcement is read. The store is
            // Release for processors that may do a relaxed exchange after a store that follows it.
            announcement.store(before, Release);
        }
        taken
    }
}
