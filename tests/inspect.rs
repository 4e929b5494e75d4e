//! `inspect` shows what a segment contains, without knowing its type.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{Event, Fingerprint, LocationError, Mutex, OpenError, RwLock, Segment, Shareable, inspect, inspect_fd};
use proptest::prelude::*;
use rustix::fs::{CWD, Mode};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The offset in the header of the names of the two types.
const NAMES: u64 = 160;

#[derive(Shareable)]
#[repr(C)]
struct Board {
    limits: RwLock<[u64; 2]>,
}

fn board() -> outlive::SegmentOptions<Board, Mutex<u64>> {
    Segment::<Board>::options().room::<Mutex<u64>>(9).participants(5)
}

/// Everything that an inspection could have changed.
fn state(path: &Path) -> (Vec<u8>, SystemTime, u64) {
    let about = std::fs::metadata(path).expect("there");
    (std::fs::read(path).expect("readable"), about.modified().expect("known"), about.blocks())
}

#[test]
fn inspect_shows_what_a_segment_contains_without_its_type() {
    let directory = directory();
    let path = directory.path().join("segment");
    let begin = SystemTime::now();
    let segment = board().mode(0o640).create(&path, |_, _| {}).expect("made");
    let id = segment.attach().expect("in");
    let before = state(&path);
    let found = inspect(&path).expect("a segment");
    assert_eq!(state(&path), before, "the file was written to");

    let (root, room) = (&found.root, &found.room);
    assert_eq!((root.name.as_str(), root.fingerprint), ("Board", Fingerprint::of::<Board>()));
    assert_eq!((root.size, root.has_interior_mutability), (size_of::<Board>() as u64, true));
    assert_eq!((room.name.as_str(), room.fingerprint), ("outlive::Mutex", Fingerprint::of::<Mutex<u64>>()));
    assert_eq!((room.size, found.room_length, found.max_participants), (16, 9, 5));
    assert_eq!((found.length, found.mode), (before.0.len() as u64, 0o640));
    assert_eq!(found.owner, std::fs::metadata(&path).expect("there").uid());
    assert!(found.is_in_use);
    assert_eq!(found.created, std::fs::metadata(&path).expect("there").created().ok(), "as the file system tells");
    let slack = Duration::from_secs(1); // the file system's clock ticks less often than ours
    let is_now = |at: SystemTime| begin - slack <= at && at <= SystemTime::now() + slack;
    assert!(found.created.is_none_or(is_now), "{:?}", found.created);
    match found.participants.as_slice() {
        [one] => assert_eq!((one.id, one.process_id, one.is_alive), (id, std::process::id(), true)),
        others => panic!("{others:?}"),
    }
}

#[test]
fn inspect_recognises_plain_data_and_segments_without_room() {
    let segment = Segment::<[u64; 4]>::anonymous(|_| {}).expect("made");
    // SAFETY: the descriptor is only read from.
    let found = inspect_fd(unsafe { segment.borrow_fd() }.expect("there")).expect("a segment");
    assert_eq!((found.root.name.as_str(), found.root.size, found.root.has_interior_mutability), ("array", 32, false));
    assert_eq!((found.room.size, found.room_length), (0, 0));
    assert!(found.is_in_use, "though this is the very open file that is mapped");
    assert!(found.participants.is_empty());
}

#[test]
fn read_permission_is_enough_to_inspect_a_segment() {
    let directory = directory();
    let path = made(&directory);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).expect("set");
    let found = in_a_child(|| {
        if rustix::process::geteuid().is_root() {
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).expect("set");
            // SAFETY: only this child is concerned.
            assert_eq!(unsafe { libc::setuid(12_345) }, 0);
        }
        let refused = matches!(Counter::open(&path), Err(OpenError::Owner { .. } | OpenError::Io(_)));
        let found = inspect(&path).expect("readable");
        let file = std::fs::File::open(&path).expect("readable");
        i32::from(!refused || inspect_fd(&file).expect("readable") != found || found.mode != 0o444)
    });
    assert_eq!(found, 0);
}

#[test]
fn in_a_segment_that_nobody_has_mapped_nobody_takes_part() {
    let directory = directory();
    let path = made(&directory);
    let segment = Counter::open(&path).expect("made");
    segment.attach().expect("in");
    let copy = directory.path().join("copy");
    std::fs::copy(&path, &copy).expect("copied");
    assert_eq!(inspect(&path).expect("a segment").participants.len(), 1);
    let found = inspect(&copy).expect("a segment");
    assert!(!found.is_in_use && found.participants.is_empty(), "{found:?}");
}

