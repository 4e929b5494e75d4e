//! `Mutex`, `ReentrantMutex` and `Lock` between real processes that are really killed: what is the
//! same for each of them. Rechecks are off wherever the contract is exact, so that no test passes
//! because of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::any_lock::{Adopts, AnyLock, Protected};
use common::*;
use core::mem::forget;
use outlive::{
    Lock, LockError, LockTimeoutError, Mutex, NotHeldError, ReentrantMutex, RegisterError, Segment, TryLockError,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Makes a test of each scenario for each of these locks.
macro_rules! tests {
    ($($scenario:ident: $($lock:ident)*;)*) => {
        $(mod $scenario { $(tests! { @ $lock $scenario })* })*
    };
    (@ mutex $scenario:ident) => { #[test] fn mutex() { super::$scenario::<super::Mutex<()>>(); } };
    (@ lock $scenario:ident) => { #[test] fn lock() { super::$scenario::<super::Lock>(); } };
    (@ reentrant_mutex $scenario:ident) => {
        #[test] fn reentrant_mutex() { super::$scenario::<super::ReentrantMutex<()>>(); }
    };
}

tests! {
    a_killed_holder_hands_the_lock_to_the_waiter: mutex reentrant_mutex lock;
    a_killed_waiter_disturbs_nobody: mutex reentrant_mutex lock;
    eight_waiters_and_the_holder_die_and_the_ninth_goes_on: mutex reentrant_mutex lock;
    exec_is_a_death: mutex reentrant_mutex lock;
    a_thread_that_is_ended_by_a_system_call_is_a_death_while_its_process_lives: mutex reentrant_mutex lock;
    the_end_of_a_thread_that_leaked_its_guard_is_noticed_while_its_process_lives: mutex reentrant_mutex;
    a_normal_end_while_holding_is_a_death_too: mutex reentrant_mutex lock;
    a_hundred_kills_at_random_moments_and_the_counter_adds_up: mutex reentrant_mutex lock;
    deadlines_are_kept_and_lose_nothing: mutex reentrant_mutex lock;
    a_panic_is_distinguished_from_a_death: mutex reentrant_mutex lock;
    a_holder_that_locks_again_gets_an_error: mutex lock;
    outside_of_a_segment_there_is_an_error: mutex reentrant_mutex lock;
    a_hold_is_adopted_by_its_thread_and_by_nobody_else: reentrant_mutex lock;
    a_forked_child_adopts_nothing_and_forgets_nothing: reentrant_mutex lock;
    a_guard_whose_hold_was_released_says_so: reentrant_mutex lock;
}

type World<L> = Segment<Protected<L>>;

fn shared<L: AnyLock>() -> World<L> {
    segment_of(|_zero| {})
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    match role.split_once(": ").expect("a lock and a role") {
        ("Mutex", role) => act::<Mutex<()>>(role),
        ("ReentrantMutex", role) => act::<ReentrantMutex<()>>(role),
        ("Lock", role) => act::<Lock>(role),
        (other, _) => panic!("no such lock: {other}"),
    }
}

fn act<L: AnyLock>(role: &str) {
    let shared = inherited_of::<Protected<L>>();
    let hold = |shared: &World<L>| forget(shared.take().expect("free"));
    match role {
        "hold" => {
            hold(&shared);
            say("held");
            wait_for_the_word();
        }
        "hold and exec" => {
            hold(&shared);
            say("held");
            wait_for_the_word();
            let error = std::os::unix::process::CommandExt::exec(std::process::Command::new("/bin/sleep").arg("20"));
            panic!("{error}");
        }
        "leak in a thread that ends" => {
            elsewhere(|| hold(&shared));
            say("thread ended");
            wait_for_the_word();
        }
        "hold in a thread that exits" => {
            let shared: &'static World<L> = Box::leak(Box::new(shared));
            let (tell, thread) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                hold(shared);
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
            let answer = match shared.lock.lock() {
                Ok(_) => "ok".to_owned(),
                Err(LockError::OwnerDied(left)) => {
                    format!("died {}", left.by().map_or("unnamed".into(), |by| by.to_string()))
                }
                Err(other) => other.to_string(),
            };
            say(&answer);
        }
        "update forever" => {
            let me = shared.attach().expect("room");
            loop {
                shared.get_through(me).expect("one at a time");
                shared.reported.fetch_add(1, SeqCst);
            }
        }
        other => panic!("no such role: {other}"),
    }
}

fn start<L: AnyLock>(shared: &World<L>, role: &str, waitv: bool) -> Actor {
    Actor::start(shared, &format!("{}: {role}", L::NAME), waitv)
}

/// A process that holds the lock.
fn holder<L: AnyLock>(shared: &World<L>, waitv: bool) -> Actor {
    let mut holder = start(shared, "hold", waitv);
    assert_eq!(holder.hear(), "held");
    holder
}

/// So many processes that sleep, and wait for the lock.
fn waiters<L: AnyLock>(shared: &World<L>, count: usize, waitv: bool) -> Vec<Actor> {
    let waiters: Vec<_> = (0..count).map(|_| start(shared, "lock once", waitv)).collect();
    waiters.iter().for_each(|waiter| until_asleep(shared, waiter.id()));
    waiters
}

fn until_a_thread_sleeps<L: AnyLock>(shared: &World<L>) {
    until("the waiter to fall asleep", || shared.participants().iter().any(is_asleep));
}

/// A holder marks the data consistent. From then on nothing is reported.
fn vouch<L: AnyLock>(shared: &Protected<L>) {
    let Err(LockError::OwnerDied(left) | LockError::Poisoned(left)) = shared.lock.lock() else {
        panic!("still inconsistent")
    };
    let mut hold = left.into_inner();
    shared.lock.mark_consistent(&mut hold);
    shared.lock.unlock(hold);
    shared.lock.unlock(shared.lock.lock().expect("consistent"));
}

fn a_killed_holder_hands_the_lock_to_the_waiter<L: AnyLock>() {
    each_way(|waitv| {
        let shared = shared::<L>();
        let mut holder = holder(&shared, waitv);
        let dead = entry(&shared, holder.id()).expect("takes part").id;
        let mut waiter = waiters(&shared, 1, waitv).remove(0);
        holder.kill();
        assert_eq!(waiter.hear(), format!("died {dead}"));
        assert!(waiter.ends_well());
        // Nobody marks the data consistent, so every holder learns of the death until one does.
        for _ in 0..2 {
            let Err(LockError::OwnerDied(left)) = shared.lock.lock() else { panic!("forgotten") };
            assert_eq!(left.by(), L::KEEPS_THE_NAME.then_some(dead));
        }
        vouch(&shared);
    });
}

fn a_killed_waiter_disturbs_nobody<L: AnyLock>() {
    each_way(|waitv| {
        let shared = shared::<L>();
        let (holds, _) = shared.take().expect("free");
        let mut victims = waiters(&shared, 3, waitv);
        let mut survivor = waiters(&shared, 1, waitv).remove(0);
        victims.iter_mut().for_each(Actor::kill);
        shared.give_back(holds);
        assert_eq!(survivor.hear(), "ok");
        assert!(survivor.ends_well());
    });
}

fn eight_waiters_and_the_holder_die_and_the_ninth_goes_on<L: AnyLock>() {
    each_way(|waitv| {
        let shared = shared::<L>();
        let mut holder = holder(&shared, waitv);
        let mut victims = waiters(&shared, 8, waitv);
        let mut survivor = waiters(&shared, 1, waitv).remove(0);
        holder.kill();
        victims.iter_mut().for_each(Actor::kill);
        assert!(survivor.hear().starts_with("died"));
        assert!(survivor.ends_well());
    });
}

/// The lock of this holder is reported as that of a dead one.
fn is_reported_dead<L: AnyLock>(shared: &World<L>) {
    let Err(LockTimeoutError::OwnerDied(_)) = shared.lock.try_lock_for(PATIENCE) else { panic!("not noticed") };
}

fn exec_is_a_death<L: AnyLock>() {
    let shared = shared::<L>();
    let mut holder = start(&shared, "hold and exec", true);
    assert_eq!(holder.hear(), "held");
    holder.go_on();
    // The test runner runs the role in a thread that is not the main one. So the second lifeline
    // reports the death.
    is_reported_dead(&shared);
}

/// No destructor runs in the thread. A program that ends a thread like this is responsible for all
/// that the thread used.
fn a_thread_that_is_ended_by_a_system_call_is_a_death_while_its_process_lives<L: AnyLock>() {
    let shared = shared::<L>();
    let mut holder = start(&shared, "hold in a thread that exits", true);
    assert_eq!(holder.hear(), "thread ended");
    is_reported_dead(&shared);
    assert!(holder.ends_well());
}

/// A `Lock` whose holder ended stays acquired, as Python's does.
fn the_end_of_a_thread_that_leaked_its_guard_is_noticed_while_its_process_lives<L: AnyLock>() {
    let shared = shared::<L>();
    let mut holder = start(&shared, "leak in a thread that ends", true);
    assert_eq!(holder.hear(), "thread ended");
    let Err(LockTimeoutError::Leaked { .. }) = shared.lock.try_lock_for(PATIENCE) else { panic!("not noticed") };
    assert!(holder.ends_well());
}

fn a_normal_end_while_holding_is_a_death_too<L: AnyLock>() {
    let shared = shared::<L>();
    let mut holder = holder(&shared, true);
    let id = shared.lock.holder();
    assert!(id.is_some() && holder.ends_well());
    match shared.lock.lock() {
        Err(LockError::OwnerDied(left)) => assert_eq!(left.by(), id),
        other => panic!("{:?}", other.err()),
    }
    vouch(&shared);
}

fn a_hundred_kills_at_random_moments_and_the_counter_adds_up<L: AnyLock>() {
    const KILLS: u64 = 100;
    each_way(|waitv| {
        let shared = shared::<L>();
        let role = format!("{}: update forever", L::NAME);
        kill_at_random(&shared, &[&*role; 3], waitv, (KILLS, 500), &shared.reported);
        shared.take().expect("repaired");
        let [updates, reported] = [&shared.pair[1], &shared.reported].map(|count| count.load(SeqCst));
        // Each victim may have died between its update and its report.
        assert!(reported <= updates && updates <= reported + KILLS + 3, "{updates} updates, {reported} reported");
    });
}

fn deadlines_are_kept_and_lose_nothing<L: AnyLock>() {
    let shared = shared::<L>();
    let (lock, (holds, _)) = (&shared.lock, shared.take().expect("free"));
    elsewhere(|| {
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        let shown = format!("{lock:?}");
        assert!(shown.contains("<locked>") || shown.contains("holder: Some"), "{shown}");
        assert!(matches!(lock.try_lock_for(Duration::ZERO), Err(LockTimeoutError::TimedOut)));
        let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
        assert!(matches!(lock.try_lock_until(past), Err(LockTimeoutError::TimedOut)));
        let begin = Instant::now();
        assert!(matches!(lock.try_lock_for(Duration::from_millis(30)), Err(LockTimeoutError::TimedOut)));
        assert!(begin.elapsed() >= Duration::from_millis(30));
    });
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| lock.try_lock_for(Duration::MAX).map(drop).is_ok());
        until_a_thread_sleeps(&shared);
        shared.give_back(holds);
        assert!(patient.join().expect("no panic"));
    });
}

