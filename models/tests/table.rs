//! Models of the participant table: slots are claimed once, reused safely, and the living are never
//! judged dead.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
#[cfg(feature = "loom")]
use outlive::platform::{Lifeline as _, ThreadInfo as _};
use outlive::raw::Id;
#[cfg(feature = "loom")]
use outlive::raw::Participant;
#[cfg(feature = "loom")]
use outlive::raw::hold::HELD;
#[cfg(feature = "loom")]
use outlive::raw::table::{Newcomer, recycle::Named};
use outlive_models::{Backend, Explore, Newborn, Word, World};
#[cfg(feature = "loom")]
use outlive_models::{Broken, FROM_BEFORE, Left, Life, Model, Note, process_of, step};
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
/// The same, but the word is looked at with Relaxed, and only the CAS acquires: this fault was in
/// the mutex once.
fn careless_takers<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Relaxed);
        }
    })
    .free_slots(2)
}

/// Two register at once in a table of two: a slot left by the one that dies, anywhere in it, can be
/// had again at once.
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
/// Two of equal thread id want the only slot, which was left without a mark, and then the hold.
fn newcomers_of_equal_id<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Acquire);
        }
    })
    .free_slots(1)
    .left(Left::Unmarked)
    .broken(equal_thread_ids())
    .check(|hold, world| {
        let ids = hold.ids.lock().expect("no panic inside").clone();
        assert!(!ids.is_empty() || world.has_died(0), "nobody got the slot");
        for (id, who) in &ids {
            assert!(world.table().is_alive(*id) != world.has_died(*who), "{id} is misjudged");
        }
    })
}

#[cfg(feature = "loom")]
/// The same: what the slot says of its owner was written by its owner, and not by one who was late.
fn facts_of_newcomers_of_equal_id<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        let _full = hold.register(world, who);
    })
    .free_slots(1)
    .left(Left::Unmarked)
    .broken(equal_thread_ids())
    .check(|hold, world| {
        for (id, who) in &*hold.ids.lock().expect("no panic inside") {
            let slot = world.table().slot(*id).expect("it has a slot");
            if slot.living(id.index()).is_some_and(|(living, _)| living == *id) {
                assert_eq!(slot.thread().process(), process_of(*who), "another has written into the slot of {who}");
            }
        }
    })
}

#[cfg(feature = "loom")]
/// 0 takes the slot of one from before; 1 asks that slot for both of them.
fn one_that_asks_who_it_was<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => _ = hold.register(world, who),
        _ => {
            for (generation, process) in [(1, process_of(FROM_BEFORE as usize - 1)), (2, process_of(0))] {
                let id = Id::holder_in(HELD | generation << 12).expect("it names somebody");
                let told = world.table().slots[0].read_record(id, |about, _| about.process());
                assert!(told.is_none_or(|told| told == process), "{id} was told as another");
            }
        }
    })
    .free_slots(1)
    .left(Left::Marked)
}

#[cfg(feature = "loom")]
/// 0 takes the slot of one from before, who is dead from the start; 1 judges that one. In this
/// order: loom tries to put 0's stores after 1's loads, but not the other way round, since 0 loads
/// the same words itself.
fn a_judge_of_the_dead<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => _ = hold.register(world, who),
        _ => {
            let dead = Id::holder_in(named_from_before(0)).expect("it names somebody");
            assert!(!world.table().is_alive(dead), "the dead one lives again");
        }
    })
    .free_slots(1)
    .left(Left::Marked)
}

/// The word of a hold of the one from before, who had this slot in its first generation.
#[cfg(feature = "loom")]
fn named_from_before(slot: u32) -> u32 {
    HELD | 1 << 12 | slot
}

/// A newcomer that reads that word, which is all that there is in the segment; `None`: it finds no
/// names anywhere.
#[cfg(feature = "loom")]
struct Reader<'w, B: Backend> {
    newborn: Newborn<'w, B>,
    word: Option<&'w Word<B>>,
}

#[cfg(feature = "loom")]
impl<B: Backend> Newcomer<Model<B>> for Reader<'_, B> {
    fn thread(&self) -> u32 {
        self.newborn.thread()
    }
    fn tag(&self) -> u32 {
        self.newborn.tag()
    }
    fn describe(&self, about: &Note<B>, id: Id) {
        self.newborn.describe(about, id);
    }
    fn arm(&self, lifelines: &[Life<B>; 2]) {
        self.newborn.arm(lifelines);
    }
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool {
        self.newborn.is_claimer_gone(thread, tag)
    }
    fn read_names(&self, named: &mut Named) -> bool {
        if let Some(word) = self.word {
            named.note(word.load(Relaxed)); // the kernel's read orders nothing
        }
        true
    }
}

