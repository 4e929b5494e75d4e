//! Rings without robustness: a bare one, and one under glibc's robust mutex.

use super::{Guarded, Pthread, Robustness};
use outlive::{Definition, Shareable};
use std::cell::UnsafeCell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// Two cache lines, because processors fetch lines in pairs.
#[derive(Debug)]
#[repr(C, align(128))]
struct OwnLines<T>(T);

/// Dmitry Vyukov's bounded queue for many producers and many consumers. Nobody sleeps, and a death
/// in the middle of an operation stops it forever. `N` is a power of two.
///
/// With `FENCED`, each operation ends with a fence: what a queue needs, at the least, that then
/// looks whether anybody sleeps.
#[repr(C)]
pub struct Ring<T, const N: usize, const FENCED: bool = false> {
    tail: OwnLines<AtomicU64>,
    head: OwnLines<AtomicU64>,
    cells: [RingCell<T>; N],
}

#[repr(C)]
struct RingCell<T> {
    /// The position for which the cell is free; one more: for which it is full.
    sequence: AtomicU64,
    item: UnsafeCell<T>,
}

// SAFETY: the sequence gives an item to one thread at a time.
unsafe impl<T: Send, const N: usize, const FENCED: bool> Sync for Ring<T, N, FENCED> {}

// SAFETY: repr(C) around words and items that are Shareable, no drop glue. The positions are
// reduced to indices below N, so any words are safe.
unsafe impl<T: Shareable, const N: usize, const FENCED: bool> Shareable for Ring<T, N, FENCED> {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("Ring");
}

impl<T, const N: usize, const FENCED: bool> std::fmt::Debug for Ring<T, N, FENCED> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").finish_non_exhaustive()
    }
}

impl<T> RingCell<T> {
    /// ORDERING: Release, and sequential consistency with `FENCED`: a locked exchange is the
    /// cheapest fence of x86-64.
    #[inline(always)]
    fn hand_over<const FENCED: bool>(&self, sequence: u64) {
        if FENCED {
            self.sequence.swap(sequence, Ordering::SeqCst);
        } else {
            self.sequence.store(sequence, Ordering::Release);
        }
    }
}

impl<T: Shareable, const N: usize, const FENCED: bool> Ring<T, N, FENCED> {
    /// Makes memory of zeros an empty ring.
    pub fn set_up(&mut self) {
        const { assert!(N.is_power_of_two(), "the capacity of a bare ring is a power of two") };
        (0..).zip(&mut self.cells).for_each(|(position, cell)| cell.sequence = AtomicU64::new(position));
    }

    /// Adds an item. Returns whether there was room.
    #[inline(always)]
    pub fn try_send(&self, item: T) -> bool {
        // ORDERING of both functions, as published: Acquire where a cell's sequence is read,
        // Release where it is written, Relaxed for the positions.
        let mut position = self.tail.0.load(Ordering::Relaxed);
        loop {
            let cell = &self.cells[position as usize % N];
            match cell.sequence.load(Ordering::Acquire).wrapping_sub(position) as i64 {
                0 => match self.tail.0.compare_exchange_weak(
                    position,
                    position.wrapping_add(1),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => {
                        // SAFETY: this thread has the position, and the last reader has left.
                        unsafe { cell.item.get().write(item) };
                        cell.hand_over::<FENCED>(position.wrapping_add(1));
                        return true;
                    }
                    Err(now) => position = now,
                },
                ahead if ahead < 0 => return false,
                _ => position = self.tail.0.load(Ordering::Relaxed),
            }
        }
    }

    /// Takes an item, if there is one.
    #[inline(always)]
    pub fn try_recv(&self) -> Option<T> {
        let mut position = self.head.0.load(Ordering::Relaxed);
        loop {
            let cell = &self.cells[position as usize % N];
            let full = position.wrapping_add(1);
            match cell.sequence.load(Ordering::Acquire).wrapping_sub(full) as i64 {
                0 => match self.head.0.compare_exchange_weak(position, full, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        // SAFETY: this thread has the position, and the writer has left.
                        let item = unsafe { cell.item.get().read() };
                        cell.hand_over::<FENCED>(position.wrapping_add(N as u64));
                        return Some(item);
                    }
                    Err(now) => position = now,
                },
                ahead if ahead < 0 => return None,
                _ => position = self.head.0.load(Ordering::Relaxed),
            }
        }
    }
}

/// A ring under glibc's robust mutex: one for both sides, or one for each side.
#[repr(C)]
pub struct LockedRing<T, const N: usize> {
    producers: OwnLines<Side>,
    consumers: OwnLines<Side>,
    items: [UnsafeCell<T>; N],
}

#[repr(C)]
struct Side {
    lock: Pthread,
    position: AtomicU64,
}

// SAFETY: the locks and the positions give an item to one thread at a time.
unsafe impl<T: Send, const N: usize> Sync for LockedRing<T, N> {}

// SAFETY: as for `Ring`. For the mutexes see the module `glibc`.
unsafe impl<T: Shareable, const N: usize> Shareable for LockedRing<T, N> {
    const DEFINITION: &'static Definition = &Definition::atomic::<Self>("LockedRing");
}

impl<T, const N: usize> std::fmt::Debug for LockedRing<T, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LockedRing").finish_non_exhaustive()
    }
}

impl<T: Shareable, const N: usize> LockedRing<T, N> {
    /// Makes memory of zeros an empty ring.
    ///
    /// # Errors
    /// Those of glibc.
    pub fn set_up(&mut self) -> io::Result<()> {
        self.producers.0.lock.set_up(Robustness::Robust)?;
        self.consumers.0.lock.set_up(Robustness::Robust)
    }

    /// Adds an item. Returns whether there was room.
    #[inline(always)]
    pub fn try_send(&self, item: T) -> bool {
        let (own, other) = (&self.producers.0, &self.consumers.0);
        own.lock.with(|_| {
            let position = own.position.load(Ordering::Relaxed); // ORDERING: written under this lock.
            // ORDERING: Acquire and Release: with two locks the other side is not excluded.
            if position.wrapping_sub(other.position.load(Ordering::Acquire)) == N as u64 {
                return false;
            }
            // SAFETY: the lock excludes other writers, and the readers have left this cell.
            unsafe { self.items[position as usize % N].get().write(item) };
            own.position.store(position.wrapping_add(1), Ordering::Release);
            true
        })
    }

    /// Takes an item, if there is one. All callers of all methods must agree on `two_locks`.
    #[inline(always)]
    pub fn try_recv(&self, two_locks: bool) -> Option<T> {
        let (own, other) = (&self.consumers.0, &self.producers.0);
        let lock = if two_locks { &own.lock } else { &other.lock };
        lock.with(|_| {
            let position = own.position.load(Ordering::Relaxed); // ORDERING: as in `try_send`.
            if position == other.position.load(Ordering::Acquire) {
                return None;
            }
            // SAFETY: the lock excludes other readers, and the writer has left this cell.
            let item = unsafe { self.items[position as usize % N].get().read() };
            own.position.store(position.wrapping_add(1), Ordering::Release);
            Some(item)
        })
    }
}
