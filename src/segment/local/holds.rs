//! What does the calling thread hold by guards that it may have leaked?
//!
//! A leaked guard (`mem::forget`, `Box::leak`) may have given a reference that is still in use when
//! its thread has ended. So each thread counts the holds whose guards give references, in
//! thread-local memory. A thread that ends by itself while its count is not 0 declares that in its
//! slots ([`Table::leak`]), before the kernel cuts its lifelines. A thread that locks even later,
//! in a destructor, declares it at once.
//!
//! The count may be too high, never too low. A guard is counted when it is made and when it is
//! dropped, whatever any word says. A read hold is counted before its word is taken. The count of
//! read holds also says whether the thread's homes may move: see
//! `raw::rwlock`.
//!
//! Holds of a [`Lock`](crate::Lock) have a count of their own, which is raised before the word is
//! taken. There only the word says whose hold is released, and the word can be wrong. A `Lock` that
//! is data of a mutex can be moved to another segment, where its word names another thread. The
//! dead may have written any word. With one count for both, the release of such a lock would hide a
//! leaked guard.
//!
//! The count of locks is too high if another thread has released one. It is too low after such a
//! move. Then the next caller gets `OwnerDied` where it should wait, for a lock that gives no
//! reference.
//!
//! So have ends of channels, which any thread of the process may use. The count is too high if
//! another thread gives an end back.
//!
//! After a count that was too high, the slot of the thread stays taken until its process ends. A
//! newcomer that finds no other slot can take it, once it sees that no word names its owner.

use super::joining::SignalsBlocked;
use super::mapping::mappings;
use super::process::{ensure_page, process_number};
use super::thread::LOCAL;
use crate::platform::linux::Linux;
use crate::raw::Id;
use crate::raw::rwlock::Home;
use crate::raw::table::Table;
use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use core::sync::atomic::compiler_fence;

/// The calling thread has one more hold, whose guard can be leaked, or is about to take one.
///
/// A fast path calls this before the look-up of the participant, and [`hold_ends`] if it takes
/// nothing: see [`lock_begins`].
#[inline(always)]
pub(crate) fn hold_begins() {
    LOCAL.with(|local| local.holds.set(local.holds.get().wrapping_add(1)));
}

/// A hold of the calling thread, in this process, has ended, and its guard is gone.
///
/// Called after the release. Before the release, this and `hold_begins` would be two dependent
/// updates of one word between the locked instructions of lock and unlock. The second instruction
/// would wait until both are stored: 0.7 to 1.7 ns. So the count is too high for a moment, which
/// the [module](self) permits.
#[inline(always)]
pub(crate) fn hold_ends() {
    LOCAL.with(|local| local.holds.set(local.holds.get().wrapping_sub(1)));
}

/// The calling thread is about to take a reader word, and has not yet chosen which. Whatever it
/// gets, a guard or an error, [`read_ends`] ends it.
///
/// One count goes up and down. A signal handler that interrupts an update takes back what it adds.
/// So the update is right, whether the handler's updates are lost or not. With one count of begins
/// and one of ends, one of the handler's updates could be lost, and the other not.
#[inline(always)]
pub(crate) fn read_begins() {
    LOCAL.with(|local| local.reads.set(local.reads.get().wrapping_add(1)));
    compiler_fence(SeqCst); // a signal handler that comes from now on leaves the thread's home where it is
}

/// The calling thread has released its reader word, or has got none.
#[inline(always)]
pub(crate) fn read_ends() {
    compiler_fence(SeqCst); // as above, until here
    LOCAL.with(|local| local.reads.set(local.reads.get().wrapping_sub(1)));
}

/// The homes of the calling thread, between `read_begins` and `read_ends`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnHome;

impl Home for OwnHome {
    #[inline(always)]
    fn shift(self) -> usize {
        LOCAL.with(|local| local.shift.get())
    }

    #[cold]
    fn move_by(self, by: usize) -> bool {
        // A signal handler could take a reader word, and keep it, between the check and the move.
        let _blocked = SignalsBlocked::now();
        LOCAL.with(|local| {
            // One is the caller's own. A forgotten guard counts forever.
            let may = local.reads.get() == 1;
            if may {
                local.shift.set(local.shift.get().wrapping_add(by));
            }
            may
        })
    }
}

/// The calling thread has acquired a [`Lock`](crate::Lock), or is about to take its word.
///
/// A fast path calls this before the look-up of the participant, and [`lock_ends`] if it takes
/// nothing. The store is then complete before the exchange that takes the lock. After that
/// exchange, it would delay the exchange that releases the lock: by 0.1 to 0.26 x (compare-exchange
/// + swap).
#[inline(always)]
pub(crate) fn lock_begins() {
    LOCAL.with(|local| local.locks.set(local.locks.get().wrapping_add(1)));
}

/// A [`Lock`](crate::Lock) whose word named the calling thread has been released, or was not taken.
#[inline(always)]
pub(crate) fn lock_ends() {
    LOCAL.with(|local| local.locks.set(local.locks.get().wrapping_sub(1)));
}

/// The calling thread is about to take an end of a channel: see `raw::ends`.
pub(crate) fn end_begins() {
    LOCAL.with(|local| local.ends.set(local.ends.get().wrapping_add(1)));
}

/// The calling thread has given an end back that it had taken, or has got none.
pub(crate) fn end_ends() {
    LOCAL.with(|local| local.ends.set(local.ends.get().wrapping_sub(1)));
}

/// Whether the calling thread may hold a lock with which a condition variable's waiters wait. A
/// hint: it saves a search for that lock.
pub(crate) fn may_hold() -> bool {
    LOCAL.with(|local| local.holds.get() != 0 || local.locks.get() != 0)
}

/// The calling thread ends by itself. Its thread-local variables have been dropped, and some values
/// that belong to the C library's keys. This is called again when more of those may have been
/// dropped.
pub(super) extern "C" fn thread_ends() {
    LOCAL.with(|local| {
        local.is_ending.set(true);
        local.forget(); // whatever it locks from now on goes through `find`
        // In a forked child that has done nothing here since the fork, slots and holds are its
        // parent's.
        if local.process.get() != process_number() {
            // So is what this thread has of its parent's list.
            if let Ok(page) = ensure_page() {
                local.become_of(page.process.load(Acquire));
            }
            return;
        }
        if [&local.holds, &local.reads, &local.locks, &local.ends].iter().any(|count| count.get() != 0) {
            own_slots(local.thread.get()).for_each(|(table, id)| table.leak(id));
        }
        if let Some(anchors) = local.anchors.get() {
            // SAFETY: the anchors belong to this thread of this process.
            unsafe {
                anchors.repair();
                anchors.part_from_libc();
            }
        }
    });
}

/// Where the calling thread, which has this number, takes part, and as which participant.
fn own_slots(thread: u64) -> impl Iterator<Item = (&'static Table<'static, Linux>, Id)> {
    mappings().filter_map(move |mapping| Some((mapping, mapping.registration_of(thread)?))).filter_map(
        |(mapping, registration)| {
            // SAFETY: the calling thread has a registration there.
            let table = unsafe { &mapping.body().table };
            Some((table, Id::holder_in(registration.id.load(Relaxed))?))
        },
    )
}
