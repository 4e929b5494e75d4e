//! Models of `raw::Event`: a set releases every waiter that is there. A set of an event that resets
//! itself releases one waiter. Timeouts and deaths lose no set. What was written before a set is
//! seen after it.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
use outlive::raw::Event;
use outlive::raw::event::NotSet;
#[cfg(feature = "loom")]
use outlive_models::Broken;
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, World, is_over, step};
use std::sync::atomic::AtomicU32;
#[cfg(feature = "loom")]
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};

/// An event, data that is written before a set, and counters that are no part of the model.
#[derive(Debug)]
struct Announced<B: Backend> {
    event: Event<Model<B>>,
    data: B::Cell<u32>,
    word: Word<B>,
    sets: AtomicU32,
    released: AtomicU32,
}

impl<B: Backend> Announced<B> {
    fn of(word: u32) -> Self {
        Self {
            event: Event::from_word(Word::new(word)),
            data: B::cell(0),
            word: Word::new(0),
            sets: AtomicU32::new(0),
            released: AtomicU32::new(0),
        }
    }
    fn cleared() -> Self {
        Self::of(0)
    }
    fn auto_reset() -> Self {
        Self::of(Event::<Model<B>>::AUTO_RESET)
    }
    #[cfg(feature = "loom")]
    fn set_before() -> Self {
        let new = Self::cleared();
        new.event.set();
        new
    }
    fn announce(&self) {
        B::write(&self.data, |data| *data = 42);
        self.set();
    }
    fn set(&self) {
        self.event.set();
        self.sets.fetch_add(1, SeqCst);
    }
    /// For a supervisor: sets the event, if the dead thread has not.
    fn set_for_the_dead(&self) {
        if self.sets.load(SeqCst) == 0 && !self.event.is_set() {
            self.event.set();
        }
    }
}

/// 0 writes and sets, 1 and 2 wait and read.
fn all_are_released<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(3, Announced::cleared, |world: &World<B>, who, state: &Announced<B>| match who {
        0 => state.announce(),
        _ => world.act(who, |me| {
            state.event.wait(me, None).expect("without a deadline it waits");
            B::read(&state.data, |data| assert!(*data == 42 || world.has_died(0)));
        }),
    })
    .after(|_, dead, _, state| {
        if dead == 0 {
            state.set_for_the_dead();
        }
    })
}

/// 1 and 2 wait. If 0 sees that both are there, it sets and clears at once. Otherwise it sets, and
/// does not clear.
fn set_then_clear<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(3, Announced::cleared, |world: &World<B>, who, state: &Announced<B>| match who {
        0 => {
            let all_there = state.word.load(Acquire) == 2;
            state.set();
            if all_there {
                state.event.clear();
            }
        }
        _ => world.act(who, |me| {
            let moment = state.event.moment();
            state.word.fetch_add(1, AcqRel);
            state.event.wait_since(me, None, moment).expect("without a deadline it waits");
        }),
    })
    .after(|_, dead, _, state| {
        if dead == 0 {
            state.set_for_the_dead();
        }
    })
}

/// 0 times out at some moment, 1 waits forever, 2 sets. Each set releases one waiter. With these
/// numbers both sleep before the set in the first schedules of a search.
fn one_times_out<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(3, Announced::auto_reset, |world: &World<B>, who, state: &Announced<B>| match who {
        2 => state.set(),
        _ => world.act(who, |me| {
            let deadline = (who == 0).then_some(DEADLINE);
            match state.event.wait(me, deadline) {
                // 0 has taken the set, and sets for 1.
                Ok(()) if who == 0 => state.event.set(),
                Ok(()) => {}
                Err(_) => assert_eq!((who, is_over::<B>()), (0, true)),
            }
        }),
    })
    .after(|_, dead, _, state| match dead {
        2 => state.set_for_the_dead(),
        // The dead thread may have taken a set that it should have passed on.
        _ => state.event.set(),
    })
}

