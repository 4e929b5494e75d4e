//! Monitors, which never write to a segment: where only reading is allowed, and while others work
//! there.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    Definition, Event, Lock, LockError, Monitor, Mutex, ObserveError, OpenError, Part, PermitPool, ReentrantMutex,
    RegisterError, ReleaseError, RwLock, Segment, Semaphore, Shareable,
};
use rustix::fs::{CWD, Mode, OFlags};
use std::cell::UnsafeCell;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI16, AtomicU64, Ordering::Release, Ordering::SeqCst};

#[derive(Shareable)]
#[repr(C)]
struct All {
    mutex: Mutex<u64>,
    reentrant: ReentrantMutex<()>,
    lock: Lock,
    board: RwLock<u64>,
    semaphore: Semaphore,
    pool: PermitPool<2>,
    event: Event,
    inner: [Inner; 3],
}

#[derive(Shareable)]
#[repr(C)]
struct Inner {
    plain: i32,
    level: AtomicI16,
    done: AtomicU64,
}

fn options() -> outlive::SegmentOptions<All, Inner> {
    Segment::<All>::options().room::<Inner>(4)
}

fn made_all(directory: &tempfile::TempDir) -> PathBuf {
    let path = directory.path().join("all");
    let init = |all: &mut All, room: &mut [Inner]| {
        all.semaphore = Semaphore::new(5);
        all.inner[2].plain = -7;
        room[3].plain = 11;
    };
    drop(options().create(&path, init).expect("made"));
    path
}

#[test]
fn a_monitor_reports_every_primitive_while_others_change_it() {
    let directory = directory();
    let path = made_all(&directory);
    let monitor = options().monitor(&path).expect("readable");
    assert_eq!(monitor.observe(|all| &all.mutex).expect("there").holder, None);
    assert!(!monitor.is_in_use().expect("known") && monitor.participants().expect("known").is_empty());

    let segment = options().open(&path).expect("there");
    let me = segment.attach().expect("in");
    let _mutex = segment.mutex.lock().expect("free");
    let _reentrant = segment.reentrant.lock().expect("free");
    let _lock = segment.lock.lock().expect("free");
    let _board = segment.board.write().expect("free");
    segment.semaphore.acquire().expect("there");
    let permit = segment.pool.permit().expect("free");
    segment.event.set().expect("nothing keeps it from that");
    segment.inner[1].level.store(-3, Release);
    segment.inner[2].done.store(u64::MAX, Release);
    segment.room()[3].done.store(8, Release);

    let holders = [
        monitor.observe(|all| &all.mutex),
        monitor.observe(|all| &all.reentrant),
        monitor.observe(|all| &all.lock),
        monitor.observe(|all| &all.board),
    ];
    for state in holders.map(|state| state.expect("there")) {
        assert_eq!((state.holder, state.is_inconsistent), (Some(me), false));
    }
    assert_eq!(monitor.observe(|all| &all.semaphore).expect("there"), 4);
    assert_eq!(monitor.observe(|all| &all.pool).expect("there"), [(permit.index(), me)]);
    assert!(monitor.observe(|all| &all.event).expect("there"));
    assert_eq!(monitor.observe(|all| &all.inner[1].level).expect("there"), -3);
    assert_eq!(monitor.observe(|all| &all.inner[2].done).expect("there"), u64::MAX);
    assert_eq!(monitor.observe(|all| &all.inner[2].plain).expect("there"), -7);
    assert_eq!(monitor.observe_room(3, |one| &one.done).expect("there"), 8);
    assert_eq!(monitor.observe_room(3, |one| &one.plain).expect("there"), 11);
    assert_eq!(monitor.room_length(), 4);
    assert!(matches!(monitor.observe_room(4, |one| &one.done), Err(ObserveError::NoElement { index: 4, length: 4 })));
    assert!(matches!(monitor.observe_room(usize::MAX, |one| &one.done), Err(ObserveError::NoElement { .. })));

    assert!(monitor.is_in_use().expect("known"));
    let participants = monitor.participants().expect("known");
    assert_eq!(participants.len(), 1, "the monitor is none");
    let who = monitor.participant(me).expect("known").expect("there");
    assert_eq!((who.process_id, who.is_alive), (std::process::id(), true));
}

