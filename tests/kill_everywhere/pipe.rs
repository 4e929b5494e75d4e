//! Pipe. A message that was sent is received whole, and by one receiver. A message that the victim
//! was sending was sent, or was not. Its end can be taken over.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{DuplexPipe, Pipe, PipeEndError, PipeReceiver, PipeRecvError, PipeSendError, PipeSender};
use std::hint::black_box;
use std::time::Duration;

const CAPACITY: usize = 128;
const MESSAGE: &[u8] = b"a message that has more than one word";
const NEXT: &[u8] = b"the next";
fn script(name: &str) -> Script<Pipe> {
    operation("Pipe", name, |_| Pipe::anonymous(CAPACITY).expect("a pipe"))
}

fn text(error: impl core::fmt::Display) -> String {
    error.to_string()
}

fn sender(s: &Stage<Pipe>) -> PipeSender {
    s.sender().expect("free")
}

/// The victim had both ends, or one of them. Its heir takes both over, sends a message, and
/// receives it behind what there is.
fn take_both_over(s: &Stage<Pipe>) -> Told {
    let (mut sender, mut receiver) = (s.sender().map_err(text)?, s.receiver().map_err(text)?);
    sender.send_bytes(NEXT).map_err(text)?;
    let first = receiver.recv_bytes().map_err(text)?;
    if first == NEXT {
        return Ok("found nothing");
    }
    if first != MESSAGE || receiver.recv_bytes().map_err(text)? != NEXT {
        return Err(format!("found {first:?}"));
    }
    Ok("found it")
}

/// A receiver that sleeps until the victim has sent this message, or is dead.
fn receives(s: &Stage<Pipe>, message: &[u8]) -> Told {
    match s.receiver().expect("free").recv_bytes() {
        Ok(received) if received == message => Ok("got it"),
        Err(PipeRecvError::PeerDied { .. }) => Ok("learned of the death"),
        Err(PipeRecvError::Disconnected) => Ok("found the end"),
        other => Err(format!("{other:?}")),
    }
}

/// Fills the pipe, and sleeps until there is room for one more, or the victim is dead.
fn sends_one_more(s: &Stage<Pipe>) -> Told {
    let mut sender = sender(s);
    while sender.try_send_bytes(MESSAGE).is_ok() {}
    match sender.send_bytes(MESSAGE) {
        Ok(()) => Ok("had room"),
        Err(PipeSendError::PeerDied { .. }) => Ok("learned of the death"),
        Err(PipeSendError::Disconnected) => Ok("found the end"),
        Err(error) => Err(text(error)),
    }
}

type Send = fn(&mut PipeSender);
type Receive = fn(&mut PipeReceiver);

const SENDS: [(&str, Send); 3] = [
    ("send_bytes, as send", |sender| sender.send_bytes(MESSAGE).expect("there is room")),
    ("try_send_bytes, as try_send", |sender| sender.try_send_bytes(MESSAGE).expect("there is room")),
    ("send_bytes_timeout, as send_timeout", |sender| {
        sender.send_bytes_timeout(MESSAGE, Duration::MAX).expect("there is room")
    }),
];

