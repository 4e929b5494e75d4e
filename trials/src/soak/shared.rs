//! What the soak's processes share, and what they do with it. **A primitive is registered here**: a field of [`Shared`],
//! and its deeds in [`DEEDS`].

use super::Random;
use core::time::Duration;
use outlive::{
    Barrier, Condvar, Error, Event, LazyLock, Lock, LockError, LockResult, Mutex, MutexGuard, OnceLock, PermitPool,
    ReentrantMutex, RwLock, RwLockWriteGuard, Semaphore, Shareable, WaitError,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

/// The most workers.
pub const MOST_WORKERS: usize = 256;

/// What they share.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Shared {
    /// Deeds done, for each worker and all its successors.
    pub progress: [AtomicU64; MOST_WORKERS],
    /// Threads that have ended with a hold, while their process lived.
    pub thread_deaths: AtomicU64,
    /// How often somebody found the participant table full.
    pub full: AtomicU64,

    /// Two numbers that are equal unless somebody died between.
    pair: Mutex<[u64; 2]>,
    /// Updates of the pair that were done for sure.
    updates: AtomicU64,

    /// Protects `inside`.
    lock: Lock,
    /// Who is inside, 1 and the worker's number; 0 for nobody, or if one died there.
    inside: AtomicU32,

    /// Nobody holds one by name, so the dead take theirs along; the supervisor gives others.
    tokens: Semaphore,
    tokens_taken: AtomicU64,
    tokens_given: AtomicU64,

    pool: PermitPool<PERMITS>,
    /// Who has each permit, as `inside`.
    permitted: [AtomicU32; PERMITS],

    /// As `pair`. Fewer reader words than readers.
    table: RwLock<[u64; 2], 4>,
    table_updates: AtomicU64,

    /// As `pair`, and shared with its holder's inner holds.
    nested: ReentrantMutex<[AtomicU64; 2]>,
    nested_updates: AtomicU64,

    heap: Mutex<Heap>,
    not_empty: Condvar,
    not_full: Condvar,
    put: AtomicU64,
    taken: AtomicU64,

    /// Set and cleared by workers, and set by the supervisor where all might wait.
    gate: Event,
    /// Set: it is nobody's turn. Where the one whose turn it is may have died, the supervisor sets it.
    turn: Event,

    meeting: Barrier<2>,
    leaders: AtomicU64,
    followers: AtomicU64,

    /// Made one after the other, as long as there are any. Not by each deed, so that they last.
    once: [OnceLock<u64>; ONCE],
    once_next: AtomicU64,
}

const PERMITS: usize = 3;
const TOKENS: u32 = 4;
const ONCE: usize = 1 << 14;

/// Items, and how many were ever put and taken. Whoever dies has changed the latter first.
#[derive(Debug, Shareable)]
#[repr(C)]
struct Heap {
    items: u64,
    put: u64,
    taken: u64,
    /// By the supervisor.
    thrown_away: u64,
}

const FULL_HEAP: u64 = 4;

/// One thing that a worker can do.
#[derive(Debug)]
pub struct Deed {
    /// Its name, for people.
    pub name: &'static str,
    /// Does it. An error is a fault, but for [`Outcome::Full`].
    pub run: fn(&Shared, &mut Random, u32) -> Outcome,
    /// In the end, with everybody dead: the number of deaths bounds what may be missing.
    pub check: fn(&Shared, u64) -> Result<(), String>,
}

/// How a deed went.
#[derive(Debug)]
pub enum Outcome {
    /// Well.
    Done,
    /// All slots of the participant table are taken.
    Full,
    /// It did what it must not.
    Fault(String),
}

