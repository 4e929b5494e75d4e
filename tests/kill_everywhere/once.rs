//! Once, OnceLock, LazyLock.

use super::common::{fork, wait};
use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{LazyLock, Once, OnceError, OnceLock, Segment, Shareable};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

#[derive(Debug, Shareable)]
#[repr(C)]
pub(super) struct Shared {
    once: Once,
    /// What is done once: both numbers become 1.
    work: [AtomicU64; 2],
    value: OnceLock<[u64; 2]>,
}

type World = Segment<Shared>;

fn script(name: &str) -> Script<World> {
    operation("Once", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

fn work(s: &Stage<World>) {
    s.work.iter().for_each(|half| half.store(1, SeqCst));
}

/// Does the work, if it was not done. Half of it is reported.
fn call_once(s: &Stage<World>) -> Told {
    let mut word = "found it done";
    let answer = s.once.call_once_force(|earlier| {
        word = if earlier.is_poisoned() { "did it anew" } else { "did it" };
        work(s);
    });
    answer.map_err(|error| error.to_string())?;
    match s.work.iter().all(|half| half.load(SeqCst) == 1) {
        true => Ok(word),
        false => Err("half of it is done, and it counts as done".into()),
    }
}

fn call_once_when_it_is_begun(s: &Stage<World>) -> Told {
    s.ready();
    s.until_the_victim_is_ready();
    call_once(s)
}

fn call_once_later(s: &Stage<World>) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    s.until_the_victim_sleeps_for_good();
    call_once(s)
}

/// The value, whose two halves are equal.
fn get_or_init(s: &Stage<World>) -> Told {
    let value = s.value.get_or_init(|| [2, 2]).map_err(|error| error.to_string())?;
    match value {
        [1, 1] => Ok("found the victim's"),
        [2, 2] => Ok("made its own"),
        other => Err(format!("half a value: {other:?}")),
    }
}

fn get_or_init_when_it_is_begun(s: &Stage<World>) -> Told {
    s.ready();
    s.until_the_victim_is_ready();
    get_or_init(s)
}

fn die_over_it(s: &Stage<World>) -> Told {
    s.ends_by_death();
    // SAFETY: ends the process.
    let process = fork(|| s.once.call_once(|| unsafe { libc::_exit(0) }).map_or(1, |()| 2));
    if wait(process) == 0 { Ok("") } else { Err("the process did not die".into()) }
}

/// Is the initialiser until the victim and the second role sleep for good.
fn do_it_when_both_sleep(s: &Stage<World>) -> Told {
    let answer = s.once.call_once(|| {
        s.ready();
        s.until_they_sleep(&[1]);
        s.until_the_victim_sleeps_for_good();
        work(s);
    });
    answer.map(|()| "").map_err(|error| error.to_string())
}

/// The same by another process, which dies in the middle.
fn die_over_it_when_both_sleep(s: &Stage<World>) -> Told {
    let process = fork(|| {
        let _never = s.once.call_once(|| {
            s.ready();
            s.until_they_sleep(&[1]);
            s.until_the_victim_sleeps_for_good();
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        });
        1
    });
    match wait(process) {
        0 => Ok(""),
        status => Err(format!("the initialiser ended with {status}")),
    }
}

/// The victim, already a participant, calls.
fn victim_calls(s: &Stage<World>) {
    s.attach().expect("room");
    s.dies_in(|| s.once.call_once(|| work(s)));
}

const FOUND_OR_MADE: &[&str] = &["newcomer found the victim's", "newcomer made its own"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let caller = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", call_once).last("the last", |s| call_once(s).map(|_| "")))
    };
    let reader = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", get_or_init).last("the last", |s| get_or_init(s).map(|_| "")))
    };
    vec![
        caller(script("call_once").victim(victim_calls).sees(&[
            "newcomer did it",
            "newcomer did it anew",
            "newcomer found it done",
        ])),
        caller(
            script("call_once, done over by one that is dead")
                .before("predecessor", die_over_it)
                .victim(victim_calls)
                .sees(&["newcomer did it anew", "newcomer found it done"]),
        ),
        caller(
            script("call_once_force, done over by one that is dead")
                .before("predecessor", die_over_it)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.once.call_once_force(|earlier| {
                            assert!(earlier.is_poisoned(), "one has died over it");
                            work(s);
                        })
                    });
                })
                .sees(&["newcomer did it anew", "newcomer found it done"]),
        ),
        caller(
            script("the action of call_once, and the end, while two wait")
                .before("first", call_once_when_it_is_begun)
                .before("second", call_once_when_it_is_begun)
                .victim(|s| {
                    let answer = s.once.call_once(|| {
                        s.victim_is_ready();
                        s.until_they_sleep(&[0, 1]);
                        s.dies_from_here();
                        work(s);
                    });
                    s.dies_until_here(answer);
                })
                .sees(&["first did it anew", "first found it done", "second found it done"]),
        ),
        caller(
            script("call_once, done by another, the first of two who wait")
                .before("initialiser", do_it_when_both_sleep)
                .before("sleeper", call_once_later)
                .victim(victim_calls)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper found it done"]),
        ),
        caller(
            script("call_once, its initialiser dies, the first of two who wait")
                .before("initialiser", die_over_it_when_both_sleep)
                .before("sleeper", call_once_later)
                .victim(victim_calls)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper did it anew"]),
        ),
        reader(script("OnceLock set").joined_victim(|s| s.dies_in(|| s.value.set([1, 1]))).sees(FOUND_OR_MADE)),
        reader(
            script("OnceLock get_or_init, with the first use")
                .victim(|s| s.dies_in(|| s.value.get_or_init(|| [1, 1]).map(drop)))
                .sees(FOUND_OR_MADE),
        ),
        reader(
            script("OnceLock get_or_try_init, makes it")
                .joined_victim(|s| s.dies_in(|| s.value.get_or_try_init(|| Ok::<_, OnceError>([1, 1])).map(drop)))
                .sees(FOUND_OR_MADE),
        ),
        reader(
            script("the end of OnceLock get_or_try_init, fails, while two wait")
                .before("first", get_or_init_when_it_is_begun)
                .before("second", get_or_init_when_it_is_begun)
                .victim(|s| {
                    let answer = s.value.get_or_try_init(|| {
                        s.victim_is_ready();
                        s.until_they_sleep(&[0, 1]);
                        s.dies_from_here();
                        Err(OnceError::Interrupted)
                    });
                    s.dies_until_here(answer.map(drop));
                })
                .sees(&["first made its own, second made its own"]),
        ),
        reader(
            script("LazyLock force")
                .joined_victim(|s| {
                    let lazy = LazyLock::new(&s.value, || [1, 1]);
                    s.dies_in(|| lazy.force().map(drop));
                })
                .sees(FOUND_OR_MADE),
        ),
    ]
}
