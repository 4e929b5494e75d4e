//! Models of `raw::Queue`: each item is received once, and in the order of its producer. Only the
//! item of a dead participant is lost. A closed queue ends. Every operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::{Word as _, Word64 as _};
use outlive::raw::Participant;
use outlive::raw::ends::{End, Ends, NoEnd};
use outlive::raw::queue::{Cells, Claim, NotClaimed, Queue, Ring};
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, Word64, World, is_over};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left};
use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;

type Me<'t, B> = Participant<'t, Model<B>>;

/// Of the word of a cell.
const FULL: u64 = 1 << 62;

/// The cells, and the items that belong to them. Laps have three bits.
#[derive(Debug)]
struct Numbers<B: Backend, const N: usize> {
    words: [Word64<B>; N],
    items: [B::Cell<u32>; N],
}

impl<B: Backend, const N: usize> Cells<Model<B>> for Numbers<B, N> {
    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64<B> {
        &self.words[index]
    }
}

/// A queue of numbers. The tens of a number are its producer. The notes say what was sent and
/// received. They are no part of the model.
#[derive(Debug)]
struct State<B: Backend, const N: usize> {
    queue: Queue<Model<B>, 3, 2>,
    cells: Numbers<B, N>,
    /// How many producers there are, and which of them are done.
    producers: (usize, StdMutex<BTreeSet<usize>>),
    sent: StdMutex<Vec<u32>>,
    received: StdMutex<Vec<(usize, u32)>>,
}

impl<B: Backend, const N: usize> State<B, N> {
    /// A queue of these cells, hints and flags. A full cell has an item: its index, counted from 1.
    fn of_words(words: [u64; N], [tail, head]: [u64; 2], room: u32, producers: usize) -> Self {
        let item = |index: usize| if words[index] & FULL == 0 { 0 } else { index as u32 + 1 };
        Self {
            queue: Queue::from_words(
                Word64::new(tail),
                Word64::new(head),
                Word::new(0),
                Word::new(room),
                Ends::default(),
            ),
            cells: Numbers { words: words.map(Word64::new), items: core::array::from_fn(|index| B::cell(item(index))) },
            producers: (producers, StdMutex::default()),
            sent: StdMutex::default(),
            received: StdMutex::default(),
        }
    }

    /// An empty queue, whose next lap is `lap`.
    fn at_lap(lap: u64, producers: usize) -> Self {
        Self::of_words([lap; N], [lap << 32; 2], 0, producers)
    }

    /// A queue with an item in each cell.
    fn full() -> Self {
        Self::of_words([FULL; N], [1 << 32, 0], 0, 1)
    }

    /// A closed queue with an item in its first cell.
    fn closed_with_an_item() -> Self {
        const CLOSED: u32 = 1 << 27;
        Self::of_words(core::array::from_fn(|index| if index == 0 { FULL } else { 0 }), [1, 0], CLOSED, 1)
    }

