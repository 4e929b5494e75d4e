//! Semaphore. Permits that the victim has acquired are gone. Permits that it has released, or has
//! only waited for, are not.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Segment, Semaphore, SemaphorePermit};

type World = Segment<Semaphore>;

fn script(name: &str, permits: u32) -> Script<World> {
    operation("Semaphore", name, move |_| {
        World::anonymous(|semaphore| *semaphore = Semaphore::new(permits)).expect("a segment")
    })
}

fn acquire(s: &Stage<World>, count: u32) -> Told {
    s.acquire_many(count).map(|()| "ok").map_err(|error| error.to_string())
}

/// Sleeps behind the victim in the queue.
fn acquire_later(s: &Stage<World>, count: u32) -> Told {
    acquire_when(s, count, Stage::until_the_victim_sleeps_for_good)
}

fn acquire_when(s: &Stage<World>, count: u32, until: fn(&Stage<World>)) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    until(s);
    acquire(s, count)
}

/// Sleeps while the victim has all permits.
fn acquire_when_none_is_left(s: &Stage<World>) -> Told {
    acquire_when(s, 1, Stage::until_the_victim_is_ready)
}

/// Releases one permit after the other when the victim and the second role sleep for good.
fn release_when_both_sleep(s: &Stage<World>, count: u32) -> Told {
    release_when(s, count, Stage::until_the_victim_sleeps_for_good)
}

fn release_when(s: &Stage<World>, count: u32, until: fn(&Stage<World>)) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    until(s);
    (0..count).try_for_each(|_| s.release()).map_err(|error| error.to_string())?;
    Ok("")
}

/// Releases after the victim's death, whatever the victim did.
fn release_after_the_kill(s: &Stage<World>, count: u32) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    s.release_many(count).map(|()| "").map_err(|error| error.to_string())
}

/// Releases permits, unless the victim did. (More than the sleepers want, so that the two cases can
/// be distinguished.)
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

/// For victims that acquire two permits at once, or none.
fn count_both_or_none(s: &Stage<World>) -> Told {
    match count_the_rest(s)? {
        "found one" => Err("one of two was acquired".into()),
        word => Ok(word),
    }
}

/// The victim has two permits when the second role falls asleep.
fn permits_slept_on(s: &Stage<World>) -> SemaphorePermit<'_> {
    let permits = s.try_permits_for(2, s.timeout()).expect("free");
    s.victim_is_ready();
    s.until_they_sleep(&[1]);
    permits
}