#[test]
fn killed_participants_are_no_longer_listed() {
    let directory = directory();
    let path = made(&directory);
    let segment = Counter::open(&path).expect("made");
    segment.attach().expect("in");
    let child = fork(|| {
        segment.attach().expect("in");
        // SAFETY: ends this child, and nothing else.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        1
    });
    assert_eq!(wait(child), -libc::SIGKILL);
    match inspect(&path).expect("a segment").participants.as_slice() {
        [one] => assert_eq!(one.process_id, std::process::id()),
        others => panic!("{others:?}"),
    }
}

#[test]
fn each_kind_of_damaged_segment_gets_its_own_error() {
    let directory = directory();
    let path = made(&directory);
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
    let good = std::fs::read(&path).expect("readable");
    let patched = |at: usize, error: &dyn Fn(&OpenError) -> bool| {
        file.write_all_at(&[good[at] ^ 0x55], at as u64).expect("written");
        let found = inspect(&path).expect_err("damaged");
        assert!(error(&found), "byte {at}: {found:?}");
        file.write_all_at(&good[at..=at], at as u64).expect("restored");
    };
    patched(0, &|e| matches!(e, OpenError::NotASegment));
    patched(8, &|e| matches!(e, OpenError::Version { .. }));
    patched(12, &|e| matches!(e, OpenError::WordSize { .. }));
    for at in 16..120 {
        patched(at, &|e| matches!(e, OpenError::Size { expected: None, .. }));
    }
    assert!(inspect(&path).is_ok(), "as it was");
    for wrong in [good.len() - 1, good.len() + 1, good.len() * 2, 4_096, 256, 128] {
        file.set_len(wrong as u64).expect("resized");
        assert!(matches!(inspect(&path), Err(OpenError::Size { .. })), "{wrong} bytes");
    }
    for wrong in [0, 1, 127] {
        file.set_len(wrong).expect("resized");
        assert!(matches!(inspect(&path), Err(OpenError::NotASegment)), "{wrong} bytes");
    }
    assert!(matches!(inspect(directory.path().join("nothing")), Err(OpenError::NotFound(_))));
    assert!(matches!(inspect(""), Err(OpenError::Location(LocationError::InvalidName(_)))));
}

#[test]
fn a_path_that_is_no_regular_file_is_not_touched() {
    let directory = directory();
    let path = made(&directory);
    assert!(matches!(inspect(directory.path()), Err(OpenError::NotASegment)));
    let fifo = directory.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("made");
    assert!(matches!(inspect(&fifo), Err(OpenError::NotASegment)), "and nobody waits for a writer");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("made");
    assert!(matches!(inspect(&link), Err(OpenError::NotASegment)));
    let (reader, _writer) = std::io::pipe().expect("made");
    assert!(matches!(inspect_fd(&reader), Err(OpenError::NotASegment)));
    let opened = std::fs::File::open(directory.path()).expect("readable");
    assert!(matches!(inspect_fd(opened.as_fd()), Err(OpenError::NotASegment)));
}

fn with_names(directory: &tempfile::TempDir, names: &[u8]) -> PathBuf {
    let path = made(directory);
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
    file.write_all_at(names, NAMES).expect("written");
    path
}

#[test]
fn a_forged_name_cannot_steer_a_terminal() {
    let directory = directory();
    let path = with_names(&directory, b"\x1b[2J\xff\n\0behind");
    let name = inspect(&path).expect("a segment").root.name;
    assert_eq!(name, "\u{fffd}[2J\u{fffd}\u{fffd}");
    assert!(Counter::open(&path).is_ok(), "no type is judged by its name");
}

#[test]
fn a_name_that_is_too_long_loses_its_end() {
    #[derive(Shareable)]
    #[repr(C)]
    struct FortySevenBytesAndThenOneThatTakesTwoOfThemItIsßy {
        event: Event,
    }
    let segment = Segment::<FortySevenBytesAndThenOneThatTakesTwoOfThemItIsßy>::anonymous(|_| {}).expect("made");
    // SAFETY: the descriptor is only read from.
    let found = inspect_fd(unsafe { segment.borrow_fd() }.expect("there")).expect("a segment");
    assert_eq!(found.root.name, "FortySevenBytesAndThenOneThatTakesTwoOfThemItIs");
    assert!(segment.event.set().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..9_000)) {
        let directory = directory();
        let path = directory.path().join("random");
        std::fs::write(&path, bytes).expect("written");
        prop_assert!(inspect(&path).is_err());
    }

    #[test]
    fn random_bytes_behind_a_good_header_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 1..5_000)) {
        let directory = directory();
        let path = made(&directory);
        let _in_use = Counter::open(&path).expect("a segment");
        let length = std::fs::metadata(&path).expect("there").len();
        let all: Vec<u8> = bytes.iter().copied().cycle().take((length - NAMES) as usize).collect();
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
        file.write_all_at(&all, NAMES).expect("written");
        prop_assert!(inspect(&path).expect("the header is good").is_in_use);
    }
}
