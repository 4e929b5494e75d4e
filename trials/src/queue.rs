//! The queue, compared with its reference.
//!
//! Producers and consumers also stop between a claim and its end. So the others meet cells that are
//! in use by the living, and by the dead.

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
use outlive::raw::queue::{Cells, Claim, NotClaimed, Ring};
use outlive::raw::{Id, Participant, Queue};
use std::cell::RefCell;
use std::collections::HashMap;

/// The operations of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sends this item, if that needs no waiting.
    TrySend(u8),
    /// Sends this item, and waits for room.
    Send(u8),
    /// Sends these items as a batch, as long as that needs no waiting.
    SendTwo([u8; 2]),
    /// Receives an item, if that needs no waiting.
    TryReceive,
    /// Receives an item, and waits for one.
    Receive,
    /// Receives up to two items as a batch, if that needs no waiting.
    ReceiveTwo,
    /// Receives all items that are there.
    Drain,
    /// The first half of `TrySend`.
    ClaimFree,
    /// The second half of `TrySend`: publishes this item.
    Publish(u8),
    /// The first half of `TryReceive`.
    ClaimFull,
    /// The second half of `TryReceive`.
    Finish,
    /// Closes the queue.
    Close,
    /// Whether it is closed.
    IsClosed,
    /// How many items there are.
    Len,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ALL: &[(usize, Operation)] = &[
            (2, TrySend(0)),
            (5, Send(0)),
            (2, SendTwo([0; 2])),
            (2, TryReceive),
            (5, Receive),
            (2, ReceiveTwo),
            (1, Drain),
            (2, ClaimFree),
            (3, Publish(0)),
            (2, ClaimFull),
            (3, Finish),
            (1, Close),
            (1, IsClosed),
            (1, Len),
        ];
        Ok(match choose(bytes, ALL)? {
            TrySend(_) => TrySend(bytes.arbitrary()?),
            Send(_) => Send(bytes.arbitrary()?),
            SendTwo(_) => SendTwo(bytes.arbitrary()?),
            Publish(_) => Publish(bytes.arbitrary()?),
            other => other,
        })
    }
}

/// The answers of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// So many items were sent. The error is that of the next one.
    Sent(usize, Option<NotClaimed>),
    /// These items were received.
    Received(Vec<u8>),
    /// Nothing was sent or received.
    Failed(NotClaimed),
    /// Whether it is so.
    Is(bool),
    /// The number of items.
    Len(usize),
}

/// A position of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Position {
    /// Its item was received, or its producer has died.
    #[default]
    Finished,
    Filling(Id),
    Full(u8),
    /// With whether the consumer has died.
    Taking(Id, bool, u8),
}

/// The queue as it should be: the positions that were claimed last, as many as there are cells. If
/// `IS_EXACT`, its length is exact: nobody stops or dies in the middle of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueReference<const N: usize, const IS_EXACT: bool> {
    positions: [Position; N],
    is_closed: bool,
}

impl<const N: usize, const IS_EXACT: bool> Default for QueueReference<N, IS_EXACT> {
    fn default() -> Self {
        Self { positions: [Position::Finished; N], is_closed: false }
    }
}

impl<const N: usize, const IS_EXACT: bool> QueueReference<N, IS_EXACT> {
    fn with(&self, index: usize, position: Position) -> Self {
        let mut new = self.clone();
        new.positions[index] = position;
        new
    }

    /// After a producer has claimed the next position. Its cell is that of the oldest one.
    fn claimed_free(&self, claimed: Position) -> Result<Self, NotClaimed> {
        if self.is_closed {
            return Err(NotClaimed::Closed);
        }
        if self.positions[0] != Position::Finished {
            return Err(NotClaimed::WouldBlock);
        }
        let mut new = self.clone();
        new.positions.rotate_left(1);
        new.positions[N - 1] = claimed;
        Ok(new)
    }

    /// The position that the next consumer claims, and its item.
    fn next_full(&self) -> Result<(usize, u8), NotClaimed> {
        let mut may_change = false;
        for (index, position) in self.positions.iter().enumerate() {
            match *position {
                Position::Finished => {}
                Position::Full(item) | Position::Taking(_, true, item) => return Ok((index, item)),
                Position::Taking(_, false, _) => may_change = true,
                Position::Filling(_) => return Err(NotClaimed::WouldBlock),
            }
        }
        Err(if self.is_closed && !may_change { NotClaimed::Closed } else { NotClaimed::WouldBlock })
    }

    /// After sending these items, and the states that a producer may leave if it dies meanwhile.
    fn sent(&self, items: &[u8]) -> (Result<(), NotClaimed>, usize, Self, Vec<Self>) {
        let (mut now, mut halfway) = (self.clone(), vec![self.clone()]);
        for (count, item) in items.iter().enumerate() {
            // A producer that dies with its claim leaves a finished position.
            match (now.claimed_free(Position::Finished), now.claimed_free(Position::Full(*item))) {
                (Ok(claimed), Ok(published)) => {
                    halfway.extend([claimed, published.clone()]);
                    now = published;
                }
                (_, answer) => return (answer.map(drop), count, now, halfway),
            }
        }
        (Ok(()), items.len(), now, halfway)
    }

