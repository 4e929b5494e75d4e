//! Models of `raw::TaskQueue`: each task that was sent is done, whoever dies, and once alone. What
//! a dead worker had is given out again. Every operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::{Word as _, Word64 as _};
use outlive::raw::Participant;
use outlive::raw::ends::Ends;
#[cfg(feature = "loom")]
use outlive::raw::hold::HELD;
use outlive::raw::queue::Queue;
use outlive::raw::task_queue::{Cells, Loan, NotClaimed, SlotWords, Slots, Taken, TaskQueue, Tasks};
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, Word64, World, is_over};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left};
use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

type Me<'t, B> = Participant<'t, Model<B>>;

/// Of the word of a cell.
const FULL: u64 = 1 << 62;
/// Of a hold.
const FULL_HOLD: u32 = 1 << 30;

/// The slots, and the items that belong to them. Laps have three bits.
#[derive(Debug)]
struct Numbers<B: Backend, const N: usize> {
    words: [SlotWords<Model<B>>; N],
    items: [B::Cell<u32>; N],
}

impl<B: Backend, const N: usize> Cells<Model<B>> for Numbers<B, N> {
    const ITEMS_ARE_HINTS: bool = true;

    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64<B> {
        self.words[index].cell()
    }
}

impl<B: Backend, const N: usize> Slots<Model<B>> for Numbers<B, N> {
    fn slot(&self, index: usize) -> &SlotWords<Model<B>> {
        &self.words[index]
    }
}

/// A queue of tasks that are numbers. The notes say what was sent and done. They are no part of the
/// model.
#[derive(Debug)]
struct State<B: Backend, const N: usize> {
    queue: TaskQueue<Model<B>, 3>,
    slots: Numbers<B, N>,
    /// How many producers there are, and which of them are done.
    producers: (usize, StdMutex<BTreeSet<usize>>),
    sent: StdMutex<Vec<u32>>,
    /// What is done, or about to be: the worker, the number, the attempts.
    done: StdMutex<Vec<(usize, u32, u32)>>,
    /// How many tasks are not about to be done.
    left: AtomicI32,
}

impl<B: Backend, const N: usize> State<B, N> {
    /// A queue in whose cells the first slots are: so many. Its next lap is `lap`.
    fn of_words(full: usize, lap: u64, room: u32, producers: usize) -> Self {
        let words = core::array::from_fn(|index| {
            if index < full {
                SlotWords::from_words(FULL | lap, [index as u32, FULL_HOLD, 0, 0])
            } else {
                SlotWords::from_words(lap, [0; 4])
            }
        });
        let tail = if full == N { (lap + 1) << 32 } else { lap << 32 | full as u64 };
        let [items, room] = [Word::new(0), Word::new(room)];
        let ring = Queue::from_words(Word64::new(tail), Word64::new(lap << 32), items, room, Ends::default());
        let item = |index: usize| if index < full { index as u32 + 1 } else { 0 };
        Self {
            queue: TaskQueue::from_words(ring, [if full == N { 0 } else { full as u32 }, 0, 0, 0]),
            slots: Numbers { words, items: core::array::from_fn(|index| B::cell(item(index))) },
            producers: (producers, StdMutex::default()),
            sent: StdMutex::default(),
            done: StdMutex::default(),
            left: AtomicI32::new(full as i32),
        }
    }

    /// An empty queue, whose next lap is `lap`.
    fn at_lap(lap: u64, producers: usize) -> Self {
        Self::of_words(0, lap, 0, producers)
    }

    /// A queue with a task in each slot.
    fn full() -> Self {
        Self::of_words(N, 0, 0, 1)
    }

