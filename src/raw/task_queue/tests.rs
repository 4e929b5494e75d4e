//! Slots, cells and hints, step by step; words that nobody wrote.

use super::*;
use crate::platform::Lifeline as _;
use crate::platform::puppet::{DEADLINE, Puppet, id_of, is_gone_from_now_on, play, reap_each, scene, spinning, spins};
use crate::raw::ends::Ends;
use crate::raw::hold::{HELD, WAITERS};
use core::cell::{Cell as Counter, RefCell};
use proptest::prelude::*;

/// Slots without items. So many of their words may be used.
#[derive(Debug)]
pub(super) struct Places<const N: usize> {
    pub(super) slots: [SlotWords<Puppet>; N],
    uses: Counter<usize>,
    /// What others do before the use of this number, the last one first.
    meanwhile: RefCell<Vec<(usize, Change<N>)>>,
}

/// What another participant does with the slots.
type Change<const N: usize> = fn(&[SlotWords<Puppet>; N]);

impl<const N: usize> Places<N> {
    /// Slots with these holds. Those that are full are in cells, in this order.
    pub(super) fn new(holds: [u32; N]) -> Self {
        let full: Vec<_> = (0..N).filter(|index| holds[*index] == FULL).collect();
        let slots = core::array::from_fn(|index| {
            let (cell, number) = full.get(index).map_or((0, 0), |number| (1 << 62, *number as u32));
            SlotWords::from_words(cell, [number, holds[index], 1, 0])
        });
        Self::of_slots(slots)
    }

    pub(super) fn of_slots(slots: [SlotWords<Puppet>; N]) -> Self {
        Self { slots, uses: Counter::new(10_000), meanwhile: RefCell::default() }
    }

    pub(super) fn hold(&self, index: usize) -> u32 {
        self.slots[index].hold.load(Relaxed)
    }
    fn count(&self) {
        self.uses.set(self.uses.get().checked_sub(1).expect("the operation ends"));
        let mut meanwhile = self.meanwhile.borrow_mut();
        while meanwhile.last().is_some_and(|(at, _)| *at <= 10_000 - self.uses.get()) {
            meanwhile.pop().expect("it is the last one").1(&self.slots);
        }
    }
}

impl<const N: usize> Cells<Puppet> for Places<N> {
    const ITEMS_ARE_HINTS: bool = true;

    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &<Puppet as Platform>::Word64 {
        self.count();
        self.slots[index].cell()
    }
}

impl<const N: usize> Slots<Puppet> for Places<N> {
    fn slot(&self, index: usize) -> &SlotWords<Puppet> {
        self.count();
        &self.slots[index]
    }
}

pub(super) fn queue<const BITS: u32>([items, room]: [u32; 2]) -> TaskQueue<Puppet, BITS> {
    let ring = Queue::from_words(Word64::new(0), Word64::new(0), Word::new(items), Word::new(room), Ends::default());
    TaskQueue::from_words(ring, [0; 4])
}

pub(super) const CLOSED: u32 = 1 << 27;

/// Runs `act` as participant 0 of three, on a queue of slots with these holds.
fn with_holds<const N: usize, R>(
    holds: [u32; N],
    act: impl FnOnce(Tasks<'_, Puppet, Places<N>>, Participant<'_, Puppet>) -> R,
) -> (R, [u32; N]) {
    let (queue, places) = (queue::<32>([0; 2]), Places::new(holds));
    let (answer, _) = play(3, vec![], |me| act(queue.with(&places), me));
    (answer, core::array::from_fn(|index| places.hold(index)))
}

fn mine(index: usize) -> Taken {
    Taken::of(index, id_of(0))
}

const DEAD: usize = 7;

