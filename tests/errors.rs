//! `?` in functions that return what programs return, and what the errors say. No lock outlives a
//! function here, and no segment is `'static`: an error that kept its guard could not leave.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::{Locks, fork, segment_of, wait};
use outlive::{
    Barrier, BarrierError, CondvarError, Event, Lock, LockError, LockErrorKind, LockTimeoutError, Mutex, Once,
    OnceError, OpenError, RegisterError, RwLock, Segment, Semaphore, TryLockError,
};
use std::error::Error;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Every way to lock, one after the other, each with `?`.
macro_rules! locks_with_question_marks {
    ($name:ident -> $error:ty) => {
        fn $name(shared: &Locks) -> Result<u64, $error> {
            let (short, deadline) = (Duration::from_millis(1), Instant::now() + Duration::from_secs(60));
            *shared.mutex.lock()? += 1;
            *shared.mutex.try_lock()? += 1;
            *shared.mutex.try_lock_for(short)? += 1;
            *shared.mutex.try_lock_until(deadline)? += 1;
            shared.nested.lock()?.fetch_add(1, SeqCst);
            shared.nested.try_lock()?.fetch_add(1, SeqCst);
            shared.nested.try_lock_for(short)?.fetch_add(1, SeqCst);
            drop((shared.lock.lock()?, shared.lock.try_lock().is_err()));
            drop(shared.lock.try_lock_for(short)?);
            *shared.both.write()? += 1;
            *shared.both.try_write()? += 1;
            *shared.both.try_write_for(short)? += 1;
            let mut read = *shared.both.read()?;
            read += *shared.both.try_read()?;
            read += *shared.both.try_read_for(short)?;
            let guard = shared.changed.wait_while(shared.mutex.lock()?, |count| *count == 0)?;
            let (guard, _) = shared.changed.wait_timeout(guard, short)?;
            let (guard, _) = shared.changed.wait_timeout_outcome(guard, short)?;
            let (guard, _) = shared.changed.wait_timeout_while(guard, short, |_| true)?;
            let (guard, _) = shared.changed.wait_until(guard, Instant::now())?;
            Ok(*guard + read + shared.nested.lock()?.load(SeqCst))
        }
    };
}
locks_with_question_marks! { to_a_box -> Box<dyn Error> }
locks_with_question_marks! { to_a_box_that_is_sent -> Box<dyn Error + Send + Sync> }
locks_with_question_marks! { to_a_kind -> LockErrorKind }

#[test]
fn a_question_mark_works_on_every_lock_of_a_borrowed_segment() {
    let shared: Segment<Locks> = segment_of(|_zero| {});
    assert_eq!(to_a_box(&shared).expect("all free"), 4 + 9 + 3);
    assert_eq!(to_a_box_that_is_sent(&shared).expect("all free"), 8 + 18 + 6);
    assert_eq!(to_a_kind(&shared), Ok(12 + 27 + 9));
}

#[test]
fn a_box_has_the_kind_and_its_text() {
    let shared: Segment<Locks> = segment_of(|_zero| {});
    let guard = shared.mutex.lock().expect("free");
    let try_it = || -> Result<(), Box<dyn Error>> {
        drop(shared.mutex.try_lock()?);
        Ok(())
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let boxed = try_it().expect_err("held");
            assert_eq!(boxed.downcast_ref(), Some(&LockErrorKind::WouldBlock));
            let error = shared.mutex.try_lock().expect_err("held");
            assert_eq!(boxed.to_string(), error.to_string());
            assert_eq!(boxed.to_string(), error.kind().to_string());
        });
    });
    drop(guard);
}

/// What a child that dies with it leaves.
fn dies_with(lock: impl FnOnce()) {
    let child = fork(|| {
        lock();
        0
    });
    assert_eq!(wait(child), 0);
}

