//! Models of `raw::MessageQueue`: each message arrives once, and whole. The blocks of a dead sender
//! are free, and those of a message are not. Nobody waits forever for blocks. Every operation may
//! be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::{Word as _, Word64 as _};
use outlive::raw::ends::Ends;
use outlive::raw::message_queue::{Draft, Message, MessageQueue, Messages, NotStarted, Place, Store, Writable};
use outlive::raw::queue::{Cells, NotClaimed, Queue};
use outlive::raw::wait_any::{Of, wait_any};
use outlive::raw::{Deadline, Mutex, Participant};
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, Word64, World, is_over};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left};
use std::collections::BTreeSet;
use std::sync::Mutex as StdMutex;

type Me<'t, B> = Participant<'t, Model<B>>;

const NEVER: Deadline = Deadline::By(None);

/// Of the word of a cell.
const FULL: u64 = 1 << 62;

/// Cells, and a pool. Each block has room for one byte: the number of its message. Laps have three
/// bits.
#[derive(Debug)]
struct Letters<B: Backend, const N: usize, const K: usize> {
    words: [Word64<B>; N],
    letters: [Word64<B>; N],
    owners: [Word64<B>; K],
    links: [Word<B>; K],
    firsts: [B::Cell<u32>; N],
    pool: [B::Cell<u32>; K],
}

impl<B: Backend, const N: usize, const K: usize> Cells<Model<B>> for Letters<B, N, K> {
    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64<B> {
        &self.words[index]
    }
}

impl<B: Backend, const N: usize, const K: usize> Store<Model<B>> for Letters<B, N, K> {
    fn block_size(&self) -> usize {
        1
    }
    fn blocks(&self) -> usize {
        K
    }
    fn letter(&self, index: usize) -> &Word64<B> {
        &self.letters[index]
    }
    fn owner(&self, block: usize) -> &Word64<B> {
        &self.owners[block]
    }
    fn link(&self, block: usize) -> &Word<B> {
        &self.links[block]
    }
}

/// A queue of messages. The tens of a message's number are its sender. The notes say what was sent
/// and received. They are no part of the model.
#[derive(Debug)]
struct State<B: Backend, const N: usize, const K: usize> {
    queue: MessageQueue<Model<B>, 3, 2>,
    letters: Letters<B, N, K>,
    /// How many senders there are, and which of them are done.
    senders: (usize, StdMutex<BTreeSet<usize>>),
    sent: StdMutex<Vec<u32>>,
    received: StdMutex<Vec<(usize, u32)>>,
}

impl<B: Backend, const N: usize, const K: usize> State<B, N, K> {
    /// An empty queue, whose next lap is `lap`.
    fn at_lap(lap: u64, senders: usize) -> Self {
        Self::of_words([lap; N], [lap << 32; 2], 0, senders)
    }

    /// A queue in which the first message has the number 1 and all blocks of the pool. The others
    /// have a number each, and no block of the pool.
    fn full() -> Self {
        let mut state = Self::of_words([FULL; N], [1 << 32, 0], 0, 1);
        state.letters.letters =
            core::array::from_fn(|index| Word64::new(if index == 0 { 1 << 32 | (K as u64 + 1) } else { 1 }));
        state.letters.owners = core::array::from_fn(|_| Word64::new(1 << 32));
        state.letters.links = core::array::from_fn(|block| Word::new(if block + 1 < K { block as u32 + 2 } else { 0 }));
        state.letters.firsts = core::array::from_fn(|index| B::cell(index as u32 + 1));
        state.letters.pool = core::array::from_fn(|_| B::cell(1));
        state
    }

