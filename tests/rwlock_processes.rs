//! The read-write lock between real processes that are really killed. Rechecks are off wherever the
//! contract is exact, so that no test passes because of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    Fingerprint, LockError, LockErrorKind, LockTimeoutError, ParticipantId, RegisterError, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Segment, Shareable, TryLockError,
};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Board {
    /// Two numbers that are equal unless a holder died between the two updates.
    pair: RwLock<[u64; 2]>,
    /// A lock with one reader word, so that two readers are too many.
    narrow: RwLock<u64, 1>,
    /// A lock where every second participant has the same home.
    two: RwLock<u64, 2>,
    /// Updates and reads that children report as done.
    updates: AtomicU64,
    looks: AtomicU64,
}

fn board() -> Segment<Board> {
    segment_of(|_zero| {})
}

fn answer<G>(result: Result<G, impl Into<LockErrorKind>>) -> String {
    match result.map_err(Into::into) {
        Ok(_) => "ok".to_owned(),
        Err(LockErrorKind::OwnerDied { by }) => format!("died {}", by.expect("known")),
        Err(other) => other.to_string(),
    }
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let board: Segment<Board> = inherited_of();
    match role.as_str() {
        "read and hold" => {
            let _guard = board.pair.read().expect("no writer");
            say("reads");
            wait_for_the_word();
        }
        "write and hold" => {
            let mut guard = board.pair.write().expect("free");
            guard[0] += 1;
            say("writes");
            wait_for_the_word();
        }
        "downgrade and hold" => {
            let _guard = RwLockWriteGuard::downgrade(board.pair.write().expect("free"));
            say("reads");
            wait_for_the_word();
        }
        "read once" => say(&answer(board.pair.read())),
        "write once" => say(&answer(board.pair.write())),
        "read narrow and hold" => {
            let _guard = board.narrow.read().expect("no writer");
            say("reads");
            wait_for_the_word();
        }
        "read forever" => loop {
            let _guard = look(&board);
            board.looks.fetch_add(1, SeqCst);
            // Longer than the way back to the next read. So with a second reader there is always a
            // reader inside.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_micros(20) {
                std::hint::spin_loop();
            }
        },
        "update and read forever" => loop {
            update(&board);
            board.updates.fetch_add(1, SeqCst);
            for _ in 0..3 {
                drop(look(&board));
            }
        },
        other => panic!("no such role: {other}"),
    }
}

/// Reads, and checks the outcome.
fn look(board: &Board) -> RwLockReadGuard<'_, [u64; 2]> {
    match board.pair.read() {
        Ok(pair) => {
            assert_eq!(pair[0], pair[1], "half an update that was not reported");
            pair
        }
        Err(error) => error.into_guard().expect("the lock, if not the data"),
    }
}

fn write_and_repair(board: &Board) -> RwLockWriteGuard<'_, [u64; 2]> {
    match board.pair.write() {
        Ok(pair) => {
            assert_eq!(pair[0], pair[1], "half an update that was not reported");
            pair
        }
        Err(error) => {
            let mut pair = error.into_guard().expect("the lock, if not the data");
            pair[1] = pair[0];
            pair.mark_consistent();
            pair
        }
    }
}

fn update(board: &Board) {
    let mut pair = write_and_repair(board);
    pair[0] += 1;
    std::hint::spin_loop();
    pair[1] += 1;
}

#[test]
fn readers_and_writers_learn_of_a_killed_writer_until_one_vouches() {
    each_way(|waitv| {
        let board = board();
        let mut writer = Actor::start(&board, "write and hold", waitv);
        assert_eq!(writer.hear(), "writes");
        let dead = entry(&board, writer.id()).expect("takes part").id;
        let mut others = ["read once", "write once", "read once"].map(|role| Actor::start(&board, role, waitv));
        others.iter().for_each(|other| until_asleep(&board, other.id()));
        writer.kill();
        for other in &mut others {
            assert_eq!(other.hear(), format!("died {dead}"));
            assert!(other.ends_well());
        }
        assert_eq!(answer(board.pair.try_read()), format!("died {dead}"));
        assert!(board.pair.is_inconsistent());
        drop(write_and_repair(&board));
        assert_eq!(answer(board.pair.read()), "ok");
        assert_eq!(*look(&board), [1, 1]);
    });
}

