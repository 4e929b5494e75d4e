//! Slots in their last generation, and how they begin a new round.
//!
//! An [`Id`] has 16 bits of generation. If they wrapped, a newcomer could get an id that some word
//! still names, and be taken for the dead holder of it. So a slot whose generation is the
//! [last](Platform::LAST_GENERATION) is *retired* when its owner is dead: no claim takes it. It
//! begins a new *round* only when a newcomer finds no other slot, and only above every generation
//! that can still mean somebody:
//!
//! 1. The newcomer notes the claims of the retired slots.
//! 2. It reads the whole segment. A word that names one of the dead keeps that generation, and
//!    those below it, from coming round. No word that it has read without such a name gets one
//!    later: none but the owner writes an id where it was not, and all owners are dead.
//! 3. It reads, after a fence, whom the living participants are heirs of. One of these may have
//!    judged its word before step 2, and do its CAS only after the new owner of the same id has
//!    taken the same hold. So an heir announces whom it takes over from, then has a fence, and then
//!    looks at the word, and judges, once more ([`Participant::inherit`]). If the newcomer does not
//!    see the announcement, the heir sees the word no older than the newcomer did.
//! 4. By a CAS on the claim noted in step 1 it frees the slot, with the highest generation that it
//!    found named; the next owner has the next one. Generation 0 is nobody's.
//!
//! Plain data may look like a name. It costs generations, and the slot itself only while it names
//! the last one.
//!
//! # Slots of threads that may have leaked a hold
//!
//! A thread's count of what it may have leaked can be too high. So a newcomer that finds no slot
//! also frees those in LEAKED whose owner is dead and which no word names.
//!
//! # Others who compare with an old id after a stall
//!
//! - A waiter that sets WAITERS by CAS: if the word names a new owner of that id by then, somebody
//!   is about to wait for that one, too.
//! - A sleeper that expects a value: as it is set, the release of whoever is named there wakes it,
//!   and its death does.
//! - A newcomer's CAS on a claim: claims do not come round. A free one tells its round (32 bits).
//!   One in LIVE tells 24 bits of it, and its thread: a newcomer that is to mistake it must be
//!   stopped during 2^40 registrations of one slot, most of a year at full speed, and be woken
//!   during the one of them whose thread has the same id.
//! - A claim in CLAIMED has no round, but the claimer's thread and tag, which no other thread has
//!   as long as it lives.
//!
//! # If a process dies
//!
//! The newcomer, before step 4: nothing has happened, but that a round is left out. An heir: it
//! takes nothing over any more, and its announcement does not count.

use super::{Claim, LEAKED, Newcomer, Participant, Table};
use crate::platform::{Lifeline, MARK, Platform, Word, Word64};
use crate::raw::hold::Id;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Announced by an heir in a signal handler that has interrupted an heir: no round begins
/// meanwhile. No id's word.
const OF_MANY: u32 = u32::MAX;

/// The highest generation of each slot that some word names.
#[derive(Debug)]
pub struct Named {
    highest: Vec<u16>,
}

impl Named {
    fn of(slots: usize) -> Self {
        Self { highest: vec![0; slots] }
    }

    /// A word that may be the word of a hold. Any word may be told.
    #[inline]
    pub fn note(&mut self, word: u32) {
        let Some(id) = Id::holder_in(word) else { return };
        if let Some(highest) = self.highest.get_mut(id.index()) {
            *highest = id.generation().max(*highest);
        }
    }
}

