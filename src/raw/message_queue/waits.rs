//! What a sender of a long message does, step by step: at the gate, while it waits for blocks, and
//! when it gives up. And who is woken by whom.

use super::tests::{All, Me, Words, queue_of};
use super::*;
use crate::platform::WAKE_AT_DEATH;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, Sleep, id_of, play, scene};
use crate::raw::hold::{HELD, WAITERS};
use crate::raw::message_queue::word::Owner;
use crate::raw::queue::Position;
use crate::raw::wait_any::{Readiness, Source};
use std::rc::Rc;

const FULL: u64 = 1 << 62;
const CLOSED: u32 = 1 << 27;

/// Three cells and one block of 10 bytes, which the message in the first cell has.
#[derive(Debug)]
struct Three {
    queue: MessageQueue<Puppet>,
    words: Words,
}

fn by(who: usize) -> u64 {
    u64::from(id_of(who).word()) << 32
}

impl Three {
    fn new(cells: [u64; 3], [items, room]: [u32; 2], gate: u32) -> Rc<Self> {
        let words = Words::new(3, 1, 10);
        for (word, value) in words.cells.iter().zip(cells) {
            word.store(value, Relaxed);
        }
        words.letters[0].store(Letter::new(20, 1).0, Relaxed);
        words.owners[0].store(Owner::<32>::of(Position { lap: 0, index: 0 }).0, Relaxed);
        // The hints are too small, if the cells are full. That costs time alone.
        Rc::new(Self { queue: queue_of([0; 2], [items, room], gate, 0), words })
    }

    /// The block is used; there are cells.
    fn without_blocks() -> Rc<Self> {
        Self::new([FULL, 0, 0], [0; 2], 0)
    }

    fn all(&self) -> All<'_> {
        self.queue.with(&self.words)
    }
    fn gate(&self) -> u32 {
        self.queue.pool.0.gate.word().load(Relaxed)
    }
    /// Sends a message that needs the block.
    fn send(&self, scenes: Vec<Scene>) -> (Result<usize, NotStarted>, Vec<u32>) {
        let (answer, wakes) = play(3, scenes, |me| self.start(me));
        (answer, wakes.on(self.queue.queue.sleepers()[1]))
    }
    /// The index of the cell in which a message begins that needs the block.
    fn start(&self, me: Me<'_>) -> Result<usize, NotStarted> {
        let draft = self.all().start(me, Deadline::By(Some(DEADLINE)), 20)?;
        Ok(draft.claim.index())
    }
}

fn failed<T>(error: NotClaimed) -> Result<T, NotStarted> {
    Err(NotStarted::NotClaimed(error))
}

