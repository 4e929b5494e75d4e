//! Threads of a killed process that are still in the kernel, and that use data of a lock which
//! another of its threads held.
#![allow(clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{LockError, Mutex, RwLock, Segment, Shareable};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const BYTES: usize = 128 << 20;

/// So large that the kernel needs a while to copy it.
#[derive(Shareable)]
#[repr(C)]
struct Large {
    mutex: Mutex<[u8; BYTES]>,
}

#[derive(Shareable)]
#[repr(C)]
struct LargeToo {
    rwlock: RwLock<[u8; BYTES]>,
}

/// The file for a child in this role, made by the test in this process.
fn file_of(process: u32, role: &str) -> PathBuf {
    PathBuf::from(format!("/dev/shm/outlive-test-siblings-{process} {role}"))
}

/// Another thread reads a file into the data.
fn fill(role: &str, data: &mut [u8]) {
    // SAFETY: no preconditions.
    let parent = unsafe { libc::getppid() } as u32;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::File::open(file_of(parent, role)).expect("the parent's");
            say("reading");
            file.read_exact(data).expect("as long as the data");
            wait_for_the_word();
        });
    });
}

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    match role.as_str() {
        "fill what a mutex guards" => fill(&role, &mut *inherited_of::<Large>().mutex.lock().expect("free")),
        "fill what a lock guards" => fill(&role, &mut *inherited_of::<LargeToo>().rwlock.write().expect("free")),
        other => panic!("no such role: {other}"),
    }
}

/// A file of ones. It is removed when this is dropped.
struct Ones(PathBuf);

impl Ones {
    fn new(role: &str) -> Self {
        let ones = Self(file_of(std::process::id(), role));
        let mut file = std::fs::File::create(&ones.0).expect("made");
        let part = vec![1; 1 << 20];
        (0..BYTES >> 20).for_each(|_| file.write_all(&part).expect("room"));
        ones
    }
}

impl Drop for Ones {
    fn drop(&mut self) {
        let _gone_before = std::fs::remove_file(&self.0);
    }
}

fn has_room() -> bool {
    // SAFETY: zeros are a valid record, which is filled.
    let about = unsafe {
        let mut about: libc::statvfs = core::mem::zeroed();
        assert_eq!(libc::statvfs(c"/dev/shm".as_ptr(), &mut about), 0);
        about
    };
    about.f_bavail * about.f_frsize >= 8 * BYTES as u64
}

/// Kills a process in the middle of the read. `written` says how much is written as soon as the
/// lock can be taken. `again` says the same after the process has ended.
fn kill_while_it_fills<T: Shareable + Sync>(role: &str, take: impl Fn(&Segment<T>, &mut dyn FnMut())) {
    if !has_room() {
        return skipped("no reads into what the dead held: /dev/shm has less than 1 GiB");
    }
    let _ones = Ones::new(role);
    let mut caught = 0;
    for _ in 0..4 {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
        let path = directory.path().join("segment");
        let shared = Segment::<T>::create(&path, |_| {}).expect("made");
        let mut writer = Actor::start(&shared, role, true);
        assert_eq!(writer.hear(), "reading");
        let memory = std::fs::File::open(&path).expect("there");
        until("the child to have read some of the file", || {
            let mut byte = [0];
            memory.read_exact_at(&mut byte, BYTES as u64 / 8).is_ok() && byte == [1]
        });
        // SAFETY: our own child, not reaped yet.
        unsafe { libc::kill(writer.id() as i32, libc::SIGKILL) };
        take(&shared, &mut || {
            caught += 1;
            writer.kill(); // and reaped
        });
    }
    assert!(caught > 0, "nobody died with it");
}

fn written(data: &[u8; BYTES]) -> usize {
    std::hint::black_box(data).partition_point(|byte| *byte == 1)
}

/// A fault that was there once: the lock was handed on when the thread that held it had ended. The
/// data that the next holder saw went on changing.
#[test]
fn a_mutex_is_handed_on_when_no_thread_of_the_dead_writes_to_its_data() {
    kill_while_it_fills::<Large>("fill what a mutex guards", |shared, reap| match shared.mutex.lock() {
        Err(LockError::OwnerDied(left)) => {
            let first = written(left.get_ref());
            reap();
            assert_eq!(written(left.get_ref()), first, "the data changed under its holder");
        }
        other => drop(other.map_err(|error| error.to_string()).map(drop)),
    });
}

#[test]
fn a_rwlock_is_handed_on_when_no_thread_of_the_dead_writes_to_its_data() {
    kill_while_it_fills::<LargeToo>("fill what a lock guards", |shared, reap| match shared.rwlock.read() {
        Err(LockError::OwnerDied(left)) => {
            let first = written(left.get_ref());
            reap();
            assert_eq!(written(left.get_ref()), first, "the data changed under its reader");
        }
        other => drop(other.map_err(|error| error.to_string()).map(drop)),
    });
}
