//! Semaphore. Permits that the victim has acquired are gone; those that it has released, or has only waited for, are not.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Segment, Semaphore};

type World = Segment<Semaphore>;

fn script(name: &str, permits: u32) -> Script<World> {
    operation("Semaphore", name, move |_| {
        World::anonymous(|semaphore| *semaphore = Semaphore::new(permits)).expect("a segment")
    })
}

fn acquire(s: &Stage<World>, count: u32) -> Told {
    s.acquire_many(count).map(|()| "ok").map_err(|error| error.to_string())
}

/// Sleeps behind the victim.
fn acquire_later(s: &Stage<World>, count: u32) -> Told {
    s.attach().expect("room"); // now: a newcomer would wake the victim
    s.ready();
    s.until_the_victim_sleeps_for_good();
    acquire(s, count)
}

/// Releases one after the other when the victim and the second of the cast sleep for good.
fn release_when_both_sleep(s: &Stage<World>, count: u32) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
    (0..count).try_for_each(|_| s.release()).map_err(|error| error.to_string())?;
    Ok("")
}

/// Releases what the victim has not. (More than the sleepers want, so that it can be told.)
fn release_unless_it_did(s: &Stage<World>, wanted: u32) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    if s.available() > 0 {
        return Ok("found it released");
    }
    s.release_many(wanted).map(|()| "released").map_err(|error| error.to_string())
}

fn count_the_rest(s: &Stage<World>) -> Told {
    match (0..).take_while(|_| s.try_acquire().is_ok()).count() {
        0 => Ok("found none"),
        1 => Ok("found one"),
        2 => Ok("found two"),
        _ => Err("permits out of nothing".into()),
    }
}

const RELEASED_OR_NOT: &[&str] = &["observer found it released", "observer released"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> { Box::new(script.after("newcomer", count_the_rest)) };
    vec![
        newcomer(
            script("acquire, free", 1)
                .victim(|s| {
                    s.attach().expect("room");
                    s.dies_in(|| s.acquire());
                })
                .sees(&["newcomer found one", "newcomer found none"]),
        ),
        newcomer(
            script("acquire_many, free", 2)
                .victim(|s| {
                    s.attach().expect("room");
                    s.dies_in(|| s.acquire_many(2));
                })
                .sees(&["newcomer found two", "newcomer found none"]),
        ),
        newcomer(
            script("acquire, the first of two sleepers, for two releases", 0)
                .before("releaser", |s| release_when_both_sleep(s, 2))
                .before("sleeper", |s| acquire_later(s, 1))
                .victim(|s| {
                    s.attach().expect("room");
                    s.dies_in(|| s.acquire());
                })
                .naps()
                .sleeps(1)
                .sees(&["sleeper ok, newcomer found one", "sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("acquire, the last of two sleepers, while the first wants two", 0)
                .before("releaser", |s| release_when_both_sleep(s, 3))
                .before("sleeper", |s| acquire(s, 2))
                .victim(|s| {
                    s.attach().expect("room");
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.acquire());
                })
                .naps()
                .sees(&["sleeper ok, newcomer found one", "sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("acquire_many, the first of two sleepers, for three releases", 0)
                .before("releaser", |s| release_when_both_sleep(s, 3))
                .before("sleeper", |s| acquire_later(s, 1))
                .victim(|s| {
                    s.attach().expect("room");
                    s.dies_in(|| s.acquire_many(2));
                })
                .naps()
                .sleeps(1)
                .sees(&["sleeper ok, newcomer found two", "sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("release, while one sleeps", 0)
                .before("observer", |s| release_unless_it_did(s, 1))
                .before("sleeper", |s| acquire(s, 1))
                .victim(|s| {
                    s.attach().expect("room");
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.release_many(2));
                })
                .sees(RELEASED_OR_NOT),
        ),
        newcomer(
            script("release, by one that has not taken part yet, while one sleeps", 0)
                .before("observer", |s| release_unless_it_did(s, 1))
                .before("sleeper", |s| acquire(s, 1))
                .victim(|s| {
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.release_many(2));
                })
                .sees(RELEASED_OR_NOT),
        ),
        newcomer(
            script("release, while two sleep, one of whom wants two", 0)
                .before("observer", |s| release_unless_it_did(s, 3))
                .before("sleeper for two", |s| acquire(s, 2))
                .before("sleeper", |s| acquire(s, 1))
                .victim(|s| {
                    s.attach().expect("room");
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.release_many(4));
                })
                .sees(RELEASED_OR_NOT),
        ),
    ]
}
