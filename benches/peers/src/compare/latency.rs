//! How long an item takes through a channel: two processes send one to and fro.

use super::channels::bytes;
use super::figures::{Case, Unit};
use super::peers::{self, Channel, MakeChannel, Object, Peer, Shape, Source};
use super::pingpong::{Game, Place, in_time, of_python};
use super::rounds::{Contestant, play};
use super::together::{as_processes, as_threads};
use super::{Effort, Failure};
use std::hint::black_box;

const ROUNDS: usize = 12;
const LENGTHS: [usize; 3] = [64, 4096, 1 << 20];

/// What one of two players does: 0 begins.
fn exchange(game: &Game, me: usize, channels: [&dyn Channel; 2], length: usize) -> Result<(), Failure> {
    let (mut receiver, mut sender) = (channels[1 - me].receiver()?, channels[me].sender()?);
    let mut item = vec![7; length];
    game.play(me, || {
        if me == 0 {
            sender.send(&item)?;
            receiver.receive(black_box(&mut item))
        } else {
            receiver.receive(black_box(&mut item))?;
            sender.send(&item)
        }
    })
}

fn nanoseconds(make: MakeChannel, length: usize, place: Place, turns: u64) -> Result<f64, Failure> {
    let shape = Shape { senders: 1, receivers: 1, length };
    let game = Game::new(place, turns)?;
    match (make(shape)?, make(shape)?) {
        (Object::Processes(to), Object::Processes(fro)) => {
            as_processes(2, |me| exchange(&game, me, [&*to, &*fro], length))?;
        }
        (Object::Threads(to), Object::Threads(fro)) => {
            as_threads(2, |me| exchange(&game, me, [&*to, &*fro], length))?;
        }
        _ => return Err("one function makes one kind of object".into()),
    }
    Ok(game.nanoseconds() / 2.0)
}

/// How long an item takes from one processor to another, in nanoseconds.
///
/// # Errors
/// The channel cannot be made, or does not take it.
pub fn between_processors(make: MakeChannel, length: usize, turns: u64) -> Result<f64, Failure> {
    nanoseconds(make, length, Place::Other, turns)
}

/// How long an item takes from one process to another on one processor, in nanoseconds.
///
/// # Errors
/// The channel cannot be made, or does not take it.
pub fn on_one_processor(make: MakeChannel, length: usize, turns: u64) -> Result<f64, Failure> {
    nanoseconds(make, length, Place::Same, turns)
}

fn contestant(peer: Peer<MakeChannel>, length: usize, place: Place, effort: Effort) -> Contestant<'static> {
    match peer.source {
        Source::Here(make) => {
            in_time(peer.name, peer.kind, effort, move |turns| nanoseconds(make, length, place, turns))
        }
        Source::Python(class) => {
            of_python(peer.name, effort, format!("pingpong-of-channel {class} {length} {}", place.is_one()))
        }
    }
}

/// Measures.
///
/// # Errors
/// None: what cannot be measured is missing in its case.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
    let lengths = if effort == Effort::Quick { &LENGTHS[..2] } else { &LENGTHS };
    let parts = (lengths.len() * Place::ALL.len()) as f64;
    let mut cases = vec![];
    for &length in lengths {
        for (place, words) in Place::ALL {
            let name = format!("an item of {} to or fro, {words}", bytes(length));
            let mut case = Case::new("latency", name, Unit::Nanoseconds);
            let contestants = peers::channels().into_iter().map(|peer| contestant(peer, length, place, effort));
            play(&mut case, contestants.collect(), effort.of(ROUNDS), &mut |part| tell(part / parts));
            cases.push(case);
        }
    }
    Ok(cases)
}