    fn of_words(words: [u64; N], [tail, head]: [u64; 2], room: u32, senders: usize) -> Self {
        let (tail, head) = (Word64::new(tail), Word64::new(head));
        let queue = Queue::from_words(tail, head, Word::new(0), Word::new(room), Ends::default());
        Self {
            queue: MessageQueue::from_words(queue, Mutex::from_word(Word::new(0)), Word::new(0)),
            letters: Letters {
                words: words.map(Word64::new),
                letters: core::array::from_fn(|_| Word64::new(0)),
                owners: core::array::from_fn(|_| Word64::new(0)),
                links: core::array::from_fn(|_| Word::new(0)),
                firsts: core::array::from_fn(|_| B::cell(0)),
                pool: core::array::from_fn(|_| B::cell(0)),
            },
            senders: (senders, StdMutex::default()),
            sent: StdMutex::default(),
            received: StdMutex::default(),
        }
    }

    fn messages(&self) -> Messages<'_, Model<B>, Letters<B, N, K>, 3, 2> {
        self.queue.with(&self.letters)
    }

    fn byte(&self, place: Place) -> &B::Cell<u32> {
        match place {
            Place::Cell(index) => &self.letters.firsts[index],
            Place::Block(block) => &self.letters.pool[block],
        }
    }

    /// Writes into the first `length` places of a draft.
    fn write(&self, draft: &Draft, number: u32, length: usize) {
        let mut place = self.messages().first_place(draft);
        B::write(self.byte(place), |byte| *byte = number);
        for _ in 1..length {
            place = self.messages().next_place(draft, place).expect("the draft has room for the message");
            B::write(self.byte(place), |byte| *byte = number);
        }
    }

    fn publish(&self, draft: Draft, number: u32, length: usize) {
        self.messages().publish(draft, length);
        self.sent.lock().expect("no panic inside").push(number);
    }

    fn send(&self, me: Me<'_, B>, number: u32, length: usize) {
        let draft = self.messages().start(me, NEVER, length).expect("it is open, and a call without a deadline waits");
        self.write(&draft, number, length);
        self.publish(draft, number, length);
    }

    /// Sends a message if that takes no waiting.
    fn send_now(&self, me: Me<'_, B>, number: u32, length: usize) -> Result<(), NotStarted> {
        let draft = self.messages().start(me, Deadline::Immediate, length)?;
        self.write(&draft, number, length);
        self.publish(draft, number, length);
        Ok(())
    }

    /// Sends a message as a caller that waits for several, unless the queue is closed.
    fn send_as_foreigner(&self, me: Me<'_, B>, number: u32, length: usize) {
        let source = Writable { messages: self.messages(), length };
        loop {
            match self.send_now(me, number, length) {
                Ok(()) | Err(NotStarted::NotClaimed(NotClaimed::Closed)) => return,
                Err(error) => assert_eq!(error, NotStarted::NotClaimed(NotClaimed::WouldBlock)),
            }
            assert_eq!(wait_any(&[Of { me, source: &source }], 0, None), Ok(0));
        }
    }

    /// Sends a message whose length the sender finds out only as it writes.
    fn send_of_unknown_length(&self, me: Me<'_, B>, number: u32, length: usize) {
        let messages = self.messages();
        let mut draft = messages.start(me, NEVER, 0).expect("it is open, and a call without a deadline waits");
        while messages.room(&draft) < length {
            if !messages.grow(me, &mut draft) {
                messages.give_up(draft);
                return self.send(me, number, length);
            }
        }
        self.write(&draft, number, length);
        self.publish(draft, number, length);
    }

    /// Reads a message whole, and returns its number.
    fn read(&self, message: &Message) -> u32 {
        let messages = self.messages();
        let mut number = None;
        for piece in messages.pieces(message) {
            let piece = piece.expect("nobody has overwritten the words");
            let byte = B::read(self.byte(piece.place), |byte| *byte);
            assert_eq!((piece.length, *number.get_or_insert(byte)), (1, byte), "a message of two senders");
        }
        number.expect("no message is empty")
    }

    fn receive(&self, me: Me<'_, B>, deadline: Deadline) -> Result<(), NotClaimed> {
        let message = self.messages().take(me, deadline)?;
        let number = self.read(&message);
        self.messages().finish(message);
        self.received.lock().expect("no panic inside").push((me.id.index(), number));
        Ok(())
    }

    fn receive_all(&self, me: Me<'_, B>) {
        while self.receive(me, NEVER) != Err(NotClaimed::Closed) {}
    }

    /// A sender is done, or dead. The last one closes the queue.
    fn sender_ends(&self, who: usize) {
        let (senders, done) = &self.senders;
        let is_last = {
            let mut done = done.lock().expect("no panic inside");
            done.insert(who);
            done.len() == *senders
        };
        if is_last {
            self.messages().ring().close();
        }
    }

    /// What the supervisor does if a participant dies: it ends for a sender, and receives for a
    /// receiver.
    fn stand_in(world: &World<B>, dead: usize, supervisor: usize, state: &Self) {
        if dead < state.senders.0 {
            world.act(supervisor, |_| state.sender_ends(dead));
        } else {
            world.act(supervisor, |me| state.receive_all(me));
        }
    }

    fn check(&self, world: &World<B>, receivers: core::ops::Range<usize>) {
        let received = self.received.lock().expect("no panic inside");
        for (at, (receiver, number)) in received.iter().enumerate() {
            for (earlier_receiver, earlier) in &received[..at] {
                assert_ne!(earlier, number, "received twice");
                let same = earlier_receiver == receiver && earlier / 10 == number / 10;
                // What a dead receiver has left is received late.
                let is_ordered = earlier < number || receivers.clone().any(|who| world.has_died(who));
                assert!(!same || is_ordered, "{receiver} received {earlier} before {number}");
            }
        }
        let sent = self.sent.lock().expect("no panic inside");
        let missing = sent.iter().filter(|number| !received.iter().any(|(_, received)| received == *number)).count();
        let died = (0..receivers.end).filter(|who| world.has_died(*who)).count();
        assert!(missing <= died, "of {sent:?} only {received:?} were received, and {died} died");
    }
}

