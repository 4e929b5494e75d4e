//! The typed primitives compared with the references. Participants are threads in a real segment.
//! They die by ending with what they hold. Also the segment itself: files that were made can be
//! opened, and no others.

mod beside;

use arbitrary::Unstructured;
use core::time::Duration;
use outlive::raw::barrier::NotPassed;
use outlive::raw::permit_pool::NoPermit;
use outlive::raw::queue::NotClaimed;
use outlive::raw::semaphore::{NotAcquired, OverRelease};
use outlive::raw::{Cause, Id, NotLocked};
use outlive::{
    AcquireTimeoutError, ArrayQueue, ArrayTaskQueue, Barrier, BarrierMember, BarrierTimeoutError, Condvar, Event,
    JoinError, LazyLock, Lock, LockErrorKind, LockGuard, MessageQueue, Mutex, MutexGuard, NotHeldError, Once,
    OnceError, OnceLock, OpenError, OverReleaseError, Permit, PermitPool, Pipe, PipeRecvError, PipeTryRecvError,
    PipeTrySendError, RecvTimeoutError, ReentrantMutex, ReentrantMutexGuard, ReleaseError, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Segment, Semaphore, SemaphorePermit, SendTimeoutError, Shareable, Task, TaskLoan,
    TryAcquireError, TryLockResult, TryRecvError, TryRecvMessageError, TrySendError, TrySendMessageError, TryWaitError,
    UnfinishedTimeoutError, WaitTimeoutError,
};
use outlive_trials::barrier::{BarrierReference, PARTIES};
use outlive_trials::condvar::HeapReference;
use outlive_trials::event::EventReference;
use outlive_trials::locks::LockFailure;
use outlive_trials::mutex::{Answer, MutexReference, Operation};
use outlive_trials::once::OnceReference;
use outlive_trials::operations::{Deed, Scenario, Step};
use outlive_trials::permit_pool::{PERMITS, PermitsReference};
use outlive_trials::queue::QueueReference;
use outlive_trials::reentrant::ReentrantReference;
use outlive_trials::reference::Reference;
use outlive_trials::rwlock::{READERS, RwLockReference};
use outlive_trials::semaphore::SemaphoreReference;
use outlive_trials::task_queue::TaskQueueReference;
use outlive_trials::{
    barrier, condvar, event, mutex, once, permit_pool, queue, reentrant, rwlock, semaphore, task_queue,
};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

/// A typed primitive, and how to do the reference's operations with it.
trait Face {
    type Shared: Shareable + Sync;
    type Reference: Reference<Operation: Send + for<'a> arbitrary::Arbitrary<'a>, Answer: Send>;
    /// The guards of a thread.
    type Held<'s>: Default;

    /// Does the operation without waiting. `None`: there is no such operation, or not now.
    fn run<'s>(
        shared: &'s Self::Shared,
        held: &mut Self::Held<'s>,
        operation: &OperationOf<Self>,
    ) -> Option<AnswerOf<Self>>;

    /// Whether this thread's end is a death for its holds.
    fn dies(_shared: &Self::Shared, _who: Id) -> bool {
        true
    }

    /// What a thread does with its holds at its end.
    fn leave(held: Self::Held<'_>) {
        core::mem::forget(held);
    }
}
type OperationOf<F> = <<F as Face>::Reference as Reference>::Operation;
type AnswerOf<F> = <<F as Face>::Reference as Reference>::Answer;

/// A thread that does the operations it receives, until it is to end.
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
            F::leave(held);
        });
        Self { id: told.recv().expect("it begins"), orders, answers, thread }
    }

    fn run(&self, operation: &OperationOf<F>) -> Option<AnswerOf<F>> {
        self.orders.send(operation.clone()).expect("it listens");
        self.answers.recv().expect("it answers")
    }

    /// Ends the thread, and waits until the kernel has ended it.
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
            if let Some(actor) = seats[seat].take_if(|actor| dies && F::dies(&segment, actor.id)) {
                state = state.after_death_of(actor.die(&segment));
            }
        }
    });
}

/// An ended thread has leaked its guards. Nothing uses what they gave. So `take`, which does not
/// wait, may count these guards as gone.
fn or_of_the_dead<G, E: LockFailure<G>>(answer: Result<G, E>, take: impl FnOnce() -> TryLockResult<G>) -> Taken<G> {
    match parts(answer) {
        (Some(LockErrorKind::Leaked { .. }), None) => parts(take()),
        taken => taken,
    }
}

/// The same for a lock with both kinds of holders: living ones, and ones that have leaked it.
fn or_of_some_dead<G, E: LockFailure<G>>(answer: Result<G, E>, take: impl FnOnce() -> TryLockResult<G>) -> Taken<G> {
    match parts(answer) {
        (Some(LockErrorKind::Leaked { .. } | LockErrorKind::WouldBlock), None) => parts(take()),
        (Some(LockErrorKind::TimedOut), None) => match parts(take()) {
            (Some(LockErrorKind::WouldBlock), None) => (Some(LockErrorKind::TimedOut), None),
            taken => taken,
        },
        taken => taken,
    }
}

/// The result of an attempt to lock: the kind of the error, if any, and the guard, if any.
type Taken<G> = (Option<LockErrorKind>, Option<G>);

