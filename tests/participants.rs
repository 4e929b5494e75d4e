//! Participants: threads that end; processes that fork, exec and are killed; several segments,
//! several mappings, full tables, other PID namespaces.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    Event, LeaveError, Location, LocationError, Lock, LockError, LockTimeoutError, Mutex, PermitPool, RegisterError,
    Segment, Semaphore, Shareable, TryLockError,
};
use std::cell::RefCell;

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited();
    match role.as_str() {
        "hold, with another segment dropped by another thread" => {
            let other = std::sync::Arc::new(segment());
            let theirs = std::sync::Arc::clone(&other);
            let (ready, told) = std::sync::mpsc::channel();
            let (dropped, go) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                core::mem::forget(shared.pair.lock().expect("free"));
                drop(theirs.pair.lock().expect("free")); // linked in both segments, the newer segment first in the list
                drop(theirs);
                ready.send(()).expect("heard");
                go.recv().expect("told");
                say("held");
                loop {
                    std::thread::park();
                }
            });
            told.recv().expect("ready");
            drop(other);
            dropped.send(()).expect("heard");
            wait_for_the_word();
        }
        other => panic!("no such role: {other}"),
    }
}

/// A thread that gives back or wakes registers, so that its death in the middle is noticed. But it
/// needs no slot for that.
#[test]
fn a_thread_without_a_slot_still_releases_and_wakes() {
    #[derive(Shareable)]
    #[repr(C)]
    struct All {
        lock: Lock,
        semaphore: Semaphore,
        pool: PermitPool<1>,
        event: Event,
    }
    let all = Segment::<All>::options().participants(1).anonymous(|_, _| {}).expect("a segment");
    all.lock.acquire().expect("free");
    let (index, holder) = all.pool.permit().expect("free").into_parts();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(all.attach(), Err(RegisterError::Full { participants: 1 })));
            all.lock.release().expect("held");
            all.semaphore.release().expect("room");
            all.pool.give_back(index, holder).expect("held");
            all.event.set().expect("nothing keeps it from that");
        });
    });
    all.lock.try_acquire().expect("was released");
    all.semaphore.try_acquire().expect("was given");
    assert!(all.pool.try_permit().is_ok() && all.event.is_set());
}

#[test]
fn a_guard_inherited_by_a_child_does_not_unlock_the_parents_hold() {
    let shared = segment();
    let guard = RefCell::new(Some(shared.pair.lock().expect("free")));
    let parent = shared.attach().expect("registered");
    let pid = fork(|| {
        drop(guard.borrow_mut().take()); // the child's copy
        let child = shared.attach().expect("another participant");
        let still_held = matches!(shared.pair.try_lock(), Err(TryLockError::WouldBlock));
        i32::from(!(still_held && child != parent))
    });
    assert_eq!(wait(pid), 0);
    assert!(matches!(shared.pair.lock(), Err(LockError::Deadlock)), "the parent still holds it");
    drop(guard);
    assert!(shared.pair.lock().is_ok());
}

#[test]
fn a_parent_learns_that_its_forked_child_died_with_the_lock() {
    each_way_in_a_process_of_its_own(|| {
        let shared = segment();
        drop(shared.pair.lock().expect("free"));
        let pid = fork(|| {
            let _guard = shared.pair.lock().expect("free");
            // SAFETY: ends this child, and nothing else.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            1
        });
        assert_eq!(wait(pid), -libc::SIGKILL);
        assert!(matches!(shared.pair.lock(), Err(LockError::OwnerDied(_))));
    });
}

/// The child reuses the records of the parent's thread. That thread had two lifelines, and the
/// child has one. When the child leaves, it must not believe what they say of the second.
#[test]
fn a_child_that_leaves_unlinks_only_its_own_lifelines() {
    let (left, held) = (segment(), segment());
    let told = std::thread::scope(|scope| {
        let parent = || {
            left.attach().expect("in, with two lifelines");
            let pid = fork(|| {
                left.attach().expect("in, with one");
                core::mem::forget(held.pair.lock().expect("free"));
                left.detach().expect("nothing held");
                // SAFETY: ends this child, and nothing else.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
                1
            });
            assert_eq!(wait(pid), -libc::SIGKILL);
            matches!(held.pair.try_lock(), Err(TryLockError::OwnerDied(_)))
        };
        scope.spawn(parent).join().expect("no panic")
    });
    assert!(told, "the kernel did not find the lifeline that was not left");
}

