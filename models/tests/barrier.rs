//! Models of `raw::Barrier`: all meet, or all learn that they do not, whoever dies, gives up,
//! aborts or resets; and what was written before is seen after.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

mod meeting;

use core::time::Duration;
use meeting::Meeting;
#[cfg(feature = "loom")]
use outlive::platform::Word as _;
#[cfg(feature = "loom")]
use outlive::raw::Participant;
use outlive::raw::barrier::{NotPassed, Passed};
use outlive_models::{Backend, Explore, World, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left, Newborn, Word};
use std::sync::atomic::Ordering::SeqCst;

fn all_meet<B: Backend, const N: usize>() -> Explore<B, Meeting<B, N>> {
    Explore::new(N, Meeting::new, |world: &World<B>, who, state: &Meeting<B, N>| state.meet(world, who, None))
        .after(|_, dead, _, state| state.see_to_it(dead))
        .check(|state, world| state.all_or_none(world))
}

/// 1 gives up at some moment.
fn one_times_out<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        state.meet(world, who, (who == 1).then_some(Duration::from_secs(1)));
    })
    .after(|_, dead, _, state| state.see_to_it(dead))
    .check(|state, world| state.all_or_none(world))
}

/// 2 breaks it at some moment.
fn one_aborts<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        2 => state.barrier.abort(),
        _ => state.meet(world, who, None),
    })
    .after(|_, dead, _, state| {
        if dead != 2 {
            state.see_to_it(dead);
        }
    })
    .check(|state, world| state.all_or_none(world))
}

/// Two members meet twice. Where one has met once and dies, the other learns it in the second
/// generation.
fn two_generations<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let place = world.act(who, |me| state.join(me));
        for round in 1..=2 {
            B::write(&state.notes[who], |note| *note = round);
            match world.act(who, |me| state.wait(me, None)) {
                // After the first, the other may be writing for the second already.
                Ok(_) if round == 2 => B::read(&state.notes[1 - who], |note| assert_eq!(*note, 2)),
                Ok(_) => {}
                Err(_) => {
                    assert!(world.has_died(1 - who));
                    break;
                }
            }
        }
        world.act(who, |me| state.barrier.leave(me.id, place));
    })
    .after(|_, dead, _, state| state.see_to_a_member(dead))
}

/// 2 resets it at some moment. Who is told that it broke comes again: they meet at last, unless 2
/// died over it.
fn one_resets<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        world.act(who, |me| match who {
            2 => state.barrier.reset(me),
            _ => {
                if state.wait(me, None).is_err() && state.wait(me, None).is_err() {
                    assert!(world.has_died(2), "one reset broke two generations");
                }
            }
        });
    })
    .check(|state, _| state.each_generation_is_one_meeting(0))
}

/// 0 and 1 come until they have met; the others reset it.
fn supervisors_reset<B: Backend, const ALL: usize>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(ALL, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        world.act(who, |me| match who {
            0 | 1 => state.meet_at_last(me, None),
            _ => state.barrier.reset(me),
        });
    })
    .check(|state, _| {
        assert_eq!(state.met().len(), 2);
        state.each_generation_is_one_meeting(0);
    })
}

/// 1 declares that it will come; its death is noticed by the barrier itself, and no supervisor says
/// so.
fn a_member<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        0 => state.meet(world, 0, None),
        _ => world.act(1, |me| {
            let place = state.join(me);
            state.meet(world, 1, None);
            state.barrier.leave(me.id, place);
        }),
    })
    .after(|_, dead, _, state| match dead {
        0 => state.see_to_it(dead),
        _ => state.see_to_a_member(dead),
    })
    .check(|state, world| state.all_or_none(world))
}

/// 0 is interrupted, and comes again: nobody is told that the barrier is broken.
fn one_is_interrupted<B: Backend, const N: usize>() -> Explore<B, Meeting<B, N>> {
    Explore::new(N, Meeting::new, |world: &World<B>, who, state: &Meeting<B, N>| {
        B::write(&state.notes[who], |note| *note = 1);
        let told = world.act(who, |me| state.wait_on(me, false));
        state.note(told);
        match told {
            Ok(_) => {
                for note in &state.notes[..N] {
                    B::read(note, |note| assert_eq!(*note, 1, "one was released before another came"));
                }
            }
            Err(_) => assert!((0..N).any(|who| world.has_died(who)), "an interruption broke the barrier"),
        }
    })
    .after(|_, dead, _, state| state.see_to_it(dead))
    .check(|state, world| state.all_or_none(world))
    .interrupted(&[0])
}