    fn tasks(&self) -> Tasks<'_, Model<B>, Numbers<B, N>, 3> {
        self.queue.with(&self.slots)
    }

    fn write(&self, loan: Loan, item: u32) {
        B::write(&self.slots.items[loan.index()], |place| *place = item);
    }

    fn publish(&self, me: Me<'_, B>, loan: Loan, item: u32) {
        self.write(loan, item);
        self.left.fetch_add(1, SeqCst);
        self.tasks().publish(loan, Some(me)).expect("the caller fills it");
        self.sent.lock().expect("no panic inside").push(item);
    }

    fn send(&self, me: Me<'_, B>, item: u32) {
        let loan = self.tasks().reserve(me, None).expect("it is open, and a call without a deadline waits");
        self.publish(me, loan, item);
    }

    /// Sends an item, if the queue is open. There is room.
    fn send_if_open(&self, me: Me<'_, B>, item: u32) {
        match self.tasks().try_reserve(me) {
            Ok(loan) => self.publish(me, loan, item),
            Err(error) => assert_eq!(error, NotClaimed::Closed),
        }
    }

    /// Does a task. The work is written where the item is.
    fn finish(&self, me: Me<'_, B>, task: Taken) {
        let item = B::read(&self.slots.items[task.index()], |item| *item);
        B::write(&self.slots.items[task.index()], |place| *place = item);
        let attempts = self.tasks().attempts(task);
        self.done.lock().expect("no panic inside").push((me.id.index(), item, attempts));
        self.left.fetch_sub(1, SeqCst);
        self.tasks().done(task).expect("the caller has it");
    }

    fn work(&self, me: Me<'_, B>, deadline: Option<core::time::Duration>) -> Result<(), NotClaimed> {
        self.tasks().take(me, deadline).map(|task| self.finish(me, task))
    }

    fn work_now(&self, me: Me<'_, B>) -> Result<(), NotClaimed> {
        self.tasks().try_take(me).map(|task| self.finish(me, task))
    }

    fn work_all(&self, me: Me<'_, B>) {
        while self.work(me, None) != Err(NotClaimed::Closed) {}
    }

    /// As [`work_all`](Self::work_all), but each task fails at its first attempt.
    fn fail_first(&self, me: Me<'_, B>) {
        while let Ok(task) = self.tasks().take(me, None) {
            if self.tasks().attempts(task) == 1 {
                B::write(&self.slots.items[task.index()], |item| assert_ne!(*item, 0));
                self.tasks().fail(task).expect("the caller has it");
            } else {
                self.finish(me, task);
            }
        }
    }

    /// Whether no task is left. A dead worker may have counted one that was still to be done.
    fn is_through(&self) -> bool {
        self.left.load(SeqCst) <= 0
    }

    /// A producer is done, or dead. The last one closes the queue.
    fn producer_ends(&self, who: usize) {
        let (producers, done) = &self.producers;
        let is_last = {
            let mut done = done.lock().expect("no panic inside");
            done.insert(who);
            done.len() == *producers
        };
        if is_last {
            self.tasks().close();
        }
    }

    /// What the supervisor does if a producer dies.
    fn end_for_a_producer(world: &World<B>, dead: usize, supervisor: usize, state: &Self) {
        if dead < state.producers.0 {
            world.act(supervisor, |_| state.producer_ends(dead));
        }
    }

    /// As [`end_for_a_producer`](Self::end_for_a_producer). If a worker dies, the supervisor does
    /// all.
    fn stand_in(world: &World<B>, dead: usize, supervisor: usize, state: &Self) {
        if dead < state.producers.0 {
            Self::end_for_a_producer(world, dead, supervisor, state);
        } else {
            world.act(supervisor, |me| state.work_all(me));
        }
    }

    /// What the supervisor does if participant 1 dies, which was to close the queue.
    fn close_for_1(world: &World<B>, dead: usize, supervisor: usize, state: &Self) {
        if dead == 1 {
            world.act(supervisor, |_| state.tasks().close());
        }
    }

    /// All `participants` are through, or dead: all that was sent is done.
    fn check(&self, world: &World<B>, participants: usize) {
        let died = (0..participants).filter(|who| world.has_died(*who)).count();
        let done = self.done.lock().expect("no panic inside");
        let sent = self.sent.lock().expect("no panic inside");
        for (at, (worker, item, attempts)) in done.iter().enumerate() {
            assert_ne!(*item, 0, "a task that nobody sent");
            assert!((1..=2 + died as u32).contains(attempts), "{attempts} attempts");
            // Who was about to have done it may have died.
            let earlier = done[..at].iter().find(|(_, earlier, _)| earlier == item);
            assert!(earlier.is_none_or(|(worker, ..)| world.has_died(*worker)), "{item} was done twice, by {worker}");
        }
        let missing: Vec<_> = sent.iter().filter(|item| !done.iter().any(|(_, done, _)| done == *item)).collect();
        assert!(missing.is_empty(), "of {sent:?} {missing:?} are missing in {done:?}");
        assert_eq!(self.tasks().len(), 0);
    }
}

