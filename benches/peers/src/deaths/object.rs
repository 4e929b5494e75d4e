//! What every object under test can do. Each family of peers implements one of these traits. The
//! loops around them are written once.

use super::ledger::{self, Ledger};
use super::order::{Answer, Order, TORN};
use std::sync::atomic::Ordering::SeqCst;

/// An object under test. Its maker is a keeper process, whose forked children use it.
pub trait Object {
    /// Does what the order says.
    ///
    /// # Errors
    /// What the object returned, if that tells of no death; or if it has no such operation.
    fn obey(&self, order: Order, ledger: Ledger) -> Answer;
}

/// A lock, or a semaphore.
pub trait Exclusive {
    /// Takes it. If it tells of a death, it is taken and repaired.
    ///
    /// # Errors
    /// It was not taken.
    fn take(&self) -> Answer;
    /// Gives it back.
    ///
    /// # Errors
    /// It was not given back.
    fn give_back(&self) -> Answer;
}

/// A readers-writer lock.
pub trait Shared {
    /// Takes it as a reader.
    ///
    /// # Errors
    /// It was not taken.
    fn read(&self) -> Answer;
    /// Ends that.
    ///
    /// # Errors
    /// It was not given back.
    fn end_read(&self) -> Answer;
    /// Takes it as the writer.
    ///
    /// # Errors
    /// It was not taken.
    fn write(&self) -> Answer;
    /// Ends that.
    ///
    /// # Errors
    /// It was not given back.
    fn end_write(&self) -> Answer;
}

/// A lock with a condition variable.
pub trait Condition: Exclusive {
    /// Waits on the condition, with the lock taken before and after.
    ///
    /// # Errors
    /// Those of the object.
    fn wait(&self) -> Answer;
    /// Wakes one waiter, with the lock taken.
    ///
    /// # Errors
    /// Those of the object.
    fn notify_one(&self) -> Answer;
    /// Wakes all waiters, with the lock taken.
    ///
    /// # Errors
    /// Those of the object.
    fn notify_all(&self) -> Answer;
}

/// A barrier of three.
pub trait Meeting {
    /// Waits for the others.
    ///
    /// # Errors
    /// Those of the object.
    fn arrive(&self) -> Answer;
    /// Repairs it, after it said that it is broken.
    ///
    /// # Errors
    /// Those of the object; it has no such operation.
    fn reset(&self) -> Answer;
}

/// An event.
pub trait Signal {
    /// Waits until it is set.
    ///
    /// # Errors
    /// Those of the object.
    fn wait(&self) -> Answer;
    /// Sets it.
    ///
    /// # Errors
    /// Those of the object.
    fn set(&self) -> Answer;
    /// Clears it. Does nothing if the event clears itself.
    ///
    /// # Errors
    /// Those of the object.
    fn clear(&self) -> Answer;
}

/// A channel from processes to processes.
pub trait Channel {
    /// Sends these bytes, as one message.
    ///
    /// # Errors
    /// Those of the object.
    fn send(&self, bytes: &[u8]) -> Answer;
    /// Receives one message, into the buffer; or tells that no sender is left. A stream of bytes
    /// has no messages: it reads as many bytes as the buffer has.
    ///
    /// # Errors
    /// Those of the object.
    fn receive(&self, into: &mut Vec<u8>) -> Answer;
    /// Gives up the end to receive with (`true`: keeps the one to send with), or the other.
    ///
    /// # Errors
    /// Those of the object.
    fn keep_end(&self, _to_send: bool) -> Answer {
        Ok(None)
    }
    /// Gives up both ends.
    ///
    /// # Errors
    /// Those of the object.
    fn leave(&self) -> Answer {
        Ok(None)
    }
}

/// Makes an [`Object`] of what implements one of the traits above.
#[derive(Debug)]
pub struct AsLock<T>(pub T);
/// See [`AsLock`].
#[derive(Debug)]
pub struct AsRwLock<T>(pub T);
/// See [`AsLock`].
#[derive(Debug)]
pub struct AsCondition<T>(pub T);
/// See [`AsLock`].
#[derive(Debug)]
pub struct AsBarrier<T>(pub T);
/// See [`AsLock`].
#[derive(Debug)]
pub struct AsEvent<T>(pub T);
/// See [`AsLock`].
#[derive(Debug)]
pub struct AsChannel<T>(pub T);

fn no_such(order: Order) -> Answer {
    Err(format!("this object has no operation for {order:?}"))
}

/// The words of both, if both tell of a death.
fn both(first: Option<String>, second: Option<String>) -> Option<String> {
    first.or(second)
}

