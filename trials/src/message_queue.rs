//! The queue of messages, compared with its reference.
//!
//! Senders and receivers also stop between a claim and its end. So the others meet messages and
//! blocks that are in use by the living, and by the dead.

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
use outlive::raw::message_queue::{Draft, Message, Messages, NotStarted, Place, Store};
use outlive::raw::queue::{Cells, NotClaimed};
use outlive::raw::{Deadline, Id, MessageQueue, Mutex, Participant, Queue};
use std::cell::RefCell;
use std::collections::HashMap;

/// A message: a number, as often as the length says. The length is that in blocks, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// What each of its bytes is.
    pub number: u8,
    /// How many bytes it has: 1 to 5.
    pub length: u8,
}

impl<'a> Arbitrary<'a> for Text {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let byte: u8 = bytes.arbitrary()?;
        Ok(Self { number: byte / 5, length: 1 + byte % 5 })
    }
}

/// The operations of a queue of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Sends this message, if that needs no waiting.
    TrySend(Text),
    /// Sends this message, and waits for room.
    Send(Text),
    /// Sends this message, without saying how long it is, if that needs no waiting.
    TrySendGrowing(Text),
    /// Receives a message, if that needs no waiting.
    TryReceive,
    /// Receives a message, and waits for one.
    Receive,
    /// The first half of `TrySend`: for a message of this length.
    Start(Text),
    /// The second half of `TrySend`: publishes this message, as much of it as has room.
    Publish(Text),
    /// Gives the message up that was begun.
    GiveUp,
    /// The first half of `TryReceive`.
    Take,
    /// The second half of `TryReceive`.
    Finish,
    /// Puts the message back that was taken.
    PutBack,
    /// Closes the queue.
    Close,
    /// Whether it is closed.
    IsClosed,
    /// How many messages there are.
    Len,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ANY: Text = Text { number: 0, length: 1 };
        const ALL: &[(usize, Operation)] = &[
            (2, TrySend(ANY)),
            (6, Send(ANY)),
            (2, TrySendGrowing(ANY)),
            (2, TryReceive),
            (5, Receive),
            (2, Start(ANY)),
            (3, Publish(ANY)),
            (1, GiveUp),
            (2, Take),
            (3, Finish),
            (1, PutBack),
            (1, Close),
            (1, IsClosed),
            (1, Len),
        ];
        Ok(match choose(bytes, ALL)? {
            TrySend(_) => TrySend(bytes.arbitrary()?),
            Send(_) => Send(bytes.arbitrary()?),
            TrySendGrowing(_) => TrySendGrowing(bytes.arbitrary()?),
            Start(_) => Start(bytes.arbitrary()?),
            Publish(_) => Publish(bytes.arbitrary()?),
            other => other,
        })
    }
}

/// The answers of a queue of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// This message was received.
    Received(Text),
    /// Nothing was sent or received.
    Failed(NotClaimed),
    /// The message is longer than all blocks together.
    TooLong,
    /// Whether it is so.
    Is(bool),
    /// The number of messages.
    Len(usize),
}

impl From<NotStarted> for Answer {
    fn from(error: NotStarted) -> Self {
        match error {
            NotStarted::NotClaimed(error) => Self::Failed(error),
            NotStarted::TooLong => Self::TooLong,
        }
    }
}

/// A position of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Position {
    /// Its message was received or given up, or its sender has died.
    #[default]
    Finished,
    /// With the length for which there is room.
    Filling(Id, u8),
    Full(Text),
    /// With whether the receiver has died.
    Taking(Id, bool, Text),
}

impl Position {
    /// How many blocks of the pool it has.
    fn blocks(self) -> usize {
        match self {
            Self::Finished => 0,
            Self::Filling(_, length) | Self::Full(Text { length, .. }) | Self::Taking(_, _, Text { length, .. }) => {
                usize::from(length) - 1
            }
        }
    }
}

