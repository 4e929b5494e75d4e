//! How does a thread join a segment, and how does it leave one?

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::holds::thread_ends;
use super::mapping::{BUSY, Body, LIVE, Mapping, ORPHAN, ORPHANS, mappings, sweep};
use super::pins;
use super::process::{Page, ensure_page, new_number};
use super::registrations::{Registration, TAKEN, Thread};
use super::thread::{LOCAL, Local};
use crate::error::{IoError, LeaveError, RegisterError, Unsupported};
use crate::platform::linux::{self, Anchors, Linux, Myself, OwnMemory, RobustNode, ThreadRecord};
use crate::raw::Id;
use crate::raw::table::Newcomer;
use crate::raw::table::recycle::Named;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

impl Local {
    pub(super) fn register(&self, mapping: &'static Mapping, body: &Body) -> Result<Id, RegisterError> {
        let table = &body.table;
        let list = linux::robust_list().map_err(Unsupported::from)?;
        linux::call_at_thread_end(thread_ends).map_err(|errno| {
            let error = std::io::Error::from_raw_os_error(errno);
            Unsupported(format!(
                "the end of this thread cannot be watched for leaked guards, since the C library has no thread-specific key left: {error}"
            ))
        })?;
        let process = self.process.get();
        let leader = mappings()
            .filter(|other| other.is_same_segment(mapping))
            .flat_map(Mapping::registrations)
            .find(|registration| {
                let tenant = &registration.tenant;
                !matches!(tenant.thread.load(Acquire), 0 | TAKEN) && tenant.process.load(Relaxed) == process
            })
            .map(|registration| registration.leader.load(Relaxed))
            .filter(|leader| *leader != 0);
        let myself = Myself::current();
        let anchors = self.anchors_in(list, &myself);
        let entries = if myself.is_main_thread() { 1 } else { 2 };
        // SAFETY: the anchors are in the calling thread's list.
        let room = unsafe { anchors.check_room(entries) };
        room.map_err(|crowded| RegisterError::TooManySegments {
            segments: crowded.lifelines / entries,
            other_entries: crowded.others,
        })?;
        let registration = Registration::take_in(&mapping.registrations, process);
        let me = NewThread { myself, anchors, registration, leader, body };
        let Ok(id) = table.register(&me) else {
            registration.tenant.vacate();
            return Err(RegisterError::Full { participants: table.slots.len() });
        };
        registration.settle(self.thread.get(), process, id, leader.unwrap_or(id.word()), &me.myself);
        Ok(id)
    }

    /// The thread's anchors in its robust list.
    fn anchors_in(&self, list: ptr::NonNull<linux::Head>, me: &Myself) -> &'static Anchors {
        // A thread that was given another list needs other anchors: the kernel no longer finds the
        // first.
        // SAFETY: anchors and list are this thread's.
        let found = self.anchors.get().filter(|anchors| unsafe { anchors.are_found_by(list) });
        let anchors = found.unwrap_or_else(|| {
            // A signal handler that interrupts this registers nowhere, so it needs no anchors.
            Thread::new_anchors(self.thread.get(), self.process.get(), me, list)
        });
        self.anchors.set(Some(anchors));
        anchors
    }

    /// Forgets the entries of dropped mappings, becomes a new thread after a fork, and leaves
    /// orphans.
    #[cold]
    pub(super) fn refresh(&self, page: &Page) {
        let (sequence, process) = (page.sequence.load(Acquire), page.process.load(Acquire));
        for entry in &self.entries {
            if !entry.mapping.get().is_some_and(|mapping| mapping.is_still(entry.state.get())) {
                entry.length.set(0);
            }
        }
        self.become_of(process);
        self.sequence.set(sequence);
        // ORDERING: Relaxed; seen with the sequence.
        if ORPHANS.load(Relaxed) != 0 {
            mappings().filter(|mapping| mapping.state() != LIVE).for_each(|orphan| self.leave_orphan(orphan));
            sweep();
        }
    }

    /// Makes this a thread of this process. If it was a thread of the parent process before, it
    /// becomes a new one.
    pub(super) fn become_of(&self, process: u64) {
        if self.process.get() == process {
            return;
        }
        // A signal handler that interrupts this would act as the thread before the fork.
        let _blocked = SignalsBlocked::now();
        self.forget();
        self.process.set(process);
        self.thread.set(new_number());
        self.holds.set(0); // the child's guards are copies of its parent's
        self.reads.set(0);
        self.locks.set(0);
        self.ends.set(0);
        let parents = self.anchors.take();
        self.anchors.set(parents.and_then(|anchors| Thread::keep_anchors(anchors, self.thread.get(), process)));
        self.pages.set(None);
    }

    /// Leaves a dropped segment, if the thread takes part there and has no other mapping of it.
    pub(super) fn leave_orphan(&self, orphan: &Mapping) {
        let Some(registration) = orphan.registration_of(self.thread.get()) else { return };
        if !mappings().any(|other| other.state() == LIVE && other.is_same_segment(orphan)) {
            // StillHolding while the thread holds something. Then the mapping stays, and the thread
            // tries again at the next change of the sequence.
            let _still_holding = orphan.detach(registration);
        }
    }
}