    /// After receiving up to `limit` items, and the states that a consumer may leave if it dies
    /// meanwhile.
    fn received(&self, who: Id, limit: usize) -> (Result<Vec<u8>, NotClaimed>, Self, Vec<Self>) {
        let (mut now, mut items, mut halfway) = (self.clone(), vec![], vec![self.clone()]);
        while items.len() < limit {
            match now.next_full() {
                Ok((index, item)) => {
                    items.push(item);
                    halfway.push(now.with(index, Position::Taking(who, false, item)));
                    now = now.with(index, Position::Finished);
                    halfway.push(now.clone());
                }
                Err(error) if items.is_empty() => return (Err(error), now, halfway),
                Err(_) => break,
            }
        }
        (Ok(items), now, halfway)
    }

    fn claim_of(&self, who: Id) -> Option<usize> {
        self.positions.iter().position(|position| match position {
            Position::Filling(by) | Position::Taking(by, false, _) => *by == who,
            _ => false,
        })
    }

    fn len(&self) -> usize {
        self.positions.iter().filter(|position| **position != Position::Finished).count()
    }
}

fn timed_out(error: NotClaimed) -> NotClaimed {
    if error == NotClaimed::WouldBlock { NotClaimed::TimedOut } else { error }
}

impl<const N: usize, const IS_EXACT: bool> Reference for QueueReference<N, IS_EXACT> {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        let claimed = self.claim_of(who).map(|index| self.positions[index]);
        match operation {
            Operation::ClaimFree | Operation::ClaimFull => claimed.is_none(),
            Operation::Publish(_) => matches!(claimed, Some(Position::Filling(_))),
            Operation::Finish => matches!(claimed, Some(Position::Taking(..))),
            _ => true,
        }
    }

    fn would_wait(&self, _: Id, operation: &Operation) -> bool {
        match operation {
            Operation::Send(_) => self.claimed_free(Position::Finished) == Err(NotClaimed::WouldBlock),
            Operation::Receive => self.next_full() == Err(NotClaimed::WouldBlock),
            _ => false,
        }
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        let done_or = |answer: Result<Self, NotClaimed>| match answer {
            Ok(after) => (Answer::Done, after),
            Err(error) => (Answer::Failed(error), self.clone()),
        };
        let received = |limit| {
            let (items, after, _) = self.received(who, limit);
            (items.map_or_else(Answer::Failed, Answer::Received), after)
        };
        match *operation {
            Operation::TrySend(item) => done_or(self.claimed_free(Position::Full(item))),
            Operation::Send(item) => done_or(self.claimed_free(Position::Full(item)).map_err(timed_out)),
            Operation::SendTwo(items) => {
                let (answer, count, after, _) = self.sent(&items);
                (Answer::Sent(count, answer.err()), after)
            }
            Operation::TryReceive => received(1),
            Operation::Receive => match received(1) {
                (Answer::Failed(error), after) => (Answer::Failed(timed_out(error)), after),
                received => received,
            },
            Operation::ReceiveTwo => received(2),
            Operation::Drain => {
                let (items, after, _) = self.received(who, N);
                (Answer::Received(items.unwrap_or_default()), after)
            }
            Operation::ClaimFree => done_or(self.claimed_free(Position::Filling(who))),
            Operation::ClaimFull => {
                done_or(self.next_full().map(|(index, item)| self.with(index, Position::Taking(who, false, item))))
            }
            Operation::Publish(item) => {
                let index = self.claim_of(who).expect("allowed with a claim alone");
                (Answer::Done, self.with(index, Position::Full(item)))
            }
            Operation::Finish => {
                let index = self.claim_of(who).expect("allowed with a claim alone");
                let Position::Taking(_, _, item) = self.positions[index] else { panic!("allowed to a consumer alone") };
                (Answer::Received(vec![item]), self.with(index, Position::Finished))
            }
            Operation::Close => (Answer::Is(!self.is_closed), Self { is_closed: true, ..self.clone() }),
            Operation::IsClosed => (Answer::Is(self.is_closed), self.clone()),
            Operation::Len => (Answer::Len(self.len()), self.clone()),
        }
    }

    fn after(&self, who: Id, operation: &Operation, answer: &Answer) -> Option<Self> {
        if let (Answer::Len(len), false) = (answer, IS_EXACT) {
            return (*len <= N).then(|| self.clone());
        }
        let (expected, after) = self.apply(who, operation);
        (expected == *answer).then_some(after)
    }

    fn halfway(&self, who: Id, operation: &Operation) -> Vec<Self> {
        match *operation {
            Operation::TrySend(item) | Operation::Send(item) => self.sent(&[item]).3,
            Operation::SendTwo(items) => self.sent(&items).3,
            Operation::TryReceive | Operation::Receive => self.received(who, 1).2,
            Operation::ReceiveTwo => self.received(who, 2).2,
            Operation::Drain => self.received(who, N).2,
            _ => vec![self.clone(), self.apply(who, operation).1],
        }
    }

    fn after_death_of(&self, who: Id) -> Self {
        let mut new = self.clone();
        for position in &mut new.positions {
            match position {
                Position::Filling(by) if *by == who => *position = Position::Finished,
                Position::Taking(by, has_died, _) => *has_died |= *by == who,
                _ => {}
            }
        }
        new
    }
}

