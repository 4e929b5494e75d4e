//! How a segment shows that it is in use. These set-ups make the inode, the boot id or a descriptor
//! misleading.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{CloseError, Mutex, OpenError, PassError, Segment, TryLockError};
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

type Counter = Segment<Mutex<u64>>;

/// The offset in the header of the mark of an unfinished revival, and the mark's value.
const MARK: u64 = 152;
const REVIVING: u32 = 0x7276_6976;
/// The bytes of the file on which locks are taken.
const TURN: i64 = i64::MAX - 2;
const USE: i64 = i64::MAX - 1;

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let path = PathBuf::from(std::env::var("OUTLIVE_PATH").expect("set by the parent"));
    match role.as_str() {
        "hold" => hold(&path),
        "hold, under another boot id" => under_another_boot_id(&path, hold),
        "hold, with all descriptors closed" => hold_without_descriptors(&path),
        "hold, under another boot id, with all descriptors closed" => {
            under_another_boot_id(&path, hold_without_descriptors);
        }
        "read, and lock what a reader can" => {
            // SAFETY: this process does nothing but this role.
            assert_eq!(unsafe { libc::setresuid(65_534, 65_534, 65_534) }, 0);
            assert!(File::options().write(true).open(&path).is_err(), "no mere reader");
            let file = File::open(&path).expect("readable");
            assert!(!lock(&file, TURN, libc::F_WRLCK), "only a process that may write can keep out others");
            assert!(lock(&file, TURN, libc::F_RDLCK) && lock(&file, USE, libc::F_RDLCK));
            say("locked both");
            std::io::stdin().read_line(&mut String::new()).expect("told");
            assert!(lock(&file, TURN, libc::F_UNLCK));
            say("locked use");
            wait_for_the_word();
        }
        "open what cannot be decided" => {
            for refused in [Counter::open(&path), replaced(&path)] {
                let refused = refused.expect_err("somebody may be alive");
                assert!(matches!(refused, OpenError::SeenTwice { process_id: None, .. }), "{refused}");
            }
            let vouched = Counter::options().vouch_unused(true).open(&path).expect("the user knows better");
            assert!(matches!(vouched.try_lock(), Err(TryLockError::OwnerDied(_))));
            say("vouched for");
        }
        "replace, and not be able to remove" => {
            refuse_to_unlink();
            let made = Counter::options().replace_abandoned(true).create(&path, |m, _| *m.get_mut() = 70);
            let made = made.expect("the name was exchanged");
            assert_eq!(*made.lock().expect("free"), 70);
        }
        other => panic!("no such role: {other}"),
    }
}

/// Runs `what` where the kernel seems to have booted at another time.
fn under_another_boot_id(path: &Path, what: fn(&Path)) {
    let other = path.with_file_name("boot_id");
    std::fs::write(&other, "11111111-2222-3333-4444-555555555555\n").expect("written");
    if own_mounts() && mount(&other, Path::new("/proc/sys/kernel/random/boot_id"), "", libc::MS_BIND, "") {
        what(path);
    } else {
        say("lacks a permission");
    }
}

/// The role of a daemon that holds the lock, and closes all descriptors that it does not know.
fn hold_without_descriptors(path: &Path) {
    let segment = Counter::open(path).expect("there");
    let guard = segment.lock().expect("free");
    // SAFETY: of these numbers only the segment's is in use by code of this process, which
    // is what is tried here.
    assert_eq!(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) }, 0);
    // Their numbers go to other descriptors, of the very same file.
    let others: Vec<_> = (0..8).map(|_| File::open(path).expect("there")).collect();
    say("held");
    wait_for_the_word();
    drop(guard);
    *segment.lock().expect("free") += 1;
    let mut command = std::process::Command::new("/bin/true");
    let refused = segment.pass_to(&mut command, "x").expect_err("has no descriptor");
    assert!(matches!(refused, PassError::DescriptorLost { .. }), "{refused}");
    drop(segment);
    assert!(others.iter().all(|file| file.metadata().is_ok()), "somebody else's descriptor was closed");
}

/// The role of a process that holds the lock.
fn hold(path: &Path) {
    let segment = Counter::open(path).expect("there");
    let _guard = segment.lock().expect("free");
    say("held");
    wait_for_the_word();
}