#[test]
fn tasks_are_taken_in_the_order_in_which_they_were_sent() {
    with_holds([FREE; 3], |tasks, me| {
        for _ in 0..5 {
            for index in [0, 1, 2] {
                let loan = tasks.try_reserve(me).expect("there is room");
                tasks.publish(loan, Some(me)).expect("the caller fills it");
                assert_eq!(tasks.len(), index + 1);
            }
            assert_eq!(tasks.try_reserve(me), Err(NotClaimed::WouldBlock));
            let taken = [(); 3].map(|()| tasks.try_take(me).expect("there is a task"));
            assert!(taken.windows(2).all(|pair| (pair[0].index() + 1) % 3 == pair[1].index()), "{taken:?}");
            assert_eq!((tasks.len(), tasks.in_flight(), tasks.try_take(me)), (0, 3, Err(NotClaimed::WouldBlock)));
            taken.into_iter().for_each(|task| tasks.done(task).expect("the caller has it"));
            assert_eq!((tasks.in_flight(), tasks.is_empty()), (0, true));
        }
    });
}

#[test]
fn a_producer_passes_the_slots_that_are_long_in_use() {
    let holds: [u32; FEW + 2] = core::array::from_fn(|index| if index <= FEW { taken(id_of(1)) } else { FREE });
    let (loan, _) = with_holds(holds, |tasks, me| tasks.try_reserve(me));
    assert_eq!(loan, Ok(Loan::of(FEW + 1, id_of(0))));
}

#[test]
fn a_loan_and_a_task_say_whose_they_are() {
    let (loan, task) = (Loan::of(2, id_of(1)), Taken::of(1, id_of(2)));
    assert_eq!((loan.index(), loan.producer(), task.index(), task.worker()), (2, id_of(1), 1, id_of(2)));
}

#[test]
fn what_the_caller_does_not_have_is_not_changed() {
    let holds = [filling(id_of(1)), taken(id_of(1)), FULL, FREE];
    let (answers, after) = with_holds(holds, |tasks, me| {
        let loan = Loan::of(0, me.id);
        [
            tasks.publish(loan, None),
            tasks.give_up(loan),
            tasks.done(mine(1)),
            tasks.fail(mine(1)),
            tasks.give_back(mine(1)),
            tasks.done(mine(2)),
            tasks.give_up(Loan::of(3, me.id)),
        ]
    });
    let by = |holder: Option<Id>| Err(NotHeld { holder });
    assert_eq!(answers[..5], [by(Some(id_of(1))); 5]);
    assert_eq!(answers[5..], [by(None); 2]);
    assert_eq!(after, holds);
    // Nor what else belongs to its user.
    let (queue, places) = (queue::<32>([0; 2]), Places::new([filling(id_of(1)), taken(id_of(1))]));
    play(3, vec![], |me| {
        let tasks = queue.with(&places);
        assert!(tasks.publish(Loan::of(0, me.id), Some(me)).is_err());
        assert!(tasks.done(mine(1)).is_err() && tasks.give_back(mine(1)).is_err());
    });
    assert_eq!(
        places.slots.each_ref().map(|slot| [&slot.attempts, &slot.uses].map(|word| word.load(Relaxed))),
        [[1, 0]; 2]
    );
}

/// Its marks are lost, so nobody is woken by its death. Who tries reaps if that is due.
#[test]
fn who_tries_to_take_reaps_if_that_is_due() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([taken(id_of(1))]));
    let (answers, _) = play(2, vec![], |me| {
        let tasks = queue.with(&places);
        let before = tasks.try_take(me);
        is_gone_from_now_on(2);
        reap_each(Duration::ZERO);
        (before, tasks.try_take(me))
    });
    assert_eq!(answers, (Err(NotClaimed::WouldBlock), Ok(mine(0))));
}

#[test]
fn a_task_that_failed_takes_turns_with_the_ring_and_is_counted() {
    with_holds([FULL; 4], |tasks, me| {
        tasks.look_for_deaths(me);
        tasks.again().store(0, Relaxed); // there are none to search for
        let take = |index, attempts| {
            let task = tasks.try_take(me).expect("there is a task");
            assert_eq!((task.index(), tasks.attempts(task)), (index, attempts));
            task
        };
        tasks.fail(take(0, 2)).expect("the caller has it"); // `Places` has counted one
        tasks.done(take(1, 2)).expect("the caller has it");
        tasks.give_back(take(0, 3)).expect("the caller has it");
        tasks.done(take(2, 2)).expect("the caller has it");
        tasks.fail(take(0, 3)).expect("the caller has it");
        tasks.done(take(3, 2)).expect("the caller has it");
        tasks.done(take(0, 4)).expect("the caller has it");
    });
}

