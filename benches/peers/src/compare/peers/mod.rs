//! The contestants of all workloads: one row for each, in a list for each kind of primitive.
//!
//! A row has a function that makes the object, or says why it cannot be had here. The object does
//! what the kind's trait says (`kinds`), in loops that are compiled for it.

mod boost;
mod channels;
mod crates;
mod floors;
mod iceoryx;
mod kernel;
mod kinds;
mod ours;
mod pthread;
pub mod python;
mod rings;
mod threads;

pub use channels::{Channel, Receiver, Sender, Shape, poll};
pub use kinds::{Condition, LockLoops, Meeting, MeetingLoops, ReadWrite, ReadWriteLoops, Signal, SignalLoops};

use super::Failure;
use super::figures::Kind;

/// One contestant. `M` is the function that makes its object.
#[derive(Debug, Clone, Copy)]
pub struct Peer<M> {
    /// Who.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Where its object is made.
    pub source: Source<M>,
}

/// Where the object of a peer is made.
#[derive(Debug, Clone, Copy)]
pub enum Source<M> {
    /// In this program.
    Here(M),
    /// By CPython: the name of the class.
    Python(&'static str),
}

/// An object, for processes of one thread each, or for the threads of one process.
#[derive(Debug)]
pub enum Object<P: ?Sized, T: ?Sized> {
    /// All forked children share it.
    Processes(Box<P>),
    /// Only threads share it.
    Threads(Box<T>),
}

impl AnyChannel {
    /// An end for sending, for the calling process or thread.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        match self {
            Self::Processes(channel) => channel.sender(),
            Self::Threads(channel) => channel.sender(),
        }
    }
    /// An end for receiving, for the calling process or thread.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        match self {
            Self::Processes(channel) => channel.receiver(),
            Self::Threads(channel) => channel.receiver(),
        }
    }
}

impl<M> Peer<M> {
    fn new(name: &'static str, kind: Kind, make: M) -> Self {
        Self { name, kind, source: Source::Here(make) }
    }

    fn python(name: &'static str, class: &'static str) -> Self {
        Self { name, kind: Kind::Peer, source: Source::Python(class) }
    }
}

/// An object of this kind.
pub type Of<P, T> = Result<Object<P, T>, Failure>;
/// A lock around a number.
pub type OfLock = Of<dyn LockLoops, dyn LockLoops + Sync>;
/// A readers-writer lock.
pub type OfReadWrite = Of<dyn ReadWriteLoops, dyn ReadWriteLoops + Sync>;
/// What one gives and another takes.
pub type OfSignal = Of<dyn SignalLoops, dyn SignalLoops + Sync>;
/// Where several meet.
pub type OfMeeting = Of<dyn MeetingLoops, dyn MeetingLoops + Sync>;
/// What repeats an operation so many times.
pub type OfRepeated = Of<dyn Fn(u64), dyn Fn(u64) + Sync>;
/// A channel, for processes or for threads.
pub type AnyChannel = Object<dyn Channel, dyn Channel + Sync>;
/// A channel.
pub type OfChannel = Result<AnyChannel, Failure>;

/// Makes a lock.
pub type MakeLock = fn() -> OfLock;
/// Makes a readers-writer lock.
pub type MakeReadWrite = fn() -> OfReadWrite;
/// Makes what one gives and another takes.
pub type MakeSignal = fn() -> OfSignal;
/// Makes a barrier for so many.
pub type MakeMeeting = fn(u32) -> OfMeeting;
/// Makes what repeats an operation.
pub type MakeRepeated = fn() -> OfRepeated;
/// Makes a channel for such items.
pub type MakeChannel = fn(Shape) -> OfChannel;

/// Locks around a number.
#[must_use]
pub fn locks() -> Vec<Peer<MakeLock>> {
    [
        floors::locks(),
        ours::locks(),
        pthread::locks(),
        kernel::locks(),
        boost::locks(),
        crates::locks(),
        python::locks(),
    ]
    .into_iter()
    .chain([threads::locks()])
    .flatten()
    .collect()
}

/// Readers-writer locks.
#[must_use]
pub fn read_write_locks() -> Vec<Peer<MakeReadWrite>> {
    let without: Vec<Peer<MakeReadWrite>> = without(&["process-sync", "CPython"], || missing("it has no such lock"));
    [ours::read_write_locks(), pthread::read_write_locks(), boost::read_write_locks(), crates::read_write_locks()]
        .into_iter()
        .chain([threads::read_write_locks(), without])
        .flatten()
        .collect()
}

/// The least that a message costs, to one that sleeps and to one that spins.
#[must_use]
pub fn bare_signals() -> Vec<Peer<MakeSignal>> {
    floors::signals()
}

/// Semaphores, one permit at a time. They begin without permits.
#[must_use]
pub fn semaphores() -> Vec<Peer<MakeSignal>> {
    const WITHOUT: [&str; 4] = ["posix-sync", "raw_sync", "rustix-futex-sync", "process-sync"];
    [ours::semaphores(), pthread::semaphores(), kernel::semaphores(), boost::semaphores(), python::semaphores()]
        .into_iter()
        .chain([without(&WITHOUT, (|| missing("it has no semaphore")) as MakeSignal)])
        .flatten()
        .collect()
}

/// Events, which are cleared when they are taken.
#[must_use]
pub fn events() -> Vec<Peer<MakeSignal>> {
    const WITHOUT: [&str; 5] = ["pthread", "Boost", "posix-sync", "rustix-futex-sync", "process-sync"];
    let without = without(&WITHOUT, (|| missing("it has no event")) as MakeSignal);
    [ours::events(), kernel::events(), crates::events(), python::events(), without].concat()
}

/// A condition and its lock. `pairs` only notifies, while nobody waits.
#[must_use]
pub fn conditions() -> Vec<Peer<MakeSignal>> {
    [ours::conditions(), pthread::conditions(), boost::conditions(), crates::conditions(), python::conditions()]
        .into_iter()
        .chain([threads::conditions()])
        .flatten()
        .collect()
}

/// Barriers.
#[must_use]
pub fn barriers() -> Vec<Peer<MakeMeeting>> {
    const WITHOUT: [&str; 4] = ["Boost", "raw_sync", "rustix-futex-sync", "process-sync"];
    let without = without(&WITHOUT, (|_| missing("it has no barrier")) as MakeMeeting);
    [ours::barriers(), pthread::barriers(), crates::barriers(), python::barriers(), threads::barriers(), without]
        .concat()
}

/// What was done once, and is asked for again.
#[must_use]
pub fn done_once() -> Vec<Peer<MakeRepeated>> {
    [ours::done_once(), crates::done_once(), pthread::done_once(), threads::done_once()].concat()
}

/// Pools of permits that know their holders.
#[must_use]
pub fn permit_pools() -> Vec<Peer<MakeRepeated>> {
    ours::permit_pools()
}

/// Channels.
#[must_use]
pub fn channels() -> Vec<Peer<MakeChannel>> {
    [rings::channels(), boost::channels(), iceoryx::channels(), crates::channels()]
        .into_iter()
        .chain([kernel::channels(), python::channels(), threads::channels()])
        .flatten()
        .collect()
}

/// Rows of those that have no such primitive.
fn without<M: Copy>(names: &[&'static str], make: M) -> Vec<Peer<M>> {
    names.iter().map(|name| Peer::new(name, Kind::Peer, make)).collect()
}

/// Why a peer has no such object, or none here.
fn missing<P: ?Sized, T: ?Sized>(why: &str) -> Of<P, T> {
    Err(why.into())
}
