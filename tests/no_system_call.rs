//! What costs no system call: every operation where nobody else wants anything. Run under seccomp's strict mode, in which the kernel
//! kills at the first call but read, write and exit.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{Lock, Mutex};

#[derive(outlive::Shareable)]
#[repr(C)]
struct All {
    mutex: Mutex<u64>,
    lock: Lock,
}

/// How a child ends that does `work` again and again without the right to any system call.
fn end_of_one_that(work: impl Fn()) -> i32 {
    wait(fork(|| {
        work(); // the first time it registers, which is not free
        // SAFETY: only this child is concerned, which has one thread.
        unsafe {
            if libc::prctl(libc::PR_SET_SECCOMP, 1) != 0 {
                return 77; // SECCOMP_MODE_STRICT
            }
        }
        for _ in 0..100 {
            work();
        }
        // SAFETY: the one way to end that is left: exit, where the C library uses exit_group.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
        unreachable!("exit does not return")
    }))
}

fn makes_none(name: &str, work: impl Fn()) {
    match end_of_one_that(work) {
        77 => skipped("no seccomp here: system calls are not counted"),
        end => assert_eq!(end, 0, "{name} made a system call (ended with {end})"),
    }
}

#[test]
fn the_test_would_notice() {
    let end = end_of_one_that(|| {
        // SAFETY: asks for a number.
        unsafe { libc::getppid() };
    });
    match end {
        77 => skipped("no seccomp here: system calls are not counted"),
        end => assert_eq!(end, -libc::SIGKILL),
    }
}

#[test]
fn what_nobody_else_wants_costs_no_system_call() {
    let all = segment_of::<All>(|_zero| {});
    makes_none("Mutex::lock", || *all.mutex.lock().unwrap() += 1);
    makes_none("Mutex::try_lock", || *all.mutex.try_lock().unwrap() += 1);
    makes_none("Lock::acquire", || {
        all.lock.acquire().unwrap();
        all.lock.release().unwrap();
    });
    makes_none("Lock::lock", || drop(all.lock.lock().unwrap()));
}
