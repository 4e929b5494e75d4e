//! Attempts of safe code to get two live references to the data of a lock, a plain value that
//! changes, or memory that is gone. Each test tries one public function that gives a reference, a
//! slice, a descriptor, or `&mut` to a closure.
//!
//! The attempts here compile, and are harmless. Those that the compiler refuses are in
//! `compile_fail/references`.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_types, reason = "atomics as what is stored")]

use outlive::{
    Condvar, CondvarError, Inconsistent, LazyLock, LeaveError, LockError, Mutex, MutexGuard, NotWaitedError, OnceLock,
    OpenError, PermitPool, ReentrantMutex, RegisterError, RwLock, RwLockWriteGuard, Segment, Shareable, TaskQueue,
    TryLockError, TryRecvError, TrySendError,
};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Data that shows whether two threads had it at the same time.
#[derive(Debug, Default, Shareable)]
#[repr(C)]
struct Twice {
    one: u64,
    other: u64,
}

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    mutex: Mutex<Twice>,
    spare: Mutex<Twice>,
    changed: Condvar,
    reentrant: ReentrantMutex<AtomicU64>,
    other_reentrant: ReentrantMutex<AtomicU64>,
    rwlock: RwLock<Twice>,
    once: OnceLock<u64>,
    pool: PermitPool<2>,
    plain: u64,
}

fn shared() -> Segment<Shared> {
    Segment::anonymous(|new: &mut Shared| new.plain = 7).expect("a segment")
}

fn is_still_holding(answer: Result<(), LeaveError>) -> bool {
    matches!(answer, Err(LeaveError::StillHolding { .. }))
}

/// Gives names to all unnamed files that this process has open, as `linkat` can.
fn publish_what_has_no_name(directory: &Path) -> Vec<std::path::PathBuf> {
    use rustix::fs::{AtFlags, CWD};
    let mut published = vec![];
    for entry in std::fs::read_dir("/proc/self/fd").expect("mounted").flatten() {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        let name = directory.join(format!("found-{}", published.len()));
        let is_ours = target.starts_with(directory);
        if is_ours && rustix::fs::linkat(CWD, entry.path(), CWD, &name, AtFlags::SYMLINK_FOLLOW).is_ok() {
            published.push(name);
        }
    }
    published
}

