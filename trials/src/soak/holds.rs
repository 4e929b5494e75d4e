//! Deeds with holds. After a death the next holder learns of it, and two holders never touch the
//! protected data at the same time.

use super::Random;
use super::shared::{Outcome, PERMITS, Shared, TIMEOUT, as_reported, refused, spin, unmet};
use crate::locks::LockFailure;
use core::time::Duration;
use outlive::{LockErrorKind, LockTimeoutError, LockTimeoutResult, MutexGuard, RwLockWriteGuard, TryLockError};
use std::sync::atomic::Ordering::SeqCst;

/// The pair, repaired if its last holder died.
fn whole<'s, E>(answer: Result<MutexGuard<'s, [u64; 2]>, E>) -> Result<MutexGuard<'s, [u64; 2]>, Outcome>
where
    E: LockFailure<MutexGuard<'s, [u64; 2]>>,
{
    match answer.map_err(E::into_parts) {
        Ok(pair) if pair[0] == pair[1] => Ok(pair),
        Ok(pair) => Err(Outcome::Fault(format!("half an update, and nobody said so: {pair:?}"))),
        Err((LockErrorKind::OwnerDied { .. }, Some(mut pair))) => {
            if pair[0] != pair[1] && pair[0] != pair[1] + 1 {
                return Err(Outcome::Fault(format!("two were inside: {pair:?}")));
            }
            pair[1] = pair[0];
            pair.mark_consistent();
            Ok(pair)
        }
        Err((other, _)) => Err(refused(other)),
    }
}

/// The same answer, or the pair of a thread that has ended while it held the lock. Its guard was
/// leaked.
fn whole_or_from_the_ended<'s>(
    shared: &'s Shared,
    answer: LockTimeoutResult<MutexGuard<'s, [u64; 2]>>,
) -> Result<MutexGuard<'s, [u64; 2]>, Outcome> {
    match answer {
        Err(LockTimeoutError::Leaked { .. }) => {
            // SAFETY: `end_a_thread` alone leaks guards, and uses nothing that they gave.
            match unsafe { shared.pair.lock_leaked() } {
                // Another worker was quicker.
                Err(TryLockError::WouldBlock) => whole_or_from_the_ended(shared, shared.pair.try_lock_for(TIMEOUT)),
                taken => whole(taken),
            }
        }
        other => whole(other),
    }
}

fn update_with(pair: Result<MutexGuard<'_, [u64; 2]>, Outcome>, shared: &Shared, random: &mut Random) -> Outcome {
    match pair {
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

pub(super) fn update(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    update_with(whole_or_from_the_ended(shared, shared.pair.try_lock_for(TIMEOUT)), shared, random)
}

pub(super) fn try_to_update(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let pair = match random.below(2) {
        0 => match shared.pair.try_lock() {
            Err(TryLockError::WouldBlock) => return Outcome::Done,
            Err(TryLockError::Leaked { by }) => whole_or_from_the_ended(shared, Err(LockTimeoutError::Leaked { by })),
            other => whole(other),
        },
        _ => match shared.pair.try_lock_for(Duration::from_micros(random.below(2_000))) {
            Err(LockTimeoutError::TimedOut) => return Outcome::Done,
            other => whole_or_from_the_ended(shared, other),
        },
    };
    update_with(pair, shared, random)
}

pub(super) fn pair_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let answer = whole_or_from_the_ended(shared, shared.pair.try_lock_for(TIMEOUT));
    let pair = answer.map_err(|outcome| format!("{outcome:?}"))?;
    as_reported(pair[0], &shared.updates, deaths)
}

pub(super) fn go_inside(shared: &Shared, _: &mut Random, me: u32) -> Outcome {
    let died = match shared.lock.try_acquire_for(TIMEOUT) {
        Ok(()) => false,
        Err(LockTimeoutError::OwnerDied(_)) => true,
        Err(other) => return refused(other),
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

/// One deed of fifty of its kind: a thread takes the pair, leaks its guard, and ends. Its process
/// lives on. Nothing that the guard gave is used after that.
pub(super) fn end_a_thread(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if random.below(50) != 0 {
        return Outcome::Done;
    }
    let seed = random.any();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            let mut random = Random::new(seed);
            match whole_or_from_the_ended(shared, shared.pair.try_lock_for(TIMEOUT)) {
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

pub(super) fn have_a_permit(shared: &Shared, random: &mut Random, me: u32) -> Outcome {
    let permit = match shared.pool.try_permit_for(TIMEOUT) {
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

pub(super) fn all_permits_come_back(shared: &Shared, _: u64) -> Result<(), String> {
    let permits: Vec<_> = (0..PERMITS).map_while(|_| shared.pool.try_permit().ok()).collect();
    if permits.len() == PERMITS { Ok(()) } else { Err(format!("{} of {PERMITS} permits", permits.len())) }
}

fn is_half_done(pair: [u64; 2]) -> bool {
    pair[0] == pair[1] + 1
}

pub(super) fn read_the_table(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let (table, died) = match shared.table.try_read_for(TIMEOUT) {
        Ok(table) => (table, false),
        Err(LockTimeoutError::OwnerDied(left)) => (left.into_inner(), true),
        Err(other) => return refused(other),
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
        Err(LockTimeoutError::OwnerDied(left)) => {
            let mut table = left.into_inner();
            if table[0] != table[1] && !is_half_done(*table) {
                return Err(Outcome::Fault(format!("two have written: {table:?}")));
            }
            table[1] = table[0];
            table.mark_consistent();
            Ok(table)
        }
        Err(other) => Err(refused(other)),
    }
}

pub(super) fn write_the_table(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
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

pub(super) fn table_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let table = whole_table(shared).map_err(|outcome| format!("{outcome:?}"))?;
    as_reported(table[0], &shared.table_updates, deaths)
}

pub(super) fn update_nested(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let outer = match shared.nested.try_lock_for(TIMEOUT) {
        Ok(outer) => outer,
        Err(LockTimeoutError::OwnerDied(left)) => {
            let mut outer = left.into_inner();
            outer[1].store(outer[0].load(SeqCst), SeqCst);
            outer.mark_consistent();
            outer
        }
        Err(other) => return refused(other),
    };
    let before = outer[0].load(SeqCst);
    if outer[1].load(SeqCst) != before {
        return Outcome::Fault(format!("half an update that was not reported: {:?}", *outer));
    }
    outer[0].store(before + 1, SeqCst);
    match shared.nested.try_lock() {
        Ok(inner) => inner[1].fetch_add(1, SeqCst),
        Err(error) => return Outcome::Fault(format!("the holder locks once more: {error}")),
    };
    if [outer[0].load(SeqCst), outer[1].load(SeqCst)] != [before + 1; 2] {
        return Outcome::Fault(format!("two were inside: {:?}, after {before}", *outer));
    }
    drop(outer);
    shared.nested_updates.fetch_add(1, SeqCst);
    spin(random);
    Outcome::Done
}

pub(super) fn nested_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let nested = match shared.nested.try_lock_for(TIMEOUT) {
        Ok(nested) => nested,
        Err(LockTimeoutError::OwnerDied(left)) => left.into_inner(),
        Err(other) => return Err(other.to_string()),
    };
    as_reported(nested[0].load(SeqCst), &shared.nested_updates, deaths)
}