#[test]
fn signals_do_not_end_a_wait() {
    static HANDLED: AtomicU32 = AtomicU32::new(0);
    extern "C" fn handler(_: i32) {
        HANDLED.fetch_add(1, SeqCst);
    }
    fn do_not_end_a_wait<L: AnyLock>() {
        let shared = shared::<L>();
        let (holds, _) = shared.take().expect("free");
        let (thread, got) = (AtomicU32::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // SAFETY: gettid has no preconditions.
                thread.store(unsafe { libc::gettid() } as u32, SeqCst);
                drop(shared.lock.lock().expect("waits"));
                got.store(true, SeqCst);
            });
            until_a_thread_sleeps(&shared);
            for _ in 0..50 {
                let handled = HANDLED.load(SeqCst);
                // SAFETY: a thread of this process, which lives as long as the lock is held.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread.load(SeqCst), libc::SIGUSR1) };
                until("the signal to be handled", || HANDLED.load(SeqCst) > handled);
            }
            assert!(!got.load(SeqCst), "a signal ended the wait");
            shared.give_back(holds);
        });
        assert!(got.load(SeqCst));
    }
    // SAFETY: the handler only adds to an atomic; no SA_RESTART, so that waits really return.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, core::ptr::null_mut()), 0);
    }
    do_not_end_a_wait::<Mutex<()>>();
    do_not_end_a_wait::<ReentrantMutex<()>>();
    do_not_end_a_wait::<Lock>();
}

