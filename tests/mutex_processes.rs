//! `Mutex` and `Lock` between real processes, which are killed, exit, exec, end their threads, or panic.

mod common;

use common::{Child, Dice, Shared, Waits, both_ways, eventually, shared, wait_until_asleep};
use outlive::LockError;
use std::hint::black_box;
use std::time::Duration;

common::children_play!(|role, argument, wire| match role {
    "count" => count_for_ever(&common::inherited(), argument.parse().expect("a number"), wire),
    other => panic!("unknown role {other}"),
});

both_ways! {
    a_killed_holder_hands_the_lock_to_the_waiter
    a_killed_holder_hands_the_lock_to_the_next_caller
    a_killed_waiter_disturbs_nobody
    a_holder_and_eight_waiters_killed_at_once_leave_the_ninth_the_lock
    a_holder_that_exits_hands_the_lock_over
    a_main_thread_that_execs_hands_the_lock_over
    another_thread_that_execs_hands_the_lock_over
    a_thread_that_ends_with_a_leaked_guard_hands_the_lock_over
    two_hundred_kills_lose_nothing
    a_timeout_ends_a_wait_and_costs_nobody_a_wake
    a_timeout_at_the_moment_of_the_unlock_costs_nobody_a_wake
    the_longest_timeout_waits
    signals_do_not_end_a_wait
    a_panic_while_holding_is_told_apart_from_a_death
    a_lock_is_released_by_anybody
    a_dead_holder_of_a_lock_is_told_until_somebody_vouches
}

fn a_killed_holder_hands_the_lock_to_the_waiter(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying(&segment, waits);
    holder.ask("lock 0", "ok");
    holder.ask("set 0 5", "ok");
    waiter.tell("lock 0");
    wait_until_asleep(&segment, &waiter.id);
    assert!(!waiter.has_answered());
    holder.kill();
    let news = format!("OwnerDied {}", holder.id);
    waiter.expect(&news);
    waiter.ask("read 0", "5");
    // Nobody has vouched for the data, so the next one is told, too.
    waiter.ask("unlock 0", "ok");
    assert!(segment.room()[0].is_inconsistent());
    waiter.ask("lock 0", &news);
    waiter.ask("unlock 0", "ok");
    let mut other = Child::obeying(&segment, waits);
    other.ask("try 0", &news);
    other.ask("mend 0", "ok");
    other.ask("unlock 0", "ok");
    assert!(!segment.room()[0].is_inconsistent());
    waiter.ask("lock 0", "ok");
}

fn a_killed_holder_hands_the_lock_to_the_next_caller(waits: Waits) {
    let segment = shared();
    for order in ["lock 0", "try 0", "for 0 0", "until-the-past 0", "for-ever 0"] {
        let mut holder = Child::obeying(&segment, waits);
        let mut other = Child::obeying(&segment, waits);
        holder.ask("lock 0", "ok");
        holder.kill();
        other.ask(order, &format!("OwnerDied {}", holder.id));
        other.ask("mend 0", "ok");
        other.ask("unlock 0", "ok");
    }
}

fn a_killed_waiter_disturbs_nobody(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut waiters: Vec<_> = (0..3).map(|_| Child::obeying(&segment, waits)).collect();
    for victim in 0..waiters.len() {
        holder.ask("lock 0", "ok");
        for waiter in &mut waiters {
            waiter.tell("pass 0");
            wait_until_asleep(&segment, &waiter.id);
        }
        waiters[victim].kill();
        holder.ask("unlock 0", "ok");
        for (_, waiter) in waiters.iter_mut().enumerate().filter(|(index, _)| *index != victim) {
            waiter.expect("ok");
        }
        waiters[victim] = Child::obeying(&segment, waits);
    }
}

fn a_holder_and_eight_waiters_killed_at_once_leave_the_ninth_the_lock(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    holder.ask("lock 0", "ok");
    let mut waiters: Vec<_> = (0..8).map(|_| Child::obeying(&segment, waits)).collect();
    let mut ninth = Child::obeying(&segment, waits);
    for waiter in waiters.iter_mut().chain([&mut ninth]) {
        waiter.tell("lock 0");
        wait_until_asleep(&segment, &waiter.id);
    }
    for victim in waiters.iter().chain([&holder]) {
        victim.signal(libc::SIGKILL); // all of them, before any is waited for
    }
    // One of the eight may have been given the lock before its own end.
    let news = ninth.line();
    assert!(news.starts_with("OwnerDied "), "{news}");
    ninth.ask("mend 0", "ok");
    ninth.ask("unlock 0", "ok");
    ninth.ask("lock 0", "ok");
}

