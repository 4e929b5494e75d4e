//! Data that a death or a panic has left inconsistent stays so until a holder marks it consistent.
//! It does not matter how the guard is given back: it may be dropped, given back for a while by a
//! wait, or turned into another guard. The same holds for the error that reports it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::{LockFailure, Locks, elsewhere, fork, panic_with, segment_of, wait};
use outlive::{
    CondvarError, LockErrorKind, LockResult, NotWaitedError, ParticipantId, RwLockWriteGuard, Segment, TryLockError,
    TryLockResult, Waitable,
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

fn shared() -> Segment<Locks> {
    segment_of(|_zero| {})
}

/// What a locking call reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Died(Option<ParticipantId>),
    Panicked(Option<ParticipantId>),
}

impl Told {
    fn without_name(self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Died(_) => Self::Died(None),
            Self::Panicked(_) => Self::Panicked(None),
        }
    }
}

fn told<G, E: LockFailure<G>>(result: Result<G, E>) -> (Told, G) {
    match result.map_err(E::into_parts) {
        Ok(guard) => (Told::Nothing, guard),
        Err((LockErrorKind::OwnerDied { by }, Some(guard))) => (Told::Died(by), guard),
        Err((LockErrorKind::Poisoned { by }, Some(guard))) => (Told::Panicked(by), guard),
        Err((other, _)) => panic!("{other}"),
    }
}

/// A way to give a guard back, and to get it again.
type Way<'a, G> = (&'static str, Box<dyn Fn(&Locks, G) -> (Told, G) + 'a>);

/// An operation that locks.
type Locking<'a, G> = &'a (dyn Fn() -> LockResult<G> + Sync);
/// The same without waiting.
type Trying<'a, G> = &'a (dyn Fn() -> TryLockResult<G> + Sync);

fn ways<'a, G: Waitable + 'a>(
    (lock, try_lock): (Locking<'a, G>, Trying<'a, G>),
    elsewhere: &'a Locks,
) -> Vec<Way<'a, G>> {
    const SHORT: Duration = Duration::from_millis(1);
    // Meanwhile another thread takes the lock, and also gives it back without a repair.
    let beside = |shared: &Locks, wait: &dyn Fn() -> (Told, G)| {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    if !matches!(try_lock(), Err(TryLockError::WouldBlock)) {
                        shared.changed.notify_all();
                    }
                    std::thread::yield_now();
                }
            });
            let answer = wait();
            is_over.store(true, SeqCst);
            answer
        })
    };
    let once = |guard: G| std::cell::Cell::new(Some(guard));
    vec![
        (
            "dropped",
            Box::new(move |_, guard| {
                drop(guard);
                told(lock())
            }),
        ),
        (
            "a wait that is over at once",
            Box::new(|shared, guard| {
                let (told, (guard, _)) = told(shared.changed.wait_timeout(guard, Duration::ZERO));
                (told, guard)
            }),
        ),
        (
            "a short wait",
            Box::new(|shared, guard| {
                let (told, (guard, _)) = told(shared.changed.wait_timeout(guard, SHORT));
                (told, guard)
            }),
        ),
        (
            "a wait until a moment",
            Box::new(|shared, guard| {
                let (told, (guard, _)) = told(shared.changed.wait_until(guard, Instant::now() + SHORT));
                (told, guard)
            }),
        ),
        (
            "a short wait while a condition holds",
            Box::new(|shared, guard| {
                let (told, (guard, _)) = told(shared.changed.wait_timeout_while(guard, SHORT, |_| true));
                (told, guard)
            }),
        ),
        (
            "a wait while a condition holds",
            Box::new(move |shared, guard| {
                let guard = once(guard);
                beside(shared, &|| {
                    let mut looks = 0;
                    told(shared.changed.wait_while(guard.take().expect("one wait"), |_| {
                        looks += 1;
                        looks == 1
                    }))
                })
            }),
        ),
        (
            "a wait for a notification",
            Box::new(move |shared, guard| {
                let guard = once(guard);
                beside(shared, &|| told(shared.changed.wait(guard.take().expect("one wait"))))
            }),
        ),
        (
            "a wait that is refused",
            Box::new(move |_, guard| {
                let Err(CondvarError::NotWaited { guard, error: NotWaitedError::OtherSegment }) =
                    elsewhere.changed.wait(guard)
                else {
                    panic!("waited across segments");
                };
                drop(guard);
                told(lock())
            }),
        ),
    ]
}

/// A holder dies, or panics.
fn leaves<G>(lock: Locking<'_, G>, by_death: bool) {
    if by_death {
        let child = fork(|| {
            core::mem::forget(told(lock()));
            0
        });
        assert_eq!(wait(child), 0);
    } else {
        elsewhere(|| panic_with(told(lock())));
    }
}