    fn ring(&self) -> Ring<'_, Model<B>, Numbers<B, N>, 3, 2> {
        self.queue.with(&self.cells)
    }

    fn write(&self, index: usize, item: u32) {
        B::write(&self.cells.items[index], |place| *place = item);
    }

    fn send(&self, me: Me<'_, B>, item: u32) {
        let claim = self.ring().claim_free(me, None).expect("it is open, and a call without a deadline waits");
        self.write(claim.index(), item);
        self.ring().publish(claim);
        self.sent.lock().expect("no panic inside").push(item);
    }

    /// Sends two items as a batch.
    fn send_two(&self, me: Me<'_, B>, items: [u32; 2]) {
        for item in items {
            let claim = self.ring().claim_free(me, None).expect("it is open, and a call without a deadline waits");
            self.write(claim.index(), item);
            self.ring().publish_quietly(claim);
            self.sent.lock().expect("no panic inside").push(item);
        }
        self.ring().announce_items(2);
    }

    /// Sends an item, if the queue is open. There is room.
    fn send_if_open(&self, me: Me<'_, B>, item: u32) {
        match self.ring().try_claim_free(me) {
            Ok(claim) => {
                self.write(claim.index(), item);
                self.ring().publish(claim);
                self.sent.lock().expect("no panic inside").push(item);
            }
            Err(error) => assert_eq!(error, NotClaimed::Closed),
        }
    }

    /// Reads the item of a claimed cell.
    fn read(&self, claim: Claim) -> u32 {
        B::read(&self.cells.items[claim.index()], |item| *item)
    }

    /// Receives the item of a claimed cell.
    fn take(&self, me: Me<'_, B>, claim: Claim) {
        let item = self.read(claim);
        self.ring().finish(claim);
        self.received.lock().expect("no panic inside").push((me.id.index(), item));
    }

    /// Receives an item, if there is one by the deadline.
    fn receive(&self, me: Me<'_, B>, deadline: Option<core::time::Duration>) -> Result<(), NotClaimed> {
        self.ring().claim_full(me, deadline).map(|claim| self.take(me, claim))
    }

    /// Receives an item, if there is one now.
    #[cfg(feature = "loom")]
    fn receive_now(&self, me: Me<'_, B>) -> Result<(), NotClaimed> {
        self.ring().try_claim_full(me).map(|claim| self.take(me, claim))
    }

    /// Receives two items as a batch.
    fn receive_two(&self, me: Me<'_, B>) {
        for _ in 0..2 {
            let claim = self.ring().claim_full(me, None).expect("a call without a deadline waits");
            let item = self.read(claim);
            self.ring().finish_quietly(claim);
            self.received.lock().expect("no panic inside").push((me.id.index(), item));
        }
        self.ring().announce_room(2);
    }

    fn receive_all(&self, me: Me<'_, B>) {
        while self.receive(me, None) != Err(NotClaimed::Closed) {}
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
            self.ring().close();
        }
    }

    /// What the supervisor does if a producer dies.
    fn end_for_a_producer(world: &World<B>, dead: usize, supervisor: usize, state: &Self) {
        if dead < state.producers.0 {
            world.act(supervisor, |_| state.producer_ends(dead));
        }
    }

    /// As [`end_for_a_producer`](Self::end_for_a_producer). If a consumer dies, the supervisor
    /// receives all.
    fn stand_in(world: &World<B>, dead: usize, supervisor: usize, state: &Self) {
        if dead < state.producers.0 {
            Self::end_for_a_producer(world, dead, supervisor, state);
        } else {
            world.act(supervisor, |me| state.receive_all(me));
        }
    }

    /// What the supervisor does if participant 1 dies, which was to close the queue.
    fn close_for_1(world: &World<B>, dead: usize, supervisor: usize, state: &Self) {
        if dead == 1 {
            world.act(supervisor, |_| state.ring().close());
        }
    }

    fn check(&self, world: &World<B>, consumers: core::ops::Range<usize>) {
        let received = self.received.lock().expect("no panic inside");
        for (at, (consumer, item)) in received.iter().enumerate() {
            assert_ne!(*item, 0, "an item that nobody sent");
            for (earlier_consumer, earlier) in &received[..at] {
                assert_ne!(earlier, item, "received twice");
                let same = earlier_consumer == consumer && earlier / 10 == item / 10;
                // What a dead consumer has left is received late.
                let is_ordered = earlier < item || consumers.clone().any(|who| world.has_died(who));
                assert!(!same || is_ordered, "{consumer} received {earlier} before {item}");
            }
        }
        let sent = self.sent.lock().expect("no panic inside");
        let missing = sent.iter().filter(|item| !received.iter().any(|(_, received)| received == *item)).count();
        let died = (0..consumers.end).filter(|who| world.has_died(*who)).count();
        assert!(missing <= died, "of {sent:?} only {received:?} were received, and {died} died");
    }
}

/// Participant 0 sends items 1 to `ITEMS`, and closes the queue. 1 receives all.
fn one_to_one<B: Backend, const N: usize, const LAP: u64, const ITEMS: u32>() -> Explore<B, State<B, N>> {
    let make = || State::at_lap(LAP, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, N>| {
        world.act(who, |me| match who {
            0 => {
                (1..=ITEMS).for_each(|item| state.send(me, item));
                state.producer_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 1..2))
}

/// Participant 0 sends a batch of two items, and closes the queue. 1 receives all.
fn a_batch<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                state.send_two(me, [1, 2]);
                state.producer_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 1..2))
}

