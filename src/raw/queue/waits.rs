//! What a waiter does, step by step: its last check, the words that it leaves when it gives up, and
//! its wakes. And who is woken by whom.

use super::tests::{Words, at, hint, queue};
use super::*;
use crate::platform::WAKE_AT_DEATH;
use crate::platform::puppet::{
    DEADLINE, Puppet, Scene, Sleep, Spinning, at_next_spin, id_of, is_gone_from_now_on, play, reap_each, scene,
    spinning, spins,
};
use std::rc::Rc;

/// A queue of two cells, and its words.
#[derive(Debug)]
struct Two {
    queue: Queue<Puppet>,
    cells: Words<2>,
}

const FREE: u64 = 0;

fn full() -> u64 {
    full_in(0)
}

fn full_in(lap: u32) -> u64 {
    Cell::<32>::full(lap).0
}

impl Two {
    fn new(cells: [u64; 2], sleepers: [u32; 2]) -> Rc<Self> {
        // The hints are too small, if the cells are full. That costs time alone.
        Rc::new(Self { queue: queue(0, 0, sleepers), cells: Words::new(cells) })
    }

    fn ring(&self) -> Ring<'_, Puppet, Words<2>> {
        self.queue.with(&self.cells)
    }
    fn items(&self) -> &<Puppet as Platform>::Word {
        &self.queue.sleepers.0.items
    }
    fn room(&self) -> &<Puppet as Platform>::Word {
        &self.queue.sleepers.0.room
    }
    fn set(&self, index: usize, cell: Cell<32>) {
        self.cells.words[index].store(cell.0, Relaxed);
    }

    fn receive(&self, scenes: Vec<Scene>) -> (Result<Claim, NotClaimed>, Vec<u32>) {
        let (answer, wakes) = play(3, scenes, |me| self.ring().claim_full(me, Some(DEADLINE)));
        (answer, wakes.on(self.items()))
    }
    fn send(&self, scenes: Vec<Scene>) -> (Result<Claim, NotClaimed>, Vec<u32>) {
        let (answer, wakes) = play(3, scenes, |me| self.ring().claim_free(me, Some(DEADLINE)));
        (answer, wakes.on(self.room()))
    }
}

