//! Segments that are passed on: to children, to grandchildren, to other users' processes, and over
//! sockets.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{InheritError, Lock, Mutex, OpenError, PassError, ReceiveError, Segment, TryLockError};
use rustix::fs::{Mode, OFlags, inotify};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg,
};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const NAME: &str = "counter";
const VARIABLE: &str = "OUTLIVE_SEGMENT_counter";

/// This test binary in a role. Its path is one that every user can run.
fn command(role: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--ignored", "--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env("OUTLIVE_ROLE", role).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The words of a child that runs to its end.
fn said(command: &mut Command) -> Vec<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}: {text}", output.status);
    text.lines().filter_map(|line| Some(line.split_once("SAYS ")?.1.to_owned())).collect()
}

/// A child that is killed and reaped when dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("runs"))
    }
    fn hear(&mut self) -> String {
        let mut line = String::new();
        let mut byte = [0];
        let output = self.0.stdout.as_mut().expect("piped");
        loop {
            assert_eq!(output.read(&mut byte).expect("readable"), 1, "the child ended without a word");
            match byte {
                [b'\n'] => match line.split_once("SAYS ") {
                    Some((_, said)) => return said.to_owned(),
                    None => line.clear(),
                },
                [other] => line.push(other.into()),
            }
        }
    }
    fn ends_well(&mut self) -> bool {
        drop(self.0.stdin.take());
        self.0.wait().expect("waited").success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_before = self.0.kill();
        let _reaped_before = self.0.wait();
    }
}

fn told<T>(answer: Result<T, impl std::fmt::Debug>) -> String {
    match answer {
        Ok(_) => "opened".into(),
        Err(error) => {
            format!("{error:?}").trim_start_matches("Open(").split(['(', ' ', ')']).next().expect("a word").into()
        }
    }
}

/// The number of the passed descriptor.
fn passed_number() -> RawFd {
    let value = std::env::var(VARIABLE).expect("passed");
    value.split(':').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The descriptors of this process that refer to this file.
fn descriptors_of(inode: u64) -> usize {
    let all = std::fs::read_dir("/proc/self/fd").expect("readable");
    all.filter(|entry| {
        let path = entry.as_ref().expect("an entry").path();
        std::fs::metadata(path).is_ok_and(|about| about.ino() == inode)
    })
    .count()
}

/// Takes all free numbers below this one, which is free itself.
fn taken_below(number: RawFd) -> Vec<OwnedFd> {
    let open = || open_as_it_is(Path::new("/dev/null"), OFlags::RDONLY);
    std::iter::repeat_with(open).take_while(|taken| taken.as_raw_fd() < number).collect()
}

fn open_as_it_is(path: &Path, flags: OFlags) -> OwnedFd {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).expect("opened")
}

/// The two ends of a terminal.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    let none = std::ptr::null_mut();
    // SAFETY: both numbers are live locals, and the other arguments may be null.
    unsafe {
        assert_eq!(libc::openpty(&mut master, &mut slave, none, none.cast(), none.cast()), 0);
        let own = |number| std::os::fd::FromRawFd::from_raw_fd(number);
        (own(master), own(slave))
    }
}

fn has_a_controlling_terminal() -> bool {
    rustix::fs::open("/dev/tty", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty()).is_ok()
}

