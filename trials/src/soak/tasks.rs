//! Deeds with tasks. Each task that was sent is done once, whole. Its worker may fail, give it
//! back, or die, as often as it likes.

use super::Random;
use super::items::{QUEUE, a_moment};
use super::shared::{Outcome, Shared, spin, unmet};
use outlive::{RecvTimeoutError, SendTimeoutError, Shareable, TryRecvError};
use std::sync::atomic::Ordering::SeqCst;

/// A number, so often that half an item shows.
#[derive(Debug, Clone, Copy, Shareable)]
#[repr(C)]
pub(super) struct Work([u64; 7]);

pub(super) fn send_tasks(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    for _ in 0..=random.below(2 * QUEUE as u64) {
        let number = random.any();
        let sent = if number % 2 == 0 {
            shared.tasks.send_timeout(Work([number; 7]), a_moment(random)).map_err(|error| error.map(|_| ()))
        } else {
            shared.tasks.reserve_timeout(a_moment(random)).map(|mut loan| {
                loan.0.iter_mut().for_each(|part| {
                    *part = number;
                    spin(random);
                });
                loan.publish().expect("its own");
            })
        };
        match sent {
            Ok(()) => {
                shared.tasks_sent.fetch_add(1, SeqCst);
            }
            Err(SendTimeoutError::TimedOut(())) => return Outcome::Done,
            Err(other) => return unmet(&other),
        }
    }
    Outcome::Done
}

pub(super) fn do_tasks(shared: &Shared, random: &mut Random, _: u32) -> Outcome {
    for _ in 0..=random.below(2 * QUEUE as u64) {
        let task = match shared.tasks.take_timeout(a_moment(random)) {
            Ok(task) => task,
            Err(RecvTimeoutError::TimedOut) => return Outcome::Done,
            Err(other) => return unmet(&other),
        };
        if task.0.iter().any(|part| *part != task.0[0]) || task.attempts() == 0 {
            return Outcome::Fault(format!("a part of an item: {task:?}"));
        }
        spin(random);
        let ended = match random.below(8) {
            0 => task.give_back(),
            1 => {
                drop(task);
                Ok(())
            }
            _ => {
                let done = task.done();
                shared.tasks_done.fetch_add(u64::from(done.is_ok()), SeqCst);
                done
            }
        };
        if let Err(error) = ended {
            return Outcome::Fault(error.to_string());
        }
    }
    Outcome::Done
}

pub(super) fn all_tasks_are_done(shared: &Shared, deaths: u64) -> Result<(), String> {
    loop {
        match shared.tasks.try_take() {
            Ok(task) => {
                task.done().map_err(|error| error.to_string())?;
                shared.tasks_done.fetch_add(1, SeqCst);
            }
            Err(TryRecvError::Empty) => break,
            Err(other) => return Err(other.to_string()),
        }
    }
    let left = (shared.tasks.len(), shared.tasks.in_flight(), shared.tasks.set_aside_len());
    let (sent, done) = (shared.tasks_sent.load(SeqCst), shared.tasks_done.load(SeqCst));
    // A worker may have died after it sent or did a task, and before it reported that.
    if left == (0, 0, 0) && sent.abs_diff(done) <= deaths {
        Ok(())
    } else {
        Err(format!("{sent} tasks were sent, {done} done, with {deaths} deaths; left are {left:?}"))
    }
}