/// Participant 0 sends `COUNT` messages, which are 2 and 1 bytes long in turn, and closes the
/// queue. 1 receives all. The pool has one block.
fn one_to_one<B: Backend, const N: usize, const LAP: u64, const COUNT: u32>() -> Explore<B, State<B, N, 1>> {
    let make = || State::at_lap(LAP, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, N, 1>| {
        world.act(who, |me| match who {
            0 => {
                (1..=COUNT).for_each(|number| state.send(me, number, 1 + number as usize % 2));
                state.sender_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 1..2))
}

/// 0 sends two messages, each of which needs the only block of the pool, and closes the queue. 1
/// receives all. There are cells enough.
fn one_block_goes_round<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                (1..=2).for_each(|number| state.send(me, number, 2));
                state.sender_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 1..2))
}

/// 0 and 1 send a message each, which needs two of the three blocks of the pool. 2 receives all.
fn two_large<B: Backend>() -> Explore<B, State<B, 2, 3>> {
    let make = || State::at_lap(0, 2);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2, 3>| {
        world.act(who, |me| match who {
            0 | 1 => {
                state.send(me, who as u32 * 10 + 1, 3);
                state.sender_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 2..3))
}

/// As [`two_large`], but 0 learns only as it writes how long its message is.
fn one_grows<B: Backend>() -> Explore<B, State<B, 2, 3>> {
    let make = || State::at_lap(0, 2);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2, 3>| {
        world.act(who, |me| match who {
            0 | 1 => {
                if who == 0 {
                    state.send_of_unknown_length(me, 1, 3);
                } else {
                    state.send(me, 11, 3);
                }
                state.sender_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 2..3))
}

/// The queue is full. 0 receives both messages. 1 sends one that needs the pool, and 2 a short one:
/// each is woken, in whatever order. If 0 dies, the supervisor receives what 0 has not.
fn two_sleep_for_room<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::full();
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => (0..2).for_each(|_| state.receive(me, NEVER).expect("a call without a deadline waits")),
            1 => state.send(me, 10, 2),
            _ => state.send(me, 20, 1),
        });
    })
    .after(|world, _, supervisor, state| {
        let finished = state.received.lock().expect("no panic inside").len();
        world.act(supervisor, |me| {
            (finished..2).for_each(|_| state.receive(me, NEVER).expect("a call without a deadline waits"));
        });
    })
    .check(|state, world| {
        let received = state.received.lock().expect("no panic inside");
        let numbers: BTreeSet<_> = received.iter().map(|(_, number)| *number).collect();
        assert_eq!(numbers.len(), 2, "{received:?}");
        // 0 may have finished a message, and died before it noted that.
        assert!(world.has_died(0) || numbers.is_subset(&BTreeSet::from([1, 2])), "{received:?}");
    })
}

