//! The task queue, compared with its reference.
//!
//! Producers stop with a loan, and workers with a task. So the others meet slots that are in use by
//! the living, and by the dead.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word, Word64};
use arbitrary::{Arbitrary, Unstructured};
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::platform::Word64 as _;
use outlive::raw::ends::Ends;
use outlive::raw::task_queue::{Cells, Loan, NotClaimed, SlotWords, Slots, Taken, Tasks};
use outlive::raw::{Id, Participant, Queue, TaskQueue};
use std::cell::RefCell;
use std::collections::HashMap;

/// The operations of a task queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sends this item, if that needs no waiting.
    TrySend(u8),
    /// Sends this item, and waits for room.
    Send(u8),
    /// The first half of `TrySend`.
    Reserve,
    /// The second half of `TrySend`: publishes this item.
    Publish(u8),
    /// Gives a loan up.
    GiveUp,
    /// Takes a task, if that needs no waiting.
    TryTake,
    /// Takes a task, and waits for one.
    Take,
    /// The task is done.
    Done,
    /// The task fails.
    Fail,
    /// The task is given back.
    GiveBack,
    /// Waits until all is done.
    Join,
    /// Takes a task that is set aside.
    TakeAside,
    /// Closes the queue.
    Close,
    /// Whether it is closed.
    IsClosed,
    /// How many tasks there are that nobody has.
    Len,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ALL: &[(usize, Operation)] = &[
            (2, TrySend(0)),
            (5, Send(0)),
            (2, Reserve),
            (3, Publish(0)),
            (1, GiveUp),
            (2, TryTake),
            (5, Take),
            (4, Done),
            (2, Fail),
            (1, GiveBack),
            (2, Join),
            (1, TakeAside),
            (1, Close),
            (1, IsClosed),
            (1, Len),
        ];
        Ok(match choose(bytes, ALL)? {
            TrySend(_) => TrySend(bytes.arbitrary()?),
            Send(_) => Send(bytes.arbitrary()?),
            Publish(_) => Publish(bytes.arbitrary()?),
            other => other,
        })
    }
}

/// The answers of a task queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// This task was taken: its item and attempts.
    Task(u8, u32),
    /// There was none.
    Failed(NotClaimed),
    /// No task is set aside.
    NoneAside,
    /// Whether it is so.
    Is(bool),
    /// The number of tasks.
    Len(usize),
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In its turn.
    Full,
    /// In no turn: by turns with those.
    Again,
    Taken(Id),
    /// The one that had it is dead.
    Left,
    Aside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Task {
    item: u8,
    attempts: u32,
    place: Place,
}

/// The task queue as it should be. Tasks are in the order in which they were sent. After `LIMIT`
/// attempts a task is set aside; 0: never.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskQueueReference<const N: usize, const LIMIT: u32> {
    tasks: Vec<Task>,
    loans: Vec<Id>,
    is_closed: bool,
    /// A death may change the order, and the length may count what the dead have left.
    has_died: bool,
}

impl<const N: usize, const LIMIT: u32> TaskQueueReference<N, LIMIT> {
    fn changed(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut new = self.clone();
        change(&mut new);
        new
    }

    fn has_room(&self) -> Result<(), NotClaimed> {
        match (self.is_closed, self.tasks.len() + self.loans.len() < N) {
            (true, _) => Err(NotClaimed::Closed),
            (false, true) => Ok(()),
            (false, false) => Err(NotClaimed::WouldBlock),
        }
    }

    fn with_task(&self, item: u8) -> Self {
        // In a closed queue the ring takes no more.
        let place = if self.is_closed { Place::Again } else { Place::Full };
        self.changed(|new| new.tasks.push(Task { item, attempts: 0, place }))
    }

    fn sent(&self, item: u8) -> Result<Self, NotClaimed> {
        self.has_room().map(|()| self.with_task(item))
    }

    fn is_used_up(&self, task: Task) -> bool {
        LIMIT != 0 && task.attempts >= LIMIT
    }

    /// Whether nobody gets the task, unless it is looked for.
    fn is_aside(&self, task: Task) -> bool {
        task.place == Place::Aside || task.place == Place::Left && self.is_used_up(task)
    }