/// The holder does `order` while somebody waits.
fn a_holder_ends_by(order: &str, mut holder: Child, segment: &Shared, waits: Waits) {
    let mut waiter = Child::obeying(segment, waits);
    holder.ask("lock 0", "ok");
    waiter.tell("lock 0");
    wait_until_asleep(segment, &waiter.id);
    holder.tell(order);
    waiter.expect(&format!("OwnerDied {}", holder.id));
    if order == "exit" {
        assert_eq!(holder.wait(), Some(7));
    } else {
        let name = format!("/proc/{}/comm", holder.process_id());
        eventually("the process has its new name", || {
            std::fs::read_to_string(&name).expect("a process that lives on").trim() == "sleep"
        });
    }
}

fn a_holder_that_exits_hands_the_lock_over(waits: Waits) {
    let segment = shared();
    a_holder_ends_by("exit", Child::obeying(&segment, waits), &segment, waits);
    let segment = shared();
    a_holder_ends_by("exit", Child::obeying_in_main_thread(&segment, waits), &segment, waits);
}

fn a_main_thread_that_execs_hands_the_lock_over(waits: Waits) {
    let segment = shared();
    let holder = Child::obeying_in_main_thread(&segment, waits);
    assert!(segment.participants().iter().all(|p| p.thread_id == p.process_id));
    a_holder_ends_by("exec", holder, &segment, waits);
}

fn another_thread_that_execs_hands_the_lock_over(waits: Waits) {
    let segment = shared();
    let holder = Child::obeying(&segment, waits);
    assert!(segment.participants().iter().all(|p| p.thread_id != p.process_id));
    a_holder_ends_by("exec", holder, &segment, waits);
}

fn a_thread_that_ends_with_a_leaked_guard_hands_the_lock_over(waits: Waits) {
    let segment = shared();
    let mut process = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying(&segment, waits);
    process.tell("thread-lock 0");
    let thread = process.line();
    assert_ne!(thread, process.id);
    waiter.tell("lock 0");
    wait_until_asleep(&segment, &waiter.id);
    process.ask("thread-end", "ok");
    waiter.expect(&format!("OwnerDied {thread}"));
    waiter.ask("mend 0", "ok");
    waiter.ask("unlock 0", "ok");
    process.ask("lock 0", "ok"); // it lives on, and takes part
}

/// The counter under `room[0]`: two copies, which are written one after the other.
fn pair(copies: u64) -> (u64, u64) {
    (copies >> 32, copies & 0xffff_ffff)
}

/// Adds one to `room[0]` in two steps, and when that is done, one to `room[own]`.
fn count_for_ever(segment: &Shared, own: usize, wire: &mut common::Wire) {
    wire.send(segment.attach().expect("a place in the segment"));
    let room = segment.room();
    loop {
        let mut counter = match room[0].lock() {
            Ok(counter) => {
                let (one, two) = pair(*counter);
                assert_eq!(one, two, "half a change, and nobody was told");
                counter
            }
            Err(LockError::OwnerDied(left)) => {
                let mut counter = left.into_guard();
                let (one, two) = pair(*counter);
                assert!(one == two || one == two + 1, "{one} and {two} are no step apart");
                *counter = two << 32 | two;
                counter.mark_consistent();
                counter
            }
            Err(other) => panic!("{other}"),
        };
        let (one, two) = pair(*counter);
        *counter = (one + 1) << 32 | two;
        for _ in 0..20 {
            black_box(&mut *counter); // time in which to be killed; and the half change is really written
        }
        *counter = (one + 1) << 32 | (two + 1);
        drop(counter);
        // A predecessor may have died in here: one word has no halves.
        let mut report = room[own].lock().or_else(LockError::into_guard).expect("one's own report");
        report.mark_consistent();
        *report += 1;
    }
}

