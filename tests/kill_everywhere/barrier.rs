//! Barrier. Either all waiters meet, or all learn that they do not.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Barrier, BarrierError, BarrierTimeoutError, Segment, Shareable};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

pub(super) const PARTIES: usize = 3;

/// One party more than comes, for waits in vain.
pub(super) const MOST_PARTIES: usize = PARTIES + 1;

#[derive(Debug, Shareable)]
#[repr(C)]
pub(super) struct Shared {
    pub(super) barrier: Barrier<MOST_PARTIES>,
    /// One bit for each kind of answer that was returned.
    answers: AtomicU32,
}

type World = Segment<Shared>;

pub(super) fn script(name: &str, parties: usize) -> Script<World> {
    operation("Barrier", name, move |_| {
        World::anonymous(|shared| shared.barrier = Barrier::new(parties)).expect("a segment")
    })
}

fn answer(s: &Stage<World>, answer: Result<outlive::BarrierWaitResult, impl Into<BarrierTimeoutError>>) -> Told {
    let (bit, word) = match answer.map_err(Into::into) {
        Ok(_) => (1, "met"),
        Err(BarrierTimeoutError::Broken { died: Some(_) }) => (2, "was told of a death"),
        Err(BarrierTimeoutError::Broken { died: None }) => (2, "was told"),
        Err(other) => return Err(other.to_string()),
    };
    s.answers.fetch_or(bit, SeqCst);
    Ok(word)
}

pub(super) fn wait(s: &Stage<World>) -> Told {
    answer(s, s.barrier.wait())
}

/// Waits after the victim has fallen asleep.
fn wait_later(s: &Stage<World>) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_the_victim_sleeps_for_good();
    wait(s)
}

/// Whether there is a member, dead or alive. (Only waiters can learn that from the public
/// functions.)
fn has_member(s: &Stage<World>) -> bool {
    let words = core::ptr::from_ref(&s.barrier).cast::<AtomicU32>();
    // SAFETY: a barrier begins with four words and one for each member, which are only accessed
    // atomically.
    (4..4 + MOST_PARTIES).any(|at| unsafe { &*words.add(at) }.load(SeqCst) != 0)
}

/// The two others wait for the dead victim. If the victim died before it arrived, nothing wakes
/// them. So this role aborts.
pub(super) fn abort_unless_it_came(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    // The number of arrivals first: once the barrier is broken, each waiter that learns of it
    // withdraws.
    let only_they_wait = s.barrier.arrived().count() == PARTIES - 1;
    abort_if(s, only_they_wait && !has_member(s))
}

/// The victim may have arrived alone, and may have given up.
fn come_for_a_moment(s: &Stage<World>) -> Told {
    match s.barrier.wait_timeout(Duration::ZERO) {
        Err(BarrierTimeoutError::TimedOut) => Ok("waited in vain"),
        other => answer(s, other),
    }
}

/// The same, where the victim does something else than wait.
fn abort_unless_it_did(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    abort_if(s, s.barrier.n_waiting() == PARTIES - 1 && !has_member(s))
}

/// The same, where one of the others may arrive later.
fn abort_if_the_two_others_came(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    loop {
        let arrived: Vec<_> = s.barrier.arrived().collect();
        let living = s.participants();
        let others = arrived.iter().filter(|id| living.iter().any(|one| one.id == **id)).count();
        if s.barrier.is_broken() || s.answers.load(SeqCst) != 0 || (others, arrived.len()) == (2, 2) {
            return abort_if(s, s.answers.load(SeqCst) == 0);
        }
        std::thread::yield_now();
    }
}

fn abort_if(s: &Stage<World>, nobody_tells_them: bool) -> Told {
    if nobody_tells_them && !s.barrier.is_broken() {
        return s.barrier.abort().map(|()| "aborted").map_err(|error| error.to_string());
    }
    Ok("found it decided")
}

/// All parties got the same answer. After a reset the barrier works.
fn find_agreement(s: &Stage<World>) -> Told {
    if s.answers.load(SeqCst) == 3 {
        return Err("some met, and some did not".into());
    }
    s.barrier.reset().map_err(|error| error.to_string())?;
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..s.barrier.parties()).map(|_| scope.spawn(|| s.barrier.wait())).collect();
        let all =
            core::iter::once(s.barrier.wait()).chain(others.into_iter().map(|other| other.join().expect("no panic")));
        let leads: Result<Vec<_>, _> = all.map(|met| met.map(|met| met.is_leader())).collect();
        match leads {
            Ok(leads) if leads.iter().filter(|leads| **leads).count() == 1 => Ok(""),
            other => Err(format!("in the end: {other:?}")),
        }
    })
}

fn join_and_die(s: &Stage<World>) -> Told {
    s.ends_by_death();
    core::mem::forget(s.barrier.join());
    Ok("")
}