/// The others are in the ring, or failed once, or were left by the dead.
#[test]
fn a_task_that_is_never_done_keeps_no_other_from_its_turn() {
    for holds in [[FULL, FREE, FULL], [AGAIN, FREE, AGAIN], [AGAIN, FREE, taken(id_of(DEAD))]] {
        for fails in [true, false] {
            with_holds(holds, |tasks, me| {
                tasks.look_for_deaths(me); // as a worker does before it sleeps
                for (other, takes) in [(2, 4), (0, 4), (2, 4)] {
                    let is_other = |_: &usize| {
                        let task = tasks.try_take(me).expect("there is a task");
                        let ended = if fails { tasks.fail(task) } else { tasks.give_back(task) };
                        ended.expect("the caller has it");
                        task.index() == other
                    };
                    assert!((0..takes).any(|take| is_other(&take)), "{holds:x?}: {other} is not given out");
                }
            });
        }
    }
}

#[test]
fn a_task_without_attempts_is_set_aside() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FULL, FREE]));
    queue.set_limit(2);
    assert_eq!(queue.limit(), 2);
    play(1, vec![], |me| {
        let tasks = queue.with(&places);
        let task = tasks.try_take(me).expect("there is a task");
        tasks.fail(task).expect("the caller has it");
        assert_eq!((places.hold(0), tasks.set_aside(), tasks.len()), (ASIDE, 1, 0));
        assert_eq!((tasks.try_take(me), tasks.wait_until_done(me, None)), (Err(NotClaimed::WouldBlock), Ok(())));
        assert_eq!((tasks.take_aside(me, 1), tasks.take_aside(me, 0)), (None, Some(task)));
        assert_eq!(tasks.attempts(task), 2);
    });
}

#[test]
fn a_task_of_the_dead_without_attempts_is_set_aside() {
    for (limit, after) in [(0, taken(id_of(0))), (1, ASIDE), (2, taken(id_of(0)))] {
        let (queue, places) = (queue::<32>([0; 2]), Places::new([taken(id_of(DEAD))]));
        queue.set_limit(limit);
        play(1, vec![], |me| _ = queue.with(&places).try_take(me));
        assert_eq!(places.hold(0), after, "limit {limit}");
        let places = Places::new([taken(id_of(DEAD))]);
        let is_over = play(1, vec![], |me| queue.with(&places).wait_until_done(me, Some(Duration::ZERO))).0;
        assert_eq!(is_over.is_ok(), limit == 1, "limit {limit}");
    }
}

#[test]
fn what_the_dead_had_is_found() {
    let (task, after) = with_holds([filling(id_of(DEAD)), taken(id_of(DEAD)), AGAIN], |tasks, me| tasks.try_take(me));
    assert_eq!(task, Ok(mine(1)));
    assert_eq!(after[0], FREE);
    let (loan, _) = with_holds([taken(id_of(DEAD)), filling(id_of(DEAD))], |tasks, me| tasks.try_reserve(me));
    assert_eq!(loan, Ok(Loan::of(1, id_of(0))));
}

#[test]
fn what_the_living_have_is_left_to_them() {
    let holds = [filling(id_of(1)), taken(id_of(2)), taken(id_of(0))];
    let (answers, after) = with_holds(holds, |tasks, me| (tasks.try_take(me), tasks.try_reserve(me)));
    assert_eq!((answers, after), ((Err(NotClaimed::WouldBlock), Err(NotClaimed::WouldBlock)), holds));
}

/// Its number is in the cell before the slot is full.
#[test]
fn the_cell_of_a_dead_producer_is_taken_over() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FREE; 2]));
    places.slots[1].hold.store(FULL, Relaxed);
    places.slots[0].number.store(1, Relaxed);
    places.slots[0].cell.store(u64::from(id_of(DEAD).word()) << 32, Relaxed);
    play(1, vec![], |me| {
        let tasks = queue.with(&places);
        assert_eq!(tasks.try_take(me), Ok(mine(1)));
        assert_eq!(tasks.try_take(me), Err(NotClaimed::WouldBlock));
    });
}