/// One cell is free, and the pool is not. 0 receives the message that has the pool. 1 sends one
/// that needs it, and 2 a short one. The cells suffice for both.
fn one_waits_for_blocks<B: Backend>() -> Explore<B, State<B, 3, 1>> {
    fn make<B: Backend>() -> State<B, 3, 1> {
        let mut state = State::full();
        state.letters.words = [FULL, FULL, 0].map(Word64::new);
        state.queue = MessageQueue::from_words(
            Queue::from_words(Word64::new(2), Word64::new(0), Word::new(0), Word::new(0), Ends::default()),
            Mutex::from_word(Word::new(0)),
            Word::new(0),
        );
        state
    }
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 3, 1>| {
        world.act(who, |me| match who {
            0 => state.receive(me, NEVER).expect("a call without a deadline waits"),
            1 => state.send(me, 10, 2),
            _ => state.send(me, 20, 1),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 && state.received.lock().expect("no panic inside").is_empty() {
            world.act(supervisor, |me| state.receive(me, NEVER).expect("a call without a deadline waits"));
        }
    })
}

/// The queue is full. 0 receives both messages. 1 is a foreign waiter that sends one that needs the
/// pool. If 0 dies, the supervisor receives what 0 has not.
fn a_foreigner_waits<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => (0..2).for_each(|_| state.receive(me, NEVER).expect("a call without a deadline waits")),
            _ => state.send_as_foreigner(me, 10, 2),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 {
            world.act(supervisor, |me| while state.receive(me, Deadline::Immediate).is_ok() {});
        }
    })
}

/// As [`a_foreigner_waits`], and 2 sends a short message as an own waiter. Both are woken.
fn a_foreigner_beside_a_short_one<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::full();
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => (0..2).for_each(|_| state.receive(me, NEVER).expect("a call without a deadline waits")),
            1 => state.send_as_foreigner(me, 10, 2),
            _ => state.send(me, 20, 1),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 {
            let finished = state.received.lock().expect("no panic inside").len();
            world.act(supervisor, |me| {
                (finished..2).for_each(|_| state.receive(me, NEVER).expect("a call without a deadline waits"));
            });
        }
    })
}

/// As [`two_large`], but 1 is a foreign waiter.
fn a_large_one_and_a_foreigner<B: Backend>() -> Explore<B, State<B, 2, 3>> {
    let make = || State::at_lap(0, 2);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2, 3>| {
        world.act(who, |me| match who {
            0 | 1 => {
                if who == 0 {
                    state.send(me, 1, 3);
                } else {
                    state.send_as_foreigner(me, 11, 3);
                }
                state.sender_ends(who);
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 2..3))
}

/// There is room for both. 0 has the gate for a moment: it sends a message that needs a block, or
/// with `GROWS`, one that grows into a block. 1 is a foreign waiter, which may find the gate taken.
#[cfg(feature = "loom")]
fn a_foreigner_at_the_gate<B: Backend, const GROWS: bool>() -> Explore<B, State<B, 2, 2>> {
    let make = || State::at_lap(0, 2);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 2>| {
        world.act(who, |me| match who {
            0 if GROWS => {
                let mut draft = state.messages().start(me, Deadline::Immediate, 0).expect("there is a cell");
                let length = if state.messages().grow(me, &mut draft) { 2 } else { 1 };
                state.write(&draft, 1, length);
                state.publish(draft, 1, length);
            }
            0 => _ = state.send_now(me, 1, 2),
            _ => state.send_as_foreigner(me, 11, 2),
        });
    })
}

/// The only block is in a draft of 0, which 0 gives up; or with `SPARE`, 0 publishes a message that
/// does not need it. 1 is a foreign waiter for it.
#[cfg(feature = "loom")]
fn a_foreigner_gets_what_was_not_needed<B: Backend, const SPARE: bool>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::at_lap(0, 2);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                let Ok(draft) = state.messages().start(me, Deadline::Immediate, 2) else { return };
                state.write(&draft, 1, 1);
                if SPARE {
                    state.publish(draft, 1, 1);
                } else {
                    state.messages().give_up(draft);
                }
            }
            _ => {
                state.send_as_foreigner(me, 11, 2);
                state.messages().ring().close();
                state.receive_all(me);
            }
        });
    })
    .after(|world, dead, supervisor, state| {
        // Otherwise 1 receives all, also of its own.
        if dead == 1 {
            world.act(supervisor, |me| while state.receive(me, Deadline::Immediate).is_ok() {});
        }
    })
}

