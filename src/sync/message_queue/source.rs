//! A queue of messages as a source of a wait for several.

use super::MessageQueue;
use crate::platform::{Expect, Linux, Platform};
use crate::raw::Participant;
use crate::raw::wait_any::{Readiness, Source};
#[allow(unused_imports)] // for the links
use crate::sync::wait_any::{WaitSource, wait_any};

/// There is a message to receive, or none will come. A handle of its own: a task's source refers to
/// nothing but the segment.
#[derive(Debug)]
struct Incoming(MessageQueue);

/// There is room for a message of this many bytes, or an attempt to send one is an error.
#[derive(Debug)]
struct Outgoing {
    queue: MessageQueue,
    length: usize,
}

impl MessageQueue {
    fn handle(&self) -> Self {
        Self { root: self.root, room: self.room, sizes: self.sizes }
    }

    /// A source of [`wait_any`](crate::wait_any): there is a message to receive, or the queue is
    /// closed and none will come.
    #[must_use]
    pub fn readable(&self) -> WaitSource<'_> {
        WaitSource::new(self.root(), Incoming(self.handle()))
    }

    /// A source of [`wait_any`](crate::wait_any): there is room for a message of this many bytes,
    /// or the queue is closed. It is also ready for a message that is too long for the queue: an
    /// attempt to send it is an error.
    ///
    /// It keeps no room, and has no turn. If there is always a thread that waits for room by
    /// [`send_bytes`](Self::send_bytes), or a shorter message that fits, those go first.
    ///
    /// ```
    /// use outlive::{MessageQueue, TrySendMessageError, wait_any};
    ///
    /// let log = MessageQueue::anonymous(16, 4096)?;
    /// # log.send_bytes(&[0; 4000])?;
    /// # let (queue, log) = (&log, &log);
    /// # std::thread::scope(|scope| {
    /// # scope.spawn(|| queue.recv_bytes().unwrap());
    /// let record = vec![7; 1000];
    /// while let Err(TrySendMessageError::Full) = log.try_send_bytes(&record) {
    ///     wait_any(&[log.writable(record.len())])?; // and whatever else this thread waits for
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # If a process dies
    /// What it used is free again: then the source may be ready.
    #[must_use]
    pub fn writable(&self, length: usize) -> WaitSource<'_> {
        let source = WaitSource::new(self.root(), Outgoing { queue: self.handle(), length });
        let blocks = if length > self.max_message() { usize::MAX } else { self.messages().blocks_for(length) };
        source.numbered(u32::try_from(blocks).unwrap_or(u32::MAX))
    }
}

type Word = <Linux as Platform>::Word;

impl Source<Linux> for Incoming {
    fn is_ready(&self, me: Participant<'_, Linux>) -> bool {
        self.0.messages().ring().is_readable(me)
    }

    fn announce<'s>(&'s self, me: Participant<'s, Linux>, awaited: &mut Vec<Expect<'s, Word>>) -> Readiness {
        self.0.messages().ring().announce_reader(me, awaited)
    }

    fn observe<'s>(&'s self, _me: Participant<'s, Linux>, awaited: &mut Vec<Expect<'s, Word>>) {
        self.0.messages().ring().observe_items(awaited);
    }

    fn wake_next(&self, _me: Participant<'_, Linux>) {
        self.0.messages().ring().wake_reader();
    }
}

impl Source<Linux> for Outgoing {
    fn is_ready(&self, me: Participant<'_, Linux>) -> bool {
        self.queue.messages().is_writable(me, self.length)
    }

    fn announce<'s>(&'s self, me: Participant<'s, Linux>, awaited: &mut Vec<Expect<'s, Word>>) -> Readiness {
        self.queue.messages().announce_writer(me, self.length, awaited)
    }

    fn observe<'s>(&'s self, _me: Participant<'s, Linux>, awaited: &mut Vec<Expect<'s, Word>>) {
        self.queue.messages().observe_room(awaited);
    }

    fn is_dear(&self) -> bool {
        self.queue.messages().has_dear_room(self.length)
    }

    /// Nothing: each change wakes all that sleep there.
    fn wake_next(&self, _me: Participant<'_, Linux>) {}
}