/// A producer does not lose its number either: it publishes in no cell.
#[test]
fn a_producer_does_not_pass_the_cell_of_a_dead_one() {
    let (queue, places) = (queue::<3>([0; 2]), Places::new([FREE, FREE]));
    places.slots[0].hold.store(FULL, Relaxed);
    // Both cells were claimed by the dead in this lap.
    for slot in &places.slots {
        slot.cell.store(u64::from(id_of(DEAD).word()) << 32, Relaxed);
    }
    play(1, vec![], |me| {
        let tasks = queue.with(&places);
        let loan = tasks.try_reserve(me).expect("there is room");
        tasks.publish(loan, Some(me)).expect("the caller fills it");
        assert_eq!((places.hold(0), places.hold(1)), (FULL, AGAIN));
        let both = [(); 2].map(|()| tasks.try_take(me).expect("there is a task").index());
        assert_eq!(both, [0, 1]);
    });
}

#[test]
fn a_number_that_is_out_of_date_is_passed() {
    for number in [1, 2, u32::MAX] {
        let (queue, places) = (queue::<32>([0; 2]), Places::new([FULL, FREE]));
        // The first cell has that number, the second one the slot's.
        places.slots[0].number.store(number, Relaxed);
        places.slots[1].number.store(0, Relaxed);
        places.slots[1].cell.store(1 << 62, Relaxed);
        // In the ring: who checks all slots needs no number.
        let taken = play(1, vec![], |me| queue.with(&places).take_next(me)).0;
        assert!(taken.is_ok_and(|taken| taken == mine(0)), "number {number}");
    }
}

/// A hint that is too large is that of the first slot.
#[test]
fn producers_begin_at_their_hint() {
    for (next, index) in [(0, 0), (2, 2), (3, 0), (u32::MAX, 0)] {
        let (queue, places) = (queue::<32>([0; 2]), Places::new([FREE; 3]));
        queue.next.0.store(next, Relaxed);
        let loan = play(1, vec![], |me| queue.with(&places).reserve_one_of_few(me)).0;
        assert!(loan.is_ok_and(|loan| loan == Loan::of(index, id_of(0))), "from {next}");
    }
}

#[test]
fn a_number_that_is_too_large_hides_no_end() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FREE; 2]));
    places.slots[0].number.store(2, Relaxed);
    queue.with(&places).finished().store(WAITERS, Relaxed);
    let ((), wakes) = play(1, vec![], |_| queue.with(&places).notice_end());
    assert_eq!(wakes.on(queue.with(&places).finished()).len(), 1);
}

#[test]
fn what_is_set_aside_is_counted() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([ASIDE, taken(id_of(DEAD)), ASIDE, FREE]));
    queue.set_limit(1);
    let ((), _) = play(1, vec![], |me| {
        let tasks = queue.with(&places);
        assert_eq!((tasks.set_aside(), queue.is_closed()), (2, false));
        assert!(tasks.without_tasks(me).is_ok_and(|aside| aside == 3), "that of the dead is set aside");
        assert_eq!(tasks.set_aside(), 3);
    });
}

#[test]
fn a_full_slot_in_no_cell_is_found_by_those_that_wait() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FREE; 3]));
    places.slots[2].hold.store(FULL, Relaxed);
    let taken = play(1, vec![], |me| queue.with(&places).take(me, None)).0;
    assert_eq!(taken, Ok(mine(2)));
}

