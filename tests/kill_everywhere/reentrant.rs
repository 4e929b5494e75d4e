//! ReentrantMutex.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{LockError, ReentrantMutex, ReentrantMutexGuard, Segment};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

type World = Segment<ReentrantMutex<[AtomicU64; 2]>>;

fn script(name: &str) -> Script<World> {
    operation("ReentrantMutex", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

fn update(pair: &[AtomicU64; 2]) {
    pair[0].fetch_add(1, SeqCst);
    pair[1].fetch_add(1, SeqCst);
}

/// Locks twice and unlocks twice. No other is inside, and half an update is reported.
fn get_through(s: &Stage<World>) -> Told {
    let (guard, word) = match s.lock() {
        Ok(pair) if pair[0].load(SeqCst) != pair[1].load(SeqCst) => {
            return Err("half an update that was not reported".into());
        }
        Ok(guard) => (guard, "ok"),
        Err(LockError::OwnerDied(left)) => {
            let mut guard = left.into_inner();
            guard[1].store(guard[0].load(SeqCst), SeqCst);
            guard.mark_consistent();
            (guard, "owner died")
        }
        Err(other) => return Err(other.to_string()),
    };
    let before = guard[0].load(SeqCst);
    drop(s.lock().map_err(|error| format!("the second lock: {error}"))?);
    std::thread::yield_now();
    update(&guard);
    if guard[1].load(SeqCst) != before + 1 {
        return Err("two were inside at once".into());
    }
    Ok(word)
}

fn get_through_when_it_is_held(s: &Stage<World>) -> Told {
    s.ready();
    s.until_the_victim_is_ready();
    get_through(s)
}

fn get_through_later(s: &Stage<World>) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    s.until_the_victim_sleeps_for_good();
    get_through(s)
}

fn find_all_well(s: &Stage<World>) -> Told {
    match s.try_lock() {
        Ok(_) => Ok(""),
        other => Err(format!("in the end: {other:?}")),
    }
}

/// Holds the mutex twice until the victim and the second role sleep for good.
fn hold_until_both_sleep(s: &Stage<World>) -> Told {
    let _once = s.lock().map_err(|error| error.to_string())?;
    let _twice = s.lock().map_err(|error| error.to_string())?;
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
    Ok("")
}

/// Holds the mutex twice until the victim is dead.
fn hold_twice(s: &Stage<World>) -> Told {
    let _once = s.lock().map_err(|error| error.to_string())?;
    let _twice = s.lock().map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_kill();
    Ok("")
}

fn die_with_two(s: &Stage<World>) -> Told {
    s.ends_by_death();
    core::mem::forget((s.lock(), s.lock()));
    Ok("")
}

/// Leaks two guards in a thread that ends. Its process lives until the victim is dead.
fn leak_two(s: &Stage<World>) -> Told {
    s.leaks_in_a_thread(|| core::mem::forget((s.lock().expect("free"), s.lock().expect("ours"))))
}

/// The victim locks so many times. Then it waits until the sleeper waits for the mutex.
fn hold<'s>(s: &'s Stage<World>, times: usize) -> Vec<ReentrantMutexGuard<'s, [AtomicU64; 2]>> {
    let guards = (0..times).map(|_| s.lock().expect("free or ours")).collect();
    s.victim_is_ready();
    s.until_they_sleep(&[0]);
    guards
}

