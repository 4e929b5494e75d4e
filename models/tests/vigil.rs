//! Models of the vigil on the barest primitive that one can sleep on: a flag that is raised once.
//! Whoever dies, those who sleep are woken; with any of its rules taken away, some placing of a
//! death leaves them asleep.
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
    news: B::Cell<u32>,
}

impl<B: Backend> Flag<B> {
    fn new() -> Self {
        Self { raised: Word::new(0), news: B::cell(0) }
    }
    /// One that dies between the two lines has made something true, and told nobody.
    fn raise(&self) {
        B::write(&self.news, |news| *news = 42);
        self.raised.store(1, Release);
        Model::<B>::wake(&self.raised, u32::MAX);
    }
    fn wait(&self, me: Participant<'_, Model<B>>) {
        let mut vigil = Vigil::new(me, None);
        while self.raised.load(Acquire) == 0 {
            let _look_again = vigil.sleep(&self.raised, 0, None);
        }
        B::read(&self.news, |news| assert_eq!(*news, 42));
    }
    /// If the raiser died before it could, a supervisor raises: to wait for ever would be right
    /// otherwise.
    fn see_to_it(&self) {
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
            flag.see_to_it();
        }
    })
}

/// The same, but the mark of 0 is lost, and noticed by the supervisor's slow look.
#[cfg(feature = "loom")]
fn two_wait_for_reaping<B: Backend>() -> Explore<B, Flag<B>> {
    two_wait::<B>().lost_marks().after(|world, _, _, flag| match flag.raised.newest() {
        0 => flag.raise(),
        _ => world.table().reap_lost(),
    })
}

/// 0 waits, and may be the one that the kernel wakes for two deaths: that of 1, and that of 3, who
/// raises; 2 waits, perhaps only since 1 was dead, and then on the lifeline of 3 alone.
#[cfg(feature = "loom")]
fn one_is_woken_for_two_deaths<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(4, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        1 => step::<B>(),
        3 => flag.raise(),
        _ => world.act(who, |me| flag.wait(me)),
    })
    .after(|_, dead, _, flag| {
        if dead == 3 {
            flag.see_to_it();
        }
    })
}

/// 0 waits; 1 comes into the segment only now, raises, and dies somewhere.
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
            flag.see_to_it();
        }
    })
}

/// The same, with two who wait for the newcomer.
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
            flag.see_to_it();
        }
    })
}

/// 0 raises; 1 waits on a narrow machine, on which others take the room that there is, unless they
/// are known to die with one who is watched: participants 2 and 3 do nothing.
#[cfg(feature = "loom")]
fn one_waits_in_a_crowd<const WORDS: usize>(processes: &'static [u32]) -> Explore<Loom<WORDS>, Flag<Loom<WORDS>>> {
    Explore::new(4, Flag::new, |world: &World<Loom<WORDS>>, who, flag: &Flag<Loom<WORDS>>| match who {
        3 => flag.raise(),
        1 => world.act(who, |me| flag.wait(me)),
        _ => {}
    })
    .after(|_, dead, _, flag| {
        if dead == 3 {
            flag.see_to_it();
        }
    })
    .processes(processes)
    .victims(&[3])
}

/// A primitive of two words: what is so, and the news of it.
#[derive(Debug)]
struct Notice<B: Backend> {
    deed: Word<B>,
    news: Word<B>,
}

impl<B: Backend> Notice<B> {
    fn new() -> Self {
        Self { deed: Word::new(0), news: Word::new(0) }
    }
    /// One that dies between the first two lines has done it, and the news word does not tell.
    fn post(&self) {
        self.deed.store(1, Release);
        self.news.store(1, Release);
        Model::<B>::wake(&self.news, u32::MAX);
    }
    fn wait(&self, me: Participant<'_, Model<B>>) {
        let mut vigil = Vigil::new(me, None);
        loop {
            let news = self.news.load(Acquire);
            if self.deed.load(Acquire) != 0 {
                return;
            }
            let _look_again = vigil.sleep(&self.news, news, None);
        }
    }
}

fn one_reads_the_notice<B: Backend>() -> Explore<B, Notice<B>> {
    Explore::new(2, Notice::new, |world: &World<B>, who, notice: &Notice<B>| match who {
        0 => notice.post(),
        _ => world.act(who, |me| notice.wait(me)),
    })
    .after(|_, dead, _, notice| {
        if dead == 0 && notice.deed.newest() == 0 {
            notice.post();
        }
    })
}

/// 0 posts; 2 reads; 1 waits, but not for long, on another word of which 0 is the holder: the wake
/// that tells of the death of 0 may be given to 1, who has no use for the notice.
#[cfg(feature = "loom")]
fn one_naps_beside_a_reader<B: Backend>() -> Explore<B, (Notice<B>, Word<B>)> {
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
        if dead == 0 && notice.deed.newest() == 0 {
            notice.post();
        }
    })
}

/// 0 raises, 1 waits, alone with it at first; 2 comes only now, and waits, too.
#[cfg(feature = "loom")]
fn one_comes_and_waits<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(3, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        0 => flag.raise(),
        1 => world.act(who, |me| flag.wait(me)),
        _ => {
            let table = world.table();
            let id = table.register(&Newborn { world, who }).expect("there is a slot for each");
            flag.wait(Participant { id, table: &table });
        }
    })
    .newcomers(1)
    .unsupervised()
    .after(|_, dead, _, flag| {
        if dead == 0 {
            flag.see_to_it();
        }
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    all_waiters_learn_of_it_whoever_dies: |n| two_wait::<B>().victims(&[0, 1, 2]).spurious().holds(n);
    the_first_phase_changes_nothing: |n| two_wait::<B>().victims(&[0, 1]).first_phase().holds(n);
    any_two_may_die: |n| two_wait::<B>().victims(&[0, 1, 2]).pairs().holds(n);
    a_newcomer_is_watched_too: |n| a_newcomer_raises::<B>().victims(&[0, 1]).holds(n);
    a_newcomer_is_watched_by_all: |n| two_wait_for_a_newcomer::<B>().victims(&[2]).preemptions(1).holds(n);
    a_waiter_in_its_first_phase_passes_the_death_on: |n| one_naps_beside_a_reader::<B>().victims(&[0]).holds(n);
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
        |n| two_wait::<B>().victims(&[0]).broken(Broken { no_cascade: true, ..Broken::default() }).fails(n);
    watching_the_holder_alone_hangs:
        |n| two_wait::<B>().victims(&[0]).broken(Broken { most_words: Some(2), ..Broken::default() }).fails(n);
    without_the_membership_word_a_newcomer_is_missed:
        |n| a_newcomer_raises::<B>().victims(&[1]).broken(Broken { no_membership: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    all_waiters_learn_of_it_whoever_dies: |n| two_wait::<B>().victims(&[0, 1]).holds(n);
    a_newcomer_is_watched_too: |n| a_newcomer_raises::<B>().victims(&[1]).holds(n);
}