#[test]
fn deaths_are_looked_for_once_in_sixteen_cells_and_searched_for_once() {
    const N: usize = 3 * CELLS_FOR_EACH_LOOK;
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FULL; N]));
    let at = play(2, vec![], |me| {
        let tasks = queue.with(&places);
        let take = || tasks.try_take(me).expect("there is a task").index();
        assert_eq!([take(), take()], [0, 1]); // the first one looks, and finds nobody dead
        places.slots[N - 1].hold.store(taken(id_of(1)), Relaxed);
        me.table.slots[1].lifelines()[0].word().store(crate::platform::MARK, Relaxed);
        let at = (0..).find(|_| take() == N - 1);
        for (hint, next) in [(SEARCH_NEXT, 17), (SEARCH_NEXT | SEARCH, 18), (0, 19)] {
            assert_eq!(tasks.again().load(Relaxed), hint, "there may be more");
            assert_eq!(take(), next);
        }
        (0..CELLS_FOR_EACH_LOOK).for_each(|_| _ = take());
        assert_eq!(tasks.again().load(Relaxed), 0, "nobody else has died");
        at
    });
    assert_eq!(at.0, Some(CELLS_FOR_EACH_LOOK - 1));
}

#[test]
fn what_was_reserved_before_the_end_can_be_published_after_it() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FREE; 2]));
    play(1, vec![], |me| {
        let tasks = queue.with(&places);
        let [first, second] = [(); 2].map(|()| tasks.try_reserve(me).expect("there is room"));
        assert!(tasks.close() && !tasks.close() && queue.is_closed());
        assert_eq!(tasks.try_take(me), Err(NotClaimed::WouldBlock));
        tasks.publish(first, Some(me)).expect("the caller fills it");
        tasks.publish(second, None).expect("the caller fills it");
        for index in [0, 1] {
            let task = tasks.try_take(me).expect("there is a task");
            assert_eq!(task.index(), index);
            tasks.done(task).expect("the caller has it");
        }
        assert_eq!(tasks.try_take(me), Err(NotClaimed::Closed));
        assert_eq!(tasks.take(me, None), Err(NotClaimed::Closed));
        assert_eq!(
            (tasks.try_reserve(me), tasks.reserve(me, None)),
            (Err(NotClaimed::Closed), Err(NotClaimed::Closed))
        );
    });
    assert_eq!([0, 1].map(|index| places.hold(index)), [FREE; 2]);
}

#[test]
fn what_a_participant_has_is_taken_back() {
    let other = id_of(1);
    let (count, after) =
        with_holds([filling(other), taken(other), taken(id_of(2)), FULL], |tasks, _| tasks.take_back(other));
    assert_eq!((count, after), (2, [FREE, AGAIN, taken(id_of(2)), FULL]));
}

#[test]
fn tasks_are_counted_by_where_they_are() {
    let holds = [FREE, FULL, AGAIN, ASIDE, filling(id_of(1)), taken(id_of(1)), taken(id_of(2))];
    with_holds(holds, |tasks, _| {
        assert_eq!((tasks.len(), tasks.in_flight(), tasks.set_aside(), tasks.is_empty()), (2, 2, 1, false));
        assert_eq!(tasks.workers().collect::<Vec<_>>(), [id_of(1), id_of(2)]);
    });
}

#[test]
fn all_is_done_when_no_slot_has_a_task() {
    for (hold, is_done) in [
        (FREE, true),
        (filling(id_of(1)), true),
        (ASIDE, true),
        (FULL, false),
        (AGAIN, false),
        (taken(id_of(1)), false),
        (taken(id_of(DEAD)), false),
    ] {
        let (answer, _) = with_holds([FREE, hold], |tasks, me| tasks.wait_until_done(me, Some(Duration::ZERO)));
        assert_eq!(answer, if is_done { Ok(()) } else { Err(NotClaimed::TimedOut) }, "{hold:x}");
    }
}

/// A trial found it: who waits for the end stopped at the first task that was left. The task of the
/// dead behind it stayed, and whoever ended the first one took it for another.
#[test]
fn who_waits_for_the_end_sets_aside_what_the_dead_left_behind_other_tasks() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([taken(id_of(1)), taken(id_of(DEAD))]));
    queue.set_limit(1);
    let answer = play(3, vec![], |me| queue.with(&places).wait_until_done(me, Some(Duration::ZERO))).0;
    assert_eq!((answer, places.hold(1)), (Err(NotClaimed::TimedOut), ASIDE));
}

