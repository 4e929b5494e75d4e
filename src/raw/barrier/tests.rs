//! How many must meet.

use super::*;
use crate::platform::linux::{AboutThread, Linux, RobustNode};
use crate::raw::table::{Slot, Table};
use core::array::from_fn;

#[test]
fn any_word_is_a_number_of_parties() {
    for (word, parties) in [(0, 3), (1, 1), (2, 2), (3, 3), (4, 3), (u32::MAX, 3)] {
        let zero = || Word::new(0);
        let members = from_fn(|_| zero());
        let arrivals = from_fn(|_| Long::new(0));
        let barrier = Barrier::<Linux, 3>::from_parts(zero(), Word::new(word), members, arrivals);
        assert_eq!(barrier.parties(), parties, "{word}");
    }
}

/// A reset replaces no arrivals: what is old must go before its generation comes round.
#[test]
fn arrivals_of_long_ago_are_forgotten() {
    let id = Id::new(7, 1);
    for (ago, is_forgotten) in [(0, false), (1, false), (0xff, false), (0x100, true), (0x7fff, true)] {
        let now = 40_000;
        let arrival = Arrival::of(now - ago, id);
        let barrier = Barrier::<Linux, 1>::from_parts(
            Word::new(State(u32::from(now)).0),
            Word::new(0),
            [Word::new(0)],
            [Long::new(arrival.0)],
        );
        barrier.forget_old_arrivals(now);
        let left = Arrival(barrier.arrivals[0].load(Relaxed));
        assert_eq!(left.is_in(now - ago), !is_forgotten, "{ago}");
        assert_eq!(left.id(), Some(id));
    }
}

/// As only scribbling leaves it: nobody must wait for the generation to come.
#[test]
fn an_arrival_from_the_future_is_a_free_place() {
    let slots = [Slot::<Linux>::from_parts(
        Long::new(Slot::<Linux>::claim_of_first(1)),
        [1, 0].map(RobustNode::unlinked),
        AboutThread::of_process(1),
    )];
    let (membership, cursor, stamp) = (Word::new(1), Word::new(0), Word::new(0));
    let table = Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots };
    let me = Participant { id: Id::new(0, 1), table: &table };
    let future = Arrival::of(5, Id::new(3, 1));
    let barrier = Barrier::<Linux, 1>::from_parts(Word::new(0), Word::new(0), [Word::new(0)], [Long::new(future.0)]);
    assert_eq!(barrier.wait(&me, None, false), Ok(Passed::Leader { index: 0 }));
}
