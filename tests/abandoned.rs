//! Abandoned segments. A replacement takes the name from no user, and a revival frees all slots.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::OpenError;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

#[test]
fn an_abandoned_segment_is_replaced_and_one_in_use_is_not() {
    let directory = directory();
    let path = made(&directory);
    let options = Counter::options().replace_abandoned(true);
    let in_use = Counter::open(&path).expect("there");
    assert!(matches!(options.create(&path, |_, _| {}), Err(OpenError::AlreadyExists(_))));
    drop(in_use);
    let before = std::fs::metadata(&path).expect("there").ino();
    let mut new = None;
    until("the segment to be considered abandoned", || {
        new = options.create(&path, |m, _| *m.get_mut() = 70).ok();
        new.is_some()
    });
    assert_ne!(std::fs::metadata(&path).expect("there").ino(), before);
    assert_eq!(*Counter::open(&path).expect("there").lock().expect("free"), 70);
    drop(new);
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 1, "nothing beside it");
}

#[test]
fn leftovers_of_killed_replacers_go_and_nothing_else_does() {
    let directory = directory();
    let path = made(&directory);
    let beside = |new: u64, old: u64| directory.path().join(format!(".outlive-{new:x}-{old:x}"));
    let other = directory.path().join("other");
    let inode_of_other = || {
        drop(Counter::create(&other, |_| {}).expect("made"));
        std::fs::metadata(&other).expect("there").ino()
    };
    let killed_early = beside(inode_of_other(), 7);
    std::fs::rename(&other, &killed_early).expect("renamed");
    let killed_late = beside(7, inode_of_other());
    std::fs::rename(&other, &killed_late).expect("renamed");
    // A segment in use, a file that only has the form of such a name, and what a user might call a
    // file.
    let in_use = beside(inode_of_other(), 8);
    std::fs::rename(&other, &in_use).expect("renamed");
    let _open = Counter::open(&in_use).expect("a segment");
    let users = [in_use, beside(1, 2), directory.path().join(".segment.new"), directory.path().join(".outlive-x-y")];
    for path in &users[1..] {
        std::fs::write(path, "mine").expect("written");
    }
    let options = Counter::options().replace_abandoned(true);
    until("the leftovers to go", || {
        options.create(&path, |_, _| {}).is_ok() && !killed_early.exists() && !killed_late.exists()
    });
    assert!(users.iter().all(|path| path.exists()), "somebody's file is gone");
}

/// A fault that was there once: a rename put the new segment in the place of whatever file had the
/// name by then.
#[test]
fn a_replacement_takes_the_name_of_no_segment_in_use() {
    let directory = directory();
    let path = made(&directory);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                match Counter::options().replace_abandoned(true).create(&path, |_, _| {}) {
                    Ok(_) | Err(OpenError::AlreadyExists(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let begin = std::time::Instant::now();
        let other = directory.path().join("other");
        let mine = Counter::create(&other, |m| *m.get_mut() = 77).expect("made");
        assert_eq!(*mine.lock().expect("free"), 77);
        let kept = (0..20_000).take_while(|_| begin.elapsed() < Duration::from_secs(2)).all(|_| {
            let _gone_before = Counter::remove(&path);
            if std::fs::hard_link(&other, &path).is_err() {
                return true; // the other replacer was quicker
            }
            // In use from here on. An opener must find this segment now, as nobody removes it.
            Counter::open(&path).is_ok_and(|found| *found.lock().expect("free") == 77)
        });
        stop.store(true, SeqCst);
        assert!(kept, "a segment in use has lost its name");
    });
}

/// "In use" means mapped by a process. The lifeline of an idle participant lies in the mapping.
#[test]
fn a_thread_that_idles_keeps_a_dropped_segment_in_use_until_it_ends() {
    let directory = directory();
    let path = made(&directory);
    let segment = std::sync::Arc::new(Counter::open(&path).expect("there"));
    let theirs = std::sync::Arc::clone(&segment);
    let (ready, told) = std::sync::mpsc::channel();
    let (end, go) = std::sync::mpsc::channel::<()>();
    let idle = std::thread::spawn(move || {
        drop(theirs.lock().expect("free"));
        drop(theirs);
        ready.send(()).expect("heard");
        let _end_of_test = go.recv();
    });
    told.recv().expect("ready");
    drop(segment);
    let options = Counter::options().replace_abandoned(true);
    assert!(matches!(options.create(&path, |_, _| {}), Err(OpenError::AlreadyExists(_))));
    drop(end);
    idle.join().expect("no panic");
    until("the segment to be considered abandoned", || options.create(&path, |_, _| {}).is_ok());
}

/// A fault that was there once: a slot that was being claimed when the copy was made stayed lost
/// forever.
#[test]
fn in_a_segment_that_nobody_has_mapped_all_slots_are_free() {
    let directory = directory();
    // SAFETY: no preconditions.
    let thread = unsafe { libc::gettid() } as u64;
    // Claimed by a living thread; the same with an odd tag; live, but not armed yet; a state that
    // does not exist.
    let claims = [1 << 62 | 3 << 46 | thread, 1 << 62 | 0xfff << 22 | thread, 2 << 62 | 9 << 46 | thread, 3 << 62 | 1];
    for claim in claims {
        let path = directory.path().join(format!("{claim:x}"));
        drop(Counter::options().participants(1).create(&path, |_, _| {}).expect("made"));
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("writable");
        file.write_all_at(&u64::to_le_bytes(claim), 512).expect("written");
        file.write_all_at(&[0xff; 4], 256).expect("written"); // the membership word, too
        let revived = Counter::open(&path).expect("there");
        assert!(revived.attach().is_ok(), "{claim:x} keeps the only slot");
        assert_eq!(revived.participants().len(), 1);
    }
}