/// The same, but 0 does not come again: it was told that it is counted, or it is not.
fn one_goes_away<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let told = world.act(who, |me| state.barrier.wait(me, None, false));
        match told {
            Err(NotPassed::Interrupted) => {
                // A supervisor comes in its stead.
                state.interruptions.fetch_add(1, SeqCst);
                assert!(!state.barrier.is_broken() || world.has_died(1), "an interruption broke the barrier");
                step::<B>();
                state.barrier.abort();
            }
            told => state.note(told),
        }
    })
    .after(|_, dead, _, state| state.see_to_it(dead))
    .check(|state, world| {
        let (met, gone) = (state.met().len(), state.interruptions.load(SeqCst));
        assert!(met == 0 || gone == 0, "{met} met, and one of two had gone away");
        assert!(met != 1 || world.has_died(0) || world.has_died(1), "one met alone");
    })
    .interrupted(&[0])
}

/// 0 is interrupted, perhaps while 1 or itself runs the action: that is run once each time that
/// they meet.
fn one_is_interrupted_at_an_action<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        world.act(who, |me| {
            let told = match state.wait_on(me, true) {
                Ok(Passed::Runner { generation, index }) => {
                    B::write(&state.actions, |actions| *actions += 1);
                    step::<B>();
                    state.barrier.finish(me, generation).map(|()| Passed::Runner { generation, index })
                }
                told => told,
            };
            match told {
                Ok(_) => B::read(&state.actions, |actions| assert_eq!(*actions, 1)),
                Err(_) => assert!((0..2).any(|who| world.has_died(who)), "an interruption broke the barrier"),
            }
            state.note(told);
        });
    })
    .after(|_, dead, _, state| state.see_to_it(dead))
    .check(|state, world| state.all_or_none(world))
    .interrupted(&[0, 1])
}

/// More threads than parties: 0 and 1 come, 0 goes away when it is interrupted, and 2 has its
/// place.
fn one_leaves_its_place<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let told = world.act(who, |me| state.barrier.wait(me, None, false));
        match told {
            Err(NotPassed::Interrupted) => _ = state.interruptions.fetch_add(1, SeqCst),
            Ok(_) => {
                state.note(told);
                // Of three who met in twos, one is left: without an interruption it would wait
                // forever.
                if state.met().len() == 2 && state.interruptions.load(SeqCst) == 0 {
                    state.barrier.abort();
                }
            }
            Err(_) => {}
        }
    })
    .after(|_, _, _, state| state.barrier.abort())
    .check(|state, world| {
        let has_died = (0..3).any(|who| world.has_died(who));
        let met = state.met().len();
        assert!(has_died || met == 2, "{met} met");
        state.each_generation_is_one_meeting(usize::from(has_died));
    })
    .interrupted(&[0])
}

#[cfg(feature = "loom")]
/// 1 declares that it will come, and dies. Each of the others can pass alone; 0, if it is told,
/// resets. After that nobody finds the barrier broken by that death once more.
fn a_dead_member<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(3, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match who {
            1 => {
                let place = state.join(me);
                state.barrier.leave(me.id, place);
            }
            _ => {
                let told = matches!(state.wait(me, None), Err(NotPassed::Broken { died: Some(_) }));
                if who == 0 && told {
                    state.barrier.reset(me);
                    state.resets.fetch_add(1, SeqCst);
                }
            }
        });
    })
    .check(|state, _| {
        let was_reset = state.resets.load(SeqCst) > 0;
        assert!(!(was_reset && state.barrier.is_broken()), "a dead member was not forgiven");
    })
}

