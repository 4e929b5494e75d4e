//! The event between real processes that are really killed. Rechecks are off wherever the contract
//! is exact.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{Event, RegisterError, Segment, Shareable, TryWaitError, WaitError, WaitTimeoutError};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Events {
    ready: Event,
    bell: Event,
    released: AtomicU32,
    heard: AtomicU64,
}

fn events() -> Segment<Events> {
    segment_of(|new: &mut Events| new.bell = Event::auto_reset())
}

const PROCESSES: u32 = 50;
const THREADS: u32 = 20;

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Events>();
    match role.as_str() {
        "wait" => {
            shared.ready.wait().expect("waits");
            say("released");
        }
        "wait for the bell" => {
            shared.bell.wait().expect("waits");
            say("heard");
        }
        "set forever" => loop {
            shared.bell.set().expect("takes part");
        },
        "hear forever" => loop {
            shared.bell.wait().expect("waits");
            shared.heard.fetch_add(1, SeqCst);
        },
        "wait in twenty threads" => {
            // All register before any of them sleeps. Otherwise each of a thousand newcomers would
            // wake all that sleep already.
            let (here, go) = (Barrier::new(THREADS as usize + 1), Barrier::new(THREADS as usize + 1));
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        shared.attach().expect("there is room for all");
                        here.wait();
                        go.wait();
                        shared.ready.wait().expect("waits");
                        shared.released.fetch_add(1, SeqCst);
                    });
                }
                here.wait();
                say("here");
                wait_for_the_word();
                go.wait();
            });
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn a_killed_waiter_does_not_stop_a_set() {
    each_way(|waitv| {
        let shared = events();
        let mut victims: Vec<_> = (0..3).map(|_| Actor::start(&shared, "wait", waitv)).collect();
        let mut survivor = Actor::start(&shared, "wait", waitv);
        for waiter in victims.iter().chain([&survivor]) {
            until_asleep(&shared, waiter.id());
        }
        victims.iter_mut().for_each(Actor::kill);
        let begin = Instant::now();
        shared.ready.set().expect("takes part");
        assert!(begin.elapsed() < Duration::from_secs(1), "set waited for somebody");
        assert_eq!(survivor.hear(), "released");
        assert!(survivor.ends_well());
    });
}

#[test]
fn a_set_releases_its_sleepers_though_it_is_cleared_at_once() {
    each_way(|waitv| {
        let shared = events();
        let mut waiters: Vec<_> = (0..4).map(|_| Actor::start(&shared, "wait", waitv)).collect();
        waiters.iter().for_each(|waiter| until_asleep(&shared, waiter.id()));
        shared.ready.set().expect("takes part");
        assert!(shared.ready.clear());
        for waiter in &mut waiters {
            assert_eq!(waiter.hear(), "released");
        }
    });
}

#[test]
fn a_killed_waiter_takes_no_set_along() {
    each_way(|waitv| {
        for _ in 0..5 {
            let shared = events();
            let mut victim = Actor::start(&shared, "wait for the bell", waitv);
            until_asleep(&shared, victim.id());
            let mut survivor = Actor::start(&shared, "wait for the bell", waitv);
            until_asleep(&shared, survivor.id());
            // The victim has slept longer, so the wake goes to it. It may take the set, or die
            // before it does.
            shared.bell.set().expect("takes part");
            victim.kill();
            if !shared.bell.is_set() {
                shared.bell.set().expect("takes part"); // one of the two has taken the first set
            }
            assert_eq!(survivor.hear(), "heard");
        }
    });
}

#[test]
fn killed_setters_and_waiters_leave_the_others_going() {
    each_way(|waitv| {
        let shared = events();
        let mut setters: Vec<_> = (0..2).map(|_| Actor::start(&shared, "set forever", waitv)).collect();
        let mut waiters: Vec<_> = (0..2).map(|_| Actor::start(&shared, "hear forever", waitv)).collect();
        for round in 0..8 {
            let heard = shared.heard.load(SeqCst);
            until("a set to be heard", || shared.heard.load(SeqCst) > heard + 5);
            let (all, role) =
                if round % 2 == 0 { (&mut setters, "set forever") } else { (&mut waiters, "hear forever") };
            let victim = &mut all[round / 2 % 2];
            victim.kill();
            *victim = Actor::start(&shared, role, waitv);
        }
    });
}

/// Exact without rechecks: nobody dies, and a set wakes all sleepers on its word, however many they
/// are. With so many threads, a *death* would be noticed at once only where one wait can watch the
/// dead thread's process. Otherwise the next recheck notices it (`raw::vigil`, Limits).
#[test]
fn a_thousand_waiters_in_fifty_processes_are_released_by_one_set() {
    outlive::test_switches::set_recheck(false);
    let options = Segment::<Events>::options().participants(1_100);
    let shared = options.anonymous(|_zero, _no_room| {}).expect("a segment");
    let mut children: Vec<_> = (0..PROCESSES).map(|_| Actor::start(&shared, "wait in twenty threads", true)).collect();
    children.iter_mut().for_each(|child| assert_eq!(child.hear(), "here"));
    children.iter_mut().for_each(Actor::go_on);
    until("all to be asleep", || {
        let asleep = shared.participants().iter().filter(|p| is_asleep(p)).count();
        asleep as u32 == PROCESSES * THREADS
    });
    assert_eq!(shared.released.load(SeqCst), 0);
    shared.ready.set().expect("takes part");
    until("all to be released", || shared.released.load(SeqCst) == PROCESSES * THREADS);
    assert!(children.iter_mut().all(Actor::ends_well));
}

#[test]
fn deadlines_are_kept() {
    let shared = events();
    for event in [&shared.ready, &shared.bell] {
        assert!(matches!(event.try_wait(), Err(TryWaitError::WouldBlock)));
        assert!(matches!(event.wait_timeout(Duration::ZERO), Err(WaitTimeoutError::TimedOut)));
        let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
        assert!(matches!(event.wait_until(past), Err(WaitTimeoutError::TimedOut)));
        let begin = Instant::now();
        assert!(matches!(event.wait_timeout(Duration::from_millis(30)), Err(WaitTimeoutError::TimedOut)));
        assert!(begin.elapsed() >= Duration::from_millis(30));
        std::thread::scope(|scope| {
            let patient = scope.spawn(|| event.wait_timeout(Duration::MAX).is_ok());
            until("the waiter to fall asleep", || shared.participants().iter().any(is_asleep));
            event.set().expect("takes part");
            assert!(patient.join().expect("no panic"));
        });
    }
}

#[test]
fn a_set_stays_or_is_taken_by_one() {
    let shared = events();
    shared.ready.set().expect("takes part");
    for _ in 0..2 {
        shared.ready.wait().expect("set");
        assert!(shared.ready.is_set());
    }
    shared.ready.wait_timeout(Duration::ZERO).expect("set");
    assert!(shared.ready.clear() && !shared.ready.clear() && !shared.ready.is_set());

    assert!(shared.bell.is_auto_reset() && !shared.ready.is_auto_reset());
    shared.bell.set().expect("takes part");
    shared.bell.set().expect("takes part"); // still one set, as nobody has taken the first
    shared.bell.try_wait().expect("set");
    assert!(matches!(shared.bell.try_wait(), Err(TryWaitError::WouldBlock)));
    assert_eq!(format!("{:?}", shared.bell), "Event { set: false, auto_reset: true }");
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let event = Event::new();
    assert!(event.set().is_err());
    assert!(matches!(event.wait(), Err(WaitError::Register(RegisterError::NotInSegment))));
}
