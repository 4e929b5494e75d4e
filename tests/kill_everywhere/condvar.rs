//! Condvar, with a Mutex and with the two other locks. No waiter is left asleep while its predicate
//! is true.

use super::common::LockFailure;
use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Condvar, Lock, LockErrorKind, LockGuard, LockResult, Mutex, MutexGuard, Segment, Shareable, Waitable};
use outlive::{ReentrantMutex, ReentrantMutexGuard};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

#[derive(Debug, Shareable)]
#[repr(C)]
pub(super) struct Shared {
    items: Mutex<u64>,
    came: Condvar,
    counted: ReentrantMutex<()>,
    plain: Lock,
    /// Items under one of these two locks, which give no `&mut`.
    beside: AtomicU64,
}

type World = Segment<Shared>;

fn script(name: &str) -> Script<World> {
    operation("Condvar", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

/// A single number cannot be half updated.
fn whatever_died<'s, E: LockFailure<MutexGuard<'s, u64>>>(
    answer: Result<MutexGuard<'s, u64>, E>,
) -> Result<(MutexGuard<'s, u64>, &'static str), String> {
    vouched_for(answer, MutexGuard::mark_consistent)
}

fn vouched_for<G, E: LockFailure<G>>(
    answer: Result<G, E>,
    vouch: impl FnOnce(&mut G),
) -> Result<(G, &'static str), String> {
    match answer.map_err(E::into_parts) {
        Ok(guard) => Ok((guard, "ok")),
        Err((LockErrorKind::OwnerDied { .. }, Some(mut guard))) => {
            vouch(&mut guard);
            Ok((guard, "owner died"))
        }
        Err((other, _)) => Err(other.to_string()),
    }
}

/// Waits for an item, and takes it.
fn take(s: &Stage<World>) -> Told {
    let (mut items, mut word) = whatever_died(s.items.lock())?;
    while *items == 0 {
        let (again, told) = whatever_died(s.came.wait(items))?;
        items = again;
        word = if told == "ok" { word } else { told };
    }
    *items -= 1;
    Ok(word)
}

/// Sleeps behind the victim in the queue.
fn later(s: &Stage<World>, until: fn(&Stage<World>), act: fn(&Stage<World>) -> Told) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    until(s);
    act(s)
}

/// Brings two items, unless the victim did.
fn fill_unless_it_did(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    let (mut items, _) = whatever_died(s.items.lock())?;
    // The two waiters take one each, of three.
    if *items > 0 {
        return Ok("found it filled");
    }
    *items = 3;
    drop(items);
    s.came.notify_all();
    Ok("filled it")
}

/// Brings items when the victim and the second role sleep for good. Brings more if the items are
/// gone, because the victim may have taken them along.
fn bring_when_both_sleep(s: &Stage<World>, count: u64) -> Told {
    bring_when(s, count, Stage::until_the_victim_sleeps_for_good)
}

fn bring_when(s: &Stage<World>, count: u64, until: fn(&Stage<World>)) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    until(s);
    bring_if_there_is_none(s, count)?;
    s.until_the_kill();
    bring_if_there_is_none(s, count)
}

fn bring_if_there_is_none(s: &Stage<World>, count: u64) -> Told {
    let (mut items, _) = whatever_died(s.items.lock())?;
    if *items == 0 {
        *items = count;
        s.came.notify_n(count as u32); // the woken waiter finds the mutex locked
        drop(items);
    }
    Ok("")
}

/// [`take`], with a lock of another kind.
fn take_beside<G: Waitable>(s: &Stage<World>, lock: impl Fn() -> LockResult<G>, vouch: impl Fn(&mut G)) -> Told {
    let (mut guard, mut word) = vouched_for(lock(), &vouch)?;
    while s.beside.load(SeqCst) == 0 {
        let (again, told) = vouched_for(s.came.wait(guard), &vouch)?;
        guard = again;
        word = if told == "ok" { word } else { told };
    }
    s.beside.fetch_sub(1, SeqCst);
    Ok(word)
}