/// One of them runs an action when all have come, and before anybody is released.
fn with_an_action<B: Backend, const N: usize>() -> Explore<B, Meeting<B, N>> {
    Explore::new(N, Meeting::new, |world: &World<B>, who, state: &Meeting<B, N>| {
        world.act(who, |me| {
            B::write(&state.notes[who], |note| *note = 1);
            let result = match state.barrier.wait(me, None, true) {
                Ok(Passed::Runner { generation, index }) => {
                    for note in &state.notes[..N] {
                        B::read(note, |note| assert_eq!(*note, 1));
                    }
                    B::write(&state.actions, |actions| *actions += 1);
                    step::<B>();
                    state.barrier.finish(me, generation).map(|()| Passed::Runner { generation, index })
                }
                Ok(Passed::Leader { .. }) => panic!("released before the action"),
                other => other,
            };
            match result {
                Ok(_) => B::read(&state.actions, |actions| assert_eq!(*actions, 1)),
                Err(_) => assert!((0..N).any(|who| world.has_died(who))),
            }
            state.note(result);
        });
    })
    .after(|_, dead, _, state| state.see_to_it(dead))
    .check(|state, world| state.all_or_none(world))
}

/// More threads than parties: who finds no place waits for the next generation, and all get
/// through, one by one. Those before `ACTING` come with an action.
fn too_many<B: Backend, const ACTING: usize>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1>| {
        let told = world.act(who, |me| match state.barrier.wait(me, None, who < ACTING) {
            Ok(Passed::Runner { index, generation }) => {
                B::write(&state.actions, |actions| *actions += 1);
                state.barrier.finish(me, generation).map(|()| Passed::Leader { index, generation })
            }
            told => told,
        });
        state.note(told);
        if let Err(failed) = told {
            let NotPassed::Broken { died } = failed else { panic!("without a deadline it waits") };
            assert!(died.is_none_or(|id| world.has_died(id.index())));
            assert!((0..3).any(|who| world.has_died(who)));
        }
    })
    .check(|state, world| {
        state.each_generation_is_one_meeting((0..3).filter(|who| world.has_died(*who)).count());
    })
}

#[cfg(feature = "loom")]
/// 1 declares that it will come, takes that back, and dies: nobody who comes after that misses it.
fn a_former_member<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match who {
            1 => {
                let place = state.join(me);
                state.barrier.leave(me.id, place);
                state.resets.fetch_add(1, SeqCst); // it has left
                step::<B>();
            }
            _ => {
                // With an action: one that passes alone without it looks twice before it misses
                // anybody.
                let missed = state.barrier.wait(me, None, true).is_err();
                assert!(!missed || state.resets.load(SeqCst) == 0, "one is missed who had taken its word back");
            }
        });
    })
}

#[cfg(feature = "loom")]
/// 2 is a member of a barrier that is broken; 0 and 1 reset it. If 2 finds it new it dies then: who
/// comes is told, unless a second reset took place after that.
fn two_reset<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    let new = || {
        let new = Meeting::of([Word::new(1 << 29 | 1 << 12 | 2)]); // slot 2 in its first generation
        new.barrier.abort();
        new
    };
    Explore::new(3, new, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match who {
            2 if !state.barrier.is_broken() => {
                state.joined.store(1, SeqCst); // in the new generation
                step::<B>();
                state.joined.store(0, SeqCst);
            }
            2 => {}
            _ => state.barrier.reset(me),
        });
    })
    .check(|state, world| {
        if world.has_died(2) && state.joined.load(SeqCst) == 1 {
            if let Ok(Passed::Runner { generation, .. }) = world.act(0, |me| state.barrier.wait(me, None, true)) {
                assert_ne!(generation, 1, "one was forgiven while others waited for it");
            }
        }
    })
}

#[cfg(feature = "loom")]
/// 1 comes only now, into the slot that one from before left, and declares to come before it comes.
fn a_newcomer_joins<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        0 => assert!(world.act(who, |me| state.wait(me, None)).is_ok(), "the living are called dead"),
        _ => {
            let id = world.table().register(&Newborn { world, who }).expect("there is a slot");
            let (table, place) = (world.table(), state.barrier.join(Participant { id, table: &world.table() }));
            assert!(state.wait(Participant { id, table: &table }, None).is_ok());
            state.barrier.leave(id, place.expect("there is a place"));
        }
    })
    .newcomers(1)
    .left(Left::Marked)
}

