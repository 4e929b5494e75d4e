//! The condition variable between real processes that are really killed. Rechecks are off wherever
//! the contract is exact.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    Condvar, CondvarError, Lock, LockError, Mutex, NotHeldError, NotWaitedError, ReentrantMutex, RegisterError,
    Segment, Shareable, TryLockError, Woken,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Buffer {
    items: Mutex<u64>,
    changed: Condvar,
    nested: ReentrantMutex<AtomicU64>,
    lock: Lock,
    taken: AtomicU64,
    round: AtomicU64,
    movable: Mutex<Movable>,
}

/// What can be moved while nobody waits, since it is data of a mutex.
#[derive(Debug, Shareable)]
#[repr(C)]
struct Movable {
    conditions: [Condvar; 2],
    locks: [Mutex<u32>; 2],
    words: [AtomicU32; 8],
}

impl Buffer {
    /// The first word of one of the locks.
    fn word<L>(lock: &L) -> u32 {
        // SAFETY: the first word of a lock, as its documentation says, and an atomic one.
        unsafe { &*core::ptr::from_ref(lock).cast::<AtomicU32>() }.load(SeqCst)
    }
}

/// The guard, even if a holder died.
fn repaired<G, E: LockFailure<G>>(result: Result<G, E>) -> G {
    result.unwrap_or_else(|error| error.into_parts().1.expect("a guard"))
}

/// The size of the buffer in the random test.
const CAPACITY: u64 = 4;

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Buffer>();
    match role.as_str() {
        "take" => {
            let items = shared.items.lock().expect("free");
            match shared.changed.wait_while(items, |items| *items == 0) {
                Ok(mut items) => {
                    *items -= 1;
                    say("took");
                }
                Err(CondvarError::OwnerDied(left)) => say(&format!("died {}", left.by().expect("known"))),
                Err(other) => panic!("{other}"),
            }
        }
        "take with every hold" => {
            let _outer = shared.nested.lock().expect("free");
            let inner = shared.nested.lock().expect("ours");
            let items = shared.changed.wait_while(inner, |items| items.load(SeqCst) == 0).expect("nobody died holding");
            items.fetch_sub(1, SeqCst);
            say("took");
        }
        "take beside the lock" => {
            let guard = shared.lock.lock().expect("free");
            let guard = shared.changed.wait_while(guard, |_| shared.taken.load(SeqCst) == 0).expect("nobody died");
            guard.release().expect("held");
            say("took");
        }
        "wait with what can be moved" => {
            let movable = shared.movable.lock().expect("free");
            let guard = movable.locks[0].lock().expect("free");
            drop(movable.conditions[0].wait_while(guard, |_| true));
        }
        "put and stop before the notification" => {
            *shared.items.lock().expect("free") += 1;
            say("put");
            wait_for_the_word();
        }
        "put into the nested one and stop" => {
            shared.nested.lock().expect("free").fetch_add(1, SeqCst);
            say("put");
            wait_for_the_word();
        }
        // Waits without a predicate, so it also returns for other reasons.
        "wait to be notified" => {
            let mut items = shared.items.lock().expect("free");
            loop {
                let woken;
                (items, woken) = shared.changed.wait_outcome(items).expect("nobody dies with the lock");
                match woken {
                    Woken::Notified => return say("notified"),
                    Woken::Neither => say(&format!("neither, in round {}", shared.round.load(SeqCst))),
                    Woken::TimedOut | Woken::Interrupted => panic!("there is no deadline, nor any interruption"),
                }
            }
        }
        "stand by" => {
            shared.attach().expect("room");
            say("stands by");
            wait_for_the_word();
        }
        "put beside the lock after a word" => {
            say("ready");
            wait_for_the_word();
            shared.lock.acquire().expect("given back by the wait");
            shared.taken.store(1, SeqCst);
            shared.changed.notify_one();
            shared.lock.release().expect("acquired");
        }
        "hold" => {
            let _guard = shared.items.lock().expect("free");
            say("held");
            wait_for_the_word();
        }
        "put forever" => loop {
            let items = repaired(shared.items.lock());
            let mut items = repaired(shared.changed.wait_while(items, |items| *items >= CAPACITY));
            if *items < CAPACITY {
                *items += 1;
            }
            items.mark_consistent();
            drop(items);
            shared.changed.notify_all();
        },
        "take forever" => loop {
            let items = repaired(shared.items.lock());
            let mut items = repaired(shared.changed.wait_while(items, |items| *items == 0));
            if *items > 0 {
                *items -= 1;
                shared.taken.fetch_add(1, SeqCst);
            }
            items.mark_consistent();
            shared.changed.notify_all();
        },
        other => panic!("no such role: {other}"),
    }
}

