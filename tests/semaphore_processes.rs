//! The semaphore between real processes that are really killed. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::{
    Actor, PATIENCE, each_way, fork, inherited_of, is_asleep, role, say, segment_of, until, until_asleep, wait,
};
use outlive::{
    AcquireError, AcquireTimeoutError, OverReleaseError, RegisterError, ReleaseError, Segment, Semaphore, Shareable,
    TryAcquireError,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    semaphore: Semaphore,
    bounded: Semaphore,
    taken: AtomicU64,
}

fn segment(permits: u32) -> Segment<Shared> {
    segment_of(|shared: &mut Shared| {
        shared.semaphore = Semaphore::new(permits);
        shared.bounded = Semaphore::bounded(2, 2);
    })
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Shared>();
    match role.as_str() {
        "acquire" => {
            shared.semaphore.acquire().expect("waits");
            say("acquired");
            common::wait_for_the_word();
        }
        "acquire three" => {
            shared.semaphore.acquire_many(3).expect("waits");
            say("acquired");
        }
        "take forever" => loop {
            shared.semaphore.acquire().expect("waits");
            shared.taken.fetch_add(1, SeqCst);
        },
        // Never a second permit while there is one. So if the waiter for the first is left asleep,
        // nobody goes on.
        "release forever" => loop {
            until("the permit to be taken", || shared.semaphore.available() == 0);
            shared.semaphore.release().expect("no maximum");
        },
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn permits_of_the_dead_are_gone_and_anybody_can_replace_them() {
    let shared = segment(1);
    let mut holder = Actor::start(&shared, "acquire", true);
    assert_eq!(holder.hear(), "acquired");
    holder.kill();
    assert!(matches!(shared.semaphore.try_acquire_for(Duration::from_millis(50)), Err(AcquireTimeoutError::TimedOut)));
    shared.semaphore.release().expect("no maximum");
    shared.semaphore.acquire().expect("there");
}

#[test]
fn killed_waiters_take_no_wake_along() {
    each_way(|waitv| {
        let shared = segment(0);
        // The first sleepers are the first to be woken. They are killed while their wakes are on
        // the way.
        let mut victims: Vec<_> = (0..4).map(|_| Actor::start(&shared, "acquire", waitv)).collect();
        victims.iter().for_each(|victim| until_asleep(&shared, victim.id()));
        let mut survivor = Actor::start(&shared, "acquire", waitv);
        until_asleep(&shared, survivor.id());
        for victim in &mut victims {
            shared.semaphore.release().expect("no maximum");
            victim.kill();
        }
        // Each victim may have taken a permit before it died, and there were as many permits as
        // victims. The survivor needs one more. Its wake must arrive, wherever the other wakes
        // went.
        shared.semaphore.release().expect("no maximum");
        assert_eq!(survivor.hear(), "acquired");
        assert!(survivor.ends_well());
    });
}

#[test]
fn a_waiter_for_three_permits_does_not_keep_the_others_waiting() {
    each_way(|waitv| {
        let shared = segment(0);
        let mut big = Actor::start(&shared, "acquire three", waitv);
        until_asleep(&shared, big.id());
        let mut small = Actor::start(&shared, "acquire", waitv);
        until_asleep(&shared, small.id());
        shared.semaphore.release().expect("no maximum");
        assert_eq!(small.hear(), "acquired");
        shared.semaphore.release_many(3).expect("no maximum");
        assert_eq!(big.hear(), "acquired");
        assert_eq!(shared.semaphore.available(), 0);
        assert!(big.ends_well() && small.ends_well());
    });
}

#[test]
fn kills_of_releasers_and_waiters_at_random_moments_lose_no_wake() {
    each_way(|waitv| {
        let shared = segment(0);
        let roles = ["release forever", "take forever", "take forever"];
        let mut workers = roles.map(|role| Actor::start(&shared, role, waitv));
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..50 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let progress = shared.taken.load(SeqCst) + random % 50;
            until("the workers to go on", || shared.taken.load(SeqCst) > progress);
            let victim = (random >> 32) as usize % 3;
            workers[victim].kill();
            if victim == 0 {
                until("what was released to be taken", || shared.semaphore.available() == 0);
            }
            workers[victim] = Actor::start(&shared, roles[victim], waitv);
        }
    });
}

#[test]
fn deadlines_are_kept_and_lose_nothing() {
    let shared = segment(0);
    let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
    assert!(matches!(shared.semaphore.try_acquire(), Err(TryAcquireError::WouldBlock)));
    assert!(matches!(shared.semaphore.try_acquire_for(Duration::ZERO), Err(AcquireTimeoutError::TimedOut)));
    assert!(matches!(shared.semaphore.try_acquire_until(past), Err(AcquireTimeoutError::TimedOut)));
    assert!(matches!(shared.semaphore.try_acquire_many_until(2, past), Err(AcquireTimeoutError::TimedOut)));
    let begin = Instant::now();
    assert!(matches!(shared.semaphore.try_acquire_for(Duration::from_millis(30)), Err(AcquireTimeoutError::TimedOut)));
    assert!(begin.elapsed() >= Duration::from_millis(30));
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| shared.semaphore.try_acquire_for(Duration::MAX).is_ok());
        until("the waiter to fall asleep", || shared.participants().iter().any(is_asleep));
        shared.semaphore.release().expect("no maximum");
        assert!(patient.join().expect("no panic"));
    });
    // A permit that is available is acquired, whatever the deadline.
    shared.semaphore.release().expect("no maximum");
    shared.semaphore.try_acquire_until(past).expect("there");
}