/// The words of a child that was passed nothing itself. It has `other` at the number that its
/// parent's passed descriptor had.
fn grandchild(other: BorrowedFd<'_>) -> Vec<String> {
    let (number, other) = (passed_number(), other.as_raw_fd());
    let mut command = command("report whether something was passed");
    // SAFETY: system calls alone, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            if other == number {
                libc::fcntl(number, libc::F_SETFD, 0);
            } else {
                libc::dup2(other, number);
            }
            Ok(())
        });
    }
    said(&mut command)
}

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    match role.as_str() {
        "inherit and drop" => {
            let segment = Counter::inherit(NAME).expect("passed");
            // SAFETY: the descriptor is only asked for its inode.
            let inode = rustix::fs::fstat(unsafe { segment.borrow_fd() }.expect("open")).expect("open").st_ino;
            *segment.lock().expect("free") += 1;
            segment.detach().expect("nothing is held");
            drop(segment);
            say(&descriptors_of(inode).to_string());
            wait_for_the_word();
        }
        "inherit twice" => {
            let segment = Counter::inherit(NAME).expect("passed");
            say(&told(Counter::inherit(NAME)));
            // Another descriptor of the same file gets the number, which is free now.
            let number = passed_number();
            // SAFETY: the descriptor is only duplicated.
            let descriptor = unsafe { segment.borrow_fd() }.expect("open").as_raw_fd();
            if descriptor != number {
                // SAFETY: the number is not open, or the test fails.
                assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1);
                // SAFETY: as above.
                assert_eq!(unsafe { libc::dup2(descriptor, number) }, number);
            }
            say(&told(Counter::inherit(NAME)));
            // SAFETY: the call only asks for flags.
            say(if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 { "still open" } else { "closed" });
        }
        "inherit as another type" => {
            say(&told(Segment::<Lock>::inherit(NAME)));
            say(&told(Counter::inherit(NAME)));
            say(&told(Counter::inherit(NAME)));
        }
        "inherit in two threads" => {
            let answers: Vec<String> = std::thread::scope(|scope| {
                let all = [(); 4].map(|()| scope.spawn(|| told(Counter::inherit(NAME))));
                all.map(|thread| thread.join().expect("no panic")).into()
            });
            say(&answers.iter().filter(|answer| *answer == "opened").count().to_string());
        }
        "report whether something was passed" => {
            let about = |number: RawFd| std::fs::metadata(format!("/proc/self/fd/{number}")).map(|about| about.ino());
            let before = about(passed_number()).ok();
            say(&told(Counter::inherit(NAME)));
            assert_eq!(about(passed_number()).ok(), before, "a descriptor that is not ours was closed");
            say(if has_a_controlling_terminal() { "a terminal" } else { "no terminal" });
        }
        "have children that were passed nothing" => {
            let segment = Counter::inherit(NAME).expect("passed");
            let expected = ["NotPassed", "no terminal"];
            let directory = directory();
            let nothing = open_as_it_is(Path::new("/dev/null"), OFlags::RDONLY);
            assert_eq!(grandchild(nothing.as_fd()), expected, "a device");

            let fifo = directory.path().join("fifo");
            rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::from_raw_mode(0o600)).expect("made");
            let unopened = open_as_it_is(&fifo, OFlags::PATH);
            let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).expect("a watch");
            inotify::add_watch(&watch, &fifo, inotify::WatchFlags::OPEN).expect("watched");
            assert_eq!(grandchild(unopened.as_fd()), expected, "a FIFO");
            let mut events = [0; 1024];
            let none = rustix::io::read(&watch, &mut events);
            assert_eq!(none, Err(rustix::io::Errno::AGAIN), "the FIFO was opened, which its other end notices");
            drop(open_as_it_is(&fifo, OFlags::RDWR));
            assert!(rustix::io::read(&watch, &mut events).is_ok(), "the watch notices an opening");

            let (_master, slave) = terminal();
            assert_eq!(grandchild(slave.as_fd()), expected, "a terminal");
            let file = open_as_it_is(&directory.path().join("file"), OFlags::RDWR | OFlags::CREATE);
            assert_eq!(grandchild(file.as_fd()), expected, "a file");
            // SAFETY: the descriptor is only passed to a process of this test.
            let same = unsafe { segment.borrow_fd() }.expect("open");
            assert_eq!(grandchild(same), expected, "the segment itself, for other purposes");
            say("as expected");
        }
        "inherit, add one, and pass it on" => {
            let segment = Counter::inherit(NAME).expect("passed");
            *segment.lock().expect("free") += 1;
            let mut next = command("inherit and add one");
            // The number of the passed descriptor is the next free one.
            let _taken = taken_below(passed_number());
            segment.pass_to(&mut next, NAME).expect("passed on");
            assert_eq!(told(Counter::inherit(NAME)), "NotPassed", "what is to be passed on is not what was passed");
            for _ in 0..2 {
                assert_eq!(said(&mut next), ["opened"]);
            }
            say("passed on");
        }
        "inherit and add one" => {
            let segment = Counter::inherit(NAME);
            say(&told(segment.as_ref().map_err(|error| panic!("{error}"))));
            *segment.expect("passed").lock().expect("free") += 1;
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn a_child_that_has_inherited_and_dropped_a_segment_keeps_neither_descriptor_nor_lock() {
    let directory = directory();
    let path = made(&directory);
    let segment = Counter::open(&path).expect("there");
    let mut command = command("inherit and drop");
    segment.pass_to(&mut command, NAME).expect("passed");
    drop(segment);
    let mut child = Running::start(&mut command);
    assert_eq!(child.hear(), "0", "descriptors of the segment are left");
    let options = Counter::options().replace_abandoned(true);
    until("the segment to be considered abandoned", || options.create(&path, |_, _| {}).is_ok());
    assert!(child.ends_well());
}

#[test]
fn a_kept_command_does_not_keep_a_segment_in_use() {
    let directory = directory();
    let path = made(&directory);
    let mut command = command("inherit and add one");
    Counter::open(&path).expect("there").pass_to(&mut command, NAME).expect("passed");
    for _ in 0..2 {
        assert_eq!(said(&mut command), ["opened"], "spawned again and again");
    }
    let options = Counter::options().replace_abandoned(true);
    until("the segment to be considered abandoned", || options.create(&path, |_, _| {}).is_ok());
    drop(command);
}

#[test]
fn a_segment_that_was_passed_once_is_inherited_once() {
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    let answers = |role| {
        let mut command = command(role);
        segment.pass_to(&mut command, NAME).expect("passed");
        said(&mut command)
    };
    assert_eq!(answers("inherit twice"), ["NotPassed", "NotPassed", "still open"]);
    assert_eq!(answers("inherit as another type"), ["Type", "opened", "NotPassed"]);
    assert_eq!(answers("inherit in two threads"), ["1"]);
}

#[test]
fn grandchildren_that_were_passed_nothing_get_an_error_and_none_of_their_files_is_touched() {
    for segment in [Counter::anonymous(|_| {}).expect("a segment"), {
        let directory = directory();
        Counter::open(made(&directory)).expect("there")
    }] {
        let mut command = command("have children that were passed nothing");
        segment.pass_to(&mut command, NAME).expect("passed");
        assert_eq!(said(&mut command), ["as expected"]);
    }
}

#[test]
fn a_segment_is_passed_on_and_on() {
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    let mut command = command("inherit, add one, and pass it on");
    segment.pass_to(&mut command, NAME).expect("passed");
    for _ in 0..2 {
        assert_eq!(said(&mut command), ["passed on"]);
    }
    assert_eq!(*segment.lock().expect("free"), 6);
}

/// A fault that was there once: the child could not open the file a second time, and got an error
/// that nothing was passed.
#[test]
fn a_child_of_another_user_gets_what_it_was_passed() {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        skipped("only root can start children of other users");
        return;
    }
    let name = format!("outlive-test-passing-{}", std::process::id());
    let segment = Counter::create(&name, |_| {}).expect("made");
    Counter::remove(&name).expect("there");
    let mut command = command("inherit, add one, and pass it on");
    segment.pass_to(&mut command, NAME).expect("passed");
    for _ in 0..2 {
        assert_eq!(said(command.uid(12_345).gid(12_345)), ["passed on"]);
    }
    assert_eq!(*segment.lock().expect("free"), 6);
}

