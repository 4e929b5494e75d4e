//! The typed primitives beside the references: participants are threads in a real segment, and they die by ending, with what they
//! hold. And the segment itself: what is made can be opened, and nothing else.

use arbitrary::Unstructured;
use core::time::Duration;
use outlive::raw::{Cause, Refusal};
use outlive::{Error, Id, Inconsistent, Lock, LockError, LockGuard, LockResult, Mutex, MutexGuard, Segment, Shareable};
use outlive_trials::mutex::{Answer, MutexReference, Operation};
use outlive_trials::operations::{Deed, Scenario, Step};
use outlive_trials::reference::Reference;
use proptest::prelude::*;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

/// A typed primitive, and how to do its reference's operations with it.
trait Face {
    type Shared: Shareable + Sync;
    type Reference: Reference<Operation: Send + for<'a> arbitrary::Arbitrary<'a>, Answer: Send>;
    /// The guards that a thread may have.
    type Held<'s>: Default;

    /// Does it, without waiting. `None`: it has no such operation, or not now.
    fn run<'s>(
        shared: &'s Self::Shared,
        held: &mut Self::Held<'s>,
        operation: &OperationOf<Self>,
    ) -> Option<AnswerOf<Self>>;
}
type OperationOf<F> = <<F as Face>::Reference as Reference>::Operation;
type AnswerOf<F> = <<F as Face>::Reference as Reference>::Answer;

/// A thread that does what it is told, until it is told to end.
struct Actor<'scope, F: Face + ?Sized> {
    id: Id,
    orders: Sender<OperationOf<F>>,
    answers: Receiver<Option<AnswerOf<F>>>,
    thread: ScopedJoinHandle<'scope, ()>,
}

impl<'scope, F: Face + 'scope> Actor<'scope, F> {
    fn new(scope: &'scope Scope<'scope, '_>, segment: &'scope Segment<F::Shared>) -> Self {
        let (orders, receive) = channel();
        let (answer, answers) = channel();
        let (tell, told) = channel();
        let thread = scope.spawn(move || {
            tell.send(segment.attach().expect("room for all")).expect("heard");
            let mut held = F::Held::default();
            for operation in receive {
                answer.send(F::run(segment, &mut held, &operation)).expect("heard");
            }
            core::mem::forget(held);
        });
        Self { id: told.recv().expect("it begins"), orders, answers, thread }
    }

    fn run(&self, operation: &OperationOf<F>) -> Option<AnswerOf<F>> {
        self.orders.send(operation.clone()).expect("it listens");
        self.answers.recv().expect("it answers")
    }

    /// Ends it, and waits until the kernel has.
    fn die(self, segment: &Segment<F::Shared>) -> Id {
        drop(self.orders);
        self.thread.join().expect("no panic");
        let begin = Instant::now();
        while segment.participants().iter().any(|participant| participant.id == self.id) {
            assert!(begin.elapsed() < Duration::from_secs(20), "a thread has ended, and its lifeline was not cut");
            std::thread::sleep(Duration::from_micros(20));
        }
        self.id
    }
}

fn beside_its_reference<F: Face>(scenario: Scenario<OperationOf<F>>) {
    let segment = Segment::<F::Shared>::anonymous(|_zero| {}).expect("a segment");
    let mut state = F::Reference::default();
    std::thread::scope(|scope| {
        let mut seats: [Option<Actor<'_, F>>; 4] = Default::default();
        for Step { seat, deed } in scenario.steps {
            let (operation, dies) = match deed {
                Deed::Do(operation) | Deed::DoFor(operation, _) => (Some(operation), false),
                Deed::DieAt(operation, _) => (Some(operation), true),
                Deed::Die => (None, true),
            };
            let actor = seats[seat].get_or_insert_with(|| Actor::new(scope, &segment));
            if let Some(operation) = operation.filter(|operation| state.allows(actor.id, operation)) {
                if let Some(answer) = actor.run(&operation) {
                    let Some(after) = state.after(actor.id, &operation, &answer) else {
                        panic!("{} is answered {answer:?} to {operation:?}, in {state:?}", actor.id);
                    };
                    state = after;
                }
            }
            if let Some(actor) = seats[seat].take_if(|_| dies) {
                state = state.after_death_of(actor.die(&segment));
            }
        }
    });
}

fn taken<G>(answer: LockResult<G>) -> (Answer, Option<G>) {
    let by = |left: &Inconsistent<G>| left.by();
    let told = match &answer {
        Ok(_) => Answer::Taken(None),
        Err(LockError::OwnerDied(left)) => Answer::Taken(Some(Cause::Died(by(left)))),
        Err(LockError::Poisoned(left)) => Answer::Taken(Some(Cause::Panicked(by(left)))),
        Err(LockError::WouldBlock) => Answer::Refused(Refusal::WouldBlock),
        Err(LockError::TimedOut) => Answer::Refused(Refusal::TimedOut),
        Err(LockError::Deadlock) => Answer::Refused(Refusal::Deadlock),
        Err(other) => panic!("{other}"),
    };
    (told, answer.or_else(LockError::into_guard).ok())
}

fn done(answer: Result<(), Error>) -> Answer {
    match answer {
        Ok(()) => Answer::Done,
        Err(Error::NotHeld { holder }) => Answer::NotHeld(holder),
        Err(other) => panic!("{other}"),
    }
}

/// Drops a guard in the course of a panic.
fn drop_panicking<G>(guard: G) {
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _dropped = guard;
        resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
}

struct OfMutex;

impl Face for OfMutex {
    type Shared = Mutex<u64>;
    type Reference = MutexReference;
    type Held<'s> = Option<MutexGuard<'s, u64>>;

    fn run<'s>(mutex: &'s Mutex<u64>, held: &mut Self::Held<'s>, operation: &Operation) -> Option<Answer> {
        let lock = |held: &mut Self::Held<'s>, answer| {
            let (answer, guard) = taken(answer);
            assert!(guard.is_none() || held.is_none(), "one thread has two guards");
            *held = held.take().or(guard);
            Some(answer)
        };
        match operation {
            Operation::TryLock => lock(held, mutex.try_lock()),
            Operation::Lock => lock(held, mutex.try_lock_for(Duration::ZERO)),
            Operation::Unlock => {
                drop(held.take().expect("the holder has a guard"));
                Some(Answer::Done)
            }
            Operation::UnlockPanicking => {
                drop_panicking(held.take().expect("the holder has a guard"));
                Some(Answer::Done)
            }
            Operation::MarkConsistent => {
                held.as_mut().expect("the holder has a guard").mark_consistent();
                Some(Answer::Done)
            }
            Operation::IsInconsistent => Some(Answer::Is(mutex.is_inconsistent())),
            Operation::ReleaseForAnybody | Operation::ReleaseOwn | Operation::Holder => None,
        }
    }
}

