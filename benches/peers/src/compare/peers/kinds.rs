//! What a primitive of each kind does, and the loops around it.
//!
//! A peer implements the first of two traits, for example [`Signal`]. The loops are implemented for
//! all of them, so the compiler sees each operation inside its loop. A primitive that does not
//! work panics: the contestant is then missing, with that text.

use super::Object;
use crate::compare::Failure;
use crate::compare::waits::{OwnWaits, Waits};
use outlive_benches::contest::{self, Control, be_busy};
use outlive_benches::peers::Guarded;
use std::hint::black_box;
use std::ops::Deref;
use std::time::Instant;

/// Something with these loops, behind a pointer.
pub(super) struct In<P>(P);

/// Loops with a lock.
pub trait LockLoops {
    /// Locks, adds one, and unlocks, so many times.
    fn pairs(&self, turns: u64);
    /// Takes turns, each of which is so many steps long, from the contest's begin to its end.
    fn compete(&self, control: &Control, me: usize, steps: u64);
    /// As `compete`, and notes the waits.
    fn compete_by_the_clock(&self, control: &Control, steps: u64, waits: &Waits);
    /// As `compete`, and returns how often this process got the lock after another one.
    fn compete_noting_changes(&self, control: &Control, me: usize, steps: u64) -> u64;
}

impl<P: Deref<Target: Guarded + Sized>> LockLoops for In<P> {
    fn pairs(&self, turns: u64) {
        let lock = &*self.0;
        (0..turns).for_each(|_| black_box(lock).with(|number| *number += 1));
    }
    fn compete(&self, control: &Control, me: usize, steps: u64) {
        contest::take_turns(&*self.0, control, me, steps);
    }
    fn compete_by_the_clock(&self, control: &Control, steps: u64, waits: &Waits) {
        let lock = &*self.0;
        lock.with(|_number| {});
        let mut own = OwnWaits::none();
        control.begin();
        while control.is_running() {
            let begun = Instant::now();
            lock.with(|number| {
                own.add(begun.elapsed());
                be_busy(*number, steps);
                *number += 1;
            });
        }
        waits.add(&own);
    }
    fn compete_noting_changes(&self, control: &Control, me: usize, steps: u64) -> u64 {
        let lock = &*self.0;
        let (mut own, mut changes) = (0, 0);
        contest::compete_for(
            control,
            me,
            || lock.with(|_number| {}),
            || {
                lock.with(|number| {
                    be_busy(*number, steps);
                    changes += u64::from(*number != own); // another one has added to it
                    *number += 1;
                    own = *number;
                });
            },
        );
        changes
    }
}

pub(super) fn lock<P>(place: P) -> super::OfLock
where
    P: Deref<Target: Guarded + Sized> + 'static,
{
    Ok(Object::Processes(Box::new(In(place))))
}

pub(super) fn lock_of_threads<L: Guarded + Sync + 'static>(lock: L) -> super::OfLock {
    Ok(Object::Threads(Box::new(In(Box::new(lock)))))
}

/// A readers-writer lock.
pub trait ReadWrite {
    /// Does it while nobody writes.
    fn read<R>(&self, inside: impl FnOnce() -> R) -> R;
    /// Does it alone.
    fn write<R>(&self, inside: impl FnOnce() -> R) -> R;
}

/// Loops with a readers-writer lock.
pub trait ReadWriteLoops {
    /// Locks for reading, and unlocks, so many times.
    fn reads(&self, turns: u64);
    /// Locks for writing, and unlocks, so many times.
    fn writes(&self, turns: u64);
    /// Takes turns from the contest's begin to its end: one write, then 99 reads.
    fn compete(&self, control: &Control, me: usize);
}

impl<P: Deref<Target: ReadWrite>> ReadWriteLoops for In<P> {
    fn reads(&self, turns: u64) {
        let lock = &*self.0;
        (0..turns).for_each(|_| black_box(lock).read(|| ()));
    }
    fn writes(&self, turns: u64) {
        let lock = &*self.0;
        (0..turns).for_each(|_| black_box(lock).write(|| ()));
    }
    fn compete(&self, control: &Control, me: usize) {
        let lock = &*self.0;
        let mut turn = me * 17; // they do not all write at once
        contest::compete_for(
            control,
            me,
            || lock.read(|| ()),
            || {
                turn += 1;
                match turn % 100 {
                    0 => lock.write(|| ()),
                    _ => lock.read(|| ()),
                }
            },
        );
    }
}