#[test]
fn a_name_that_could_never_be_inherited_is_refused_when_it_is_passed() {
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    let longest = "x".repeat(100);
    for name in ["", "a=b", "nul\0", &format!("{longest}x")] {
        let mut command = command("never spawned");
        let passed = segment.pass_to(&mut command, name);
        assert!(matches!(&passed, Err(PassError::InvalidName(found)) if found == name), "{name:?}: {passed:?}");
        let inherited = Counter::inherit(name);
        assert!(matches!(&inherited, Err(InheritError::InvalidName(found)) if found == name), "{name:?}");
    }
    assert!(segment.pass_to(&mut command("never spawned"), &longest).is_ok());
    assert!(matches!(Counter::inherit(&longest), Err(InheritError::NotPassed(_))));
}

/// Other values of the variable count as nothing passed.
#[test]
fn nonsense_in_the_variable_counts_as_nothing_passed() {
    for value in ["", "x", "3", "1:2:3:4", "99999:1:2:3", "3:1:2:0"] {
        let mut command = command("report whether something was passed");
        // The role asks for the number.
        command.env(VARIABLE, if value.contains(':') { value } else { "7:1:2" });
        assert_eq!(said(&mut command)[0], "NotPassed", "{value:?}");
    }
}

/// Sends one byte with these descriptors, as a program without this library.
fn send(stream: &UnixStream, byte: u8, descriptors: &[BorrowedFd<'_>]) {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(250))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors)));
    let sent = rustix::net::sendmsg(stream, &[IoSlice::new(&[byte])], &mut control, SendFlags::empty());
    assert_eq!(sent, Ok(1));
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("readable").count()
}

#[test]
fn a_segment_sent_over_a_socket_is_the_same_in_another_process() {
    let directory = directory();
    for segment in [Counter::anonymous(|_| {}).expect("a segment"), Counter::open(made(&directory)).expect("there")] {
        let (here, there) = UnixStream::pair().expect("a pair");
        let before = *segment.lock().expect("free");
        let child = fork(|| {
            let received = Counter::receive_from(&there).unwrap_or_else(|error| panic!("{error}"));
            *received.lock().expect("free") += 1;
            // SAFETY: the descriptor is only asked for its flags.
            let flags = rustix::io::fcntl_getfd(unsafe { received.borrow_fd() }.expect("open")).expect("open");
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            0
        });
        segment.send_to(&here).expect("sent");
        assert_eq!(wait(child), 0);
        assert_eq!(*segment.lock().expect("free"), before + 1);
    }
}

#[test]
fn a_received_file_that_is_no_segment_is_refused_and_closed() {
    const S: u8 = b'S';
    // One thread, so that the descriptors can be counted.
    let status = in_a_child(|| {
        let (here, there) = UnixStream::pair().expect("a pair");
        let directory = directory();
        let path = made(&directory);
        let file = open_as_it_is(&path, OFlags::RDWR);
        let plain = open_as_it_is(&directory.path().join("plain"), OFlags::RDWR | OFlags::CREATE);
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::from_raw_mode(0o600)).expect("made");
        let fifo = open_as_it_is(&fifo, OFlags::RDWR);
        let read_only = open_as_it_is(&path, OFlags::RDONLY);
        let unopened = open_as_it_is(&path, OFlags::PATH);
        let good = file.as_fd();
        let before = open_descriptors();
        let not_received: [(&str, u8, &[BorrowedFd<'_>]); 9] = [
            ("none", S, &[]),
            ("two", S, &[good, good]),
            ("more than fit", S, &[good; 250]),
            ("another byte", b'T', &[good]),
            ("a FIFO", S, &[fifo.as_fd()]),
            ("a socket", S, &[here.as_fd()]),
            ("a path's", S, &[unopened.as_fd()]),
            ("one for reading", S, &[read_only.as_fd()]),
            ("another byte, and none", 0, &[]),
        ];
        for (what, byte, descriptors) in not_received {
            send(&here, byte, descriptors);
            let error = Counter::receive_from(&there).expect_err(what);
            assert!(matches!(error, ReceiveError::NotReceived { .. }), "{what}: {error:?}");
            assert_eq!(open_descriptors(), before, "{what}: not closed");
        }
        send(&here, S, &[plain.as_fd()]);
        assert!(matches!(Counter::receive_from(&there), Err(ReceiveError::Open(OpenError::NotASegment))));
        send(&here, S, &[good]);
        assert!(matches!(Segment::<Lock>::receive_from(&there), Err(ReceiveError::Open(OpenError::Type { .. }))));
        assert_eq!(open_descriptors(), before, "not closed");
        send(&here, S, &[good]);
        let segment = Counter::receive_from(&there).expect("a good one, after all of these");
        assert_eq!(*segment.lock().expect("free"), 7);
        drop(here);
        let error = Counter::receive_from(&there).expect_err("the end");
        assert!(matches!(&error, ReceiveError::NotReceived { found } if found == "the end of the stream"), "{error:?}");
        0
    });
    assert_eq!(status, 0);
}

/// The one descriptor of a message, received as a program without this library.
fn receive(stream: &UnixStream) -> OwnedFd {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 16];
    recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC).expect("received");
    let mut came = control.drain().filter_map(|part| match part {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    came.next().and_then(|mut descriptors| descriptors.next()).expect("a descriptor came")
}

#[test]
fn a_descriptor_that_came_by_another_protocol_is_a_segment_in_another_process() {
    let directory = directory();
    for segment in [Counter::anonymous(|_| {}).expect("a segment"), Counter::open(made(&directory)).expect("there")] {
        let (here, there) = UnixStream::pair().expect("a pair");
        let before = *segment.lock().expect("free");
        let child = fork(|| {
            let came = receive(&there);
            let received = Counter::from_fd(&came).unwrap_or_else(|error| panic!("{error}"));
            drop(came); // the segment does not need it any more
            *received.lock().expect("free") += 1;
            i32::from(received.participants().len() != 2)
        });
        // SAFETY: the descriptor is only sent to a process of this test.
        send(&here, b'x', &[unsafe { segment.borrow_fd() }.expect("open")]);
        assert_eq!(wait(child), 0);
        assert_eq!(*segment.lock().expect("free"), before + 1);
        // SAFETY: the descriptor is only opened once more.
        let second = Counter::from_fd(unsafe { segment.borrow_fd() }.expect("open")).expect("the same");
        assert_eq!(*second.lock().expect("free"), before + 1);
    }
}

#[test]
fn a_descriptor_of_no_segment_is_refused_and_not_touched() {
    // One thread, so that the descriptors can be counted.
    let status = in_a_child(|| {
        let directory = directory();
        let path = made(&directory);
        let open = |name: &str, flags| open_as_it_is(&directory.path().join(name), flags);
        let content = std::fs::read(&path).expect("readable");
        let file = |name: &str, content: &[u8]| {
            std::fs::write(directory.path().join(name), content).expect("written");
            open(name, OFlags::RDWR)
        };
        let patched = |at: usize| {
            let mut content = content.clone();
            content[at] ^= 0x55;
            file(&format!("patched at {at}"), &content)
        };
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::from_raw_mode(0o600)).expect("made");
        let unopened_fifo = open("fifo", OFlags::PATH);
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).expect("a watch");
        inotify::add_watch(&watch, &fifo, inotify::WatchFlags::OPEN).expect("watched");
        let (socket, _other) = UnixStream::pair().expect("a pair");
        let descriptors: [(&str, OwnedFd, &str); 14] = [
            ("a FIFO's path", unopened_fifo, "NotASegment"),
            ("a directory", open("", OFlags::RDONLY), "NotASegment"),
            ("a device", open_as_it_is(Path::new("/dev/null"), OFlags::RDWR), "NotASegment"),
            ("a socket", socket.into(), "NotASegment"),
            ("an empty file", file("empty", b""), "NotASegment"),
            ("another file", file("other", &[b'x'; 9_000]), "NotASegment"),
            ("other magic", patched(0), "NotASegment"),
            ("another version", patched(8), "Version"),
            ("another type", patched(16), "Type"),
            ("another number of participants", patched(104), "Size"),
            ("one that was cut off", file("short", &content[..content.len() - 1]), "Size"),
            ("one for reading", open("segment", OFlags::RDONLY), "Io"),
            ("one for writing", open("segment", OFlags::WRONLY), "Io"),
            ("a path's", open("segment", OFlags::PATH), "Io"),
        ];
        let (before, times) = (open_descriptors(), || std::fs::metadata(&path).expect("there").mtime_nsec());
        let unchanged = times();
        for (what, descriptor, error) in &descriptors {
            assert_eq!(told(Counter::from_fd(descriptor)), *error, "{what}");
            assert_eq!(open_descriptors(), before, "{what}: one is left open");
        }
        assert_eq!(rustix::io::read(&watch, &mut [0; 64]), Err(rustix::io::Errno::AGAIN), "the FIFO was opened");
        let good = open("segment", OFlags::RDWR);
        assert_eq!(told(Segment::<Lock>::from_fd(&good)), "Type");
        assert_eq!(told(Counter::options().room::<u32>(0).from_fd(&good)), "RoomType");
        assert_eq!(told(Counter::options().owner(12_345).from_fd(&good)), "Owner");
        assert_eq!(told(Counter::options().mode(0o4755).from_fd(&good)), "InvalidOption");
        assert_eq!((times(), std::fs::read(&path).expect("readable")), (unchanged, content.clone()));
        assert_eq!(rustix::fs::tell(&good), Ok(0), "the offset is the caller's");
        let segment = Counter::from_fd(&good).expect("a good one, after all of these");
        assert_eq!((*segment.lock().expect("free"), rustix::fs::tell(&good)), (7, Ok(0)));
        0
    });
    assert_eq!(status, 0);
}