/// Waits with two holds. The wait gives both back meanwhile.
fn take_counted(s: &Stage<World>) -> Told {
    let (_first, word) = vouched_for(s.counted.lock(), ReentrantMutexGuard::mark_consistent)?;
    let told = take_beside(s, || s.counted.lock(), ReentrantMutexGuard::mark_consistent)?;
    Ok(if told == "ok" { word } else { told })
}

fn take_plain(s: &Stage<World>) -> Told {
    take_beside(s, || s.plain.lock(), LockGuard::mark_consistent)
}

/// [`bring_when_both_sleep`] for one item, with a lock of another kind.
fn bring_beside<G>(s: &Stage<World>, lock: impl Fn() -> LockResult<G>, vouch: impl Fn(&mut G)) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
    for _before_and_after_the_kill in 0..2 {
        let (guard, _) = vouched_for(lock(), &vouch)?;
        if s.beside.load(SeqCst) == 0 {
            s.beside.store(1, SeqCst);
            s.came.notify_one();
        }
        drop(guard);
        s.until_the_kill();
    }
    Ok("")
}

/// Brings an item after the victim's death, whatever the victim did. The one notification is for
/// the sleeper.
fn bring_after_the_kill(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    bring_if_there_is_none(s, 1)
}

/// Takes the lock, which the victim may have had again.
fn look(s: &Stage<World>) -> Told {
    whatever_died(s.items.lock()).map(|(_, word)| word)
}

fn find_all_well(s: &Stage<World>) -> Told {
    drop(whatever_died(s.items.lock())?);
    s.came.notify_all();
    match s.items.try_lock() {
        Ok(_) => {}
        other => return Err(format!("in the end: {other:?}")),
    }
    drop(vouched_for(s.counted.lock(), ReentrantMutexGuard::mark_consistent)?);
    drop(vouched_for(s.plain.lock(), LockGuard::mark_consistent)?);
    match (s.counted.try_lock(), s.plain.try_lock()) {
        (Ok(_), Ok(_)) => Ok(""),
        others => Err(format!("in the end: {others:?}")),
    }
}