/// The queue as it should be: the positions that were claimed last, as many as there are cells.
/// The pool has `K` blocks. If `IS_EXACT`, its length is exact: nobody stops or dies in the middle
/// of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct MessagesReference<const N: usize, const K: usize, const IS_EXACT: bool> {
    positions: [Position; N],
    is_closed: bool,
    /// Who waits for blocks. Others that need blocks wait until it has them.
    gate: Option<Id>,
}

impl<const N: usize, const K: usize, const IS_EXACT: bool> Default for MessagesReference<N, K, IS_EXACT> {
    fn default() -> Self {
        Self { positions: [Position::Finished; N], is_closed: false, gate: None }
    }
}

impl<const N: usize, const K: usize, const IS_EXACT: bool> MessagesReference<N, K, IS_EXACT> {
    fn with(&self, index: usize, position: Position) -> Self {
        let mut new = self.clone();
        new.positions[index] = position;
        new
    }

    /// After this participant has left the gate, if it had it.
    fn without_gate_of(&self, who: Id) -> Self {
        Self { gate: self.gate.filter(|by| *by != who), ..self.clone() }
    }

    /// After a sender has claimed the next position, for a message of this length. Its cell is that
    /// of the oldest one.
    fn started(&self, who: Id, length: u8, claimed: Position) -> Result<Self, NotStarted> {
        let failed = |error| Err(NotStarted::NotClaimed(error));
        let blocks = usize::from(length) - 1;
        if blocks > K {
            return Err(NotStarted::TooLong);
        }
        if self.is_closed {
            return failed(NotClaimed::Closed);
        }
        if blocks > 0 && self.gate.is_some_and(|by| by != who) {
            return failed(NotClaimed::WouldBlock);
        }
        let used: usize = self.positions.iter().map(|position| position.blocks()).sum();
        if self.positions[0] != Position::Finished || used + blocks > K {
            return failed(NotClaimed::WouldBlock);
        }
        let mut new = self.without_gate_of(who);
        new.positions.rotate_left(1);
        new.positions[N - 1] = claimed;
        Ok(new)
    }

    fn sent(&self, who: Id, text: Text) -> Result<Self, NotStarted> {
        self.started(who, text.length, Position::Full(text))
    }

    /// After a message was sent whose sender did not know its length. If it finds no block, its
    /// position is finished.
    fn sent_growing(&self, who: Id, text: Text) -> (Result<(), NotStarted>, Self) {
        match (self.started(who, 1, Position::Finished), self.sent(who, text)) {
            (_, Ok(sent)) => (Ok(()), sent),
            (Ok(given_up), Err(_)) => (Err(NotStarted::NotClaimed(NotClaimed::WouldBlock)), given_up),
            (Err(error), Err(_)) => (Err(error), self.clone()),
        }
    }

    /// The position that the next receiver claims, and its message.
    fn next_full(&self) -> Result<(usize, Text), NotClaimed> {
        let mut may_change = false;
        for (index, position) in self.positions.iter().enumerate() {
            match *position {
                Position::Finished => {}
                Position::Full(text) | Position::Taking(_, true, text) => return Ok((index, text)),
                Position::Taking(_, false, _) => may_change = true,
                Position::Filling(..) => return Err(NotClaimed::WouldBlock),
            }
        }
        Err(if self.is_closed && !may_change { NotClaimed::Closed } else { NotClaimed::WouldBlock })
    }

    fn received(&self) -> (Answer, Self) {
        match self.next_full() {
            Ok((index, text)) => (Answer::Received(text), self.with(index, Position::Finished)),
            Err(error) => (Answer::Failed(error), self.clone()),
        }
    }

    fn taken(&self, who: Id) -> Result<Self, NotClaimed> {
        self.next_full().map(|(index, text)| self.with(index, Position::Taking(who, false, text)))
    }

    fn claim_of(&self, who: Id) -> Option<(usize, Position)> {
        let is_its_own = |(_, position): &(usize, Position)| match position {
            Position::Filling(by, _) | Position::Taking(by, false, _) => *by == who,
            _ => false,
        };
        self.positions.iter().copied().enumerate().find(is_its_own)
    }

