//! The words of the table, taken apart and put together.

use super::*;
use crate::platform::WAKE_AT_DEATH;
use crate::platform::linux::{Linux, RobustNode, ThreadRecord};
use proptest::prelude::*;

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_claim_is_its_parts(state in 0..4u64, generation in any::<u16>(), thread in any::<u32>(), tag in any::<u32>()) {
        let claim = Claim { state, generation, thread, tag };
        let kept = Claim { thread: thread & ((1 << 22) - 1), tag: tag & ((1 << 24) - 1), ..claim };
        prop_assert_eq!(Claim::from_word(claim.word()), kept);
    }

    #[test]
    fn every_word_is_a_claim(word in any::<u64>()) {
        prop_assert_eq!(Claim::from_word(word).word(), word);
    }

    #[test]
    fn a_free_claim_holds_the_round(generation in any::<u16>(), round in any::<u32>()) {
        let claim = Claim::free(generation, round);
        prop_assert_eq!((claim.state, claim.generation), (FREE, generation));
        let kept = Claim::from_word(claim.word());
        prop_assert_eq!((kept.thread << 24) | kept.tag, round);
    }

    #[test]
    fn each_registration_counts_and_marks_its_slot_used(
        count in prop_oneof![Just(0), Just((1 << 19) - 1), 0..1u32 << 19],
        used in 0..=Id::MAX_PARTICIPANTS,
        index in 0..Id::MAX_PARTICIPANTS,
    ) {
        let before = Membership(count << 13 | used as u32);
        prop_assert_eq!(before.used(), used);
        let after = before.with(index);
        prop_assert_eq!(after.used(), used.max(index + 1));
        prop_assert_eq!(after.0 >> 13, (count + 1) % (1 << 19));
    }

    #[test]
    fn a_lifeline_is_owned_until_it_is_marked(value in any::<u32>()) {
        prop_assert!(!is_owned(value | MARK));
        prop_assert!(!is_owned(value & !OWNER));
        prop_assert_eq!(is_owned(value & !MARK), value & OWNER != 0);
    }
}

#[test]
fn a_slot_gives_its_last_owners_record_and_the_thread_id_before_it_is_freed() {
    let record_of = |state, generation, thread| {
        let claim = Claim { state, generation, thread, tag: 3 };
        let lifelines = [0, MARK].map(RobustNode::unlinked);
        let slot = Slot::<Linux>::from_parts(Word64::new(claim.word()), lifelines, ThreadRecord::from_process(1));
        let [of_it, before, after] =
            [7, 6, 8].map(|of| slot.read_record(Id::new(9, of), |record, t| (record.process(), t)));
        assert_eq!((before, after), (None, None), "this is another participant's record");
        of_it
    };
    assert_eq!(record_of(LIVE, 7, 5), Some((1, Some(5))));
    assert_eq!(record_of(LEAKED, 7, 5), Some((1, Some(5))));
    assert_eq!(record_of(LEAKED, 7, 0), Some((1, None)), "reaping has found the thread gone");
    assert_eq!(record_of(FREE, 7, 5), Some((1, None)), "these bits are a part of the round");
    assert_eq!(record_of(CLAIMED, 7, 5), None, "the record may be the previous owner's");
    assert_eq!(record_of(LIVE, 7, 0), Some((1, None)), "no thread has that id");
}

#[test]
fn generation_0_has_no_record() {
    let lifelines = [0, 0].map(RobustNode::unlinked);
    let slot = Slot::<Linux>::from_parts(Word64::new(0), lifelines, ThreadRecord::from_process(1));
    assert_eq!(slot.read_record(Id::new(9, 0), |_, _| ()), None);
}

/// A newcomer claims the slot while the record is read.
#[test]
fn a_record_read_while_the_slot_is_claimed_is_not_returned() {
    for state in [CLAIMED, LIVE] {
        let claim = |state, generation| Claim { state, generation, thread: 5, tag: 3 }.word();
        let lifelines = [0, 0].map(RobustNode::unlinked);
        let slot = Slot::<Linux>::from_parts(Word64::new(claim(FREE, 7)), lifelines, ThreadRecord::from_process(1));
        let value = slot.read_record(Id::new(9, 7), |_, _| slot.claim.store(claim(state, 8), Relaxed));
        assert_eq!(value, None);
    }
}

#[test]
fn in_a_copy_every_slot_is_free() {
    let slots: Vec<_> = (0..4)
        .map(|state| {
            let claim = Claim { state, generation: 7, thread: 5, tag: 3 };
            let lifelines = [5 | WAKE_AT_DEATH, MARK].map(RobustNode::unlinked);
            Slot::<Linux>::from_parts(Word64::new(claim.word()), lifelines, ThreadRecord::from_process(1))
        })
        .collect();
    let (membership, cursor, stamp) = (Word::new(4), Word::new(0), Word::new(0));
    Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots }.end_all();
    for slot in &slots {
        let claim = Claim::from_word(slot.claim.load(Relaxed));
        assert_eq!((claim.state, claim.generation), (FREE, 7));
        assert_eq!(slot.lifelines.each_ref().map(|lifeline| lifeline.word().load(Relaxed)), [0, 0]);
    }
}

/// A main thread. It arms its first lifeline alone, and finds these words in the segment.
struct Somebody<'w> {
    words: &'w [u32],
}

impl Newcomer<Linux> for Somebody<'_> {
    fn thread(&self) -> u32 {
        9
    }
    fn tag(&self) -> u32 {
        1
    }
    fn describe(&self, _record: &ThreadRecord, _id: Id) {}
    fn arm(&self, [own, _process]: &[RobustNode; 2]) {
        own.word().store(9 | WAKE_AT_DEATH, Release);
    }
    fn is_claimer_gone(&self, _thread: u32, _tag: u32) -> bool {
        false
    }
    fn read_names(&self, named: &mut Named) -> bool {
        self.words.iter().for_each(|word| named.note(*word));
        true
    }
}

