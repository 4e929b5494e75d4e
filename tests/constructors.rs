//! Each constructor that panics on a bad number has a twin that returns an error for the same
//! numbers.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

use outlive::{Barrier, PermitPool, RangeError, RegisterError, Segment, Semaphore};
use std::panic::{UnwindSafe, catch_unwind};

/// The numbers at which an off-by-one error in a limit shows.
fn around(most: u64) -> impl Iterator<Item = u64> {
    [0, 1, 2, most - 1, most, most + 1, u64::from(u32::MAX)].into_iter()
}

/// The twin returns an error exactly where the constructor panics. The error says what was found,
/// and what is allowed.
fn is_refused_as_it_panics<T>(
    number: u64,
    limits: [u64; 2],
    make: impl FnOnce() -> T + UnwindSafe,
    answer: Result<T, RangeError>,
) {
    let panics = catch_unwind(|| drop(make())).is_err();
    assert_eq!(panics, !(limits[0]..=limits[1]).contains(&number), "{number}");
    match answer {
        Ok(_) => assert!(!panics, "{number} is taken"),
        Err(error) => {
            assert!(panics, "{number} is refused");
            let text = error.to_string();
            let RangeError { found, minimum, maximum, .. } = error;
            assert_eq!((found, [minimum, maximum]), (number, limits));
            assert!(text.contains(&format!("{minimum} to {maximum}")) && text.contains(&found.to_string()), "{text}");
        }
    }
}

#[test]
fn a_barriers_parties_are_refused_where_new_panics() {
    for number in around(8) {
        let parties = number as usize;
        is_refused_as_it_panics(number, [1, 8], || Barrier::<8>::new(parties), Barrier::<8>::try_new(parties));
    }
    let most = Barrier::<4096>::try_new(4096).expect("as many as a table can have");
    assert_eq!(most.parties(), 4096);
    for (bytes, parties) in [(size_of::<Barrier<8>>(), 8), (size_of::<Barrier>(), 256), (size_of_val(&most), 4096)] {
        assert_eq!(bytes, 16 + 12 * parties, "as its documentation says");
    }
}

#[test]
fn a_semaphores_numbers_are_refused_where_new_and_bounded_panic() {
    let most = u64::from(Semaphore::MAX_PERMITS);
    for number in around(most) {
        let permits = number as u32;
        is_refused_as_it_panics(number, [0, most], || Semaphore::new(permits), Semaphore::try_new(permits));
        let maximum = permits;
        is_refused_as_it_panics(
            number,
            [1, most],
            || Semaphore::bounded(0, maximum),
            Semaphore::try_bounded(0, maximum),
        );
        is_refused_as_it_panics(number, [0, 7], || Semaphore::bounded(permits, 7), Semaphore::try_bounded(permits, 7));
    }
    let made = Semaphore::try_bounded(2, 5).expect("in range");
    assert_eq!((made.available(), made.maximum()), (2, 5));
    let made = Semaphore::try_new(2).expect("in range");
    assert_eq!((made.available(), made.maximum()), (2, Semaphore::MAX_PERMITS));
}

#[test]
fn a_pools_capacity_is_refused_where_with_capacity_panics() {
    for number in around(8) {
        let capacity = number as usize;
        is_refused_as_it_panics(
            number,
            [1, 8],
            || PermitPool::<8>::with_capacity(capacity),
            PermitPool::<8>::try_with_capacity(capacity),
        );
        let mut pool = PermitPool::<8>::with_capacity(3);
        let is_set = pool.try_set_capacity(capacity).is_ok();
        assert_eq!(pool.capacity(), if is_set { capacity } else { 3 }, "{capacity}");
        assert_eq!(is_set, (1..=8).contains(&capacity));
    }
}

#[test]
fn the_twins_are_const_as_well() {
    static BARRIER: Result<Barrier<4>, RangeError> = Barrier::try_new(3);
    const SEMAPHORE: Result<Semaphore, RangeError> = Semaphore::try_new(u32::MAX);
    const BOUNDED: Result<Semaphore, RangeError> = Semaphore::try_bounded(1, 0);
    const POOL: Result<PermitPool<2>, RangeError> = PermitPool::try_with_capacity(3);
    assert_eq!(BARRIER.as_ref().expect("in range").parties(), 3);
    assert_eq!([SEMAPHORE.is_err(), BOUNDED.is_err(), POOL.is_err()], [true; 3]);
}

/// The default capacity is the default number of participants, so that all of a segment's can meet.
#[test]
fn a_barrier_has_room_for_all_participants_that_a_segment_has_by_default() {
    let zeros = Segment::<Barrier>::anonymous(|_zeros| {}).expect("a segment");
    let threads = zeros.parties() + 1;
    let (told, hears) = std::sync::mpsc::channel();
    let stays = std::sync::Barrier::new(threads + 1);
    let refused = std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                told.send(zeros.attach().map(drop)).expect("heard");
                stays.wait();
            });
        }
        let answers: Vec<_> = (0..threads).map(|_| hears.recv().expect("told")).collect();
        stays.wait();
        answers.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect::<Vec<_>>()
    });
    assert_eq!(refused, [RegisterError::Full { participants: zeros.parties() }.to_string()]);
}
