//! Models of `raw::Barrier`: either all parties meet, or all learn that they do not, even if one
//! dies, times out, aborts or resets. What a party wrote before the meeting, the others see after
//! it.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

mod meeting;

use core::time::Duration;
use meeting::Meeting;
#[cfg(feature = "loom")]
use outlive::platform::Word as _;

use outlive::raw::barrier::{NotPassed, Passed};
use outlive_models::{Backend, Explore, World, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left, Word};
use std::sync::atomic::Ordering::SeqCst;

fn all_meet<B: Backend, const N: usize>() -> Explore<B, Meeting<B, N>> {
    Explore::new(N, Meeting::new, |world: &World<B>, who, state: &Meeting<B, N>| state.meet(world, who, None))
        .after(|_, dead, _, state| state.abort_for(dead))
        .check(|state, world| state.all_or_none(world))
}

/// 1 times out at some moment.
fn one_times_out<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        state.meet(world, who, (who == 1).then_some(Duration::from_secs(1)));
    })
    .after(|_, dead, _, state| state.abort_for(dead))
    .check(|state, world| state.all_or_none(world))
}

/// 2 breaks the barrier at some moment.
fn one_aborts<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        2 => state.barrier.abort(),
        _ => state.meet(world, who, None),
    })
    .after(|_, dead, _, state| {
        if dead != 2 {
            state.abort_for(dead);
        }
    })
    .check(|state, world| state.all_or_none(world))
}

/// Two members meet twice. If one dies after the first meeting, the other learns of it in the
/// second generation.
fn two_generations<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let place = world.act(who, |me| state.join(me));
        for round in 1..=2 {
            B::write(&state.notes[who], |note| *note = round);
            match world.act(who, |me| state.wait(me, None)) {
                // After the first meeting, the other may already write for the second.
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
    .after(|_, dead, _, state| state.abort_for_member(dead))
}

/// 2 resets the barrier at some moment. A party that learns that it broke comes again. In the end
/// they meet, unless 2 died during the reset.
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

/// 0 and 1 come until they have met; the others reset the barrier.
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

/// 1 declares that it will come. The barrier itself notices its death; no supervisor reports it.
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
        0 => state.abort_for(dead),
        _ => state.abort_for_member(dead),
    })
    .check(|state, world| state.all_or_none(world))
}

/// 0 is interrupted, and comes again. The barrier does not break.
fn one_is_interrupted<B: Backend, const N: usize>() -> Explore<B, Meeting<B, N>> {
    Explore::new(N, Meeting::new, |world: &World<B>, who, state: &Meeting<B, N>| {
        B::write(&state.notes[who], |note| *note = 1);
        let answer = world.act(who, |me| state.wait_on(me, false));
        state.note(answer);
        match answer {
            Ok(_) => {
                for note in &state.notes[..N] {
                    B::read(note, |note| assert_eq!(*note, 1, "one was released before another came"));
                }
            }
            Err(_) => assert!((0..N).any(|who| world.has_died(who)), "an interruption broke the barrier"),
        }
    })
    .after(|_, dead, _, state| state.abort_for(dead))
    .check(|state, world| state.all_or_none(world))
    .interrupted(&[0])
}

/// 0 is interrupted, and does not come again. Either it learned that it met, or it is not counted.
fn one_goes_away<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let answer = world.act(who, |me| state.barrier.wait(me, None, false));
        match answer {
            Err(NotPassed::Interrupted) => {
                // From here on it plays a supervisor.
                state.interruptions.fetch_add(1, SeqCst);
                assert!(!state.barrier.is_broken() || world.has_died(1), "an interruption broke the barrier");
                step::<B>();
                state.barrier.abort();
            }
            answer => state.note(answer),
        }
    })
    .after(|_, dead, _, state| state.abort_for(dead))
    .check(|state, world| {
        let (met, gone) = (state.met().len(), state.interruptions.load(SeqCst));
        assert!(met == 0 || gone == 0, "{met} met, and one of two had gone away");
        assert!(met != 1 || world.has_died(0) || world.has_died(1), "one met alone");
    })
    .interrupted(&[0])
}

