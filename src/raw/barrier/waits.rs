//! What an interrupted waiter does, step by step, and what other waiters find meanwhile.

use super::super::generation::pack;
use super::*;
use crate::platform::Lifeline;
use crate::platform::puppet::{Puppet, Scene, Wakes, at_next_spin, id_of, play, scene, spinning, spins};
use core::array::from_fn;
use std::sync::Arc;

const STAMP: u64 = 1 << 62;
const WANTED: u64 = 1 << 63;

/// A barrier of two parties. Scenes change its state, its sequence and its places.
fn of_two(places: [u64; 2]) -> Arc<Barrier<Puppet, 2>> {
    of(places)
}

/// A barrier of as many parties as places.
fn of<const N: usize>(places: [u64; N]) -> Arc<Barrier<Puppet, N>> {
    let members = from_fn(|_| Word::new(0));
    Arc::new(Barrier::from_parts(Word64::new(0), Word::new(0), Word::new(0), members, places.map(Word64::new)))
}

/// The place of a waiter.
fn waiting(place: usize, generation: u32) -> u64 {
    u64::from(id_of(place).word()) << 32 | pack(generation)
}

/// The place of a waiter that is about to withdraw.
fn withdrawing(place: usize, generation: u32) -> u64 {
    waiting(place, generation) | WANTED
}

/// Waits, without an action and without a deadline.
fn wait(barrier: &Barrier<Puppet, 2>, scenes: Vec<Scene>) -> (Result<Passed, NotPassed>, Wakes) {
    play(3, scenes, |me| barrier.wait(me, None, false))
}

fn words_of<const N: usize>(barrier: &Barrier<Puppet, N>) -> (u64, [u64; N]) {
    (barrier.state.load(Relaxed), from_fn(|index| barrier.places[index].load(Relaxed)))
}

#[test]
fn an_interrupted_waiter_withdraws_and_wakes_waiters_without_a_place() {
    let barrier = of_two([0, 0]);
    let (answer, wakes) = wait(&barrier, vec![scene(|sleep| sleep.is_interrupted())]);
    assert_eq!(answer, Err(NotPassed::Interrupted));
    assert_eq!(words_of(&barrier), (WAITERS | 1 << 36, [pack(0), 0]));
    assert_eq!(wakes.on(&barrier.sequence), [u32::MAX]);
    assert_eq!(barrier.sequence.load(Relaxed), 1);
}

/// The count of withdrawals wraps to 0.
#[test]
fn any_number_of_waiters_may_withdraw() {
    let barrier = of_two([0, 0]);
    barrier.state.store((1 << 60) - (1 << 36), Relaxed);
    let (answer, _) = wait(&barrier, vec![scene(|sleep| sleep.is_interrupted())]);
    assert_eq!((answer, words_of(&barrier).0), (Err(NotPassed::Interrupted), WAITERS));
}

#[test]
fn an_interrupted_waiter_ends_the_generation_if_all_have_arrived_meanwhile() {
    let barrier = of_two([0, 0]);
    let others = Arc::clone(&barrier);
    let comes = scene(move |sleep| {
        others.places[1].store(waiting(1, 0), Relaxed);
        sleep.is_interrupted();
    });
    let (answer, _) = wait(&barrier, vec![comes]);
    assert_eq!(answer, Ok(Passed::Leader { index: 0, generation: 0 }));
}

#[test]
fn an_interrupted_waiter_of_an_ended_generation_gets_that_generations_answer() {
    for (state, place, answer) in [
        (pack(1), waiting(0, 0) | STAMP, Ok(Passed::Follower { index: 0, generation: 0 })),
        (BROKEN, waiting(0, 0), Err(NotPassed::Broken { died: None })),
        (pack(1), waiting(0, 0), Err(NotPassed::Broken { died: None })), // a reset
    ] {
        let barrier = of_two([0, 0]);
        let others = Arc::clone(&barrier);
        let ends = scene(move |sleep| {
            others.places[0].store(place, Relaxed);
            others.state.store(state, Relaxed);
            sleep.is_interrupted();
        });
        assert_eq!(wait(&barrier, vec![ends]).0, answer);
        assert_eq!(words_of(&barrier).1[0], pack(1), "the waiter has left its place");
    }
}