/// A sleep during which this happens.
fn meanwhile(two: &Rc<Two>, what: impl FnOnce(&Two, &Sleep<'_>) + 'static) -> Vec<Scene> {
    let two = Rc::clone(two);
    vec![scene(move |sleep| what(&two, sleep))]
}

/// A sleep during which `count` items are sent, others receive `taken` of them, and the deadline
/// passes.
fn items_come(two: &Rc<Two>, count: u32, taken: usize) -> Vec<Scene> {
    meanwhile(two, move |two, sleep| {
        (0..count).for_each(|index| two.ring().publish(at(0, index)));
        (0..taken).for_each(|index| two.set(index, Cell::finished(0)));
        sleep.lasts();
    })
}

/// A sleep during which `count` cells are finished, others fill `filled` of them, and the deadline
/// passes.
fn room_comes(two: &Rc<Two>, count: u32, filled: usize) -> Vec<Scene> {
    meanwhile(two, move |two, sleep| {
        (0..count).for_each(|index| two.ring().finish(at(0, index)));
        (0..filled).for_each(|index| two.set(index, Cell::full(1)));
        sleep.lasts();
    })
}

#[test]
fn an_item_published_as_the_deadline_passes_is_received() {
    let two = Two::new([FREE; 2], [0; 2]);
    assert_eq!(two.receive(items_come(&two, 1, 0)).0, Ok(at(0, 0)));
}

#[test]
fn a_cell_finished_as_the_deadline_passes_is_claimed() {
    let two = Two::new([full(); 2], [0; 2]);
    assert_eq!(two.send(room_comes(&two, 1, 0)).0, Ok(at(1, 0)));
}

#[test]
fn an_item_or_a_cell_that_comes_with_an_interruption_is_claimed() {
    let two = Two::new([FREE; 2], [0; 2]);
    let (answer, _) = two.receive(meanwhile(&two, |two, sleep| {
        two.ring().publish(at(0, 0));
        sleep.is_interrupted();
    }));
    assert_eq!(answer, Ok(at(0, 0)));
    let two = Two::new([full(); 2], [0; 2]);
    let (answer, _) = two.send(meanwhile(&two, |two, sleep| {
        two.ring().finish(at(0, 0));
        sleep.is_interrupted();
    }));
    assert_eq!(answer, Ok(at(1, 0)));
}

#[test]
fn an_interruption_alone_ends_a_wait_and_leaves_waiters_set() {
    let two = Two::new([FREE; 2], [0; 2]);
    assert_eq!(two.receive(meanwhile(&two, |_, sleep| sleep.is_interrupted())), (Err(NotClaimed::Interrupted), vec![]));
    assert_eq!([two.items(), two.room()].map(|word| word.load(Relaxed)), [WAITERS, 0]);
    let two = Two::new([full(); 2], [0; 2]);
    assert_eq!(two.send(meanwhile(&two, |_, sleep| sleep.is_interrupted())), (Err(NotClaimed::Interrupted), vec![]));
    assert_eq!([two.items(), two.room()].map(|word| word.load(Relaxed)), [0, WAITERS]);
}

#[test]
fn an_item_whose_consumer_dies_as_the_deadline_passes_is_received() {
    let two = Two::new([Cell::<32>::taking(0, id_of(1)).0, FREE], [0; 2]);
    let (answer, _) = two.receive(meanwhile(&two, |_, sleep| {
        sleep.dies(sleep.others().next().expect("the consumer is watched"));
        sleep.lasts();
    }));
    assert_eq!(answer, Ok(at(0, 0)));
    assert_eq!(two.cells.words[0].load(Relaxed), Cell::<32>::taking(0, id_of(0)).0);
}

#[test]
fn an_item_behind_a_producer_that_dies_as_the_deadline_passes_is_received() {
    let two = Two::new([Cell::<32>::filling(0, id_of(1)).0, full()], [0; 2]);
    let (answer, _) = two.receive(meanwhile(&two, |_, sleep| {
        sleep.dies(sleep.others().next().expect("the producer is watched"));
        sleep.lasts();
    }));
    assert_eq!(answer, Ok(at(0, 1)));
    assert_eq!(two.cells.words[0].load(Relaxed), Cell::<32>::finished(0).0, "it is passed");
}

#[test]
fn a_cell_whose_producer_dies_as_the_deadline_passes_is_claimed_in_the_next_lap() {
    let two = Two::new([Cell::<32>::filling(0, id_of(1)).0, full()], [0; 2]);
    let (answer, _) = two.send(meanwhile(&two, |_, sleep| {
        sleep.dies(sleep.others().next().expect("the producer is watched"));
        sleep.lasts();
    }));
    assert_eq!(answer, Ok(at(1, 0)));
}

/// Its item must be received first.
#[test]
fn a_producer_does_not_claim_the_cell_of_a_dead_consumer() {
    let two = Two::new([Cell::<32>::taking(0, id_of(1)).0, full()], [0; 2]);
    let (answer, _) = two.send(meanwhile(&two, |_, sleep| {
        sleep.dies(sleep.others().next().expect("the consumer is watched"));
        sleep.lasts();
    }));
    assert_eq!(answer, Err(NotClaimed::TimedOut));
}

#[test]
fn a_queue_closed_as_the_deadline_passes_is_closed() {
    let close = |two: &Two, sleep: &Sleep<'_>| {
        assert!(two.ring().close());
        sleep.lasts();
    };
    let two = Two::new([FREE; 2], [0; 2]);
    assert_eq!(two.receive(meanwhile(&two, close)).0, Err(NotClaimed::Closed));
    let two = Two::new([full(); 2], [0; 2]);
    assert_eq!(two.send(meanwhile(&two, close)).0, Err(NotClaimed::Closed));
}

