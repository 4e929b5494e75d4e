//! Queue. An item that was sent is received by a survivor once, and whole, unless the victim
//! received it. An item that the victim was sending was sent, or was not.

use super::common::{fork, wait};
use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{ArrayQueue, RecvError, Segment, SendError, Shareable, TryRecvError, TrySendError};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// A number, so often that half an item shows.
type Item = [u64; 5];

const CAPACITY: usize = 3;

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    /// So that a page ends within the item of the last cell: see [`die_in_the_middle`].
    before: [[u64; 16]; 8],
    queue: ArrayQueue<Item, CAPACITY>,
    /// The numbers that the survivors have received, one bit each.
    received: AtomicU64,
    /// How many sleepers are through.
    through: AtomicU64,
}

type World = Segment<Shared>;

fn script(name: &str) -> Script<World> {
    operation("Queue", name, |_| World::anonymous(|_| {}).expect("a segment"))
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

/// The number of an item that a survivor has received.
fn accept(s: &Stage<World>, item: Item) -> Result<u64, String> {
    let number = item[0];
    if number >= 64 || item.iter().any(|part| *part != number) {
        return Err(format!("a part of an item: {item:?}"));
    }
    match s.received.fetch_or(1 << number, SeqCst) & 1 << number {
        0 => Ok(number),
        _ => Err(format!("item {number} was received twice")),
    }
}

fn send(s: &Stage<World>, number: u64) -> Told {
    s.queue.send(item(number)).map(|()| "").map_err(text)
}

/// In a victim or a role that prepares.
fn fill(s: &Stage<World>, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| s.queue.try_send(item(number)).expect("room"));
}

/// In a victim or a role that prepares: these items were received before anybody dies.
fn empty(s: &Stage<World>, count: usize) {
    assert_eq!(s.queue.try_iter().take(count).count(), count);
}

/// A sleeper that receives one item.
fn receives(s: &Stage<World>) -> Told {
    let number = accept(s, s.queue.recv().map_err(text)?)?;
    s.through.fetch_add(1, SeqCst);
    word(format!("got {number}"))
}

/// A sleeper that sends this item.
fn sends(s: &Stage<World>, number: u64) -> Told {
    send(s, number)?;
    s.through.fetch_add(1, SeqCst);
    Ok("sent")
}

/// A sleeper behind the victim.
fn later(s: &Stage<World>, until: fn(&Stage<World>), act: impl Fn(&Stage<World>) -> Told) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    until(s);
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

/// Sends an item for each sleeper that has got none. If one of them then gets another item, it was
/// not woken for that one.
fn send_for_those_left(s: &Stage<World>, sleepers: &[usize]) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    let mut sent = 0;
    while those_left(s, sleepers) > 0 {
        send(s, 50 + sent)?;
        sent += 1;
    }
    word(format!("sent {sent}"))
}

/// Fills the queue. After the kill, receives an item for each sleeper that has got no room.
fn receive_for_those_left(s: &Stage<World>, sleepers: &[usize]) -> Told {
    fill(s, 1..=3);
    s.comes_back_after_the_kill(s.attach())?;
    let mut taken = 0;
    while those_left(s, sleepers) > 0 {
        let sent = CAPACITY as u64 + s.through.load(SeqCst);
        let number = accept(s, s.queue.try_recv().map_err(text)?)?;
        // The items have the numbers 1, 2 and so on.
        if sent + 1 - number != CAPACITY as u64 {
            return Err(format!("a sender slept though there was room: {number} is the first of {sent} items"));
        }
        taken += 1;
    }
    word(format!("took {taken}"))
}

/// Waits until the victim and the second role sleep for good.
fn until_both_sleep(s: &Stage<World>) {
    s.attach().expect("room");
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
}

fn send_two_when_both_sleep(s: &Stage<World>) -> Told {
    until_both_sleep(s);
    send(s, 1)?;
    send(s, 2)
}

