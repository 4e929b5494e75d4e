//! Work that is done once, between real processes that are really killed during it. Rechecks are
//! off.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{InconsistentCause, LazyLock, Once, OnceError, OnceLock, RegisterError, Segment, Shareable};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

#[derive(Debug, Shareable)]
#[repr(C)]
struct Lazies {
    once: Once,
    value: OnceLock<[u64; 32]>,
    made: AtomicU32,
}

fn lazies() -> Segment<Lazies> {
    segment_of(|_zero| {})
}

fn make(shared: &Lazies) -> [u64; 32] {
    shared.made.fetch_add(1, SeqCst);
    [7; 32]
}

/// The roles of child processes.
#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let shared = inherited_of::<Lazies>();
    match role.as_str() {
        "begin" => shared
            .once
            .call_once(|| {
                say("begun");
                wait_for_the_word();
            })
            .expect("takes part"),
        "do it" => {
            let mut told = "nothing to do".to_owned();
            let done = shared.once.call_once_force(|state| {
                told = match state.earlier() {
                    Some(InconsistentCause::Died(Some(id))) => format!("{id} died"),
                    other => format!("{other:?}"),
                };
            });
            done.expect("takes part");
            say(&told);
        }
        "begin the value" => {
            let made = shared.value.get_or_init(|| {
                say("begun");
                wait_for_the_word();
                [3; 32]
            });
            made.expect("takes part");
        }
        "get the value" => {
            let value = shared.value.get_or_init(|| make(&shared)).expect("takes part");
            say(&format!("{value:?}"));
        }
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn a_killed_initialiser_is_succeeded_by_a_waiter() {
    each_way(|waitv| {
        let shared = lazies();
        let mut first = Actor::start(&shared, "begin", waitv);
        assert_eq!(first.hear(), "begun");
        let dead = entry(&shared, first.id()).expect("takes part").id;
        let mut others: Vec<_> = (0..3).map(|_| Actor::start(&shared, "do it", waitv)).collect();
        others.iter().for_each(|other| until_asleep(&shared, other.id()));
        first.kill();
        let mut told: Vec<_> = others.iter_mut().map(Actor::hear).collect();
        told.sort();
        assert_eq!(told, [format!("{dead} died"), "nothing to do".into(), "nothing to do".into()]);
        assert!(shared.once.is_completed());
    });
}

#[test]
fn a_killed_waiter_disturbs_nobody() {
    each_way(|waitv| {
        let shared = lazies();
        let mut first = Actor::start(&shared, "begin", waitv);
        assert_eq!(first.hear(), "begun");
        let mut victims: Vec<_> = (0..2).map(|_| Actor::start(&shared, "do it", waitv)).collect();
        let mut survivor = Actor::start(&shared, "do it", waitv);
        for waiter in victims.iter().chain([&survivor]) {
            until_asleep(&shared, waiter.id());
        }
        victims.iter_mut().for_each(Actor::kill);
        first.go_on();
        assert_eq!(survivor.hear(), "nothing to do");
        assert!(first.ends_well());
    });
}

#[test]
fn a_value_is_made_once_by_the_first_of_eight_that_lives() {
    each_way(|waitv| {
        let shared = lazies();
        let mut first = Actor::start(&shared, "begin the value", waitv);
        assert_eq!(first.hear(), "begun");
        let mut others: Vec<_> = (0..8).map(|_| Actor::start(&shared, "get the value", waitv)).collect();
        assert_eq!(shared.value.get(), None);
        first.kill();
        for other in &mut others {
            assert_eq!(other.hear(), format!("{:?}", [7u64; 32]));
        }
        assert_eq!(shared.made.load(SeqCst), 1);
        assert_eq!(shared.value.get(), Some(&[7; 32]));
    });
}

#[test]
fn a_panic_is_reported_and_the_next_caller_does_the_work() {
    let shared = lazies();
    let panicked = catch_unwind(AssertUnwindSafe(|| shared.once.call_once(|| resume_unwind(Box::new("on purpose")))));
    assert!(panicked.is_err() && !shared.once.is_completed());
    let mut told = None;
    shared.once.call_once_force(|state| told = state.earlier()).expect("takes part");
    assert!(matches!(told, Some(InconsistentCause::Panicked(Some(_)))));
    shared.once.call_once(|| panic!("done before")).expect("done");
}

#[test]
fn an_initialiser_that_calls_again_gets_an_error() {
    let shared = lazies();
    let mut inner = None;
    shared.once.call_once(|| inner = Some(shared.once.call_once(|| {}))).expect("takes part");
    assert!(matches!(inner, Some(Err(OnceError::Deadlock))));
    let made = shared.value.get_or_init(|| {
        assert!(matches!(shared.value.get_or_init(|| [1; 32]), Err(OnceError::Deadlock)));
        assert!(matches!(shared.value.set([1; 32]).unwrap_err().error(), Some(OnceError::Deadlock)));
        [2; 32]
    });
    assert_eq!(made.expect("takes part"), &[2; 32]);
}

#[test]
fn a_value_can_be_set_once_read_and_taken_out_and_an_initialiser_may_fail() {
    let mut shared = segment_of::<Lazies>(|new| assert_eq!(new.value.get_mut(), None));
    let failed: Result<_, Box<dyn std::error::Error>> = shared.value.get_or_try_init(|| Err("not now".into()));
    assert_eq!(failed.unwrap_err().to_string(), "not now");
    assert_eq!(format!("{:?}", shared.value), "OnceLock(<no value>)");
    shared.value.set([5; 32]).expect("empty");
    let refused = shared.value.set([6; 32]).unwrap_err();
    assert!(refused.error().is_none());
    assert_eq!(refused.into_inner(), [6; 32]);
    assert_eq!(shared.value.get(), Some(&[5; 32]));

    let lazy = LazyLock::new(&shared.value, || panic!("there is a value"));
    assert_eq!(lazy[31], 5);
    assert_eq!(OnceLock::<u64>::new().into_inner(), None);
    shared = lazies();
    let lazy = LazyLock::new(&shared.value, || make(&shared));
    assert_eq!((lazy[0], lazy.force().expect("made")[1], shared.made.load(SeqCst)), (7, 7, 1));
}

/// The child returns from the initialiser, too, with a copy of the attempt. It waits for the
/// parent, and writes nothing.
#[test]
fn a_fork_in_an_initialiser_leaves_it_to_the_parent() {
    let shared = lazies();
    let mut child = None;
    let parent = std::process::id();
    let made = shared.value.get_or_init(|| {
        // SAFETY: the child uses the segment, and then ends without returning.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            return [1; 32];
        }
        child = Some(pid);
        make(&shared)
    });
    let is_right = matches!(made, Ok(value) if *value == [7; 32]);
    if std::process::id() != parent {
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!is_right)) };
    }
    assert!(is_right);
    assert_eq!(wait(child.expect("forked")), 0);
}

#[test]
fn outside_of_a_segment_there_is_an_error() {
    let (once, value) = (Once::new(), OnceLock::<u64>::new());
    assert!(matches!(once.call_once(|| {}), Err(OnceError::Register(RegisterError::NotInSegment))));
    assert!(matches!(value.get_or_init(|| 1), Err(OnceError::Register(RegisterError::NotInSegment))));
}
