//! The pool of permits between real processes that are really killed. Rechecks are off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::{
    Actor, each_way, entry, fork, inherited_of, is_asleep, kill_at_random, role, say, segment_of, until, until_asleep,
    wait,
};
use outlive::{
    AcquireError, AcquireTimeoutError, LeaveError, NotHeldError, PermitPool, RegisterError, Segment, Shareable,
    TryAcquireError,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    pool: PermitPool<4>,
    /// Two numbers for each permit. They are equal unless a holder died between the two updates.
    pairs: [[AtomicU64; 2]; 4],
    reported: AtomicU64,
}

fn segment(capacity: usize) -> Segment<Shared> {
    segment_of(|shared: &mut Shared| shared.pool.set_capacity(capacity))
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Shared>();
    match role.as_str() {
        "hold two" => {
            let _permits = [shared.pool.permit().expect("free"), shared.pool.permit().expect("free")];
            say("held");
            common::wait_for_the_word();
        }
        "acquire" => {
            let permit = shared.pool.permit().expect("waits");
            say(&permit.previous_holder_died().map_or("ok".into(), |id| format!("died {id}")));
            common::wait_for_the_word();
        }
        "use forever" => loop {
            use_one(&shared);
            shared.reported.fetch_add(1, SeqCst);
        },
        other => panic!("no such role: {other}"),
    }
}

/// Adds one to both numbers of a permit. Half an update is only found after a death.
fn use_one(shared: &Shared) {
    let permit = shared.pool.permit().expect("waits");
    let [first, second] = &shared.pairs[permit.index()];
    if first.load(SeqCst) != second.load(SeqCst) {
        assert!(permit.previous_holder_died().is_some(), "half an update that was not reported");
        second.store(first.load(SeqCst), SeqCst);
    }
    first.fetch_add(1, SeqCst);
    std::hint::spin_loop();
    second.fetch_add(1, SeqCst);
}

#[test]
fn the_permits_of_a_killed_holder_go_to_those_who_wait_and_to_those_who_try() {
    each_way(|waitv| {
        let shared = segment(2);
        let mut holder = Actor::start(&shared, "hold two", waitv);
        assert_eq!(holder.hear(), "held");
        let dead = entry(&shared, holder.id()).expect("takes part").id;
        assert_eq!(shared.pool.holders().collect::<Vec<_>>(), [(0, dead), (1, dead)]);
        assert!(matches!(shared.pool.try_permit(), Err(TryAcquireError::WouldBlock)));
        let mut waiter = Actor::start(&shared, "acquire", waitv);
        until_asleep(&shared, waiter.id());
        holder.kill();
        assert_eq!(waiter.hear(), format!("died {dead}"));
        let other = shared.pool.try_permit().expect("left by the dead");
        assert_eq!(other.previous_holder_died(), Some(dead));
        let index = other.index();
        drop(other);
        // The death is reported once.
        let again = shared.pool.try_permit().expect("free");
        assert_eq!((again.index(), again.previous_holder_died()), (index, None));
        assert!(waiter.ends_well());
    });
}

#[test]
fn killed_waiters_take_no_wake_along() {
    each_way(|waitv| {
        let shared = segment(1);
        let permit = shared.pool.permit().expect("free");
        let mut victims: Vec<_> = (0..4).map(|_| Actor::start(&shared, "acquire", waitv)).collect();
        victims.iter().for_each(|victim| until_asleep(&shared, victim.id()));
        let mut survivor = Actor::start(&shared, "acquire", waitv);
        until_asleep(&shared, survivor.id());
        drop(permit);
        victims.iter_mut().for_each(Actor::kill);
        let heard = survivor.hear();
        assert!(heard == "ok" || heard.starts_with("died"), "{heard}");
        assert!(survivor.ends_well());
    });
}

#[test]
fn kills_at_random_moments_and_all_permits_come_back() {
    each_way(|waitv| {
        const KILLS: u64 = 40;
        let shared = segment(2);
        kill_at_random(&shared, &["use forever"; 4], waitv, (KILLS, 300), &shared.reported);
        let permits: Vec<_> = (0..2).map(|_| shared.pool.try_permit().expect("free or left by the dead")).collect();
        let updates: u64 = shared.pairs.iter().map(|pair| pair[0].load(SeqCst)).sum();
        let reported = shared.reported.load(SeqCst);
        // Each victim may have died between its update and its report.
        assert!(reported <= updates && updates <= reported + KILLS + 4, "{updates} updates, {reported} reported");
        drop(permits);
    });
}