impl<T: Exclusive> Object for AsLock<T> {
    fn obey(&self, order: Order, ledger: Ledger) -> Answer {
        match order {
            Order::Take => self.0.take(),
            Order::GiveBack => self.0.give_back(),
            Order::Churn(party) => churn(&self.0, party, ledger),
            _ => no_such(order),
        }
    }
}

/// Takes the lock and gives it back until the ledger says stop. Each turn is noted.
fn churn(lock: &impl Exclusive, party: u64, ledger: Ledger) -> Answer {
    while ledger.stop().load(SeqCst) == 0 {
        let told = lock.take()?;
        let found = ledger.inside().swap(party + 1, SeqCst);
        if told.is_some() {
            ledger.told().fetch_add(1, SeqCst);
        } else if found != 0 {
            ledger.untold().fetch_add(1, SeqCst);
        }
        for _ in 0..50 {
            std::hint::spin_loop();
        }
        if ledger.inside().swap(0, SeqCst) != party + 1 {
            ledger.together().fetch_add(1, SeqCst);
        }
        lock.give_back()?;
        ledger.turns(party).fetch_add(1, SeqCst);
    }
    Ok(None)
}

impl<T: Shared> Object for AsRwLock<T> {
    fn obey(&self, order: Order, _: Ledger) -> Answer {
        match order {
            Order::Read => self.0.read(),
            Order::EndRead => self.0.end_read(),
            Order::Write => self.0.write(),
            Order::EndWrite => self.0.end_write(),
            _ => no_such(order),
        }
    }
}

impl<T: Condition> Object for AsCondition<T> {
    fn obey(&self, order: Order, ledger: Ledger) -> Answer {
        let (told, tickets) = (self.0.take()?, ledger.tickets());
        let inside = match order {
            Order::Wait => {
                let mut told = None;
                while tickets.load(SeqCst) == 0 {
                    told = both(told, self.0.wait()?);
                }
                tickets.fetch_sub(1, SeqCst);
                told
            }
            Order::NotifyOne => {
                tickets.fetch_add(1, SeqCst);
                self.0.notify_one()?
            }
            Order::NotifyAll(more) => {
                tickets.fetch_add(more, SeqCst);
                self.0.notify_all()?
            }
            _ => return no_such(order),
        };
        Ok(both(both(told, inside), self.0.give_back()?))
    }
}

impl<T: Meeting> Object for AsBarrier<T> {
    fn obey(&self, order: Order, _: Ledger) -> Answer {
        match order {
            Order::Arrive => self.0.arrive(),
            Order::Reset => self.0.reset(),
            _ => no_such(order),
        }
    }
}

impl<T: Signal> Object for AsEvent<T> {
    fn obey(&self, order: Order, _: Ledger) -> Answer {
        match order {
            Order::Await => self.0.wait(),
            Order::Set => self.0.set(),
            Order::Clear => self.0.clear(),
            _ => no_such(order),
        }
    }
}

impl<T: Channel> Object for AsChannel<T> {
    fn obey(&self, order: Order, ledger: Ledger) -> Answer {
        match order {
            Order::Produce { producer, count, size } => {
                let mut item = vec![0; size as usize];
                for number in 0..count {
                    if ledger.stop().load(SeqCst) != 0 && ledger.last_producer().load(SeqCst) != producer + 1 {
                        break;
                    }
                    ledger::write_item(&mut item, producer, number);
                    ledger.begun(producer).store(number + 1, SeqCst);
                    if let Some(told) = self.0.send(&item)? {
                        return Ok(Some(told));
                    }
                    ledger.sent(producer).store(number + 1, SeqCst);
                }
                Ok(None)
            }
            Order::Consume { size } => loop {
                let mut item = vec![0; size as usize];
                // Told that no sender is left: another one comes. So it is asked again.
                if self.0.receive(&mut item)?.is_some() {
                    std::thread::sleep(std::time::Duration::from_micros(200));
                    continue;
                }
                let item = ledger::read_item(&item, size);
                ledger.note(item);
                let (last, count) = (ledger.last_producer().load(SeqCst), ledger.last_count().load(SeqCst));
                if last != 0 && item == Some((last - 1, count - 1)) {
                    return Ok(None);
                }
            },
            Order::Receive { size } => {
                let mut item = vec![0; size as usize];
                if let Some(told) = self.0.receive(&mut item)? {
                    return Ok(Some(told));
                }
                let item = ledger::read_item(&item, size);
                ledger.note(item);
                item.map(|_| None).ok_or_else(|| TORN.to_string())
            }
            Order::BecomeSender => self.0.keep_end(true),
            Order::BecomeReceiver => self.0.keep_end(false),
            Order::Leave => self.0.leave(),
            _ => no_such(order),
        }
    }
}
