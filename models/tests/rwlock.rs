//! Models of `raw::RwLock`: readers and writers exclude each other, publication both ways, no lost
//! wake, timeouts, readers away from home, nested locks, downgrade, and a death at every operation.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
use outlive::raw::hold::HELD;
use outlive::raw::mutex::Leaked;
use outlive::raw::rwlock::{Deadline, Home, Line, Reading};
use outlive::raw::{Cause, NotLocked, Participant, RwLock};
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, World, is_over, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left, Newborn};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

type Me<'a, B> = Participant<'a, Model<B>>;
const FOREVER: Deadline = Deadline::By(None);
const A_WHILE: Deadline = Deadline::By(Some(DEADLINE));

/// Bit 28 of the word of a writer that waits for readers.
const DRAINING: u32 = 1 << 28;
/// The same bit, of a word without writer: a reader is, or was, away from home.
const DISPLACED: u32 = 1 << 28;

fn line<B: Backend>(value: u32) -> Line<Word<B>> {
    Line::new(Word::new(value))
}

/// A pair that is equal except in the middle of an update.
#[derive(Debug)]
struct Guarded<B: Backend, const READERS: usize> {
    lock: RwLock<Model<B>, READERS>,
    pair: B::Cell<(u32, u32)>,
    /// Updates that were done to their end.
    done: AtomicU32,
}

impl<B: Backend, const READERS: usize> Guarded<B, READERS> {
    fn new() -> Self {
        Self::with(0)
    }

    /// What somebody has left inconsistent before the scenario begins.
    fn left_by_the_dead() -> Self {
        Self::with(Cause::Died(None).word())
    }

    /// Participant 0 reads in the last word; a writer has died while it waited for it.
    fn left_by_one_who_waited() -> Self {
        let (nobody_any_more, first_of_slot_0) = (HELD | 9 << 12, HELD | 1 << 12);
        let lines = core::array::from_fn(|word| line(if word + 1 == READERS { first_of_slot_0 } else { 0 }));
        Self { lock: RwLock::from_lines(line(nobody_any_more | DRAINING), lines), ..Self::new() }
    }

    /// Participant 0 reads, and there is a sign of one that read away from home.
    #[cfg(feature = "loom")]
    fn read_by_one() -> Self {
        let lines = core::array::from_fn(|_| line(HELD | 1 << 12));
        Self { lock: RwLock::from_lines(line(DISPLACED), lines), ..Self::new() }
    }

    /// The same; nobody writes, and the sign of a reader away from home is there.
    fn read_away_from_home() -> Self {
        let lines = core::array::from_fn(|word| line(if word + 1 == READERS { HELD | 1 << 12 } else { 0 }));
        Self { lock: RwLock::from_lines(line(DISPLACED), lines), ..Self::new() }
    }

    fn with(writer: u32) -> Self {
        let lock = RwLock::from_lines(line(writer), core::array::from_fn(|_| line(0)));
        Self { lock, pair: B::cell((0, 0)), done: AtomicU32::new(0) }
    }

    fn read(&self, world: &World<B>, me: Me<'_, B>, deadline: Deadline) -> Result<(), NotLocked> {
        let reading = self.lock.read(me, deadline)?;
        truly_died(world, reading.inconsistent);
        self.look(reading.inconsistent);
        self.lock.unlock_read(reading.word);
        Ok(())
    }

    fn look(&self, inconsistent: Option<Cause>) {
        let look = || B::read(&self.pair, |pair| *pair);
        let before = look();
        assert!(inconsistent.is_some() || before.0 == before.1, "half an update seen");
        step::<B>();
        assert_eq!(before, look(), "changed while it was read");
    }

    fn write(&self, world: &World<B>, me: Me<'_, B>, deadline: Deadline) -> Result<(), NotLocked> {
        let inconsistent = self.lock.write(me, deadline)?.inconsistent;
        truly_died(world, inconsistent);
        self.update(inconsistent);
        self.lock.unlock_write(0);
        Ok(())
    }

    fn update(&self, inconsistent: Option<Cause>) {
        B::write(&self.pair, |pair| {
            match inconsistent {
                Some(_) => pair.1 = pair.0, // the repair
                None => assert_eq!(pair.0, pair.1, "half an update seen"),
            }
            pair.0 += 1;
        });
        step::<B>();
        B::write(&self.pair, |pair| pair.1 += 1);
        self.done.fetch_add(1, SeqCst);
    }

