//! Which sleepers a sleeper wakes when it finds lifelines cut, how long it sleeps, and when it
//! reaps.

use super::*;
use crate::platform::puppet::{
    DEADLINE, Puppet, Scene, first_phase_lasts, id_of, is_gone_from_now_on, play, reap_each, recheck_each, scene,
    watch_one,
};
use crate::raw::Slot;

/// Some participants die during a sleep. Returns the lifelines on which the sleeper then woke all.
fn woken_on(dead: &'static [usize]) -> Vec<usize> {
    let awaited: <Puppet as Platform>::Word = Word::new(0);
    let ends = scene(|sleep| {
        let others: Vec<_> = sleep.others().collect();
        dead.iter().for_each(|place| sleep.dies(others[place - 1]));
    });
    let (lines, wakes) = play(5, vec![ends], |me| {
        let mut vigil = Vigil::new(me, None);
        let _collected = vigil.sleep(&awaited, 0, None);
        let _slept = vigil.sleep(&awaited, 0, None);
        let line = |slot: &Slot<Puppet>| &raw const *slot.lifelines()[0].word() as usize;
        me.table.slots.iter().map(line).collect::<Vec<_>>()
    });
    assert!(wakes.counts().all(|count| count == u32::MAX));
    let place = |on: usize| lines.iter().position(|line| *line == on).expect("a lifeline");
    wakes.places().map(place).collect()
}

/// The kernel woke one sleeper on each lifeline, perhaps the same one each time. Nobody else wakes
/// the other sleepers.
#[test]
fn a_sleeper_that_finds_several_lifelines_cut_wakes_all_on_each() {
    let cases: [&'static [usize]; 6] = [&[1], &[4], &[1, 2], &[2, 4], &[1, 2, 3, 4], &[]];
    for dead in cases {
        assert_eq!(woken_on(dead), dead);
    }
}

/// Collects, and sleeps by [`Vigil::sleep_once`], once for each scene. Returns when the last
/// reaping was begun, in milliseconds, as it was after each sleep.
fn stamps_of_sleeps_once(deadline: Option<Duration>, scenes: Vec<Scene>) -> Vec<u32> {
    let awaited: <Puppet as Platform>::Word = Word::new(0);
    let count = scenes.len();
    let (stamps, _wakes) = play(2, scenes, |me| {
        reap_each(DEADLINE);
        let mut vigil = Vigil::new(me, deadline);
        vigil.watch_from_now();
        let mut sleep = |_| {
            let _slept = vigil.sleep_once(&awaited, 0);
            me.table.stamp.load(Relaxed)
        };
        (0..count).map(&mut sleep).collect()
    });
    stamps
}

#[test]
fn a_single_sleep_reaps_first_if_reaping_is_due() {
    let later = || scene(|sleep| sleep.ends_at(DEADLINE * 2));
    assert_eq!(stamps_of_sleeps_once(None, vec![later(), later()]), [0, 2000]);
}

#[test]
fn a_single_sleep_that_times_out_reaps_if_reaping_is_due() {
    assert_eq!(stamps_of_sleeps_once(Some(DEADLINE), vec![scene(|sleep| sleep.lasts())]), [1000]);
}

/// The sleeper that the kernel woke may be stopped. Nobody else knows of that death.
#[test]
fn reaping_wakes_all_even_for_a_death_that_the_kernel_has_marked() {
    let (is_free, wakes) = play(3, vec![], |me| {
        let slot = &me.table.slots[1];
        slot.lifelines()[0].word().store(crate::platform::MARK, Relaxed);
        is_gone_from_now_on(2);
        let before = me.table.membership.load(Relaxed);
        me.table.reap_lost();
        assert_ne!(me.table.membership.load(Relaxed), before, "sleepers see no change");
        me.table.reap_lost(); // once
        slot.living(1).is_none()
    });
    assert!(is_free);
    assert_eq!(wakes.counts().collect::<Vec<_>>(), [u32::MAX]);
}

/// The length of a sleep that begins at `now`, while `sleepers` others sleep.
fn length_beside(sleepers: usize, now: Duration) -> Duration {
    let awaited: <Puppet as Platform>::Word = Word::new(0);
    let scenes = vec![
        scene(move |sleep| sleep.ends_at(now)),
        scene(move |sleep| sleep.ends_at(now + (sleep.until().expect("a recheck") - now))),
    ];
    let (ends, _wakes) = play(sleepers + 3, scenes, |me| {
        recheck_each(Duration::from_secs(1));
        for slot in &me.table.slots[3..] {
            slot.thread().note_waiting(Some(&awaited));
        }
        let mut vigil = Vigil::new(me, None);
        for _ in 0..4 {
            let _collected = vigil.sleep(&awaited, 0, None); // each second time it collects
        }
        Puppet::now()
    });
    ends - now
}

#[test]
fn the_more_sleepers_the_less_often_each_rechecks() {
    let second = Duration::from_secs(1);
    for (sleepers, most) in [(0, 1), (1, 1), (31, 1), (32, 2), (48, 3), (64, 4), (100, 4)] {
        for now in [5_000, 5_001, 5_999, 6_250] {
            let length = length_beside(sleepers, Duration::from_millis(now));
            assert!(length > Duration::ZERO && length <= second * most, "{sleepers} at {now}: {length:?}");
            assert!(most > 1 || length == second, "{sleepers} at {now}: {length:?}");
        }
    }
}

#[test]
fn each_slot_has_one_turn_in_a_cycle_and_the_turns_are_spread() {
    let (second, cycle) = (Duration::from_secs(1), Duration::from_secs(4));
    let mut turns = vec![];
    for slot in 0..64 {
        let first = turn(slot, second, 4, Duration::ZERO);
        assert!(first > Duration::ZERO && first <= cycle);
        assert_eq!(turn(slot, second, 4, first), first + cycle, "the next after its own moment");
        assert_eq!(turn(slot, second, 4, first - Duration::from_nanos(1)), first);
        turns.push(first);
    }
    turns.sort();
    let gaps = turns.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.max() < Some(cycle / 20), "there are moments when nobody rechecks");
}