#[test]
fn a_monitor_reports_dead_holders_until_the_next_holder() {
    let directory = directory();
    let path = made_all(&directory);
    let segment = options().open(&path).expect("there");
    let monitor = options().monitor(&path).expect("readable");
    let child = fork(|| {
        std::mem::forget(segment.mutex.lock().expect("free"));
        // SAFETY: ends this child, and nothing else.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        1
    });
    assert_eq!(wait(child), -libc::SIGKILL);
    let state = monitor.observe(|all| &all.mutex).expect("there");
    let dead = monitor.participant(state.holder.expect("dead")).expect("known").expect("its slot is nobody else's");
    assert_eq!((dead.process_id, dead.is_alive, state.is_inconsistent), (child as u32, false, false));
    let Err(LockError::OwnerDied(left)) = segment.mutex.lock() else { panic!("it died") };
    assert!(monitor.observe(|all| &all.mutex).expect("there").is_inconsistent);
    drop(left);
}

/// The lines of this process's list of mappings that name the file.
fn mappings_of(path: &Path) -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("readable");
    maps.lines().filter(|line| line.ends_with(path.to_str().expect("text"))).map(str::to_owned).collect()
}

#[test]
fn nothing_that_a_monitor_is_asked_writes_to_the_segment() {
    let directory = directory();
    let path = made_all(&directory);
    let state = || {
        let about = std::fs::metadata(&path).expect("there");
        (std::fs::read(&path).expect("readable"), about.modified().expect("known"))
    };
    let before = state();
    let monitor = options().monitor(&path).expect("readable");
    let mappings = mappings_of(&path);
    assert!(mappings.len() == 1 && mappings[0].contains(" r--s "), "{mappings:?}");
    // A user's function gets a stand-in, and changes only that.
    let seen = monitor.observe(|all| {
        all.inner[0].done.store(1, SeqCst);
        all.event.clear();
        assert!(matches!(all.mutex.lock(), Err(LockError::Register(RegisterError::NotInSegment))));
        assert!(matches!(all.semaphore.release(), Err(ReleaseError::NotInSegment(_))));
        &all.inner[0].done
    });
    assert_eq!(seen.expect("there"), 0);
    assert!(monitor.participants().expect("known").is_empty());
    drop(monitor);
    assert_eq!(state(), before);
    assert!(mappings_of(&path).is_empty());
}

/// A hand-written type that gives access to the contents of its cells.
#[repr(C)]
struct Guarded {
    turn: AtomicU64,
    value: UnsafeCell<u64>,
    counter: UnsafeCell<AtomicU64>,
}

// SAFETY: one thread uses it, in this test.
unsafe impl Sync for Guarded {}
// SAFETY: repr(C) around integers; the cells are stated.
unsafe impl Shareable for Guarded {
    const DEFINITION: &'static Definition = &Definition::structure::<Self>(
        "Guarded",
        &[
            Part::field::<AtomicU64>("turn", std::mem::offset_of!(Self, turn)),
            Part::cell::<u64>("value", std::mem::offset_of!(Self, value)),
            Part::cell::<AtomicU64>("counter", std::mem::offset_of!(Self, counter)),
        ],
    );
}