/// 0 is interrupted, perhaps while the action runs in 1 or in 0 itself. The action runs once for
/// each meeting.
fn one_is_interrupted_at_an_action<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        world.act(who, |me| {
            let answer = match state.wait_on(me, true) {
                Ok(Passed::Runner { generation, index }) => {
                    B::write(&state.actions, |actions| *actions += 1);
                    step::<B>();
                    state.barrier.finish(me, generation).map(|()| Passed::Runner { generation, index })
                }
                answer => answer,
            };
            match answer {
                Ok(_) => B::read(&state.actions, |actions| assert_eq!(*actions, 1)),
                Err(_) => assert!((0..2).any(|who| world.has_died(who)), "an interruption broke the barrier"),
            }
            state.note(answer);
        });
    })
    .after(|_, dead, _, state| state.abort_for(dead))
    .check(|state, world| state.all_or_none(world))
    .interrupted(&[0, 1])
}

/// More threads than parties. 0 and 1 come; 0 goes away when it is interrupted, and 2 gets its
/// place.
fn one_leaves_its_place<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let answer = world.act(who, |me| state.barrier.wait(me, None, false));
        match answer {
            Err(NotPassed::Interrupted) => _ = state.interruptions.fetch_add(1, SeqCst),
            Ok(_) => {
                state.note(answer);
                // Three threads meet in twos, and one is left. Without an interruption it would
                // wait forever.
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

/// 1 declares that it will come, and dies. Each of the others can pass alone. If 0 learns of the
/// death, it resets the barrier. After that the same death does not break the barrier again.
#[cfg(feature = "loom")]
fn a_dead_member<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(3, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match who {
            1 => {
                let place = state.join(me);
                state.barrier.leave(me.id, place);
            }
            _ => {
                let is_named = matches!(state.wait(me, None), Err(NotPassed::Broken { died: Some(_) }));
                if who == 0 && is_named {
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

/// One party runs an action, after all have come and before any is released.
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
    .after(|_, dead, _, state| state.abort_for(dead))
    .check(|state, world| state.all_or_none(world))
}

/// More threads than parties. A thread that finds no place waits for the next generation, and all
/// get through, one by one. The first `ACTING` threads come with an action.
fn too_many<B: Backend, const ACTING: usize>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1>| {
        let answer = world.act(who, |me| match state.barrier.wait(me, None, who < ACTING) {
            Ok(Passed::Runner { index, generation }) => {
                B::write(&state.actions, |actions| *actions += 1);
                state.barrier.finish(me, generation).map(|()| Passed::Leader { index, generation })
            }
            answer => answer,
        });
        state.note(answer);
        if let Err(failed) = answer {
            let NotPassed::Broken { died } = failed else { panic!("no deadline, no interruption") };
            assert!(died.is_none_or(|id| world.has_died(id.index())));
            assert!((0..3).any(|who| world.has_died(who)));
        }
    })
    .check(|state, world| {
        state.each_generation_is_one_meeting((0..3).filter(|who| world.has_died(*who)).count());
    })
}

/// 1 declares that it will come, withdraws that, and dies. A party that comes later does not wait
/// for it.
#[cfg(feature = "loom")]
fn a_former_member<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match who {
            1 => {
                let place = state.join(me);
                state.barrier.leave(me.id, place);
                state.resets.fetch_add(1, SeqCst); // it has withdrawn
                step::<B>();
            }
            _ => {
                // With an action: a party that passes alone without one checks a second time
                // before it reports a dead member.
                let is_broken = state.barrier.wait(me, None, true).is_err();
                assert!(!is_broken || state.resets.load(SeqCst) == 0, "a member that withdrew is missed");
            }
        });
    })
}

/// 2 is a member of a broken barrier; 0 and 1 reset it. 2 may find it reset, and may die then. A
/// party that comes learns of that death, unless a second reset happened after it.
#[cfg(feature = "loom")]
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
                assert_ne!(generation, 1, "a dead member was forgiven while others waited for it");
            }
        }
    })
}

/// 1 is a newcomer in the slot of a former participant. It declares that it will come, and comes.
#[cfg(feature = "loom")]
fn a_newcomer_joins<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        0 => assert!(world.act(who, |me| state.wait(me, None)).is_ok(), "the living are called dead"),
        _ => world.come(who, |me| {
            let place = state.barrier.join(me).expect("there is a place");
            assert!(state.wait(me, None).is_ok());
            state.barrier.leave(me.id, place);
        }),
    })
    .newcomers(1)
    .left(Left::Marked)
}

