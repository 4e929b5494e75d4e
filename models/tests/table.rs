//! Models of the participant table: a slot is claimed by one thread, it is reused safely, and a
//! living participant is never judged dead.
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
use outlive::raw::table::recycle::Named;
use outlive_models::{Backend, Explore, Newborn, Word, World};
#[cfg(feature = "loom")]
use outlive_models::{Broken, FROM_BEFORE, Left, Model, NameReader, process_of, step};
use std::sync::Mutex;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

/// One word that names its holder. `ids` says which thread got which id; the algorithm does not
/// see that.
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
        assert_eq!(slot.living(id.index()).map(|(living, _)| living), Some(id), "a living owner is not found");
        let mut ids = self.ids.lock().expect("no panic inside");
        assert!(ids.iter().all(|(known, _)| *known != id), "{id} was given twice");
        ids.push((id, who));
        Some(id)
    }
    /// Takes the hold if it is free or its holder is dead. True if it was taken.
    fn try_take(&self, world: &World<B>, by: Id, order: Ordering) -> bool {
        let seen = self.word.load(order);
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

/// Newcomers register in two slots, and take the hold. With three threads, the slot of a dead one
/// is used again.
fn takers<B: Backend, const N: usize>() -> Explore<B, Hold<B>> {
    Explore::new(N, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Acquire);
        }
    })
    .free_slots(2)
}

/// As `takers`, but the load of the word is Relaxed, and only the CAS acquires. The mutex once had
/// this fault.
#[cfg(feature = "loom")]
fn careless_takers<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Relaxed);
        }
    })
    .free_slots(2)
}

/// Two register at the same time in a table of two slots. One dies at some operation. Its slot can
/// be taken again at once.
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

/// All come, take the hold, and leave. The slot of a participant that left can be taken at once.
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

/// Two threads of equal thread id want the only slot, and then the hold. A former participant left
/// the slot without a mark.
#[cfg(feature = "loom")]
fn newcomers_of_equal_id<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Some(id) = hold.register(world, who) {
            hold.try_take(world, id, Acquire);
        }
    })
    .free_slots(1)
    .left(Left::Unmarked)
    .broken(Broken::EQUAL_THREAD_IDS)
    .check(|hold, world| {
        let ids = hold.ids.lock().expect("no panic inside").clone();
        assert!(!ids.is_empty() || world.has_died(0), "no thread got the slot");
        for (id, who) in &ids {
            assert!(world.table().is_alive(*id) != world.has_died(*who), "{id} is misjudged");
        }
    })
}

/// As `newcomers_of_equal_id`. The record in the slot was written by its owner, and not by another
/// thread that was late.
#[cfg(feature = "loom")]
fn facts_of_newcomers_of_equal_id<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        let _full = hold.register(world, who);
    })
    .free_slots(1)
    .left(Left::Unmarked)
    .broken(Broken::EQUAL_THREAD_IDS)
    .check(|hold, world| {
        for (id, who) in &*hold.ids.lock().expect("no panic inside") {
            let slot = world.table().slot(*id).expect("it has a slot");
            if slot.living(id.index()).is_some_and(|(living, _)| living == *id) {
                assert_eq!(slot.thread().process(), process_of(*who), "another has written into the slot of {who}");
            }
        }
    })
}

/// 0 takes the slot of a former participant; 1 reads the records of both.
#[cfg(feature = "loom")]
fn one_that_reads_records<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => _ = hold.register(world, who),
        _ => {
            for (generation, process) in [(1, process_of(FROM_BEFORE as usize - 1)), (2, process_of(0))] {
                let id = Id::holder_in(HELD | generation << 12).expect("it names a participant");
                let read = world.table().slots[0].read_record(id, |record, _| record.process());
                assert!(read.is_none_or(|read| read == process), "the record of {id} is that of another");
            }
        }
    })
    .free_slots(1)
    .left(Left::Marked)
}

/// 0 takes the slot of a former participant; 1 judges that participant, which is dead. The numbers
/// matter: loom tries to put 0's stores after 1's loads, but not the other way round, since 0 loads
/// the same words itself.
#[cfg(feature = "loom")]
fn a_judge_of_the_dead<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => _ = hold.register(world, who),
        _ => {
            let dead = Id::holder_in(named_from_before(0)).expect("it names a participant");
            assert!(!world.table().is_alive(dead), "the dead one lives again");
        }
    })
    .free_slots(1)
    .left(Left::Marked)
}

/// The word of a hold of the former participant, which had this slot in its first generation.
#[cfg(feature = "loom")]
fn named_from_before(slot: u32) -> u32 {
    HELD | 1 << 12 | slot
}

/// A newcomer that reads `word`, as if the segment had no other. With `None` it reads no word.
#[cfg(feature = "loom")]
fn reader<'w, B: Backend>(
    world: &'w World<B>,
    who: usize,
    word: Option<&'w Word<B>>,
) -> NameReader<'w, B, impl Fn(&mut Named) + use<'w, B>> {
    let read = move |named: &mut Named| {
        if let Some(word) = word {
            named.note(word.load(Relaxed)); // the kernel's read orders nothing
        }
    };
    NameReader { newborn: Newborn { world, who }, read }
}

