//! A waiter whose time is over checks once more, and takes what is available. The `waits` tests in
//! `src/raw` show that for each primitive, step by step. The tests here show it for what the public
//! operations add.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::segment_of;
use outlive::{
    Barrier, Condvar, Event, Lock, Mutex, PermitPool, ReentrantMutex, RwLock, Segment, Semaphore, Shareable,
};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    mutex: Mutex<u64>,
    nested: ReentrantMutex<u64>,
    lock: Lock,
    both: RwLock<u64>,
    semaphore: Semaphore,
    pool: PermitPool<2>,
    event: Event,
    barrier: Barrier<1>,
    changed: Condvar,
}

fn shared() -> Segment<Shared> {
    segment_of(|_zero| {})
}

const SHORT: Duration = Duration::from_millis(2);

/// Lets the time of a wait pass before the wait begins. So its deadline is over after its first
/// check, however busy the machine is.
fn outlast(timeout: Duration) {
    let begin = Instant::now();
    while begin.elapsed() <= timeout {
        std::thread::sleep(timeout);
    }
}

#[test]
fn a_condition_that_becomes_false_at_the_deadline_is_seen() {
    let shared = shared();
    let mut checks = 0;
    let (_guard, result) = shared
        .changed
        .wait_timeout_while(shared.mutex.lock().expect("free"), SHORT, |_| {
            checks += 1;
            if checks == 1 {
                outlast(SHORT);
            }
            checks == 1
        })
        .expect("nobody died");
    assert_eq!((result.timed_out(), checks), (false, 2), "no check after the end");
}

#[test]
fn a_condition_that_is_true_at_the_deadline_was_checked_after_it() {
    let shared = shared();
    let (begin, mut last) = (Instant::now(), Instant::now());
    let (_guard, result) = shared
        .changed
        .wait_timeout_while(shared.mutex.lock().expect("free"), SHORT, |_| {
            last = Instant::now();
            true
        })
        .expect("nobody died");
    assert!(result.timed_out());
    assert!(last - begin >= SHORT, "the last check was {:?} after the beginning", last - begin);
}

#[test]
fn a_condition_is_checked_even_if_there_is_no_time() {
    let shared = shared();
    for is_so in [true, false] {
        let mut checks = 0;
        let guard = shared.mutex.lock().expect("free");
        let check = |_: &mut u64| {
            checks += 1;
            is_so
        };
        let (_guard, result) = shared.changed.wait_timeout_while(guard, Duration::ZERO, check).expect("nobody died");
        assert_eq!((result.timed_out(), checks), (is_so, 1));
    }
}

/// What is available is taken, however little time there is.
#[test]
fn a_timeout_of_zero_is_enough_for_what_is_available() {
    let shared = shared();
    let past = Instant::now();
    let zero = Duration::ZERO;
    assert!(shared.mutex.try_lock_for(zero).is_ok() && shared.mutex.try_lock_until(past).is_ok());
    assert!(shared.nested.try_lock_for(zero).is_ok() && shared.nested.try_lock_until(past).is_ok());
    assert!(shared.lock.try_lock_for(zero).is_ok() && shared.lock.try_lock_until(past).is_ok());
    assert!(shared.both.try_read_for(zero).is_ok() && shared.both.try_read_until(past).is_ok());
    assert!(shared.both.try_write_for(zero).is_ok() && shared.both.try_write_until(past).is_ok());
    shared.semaphore.release_many(6).expect("no maximum");
    assert!(shared.semaphore.try_acquire_for(zero).is_ok() && shared.semaphore.try_acquire_until(past).is_ok());
    assert!(shared.semaphore.try_acquire_many_for(2, zero).is_ok());
    assert!(shared.semaphore.try_acquire_many_until(2, past).is_ok());
    assert_eq!(shared.semaphore.available(), 0);
    assert!(shared.pool.try_permit_for(zero).is_ok() && shared.pool.try_permit_until(past).is_ok());
    shared.event.set().expect("in a segment");
    assert!(shared.event.wait_timeout(zero).is_ok() && shared.event.wait_until(past).is_ok());
    assert!(shared.barrier.wait_timeout(zero).is_ok() && shared.barrier.wait_until(past).is_ok());
}
