//! TaskQueue. A task that was sent is done by a survivor, whole, unless the victim did it. What the
//! victim was sending is there, or is not. What the victim had is given out once more. In the end
//! each slot can be used.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{
    ArrayTaskQueue, Event, RecvError, Segment, SendError, Shareable, Task, TryRecvError, TrySendError, wait_any,
    wait_any_timeout,
};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// A number, so often that half an item shows.
type Item = [u64; 5];

const CAPACITY: usize = 3;

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    tasks: ArrayTaskQueue<Item, CAPACITY>,
    /// A source that is never ready.
    stop: Event,
    /// The numbers of the tasks that the survivors have done, one bit each.
    done: AtomicU64,
    /// How many sleepers are through.
    through: AtomicU64,
}

type World = Segment<Shared>;

fn script(name: &str) -> Script<World> {
    operation("TaskQueue", name, |_| World::anonymous(|_| {}).expect("a segment"))
}

fn text(error: impl core::fmt::Display) -> String {
    error.to_string()
}

/// The role's process ends soon.
fn word(text: String) -> Told {
    Ok(text.leak())
}

fn item(number: u64) -> Item {
    [number; 5]
}

/// Does a task. Returns its number, and "x" with the attempt if it is not the first.
fn does(s: &Stage<World>, task: Task<'_, Item>) -> Result<(u64, String), String> {
    let (number, attempts) = (task[0], task.attempts());
    if number >= 64 || task.iter().any(|part| *part != number) {
        return Err(format!("a part of an item: {:?}", *task));
    }
    task.done().map_err(text)?;
    match s.done.fetch_or(1 << number, SeqCst) & 1 << number {
        0 if attempts == 1 => Ok((number, number.to_string())),
        0 => Ok((number, format!("{number}x{attempts}"))),
        _ => Err(format!("task {number} was done twice")),
    }
}

fn send(s: &Stage<World>, number: u64) -> Told {
    s.tasks.send(item(number)).map(|()| "").map_err(text)
}

/// In a victim or a role that prepares.
fn fill(s: &Stage<World>, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| s.tasks.try_send(item(number)).expect("room"));
}

/// In a victim or a role that prepares: this task is taken, and survives its first attempt.
fn fail_once(s: &Stage<World>) {
    drop(s.tasks.try_take().expect("a task"));
}

/// A sleeper that does one task.
fn works(s: &Stage<World>) -> Told {
    let (_, told) = does(s, s.tasks.take().map_err(text)?)?;
    s.through.fetch_add(1, SeqCst);
    word(format!("did {told}"))
}

/// A sleeper that sends this item.
fn sends(s: &Stage<World>, number: u64) -> Told {
    send(s, number)?;
    s.through.fetch_add(1, SeqCst);
    Ok("sent")
}

/// A sleeper that waits until all is done.
fn joins(s: &Stage<World>) -> Told {
    s.tasks.join().map_err(text)?;
    s.through.fetch_add(1, SeqCst);
    Ok("joined")
}

/// A sleeper behind the victim.
fn later(s: &Stage<World>, act: impl Fn(&Stage<World>) -> Told) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    s.until_the_victim_sleeps_for_good();
    act(s)
}

