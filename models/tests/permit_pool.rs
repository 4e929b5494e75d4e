//! Models of `raw::PermitPool`: each permit excludes, publishes, and comes back when its holder
//! dies. No wake is lost. Every operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::Word as _;
use outlive::raw::hold::HELD;
use outlive::raw::permit_pool::{NoPermit, Taken};
use outlive::raw::{Participant, PermitPool};
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, World, is_over, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left};

/// Two permits. Each protects its own number.
#[derive(Debug)]
struct State<B: Backend> {
    permits: PermitPool<Model<B>, 2>,
    numbers: [B::Cell<u32>; 2],
}

impl<B: Backend> State<B> {
    fn with(capacity: u32, holds: [u32; 2]) -> Self {
        let permits = PermitPool::from_words(Word::new(0), Word::constant(capacity), holds.map(Word::new));
        Self { permits, numbers: [0, 0].map(B::cell) }
    }
    fn use_and_release(&self, me: Participant<'_, Model<B>>, taken: Taken) {
        B::write(&self.numbers[taken.index], |number| *number += 1);
        step::<B>();
        B::write(&self.numbers[taken.index], |number| *number += 1);
        self.permits.release(taken.index, me.id).expect("it is held by the caller");
    }
    fn take_and_use(&self, me: Participant<'_, Model<B>>) {
        let taken = self.permits.acquire(me, None).expect("without a deadline it waits");
        self.use_and_release(me, taken);
    }
}

fn three_share<B: Backend>(make: fn() -> State<B>) -> Explore<B, State<B>> {
    Explore::new(3, make, |world: &World<B>, who, state: &State<B>| world.act(who, |me| state.take_and_use(me)))
}

/// Three participants share two permits.
fn two_permits<B: Backend>() -> Explore<B, State<B>> {
    three_share(|| State::with(0, [0, 0]))
}

/// Three participants share one permit, which is a lock.
fn one_permit<B: Backend>() -> Explore<B, State<B>> {
    three_share(|| State::with(1, [0, 0]))
}

/// 0 holds both permits from the start, and releases them. 1 and 2 take one each, and keep it. Each
/// gets a permit, wherever 0, 1 or 2 dies.
fn both_come_back<B: Backend>() -> Explore<B, State<B>> {
    let make = || State::with(0, [HELD | 1 << 12; 2]); // slot 0 in its first generation
    Explore::new(3, make, |world: &World<B>, who, state: &State<B>| {
        world.act(who, |me| match who {
            0 => (0..2).for_each(|index| state.permits.release(index, me.id).expect("held from the start")),
            _ => {
                let taken = state.permits.acquire(me, None).expect("without a deadline it waits");
                B::write(&state.numbers[taken.index], |number| *number += 1);
            }
        });
    })
}

/// 0 holds the only permit from the start; 1 times out at some moment.
fn one_times_out<B: Backend>() -> Explore<B, State<B>> {
    let make = || State::with(1, [HELD | 1 << 12, 0]);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B>| {
        world.act(who, |me| match who {
            0 => state.permits.release(0, me.id).expect("held from the start"),
            1 => match state.permits.acquire(me, Some(DEADLINE)) {
                Ok(taken) => state.use_and_release(me, taken),
                Err(no_permit) => assert_eq!((no_permit, is_over::<B>()), (NoPermit::TimedOut, true)),
            },
            _ => state.take_and_use(me),
        });
    })
}

/// 0 holds the only permit from the start, and releases it; 1 is interrupted, and goes away.
fn one_is_interrupted<B: Backend>() -> Explore<B, State<B>> {
    let make = || State::with(1, [HELD | 1 << 12, 0]);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B>| {
        world.act(who, |me| match who {
            0 => state.permits.release(0, me.id).expect("held from the start"),
            1 => match state.permits.acquire(me, None) {
                Ok(taken) => state.use_and_release(me, taken),
                Err(no_permit) => assert_eq!(no_permit, NoPermit::Interrupted),
            },
            _ => state.take_and_use(me),
        });
    })
    .interrupted(&[1])
}

/// 0 holds the only permit from the start, writes, and releases it. 1 calls `acquire` if it
/// `waits`, and `try_acquire` otherwise.
#[cfg(feature = "loom")]
fn handover<B: Backend>(waits: bool) -> Explore<B, State<B>> {
    let make = || State::with(1, [HELD | 1 << 12, 0]);
    let body: fn(&World<B>, usize, &State<B>) = if waits {
        |world, who, state| {
            world.act(who, |me| match who {
                0 => state.use_and_release(me, Taken { index: 0, from: None }),
                _ => state.take_and_use(me),
            });
        }
    } else {
        |world, who, state| {
            world.act(who, |me| match who {
                0 => state.use_and_release(me, Taken { index: 0, from: None }),
                _ => match state.permits.try_acquire(me) {
                    Ok(taken) => state.use_and_release(me, taken),
                    Err(no_permit) => assert_eq!(no_permit, NoPermit::WouldBlock),
                },
            });
        }
    };
    Explore::new(2, make, body)
}

