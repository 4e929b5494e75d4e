//! Models of the participant table: slots are claimed once, reused safely, and the living are never judged dead.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
use outlive::raw::Id;
#[cfg(feature = "loom")]
use outlive_models::Broken;
use outlive_models::{Backend, Explore, Newborn, Word, World};
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

/// Three threads, one slot fewer: a slot is used again when its owner has died.
fn takers<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(3, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Acquire);
        }
    })
    .free_slots(2)
}

#[cfg(feature = "loom")]
/// The same, but the word is looked at with Relaxed, and only the CAS acquires: this fault was in the mutex once.
fn careless_takers<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(3, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
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

#[cfg(feature = "loom")]
/// One slot for three: those who come too late look slowly, and may find the first one gone.
fn one_slot<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(3, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Acquire);
        }
    })
    .free_slots(1)
}

/// Everybody comes, takes, and leaves again; the slot of one who left can be had at once.
fn come_and_go<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(3, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
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

outlive_models::models! { with_loom, Loom, "loom",
    the_slow_look_finds_the_dead_and_not_the_living: |n| one_slot::<B>().victims(&[0]).preemptions(1)
        .broken(Broken { lost_marks: true, ..Broken::default() }).holds(n);
    equal_thread_ids_are_not_confused: |n| one_slot::<B>().victims(&[0])
        .broken(Broken { lost_marks: true, equal_thread_ids: true, ..Broken::default() }).holds(n);
    equal_thread_ids_are_not_confused_by_the_kernel: |n| one_slot::<B>().victims(&[0]).preemptions(1)
        .broken(Broken { equal_thread_ids: true, ..Broken::default() }).holds(n);
    who_comes_and_goes_is_never_confused_with_the_next: |n| come_and_go::<B>().victims(&[0]).preemptions(1)
        .broken(Broken { equal_thread_ids: true, ..Broken::default() }).holds(n);
    a_living_holder_is_never_judged_dead: |n| takers::<B>().victims(&[0, 1]).preemptions(1).holds(n);
    the_slot_of_the_dead_is_never_lost: |n| a_successor::<B>().victims(&[1]).holds(n);
    a_relaxed_look_at_the_hold_judges_the_living_dead:
        |n| careless_takers::<B>().victims(&[0, 1]).preemptions(1).fails(n);
    without_the_release_fence_the_living_are_judged_dead:
        |n| takers::<B>().victims(&[0]).broken(Broken { no_release: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    who_comes_and_goes_is_never_confused_with_the_next: |n| come_and_go::<B>().victims(&[0, 1]).holds(n);
    a_living_holder_is_never_judged_dead: |n| takers::<B>().victims(&[0, 1]).holds(n);
    the_slot_of_the_dead_is_never_lost: |n| a_successor::<B>().victims(&[1]).holds(n);
}