/// 0 is interrupted and goes away, 1 waits forever, 2 sets. Each set releases one waiter, and that
/// waiter sets for the other.
fn one_is_interrupted<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(3, Announced::auto_reset, |world: &World<B>, who, state: &Announced<B>| match who {
        2 => state.set(),
        _ => world.act(who, |me| match state.event.wait(me, None) {
            Ok(()) => state.event.set(),
            Err(not_set) => assert_eq!((who, not_set), (0, NotSet::Interrupted)),
        }),
    })
    .after(|_, dead, _, state| match dead {
        2 => state.set_for_the_dead(),
        _ => state.event.set(),
    })
    .interrupted(&[0])
}

/// 0 and 1 set, 2 and 3 wait. The first waiter that is released sets once more. So both are
/// released, even if the two sets were merged into one.
fn two_set_and_two_wait<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(4, Announced::auto_reset, |world: &World<B>, who, state: &Announced<B>| match who {
        0 | 1 => state.set(),
        _ => world.act(who, |me| {
            state.event.wait(me, None).expect("without a deadline it waits");
            let before = state.released.fetch_add(1, SeqCst);
            step::<B>();
            if before == 0 {
                state.set();
            }
        }),
    })
    .after(|_, _, _, state| state.event.set())
    .check(|state, world| {
        let (released, sets) = (state.released.load(SeqCst), state.sets.load(SeqCst));
        let died = (0..4).any(|who| world.has_died(who));
        assert!(died || released == 2 && released <= sets, "{released} released by {sets} sets");
    })
}

/// 0 writes and sets. 1 and 2 are released one after the other; each writes and sets again. Each
/// has exclusive access when it writes.
fn one_hands_on<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(3, Announced::auto_reset, |world: &World<B>, who, state: &Announced<B>| match who {
        0 => state.announce(),
        _ => world.act(who, |me| {
            state.event.wait(me, None).expect("without a deadline it waits");
            B::write(&state.data, |data| *data += 1);
            state.set();
        }),
    })
    .check(|state, _| B::read(&state.data, |data| assert_eq!(*data, 44)))
}

/// A producer leaves work, and sets an event that is already set. A consumer clears the event, and
/// then checks for work.
#[cfg(feature = "loom")]
fn set_again<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(2, Announced::set_before, |world: &World<B>, who, state: &Announced<B>| match who {
        0 => {
            state.word.store(1, Relaxed);
            state.set();
        }
        _ => world.act(who, |me| {
            state.event.clear();
            if state.word.load(Relaxed) == 0 {
                state.event.wait(me, None).expect("the producer has yet to set it");
            }
        }),
    })
}

/// As `set_again`, but the consumer waits, and the wait clears the event. It sees the work, or the
/// event is set again.
#[cfg(feature = "loom")]
fn set_again_and_taken<B: Backend>() -> Explore<B, Announced<B>> {
    let new = || {
        let new = Announced::auto_reset();
        new.event.set();
        new
    };
    Explore::new(2, new, |world: &World<B>, who, state: &Announced<B>| match who {
        0 => {
            state.word.store(1, Relaxed);
            state.set();
        }
        _ => world.act(who, |me| {
            state.event.wait(me, None).expect("it is set");
            if state.word.load(Relaxed) == 0 {
                state.released.store(1, SeqCst);
            }
        }),
    })
    .check(|state, _| assert!(state.released.load(SeqCst) == 0 || state.event.is_set(), "a set released nobody"))
}

/// 0 writes, sets and clears. 1 may be released after the clear, by the sequence alone; it reads
/// the data.
#[cfg(feature = "loom")]
fn read_after_a_clear<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(2, Announced::cleared, |world: &World<B>, who, state: &Announced<B>| match who {
        0 => {
            state.announce();
            state.event.clear();
        }
        _ => world.act(who, |me| {
            if state.event.wait(me, Some(DEADLINE)).is_ok() {
                B::read(&state.data, |data| assert_eq!(*data, 42));
            }
        }),
    })
}