/// A consumer that takes the last item of a closed queue may die. So the others wait for its end.
#[test]
fn a_closed_queue_ends_when_the_last_item_is_finished() {
    let two = Two::new([Cell::<32>::taking(0, id_of(1)).0, FREE], [0, CLOSED]);
    let (answer, wakes) = two.receive(meanwhile(&two, |two, sleep| {
        two.ring().finish(at(0, 0));
        sleep.lasts();
    }));
    // `finish` wakes all, and the waiter passes its own wake on.
    assert_eq!((answer, wakes), (Err(NotClaimed::Closed), vec![u32::MAX, 1]));
}

#[test]
fn the_participant_in_the_way_is_watched_first() {
    let used = [Cell::<32>::filling(0, id_of(2)), Cell::<32>::taking(0, id_of(2))].map(|cell| cell.0);
    let its_lifeline_comes_first = |_: &Two, sleep: &Sleep<'_>| {
        assert_eq!(sleep.others().next().expect("others are watched").load(Relaxed), 3 | WAKE_AT_DEATH);
        sleep.lasts();
    };
    for word in used {
        let two = Two::new([word, FREE], [0; 2]);
        assert_eq!(two.receive(meanwhile(&two, its_lifeline_comes_first)).0, Err(NotClaimed::TimedOut));
        let two = Two::new([word, full()], [0; 2]);
        assert_eq!(two.send(meanwhile(&two, its_lifeline_comes_first)).0, Err(NotClaimed::TimedOut));
    }
}

/// A signal handler has interrupted it in the middle of an operation.
#[test]
fn a_caller_that_is_in_its_own_way_waits_to_its_deadline() {
    let used = [Cell::<32>::filling(0, id_of(0)), Cell::<32>::taking(0, id_of(0))].map(|cell| cell.0);
    for word in used {
        let two = Two::new([word, FREE], [0; 2]);
        assert_eq!(two.receive(meanwhile(&two, |_, sleep| sleep.lasts())).0, Err(NotClaimed::TimedOut));
        let two = Two::new([word, full()], [0; 2]);
        assert_eq!(two.send(meanwhile(&two, |_, sleep| sleep.lasts())).0, Err(NotClaimed::TimedOut));
        assert_eq!(two.cells.words[0].load(Relaxed), word);
    }
}

#[test]
fn a_waiter_that_times_out_leaves_waiters_set() {
    for (count, what) in [(0, "never woken"), (1, "woken, and overtaken")] {
        let two = Two::new([FREE; 2], [0; 2]);
        assert_eq!(two.receive(items_come(&two, count, count as usize)).0, Err(NotClaimed::TimedOut), "{what}");
        assert_eq!(two.items().load(Relaxed), WAITERS | count, "{what}");
        let two = Two::new([full(); 2], [0; 2]);
        assert_eq!(two.send(room_comes(&two, count, count as usize)).0, Err(NotClaimed::TimedOut), "{what}");
        assert_eq!(two.room().load(Relaxed), WAITERS | count, "{what}");
    }
}

/// Two items were sent before the waiter ran, or two cells were finished. The second change found
/// no WAITERS, and woke nobody.
#[test]
fn a_waiter_that_slept_wakes_another_if_there_is_another_cell_to_claim() {
    for (count, wakes_of_it) in [(1, vec![]), (2, vec![1])] {
        let two = Two::new([FREE; 2], [0; 2]);
        let (answer, wakes) = two.receive(items_come(&two, count, 0));
        assert_eq!((answer, &wakes[1..]), (Ok(at(0, 0)), &wakes_of_it[..]), "after the wake of `publish`");
        let two = Two::new([full(); 2], [0; 2]);
        let (answer, wakes) = two.send(room_comes(&two, count, 0));
        assert_eq!((answer, &wakes[1..]), (Ok(at(1, 0)), &wakes_of_it[..]), "after the wake of `finish`");
    }
}

