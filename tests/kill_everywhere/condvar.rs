//! Condvar, with a Mutex. Nobody is left asleep beside a predicate that is true.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Condvar, LockError, LockResult, Mutex, MutexGuard, Segment, Shareable};

#[derive(Debug, Shareable)]
#[repr(C)]
pub(super) struct Shared {
    items: Mutex<u64>,
    came: Condvar,
}

type World = Segment<Shared>;

fn script(name: &str) -> Script<World> {
    operation("Condvar", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

/// One number cannot be half updated.
fn whatever_died(answer: LockResult<MutexGuard<'_, u64>>) -> Result<(MutexGuard<'_, u64>, &'static str), String> {
    match answer {
        Ok(guard) => Ok((guard, "ok")),
        Err(LockError::OwnerDied(left)) => {
            let mut guard = left.into_guard();
            guard.mark_consistent();
            Ok((guard, "owner died"))
        }
        Err(other) => Err(other.to_string()),
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

/// Sleeps behind the victim.
fn take_later(s: &Stage<World>, until: fn(&Stage<World>)) -> Told {
    s.attach().expect("room"); // now: a newcomer would wake the victim
    s.ready();
    until(s);
    take(s)
}

/// Brings two items if the victim has not.
fn fill_unless_it_did(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    let (mut items, _) = whatever_died(s.items.lock())?;
    // The two who wait take one each, of three.
    if *items > 0 {
        return Ok("found it filled");
    }
    *items = 3;
    drop(items);
    s.came.notify_all();
    Ok("filled it")
}

/// Brings items when the victim and the second of the cast sleep for good; and more if they are gone, perhaps with the victim.
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
        s.came.notify_n(count as u32); // who is woken finds it locked
        drop(items);
    }
    Ok("")
}

/// Brings one when the victim is dead, whatever that did. The one notification is the sleeper's.
fn bring_after_the_kill(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    bring_if_there_is_none(s, 1)
}

/// Locks what the victim has taken again, perhaps.
fn look(s: &Stage<World>) -> Told {
    whatever_died(s.items.lock()).map(|(_, word)| word)
}

fn find_all_well(s: &Stage<World>) -> Told {
    drop(whatever_died(s.items.lock())?);
    s.came.notify_all();
    match s.items.try_lock() {
        Ok(_) => Ok(""),
        other => Err(format!("in the end: {other:?}")),
    }
}

/// Two wait. The victim makes their predicate true, and is killed while it tells them.
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
                .victim(|s| {
                    s.attach().expect("room");
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
            script("wait in a loop, notified, relock, the first of two")
                .before("bringer", |s| bring_when_both_sleep(s, 1))
                .before("sleeper", |s| take_later(s, Stage::until_the_victim_sleeps_for_good))
                .victim(|s| {
                    s.attach().expect("room");
                    s.dies_in(|| take(s));
                })
                .naps()
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        last(
            script("wait_while, notified, relock, the first of two")
                .before("bringer", |s| bring_when_both_sleep(s, 1))
                .before("sleeper", |s| take_later(s, Stage::until_the_victim_sleeps_for_good))
                .victim(|s| {
                    let items = s.items.lock().expect("free");
                    s.dies_in(|| s.came.wait_while(items, |items| *items == 0).map(|mut items| *items -= 1));
                })
                .naps()
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_while, notified, relock, the last of two who are woken at once")
                .before("bringer", |s| bring_when_both_sleep(s, 2))
                .before("sleeper", take)
                .victim(|s| {
                    s.attach().expect("room");
                    s.until_they_sleep(&[1]);
                    let items = s.items.lock().expect("it waits");
                    s.dies_in(|| s.came.wait_while(items, |items| *items == 0).map(|mut items| *items -= 1));
                })
                .naps()
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_timeout, times out, alone")
                .victim(|s| {
                    let items = s.items.lock().expect("free");
                    s.dies_in(|| s.came.wait_timeout(items, s.timeout()));
                })
                .naps()
                .sleeps(1)
                .after("newcomer", look)
                .sees(&["newcomer ok", "newcomer owner died"]),
        ),
        last(
            script("wait_timeout, times out, while another waits")
                .before("bringer", bring_after_the_kill)
                .before("sleeper", take)
                .victim(|s| {
                    s.attach().expect("room");
                    s.until_they_sleep(&[1]);
                    let items = s.items.lock().expect("it waits");
                    s.dies_in(|| s.came.wait_timeout(items, s.timeout()));
                })
                .naps()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_timeout_while, times out, while another waits")
                .before("bringer", bring_after_the_kill)
                .before("sleeper", take)
                .victim(|s| {
                    s.attach().expect("room");
                    s.until_they_sleep(&[1]);
                    let items = s.items.lock().expect("it waits");
                    s.dies_in(|| s.came.wait_timeout_while(items, s.timeout(), |items| *items == 0));
                })
                .naps()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        last(
            script("wait_timeout_while, in time, relock, the first of two")
                .before("bringer", |s| bring_when(s, 1, Stage::until_the_victim_sleeps))
                .before("sleeper", |s| take_later(s, Stage::until_the_victim_sleeps))
                .victim(|s| {
                    let items = s.items.lock().expect("free");
                    s.dies_in(|| {
                        let waited = s.came.wait_timeout_while(items, s.timeout(), |items| *items == 0);
                        let (mut items, _) = waited.expect("nobody else dies");
                        *items = items.saturating_sub(1);
                    });
                })
                .naps()
                .sees(&["sleeper ok"]),
        ),
    ]
}
