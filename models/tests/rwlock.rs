//! Models of `raw::RwLock`: readers and writers exclude each other, and each publishes to the
//! other. No wake is lost. There are timeouts, readers away from home, nested locks and downgrades.
//! Every operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use outlive::platform::Word as _;
use outlive::raw::Deadline;
use outlive::raw::hold::HELD;
use outlive::raw::mutex::Leaked;
use outlive::raw::rwlock::{Home, Line, Reading};
use outlive::raw::{Cause, NotLocked, Participant, RwLock};
use outlive_models::{Backend, DEADLINE, Explore, Model, Pair, Word, World, is_over, step};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

type Me<'a, B> = Participant<'a, Model<B>>;
const FOREVER: Deadline = Deadline::By(None);
const BY_THE_DEADLINE: Deadline = Deadline::By(Some(DEADLINE));

/// Bit 28 of the writer word, if it names a writer: that writer waits for readers.
const DRAINING: u32 = 1 << 28;
/// The same bit, if the word names no writer: a reader is, or was, away from home.
const DISPLACED: u32 = 1 << 28;

fn line<B: Backend>(value: u32) -> Line<Word<B>> {
    Line::new(Word::new(value))
}

/// A pair under a read-write lock.
#[derive(Debug)]
struct Guarded<B: Backend, const READERS: usize> {
    lock: RwLock<Model<B>, READERS>,
    pair: Pair<B>,
    /// Updates that were completed.
    done: AtomicU32,
}

impl<B: Backend, const READERS: usize> Guarded<B, READERS> {
    fn new() -> Self {
        Self::with(0)
    }

    /// A former holder has left the lock inconsistent.
    fn left_by_the_dead() -> Self {
        Self::with(Cause::Died(None).word())
    }

    /// Participant 0 reads in the last word. A writer has died while it waited for 0.
    fn left_by_a_waiting_writer() -> Self {
        let (nobody_any_more, first_of_slot_0) = (HELD | 9 << 12, HELD | 1 << 12);
        let lines = core::array::from_fn(|word| line(if word + 1 == READERS { first_of_slot_0 } else { 0 }));
        Self { lock: RwLock::from_lines(line(nobody_any_more | DRAINING), lines), ..Self::new() }
    }

    /// Participant 0 reads, and the writer word says that a reader was away from home.
    #[cfg(feature = "loom")]
    fn read_by_one() -> Self {
        let lines = core::array::from_fn(|_| line(HELD | 1 << 12));
        Self { lock: RwLock::from_lines(line(DISPLACED), lines), ..Self::new() }
    }

    /// Participant 0 reads in the last word, away from home, and the writer word says so.
    fn read_away_from_home() -> Self {
        let lines = core::array::from_fn(|word| line(if word + 1 == READERS { HELD | 1 << 12 } else { 0 }));
        Self { lock: RwLock::from_lines(line(DISPLACED), lines), ..Self::new() }
    }

    fn with(writer: u32) -> Self {
        let lock = RwLock::from_lines(line(writer), core::array::from_fn(|_| line(0)));
        Self { lock, pair: Pair::default(), done: AtomicU32::new(0) }
    }

    fn read(&self, world: &World<B>, me: Me<'_, B>, deadline: Deadline) -> Result<(), NotLocked> {
        let reading = self.lock.read(me, deadline)?;
        truly_died(world, reading.inconsistent);
        self.pair.check(reading.inconsistent);
        self.lock.unlock_read(reading.word);
        Ok(())
    }

    fn write(&self, world: &World<B>, me: Me<'_, B>, deadline: Deadline) -> Result<(), NotLocked> {
        let inconsistent = self.lock.write(me, deadline)?.inconsistent;
        truly_died(world, inconsistent);
        self.update(inconsistent);
        self.lock.unlock_write(0);
        Ok(())
    }

    fn update(&self, inconsistent: Option<Cause>) {
        self.pair.update(inconsistent);
        self.done.fetch_add(1, SeqCst);
    }

    /// The lock is free, and no completed update is lost. `bystander` is a participant that has not
    /// acted yet.
    fn is_left_in_order(&self, world: &World<B>, bystander: usize) {
        let inconsistent =
            world.act(bystander, |me| self.lock.write(me, Deadline::Immediate).expect("free").inconsistent);
        truly_died(world, inconsistent);
        let done = self.done.load(SeqCst);
        let pair = self.pair.read();
        assert!(inconsistent.is_some() || pair.0 == pair.1, "half an update, and no warning");
        assert!(done <= pair.0 && pair.1 <= pair.0, "{done} updates done, {pair:?} there");
    }
}

