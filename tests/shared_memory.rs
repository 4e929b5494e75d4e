//! Blocks of bytes between real processes that are really killed.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::atomic::Ordering::{Acquire, Relaxed, Release};
use outlive::{OpenError, OutOfBoundsError, Queue, RangeError, RemoveError, Segment, SharedByte, SharedMemory};

const LENGTH: usize = 100_003;

/// In a child: the block that the parent passed.
fn inherited_block() -> SharedMemory {
    SharedMemory::options(1).expect("in range").inherit("test").expect("passed").try_into().expect("a block")
}

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let block = inherited_block();
    match role.as_str() {
        "answer" => {
            let mut question = [0; 9];
            block.read_at(3, &mut question).expect("within the block");
            question.reverse();
            block.write_at(LENGTH - 9, &question).expect("within the block");
        }
        "write on and on" => {
            block.fill(1);
            say("writing");
            for byte in [2, 1].into_iter().cycle() {
                block.write_at(5, &vec![byte; LENGTH - 10]).expect("within the block");
            }
        }
        "publish" => {
            let [ready, ..] = block.as_atomics() else { panic!("too short") };
            block.write_at(8, &[9; 100]).expect("within the block");
            ready.store(1, Release);
        }
        "increase odd bytes" => {
            for round in 0..=200u8 {
                (1..64).step_by(2).for_each(|at| block.write_at(at, &[round]).expect("within the block"));
            }
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn a_child_reads_what_its_parent_wrote_and_answers() {
    let block = SharedMemory::anonymous(LENGTH).expect("a block");
    block.write_at(3, b"abcdefghi").expect("within the block");
    assert!(Actor::start(block.segment(), "answer", true).ends_well());
    let mut answer = [0; 9];
    block.read_at(LENGTH - 9, &mut answer).expect("within the block");
    assert_eq!(&answer, b"ihgfedcba");
}

#[test]
fn a_killed_writer_leaves_whole_words_and_nothing_outside_of_its_range() {
    for _ in 0..10 {
        let block = SharedMemory::anonymous(LENGTH).expect("a block");
        let mut writer = Actor::start(block.segment(), "write on and on", true);
        assert_eq!(writer.hear(), "writing");
        let read_in_between = block.to_vec();
        writer.kill();
        for bytes in [read_in_between, block.to_vec()] {
            let (outside, inside) = ([&bytes[..5], &bytes[LENGTH - 5..]].concat(), &bytes[8..]);
            assert_eq!(outside, [1; 10]);
            let words = inside.chunks_exact(8).take(LENGTH / 8 - 2);
            words.for_each(|word| assert!(word == [1; 8] || word == [2; 8], "a part of a word: {word:?}"));
        }
        // Others go on.
        block.fill(3);
        assert_eq!(block.to_vec(), vec![3; LENGTH]);
    }
}

#[test]
fn whoever_finds_a_word_that_was_released_finds_the_bytes_before_it() {
    let block = SharedMemory::anonymous(200).expect("a block");
    let mut writer = Actor::start(block.segment(), "publish", true);
    until("the word", || block.as_atomics()[0].load(Acquire) == 1);
    let mut bytes = [0; 100];
    block.read_at(8, &mut bytes).expect("within the block");
    assert_eq!(bytes, [9; 100]);
    assert!(writer.ends_well());
}

/// Neighbouring bytes lie in one word. A writer of one of them does not undo the writes of others.
#[test]
fn two_processes_write_neighbouring_bytes_and_none_is_lost() {
    let block = SharedMemory::anonymous(64).expect("a block");
    let mut odd = Actor::start(block.segment(), "increase odd bytes", true);
    for round in 0..=100u8 {
        for at in (0..64).step_by(2) {
            block.write_at(at, &[round]).expect("within the block");
            let mut byte = [0];
            block.read_at(at, &mut byte).expect("within the block");
            assert_eq!(byte, [round]);
        }
    }
    assert!(odd.ends_well());
    assert_eq!(block.to_vec(), [100, 200].repeat(32));
}

#[test]
fn each_way_to_open_finds_the_length_that_the_block_was_made_with() {
    let name = Name::new("bytes-opened");
    let made = SharedMemory::create(&*name.0, 13).expect("new");
    assert!(matches!(SharedMemory::create(&*name.0, 13), Err(OpenError::AlreadyExists(_))));
    let by_name = SharedMemory::open(&*name.0).expect("there");
    let again = SharedMemory::open_or_create(&*name.0, 99).expect("there");
    // SAFETY: the descriptor is only used to map the segment.
    let descriptor = unsafe { made.segment().borrow_fd() }.expect("open");
    let segment = SharedMemory::options(1).expect("in range").from_fd(descriptor).expect("of this type");
    let by_descriptor = SharedMemory::try_from(segment).expect("a block");
    for (at, block) in [&made, &by_name, &again, &by_descriptor].into_iter().enumerate() {
        assert_eq!((block.len(), block.as_atomics().len()), (13, 1));
        block.write_at(9 + at, &[b'a' + at as u8]).expect("within the block");
    }
    assert_eq!(&*made.to_vec(), b"\0\0\0\0\0\0\0\0\0abcd");
    assert_eq!(format!("{made:?}"), "SharedMemory { len: 13, .. }");
    assert_eq!(again.into_segment().room().len(), 13);
    SharedMemory::remove(&*name.0).expect("there");
    assert!(matches!(SharedMemory::remove(&*name.0), Err(RemoveError::NotFound(_))));
    assert!(matches!(SharedMemory::open(&*name.0), Err(OpenError::NotFound(_))));
}

#[test]
fn a_file_keeps_the_bytes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bytes");
    SharedMemory::create(&*path, 3).expect("new").write_at(0, b"abc").expect("within the block");
    assert_eq!(SharedMemory::open(&*path).expect("there").to_vec(), b"abc");
}

#[test]
fn a_range_that_is_not_within_the_block_is_an_error_and_changes_nothing() {
    let block = SharedMemory::anonymous(20).expect("a block");
    block.fill(1);
    for (offset, length) in [(0, 21), (20, 1), (21, 0), (13, 8), (usize::MAX, 0), (usize::MAX, 1), (usize::MAX - 3, 8)]
    {
        let expected = format!("{length} bytes from offset {offset} were expected");
        let mut bytes = vec![7; length];
        for error in [block.read_at(offset, &mut bytes), block.write_at(offset, &vec![7; length])] {
            let error = error.expect_err("outside");
            assert!(matches!(error, OutOfBoundsError { available: 20, .. }));
            assert_eq!((error.offset, error.length), (offset, length));
            assert!(error.to_string().starts_with(&expected) && error.to_string().contains("20 bytes;"), "{error}");
        }
        assert_eq!(bytes, vec![7; length]);
    }
    for (offset, length) in [(0, 0), (20, 0), (0, 20), (19, 1)] {
        assert_eq!(block.read_at(offset, &mut vec![0; length]), Ok(()));
        assert_eq!(block.write_at(offset, &vec![1; length]), Ok(()));
    }
    assert_eq!(block.to_vec(), [1; 20]);
}

#[test]
fn no_bytes_and_too_many_are_different_errors() {
    let name = Name::new("bytes-lengths");
    let make = |length| {
        let all = [
            SharedMemory::create(&*name.0, length),
            SharedMemory::open_or_create(&*name.0, length),
            SharedMemory::anonymous(length),
        ];
        all.map(|made| made.expect_err("refused"))
    };
    for error in make(0) {
        assert!(matches!(error, OpenError::InvalidSize(_)) && error.to_string().contains("but is 0"), "{error}");
    }
    assert!(matches!(SharedMemory::options(0), Err(RangeError { found: 0, minimum: 1, .. })));
    for length in [usize::MAX, isize::MAX as usize] {
        for error in make(length) {
            let text = error.to_string();
            assert!(matches!(error, OpenError::InvalidSize(_)) && text.contains("address space"), "{text}");
        }
    }
    let empty = Segment::<()>::options().room::<SharedByte>(0).anonymous(|(), _| {}).expect("a segment");
    assert!(matches!(SharedMemory::try_from(empty), Err(OpenError::InvalidSize(_))));
}

#[test]
fn another_type_a_file_that_is_cut_off_and_any_bytes_are_different_errors() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bytes");
    drop(SharedMemory::create(&*path, 10_000).expect("new"));
    let plain = Segment::<()>::options().room::<u8>(1).open(&*path);
    assert!(matches!(plain, Err(OpenError::RoomType { .. })));
    assert!(matches!(Queue::<u8>::open(&*path), Err(OpenError::Type { .. })));
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("there");
    file.set_len(file.metadata().expect("there").len() - 4096).expect("truncated");
    assert!(matches!(SharedMemory::open(&*path), Err(OpenError::Size { expected: Some(_), .. })));

    let other = directory.path().join("queue");
    drop(Queue::<u8>::create(&*other, 4).expect("new"));
    assert!(matches!(SharedMemory::open(&*other), Err(OpenError::Type { .. })));
    let other = directory.path().join("atomics");
    drop(Segment::<()>::options().room::<outlive::atomic::AtomicU8>(9).create(&*other, |(), _| {}).expect("new"));
    assert!(matches!(SharedMemory::open(&*other), Err(OpenError::RoomType { .. })));
    let other = directory.path().join("text");
    std::fs::write(&other, [b'x'; 8192]).expect("written");
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    assert!(matches!(SharedMemory::open(&*other), Err(OpenError::NotASegment)));
    assert!(matches!(SharedMemory::open_or_create(&*other, 9), Err(OpenError::NotASegment)));
}

