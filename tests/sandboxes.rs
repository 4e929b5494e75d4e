//! Sandboxes that refuse some system calls.
#![allow(clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::waitv::{WAITV_VARIABLE, waitv_works};
use outlive::{LocationError, LockError, LockTimeoutError, OpenError, TryLockError};
use std::process::Command;
use std::time::Duration;

/// From here on, this system call fails with this error in this process.
fn refuse(call: libc::c_long, error: i32) {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    filter_system_calls(&mut [
        step(BPF_LD | BPF_W | BPF_ABS, 0, [0, 0]), // the number of the call
        step(BPF_JMP | BPF_JEQ | BPF_K, call as u32, [0, 1]),
        step(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | error as u32, [0, 0]),
        step(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, [0, 0]),
    ]);
}

/// A fault that was there once: futex_waitv worked at the first test, and failed later with an
/// error that the library did not know. The wait then spun.
#[test]
fn any_later_failure_of_futex_waitv_means_the_fallback() {
    for error in [libc::EACCES, libc::EPERM, libc::ENOSYS, libc::EINVAL] {
        let status = in_a_child(|| {
            if !waitv_works() {
                skipped("no later refusal can be tried: futex_waitv is refused already");
                return 0;
            }
            refuse(libc::SYS_futex_waitv, error);
            let shared = segment();
            let holder = fork(|| {
                let _held = shared.pair.lock().expect("free");
                loop {
                    // SAFETY: only sleeps.
                    unsafe { libc::pause() };
                }
            });
            until("it to be held", || matches!(shared.pair.try_lock(), Err(TryLockError::WouldBlock)));
            let answer = shared.pair.try_lock_for(Duration::from_millis(60));
            assert!(matches!(answer, Err(LockTimeoutError::TimedOut)), "the lock is held");
            assert!(!waitv_works(), "futex_waitv was refused, and is called again and again");
            // SAFETY: a child of ours.
            unsafe { libc::kill(holder, libc::SIGKILL) };
            assert!(matches!(shared.pair.lock(), Err(LockError::OwnerDied(_))));
            assert_eq!(wait(holder), -libc::SIGKILL);
            0
        });
        assert_eq!(status, 0, "{error}");
    }
}

#[test]
fn what_refuses_to_examine_dev_shm_is_in_the_error() {
    let status = in_a_child(|| {
        refuse(libc::SYS_statfs, libc::EACCES);
        let error = Counter::create("never made", |_| {}).expect_err("not examined");
        let OpenError::Location(LocationError::Io(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.source.raw_os_error(), Some(libc::EACCES), "{error}");
        0
    });
    assert_eq!(status, 0);
}

/// Docker refused this call before version 20.10.
#[test]
fn a_thread_leaves_without_process_vm_readv() {
    let status = in_a_child(|| {
        refuse(libc::SYS_process_vm_readv, libc::EPERM);
        let shared = segment();
        let held = shared.pair.lock().expect("free");
        assert!(shared.detach().is_err(), "the thread holds something");
        drop(held);
        shared.detach().expect("the thread holds nothing");
        assert_eq!(shared.participants().len(), 0);
        0
    });
    assert_eq!(status, 0);
}

/// A fault of the first repair of that: all reads went through a pipe. A process without a spare
/// descriptor could not leave. The soak found this.
#[test]
fn a_thread_leaves_without_a_descriptor_left() {
    let status = in_a_child(|| {
        let shared = segment();
        drop(shared.pair.lock().expect("free"));
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limit lives for the call, and binds this process alone.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &none) }, 0);
        assert!(std::fs::File::open("/dev/null").is_err(), "what this test is about");
        shared.detach().expect("the thread holds nothing");
        assert_eq!(shared.participants().len(), 0);
        0
    });
    assert_eq!(status, 0);
}

#[test]
fn an_environment_variable_switches_futex_waitv_off() {
    for (value, expected) in [("off", false), ("on", waitv_works())] {
        let this = std::env::current_exe().expect("this program");
        let arguments = ["--exact", "says_whether_it_works", "--ignored", "--nocapture"];
        let output = Command::new(this).args(arguments).env(WAITV_VARIABLE, value).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("works: {expected}")), "{value}: {text}");
    }
}

#[test]
#[ignore = "the child's half of another test"]
fn says_whether_it_works() {
    println!("works: {}", waitv_works());
}
