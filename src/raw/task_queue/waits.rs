//! What a waiter does, step by step: its last check, the words that it leaves when it gives up, and
//! its wakes. And who is woken by whom.

use super::tests::{CLOSED, Places, queue};
use super::*;
use crate::platform::puppet::{
    DEADLINE, Puppet, Scene, Sleep, id_of, is_gone_from_now_on, play, reap_each, scene, still_ending,
};
use crate::platform::{Lifeline, MARK, WAKE_AT_DEATH};
use crate::raw::hold::WAITERS;
use std::rc::Rc;

/// A task queue of two slots.
#[derive(Debug)]
struct Two {
    queue: TaskQueue<Puppet>,
    places: Places<2>,
}

impl Two {
    fn new(holds: [u32; 2], sleepers: [u32; 2]) -> Rc<Self> {
        Rc::new(Self { queue: queue(sleepers), places: Places::new(holds) })
    }
    fn tasks(&self) -> Tasks<'_, Puppet, Places<2>> {
        self.queue.with(&self.places)
    }
    fn words(&self) -> [&<Puppet as Platform>::Word; 3] {
        [self.tasks().ring().items(), self.tasks().ring().room(), self.tasks().finished()]
    }

    /// As another participant does it that fills this slot.
    fn publish(&self, index: usize) {
        let slot = &self.places.slots[index];
        slot.number.store(index as u32, Relaxed);
        slot.hold.store(FULL, Relaxed);
        slot.cell.store(1 << 62, Relaxed);
        self.tasks().ring().notice_items(1);
    }

    fn take(&self, scenes: Vec<Scene>) -> (Result<Taken, NotClaimed>, Vec<u32>) {
        let (answer, wakes) = play(3, scenes, |me| self.tasks().take(me, Some(DEADLINE)));
        (answer, wakes.on(self.words()[0]))
    }
    fn reserve(&self, scenes: Vec<Scene>) -> (Result<Loan, NotClaimed>, Vec<u32>) {
        let (answer, wakes) = play(3, scenes, |me| self.tasks().reserve(me, Some(DEADLINE)));
        (answer, wakes.on(self.words()[1]))
    }
    fn join(&self, scenes: Vec<Scene>) -> (Result<(), NotClaimed>, Vec<u32>) {
        let (answer, wakes) = play(3, scenes, |me| self.tasks().wait_until_done(me, Some(DEADLINE)));
        (answer, wakes.on(self.words()[2]))
    }
}

