//! Random operations of several participants, with deaths at any step of them, compared with a
//! [`Reference`].
//!
//! All of this happens in one thread, and the [`Scenario`] alone decides it. While one participant
//! sleeps, the others act. It sleeps until its futex is woken, or until no other has anything left
//! to do. Then its deadline has come, or its death if it has no deadline. If it could have gone on
//! by then, and no woken participant was on its way, a wake was lost.

use crate::Kinds;
use crate::reference::Reference;
use crate::standard::{self, Died, Person, Script, Sleeper, Standard, World};
use arbitrary::{Arbitrary, Unstructured};
use core::fmt::Debug;
use core::time::Duration;
use outlive::platform::Platform;
use outlive::raw::Id;
use outlive::raw::table::{Newcomer, NotRegistered, Participant};
use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

/// A raw primitive on the standard platform, and how to do the reference's operations with it.
pub trait Trial: Default + Debug + 'static {
    /// What the primitive should do.
    type Reference: Reference<Operation: for<'a> Arbitrary<'a>> + 'static;

    /// Does the operation. If it waits, it waits until `until` at most.
    fn run(
        &self,
        me: Participant<'_, Standard>,
        operation: &<Self::Reference as Reference>::Operation,
        until: Duration,
    ) -> <Self::Reference as Reference>::Answer;
}

type Operation<T> = <<T as Trial>::Reference as Reference>::Operation;

/// The steps of all participants, with their deaths.
#[derive(Debug, Clone)]
pub struct Scenario<O> {
    /// Whether sleepers begin with the short first phase.
    pub first_phase: bool,
    /// Whether the kernel wakes the last sleeper first, as it does if that one's priority is
    /// higher.
    pub last_first: bool,
    /// Whether a woken participant runs only after another step has been done.
    pub lingers: bool,
    /// The steps, in the order in which they begin.
    pub steps: Vec<Step<O>>,
}

/// One step of a [`Scenario`].
#[derive(Debug, Clone)]
pub struct Step<O> {
    /// The seat of the participant. A dead participant is replaced by a newcomer.
    pub seat: usize,
    /// What the participant does.
    pub deed: Deed<O>,
}

/// What a participant does in a step.
#[derive(Debug, Clone)]
pub enum Deed<O> {
    /// An operation, which waits until no other has anything left to do.
    Do(O),
    /// An operation, which waits for at most so many steps of others.
    DoFor(O, u8),
    /// An operation that ends with death at this access to shared memory. Accesses of the
    /// registration count, too, if the participant has to register first.
    DieAt(O, u8),
    /// Death, asleep or between two operations.
    Die,
}

// By hand: the derived code would end a list at every other byte, and take four bytes for each
// choice.
impl<'a, O: Arbitrary<'a>> Arbitrary<'a> for Scenario<O> {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind: u8 = bytes.arbitrary()?;
        let mut steps = vec![];
        while let (false, Ok(step)) = (bytes.is_empty(), bytes.arbitrary()) {
            steps.push(step);
        }
        Ok(Self { first_phase: kind & 1 != 0, last_first: kind & 2 != 0, lingers: kind & 4 != 0, steps })
    }
}

impl<'a, O: Arbitrary<'a>> Arbitrary<'a> for Step<O> {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let choice: u8 = bytes.arbitrary()?;
        let deed = match choice / SEATS as u8 % 8 {
            0 => Deed::Die,
            1 => Deed::DieAt(bytes.arbitrary()?, bytes.arbitrary::<u8>()? % 32),
            2 | 3 => Deed::DoFor(bytes.arbitrary()?, bytes.arbitrary::<u8>()? % 8),
            _ => Deed::Do(bytes.arbitrary()?),
        };
        Ok(Self { seat: usize::from(choice) % SEATS, deed })
    }
}

const SEATS: usize = 4;
/// One slot fewer than seats, so that the table can be full.
const SLOTS: usize = SEATS - 1;

struct Seated {
    id: Id,
    thread: u32,
}

