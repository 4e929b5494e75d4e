//! Models of `raw::Semaphore`: no permit is lost or invented, a release publishes, and no wake is
//! lost. There are requests for many permits, and timeouts. Every operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
use outlive::raw::hold::WAITERS;
use outlive::raw::semaphore::{NotAcquired, OverRelease};
use outlive::raw::{Participant, Semaphore};
#[cfg(feature = "loom")]
use outlive_models::Broken;
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, World, is_over};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

#[derive(Debug)]
struct State<B: Backend> {
    semaphore: Semaphore<Model<B>>,
    written: B::Cell<u32>,
    taken: AtomicU32,
    given: AtomicU32,
}

impl<B: Backend> State<B> {
    fn with(count: u32, maximum: u32) -> Self {
        Self::of(
            Semaphore::from_words(Word::new(count), Word::new(count), Word::constant(0), Word::constant(maximum)),
            count,
        )
    }
    /// For scenarios in which a participant wants more than one permit.
    fn for_many(count: u32, maximum: u32) -> Self {
        Self::of(
            Semaphore::from_words(Word::new(count), Word::new(count), Word::new(0), Word::constant(maximum)),
            count,
        )
    }
    fn of(semaphore: Semaphore<Model<B>>, count: u32) -> Self {
        Self { semaphore, written: B::cell(0), taken: AtomicU32::new(0), given: AtomicU32::new(count) }
    }
    fn empty() -> Self {
        Self::with(0, 0)
    }
    fn empty_for_many() -> Self {
        Self::for_many(0, 0)
    }
    /// Without permits, but the guess says that there is one, and that a waiter sleeps.
    fn with_a_wrong_guess() -> Self {
        let guess = Word::new(1 | WAITERS);
        Self::of(Semaphore::from_words(Word::new(0), guess, Word::constant(0), Word::constant(0)), 0)
    }
    fn take(&self, me: Participant<'_, Model<B>>, count: u32) {
        self.semaphore.acquire(me, count, None).expect("without a deadline it waits");
        self.taken.fetch_add(count, SeqCst);
    }
    fn give(&self, count: u32) {
        self.semaphore.release(count).expect("far from the maximum");
        self.given.fetch_add(count, SeqCst);
    }
    /// For a supervisor: releases until `count` permits are available or taken. Otherwise the
    /// waiters would rightly wait forever.
    fn release_for_the_dead(&self, count: u32) {
        loop {
            let taken = self.taken.load(SeqCst);
            // After this the newest count is seen.
            self.semaphore.try_acquire(0).expect("0 permits are always available");
            if self.semaphore.available() + taken >= count {
                return;
            }
            self.give(1);
        }
    }
    /// Available and taken permits are as many as were given. This holds only if no participant
    /// died between an operation and its count.
    fn adds_up(&self) {
        let (given, taken) = (self.given.load(SeqCst), self.taken.load(SeqCst));
        assert_eq!(given, taken + self.semaphore.available(), "{given} given, {taken} taken");
    }
}

/// 0 releases twice, 1 and 2 take one each.
fn two_releases<B: Backend>() -> Explore<B, State<B>> {
    two_releases_from(State::empty)
}

/// The same, with this state at first.
fn two_releases_from<B: Backend>(first: fn() -> State<B>) -> Explore<B, State<B>> {
    Explore::new(3, first, |world: &World<B>, who, state: &State<B>| match who {
        0 => (0..2).for_each(|_| state.give(1)),
        _ => world.act(who, |me| state.take(me, 1)),
    })
    .after(|_, dead, _, state| {
        if dead == 0 {
            state.release_for_the_dead(2);
        }
    })
    .check(|state, world| {
        if !(0..3).any(|who| world.has_died(who)) {
            state.adds_up();
        }
    })
}

/// 0 releases two permits at once, 1 and 2 take one each.
fn one_release_of_two<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => state.give(2),
        _ => world.act(who, |me| state.take(me, 1)),
    })
    .after(|_, dead, _, state| {
        if dead == 0 {
            state.release_for_the_dead(2);
        }
    })
}

/// 0 releases one permit. 1 takes one, and releases two. 2 wants two at once. If 0 or 1 dies, a
/// supervisor releases enough.
fn one_wants_many<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        0 => state.give(1),
        1 => world.act(who, |me| {
            state.take(me, 1);
            state.give(2);
        }),
        _ => world.act(who, |me| state.take(me, 2)),
    })
    .after(|_, dead, _, state| match dead {
        0 | 1 => state.release_for_the_dead(4), // 2 may have overtaken 1, and a dead 1 may have taken one
        _ => {}
    })
}

/// There are two permits. 0 and 1 take one each and release it; 2 takes both and releases both.
#[cfg(feature = "loom")]
fn both_or_one<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(
        3,
        || State::for_many(2, 2),
        |world: &World<B>, who, state: &State<B>| {
            let count = if who == 2 { 2 } else { 1 };
            world.act(who, |me| {
                state.take(me, count);
                state.give(count);
            });
        },
    )
}