fn buffer() -> Segment<Buffer> {
    segment_of(|_empty| {})
}

#[test]
fn a_producer_killed_between_the_item_and_its_notification_costs_nobody_the_item() {
    each_way(|waitv| {
        let shared = buffer();
        let mut taker = Actor::start(&shared, "take", waitv);
        until_asleep(&shared, taker.id());
        let mut producer = Actor::start(&shared, "put and stop before the notification", waitv);
        assert_eq!(producer.hear(), "put");
        producer.kill();
        assert_eq!(taker.hear(), "took");
        assert!(taker.ends_well());
    });
}

#[test]
fn the_item_is_not_lost_with_a_reentrant_mutex_held_twice() {
    each_way(|waitv| {
        let shared = buffer();
        let mut taker = Actor::start(&shared, "take with every hold", waitv);
        until_asleep(&shared, taker.id());
        let mut producer = Actor::start(&shared, "put into the nested one and stop", waitv);
        assert_eq!(producer.hear(), "put");
        producer.kill();
        assert_eq!(taker.hear(), "took");
        assert!(taker.ends_well());
        assert!(shared.nested.try_lock().is_ok(), "a hold was left");
    });
}

#[test]
fn killed_waiters_take_no_notification_along_and_block_no_notifier() {
    each_way(|waitv| {
        let shared = buffer();
        let mut victims: Vec<_> = (0..3).map(|_| Actor::start(&shared, "take", waitv)).collect();
        for victim in &victims {
            until_asleep(&shared, victim.id()); // so that they are first in the queue
        }
        let mut survivor = Actor::start(&shared, "take", waitv);
        until_asleep(&shared, survivor.id());
        victims.iter_mut().for_each(Actor::kill);
        *shared.items.lock().expect("free") += 1;
        shared.changed.notify_one();
        assert_eq!(survivor.hear(), "took");
        assert!(survivor.ends_well());
        shared.changed.notify_all();
    });
}

#[test]
fn a_waiter_that_is_killed_with_its_notification_leaves_it_to_another() {
    each_way(|waitv| {
        let shared = buffer();
        let mut victim = Actor::start(&shared, "take", waitv);
        until_asleep(&shared, victim.id());
        let mut survivor = Actor::start(&shared, "take", waitv);
        until_asleep(&shared, survivor.id());
        // It is woken. It dies waiting for the lock, if it gets that far.
        let mut items = shared.items.lock().expect("free");
        *items += 1;
        shared.changed.notify_one();
        victim.kill();
        drop(items);
        assert_eq!(survivor.hear(), "took");
    });
}

/// Notifies so many waiters in a new round. Then a bystander dies, so that all waits end. Returns
/// for each waiter whether it was notified.
fn notified_in_a_new_round(shared: &Segment<Buffer>, count: u32, waiters: &mut [Actor], waitv: bool) -> Vec<bool> {
    let mut bystander = Actor::start(shared, "stand by", waitv);
    assert_eq!(bystander.hear(), "stands by");
    let locked = shared.items.lock().expect("free");
    let round = shared.round.fetch_add(1, SeqCst) + 1;
    shared.changed.notify_n(count);
    drop(locked);
    bystander.kill();
    let neither = format!("neither, in round {round}");
    let answers = waiters.iter_mut().map(|waiter| {
        loop {
            match waiter.hear() {
                notified if notified == "notified" => return true,
                told if told == neither => return false,
                before => assert!(before.starts_with("neither"), "{before}"),
            }
        }
    });
    answers.collect()
}

