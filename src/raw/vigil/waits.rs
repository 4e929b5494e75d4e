//! Whom one wakes that finds lifelines cut.

use super::*;
use crate::platform::puppet::{Puppet, play, scene};
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