/// There, `close` has woken all, and so does each change.
#[test]
fn a_caller_that_did_not_sleep_wakes_nobody() {
    let two = Two::new([full(); 2], [WAITERS; 2]);
    assert_eq!(two.receive(vec![]), (Ok(at(0, 0)), vec![]));
    let two = Two::new([FREE; 2], [WAITERS; 2]);
    assert_eq!(two.send(vec![]), (Ok(at(0, 0)), vec![]));
}

/// A change, as a function of the queue.
type Change = fn(&Two);

/// Who is woken by what: for how many each wake is, on `items` and on `room`.
fn wakes_of(change: Change, sleepers: [u32; 2]) -> [Vec<u32>; 2] {
    let two = Two::new([FREE; 2], sleepers);
    let ((), wakes) = play(1, vec![], |_| change(&two));
    [wakes.on(two.items()), wakes.on(two.room())]
}

const PUBLISH: Change = |two| two.ring().publish(at(0, 0));
const FINISH: Change = |two| two.ring().finish(at(0, 0));
const ABANDON: Change = |two| two.ring().abandon(at(0, 0));
const CLOSE: Change = |two| _ = two.ring().close();
const PUBLISH_THREE: Change = |two| {
    [at(0, 0), at(0, 1), at(1, 0)].into_iter().for_each(|claim| two.ring().publish_quietly(claim));
    two.ring().announce_items(3);
};
const FINISH_THREE: Change = |two| {
    [at(0, 0), at(0, 1), at(1, 0)].into_iter().for_each(|claim| two.ring().finish_quietly(claim));
    two.ring().announce_room(3);
};

#[test]
fn a_change_that_finds_no_waiters_wakes_nobody() {
    for change in [PUBLISH, FINISH, ABANDON, CLOSE, PUBLISH_THREE, FINISH_THREE] {
        for sleepers in [[0, 0], [7, 7], [7, 7 | CLOSED]] {
            assert_eq!(wakes_of(change, sleepers), [vec![], vec![]]);
        }
    }
}

#[test]
fn a_change_of_an_open_queue_wakes_as_many_as_it_has_cells_for() {
    let all = u32::MAX;
    for (change, items, room) in [
        (PUBLISH, vec![1], vec![]),
        (FINISH, vec![], vec![1]),
        (ABANDON, vec![all], vec![]),
        (CLOSE, vec![all], vec![all]),
        (PUBLISH_THREE, vec![3], vec![]),
        (FINISH_THREE, vec![], vec![3]),
    ] {
        assert_eq!(wakes_of(change, [WAITERS, WAITERS]), [items.clone(), room.clone()]);
        assert_eq!(wakes_of(change, [WAITERS, 0]), [items, vec![]]);
        assert_eq!(wakes_of(change, [0, WAITERS]), [vec![], room]);
    }
}

/// Invariant 9: there is one item less to wait for.
#[test]
fn a_change_of_a_closed_queue_wakes_all_consumers() {
    let all = u32::MAX;
    for (change, room) in [
        (PUBLISH, vec![]),
        (FINISH, vec![1]),
        (ABANDON, vec![]),
        (CLOSE, vec![all]),
        (PUBLISH_THREE, vec![]),
        (FINISH_THREE, vec![3]),
    ] {
        assert_eq!(wakes_of(change, [WAITERS, CLOSED | WAITERS]), [vec![all], room.clone()]);
        assert_eq!(wakes_of(change, [WAITERS, CLOSED]), [vec![all], vec![]]);
        assert_eq!(wakes_of(change, [0, CLOSED | WAITERS]), [vec![], room]);
    }
}