/// A slot has two generations in a round.
#[cfg(feature = "loom")]
type InTwo = outlive_models::Loom<128, 2>;
/// A slot has one generation in a round.
#[cfg(feature = "loom")]
type InOne = outlive_models::Loom<128, 1>;

/// Two come into the only slot, and leave it again. A word names the former participant of that
/// slot.
#[cfg(feature = "loom")]
fn comers_beside_a_name<B: Backend, const READ: bool>() -> Explore<B, Word<B>> {
    let make = || Word::new(named_from_before(0));
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| {
        let reader = reader(world, who, READ.then_some(word));
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

/// 0 takes a hold in the last generation of its slot, and dies. 1 comes after that, or meanwhile.
#[cfg(feature = "loom")]
fn a_comer_beside_the_dying<B: Backend>() -> Explore<B, Word<B>> {
    let make = || Word::new(0);
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| match who {
        0 => world.act(who, |me| {
            let _free = word.compare_exchange(0, me.id.word(), Acquire, Relaxed);
            step::<B>();
        }),
        _ => {
            if let Ok(id) = world.table().register(&reader(world, who, Some(word))) {
                assert_ne!(Id::holder_in(word.load(Acquire)), Some(id), "a newcomer is taken for the dead holder");
            }
        }
    })
    .newcomers(1)
    .left(Left::Marked)
}

/// As `a_comer_beside_the_dying`, but the mark of 0 is lost. 1 reaps, and frees the slot of 0,
/// while 2 comes.
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
            if let Ok(id) = world.table().register(&reader(world, who, Some(word))) {
                assert_ne!(Id::holder_in(word.newest()), Some(id), "a newcomer is taken for the dead holder");
            }
        }
    })
    .newcomers(1)
    .left(Left::Marked)
    .lost_marks()
}

/// Two come into the only slot, which is in its last generation. The one that gets it is in a new
/// round, and knows that, even if the other began that round.
#[cfg(feature = "loom")]
fn comers_in_a_new_round<B: Backend>() -> Explore<B, Word<B>> {
    let make = || Word::new(0);
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| {
        if let Ok(id) = world.table().register(&reader(world, who, Some(word))) {
            assert_ne!(world.table().slots[id.index()].round(), 0, "{id} is in a round that is over");
        }
    })
    .free_slots(1)
    .left(Left::Marked)
}

/// Two come into the only slot. The one that gets it announces a leak, and lives on.
#[cfg(feature = "loom")]
fn comers_that_may_leak<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| {
        if let Ok(id) = world.table().register(&reader(world, who, None)) {
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

/// 0 takes a hold, before or after it announces a leak, and ends. 1 finds no slot but those in
/// their last generation.
#[cfg(feature = "loom")]
fn a_comer_beside_the_leaked<B: Backend, const ANNOUNCES_FIRST: bool>() -> Explore<B, Word<B>> {
    let make = || Word::new(0);
    Explore::new(2, make, |world: &World<B>, who, word: &Word<B>| match who {
        0 => world.act(who, |me| {
            if ANNOUNCES_FIRST {
                world.table().leak(me.id);
            }
            word.compare_exchange(0, me.id.word(), Acquire, Relaxed).expect("it is free");
            if !ANNOUNCES_FIRST {
                world.table().leak(me.id);
            }
            world.end(who);
        }),
        _ => _ = world.table().register(&reader(world, who, Some(word))),
    })
    .newcomers(1)
    .left(Left::Marked)
    .leakers(&[0])
    .check(|word, world| {
        let leaked = Id::holder_in(word.load(Relaxed)).expect("the hold is not taken over");
        assert!(world.table().has_leaked(leaked), "the leaked hold can be taken over");
    })
}

/// A hold of the former participant, which had the slot of 2. 0, 1 or 2 takes it over; 2 is a
/// newcomer in that slot, and may have the very id that the word names. The scenario says how they
/// take over.
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
    } else if let Ok(id) = table.register(&reader(world, who, Some(word))) {
        let is_expected = id.word() == named_from_before(2) || world.has_died(id.index());
        assert!(is_expected, "{id} is neither the id in the word, nor in a slot of the dead");
        hold(Participant { id, table: &table });
    }
}

/// Two have registered. Then the table is treated as a copy: no participant is alive in it, and
/// both slots are free.
#[cfg(feature = "loom")]
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

/// Two register at the same time. There are two slots that former participants left.
#[cfg(feature = "loom")]
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

/// 0 reaps, while 1 takes the slot of a former participant.
#[cfg(feature = "loom")]
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
        assert!(!ids.is_empty() || world.has_died(1), "the slot of the former participant was not taken");
        for (id, who) in ids.iter() {
            assert_eq!(id.index(), 1);
            assert!(world.table().is_alive(*id) != world.has_died(*who), "{id} is misjudged");
        }
    })
}

