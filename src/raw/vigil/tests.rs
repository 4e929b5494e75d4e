//! Which participants are watched, if there are many.

use super::*;
use crate::platform::linux::{Linux, RobustNode, ThreadRecord};
use crate::platform::{MARK, WAKE_AT_DEATH, Word64};
use crate::raw::table::{Slot, Table};

/// One thread: its process, whether it is the process's main thread, whether it is alive.
#[derive(Debug, Clone, Copy)]
struct Thread {
    process: u32,
    is_main: bool,
    is_alive: bool,
}

fn main_of(process: u32) -> Thread {
    Thread { process, is_main: true, is_alive: true }
}

fn other_of(process: u32) -> Thread {
    Thread { is_main: false, ..main_of(process) }
}

/// The indices of the threads that the first thread would watch, and whether these are all living
/// threads. Slots after the first `used` were never registered, and are not watched.
fn watched_by_the_first(threads: &[Thread], used: usize, holder: Option<Id>) -> (Vec<usize>, bool) {
    let slot = |(place, thread): (usize, &Thread)| {
        let alive = (place as u32 + 1) | WAKE_AT_DEATH;
        let own = if thread.is_alive { alive } else { MARK | WAKE_AT_DEATH };
        let lifelines = [own, if thread.is_main { 0 } else { alive }].map(RobustNode::unlinked);
        let claim = Slot::<Linux>::claim_of_first(place as u32 + 1);
        Slot::from_parts(Word64::new(claim), lifelines, ThreadRecord::from_process(10 + thread.process))
    };
    let slots: Vec<Slot<Linux>> = threads.iter().enumerate().map(slot).collect();
    let (membership, cursor, stamp) = (Word::new(used as u32), Word::new(0), Word::new(0));
    let table = Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots };
    let me = Participant { id: Id::new(0, 1), table: &table };
    let watch = Vigil::new(me, None).collect(holder);
    let mut places: Vec<_> = watch.lifelines.iter().map(|watched| usize::from(watched.slot)).collect();
    places.dedup();
    assert_eq!(watch.everybody.unwrap_or(places.len()), places.len(), "the watched participants are counted");
    (places, watch.everybody.is_some())
}

#[test]
fn a_list_takes_as_many_items_as_its_limit() {
    let mut list = List::<usize, 8>::new(5);
    for place in 0..9 {
        assert_eq!(list.has_room_for(1), place < 5);
        assert_eq!(list.has_room_for(2), place < 4);
        list.push(place);
    }
    assert_eq!(list.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

/// 126 threads take part, or half as many if they are not their processes' main threads: each of
/// those takes two words.
#[test]
fn everybody_is_watched_as_long_as_there_is_room() {
    for (thread, most) in [(main_of as fn(u32) -> Thread, 125), (other_of, 63)] {
        for others in [0, 1, 2, most - 1, most] {
            let threads: Vec<_> = (0..=others as u32).map(thread).collect();
            let everybody: Vec<_> = (1..=others).collect();
            assert_eq!(watched_by_the_first(&threads, threads.len(), None), (everybody, true), "{others}");
        }
    }
}

#[test]
fn neither_dead_participants_nor_unused_slots_are_watched() {
    let mut threads: Vec<_> = (0..6).map(main_of).collect();
    threads[2].is_alive = false;
    assert_eq!(watched_by_the_first(&threads, 5, None), (vec![1, 3, 4], true));
    assert_eq!(watched_by_the_first(&threads, 9, None), (vec![1, 3, 4, 5], true), "more than there are slots");
}

#[test]
fn in_a_crowd_one_thread_stands_for_its_process() {
    // Four processes, a hundred threads each; the first is ours.
    let threads: Vec<_> = (0..400).map(|place| if place < 4 { main_of(place) } else { other_of(place % 4) }).collect();
    assert_eq!(watched_by_the_first(&threads, threads.len(), None), (vec![1, 2, 3], false));
}

#[test]
fn in_a_crowd_of_processes_the_watch_is_filled() {
    let threads: Vec<_> = (0..300).map(main_of).collect();
    let (places, is_everybody) = watched_by_the_first(&threads, threads.len(), None);
    assert_eq!((places, is_everybody), ((1..=125).collect(), false));
}

#[test]
fn the_holder_comes_first_even_if_it_is_of_our_process() {
    let threads: Vec<_> = (0..400).map(|place| if place < 4 { main_of(place) } else { other_of(place % 4) }).collect();
    for (place, expected) in [(3, vec![3, 1, 2, 7]), (390, vec![390, 1, 2, 3]), (396, vec![396, 1, 2, 3])] {
        let (places, _) = watched_by_the_first(&threads, threads.len(), Some(Id::new(place, 1)));
        assert_eq!(places, expected);
    }
    let (places, _) = watched_by_the_first(&threads, threads.len(), Some(Id::new(threads.len(), 1)));
    assert_eq!(places, [1, 2, 3], "there is no such slot");
    let few: Vec<_> = (0..4).map(main_of).collect();
    assert_eq!(watched_by_the_first(&few, 4, Some(Id::new(2, 1))), (vec![2, 1, 3], true));
    assert_eq!(watched_by_the_first(&few, 4, Some(Id::new(99, 1))), (vec![1, 2, 3], true), "there is no such slot");
}