/// Locks one byte of an open file, as the library does.
fn lock(file: &File, byte: i64, kind: libc::c_int) -> bool {
    // SAFETY: a structure of integers.
    let mut about: libc::flock64 = unsafe { core::mem::zeroed() };
    (about.l_type, about.l_start, about.l_len) = (kind as libc::c_short, byte, 1);
    // SAFETY: the structure lives for the call.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &about) == 0 }
}

/// From here on, this thread cannot remove a file: unlink and unlinkat fail with EACCES.
fn refuse_to_unlink() {
    let is = |call: libc::c_long, hops: u8| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32, [hops, 0]);
    filter_system_calls(&mut [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, [0, 0]),
        is(libc::SYS_unlinkat, 2),
        #[cfg(target_arch = "x86_64")]
        is(libc::SYS_unlink, 1),
        #[cfg(not(target_arch = "x86_64"))]
        is(libc::SYS_unlinkat, 1),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, [0, 0]),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EACCES as u32, [0, 0]),
    ]);
}

/// Gives the calling thread mounts of its own, which vanish with its process. False if that is not
/// permitted.
fn own_mounts() -> bool {
    // SAFETY: no preconditions.
    let alone = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
    alone && mount(Path::new("none"), Path::new("/"), "", libc::MS_REC | libc::MS_PRIVATE, "")
}

fn mount(what: &Path, at: &Path, kind: &str, flags: libc::c_ulong, data: &str) -> bool {
    let text = |text: &str| CString::new(text).expect("no NUL");
    let (what, at) = (text(what.to_str().expect("UTF-8")), text(at.to_str().expect("UTF-8")));
    let (kind, data) = (text(kind), text(data));
    // SAFETY: strings that live for the call.
    unsafe { libc::mount(what.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) == 0 }
}

/// A directory on the disk, and one in memory.
fn directories() -> [tempfile::TempDir; 2] {
    [directory(), tempfile::tempdir_in("/dev/shm").expect("a directory")]
}

fn made(directory: &Path) -> PathBuf {
    let path = directory.join("segment");
    drop(Counter::create(&path, |m| *m.get_mut() = 7).expect("made"));
    path
}

/// The tests of this file run one after the other. A child forked by one of them inherits all
/// mappings, and so keeps every segment in use. The tests also use the environment.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn actor(path: &Path, role: &str) -> Actor {
    // SAFETY: no other thread of this test binary reads or writes the environment, except while it
    // is `alone`, or through `std`.
    unsafe { std::env::set_var("OUTLIVE_PATH", path) };
    Actor::start(&segment(), role, true)
}

/// Runs a test in a process with mounts of its own, if that is permitted.
fn with_own_mounts(test: impl FnOnce()) {
    let pid = fork(|| {
        if own_mounts() {
            test();
        } else {
            skipped("only root can have mounts of its own");
        }
        0
    });
    assert_eq!(wait(pid), 0);
}

/// One directory seen in two ways: through an overlay, and as the overlay's upper directory.
struct Views {
    merged: PathBuf,
    upper: PathBuf,
    /// Removed after the overlay is unmounted.
    _directory: tempfile::TempDir,
}

impl Views {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
        let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(|name| directory.path().join(name));
        for directory in [&lower, &upper, &work, &merged] {
            std::fs::create_dir(directory).expect("made");
        }
        let data = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
        if !mount(Path::new("overlay"), &merged, "overlay", 0, &data) {
            skipped("no overlay can be mounted here");
            return None;
        }
        let views = Self { merged, upper, _directory: directory };
        let unnamed = OpenOptions::new().write(true).custom_flags(libc::O_TMPFILE).open(&views.merged);
        if unnamed.is_err_and(|error| error.raw_os_error() == Some(libc::EOPNOTSUPP)) {
            skipped("this kernel's overlays have no unnamed files (O_TMPFILE), so no segment can be made there");
            return None;
        }
        Some(views)
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        let merged = CString::new(self.merged.to_str().expect("UTF-8")).expect("no NUL");
        // SAFETY: the string lives for the call.
        unsafe { libc::umount2(merged.as_ptr(), libc::MNT_DETACH) };
    }
}

fn replaced(path: &Path) -> Result<Counter, OpenError> {
    Counter::options().replace_abandoned(true).create(path, |m, _| *m.get_mut() = 70)
}

