//! The wait for the first of several.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{ArrayQueue, Event, Segment, Shareable, try_wait_any, wait_any, wait_any_timeout};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Sources {
    jobs: ArrayQueue<u64, 2>,
    stop: Event,
}

type World = Segment<Sources>;

fn script(name: &str) -> Script<World> {
    operation("wait_any", name, |_| World::anonymous(|_empty| {}).expect("a segment"))
}

/// Receives an item as the queue's own waiter.
fn receive(s: &Stage<World>) -> Told {
    s.jobs.recv().map(|_item| "ok").map_err(|error| error.to_string())
}

/// The same, asleep behind the victim.
fn receive_later(s: &Stage<World>, until: fn(&Stage<World>)) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    until(s);
    receive(s)
}

/// Sends an item when the victim and the second role, behind it, sleep for good. The victim takes
/// nothing.
fn send_when_both_sleep(s: &Stage<World>) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    s.jobs.send(7).map(|()| "").map_err(|error| error.to_string())
}

/// The same, and sets the event first: the victim returns that.
fn set_and_send_when_both_sleep(s: &Stage<World>) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    s.stop.set().map_err(|error| error.to_string())?;
    s.jobs.send(7).map(|()| "").map_err(|error| error.to_string())
}

fn send_after_the_kill(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    s.jobs.send(7).map(|()| "").map_err(|error| error.to_string())
}

/// Everything still works.
fn find_all_well(s: &Stage<World>) -> Told {
    s.jobs.send(8).map_err(|error| error.to_string())?;
    match wait_any(&[s.jobs.readable()]).map(|_| s.jobs.try_recv()) {
        Ok(Ok(8)) => Ok(""),
        other => Err(format!("8 was sent, and then {other:?}")),
    }
}

fn victim_waits(s: &Stage<World>) {
    let sources = [s.stop.when_set(), s.jobs.readable()];
    s.dies_in(|| wait_any(&sources));
}

fn victim_waits_for_a_while(s: &Stage<World>) {
    s.attach().expect("room");
    let sources = [s.stop.when_set(), s.jobs.readable()];
    s.dies_in(|| wait_any_timeout(&sources, s.timeout()));
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let last = |script: Script<World>| -> Box<dyn Operation> { Box::new(script.last("the last", find_all_well)) };
    let asleep = |name: &str, setter: fn(&Stage<World>) -> Told| {
        script(name)
            .before("setter", setter)
            .before("receiver", |s| receive_later(s, Stage::until_the_victim_sleeps_for_good))
            .joined_victim(victim_waits)
            .sleeps_briefly()
            .sleeps(1)
            .sees(&["receiver ok"])
    };
    vec![
        last(asleep("wait_any, before a receiver, one source gets ready", send_when_both_sleep)),
        last(asleep("wait_any, before a receiver, both sources get ready", set_and_send_when_both_sleep)),
        last(
            script("wait_any_timeout, times out, before a receiver")
                .before("sender", send_after_the_kill)
                .before("receiver", receive)
                .victim(victim_waits_for_a_while)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["receiver ok"]),
        ),
        last(
            script("try_wait_any, nothing is ready, beside a receiver")
                .before("sender", send_after_the_kill)
                .before("receiver", receive)
                .victim_beside_a_sleeper(|s| {
                    let sources = [s.stop.when_set(), s.jobs.readable()];
                    s.dies_in(|| try_wait_any(&sources));
                })
                .sees(&["receiver ok"]),
        ),
    ]
}