/// All that workers do, each as often as the others.
pub const DEEDS: &[Deed] = &[
    Deed { name: "update the pair", run: update, check: pair_adds_up },
    Deed { name: "try to update the pair", run: try_to_update, check: nothing },
    Deed { name: "go inside", run: go_inside, check: nothing },
    Deed { name: "a thread ends with a hold", run: end_a_thread, check: nothing },
    Deed { name: "take and give tokens", run: take_tokens, check: tokens_add_up },
    Deed { name: "have a permit", run: have_a_permit, check: all_permits_come_back },
    Deed { name: "read the table", run: read_the_table, check: nothing },
    Deed { name: "write the table", run: write_the_table, check: table_adds_up },
    Deed { name: "update what is nested", run: update_nested, check: nested_adds_up },
    Deed { name: "put and take an item", run: put_and_take, check: heap_adds_up },
    Deed { name: "open or shut the gate", run: swing_the_gate, check: nothing },
    Deed { name: "go through the gate", run: go_through, check: nothing },
    Deed { name: "have a turn", run: have_a_turn, check: nothing },
    Deed { name: "meet another", run: meet, check: as_many_leaders },
    Deed { name: "make a value once", run: make_once, check: all_values_are_right },
];

impl Shared {
    /// What is not all zero at first.
    pub fn prepare(&mut self) {
        self.tokens = Semaphore::bounded(TOKENS, TOKENS);
        self.turn = Event::auto_reset();
    }

    /// What the supervisor does again and again, who outlives all workers: where the dead may have taken along what others have to wait
    /// for (a token, a turn, an item), it gives that back. It wakes nobody who would not have to be woken.
    ///
    /// # Errors
    /// A fault.
    pub fn tend(&self, deaths: u64) -> Result<(), String> {
        self.gate.set().map_err(|error| error.to_string())?;
        if deaths == 0 {
            return Ok(());
        }
        self.turn.set().map_err(|error| error.to_string())?;
        for _ in 0..2 * deaths {
            if !give_tokens(self, 1)? {
                break;
            }
        }
        let mut heap = whole_heap(self.heap.try_lock_for(TIMEOUT)).map_err(|outcome| format!("{outcome:?}"))?;
        let half = FULL_HEAP / 2;
        if heap.items > half {
            let more = heap.items - half;
            heap.thrown_away += more;
            heap.items = half;
            self.not_full.notify_n(more as u32);
        } else if heap.items < half {
            let more = half - heap.items;
            heap.put += more;
            heap.items = half;
            self.put.fetch_add(more, SeqCst);
            self.not_empty.notify_n(more as u32);
        }
        Ok(())
    }
}

/// Longer than anything may take on a machine with much else to do, a stopped holder included.
pub const TIMEOUT: Duration = Duration::from_secs(60);

fn nothing(_: &Shared, _: u64) -> Result<(), String> {
    Ok(())
}

/// What an error of a lock comes to, for somebody who has waited for as long as it takes.
fn refused<G>(error: &LockError<G>) -> Outcome {
    match error {
        LockError::Unusable(Error::Full { .. }) => Outcome::Full,
        other => Outcome::Fault(other.to_string()),
    }
}

/// The pair, repaired if its last holder died.
fn whole(answer: LockResult<MutexGuard<'_, [u64; 2]>>) -> Result<MutexGuard<'_, [u64; 2]>, Outcome> {
    match answer {
        Ok(pair) if pair[0] == pair[1] => Ok(pair),
        Ok(pair) => Err(Outcome::Fault(format!("half an update, and nobody said so: {pair:?}"))),
        Err(LockError::OwnerDied(left)) => {
            let mut pair = left.into_guard();
            if pair[0] != pair[1] && pair[0] != pair[1] + 1 {
                return Err(Outcome::Fault(format!("two were inside: {pair:?}")));
            }
            pair[1] = pair[0];
            pair.mark_consistent();
            Ok(pair)
        }
        Err(other) => Err(refused(&other)),
    }
}

fn update_with(shared: &Shared, answer: LockResult<MutexGuard<'_, [u64; 2]>>, random: &mut Random) -> Outcome {
    match whole(answer) {
        Ok(mut pair) => {
            pair[0] += 1;
            for _ in 0..random.below(200) {
                std::hint::spin_loop();
            }
            pair[1] += 1;
            drop(pair);
            shared.updates.fetch_add(1, SeqCst);
            Outcome::Done
        }
        Err(outcome) => outcome,
    }
}

fn update(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    update_with(shared, shared.pair.try_lock_for(TIMEOUT), random)
}

fn try_to_update(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let answer = match random.below(2) {
        0 => shared.pair.try_lock(),
        _ => shared.pair.try_lock_for(Duration::from_micros(random.below(2_000))),
    };
    match answer {
        Err(LockError::WouldBlock | LockError::TimedOut) => Outcome::Done,
        other => update_with(shared, other, random),
    }
}

fn pair_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let pair = whole(shared.pair.try_lock_for(TIMEOUT)).map_err(|outcome| format!("{outcome:?}"))?;
    as_reported(pair[0], &shared.updates, deaths)
}