fn two_hundred_kills_lose_nothing(waits: Waits) {
    const CHILDREN: usize = 4;
    const KILLS: u64 = 200;
    let segment = shared();
    let mut dice = Dice::new();
    println!("dice {}", dice.0);
    let start = |own: usize| {
        let mut child = Child::playing("count", &own.to_string(), waits, own.is_multiple_of(2), |command| {
            segment.pass_to(command, "shared").expect("to pass a segment");
        });
        child.id = child.line();
        child
    };
    let value = |place: usize| *segment.room()[place].lock().or_else(LockError::into_guard).expect("a guard");
    let mut children: Vec<_> = (1..=CHILDREN).map(start).collect();
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_micros(dice.below(1_500))); // any moment will do
        let victim = dice.below(CHILDREN as u64) as usize;
        children[victim].kill();
        children[victim] = start(victim + 1);
    }
    let before: Vec<u64> = (1..=CHILDREN).map(value).collect();
    for (place, before) in (1..=CHILDREN).zip(before) {
        eventually(format_args!("child {place} goes on"), || value(place) > before);
    }
    children.iter_mut().for_each(Child::kill);
    let (one, two) = pair(value(0));
    let reported: u64 = (1..=CHILDREN).map(value).sum();
    let most = reported + KILLS + CHILDREN as u64;
    assert!((reported..=most).contains(&two), "{reported} reported, counted {one} and {two}");
}

fn a_timeout_ends_a_wait_and_costs_nobody_a_wake(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut hasty = Child::obeying(&segment, waits);
    let mut patient = Child::obeying(&segment, waits);
    holder.ask("lock 0", "ok");
    hasty.ask("for 0 0", "TimedOut");
    hasty.ask("until-the-past 0", "TimedOut");
    hasty.ask("try 0", "WouldBlock");
    patient.tell("pass 0");
    wait_until_asleep(&segment, &patient.id);
    hasty.ask("for 0 50", "TimedOut");
    hasty.ask("for 0 0", "TimedOut");
    assert!(!patient.has_answered());
    holder.ask("unlock 0", "ok");
    patient.expect("ok");
    hasty.ask("for 0 0", "ok");
    hasty.ask("unlock 0", "ok");
    hasty.ask("until-the-past 0", "ok");
}

fn a_timeout_at_the_moment_of_the_unlock_costs_nobody_a_wake(waits: Waits) {
    let segment = shared();
    let mut dice = Dice::new();
    println!("dice {}", dice.0);
    let mut holder = Child::obeying(&segment, waits);
    let mut hasty = Child::obeying(&segment, waits);
    let mut patient = Child::obeying(&segment, waits);
    for _ in 0..60 {
        holder.ask("lock 0", "ok");
        hasty.tell("for 0 3");
        patient.tell("pass 0");
        std::thread::sleep(Duration::from_micros(2_500 + dice.below(1_000)));
        holder.ask("unlock 0", "ok");
        if hasty.line() == "ok" {
            hasty.ask("unlock 0", "ok");
        }
        patient.expect("ok");
    }
}

fn the_longest_timeout_waits(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying(&segment, waits);
    holder.ask("lock 0", "ok");
    waiter.tell("for-ever 0");
    wait_until_asleep(&segment, &waiter.id);
    assert!(!waiter.has_answered());
    holder.ask("unlock 0", "ok");
    waiter.expect("ok");
}

fn signals_do_not_end_a_wait(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying_in_main_thread(&segment, waits);
    holder.ask("lock 0", "ok");
    waiter.ask("count-signals", "ok");
    waiter.tell("lock 0");
    let status = format!("/proc/{}/status", waiter.process_id());
    let is_delivered = || {
        let status = std::fs::read_to_string(&status).expect("a living process");
        status.contains("ShdPnd:\t0000000000000000")
    };
    for _ in 0..100 {
        wait_until_asleep(&segment, &waiter.id);
        waiter.signal(libc::SIGUSR1);
        eventually("the signal is delivered", is_delivered);
    }
    wait_until_asleep(&segment, &waiter.id);
    assert!(!waiter.has_answered());
    holder.ask("unlock 0", "ok");
    waiter.expect("ok");
    waiter.ask("signals", "100");
}

fn a_panic_while_holding_is_told_apart_from_a_death(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying(&segment, waits);
    holder.ask("lock 0", "ok");
    waiter.tell("lock 0");
    wait_until_asleep(&segment, &waiter.id);
    holder.ask("panic 0", "ok");
    let poisoned = format!("Poisoned {}", holder.id);
    waiter.expect(&poisoned);
    waiter.ask("unlock 0", "ok");
    holder.ask("lock 0", &poisoned); // it sticks
    waiter.tell("lock 0");
    wait_until_asleep(&segment, &waiter.id);
    holder.kill();
    waiter.expect(&format!("OwnerDied {}", holder.id)); // the later cause counts
    waiter.ask("mend 0", "ok");
    waiter.ask("unlock 0", "ok");
    waiter.ask("lock 0", "ok");
    // A guard that is dropped while another panic unwinds, but was taken during it, poisons nothing: see `obey`.
    waiter.ask("panic 0", "ok");
    waiter.ask("lock 0", &format!("Poisoned {}", waiter.id));
    waiter.ask("mend 0", "ok");
    waiter.ask("unlock 0", "ok");
    waiter.ask("lock 0", "ok");
}