    /// The tasks that the next worker may get.
    fn candidates(&self) -> Vec<usize> {
        let of = |place| self.tasks.iter().enumerate().filter(move |(_, task)| task.place == place).map(|(at, _)| at);
        if self.has_died {
            let left = of(Place::Left).filter(|at| !self.is_aside(self.tasks[*at]));
            return of(Place::Again).chain(left).chain(of(Place::Full)).collect();
        }
        // Those two take turns.
        of(Place::Again).chain(of(Place::Full).take(1)).collect()
    }

    /// Why there is no candidate.
    fn none(&self) -> NotClaimed {
        let is_over = self.is_closed && self.loans.is_empty() && self.tasks.iter().all(|task| self.is_aside(*task));
        if is_over { NotClaimed::Closed } else { NotClaimed::WouldBlock }
    }

    fn taken(&self, who: Id, at: usize, attempts: u32) -> Self {
        self.changed(|new| {
            new.tasks[at].place = Place::Taken(who);
            new.tasks[at].attempts += attempts;
        })
    }

    fn task_of(&self, who: Id) -> Option<usize> {
        self.tasks.iter().position(|task| task.place == Place::Taken(who))
    }

    fn is_all_done(&self) -> bool {
        self.tasks.iter().all(|task| self.is_aside(*task))
    }
}

fn timed_out(error: NotClaimed) -> NotClaimed {
    if error == NotClaimed::WouldBlock { NotClaimed::TimedOut } else { error }
}

