//! Who takes part in a segment: threads that come and go, forks, raw clones, several segments and mappings, full tables,
//! PID namespaces.

#![allow(clippy::disallowed_methods)] // a raw clone is what one of the tests is about

mod common;

use common::{
    Child, Named, Shared, Waits, Wire, both_ways, eventually, inherited, shared, told, wait_until_asleep,
};
use outlive::{Error, Lock, LockError, Mutex, Segment};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

common::children_play!(|role, argument, wire| match role {
    "fork with guards" => fork_with_guards(&inherited(), wire),
    "fork and wait for each other" => fork_and_wait_for_each_other(&inherited(), wire),
    "fork that dies holding" => fork_that_dies_holding(&inherited(), wire),
    "fork that outlives its parent" => fork_that_outlives_its_parent(&inherited(), wire),
    "raw clone" => raw_clone(&inherited(), wire),
    "hold in all" => hold_in_all(argument.parse().expect("a number"), wire),
    "map twice" => map_twice(argument, wire),
    "drop what another thread used" => drop_what_another_thread_used(&inherited(), wire),
    "in a namespace of its own" => obey_in_a_namespace_of_its_own(&inherited(), wire),
    other => panic!("unknown role {other}"),
});

both_ways! {
    a_forks_copy_of_a_guard_does_nothing
    a_fork_and_its_parent_wait_for_each_other
    a_fork_that_dies_holding_hands_the_lock_over
    a_fork_is_told_of_the_death_of_its_parent
    a_raw_clone_is_refused
    a_thread_is_killed_in_more_segments_than_it_caches
    one_segment_mapped_twice_is_one_segment
    a_mapping_stays_while_a_thread_is_linked_in_it
    a_detached_thread_comes_back
    holder_and_waiter_in_different_pid_namespaces
    equal_ids_in_two_pid_namespaces
    a_thread_that_was_woken_and_leaks_its_guard_hands_the_lock_over
}

/// Plays that role in the main, and only, thread of a child, which says "ok" when all is as it should be.
fn all_is_well_in(role: &str, waits: Waits) {
    let segment = shared();
    Child::with_segment(role, &segment, waits, true).expect("ok");
}

/// A fork of this process, which has one thread. What it does ends in exit code 0, unless it panics.
struct Fork(i32);

impl Fork {
    fn doing(work: impl FnOnce()) -> Self {
        // SAFETY: the process has one thread, so the child can do whatever the parent could.
        match unsafe { libc::fork() } {
            -1 => panic!("no fork: {}", std::io::Error::last_os_error()),
            0 => {
                let done = catch_unwind(AssertUnwindSafe(work));
                // SAFETY: ends the process; the parent's destructors are none of its business.
                unsafe { libc::_exit(if done.is_ok() { 0 } else { 101 }) }
            }
            process => Self(process),
        }
    }
    /// As [`doing`](Self::doing), and dies with its parent.
    fn dying_with_us(work: impl FnOnce()) -> Self {
        Self::doing(|| {
            // SAFETY: prctl with these arguments changes only this process.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            work();
        })
    }
    /// Its exit code, or the signal that ended it, negative.
    fn wait(self) -> i32 {
        let mut status = 0;
        // SAFETY: the status goes to a live local.
        let process = unsafe { libc::waitpid(self.0, &mut status, 0) };
        assert_eq!(process, self.0);
        if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
    }
}

fn a_forks_copy_of_a_guard_does_nothing(waits: Waits) {
    all_is_well_in("fork with guards", waits);
}

fn fork_with_guards(segment: &Shared, wire: &mut Wire) {
    let [mutex, broken, ..] = segment.room() else { panic!("no room") };
    let mine = segment.attach().expect("a place");
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let _guard = broken.lock();
        std::panic::resume_unwind(Box::new(()));
    }));
    let poisoned = broken.lock().err().and_then(|error| error.into_guard().ok());
    let mut guards = (mutex.lock().ok(), poisoned, segment.lock().ok());
    let fork = Fork::dying_with_us(|| {
        // The child is somebody else, also before its first operation.
        drop(guards.0.take());
        let mut copy = guards.1.take().expect("a guard");
        copy.mark_consistent();
        drop(copy);
        guards.2.take().expect("a guard").release().expect("nothing, without an error");
        assert_ne!(segment.attach().expect("a place of its own"), mine);
        assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
        assert!(broken.is_inconsistent());
        assert_eq!(segment.holder(), Some(mine));
        assert!(matches!(segment.mark_consistent(), Err(Error::NotHeld { .. })));
    });
    assert_eq!(fork.wait(), 0);
    assert_eq!(segment.attach().expect("the same place"), mine);
    assert!(matches!(mutex.lock(), Err(LockError::Deadlock)), "the parent holds it still");
    drop(guards);
    assert!(mutex.try_lock().is_ok());
    assert!(matches!(broken.try_lock(), Err(LockError::Poisoned(_))));
    assert_eq!(segment.holder(), None);
    wire.send("ok");
}

