//! Futures, and descriptors that become readable, for what [`wait_any`](crate::wait_any) waits for.
//!
//! | file         | question                                                             |
//! |--------------|----------------------------------------------------------------------|
//! | `service`    | Which thread sleeps for the tasks of this process, and on what?      |
//! | `entry`      | Which tasks wait for one primitive, and which of them is next?       |
//! | `futures`    | What does a user await?                                              |
//! | `pipes`      | The same, of pipes.                                                  |
//! | `messages`   | The same, of queues of messages.                                     |
//! | `tasks`      | The same, of task queues.                                            |
//! | `descriptor` | What does a user give to epoll?                                      |
//!
//! How tasks and the thread do not miss each other: [`raw::wait_any`](crate::raw::wait_any) and its
//! file `attended.rs`.

mod descriptor;
mod entry;
mod futures;
mod messages;
mod pipes;
mod service;
mod tasks;

pub use descriptor::ReadyFd;
pub use futures::{EventWait, QueueRecv, QueueSend, SemaphoreAcquire, WhenReady};
pub use messages::{MessageRecv, MessageSend};
pub use pipes::{PipeRecv, PipeSend};
pub use tasks::{TaskJoin, TaskReserve, TaskSend, TaskTake};

use self::entry::{Entry, Registered};
use super::wait_any::WaitSource;
use crate::error::RegisterError;
use crate::segment::local;
use core::mem::ManuallyDrop;
use std::sync::Arc;

/// Whom to tell that a source is ready.
enum Notify {
    /// A future's task.
    Waker(core::task::Waker),
    /// Whoever polls this eventfd.
    Descriptor(Arc<std::os::fd::OwnedFd>),
}

impl Notify {
    fn tell(self) {
        match self {
            Self::Waker(waker) => contained(|| waker.wake()),
            Self::Descriptor(descriptor) => descriptor::make_readable(&descriptor),
        }
    }
}

/// Whom to tell, in this order, when this is dropped. That may run the executor's code, so nothing
/// may be locked then.
#[derive(Default)]
struct Told(Vec<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Notify::tell);
    }
}

/// Runs an executor's code. If it panics, the panic must not end the thread that serves all others.
/// The panic hook has reported it.
fn contained(run: impl FnOnce()) {
    if let Err(payload) = std::panic::catch_unwind(core::panic::AssertUnwindSafe(run)) {
        core::mem::forget(payload); // its drop may panic, too
    }
}

/// A task's wait for a source.
struct Task<'a> {
    source: WaitSource<'a>,
    /// Where it has registered, the number that it has there, and the process that it was in.
    registered: Option<(ManuallyDrop<Arc<Entry>>, u64, u64)>,
}

impl<'a> Task<'a> {
    fn new(source: WaitSource<'a>) -> Self {
        Self { source, registered: None }
    }

    /// Registers the task, which has tried in vain. It is notified once. `told` are others that can
    /// go on.
    fn register(&mut self, told: &mut Told, notify: impl Fn() -> Notify) -> Result<Registered, RegisterError> {
        let me = local::participant(self.source.place).inspect_err(|_| told.0.append(&mut self.leave().0))?;
        loop {
            let (entry, number) = match &self.registered {
                Some((entry, number, process)) if *process == local::process_number() => (entry, *number),
                // Never, or in the parent process, whose entries are no concern of ours.
                _ => {
                    let (entry, number) = service::entry_of(&self.source)?;
                    let new = (ManuallyDrop::new(entry), number, local::process_number());
                    let (entry, ..) = &*self.registered.insert(new);
                    (entry, number)
                }
            };
            let error = match entry.register(me, number, told, &notify) {
                Ok(registered) => return Ok(registered),
                Err(entry::NotRegistered::Failed(error)) => Some(error),
                Err(entry::NotRegistered::Over) => None,
            };
            // Another time there may be another entry.
            told.0.append(&mut self.leave().0);
            if let Some(error) = error {
                return Err(error);
            }
        }
    }

    /// Whether all that wait there may go on if one may.
    fn is_for_all(&self) -> bool {
        self.registered.as_ref().is_some_and(|(entry, ..)| entry.source().is_for_all())
    }

    /// The task waits no more. If it was notified, the next one is.
    fn leave(&mut self) -> Told {
        let left = self.registered.take();
        // In a child that was forked meanwhile, a lock of the parent's may be held forever.
        let own = left.filter(|(.., process)| *process == local::process_number());
        own.map_or_else(Told::default, |(entry, number, _)| {
            ManuallyDrop::into_inner(entry).leave(number, local::participant(self.source.place).ok())
        })
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(all(test, not(miri)))] // Miri has no memfd
mod tests;