#[cfg(feature = "loom")]
/// 1 breaks it, and then asks why it is broken; 0 is told of that, and dies only after it, which is
/// no cause.
fn who_was_told_dies<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        0 => {
            assert!(world.act(who, |me| state.wait(me, None)).is_err());
            step::<B>();
        }
        _ => {
            state.barrier.abort();
            let told = world.act(who, |me| state.barrier.wait(me, None, false));
            let is_named = matches!(told, Err(NotPassed::Broken { died: Some(_) }));
            assert!(!is_named || state.failed.load(SeqCst) == 0, "who was told, and died later, is named as the cause");
        }
    })
    .victims(&[0])
}

#[cfg(feature = "loom")]
/// 0 runs the action, gives up, and dies only after that; 1 comes at any time, and is told of no
/// such death.
fn a_runner_gives_up<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match (who, state.barrier.wait(me, None, who == 0)) {
            (0, Ok(Passed::Runner { generation, .. })) => {
                state.barrier.give_up(me.id, generation);
                state.failed.fetch_add(1, SeqCst);
                step::<B>();
            }
            (0, other) => panic!("0 is the only one with an action: {other:?}"),
            (_, Ok(_)) => {} // before 0, and alone
            (_, Err(failed)) => {
                let is_named = matches!(failed, NotPassed::Broken { died: Some(_) });
                let is_over = state.failed.load(SeqCst) > 0;
                assert!(!is_named || !is_over, "who gave up, and died later, is named as the cause");
            }
        });
    })
    .victims(&[0])
}

#[cfg(feature = "loom")]
/// 1 declares that it will come, and dies; 0 resets, whether or not anybody has noticed.
fn a_reset_beside_a_member<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 2>| {
        world.act(who, |me| match who {
            0 => state.barrier.reset(me),
            _ => {
                let place = state.join(me);
                state.barrier.leave(me.id, place);
            }
        });
    })
    .victims(&[1])
    .check(|state, _| assert!(!state.barrier.is_broken()))
}

#[cfg(feature = "loom")]
/// 1 comes only now, into the slot that one from before left, and declares that it will come, while
/// 0 resets: it is alive, and not forgiven.
fn a_reset_beside_a_newcomer<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| match who {
        0 => world.act(who, |me| state.barrier.reset(me)),
        _ => {
            let id = world.table().register(&Newborn { world, who }).expect("there is a slot");
            state.barrier.join(Participant { id, table: &world.table() }).expect("there is a place");
        }
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, world| {
        let full = world.act(0, |me| state.barrier.join(me).is_err());
        assert!(full, "a living member was forgiven");
    })
}

#[cfg(feature = "loom")]
fn no_acquire() -> Broken {
    Broken { no_acquire: true, ..Broken::default() }
}
#[cfg(feature = "loom")]
fn no_release() -> Broken {
    Broken { no_release: true, ..Broken::default() }
}

#[cfg(feature = "loom")]
fn no_wake() -> Broken {
    Broken { no_wake: true, ..Broken::default() }
}

