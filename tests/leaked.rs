//! Guards that are leaked by threads that end, while the processes of these threads go on.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use core::ffi::c_void;
use outlive::atomic::AtomicU64;
use outlive::{
    Condvar, CondvarError, Lock, LockError, LockResult, LockTimeoutError, Mutex, ReentrantMutex, RegisterError, RwLock,
    RwLockWriteGuard, Segment, Shareable, TaskQueue, TaskQueueSegment, TryLockError, TryRecvError, TrySendError,
    Waitable,
};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[derive(Shareable)]
#[repr(C)]
struct Locks {
    mutex: Mutex<u64>,
    rwlock: RwLock<u64, 2>,
    reentrant: ReentrantMutex<AtomicU64>,
    lock: Lock,
    condvar: Condvar,
}

fn locks() -> &'static Segment<Locks> {
    outlive::test_switches::set_recheck(false);
    let options = Segment::<Locks>::options();
    Box::leak(Box::new(options.anonymous(|_, _| {}).expect("a segment")))
}

/// Runs `act` in a thread that ends.
fn elsewhere<R: Send + 'static>(act: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::spawn(act).join().expect("no panic")
}

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared: &'static Segment<Locks> = Box::leak(Box::new(inherited_of()));
    match role.as_str() {
        "leak a guard, and live on" => {
            elsewhere(|| core::mem::forget(shared.mutex.lock().expect("free")));
            say("leaked");
            wait_for_the_word();
        }
        "acquire, and live on" => {
            elsewhere(|| shared.lock.acquire().expect("free"));
            say("acquired");
            wait_for_the_word();
        }
        "wait for the lock" => {
            outlive::test_switches::set_recheck(true);
            say("waiting");
            assert!(matches!(shared.lock.acquire(), Err(LockError::OwnerDied(_))));
            say("told");
        }
        other => panic!("no such role: {other}"),
    }
}