/// Fills the queue, and receives two items when the victim and the second role sleep for good.
fn receive_two_when_both_sleep(s: &Stage<World>) -> Told {
    fill(s, 1..=3);
    until_both_sleep(s);
    for _ in 0..2 {
        accept(s, s.queue.recv().map_err(text)?)?;
    }
    Ok("")
}

/// Receives two items when the victim sleeps for good.
fn receive_two_when_it_sleeps(s: &Stage<World>) -> Told {
    s.attach().expect("room");
    s.ready();
    s.until_the_victim_sleeps_for_good();
    for _ in 0..2 {
        // The victim may be dead before it has sent so many.
        match s.queue.try_recv() {
            Ok(item) => drop(accept(s, item)?),
            Err(TryRecvError::Empty) => {}
            Err(other) => return Err(text(other)),
        }
    }
    Ok("")
}

/// Closes the queue after the kill, unless the victim did.
fn close_unless_it_did(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    if s.queue.is_closed() {
        return Ok("found it closed");
    }
    s.queue.close().map(|_| "closed it").map_err(text)
}

/// Sleeps until the queue is closed.
fn learns_the_end(s: &Stage<World>) -> Told {
    match s.queue.recv() {
        Err(RecvError::Disconnected) => Ok("saw the end"),
        other => Err(format!("{other:?}")),
    }
}

/// Sleeps until the queue, which is full, is closed.
fn learns_that_nobody_receives(s: &Stage<World>) -> Told {
    match s.queue.send(item(21)) {
        Err(SendError::Disconnected(back)) if back == item(21) => Ok("saw the end"),
        other => Err(format!("{other:?}")),
    }
}

/// Receives all that is there. Those of one sender (numbers from 10 to 19, and so on) come in
/// order.
fn find(s: &Stage<World>) -> Told {
    let mut found = vec![];
    while let Ok(item) = s.queue.try_recv() {
        found.push(accept(s, item)?);
    }
    if (1..found.len()).any(|at| found[..at].iter().any(|n| n / 10 == found[at] / 10 && *n > found[at])) {
        return Err(format!("received in the order {found:?}"));
    }
    if !s.queue.is_empty() {
        return Err(format!("nothing is left, and it counts as {}", s.queue.len()));
    }
    let found: Vec<_> = found.iter().map(u64::to_string).collect();
    word(if found.is_empty() { "found none".into() } else { format!("found {}", found.join(" ")) })
}

/// The last role: the survivors have received one of these sets of items, and the queue still
/// works.
fn find_all_well(s: &Stage<World>, allowed: &[&[u64]]) -> Told {
    let bits = s.received.load(SeqCst);
    let received: Vec<u64> = (0..64).filter(|number| bits & 1 << number != 0).collect();
    if !allowed.contains(&received.as_slice()) {
        return Err(format!("the survivors received {received:?}"));
    }
    if !s.queue.is_closed() {
        for _ in 0..2 {
            (31..34).try_for_each(|number| s.queue.try_send(item(number)).map_err(text))?;
            if !s.queue.is_full() || !matches!(s.queue.try_send(item(34)), Err(TrySendError::Full(_))) {
                return Err("one item too many".into());
            }
            for number in 31..34 {
                if s.queue.recv().map_err(text)? != item(number) {
                    return Err(format!("expected {number}"));
                }
            }
        }
        send(s, 35)?;
        s.queue.close().map_err(text)?;
        if s.queue.recv() != Ok(item(35)) {
            return Err("the last item was lost".into());
        }
    }
    match (s.queue.recv(), s.queue.send(item(36)).map_err(SendError::into_inner)) {
        (Err(RecvError::Disconnected), Err(back)) if back == item(36) => Ok(""),
        other => Err(format!("closed and empty, and {other:?}")),
    }
}