/// Cells, with an item each.
#[derive(Debug)]
struct Items<const N: usize> {
    words: [Word64; N],
    items: [Word; N],
}

impl<const N: usize> Cells<Standard> for Items<N> {
    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64 {
        &self.words[index]
    }
}

/// `raw::Queue`, with laps of three bits, which wrap.
#[derive(Debug)]
pub struct QueueTrial<const N: usize> {
    queue: Queue<Standard, 3>,
    cells: Items<N>,
    claims: RefCell<HashMap<u32, Claim>>,
}

impl<const N: usize> Default for QueueTrial<N> {
    fn default() -> Self {
        let cells =
            Items { words: core::array::from_fn(|_| Word64::new(0)), items: core::array::from_fn(|_| Word::new(0)) };
        let queue = Queue::from_words(Word64::new(0), Word64::new(0), Word::new(0), Word::new(0), Ends::default());
        Self { queue, cells, claims: RefCell::default() }
    }
}

impl<const N: usize> QueueTrial<N> {
    fn ring(&self) -> Ring<'_, Standard, Items<N>, 3> {
        self.queue.with(&self.cells)
    }

    /// A death may be here, too.
    fn write(&self, claim: Claim, item: u8) {
        self.cells.items[claim.index()].store(item.into(), Relaxed);
    }

    fn read(&self, claim: Claim) -> u8 {
        u8::try_from(self.cells.items[claim.index()].load(Relaxed)).expect("nothing else was written")
    }

    fn send(&self, item: u8, claim: Result<Claim, NotClaimed>) -> Answer {
        match claim {
            Ok(claim) => {
                self.write(claim, item);
                self.ring().publish(claim);
                Answer::Done
            }
            Err(error) => Answer::Failed(error),
        }
    }

    fn receive(&self, claim: Result<Claim, NotClaimed>) -> Answer {
        match claim {
            Ok(claim) => {
                let item = self.read(claim);
                self.ring().finish(claim);
                Answer::Received(vec![item])
            }
            Err(error) => Answer::Failed(error),
        }
    }

    fn receive_some(&self, me: Participant<'_, Standard>, limit: usize) -> Result<Vec<u8>, NotClaimed> {
        let mut items = vec![];
        while items.len() < limit {
            match self.ring().try_claim_full(me) {
                Ok(claim) => {
                    items.push(self.read(claim));
                    self.ring().finish_quietly(claim);
                }
                Err(error) if items.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        self.ring().announce_room(items.len() as u32);
        Ok(items)
    }

    fn keep(&self, who: Id, claim: Result<Claim, NotClaimed>) -> Answer {
        match claim {
            Ok(claim) => {
                self.claims.borrow_mut().insert(who.word(), claim);
                Answer::Done
            }
            Err(error) => Answer::Failed(error),
        }
    }

    fn kept(&self, who: Id) -> Claim {
        self.claims.borrow_mut().remove(&who.word()).expect("allowed with a claim alone")
    }
}

impl<const N: usize> Trial for QueueTrial<N> {
    type Reference = QueueReference<N, false>;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let ring = self.ring();
        match *operation {
            Operation::TrySend(item) => self.send(item, ring.try_claim_free(me)),
            Operation::Send(item) => self.send(item, ring.claim_free(me, Some(until))),
            Operation::SendTwo(items) => {
                for (count, item) in items.into_iter().enumerate() {
                    match ring.try_claim_free(me) {
                        Ok(claim) => {
                            self.write(claim, item);
                            ring.publish_quietly(claim);
                        }
                        Err(error) => {
                            if count > 0 {
                                ring.announce_items(count as u32);
                            }
                            return Answer::Sent(count, Some(error));
                        }
                    }
                }
                ring.announce_items(2);
                Answer::Sent(2, None)
            }
            Operation::TryReceive => self.receive(ring.try_claim_full(me)),
            Operation::Receive => self.receive(ring.claim_full(me, Some(until))),
            Operation::ReceiveTwo => self.receive_some(me, 2).map_or_else(Answer::Failed, Answer::Received),
            Operation::Drain => Answer::Received(self.receive_some(me, N).unwrap_or_default()),
            Operation::ClaimFree => self.keep(me.id, ring.try_claim_free(me)),
            Operation::Publish(item) => self.send(item, Ok(self.kept(me.id))),
            Operation::ClaimFull => self.keep(me.id, ring.try_claim_full(me)),
            Operation::Finish => self.receive(Ok(self.kept(me.id))),
            Operation::Close => Answer::Is(ring.close()),
            Operation::IsClosed => Answer::Is(self.queue.is_closed()),
            Operation::Len => Answer::Len(ring.len()),
        }
    }
}
