//! Models of `raw::Semaphore`: no permit lost or made up, publication, no lost wake, requests for
//! many, timeouts, and a death at every operation.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
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
        Self::of(Semaphore::from_words(Word::new(count), Word::constant(0), Word::constant(maximum)), count)
    }
    /// Where some want more than one.
    fn for_many(count: u32, maximum: u32) -> Self {
        Self::of(Semaphore::from_words(Word::new(count), Word::new(0), Word::constant(maximum)), count)
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
    fn take(&self, me: Participant<'_, Model<B>>, count: u32) {
        self.semaphore.acquire(me, count, None).expect("without a deadline it waits");
        self.taken.fetch_add(count, SeqCst);
    }
    fn give(&self, count: u32) {
        self.semaphore.release(count).expect("far from the maximum");
        self.given.fetch_add(count, SeqCst);
    }
    /// Releases until so many are there or were taken: without that, those that wait would rightly
    /// wait for ever.
    fn see_to_it(&self, count: u32) {
        loop {
            let taken = self.taken.load(SeqCst);
            self.semaphore.try_acquire(0).expect("none are there always"); // after it the newest count is seen
            if self.semaphore.available() + taken >= count {
                return;
            }
            self.give(1);
        }
    }
    /// What is there and what was taken is what was given, if nobody died between doing and
    /// counting.
    fn adds_up(&self) {
        let (given, taken) = (self.given.load(SeqCst), self.taken.load(SeqCst));
        assert_eq!(given, taken + self.semaphore.available(), "{given} given, {taken} taken");
    }
}

/// 0 releases twice, 1 and 2 take one each.
fn two_releases<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => (0..2).for_each(|_| state.give(1)),
        _ => world.act(who, |me| state.take(me, 1)),
    })
    .after(|_, dead, _, state| {
        if dead == 0 {
            state.see_to_it(2);
        }
    })
    .check(|state, world| {
        if !(0..3).any(|who| world.has_died(who)) {
            state.adds_up();
        }
    })
}

/// 0 releases two at once.
fn one_release_of_two<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => state.give(2),
        _ => world.act(who, |me| state.take(me, 1)),
    })
    .after(|_, dead, _, state| {
        if dead == 0 {
            state.see_to_it(2);
        }
    })
}

/// 1 takes one, and releases two more than that; 2 wants two at once. Whoever of 0 and 1 dies, a
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
        0 | 1 => state.see_to_it(4), // 2 may have overtaken 1, and one dead 1 may have taken one
        _ => {}
    })
}

#[cfg(feature = "loom")]
/// 0 and 1 take one of two permits each and give it back, 2 takes both and gives both back.
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

#[cfg(feature = "loom")]
/// 0 and 1 want both permits, of which one is there; they must fall asleep beside it, and not wake
/// each other without end. (By their numbers, so that the first schedules are those in which they
/// do.)
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

/// 1 gives up at some moment, and gives back what it took before that; 0 releases one, 2 takes one.
fn one_times_out<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => state.give(1),
        1 => world.act(who, |me| match state.semaphore.acquire(me, 1, Some(DEADLINE)) {
            Ok(()) => state.give(1),
            Err(refused) => assert_eq!((refused, is_over::<B>()), (NotAcquired::TimedOut, true)),
        }),
        _ => world.act(who, |me| state.take(me, 1)),
    })
    .after(|_, dead, _, state| {
        if dead < 2 {
            state.see_to_it(1);
        }
    })
}

/// 1 is interrupted, and goes away, or gives back what it took before that; 0 releases one, 2 takes
/// one and gives it back.
fn one_is_interrupted<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => state.give(1),
        1 => world.act(who, |me| match state.semaphore.acquire(me, 1, None) {
            Ok(()) => state.give(1),
            Err(refused) => assert_eq!(refused, NotAcquired::Interrupted),
        }),
        _ => world.act(who, |me| {
            state.take(me, 1);
            state.semaphore.release(1).expect("far from the maximum");
        }),
    })
    .after(|_, _, _, state| state.give(1))
    .interrupted(&[1])
}

/// 0 wants two, and is interrupted and goes away, or gives back what it took; 1 wants three and
/// gives them back; 2 releases three.
fn one_of_two_wishes_is_interrupted<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        0 => world.act(who, |me| match state.semaphore.acquire(me, 2, None) {
            Ok(()) => state.give(2),
            Err(refused) => assert_eq!(refused, NotAcquired::Interrupted),
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

#[cfg(feature = "loom")]
/// 0 and 1 each write, and release; 2 takes both permits, one by one or at once, and reads.
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

/// Two release at the same time where there is room for one.
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

/// 0 and 1 release one each, 2 wants both at once.
fn two_releases_for_one<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        2 => world.act(who, |me| state.take(me, 2)),
        _ => state.give(1),
    })
    .after(|_, dead, _, state| {
        if dead < 2 {
            state.see_to_it(2);
        }
    })
    .check(|state, world| {
        if !(0..3).any(|who| world.has_died(who)) {
            state.adds_up();
        }
    })
}

/// 0 wants two and 1 wants three; 2 releases two, and then three.
fn two_wishes<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        2 => [2, 3].into_iter().for_each(|count| state.give(count)),
        _ => world.act(who, |me| state.take(me, who as u32 + 2)),
    })
    .after(|_, dead, _, state| {
        if dead == 2 {
            state.see_to_it(5);
        }
    })
}

/// 0 and 1 want two each; 2 releases four at once.
fn one_release_for_two_wishes<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        2 => state.give(4),
        _ => world.act(who, |me| state.take(me, 2)),
    })
    .after(|_, dead, _, state| {
        if dead == 2 {
            state.see_to_it(4);
        }
    })
}

