//! Threads that end by themselves, in each way that the C library has: who waits for what they held
//! is told, by their lifelines and by the C library's own robust mutexes alike.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use core::ffi::{c_int, c_void};
use core::ptr;
use outlive::{LockError, Mutex, Segment};
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering::SeqCst};

type Number = Segment<Mutex<u64>>;

// As they are: they end the thread, and unwind it where the C library does that.
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
    /// The C library gives its memory back at once, and nobody waits for it.
    detached: bool,
    segments: &'a [Number; 2],
    mutexes: Mutexes,
    ready: &'a AtomicU64,
    go: &'a AtomicU64,
}

extern "C-unwind" fn run(scene: *mut c_void) -> *mut c_void {
    // SAFETY: the scene of the process that started this thread, which stays.
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

/// An older robust mutex, a lock, a newer robust mutex, a newer lock.
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

/// When the thread ends, a destructor locks this mutex, in the first round of destructors, after
/// whatever this library does then: its key is younger.
fn lock_in_a_destructor(mutexes: Mutexes, index: usize) {
    static MUTEXES: AtomicPtr<Mutexes> = AtomicPtr::new(ptr::null_mut());
    extern "C" fn destroy(index: *mut c_void) {
        // SAFETY: it was stored before, and stays.
        unsafe { *MUTEXES.load(SeqCst) }.lock(index.addr() - 1);
    }
    MUTEXES.store(Box::leak(Box::new(mutexes)), SeqCst);
    let mut key = 0;
    // SAFETY: the destructor has the type that is asked for; the key was made just before.
    unsafe {
        assert_eq!(libc::pthread_key_create(&mut key, Some(destroy)), 0);
        assert_eq!(libc::pthread_setspecific(key, ptr::without_provenance(index + 1)), 0);
    }
}

/// In a process that lives on.
fn live_on(scene: Scene<'static>) -> ! {
    let scene: &'static _ = Box::leak(Box::new(scene));
    let mut thread = 0 as libc::pthread_t;
    // SAFETY: a function that takes and gives what such a function does; but that a cancelled one
    // may be unwound.
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
        // SAFETY: it is there until it is cancelled.
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

/// Nobody looks slowly in this process: only the kernel can tell of an end.
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
                Err(LockError::Leaked { .. }) => "leaked".into(),
                other => format!("{other:?}"),
            })
        });
        for segment in segments {
            // So long that they watch all, and nothing but a lifeline tells them.
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
        until(&format!("{name}: the mutex {index} to tell"), || mutexes.try_lock_finds_a_death_now(index));
    }
    // SAFETY: our own child.
    unsafe { libc::kill(child, libc::SIGKILL) };
    assert_eq!(wait(child), -libc::SIGKILL);
}

#[test]
fn a_thread_that_ends_by_itself_is_told_however_it_ends() {
    for way in [Way::Returns, Way::Exits, Way::IsCancelled] {
        for detached in [false, true] {
            is_told(way, detached, 2);
        }
    }
}

/// A destructor that locks a robust mutex may be the first thing by which the C library tells the
/// kernel of a list.
#[test]
fn a_thread_that_locks_a_robust_mutex_at_its_very_end_is_told() {
    for detached in [false, true] {
        is_told(Way::Returns, detached, 3);
    }
}

/// What a forked child has of its parent's list is not its own. With musl, a thread that ends by
/// `pthread_exit` cuts what is in it.
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
        let is_held = matches!(segment.try_lock(), Err(LockError::WouldBlock));
        // SAFETY: ends this child.
        unsafe { libc::_exit(if is_held { 0 } else { 1 }) };
    }
    let segment = segment_of_a_test();
    // The thread that forks is to be one with a list of its own.
    elsewhere(|| {
        let mut held = segment.lock().expect("free");
        let child = fork(|| {
            let mut thread = 0 as libc::pthread_t;
            // SAFETY: the segment stays, as this process does; nothing on this stack must be
            // dropped.
            unsafe {
                let segment = ptr::from_ref(&segment).cast_mut().cast();
                assert_eq!(libc::pthread_create(&mut thread, ptr::null(), look, segment), 0);
                if cfg!(target_env = "gnu") {
                    // glibc's function unwinds, which Rust's frames here do not allow.
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

/// The same for a child that had used the segment, and whose own hold is its own.
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
        // It is reaped, and nobody looks slowly: so only the kernel can have told of it.
        assert!(matches!(other.try_lock(), Err(LockError::OwnerDied(_))));
        drop(held);
    });
    assert!(segment.try_lock().is_ok());
}