#[test]
fn a_killed_reader_neither_blocks_the_writer_nor_causes_an_error() {
    each_way(|waitv| {
        for role in ["read and hold", "downgrade and hold"] {
            let board = board();
            let mut readers = [(); 3].map(|()| Actor::start(&board, "read and hold", waitv));
            readers.iter_mut().for_each(|reader| assert_eq!(reader.hear(), "reads"));
            readers[1..].iter_mut().for_each(Actor::kill);
            assert!(readers[0].ends_well());
            let mut reader = Actor::start(&board, role, waitv);
            assert_eq!(reader.hear(), "reads");
            let mut writer = Actor::start(&board, "write once", waitv);
            until_asleep(&board, writer.id());
            reader.kill();
            assert_eq!(writer.hear(), "ok");
            assert!(writer.ends_well());
            assert_eq!(answer(board.pair.try_write()), "ok");
        }
    });
}

#[test]
fn a_writer_killed_while_it_waits_neither_blocks_readers_nor_causes_an_error() {
    each_way(|waitv| {
        for role in ["read once", "write once"] {
            let board = board();
            let guard = board.pair.read().expect("free");
            let mut writer = Actor::start(&board, "write once", waitv);
            until_asleep(&board, writer.id());
            let mut other = Actor::start(&board, role, waitv);
            until_asleep(&board, other.id());
            writer.kill();
            // A reader goes on at once. A second writer has to wait for us now.
            if role == "read once" {
                assert_eq!(other.hear(), "ok");
                drop(guard);
            } else {
                drop(guard);
                assert_eq!(other.hear(), "ok");
            }
            assert!(other.ends_well());
        }
    });
}

#[test]
fn killed_waiters_disturb_nobody() {
    each_way(|waitv| {
        let board = board();
        let guard = board.pair.write().expect("free");
        let mut victims = ["read once", "write once", "read once"].map(|role| Actor::start(&board, role, waitv));
        let mut survivors = ["read once", "write once"].map(|role| Actor::start(&board, role, waitv));
        victims.iter().chain(&survivors).for_each(|waiter| until_asleep(&board, waiter.id()));
        victims.iter_mut().for_each(Actor::kill);
        drop(guard);
        for survivor in &mut survivors {
            assert_eq!(survivor.hear(), "ok");
            assert!(survivor.ends_well());
        }
    });
}

#[test]
fn the_word_of_a_dead_reader_is_reused() {
    let board = board();
    let mut reader = Actor::start(&board, "read narrow and hold", true);
    assert_eq!(reader.hear(), "reads");
    assert!(matches!(board.narrow.try_read(), Err(TryLockError::WouldBlock)), "there is one word");
    reader.kill();
    assert_eq!(answer(board.narrow.try_read_for(PATIENCE)), "ok");
}

#[test]
fn forty_kills_at_random_moments_and_the_counter_adds_up() {
    each_way(|waitv| {
        const KILLS: u64 = 40;
        let board = board();
        kill_at_random(&board, &["update and read forever"; 3], waitv, (KILLS, 200), &board.updates);
        let updates = write_and_repair(&board)[0];
        let reported = board.updates.load(SeqCst);
        // Each victim may have died between its update and its report.
        assert!(reported <= updates && updates <= reported + KILLS + 3, "{updates} updates, {reported} reported");
    });
}

#[test]
fn writers_do_not_starve() {
    let board = board();
    let mut readers: Vec<_> = (0..3).map(|_| Actor::start(&board, "read forever", true)).collect();
    until("the readers to be at it", || board.looks.load(SeqCst) > 100);
    for _ in 0..100 {
        assert!(board.pair.try_write_for(PATIENCE).is_ok());
    }
    readers.iter_mut().for_each(Actor::kill);
}

#[test]
fn readers_read_together() {
    let board = board();
    let _guard = board.pair.read().expect("free");
    std::thread::scope(|scope| {
        let together = scope.spawn(|| {
            assert!(matches!(board.pair.try_write(), Err(TryLockError::WouldBlock)));
            answer(board.pair.read())
        });
        assert_eq!(together.join().expect("no panic"), "ok");
    });
}

#[test]
fn readers_beyond_the_number_of_words_wait() {
    let board = board();
    let guard = board.narrow.read().expect("free");
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            assert!(matches!(board.narrow.try_read(), Err(TryLockError::WouldBlock)));
            assert!(matches!(board.narrow.try_read_for(Duration::from_millis(5)), Err(LockTimeoutError::TimedOut)));
        });
        refused.join().expect("refused");
        let second = scope.spawn(|| answer(board.narrow.read()));
        until("the second one to fall asleep", || board.participants().iter().any(is_asleep));
        drop(guard);
        assert_eq!(second.join().expect("no panic"), "ok");
    });
}

