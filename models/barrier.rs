//! Models of `raw::Barrier`: all meet, or all learn that they do not, whoever dies, gives up, aborts or resets; and what was
//! written before is seen after.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use core::array::from_fn;
use core::time::Duration;
use outlive::platform::{Long as _, Word as _};
use outlive::raw::barrier::{Failed, Passed};
use outlive::raw::{Barrier, Participant};
use outlive_models::{Backend, Explore, Model, Word, Word64, World, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left, Newborn};
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

/// One that met: in which generation, at which place, and whether as its leader.
#[derive(Debug, Clone, Copy)]
struct Met {
    generation: u32,
    index: usize,
    leads: bool,
}

/// A barrier of `N`, what each party writes before it comes, and what became of it.
#[derive(Debug)]
struct Meeting<B: Backend, const N: usize, const BITS: u32 = 32> {
    barrier: Barrier<Model<B>, N, BITS>,
    notes: [B::Cell<u32>; 3],
    actions: B::Cell<u32>,
    joined: AtomicU32,
    met: Mutex<Vec<Met>>,
    failed: AtomicU32,
    resets: AtomicU32,
}

impl<B: Backend, const N: usize, const BITS: u32> Meeting<B, N, BITS> {
    fn of(members: [Word<B>; N]) -> Self {
        let places = from_fn(|_| Word64::new(0));
        Self {
            barrier: Barrier::from_parts(Word64::new(0), Word::new(0), Word::constant(0), members, places),
            notes: from_fn(|_| B::cell(0)),
            actions: B::cell(0),
            joined: AtomicU32::new(0),
            met: Mutex::default(),
            failed: AtomicU32::new(0),
            resets: AtomicU32::new(0),
        }
    }
    /// Nobody will join it, so the members' words are no memory to the checker.
    fn new() -> Self {
        Self::of(from_fn(|_| Word::constant(0)))
    }
    fn with_members() -> Self {
        Self::of(from_fn(|_| Word::new(0)))
    }

    fn join(&self, me: &Participant<'_, Model<B>>) -> usize {
        let place = self.barrier.join(me).expect("there is a place");
        self.joined.fetch_or(1 << me.id.index(), SeqCst);
        step::<B>();
        place
    }

    fn wait(&self, me: &Participant<'_, Model<B>>, deadline: Option<Duration>) -> Result<Passed, Failed> {
        let result = self.barrier.wait(me, deadline, false);
        self.note(result);
        result
    }

    /// Notes what one was told.
    fn note(&self, told: Result<Passed, Failed>) {
        match told {
            Ok(Passed::Follower { index, generation }) => self.note_met(Met { generation, index, leads: false }),
            Ok(Passed::Leader { index, generation } | Passed::Runner { index, generation }) => {
                self.note_met(Met { generation, index, leads: true });
            }
            Err(_) => _ = self.failed.fetch_add(1, SeqCst),
        }
    }

    fn note_met(&self, met: Met) {
        self.met.lock().expect("no panic inside").push(met);
    }

    fn met(&self) -> Vec<Met> {
        self.met.lock().expect("no panic inside").clone()
    }

    /// Writes, waits, and reads what all the others wrote before they came.
    fn meet(&self, world: &World<B>, who: usize, deadline: Option<Duration>) {
        B::write(&self.notes[who], |note| *note += 1);
        match world.act(who, |me| self.wait(me, deadline)) {
            Ok(_) => {
                for note in &self.notes[..N] {
                    B::read(note, |note| assert_eq!(*note, 1, "one was released before another came"));
                }
            }
            Err(Failed::TimedOut) => assert!(deadline.is_some()),
            Err(Failed::Broken { died: Some(id) }) => assert!(world.has_died(id.index()), "the living are called dead"),
            Err(Failed::Broken { died: None }) => {}
        }
    }