/// The only error of a lock with a deadline, and not before that.
fn timed_out<B: Backend>(error: &NotLocked) {
    assert_eq!((*error, is_over::<B>()), (NotLocked::TimedOut, true));
}

/// The only error of a try.
fn would_block(error: &NotLocked) {
    assert_eq!(*error, NotLocked::WouldBlock);
}

fn truly_died<B: Backend>(world: &World<B>, cause: Option<Cause>) {
    match cause {
        None | Some(Cause::Died(None)) => {}
        Some(Cause::Died(Some(id))) => assert!(world.has_died(id.index()), "the living are called dead"),
        Some(other) => panic!("no participant did that: {other:?}"),
    }
}

/// 0 reads forever, in the home of 2; 1 stops reading. 2 gets the word of 1.
#[cfg(feature = "loom")]
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

/// What a participant does in a scenario.
type Script<B, const READERS: usize> = fn(&World<B>, Me<'_, B>, usize, &Guarded<B, READERS>);

/// A scenario: the number of participants, the number of reader words, how the state begins, and
/// what each participant does.
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
// Two readers share the only reader word.
scenario!(a_reader_too_many, 3, 1, |world, me, who, state| match who {
    0 | 1 => state.read(world, me, FOREVER).expect("waits"),
    _ => state.write(world, me, FOREVER).expect("waits"),
});
// 1 writes and 2 reads. Each goes away when it is interrupted.
scenario!(some_are_interrupted, 3, 1, |world, me, who, state| {
    let answer = match who {
        0 => state.read(world, me, FOREVER),
        1 => state.write(world, me, FOREVER),
        _ => state.read(world, me, FOREVER),
    };
    match answer {
        Ok(()) => {}
        Err(error) => assert_eq!((error, who > 0), (NotLocked::Interrupted, true)),
    }
});
// 0 and 2 have the same home. While each reads, it tries to read again, and to write.
scenario!(readers_away_from_home, 3, 2, |world, me, who, state| match who {
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => {
        let reading = state.lock.read(me, FOREVER).expect("waits");
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        assert_eq!(state.lock.write(me, FOREVER), Err(NotLocked::Deadlock));
        state.pair.check(reading.inconsistent);
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
        let written = state.pair.read();
        let reading = state.lock.downgrade(me, 0);
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        assert_eq!(written, state.pair.read(), "another writer came between");
        state.lock.unlock_read(reading.word);
    }
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => state.read(world, me, FOREVER).expect("waits"), // from the same home as 0
});
scenario!(a_writer_gives_up, 3, 1, |world, me, who, state| match who {
    0 => state.read(world, me, FOREVER).expect("waits"),
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => drop(state.write(world, me, BY_THE_DEADLINE).inspect_err(timed_out::<B>)),
});
// 0 reads away from home from the start.
scenario!(a_writer_died_while_it_waited, 2, 2, left_by_a_waiting_writer, |_, me, who, state| match who {
    0 => {
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        step::<B>();
        assert_eq!(state.lock.read(me, FOREVER), Err(NotLocked::Deadlock));
        state.lock.unlock_read(1);
    }
    _ => {
        let reading = state.lock.read(me, FOREVER).expect("waits");
        assert_eq!(reading.inconsistent, None, "the dead writer had not written");
        state.lock.unlock_read(reading.word);
    }
});
// 0 reads away from home from the start. 1 waits for it to write, and may time out.
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
        _ => drop(state.write(world, me, BY_THE_DEADLINE).inspect_err(timed_out::<B>)),
    }
);
// 1 loads the writer word, and takes it later. In between 0 may have written a second time.
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
        if let Ok(acquired) = state.lock.write(me, BY_THE_DEADLINE) {
            truly_died(world, acquired.inconsistent);
            assert!(acquired.inconsistent.is_some(), "a warning is lost");
            state.lock.unlock_write(Cause::Died(None).word());
        }
    }
});
scenario!(a_reader_gives_up, 3, 1, |world, me, who, state| match who {
    0 => state.read(world, me, FOREVER).expect("waits"),
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => drop(state.read(world, me, BY_THE_DEADLINE).inspect_err(timed_out::<B>)),
});
scenario!(two_just_try, 3, 1, |world, me, who, state| match who {
    0 => drop(state.read(world, me, Deadline::Immediate).inspect_err(would_block)),
    1 => drop(state.write(world, me, Deadline::Immediate).inspect_err(would_block)),
    _ => state.read(world, me, FOREVER).expect("waits"),
});