/// The queue is full, and 1 closes it at some moment. 0 is a foreign waiter.
#[cfg(feature = "loom")]
fn a_foreigner_learns_of_the_end<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => state.send_as_foreigner(me, 10, 2),
            _ => _ = state.messages().ring().close(),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 1 {
            world.act(supervisor, |_| state.messages().ring().close());
        }
    })
}

/// The queue is full. 0 sends a message that needs the pool, and 1 closes the queue at some moment:
/// 0 does not wait forever.
#[cfg(feature = "loom")]
fn closed_while_full<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::full();
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                let started = state.messages().start(me, NEVER, 2);
                assert_eq!(started, Err(NotStarted::NotClaimed(NotClaimed::Closed)));
            }
            _ => {
                state.messages().ring().close();
            }
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 1 {
            world.act(supervisor, |_| state.messages().ring().close());
        }
    })
}

/// 0 holds the only block, and sends two messages of two bytes. 1 waits for the block, gives up at
/// the deadline, and goes away. 2 receives all.
fn one_gives_up<B: Backend, const TIMED: bool>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::at_lap(0, 1);
    Explore::new(3, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                (1..=2).for_each(|number| state.send(me, number, 2));
                state.sender_ends(who);
            }
            1 => match state.messages().start(me, Deadline::By(TIMED.then_some(DEADLINE)), 2) {
                Ok(draft) => state.messages().give_up(draft),
                Err(NotStarted::NotClaimed(NotClaimed::Closed)) => {}
                Err(error) if TIMED => {
                    assert_eq!((error, is_over::<B>()), (NotStarted::NotClaimed(NotClaimed::TimedOut), true));
                }
                Err(error) => assert_eq!(error, NotStarted::NotClaimed(NotClaimed::Interrupted)),
            },
            _ => state.receive_all(me),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead != 1 {
            State::stand_in(world, dead, supervisor, state);
        }
    })
    .interrupted(if TIMED { &[] } else { &[1] })
    .check(|state, world| state.check(world, 2..3))
}

/// 0 takes the first message, and puts it back. 1 receives all. The queue is closed.
fn one_puts_back<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    const CLOSED: u32 = 1 << 27;
    fn make<B: Backend>() -> State<B, 2, 1> {
        let mut state = State::full();
        let queue =
            Queue::from_words(Word64::new(1 << 32), Word64::new(0), Word::new(0), Word::new(CLOSED), Ends::default());
        state.queue = MessageQueue::from_words(queue, Mutex::from_word(Word::new(0)), Word::new(0));
        state
    }
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                if let Ok(message) = state.messages().take(me, Deadline::Immediate) {
                    let _one_of_them = state.read(&message);
                    state.messages().put_back(message);
                }
            }
            _ => state.receive_all(me),
        });
    })
    .after(State::stand_in)
    .check(|state, world| {
        let received = state.received.lock().expect("no panic inside");
        let numbers: BTreeSet<_> = received.iter().map(|(_, number)| *number).collect();
        let died = usize::from(world.has_died(1));
        assert!(received.len() == numbers.len() && numbers.len() + died >= 2, "{received:?}");
    })
}

