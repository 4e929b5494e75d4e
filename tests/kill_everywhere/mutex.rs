//! Mutex.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{LockError, Mutex, MutexGuard, Segment, Shareable};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// The shared data.
#[derive(Debug, Shareable)]
#[repr(C)]
pub(super) struct Shared {
    /// Two numbers that are equal unless a holder died between the two updates.
    pair: Mutex<[u64; 2]>,
    /// The process that is inside of the lock; roles that are killed are not counted.
    inside: AtomicU32,
}

type World = Segment<Shared>;

fn script(name: &str) -> Script<World> {
    operation("Mutex", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

/// Locks and unlocks, as every survivor must be able to. No other is inside, and half an update is
/// reported.
fn get_through(s: &Stage<World>) -> Told {
    judge(s, s.pair.lock())
}

fn judge(s: &Stage<World>, answer: Result<MutexGuard<'_, [u64; 2]>, LockError<MutexGuard<'_, [u64; 2]>>>) -> Told {
    let (mut guard, word) = match answer {
        Ok(guard) if guard[0] != guard[1] => return Err("half an update that was not reported".into()),
        Ok(guard) => (guard, "ok"),
        Err(LockError::OwnerDied(left)) => {
            if left.by().is_none() {
                return Err("nobody knows who died".into());
            }
            let mut guard = left.into_inner();
            guard[1] = guard[0];
            guard.mark_consistent();
            (guard, "owner died")
        }
        Err(other) => return Err(other.to_string()),
    };
    let me = std::process::id();
    s.inside.store(me, SeqCst);
    guard[0] += 1;
    std::thread::yield_now();
    guard[1] += 1;
    if s.inside.load(SeqCst) != me {
        return Err("two were inside at once".into());
    }
    drop(guard);
    Ok(word)
}

/// A holder has died, whatever the victim did, and nobody has marked the data consistent.
fn be_told_and_get_through(s: &Stage<World>) -> Told {
    match get_through(s)? {
        "ok" => Err("the death was not reported".into()),
        word => Ok(word),
    }
}

/// Sleeps while the victim holds the lock.
fn get_through_when_it_is_held(s: &Stage<World>) -> Told {
    s.ready();
    s.until_the_victim_is_ready();
    get_through(s)
}

/// The last role: everything is free and sound, whatever happened.
fn find_all_well(s: &Stage<World>) -> Told {
    match s.pair.try_lock() {
        Ok(pair) if pair[0] == pair[1] => Ok(""),
        other => Err(format!("in the end: {other:?}")),
    }
}

/// Holds the lock until the victim is dead.
fn hold(s: &Stage<World>) -> Told {
    let guard = s.pair.lock().map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_kill();
    drop(guard);
    Ok("")
}

/// Holds the lock until the victim sleeps in its first phase.
fn hold_until_it_sleeps(s: &Stage<World>) -> Told {
    let guard = s.pair.lock().map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_victim_sleeps();
    drop(guard);
    Ok("")
}

/// Holds the lock until the victim and the second role sleep for good.
fn hold_until_both_sleep(s: &Stage<World>) -> Told {
    let guard = s.pair.lock().map_err(|error| error.to_string())?;
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
    drop(guard);
    Ok("")
}

/// Ends while it holds the lock, which is a death, when those two sleep for good.
fn hold_and_die_when_both_sleep(s: &Stage<World>) -> Told {
    s.ends_by_death();
    core::mem::forget(s.pair.lock().map_err(|error| error.to_string())?);
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
    Ok("")
}

fn die_with_it(s: &Stage<World>) -> Told {
    s.ends_by_death();
    core::mem::forget(s.pair.lock().map_err(|error| error.to_string())?);
    Ok("")
}

/// Takes part before the victim begins, and comes back when the victim is dead.
fn come_back(s: &Stage<World>) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_the_kill();
    get_through(s)
}

/// Sleeps behind the victim in the queue.
fn get_through_later(s: &Stage<World>) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    s.until_the_victim_sleeps_for_good();
    get_through(s)
}

/// Leaks the guard in a thread that ends. Its process lives until the victim is dead.
fn leak(s: &Stage<World>) -> Told {
    s.leaks_in_a_thread(|| core::mem::forget(s.pair.lock().expect("free")))
}

fn update(pair: &mut [u64; 2]) {
    pair[0] += 1;
    std::hint::black_box(&mut *pair);
    pair[1] += 1;
}

/// The victim, already a participant, locks.
fn lock(s: &Stage<World>) {
    s.attach().expect("room");
    s.dies_in(|| s.pair.lock());
}

/// The same, once the second role sleeps again. The victim's registration has woken it.
fn lock_behind_a_sleeper(s: &Stage<World>) {
    s.attach().expect("room");
    s.until_they_sleep(&[1]);
    s.dies_in(|| s.pair.lock());
}