#[test]
fn another_users_segment_is_refused_as_a_descriptor_unless_that_user_was_named() {
    let directory = directory();
    let path = made(&directory);
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
        skipped("only root can give a file away");
        return;
    }
    let file = open_as_it_is(&path, OFlags::RDWR);
    assert!(matches!(Counter::from_fd(&file), Err(OpenError::Owner { found: 12_345, .. })));
    assert!(Counter::options().owner(12_345).from_fd(&file).is_ok());
}

/// The descriptor is no mapping, so it does not make the segment count as in use.
#[test]
fn a_kept_descriptor_does_not_keep_a_segment_in_use_and_deaths_are_reported() {
    let directory = directory();
    let path = made(&directory);
    let file = open_as_it_is(&path, OFlags::RDWR);
    let status = in_a_child(|| {
        let segment = Counter::from_fd(&file).expect("a segment");
        std::mem::forget(segment.lock().expect("free"));
        0 // ends without running a destructor
    });
    assert_eq!(status, 0);
    let segment = Counter::from_fd(&file).expect("a segment");
    assert!(matches!(segment.try_lock(), Err(TryLockError::OwnerDied(_))));
    segment.detach().expect("nothing is held");
    drop(segment);
    let options = Counter::options().replace_abandoned(true);
    until("the segment to be considered abandoned", || options.create(&path, |_, _| {}).is_ok());
}