fn parts<G, E: LockFailure<G>>(answer: Result<G, E>) -> Taken<G> {
    match answer {
        Ok(guard) => (None, Some(guard)),
        Err(error) => {
            let (kind, guard) = error.into_parts();
            (Some(kind), guard)
        }
    }
}

fn taken<G>((kind, guard): Taken<G>) -> (Answer, Option<G>) {
    let told = match kind {
        None => Answer::Taken(None),
        Some(LockErrorKind::OwnerDied { by }) => Answer::Taken(Some(Cause::Died(by))),
        Some(LockErrorKind::Poisoned { by }) => Answer::Taken(Some(Cause::Panicked(by))),
        Some(LockErrorKind::WouldBlock) => Answer::Failed(NotLocked::WouldBlock),
        Some(LockErrorKind::TimedOut) => Answer::Failed(NotLocked::TimedOut),
        Some(LockErrorKind::Deadlock) => Answer::Failed(NotLocked::Deadlock),
        Some(other) => panic!("{other}"),
    };
    (told, guard)
}

fn done(answer: Result<(), NotHeldError>) -> Answer {
    answer.map_or_else(|error| Answer::NotHeld(error.holder), |()| Answer::Done)
}

/// Drops a guard during a panic.
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
    type Reference = MutexReference<false>;
    type Held<'s> = Option<MutexGuard<'s, u64>>;

    fn run<'s>(mutex: &'s Mutex<u64>, held: &mut Self::Held<'s>, operation: &Operation) -> Option<Answer> {
        let lock = |held: &mut Self::Held<'s>, answer: Taken<_>| {
            let (answer, guard) = taken(answer);
            assert!(guard.is_none() || held.is_none(), "one thread has two guards");
            *held = held.take().or(guard);
            Some(answer)
        };
        // SAFETY: the thread with that guard has ended, and nothing uses what the guard gave.
        let of_the_dead = || unsafe { mutex.lock_leaked() };
        match operation {
            Operation::TryLock => lock(held, or_of_the_dead(mutex.try_lock(), of_the_dead)),
            Operation::Lock => lock(held, or_of_the_dead(mutex.try_lock_for(Duration::ZERO), of_the_dead)),
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
    type Reference = MutexReference<true>;
    type Held<'s> = Option<LockGuard<'s>>;

    fn run<'s>(lock: &'s Lock, held: &mut Self::Held<'s>, operation: &Operation) -> Option<Answer> {
        match operation {
            Operation::TryLock => {
                let (answer, guard) = taken(parts(lock.try_lock()));
                if guard.is_some() {
                    // A guard that lost its lock would report that in its drop.
                    core::mem::forget(core::mem::replace(held, guard));
                }
                Some(answer)
            }
            Operation::Lock => Some(taken(parts(lock.try_acquire_for(Duration::ZERO))).0),
            Operation::UnlockPanicking => {
                drop_panicking(held.take()?);
                Some(Answer::Done)
            }
            Operation::MarkConsistent => Some(done(lock.mark_consistent())),
            Operation::ReleaseForAnybody => Some(done(lock.release())),
            Operation::ReleaseOwn => Some(done(held.take()?.release())),
            Operation::Holder => Some(Answer::Holder(lock.holder())),
            Operation::IsInconsistent => Some(Answer::Is(lock.is_inconsistent())),
            Operation::Unlock => None, // its guard forgets the dead holder's name: `ReleaseOwn` is used
        }
    }

    /// A thread that holds it leaves it acquired as long as its process lives.
    fn dies(lock: &Lock, who: Id) -> bool {
        lock.holder() != Some(who)
    }
}

struct OfSemaphore;

impl Face for OfSemaphore {
    type Shared = Bounded;
    type Reference = SemaphoreReference;
    type Held<'s> = ();

    fn run(shared: &Bounded, (): &mut (), operation: &semaphore::Operation) -> Option<semaphore::Answer> {
        use semaphore::{Answer, Operation};
        let semaphore = shared.get();
        let tried = |answer| match answer {
            Ok(()) => Answer::Done,
            Err(TryAcquireError::WouldBlock) => Answer::Failed(NotAcquired::WouldBlock),
            Err(TryAcquireError::TooMany { maximum, .. }) => Answer::Failed(NotAcquired::TooMany { maximum }),
            Err(other) => panic!("{other}"),
        };
        Some(match *operation {
            Operation::TryAcquire(1) => tried(semaphore.try_permit().map(SemaphorePermit::forget)),
            Operation::TryAcquire(count) => tried(semaphore.try_acquire_many(count)),
            Operation::Acquire(count) => match semaphore.try_acquire_many_for(count, Duration::ZERO) {
                Ok(()) => Answer::Done,
                Err(AcquireTimeoutError::TimedOut) => Answer::Failed(NotAcquired::TimedOut),
                Err(AcquireTimeoutError::TooMany { maximum, .. }) => Answer::Failed(NotAcquired::TooMany { maximum }),
                Err(other) => panic!("{other}"),
            },
            Operation::Release(count) => match semaphore.release_many(count) {
                Ok(()) => Answer::Done,
                Err(ReleaseError::OverRelease(OverReleaseError { available, maximum, .. })) => {
                    Answer::Over(OverRelease { available, maximum })
                }
                Err(other) => panic!("{other}"),
            },
            Operation::Available => Answer::Available(semaphore.available()),
        })
    }
}

