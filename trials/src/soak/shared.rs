//! What the soak's processes share, and what they do with it. **A primitive is registered here**: a field of [`Shared`],
//! and its deeds in [`DEEDS`].

use super::Random;
use core::time::Duration;
use outlive::{Error, Lock, LockError, LockResult, Mutex, MutexGuard, Shareable};
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
}

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
];

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
    let (done, sure) = match whole(shared.pair.try_lock_for(TIMEOUT)) {
        Ok(pair) => (pair[0], shared.updates.load(SeqCst)),
        Err(outcome) => return Err(format!("{outcome:?}")),
    };
    // Who died may have done so between its update and its report.
    if sure <= done && done <= sure + deaths { Ok(()) } else { Err(format!("{done} updates, {sure} reported")) }
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
