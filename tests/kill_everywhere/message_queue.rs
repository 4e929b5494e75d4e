//! Queue of messages. A message that was sent is received by a survivor once, and whole, unless the
//! victim received it. Nothing of a message that was not sent is left: all of the queue's room can
//! be used again.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{MessageQueue, MessageQueueSegment, wait_any};
use std::io::{Read, Write};

/// As many messages and bytes have room.
const MESSAGES: usize = 3;
const BYTES: usize = 600;

type World = MessageQueueSegment;

fn script(name: impl Into<String>) -> Script<World> {
    operation("MessageQueue", name, |_| MessageQueue::anonymous(MESSAGES, BYTES).expect("a segment"))
}

fn text(error: impl core::fmt::Display) -> String {
    error.to_string()
}

/// Odd numbers have long messages, of several blocks.
fn message(number: u8) -> Vec<u8> {
    vec![number; if number % 2 == 1 { BYTES } else { 20 }]
}

/// In a victim or a role that prepares.
fn fill(s: &Stage<World>, numbers: impl IntoIterator<Item = u8>) {
    numbers.into_iter().for_each(|number| s.try_send_bytes(&message(number)).expect("room"));
}

fn number_of(bytes: &[u8]) -> Result<u8, String> {
    match bytes.first() {
        Some(number) if bytes == message(*number) => Ok(*number),
        _ => Err(format!("a part of a message: {bytes:?}")),
    }
}

/// Receives all that is there.
fn find(s: &Stage<World>) -> Told {
    let mut found = String::new();
    while let Ok(bytes) = s.try_recv_bytes() {
        found += &format!(" {}", number_of(&bytes)?);
    }
    if !s.is_empty() {
        return Err(format!("nothing is left, and it counts as {}", s.len()));
    }
    let found: &'static str = if found.is_empty() { "found none" } else { (String::from("found") + &found).leak() };
    Ok(found)
}

/// All of the room is free, and the queue still works.
fn is_as_new(s: &Stage<World>) -> Told {
    if s.is_closed() {
        return if s.send_bytes(b"late").is_err() && s.recv_bytes().is_err() {
            Ok("")
        } else {
            Err("not closed".into())
        };
    }
    let longest = vec![7; s.max_message()];
    for _ in 0..2 * MESSAGES {
        s.try_send_bytes(&longest).map_err(text)?;
        if s.recv_bytes().map_err(text)? != longest {
            return Err("another message than was sent".into());
        }
    }
    (0..MESSAGES).try_for_each(|_| s.try_send_bytes(b"short").map_err(text))?;
    if s.try_send_bytes(b"more").is_ok() {
        return Err("one message too many".into());
    }
    s.close().map_err(text)?;
    if s.iter().count() != MESSAGES || s.send_bytes(b"late").is_ok() {
        return Err("it does not end as it should".into());
    }
    Ok("")
}

fn ended(script: Script<World>) -> Box<dyn Operation> {
    Box::new(script.after("newcomer", find).last("the last", is_as_new))
}

fn attach(s: &Stage<World>) {
    s.segment().attach().expect("room");
}

/// A sleeper that receives one message, and nothing but what was sent.
fn receives(s: &Stage<World>) -> Told {
    number_of(&s.recv_bytes().map_err(text)?)?;
    Ok("got one")
}

/// Receives the message that fills the queue, when the victim sleeps for good.
fn make_room_when_the_victim_sleeps(s: &Stage<World>) -> Told {
    fill(s, [1]);
    attach(s);
    s.ready();
    s.until_the_victim_sleeps_for_good();
    receives(s)
}

/// After the kill, sends what the victim may not have sent.
fn send_after_the_kill(s: &Stage<World>) -> Told {
    s.comes_back_after_the_kill(s.segment().attach())?;
    s.send_bytes(&message(50)).map_err(text)?;
    Ok("")
}

/// Sleeps until the queue is closed.
fn learns_the_end(s: &Stage<World>) -> Told {
    match s.recv_bytes() {
        Err(outlive::RecvMessageError::Disconnected) => Ok("saw the end"),
        other => Err(format!("{other:?}")),
    }
}

/// A way to send the message of a number.
type SendForm = fn(&Stage<World>, u8);

/// A way to receive a message.
type ReceiveForm = fn(&Stage<World>);

const SENDS: [(&str, SendForm); 6] = [
    ("send_bytes", |s, number| _ = s.send_bytes(&message(number))),
    ("try_send_bytes", |s, number| _ = s.try_send_bytes(&message(number))),
    ("send_bytes_timeout", |s, number| _ = s.send_bytes_timeout(&message(number), s.timeout())),
    ("send_with", |s, number| {
        _ = s.send_with(|writer| message(number).chunks(100).try_for_each(|part| writer.write_all(part)));
    }),
    ("try_send_with, as try_send and send", |s, number| {
        _ = s.try_send_with(|writer| message(number).chunks(100).try_for_each(|part| writer.write_all(part)));
    }),
    ("send_with_timeout, as send_timeout", |s, number| {
        _ = s.send_with_timeout(|writer| writer.write_all(&message(number)), s.timeout());
    }),
];

