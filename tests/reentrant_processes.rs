//! `ReentrantMutex` between real processes: what no other lock can do. The rest is in
//! `tests/locks_processes.rs`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{LockError, LockTimeoutError, NotHeldError, ReentrantMutex, Segment, TryLockError};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

type Shared = Segment<ReentrantMutex<[AtomicU64; 2]>>;

fn shared() -> Shared {
    segment_of(|_zero| {})
}

/// The words of the lock: the mutex's word, and the count.
fn words(shared: &Shared) -> &[AtomicU32; 2] {
    // SAFETY: a reentrant mutex begins with these two words, which are atomics.
    unsafe { &*(&raw const **shared).cast::<[AtomicU32; 2]>() }
}

/// A second lock by the same holder does not report the death again. The lock still knows of it
/// when the last guard is another than the guard that came with the error.
#[test]
fn the_first_of_a_holders_guards_reports_a_death() {
    let shared = shared();
    let died = fork(|| {
        core::mem::forget((shared.lock(), shared.lock(), shared.acquire()));
        0
    });
    assert_eq!(wait(died), 0);
    let Err(LockError::OwnerDied(told)) = shared.lock() else { panic!("forgotten") };
    let again = shared.lock().expect("ours");
    drop(told);
    drop(again);
    let Err(LockError::OwnerDied(left)) = shared.lock() else { panic!("forgotten") };
    assert_eq!(left.by(), None);
    left.into_inner().mark_consistent();
    assert!(shared.lock().is_ok());
}

#[test]
fn a_lock_is_free_after_as_many_releases_in_any_order() {
    let shared = shared();
    let is_free = || std::thread::scope(|scope| scope.spawn(|| shared.try_lock().is_ok()).join().expect("ends"));
    let one = shared.lock().expect("free");
    let two = shared.try_lock().expect("ours");
    let three = shared.try_lock_for(Duration::ZERO).expect("ours");
    shared.acquire().expect("ours");
    shared.try_acquire().expect("ours");
    shared.try_acquire_for(Duration::MAX).expect("ours");
    shared.try_acquire_until(Instant::now()).expect("ours");
    drop(one);
    (0..4).for_each(|_| shared.release().expect("ours"));
    drop(three);
    assert!(!is_free());
    drop(two);
    assert!(is_free());
    assert!(matches!(shared.release(), Err(NotHeldError { holder: None, .. })));
}

#[test]
fn a_release_by_a_stranger_is_an_error_and_changes_nothing() {
    let shared = shared();
    shared.acquire().expect("free");
    let holder = shared.holder().expect("held");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(shared.release(), Err(NotHeldError { holder: Some(found), .. }) if found == holder));
            assert!(matches!(shared.mark_consistent(), Err(NotHeldError { .. })));
            assert!(matches!(shared.try_lock(), Err(TryLockError::WouldBlock)));
        });
    });
    shared.release().expect("ours");
}

#[test]
fn an_adopted_hold_is_one_of_several() {
    let shared = shared();
    (0..2).for_each(|_| shared.acquire().expect("free or ours"));
    let me = shared.holder();
    let guard = shared.adopt().expect("acquired");
    guard[0].fetch_add(1, SeqCst);
    drop(guard);
    assert_eq!(shared.holder(), me, "one hold is left");
    shared.adopt().expect("acquired").forget();
    assert_eq!(shared.holder(), me, "one hold is left still");
    shared.release().expect("the last");
    assert_eq!(shared.holder(), None);
}

#[test]
fn one_hold_too_many_is_refused_and_changes_nothing() {
    let shared = shared();
    let guard = shared.lock().expect("free");
    words(&shared)[1].store(u32::MAX, SeqCst);
    assert!(matches!(shared.lock(), Err(LockError::TooDeep)));
    assert!(matches!(shared.try_acquire(), Err(TryLockError::TooDeep)));
    assert_eq!(words(&shared)[1].load(SeqCst), u32::MAX);
    words(&shared)[1].store(0, SeqCst);
    drop(guard);
    assert!(shared.try_lock().is_ok());
}

#[test]
fn a_count_that_somebody_has_scribbled_on_a_free_lock_is_forgotten() {
    let shared = shared();
    words(&shared)[1].store(7, SeqCst);
    drop(shared.lock().expect("free"));
    assert_eq!(shared.holder(), None);
    words(&shared)[1].store(7, SeqCst);
    drop(shared.try_lock().expect("free"));
    assert_eq!(shared.holder(), None);
}

#[test]
fn only_a_panic_that_gives_back_the_last_hold_is_reported() {
    let shared = shared();
    let panic_holding = || {
        panic_with((shared.lock().expect("free or ours"), shared.lock().expect("ours")));
    };
    let outer = shared.lock().expect("free");
    let me = shared.holder();
    panic_holding();
    drop(outer);
    drop(shared.lock().expect("the panic was caught inside"));
    panic_holding();
    let Err(LockError::Poisoned(left)) = shared.lock() else { panic!("not told") };
    assert_eq!(left.by(), me);
    drop(left);
    assert!(matches!(shared.acquire(), Err(LockError::Poisoned(_))));
    shared.release().expect("held");
    let Err(LockError::Poisoned(left)) = shared.lock() else { panic!("another cause") };
    assert_eq!(left.by(), None, "`release` does not know");
    left.into_inner().mark_consistent();
    assert!(shared.lock().is_ok());
}

#[test]
fn a_forked_child_has_no_hold() {
    let shared = shared();
    let guard = shared.lock().expect("free");
    let child = fork(|| {
        // SAFETY: the child's own copy; the parent's is dropped by the parent.
        drop(unsafe { core::ptr::read(&guard) });
        let refused = matches!(shared.release(), Err(NotHeldError { holder: Some(_), .. }));
        let waits = matches!(shared.try_lock_for(Duration::from_millis(5)), Err(LockTimeoutError::TimedOut));
        if refused && waits { 0 } else { 1 }
    });
    assert_eq!(wait(child), 0);
    assert_eq!(shared.holder(), entry(&shared, std::process::id()).map(|p| p.id));
    drop(guard);
    assert_eq!(shared.holder(), None);
}