impl<P: Platform> Table<'_, P> {
    /// Begins a new round of all retired slots of which that is possible.
    pub(super) fn recycle(&self, who: &impl Newcomer<P>) {
        let slots = || self.slots.iter().enumerate().take(Id::MAX_PARTICIPANTS);
        let retired: Vec<_> = slots()
            .filter_map(|(index, slot)| {
                // ORDERING: Relaxed for the claim, which is read once more below, with Acquire, and
                // Acquire for the mark: the words that are read next are not older than the end of
                // the owner. So this comes first. Model:
                // `table::a_holder_that_dies_while_words_are_read_is_not_forgotten`.
                let seen = slot.claim.load(Relaxed);
                let claim = Claim::of(seen);
                let is_retired =
                    claim.generation >= P::LAST_GENERATION && claim.is_over(slot.lifelines[0].word().load(Acquire));
                is_retired.then_some((index, seen))
            })
            .collect();
        // Their owners are dead, and may have left a hold in a living process, or none at all. The
        // second lifeline alone does not do: invariant 1.
        let leaked: Vec<_> = slots()
            // ORDERING: Acquire. Whoever freed a retired slot knew of the end of its owner; and one
            // that may leak has armed its lifelines. Models:
            // `table::a_newcomer_in_a_reaped_slot_has_no_id_that_a_word_names`,
            // `table::a_newcomer_takes_no_slot_of_one_that_may_leak`.
            .map(|(index, slot)| (index, slot, Claim::of(slot.claim.load(Acquire))))
            .filter(|(_, _, claim)| claim.state == LEAKED)
            // ORDERING: Acquire: the words that are read next are not older than the end of the
            // owner. Model: `table::a_newcomer_takes_no_slot_of_one_that_announces_its_leak_first`.
            .filter(|(_, slot, claim)| claim.thread == 0 || slot.lifelines[0].word().load(Acquire) & MARK != 0)
            .collect();
        if retired.is_empty() && leaked.is_empty() {
            return;
        }
        let mut named = Named::of(self.slots.len());
        if !who.read_names(&mut named) {
            return;
        }
        for (index, slot, claim) in leaked {
            if named.highest[index] < claim.generation {
                self.free(slot, claim); // no word names it: it has left nothing
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
            // possible, as in loom and RC11. An heir whose fence came before ours is seen with its
            // registration. One whose fence came after ours finds the word no older than we did,
            // and needs no announcement. One that is done, and yet takes what the new owner of the
            // id has written, would have read what was written only because it was done. It is
            // Acquire for processors that may do a relaxed exchange after the store behind it.
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
                // ORDERING: Relaxed; it goes to others with the claim.
                let round = slot.round.fetch_add(1, Relaxed).wrapping_add(1);
                // ORDERING: Release, for the round. What the dead wrote goes along by the fence: it
                // was seen before that.
                let _or_another_was_quicker =
                    slot.claim.compare_exchange(seen, Claim::free(highest, round).word(), Release, Relaxed);
            }
        }
    }
}

impl<P: Platform> Participant<'_, P> {
    /// Does `take`, a CAS on a word that was `seen`, so that it cannot be
    /// late: if the word names somebody who was found dead, that one is still named, and still
    /// dead, and its id means nobody else until this has returned. False if it is not so, or `take`
    /// was refused. Who must not take what was leaked asks for that, too, in `take`.
    pub fn inherit(&self, word: &P::Word, seen: u32, take: impl FnOnce() -> bool) -> bool {
        match Id::holder_in(seen) {
            None => take(),
            // ORDERING: Acquire, as `Table::is_alive` wants it.
            Some(dead) => self.inherit_from(dead, || word.load(Acquire) == seen, take),
        }
    }

    /// The same for any word, or words, which still name the dead one if `is_named`. It loads with
    /// Acquire.
    pub fn inherit_from(&self, dead: Id, is_named: impl FnOnce() -> bool, take: impl FnOnce() -> bool) -> bool {
        let announcement = self.table.slot(self.id).map(|slot| &slot.heir_of);
        // Not 0 in a signal handler that has interrupted this very function: what it announced
        // stands.
        let before = announcement.map_or(0, |announcement| announcement.load(Relaxed));
        if let Some(announcement) = announcement {
            let announced = if before == 0 { dead.word() } else { OF_MANY };
            announcement.store(announced, Relaxed); // ORDERING: the fence orders it.
        }
        // ORDERING: SeqCst. Pairs with the fence of `recycle`; model:
        // `table::an_id_comes_round_after_the_last_heir`.
        P::fence(SeqCst);
        let taken = is_named() && !self.table.is_alive(dead) && take();
        if let Some(announcement) = announcement {
            // ORDERING: Release. Who reads it with Acquire comes after `take`, whatever processor
            // this is.
            // EQUIVALENT(Release to Relaxed): where no circle of program order and reads-from is
            // possible; see `recycle`, where it is read. It is Release for processors that may do a
            // relaxed exchange after the store behind it.
            announcement.store(before, Release);
        }
        taken
    }
}