/// Invariant 13. The wake of a producer leaves FOREIGN to that of the foreign waiters.
#[test]
fn a_change_that_makes_room_or_closes_wakes_all_foreign_waiters() {
    let give_up: Change = |two| two.ring().give_up(at(0, 0));
    for change in [FINISH, FINISH_THREE, CLOSE, give_up] {
        for others in [0, WAITERS, WAITERS | CLOSED] {
            let two = Two::new([FREE; 2], [0, FOREIGN | others]);
            let ((), wakes) = play(1, vec![], |_| change(&two));
            let foreign = &two.queue.sleepers.0.foreign;
            assert_eq!((wakes.on(foreign), foreign.load(Relaxed)), (vec![u32::MAX], 1));
            assert!(!has_foreign(two.room().load(Relaxed)));
        }
    }
    let two = Two::new([FREE; 2], [0, FOREIGN]);
    let ((), wakes) = play(1, vec![], |_| PUBLISH(&two));
    assert_eq!((wakes.counts().count(), two.room().load(Relaxed)), (0, FOREIGN), "an item is no room");
}

#[test]
fn a_consumer_that_passes_a_dead_producer_wakes_one_producer() {
    let two = Two::new([Cell::<32>::filling(0, id_of(7)).0, FREE], [WAITERS; 2]);
    let (answer, wakes) = play(1, vec![], |me| two.ring().try_claim_full(me));
    assert_eq!(answer, Err(NotClaimed::WouldBlock));
    assert_eq!([wakes.on(two.items()), wakes.on(two.room())], [vec![], vec![1]]);
}

#[test]
fn a_wake_clears_waiters_and_adds_one_to_the_sequence_alone() {
    for (sequence, next) in [(0, 1), (7, 8), (SEQUENCE, 0)] {
        for closed in [0, CLOSED] {
            let two = Two::new([FREE; 2], [WAITERS | sequence, WAITERS | closed | sequence]);
            play(1, vec![], |_| {
                PUBLISH(&two);
                FINISH(&two);
            });
            assert_eq!([two.items(), two.room()].map(|word| word.load(Relaxed)), [next, closed | next]);
        }
    }
}

#[test]
fn only_the_first_close_finds_the_queue_open() {
    let two = Two::new([FREE; 2], [0; 2]);
    assert_eq!(play(1, vec![], |_| [two.ring().close(), two.ring().close()]).0, [true, false]);
    assert!(two.queue.is_closed());
}

/// How a caller spins, which does so 5 times before it sleeps, and 7 times to let items gather.
fn spins_of<R>(act: impl FnOnce(Participant<'_, Puppet>) -> R) -> (R, Spinning) {
    let spin = |me: Participant<'_, Puppet>| {
        spins(5, 7);
        (act(me), spinning())
    };
    play(3, vec![scene(|sleep| sleep.lasts())], spin).0
}

#[test]
fn a_waiter_gathers_once_and_notes_whether_its_spins_have_helped() {
    // Two positions of lap 3 have passed, and those of the laps before.
    let empty =
        || Two { queue: queue(hint(4, 0), hint(4, 0), [0; 2]), cells: Words::new([Cell::<32>::finished(3).0; 2]) };
    let two = empty();
    let (answer, spinning) = spins_of(|me| two.ring().claim_full(me, Some(DEADLINE)));
    assert_eq!(answer, Err(NotClaimed::TimedOut));
    let gathered = vec![(8, 2)];
    assert_eq!(spinning, Spinning { spins: 5, to_gather: 7, spun: 12, gathered, have_helped: vec![false] });
    // Who waits for room looks at the other end.
    let full = Two { queue: queue(hint(4, 1), hint(3, 1), [0; 2]), cells: Words::new([full_in(4), full_in(3)]) };
    let (answer, spinning) = spins_of(|me| full.ring().claim_free(me, Some(DEADLINE)));
    assert_eq!((answer, spinning.gathered), (Err(NotClaimed::TimedOut), vec![(9, 2)]));
    // Who sleeps on another word does not gather.
    let (answer, spinning) = spins_of(|me| {
        let claim = || Err::<(), _>(Obstacle::Blocked(None));
        two.ring().wait_for(me, Some(DEADLINE), &Word::new(0), claim, claim, || false)
    });
    assert_eq!((answer, spinning.gathered, spinning.spun), (Err(NotClaimed::TimedOut), vec![], 5));
}

