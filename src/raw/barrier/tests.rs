//! The number of parties, and words that were scribbled on.

use super::*;
use crate::platform::linux::{Linux, RobustNode, ThreadRecord};
use crate::raw::table::{Slot, Table};
use core::array::from_fn;

fn of_one(state: u64, place: u64) -> Barrier<Linux, 1> {
    Barrier::from_parts(Word64::new(state), Word::new(0), Word::new(0), [Word::new(0)], [Word64::new(place)])
}

#[test]
fn any_word_is_a_number_of_parties() {
    for (word, parties) in [(0, 3), (1, 1), (2, 2), (3, 3), (4, 3), (u32::MAX, 3)] {
        let members = from_fn(|_| Word::new(0));
        let places = from_fn(|_| Word64::new(0));
        let barrier = Barrier::<Linux, 3>::from_parts(Word64::new(0), Word::new(0), Word::new(word), members, places);
        assert_eq!(barrier.parties(), parties, "{word}");
    }
}

/// Generations have three bits here. A waiter that is gone does not count as arrived when its
/// generation's number comes again.
#[test]
fn a_row_of_resets_brings_nobody_back() {
    let table = Table { membership: &Word::new(0), cursor: &Word::new(0), stamp: &Word::new(0), slots: &[] };
    let [me, gone] = [Id::new(0, 1), Id::new(1, 1)];
    let places = [u64::from(gone.word()) << 32, 0].map(Word64::new);
    let members = [0; 2].map(Word::new);
    let barrier = Barrier::<Linux, 2, 3>::from_parts(Word64::new(0), Word::new(0), Word::new(0), members, places);
    assert!(barrier.arrived().eq([gone]));
    for reset in 1..=16 {
        barrier.reset(Participant { id: me, table: &table });
        assert_eq!(barrier.state().generation(), reset % 8);
        assert_eq!(barrier.arrived().count(), 0, "after {reset} resets");
    }
}

/// Only scribbling leaves such places. Nobody may wait for a waiter that never existed, be it in a
/// later generation or in a trip that is half done.
#[test]
fn a_place_that_nobody_can_have_is_free() {
    let slots = [Slot::<Linux>::from_parts(
        Word64::new(Slot::<Linux>::claim_of_first(1)),
        [1, 0].map(RobustNode::unlinked),
        ThreadRecord::from_process(1),
    )];
    let (membership, cursor, stamp) = (Word::new(1), Word::new(0), Word::new(0));
    let table = Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots };
    let me = Participant { id: Id::new(0, 1), table: &table };
    let nobody = u64::from(Id::new(3, 1).word()) << 32;
    let stamp = 1 << 62;
    for (state, place, generation) in [
        (0, nobody | 5, 0),
        (0, nobody | stamp, 0),
        (0, nobody | stamp | 5, 0),
        (0, 5 | stamp, 0),
        (TRIPPING, nobody, 1),
    ] {
        let barrier = of_one(state, place);
        assert_eq!(barrier.wait(me, None, false), Ok(Passed::Leader { index: 0, generation }), "{state:x} {place:x}");
    }
}
