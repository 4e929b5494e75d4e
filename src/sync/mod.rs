//! The typed faces of `raw`: what programs use.

mod barrier;
mod condvar;
mod data_traits;
#[cfg(feature = "serde")]
mod encoding;
mod ends;
mod event;
mod event_loop;
mod forward;
mod guard_tag;
mod interruptible;
mod lock;
mod message_queue;
mod mutex;
mod observe;
mod once;
mod per_process;
mod permit_pool;
mod pipe;
mod process_exit;
mod queue;
mod reentrant;
mod result;
mod rwlock;
mod semaphore;
mod slice;
mod task_queue;
mod wait_any;
mod waitable;

pub use barrier::{Barrier, BarrierMember, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult, Woken};
pub use event::Event;
pub use event_loop::{
    EventWait, MessageRecv, MessageSend, PipeRecv, PipeSend, QueueRecv, QueueSend, ReadyFd, SemaphoreAcquire, TaskJoin,
    TaskReserve, TaskSend, TaskTake, WhenReady,
};
pub use interruptible::{Interrupter, interruptible, interruptible_by};
pub use lock::{Lock, LockGuard};
pub use message_queue::{
    MessageQueue, MessageQueueRoot, MessageQueueSegment, MessageReader, MessageReceiver, MessageSender, MessageWord,
    MessageWriter,
};
pub use mutex::{Mutex, MutexGuard};
pub use observe::{HolderWatch, LockState};
pub use once::{LazyLock, Once, OnceLock, OnceState};
pub use permit_pool::{Permit, PermitPool};
pub use pipe::{
    DuplexPipe, DuplexPipeEnd, DuplexPipeRoot, Pipe, PipeReader, PipeReceiver, PipeRoot, PipeSender, PipeWord,
    PipeWriter,
};
pub use process_exit::ProcessExit;
pub use queue::{ArrayQueue, Queue, QueueCell, QueueIter, QueueReceiver, QueueRoot, QueueSegment, QueueSender};
pub use reentrant::{ReentrantMutex, ReentrantMutexGuard};
pub use result::{CondvarResult, LockResult, LockTimeoutResult, TryLockResult};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{Semaphore, SemaphorePermit};
pub use slice::{LockedCell, MutexRoot, MutexSegment, RwLockRoot, RwLockSegment};
pub use task_queue::{ArrayTaskQueue, Task, TaskLoan, TaskQueue, TaskQueueRoot, TaskQueueSegment, TaskSlot};
pub use wait_any::{WaitSource, try_wait_any, wait_any, wait_any_deadline, wait_any_timeout};
pub use waitable::Waitable;

use crate::ParticipantId;
use crate::error::{NotHeldError, NotInSegmentError, RegisterError};
use crate::platform::{Linux, Platform};
use crate::raw::Deadline;
use crate::segment::local;
use std::time::{Duration, Instant};

impl Deadline {
    const NEVER: Self = Self::By(None);

    fn after(timeout: Duration) -> Self {
        Self::By(Linux::now().checked_add(timeout))
    }
    fn at(deadline: Instant) -> Self {
        Self::after(deadline.saturating_duration_since(Instant::now()))
    }
    /// Of an operation that always waits.
    fn deadline(self) -> Option<Duration> {
        match self {
            Self::Immediate => Some(Duration::ZERO),
            Self::By(deadline) => deadline,
        }
    }
}

/// Makes the calling thread, which may be about to wake others, a participant. So sleepers notice
/// if it dies before it has woken them. A thread for which there is no slot may wake them, too;
/// then only a recheck notices its death.
///
/// # Errors
/// The place is in no segment.
#[inline(always)]
fn take_part_to_wake<T: ?Sized>(place: &T) -> Result<(), NotInSegmentError> {
    match local::participant(place) {
        Err(RegisterError::NotInSegment) => Err(NotInSegmentError::new()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The calling thread, if it is the `holder`. A thread that cannot take part holds nothing.
#[inline(always)]
fn participant_that_holds<T: ?Sized>(
    place: &T,
    holder: impl FnOnce() -> Option<ParticipantId>,
) -> Result<ParticipantId, NotHeldError> {
    match local::participant(place) {
        Err(RegisterError::NotInSegment) => Err(NotInSegmentError::new().into()),
        answer => match (answer, holder()) {
            (Ok(me), Some(holder)) if holder == me.id => Ok(holder),
            (_, holder) => Err(NotHeldError::by(holder)),
        },
    }
}

/// Whether a holder in the segment of `place` is the calling thread. A thread that does not take
/// part there holds nothing, and this does not register it.
fn is_current_thread<T: ?Sized>(place: &T, holder: Option<ParticipantId>) -> bool {
    holder.is_some() && holder == local::known_as(place)
}
