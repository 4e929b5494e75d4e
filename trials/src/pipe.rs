//! The pipe, compared with its reference. Each message is one frame.
//!
//! Any participant tries to take an end, and who has one may die with it.

use crate::choose;
use crate::operations::Trial;
use crate::reference::Reference;
use crate::standard::{Standard, Word, Word64};
use arbitrary::{Arbitrary, Unstructured};
use core::sync::atomic::Ordering::Relaxed;
use core::time::Duration;
use outlive::platform::Word as _;
use outlive::platform::Word64 as _;
use outlive::raw::pipe::{Frame, Lane, NotReady, NotTaken, Pipe, Readable, Receiver, Sender, WORD, Words, Writable};
use outlive::raw::wait_any::Source as _;
use outlive::raw::{Id, Participant};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

/// A message: a number, in each of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// What each of its words is.
    pub number: u8,
    /// How many words it has: 1 or 2. In a ring of four words, 1.
    pub length: u8,
}

impl<'a> Arbitrary<'a> for Text {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let byte: u8 = bytes.arbitrary()?;
        Ok(Self { number: byte / 2, length: 1 + byte % 2 })
    }
}

/// The operations of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Takes the sending end.
    TakeSender,
    /// Takes the receiving end.
    TakeReceiver,
    /// Gives the sending end back.
    GiveBackSender,
    /// Gives the receiving end back.
    GiveBackReceiver,
    /// Sends this message, if that needs no waiting.
    TrySend(Text),
    /// Sends this message, and waits for room.
    Send(Text),
    /// Receives a message, if that needs no waiting.
    TryReceive,
    /// Receives a message, and waits for one.
    Receive,
    /// Whether the receiver's source is ready.
    IsReadable,
    /// Whether the sender's source is ready.
    IsWritable,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        use Operation::*;
        const ANY: Text = Text { number: 0, length: 1 };
        const ALL: &[(usize, Operation)] = &[
            (6, TakeSender),
            (6, TakeReceiver),
            (1, GiveBackSender),
            (1, GiveBackReceiver),
            (3, TrySend(ANY)),
            (8, Send(ANY)),
            (3, TryReceive),
            (8, Receive),
            (1, IsReadable),
            (1, IsWritable),
        ];
        Ok(match choose(bytes, ALL)? {
            TrySend(_) => TrySend(bytes.arbitrary()?),
            Send(_) => Send(bytes.arbitrary()?),
            other => other,
        })
    }
}

/// The answers of a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// This message was received.
    Received(Text),
    /// Nothing was sent or received.
    Failed(NotReady),
    /// The end was not taken.
    NotTaken(NotTaken),
    /// Whether it is so.
    Is(bool),
}

/// Who has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    #[default]
    Free,
    Of(Id),
    OfDead(Id),
    Closed,
}

impl End {
    fn taken(self, who: Id) -> Result<Self, NotTaken> {
        match self {
            Self::Free | Self::OfDead(_) => Ok(Self::Of(who)),
            Self::Of(by) => Err(NotTaken::Taken(by)),
            Self::Closed => Err(NotTaken::Closed),
        }
    }

    /// Why the other side has nothing to wait for.
    fn is_over(self) -> Option<NotReady> {
        match self {
            Self::Free | Self::Of(_) => None,
            Self::OfDead(id) => Some(NotReady::PeerDied(id)),
            Self::Closed => Some(NotReady::Closed),
        }
    }

    fn after_death_of(self, who: Id) -> Self {
        if self == Self::Of(who) { Self::OfDead(who) } else { self }
    }
}

/// The pipe as it should be, with a ring of `N` words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PipeReference<const N: usize> {
    messages: VecDeque<Text>,
    sender: End,
    receiver: End,
}

/// How many words the message has in a ring of `N`.
fn cut<const N: usize>(text: Text) -> Text {
    Text { length: text.length.min((N / 4) as u8), ..text }
}

impl<const N: usize> PipeReference<N> {
    /// Whether there is room for so many words: each message has a header, and a word stays free.
    fn has_room(&self, words: usize) -> bool {
        let used: usize = self.messages.iter().map(|text| usize::from(text.length) + 1).sum();
        used + words < N
    }

    fn sent(&self, text: Text) -> Result<Self, NotReady> {
        if self.receiver == End::Closed {
            return Err(NotReady::Closed);
        }
        let text = cut::<N>(text);
        if !self.has_room(usize::from(text.length) + 1) {
            return Err(self.receiver.is_over().unwrap_or(NotReady::WouldBlock));
        }
        let mut after = self.clone();
        after.messages.push_back(text);
        Ok(after)
    }

