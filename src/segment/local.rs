//! What this process knows of its segments: which address belongs to which mapping, and which
//! participant the calling thread is there.
//!
//! A primitive is found by its address: `mutex.lock()` has nothing but `&self`. A thread-local
//! cache of a few address ranges nearly always has the answer. Otherwise the list of mappings is
//! searched, and the thread registers if it has not done so yet.
//!
//! # Files
//!
//! | file            | question                                                                  |
//! |-----------------|---------------------------------------------------------------------------|
//! | `process`       | Which process is this, and are the thread-local caches still valid?       |
//! | `mapping`       | What does this process have mapped, and when may a mapping go?            |
//! | `thread`        | Which participant is the calling thread, by an address in the segment?    |
//! | `pages`         | The same, for threads that use many segments.                             |
//! | `joining`       | How does a thread join a segment, and how does it leave one?              |
//! | `registrations` | Which threads have lifelines where?                                       |
//! | `pins`          | Which mappings stay although their segment was dropped?                   |
//! | `list`          | Where are the records that are reused, and never freed?                   |
//! | `holds`         | What does the calling thread hold by guards that it may have leaked?      |
//!
//! No code here takes a lock, because a forked child could inherit it locked. Lists only grow.
//! Their nodes are reused and never freed.

mod holds;
mod joining;
mod list;
mod mapping;
mod pages;
mod pins;
mod process;
mod registrations;
#[cfg(test)]
mod tests;
mod thread;

pub(crate) use holds::{
    OwnHome, end_begins, end_ends, hold_begins, hold_ends, lock_begins, lock_ends, may_hold, read_begins, read_ends,
};
pub(crate) use joining::SignalsBlocked;
pub(super) use joining::detach;
pub(super) use mapping::{Body, Mapping};
pub(crate) use pins::{Pin, leave_orphans, pin, when_a_pinned_one_goes};
pub(crate) use process::{ensure_process_number, process_number};
pub(crate) use thread::{are_in_one_segment, known, known_as, lock_at, participant, place_of};