/// The first message has the block. 0 reads it, and finishes it. 1 sends one that needs the block,
/// if it is free.
#[cfg(feature = "loom")]
fn a_block_is_used_twice<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    Explore::new(2, make_half_full, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => state.receive(me, Deadline::Immediate).expect("it is full"),
            _ => {
                if let Err(error) = state.send_now(me, 11, 2) {
                    assert_eq!(error, NotStarted::NotClaimed(NotClaimed::WouldBlock));
                }
            }
        });
    })
    .check(|state, world| {
        world.act(1, |me| while state.receive(me, Deadline::Immediate).is_ok() {});
        state.check(world, 0..2);
    })
}

/// The first message has the block. 0 reads it, and puts it back. 1 receives it, and sends one that
/// needs the block.
#[cfg(feature = "loom")]
fn a_block_is_put_back<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    Explore::new(2, make_half_full, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                if let Ok(message) = state.messages().take(me, Deadline::Immediate) {
                    let _one_of_the_two = state.read(&message);
                    state.messages().put_back(message);
                }
            }
            _ => {
                if state.receive(me, Deadline::Immediate).is_ok() {
                    state.send_now(me, 11, 2).expect("the block is free");
                }
            }
        });
    })
}

/// A queue with one message, which has the block.
#[cfg(feature = "loom")]
fn make_half_full<B: Backend>() -> State<B, 2, 1> {
    let mut state = State::full();
    state.letters.words = [FULL, 0].map(Word64::new);
    state.queue = MessageQueue::from_words(
        Queue::from_words(Word64::new(1), Word64::new(0), Word::new(0), Word::new(0), Ends::default()),
        Mutex::from_word(Word::new(0)),
        Word::new(0),
    );
    state
}

/// The only block is that of the first message, which 0 receives; or with `SPARE`, 0 has written
/// into it, and gives it back. The message of 1 grows into it, if it is free.
#[cfg(feature = "loom")]
fn a_message_grows<B: Backend, const SPARE: bool>() -> Explore<B, State<B, 2, 1>> {
    let make = || if SPARE { State::at_lap(0, 2) } else { make_half_full() };
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        let messages = state.messages();
        world.act(who, |me| match who {
            0 if SPARE => {
                if let Ok(draft) = messages.start(me, Deadline::Immediate, 2) {
                    state.write(&draft, 1, 2);
                    state.publish(draft, 1, 1);
                }
            }
            0 => state.receive(me, Deadline::Immediate).expect("it is full"),
            _ => {
                let mut draft = messages.start(me, Deadline::Immediate, 0).expect("there is a cell");
                let length = if messages.grow(me, &mut draft) { 2 } else { 1 };
                state.write(&draft, 11, length);
                state.publish(draft, 11, length);
            }
        });
    })
    .check(|state, world| {
        world.act(1, |me| while state.receive(me, Deadline::Immediate).is_ok() {});
        state.check(world, 0..2);
    })
}

/// 0 sends a message that needs the only block. So does 1, if the block is free. Then all is
/// received.
#[cfg(feature = "loom")]
fn two_try<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::at_lap(0, 2);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| {
            if let Err(error) = state.send_now(me, who as u32 * 10 + 1, 2) {
                assert_eq!(error, NotStarted::NotClaimed(NotClaimed::WouldBlock));
            }
        });
    })
    .check(|state, world| {
        world.act(1, |me| while state.receive(me, Deadline::Immediate).is_ok() {});
        state.check(world, 0..0);
    })
}

