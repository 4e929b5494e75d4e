//! The barrier between real processes that are really killed. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    ActionError, Barrier, BarrierError, BarrierTimeoutError, JoinError, LeaveError, RegisterError, Segment, Shareable,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Meeting {
    barrier: Barrier<64>,
    rounds: AtomicU64,
    arrivals: AtomicU64,
    leaders: AtomicU64,
    /// How often a party met the others, by its index.
    met: [AtomicU64; 3],
    actions: AtomicU32,
    /// Whether "come and go" is to do so, and whether it does.
    comes: AtomicU32,
    has_come: AtomicU32,
}

fn meeting(parties: usize) -> Segment<Meeting> {
    segment_of(|new: &mut Meeting| new.barrier = Barrier::new(parties))
}

/// The outcome of a wait, in words.
fn outcome(result: Result<outlive::BarrierWaitResult, impl Into<BarrierTimeoutError>>) -> String {
    match result.map_err(Into::into) {
        Ok(_) => "met".into(),
        Err(BarrierTimeoutError::Broken { died: Some(id) }) => format!("{id} died"),
        Err(BarrierTimeoutError::Broken { died: None }) => "broken".into(),
        Err(other) => other.to_string(),
    }
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Meeting>();
    match role.as_str() {
        "wait" => say(&outcome(shared.barrier.wait())),
        "wait shortly" => say(&outcome(shared.barrier.wait_timeout(Duration::from_millis(50)))),
        "join and stay away" => {
            let _member = shared.barrier.join().expect("there are places");
            say("joined");
            wait_for_the_word();
        }
        "act" => {
            let result = shared.barrier.wait_with(|| {
                say("acting");
                wait_for_the_word();
            });
            say(&outcome(result));
        }
        "meet and be killed" => {
            shared.barrier.wait().expect("all come");
            say("met");
            wait_for_the_word();
        }
        "meet for many rounds" => {
            let parties = shared.barrier.parties() as u64;
            for round in 1..=shared.rounds.load(SeqCst) {
                shared.arrivals.fetch_add(1, SeqCst);
                let met = shared.barrier.wait().expect("all come");
                let arrivals = shared.arrivals.load(SeqCst);
                assert!((round * parties..(round + 1) * parties).contains(&arrivals), "{arrivals} in round {round}");
                if met.is_leader() {
                    shared.leaders.fetch_add(1, SeqCst);
                }
            }
        }
        "come and go" => loop {
            until("the word to come", || shared.comes.load(SeqCst) != 0);
            while shared.comes.load(SeqCst) != 0 {
                if shared.barrier.wait_timeout(Duration::ZERO).is_err() {
                    shared.barrier.reset().expect("takes part");
                }
                shared.has_come.store(1, SeqCst);
            }
            shared.has_come.store(0, SeqCst);
        },
        "meet in a hurry" => {
            let mut random = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            // A process that has the processors for itself comes and goes alone. So all go on until
            // they have met, too.
            let goes_on = || {
                let (arrivals, rounds) = (shared.arrivals.fetch_add(1, SeqCst), shared.rounds.load(SeqCst));
                arrivals < rounds || arrivals < 100 * rounds && shared.leaders.load(SeqCst) < 100
            };
            while goes_on() {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let told = match random % 20 {
                    0 => {
                        shared.barrier.abort().expect("takes part");
                        continue;
                    }
                    1..=4 => shared.barrier.wait_timeout(Duration::from_micros(random >> 8 & 1023)),
                    _ => shared.barrier.wait_timeout(Duration::from_millis(200)),
                };
                match told {
                    Ok(met) => {
                        shared.met[met.index()].fetch_add(1, SeqCst);
                        shared.leaders.fetch_add(met.is_leader().into(), SeqCst);
                    }
                    Err(BarrierTimeoutError::Broken { died: None } | BarrierTimeoutError::TimedOut) => {
                        shared.barrier.reset().expect("takes part");
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn a_waiter_that_dies_breaks_the_barrier_for_all() {
    each_way(|waitv| {
        let shared = meeting(4);
        let mut victim = Actor::start(&shared, "wait", waitv);
        let mut others: Vec<_> = (0..2).map(|_| Actor::start(&shared, "wait", waitv)).collect();
        for waiter in others.iter().chain([&victim]) {
            until_asleep(&shared, waiter.id());
        }
        assert_eq!((shared.barrier.n_waiting(), shared.barrier.arrived().count()), (3, 3));
        let dead = entry(&shared, victim.id()).expect("takes part").id;
        victim.kill();
        for other in &mut others {
            assert_eq!(other.hear(), format!("{dead} died"));
            assert!(other.ends_well(), "and is not taken for the cause");
        }
        assert!(shared.barrier.is_broken());
        assert_eq!((outcome(shared.barrier.wait()), shared.barrier.n_waiting()), (format!("{dead} died"), 0));
        // As new after a reset.
        shared.barrier.reset().expect("takes part");
        let mut again: Vec<_> = (0..3).map(|_| Actor::start(&shared, "wait", waitv)).collect();
        assert_eq!(outcome(shared.barrier.wait()), "met");
        assert!(again.iter_mut().all(|party| party.hear() == "met"));
    });
}

#[test]
fn a_party_that_dies_after_the_trip_disturbs_nobody() {
    each_way(|waitv| {
        let shared = meeting(3);
        let mut victim = Actor::start(&shared, "meet and be killed", waitv);
        let mut other = Actor::start(&shared, "wait", waitv);
        assert_eq!(outcome(shared.barrier.wait()), "met");
        assert_eq!(victim.hear(), "met");
        victim.kill();
        assert_eq!(other.hear(), "met");
        let mut more: Vec<_> = (0..2).map(|_| Actor::start(&shared, "wait", waitv)).collect();
        assert_eq!(outcome(shared.barrier.wait()), "met");
        assert!(more.iter_mut().all(|party| party.hear() == "met"));
    });
}

#[test]
fn a_member_that_dies_before_it_arrives_breaks_the_barrier_for_all_sleepers() {
    each_way(|waitv| {
        let shared = meeting(2);
        let mut member = Actor::start(&shared, "join and stay away", waitv);
        assert_eq!(member.hear(), "joined");
        let dead = entry(&shared, member.id()).expect("takes part").id;
        let mut waiter = Actor::start(&shared, "wait", waitv);
        until_asleep(&shared, waiter.id());
        member.kill();
        assert_eq!(waiter.hear(), format!("{dead} died"));
        // A reset forgives the death.
        shared.barrier.reset().expect("takes part");
        let mut waiter = Actor::start(&shared, "wait", waitv);
        assert_eq!(outcome(shared.barrier.wait()), "met");
        assert_eq!(waiter.hear(), "met");
    });
}

#[test]
fn a_member_that_leaves_breaks_nothing() {
    let shared = meeting(2);
    let mut member = Actor::start(&shared, "join and stay away", true);
    assert_eq!(member.hear(), "joined");
    let mut waiter = Actor::start(&shared, "wait", true);
    until_asleep(&shared, waiter.id());
    assert!(member.ends_well());
    assert!(!shared.barrier.is_broken());
    assert_eq!(outcome(shared.barrier.wait()), "met");
    assert_eq!(waiter.hear(), "met");
}

#[test]
fn a_member_that_panics_breaks_the_barrier_and_a_forked_copy_does_nothing() {
    let shared = meeting(1);
    let member = shared.barrier.join().expect("there is a place");
    assert!(matches!(shared.barrier.join(), Err(JoinError::Full { .. })));
    assert!(matches!(shared.detach(), Err(LeaveError::StillHolding { .. })));
    let mut copy = Some(member);
    let child = fork(|| {
        drop(copy.take());
        0
    });
    assert_eq!(wait(child), 0);
    let member = copy.expect("the parent's");
    assert!(matches!(shared.barrier.join(), Err(JoinError::Full { .. })), "the copy has left");
    panic_with(member);
    assert!(shared.barrier.is_broken());
    shared.barrier.reset().expect("takes part");
    let member = shared.barrier.join().expect("there is a place again");
    assert!(member.wait().expect("alone").is_leader());
    drop(member);
    shared.detach().expect("an arrival that is past is no hold");
}

#[test]
fn a_death_in_the_action_breaks_the_barrier() {
    each_way(|waitv| {
        let shared = meeting(2);
        let mut waiter = Actor::start(&shared, "wait", waitv);
        until_asleep(&shared, waiter.id());
        let mut actor = Actor::start(&shared, "act", waitv);
        assert_eq!(actor.hear(), "acting");
        let dead = entry(&shared, actor.id()).expect("takes part").id;
        assert_eq!(shared.barrier.n_waiting(), 2);
        actor.kill();
        assert_eq!(waiter.hear(), format!("{dead} died"));
    });
}

#[test]
fn an_action_is_run_by_one_party_and_its_panic_breaks_the_barrier() {
    let shared = meeting(3);
    std::thread::scope(|scope| {
        let party = || {
            let action = || {
                shared.actions.fetch_add(1, SeqCst);
            };
            let met = shared.barrier.wait_with(action).expect("all come");
            assert_eq!(shared.actions.load(SeqCst), 1, "released before the action");
            met
        };
        let others = [scope.spawn(party), scope.spawn(party)];
        let mut all = vec![party()];
        all.extend(others.map(|other| other.join().expect("no panic")));
        assert_eq!(all.iter().filter(|met| met.is_leader()).count(), 1);
        all.sort_by_key(|met| met.index());
        assert!(all.iter().map(|met| met.index()).eq(0..3));
    });
    let shared = meeting(1);
    let wait = || shared.barrier.wait_with(|| resume_unwind(Box::new("on purpose")));
    assert!(catch_unwind(AssertUnwindSafe(wait)).is_err());
    assert_eq!((outcome(shared.barrier.wait()), shared.barrier.is_broken()), ("broken".into(), true));
}

/// The error goes to the party whose action failed, and to no other.
#[test]
fn an_action_that_fails_breaks_the_barrier_and_gives_its_error() {
    each_way(|waitv| {
        let shared = meeting(3);
        let mut others = [(); 2].map(|()| Actor::start(&shared, "wait", waitv));
        others.iter().for_each(|other| until_asleep(&shared, other.id()));
        match shared.barrier.wait_then(|| Err(String::from("no disk"))) {
            Err(ActionError::Failed(error)) => assert_eq!(error, "no disk"),
            other => panic!("{other:?}"),
        }
        assert!(others.iter_mut().all(|other| other.hear() == "broken"));
        assert!(shared.barrier.is_broken());
        shared.barrier.reset().expect("takes part");
        // The action of a party does not run if the party learns that the barrier is broken.
        shared.barrier.abort().expect("takes part");
        let never = || -> Result<(), String> { panic!("nobody met") };
        let told = shared.barrier.wait_then(never).map_err(|error| error.to_string());
        assert_eq!(told, Err(BarrierError::Broken { died: None }.to_string()));
    });
    let alone = meeting(1);
    let soon = Instant::now() + Duration::from_secs(60);
    assert!(matches!(alone.barrier.wait_timeout_then(Duration::ZERO, || Err(7)), Err(ActionError::Failed(7))));
    alone.barrier.reset().expect("takes part");
    assert!(matches!(alone.barrier.wait_until_then(soon, || Err(7)), Err(ActionError::Failed(7))));
    alone.barrier.reset().expect("takes part");
    assert!(alone.barrier.wait_until_then(soon, || Ok::<(), i32>(())).expect("alone").is_leader());
    assert!(alone.barrier.wait_timeout_then(Duration::ZERO, || Ok::<(), i32>(())).expect("alone").is_leader());
    // A party whose wait times out learns that, whatever its action would return.
    let two = meeting(2);
    let waited = two.barrier.wait_timeout_then(Duration::ZERO, || Err(7));
    assert!(matches!(waited, Err(ActionError::Wait(BarrierTimeoutError::TimedOut))), "{waited:?}");
}

/// The failure breaks the generation in which the action ran, and no other.
#[test]
fn an_action_that_fails_after_a_reset_breaks_nothing() {
    let shared = meeting(1);
    let reset_and_fail = || {
        shared.barrier.reset().expect("takes part");
        Err("late")
    };
    assert!(matches!(shared.barrier.wait_then(reset_and_fail), Err(ActionError::Failed("late"))));
    assert!(!shared.barrier.is_broken());
    assert_eq!(outcome(shared.barrier.wait()), "met");
}

#[test]
fn a_timeout_breaks_it_for_all() {
    each_way(|waitv| {
        let shared = meeting(3);
        let mut patient = Actor::start(&shared, "wait", waitv);
        until_asleep(&shared, patient.id());
        let mut hasty = Actor::start(&shared, "wait shortly", waitv);
        assert_eq!(hasty.hear(), BarrierTimeoutError::TimedOut.to_string());
        assert_eq!(patient.hear(), "broken");
    });
    let shared = meeting(2);
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let begin = Instant::now();
        assert!(matches!(shared.barrier.wait_timeout(timeout), Err(BarrierTimeoutError::TimedOut)));
        assert!(begin.elapsed() >= timeout && shared.barrier.is_broken());
        shared.barrier.reset().expect("takes part");
    }
    let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
    assert!(matches!(shared.barrier.wait_until_with(past, || {}), Err(BarrierTimeoutError::TimedOut)));
    shared.barrier.reset().expect("takes part");
    let mut other = Actor::start(&shared, "wait", true);
    assert!(shared.barrier.wait_timeout(Duration::MAX).is_ok());
    assert_eq!(other.hear(), "met");
    // The party that completes the number needs no time.
    let alone = meeting(1);
    assert!(alone.barrier.wait_timeout_with(Duration::ZERO, || {}).is_ok());
}

#[test]
fn abort_and_reset_end_the_waits_of_all() {
    each_way(|waitv| {
        let shared = meeting(3);
        for reset in [false, true] {
            let mut waiters: Vec<_> = (0..2).map(|_| Actor::start(&shared, "wait", waitv)).collect();
            waiters.iter().for_each(|waiter| until_asleep(&shared, waiter.id()));
            if reset {
                shared.barrier.reset().expect("takes part")
            } else {
                shared.barrier.abort().expect("takes part")
            }
            assert!(waiters.iter_mut().all(|waiter| waiter.hear() == "broken"));
            assert_eq!(shared.barrier.is_broken(), !reset);
            shared.barrier.reset().expect("takes part");
        }
        assert_eq!(format!("{:?}", shared.barrier), "Barrier { parties: 3, waiting: 0, broken: false }");
    });
}

#[test]
fn more_threads_than_parties_get_through() {
    const WAITS: u32 = 600; // an even number, which all threads count down together
    let shared = meeting(2);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while shared.actions.fetch_add(1, SeqCst) < WAITS {
                    if shared.barrier.wait().expect("there are enough").is_leader() {
                        shared.leaders.fetch_add(1, SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(shared.leaders.load(SeqCst), u64::from(WAITS) / 2);
}

/// Exact without rechecks: nobody dies, and a trip wakes all sleepers on its word. Each death is
/// noticed at once as long as one wait can watch all the others. That is about 60 threads that are
/// not the main ones of their processes (`raw::vigil`, Limits).
#[test]
fn sixty_four_processes_meet_for_many_rounds() {
    const ROUNDS: u64 = 10_000;
    let shared = meeting(64);
    shared.rounds.store(ROUNDS, SeqCst);
    let mut parties: Vec<_> = (0..64).map(|_| Actor::start(&shared, "meet for many rounds", true)).collect();
    assert!(parties.iter_mut().all(Actor::ends_well));
    assert_eq!(shared.leaders.load(SeqCst), ROUNDS);
    assert_eq!(shared.arrivals.load(SeqCst), ROUNDS * 64);
}

#[test]
fn memory_of_zeros_is_a_barrier_of_all_and_outside_of_a_segment_there_is_an_error() {
    let zero = Segment::<Barrier<3>>::anonymous(|_zero| {}).expect("a segment");
    assert_eq!(zero.parties(), 3);
    let outside = Barrier::<2>::new(1);
    assert!(matches!(outside.wait(), Err(BarrierError::Register(RegisterError::NotInSegment))));
    assert!(matches!(outside.join(), Err(JoinError::Register(RegisterError::NotInSegment))));
    assert!(catch_unwind(|| Barrier::<2>::new(3)).is_err() && catch_unwind(|| Barrier::<2>::new(0)).is_err());
}

fn signal(process: u32, signal: i32) {
    // SAFETY: a signal to a child that is not reaped yet.
    assert_eq!(unsafe { libc::kill(process as i32, signal) }, 0);
}

/// Stops a process, and waits until it has stopped.
fn stop(process: u32) {
    signal(process, libc::SIGSTOP);
    until("a child to stop", || {
        let status = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it is there");
        status.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))
    });
}

/// True whatever happened to later generations. There are more of them than a number of 16 bits can
/// count.
#[test]
fn a_stopped_waiter_learns_that_its_own_generation_met() {
    each_way(|waitv| {
        for breaks in [1, 2, 3, 4, 5, 70_000] {
            let shared = meeting(2);
            let mut waiter = Actor::start(&shared, "wait", waitv);
            until_asleep(&shared, waiter.id());
            stop(waiter.id());
            assert_eq!(outcome(shared.barrier.wait()), "met");
            for _ in 0..breaks {
                // The stopped waiter keeps its place until it has returned. So the others do not
                // meet.
                assert!(matches!(shared.barrier.wait_timeout(Duration::ZERO), Err(BarrierTimeoutError::TimedOut)));
                shared.barrier.reset().expect("takes part");
            }
            signal(waiter.id(), libc::SIGCONT);
            assert_eq!(waiter.hear(), "met", "after {breaks} broken generations");
        }
    });
}

/// A released waiter keeps its place until it returns. A party that needs the place sleeps until
/// then. It is woken when the waiter leaves or dies.
#[test]
fn a_party_without_a_place_gets_that_of_a_waiter_that_leaves_or_dies() {
    each_way(|waitv| {
        for dies in [false, true] {
            let shared = meeting(2);
            let mut waiter = Actor::start(&shared, "wait", waitv);
            until_asleep(&shared, waiter.id());
            stop(waiter.id());
            assert_eq!(outcome(shared.barrier.wait()), "met");
            let mut two = [(); 2].map(|()| Actor::start(&shared, "wait", waitv));
            two.iter().for_each(|one| until_asleep(&shared, one.id()));
            assert_eq!(shared.barrier.n_waiting(), 1, "the place is given away");
            if dies {
                waiter.kill();
            } else {
                signal(waiter.id(), libc::SIGCONT);
                assert_eq!(waiter.hear(), "met");
            }
            assert!(two.iter_mut().all(|one| one.hear() == "met"));
        }
    });
}

/// True although others meet in its place, and more often than the barrier could remember.
#[test]
fn a_stopped_waiter_learns_that_its_own_generation_broke() {
    each_way(|waitv| {
        let shared = meeting(2);
        let mut waiter = Actor::start(&shared, "wait", waitv);
        until_asleep(&shared, waiter.id());
        stop(waiter.id());
        shared.barrier.abort().expect("takes part");
        shared.barrier.reset().expect("takes part");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..300).for_each(|_| assert_eq!(outcome(shared.barrier.wait()), "met")));
            }
        });
        signal(waiter.id(), libc::SIGCONT);
        assert_eq!(waiter.hear(), "broken");
    });
}

/// A process comes and goes, and is stopped again and again. Some stops fall between its search for
/// a place and its arrival there. Meanwhile half of all 16-bit generations pass, and another
/// process begins to wait. That waiter must not be forgotten.
#[test]
fn a_party_stopped_before_it_arrived_displaces_nobody() {
    const STOPS: u32 = 150;
    let shared = meeting(2);
    let hasty = Actor::start(&shared, "come and go", true);
    for _ in 0..STOPS {
        shared.comes.store(1, SeqCst);
        until("it to come", || shared.has_come.load(SeqCst) == 1);
        stop(hasty.id());
        shared.comes.store(0, SeqCst);
        (0..=1 << 15).for_each(|_| shared.barrier.reset().expect("takes part"));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| shared.barrier.wait_timeout(2 * PATIENCE));
            until("another to wait", || shared.barrier.n_waiting() == 1);
            signal(hasty.id(), libc::SIGCONT);
            until("it to go", || shared.has_come.load(SeqCst) == 0);
            // The hasty process has met the waiter, or has given up beside it, or the waiter still
            // waits.
            until("the waiter to return, or to be met", || {
                waiter.is_finished() || shared.barrier.n_waiting() == 1 && shared.barrier.wait().is_ok()
            });
            let _told = waiter.join().expect("no panic");
        });
        shared.barrier.reset().expect("takes part");
    }
}