struct OfPermitPool;

/// With guards (`TryAcquire`) and without (`Acquire`).
impl Face for OfPermitPool {
    type Shared = PermitPool<PERMITS>;
    type Reference = PermitsReference;
    type Held<'s> = [Option<Permit<'s, PERMITS>>; PERMITS];

    fn run<'s>(
        pool: &'s Self::Shared,
        held: &mut Self::Held<'s>,
        operation: &permit_pool::Operation,
    ) -> Option<permit_pool::Answer> {
        use permit_pool::{Answer, Operation};
        let given_back = |answer: Result<(), NotHeldError>| match answer {
            Ok(()) => Answer::Done,
            Err(error) => Answer::NotHeld(error.holder),
        };
        Some(match *operation {
            Operation::TryAcquire => match pool.try_permit() {
                Ok(permit) => {
                    let answer = Answer::Taken(permit.index(), permit.previous_holder_died());
                    let index = permit.index();
                    // A guard that lost its permit would report that in its drop.
                    core::mem::forget(held[index].replace(permit));
                    answer
                }
                Err(TryAcquireError::WouldBlock) => Answer::Failed(NoPermit::WouldBlock),
                Err(other) => panic!("{other}"),
            },
            Operation::Acquire => match pool.try_permit_for(Duration::ZERO) {
                Ok(permit) => {
                    let died = permit.previous_holder_died();
                    Answer::Taken(permit.into_parts().0, died)
                }
                Err(AcquireTimeoutError::TimedOut) => Answer::Failed(NoPermit::TimedOut),
                Err(other) => panic!("{other}"),
            },
            Operation::Release(index) => given_back(held.get_mut(index)?.take()?.release()),
            Operation::ReleaseForAnybody(index) => match pool.holders().find(|(permit, _)| *permit == index) {
                Some((_, holder)) => given_back(pool.give_back(index, holder)),
                None => Answer::NotHeld(None),
            },
            Operation::Holders => {
                let mut holders = [None; PERMITS];
                pool.holders().for_each(|(index, holder)| holders[index] = Some(holder));
                Answer::Holders(holders)
            }
        })
    }
}

/// A guard of a reader-writer lock.
enum Guard<'s> {
    Read { _guard: RwLockReadGuard<'s, u64, READERS> },
    Write(RwLockWriteGuard<'s, u64, READERS>),
}

struct OfRwLock;

impl Face for OfRwLock {
    type Shared = RwLock<u64, READERS>;
    type Reference = RwLockReference;
    type Held<'s> = Option<Guard<'s>>;

    fn run<'s>(
        lock: &'s Self::Shared,
        held: &mut Self::Held<'s>,
        operation: &rwlock::Operation,
    ) -> Option<rwlock::Answer> {
        use rwlock::{Answer, Operation};
        let mut keep = |(answer, guard): (_, Option<Guard<'s>>)| {
            assert!(guard.is_none() || held.is_none(), "one thread has two guards");
            *held = held.take().or(guard);
            match answer {
                mutex::Answer::Taken(cause) => Answer::Taken(cause),
                mutex::Answer::Failed(refusal) => Answer::Failed(refusal),
                other => panic!("{other:?}"),
            }
        };
        // SAFETY: as with a mutex.
        let (read_leaked, write_leaked) = (|| unsafe { lock.read_leaked() }, || unsafe { lock.write_leaked() });
        let read = |answer| {
            let (answer, guard) = taken(answer);
            (answer, guard.map(|guard| Guard::Read { _guard: guard }))
        };
        let write = |answer| {
            let (answer, guard) = taken(answer);
            (answer, guard.map(Guard::Write))
        };
        Some(match operation {
            Operation::TryRead => keep(read(or_of_some_dead(lock.try_read(), read_leaked))),
            Operation::Read => keep(read(or_of_some_dead(lock.try_read_for(Duration::ZERO), read_leaked))),
            Operation::TryWrite => keep(write(or_of_some_dead(lock.try_write(), write_leaked))),
            Operation::Write => keep(write(or_of_some_dead(lock.try_write_for(Duration::ZERO), write_leaked))),
            Operation::UnlockRead | Operation::UnlockWrite => {
                drop(held.take().expect("a holder has a guard"));
                Answer::Done
            }
            Operation::UnlockWritePanicking => {
                drop_panicking(held.take().expect("the writer has a guard"));
                Answer::Done
            }
            Operation::MarkConsistent => {
                let Some(Guard::Write(guard)) = held else { panic!("the writer has a guard") };
                guard.mark_consistent();
                Answer::Done
            }
            Operation::IsInconsistent => Answer::Is(lock.is_inconsistent()),
            // It does not return the cause, which the reference's downgrade does.
            Operation::Downgrade => return None,
        })
    }

    /// The word of a leaked reader cannot be used while its process lives, so one reader less would
    /// fit. `models/tests/leaked.rs` and `tests/leaked.rs` test such readers.
    fn leave(held: Self::Held<'_>) {
        if matches!(held, Some(Guard::Write(_))) {
            core::mem::forget(held);
        }
    }
}

struct OfReentrantMutex;