#[test]
fn a_waiter_that_finds_an_item_while_it_spins_notes_that_too() {
    let two = Two::new([FREE; 2], [0; 2]);
    let (answer, spinning) = play(3, vec![], |me| {
        spins(5, 0);
        let looks = core::cell::Cell::new(0);
        let claim = || {
            looks.set(looks.get() + 1);
            if looks.get() == 3 { Ok(()) } else { Err(Obstacle::Blocked(None)) }
        };
        (two.ring().wait_for(me, None, two.items(), claim, claim, || false), spinning())
    })
    .0;
    assert_eq!((answer, spinning.have_helped), (Ok(()), vec![true]));
}

/// How often a producer that needs more than a cell looks for the rest, which is not there. It
/// spins `count` times. At the first time `happens`.
fn looks_for_the_rest(count: u32, deadline: Option<Duration>, happens: fn(&Two)) -> usize {
    let (two, looks) = (Two::new([full(), FREE], [0; 2]), core::cell::Cell::new(0));
    let is_over = deadline == Some(Duration::ZERO);
    let scenes = if is_over { vec![] } else { vec![scene(|sleep| sleep.is_interrupted())] };
    let meanwhile = Rc::clone(&two);
    play(3, scenes, |me| {
        spins(count, 0);
        at_next_spin(move || happens(&meanwhile));
        let is_ready = || {
            looks.set(looks.get() + 1);
            Err(None)
        };
        let answer = two.ring().claim_free_when(me, Deadline::By(deadline), is_ready);
        assert_eq!(answer, Err(if is_over { NotClaimed::TimedOut } else { NotClaimed::Interrupted }));
        assert_eq!(spinning().spun, count);
    });
    looks.get()
}

/// Each look may take milliseconds. A fault that was there once: it looked a thousand times before
/// it looked at its deadline.
#[test]
fn who_spins_for_more_than_a_cell_looks_only_if_consumers_have_gone_on() {
    let receive = |two: &Two| two.ring().finish(at(0, 0));
    for deadline in [Some(DEADLINE), None] {
        let without_spins = looks_for_the_rest(0, deadline, |_| {});
        assert_eq!(looks_for_the_rest(5, deadline, |_| {}), without_spins);
        assert_eq!(looks_for_the_rest(5, deadline, receive), without_spins + 1);
    }
    assert_eq!(looks_for_the_rest(5, Some(Duration::ZERO), receive), 2, "before it spins, and after that");
}

#[test]
fn who_spins_for_more_than_a_cell_claims_one_when_consumers_have_gone_on() {
    let two = Two::new([full(), FREE], [0; 2]);
    let meanwhile = Rc::clone(&two);
    let (answer, _) = play(3, vec![], |me| {
        spins(5, 0);
        at_next_spin(move || meanwhile.ring().finish(at(0, 0)));
        let is_ready = || if two.cells.words[0].load(Relaxed) == full() { Err(None) } else { Ok(()) };
        let answer = two.ring().claim_free_when(me, Deadline::By(Some(DEADLINE)), is_ready);
        (answer, spinning().spun, spinning().have_helped)
    });
    assert_eq!(answer, (Ok(at(0, 1)), 1, vec![true]));
}

#[test]
fn a_waiter_that_does_not_spin_neither_gathers_nor_notes_anything() {
    let two = Two::new([FREE; 2], [0; 2]);
    let (answer, spinning) = play(3, vec![scene(|sleep| sleep.lasts())], |me| {
        spins(0, 7);
        (two.ring().claim_full(me, Some(DEADLINE)), spinning())
    })
    .0;
    assert_eq!((answer, spinning), (Err(NotClaimed::TimedOut), Spinning { to_gather: 7, ..Spinning::default() }));
}

