//! Races between threads of one process, each a fault that was there once. Seen from outside they
//! are a few nanoseconds wide, so the parts are called here.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // a fork, a signal, a protected page

use super::mapping::{BUSY, FREE};
use super::process::wiped_memory;
use super::registrations::{self, Registration, TAKEN};
use super::*;
use crate::atomic::{AtomicPtr, AtomicU64};
use crate::error::{OpenError, RegisterError};
use crate::platform::linux::{self, Myself};
use crate::raw::Id;
use crate::segment::Segment;
use crate::segment::header::Layout;
use core::ptr;
use std::fs::File;
use std::sync::atomic::Ordering::SeqCst;

/// Two threads that registered at once wrote to one registration. At first, one overtook the other
/// between its check and its store. Later, one took a registration that was just being filled in
/// for one whose process had ended.
#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn two_threads_that_register_at_once_get_a_registration_each() {
    const ROUNDS: u64 = 1_000_000;
    let segment = Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment");
    let mapping = segment.mapping;
    let start = std::sync::Barrier::new(2);
    let come_and_go = |which: u64| {
        let me = Myself::current();
        start.wait();
        for round in 0..ROUNDS {
            let (thread, id) = (2 * round + which, Id::new(which as usize, round as u16));
            Registration::take_in(&mapping.registrations, 7).settle(thread, 7, id, 0, &me);
            let registration =
                mapping.registration_of(thread).filter(|registration| registration.id.load(SeqCst) == id.word());
            let registration = registration.unwrap_or_else(|| panic!("a registration was lost in round {round}"));
            // Back to a new one, which knows of no process yet.
            registration.tenant.thread.store(TAKEN, SeqCst);
            registration.tenant.process.store(0, SeqCst);
            registration.tenant.thread.store(0, SeqCst);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| come_and_go(1));
        scope.spawn(|| come_and_go(2));
    });
}

/// A thread's record is never freed, so threads that come and go must not make one each.
#[test]
#[cfg_attr(miri, ignore = "Miri has no robust list")]
fn the_anchors_of_threads_that_have_ended_are_reused() {
    let segment = Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment");
    // In a process of its own, because other tests have threads, too.
    // SAFETY: the child does what is below, and ends without returning.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let before = registrations::count_threads();
        for _ in 0..20 {
            let come = || {
                segment.attach().expect("in");
                Myself::current().thread_id
            };
            let gone = std::thread::scope(|scope| scope.spawn(come).join());
            while gone.as_ref().is_ok_and(|thread| !linux::thread_has_ended(*thread)) {
                std::thread::yield_now();
            }
        }
        let more = registrations::count_threads() - before;
        // SAFETY: ends the process.
        unsafe { libc::_exit(more as i32) };
    }
    let mut status = 0;
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status));
    assert!(
        libc::WEXITSTATUS(status) <= 1,
        "20 threads, one after the other, made {} records",
        libc::WEXITSTATUS(status)
    );
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn a_newcomer_that_finds_no_slot_leaves_no_registration() {
    let segment = Segment::<AtomicU64>::options().participants(1).anonymous(|_, _| {}).expect("a segment");
    segment.attach().expect("the only slot");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..10).for_each(|_| assert!(matches!(segment.attach(), Err(RegisterError::Full { participants: 1 }))))
        });
    });
    assert_eq!(segment.mapping.registrations().count(), 2);
}

static DROPPED: AtomicPtr<Mapping> = AtomicPtr::new(ptr::null_mut());
static STATE_AT_FAULT: AtomicU64 = AtomicU64::new(u64::MAX);

fn protect(protection: i32) {
    let (start, size) = wiped_memory();
    // SAFETY: the whole of a page that contains only the two numbers.
    assert_eq!(unsafe { libc::mprotect(start, size, protection) }, 0);
}

extern "C" fn on_fault(_signal: i32) {
    // SAFETY: records are leaked.
    STATE_AT_FAULT.store(unsafe { &*DROPPED.load(SeqCst) }.state(), SeqCst);
    protect(libc::PROT_READ | libc::PROT_WRITE); // the store is then repeated
}