/// True although each waiter wakes whenever a process comes or dies, and although one has died in
/// its wait before.
#[test]
fn as_many_waiters_are_notified_as_were_asked_for() {
    each_way(|waitv| {
        let shared = buffer();
        let wait = || {
            let waiter = Actor::start(&shared, "wait to be notified", waitv);
            until_asleep(&shared, waiter.id());
            waiter
        };
        let mut waiters: Vec<_> = (0..5).map(|_| wait()).collect();
        let told = notified_in_a_new_round(&shared, 2, &mut waiters, waitv);
        assert_eq!(told.iter().filter(|told| **told).count(), 2, "{told:?}");
        let mut left: Vec<_> = waiters.into_iter().zip(told).filter(|(_, told)| !told).map(|(left, _)| left).collect();
        let mut victim = left.pop().expect("three are left");
        until_asleep(&shared, victim.id()); // so that it does not die with the lock
        victim.kill();
        let told = notified_in_a_new_round(&shared, 9, &mut left, waitv);
        assert_eq!(told, [true, true], "all that live");
        let told = notified_in_a_new_round(&shared, 1, &mut [], waitv);
        assert_eq!(told, [], "nobody waits");
        // Notifications in excess do not count for later waiters.
        let mut waiters = [wait(), wait(), wait()];
        let told = notified_in_a_new_round(&shared, 1, &mut waiters, waitv);
        assert_eq!(told.iter().filter(|told| **told).count(), 1, "{told:?}");
    });
}

/// A fault that was there once: a waiter that timed out after any notification was reported as
/// notified.
#[test]
fn a_waiter_that_times_out_is_notified_only_if_the_notification_was_for_it() {
    each_way(|_waitv| {
        let shared = buffer();
        let told = std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut items = shared.items.lock().expect("free");
                        *items += 1;
                        let deadline = Instant::now() + Duration::from_millis(300);
                        loop {
                            let woken;
                            (items, woken) = shared.changed.wait_until_outcome(items, deadline).expect("consistent");
                            if woken != Woken::Neither {
                                *items -= 1;
                                return woken;
                            }
                        }
                    })
                })
                .collect();
            until("all to wait", || *shared.items.lock().expect("free") == 4);
            let waiting = shared.items.lock().expect("free");
            let owed = (*waiting).min(2);
            shared.changed.notify_n(2);
            drop(waiting);
            let told = waiters.into_iter().map(|waiter| waiter.join().expect("no panic"));
            (owed, told.filter(|woken| *woken == Woken::Notified).count())
        });
        assert_eq!(told.1 as u64, told.0);
    });
}

/// Like Python's `Condition`, whose lock is acquired and released by separate calls.
#[test]
fn a_thread_that_acquired_without_a_guard_waits_with_an_adopted_guard() {
    each_way(|waitv| {
        let shared = buffer();
        let mut notifier = Actor::start(&shared, "put beside the lock after a word", waitv);
        assert_eq!(notifier.hear(), "ready");
        shared.lock.acquire().expect("free");
        let me = shared.lock.holder();
        notifier.go_on();
        let mut guard = shared.lock.adopt().expect("acquired");
        while shared.taken.load(SeqCst) == 0 {
            guard = shared.changed.wait(guard).expect("consistent");
        }
        guard.forget();
        assert_eq!(shared.lock.holder(), me);
        shared.lock.release().expect("acquired");
        assert!(notifier.ends_well());
    });
}

#[test]
fn a_waiter_on_a_condition_learns_that_the_holder_died() {
    each_way(|waitv| {
        let shared = buffer();
        let mut waiter = Actor::start(&shared, "take", waitv);
        until_asleep(&shared, waiter.id());
        let mut holder = Actor::start(&shared, "hold", waitv);
        assert_eq!(holder.hear(), "held");
        let dead = entry(&shared, holder.id()).expect("takes part").id;
        holder.kill();
        assert_eq!(waiter.hear(), format!("died {dead}"));
    });
}

#[test]
fn as_many_waiters_are_woken_as_were_asked_for() {
    each_way(|waitv| {
        let shared = buffer();
        let mut takers: Vec<_> = (0..5).map(|_| Actor::start(&shared, "take", waitv)).collect();
        takers.iter().for_each(|taker| until_asleep(&shared, taker.id()));
        *shared.items.lock().expect("free") = 2;
        shared.changed.notify_n(0);
        shared.changed.notify_n(2);
        until("two to take", || *shared.items.lock().expect("free") == 0);
        *shared.items.lock().expect("free") = 3;
        shared.changed.notify_all();
        takers.iter_mut().for_each(|taker| assert_eq!(taker.hear(), "took"));
        until("the word to show that nobody waits", || {
            shared.changed.notify_one();
            format!("{:?}", shared.changed) == "Condvar { has_waiters: false }"
        });
    });
}

#[test]
fn sixty_kills_at_random_moments_and_the_others_go_on() {
    each_way(|waitv| {
        const KILLS: u64 = 60;
        let shared = buffer();
        let roles = ["put forever", "put forever", "take forever", "take forever"];
        kill_at_random(&shared, &roles, waitv, (KILLS, 50), &shared.taken);
    });
}

