//! Event, of both kinds.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Event, Segment};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

type World = Segment<Event>;

fn script(name: &str, event: fn() -> Event) -> Script<World> {
    operation("Event", name, move |_| World::anonymous(|place| *place = event()).expect("a segment"))
}

/// Whether the event was ever set, even if it was cleared since.
fn was_set(s: &Stage<World>) -> bool {
    const SEQUENCE: u32 = (1 << 27) - 1;
    // SAFETY: an event is one word, which is only accessed atomically.
    let word = unsafe { &*core::ptr::from_ref::<Event>(s).cast::<AtomicU32>() };
    word.load(SeqCst) & SEQUENCE != 0
}

fn wait(s: &Stage<World>) -> Told {
    s.wait().map(|()| "ok").map_err(|error| error.to_string())
}

/// Sleeps behind the victim in the queue.
fn wait_later(s: &Stage<World>, until: fn(&Stage<World>)) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    until(s);
    wait(s)
}

/// Sets the event after the victim's death, whatever the victim did.
fn set_after_the_kill(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    s.set().map(|()| "").map_err(|error| error.to_string())
}

/// Sets the event, unless the victim did.
fn set_unless_it_did(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    if was_set(s) {
        return Ok("found it set");
    }
    s.set().map(|()| "set it").map_err(|error| error.to_string())
}

/// Sets the event when the victim and the second role, behind it, sleep for good. Sets it once more
/// if the victim may have taken a set.
fn set_when_both_sleep(s: &Stage<World>) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    s.set().map_err(|error| error.to_string())?;
    s.until_the_kill();
    if !s.is_set() {
        s.set().map_err(|error| error.to_string())?;
    }
    Ok("")
}

fn look(s: &Stage<World>) -> Told {
    Ok(if s.is_set() { "found it set" } else { "found it clear" })
}

fn victim_waits_for_a_while(s: &Stage<World>) {
    s.attach().expect("room");
    s.dies_in(|| s.wait_timeout(s.timeout()));
}

/// The same, behind the second role.
fn victim_waits_for_a_while_behind_a_sleeper(s: &Stage<World>) {
    s.attach().expect("room");
    s.until_they_sleep(&[1]);
    s.dies_in(|| s.wait_timeout(s.timeout()));
}

/// The event still works.
fn set_and_wait(s: &Stage<World>) -> Told {
    s.set().map_err(|error| error.to_string())?;
    s.try_wait().map_err(|error| format!("set, and {error}"))?;
    match s.is_set() {
        set if set == s.is_auto_reset() => Err("one set for two".into()),
        _ => Ok(""),
    }
}

const SET_OR_NOT: &[&str] = &["observer found it set", "observer set it"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let last = |script: Script<World>| -> Box<dyn Operation> { Box::new(script.last("the last", set_and_wait)) };
    let slept_on = |name: &str, event| {
        script(name, event).before("observer", set_unless_it_did).before("first", wait).sees(SET_OR_NOT)
    };
    let asleep = |name: &str, event| {
        script(name, event)
            .before("setter", set_when_both_sleep)
            .before("sleeper", |s| wait_later(s, Stage::until_the_victim_sleeps_for_good))
            .joined_victim(|s| s.dies_in(|| s.wait()))
            .sleeps_briefly()
            .sleeps(1)
            .sees(&["sleeper ok"])
    };
    let beside_a_sleeper = |name: &str, event| {
        script(name, event).before("setter", set_after_the_kill).before("sleeper", wait).sees(&["sleeper ok"])
    };
    vec![
        last(slept_on("set, while two sleep", Event::new).before("second", wait).joined_victim(|s| {
            s.until_they_sleep(&[1, 2]);
            s.dies_in(|| s.set());
        })),
        last(slept_on("set and clear, while two sleep", Event::new).before("second", wait).joined_victim(|s| {
            s.until_they_sleep(&[1, 2]);
            s.dies_in(|| s.set().map(|()| s.clear()));
        })),
        last(slept_on("set, by one that has not taken part yet, while one sleeps", Event::new).victim(|s| {
            s.until_they_sleep(&[1]);
            s.dies_in(|| s.set());
        })),
        last(asleep("wait, the first of two sleepers", Event::new)),
        last(
            slept_on("set, for one, while it sleeps", Event::auto_reset)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.set())),
        ),
        last(asleep("wait, for one, the first of two sleepers", Event::auto_reset)),
        last(
            script("wait_timeout, times out, alone", Event::new)
                .victim(victim_waits_for_a_while)
                .sleeps_briefly()
                .sleeps(1),
        ),
        last(
            beside_a_sleeper("wait_timeout, for one, times out, while another sleeps", Event::auto_reset)
                .victim(victim_waits_for_a_while_behind_a_sleeper)
                .sleeps_briefly()
                .sleeps(1),
        ),
        last(
            script("wait_timeout, for one, in time, the first of two sleepers", Event::auto_reset)
                .before("setter", set_when_both_sleep)
                .before("sleeper", |s| wait_later(s, Stage::until_the_victim_sleeps))
                .victim(victim_waits_for_a_while)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        last(
            script("try_wait, for one, set", Event::auto_reset)
                .victim(|s| {
                    s.set().expect("in a segment");
                    s.dies_in(|| s.try_wait());
                })
                .after("newcomer", look)
                .sees(&["newcomer found it set", "newcomer found it clear"]),
        ),
        last(
            beside_a_sleeper("try_wait, for one, not set, while another sleeps", Event::auto_reset)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_wait())),
        ),
        last(
            script("clear, set", Event::new)
                .victim(|s| {
                    s.set().expect("in a segment");
                    s.dies_in(|| s.clear());
                })
                .after("newcomer", look)
                .sees(&["newcomer found it set", "newcomer found it clear"]),
        ),
        last(
            beside_a_sleeper("clear, not set, while another sleeps", Event::new)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.clear())),
        ),
    ]
}