/// 1 breaks the barrier, and then asks for the cause. 0 learns that the barrier broke, and dies
/// after that. Its death is not the cause.
#[cfg(feature = "loom")]
fn one_dies_after_its_answer<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        0 => {
            assert!(world.act(who, |me| state.wait(me, None)).is_err());
            step::<B>();
        }
        _ => {
            state.barrier.abort();
            let answer = world.act(who, |me| state.barrier.wait(me, None, false));
            let is_named = matches!(answer, Err(NotPassed::Broken { died: Some(_) }));
            assert!(!is_named || state.failed.load(SeqCst) == 0, "a death after the answer is named as the cause");
        }
    })
    .victims(&[0])
}

/// 0 runs the action, gives up, and dies after that. 1 comes at any time. Its answer does not name
/// that death.
#[cfg(feature = "loom")]
fn a_runner_gives_up<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match (who, state.barrier.wait(me, None, who == 0)) {
            (0, Ok(Passed::Runner { generation, .. })) => {
                state.barrier.give_up(me.id, generation);
                state.failed.fetch_add(1, SeqCst);
                step::<B>();
            }
            (0, other) => panic!("0 is the only one with an action: {other:?}"),
            (_, Ok(_)) => {} // 1 passed before 0, and alone
            (_, Err(failed)) => {
                let is_named = matches!(failed, NotPassed::Broken { died: Some(_) });
                let is_over = state.failed.load(SeqCst) > 0;
                assert!(!is_named || !is_over, "a death after the runner gave up is named as the cause");
            }
        });
    })
    .victims(&[0])
}

/// 1 declares that it will come, and dies. 0 resets, whether or not the death was noticed.
#[cfg(feature = "loom")]
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

/// 1 is a newcomer in the slot of a former participant. It declares that it will come, while 0
/// resets. The reset does not remove 1, which is alive.
#[cfg(feature = "loom")]
fn a_reset_beside_a_newcomer<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| match who {
        0 => world.act(who, |me| state.barrier.reset(me)),
        _ => world.come(who, |me| _ = state.barrier.join(me).expect("there is a place")),
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, world| {
        let full = world.act(0, |me| state.barrier.join(me).is_err());
        assert!(full, "a reset removed a living member");
    })
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
    a_death_after_the_answer_is_no_cause: |n| one_dies_after_its_answer::<B>().holds(n);
    a_runner_that_gave_up_and_died_is_no_cause: |n| a_runner_gives_up::<B>().holds(n);
    a_reset_comes_to_an_end: |n| a_reset_beside_a_member::<B>().holds(n);
    two_supervisors_split_no_verdict: |n| supervisors_reset::<B, 4>().preemptions(1).holds(n);
    without_a_wake_a_follower_hangs: |n| all_meet::<B, 2>().broken(Broken::NO_WAKE).fails(n);
    an_interrupted_party_comes_again: |n| one_is_interrupted::<B, 2>().victims(&[0, 1]).executions(1_500).holds(n);
    an_interrupted_party_is_not_counted: |n| one_goes_away::<B>().victims(&[0, 1]).executions(1_500).holds(n);
    an_interruption_does_not_end_a_wait_for_the_action: |n| one_is_interrupted_at_an_action::<B>().victims(&[0, 1]).executions(1_500).holds(n);
    an_interrupted_party_leaves_its_place_to_another: |n| one_leaves_its_place::<B>().holds(n);
    a_trip_publishes: |n| all_meet::<B, 2>().broken(Broken::NO_RELEASE).fails(n);
    a_trip_acquires: |n| all_meet::<B, 2>().broken(Broken::NO_ACQUIRE).fails(n);
    watching_nobody_hangs:
        |n| all_meet::<B, 2>().victims(&[0]).broken(Broken::watching(2)).fails(n);
    a_check_before_the_collection_hangs:
        |n| all_meet::<B, 2>().victims(&[0, 1]).broken(Broken::LATE_COLLECTION).fails(n);
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