#[test]
fn a_segment_is_sent_over_any_kind_of_unix_socket() {
    let segment = Counter::anonymous(|count| *count.get_mut() = 7).expect("a segment");
    let (here, there) = std::os::unix::net::UnixDatagram::pair().expect("a pair");
    segment.send_to(&here).expect("sent");
    assert_eq!(*Counter::receive_from(&there).expect("sent before").lock().expect("free"), 7);
    assert!(matches!(segment.send_to(std::fs::File::open("/dev/null").expect("there")), Err(PassError::Io(_))));
}

#[test]
fn the_owner_of_a_passed_segment_is_checked_only_if_asked_for() {
    let (here, there) = UnixStream::pair().expect("a pair");
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    segment.send_to(&here).expect("sent");
    let of_another = Counter::options().owner(12_345);
    assert!(matches!(
        of_another.receive_from(&there),
        Err(ReceiveError::Open(OpenError::Owner { expected: 12_345, .. }))
    ));
    segment.send_to(&here).expect("sent");
    assert!(Counter::options().mode(0o4755).receive_from(&there).is_err(), "refused before anything is taken");
    assert!(Counter::receive_from(&there).is_ok());
}

#[test]
fn a_segment_that_was_sent_but_not_received_does_not_count_as_in_use() {
    let directory = directory();
    let path = made(&directory);
    let (here, there) = UnixStream::pair().expect("a pair");
    Counter::open(&path).expect("there").send_to(&here).expect("sent");
    let options = Counter::options().replace_abandoned(true);
    until("the segment to be considered abandoned", || options.create(&path, |_, _| {}).is_ok());
    assert_eq!(*Counter::receive_from(&there).expect("sent before").lock().expect("free"), 7);
}

