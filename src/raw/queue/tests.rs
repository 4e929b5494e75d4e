//! A queue's words, compared with plain numbers, and searches over words that nobody wrote.

use super::cell::{Order, Use};
use super::*;
use crate::platform::puppet::{Puppet, id_of, play};
use crate::raw::hold::HELD;
use core::cell::Cell as Counter;
use proptest::prelude::*;

/// Cells without items. So many of their words may be used.
#[derive(Debug)]
pub(super) struct Words<const N: usize> {
    pub(super) words: [<Puppet as Platform>::Word64; N],
    pub(super) uses: Counter<usize>,
}

impl<const N: usize> Words<N> {
    pub(super) fn new(words: [u64; N]) -> Self {
        Self { words: words.map(Word64::new), uses: Counter::new(1_000) }
    }
}

impl<const N: usize> Cells<Puppet> for Words<N> {
    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &<Puppet as Platform>::Word64 {
        self.uses.set(self.uses.get().checked_sub(1).expect("the search ends"));
        &self.words[index]
    }
}

pub(super) fn at(lap: u32, index: u32) -> Claim {
    Claim { position: Position { lap, index } }
}

pub(super) fn queue<const BITS: u32>(tail: u64, head: u64, [items, room]: [u32; 2]) -> Queue<Puppet, BITS> {
    Queue::from_words(Word64::new(tail), Word64::new(head), Word::new(items), Word::new(room), Ends::default())
}

pub(super) fn hint(lap: u32, index: u32) -> u64 {
    Position { lap, index }.word()
}

/// Whether the halves of a word could be the words of holds.
fn names(word: u64) -> [Option<Id>; 2] {
    [word as u32, (word >> 32) as u32].map(Id::holder_in)
}

fn reads_as_written<const BITS: u32>(lap: u32, id: Id) {
    let (lap, after) = (lap & most::<BITS>(), lap.wrapping_add(1) & most::<BITS>());
    let written = [
        (Cell::<BITS>::filling(lap, id), lap, Use::Filling(id)),
        (Cell::full(lap), lap, Use::Full),
        (Cell::taking(lap, id), lap, Use::Taking(id)),
        (Cell::finished(lap), after, Use::Free),
    ];
    for (cell, lap, used) in written {
        assert_eq!((cell.lap(), cell.use_of()), (lap, used), "{BITS} bits");
        assert_eq!(cell.lap_before(), lap.wrapping_sub(1) & most::<BITS>(), "{BITS} bits");
        let user = match used {
            Use::Filling(user) | Use::Taking(user) => Some(user),
            Use::Free | Use::Full => None,
        };
        assert_eq!(names(cell.0), [None, user], "a search for a participant's name finds it in the upper half");
    }
}

fn laps_have_an_order<const BITS: u32>(lap: u32, ahead: u32) {
    let (lap, ahead) = (lap & most::<BITS>(), ahead & most::<BITS>());
    let cell = Cell::<BITS>::full(lap.wrapping_add(ahead) & most::<BITS>());
    let expected = match ahead {
        0 => Order::Same,
        ahead if ahead < 1 << (BITS - 1) => Order::Later,
        _ => Order::Earlier,
    };
    assert_eq!(cell.order(lap), expected, "{BITS} bits: {ahead} after {lap}");
}

/// From a position near the last one before the laps begin again.
fn positions_follow_each_other<const BITS: u32, const N: usize>(lap: u32) {
    let (queue, cells) = (queue::<BITS>(0, 0, [0; 2]), Words::new([0; N]));
    let ring = queue.with(&cells);
    let mut position = Position { lap: lap & most::<BITS>(), index: 0 };
    for later in 0..4 * N {
        let (laps, index) = ((later / N) as u32, (later % N) as u32);
        assert_eq!(position, Position { lap: lap.wrapping_add(laps) & most::<BITS>(), index });
        assert_eq!(ring.position(position.word()), position, "as a hint");
        position = ring.after(position);
    }
}