fn go_inside(shared: &Shared, _: &mut Random, me: u32) -> Outcome {
    let died = match shared.lock.try_acquire_for(TIMEOUT) {
        Ok(()) => false,
        Err(LockError::OwnerDied(_)) => true,
        Err(other) => return refused(&other),
    };
    let inside = shared.inside.swap(me + 1, SeqCst);
    if inside != 0 && !died {
        return Outcome::Fault(format!("worker {} is inside, too", inside - 1));
    }
    if died {
        if let Err(error) = shared.lock.mark_consistent() {
            return Outcome::Fault(error.to_string());
        }
    }
    std::hint::spin_loop();
    if let Err(other) = shared.inside.compare_exchange(me + 1, 0, SeqCst, SeqCst) {
        return Outcome::Fault(format!("worker {} came inside, too", other.wrapping_sub(1)));
    }
    match shared.lock.release() {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Fault(error.to_string()),
    }
}

/// One deed of fifty of its kind: a thread takes the pair, and ends. Its process lives on.
fn end_a_thread(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if random.below(50) != 0 {
        return Outcome::Done;
    }
    let seed = random.any();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            let mut random = Random::new(seed);
            match whole(shared.pair.try_lock_for(TIMEOUT)) {
                Ok(mut pair) => {
                    shared.thread_deaths.fetch_add(1, SeqCst);
                    pair[0] += random.below(2);
                    core::mem::forget(pair);
                    Outcome::Done
                }
                Err(outcome) => outcome,
            }
        });
        match thread {
            Ok(thread) => thread.join().unwrap_or_else(|_| Outcome::Fault("a panic".into())),
            Err(_short_of_memory) => Outcome::Done,
        }
    })
}

fn unmet(error: &WaitError) -> Outcome {
    match error {
        WaitError::Unusable(Error::Full { .. }) => Outcome::Full,
        other => Outcome::Fault(other.to_string()),
    }
}

fn spin(random: &mut Random) {
    for _ in 0..random.below(200) {
        std::hint::spin_loop();
    }
}

/// Gives tokens, as many as there is room for: the supervisor may have replaced some that were not lost. False if not all.
fn give_tokens(shared: &Shared, count: u32) -> Result<bool, String> {
    for _ in 0..count {
        match shared.tokens.release() {
            Ok(()) => drop(shared.tokens_given.fetch_add(1, SeqCst)),
            Err(Error::OverRelease { .. }) => return Ok(false),
            Err(other) => return Err(other.to_string()),
        }
    }
    Ok(true)
}

fn take_tokens(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let count = 1 + random.below(2) as u32;
    if let Err(error) = shared.tokens.try_acquire_many_for(count, TIMEOUT) {
        return unmet(&error);
    }
    shared.tokens_taken.fetch_add(count.into(), SeqCst);
    spin(random);
    match give_tokens(shared, count) {
        Ok(_) => Outcome::Done,
        Err(fault) => Outcome::Fault(fault),
    }
}