/// A sleep during which this happens.
fn meanwhile(two: &Rc<Two>, what: impl FnOnce(&Two, &Sleep<'_>) + 'static) -> Vec<Scene> {
    let two = Rc::clone(two);
    vec![scene(move |sleep| what(&two, sleep))]
}

fn first_dies(sleep: &Sleep<'_>) {
    sleep.dies(sleep.others().next().expect("it is watched"));
    sleep.lasts();
}

fn by(who: usize) -> [u32; 2] {
    [filling(id_of(who)), taken(id_of(who))]
}

#[test]
fn a_task_that_fails_as_the_deadline_passes_is_taken() {
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    let (answer, _) = two.take(meanwhile(&two, |two, sleep| {
        two.tasks().fail(Taken::of(0, id_of(1))).expect("it has it");
        sleep.lasts();
    }));
    assert_eq!(answer, Ok(Taken::of(0, id_of(0))));
}

#[test]
fn a_slot_that_comes_free_as_the_deadline_passes_is_reserved() {
    let two = Two::new([by(1)[1]; 2], [0; 2]);
    let (answer, _) = two.reserve(meanwhile(&two, |two, sleep| {
        two.tasks().done(Taken::of(1, id_of(1))).expect("it has it");
        sleep.lasts();
    }));
    assert_eq!(answer, Ok(Loan::of(1, id_of(0))));
}

/// Without WAITERS: the caller has not come to its first sleep.
#[test]
fn what_the_dead_have_left_is_found_before_the_caller_spins() {
    let two = Two::new([by(7)[1], FREE], [0; 2]);
    assert_eq!(two.take(vec![]).0, Ok(Taken::of(0, id_of(0))));
    assert_eq!(two.words()[0].load(Relaxed), 0);
    // Its death was never told.
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    let (answer, _) = play(3, vec![], |me| {
        is_gone_from_now_on(2);
        reap_each(Duration::ZERO);
        two.tasks().take(me, Some(DEADLINE))
    });
    assert_eq!(answer, Ok(Taken::of(0, id_of(0))));
    assert_eq!(two.words()[0].load(Relaxed), 0);
}

#[test]
fn the_last_task_done_as_the_deadline_passes_ends_a_join() {
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    let (answer, wakes) = two.join(meanwhile(&two, |two, sleep| {
        two.tasks().done(Taken::of(0, id_of(1))).expect("it has it");
        sleep.lasts();
    }));
    // All are woken, and the waiter passes its own wake on.
    assert_eq!((answer, wakes), (Ok(()), vec![u32::MAX, 1]));
}

#[test]
fn what_the_dead_have_is_taken_over_as_the_deadline_passes() {
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    assert_eq!(two.take(meanwhile(&two, |_, sleep| first_dies(sleep))).0, Ok(Taken::of(0, id_of(0))));
    let two = Two::new([by(1)[0], FULL], [0; 2]);
    assert_eq!(two.reserve(meanwhile(&two, |_, sleep| first_dies(sleep))).0, Ok(Loan::of(0, id_of(0))));
}

#[test]
fn a_producer_does_not_get_the_task_of_the_dead() {
    let two = Two::new([by(1)[1], FULL], [0; 2]);
    assert_eq!(two.reserve(meanwhile(&two, |_, sleep| first_dies(sleep))).0, Err(NotClaimed::TimedOut));
}

#[test]
fn a_closed_queue_ends_when_the_last_loan_is_that_of_the_dead() {
    let two = Two::new([by(1)[0], FREE], [0, CLOSED]);
    assert_eq!(two.take(meanwhile(&two, |_, sleep| first_dies(sleep))).0, Err(NotClaimed::Closed));
}

#[test]
fn a_queue_closed_as_the_deadline_passes_is_closed() {
    let close = |two: &Two, sleep: &Sleep<'_>| {
        assert!(two.tasks().close());
        sleep.lasts();
    };
    let two = Two::new([FREE; 2], [0; 2]);
    assert_eq!(two.take(meanwhile(&two, close)).0, Err(NotClaimed::Closed));
    let two = Two::new([FULL; 2], [0; 2]);
    assert_eq!(two.reserve(meanwhile(&two, close)).0, Err(NotClaimed::Closed));
}

#[test]
fn the_participant_in_the_way_is_watched_first() {
    let its_lifeline_comes_first = |_: &Two, sleep: &Sleep<'_>| {
        assert_eq!(sleep.others().next().expect("others are watched").load(Relaxed), 3 | WAKE_AT_DEATH);
        sleep.lasts();
    };
    for hold in by(2) {
        let two = Two::new([hold, by(0)[1]], [0; 2]);
        assert_eq!(two.take(meanwhile(&two, its_lifeline_comes_first)).0, Err(NotClaimed::TimedOut));
        assert_eq!(two.reserve(meanwhile(&two, its_lifeline_comes_first)).0, Err(NotClaimed::TimedOut));
    }
    let two = Two::new([by(2)[1], FREE], [0; 2]);
    assert_eq!(two.join(meanwhile(&two, its_lifeline_comes_first)).0, Err(NotClaimed::TimedOut));
}