/// Participant 0 sends items 1 to `ITEMS`, and closes the queue. 1 does all.
fn one_to_one<B: Backend, const N: usize, const LAP: u64, const ITEMS: u32>() -> Explore<B, State<B, N>> {
    let make = || State::at_lap(LAP, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, N>| {
        world.act(who, |me| match who {
            0 => {
                (1..=ITEMS).for_each(|item| state.send(me, item));
                state.producer_ends(who);
            }
            _ => state.work_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 2))
}

/// 0 and 1 send an item each. The last one closes the queue. 2 does all.
fn two_send<B: Backend, const N: usize>() -> Explore<B, State<B, N>> {
    let make = || State::at_lap(0, 2);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, N>| {
        world.act(who, |me| match who {
            0 | 1 => {
                state.send(me, who as u32 * 10 + 1);
                state.producer_ends(who);
            }
            _ => state.work_all(me),
        });
    })
    .after(State::end_for_a_producer)
    .check(|state, world| state.check(world, 3))
}

/// 0 reserves the only slot, and gives it up. 1 sends an item. 2 looks for a task meanwhile, and
/// frees the slot if 0 is dead.
#[cfg(feature = "shuttle")]
fn one_looks_meanwhile<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => _ = state.tasks().try_reserve(me).map(|loan| state.tasks().give_up(loan)),
            1 => state.send(me, 1),
            _ => _ = state.work_now(me),
        });
    })
    .check(|state, world| {
        world.act(1, |me| while state.work_now(me).is_ok() {});
        state.check(world, 3);
    })
}

/// 0 sends `ITEMS` items, and closes the queue. 1 and 2 do all.
fn two_work<B: Backend, const N: usize, const ITEMS: u32>() -> Explore<B, State<B, N>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, N>| {
        world.act(who, |me| match who {
            0 => {
                (1..=ITEMS).for_each(|item| state.send(me, item));
                state.producer_ends(who);
            }
            _ => state.work_all(me),
        });
    })
    .after(State::end_for_a_producer)
    .check(|state, world| state.check(world, 3))
}

/// There is a task. 0 and 1 do all; each task fails at its first attempt. Then 0 closes the queue:
/// it waits until all is done.
fn two_fail<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::of_words(1, 0, 1 << 27, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| state.fail_first(me));
    })
    .check(|state, world| {
        let done = state.done.lock().expect("no panic inside");
        let died = [0, 1].iter().filter(|who| world.has_died(**who)).count();
        assert!((1..=1 + died).contains(&done.len()), "{done:?}");
        assert!(done.iter().all(|(_, item, attempts)| *item == 1 && *attempts >= 2), "{done:?}");
        assert_eq!(state.tasks().len(), 0);
    })
}

/// There is a task, and two attempts at most. 0 takes it, and fails. 1 waits until nothing is to be
/// done, and then takes what is set aside.
fn set_aside<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || {
        let state = State::full();
        state.queue.set_limit(1);
        state
    };
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                let task = state.tasks().take(me, None).expect("a call without a deadline waits");
                B::write(&state.slots.items[task.index()], |item| *item = 7);
                state.tasks().fail(task).expect("the caller has it");
            }
            _ => {
                state.tasks().wait_until_done(me, None).expect("a call without a deadline waits");
                let task = state.tasks().take_aside(me, 0).expect("it is set aside");
                B::read(&state.slots.items[task.index()], |item| assert!(*item == 7 || *item == 1));
                state.finish(me, task);
            }
        });
    })
    .after(|world, _, supervisor, state| {
        // 0 may have taken nothing.
        world.act(supervisor, |me| {
            if let Ok(task) = state.tasks().try_take(me) {
                state.tasks().fail(task).expect("the caller has it");
            }
        });
    })
    .check(|state, _| assert_eq!((state.tasks().set_aside(), state.tasks().len()), (0, 0)))
}

/// 0 sends an item, waits until it is done, and reads what was written. 1 does it.
fn sender_joins<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                state.send(me, 1);
                state.tasks().wait_until_done(me, None).expect("a call without a deadline waits");
                assert!(state.is_through());
                B::write(&state.slots.items[0], |item| assert_eq!(*item, 1));
                state.producer_ends(who);
            }
            _ => state.work_all(me),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 {
            world.act(supervisor, |_| state.tasks().close());
        } else {
            world.act(supervisor, |me| state.work_all(me));
        }
    })
}

/// There is a task. 1 takes it, sends another, is done with the first, and does the other. 0 waits
/// until all is done.
fn a_task_sends_another<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || {
        // The other one has the first slot.
        let state = State::at_lap(0, 1);
        let words: [SlotWords<Model<B>>; 2] =
            [SlotWords::from_words(FULL, [1, 0, 0, 0]), SlotWords::from_words(0, [0, FULL_HOLD, 0, 0])];
        let ring = Queue::from_words(Word64::new(1), Word64::new(0), Word::new(0), Word::new(0), Ends::default());
        let items = [B::cell(0), B::cell(1)];
        State {
            queue: TaskQueue::from_words(ring, [0; 4]),
            slots: Numbers { words, items },
            left: AtomicI32::new(1),
            ..state
        }
    };
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                state.tasks().wait_until_done(me, None).expect("a call without a deadline waits");
                assert!(state.is_through(), "not all is done");
            }
            _ => {
                let task = state.tasks().try_take(me).expect("there is a task");
                state.send(me, 2);
                state.finish(me, task);
                state.work_now(me).expect("there is another task");
            }
        });
    })
}