fn a_panic_is_distinguished_from_a_death<L: AnyLock>() {
    let shared = shared::<L>();
    let me = shared.attach().expect("takes part");
    panic_with(shared.lock.lock().expect("free"));
    for keeps_the_name in [true, L::KEEPS_THE_NAME, L::KEEPS_THE_NAME] {
        let Err(LockError::Poisoned(left)) = shared.lock.lock() else { panic!("another cause") };
        assert_eq!(left.by(), keeps_the_name.then_some(me));
    }
    vouch(&shared);
}

/// The holder of a `ReentrantMutex` may lock it again.
fn a_holder_that_locks_again_gets_an_error<L: AnyLock>() {
    let shared = shared::<L>();
    let (lock, _holds) = (&shared.lock, shared.take().expect("free"));
    assert!(matches!(lock.lock(), Err(LockError::Deadlock)));
    assert!(matches!(lock.try_lock_for(Duration::MAX), Err(LockTimeoutError::Deadlock)));
    assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
}

fn outside_of_a_segment_there_is_an_error<L: AnyLock>() {
    assert!(matches!(L::default().lock(), Err(LockError::Register(RegisterError::NotInSegment))));
}

fn a_hold_is_adopted_by_its_thread_and_by_nobody_else<L: Adopts>() {
    let shared = shared::<L>();
    let lock = &shared.lock;
    assert!(matches!(lock.adopt(), Err(NotHeldError { holder: None, .. })), "free");
    L::forget(lock.lock().expect("free"));
    let me = lock.holder();
    elsewhere(|| assert!(matches!(lock.adopt(), Err(NotHeldError { holder, .. }) if holder == me)));
    L::forget(lock.adopt().expect("acquired"));
    assert_eq!(lock.holder(), me, "acquired on");
    drop(lock.adopt().expect("acquired"));
    assert_eq!(lock.holder(), None);
    L::forget(lock.lock().expect("free"));
    lock.release().expect("acquired");
    // A panic with an adopted guard is reported, as with any other.
    L::forget(lock.lock().expect("free"));
    panic_with(lock.adopt().expect("acquired"));
    assert!(matches!(lock.lock(), Err(LockError::Poisoned(_))));
}

/// The hold is the parent's. The child has its own count of guards that can be leaked.
fn a_forked_child_adopts_nothing_and_forgets_nothing<L: Adopts>() {
    let shared = shared::<L>();
    let guard = shared.lock.lock().expect("free");
    let child = fork(|| {
        let refused = matches!(shared.lock.adopt(), Err(NotHeldError { holder: Some(_), .. }));
        // SAFETY: the child's own copy; the parent's is dropped by the parent.
        L::forget(unsafe { core::ptr::read(&guard) });
        i32::from(!refused || shared.lock.holder().is_none())
    });
    assert_eq!(wait(child), 0);
    drop(guard);
    assert_eq!(shared.lock.holder(), None);
}

fn a_guard_whose_hold_was_released_says_so<L: Adopts>() {
    let shared = shared::<L>();
    let guard = shared.lock.lock().expect("free");
    shared.lock.release().expect("the guard's");
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(guard)));
    assert!(dropped.is_err(), "a lost hold went unnoticed");
    assert!(shared.lock.try_lock().is_ok());
}