/// In a process of its own, which has one thread: a raw clone copies the allocator's locks as they
/// are, and another thread of this process may have one.
#[test]
fn a_raw_clone_is_refused_with_what_is_missing() {
    let status = wait(fork(|| {
        let shared = segment();
        let guard = shared.pair.lock().expect("free");
        // SAFETY: as fork, without the C library's work in the child. The child makes system calls
        // and ends.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as i32;
        if pid == 0 {
            let answer = shared.attach();
            let named = matches!(&answer, Err(RegisterError::Unsupported(what)) if what.contains("robust list"));
            drop(guard);
            // SAFETY: ends the process.
            unsafe { libc::_exit(i32::from(!named)) };
        }
        assert_eq!(wait(pid), 0);
        assert!(matches!(shared.pair.lock(), Err(LockError::Deadlock)), "the parent still holds it");
        0
    }));
    assert_eq!(status, 0);
}

#[test]
fn one_thread_takes_part_in_many_segments() {
    let segments: Vec<_> = (0..10).map(|_| segment()).collect();
    for round in 0..3u64 {
        let guards: Vec<_> = segments.iter().map(|s| s.pair.lock().expect("free")).collect();
        for mut guard in guards {
            assert_eq!(guard[0], round);
            guard[0] += 1;
        }
    }
    for segment in &segments {
        assert_eq!(segment.participants().len(), 1, "one slot for one thread");
    }
}

#[test]
fn one_segment_mapped_twice_is_one_segment() {
    each_way_in_a_process_of_its_own(|| {
        let name = format!("outlive-test-twice-{}", std::process::id());
        let first = Segment::<Shared>::create(&name, |_| {}).expect("a new name");
        let second = Segment::<Shared>::open(&name).expect("the same");
        let third = Segment::<Shared>::open(&name).expect("the same");
        Segment::<Shared>::remove(&name).expect("removed");
        let guard = first.pair.lock().expect("free");
        assert!(matches!(second.pair.lock(), Err(LockError::Deadlock)), "the same thread, the same lock");
        assert_eq!(first.attach().expect("in"), second.attach().expect("in"));
        drop(guard);
        drop(first); // the lifeline is linked in the first mapping
        drop(second.pair.lock().expect("free"));
        assert_eq!(third.participants().len(), 1);
        drop(second);
        drop(third.pair.lock().expect("free"));
        assert_eq!(third.participants().len(), 1);
    });
}

fn mappings_of_memfds() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("readable");
    maps.lines().filter(|line| line.contains("/memfd:outlive")).count()
}

#[test]
fn a_segment_dropped_by_another_stays_mapped_until_its_threads_have_left() {
    // In a process of its own: other tests map segments, too.
    let pid = fork(|| {
        let before = mappings_of_memfds();
        let (dropped, stays) = (segment(), segment());
        let (to_thread, from_main) = std::sync::mpsc::channel::<()>();
        let (to_main, from_thread) = std::sync::mpsc::channel::<()>();
        let dropped = std::sync::Arc::new(dropped);
        let theirs = std::sync::Arc::clone(&dropped);
        let stays = std::sync::Arc::new(stays);
        let used = std::sync::Arc::clone(&stays);
        let thread = std::thread::spawn(move || {
            drop(theirs.pair.lock().expect("free"));
            drop(theirs);
            to_main.send(()).expect("heard");
            from_main.recv().expect("told");
            drop(used.pair.lock().expect("free")); // the next operation anywhere leaves the dropped segment
            to_main.send(()).expect("heard");
            from_main.recv().expect("told");
        });
        from_thread.recv().expect("told");
        drop(dropped);
        let linked = mappings_of_memfds() - before;
        to_thread.send(()).expect("heard");
        from_thread.recv().expect("told");
        let left = mappings_of_memfds() - before;
        to_thread.send(()).expect("heard");
        thread.join().expect("no panic");
        i32::from((linked, left) != (2, 1))
    });
    assert_eq!(wait(pid), 0);
}

