//! RwLock. A reader's death is reported to nobody. A writer's death is reported to all until a
//! writer marks the data consistent.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{LockError, RwLock, RwLockWriteGuard, Segment};

type World = Segment<RwLock<[u64; 2], 4>>;

fn script(name: &str) -> Script<World> {
    operation("RwLock", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

fn update(pair: &mut [u64; 2]) {
    pair[0] += 1;
    std::hint::black_box(&mut *pair);
    pair[1] += 1;
}

/// Writes. No other is inside, and half an update is reported.
fn write(s: &Stage<World>) -> Told {
    let (mut guard, word) = match s.write() {
        Ok(pair) if pair[0] != pair[1] => return Err("half an update that was not reported".into()),
        Ok(guard) => (guard, "ok"),
        Err(LockError::OwnerDied(left)) => {
            let mut guard = left.into_inner();
            guard[1] = guard[0];
            guard.mark_consistent();
            (guard, "owner died")
        }
        Err(other) => return Err(other.to_string()),
    };
    let before = guard[0];
    guard[0] += 1;
    std::thread::yield_now();
    guard[1] += 1;
    if *guard == [before + 1; 2] { Ok(word) } else { Err("two were inside at once".into()) }
}

fn read(s: &Stage<World>) -> Told {
    match s.read() {
        Ok(pair) if pair[0] != pair[1] => Err("half an update that was not reported".into()),
        Ok(_) => Ok("ok"),
        Err(LockError::OwnerDied(_)) => Ok("owner died"),
        Err(other) => Err(other.to_string()),
    }
}

fn when_it_is_held(s: &Stage<World>, act: fn(&Stage<World>) -> Told) -> Told {
    s.ready();
    s.until_the_victim_is_ready();
    act(s)
}

/// Sleeps behind the victim in the queue.
fn later(s: &Stage<World>, act: fn(&Stage<World>) -> Told) -> Told {
    when(s, Stage::until_the_victim_sleeps_for_good, act)
}

/// The same, where the victim sleeps with a timeout.
fn soon(s: &Stage<World>, act: fn(&Stage<World>) -> Told) -> Told {
    when(s, Stage::until_the_victim_sleeps, act)
}

fn when(s: &Stage<World>, until: fn(&Stage<World>), act: fn(&Stage<World>) -> Told) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    until(s);
    act(s)
}

fn find_all_well(s: &Stage<World>) -> Told {
    write(s)?;
    match s.try_read() {
        Ok(pair) if pair[0] == pair[1] => Ok(""),
        other => Err(format!("in the end: {other:?}")),
    }
}

/// Holds this guard until the victim and the second role sleep for good.
fn hold_until_both_sleep<G>(s: &Stage<World>, guard: Result<G, LockError<G>>) -> Told {
    let _guard = guard.map_err(|error| error.to_string())?;
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
    Ok("")
}

/// Holds this guard until the victim is dead.
fn hold<G>(s: &Stage<World>, guard: Result<G, LockError<G>>) -> Told {
    let _guard = guard.map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_kill();
    Ok("")
}

fn leak_writing(s: &Stage<World>) -> Told {
    s.leaks_in_a_thread(|| core::mem::forget(s.write().expect("free")))
}

fn leak_reading(s: &Stage<World>) -> Told {
    s.leaks_in_a_thread(|| core::mem::forget(s.read().expect("free")))
}

fn die_writing(s: &Stage<World>) -> Told {
    s.ends_by_death();
    core::mem::forget(s.write());
    Ok("")
}

fn victim_reads(s: &Stage<World>) {
    s.dies_in(|| s.read());
}

fn victim_writes(s: &Stage<World>) {
    s.dies_in(|| s.write());
}

fn victim_tries_to_read(s: &Stage<World>) {
    s.dies_in(|| s.try_read());
}

fn victim_tries_to_write(s: &Stage<World>) {
    s.dies_in(|| s.try_write());
}

fn victim_reads_in_time(s: &Stage<World>) {
    s.dies_in(|| s.try_read_for(s.timeout()));
}

fn victim_writes_in_time(s: &Stage<World>) {
    s.dies_in(|| s.try_write_for(s.timeout()));
}

/// A writer is the victim. A reader and a writer wait for it.
fn slept_on(name: &str) -> Script<World> {
    script(name).before("reader", |s| when_it_is_held(s, read)).before("writer", |s| when_it_is_held(s, write)).sees(&[
        "reader ok",
        "reader owner died",
        "writer ok",
        "writer owner died",
    ])
}

fn updated_and_slept_on(s: &Stage<World>) -> RwLockWriteGuard<'_, [u64; 2], 4> {
    let mut guard = s.write().expect("free");
    update(&mut guard);
    s.victim_is_ready();
    s.until_they_sleep(&[0, 1]);
    guard
}