/// 0 sends two items, one after the other. 1 and 2 do one each.
fn two_sleep_for_two<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => [1, 2].into_iter().for_each(|item| state.send(me, item)),
            _ => state.work(me, None).expect("a call without a deadline waits"),
        });
    })
    .check(|state, world| state.check(world, 3))
}

/// Two slots are full. 0 does both; 1 and 2 send one each.
fn two_sleep_for_room<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::full();
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => [(); 2].iter().for_each(|()| state.work(me, None).expect("a call without a deadline waits")),
            _ => state.send(me, who as u32 * 10),
        });
    })
}

/// The only slot is lent to 0, which dies with it or gives it up. 1 sends.
fn a_slot_comes_free<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                if let Ok(loan) = state.tasks().try_reserve(me) {
                    state.write(loan, 9);
                    state.tasks().give_up(loan).expect("the caller fills it");
                }
            }
            _ => state.send(me, 1),
        });
    })
    .check(|state, _| assert_eq!(state.tasks().len(), 1))
}

/// 0 sends an item, and 1 closes the queue at some moment. 2 does all.
fn closed_by_another<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => state.send_if_open(me, 1),
            1 => state.producer_ends(who),
            _ => state.work_all(me),
        });
    })
    .after(State::close_for_1)
    .check(|state, world| state.check(world, 3))
}

/// 0 sends an item, if the queue is open. 1 closes it, and does all.
fn closer_works<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => state.send_if_open(me, 1),
            _ => {
                state.tasks().close();
                state.work_all(me);
            }
        });
    })
    .check(|state, world| state.check(world, 2))
}

/// The queue is closed and has a task. 0 and 1 do all.
fn the_last_task<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::of_words(1, 0, 1 << 27, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| state.work_all(me));
    })
    .check(|state, world| state.check(world, 2))
}

/// The queue is closed, has a task, and its other slot is lent to 0, which ends with it. 1 and 2 do
/// all: one of them frees the slot of the dead after it has seen the other's work.
#[cfg(feature = "loom")]
fn the_last_loan<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || {
        let state = State::of_words(1, 0, 1 << 27, 1);
        let lent = SlotWords::from_words(0, [0, HELD | 1 << 12, 0, 0]); // slot 0 in its first generation
        let words = [SlotWords::from_words(FULL, [0, FULL_HOLD, 0, 0]), lent];
        State { slots: Numbers { words, ..state.slots }, ..state }
    };
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                world.end(who);
                world.end_process(who);
            }
            _ => state.work_all(me),
        });
    })
    .leakers(&[0])
    .check(|state, world| state.check(world, 3))
}

/// Nobody waits. 0 tries to send an item. 1 closes the queue, or 2, if there is a `THIRD`. 1 tries
/// to take: when it learns that the queue is closed, no task comes any more.
#[cfg(feature = "loom")]
fn end_of_another<B: Backend, const THIRD: bool>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(if THIRD { 3 } else { 2 }, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => state.send_if_open(me, 1),
            1 => {
                let _by_another = !THIRD && state.tasks().close();
                if state.work_now(me) == Err(NotClaimed::Closed) {
                    state.producers.1.lock().expect("no panic inside").insert(1); // it is the end
                }
            }
            _ => _ = state.tasks().close(),
        });
    })
    .check(|state, world| {
        let is_end = !state.producers.1.lock().expect("no panic inside").is_empty();
        if !is_end {
            world.act(1, |me| while state.work_now(me).is_ok() {});
        }
        state.check(world, 2);
    })
}

/// A dead worker has the only task. 0 sets a limit, so that it has no attempt left, and looks for a
/// task. 1 waits until all is done.
#[cfg(feature = "loom")]
fn what_the_dead_left_is_set_aside<B: Backend>() -> Explore<B, State<B, 1>> {
    const OF_THE_DEAD: u32 = FULL_HOLD | 1 << 29 | 40; // in a slot that the table does not have
    let make = || {
        let state = State::at_lap(0, 1);
        let words = [SlotWords::from_words(0, [0, OF_THE_DEAD, 1, 0])];
        State { slots: Numbers { words, items: [B::cell(1)] }, ..state }
    };
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                state.queue.set_limit(1);
                assert_eq!(state.work_now(me), Err(NotClaimed::WouldBlock));
            }
            _ => state.tasks().wait_until_done(me, None).expect("a call without a deadline waits"),
        });
    })
    .check(|state, _| assert_eq!((state.tasks().set_aside(), state.tasks().len()), (1, 0)))
}

