//! What a wait for several does, step by step: its words, its last check, its wakes.

#![allow(clippy::disallowed_types)] // the words of the puppets

use super::*;
use crate::platform::linux::{RobustNode, ThreadRecord};
use crate::platform::puppet::{DEADLINE, Puppet, Scene, Wakes, id_of, play, scene, still_ending, watch_one};
use crate::platform::{MARK, WAKE_AT_DEATH};
use crate::raw::event::Set;
use crate::raw::hold::HELD;
use crate::raw::mutex::Free;
use crate::raw::{Event, Leaked, Mutex, PermitPool, Semaphore, Slot, Table};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicU32, AtomicU64};
use std::cell::Cell;
use std::rc::Rc;

fn permits(count: u32) -> Semaphore<Puppet> {
    Semaphore::from_words(AtomicU32::new(count), AtomicU32::new(count), AtomicU32::new(0), AtomicU32::new(0))
}

fn of<'s>(me: Participant<'s, Puppet>, source: &'s dyn Source<Puppet>) -> Of<'s, Puppet> {
    Of { me, source }
}

/// Two semaphores.
type Two = [Semaphore<Puppet>; 2];

fn two() -> Two {
    [permits(0), permits(0)]
}

/// Waits for either, from `start` on. Returns the answer, and how often a waiter of each was woken.
fn wait_for_two(two: &Two, start: usize, scenes: Vec<Scene>) -> (Result<usize, NotReady>, [usize; 2]) {
    let (answer, wakes) =
        play(3, scenes, |me| wait_any(&[0, 1].map(|index| of(me, &two[index])), start, Some(DEADLINE)));
    assert!(wakes.counts().all(|count| count == 1));
    (answer, [0, 1].map(|index| wakes_at(&wakes, &two[index])))
}

/// How many wakes there were on the first word there.
fn wakes_at<T>(wakes: &Wakes, place: &T) -> usize {
    wakes.places().filter(|on| *on == &raw const *place as usize).count()
}

/// A sleep during which each of these gets a permit. The releaser clears WAITERS.
fn come(which: &'static [usize]) -> Scene {
    scene(move |sleep| {
        let words = sleep.words();
        which.iter().for_each(|index| words[*index].store(1, Relaxed));
    })
}

#[test]
fn a_source_that_is_ready_is_returned_without_a_sleep_and_without_a_wake() {
    let ready = two();
    ready[1].release(1).expect("far from the maximum");
    assert_eq!(wait_for_two(&ready, 0, vec![]), (Ok(1), [0, 0]));
}

#[test]
fn of_several_that_are_ready_the_first_from_the_start_on_is_returned() {
    let ready = two();
    ready.iter().for_each(|permits| permits.release(1).expect("far from the maximum"));
    for start in 0..4 {
        assert_eq!(wait_for_two(&ready, start, vec![]).0, Ok(start % 2));
    }
}

#[test]
fn after_a_sleep_one_more_waiter_is_woken_on_each_source_that_is_ready() {
    for (which, wakes) in [(&[0][..], [1, 0]), (&[1], [0, 1]), (&[0, 1], [1, 1])] {
        let two = two();
        assert_eq!(wait_for_two(&two, 0, vec![come(which)]), (Ok(which[0]), wakes));
    }
}

/// So the next change there wakes a waiter.
#[test]
fn after_a_sleep_waiters_is_set_on_each_source_that_is_not_ready() {
    let two = two();
    let cleared = scene(|sleep| {
        sleep.words()[1].store(0, Relaxed); // a release cleared it, and the permit was taken
        sleep.words()[0].store(1, Relaxed);
    });
    assert_eq!(wait_for_two(&two, 0, vec![cleared]), (Ok(0), [1, 0]));
    let ((), wakes) = play(1, vec![], |_| two[1].release(1).expect("far from the maximum"));
    assert_eq!(wakes_at(&wakes, &two[1]), 1);
}

#[test]
fn a_source_that_is_ready_as_the_deadline_passes_is_returned() {
    let two = two();
    let late = scene(|sleep| {
        sleep.words()[1].store(1, Relaxed);
        sleep.lasts();
    });
    assert_eq!(wait_for_two(&two, 0, vec![late]).0, Ok(1));
    assert_eq!(wait_for_two(&self::two(), 0, vec![scene(|sleep| sleep.lasts())]).0, Err(NotReady::TimedOut));
}