fn tokens_add_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let (taken, given) = (shared.tokens_taken.load(SeqCst), shared.tokens_given.load(SeqCst));
    let available = shared.tokens.available();
    // Who died may have done so before it reported what it took (two at most), or gave (one at a time).
    let there = u64::from(TOKENS) + given;
    let (least, most) = (there.saturating_sub(taken + 2 * deaths), (there + deaths).saturating_sub(taken));
    if (least..=most).contains(&available.into()) {
        Ok(())
    } else {
        Err(format!("{available} tokens, {taken} were taken, {given} given, with {deaths} deaths"))
    }
}

fn have_a_permit(shared: &Shared, random: &mut Random, me: u32) -> Outcome {
    let permit = match shared.pool.try_acquire_for(TIMEOUT) {
        Ok(permit) => permit,
        Err(error) => return unmet(&error),
    };
    let place = &shared.permitted[permit.index()];
    let other = place.swap(me + 1, SeqCst);
    if other != 0 && permit.previous_holder_died().is_none() {
        return Outcome::Fault(format!("worker {} has permit {}, too", other - 1, permit.index()));
    }
    spin(random);
    if let Err(other) = place.compare_exchange(me + 1, 0, SeqCst, SeqCst) {
        return Outcome::Fault(format!("worker {} took permit {}, too", other.wrapping_sub(1), permit.index()));
    }
    match permit.release() {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Fault(error.to_string()),
    }
}

fn all_permits_come_back(shared: &Shared, _: u64) -> Result<(), String> {
    let permits: Vec<_> = (0..PERMITS).map_while(|_| shared.pool.try_acquire().ok()).collect();
    if permits.len() == PERMITS { Ok(()) } else { Err(format!("{} of {PERMITS} permits", permits.len())) }
}

fn is_half_done(pair: [u64; 2]) -> bool {
    pair[0] == pair[1] + 1
}

fn read_the_table(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let (table, died) = match shared.table.try_read_for(TIMEOUT) {
        Ok(table) => (table, false),
        Err(LockError::OwnerDied(left)) => (left.into_guard(), true),
        Err(other) => return refused(&other),
    };
    let seen = *table;
    spin(random);
    if *table != seen || seen[0] != seen[1] && !(died && is_half_done(seen)) {
        return Outcome::Fault(format!("a reader saw {seen:?}, and then {:?}", *table));
    }
    Outcome::Done
}

fn whole_table(shared: &Shared) -> Result<RwLockWriteGuard<'_, [u64; 2], 4>, Outcome> {
    match shared.table.try_write_for(TIMEOUT) {
        Ok(table) if table[0] == table[1] => Ok(table),
        Ok(table) => Err(Outcome::Fault(format!("half an update, and nobody said so: {table:?}"))),
        Err(LockError::OwnerDied(left)) => {
            let mut table = left.into_guard();
            if table[0] != table[1] && !is_half_done(*table) {
                return Err(Outcome::Fault(format!("two have written: {table:?}")));
            }
            table[1] = table[0];
            table.mark_consistent();
            Ok(table)
        }
        Err(other) => Err(refused(&other)),
    }
}

fn write_the_table(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let mut table = match whole_table(shared) {
        Ok(table) => table,
        Err(outcome) => return outcome,
    };
    table[0] += 1;
    spin(random);
    table[1] += 1;
    let written = *table;
    if random.below(4) == 0 {
        let table = RwLockWriteGuard::downgrade(table);
        spin(random);
        if *table != written {
            return Outcome::Fault(format!("{written:?} was written, and read at once: {:?}", *table));
        }
    } else {
        drop(table);
    }
    shared.table_updates.fetch_add(1, SeqCst);
    Outcome::Done
}

fn as_reported(done: u64, reported: &AtomicU64, deaths: u64) -> Result<(), String> {
    let sure = reported.load(SeqCst);
    // Who died may have done so between its update and its report.
    if sure <= done && done <= sure + deaths { Ok(()) } else { Err(format!("{done} updates, {sure} reported")) }
}

fn table_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let table = whole_table(shared).map_err(|outcome| format!("{outcome:?}"))?;
    as_reported(table[0], &shared.table_updates, deaths)
}

