//! Processes of two programs in one segment. The programs may be built for two C libraries. Each
//! process learns of the other's death.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{LockTimeoutError, Mutex, Segment};
use std::io::Read;
use std::process::{Child, Command, Stdio};

type Number = Segment<Mutex<u64>>;

/// Starts this test in another program. `OUTLIVE_OTHER_PROGRAM` is the path of the program, which
/// `scripts/verify musl` builds.
fn other(segment: &Number, role: &str) -> Option<Child> {
    let mut command = Command::new(std::env::var_os("OUTLIVE_OTHER_PROGRAM")?);
    command.args(["--ignored", "--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env("OUTLIVE_ROLE", role).env("OUTLIVE_WAITV", "1").stdout(Stdio::piped());
    segment.pass_to(&mut command, "test").expect("passing");
    Some(command.spawn().expect("the other program"))
}

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let segment = inherited_of::<Mutex<u64>>();
    match role.as_str() {
        "hold" => {
            core::mem::forget(segment.lock().expect("free"));
            loop {
                std::thread::park();
            }
        }
        "wait" => assert!(matches!(segment.try_lock_for(PATIENCE), Err(LockTimeoutError::OwnerDied(_)))),
        other => panic!("{other}"),
    }
}

#[test]
fn a_program_learns_of_the_death_of_a_process_with_another_c_library() {
    let segment: Number = segment_of(|_| {});
    let Some(mut holder) = other(&segment, "hold") else {
        return skipped("no program with another C library; scripts/verify musl builds one");
    };
    until("the other to hold", || segment.holder().is_some());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| matches!(segment.try_lock_for(PATIENCE), Err(LockTimeoutError::OwnerDied(_))));
        until("the waiter to sleep for long", || {
            segment.participants().iter().any(|p| p.asleep_for.is_some_and(|time| time.as_millis() > 40))
        });
        holder.kill().expect("killed");
        holder.wait().expect("reaped");
        assert!(waiter.join().expect("no panic"), "the waiter got another answer");
    });
}

#[test]
fn a_process_with_another_c_library_learns_of_a_death() {
    let segment: Number = segment_of(|_| {});
    let holder = fork(|| {
        core::mem::forget(segment.lock().expect("free"));
        loop {
            std::thread::park();
        }
    });
    until("the holder to hold", || segment.holder().is_some());
    let waiter = other(&segment, "wait");
    if let Some(waiter) = &waiter {
        until_asleep(&segment, waiter.id());
    }
    // SAFETY: our own child.
    unsafe { libc::kill(holder, libc::SIGKILL) };
    assert_eq!(wait(holder), -libc::SIGKILL);
    let Some(mut waiter) = waiter else {
        return skipped("no program with another C library; scripts/verify musl builds one");
    };
    let mut said = String::new();
    waiter.stdout.take().expect("piped").read_to_string(&mut said).expect("read");
    assert!(waiter.wait().expect("ended").success(), "{said}");
}