    /// Meets the others, however often it is told that they did not: then it resets the barrier, if that is broken, and comes again. If one were told
    /// that they met, and the other that they did not, the other would wait forever.
    fn meet_at_last(&self, me: &Participant<'_, Model<B>>, mut deadline: Option<Duration>) {
        while self.wait(me, deadline.take()).is_err() {
            if self.barrier.is_broken() {
                self.barrier.reset(me);
            }
        }
    }

    /// Who dies before it arrives, undeclared, is not missed by the barrier: somebody else must say so.
    fn see_to_it(&self, dead: usize) {
        if !self.barrier.arrived().any(|id| id.index() == dead) {
            self.barrier.abort();
        }
    }

    /// Who dies before it has joined: the same.
    fn see_to_a_member(&self, dead: usize) {
        if self.joined.load(SeqCst) >> dead & 1 == 0 {
            self.barrier.abort();
        }
    }

    /// Either all met, but for the dead, or nobody did.
    fn all_or_none(&self, world: &World<B>) {
        let died = (0..N).filter(|who| world.has_died(*who)).count() as u32;
        let (met, failed) = (self.met().len() as u32, self.failed.load(SeqCst));
        assert!(met == 0 || failed == 0, "{met} met, and {failed} were told that they did not");
        assert!(met + failed + died >= N as u32);
        assert!(met > 0 || failed == 0 || died > 0 || self.barrier.is_broken());
        self.each_generation_is_one_meeting(died as usize);
    }

    /// Of each generation all were told the same, but for those that have died; they had one leader, and each a place of its own.
    fn each_generation_is_one_meeting(&self, died: usize) {
        let all = self.met();
        for Met { generation, .. } in &all {
            let of_it: Vec<_> = all.iter().filter(|met| met.generation == *generation).collect();
            let leaders = of_it.iter().filter(|met| met.leads).count();
            assert!(of_it.len() <= N && of_it.len() + died >= N, "of {N} parties {} met: {all:?}", of_it.len());
            assert!(leaders == 1 || leaders == 0 && died > 0, "{leaders} leaders: {all:?}");
            for met in &of_it {
                assert!(met.index < N, "no such index: {all:?}");
                assert_eq!(
                    of_it.iter().filter(|other| other.index == met.index).count(),
                    1,
                    "one index for two: {all:?}"
                );
            }
        }
    }
}

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

/// Two members meet twice. Where one has met once and dies, the other learns it in the second generation.
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

/// 2 resets it at some moment. Who is told that it broke comes again: they meet at last, unless 2 died over it.
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

/// 0 gives up at some moment; who is told that they did not meet resets it, and comes again. They meet at last.
fn each_resets<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        world.act(who, |me| state.meet_at_last(me, (who == 0).then_some(Duration::from_secs(1))));
    })
    .check(|state, _| {
        assert_eq!(state.met().len(), 2);
        state.each_generation_is_one_meeting(0);
    })
}

/// The same, and others reset it, too.
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

/// 1 declares that it will come; its death is noticed by the barrier itself, and no supervisor says so.
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

#[cfg(feature = "loom")]
/// 1 declares that it will come, and dies. Each of the others can pass alone; 0, if it is told, resets. After that nobody finds the
/// barrier broken by that death once more.
fn a_dead_member<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(3, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| {
        world.act(who, |me| match who {
            1 => {
                let place = state.join(me);
                state.barrier.leave(me.id, place);
            }
            _ => {
                let told = matches!(state.wait(me, None), Err(Failed::Broken { died: Some(_) }));
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

/// More threads than parties: who finds no place waits for the next generation, and all get through, one by one.
fn too_many<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(3, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1>| {
        if let Err(failed) = world.act(who, |me| state.wait(me, None)) {
            let Failed::Broken { died } = failed else { panic!("without a deadline it waits") };
            assert!(died.is_none_or(|id| world.has_died(id.index())));
            assert!((0..3).any(|who| world.has_died(who)));
        }
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
                let missed = state.wait(me, None).is_err();
                assert!(!missed || state.resets.load(SeqCst) == 0, "one is missed who had taken its word back");
            }
        });
    })
}

#[cfg(feature = "loom")]
/// 2 is a member of a barrier that is broken; 0 and 1 reset it. If 2 finds it new it dies then: who comes is told, unless a second
/// reset took place after that.
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
            let (table, place) = (world.table(), state.barrier.join(&Participant { id, table: &world.table() }));
            assert!(state.wait(&Participant { id, table: &table }, None).is_ok());
            state.barrier.leave(id, place.expect("there is a place"));
        }
    })
    .newcomers(1)
    .left(Left::Marked)
}

