//! How a waiter spins, and what it tells the platform about that.

use super::Spins;
use crate::platform::puppet::{Puppet, Spinning, spinning, spins};
use core::time::Duration;

/// What the platform knows after this, if each wait has 3 spins.
fn after(act: impl FnOnce()) -> Spinning {
    spins(3, 0);
    act();
    spinning()
}

fn is(spun: u32, have_helped: &[bool]) -> Spinning {
    Spinning { spins: 3, spun, have_helped: have_helped.to_vec(), ..Spinning::default() }
}

#[test]
fn a_limited_waiter_spins_so_often_and_notes_nothing() {
    let mut all = Spins::<Puppet>::limited(2, None);
    let spun = after(|| {
        assert!(all.are_left());
        assert_eq!([(); 4].map(|()| all.spin()), [true, true, false, false]);
        assert!(!all.are_left());
        all.succeed();
    });
    assert_eq!(spun, is(2, &[]));
}

#[test]
fn a_waiter_notes_once_whether_its_spins_have_helped() {
    let spun = after(|| {
        let mut all = Spins::<Puppet>::learned(None);
        assert_eq!([(); 5].map(|()| all.spin()), [true, true, true, false, false]);
        all.succeed(); // after a sleep
    });
    assert_eq!(spun, is(3, &[false]));
    let spun = after(|| {
        let mut all = Spins::<Puppet>::learned(None);
        assert!(all.spin());
        all.succeed();
        all.succeed();
    });
    assert_eq!(spun, is(1, &[true]));
    let spun = after(|| {
        let mut all = Spins::<Puppet>::learned(None);
        assert!(all.spin());
        all.stop();
        assert!(!all.are_left() && !all.spin());
        all.succeed();
    });
    assert_eq!(spun, is(1, &[false]));
}

#[test]
fn a_waiter_that_has_not_spun_notes_nothing() {
    let spun = after(|| {
        Spins::<Puppet>::learned(None).succeed();
        Spins::<Puppet>::learned(None).stop();
    });
    assert_eq!(spun, is(0, &[]));
}

#[test]
fn a_waiter_spins_little_beyond_its_deadline() {
    let spun = after(|| {
        let mut over = Spins::<Puppet>::limited(40, Some(Duration::ZERO));
        assert_eq!((0..40).filter(|_| over.spin()).count(), 8, "down to 32 left");
        assert!(!over.are_left());
        let mut not_yet = Spins::<Puppet>::limited(40, Some(Duration::from_nanos(1)));
        assert_eq!((0..99).filter(|_| not_yet.spin()).count(), 40);
    });
    assert_eq!(spun, is(48, &[]));
    let spun = after(|| {
        spins(40, 0);
        let mut over = Spins::<Puppet>::learned(Some(Duration::ZERO));
        while over.spin() {}
        over.succeed(); // at a last look
    });
    assert_eq!(spun, Spinning { spins: 40, ..is(8, &[]) });
}
