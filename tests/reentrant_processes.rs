//! The reentrant mutex between real processes that are really killed.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    LockError, LockTimeoutError, NotHeldError, ReentrantMutex, RegisterError, Segment, Shareable, TryLockError,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    pair: ReentrantMutex<[AtomicU64; 2]>,
    reported: AtomicU64,
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Shared>();
    match role.as_str() {
        "hold three times" => {
            let _one = shared.pair.lock().expect("free");
            let _two = shared.pair.lock().expect("ours");
            shared.pair.acquire().expect("ours");
            say("held");
            wait_for_the_word();
        }
        "lock once" => {
            let answer = match shared.pair.lock() {
                Ok(_) => "ok".to_owned(),
                Err(LockError::OwnerDied(left)) => format!("died {}", left.by().expect("known")),
                Err(other) => other.to_string(),
            };
            say(&answer);
        }
        "update forever" => loop {
            update(&shared);
            shared.reported.fetch_add(1, SeqCst);
        },
        other => panic!("no such role: {other}"),
    }
}

/// A function that locks, and calls itself with the lock held.
fn add(shared: &Shared, index: usize) {
    let pair = match shared.pair.lock() {
        Ok(pair) => pair,
        Err(LockError::OwnerDied(left)) => {
            let mut pair = left.into_inner();
            pair[1].store(pair[0].load(SeqCst), SeqCst);
            pair.mark_consistent();
            pair
        }
        Err(other) => panic!("{other}"),
    };
    pair[index].fetch_add(1, SeqCst);
    if index == 0 {
        add(shared, 1);
    }
}

fn update(shared: &Shared) {
    add(shared, 0);
}

fn shared() -> Segment<Shared> {
    segment_of(|_zero| {})
}

/// The words of the lock: the mutex's word, and the count.
fn words(shared: &Shared) -> &[AtomicU32; 2] {
    // SAFETY: a reentrant mutex begins with these two words, which are atomics.
    unsafe { &*(&raw const shared.pair).cast::<[AtomicU32; 2]>() }
}

#[test]
fn a_killed_holder_hands_over_however_often_it_held() {
    each_way(|waitv| {
        let shared = shared();
        let mut holder = Actor::start(&shared, "hold three times", waitv);
        assert_eq!(holder.hear(), "held");
        let dead = entry(&shared, holder.id()).expect("takes part").id;
        let mut waiter = Actor::start(&shared, "lock once", waitv);
        until_asleep(&shared, waiter.id());
        holder.kill();
        assert_eq!(waiter.hear(), format!("died {dead}"));
        assert!(waiter.ends_well());
        // Nobody marks the data consistent, so every holder learns of the death. A second lock by
        // the same holder does not report it again.
        for _ in 0..2 {
            let Err(LockError::OwnerDied(left)) = shared.pair.lock() else { panic!("forgotten") };
            assert_eq!(left.by(), Some(dead));
            assert!(shared.pair.lock().is_ok());
        }
        // The last guard is another than the guard that came with the error. The lock still knows
        // that a holder died.
        let Err(LockError::OwnerDied(told)) = shared.pair.lock() else { panic!("forgotten") };
        let again = shared.pair.lock().expect("ours");
        drop(told);
        drop(again);
        let Err(LockError::OwnerDied(left)) = shared.pair.lock() else { panic!("forgotten") };
        assert_eq!(left.by(), None);
        left.into_inner().mark_consistent();
        assert!(shared.pair.lock().is_ok());
    });
}

#[test]
fn sixty_kills_at_random_moments_and_the_counter_adds_up() {
    each_way(|waitv| {
        const KILLS: u64 = 60;
        let shared = shared();
        kill_at_random(&shared, &["update forever"; 3], waitv, (KILLS, 500), &shared.reported);
        add(&shared, 0);
        let [one, other] = [0, 1].map(|index| shared.pair.lock().expect("mended")[index].load(SeqCst));
        let reported = shared.reported.load(SeqCst);
        assert_eq!(one, other);
        assert!(reported < one && one <= reported + KILLS + 4, "{one} updates, {reported} reported");
    });
}

#[test]
fn a_lock_is_free_after_as_many_releases_in_any_order() {
    let shared = shared();
    let is_free = || std::thread::scope(|scope| scope.spawn(|| shared.pair.try_lock().is_ok()).join().expect("ends"));
    let one = shared.pair.lock().expect("free");
    let two = shared.pair.try_lock().expect("ours");
    let three = shared.pair.try_lock_for(Duration::ZERO).expect("ours");
    shared.pair.acquire().expect("ours");
    shared.pair.try_acquire().expect("ours");
    shared.pair.try_acquire_for(Duration::MAX).expect("ours");
    shared.pair.try_acquire_until(Instant::now()).expect("ours");
    drop(one);
    (0..4).for_each(|_| shared.pair.release().expect("ours"));
    drop(three);
    assert!(!is_free());
    drop(two);
    assert!(is_free());
    assert!(matches!(shared.pair.release(), Err(NotHeldError { holder: None, .. })));
}