fn expect_held(path: &Path) {
    let opened = Counter::open(path).expect("is joined");
    assert!(matches!(opened.try_lock(), Err(TryLockError::WouldBlock)), "a lock that is held was given away");
    drop(opened);
    let refused = replaced(path).expect_err("in use");
    assert!(matches!(refused, OpenError::AlreadyExists(_)), "{refused}");
}

fn expect_seen_twice(path: &Path, process: u32) {
    let before = std::fs::read(path).expect("readable");
    for refused in [Counter::open(path), replaced(path)] {
        let refused = refused.expect_err("a living holder's");
        assert!(matches!(refused, OpenError::SeenTwice { process_id, .. } if process_id == Some(process)), "{refused}");
        assert!(refused.to_string().contains(&format!("process {process}")), "{refused}");
    }
    assert_eq!(std::fs::read(path).expect("readable"), before, "changed, though refused");
}

/// A fault that was there once: a daemon closed the segment's descriptor. The segment was then
/// considered abandoned, and was replaced while a lock in it was held. Later the daemon's drop
/// aborted, or closed the file that had got the number.
#[test]
fn a_daemon_that_closed_all_descriptors_keeps_its_segment_and_closes_no_other_file() {
    let _alone = alone();
    for directory in directories() {
        let path = made(directory.path());
        let mut daemon = actor(&path, "hold, with all descriptors closed");
        assert_eq!(daemon.hear(), "held");
        expect_held(&path);
        assert!(daemon.ends_well());
        assert_eq!(*Counter::open(&path).expect("there").lock().expect("free"), 8);
    }
}

/// A fault that was there once: containers with boot ids of their own gave each other's locks away,
/// or got Busy because of each other.
#[test]
fn a_participant_with_another_boot_id_is_joined() {
    let _alone = alone();
    let directory = directory();
    let path = made(directory.path());
    let mut holder = actor(&path, "hold, under another boot id");
    if holder.hear() != "held" {
        return skipped("only root can mount another boot id");
    }
    expect_held(&path);
    // The reverse: the other process joins us.
    assert!(holder.ends_well());
    let segment = Counter::open(&path).expect("there");
    let mut holder = actor(&path, "hold, under another boot id");
    assert_eq!(holder.hear(), "held");
    assert!(matches!(segment.try_lock(), Err(TryLockError::WouldBlock)));
    assert!(holder.ends_well());
}

/// A fault that was there once: a daemon without descriptors and with another boot id was
/// considered dead by a plain `open`. Its lock was given away.
#[test]
fn a_holder_without_descriptors_and_with_another_boot_id_keeps_its_lock() {
    let _alone = alone();
    for directory in directories() {
        let path = made(directory.path());
        let mut holder = actor(&path, "hold, under another boot id, with all descriptors closed");
        if holder.hear() != "held" {
            return skipped("only root can mount another boot id");
        }
        expect_held(&path);
        assert!(holder.ends_well());
        assert_eq!(*Counter::open(&path).expect("there").lock().expect("free"), 8);
    }
}

/// A fault that was there once: an opener through an overlay's upper directory gave away the locks
/// of processes that had opened through the overlay.
#[test]
fn a_living_holder_seen_through_an_overlay_keeps_its_lock() {
    let _alone = alone();
    with_own_mounts(|| {
        for through_overlay in [true, false] {
            let Some(views) = Views::new() else { return };
            let mut both = [&views.merged, &views.upper];
            if !through_overlay {
                both.reverse();
            }
            let (path, ours) = (made(both[0]), both[1].join("segment"));
            let mut holder = actor(&path, "hold");
            assert_eq!(holder.hear(), "held");
            expect_held(&path);
            expect_seen_twice(&ours, holder.id());
            let vouched = Counter::options().vouch_unused(true).open(&ours).expect("the user knows better");
            assert!(matches!(vouched.try_lock(), Err(TryLockError::OwnerDied(_))));
            drop(vouched);
            holder.kill();
            assert!(matches!(Counter::open(&ours).expect("they are gone").try_lock(), Err(TryLockError::OwnerDied(_))));
        }
    });
}

/// Like the test before, but a thread of our own process holds the lock.
#[test]
fn a_thread_of_our_own_seen_through_an_overlay_keeps_its_lock() {
    let _alone = alone();
    with_own_mounts(|| {
        let Some(views) = Views::new() else { return };
        let segment = Counter::open(made(&views.merged)).expect("there");
        let guard = segment.lock().expect("free");
        expect_seen_twice(&views.upper.join("segment"), std::process::id());
        drop(guard);
    });
}

