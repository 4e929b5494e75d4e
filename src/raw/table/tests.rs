//! The words of the table, taken apart and put together.

use super::*;
use crate::platform::linux::{AboutThread, Linux, RobustNode};
use proptest::prelude::*;

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_claim_is_its_parts(state in 0..4u64, generation in any::<u16>(), thread in any::<u32>(), tag in any::<u32>()) {
        let claim = Claim { state, generation, thread, tag };
        let kept = Claim { thread: thread & ((1 << 22) - 1), tag: tag & ((1 << 24) - 1), ..claim };
        prop_assert_eq!(Claim::of(claim.word()), kept);
    }

    #[test]
    fn every_word_is_a_claim(word in any::<u64>()) {
        prop_assert_eq!(Claim::of(word).word(), word);
    }

    #[test]
    fn generations_count_from_one(generation in prop_oneof![Just(0), Just(1), Just(u16::MAX), any::<u16>()]) {
        let next = Claim { generation, ..Claim::of(0) }.next_generation();
        prop_assert_eq!(next, if generation == u16::MAX { 1 } else { generation + 1 });
    }

    #[test]
    fn each_registration_counts_and_marks_its_slot_used(
        count in prop_oneof![Just(0), Just((1 << 19) - 1), 0..1u32 << 19],
        used in 0..=Id::MOST_PARTICIPANTS,
        index in 0..Id::MOST_PARTICIPANTS,
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
fn in_a_copy_every_slot_is_free() {
    let slots: Vec<_> = (0..4)
        .map(|state| {
            let claim = Claim { state, generation: 7, thread: 5, tag: 3 };
            let lifelines = [5 | WAKE_AT_DEATH, MARK].map(RobustNode::unlinked);
            Slot::<Linux>::from_parts(Long::new(claim.word()), lifelines, AboutThread::of_process(1))
        })
        .collect();
    let (membership, cursor) = (Word::new(4), Word::new(0));
    Table { membership: &membership, cursor: &cursor, slots: &slots }.end_all();
    for slot in &slots {
        let claim = Claim::of(slot.claim.load(Relaxed));
        assert_eq!((claim.state, claim.generation), (FREE, 7));
        assert_eq!(slot.lifelines.each_ref().map(|lifeline| lifeline.word().load(Relaxed)), [0, 0]);
    }
}