#[test]
fn a_monitor_reports_only_what_the_type_shows_of_the_segment() {
    static ELSEWHERE: AtomicU64 = AtomicU64::new(1);
    let directory = directory();
    let path = directory.path().join("guarded");
    let _segment = Segment::<Guarded>::create(&path, |_| {}).expect("made");
    let monitor = Segment::<Guarded>::monitor(&path).expect("readable");
    assert_eq!(monitor.observe(|all| &all.turn).expect("shown"), 0);
    let refused: [Result<u64, ObserveError>; 4] = [
        monitor.observe(|_| &ELSEWHERE),
        monitor.observe(|_| &*Box::leak(Box::new(AtomicU64::new(2)))),
        // SAFETY: nobody has the stand-in but this thread.
        monitor.observe(|all| unsafe { &*all.value.get() }),
        // SAFETY: as above.
        monitor.observe(|all| unsafe { &*all.counter.get() }),
    ];
    for answer in refused {
        assert!(matches!(answer, Err(ObserveError::NotAField)), "{answer:?}");
    }
}

#[derive(Shareable)]
#[repr(C)]
struct WithBytes {
    event: Event,
    bytes: Bytes,
}

/// Like wrappers of other crates' plain data: no parts are stated.
#[repr(C)]
struct Bytes([u64; 2]);

// SAFETY: repr(C) around integers, without a cell.
unsafe impl Shareable for Bytes {
    const DEFINITION: &'static Definition = &Definition::bytes::<Self>("Bytes");
}

#[test]
fn a_monitor_reports_numbers_in_plain_data_of_unknown_parts() {
    let directory = directory();
    let path = directory.path().join("bytes");
    let _segment = Segment::<WithBytes>::create(&path, |new| new.bytes.0[1] = 12).expect("made");
    let monitor = Segment::<WithBytes>::monitor(&path).expect("readable");
    assert_eq!(monitor.observe(|all| &all.bytes.0[1]).expect("shown"), 12);
    assert!(!monitor.observe(|all| &all.event).expect("shown"));
}

#[test]
fn a_monitor_reports_a_value_that_is_itself_a_primitive() {
    let directory = directory();
    let path = made(&directory);
    let segment = Counter::open(&path).expect("there");
    let monitor: Monitor<Mutex<u64>> = Counter::monitor(&path).expect("readable");
    let _guard = segment.lock().expect("free");
    let holder = monitor.observe(|mutex| mutex).expect("there").holder;
    assert_eq!(holder, Some(segment.attach().expect("in")));
}

#[test]
fn a_monitor_does_not_keep_a_segment_in_use() {
    let directory = directory();
    let path = made(&directory);
    let monitor = Counter::monitor(&path).expect("readable");
    let options = Counter::options().replace_abandoned(true);
    until("the segment to be considered abandoned", || options.create(&path, |_, _| {}).is_ok());
    assert!(monitor.observe(|mutex| mutex).is_ok(), "it shows the file that it has opened");
}

/// Runs `body` as a user without special rights, if this user has them.
fn without_rights(directory: &Path, body: impl FnOnce() -> i32) -> i32 {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).expect("set");
    in_a_child(|| {
        if rustix::process::geteuid().is_root() {
            // SAFETY: only this child is concerned.
            assert_eq!(unsafe { libc::setuid(12_345) }, 0);
        }
        body()
    })
}

#[test]
fn read_permission_is_enough_for_a_monitor() {
    let directory = directory();
    let path = made_all(&directory);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).expect("set");
    let owner = rustix::process::geteuid().as_raw();
    let segment = options().open(&path);
    let is_there = segment.as_ref().is_ok_and(|all| all.inner[1].done.swap(3, SeqCst) == 0 && all.attach().is_ok());
    let status = without_rights(directory.path(), || {
        let options = options().owner(owner);
        assert!(matches!(options.open(&path), Err(OpenError::Io(_))), "for writing");
        let by_name = options.monitor(&path).unwrap_or_else(|error| panic!("{error}"));
        let file = std::fs::File::open(&path).expect("readable");
        let by_descriptor = options.monitor_fd(&file).unwrap_or_else(|error| panic!("{error}"));
        for monitor in [by_name, by_descriptor] {
            let seen = monitor.observe(|all| &all.inner[1].done).expect("there");
            assert_eq!(seen, if is_there { 3 } else { 0 });
            assert_eq!(monitor.participants().expect("known").len(), usize::from(is_there));
        }
        0
    });
    assert_eq!(status, 0);
}

