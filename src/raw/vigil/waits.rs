//! Whom one wakes that finds lifelines cut, and when one looks slowly.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, look_slowly_each, play, scene};
use crate::raw::Slot;

/// The lifelines on which all were woken after a sleep during which these participants died.
fn woken_on(dead: &'static [usize]) -> Vec<usize> {
    let news: <Puppet as Platform>::Word = Word::new(0);
    let ends = scene(|sleep| {
        let others: Vec<_> = sleep.others().collect();
        dead.iter().for_each(|place| sleep.dies(others[place - 1]));
    });
    let (lines, wakes) = play(5, vec![ends], |me| {
        let mut vigil = Vigil::new(me, None);
        let _collected = vigil.sleep(&news, 0, None);
        let _slept = vigil.sleep(&news, 0, None);
        let line = |slot: &Slot<Puppet>| &raw const *slot.lifelines()[0].word() as usize;
        me.table.slots.iter().map(line).collect::<Vec<_>>()
    });
    assert!(wakes.counts().all(|count| count == u32::MAX));
    let place = |on: usize| lines.iter().position(|line| *line == on).expect("a lifeline");
    wakes.places().map(place).collect()
}

/// The kernel woke one on each, and that may have been the same one: nobody else wakes the others.
#[test]
fn whoever_finds_several_lifelines_cut_wakes_all_on_each() {
    let cases: [&'static [usize]; 6] = [&[1], &[4], &[1, 2], &[2, 4], &[1, 2, 3, 4], &[]];
    for dead in cases {
        assert_eq!(woken_on(dead), dead);
    }
}

/// When the last slow look was begun, in milliseconds, after each of these sleeps of a
/// [`Vigil::sleep_once`] that has collected.
fn stamps_of_sleeps_once(deadline: Option<Duration>, scenes: Vec<Scene>) -> Vec<u32> {
    let news: <Puppet as Platform>::Word = Word::new(0);
    let count = scenes.len();
    let (stamps, _wakes) = play(2, scenes, |me| {
        look_slowly_each(DEADLINE);
        let mut vigil = Vigil::new(me, deadline);
        vigil.watch_from_now();
        let mut sleep = |_| {
            let _slept = vigil.sleep_once(&news, 0);
            me.table.stamp.load(Relaxed)
        };
        (0..count).map(&mut sleep).collect()
    });
    stamps
}

#[test]
fn whoever_sleeps_once_looks_slowly_before_if_a_look_is_due() {
    let later = || scene(|sleep| sleep.ends_at(DEADLINE * 2));
    assert_eq!(stamps_of_sleeps_once(None, vec![later(), later()]), [0, 2000]);
}

#[test]
fn whoever_gives_up_a_single_sleep_looks_slowly_if_a_look_is_due() {
    assert_eq!(stamps_of_sleeps_once(Some(DEADLINE), vec![scene(|sleep| sleep.lasts())]), [1000]);
}