fn a_fork_and_its_parent_wait_for_each_other(waits: Waits) {
    all_is_well_in("fork and wait for each other", waits);
}

/// Whether some participant of that process sleeps.
fn sleeps(segment: &Shared, process: u32) -> bool {
    segment.participants().iter().any(|p| p.process_id == process && p.asleep_for.is_some())
}

fn fork_and_wait_for_each_other(segment: &Shared, wire: &mut Wire) {
    let [one, two, ..] = segment.room() else { panic!("no room") };
    let parent = std::process::id();
    let guard = one.lock().expect("a free mutex");
    let fork = Fork::dying_with_us(|| {
        let held = two.lock().expect("a free mutex");
        assert!(matches!(one.try_lock(), Err(LockError::WouldBlock)));
        drop(one.lock().expect("a wait that ends well"));
        // Now the other way round.
        eventually("the parent sleeps", || sleeps(segment, parent));
        drop(held);
        // A fork of a fork is somebody else again.
        let own = segment.attach().expect("a place");
        let fork = Fork::dying_with_us(|| {
            assert_ne!(segment.attach().expect("a place"), own);
            *two.lock().expect("a wait that ends well") += 1;
        });
        assert_eq!(fork.wait(), 0);
    });
    eventually("the child sleeps", || sleeps(segment, fork.0 as u32));
    drop(guard);
    drop(two.lock().expect("a wait that ends well"));
    assert_eq!(fork.wait(), 0);
    assert_eq!(*two.lock().expect("a free mutex"), 1);
    wire.send("ok");
}

fn a_fork_that_dies_holding_hands_the_lock_over(waits: Waits) {
    all_is_well_in("fork that dies holding", waits);
}