#[test]
fn a_dropped_segment_does_not_hide_a_death_in_another() {
    each_way(|waitv| {
        let shared = segment();
        let mut holder = Actor::start(&shared, "hold, with another segment dropped by another thread", waitv);
        assert_eq!(holder.hear(), "held");
        holder.kill();
        assert!(matches!(shared.pair.lock(), Err(LockError::OwnerDied(_))));
    });
}

#[test]
fn a_full_table_is_an_error_and_the_slots_of_the_dead_are_used_again() {
    each_way_in_a_process_of_its_own(|| {
        let small = Segment::<Mutex<u64>>::options().participants(2).anonymous(|_, _| {}).expect("a segment");
        drop(small.lock().expect("free"));
        for _ in 0..20 {
            std::thread::scope(|scope| {
                scope.spawn(|| *small.lock().expect("the other slot") += 1);
            });
            // The scope ends before the kernel has ended the thread.
            until("the thread to leave its slot", || small.participants().len() == 1);
        }
        assert_eq!(*small.lock().expect("free"), 20);
        std::thread::scope(|scope| {
            let (ready, told) = std::sync::mpsc::channel();
            let (end, go) = std::sync::mpsc::channel::<()>();
            let small = &small;
            scope.spawn(move || {
                small.attach().expect("the second slot");
                ready.send(()).expect("heard");
                let _end_of_test = go.recv();
            });
            told.recv().expect("ready");
            scope
                .spawn(move || match small.lock() {
                    Err(LockError::Register(RegisterError::Full { participants: 2 })) => {}
                    other => panic!("{other:?}"),
                })
                .join()
                .expect("full");
            drop(end);
        });
    });
}

#[test]
fn a_thread_leaves_when_asked_to_unless_it_holds_something() {
    let shared = segment();
    let guard = shared.pair.lock().expect("free");
    assert!(matches!(shared.detach(), Err(LeaveError::StillHolding { .. })));
    drop(guard);
    let before = shared.attach().expect("in");
    shared.detach().expect("nothing held");
    assert!(shared.participants().is_empty());
    drop(shared.pair.lock().expect("free"));
    assert_ne!(shared.attach().expect("in again"), before);
}

#[test]
fn a_guard_dropped_by_a_thread_local_destructor_unlocks() {
    each_way_in_a_process_of_its_own(|| {
        struct AtTheEnd(RefCell<Option<outlive::MutexGuard<'static, [u64; 2]>>>);
        thread_local!(static KEPT: AtTheEnd = const { AtTheEnd(RefCell::new(None)) });
        let shared: &'static _ = Box::leak(Box::new(segment()));
        std::thread::spawn(|| {
            KEPT.with(|kept| *kept.0.borrow_mut() = Some(shared.pair.lock().expect("free")));
        })
        .join()
        .expect("no panic");
        assert!(shared.pair.lock().is_ok(), "unlocked by the destructor, and no death");
    });
}

#[test]
fn holder_and_waiter_may_be_in_different_pid_namespaces() {
    each_way_in_a_process_of_its_own(|| {
        let shared = segment();
        drop(shared.pair.lock().expect("free"));
        let maker = fork(|| {
            // SAFETY: only this child is concerned.
            let refused = unsafe {
                libc::unshare(libc::CLONE_NEWPID) != 0 && libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID) != 0
            };
            if refused {
                return 77;
            }
            let holder = fork(|| {
                // Process 1 of its namespace, so that its ids mean other processes outside.
                let _guard = shared.pair.lock().expect("free");
                shared.reported.store(1, std::sync::atomic::Ordering::SeqCst);
                loop {
                    std::thread::park();
                }
            });
            until("the holder to hold", || shared.reported.load(std::sync::atomic::Ordering::SeqCst) == 1);
            let outside = matches!(shared.pair.try_lock(), Err(TryLockError::WouldBlock));
            // SAFETY: the holder, by its id in this namespace.
            unsafe { libc::kill(holder, libc::SIGKILL) };
            let told = matches!(shared.pair.try_lock_for(PATIENCE), Err(LockTimeoutError::OwnerDied(_)));
            wait(holder);
            i32::from(!(outside && told))
        });
        match wait(maker) {
            77 => skipped("no permission to make a PID namespace"),
            status => assert_eq!(status, 0),
        }
    });
}