/// Makes a table of one slot with this claim and these lifelines. Newcomers register in it and
/// leave it, one after the other. Each of `comers` is what a newcomer finds in the words of the
/// segment. Returns the generations that they get.
fn generations(claim: Claim, lifelines: [u32; 2], comers: &[&[u32]]) -> Vec<Option<u16>> {
    let thread = ThreadRecord::from_process(1);
    let slots = [Slot::<Linux>::from_parts(Word64::new(claim.word()), lifelines.map(RobustNode::unlinked), thread)];
    let (membership, cursor, stamp) = (Word::new(1), Word::new(0), Word::new(0));
    let table = Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots };
    let come_and_go = |words: &&[u32]| {
        let id = table.register(&Somebody { words }).ok()?;
        assert!(table.is_alive(id), "{id} was dead from the start");
        table.leave(id);
        Some(id.generation())
    };
    comers.iter().map(come_and_go).collect()
}

/// An earlier fault: the generations wrapped, and a newcomer was taken for a dead holder.
#[test]
fn a_generation_that_a_word_names_is_not_used_again() {
    let named = |generation| Id::new(0, generation).word();
    let free = Claim::free(u16::MAX - 1, 0);
    let (of_before, of_the_last) = (named(7) | 1 << 31, named(u16::MAX));
    let got = generations(free, [0, 0], &[&[], &[of_before, 3], &[of_before], &[], &[of_before]]);
    assert_eq!(got, [u16::MAX, 8, 9, 10, 11].map(Some));
    let got = generations(free, [0, 0], &[&[], &[of_the_last], &[of_the_last, of_before], &[], &[]]);
    assert_eq!(got, [Some(u16::MAX), None, None, Some(1), Some(2)]);
    // The name of another slot does not count here. A word without HELD is no name at all.
    let no_name = of_the_last & !super::super::hold::HELD;
    assert_eq!(generations(free, [0, 0], &[&[], &[of_the_last | 1, no_name]]), [u16::MAX, 1].map(Some));
}

#[test]
fn a_slot_that_the_dead_left_in_its_last_generation_begins_a_new_round() {
    let claim = Claim { state: LIVE, generation: u16::MAX, thread: 5, tag: 0 };
    assert_eq!(generations(claim, [MARK | WAKE_AT_DEATH, 0], &[&[Id::new(0, 3).word()]]), [Some(4)]);
    let taken = [claim, Claim { state: CLAIMED, ..claim }, Claim { state: 3, ..claim }];
    for claim in taken {
        assert_eq!(generations(claim, [5 | WAKE_AT_DEATH, 0], &[&[]]), [None], "{claim:?}");
    }
}

/// After an exec by a thread other than the main thread the second lifeline is marked. A main
/// thread does not arm it.
#[test]
fn both_lifelines_of_a_slot_are_reset() {
    let free = Claim::free(1, 0);
    for left in [[5 | WAKE_AT_DEATH, MARK | WAKE_AT_DEATH], [MARK, 6], [0, MARK]] {
        assert_eq!(generations(free, left, &[&[], &[]]), [2, 3].map(Some), "{left:x?}");
    }
}

/// If the second lifeline alone is marked, by an exec, the kernel may still read the first.
#[test]
fn a_leaked_slot_that_no_word_names_is_reused_once_the_kernel_is_done_with_it() {
    let of_a_thread = Claim { state: LEAKED, generation: 1, thread: 5, tag: 0 };
    let gone = Claim { thread: 0, ..of_a_thread };
    let (armed, marked) = (5 | WAKE_AT_DEATH, MARK | WAKE_AT_DEATH);
    for (claim, lifelines, had) in [
        (of_a_thread, [marked, 0], Some(2)),
        (gone, [armed, marked], Some(2)),
        (of_a_thread, [armed, 0], None),
        (of_a_thread, [armed, marked], None),
    ] {
        assert_eq!(generations(claim, lifelines, &[&[]]), [had], "{claim:?}, {lifelines:x?}");
        let named = Id::new(0, 1).word();
        assert_eq!(generations(claim, lifelines, &[&[named]]), [None], "{claim:?}, {lifelines:x?}");
    }
}

#[test]
fn an_heir_in_a_signal_handler_leaves_the_interrupted_heirs_announcement() {
    let slot = |claim: Claim, own| {
        let lifelines = [own, 0].map(RobustNode::unlinked);
        Slot::<Linux>::from_parts(Word64::new(claim.word()), lifelines, ThreadRecord::from_process(1))
    };
    let living = Claim { state: LIVE, generation: 1, thread: 5, tag: 0 };
    let retired = Claim { generation: u16::MAX, ..living };
    let slots = [slot(living, 5 | WAKE_AT_DEATH), slot(retired, MARK | WAKE_AT_DEATH)];
    let (membership, cursor, stamp) = (Word::new(2), Word::new(0), Word::new(0));
    let table = Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots };
    let me = Participant { id: Id::new(0, 1), table: &table };
    let is_full = || table.register(&Somebody { words: &[] }).is_err();
    let (interrupted, other) = (Id::new(1, u16::MAX), Id::new(1, 3));
    let handler = |_| me.inherit_from(other, true, |_| true, is_full);
    assert!(me.inherit_from(interrupted, true, handler, is_full));
    assert!(me.inherit_from(interrupted, true, |_| true, is_full));
    assert!(!is_full(), "no announcement is left");
}