fn fork_that_dies_holding(segment: &Shared, wire: &mut Wire) {
    let [mutex, ..] = segment.room() else { panic!("no room") };
    let mine = segment.attach().expect("a place");
    for kill in [true, false] {
        let fork = Fork::dying_with_us(|| {
            std::mem::forget(mutex.lock().expect("a free mutex"));
            eventually("the parent sleeps", || {
                segment.participants().iter().any(|p| p.id == mine && p.asleep_for.is_some())
            });
            if kill {
                // SAFETY: a process may kill itself.
                unsafe { libc::raise(libc::SIGKILL) };
            }
        });
        eventually("the child holds the lock", || format!("{mutex:?}").contains("locked"));
        match mutex.lock() {
            Err(LockError::OwnerDied(left)) => {
                assert_ne!(left.by(), Some(mine));
                left.into_guard().mark_consistent();
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fork.wait(), if kill { -libc::SIGKILL } else { 0 });
    }
    wire.send("ok");
}

fn a_fork_is_told_of_the_death_of_its_parent(waits: Waits) {
    let segment = shared();
    let mut parent = Child::with_segment("fork that outlives its parent", &segment, waits, true);
    let (parents, forks) = (parent.line(), parent.line());
    wait_until_asleep(&segment, &forks);
    parent.kill();
    parent.expect(&format!("OwnerDied {parents}")); // the line is the child's, too
}

fn fork_that_outlives_its_parent(segment: &Shared, wire: &mut Wire) {
    let _guard = segment.room()[0].lock().expect("a free mutex");
    wire.send(segment.attach().expect("a place"));
    let _fork = Fork::doing(|| {
        // SAFETY: only for the case that the wait never ends.
        unsafe { libc::alarm(30) };
        wire.send(segment.attach().expect("a place"));
        match segment.room()[0].lock() {
            Err(error) => wire.send(told(&error)),
            Ok(_) => wire.send("ok"),
        }
    });
    loop {
        thread::park(); // until we are killed
    }
}

fn a_raw_clone_is_refused(waits: Waits) {
    all_is_well_in("raw clone", waits);
}

fn raw_clone(segment: &Shared, wire: &mut Wire) {
    let mutex = &segment.room()[0];
    let mut guard = mutex.lock().ok();
    let mut lock_guard = segment.lock().ok();
    let before = segment.participants();
    // SAFETY: the process has one thread, and the child gets copies of all memory, as from fork, but of no robust list.
    let process = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as i32;
    if process == 0 {
        let done = catch_unwind(AssertUnwindSafe(|| {
            drop(guard.take());
            lock_guard.take().expect("a guard").release().expect("nothing, without an error");
            let refusals = [
                mutex.lock().map(drop).map_err(LockError::into_guard),
                mutex.try_lock().map(drop).map_err(LockError::into_guard),
                segment.attach().map(drop).map_err(|error| Err(LockError::Unusable(error))),
            ];
            for refusal in refusals {
                match refusal {
                    Err(Err(LockError::Unusable(error @ Error::Unsupported(_)))) => {
                        assert!(error.to_string().contains("has no robust list"), "{error}");
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(segment.participants(), before);
        }));
        // SAFETY: ends the process.
        unsafe { libc::_exit(if done.is_ok() { 0 } else { 101 }) };
    }
    assert_eq!(Fork(process).wait(), 0);
    assert!(matches!(mutex.lock(), Err(LockError::Deadlock)), "the parent holds it still");
    assert_eq!(segment.holder(), segment.attach().ok());
    drop((guard, lock_guard));
    assert!(mutex.try_lock().is_ok() && segment.try_lock().is_ok());
    wire.send("ok");
}

fn a_thread_is_killed_in_more_segments_than_it_caches(waits: Waits) {
    let segments: Vec<Shared> = (0..10).map(|_| shared()).collect();
    for main in [true, false] {
        let mut child = Child::playing("hold in all", "10", waits, main, |command| {
            for (number, segment) in segments.iter().enumerate() {
                segment.pass_to(command, &number.to_string()).expect("to pass a segment");
            }
        });
        let mut waiter = Child::obeying(&segments[9], waits);
        child.expect("ok");
        waiter.tell("lock 0");
        wait_until_asleep(&segments[9], &waiter.id);
        child.kill();
        assert!(waiter.line().starts_with("OwnerDied"));
        waiter.ask("mend 0", "ok");
        waiter.ask("unlock 0", "ok");
        for segment in &segments[..9] {
            match segment.room()[0].try_lock() {
                Err(LockError::OwnerDied(left)) => left.into_guard().mark_consistent(),
                other => panic!("{other:?}"),
            }
        }
    }
}

fn hold_in_all(count: usize, wire: &mut Wire) {
    let segments: Vec<Shared> = (0..count)
        .map(|number| Segment::<Lock>::options().room(0).inherit(&number.to_string()).expect("a segment"))
        .collect();
    let mutexes = |place: usize| segments.iter().map(move |segment| &segment.room()[place]);
    let ids: Vec<_> = segments.iter().map(|segment| segment.attach().expect("a place")).collect();
    for _ in 0..3 {
        for mutex in mutexes(1).chain(mutexes(2)) {
            *mutex.lock().expect("a free mutex") += 1;
        }
    }
    let _guards: Vec<_> = mutexes(0).map(|mutex| mutex.lock().expect("a free mutex")).collect();
    let ids_now: Vec<_> = segments.iter().map(|segment| segment.attach().expect("a place")).collect();
    assert_eq!(ids, ids_now, "one place in each segment");
    wire.send("ok");
    wire.receive();
}

fn one_segment_mapped_twice_is_one_segment(waits: Waits) {
    for dropped in ["first", "second"] {
        for main in [true, false] {
            let name = Named::new(&format!("twice-{waits:?}"));
            let segment = name.create();
            let argument = format!("{dropped} {}", name.0);
            let mut child = Child::playing("map twice", &argument, waits, main, |_| {});
            let id = child.line();
            let mut waiter = Child::obeying(&segment, waits);
            waiter.tell("lock 0");
            wait_until_asleep(&segment, &waiter.id);
            child.kill();
            waiter.expect(&format!("OwnerDied {id}"));
        }
    }
}

fn map_twice(argument: &str, wire: &mut Wire) {
    let (dropped, name) = argument.split_once(' ').expect("two words");
    let name = Named(name.to_owned());
    let (one, two) = (name.open(), name.open());
    let guard = one.room()[0].lock().expect("a free mutex");
    assert_eq!(one.attach().expect("a place"), two.attach().expect("a place"));
    assert!(matches!(two.room()[0].try_lock(), Err(LockError::WouldBlock)));
    assert!(matches!(two.room()[0].lock(), Err(LockError::Deadlock)));
    drop(guard);
    let guard = two.room()[0].lock().expect("a free mutex");
    assert!(matches!(one.room()[0].lock(), Err(LockError::Deadlock)));
    drop(guard);
    let kept = if dropped == "first" {
        drop(one);
        two
    } else {
        drop(two);
        one
    };
    let id = kept.attach().expect("a place");
    assert_eq!(kept.participants().len(), 1);
    let _guard = kept.room()[0].lock().expect("a free mutex");
    wire.send(id);
    wire.receive();
}

#[test]
fn who_drops_the_last_mapping_takes_part_no_more() {
    let name = Named::new("last");
    drop(name.create());
    let observer = Child::playing("map twice", &format!("first {}", name.0), Waits::Exactly, true, |_| {});
    drop(observer);
    let (one, two) = (name.open(), name.open());
    let id = one.attach().expect("a place");
    drop(one);
    assert_eq!(two.attach().expect("a place"), id);
    drop(two);
    let again = name.open();
    assert!(again.participants().iter().all(|p| p.id != id), "{:?}", again.participants());
    assert_ne!(again.attach().expect("a place"), id);
}

/// How often the file is mapped in this process.
fn times_mapped(name: &Named) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("a /proc");
    maps.lines().filter(|line| line.contains(&name.0)).count()
}

#[test]
fn a_dropped_segment_stays_mapped_until_the_other_threads_have_left_it() {
    let other = shared();
    let name = Named::new("orphan");
    for ends in [false, true] {
        let segment = Arc::new(name.create());
        let (used, gate) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let theirs = Arc::clone(&segment);
            let thread = scope.spawn(|| {
                *theirs.room()[0].lock().expect("a free mutex") += 1;
                drop(theirs);
                used.wait();
                gate.wait();
                if !ends {
                    drop(other.room()[0].lock()); // leaves the orphan on the way
                    assert_eq!(times_mapped(&name), 0);
                }
            });
            used.wait();
            drop(segment);
            drop(other.room()[1].lock());
            assert_eq!(times_mapped(&name), 1, "a thread is linked in it");
            gate.wait();
            thread.join().expect("no panic");
        });
        drop(shared()); // an opportunity to give it back
        assert_eq!(times_mapped(&name), 0);
        Segment::<Lock>::remove(&name.0).expect("a name");
    }
}

fn a_mapping_stays_while_a_thread_is_linked_in_it(waits: Waits) {
    let segment = shared();
    let mut child = Child::with_segment("drop what another thread used", &segment, waits, true);
    let id = child.line();
    let mut waiter = Child::obeying(&segment, waits);
    waiter.tell("lock 0");
    wait_until_asleep(&segment, &waiter.id);
    child.kill();
    waiter.expect(&format!("OwnerDied {id}"));
}

fn drop_what_another_thread_used(segment: &Shared, wire: &mut Wire) {
    let dropped = Arc::new(shared());
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let theirs = Arc::clone(&dropped);
        scope.spawn(move || {
            std::mem::forget(segment.room()[0].lock().expect("a free mutex"));
            // The newest is the first that the kernel looks at: if it were gone, the rest would be skipped.
            drop(theirs.room()[0].lock().expect("a free mutex"));
            drop(theirs);
            tell.send(segment.attach().expect("a place")).expect("a listener");
            loop {
                thread::park(); // until the process is killed
            }
        });
        let id = told.recv().expect("an id");
        drop(dropped);
        drop(segment.room()[1].lock());
        drop(shared());
        wire.send(id);
        wire.receive();
        std::process::exit(0);
    });
}