#[test]
fn timeouts_are_kept() {
    let shared = buffer();
    let mut items = shared.items.lock().expect("free");
    let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
    for timeout in [Duration::ZERO, Duration::from_micros(100), Duration::from_millis(30)] {
        let begin = Instant::now();
        let (guard, result) = shared.changed.wait_timeout(items, timeout).expect("nobody died");
        assert!(result.timed_out() && begin.elapsed() >= timeout);
        let (guard, result) = shared.changed.wait_timeout_while(guard, timeout, |items| *items == 0).expect("fine");
        assert!(result.timed_out());
        items = guard;
    }
    let (guard, result) = shared.changed.wait_until(items, past).expect("nobody died");
    assert!(result.timed_out());
    let forever = Duration::MAX;
    let (guard, result) = shared.changed.wait_timeout_while(guard, forever, |items| *items != 0).expect("fine");
    assert!(!result.timed_out());
    drop(guard);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until("the waiter to fall asleep", || sleepers(&shared) == 1);
            *shared.items.lock().expect("free") = 1;
            shared.changed.notify_one();
        });
        let items = shared.items.lock().expect("free");
        let (items, result) = shared.changed.wait_timeout_while(items, forever, |items| *items == 0).expect("fine");
        assert!(!result.timed_out() && *items == 1);
    });
}

#[test]
fn a_wait_gives_back_all_holds_of_a_reentrant_mutex_and_takes_them_again() {
    let shared = buffer();
    let holds = [(); 3].map(|()| shared.nested.lock().expect("ours"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            until("the waiter to fall asleep", || sleepers(&shared) == 1);
            // SAFETY: the second word of a reentrant mutex, as its documentation says, and an
            // atomic one.
            let count = unsafe { &*(&raw const shared.nested).cast::<AtomicU32>().add(1) };
            assert_eq!(count.load(SeqCst), 0, "free, and counted");
            // This thread gets the lock only while the other waits.
            shared.nested.lock().expect("waits").fetch_add(1, SeqCst);
            shared.changed.notify_one();
        });
        let [one, two, three] = holds;
        let three = shared.changed.wait_while(three, |items| items.load(SeqCst) == 0).expect("nobody died");
        for guard in [one, two, three] {
            let free = scope.spawn(|| shared.nested.try_lock().is_ok()).join().expect("no panic");
            assert!(!free, "a hold is missing");
            drop(guard);
        }
        assert!(scope.spawn(|| shared.nested.try_lock().is_ok()).join().expect("no panic"));
    });
}

/// The notifier wakes nobody. It has written into the lock's word that its release has to wake a
/// waiter.
#[test]
fn a_waiter_notified_under_the_lock_is_woken_by_the_release() {
    fn notified_under<G, L>(shared: &Segment<Buffer>, role: &str, waitv: bool, lock: &L, take: impl Fn() -> G) {
        let mut waiter = Actor::start(shared, role, waitv);
        until_asleep(shared, waiter.id());
        let guard = take();
        assert_eq!(Buffer::word(lock) >> 31, 0, "nobody sleeps on the lock");
        shared.changed.notify_one();
        assert_eq!(Buffer::word(lock) >> 31, 1, "the waiter was not moved");
        drop(guard);
        assert_eq!(waiter.hear(), "took");
        assert!(waiter.ends_well());
    }
    each_way(|waitv| {
        let shared = buffer();
        notified_under(&shared, "take", waitv, &shared.items, || {
            let mut items = shared.items.lock().expect("free");
            *items = 1;
            items
        });
        notified_under(&shared, "take with every hold", waitv, &shared.nested, || {
            let items = shared.nested.lock().expect("free");
            items.store(1, SeqCst);
            items
        });
        notified_under(&shared, "take beside the lock", waitv, &shared.lock, || {
            let guard = shared.lock.lock().expect("free");
            shared.taken.store(1, SeqCst);
            guard
        });
    });
}