const RECEIVES: [(&str, Receive); 6] = [
    ("recv_bytes, as recv", |receiver| drop(black_box(receiver.recv_bytes().expect("sent")))),
    ("try_recv_bytes, as try_recv", |receiver| drop(black_box(receiver.try_recv_bytes().expect("sent")))),
    ("recv_bytes_timeout, as recv_timeout", |receiver| {
        drop(black_box(receiver.recv_bytes_timeout(Duration::MAX).expect("sent")))
    }),
    ("recv_into", |receiver| {
        black_box(receiver.recv_into(&mut [0; 64]).expect("sent"));
    }),
    ("try_recv_into", |receiver| {
        black_box(receiver.try_recv_into(&mut [0; 64]).expect("sent"));
    }),
    ("recv_into_timeout", |receiver| {
        black_box(receiver.recv_into_timeout(&mut [0; 64], Duration::MAX).expect("sent"));
    }),
];

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let mut all: Vec<Box<dyn Operation>> = vec![];
    for (name, send) in SENDS {
        all.push(Box::new(
            script(&format!("{name}, then a sender takes over"))
                .victim(move |s| {
                    let mut sender = sender(s);
                    s.dies_in(|| send(&mut sender));
                })
                .after("heir", take_both_over)
                .sees(&["heir found it", "heir found nothing"]),
        ));
    }
    for (name, receive) in RECEIVES {
        all.push(Box::new(
            script(&format!("{name}, then a receiver takes over"))
                .victim(move |s| {
                    let (mut sender, mut receiver) = (sender(s), s.receiver().expect("free"));
                    sender.send_bytes(MESSAGE).expect("there is room");
                    s.dies_in(|| receive(&mut receiver));
                })
                .after("heir", take_both_over)
                .sees(&["heir found it", "heir found nothing"]),
        ));
    }
    all.push(Box::new(
        script("poll")
            .victim(|s| {
                let (mut sender, mut receiver) = (sender(s), s.receiver().expect("free"));
                sender.send_bytes(MESSAGE).expect("there is room");
                s.dies_in(|| assert!(receiver.poll(Duration::ZERO).expect("sent")));
            })
            .after("heir", take_both_over)
            .sees(&["heir found it"]),
    ));
    all.push(Box::new(
        script("send_bytes, while the receiver sleeps")
            .before("receiver", |s| receives(s, MESSAGE))
            .victim(|s| {
                let mut sender = sender(s);
                s.dies_in(|| sender.send_bytes(MESSAGE).expect("there is room"));
            })
            .sees(&["receiver got it", "receiver learned of the death"]),
    ));
    all.push(Box::new(
        script("recv_bytes, while the sender sleeps")
            .before("sender", sends_one_more)
            .victim(|s| {
                let mut receiver = s.receiver().expect("free");
                s.dies_in(|| drop(receiver.recv_bytes().expect("sent")));
            })
            .sees(&["sender had room", "sender learned of the death"]),
    ));
    all.push(Box::new(
        script("drop of a sender, while the receiver sleeps")
            .before("receiver", |s| receives(s, MESSAGE))
            .victim(|s| {
                let sender = sender(s);
                s.dies_in(|| drop(sender));
            })
            .sees(&["receiver found the end", "receiver learned of the death"]),
    ));
    all.push(Box::new(
        script("drop of a receiver, while the sender sleeps")
            .before("sender", sends_one_more)
            .victim(|s| {
                let receiver = s.receiver().expect("free");
                s.dies_in(|| drop(receiver));
            })
            .sees(&["sender found the end", "sender learned of the death"]),
    ));
    all.push(Box::new(
        script("sender")
            .victim(|s| {
                s.segment().attach().expect("room");
                s.dies_in(|| core::mem::forget(sender(s)));
            })
            .after("heir", take_both_over)
            .sees(&["heir found nothing"]),
    ));
    all.push(Box::new(
        script("receiver")
            .victim(|s| {
                s.segment().attach().expect("room");
                s.dies_in(|| core::mem::forget(s.receiver().expect("free")));
            })
            .after("heir", take_both_over)
            .sees(&["heir found nothing"]),
    ));
    for (name, is_first) in [("first", true), ("second", false)] {
        all.push(Box::new(
            operation("DuplexPipe", name, |_| DuplexPipe::anonymous(CAPACITY).expect("a pipe"))
                .victim(move |s| {
                    s.segment().attach().expect("room");
                    s.dies_in(|| core::mem::forget(if is_first { s.first() } else { s.second() }.expect("free")));
                })
                .after("heirs", |s| {
                    let taken = || -> Result<bool, PipeEndError> {
                        let (mut first, mut second) = (s.first()?, s.second()?);
                        let answers =
                            first.send_bytes(MESSAGE).is_ok() && second.recv_bytes().is_ok_and(|m| m == MESSAGE);
                        Ok(answers && second.send_bytes(NEXT).is_ok() && first.recv_bytes().is_ok_and(|m| m == NEXT))
                    };
                    match taken() {
                        Ok(true) => Ok("answered each other"),
                        other => Err(format!("{other:?}")),
                    }
                })
                .sees(&["heirs answered each other"]),
        ));
    }
    all
}