/// 0 and 1 want two permits each, and one is available. They must fall asleep, and not wake each
/// other without end. With these numbers they sleep in the first schedules of a search.
#[cfg(feature = "loom")]
fn two_want_both<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(
        3,
        || State::for_many(1, 2),
        |world: &World<B>, who, state: &State<B>| match who {
            2 => state.give(1),
            _ => world.act(who, |me| {
                state.take(me, 2);
                state.give(2);
            }),
        },
    )
}

/// 0 releases one permit. 1 takes it and releases it, or times out at some moment. 2 takes one.
fn one_times_out<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => state.give(1),
        1 => world.act(who, |me| match state.semaphore.acquire(me, 1, Some(DEADLINE)) {
            Ok(()) => state.give(1),
            Err(error) => assert_eq!((error, is_over::<B>()), (NotAcquired::TimedOut, true)),
        }),
        _ => world.act(who, |me| state.take(me, 1)),
    })
    .after(|_, dead, _, state| {
        if dead < 2 {
            state.release_for_the_dead(1);
        }
    })
}

/// 0 releases one permit. 1 takes it and releases it, or is interrupted and goes away. 2 takes one
/// and releases it.
fn one_is_interrupted<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => state.give(1),
        1 => world.act(who, |me| match state.semaphore.acquire(me, 1, None) {
            Ok(()) => state.give(1),
            Err(error) => assert_eq!(error, NotAcquired::Interrupted),
        }),
        _ => world.act(who, |me| {
            state.take(me, 1);
            state.semaphore.release(1).expect("far from the maximum");
        }),
    })
    .after(|_, _, _, state| state.give(1))
    .interrupted(&[1])
}

/// 0 takes two permits and releases them, or is interrupted and goes away. 1 takes three and
/// releases them. 2 releases three.
fn one_of_two_requests_is_interrupted<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        0 => world.act(who, |me| match state.semaphore.acquire(me, 2, None) {
            Ok(()) => state.give(2),
            Err(error) => assert_eq!(error, NotAcquired::Interrupted),
        }),
        1 => world.act(who, |me| {
            state.take(me, 3);
            state.semaphore.release(3).expect("far from the maximum");
        }),
        _ => state.give(3),
    })
    .after(|_, _, _, state| state.give(3))
    .interrupted(&[0])
}

/// 0 writes, and releases. 1 takes and reads: it waits for two permits that are released
/// `at_once`, or tries to take one.
#[cfg(feature = "loom")]
fn publication<B: Backend>(at_once: bool) -> Explore<B, State<B>> {
    let body: fn(&World<B>, usize, &State<B>) = if at_once {
        |world, who, state| match who {
            0 => {
                B::write(&state.written, |written| *written += 1);
                state.give(2);
            }
            _ => world.act(who, |me| {
                state.take(me, 2);
                B::read(&state.written, |written| assert_eq!(*written, 1));
            }),
        }
    } else {
        |world, who, state| match who {
            0 => {
                B::write(&state.written, |written| *written += 1);
                state.give(1);
            }
            _ => world.act(who, |_| {
                if state.semaphore.try_acquire(1).is_ok() {
                    B::read(&state.written, |written| assert_eq!(*written, 1));
                }
            }),
        }
    };
    Explore::new(2, State::empty_for_many, body)
}

/// Two participants release at the same time, and only one permit is missing to the maximum.
fn over_release<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(
        2,
        || State::with(1, 2),
        |_, _, state: &State<B>| match state.semaphore.release(1) {
            Ok(()) => _ = state.given.fetch_add(1, SeqCst),
            Err(error) => assert_eq!(error, OverRelease { available: 2, maximum: 2 }),
        },
    )
    .check(|state, _| {
        state.adds_up();
        assert_eq!(state.semaphore.available(), 2);
    })
}

/// 0 and 1 release one permit each, 2 wants two at once.
fn two_releases_for_one<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        2 => world.act(who, |me| state.take(me, 2)),
        _ => state.give(1),
    })
    .after(|_, dead, _, state| {
        if dead < 2 {
            state.release_for_the_dead(2);
        }
    })
    .check(|state, world| {
        if !(0..3).any(|who| world.has_died(who)) {
            state.adds_up();
        }
    })
}

/// 0 wants two permits, 1 wants three. 2 releases two, and then three.
fn two_requests<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        2 => [2, 3].into_iter().for_each(|count| state.give(count)),
        _ => world.act(who, |me| state.take(me, who as u32 + 2)),
    })
    .after(|_, dead, _, state| {
        if dead == 2 {
            state.release_for_the_dead(5);
        }
    })
}

/// 0 and 1 want two permits each; 2 releases four at once.
fn one_release_for_two_requests<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        2 => state.give(4),
        _ => world.act(who, |me| state.take(me, 2)),
    })
    .after(|_, dead, _, state| {
        if dead == 2 {
            state.release_for_the_dead(4);
        }
    })
}

