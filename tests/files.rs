//! What can go wrong with files: full disks, limits, modes, users without an id, and places that
//! are not what they seem.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{Location, LocationError, Lock, Mutex, OpenError, RemoveError, Segment};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

type Counter = Segment<Mutex<u64>>;

fn is_root() -> bool {
    // SAFETY: no preconditions.
    unsafe { libc::geteuid() == 0 }
}

/// Runs a test in a child with mounts of its own. They vanish with the child, even when the test
/// fails.
fn with_mounts_of_its_own(test: impl FnOnce()) {
    const NOT_PERMITTED: i32 = 77;
    let status = in_a_child(|| {
        // SAFETY: two system calls about the calling process, which has one thread.
        let is_permitted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    std::ptr::null(),
                    c"/".as_ptr(),
                    std::ptr::null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    std::ptr::null(),
                ) == 0
        };
        if !is_permitted {
            return NOT_PERMITTED;
        }
        test();
        0
    });
    match status {
        NOT_PERMITTED => skipped("only root can mount file systems"),
        status => assert_eq!(status, 0, "minus a number: killed by that signal"),
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("without NUL")
}

fn mount(kind: &std::ffi::CStr, options: &std::ffi::CStr, on: &Path) {
    // SAFETY: all are strings that end with NUL.
    let answer =
        unsafe { libc::mount(c"test".as_ptr(), c_path(on).as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
}

/// Mounts a directory of the disk over another directory.
fn bind(directory: &Path, over: &Path) {
    let (from, over) = (c_path(directory), c_path(over));
    // SAFETY: both are strings that end with NUL.
    let answer =
        unsafe { libc::mount(from.as_ptr(), over.as_ptr(), std::ptr::null(), libc::MS_BIND, std::ptr::null()) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
}

fn fill(path: &Path) {
    let file = std::fs::File::create(path).expect("a file");
    let mut at = 0;
    while let Ok(written) = file.write_at(&[1; 4096], at) {
        at += written as u64;
    }
}

fn with_room() -> outlive::SegmentOptions<Lock, AtomicU64> {
    Segment::<Lock>::options().participants(1).room::<AtomicU64>(100_000)
}

/// The first pages of a segment, and a hole behind them.
fn copy_with_a_hole(original: &Path, copy: &Path) {
    let bytes = std::fs::read(original).expect("readable");
    let file = std::fs::File::create(copy).expect("a file");
    file.write_all_at(&bytes[..8_192], 0).expect("written");
    file.set_len(bytes.len() as u64).expect("a hole");
    let mode = std::fs::Permissions::from_mode(0o600);
    file.set_permissions(mode).expect("ours");
}

#[test]
fn a_copy_with_holes_on_a_full_disk_is_an_error_and_not_a_sigbus() {
    let (original, small) = (directory(), directory());
    let original = original.path().join("segment");
    drop(with_room().create(&original, |_, _| {}).expect("made"));
    with_mounts_of_its_own(|| {
        mount(c"tmpfs", c"size=2m", small.path());
        let (copy, filler) = (small.path().join("copy"), small.path().join("filler"));
        copy_with_a_hole(&original, &copy);
        fill(&filler);
        match with_room().open(&copy) {
            Err(OpenError::NoSpace { path: Some(path), .. }) => assert_eq!(path, copy),
            Err(other) => panic!("{other}"),
            Ok(segment) => {
                segment.room()[99_999].store(1, SeqCst);
                panic!("opened on a full disk, and yet it could be used");
            }
        }
        std::fs::remove_file(&filler).expect("there");
        let segment = with_room().open(&copy).expect("there is room now");
        fill(&filler);
        for element in segment.room() {
            element.store(7, SeqCst);
        }
    });
}

#[test]
fn holes_are_filled_on_a_disk_too() {
    let directory = directory();
    let (original, copy) = (directory.path().join("segment"), directory.path().join("copy"));
    drop(with_room().create(&original, |_, _| {}).expect("made"));
    copy_with_a_hole(&original, &copy);
    let about = || std::fs::metadata(&copy).expect("there");
    assert!(about().blocks() * 512 < about().len(), "a hole to begin with");
    let segment = with_room().open(&copy).expect("a segment");
    assert!(about().blocks() * 512 >= about().len(), "a hole is left");
    assert_eq!(segment.room()[99_999].load(SeqCst), 0);
}

#[test]
fn a_file_system_that_cannot_allocate_is_named_with_those_that_can() {
    let directory = directory();
    with_mounts_of_its_own(|| {
        mount(c"ramfs", c"", directory.path());
        let error = Counter::create(directory.path().join("segment"), |_| {}).expect_err("no fallocate");
        assert!(matches!(error, OpenError::Unsupported(_)), "{error:?}");
        let text = error.to_string();
        assert!(["fallocate", "tmpfs", "ext4", "xfs"].iter().all(|word| text.contains(word)), "{text}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
    });
}

#[test]
fn the_limit_of_file_sizes_is_an_error_and_not_a_signal() {
    let directory = directory();
    let status = in_a_child(|| {
        let limit = libc::rlimit { rlim_cur: 65_536, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: only for this process.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        let is_told = |error| matches!(error, OpenError::FileSizeLimit { limit: 65_536, needed } if needed > 800_000);
        assert!(is_told(with_room().anonymous(|_, _| {}).expect_err("too long")));
        assert!(is_told(with_room().create(directory.path().join("segment"), |_, _| {}).expect_err("too long")));
        assert!(Counter::options().participants(8).anonymous(|_, _| {}).is_ok(), "shorter than the limit");
        0
    });
    assert_eq!(status, 0, "minus a number: killed by that signal");
}

/// From here on, all allocations of more than a MiB are interrupted in this process. (Signals would
/// not do: only some kernels let them interrupt a file system in memory.)
fn interrupt_long_allocations() {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JGT, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    const NUMBER: u32 = 0; // these two are offsets in struct seccomp_data, little-endian
    const LENGTH: u32 = 16 + 3 * 8;
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const INTERRUPT: u32 = libc::SECCOMP_RET_ERRNO | libc::EINTR as u32;
    let load = |at| step(BPF_LD | BPF_W | BPF_ABS, at, [0, 0]);
    filter_system_calls(&mut [
        load(NUMBER),
        step(BPF_JMP | BPF_JEQ | BPF_K, libc::SYS_fallocate as u32, [0, 4]),
        load(LENGTH + 4),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, [0, 3]),
        load(LENGTH),
        step(BPF_JMP | BPF_JGT | BPF_K, 1 << 20, [1, 0]),
        step(BPF_RET | BPF_K, ALLOW, [0, 0]),
        step(BPF_RET | BPF_K, INTERRUPT, [0, 0]),
    ]);
}

#[test]
fn an_interrupted_allocation_does_not_end_create() {
    const BYTES: usize = 9 << 20;
    let directory = directory();
    let status = in_a_child(|| {
        interrupt_long_allocations();
        let plain = rustix::fs::memfd_create("plain", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd");
        let answer = rustix::fs::fallocate(&plain, rustix::fs::FallocateFlags::empty(), 0, BYTES as u64);
        assert_eq!(answer, Err(rustix::io::Errno::INTR), "what this test is about");
        let options = Segment::<Lock>::options().room::<AtomicU64>(BYTES / 8);
        let path = directory.path().join("segment");
        for segment in [options.anonymous(|_, _| {}), options.create(&path, |_, _| {})] {
            let segment = segment.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(segment.room()[BYTES / 8 - 1].load(SeqCst), 0);
        }
        let about = std::fs::metadata(&path).expect("there");
        assert!(about.blocks() * 512 >= about.len(), "not all of it was allocated");
        0
    });
    assert_eq!(status, 0);
}

#[test]
fn a_mode_that_sets_user_ids_or_locks_its_owner_out_is_refused() {
    let directory = directory();
    let path = directory.path().join("segment");
    for mode in [0o4755, 0o2700, 0o1600, 0o100_600, 0o400, 0o200, 0o066, 0] {
        let options = Counter::options().mode(mode);
        for answer in [options.create(&path, |_, _| {}), options.open(&path), options.anonymous(|_, _| {})] {
            let error = answer.expect_err("refused");
            assert!(matches!(error, OpenError::InvalidOption(_)), "{mode:o}: {error:?}");
            assert!(error.to_string().contains(&format!("{mode:#o}")), "{error}");
        }
    }
    let nobody = Counter::options().owner(u32::MAX);
    assert!(matches!(nobody.create(&path, |_, _| {}), Err(OpenError::InvalidOption(_))));
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
    assert!(Counter::options().mode(0o777).owner(u32::MAX - 1).create(&path, |_, _| {}).is_ok());
}

#[test]
fn room_for_elements_without_a_size_is_refused() {
    for length in [1, usize::MAX] {
        let error = Segment::<Lock>::options().room::<()>(length).anonymous(|_, _| {}).expect_err("never ends");
        assert!(matches!(error, OpenError::InvalidSize(_)) && error.to_string().contains("without a size"), "{error}");
    }
    let none = Segment::<Lock>::options().room::<()>(0).anonymous(|_, _| {}).expect("no room");
    assert!(none.room().is_empty());
}

#[test]
fn paths_that_cannot_be_files_are_refused() {
    let long = format!("/tmp/{}", "x".repeat(256));
    for path in ["", "/", "..", "/tmp/", "/tmp/nul\0", &long] {
        assert!(
            matches!(Counter::open(Path::new(path)), Err(OpenError::Location(LocationError::InvalidPath(_)))),
            "{path:?}"
        );
        assert!(
            matches!(Counter::create(Path::new(path), |_| {}), Err(OpenError::Location(LocationError::InvalidPath(_)))),
            "{path:?}"
        );
    }
}

#[test]
fn a_handle_tells_whether_its_segment_still_has_the_name() {
    let directory = directory();
    let (path, other) = (directory.path().join("segment"), directory.path().join("other"));
    let segment = Counter::create(&path, |_| {}).expect("made");
    assert!(segment.has_name(&path).expect("looked"));
    assert!(!segment.has_name(&other).expect("looked"), "there is nothing of that name");
    let opened = Counter::open(&path).expect("there");
    std::fs::rename(&path, &other).expect("renamed");
    assert!(!segment.has_name(&path).expect("looked") && opened.has_name(&other).expect("looked"));
    let second = Counter::open_or_create(&path, |_| {}).expect("a second one beside it");
    assert!(!segment.has_name(&path).expect("looked") && second.has_name(&path).expect("looked"));
    std::os::unix::fs::symlink(&other, directory.path().join("link")).expect("made");
    assert!(!segment.has_name(directory.path().join("link")).expect("looked"), "open does not follow it either");
    assert!(matches!(segment.has_name(path.join("below")), Err(LocationError::Io(_))));
    assert!(matches!(segment.has_name(""), Err(LocationError::InvalidName(_))));
}

#[test]
fn a_persistent_segment_lies_in_a_directory_of_its_user_alone() {
    let disk = directory();
    with_mounts_of_its_own(|| {
        bind(disk.path(), Path::new("/var/tmp"));
        let place = Location::persistent("jobs");
        // SAFETY: no preconditions.
        let kept = PathBuf::from(format!("/var/tmp/outlive-{}", unsafe { libc::geteuid() }));
        assert!(matches!(Counter::open(place.clone()), Err(OpenError::NotFound(_))));
        assert!(matches!(
            Counter::create(Location::persistent("a/b"), |_| {}),
            Err(OpenError::Location(LocationError::InvalidName(_)))
        ));
        assert!(!kept.exists(), "made by a process that only opened it");
        let segment = Counter::create(place.clone(), |count| *count.get_mut() = 7).expect("made");
        assert_eq!(std::fs::metadata(&kept).expect("there").mode() & 0o7777, 0o700);
        assert!(segment.has_name(place.clone()).expect("looked"));
        assert!(segment.has_name(kept.join("jobs")).expect("looked"));
        assert_eq!(*Counter::open(place.clone()).expect("there").lock().expect("free"), 7);

        let refused = |why: &str| {
            let answers = [Counter::open(place.clone()), Counter::create(Location::persistent("new"), |_| {})];
            for answer in answers {
                let error = answer.expect_err(why);
                assert!(
                    matches!(&error, OpenError::Location(LocationError::UntrustedDirectory { path, .. }) if *path == kept),
                    "{why}: {error:?}"
                );
            }
            assert!(matches!(segment.has_name(place.clone()), Err(LocationError::UntrustedDirectory { .. })));
            assert!(!kept.join("new").exists());
        };
        let set_mode = |mode| std::fs::set_permissions(&kept, PermissionsExt::from_mode(mode)).expect("ours");
        for mode in [0o777, 0o1777, 0o770, 0o701] {
            set_mode(mode);
            refused("others could put segments there");
        }
        set_mode(0o700);
        std::os::unix::fs::chown(&kept, Some(12_345), None).expect("root");
        refused("it is another user's");
        std::os::unix::fs::chown(&kept, Some(0), None).expect("root");
        let elsewhere = kept.with_file_name("elsewhere");
        std::fs::rename(&kept, &elsewhere).expect("renamed");
        std::os::unix::fs::symlink(&elsewhere, &kept).expect("made");
        refused("a symbolic link may be anybody's");
    });
}

#[test]
fn names_do_not_land_on_a_disk_where_dev_shm_is_not_mounted() {
    let disk = directory();
    with_mounts_of_its_own(|| {
        bind(disk.path(), Path::new("/dev/shm"));
        for error in [
            Counter::create("jobs", |_| {}).expect_err("on a disk"),
            Counter::open_or_create("jobs", |_| {}).expect_err("on a disk"),
        ] {
            assert!(matches!(error, OpenError::Location(LocationError::Unsupported(_))), "{error:?}");
            assert!(error.to_string().contains("/dev/shm is not mounted as a memory file system"), "{error}");
        }
        let refused = Counter::remove("jobs");
        assert!(matches!(refused, Err(RemoveError::Location(LocationError::Unsupported(_)))), "{refused:?}");
        assert_eq!(std::fs::read_dir(disk.path()).expect("readable").count(), 0);
        assert!(Counter::create(disk.path().join("jobs"), |_| {}).is_ok(), "a file is named by its path");
    });
}

/// The error once was that of a stopped process that does not finish.
#[test]
fn a_name_that_comes_and_goes_is_told_from_a_process_that_is_stopped() {
    let directory = directory();
    let path = directory.path().join("segment");
    let impatient = Counter::options().busy_timeout(std::time::Duration::ZERO);
    // Another process is quicker each time, and has removed it when it is to be opened.
    let answer = impatient.open_or_create(&path, |_, _| std::fs::write(&path, "somebody else's").expect("made"));
    let error = answer.expect_err("taken");
    assert!(matches!(&error, OpenError::KeepsChanging { path: found, .. } if *found == path), "{error:?}");
    assert!(!error.to_string().contains("stopped"), "{error}");
}

/// The time that `init` takes is not that of the others.
#[test]
fn who_is_overtaken_while_it_makes_a_segment_opens_the_others() {
    let directory = directory();
    let path = directory.path().join("segment");
    let timeout = std::time::Duration::from_millis(1);
    let made_by_another = |_: &mut Mutex<u64>, _: &mut [()]| {
        drop(Counter::create(&path, |_| {}).expect("made"));
        std::thread::sleep(2 * timeout);
    };
    let answer = Counter::options().busy_timeout(timeout).open_or_create(&path, made_by_another);
    assert!(answer.is_ok(), "{answer:?}");
}

/// What a participant passes on is shared, where no file can be opened anew.
#[test]
fn a_segment_is_received_where_there_is_no_proc() {
    let empty = directory();
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    with_mounts_of_its_own(|| {
        bind(empty.path(), Path::new("/proc"));
        let (here, there) = std::os::unix::net::UnixStream::pair().expect("a pair");
        segment.send_to(&here).expect("sent");
        assert!(Counter::receive_from(&there).is_ok());
    });
}

/// A process that cannot open a file anew for another reason than its permissions must not take
/// its own locks for those of others, and join what nobody uses.
#[test]
fn a_descriptor_that_cannot_be_opened_anew_for_lack_of_proc_is_an_error() {
    let (empty, directory) = (directory(), directory());
    let path = directory.path().join("segment");
    drop(Counter::create(&path, |_| {}).expect("made"));
    let file = std::fs::File::options().read(true).write(true).open(&path).expect("there");
    with_mounts_of_its_own(|| {
        bind(empty.path(), Path::new("/proc"));
        match Counter::from_fd(&file) {
            Err(OpenError::Io(error)) => assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound, "{error}"),
            other => panic!("{other:?}"),
        }
    });
}

/// As in a systemd unit with `ProcSubset=pid`, or in a chroot: the boot id cannot be read there.
#[test]
fn a_segment_needs_no_proc_sys() {
    let (empty, directory) = (directory(), directory());
    with_mounts_of_its_own(|| {
        bind(empty.path(), Path::new("/proc/sys"));
        assert!(std::fs::read("/proc/sys/kernel/random/boot_id").is_err(), "what this test is about");
        let anonymous = Counter::anonymous(|_| {}).expect("made");
        *anonymous.lock().expect("free") += 1;
        let path = directory.path().join("segment");
        let first = Counter::create(&path, |count| *count.get_mut() = 7).expect("made");
        assert_eq!(*Counter::open(&path).expect("there").lock().expect("free"), 7);
        drop(first);
        assert_eq!(*Counter::open(&path).expect("there").lock().expect("free"), 7, "nobody had it mapped");
    });
}

/// In a user namespace, all users without an id in it look like user 65534.
#[test]
fn a_strangers_file_does_not_pass_for_ours_in_a_user_namespace_that_maps_neither() {
    const NOT_PERMITTED: i32 = 77;
    const US: u32 = 12_345;
    const STRANGER: u32 = 23_456;
    if !is_root() {
        skipped("only root can give a file away, and become another user");
        return;
    }
    let directory = directory();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let path = directory.path().join("segment");
    drop(Counter::options().mode(0o666).create(&path, |_, _| {}).expect("made"));
    std::os::unix::fs::chown(&path, Some(STRANGER), None).expect("root");
    let status = in_a_child(|| {
        // SAFETY: two system calls about the calling process, which has one thread.
        unsafe {
            assert_eq!(libc::setuid(US), 0);
            if libc::unshare(libc::CLONE_NEWUSER) != 0 {
                return NOT_PERMITTED;
            }
            let (found, ours) = (std::fs::metadata(&path).expect("there").uid(), libc::geteuid());
            assert_eq!(found, ours, "both are shown as the same user: what this test is about");
        }
        match Counter::open(&path) {
            Err(OpenError::UnmappedOwner { .. }) => 0,
            other => panic!("{other:?}"),
        }
    });
    match status {
        NOT_PERMITTED => skipped("no user namespaces here"),
        status => assert_eq!(status, 0),
    }
}

/// Where all users have their own ids, 65534 is an ordinary user.
#[test]
fn the_overflow_user_may_use_its_own_segments_where_everybody_is_mapped() {
    if !is_root() {
        skipped("only root can become another user");
        return;
    }
    if std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !map.contains("4294967295")) {
        skipped("this is a user namespace that does not map everybody");
        return;
    }
    let directory = directory();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).expect("ours");
    let path = directory.path().join("segment");
    let status = in_a_child(|| {
        // SAFETY: a system call about the calling process, which has one thread.
        assert_eq!(unsafe { libc::setuid(65_534) }, 0);
        drop(Counter::create(&path, |_| {}).expect("made"));
        assert!(Counter::open(&path).is_ok());
        0
    });
    assert_eq!(status, 0);
}