/// Else a waiter would be woken by the release of another's lock, and not pass that wake on.
#[test]
fn waiters_with_different_locks_are_woken_and_not_moved() {
    each_way(|waitv| {
        let shared = buffer();
        let mut waiters = ["take", "take beside the lock"].map(|role| Actor::start(&shared, role, waitv));
        waiters.iter().for_each(|waiter| until_asleep(&shared, waiter.id()));
        let mut items = shared.items.lock().expect("free");
        *items = 1;
        let guard = shared.lock.lock().expect("free");
        shared.taken.store(1, SeqCst);
        shared.changed.notify_n(2);
        drop((items, guard));
        for waiter in &mut waiters {
            assert_eq!(waiter.hear(), "took");
            assert!(waiter.ends_well());
        }
    });
}

#[test]
fn a_waiter_through_another_mapping_is_moved_too() {
    let name = format!("outlive-test-condvar-moved-{}", std::process::id());
    let one = Segment::<Buffer>::open_or_create(&name, |_empty| {}).expect("a segment");
    let two = Segment::<Buffer>::open_or_create(&name, |_empty| {}).expect("the same");
    Segment::<Buffer>::remove(&name).expect("there");
    // The lock and the condition variable, each through one of the two.
    for (with, at) in [(&one, &two), (&two, &one), (&two, &two)] {
        *one.items.lock().expect("free") = 0;
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let items = with.items.lock().expect("free");
                drop(at.changed.wait_while(items, |items| *items == 0).expect("nobody died"));
            });
            until("the waiter to fall asleep", || sleepers(&one) == 1);
            let mut items = one.items.lock().expect("free");
            *items = 1;
            one.changed.notify_one();
            assert_eq!(Buffer::word(&one.items) >> 31, 1, "the waiter was not moved");
            drop(items);
            waiter.join().expect("no panic");
        });
    }
}

/// The dead waiter's slot names the place of its lock, where there is another lock now. Safe code
/// has also put numbers beside the locks that look like the word of a lock.
#[test]
fn a_notifier_changes_no_word_that_a_dead_waiter_has_named() {
    each_way(|waitv| {
        let shared = buffer();
        let mut waiter = Actor::start(&shared, "wait with what can be moved", waitv);
        until_asleep(&shared, waiter.id());
        waiter.kill();
        let mut movable = repaired(shared.movable.lock());
        movable.mark_consistent();
        let mine = shared.movable.holder().expect("ours").word();
        for turn in 0..8 {
            let Movable { conditions: [first, second], locks, words } = &mut *movable;
            if turn & 1 != 0 {
                core::mem::swap(first, second);
            }
            if turn & 2 != 0 {
                locks.swap(0, 1);
            }
            *words = [mine; 8].map(AtomicU32::new);
            let Movable { conditions, locks, words } = &*movable;
            let guards = locks.each_ref().map(|lock| lock.lock().expect("free"));
            let before = locks.each_ref().map(Buffer::word);
            for condition in conditions {
                condition.notify_one();
                condition.notify_n(7);
            }
            assert_eq!(locks.each_ref().map(Buffer::word), before);
            assert!(words.iter().all(|word| word.load(SeqCst) == mine));
            drop(guards);
        }
    });
}

/// Whatever a participant that has died since has written into a living waiter's slot.
#[test]
fn a_place_of_the_lock_that_the_dead_have_written_does_no_harm() {
    let shared = buffer();
    let items = shared.items.lock().expect("free");
    let waiter = shared.items.holder().expect("ours").index();
    let noted = {
        let root = core::ptr::from_ref(&*shared).cast::<u8>();
        // SAFETY: the table lies before the root, and this is an atomic word of a slot
        // (`segment::header`, `raw::table`).
        unsafe { &*root.sub(PLACE_OF_ROOT as usize * 4).add(waiter * 128 + 16).cast::<AtomicU32>() }
    };
    let last = u32::try_from(size_of::<Buffer>()).expect("small");
    let places = (0..(1 << 17)).step_by(89).chain((0..last).map(|byte| PLACE_OF_ROOT + byte / 4));
    let mut items = Some(items);
    for place in places.chain((0..32).map(|bit| u32::MAX >> bit)) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut items = shared.items.lock().expect("waits");
                *items = 1;
                assert_eq!(noted.load(SeqCst), PLACE_OF_ROOT, "the waiter's lock, the root's first field");
                noted.store(place, SeqCst);
                shared.changed.notify_one();
            });
            let mut guard =
                shared.changed.wait_while(items.take().expect("held"), |items| *items == 0).expect("nobody died");
            *guard = 0;
            items = Some(guard);
        });
    }
}

/// How many words the root is behind the table, with as many slots as are usual.
const PLACE_OF_ROOT: u32 = 256 * 128 / 4;