/// 0 writes and sets. 1 calls `is_set`, and `try_wait` if the answer is no; 2 calls `try_wait`. If
/// an answer is yes, the caller reads the data.
#[cfg(feature = "loom")]
fn two_only_check<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(3, Announced::auto_reset, |_, who, state: &Announced<B>| {
        if who == 0 {
            state.announce();
        } else if who == 1 && state.event.is_set() || state.event.try_wait() {
            B::read(&state.data, |data| assert_eq!(*data, 42));
        }
    })
}

/// 0 writes and sets; 1 calls `try_wait`, which leaves the event set. If the answer is yes, 1 reads
/// the data.
#[cfg(feature = "loom")]
fn one_only_tries<B: Backend>() -> Explore<B, Announced<B>> {
    Explore::new(2, Announced::cleared, |_, who, state: &Announced<B>| {
        if who == 0 {
            state.announce();
        } else if state.event.try_wait() {
            B::read(&state.data, |data| assert_eq!(*data, 42));
        }
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    all_are_released_whoever_dies: |n| all_are_released::<B>().victims(&[0, 1, 2]).spurious().holds(n);
    all_are_released_with_the_first_phase: |n| all_are_released::<B>().victims(&[0, 1]).first_phase().holds(n);
    any_two_may_die: |n| set_then_clear::<B>().victims(&[0, 1]).pairs().holds(n);
    waiters_are_released_even_if_it_is_cleared_at_once: |n| set_then_clear::<B>().victims(&[0, 1]).holds(n);
    a_timeout_loses_no_set_whoever_dies: |n| one_times_out::<B>().victims(&[0, 2]).preemptions(1).holds(n);
    an_interruption_loses_no_set: |n| one_is_interrupted::<B>().victims(&[0, 2]).preemptions(1).executions(1_000).holds(n);
    a_set_releases_one_whoever_dies: |n| two_set_and_two_wait::<B>().victims(&[2]).preemptions(1).holds(n);
    a_set_hands_on: |n| one_hands_on::<B>().spurious().holds(n);
    a_set_is_seen_by_the_clear_after_it: |n| set_again::<B>().holds(n);
    a_set_is_seen_by_the_waiter_that_it_releases: |n| set_again_and_taken::<B>().holds(n);
    a_clear_passes_on_what_was_published: |n| read_after_a_clear::<B>().victims(&[0, 1]).holds(n);
    a_check_of_an_auto_reset_event_acquires: |n| two_only_check::<B>().holds(n);
    a_try_acquires: |n| one_only_tries::<B>().holds(n);
    a_set_publishes: |n| one_hands_on::<B>().broken(Broken::NO_RELEASE).fails(n);
    a_wait_acquires: |n| one_hands_on::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    a_set_again_publishes: |n| set_again::<B>().broken(Broken::NO_RELEASE).fails(n);
    a_clear_acquires: |n| set_again::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    without_the_cascade_one_stays_asleep:
        |n| all_are_released::<B>().victims(&[0]).broken(Broken::NO_CASCADE).fails(n);
    watching_nobody_hangs:
        |n| all_are_released::<B>().victims(&[0]).broken(Broken::watching(2)).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    all_are_released_whoever_dies: |n| all_are_released::<B>().victims(&[0, 1]).holds(n);
    waiters_are_released_even_if_it_is_cleared_at_once: |n| set_then_clear::<B>().victims(&[0, 1]).holds(n);
    a_set_releases_one_whoever_dies: |n| two_set_and_two_wait::<B>().victims(&[0, 2]).spurious().holds(n);
    a_timeout_loses_no_set_whoever_dies: |n| one_times_out::<B>().victims(&[0, 2]).first_phase().holds(n);
    an_interruption_loses_no_set: |n| one_is_interrupted::<B>().victims(&[0, 2]).holds(n);
}