/// Tries each way for a lock in this state. `names`: the error still names the participant after a
/// guard was given back.
fn stays_inconsistent<'a, G: Waitable + 'a>(
    shared: &Locks,
    locking: (Locking<'a, G>, Trying<'a, G>),
    elsewhere: &'a Locks,
    names: bool,
    vouch: impl Fn(&mut G),
) {
    let (lock, _) = locking;
    for by_death in [true, false] {
        for (name, way) in ways(locking, elsewhere) {
            leaves(lock, by_death);
            let (first, guard) = told(lock());
            assert!(matches!((by_death, first), (true, Told::Died(Some(_))) | (false, Told::Panicked(Some(_)))));
            let expected = if names { first } else { first.without_name() };
            let (again, mut guard) = way(shared, guard);
            assert_eq!(again, expected, "{name}");
            vouch(&mut guard);
            // Once marked consistent, it stays consistent.
            let (again, guard) = way(shared, guard);
            assert_eq!(again, Told::Nothing, "{name}, vouched for");
            drop(guard);
            assert_eq!(told(lock()).0, Told::Nothing, "{name}, vouched for");
        }
    }
}

#[test]
fn a_mutex_whose_guard_was_given_back_unrepaired_is_inconsistent() {
    let (shared, elsewhere) = (&*shared(), &*shared());
    stays_inconsistent(shared, (&|| shared.mutex.lock(), &|| shared.mutex.try_lock()), elsewhere, true, |guard| {
        guard.mark_consistent()
    });
}

#[test]
fn a_reentrant_mutex_whose_guard_was_given_back_unrepaired_is_inconsistent() {
    let (shared, elsewhere) = (&*shared(), &*shared());
    stays_inconsistent(shared, (&|| shared.nested.lock(), &|| shared.nested.try_lock()), elsewhere, true, |guard| {
        guard.mark_consistent()
    });
}

#[test]
fn a_lock_whose_guard_was_given_back_unrepaired_is_inconsistent() {
    let (shared, elsewhere) = (&*shared(), &*shared());
    stays_inconsistent(shared, (&|| shared.lock.lock(), &|| shared.lock.try_lock()), elsewhere, false, |guard| {
        guard.mark_consistent()
    });
}

/// A second guard of the same thread reports nothing. It gives back its own hold only.
#[test]
fn a_nested_guard_of_an_inconsistent_lock_repairs_nothing() {
    let shared = shared();
    for by_death in [true, false] {
        leaves(&|| shared.nested.lock(), by_death);
        let (first, outer) = told(shared.nested.lock());
        let (nested, inner) = told(shared.nested.lock());
        assert_eq!(nested, Told::Nothing);
        let waited = shared.changed.wait_timeout(inner, Duration::ZERO);
        let (again, (inner, _)) = told(waited);
        assert_eq!(again.without_name(), first.without_name(), "all holds were given back");
        drop((inner, outer));
        let (again, mut guard) = told(shared.nested.lock());
        assert_eq!(again.without_name(), first.without_name());
        guard.mark_consistent();
    }
}

#[test]
fn a_read_write_lock_whose_guard_was_given_back_unrepaired_is_inconsistent() {
    let shared = shared();
    let write = || shared.both.write();
    for by_death in [true, false] {
        for name in ["dropped", "become a reader", "read"] {
            leaves(&write, by_death);
            let (first, guard) = told(write());
            assert_ne!(first, Told::Nothing);
            match name {
                "become a reader" => {
                    let reading = RwLockWriteGuard::downgrade(guard);
                    let beside = std::thread::scope(|scope| scope.spawn(|| told(shared.both.read()).0).join());
                    assert_eq!(beside.expect("no panic"), first, "while a writer has become a reader");
                    drop(reading);
                }
                "read" => {
                    drop(guard);
                    assert_eq!(told(shared.both.read()).0, first, "read");
                }
                _ => drop(guard),
            }
            let (again, mut guard) = told(write());
            assert_eq!(again, first, "{name}");
            guard.mark_consistent();
            drop(RwLockWriteGuard::downgrade(guard));
            assert_eq!(told(write()).0, Told::Nothing, "{name}, vouched for");
        }
    }
}

/// The operations without guards, as in Python.
#[test]
fn bare_operations_repair_nothing() {
    let shared = shared();
    for by_death in [true, false] {
        leaves(&|| shared.lock.lock(), by_death);
        leaves(&|| shared.nested.lock(), by_death);
        for _ in 0..2 {
            let (of_lock, ()) = told(shared.lock.acquire());
            shared.lock.release().expect("held");
            let (of_nested, ()) = told(shared.nested.acquire());
            shared.nested.release().expect("held");
            for told in [of_lock, of_nested] {
                assert_eq!(told.without_name(), if by_death { Told::Died(None) } else { Told::Panicked(None) });
            }
        }
        told(shared.lock.lock()).1.mark_consistent();
        told(shared.nested.lock()).1.mark_consistent();
        assert_eq!(told(shared.lock.lock()).0, Told::Nothing);
        assert_eq!(told(shared.nested.lock()).0, Told::Nothing);
    }
}
