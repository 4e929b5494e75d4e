//! Threads that end by themselves, in each way that the C library has. Waiters for their holds
//! learn of that, through lifelines and through the C library's own robust mutexes.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use core::ffi::{c_int, c_void};
use core::ptr;
use outlive::{LockTimeoutError, Mutex, Segment, TryLockError};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::SeqCst};

type Number = Segment<Mutex<u64>>;

// Declared as they behave: they end the thread, and unwind its stack if the C library does that.
unsafe extern "C-unwind" {
    fn pthread_exit(value: *mut c_void) -> !;
    fn pause() -> c_int;
}
unsafe extern "C" {
    fn pthread_cancel(thread: libc::pthread_t) -> c_int;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Returns,
    Exits,
    IsCancelled,
}

/// What a thread does, and how it ends.
#[derive(Clone, Copy)]
struct Scene<'a> {
    way: Way,
    /// The C library frees the thread's memory at its end, and nobody joins the thread.
    detached: bool,
    segments: &'a [Number; 2],
    mutexes: Mutexes,
    ready: &'a AtomicU64,
    go: &'a AtomicU64,
}

extern "C-unwind" fn run(scene: *mut c_void) -> *mut c_void {
    // SAFETY: the scene of the process that started this thread. The scene is never freed.
    let scene = unsafe { *scene.cast::<Scene<'static>>() };
    hold_all(&scene);
    match scene.way {
        Way::Returns => ptr::null_mut(),
        // SAFETY: nothing on this stack has a destructor.
        Way::Exits => unsafe { pthread_exit(ptr::null_mut()) },
        Way::IsCancelled => loop {
            // SAFETY: as above.
            unsafe { pause() };
        },
    }
}

/// Holds an older robust mutex, a lock, a newer robust mutex, and a newer lock.
fn hold_all(scene: &Scene<'static>) {
    for (index, segment) in scene.segments.iter().enumerate() {
        scene.mutexes.lock(index);
        core::mem::forget(segment.lock().expect("free"));
    }
    if let Some(last) = scene.mutexes.count().checked_sub(1).filter(|last| *last >= 2) {
        lock_in_a_destructor(scene.mutexes, last);
    }
    scene.ready.store(1, SeqCst);
    until("the word to go on", || scene.go.load(SeqCst) == 1);
}

/// When the thread ends, a destructor locks this mutex, in the first round of destructors. Its key
/// is younger than this library's key, so it runs after this library's destructor.
fn lock_in_a_destructor(mutexes: Mutexes, index: usize) {
    static MUTEXES: AtomicPtr<Mutexes> = AtomicPtr::new(ptr::null_mut());
    extern "C" fn destroy(index: *mut c_void) {
        // SAFETY: the pointer was stored before, and its target is never freed.
        unsafe { *MUTEXES.load(SeqCst) }.lock(index.addr() - 1);
    }
    MUTEXES.store(Box::leak(Box::new(mutexes)), SeqCst);
    let mut key = 0;
    // SAFETY: the destructor has the required type, and the key was made just before.
    unsafe {
        assert_eq!(libc::pthread_key_create(&mut key, Some(destroy)), 0);
        assert_eq!(libc::pthread_setspecific(key, ptr::without_provenance(index + 1)), 0);
    }
}

/// Starts the thread in a process that lives on.
fn live_on(scene: Scene<'static>) -> ! {
    let scene: &'static _ = Box::leak(Box::new(scene));
    let mut thread = 0 as libc::pthread_t;
    // SAFETY: a thread's function, with the right parameter and result. The types differ only in
    // that the stack of a cancelled thread may be unwound.
    unsafe {
        let run: extern "C" fn(*mut c_void) -> *mut c_void = core::mem::transmute(run as extern "C-unwind" fn(_) -> _);
        let scene = ptr::from_ref::<Scene<'static>>(scene).cast_mut().cast();
        assert_eq!(libc::pthread_create(&mut thread, ptr::null(), run, scene), 0);
        if scene_of(scene).detached {
            assert_eq!(libc::pthread_detach(thread), 0);
        }
    }
    until("the thread to hold all", || scene.ready.load(SeqCst) == 1);
    if scene.way == Way::IsCancelled {
        until("the word to go on", || scene.go.load(SeqCst) == 1);
        // SAFETY: the thread exists until it is cancelled.
        assert_eq!(unsafe { pthread_cancel(thread) }, 0);
    }
    loop {
        std::thread::park();
    }
}

fn scene_of(scene: *mut c_void) -> Scene<'static> {
    // SAFETY: as in `run`.
    unsafe { *scene.cast() }
}

/// A segment in a process that never reaps. So only the kernel can report an end.
fn segment_of_a_test() -> Number {
    segment_of(|_| {})
}