/// Runs a check whether all is done, with these changes before any of its uses of a slot, in this
/// order. There is always a task: the check never says that all is done.
fn never_done<const N: usize>(holds: [u32; N], changes: &[Change<N>]) {
    const USES: usize = if cfg!(miri) { 4 } else { 20 }; // Miri is slow
    for choice in 0..USES.pow(changes.len() as u32) {
        let at = |number: usize| choice / USES.pow(number as u32) % USES;
        if !(1..changes.len()).all(|number| at(number - 1) <= at(number)) {
            continue;
        }
        let (queue, places) = (queue::<32>([0; 2]), Places::new(holds));
        let meanwhile = changes.iter().enumerate().map(|(number, change)| (at(number), *change)).rev();
        places.meanwhile.replace(meanwhile.collect());
        let answer = play(3, vec![], |me| queue.with(&places).is_all_done(me)).0;
        assert!(answer.is_err(), "{holds:x?}, changes at choice {choice}");
    }
}

/// A task sends the next one into the other slot, and is done: three times. So each check of the
/// holds may find all of them free.
#[test]
fn who_waits_for_the_end_notices_tasks_that_follow_each_other() {
    fn follows(from: &SlotWords<Puppet>, to: &SlotWords<Puppet>) {
        to.hold.store(taken(id_of(1)), Relaxed);
        from.uses.store(from.uses.load(Relaxed) + 1, Relaxed);
        from.hold.store(FREE, Relaxed);
    }
    let first_sends: Change<2> = |slots| follows(&slots[0], &slots[1]);
    let second_sends: Change<2> = |slots| follows(&slots[1], &slots[0]);
    never_done([FREE, taken(id_of(1))], &[second_sends, first_sends, second_sends]);
    never_done([taken(id_of(1)), FREE], &[first_sends, second_sends, first_sends]);
}

/// A task that had been set aside sends another, and is set aside again.
#[test]
fn who_waits_for_the_end_notices_a_task_that_one_set_aside_has_sent() {
    let sends: Change<2> = |slots| slots[0].hold.store(AGAIN, Relaxed);
    let is_aside: Change<2> = |slots| slots[1].hold.store(ASIDE, Relaxed);
    never_done([FREE, taken(id_of(1))], &[sends, is_aside]);
}

/// A task is taken from those set aside. Another one is set aside, too, and has sent a third. Then
/// the first is set aside once more. So there are always as many, and none is done.
#[test]
fn who_waits_for_the_end_notices_a_task_that_one_taken_from_aside_has_sent() {
    let takes: Change<3> = |slots| slots[1].hold.store(taken(id_of(1)), Relaxed);
    let adds_a_use: Change<3> = |slots| slots[1].uses.store(1, Relaxed);
    let fails: Change<3> = |slots| slots[2].hold.store(ASIDE, Relaxed);
    let sends: Change<3> = |slots| slots[0].hold.store(AGAIN, Relaxed);
    let is_aside: Change<3> = |slots| slots[1].hold.store(ASIDE, Relaxed);
    never_done([FREE, ASIDE, taken(id_of(1))], &[takes, adds_a_use, fails, sends, is_aside]);
}

#[test]
fn who_takes_a_task_from_aside_adds_a_use() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([ASIDE; 2]));
    let uses = || places.slots.each_ref().map(|slot| slot.uses.load(Relaxed));
    play(1, vec![], |me| {
        let tasks = queue.with(&places);
        let task = tasks.take_aside(me, 1).expect("it is set aside");
        assert_eq!(uses(), [0, 1]);
        tasks.done(task).expect("the caller has it");
        assert_eq!(uses(), [0, 2]);
    });
}

