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
    /// [`WaitSource::ready`](crate::WaitSource::ready) for how it waits.
    ///
    /// # Errors
    /// Those of [`send_bytes`](Self::send_bytes), but for [`PipeSendError::Interrupted`].
    ///
    /// # If a process dies
    /// As [`send_bytes`](Self::send_bytes).
    pub fn send_bytes_async<'p>(&'p mut self, message: &'p [u8]) -> PipeSend<'p> {
        // SAFETY: the future borrows the sender.
        PipeSend { task: Task::new(unsafe { self.writable_for() }), sender: self, rest: Rest::all_of(message) }
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
        let Self { task, sender, rest } = &mut *self;
        task.poll(context, || sender.send_as_far_as_possible(rest)).map(|result| result?)
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
