//! `Lock` between real processes: what no other lock can do. The rest is in
//! `tests/locks_processes.rs`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{Lock, LockError, LockTimeoutError, NotHeldError, Segment, TryLockError};
use std::time::{Duration, Instant};

fn lock() -> Segment<Lock> {
    segment_of(|_zero| {})
}

/// The only role of child processes: it acquires, and does not release.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    if role().is_none() {
        return;
    }
    inherited_of::<Lock>().acquire().expect("free");
    say("acquired");
    wait_for_the_word();
}

/// `Lock` has no guard that could remember the error. The word remembers it.
#[test]
fn a_panic_is_reported_as_one_until_a_holder_vouches() {
    let lock = lock();
    panic_with(lock.lock().expect("free"));
    let me = lock.attach().expect("takes part");
    for by in [Some(me), None, None] {
        let Err(LockError::Poisoned(left)) = lock.acquire() else { panic!("another cause") };
        assert_eq!(left.by(), by, "the name is reported once");
        lock.release().expect("held");
    }
    let Err(LockError::Poisoned(left)) = lock.lock() else { panic!("another cause") };
    let mut guard = left.into_inner();
    guard.mark_consistent();
    guard.release().expect("held");
    lock.acquire().expect("somebody has vouched");
    lock.release().expect("nothing is left of the panic");
    lock.try_acquire().expect("free and consistent");
}

#[test]
fn a_death_after_a_panic_is_a_death() {
    let lock = lock();
    panic_with(lock.lock().expect("free"));
    let died = fork(|| i32::from(!matches!(lock.acquire(), Err(LockError::Poisoned(_)))));
    assert_eq!(wait(died), 0);
    let Err(LockError::OwnerDied(left)) = lock.acquire() else { panic!("another cause") };
    assert!(left.by().is_some());
    lock.release().expect("held");
    let Err(LockError::OwnerDied(left)) = lock.acquire() else { panic!("another cause") };
    assert!(left.by().is_none());
}

/// As Python's own tests do with Python's locks.
#[test]
fn a_holder_that_acquires_again_waits_for_another_to_release() {
    each_way_in_a_process_of_its_own(|| {
        let lock = lock();
        lock.acquire().expect("free");
        assert!(matches!(lock.try_acquire(), Err(TryLockError::WouldBlock)));
        let begun = Instant::now();
        assert!(matches!(lock.try_acquire_for(Duration::from_millis(40)), Err(LockTimeoutError::TimedOut)));
        assert!(begun.elapsed() >= Duration::from_millis(40), "the call did not wait");
        assert!(matches!(lock.lock(), Err(LockError::Deadlock)), "only this thread can drop a guard");
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                until("it to wait", || lock.participants().iter().any(is_asleep));
                lock.release().expect("it is acquired");
            });
            lock.acquire().expect("it was released");
        });
        lock.release().expect("it is acquired");
    });
}

#[test]
fn anybody_can_release_a_lock() {
    let lock = lock();
    let mut holder = Actor::start(&lock, "acquire", true);
    assert_eq!(holder.hear(), "acquired");
    assert!(matches!(lock.try_acquire(), Err(TryLockError::WouldBlock)));
    lock.release().expect("held by the child");
    assert!(matches!(lock.release(), Err(NotHeldError { holder: None, .. })));
    lock.acquire().expect("free");
    lock.release().expect("held");
    assert!(holder.ends_well());
}

#[test]
fn a_guard_that_lost_its_lock_says_so() {
    let lock = lock();
    let guard = lock.lock().expect("free");
    lock.release().expect("held");
    assert!(matches!(guard.release(), Err(NotHeldError { holder: None, .. })));
}