/// With guards (`TryLock`), and without (`Lock`).
impl Face for OfReentrantMutex {
    type Shared = ReentrantMutex<u64>;
    type Reference = ReentrantReference;
    type Held<'s> = Vec<ReentrantMutexGuard<'s, u64>>;

    fn run<'s>(mutex: &'s Self::Shared, held: &mut Self::Held<'s>, operation: &reentrant::Operation) -> Option<Answer> {
        use reentrant::Operation;
        // SAFETY: as with a mutex.
        let of_the_dead = || unsafe { mutex.lock_leaked() };
        Some(match operation {
            Operation::TryLock => {
                let (answer, guard) = taken(or_of_the_dead(mutex.try_lock(), of_the_dead));
                held.extend(guard);
                answer
            }
            Operation::Lock => {
                let (answer, guard) = taken(or_of_the_dead(mutex.try_lock_for(Duration::ZERO), of_the_dead));
                // In the order of taking, so that the guard that came with the cause goes last.
                held.extend(guard);
                answer
            }
            Operation::Release => match held.pop() {
                Some(guard) => {
                    drop(guard);
                    Answer::Done
                }
                None => done(mutex.release()),
            },
            Operation::ReleaseInPanic => {
                drop_panicking(held.pop()?);
                Answer::Done
            }
            Operation::MarkConsistent => {
                // Through the guard that came with the cause: it remembers.
                held.first_mut().expect("the holder has a guard").mark_consistent();
                Answer::Done
            }
            Operation::Holder => Answer::Holder(mutex.holder()),
            Operation::IsInconsistent => Answer::Is(mutex.is_inconsistent()),
            Operation::GiveWay => return None, // only condition variables do this
        })
    }
}

struct OfEvent<const AUTO: bool>;

impl<const AUTO: bool> Face for OfEvent<AUTO> {
    type Shared = Either<AUTO>;
    type Reference = EventReference<AUTO>;
    type Held<'s> = ();

    fn run(shared: &Self::Shared, (): &mut (), operation: &event::Operation) -> Option<event::Answer> {
        use event::{Answer, Operation};
        let event = shared.get();
        assert_eq!(event.is_auto_reset(), AUTO);
        Some(match operation {
            Operation::Wait => match event.wait_timeout(Duration::ZERO) {
                Ok(()) => Answer::Done,
                Err(WaitTimeoutError::TimedOut) => Answer::TimedOut,
                Err(other) => panic!("{other}"),
            },
            Operation::TryWait => match event.try_wait() {
                Ok(()) => Answer::Is(true),
                Err(TryWaitError::WouldBlock) => Answer::Is(false),
                Err(other) => panic!("{other}"),
            },
            Operation::Set => {
                event.set().expect("a participant");
                Answer::Done
            }
            Operation::Clear => Answer::Is(event.clear()),
            Operation::IsSet => Answer::Is(event.is_set()),
        })
    }
}

struct OfBarrier;

/// No thread waits here, so none meet: this tests members, their deaths, breaks and resets.
impl Face for OfBarrier {
    type Shared = Barrier<PARTIES>;
    type Reference = BarrierReference;
    type Held<'s> = Option<BarrierMember<'s, PARTIES>>;

    fn run<'s>(
        barrier: &'s Self::Shared,
        held: &mut Self::Held<'s>,
        operation: &barrier::Operation,
    ) -> Option<barrier::Answer> {
        use barrier::{Answer, Operation};
        Some(match operation {
            // For a party that has arrived, a wait with no time breaks the barrier.
            Operation::Wait => match barrier.wait_timeout(Duration::ZERO) {
                Err(BarrierTimeoutError::TimedOut) => {
                    assert!(barrier.is_broken());
                    barrier.reset().expect("a participant");
                    return None;
                }
                Err(BarrierTimeoutError::Broken { died }) => Answer::Failed(NotPassed::Broken { died }),
                other => panic!("{other:?}"),
            },
            Operation::Abort => {
                barrier.abort().expect("a participant");
                Answer::Done
            }
            Operation::Reset => {
                barrier.reset().expect("a participant");
                Answer::Done
            }
            Operation::Join => match barrier.join() {
                Ok(member) => {
                    *held = Some(member);
                    Answer::Done
                }
                Err(JoinError::Full { .. }) => Answer::NotJoined,
                Err(other) => panic!("{other}"),
            },
            Operation::Leave => {
                drop(held.take().expect("a member has its guard"));
                Answer::Done
            }
            Operation::IsBroken => Answer::Is(barrier.is_broken()),
            Operation::WaitToRun | Operation::Finish | Operation::AbortRun => return None,
        })
    }
}

struct OfOnce;

/// A `Once` and a `OnceLock`, which get the same operations.
impl Face for OfOnce {
    type Shared = Twins;
    type Reference = OnceReference;
    type Held<'s> = ();

