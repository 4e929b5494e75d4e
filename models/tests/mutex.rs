//! Models of `raw::Mutex`: it excludes, it publishes, it loses no wake, waits time out, and every
//! operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
#[cfg(feature = "loom")]
use outlive::raw::Leaked;
use outlive::raw::hold::HELD;
use outlive::raw::{Cause, Mutex, NotLocked, Participant};
use outlive_models::{Backend, DEADLINE, Explore, Left, Model, Pair, Word, World, is_over, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Loom};

/// A pair under a mutex.
#[derive(Debug)]
struct Guarded<B: Backend> {
    mutex: Mutex<Model<B>>,
    pair: Pair<B>,
}

impl<B: Backend> Guarded<B> {
    fn new() -> Self {
        Self::with(0)
    }

    /// Participant 2 holds the mutex from the start.
    fn held_by_2() -> Self {
        Self::held_by(2)
    }

    #[cfg(feature = "loom")]
    fn held_by_0() -> Self {
        Self::held_by(0)
    }

    fn held_by(slot: u32) -> Self {
        Self::with(HELD | 1 << 12 | slot) // in its first generation
    }

    fn with(word: u32) -> Self {
        Self { mutex: Mutex::from_word(Word::new(word)), pair: Pair::default() }
    }

    fn critical_section(&self, inconsistent: Option<Cause>) {
        self.pair.update(inconsistent);
        self.mutex.unlock(0);
    }

    fn update(&self, me: Participant<'_, Model<B>>) {
        let acquired = self.mutex.lock(me, None).expect("without a deadline it waits");
        self.critical_section(acquired.inconsistent);
    }

    /// The updates of all participants are there, except those of the dead.
    fn all_updated(&self, world: &World<B>) {
        let died = (0..3).filter(|who| world.has_died(*who)).count() as u32;
        let pair = self.pair.read();
        assert!(pair.0 + died >= 3 && pair.0 <= 3, "{pair:?} with {died} dead");
    }
}

fn three<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(3, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| world.act(who, |me| state.update(me)))
        .check(|state, world| state.all_updated(world))
}

fn barging<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(3, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            state.update(me);
            if who == 0 {
                state.update(me);
            }
        });
    })
}

/// Participant 1 times out at some moment.
fn one_times_out<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(3, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            let deadline = (who == 1).then_some(DEADLINE);
            match state.mutex.lock(me, deadline) {
                Ok(acquired) => state.critical_section(acquired.inconsistent),
                Err(error) => assert_eq!((error, who, is_over::<B>()), (NotLocked::TimedOut, 1, true)),
            }
        });
    })
}

/// 2 holds the mutex from the start, unlocks, and locks again at once, without WAITERS. The sleeper
/// that 2 woke may be 0. It is overtaken, and may time out or sleep on. 1 waits forever.
fn one_is_overtaken_and_times_out<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(3, Guarded::held_by_2, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| match who {
            0 => match state.mutex.lock(me, Some(DEADLINE)) {
                Ok(acquired) => state.critical_section(acquired.inconsistent),
                Err(error) => assert_eq!((error, is_over::<B>()), (NotLocked::TimedOut, true)),
            },
            1 => state.update(me),
            _ => {
                state.critical_section(None);
                state.update(me);
            }
        });
    })
}

/// 2 holds the mutex from the start, and unlocks. 0 is interrupted, and goes away. 1 waits forever.
fn one_is_interrupted<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(3, Guarded::held_by_2, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| match who {
            0 => match state.mutex.lock(me, None) {
                Ok(acquired) => state.critical_section(acquired.inconsistent),
                Err(error) => assert_eq!(error, NotLocked::Interrupted),
            },
            1 => state.update(me),
            _ => state.critical_section(None),
        });
    })
    .interrupted(&[0])
}

/// 0 and 2 acquire; 1 releases on behalf of the holder, as with `Lock`. If it `WAITS`, a caller
/// that already holds the mutex waits for a release, as with `Lock`.
#[cfg(feature = "loom")]
fn released_by_another<B: Backend, const WAITS: bool>(new: fn() -> Guarded<B>) -> Explore<B, Guarded<B>> {
    Explore::new(3, new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| match who {
            1 => {
                // A release that finds the mutex free fails, and changes nothing.
                let _free = state.mutex.release(None, None);
            }
            _ => {
                let leaked = if WAITS { Leaked::Wait } else { Leaked::Refuse };
                let _acquired = state.mutex.lock_with(me, None, leaked).expect("waits");
                step::<B>();
                let _released_by_another = state.mutex.release(Some(me.id), None);
            }
        });
    })
}

/// 0 calls `try_lock` once, while 1 updates twice.
fn one_tries<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            if who == 1 {
                state.update(me);
                return state.update(me);
            }
            match state.mutex.try_lock(me) {
                Ok(acquired) => state.critical_section(acquired.inconsistent),
                Err(error) => assert_eq!(error, NotLocked::WouldBlock),
            }
        });
    })
}

/// 0 updates. 1 is a newcomer in the slot of a former participant, and updates as well.
fn a_newcomer_updates<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| match who {
        0 => world.act(who, |me| state.update(me)),
        _ => world.come(who, |me| state.update(me)),
    })
    .newcomers(1)
    .left(Left::Marked)
}