/// A passed segment does not count as in use by that. So, when it arrives, the receiver also takes
/// from the dead what they have left. It does not do so while an opener by name works on the
/// segment.
#[test]
fn a_segment_that_nobody_has_mapped_is_revived_when_it_arrives_in_turn() {
    const TURN: i64 = i64::MAX - 2;
    const CLAIMED: u64 = 1 << 62;
    let directory = directory();
    let path = directory.path().join("segment");
    drop(Counter::options().participants(1).create(&path, |_, _| {}).expect("made"));
    let file = open_as_it_is(&path, OFlags::RDWR);
    let (here, there) = UnixStream::pair().expect("a pair");
    // Thread 1 always lives. The tag is that of no PID namespace of this boot.
    rustix::io::pwrite(&file, &(CLAIMED | 1 << 46 | 1).to_le_bytes(), 512).expect("written");
    // SAFETY: all bytes of this structure may be zero.
    let mut turn: libc::flock64 = unsafe { std::mem::zeroed() };
    (turn.l_type, turn.l_start, turn.l_len) = (libc::F_WRLCK as i16, TURN, 1);
    // SAFETY: the structure is there.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &turn) }, 0);
    send(&here, b'S', &[file.as_fd()]);
    let impatient = Counter::options().busy_timeout(Duration::from_millis(5));
    assert!(matches!(impatient.receive_from(&there), Err(ReceiveError::Open(OpenError::Busy { .. }))), "not its turn");
    turn.l_type = libc::F_UNLCK as i16;
    // SAFETY: as above.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &turn) }, 0);
    // Children that other tests are starting have the segment mapped until they execute their
    // program.
    until("nobody to have it mapped", || {
        send(&here, b'S', &[file.as_fd()]);
        Counter::receive_from(&there).expect("sent").attach().is_ok()
    });
}

#[test]
fn a_send_without_a_receiver_is_an_error_and_no_signal() {
    let status = in_a_child(|| {
        // SAFETY: the default, under which a write to nobody kills.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let (here, there) = UnixStream::pair().expect("a pair");
        drop(there);
        let answer = Counter::anonymous(|_| {}).expect("a segment").send_to(&here);
        assert!(matches!(answer, Err(PassError::Io(_))), "{answer:?}");
        0
    });
    assert_eq!(status, 0);
}

static SIGNALS: std::sync::OnceLock<Segment<AtomicU64>> = std::sync::OnceLock::new();

extern "C" fn count_signal(_signal: libc::c_int) {
    if let Some(signals) = SIGNALS.get() {
        signals.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_receiver_that_is_interrupted_by_signals_waits_on() {
    let signals = SIGNALS.get_or_init(|| Segment::anonymous(|_| {}).expect("a segment"));
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    let (here, there) = UnixStream::pair().expect("a pair");
    let child = fork(|| {
        // SAFETY: all bytes of this structure may be zero. SA_RESTART is not set. The handler only
        // counts.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count_signal as extern "C" fn(libc::c_int) as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        }
        let received = Counter::receive_from(&there);
        *received.unwrap_or_else(|error| panic!("{error}")).lock().expect("free") += 1;
        0
    });
    until("signals that interrupt the receiver", || {
        // SAFETY: our own child, which is reaped below.
        unsafe { libc::kill(child, if sleeps(child) { libc::SIGUSR1 } else { 0 }) };
        signals.load(SeqCst) >= 3
    });
    segment.send_to(&here).expect("sent");
    assert_eq!(wait(child), 0);
    assert_eq!(*segment.lock().expect("free"), 1);
}

/// In a child: signals to the calling thread, one every few milliseconds, whose handler does
/// nothing. After [`PATIENCE`] the process ends, since nothing else would end an endless wait.
fn disturb_this_thread() {
    extern "C" fn do_nothing(_signal: libc::c_int) {}
    // SAFETY: all bytes of this structure may be zero. The calls are about this process alone.
    let (process, thread) = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = do_nothing as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        (libc::getpid(), libc::syscall(libc::SYS_gettid))
    };
    std::thread::spawn(move || {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            // SAFETY: that thread lives as long as this process.
            unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR1) };
            std::thread::sleep(Duration::from_millis(5));
        }
        // SAFETY: ends the process.
        unsafe { libc::_exit(98) };
    });
}

/// A fault that was there once: each signal began the timeout anew.
#[test]
fn signals_do_not_prolong_the_timeout_of_a_receiver_or_a_sender() {
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    let status = in_a_child(|| {
        disturb_this_thread();
        let timeout = Duration::from_millis(100);
        let (here, mut there) = UnixStream::pair().expect("a pair");
        here.set_read_timeout(Some(timeout)).expect("set");
        here.set_write_timeout(Some(timeout)).expect("set");
        let is_the_timeouts = |error: &outlive::IoError| error.source.kind() == std::io::ErrorKind::WouldBlock;

        let begin = Instant::now();
        let received = Counter::receive_from(&here);
        assert!(matches!(&received, Err(ReceiveError::Io(error)) if is_the_timeouts(error)), "{received:?}");
        assert!(begin.elapsed() >= timeout, "after {:?}", begin.elapsed());

        let mut sent = 0;
        while segment.send_to(&here).is_ok() {
            sent += 1;
        }
        let begin = Instant::now();
        let answer = segment.send_to(&here);
        assert!(matches!(&answer, Err(PassError::Io(error)) if is_the_timeouts(error)), "{answer:?}");
        assert!(begin.elapsed() >= timeout, "after {:?}", begin.elapsed());
        // Whatever was sent is there, each once.
        for _ in 0..sent {
            drop(Counter::receive_from(&there).expect("sent"));
        }
        there.set_nonblocking(true).expect("set");
        assert!(there.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
        0
    });
    assert_eq!(status, 0, "98: it waits without an end");
}

/// It once turned round and round up to the end of its timeout: the kernel tells only a call that
/// might wait.
#[test]
fn a_receiver_of_datagrams_that_is_shut_down_ends_at_once() {
    let status = in_a_child(|| {
        disturb_this_thread();
        let (here, _there) = UnixDatagram::pair().expect("a pair");
        here.set_read_timeout(Some(2 * PATIENCE)).expect("set");
        let again = here.try_clone().expect("a descriptor");
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50)); // for some signals; the test is right without them
            again.shutdown(std::net::Shutdown::Read).expect("it is open");
        });
        let received = Counter::receive_from(&here);
        assert!(matches!(&received, Err(ReceiveError::NotReceived { .. })), "{received:?}");
        0
    });
    assert_eq!(status, 0, "98: it waits without an end");
}