#[test]
fn with_one_watched_word_a_long_waiter_rechecks_less_often() {
    let awaited: <Puppet as Platform>::Word = Word::new(0);
    let shortest = Duration::from_millis(20);
    let until = std::rc::Rc::new(std::cell::RefCell::new(vec![]));
    let note = |now: u64| {
        let (until, now) = (until.clone(), Duration::from_millis(now));
        scene(move |sleep: &crate::platform::puppet::Sleep<'_>| {
            until.borrow_mut().push(sleep.until().expect("a recheck"));
            sleep.ends_at(now);
        })
    };
    let ((), _wakes) = play(2, vec![note(20), note(400), note(700), note(9_000)], |me| {
        recheck_each(shortest);
        watch_one();
        let mut vigil = Vigil::new(me, None);
        for _ in 0..8 {
            let _collected = vigil.sleep(&awaited, 0, None); // each second time it collects
        }
    });
    let ends = until.borrow().iter().map(Duration::as_millis).collect::<Vec<_>>();
    assert_eq!(ends, [20, 20 + 20, 400 + 50, 700 + 80]);
}

/// How many words a sleep has, and when it ends, in milliseconds.
type Sleep = (usize, u128);

/// So many sleeps of a vigil that is alone at first, each of which lasts to its end; and what two
/// calls return.
fn sleeps_of_a_vigil_alone_at_first(sleeps: usize, deadline: Option<Duration>) -> (Vec<Sleep>, Vec<Result<(), Ended>>) {
    let awaited: <Puppet as Platform>::Word = Word::new(0);
    let seen = std::rc::Rc::new(std::cell::RefCell::new(vec![]));
    let note = || {
        let seen = seen.clone();
        scene(move |sleep: &crate::platform::puppet::Sleep<'_>| {
            seen.borrow_mut().push((sleep.words().len(), sleep.until().expect("a phase").as_millis()));
            sleep.lasts();
        })
    };
    let (slept, _wakes) = play(3, (0..sleeps).map(|_| note()).collect(), |me| {
        first_phase_lasts(Duration::from_millis(10));
        let mut vigil = Vigil::new(me, deadline).alone_at_first();
        (0..2).map(|_| vigil.sleep_alone_at_first(&awaited, 0, Some(id_of(1)))).collect()
    });
    (seen.take(), slept)
}

#[test]
fn a_vigil_alone_at_first_watches_the_holder_from_its_second_sleep_on() {
    let (sleeps, slept) = sleeps_of_a_vigil_alone_at_first(2, None);
    assert_eq!((sleeps, slept), (vec![(1, 10), (2, 20)], vec![Ok(()), Ok(())]));
}