/// Runs `act` in a forked child, which dies by a signal in the middle of the item of the last cell.
fn die_in_the_middle(s: &Stage<World>, act: impl FnOnce()) {
    // The words of a queue come first. A cell is 48 bytes, so byte 128 is within the third item.
    let page = core::ptr::from_ref(&s.queue).addr() + 2432 + 128;
    assert!(page % 4096 == 0, "a page ends within the item of the last cell, but not at {page:#x}");
    let child = fork(|| {
        // SAFETY: a page of a mapping, in this child alone, which ends when it touches the page.
        // It needs no file with its memory.
        unsafe {
            let no_dump = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &no_dump);
            libc::mprotect(core::ptr::without_provenance_mut(page), 4096, libc::PROT_NONE);
        }
        act();
        0
    });
    assert_eq!(wait(child), -libc::SIGSEGV);
}

/// The last cell has the item 1, from which a dead receiver was taking it. The next one has 2.
fn a_receiver_has_died(s: &Stage<World>) -> Told {
    fill(s, [41, 42]);
    empty(s, 2);
    fill(s, [1, 2]);
    die_in_the_middle(s, || drop(black_box(s.queue.recv())));
    Ok("")
}

/// The last cell was being filled by a dead sender. The next one has the item 2.
fn a_sender_has_died(s: &Stage<World>) -> Told {
    fill(s, [41, 42]);
    empty(s, 2);
    die_in_the_middle(s, || drop(black_box(s.queue.send(item(1)))));
    fill(s, [2]);
    Ok("")
}

/// The same, and the next cell to fill is the one of the dead sender.
fn a_sender_has_died_a_lap_ago(s: &Stage<World>) -> Told {
    a_sender_has_died(s)?;
    fill(s, [3]);
    Ok("")
}

/// The sets of items that the survivors may have received.
type Sets = &'static [&'static [u64]];

/// What the survivors may receive of the batch 1, 2, 3, 4, 5.
const BEGINNINGS: Sets = &[&[], &[1], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4], &[1, 2, 3, 4, 5]];
const ENDS: Sets = &[&[1, 2, 3], &[2, 3], &[3], &[]];
const BATCH: [Item; 5] = [[1; 5], [2; 5], [3; 5], [4; 5], [5; 5]];

fn ended(allowed: Sets, script: Script<World>) -> Box<dyn Operation> {
    Box::new(script.after("newcomer", find).last("the last", move |s| find_all_well(s, allowed)))
}