struct NewThread<'b> {
    myself: Myself,
    anchors: &'static Anchors,
    registration: &'static Registration,
    leader: Option<u32>,
    body: &'b Body,
}

impl Newcomer<Linux> for NewThread<'_> {
    fn thread(&self) -> u32 {
        self.myself.thread_id
    }
    fn tag(&self) -> u32 {
        self.myself.tag()
    }
    fn describe(&self, about: &ThreadRecord, id: Id) {
        about.set(&self.myself, self.leader.unwrap_or(id.word()));
    }
    /// Links the thread's own node first. The kernel walks the newest entry first, and gives the
    /// slot away when it marks `own`. After that it must read nothing more of the slot. For the
    /// same reason `pending` does not cover the second link: the kernel reads `pending` last. The
    /// membership word notifies a waiter that collects lifelines between the two links.
    fn arm(&self, [own, process]: &[RobustNode; 2]) {
        let me = &self.myself;
        let [own_place, process_place] = &self.registration.places;
        // SAFETY: the anchors are in the calling thread's list. The slot was claimed, so its nodes
        // are in no living list, and their words have no owner. The mapping stays as long as the
        // registration, which this thread has taken.
        unsafe {
            self.anchors.link(own_place, own, me.thread_id, true);
            if !me.is_main_thread() {
                self.anchors.link(process_place, process, me.process_id, false);
            }
        }
    }
    fn is_claimer_gone(&self, thread: u32, tag: u32) -> bool {
        self.myself.knows_gone(thread, tag)
    }
    fn read_names(&self, named: &mut Named) -> bool {
        let none_is_sought = |word| {
            named.note(word);
            false
        };
        self.body.find_word(none_is_sought).is_ok()
    }
}

/// Leaves the segment of this mapping, if the calling thread takes part in it.
pub(in crate::segment) fn detach(mapping: &Mapping) -> Result<(), LeaveError> {
    let Ok(page) = ensure_page() else { return Ok(()) }; // there was no mapping without it
    LOCAL.with(|local| {
        if page.sequence.load(Acquire) != local.sequence.get() {
            local.refresh(page);
        }
        let thread = local.thread.get();
        let mut all = mappings().filter(|other| other.is_same_segment(mapping));
        let left = all.try_for_each(|other| {
            other.registration_of(thread).map_or(Ok(()), |registration| other.detach(registration))
        });
        sweep(); // this thread may have been the last one in a dropped mapping
        left
    })
}