/// A slot has two generations in a round.
#[cfg(feature = "loom")]
type InTwo = outlive_models::Loom<128, 2>;
/// A slot has one generation in a round.
#[cfg(feature = "loom")]
type InOne = outlive_models::Loom<128, 1>;

/// Two come into the only slot, and leave it again. A word names the one from before in it.
#[cfg(feature = "loom")]
fn comers_beside_a_name<B: Backend, const READ: bool>() -> Explore<B, Word<B>> {
    let make = || Word::new(named_from_before(0));
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| {
        let reader = Reader { newborn: Newborn { world, who }, word: READ.then_some(word) };
        if let Ok(id) = world.table().register(&reader) {
            assert_ne!(Id::holder_in(word.load(Acquire)), Some(id), "a newcomer is taken for the dead holder");
            reader.newborn.leave(id);
        }
    })
    .free_slots(1)
    .left(Left::Marked)
    .check(|_, world| {
        let id = world.table().slots[0].living_or_dead(0);
        assert!(id.generation() == 2 || world.has_died(0), "the slot is lost");
    })
}

/// 0 takes a hold in the last generation of its slot, and dies; 1 comes then, or meanwhile.
#[cfg(feature = "loom")]
fn a_comer_beside_the_dying<B: Backend>() -> Explore<B, Word<B>> {
    let make = || Word::new(0);
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| match who {
        0 => world.act(who, |me| {
            let _free = word.compare_exchange(0, me.id.word(), Acquire, Relaxed);
            step::<B>();
        }),
        _ => {
            if let Ok(id) = world.table().register(&Reader { newborn: Newborn { world, who }, word: Some(word) }) {
                assert_ne!(Id::holder_in(word.load(Acquire)), Some(id), "a newcomer is taken for the dead holder");
            }
        }
    })
    .newcomers(1)
    .left(Left::Marked)
}

/// The same, but the mark of 0 is lost: 1, who looks slowly, frees its slot, while 2 comes.
#[cfg(feature = "loom")]
fn a_comer_beside_the_freed<B: Backend>() -> Explore<B, Word<B>> {
    let make = || Word::new(0);
    Explore::new(3, make, |world: &World<B>, who, word: &Word<B>| match who {
        0 => world.act(who, |me| {
            let _free = word.compare_exchange(0, me.id.word(), Acquire, Relaxed);
            step::<B>();
        }),
        1 => world.table().reap_lost(),
        _ => {
            if let Ok(id) = world.table().register(&Reader { newborn: Newborn { world, who }, word: Some(word) }) {
                assert_ne!(Id::holder_in(word.newest()), Some(id), "a newcomer is taken for the dead holder");
            }
        }
    })
    .newcomers(1)
    .left(Left::Marked)
    .lost_marks()
}

/// Two come into the only slot, which is in its last generation: whoever gets it is in a new round,
/// and knows, though the other may have begun that round.
#[cfg(feature = "loom")]
fn comers_in_a_new_round<B: Backend>() -> Explore<B, Word<B>> {
    let make = || Word::new(0);
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| {
        let reader = Reader { newborn: Newborn { world, who }, word: Some(word) };
        if let Ok(id) = world.table().register(&reader) {
            assert_ne!(world.table().slots[id.index()].round(), 0, "{id} is in a round that is over");
        }
    })
    .free_slots(1)
    .left(Left::Marked)
}

/// Two come into the only slot; whoever gets it says that it may leak, and goes on living.
#[cfg(feature = "loom")]
fn comers_that_may_leak<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Ok(id) = world.table().register(&Reader { newborn: Newborn { world, who }, word: None }) {
            world.table().leak(id);
            hold.ids.lock().expect("no panic inside").push((id, who));
        }
    })
    .free_slots(1)
    .check(|hold, world| {
        let ids = hold.ids.lock().expect("no panic inside");
        assert!(ids.iter().all(|(id, _)| world.table().is_alive(*id)), "one of {ids:?} is judged dead");
    })
}

