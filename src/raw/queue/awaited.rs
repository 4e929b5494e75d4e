//! When the two sides of a queue are ready, as sources of a wait for several; and its length.

use super::tests::{Words, hint, queue};
use super::*;
use crate::platform::puppet::{Puppet, id_of, play};
use crate::raw::wait_any::{Readiness, Source};

const FREE: u64 = 0;

/// Whether there is an item, and room, in a queue of these cells.
fn ready(cells: [u64; 2], room: u32) -> [bool; 2] {
    // The hints are too small, if the cells are full. That costs time alone.
    let (queue, cells) = (queue::<32>(0, 0, [0, room]), Words::new(cells));
    play(3, vec![], |me| {
        let (items, room) = (Readable(queue.with(&cells)), Writable(queue.with(&cells)));
        [items.is_ready(me), room.is_ready(me)]
    })
    .0
}

#[test]
fn a_source_is_ready_if_an_attempt_would_do_something() {
    let (living, dead) = (id_of(1), id_of(5));
    let full = Cell::<32>::full(0).0;
    for (cells, open, closed) in [
        ([FREE, FREE], [false, true], [true, true]),
        ([full, FREE], [true, true], [true, true]),
        ([full, full], [true, false], [true, true]),
        ([Cell::<32>::filling(0, living).0, FREE], [false, true], [false, true]),
        ([Cell::<32>::filling(0, dead).0, FREE], [false, true], [true, true]),
        ([Cell::<32>::taking(0, living).0, full], [true, false], [true, true]),
        ([Cell::<32>::taking(0, living).0; 2], [false, false], [false, true]),
        ([Cell::<32>::taking(0, dead).0, FREE], [true, true], [true, true]),
    ] {
        assert_eq!((ready(cells, 0), ready(cells, CLOSED)), (open, closed), "{cells:x?}");
    }
}

#[test]
fn a_source_of_an_abandoned_queue_is_ready() {
    for is_reader in [true, false] {
        let full = Cell::<32>::full(0).0;
        let (queue, cells) = (queue::<32>(0, 0, [0; 2]), Words::new(if is_reader { [FREE] } else { [full] }));
        let answers = play(3, vec![], |me| {
            let ring = queue.with(&cells);
            let (items, room) = (Readable(queue.with(&cells)), Writable(queue.with(&cells)));
            let is_ready = || if is_reader { items.is_ready(me) } else { room.is_ready(me) };
            let before = is_ready();
            if is_reader {
                let end = ring.take_sender(me).expect("there is one");
                ring.give_back_sender(end, None);
            } else {
                let end = ring.take_receiver(me).expect("there is one");
                ring.give_back_receiver(end, None);
            }
            [before, is_ready()]
        })
        .0;
        assert_eq!((answers, queue.is_closed()), ([false, true], true));
    }
}

/// A living participant may still publish an item there.
#[test]
fn an_abandoned_queue_is_not_over_while_a_cell_is_filled() {
    let (queue, cells) = (queue::<32>(1, 0, [0; 2]), Words::new([Cell::<32>::filling(0, id_of(1)).0, FREE]));
    let is_ready = play(3, vec![], |me| {
        let ring = queue.with(&cells);
        let end = ring.take_sender(me).expect("there is one");
        ring.give_back_sender(end, None);
        Readable(queue.with(&cells)).is_ready(me)
    })
    .0;
    assert_eq!((is_ready, queue.is_closed()), (false, true));
}

#[test]
fn the_last_end_of_a_side_closes_the_queue() {
    let (queue, cells) = (queue::<32>(0, 0, [0; 2]), Words::new([FREE]));
    play(3, vec![], |me| {
        let ring = queue.with(&cells);
        let ends = [(); 2].map(|()| ring.take_receiver(me).expect("there is one"));
        let closed = ends.map(|end| {
            ring.give_back_receiver(end, Some(me));
            queue.is_closed()
        });
        assert_eq!(closed, [false, true]);
    });
}

#[test]
fn a_source_is_observed_as_it_is_and_wakes_one_more() {
    let full = Cell::<32>::full(0).0;
    for (cells, is_reader) in [([FREE; 2], true), ([full; 2], false)] {
        let (queue, cells) = (queue::<32>(0, 0, [5, 6]), Words::new(cells));
        let ring = queue.with(&cells);
        let (items, room) = (Readable(queue.with(&cells)), Writable(queue.with(&cells)));
        let source: &dyn Source<Puppet> = if is_reader { &items } else { &room };
        let (word, value) = if is_reader { (ring.items(), 5) } else { (ring.room(), 6) };
        let ((), wakes) = play(3, vec![], |me| {
            let mut awaited = vec![];
            source.observe(me, &mut awaited);
            assert_eq!(source.announce(me, &mut awaited), Readiness::Unready);
            let values: Vec<_> = awaited.iter().map(|expect| expect.value).collect();
            assert_eq!(values, [value, value | WAITERS]);
            assert!(awaited.iter().all(|expect| core::ptr::eq(expect.word, word)));
            source.wake_next(me);
        });
        assert_eq!(wakes.on(word), [1]);
    }
}

/// What is quietly published or finished is seen, and the hint of the consumers follows the first
/// cell.
#[test]
fn an_item_is_published_and_finished_without_a_wake() {
    let (queue, cells) = (queue::<32>(0, 0, [0; 2]), Words::new([FREE; 2]));
    let ((), wakes) = play(1, vec![], |me| {
        let ring = queue.with(&cells);
        let claims = [(); 2].map(|()| ring.try_claim_free(me).expect("there is room"));
        claims.into_iter().for_each(|claim| ring.publish_quietly(claim));
        assert_eq!(ring.len(), 2);
        let [first, second] = [(); 2].map(|()| ring.try_claim_full(me).expect("there is an item"));
        ring.finish_quietly(second);
        assert_eq!((ring.head().load(Relaxed), ring.index_of_head()), (hint(0, 0), 0));
        ring.finish_quietly(first);
        assert_eq!((ring.head().load(Relaxed), ring.index_of_head()), (hint(0, 1), 1));
        assert_eq!((ring.len(), ring.capacity()), (0, 2));
    });
    assert_eq!(wakes.counts().count(), 0);
}

/// As if other threads had moved the hints meanwhile.
#[test]
fn the_length_is_right_where_the_hints_are_too_small_and_none_or_all_where_they_are_laps_apart() {
    let (full, filling) = (Cell::<32>::full(0).0, Cell::<32>::filling(0, id_of(1)).0);
    let in_lap_5 = Cell::<32>::free(5).0;
    for (cells, tail, head, expected) in [
        ([full, FREE], hint(0, 0), hint(0, 0), 1),
        ([filling, full], hint(0, 0), hint(0, 0), 2),
        ([Cell::<32>::finished(0).0, full], hint(0, 0), hint(0, 0), 1),
        ([in_lap_5; 2], hint(5, 0), hint(0, 0), 2),
        ([FREE; 2], hint(0, 0), hint(5, 0), 0),
    ] {
        let (queue, cells) = (queue::<32>(tail, head, [0; 2]), Words::new(cells));
        assert_eq!(queue.with(&cells).len(), expected, "{:x?}", cells.words);
    }
}
