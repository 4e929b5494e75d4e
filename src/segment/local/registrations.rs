//! Which threads have lifelines where? The records stay when their thread has ended, and are
//! reused.
//!
//! A record belongs to a thread as long as its [`Tenant`] says so. Records are leaked, and found in
//! lists that only grow.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::list::List;
use super::pages::Pages;
use crate::atomic::{AtomicPtr, AtomicU32, AtomicU64};
use crate::platform::linux::{self, Anchors, Head, Myself, Place};
use crate::raw::Id;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The thread that a record belongs to.
#[derive(Debug)]
pub(super) struct Tenant {
    /// The thread's number; 0 if the record is unused.
    pub(super) thread: AtomicU64,
    pub(super) process: AtomicU64,
    system_thread: AtomicU32,
}

/// In `Tenant::thread`: the record is being filled in. No thread has this number.
pub(super) const TAKEN: u64 = u64::MAX;

impl Tenant {
    /// For a new record, which its maker is filling in.
    const fn taken() -> Self {
        Self { thread: AtomicU64::new(TAKEN), process: AtomicU64::new(0), system_thread: AtomicU32::new(0) }
    }

    /// Takes the record for a thread of this process, if the record is unused or its thread has
    /// ended. After a fork, the parent's threads have ended for the child.
    fn take_over(&self, process: u64) -> bool {
        let thread = self.thread.load(Acquire);
        let over = thread == 0
            || self.process.load(Relaxed) != process
            || linux::thread_has_ended(self.system_thread.load(Relaxed));
        // By CAS, so that only one of two threads that find it takes it. A record that is being
        // filled in cannot be taken.
        thread != TAKEN && over && self.thread.compare_exchange(thread, TAKEN, AcqRel, Relaxed).is_ok()
    }

    /// Whether the tenant is a thread of this process, or there is none.
    fn is_of(&self, process: u64) -> bool {
        self.thread.load(Acquire) == 0 || self.process.load(Relaxed) == process
    }

    /// Names the thread that has taken the record over.
    fn settle(&self, thread: u64, process: u64, system_thread: u32) {
        self.process.store(process, Relaxed);
        self.system_thread.store(system_thread, Relaxed);
        self.thread.store(thread, Release); // ORDERING: Release; publishes the rest of the record.
    }

    /// Gives the record back.
    pub(super) fn vacate(&self) {
        self.thread.store(0, Release); // ORDERING: Release; the next tenant finds this thread done with it.
    }

    /// Whether the tenant is a thread of this process that may still run.
    pub(super) fn is_there(&self, process: u64) -> bool {
        // A thread of the parent process is linked in the parent's mapping, not in ours.
        let ours = self.thread.load(Acquire) != 0 && self.process.load(Relaxed) == process;
        // The kernel walks a robust list before it gives the thread id back.
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
    /// Where the lifelines of the thread and of its process are linked.
    pub(super) places: [Place; 2],
    /// Not 0 from when the thread begins to leave the segment until the registration is reused. A
    /// signal handler that interrupts the leaving must not leave, too: the mapping would go.
    leaving: AtomicU32,
}

impl Registration {
    /// A registration in the list, for the caller to fill in.
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

    /// Clears what the former thread left in it.
    fn clear(&self) {
        self.places.iter().for_each(Place::clear);
        self.leaving.store(0, Relaxed);
    }

    /// Runs `leave`, unless this thread, which has the registration, is running it already.
    pub(super) fn leave_once<E>(&self, leave: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if self.leaving.swap(1, Relaxed) != 0 {
            return Ok(());
        }
        let result = leave();
        match result {
            Ok(()) => self.tenant.vacate(), // from now on the mapping may go, and another thread may take this
            Err(_) => self.leaving.store(0, Relaxed),
        }
        result
    }

    /// Names the thread, after its lifelines were linked.
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
    /// Anchors for the calling thread, which has none in its robust list `list`.
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
        // SAFETY: the list is the caller's own. The record is this thread's: its former tenant has
        // ended, or was in another process.
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

    /// The table of pages of the calling thread, which has this number, if it has a record.
    pub(super) fn pages_of(thread: u64) -> Option<&'static Pages> {
        let all = || THREADS.iter();
        let record = all().find(|record| record.tenant.thread.load(Acquire) == thread)?;
        // SAFETY: null, or the record's own, never freed.
        let kept = unsafe { record.pages.load(Acquire).as_ref() };
        Some(kept.unwrap_or_else(|| {
            let new = Box::leak(Box::new(Pages::new()));
            // If a signal handler was quicker, its table is lost.
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
