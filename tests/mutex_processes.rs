//! The mutex between real processes that are really killed. Rechecks are off wherever the contract
//! is exact, so that no test passes because of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{LockError, LockTimeoutError, Mutex, MutexGuard, NotHeldError, RegisterError, Segment, TryLockError};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited();
    match role.as_str() {
        "hold" => {
            let _guard = shared.pair.lock().expect("free");
            say("held");
            wait_for_the_word();
        }
        "hold and exec" => {
            core::mem::forget(shared.pair.lock().expect("free"));
            say("held");
            wait_for_the_word();
            let error = std::os::unix::process::CommandExt::exec(std::process::Command::new("/bin/sleep").arg("20"));
            panic!("{error}");
        }
        "leak in a thread that ends" => {
            std::thread::scope(|scope| {
                scope.spawn(|| core::mem::forget(shared.pair.lock().expect("free"))).join().expect("ends");
            });
            say("thread ended");
            wait_for_the_word();
        }
        "hold in a thread that exits" => {
            let shared: &'static Segment<Shared> = Box::leak(Box::new(shared));
            let (tell, thread) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                core::mem::forget(shared.pair.lock().expect("free"));
                // SAFETY: gettid has no preconditions.
                tell.send(unsafe { libc::gettid() }).expect("heard");
                // SAFETY: ends this thread alone; nothing of it is used any more.
                unsafe { libc::syscall(libc::SYS_exit, 0) };
            });
            let thread = thread.recv().expect("told");
            until("the thread to end", || !std::path::Path::new(&format!("/proc/self/task/{thread}")).exists());
            say("thread ended");
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
        "acquire" => {
            shared.lock.acquire().expect("free");
            say("acquired");
            wait_for_the_word();
        }
        other => panic!("no such role: {other}"),
    }
}

fn lock_and_repair(shared: &Shared) -> MutexGuard<'_, [u64; 2]> {
    match shared.pair.lock() {
        Ok(pair) => {
            assert_eq!(pair[0], pair[1], "half an update that was not reported");
            pair
        }
        Err(LockError::OwnerDied(left)) => {
            let mut pair = left.into_inner();
            pair[1] = pair[0];
            pair.mark_consistent();
            pair
        }
        Err(other) => panic!("{other}"),
    }
}

fn update(shared: &Shared) {
    let mut pair = lock_and_repair(shared);
    pair[0] += 1;
    std::hint::spin_loop();
    pair[1] += 1;
}

#[test]
fn a_killed_holder_hands_the_lock_to_the_waiter() {
    each_way(|waitv| {
        let shared = segment();
        let mut holder = Actor::start(&shared, "hold", waitv);
        assert_eq!(holder.hear(), "held");
        let dead = entry(&shared, holder.id()).expect("takes part").id;
        let mut waiter = Actor::start(&shared, "lock once", waitv);
        until_asleep(&shared, waiter.id());
        holder.kill();
        assert_eq!(waiter.hear(), format!("died {dead}"));
        assert!(waiter.ends_well());
        // Nobody marks the data consistent, so every holder learns of the death until one does.
        for _ in 0..2 {
            match shared.pair.lock() {
                Err(LockError::OwnerDied(left)) => assert_eq!(left.by(), Some(dead)),
                other => panic!("{other:?}"),
            }
        }
        let Err(LockError::OwnerDied(left)) = shared.pair.lock() else { panic!("still inconsistent") };
        left.into_inner().mark_consistent();
        assert!(shared.pair.lock().is_ok());
    });
}

#[test]
fn a_killed_waiter_disturbs_nobody() {
    each_way(|waitv| {
        let shared = segment();
        let guard = shared.pair.lock().expect("free");
        let mut victims: Vec<_> = (0..3).map(|_| Actor::start(&shared, "lock once", waitv)).collect();
        let mut survivor = Actor::start(&shared, "lock once", waitv);
        for waiter in victims.iter().chain([&survivor]) {
            until_asleep(&shared, waiter.id());
        }
        victims.iter_mut().for_each(Actor::kill);
        drop(guard);
        assert_eq!(survivor.hear(), "ok");
        assert!(survivor.ends_well());
    });
}