    /// Nobody living has left anything behind, and nothing is lost; `bystander` is a participant
    /// that did nothing yet.
    fn is_left_in_order(&self, world: &World<B>, bystander: usize) {
        let inconsistent =
            world.act(bystander, |me| self.lock.write(me, Deadline::Immediate).expect("free").inconsistent);
        truly_died(world, inconsistent);
        let done = self.done.load(SeqCst);
        B::read(&self.pair, |pair| {
            assert!(inconsistent.is_some() || pair.0 == pair.1, "half an update, and nobody is told");
            assert!(done <= pair.0 && pair.1 <= pair.0, "{done} updates done, {pair:?} there");
        });
    }
}

/// That is how one that waits a while may be refused, and no sooner.
fn timed_out<B: Backend>(refusal: &NotLocked) {
    assert_eq!((*refusal, is_over::<B>()), (NotLocked::TimedOut, true));
}

fn truly_died<B: Backend>(world: &World<B>, cause: Option<Cause>) {
    match cause {
        None | Some(Cause::Died(None)) => {}
        Some(Cause::Died(Some(id))) => assert!(world.has_died(id.index()), "the living are called dead"),
        Some(other) => panic!("nobody did that: {other:?}"),
    }
}

#[cfg(feature = "loom")]
/// 0 reads for ever, from the home of 2; 1 stops reading: 2 gets the word of 1.
fn another_word_comes_free<B: Backend>() -> Explore<B, Guarded<B, 2>> {
    let make = || Guarded {
        lock: RwLock::from_lines(line(0), [line(HELD | 1 << 12), line(HELD | 1 << 12 | 1)]),
        ..Guarded::new()
    };
    Explore::new(3, make, |world: &World<B>, who, state: &Guarded<B, 2>| match who {
        0 => {}
        1 => state.lock.unlock_read(1),
        _ => world.act(who, |me| state.read(world, me, FOREVER).expect("waits")),
    })
}