/// An operation that is under way. All of them sleep, except the last.
struct Acting<O> {
    seat: usize,
    id: Id,
    operation: O,
    until: Duration,
    steps_left: Cell<u32>,
    doomed: Cell<bool>,
    sleeper: RefCell<Option<Arc<Sleeper>>>,
}

type Begun<O> = HashMap<Discriminant<O>, Rc<Acting<O>>>;

struct Run<T: Trial> {
    world: World,
    subject: T,
    /// The possible states. There is more than one after a death in the middle of an operation.
    states: RefCell<Vec<T::Reference>>,
    lingers: bool,
    steps: RefCell<std::vec::IntoIter<Step<Operation<T>>>>,
    seats: RefCell<[Option<Seated>; SEATS]>,
    acting: RefCell<Vec<Rc<Acting<Operation<T>>>>>,
    /// One operation of each kind that was begun.
    begun: RefCell<Begun<Operation<T>>>,
}

/// Runs the scenario. Panics at the first answer that the reference would not give, and at a lost
/// wake.
pub fn run<T: Trial>(scenario: Scenario<Operation<T>>) {
    run_for_kinds::<T>(scenario);
}

/// The same. Returns what kinds of operations were begun.
fn run_for_kinds<T: Trial>(scenario: Scenario<Operation<T>>) -> Kinds {
    let run = Rc::new(Run::<T> {
        world: World::new(SLOTS),
        subject: T::default(),
        states: RefCell::new(vec![T::Reference::default()]),
        lingers: scenario.lingers,
        steps: RefCell::new(scenario.steps.into_iter()),
        seats: RefCell::default(),
        acting: RefCell::default(),
        begun: RefCell::default(),
    });
    let script: Rc<dyn Script> = Rc::clone(&run) as Rc<dyn Script>;
    standard::with_script(script, scenario.first_phase, scenario.last_first, || while run.next() {});
    let begun = run.begun.borrow();
    begun.values().map(|acting| kind::<T>(&acting.operation)).collect()
}

/// For example `PipeTrial<8>: TakeSender`.
fn kind<T: Trial>(operation: &Operation<T>) -> String {
    let (trial, operation) = (type_name::<T>(), format!("{operation:?}"));
    let name = operation.split(|other: char| !other.is_alphanumeric()).next();
    format!("{}: {}", trial.rsplit("::").next().unwrap_or(trial), name.unwrap_or_default())
}

/// The kinds of operations that bytes can be decoded to. Each byte, repeated, makes one choice.
fn kinds_of<T: Trial>() -> Kinds {
    let decode = |byte| Operation::<T>::arbitrary(&mut Unstructured::new(&[byte; 64])).ok();
    (0..=u8::MAX).filter_map(decode).map(|operation| kind::<T>(&operation)).collect()
}

impl<T: Trial> Run<T> {
    /// Does the next step, with all that happens while its participant sleeps. False if there is
    /// none.
    fn next(&self) -> bool {
        let Some(step) = self.steps.borrow_mut().next() else { return false };
        let seat = step.seat;
        let asleep = self.acting.borrow().iter().find(|acting| acting.seat == seat).cloned();
        match (step.deed, asleep) {
            (Deed::Die, Some(acting)) => self.die_asleep(&acting),
            (_, Some(_)) => {} // the participant sleeps
            (Deed::Die, None) => self.die(seat),
            (Deed::Do(operation), None) => self.act(seat, operation, u32::MAX, None),
            (Deed::DoFor(operation, steps), None) => self.act(seat, operation, steps.into(), None),
            (Deed::DieAt(operation, life), None) => self.act(seat, operation, u32::MAX, Some(life.into())),
        }
        true
    }