impl Mapping {
    /// The user has dropped the segment: the mapping becomes an orphan.
    pub(in crate::segment) fn abandon(&self) {
        let Ok(page) = ensure_page() else { return };
        // BUSY until the sequence has changed: before that, no thread may take the mapping down and
        // map another in its place. All cache entries of this process for the range become void
        // here: those by page with the state, those by range with the sequence.
        // ORDERING: AcqRel for both. A thread that is handed a later mapping sees both, by whatever
        // means it was handed over. The sequence changes by a read-modify-write, so that a thread
        // that sees the change of a later drop sees this one, too.
        if !self.change_state(LIVE, BUSY) {
            return;
        }
        ORPHANS.fetch_add(1, Relaxed); // ORDERING: Relaxed; seen with the sequence.
        page.sequence.swap(new_number(), AcqRel);
        self.change_state(BUSY, ORPHAN);
        LOCAL.with(|local| {
            // This orphan first, so that usually no thread has to search for it. Not in a forked
            // child whose thread still counts as its parent's.
            let process = page.process.load(Relaxed);
            if local.process.get() == process {
                local.leave_orphan(self);
                self.take_down_if_unused(process);
            }
            local.refresh(page);
        });
        pins::tell_of_the_end(self);
    }

    /// The calling thread, which has this registration, leaves the segment. It cannot while a word
    /// of the segment names it.
    fn detach(&self, registration: &Registration) -> Result<(), LeaveError> {
        // A signal handler could lock something after the search for what the thread holds, or lock
        // it as the participant that the thread no longer is.
        let _blocked = SignalsBlocked::now();
        // SAFETY: the calling thread has a registration here.
        let left = registration.leave_once(|| unsafe { self.body() }.let_go(registration));
        LOCAL.with(Local::forget);
        left
    }
}

impl Body {
    /// Unlinks the lifelines of the calling thread, which has this registration, and gives its slot
    /// away. It cannot while a word of the segment names the thread.
    fn let_go(&self, registration: &Registration) -> Result<(), LeaveError> {
        let id = Id::holder_in(registration.id.load(Relaxed)).expect("a registration has an id");
        if let Some(offset) = self.find_word_naming(id)? {
            return Err(LeaveError::StillHolding { offset });
        }
        let [own, process] = &registration.places;
        for place in [process, own] {
            // SAFETY: the two places are in the calling thread's registration, and their neighbours
            // in its other registrations. The mappings of all of these stay.
            unsafe { linux::unlink(place) };
        }
        // Only now that both are unlinked: this gives the slot away, and nothing of it is ours any
        // more.
        self.table.leave(id);
        Ok(())
    }

    /// The offset of a word, anywhere after the table, that names the participant as a holder.
    ///
    /// A count of holds would burden every lock and unlock, and would be wrong after a
    /// `mem::forget`. The words themselves say what is held. The kernel reads them for us. Most of
    /// them are plain data that other threads may be writing to, so to read those ourselves would
    /// be a data race.
    fn find_word_naming(&self, id: Id) -> Result<Option<usize>, IoError> {
        self.find_word(|word| Id::holder_in(word) == Some(id))
    }

    /// The offset of the first word after the table that is `sought`.
    fn find_word(&self, mut sought: impl FnMut(u32) -> bool) -> Result<Option<usize>, IoError> {
        let start = self.map.as_mut_ptr() as usize;
        let mut memory = OwnMemory::default();
        let mut bytes = [0; OwnMemory::MOST];
        for at in (self.layout.root..self.layout.total).step_by(bytes.len()) {
            let bytes = &mut bytes[..(self.layout.total - at).min(OwnMemory::MOST)];
            memory.read(start + at, bytes).map_err(|e| IoError::new("read the segment", None, e))?;
            let mut words = bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes")));
            if let Some(index) = words.position(&mut sought) {
                return Ok(Some(at + index * 4));
            }
        }
        Ok(None)
    }
}

/// Keeps signal handlers from running in the calling thread until this is dropped. Signals that the
/// thread's own faults raise are not blocked.
pub(crate) struct SignalsBlocked(libc::sigset_t);

impl SignalsBlocked {
    pub(crate) fn now() -> Self {
        // SAFETY: both sets are valid. The calls cannot fail with these arguments
        // (pthread_sigmask(3)).
        unsafe {
            let (mut all, mut before) = (core::mem::zeroed(), core::mem::zeroed());
            libc::sigfillset(&mut all);
            // A fault whose signal is blocked would end the process silently (signal(7)).
            for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS] {
                libc::sigdelset(&mut all, signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            Self(before)
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set that the thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, core::ptr::null_mut()) };
    }
}