pub(super) fn read_write<P>(place: P) -> super::OfReadWrite
where
    P: Deref<Target: ReadWrite> + 'static,
{
    Ok(Object::Processes(Box::new(In(place))))
}

pub(super) fn read_write_of_threads<L: ReadWrite + Sync + 'static>(lock: L) -> super::OfReadWrite {
    Ok(Object::Threads(Box::new(In(Box::new(lock)))))
}

/// What one gives and another takes.
pub trait Signal {
    /// Gives one.
    fn give(&self);
    /// Takes one. Waits if there is none.
    fn take(&self);
}

/// Loops with a signal, and the signal itself.
pub trait SignalLoops {
    /// What costs something without others, so many times.
    fn pairs(&self, turns: u64);
    /// Gives one.
    fn give(&self);
    /// Takes one. Waits if there is none.
    fn take(&self);
}

impl<P: Deref<Target: Signal>> SignalLoops for In<P> {
    fn pairs(&self, turns: u64) {
        let signal = &*self.0;
        for _ in 0..turns {
            black_box(signal).give();
            black_box(signal).take();
        }
    }
    fn give(&self) {
        self.0.give();
    }
    fn take(&self) {
        self.0.take();
    }
}

pub(super) fn signal<P>(place: P) -> super::OfSignal
where
    P: Deref<Target: Signal> + 'static,
{
    Ok(Object::Processes(Box::new(In(place))))
}

/// A condition variable, and the lock around a number that belongs to it.
pub trait Condition {
    /// Locks, sets the number to 1, and unlocks.
    fn set(&self);
    /// Wakes one that waits.
    fn notify(&self);
    /// Locks, waits while the number is 0, sets it to 0, and unlocks.
    fn wait_and_clear(&self);
}

struct InCondition<P>(P);

impl<P: Deref<Target: Condition>> SignalLoops for InCondition<P> {
    fn pairs(&self, turns: u64) {
        let condition = &*self.0;
        (0..turns).for_each(|_| black_box(condition).notify());
    }
    fn give(&self) {
        self.0.set();
        self.0.notify();
    }
    fn take(&self) {
        self.0.wait_and_clear();
    }
}

pub(super) fn condition<P>(place: P) -> super::OfSignal
where
    P: Deref<Target: Condition> + 'static,
{
    Ok(Object::Processes(Box::new(InCondition(place))))
}

pub(super) fn condition_of_threads<C: Condition + Sync + 'static>(condition: C) -> super::OfSignal {
    Ok(Object::Threads(Box::new(InCondition(Box::new(condition)))))
}

/// Where several meet.
pub trait Meeting {
    /// Waits until all have arrived.
    fn arrive(&self);
}

/// Loops with a barrier.
pub trait MeetingLoops {
    /// Arrives so many times.
    fn arrivals(&self, turns: u64);
}

impl<P: Deref<Target: Meeting>> MeetingLoops for In<P> {
    fn arrivals(&self, turns: u64) {
        let barrier = &*self.0;
        (0..turns).for_each(|_| black_box(barrier).arrive());
    }
}

pub(super) fn meeting<P>(place: P) -> super::OfMeeting
where
    P: Deref<Target: Meeting> + 'static,
{
    Ok(Object::Processes(Box::new(In(place))))
}

pub(super) fn meeting_of_threads<M: Meeting + Sync + 'static>(barrier: M) -> super::OfMeeting {
    Ok(Object::Threads(Box::new(In(Box::new(barrier)))))
}

/// An operation that is repeated.
pub(super) fn repeated(once: impl Fn() + 'static) -> super::OfRepeated {
    Ok(Object::Processes(Box::new(move |turns| (0..turns).for_each(|_| once()))))
}

pub(super) fn repeated_by_threads(once: impl Fn() + Sync + 'static) -> super::OfRepeated {
    Ok(Object::Threads(Box::new(move |turns| (0..turns).for_each(|_| once()))))
}

/// The text of an error, for those that are no `Error`.
pub(super) fn words<E: std::fmt::Debug>(error: E) -> Failure {
    format!("{error:?}").into()
}