#[test]
fn a_thread_that_ends_takes_part_no_more() {
    let segment = shared();
    let id = thread::scope(|scope| {
        scope.spawn(|| segment.attach().expect("a place")).join().expect("no panic")
    });
    assert!(segment.participants().iter().all(|p| p.id != id));
}

#[test]
fn a_full_table_is_told_and_places_of_the_dead_are_given_away() {
    const PLACES: usize = 3;
    Waits::Exactly.apply();
    let segment: Shared =
        Segment::<Lock>::options().room(8).participants(PLACES).anonymous(|_, _| {}).expect("a segment");
    let is_full = || {
        assert!(matches!(segment.attach(), Err(Error::Full { participants: PLACES })));
        let refused = segment.room()[0].lock();
        assert!(matches!(refused, Err(LockError::Unusable(Error::Full { participants: PLACES }))));
        let text = segment.acquire().expect_err("a refusal").to_string();
        assert!(text.contains("all 3 participants"), "{text}");
    };
    // Two processes and a thread.
    let mut one = Child::obeying(&segment, Waits::Exactly);
    let mut two = Child::obeying(&segment, Waits::Exactly);
    let (used, gate) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            segment.attach().expect("the last place");
            used.wait();
            gate.wait();
        });
        used.wait();
        is_full();
        is_full();
        one.ask("lock 0", "ok"); // those who have a place go on
        one.ask("unlock 0", "ok");
        gate.wait();
    });
    // The thread has ended: one place, many in turn.
    let mut ids = vec![];
    for _ in 0..100 {
        let turn = || {
            *segment.room()[0].lock().expect("a free mutex") += 1;
            segment.attach().expect("a place")
        };
        ids.push(thread::scope(|scope| scope.spawn(turn).join().expect("no panic")));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 100, "no id comes twice");
    // The places of killed processes, one of whom holds the lock.
    two.ask("lock 0", "ok");
    one.kill();
    two.kill();
    let three = Child::obeying(&segment, Waits::Exactly);
    let mut four = Child::obeying(&segment, Waits::Exactly);
    four.ask("lock 0", &format!("OwnerDied {}", two.id));
    four.ask("read 0", "100");
    segment.attach().expect("the last place");
    thread::scope(|scope| scope.spawn(is_full).join().expect("no panic"));
    drop((three, four));
}