#[test]
fn what_arrives_between_two_signals_is_received_within_the_timeout() {
    let segment = Counter::anonymous(|_| {}).expect("a segment");
    let (here, there) = UnixStream::pair().expect("a pair");
    there.set_read_timeout(Some(PATIENCE)).expect("set");
    let child = fork(|| {
        disturb_this_thread();
        *Counter::receive_from(&there).expect("sent").lock().expect("free") += 1;
        0
    });
    std::thread::sleep(Duration::from_millis(100)); // for some signals; the test is right without them
    segment.send_to(&here).expect("sent");
    assert_eq!(wait(child), 0);
    assert_eq!(*segment.lock().expect("free"), 1);
}

#[test]
fn a_datagram_that_is_empty_or_longer_than_a_segments_is_called_by_its_name() {
    let (here, there) = std::os::unix::net::UnixDatagram::pair().expect("a pair");
    let told = || Counter::receive_from(&there).expect_err("no segment").to_string();
    here.send(b"").expect("sent");
    let text = told();
    assert!(text.contains("an empty message") && !text.contains("stream"), "{text}");

    let directory = directory();
    let file = open_as_it_is(&made(&directory), OFlags::RDWR);
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let rights = [file.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&rights)));
    let sent = rustix::net::sendmsg(&here, &[IoSlice::new(b"SS")], &mut control, SendFlags::empty());
    assert_eq!(sent, Ok(2));
    let text = told();
    assert!(text.contains("more than one byte"), "{text}");

    Counter::anonymous(|_| {}).expect("a segment").send_to(&here).expect("sent");
    assert!(Counter::receive_from(&there).is_ok(), "each of them was used up as a whole");
}

/// Makes, opens and passes segments, all of which takes a descriptor's name in /proc.
fn make_open_and_pass(directory: &Path) {
    let path = directory.join("made");
    let segment = Counter::create(&path, |count| *count.get_mut() = 7).expect("made");
    let (here, there) = UnixStream::pair().expect("a pair");
    segment.send_to(&here).expect("sent");
    drop(segment);
    // Nobody has it mapped, so the two that follow are revivals.
    let file = open_as_it_is(&path, OFlags::RDWR);
    let opened = Counter::from_fd(&file).expect("a segment");
    assert_eq!(*opened.lock().expect("free"), 7);
    opened.detach().expect("nothing is held");
    drop(opened);
    let received = Counter::receive_from(&there).expect("sent before");
    assert_eq!(*received.lock().expect("free"), 7);
    received.pass_to(&mut command("never spawned"), NAME).expect("passed");
    assert!(outlive::inspect_fd(&file).expect("a segment").is_in_use);
    assert!(Counter::monitor_fd(&file).expect("a segment").is_in_use().expect("looked"));
}

/// A fault that was there once: `/proc/self` is the main thread, which has no descriptors any more.
#[test]
fn segments_are_made_and_passed_after_the_main_thread_has_ended() {
    let directory = directory();
    let path = directory.path().to_owned();
    let status = in_a_child(|| {
        std::thread::spawn(move || {
            let state = || std::fs::read_to_string(format!("/proc/self/task/{}/stat", std::process::id()));
            // If this thread just ended, its success would be that of the process.
            let answer = std::panic::catch_unwind(|| {
                until("the main thread to end", || state().is_ok_and(|stat| stat.contains(") Z ")));
                make_open_and_pass(&path);
            });
            // SAFETY: ends the process.
            unsafe { libc::_exit(if answer.is_ok() { 0 } else { 101 }) };
        });
        // SAFETY: ends this thread, which has nothing to clean up.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
        unreachable!()
    });
    assert_eq!(status, 0);
}

/// As above; the main thread had other files under the numbers.
#[test]
fn segments_are_made_and_passed_by_a_thread_with_descriptors_of_its_own() {
    let directory = directory();
    let path = directory.path();
    let status = in_a_child(|| {
        let (to_thread, from_main) = std::sync::mpsc::channel();
        let (to_main, from_thread) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // SAFETY: this thread has no descriptor that another closes.
                assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
                to_main.send(()).expect("heard");
                from_main.recv().expect("told");
                make_open_and_pass(path);
            });
            from_thread.recv().expect("told");
            let _others: Vec<_> = (0..200).map(|_| open_as_it_is(Path::new("/dev/null"), OFlags::RDWR)).collect();
            to_thread.send(()).expect("heard");
        });
        0
    });
    assert_eq!(status, 0);
}