#[test]
fn eight_waiters_and_the_holder_die_and_the_ninth_goes_on() {
    each_way(|waitv| {
        let shared = segment();
        let mut holder = Actor::start(&shared, "hold", waitv);
        assert_eq!(holder.hear(), "held");
        let mut victims: Vec<_> = (0..8).map(|_| Actor::start(&shared, "lock once", waitv)).collect();
        let mut survivor = Actor::start(&shared, "lock once", waitv);
        for waiter in victims.iter().chain([&survivor]) {
            until_asleep(&shared, waiter.id());
        }
        holder.kill();
        victims.iter_mut().for_each(Actor::kill);
        assert!(survivor.hear().starts_with("died"));
        assert!(survivor.ends_well());
    });
}

#[test]
fn exec_is_a_death() {
    let shared = segment();
    let mut holder = Actor::start(&shared, "hold and exec", true);
    assert_eq!(holder.hear(), "held");
    holder.go_on();
    // The test runner runs the role in a thread that is not the main one. So the second lifeline
    // reports the death.
    let Err(LockTimeoutError::OwnerDied(_)) = shared.pair.try_lock_for(PATIENCE) else {
        panic!("exec was not noticed")
    };
}

#[test]
fn the_end_of_a_thread_that_leaked_its_guard_is_noticed_while_its_process_lives() {
    let shared = segment();
    let mut holder = Actor::start(&shared, "leak in a thread that ends", true);
    assert_eq!(holder.hear(), "thread ended");
    let Err(LockTimeoutError::Leaked { .. }) = shared.pair.try_lock_for(PATIENCE) else { panic!("not noticed") };
    assert!(holder.ends_well());
}

/// No destructor runs in the thread. A program that ends a thread like this is responsible for all
/// that the thread used.
#[test]
fn a_thread_that_is_ended_by_a_system_call_is_a_death_while_its_process_lives() {
    let shared = segment();
    let mut holder = Actor::start(&shared, "hold in a thread that exits", true);
    assert_eq!(holder.hear(), "thread ended");
    let Err(LockTimeoutError::OwnerDied(_)) = shared.pair.try_lock_for(PATIENCE) else { panic!("not noticed") };
    assert!(holder.ends_well());
}

#[test]
fn a_normal_end_while_holding_is_a_death_too() {
    let shared = segment();
    let mut holder = Actor::start(&shared, "acquire", true);
    assert_eq!(holder.hear(), "acquired");
    let id = shared.lock.holder();
    assert!(holder.ends_well());
    match shared.lock.acquire() {
        Err(LockError::OwnerDied(left)) => assert_eq!(left.by(), id),
        other => panic!("{other:?}"),
    }
    shared.lock.mark_consistent().expect("acquired");
    shared.lock.release().expect("held");
    assert!(shared.lock.acquire().is_ok());
}

#[test]
fn two_hundred_kills_at_random_moments_and_the_counter_adds_up() {
    each_way(two_hundred_kills);
}

fn two_hundred_kills(waitv: bool) {
    const KILLS: u64 = 200;
    let shared = segment();
    kill_at_random(&shared, &["update forever"; 3], waitv, (KILLS, 500), &shared.reported);
    let updates = lock_and_repair(&shared)[0];
    let reported = shared.reported.load(SeqCst);
    // Each victim may have died between its update and its report.
    assert!(reported <= updates && updates <= reported + KILLS + 3, "{updates} updates, {reported} reported");
}

