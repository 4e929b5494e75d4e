//! Which tasks wait for one primitive, and which of them is next?

use super::service::Helper;
use super::{Notify, Told};
use crate::error::RegisterError;
use crate::platform::Linux;
use crate::raw::Participant;
use crate::raw::wait_any::{Arming, Attended, Of, Source, call};
use crate::segment::local::Pin;
use crate::sync::wait_any::Prepared;
use core::fmt;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registered {
    /// The source is ready. The task is not registered, and tries again.
    Ready,
    /// The task will be told.
    Waiting,
}

/// Why a task was not registered.
#[derive(Debug)]
pub(super) enum NotRegistered {
    /// The entry is no longer in use. There may be another one.
    Over,
    /// The thread that sleeps for the tasks cannot take part in the segment.
    Failed(RegisterError),
}

/// A source, and the tasks that wait for it, in the order in which they came.
///
/// A task is told once, and is then no longer registered. It is told *alone*, unless all can go on.
/// Later it registers again, or [leaves](Self::leave). Either lets the next task have its turn.
pub(super) struct Entry {
    source: Prepared<'static>,
    pub(super) attended: Attended<Linux>,
    pub(super) helper: &'static Helper,
    waiting: Mutex<Waiting>,
    pub(super) pin: Pin,
}

/// Tasks by their numbers, in the order in which they came.
pub(super) type Tasks = VecDeque<(u64, Notify)>;

#[derive(Default)]
struct Waiting {
    tasks: Tasks,
    failed: Option<RegisterError>,
    is_over: bool,
}

impl Entry {
    /// # Safety
    /// All that the source refers to lies in the mapping that `pin` keeps.
    pub(super) unsafe fn new(source: Prepared<'_>, helper: &'static Helper, pin: Pin) -> Self {
        // SAFETY: only the lifetime changes. The source is used through this entry alone, which
        // keeps the mapping.
        let source = unsafe { core::mem::transmute::<Prepared<'_>, Prepared<'static>>(source) };
        Self { source, attended: Attended::from_word(Linux::word(0)), helper, waiting: Mutex::default(), pin }
    }

    pub(super) fn source(&self) -> &dyn Source<Linux> {
        self.source.source()
    }

    /// An address in the segment.
    pub(super) fn place(&self) -> &(dyn fmt::Debug + Sync) {
        self.source.place
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is locked, but for a lack of memory.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers the task of this number, which has tried in vain. `told` are others that can go
    /// on.
    pub(super) fn register(
        &self,
        me: Participant<'_, Linux>,
        number: u64,
        told: &mut Told,
        notify: impl FnOnce() -> Notify,
    ) -> Result<Registered, NotRegistered> {
        let notify = notify();
        let mut waiting = self.lock();
        if let Some(error) = &waiting.failed {
            return Err(NotRegistered::Failed(error.clone()));
        }
        if waiting.is_over {
            return Err(NotRegistered::Over);
        }
        // What is replaced may run the executor's code when it is dropped. So it is dropped after
        // the lock.
        let _replaced;
        match waiting.tasks.iter().position(|(other, _)| *other == number) {
            Some(index) => {
                _replaced = core::mem::replace(&mut waiting.tasks[index].1, notify);
                if self.attended.is_armed() {
                    drop(waiting);
                    return Ok(Registered::Waiting);
                }
            }
            None => {
                if waiting.tasks.is_empty() {
                    self.source().begin();
                }
                waiting.tasks.push_back((number, notify));
            }
        }
        let registered = match self.attended.arm(&Of { me, source: self.source() }) {
            Arming::Ready => Registered::Ready,
            Arming::Armed => Registered::Waiting,
            Arming::Call => {
                call::<Linux>(&self.helper.call);
                Registered::Waiting
            }
        };
        let _own = (registered == Registered::Ready).then(|| waiting.remove(number));
        // What is ready for one is ready for all. The attendant need not have seen it: it may find
        // another state by then.
        let is_for_others = registered == Registered::Ready && self.source().is_for_all();
        if is_for_others {
            told.0.append(&mut waiting.next(true).0);
        }
        drop(waiting);
        Ok(registered)
    }

    /// The task of this number waits no more, registered or told. Without `me` the caller is no
    /// participant.
    pub(super) fn leave(&self, number: u64, me: Option<Participant<'_, Linux>>) -> Told {
        let _own; // is dropped after the lock
        let mut waiting = self.lock();
        _own = waiting.remove(number);
        let mut told = Told::default();
        if waiting.tasks.is_empty() {
            self.attended.disarm();
        } else if !self.attended.is_armed() {
            match me.map(|me| self.attended.arm(&Of { me, source: self.source() })) {
                Some(Arming::Armed) => {}
                Some(Arming::Call) => call::<Linux>(&self.helper.call),
                Some(Arming::Ready) | None => told = waiting.next(self.source().is_for_all()),
            }
        }
        told
    }

    /// The source is ready: tells the next task, or all.
    pub(super) fn tell(&self) {
        let _told = self.lock().next(self.source().is_for_all());
    }

    /// The thread that sleeps for the tasks cannot do it: all tasks are told, and find the error.
    pub(super) fn fail(&self, error: RegisterError) {
        let mut waiting = self.lock();
        waiting.failed = Some(error);
        let _told = waiting.next(true);
        drop(waiting);
    }

    /// Whether a task can register.
    pub(super) fn is_usable(&self) -> bool {
        let waiting = self.lock();
        self.pin.is_live() && !waiting.is_over && waiting.failed.is_none()
    }

    /// Ends the entry, if no task is registered, or if its segment is gone. Returns the tasks that
    /// it has forgotten, if it has ended. To drop them may run the executor's code.
    pub(super) fn retire(&self) -> Option<Tasks> {
        let mut waiting = self.lock();
        waiting.is_over |= waiting.tasks.is_empty() || !self.pin.is_live();
        waiting.is_over.then(|| core::mem::take(&mut waiting.tasks))
    }
}

impl Waiting {
    fn remove(&mut self, number: u64) -> Option<Notify> {
        let index = self.tasks.iter().position(|(other, _)| *other == number)?;
        self.tasks.remove(index).map(|(_, notify)| notify)
    }

    /// Takes out whom to tell: all, or the first future. A descriptor is told in passing: nobody
    /// knows when its user will try.
    fn next(&mut self, is_for_all: bool) -> Told {
        let mut told = Told::default();
        while let Some((_, notify)) = self.tasks.pop_front() {
            let is_descriptor = matches!(notify, Notify::Descriptor(_));
            told.0.push(notify);
            if !is_for_all && !is_descriptor {
                break;
            }
        }
        told
    }
}