#[test]
fn while_an_action_runs_an_interrupted_waiter_sleeps_on() {
    let barrier = of_two([0, 0]);
    let [runner, ends] = [(); 2].map(|()| Arc::clone(&barrier));
    let scenes = vec![
        scene(move |sleep| {
            runner.places[1].store(waiting(1, 0), Relaxed);
            runner.state.store(RUNNING, Relaxed);
            sleep.is_interrupted();
        }),
        scene(move |sleep| {
            ends.places[0].store(waiting(0, 0) | STAMP, Relaxed);
            ends.state.store(pack(1), Relaxed);
            sleep.is_interrupted(); // without effect: the sleep began while the action ran
        }),
    ];
    assert_eq!(wait(&barrier, scenes).0, Ok(Passed::Follower { index: 0, generation: 0 }));
}

#[test]
fn a_death_while_withdrawing_breaks_the_barrier_even_during_an_action() {
    for state in [0, RUNNING] {
        let barrier = of_two([0, withdrawing(1, 0)]);
        barrier.state.store(state, Relaxed);
        let dies = scene(|sleep| sleep.dies(sleep.others().next().expect("it is watched")));
        assert_eq!(wait(&barrier, vec![dies]).0, Err(NotPassed::Broken { died: Some(id_of(1)) }), "{state:x}");
    }
}

/// Otherwise the newcomer would be counted instead of the withdrawing waiter, though the newcomer
/// did not arrive before the action.
#[test]
fn a_newcomer_does_not_take_the_place_of_a_withdrawing_waiter() {
    let barrier = of([withdrawing(1, 0)]);
    let (answer, _) = play(2, vec![], |me| {
        me.table.slots[1].lifelines()[0].word().store(crate::platform::MARK, Relaxed);
        barrier.wait(me, None, true)
    });
    assert_eq!(answer, Err(NotPassed::Broken { died: Some(id_of(1)) }));
}

/// The trip came first, and counts the withdrawing waiter: the waiter's place gets a stamp.
#[test]
fn a_waiter_that_withdraws_too_late_is_stamped() {
    let barrier = of_two([waiting(2, 0), withdrawing(1, 0)]);
    barrier.state.store(TRIPPING, Relaxed);
    assert_eq!(barrier.settled().generation(), 1);
    assert_eq!(words_of(&barrier).1, [waiting(2, 0) | STAMP, withdrawing(1, 0) | STAMP]);
}

#[test]
fn a_waiter_notes_whether_its_spins_have_helped() {
    let wait = |all_meet_while_it_spins: bool| {
        let barrier = of_two([0, 0]);
        let [while_it_spins, while_it_sleeps] = [(); 2].map(|()| Arc::clone(&barrier));
        let meet = |barrier: &Barrier<Puppet, 2>| {
            barrier.places[0].store(waiting(0, 0) | STAMP, Relaxed);
            barrier.state.store(pack(1), Relaxed);
        };
        let sleep = scene(move |_| meet(&while_it_sleeps));
        let sleeps = if all_meet_while_it_spins { vec![] } else { vec![sleep] };
        play(3, sleeps, |me| {
            spins(5, 0);
            if all_meet_while_it_spins {
                at_next_spin(move || meet(&while_it_spins));
            }
            assert!(barrier.wait(me, None, false).is_ok());
            (spinning().spun, spinning().have_helped)
        })
        .0
    };
    assert_eq!(wait(true), (1, vec![true]));
    assert_eq!(wait(false), (5, vec![false]));
}

/// The caller has the second of three places. Then there is only one.
#[test]
fn a_waiter_finds_that_the_number_of_parties_was_overwritten() {
    let barrier = of([waiting(1, 0), 0, 0]);
    let scribbles = Arc::clone(&barrier);
    let scribbles = scene(move |_| scribbles.parties.store(1, Relaxed));
    let (answer, _) = play(3, vec![scribbles], |me| barrier.wait(me, None, false));
    assert_eq!(answer, Ok(Passed::Leader { index: 0, generation: 0 }));
}