#[test]
fn nested_locks_are_errors_wherever_the_reader_word_is() {
    let board = board();
    let deadlocks = || {
        for _ in 0..3 {
            assert!(matches!(board.two.read(), Err(LockError::Deadlock)));
            assert!(matches!(board.two.try_read_for(Duration::MAX), Err(LockTimeoutError::Deadlock)));
            assert!(matches!(board.two.write(), Err(LockError::Deadlock)));
            assert!(matches!(board.two.try_read(), Err(TryLockError::WouldBlock)));
            assert!(matches!(board.two.try_write(), Err(TryLockError::WouldBlock)));
        }
    };
    // Three participants in a row: the first and the third have the same home.
    let ids: Vec<usize> = std::thread::scope(|scope| {
        let (say, hear) = mpsc::channel();
        let mut stop = vec![];
        let mut ids = vec![];
        for holds in [true, false, true] {
            let (end, ended) = mpsc::channel::<()>();
            let (board, say) = (&board, say.clone());
            scope.spawn(move || {
                let id = board.attach().expect("room");
                let guard = holds.then(|| board.two.read().expect("no writer"));
                if holds {
                    deadlocks();
                }
                say.send(id.index()).expect("heard");
                let _ended = ended.recv();
                if holds {
                    deadlocks();
                }
                drop(guard);
            });
            stop.push(end);
            ids.push(hear.recv().expect("said"));
        }
        ids
    });
    assert_eq!(ids[0] % 2, ids[2] % 2);
    let guard = board.two.write().expect("all have gone");
    deadlocks();
    drop(guard);
    assert_eq!(answer(board.two.read()), "ok");
}

/// The writer word of a lock, and its reader words.
fn words<const READERS: usize>(lock: &RwLock<u64, READERS>) -> (u32, [u32; READERS]) {
    let start = std::ptr::from_ref(lock).cast::<u8>();
    // SAFETY: the lock begins with so many words, each on 128 bytes of its own.
    let word = |number: usize| unsafe { (*start.add(128 * number).cast::<AtomicU32>()).load(SeqCst) };
    (word(0), std::array::from_fn(|reader| word(1 + reader)))
}

/// Calls the function in a thread with the same home as the caller's. Other threads come and go
/// until there is such a thread.
fn collide<const READERS: usize>(board: &Segment<Board>, own: usize, act: impl FnOnce(ParticipantId) + Send) {
    let mut act = Some(act);
    while let Some(ready) = act.take() {
        let act = &mut act;
        std::thread::scope(|scope| {
            scope.spawn(move || match board.attach().expect("room") {
                id if id.index() % READERS == own % READERS => ready(id),
                _another => *act = Some(ready),
            });
        });
    }
}

/// The trace of a read by the fast path alone: the reader's own word, and nothing else. A reader
/// that searches all words leaves a sign in the writer word.
#[test]
fn two_readers_that_collided_use_the_fast_path_from_then_on() {
    let board = board();
    let lock = &board.two;
    let own = board.attach().expect("room");
    let home = own.index() % 2;
    let other = home ^ 1;
    let expect = |reading: &[(usize, ParticipantId)]| {
        let mut readers = [0; 2];
        reading.iter().for_each(|(word, who)| readers[*word] = who.word());
        assert_eq!(words(lock), (0, readers));
    };
    std::thread::scope(|scope| {
        let (begin, to_begin) = mpsc::channel();
        let (end, to_end) = mpsc::channel();
        let (say, hear) = mpsc::channel();
        let board = &board;
        scope.spawn(move || {
            collide::<2>(board, own.index(), move |id| {
                while to_begin.recv().is_ok() {
                    let guard = board.two.read().expect("no writer");
                    assert!(matches!(board.two.read(), Err(LockError::Deadlock)));
                    say.send(id).expect("heard");
                    to_end.recv().expect("said");
                    drop(guard);
                    say.send(id).expect("heard");
                }
            });
        });
        for _ in 0..200 {
            let guard = lock.read().expect("no writer");
            expect(&[(home, own)]);
            begin.send(()).expect("heard");
            let colliding = hear.recv().expect("said");
            expect(&[(home, own), (other, colliding)]);
            assert!(matches!(lock.read(), Err(LockError::Deadlock)));
            drop(guard);
            expect(&[(other, colliding)]);
            end.send(()).expect("heard");
            hear.recv().expect("said");
            expect(&[]);
        }
    });
}