/// 0 and 1 send an item each. The last one closes the queue. 2 receives all.
fn two_send<B: Backend, const N: usize>() -> Explore<B, State<B, N>> {
    let make = || State::at_lap(0, 2);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, N>| {
        world.act(who, |me| match who {
            0 | 1 => {
                state.send(me, who as u32 * 10 + 1);
                state.producer_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 2..3))
}

/// 0 sends two items, and closes the queue. 1 and 2 receive all.
fn two_receive<B: Backend, const N: usize>() -> Explore<B, State<B, N>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, N>| {
        world.act(who, |me| match who {
            0 => {
                [1, 2].into_iter().for_each(|item| state.send(me, item));
                state.producer_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::end_for_a_producer)
    .check(|state, world| state.check(world, 1..3))
}

/// 0 sends two items as a batch. 1 and 2 receive one each. If 0 dies, the supervisor sends what 0
/// has not published.
fn two_sleep_for_a_batch<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => state.send_two(me, [1, 2]),
            _ => state.receive(me, None).expect("a call without a deadline waits"),
        });
    })
    .after(|world, _, supervisor, state| {
        let published = state.sent.lock().expect("no panic inside").len() as u32;
        world.act(supervisor, |me| (published + 1..=2).for_each(|item| state.send(me, item)));
    })
    .check(|state, world| state.check(world, 1..3))
}

/// 0 sends two items, one after the other. 1 and 2 receive one each.
fn two_sleep_for_two<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => [1, 2].into_iter().for_each(|item| state.send(me, item)),
            _ => state.receive(me, None).expect("a call without a deadline waits"),
        });
    })
    .check(|state, world| state.check(world, 1..3))
}

/// Two cells are full. 0 receives both items as a batch; 1 and 2 send one each. If 0 dies, the
/// supervisor receives what 0 has not.
fn two_sleep_for_room<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::full();
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => state.receive_two(me),
            _ => state.send(me, who as u32 * 10),
        });
    })
    .after(|world, _, supervisor, state| {
        let finished = state.received.lock().expect("no panic inside").len();
        world.act(supervisor, |me| {
            for _ in finished..2 {
                state.receive(me, None).expect("a call without a deadline waits");
            }
        });
    })
    .check(|state, world| {
        let received = state.received.lock().expect("no panic inside");
        let items: BTreeSet<_> = received.iter().map(|(_, item)| *item).collect();
        assert_eq!(items.len(), 2, "{received:?}");
        // 0 may have finished a cell, and died before it noted that.
        assert!(world.has_died(0) || items.is_subset(&BTreeSet::from([1, 2])), "{received:?}");
    })
}

/// The queue is closed and has one item. 0 and 1 receive all.
fn the_last_item<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::closed_with_an_item();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| state.receive_all(me));
    })
    .check(|state, world| state.check(world, 0..2))
}

/// 0 sends an item, and 1 closes the queue at some moment. 2 receives all.
fn closed_by_another<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => state.send_if_open(me, 1),
            1 => state.producer_ends(who),
            _ => state.receive_all(me),
        });
    })
    .after(State::close_for_1)
    .check(|state, world| state.check(world, 2..3))
}

/// 0 sends an item, if the queue is open. 1 closes it, and receives all.
fn closer_receives<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => state.send_if_open(me, 1),
            _ => {
                state.ring().close();
                state.receive_all(me);
            }
        });
    })
    .check(|state, world| state.check(world, 1..2))
}