    fn received(&self) -> Result<(Text, Self), NotReady> {
        let mut after = self.clone();
        match after.messages.pop_front() {
            Some(text) => Ok((text, after)),
            None => Err(self.sender.is_over().unwrap_or(NotReady::WouldBlock)),
        }
    }
}

fn timed_out(error: NotReady) -> NotReady {
    if error == NotReady::WouldBlock { NotReady::TimedOut } else { error }
}

impl<const N: usize> Reference for PipeReference<N> {
    type Operation = Operation;
    type Answer = Answer;

    fn allows(&self, who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::TakeSender | Operation::TakeReceiver => true,
            Operation::GiveBackSender | Operation::TrySend(_) | Operation::Send(_) | Operation::IsWritable => {
                self.sender == End::Of(who)
            }
            Operation::GiveBackReceiver | Operation::TryReceive | Operation::Receive | Operation::IsReadable => {
                self.receiver == End::Of(who)
            }
        }
    }

    fn would_wait(&self, _who: Id, operation: &Operation) -> bool {
        match operation {
            Operation::Send(text) => self.sent(*text) == Err(NotReady::WouldBlock),
            Operation::Receive => self.received() == Err(NotReady::WouldBlock),
            _ => false,
        }
    }

    fn apply(&self, who: Id, operation: &Operation) -> (Answer, Self) {
        let same = |answer| (answer, self.clone());
        match *operation {
            Operation::TakeSender => match self.sender.taken(who) {
                Ok(sender) => (Answer::Done, Self { sender, ..self.clone() }),
                Err(error) => same(Answer::NotTaken(error)),
            },
            Operation::TakeReceiver => match self.receiver.taken(who) {
                Ok(receiver) => (Answer::Done, Self { receiver, ..self.clone() }),
                Err(error) => same(Answer::NotTaken(error)),
            },
            Operation::GiveBackSender => (Answer::Done, Self { sender: End::Closed, ..self.clone() }),
            Operation::GiveBackReceiver => (Answer::Done, Self { receiver: End::Closed, ..self.clone() }),
            Operation::TrySend(text) => match self.sent(text) {
                Ok(after) => (Answer::Done, after),
                Err(error) => same(Answer::Failed(error)),
            },
            Operation::Send(text) => match self.sent(text) {
                Ok(after) => (Answer::Done, after),
                Err(error) => same(Answer::Failed(timed_out(error))),
            },
            Operation::TryReceive => match self.received() {
                Ok((text, after)) => (Answer::Received(text), after),
                Err(error) => same(Answer::Failed(error)),
            },
            Operation::Receive => match self.received() {
                Ok((text, after)) => (Answer::Received(text), after),
                Err(error) => same(Answer::Failed(timed_out(error))),
            },
            Operation::IsReadable => same(Answer::Is(self.received() != Err(NotReady::WouldBlock))),
            Operation::IsWritable => same(Answer::Is(self.has_room(N / 4 + 1) || self.receiver.is_over().is_some())),
        }
    }

    fn after_death_of(&self, who: Id) -> Self {
        let (sender, receiver) = (self.sender.after_death_of(who), self.receiver.after_death_of(who));
        Self { sender, receiver, ..self.clone() }
    }
}

#[derive(Debug)]
struct Ring<const N: usize> {
    words: [Word64; N],
    /// Each word of a message.
    numbers: [Word; N],
}

impl<const N: usize> Words<Standard> for Ring<N> {
    fn count(&self) -> u64 {
        N as u64
    }
    fn word(&self, position: u64) -> &Word64 {
        &self.words[position as usize % N]
    }
}

/// `raw::Pipe`, with a ring of `N` words.
#[derive(Debug)]
pub struct PipeTrial<const N: usize> {
    pipe: Pipe<Standard>,
    ring: Ring<N>,
    senders: RefCell<HashMap<u32, Sender>>,
    receivers: RefCell<HashMap<u32, Receiver>>,
}

impl<const N: usize> Default for PipeTrial<N> {
    fn default() -> Self {
        let words = core::array::from_fn(|_| Word::new(0));
        Self {
            pipe: Pipe::from_words(Word64::new(0), Word64::new(0), words),
            ring: Ring {
                words: core::array::from_fn(|_| Word64::new(0)),
                numbers: core::array::from_fn(|_| Word::new(0)),
            },
            senders: RefCell::default(),
            receivers: RefCell::default(),
        }
    }
}