/// 0 leaks a hold, which it takes before or after it says that it may leak, and ends; 1 finds no
/// other slot than one in its last generation.
#[cfg(feature = "loom")]
fn a_comer_beside_the_leaked<B: Backend, const SAYS_FIRST: bool>() -> Explore<B, Word<B>> {
    let make = || Word::new(0);
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| match who {
        0 => world.act(who, |me| {
            if SAYS_FIRST {
                world.table().leak(me.id);
            }
            word.compare_exchange(0, me.id.word(), Acquire, Relaxed).expect("it is free");
            if !SAYS_FIRST {
                world.table().leak(me.id);
            }
            world.end(who);
        }),
        _ => _ = world.table().register(&Reader { newborn: Newborn { world, who }, word: Some(word) }),
    })
    .newcomers(1)
    .left(Left::Marked)
    .leakers(&[0])
    .check(|word, world| {
        let leaked = Id::holder_in(word.load(Relaxed)).expect("nobody has taken it");
        assert!(world.table().has_leaked(leaked), "the leaked hold is to be had");
    })
}

/// A hold that is taken over from the one from before, who had the slot of 2: by 0 or 1, or by 2,
/// which has come into that slot, with the very id that was named. How they take over is for the
/// scenario to say.
#[cfg(feature = "loom")]
fn heirs_of_one<B: Backend>(body: fn(&World<B>, usize, &Word<B>)) -> Explore<B, Word<B>> {
    Explore::new(3, || Word::new(named_from_before(2)), body).newcomers(1).left(Left::Marked)
}

#[cfg(feature = "loom")]
fn careful_heirs<B: Backend>() -> Explore<B, Word<B>> {
    heirs_of_one(|world, who, word| hold_once(world, who, word, |me, seen, take| me.inherit(word, seen, take)))
}

#[cfg(feature = "loom")]
fn heirs_without_announcement<B: Backend>() -> Explore<B, Word<B>> {
    heirs_of_one(|world, who, word| hold_once(world, who, word, |_, _, take| take()))
}

#[cfg(feature = "loom")]
fn hold_once<B: Backend>(
    world: &World<B>,
    who: usize,
    word: &Word<B>,
    inherit: impl Fn(Participant<'_, Model<B>>, u32, &dyn Fn() -> bool) -> bool,
) {
    let table = world.table();
    let hold = |me: Participant<'_, Model<B>>| {
        let seen = word.load(Acquire);
        if Id::holder_in(seen).is_some_and(|holder| table.is_alive(holder)) {
            return;
        }
        let take = || word.compare_exchange(seen, me.id.word(), Acquire, Relaxed).is_ok();
        if inherit(me, seen, &take) {
            let released = word.compare_exchange(me.id.word(), 0, Release, Relaxed);
            assert!(released.is_ok(), "{} was robbed of its hold", me.id);
        }
    };
    if who < 2 {
        world.act(who, hold);
    } else if let Ok(id) = table.register(&Reader { newborn: Newborn { world, who }, word: Some(word) }) {
        let is_the_only_one = id.word() == named_from_before(2) || world.has_died(id.index());
        assert!(is_the_only_one, "{id} is neither the one that was named, nor a slot that the dead left");
        hold(Participant { id, table: &table });
    }
}