fn meanwhile(three: &Rc<Three>, what: impl FnOnce(&Three, &Sleep<'_>) + 'static) -> Vec<Scene> {
    let three = Rc::clone(three);
    vec![scene(move |sleep| what(&three, sleep))]
}

/// Another participant receives the first message, and wakes a sender.
fn receive(three: &Three) {
    three.words.cells[0].store(1, Relaxed);
    three.all().ring().notice_room(1);
}

#[test]
fn a_block_that_comes_as_the_deadline_passes_is_used() {
    let three = Three::without_blocks();
    let (answer, _) = three.send(meanwhile(&three, |three, sleep| {
        receive(three);
        sleep.lasts();
    }));
    assert_eq!((answer, three.gate()), (Ok(1), 0));
    assert_eq!(three.words.blocks_of(0, 1), 1);
}

#[test]
fn a_block_whose_sender_dies_as_the_deadline_passes_is_used() {
    let three = Three::new([by(1), 0, 0], [0; 2], 0);
    let (answer, _) = three.send(meanwhile(&three, |_, sleep| {
        sleep.dies(sleep.others().next().expect("its sender is watched"));
        sleep.lasts();
    }));
    assert_eq!((answer, three.gate()), (Ok(1), 0));
}

#[test]
fn the_participant_that_has_the_block_is_watched_first() {
    for word in [by(2), FULL | by(2)] {
        let three = Three::new([word, 0, 0], [0; 2], 0);
        let (answer, _) = three.send(meanwhile(&three, |_, sleep| {
            assert_eq!(sleep.others().next().expect("others are watched").load(Relaxed), 3 | WAKE_AT_DEATH);
            sleep.lasts();
        }));
        assert_eq!(answer, failed(NotClaimed::TimedOut));
    }
}

/// The sender of the block is this very thread: a signal handler has interrupted it.
#[test]
fn a_caller_that_has_the_block_itself_waits_to_its_deadline() {
    for word in [by(0), FULL | by(0)] {
        let three = Three::new([word, 0, 0], [0; 2], 0);
        assert_eq!(three.send(meanwhile(&three, |_, sleep| sleep.lasts())).0, failed(NotClaimed::TimedOut));
        assert_eq!(three.words.cells[0].load(Relaxed), word);
    }
}

#[test]
fn whoever_gives_up_releases_the_gate_and_has_claimed_nothing() {
    type Ending = fn(&Three, &Sleep<'_>);
    const ENDINGS: [(Ending, NotClaimed); 3] = [
        (|_, sleep| sleep.lasts(), NotClaimed::TimedOut),
        (|_, sleep| sleep.is_interrupted(), NotClaimed::Interrupted),
        (
            |three, sleep| {
                three.all().ring().close();
                sleep.lasts();
            },
            NotClaimed::Closed,
        ),
    ];
    for (ending, error) in ENDINGS {
        let three = Three::without_blocks();
        let (answer, _) = three.send(meanwhile(&three, move |three, sleep| {
            assert_eq!(three.gate(), id_of(0).word(), "it waits for blocks with the gate");
            ending(three, sleep);
        }));
        assert_eq!((answer, three.gate()), (failed(error), 0));
        assert_eq!(three.words.cells[1].load(Relaxed), 0);
    }
    let three = Three::without_blocks();
    let (answer, _) = play(3, vec![], |me| three.all().start(me, Deadline::Immediate, 20));
    assert_eq!((answer, three.gate()), (failed(NotClaimed::WouldBlock), 0));
}

#[test]
fn a_closed_queue_takes_no_long_message() {
    let three = Three::new([FULL, 0, 0], [0, CLOSED], 0);
    assert_eq!(three.send(vec![]).0, failed(NotClaimed::Closed));
    let three = Three::new([1, 0, 0], [0, CLOSED], 0);
    assert_eq!(three.send(vec![]).0, failed(NotClaimed::Closed));
    let (answer, _) = play(3, vec![], |me| three.all().start(me, Deadline::Immediate, 20));
    assert_eq!(answer, failed(NotClaimed::Closed));
}

/// Others wait at the gate for it.
#[test]
fn whoever_is_done_with_the_gate_wakes_the_next() {
    let three = Three::new([1, 0, 0], [0; 2], WAITERS);
    let (answer, wakes) = play(3, vec![], |me| three.start(me));
    assert_eq!((answer, wakes.on(three.queue.pool.0.gate.word())), (Ok(1), vec![1]));
    let three = Three::new([1, 0, 0], [0; 2], WAITERS);
    let (_, wakes) = play(3, vec![], |me| {
        let mut draft = three.all().start(me, Deadline::Immediate, 0).expect("there is room");
        assert!(three.all().grow(me, &mut draft));
    });
    assert_eq!(wakes.on(three.queue.pool.0.gate.word()), [1]);
}

#[test]
fn nobody_waits_at_the_gate_with_a_cell() {
    type Ending = fn(&Sleep<'_>);
    const ENDINGS: [(Ending, NotClaimed); 2] =
        [(|sleep| sleep.lasts(), NotClaimed::TimedOut), (|sleep| sleep.is_interrupted(), NotClaimed::Interrupted)];
    for (ending, error) in ENDINGS {
        let three = Three::new([1, 0, 0], [0; 2], id_of(1).word());
        let (answer, _) = three.send(meanwhile(&three, move |three, sleep| {
            assert!(core::ptr::eq(sleep.awaited(), three.queue.pool.0.gate.word()));
            assert_eq!(three.words.cells[1].load(Relaxed), 0);
            ending(sleep);
        }));
        assert_eq!(answer, failed(error));
    }
}

#[test]
fn a_caller_that_does_not_get_the_gate_learns_of_the_end() {
    let three = Three::new([1, 0, 0], [0; 2], id_of(1).word());
    let (answer, _) = three.send(meanwhile(&three, |three, sleep| {
        assert!(three.all().ring().close());
        sleep.lasts();
    }));
    assert_eq!(answer, failed(NotClaimed::Closed));
    assert_eq!(three.send(vec![]).0, failed(NotClaimed::Closed), "it does not wait for the gate");
}

/// It may be in a signal handler that has interrupted it.
#[test]
fn a_caller_that_holds_the_gate_waits_to_its_deadline() {
    let three = Three::new([1, 0, 0], [0; 2], id_of(0).word());
    assert_eq!(three.send(meanwhile(&three, |_, sleep| sleep.lasts())).0, failed(NotClaimed::TimedOut));
    let (answer, _) = play(3, vec![], |me| three.all().start(me, Deadline::Immediate, 20));
    assert_eq!((answer, three.gate() & !WAITERS), (failed(NotClaimed::WouldBlock), id_of(0).word()));
}

#[test]
fn the_gate_of_the_dead_is_taken_over() {
    let three = Three::new([1, 0, 0], [0; 2], id_of(7).word() | HELD);
    assert_eq!((three.send(vec![]).0, three.gate()), (Ok(1), 0));
    let three = Three::new([1, 0, 0], [0; 2], id_of(7).word());
    let (answer, _) =
        play(3, vec![], |me| three.all().start(me, Deadline::Immediate, 20).map(|draft| draft.claim.index()));
    assert_eq!((answer, three.gate()), (Ok(1), 0));
}

/// It has been woken for a cell, which a short message could have. It cannot tell a wake from the
/// first turn of its vigil, which only collects: so it wakes another after that, too.
#[test]
fn a_woken_sender_that_lacks_blocks_wakes_another_for_the_cell() {
    let three = Three::without_blocks();
    let (answer, wakes) = three.send(meanwhile(&three, |_, sleep| sleep.lasts()));
    assert_eq!((answer, wakes), (failed(NotClaimed::TimedOut), vec![1, 1]));
    // There is no cell either.
    let three = Three::new([FULL; 3], [0; 2], 0);
    let (answer, wakes) = three.send(meanwhile(&three, |_, sleep| sleep.lasts()));
    assert_eq!((answer, wakes), (failed(NotClaimed::TimedOut), vec![]));
}

#[test]
fn a_woken_sender_that_leaves_another_cell_wakes_another() {
    let three = Three::without_blocks();
    let (answer, wakes) = three.send(meanwhile(&three, |three, _| receive(three)));
    assert_eq!(
        (answer, wakes),
        (Ok(1), vec![1, 1, 1]),
        "as above, then the receiver, then the sender for the third cell"
    );
}

/// What `change` wakes on `items` and on `room`, where all three cells are free and the block, too.
fn wakes_of(change: fn(All<'_>, Me<'_>)) -> [Vec<u32>; 2] {
    let three = Three::new([1, 0, 0], [WAITERS; 2], 0);
    let ((), wakes) = play(3, vec![], |me| change(three.all(), me));
    [wakes.on(three.queue.queue.sleepers()[0]), wakes.on(three.queue.queue.sleepers()[1])]
}

fn started(all: All<'_>, me: Me<'_>, length: usize) -> Draft {
    all.start(me, Deadline::Immediate, length).expect("there is room")
}

#[test]
fn a_publication_wakes_a_receiver_and_for_a_spare_block_a_sender() {
    assert_eq!(wakes_of(|all, me| all.publish(started(all, me, 20), 20)), [vec![1], vec![]]);
    assert_eq!(wakes_of(|all, me| all.publish(started(all, me, 20), 11)), [vec![1], vec![]]);
    assert_eq!(wakes_of(|all, me| all.publish(started(all, me, 20), 10)), [vec![1], vec![1]]);
    assert_eq!(wakes_of(|all, me| all.publish(started(all, me, 5), 5)), [vec![1], vec![]]);
}

#[test]
fn what_is_given_up_wakes_all_receivers_and_a_sender() {
    assert_eq!(wakes_of(|all, me| all.give_up(started(all, me, 20))), [vec![u32::MAX], vec![1]]);
}

#[test]
fn what_is_put_back_wakes_a_receiver() {
    let three = Three::new([FULL, 0, 0], [WAITERS; 2], 0);
    let ((), wakes) = play(3, vec![], |me| {
        let message = three.all().take(me, Deadline::By(None)).expect("there is one");
        three.all().put_back(message);
    });
    assert_eq!(wakes.on(three.queue.queue.sleepers()[0]), [1]);
    assert!(wakes.on(three.queue.queue.sleepers()[1]).is_empty());
    assert_eq!(three.words.cells[0].load(Relaxed), FULL);
}

/// Which words a source of a wait for several watches: the one on which its changes wake all.
#[test]
fn room_for_a_message_is_watched_on_a_word_of_its_own() {
    let three = Three::without_blocks();
    let changed = || _ = play(3, vec![], |_| three.all().ring().notice_foreign());
    for length in [0, 20] {
        let source = Writable { messages: three.all(), length };
        let (values, wakes) = play(3, vec![], |me| {
            let mut awaited = vec![];
            source.observe(me, &mut awaited);
            let readiness = source.announce(me, &mut awaited);
            source.wake_next(me);
            assert_eq!(readiness == Readiness::Ready, length == 0, "there are cells, and no block");
            awaited.iter().map(|expect| (&raw const *expect.word, expect.value)).collect::<Vec<_>>()
        });
        assert_eq!(wakes.counts().count(), 0, "nobody's wake is passed on");
        let (word, value) = values[0];
        assert!(values.iter().all(|watched| *watched == (word, value)));
        assert_eq!(values.len(), if length == 0 { 1 } else { 2 });
        assert_eq!(source.is_dear(), length == 20, "it looks at the pool");
        changed();
        let (after, _) = play(3, vec![], |me| {
            let mut awaited = vec![];
            source.observe(me, &mut awaited);
            (&raw const *awaited[0].word, awaited[0].value)
        });
        assert_eq!(after, (word, value + 1), "who announced itself finds each change");
    }
}

/// Of three blocks, the message in the first cell has some. The search begins anywhere.
#[test]
fn there_is_room_for_a_message_if_the_gate_and_enough_blocks_are_free() {
    let rooms = |used: u32, next: u32, gate: u32| {
        let (queue, words) = (queue_of([1, 0], [0; 2], gate, next), Words::new(3, 3, 10));
        words.cells[0].store(FULL, Relaxed);
        for (block, owner) in words.owners.iter().enumerate().filter(|(block, _)| used >> block & 1 == 1) {
            assert!(block < 3);
            owner.store(Owner::<32>::of(Position { lap: 0, index: 0 }).0, Relaxed);
        }
        let lengths = [10, 20, 30, 40, 41];
        play(3, vec![], |me| lengths.map(|length| Writable { messages: queue.with(&words), length }.is_ready(me))).0
    };
    for (used, next) in (0..8).flat_map(|used| [0, 1, 2, 3, 7].map(|next| (used, next))) {
        let free = 3 - u32::count_ones(used);
        // What no queue takes is an error at once.
        let expected = [true, free >= 1, free >= 2, free >= 3, true];
        assert_eq!(rooms(used, next, 0), expected, "{used:b} from {next}");
    }
    for (holder, is_free) in [(0, false), (1, false), (5, true)] {
        let expected = [true, is_free, is_free, is_free, true];
        assert_eq!(rooms(0, 0, id_of(holder).word()), expected, "participant {holder} has the gate");
    }
}