/// Nobody waits. 0 sends an item, and closes the queue. 1 tries to do it. So does 2: when it learns
/// that the queue is closed, all is done.
#[cfg(feature = "loom")]
fn end_without_waiting<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                state.send_if_open(me, 1);
                state.producer_ends(who);
            }
            1 => _ = state.work_now(me),
            _ => {
                if state.work_now(me) == Err(NotClaimed::Closed) {
                    assert!(state.is_through(), "it is closed, and has a task");
                }
            }
        });
    })
}

/// 0 sends an item. 1 waits for it, gives up at the deadline (if it is `TIMED`) or when it is
/// interrupted, and goes away. 2 does it, if 1 did not.
fn one_gives_up<B: Backend, const TIMED: bool>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                state.send(me, 1);
                state.producer_ends(who);
            }
            1 => match state.work(me, TIMED.then_some(DEADLINE)) {
                Ok(()) | Err(NotClaimed::Closed) => {}
                Err(error) if TIMED => assert_eq!((error, is_over::<B>()), (NotClaimed::TimedOut, true)),
                Err(error) => assert_eq!(error, NotClaimed::Interrupted),
            },
            _ => state.work_all(me),
        });
    })
    .after(State::end_for_a_producer)
    .interrupted(if TIMED { &[] } else { &[1] })
    .check(|state, world| state.check(world, 3))
}

/// Nobody waits: 0 tries to send two items, and 1 tries to do them.
#[cfg(feature = "loom")]
fn without_waiting<B: Backend, const N: usize>() -> Explore<B, State<B, N>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, N>| {
        world.act(who, |me| {
            for item in 1..=2 {
                match who {
                    0 => {
                        if let Ok(loan) = state.tasks().try_reserve(me) {
                            state.publish(me, loan, item);
                        }
                    }
                    _ => _ = state.work_now(me),
                }
            }
        });
    })
    .after(|world, _, supervisor, state| world.act(supervisor, |me| while state.work_now(me).is_ok() {}))
    .check(|state, world| {
        world.act(1, |me| while state.work_now(me).is_ok() {});
        state.check(world, 2);
    })
}

/// The slot is full. 0 does the task. 1 fills the slot, if it is free.
#[cfg(feature = "loom")]
fn a_slot_is_used_again<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => state.work_now(me).expect("it is full"),
            _ => {
                if let Ok(loan) = state.tasks().try_reserve(me) {
                    state.write(loan, 2);
                }
            }
        });
    })
}

/// The first slot is full. 0 takes its task, and fails. 1 tries to do it. Then the ring is never
/// empty, so that nobody checks all slots: the task is done before long.
#[cfg(feature = "loom")]
fn a_task_goes_on<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::of_words(1, 0, 0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                if let Ok(task) = state.tasks().try_take(me) {
                    B::write(&state.slots.items[0], |item| assert_eq!(*item, 1));
                    state.tasks().fail(task).expect("the caller has it");
                }
            }
            _ => _ = state.work_now(me),
        });
    })
    .check(|state, world| {
        let is_done = || state.done.lock().expect("no panic inside").iter().any(|(_, item, _)| *item == 1);
        world.act(1, |me| {
            for item in [11, 12] {
                let loan = state.tasks().try_reserve(me).expect("there is room");
                state.publish(me, loan, item);
                state.work_now(me).expect("there is a task");
            }
            assert!(is_done() || world.has_died(0), "other tasks pass it");
            // Who tries last finds it, whoever died.
            while state.work_now(me).is_ok() {}
        });
        state.check(world, 2);
        assert!(is_done());
    })
}

/// The ring is never empty: 1 sends a task for each that it does. 0 takes a task, and dies with it
/// at some moment. 1 does it before long.
#[cfg(feature = "loom")]
fn a_busy_queue<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::of_words(1, 0, 0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => _ = state.work_now(me),
            _ => {
                for item in [11, 12] {
                    if let Ok(loan) = state.tasks().try_reserve(me) {
                        state.publish(me, loan, item);
                    }
                    let _none = state.work_now(me);
                }
            }
        });
    })
    .check(|state, world| {
        world.act(1, |me| {
            for item in 21..=26 {
                if let Ok(loan) = state.tasks().try_reserve(me) {
                    state.publish(me, loan, item);
                }
                let _none = state.work_now(me);
            }
        });
        let done = state.done.lock().expect("no panic inside");
        assert!(done.iter().any(|(_, item, _)| *item == 1), "it is not found: {done:?}");
    })
}

