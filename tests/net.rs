//! The safety net: where the kernel loses the mark of a death, the slow look finds it. In a program of its own, because the
//! other tests run without the net.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

use outlive::{LockError, Mutex, Segment};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(outlive::Shareable)]
#[repr(C)]
struct Shared {
    mutex: Mutex<u64>,
    held: AtomicU32,
}

/// An out-of-memory daemon may take the memory of a killed process away before the kernel has walked its robust list
/// (process_mrelease(2)): then the death is never reported, and only a look at the process itself tells.
#[test]
fn a_death_whose_mark_the_kernel_lost_is_found_by_the_slow_look() {
    let segment = Segment::<Shared>::anonymous(|_| {}).expect("a segment");
    let mut lost = 0;
    for _ in 0..3 {
        segment.held.store(0, SeqCst);
        // SAFETY: the child locks, and sleeps until it is killed.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            core::mem::forget(segment.mutex.lock());
            segment.held.store(1, SeqCst);
            loop {
                std::thread::park();
            }
        }
        let begin = Instant::now();
        while segment.held.load(SeqCst) == 0 {
            assert!(begin.elapsed() < Duration::from_secs(20), "the child never held");
            std::thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: our own child; a descriptor that is closed below.
        unsafe {
            let descriptor = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
            assert!(descriptor >= 0);
            libc::kill(pid, libc::SIGKILL);
            libc::syscall(libc::SYS_process_mrelease, descriptor, 0);
            libc::close(descriptor);
            // Not reaped until it is told: a zombie is gone, too.
        }
        let begin = Instant::now();
        match segment.mutex.try_lock_for(Duration::from_secs(20)) {
            Err(LockError::OwnerDied(left)) => left.into_guard().mark_consistent(),
            other => panic!("never told: {other:?}"),
        }
        lost += u32::from(begin.elapsed() > Duration::from_millis(500));
        // SAFETY: our own child.
        unsafe { libc::waitpid(pid, core::ptr::null_mut(), 0) };
    }
    println!("the kernel lost {lost} of 3 marks");
}

/// A thread that ends alone, and whose robust list the kernel cannot find (here it was taken away; elsewhere its links were
/// scribbled on): the slow look finds it missing in a process that lives.
#[test]
fn the_end_of_a_thread_without_its_list_is_found_by_the_slow_look() {
    let segment = Segment::<Shared>::anonymous(|_| {}).expect("a segment");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            core::mem::forget(segment.mutex.lock());
            let list = Box::leak(Box::new([0usize; 3]));
            list[0] = list.as_ptr() as usize;
            // SAFETY: an empty list of the right size, which stays; this thread uses no robust mutex from here on.
            let answer = unsafe { libc::syscall(libc::SYS_set_robust_list, list.as_ptr(), 24) };
            assert_eq!(answer, 0);
        });
    });
    // It has leaked its guard, in a process that lives.
    let answer = segment.mutex.try_lock_for(Duration::from_secs(20));
    assert!(matches!(answer, Err(LockError::Leaked { .. })), "never told: {answer:?}");
}
