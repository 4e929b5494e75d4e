//! Models of `raw::ReentrantMutex`: holds that are counted, and end with their holder.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::Word as _;
#[cfg(feature = "loom")]
use outlive::raw::Cause;
use outlive::raw::{NotLocked, Participant, ReentrantMutex};
use outlive_models::{Backend, Explore, Model, Word, World, step};

/// A pair that is equal except in the middle of an update.
#[derive(Debug)]
struct Guarded<B: Backend> {
    lock: ReentrantMutex<Model<B>>,
    pair: B::Cell<(u32, u32)>,
}

impl<B: Backend> Guarded<B> {
    fn new() -> Self {
        Self { lock: ReentrantMutex::from_words(Word::new(0), Word::new(0)), pair: B::cell((0, 0)) }
    }
    /// Holds it three times, and gives it back as often.
    fn update(&self, me: Participant<'_, Model<B>>) {
        let inconsistent = self.lock.lock(me, None).expect("waits").inconsistent;
        B::write(&self.pair, |pair| {
            match inconsistent {
                Some(_) => pair.1 = pair.0, // the repair
                None => assert_eq!(pair.0, pair.1, "half an update seen"),
            }
            pair.0 += 1;
        });
        if inconsistent.is_some() {
            self.lock.mark_consistent();
        }
        let again = [self.lock.lock(me, None), self.lock.try_lock(me)];
        assert!(again.iter().all(|answer| answer.is_ok_and(|acquired| acquired.inconsistent.is_none())));
        for _ in 0..2 {
            self.lock.release(me.id, 0).expect("held");
        }
        step::<B>();
        B::write(&self.pair, |pair| pair.1 += 1);
        self.lock.release(me.id, 0).expect("held");
    }
}

/// All update; at the end it is free for whoever comes, with a count that the dead have not left.
fn all_update<B: Backend>(count: usize) -> Explore<B, Guarded<B>> {
    Explore::new(count, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| state.update(me));
    })
    .check(|state, _| B::read(&state.pair, |pair| assert!(pair.0 >= pair.1)))
}

/// What a reader may do that does not hold it: be refused, and change nothing.
fn a_stranger_releases<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(3, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| match who {
            2 => {
                assert!(state.lock.release(me.id, 0).is_err());
                if let Err(refusal) = state.lock.try_lock(me) {
                    assert_eq!(refusal, NotLocked::WouldBlock);
                } else {
                    state.lock.release(me.id, 0).expect("held");
                }
            }
            _ => state.update(me),
        });
    })
}

/// A count beside a free word, as only scribbling leaves it; who takes the word makes the count 0.
#[cfg(feature = "loom")]
fn with_a_count_of_nobody<B: Backend>() -> Explore<B, Guarded<B>> {
    let make = || Guarded { lock: ReentrantMutex::from_words(Word::new(0), Word::new(5)), ..Guarded::new() };
    Explore::new(2, make, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            let taken = if who == 0 { state.lock.try_lock(me) } else { state.lock.lock(me, None) };
            if taken.is_ok() {
                B::write(&state.pair, |pair| pair.0 += 1);
                // The cause is for one that is left inconsistent.
                state.lock.release(me.id, Cause::Died(None).word()).expect("held");
                assert_ne!(state.lock.holder(), Some(me.id), "held more often than it was taken");
            }
        });
    })
    .check(|state, _| assert!(!state.lock.is_inconsistent(), "nothing had happened to it"))
}

/// Both hold it three times, give it back whole, and take it again as it was, as a wait for a
/// condition does.
#[cfg(feature = "loom")]
fn given_back_whole<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            for _ in 0..3 {
                let _acquired = state.lock.lock(me, None).expect("waits");
            }
            B::write(&state.pair, |pair| pair.0 += 1);
            let count = state.lock.release_all(0);
            assert_ne!(state.lock.holder(), Some(me.id), "not given back");
            let _acquired = state.lock.lock_again(me, count).expect("waits");
            B::write(&state.pair, |pair| pair.0 += 1);
            (0..3).for_each(|_| state.lock.release(me.id, 0).expect("held"));
            assert_ne!(state.lock.holder(), Some(me.id), "held more often than it was taken");
        });
    })
}

/// Left inconsistent by somebody from before; nobody vouches for it, and all are told.
#[cfg(feature = "loom")]
fn never_vouched_for<B: Backend>() -> Explore<B, Guarded<B>> {
    let make = || {
        let word = Word::new(Cause::Died(None).word());
        Guarded { lock: ReentrantMutex::from_words(word, Word::new(0)), ..Guarded::new() }
    };
    Explore::new(2, make, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            assert!(state.lock.lock(me, None).expect("waits").inconsistent.is_some(), "a warning is lost");
            B::write(&state.pair, |pair| pair.0 += 1);
            state.lock.release(me.id, 0).expect("held");
            assert_ne!(state.lock.holder(), Some(me.id));
        });
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    holds_exclude_each_other_whoever_dies: |n| all_update::<B>(2).victims(&[0, 1]).spurious().holds(n);
    three_exclude_each_other_whoever_dies: |n| all_update::<B>(3).victims(&[0]).preemptions(1).holds(n);
    any_two_may_die: |n| all_update::<B>(2).victims(&[0, 1]).pairs().holds(n);
    a_stale_count_is_reset: |n| with_a_count_of_nobody::<B>().holds(n);
    it_is_released_whole_and_locked_again: |n| given_back_whole::<B>().victims(&[0]).holds(n);
    an_inconsistent_lock_can_be_released: |n| never_vouched_for::<B>().holds(n);
    a_release_by_a_stranger_changes_nothing: |n| a_stranger_releases::<B>().preemptions(1).victims(&[0]).holds(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    holds_exclude_each_other_whoever_dies: |n| all_update::<B>(3).victims(&[0, 2]).spurious().holds(n);
}
