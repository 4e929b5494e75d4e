//! When a source is ready, what it leaves, and whom it wakes.

use super::tests::{CLOSED, Places, holds, queue};
use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Wakes, id_of, play, scene, still_ending};
use crate::raw::ends::Ends;
use crate::raw::hold::WAITERS;
use crate::raw::wait_any::{NotReady, Of, Readiness, Source, wait_any};
use proptest::prelude::*;

const WANTS: [Want; 3] = [Want::Task, Want::Room, Want::End];
const DEAD: usize = 7;

fn with_queue<const N: usize, R>(
    queue: &TaskQueue<Puppet>,
    places: &Places<N>,
    act: impl FnOnce([Awaited<'_, Puppet, Places<N>>; 3], Participant<'_, Puppet>) -> R,
) -> (R, Wakes) {
    play(3, vec![], |me| act(WANTS.map(|want| Awaited { tasks: queue.with(places), want }), me))
}

/// Whether the three sources of a queue with these holds are ready.
fn ready(holds: [u32; 2], room: u32) -> [bool; 3] {
    let (queue, places) = (queue::<32>([0, room]), Places::new(holds));
    let (ready, _) = with_queue(&queue, &places, |sources, me| sources.each_ref().map(|source| source.is_ready(me)));
    assert_eq!([0, 1].map(|index| places.hold(index)), holds, "a check takes nothing");
    ready
}

#[test]
fn a_source_is_ready_if_an_attempt_would_do_something() {
    let (mine, living, dead) = (id_of(0), id_of(1), id_of(DEAD));
    for (hold, of_open, of_closed) in [
        (FREE, [false, true, true], [true, true, true]),
        (FULL, [true, false, false], [true, true, false]),
        (AGAIN, [true, false, false], [true, true, false]),
        (ASIDE, [false, false, true], [true, true, true]),
        (filling(living), [false, false, true], [false, true, true]),
        (filling(mine), [false, false, true], [false, true, true]),
        (filling(dead), [false, true, true], [true, true, true]),
        (taken(living), [false, false, false], [false, true, false]),
        (taken(mine), [false, false, false], [false, true, false]),
        (taken(dead), [true, false, false], [true, true, false]),
    ] {
        for holds in [[hold, ASIDE], [ASIDE, hold]] {
            assert_eq!((ready(holds, 0), ready(holds, CLOSED)), (of_open, of_closed), "{holds:x?}");
        }
    }
    // A slot that is in use keeps the end away.
    assert_eq!(ready([FREE, taken(living)], CLOSED), [false, true, false]);
    // But an attempt frees the slot of a dead producer.
    assert_eq!(ready([filling(dead), taken(living)], CLOSED), [true, true, false]);
}

/// Its producer has made the slot full, and was stopped before it published the cell.
#[test]
fn a_task_behind_a_cell_in_use_is_ready_and_is_taken() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FREE, FULL]));
    places.slots[0].cell.store(u64::from(filling(id_of(1))) << 32, Relaxed);
    with_queue(&queue, &places, |[task, ..], me| {
        assert!(task.is_ready(me));
        assert_eq!(task.tasks.try_take(me), Ok(Taken::of(1, id_of(0))));
        assert!(!task.is_ready(me));
    });
}

/// The first attempt sets it aside, and finds no other.
#[test]
fn a_task_of_the_dead_without_attempts_is_ready_once() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([taken(id_of(DEAD)), FREE]));
    queue.set_limit(1);
    with_queue(&queue, &places, |[task, ..], me| {
        assert!(task.is_ready(me));
        assert_eq!(task.tasks.try_take(me), Err(NotClaimed::WouldBlock));
        assert!(!task.is_ready(me));
    });
    assert_eq!(places.hold(0), ASIDE);
}

#[test]
fn who_waits_for_the_end_sets_aside_what_the_dead_have_left() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([taken(id_of(DEAD)), FREE]));
    queue.set_limit(1);
    let (is_ready, _) = with_queue(&queue, &places, |[.., end], me| end.is_ready(me));
    assert_eq!((is_ready, places.hold(0)), (true, ASIDE));
}

