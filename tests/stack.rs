//! How much stack a waiting thread uses. Programs with many threads give each of them little.
#![allow(clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use core::ffi::c_void;
use outlive::LockTimeoutError;
use std::time::Duration;

const LENGTH: usize = 512 << 10;
/// The limit in the documentation. Without optimisation, each moved value has a place of its own.
const MOST: usize = if cfg!(debug_assertions) { 16 << 10 } else { 8 << 10 };
const PATTERN: u8 = 0xa5;

/// The number of stack bytes used by a thread that did this, and nothing else.
fn depth(mut work: impl FnMut()) -> usize {
    extern "C" fn run(work: *mut c_void) -> *mut c_void {
        // SAFETY: the pointer is the one that `depth` passes. `depth` waits for this thread.
        unsafe { (*work.cast::<&mut dyn FnMut()>())() };
        core::ptr::null_mut()
    }
    let mut stack = memmap2::MmapMut::map_anon(LENGTH).expect("memory");
    stack.fill(PATTERN);
    let mut work: &mut dyn FnMut() = &mut work;
    // SAFETY: the attributes are initialised. The stack is mapped, long enough and aligned, and
    // nothing else uses it until the thread is joined. The same holds for `work`.
    unsafe {
        let (mut attributes, mut thread) = core::mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstack(&mut attributes, stack.as_mut_ptr().cast(), LENGTH), 0);
        assert_eq!(libc::pthread_create(&mut thread, &attributes, run, (&raw mut work).cast()), 0);
        assert_eq!(libc::pthread_join(thread, core::ptr::null_mut()), 0);
        libc::pthread_attr_destroy(&mut attributes);
    }
    let unused = stack.iter().take_while(|byte| **byte == PATTERN).count();
    LENGTH - unused
}

/// A fault that was there once: a wait needed 17 KiB. A thread with the smallest allowed stack got
/// a segmentation fault.
#[test]
fn a_wait_uses_little_stack() {
    let segment = segment();
    outlive::test_switches::set_recheck(true); // reaping, too
    let (attached, done) = (std::sync::Barrier::new(71), std::sync::Barrier::new(71));
    std::thread::scope(|scope| {
        // More than one wait can watch.
        for _ in 0..70 {
            scope.spawn(|| {
                segment.attach().expect("a slot");
                attached.wait();
                done.wait();
            });
        }
        attached.wait();
        let held = segment.pair.lock().expect("free");
        let nothing = depth(|| {});
        let waits = depth(|| {
            let answer = segment.pair.try_lock_for(Duration::from_millis(60));
            assert!(matches!(answer, Err(LockTimeoutError::TimedOut)), "the lock is held");
        });
        drop(held);
        done.wait();
        let used = waits - nothing;
        println!("a wait uses {used} bytes of the stack");
        assert!(used <= MOST, "a wait uses {used} bytes of the stack, and at most {MOST} is documented");
    });
}