const EITHER: &[&str] = &["newcomer ok", "newcomer owner died"];
const EITHER_SLEEPER: &[&str] = &["sleeper ok", "sleeper owner died"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", get_through).last("the last", find_all_well))
    };
    let slept_on = |name: &str| script(name).before("sleeper", get_through_when_it_is_held);
    let beside_a_sleeper = |name: &str| {
        script(name).before("holder", hold_twice).before("sleeper", get_through).sees(&["sleeper ok, newcomer ok"])
    };
    vec![
        newcomer(script("lock, free").joined_victim(|s| s.dies_in(|| s.lock())).sees(EITHER)),
        newcomer(
            script("acquire twice, update, release twice, and two compete for what is left")
                .meanwhile("rival", get_through)
                .meanwhile("rival", get_through)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.acquire().expect("free");
                        update(&s.lock().expect("ours"));
                        s.acquire().expect("ours");
                        s.release().expect("twice");
                        s.release().expect("once");
                    });
                })
                .sees(&["rival ok", "rival owner died"]),
        ),
        newcomer(
            script("acquire, adopt, forget, release")
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.acquire().expect("free");
                        s.adopt().expect("acquired").forget();
                        s.release().expect("acquired");
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            slept_on("lock once more, while one sleeps")
                .victim(|s| {
                    let _guards = hold(s, 1);
                    s.dies_in(|| s.lock());
                })
                .sees(&["sleeper owner died"]),
        ),
        newcomer(
            slept_on("unlock of one of two, while one sleeps")
                .victim(|s| {
                    let mut guards = hold(s, 2);
                    s.dies_in(|| drop(guards.pop()));
                })
                .sees(&["sleeper owner died"]),
        ),
        newcomer(
            slept_on("unlock of the last, while one sleeps")
                .victim(|s| {
                    let mut guards = hold(s, 1);
                    s.dies_in(|| drop(guards.pop()));
                })
                .sees(EITHER_SLEEPER),
        ),
        newcomer(
            script("lock, taken over from one that died with two")
                .before("predecessor", die_with_two)
                .joined_victim(|s| s.dies_in(|| s.lock()))
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("lock, handed over, the first of two sleepers")
                .before("holder", hold_until_both_sleep)
                .before("sleeper", get_through_later)
                .joined_victim(|s| s.dies_in(|| s.lock()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(EITHER_SLEEPER),
        ),
        newcomer(
            script("lock, taken over, marked consistent, unlock")
                .before("predecessor", die_with_two)
                .joined_victim(|s| {
                    s.dies_in(|| match s.lock() {
                        Err(LockError::OwnerDied(left)) => left.into_inner().mark_consistent(),
                        other => panic!("{other:?}"),
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            script("acquire, mark_consistent, release, after a death")
                .before("predecessor", die_with_two)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        let Err(LockError::OwnerDied(_)) = s.acquire() else { panic!("it died") };
                        s.mark_consistent().expect("held");
                        s.release().expect("held");
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            script("lock_leaked, leaked by a thread that has ended")
                .before("leaker", leak_two)
                .joined_victim(|s| {
                    // SAFETY: nothing of the leaked guards is used.
                    s.dies_in(|| unsafe { s.lock_leaked() });
                })
                .sees(&["newcomer owner died"]),
        ),
        newcomer(script("try_lock, free").joined_victim(|s| s.dies_in(|| s.try_lock())).sees(EITHER)),
        newcomer(
            slept_on("try_lock once more, while one sleeps")
                .victim(|s| {
                    let _guards = hold(s, 1);
                    s.dies_in(|| s.try_lock());
                })
                .sees(&["sleeper owner died"]),
        ),
        newcomer(
            beside_a_sleeper("try_lock, held, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_lock())),
        ),
        newcomer(
            script("try_lock_for, times out, alone")
                .before("holder", hold_twice)
                .joined_victim(|s| s.dies_in(|| s.try_lock_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            beside_a_sleeper("try_lock_for, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_lock_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        newcomer(
            script("try_acquire twice, free")
                .joined_victim(|s| s.dies_in(|| s.try_acquire().and_then(|()| s.try_acquire())))
                .sees(EITHER),
        ),
        newcomer(
            script("try_acquire_for, twice, free")
                .joined_victim(|s| {
                    s.dies_in(|| s.try_acquire_for(s.timeout()).and_then(|()| s.try_acquire_for(s.timeout())))
                })
                .sees(EITHER),
        ),
    ]
}