#[cfg(feature = "loom")]
/// Two have registered, and then all this is a copy: nobody is alive in it, and both slots are
/// free.
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
fn a_reaper<B: Backend>(left: Left) -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => world.table().reap_lost(),
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
/// 0 ends by exec; 1, who looks for a slot, may find it marked for that while the kernel is still
/// at its other lifeline.
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
/// 0 holds, writes, and dies somewhere; 2 takes its slot, if it is to be had; 1 takes the hold
/// over, if it may.
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
    reaping_harms_no_successor: |n| a_reaper::<B>(Left::Unmarked).victims(&[1]).holds(n);
    reaping_harms_no_successor_of_the_unarmed: |n| a_reaper::<B>(Left::Unarmed).victims(&[1]).holds(n);
    equal_thread_ids_are_not_confused:
        |n| a_reaper::<B>(Left::Unmarked).victims(&[1]).broken(equal_thread_ids()).holds(n);
    a_participant_that_left_is_never_confused_with_its_successor:
        |n| come_and_go::<B, 2>().victims(&[0]).broken(equal_thread_ids()).holds(n);
    one_with_two_lifelines_that_left_is_never_confused_with_its_successor:
        |n| come_and_go::<B, 2>().victims(&[0]).second_threads(&[0]).broken(equal_thread_ids()).executions(1_000).holds(n);
    one_with_two_lifelines_is_never_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).second_threads(&[0, 1]).executions(1_000).holds(n);
    one_that_may_end_by_exec_is_never_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).second_threads(&[0, 1]).execs().executions(1_000).holds(n);
    a_slot_that_was_left_by_exec_goes_to_one: |n| successors::<B>(Left::Exec).second_threads(&[0]).preemptions(1).holds(n);
    reaping_after_an_exec_harms_no_successor:
        |n| a_reaper::<B>(Left::Exec).victims(&[1]).second_threads(&[1]).broken(equal_thread_ids()).holds(n);
    the_kernel_does_not_mark_the_successor_of_one_that_execs: |n| after_an_exec::<B>().broken(equal_thread_ids()).holds(n);
    a_slot_left_by_exec_is_not_reused_before_its_owner_is_gone: |n| after_an_exec::<B>().holds(n);
    newcomers_of_equal_thread_id_are_not_confused: |n| newcomers_of_equal_id::<B>().victims(&[0]).holds(n);
    a_claimer_wrongly_judged_gone_makes_a_living_holder_dead: |n| newcomers_of_equal_id::<B>()
        .broken(Broken { claimers_seem_gone: true, ..equal_thread_ids() })
        .fails(n);
    the_record_in_a_slot_is_its_owners: |n| facts_of_newcomers_of_equal_id::<B>().victims(&[0]).holds(n);
    a_claimer_wrongly_judged_gone_writes_into_its_successors_slot: |n| facts_of_newcomers_of_equal_id::<B>()
        .broken(Broken { claimers_seem_gone: true, ..equal_thread_ids() })
        .fails(n);
    no_record_is_read_as_that_of_another: |n| one_that_asks_who_it_was::<B>().victims(&[0]).holds(n);
    a_dead_participant_is_never_judged_alive: |n| a_judge_of_the_dead::<B>().holds(n);
    no_newcomer_has_an_id_that_a_word_names: |n| comers_beside_a_name::<InTwo, true>().victims(&[0]).holds(n);
    a_newcomer_that_does_not_read_the_words_is_taken_for_a_dead_holder:
        |n| comers_beside_a_name::<InTwo, false>().fails(n);
    a_holder_that_dies_while_words_are_read_is_not_forgotten:
        |n| a_comer_beside_the_dying::<InOne>().victims(&[0]).holds(n);
    a_newcomer_in_a_reaped_slot_has_no_id_that_a_word_names:
        |n| a_comer_beside_the_freed::<InOne>().victims(&[0]).executions(40_000).holds(n);
    a_newcomer_in_a_new_round_knows_it: |n| comers_in_a_new_round::<InOne>().preemptions(1).executions(20_000).holds(n);
    a_newcomer_takes_no_slot_of_one_that_may_leak: |n| comers_that_may_leak::<B>().holds(n);
    a_newcomer_takes_no_slot_of_one_that_has_leaked_a_hold: |n| a_comer_beside_the_leaked::<InOne, false>().holds(n);
    a_newcomer_takes_no_slot_of_one_that_announces_its_leak_first: |n| a_comer_beside_the_leaked::<InOne, true>().holds(n);
    an_id_comes_round_after_the_last_heir: |n| careful_heirs::<InOne>().victims(&[0]).holds(n);
    without_fences_a_late_heir_robs_the_living:
        |n| careful_heirs::<InOne>().broken(Broken { no_fence: true, ..Broken::default() }).fails(n);
    an_heir_that_does_not_announce_itself_robs_the_living: |n| heirs_without_announcement::<InOne>().fails(n);
    in_a_copy_no_participant_is_alive: |n| all_end::<B>().holds(n);
    what_the_dead_wrote_is_seen_even_if_its_slot_has_a_new_owner: |n| heirs::<B>().holds(n);
    a_relaxed_load_of_the_hold_judges_the_living_dead:
        |n| careless_takers::<B>().left(Left::Marked).fails(n);
    without_the_release_fence_the_living_are_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).broken(Broken { no_release: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    a_participant_that_left_is_never_confused_with_its_successor: |n| come_and_go::<B, 3>().victims(&[0, 1]).holds(n);
    a_living_holder_is_never_judged_dead: |n| takers::<B, 3>().victims(&[0, 1]).holds(n);
    the_slot_of_the_dead_is_never_lost: |n| a_successor::<B>().victims(&[1]).holds(n);
}
