//! What can go wrong: one small type for each kind of operation.
//!
//! | operation | type |
//! |-----------|------|
//! | create, open, monitor or inspect a segment | [`OpenError`], with [`LocationError`] for its place |
//! | remove a segment's name | [`RemoveError`] |
//! | pass a segment on | [`PassError`], [`InheritError`], [`ReceiveError`], [`DescriptorLostError`], [`CloseError`] |
//! | take part in a segment | [`RegisterError`], in each of the types below; [`NotInSegmentError`] |
//! | leave a segment | [`LeaveError`] |
//! | read a segment with a monitor | [`MonitorError`], [`ObserveError`] |
//! | make a primitive | [`RangeError`] |
//! | read and write shared memory | [`OutOfBoundsError`] |
//! | `lock`, `read`, `write`, and `acquire` of a lock | [`LockError`], [`TryLockError`], [`LockTimeoutError`]; without a guard, [`LockErrorKind`] |
//! | wait with a condition variable | [`CondvarError`], with [`NotWaitedError`] |
//! | release, mark consistent, or adopt a lock by hand | [`NotHeldError`] |
//! | `acquire` and `permit` of a semaphore or a pool | [`AcquireError`], [`TryAcquireError`], [`AcquireTimeoutError`] |
//! | release permits of a semaphore | [`ReleaseError`], [`OverReleaseError`] |
//! | wait for an event | [`WaitError`], [`TryWaitError`], [`WaitTimeoutError`] |
//! | wait for the first of several | [`WaitAnyError`], [`TryWaitAnyError`], [`WaitAnyTimeoutError`] |
//! | wait by a descriptor | [`ReadyFdError`] |
//! | wait at a barrier | [`BarrierError`], [`BarrierTimeoutError`], [`ActionError`]; [`JoinError`] |
//! | send, or reserve room | [`SendError`], [`TrySendError`], [`SendTimeoutError`] |
//! | receive, or take a task | [`RecvError`], [`TryRecvError`], [`RecvTimeoutError`] |
//! | send a message | [`SendMessageError`], [`TrySendMessageError`], [`SendMessageTimeoutError`] |
//! | receive a message | [`RecvMessageError`], [`TryRecvMessageError`], [`RecvMessageTimeoutError`] |
//! | take an end of a queue | [`EndError`] |
//! | send through a pipe | [`PipeSendError`], [`PipeTrySendError`], [`PipeSendTimeoutError`] |
//! | receive from a pipe | [`PipeRecvError`], [`PipeTryRecvError`], [`PipeRecvTimeoutError`] |
//! | take an end of a pipe | [`PipeEndError`] |
//! | wait until all tasks are done | [`UnfinishedError`], [`UnfinishedTimeoutError`] |
//! | do something once | [`OnceError`], [`SetError`] |
//!
//! Each text says what was expected, what was found, and what to do. Each type implements
//! [`std::error::Error`], but for those that may contain a guard: `?` turns these into a
//! [`LockErrorKind`], or a box of it. See [`LockError`](LockError#with-).

mod acquire;
mod barrier;
mod bounds;
mod condvar;
mod end;
mod event;
mod io;
mod kind;
mod leave;
mod location;
mod lock;
mod message;
mod monitor;
mod once;
mod open;
mod pass;
mod pipe;
mod process_exit;
mod queue;
mod range;
mod ready;
mod register;
mod release;
mod task;
mod wait_any;

pub use acquire::{AcquireError, AcquireTimeoutError, TryAcquireError};
pub use barrier::{ActionError, BarrierError, BarrierTimeoutError, JoinError};
pub use bounds::OutOfBoundsError;
pub use condvar::{CondvarError, NotWaitedError};
pub use end::EndError;
pub use event::{TryWaitError, WaitError, WaitTimeoutError};
pub use io::IoError;
pub use kind::LockErrorKind;
pub use leave::LeaveError;
pub use location::{LocationError, RemoveError};
pub use lock::{Inconsistent, LockError, LockTimeoutError, TryLockError};
pub(crate) use message::{RecvFailure, SendFailure};
pub use message::{
    RecvMessageError, RecvMessageTimeoutError, SendMessageError, SendMessageTimeoutError, TryRecvMessageError,
    TrySendMessageError,
};
pub use monitor::{MonitorError, ObserveError};
pub use once::{OnceError, SetError};
pub use open::OpenError;
pub use pass::{CloseError, DescriptorLostError, InheritError, PassError, ReceiveError};
pub use pipe::{
    PipeEndError, PipeRecvError, PipeRecvTimeoutError, PipeSendError, PipeSendTimeoutError, PipeTryRecvError,
    PipeTrySendError,
};
pub use process_exit::ProcessExitError;
pub use queue::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use range::RangeError;
pub use ready::ReadyFdError;
pub(crate) use register::Unsupported;
pub use register::{NotInSegmentError, RegisterError};
pub use release::{NotHeldError, OverReleaseError, ReleaseError};
pub use task::{UnfinishedError, UnfinishedTimeoutError};
pub use wait_any::{TryWaitAnyError, WaitAnyError, WaitAnyTimeoutError};