const EITHER: &[&str] = &["newcomer ok", "newcomer owner died"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", get_through).last("the last", find_all_well))
    };
    let told_newcomer = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", be_told_and_get_through).last("the last", find_all_well))
    };
    vec![
        newcomer(
            script("lock, free")
                .before("resident", come_back)
                .victim(lock)
                .sees(&["resident ok", "resident owner died"]),
        ),
        newcomer(script("lock, free, with the first use").victim(|s| s.dies_in(|| s.pair.lock())).sees(EITHER)),
        told_newcomer(script("lock_leaked, leaked by a thread that has ended").before("leaker", leak).joined_victim(
            |s| {
                // SAFETY: nothing of the leaked guard is used.
                s.dies_in(|| unsafe { s.pair.lock_leaked() });
            },
        )),
        newcomer(script("try_lock, free").joined_victim(|s| s.dies_in(|| s.pair.try_lock())).sees(EITHER)),
        newcomer(script("try_lock, held").before("holder", hold).joined_victim(|s| s.dies_in(|| s.pair.try_lock()))),
        newcomer(
            script("unlock")
                .before("resident", come_back)
                .victim(|s| {
                    let mut guard = s.pair.lock().expect("free");
                    update(&mut guard);
                    s.dies_in(|| drop(guard));
                })
                .sees(&["resident ok", "resident owner died"]),
        ),
        newcomer(
            script("unlock, while two sleep")
                .before("first", get_through_when_it_is_held)
                .before("second", get_through_when_it_is_held)
                .victim(|s| {
                    let mut guard = s.pair.lock().expect("free");
                    update(&mut guard);
                    s.victim_is_ready();
                    s.until_they_sleep(&[0, 1]);
                    s.dies_in(|| drop(guard));
                })
                .sees(&["first ok", "first owner died", "second ok"]),
        ),
        newcomer(
            script("lock, update, unlock, and two compete for what is left")
                .meanwhile("rival", get_through)
                .meanwhile("rival", get_through)
                .joined_victim(|s| s.dies_in(|| update(&mut s.pair.lock().expect("free"))))
                .sees(&["rival ok", "rival owner died"]),
        ),
        told_newcomer(
            script("lock, taken over from one that is dead")
                .before("predecessor", die_with_it)
                .victim(lock)
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("lock, taken over, marked consistent, unlock")
                .before("predecessor", die_with_it)
                .before("resident", come_back)
                .joined_victim(|s| {
                    s.dies_in(|| match s.pair.lock() {
                        Err(LockError::OwnerDied(left)) => left.into_inner().mark_consistent(),
                        other => panic!("{other:?}"),
                    });
                })
                .sees(&["resident ok", "resident owner died"]),
        ),
        told_newcomer(
            script("lock, taken over and left inconsistent")
                .before("predecessor", die_with_it)
                .joined_victim(|s| s.dies_in(|| drop(s.pair.lock().map_err(|error| error.to_string()))))
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("lock, handed over in its first phase, while one sleeps")
                .before("holder", hold_until_it_sleeps)
                .before("sleeper", get_through)
                .victim(lock_behind_a_sleeper)
                .sleeps_briefly()
                .sees(&["sleeper ok", "newcomer ok"]),
        ),
        newcomer(
            script("lock, handed over, the first of two sleepers")
                .before("holder", hold_until_both_sleep)
                .before("sleeper", get_through_later)
                .victim(lock)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok", "owner died"]),
        ),
        newcomer(
            script("lock, handed over, the last of two sleepers")
                .before("holder", hold_until_both_sleep)
                .before("sleeper", get_through)
                .victim(lock_behind_a_sleeper)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        newcomer(
            script("lock, its holder dies, the first of two sleepers")
                .before("holder", hold_and_die_when_both_sleep)
                .before("sleeper", get_through_later)
                .victim(lock)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper owner died"]),
        ),
        newcomer(
            script("lock, its holder dies, the last of two sleepers")
                .before("holder", hold_and_die_when_both_sleep)
                .before("sleeper", get_through)
                .victim(lock_behind_a_sleeper)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper owner died"]),
        ),
        newcomer(
            script("try_lock_for, times out, while another sleeps")
                .before("holder", hold)
                .before("sleeper", get_through)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.pair.try_lock_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok, newcomer ok"]),
        ),
        newcomer(
            script("try_lock_for, times out, alone")
                .before("holder", hold)
                .joined_victim(|s| s.dies_in(|| s.pair.try_lock_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            script("lock, held by the caller itself")
                .victim(|s| {
                    let _guard = s.pair.lock().expect("free");
                    s.dies_in(|| s.pair.lock());
                })
                .sees(&["newcomer owner died"]),
        ),
    ]
}