/// 1 is a newcomer in the slot of a former participant. It sends an item. 0 tries to receive it,
/// and to send another, over one cell.
#[cfg(feature = "loom")]
fn a_newcomer_sends<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| match who {
        0 => world.act(who, |me| {
            for _ in 0..2 {
                let _none_yet = state.receive_now(me);
            }
            if let Ok(claim) = state.ring().try_claim_free(me) {
                state.write(claim.index(), 2);
                state.ring().publish(claim);
            }
        }),
        _ => world.come(who, |me| {
            if let Ok(claim) = state.ring().try_claim_free(me) {
                state.write(claim.index(), 1);
                state.ring().publish(claim);
                state.sent.lock().expect("no panic inside").push(1);
            }
        }),
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, world| {
        world.act(0, |me| while state.receive_now(me).is_ok() {});
        state.check(world, 0..1);
    })
}

/// The cell is full. 1 is a newcomer in the slot of a former participant, and receives the item. 0
/// tries to receive it, too, and to send another.
#[cfg(feature = "loom")]
fn a_newcomer_receives<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| match who {
        0 => world.act(who, |me| {
            let _it_has_gone = state.receive_now(me);
            if let Ok(claim) = state.ring().try_claim_free(me) {
                state.write(claim.index(), 2);
                state.ring().publish(claim);
            }
        }),
        _ => world.come(who, |me| _ = state.receive_now(me)),
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, world| {
        state.check(world, 0..2);
        let received = state.received.lock().expect("no panic inside");
        assert_eq!(received.iter().filter(|(_, item)| *item == 1).count(), 1, "{received:?}");
    })
}

/// A full cell. 0 sends an item more, and 1 closes the queue at some moment: 0 does not wait
/// forever.
fn closed_while_full<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                if let Ok(claim) = state.ring().try_claim_free(me) {
                    state.ring().publish(claim);
                }
                assert_eq!(state.ring().claim_free(me, None), Err(NotClaimed::Closed));
            }
            _ => {
                state.ring().close();
            }
        });
    })
    .after(State::close_for_1)
}

/// 0 sends an item. 1 waits for it, gives up at the deadline (if it is `TIMED`) or when it is
/// interrupted, and goes away. 2 receives the item, if 1 did not.
fn one_gives_up<B: Backend, const TIMED: bool>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                state.send(me, 1);
                state.producer_ends(who);
            }
            1 => match state.receive(me, TIMED.then_some(DEADLINE)) {
                Ok(()) | Err(NotClaimed::Closed) => {}
                Err(error) if TIMED => assert_eq!((error, is_over::<B>()), (NotClaimed::TimedOut, true)),
                Err(error) => assert_eq!(error, NotClaimed::Interrupted),
            },
            _ => state.receive_all(me),
        });
    })
    .after(State::end_for_a_producer)
    .interrupted(if TIMED { &[] } else { &[1] })
    .check(|state, world| state.check(world, 1..3))
}

/// 0 to `SENDERS` take a sender's end, send an item each, and give the end back. The last one
/// receives all. Nobody closes the queue.
fn ends_of_senders<B: Backend, const SENDERS: usize>() -> Explore<B, State<B, 2>> {
    let make = || State::at_lap(0, SENDERS);
    Explore::new(SENDERS + 1, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| {
            if who == SENDERS {
                return state.receive_all(me);
            }
            match state.ring().take_sender(me) {
                Ok(end) => {
                    state.send(me, who as u32 * 10 + 1);
                    state.ring().give_back_sender(end, Some(me));
                }
                Err(error) => assert_eq!(error, NoEnd::Shut), // the others were done before
            }
        });
    })
    // If nobody's end ever counted, nobody ends the queue.
    .after(|world, _, supervisor, state| world.act(supervisor, |me| come_and_go(state, me)))
    .check(|state, world| state.check(world, SENDERS..SENDERS + 1))
}

fn come_and_go<B: Backend, const N: usize>(state: &State<B, N>, me: Me<'_, B>) {
    if let Ok(end) = state.ring().take_sender(me) {
        state.ring().give_back_sender(end, Some(me));
    }
}