#[test]
fn a_question_mark_after_a_death_releases_the_lock_still_inconsistent() {
    let shared: Segment<Locks> = segment_of(|_zero| {});
    dies_with(|| core::mem::forget((shared.mutex.lock(), shared.both.write(), shared.nested.lock())));
    for _ in 0..2 {
        assert!(matches!(to_a_kind(&shared), Err(LockErrorKind::OwnerDied { by: Some(_) })));
        assert_eq!((shared.mutex.holder(), shared.mutex.is_inconsistent()), (None, true));
    }
    let kind = |answer: Result<(), LockErrorKind>| answer.expect_err("a former holder died");
    let read = || {
        drop(shared.both.read()?);
        Ok(())
    };
    assert!(matches!(kind(read()), LockErrorKind::OwnerDied { .. }));
    let nested = || {
        drop(shared.nested.try_lock_for(Duration::ZERO)?);
        Ok(())
    };
    assert!(matches!(kind(nested()), LockErrorKind::OwnerDied { .. }));
    assert_eq!((shared.nested.holder(), shared.both.writer()), (None, None));
    assert!(shared.nested.is_inconsistent() && shared.both.is_inconsistent());
    let waits = || -> Result<(), LockErrorKind> {
        let left = shared.mutex.lock().or_else(LockError::into_guard)?;
        drop(shared.changed.wait_timeout(left, Duration::ZERO)?);
        Ok(())
    };
    assert!(matches!(kind(waits()), LockErrorKind::OwnerDied { .. }));
    assert_eq!((shared.mutex.holder(), shared.mutex.is_inconsistent()), (None, true));
}

#[test]
fn an_acquired_lock_stays_acquired_after_a_question_mark() {
    let shared: Segment<Locks> = segment_of(|_zero| {});
    dies_with(|| shared.lock.acquire().expect("free"));
    let acquire = || -> Result<(), Box<dyn Error>> {
        shared.lock.acquire()?;
        Ok(())
    };
    let error = acquire().expect_err("a former holder died");
    assert!(matches!(error.downcast_ref(), Some(LockErrorKind::OwnerDied { .. })), "{error}");
    assert!(shared.lock.is_owned_by_current_thread());
    shared.lock.release().expect("acquired");
}

#[test]
fn an_inconsistent_guard_is_taken_as_from_a_poison_error() {
    let shared: Segment<Locks> = segment_of(|_zero| {});
    dies_with(|| core::mem::forget(shared.mutex.lock()));
    let Err(LockError::OwnerDied(mut left)) = shared.mutex.lock() else { panic!("another answer") };
    assert_eq!(**left.get_ref(), 0);
    **left.get_mut() = 7;
    let id = left.by().expect("known");
    assert_eq!(shared.mutex.holder(), Some(shared.attach().expect("takes part")));
    assert!(shared.participants().iter().all(|participant| participant.id != id), "the participant is dead");
    let mut guard = left.into_inner();
    guard.mark_consistent();
    drop(guard);
    assert_eq!(*shared.mutex.lock().expect("vouched for"), 7);
}

#[test]
fn a_guard_of_a_lock_that_another_released_vouches_for_nothing() {
    let shared: Segment<Locks> = segment_of(|_zero| {});
    dies_with(|| shared.lock.acquire().expect("free"));
    let Err(LockError::OwnerDied(left)) = shared.lock.lock() else { panic!("another answer") };
    let mut guard = left.into_inner();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            shared.lock.release().expect("held by another");
            // As inconsistent as it was, for the next one.
            dies_with(|| shared.lock.acquire().or_else(LockError::into_guard).expect("free"));
            let Err(LockError::OwnerDied(_)) = shared.lock.acquire() else { panic!("another answer") };
        });
    });
    guard.mark_consistent();
    assert!(shared.lock.is_inconsistent(), "this thread does not hold the lock");
    assert!(shared.lock.mark_consistent().is_err(), "the error is returned");
    assert!(guard.release().is_err());
}

fn is_plain<E: Error + Send + Sync + 'static>() {}

