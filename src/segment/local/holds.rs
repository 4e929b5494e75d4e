//! What does the calling thread hold whose guard it may have leaked?
//!
//! A guard that is leaked (`mem::forget`, `Box::leak`) may have given a reference that is still in
//! use when its thread has ended. So each thread counts the holds whose guards give references, in
//! thread-local memory. A thread that ends by itself while its count is not 0 says so in its slots
//! ([`Table::leak`](crate::raw::table::Table::leak)), before the kernel cuts its lifelines. A
//! thread that locks after that, in a destructor that runs still later, says so at once.
//!
//! That count may be too high, never too low: a guard is counted when it is made and when it is
//! dropped, whatever any word says. A read hold is counted before its word is taken, and that count
//! says also whether the thread's homes may move: see [`rwlock`](crate::raw::rwlock#homes). Holds
//! of a [`Lock`](crate::Lock) have a count of their own, since there the word alone tells whose
//! hold is released. It can tell a wrong one: a `Lock` that is data of a mutex can be moved to
//! another segment, where its word names another thread, and the dead may have written any word.
//! With one count for both, the release of such a lock would hide a leaked guard. The count of
//! locks is too high if another thread has released one, and too low after such a move: then the
//! next gets `OwnerDied` where it should wait, for a lock that gives no reference.
//!
//! The slot of a thread whose count was too high stays taken until its process ends, or until a
//! newcomer that finds no other slot sees that no word names it.

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

/// The calling thread has a hold more, whose guard can be leaked.
#[inline(always)]
pub(crate) fn hold_begins() {
    LOCAL.with(|local| local.holds.set(local.holds.get().wrapping_add(1)));
}

/// A hold of the calling thread, and of this process, is over, and so is its guard.
///
/// Called after the release. Called before it, this and `hold_begins` are two dependent updates of
/// one word between the locked instructions of lock and unlock, and the second instruction waits
/// until both are stored: 0.7 to 1.7 ns. The count may be too high for that moment, as the
/// [module](self) says.
#[inline(always)]
pub(crate) fn hold_ends() {
    LOCAL.with(|local| local.holds.set(local.holds.get().wrapping_sub(1)));
}

/// The calling thread is about to take a reader word, before it looks which. What it gets, a guard
/// or a refusal, ends with [`read_ends`].
///
/// One count, up and down: a signal handler in the middle of an update takes back what it adds, so
/// that the update is right whether the handler's is lost or not. (With a count of each, one would
/// be lost, and the other not.)
#[inline(always)]
pub(crate) fn read_begins() {
    LOCAL.with(|local| local.reads.set(local.reads.get().wrapping_add(1)));
    compiler_fence(SeqCst); // a signal handler that comes from now on leaves the thread's home where it is
}

/// The calling thread has given its reader word back, or has got none.
#[inline(always)]
pub(crate) fn read_ends() {
    compiler_fence(SeqCst); // as above, up to now
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
        // A signal handler could take a reader word, and keep it, between the look and the move.
        let _blocked = SignalsBlocked::now();
        LOCAL.with(|local| {
            // One is that of the caller. A forgotten guard counts for ever.
            let may = local.reads.get() == 1;
            if may {
                local.shift.set(local.shift.get().wrapping_add(by));
            }
            may
        })
    }
}

/// The calling thread has acquired a [`Lock`](crate::Lock).
#[inline(always)]
pub(crate) fn lock_begins() {
    LOCAL.with(|local| local.locks.set(local.locks.get().wrapping_add(1)));
}

/// A [`Lock`](crate::Lock) whose word named the calling thread has been released.
#[inline(always)]
pub(crate) fn lock_ends() {
    LOCAL.with(|local| local.locks.set(local.locks.get().wrapping_sub(1)));
}

/// The calling thread ends by itself. Its thread-local variables have been dropped, and of what
/// belongs to the C library's keys some; called again when more of that may have been.
pub(super) extern "C" fn thread_ends() {
    LOCAL.with(|local| {
        local.is_ending.set(true);
        local.forget(); // whatever it locks from now on goes through `find`
        // A forked child that has done nothing here since: slots and holds are its parent's.
        if local.process.get() != process_number() {
            // So is what this thread has of its parent's list.
            if let Ok(page) = ensure_page() {
                local.become_of(page.process.load(Acquire));
            }
            return;
        }
        if local.holds.get() != 0 || local.reads.get() != 0 || local.locks.get() != 0 {
            own_slots(local.thread.get()).for_each(|(table, id)| table.leak(id));
        }
        if let Some(anchors) = local.anchors.get() {
            // SAFETY: this thread's, of this process.
            unsafe {
                anchors.repair();
                anchors.part_from_libc();
            }
        }
    });
}

/// Where a thread, the calling one, takes part, and as whom.
fn own_slots(thread: u64) -> impl Iterator<Item = (&'static Table<'static, Linux>, Id)> {
    mappings().filter_map(move |mapping| Some((mapping, mapping.registration_of(thread)?))).filter_map(
        |(mapping, registration)| {
            // SAFETY: the calling thread has a registration there.
            let table = unsafe { &mapping.body().table };
            Some((table, Id::holder_in(registration.id.load(Relaxed))?))
        },
    )
}