fn is_told(way: Way, detached: bool, mutexes: usize) {
    let name = format!("{way:?}, detached {detached}, {mutexes} mutexes");
    let segments: &'static _ = Box::leak(Box::new([segment_of_a_test(), segment_of_a_test()]));
    let words: &'static _ = Box::leak(Box::new(Segment::<[AtomicU64; 2]>::anonymous(|_| {}).expect("a segment")));
    let mutexes = Mutexes::new(mutexes, |_| false);
    let scene = Scene { way, detached, segments, mutexes, ready: &words[0], go: &words[1] };
    let child = fork(|| live_on(scene));
    until("the thread to hold all", || words[0].load(SeqCst) == 1);
    std::thread::scope(|scope| {
        let waiters = segments.each_ref().map(|segment| {
            scope.spawn(move || match segment.try_lock_for(PATIENCE) {
                Err(LockTimeoutError::Leaked { .. }) => "leaked".into(),
                other => format!("{other:?}"),
            })
        });
        for segment in segments {
            // So long that the waiters watch all lifelines, and nothing else can end their sleep.
            until("a waiter to sleep for long", || {
                segment.participants().iter().any(|p| p.asleep_for.is_some_and(|time| time.as_millis() > 40))
            });
        }
        words[1].store(1, SeqCst);
        for waiter in waiters {
            assert_eq!(waiter.join().expect("no panic"), "leaked", "{name}");
        }
    });
    for index in 0..mutexes.count() {
        until(&format!("{name}: the mutex {index} to report the death"), || mutexes.try_lock_finds_a_death_now(index));
    }
    // SAFETY: our own child.
    unsafe { libc::kill(child, libc::SIGKILL) };
    assert_eq!(wait(child), -libc::SIGKILL);
}

#[test]
fn the_end_of_a_thread_is_reported_however_it_ends() {
    for way in [Way::Returns, Way::Exits, Way::IsCancelled] {
        for detached in [false, true] {
            is_told(way, detached, 2);
        }
    }
}

/// A destructor that locks a robust mutex may be the first reason why the C library registers a
/// list with the kernel.
#[test]
fn the_end_of_a_thread_that_locks_a_robust_mutex_at_its_very_end_is_reported() {
    for detached in [false, true] {
        is_told(Way::Returns, detached, 3);
    }
}

/// A forked child's copy of its parent's list is not the child's own. With musl, a thread that ends
/// by `pthread_exit` marks all that is in the list.
#[test]
fn a_forked_child_that_ends_by_pthread_exit_leaves_its_parents_holds_alone() {
    extern "C" fn look(segment: *mut c_void) -> *mut c_void {
        // SAFETY: the segment of the process that started this thread.
        let segment = unsafe { &*segment.cast::<Number>() };
        let has_ended = || {
            let text = std::fs::read_to_string("/proc/self/stat").expect("a process");
            text.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
        };
        until("the main thread to end", has_ended);
        let is_held = matches!(segment.try_lock(), Err(TryLockError::WouldBlock));
        // SAFETY: ends this child.
        unsafe { libc::_exit(if is_held { 0 } else { 1 }) };
    }
    let segment = segment_of_a_test();
    // The forking thread must have a list of its own.
    elsewhere(|| {
        let mut held = segment.lock().expect("free");
        let child = fork(|| {
            let mut thread = 0 as libc::pthread_t;
            // SAFETY: the segment and this process stay. Nothing on this stack must be dropped.
            unsafe {
                let segment = ptr::from_ref(&segment).cast_mut().cast();
                assert_eq!(libc::pthread_create(&mut thread, ptr::null(), look, segment), 0);
                if cfg!(target_env = "gnu") {
                    // glibc's `pthread_exit` unwinds, which Rust's frames here do not allow.
                    libc::syscall(libc::SYS_exit, 0);
                }
                pthread_exit(ptr::null_mut())
            }
        });
        assert_eq!(wait(child), 0, "the child took what its parent holds, or found no parent");
        *held += 1;
    });
    assert_eq!(*segment.lock().expect("free"), 1);
}

/// The same for a child that has used another segment, and has a hold of its own there.
#[test]
fn a_forked_child_takes_part_with_the_list_that_it_has_from_its_parent() {
    let (segment, other) = (segment_of_a_test(), segment_of_a_test());
    elsewhere(|| {
        let held = segment.lock().expect("free");
        let child = fork(|| {
            core::mem::forget(other.lock().expect("free"));
            // SAFETY: ends this child.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            1
        });
        assert_eq!(wait(child), -libc::SIGKILL);
        // The child has ended completely, and nothing reaps its slot here. So only the kernel can
        // have reported the death.
        assert!(matches!(other.try_lock(), Err(TryLockError::OwnerDied(_))));
        drop(held);
    });
    assert!(segment.try_lock().is_ok());
}
