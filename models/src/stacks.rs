//! Keeps the stacks of loom's threads from one execution to the next.
//!
//! loom makes new modelled threads in each execution. Its `generator` maps, protects and unmaps a
//! stack for each of them. That takes two thirds of the time of an exploration. It takes more if
//! two tests of one process run side by side: the kernel interrupts the other processor for each of
//! these calls.
//!
//! loom has no option to keep the stacks. So this module replaces three functions of libc in the
//! programs of the models. For anything but such a stack they do what libc's functions do.

use std::ffi::{c_int, c_long, c_void};
use std::sync::{Mutex, MutexGuard};

/// The flags of a stack's mapping. A stack is recognised by them.
const STACK: c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;

#[derive(Clone, Copy)]
struct Stack {
    start: usize,
    length: usize,
    is_free: bool,
    /// Its lowest page is protected.
    is_guarded: bool,
}

/// All stacks of this process. They are never unmapped.
static STACKS: Mutex<Vec<Stack>> = Mutex::new(Vec::new());

fn stacks() -> MutexGuard<'static, Vec<Stack>> {
    STACKS.lock().expect("no panic inside")
}

/// The number of stacks: the most that were in use at once.
#[cfg(test)]
fn count() -> usize {
    stacks().len()
}

/// mmap(2). If the caller wants a stack, and a free one has that length, returns the free one.
///
/// # Safety
/// As of libc's `mmap`.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    address: *mut c_void,
    length: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
) -> *mut c_void {
    let is_stack = address.is_null() && flags == STACK && protection == libc::PROT_READ | libc::PROT_WRITE;
    let mut all = stacks();
    let is_free = |stack: &&mut Stack| is_stack && stack.is_free && stack.length == length;
    if let Some(kept) = all.iter_mut().find(is_free) {
        kept.is_free = false;
        return kept.start as *mut c_void;
    }
    // SAFETY: the same call.
    let start = unsafe { libc::syscall(libc::SYS_mmap, address, length, protection, flags, file, offset) };
    if is_stack && start != -1 {
        all.push(Stack { start: start as usize, length, is_free: false, is_guarded: false });
    }
    start as *mut c_void
}

/// mprotect(2). Does nothing if the lowest page of the stack is protected already.
///
/// # Safety
/// As of libc's `mprotect`.
#[unsafe(no_mangle)]
unsafe extern "C" fn mprotect(address: *mut c_void, length: usize, protection: c_int) -> c_int {
    let mut all = stacks();
    let stack = all.iter_mut().find(|stack| stack.start == address as usize && protection == libc::PROT_NONE);
    if stack.as_ref().is_some_and(|stack| stack.is_guarded) {
        return 0;
    }
    // SAFETY: the same call.
    let answer = unsafe { libc::syscall(libc::SYS_mprotect, address, length, protection as c_long) } as c_int;
    if let Some(stack) = stack {
        stack.is_guarded = answer == 0;
    }
    answer
}

/// munmap(2). A stack is only noted as free.
///
/// # Safety
/// As of libc's `munmap`.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(address: *mut c_void, length: usize) -> c_int {
    let is_this = |stack: &&mut Stack| stack.start == address as usize && stack.length == length;
    if let Some(stack) = stacks().iter_mut().find(is_this) {
        stack.is_free = true;
        return 0;
    }
    // SAFETY: the same call.
    unsafe { libc::syscall(libc::SYS_munmap, address, length) as c_int }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_execution_reuses_the_stacks_of_the_last_one() {
        let explore = || {
            loom::model(|| {
                let thread = loom::thread::spawn(|| ());
                thread.join().expect("it ends");
            });
        };
        explore();
        let after_one = super::count();
        explore();
        assert!(after_one >= 2, "loom maps its stacks in another way now, so this module has no effect");
        assert_eq!(super::count(), after_one);
    }
}