fn update_nested(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let outer = match shared.nested.try_lock_for(TIMEOUT) {
        Ok(outer) => outer,
        Err(LockError::OwnerDied(left)) => {
            let mut outer = left.into_guard();
            outer[1].store(outer[0].load(SeqCst), SeqCst);
            outer.mark_consistent();
            outer
        }
        Err(other) => return refused(&other),
    };
    let before = outer[0].load(SeqCst);
    if outer[1].load(SeqCst) != before {
        return Outcome::Fault(format!("half an update, and nobody said so: {:?}", *outer));
    }
    outer[0].store(before + 1, SeqCst);
    match shared.nested.try_lock() {
        Ok(inner) => inner[1].fetch_add(1, SeqCst),
        Err(error) => return Outcome::Fault(format!("the holder takes it once more: {error}")),
    };
    if [outer[0].load(SeqCst), outer[1].load(SeqCst)] != [before + 1; 2] {
        return Outcome::Fault(format!("two were inside: {:?}, after {before}", *outer));
    }
    drop(outer);
    shared.nested_updates.fetch_add(1, SeqCst);
    spin(random);
    Outcome::Done
}

fn nested_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let nested = match shared.nested.try_lock_for(TIMEOUT) {
        Ok(nested) => nested,
        Err(LockError::OwnerDied(left)) => left.into_guard(),
        Err(other) => return Err(other.to_string()),
    };
    as_reported(nested[0].load(SeqCst), &shared.nested_updates, deaths)
}

/// The heap, repaired if its last holder died.
fn whole_heap(answer: LockResult<MutexGuard<'_, Heap>>) -> Result<MutexGuard<'_, Heap>, Outcome> {
    match answer {
        Ok(heap) => sound(heap),
        Err(LockError::OwnerDied(left)) => repaired(left.into_guard()),
        Err(other) => Err(refused(&other)),
    }
}

fn repaired(mut heap: MutexGuard<'_, Heap>) -> Result<MutexGuard<'_, Heap>, Outcome> {
    heap.items = heap.put - heap.taken - heap.thrown_away;
    heap.mark_consistent();
    sound(heap)
}

fn sound(heap: MutexGuard<'_, Heap>) -> Result<MutexGuard<'_, Heap>, Outcome> {
    if heap.items + heap.taken + heap.thrown_away == heap.put && heap.items <= FULL_HEAP {
        Ok(heap)
    } else {
        Err(Outcome::Fault(format!("the heap is {heap:?}")))
    }
}

/// Waits until something is so, whoever dies with the heap meanwhile.
fn heap_when<'s>(
    shared: &'s Shared,
    condvar: &Condvar,
    is_so: fn(&Heap) -> bool,
) -> Result<MutexGuard<'s, Heap>, Outcome> {
    let mut heap = whole_heap(shared.heap.try_lock_for(TIMEOUT))?;
    loop {
        match condvar.wait_timeout_while(heap, TIMEOUT, |heap| !is_so(heap)) {
            Ok((heap, result)) if result.timed_out() => {
                return Err(Outcome::Fault(format!("nothing has changed for a long time: {heap:?}")));
            }
            Ok((heap, _)) => return Ok(heap),
            Err(error) => match error.into_guard() {
                Ok((left, _)) => heap = repaired(left)?,
                Err(other) => return Err(refused(&other)),
            },
        }
    }
}

/// Each puts one, and takes one: so not all of them can wait, unless one dies between; then the supervisor sees to it.
fn put_and_take(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    match heap_when(shared, &shared.not_full, |heap| heap.items < FULL_HEAP) {
        Ok(mut heap) => {
            heap.put += 1;
            heap.items += 1;
        }
        Err(outcome) => return outcome,
    }
    shared.not_empty.notify_one();
    shared.put.fetch_add(1, SeqCst);
    spin(random);
    match heap_when(shared, &shared.not_empty, |heap| heap.items > 0) {
        Ok(mut heap) => {
            heap.taken += 1;
            heap.items -= 1;
            // Half of them with the lock, half of them (above) without.
            shared.not_full.notify_one();
        }
        Err(outcome) => return outcome,
    }
    shared.taken.fetch_add(1, SeqCst);
    Outcome::Done
}

fn heap_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let heap = whole_heap(shared.heap.try_lock_for(TIMEOUT)).map_err(|outcome| format!("{outcome:?}"))?;
    as_reported(heap.put, &shared.put, deaths)?;
    as_reported(heap.taken, &shared.taken, deaths)
}