/// The caller checks once more before it gives up (rule 5).
#[test]
fn a_first_sleep_alone_that_times_out_is_no_reason_to_give_up() {
    let (sleeps, slept) = sleeps_of_a_vigil_alone_at_first(1, Some(Duration::from_millis(5)));
    assert_eq!((sleeps, slept), (vec![(1, 5)], vec![Ok(()), Err(Ended::TimedOut)]));
}

/// How these sleeps of a vigil end, with [`Vigil::sleep`], or with one [`Vigil::sleep_once`].
fn sleeps(
    scenes: Vec<Scene>,
    deadline: Option<Duration>,
    is_to_the_end: bool,
    once: bool,
) -> (Vec<Result<(), Ended>>, u32) {
    let awaited: <Puppet as Platform>::Word = Word::new(0);
    let count = scenes.len();
    let (answer, _wakes) = play(2, scenes, |me| {
        reap_each(DEADLINE);
        let mut vigil = Vigil::new(me, deadline);
        if is_to_the_end {
            vigil = vigil.uninterruptible();
        }
        if once {
            vigil.watch_from_now();
            return (vec![vigil.sleep_once(&awaited, 0)], me.table.stamp.load(Relaxed));
        }
        let slept: Vec<_> = (0..count + 2).map(|_| vigil.sleep(&awaited, 0, None)).collect();
        (slept, me.table.stamp.load(Relaxed))
    });
    answer
}

fn interrupted_at(moment: Duration) -> Scene {
    scene(move |sleep| {
        sleep.ends_at(moment);
        sleep.is_interrupted();
    })
}

#[test]
fn an_interrupted_sleeper_checks_once_more_before_it_returns() {
    let (slept, _) = sleeps(vec![interrupted_at(DEADLINE / 4)], Some(DEADLINE), false, false);
    assert_eq!(slept, [Ok(()), Ok(()), Err(Ended::Interrupted)]);
}

#[test]
fn a_sleeper_interrupted_at_its_deadline_has_timed_out() {
    let (slept, _) = sleeps(vec![interrupted_at(DEADLINE / 2)], Some(DEADLINE / 2), false, false);
    assert_eq!(slept, [Ok(()), Ok(()), Err(Ended::TimedOut)]);
    assert_eq!(sleeps(vec![interrupted_at(DEADLINE / 2)], Some(DEADLINE / 2), false, true).0, [Err(Ended::TimedOut)]);
}

/// A sleeper that is interrupted often may never come to a later place where it would reap.
#[test]
fn an_interrupted_sleeper_reaps_first_if_reaping_is_due() {
    let (slept, stamp) = sleeps(vec![interrupted_at(DEADLINE)], None, false, false);
    assert_eq!((slept, stamp), (vec![Ok(()), Ok(()), Ok(())], 1000));
    let (slept, stamp) = sleeps(vec![interrupted_at(DEADLINE)], None, false, true);
    assert_eq!((slept, stamp), (vec![Err(Ended::Interrupted)], 1000));
}

#[test]
fn nothing_interrupts_a_vigil_to_the_end() {
    let scenes = || (0..3).map(|_| scene(|sleep| sleep.is_interrupted())).collect::<Vec<_>>();
    let (slept, _) = {
        let awaited: <Puppet as Platform>::Word = Word::new(0);
        play(2, scenes(), |me| {
            let mut vigil = Vigil::new(me, None).uninterruptible();
            let _collected = vigil.sleep(&awaited, 0, None);
            let mut briefly = || vigil.sleep_briefly(&awaited, 0);
            [briefly(), briefly(), briefly()]
        })
    };
    assert_eq!(slept, [Ok(()); 3]);
    assert_eq!(sleeps(scenes().split_off(2), None, true, true).0, [Ok(())]);
}

#[test]
fn a_brief_sleep_can_be_interrupted() {
    let awaited: <Puppet as Platform>::Word = Word::new(0);
    let (slept, _) = play(2, vec![scene(|sleep| sleep.is_interrupted())], |me| {
        let mut vigil = Vigil::new(me, None);
        [vigil.sleep_briefly(&awaited, 0), vigil.sleep_briefly(&awaited, 0)]
    });
    assert_eq!(slept, [Ok(()), Err(Ended::Interrupted)]);
}