/// 0 holds the only permit, and dies at once. 1 calls `try_acquire`. If that succeeds, it must name
/// the dead holder.
#[cfg(feature = "loom")]
fn left_by_the_dead<B: Backend>() -> Explore<B, State<B>> {
    let make = || State::with(1, [HELD | 1 << 12, 0]);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B>| match who {
        0 => {
            step::<B>();
            B::write(&state.numbers[0], |number| *number = 1);
            step::<B>();
            world.act(who, |me| state.permits.release(0, me.id).expect("held from the start"));
        }
        _ => world.act(who, |me| {
            if let Ok(taken) = state.permits.try_acquire(me) {
                let number = B::read(&state.numbers[0], |number| *number);
                assert!(taken.from.is_some() || number == 1, "from nobody, and nothing written");
            }
        }),
    })
}

/// 1 is a newcomer in the slot of a former participant, and uses the only permit. 0 calls
/// `try_acquire`.
#[cfg(feature = "loom")]
fn a_newcomer_uses_it<B: Backend>() -> Explore<B, State<B>> {
    let make = || State::with(1, [0, 0]);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B>| match who {
        0 => world.act(who, |me| {
            if let Ok(taken) = state.permits.try_acquire(me) {
                state.use_and_release(me, taken);
            }
        }),
        _ => world.come(who, |me| state.take_and_use(me)),
    })
    .newcomers(1)
    .left(Left::Marked)
}

outlive_models::models! { with_loom, Loom, "loom",
    two_permits_go_round_whoever_dies: |n| two_permits::<B>().victims(&[0, 1]).holds(n);
    one_permit_is_a_lock_whoever_dies: |n| one_permit::<B>().victims(&[0]).spurious().holds(n);
    two_releases_reach_two_sleepers_whoever_dies: |n| both_come_back::<B>().victims(&[0, 1]).executions(1_500).holds(n);
    the_first_phase_changes_nothing: |n| both_come_back::<B>().victims(&[0]).first_phase().holds(n);
    any_two_may_die: |n| one_permit::<B>().victims(&[0, 1]).pairs().holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1]).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 1]).executions(1_000).holds(n);
    a_handover_publishes: |n| handover::<B>(true).victims(&[0, 1]).spurious().holds(n);
    a_handover_publishes_without_waiting: |n| handover::<B>(false).holds(n);
    a_newcomer_that_holds_is_not_judged_dead: |n| a_newcomer_uses_it::<B>().holds(n);
    a_permit_of_the_dead_is_taken_without_waiting: |n| left_by_the_dead::<B>().victims(&[0]).holds(n);
    a_permit_publishes_what_its_holder_wrote:
        |n| handover::<B>(false).broken(Broken::NO_RELEASE).fails(n);
    a_permit_acquires_what_its_last_holder_wrote:
        |n| handover::<B>(false).broken(Broken::NO_ACQUIRE).fails(n);
    without_fences_a_release_and_a_sleeper_miss_each_other:
        |n| handover::<B>(true).broken(Broken::NO_FENCE).fails(n);
    a_check_before_the_collection_hangs:
        |n| one_permit::<B>().victims(&[0, 1]).broken(Broken::LATE_COLLECTION).fails(n);
    without_the_cascade_one_stays_asleep:
        |n| both_come_back::<B>().victims(&[0]).broken(Broken::NO_CASCADE).fails(n);
    watching_one_holder_alone_hangs:
        |n| one_permit::<B>().victims(&[0, 1]).broken(Broken::watching(3)).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    two_permits_go_round_whoever_dies: |n| two_permits::<B>().victims(&[0]).holds(n);
    two_releases_reach_two_sleepers_whoever_dies: |n| both_come_back::<B>().victims(&[0, 1]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_times_out::<B>().victims(&[0, 1]).holds(n);
    an_interruption_loses_no_wake: |n| one_is_interrupted::<B>().victims(&[0, 1]).holds(n);
    five_go_round_whoever_dies: |n| Explore::<B, State<B>>::new(5, || State::with(0, [0, 0]),
        |world, who, state| world.act(who, |me| state.take_and_use(me))).victims(&[0]).holds(n);
}