#[cfg(feature = "loom")]
/// 1 breaks it, and then asks why it is broken; 0 is told of that, and dies only after it, which is no cause.
fn who_was_told_dies<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| match who {
        0 => {
            assert!(world.act(who, |me| state.wait(me, None)).is_err());
            step::<B>();
        }
        _ => {
            state.barrier.abort();
            let told = world.act(who, |me| state.barrier.wait(me, None, false));
            let is_named = matches!(told, Err(Failed::Broken { died: Some(_) }));
            assert!(!is_named || state.failed.load(SeqCst) == 0, "who was told, and died later, is named as the cause");
        }
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
/// 1 comes only now, into the slot that one from before left, and declares that it will come, while 0 resets: it is alive, and not
/// forgiven.
fn a_reset_beside_a_newcomer<B: Backend>() -> Explore<B, Meeting<B, 1>> {
    Explore::new(2, Meeting::with_members, |world: &World<B>, who, state: &Meeting<B, 1>| match who {
        0 => world.act(who, |me| state.barrier.reset(me)),
        _ => {
            let id = world.table().register(&Newborn { world, who }).expect("there is a slot");
            state.barrier.join(&Participant { id, table: &world.table() }).expect("there is a place");
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
/// Each passes alone, and 1 does so so many times: 0 may be late for the generation that it has seen.
fn one_passes_often<B: Backend, const TIMES: usize, const BITS: u32>() -> Explore<B, Meeting<B, 1, BITS>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1, BITS>| {
        let times = if who == 0 { 1 } else { TIMES };
        (0..times).for_each(|_| assert!(world.act(who, |me| state.wait(me, None)).is_ok()));
    })
    .check(|state, _| assert!(state.met().iter().all(|met| met.leads && met.index == 0)))
}

#[cfg(feature = "loom")]
/// Each passes alone; 1 resets it so many times before. If 0 stalls before it ends the generation that it has seen, and all numbers
/// pass meanwhile, it ends the one that 1 waits in.
fn one_resets_often<B: Backend, const TIMES: usize>() -> Explore<B, Meeting<B, 1, 2>> {
    Explore::new(2, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 1, 2>| {
        world.act(who, |me| {
            (0..who * TIMES).for_each(|_| state.barrier.reset(me));
            let _told = state.wait(me, None);
        });
    })
    .check(|state, _| assert!(state.met().iter().all(|met| met.leads), "one has ended another's generation"))
}

/// More threads than parties, each with little patience.
fn all_are_hasty<B: Backend, const ALL: usize>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(ALL, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let _met_or_not = world.act(who, |me| state.wait(me, Some(Duration::from_secs(1))));
    })
    .check(|state, _| state.each_generation_is_one_meeting(0))
}

/// Twice as many threads as parties: all get through, two by two, but for those that die, and those that wait for them.
fn two_by_two<B: Backend>() -> Explore<B, Meeting<B, 2>> {
    Explore::new(4, Meeting::new, |world: &World<B>, who, state: &Meeting<B, 2>| {
        let told = world.act(who, |me| state.wait(me, None));
        assert!(told.is_ok() || (0..4).any(|who| world.has_died(who)));
    })
    .after(|_, _, _, state| state.barrier.abort())
    .check(|state, world| state.each_generation_is_one_meeting((0..4).filter(|who| world.has_died(*who)).count()))
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
/// Stamps are lost.
fn no_stamps() -> Broken {
    Broken { lost_bits: 1 << 62, ..Broken::default() }
}
#[cfg(feature = "loom")]
/// A free place is taken, whatever its number says.
fn no_numbers() -> Broken {
    Broken { unseen_bits: 1 << 60 | u64::from(u32::MAX), ..Broken::default() }
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
    more_threads_than_parties_get_through_one_by_one: |n| too_many::<B>().victims(&[0]).preemptions(1).holds(n);
    a_newcomer_is_not_judged_dead: |n| a_newcomer_joins::<B>().holds(n);
    a_newcomer_is_not_forgiven: |n| a_reset_beside_a_newcomer::<B>().holds(n);
    who_was_told_is_no_cause: |n| who_was_told_dies::<B>().holds(n);
    a_reset_comes_to_an_end: |n| a_reset_beside_a_member::<B>().holds(n);
    a_stalled_arrival_displaces_nobody: |n| one_passes_often::<B, 2, 32>().preemptions(3).holds(n);
    a_stalled_arrival_displaces_nobody_while_the_numbers_come_round: |n| one_passes_often::<B, 5, 2>().holds(n);
    each_is_told_of_its_own_generation: |n| each_resets::<B>().preemptions(3).holds(n);
    two_supervisors_split_no_verdict: |n| supervisors_reset::<B, 4>().preemptions(1).holds(n);
    a_stall_of_almost_all_numbers_splits_no_verdict: |n| one_resets_often::<B, 3>().holds(n);
    a_stall_of_all_numbers_splits_verdicts: |n| one_resets_often::<B, 4>().fails(n);
    each_has_an_index_of_its_own: |n| all_are_hasty::<B, 3>().holds(n);
    without_stamps_a_follower_is_told_otherwise: |n| all_meet::<B, 2>().broken(no_stamps()).fails(n);
    a_place_that_was_used_since_is_not_taken: |n| one_passes_often::<B, 2, 32>().broken(no_numbers()).fails(n);
    without_a_wake_a_follower_hangs: |n| all_meet::<B, 2>().broken(no_wake()).fails(n);
    a_trip_publishes: |n| all_meet::<B, 2>().broken(no_release()).fails(n);
    a_trip_acquires: |n| all_meet::<B, 2>().broken(no_acquire()).fails(n);
    watching_nobody_hangs:
        |n| all_meet::<B, 2>().victims(&[0]).broken(Broken { most_words: Some(2), ..Broken::default() }).fails(n);
    a_look_before_the_collection_hangs:
        |n| all_meet::<B, 2>().victims(&[0, 1]).broken(Broken { late_collection: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    three_meet_or_learn_that_they_do_not: |n| all_meet::<B, 3>().victims(&[0, 2]).holds(n);
    a_second_generation_is_like_the_first: |n| two_generations::<B>().victims(&[0, 1]).holds(n);
    a_reset_splits_no_verdict: |n| one_resets::<B>().victims(&[2]).holds(n);
    two_supervisors_split_no_verdict: |n| supervisors_reset::<B, 4>().holds(n);
    each_is_told_of_its_own_generation: |n| each_resets::<B>().holds(n);
    each_has_an_index_of_its_own: |n| all_are_hasty::<B, 5>().holds(n);
    twice_as_many_threads_get_through_two_by_two: |n| two_by_two::<B>().victims(&[0, 3]).holds(n);
    an_action_is_run_once_before_all_are_released: |n| with_an_action::<B, 3>().victims(&[0, 1]).holds(n);
    more_threads_than_parties_get_through_one_by_one: |n| too_many::<B>().victims(&[0, 1]).first_phase().holds(n);
}
