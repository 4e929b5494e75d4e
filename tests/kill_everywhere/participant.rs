//! Coming and going: registration, detachment, unmapping.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Error, LockError, Mutex, Segment};

type World = Segment<Mutex<u64>>;

/// With a table of so many slots that those that are left need the victim's.
fn script(name: &str, participants: usize) -> Script<World> {
    operation("Segment", name, move |_| {
        Segment::options().participants(participants).anonymous(|_, _| {}).expect("a segment")
    })
}

/// Takes part, and locks.
fn get_in(s: &Stage<World>) -> Told {
    match s.lock() {
        Ok(_) => Ok("ok"),
        Err(LockError::OwnerDied(left)) => {
            left.into_guard().mark_consistent();
            Ok("owner died")
        }
        Err(other) => Err(other.to_string()),
    }
}

/// The last: nobody takes part that is not there.
fn find_nobody_else(s: &Stage<World>) -> Told {
    get_in(s)?;
    match s.participants().len() {
        1 => Ok(""),
        more => Err(format!("{more} take part in the end, and one is there")),
    }
}

/// Holds until the victim is dead.
fn hold(s: &Stage<World>) -> Told {
    let guard = s.lock().map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_kill();
    drop(guard);
    Ok("")
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", get_in).last("the last", find_nobody_else))
    };
    vec![
        newcomer(script("attach, the only slot", 1).victim(|s| s.dies_in(|| s.attach())).sees(&["newcomer ok"])),
        newcomer(script("attach, one of many slots", 4).victim(|s| s.dies_in(|| s.attach())).sees(&["newcomer ok"])),
        newcomer(
            script("detach, one of many slots", 4)
                .victim(|s| {
                    s.attach().expect("room");
                    s.dies_in(|| s.detach());
                })
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            script("attach, by a thread that is not the main one", 4)
                .victim(|s| {
                    std::thread::scope(|scope| {
                        scope.spawn(|| s.dies_in(|| s.attach()));
                    });
                })
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            script("attach, the slot of one that is dead", 1)
                .before("predecessor", |s| {
                    core::mem::forget(s.lock());
                    Ok("")
                })
                .victim(|s| s.dies_in(|| s.attach()))
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            script("attach, while one sleeps", 3)
                .before("holder", hold)
                .before("sleeper", get_in)
                .victim(|s| s.dies_in(|| s.attach()))
                .sees(&["sleeper ok, newcomer ok"]),
        ),
        Box::new(
            script("attach, the table is full", 1)
                .before("holder", hold)
                .victim(|s| {
                    s.dies_in(|| match s.attach() {
                        Err(Error::Full { participants: 1 }) => {}
                        other => panic!("{other:?}"),
                    });
                })
                .last("the last", find_nobody_else),
        ),
        newcomer(
            script("detach, the only slot", 1)
                .victim(|s| {
                    s.attach().expect("room");
                    s.dies_in(|| s.detach());
                })
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            script("detach, by a thread that is not the main one", 4)
                .victim(|s| {
                    std::thread::scope(|scope| {
                        scope.spawn(|| {
                            s.attach().expect("room");
                            s.dies_in(|| s.detach());
                        });
                    });
                })
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            script("detach, while one sleeps", 3)
                .before("holder", hold)
                .before("sleeper", get_in)
                .victim(|s| {
                    s.attach().expect("room");
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.detach());
                })
                .sees(&["sleeper ok, newcomer ok"]),
        ),
        newcomer(
            script("detach, refused to one that holds", 1)
                .victim(|s| {
                    let guard = s.lock().expect("free");
                    s.dies_in(|| match s.detach() {
                        Err(Error::StillHolding { .. }) => {}
                        other => panic!("{other:?}"),
                    });
                    drop(guard);
                })
                .sees(&["newcomer owner died"]),
        ),
    ]
}