/// What one does in a scenario.
type Script<B, const READERS: usize> = fn(&World<B>, Me<'_, B>, usize, &Guarded<B, READERS>);

/// So many participants, each with its script.
macro_rules! scenario {
    ($name:ident, $participants:literal, $readers:literal, $script:expr) => {
        scenario!($name, $participants, $readers, new, $script);
    };
    ($name:ident, $participants:literal, $readers:literal, $make:ident, $script:expr) => {
        fn $name<B: Backend>() -> Explore<B, Guarded<B, $readers>> {
            Explore::new($participants, Guarded::$make, |world: &World<B>, who, state: &Guarded<B, $readers>| {
                let script: Script<B, $readers> = $script;
                world.act(who, |me| script(world, me, who, state));
            })
            .check(|state, world| state.is_left_in_order(world, $participants))
        }
    };
}

scenario!(one_reads_one_writes, 2, 1, |world, me, who, state| match who {
    0 => state.read(world, me, FOREVER).expect("waits"),
    _ => state.write(world, me, FOREVER).expect("waits"),
});
scenario!(two_read_one_writes, 3, 2, |world, me, who, state| match who {
    0 | 1 => state.read(world, me, FOREVER).expect("waits"),
    _ => state.write(world, me, FOREVER).expect("waits"),
});
scenario!(one_reads_two_write, 3, 1, |world, me, who, state| match who {
    0 => state.read(world, me, FOREVER).expect("waits"),
    _ => state.write(world, me, FOREVER).expect("waits"),
});
// Two readers share the only word.
scenario!(a_reader_too_many, 3, 1, |world, me, who, state| match who {
    0 | 1 => state.read(world, me, FOREVER).expect("waits"),
    _ => state.write(world, me, FOREVER).expect("waits"),
});
// 1, which writes, and 2, which reads, go away when they are interrupted.
scenario!(some_are_interrupted, 3, 1, |world, me, who, state| {
    let answer = match who {
        0 => state.read(world, me, FOREVER),
        1 => state.write(world, me, FOREVER),
        _ => state.read(world, me, FOREVER),
    };
    match answer {
        Ok(()) => {}
        Err(refusal) => assert_eq!((refusal, who > 0), (NotLocked::Interrupted, true)),
    }
});
// 0 and 2 have the same home, and each tries to read again, and to write.
scenario!(readers_away_from_home, 3, 2, |world, me, who, state| match who {
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => {
        let reading = state.lock.read(me, FOREVER).expect("waits");
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        assert_eq!(state.lock.write(me, FOREVER), Err(NotLocked::Deadlock));
        state.look(reading.inconsistent);
        state.lock.unlock_read(reading.word);
    }
});
scenario!(a_writer_locks_again, 2, 1, |world, me, _, state| {
    let acquired = state.lock.write(me, FOREVER).expect("waits");
    truly_died(world, acquired.inconsistent);
    assert_eq!(state.lock.write(me, FOREVER), Err(NotLocked::Deadlock));
    assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
    state.update(acquired.inconsistent);
    state.lock.unlock_write(0);
});
scenario!(a_writer_becomes_a_reader, 3, 2, |world, me, who, state| match who {
    0 => {
        let acquired = state.lock.write(me, FOREVER).expect("waits");
        state.update(acquired.inconsistent);
        let written = B::read(&state.pair, |pair| *pair);
        let reading = state.lock.downgrade(me, 0);
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        assert_eq!(written, B::read(&state.pair, |pair| *pair), "another writer came between");
        state.lock.unlock_read(reading.word);
    }
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => state.read(world, me, FOREVER).expect("waits"), // from the same home as 0
});
scenario!(a_writer_gives_up, 3, 1, |world, me, who, state| match who {
    0 => state.read(world, me, FOREVER).expect("waits"),
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => drop(state.write(world, me, A_WHILE).inspect_err(timed_out::<B>)),
});
// 0 reads away from home from the start.
scenario!(a_writer_died_while_it_waited, 2, 2, left_by_one_who_waited, |_, me, who, state| match who {
    0 => {
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        step::<B>();
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        state.lock.unlock_read(1);
    }
    _ => {
        let reading = state.lock.read(me, FOREVER).expect("waits");
        assert_eq!(reading.inconsistent, None, "the dead had changed nothing");
        state.lock.unlock_read(reading.word);
    }
});
// The same, where a writer that may give up waits for it.
scenario!(
    a_writer_gives_up_beside_a_reader_away_from_home,
    2,
    2,
    read_away_from_home,
    |world, me, who, state| match who {
        0 => {
            assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
            step::<B>();
            assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
            state.lock.unlock_read(1);
        }
        _ => drop(state.write(world, me, A_WHILE).inspect_err(timed_out::<B>)),
    }
);
// Between the other one's look at the writer word and its taking it, 0 may have written a second
// time.
scenario!(one_writes_twice, 2, 1, |world, me, who, state| {
    state.write(world, me, FOREVER).expect("waits");
    if who == 0 {
        state.write(world, me, FOREVER).expect("waits");
    }
});
scenario!(a_writer_gives_up_what_the_dead_left, 2, 1, left_by_the_dead, |world, me, who, state| match who {
    0 => {
        let reading = state.lock.read(me, FOREVER).expect("waits");
        assert!(reading.inconsistent.is_some(), "a warning is lost");
        step::<B>();
        state.lock.unlock_read(reading.word);
        let still = state.lock.write(me, FOREVER).expect("waits");
        assert!(still.inconsistent.is_some(), "a warning is lost");
        state.lock.unlock_write(Cause::Died(None).word());
    }
    _ => {
        if let Ok(acquired) = state.lock.write(me, A_WHILE) {
            truly_died(world, acquired.inconsistent);
            assert!(acquired.inconsistent.is_some(), "a warning is lost");
            state.lock.unlock_write(Cause::Died(None).word());
        }
    }
});
scenario!(a_reader_gives_up, 3, 1, |world, me, who, state| match who {
    0 => state.read(world, me, FOREVER).expect("waits"),
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => drop(state.read(world, me, A_WHILE).inspect_err(timed_out::<B>)),
});
scenario!(two_just_try, 3, 1, |world, me, who, state| match who {
    0 => drop(
        state.read(world, me, Deadline::Immediate).inspect_err(|refusal| assert_eq!(*refusal, NotLocked::WouldBlock))
    ),
    1 => drop(
        state.write(world, me, Deadline::Immediate).inspect_err(|refusal| assert_eq!(*refusal, NotLocked::WouldBlock))
    ),
    _ => state.read(world, me, FOREVER).expect("waits"),
});

/// The shift of one thread, and its reads that have begun and not ended.
#[derive(Debug, Default)]
struct Homes {
    shift: Cell<usize>,
    reads: Cell<usize>,
    /// It moves whatever other words the thread has.
    moves_always: bool,
}

impl Home for &Homes {
    fn shift(self) -> usize {
        self.shift.get()
    }

    fn move_by(self, by: usize) -> bool {
        let may = self.moves_always || self.reads.get() == 1;
        self.shift.set(self.shift.get() + if may { by } else { 0 });
        may
    }
}

impl Homes {
    /// As a guard reads.
    fn read<B: Backend, const READERS: usize>(
        &self,
        lock: &RwLock<Model<B>, READERS>,
        me: Me<'_, B>,
    ) -> Result<Reading, NotLocked> {
        self.reads.set(self.reads.get() + 1);
        let answer = lock.read_from(self, me, FOREVER, Leaked::Refuse);
        if answer.is_err() {
            self.reads.set(self.reads.get() - 1);
        }
        answer
    }

    fn unlock<B: Backend, const READERS: usize>(&self, lock: &RwLock<Model<B>, READERS>, reading: Reading) {
        lock.unlock_read(reading.word);
        self.reads.set(self.reads.get() - 1);
    }
}

// 0 and 2 have the same home at first. Each reads twice, and the second time where it read the
// first time, or where it moved to.
scenario!(readers_whose_homes_move, 3, 2, |world, me, who, state| match who {
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => {
        let homes = Homes::default();
        for _ in 0..2 {
            let reading = homes.read(&state.lock, me).expect("waits");
            assert_eq!(reading.word, (who + homes.shift.get()) % 2, "it is at home");
            assert_eq!(homes.read(&state.lock, me), Err(NotLocked::Deadlock));
            assert_eq!(state.lock.write(me, FOREVER), Err(NotLocked::Deadlock));
            truly_died(world, reading.inconsistent);
            state.look(reading.inconsistent);
            homes.unlock(&state.lock, reading);
        }
    }
});

scenario!(a_writer_becomes_a_reader_and_moves, 3, 2, |world, me, who, state| match who {
    0 => {
        let homes = Homes::default();
        let acquired = state.lock.write(me, FOREVER).expect("waits");
        truly_died(world, acquired.inconsistent);
        state.update(acquired.inconsistent);
        homes.reads.set(1);
        let reading = state.lock.downgrade_from(&homes, me, 0);
        assert_eq!(reading.word, homes.shift.get() % 2, "it is at home");
        assert_eq!(homes.read(&state.lock, me), Err(NotLocked::Deadlock));
        homes.unlock(&state.lock, reading);
    }
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => state.read(world, me, FOREVER).expect("waits"), // from the same home as 0
});

/// Two locks, read by one who collides in the second.
#[cfg(feature = "loom")]
#[derive(Debug)]
struct Both<B: Backend> {
    first: RwLock<Model<B>, 2>,
    second: RwLock<Model<B>, 2>,
    /// As in [`Homes`].
    moves_always: bool,
}

#[cfg(feature = "loom")]
impl<B: Backend> Both<B> {
    fn new() -> Self {
        let free = || RwLock::from_lines(line(0), core::array::from_fn(|_| line(0)));
        Self { first: free(), second: free(), moves_always: false }
    }

    fn where_homes_move_always() -> Self {
        Self { moves_always: true, ..Self::new() }
    }
}

/// 0 reads both, and each again while it does; 1 writes the second, if it comes to that; 2 reads
/// it, from the same home as 0.
#[cfg(feature = "loom")]
fn one_collides_while_it_reads_another_lock<B: Backend>(make: fn() -> Both<B>) -> Explore<B, Both<B>> {
    Explore::new(3, make, |world: &World<B>, who, state: &Both<B>| {
        world.act(who, |me| match who {
            0 => {
                let homes = Homes { moves_always: state.moves_always, ..Homes::default() };
                let first = homes.read(&state.first, me).expect("waits");
                let second = homes.read(&state.second, me).expect("waits");
                assert_eq!(homes.read(&state.first, me), Err(NotLocked::Deadlock));
                assert_eq!(homes.read(&state.second, me), Err(NotLocked::Deadlock));
                homes.unlock(&state.second, second);
                homes.unlock(&state.first, first);
            }
            1 => {
                let written = state.second.write(me, A_WHILE).inspect_err(timed_out::<B>);
                written.into_iter().for_each(|_| state.second.unlock_write(0));
            }
            _ => {
                let reading = state.second.read(me, FOREVER).expect("waits");
                state.second.unlock_read(reading.word);
            }
        });
    })
}

#[cfg(feature = "loom")]
/// 1 writes, and dies somewhere while it waits for 0, who reads, or after that.
fn a_writer_dies_while_it_waits<B: Backend>() -> Explore<B, Guarded<B, 1>> {
    Explore::new(2, Guarded::read_by_one, |world: &World<B>, who, state: &Guarded<B, 1>| {
        world.act(who, |me| match who {
            0 => state.lock.unlock_read(0),
            _ => state.write(world, me, FOREVER).expect("waits"),
        });
    })
    .victims(&[1])
    .check(|state, world| {
        let told = world.act(2, |me| state.lock.write(me, Deadline::Immediate).expect("free").inconsistent.is_some());
        B::read(&state.pair, |pair| assert!(!told || *pair != (0, 0), "told of one that had changed nothing"));
    })
}

#[cfg(feature = "loom")]
/// 0 writes, and becomes a reader of what it leaves inconsistent, perhaps away from home, where 2
/// has come and will withdraw.
fn a_warning_is_left_by_one_who_reads_on<B: Backend>() -> Explore<B, Guarded<B, 2>> {
    Explore::new(3, Guarded::new, |world: &World<B>, who, state: &Guarded<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                let _acquired = state.lock.write(me, FOREVER).expect("waits");
                let reading = state.lock.downgrade(me, Cause::Died(None).word());
                assert!(reading.inconsistent.is_some());
                state.lock.unlock_read(reading.word);
            }
            1 => {}
            _ => {
                let reading = state.lock.read(me, FOREVER).expect("waits");
                state.lock.unlock_read(reading.word);
            }
        });
    })
    .check(|state, _| assert!(state.lock.is_inconsistent(), "a warning is lost"))
}