#[test]
fn more_than_the_maximum_is_an_error_and_changes_nothing() {
    let shared = segment(0);
    let bounded = &shared.bounded;
    for refused in [bounded.release(), bounded.release_many(1), bounded.release_many(u32::MAX)] {
        assert!(
            matches!(refused, Err(ReleaseError::OverRelease(OverReleaseError { available: 2, maximum: 2, .. }))),
            "{refused:?}"
        );
    }
    assert!(matches!(bounded.acquire_many(3), Err(AcquireError::TooMany { wanted: 3, maximum: 2 })));
    for wanted in [3, u32::MAX] {
        let refused = bounded.try_acquire_many(wanted);
        assert!(matches!(refused, Err(TryAcquireError::TooMany { maximum: 2, .. })), "{refused:?}");
    }
    let refused = bounded.try_acquire_many_for(3, Duration::MAX);
    assert!(matches!(refused, Err(AcquireTimeoutError::TooMany { wanted: 3, maximum: 2 })), "{refused:?}");
    assert_eq!((bounded.available(), bounded.maximum()), (2, 2));
    bounded.acquire_many(0).expect("none are there always");
    bounded.release_many(0).expect("none fit always");
    assert_eq!((shared.semaphore.available(), shared.semaphore.maximum()), (0, Semaphore::MAX_PERMITS));
    shared.semaphore.release_many(Semaphore::MAX_PERMITS).expect("as many as there can be");
    assert!(matches!(
        shared.semaphore.release(),
        Err(ReleaseError::OverRelease(OverReleaseError { available: Semaphore::MAX_PERMITS, .. }))
    ));
    shared.semaphore.acquire_many(Semaphore::MAX_PERMITS).expect("there");
}

#[test]
fn a_release_of_none_takes_no_sleeper_off_the_list() {
    let shared = segment(0);
    let mut waiter = Actor::start(&shared, "acquire", true);
    until_asleep(&shared, waiter.id());
    shared.semaphore.release_many(0).expect("none fit always");
    shared.semaphore.release().expect("no maximum");
    assert_eq!(waiter.hear(), "acquired");
    assert!(waiter.ends_well());
}

#[test]
fn guards_release_only_in_the_process_that_acquired() {
    let shared = segment(1);
    let permit = shared.semaphore.permit().expect("there");
    assert_eq!((permit.count(), shared.semaphore.available()), (1, 0));
    let semaphore = &shared.semaphore;
    let copy = std::mem::ManuallyDrop::new(permit);
    let pid = fork(|| {
        drop(std::mem::ManuallyDrop::into_inner(copy));
        i32::from(semaphore.available() != 0)
    });
    assert_eq!(wait(pid), 0, "the child released what is the parent's");
    shared.semaphore.release().expect("no maximum");
    // Another thread may drop the guard.
    let permits = shared.semaphore.try_permits_for(1, PATIENCE).expect("there");
    std::thread::scope(|scope| _ = scope.spawn(move || drop(permits)));
    assert_eq!(shared.semaphore.available(), 1);
    shared.semaphore.permit().expect("there").forget();
    assert_eq!(shared.semaphore.available(), 0);
}

#[test]
fn a_guard_without_room_for_its_permit_says_so() {
    let shared = segment(0);
    let permit = shared.bounded.permit().expect("there");
    shared.bounded.release().expect("room for one");
    assert!(matches!(permit.release(), Err(OverReleaseError { released: 1, available: 2, maximum: 2, .. })));
    let permit = shared.bounded.try_permit().expect("there");
    shared.bounded.release().expect("room for one");
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(permit))).is_err());
}

#[test]
fn any_words_are_understood() {
    let words = [[0u32, 0], [u32::MAX; 2], [1 << 31, 1], [3 << 30, u32::MAX], [5, 2], [1 << 29, 1 << 30]];
    let wishes = [0, 1, 2, 3 << 30, u32::MAX];
    let both = wishes.into_iter().flat_map(|wish| words.map(|words| (wish, words)));
    for (guess, (wish, [word, maximum])) in both.flat_map(|both| [0, 5, u32::MAX].map(|guess| (guess, both))) {
        let shared = segment_of(|semaphore: &mut Semaphore| {
            // SAFETY: a semaphore is four words, and Shareable says that all patterns are valid.
            *semaphore = unsafe { core::mem::transmute::<[u32; 4], Semaphore>([word, guess, wish, maximum]) };
        });
        let there = shared.available();
        assert_eq!(shared.try_acquire().is_ok(), there > 0);
        let _found = (shared.release(), shared.release_many(u32::MAX), shared.acquire_many(u32::MAX));
        let _there_or_not = shared.try_acquire_many_for(2, Duration::from_millis(1));
        assert!(format!("{:?}", *shared).contains("available"));
    }
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let semaphore = Semaphore::new(1);
    assert!(matches!(semaphore.acquire(), Err(AcquireError::Register(RegisterError::NotInSegment))));
    assert!(matches!(semaphore.release(), Err(ReleaseError::NotInSegment(_))));
}