#[test]
fn a_release_by_a_stranger_is_an_error_and_changes_nothing() {
    let shared = shared();
    shared.pair.acquire().expect("free");
    let holder = shared.pair.holder().expect("held");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(shared.pair.release(), Err(NotHeldError { holder: Some(found), .. }) if found == holder));
            assert!(matches!(shared.pair.mark_consistent(), Err(NotHeldError { .. })));
            assert!(matches!(shared.pair.try_lock(), Err(TryLockError::WouldBlock)));
            assert!(matches!(shared.pair.try_lock_for(Duration::ZERO), Err(LockTimeoutError::TimedOut)));
            assert!(matches!(shared.pair.try_lock_for(Duration::from_millis(5)), Err(LockTimeoutError::TimedOut)));
            assert!(format!("{:?}", shared.pair).contains("<locked>"));
        });
    });
    shared.pair.release().expect("ours");
}

#[test]
fn a_hold_is_adopted_by_its_thread_and_by_nobody_else() {
    let shared = shared();
    assert!(matches!(shared.pair.adopt(), Err(NotHeldError { holder: None, .. })), "free");
    shared.pair.acquire().expect("free");
    let me = shared.pair.holder();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(shared.pair.adopt(), Err(NotHeldError { holder, .. }) if holder == me)));
    });
    shared.pair.acquire().expect("ours");
    let guard = shared.pair.adopt().expect("acquired");
    guard[0].fetch_add(1, SeqCst);
    drop(guard);
    assert_eq!(shared.pair.holder(), me, "one hold is left");
    shared.pair.adopt().expect("acquired").forget();
    assert_eq!(shared.pair.holder(), me, "one hold is left still");
    shared.pair.release().expect("the last");
    assert_eq!(shared.pair.holder(), None);
}

/// The hold is the parent's. The child has its own count of guards that can be leaked.
#[test]
fn a_forked_child_forgets_nothing() {
    let shared = shared();
    let guard = shared.pair.lock().expect("free");
    let child = fork(|| {
        let refused = matches!(shared.pair.adopt(), Err(NotHeldError { holder: Some(_), .. }));
        // SAFETY: the child's own copy; the parent's is dropped by the parent.
        unsafe { core::ptr::read(&guard) }.forget();
        if refused { 0 } else { 1 }
    });
    assert_eq!(wait(child), 0);
    drop(guard);
    assert_eq!(shared.pair.holder(), None);
}

#[test]
fn a_guard_whose_hold_was_released_says_so() {
    let shared = shared();
    let guard = shared.pair.lock().expect("free");
    shared.pair.release().expect("the guard's");
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(guard)));
    assert!(dropped.is_err(), "a lost hold went unnoticed");
    assert!(shared.pair.try_lock().is_ok());
}

#[test]
fn one_hold_too_many_is_refused_and_changes_nothing() {
    let shared = shared();
    let guard = shared.pair.lock().expect("free");
    words(&shared)[1].store(u32::MAX, SeqCst);
    assert!(matches!(shared.pair.lock(), Err(LockError::TooDeep)));
    assert!(matches!(shared.pair.try_acquire(), Err(TryLockError::TooDeep)));
    assert_eq!(words(&shared)[1].load(SeqCst), u32::MAX);
    words(&shared)[1].store(0, SeqCst);
    drop(guard);
    assert!(shared.pair.try_lock().is_ok());
}

#[test]
fn a_count_that_somebody_has_scribbled_on_a_free_lock_is_forgotten() {
    let shared = shared();
    words(&shared)[1].store(7, SeqCst);
    drop(shared.pair.lock().expect("free"));
    assert_eq!(shared.pair.holder(), None);
    words(&shared)[1].store(7, SeqCst);
    drop(shared.pair.try_lock().expect("free"));
    assert_eq!(shared.pair.holder(), None);
}

#[test]
fn only_a_panic_that_gives_back_the_last_hold_is_reported() {
    let shared = shared();
    let panic_holding = || {
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _one = shared.pair.lock().expect("free or ours");
            let _two = shared.pair.lock().expect("ours");
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert!(unwound.is_err());
    };
    let outer = shared.pair.lock().expect("free");
    let me = shared.pair.holder();
    panic_holding();
    drop(outer);
    drop(shared.pair.lock().expect("the panic was caught inside"));
    panic_holding();
    let Err(LockError::Poisoned(left)) = shared.pair.lock() else { panic!("not told") };
    assert_eq!(left.by(), me);
    drop(left);
    assert!(matches!(shared.pair.acquire(), Err(LockError::Poisoned(_))));
    shared.pair.release().expect("held");
    let Err(LockError::Poisoned(left)) = shared.pair.lock() else { panic!("another cause") };
    assert_eq!(left.by(), None, "`release` does not know");
    left.into_inner().mark_consistent();
    assert!(shared.pair.lock().is_ok());
}

#[test]
fn a_forked_child_has_no_hold() {
    let shared = shared();
    let guard = shared.pair.lock().expect("free");
    let child = fork(|| {
        // SAFETY: the child's own copy; the parent's is dropped by the parent.
        drop(unsafe { core::ptr::read(&guard) });
        let refused = matches!(shared.pair.release(), Err(NotHeldError { holder: Some(_), .. }));
        let waits = matches!(shared.pair.try_lock_for(Duration::from_millis(5)), Err(LockTimeoutError::TimedOut));
        if refused && waits { 0 } else { 1 }
    });
    assert_eq!(wait(child), 0);
    assert_eq!(shared.pair.holder(), entry(&shared, std::process::id()).map(|p| p.id));
    drop(guard);
    assert_eq!(shared.pair.holder(), None);
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let lock = ReentrantMutex::new(1u64);
    assert!(matches!(lock.lock(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert!(matches!(lock.release(), Err(NotHeldError { holder: None, .. })));
}