/// Otherwise a nested lock of the other lock would not be noticed.
#[test]
fn a_reader_that_also_reads_another_lock_stays_at_home() {
    let board = board();
    let own = board.attach().expect("room");
    let home = own.index() % 2;
    let guard = board.two.read().expect("no writer");
    collide::<2>(&board, own.index(), |id| {
        let elsewhere = board.pair.read().expect("no writer");
        let collided = board.two.read().expect("no writer");
        assert_ne!(words(&board.two).0, 0, "a sign that a reader is away from home");
        assert_eq!(words(&board.two).1[home ^ 1], id.word());
        assert!(matches!(board.pair.read(), Err(LockError::Deadlock)));
        assert!(matches!(board.two.read(), Err(LockError::Deadlock)));
        drop(collided);
        drop(elsewhere);
        drop(board.two.read().expect("no writer")); // nothing is held, so the reader moves
        drop(board.two.try_read_for(Duration::ZERO).expect("no writer"));
    });
    drop(guard);
    drop(board.two.write().expect("nobody reads"));
    // With nothing else held, another reader leaves no sign.
    let guard = board.two.read().expect("no writer");
    collide::<2>(&board, own.index(), |id| {
        drop(board.two.read().expect("no writer"));
        assert_eq!(words(&board.two), (0, std::array::from_fn(|word| if word == home { own.word() } else { 0 })));
        let moved = board.two.read().expect("no writer");
        assert_eq!(words(&board.two).1[home ^ 1], id.word());
        drop(moved);
    });
    drop(guard);
}

/// The reads of its parent do not count as reads of a forked child.
#[test]
fn a_forked_child_moves_although_its_parent_reads() {
    let board = board();
    let own = board.attach().expect("room").index();
    let guard = board.two.read().expect("no writer");
    let mut moved = false;
    for _ in 0..2 {
        let child = fork(|| {
            let id = board.attach().expect("room");
            drop(board.two.read().expect("no writer"));
            assert_eq!(words(&board.two).0, 0, "no sign of a reader away from home");
            i32::from(id.index() % 2 == own % 2)
        });
        moved |= wait(child) == 1;
    }
    assert!(moved, "one of two children in a row has the parent's home");
    drop(guard);
}

#[test]
fn a_downgrade_lets_readers_in_and_writers_not() {
    let board = board();
    let mut guard = board.pair.write().expect("free");
    *guard = [7, 7];
    let guard = RwLockWriteGuard::downgrade(guard);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert!(matches!(board.pair.try_write(), Err(TryLockError::WouldBlock)));
            *board.pair.read().expect("readers are let in")
        });
        assert_eq!(other.join().expect("no panic"), *guard);
    });
    assert!(matches!(board.pair.read(), Err(LockError::Deadlock)));
    drop(guard);
    assert_eq!(answer(board.pair.write()), "ok");
}

#[test]
fn a_panic_of_a_writer_is_reported_and_of_a_reader_not() {
    let board = board();
    panic_with(board.pair.read().expect("free"));
    assert_eq!(answer(board.pair.read()), "ok");
    panic_with(board.pair.write().expect("free"));
    for _ in 0..2 {
        assert!(matches!(board.pair.read(), Err(LockError::Poisoned(_))));
        assert!(matches!(board.pair.write(), Err(LockError::Poisoned(_))));
    }
    // A downgrade does not mark the data consistent.
    let Err(LockError::Poisoned(left)) = board.pair.write() else { panic!("sticks") };
    drop(RwLockWriteGuard::downgrade(left.into_inner()));
    let Err(LockError::Poisoned(left)) = board.pair.write() else { panic!("sticks") };
    left.into_inner().mark_consistent();
    assert_eq!(answer(board.pair.read()), "ok");
}

#[test]
fn a_writer_that_gives_up_leaves_all_as_it_was() {
    let board = board();
    drop(board.pair.write().map(|mut pair| pair[0] = 1));
    let guard = board.pair.read().expect("free");
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            assert!(matches!(board.pair.try_write_for(Duration::ZERO), Err(LockTimeoutError::TimedOut)));
            let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
            assert!(matches!(board.pair.try_write_until(past), Err(LockTimeoutError::TimedOut)));
            let begin = Instant::now();
            assert!(matches!(board.pair.try_write_for(Duration::from_millis(30)), Err(LockTimeoutError::TimedOut)));
            assert!(begin.elapsed() >= Duration::from_millis(30));
            answer(board.pair.try_read())
        });
        assert_eq!(refused.join().expect("all refused"), "ok");
        let patient = scope.spawn(|| answer(board.pair.try_write_for(Duration::MAX)));
        until("the waiter to fall asleep", || board.participants().iter().any(is_asleep));
        let late = scope.spawn(|| {
            assert!(matches!(board.pair.try_read_for(Duration::from_millis(5)), Err(LockTimeoutError::TimedOut)));
            assert!(matches!(board.pair.try_read_until(Instant::now()), Err(LockTimeoutError::TimedOut)));
            assert!(matches!(board.pair.try_read(), Err(TryLockError::WouldBlock)));
        });
        late.join().expect("a waiting writer keeps new readers out");
        drop(guard);
        assert_eq!(patient.join().expect("no panic"), "ok");
    });
}