/// Runs `test` as a user who may not open the file anew, with the file's descriptor. `change` is
/// what happens to the file before, while nobody uses it. Returns whether the segment then counts
/// as in use, as long as the open file is there.
fn as_a_user_who_may_not_open_it(change: impl FnOnce(&std::fs::File), test: impl FnOnce(&OwnedFd)) -> Option<bool> {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        skipped("only root can become another user");
        return None;
    }
    let directory = directory();
    let path = made(&directory);
    change(&std::fs::File::options().write(true).open(&path).expect("there"));
    let file = open_as_it_is(&path, OFlags::RDWR);
    let status = in_a_child(|| {
        // SAFETY: a system call about the calling process, which has one thread.
        assert_eq!(unsafe { libc::setuid(12_345) }, 0);
        assert!(std::fs::File::open(&path).is_err(), "what this test is about");
        test(&file);
        0
    });
    assert_eq!(status, 0);
    Some(outlive::inspect(&path).expect("a segment").is_in_use)
}

fn of_root() -> outlive::SegmentOptions<Mutex<u64>> {
    Counter::options().owner(0)
}

/// Where the header says which boot it is from, and where it says that a revival was begun.
const BOOT: u64 = 120;
const MARK: u64 = 152;

#[test]
fn a_user_who_may_not_open_the_file_joins_by_a_descriptor() {
    let is_in_use = as_a_user_who_may_not_open_it(
        |_file| {},
        |file| assert_eq!(*of_root().from_fd(file).expect("as it is").lock().expect("free"), 7),
    );
    assert_ne!(is_in_use, Some(false), "the lock is that of the open file");
}

#[test]
fn a_segment_of_another_boot_is_not_joined_by_a_descriptor_that_cannot_be_opened_anew() {
    use std::os::unix::fs::FileExt;
    let of_another_boot = |file: &std::fs::File| file.write_all_at(&7u64.to_le_bytes(), BOOT).expect("written");
    let is_in_use = as_a_user_who_may_not_open_it(of_another_boot, |file| {
        let answer = of_root().from_fd(file);
        assert!(matches!(answer, Err(OpenError::CannotRevive)), "{answer:?}");
    });
    assert_ne!(is_in_use, Some(true), "nobody would ever revive it");
    // Whoever uses the segment by an open file of its own has revived it.
    let directory = directory();
    let path = made(&directory);
    of_another_boot(&std::fs::File::options().write(true).open(&path).expect("there"));
    let _user = Counter::open(&path).expect("there");
    let file = open_as_it_is(&path, OFlags::RDWR);
    let status = in_a_child(|| {
        // SAFETY: a system call about the calling process, which has one thread.
        if unsafe { libc::setuid(12_345) } == 0 {
            assert_eq!(*of_root().from_fd(&file).expect("in use").lock().expect("free"), 7);
        }
        0
    });
    assert_eq!(status, 0);
}

/// Two of those who share an open file could do so at the same time, since both have the turn.
#[test]
fn who_shares_an_open_file_does_not_complete_a_revival() {
    use std::os::unix::fs::FileExt;
    let half_revived = |file: &std::fs::File| file.write_all_at(&0x7276_6976u32.to_le_bytes(), MARK).expect("written");
    let is_in_use = as_a_user_who_may_not_open_it(half_revived, |file| {
        let answer = of_root().from_fd(file);
        assert!(matches!(answer, Err(OpenError::CannotRevive)), "{answer:?}");
        let (here, there) = UnixStream::pair().expect("a pair");
        send(&here, b'S', &[file.as_fd()]);
        let answer = of_root().receive_from(&there);
        assert!(matches!(answer, Err(ReceiveError::Open(OpenError::CannotRevive))), "{answer:?}");
    });
    assert_ne!(is_in_use, Some(true), "nobody has it open");
}

/// Whether the process sleeps and already handles SIGUSR1.
fn sleeps(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    let caught = u64::from_str_radix(line("SigCgt:"), 16).unwrap_or(0);
    line("State:").starts_with('S') && caught & 1 << (libc::SIGUSR1 - 1) != 0
}

#[test]
fn a_receiver_takes_one_byte_of_another_protocols_data() {
    let (mut here, mut there) = UnixStream::pair().expect("a pair");
    here.write_all(b"hello").expect("sent");
    assert!(matches!(Counter::receive_from(&there), Err(ReceiveError::NotReceived { .. })));
    let mut rest = [0; 4];
    there.read_exact(&mut rest).expect("there");
    assert_eq!(&rest, b"ello");
}

#[test]
fn a_duplicate_of_the_descriptor_cannot_make_the_memory_shorter() {
    let segment = Segment::<Mutex<u64>>::anonymous(|_| {}).expect("a segment");
    // SAFETY: nothing is written through the descriptor.
    let duplicate = unsafe { segment.borrow_fd() }.expect("open").try_clone_to_owned().expect("a descriptor");
    drop(segment);
    assert!(std::fs::File::from(duplicate).set_len(0).is_err(), "the memory is sealed");
}