/// The last words of a block whose length is no multiple of a word or a page.
#[test]
fn blocks_of_every_length_around_a_page_are_used_to_their_ends() {
    for length in (1..20).chain(4090..4100).chain([1 << 20]) {
        let block = SharedMemory::anonymous(length).expect("a block");
        assert_eq!(block.as_ptr().addr() % 128, 0);
        block.fill(5);
        block.write_at(length - 1, &[6]).expect("within the block");
        let bytes = block.to_vec();
        assert_eq!(bytes.len(), length);
        assert!(bytes[..length - 1].iter().all(|byte| *byte == 5) && bytes[length - 1] == 6);
        assert!(block.as_atomics().iter().all(|word| word.load(Relaxed) != 0));
        assert_eq!(block.as_atomics().len(), length / 8);
    }
}

#[test]
#[cfg(feature = "bytemuck")]
fn plain_data_of_bytemuck_is_read_and_written_at_any_offset_within_the_block() {
    let block = SharedMemory::anonymous(24).expect("a block");
    for offset in 0..=16 {
        block.write_pod(offset, &[1.5f32, -2.5]).expect("within the block");
        assert_eq!(block.read_pod::<[f32; 2]>(offset), Ok([1.5, -2.5]));
    }
    let expected = block.read_pod::<u64>(17).expect_err("outside");
    assert_eq!((expected.offset, expected.length, expected.available), (17, 8, 24));
    assert!(block.write_pod(17, &1u64).is_err());
    assert!(block.read_pod::<[u8; 25]>(0).is_err());
    assert_eq!(block.read_pod::<[u8; 0]>(24), Ok([]));
}

#[test]
#[cfg(feature = "zerocopy")]
fn plain_data_of_zerocopy_is_read_and_written_at_any_offset_within_the_block() {
    use zerocopy::big_endian::U32;
    let block = SharedMemory::anonymous(8).expect("a block");
    for offset in 0..=4 {
        block.write_plain(offset, &U32::new(0x0102_0304)).expect("within the block");
        assert_eq!(block.read_plain::<U32>(offset).map(U32::get), Ok(0x0102_0304));
        assert_eq!(block.to_vec()[offset..offset + 4], [1, 2, 3, 4]);
    }
    assert!(block.write_plain(5, &U32::new(1)).is_err() && block.read_plain::<U32>(5).is_err());
}
