//! What a channel does.

use crate::compare::Failure;

/// Who uses a channel, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Processes that send.
    pub senders: usize,
    /// Processes that receive.
    pub receivers: usize,
    /// The bytes of an item.
    pub length: usize,
}

impl Shape {
    /// How many items a channel has room for, if that can be chosen: up to 4 MiB.
    #[must_use]
    pub fn capacity(self) -> usize {
        ((4 << 20) / self.length).min(256)
    }

    pub(super) fn one_to_one(self, why: &str) -> Result<(), Failure> {
        if self.senders == 1 { self.one_receiver(why) } else { Err(format!("one to one only: {why}").into()) }
    }

    pub(super) fn one_receiver(self, why: &str) -> Result<(), Failure> {
        if self.receivers == 1 { Ok(()) } else { Err(format!("one receiver only: {why}").into()) }
    }
}

/// A channel for items of one length, which forked children inherit.
pub trait Channel {
    /// An end for sending, for the calling process.
    ///
    /// # Errors
    /// It cannot be had.
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure>;
    /// An end for receiving, for the calling process.
    ///
    /// # Errors
    /// It cannot be had.
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure>;
}

/// The end for sending.
pub trait Sender {
    /// Sends an item. Waits for room.
    ///
    /// # Errors
    /// The channel does not take it.
    fn send(&mut self, item: &[u8]) -> Result<(), Failure>;
}

/// The end for receiving.
pub trait Receiver {
    /// Waits for an item, and copies it there. It is that long.
    ///
    /// # Errors
    /// There is none, or one of another length.
    fn receive(&mut self, item: &mut [u8]) -> Result<(), Failure>;
}

struct Sends<F>(F);

impl<F: FnMut(&[u8]) -> Result<(), Failure>> Sender for Sends<F> {
    #[inline]
    fn send(&mut self, item: &[u8]) -> Result<(), Failure> {
        (self.0)(item)
    }
}

/// An end that sends by this function.
pub(super) fn sends<'c>(send: impl FnMut(&[u8]) -> Result<(), Failure> + 'c) -> Result<Box<dyn Sender + 'c>, Failure> {
    Ok(Box::new(Sends(send)))
}

struct Receives<F>(F);

impl<F: FnMut(&mut [u8]) -> Result<(), Failure>> Receiver for Receives<F> {
    #[inline]
    fn receive(&mut self, item: &mut [u8]) -> Result<(), Failure> {
        (self.0)(item)
    }
}

/// An end that receives by this function.
pub(super) fn receives<'c>(
    receive: impl FnMut(&mut [u8]) -> Result<(), Failure> + 'c,
) -> Result<Box<dyn Receiver + 'c>, Failure> {
    Ok(Box::new(Receives(receive)))
}

/// Whether a whole item has come.
pub(super) fn whole(length: usize, item: &[u8]) -> Result<(), Failure> {
    if length == item.len() { Ok(()) } else { Err(format!("an item of {} bytes came as {length}", item.len()).into()) }
}

/// Repeats an attempt until it has a result. Nobody sleeps: who cannot go on spins, and then yields
/// its processor.
pub fn poll<R>(mut attempt: impl FnMut() -> Option<R>) -> R {
    let mut spins = 0;
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        spins += 1;
        if spins < 100 {
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}
