//! Which process and which thread an id names, and whether a lock is held by the caller.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    HolderWatch, Lock, LockError, LockTimeoutError, Mutex, ParticipantId, ParticipantInfo, ReentrantMutex, RwLock,
    Segment, Shareable,
};
use std::time::{Duration, Instant};

/// The bit of a word that names a participant.
const HELD: u32 = 1 << 29;

#[derive(Shareable)]
#[repr(C)]
struct All {
    mutex: Mutex<u64>,
    reentrant: ReentrantMutex<()>,
    lock: Lock,
    board: RwLock<u64>,
}

fn thread_id() -> u32 {
    // SAFETY: gettid has no preconditions.
    unsafe { libc::gettid() as u32 }
}

/// Ends this forked child by SIGKILL.
fn die() -> i32 {
    // SAFETY: ends this child, and nothing else.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    1
}

/// The id of a child that dies with the mutex, and the id of its process.
fn death(all: &Segment<All>) -> (ParticipantId, u32) {
    let child = fork(|| {
        let _guard = all.mutex.lock().expect("free");
        die()
    });
    assert_eq!(wait(child), -libc::SIGKILL);
    match all.mutex.lock() {
        Err(LockError::OwnerDied(left)) => {
            let by = left.by().expect("the participant is named");
            left.into_inner().mark_consistent();
            (by, child as u32)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_dead_are_known_by_process_and_thread_until_their_slot_has_another_owner() {
    let all = Segment::<All>::options().participants(2).anonymous(|_, _| {}).expect("a segment");
    all.attach().expect("the first slot");
    let (by, child) = death(&all);
    let who = all.participant(by).expect("the slot still names it");
    assert_eq!((who.id, who.process_id, who.thread_id), (by, child, Some(child)));
    assert!(!who.is_alive && who.asleep_for.is_none());
    let age = who.age.expect("it began in this boot, and in this time namespace");
    assert!(age < PATIENCE, "it began {age:?} ago");

    let (next, _) = death(&all);
    assert_eq!(next.index(), by.index(), "there is no other slot");
    assert_eq!(all.participant(by), None, "the slot is another's");
    assert!(all.participant(next).is_some());
}

#[test]
fn a_waiter_can_name_the_thread_that_it_waits_for() {
    let all = segment_of::<All>(|_| {});
    let (held, is_held) = std::sync::mpsc::channel();
    let (end, is_over) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let all = &all;
        scope.spawn(move || {
            let _mutex = all.mutex.lock().expect("free");
            let _reentrant = all.reentrant.lock().expect("free");
            let _lock = all.lock.lock().expect("free");
            let _board = all.board.write().expect("free");
            held.send((all.attach().expect("in"), thread_id())).expect("heard");
            let _end_of_test = is_over.recv();
        });
        let (id, thread) = is_held.recv().expect("held");
        assert!(matches!(all.mutex.try_lock_for(Duration::from_millis(1)), Err(LockTimeoutError::TimedOut)));
        for holder in [all.mutex.holder(), all.reentrant.holder(), all.lock.holder(), all.board.writer()] {
            let who = all.participant(holder.expect("held")).expect("there");
            assert_eq!((who.id, who.process_id, who.thread_id), (id, std::process::id(), Some(thread)));
            assert!(who.is_alive && who.age.is_some());
        }
        drop(end);
    });
    assert_eq!([all.mutex.holder(), all.reentrant.holder(), all.lock.holder(), all.board.writer()], [None; 4]);
}

#[test]
fn a_sleeper_says_for_how_long_and_is_found_by_its_id() {
    let all = segment_of::<All>(|_| {});
    let guard = all.mutex.lock().expect("free");
    std::thread::scope(|scope| {
        scope.spawn(|| drop(all.mutex.lock()));
        let asleep = || all.participants().into_iter().find(is_asleep);
        until("the waiter to sleep", || asleep().is_some());
        let waiter = asleep().expect("it sleeps on");
        assert!(all.participant(waiter.id).is_some_and(|who| who.asleep_for >= waiter.asleep_for));
        drop(guard);
    });
}

#[test]
fn a_participant_that_has_left_is_known_by_its_process_alone() {
    let all = segment_of::<All>(|_| {});
    let id = all.attach().expect("in");
    all.detach().expect("nothing held");
    let who = all.participant(id).expect("nobody has the slot since");
    assert_eq!((who.id, who.process_id, who.thread_id), (id, std::process::id(), None));
    assert!(!who.is_alive && who.age.is_none() && who.asleep_for.is_none());
}

#[test]
fn ids_that_nobody_ever_had_stand_for_nobody() {
    let all = segment_of::<All>(|_| {});
    let of_word = |word: u32| ParticipantId::holder_in(HELD | word).expect("a name");
    let others_of_ours = all.attach().expect("in").word() + (1 << 12); // its next owner
    for word in [0, 1, 2 << 12 | 1, 7 << 12 | 200, 4_095, others_of_ours] {
        let id = of_word(word);
        assert_eq!(all.participant(id), None, "{id}");
    }
}

#[test]
fn participants_and_participant_give_the_same_information() {
    let all = segment_of::<All>(|_| {});
    all.attach().expect("in");
    let first = all.participants();
    assert_eq!(first.len(), 1);
    let same = |a: &ParticipantInfo, b: &ParticipantInfo| (a.id, a.thread_id) == (b.id, b.thread_id) && b.is_alive;
    assert!(same(&first[0], &all.participant(first[0].id).expect("there")));
}

#[test]
fn a_holder_is_seen_for_as_long_as_each_check_finds_it() {
    let all = segment_of::<All>(|_| {});
    let mut watch = HolderWatch::new();
    assert_eq!(watch.observe(all.mutex.holder()), None);
    let guard = all.mutex.lock().expect("free");
    let own = all.attach().expect("in");
    assert_eq!(watch.observe(all.mutex.holder()), Some((own, Duration::ZERO)));
    let (begun, mut last) = (Instant::now(), Duration::ZERO);
    while begun.elapsed() < Duration::from_millis(2) {
        let (who, seen_for) = watch.observe(all.mutex.holder()).expect("held");
        assert!(who == own && seen_for >= last);
        last = seen_for;
    }
    assert!(last > Duration::ZERO);

    drop(guard);
    let another = std::thread::scope(|scope| {
        let another = scope.spawn(|| {
            let _guard = all.mutex.lock().expect("free");
            (all.attach().expect("in"), watch.observe(all.mutex.holder()))
        });
        another.join().expect("no panic")
    });
    assert_eq!(another.1, Some((another.0, Duration::ZERO)), "another holder, a new beginning");
    assert_eq!(watch.observe(all.mutex.holder()), None);
    let _guard = all.mutex.lock().expect("free");
    assert_eq!(watch.observe(all.mutex.holder()), Some((own, Duration::ZERO)), "it was free between");
}

#[test]
fn a_participant_is_displayed_as_far_as_it_is_known() {
    let all = segment_of::<All>(|_| {});
    let id = all.attach().expect("in");
    let (process, thread) = (std::process::id(), thread_id());
    let who = all.participant(id).expect("there");
    let age = who.age.expect("of this boot").as_secs_f64();
    assert_eq!(who.to_string(), format!("thread {thread} of process {process}, alive, begun {age:.1} s ago"));
    let mut asleep = who;
    asleep.asleep_for = Some(Duration::from_millis(2_500));
    assert!(asleep.to_string().ends_with(" s ago, asleep for 2.5 s"));
    all.detach().expect("nothing held");
    assert_eq!(all.participant(id).expect("there").to_string(), format!("process {process}, gone"));
}

/// For each lock, whether the calling thread holds it.
fn owned(all: &All) -> [bool; 4] {
    [
        all.mutex.is_owned_by_current_thread(),
        all.reentrant.is_owned_by_current_thread(),
        all.lock.is_owned_by_current_thread(),
        all.board.is_written_by_current_thread(),
    ]
}

#[test]
fn a_lock_is_owned_by_the_thread_that_holds_it_and_by_no_other() {
    let all = segment_of::<All>(|_| {});
    assert_eq!(owned(&all), [false; 4]);
    assert!(all.participants().is_empty(), "nobody takes part by asking");
    let mutex = all.mutex.lock().expect("free");
    let reentrant = (all.reentrant.lock().expect("free"), all.reentrant.lock().expect("again"));
    all.lock.acquire().expect("free");
    let board = all.board.write().expect("free");
    assert_eq!(owned(&all), [true; 4]);

    let by_another = std::thread::scope(|scope| scope.spawn(|| owned(&all)).join().expect("no panic"));
    assert_eq!(by_another, [false; 4]);
    assert_eq!(all.participants().len(), 1, "nobody takes part by asking, where others do");
    assert_eq!(in_a_child(|| i32::from(owned(&all) != [false; 4])), 0, "what the parent holds is not the child's");

    drop((mutex, reentrant.0, board));
    all.lock.release().expect("held");
    assert_eq!(owned(&all), [false, true, false, false]);
    drop(reentrant.1);
    let reader = all.board.read().expect("free");
    assert_eq!(owned(&all), [false; 4]);
    drop(reader);
}

/// When another thread releases a lock that this thread has acquired, this thread does not own it
/// any more.
#[test]
fn a_lock_that_another_has_released_is_owned_no_more() {
    let all = segment_of::<All>(|_| {});
    all.lock.acquire().expect("free");
    std::thread::scope(|scope| {
        scope.spawn(|| all.lock.release().expect("held"));
    });
    assert!(!all.lock.is_owned_by_current_thread());
}

#[test]
fn a_lock_outside_of_any_segment_is_nobodys() {
    let lock = Lock::new();
    assert!(!lock.is_owned_by_current_thread() && lock.holder().is_none());
}
