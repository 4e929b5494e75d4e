//! The futures of pipes.

use super::Task;
use crate::error::{PipeRecvError, PipeSendError};
use crate::sync::pipe::Rest;
use crate::sync::{PipeReceiver, PipeSender};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// The future of [`PipeReceiver::recv_bytes_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct PipeRecv<'p> {
    task: Task<'p>,
    receiver: &'p mut PipeReceiver,
}

/// The future of [`PipeSender::send_bytes_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct PipeSend<'p> {
    /// It waits for so many words of room.
    words: u64,
    task: Task<'p>,
    sender: &'p mut PipeSender,
    rest: Rest<'p>,
}

impl PipeReceiver {
    /// [`recv_bytes`](Self::recv_bytes) as a future, for any executor.
    ///
    /// The message is received within one poll, but for one that comes in parts. If the future is
    /// dropped, nothing is lost: what has come of a message stays for the next call. See
    /// [`WaitSource::ready`](crate::WaitSource::ready) for how it waits.
    ///
    /// # Errors
    /// Those of [`recv_bytes`](Self::recv_bytes), but for [`PipeRecvError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`recv_bytes`](Self::recv_bytes).
    pub fn recv_bytes_async(&mut self) -> PipeRecv<'_> {
        // SAFETY: the future borrows the receiver.
        PipeRecv { task: Task::new(unsafe { self.readable_for() }), receiver: self }
    }
}

impl PipeSender {
    /// [`send_bytes`](Self::send_bytes) as a future, for any executor.
    ///
    /// The message is sent within one poll, but for one that goes through in parts. If the future
    /// is dropped among them, the receiver drops them, as after a timeout. See
    /// [`WaitSource::ready`](crate::WaitSource::ready) for how it waits. Messages of another length
    /// count as one more of the primitives for which the crate's thread waits.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), but for [`PipeSendError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_bytes_async<'p>(&'p mut self, message: &'p [u8]) -> PipeSend<'p> {
        let rest = Rest::all_of(message);
        let words = self.words_of_next_frame(&rest);
        // SAFETY: the future borrows the sender.
        PipeSend { words, task: Task::new(unsafe { self.writable_for(words) }), sender: self, rest }
    }
}

impl Future for PipeRecv<'_> {
    type Output = Result<Vec<u8>, PipeRecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { task, receiver } = &mut *self;
        task.poll(context, || receiver.recv_as_far_as_possible()).map(|result| result?)
    }
}

impl Future for PipeSend<'_> {
    type Output = Result<(), PipeSendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { words, task, sender, rest } = &mut *self;
        loop {
            let attempt = || match sender.send_as_far_as_possible(rest) {
                // The last part is shorter, and waits for less.
                None => (sender.words_of_next_frame(rest) != *words).then_some(None),
                sent => Some(sent),
            };
            match task.poll(context, attempt) {
                Poll::Ready(Ok(None)) => {
                    *words = sender.words_of_next_frame(rest);
                    // SAFETY: the future borrows the sender.
                    *task = Task::new(unsafe { sender.writable_for(*words) });
                }
                Poll::Ready(Ok(Some(sent))) => return Poll::Ready(sent),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

macro_rules! debug {
    ($($future:ident)*) => {$(
        impl fmt::Debug for $future<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($future)).finish_non_exhaustive()
            }
        }
    )*};
}

debug! { PipeRecv PipeSend }