    fn len(&self) -> usize {
        self.positions.iter().filter(|position| **position != Position::Finished).count()
    }
}

/// The answer of an operation that waited to its deadline.
fn timed_out(answer: Answer) -> Answer {
    match answer {
        Answer::Failed(NotClaimed::WouldBlock) => Answer::Failed(NotClaimed::TimedOut),
        other => other,
    }
}

impl<const N: usize, const K: usize, const IS_EXACT: bool> Reference for MessagesReference<N, K, IS_EXACT> {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        let claimed = self.claim_of(who).map(|(_, position)| position);
        match operation {
            Operation::Start(_) | Operation::Take => claimed.is_none(),
            Operation::Publish(_) | Operation::GiveUp => matches!(claimed, Some(Position::Filling(..))),
            Operation::Finish | Operation::PutBack => matches!(claimed, Some(Position::Taking(..))),
            _ => true,
        }
    }

    fn would_wait(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::Send(text) => self.sent(who, *text) == Err(NotStarted::NotClaimed(NotClaimed::WouldBlock)),
            Operation::Receive => self.next_full() == Err(NotClaimed::WouldBlock),
            _ => false,
        }
    }

    fn begins_to_wait(&self, who: Id, operation: &Operation) -> Self {
        let needs_blocks = matches!(operation, Operation::Send(text) if text.length > 1);
        Self { gate: self.gate.or(needs_blocks.then_some(who)), ..self.clone() }
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        let done_or = |answer: Result<Self, NotStarted>| match answer {
            Ok(after) => (Answer::Done, after),
            Err(error) => (error.into(), self.without_gate_of(who)),
        };
        let claim = || self.claim_of(who).expect("allowed with a claim alone");
        match *operation {
            Operation::TrySend(text) => done_or(self.sent(who, text)),
            Operation::Send(text) => {
                let (answer, after) = done_or(self.sent(who, text));
                (timed_out(answer), after)
            }
            Operation::TrySendGrowing(text) => {
                let (answer, after) = self.sent_growing(who, text);
                (answer.map_or_else(Answer::from, |()| Answer::Done), after)
            }
            Operation::TryReceive => self.received(),
            Operation::Receive => {
                let (answer, after) = self.received();
                (timed_out(answer), after)
            }
            Operation::Start(text) => done_or(self.started(who, text.length, Position::Filling(who, text.length))),
            Operation::Take => done_or(self.taken(who).map_err(NotStarted::from)),
            Operation::Publish(text) => match claim() {
                (index, Position::Filling(_, room)) => {
                    (Answer::Done, self.with(index, Position::Full(Text { length: text.length.min(room), ..text })))
                }
                (_, other) => panic!("allowed to a sender alone, and there is {other:?}"),
            },
            Operation::GiveUp => (Answer::Done, self.with(claim().0, Position::Finished)),
            Operation::Finish | Operation::PutBack => match claim() {
                (index, Position::Taking(_, _, text)) if *operation == Operation::Finish => {
                    (Answer::Received(text), self.with(index, Position::Finished))
                }
                (index, Position::Taking(_, _, text)) => (Answer::Done, self.with(index, Position::Full(text))),
                (_, other) => panic!("allowed to a receiver alone, and there is {other:?}"),
            },
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
        let mut halfway = vec![self.clone(), self.apply(who, operation).1];
        match *operation {
            // A sender that dies with its claim leaves a finished position.
            Operation::TrySend(text) | Operation::Send(text) | Operation::Start(text) => {
                halfway.extend(self.started(who, text.length, Position::Finished));
            }
            Operation::TrySendGrowing(_) => halfway.extend(self.started(who, 1, Position::Finished)),
            Operation::TryReceive | Operation::Receive => halfway.extend(self.taken(who)),
            _ => {}
        }
        halfway
    }

    fn after_death_of(&self, who: Id) -> Self {
        let mut new = self.without_gate_of(who);
        for position in &mut new.positions {
            match position {
                Position::Filling(by, _) if *by == who => *position = Position::Finished,
                Position::Taking(by, has_died, _) => *has_died |= *by == who,
                _ => {}
            }
        }
        new
    }
}

