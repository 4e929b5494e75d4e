//! Models of `raw::ReentrantMutex`: holds are counted, and end when their holder dies.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::Word as _;
#[cfg(feature = "loom")]
use outlive::raw::Cause;
use outlive::raw::{NotLocked, Participant, ReentrantMutex};
use outlive_models::{Backend, Explore, Model, Pair, Word, World, step};

/// A pair under a reentrant mutex.
#[derive(Debug)]
struct Guarded<B: Backend> {
    lock: ReentrantMutex<Model<B>>,
    pair: Pair<B>,
}

impl<B: Backend> Guarded<B> {
    fn new() -> Self {
        Self { lock: ReentrantMutex::from_words(Word::new(0), Word::new(0)), pair: Pair::default() }
    }
    /// Locks three times, and releases as often.
    fn update(&self, me: Participant<'_, Model<B>>) {
        let inconsistent = self.lock.lock(me, None).expect("waits").inconsistent;
        self.pair.begin_update(inconsistent);
        if inconsistent.is_some() {
            self.lock.mark_consistent();
        }
        let again = [self.lock.lock(me, None), self.lock.try_lock(me)];
        assert!(again.iter().all(|answer| answer.is_ok_and(|acquired| acquired.inconsistent.is_none())));
        for _ in 0..2 {
            self.lock.release(me.id, 0).expect("held");
        }
        step::<B>();
        self.pair.end_update();
        self.lock.release(me.id, 0).expect("held");
    }
}

/// All update. The count of a dead holder must not stay, or the next holder would never free the
/// lock.
fn all_update<B: Backend>(count: usize) -> Explore<B, Guarded<B>> {
    Explore::new(count, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| state.update(me));
    })
    .check(|state, _| {
        let pair = state.pair.read();
        assert!(pair.0 >= pair.1);
    })
}

/// 2 releases without a hold. That fails, and changes nothing.
fn a_stranger_releases<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(3, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| match who {
            2 => {
                assert!(state.lock.release(me.id, 0).is_err());
                if let Err(error) = state.lock.try_lock(me) {
                    assert_eq!(error, NotLocked::WouldBlock);
                } else {
                    state.lock.release(me.id, 0).expect("held");
                }
            }
            _ => state.update(me),
        });
    })
}

/// The word is free, and the count is not 0; only stray writes leave it so. The participant that
/// takes the word resets the count.
#[cfg(feature = "loom")]
fn with_a_stale_count<B: Backend>() -> Explore<B, Guarded<B>> {
    let make = || Guarded { lock: ReentrantMutex::from_words(Word::new(0), Word::new(5)), ..Guarded::new() };
    Explore::new(2, make, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            let taken = if who == 0 { state.lock.try_lock(me) } else { state.lock.lock(me, None) };
            if taken.is_ok() {
                state.pair.add_to_first();
                // The cause is used only if the lock is left inconsistent.
                state.lock.release(me.id, Cause::Died(None).word()).expect("held");
                assert_ne!(state.lock.holder(), Some(me.id), "held more often than it was taken");
            }
        });
    })
    .check(|state, _| assert!(!state.lock.is_inconsistent(), "no holder died"))
}

/// Both lock three times, release all holds at once, and lock again with the same count. A wait on
/// a condition variable does this.
#[cfg(feature = "loom")]
fn given_back_whole<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            for _ in 0..3 {
                let _acquired = state.lock.lock(me, None).expect("waits");
            }
            state.pair.add_to_first();
            let count = state.lock.release_all(0);
            assert_ne!(state.lock.holder(), Some(me.id), "not released");
            let _acquired = state.lock.lock_again(me, count).expect("waits");
            state.pair.add_to_first();
            (0..3).for_each(|_| state.lock.release(me.id, 0).expect("held"));
            assert_ne!(state.lock.holder(), Some(me.id), "held more often than it was taken");
        });
    })
}

/// The lock is inconsistent from the start. No holder marks it consistent, and each gets the
/// warning.
#[cfg(feature = "loom")]
fn never_marked_consistent<B: Backend>() -> Explore<B, Guarded<B>> {
    let make = || {
        let word = Word::new(Cause::Died(None).word());
        Guarded { lock: ReentrantMutex::from_words(word, Word::new(0)), ..Guarded::new() }
    };
    Explore::new(2, make, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            assert!(state.lock.lock(me, None).expect("waits").inconsistent.is_some(), "a warning is lost");
            state.pair.add_to_first();
            state.lock.release(me.id, 0).expect("held");
            assert_ne!(state.lock.holder(), Some(me.id));
        });
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    holds_exclude_each_other_whoever_dies: |n| all_update::<B>(2).victims(&[0, 1]).spurious().holds(n);
    three_exclude_each_other_whoever_dies: |n| all_update::<B>(3).victims(&[0]).preemptions(1).holds(n);
    any_two_may_die: |n| all_update::<B>(2).victims(&[0, 1]).pairs().holds(n);
    a_stale_count_is_reset: |n| with_a_stale_count::<B>().holds(n);
    it_is_released_whole_and_locked_again: |n| given_back_whole::<B>().victims(&[0]).holds(n);
    an_inconsistent_lock_can_be_released: |n| never_marked_consistent::<B>().holds(n);
    a_release_by_a_stranger_changes_nothing: |n| a_stranger_releases::<B>().preemptions(1).victims(&[0]).holds(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    holds_exclude_each_other_whoever_dies: |n| all_update::<B>(3).victims(&[0, 2]).spurious().holds(n);
}
