//! Lock.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Lock, LockError, NotHeldError, Segment};

type World = Segment<Lock>;

fn script(name: &str) -> Script<World> {
    operation("Lock", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

/// Acquires, as every survivor must be able to.
fn acquire(s: &Stage<World>) -> Result<&'static str, String> {
    match s.acquire() {
        Ok(()) => Ok("ok"),
        Err(LockError::OwnerDied(_)) => {
            s.mark_consistent().map_err(|error| error.to_string())?;
            Ok("owner died")
        }
        Err(other) => Err(other.to_string()),
    }
}

fn get_through(s: &Stage<World>) -> Told {
    let word = acquire(s)?;
    std::thread::yield_now();
    if s.holder() != Some(s.attach().expect("takes part")) {
        return Err("two were inside at once".into());
    }
    s.release().map_err(|error| error.to_string())?;
    Ok(word)
}

fn find_all_well(s: &Stage<World>) -> Told {
    s.try_acquire().map_err(|error| format!("in the end: {error}"))?;
    s.release().map_err(|error| error.to_string())?;
    Ok("")
}

fn hold(s: &Stage<World>) -> Told {
    acquire(s)?;
    s.ready();
    s.until_the_kill();
    s.release().map_err(|error| error.to_string())?;
    Ok("")
}

/// Acquires, and leaves the release to the victim. Releases itself if the victim did not.
fn hold_for_the_victim(s: &Stage<World>) -> Told {
    acquire(s)?;
    s.ready();
    s.until_the_kill();
    match s.holder() == Some(s.attach().expect("takes part")) {
        true => s.release().map(|()| "still holds").map_err(|error| error.to_string()),
        false => Ok("was released"),
    }
}

fn die_with_it(s: &Stage<World>) -> Told {
    s.ends_by_death();
    acquire(s)?;
    Ok("")
}

const EITHER: &[&str] = &["newcomer ok", "newcomer owner died"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", get_through).last("the last", find_all_well))
    };
    let sleeper = |script: Script<World>| {
        script.before("sleeper", |s| {
            s.ready();
            s.until_the_victim_is_ready();
            get_through(s)
        })
    };
    let beside_a_sleeper = |name: &str| {
        script(name).before("holder", hold).before("sleeper", get_through).sees(&["sleeper ok, newcomer ok"])
    };
    vec![
        newcomer(script("acquire, free").joined_victim(|s| s.dies_in(|| s.acquire())).sees(EITHER)),
        newcomer(
            script("acquire, taken over from one that is dead")
                .before("predecessor", die_with_it)
                .joined_victim(|s| s.dies_in(|| s.acquire()))
                .sees(&["newcomer owner died"]),
        ),
        Box::new(
            script("acquire, release, after a death, and nobody vouches")
                .before("predecessor", die_with_it)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        let Err(LockError::OwnerDied(_)) = s.acquire() else { panic!("it died") };
                        s.release().expect("held");
                    });
                })
                .after("newcomer", |s| match get_through(s)? {
                    "ok" => Err("the death was not reported".into()),
                    word => Ok(word),
                })
                .last("the last", find_all_well)
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("acquire, mark_consistent, release, after a death")
                .before("predecessor", die_with_it)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        let Err(LockError::OwnerDied(_)) = s.acquire() else { panic!("it died") };
                        s.mark_consistent().expect("held");
                        s.release().expect("held");
                    });
                })
                .sees(EITHER),
        ),
        newcomer(script("try_acquire, free").joined_victim(|s| s.dies_in(|| s.try_acquire())).sees(EITHER)),
        newcomer(
            script("try_acquire, taken over from one that is dead")
                .before("predecessor", die_with_it)
                .joined_victim(|s| s.dies_in(|| s.try_acquire()))
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            beside_a_sleeper("try_acquire, held, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_acquire())),
        ),
        newcomer(
            beside_a_sleeper("try_acquire_for, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_acquire_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        newcomer(script("lock, free").joined_victim(|s| s.dies_in(|| s.lock())).sees(EITHER)),
        newcomer(script("try_lock, free").joined_victim(|s| s.dies_in(|| s.try_lock())).sees(EITHER)),
        newcomer(
            script("try_lock_for, free").joined_victim(|s| s.dies_in(|| s.try_lock_for(s.timeout()))).sees(EITHER),
        ),
        newcomer(
            script("acquire, adopt, dropped")
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.acquire().expect("free");
                        drop(s.adopt().expect("acquired"));
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            script("lock, forget, release")
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.lock().expect("free").forget();
                        s.release().expect("acquired");
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            script("release")
                .victim(|s| {
                    s.acquire().expect("free");
                    s.dies_in(|| s.release());
                })
                .sees(EITHER),
        ),
        newcomer(
            sleeper(script("release, while one sleeps"))
                .victim(|s| {
                    s.acquire().expect("free");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| s.release());
                })
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        newcomer(
            script("release of what another acquired, while one sleeps")
                .before("holder", hold_for_the_victim)
                .before("sleeper", get_through)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.release()))
                .sees(&["holder still holds, sleeper ok", "holder was released, sleeper ok"]),
        ),
        newcomer(
            script("release, by one that has not taken part yet, while one sleeps")
                .before("holder", hold_for_the_victim)
                .before("sleeper", get_through)
                .victim(|s| {
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.release());
                })
                .sees(&["holder still holds, sleeper ok", "holder was released, sleeper ok"]),
        ),
        newcomer(
            sleeper(script("guard dropped, while one sleeps"))
                .victim(|s| {
                    let guard = s.lock().expect("free");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| drop(guard));
                })
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        newcomer(
            sleeper(script("LockGuard release, while one sleeps"))
                .victim(|s| {
                    let guard = s.lock().expect("free");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| guard.release());
                })
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        newcomer(
            script("release of what nobody holds")
                .joined_victim(|s| {
                    s.dies_in(|| match s.release() {
                        Err(NotHeldError { holder: None, .. }) => {}
                        other => panic!("{other:?}"),
                    });
                })
                .sees(&["newcomer ok"]),
        ),
    ]
}