/// Of a queue of two cells whose first item is (4, 1).
#[test]
fn who_takes_several_items_gathers_if_so_many_are_not_there() {
    let gathers = |cells, limit| {
        let two = Two { queue: queue(hint(5, 1), hint(4, 1), [0; 2]), cells: Words::new(cells) };
        let ((), spinning) = play(3, vec![], |_| {
            spins(5, 7);
            (two.ring().gather_items(limit), spinning())
        })
        .0;
        !spinning.gathered.is_empty()
    };
    let finished = Cell::<32>::finished(4).0;
    for (cells, limit, expected) in [
        ([finished, full_in(4)], 1, false),
        ([finished, Cell::<32>::finished(3).0], 1, true),
        ([finished, full_in(4)], 2, true),
        ([full_in(5), full_in(4)], 2, false),
        ([full_in(5), full_in(4)], 1_000, false), // more than there are cells
        ([finished, full_in(4)], 1_000, true),
    ] {
        assert_eq!(gathers(cells, limit), expected, "{cells:x?} {limit}");
    }
}

#[test]
fn who_has_an_item_takes_another_one_if_it_is_there() {
    let two = Two::new([full(), FREE], [0; 2]);
    let (claims, _) = play(3, vec![], |me| [(); 2].map(|()| two.ring().claim_another_full(me)));
    assert_eq!(claims, [Some(at(0, 0)), None]);
}

/// Its mark is lost, so nobody is woken by its death. Who tries reaps if that is due, and somebody
/// is in the way.
#[test]
fn who_tries_reaps_if_that_is_due_and_somebody_is_in_the_way() {
    let two = Two::new([Cell::<32>::taking(0, id_of(1)).0, FREE], [0; 2]);
    let (answers, _) = play(3, vec![], |me| {
        let before = two.ring().try_claim_full(me);
        is_gone_from_now_on(2);
        let not_due = two.ring().try_claim_full(me);
        reap_each(Duration::ZERO);
        [before, not_due, two.ring().try_claim_full(me)]
    });
    let blocked = Err(NotClaimed::WouldBlock);
    assert_eq!(answers, [blocked, blocked, Ok(at(0, 0))]);
    // Nobody is in the way: nobody is asked for.
    let two = Two::new([FREE; 2], [0; 2]);
    let (is_alive, _) = play(3, vec![], |me| {
        is_gone_from_now_on(2);
        reap_each(Duration::ZERO);
        assert_eq!(two.ring().try_claim_full(me), blocked);
        me.table.is_alive(id_of(1))
    });
    assert!(is_alive);
}

/// Nobody is in the way, but the last participant with an end may be dead.
#[test]
fn who_tries_reaps_if_that_is_due_and_ends_were_taken() {
    for is_receiver in [true, false] {
        let two = Two::new([if is_receiver { FREE } else { full() }; 2], [0; 2]);
        let ring = two.ring();
        let (answers, _) = play(3, vec![], |me| {
            let other = Participant { id: id_of(1), table: me.table };
            let answer = || if is_receiver { ring.try_claim_full(me) } else { ring.try_claim_free(me) };
            let end = if is_receiver { ring.take_sender(other) } else { ring.take_receiver(other) };
            let _kept = end.expect("there is one");
            let before = answer();
            is_gone_from_now_on(2);
            let not_due = answer();
            reap_each(Duration::ZERO);
            [before, not_due, answer()]
        });
        let blocked = Err(NotClaimed::WouldBlock);
        assert_eq!(answers, [blocked, blocked, Err(NotClaimed::Closed)], "it is a receiver: {is_receiver}");
        assert!(two.queue.is_closed());
    }
}

#[test]
fn who_tries_closes_a_queue_that_is_abandoned() {
    let two = Two::new([FREE; 2], [0; 2]);
    let (answers, _) = play(3, vec![], |me| {
        let end = two.ring().take_sender(me).expect("there is one");
        let before = two.ring().try_claim_full(me);
        two.ring().give_back_sender(end, None);
        [before, two.ring().try_claim_full(me)]
    });
    assert_eq!(answers, [Err(NotClaimed::WouldBlock), Err(NotClaimed::Closed)]);
    assert!(two.queue.is_closed());
}