/// 0 ends by exec. 1 searches a slot. It may find that of 0 marked while the kernel still handles
/// the other lifeline.
#[cfg(feature = "loom")]
fn after_an_exec<B: Backend>() -> Explore<B, Hold<B>> {
    Explore::new(2, Hold::new, |world: &World<B>, who, hold: &Hold<B>| match who {
        0 => hold.word.store(0, Relaxed),
        _ => {
            let id = hold.register(world, who).expect("there is a slot");
            assert!(id.index() != 0 || world.is_gone(0), "the kernel is not done with that slot");
            hold.try_take(world, id, Acquire);
        }
    })
    .newcomers(1)
    .victims(&[0])
    .second_threads(&[0])
    .execs()
}

/// 0 holds, writes, and dies at some operation. 2 takes the slot of 0, if it can. 1 takes over the
/// hold, if it may.
#[cfg(feature = "loom")]
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

outlive_models::models! { with_loom, Loom, "loom",
    a_living_holder_is_never_judged_dead: |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).holds(n);
    the_slot_of_the_dead_is_never_lost: |n| a_successor::<B>().victims(&[1]).holds(n);
    a_slot_that_the_dead_left_goes_to_one: |n| successors::<B>(Left::Marked).victims(&[1]).holds(n);
    a_slot_whose_mark_was_lost_goes_to_one: |n| successors::<B>(Left::Unmarked).preemptions(1).holds(n);
    reaping_harms_no_successor: |n| a_reaper::<B>(Left::Unmarked).victims(&[1]).holds(n);
    reaping_harms_no_successor_of_the_unarmed: |n| a_reaper::<B>(Left::Unarmed).victims(&[1]).holds(n);
    equal_thread_ids_are_not_confused:
        |n| a_reaper::<B>(Left::Unmarked).victims(&[1]).broken(Broken::EQUAL_THREAD_IDS).holds(n);
    a_participant_that_left_is_never_confused_with_its_successor:
        |n| come_and_go::<B, 2>().victims(&[0]).broken(Broken::EQUAL_THREAD_IDS).holds(n);
    one_with_two_lifelines_that_left_is_never_confused_with_its_successor:
        |n| come_and_go::<B, 2>().victims(&[0]).second_threads(&[0]).broken(Broken::EQUAL_THREAD_IDS).executions(1_000).holds(n);
    one_with_two_lifelines_is_never_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).second_threads(&[0, 1]).executions(1_000).holds(n);
    one_that_may_end_by_exec_is_never_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).victims(&[0]).second_threads(&[0, 1]).execs().executions(1_000).holds(n);
    a_slot_that_was_left_by_exec_goes_to_one: |n| successors::<B>(Left::Exec).second_threads(&[0]).preemptions(1).holds(n);
    reaping_after_an_exec_harms_no_successor:
        |n| a_reaper::<B>(Left::Exec).victims(&[1]).second_threads(&[1]).broken(Broken::EQUAL_THREAD_IDS).holds(n);
    the_kernel_does_not_mark_the_successor_of_one_that_execs: |n| after_an_exec::<B>().broken(Broken::EQUAL_THREAD_IDS).holds(n);
    a_slot_left_by_exec_is_not_reused_before_its_owner_is_gone: |n| after_an_exec::<B>().holds(n);
    newcomers_of_equal_thread_id_are_not_confused: |n| newcomers_of_equal_id::<B>().victims(&[0]).holds(n);
    a_claimer_wrongly_judged_gone_makes_a_living_holder_dead: |n| newcomers_of_equal_id::<B>()
        .broken(Broken { claimers_seem_gone: true, ..Broken::EQUAL_THREAD_IDS })
        .fails(n);
    the_record_in_a_slot_is_its_owners: |n| facts_of_newcomers_of_equal_id::<B>().victims(&[0]).holds(n);
    a_claimer_wrongly_judged_gone_writes_into_its_successors_slot: |n| facts_of_newcomers_of_equal_id::<B>()
        .broken(Broken { claimers_seem_gone: true, ..Broken::EQUAL_THREAD_IDS })
        .fails(n);
    no_record_is_read_as_that_of_another: |n| one_that_reads_records::<B>().victims(&[0]).holds(n);
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
        |n| careful_heirs::<InOne>().broken(Broken::NO_FENCE).fails(n);
    an_heir_that_does_not_announce_itself_robs_the_living: |n| heirs_without_announcement::<InOne>().fails(n);
    in_a_copy_no_participant_is_alive: |n| all_end::<B>().holds(n);
    what_the_dead_wrote_is_seen_even_if_its_slot_has_a_new_owner: |n| heirs::<B>().holds(n);
    a_relaxed_load_of_the_hold_judges_the_living_dead:
        |n| careless_takers::<B>().left(Left::Marked).fails(n);
    without_the_release_fence_the_living_are_judged_dead:
        |n| takers::<B, 2>().left(Left::Marked).broken(Broken::NO_RELEASE).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    a_participant_that_left_is_never_confused_with_its_successor: |n| come_and_go::<B, 3>().victims(&[0, 1]).holds(n);
    a_living_holder_is_never_judged_dead: |n| takers::<B, 3>().victims(&[0, 1]).holds(n);
    the_slot_of_the_dead_is_never_lost: |n| a_successor::<B>().victims(&[1]).holds(n);
}