/// 0 writes a message, and gives it up. 1 sends one that needs the same block, if it is free.
#[cfg(feature = "loom")]
fn one_is_given_up<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::at_lap(0, 2);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                if let Ok(draft) = state.messages().start(me, Deadline::Immediate, 2) {
                    state.write(&draft, 1, 2);
                    state.messages().give_up(draft);
                }
            }
            _ => _ = state.send_now(me, 11, 2),
        });
    })
    .check(|state, world| {
        world.act(1, |me| {
            while state.receive(me, Deadline::Immediate).is_ok() {}
            state.send_now(me, 12, 2).expect("the block is free");
            state.receive(me, Deadline::Immediate).expect("it was sent");
        });
        state.check(world, 0..0);
    })
}

/// 0 has written more than it publishes. 1 waits for the block that 0 gives back, and sends.
fn a_block_is_spare<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::at_lap(0, 2);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| {
        world.act(who, |me| match who {
            0 => {
                let draft = state.messages().start(me, NEVER, 2).expect("a call without a deadline waits");
                state.write(&draft, 1, 2);
                state.publish(draft, 1, 1);
                state.sender_ends(who);
            }
            _ => {
                state.send(me, 11, 2);
                state.sender_ends(who);
                state.receive_all(me);
            }
        });
    })
    .after(State::stand_in)
    .check(|state, world| state.check(world, 1..2))
}