/// A queue of messages in plain memory. Each of its blocks has one byte, in a `B`. Laps have `LAP`
/// bits, and wrap all the time.
#[derive(Debug)]
pub struct Letters<B, const N: usize, const K: usize, const LAP: u32> {
    queue: MessageQueue<Standard, LAP>,
    words: [Word64; N],
    letters: [Word64; N],
    owners: [Word64; K],
    links: [Word; K],
    firsts: [B; N],
    pool: [B; K],
}

impl<B, const N: usize, const K: usize, const LAP: u32> Letters<B, N, K, LAP> {
    /// An empty queue. `block` makes a block.
    pub fn new(block: impl Fn() -> B) -> Self {
        let queue = Queue::from_words(Word64::new(0), Word64::new(0), Word::new(0), Word::new(0), Ends::default());
        Self {
            queue: MessageQueue::from_words(queue, Mutex::from_word(Word::new(0)), Word::new(0)),
            words: core::array::from_fn(|_| Word64::new(0)),
            letters: core::array::from_fn(|_| Word64::new(0)),
            owners: core::array::from_fn(|_| Word64::new(0)),
            links: core::array::from_fn(|_| Word::new(0)),
            firsts: core::array::from_fn(|_| block()),
            pool: core::array::from_fn(|_| block()),
        }
    }

    /// The queue's operations.
    pub fn messages(&self) -> Messages<'_, Standard, Self, LAP> {
        self.queue.with(self)
    }

    /// The block at a place.
    pub fn block(&self, place: Place) -> &B {
        match place {
            Place::Cell(index) => &self.firsts[index],
            Place::Block(block) => &self.pool[block],
        }
    }
}

impl<B, const N: usize, const K: usize, const LAP: u32> Cells<Standard> for Letters<B, N, K, LAP> {
    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64 {
        &self.words[index]
    }
}

impl<B, const N: usize, const K: usize, const LAP: u32> Store<Standard> for Letters<B, N, K, LAP> {
    fn block_size(&self) -> usize {
        1
    }
    fn blocks(&self) -> usize {
        K
    }
    fn letter(&self, index: usize) -> &Word64 {
        &self.letters[index]
    }
    fn owner(&self, block: usize) -> &Word64 {
        &self.owners[block]
    }
    fn link(&self, block: usize) -> &Word {
        &self.links[block]
    }
}

/// What a participant has begun, and not ended.
#[derive(Debug)]
enum Begun {
    /// With the length for which there is room.
    Draft(Draft, u8),
    Message(Message),
}

/// The bits of a lap. No scenario is so long that they wrap: a block that nobody had used since
/// might then seem to be in use, which the reference does not know. Models wrap them all the time.
const LAP: u32 = 16;

/// `raw::MessageQueue`.
#[derive(Debug)]
pub struct MessagesTrial<const N: usize, const K: usize> {
    letters: Letters<Word, N, K, LAP>,
    begun: RefCell<HashMap<u32, Begun>>,
}

impl<const N: usize, const K: usize> Default for MessagesTrial<N, K> {
    fn default() -> Self {
        Self { letters: Letters::new(|| Word::new(0)), begun: RefCell::default() }
    }
}

