//! Models of the participant table: slots are claimed once, reused safely, and the living are never judged dead.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

#[cfg(feature = "loom")]
use outlive::platform::Lifeline as _;
use outlive::platform::Word as _;
use outlive::raw::Id;
use outlive_models::{Backend, Explore, Newborn, Word, World};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left};
use std::sync::Mutex;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

/// One word that names its holder, and (unknown to the algorithm) which thread got which id.
#[derive(Debug)]
struct Hold<B: Backend> {
    word: Word<B>,
    ids: Mutex<Vec<(Id, usize)>>,
}

impl<B: Backend> Hold<B> {
    fn new() -> Self {
        Self { word: Word::new(0), ids: Mutex::default() }
    }
    fn owner(&self, id: Id) -> usize {
        let ids = self.ids.lock().expect("no panic inside");
        ids.iter().find(|(known, _)| *known == id).expect("a hold names a participant").1
    }
    fn register(&self, world: &World<B>, who: usize) -> Option<Id> {
        let id = world.table().register(&Newborn { world, who }).ok()?;
        let slot = world.table().slot(id).expect("it has a slot");
        assert_eq!(slot.living(id.index()).map(|(living, _)| living), Some(id), "it lives, and is told so");
        let mut ids = self.ids.lock().expect("no panic inside");
        assert!(ids.iter().all(|(known, _)| *known != id), "{id} was given twice");
        ids.push((id, who));
        Some(id)
    }
    /// Takes the hold if it is free or its holder dead; true if somebody dead was taken over.
    fn try_take(&self, world: &World<B>, by: Id, look: Ordering) -> bool {
        let seen = self.word.load(look);
        let holder = Id::holder_in(seen);
        if holder.is_some_and(|holder| world.table().is_alive(holder)) {
            return false;
        }
        let taken = self.word.compare_exchange(seen, by.word(), Acquire, Relaxed).is_ok();
        if let (true, Some(holder)) = (taken, holder) {
            assert!(world.has_died(self.owner(holder)), "{holder} lived, and was judged dead");
        }
        taken
    }
}

/// In two slots: with three threads one is used again when its owner has died.
fn takers<B: Backend, const N: usize>() -> Explore<B, Hold<B>> {
    Explore::new(N, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Acquire);
        }
    })
    .free_slots(2)
}

#[cfg(feature = "loom")]
/// The same, but the word is looked at with Relaxed, and only the CAS acquires: this fault was in the mutex once.
fn careless_takers<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Relaxed);
        }
    })
    .free_slots(2)
}

/// Two register at once in a table of two: a slot left by the one that dies, anywhere in it, can be had again at once.
fn a_successor<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        assert!(hold.register(world, who).is_some(), "there is a slot for each");
    })
    .free_slots(2)
    .after(|world, dead, supervisor, hold| {
        if dead == 1 {
            assert!(hold.register(world, supervisor).is_some(), "the slot of the dead is lost");
        }
    })
}

/// Everybody comes, takes, and leaves again; the slot of one who left can be had at once.
fn come_and_go<B: Backend, const N: usize>() -> Explore<B, Hold<B>> {
    Explore::new(N, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            if !hold.try_take(world, id, Acquire) || hold.word.compare_exchange(id.word(), 0, Release, Relaxed).is_ok()
            {
                Newborn { world, who }.leave(id);
            }
        }
    })
    .free_slots(1)
    .check(|hold, world| {
        let ids = hold.ids.lock().expect("no panic inside");
        assert!(ids.iter().all(|(id, owner)| world.has_died(*owner) || !world.table().is_alive(*id)));
    })
}

#[cfg(feature = "loom")]
/// Two want the only slot, and each may take the other for gone before it has armed its lifelines.
fn hasty_newcomers<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        hold.register(world, who);
    })
    .free_slots(1)
    .left(Left::Marked)
    .broken(Broken { claimers_seem_gone: true, ..Broken::default() })
    .check(|hold, world| {
        let ids = hold.ids.lock().expect("no panic inside").clone();
        assert!(!ids.is_empty(), "nobody got the slot");
        assert!(ids.iter().all(|(id, _)| world.table().is_alive(*id)), "a living one was taken for gone");
    })
}

#[cfg(feature = "loom")]
/// Two have registered, and then all this is a copy: nobody is alive in it, and both slots are free.
fn all_end<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        hold.register(world, who);
    })
    .free_slots(2)
    .check(|hold, world| {
        let table = world.table();
        table.end_all();
        let ids = hold.ids.lock().expect("no panic inside").clone();
        for (id, _) in &ids {
            let slot = table.slot(*id).expect("it has a slot");
            assert!(!table.is_alive(*id) && slot.living(id.index()).is_none(), "{id} lives on in a copy");
            assert_eq!(slot.lifelines().each_ref().map(|line| line.word().load(Relaxed)), [0, 0]);
        }
    })
}

#[cfg(feature = "loom")]
/// Two register at once, with one slot that was left by the dead and one that is free.
fn successors<B: Backend>(left: Left) -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        assert!(hold.register(world, who).is_some(), "there is a slot for each");
    })
    .free_slots(2)
    .left(left)
    .check(|hold, world| {
        for (id, who) in hold.ids.lock().expect("no panic inside").iter() {
            assert!(world.table().is_alive(*id) != world.has_died(*who), "{id} is misjudged");
        }
    })
}