/// After the kill: waits until each of the sleepers is through, or sleeps again because it found
/// nothing. Returns how many sleep.
fn those_left(s: &Stage<World>, sleepers: &[usize]) -> usize {
    loop {
        // In this order: a sleeper that gets through may have woken another one before.
        let through = s.through.load(SeqCst) as usize;
        let asleep = sleepers.iter().filter(|role| s.sleeps_for_good(**role)).count();
        if through + asleep == sleepers.len() {
            return asleep;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Sends a task for each worker that sleeps without one. If one of them then gets another task, it
/// was not woken for that one.
fn send_for_those_left(s: &Stage<World>, sleepers: &[usize]) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    let mut sent = 0;
    while those_left(s, sleepers) > 0 {
        send(s, 50 + sent)?;
        sent += 1;
    }
    word(format!("sent {sent}"))
}

/// After the kill, does a task for each of those that sleep because there is no room, or because
/// not all is done.
fn work_for_those_left(s: &Stage<World>, sleepers: &[usize]) -> Told {
    s.attach().map_err(text)?;
    s.comes_back_after_the_kill(s.attach())?;
    let mut told = vec![];
    while those_left(s, sleepers) > 0 {
        match s.tasks.try_take() {
            Ok(task) => told.push(does(s, task)?.1),
            Err(error) => return Err(format!("somebody sleeps, and there is no task: {error}")),
        }
    }
    word(if told.is_empty() { "did none".into() } else { format!("did {}", told.join(" ")) })
}

/// Closes the queue after the kill, unless the victim did.
fn close_unless_it_did(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    if s.tasks.is_closed() {
        return Ok("found it closed");
    }
    s.tasks.close().map(|_| "closed it").map_err(text)
}

/// Sleeps until the queue is closed.
fn learns_the_end(s: &Stage<World>) -> Told {
    match s.tasks.take() {
        Err(RecvError::Disconnected) => Ok("saw the end"),
        other => Err(format!("{other:?}")),
    }
}

/// Sleeps until the queue, which is full, is closed.
fn learns_that_nobody_takes(s: &Stage<World>) -> Told {
    match s.tasks.send(item(21)) {
        Err(SendError::Disconnected(back)) if back == item(21) => Ok("saw the end"),
        other => Err(format!("{other:?}")),
    }
}

/// Does all that there is. Returns the numbers of what had not been begun before.
fn do_all(s: &Stage<World>) -> Result<(Vec<u64>, String), String> {
    let (mut found, mut fresh) = (vec![], vec![]);
    loop {
        match s.tasks.try_take() {
            Ok(task) => {
                let is_fresh = task.attempts() == 1;
                let (number, told) = does(s, task)?;
                found.push(told);
                if is_fresh {
                    fresh.push(number);
                }
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            Err(other) => return Err(text(other)),
        }
    }
    let left = (s.tasks.len(), s.tasks.in_flight(), s.tasks.join_timeout(Duration::ZERO));
    if left != (0, 0, Ok(())) {
        return Err(format!("nothing is left, and that counts as {left:?}"));
    }
    Ok((fresh, if found.is_empty() { "found none".into() } else { format!("found {}", found.join(" ")) }))
}

/// Does all that there is. What a worker was taking when it died may come late.
fn find(s: &Stage<World>) -> Told {
    word(do_all(s)?.1)
}

/// Does all that there is. What was sent comes in the order of its sender (numbers from 10 to 19,
/// and so on).
fn find_in_order(s: &Stage<World>) -> Told {
    let (fresh, told) = do_all(s)?;
    if (1..fresh.len()).any(|at| fresh[..at].iter().any(|n| n / 10 == fresh[at] / 10 && *n > fresh[at])) {
        return Err(format!("taken in the order {fresh:?}"));
    }
    word(told)
}

/// The last role: the survivors have done one of these sets of tasks, and the queue still works.
fn find_all_well(s: &Stage<World>, allowed: Sets) -> Told {
    let bits = s.done.load(SeqCst);
    let done: Vec<u64> = (0..64).filter(|number| bits & 1 << number != 0).collect();
    if !allowed.contains(&done.as_slice()) {
        return Err(format!("the survivors did {done:?}"));
    }
    s.tasks.set_aside().try_for_each(|task| task.done()).map_err(text)?;
    if !s.tasks.is_closed() {
        for _ in 0..2 {
            let loans: Result<Vec<_>, _> = (0..CAPACITY).map(|_| s.tasks.try_reserve()).collect();
            let loans = loans.map_err(text)?;
            if !matches!(s.tasks.try_reserve(), Err(TrySendError::Full(()))) {
                return Err("one slot too many".into());
            }
            for (mut loan, number) in loans.into_iter().zip(31..) {
                *loan = item(number);
                loan.publish().map_err(text)?;
            }
            for number in 31..34 {
                let task = s.tasks.take().map_err(text)?;
                if (*task, task.attempts()) != (item(number), 1) {
                    return Err(format!("expected {number}, and not {task:?}"));
                }
                task.done().map_err(text)?;
            }
        }
        send(s, 35)?;
        s.tasks.close().map_err(text)?;
        let task = s.tasks.take().map_err(text)?;
        if *task != item(35) {
            return Err("the last task was lost".into());
        }
        task.done().map_err(text)?;
    }
    match (s.tasks.take().map(drop), s.tasks.send(item(36)).map_err(SendError::into_inner)) {
        (Err(RecvError::Disconnected), Err(back)) if back == item(36) => Ok(""),
        other => Err(format!("closed and empty, and {other:?}")),
    }
}

/// The sets of tasks that the survivors may have done.
type Sets = &'static [&'static [u64]];

fn ended(allowed: Sets, script: Script<World>) -> Box<dyn Operation> {
    Box::new(script.after("newcomer", find).last("the last", move |s| find_all_well(s, allowed)))
}

fn ended_in_order(allowed: Sets, script: Script<World>) -> Box<dyn Operation> {
    Box::new(script.after("newcomer", find_in_order).last("the last", move |s| find_all_well(s, allowed)))
}

const MAY_BE_SENT: &[&str] = &["newcomer found none", "newcomer found 1"];

/// The last slot was claimed by a producer that died, or the first task was taken by a worker that
/// died.
fn dies_with(act: fn(&Stage<World>)) -> impl Fn(&Stage<World>) -> Told {
    move |s| {
        s.ends_by_death();
        act(s);
        Ok("")
    }
}

fn sending() -> Vec<Box<dyn Operation>> {
    let taken_from = |name: &str| {
        script(name)
            .before("observer", |s| send_for_those_left(s, &[1]))
            .before("sleeper", works)
            .sees(&["observer sent 0, sleeper did 1", "observer sent 1, sleeper did 50"])
    };
    // The victim finds no room, and sleeps beside another.
    let beside_a_sender = |name: &str| {
        script(name)
            .before("observer", |s| {
                fill(s, 1..=3);
                work_for_those_left(s, &[1])
            })
            .before("sleeper", |s| sends(s, 21))
            .sees(&["observer did 1, sleeper sent, newcomer found 2 3 21"])
    };
    vec![
        ended_in_order(
            &[&[], &[1]],
            script("send, empty").joined_victim(|s| s.dies_in(|| s.tasks.send(item(1)))).sees(MAY_BE_SENT),
        ),
        ended_in_order(
            &[&[1, 2], &[1, 2, 3]],
            script("send, the last room, in the next lap")
                .victim(|s| {
                    fill(s, [41, 1, 2]);
                    s.tasks.try_take().expect("a task").done().expect("ours");
                    s.dies_in(|| s.tasks.send(item(3)));
                })
                .sees(&["newcomer found 1 2", "newcomer found 1 2 3"]),
        ),
        ended_in_order(
            &[&[1, 2], &[1, 2, 3]],
            script("send, into the slot of a dead producer")
                .before("predecessor", dies_with(|s| core::mem::forget(s.tasks.try_reserve().expect("room"))))
                .joined_victim(|s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| s.tasks.send(item(3)));
                })
                .sees(&["newcomer found 1 2", "newcomer found 1 2 3"]),
        ),
        ended_in_order(
            &[&[1]],
            script("send, closed, with room")
                .victim(|s| {
                    fill(s, [1]);
                    s.tasks.close().expect("in a segment");
                    s.dies_in(|| s.tasks.send(item(2)));
                })
                .sees(&["newcomer found 1"]),
        ),
        ended_in_order(
            &[&[1], &[50]],
            taken_from("send, while one sleeps").victim_beside_a_sleeper(|s| s.dies_in(|| s.tasks.send(item(1)))),
        ),
        ended_in_order(
            &[&[1], &[50]],
            taken_from("send, by one that has not taken part yet, while one sleeps").victim(|s| {
                s.until_they_sleep(&[1]);
                s.dies_in(|| s.tasks.send(item(1)));
            }),
        ),
        ended_in_order(
            &[&[1, 2, 3, 21], &[1, 2, 3, 11, 21]],
            script("send, full, the first of two sleepers, and two are done")
                .before("worker", |s| {
                    fill(s, 1..=3);
                    s.attach().expect("room");
                    s.ready();
                    s.until_they_sleep(&[1]);
                    s.until_the_victim_sleeps_for_good();
                    (0..2).try_for_each(|_| does(s, s.tasks.take().map_err(text)?).map(drop))?;
                    Ok("")
                })
                .before("sleeper", |s| later(s, |s| sends(s, 21)))
                .joined_victim(|s| s.dies_in(|| s.tasks.send(item(11))))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper sent, newcomer found 3 21", "sleeper sent, newcomer found 3 11 21"]),
        ),
        ended_in_order(
            &[&[], &[1]],
            script("try_send, empty").joined_victim(|s| s.dies_in(|| s.tasks.try_send(item(1)))).sees(MAY_BE_SENT),
        ),
        ended_in_order(
            &[&[1, 2, 3, 21]],
            beside_a_sender("try_send, full, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.tasks.try_send(item(11)))),
        ),
        ended_in_order(
            &[&[1, 2, 3, 21]],
            beside_a_sender("send_timeout, full, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.tasks.send_timeout(item(11), s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        ended_in_order(
            &[&[]],
            script("reserve, empty").joined_victim(|s| s.dies_in(|| s.tasks.reserve())).sees(&["newcomer found none"]),
        ),
        ended_in_order(
            &[&[1, 2, 3, 21]],
            script("reserve, full, the first of two sleepers, and one is done")
                .before("observer", |s| {
                    fill(s, 1..=3);
                    s.attach().expect("room");
                    s.ready();
                    s.until_they_sleep(&[1]);
                    s.until_the_victim_sleeps_for_good();
                    does(s, s.tasks.take().map_err(text)?)?;
                    Ok("")
                })
                .before("sleeper", |s| later(s, |s| sends(s, 21)))
                .joined_victim(|s| s.dies_in(|| s.tasks.reserve()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper sent, newcomer found 2 3 21"]),
        ),
        ended_in_order(
            &[&[1, 2]],
            script("try_reserve, of the slot of a dead producer")
                .before("predecessor", dies_with(|s| core::mem::forget(s.tasks.try_reserve().expect("room"))))
                .joined_victim(|s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| s.tasks.try_reserve());
                })
                .sees(&["newcomer found 1 2"]),
        ),
        ended_in_order(
            &[&[1, 2, 3]],
            script("reserve_timeout, full, times out, alone")
                .victim(|s| {
                    fill(s, 1..=3);
                    s.dies_in(|| s.tasks.reserve_timeout(s.timeout()));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found 1 2 3"]),
        ),
        ended_in_order(
            &[&[], &[1]],
            script("publish, empty")
                .joined_victim(|s| {
                    let mut loan = s.tasks.reserve().expect("room");
                    *loan = item(1);
                    s.dies_in(|| loan.publish());
                })
                .sees(MAY_BE_SENT),
        ),
        ended_in_order(
            &[&[1], &[50]],
            taken_from("publish, while one sleeps").victim_beside_a_sleeper(|s| {
                let mut loan = s.tasks.reserve().expect("room");
                *loan = item(1);
                s.dies_in(|| loan.publish());
            }),
        ),
        ended_in_order(
            &[&[1, 2, 21]],
            script("drop of a loan, while one sleeps for room")
                .before("sleeper", |s| {
                    fill(s, 1..=2);
                    s.attach().expect("room");
                    s.ready();
                    s.until_the_victim_is_ready();
                    sends(s, 21)
                })
                .joined_victim(|s| {
                    let loan = s.tasks.reserve().expect("room");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| drop(loan));
                })
                .sees(&["sleeper sent, newcomer found 1 2 21"]),
        ),
    ]
}

fn taking() -> Vec<Box<dyn Operation>> {
    let beside_a_worker = |name: &str| {
        script(name)
            .before("observer", |s| send_for_those_left(s, &[1]))
            .before("sleeper", works)
            .sees(&["observer sent 1, sleeper did 50, newcomer found none"])
    };
    let again_or_not = &["newcomer found 1 2", "newcomer found 1x2 2"];
    vec![
        ended(
            &[&[1, 2]],
            script("take, the first of two tasks")
                .victim(|s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| s.tasks.take());
                })
                .sees(again_or_not),
        ),
        ended(
            &[&[1, 2, 3]],
            script("take, full, the last cell of the ring")
                .victim(|s| {
                    fill(s, [41, 42, 1]);
                    (0..2).for_each(|_| s.tasks.try_take().expect("a task").done().expect("ours"));
                    fill(s, [2, 3]);
                    s.dies_in(|| s.tasks.take());
                })
                .sees(&["newcomer found 1 2 3", "newcomer found 1x2 2 3"]),
        ),
        ended(
            &[&[1, 2]],
            script("take, of a task that a dead worker has left")
                .before(
                    "predecessor",
                    dies_with(|s| {
                        fill(s, [1, 2]);
                        core::mem::forget(s.tasks.try_take().expect("a task"));
                    }),
                )
                .joined_victim(|s| s.dies_in(|| s.tasks.take()))
                .sees(&["newcomer found 1x2 2", "newcomer found 1x3 2"]),
        ),
        ended(
            &[&[1, 2]],
            script("take, of a task that has failed once")
                .victim(|s| {
                    fill(s, [1, 2]);
                    fail_once(s);
                    s.dies_in(|| s.tasks.take());
                })
                .sees(&["newcomer found 1x2 2", "newcomer found 1x3 2"]),
        ),
        ended(
            &[&[1]],
            script("take, closed, the last task")
                .victim(|s| {
                    fill(s, [1]);
                    s.tasks.close().expect("in a segment");
                    s.dies_in(|| s.tasks.take());
                })
                .sees(&["newcomer found 1", "newcomer found 1x2"]),
        ),
        ended(
            &[&[]],
            script("take, closed and empty")
                .victim(|s| {
                    s.tasks.close().expect("in a segment");
                    s.dies_in(|| s.tasks.take());
                })
                .sees(&["newcomer found none"]),
        ),
        ended(
            &[&[1, 2], &[1, 2]],
            script("take, empty, the first of two sleepers, and two are sent")
                .before("sender", |s| {
                    s.attach().expect("room");
                    s.ready();
                    s.until_they_sleep(&[1]);
                    s.until_the_victim_sleeps_for_good();
                    send(s, 1)?;
                    send(s, 2)
                })
                .before("sleeper", |s| later(s, works))
                .joined_victim(|s| s.dies_in(|| s.tasks.take()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper did"]),
        ),
        ended(
            &[&[1, 2]],
            script("try_take, the first of two tasks")
                .victim(|s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| s.tasks.try_take());
                })
                .sees(again_or_not),
        ),
        ended(
            &[&[50]],
            beside_a_worker("try_take, empty, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.tasks.try_take())),
        ),
        ended(
            &[&[]],
            script("take_timeout, empty, times out, alone")
                .joined_victim(|s| s.dies_in(|| s.tasks.take_timeout(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found none"]),
        ),
        ended(
            &[&[50]],
            beside_a_worker("take_timeout, empty, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.tasks.take_timeout(s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
    ]
}

/// What a worker does with a task that it has.
fn ending() -> Vec<Box<dyn Operation>> {
    let sent_by_a_sleeper = |name: &str| {
        script(name)
            .before("observer", |s| {
                fill(s, 1..=3);
                work_for_those_left(s, &[1])
            })
            .before("sleeper", |s| sends(s, 21))
    };
    let joined = |name: &str| {
        script(name)
            .before("observer", |s| {
                fill(s, [1]);
                work_for_those_left(s, &[1])
            })
            .before("sleeper", |s| {
                s.attach().expect("room");
                s.ready();
                s.until_the_victim_is_ready();
                joins(s)
            })
    };
    let works_later = |s: &Stage<World>| {
        s.attach().expect("room");
        s.ready();
        s.until_the_victim_is_ready();
        works(s)
    };
    vec![
        ended(
            &[&[2], &[1, 2]],
            script("done, of the first of two tasks")
                .victim(|s| {
                    fill(s, [1, 2]);
                    let task = s.tasks.take().expect("a task");
                    s.dies_in(|| task.done());
                })
                .sees(&["newcomer found 1x2 2", "newcomer found 2"]),
        ),
        ended(
            &[&[2, 3, 21], &[1, 2, 3, 21]],
            sent_by_a_sleeper("done, full, while one sleeps for room")
                .joined_victim(|s| {
                    let task = s.tasks.take().expect("a task");
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| task.done());
                })
                .sees(&["observer did none, sleeper sent, newcomer found 2 3 21", "observer did 1x2, sleeper sent"]),
        ),
        ended(
            &[&[], &[1]],
            joined("done, of the last task, while one joins")
                .joined_victim(|s| {
                    let task = s.tasks.take().expect("a task");
                    s.victim_is_ready();
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| task.done());
                })
                .sees(&["observer did none, sleeper joined", "observer did 1x2, sleeper joined"]),
        ),
        ended(
            &[&[], &[1]],
            script("done, of the last task of a closed queue, while two sleep")
                .before("first", |s| {
                    fill(s, [1]);
                    s.tasks.close().map_err(text)?;
                    s.attach().expect("room");
                    s.ready();
                    s.until_the_victim_is_ready();
                    match s.tasks.take() {
                        Ok(task) => does(s, task).map(|_| "did it"),
                        Err(RecvError::Disconnected) => Ok("saw the end"),
                        Err(other) => Err(text(other)),
                    }
                })
                .before("second", |s| {
                    s.attach().expect("room");
                    s.ready();
                    s.until_the_victim_is_ready();
                    match s.tasks.take() {
                        Ok(task) => does(s, task).map(|_| "did it"),
                        Err(RecvError::Disconnected) => Ok("saw the end"),
                        Err(other) => Err(text(other)),
                    }
                })
                .joined_victim(|s| {
                    let task = s.tasks.take().expect("a task");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0, 1]);
                    s.dies_in(|| task.done());
                })
                .sees(&["first saw the end, second saw the end", "did it"]),
        ),
        ended(
            &[&[1, 2]],
            script("give_back, of the first of two tasks")
                .victim(|s| {
                    fill(s, [1, 2]);
                    let task = s.tasks.take().expect("a task");
                    s.dies_in(|| task.give_back());
                })
                .sees(&["newcomer found 1x2 2", "newcomer found 1 2"]),
        ),
        ended(
            &[&[1]],
            script("give_back, while one sleeps")
                .before("sleeper", move |s| {
                    fill(s, [1]);
                    works_later(s)
                })
                .joined_victim(|s| {
                    let task = s.tasks.take().expect("a task");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| task.give_back());
                })
                .sees(&["sleeper did 1x2", "sleeper did 1,"]),
        ),
        ended(
            &[&[1]],
            script("drop of a task, while one sleeps")
                .before("sleeper", move |s| {
                    fill(s, [1]);
                    works_later(s)
                })
                .joined_victim(|s| {
                    let task = s.tasks.take().expect("a task");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| drop(task));
                })
                .sees(&["sleeper did 1x2"]),
        ),
        ended(
            &[&[2]],
            script("drop of a task, at its last attempt")
                .victim(|s| {
                    s.tasks.set_max_attempts(1);
                    fill(s, [1, 2]);
                    let task = s.tasks.take().expect("a task");
                    s.dies_in(|| drop(task));
                })
                .sees(&["newcomer found 2"]),
        ),
        ended(
            &[&[1]],
            script("take_back, of a task of a thread that has ended, while one sleeps")
                .before("leaker", |s| {
                    fill(s, [1]);
                    s.leaks_in_a_thread(|| core::mem::forget(s.tasks.take()))
                })
                .before("observer", |s| {
                    let leaker = s.tasks.workers().next().ok_or("nobody has a task")?;
                    s.comes_back_after_the_kill(s.attach())?;
                    // SAFETY: nothing of what the leaked guard gave is used.
                    match unsafe { s.tasks.take_back(leaker) } {
                        Ok(0) => Ok("found it taken back"),
                        Ok(_) => Ok("took it back"),
                        Err(error) => Err(text(error)),
                    }
                })
                .before("sleeper", works)
                .joined_victim(|s| {
                    let leaker = s.tasks.workers().next().expect("one has a task");
                    s.until_they_sleep(&[2]);
                    // SAFETY: as above.
                    s.dies_in(|| unsafe { s.tasks.take_back(leaker) });
                })
                .sees(&["found it taken back, sleeper did 1x2", "took it back, sleeper did 1x2"]),
        ),
    ]
}

/// What is set aside, joining, and closing.
fn other() -> Vec<Box<dyn Operation>> {
    let slept_on = |name: &str| script(name).before("observer", close_unless_it_did).sees(CLOSED_OR_NOT);
    vec![
        ended(
            &[&[2]],
            script("set_aside, of one task")
                .victim(|s| {
                    s.tasks.set_max_attempts(1);
                    fill(s, [1, 2]);
                    fail_once(s);
                    s.dies_in(|| s.tasks.set_aside().next());
                })
                .sees(&["newcomer found 2"]),
        ),
        ended(
            &[&[1]],
            script("join, while another joins")
                .before("observer", |s| {
                    fill(s, [1]);
                    s.attach().expect("room");
                    s.ready();
                    s.until_they_sleep(&[1]);
                    s.until_the_victim_sleeps_for_good();
                    does(s, s.tasks.take().map_err(text)?)?;
                    Ok("")
                })
                .before("sleeper", |s| later(s, joins))
                .joined_victim(|s| s.dies_in(|| s.tasks.join()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper joined, newcomer found none"]),
        ),
        ended(
            &[&[1]],
            script("join_timeout, times out, alone")
                .victim(|s| {
                    fill(s, [1]);
                    s.dies_in(|| s.tasks.join_timeout(s.timeout()));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found 1"]),
        ),
        ended(
            &[&[1]],
            script("close, with a task").victim(|s| {
                fill(s, [1]);
                s.dies_in(|| s.tasks.close());
            }),
        ),
        ended(
            &[&[]],
            slept_on("close, while two sleep to take")
                .before("first", learns_the_end)
                .before("second", learns_the_end)
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.tasks.close());
                }),
        ),
        ended(
            &[&[1, 2, 3]],
            slept_on("close, while two sleep for room")
                .before("first", |s| {
                    fill(s, 1..=3);
                    learns_that_nobody_takes(s)
                })
                .before("second", learns_that_nobody_takes)
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.tasks.close());
                }),
        ),
    ]
}