/// A fault that was there once: the next holder got a second `&mut` to data that the first still
/// used.
#[test]
fn a_leaked_mutex_guard_gives_no_second_reference() {
    let shared = locks();
    let first: &'static mut u64 = elsewhere(|| &mut **Box::leak(Box::new(shared.mutex.lock().expect("free"))));
    *first = 1;
    assert!(matches!(shared.mutex.lock(), Err(LockError::Leaked { .. })));
    assert!(matches!(shared.mutex.try_lock(), Err(TryLockError::Leaked { .. })));
    assert!(matches!(shared.mutex.try_lock_for(Duration::from_secs(60)), Err(LockTimeoutError::Leaked { .. })));
    assert!(format!("{:?}", shared.mutex).contains("leaked"));
    *first = 2;
    // SAFETY: `first` is not used any more.
    match unsafe { shared.mutex.lock_leaked() } {
        Err(TryLockError::OwnerDied(left)) => {
            let mut second = left.into_inner();
            assert_eq!(*second, 2);
            second.mark_consistent();
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(*shared.mutex.lock().expect("repaired"), 2);
}

#[test]
fn a_leaked_task_or_loan_gives_no_second_reference() {
    outlive::test_switches::set_recheck(false);
    let tasks: &'static TaskQueueSegment<u64> = Box::leak(Box::new(TaskQueue::anonymous(2).expect("a task queue")));
    tasks.send(1).expect("room");
    let first: &'static mut u64 = elsewhere(|| &mut **Box::leak(Box::new(tasks.take().expect("a task"))));
    let room: &'static mut u64 = elsewhere(|| &mut **Box::leak(Box::new(tasks.reserve().expect("room"))));
    assert!(matches!(tasks.try_take(), Err(TryRecvError::Empty)));
    assert_eq!(tasks.try_send(2), Err(TrySendError::Full(2)));
    (*first, *room) = (2, 3);
    let worker = tasks.workers().next().expect("it has the task");
    // SAFETY: `first` is not used any more.
    assert_eq!(unsafe { tasks.take_back(worker) }, Ok(1));
    let task = tasks.try_take().expect("taken back");
    assert_eq!((*task, task.attempts()), (2, 2));
    assert_eq!(tasks.try_send(4), Err(TrySendError::Full(4)), "the room is still leaked");
    *room = 4;
    task.done().expect("ours");
    assert_eq!(tasks.join(), Ok(()));
}

#[derive(Shareable)]
#[repr(C)]
struct Movable {
    mutex: Mutex<u64>,
    lock: Mutex<Lock>,
}

/// A fault that was there once: the lock's word named another thread in one segment, and our thread
/// in the other. Its release made the crate forget the guard that our thread had leaked. The next
/// holder got a second `&mut`.
#[test]
fn the_release_of_a_lock_from_another_segment_hides_no_leaked_guard() {
    let make = || Segment::<Movable>::anonymous(|_| {}).expect("a segment");
    let [one, other]: [&'static Segment<Movable>; 2] = [(); 2].map(|()| &*Box::leak(Box::new(make())));
    let moved = elsewhere(|| {
        let mut lock = one.lock.lock().expect("free");
        lock.acquire().expect("free");
        core::mem::take(&mut *lock)
    });
    elsewhere(move || {
        let mut lock = other.lock.lock().expect("free");
        *lock = moved;
        assert_eq!(lock.holder(), Some(other.attach().expect("in")), "the first in each segment");
        core::mem::forget(other.mutex.lock().expect("free"));
        lock.release().expect("held");
    });
    assert!(matches!(other.mutex.lock(), Err(LockError::Leaked { .. })));
}

#[test]
fn a_leaked_write_guard_keeps_everybody_out() {
    let shared = locks();
    elsewhere(|| core::mem::forget(shared.rwlock.write().expect("free")));
    assert!(matches!(shared.rwlock.read(), Err(LockError::Leaked { .. })));
    assert!(matches!(shared.rwlock.try_read(), Err(TryLockError::Leaked { .. })));
    assert!(matches!(shared.rwlock.write(), Err(LockError::Leaked { .. })));
    assert!(matches!(shared.rwlock.try_write_for(Duration::from_secs(60)), Err(LockTimeoutError::Leaked { .. })));
    // SAFETY: nothing of the leaked guard is used.
    assert!(matches!(unsafe { shared.rwlock.read_leaked() }, Err(TryLockError::OwnerDied(_))));
    // SAFETY: as above.
    assert!(matches!(unsafe { shared.rwlock.write_leaked() }, Err(TryLockError::OwnerDied(_))));
}

#[test]
fn a_leaked_read_guard_keeps_writers_out_and_lets_readers_in() {
    let shared = locks();
    let first: &'static u64 = elsewhere(|| &**Box::leak(Box::new(shared.rwlock.read().expect("free"))));
    assert!(matches!(shared.rwlock.write(), Err(LockError::Leaked { .. })));
    assert!(matches!(shared.rwlock.try_write(), Err(TryLockError::Leaked { .. })));
    assert_eq!(*shared.rwlock.read().expect("beside it"), *first);
    // The second of two reader words is leaked in the same way. Now none is left.
    elsewhere(|| core::mem::forget(shared.rwlock.read().expect("a word is left")));
    assert!(matches!(shared.rwlock.read(), Err(LockError::Leaked { .. })));
    // SAFETY: nothing of the leaked guards is used any more.
    let mut writer = unsafe { shared.rwlock.write_leaked() }.expect("readers change nothing");
    *writer = 7;
    drop(writer);
    assert_eq!(*shared.rwlock.read().expect("free"), 7);
}

#[test]
fn a_leaked_reentrant_guard_gives_no_second_reference() {
    let shared = locks();
    elsewhere(|| core::mem::forget(shared.reentrant.lock().expect("free")));
    assert!(matches!(shared.reentrant.lock(), Err(LockError::Leaked { .. })));
    assert!(matches!(shared.reentrant.try_lock(), Err(TryLockError::Leaked { .. })));
    assert!(matches!(shared.reentrant.acquire(), Err(LockError::Leaked { .. })));
    // SAFETY: nothing of the leaked guard is used.
    assert!(matches!(unsafe { shared.reentrant.lock_leaked() }, Err(TryLockError::OwnerDied(_))));
}

/// A thread waits on a condition variable. Another thread takes the lock meanwhile, leaks it and
/// ends. Ok if the waiter learns of that; otherwise what it got instead.
fn wait_while_another_leaks<G: Waitable + 'static>(
    lock: fn() -> LockResult<G>,
    condvar: &'static Condvar,
) -> Result<(), String> {
    let (held, is_held) = std::sync::mpsc::channel::<()>();
    let taken = Arc::new(AtomicBool::new(false));
    let is_taken = taken.clone();
    let waiter = std::thread::spawn(move || {
        let mut guard = lock().map_err(drop).expect("free");
        held.send(()).expect("heard");
        loop {
            match condvar.wait(guard) {
                Err(CondvarError::Leaked { .. }) => return Ok(()),
                Err(other) => return Err(other.to_string()),
                Ok(_) if is_taken.load(SeqCst) => return Err("the lock is its own".to_owned()),
                // On a slow processor the wait may end without a reason, before the other thread
                // has come.
                Ok(again) => guard = again,
            }
        }
    });
    is_held.recv().expect("held");
    // This thread gets the lock when the other waits.
    elsewhere(move || {
        let guard = lock().map_err(drop).expect("given back by the wait");
        taken.store(true, SeqCst);
        core::mem::forget(guard);
    });
    condvar.notify_all();
    waiter.join().expect("no panic")
}

/// The wait takes the lock again in another way than `lock` does.
#[test]
fn a_waiter_on_a_condition_learns_of_a_leaked_guard() {
    static SHARED: OnceLock<&'static Segment<Locks>> = OnceLock::new();
    let shared = SHARED.get_or_init(locks);
    let lock = || SHARED.get().expect("set").mutex.lock();
    assert_eq!(wait_while_another_leaks(lock, &shared.condvar), Ok(()), "mutex");
    let lock = || SHARED.get().expect("set").reentrant.lock();
    assert_eq!(wait_while_another_leaks(lock, &shared.condvar), Ok(()), "reentrant mutex");
}

/// A `Lock` guards no data: it stays acquired, and the wait goes on until somebody releases it.
#[test]
fn a_waiter_on_a_condition_waits_until_a_leaked_lock_is_released() {
    let shared = locks();
    let (held, is_held) = std::sync::mpsc::channel::<()>();
    let waiter = std::thread::spawn(move || {
        let guard = shared.lock.lock().expect("free");
        held.send(()).expect("heard");
        shared.condvar.wait(guard).map(drop).map_err(|error| error.to_string())
    });
    is_held.recv().expect("held");
    elsewhere(|| shared.lock.acquire().expect("given back by the wait"));
    shared.condvar.notify_all();
    shared.lock.release().expect("acquired");
    waiter.join().expect("no panic").expect("consistent");
    drop(shared.lock.lock().expect("free"));
}

/// The count of holds follows a guard wherever it goes. One decrement too many would hide a leak.
#[test]
fn a_guard_is_leaked_whatever_became_of_it_before() {
    const SOON: Duration = Duration::from_millis(1);
    type Leak = fn(&'static Locks);
    let mutexes: [(&str, Leak); 4] = [
        ("after a wait", |locks| {
            let guard = locks.mutex.lock().expect("free");
            core::mem::forget(locks.condvar.wait_timeout(guard, SOON).expect("consistent"));
        }),
        ("the second, while the first was dropped", |locks| {
            let other = locks.rwlock.write().expect("free");
            let guard = locks.mutex.lock().expect("free");
            drop(other);
            core::mem::forget(guard);
        }),
        ("before another was taken and dropped", |locks| {
            core::mem::forget(locks.mutex.lock().expect("free"));
            drop(locks.rwlock.read().expect("free"));
        }),
        ("after it was poisoned", |locks| {
            let guard = locks.mutex.lock().expect("free");
            let poisoning = std::panic::AssertUnwindSafe(|| {
                let _guard = guard;
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(std::panic::catch_unwind(poisoning).is_err());
            match locks.mutex.lock() {
                Err(LockError::Poisoned(left)) => core::mem::forget(left.into_inner()),
                other => panic!("{other:?}"),
            }
        }),
    ];
    for (how, leak) in mutexes {
        let shared = locks();
        elsewhere(move || leak(shared));
        assert!(matches!(shared.mutex.lock(), Err(LockError::Leaked { .. })), "{how}");
    }

    let shared = locks();
    elsewhere(|| {
        let guard = shared.reentrant.lock().expect("free");
        core::mem::forget(shared.condvar.wait_timeout(guard, SOON).expect("consistent"));
    });
    assert!(matches!(shared.reentrant.lock(), Err(LockError::Leaked { .. })), "reentrant, after a wait");

    let shared = locks();
    elsewhere(|| {
        let outer = shared.reentrant.lock().expect("free");
        core::mem::forget(shared.reentrant.lock().expect("again"));
        drop(outer);
    });
    assert!(matches!(shared.reentrant.lock(), Err(LockError::Leaked { .. })), "the second of two holds");

    let shared = locks();
    elsewhere(|| {
        let writer = shared.rwlock.write().expect("free");
        core::mem::forget(RwLockWriteGuard::downgrade(writer));
    });
    assert!(matches!(shared.rwlock.write(), Err(LockError::Leaked { .. })), "after a downgrade");
    drop(shared.rwlock.read().expect("a reader's reference allows others"));
}

/// The reverse: a guard that was dropped leaves nothing behind, whatever was done with it before.
#[test]
fn a_guard_that_was_dropped_is_not_leaked_whatever_became_of_it_before() {
    let shared = locks();
    elsewhere(|| {
        let guard = shared.mutex.lock().expect("free");
        drop(shared.condvar.wait_timeout(guard, Duration::from_millis(1)).expect("consistent"));
        let guard = shared.reentrant.lock().expect("free");
        drop(shared.condvar.wait_timeout(guard, Duration::from_millis(1)).expect("consistent"));
        drop(RwLockWriteGuard::downgrade(shared.rwlock.write().expect("free")));
        // A hold without a guard. When the thread ends, the lock is handed on, unless the thread
        // counts as leaking.
        shared.reentrant.acquire().expect("free");
    });
    assert!(matches!(shared.reentrant.lock(), Err(LockError::OwnerDied(_))));
}

/// The counts follow a hold from guard to no guard and back. A hold that is given back is not
/// leaked, and a leaked hold is.
#[test]
fn an_adopted_or_forgotten_hold_is_leaked_if_it_had_a_guard_in_the_end() {
    let not_leaked: [fn(&Locks); 4] = [
        |locks| {
            locks.lock.acquire().expect("free");
            drop(locks.lock.adopt().expect("acquired"));
        },
        |locks| {
            locks.lock.lock().expect("free").forget();
            locks.lock.adopt().expect("acquired").forget();
            locks.lock.release().expect("acquired");
        },
        |locks| {
            locks.reentrant.acquire().expect("free");
            locks.reentrant.adopt().expect("acquired").forget();
            drop(locks.reentrant.adopt().expect("acquired"));
        },
        |locks| {
            locks.lock.acquire().expect("free");
            let guard = locks.lock.adopt().expect("acquired");
            let (guard, _) = locks.condvar.wait_timeout(guard, Duration::from_millis(1)).expect("consistent");
            guard.forget();
            locks.lock.release().expect("acquired");
        },
    ];
    for (index, act) in not_leaked.into_iter().enumerate() {
        let shared = locks();
        elsewhere(move || {
            act(shared);
            // Handed on when the thread ends, unless the thread counts as leaking.
            shared.reentrant.lock().expect("free").forget();
        });
        assert!(matches!(shared.reentrant.lock(), Err(LockError::OwnerDied(_))), "{index}");
    }
    let shared = locks();
    elsewhere(|| {
        shared.reentrant.lock().expect("free").forget();
        core::mem::forget(shared.reentrant.adopt().expect("held"));
    });
    assert!(matches!(shared.reentrant.lock(), Err(LockError::Leaked { .. })), "adopted, and leaked");
    // A `Lock` stays acquired, however it was acquired.
    elsewhere(|| shared.lock.lock().expect("free").forget());
    assert!(matches!(shared.lock.try_acquire(), Err(TryLockError::WouldBlock)));
    shared.lock.release().expect("acquired");
}

/// A hold without a guard gives no reference.
#[test]
fn a_reentrant_lock_that_was_acquired_without_a_guard_is_handed_on() {
    let shared = locks();
    elsewhere(|| shared.reentrant.acquire().expect("free"));
    assert!(matches!(shared.reentrant.lock(), Err(LockError::OwnerDied(_))));
}

#[test]
fn all_sleepers_learn_of_a_leaked_guard() {
    const SLEEPERS: usize = 8;
    let shared = locks();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (held, is_held) = std::sync::mpsc::channel::<()>();
    let leaker = std::thread::spawn(move || {
        core::mem::forget(shared.mutex.lock().expect("free"));
        held.send(()).expect("heard");
        wait.recv().expect("the word to go on");
    });
    is_held.recv().expect("held");
    let sleepers: Vec<_> = (0..SLEEPERS)
        .map(|_| std::thread::spawn(|| matches!(shared.mutex.lock(), Err(LockError::Leaked { .. }))))
        .collect();
    until("all to sleep for long", || {
        let long = |p: &outlive::ParticipantInfo| p.asleep_for.is_some_and(|t| t.as_millis() > 20);
        shared.participants().iter().filter(|p| long(p)).count() == SLEEPERS
    });
    go.send(()).expect("heard");
    leaker.join().expect("no panic");
    for sleeper in sleepers {
        assert!(sleeper.join().expect("no panic"), "another answer");
    }
}

#[test]
fn a_leaked_hold_is_handed_on_when_its_process_ends() {
    let shared = locks();
    let mut other = Actor::start(shared, "leak a guard, and live on", true);
    assert_eq!(other.hear(), "leaked");
    assert!(matches!(shared.mutex.lock(), Err(LockError::Leaked { .. })));
    other.kill();
    assert!(matches!(shared.mutex.lock(), Err(LockError::OwnerDied(_))));
}

/// As in Python, a lock stays acquired when the thread that has acquired it ends.
#[test]
fn a_lock_stays_acquired_when_its_thread_ends_and_anybody_releases_it() {
    let shared = locks();
    elsewhere(|| shared.lock.acquire().expect("free"));
    assert!(matches!(shared.lock.try_acquire(), Err(TryLockError::WouldBlock)));
    let waiter = std::thread::spawn(|| shared.lock.acquire().map_err(|e| e.to_string()));
    until("the waiter to sleep", || shared.participants().iter().any(is_asleep));
    shared.lock.release().expect("acquired");
    waiter.join().expect("no panic").expect("released, and consistent");
    shared.lock.release().expect("the waiter's thread has ended with it");
    // A leaked guard makes no difference.
    elsewhere(|| core::mem::forget(shared.lock.lock().expect("free")));
    assert!(matches!(shared.lock.try_lock(), Err(TryLockError::WouldBlock)));
    shared.lock.release().expect("acquired");
    drop(shared.lock.lock().expect("free"));
}

#[test]
fn a_lock_whose_thread_has_ended_is_handed_on_when_its_process_ends() {
    let shared = locks();
    let mut holder = Actor::start(shared, "acquire, and live on", true);
    assert_eq!(holder.hear(), "acquired");
    assert!(matches!(shared.lock.try_acquire(), Err(TryLockError::WouldBlock)));
    let mut waiter = Actor::start(shared, "wait for the lock", true);
    assert_eq!(waiter.hear(), "waiting");
    until_asleep(shared, waiter.id());
    holder.kill();
    assert_eq!(waiter.hear(), "told");
}

thread_local! {
    static KEPT: RefCell<Option<outlive::MutexGuard<'static, u64>>> = const { RefCell::new(None) };
}

/// Dropped by the thread's own destructors, which is late, but not a leak.
#[test]
fn a_guard_in_a_thread_local_is_not_leaked() {
    outlive::test_switches::set_recheck(false);
    let options = Segment::<Locks>::options().participants(2);
    let shared: &'static Segment<Locks> = Box::leak(Box::new(options.anonymous(|_, _| {}).expect("a segment")));
    for _ in 0..5 {
        elsewhere(|| KEPT.with(|kept| *kept.borrow_mut() = Some(shared.mutex.lock().expect("free"))));
    }
    drop(shared.mutex.lock().expect("given back, and two slots sufficed"));
}

thread_local! {
    static ROUND: Cell<u32> = const { Cell::new(0) };
}
static LATE_KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
static LATE: OnceLock<&'static Segment<Locks>> = OnceLock::new();

/// Locks and leaks in the last of the four rounds of destructors, after the crate's own destructor.
extern "C" fn lock_late(value: *mut core::ffi::c_void) {
    ROUND.set(ROUND.get() + 1);
    if ROUND.get() < 4 {
        // SAFETY: a key; the value is only compared with null.
        unsafe { libc::pthread_setspecific(LATE_KEY.get().copied().unwrap_or_default(), value) };
    } else if let Some(shared) = LATE.get() {
        core::mem::forget(shared.mutex.lock());
    }
}

#[test]
fn a_guard_that_is_leaked_in_the_last_destructor_gives_no_second_reference() {
    let shared = locks();
    LATE.get_or_init(|| shared);
    elsewhere(|| drop(shared.mutex.lock().expect("free"))); // now the crate's own key is the older one
    let key = *LATE_KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: writes to a live local.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(lock_late)) }, 0);
        key
    });
    elsewhere(move || {
        drop(shared.mutex.lock().expect("free"));
        // SAFETY: a key; the value is only compared with null.
        assert_eq!(unsafe { libc::pthread_setspecific(key, core::ptr::dangling()) }, 0);
    });
    assert!(matches!(shared.mutex.lock(), Err(LockError::Leaked { .. })));
}