    fn act(&self, seat: usize, operation: Operation<T>, steps: u32, life: Option<u32>) {
        let table = self.world.table();
        let (answer, under_way) = standard::living_for(life, || {
            let Some(id) = self.sit_down(seat) else { return (None, None) };
            if !self.states.borrow().iter().all(|state| state.allows(id, &operation)) {
                return (None, None);
            }
            let acting = Rc::new(Acting {
                seat,
                id,
                operation,
                until: Standard::now() + Duration::from_secs(1),
                steps_left: Cell::new(steps),
                doomed: Cell::new(false),
                sleeper: RefCell::default(),
            });
            self.acting.borrow_mut().push(Rc::clone(&acting));
            self.begun.borrow_mut().entry(discriminant(&acting.operation)).or_insert_with(|| Rc::clone(&acting));
            let me = Participant { id, table: &table };
            let answer = mortal(|| self.subject.run(me, &acting.operation, acting.until));
            self.acting.borrow_mut().pop();
            (Some(answer), Some(acting))
        });
        let (Some(answer), Some(acting)) = (answer, under_way) else { return };
        match answer {
            Some(answer) => self.judge(&acting, &answer),
            None if acting.doomed.get() => {} // its death was accounted for when it was killed
            None => {
                self.each_state(|state| state.halfway(acting.id, &acting.operation));
                self.die(seat);
            }
        }
    }

    /// The seat's participant; a newcomer if the seat is empty. `None` if the newcomer died while
    /// it registered, or if the table is full.
    fn sit_down(&self, seat: usize) -> Option<Id> {
        if let Some(seated) = &self.seats.borrow()[seat] {
            return Some(seated.id);
        }
        let person: Person = self.world.newcomer();
        match mortal(|| self.world.table().register(&person)) {
            Some(Ok(id)) => {
                self.seats.borrow_mut()[seat] = Some(Seated { id, thread: person.thread() });
                Some(id)
            }
            Some(Err(NotRegistered)) => {
                let living = self.seats.borrow().iter().flatten().count();
                assert_eq!(living, SLOTS, "the table says that it is full");
                None
            }
            None => {
                self.world.die(person.thread());
                None
            }
        }
    }

    fn judge(&self, acting: &Acting<Operation<T>>, answer: &<T::Reference as Reference>::Answer) {
        let before = self.states.borrow().clone();
        self.each_state(|state| state.after(acting.id, &acting.operation, answer).into_iter().collect());
        assert!(
            !self.states.borrow().is_empty(),
            "{} is answered {answer:?} to {:?}, in one of {before:?}",
            acting.id,
            acting.operation
        );
    }

    fn die(&self, seat: usize) {
        let Some(Seated { id, thread }) = self.seats.borrow_mut()[seat].take() else { return };
        self.each_state(|state| vec![state.after_death_of(id)]);
        self.world.die(thread);
    }

    fn die_asleep(&self, acting: &Acting<Operation<T>>) {
        if acting.doomed.replace(true) {
            return;
        }
        if let Some(sleeper) = &*acting.sleeper.borrow() {
            sleeper.dequeue();
        }
        self.die(acting.seat);
    }

    fn each_state(&self, next: impl Fn(&T::Reference) -> Vec<T::Reference>) {
        let mut states: Vec<T::Reference> = vec![];
        for state in self.states.borrow().iter().flat_map(next) {
            if !states.contains(&state) {
                states.push(state);
            }
        }
        self.states.replace(states);
    }

    /// No other has anything left to do, and this participant's time is over. Was it left asleep
    /// although it could go on?
    fn look_for_lost_wake(&self, acting: &Acting<Operation<T>>) {
        let on_its_way = |other: &Rc<Acting<_>>| {
            !other.doomed.get() && other.sleeper.borrow().as_ref().is_some_and(|sleeper| sleeper.is_woken())
        };
        let states = self.states.borrow();
        let could_go_on = states.iter().all(|state| !state.would_wait(acting.id, &acting.operation));
        assert!(
            !could_go_on || self.acting.borrow().iter().any(on_its_way),
            "a lost wake: {} sleeps in {:?}, and nobody is on the way to {states:?}",
            acting.id,
            acting.operation
        );
    }
}