    fn run(twins: &Twins, (): &mut (), operation: &once::Operation) -> Option<once::Answer> {
        use once::{Answer, Operation};
        const VALUE: u64 = 7;
        let ends = |end: Result<u64, OnceError>| {
            let mut ours = false;
            let answer = twins.value.get_or_try_init(|| {
                ours = true;
                end
            });
            match answer {
                Ok(value) => assert_eq!(*value, VALUE),
                Err(error) => assert!(matches!(error, OnceError::Interrupted), "{error}"),
            }
            ours
        };
        let panics = |call: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(call)).is_err();
        let mut earlier = None;
        let ours = match operation {
            Operation::Call => {
                twins.once.call_once_force(|state| earlier = Some(state.earlier())).expect("free");
                ends(Ok(VALUE))
            }
            Operation::CallPanicking => {
                let mut ours = false;
                let panicked = panics(&mut || {
                    let call = twins.once.call_once_force(|state| {
                        earlier = Some(state.earlier());
                        resume_unwind(Box::new("on purpose"));
                    });
                    call.expect("complete");
                });
                assert_eq!(panicked, earlier.is_some());
                let panicked = panics(&mut || {
                    let lazy = LazyLock::new(&twins.value, || {
                        resume_unwind(Box::new("on purpose"));
                    });
                    assert_eq!(*lazy, VALUE);
                });
                ours |= panicked;
                ours
            }
            Operation::IsComplete => {
                assert_eq!(twins.once.is_completed(), twins.value.get().is_some());
                return Some(Answer::Is(twins.once.is_completed()));
            }
            // They take a closure, so no thread begins now and ends later. Also, a `Once` cannot
            // fail.
            _ => {
                assert!(twins.value.get().is_some() || ends(Err(OnceError::Interrupted)));
                return None;
            }
        };
        assert_eq!(ours, earlier.is_some());
        Some(earlier.map_or(Answer::Complete, Answer::Ours))
    }
}

struct OfCondvar;

impl Face for OfCondvar {
    type Shared = Heap;
    type Reference = HeapReference;
    type Held<'s> = ();

    fn run(heap: &Heap, (): &mut (), operation: &condvar::Operation) -> Option<condvar::Answer> {
        use condvar::{Answer, Operation};
        let items = || heap.items.lock().expect("nobody dies with it");
        match *operation {
            Operation::Take(count) => {
                let waited = heap.more.wait_timeout_while(items(), Duration::ZERO, |items| *items < count);
                let (mut items, result) = waited.expect("nobody dies with it");
                if result.timed_out() {
                    return Some(Answer::TimedOut);
                }
                *items -= count;
            }
            Operation::Put(count) => {
                *items() += count;
                heap.more.notify_n(count);
            }
            Operation::PutInside(count) => {
                let mut items = items();
                *items += count;
                heap.more.notify_n(count);
            }
            Operation::PutForAll(count) => {
                *items() += count;
                heap.more.notify_all();
            }
            Operation::Notify => heap.more.notify_one(),
            Operation::NotifyAll => heap.more.notify_all(),
        }
        Some(Answer::Done)
    }
}

struct OfQueue<const N: usize>;

impl<const N: usize> Face for OfQueue<N> {
    type Shared = ArrayQueue<u8, N>;
    type Reference = QueueReference<N, true>;
    type Held<'s> = ();

    fn run(queue: &Self::Shared, (): &mut (), operation: &queue::Operation) -> Option<queue::Answer> {
        use queue::{Answer, Operation};
        let received = |answer: Result<u8, TryRecvError>| match answer {
            Ok(item) => Answer::Received(vec![item]),
            Err(TryRecvError::Empty) => Answer::Failed(NotClaimed::WouldBlock),
            Err(TryRecvError::Disconnected) => Answer::Failed(NotClaimed::Closed),
            Err(other) => panic!("{other}"),
        };
        Some(match *operation {
            Operation::TrySend(item) => match queue.try_send(item) {
                Ok(()) => Answer::Done,
                Err(TrySendError::Full(back)) if back == item => Answer::Failed(NotClaimed::WouldBlock),
                Err(TrySendError::Disconnected(back)) if back == item => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other:?}"),
            },
            Operation::Send(item) => match queue.send_timeout(item, Duration::ZERO) {
                Ok(()) => Answer::Done,
                Err(SendTimeoutError::TimedOut(back)) if back == item => Answer::Failed(NotClaimed::TimedOut),
                Err(SendTimeoutError::Disconnected(back)) if back == item => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other:?}"),
            },
            Operation::SendTwo(items) => match queue.try_send_batch(&items) {
                Ok(()) => Answer::Sent(2, None),
                Err(TrySendError::Full(rest)) if items.ends_with(rest) => {
                    Answer::Sent(2 - rest.len(), Some(NotClaimed::WouldBlock))
                }
                Err(TrySendError::Disconnected(rest)) if items.ends_with(rest) => {
                    Answer::Sent(2 - rest.len(), Some(NotClaimed::Closed))
                }
                Err(other) => panic!("{other:?}"),
            },
            Operation::TryReceive => received(queue.try_recv()),
            Operation::Receive => match queue.recv_timeout(Duration::ZERO) {
                Ok(item) => Answer::Received(vec![item]),
                Err(RecvTimeoutError::TimedOut) => Answer::Failed(NotClaimed::TimedOut),
                Err(RecvTimeoutError::Disconnected) => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other}"),
            },
            Operation::ReceiveTwo => {
                let mut items = vec![];
                match queue.try_recv_batch(&mut items, 2) {
                    Ok(count) if count == items.len() => Answer::Received(items),
                    Ok(count) => panic!("{count} items: {items:?}"),
                    Err(error) => received(Err(error)),
                }
            }
            Operation::Drain => Answer::Received(queue.drain().collect()),
            Operation::Close => Answer::Is(queue.close().expect("it is in a segment")),
            Operation::IsClosed => Answer::Is(queue.is_closed()),
            Operation::Len => {
                let len = queue.len();
                assert_eq!((queue.is_empty(), queue.is_full()), (len == 0, len == N));
                Answer::Len(len)
            }
            // No thread stops between the two halves of a send or of a receive.
            Operation::ClaimFree | Operation::Publish(_) | Operation::ClaimFull | Operation::Finish => return None,
        })
    }
}