#[test]
fn an_interruption_ends_it_if_nothing_is_ready() {
    let two = two();
    let both = scene(|sleep| {
        sleep.words()[1].store(1, Relaxed);
        sleep.is_interrupted();
    });
    assert_eq!(wait_for_two(&two, 0, vec![both]).0, Ok(1));
    let alone = scene(|sleep| sleep.is_interrupted());
    assert_eq!(wait_for_two(&self::two(), 0, vec![alone]).0, Err(NotReady::Interrupted));
}

#[test]
fn no_source_and_too_many_are_errors() {
    let (answers, _) = play(1, vec![], |me| {
        let (semaphore, death) = (permits(1), Death(id_of(7)));
        let many = |count: usize| (0..count).map(|_| of(me, &semaphore)).collect::<Vec<_>>();
        let mut mixed = many(63);
        mixed.push(of(me, &death));
        [vec![], many(64), many(65), mixed].map(|sources| wait_any(&sources, 0, None))
    });
    let too_many = Err(NotReady::TooMany { words: 65, most: 64 });
    assert_eq!(answers, [Err(NotReady::NoSource), Ok(0), too_many, too_many]);
}

/// Another table, with so many participants. The first slot is the caller's.
fn in_another_segment<R>(participants: u32, act: impl FnOnce(Participant<'_, Puppet>) -> R) -> R {
    let slot = |thread: u32| {
        let claim = AtomicU64::new(Slot::<Puppet>::claim_of_first(thread));
        let lifelines = [thread | WAKE_AT_DEATH, 0].map(RobustNode::unlinked);
        Slot::from_parts(claim, lifelines, ThreadRecord::from_process(thread))
    };
    let slots: Vec<_> = (1..=participants).map(slot).collect();
    let [membership, cursor, stamp] = [participants, 0, 0].map(AtomicU32::new);
    let table = Table { membership: &membership, cursor: &cursor, stamp: &stamp, slots: &slots };
    act(Participant { id: id_of(0), table: &table })
}

fn lifeline(me: Participant<'_, Puppet>, place: usize) -> &AtomicU32 {
    me.table.slots[place].lifelines()[0].word()
}

#[test]
fn everybody_is_watched_in_each_segment_and_each_is_watched_once() {
    let seen = Rc::new(Cell::new(0));
    let count = Rc::clone(&seen);
    let looks = scene(move |sleep| {
        count.set(sleep.words().len());
        sleep.lasts();
    });
    let (_, _) = play(4, vec![looks], |here| {
        in_another_segment(3, |there| {
            let [a, b, c] = [permits(0), permits(0), permits(0)];
            wait_any(&[of(here, &a), of(there, &b), of(here, &c)], 0, Some(DEADLINE))
        })
    });
    assert_eq!(seen.get(), 3 + 1 + 3 + 1 + 2);
}

#[test]
fn what_one_segment_does_not_need_is_left_to_the_next() {
    let seen = Rc::new(Cell::new(0));
    let count = Rc::clone(&seen);
    let looks = scene(move |sleep| {
        count.set(sleep.words().len());
        sleep.lasts();
    });
    let (_, _) = play(101, vec![looks], |here| {
        in_another_segment(11, |there| {
            let [a, b] = [permits(0), permits(0)];
            // The small one is first: it needs 10 of the 124.
            wait_any(&[of(there, &b), of(here, &a)], 0, Some(DEADLINE))
        })
    });
    assert_eq!(seen.get(), 2 + 1 + 10 + 1 + 100);
}

#[test]
fn a_death_in_any_segment_is_passed_on_to_all() {
    for dies_there in [false, true] {
        let dies = scene(move |sleep| {
            let words = sleep.words();
            sleep.dies(words[if dies_there { 2 + 3 + 1 } else { 2 + 1 }]);
            sleep.ends_at(DEADLINE);
        });
        let (expected, wakes) = play(3, vec![dies], |here| {
            in_another_segment(3, |there| {
                let [a, b] = [permits(0), permits(0)];
                let answer = wait_any(&[of(here, &a), of(there, &b)], 0, Some(DEADLINE));
                assert_eq!(answer, Err(NotReady::TimedOut));
                &raw const *lifeline(if dies_there { there } else { here }, 1) as usize
            })
        });
        assert_eq!(wakes.places().zip(wakes.counts()).collect::<Vec<_>>(), [(expected, u32::MAX)]);
    }
}

#[test]
fn a_death_is_a_source_and_all_who_wait_for_it_are_woken() {
    let dies = scene(|sleep| sleep.dies(sleep.words()[1]));
    let (expected, wakes) = play(3, vec![dies], |me| {
        let (never, death) = (permits(0), Death(id_of(2)));
        assert_eq!(wait_any(&[of(me, &never), of(me, &death)], 0, None), Ok(1));
        assert_eq!(wait_any(&[of(me, &never), of(me, &death)], 0, None), Ok(1));
        &raw const *lifeline(me, 2) as usize
    });
    assert!(wakes.places().zip(wakes.counts()).any(|wake| wake == (expected, u32::MAX)));
}

#[test]
fn who_never_was_is_dead() {
    let (answer, _) = play(1, vec![], |me| wait_any(&[of(me, &Death(id_of(9)))], 0, None));
    assert_eq!(answer, Ok(0));
}

#[test]
fn an_event_that_was_set_and_cleared_is_ready() {
    let event = Rc::new(Event::<Puppet>::from_word(AtomicU32::new(0)));
    let other = Rc::clone(&event);
    let pulse = scene(move |_| {
        other.set();
        other.clear();
    });
    let (answer, _) = play(2, vec![pulse], |me| wait_any(&[of(me, &Set::new(&event))], 0, None));
    assert_eq!(answer, Ok(0));
    // One that resets itself is not: another waiter was released.
    let event = Rc::new(Event::<Puppet>::from_word(AtomicU32::new(Event::<Puppet>::AUTO_RESET)));
    let other = Rc::clone(&event);
    let pulse = scene(move |sleep| {
        other.set();
        other.clear();
        sleep.ends_at(DEADLINE);
    });
    let (answer, _) = play(2, vec![pulse], |me| wait_any(&[of(me, &Set::new(&event))], 0, Some(DEADLINE)));
    assert_eq!(answer, Err(NotReady::TimedOut));
}

/// A lock that this participant holds, dead or alive, is ready.
fn lock_of(place: usize, dies: bool, leaked: Leaked, is_reentrant: bool) -> bool {
    let (answer, _) = play(3, vec![], |me| {
        if dies {
            lifeline(me, place).store(MARK | WAKE_AT_DEATH, Relaxed);
        }
        let mutex = Mutex::from_word(AtomicU32::new(id_of(place).word()));
        Free { mutex: &mutex, leaked, is_reentrant }.is_ready(me)
    });
    answer
}

#[test]
fn a_lock_is_ready_if_a_try_would_not_block() {
    for leaked in [Leaked::Refuse, Leaked::Wait] {
        assert!(!lock_of(1, false, leaked, false), "held");
        assert!(lock_of(1, true, leaked, false), "held by the dead");
        assert!(!lock_of(0, false, leaked, false), "held by the caller");
    }
    assert!(lock_of(0, false, Leaked::Refuse, true), "held by the caller, who may lock again");
    still_ending(1);
    assert!(!lock_of(1, true, Leaked::Refuse, false), "its holder's process is still ending");
}

#[test]
fn while_a_holder_is_ending_the_sleeps_are_short() {
    let short = || {
        scene(|sleep| {
            assert!(sleep.until().is_some_and(|until| until < DEADLINE / 100));
            assert_eq!(sleep.words().len(), 1);
            sleep.lasts();
        })
    };
    let (answer, _) = play(3, vec![short(), short()], |me| {
        lifeline(me, 1).store(MARK | WAKE_AT_DEATH, Relaxed);
        let mutex = Mutex::from_word(AtomicU32::new(id_of(1).word()));
        still_ending(3);
        let free = Free { mutex: &mutex, leaked: Leaked::Refuse, is_reentrant: false };
        wait_any(&[of(me, &free)], 0, Some(DEADLINE))
    });
    assert_eq!(answer, Ok(0));
}

#[test]
fn a_lock_that_is_not_free_has_waiters_set_and_a_free_one_is_untouched() {
    let (words, _) = play(3, vec![], |me| {
        [0, id_of(1).word()].map(|word| {
            let mutex = Mutex::from_word(AtomicU32::new(word));
            let free = Free { mutex: &mutex, leaked: Leaked::Refuse, is_reentrant: false };
            free.announce(me, &mut vec![]);
            mutex.word().load(Relaxed)
        })
    });
    assert_eq!(words, [0, id_of(1).word() | crate::raw::hold::WAITERS]);
}

/// A pool of one permit, with this hold, is ready.
fn pool_with(hold: u32, dead: Option<usize>) -> bool {
    let (answer, _) = play(3, vec![], |me| {
        if let Some(dead) = dead {
            lifeline(me, dead).store(MARK | WAKE_AT_DEATH, Relaxed);
        }
        PermitPool::<Puppet, 1>::from_words(AtomicU32::new(0), AtomicU32::new(0), [AtomicU32::new(hold)]).is_ready(me)
    });
    answer
}

#[test]
fn a_pool_is_ready_if_a_permit_is_free_or_its_holder_is_dead() {
    assert!(pool_with(0, None));
    assert!(pool_with(!HELD, None));
    assert!(pool_with(id_of(1).word(), Some(1)));
    assert!(!pool_with(id_of(1).word(), None));
    assert!(!pool_with(id_of(0).word(), None), "held by the caller");
}

#[test]
fn where_one_word_can_be_watched_it_is_that_of_the_first() {
    let two = two();
    let looks = scene(|sleep| {
        assert_eq!(sleep.words().len(), 1);
        sleep.lasts();
    });
    let (answer, _) = play(3, vec![looks], |me| {
        watch_one();
        wait_any(&[0, 1].map(|index| of(me, &two[index])), 0, Some(DEADLINE))
    });
    assert_eq!(answer, Err(NotReady::TimedOut));
}

#[test]
fn who_leaves_wakes_all_that_wait_for_its_end() {
    let (place, wakes) = play(2, vec![], |me| {
        me.table.leave(id_of(1));
        assert_eq!(wait_any(&[of(me, &Death(id_of(1)))], 0, None), Ok(0));
        &raw const *lifeline(me, 1) as usize
    });
    assert_eq!(wakes.places().zip(wakes.counts()).collect::<Vec<_>>(), [(place, u32::MAX)]);
}

/// What is observed is what a waiter that announces itself sleeps on; but nothing is announced.
fn is_observed_as_it_is(me: Participant<'_, Puppet>, source: &dyn Source<Puppet>) {
    let observe = || {
        let mut awaited = vec![];
        source.observe(me, &mut awaited);
        assert_eq!(awaited.len(), 1, "{source:?}");
        awaited[0]
    };
    let (before, again) = (observe(), observe());
    assert_eq!(before.value, again.value, "{source:?}");
    let mut awaited = vec![];
    assert_eq!(source.announce(me, &mut awaited), Readiness::Unready, "{source:?}");
    let (announced, after) = (awaited[0], observe());
    assert!(core::ptr::eq(announced.word, before.word), "{source:?}");
    assert_eq!(announced.value, after.value, "{source:?}");
    assert_ne!(announced.value, before.value, "{source:?}");
}

#[test]
fn sources_are_observed_as_they_are() {
    let ((), _) = play(2, vec![], |me| {
        let (event, held) = (Event::from_word(AtomicU32::new(0)), || AtomicU32::new(id_of(1).word()));
        let (mutex, pool) =
            (Mutex::from_word(held()), PermitPool::<_, 1>::from_words(AtomicU32::new(0), AtomicU32::new(1), [held()]));
        is_observed_as_it_is(me, &Set::new(&event));
        is_observed_as_it_is(me, &permits(0));
        is_observed_as_it_is(me, &pool);
        is_observed_as_it_is(me, &Free { mutex: &mutex, leaked: Leaked::Refuse, is_reentrant: false });
        let mut awaited = vec![];
        let death = Death(id_of(1));
        death.observe(me, &mut awaited);
        assert!(core::ptr::eq(awaited[0].word, lifeline(me, 1)));
    });
}

#[test]
fn a_set_event_is_for_all_unless_it_resets_itself_and_so_is_a_death() {
    let [event, bell] = [0, Event::<Puppet>::AUTO_RESET].map(|word| Event::<Puppet>::from_word(AtomicU32::new(word)));
    assert!(Set::new(&event).is_for_all() && Source::<Puppet>::is_for_all(&Death(id_of(1))));
    assert!(!Set::new(&bell).is_for_all() && !permits(0).is_for_all());
}

#[test]
fn a_wait_for_an_event_that_begins_anew_counts_from_then_on() {
    let (answers, _) = play(2, vec![], |me| {
        let event = Event::<Puppet>::from_word(AtomicU32::new(0));
        let source = Set::new(&event);
        event.set();
        event.clear();
        let before = source.is_ready(me);
        source.begin();
        (before, source.is_ready(me))
    });
    assert_eq!(answers, (true, false));
}

#[test]
fn a_task_that_waits_has_armed_its_source_until_it_is_told_or_leaves() {
    let (answers, wakes) = play(2, vec![], |me| {
        let (semaphore, attended, calls) = (permits(0), Attended::from_word(AtomicU32::new(0)), AtomicU32::new(0));
        let of = of(me, &semaphore);
        let before = attended.is_armed();
        // The attendant does not know the source yet, and then does.
        let (first, second) = (attended.arm(&of), attended.arm(&of));
        let while_it_waits = attended.is_armed();
        attended.disarm();
        let after = attended.is_armed();
        semaphore.release(1).expect("far from the maximum");
        let third = attended.arm(&of);
        call::<Puppet>(&calls);
        ((before, while_it_waits, after, attended.is_armed()), (first, second, third), calls.load(Relaxed))
    });
    assert_eq!(answers.0, (false, true, false, false));
    assert_eq!(answers.1, (Arming::Call, Arming::Armed, Arming::Ready));
    assert_eq!((answers.2, wakes.counts().last()), (1, Some(1)));
}

#[test]
fn an_attendant_tells_of_what_is_ready_once_for_each_task() {
    let ((), _) = play(2, vec![], |me| {
        let (semaphore, attended, calls) = (permits(0), Attended::from_word(AtomicU32::new(0)), AtomicU32::new(0));
        let mut attendant = Attendant::new([(of(me, &semaphore), &attended)].into_iter());
        let mut told = 0;
        attendant.attend(&calls, |_| told += 1);
        assert_ne!(attended.arm(&of(me, &semaphore)), Arming::Ready);
        attendant.attend(&calls, |_| told += 1);
        assert_eq!(told, 0);
        semaphore.release(1).expect("far from the maximum");
        attendant.attend(&calls, |_| told += 1);
        attendant.attend(&calls, |_| told += 1);
        assert_eq!(told, 1);
    });
}

/// The count is then what the attendant has seen, but a task waits. A semaphore has no sequence.
#[test]
fn an_attendant_does_not_sleep_on_a_value_that_came_back_after_a_task_armed_the_source() {
    let (told, _) = play(2, vec![], |me| {
        let (semaphore, attended, calls) = (permits(0), Attended::from_word(AtomicU32::new(0)), AtomicU32::new(0));
        let mut attendant = Attendant::new([(of(me, &semaphore), &attended)].into_iter());
        let mut told = 0;
        let release = || semaphore.release(1).expect("far from the maximum");
        assert_eq!(attended.arm(&of(me, &semaphore)), Arming::Call);
        release();
        attendant.attend(&calls, |_| told += 1);
        attendant.sleep(); // finds out whom it watches
        semaphore.try_acquire(1).expect("a permit");
        release();
        attendant.attend(&calls, |_| told += 1);
        semaphore.try_acquire(1).expect("a permit");
        assert_eq!(attended.arm(&of(me, &semaphore)), Arming::Armed);
        release();
        attendant.sleep(); // there is no scene for a wait
        attendant.attend(&calls, |_| told += 1);
        told
    });
    assert_eq!(told, 2);
}

#[test]
fn a_dead_participant_is_ready_and_its_lifelines_wake_all() {
    let (ready, wakes) = play(3, vec![], |me| {
        let [living, dead] = [Death(id_of(1)), Death(id_of(7))];
        Source::<Puppet>::wake_next(&living, me);
        [living.is_ready(me), dead.is_ready(me)]
    });
    assert_eq!(ready, [false, true]);
    assert!(wakes.counts().count() > 0 && wakes.counts().all(|count| count == u32::MAX));
}

#[test]
fn a_word_that_repeats_takes_an_attendant_two() {
    let (semaphore, event, mutex) =
        (permits(0), Event::from_word(AtomicU32::new(0)), Mutex::from_word(AtomicU32::new(0)));
    let free = Free { mutex: &mutex, leaked: Leaked::Refuse, is_reentrant: false };
    let (set, death) = (Set::new(&event), Death(id_of(0)));
    let sources: [&dyn Source<Puppet>; 4] = [&semaphore, &free, &set, &death];
    assert_eq!(sources.map(attended_words), [2, 2, 1, 2]);
}

const IGNORED: u32 = 0;
const ARMED: u32 = 1;
const WATCHED: u32 = 2;

#[test]
fn an_attendant_that_does_not_know_a_source_need_not_begin_if_that_was_ready() {
    for (state, then) in [(IGNORED, Arming::Call), (WATCHED, Arming::Armed)] {
        let (answers, _) = play(2, vec![], |me| {
            let (semaphore, attended) = (permits(1), Attended::from_word(AtomicU32::new(state)));
            let first = attended.arm(&of(me, &semaphore));
            semaphore.try_acquire(1).expect("a permit");
            (first, attended.arm(&of(me, &semaphore)))
        });
        assert_eq!(answers, (Arming::Ready, then));
    }
}

/// A permit comes, in a sleep of the attendant or outside of one. How many wakes there are at the
/// semaphore, how many tasks are told, and what the next task has to do.
fn a_permit_comes(state: u32, in_a_sleep: bool) -> (usize, usize, Arming) {
    let semaphore = Rc::new(permits(0));
    let other = Rc::clone(&semaphore);
    let release = scene(move |_| other.release(1).expect("far from the maximum"));
    let ((told, arming), wakes) = play(2, if in_a_sleep { vec![release] } else { vec![] }, |me| {
        let (attended, calls) = (Attended::from_word(AtomicU32::new(state)), AtomicU32::new(0));
        let mut attendant = Attendant::new([(of(me, &*semaphore), &attended)].into_iter());
        let mut told = 0;
        attendant.attend(&calls, |_| told += 1);
        attendant.sleep(); // finds out whom it watches
        attendant.attend(&calls, |_| told += 1);
        if in_a_sleep {
            attendant.sleep()
        } else {
            semaphore.release(1).expect("far from the maximum")
        }
        attendant.attend(&calls, |_| told += 1);
        semaphore.try_acquire(1).expect("a permit");
        (told, attended.arm(&of(me, &*semaphore)))
    });
    (wakes_at(&wakes, &*semaphore), told, arming)
}

#[test]
fn an_attendant_passes_a_wake_on_if_it_has_slept_there() {
    // Nobody is told, and nobody is woken: WAITERS is clear.
    assert_eq!(a_permit_comes(WATCHED, false), (0, 0, Arming::Armed));
    // It may have swallowed a wake. It sleeps there no more.
    assert_eq!(a_permit_comes(WATCHED, true), (1, 0, Arming::Call));
    // The release itself wakes one.
    assert_eq!(a_permit_comes(ARMED, false), (1, 1, Arming::Armed));
    assert_eq!(a_permit_comes(ARMED, true), (2, 1, Arming::Armed));
    for in_a_sleep in [false, true] {
        assert_eq!(a_permit_comes(IGNORED, in_a_sleep), (0, 0, Arming::Call), "it does not sleep there");
    }
}

#[test]
fn while_a_holder_is_ending_an_attendant_sleeps_briefly() {
    let short = scene(|sleep| {
        assert!(sleep.until().is_some_and(|until| until < DEADLINE / 100));
        sleep.lasts();
    });
    let (told, _) = play(3, vec![short], |me| {
        lifeline(me, 1).store(MARK | WAKE_AT_DEATH, Relaxed);
        let mutex = Mutex::from_word(AtomicU32::new(id_of(1).word()));
        let free = Free { mutex: &mutex, leaked: Leaked::Refuse, is_reentrant: false };
        let never = permits(0);
        let [attended, other] = [ARMED; 2].map(|state| Attended::from_word(AtomicU32::new(state)));
        let calls = AtomicU32::new(0);
        let sources = [(of(me, &free), &attended), (of(me, &never), &other)];
        let mut attendant = Attendant::new(sources.into_iter());
        let mut told = vec![];
        still_ending(1);
        attendant.attend(&calls, |index| told.push(index));
        attendant.sleep();
        attendant.attend(&calls, |index| told.push(index));
        told
    });
    assert_eq!(told, [0]);
}