/// Nobody is killed. The processes have short timeouts, break the barrier, and reset it as soon as
/// they learn that it broke. First there are as many processes as parties. Then there are more,
/// whose ids are beyond the number of parties.
#[test]
fn all_parties_get_the_same_answer_as_their_leader() {
    for processes in [3, 8] {
        let shared = meeting(3);
        shared.rounds.store(12_000, SeqCst);
        let mut parties: Vec<_> = (0..processes).map(|_| Actor::start(&shared, "meet in a hurry", true)).collect();
        assert!(parties.iter_mut().all(Actor::ends_well));
        let leaders = shared.leaders.load(SeqCst);
        let met = shared.met.each_ref().map(|index| index.load(SeqCst));
        assert!(leaders > 0, "they never met");
        assert_eq!(met, [leaders; 3], "met, by index, of {processes} processes");
    }
}

/// A party that met 65,536 generations ago does not count as present now.
#[test]
fn a_row_of_resets_brings_nobody_back() {
    let shared = meeting(2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            shared.barrier.wait().expect("two come");
        });
        shared.barrier.wait().expect("two come");
        other.join().expect("it has met");
        for _ in 1..1 << 16 {
            shared.barrier.reset().expect("it takes part");
        }
        let late = scope.spawn(|| shared.barrier.wait_timeout(Duration::from_secs(20)));
        let result = shared.barrier.wait_timeout(Duration::from_secs(20));
        assert_eq!(outcome(result), "met");
        assert_eq!(outcome(late.join().expect("no panic")), "met");
    });
}

/// An action that waits at its own barrier finds no place there. A death of its process is still
/// noticed afterwards.
#[test]
fn a_futile_wait_in_the_action_withdraws_nothing() {
    let shared = meeting(1);
    shared
        .barrier
        .wait_with(|| {
            assert_eq!(shared.barrier.arrived().count(), 1);
            let nested = shared.barrier.wait_timeout(Duration::from_millis(20));
            assert!(matches!(nested, Err(BarrierTimeoutError::TimedOut)), "{nested:?}");
            assert_eq!(shared.barrier.arrived().count(), 1);
        })
        .expect("one comes");
}
