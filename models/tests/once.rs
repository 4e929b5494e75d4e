//! Models of `raw::Once`: one thread initialises at a time. If it dies, another begins. All see the
//! completed value.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
#[cfg(feature = "loom")]
use outlive::raw::hold::HELD;
use outlive::raw::once::{Begun, NotBegun};
use outlive::raw::{Cause, Once, Participant};
use outlive_models::{Backend, Explore, Model, Word, World, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// A value of two parts, so that it can be half written.
#[derive(Debug)]
struct Lazy<B: Backend> {
    once: Once<Model<B>>,
    value: B::Cell<(u32, u32)>,
    begun: AtomicU32,
    completed: AtomicU32,
}

impl<B: Backend> Lazy<B> {
    fn new() -> Self {
        Self {
            once: Once::from_word(Word::new(0)),
            value: B::cell((0, 0)),
            begun: AtomicU32::new(0),
            completed: AtomicU32::new(0),
        }
    }

    /// As `OnceLock::get_or_init`. With `first_fails`, the first attempt of all panics or fails.
    fn get_or_init(&self, world: &World<B>, me: Participant<'_, Model<B>>, first_fails: Option<Option<Cause>>) {
        while !self.once.is_complete() {
            let begun = match self.once.begin(me) {
                Err(NotBegun::Interrupted) => continue,
                begun => begun.expect("this thread is not initialising"),
            };
            match begun {
                Begun::Complete => {}
                Begun::Ours { earlier } => {
                    let before = self.begun.fetch_add(1, SeqCst);
                    match earlier {
                        Some(Cause::Died(Some(id))) => assert!(world.has_died(id.index())),
                        Some(cause) => assert_eq!(first_fails, Some(Some(cause))),
                        None => assert!(before == 0 || first_fails == Some(None)),
                    }
                    assert_eq!(self.once.begin(me), Err(NotBegun::Deadlock), "one thread began twice");
                    B::write(&self.value, |value| value.0 = me.id.index() as u32 + 1);
                    step::<B>();
                    if let (0, Some(cause)) = (before, first_fails) {
                        self.once.end(Err(cause));
                        continue;
                    }
                    B::write(&self.value, |value| value.1 = me.id.index() as u32 + 1);
                    self.once.end(Ok(()));
                    self.completed.fetch_add(1, SeqCst);
                }
            }
        }
        B::read(&self.value, |(one, other)| assert!(one == other && *one != 0, "half a value was seen"));
    }

    fn done_once(&self, world: &World<B>, participants: usize) {
        let died = (0..participants).filter(|who| world.has_died(*who)).count() as u32;
        let completed = self.completed.load(SeqCst);
        assert!(completed <= 1 && completed + died >= 1, "{completed} times, with {died} dead");
    }
}

fn initialise<B: Backend, const N: usize>() -> Explore<B, Lazy<B>> {
    Explore::new(N, Lazy::new, |world: &World<B>, who, state: &Lazy<B>| {
        world.act(who, |me| state.get_or_init(world, me, None));
    })
    .check(|state, world| {
        if (0..N).any(|who| !world.has_died(who)) {
            state.done_once(world, N);
        }
    })
}

/// The first attempt panics. The next attempt learns of that, and no waiter stays asleep.
fn the_first_panics<B: Backend>() -> Explore<B, Lazy<B>> {
    Explore::new(3, Lazy::new, |world: &World<B>, who, state: &Lazy<B>| {
        world.act(who, |me| state.get_or_init(world, me, Some(Some(Cause::Panicked(None)))));
    })
    .check(|state, world| state.done_once(world, 3))
}

/// The first attempt fails without a cause.
fn the_first_fails<B: Backend>() -> Explore<B, Lazy<B>> {
    Explore::new(3, Lazy::new, |world: &World<B>, who, state: &Lazy<B>| {
        world.act(who, |me| state.get_or_init(world, me, Some(None)));
    })
    .check(|state, world| state.done_once(world, 3))
}

/// The attempt of 2 fails. 2 begins again at once, before the waiter that it woke, and completes. 0
/// and 1 both learn of that.
#[cfg(feature = "loom")]
fn the_one_that_failed_is_quicker<B: Backend>() -> Explore<B, Lazy<B>> {
    Explore::new(3, Lazy::new, |world: &World<B>, who, state: &Lazy<B>| {
        world.act(who, |me| {
            if who == 2 && state.once.begin(me) != Ok(Begun::Complete) {
                state.once.end(Err(None));
            }
            if state.once.begin(me) != Ok(Begun::Complete) {
                B::write(&state.value, |value| *value = (1, 1));
                state.once.end(Ok(()));
            }
        });
    })
}

/// A thread that learns from `begin` that the value is complete reads it at once.
#[cfg(feature = "loom")]
fn two_begin<B: Backend>() -> Explore<B, Lazy<B>> {
    Explore::new(2, Lazy::new, |world: &World<B>, who, state: &Lazy<B>| {
        world.act(who, |me| match state.once.begin(me) {
            Ok(Begun::Complete) => B::read(&state.value, |value| assert_eq!(*value, (1, 1))),
            begun => {
                assert_eq!(begun, Ok(Begun::Ours { earlier: None }));
                B::write(&state.value, |value| *value = (1, 1));
                state.once.end(Ok(()));
            }
        });
    })
}

/// Each attempt writes half the value, and fails without a cause. The attempts exclude each other.
#[cfg(feature = "loom")]
fn two_fail<B: Backend>() -> Explore<B, Lazy<B>> {
    Explore::new(2, Lazy::new, |world: &World<B>, who, state: &Lazy<B>| {
        world.act(who, |me| {
            assert_ne!(state.once.begin(me), Ok(Begun::Complete));
            B::write(&state.value, |value| value.0 += 1);
            state.once.end(Err(None));
        });
    })
    .check(|state, _| B::read(&state.value, |value| assert_eq!(value.0, 2)))
}

/// 1 is a newcomer in the slot of a former participant.
#[cfg(feature = "loom")]
fn a_newcomer_initialises<B: Backend>() -> Explore<B, Lazy<B>> {
    Explore::new(2, Lazy::new, |world: &World<B>, who, state: &Lazy<B>| match who {
        0 => world.act(who, |me| state.get_or_init(world, me, None)),
        _ => world.come(who, |me| state.get_or_init(world, me, None)),
    })
    .newcomers(1)
    .left(Left::Marked)
}

/// 0 initialises from the start; 1 and 2 are most likely asleep. 0 panics, and begins again at
/// once, before the others.
#[cfg(feature = "loom")]
fn one_begins_again<B: Backend>() -> Explore<B, Lazy<B>> {
    let make = || Lazy { once: Once::from_word(Word::new(HELD | 1 << 12)), ..Lazy::new() }; // slot 0 in its first generation
    Explore::new(3, make, |world: &World<B>, who, state: &Lazy<B>| {
        world.act(who, |me| match who {
            0 => {
                state.once.end(Err(Some(Cause::Panicked(None))));
                if let Ok(Begun::Ours { .. }) = state.once.begin(me) {
                    state.once.end(Ok(()));
                }
            }
            _ => {
                if let Ok(Begun::Ours { .. }) = state.once.begin(me) {
                    state.once.end(Ok(()));
                }
            }
        });
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    nobody_stays_asleep_when_a_failed_attempt_is_repeated_at_once: |n| the_one_that_failed_is_quicker::<B>().victims(&[0, 1, 2]).holds(n);
    two_attempts_that_fail_exclude_each_other: |n| two_fail::<B>().holds(n);
    one_at_a_time_whoever_dies: |n| initialise::<B, 3>().victims(&[0, 1]).spurious().preemptions(1).holds(n);
    an_interruption_leaves_nobody_asleep:
        |n| initialise::<B, 3>().victims(&[0]).interrupted(&[0, 1]).preemptions(1).executions(500).holds(n);
    two_with_every_death: |n| initialise::<B, 2>().victims(&[0, 1]).preemptions(4).holds(n);
    the_first_phase_changes_nothing: |n| initialise::<B, 2>().victims(&[0, 1]).first_phase().holds(n);
    any_two_may_die: |n| initialise::<B, 3>().victims(&[0, 1]).pairs().holds(n);
    after_a_panic_the_next_learns_of_it: |n| the_first_panics::<B>().holds(n);
    after_a_panic_nobody_stays_asleep: |n| one_begins_again::<B>().holds(n);
    after_a_failure_the_next_tries_whoever_dies: |n| the_first_fails::<B>().victims(&[1]).holds(n);
    a_newcomer_that_initialises_is_not_judged_dead: |n| a_newcomer_initialises::<B>().holds(n);
    begin_acquires_if_it_is_complete: |n| two_begin::<B>().holds(n);
    completion_publishes:
        |n| initialise::<B, 2>().broken(Broken::NO_RELEASE).fails(n);
    is_complete_acquires:
        |n| initialise::<B, 2>().broken(Broken::NO_ACQUIRE).fails(n);
    watching_nobody_hangs:
        |n| initialise::<B, 2>().victims(&[0]).broken(Broken::watching(2)).fails(n);
    a_check_before_the_collection_hangs:
        |n| initialise::<B, 2>().victims(&[0, 1]).broken(Broken::LATE_COLLECTION).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    one_at_a_time_whoever_dies: |n| initialise::<B, 3>().victims(&[0, 1, 2]).holds(n);
    an_interruption_leaves_nobody_asleep: |n| initialise::<B, 3>().victims(&[0]).interrupted(&[0, 1]).holds(n);
    after_a_panic_the_next_learns_of_it: |n| the_first_panics::<B>().holds(n);
    five_initialise_once: |n| initialise::<B, 5>().victims(&[0, 4]).holds(n);
}