#[cfg(feature = "loom")]
/// 1 comes only now, into the slot that one from before left; both read, and write.
fn a_newcomer_reads_and_writes<B: Backend>() -> Explore<B, Guarded<B, 1>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B, 1>| {
        let both = |me: Me<'_, B>| {
            state.read(world, me, FOREVER).expect("waits");
            state.write(world, me, FOREVER).expect("waits");
        };
        match who {
            0 => world.act(who, both),
            _ => {
                let id = world.table().register(&Newborn { world, who }).expect("there is a slot");
                both(Participant { id, table: &world.table() });
            }
        }
    })
    .newcomers(1)
    .left(Left::Marked)
}

outlive_models::models! { with_loom, Loom, "loom",
    reader_and_writer_exclude_each_other_whoever_dies: |n| one_reads_one_writes::<B>().victims(&[0, 1]).spurious().holds(n);
    reader_and_writer_may_both_die: |n| one_reads_one_writes::<B>().victims(&[0, 1]).pairs().holds(n);
    two_readers_and_a_writer: |n| two_read_one_writes::<B>().holds(n);
    a_reader_and_two_writers: |n| one_reads_two_write::<B>().holds(n);
    a_reader_too_many_takes_any_word_that_comes_free: |n| another_word_comes_free::<B>().holds(n);
    the_first_phase_watches_any_word_that_comes_free: |n| another_word_comes_free::<B>().first_phase().holds(n);
    nested_locks_are_errors_each_time: |n| readers_away_from_home::<B>().holds(n);
    readers_that_collide_get_homes_of_their_own: |n| readers_whose_homes_move::<B>().preemptions(2).holds(n);
    readers_that_collide_get_homes_of_their_own_whoever_dies:
        |n| readers_whose_homes_move::<B>().preemptions(1).victims(&[0, 1]).holds(n);
    a_writer_becomes_a_reader_with_a_home_of_its_own:
        |n| a_writer_becomes_a_reader_and_moves::<B>().preemptions(1).victims(&[0, 1]).holds(n);
    a_home_stays_while_another_word_is_held: |n| one_collides_while_it_reads_another_lock::<B>(Both::new).holds(n);
    a_home_that_moves_while_another_word_is_held_hides_a_nested_lock:
        |n| one_collides_while_it_reads_another_lock::<B>(Both::where_homes_move_always).fails(n);
    two_readers_and_a_writer_whoever_dies: |n| two_read_one_writes::<B>().preemptions(1).victims(&[0, 2]).holds(n);
    a_reader_and_two_writers_whoever_dies: |n| one_reads_two_write::<B>().preemptions(1).victims(&[0, 1]).holds(n);
    a_reader_too_many_waits_whoever_dies: |n| a_reader_too_many::<B>().preemptions(1).victims(&[0, 2]).holds(n);
    nested_locks_are_errors_each_time_whoever_dies: |n| readers_away_from_home::<B>().preemptions(1).victims(&[0, 1]).holds(n);
    a_writer_that_locks_again_gets_an_error: |n| a_writer_locks_again::<B>().victims(&[0]).holds(n);
    no_writer_comes_between_downgrade_and_reading: |n| a_writer_becomes_a_reader::<B>().preemptions(1).victims(&[0, 1]).holds(n);
    a_downgrade_keeps_the_warning: |n| a_warning_is_left_by_one_who_reads_on::<B>().holds(n);
    a_writer_that_gives_up_loses_nothing: |n| a_writer_gives_up::<B>().preemptions(1).victims(&[0, 1, 2]).holds(n);
    a_writer_overtaken_by_a_writer_sees_the_last_update: |n| one_writes_twice::<B>().preemptions(4).holds(n);
    a_writer_found_dead_while_it_waited_is_not_reported: |n| a_writer_died_while_it_waited::<B>().holds(n);
    a_writer_that_gives_up_leaves_the_warning: |n| a_writer_gives_up_what_the_dead_left::<B>().victims(&[1]).holds(n);
    a_writer_that_gives_up_leaves_the_sign_of_a_reader_away_from_home:
        |n| a_writer_gives_up_beside_a_reader_away_from_home::<B>().victims(&[0, 1]).holds(n);
    a_reader_that_gives_up_loses_nothing: |n| a_reader_gives_up::<B>().preemptions(1).victims(&[0, 1]).holds(n);
    an_interruption_loses_nothing:
        |n| some_are_interrupted::<B>().interrupted(&[1, 2]).preemptions(1).victims(&[0]).executions(1_000).holds(n);
    a_try_leaves_nothing_behind: |n| two_just_try::<B>().preemptions(1).victims(&[0, 1]).holds(n);
    a_writer_that_dies_while_it_waits_is_not_reported: |n| a_writer_dies_while_it_waits::<B>().holds(n);
    a_newcomer_that_holds_is_not_judged_dead: |n| a_newcomer_reads_and_writes::<B>().executions(20_000).holds(n);
    without_fences_reader_and_writer_miss_each_other:
        |n| one_reads_one_writes::<B>().broken(Broken { no_fence: true, ..Broken::default() }).fails(n);
    a_writer_publishes_to_readers:
        |n| one_reads_one_writes::<B>().broken(Broken { no_acquire: true, ..Broken::default() }).fails(n);
    a_reader_is_done_before_the_writer_writes:
        |n| one_reads_one_writes::<B>().broken(Broken { no_release: true, ..Broken::default() }).fails(n);
    a_check_before_the_collection_hangs: |n| two_read_one_writes::<B>().victims(&[0, 1, 2])
        .broken(Broken { late_collection: true, ..Broken::default() }).fails(n);
    watching_the_holder_alone_hangs: |n| one_reads_two_write::<B>().victims(&[0, 1, 2])
        .broken(Broken { most_words: Some(3), ..Broken::default() }).fails(n);
    without_the_cascade_one_stays_asleep: |n| two_read_one_writes::<B>().victims(&[2])
        .broken(Broken { no_cascade: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    two_readers_and_a_writer_whoever_dies: |n| two_read_one_writes::<B>().victims(&[0, 1, 2]).holds(n);
    a_reader_and_two_writers_whoever_dies: |n| one_reads_two_write::<B>().victims(&[0, 1, 2]).first_phase().holds(n);
    a_reader_too_many_waits_whoever_dies: |n| a_reader_too_many::<B>().victims(&[0, 1, 2]).holds(n);
    nested_locks_are_errors_each_time_whoever_dies: |n| readers_away_from_home::<B>().victims(&[0, 1, 2]).holds(n);
    readers_that_collide_get_homes_of_their_own_whoever_dies:
        |n| readers_whose_homes_move::<B>().victims(&[0, 1, 2]).holds(n);
    no_writer_comes_between_downgrade_and_reading: |n| a_writer_becomes_a_reader::<B>().victims(&[0, 1, 2]).holds(n);
    a_writer_that_gives_up_loses_nothing: |n| a_writer_gives_up::<B>().victims(&[0, 1, 2]).holds(n);
    an_interruption_loses_nothing: |n| some_are_interrupted::<B>().interrupted(&[1, 2]).victims(&[0]).holds(n);
    a_writer_that_gives_up_leaves_the_sign_of_a_reader_away_from_home:
        |n| a_writer_gives_up_beside_a_reader_away_from_home::<B>().victims(&[0, 1]).holds(n);
}
