//! The recheck: where the kernel loses the mark of a death, reaping finds it. This is a program of
//! its own, because the other tests run without rechecks.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::{PATIENCE, fork, is_asleep, until, wait};
use outlive::{
    Condvar, Event, Lock, LockErrorKind, LockTimeoutError, MessageQueue, Mutex, PermitPool, Pipe, PipeRecvError,
    PipeRecvTimeoutError, PipeSendTimeoutError, PipeTryRecvError, PipeTrySendError, Queue, RecvMessageTimeoutError,
    RecvTimeoutError, ReentrantMutex, RwLock, Segment, Semaphore, SendMessageTimeoutError, SendTimeoutError,
    TryRecvError, TryRecvMessageError, TrySendError, TrySendMessageError, try_wait_any, wait_any_timeout,
};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(outlive::Shareable)]
#[repr(C)]
struct Shared {
    mutex: Mutex<u64>,
    held: AtomicU32,
    rwlock: RwLock<u64>,
    pool: PermitPool<1>,
    semaphore: Semaphore,
    condvar: Condvar,
    of_condvar: Mutex<u64>,
    lock: Lock,
    reentrant: ReentrantMutex<u64>,
    event: Event,
}

/// An out-of-memory daemon may take away a killed process's memory before the kernel has walked the
/// robust list (process_mrelease(2)). Then the death is never reported. Only a check of the process
/// itself finds it.
#[test]
fn a_death_whose_mark_the_kernel_lost_is_found_by_reaping() {
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
            // Not reaped until the death was reported. A zombie counts as gone, too.
        }
        let begin = Instant::now();
        match segment.mutex.try_lock_for(Duration::from_secs(20)) {
            Err(LockTimeoutError::OwnerDied(left)) => left.into_inner().mark_consistent(),
            other => panic!("never reported: {other:?}"),
        }
        lost += u32::from(begin.elapsed() > Duration::from_millis(500));
        // SAFETY: our own child.
        unsafe { libc::waitpid(pid, core::ptr::null_mut(), 0) };
    }
    println!("the kernel lost {lost} of 3 marks");
}

/// A thread ends alone, and the kernel cannot find its robust list. (Here the list was taken away;
/// in practice its links may be overwritten.) Reaping finds that the thread is missing in a living
/// process.
#[test]
fn the_end_of_a_thread_without_its_list_is_found_by_reaping() {
    let segment = Segment::<Shared>::anonymous(|_| {}).expect("a segment");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            core::mem::forget(segment.mutex.lock());
            let list = Box::leak(Box::new([0usize; 3]));
            list[0] = list.as_ptr() as usize;
            // SAFETY: an empty list of the right size, which stays; this thread uses no robust
            // mutex from here on.
            let answer = unsafe { libc::syscall(libc::SYS_set_robust_list, list.as_ptr(), 24) };
            assert_eq!(answer, 0);
        });
    });
    // The thread has leaked its guard, in a process that lives.
    let answer = segment.mutex.try_lock_for(Duration::from_secs(20));
    assert!(matches!(answer, Err(LockTimeoutError::Leaked { .. })), "never reported: {answer:?}");
}

/// A process that registers, does `deed`, and ends with all marks lost, because its robust list was
/// taken away. The process is reaped.
fn end_with_lost_marks(deed: impl FnOnce()) {
    let pid = fork(|| {
        deed();
        let list = Box::leak(Box::new([0usize; 3]));
        list[0] = list.as_ptr() as usize;
        // SAFETY: an empty list of the right size, which stays; this process uses no robust mutex
        // from here on.
        unsafe { libc::syscall(libc::SYS_set_robust_list, list.as_ptr(), 24) as i32 }
    });
    assert_eq!(wait(pid), 0);
}

/// Tries until the attempt succeeds, within the common time limit.
fn again_and_again(what: &str, pause: Duration, mut attempt: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !attempt() {
        assert!(begin.elapsed() < PATIENCE, "{what}: a death that the kernel did not report is never found");
        std::thread::sleep(pause);
    }
}

