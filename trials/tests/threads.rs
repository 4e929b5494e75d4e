//! Raw primitives on the standard platform with real threads, for Miri and ThreadSanitizer: data that a primitive protects is
//! plain memory here, so that whoever sees it too early is a data race.

use core::cell::UnsafeCell;
use core::time::Duration;
use outlive::platform::{Platform, Word as _};
use outlive::raw::table::{Newcomer, Participant};
use outlive::raw::{Cause, Mutex};
use outlive_trials::standard::{Standard, Word, World};

/// Memory that a primitive protects.
#[derive(Debug, Default)]
struct Protected<T>(UnsafeCell<T>);
// SAFETY: the test hands it out to one thread at a time, if the primitive under test does what it should.
unsafe impl<T: Send> Sync for Protected<T> {}

impl<T> Protected<T> {
    /// Changes it, without any protection of its own.
    fn change(&self, change: impl FnOnce(&mut T)) {
        // SAFETY: the caller has it to itself, if the primitive under test does what it should.
        change(unsafe { &mut *self.0.get() });
    }
}

const ROUNDS: u64 = if cfg!(miri) { 5 } else { 2_000 };

/// Runs `body` in so many threads that take part, each with its number, and ends each as the kernel would.
fn in_threads(count: usize, body: impl Fn(usize, &Participant<'_, Standard>) + Sync) {
    let world = World::new(count);
    std::thread::scope(|scope| {
        for number in 0..count {
            let (world, body) = (&world, &body);
            scope.spawn(move || {
                let person = world.newcomer();
                let table = world.table();
                let id = table.register(&person).expect("a slot for each");
                body(number, &Participant { id, table: &table });
                world.die(person.thread());
            });
        }
    });
}

#[test]
fn mutex() {
    let mutex = Mutex::<Standard>::from_word(Word::new(0));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        for _ in 0..ROUNDS {
            assert_eq!(mutex.lock(me, None).expect("waits").inconsistent, None);
            count.change(|count| *count += 1);
            mutex.unlock(0);
        }
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
}

#[test]
fn mutex_whose_holders_die() {
    let mutex = Mutex::<Standard>::from_word(Word::new(0));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        for _ in 0..ROUNDS {
            match mutex.lock(me, None) {
                Ok(acquired) => assert!(matches!(acquired.inconsistent, None | Some(Cause::Died(Some(_))))),
                Err(refusal) => panic!("waits for ever, and was told {refusal:?}"),
            }
            count.change(|count| *count += 1);
            mutex.mark_consistent();
            mutex.unlock(0);
        }
        let _dies_with_it = mutex.lock(me, None).expect("waits");
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
}

#[test]
fn mutex_with_short_timeouts() {
    let mutex = Mutex::<Standard>::from_word(Word::new(0));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        let mut done = 0;
        while done < ROUNDS {
            if mutex.lock(me, Some(Standard::now() + Duration::from_micros(50))).is_ok() {
                count.change(|count| *count += 1);
                mutex.unlock(0);
                done += 1;
            }
        }
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
}

/// A fault that was there once, and that ThreadSanitizer sees: who left read the whole segment, also what others were writing.
#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn a_thread_leaves_while_another_writes() {
    let segment = outlive::Segment::<outlive::Mutex<[u64; 64]>>::anonymous(|_zero| {}).expect("a segment");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                segment.lock().expect("free").fill(round);
            }
        });
        scope.spawn(|| {
            for _ in 0..ROUNDS / 10 {
                segment.attach().expect("room");
                segment.detach().expect("nothing is held");
            }
        });
    });
}