/// A hold, likely of a participant.
pub(super) fn holds() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        (0..6usize).prop_map(|who| filling(id_of(who))),
        (0..6usize).prop_map(|who| taken(id_of(who))),
        Just(FREE),
        Just(FULL),
        Just(AGAIN),
        Just(ASIDE),
    ]
}

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_hold_reads_as_it_was_written(name in any::<u32>()) {
        let id = Id::holder_in(name | HELD).expect("it is held");
        prop_assert_eq!([filling(id), taken(id)].map(State::of), [State::Filling(id), State::Taken(id)]);
        prop_assert_eq!([filling(id), taken(id)].map(Id::holder_in), [Some(id); 2]);
        let nobodys = [(FREE, State::Free), (FULL, State::Full), (AGAIN, State::Again), (ASIDE, State::Aside)];
        for (hold, state) in nobodys {
            prop_assert_eq!((State::of(hold), Id::holder_in(hold)), (state, None));
        }
    }

    #[test]
    fn operations_on_words_that_nobody_wrote_end(
        slots in any::<[[u32; 3]; 3]>(),
        holds in [holds(), holds(), holds()],
        cells in any::<[u64; 3]>(),
        words in any::<[u32; 4]>(),
        resume in any::<u32>(),
        hints in any::<[u64; 2]>(),
        sleepers in any::<[u32; 2]>(),
    ) {
        let [tail, head] = hints.map(Word64::new);
        let ring = Queue::from_words(tail, head, Word::new(sleepers[0]), Word::new(sleepers[1]), Ends::default());
        let queue = TaskQueue::<Puppet, 32>::from_words(ring, words);
        queue.rare.0.resume.store(resume, Relaxed);
        let slot = |index: usize| {
            let [number, attempts, uses] = slots[index];
            SlotWords::from_words(cells[index], [number, holds[index], attempts, uses])
        };
        let places = Places::of_slots(core::array::from_fn::<_, 3, _>(slot));
        play(3, vec![], |me| {
            let tasks = queue.with(&places);
            for _ in 0..3 {
                let _none_perhaps = tasks.try_reserve(me).map(|loan| tasks.publish(loan, Some(me)));
                let _none_perhaps = tasks.try_take(me).map(|task| tasks.fail(task));
                let _none_perhaps = tasks.try_take(me).map(|task| tasks.give_back(task));
                let _none_perhaps = tasks.take_aside(me, 0).map(|task| tasks.done(task));
                let _not_yet = tasks.wait_until_done(me, Some(Duration::ZERO));
                let _none_perhaps = tasks.try_take(me).map(|task| tasks.done(task));
                assert!(tasks.len() <= 3);
            }
        });
    }
}

/// Each check of all slots takes long. A deadline may have passed meanwhile.
#[test]
#[cfg_attr(miri, ignore = "Miri is slow")]
fn who_waits_for_the_end_of_a_large_queue_does_not_check_it_again_and_again() {
    fn checks<const N: usize>(count: u32) -> usize {
        let (queue, places) = (queue::<32>([0; 2]), Places::<N>::new([taken(id_of(1)); N]));
        places.uses.set(1_000_000);
        let wait = |me: Participant<'_, Puppet>| {
            spins(count, 0);
            let answer = queue.with(&places).wait_until_done(me, Some(DEADLINE));
            assert_eq!((answer, spinning().spun), (Err(NotClaimed::TimedOut), count));
        };
        play(3, vec![scene(|sleep| sleep.lasts())], wait);
        1_000_000 - places.uses.get()
    }
    assert!(checks::<1024>(5) > checks::<1024>(0));
    assert_eq!(checks::<1025>(5), checks::<1025>(0));
}

#[test]
fn a_join_ends_at_its_deadline_though_the_uses_change_all_the_time() {
    let (queue, places) = (queue::<32>([0; 2]), Places::new([FREE; 2]));
    let changes: Vec<(usize, Change<2>)> = (1..5_000)
        .map(|at| -> (usize, Change<2>) {
            (at, |slots: &[SlotWords<Puppet>; 2]| slots[0].uses.store(slots[0].uses.load(Relaxed) + 1, Relaxed))
        })
        .rev()
        .collect();
    places.meanwhile.replace(changes);
    let join = |me: Participant<'_, Puppet>| queue.with(&places).wait_until_done(me, Some(DEADLINE));
    let (answer, _) = play(3, vec![scene(|sleep| sleep.lasts())], join);
    assert_eq!(answer, Err(NotClaimed::TimedOut));
}
