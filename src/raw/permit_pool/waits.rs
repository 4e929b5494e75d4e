//! What a waiter does, step by step: its last check, the words that it leaves when it gives up, and
//! its wakes.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, id_of, play, scene};
use std::rc::Rc;

type Pool = PermitPool<Puppet, 2>;

/// A pool whose two permits participant 1 holds.
fn pool() -> Rc<Pool> {
    let held = || Word::new(id_of(1).word());
    Rc::new(Pool::from_words(Word::new(0), Word::new(0), [held(), held()]))
}

fn wait(pool: &Pool, scenes: Vec<Scene>) -> (Result<Taken, NoPermit>, Vec<u32>) {
    let (answer, wakes) = play(3, scenes, |me| pool.acquire(me, Some(DEADLINE)));
    (answer, wakes.on(&pool.sequence))
}

/// A sleep during which participant 1 releases `count` permits, participant 2 takes `taken` of
/// them, and the deadline passes.
fn come_back(pool: &Rc<Pool>, count: usize, taken: usize) -> Scene {
    let pool = Rc::clone(pool);
    scene(move |sleep| {
        (0..count).for_each(|index| pool.release(index, id_of(1)).expect("it holds it"));
        (0..taken).for_each(|index| pool.holds[index].store(id_of(2).word(), Relaxed));
        sleep.lasts();
    })
}

#[test]
fn a_permit_released_as_the_deadline_passes_is_acquired() {
    let pool = pool();
    let (answer, _) = wait(&pool, vec![come_back(&pool, 1, 0)]);
    assert_eq!(answer, Ok(Taken { index: 0, from: None }));
}

#[test]
fn a_permit_whose_holder_dies_as_the_deadline_passes_is_acquired() {
    let (answer, _) = wait(
        &pool(),
        vec![scene(|sleep| {
            sleep.dies(sleep.others().next().expect("the holder is watched"));
            sleep.lasts();
        })],
    );
    assert_eq!(answer.map(|taken| taken.from), Ok(Some(id_of(1))));
}

#[test]
fn a_waiter_that_times_out_leaves_waiters_set() {
    for (count, what) in [(0, "never woken"), (1, "woken, and overtaken")] {
        let pool = pool();
        let (answer, _) = wait(&pool, vec![come_back(&pool, count, count)]);
        assert_eq!(answer, Err(NoPermit::TimedOut), "{what}");
        assert_eq!(pool.sequence.load(Relaxed), WAITERS | count as u32, "{what}");
    }
}

/// Two permits were released before the waiter ran. The second release found no WAITERS, and woke
/// nobody.
#[test]
fn a_waiter_that_slept_wakes_another_if_a_permit_is_left() {
    for (count, wakes_of_it) in [(1, vec![]), (2, vec![1])] {
        let pool = pool();
        let (answer, wakes) = wait(&pool, vec![come_back(&pool, count, 0)]);
        assert!(answer.is_ok());
        assert_eq!(wakes[1..], wakes_of_it, "after the release's wake");
    }
}