impl<const N: usize, const LIMIT: u32> Reference for TaskQueueReference<N, LIMIT> {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        let (has_loan, has_task) = (self.loans.contains(&who), self.task_of(who).is_some());
        match operation {
            Operation::Reserve => !has_loan,
            Operation::Publish(_) | Operation::GiveUp => has_loan,
            Operation::TryTake | Operation::Take | Operation::TakeAside => !has_task,
            Operation::Done | Operation::Fail | Operation::GiveBack => has_task,
            _ => true,
        }
    }

    fn would_wait(&self, _: Id, operation: &Operation) -> bool {
        match operation {
            Operation::Send(_) => self.has_room() == Err(NotClaimed::WouldBlock),
            Operation::Take => self.candidates().is_empty() && self.none() == NotClaimed::WouldBlock,
            Operation::Join => !self.is_all_done(),
            _ => false,
        }
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        let done_or = |answer: Result<Self, NotClaimed>| match answer {
            Ok(after) => (Answer::Done, after),
            Err(error) => (Answer::Failed(error), self.clone()),
        };
        let taken = |none: fn(NotClaimed) -> NotClaimed| match self.candidates().first() {
            Some(at) => (Answer::Task(self.tasks[*at].item, self.tasks[*at].attempts + 1), self.taken(who, *at, 1)),
            None => (Answer::Failed(none(self.none())), self.clone()),
        };
        let left = |change: &dyn Fn(&mut Self, usize)| {
            let at = self.task_of(who).expect("allowed with a task alone");
            (Answer::Done, self.changed(|new| change(new, at)))
        };
        match *operation {
            Operation::TrySend(item) => done_or(self.sent(item)),
            Operation::Send(item) => done_or(self.sent(item).map_err(timed_out)),
            Operation::Reserve => done_or(self.has_room().map(|()| self.changed(|new| new.loans.push(who)))),
            Operation::Publish(item) => {
                (Answer::Done, self.with_task(item).changed(|new| new.loans.retain(|by| *by != who)))
            }
            Operation::GiveUp => (Answer::Done, self.changed(|new| new.loans.retain(|by| *by != who))),
            Operation::TryTake => taken(|error| error),
            Operation::Take => taken(timed_out),
            Operation::Done => left(&|new, at| _ = new.tasks.remove(at)),
            Operation::Fail => left(&|new, at| {
                let is_used_up = new.is_used_up(new.tasks[at]);
                new.tasks[at].place = if is_used_up { Place::Aside } else { Place::Again };
            }),
            Operation::GiveBack => left(&|new, at| {
                new.tasks[at].attempts = new.tasks[at].attempts.saturating_sub(1);
                new.tasks[at].place = Place::Again;
            }),
            Operation::Join if self.is_all_done() => (Answer::Done, self.clone()),
            Operation::Join => (Answer::Failed(NotClaimed::TimedOut), self.clone()),
            Operation::TakeAside => match self.tasks.iter().position(|task| task.place == Place::Aside) {
                Some(at) => (Answer::Task(self.tasks[at].item, self.tasks[at].attempts), self.taken(who, at, 0)),
                None => (Answer::NoneAside, self.clone()),
            },
            Operation::Close => (Answer::Is(!self.is_closed), self.changed(|new| new.is_closed = true)),
            Operation::IsClosed => (Answer::Is(self.is_closed), self.clone()),
            Operation::Len => {
                let is_counted = |task: &&Task| matches!(task.place, Place::Full | Place::Again);
                (Answer::Len(self.tasks.iter().filter(is_counted).count()), self.clone())
            }
        }
    }

    fn after(&self, who: Id, operation: &Operation, answer: &Answer) -> Option<Self> {
        let is_it =
            |at: &usize, item: u8, attempts: u32| self.tasks[*at].item == item && self.tasks[*at].attempts == attempts;
        match (operation, *answer) {
            (Operation::TryTake | Operation::Take, Answer::Task(item, attempts)) => {
                let at = self.candidates().into_iter().find(|at| is_it(at, item, attempts.wrapping_sub(1)))?;
                Some(self.taken(who, at, 1))
            }
            // What a dead worker has left is set aside when somebody finds it there.
            (Operation::TakeAside, Answer::Task(item, attempts)) => {
                let mut aside = (0..self.tasks.len()).filter(|at| self.is_aside(self.tasks[*at]));
                aside.find(|at| is_it(at, item, attempts)).map(|at| self.taken(who, at, 0))
            }
            (Operation::TakeAside, Answer::NoneAside) => {
                self.tasks.iter().all(|task| task.place != Place::Aside || self.has_died).then(|| self.clone())
            }
            (Operation::Len, Answer::Len(len)) if self.has_died => (len <= N).then(|| self.clone()),
            _ => {
                let (expected, after) = self.apply(who, operation);
                (expected == *answer).then_some(after)
            }
        }
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        let mut states = vec![self.clone()];
        match *operation {
            Operation::TryTake | Operation::Take => {
                // The others may have another order after this death.
                let all = self.changed(|new| new.has_died = true);
                for at in all.candidates() {
                    states.extend([0, 1].map(|attempts| self.taken(who, at, attempts)));
                }
            }
            Operation::TakeAside => {
                let aside = (0..self.tasks.len()).filter(|at| self.is_aside(self.tasks[*at]));
                states.extend(aside.map(|at| self.taken(who, at, 0)));
            }
            Operation::GiveBack => {
                let at = self.task_of(who).expect("allowed with a task alone");
                states.push(self.changed(|new| new.tasks[at].attempts = new.tasks[at].attempts.saturating_sub(1)));
            }
            _ => {}
        }
        states.push(self.apply(who, operation).1);
        states
    }

    fn after_death_of(&self, who: Id) -> Self {
        self.changed(|new| {
            new.has_died = true;
            new.loans.retain(|by| *by != who);
            for task in &mut new.tasks {
                if task.place == Place::Taken(who) {
                    task.place = Place::Left;
                }
            }
        })
    }
}

/// Slots, with an item each.
#[derive(Debug)]
struct Items<const N: usize> {
    words: [SlotWords<Standard>; N],
    items: [Word; N],
}

impl<const N: usize> Cells<Standard> for Items<N> {
    const ITEMS_ARE_HINTS: bool = true;

    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64 {
        self.words[index].cell()
    }
}

impl<const N: usize> Slots<Standard> for Items<N> {
    fn slot(&self, index: usize) -> &SlotWords<Standard> {
        &self.words[index]
    }
}