#[test]
fn each_permit_is_held_once_and_by_name() {
    let shared = segment(3);
    let me = || shared.participants().into_iter().find(|p| p.process_id == std::process::id()).expect("takes part").id;
    assert_eq!((shared.pool.capacity(), shared.pool.held()), (3, 0));
    let permits: Vec<_> = (0..3).map(|_| shared.pool.try_permit().expect("free")).collect();
    let mut indexes: Vec<_> = permits.iter().map(outlive::Permit::index).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [0, 1, 2]);
    assert!(matches!(shared.pool.try_permit(), Err(TryAcquireError::WouldBlock)));
    assert!(shared.pool.holders().all(|(_, holder)| holder == me()));
    assert!(matches!(shared.detach(), Err(LeaveError::StillHolding { .. })), "left while the thread holds a permit");
    drop(permits);
    assert_eq!(shared.pool.held(), 0);
    shared.detach().expect("holds nothing");
}

#[test]
fn a_forgotten_permit_is_given_back_by_anybody() {
    let shared = segment(1);
    let (index, holder) = shared.pool.permit().expect("free").into_parts();
    assert_eq!(shared.pool.held(), 1);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| shared.pool.permit().expect("waits").into_parts());
        until("the waiter to fall asleep", || shared.participants().iter().any(is_asleep));
        scope.spawn(|| shared.pool.give_back(index, holder)).join().expect("no panic").expect("held");
        let (index, other) = waiter.join().expect("no panic");
        assert!(
            matches!(shared.pool.give_back(index, holder), Err(NotHeldError { holder: Some(h), .. }) if h == other)
        );
        assert!(matches!(shared.pool.give_back(17, holder), Err(NotHeldError { holder: None, .. })));
    });
    // The thread that held the permit has ended. So the permit comes back by itself.
    let permit = shared.pool.try_permit_for(common::PATIENCE).expect("left by the thread");
    assert!(permit.previous_holder_died().is_some());
}

#[test]
fn a_guard_that_lost_its_permit_says_so() {
    let shared = segment(1);
    let lose = || {
        let permit = shared.pool.permit().expect("free");
        let (index, holder) = shared.pool.holders().next().expect("held");
        shared.pool.give_back(index, holder).expect("held");
        permit
    };
    assert!(matches!(lose().release(), Err(NotHeldError { holder: None, .. })));
    let permit = lose();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(permit))).is_err());
}

#[test]
fn deadlines_are_kept_and_lose_nothing() {
    let shared = segment(1);
    let permit = shared.pool.permit().expect("free");
    let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("booted before");
    assert!(matches!(shared.pool.try_permit_for(Duration::ZERO), Err(AcquireTimeoutError::TimedOut)));
    assert!(matches!(shared.pool.try_permit_until(past), Err(AcquireTimeoutError::TimedOut)));
    let begin = Instant::now();
    assert!(matches!(shared.pool.try_permit_for(Duration::from_millis(30)), Err(AcquireTimeoutError::TimedOut)));
    assert!(begin.elapsed() >= Duration::from_millis(30));
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| shared.pool.try_permit_for(Duration::MAX).is_ok());
        until("the patient one to fall asleep", || shared.participants().iter().any(is_asleep));
        drop(permit);
        assert!(patient.join().expect("no panic"));
    });
}

#[test]
fn the_copy_of_a_guard_in_a_forked_child_does_nothing() {
    let shared = segment(1);
    let permit = std::mem::ManuallyDrop::new(shared.pool.permit().expect("free"));
    let pool = &shared.pool;
    let pid = fork(|| {
        drop(std::mem::ManuallyDrop::into_inner(permit));
        i32::from(pool.held() != 1 || pool.try_permit().is_ok())
    });
    assert_eq!(wait(pid), 0, "the child gave back what is the parent's");
    assert_eq!(shared.pool.held(), 1);
}

#[test]
fn any_words_are_understood() {
    for words in [[0u32; 6], [u32::MAX; 6], [1 << 31, 9, 1, 2, 3, 4], [1, 2, 1 << 30, 1 << 31, 3 << 29, 7]] {
        let shared = segment_of(|pool: &mut PermitPool<4>| {
            // SAFETY: a pool of four is six words, and Shareable says that all patterns are valid.
            *pool = unsafe { core::mem::transmute::<[u32; 6], PermitPool<4>>(words) };
        });
        assert!((1..=4).contains(&shared.capacity()));
        assert!(shared.held() <= shared.capacity());
        // No word names a living participant, so all permits are available.
        let permits: Vec<_> = (0..shared.capacity()).map(|_| shared.try_permit().expect("nobody holds it")).collect();
        assert!(matches!(shared.try_permit_for(Duration::from_millis(1)), Err(AcquireTimeoutError::TimedOut)));
        drop(permits);
    }
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let pool = PermitPool::<2>::with_capacity(1);
    assert!(matches!(pool.permit(), Err(AcquireError::Register(RegisterError::NotInSegment))));
}