/// 0 wants two, and gives up at some moment, or gives back what it took; 1 wants three; 2 releases
/// three.
fn one_of_two_wishes_times_out<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty_for_many, |world: &World<B>, who, state: &State<B>| match who {
        0 => world.act(who, |me| match state.semaphore.acquire(me, 2, Some(DEADLINE)) {
            Ok(()) => state.give(2),
            Err(refused) => assert_eq!((refused, is_over::<B>()), (NotAcquired::TimedOut, true)),
        }),
        1 => world.act(who, |me| state.take(me, 3)),
        _ => state.give(3),
    })
    .after(|_, dead, _, state| {
        if dead != 1 {
            state.see_to_it(3);
        }
    })
}

#[cfg(feature = "loom")]
fn newest_first() -> Broken {
    Broken { newest_first: true, ..Broken::default() }
}

outlive_models::models! { with_loom, Loom, "loom",
    two_waiters_for_two_fall_asleep_beside_one_permit: |n| two_want_both::<B>().holds(n);
    two_releases_reach_two_sleepers_whoever_dies: |n| two_releases::<B>().victims(&[0, 1]).spurious().executions(2_000).holds(n);
    the_first_phase_changes_nothing: |n| two_releases::<B>().victims(&[0]).first_phase().holds(n);
    any_two_may_die: |n| two_releases::<B>().victims(&[0, 1]).pairs().holds(n);
    a_release_of_two_wakes_two_whoever_dies: |n| one_release_of_two::<B>().victims(&[0]).holds(n);
    a_waiter_for_many_takes_no_wake_from_a_waiter_for_one:
        |n| one_wants_many::<B>().victims(&[0, 2]).executions(2_000).holds(n);
    nor_if_the_waiter_for_many_is_woken_first:
        |n| one_wants_many::<B>().victims(&[2]).broken(newest_first()).executions(2_000).holds(n);
    a_waiter_for_many_is_woken_when_there_are_enough:
        |n| two_releases_for_one::<B>().victims(&[0, 1]).spurious().executions(2_000).holds(n);
    the_first_phase_changes_nothing_for_a_waiter_for_many: |n| two_releases_for_one::<B>().victims(&[0]).first_phase().holds(n);
    two_requests_for_many_are_both_met: |n| two_wishes::<B>().victims(&[0, 1, 2]).executions(2_000).holds(n);
    one_release_meets_two_equal_requests:
        |n| one_release_for_two_wishes::<B>().victims(&[0, 2]).preemptions(3).executions(2_000).holds(n);
    any_two_that_want_many_may_die: |n| two_wishes::<B>().victims(&[0, 1, 2]).pairs().executions(100).holds(n);
    a_request_that_times_out_harms_no_other: |n| one_of_two_wishes_times_out::<B>().victims(&[0, 2]).executions(2_000).holds(n);
    a_waiter_for_all_permits_gets_them: |n| both_or_one::<B>().holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1]).executions(2_000).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 1]).executions(1_000).holds(n);
    an_interruption_of_a_waiter_for_many_loses_no_wake: |n| one_of_two_wishes_is_interrupted::<B>().victims(&[0]).executions(1_000).holds(n);
    of_two_releases_past_the_maximum_one_fails: |n| over_release::<B>().holds(n);
    what_was_written_before_a_release_is_seen: |n| publication::<B>(true).spurious().holds(n);
    what_was_written_before_a_release_is_seen_without_waiting: |n| publication::<B>(false).holds(n);
    a_release_publishes_what_was_written_before_it:
        |n| publication::<B>(false).broken(Broken { no_release: true, ..Broken::default() }).fails(n);
    a_permit_acquires_what_was_written_before_its_release:
        |n| publication::<B>(false).broken(Broken { no_acquire: true, ..Broken::default() }).fails(n);
    a_check_before_the_collection_hangs:
        |n| two_releases::<B>().victims(&[0, 1, 2]).broken(Broken { late_collection: true, ..Broken::default() }).fails(n);
    watching_nobody_hangs:
        |n| two_releases::<B>().victims(&[0]).broken(Broken { most_words: Some(2), ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    two_releases_reach_two_sleepers_whoever_dies: |n| two_releases::<B>().victims(&[0, 1, 2]).holds(n);
    a_release_of_two_wakes_two_whoever_dies: |n| one_release_of_two::<B>().victims(&[0, 1]).first_phase().holds(n);
    a_waiter_for_many_takes_no_wake_from_a_waiter_for_one: |n| one_wants_many::<B>().victims(&[0, 1, 2]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1, 2]).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 1, 2]).holds(n);
    an_interruption_of_a_waiter_for_many_loses_no_wake: |n| one_of_two_wishes_is_interrupted::<B>().victims(&[0, 1, 2]).holds(n);
    a_waiter_for_many_is_woken_when_there_are_enough: |n| two_releases_for_one::<B>().victims(&[0, 1, 2]).holds(n);
    two_requests_for_many_are_both_met: |n| two_wishes::<B>().victims(&[0, 1, 2]).holds(n);
    one_release_meets_two_equal_requests: |n| one_release_for_two_wishes::<B>().victims(&[0, 1, 2]).holds(n);
    a_request_that_times_out_harms_no_other: |n| one_of_two_wishes_times_out::<B>().victims(&[0, 1, 2]).holds(n);
    of_two_releases_past_the_maximum_one_fails: |n| over_release::<B>().holds(n);
}
