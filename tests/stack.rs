//! How deep the stack of a waiting thread is. Programs with many threads give each little of it.
#![allow(clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use core::ffi::c_void;
use outlive::LockError;
use std::time::Duration;

const LENGTH: usize = 512 << 10;
/// What the documentation says. Without optimisation each move has a place of its own.
const MOST: usize = if cfg!(debug_assertions) { 16 << 10 } else { 8 << 10 };
const PATTERN: u8 = 0xa5;

/// Bytes of the stack that a thread has used which did this, and nothing else.
fn depth(mut work: impl FnMut()) -> usize {
    extern "C" fn run(work: *mut c_void) -> *mut c_void {
        // SAFETY: the pointer that `depth` gives, while it waits for this thread.
        unsafe { (*work.cast::<&mut dyn FnMut()>())() };
        core::ptr::null_mut()
    }
    let mut stack = memmap2::MmapMut::map_anon(LENGTH).expect("memory");
    stack.fill(PATTERN);
    let mut work: &mut dyn FnMut() = &mut work;
    // SAFETY: the attributes are initialised; the stack is mapped, long enough, aligned, and nobody
    // else's until the thread was joined; so is `work`.
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

/// A fault that was there once: a wait needed 17 KiB, and a thread with the least stack that there
/// is got a segmentation fault.
#[test]
fn a_wait_is_not_deep() {
    let segment = segment();
    outlive::platform::linux::set_recheck(true); // slow looks, too
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
            assert!(matches!(answer, Err(LockError::TimedOut)), "it is held");
        });
        drop(held);
        done.wait();
        let used = waits - nothing;
        println!("a wait uses {used} bytes of the stack");
        assert!(used <= MOST, "a wait uses {used} bytes of the stack, and at most {MOST} is documented");
    });
}