/// Another thread of the dead user's process may still use the item.
#[test]
fn while_a_user_is_ending_the_sleeps_are_short() {
    for (hold, want) in [(taken(id_of(1)), Want::Task), (filling(id_of(1)), Want::Room), (taken(id_of(1)), Want::End)] {
        let (queue, places) = (queue::<32>([0; 2]), Places::new([hold, ASIDE]));
        queue.set_limit(u32::from(want == Want::End));
        let dies = scene(|sleep| {
            sleep.dies(sleep.others().next().expect("it is watched"));
            still_ending(1);
        });
        let is_brief = scene(|sleep| assert!(sleep.until().is_some_and(|until| until < DEADLINE / 100)));
        let (answer, _) = play(3, vec![dies, is_brief], |me| {
            wait_any(&[Of { me, source: &Awaited { tasks: queue.with(&places), want } }], 0, Some(DEADLINE))
        });
        still_ending(0);
        assert_eq!(answer, Ok(0), "{want:?}");
    }
}

#[test]
fn a_source_that_is_not_ready_leaves_waiters_set_in_its_word_alone() {
    for (index, want) in WANTS.into_iter().enumerate() {
        let (queue, places) = (queue::<32>([0; 2]), Places::new([taken(id_of(1)); 2]));
        let (answer, _) = play(3, vec![scene(|sleep| sleep.lasts())], |me| {
            wait_any(&[Of { me, source: &Awaited { tasks: queue.with(&places), want } }], 0, Some(DEADLINE))
        });
        assert_eq!(answer, Err(NotReady::TimedOut));
        let tasks = queue.with(&places);
        let words = [tasks.ring().items(), tasks.ring().room(), tasks.finished()].map(|word| word.load(Relaxed));
        assert_eq!(words, core::array::from_fn(|at| if at == index { WAITERS } else { 0 }));
    }
}

#[test]
fn a_source_is_observed_as_it_is_and_wakes_one_more() {
    let (queue, places) = (queue::<32>([5, 6]), Places::new([taken(id_of(1)); 2]));
    let tasks = queue.with(&places);
    tasks.finished().store(7, Relaxed);
    let words = [tasks.ring().items(), tasks.ring().room(), tasks.finished()];
    let ((), wakes) = with_queue(&queue, &places, |sources, me| {
        for (index, source) in sources.iter().enumerate() {
            for waiters in [0, WAITERS] {
                let mut awaited = vec![];
                source.observe(me, &mut awaited);
                assert_eq!(
                    awaited.iter().map(|expect| expect.value).collect::<Vec<_>>(),
                    [(5 + index as u32) | waiters]
                );
                assert!(core::ptr::eq(awaited[0].word, words[index]));
                assert_eq!(source.announce(me, &mut awaited), Readiness::Unready);
                assert_eq!(awaited[1].value, (5 + index as u32) | WAITERS);
                assert!(core::ptr::eq(awaited[1].word, words[index]));
            }
            source.wake_next(me);
            assert_eq!(source.is_for_all(), source.want == Want::End);
        }
    });
    assert_eq!(words.map(|word| wakes.on(word)), [vec![1], vec![1], vec![1]]);
}

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    /// Invariants 13 and 14, with any words: otherwise a caller would try forever, or sleep beside
    /// what it could take.
    #[test]
    fn an_attempt_does_something_if_and_only_if_its_source_is_ready(
        slots in any::<[[u32; 3]; 3]>(),
        holds in [holds(), holds(), holds()],
        cells in any::<[u64; 3]>(),
        words in (any::<u32>(), 0..3u32, any::<u32>(), 0..3u32),
        hints in any::<[u64; 2]>(),
        room in prop_oneof![Just(0), Just(CLOSED)],
    ) {
        let [tail, head] = hints.map(Word64::new);
        let ring = Queue::from_words(tail, head, Word::new(0), Word::new(room), Ends::default());
        let queue = TaskQueue::<Puppet>::from_words(ring, words.into());
        let slot = |index: usize| {
            let [number, attempts, uses] = slots[index];
            SlotWords::from_words(cells[index], [number, holds[index], attempts, uses])
        };
        let places = Places::of_slots(core::array::from_fn::<_, 3, _>(slot));
        let seen = || [0, 1, 2].map(|index| places.hold(index));
        with_queue(&queue, &places, |[task, room, _], me| {
            for _ in 0..8 {
                let (before, is_ready) = (seen(), task.is_ready(me));
                let taken = task.tasks.try_take(me);
                let does_something = taken != Err(NotClaimed::WouldBlock) || is_ready && seen() != before;
                assert_eq!(is_ready, does_something, "{before:x?}, {taken:?}");
            }
            for _ in 0..8 {
                let is_ready = room.is_ready(me);
                let reserved = room.tasks.try_reserve(me);
                assert_eq!(is_ready, reserved != Err(NotClaimed::WouldBlock), "{reserved:?}");
            }
        });
    }
}