#[test]
fn a_location_can_be_made_of_names_and_paths() {
    let named: Location = "jobs".into();
    assert_eq!(named.path().expect("a name"), std::path::Path::new("/dev/shm/jobs"));
    assert!(matches!(Location::named("a/b").path(), Err(LocationError::InvalidName(_))));
}

/// A fault that was there once: sleepers watched one thread of each process, and not the thread
/// that got the lock next.
#[test]
fn the_end_of_a_thread_that_was_handed_the_lock_is_noticed() {
    each_way_in_a_process_of_its_own(|| {
        let shared = segment();
        let guard = shared.pair.lock().expect("free");
        std::thread::scope(|scope| {
            let lock_and_leak = || match shared.pair.lock() {
                Ok(guard) => core::mem::forget(guard),
                Err(LockError::Leaked { .. }) => {}
                Err(other) => panic!("{other}"),
            };
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(lock_and_leak)).collect();
            // Longer than the first phase. Without futex_waitv no sleep lasts 20 ms.
            let long_enough = if outlive::waitv::waitv_works() { 40 } else { 10 };
            until("all three to sleep for long", || {
                let long = |p: &outlive::ParticipantInfo| p.asleep_for.is_some_and(|t| t.as_millis() > long_enough);
                shared.participants().iter().filter(|p| long(p)).count() == 3
            });
            drop(guard);
            until("one to have leaked the lock, and two to learn of it", || {
                threads.iter().all(|thread| thread.is_finished())
            });
        });
    });
}

/// A fault that was there once: while another thread checked whether the old mapping could be
/// unmapped, this thread's registration was not found.
#[test]
fn a_thread_keeps_its_id_while_others_drop_segments() {
    let name = format!("outlive-test-keeps-{}", std::process::id());
    let first = Segment::<Shared>::create(&name, |_| {}).expect("a new name");
    let second = Segment::<Shared>::open(&name).expect("the same");
    Segment::<Shared>::remove(&name).expect("removed");
    let id = first.attach().expect("in");
    drop(first); // the mapping stays, because this thread's lifeline is linked there
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                drop(segment());
            }
        });
        let kept = (0..20_000).all(|_| second.attach().expect("in") == id);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(kept, "one thread, two ids");
    });
}

#[test]
fn exec_by_the_main_thread_is_a_death() {
    each_way_in_a_process_of_its_own(|| {
        let shared = segment();
        let pid = fork(|| {
            core::mem::forget(shared.pair.lock().expect("free"));
            shared.reported.store(1, std::sync::atomic::Ordering::SeqCst);
            let mut sleep = std::process::Command::new("/bin/sleep");
            let _only_if_it_failed = std::os::unix::process::CommandExt::exec(sleep.arg("20"));
            1
        });
        until("the child to hold", || shared.reported.load(std::sync::atomic::Ordering::SeqCst) == 1);
        let told = matches!(shared.pair.try_lock_for(PATIENCE), Err(LockTimeoutError::OwnerDied(_)));
        // SAFETY: our own child, which lives on as another program.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        assert_eq!(wait(pid), -libc::SIGKILL, "it was alive when its death in the segment was reported");
        assert!(told);
    });
}

#[test]
fn equal_process_ids_in_two_namespaces_are_two_participants() {
    each_way_in_a_process_of_its_own(|| {
        let shared = segment();
        let seen =
            Segment::<()>::options().room::<std::sync::atomic::AtomicU64>(2).anonymous(|(), _| {}).expect("a segment");
        let in_a_namespace = |index: usize, body: &dyn Fn() -> i32| {
            fork(|| {
                // SAFETY: only this child is concerned.
                let refused = unsafe {
                    libc::unshare(libc::CLONE_NEWPID) != 0
                        && libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWPID) != 0
                };
                if refused {
                    return 77;
                }
                wait(fork(|| {
                    seen.room()[index].store(u64::from(std::process::id()), std::sync::atomic::Ordering::SeqCst);
                    body()
                }))
            })
        };
        let holder = in_a_namespace(0, &|| {
            core::mem::forget(shared.pair.lock().expect("free"));
            shared.reported.store(1, std::sync::atomic::Ordering::SeqCst);
            until("the other to have finished", || shared.reported.load(std::sync::atomic::Ordering::SeqCst) == 2);
            0
        });
        let other = in_a_namespace(1, &|| {
            until("the holder to hold", || shared.reported.load(std::sync::atomic::Ordering::SeqCst) == 1);
            let held = matches!(shared.pair.try_lock(), Err(TryLockError::WouldBlock));
            shared.reported.store(2, std::sync::atomic::Ordering::SeqCst);
            i32::from(!(held && matches!(shared.pair.try_lock_for(PATIENCE), Err(LockTimeoutError::OwnerDied(_)))))
        });
        match (wait(holder), wait(other)) {
            (77, _) | (_, 77) => skipped("no permission to make a PID namespace"),
            ends => {
                assert_eq!(ends, (0, 0));
                let ids: Vec<_> = seen.room().iter().map(|id| id.load(std::sync::atomic::Ordering::SeqCst)).collect();
                assert_eq!(ids[0], ids[1], "both are the first process of their namespace");
            }
        }
    });
}

