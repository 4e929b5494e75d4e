//! Tasks that wait for an event, step by step, without the thread that sleeps for them.

#![allow(clippy::disallowed_types)] // a counter of its own, never in shared memory

use super::service::{Ended, Helper};
use super::*;
use crate::{Event, Segment};
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use core::task::{Context, Poll, Waker};
use rustix::event::{PollFd, PollFlags};
use std::task::Wake;

#[derive(Debug, Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn pulse(event: &Event) {
    event.set().expect("it is there");
    assert!(event.clear(), "it was set");
}

#[test]
fn an_event_set_and_cleared_between_an_attempt_and_the_registration_is_noticed() {
    let event = Segment::<Event>::anonymous(|_| {}).expect("a segment");
    let since = event.when_set().prepare();
    let me = local::participant(&*event).expect("a slot");
    let mut task = Task::new(event.when_set());
    let mut attempts = 0;
    let answer = task.poll(&Context::from_waker(Waker::noop()), || {
        attempts += 1;
        let is_met = since.source().is_ready(me);
        if attempts == 1 {
            pulse(&event);
        }
        is_met.then_some(())
    });
    assert!(matches!(answer, Poll::Ready(Ok(()))));
    assert_eq!(attempts, 2);
}

/// The thread that sleeps for them may not have seen it.
#[test]
fn who_finds_an_event_ready_tells_all_that_wait_for_it() {
    let event = Segment::<Event>::anonymous(|_| {}).expect("a segment");
    let source = event.when_set();
    let me = local::participant(source.place).expect("a slot");
    let pin = local::pin(source.place).expect("the segment is there");
    // SAFETY: the source refers to the event alone, which lies in the mapping that `pin` keeps.
    let entry = unsafe { Entry::new(source.prepare(), Helper::leaked(), pin) };
    let counters: [Arc<Counter>; 2] = Default::default();
    let notify = |who: usize| Notify::Waker(Arc::clone(&counters[who]).into());
    assert!(matches!(entry.register(me, 1, &mut Told::default(), || notify(0)), Ok(Registered::Waiting)));
    pulse(&event);
    assert!(matches!(entry.register(me, 2, &mut Told::default(), || notify(1)), Ok(Registered::Ready)));
    assert_eq!(counters.each_ref().map(|counter| counter.0.load(SeqCst)), [1, 0]);
    // That one's attempt was in vain: it counts from later. It waits anew.
    assert!(matches!(entry.register(me, 2, &mut Told::default(), || notify(1)), Ok(Registered::Waiting)));
}

/// It clears the descriptor whenever it is woken, as an executor may that polls at once.
struct Clears(std::sync::OnceLock<Arc<ReadyFd<'static>>>);

impl Wake for Clears {
    fn wake(self: Arc<Self>) {
        self.0.get().expect("it is known").clear().expect("it can wait");
    }
}

/// The waker runs when nothing is locked.
#[test]
fn a_waker_may_clear_the_descriptor_whose_clearing_wakes_it() {
    let event: &'static Segment<Event> = Box::leak(Box::new(Segment::anonymous(|_| {}).expect("a segment")));
    let ready = Arc::new(event.when_set().descriptor().expect("a descriptor"));
    let clears = Arc::new(Clears(Arc::clone(&ready).into()));
    let mut task = Task::new(event.when_set());
    // The thread that sleeps for all may be quicker, and then it runs the waker.
    for _ in 0..20 {
        // Until the descriptor waits no more.
        event.set().expect("it is there");
        ready.clear().expect("it can wait");
        let mut polled = [PollFd::new(&*ready, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut polled, None), Ok(1));
        event.clear();
        assert!(task.poll(&Context::from_waker(&Arc::clone(&clears).into()), || None::<()>).is_pending());
        pulse(event);
        ready.clear().expect("it can wait");
    }
}

/// The next attempt may succeed: the thread that sleeps for all may find a slot by then.
#[test]
fn a_task_that_failed_to_register_leaves_its_entry() {
    let event = Segment::<Event>::anonymous(|_| {}).expect("a segment");
    let mut task = Task::new(event.when_set());
    let register = |task: &mut Task<'_>| task.register(&mut Told::default(), || Notify::Waker(Waker::noop().clone()));
    assert!(matches!(register(&mut task), Ok(Registered::Waiting)));
    let (entry, ..) = task.registered.as_ref().expect("it waits");
    let first = Arc::as_ptr(entry);
    entry.fail(RegisterError::Full { participants: 1 });
    assert!(register(&mut task).is_err());
    assert!(task.registered.is_none());
    assert!(matches!(register(&mut task), Ok(Registered::Waiting)));
    assert_ne!(task.registered.as_ref().map(|(entry, ..)| Arc::as_ptr(entry)), Some(first));
}

/// As if another process had overwritten words of the primitive.
#[test]
fn a_poll_ends_though_what_is_ready_cannot_be_had() {
    let event = Segment::<Event>::anonymous(|_| {}).expect("a segment");
    event.set().expect("it is there");
    let counter = Arc::new(Counter::default());
    let mut task = Task::new(event.when_set());
    let answer = task.poll(&Context::from_waker(&Arc::clone(&counter).into()), || None::<()>);
    assert!(answer.is_pending() && task.registered.is_none());
    assert_eq!(counter.0.load(SeqCst), 1);
}

/// Panics when it is dropped.
struct Bad;

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("this is dropped");
    }
}

impl Wake for Bad {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_panic_is_contained_even_if_its_payload_panics() {
    contained(|| std::panic::panic_any(Bad));
}

#[test]
fn tasks_that_panic_as_they_are_dropped_are_contained() {
    let task = |number| (number, Notify::Waker(Arc::new(Bad).into()));
    drop(Ended { entry: None, tasks: [task(1), task(2)].into() });
}