/// 0 takes a receiver's end, receives an item, and gives the end back. 1 sends as long as it can.
/// Nobody closes the queue.
fn end_of_a_receiver<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                let end = state.ring().take_receiver(me).expect("the queue is open");
                state.receive(me, None).expect("a call without a deadline waits");
                state.ring().give_back_receiver(end, Some(me));
            }
            _ => {
                let mut item = 0;
                while let Ok(claim) = state.ring().claim_free(me, None) {
                    item += 1;
                    state.write(claim.index(), item);
                    state.ring().publish(claim);
                }
            }
        });
    })
    .after(|world, _, supervisor, state| {
        world.act(supervisor, |me| {
            if let Ok(end) = state.ring().take_receiver(me) {
                state.ring().give_back_receiver(end, Some(me));
            }
        });
    })
}

/// Nobody waits. 0 has an end, sends an item, and gives the end back. 1 tries to receive.
#[cfg(feature = "loom")]
fn end_without_waiting<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                let end: End = state.ring().take_sender(me).expect("the queue is open");
                state.send(me, 1);
                state.ring().give_back_sender(end, Some(me));
            }
            _ => {
                if state.receive_now(me) == Err(NotClaimed::Closed) {
                    let received = state.received.lock().expect("no panic inside").len();
                    let sent = state.sent.lock().expect("no panic inside").len();
                    assert!(received >= sent, "it is closed, and has an item");
                }
            }
        });
    })
    .check(|state, world| {
        world.act(1, |me| while state.receive_now(me).is_ok() {});
        state.check(world, 1..2);
    })
}

/// Nobody waits: 0 tries to send two items over one cell, and 1 tries to receive them. If they are
/// `QUIET`, they announce nothing.
#[cfg(feature = "loom")]
fn without_waiting<B: Backend, const QUIET: bool>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        let ring = state.ring();
        world.act(who, |me| {
            for item in 1..=2 {
                match who {
                    0 => {
                        if let Ok(claim) = ring.try_claim_free(me) {
                            state.write(claim.index(), item);
                            if QUIET { ring.publish_quietly(claim) } else { ring.publish(claim) }
                        }
                    }
                    _ => {
                        if let Ok(claim) = ring.try_claim_full(me) {
                            let item = state.read(claim);
                            state.received.lock().expect("no panic inside").push((1, item));
                            if QUIET { ring.finish_quietly(claim) } else { ring.finish(claim) }
                        }
                    }
                }
            }
        });
    })
    .check(|state, world| state.check(world, 1..2))
}

/// The cell is full. 0 reads the item, and finishes the cell. 1 fills it, if it is free.
#[cfg(feature = "loom")]
fn a_cell_is_used_again<B: Backend, const QUIET: bool>() -> Explore<B, State<B, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| match who {
            0 => {
                let claim = state.ring().try_claim_full(me).expect("it is full");
                B::read(&state.cells.items[claim.index()], |item| assert_eq!(*item, 1));
                if QUIET { state.ring().finish_quietly(claim) } else { state.ring().finish(claim) }
            }
            _ => {
                if let Ok(claim) = state.ring().try_claim_free(me) {
                    state.write(claim.index(), 2);
                }
            }
        });
    })
}

/// 0 dies while it fills the only cell. 1 tries to send over it, and to receive.
#[cfg(feature = "loom")]
fn left_by_a_producer<B: Backend>() -> Explore<B, State<B, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| {
            if who == 1 {
                let _none_was_published = state.ring().try_claim_full(me).map(|claim| state.ring().finish(claim));
            }
            if let Ok(claim) = state.ring().try_claim_free(me) {
                state.write(claim.index(), who as u32 * 10 + 1);
                state.ring().publish(claim);
            }
        });
    })
}

/// An earlier fault. The first cell is finished in lap 0, the other two are full. 0 receives all. 1
/// sends an item, if it can. 2 receives the two, closes, and tries to send.
#[cfg(feature = "loom")]
fn a_late_search<B: Backend>() -> Explore<B, State<B, 3>> {
    let make = || State::of_words([1, FULL, FULL], [1 << 32, 1], 0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 3>| {
        world.act(who, |me| match who {
            0 => state.receive_all(me),
            1 => {
                if let Ok(claim) = state.ring().try_claim_free(me) {
                    state.write(claim.index(), 11);
                    state.sent.lock().expect("no panic inside").push(11);
                    state.ring().publish(claim);
                }
            }
            _ => {
                for _ in 0..2 {
                    let _none_left = state.receive_now(me);
                }
                state.ring().close();
                assert_eq!(state.ring().try_claim_free(me), Err(NotClaimed::Closed));
            }
        });
    })
    .check(|state, world| state.check(world, 0..1))
}

