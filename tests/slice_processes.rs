//! Locks of slices between real processes that are really killed. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    Condvar, LockError, LockTimeoutError, LockedCell, Mutex, MutexRoot, MutexSegment, OpenError, Queue, RangeError,
    RegisterError, RwLock, RwLockRoot, RwLockSegment, Segment, Shareable, TryLockError,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

const LENGTH: usize = 1_000;

fn mutex() -> MutexSegment<u64> {
    outlive::test_switches::set_recheck(false);
    Mutex::<[u64]>::anonymous(LENGTH, |_zeros| {}).expect("a segment")
}

fn rwlock() -> RwLockSegment<u64> {
    outlive::test_switches::set_recheck(false);
    RwLock::<[u64]>::anonymous(LENGTH, |_zeros| {}).expect("a segment")
}

/// In a child: the mutex that the parent passed.
fn inherited_mutex() -> MutexSegment<u64> {
    Mutex::<[u64]>::options(1).expect("in range").inherit("test").expect("passed").try_into().expect("a mutex")
}

/// In a child: the lock that the parent passed.
fn inherited_rwlock() -> RwLockSegment<u64> {
    RwLock::<[u64]>::options(1).expect("in range").inherit("test").expect("passed").try_into().expect("a lock")
}

/// Adds one to each element. All elements are equal before and after.
fn add(elements: &mut [u64]) {
    assert!(elements.iter().all(|element| *element == elements[0]), "half of an update: {elements:?}");
    elements.iter_mut().for_each(|element| *element += 1);
}

/// Changes half of the elements.
fn change_half(elements: &mut [u64]) {
    elements[..LENGTH / 2].fill(7);
}