struct OfTaskQueue<const N: usize, const LIMIT: u32>;

/// What a thread has of a task queue.
#[derive(Default)]
struct Work<'s> {
    loan: Option<TaskLoan<'s, u8>>,
    task: Option<Task<'s, u8>>,
}

impl<const N: usize, const LIMIT: u32> Face for OfTaskQueue<N, LIMIT> {
    type Shared = ArrayTaskQueue<u8, N>;
    type Reference = TaskQueueReference<N, LIMIT>;
    type Held<'s> = Work<'s>;

    fn run<'s>(
        tasks: &'s Self::Shared,
        work: &mut Work<'s>,
        operation: &task_queue::Operation,
    ) -> Option<task_queue::Answer> {
        use task_queue::{Answer, Operation};
        tasks.set_max_attempts(LIMIT); // the first call counts
        let mut begin = |task: Task<'s, u8>| {
            let answer = Answer::Task(*task, task.attempts());
            work.task = Some(task);
            answer
        };
        Some(match *operation {
            Operation::TrySend(item) => match tasks.try_send(item) {
                Ok(()) => Answer::Done,
                Err(TrySendError::Full(back)) if back == item => Answer::Failed(NotClaimed::WouldBlock),
                Err(TrySendError::Disconnected(back)) if back == item => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other:?}"),
            },
            Operation::Send(item) => match tasks.send_timeout(item, Duration::ZERO) {
                Ok(()) => Answer::Done,
                Err(SendTimeoutError::TimedOut(back)) if back == item => Answer::Failed(NotClaimed::TimedOut),
                Err(SendTimeoutError::Disconnected(back)) if back == item => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other:?}"),
            },
            Operation::Reserve => match tasks.try_reserve() {
                Ok(loan) => {
                    work.loan = Some(loan);
                    Answer::Done
                }
                Err(TrySendError::Full(())) => Answer::Failed(NotClaimed::WouldBlock),
                Err(TrySendError::Disconnected(())) => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other:?}"),
            },
            Operation::Publish(item) => {
                let mut loan = work.loan.take().expect("allowed with a loan alone");
                *loan = item;
                loan.publish().expect("its own");
                Answer::Done
            }
            Operation::GiveUp => {
                drop(work.loan.take());
                Answer::Done
            }
            Operation::TryTake => match tasks.try_take() {
                Ok(task) => begin(task),
                Err(TryRecvError::Empty) => Answer::Failed(NotClaimed::WouldBlock),
                Err(TryRecvError::Disconnected) => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other:?}"),
            },
            Operation::Take => match tasks.take_timeout(Duration::ZERO) {
                Ok(task) => begin(task),
                Err(RecvTimeoutError::TimedOut) => Answer::Failed(NotClaimed::TimedOut),
                Err(RecvTimeoutError::Disconnected) => Answer::Failed(NotClaimed::Closed),
                Err(other) => panic!("{other:?}"),
            },
            Operation::TakeAside => tasks.set_aside().next().map_or(Answer::NoneAside, begin),
            Operation::Done => {
                work.task.take().expect("allowed with a task alone").done().expect("its own");
                Answer::Done
            }
            Operation::Fail => {
                drop(work.task.take());
                Answer::Done
            }
            Operation::GiveBack => {
                work.task.take().expect("allowed with a task alone").give_back().expect("its own");
                Answer::Done
            }
            Operation::Join => match tasks.join_timeout(Duration::ZERO) {
                Ok(()) => Answer::Done,
                Err(UnfinishedTimeoutError::TimedOut) => Answer::Failed(NotClaimed::TimedOut),
                Err(other) => panic!("{other:?}"),
            },
            Operation::Close => Answer::Is(tasks.close().expect("it is in a segment")),
            Operation::IsClosed => Answer::Is(tasks.is_closed()),
            Operation::Len => Answer::Len(tasks.len()),
        })
    }

    /// The end of a thread that has a task is no death: it may have leaked what the guard gave.
    fn dies(tasks: &Self::Shared, who: Id) -> bool {
        tasks.workers().all(|worker| worker != who)
    }

    fn leave(work: Work<'_>) {
        drop(work.loan); // as after a death
        core::mem::forget(work.task);
    }
}

#[derive(Debug, Shareable)]
#[repr(C)]
struct Heap {
    items: Mutex<u32>,
    more: Condvar,
}

