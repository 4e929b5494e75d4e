//! Lists in ordinary memory, which Miri can check.

#![allow(clippy::disallowed_types)] // this is behind the seam

use super::super::neighbour::read_link;
use super::*;

static LIST: Head = Head::empty();
static MUTEXES: [RobustNode; 2] = [const { RobustNode::unlinked(0) }; 2];
static LIFELINES: [RobustNode; 4] = [const { RobustNode::unlinked(0) }; 4];
static PLACES: [Place; 4] = [const { Place::empty() }; 4];
static ANCHORS: Anchors = Anchors::new();

/// Links it in at the head, as the C library does.
fn lock(list: &Head, mutex: &'static RobustNode) {
    let head = ptr::from_ref(list) as u64;
    let below = list.first.load(PRIVATE);
    if below != head {
        // SAFETY: a node of this test's.
        unsafe { write_link(below - 8, mutex.address()) };
    }
    mutex.set_previous(head);
    mutex.set_next(below);
    list.first.store(mutex.address(), PRIVATE);
}

/// The addresses of all entries, as the kernel finds them.
fn walk(list: &Head) -> Vec<u64> {
    let mut found = Vec::new();
    let mut next = list.first.load(PRIVATE);
    while next != ptr::from_ref(list) as u64 {
        found.push(next);
        assert!(found.len() < 20, "a cycle");
        // SAFETY: a node of this test's.
        next = unsafe { read_link(next) };
    }
    found
}

#[test]
fn lifelines_come_and_go_between_the_anchors() {
    let (list, anchors, [older, newer]) = (&LIST, &ANCHORS, &MUTEXES);
    list.first.store(ptr::from_ref(list) as u64, PRIVATE);
    lock(list, older);
    // SAFETY: the list is this test's, and nobody walks it while it is changed.
    unsafe { anchors.insert_at(NonNull::from(list)) };
    lock(list, newer);
    let [first, last] = anchors.nodes.each_ref().map(RobustNode::address);
    assert_eq!(walk(list), [newer.address(), first, last, older.address()]);
    assert_eq!(anchors.nodes[0].previous(), newer.address(), "what the C library writes when it unlocks");
    assert_eq!(older.previous(), last, "where the C library writes when it unlocks");

    // Every order in which four lifelines can leave.
    for order in 0..24 {
        for (line, place) in LIFELINES.iter().zip(&PLACES) {
            line.word.store(0, PRIVATE);
            // SAFETY: as above; all are statics.
            unsafe { anchors.insert(place, line, 7, true) };
            assert_eq!(line.word.load(PRIVATE), 7 | WAKE_AT_DEATH);
        }
        let mut there: Vec<_> = (0..4).rev().collect();
        let mut rest = order;
        for left in (1..=4).rev() {
            let expected = there.iter().map(|line: &usize| LIFELINES[*line].address());
            let expected: Vec<_> =
                [newer.address(), first].into_iter().chain(expected).chain([last, older.address()]).collect();
            assert_eq!(walk(list), expected);
            let leaver = there.remove(rest % left);
            rest /= left;
            LIFELINES[leaver].set_next(0xdead); // whatever is there
            // SAFETY: as above.
            unsafe { take_out(&PLACES[leaver]) };
            // SAFETY: as above; the place is not linked any more.
            unsafe { take_out(&PLACES[leaver]) };
            assert_eq!(anchors.lifelines.load(PRIVATE), left - 1);
        }
        assert_eq!(walk(list), [newer.address(), first, last, older.address()]);
    }
    assert_eq!(list.pending.load(PRIVATE), 0);
}