fn swing_the_gate(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if random.below(2) == 0 {
        let _was_set = shared.gate.clear();
        return Outcome::Done;
    }
    match shared.gate.set() {
        Ok(()) => Outcome::Done,
        Err(error) => unmet(&error.into()),
    }
}

fn go_through(shared: &Shared, _: &mut Random, _: u32) -> Outcome {
    shared.gate.wait_timeout(TIMEOUT).map_or_else(|error| unmet(&error), |()| Outcome::Done)
}

fn have_a_turn(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if let Err(error) = shared.turn.wait_timeout(TIMEOUT) {
        return unmet(&error);
    }
    spin(random);
    match shared.turn.set() {
        Ok(()) => Outcome::Done,
        Err(error) => unmet(&error.into()),
    }
}

fn meet(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let answer = match random.below(3) {
        // Missed even before it arrives.
        0 => match shared.meeting.join() {
            Ok(member) => member.wait_timeout(TIMEOUT),
            Err(Error::InvalidSize(_)) => return Outcome::Done, // there are two already
            Err(error) => return unmet(&error.into()),
        },
        1 => shared.meeting.wait_timeout_with(TIMEOUT, || spin(random)),
        _ => shared.meeting.wait_timeout(TIMEOUT),
    };
    match answer {
        Ok(result) => {
            let which = if result.is_leader() { &shared.leaders } else { &shared.followers };
            which.fetch_add(1, SeqCst);
            Outcome::Done
        }
        Err(WaitError::Broken { .. }) => match shared.meeting.is_broken().then(|| shared.meeting.reset()) {
            Some(Err(error)) => unmet(&error.into()),
            _ => Outcome::Done,
        },
        Err(other) => unmet(&other),
    }
}

fn as_many_leaders(shared: &Shared, deaths: u64) -> Result<(), String> {
    let (leaders, followers) = (shared.leaders.load(SeqCst), shared.followers.load(SeqCst));
    if leaders.abs_diff(followers) <= deaths {
        Ok(())
    } else {
        Err(format!("{leaders} leaders and {followers} followers, with {deaths} deaths"))
    }
}

fn value_of(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555_5555_5555_5555
}

fn make_once(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if random.below(20) != 0 {
        return Outcome::Done;
    }
    let index = (shared.once_next.load(SeqCst) + random.below(2)).min(ONCE as u64 - 1);
    let cell = &shared.once[index as usize];
    let make = || {
        std::thread::sleep(Duration::from_micros(100)); // so that others come meanwhile, and kills
        value_of(index)
    };
    match LazyLock::new(cell, make).force() {
        Ok(value) if *value == value_of(index) => {
            let _somebody_else_has = shared.once_next.compare_exchange(index, index + 1, SeqCst, SeqCst);
            Outcome::Done
        }
        Ok(value) => Outcome::Fault(format!("value {index} is {value}")),
        Err(error) => unmet(&error),
    }
}

fn all_values_are_right(shared: &Shared, _: u64) -> Result<(), String> {
    for (index, cell) in shared.once.iter().enumerate() {
        let is_made = cell.get().is_some();
        if cell.get().is_some_and(|value| *value != value_of(index as u64)) {
            return Err(format!("value {index} is {cell:?}"));
        }
        if !is_made && (index as u64) < shared.once_next.load(SeqCst) {
            return Err(format!("value {index} was made, and is not there"));
        }
    }
    Ok(())
}
