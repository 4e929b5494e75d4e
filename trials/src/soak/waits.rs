//! Deeds that wait for others: for tokens, items, a gate, a turn, a meeting, a value. No waiter is
//! left asleep.

use super::Random;
use super::shared::{FULL_HEAP, Heap, ONCE, Outcome, Shared, TIMEOUT, TOKENS, as_reported, refused, spin, unmet};
use core::time::Duration;
use outlive::{
    BarrierTimeoutError, Condvar, JoinError, LazyLock, LockTimeoutError, LockTimeoutResult, MutexGuard, ReleaseError,
};
use std::sync::atomic::Ordering::SeqCst;

/// Gives so many tokens, but only as many as there is room for, because the supervisor may have
/// replaced tokens that were not lost. False if not all were given.
pub(super) fn give_tokens(shared: &Shared, count: u32) -> Result<bool, String> {
    for _ in 0..count {
        match shared.tokens.release() {
            Ok(()) => drop(shared.tokens_given.fetch_add(1, SeqCst)),
            Err(ReleaseError::OverRelease(_)) => return Ok(false),
            Err(other) => return Err(other.to_string()),
        }
    }
    Ok(true)
}

pub(super) fn take_tokens(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
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

pub(super) fn tokens_add_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let (taken, given) = (shared.tokens_taken.load(SeqCst), shared.tokens_given.load(SeqCst));
    let available = shared.tokens.available();
    // A worker may have died before it reported the tokens that it took (two at most), or gave (one
    // at a time).
    let there = u64::from(TOKENS) + given;
    let (least, most) = (there.saturating_sub(taken + 2 * deaths), (there + deaths).saturating_sub(taken));
    if (least..=most).contains(&available.into()) {
        Ok(())
    } else {
        Err(format!("{available} tokens, {taken} were taken, {given} given, with {deaths} deaths"))
    }
}

/// The heap, repaired if its last holder died.
pub(super) fn whole_heap(answer: LockTimeoutResult<MutexGuard<'_, Heap>>) -> Result<MutexGuard<'_, Heap>, Outcome> {
    match answer {
        Ok(heap) => sound(heap),
        Err(LockTimeoutError::OwnerDied(left)) => repaired(left.into_inner()),
        Err(other) => Err(refused(other)),
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

/// Waits until the condition holds, whoever dies with the heap meanwhile.
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
                Err(other) => return Err(refused(other)),
            },
        }
    }
}

/// Each worker puts one item, and then takes one. So not all of them can wait, unless one dies
/// between the two. The supervisor corrects that.
pub(super) fn put_and_take(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
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
            // This half notifies with the lock held. The half above notifies without it.
            shared.not_full.notify_one();
        }
        Err(outcome) => return outcome,
    }
    shared.taken.fetch_add(1, SeqCst);
    Outcome::Done
}

pub(super) fn heap_adds_up(shared: &Shared, deaths: u64) -> Result<(), String> {
    let heap = whole_heap(shared.heap.try_lock_for(TIMEOUT)).map_err(|outcome| format!("{outcome:?}"))?;
    as_reported(heap.put, &shared.put, deaths)?;
    as_reported(heap.taken, &shared.taken, deaths)
}

pub(super) fn swing_the_gate(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if random.below(2) == 0 {
        let _was_set = shared.gate.clear();
        return Outcome::Done;
    }
    match shared.gate.set() {
        Ok(()) => Outcome::Done,
        Err(error) => unmet(&error),
    }
}

pub(super) fn go_through(shared: &Shared, _: &mut Random, _: u32) -> Outcome {
    shared.gate.wait_timeout(TIMEOUT).map_or_else(|error| unmet(&error), |()| Outcome::Done)
}

pub(super) fn have_a_turn(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if let Err(error) = shared.turn.wait_timeout(TIMEOUT) {
        return unmet(&error);
    }
    spin(random);
    match shared.turn.set() {
        Ok(()) => Outcome::Done,
        Err(error) => unmet(&error),
    }
}

pub(super) fn meet(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    let answer = match random.below(3) {
        // As a member it is missed even before it arrives.
        0 => match shared.meeting.join() {
            Ok(member) => member.wait_timeout(TIMEOUT),
            Err(JoinError::Full { .. }) => return Outcome::Done, // there are two already
            Err(error) => return unmet(&error),
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
        Err(BarrierTimeoutError::Broken { .. }) => match shared.meeting.is_broken().then(|| shared.meeting.reset()) {
            Some(Err(error)) => unmet(&error),
            _ => Outcome::Done,
        },
        Err(other) => unmet(&other),
    }
}

pub(super) fn as_many_leaders(shared: &Shared, deaths: u64) -> Result<(), String> {
    let (leaders, followers) = (shared.leaders.load(SeqCst), shared.followers.load(SeqCst));
    if leaders.abs_diff(followers) <= deaths {
        Ok(())
    } else {
        Err(format!("{leaders} leaders and {followers} followers, with {deaths} deaths"))
    }
}

fn value_of(index: u64) -> u64 {
    // No half of it looks like a hold. Otherwise a worker could not leave, because plain data
    // happens to name it.
    const LIKE_A_HOLD: u64 = (outlive::raw::hold::HELD as u64) << 32 | outlive::raw::hold::HELD as u64;
    (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555_5555_5555_5555) & !LIKE_A_HOLD
}

pub(super) fn make_once(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    if random.below(20) != 0 {
        return Outcome::Done;
    }
    let index = (shared.once_next.load(SeqCst) + random.below(2)).min(ONCE as u64 - 1);
    let cell = &shared.once[index as usize];
    let make = || {
        std::thread::sleep(Duration::from_micros(100)); // so that others come meanwhile, and so do kills
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

pub(super) fn all_values_are_right(shared: &Shared, _: u64) -> Result<(), String> {
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