#[test]
fn a_read_only_mount_is_no_obstacle() {
    let directory = directory();
    let path = made_all(&directory);
    let status = in_a_child(|| {
        let over = std::ffi::CString::new(directory.path().to_str().expect("text")).expect("without NUL");
        let none = std::ptr::null();
        let read_only = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY;
        // SAFETY: system calls about the mounts of this child, which has one thread.
        let is_permitted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
                && libc::mount(over.as_ptr(), over.as_ptr(), none, libc::MS_BIND, none.cast()) == 0
                && libc::mount(none, over.as_ptr(), none, read_only, none.cast()) == 0
        };
        if !is_permitted {
            return 77;
        }
        assert!(matches!(options().open(&path), Err(OpenError::Io(_))), "for writing");
        let monitor = options().monitor(&path).unwrap_or_else(|error| panic!("{error}"));
        i32::from(monitor.observe(|all| &all.semaphore).expect("there") != 5)
    });
    match status {
        77 => skipped("only root can mount file systems"),
        status => assert_eq!(status, 0),
    }
}

fn told<T>(answer: Result<T, OpenError>) -> String {
    match answer {
        Ok(_) => "opened".into(),
        Err(error) => format!("{error:?}").split(['(', ' ']).next().expect("a word").into(),
    }
}

#[test]
fn a_monitor_refuses_the_same_files_as_open() {
    let directory = directory();
    let path = made(&directory);
    assert_eq!(told(Segment::<Lock>::monitor(&path)), "Type");
    assert_eq!(told(Counter::options().room::<u32>(0).monitor(&path)), "RoomType");
    assert_eq!(told(Counter::options().owner(12_345).monitor(&path)), "Owner");
    assert_eq!(told(Counter::options().mode(0o4755).monitor(&path)), "InvalidOption");
    assert_eq!(told(Counter::monitor(directory.path())), "NotASegment");
    assert_eq!(told(Counter::monitor(directory.path().join("nothing"))), "NotFound");
    let fifo = directory.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("made");
    assert_eq!(told(Counter::monitor(&fifo)), "NotASegment");

    let open = |path: &Path, flags| -> OwnedFd { rustix::fs::open(path, flags, Mode::empty()).expect("opened") };
    for (flags, answer) in
        [(OFlags::RDONLY, "opened"), (OFlags::RDWR, "opened"), (OFlags::WRONLY, "Io"), (OFlags::PATH, "Io")]
    {
        assert_eq!(told(Counter::monitor_fd(open(&path, flags | OFlags::CLOEXEC))), answer, "{flags:?}");
    }
    assert_eq!(told(Counter::monitor_fd(open(&fifo, OFlags::PATH | OFlags::CLOEXEC))), "NotASegment");
    assert_eq!(told(Counter::monitor_fd(open(directory.path(), OFlags::RDONLY | OFlags::CLOEXEC))), "NotASegment");
    assert_eq!(told(Segment::<Lock>::monitor_fd(open(&path, OFlags::RDONLY | OFlags::CLOEXEC))), "Type");

    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
    file.set_len(4_096).expect("cut off");
    assert_eq!(told(Counter::monitor(&path)), "Size");
}

#[test]
fn a_segment_that_came_over_a_socket_can_be_monitored() {
    let segment = Counter::anonymous(|_| {}).expect("made");
    let _guard = segment.lock().expect("free");
    // SAFETY: the descriptor is only opened again for reading.
    let monitor = Counter::monitor_fd(unsafe { segment.borrow_fd() }.expect("there")).expect("readable");
    assert!(monitor.observe(|mutex| mutex).expect("there").holder.is_some());
    assert!(monitor.is_in_use().expect("known"), "though that is the very open file that is mapped");
}