/// 1 is a newcomer in the slot of a former participant. It sends a task. 0 tries to do it, and to
/// send another.
#[cfg(feature = "loom")]
fn a_newcomer_sends<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| match who {
        0 => world.act(who, |me| {
            let _none_yet = state.work_now(me);
            if let Ok(loan) = state.tasks().try_reserve(me) {
                state.publish(me, loan, 2);
            }
        }),
        _ => world.come(who, |me| {
            if let Ok(loan) = state.tasks().try_reserve(me) {
                state.publish(me, loan, 1);
            }
        }),
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, world| {
        world.act(0, |me| while state.work_now(me).is_ok() {});
        state.check(world, 1);
    })
}

/// The slot is full. 1 is a newcomer in the slot of a former participant, and does the task. 0
/// tries to do it, too.
#[cfg(feature = "loom")]
fn a_newcomer_works<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| match who {
        0 => world.act(who, |me| {
            for _ in 0..2 {
                let _it_has_gone = state.work_now(me);
            }
        }),
        _ => world.come(who, |me| _ = state.work_now(me)),
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, world| {
        state.check(world, 2);
        assert_eq!(state.done.lock().expect("no panic inside").len(), 1);
    })
}

/// A queue has two slots; a task is in the first. 0 has the task, or else a loan of the other slot,
/// when its thread ends, and its process goes on writing. 1 does what it finds, and sends what it
/// can.
fn leaked<B: Backend, const LOAN: bool>() -> Explore<B, State<B, 2>> {
    let make = || State::of_words(1, 0, 0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                let slot = if LOAN {
                    state.tasks().try_reserve(me).ok().map(Loan::index)
                } else {
                    state.tasks().try_take(me).ok().map(Taken::index)
                };
                world.table().leak(me.id);
                world.end(who);
                if let Some(slot) = slot {
                    B::write(&state.slots.items[slot], |item| *item += 1);
                }
            }
            _ => {
                for _ in 0..2 {
                    let _none = state.work_now(me);
                    if let Ok(loan) = state.tasks().try_reserve(me) {
                        state.write(loan, 20);
                    }
                }
            }
        });
    })
    .leakers(&[0])
}

/// As `leaked`, and then the process of 0 ends: its task is given out again.
#[cfg(feature = "loom")]
fn leaked_by_a_process_that_ends<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                let has_it = state.tasks().try_take(me).is_ok();
                world.table().leak(me.id);
                world.end(who);
                if has_it {
                    B::write(&state.slots.items[0], |item| *item = 1);
                }
                world.end_process(who);
            }
            _ => _ = state.work_now(me),
        });
    })
    .leakers(&[0])
    .check(|state, world| {
        world.act(1, |me| {
            world.table().reap_lost();
            while state.work_now(me).is_ok() {}
        });
        assert_eq!(state.done.lock().expect("no panic inside").len(), 1);
    })
}

/// 2 has the tasks of two slots. It sends another, and fails with both. Each of the three does one.
/// Who is about to search has cleared the hint, and so has hidden a task from one that was woken
/// alone.
#[cfg(feature = "loom")]
fn three_for_three<B: Backend>() -> Explore<B, State<B, 3>> {
    let make = || {
        let of_2 = || SlotWords::from_words(0, [0, FULL_HOLD | HELD | 1 << 12 | 2, 1, 0]);
        let slots = Numbers {
            words: [SlotWords::from_words(0, [0; 4]), of_2(), of_2()],
            items: [B::cell(0), B::cell(101), B::cell(102)],
        };
        State { slots, left: AtomicI32::new(2), ..State::at_lap(0, 1) }
    };
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 3>| {
        world.act(who, |me| {
            if who == 2 {
                state.send(me, 1);
                state.tasks().fail(Taken::of(1, me.id)).expect("it has it");
                state.tasks().fail(Taken::of(2, me.id)).expect("it has it");
            }
            state.work(me, None).expect("a call without a deadline waits");
        });
    })
}