fn is_half_changed(elements: &[u64]) -> bool {
    elements[..LENGTH / 2].iter().all(|element| *element == 7) && elements[LENGTH / 2..].iter().all(|e| *e == 0)
}

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    match role.as_str() {
        "add" => {
            let mutex = inherited_mutex();
            (0..500).for_each(|_| add(&mut mutex.lock().expect("nobody dies")));
        }
        "die with the mutex" => {
            let mutex = inherited_mutex();
            let mut guard = mutex.lock().expect("free");
            change_half(&mut guard);
            say("changed");
            wait_for_the_word();
        }
        "die as a writer" => {
            let lock = inherited_rwlock();
            let mut guard = lock.write().expect("free");
            change_half(&mut guard);
            say("changed");
            wait_for_the_word();
        }
        "die as a reader" => {
            let lock = inherited_rwlock();
            let guard = lock.read().expect("free");
            say(&guard.len().to_string());
            wait_for_the_word();
        }
        "wait for the mutex" => {
            let mutex = inherited_mutex();
            say("waiting");
            let Err(LockError::OwnerDied(left)) = mutex.lock() else { panic!("nobody died") };
            let mut guard = left.into_inner();
            assert!(is_half_changed(&guard), "{guard:?}");
            guard.fill(3);
            guard.mark_consistent();
        }
        "wait for a change" => {
            let mutex = inherited_mutex();
            let guard = mutex.lock().expect("free");
            say("waiting");
            let guard = mutex.condvar().wait_while(guard, |elements| elements[LENGTH - 1] == 0).expect("nobody dies");
            say(&guard[LENGTH - 1].to_string());
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn processes_change_all_elements_under_one_mutex() {
    let mutex = mutex();
    let mut children: Vec<_> = (0..3).map(|n| Actor::start(mutex.segment(), "add", n > 0)).collect();
    for child in &mut children {
        assert!(child.ends_well());
    }
    assert_eq!(*mutex.lock().expect("free"), [1_500; LENGTH]);
}

#[test]
fn a_killed_holder_hands_the_whole_slice_over_and_the_next_holder_repairs_it() {
    let mutex = mutex();
    let mut holder = Actor::start(mutex.segment(), "die with the mutex", true);
    assert_eq!(holder.hear(), "changed");
    assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
    let short = Duration::from_millis(1);
    assert!(matches!(mutex.try_lock_for(short), Err(LockTimeoutError::TimedOut)));
    let mut waiter = Actor::start(mutex.segment(), "wait for the mutex", true);
    assert_eq!(waiter.hear(), "waiting");
    until_asleep(mutex.segment(), waiter.id());
    let dead = mutex.holder();
    holder.kill();
    assert!(waiter.ends_well());
    assert!(dead.is_some() && !mutex.is_inconsistent());
    assert_eq!(*mutex.lock().expect("repaired"), [3; LENGTH]);
}

#[test]
fn the_death_stays_known_until_a_holder_says_that_the_elements_are_right() {
    let mutex = mutex();
    let mut holder = Actor::start(mutex.segment(), "die with the mutex", true);
    assert_eq!(holder.hear(), "changed");
    let dead = mutex.holder();
    holder.kill();
    for _ in 0..3 {
        let Err(LockError::OwnerDied(left)) = mutex.lock() else { panic!("nobody died") };
        assert_eq!(left.by(), dead);
        assert!(is_half_changed(left.get_ref()));
    }
    let text = format!("{mutex:?}");
    assert!(text.contains("inconsistent") && text.contains("7, 7"), "{text}");
    mutex.lock().expect_err("inconsistent").into_guard().expect("with the guard").mark_consistent();
    assert!(mutex.lock().is_ok_and(|guard| is_half_changed(&guard)));
}

#[test]
fn a_killed_writer_is_told_to_readers_and_a_killed_reader_to_nobody() {
    let lock = rwlock();
    let mut reader = Actor::start(lock.segment(), "die as a reader", true);
    assert_eq!(reader.hear(), LENGTH.to_string());
    assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    reader.kill();
    lock.write().expect("a reader changes nothing").fill(0);

    let mut writer = Actor::start(lock.segment(), "die as a writer", true);
    assert_eq!(writer.hear(), "changed");
    assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
    writer.kill();
    let Err(LockError::OwnerDied(left)) = lock.read() else { panic!("nobody died") };
    assert!(is_half_changed(left.get_ref()));
    drop(left);
    let mut guard = lock.write().expect_err("not repaired").into_guard().expect("with the guard");
    guard.fill(1);
    guard.mark_consistent();
    drop(guard);
    assert_eq!(*lock.read().expect("repaired"), [1; LENGTH]);
}

#[test]
fn a_waiter_for_an_element_is_notified_by_the_condition_variable_of_the_segment() {
    let mutex = mutex();
    let mut waiter = Actor::start(mutex.segment(), "wait for a change", true);
    assert_eq!(waiter.hear(), "waiting");
    until_asleep(mutex.segment(), waiter.id());
    mutex.lock().expect("given back by the wait")[LENGTH - 1] = 5;
    mutex.condvar().notify_one();
    assert_eq!(waiter.hear(), "5");
    assert!(waiter.ends_well());
}

#[test]
fn a_wait_with_a_guard_of_a_slice_of_another_segment_is_an_error() {
    let (here, there) = (mutex(), mutex());
    let guard = here.lock().expect("free");
    let error = there.condvar().wait(guard).expect_err("in two segments");
    assert!(error.to_string().contains("segment"), "{error}");
    assert!(error.into_guard().is_ok_and(|guard| guard.len() == LENGTH));
}

#[test]
fn a_panic_with_the_guard_poisons_the_whole_slice() {
    let (mutex, lock) = (mutex(), rwlock());
    panic_with(mutex.lock().expect("free"));
    panic_with(lock.read().expect("free"));
    panic_with(lock.write().expect("free"));
    assert!(matches!(mutex.lock(), Err(LockError::Poisoned(left)) if left.get_ref().len() == LENGTH));
    assert!(matches!(lock.read(), Err(LockError::Poisoned(left)) if left.get_ref().len() == LENGTH));
}

#[test]
fn a_leaked_guard_of_a_slice_gives_no_second_reference() {
    let (mutex, lock) = (mutex(), rwlock());
    elsewhere(|| core::mem::forget((mutex.lock().expect("free"), lock.read().expect("free"))));
    assert!(matches!(mutex.lock(), Err(LockError::Leaked { .. })));
    assert!(matches!(lock.write(), Err(LockError::Leaked { .. })));
    assert!(lock.read().is_ok());
    // SAFETY: the thread that leaked the guards has ended, and had no reference.
    let taken = unsafe { mutex.lock_leaked() };
    assert!(matches!(taken, Err(TryLockError::OwnerDied(_))));
}

#[test]
fn a_holder_gets_deadlock_and_a_lock_outside_of_a_segment_an_error() {
    let mutex = mutex();
    let _guard = mutex.lock().expect("free");
    assert!(mutex.is_owned_by_current_thread());
    assert!(matches!(mutex.lock(), Err(LockError::Deadlock)));
    let outside: &Mutex<[u64]> = &Mutex::new([1, 2, 3]);
    assert!(matches!(outside.lock(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert_eq!((outside.len(), outside.is_empty()), (3, false));
    let outside: &RwLock<[u64]> = &RwLock::new([]);
    assert!(matches!(outside.read(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert!(outside.is_empty());
}

#[test]
fn each_way_to_open_finds_the_length_that_the_data_was_made_with() {
    let name = Name::new("slice-opened");
    let made = Mutex::<[u16]>::create(&*name.0, 5, |new| new.copy_from_slice(&[1, 2, 3, 4, 5])).expect("new");
    assert!(matches!(Mutex::<[u16]>::create(&*name.0, 5, |_| {}), Err(OpenError::AlreadyExists(_))));
    let by_name = Mutex::<[u16]>::open(&*name.0).expect("there");
    let again = Mutex::<[u16]>::open_or_create(&*name.0, 99, |_| panic!("made anew")).expect("there");
    // SAFETY: the descriptor is only used to map the segment.
    let descriptor = unsafe { made.segment().borrow_fd() }.expect("open");
    let segment = Mutex::<[u16]>::options(1).expect("in range").from_fd(descriptor).expect("of this type");
    let by_descriptor = MutexSegment::try_from(segment).expect("a mutex");
    for (at, mutex) in [&made, &by_name, &again, &by_descriptor].into_iter().enumerate() {
        assert_eq!(mutex.len(), 5);
        mutex.lock().expect("free")[at] = 0;
    }
    assert_eq!(*made.lock().expect("free"), [0, 0, 0, 0, 5]);
    let segment = again.into_segment();
    assert_eq!(segment.room().len(), 5);
    Mutex::<[u16]>::remove(&*name.0).expect("there");
    assert!(matches!(Mutex::<[u16]>::open(&*name.0), Err(OpenError::NotFound(_))));
}

#[test]
fn a_file_keeps_the_elements() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("table");
    drop(RwLock::<[u8]>::create(&*path, 3, |new| new.copy_from_slice(b"abc")).expect("new"));
    let table = RwLock::<[u8]>::open_or_create(&*path, 1, |_| panic!("made anew")).expect("there");
    assert_eq!(*table.read().expect("free"), *b"abc");
    RwLock::<[u8]>::remove(&*path).expect("there");
}

/// The errors of everything that makes data of that length.
fn errors_of_making(name: &str, length: usize) -> Vec<OpenError> {
    let all = [
        Mutex::<[u64]>::create(name, length, |_| {}).err(),
        Mutex::<[u64]>::open_or_create(name, length, |_| {}).err(),
        Mutex::<[u64]>::anonymous(length, |_| {}).err(),
        RwLock::<[u64]>::create(name, length, |_| {}).err(),
        RwLock::<[u64]>::open_or_create(name, length, |_| {}).err(),
        RwLock::<[u64]>::anonymous(length, |_| {}).err(),
    ];
    all.into_iter().map(|error| error.expect("refused")).collect()
}

#[test]
fn no_elements_and_too_many_are_different_errors() {
    let name = Name::new("slice-lengths");
    for error in errors_of_making(&name.0, 0) {
        assert!(matches!(error, OpenError::InvalidSize(_)) && error.to_string().contains("but is 0"), "{error}");
    }
    let refused = Mutex::<[u64]>::options(0).expect_err("no element");
    assert!(matches!(refused, RangeError { found: 0, minimum: 1, .. }), "{refused:?}");
    assert_eq!(RwLockSegment::<u64, 2>::options(0).expect_err("no element"), refused);
    for length in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 8] {
        for error in errors_of_making(&name.0, length) {
            let text = error.to_string();
            assert!(matches!(error, OpenError::InvalidSize(_)) && text.contains("address space"), "{text}");
            assert!(text.contains(&length.to_string()), "{text}");
        }
    }
    let empty = Segment::<MutexRoot>::options().room::<LockedCell<u64>>(0).anonymous(|_, _| {}).expect("a segment");
    assert!(matches!(MutexSegment::try_from(empty), Err(OpenError::InvalidSize(_))));
    let empty = Segment::<RwLockRoot>::options().room::<LockedCell<u64>>(0).anonymous(|_, _| {}).expect("a segment");
    assert!(matches!(RwLockSegment::try_from(empty), Err(OpenError::InvalidSize(_))));
}

#[test]
fn another_element_another_lock_and_another_number_of_readers_are_not_opened() {
    let name = Name::new("slice-types");
    let _made = Mutex::<[u64]>::create(&*name.0, 4, |_| {}).expect("new");
    // An element of another type, of another size, and one that is not under the lock.
    assert!(matches!(Mutex::<[f64]>::open(&*name.0), Err(OpenError::RoomType { .. })));
    assert!(matches!(Mutex::<[u8]>::open_or_create(&*name.0, 1, |_| {}), Err(OpenError::RoomType { .. })));
    let unlocked = Segment::<MutexRoot>::options().room::<u64>(1).open(&*name.0);
    assert!(matches!(unlocked, Err(OpenError::RoomType { .. })));
    // Another root.
    assert!(matches!(RwLock::<[u64]>::open(&*name.0), Err(OpenError::Type { .. })));
    assert!(matches!(Queue::<u64>::open(&*name.0), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<Mutex<[u64; 4]>>::open(&*name.0), Err(OpenError::Type { .. })));

    let name = Name::new("slice-readers");
    let segment = RwLockSegment::<u64, 2>::options(4).expect("in range").create(&*name.0, |_, _| {}).expect("new");
    let two = RwLockSegment::try_from(segment).expect("a lock");
    assert!(matches!(RwLock::<[u64]>::open(&*name.0), Err(OpenError::Type { .. })));
    two.write().expect("free").fill(2);
    assert_eq!(*two.read().expect("free"), [2; 4]);
}

#[test]
fn a_file_that_is_too_small_for_its_elements_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("samples");
    drop(Mutex::<[u64]>::create(&*path, 10_000, |_| {}).expect("new"));
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("there");
    file.set_len(file.metadata().expect("there").len() - 4096).expect("truncated");
    assert!(matches!(Mutex::<[u64]>::open(&*path), Err(OpenError::Size { expected: Some(_), .. })));
    file.set_len(100).expect("truncated");
    assert!(matches!(Mutex::<[u64]>::open(&*path), Err(OpenError::NotASegment | OpenError::Size { .. })));
}

/// Where the lock's own words and its data are, for elements of any alignment.
#[test]
fn the_data_is_the_room_and_the_word_of_the_lock_lies_before_it() {
    fn try_elements<T: Shareable + Sync + Copy + PartialEq + std::fmt::Debug>(one: T) {
        for length in [1, 2, 3, 129] {
            let mutex = Mutex::<[T]>::anonymous(length, |new| new.fill(one)).expect("a segment");
            let room = mutex.segment().room();
            let condvar = std::ptr::from_ref(mutex.condvar()).addr();
            let lock = std::ptr::from_ref(&*mutex);
            let mut guard = mutex.lock().expect("free");
            assert_eq!((guard.as_ptr().addr(), guard.len()), (room.as_ptr().addr(), length));
            assert_eq!(lock.cast::<u8>().addr() % align_of_val(&*mutex), 0);
            assert!(lock.cast::<u8>().addr() >= condvar + 128 && lock.cast::<u8>().addr() + 4 <= guard.as_ptr().addr());
            assert!(
                size_of_val(&*mutex) - (guard.as_ptr().addr() - lock.cast::<u8>().addr()) < size_of_val(room) + 128
            );
            guard.fill(one);
            drop(guard);
            assert!(mutex.lock().expect("free").iter().all(|element| *element == one));

            let lock = RwLock::<[T]>::anonymous(length, |new| new.fill(one)).expect("a segment");
            let guard = lock.read().expect("free");
            assert_eq!((guard.as_ptr().addr(), guard.len()), (lock.segment().room().as_ptr().addr(), length));
            let begin = std::ptr::from_ref(&*lock).cast::<u8>().addr();
            assert_eq!((begin % 128, guard.as_ptr().addr() - begin), (0, size_of::<RwLockRoot>()));
            assert!(guard.iter().all(|element| *element == one));
        }
    }
    #[derive(Debug, Clone, Copy, PartialEq, Shareable)]
    #[repr(C, align(128))]
    struct Line(u8);
    #[derive(Debug, Clone, Copy, PartialEq, Shareable)]
    #[repr(C)]
    struct Three(u8, u8, u8);

    try_elements(1u8);
    try_elements(2u16);
    try_elements(3u32);
    try_elements(4.0f64);
    try_elements(5u128);
    try_elements(Three(1, 2, 3));
    try_elements(Line(9));
    try_elements([6u16; 5]);
}

/// The words may be anything: a call answers by its deadline, and what it gives has the length.
#[test]
fn any_words_before_the_data_give_an_error_or_the_slice() {
    let (mutex, lock) = (mutex(), rwlock());
    let word_at = |root: *const u8, byte: usize| {
        // SAFETY: a word of a root that lives, which may change behind a shared reference.
        unsafe { &*root.add(byte).cast::<AtomicU32>() }
    };
    let of_mutex = std::ptr::from_ref(&**mutex.segment()).cast();
    let of_lock = std::ptr::from_ref(&**lock.segment()).cast();
    let condvar = (0..size_of::<Condvar>()).step_by(4).map(|byte| word_at(of_mutex, byte));
    let words = (128..size_of::<MutexRoot>()).step_by(4).map(|byte| word_at(of_mutex, byte));
    let lines = (0..size_of::<RwLockRoot>()).step_by(128).map(|byte| word_at(of_lock, byte));
    let words: Vec<&AtomicU32> = condvar.chain(words).chain(lines).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as u32
    };
    for round in 0..300 {
        let word = match round % 4 {
            0 => next(),
            1 => u32::MAX,
            2 => 1 << (round / 4 % 32),
            _ => mutex.holder().map_or(3, |_| next() & 0xff),
        };
        words.iter().for_each(|place| place.store(word, SeqCst));
        let timeout = Duration::from_micros(200);
        if let Ok(mut guard) = mutex.try_lock_for(timeout).or_else(LockTimeoutError::into_guard) {
            assert_eq!(guard.len(), LENGTH);
            guard.fill(1);
            let (guard, _) = match mutex.condvar().wait_timeout(guard, timeout) {
                Ok(waited) => waited,
                Err(error) => match error.into_guard() {
                    Ok(waited) => waited,
                    Err(_) => continue,
                },
            };
            drop(guard);
        }
        if let Ok(guard) = lock.try_read_for(timeout).or_else(LockTimeoutError::into_guard) {
            assert_eq!(guard.len(), LENGTH);
        }
        if let Ok(mut guard) = lock.try_write_for(timeout).or_else(LockTimeoutError::into_guard) {
            guard.fill(2);
        }
        mutex.condvar().notify_all();
        let _any = (format!("{mutex:?}"), format!("{lock:?}"), mutex.holder(), lock.writer());
    }
}

/// Elements with an inside of their own may be changed by readers.
#[test]
fn readers_count_in_atomics_of_a_slice() {
    let counts = RwLock::<[AtomicU64]>::anonymous(64, |_zeros| {}).expect("a segment");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for at in 0..6_400 {
                    counts.read().expect("free")[at % 64].fetch_add(1, SeqCst);
                }
            });
        }
    });
    assert!(counts.write().expect("free").iter_mut().all(|count| *count.get_mut() == 400));
}
