//! Models of the vigil, with the simplest primitive to sleep on: a flag that is raised once. Any
//! death wakes the sleepers. Without one of the vigil's rules, some death leaves a sleeper asleep
//! forever.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::{Platform, Word as _};
use outlive::raw::Participant;
use outlive::raw::vigil::Vigil;
#[cfg(feature = "loom")]
use outlive_models::Broken;
#[cfg(feature = "loom")]
use outlive_models::Loom;
use outlive_models::{Backend, Explore, Model, Newborn, Word, World};
#[cfg(feature = "loom")]
use outlive_models::{Left, step};
use std::sync::atomic::Ordering::{Acquire, Release};

#[derive(Debug)]
struct Flag<B: Backend> {
    raised: Word<B>,
    data: B::Cell<u32>,
}

impl<B: Backend> Flag<B> {
    fn new() -> Self {
        Self { raised: Word::new(0), data: B::cell(0) }
    }
    /// A raiser that dies before the wake has raised the flag, and notified no sleeper.
    fn raise(&self) {
        B::write(&self.data, |data| *data = 42);
        self.raised.store(1, Release);
        Model::<B>::wake(&self.raised, u32::MAX);
    }
    fn wait(&self, me: Participant<'_, Model<B>>) {
        let mut vigil = Vigil::new(me, None);
        while self.raised.load(Acquire) == 0 {
            let _check_again = vigil.sleep(&self.raised, 0, None);
        }
        B::read(&self.data, |data| assert_eq!(*data, 42));
    }
    /// For a supervisor: raises the flag, if the raiser died before it could. Otherwise the waiters
    /// would rightly wait forever.
    fn raise_for_the_dead(&self) {
        if self.raised.newest() == 0 {
            self.raise();
        }
    }
}

/// 0 raises, 1 and 2 wait.
fn two_wait<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(3, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        0 => flag.raise(),
        _ => world.act(who, |me| flag.wait(me)),
    })
    .after(|_, dead, _, flag| {
        if dead == 0 {
            flag.raise_for_the_dead();
        }
    })
}

/// As `two_wait`, but the mark of 0 is lost. The supervisor finds the death by reaping.
#[cfg(feature = "loom")]
fn two_wait_for_reaping<B: Backend>() -> Explore<B, Flag<B>> {
    two_wait::<B>().lost_marks().after(|world, _, _, flag| match flag.raised.newest() {
        0 => flag.raise(),
        _ => world.table().reap_lost(),
    })
}

/// 3 raises; 1 and 3 die. 0 waits, and the kernel may wake it for both deaths. 2 also waits. If 2
/// began after the death of 1, it watches the lifeline of 3, but not that of 1.
#[cfg(feature = "loom")]
fn one_is_woken_for_two_deaths<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(4, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        1 => step::<B>(),
        3 => flag.raise(),
        _ => world.act(who, |me| flag.wait(me)),
    })
    .after(|_, dead, _, flag| {
        if dead == 3 {
            flag.raise_for_the_dead();
        }
    })
}

/// 0 waits; 1 is a newcomer, raises, and dies at some operation.
fn a_newcomer_raises<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(2, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        0 => world.act(who, |me| flag.wait(me)),
        _ => {
            let newborn = Newborn { world, who };
            if world.table().register(&newborn).is_ok() {
                flag.raise();
            }
        }
    })
    .newcomers(1)
    .after(|_, dead, _, flag| {
        if dead == 1 {
            flag.raise_for_the_dead();
        }
    })
}

/// As `a_newcomer_raises`, but two wait for the newcomer.
fn two_wait_for_a_newcomer<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(3, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        2 => {
            let newborn = Newborn { world, who };
            if world.table().register(&newborn).is_ok() {
                flag.raise();
            }
        }
        _ => world.act(who, |me| flag.wait(me)),
    })
    .newcomers(1)
    .after(|_, dead, _, flag| {
        if dead == 2 {
            flag.raise_for_the_dead();
        }
    })
}

/// 3 raises; 1 waits, on a machine where one wait takes few words. Threads that die together with a
/// watched one need no word of their own. 0 and 2 do nothing.
#[cfg(feature = "loom")]
fn one_waits_in_a_crowd<const WORDS: usize>(processes: &'static [u32]) -> Explore<Loom<WORDS>, Flag<Loom<WORDS>>> {
    Explore::new(4, Flag::new, |world: &World<Loom<WORDS>>, who, flag: &Flag<Loom<WORDS>>| match who {
        3 => flag.raise(),
        1 => world.act(who, |me| flag.wait(me)),
        _ => {}
    })
    .after(|_, dead, _, flag| {
        if dead == 3 {
            flag.raise_for_the_dead();
        }
    })
    .processes(processes)
    .victims(&[3])
}

/// A primitive of two words: the condition, and the word on which waiters sleep.
#[derive(Debug)]
struct Notice<B: Backend> {
    condition: Word<B>,
    awaited: Word<B>,
}

impl<B: Backend> Notice<B> {
    fn new() -> Self {
        Self { condition: Word::new(0), awaited: Word::new(0) }
    }
    /// A participant that dies between the two stores has made the condition true, and the awaited
    /// word does not show it.
    fn post(&self) {
        self.condition.store(1, Release);
        self.awaited.store(1, Release);
        Model::<B>::wake(&self.awaited, u32::MAX);
    }
    fn wait(&self, me: Participant<'_, Model<B>>) {
        let mut vigil = Vigil::new(me, None);
        loop {
            let seen = self.awaited.load(Acquire);
            if self.condition.load(Acquire) != 0 {
                return;
            }
            let _check_again = vigil.sleep(&self.awaited, seen, None);
        }
    }
}

