//! Segments: made completely or not at all, checked before they are mapped, and not changed when
//! they are refused.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    DescriptorLostError, InheritError, LocationError, Lock, LockError, Mutex, OpenError, PassError, RegisterError,
    RemoveError, Segment, TryLockError,
};
use proptest::prelude::*;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Opening the segment must fail, and leave the file unchanged.
fn refused(path: &Path) -> OpenError {
    let before = std::fs::read(path).expect("readable");
    let error = Counter::open(path).expect_err("must be refused");
    assert_eq!(std::fs::read(path).expect("readable"), before, "changed, though refused: {error}");
    error
}

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let path = PathBuf::from(std::env::var("OUTLIVE_PATH").unwrap_or_default());
    match role.as_str() {
        "create, and be killed in the middle" => {
            let _never = Counter::create(&path, |_| {
                say("building");
                wait_for_the_word();
            });
        }
        "hold the file's" => {
            let segment = Counter::open(&path).expect("there");
            let _guard = segment.lock().expect("free");
            say("held");
            wait_for_the_word();
        }
        "open or create" => {
            let segment = Counter::open_or_create(&path, |m| *m.get_mut() = 1_000).expect("either");
            let mut count = segment.lock().expect("nobody dies");
            assert!(*count >= 1_000, "a half-made segment was seen");
            *count += 1;
        }
        "replace" => {
            say("ready");
            wait_for_the_word();
            let mine = Counter::options().replace_abandoned(true).create(&path, |m, _| *m.get_mut() = 0);
            let segment = match mine {
                Ok(segment) => segment,
                Err(OpenError::AlreadyExists(_)) => Counter::open(&path).expect("the other's"),
                Err(error) => panic!("{error}"),
            };
            *segment.lock().expect("nobody dies") += 1;
            say("done");
            // Stays open until the parent has checked.
            std::thread::park_timeout(PATIENCE);
        }
        "have more segments than descriptors" => {
            let few = libc::rlimit { rlim_cur: 32, rlim_max: 32 };
            // SAFETY: a valid limit, of a process that does nothing but this role.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) }, 0);
            let with_descriptors: Vec<_> = std::iter::from_fn(|| Counter::open(&path).ok()).take(100).collect();
            assert!(with_descriptors.len() < 32, "the limit is not kept");
            drop(with_descriptors);
            let segments: Vec<_> = (0..500).map(|number| without_descriptor(number, &path)).collect();
            segments.iter().for_each(|segment| *segment.lock().expect("free") += 1);
            say("have them");
            wait_for_the_word();
        }
        other => panic!("no such role: {other}"),
    }
}

/// Every second one is the segment at `path`, opened once more.
fn without_descriptor(number: usize, path: &Path) -> Counter {
    let made = if number % 2 == 0 { Counter::open(path) } else { Counter::anonymous(|_| {}) };
    let mut segment = made.expect("one descriptor, for a moment");
    segment.close_descriptor().expect("on no overlay");
    segment.close_descriptor().expect("closed already");
    let refused = segment.pass_to(&mut std::process::Command::new("/bin/true"), "x");
    assert!(matches!(refused, Err(PassError::DescriptorLost(DescriptorLostError { number: None, .. }))), "{refused:?}");
    assert_eq!(segment.has_name(path).expect("can be inspected"), number % 2 == 0);
    segment
}

/// The environment of the next children. Tests that use it run one after the other.
static PATH: std::sync::Mutex<()> = std::sync::Mutex::new(());
fn with_path<R>(path: &Path, test: impl FnOnce() -> R) -> R {
    let _one_at_a_time = PATH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: no other thread of this test binary reads or writes the environment, except under
    // this lock, or through `std`.
    unsafe { std::env::set_var("OUTLIVE_PATH", path) };
    test()
}