/// Two wait. The victim makes their predicate true, and is killed while it notifies them.
fn told_of(name: &str, tell: fn(&Condvar)) -> Script<World> {
    script(name)
        .before("first", take)
        .before("second", take)
        .victim(move |s| {
            s.attach().expect("room");
            s.until_they_sleep(&[0, 1]);
            *s.items.lock().expect("they wait") = 2;
            s.dies_in(|| tell(&s.came));
        })
        .sees(&["first ok, second ok"])
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let last = |script: Script<World>| -> Box<dyn Operation> { Box::new(script.last("the last", find_all_well)) };
    vec![
        last(told_of("notify_one, while two wait", Condvar::notify_one)),
        last(told_of("notify_n, while two wait", |came| came.notify_n(2))),
        last(told_of("notify_all, while two wait", Condvar::notify_all)),
        last(
            script("lock, fill, notify_one, unlock, while two wait")
                .before("observer", fill_unless_it_did)
                .before("first", take)
                .before("second", take)
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| {
                        let mut items = s.items.lock().expect("they wait");
                        *items = 3;
                        s.came.notify_one();
                    });
                })
                .sees(&["observer found it filled", "observer filled it"]),
        ),
        last(
            script("lock, fill, notify_n, unlock, while two wait")
                .before("observer", fill_unless_it_did)
                .before("first", take)
                .before("second", take)
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| {
                        let mut items = s.items.lock().expect("they wait");
                        *items = 3;
                        s.came.notify_n(2); // both are moved to the mutex
                    });
                })
                .sees(&["observer found it filled", "observer filled it"]),
        ),
        last(
            script("wait in a loop, notified, relock, the first of two")
                .before("bringer", |s| bring_when_both_sleep(s, 1))
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, take))
                .joined_victim(|s| s.dies_in(|| take(s)))
                .sleeps_briefly()
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        last(
            script("wait_while, notified, relock, the first of two")
                .before("bringer", |s| bring_when_both_sleep(s, 1))
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, take))
                .victim(|s| {
                    let items = s.items.lock().expect("free");
                    s.dies_in(|| s.came.wait_while(items, |items| *items == 0).map(|mut items| *items -= 1));
                })
                .sleeps_briefly()
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_while, notified, relock, the last of two who are woken at once")
                .before("bringer", |s| bring_when_both_sleep(s, 2))
                .before("sleeper", take)
                .victim_beside_a_sleeper(|s| {
                    let items = s.items.lock().expect("it waits");
                    s.dies_in(|| s.came.wait_while(items, |items| *items == 0).map(|mut items| *items -= 1));
                })
                .sleeps_briefly()
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait, with a ReentrantMutex held twice, notified, relock, the first of two")
                .before("bringer", |s| bring_beside(s, || s.counted.lock(), ReentrantMutexGuard::mark_consistent))
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, take_counted))
                .joined_victim(|s| s.dies_in(|| take_counted(s)))
                .sleeps_briefly()
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        last(
            script("wait, with a Lock, notified, relock, the first of two")
                .before("bringer", |s| bring_beside(s, || s.plain.lock(), LockGuard::mark_consistent))
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, take_plain))
                .joined_victim(|s| s.dies_in(|| take_plain(s)))
                .sleeps_briefly()
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        last(
            script("wait_outcome in a loop, notified, relock, the first of two")
                .before("bringer", |s| bring_when_both_sleep(s, 1))
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, take))
                .victim(|s| {
                    let mut items = s.items.lock().expect("free");
                    s.dies_in(|| {
                        while *items == 0 {
                            (items, _) = s.came.wait_outcome(items).expect("nobody else dies");
                        }
                        *items -= 1;
                        drop(items);
                    });
                })
                .sleeps_briefly()
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        last(
            script("wait_timeout_outcome, times out, while another waits")
                .before("bringer", bring_after_the_kill)
                .before("sleeper", take)
                .victim_beside_a_sleeper(|s| {
                    let items = s.items.lock().expect("it waits");
                    s.dies_in(|| s.came.wait_timeout_outcome(items, s.timeout()));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_timeout, times out, alone")
                .victim(|s| {
                    let items = s.items.lock().expect("free");
                    s.dies_in(|| s.came.wait_timeout(items, s.timeout()));
                })
                .sleeps_briefly()
                .sleeps(1)
                .after("newcomer", look)
                .sees(&["newcomer ok", "newcomer owner died"]),
        ),
        last(
            script("wait_timeout, times out, while another waits")
                .before("bringer", bring_after_the_kill)
                .before("sleeper", take)
                .victim_beside_a_sleeper(|s| {
                    let items = s.items.lock().expect("it waits");
                    s.dies_in(|| s.came.wait_timeout(items, s.timeout()));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_timeout_while, times out, while another waits")
                .before("bringer", bring_after_the_kill)
                .before("sleeper", take)
                .victim_beside_a_sleeper(|s| {
                    let items = s.items.lock().expect("it waits");
                    s.dies_in(|| s.came.wait_timeout_while(items, s.timeout(), |items| *items == 0));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_timeout_while, in time, relock, the first of two")
                .before("bringer", |s| bring_when(s, 1, Stage::until_the_victim_sleeps))
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps, take))
                .victim(|s| {
                    let items = s.items.lock().expect("free");
                    s.dies_in(|| {
                        let waited = s.came.wait_timeout_while(items, s.timeout(), |items| *items == 0);
                        let (mut items, _) = waited.expect("nobody else dies");
                        *items = items.saturating_sub(1);
                    });
                })
                .sleeps_briefly()
                .sees(&["sleeper ok"]),
        ),
    ]
}