/// The part of `finds_an_unreported_death` that is about pipes.
fn pipe_ends_find_an_unreported_death(slice: Option<Duration>, in_slices: impl Fn(&str, &mut dyn FnMut() -> bool)) {
    let pipe = || Pipe::anonymous(64).expect("a pipe");
    let of_dead_sender = || {
        let pipe = pipe();
        let receiver = pipe.receiver().expect("free");
        end_with_lost_marks(|| core::mem::forget(pipe.sender().expect("free")));
        (pipe, receiver)
    };
    let (pipe_to_dead_receiver, mut sender) = {
        let pipe = pipe();
        let sender = pipe.sender().expect("free");
        end_with_lost_marks(|| core::mem::forget(pipe.receiver().expect("free")));
        (pipe, sender)
    };
    while sender.try_send_bytes(&[7; 8]).is_ok() {}
    in_slices("a pipe's sender", &mut || match slice {
        None => matches!(sender.try_send_bytes(&[7; 8]), Err(PipeTrySendError::PeerDied { .. })),
        Some(slice) => {
            matches!(sender.send_bytes_timeout(&[7; 8], slice), Err(PipeSendTimeoutError::PeerDied { .. }))
        }
    });
    drop(pipe_to_dead_receiver.receiver().expect("it is the end of a dead process"));

    let (_pipe, mut receiver) = of_dead_sender();
    in_slices("a pipe's receiver", &mut || match slice {
        None => matches!(receiver.try_recv_bytes(), Err(PipeTryRecvError::PeerDied { .. })),
        Some(slice) => matches!(receiver.recv_bytes_timeout(slice), Err(PipeRecvTimeoutError::PeerDied { .. })),
    });
    let (_pipe, mut receiver) = of_dead_sender();
    in_slices("a pipe's receiver that polls", &mut || {
        matches!(receiver.poll(slice.unwrap_or(Duration::ZERO)), Err(PipeRecvError::PeerDied { .. }))
    });
    // To take an end never waits.
    let (pipe, _receiver) = of_dead_sender();
    in_slices("another sender of a pipe", &mut || {
        std::thread::sleep(slice.unwrap_or(Duration::ZERO));
        pipe.sender().is_ok()
    });
}

/// The first segment has nothing to tell.
fn a_source_in_the_second_segment(slice: Option<Duration>, in_slices: impl Fn(&str, &mut dyn FnMut() -> bool)) {
    let [never, segment] = [(); 2].map(|()| Segment::<Shared>::anonymous(|_| {}).expect("a segment"));
    end_with_lost_marks(|| core::mem::forget(segment.mutex.lock()));
    in_slices("any of two sources", &mut || {
        let sources = [never.event.when_set(), segment.mutex.when_free()];
        slice.map_or_else(|| try_wait_any(&sources).ok(), |slice| wait_any_timeout(&sources, slice).ok()) == Some(1)
    });
}

/// Waits in slices of this length, in every way that there is to wait. With `None` it does not
/// wait, but tries repeatedly.
fn finds_an_unreported_death(slice: Option<Duration>) {
    let segment = Segment::<Shared>::anonymous(|shared| shared.semaphore = Semaphore::new(0)).expect("a segment");
    let pause = if slice.is_some() { Duration::ZERO } else { Duration::from_millis(10) };
    let in_slices = |what: &str, attempt: &mut dyn FnMut() -> bool| again_and_again(what, pause, attempt);
    segment.attach().expect("a slot");

    end_with_lost_marks(|| core::mem::forget(segment.mutex.lock()));
    in_slices("mutex", &mut || {
        let locked: Result<_, LockErrorKind> =
            slice.map_or_else(|| Ok(segment.mutex.try_lock()?), |slice| Ok(segment.mutex.try_lock_for(slice)?));
        locked.is_err_and(|error| matches!(error, LockErrorKind::OwnerDied { .. }))
    });
    end_with_lost_marks(|| _ = segment.lock.acquire());
    in_slices("lock", &mut || {
        let locked: Result<_, LockErrorKind> =
            slice.map_or_else(|| Ok(segment.lock.try_acquire()?), |slice| Ok(segment.lock.try_acquire_for(slice)?));
        locked.is_err_and(|error| matches!(error, LockErrorKind::OwnerDied { .. }))
    });
    end_with_lost_marks(|| core::mem::forget(segment.reentrant.lock()));
    in_slices("reentrant mutex", &mut || {
        let locked: Result<_, LockErrorKind> =
            slice.map_or_else(|| Ok(segment.reentrant.try_lock()?), |slice| Ok(segment.reentrant.try_lock_for(slice)?));
        locked.is_err_and(|error| matches!(error, LockErrorKind::OwnerDied { .. }))
    });
    end_with_lost_marks(|| core::mem::forget(segment.rwlock.read()));
    in_slices("a dead reader", &mut || {
        slice.map_or_else(|| segment.rwlock.try_write().is_ok(), |slice| segment.rwlock.try_write_for(slice).is_ok())
    });
    end_with_lost_marks(|| core::mem::forget(segment.rwlock.write()));
    in_slices("a dead writer", &mut || {
        let locked: Result<_, LockErrorKind> =
            slice.map_or_else(|| Ok(segment.rwlock.try_read()?), |slice| Ok(segment.rwlock.try_read_for(slice)?));
        locked.is_err_and(|error| matches!(error, LockErrorKind::OwnerDied { .. }))
    });
    end_with_lost_marks(|| core::mem::forget(segment.pool.permit()));
    in_slices("pool", &mut || {
        slice.map_or_else(|| segment.pool.try_permit().is_ok(), |slice| segment.pool.try_permit_for(slice).is_ok())
    });
    pipe_ends_find_an_unreported_death(slice, in_slices);
    the_last_end_of_a_queue(slice, in_slices);
    the_last_end_of_a_queue_of_messages(slice, in_slices);
    a_source_in_the_second_segment(slice, in_slices);
    // These have no holders. But a waiter in slices makes sure that the dead are found.
    let Some(slice) = slice else { return };
    let is_alone = || segment.participants().len() == 1;
    end_with_lost_marks(|| drop(segment.attach()));
    in_slices("semaphore", &mut || segment.semaphore.try_acquire_for(slice).is_ok() || is_alone());
    end_with_lost_marks(|| drop(segment.attach()));
    in_slices("event", &mut || segment.event.wait_timeout(slice).is_ok() || is_alone());
    end_with_lost_marks(|| drop(segment.attach()));
    let mut guard = Some(segment.of_condvar.lock().expect("free"));
    in_slices("condvar", &mut || {
        let waited = segment.condvar.wait_timeout(guard.take().expect("kept"), slice).expect("nobody dies holding");
        guard = Some(waited.0);
        is_alone()
    });
}

