//! How lifelines share a thread's robust list with the C library's robust mutexes, and how many of
//! each fit.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{LockError, Mutex, RegisterError, Segment, TryLockError};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

type Number = Segment<Mutex<u64>>;

/// The entries of a thread: 2,048, minus two anchors and the reserve. A segment takes two. For a
/// main thread, a segment takes one.
const ENTRIES: usize = 2_000;
/// How many robust mutexes may be locked after the last registration.
const RESERVED: usize = 46;

/// The smallest possible segment: one page.
fn small(participants: usize) -> Number {
    outlive::test_switches::set_recheck(false);
    Number::options().participants(participants).anonymous(|_, _| {}).expect("a segment")
}

fn attach(segment: &Number) {
    segment.attach().expect("in");
}

/// Runs `body` in a forked child that may have so many descriptors.
fn with_descriptors(count: u64, body: impl FnOnce()) {
    let pid = fork(|| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a live local.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) }, 0);
        if limit.rlim_max < count {
            return 77;
        }
        limit.rlim_cur = limit.rlim_cur.max(count);
        // SAFETY: as above; of this child alone.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        body();
        0
    });
    match wait(pid) {
        77 => skipped("a process may not have enough descriptors here (ulimit -Hn)"),
        status => assert_eq!(status, 0),
    }
}