const RELEASED_OR_NOT: &[&str] = &["observer found it released", "observer released"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> { Box::new(script.after("newcomer", count_the_rest)) };
    let slept_on = |name: &str, permits| {
        script(name, permits)
            .before("releaser", |s| release_after_the_kill(s, 1))
            .before("sleeper", |s| acquire(s, 1))
            .sees(&["sleeper ok, newcomer found none"])
    };
    let given_back = |name: &str| {
        script(name, 2)
            .before("observer", |s| release_unless_it_did(s, 1))
            .before("sleeper", acquire_when_none_is_left)
            .sees(RELEASED_OR_NOT)
    };
    vec![
        newcomer(
            script("acquire, free", 1)
                .joined_victim(|s| s.dies_in(|| s.acquire()))
                .sees(&["newcomer found one", "newcomer found none"]),
        ),
        newcomer(
            script("acquire_many, free", 2)
                .joined_victim(|s| s.dies_in(|| s.acquire_many(2)))
                .sees(&["newcomer found two", "newcomer found none"]),
        ),
        newcomer(
            script("acquire, the first of two sleepers, for two releases", 0)
                .before("releaser", |s| release_when_both_sleep(s, 2))
                .before("sleeper", |s| acquire_later(s, 1))
                .joined_victim(|s| s.dies_in(|| s.acquire()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok, newcomer found one", "sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("acquire, the last of two sleepers, while the first wants two", 0)
                .before("releaser", |s| release_when_both_sleep(s, 3))
                .before("sleeper", |s| acquire(s, 2))
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.acquire()))
                .sleeps_briefly()
                .sees(&["sleeper ok, newcomer found one", "sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("acquire_many, the first of two sleepers, for three releases", 0)
                .before("releaser", |s| release_when_both_sleep(s, 3))
                .before("sleeper", |s| acquire_later(s, 1))
                .joined_victim(|s| s.dies_in(|| s.acquire_many(2)))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok, newcomer found two", "sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("release_many, while one sleeps", 0)
                .before("observer", |s| release_unless_it_did(s, 1))
                .before("sleeper", |s| acquire(s, 1))
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.release_many(2)))
                .sees(RELEASED_OR_NOT),
        ),
        newcomer(
            script("release_many, by one that has not taken part yet, while one sleeps", 0)
                .before("observer", |s| release_unless_it_did(s, 1))
                .before("sleeper", |s| acquire(s, 1))
                .victim(|s| {
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.release_many(2));
                })
                .sees(RELEASED_OR_NOT),
        ),
        newcomer(
            script("release_many, while two sleep, one of whom wants two", 0)
                .before("observer", |s| release_unless_it_did(s, 3))
                .before("sleeper for two", |s| acquire(s, 2))
                .before("sleeper", |s| acquire(s, 1))
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.release_many(4));
                })
                .sees(RELEASED_OR_NOT),
        ),
        newcomer(
            script("release, twice, while one sleeps", 0)
                .before("observer", |s| release_unless_it_did(s, 1))
                .before("sleeper", |s| acquire(s, 1))
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.release().and_then(|()| s.release())))
                .sees(RELEASED_OR_NOT),
        ),
        newcomer(
            script("try_acquire, free", 1)
                .joined_victim(|s| s.dies_in(|| s.try_acquire()))
                .sees(&["newcomer found one", "newcomer found none"]),
        ),
        newcomer(
            slept_on("try_acquire, none, while another sleeps", 0)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_acquire())),
        ),
        Box::new(
            script("try_acquire_many, free", 2)
                .joined_victim(|s| s.dies_in(|| s.try_acquire_many(2)))
                .after("newcomer", count_both_or_none)
                .sees(&["newcomer found two", "newcomer found none"]),
        ),
        newcomer(
            script("try_acquire_many, too few, while another sleeps who wants two", 1)
                .before("releaser", |s| release_after_the_kill(s, 1))
                .before("sleeper", |s| acquire(s, 2))
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_acquire_many(2)))
                .sees(&["sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("try_acquire_for, times out, alone", 0)
                .before("releaser", |s| release_after_the_kill(s, 1))
                .joined_victim(|s| s.dies_in(|| s.try_acquire_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found one"]),
        ),
        newcomer(
            slept_on("try_acquire_for, times out, while another sleeps", 0)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_acquire_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        newcomer(
            script("try_acquire_for, in time, the first of two sleepers, for two releases", 0)
                .before("releaser", |s| release_when(s, 2, Stage::until_the_victim_sleeps))
                .before("sleeper", |s| acquire_when(s, 1, Stage::until_the_victim_sleeps))
                .joined_victim(|s| s.dies_in(|| s.try_acquire_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok, newcomer found one", "sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("try_acquire_many_for, times out beside one, while another sleeps who wants two", 1)
                .before("releaser", |s| release_after_the_kill(s, 1))
                .before("sleeper", |s| acquire(s, 2))
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_acquire_many_for(3, s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok, newcomer found none"]),
        ),
        newcomer(
            script("permit, free", 1)
                .joined_victim(|s| s.dies_in(|| s.permit()))
                .sees(&["newcomer found one", "newcomer found none"]),
        ),
        newcomer(
            script("try_permit, free", 1)
                .joined_victim(|s| s.dies_in(|| s.try_permit()))
                .sees(&["newcomer found one", "newcomer found none"]),
        ),
        newcomer(
            script("try_permit_for, free", 1)
                .joined_victim(|s| s.dies_in(|| s.try_permit_for(s.timeout())))
                .sees(&["newcomer found one", "newcomer found none"]),
        ),
        Box::new(
            script("permits, free", 2)
                .joined_victim(|s| s.dies_in(|| s.permits(2)))
                .after("newcomer", count_both_or_none)
                .sees(&["newcomer found two", "newcomer found none"]),
        ),
        Box::new(
            script("try_permits, free", 2)
                .joined_victim(|s| s.dies_in(|| s.try_permits(2)))
                .after("newcomer", count_both_or_none)
                .sees(&["newcomer found two", "newcomer found none"]),
        ),
        Box::new(
            script("try_permits_for, free", 2)
                .joined_victim(|s| s.dies_in(|| s.try_permits_for(2, s.timeout())))
                .after("newcomer", count_both_or_none)
                .sees(&["newcomer found two", "newcomer found none"]),
        ),
        newcomer(given_back("SemaphorePermit release, of two, while one sleeps").victim(|s| {
            let permits = permits_slept_on(s);
            s.dies_in(|| permits.release());
        })),
        newcomer(given_back("SemaphorePermit dropped, of two, while one sleeps").victim(|s| {
            let permits = permits_slept_on(s);
            s.dies_in(|| drop(permits));
        })),
    ]
}