#[test]
fn a_writer_that_gives_up_leaves_the_warning_of_a_death() {
    let board = board();
    let mut writer = Actor::start(&board, "write and hold", true);
    assert_eq!(writer.hear(), "writes");
    writer.kill();
    let Err(LockError::OwnerDied(guard)) = board.pair.read() else { panic!("told") };
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            assert!(matches!(board.pair.try_write(), Err(TryLockError::WouldBlock)));
            assert!(matches!(board.pair.try_write_for(Duration::from_millis(5)), Err(LockTimeoutError::TimedOut)));
        });
        refused.join().expect("refused");
    });
    let by = guard.by();
    drop(guard);
    let Err(LockError::OwnerDied(left)) = board.pair.write() else { panic!("the warning is lost") };
    assert_eq!(left.by(), by);
}

#[test]
fn a_forked_copy_of_a_guard_does_nothing() {
    let board = board();
    let reads = board.pair.read().expect("free");
    let writes = board.two.write().expect("free");
    // In the child, `two` is dropped, and `narrow` becomes a reader.
    let narrow = board.narrow.write().expect("free");
    let mut guards = Some((reads, writes, narrow));
    let pid = fork(|| {
        let (reads, writes, narrow) = guards.take().expect("copied");
        drop(reads);
        drop(writes);
        drop(RwLockWriteGuard::downgrade(narrow));
        let refused =
            [board.pair.try_write().is_err(), board.two.try_read().is_err(), board.narrow.try_read().is_err()];
        i32::from(refused != [true; 3])
    });
    assert_eq!(wait(pid), 0, "the parent's locks were given back by its child");
    assert!(matches!(board.pair.read(), Err(LockError::Deadlock)));
    assert!(matches!(board.two.read(), Err(LockError::Deadlock)));
    drop(guards);
    assert_eq!(answer(board.pair.write()), "ok");
    assert_eq!(answer(board.two.write()), "ok");
    assert_eq!(answer(board.narrow.write()), "ok");
}

#[test]
fn arbitrary_words_break_nothing() {
    let board = board();
    let lock = &board.two;
    let words = core::ptr::from_ref(lock).cast::<u32>();
    let mut random = 1u32;
    let mut next = || {
        random = random.wrapping_mul(0x9e37_79b9).wrapping_add(0x7f4a_7c15);
        random ^ random >> 15
    };
    for round in 0..3_000 {
        for line in 0..3 {
            let value = if round % 3 == line { next() } else { next() & (7 << 28 | 1 << 31) };
            // SAFETY: the lock begins with lines of 128 bytes. Each begins with a word, which is
            // only accessed atomically.
            unsafe { &*words.add(line * 32).cast::<std::sync::atomic::AtomicU32>() }.store(value, SeqCst);
        }
        for _ in 0..2 {
            let _any = lock.try_read().map(drop);
            let _answer = lock.try_write().map(drop);
            let _is = lock.try_write_for(Duration::from_micros(10)).map(RwLockWriteGuard::downgrade).map(drop);
            let _fine = lock.try_read_for(Duration::from_micros(10)).map(drop);
        }
    }
}

#[test]
fn outside_of_a_segment_there_is_an_error_and_in_it_a_layout() {
    let lock: RwLock<u64> = RwLock::new(1);
    assert!(matches!(lock.read(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert!(matches!(lock.write(), Err(LockError::Register(RegisterError::NotInSegment))));
    assert!(format!("{lock:?}").contains("<not in a segment>"));
    assert_eq!(size_of::<RwLock<u64>>(), 18 * 128);
    assert_eq!(align_of::<RwLock<u64, 1>>(), 128);
    assert_ne!(Fingerprint::of::<RwLock<u64, 1>>(), Fingerprint::of::<RwLock<u64, 2>>());
    assert_eq!(size_of::<RwLockReadGuard<'_, u64>>(), 2 * size_of::<usize>());
    let in_segment = Segment::<RwLock<u64>>::anonymous(|new| *new.get_mut() = 7).expect("a segment");
    assert_eq!(*in_segment.read().expect("free"), 7);
    assert!(format!("{:?}", *in_segment).contains("data: 7"));
    let _guard = in_segment.write().expect("free");
    assert!(format!("{:?}", *in_segment).contains("<locked>"));
}