/// A fault that was there once: the header was written before the value. So the segment could be
/// opened, which gave `&T` during the `&mut T` of `init`.
#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn nobody_opens_a_segment_that_is_being_made() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let mut tried = 0;
    let made = Segment::<Mutex<u64>>::create(&path, |new| {
        let data = new.get_mut();
        for name in publish_what_has_no_name(directory.path()) {
            let answer = Segment::<Mutex<u64>>::open(&name);
            assert!(matches!(answer, Err(OpenError::NotASegment)), "{answer:?}");
            tried += 1;
        }
        *data = 7;
    });
    assert!(tried > 0, "the file was not found under /proc/self/fd");
    assert_eq!(*made.expect("a segment").lock().expect("free"), 7);
    assert_eq!(*Segment::<Mutex<u64>>::open(&path).expect("complete").lock().expect("free"), 7);
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn an_init_that_panics_leaves_nothing_to_open() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let mut found = vec![];
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Segment::<Shared>::create(&path, |new| {
            let _held = new.mutex.lock().expect("free");
            found = publish_what_has_no_name(directory.path());
            std::panic::resume_unwind(Box::new(()));
        })
    }));
    assert!(panicked.is_err() && !found.is_empty());
    for name in found.iter().chain([&path]) {
        let answer = Segment::<Shared>::open(name);
        assert!(matches!(answer, Err(OpenError::NotASegment | OpenError::NotFound(_))), "{answer:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn tasks_and_loans_that_change_places_end_their_own() {
    let tasks = TaskQueue::<Twice>::anonymous(2).expect("a task queue");
    let (mut loan, mut other) = (tasks.reserve().expect("room"), tasks.reserve().expect("room"));
    (loan.one, other.one) = (1, 2);
    core::mem::swap(&mut loan, &mut other);
    assert_eq!((loan.one, other.one), (2, 1));
    assert!(is_still_holding(tasks.segment().detach()));
    assert_eq!(tasks.try_reserve().map(drop), Err(TrySendError::Full(())));
    loan.publish().expect("ours");
    other.publish().expect("ours");
    let (mut first, mut second) = (tasks.take().expect("there"), tasks.take().expect("there"));
    assert_eq!((first.one, second.one), (2, 1));
    core::mem::swap(&mut first, &mut second);
    core::mem::swap(&mut *first, &mut *second);
    first.done().expect("ours");
    assert!(matches!(tasks.try_take(), Err(TryRecvError::Empty)));
    assert!(is_still_holding(tasks.segment().detach()));
    drop(second);
    let again = tasks.take().expect("given out again");
    assert_eq!((again.one, again.attempts()), (1, 2));
    again.done().expect("ours");
    assert_eq!((tasks.join(), tasks.segment().detach().is_ok()), (Ok(()), true));
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_lock_taken_in_init_is_held_by_a_participant_like_any_other() {
    let segment = Segment::<Shared>::anonymous(|new| {
        let Shared { mutex, reentrant, once, .. } = new;
        let mut guard = mutex.lock().expect("free");
        assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        guard.one = 1;
        let first = reentrant.lock().expect("free");
        let second = reentrant.lock().expect("ours");
        assert_eq!(first.fetch_add(1, SeqCst) + second.fetch_add(1, SeqCst), 1);
        assert_eq!(once.get_or_init(|| 5).expect("made"), &5);
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock))));
        });
        drop(guard);
        assert_eq!(mutex.get_mut().one, 1);
    })
    .expect("a segment");
    assert_eq!(segment.mutex.lock().expect("free").one, 1);
    assert_eq!(segment.once.get(), Some(&5));
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn primitives_that_change_places_in_init_lock_their_own_data() {
    let mut kept = Mutex::new(Twice { one: 9, other: 9 });
    let outer = Segment::<Shared>::anonymous(|outer| {
        outer.mutex.get_mut().one = 1;
        let inner = Segment::<Shared>::anonymous(|inner| {
            inner.mutex.get_mut().one = 2;
            std::mem::swap(&mut outer.mutex, &mut inner.mutex);
            std::mem::swap(&mut inner.mutex, &mut kept);
            std::mem::swap(&mut outer.rwlock, &mut inner.rwlock);
            std::mem::swap(&mut outer.once, &mut inner.once);
        })
        .expect("a segment");
        assert_eq!(inner.mutex.lock().expect("free").one, 9);
    })
    .expect("a segment");
    assert_eq!(outer.mutex.lock().expect("free").one, 2);
    assert!(matches!(kept.lock(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert_eq!(kept.into_inner().one, 1);
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn two_segments_of_one_file_have_one_lock() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let made = Segment::<Shared>::create(&path, |_| {}).expect("a segment");
    let opened = Segment::<Shared>::open(&path).expect("complete");
    let mut guard = made.mutex.lock().expect("free");
    guard.one = 1;
    assert!(matches!(opened.mutex.lock(), Err(LockError::Deadlock)));
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(opened.mutex.try_lock(), Err(TryLockError::WouldBlock))));
    });
    drop(opened); // the second mapping goes; the guard's own stays
    assert_eq!(guard.one, 1);
    drop(guard);
    let made: &'static Segment<Shared> = Box::leak(Box::new(made));
    let mut guard = made.mutex.lock().expect("free");
    guard.other = 2;
    let again = Segment::<Shared>::open(&path).expect("complete");
    assert!(matches!(again.mutex.lock(), Err(LockError::Deadlock)));
    assert_eq!((guard.one, guard.other), (1, 2));
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn no_file_opens_as_another_type_or_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let made = Segment::<u64>::options().room::<AtomicU64>(2).create(&path, |_, _| {}).expect("a segment");
    let refused = Segment::<u64>::options().room::<u64>(2).open(&path);
    assert!(matches!(refused, Err(OpenError::RoomType { .. })));
    assert!(matches!(Segment::<AtomicU64>::options().room::<AtomicU64>(2).open(&path), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<u64>::open(&path), Err(OpenError::RoomType { .. })));
    let opened = Segment::<u64>::options().room::<AtomicU64>(0).open(&path).expect("the same types");
    opened.room()[1].store(5, SeqCst);
    assert_eq!((made.room()[1].load(SeqCst), *made), (5, 0));
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_thread_cannot_leave_while_it_has_a_reference_to_data() {
    let segment = shared();
    let mutex = segment.mutex.lock().expect("free");
    assert!(is_still_holding(segment.detach()));
    let changed = segment.changed.wait_while(mutex, |data| {
        assert!(is_still_holding(segment.detach()));
        data.one += 1;
        false
    });
    assert_eq!(changed.expect("the guard").one, 1);
    let reads = segment.rwlock.read().expect("free");
    assert!(is_still_holding(segment.detach()));
    drop(reads);
    let writes = segment.rwlock.write().expect("free");
    assert!(is_still_holding(segment.detach()));
    let reads = RwLockWriteGuard::downgrade(writes);
    assert!(is_still_holding(segment.detach()));
    drop(reads);
    let reentrant = segment.reentrant.lock().expect("free");
    assert!(is_still_holding(segment.detach()));
    drop(reentrant);
    let made = segment.once.get_or_init(|| {
        assert!(is_still_holding(segment.detach()));
        assert!(segment.once.get_or_init(|| 1).is_err(), "the initialiser waits for itself");
        2
    });
    assert_eq!(made.expect("made"), &2);
    segment.detach().expect("nothing is held");
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_value_that_is_made_in_the_middle_of_making_it_is_made_once() {
    let segment = shared();
    let forced = LazyLock::new(&segment.once, || 3);
    let answer = segment.once.get_or_init(|| {
        assert!(forced.force().is_err(), "the value is being made");
        assert_eq!(segment.once.get(), None);
        assert!(segment.once.set(4).is_err());
        5
    });
    assert_eq!((answer.expect("made"), *forced), (&5, 5));
    assert_eq!(segment.once.set(6).expect_err("there is one").into_inner(), 6);
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_condition_that_exchanges_the_guards_exchanges_the_holds() {
    let segment = shared();
    let mut other = segment.other_reentrant.lock().expect("free");
    other.store(2, SeqCst);
    let guard = segment.reentrant.lock().expect("free");
    let guard = segment.changed.wait_while(guard, |guard| {
        std::mem::swap(guard, &mut other);
        false
    });
    assert_eq!(guard.expect("the other's").load(SeqCst), 2); // dropped here
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(segment.other_reentrant.try_lock().is_ok());
            assert!(matches!(segment.reentrant.try_lock(), Err(TryLockError::WouldBlock)));
        });
    });
    drop(other);
    assert!(segment.reentrant.holder().is_none());
}