fn a_detached_thread_comes_back(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut leaver = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying(&segment, waits);
    holder.ask("lock 0", "ok");
    leaver.ask("lock 1", "ok");
    leaver.ask("detach", "StillHolding");
    leaver.ask("unlock 1", "ok");
    leaver.ask("acquire", "ok");
    leaver.ask("detach", "StillHolding");
    leaver.ask("release", "ok");
    waiter.tell("lock 0");
    wait_until_asleep(&segment, &waiter.id); // on everybody's lifeline, the leaver's too
    leaver.ask("detach", "ok");
    leaver.ask("detach", "ok"); // twice is no harm
    assert_eq!(segment.participants().len(), 2);
    wait_until_asleep(&segment, &waiter.id);
    assert!(!waiter.has_answered());
    leaver.tell("id");
    let comes_back_as = leaver.line();
    assert_ne!(comes_back_as, leaver.id);
    leaver.ask("lock 1", "ok");
    holder.kill();
    waiter.expect(&format!("OwnerDied {}", holder.id));
    waiter.tell("lock 1");
    leaver.kill();
    waiter.expect(&format!("OwnerDied {comes_back_as}"));
}

#[test]
fn a_thread_local_destructor_can_lock() {
    struct LocksAtTheEnd(Arc<Shared>);
    impl Drop for LocksAtTheEnd {
        fn drop(&mut self) {
            match self.0.room()[0].lock() {
                Ok(mut guard) => *guard += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    thread_local! {
        static LAST: std::cell::OnceCell<LocksAtTheEnd> = const { std::cell::OnceCell::new() };
    }
    let segment = Arc::new(shared());
    for takes_part_before in [true, false] {
        let theirs = Arc::clone(&segment);
        let thread = thread::spawn(move || {
            if takes_part_before {
                theirs.attach().expect("a place");
            }
            LAST.with(|last| assert!(last.set(LocksAtTheEnd(theirs)).is_ok()));
        });
        thread.join().expect("no panic");
    }
    assert_eq!(*segment.room()[0].lock().expect("a free and consistent mutex"), 2);
    assert_eq!(segment.participants().len(), 1, "the threads are gone");
}

#[test]
fn a_primitive_outside_of_any_segment_is_refused() {
    let alone = Mutex::new(5);
    assert!(matches!(alone.lock(), Err(LockError::Unusable(Error::NotInSegment))));
    assert!(matches!(Lock::new().try_lock(), Err(LockError::Unusable(Error::NotInSegment))));
    assert!(format!("{alone:?}").contains("not in a segment"));
    // Nor is one whose bytes were moved out of a segment's range.
    let segment = shared();
    drop(segment.room()[0].lock());
    assert!(matches!(Mutex::new(1).lock(), Err(LockError::Unusable(Error::NotInSegment))));
}

/// A child that obeys as the first process of a new PID namespace; its process id as we see it. None where that is forbidden.
fn obeying_in_a_namespace_of_its_own(segment: &Shared, waits: Waits) -> Option<(Child, i32)> {
    let mut child = Child::with_segment("in a namespace of its own", segment, waits, true);
    let answer = child.line();
    let Ok(process) = answer.parse() else {
        eprintln!("SKIPPED, no new PID namespace: {answer}");
        return None;
    };
    child.id = child.line();
    Some((child, process))
}

fn obey_in_a_namespace_of_its_own(segment: &Shared, wire: &mut Wire) {
    // SAFETY: neither call touches memory; the process has one thread.
    let answer = unsafe {
        let user = if libc::geteuid() == 0 { 0 } else { libc::CLONE_NEWUSER };
        libc::unshare(libc::CLONE_NEWPID | user)
    };
    if answer != 0 {
        return wire.send(std::io::Error::last_os_error());
    }
    // The parent says first who the child is.
    let (read, write) = std::io::pipe().expect("a pipe");
    let fork = Fork::dying_with_us(|| {
        let _ = std::io::Read::read(&mut &read, &mut [0]);
        assert_eq!(std::process::id(), 1);
        common::obey(segment, wire);
    });
    wire.send(fork.0);
    let _ = std::io::Write::write(&mut &write, &[0]);
    fork.wait();
}

fn kill(process: i32) {
    // SAFETY: the process is a child of our child, which does not reap it before it has ended.
    unsafe { libc::kill(process, libc::SIGKILL) };
}

fn holder_and_waiter_in_different_pid_namespaces(waits: Waits) {
    let segment = shared();
    let Some((mut inside, process)) = obeying_in_a_namespace_of_its_own(&segment, waits) else {
        return;
    };
    let mut outside = Child::obeying(&segment, waits);
    // The holder inside.
    inside.ask("lock 0", "ok");
    outside.tell("lock 0");
    wait_until_asleep(&segment, &outside.id);
    // The holder outside.
    let mut holder = Child::obeying(&segment, waits);
    holder.ask("lock 1", "ok");
    inside.tell("lock 1");
    wait_until_asleep(&segment, &inside.id);
    assert!(!inside.has_answered() && !outside.has_answered());
    holder.kill();
    inside.expect(&format!("OwnerDied {}", holder.id));
    kill(process);
    outside.expect(&format!("OwnerDied {}", inside.id));
}

fn equal_ids_in_two_pid_namespaces(waits: Waits) {
    let segment = shared();
    let Some((mut one, process)) = obeying_in_a_namespace_of_its_own(&segment, waits) else {
        return;
    };
    let Some((mut two, _)) = obeying_in_a_namespace_of_its_own(&segment, waits) else {
        return;
    };
    let participants = segment.participants();
    assert!(participants.len() == 2 && participants.iter().all(|p| p.process_id == 1 && p.thread_id == 1));
    one.ask("lock 0", "ok");
    two.ask("try 0", "WouldBlock");
    two.ask("lock 1", "ok");
    two.tell("lock 0");
    wait_until_asleep(&segment, &two.id);
    assert!(!two.has_answered());
    kill(process);
    two.expect(&format!("OwnerDied {}", one.id));
    // The death of the one is not the death of the other.
    assert!(matches!(segment.room()[1].try_lock(), Err(LockError::WouldBlock)));
    two.ask("unlock 1", "ok");
    assert!(segment.room()[1].try_lock().is_ok());
}

fn a_thread_that_was_woken_and_leaks_its_guard_hands_the_lock_over(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    holder.ask("lock 0", "ok");
    // Two threads of one process wait; the first in the queue is woken, takes the lock, and ends with it.
    let mut process = Child::obeying(&segment, waits);
    process.ask("threads-lock-and-leak 0", "ok");
    eventually("both threads sleep", || {
        let all = segment.participants();
        let asleep = all.iter().filter(|p| p.asleep_for.is_some_and(|time| time.as_millis() > 4));
        asleep.count() == 2
    });
    holder.ask("unlock 0", "ok");
    process.ask("threads-end", "ok");
}