/// `raw::TaskQueue`, with laps of three bits, which wrap.
#[derive(Debug)]
pub struct TaskQueueTrial<const N: usize, const LIMIT: u32> {
    queue: TaskQueue<Standard, 3>,
    slots: Items<N>,
    loans: RefCell<HashMap<u32, Loan>>,
    taken: RefCell<HashMap<u32, Taken>>,
}

impl<const N: usize, const LIMIT: u32> Default for TaskQueueTrial<N, LIMIT> {
    fn default() -> Self {
        let ring = Queue::from_words(Word64::new(0), Word64::new(0), Word::new(0), Word::new(0), Ends::default());
        Self {
            queue: TaskQueue::from_words(ring, [0, 0, 0, LIMIT]),
            slots: Items {
                words: core::array::from_fn(|_| SlotWords::default()),
                items: core::array::from_fn(|_| Word::new(0)),
            },
            loans: RefCell::default(),
            taken: RefCell::default(),
        }
    }
}

impl<const N: usize, const LIMIT: u32> TaskQueueTrial<N, LIMIT> {
    fn tasks(&self) -> Tasks<'_, Standard, Items<N>, 3> {
        self.queue.with(&self.slots)
    }

    fn publish(&self, me: Participant<'_, Standard>, item: u8, loan: Loan) -> Answer {
        // A death may be here, too.
        self.slots.items[loan.index()].store(item.into(), Relaxed);
        self.tasks().publish(loan, Some(me)).expect("the caller fills it");
        Answer::Done
    }

    fn send(&self, me: Participant<'_, Standard>, item: u8, loan: Result<Loan, NotClaimed>) -> Answer {
        loan.map_or_else(Answer::Failed, |loan| self.publish(me, item, loan))
    }

    fn keep(&self, task: Taken) -> Answer {
        self.taken.borrow_mut().insert(task.worker().word(), task);
        let item = self.slots.items[task.index()].load(Relaxed);
        Answer::Task(u8::try_from(item).expect("nothing else was written"), self.tasks().attempts(task))
    }

    fn kept(&self, who: Id) -> Taken {
        self.taken.borrow_mut().remove(&who.word()).expect("allowed with a task alone")
    }

    fn loan_of(&self, who: Id) -> Loan {
        self.loans.borrow_mut().remove(&who.word()).expect("allowed with a loan alone")
    }
}

impl<const N: usize, const LIMIT: u32> Trial for TaskQueueTrial<N, LIMIT> {
    type Reference = TaskQueueReference<N, LIMIT>;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let tasks = self.tasks();
        let done = |answer: Result<(), _>| {
            let () = answer.expect("the caller has it");
            Answer::Done
        };
        match *operation {
            Operation::TrySend(item) => self.send(me, item, tasks.try_reserve(me)),
            Operation::Send(item) => self.send(me, item, tasks.reserve(me, Some(until))),
            Operation::Reserve => tasks.try_reserve(me).map_or_else(Answer::Failed, |loan| {
                self.loans.borrow_mut().insert(me.id.word(), loan);
                Answer::Done
            }),
            Operation::Publish(item) => self.publish(me, item, self.loan_of(me.id)),
            Operation::GiveUp => done(tasks.give_up(self.loan_of(me.id))),
            Operation::TryTake => tasks.try_take(me).map_or_else(Answer::Failed, |task| self.keep(task)),
            Operation::Take => tasks.take(me, Some(until)).map_or_else(Answer::Failed, |task| self.keep(task)),
            Operation::Done => done(tasks.done(self.kept(me.id))),
            Operation::Fail => done(tasks.fail(self.kept(me.id))),
            Operation::GiveBack => done(tasks.give_back(self.kept(me.id))),
            Operation::Join => tasks.wait_until_done(me, Some(until)).map_or_else(Answer::Failed, |()| Answer::Done),
            Operation::TakeAside => tasks.take_aside(me, 0).map_or(Answer::NoneAside, |task| self.keep(task)),
            Operation::Close => Answer::Is(tasks.close()),
            Operation::IsClosed => Answer::Is(self.queue.is_closed()),
            Operation::Len => Answer::Len(tasks.len()),
        }
    }
}