fn len_of<const N: usize>(words: [u64; N], tail: u64, head: u64) -> usize {
    let (queue, cells) = (queue::<32>(tail, head, [0; 2]), Words::new(words));
    let len = queue.with(&cells).len();
    assert!(len <= N && queue.with(&cells).is_empty() == (len == 0));
    len
}

/// Words that are likely to have something to do with each other.
fn cell_words() -> impl Strategy<Value = u64> {
    let id = prop_oneof![
        (0..3usize).prop_map(id_of), // they live
        (3..6usize).prop_map(id_of), // they do not
        any::<u32>().prop_map(|word| Id::holder_in(word | HELD).expect("it is held")),
    ];
    let lap = prop_oneof![0..4u32, (u32::MAX - 3)..=u32::MAX, any::<u32>()];
    prop_oneof![
        any::<u64>(),
        (lap, id, 0..4u8).prop_map(|(lap, id, which)| match which {
            0 => Cell::<32>::filling(lap, id).0,
            1 => Cell::<32>::full(lap).0,
            2 => Cell::<32>::taking(lap, id).0,
            _ => Cell::<32>::finished(lap).0,
        }),
    ]
}

fn hints() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), (any::<u32>(), 0..5u32).prop_map(|(lap, index)| hint(lap, index)), 0..5u64]
}

/// Claims all that can be claimed. No search uses more words than a thousand.
fn searches_end<const N: usize>(words: [u64; N], tail: u64, head: u64, sleepers: [u32; 2]) {
    let (queue, cells) = (queue::<32>(tail, head, sleepers), Words::new(words));
    play(3, vec![], |me| {
        let ring = queue.with(&cells);
        for _ in 0..4 * N {
            cells.uses.set(1_000);
            if let Ok(claim) = ring.try_claim_full(me) {
                assert!(claim.index() < N);
                ring.finish(claim);
            }
            cells.uses.set(1_000);
            if let Ok(claim) = ring.try_claim_free(me) {
                assert!(claim.index() < N);
                ring.publish(claim);
            }
            assert!(ring.len() <= N);
        }
    });
}

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_cell_reads_as_it_was_written(lap in any::<u32>(), name in any::<u32>()) {
        let id = Id::holder_in(name | HELD).expect("it is held");
        reads_as_written::<3>(lap, id);
        reads_as_written::<32>(lap, id);
        reads_as_written::<32>(u32::MAX - lap % 2, id);
    }

    #[test]
    fn the_half_of_the_circle_that_follows_a_lap_is_later(lap in any::<u32>(), ahead in any::<u32>()) {
        for ahead in [0, 1, ahead, ahead % 8, 1 << 31, (1 << 31) - 1, u32::MAX] {
            laps_have_an_order::<3>(lap, ahead);
            laps_have_an_order::<32>(lap, ahead);
        }
    }

    #[test]
    fn the_first_position_follows_the_last_one(lap in any::<u32>()) {
        for lap in [lap, u32::MAX - lap % 4] {
            positions_follow_each_other::<3, 1>(lap);
            positions_follow_each_other::<3, 3>(lap);
            positions_follow_each_other::<32, 1>(lap);
            positions_follow_each_other::<32, 3>(lap);
        }
    }

    #[test]
    fn an_index_beyond_the_last_cell_is_read_as_the_first_one(lap in any::<u32>(), index in 3..=u32::MAX) {
        let (queue, cells) = (queue::<32>(0, 0, [0; 2]), Words::new([0; 3]));
        prop_assert_eq!(queue.with(&cells).position(hint(lap, index)), Position { lap, index: 0 });
    }

    #[test]
    fn the_length_is_the_distance_of_the_hints(lap in any::<u32>(), from in 0..3u32, length in 0..=3u32) {
        let to = from + length;
        let mut words = [0; 3];
        // The three positions before the tail. What comes before the head is finished.
        for position in to..to + 3 {
            let of_cell = lap.wrapping_add(position / 3).wrapping_sub(1);
            let is_full = position >= from + 3;
            words[position as usize % 3] = if is_full { Cell::<32>::full(of_cell) } else { Cell::finished(of_cell) }.0;
        }
        prop_assert_eq!(len_of(words, hint(lap.wrapping_add(to / 3), to % 3), hint(lap, from)), length as usize);
    }

    #[test]
    fn hints_that_nobody_wrote_give_a_length_too(
        words in [cell_words(), cell_words(), cell_words()],
        tail in hints(),
        head in hints(),
    ) {
        let _at_most_the_capacity = (len_of([words[0]], tail, head), len_of(words, tail, head));
    }

    #[test]
    fn a_search_ends_whatever_the_words(
        words in [cell_words(), cell_words(), cell_words(), cell_words()],
        tail in hints(),
        head in hints(),
        sleepers in any::<[u32; 2]>(),
    ) {
        let [first, second, third, _] = words;
        searches_end([first], tail, head, sleepers);
        searches_end([first, second], tail, head, sleepers);
        searches_end([first, second, third], tail, head, sleepers);
        searches_end(words, tail, head, sleepers);
    }
}