/// More than fit into a thread's list of address ranges and its cache of known pages.
const MANY: usize = 40;

fn many() -> Vec<Segment<Lock>> {
    let one = |_| Segment::<Lock>::options().participants(8).anonymous(|_, _| {}).expect("a segment");
    (0..MANY).map(one).collect()
}

/// Each lock names the same thread as the segment's own list.
fn is_itself_in_each(segments: &[Segment<Lock>]) {
    // SAFETY: both calls only ask for numbers.
    let (process_id, thread_id) = unsafe { (libc::getpid() as u32, libc::gettid() as u32) };
    for _ in 0..3 {
        for segment in segments {
            segment.acquire().expect("free");
            let me = |p: &&outlive::ParticipantInfo| (p.process_id, p.thread_id) == (process_id, Some(thread_id));
            let all = segment.participants();
            assert_eq!(segment.holder(), all.iter().find(me).map(|p| p.id), "among {all:?}");
            segment.release().expect("acquired");
        }
    }
}

#[test]
fn a_thread_has_its_own_id_in_each_of_many_segments() {
    is_itself_in_each(&many());
}

/// The thread has another slot then, and its old slot may have another owner.
#[test]
fn a_thread_that_left_many_segments_comes_back_with_other_ids() {
    let segments = many();
    is_itself_in_each(&segments);
    for segment in &segments {
        let before = segment.attach().expect("in");
        segment.detach().expect("holds nothing");
        std::thread::scope(|scope| {
            scope.spawn(|| segment.attach().expect("takes the slot"));
        });
        assert_ne!(segment.attach().expect("in again"), before);
    }
    is_itself_in_each(&segments);
}

/// The kernel maps new memory where old memory was.
#[test]
fn a_segment_mapped_where_a_dropped_one_was_is_not_taken_for_it() {
    let mut segments = many();
    for round in 0..20 {
        is_itself_in_each(&segments);
        for place in (round % 2..MANY).step_by(2) {
            segments[place] = Segment::<Lock>::options().participants(8).anonymous(|_, _| {}).expect("a segment");
            // In another slot than before, so that an old id would be wrong.
            std::thread::scope(|scope| {
                (0..place % 4).for_each(|_| _ = scope.spawn(|| segments[place].attach()));
            });
        }
    }
}

#[test]
fn another_thread_drops_some_of_many_segments_and_the_rest_stay_known() {
    let mut segments = many();
    is_itself_in_each(&segments);
    let rest = segments.split_off(MANY / 2);
    std::thread::spawn(move || drop(segments)).join().expect("no panic");
    is_itself_in_each(&rest);
}

#[test]
fn successive_threads_each_have_their_own_id_in_many_segments() {
    let segments = many();
    for _ in 0..4 {
        std::thread::scope(|scope| scope.spawn(|| is_itself_in_each(&segments)).join()).expect("no panic");
    }
    is_itself_in_each(&segments);
}

#[test]
fn a_forked_child_has_its_own_id_in_each_of_many_segments() {
    let segments = many();
    is_itself_in_each(&segments);
    let child = fork(|| {
        is_itself_in_each(&segments);
        0
    });
    assert_eq!(wait(child), 0);
    is_itself_in_each(&segments);
    // A child that begins with dropping the segments it inherited. Its parent keeps its ids.
    let mut segments = segments;
    let child = fork(|| {
        segments.truncate(MANY / 2);
        is_itself_in_each(&segments);
        0
    });
    assert_eq!(wait(child), 0);
    is_itself_in_each(&segments);
}