static FIRST_KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
static LATE_SEGMENTS: OnceLock<[&'static Segment<Locks>; 2]> = OnceLock::new();

/// `value` says in how many rounds from now to lock. The thread was not in that segment before.
extern "C" fn lock_for_the_first_time(value: *mut core::ffi::c_void) {
    let shared = LATE_SEGMENTS.get().expect("set before");
    match value.addr() {
        1 => core::mem::forget(shared[0].mutex.lock()),
        2 => core::mem::forget(shared[1].mutex.lock()),
        more => {
            let key = FIRST_KEY.get().copied().expect("set before");
            // SAFETY: a key; the value is only a number.
            unsafe { libc::pthread_setspecific(key, core::ptr::without_provenance(more - 2)) };
        }
    }
}

/// A fault that was there once: a thread registered for the first time, or in one more segment, in
/// a destructor of one of its keys. Its end was not noticed. The next holder got a second `&mut`.
#[test]
fn a_guard_that_is_leaked_by_a_newcomer_in_a_destructor_gives_no_second_reference() {
    let [new, another, known] = [locks(), locks(), locks()];
    LATE_SEGMENTS.get_or_init(|| [new, another]);
    elsewhere(|| drop(known.mutex.lock().expect("free"))); // now the crate's own key is the older one
    let key = *FIRST_KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: writes to a live local.
        assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(lock_for_the_first_time)) }, 0);
        key
    });
    // SAFETY: a key; the value is only a number.
    let set = move |value| unsafe { libc::pthread_setspecific(key, core::ptr::without_provenance(value)) };
    elsewhere(move || assert_eq!(set(1), 0)); // locks in the first round
    assert!(matches!(new.mutex.lock(), Err(LockError::Leaked { .. })));
    elsewhere(move || {
        drop(known.mutex.lock().expect("free"));
        assert_eq!(set(4), 0); // locks in the second round
    });
    assert!(matches!(another.mutex.lock(), Err(LockError::Leaked { .. })));
}