fn sending() -> Vec<Box<dyn Operation>> {
    let received_from = |name: &str| {
        script(name)
            .before("observer", |s| send_for_those_left(s, &[1]))
            .before("sleeper", receives)
            .sees(&["observer sent 0, sleeper got 1", "observer sent 1, sleeper got 50"])
    };
    let received_twice_from = |name: &str| {
        script(name)
            .before("observer", |s| send_for_those_left(s, &[1, 2]))
            .before("first", receives)
            .before("second", receives)
    };
    let beside_a_sender = |name: &str| {
        script(name)
            .before("observer", |s| receive_for_those_left(s, &[1]))
            .before("sleeper", |s| sends(s, 21))
            .sees(&["observer took 1, sleeper sent, newcomer found 2 3 21"])
    };
    vec![
        ended(
            &[&[], &[1]],
            script("send, empty")
                .joined_victim(|s| s.dies_in(|| s.queue.send(item(1))))
                .sees(&["newcomer found none", "newcomer found 1"]),
        ),
        ended(
            &[&[1], &[1, 2]],
            script("send, the last cell of the ring, behind another item")
                .victim(|s| {
                    fill(s, [41, 1]);
                    empty(s, 1);
                    s.dies_in(|| s.queue.send(item(2)));
                })
                .sees(&["newcomer found 1", "newcomer found 1 2"]),
        ),
        ended(
            &[&[1, 2], &[1, 2, 3]],
            script("send, the last room, in the next lap")
                .victim(|s| {
                    fill(s, [41, 1, 2]);
                    empty(s, 1);
                    s.dies_in(|| s.queue.send(item(3)));
                })
                .sees(&["newcomer found 1 2", "newcomer found 1 2 3"]),
        ),
        ended(
            &[&[2, 3], &[2, 3, 4]],
            script("send, past a dead sender of the lap before")
                .before("predecessor", a_sender_has_died_a_lap_ago)
                .joined_victim(|s| s.dies_in(|| s.queue.send(item(4))))
                .sees(&["newcomer found 2 3", "newcomer found 2 3 4"]),
        ),
        ended(
            &[&[1]],
            script("send, closed, with room")
                .victim(|s| {
                    fill(s, [1]);
                    s.queue.close().expect("in a segment");
                    s.dies_in(|| s.queue.send(item(2)));
                })
                .sees(&["newcomer found 1"]),
        ),
        ended(
            &[&[1], &[50]],
            received_from("send, while one sleeps").victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.send(item(1)))),
        ),
        ended(
            &[&[1], &[50]],
            received_from("send, by one that has not taken part yet, while one sleeps").victim(|s| {
                s.until_they_sleep(&[1]);
                s.dies_in(|| s.queue.send(item(1)));
            }),
        ),
        ended(
            &[&[1, 2, 3, 21], &[1, 2, 3, 11, 21]],
            script("send, full, the first of two sleepers, and two are received")
                .before("receiver", receive_two_when_both_sleep)
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, |s| sends(s, 21)))
                .joined_victim(|s| s.dies_in(|| s.queue.send(item(11))))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper sent, newcomer found 3 21", "sleeper sent, newcomer found 3 11 21"]),
        ),
        ended(
            &[&[], &[1]],
            script("try_send, empty")
                .joined_victim(|s| s.dies_in(|| s.queue.try_send(item(1))))
                .sees(&["newcomer found none", "newcomer found 1"]),
        ),
        ended(
            &[&[1], &[50]],
            received_from("try_send, while one sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.try_send(item(1)))),
        ),
        ended(
            &[&[1, 2, 3, 21]],
            beside_a_sender("try_send, full, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.try_send(item(11)))),
        ),
        ended(
            &[&[1, 2, 3]],
            script("send_timeout, full, times out, alone")
                .victim(|s| {
                    fill(s, 1..=3);
                    s.dies_in(|| s.queue.send_timeout(item(11), s.timeout()));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found 1 2 3"]),
        ),
        ended(
            &[&[1, 2, 3, 21]],
            beside_a_sender("send_timeout, full, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.send_timeout(item(11), s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        ended(
            &[&[1, 2, 3, 21], &[1, 2, 3, 11, 21]],
            script("send_timeout, in time, the first of two sleepers, and two are received")
                .before("receiver", |s| {
                    fill(s, 1..=3);
                    s.attach().expect("room");
                    s.ready();
                    s.until_they_sleep(&[1]);
                    s.until_the_victim_sleeps();
                    (0..2).try_for_each(|_| accept(s, s.queue.recv().map_err(text)?).map(drop))?;
                    Ok("")
                })
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps, |s| sends(s, 21)))
                .joined_victim(|s| s.dies_in(|| s.queue.send_timeout(item(11), s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper sent, newcomer found 3 21"]),
        ),
        ended(
            BEGINNINGS,
            script("send_batch, of more than there is room for")
                .before("receiver", receive_two_when_it_sleeps)
                .joined_victim(|s| s.dies_in(|| s.queue.send_batch(&BATCH)))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found none", "newcomer found 3 4 5"]),
        ),
        ended(
            &[&[1, 2], &[1, 50], &[50, 51]],
            received_twice_from("send_batch, while two sleep")
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.queue.send_batch(&BATCH[..2]));
                })
                .sees(&["observer sent 0", "observer sent 1", "observer sent 2"]),
        ),
        ended(
            &[&[], &[1], &[1, 2], &[1, 2, 3]],
            script("try_send_batch, of more than there is room for")
                .joined_victim(|s| s.dies_in(|| s.queue.try_send_batch(&BATCH)))
                .sees(&["newcomer found none", "newcomer found 1", "newcomer found 1 2", "newcomer found 1 2 3"]),
        ),
        ended(
            &[&[1, 2], &[1, 50], &[50, 51]],
            received_twice_from("try_send_batch, while two sleep")
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.queue.try_send_batch(&BATCH[..2]));
                })
                .sees(&["observer sent 0", "observer sent 1", "observer sent 2"]),
        ),
    ]
}