#[test]
fn deadlines_are_kept_and_lose_nothing() {
    let shared = segment();
    let guard = shared.pair.lock().expect("free");
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            assert!(matches!(shared.pair.try_lock(), Err(TryLockError::WouldBlock)));
            assert!(matches!(shared.pair.try_lock_for(Duration::ZERO), Err(LockTimeoutError::TimedOut)));
            let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
            assert!(matches!(shared.pair.try_lock_until(past), Err(LockTimeoutError::TimedOut)));
            let begin = Instant::now();
            assert!(matches!(shared.pair.try_lock_for(Duration::from_millis(30)), Err(LockTimeoutError::TimedOut)));
            assert!(begin.elapsed() >= Duration::from_millis(30));
        });
        refused.join().expect("all refused");
        let patient = scope.spawn(|| shared.pair.try_lock_for(Duration::MAX).map(drop).is_ok());
        until("the waiter to fall asleep", || shared.participants().iter().any(|p| p.asleep_for.is_some()));
        drop(guard);
        assert!(patient.join().expect("no panic"));
    });
}

#[test]
fn signals_do_not_end_a_wait() {
    static HANDLED: AtomicU32 = AtomicU32::new(0);
    extern "C" fn handler(_: i32) {
        HANDLED.fetch_add(1, SeqCst);
    }
    // SAFETY: the handler only adds to an atomic; no SA_RESTART, so that waits really return.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, core::ptr::null_mut()), 0);
    }
    let shared = segment();
    let guard = shared.pair.lock().expect("free");
    let (thread, got) = (AtomicU32::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: gettid has no preconditions.
            thread.store(unsafe { libc::gettid() } as u32, SeqCst);
            drop(shared.pair.lock().expect("waits"));
            got.store(true, SeqCst);
        });
        until("the waiter to fall asleep", || shared.participants().iter().any(|p| p.asleep_for.is_some()));
        for sent in 0..50 {
            // SAFETY: a thread of this process, which lives as long as the lock is held.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread.load(SeqCst), libc::SIGUSR1) };
            until("the signal to be handled", || HANDLED.load(SeqCst) > sent);
        }
        assert!(!got.load(SeqCst), "a signal ended the wait");
        drop(guard);
    });
    assert!(got.load(SeqCst));
}

#[test]
fn a_panic_is_distinguished_from_a_death() {
    let shared = segment();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = shared.pair.lock().expect("free");
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    for _ in 0..2 {
        assert!(matches!(shared.pair.lock(), Err(LockError::Poisoned(_))));
    }
    let Err(LockError::Poisoned(left)) = shared.pair.lock() else { panic!("sticks") };
    left.into_inner().mark_consistent();
    assert!(shared.pair.lock().is_ok());
}

/// `Lock` has no guard that could remember the error. The word remembers it.
#[test]
fn a_panic_is_reported_as_one_until_a_holder_vouches() {
    let shared = segment();
    let lock = &shared.lock;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = lock.lock().expect("free");
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    let me = shared.attach().expect("takes part");
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
    let shared = segment();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = shared.lock.lock().expect("free");
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    let died = fork(|| i32::from(!matches!(shared.lock.acquire(), Err(LockError::Poisoned(_)))));
    assert_eq!(wait(died), 0);
    let Err(LockError::OwnerDied(left)) = shared.lock.acquire() else { panic!("another cause") };
    assert!(left.by().is_some());
    shared.lock.release().expect("held");
    let Err(LockError::OwnerDied(left)) = shared.lock.acquire() else { panic!("another cause") };
    assert!(left.by().is_none());
}

#[test]
fn a_holder_that_locks_again_gets_an_error() {
    let shared = segment();
    let _guard = shared.pair.lock().expect("free");
    assert!(matches!(shared.pair.lock(), Err(LockError::Deadlock)));
    assert!(matches!(shared.pair.try_lock_for(Duration::MAX), Err(LockTimeoutError::Deadlock)));
    assert!(matches!(shared.pair.try_lock(), Err(TryLockError::WouldBlock)));
    assert!(format!("{:?}", shared.pair).contains("<locked>"));
}