#[test]
fn a_named_segment_is_made_once_opened_and_removed() {
    let name = format!("outlive-test-named-{}", std::process::id());
    let made = Counter::create(&name, |m| *m.get_mut() = 7).expect("made");
    assert!(matches!(Counter::create(&name, |_| panic!("overwrites")), Err(OpenError::AlreadyExists(_))));
    let opened = Counter::open(&name).expect("there");
    *opened.lock().expect("free") += 1;
    assert_eq!(*made.lock().expect("free"), 8);
    Counter::remove(&name).expect("there");
    assert!(matches!(Counter::remove(&name), Err(RemoveError::NotFound(_))));
    assert!(matches!(Counter::open(&name), Err(OpenError::NotFound(_))));
}

#[test]
fn names_and_sizes_that_cannot_be_are_refused() {
    let long = "x".repeat(201);
    for name in ["", ".", ".hidden", "a/b", "nul\0", &long] {
        assert!(matches!(Counter::open(name), Err(OpenError::Location(LocationError::InvalidName(_)))), "{name:?}");
    }
    for (participants, room) in [(0, 1), (4_097, 1), (1, usize::MAX), (1, usize::MAX / 8)] {
        let options = Counter::options().participants(participants).room::<u64>(room);
        assert!(matches!(options.anonymous(|_, _| {}), Err(OpenError::InvalidSize(_))));
    }
}

#[test]
fn each_fault_of_a_header_has_its_own_error() {
    let directory = directory();
    let path = made(&directory);
    let good = std::fs::read(&path).expect("readable");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
    let patched = |at: usize, error: &dyn Fn(&OpenError) -> bool| {
        file.write_all_at(&[good[at] ^ 0x55], at as u64).expect("written");
        let found = refused(&path);
        assert!(error(&found), "byte {at}: {found:?}");
        file.write_all_at(&good[at..=at], at as u64).expect("restored");
    };
    patched(0, &|e| matches!(e, OpenError::NotASegment));
    patched(8, &|e| matches!(e, OpenError::Version { .. }));
    patched(12, &|e| matches!(e, OpenError::WordSize { .. }));
    patched(16, &|e| matches!(e, OpenError::Type { .. }));
    patched(47, &|e| matches!(e, OpenError::Type { .. }));
    patched(48, &|e| matches!(e, OpenError::Type { .. }));
    patched(56, &|e| matches!(e, OpenError::RoomType { .. }));
    patched(87, &|e| matches!(e, OpenError::RoomType { .. }));
    patched(88, &|e| matches!(e, OpenError::RoomType { .. }));
    patched(108, &|e| matches!(e, OpenError::Type { .. }));
    for at in [96, 103, 104, 107] {
        patched(at, &|e| matches!(e, OpenError::Size { .. }));
    }
    assert_eq!(*Counter::open(&path).expect("as it was").lock().expect("free"), 7);
}

#[test]
fn other_types_are_refused() {
    let directory = directory();
    let path = made(&directory);
    assert!(matches!(Segment::<Mutex<i64>>::open(&path), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<Lock>::open(&path), Err(OpenError::Type { .. })));
    assert!(matches!(Counter::options().room::<u32>(0).open(&path), Err(OpenError::RoomType { .. })));
}

#[test]
fn a_file_that_is_no_segment_is_refused() {
    let directory = directory();
    let path = made(&directory);
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
    let length = file.metadata().expect("there").len();
    for wrong in [length - 1, length + 1, length * 2, 4_096, 128] {
        file.set_len(wrong).expect("resized");
        assert!(matches!(refused(&path), OpenError::Size { .. }));
    }
    for wrong in [0, 1, 127] {
        file.set_len(wrong).expect("resized");
        assert!(matches!(refused(&path), OpenError::NotASegment));
    }
    assert!(matches!(Counter::open(directory.path()), Err(OpenError::NotASegment)));
    let fifo = directory.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).expect("made");
    assert!(matches!(Counter::open(&fifo), Err(OpenError::NotASegment)));
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("made");
    assert!(matches!(Counter::open(&link), Err(OpenError::NotASegment)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..9_000)) {
        let directory = directory();
        let path = directory.path().join("random");
        std::fs::write(&path, bytes).expect("written");
        refused(&path);
    }

    #[test]
    fn random_bytes_behind_a_good_header_give_an_answer(seed in any::<u64>(), dense in any::<bool>()) {
        let directory = directory();
        let path = made(&directory);
        let mut bytes = std::fs::read(&path).expect("readable");
        let mut random = seed | 1;
        for byte in &mut bytes[156..] {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if dense || random % 16 == 0 {
                *byte = (random >> 32) as u8;
            }
        }
        std::fs::OpenOptions::new().write(true).open(&path).expect("writable")
            .write_all_at(&bytes[156..], 156).expect("written");
        let segment = Counter::open(&path).expect("the header is good");
        let _participants = segment.participants();
        let _any_answer = segment.try_lock_for(Duration::from_millis(2)).map(drop);
    }
}

