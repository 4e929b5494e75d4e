//! Models of `raw::places`: a party keeps its place until it has its answer, and no party takes a
//! place of a generation that is over.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

mod meeting;

use core::time::Duration;
use meeting::Meeting;
#[cfg(feature = "loom")]
use outlive::raw::barrier::Passed;
#[cfg(feature = "loom")]
use outlive_models::Broken;
use outlive_models::{Backend, Explore, World};
#[cfg(feature = "loom")]
use std::sync::atomic::Ordering::SeqCst;

/// 0 times out at some moment. A party that learns that they did not meet resets the barrier, and
/// comes again. In the end they meet.
fn each_resets<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        world.act(who, |me| state.meet_at_last(me, (who == 0).then_some(Duration::from_secs(1))));
    })
    .check(|state, _| {
        assert_eq!(state.met().len(), 2);
        state.each_generation_is_one_meeting(0);
    })
}

/// Each party passes alone: 1 passes `TIMES` times, 0 once less. Each may be late for the
/// generation that it saw, by as many generations as the other passes.
#[cfg(feature = "loom")]
fn one_passes_often<B: Backend, const TIMES: usize, const BITS: u32>() -> Explore<B, Meeting<B, 1, BITS>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1, BITS>| {
        let times = if who == 0 { TIMES - 1 } else { TIMES };
        (0..times).for_each(|_| assert!(world.act(who, |me| state.wait(me, None)).is_ok()));
    })
    .check(|state, _| assert!(state.met().iter().all(|met| met.leads && met.index == 0)))
}

/// Each party passes alone; 1 resets the barrier `TIMES` times before. 0 may stall before it ends
/// the generation that it saw, while the numbers wrap around. No party waits in the generation that
/// 0 ends then, since each ends its own.
#[cfg(feature = "loom")]
fn one_resets_often<B: Backend, const TIMES: usize>() -> Explore<B, Meeting<B, 1, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1, 2>| {
        world.act(who, |me| {
            (0..who * TIMES).for_each(|_| state.barrier.reset(me));
            let _met_or_not = state.wait(me, None);
        });
    })
    .check(|state, _| assert!(state.met().iter().all(|met| met.leads), "one has ended another's generation"))
}

/// More threads than parties, each with a deadline.
fn all_are_hasty<B: Backend, const ALL: usize>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(ALL, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let _met_or_not = world.act(who, |me| state.wait(me, Some(Duration::from_secs(1))));
    })
    .check(|state, _| state.each_generation_is_one_meeting(0))
}

/// Twice as many threads as parties. All get through, two by two, except those that die and those
/// that wait for them.
#[cfg(feature = "shuttle")]
fn two_by_two<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(4, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let answer = world.act(who, |me| state.wait(me, None));
        assert!(answer.is_ok() || (0..4).any(|who| world.has_died(who)));
    })
    .after(|_, _, _, state| state.barrier.abort())
    .check(|state, world| state.each_generation_is_one_meeting((0..4).filter(|who| world.has_died(*who)).count()))
}

/// The bit that stamps a place is lost.
#[cfg(feature = "loom")]
fn no_stamps() -> Broken {
    Broken { lost_bits: 1 << 62, ..Broken::NOTHING }
}

/// A free place is taken, whatever its number is.
#[cfg(feature = "loom")]
fn no_numbers() -> Broken {
    Broken { unseen_bits: 1 << 60 | u64::from(u32::MAX), ..Broken::NOTHING }
}

/// 0 resets the barrier; 1 resets it twice, and then meets 2. A generation that was not reset does
/// not break, even if the reset of 0 comes late.
#[cfg(feature = "loom")]
fn a_late_reset<B: Backend>() -> Explore<B, Meeting<B, 2, 2>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2, 2>| {
        world.act(who, |me| match who {
            0 => state.barrier.reset(me),
            1 => {
                (0..2).for_each(|_| state.barrier.reset(me));
                state.meet_at_last(me, None);
            }
            _ => loop {
                if let Ok(passed) = state.barrier.wait(me, None, false) {
                    break state.note(Ok(passed));
                }
            },
        });
    })
    .check(|state, _| {
        state.each_generation_is_one_meeting(0);
        let generation = state.met()[0].generation;
        assert!(generation > 2 || state.failed.load(SeqCst) == 0, "a generation that was not reset is broken");
    })
}

/// 0 resets the barrier; 1 resets it twice, and then runs an action alone. If the reset of 0 comes
/// late, 1 keeps its place, and can finish.
#[cfg(feature = "loom")]
fn a_late_reset_beside_a_runner<B: Backend>() -> Explore<B, Meeting<B, 1, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1, 2>| {
        world.act(who, |me| match who {
            0 => state.barrier.reset(me),
            _ => {
                (0..2).for_each(|_| state.barrier.reset(me));
                if let Ok(Passed::Runner { generation, .. }) = state.barrier.wait(me, None, true) {
                    let _done_or_reset = state.barrier.finish(me, generation);
                }
            }
        });
    })
    .check(|state, world| {
        let met = world.act(0, |me| state.barrier.wait(me, None, false));
        assert!(met.is_ok(), "the barrier waits for a runner that has lost its place");
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    each_party_gets_the_answer_of_its_own_generation: |n| each_resets::<B>().preemptions(3).holds(n);
    a_late_reset_breaks_nothing: |n| a_late_reset::<B>().holds(n);
    a_late_reset_takes_no_place: |n| a_late_reset_beside_a_runner::<B>().holds(n);
    a_stalled_arrival_displaces_nobody: |n| one_passes_often::<B, 2, 32>().preemptions(3).holds(n);
    a_stalled_arrival_displaces_nobody_while_the_numbers_come_round: |n| one_passes_often::<B, 3, 2>().holds(n);
    a_stall_of_almost_all_numbers_splits_no_verdict: |n| one_resets_often::<B, 3>().holds(n);
    with_one_party_a_stall_of_all_numbers_splits_no_verdict: |n| one_resets_often::<B, 4>().holds(n);
    each_has_an_index_of_its_own: |n| all_are_hasty::<B, 3>().holds(n);
    without_stamps_a_follower_gets_another_answer: |n| each_resets::<B>().broken(no_stamps()).fails(n);
    without_numbers_a_place_that_was_used_is_taken: |n| each_resets::<B>().broken(no_numbers()).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    each_party_gets_the_answer_of_its_own_generation: |n| each_resets::<B>().holds(n);
    each_has_an_index_of_its_own: |n| all_are_hasty::<B, 5>().holds(n);
    twice_as_many_threads_get_through_two_by_two: |n| two_by_two::<B>().victims(&[0, 3]).holds(n);
}