fn one_reads_the_notice<B: Backend>() -> Explore<B, Notice<B>> {
    Explore::new(2, Notice::new, |world: &World<B>, who, notice: &Notice<B>| match who {
        0 => notice.post(),
        _ => world.act(who, |me| notice.wait(me)),
    })
    .after(|_, dead, _, notice| {
        if dead == 0 && notice.condition.newest() == 0 {
            notice.post();
        }
    })
}

/// 0 posts; 2 reads. 1 makes a short sleep on another word, whose holder is 0. The kernel may wake
/// 1 for the death of 0, and 1 does not need the notice.
#[cfg(feature = "loom")]
fn one_sleeps_briefly_beside_a_reader<B: Backend>() -> Explore<B, (Notice<B>, Word<B>)> {
    let make = || (Notice::new(), Word::new(0));
    Explore::new(3, make, |world: &World<B>, who, (notice, other): &(Notice<B>, Word<B>)| match who {
        0 => notice.post(),
        1 => world.act(who, |me| {
            let holder = me.table.slots[0].living_or_dead(0);
            let _once = Vigil::new(me, None).sleep(other, 0, Some(holder));
        }),
        _ => world.act(who, |me| notice.wait(me)),
    })
    .first_phase()
    .after(|_, dead, _, (notice, _)| {
        if dead == 0 && notice.condition.newest() == 0 {
            notice.post();
        }
    })
}

/// 0 raises, 1 waits, and they are alone at first. 2 is a newcomer, and waits as well.
#[cfg(feature = "loom")]
fn one_comes_and_waits<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(3, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        0 => flag.raise(),
        1 => world.act(who, |me| flag.wait(me)),
        _ => world.come(who, |me| flag.wait(me)),
    })
    .newcomers(1)
    .unsupervised()
    .after(|_, dead, _, flag| {
        if dead == 0 {
            flag.raise_for_the_dead();
        }
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    all_waiters_learn_of_it_whoever_dies: |n| two_wait::<B>().victims(&[0, 1, 2]).spurious().holds(n);
    the_first_phase_changes_nothing: |n| two_wait::<B>().victims(&[0, 1]).first_phase().holds(n);
    any_two_may_die: |n| two_wait::<B>().victims(&[0, 1, 2]).pairs().holds(n);
    a_newcomer_is_watched_too: |n| a_newcomer_raises::<B>().victims(&[0, 1]).holds(n);
    a_newcomer_is_watched_by_all: |n| two_wait_for_a_newcomer::<B>().victims(&[2]).preemptions(1).holds(n);
    a_waiter_in_its_first_phase_passes_the_death_on: |n| one_sleeps_briefly_beside_a_reader::<B>().victims(&[0]).holds(n);
    a_waiter_alone_with_the_dead_passes_the_death_on_to_a_newcomer:
        |n| one_comes_and_waits::<B>().victims(&[0]).executions(60_000).holds(n);
    a_waiter_woken_for_two_deaths_passes_both_on:
        |n| one_is_woken_for_two_deaths::<B>().victims(&[1, 3]).pairs().executions(2_000).holds(n);
    one_of_two_lifelines_is_enough: |n| two_wait::<B>().victims(&[0]).second_threads(&[0, 1]).holds(n);
    a_newcomer_with_two_lifelines_is_watched_too:
        |n| a_newcomer_raises::<B>().victims(&[1]).second_threads(&[1]).left(Left::Exec).executions(500).holds(n);
    the_exec_of_a_newcomer_is_a_death: |n| a_newcomer_raises::<B>().victims(&[1]).second_threads(&[1]).execs().holds(n);
    an_exec_is_a_death: |n| two_wait::<B>().victims(&[0]).second_threads(&[0]).execs().holds(n);
    reaping_wakes_all: |n| two_wait_for_reaping::<B>().victims(&[0]).holds(n);
    a_change_that_the_awaited_word_does_not_show_is_seen: |n| one_reads_the_notice::<B>().victims(&[0, 1]).spurious().holds(n);
    threads_of_the_same_process_leave_room_for_others: |n| one_waits_in_a_crowd::<4>(&[0, 0, 0, 3]).holds(n);
    one_thread_stands_for_its_process: |n| one_waits_in_a_crowd::<5>(&[0, 1, 0, 3]).holds(n);
    without_the_cascade_one_stays_asleep:
        |n| two_wait::<B>().victims(&[0]).broken(Broken::NO_CASCADE).fails(n);
    watching_the_holder_alone_hangs:
        |n| two_wait::<B>().victims(&[0]).broken(Broken::watching(2)).fails(n);
    without_the_membership_word_a_newcomer_is_missed:
        |n| a_newcomer_raises::<B>().victims(&[1]).broken(Broken::NO_MEMBERSHIP).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    all_waiters_learn_of_it_whoever_dies: |n| two_wait::<B>().victims(&[0, 1]).holds(n);
    a_newcomer_is_watched_too: |n| a_newcomer_raises::<B>().victims(&[1]).holds(n);
}