#[test]
fn another_users_segment_is_refused() {
    let directory = directory();
    let path = made(&directory);
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
        skipped("only root can give a file away");
        return;
    }
    assert!(matches!(Counter::open(&path), Err(OpenError::Owner { found: 12_345, .. })));
    assert!(Counter::options().owner(12_345).open(&path).is_ok());
}

#[test]
fn the_mode_is_as_asked_for() {
    let directory = directory();
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    assert_eq!(mode(&made(&directory)), 0o600);
    let other = directory.path().join("other");
    let _segment = Counter::options().mode(0o666).create(&other, |_, _| {}).expect("made");
    assert_eq!(mode(&other), 0o666, "whatever the umask");
}

#[test]
fn children_get_a_segment_only_if_it_is_passed() {
    let shared = segment();
    let count = |command: &mut std::process::Command| {
        let output = command.output().expect("runs").stdout;
        String::from_utf8_lossy(&output).matches("memfd:outlive").count()
    };
    let list = || {
        let mut command = std::process::Command::new("/bin/ls");
        command.args(["-l", "/proc/self/fd"]);
        command
    };
    assert_eq!(count(&mut list()), 0);
    let mut with = list();
    shared.pass_to(&mut with, "x").expect("passed");
    assert_eq!(count(&mut with), 1);
    assert!(matches!(Counter::inherit("never-passed"), Err(InheritError::NotPassed(_))));
}

#[test]
fn a_segment_needs_no_descriptor_and_is_in_use_without_one() {
    let directory = directory();
    let path = directory.path().join("segment");
    drop(Counter::create(&path, |_| {}).expect("made"));
    let mut other = with_path(&path, || Actor::start(&segment(), "have more segments than descriptors", true));
    assert_eq!(other.hear(), "have them");
    let refused = Counter::options().replace_abandoned(true).create(&path, |_, _| {}).expect_err("in use");
    assert!(matches!(refused, OpenError::AlreadyExists(_)), "{refused}");
    assert_eq!(*Counter::open(&path).expect("joined").lock().expect("free"), 250);
    assert!(other.ends_well());
}

#[test]
fn room_for_a_million_mutexes_does_not_go_over_the_stack() {
    let segment = Segment::<()>::options()
        .room::<Mutex<u64>>(1_000_000)
        .anonymous(|(), room| *room[999_999].get_mut() = 5)
        .expect("a segment");
    assert_eq!(segment.room().len(), 1_000_000);
    *segment.room()[999_999].lock().expect("free") += 1;
    assert_eq!(*segment.room()[999_999].lock().expect("free"), 6);
}

#[test]
fn a_panic_in_init_leaves_nothing_behind() {
    let directory = directory();
    let path = directory.path().join("segment");
    let panicked = std::panic::catch_unwind(|| {
        let _never = Counter::create(&path, |_| std::panic::resume_unwind(Box::new("on purpose")));
    });
    assert!(panicked.is_err());
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
}

#[test]
fn a_creator_killed_in_the_middle_blocks_nobody() {
    let directory = directory();
    let path = directory.path().join("segment");
    let mut creator = with_path(&path, || Actor::start(&segment(), "create, and be killed in the middle", true));
    assert_eq!(creator.hear(), "building");
    creator.kill();
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
    assert!(Counter::create(&path, |_| {}).is_ok());
}