/// 0 takes two permits and releases them, or times out at some moment. 1 wants three. 2 releases
/// three.
fn one_of_two_requests_times_out<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        0 => world.act(who, |me| match state.semaphore.acquire(me, 2, Some(DEADLINE)) {
            Ok(()) => state.give(2),
            Err(error) => assert_eq!((error, is_over::<B>()), (NotAcquired::TimedOut, true)),
        }),
        1 => world.act(who, |me| state.take(me, 3)),
        _ => state.give(3),
    })
    .after(|_, dead, _, state| {
        if dead != 1 {
            state.release_for_the_dead(3);
        }
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    two_waiters_for_two_fall_asleep_beside_one_permit: |n| two_want_both::<B>().holds(n);
    two_releases_reach_two_sleepers_whoever_dies: |n| two_releases::<B>().victims(&[0, 1]).spurious().executions(2_000).holds(n);
    a_wrong_guess_loses_no_permit_and_no_wake:
        |n| two_releases_from(State::<B>::with_a_wrong_guess).victims(&[0, 1]).executions(2_000).holds(n);
    the_first_phase_changes_nothing: |n| two_releases::<B>().victims(&[0]).first_phase().holds(n);
    any_two_may_die: |n| two_releases::<B>().victims(&[0, 1]).pairs().holds(n);
    a_release_of_two_wakes_two_whoever_dies: |n| one_release_of_two::<B>().victims(&[0]).holds(n);
    a_waiter_for_many_takes_no_wake_from_a_waiter_for_one:
        |n| one_wants_many::<B>().victims(&[0, 2]).executions(2_000).holds(n);
    nor_if_the_waiter_for_many_is_woken_first:
        |n| one_wants_many::<B>().victims(&[2]).broken(Broken::NEWEST_FIRST).executions(2_000).holds(n);
    a_waiter_for_many_is_woken_when_there_are_enough:
        |n| two_releases_for_one::<B>().victims(&[0, 1]).spurious().executions(2_000).holds(n);
    the_first_phase_changes_nothing_for_a_waiter_for_many: |n| two_releases_for_one::<B>().victims(&[0]).first_phase().holds(n);
    two_requests_for_many_are_both_met: |n| two_requests::<B>().victims(&[0, 1, 2]).executions(2_000).holds(n);
    one_release_meets_two_equal_requests:
        |n| one_release_for_two_requests::<B>().victims(&[0, 2]).preemptions(3).executions(2_000).holds(n);
    any_two_that_want_many_may_die: |n| two_requests::<B>().victims(&[0, 1, 2]).pairs().executions(100).holds(n);
    a_request_that_times_out_harms_no_other: |n| one_of_two_requests_times_out::<B>().victims(&[0, 2]).executions(2_000).holds(n);
    a_waiter_for_all_permits_gets_them: |n| both_or_one::<B>().holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1]).executions(2_000).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 1]).executions(1_000).holds(n);
    an_interruption_of_a_waiter_for_many_loses_no_wake: |n| one_of_two_requests_is_interrupted::<B>().victims(&[0]).executions(1_000).holds(n);
    of_two_releases_past_the_maximum_one_fails: |n| over_release::<B>().holds(n);
    what_was_written_before_a_release_is_seen: |n| publication::<B>(true).spurious().holds(n);
    what_was_written_before_a_release_is_seen_without_waiting: |n| publication::<B>(false).holds(n);
    a_release_publishes_what_was_written_before_it:
        |n| publication::<B>(false).broken(Broken::NO_RELEASE).fails(n);
    a_permit_acquires_what_was_written_before_its_release:
        |n| publication::<B>(false).broken(Broken::NO_ACQUIRE).fails(n);
    a_check_before_the_collection_hangs:
        |n| two_releases::<B>().victims(&[0, 1, 2]).broken(Broken::LATE_COLLECTION).fails(n);
    watching_nobody_hangs:
        |n| two_releases::<B>().victims(&[0]).broken(Broken::watching(2)).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    two_releases_reach_two_sleepers_whoever_dies: |n| two_releases::<B>().victims(&[0, 1, 2]).holds(n);
    a_wrong_guess_loses_no_permit_and_no_wake:
        |n| two_releases_from(State::<B>::with_a_wrong_guess).victims(&[0, 1, 2]).holds(n);
    a_release_of_two_wakes_two_whoever_dies: |n| one_release_of_two::<B>().victims(&[0, 1]).first_phase().holds(n);
    a_waiter_for_many_takes_no_wake_from_a_waiter_for_one: |n| one_wants_many::<B>().victims(&[0, 1, 2]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1, 2]).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 1, 2]).holds(n);
    an_interruption_of_a_waiter_for_many_loses_no_wake: |n| one_of_two_requests_is_interrupted::<B>().victims(&[0, 1, 2]).holds(n);
    a_waiter_for_many_is_woken_when_there_are_enough: |n| two_releases_for_one::<B>().victims(&[0, 1, 2]).holds(n);
    two_requests_for_many_are_both_met: |n| two_requests::<B>().victims(&[0, 1, 2]).holds(n);
    one_release_meets_two_equal_requests: |n| one_release_for_two_requests::<B>().victims(&[0, 1, 2]).holds(n);
    a_request_that_times_out_harms_no_other: |n| one_of_two_requests_times_out::<B>().victims(&[0, 1, 2]).holds(n);
    of_two_releases_past_the_maximum_one_fails: |n| over_release::<B>().holds(n);
}