#[test]
fn a_waiter_that_gives_up_leaves_waiters_set() {
    let two = Two::new([by(1)[1]; 2], [0; 2]);
    assert_eq!(two.take(meanwhile(&two, |_, sleep| sleep.lasts())).0, Err(NotClaimed::TimedOut));
    assert_eq!(two.reserve(meanwhile(&two, |_, sleep| sleep.is_interrupted())).0, Err(NotClaimed::Interrupted));
    assert_eq!(two.join(meanwhile(&two, |_, sleep| sleep.lasts())).0, Err(NotClaimed::TimedOut));
    assert_eq!(two.words().map(|word| word.load(Relaxed)), [WAITERS; 3]);
}

/// Another thread of the dead worker's process may still use the item.
#[test]
fn what_an_ending_process_has_is_waited_for_in_short_sleeps() {
    let scenes = || {
        let dies = |sleep: &Sleep<'_>| {
            sleep.dies(sleep.others().next().expect("it is watched"));
            still_ending(1);
        };
        let is_brief = |sleep: &Sleep<'_>| assert!(sleep.until().expect("it ends") < DEADLINE, "it is brief");
        vec![scene(dies), scene(is_brief)]
    };
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    assert_eq!(two.take(scenes()).0, Ok(Taken::of(0, id_of(0))));
    let two = Two::new([by(1)[0], FULL], [0; 2]);
    assert_eq!(two.reserve(scenes()).0, Ok(Loan::of(0, id_of(0))));
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    two.queue.set_limit(1);
    assert_eq!(two.join(scenes()).0, Ok(()), "it is set aside");
    still_ending(0);
}

/// When that process has ended, nobody wakes the caller. And whoever ends the first task takes the
/// second one for a task that is left, and wakes nobody.
#[test]
fn a_task_of_the_living_hides_no_ending_process_from_a_join() {
    let dies = |sleep: &Sleep<'_>| {
        let of_2 = sleep.others().find(|word| word.load(Relaxed) == 3 | WAKE_AT_DEATH);
        sleep.dies(of_2.expect("it is watched"));
        still_ending(u32::MAX);
    };
    for first in [by(1)[1], FULL, AGAIN] {
        let two = Two::new([first, by(2)[1]], [0; 2]);
        two.queue.set_limit(1);
        let other = Rc::clone(&two);
        let is_brief = move |sleep: &Sleep<'_>| {
            assert!(sleep.until().expect("it ends") < DEADLINE, "{first:x}: it is brief");
            still_ending(0);
            other.places.slots[0].hold.store(FREE, Relaxed);
        };
        assert_eq!(two.join(vec![scene(dies), scene(is_brief)]).0, Ok(()), "{first:x}");
        assert_eq!(two.places.hold(1), ASIDE);
    }
}

/// The wake that ends the sleep may have been meant for others: what the dead worker had is there,
/// too.
#[test]
fn a_waiter_that_slept_briefly_wakes_another_if_there_is_more() {
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    let scenes = meanwhile(&two, |two, _| {
        still_ending(0);
        two.publish(1);
    });
    still_ending(u32::MAX);
    let (answer, wakes) = play(3, scenes, |me| {
        me.table.slots[1].lifelines()[0].word().store(MARK, Relaxed);
        two.tasks().take(me, Some(DEADLINE))
    });
    assert!(answer.is_ok());
    assert_eq!(wakes.on(two.words()[0]), [1, 1], "that of the producer, and that of the worker");
}

/// Two tasks failed before the waiter ran, or two slots came free. The second change found no
/// WAITERS, and woke nobody.
#[test]
fn a_waiter_that_slept_wakes_another_if_there_is_more() {
    for (count, wakes_of_it) in [(1, vec![]), (2, vec![1])] {
        let two = Two::new([by(1)[1]; 2], [0; 2]);
        let (answer, wakes) = two.reserve(meanwhile(&two, move |two, sleep| {
            (0..count).for_each(|index| two.tasks().done(Taken::of(index, id_of(1))).expect("it has it"));
            sleep.lasts();
        }));
        assert_eq!((answer.map(Loan::index), &wakes[1..]), (Ok(0), &wakes_of_it[..]), "after the wake of `done`");
        let two = Two::new([by(1)[0]; 2], [0; 2]);
        let (answer, wakes) = two.take(meanwhile(&two, move |two, sleep| {
            (0..count).for_each(|index| two.publish(index));
            sleep.lasts();
        }));
        assert_eq!((answer.map(Taken::index), &wakes[1..]), (Ok(0), &wakes_of_it[..]), "after the wake of `publish`");
    }
}