/// Condition variables with locks and numbers around them, all of which a holder can move.
#[derive(Shareable)]
#[repr(C)]
struct Movable {
    numbers_before: [u32; 16],
    conditions: [Condvar; 4],
    locks: [Mutex<u64>; 4],
    numbers_behind: [u32; 16],
}

/// A notifier looks for the lock of the waiters. It must not find one where there is none: in a
/// condition variable that had waiters elsewhere, or beside numbers that look like a held lock.
#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_notification_changes_nothing_beside_a_condition_that_was_moved() {
    let segment = Segment::<Mutex<Movable>>::anonymous(|_zero| {}).expect("a segment");
    let mut movable = segment.lock().expect("free");
    let mine = segment.holder().expect("ours").word();
    for (at, with) in (0..4).flat_map(|at| (0..4).map(move |with| (at, with))) {
        let guard = movable.locks[with].lock().expect("free");
        // A waiter whose time is over leaves traces in the condition variable.
        drop(movable.conditions[at].wait_timeout(guard, Duration::from_millis(1)).expect("nobody died"));
        for to in 0..4 {
            let Movable { numbers_before, conditions, numbers_behind, .. } = &mut *movable;
            (*numbers_before, *numbers_behind) = ([mine; 16], [mine; 16]);
            conditions.swap(at, to);
            let before = [movable.numbers_before, movable.numbers_behind];
            let held = movable.locks[with].lock().expect("free");
            movable.conditions.iter().for_each(Condvar::notify_one);
            movable.conditions.iter().for_each(|condition| condition.notify_n(9));
            drop(held);
            // One that waits now, where another has waited with another lock.
            let shared: &Movable = &movable;
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let guard = shared.locks[3 - with].lock().expect("free");
                    let mut count = shared.conditions[to].wait_while(guard, |count| *count == 0).expect("nobody died");
                    *count = 0;
                });
                while !segment.participants().iter().any(|participant| participant.asleep_for.is_some()) {
                    std::thread::yield_now();
                }
                let _other = shared.locks[with].lock().expect("free");
                *shared.locks[3 - with].lock().expect("it waits") = 1;
                shared.conditions[to].notify_one();
                waiter.join().expect("no panic");
            });
            assert_eq!([movable.numbers_before, movable.numbers_behind], before);
            assert!(movable.locks.iter().all(|lock| lock.try_lock().is_ok()));
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_wait_with_the_guard_of_another_lock_gives_back_that_lock() {
    let segment = shared();
    let mutex = segment.mutex.lock().expect("free");
    let spare = segment.spare.lock().expect("free");
    let (mut spare, _) = segment.changed.wait_timeout(spare, std::time::Duration::ZERO).expect("taken again");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(segment.mutex.try_lock(), Err(TryLockError::WouldBlock)));
            assert!(matches!(segment.spare.try_lock(), Err(TryLockError::WouldBlock)));
        });
    });
    spare.one = mutex.one + 1;
    drop((mutex, spare));
    assert_eq!(segment.spare.lock().expect("free").one, 1);
    let elsewhere = shared();
    let answer = elsewhere.changed.wait(segment.mutex.lock().expect("free"));
    let Err(CondvarError::NotWaited { guard, error: NotWaitedError::OtherSegment }) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(guard.one, 0);
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn guards_that_change_places_release_their_own_locks() {
    let segment = shared();
    let mut mutex = segment.mutex.lock().expect("free");
    let mut spare = segment.spare.lock().expect("free");
    (mutex.one, spare.one) = (1, 2);
    std::mem::swap(&mut mutex, &mut spare);
    assert_eq!((mutex.one, spare.one), (2, 1));
    std::mem::swap(&mut *mutex, &mut *spare); // the data, too
    drop(mutex);
    assert!(segment.spare.try_lock().is_ok_and(|data| data.one == 1));
    assert!(matches!(segment.mutex.try_lock(), Err(TryLockError::WouldBlock)));
    drop(spare);
    assert!(segment.mutex.try_lock().is_ok_and(|data| data.one == 2));
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn the_guard_inside_an_error_is_a_guard() {
    let segment = shared();
    std::thread::scope(|scope| {
        let panics = scope.spawn(|| {
            let mut data = segment.mutex.lock().expect("free");
            data.one = 1;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panics.join().is_err());
    });
    let Err(LockError::Poisoned(mut left)) = segment.mutex.lock() else { panic!("it panicked") };
    let spare = segment.spare.lock().expect("free");
    let poisoned: MutexGuard<'_, Twice> = std::mem::replace(Inconsistent::get_mut(&mut left), spare);
    assert!(matches!(segment.mutex.try_lock(), Err(TryLockError::WouldBlock)));
    assert!(matches!(segment.spare.try_lock(), Err(TryLockError::WouldBlock)));
    assert_eq!((poisoned.one, left.get_ref().one), (1, 0));
    drop(left);
    assert!(segment.spare.try_lock().is_ok());
    drop(poisoned);
    assert!(matches!(segment.mutex.try_lock(), Err(TryLockError::Poisoned(_))));
}

/// Printing a lock locks it. It shows no data while another thread holds the lock, and it keeps the
/// lock only while it prints.
#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn printing_a_lock_shows_nothing_that_another_may_change() {
    let segment = shared();
    let (mutex, write) = (segment.mutex.lock().expect("free"), segment.rwlock.write().expect("free"));
    let print = || format!("{:?} {:?}", segment.mutex, segment.rwlock);
    let shown = std::thread::scope(|scope| scope.spawn(print).join().expect("printed"));
    assert!(shown.matches("<locked>").count() == 2, "{shown}");
    assert!(print().matches("<locked>").count() == 2);
    drop((mutex, write));
    assert!(print().matches("Twice").count() == 2);
    assert!(segment.mutex.try_lock().is_ok() && segment.rwlock.try_write().is_ok());
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn the_memory_of_a_dropped_segment_is_no_segment_for_its_successor() {
    for round in 0..50 {
        let segment = shared();
        segment.mutex.lock().expect("free").one = round;
        std::thread::scope(|scope| {
            scope.spawn(|| segment.mutex.lock().expect("free").other = round);
        });
        assert_eq!((segment.mutex.lock().expect("free").one, segment.plain), (round, 7));
    }
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_permit_is_given_back_by_its_number_and_guards_nothing() {
    let segment = shared();
    let permit = segment.pool.permit().expect("free");
    let (index, holder) = segment.pool.holders().next().expect("held");
    segment.pool.give_back(index, holder).expect("held");
    let again = segment.pool.permit().expect("free");
    assert!(permit.release().is_ok() != again.release().is_ok(), "one permit was given back twice");
}

#[test]
#[cfg_attr(miri, ignore = "no madvise there")]
fn outside_of_a_segment_there_is_no_guard() {
    let (mutex, rwlock) = (Mutex::new(Twice::default()), RwLock::<Twice>::new(Twice::default()));
    let reentrant = ReentrantMutex::new(1_u64);
    assert!(matches!(mutex.lock(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert!(matches!(rwlock.read(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert!(matches!(rwlock.write(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert!(matches!(reentrant.lock(), Err(LockError::Register(RegisterError::NotInSegment))));
    let once = OnceLock::new();
    assert!(once.get_or_init(|| 1_u64).is_err());
    assert_eq!(once.get(), None);
    assert_eq!(once.into_inner(), None);
    assert!(format!("{mutex:?} {rwlock:?} {reentrant:?}").contains("<not in a segment>"));
}

// The tests below need no segment, and run under Miri.

#[test]
fn primitives_are_values_that_can_be_moved_and_exchanged() {
    let mut one = Mutex::new(Twice { one: 1, other: 1 });
    let mut other = Mutex::from(Twice { one: 2, other: 2 });
    std::mem::swap(&mut one, &mut other);
    one.get_mut().other = 3;
    std::mem::swap(one.get_mut(), other.get_mut());
    let two = [one, other].map(Mutex::into_inner);
    assert_eq!(two.map(|data| data.one + data.other), [2, 5]);
    let mut lock = RwLock::<Twice>::default();
    lock.get_mut().one = 4;
    let taken = std::mem::take(&mut lock);
    assert_eq!((taken.into_inner().one, lock.into_inner().one), (4, 0));
    let mut reentrant = ReentrantMutex::new(5_u64);
    *reentrant.get_mut() += 1;
    assert_eq!(reentrant.into_inner(), 6);
}

/// Types with padding, without bytes, and with unusual alignments. The place for the value of an
/// empty `OnceLock` is all zero.
#[test]
fn an_empty_once_lock_has_no_value_to_give() {
    #[derive(Debug, PartialEq, Shareable)]
    #[repr(C, align(64))]
    struct Padded {
        small: u8,
        large: u128,
        nothing: [(); 3],
    }
    let mut once = OnceLock::<Padded>::new();
    assert_eq!(once.get(), None);
    assert_eq!(once.get_mut(), None);
    let moved = std::mem::take(&mut once);
    assert_eq!((moved.into_inner(), once.into_inner()), (None, None));
}