/// Those who try find the queue empty, or full, and nobody in the way.
fn the_last_end_of_a_queue(slice: Option<Duration>, in_slices: impl Fn(&str, &mut dyn FnMut() -> bool)) {
    let queue = Queue::<u64>::anonymous(1).expect("a queue");
    end_with_lost_marks(|| core::mem::forget(queue.sender()));
    in_slices("the last sender of a queue", &mut || match slice {
        None => matches!(queue.try_recv(), Err(TryRecvError::Disconnected)),
        Some(slice) => matches!(queue.recv_timeout(slice), Err(RecvTimeoutError::Disconnected)),
    });
    let queue = Queue::<u64>::anonymous(1).expect("a queue");
    queue.send(1).expect("room");
    end_with_lost_marks(|| core::mem::forget(queue.receiver()));
    in_slices("the last receiver of a queue", &mut || match slice {
        None => matches!(queue.try_send(2), Err(TrySendError::Disconnected(_))),
        Some(slice) => matches!(queue.send_timeout(2, slice), Err(SendTimeoutError::Disconnected(_))),
    });
}

/// The same. The message for which there is no room needs blocks of the pool.
fn the_last_end_of_a_queue_of_messages(slice: Option<Duration>, in_slices: impl Fn(&str, &mut dyn FnMut() -> bool)) {
    let queue = MessageQueue::anonymous(4, 4096).expect("a queue");
    end_with_lost_marks(|| core::mem::forget(queue.sender()));
    in_slices("the last sender of messages", &mut || match slice {
        None => matches!(queue.try_recv_bytes(), Err(TryRecvMessageError::Disconnected)),
        Some(slice) => matches!(queue.recv_bytes_timeout(slice), Err(RecvMessageTimeoutError::Disconnected)),
    });
    let queue = MessageQueue::anonymous(4, 4096).expect("a queue");
    let long = vec![1; queue.max_message()];
    queue.send_bytes(&long).expect("room");
    end_with_lost_marks(|| core::mem::forget(queue.receiver()));
    in_slices("the last receiver of messages", &mut || match slice {
        None => matches!(queue.try_send_bytes(&long), Err(TrySendMessageError::Disconnected)),
        Some(slice) => matches!(queue.send_bytes_timeout(&long, slice), Err(SendMessageTimeoutError::Disconnected)),
    });
}

/// A fault that was there once: only a sleep that lasted a whole second reaped.
#[test]
fn waits_in_slices_of_a_tenth_of_a_second_find_an_unreported_death() {
    finds_an_unreported_death(Some(Duration::from_millis(100)));
}

#[test]
fn waits_in_slices_of_nearly_a_second_find_an_unreported_death() {
    finds_an_unreported_death(Some(Duration::from_millis(900)));
}

/// Shorter than the first phase of a sleep.
#[test]
fn waits_in_slices_of_a_few_milliseconds_find_an_unreported_death() {
    finds_an_unreported_death(Some(Duration::from_millis(3)));
}

#[test]
fn repeated_tries_without_a_wait_find_an_unreported_death() {
    finds_an_unreported_death(None);
}

/// A fault that was there once: each sleeper checked each participant once a second.
#[test]
fn one_reaping_serves_all_sleepers() {
    const SLEEPERS: usize = 40;
    // In a process of its own, where nothing else reaps.
    let pid = fork(|| {
        let segment = Segment::<Shared>::anonymous(|_| {}).expect("a segment");
        let guard = segment.mutex.lock().expect("free");
        let sleep = || drop(segment.mutex.lock());
        std::thread::scope(|scope| {
            (0..SLEEPERS).for_each(|_| _ = scope.spawn(sleep));
            let (begin, before) = (Instant::now(), outlive::test_switches::slow_checks());
            let asleep = || segment.participants().iter().filter(|p| is_asleep(p)).count();
            until("all to fall asleep", || asleep() == SLEEPERS);
            std::thread::sleep(Duration::from_secs(3));
            let checks = outlive::test_switches::slow_checks() - before;
            drop(guard);
            let reaping_is_due_at = begin.elapsed().as_secs() + 2;
            assert!(checks > 0, "nobody reaps");
            assert!(
                checks <= reaping_is_due_at * (SLEEPERS as u64 + 1),
                "{checks} checks, where {reaping_is_due_at} checks of each participant were due"
            );
        });
        0
    });
    assert_eq!(wait(pid), 0);
}