#[test]
fn the_slot_of_a_thread_that_leaked_is_not_given_away() {
    outlive::test_switches::set_recheck(false);
    let options = Segment::<Locks>::options().participants(2);
    let shared: &'static Segment<Locks> = Box::leak(Box::new(options.anonymous(|_, _| {}).expect("a segment")));
    elsewhere(|| core::mem::forget(shared.mutex.lock().expect("free")));
    shared.attach().expect("the second slot");
    assert!(matches!(elsewhere(|| shared.attach()), Err(RegisterError::Full { participants: 2 })));
    assert!(matches!(shared.mutex.lock(), Err(LockError::Leaked { .. })));
}

/// The threads that end here have acquired locks that others release for them. So they leave
/// nothing behind.
#[test]
fn slots_of_threads_whose_locks_were_released_by_others_are_used_again() {
    outlive::test_switches::set_recheck(false);
    let options = Segment::<Locks>::options().participants(2);
    let shared: &'static Segment<Locks> = Box::leak(Box::new(options.anonymous(|_, _| {}).expect("a segment")));
    shared.attach().expect("the first slot");
    for _ in 0..5 {
        elsewhere(|| shared.lock.acquire().expect("free, and a slot"));
        shared.lock.release().expect("acquired");
    }
}

/// Runs `work` in a thread that the C library starts. A thread that `std` starts takes a lock at
/// its end. In a forked child, a thread that does not exist there may hold that lock.
fn in_a_plain_thread(mut work: impl FnMut() + Send) {
    extern "C" fn run(work: *mut c_void) -> *mut c_void {
        // SAFETY: the pointer to `work`, which the caller keeps while it waits for this thread.
        unsafe { (*work.cast::<&mut dyn FnMut()>())() };
        core::ptr::null_mut()
    }
    let mut work: &mut dyn FnMut() = &mut work;
    // SAFETY: `work` stays until the thread is joined.
    unsafe {
        let mut thread = core::mem::zeroed();
        assert_eq!(libc::pthread_create(&mut thread, core::ptr::null(), run, (&raw mut work).cast()), 0);
        assert_eq!(libc::pthread_join(thread, core::ptr::null_mut()), 0);
    }
}

/// The child's only thread is a copy of a thread that holds the lock. The child's end says nothing
/// about the parent's thread.
#[test]
fn a_forked_childs_end_leaks_nothing_of_its_parents() {
    outlive::test_switches::set_recheck(false);
    let options = Segment::<Locks>::options().participants(1);
    let shared: &'static Segment<Locks> = Box::leak(Box::new(options.anonymous(|_, _| {}).expect("a segment")));
    in_a_plain_thread(|| {
        let guard = shared.mutex.lock().expect("free");
        // SAFETY: the child returns from its thread's function, and so ends.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            core::mem::forget(guard);
            return;
        }
        assert_eq!(wait(pid), 0);
    });
    elsewhere(|| drop(shared.mutex.lock().expect("free, and the only slot can be had")));
}