struct OfLock;

/// With guards (`TryLock`) and without (`Lock`).
impl Face for OfLock {
    type Shared = Lock;
    type Reference = MutexReference;
    type Held<'s> = Option<LockGuard<'s>>;

    fn run<'s>(lock: &'s Lock, held: &mut Self::Held<'s>, operation: &Operation) -> Option<Answer> {
        match operation {
            Operation::TryLock => {
                let (answer, guard) = taken(lock.try_lock());
                if guard.is_some() {
                    // One that lost its lock would say so in its drop.
                    core::mem::forget(core::mem::replace(held, guard));
                }
                Some(answer)
            }
            Operation::Lock => Some(taken(lock.try_acquire_for(Duration::ZERO)).0),
            Operation::UnlockPanicking => {
                drop_panicking(held.take()?);
                Some(Answer::Done)
            }
            Operation::MarkConsistent => Some(done(lock.mark_consistent())),
            Operation::ReleaseForAnybody => Some(done(lock.release())),
            Operation::ReleaseOwn => Some(done(held.take()?.release())),
            Operation::Holder => Some(Answer::Holder(lock.holder())),
            Operation::IsInconsistent => Some(Answer::Is(lock.is_inconsistent())),
            Operation::Unlock => None, // its guard forgets who died: `ReleaseOwn`
        }
    }
}

fn scenarios<F: Face>() -> impl Strategy<Value = Scenario<OperationOf<F>>> {
    let decode = |bytes: Vec<u8>| arbitrary::Arbitrary::arbitrary(&mut Unstructured::new(&bytes)).ok();
    proptest::collection::vec(any::<u8>(), 16..120).prop_filter_map("no scenario", decode)
}

fn configuration(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// **A primitive is registered here**, under its name.
macro_rules! faces {
    ($($name:ident: $face:ty;)*) => {
        proptest! {
            #![proptest_config(configuration(60))]
            $(
                #[test]
                fn $name(scenario in scenarios::<$face>()) {
                    beside_its_reference::<$face>(scenario);
                }
            )*
        }
    };
}

faces! {
    mutex: OfMutex;
    lock: OfLock;
}

proptest! {
    #![proptest_config(configuration(60))]

    #[test]
    fn what_is_made_can_be_opened_and_nothing_else(
        participants in 1..200usize,
        room in 0..2_000usize,
        at in 0..88usize,
        change in 1..=255u8,
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("segment");
        let options = Segment::<Mutex<u64>>::options().participants(participants).room::<u16>(room);
        options.create(&path, |value, elements| {
            *value.get_mut() = 7;
            elements.iter_mut().for_each(|element| *element = 11);
        }).expect("made");
        // What the opener would make itself does not count.
        let open = || Segment::<Mutex<u64>>::options().room::<u16>(0).open(&path);
        {
            let segment = open().expect("as it was made");
            prop_assert_eq!(segment.room(), vec![11; room]);
            prop_assert_eq!(*segment.lock().expect("free"), 7);
            segment.detach().expect("nothing is held");
        }
        let of_another_type = Segment::<Mutex<i64>>::options().room::<u16>(0).open(&path);
        assert!(matches!(of_another_type, Err(Error::Type { .. })));
        assert!(matches!(Segment::<Mutex<u64>>::open(&path), Err(Error::RoomType { .. })));
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("there");
        let mut byte = [0];
        file.read_exact_at(&mut byte, at as u64).expect("there");
        file.write_all_at(&[byte[0] ^ change], at as u64).expect("written");
        // Eight bytes say on which boot it was used, and may change.
        prop_assert_eq!(open().is_ok(), (72..80).contains(&at));
    }
}