#[test]
fn a_condition_can_wait_with_a_lock_without_data() {
    let shared = buffer();
    let guard = shared.lock.lock().expect("free");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = shared.lock.lock().expect("waits");
            shared.taken.store(1, SeqCst);
            shared.changed.notify_all();
        });
        let guard = shared.changed.wait_while(guard, |_| shared.taken.load(SeqCst) == 0).expect("nobody died");
        assert!(guard.release().is_ok());
    });
    let guard = shared.lock.lock().expect("free");
    shared.lock.release().expect("held");
    match shared.changed.wait(guard) {
        Err(CondvarError::NotWaited { guard, error: NotWaitedError::NotHeld(NotHeldError { holder: None, .. }) }) => {
            assert!(guard.release().is_err());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_waiter_on_a_condition_learns_of_the_holders_panic() {
    let shared = buffer();
    let items = shared.items.lock().expect("free");
    std::thread::scope(|scope| {
        let holder = scope.spawn(|| {
            let _items = shared.items.lock().expect("waits");
            shared.changed.notify_one();
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        match shared.changed.wait(items) {
            Err(CondvarError::Poisoned(left)) => drop(left.into_inner()),
            Ok(items) => {
                drop(items); // for no reason, before the panic
                until("the panic to be reported", || matches!(shared.items.lock(), Err(LockError::Poisoned(_))));
            }
            Err(other) => panic!("{other}"),
        }
        assert!(holder.join().is_err());
    });
}

#[test]
fn a_lock_of_another_segment_is_refused_and_stays_held() {
    let (one, other) = (buffer(), buffer());
    let guard = one.items.lock().expect("free");
    let Err(CondvarError::NotWaited { guard, error: NotWaitedError::OtherSegment }) = other.changed.wait(guard) else {
        panic!("waited across segments");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(one.items.try_lock(), Err(TryLockError::WouldBlock))));
    });
    let outside = Condvar::new();
    let refused = outside.wait_timeout(guard, Duration::ZERO);
    let Err(CondvarError::NotWaited {
        guard: (guard, _),
        error: NotWaitedError::Register(RegisterError::NotInSegment),
    }) = refused
    else {
        panic!("waited outside of a segment");
    };
    drop(guard);
    assert!(one.items.try_lock().is_ok());
}

#[test]
fn two_mappings_of_one_segment_are_one_segment() {
    let name = format!("outlive-test-condvar-{}", std::process::id());
    let one = Segment::<Buffer>::open_or_create(&name, |_empty| {}).expect("a segment");
    let two = Segment::<Buffer>::open_or_create(&name, |_empty| {}).expect("the same");
    Segment::<Buffer>::remove(&name).expect("there");
    let guard = one.items.lock().expect("free");
    let (_guard, result) = two.changed.wait_timeout(guard, Duration::from_millis(2)).expect("one segment");
    assert!(result.timed_out());
}

#[test]
fn a_forked_copy_of_a_guard_gives_nothing_back() {
    let shared = buffer();
    let guard = shared.items.lock().expect("free");
    let nested = shared.nested.lock().expect("free");
    let lock = shared.lock.lock().expect("free");
    let child = fork(|| {
        // SAFETY: the child's own copies; the parent's are dropped by the parent.
        let (guard, nested, lock) =
            unsafe { (core::ptr::read(&guard), core::ptr::read(&nested), core::ptr::read(&lock)) };
        let copied =
            |error: &NotWaitedError| matches!(error, NotWaitedError::NotHeld(NotHeldError { holder: Some(_), .. }));
        let Err(CondvarError::NotWaited { guard, error }) = shared.changed.wait(guard) else { return 1 };
        let Err(CondvarError::NotWaited { error: second, .. }) = shared.changed.wait(nested) else { return 2 };
        let Err(CondvarError::NotWaited { error: third, .. }) = shared.changed.wait(lock) else { return 3 };
        drop(guard);
        if !(copied(&error) && copied(&second) && copied(&third)) {
            return 4;
        }
        let held = matches!(shared.items.try_lock(), Err(TryLockError::WouldBlock))
            && matches!(shared.nested.try_lock(), Err(TryLockError::WouldBlock))
            && matches!(shared.lock.try_lock(), Err(TryLockError::WouldBlock));
        if held { 0 } else { 5 }
    });
    assert_eq!(wait(child), 0);
    drop((guard, nested));
    assert!(lock.release().is_ok());
}