/// As Python's own tests do with Python's locks.
#[test]
fn a_holder_that_acquires_again_waits_for_another_to_release() {
    each_way_in_a_process_of_its_own(|| {
        let shared = segment();
        shared.lock.acquire().expect("free");
        assert!(matches!(shared.lock.try_acquire(), Err(TryLockError::WouldBlock)));
        let begun = Instant::now();
        assert!(matches!(shared.lock.try_acquire_for(Duration::from_millis(40)), Err(LockTimeoutError::TimedOut)));
        assert!(begun.elapsed() >= Duration::from_millis(40), "the call did not wait");
        assert!(matches!(shared.lock.lock(), Err(LockError::Deadlock)), "only this thread can drop a guard");
        assert!(matches!(shared.lock.try_lock(), Err(TryLockError::WouldBlock)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                until("it to wait", || shared.participants().iter().any(|one| one.asleep_for.is_some()));
                shared.lock.release().expect("it is acquired");
            });
            shared.lock.acquire().expect("it was released");
        });
        shared.lock.release().expect("it is acquired");
    });
}

#[test]
fn anybody_can_release_a_lock() {
    let shared = segment();
    let mut holder = Actor::start(&shared, "acquire", true);
    assert_eq!(holder.hear(), "acquired");
    assert!(matches!(shared.lock.try_acquire(), Err(TryLockError::WouldBlock)));
    shared.lock.release().expect("held by the child");
    assert!(matches!(shared.lock.release(), Err(NotHeldError { holder: None, .. })));
    shared.lock.acquire().expect("free");
    shared.lock.release().expect("held");
    assert!(holder.ends_well());
}

#[test]
fn the_holder_of_a_lock_adopts_a_guard_and_nobody_else_can() {
    let shared = segment();
    assert!(matches!(shared.lock.adopt(), Err(NotHeldError { holder: None, .. })), "free");
    shared.lock.acquire().expect("free");
    let me = shared.lock.holder();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(shared.lock.adopt(), Err(NotHeldError { holder, .. }) if holder == me)));
    });
    shared.lock.adopt().expect("acquired").forget();
    assert_eq!(shared.lock.holder(), me, "acquired on");
    drop(shared.lock.adopt().expect("acquired"));
    assert_eq!(shared.lock.holder(), None);
    // The reverse: a hold that has a guard, and then none.
    shared.lock.lock().expect("free").forget();
    shared.lock.release().expect("acquired");
    // A panic with an adopted guard is reported, as with any other.
    shared.lock.acquire().expect("free");
    let panicking = std::panic::AssertUnwindSafe(|| {
        let _guard = shared.lock.adopt().expect("acquired");
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(std::panic::catch_unwind(panicking).is_err());
    assert!(matches!(shared.lock.lock(), Err(LockError::Poisoned(_))));
}

/// The hold is the parent's.
#[test]
fn a_forked_child_adopts_nothing_and_forgets_nothing() {
    let shared = segment();
    let guard = shared.lock.lock().expect("free");
    let child = fork(|| {
        let refused = matches!(shared.lock.adopt(), Err(NotHeldError { holder: Some(_), .. }));
        // SAFETY: the child's own copy; the parent's is dropped by the parent.
        unsafe { core::ptr::read(&guard) }.forget();
        if refused && shared.lock.holder().is_some() { 0 } else { 1 }
    });
    assert_eq!(wait(child), 0);
    drop(guard);
    assert_eq!(shared.lock.holder(), None);
}

#[test]
fn a_guard_that_lost_its_lock_says_so() {
    let shared = segment();
    let guard = shared.lock.lock().expect("free");
    shared.lock.release().expect("held");
    assert!(matches!(guard.release(), Err(NotHeldError { holder: None, .. })));
    let guard = shared.lock.lock().expect("free");
    shared.lock.release().expect("held");
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(guard)));
    assert!(dropped.is_err(), "a lost lock went unnoticed");
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let mutex = Mutex::new(1u64);
    assert!(matches!(mutex.lock(), Err(LockError::Register(RegisterError::NotInSegment))));
    let in_segment = Segment::<Mutex<u64>>::anonymous(|m| *m.get_mut() = 7).expect("a segment");
    assert_eq!(*in_segment.lock().expect("free"), 7);
}