/// On an overlay the segment's lock on the file is lost with its last descriptor.
#[test]
fn a_daemon_that_closed_all_descriptors_on_an_overlay_keeps_its_lock() {
    let _alone = alone();
    with_own_mounts(|| {
        let Some(views) = Views::new() else { return };
        let path = made(&views.merged);
        let mut daemon = actor(&path, "hold, with all descriptors closed");
        assert_eq!(daemon.hear(), "held");
        expect_seen_twice(&path, daemon.id());
        assert!(daemon.ends_well());
    });
}

#[test]
fn on_an_overlay_a_segment_keeps_its_descriptor() {
    let _alone = alone();
    with_own_mounts(|| {
        let Some(views) = Views::new() else { return };
        let path = made(&views.merged);
        let mut segment = Counter::open(&path).expect("there");
        let refused = segment.close_descriptor().expect_err("it keeps the lock");
        assert!(matches!(refused, CloseError::OnOverlay), "{refused}");
        let refused = replaced(&path).expect_err("in use");
        assert!(matches!(refused, OpenError::AlreadyExists(_)), "{refused}");
    });
}

/// Runs a test in a process whose children are in a new PID namespace.
fn with_own_processes(test: impl FnOnce()) {
    with_own_mounts(|| {
        // SAFETY: no preconditions.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "root may do this");
        test();
    });
}

#[test]
fn a_living_holder_in_a_container_keeps_its_lock_from_the_host() {
    let _alone = alone();
    with_own_processes(|| {
        let Some(views) = Views::new() else { return };
        let path = made(&views.merged);
        let mut holder = actor(&path, "hold");
        assert_eq!(holder.hear(), "held");
        assert_eq!(entry(&Counter::open(&path).expect("there"), 1).expect("the first of its kind").process_id, 1);
        expect_seen_twice(&views.upper.join("segment"), holder.id());
        holder.kill();
    });
}

/// Nothing is known of a process that is out of sight. On an overlay it may use the layer below.
#[test]
fn a_living_holder_on_the_host_keeps_its_lock_from_a_container() {
    let _alone = alone();
    with_own_mounts(|| {
        let Some(views) = Views::new() else { return };
        let segment = Counter::open(made(&views.upper)).expect("there");
        let guard = segment.lock().expect("free");
        // SAFETY: no preconditions.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "root may do this");
        let mut container = actor(&views.merged.join("segment"), "open what cannot be decided");
        assert_eq!(container.hear(), "vouched for");
        assert!(container.ends_well());
        drop(guard);
    });
}

/// A fault that was there once: a backup that was copied back into the same inode was taken for the
/// file that had been in use. A holder had died, and had been in another PID namespace, so that we
/// could not check it. Its hold stayed forever.
#[test]
fn in_a_backup_that_was_put_back_the_holders_are_dead() {
    let _alone = alone();
    for directory in directories() {
        // A PID namespace ends with its first process.
        with_own_processes(|| {
            let path = made(directory.path());
            let mut holder = actor(&path, "hold");
            assert_eq!(holder.hear(), "held");
            let backup = std::fs::read(&path).expect("readable");
            holder.kill();
            let inode = || std::fs::metadata(&path).expect("there").ino();
            let before = inode();
            // With cp over the file, and with rm and cp: on ext4 the new file gets the inode of the
            // old one.
            for remove in [false, true] {
                if remove {
                    std::fs::remove_file(&path).expect("there");
                }
                std::fs::write(&path, &backup).expect("written");
                assert!(remove || inode() == before);
                let opened = Counter::open(&path).expect("a segment");
                assert!(matches!(opened.try_lock(), Err(TryLockError::OwnerDied(_))));
            }
        });
    }
}