/// A task has one attempt. One is set aside; 0 has another. It takes the first, sets the other
/// aside, sends a third, and sets the first aside once more. 1 checks whether all is done: it never
/// is.
#[cfg(feature = "loom")]
fn one_taken_from_aside_sends_another<B: Backend>() -> Explore<B, State<B, 3>> {
    let make = || {
        let aside = SlotWords::from_words(0, [0, FULL_HOLD | 1 << 28, 1, 0]);
        let of_0 = SlotWords::from_words(0, [0, FULL_HOLD | HELD | 1 << 12, 1, 0]);
        let slots = Numbers {
            words: [SlotWords::from_words(0, [0; 4]), aside, of_0],
            items: [B::cell(0), B::cell(101), B::cell(102)],
        };
        let state = State { slots, ..State::at_lap(0, 1) };
        state.queue.set_limit(1);
        state
    };
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 3>| {
        world.act(who, |me| match who {
            0 => {
                let task = state.tasks().take_aside(me, 0).expect("it is set aside");
                state.tasks().fail(Taken::of(2, me.id)).expect("it has it");
                state.send(me, 1);
                state.tasks().fail(task).expect("it has it");
            }
            _ => {
                let answer = state.tasks().wait_until_done(me, Some(DEADLINE));
                assert_eq!(answer, Err(NotClaimed::TimedOut), "there is a task all the time");
            }
        });
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    one_slot_goes_round_whoever_dies: |n| one_to_one::<B, 1, 0, 2>().victims(&[0, 1]).executions(1_000).holds(n);
    two_slots_go_round_whoever_dies: |n| one_to_one::<B, 2, 0, 3>().victims(&[0, 1]).executions(300).holds(n);
    laps_wrap: |n| one_to_one::<B, 1, 6, 3>().victims(&[0, 1]).executions(300).holds(n);
    any_two_may_die: |n| one_to_one::<B, 1, 0, 1>().victims(&[0, 1]).pairs().executions(40).holds(n);
    a_wait_may_return_without_a_reason: |n| one_to_one::<B, 1, 0, 2>().spurious().holds(n);
    the_first_phase_changes_nothing: |n| one_to_one::<B, 1, 0, 1>().victims(&[0]).first_phase().executions(1_000).holds(n);
    two_send_whoever_dies: |n| two_send::<B, 2>().victims(&[0, 1]).executions(200).holds(n);
    two_send_over_one_slot_whoever_dies: |n| two_send::<B, 1>().victims(&[0]).executions(300).holds(n);
    two_work_whoever_dies: |n| two_work::<B, 2, 2>().victims(&[0, 1]).executions(200).holds(n);
    a_worker_that_dies_with_the_last_task_leaves_it: |n| two_work::<B, 1, 1>().victims(&[1]).executions(500).holds(n);
    a_task_that_fails_is_given_out_again_whoever_dies: |n| two_fail::<B>().victims(&[1]).executions(500).holds(n);
    a_task_without_attempts_is_set_aside_whoever_dies: |n| set_aside::<B>().victims(&[0]).holds(n);
    who_learns_that_all_is_done_sees_it: |n| sender_joins::<B>().victims(&[0, 1]).executions(1_000).holds(n);
    a_task_that_sends_another_is_not_the_last: |n| a_task_sends_another::<B>().preemptions(3).executions(40_000).holds(n);
    a_task_taken_from_aside_that_sends_another_is_not_the_last:
        |n| one_taken_from_aside_sends_another::<B>().preemptions(3).executions(40_000).holds(n);
    two_sends_wake_two: |n| two_sleep_for_two::<B>().executions(10_000).holds(n);
    who_is_about_to_search_hides_no_task_from_sleepers: |n| three_for_three::<B>().preemptions(2).executions(100_000).holds(n);
    two_that_are_done_make_room_for_two: |n| two_sleep_for_room::<B>().executions(10_000).holds(n);
    the_slot_of_a_dead_producer_is_free_again: |n| a_slot_comes_free::<B>().victims(&[0]).holds(n);
    a_closed_queue_is_worked_to_its_end: |n| closed_by_another::<B>().victims(&[0, 1]).executions(300).holds(n);
    the_closer_works_to_the_end: |n| closer_works::<B>().victims(&[0]).holds(n);
    the_last_task_ends_all_waits: |n| the_last_task::<B>().victims(&[0]).holds(n);
    the_last_loan_ends_all_waits: |n| the_last_loan::<B>().executions(200_000).holds(n);
    the_end_comes_after_the_last_task: |n| end_without_waiting::<B>().victims(&[0, 1]).executions(1_000).holds(n);
    no_task_comes_behind_the_end: |n| end_of_another::<B, false>().preemptions(3).executions(20_000).holds(n);
    no_task_comes_behind_the_end_that_another_made: |n| end_of_another::<B, true>().executions(20_000).holds(n);
    who_sets_a_task_aside_wakes_who_waits_for_the_end:
        |n| what_the_dead_left_is_set_aside::<B>().preemptions(3).executions(10_000).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0, 1]).executions(200).holds(n);
    an_interruption_loses_no_wake: |n| one_gives_up::<B, false>().victims(&[0]).executions(300).holds(n);
    nobody_has_to_wait: |n| without_waiting::<B, 1>().victims(&[0, 1]).executions(2_000).holds(n);
    nobody_has_to_wait_for_two_slots: |n| without_waiting::<B, 2>().victims(&[0, 1]).executions(1_000).holds(n);
    a_slot_is_free_when_it_was_used: |n| a_slot_is_used_again::<B>().victims(&[0]).holds(n);
    a_hint_is_not_cleared_before_the_task_is_found: |n| a_task_goes_on::<B>().victims(&[0]).holds(n);
    a_task_of_the_dead_is_found_where_work_never_ends: |n| a_busy_queue::<B>().victims(&[0]).executions(1_000).holds(n);
    a_newcomer_that_fills_is_not_judged_dead: |n| a_newcomer_sends::<B>().executions(20_000).holds(n);
    a_newcomer_that_works_is_not_judged_dead: |n| a_newcomer_works::<B>().executions(20_000).holds(n);
    a_leaked_task_is_given_to_nobody: |n| leaked::<B, false>().executions(10_000).holds(n);
    a_leaked_loan_is_given_to_nobody: |n| leaked::<B, true>().executions(10_000).holds(n);
    a_leaked_task_is_given_out_when_the_process_is_dead: |n| leaked_by_a_process_that_ends::<B>().holds(n);
    an_item_is_acquired: |n| without_waiting::<B, 1>().broken(Broken::NO_ACQUIRE).fails(n);
    without_fences_a_change_and_a_sleeper_miss_each_other:
        |n| one_to_one::<B, 1, 0, 1>().broken(Broken::NO_FENCE).fails(n);
    without_fences_a_task_comes_behind_the_end:
        |n| closed_by_another::<B>().broken(Broken::NO_FENCE).fails(n);
    a_check_before_the_collection_hangs:
        |n| one_to_one::<B, 1, 0, 1>().victims(&[0]).broken(Broken::LATE_COLLECTION).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    one_slot_goes_round_whoever_dies: |n| one_to_one::<B, 1, 0, 2>().victims(&[0, 1]).holds(n);
    laps_wrap: |n| one_to_one::<B, 2, 6, 5>().victims(&[0, 1]).holds(n);
    two_send_whoever_dies: |n| two_send::<B, 1>().victims(&[0, 1]).holds(n);
    two_work_whoever_dies: |n| two_work::<B, 2, 3>().victims(&[0, 1]).holds(n);
    any_two_may_die: |n| one_to_one::<B, 1, 0, 1>().victims(&[0, 1]).pairs().executions(20).holds(n);
    a_task_that_fails_is_given_out_again_whoever_dies: |n| two_fail::<B>().victims(&[1]).holds(n);
    a_task_without_attempts_is_set_aside_whoever_dies: |n| set_aside::<B>().victims(&[0]).holds(n);
    who_learns_that_all_is_done_sees_it: |n| sender_joins::<B>().victims(&[0, 1]).holds(n);
    a_task_that_sends_another_is_not_the_last: |n| a_task_sends_another::<B>().holds(n);
    two_sends_wake_two: |n| two_sleep_for_two::<B>().holds(n);
    two_that_are_done_make_room_for_two: |n| two_sleep_for_room::<B>().holds(n);
    the_slot_of_a_dead_producer_is_free_again: |n| a_slot_comes_free::<B>().victims(&[0]).holds(n);
    a_slot_that_a_worker_frees_goes_to_a_producer: |n| one_looks_meanwhile::<B>().victims(&[0]).holds(n);
    a_closed_queue_is_worked_to_its_end: |n| closed_by_another::<B>().victims(&[0, 1]).holds(n);
    the_closer_works_to_the_end: |n| closer_works::<B>().victims(&[0]).holds(n);
    the_last_task_ends_all_waits: |n| the_last_task::<B>().victims(&[0]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0, 1]).holds(n);
    an_interruption_loses_no_wake: |n| one_gives_up::<B, false>().victims(&[0]).holds(n);
    a_leaked_task_is_given_to_nobody: |n| leaked::<B, false>().holds(n);
    a_leaked_loan_is_given_to_nobody: |n| leaked::<B, true>().holds(n);
}