/// The shift of a thread's home, and the number of reads that it has begun and not ended.
#[derive(Debug, Default)]
struct Homes {
    shift: Cell<usize>,
    reads: Cell<usize>,
    /// The home moves even while the thread holds other reader words.
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
    /// What a read guard does when it is made.
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

// 0 and 2 begin with the same home. Each reads twice. The second read is in the word of the first,
// or in the word to which the home moved.
scenario!(readers_whose_homes_move, 3, 2, |world, me, who, state| match who {
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => {
        let homes = Homes::default();
        for _ in 0..2 {
            let reading = homes.read(&state.lock, me).expect("waits");
            assert_eq!(reading.word, (who + homes.shift.get()) % 2, "it reads away from home");
            assert_eq!(homes.read(&state.lock, me), Err(NotLocked::Deadlock));
            assert_eq!(state.lock.write(me, FOREVER), Err(NotLocked::Deadlock));
            truly_died(world, reading.inconsistent);
            state.pair.check(reading.inconsistent);
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
        assert_eq!(reading.word, homes.shift.get() % 2, "it reads away from home");
        assert_eq!(homes.read(&state.lock, me), Err(NotLocked::Deadlock));
        homes.unlock(&state.lock, reading);
    }
    1 => state.write(world, me, FOREVER).expect("waits"),
    _ => state.read(world, me, FOREVER).expect("waits"), // from the same home as 0
});

/// Two locks. A thread reads both, and collides with another reader in the second.
#[cfg(feature = "loom")]
#[derive(Debug)]
struct Both<B: Backend> {
    first: RwLock<Model<B>, 2>,
    second: RwLock<Model<B>, 2>,
    /// See [`Homes::moves_always`].
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

/// 0 reads both locks, and meanwhile tries to read each again. 1 writes the second lock, or times
/// out. 2 reads the second lock, and has the same home as 0.
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
                let written = state.second.write(me, BY_THE_DEADLINE).inspect_err(timed_out::<B>);
                written.into_iter().for_each(|_| state.second.unlock_write(0));
            }
            _ => {
                let reading = state.second.read(me, FOREVER).expect("waits");
                state.second.unlock_read(reading.word);
            }
        });
    })
}

/// 0 reads from the start. 1 writes, and dies while it waits for 0, or after that.
#[cfg(feature = "loom")]
fn a_writer_dies_while_it_waits<B: Backend>() -> Explore<B, Guarded<B, 1>> {
    Explore::new(2, Guarded::read_by_one, |world: &World<B>, who, state: &Guarded<B, 1>| {
        world.act(who, |me| match who {
            0 => state.lock.unlock_read(0),
            _ => state.write(world, me, FOREVER).expect("waits"),
        });
    })
    .victims(&[1])
    .check(|state, world| {
        let acquired = world.act(2, |me| state.lock.write(me, Deadline::Immediate).expect("free"));
        let has_written = state.pair.read() != (0, 0);
        assert!(acquired.inconsistent.is_none() || has_written, "a warning for a writer that did not write");
    })
}

/// 0 writes, and becomes a reader of data that it leaves inconsistent. Perhaps it reads away from
/// home, since 2 is in its home and will withdraw.
#[cfg(feature = "loom")]
fn a_writer_leaves_a_warning_and_reads_on<B: Backend>() -> Explore<B, Guarded<B, 2>> {
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

/// 1 is a newcomer in the slot of a former participant. 0 and 1 both read, and write.
#[cfg(feature = "loom")]
fn a_newcomer_reads_and_writes<B: Backend>() -> Explore<B, Guarded<B, 1>> {
    Explore::new(2, Guarded::new, |world: &World<B>, who, state: &Guarded<B, 1>| {
        let both = |me: Me<'_, B>| {
            state.read(world, me, FOREVER).expect("waits");
            state.write(world, me, FOREVER).expect("waits");
        };
        match who {
            0 => world.act(who, both),
            _ => world.come(who, both),
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
    a_downgrade_keeps_the_warning: |n| a_writer_leaves_a_warning_and_reads_on::<B>().holds(n);
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
        |n| one_reads_one_writes::<B>().broken(Broken::NO_FENCE).fails(n);
    a_writer_publishes_to_readers:
        |n| one_reads_one_writes::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    a_reader_is_done_before_the_writer_writes:
        |n| one_reads_one_writes::<B>().broken(Broken::NO_RELEASE).fails(n);
    a_check_before_the_collection_hangs: |n| two_read_one_writes::<B>().victims(&[0, 1, 2])
        .broken(Broken::LATE_COLLECTION).fails(n);
    watching_the_holder_alone_hangs: |n| one_reads_two_write::<B>().victims(&[0, 1, 2])
        .broken(Broken::watching(3)).fails(n);
    without_the_cascade_one_stays_asleep: |n| two_read_one_writes::<B>().victims(&[2])
        .broken(Broken::NO_CASCADE).fails(n);
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
