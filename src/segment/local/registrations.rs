//! Which threads have lifelines where: the records that stay when their thread has ended, and are
//! used anew.
//!
//! A record is a thread's as long as its [`Tenant`] says so. Records are leaked, and found in lists
//! that only grow.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::list::List;
use super::pages::Pages;
use crate::platform::atomic::{AtomicPtr, AtomicU32, AtomicU64};
use crate::platform::linux::{self, Anchors, Head, Myself, Place};
use crate::raw::Id;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The thread that a record belongs to.
#[derive(Debug)]
pub(super) struct Tenant {
    /// The thread's number; 0 when unused.
    pub(super) thread: AtomicU64,
    pub(super) process: AtomicU64,
    system_thread: AtomicU32,
}

/// In `Tenant::thread`: being filled in. Nobody's number.
pub(super) const TAKEN: u64 = u64::MAX;

impl Tenant {
    /// Of a new record, which its maker is filling in.
    const fn taken() -> Self {
        Self { thread: AtomicU64::new(TAKEN), process: AtomicU64::new(0), system_thread: AtomicU32::new(0) }
    }

    /// Takes the record for a thread of this process, if it is unused, or if its thread has ended
    /// (fork's leftovers have, for this process).
    fn take_over(&self, process: u64) -> bool {
        let thread = self.thread.load(Acquire);
        let over = thread == 0
            || self.process.load(Relaxed) != process
            || linux::thread_has_ended(self.system_thread.load(Relaxed));
        // By CAS, so that two threads that find it do not both take it; and one that is being
        // filled in is not over.
        thread != TAKEN && over && self.thread.compare_exchange(thread, TAKEN, AcqRel, Relaxed).is_ok()
    }

    /// Whether the tenant is a thread of this process, or there is none.
    fn is_of(&self, process: u64) -> bool {
        self.thread.load(Acquire) == 0 || self.process.load(Relaxed) == process
    }

    /// Names the thread, which has taken the record over.
    fn settle(&self, thread: u64, process: u64, system_thread: u32) {
        self.process.store(process, Relaxed);
        self.system_thread.store(system_thread, Relaxed);
        self.thread.store(thread, Release); // ORDERING: publishes what else the record says.
    }

    /// Gives the record back.
    pub(super) fn vacate(&self) {
        self.thread.store(0, Release); // ORDERING: whoever takes it over finds the thread done with it.
    }

    /// Whether it is a thread of this process that may still run.
    pub(super) fn is_there(&self, process: u64) -> bool {
        // A thread of the process that we were forked from is linked in that one's mapping, not in
        // ours.
        let ours = self.thread.load(Acquire) != 0 && self.process.load(Relaxed) == process;
        // A robust list is walked before the id is given back.
        ours && !linux::thread_has_ended(self.system_thread.load(Relaxed))
    }
}

/// One thread's registration through a mapping: its lifelines are linked there.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) tenant: Tenant,
    pub(super) id: AtomicU32,
    /// `ThreadInfo::process` of its process in this segment.
    pub(super) leader: AtomicU32,
    /// Of the thread's lifeline, and of its process's.
    pub(super) places: [Place; 2],
    /// Not 0 from when the thread begins to leave the segment until the registration is used anew.
    /// A signal handler in the middle of that must not leave, too: the mapping would go.
    leaving: AtomicU32,
}

impl Registration {
    /// A registration in the list, which is the caller's to fill in.
    pub(super) fn take_in(list: &List<Self>, process: u64) -> &'static Self {
        let free = list.iter().find(|registration| registration.tenant.take_over(process));
        free.inspect(|registration| registration.clear()).unwrap_or_else(|| {
            let new = Self {
                tenant: Tenant::taken(),
                id: AtomicU32::new(0),
                leader: AtomicU32::new(0),
                places: [Place::empty(), Place::empty()],
                leaving: AtomicU32::new(0),
            };
            list.push(new)
        })
    }

    /// Forgets what the thread that had it left in it.
    fn clear(&self) {
        self.places.iter().for_each(Place::clear);
        self.leaving.store(0, Relaxed);
    }

    /// Runs `leave`, unless it is running already in this thread, which has the registration.
    pub(super) fn leave_once<E>(&self, leave: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if self.leaving.swap(1, Relaxed) != 0 {
            return Ok(());
        }
        let result = leave();
        match result {
            Ok(()) => self.tenant.vacate(), // from here on the mapping may go, and the registration be another's
            Err(_) => self.leaving.store(0, Relaxed),
        }
        result
    }

    /// Says whose it is, after its lifelines were linked.
    pub(super) fn settle(&self, thread: u64, process: u64, id: Id, leader: u32, me: &Myself) {
        self.id.store(id.word(), Relaxed);
        self.leader.store(leader, Relaxed);
        self.tenant.settle(thread, process, me.thread_id);
    }
}

/// A thread with lifelines.
#[derive(Debug)]
pub(super) struct Thread {
    tenant: Tenant,
    anchors: Anchors,
    /// Null until a tenant uses many segments.
    pages: AtomicPtr<Pages>,
}

static THREADS: List<Thread> = List::new();

impl Thread {
    /// Anchors for the calling thread, which has none in this list, its own.
    pub(super) fn new_anchors(thread: u64, process: u64, me: &Myself, list: NonNull<Head>) -> &'static Anchors {
        let is_usable = |record: &&Self| {
            // The anchors of a parent's thread may be in the list of the child's thread, where they
            // stay.
            !linux::has_lists_of_parents() || record.tenant.is_of(process)
        };
        let over = THREADS.iter().filter(is_usable).find(|record| record.tenant.take_over(process));
        let record = over.unwrap_or_else(|| {
            let new = Self { tenant: Tenant::taken(), anchors: Anchors::new(), pages: AtomicPtr::default() };
            THREADS.push(new)
        });
        // SAFETY: the caller's own list. The record is this thread's: its former one has ended, or
        // was another process's.
        unsafe { record.anchors.moor(list) };
        record.tenant.settle(thread, process, me.thread_id);
        &record.anchors
    }

    /// After a fork: what the calling thread, the child's only one, keeps of the anchors that its
    /// parent had in this list.
    pub(super) fn keep_anchors(anchors: &'static Anchors, thread: u64, process: u64) -> Option<&'static Anchors> {
        // SAFETY: they were this thread's before the fork.
        if !unsafe { anchors.disown() } {
            return None;
        }
        let record = THREADS.iter().find(|record| ptr::eq(&record.anchors, anchors))?;
        record.tenant.settle(thread, process, linux::thread_id());
        Some(anchors)
    }

    /// The pages of the calling thread, which has this number, if it has a record.
    pub(super) fn pages_of(thread: u64) -> Option<&'static Pages> {
        let all = || THREADS.iter();
        let record = all().find(|record| record.tenant.thread.load(Acquire) == thread)?;
        // SAFETY: null, or the record's own, never freed.
        let kept = unsafe { record.pages.load(Acquire).as_ref() };
        Some(kept.unwrap_or_else(|| {
            let new = Box::leak(Box::new(Pages::new()));
            // Should a signal handler have been quicker, its table is lost.
            record.pages.store(new, Release);
            new
        }))
    }
}

/// How many records of threads there are.
#[cfg(test)]
pub(super) fn count_threads() -> usize {
    THREADS.iter().count()
}