const EITHER: &[&str] = &["newcomer ok", "newcomer owner died"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", write).last("the last", find_all_well))
    };
    let written = |name: &str, act: fn(&Stage<World>) -> Told| {
        script(name).before("writer", |s| hold(s, s.write())).before("sleeper", act).sees(&["sleeper ok, newcomer ok"])
    };
    vec![
        newcomer(script("read, free").joined_victim(victim_reads).sees(&["newcomer ok"])),
        newcomer(
            script("read, and unlock, while a writer sleeps on it")
                .before("writer", |s| when_it_is_held(s, write))
                .victim(|s| {
                    let guard = s.read().expect("free");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| drop(guard));
                })
                .sees(&["writer ok"]),
        ),
        newcomer(
            script("read, while one writes, the first of two sleepers")
                .before("writer", |s| hold_until_both_sleep(s, s.write()))
                .before("sleeper", |s| later(s, write))
                .joined_victim(victim_reads)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        newcomer(
            script("read, where a writer has died")
                .before("predecessor", die_writing)
                .joined_victim(victim_reads)
                .sees(&["newcomer owner died"]),
        ),
        newcomer(script("write, free").joined_victim(victim_writes).sees(EITHER)),
        newcomer(
            script("write, update, unlock, and two compete for what is left")
                .meanwhile("reader", read)
                .meanwhile("writer", write)
                .joined_victim(|s| s.dies_in(|| update(&mut s.write().expect("free"))))
                .sees(&["reader ok", "writer ok", "writer owner died"]),
        ),
        newcomer(
            script("write, while one reads, and a reader sleeps behind it")
                .before("reader", |s| hold_until_both_sleep(s, s.read()))
                .before("sleeper", |s| later(s, read))
                .joined_victim(victim_writes)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        newcomer(
            script("write, while one writes, the first of two sleepers")
                .before("holder", |s| hold_until_both_sleep(s, s.write()))
                .before("sleeper", |s| later(s, read))
                .joined_victim(victim_writes)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        newcomer(
            script("write, taken over from one that is dead")
                .before("predecessor", die_writing)
                .joined_victim(victim_writes)
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("write, taken over, marked consistent, unlock")
                .before("predecessor", die_writing)
                .joined_victim(|s| {
                    s.dies_in(|| match s.write() {
                        Err(LockError::OwnerDied(left)) => left.into_inner().mark_consistent(),
                        other => panic!("{other:?}"),
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            script("read_leaked, where a writer has leaked its guard")
                .before("leaker", leak_writing)
                .joined_victim(|s| {
                    // SAFETY: nothing of the leaked guard is used.
                    s.dies_in(|| unsafe { s.read_leaked() });
                })
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("write_leaked, where a writer has leaked its guard")
                .before("leaker", leak_writing)
                .joined_victim(|s| {
                    // SAFETY: nothing of the leaked guard is used.
                    s.dies_in(|| unsafe { s.write_leaked() });
                })
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("write_leaked, where a reader has leaked its guard")
                .before("leaker", leak_reading)
                .joined_victim(|s| {
                    // SAFETY: nothing of the leaked guard is used.
                    s.dies_in(|| unsafe { s.write_leaked() });
                })
                .sees(EITHER),
        ),
        newcomer(script("try_read, free").joined_victim(victim_tries_to_read).sees(&["newcomer ok"])),
        newcomer(
            script("try_read, where a writer has died")
                .before("predecessor", die_writing)
                .joined_victim(victim_tries_to_read)
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            written("try_read, while one writes, and a reader sleeps", read)
                .victim_beside_a_sleeper(victim_tries_to_read),
        ),
        newcomer(script("try_write, free").joined_victim(victim_tries_to_write).sees(EITHER)),
        newcomer(
            script("try_write, taken over from one that is dead")
                .before("predecessor", die_writing)
                .joined_victim(victim_tries_to_write)
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            written("try_write, while one writes, and a writer sleeps", write)
                .victim_beside_a_sleeper(victim_tries_to_write),
        ),
        newcomer(
            script("try_write, while one reads")
                .before("reader", |s| hold(s, s.read()))
                .joined_victim(victim_tries_to_write)
                .sees(EITHER),
        ),
        newcomer(
            script("try_read_for, times out, alone")
                .before("writer", |s| hold(s, s.write()))
                .joined_victim(victim_reads_in_time)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            written("try_read_for, times out, while a writer sleeps", write)
                .victim_beside_a_sleeper(victim_reads_in_time)
                .sleeps_briefly()
                .sleeps(1),
        ),
        newcomer(
            script("try_write_for, times out, while one reads")
                .before("reader", |s| hold(s, s.read()))
                .joined_victim(victim_writes_in_time)
                .sleeps_briefly()
                .sleeps(1)
                .sees(EITHER),
        ),
        newcomer(
            script("try_write_for, times out, while one reads, and a reader sleeps behind it")
                .before("reader", |s| hold(s, s.read()))
                .before("sleeper", |s| soon(s, read))
                .joined_victim(victim_writes_in_time)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        newcomer(slept_on("write unlock, while a reader and a writer sleep").victim(|s| {
            let guard = updated_and_slept_on(s);
            s.dies_in(|| drop(guard));
        })),
        newcomer(slept_on("downgrade, while a reader and a writer sleep").victim(|s| {
            let guard = updated_and_slept_on(s);
            s.dies_in(|| RwLockWriteGuard::downgrade(guard));
        })),
    ]
}