/// The same with tasks that fail. They are in no cell.
#[test]
fn a_waiter_that_slept_wakes_another_if_there_may_be_more_in_no_cell() {
    let two = Two::new([by(1)[1]; 2], [0; 2]);
    let (answer, wakes) = two.take(meanwhile(&two, |two, sleep| {
        (0..2).for_each(|index| two.tasks().fail(Taken::of(index, id_of(1))).expect("it has it"));
        sleep.lasts();
    }));
    assert_eq!((answer.map(Taken::index), &wakes[1..]), (Ok(0), &[1][..]));
}

/// A third worker clears the hint before it searches, and is not in the way of the second task.
#[test]
fn a_waiter_that_slept_wakes_another_though_a_third_is_about_to_search() {
    let two = Two::new(by(1), [0; 2]);
    let (answer, wakes) = two.take(meanwhile(&two, |two, sleep| {
        two.publish(0);
        two.tasks().fail(Taken::of(1, id_of(1))).expect("it has it");
        two.tasks().again().store(0, Relaxed);
        sleep.lasts();
    }));
    assert_eq!((answer.map(Taken::index), &wakes[1..]), (Ok(0), &[1][..]));
}

/// The slot is full before its cell. Its producer, which found no WAITERS, is about to end that.
#[test]
fn a_waiter_that_slept_wakes_another_if_somebody_uses_a_cell() {
    for (who, wakes_of_it) in [(1, vec![1]), (9, vec![1]), (0, vec![1])] {
        let two = Two::new([by(1)[0]; 2], [0; 2]);
        let (answer, wakes) = two.take(meanwhile(&two, move |two, sleep| {
            two.publish(0);
            let slot = &two.places.slots[1];
            slot.number.store(1, Relaxed);
            slot.hold.store(FULL, Relaxed);
            slot.cell.store(u64::from(filling(id_of(who))) << 32, Relaxed);
            sleep.lasts();
        }));
        assert_eq!((answer.map(Taken::index), &wakes[1..]), (Ok(0), &wakes_of_it[..]), "in use by {who}");
    }
}

/// A change, as a function of the queue. 0 has a loan of the first slot, and the second one's task.
type Change = fn(&Two);

const PUBLISH: Change = |two| two.tasks().publish(Loan::of(0, id_of(0)), None).expect("it fills it");
const GIVE_UP: Change = |two| two.tasks().give_up(Loan::of(0, id_of(0))).expect("it fills it");
const DONE: Change = |two| two.tasks().done(Taken::of(1, id_of(0))).expect("it has it");
const FAIL: Change = |two| two.tasks().fail(Taken::of(1, id_of(0))).expect("it has it");
const CLOSE: Change = |two| _ = two.tasks().close();

/// For how many each wake is, on the words of those that wait for a task, for room, and for the
/// end. `first` is the hold of the first slot.
fn wakes_of(change: Change, first: u32, sleepers: [u32; 2], joiners: u32) -> [Vec<u32>; 3] {
    let two = Two::new([first, by(0)[1]], sleepers);
    two.tasks().finished().store(joiners, Relaxed);
    let ((), wakes) = play(1, vec![], |_| change(&two));
    two.words().map(|word| wakes.on(word))
}

#[test]
fn a_change_that_finds_no_waiters_wakes_nobody() {
    for change in [PUBLISH, GIVE_UP, DONE, FAIL, CLOSE] {
        for sleepers in [[0, 0], [7, 7], [7, 7 | CLOSED]] {
            assert_eq!(wakes_of(change, by(0)[0], sleepers, 7), [vec![], vec![], vec![]]);
        }
    }
}

