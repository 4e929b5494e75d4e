//! What a waiter does, step by step: its last check, and the words that it leaves when it gives up.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, id_of, play, scene};

fn held_by_another() -> ReentrantMutex<Puppet> {
    ReentrantMutex::from_words(Word::new(id_of(1).word()), Word::new(3))
}

#[test]
fn a_lock_released_as_the_deadline_passes_is_acquired() {
    let lock = held_by_another();
    let free = scene(|sleep| {
        sleep.awaited().store(0, Relaxed);
        sleep.lasts();
    });
    let (answer, _) = play(2, vec![free], |me| lock.lock(me, Some(DEADLINE)));
    assert_eq!(answer, Ok(Acquired { inconsistent: None }));
    assert_eq!((lock.holder(), lock.count.load(Relaxed)), (Some(id_of(0)), 0));
}

#[test]
fn a_woken_waiter_that_is_overtaken_and_times_out_sets_waiters_again() {
    let lock = held_by_another();
    let overtaken = scene(|sleep| {
        sleep.awaited().store(id_of(2).word(), Relaxed);
        sleep.lasts();
    });
    let (answer, _) = play(3, vec![overtaken], |me| lock.lock(me, Some(DEADLINE)));
    assert_eq!(answer, Err(NotLocked::TimedOut));
    assert_eq!(lock.mutex.load(), id_of(2).word() | WAITERS);
    assert_eq!(lock.count.load(Relaxed), 3, "the count is the holder's");
}