/// Primitives that are not all zero at first. The first user makes them so. All others find that
/// done.
macro_rules! made_at_first_use {
    ($($name:ident $(<const $parameter:ident: bool>)? : $inner:ty = $make:expr;)*) => {$(
        #[derive(Debug, Shareable)]
        #[repr(C)]
        struct $name $(<const $parameter: bool>)? {
            inner: OnceLock<$inner>,
        }

        impl $(<const $parameter: bool>)? $name $(<$parameter>)? {
            fn get(&self) -> &$inner {
                self.inner.get_or_init(|| $make).expect("a participant")
            }
        }
    )*};
}
made_at_first_use! {
    Bounded: Semaphore = Semaphore::bounded(0, semaphore::MAXIMUM);
    Either<const AUTO: bool>: Event = if AUTO { Event::auto_reset() } else { Event::new() };
}

#[derive(Debug, Shareable)]
#[repr(C)]
struct Twins {
    once: Once,
    value: OnceLock<u64>,
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
        $(
            #[test]
            fn $name() {
                let run = beside_its_reference::<$face>;
                beside::its_reference(stringify!($name), 60, scenarios::<$face>(), run);
            }
        )*
    };
}

faces! {
    mutex: OfMutex;
    lock: OfLock;
    semaphore: OfSemaphore;
    permit_pool: OfPermitPool;
    rwlock: OfRwLock;
    reentrant_mutex: OfReentrantMutex;
    event: OfEvent<false>;
    event_that_resets_itself: OfEvent<true>;
    barrier: OfBarrier;
    once: OfOnce;
    condvar: OfCondvar;
    queue: OfQueue<3>;
    queue_of_one_cell: OfQueue<1>;
    task_queue: OfTaskQueue<3, 0>;
    task_queue_that_sets_aside: OfTaskQueue<3, 2>;
    task_queue_of_one_slot: OfTaskQueue<1, 0>;
}

/// What is done with a queue of messages.
#[derive(Debug, Clone)]
enum WithMessages {
    Send(Vec<u8>),
    SendInPieces(Vec<u8>, usize),
    Receive,
    ReceiveInto(usize),
    ReceiveInPieces,
    Close,
}

fn with_messages() -> impl Strategy<Value = WithMessages> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..900);
    prop_oneof![
        4 => bytes().prop_map(WithMessages::Send),
        3 => (bytes(), 1..200usize).prop_map(|(bytes, piece)| WithMessages::SendInPieces(bytes, piece)),
        4 => Just(WithMessages::Receive),
        2 => (0..900usize).prop_map(WithMessages::ReceiveInto),
        2 => Just(WithMessages::ReceiveInPieces),
        1 => Just(WithMessages::Close),
    ]
}

/// What is done with a pipe.
#[derive(Debug, Clone)]
enum WithPipe {
    Send(Vec<u8>),
    Receive,
    ReceiveInto(usize),
    Poll,
    DropSender,
    DropReceiver,
}

fn with_a_pipe() -> impl Strategy<Value = WithPipe> {
    prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..300).prop_map(WithPipe::Send),
        1 => proptest::collection::vec(any::<u8>(), 300..600).prop_map(WithPipe::Send),
        6 => Just(WithPipe::Receive),
        3 => (0..300usize).prop_map(WithPipe::ReceiveInto),
        1 => Just(WithPipe::Poll),
        1 => Just(WithPipe::DropSender),
        1 => Just(WithPipe::DropReceiver),
    ]
}