/// Seen from each of them, the next one is later.
#[test]
fn a_search_over_laps_that_are_a_circle_ends() {
    const THIRD: u32 = u32::MAX / 3;
    searches_end([0, THIRD, 2 * THIRD].map(|lap| Cell::<32>::full(lap).0), 0, hint(u32::MAX, 0), [0; 2]);
}

#[test]
fn a_tail_that_is_too_large_is_found_out() {
    for (lap, index) in [(0, 1), (1, 0), (3, 1), (1 << 31, 0), (u32::MAX, 1)] {
        let (queue, cells) = (queue::<32>(hint(lap, index), 0, [0; 2]), Words::new([0; 2]));
        let (claims, _) = play(1, vec![], |me| [(); 3].map(|()| queue.with(&cells).try_claim_free(me)));
        let mut indices: Vec<_> = claims.iter().flatten().map(|claim| claim.index()).collect();
        indices.sort_unstable();
        assert_eq!((indices, claims[2]), (vec![0, 1], Err(NotClaimed::WouldBlock)), "from {lap} {index}");
    }
}

#[test]
fn a_head_that_is_too_large_is_found_out() {
    for (lap, index) in [(0, 1), (1, 0), (3, 1), (1 << 31, 0), (u32::MAX, 1)] {
        let (queue, cells) =
            (queue::<32>(hint(1, 0), hint(lap, index), [0; 2]), Words::new([Cell::<32>::full(0).0; 2]));
        let (claims, _) = play(1, vec![], |me| [(); 3].map(|()| queue.with(&cells).try_claim_full(me)));
        let mut indices: Vec<_> = claims.iter().flatten().map(|claim| claim.index()).collect();
        indices.sort_unstable();
        assert_eq!((indices, claims[2]), (vec![0, 1], Err(NotClaimed::WouldBlock)), "from {lap} {index}");
    }
}

/// Invariant 3. A dead consumer has left the item of (2, 1). Another consumer has received that of
/// (2, 2). A third one stored its hint late. All other positions are finished.
#[test]
fn a_head_that_is_too_small_hides_no_item() {
    for (lap, index) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)] {
        let finished = Cell::<32>::finished(2).0;
        let cells = Words::new([finished, Cell::<32>::taking(2, id_of(5)).0, finished]);
        let queue = queue::<32>(hint(3, 0), hint(lap, index), [0, CLOSED]);
        let (claim, _) = play(3, vec![], |me| queue.with(&cells).try_claim_full(me));
        assert_eq!(claim, Ok(at(2, 1)), "from {lap} {index}");
    }
}