impl<const N: usize, const K: usize> MessagesTrial<N, K> {
    fn messages(&self) -> Messages<'_, Standard, Letters<Word, N, K, LAP>, LAP> {
        self.letters.messages()
    }

    /// A death may be here, too.
    fn publish(&self, draft: Draft, text: Text) -> Answer {
        let messages = self.messages();
        let mut place = Some(messages.first_place(&draft));
        for _ in 0..text.length {
            let here = place.expect("there is room for the message");
            self.letters.block(here).store(text.number.into(), Relaxed);
            place = messages.next_place(&draft, here);
        }
        messages.publish(draft, text.length.into());
        Answer::Done
    }

    fn send(&self, text: Text, started: Result<Draft, NotStarted>) -> Answer {
        started.map_or_else(Answer::from, |draft| self.publish(draft, text))
    }

    fn send_growing(&self, me: Participant<'_, Standard>, text: Text) -> Answer {
        let messages = self.messages();
        let mut draft = match messages.start(me, Deadline::Immediate, 0) {
            Ok(draft) => draft,
            Err(error) => return error.into(),
        };
        while messages.room(&draft) < text.length.into() {
            if !messages.grow(me, &mut draft) {
                messages.give_up(draft);
                return Answer::Failed(NotClaimed::WouldBlock);
            }
        }
        self.publish(draft, text)
    }

    fn finish(&self, message: Message) -> Answer {
        let messages = self.messages();
        let bytes: Vec<_> = messages
            .pieces(&message)
            .map(|piece| self.letters.block(piece.expect("nobody has overwritten it").place).load(Relaxed))
            .collect();
        let number = u8::try_from(bytes[0]).expect("nothing else was written");
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "parts of different messages: {bytes:?}");
        messages.finish(message);
        Answer::Received(Text { number, length: bytes.len() as u8 })
    }

    fn receive(&self, taken: Result<Message, NotClaimed>) -> Answer {
        taken.map_or_else(Answer::Failed, |message| self.finish(message))
    }

    fn keep(&self, who: Id, begun: Begun) -> Answer {
        self.begun.borrow_mut().insert(who.word(), begun);
        Answer::Done
    }

    fn kept(&self, who: Id) -> Begun {
        self.begun.borrow_mut().remove(&who.word()).expect("allowed with a claim alone")
    }

    fn draft(&self, who: Id) -> (Draft, u8) {
        match self.kept(who) {
            Begun::Draft(draft, room) => (draft, room),
            Begun::Message(_) => panic!("allowed to a sender alone"),
        }
    }

    fn message(&self, who: Id) -> Message {
        match self.kept(who) {
            Begun::Message(message) => message,
            Begun::Draft(..) => panic!("allowed to a receiver alone"),
        }
    }
}

impl<const N: usize, const K: usize> Trial for MessagesTrial<N, K> {
    type Reference = MessagesReference<N, K, false>;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let messages = self.messages();
        let (now, until) = (Deadline::Immediate, Deadline::By(Some(until)));
        match *operation {
            Operation::TrySend(text) => self.send(text, messages.start(me, now, text.length.into())),
            Operation::Send(text) => self.send(text, messages.start(me, until, text.length.into())),
            Operation::TrySendGrowing(text) => self.send_growing(me, text),
            Operation::TryReceive => self.receive(messages.take(me, now)),
            Operation::Receive => self.receive(messages.take(me, until)),
            Operation::Start(text) => match messages.start(me, now, text.length.into()) {
                Ok(draft) => self.keep(me.id, Begun::Draft(draft, text.length)),
                Err(error) => error.into(),
            },
            Operation::Publish(text) => {
                let (draft, room) = self.draft(me.id);
                self.publish(draft, Text { length: text.length.min(room), ..text })
            }
            Operation::GiveUp => {
                messages.give_up(self.draft(me.id).0);
                Answer::Done
            }
            Operation::Take => match messages.take(me, now) {
                Ok(message) => self.keep(me.id, Begun::Message(message)),
                Err(error) => Answer::Failed(error),
            },
            Operation::Finish => self.finish(self.message(me.id)),
            Operation::PutBack => {
                messages.put_back(self.message(me.id));
                Answer::Done
            }
            Operation::Close => Answer::Is(messages.ring().close()),
            Operation::IsClosed => Answer::Is(self.letters.queue.queue().is_closed()),
            Operation::Len => Answer::Len(messages.ring().len()),
        }
    }
}