fn receiving() -> Vec<Box<dyn Operation>> {
    let sent_by_a_sleeper = |name: &str| {
        script(name)
            .before("observer", |s| receive_for_those_left(s, &[1]))
            .before("sleeper", |s| sends(s, 21))
            .sees(&["observer took 1, sleeper sent, newcomer found 2 3 21", "observer took 0, sleeper sent"])
    };
    let sent_by_two_sleepers = |name: &str| {
        script(name)
            .before("observer", |s| receive_for_those_left(s, &[1, 2]))
            .before("first", |s| sends(s, 21))
            .before("second", |s| sends(s, 31))
            .sees(&["observer took 2", "observer took 1", "observer took 0"])
    };
    let beside_a_receiver = |name: &str| {
        script(name)
            .before("observer", |s| send_for_those_left(s, &[1]))
            .before("sleeper", receives)
            .sees(&["observer sent 1, sleeper got 50, newcomer found none"])
    };
    let one_of_two = &["newcomer found 1 2", "newcomer found 2"];
    vec![
        ended(
            &[&[1, 2], &[2]],
            script("recv, the first of two items")
                .victim(|s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| s.queue.recv());
                })
                .sees(one_of_two),
        ),
        ended(
            &[&[1, 2, 3], &[2, 3]],
            script("recv, full, the last cell of the ring")
                .victim(|s| {
                    fill(s, [41, 42, 1]);
                    empty(s, 2);
                    fill(s, [2, 3]);
                    s.dies_in(|| s.queue.recv());
                })
                .sees(&["newcomer found 1 2 3", "newcomer found 2 3"]),
        ),
        ended(
            &[&[1, 2], &[2]],
            script("recv, of an item that a dead receiver has left")
                .before("predecessor", a_receiver_has_died)
                .joined_victim(|s| s.dies_in(|| s.queue.recv()))
                .sees(one_of_two),
        ),
        ended(
            &[&[2], &[]],
            script("recv, past a dead sender")
                .before("predecessor", a_sender_has_died)
                .joined_victim(|s| s.dies_in(|| s.queue.recv()))
                .sees(&["newcomer found 2", "newcomer found none"]),
        ),
        ended(
            &[&[1], &[]],
            script("recv, closed, the last item")
                .victim(|s| {
                    fill(s, [1]);
                    s.queue.close().expect("in a segment");
                    s.dies_in(|| s.queue.recv());
                })
                .sees(&["newcomer found 1", "newcomer found none"]),
        ),
        ended(
            &[&[]],
            script("recv, closed and empty")
                .victim(|s| {
                    s.queue.close().expect("in a segment");
                    s.dies_in(|| s.queue.recv());
                })
                .sees(&["newcomer found none"]),
        ),
        ended(
            &[&[1, 2, 3, 21], &[2, 3, 21]],
            sent_by_a_sleeper("recv, full, while one sleeps").victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.recv())),
        ),
        ended(
            &[&[1, 2, 3, 21], &[2, 3, 21]],
            sent_by_a_sleeper("recv, by one that has not taken part yet, while one sleeps").victim(|s| {
                s.until_they_sleep(&[1]);
                s.dies_in(|| s.queue.recv());
            }),
        ),
        ended(
            &[&[1, 2], &[1], &[2]],
            script("recv, empty, the first of two sleepers, and two are sent")
                .before("sender", send_two_when_both_sleep)
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, receives))
                .joined_victim(|s| s.dies_in(|| s.queue.recv()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper got"]),
        ),
        ended(
            &[&[1, 2], &[2]],
            script("try_recv, the first of two items")
                .victim(|s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| s.queue.try_recv());
                })
                .sees(one_of_two),
        ),
        ended(
            &[&[1, 2], &[2]],
            script("try_recv, of an item that a dead receiver has left")
                .before("predecessor", a_receiver_has_died)
                .joined_victim(|s| s.dies_in(|| s.queue.try_recv()))
                .sees(one_of_two),
        ),
        ended(
            &[&[1, 2, 3, 21], &[2, 3, 21]],
            sent_by_a_sleeper("try_recv, full, while one sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.try_recv())),
        ),
        ended(
            &[&[50]],
            beside_a_receiver("try_recv, empty, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.try_recv())),
        ),
        ended(
            &[&[]],
            script("recv_timeout, empty, times out, alone")
                .joined_victim(|s| s.dies_in(|| s.queue.recv_timeout(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found none"]),
        ),
        ended(
            &[&[50]],
            beside_a_receiver("recv_timeout, empty, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.queue.recv_timeout(s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        ended(
            &[&[1, 2], &[1], &[2]],
            script("recv_timeout, in time, the first of two sleepers, and two are sent")
                .before("sender", |s| {
                    s.attach().expect("room");
                    s.ready();
                    s.until_they_sleep(&[1]);
                    s.until_the_victim_sleeps();
                    send(s, 1)?;
                    send(s, 2)
                })
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps, receives))
                .joined_victim(|s| s.dies_in(|| s.queue.recv_timeout(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper got"]),
        ),
        ended(
            ENDS,
            script("recv_batch, of all three items")
                .victim(|s| {
                    fill(s, 1..=3);
                    let mut items = Vec::with_capacity(CAPACITY);
                    s.dies_in(|| s.queue.recv_batch(&mut items, CAPACITY));
                })
                .sees(&["newcomer found 1 2 3", "newcomer found 2 3", "newcomer found 3", "newcomer found none"]),
        ),
        ended(
            &[&[1, 2, 3, 21, 31], &[2, 3, 21, 31], &[3, 21, 31]],
            sent_by_two_sleepers("recv_batch, of two items, while two sleep").joined_victim(|s| {
                s.until_they_sleep(&[1, 2]);
                let mut items = Vec::with_capacity(CAPACITY);
                s.dies_in(|| s.queue.recv_batch(&mut items, 2));
            }),
        ),
        ended(
            &[&[1, 2, 3], &[2, 3], &[1, 3], &[1, 2], &[1], &[2], &[3]],
            script("recv_batch, empty, the first of two sleepers, and three are sent")
                .before("sender", |s| {
                    send_two_when_both_sleep(s)?;
                    send(s, 3)
                })
                .before("sleeper", |s| later(s, Stage::until_the_victim_sleeps_for_good, receives))
                .joined_victim(|s| {
                    let mut items = Vec::with_capacity(CAPACITY);
                    s.dies_in(|| s.queue.recv_batch(&mut items, 2));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper got"]),
        ),
        ended(
            ENDS,
            script("try_recv_batch, of all three items")
                .victim(|s| {
                    fill(s, 1..=3);
                    let mut items = Vec::with_capacity(CAPACITY);
                    s.dies_in(|| s.queue.try_recv_batch(&mut items, CAPACITY));
                })
                .sees(&["newcomer found 1 2 3", "newcomer found 2 3", "newcomer found 3", "newcomer found none"]),
        ),
        ended(
            &[&[1, 2, 3, 21, 31], &[2, 3, 21, 31], &[3, 21, 31]],
            sent_by_two_sleepers("try_recv_batch, of two items, while two sleep").joined_victim(|s| {
                s.until_they_sleep(&[1, 2]);
                let mut items = Vec::with_capacity(CAPACITY);
                s.dies_in(|| s.queue.try_recv_batch(&mut items, 2));
            }),
        ),
    ]
}

fn closing() -> Vec<Box<dyn Operation>> {
    let slept_on = |name: &str| script(name).before("observer", close_unless_it_did).sees(CLOSED_OR_NOT);
    vec![
        ended(
            &[&[1]],
            script("close, with an item").victim(|s| {
                fill(s, [1]);
                s.dies_in(|| s.queue.close());
            }),
        ),
        ended(
            &[&[]],
            slept_on("close, while two sleep to receive")
                .before("first", learns_the_end)
                .before("second", learns_the_end)
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.queue.close());
                }),
        ),
        ended(
            &[&[]],
            slept_on("close, by one that has not taken part yet, while one sleeps")
                .before("sleeper", learns_the_end)
                .victim(|s| {
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.queue.close());
                }),
        ),
        ended(
            &[&[1, 2, 3]],
            slept_on("close, while two sleep to send")
                .before("first", |s| {
                    fill(s, 1..=3);
                    learns_that_nobody_receives(s)
                })
                .before("second", learns_that_nobody_receives)
                .joined_victim(|s| {
                    s.until_they_sleep(&[1, 2]);
                    s.dies_in(|| s.queue.close());
                }),
        ),
    ]
}

/// The ends of a queue. The sleepers learn of their end by themselves.
fn ends() -> Vec<Box<dyn Operation>> {
    /// Has a sender until the kill is over.
    fn has_a_sender(s: &Stage<World>) -> Told {
        let _sender = s.queue.sender().map_err(text)?;
        s.ready();
        s.until_the_kill();
        if s.queue.is_closed() { Err("closed, though there is a sender".into()) } else { Ok("") }
    }
    let take_until_closed = |s: &Stage<World>| {
        s.until_they_sleep(&[1]);
        s.dies_in(|| core::mem::forget(s.queue.sender()));
    };
    vec![
        ended(
            &[&[]],
            script("sender, the first, while one sleeps")
                .before("observer", close_unless_it_did)
                .before("sleeper", learns_the_end)
                .joined_victim(take_until_closed)
                .sees(CLOSED_OR_NOT),
        ),
        ended(
            &[&[]],
            script("sender, the first, by one that has not taken part yet, while one sleeps")
                .before("observer", close_unless_it_did)
                .before("sleeper", learns_the_end)
                .victim(take_until_closed)
                .sees(CLOSED_OR_NOT),
        ),
        ended(
            &[&[]],
            script("sender, in the place of a dead one")
                .before("predecessor", |s| {
                    core::mem::forget(s.queue.sender().map_err(text)?);
                    Ok("")
                })
                .joined_victim(|s| s.dies_in(|| core::mem::forget(s.queue.sender())))
                .sees(&["newcomer found none"]),
        ),
        ended(
            &[&[]],
            script("drop of the last sender, while two sleep")
                .before("first", learns_the_end)
                .before("second", learns_the_end)
                .joined_victim(|s| {
                    let sender = s.queue.sender().expect("open");
                    s.until_they_sleep(&[0, 1]);
                    s.dies_in(|| drop(sender));
                })
                .sees(&["first saw the end, second saw the end"]),
        ),
        ended(
            &[&[]],
            script("drop of one sender of two, while one sleeps")
                .before("other", has_a_sender)
                .before("sleeper", learns_the_end)
                .joined_victim(|s| {
                    let sender = s.queue.sender().expect("open");
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| drop(sender));
                })
                .sees(&["sleeper saw the end"]),
        ),
        ended(
            &[&[1, 2, 3]],
            script("drop of the last receiver, while one sleeps to send")
                .before("sleeper", |s| {
                    fill(s, 1..=3);
                    learns_that_nobody_receives(s)
                })
                .joined_victim(|s| {
                    let receiver = s.queue.receiver().expect("open");
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| drop(receiver));
                })
                .sees(&["sleeper saw the end, newcomer found 1 2 3"]),
        ),
        ended(
            &[&[]],
            script("recv, empty, and the last sender is dropped")
                .before("sender", |s| {
                    let _sender = s.queue.sender().map_err(text)?;
                    s.ready();
                    s.until_the_victim_sleeps_for_good();
                    Ok("")
                })
                .joined_victim(|s| s.dies_in(|| s.queue.recv()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found none"]),
        ),
    ]
}

const CLOSED_OR_NOT: &[&str] = &["observer found it closed", "observer closed it"];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    [sending(), receiving(), closing(), ends()].into_iter().flatten().collect()
}