#[test]
fn a_change_of_an_open_queue_wakes_those_that_it_is_for() {
    let all = u32::MAX;
    for (change, items, room) in [
        (PUBLISH, vec![1], vec![]),
        (GIVE_UP, vec![], vec![1]),
        (DONE, vec![], vec![1]),
        (FAIL, vec![1], vec![]),
        (CLOSE, vec![all], vec![all]),
    ] {
        assert_eq!(wakes_of(change, by(0)[0], [WAITERS; 2], 0), [items, room, vec![]]);
    }
}

#[test]
fn the_last_task_wakes_all_that_wait_for_the_end() {
    let all = u32::MAX;
    for first in [FREE, ASIDE, by(1)[0]] {
        assert_eq!(wakes_of(DONE, first, [0; 2], WAITERS), [vec![], vec![], vec![all]], "{first:x}");
    }
    for first in [FULL, AGAIN, by(1)[1]] {
        assert_eq!(wakes_of(DONE, first, [0; 2], WAITERS), [vec![], vec![], vec![]], "{first:x}");
    }
    // Set aside.
    let two = Two::new([FREE, by(0)[1]], [0; 2]);
    two.queue.set_limit(1);
    two.tasks().finished().store(WAITERS, Relaxed);
    let ((), wakes) = play(1, vec![], |_| FAIL(&two));
    assert_eq!(wakes.on(two.tasks().finished()), [all]);
    let two = Two::new([FREE, by(7)[1]], [0; 2]);
    two.queue.set_limit(1);
    two.tasks().finished().store(WAITERS, Relaxed);
    let (_, wakes) = play(1, vec![], |me| two.tasks().try_take(me));
    assert_eq!(wakes.on(two.tasks().finished()), [all]);
}

/// A producer in a closed queue may still publish what it has.
#[test]
fn the_last_use_of_a_slot_in_a_closed_queue_wakes_all_workers() {
    let all = u32::MAX;
    for first in [FREE, ASIDE] {
        assert_eq!(wakes_of(DONE, first, [WAITERS, CLOSED], 0), [vec![all], vec![], vec![]], "{first:x}");
    }
    for first in [FULL, AGAIN, by(1)[0], by(1)[1]] {
        assert_eq!(wakes_of(DONE, first, [WAITERS, CLOSED], 0), [vec![], vec![], vec![]], "{first:x}");
    }
}

/// Who has the last task does not wake others while the dead seem to fill a slot.
#[test]
fn who_frees_the_last_slot_of_the_dead_in_a_closed_queue_wakes_all_workers() {
    let wakes_of = |first| {
        let two = Two::new([first, by(7)[0]], [WAITERS, CLOSED]);
        let (answer, wakes) = play(2, vec![], |me| two.tasks().try_take(me));
        (answer, two.words().map(|word| wakes.on(word)))
    };
    assert_eq!(wakes_of(FREE), (Err(NotClaimed::Closed), [vec![u32::MAX], vec![], vec![]]));
    assert_eq!(wakes_of(by(1)[1]), (Err(NotClaimed::WouldBlock), [vec![], vec![], vec![]]));
}

/// It has died before the caller looks for the first time.
#[test]
fn a_join_waits_for_the_end_of_a_process_that_is_ending_already() {
    let two = Two::new([by(1)[1], FREE], [0; 2]);
    two.queue.set_limit(1);
    let is_brief = scene(|sleep| {
        assert!(sleep.until().expect("it ends") < DEADLINE, "it is brief");
        still_ending(0);
    });
    let (answer, _) = play(3, vec![is_brief], |me| {
        me.table.slots[1].lifelines()[0].word().store(MARK, Relaxed);
        still_ending(u32::MAX);
        two.tasks().wait_until_done(me, None)
    });
    assert_eq!(answer, Ok(()), "it is set aside");
}