impl<const N: usize> PipeTrial<N> {
    fn lane(&self) -> Lane<'_, Standard, Ring<N>> {
        self.pipe.with(&self.ring)
    }

    fn numbers(&self, frame: &Frame) -> impl Iterator<Item = &Word> {
        let data = frame.data();
        (0..frame.bytes() / WORD).map(move |word| &self.ring.numbers[(data + word) as usize % N])
    }

    /// The owner's end is not in the list meanwhile: it may die, or sleep while others act.
    fn send(&self, me: Participant<'_, Standard>, text: Text, until: Option<Duration>) -> Answer {
        let mut sender = self.senders.borrow_mut().remove(&me.id.word()).expect("allowed to its owner alone");
        let answer = self.send_by(me, &mut sender, cut::<N>(text), until);
        self.senders.borrow_mut().insert(me.id.word(), sender);
        answer
    }

    fn send_by(
        &self,
        me: Participant<'_, Standard>,
        sender: &mut Sender,
        text: Text,
        until: Option<Duration>,
    ) -> Answer {
        let lane = self.lane();
        if lane.is_receiver_closed() {
            return Answer::Failed(NotReady::Closed);
        }
        let frame = lane.frame(sender, u64::from(text.length) * WORD, false);
        if !lane.has_room_for(sender, &frame) {
            let reserved = match until {
                None => lane.try_reserve(me, sender, frame.words()),
                until => lane.reserve(me, sender, &frame, until),
            };
            if let Err(error) = reserved {
                return Answer::Failed(error);
            }
        }
        self.numbers(&frame).for_each(|number| number.store(text.number.into(), Relaxed));
        lane.publish(sender, frame);
        Answer::Done
    }

    fn receive(&self, me: Participant<'_, Standard>, until: Option<Duration>) -> Answer {
        let mut receiver = self.receivers.borrow_mut().remove(&me.id.word()).expect("allowed to its owner alone");
        let lane = self.lane();
        let next = match until {
            None => lane.try_next_frame(me, &mut receiver),
            until => lane.next_frame(me, &mut receiver, until),
        };
        let answer = match next {
            Ok(frame) => {
                let numbers: Vec<_> = self.numbers(&frame).map(|number| number.load(Relaxed)).collect();
                let number = u8::try_from(numbers[0]).expect("nothing else was written");
                assert!(numbers.iter().all(|other| *other == numbers[0]), "parts of different messages: {numbers:?}");
                lane.finish(&mut receiver, frame);
                Answer::Received(Text { number, length: numbers.len() as u8 })
            }
            Err(error) => Answer::Failed(error),
        };
        self.receivers.borrow_mut().insert(me.id.word(), receiver);
        answer
    }
}

impl<const N: usize> Trial for PipeTrial<N> {
    type Reference = PipeReference<N>;

    fn run(&self, me: Participant<'_, Standard>, operation: &Operation, until: Duration) -> Answer {
        let (words, ring) = (&self.pipe, &self.ring);
        match *operation {
            Operation::TakeSender => match self.lane().take_sender(me) {
                Ok(sender) => {
                    self.senders.borrow_mut().insert(me.id.word(), sender);
                    Answer::Done
                }
                Err(error) => Answer::NotTaken(error),
            },
            Operation::TakeReceiver => match self.lane().take_receiver(me) {
                Ok(receiver) => {
                    self.receivers.borrow_mut().insert(me.id.word(), receiver);
                    Answer::Done
                }
                Err(error) => Answer::NotTaken(error),
            },
            Operation::GiveBackSender => {
                let sender = self.senders.borrow_mut().remove(&me.id.word()).expect("allowed to its owner alone");
                self.lane().give_back_sender(&sender);
                Answer::Done
            }
            Operation::GiveBackReceiver => {
                let receiver = self.receivers.borrow_mut().remove(&me.id.word()).expect("allowed to its owner alone");
                self.lane().give_back_receiver(&receiver);
                Answer::Done
            }
            Operation::TrySend(text) => self.send(me, text, None),
            Operation::Send(text) => self.send(me, text, Some(until)),
            Operation::TryReceive => self.receive(me, None),
            Operation::Receive => self.receive(me, Some(until)),
            Operation::IsReadable => Answer::Is(Readable::new(words, ring).is_ready(me)),
            Operation::IsWritable => Answer::Is(Writable::new(words, ring, N as u64 / 4 + 1).is_ready(me)),
        }
    }
}