/// A fault that was there once: processes that opened a copy at the same time obstructed each other
/// until all gave up. (With 32 of them it happened about once in ten times, so it is tried many
/// times.)
#[test]
fn after_a_copy_or_a_reboot_one_of_many_openers_revives_the_segment_and_all_succeed() {
    let _alone = alone();
    const MANY: usize = 32;
    let directory = directory();
    // A large table takes long to free, so that the openers meet in the middle of that.
    let options = Segment::<()>::options().participants(4_096).room::<Mutex<u64>>(MANY);
    let (path, copy) = (directory.path().join("segment"), directory.path().join("copy"));
    drop(options.create(&path, |(), _| {}).expect("made"));
    let holder = fork(|| {
        let segment = options.open(&path).expect("there");
        segment.room().iter().for_each(|lock| core::mem::forget(lock.lock()));
        std::fs::copy(&path, &copy).expect("copied while it holds");
        0
    });
    assert_eq!(wait(holder), 0);
    let image = std::fs::read(&copy).expect("readable");
    // As after a reboot: the boot id is another.
    let mut of_another_boot = image.clone();
    of_another_boot[120] ^= 1;
    for round in 0..30 {
        let copy = directory.path().join(format!("copy {round}"));
        std::fs::write(&copy, if round % 2 == 0 { &image } else { &of_another_boot }).expect("written");
        all_open_at_once::<MANY>(&options, &copy);
        std::fs::remove_file(&copy).expect("there");
    }
}

fn all_open_at_once<const MANY: usize>(options: &outlive::SegmentOptions<(), Mutex<u64>>, path: &Path) {
    // All openers queue behind a holder of the turn, so that they really come at once.
    let first = File::options().read(true).write(true).open(path).expect("there");
    assert!(lock(&first, TURN, libc::F_WRLCK));
    let meetings = [const { AtomicUsize::new(0) }; 3];
    let meet = |which: usize, all: usize| {
        meetings[which].fetch_add(1, SeqCst);
        until("the others to come", || meetings[which].load(SeqCst) == all);
    };
    let take = |mine: usize| {
        meet(0, MANY + 1);
        let segment = options.open(path).expect("one of them wins, and the others join");
        match segment.room()[mine].try_lock() {
            Err(TryLockError::OwnerDied(left)) => left.into_inner().mark_consistent(),
            other => panic!("{mine}: a dead one had it: {other:?}"),
        }
        core::mem::forget(segment.room()[mine].lock().expect("free"));
        meet(1, MANY);
        let held = |lock: &Mutex<u64>| matches!(lock.try_lock(), Err(TryLockError::WouldBlock));
        assert!(segment.room().iter().all(held), "{mine}: revived twice, and a lock was given away");
        meet(2, MANY);
    };
    std::thread::scope(|scope| {
        let take = &take;
        let all: Vec<_> = (0..MANY).map(|mine| scope.spawn(move || take(mine))).collect();
        meet(0, MANY + 1);
        drop(first);
        all.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
}

/// A reviver was killed. A child that it had just forked keeps the mapping.
#[test]
fn an_unfinished_revival_is_done_again() {
    let _alone = alone();
    let directory = directory();
    let path = made(directory.path());
    let mut holder = actor(&path, "hold");
    assert_eq!(holder.hear(), "held");
    let image = std::fs::read(&path).expect("readable");
    holder.kill();
    let keeps_the_mapping = Counter::open(&path).expect("there");
    let file = File::options().read(true).write(true).open(&path).expect("there");
    file.write_all_at(&image, 0).expect("written");
    assert_eq!(Counter::open(&path).expect("is joined").participants().len(), 1, "on record, and not marked");
    file.write_all_at(&REVIVING.to_le_bytes(), MARK).expect("written");
    let opened = Counter::open(&path).expect("is revived");
    assert!(opened.participants().is_empty(), "the participant on record was killed long ago");
    assert!(matches!(opened.try_lock(), Err(TryLockError::OwnerDied(_))));
    let mut mark = [1; 4];
    file.read_exact_at(&mut mark, MARK).expect("read");
    assert_eq!(mark, [0; 4]);
    drop(keeps_the_mapping);
}

/// A fault that was there once: all of these files were replaced.
#[test]
fn only_a_segment_is_replaced() {
    let _alone = alone();
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("file"), "somebody's data").expect("written");
    std::fs::write(at("empty"), "").expect("written");
    std::fs::write(at("long"), [7; 10_000]).expect("written");
    std::fs::write(at("mode 0"), "somebody's data").expect("written");
    std::fs::set_permissions(at("mode 0"), PermissionsExt::from_mode(0o0)).expect("set");
    std::fs::create_dir(at("directory")).expect("made");
    std::os::unix::fs::symlink(made(directory.path()), at("link")).expect("made");
    let socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("bound");
    let node = |name: &str, kind, device| {
        let path = CString::new(at(name).to_str().expect("UTF-8")).expect("no NUL");
        // SAFETY: the string lives for the call.
        unsafe { libc::mknod(path.as_ptr(), kind | 0o600, device) == 0 }
    };
    assert!(node("fifo", libc::S_IFIFO, 0));
    let mut names = vec!["file", "empty", "long", "mode 0", "directory", "link", "socket", "fifo"];
    if node("device", libc::S_IFCHR, libc::makedev(1, 3)) {
        names.push("device");
    } else {
        skipped("only root can make a device node");
    }
    let fact = |name: &str| {
        let about = std::fs::symlink_metadata(at(name)).expect("there");
        (about.ino(), about.mode(), about.len(), about.mtime_nsec())
    };
    for name in names {
        let before = fact(name);
        let refused = replaced(&at(name)).expect_err("is no segment");
        // The mode keeps all users out except root. Root finds that the file is no segment.
        let fits = matches!(refused, OpenError::NotASegment) || matches!(refused, OpenError::Io(_) if name == "mode 0");
        assert!(fits, "{name}: {refused}");
        assert_eq!(fact(name), before, "{name}");
    }
    drop(socket);
}

/// How the users of another format show that they use a segment is not known.
#[test]
fn a_segment_of_another_format_is_not_replaced() {
    let _alone = alone();
    let directory = directory();
    let path = made(directory.path());
    let file = File::options().write(true).open(&path).expect("there");
    file.write_all_at(&[0xff], 8).expect("written");
    assert!(matches!(replaced(&path), Err(OpenError::Version { .. })));
    file.write_all_at(&outlive::segment::FORMAT.to_le_bytes(), 8).expect("written");
    // A segment with any other damage can be replaced.
    file.set_len(300).expect("truncated");
    until("nobody to have it mapped", || replaced(&path).is_ok());
}

/// A fault that was there once: the names had been exchanged, the old file could not be removed,
/// and this was reported as a failure.
#[test]
fn a_replacement_that_cannot_clean_up_is_a_success() {
    let _alone = alone();
    let directory = directory();
    let path = made(directory.path());
    let before = std::fs::metadata(&path).expect("there").ino();
    assert!(actor(&path, "replace, and not be able to remove").ends_well());
    assert_ne!(std::fs::metadata(&path).expect("there").ino(), before);
    assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 2, "the old one is left");
    until("the next replacer to remove what was left", || {
        let _replaced = replaced(&path);
        std::fs::read_dir(directory.path()).expect("readable").count() == 1
    });
}