/// An earlier fault. 0 stores a hint five laps late. Laps have three bits.
#[cfg(feature = "loom")]
fn a_late_hint<B: Backend>() -> Explore<B, State<B, 2>> {
    let make = || State::of_words([FULL, 0], [1, 0], 0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                if let Ok(claim) = state.ring().try_claim_full(me) {
                    state.ring().finish(claim); // stalls before it stores the hint
                }
            }
            _ => {
                // The rest of lap 0, and laps 1 to 4.
                for item in 1..=9 {
                    let Ok(claim) = state.ring().try_claim_free(me) else { return };
                    state.write(claim.index(), item);
                    state.ring().publish(claim);
                    let Ok(claim) = state.ring().try_claim_full(me) else { return };
                    state.ring().finish(claim);
                }
                state.producers.1.lock().expect("no panic inside").insert(1);
            }
        });
    })
    .check(|state, world| {
        if !state.producers.1.lock().expect("no panic inside").contains(&1) {
            return;
        }
        world.act(1, |me| {
            let claim = state.ring().try_claim_free(me).expect("there is room");
            state.ring().publish(claim);
            let claim = state.ring().try_claim_full(me).expect("there is an item");
            state.ring().finish(claim);
        });
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    one_cell_goes_round_whoever_dies: |n| one_to_one::<B, 1, 0, 2>().victims(&[0, 1]).holds(n);
    two_cells_go_round_whoever_dies: |n| one_to_one::<B, 2, 0, 3>().victims(&[0, 1]).executions(1_000).holds(n);
    laps_wrap: |n| one_to_one::<B, 1, 6, 3>().victims(&[0, 1]).executions(1_000).holds(n);
    any_two_may_die: |n| one_to_one::<B, 1, 0, 1>().victims(&[0, 1]).pairs().holds(n);
    a_wait_may_return_without_a_reason: |n| one_to_one::<B, 1, 0, 2>().spurious().holds(n);
    the_first_phase_changes_nothing: |n| one_to_one::<B, 1, 0, 1>().victims(&[0]).first_phase().holds(n);
    a_batch_arrives_whoever_dies: |n| a_batch::<B>().victims(&[0, 1]).holds(n);
    a_batch_wakes_two_whoever_dies: |n| two_sleep_for_a_batch::<B>().victims(&[0]).executions(1_000).holds(n);
    two_sends_wake_two: |n| two_sleep_for_two::<B>().executions(20_000).holds(n);
    a_batch_makes_room_for_two_whoever_dies: |n| two_sleep_for_room::<B>().victims(&[0]).executions(1_000).holds(n);
    the_last_item_ends_all_waits: |n| the_last_item::<B>().victims(&[0]).holds(n);
    two_send_whoever_dies: |n| two_send::<B, 2>().victims(&[0, 1]).executions(500).holds(n);
    two_send_over_one_cell_whoever_dies: |n| two_send::<B, 1>().victims(&[0]).executions(500).holds(n);
    two_receive_whoever_dies: |n| two_receive::<B, 2>().victims(&[0, 1]).executions(500).holds(n);
    a_consumer_that_dies_with_the_last_item_leaves_it: |n| two_receive::<B, 1>().victims(&[1]).executions(500).holds(n);
    a_closed_queue_is_received_to_its_end: |n| closed_by_another::<B>().victims(&[0, 1]).executions(1_000).holds(n);
    the_closer_receives_to_the_end: |n| closer_receives::<B>().preemptions(3).victims(&[0]).holds(n);
    a_newcomer_that_fills_is_not_judged_dead: |n| a_newcomer_sends::<B>().executions(20_000).holds(n);
    a_newcomer_that_takes_is_not_judged_dead: |n| a_newcomer_receives::<B>().executions(20_000).holds(n);
    a_full_queue_that_is_closed_lets_go: |n| closed_while_full::<B>().victims(&[1]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0, 1]).executions(500).holds(n);
    an_interruption_loses_no_wake: |n| one_gives_up::<B, false>().victims(&[0]).executions(500).holds(n);
    a_late_search_passes_finished_positions_alone: |n| a_late_search::<B>().script(&[(0, 1), (1, 6)]).holds(n);
    a_late_hint_hides_no_item: |n| a_late_hint::<B>().preemptions(1).holds(n);
    the_last_sender_ends_the_queue: |n| ends_of_senders::<B, 1>().victims(&[0]).holds(n);
    the_last_of_two_senders_ends_the_queue:
        |n| ends_of_senders::<B, 2>().victims(&[0, 1]).executions(500).holds(n);
    the_last_receiver_ends_the_queue: |n| end_of_a_receiver::<B>().victims(&[0]).executions(1_000).holds(n);
    the_end_comes_after_the_last_item: |n| end_without_waiting::<B>().victims(&[0]).holds(n);
    nobody_has_to_wait: |n| without_waiting::<B, false>().holds(n);
    nobody_has_to_wait_for_a_batch: |n| without_waiting::<B, true>().holds(n);
    a_cell_is_free_when_it_was_read: |n| a_cell_is_used_again::<B, false>().victims(&[0]).holds(n);
    a_cell_is_free_when_it_was_read_in_a_batch: |n| a_cell_is_used_again::<B, true>().victims(&[0]).holds(n);
    a_cell_is_free_when_its_producer_is_dead: |n| left_by_a_producer::<B>().victims(&[0]).holds(n);
    an_item_is_published: |n| without_waiting::<B, false>().broken(Broken::NO_RELEASE).fails(n);
    an_item_is_acquired: |n| without_waiting::<B, false>().broken(Broken::NO_ACQUIRE).fails(n);
    without_fences_a_change_and_a_sleeper_miss_each_other:
        |n| one_to_one::<B, 1, 0, 1>().broken(Broken::NO_FENCE).fails(n);
    without_fences_an_item_is_sent_behind_the_end:
        |n| closed_by_another::<B>().broken(Broken::NO_FENCE).fails(n);
    a_check_before_the_collection_hangs:
        |n| one_to_one::<B, 1, 0, 1>().victims(&[0]).broken(Broken::LATE_COLLECTION).fails(n);
    without_the_cascade_one_stays_asleep:
        |n| two_receive::<B, 1>().script(&[(0, 9), (1, 4)]).victims(&[1]).broken(Broken::NO_CASCADE).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    one_cell_goes_round_whoever_dies: |n| one_to_one::<B, 1, 0, 2>().victims(&[0, 1]).holds(n);
    laps_wrap: |n| one_to_one::<B, 2, 6, 5>().victims(&[0, 1]).holds(n);
    two_send_whoever_dies: |n| two_send::<B, 1>().victims(&[0, 1]).holds(n);
    two_receive_whoever_dies: |n| two_receive::<B, 2>().victims(&[0, 1]).holds(n);
    a_batch_wakes_two_whoever_dies: |n| two_sleep_for_a_batch::<B>().victims(&[0]).holds(n);
    two_sends_wake_two: |n| two_sleep_for_two::<B>().holds(n);
    a_batch_makes_room_for_two_whoever_dies: |n| two_sleep_for_room::<B>().victims(&[0]).holds(n);
    any_two_may_die: |n| one_to_one::<B, 1, 0, 1>().victims(&[0, 1]).pairs().holds(n);
    a_closed_queue_is_received_to_its_end: |n| closed_by_another::<B>().victims(&[0, 1]).holds(n);
    the_last_of_two_senders_ends_the_queue: |n| ends_of_senders::<B, 2>().victims(&[0, 1]).holds(n);
    the_last_receiver_ends_the_queue: |n| end_of_a_receiver::<B>().victims(&[0]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0, 1]).holds(n);
    an_interruption_loses_no_wake: |n| one_gives_up::<B, false>().victims(&[0]).holds(n);
}