#[test]
fn all_openers_and_creators_at_once_end_up_in_one_segment() {
    each_way(|waitv| {
        let directory = directory();
        let path = directory.path().join("segment");
        let shared = segment();
        let mut all: Vec<_> =
            with_path(&path, || (0..8).map(|_| Actor::start(&shared, "open or create", waitv)).collect());
        assert!(all.iter_mut().all(Actor::ends_well));
        assert_eq!(*Counter::open(&path).expect("there").lock().expect("free"), 1_008);
    });
}

#[test]
fn two_replacers_at_once_end_up_in_one_segment() {
    each_way(|waitv| {
        for _ in 0..5 {
            let directory = directory();
            let path = made(&directory);
            let shared = segment();
            let mut both: Vec<_> =
                with_path(&path, || (0..2).map(|_| Actor::start(&shared, "replace", waitv)).collect());
            for actor in &mut both {
                assert_eq!(actor.hear(), "ready");
            }
            both.iter_mut().for_each(Actor::go_on);
            for actor in &mut both {
                assert_eq!(actor.hear(), "done");
            }
            assert_eq!(*Counter::open(&path).expect("there").lock().expect("free"), 2, "two segments of one name");
        }
    });
}

#[test]
fn in_a_copy_all_holders_are_dead_and_in_the_original_they_live() {
    each_way(|waitv| {
        let directory = directory();
        let path = made(&directory);
        let mut holder = with_path(&path, || Actor::start(&segment(), "hold the file's", waitv));
        assert_eq!(holder.hear(), "held");
        let copy = directory.path().join("copy");
        std::fs::copy(&path, &copy).expect("copied");
        let copied = Counter::open(&copy).expect("a copy is a segment");
        assert!(matches!(copied.lock(), Err(LockError::OwnerDied(_))));
        let original = Counter::open(&path).expect("there");
        assert!(matches!(original.try_lock(), Err(TryLockError::WouldBlock)));
        assert!(holder.ends_well());
    });
}

#[test]
fn after_a_reboot_all_holders_are_dead() {
    let directory = directory();
    let path = made(&directory);
    let segment = Counter::open(&path).expect("there");
    core::mem::forget(segment.lock().expect("free"));
    // As after a reboot: the boot id is another, and the lifeline of the old holder says nothing
    // any more.
    let image = std::fs::read(&path).expect("readable");
    let later = directory.path().join("later");
    std::fs::write(&later, &image).expect("written");
    let file = std::fs::OpenOptions::new().write(true).open(&later).expect("writable");
    file.write_all_at(&[image[120] ^ 1], 120).expect("written");
    let reopened = Counter::open(&later).expect("there");
    assert!(matches!(reopened.try_lock(), Err(TryLockError::OwnerDied(_))));
    drop(reopened);
    let again = Counter::open(&later).expect("there");
    let Err(LockError::OwnerDied(left)) = again.lock() else { panic!("inconsistent until marked") };
    left.into_inner().mark_consistent();
    assert!(again.lock().is_ok());
    assert!(matches!(segment.lock(), Err(LockError::Deadlock)));
}

/// A fault that was there once: a participant was killed in the middle of its registration. After a
/// reboot, or in a copy, its ids mean nothing any more. It kept its slot forever.
#[test]
fn after_a_reboot_the_slots_of_half_registered_participants_are_free() {
    const CLAIMED: u64 = 1 << 62;
    const LIVE: u64 = 2 << 62;
    let directory = directory();
    let path = directory.path().join("segment");
    let options = Counter::options().participants(2);
    drop(options.create(&path, |_, _| {}).expect("made"));
    let full = Counter::open(&path).expect("there");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
    // Thread 1 always lives. The tag is that of no PID namespace of this boot.
    for (slot, state) in [(0, CLAIMED), (1, LIVE)] {
        file.write_all_at(&(state | 1 << 46 | 1).to_le_bytes(), 512 + 128 * slot).expect("written");
    }
    assert!(
        matches!(full.attach(), Err(RegisterError::Full { participants: 2 })),
        "the participants may still be registering"
    );
    drop(full);
    // Children that other tests are starting have the segment mapped until they execute their
    // program.
    until("nobody to have it mapped", || Counter::open(&path).expect("there").lock().is_ok());
}