/// A search goes on where all positions before are certainly finished, and not in the next lap: it
/// ends after three of them.
#[test]
fn a_head_that_is_many_laps_too_small_hides_no_item() {
    for index in 0..3 {
        let finished = Cell::<32>::finished(40).0;
        let cells = Words::new([finished, Cell::<32>::full(40).0, finished]);
        let queue = queue::<32>(hint(41, 0), hint(0, index), [0; 2]);
        let (claim, _) = play(1, vec![], |me| queue.with(&cells).try_claim_full(me));
        assert_eq!(claim, Ok(at(40, 1)), "from {index}");
    }
}

/// The same, but the consumer of (2, 1) lives, and may still die.
#[test]
fn a_head_that_is_too_small_does_not_end_a_closed_queue() {
    for (lap, index) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)] {
        let finished = Cell::<32>::finished(2).0;
        let cells = Words::new([finished, Cell::<32>::taking(2, id_of(1)).0, finished]);
        let queue = queue::<32>(hint(3, 0), hint(lap, index), [0, CLOSED]);
        let (claim, _) = play(3, vec![], |me| queue.with(&cells).try_claim_full(me));
        assert_eq!(claim, Err(NotClaimed::WouldBlock), "from {lap} {index}");
    }
}

#[test]
fn a_tail_that_is_too_small_costs_time_alone() {
    for (lap, index) in [(0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (2, 2), (3, 0)] {
        let finished = Cell::<32>::finished(2).0;
        let cells = Words::new([finished, Cell::<32>::taking(2, id_of(1)).0, finished]);
        let queue = queue::<32>(hint(lap, index), hint(2, 1), [0; 2]);
        let (claims, _) = play(3, vec![], |me| [(); 2].map(|()| queue.with(&cells).try_claim_free(me)));
        assert_eq!(claims, [Ok(at(3, 0)), Err(NotClaimed::WouldBlock)], "from {lap} {index}");
    }
}

#[test]
fn a_position_that_is_finished_before_an_earlier_one_does_not_count_at_last() {
    let (queue, cells) = (queue::<32>(0, 0, [0; 2]), Words::new([0; 3]));
    play(1, vec![], |me| {
        let ring = queue.with(&cells);
        let two = [(); 2].map(|()| ring.try_claim_free(me).expect("there is room"));
        two.into_iter().for_each(|claim| ring.publish(claim));
        let [first, second] = [(); 2].map(|()| ring.try_claim_full(me).expect("there are two items"));
        assert_eq!(ring.len(), 2);
        ring.finish(second);
        ring.finish(first);
        assert_eq!(ring.len(), 0);
    });
}

/// Nobody writes such a hint.
#[test]
fn a_tail_that_is_laps_too_large_leads_to_the_lap_of_its_cell() {
    let (queue, cells) = (queue::<32>(hint(5, 1), hint(3, 0), [0; 2]), Words::new([Cell::<32>::free(3).0; 2]));
    let (claim, _) = play(3, vec![], |me| queue.with(&cells).try_claim_free(me));
    assert_eq!(claim, Ok(at(3, 1)));
}

/// The search goes round twice: it learns the lap, and comes to the cell.
#[test]
fn a_free_cell_is_found_from_a_hint_that_is_many_laps_too_small() {
    let mut words = [Cell::<32>::full(5).0; 8];
    words[7] = Cell::<32>::free(5).0;
    let (queue, cells) = (queue::<32>(hint(0, 0), hint(5, 0), [0; 2]), Words::new(words));
    let (claim, _) = play(3, vec![], |me| queue.with(&cells).try_claim_free(me));
    assert_eq!(claim, Ok(at(5, 7)));
}

#[test]
fn what_a_closed_queue_does_not_take_does_not_count() {
    let (queue, cells) = (queue::<32>(0, 0, [0; 2]), Words::new([0; 3]));
    play(1, vec![], |me| {
        let ring = queue.with(&cells);
        assert!(ring.close());
        assert_eq!(ring.try_claim_free(me), Err(NotClaimed::Closed));
        assert_eq!(ring.len(), 0);
    });
}