proptest! {
    #![proptest_config(configuration(60))]

    /// The queue of messages has a segment of its own. Its reference is a row of messages. (Beside
    /// its algorithm there is a reference that knows blocks, and deaths.)
    #[test]
    fn a_message_queue_is_a_row_of_messages(deeds in proptest::collection::vec(with_messages(), 1..80)) {
        const MESSAGES: usize = 4;
        let queue = MessageQueue::anonymous(MESSAGES, 1_500).expect("a queue");
        let mut row: VecDeque<Vec<u8>> = VecDeque::new();
        let mut is_closed = false;
        for deed in deeds {
            match deed {
                WithMessages::Send(ref bytes) | WithMessages::SendInPieces(ref bytes, _) => {
                    let answer = match deed {
                        WithMessages::SendInPieces(_, piece) => queue
                            .try_send_with(|writer| bytes.chunks(piece).try_for_each(|part| writer.write_all(part))),
                        _ => queue.try_send_bytes(bytes),
                    };
                    match answer {
                        Ok(()) => {
                            prop_assert!(row.len() < MESSAGES && !is_closed);
                            row.push_back(bytes.clone());
                        }
                        Err(TrySendMessageError::Disconnected) => prop_assert!(is_closed),
                        // A cell whose message was given up is free when those before it are.
                        Err(TrySendMessageError::Full) => prop_assert!(!is_closed && !row.is_empty()),
                        Err(other) => panic!("{other}"),
                    }
                }
                WithMessages::Close => {
                    prop_assert_eq!(queue.close().expect("in a segment"), !is_closed);
                    is_closed = true;
                }
                _ => {
                    let mut buffer = vec![];
                    let answer = match deed {
                        WithMessages::ReceiveInto(room) => {
                            buffer.resize(room, 0);
                            queue.try_recv_into(&mut buffer).map(|length| buffer[..length].to_vec())
                        }
                        WithMessages::ReceiveInPieces => queue
                            .try_recv_with(|reader| reader.read_to_end(&mut buffer))
                            .map(|length| buffer[..length].to_vec()),
                        _ => queue.try_recv_bytes(),
                    };
                    match answer {
                        Ok(bytes) => prop_assert_eq!(Some(bytes), row.pop_front()),
                        Err(TryRecvMessageError::TooShort { length, room }) => {
                            prop_assert_eq!((Some(length), room), (row.front().map(Vec::len), buffer.len()));
                            prop_assert!(length > room);
                        }
                        Err(TryRecvMessageError::Empty) => prop_assert!(row.is_empty() && !is_closed),
                        Err(TryRecvMessageError::Disconnected) => prop_assert!(row.is_empty() && is_closed),
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            // What was given up counts, until the messages before it are received.
            prop_assert!((row.len()..=MESSAGES).contains(&queue.len()));
            prop_assert_eq!((queue.is_empty(), queue.is_closed()), (row.is_empty(), is_closed));
        }
    }

    /// Likewise a pipe. Its reference is a row of messages, and the words that they take.
    #[test]
    fn a_pipe_is_a_row_of_messages(deeds in proptest::collection::vec(with_a_pipe(), 1..80)) {
        let pipe = Pipe::anonymous(512).expect("a pipe");
        let (mut sender, mut receiver) = (pipe.sender().ok(), pipe.receiver().ok());
        let mut row: VecDeque<Vec<u8>> = VecDeque::new();
        // A frame has at most 16 words, and a header.
        let words_of = |length: usize| match length {
            0 => 1,
            length => length.div_ceil(128) + length.div_ceil(8),
        };
        for deed in deeds {
            match deed {
                WithPipe::Send(bytes) => {
                    let Some(sender) = &mut sender else { continue };
                    let words = words_of(bytes.len());
                    let used: usize = row.iter().map(|message| words_of(message.len())).sum();
                    match sender.try_send_bytes(&bytes) {
                        Ok(()) => {
                            prop_assert!(used + words < 64 && receiver.is_some());
                            row.push_back(bytes);
                        }
                        Err(PipeTrySendError::Disconnected) => prop_assert!(receiver.is_none()),
                        Err(PipeTrySendError::TooLong { length, most }) => {
                            prop_assert!(words >= 64 && length == bytes.len() && most == sender.most_at_once());
                        }
                        Err(PipeTrySendError::Full) => prop_assert!(used + words >= 64 && receiver.is_some()),
                        Err(other) => panic!("{other}"),
                    }
                }
                WithPipe::Receive | WithPipe::ReceiveInto(_) => {
                    let Some(receiver) = &mut receiver else { continue };
                    let answer = match deed {
                        WithPipe::ReceiveInto(room) => {
                            let mut buffer = vec![0; room];
                            receiver.try_recv_into(&mut buffer).map(|length| buffer[..length].to_vec())
                        }
                        _ => receiver.try_recv_bytes(),
                    };
                    match answer {
                        Ok(bytes) => prop_assert_eq!(Some(bytes), row.pop_front()),
                        Err(PipeTryRecvError::TooShort { length, room }) => {
                            prop_assert!(row.front().map(Vec::len) == Some(length) && length > room);
                        }
                        Err(PipeTryRecvError::Empty) => prop_assert!(row.is_empty() && sender.is_some()),
                        Err(PipeTryRecvError::Disconnected) => prop_assert!(row.is_empty() && sender.is_none()),
                        Err(other) => panic!("{other}"),
                    }
                }
                WithPipe::Poll => {
                    let Some(receiver) = &mut receiver else { continue };
                    match receiver.poll(Duration::ZERO) {
                        Ok(is_there) => prop_assert_eq!(is_there, !row.is_empty()),
                        Err(PipeRecvError::Disconnected) => prop_assert!(row.is_empty() && sender.is_none()),
                        Err(other) => panic!("{other}"),
                    }
                }
                WithPipe::DropSender => drop(sender.take()),
                WithPipe::DropReceiver => drop(receiver.take()),
            }
            prop_assert_eq!(pipe.sender().is_err(), true);
        }
    }

    #[test]
    fn a_segment_that_was_made_can_be_opened_and_a_changed_one_cannot(
        participants in 1..200usize,
        room in 0..2_000usize,
        at in 0..156usize,
        change in 1..=255u8,
    ) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("segment");
        let options = Segment::<Mutex<u64>>::options().participants(participants).room::<u16>(room);
        options.create(&path, |value, elements| {
            *value.get_mut() = 7;
            elements.iter_mut().for_each(|element| *element = 11);
        }).expect("made");
        // The sizes in the opener's options do not count.
        let open = || Segment::<Mutex<u64>>::options().room::<u16>(0).open(&path);
        {
            let segment = open().expect("as it was made");
            prop_assert_eq!(segment.room(), vec![11; room]);
            prop_assert_eq!(*segment.lock().expect("free"), 7);
            segment.detach().expect("nothing is held");
        }
        let of_another_type = Segment::<Mutex<i64>>::options().room::<u16>(0).open(&path);
        assert!(matches!(of_another_type, Err(OpenError::Type { .. })));
        assert!(matches!(Segment::<Mutex<u64>>::open(&path), Err(OpenError::RoomType { .. })));
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("there");
        let mut byte = [0];
        file.read_exact_at(&mut byte, at as u64).expect("there");
        file.write_all_at(&[byte[0] ^ change], at as u64).expect("written");
        // The last bytes say which file it was, and in which boot. They may change.
        prop_assert_eq!(open().is_ok(), at >= 120);
    }
}