#[cfg(feature = "loom")]
/// 0 looks slowly, while 1 takes the slot that somebody left who is gone.
fn a_slow_looker<B: Backend>(left: Left) -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => world.table().look_slowly(),
        _ => {
            hold.register(world, who);
        }
    })
    .newcomers(1)
    .left(left)
    .check(|hold, world| {
        let ids = hold.ids.lock().expect("no panic inside");
        assert!(!ids.is_empty() || world.has_died(1), "the slot of the one who is gone was to be had");
        for (id, who) in ids.iter() {
            assert_eq!(id.index(), 1);
            assert!(world.table().is_alive(*id) != world.has_died(*who), "{id} is misjudged");
        }
    })
}

#[cfg(feature = "loom")]
/// 0 ends by exec; 1, who looks for a slot, may find it marked for that while the kernel is still at its other lifeline.
fn after_an_exec<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => hold.word.store(0, Relaxed),
        _ => {
            let id = hold.register(world, who).expect("there is a slot");
            assert!(id.index() != 0 || world.is_gone(0), "the kernel has not done with that slot");
            hold.try_take(world, id, Acquire);
        }
    })
    .newcomers(1)
    .victims(&[0])
    .second_threads(&[0])
    .execs()
}

#[cfg(feature = "loom")]
/// 0 holds, writes, and dies somewhere; 2 takes its slot, if it is to be had; 1 takes the hold over, if it may.
#[derive(Debug)]
struct Estate<B: Backend> {
    hold: Hold<B>,
    data: B::Cell<u32>,
}

#[cfg(feature = "loom")]
fn heirs<B: Backend>() -> Explore<B, Estate<B>> {
    let make = || Estate { hold: Hold::new(), data: B::cell(0) };
    Explore::new(3, make, |world: &World<B>, who, estate: &Estate<B>| match who {
        0 => world.act(who, |me| {
            estate.hold.word.store(me.id.word(), Release);
            B::write(&estate.data, |data| *data = 1);
            estate.hold.word.store(0, Release);
        }),
        1 => {
            let seen = estate.hold.word.load(Acquire);
            if Id::holder_in(seen).is_some_and(|holder| !world.table().is_alive(holder)) {
                B::read(&estate.data, |data| assert_eq!(*data, 1));
            }
        }
        _ => {
            estate.hold.register(world, who);
        }
    })
    .newcomers(1)
    .victims(&[0])
}

#[cfg(feature = "loom")]
fn equal_thread_ids() -> Broken {
    Broken { equal_thread_ids: true, ..Broken::default() }
}

outlive_models::models! { with_loom, Loom, "loom",
    a_living_holder_is_never_judged_dead: |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).holds(n);
    the_slot_of_the_dead_is_never_lost: |n| a_successor::<B>().victims(&[1]).holds(n);
    a_slot_that_the_dead_left_goes_to_one: |n| successors::<B>(Left::Marked).victims(&[1]).holds(n);
    a_slot_whose_mark_was_lost_goes_to_one: |n| successors::<B>(Left::Unmarked).preemptions(1).holds(n);
    a_slow_look_harms_no_successor: |n| a_slow_looker::<B>(Left::Unmarked).victims(&[1]).holds(n);
    a_slow_look_harms_no_successor_of_the_unarmed: |n| a_slow_looker::<B>(Left::Unarmed).victims(&[1]).holds(n);
    equal_thread_ids_are_not_confused:
        |n| a_slow_looker::<B>(Left::Unmarked).victims(&[1]).broken(equal_thread_ids()).holds(n);
    who_comes_and_goes_is_never_confused_with_the_next:
        |n| come_and_go::<B, 2>().victims(&[0]).broken(equal_thread_ids()).holds(n);
    who_comes_and_goes_with_two_lifelines_is_never_confused_with_the_next:
        |n| come_and_go::<B, 2>().victims(&[0]).second_threads(&[0]).broken(equal_thread_ids()).executions(1_000).holds(n);
    one_with_two_lifelines_is_never_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).second_threads(&[0, 1]).executions(1_000).holds(n);
    nor_if_it_may_end_by_exec:
        |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).second_threads(&[0, 1]).execs().executions(1_000).holds(n);
    a_slot_that_was_left_by_exec_goes_to_one: |n| successors::<B>(Left::Exec).second_threads(&[0]).preemptions(1).holds(n);
    a_slow_look_after_an_exec_harms_no_successor:
        |n| a_slow_looker::<B>(Left::Exec).victims(&[1]).second_threads(&[1]).broken(equal_thread_ids()).holds(n);
    the_kernel_takes_no_successor_for_one_that_execs: |n| after_an_exec::<B>().broken(equal_thread_ids()).holds(n);
    the_slot_of_one_who_execs_is_not_to_be_had_before_it_is_gone: |n| after_an_exec::<B>().holds(n);
    who_was_taken_for_gone_harms_no_successor: |n| hasty_newcomers::<B>().holds(n);
    in_a_copy_nobody_is_alive: |n| all_end::<B>().holds(n);
    what_the_dead_wrote_is_seen_though_its_slot_has_an_owner: |n| heirs::<B>().holds(n);
    a_relaxed_look_at_the_hold_judges_the_living_dead:
        |n| careless_takers::<B>().left(Left::Marked).fails(n);
    without_the_release_fence_the_living_are_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).broken(Broken { no_release: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    who_comes_and_goes_is_never_confused_with_the_next: |n| come_and_go::<B, 3>().victims(&[0, 1]).holds(n);
    a_living_holder_is_never_judged_dead: |n| takers::<B, 3>().victims(&[0, 1]).holds(n);
    the_slot_of_the_dead_is_never_lost: |n| a_successor::<B>().victims(&[1]).holds(n);
}