fn expect_busy(path: &Path, reader: bool) {
    let options = Counter::options().busy_timeout(Duration::from_millis(20)).replace_abandoned(true);
    for refused in [options.open(path), options.create(path, |_, _| {}), options.open_or_create(path, |_, _| {})] {
        let refused = refused.expect_err("the turn is somebody else's");
        assert!(matches!(refused, OpenError::Busy { by_reader, .. } if by_reader == reader), "{refused}");
    }
}

/// A fault that was there once: a process that may only read took the file's lock exclusively, and
/// kept all others out.
#[test]
fn a_mere_reader_can_make_a_segment_look_in_use_but_keeps_nobody_waiting_forever() {
    let _alone = alone();
    let directory = directory();
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("set");
    let path = directory.path().join("segment");
    drop(Counter::options().mode(0o644).create(&path, |m, _| *m.get_mut() = 7).expect("made"));
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return skipped("only root can become somebody else");
    }
    let mut reader = actor(&path, "read, and lock what a reader can");
    assert_eq!(reader.hear(), "locked both");
    expect_busy(&path, true);
    reader.tell();
    assert_eq!(reader.hear(), "locked use");
    assert_eq!(*Counter::open(&path).expect("is joined").lock().expect("free"), 7);
    assert!(matches!(replaced(&path), Err(OpenError::AlreadyExists(_))));
    assert!(reader.ends_well());
    until("the segment to be considered abandoned", || replaced(&path).is_ok());
}

#[test]
fn an_opener_waits_for_its_turn_as_long_as_its_busy_timeout() {
    let _alone = alone();
    let directory = directory();
    let path = made(directory.path());
    let stopped = File::options().read(true).write(true).open(&path).expect("there");
    assert!(lock(&stopped, TURN, libc::F_WRLCK));
    expect_busy(&path, false);
    drop(stopped);
    assert!(Counter::options().busy_timeout(Duration::ZERO).open(&path).is_ok());
}