/// Waits alone at a barrier that the victim was to reset. Resets it if the victim has not, or only
/// half.
fn meet_nobody(s: &Stage<World>) -> Told {
    match s.barrier.wait() {
        Ok(_) => Ok("met"),
        Err(BarrierError::Broken { .. }) => {
            s.barrier.reset().map_err(|error| error.to_string())?;
            s.barrier.wait().map(|_| "reset it").map_err(|error| error.to_string())
        }
        Err(other) => Err(other.to_string()),
    }
}

/// The victim, a participant, acts while the two others wait.
pub(super) fn victim(act: impl Fn(&Stage<World>) + 'static) -> impl Fn(&Stage<World>) + 'static {
    move |s| {
        s.attach().expect("room");
        s.until_they_sleep(&[1, 2]);
        act(s);
    }
}

pub(super) fn last(script: Script<World>) -> Box<dyn Operation> {
    Box::new(script.last("the last", find_agreement))
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let two_wait = |name: &str, observer: fn(&Stage<World>) -> Told| {
        script(name, PARTIES).before("observer", observer).before("first", wait).before("second", wait)
    };
    vec![
        last(
            two_wait("wait, the last to come", abort_unless_it_came)
                .victim(victim(|s| s.dies_in(|| s.barrier.wait())))
                .sees(&["first met, second met", "first saw a death", "observer aborted"]),
        ),
        last(
            two_wait("wait_with, the last to come, and acts", abort_unless_it_came)
                .victim(victim(|s| s.dies_in(|| s.barrier.wait_with(core::hint::spin_loop))))
                .sees(&["first met, second met", "first saw a death", "observer aborted"]),
        ),
        last(
            two_wait("wait_timeout_with, the last to come, and acts", abort_unless_it_came)
                .victim(victim(|s| s.dies_in(|| s.barrier.wait_timeout_with(s.timeout(), core::hint::spin_loop))))
                .sees(&["first met, second met", "first saw a death", "observer aborted"]),
        ),
        last(
            two_wait("wait_then, the last to come, and its action fails", abort_unless_it_came)
                .victim(victim(|s| s.dies_in(|| s.barrier.wait_then(|| Err("on purpose")))))
                .sees(&["first saw it broken, second saw it broken", "first saw a death", "observer aborted"]),
        ),
        last(
            two_wait("wait_timeout_then, the last to come, and acts", abort_unless_it_came)
                .victim(victim(|s| s.dies_in(|| s.barrier.wait_timeout_then(s.timeout(), || Ok::<(), ()>(())))))
                .sees(&["first met, second met", "first saw a death", "observer aborted"]),
        ),
        last(
            script("wait_timeout, times out, while two wait", MOST_PARTIES)
                .before("observer", abort_unless_it_came)
                .before("first", wait)
                .before("second", wait)
                .victim(victim(|s| s.dies_in(|| s.barrier.wait_timeout(s.timeout()))))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&[
                    "observer found it decided, first saw it broken, second saw it broken",
                    "first saw a death",
                    "observer aborted",
                ]),
        ),
        last(
            script("wait_timeout, times out, alone", PARTIES)
                .joined_victim(|s| s.dies_in(|| s.barrier.wait_timeout(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .after("newcomer", come_for_a_moment)
                .sees(&["newcomer saw it broken", "newcomer saw a death", "newcomer waited in vain"]),
        ),
        last(
            script("wait, the second of three to come", PARTIES)
                .before("observer", abort_if_the_two_others_came)
                .before("first", wait)
                .before("third", wait_later)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.barrier.wait()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["first met, third met", "first saw a death", "observer aborted"]),
        ),
        last(
            two_wait("abort, while two wait", abort_unless_it_did)
                .victim(victim(|s| s.dies_in(|| s.barrier.abort())))
                .sees(&["observer aborted", "observer found it decided, first saw it broken"]),
        ),
        last(
            two_wait("abort, by one that has not taken part yet, while two wait", abort_unless_it_did)
                .victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.barrier.abort());
                })
                .sees(&["observer aborted", "observer found it decided, first saw it broken"]),
        ),
        last(
            two_wait("reset, while two wait", abort_unless_it_did)
                .victim(victim(|s| s.dies_in(|| s.barrier.reset())))
                .sees(&["observer aborted", "observer found it decided, first saw it broken"]),
        ),
        last(
            two_wait("join, while two wait", abort_unless_it_did)
                .victim(victim(|s| s.dies_in(|| s.barrier.join())))
                .sees(&["observer aborted", "first saw a death, second saw a death"]),
        ),
        last(
            two_wait("a member dropped, while two wait", abort_unless_it_did)
                .victim(victim(|s| {
                    let member = s.barrier.join().expect("room");
                    s.dies_in(|| drop(member));
                }))
                .sees(&["observer aborted", "first saw a death, second saw a death"]),
        ),
        Box::new(
            script("reset, after the death of a member", 1)
                .before("predecessor", join_and_die)
                .joined_victim(|s| s.dies_in(|| s.barrier.reset()))
                .after("newcomer", meet_nobody)
                .last("the last", find_agreement)
                .sees(&["newcomer met", "newcomer reset it"]),
        ),
    ]
}
