//! What a party can be told to do, and what it answers. Each is one line of text.

use std::fmt;
use std::str::FromStr;

/// One thing that a party does with the object under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Takes the lock, or one permit.
    Take,
    /// Gives it back.
    GiveBack,
    /// Takes a readers-writer lock as a reader.
    Read,
    /// Ends the reading.
    EndRead,
    /// Takes a readers-writer lock as its writer.
    Write,
    /// Ends the writing.
    EndWrite,
    /// Locks, waits on the condition until there is a ticket, takes the ticket, unlocks.
    Wait,
    /// Locks, adds a ticket, notifies one, unlocks.
    NotifyOne,
    /// Locks, adds so many tickets, notifies all, unlocks.
    NotifyAll(u64),
    /// Waits at the barrier.
    Arrive,
    /// Repairs the barrier, after it said that it was broken.
    Reset,
    /// Waits for the event.
    Await,
    /// Sets the event.
    Set,
    /// Clears the event.
    Clear,
    /// Takes and gives back the lock, again and again, as this party.
    Churn(u64),
    /// Sends `count` items of `size` bytes as this producer, or until the ledger says stop.
    Produce {
        /// The number of the producer.
        producer: u64,
        /// How many items.
        count: u64,
        /// Bytes of an item.
        size: u64,
    },
    /// Receives and checks items of `size` bytes, up to the last item of the last producer.
    Consume {
        /// Bytes of an item.
        size: u64,
    },
    /// Keeps only the end to send with.
    BecomeSender,
    /// Keeps only the end to receive with.
    BecomeReceiver,
    /// Keeps no end.
    Leave,
    /// Receives one item of `size` bytes.
    Receive {
        /// Bytes of an item.
        size: u64,
    },
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take => write!(f, "take"),
            Self::GiveBack => write!(f, "give-back"),
            Self::Read => write!(f, "read"),
            Self::EndRead => write!(f, "end-read"),
            Self::Write => write!(f, "write"),
            Self::EndWrite => write!(f, "end-write"),
            Self::Wait => write!(f, "wait"),
            Self::NotifyOne => write!(f, "notify-one"),
            Self::NotifyAll(tickets) => write!(f, "notify-all {tickets}"),
            Self::Arrive => write!(f, "arrive"),
            Self::Reset => write!(f, "reset"),
            Self::Await => write!(f, "await"),
            Self::Set => write!(f, "set"),
            Self::Clear => write!(f, "clear"),
            Self::Churn(party) => write!(f, "churn {party}"),
            Self::Produce { producer, count, size } => write!(f, "produce {producer} {count} {size}"),
            Self::Consume { size } => write!(f, "consume {size}"),
            Self::BecomeSender => write!(f, "become-sender"),
            Self::BecomeReceiver => write!(f, "become-receiver"),
            Self::Leave => write!(f, "leave"),
            Self::Receive { size } => write!(f, "receive {size}"),
        }
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let numbers: Vec<u64> = words
            .map(|word| word.parse().map_err(|_| format!("{line:?}: a number was expected, not {word:?}")))
            .collect::<Result<_, _>>()?;
        Ok(match (verb, &numbers[..]) {
            ("take", []) => Self::Take,
            ("give-back", []) => Self::GiveBack,
            ("read", []) => Self::Read,
            ("end-read", []) => Self::EndRead,
            ("write", []) => Self::Write,
            ("end-write", []) => Self::EndWrite,
            ("wait", []) => Self::Wait,
            ("notify-one", []) => Self::NotifyOne,
            ("notify-all", &[tickets]) => Self::NotifyAll(tickets),
            ("arrive", []) => Self::Arrive,
            ("reset", []) => Self::Reset,
            ("await", []) => Self::Await,
            ("set", []) => Self::Set,
            ("clear", []) => Self::Clear,
            ("churn", &[party]) => Self::Churn(party),
            ("produce", &[producer, count, size]) => Self::Produce { producer, count, size },
            ("consume", &[size]) => Self::Consume { size },
            ("become-sender", []) => Self::BecomeSender,
            ("become-receiver", []) => Self::BecomeReceiver,
            ("leave", []) => Self::Leave,
            ("receive", &[size]) => Self::Receive { size },
            _ => return Err(format!("{line:?} is no order")),
        })
    }
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It worked.
    Done,
    /// It worked, and the object told of a death: in these words.
    Told(String),
    /// The object returned an error that tells of no death.
    Failed(String),
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_one_line = |text: &str| text.replace('\n', " ");
        match self {
            Self::Done => write!(f, "done"),
            Self::Told(what) => write!(f, "told {}", on_one_line(what)),
            Self::Failed(why) => write!(f, "failed {}", on_one_line(why)),
        }
    }
}

impl FromStr for Reply {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("done", "") => Ok(Self::Done),
            ("told", what) => Ok(Self::Told(what.into())),
            ("failed", why) => Ok(Self::Failed(why.into())),
            _ => Err(format!("{line:?} is no reply")),
        }
    }
}

/// What [`Order::Receive`] fails with if it received bytes that are no item.
pub const TORN: &str = "a torn item";

/// What an operation of an object returns: nothing, or what it told of a death; or an error.
pub type Answer = Result<Option<String>, String>;

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        match answer {
            Ok(None) => Self::Done,
            Ok(Some(told)) => Self::Told(told),
            Err(why) => Self::Failed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Reply};

    #[test]
    fn orders_are_read_as_they_are_written() {
        let orders = [
            Order::Take,
            Order::GiveBack,
            Order::NotifyAll(7),
            Order::Churn(3),
            Order::Produce { producer: 1, count: 2, size: 64 },
            Order::Consume { size: 6000 },
            Order::Receive { size: 64 },
            Order::BecomeSender,
            Order::Leave,
        ];
        for order in orders {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        assert!("take 1".parse::<Order>().is_err());
        assert!("".parse::<Order>().is_err());
    }

    #[test]
    fn replies_are_read_as_they_are_written() {
        for reply in [Reply::Done, Reply::Told("EOWNERDEAD".into()), Reply::Failed("a b".into())] {
            assert_eq!(reply.to_string().parse(), Ok(reply));
        }
        assert_eq!(Reply::Told("a\nb".into()).to_string(), "told a b");
    }
}