#[test]
fn a_guard_that_was_taken_while_unwinding_poisons_nothing() {
    struct LocksWhenDropped<'s>(&'s Shared);
    impl Drop for LocksWhenDropped<'_> {
        fn drop(&mut self) {
            *self.0.room()[0].lock().expect("a free mutex") += 1;
        }
    }
    let segment = shared();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _later = LocksWhenDropped(&segment);
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(panicked.is_err());
    assert_eq!(*segment.room()[0].lock().expect("not poisoned"), 1);
}

#[test]
fn locking_twice_is_a_deadlock_that_is_told() {
    let segment = shared();
    let held = segment.room()[0].lock().expect("a free mutex");
    let mutex = &segment.room()[0];
    assert!(matches!(mutex.lock(), Err(LockError::Deadlock)));
    assert!(matches!(mutex.try_lock_for(Duration::from_secs(60)), Err(LockError::Deadlock)));
    assert!(matches!(mutex.try_lock(), Err(LockError::WouldBlock)));
    drop(held);
    assert!(mutex.try_lock().is_ok());

    segment.acquire().expect("a free lock");
    assert!(matches!(segment.acquire(), Err(LockError::Deadlock)));
    assert!(matches!(segment.try_acquire(), Err(LockError::WouldBlock)));
    segment.release().expect("a held lock");
}

#[test]
fn showing_a_held_mutex_does_not_wait() {
    let segment = shared();
    let mut holder = Child::obeying(&segment, Waits::Exactly);
    let shown = || format!("{:?} {:?}", segment.room()[0], *segment);
    assert_eq!(shown(), "Mutex { data: 0 } Lock { holder: None, inconsistent: false }");
    holder.ask("lock 0", "ok");
    holder.ask("acquire", "ok");
    assert!(shown().starts_with("Mutex { data: <locked> } Lock { holder: Some("), "{}", shown());
    holder.kill();
    assert!(shown().starts_with("Mutex { data: 0, inconsistent: true }"), "{}", shown());
    // To show it was not to vouch for it.
    assert!(matches!(segment.room()[0].lock(), Err(LockError::OwnerDied(_))));
}

fn a_lock_is_released_by_anybody(waits: Waits) {
    let segment = shared();
    let mut one = Child::obeying(&segment, waits);
    let mut two = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying(&segment, waits);
    one.ask("release", "NotHeld ?");
    one.ask("acquire", "ok");
    two.ask("try-acquire", "WouldBlock");
    two.ask("mend-lock", &format!("NotHeld {}", one.id));
    waiter.tell("acquire");
    wait_until_asleep(&segment, &waiter.id);
    two.ask("release", "ok");
    waiter.expect("ok");
    waiter.ask("release", "ok");
    waiter.ask("release", "NotHeld ?");

    // A guard finds out that its lock was released, and perhaps taken, by others.
    one.ask("guard", "ok");
    two.ask("release", "ok");
    one.ask("release-guard", "NotHeld ?");
    one.ask("guard", "ok");
    two.ask("release", "ok");
    two.ask("acquire", "ok");
    one.ask("drop-guard", "panicked");
    one.ask("try-acquire", "WouldBlock"); // the other still has it
    two.ask("release", "ok");
    one.ask("guard", "ok");
    one.ask("drop-guard", "ok");
    two.ask("try-acquire", "ok");
}

fn a_dead_holder_of_a_lock_is_told_until_somebody_vouches(waits: Waits) {
    let segment = shared();
    let mut holder = Child::obeying(&segment, waits);
    let mut waiter = Child::obeying(&segment, waits);
    let mut other = Child::obeying(&segment, waits);
    holder.ask("acquire", "ok");
    waiter.tell("acquire");
    wait_until_asleep(&segment, &waiter.id);
    holder.kill();
    waiter.expect(&format!("OwnerDied {}", holder.id));
    waiter.ask("release", "ok");
    other.ask("acquire", "OwnerDied ?"); // who it was is told once
    other.ask("release", "ok");
    waiter.ask("guard", "OwnerDied ?");
    waiter.ask("mend-lock", "ok");
    waiter.ask("drop-guard", "ok");
    other.ask("guard", "ok");
    other.kill();
    // The dead's lock can be released on its behalf.
    waiter.ask("release", "ok");
    waiter.ask("acquire", "ok");
}