#[test]
fn the_errors_without_a_guard_are_plain_errors() {
    is_plain::<LockErrorKind>();
    is_plain::<OpenError>();
    is_plain::<outlive::LocationError>();
    is_plain::<outlive::RemoveError>();
    is_plain::<outlive::PassError>();
    is_plain::<outlive::InheritError>();
    is_plain::<outlive::ReceiveError>();
    is_plain::<outlive::DescriptorLostError>();
    is_plain::<outlive::CloseError>();
    is_plain::<outlive::IoError>();
    is_plain::<RegisterError>();
    is_plain::<outlive::NotInSegmentError>();
    is_plain::<outlive::LeaveError>();
    is_plain::<outlive::MonitorError>();
    is_plain::<outlive::ObserveError>();
    is_plain::<outlive::RangeError>();
    is_plain::<outlive::NotWaitedError>();
    is_plain::<outlive::NotHeldError>();
    is_plain::<outlive::OverReleaseError>();
    is_plain::<outlive::ReleaseError>();
    is_plain::<outlive::AcquireError>();
    is_plain::<outlive::TryAcquireError>();
    is_plain::<outlive::AcquireTimeoutError>();
    is_plain::<outlive::WaitError>();
    is_plain::<outlive::TryWaitError>();
    is_plain::<outlive::WaitTimeoutError>();
    is_plain::<BarrierError>();
    is_plain::<outlive::BarrierTimeoutError>();
    is_plain::<outlive::ActionError<std::fmt::Error>>();
    is_plain::<outlive::JoinError>();
    is_plain::<OnceError>();
    is_plain::<outlive::SetError<u64>>();
}

/// The first error of a chain that is of this type.
fn in_chain<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[test]
fn outside_of_a_segment_each_operation_names_that_as_its_source() {
    let registers = |error: Box<dyn Error>| {
        assert_eq!(in_chain(&*error), Some(&RegisterError::NotInSegment), "{error:?}");
        assert!(error.to_string().contains("put it into a Segment"), "{error}");
    };
    let (mutex, lock, both) = (Mutex::new(1), Lock::new(), RwLock::<u64>::new(1));
    registers(mutex.lock().expect_err("on the stack").into());
    registers(mutex.try_lock().expect_err("on the stack").into());
    registers(mutex.try_lock_for(Duration::ZERO).expect_err("on the stack").into());
    registers(lock.acquire().expect_err("on the stack").into());
    registers(both.read().expect_err("on the stack").into());
    registers(Semaphore::new(1).acquire().expect_err("on the stack").into());
    registers(Semaphore::new(1).try_acquire().expect_err("on the stack").into());
    registers(Event::new().wait().expect_err("on the stack").into());
    registers(Event::new().try_wait().expect_err("on the stack").into());
    registers(Barrier::<2>::new(2).wait().expect_err("on the stack").into());
    registers(Barrier::<2>::new(2).join().expect_err("on the stack").into());
    registers(Barrier::<2>::new(2).reset().expect_err("on the stack").into());
    registers(Once::new().call_once(|| ()).expect_err("on the stack").into());
    for text in [
        lock.release().expect_err("on the stack").to_string(),
        lock.mark_consistent().expect_err("on the stack").to_string(),
        Event::new().set().expect_err("on the stack").to_string(),
        Barrier::<2>::new(2).abort().expect_err("on the stack").to_string(),
        Semaphore::new(1).release().expect_err("on the stack").to_string(),
    ] {
        assert!(text.contains("put it into a Segment"), "{text}");
    }
}

/// Each of the errors that may contain a guard, with its reason.
#[test]
fn each_way_to_lock_says_what_it_can_give() {
    let shared: Segment<Locks> = segment_of(|_zero| {});
    let guard = shared.mutex.lock().expect("free");
    assert!(matches!(shared.mutex.lock(), Err(LockError::Deadlock)));
    assert!(matches!(shared.mutex.try_lock(), Err(TryLockError::WouldBlock)));
    assert!(matches!(shared.mutex.try_lock_for(Duration::ZERO), Err(LockTimeoutError::Deadlock)));
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(matches!(shared.mutex.try_lock_for(Duration::ZERO), Err(LockTimeoutError::TimedOut))));
    });
    let elsewhere: Segment<Locks> = segment_of(|_zero| {});
    let refused = elsewhere.changed.wait(guard).expect_err("another segment");
    assert_eq!(refused.kind(), LockErrorKind::NotWaited(outlive::NotWaitedError::OtherSegment));
    assert!(matches!(refused, CondvarError::NotWaited { .. }));
    drop(refused.into_guard().expect("given back"));
    assert!(shared.mutex.try_lock().is_ok());
}