/// The victim waits for something of the queue as one of several sources, and takes nothing. So a
/// sleeper beside it must get through.
fn waiting() -> Vec<Box<dyn Operation>> {
    // When both sleep for good: the sleeper is the second role, behind the victim.
    let both_asleep = |s: &Stage<World>| {
        s.attach().expect("room");
        s.ready();
        s.until_they_sleep(&[1]);
        s.until_the_victim_sleeps_for_good();
    };
    vec![
        ended(
            &[&[1]],
            script("wait_any, readable, before a worker, and a task is sent")
                .before("sender", move |s| {
                    both_asleep(s);
                    send(s, 1)
                })
                .before("sleeper", |s| later(s, works))
                .joined_victim(|s| s.dies_in(|| wait_any(&[s.stop.when_set(), s.tasks.readable()])))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper did 1, newcomer found none"]),
        ),
        ended_in_order(
            &[&[1, 2, 3, 21]],
            script("wait_any, writable, before a producer, and a task is done")
                .before("worker", move |s| {
                    fill(s, 1..=3);
                    both_asleep(s);
                    does(s, s.tasks.take().map_err(text)?).map(|_| "")
                })
                .before("sleeper", |s| later(s, |s| sends(s, 21)))
                .joined_victim(|s| s.dies_in(|| wait_any(&[s.stop.when_set(), s.tasks.writable()])))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper sent, newcomer found 2 3 21"]),
        ),
        ended(
            &[&[1]],
            script("wait_any, when_done, before another that joins")
                .before("worker", move |s| {
                    fill(s, [1]);
                    both_asleep(s);
                    does(s, s.tasks.take().map_err(text)?).map(|_| "")
                })
                .before("sleeper", |s| later(s, joins))
                .joined_victim(|s| s.dies_in(|| wait_any(&[s.stop.when_set(), s.tasks.when_done()])))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper joined, newcomer found none"]),
        ),
        ended(
            &[&[50]],
            script("wait_any_timeout, readable, times out, while a worker sleeps")
                .before("observer", |s| send_for_those_left(s, &[1]))
                .before("sleeper", works)
                .victim_beside_a_sleeper(|s| s.dies_in(|| wait_any_timeout(&[s.tasks.readable()], s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["observer sent 1, sleeper did 50, newcomer found none"]),
        ),
        ended_in_order(
            &[&[1, 2, 3, 21]],
            script("wait_any_timeout, writable, times out, while a producer sleeps")
                .before("observer", |s| {
                    fill(s, 1..=3);
                    work_for_those_left(s, &[1])
                })
                .before("sleeper", |s| sends(s, 21))
                .victim_beside_a_sleeper(|s| s.dies_in(|| wait_any_timeout(&[s.tasks.writable()], s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["observer did 1, sleeper sent, newcomer found 2 3 21"]),
        ),
        ended(
            &[&[1]],
            script("wait_any_timeout, when_done, times out, while another joins")
                .before("observer", |s| {
                    fill(s, [1]);
                    work_for_those_left(s, &[1])
                })
                .before("sleeper", joins)
                .victim_beside_a_sleeper(|s| s.dies_in(|| wait_any_timeout(&[s.tasks.when_done()], s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["observer did 1, sleeper joined, newcomer found none"]),
        ),
        // The check itself sets it aside.
        ended(
            &[&[]],
            script("wait_any, when_done, of a task that a dead worker had at its last attempt")
                .before(
                    "predecessor",
                    dies_with(|s| {
                        s.tasks.set_max_attempts(1);
                        fill(s, [1]);
                        core::mem::forget(s.tasks.try_take().expect("a task"));
                    }),
                )
                .joined_victim(|s| s.dies_in(|| wait_any(&[s.tasks.when_done()])))
                .sees(&["newcomer found none"]),
        ),
    ]
}

const CLOSED_OR_NOT: &[&str] = &["observer found it closed", "observer closed it"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    [sending(), taking(), ending(), other(), waiting()].into_iter().flatten().collect()
}