/// 1 is a newcomer in the slot of a former participant, and sends a message that needs the only
/// block. 0 tries to send one, too.
#[cfg(feature = "loom")]
fn a_newcomer_sends<B: Backend>() -> Explore<B, State<B, 2, 1>> {
    let make = || State::at_lap(0, 2);
    Explore::new(2, make, |world: &World<B>, who, state: &State<B, 2, 1>| match who {
        0 => world.act(who, |me| _ = state.send_now(me, 1, 2)),
        _ => world.come(who, |me| _ = state.send_now(me, 11, 2)),
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, world| {
        world.act(0, |me| while state.receive(me, Deadline::Immediate).is_ok() {});
        state.check(world, 0..0);
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    one_cell_goes_round_whoever_dies: |n| one_to_one::<B, 1, 0, 2>().victims(&[0, 1]).executions(1_000).holds(n);
    laps_wrap: |n| one_to_one::<B, 1, 6, 3>().victims(&[0, 1]).executions(500).holds(n);
    any_two_may_die: |n| one_to_one::<B, 1, 0, 1>().victims(&[0, 1]).pairs().executions(100).holds(n);
    one_block_goes_round_whoever_dies: |n| one_block_goes_round::<B>().victims(&[0, 1]).executions(1_000).holds(n);
    two_that_need_more_than_half_whoever_dies: |n| two_large::<B>().victims(&[0, 2]).executions(200).holds(n);
    one_that_grows_whoever_dies: |n| one_grows::<B>().victims(&[0]).executions(200).holds(n);
    a_long_and_a_short_one_sleep_for_room: |n| two_sleep_for_room::<B>().victims(&[0]).executions(500).holds(n);
    a_short_one_passes_one_that_waits_for_blocks:
        |n| one_waits_for_blocks::<B>().victims(&[0, 1]).executions(500).holds(n);
    a_foreign_waiter_gets_room_whoever_dies: |n| a_foreigner_waits::<B>().victims(&[0, 1]).executions(2_000).holds(n);
    a_foreign_waiter_takes_no_wake_of_others:
        |n| a_foreigner_beside_a_short_one::<B>().victims(&[0, 1]).preemptions(1).executions(500).holds(n);
    a_foreign_waiter_and_one_that_needs_more_than_half:
        |n| a_large_one_and_a_foreigner::<B>().victims(&[0, 2]).preemptions(1).executions(300).holds(n);
    a_foreign_waiter_that_finds_the_gate_taken:
        |n| a_foreigner_at_the_gate::<B, false>().victims(&[0]).holds(n);
    a_foreign_waiter_that_finds_the_gate_taken_by_one_that_grows:
        |n| a_foreigner_at_the_gate::<B, true>().victims(&[0]).holds(n);
    a_foreign_waiter_gets_a_spare_block:
        |n| a_foreigner_gets_what_was_not_needed::<B, true>().victims(&[0]).executions(2_000).holds(n);
    a_foreign_waiter_gets_a_block_that_was_given_up:
        |n| a_foreigner_gets_what_was_not_needed::<B, false>().victims(&[0]).executions(2_000).holds(n);
    a_foreign_waiter_learns_of_the_end: |n| a_foreigner_learns_of_the_end::<B>().victims(&[1]).holds(n);
    without_fences_a_foreign_waiter_misses_the_room:
        |n| a_foreigner_waits::<B>().broken(Broken::NO_FENCE).fails(n);
    a_full_queue_that_is_closed_lets_go: |n| closed_while_full::<B>().victims(&[1]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0, 1]).executions(200).holds(n);
    an_interruption_loses_no_wake: |n| one_gives_up::<B, false>().executions(500).holds(n);
    what_was_put_back_is_received_whoever_dies: |n| one_puts_back::<B>().victims(&[0, 1]).executions(400).holds(n);
    a_block_is_free_when_it_was_read: |n| a_block_is_used_twice::<B>().victims(&[0]).holds(n);
    a_message_grows_into_a_block_that_was_read: |n| a_message_grows::<B, false>().victims(&[0]).holds(n);
    a_message_grows_into_a_spare_block: |n| a_message_grows::<B, true>().victims(&[0]).holds(n);
    a_block_that_was_put_back_is_used_again: |n| a_block_is_put_back::<B>().victims(&[0]).holds(n);
    a_message_of_the_dead_keeps_its_blocks: |n| two_try::<B>().victims(&[0]).holds(n);
    what_was_given_up_is_free: |n| one_is_given_up::<B>().victims(&[0]).holds(n);
    a_spare_block_is_used_again: |n| a_block_is_spare::<B>().victims(&[0]).holds(n);
    a_newcomer_that_has_blocks_is_not_judged_dead: |n| a_newcomer_sends::<B>().executions(20_000).holds(n);
    a_message_is_published: |n| one_to_one::<B, 1, 0, 1>().broken(Broken::NO_RELEASE).fails(n);
    a_message_is_acquired: |n| one_to_one::<B, 1, 0, 1>().broken(Broken::NO_ACQUIRE).fails(n);
    without_fences_a_receiver_and_a_sender_miss_each_other:
        |n| one_block_goes_round::<B>().broken(Broken::NO_FENCE).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    one_cell_goes_round_whoever_dies: |n| one_to_one::<B, 1, 0, 2>().victims(&[0, 1]).holds(n);
    laps_wrap: |n| one_to_one::<B, 2, 6, 5>().victims(&[0, 1]).holds(n);
    one_block_goes_round_whoever_dies: |n| one_block_goes_round::<B>().victims(&[0, 1]).holds(n);
    two_that_need_more_than_half_whoever_dies: |n| two_large::<B>().victims(&[0, 1, 2]).holds(n);
    one_that_grows_whoever_dies: |n| one_grows::<B>().victims(&[0, 1, 2]).holds(n);
    a_long_and_a_short_one_sleep_for_room: |n| two_sleep_for_room::<B>().victims(&[0]).holds(n);
    a_short_one_passes_one_that_waits_for_blocks: |n| one_waits_for_blocks::<B>().victims(&[0, 1, 2]).holds(n);
    a_timeout_loses_no_wake_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0, 1]).holds(n);
    what_was_put_back_is_received_whoever_dies: |n| one_puts_back::<B>().victims(&[0, 1]).holds(n);
    a_spare_block_is_used_again: |n| a_block_is_spare::<B>().victims(&[0]).holds(n);
    a_foreign_waiter_gets_room_whoever_dies: |n| a_foreigner_waits::<B>().victims(&[0, 1]).holds(n);
    a_foreign_waiter_takes_no_wake_of_others: |n| a_foreigner_beside_a_short_one::<B>().victims(&[0, 1]).holds(n);
    a_foreign_waiter_and_one_that_needs_more_than_half:
        |n| a_large_one_and_a_foreigner::<B>().victims(&[0, 1, 2]).holds(n);
}