/// A thread that sees an orphan may take it down, and map another segment in its place. Caches must
/// be void by then. A fault stops the change of the sequence, and its handler reads the state.
#[test]
#[cfg_attr(miri, ignore = "Miri has no fork")]
fn caches_are_void_before_a_mapping_can_be_replaced() {
    // SAFETY: the child does what is below, and ends without returning.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let segment = Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment");
        DROPPED.store(ptr::from_ref(segment.mapping).cast_mut(), SeqCst);
        // SAFETY: the handler makes one system call and touches atomics.
        unsafe { libc::signal(libc::SIGSEGV, on_fault as *const () as usize) };
        protect(libc::PROT_READ);
        drop(segment);
        // SAFETY: ends the process.
        unsafe { libc::_exit(STATE_AT_FAULT.load(SeqCst) as i32) };
    }
    let mut status = 0;
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status));
    assert_eq!(
        libc::WEXITSTATUS(status) as u64,
        BUSY,
        "it is an orphan already, or the sequence does not change at all"
    );
}

static LEFT: AtomicPtr<Mapping> = AtomicPtr::new(ptr::null_mut());
static OTHER: AtomicPtr<Segment<AtomicU64>> = AtomicPtr::new(ptr::null_mut());

fn protect_left(protection: i32) {
    // SAFETY: records are leaked. The range is the whole mapping of this one.
    let result = unsafe {
        let mapping = &*LEFT.load(SeqCst);
        let (start, length) = (mapping.start.load(SeqCst), mapping.length.load(SeqCst));
        libc::mprotect(start as *mut libc::c_void, length, protection)
    };
    assert_eq!(result, 0);
}

extern "C" fn on_fault_of_the_leaver(_signal: i32) {
    let other = OTHER.swap(ptr::null_mut(), SeqCst);
    if other.is_null() {
        // SAFETY: ends the process. The memory was no longer mapped.
        unsafe { libc::_exit(1) };
    }
    protect_left(libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: it comes from a box that was leaked. The thread now leaves all orphans, too, and
    // unused ones are taken down.
    drop(unsafe { Box::from_raw(other) });
}

/// A signal handler that interrupts a detachment must not complete it: the thread has still to
/// write to the mapping.
#[test]
#[cfg_attr(miri, ignore = "Miri has no fork")]
fn a_signal_handler_does_not_unmap_what_the_thread_is_just_leaving() {
    // SAFETY: the child does what is below, and ends without returning.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let new = || Segment::<AtomicU64>::anonymous(|_| {}).expect("a segment");
        let left = new();
        left.attach().expect("in");
        LEFT.store(ptr::from_ref(left.mapping).cast_mut(), SeqCst);
        OTHER.store(Box::into_raw(Box::new(new())), SeqCst);
        // SAFETY: the handler interrupts no allocation: the fault is at the write to the slot.
        unsafe { libc::signal(libc::SIGSEGV, on_fault_of_the_leaver as *const () as usize) };
        protect_left(libc::PROT_READ);
        drop(left);
        let handler_ran = OTHER.load(SeqCst).is_null();
        // SAFETY: records are leaked.
        let is_gone = unsafe { &*LEFT.load(SeqCst) }.state() == FREE;
        // SAFETY: ends the process.
        unsafe { libc::_exit(if handler_ran && is_gone { 0 } else { 2 }) };
    }
    let mut status = 0;
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "1: the thread wrote to memory that was no longer mapped");
}

/// A file can be truncated between the check of its header and the mapping.
#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn a_file_that_is_shorter_than_its_segment_is_not_mapped() {
    let layout = Layout::for_types::<u64, ()>(1, 0).expect("it fits");
    let file = File::from(rustix::fs::memfd_create("short", rustix::fs::MemfdFlags::CLOEXEC).expect("a memfd"));
    file.set_len(layout.total as u64 - 1).expect("ours");
    match Mapping::new(file, layout) {
        Err(OpenError::Size { found, expected }) => {
            assert_eq!((found, expected), (layout.total as u64 - 1, Some(layout.total as u64)));
        }
        other => panic!("{:?}", other.map(|_| "mapped")),
    }
}