impl<T: Trial> Script for Run<T> {
    fn asleep(&self, sleeper: &Arc<Sleeper>, until: Option<Duration>) {
        let acting = self.acting.borrow().last().cloned().expect("somebody acts");
        self.each_state(|state| vec![state.begins_to_wait(acting.id, &acting.operation)]);
        acting.sleeper.replace(Some(Arc::clone(sleeper)));
        while !sleeper.is_woken() && !acting.doomed.get() {
            let steps_left = acting.steps_left.get();
            // The first phase ends by itself: half of the steps fall into it.
            let is_first_phase = until.is_some_and(|until| until != acting.until);
            let time_is_over = until.is_some() && steps_left == 0 || is_first_phase && steps_left % 2 == 1;
            acting.steps_left.set(steps_left.saturating_sub(1));
            if time_is_over || !self.next() {
                if !is_first_phase {
                    self.look_for_lost_wake(&acting);
                }
                match until {
                    Some(until) => standard::advance_to(until),
                    None => self.die_asleep(&acting), // an operation without a deadline ends like this, or the others would wait for it
                }
                break;
            }
        }
        if self.lingers && sleeper.is_woken() {
            let _something_happens = self.next();
        }
        acting.sleeper.replace(None);
        if acting.doomed.get() {
            resume_unwind(Box::new(Died));
        }
    }
}

/// The result of `body`, unless its participant dies.
fn mortal<R>(body: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => Some(result),
        Err(panic) if panic.is::<Died>() => None,
        Err(other) => resume_unwind(other),
    }
}

/// At most so many primitives can be registered with any of the techniques.
pub const MOST_PRIMITIVES: u8 = 16;

struct Primitive {
    run: fn(&[u8]) -> Kinds,
    kinds: fn() -> Kinds,
}

const fn beside_its_reference<T: Trial>() -> Primitive {
    Primitive { run: decode_and_run::<T>, kinds: kinds_of::<T> }
}

/// **A primitive is registered here.**
const PRIMITIVES: &[Primitive] = &[
    beside_its_reference::<crate::mutex::MutexTrial>(),
    beside_its_reference::<crate::semaphore::SemaphoreTrial>(),
    beside_its_reference::<crate::permit_pool::PermitsTrial>(),
    beside_its_reference::<crate::event::EventTrial<false>>(),
    beside_its_reference::<crate::event::EventTrial<true>>(),
    beside_its_reference::<crate::rwlock::RwLockTrial>(),
    beside_its_reference::<crate::reentrant::ReentrantTrial>(),
    beside_its_reference::<crate::condvar::HeapTrial>(),
    beside_its_reference::<crate::barrier::BarrierTrial>(),
    beside_its_reference::<crate::once::OnceTrial>(),
    beside_its_reference::<crate::queue::QueueTrial<2>>(),
    beside_its_reference::<crate::message_queue::MessagesTrial<2, 3>>(),
    beside_its_reference::<crate::pipe::PipeTrial<8>>(),
    beside_its_reference::<crate::task_queue::TaskQueueTrial<2, 2>>(),
];

/// The body of the fuzz target. The first byte chooses the primitive, and the rest is its scenario.
/// Returns what kinds of operations were begun.
pub fn run_bytes(bytes: &[u8]) -> Kinds {
    let Some((which, rest)) = bytes.split_first() else { return Kinds::new() };
    // Not modulo their number: then a corpus keeps its meaning when primitives are added at the
    // end.
    PRIMITIVES.get(usize::from(which % MOST_PRIMITIVES)).map_or_else(Kinds::new, |primitive| (primitive.run)(rest))
}

/// All that [`run_bytes`] can return.
#[must_use]
pub fn kinds() -> Kinds {
    PRIMITIVES.iter().flat_map(|primitive| (primitive.kinds)()).collect()
}

/// Runs the scenario that these bytes describe, if they describe one.
fn decode_and_run<T: Trial>(bytes: &[u8]) -> Kinds {
    Scenario::arbitrary(&mut Unstructured::new(bytes)).map_or_else(|_| Kinds::new(), run_for_kinds::<T>)
}