/// Joins one segment after the other until that is refused. Returns how many it joined, and how
/// many other entries were counted.
fn join_all(segments: &[Number]) -> (usize, usize) {
    for (joined, segment) in segments.iter().enumerate() {
        match segment.attach() {
            Ok(_) => {}
            Err(RegisterError::TooManySegments { segments, other_entries }) => {
                assert_eq!(segments, joined, "the error names the number");
                return (joined, other_entries);
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("never refused");
}

/// A fault that was there once: a thread could join more segments than the kernel follows at the
/// thread's end.
#[test]
fn one_segment_more_than_the_kernel_could_find_is_refused() {
    with_descriptors(3_000, || {
        let segments: Vec<_> = (0..=ENTRIES).map(|_| small(2)).collect();
        elsewhere(|| {
            assert_eq!(join_all(&segments), (ENTRIES / 2, 0));
            let next = &segments[ENTRIES / 2];
            assert!(matches!(next.lock(), Err(LockError::Register(RegisterError::TooManySegments { .. }))));
            let text = next.attach().expect_err("refused").to_string();
            for part in ["1000 segments", "2048", "detach", "another thread"] {
                assert!(text.contains(part), "{part} is not in: {text}");
            }
            assert!(next.participants().is_empty(), "the refused segment took no place");
            segments[7].detach().expect("nothing held");
            attach(next);
            assert!(matches!(
                segments[7].attach(),
                Err(RegisterError::TooManySegments { segments: 1_000, other_entries: 0 })
            ));
        });
        // This thread is its process's main one.
        assert_eq!(join_all(&segments), (ENTRIES, 0));
    });
}

#[test]
fn a_dropped_segment_makes_room_for_another() {
    with_descriptors(3_000, || {
        let mut segments: Vec<_> = (0..=ENTRIES).map(|_| small(1)).collect();
        assert_eq!(join_all(&segments), (ENTRIES, 0));
        segments.swap_remove(5);
        attach(&segments[5]); // the segment that was refused before
    });
}

#[test]
fn robust_mutexes_that_a_thread_holds_take_the_room_of_segments() {
    with_descriptors(3_000, || {
        let segments: Vec<_> = (0..=ENTRIES).map(|_| small(2)).collect();
        let (older, newer) = (Mutexes::new(10, |_| false), Mutexes::new(21, |_| false));
        let test = |each: usize| {
            older.lock_all();
            attach(&segments[0]); // between the mutexes in the list
            newer.lock_all();
            let joined = (ENTRIES - 31) / each;
            assert_eq!(join_all(&segments), (joined, 31));
            // Room for one more segment where there was none before, or only half the room.
            newer.unlock(3);
            attach(&segments[joined]);
            assert!(matches!(
                segments[joined + 1].attach(),
                Err(RegisterError::TooManySegments { other_entries: 30, .. })
            ));
            (0..10).for_each(|index| older.unlock(index));
            (0..21).filter(|index| *index != 3).for_each(|index| newer.unlock(index));
            assert_eq!(join_all(&segments), (ENTRIES / each, 0));
        };
        elsewhere(|| test(2));
        test(1);
    });
}

/// Kills a process whose thread holds the lock of as many segments as it may join, and as many
/// robust mutexes as the reserve allows. All these deaths must be reported.
fn all_deaths_are_reported(is_main: bool) {
    with_descriptors(3_000, || {
        let each = if is_main { 1 } else { 2 };
        let segments: Vec<_> = (0..ENTRIES / each).map(|_| small(3)).collect();
        let mutexes = Mutexes::new(RESERVED, |_| false);
        let ready = Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment");
        let hold_all = || {
            segments.iter().for_each(|segment| core::mem::forget(segment.lock().expect("free")));
            mutexes.lock_all();
            ready.store(1, SeqCst);
            loop {
                std::thread::park();
            }
        };
        let victim = fork(|| if is_main { hold_all() } else { elsewhere(hold_all) });
        until("the victim to hold all", || ready.load(SeqCst) == 1);
        let (oldest, newest) = (&segments[0], &segments[segments.len() - 1]);
        let sleep = |segment: &Number| matches!(segment.lock(), Err(LockError::OwnerDied(_)));
        std::thread::scope(|scope| {
            let sleepers = [oldest, newest].map(|segment| scope.spawn(move || sleep(segment)));
            for segment in [oldest, newest] {
                until("a sleeper", || segment.participants().iter().any(is_asleep));
            }
            // SAFETY: our own child.
            unsafe { libc::kill(victim, libc::SIGKILL) };
            assert_eq!(wait(victim), -libc::SIGKILL);
            for sleeper in sleepers {
                assert!(sleeper.join().expect("no panic"), "a sleeper got another answer");
            }
        });
        // The victim has ended completely, and nothing reaps its slot here. So only the kernel can
        // have reported the death.
        for (index, segment) in segments.iter().enumerate() {
            assert!(matches!(segment.try_lock(), Err(TryLockError::OwnerDied(_))), "no death in the segment {index}");
        }
        assert!((0..RESERVED).all(|index| mutexes.try_lock_finds_a_death(index)));
    });
}

#[test]
fn all_deaths_of_a_thread_in_as_many_segments_as_allowed_are_reported() {
    all_deaths_are_reported(false);
}

#[test]
fn all_deaths_of_a_main_thread_in_as_many_segments_as_allowed_are_reported() {
    all_deaths_are_reported(true);
}

/// The addresses in the calling thread's list, newest first, without the C library's marks; and the
/// address of the head.
fn walk() -> (Vec<u64>, u64) {
    let (mut head, mut length) = (0u64, 0usize);
    // SAFETY: both results are written to live locals.
    assert_eq!(unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &mut head, &mut length) }, 0);
    let mut found = Vec::new();
    let mut next = read(head);
    while next & !1 != head {
        found.push(next & !1);
        assert!(found.len() < 100, "a cycle");
        next = read(next & !1);
    }
    (found, head)
}

/// Reads a link in this process's memory.
fn read(address: u64) -> u64 {
    // SAFETY: the address is that of the list's head, or of an entry of the list. All of them are
    // this thread's, and no other thread writes there.
    unsafe { core::ptr::with_exposed_provenance::<u64>(address as usize).read_unaligned() }
}

const MANY: usize = 8;

/// The entries that a thread's list should have, newest first.
struct Expected {
    entries: Vec<u64>,
    anchors: Option<[u64; 2]>,
    is_main: bool,
}

impl Expected {
    fn lock(&mut self, mutex: u64) {
        self.entries.insert(0, mutex);
    }
    fn join(&mut self, segment: &Number) {
        let index = segment.attach().expect("in").index() as u64;
        let [first, last] = *self.anchors.get_or_insert_with(|| {
            // New, in front of all others, with the new lifelines between the anchors.
            let (found, _) = walk();
            let both = [found[0], found[if self.is_main { 2 } else { 3 }]];
            self.entries.splice(0..0, both);
            both
        });
        assert_ne!(first, last);
        let own = (core::ptr::from_ref::<Mutex<u64>>(segment) as u64 & !4095) + 512 + 128 * index + 8 + LINK;
        let at = 1 + self.entries.iter().position(|entry| *entry == first).expect("an anchor");
        let lifelines = [own + 40, own];
        self.entries.splice(at..at, lifelines[usize::from(self.is_main)..].iter().copied());
    }
    fn leave(&mut self, segment: &Number) {
        segment.detach().expect("nothing held");
        let page = core::ptr::from_ref::<Mutex<u64>>(segment) as u64 & !4095;
        self.entries.retain(|entry| entry & !4095 != page);
    }
    /// The C library and the kernel find exactly the expected entries.
    fn check(&self, mutexes: Mutexes) {
        let (found, head) = walk();
        assert_eq!(found, self.entries);
        let of_libc = |entry: u64| (0..MANY).any(|index| mutexes.address(index) == entry);
        for (index, entry) in found.iter().enumerate() {
            // The C library follows the previous links of its own nodes, and writes those of their
            // neighbours.
            let is_first_anchor = self.anchors.is_some_and(|[first, _]| first == *entry);
            if of_libc(*entry) || is_first_anchor {
                let newer = if index == 0 { head } else { found[index - 1] };
                assert_eq!(read(*entry - 8) & !1, newer, "the previous link of entry {index}");
            }
        }
    }
}

/// Joins and leaves, locks and unlocks at random. It checks the list after each step, and is killed
/// in the end.
fn at_random(seed: u64, is_main: bool) {
    let segments: Vec<_> = (0..MANY).map(|_| small(4)).collect();
    let mutexes = Mutexes::new(MANY, |index| index % 4 == 3);
    let held = Segment::<[AtomicU64; 2 * MANY]>::anonymous(|_| {}).expect("a segment");
    let body = || {
        let mut expected = Expected { entries: Vec::new(), anchors: None, is_main };
        let mut random = seed;
        for _ in 0..2_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let which = (random >> 20) as usize % (2 * MANY);
            let index = which / 2;
            let has = held[which].fetch_xor(1, SeqCst) == 1;
            match (which % 2, has) {
                (0, false) => {
                    mutexes.lock(index);
                    expected.lock(mutexes.address(index));
                }
                (0, true) => {
                    mutexes.unlock(index);
                    expected.entries.retain(|entry| *entry != mutexes.address(index));
                }
                (_, false) => expected.join(&segments[index]),
                (_, true) => expected.leave(&segments[index]),
            }
            expected.check(mutexes);
        }
        for (index, segment) in segments.iter().enumerate().filter(|(index, _)| held[2 * index + 1].load(SeqCst) == 1) {
            core::mem::forget(segment.lock().unwrap_or_else(|error| panic!("{index}: {error}")));
        }
        // SAFETY: ends this child.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    };
    let pid = fork(|| {
        if is_main {
            body()
        } else {
            elsewhere(body)
        }
        1
    });
    assert_eq!(wait(pid), -libc::SIGKILL, "seed {seed:x}");
    for index in 0..MANY {
        let [mutex, segment] = [0, 1].map(|which| held[2 * index + which].load(SeqCst) == 1);
        assert_eq!(mutexes.try_lock_finds_a_death(index), mutex, "mutex {index}, seed {seed:x}");
        let told = matches!(segments[index].try_lock(), Err(TryLockError::OwnerDied(_)));
        assert_eq!(told, segment, "segment {index}, seed {seed:x}");
    }
}

#[test]
fn lifelines_and_robust_mutexes_come_and_go_in_any_order() {
    for seed in [0x9e37_79b9_7f4a_7c15, 0xdead_beef_cafe_f00d, 0x0123_4567_89ab_cdef] {
        // Each in a thread of its own: with musl a forked child has the list of its parent's
        // thread.
        elsewhere(|| at_random(seed, true));
        elsewhere(|| at_random(seed, false));
    }
}

/// The kernel finds the entries of the list that was set last.
#[test]
fn a_thread_with_another_robust_list_is_found_through_that_list() {
    let (before, after) = (small(2), small(2));
    let body = || {
        attach(&before);
        let list: &mut [u64; 3] = Box::leak(Box::new([0, LINK.wrapping_neg(), 0]));
        list[0] = list.as_ptr() as u64;
        // SAFETY: an empty list of the right size, which stays. The thread uses no robust mutex.
        assert_eq!(unsafe { libc::syscall(libc::SYS_set_robust_list, list.as_ptr(), 24) }, 0);
        core::mem::forget(after.lock().expect("free"));
        before.detach().expect("nothing held");
        attach(&before);
        before.detach().expect("nothing held");
        // SAFETY: ends this child.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    };
    let pid = fork(|| {
        elsewhere(body);
        1
    });
    assert_eq!(wait(pid), -libc::SIGKILL);
    assert!(matches!(after.try_lock(), Err(TryLockError::OwnerDied(_))));
}

/// Memory behind a link: where the kernel reads the word of a node (with musl in the second half),
/// and the next link.
#[repr(C)]
struct Elsewhere {
    word: AtomicU64,
    unused: [u64; 3],
    next: AtomicU64,
}
static ELSEWHERE: Elsewhere = Elsewhere { word: AtomicU64::new(0), unused: [0; 3], next: AtomicU64::new(0) };

/// A fault that was there once: the kernel followed a link that a dead participant had written. It
/// changed a word of the process that belonged to no segment.
#[test]
fn a_link_written_by_the_dead_is_not_followed_when_a_thread_ends() {
    use std::os::unix::fs::FileExt;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let segment = Number::options().participants(1).create(&*path, |_, _| {}).expect("a segment");
    let thread = elsewhere(|| {
        attach(&segment);
        // SAFETY: no preconditions.
        let thread = unsafe { libc::gettid() } as u64;
        ELSEWHERE.word.store(thread << 32 | thread, SeqCst);
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("there");
        let link = ELSEWHERE.next.as_ptr() as u64;
        // In both lifelines of the first slot.
        for node in [512 + 8, 512 + 48] {
            file.write_all_at(&link.to_le_bytes(), node + LINK).expect("written");
        }
        thread
    });
    let has_ended = || !std::path::Path::new(&format!("/proc/self/task/{thread}")).exists();
    until("the thread to end", has_ended);
    assert_eq!(ELSEWHERE.word.load(SeqCst), thread << 32 | thread);
    assert_eq!(ELSEWHERE.unused, [0; 3]);
}