outlive_models::models! { with_loom, Loom, "loom",
    two_meet_or_learn_that_they_do_not: |n| all_meet::<B, 2>().victims(&[0, 1]).spurious().holds(n);
    three_meet_or_learn_that_they_do_not: |n| all_meet::<B, 3>().victims(&[2]).preemptions(1).executions(1_000).holds(n);
    the_first_phase_changes_nothing: |n| all_meet::<B, 2>().victims(&[0, 1]).first_phase().holds(n);
    any_two_may_die: |n| with_an_action::<B, 2>().victims(&[0, 1]).pairs().holds(n);
    a_timeout_breaks_it_for_all: |n| one_times_out::<B>().victims(&[0, 1]).holds(n);
    an_abort_breaks_it_for_all: |n| one_aborts::<B>().victims(&[2]).holds(n);
    a_second_generation_is_like_the_first: |n| two_generations::<B>().victims(&[0, 1]).preemptions(1).holds(n);
    a_reset_splits_no_verdict: |n| one_resets::<B>().victims(&[2]).holds(n);
    a_members_death_breaks_it_before_it_comes: |n| a_member::<B>().victims(&[0, 1]).holds(n);
    a_former_member_is_not_missed: |n| a_former_member::<B>().victims(&[1]).holds(n);
    two_resets_forgive_nobody_who_is_waited_for: |n| two_reset::<B>().victims(&[2]).holds(n);
    a_reset_forgives_dead_members: |n| a_dead_member::<B>().victims(&[1]).holds(n);
    an_action_is_run_once_before_all_are_released: |n| with_an_action::<B, 2>().victims(&[0, 1]).spurious().holds(n);
    more_threads_than_parties_get_through_one_by_one:
        |n| too_many::<B, 3>().victims(&[0]).preemptions(1).holds(n);
    a_party_without_a_place_passes_one_that_runs_an_action: |n| too_many::<B, 1>().victims(&[0, 1]).holds(n);
    of_one_party_each_meets_alone: |n| too_many::<B, 0>().victims(&[0]).holds(n);
    a_newcomer_is_not_judged_dead: |n| a_newcomer_joins::<B>().executions(40_000).holds(n);
    a_newcomer_is_not_forgiven: |n| a_reset_beside_a_newcomer::<B>().holds(n);
    a_death_after_the_answer_is_no_cause: |n| who_was_told_dies::<B>().holds(n);
    a_runner_that_gave_up_and_died_is_no_cause: |n| a_runner_gives_up::<B>().holds(n);
    a_reset_comes_to_an_end: |n| a_reset_beside_a_member::<B>().holds(n);
    two_supervisors_split_no_verdict: |n| supervisors_reset::<B, 4>().preemptions(1).holds(n);
    without_a_wake_a_follower_hangs: |n| all_meet::<B, 2>().broken(no_wake()).fails(n);
    an_interrupted_party_comes_again: |n| one_is_interrupted::<B, 2>().victims(&[0, 1]).executions(1_500).holds(n);
    an_interrupted_party_is_not_counted: |n| one_goes_away::<B>().victims(&[0, 1]).executions(1_500).holds(n);
    an_interruption_does_not_end_a_wait_for_the_action: |n| one_is_interrupted_at_an_action::<B>().victims(&[0, 1]).executions(1_500).holds(n);
    an_interrupted_party_leaves_its_place_to_another: |n| one_leaves_its_place::<B>().holds(n);
    a_trip_publishes: |n| all_meet::<B, 2>().broken(no_release()).fails(n);
    a_trip_acquires: |n| all_meet::<B, 2>().broken(no_acquire()).fails(n);
    watching_nobody_hangs:
        |n| all_meet::<B, 2>().victims(&[0]).broken(Broken { most_words: Some(2), ..Broken::default() }).fails(n);
    a_check_before_the_collection_hangs:
        |n| all_meet::<B, 2>().victims(&[0, 1]).broken(Broken { late_collection: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    three_meet_or_learn_that_they_do_not: |n| all_meet::<B, 3>().victims(&[0, 2]).holds(n);
    a_second_generation_is_like_the_first: |n| two_generations::<B>().victims(&[0, 1]).holds(n);
    a_reset_splits_no_verdict: |n| one_resets::<B>().victims(&[2]).holds(n);
    two_supervisors_split_no_verdict: |n| supervisors_reset::<B, 4>().holds(n);
    an_action_is_run_once_before_all_are_released: |n| with_an_action::<B, 3>().victims(&[0, 1]).holds(n);
    more_threads_than_parties_get_through_one_by_one:
        |n| too_many::<B, 3>().victims(&[0, 1]).first_phase().holds(n);
    a_party_without_a_place_passes_one_that_runs_an_action: |n| too_many::<B, 1>().victims(&[0, 1]).holds(n);
    an_interrupted_party_comes_again: |n| one_is_interrupted::<B, 3>().victims(&[0, 1]).holds(n);
    an_interruption_does_not_end_a_wait_for_the_action: |n| one_is_interrupted_at_an_action::<B>().victims(&[0, 1]).executions(1_500).holds(n);
    an_interrupted_party_leaves_its_place_to_another: |n| one_leaves_its_place::<B>().victims(&[1]).holds(n);
}