/// As `a_newcomer_updates`, but 0 calls `try_lock`.
fn a_newcomer_updates_and_one_tries<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| match who {
        0 => world.act(who, |me| {
            if let Ok(acquired) = state.mutex.try_lock(me) {
                state.critical_section(acquired.inconsistent);
            }
        }),
        _ => world.come(who, |me| state.update(me)),
    })
    .newcomers(1)
    .left(Left::Marked)
}

/// Both update, and release by name, as `Lock` does.
fn two_release_by_name<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            let _acquired = state.mutex.lock(me, None).expect("waits");
            state.pair.add_to_first();
            state.mutex.release(Some(me.id), None).expect("we hold it");
        });
    })
}

/// Both update, mark the data consistent, and release as `Lock` does if no participant waits.
fn two_mark_consistent_and_release_plainly<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| {
        world.act(who, |me| {
            let _acquired = state.mutex.lock(me, None).expect("waits");
            state.pair.add_to_first();
            state.mutex.mark_consistent_by(me.id).expect("we hold it");
            if !state.mutex.release_plain(me.id.word()) {
                state.mutex.release(Some(me.id), None).expect("we hold it");
            }
        });
    })
}

fn two<B: Backend>() -> Explore<B, Guarded<B>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B>| world.act(who, |me| state.update(me)))
}

/// 1 and 3 update, on a machine where a wait has room for one lifeline. There are two more
/// participants, which do nothing.
#[cfg(feature = "loom")]
fn two_in_a_crowd(processes: &'static [u32]) -> Explore<Loom<4>, Guarded<Loom<4>>> {
    Explore::new(4, Guarded::new, |world: &World<Loom<4>>, who, state: &Guarded<Loom<4>>| {
        if who % 2 == 1 {
            world.act(who, |me| state.update(me));
        }
    })
    .processes(processes)
    .victims(&[3])
}

outlive_models::models! { with_loom, Loom, "loom",
    updates_exclude_each_other_whoever_dies: |n| three::<B>().victims(&[0, 1, 2]).spurious().holds(n);
    updates_exclude_each_other_with_the_first_phase: |n| three::<B>().victims(&[0, 1]).first_phase().holds(n);
    barging_loses_no_wake_whoever_dies: |n| barging::<B>().victims(&[0, 1]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1, 2]).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 2]).executions(1_000).holds(n);
    a_waiter_that_is_overtaken_and_times_out_loses_no_wake:
        |n| one_is_overtaken_and_times_out::<B>().victims(&[0, 2]).executions(300).holds(n);
    a_release_on_behalf_of_the_holder_wakes_the_next: |n| released_by_another::<B, false>(Guarded::new).victims(&[0, 1]).holds(n);
    a_waiter_for_its_own_hold_is_woken_by_a_release:
        |n| released_by_another::<B, true>(Guarded::held_by_0).victims(&[0, 2]).holds(n);
    try_lock_excludes_others: |n| one_tries::<B>().victims(&[0, 1]).preemptions(3).holds(n);
    a_newcomer_that_holds_is_not_judged_dead: |n| a_newcomer_updates::<B>().holds(n);
    a_newcomer_that_holds_is_not_judged_dead_by_try_lock:
        |n| a_newcomer_updates_and_one_tries::<B>().holds(n);
    a_release_by_name_publishes_the_data: |n| two_release_by_name::<B>().victims(&[0, 1]).holds(n);
    a_plain_release_publishes_the_data: |n| two_mark_consistent_and_release_plainly::<B>().victims(&[0, 1]).holds(n);
    an_exec_is_a_death: |n| two::<B>().victims(&[0, 1]).second_threads(&[0, 1]).execs().holds(n);
    the_recheck_finds_lost_marks: |n| two::<B>().victims(&[0]).lost_marks().recheck(&[1]).holds(n);
    a_mark_by_reaping_publishes_what_the_dead_wrote:
        |n| two::<B>().victims(&[0]).lost_marks().after(|world, _, _, _| world.table().reap_lost()).holds(n);
    the_holder_has_room_in_a_crowd: |n| two_in_a_crowd(&[0, 1, 2, 3]).holds(n);
    the_holder_is_watched_even_if_it_is_of_our_process: |n| two_in_a_crowd(&[0, 1, 2, 1]).holds(n);
    any_two_may_die: |n| three::<B>().victims(&[0, 1, 2]).pairs().holds(n);
    a_handoff_publishes_the_data: |n| three::<B>().broken(Broken::NO_RELEASE).fails(n);
    a_handoff_acquires_the_data: |n| three::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    a_check_before_the_collection_hangs:
        |n| three::<B>().victims(&[0, 1, 2]).broken(Broken::LATE_COLLECTION).fails(n);
    watching_the_holder_alone_hangs:
        |n| three::<B>().victims(&[0, 1, 2]).broken(Broken::watching(3)).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    updates_exclude_each_other_whoever_dies: |n| three::<B>().victims(&[0, 1, 2]).spurious().holds(n);
    barging_loses_no_wake_whoever_dies: |n| barging::<B>().victims(&[0, 1]).first_phase().holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1, 2]).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 2]).holds(n);
    a_waiter_that_is_overtaken_and_times_out_loses_no_wake: |n| one_is_overtaken_and_times_out::<B>().victims(&[0, 2]).holds(n);
    five_exclude_each_other_whoever_dies: |n| Explore::<B, Guarded<B>>::new(5, Guarded::new,
        |world, who, state| world.act(who, |me| state.update(me))).victims(&[0, 4]).holds(n);
}