const RECEIVES: [(&str, ReceiveForm); 9] = [
    ("recv_bytes", |s| _ = s.recv_bytes()),
    ("try_recv_bytes", |s| _ = s.try_recv_bytes()),
    ("recv_bytes_timeout", |s| _ = s.recv_bytes_timeout(s.timeout())),
    ("recv_into", |s| _ = s.recv_into(&mut [0; BYTES])),
    ("try_recv_into", |s| _ = s.try_recv_into(&mut [0; BYTES])),
    ("recv_into_timeout", |s| _ = s.recv_into_timeout(&mut [0; BYTES], s.timeout())),
    ("recv_with", |s| _ = s.recv_with(|reader| reader.read_exact(&mut [0; BYTES]))),
    ("try_recv_with, as try_recv and recv", |s| _ = s.try_recv_with(|reader| reader.read_exact(&mut [0; BYTES]))),
    ("recv_with_timeout, as recv_timeout", |s| {
        _ = s.recv_with_timeout(|reader| reader.read_exact(&mut [0; BYTES]), s.timeout());
    }),
];

fn sending() -> impl Iterator<Item = Box<dyn Operation>> {
    let alone = SENDS.into_iter().map(|(name, send)| {
        ended(
            script(format!("{name}, a long message"))
                .victim(move |s| {
                    attach(s);
                    s.dies_in(|| send(s, 1));
                })
                .sees(&["newcomer found none", "newcomer found 1"]),
        )
    });
    let others = vec![
        ended(
            script("send_bytes, a short message behind a long one")
                .victim(|s| {
                    fill(s, [1]);
                    s.dies_in(|| s.send_bytes(&message(2)));
                })
                .sees(&["newcomer found 1", "newcomer found 1 2"]),
        ),
        ended(
            script("send_bytes, a long message, while one sleeps")
                .before("observer", send_after_the_kill)
                .before("sleeper", receives)
                .victim(|s| {
                    attach(s);
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.send_bytes(&message(1)));
                })
                .sees(&["sleeper got one, newcomer found none", "sleeper got one, newcomer found 50"]),
        ),
        ended(
            script("send_bytes_timeout, a long message, without room for it, times out")
                .victim(|s| {
                    fill(s, [1]);
                    s.dies_in(|| s.send_bytes_timeout(&message(3), s.timeout()));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found 1"]),
        ),
        ended(
            script("send_bytes, a long message, waits for the room of another")
                .before("receiver", make_room_when_the_victim_sleeps)
                .victim(|s| {
                    attach(s);
                    s.dies_in(|| s.send_bytes(&message(3)));
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found none", "newcomer found 3"]),
        ),
        ended(
            script("writable and try_send_bytes, a long message, wait for the room of another")
                .before("receiver", make_room_when_the_victim_sleeps)
                .victim(|s| {
                    attach(s);
                    s.dies_in(|| {
                        wait_any(&[s.writable(BYTES)]).expect("waits");
                        s.try_send_bytes(&message(3))
                    });
                })
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer found none", "newcomer found 3"]),
        ),
    ];
    alone.chain(others)
}

fn receiving() -> impl Iterator<Item = Box<dyn Operation>> {
    let alone = RECEIVES.into_iter().map(|(name, receive)| {
        ended(
            script(format!("{name}, the first of two messages"))
                .victim(move |s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| receive(s));
                })
                .sees(&["newcomer found 1 2", "newcomer found 2"]),
        )
    });
    let others = vec![
        ended(
            script("recv_into, too short, and the message stays")
                .victim(|s| {
                    fill(s, [1, 2]);
                    s.dies_in(|| s.recv_into(&mut [0; 10]));
                })
                .sees(&["newcomer found 1 2"]),
        ),
        ended(
            script("recv_bytes, a long message, while one sleeps to send another")
                .before("observer", |s| {
                    fill(s, [1]);
                    s.comes_back_after_the_kill(s.segment().attach())?;
                    // The victim may have left the first message.
                    receives(s)
                })
                .before("sleeper", |s| {
                    s.send_bytes(&message(3)).map_err(text)?;
                    Ok("sent")
                })
                .victim(|s| {
                    attach(s);
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| s.recv_bytes());
                })
                .sees(&["sleeper sent, newcomer found 3", "sleeper sent, newcomer found none"]),
        ),
    ];
    alone.chain(others)
}

fn ending() -> Vec<Box<dyn Operation>> {
    vec![
        ended(script("close, with a long message").victim(|s| {
            fill(s, [1]);
            s.dies_in(|| s.close());
        })),
        ended(
            script("sender, the first, and its drop, while one sleeps")
                .before("observer", |s| {
                    s.comes_back_after_the_kill(s.segment().attach())?;
                    s.close().map(|was_open| if was_open { "closed it" } else { "found it closed" }).map_err(text)
                })
                .before("sleeper", learns_the_end)
                .victim(|s| {
                    attach(s);
                    s.until_they_sleep(&[1]);
                    s.dies_in(|| drop(s.sender()));
                })
                .sees(&["sleeper saw the end"]),
        ),
        ended(script("receiver, the first, and its drop").victim(|s| {
            attach(s);
            s.dies_in(|| drop(s.receiver()));
        })),
    ]
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    sending().chain(receiving()).chain(ending()).collect()
}
