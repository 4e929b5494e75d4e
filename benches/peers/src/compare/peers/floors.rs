//! The least that a lock, a message, and a long item cost.

use super::channels::{self, Channel, Receiver, Sender, poll};
use super::kinds::{self, Signal};
use super::ours::change;
use super::{MakeLock, MakeSignal, Object, OfChannel, Peer};
use crate::compare::Failure;
use crate::compare::figures::Kind;
use crate::objects::Shared;
use outlive::{Segment, Shareable};
use outlive_benches::peers::{Floor, Guarded, Ring};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub(super) fn locks() -> Vec<Peer<MakeLock>> {
    vec![Peer::new("compare-and-swap, swap; polled", Kind::Floor, || {
        kinds::lock(Segment::<Polled>::anonymous(|_free| {})?)
    })]
}

/// Nobody sleeps, and nobody notices a death.
#[derive(Shareable)]
#[repr(C)]
struct Polled {
    lock: Floor,
    number: AtomicU64,
}

impl Guarded for Polled {
    #[inline]
    fn with<R>(&self, inside: impl FnOnce(&mut u64) -> R) -> R {
        if !self.lock.take(7) {
            poll(|| self.lock.take(7).then_some(()));
        }
        let result = change(&self.number, inside);
        self.lock.give_back();
        result
    }
}

pub(super) fn signals() -> Vec<Peer<MakeSignal>> {
    vec![
        Peer::new("bare futex", Kind::Floor, || kinds::signal(Segment::<Futex>::anonymous(|_zero| {})?)),
        Peer::new("a cache line, both spin", Kind::Floor, || kinds::signal(Segment::<Line>::anonymous(|_zero| {})?)),
    ]
}

/// The least that a sleep and a wake can cost.
#[derive(Shareable)]
#[repr(C, align(128))]
struct Futex {
    word: AtomicU32,
}

// ORDERING of both: Release for a message, and Acquire where it is taken.
impl Signal for Futex {
    fn give(&self) {
        self.word.store(1, Ordering::Release);
        // SAFETY: the call reads no memory.
        unsafe { libc::syscall(libc::SYS_futex, &self.word, libc::FUTEX_WAKE, 1) };
    }
    fn take(&self) {
        while self.word.swap(0, Ordering::Acquire) == 0 {
            let forever = std::ptr::null::<libc::timespec>();
            // SAFETY: the word lives as long as the call.
            unsafe { libc::syscall(libc::SYS_futex, &self.word, libc::FUTEX_WAIT, 0, forever) };
        }
    }
}

/// The least that a message between two processors can cost.
#[derive(Shareable)]
#[repr(C, align(128))]
struct Line {
    word: AtomicU32,
}

impl Signal for Line {
    fn give(&self) {
        self.word.store(1, Ordering::Release);
    }
    fn take(&self) {
        poll(|| (self.word.load(Ordering::Acquire) == 1).then_some(()));
        self.word.store(0, Ordering::Relaxed);
    }
}

/// The length of an item that is not moved by value.
pub(super) const LONG: usize = 1 << 20;
const BUFFERS: usize = 4;

/// A copy into shared memory and a copy out of it: buffers, and two bare rings of their numbers.
struct Buffers {
    free: Segment<Ring<u64, BUFFERS>>,
    full: Segment<Ring<u64, BUFFERS>>,
    bytes: Shared<[[u8; LONG]; BUFFERS]>,
}

pub(super) fn buffers() -> OfChannel {
    let ring = || Segment::<Ring<u64, BUFFERS>>::anonymous(Ring::set_up);
    let new = Buffers { free: ring()?, full: ring()?, bytes: Shared::zeroed()? };
    for buffer in 0..BUFFERS as u64 {
        assert!(new.free.try_send(buffer), "a ring has room for all buffers");
    }
    Ok(Object::Processes(Box::new(new)))
}

impl Buffers {
    fn buffer(&self, number: u64) -> *mut u8 {
        assert!(number < BUFFERS as u64);
        self.bytes.as_ptr().cast::<u8>().wrapping_add(number as usize * LONG)
    }
}

impl Channel for Buffers {
    fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
        channels::sends(|item| {
            channels::whole(LONG, item)?;
            let number = poll(|| self.free.try_recv());
            // SAFETY: the rings give each buffer to one process at a time; it is that long.
            unsafe { self.buffer(number).copy_from_nonoverlapping(item.as_ptr(), LONG) };
            poll(|| self.full.try_send(number).then_some(()));
            Ok(())
        })
    }
    fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
        channels::receives(|item| {
            channels::whole(LONG, item)?;
            let number = poll(|| self.full.try_recv());
            // SAFETY: as above.
            unsafe { item.as_mut_ptr().copy_from_nonoverlapping(self.buffer(number), LONG) };
            poll(|| self.free.try_send(number).then_some(()));
            Ok(())
        })
    }
}
