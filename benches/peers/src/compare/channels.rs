//! How many items a second go through a channel, from one or several processes to one or several.

use super::figures::{Case, Unit};
use super::peers::{self, Channel, MakeChannel, Object, Peer, Shape, Source};
use super::player::Player;
use super::rounds::{Contestant, play};
use super::together::{Times, as_processes, as_threads};
use super::{Effort, Failure};
use outlive_benches::process::stay_on_processor;
use std::hint::black_box;
use std::time::Duration;

const ROUNDS: usize = 18;
/// How long a round of one contestant is to take.
const ROUND: Duration = Duration::from_millis(15);

/// Of how many processes to how many.
const CROWDS: [(usize, usize); 4] = [(1, 1), (2, 2), (4, 1), (1, 4)];
/// The lengths of an item.
const LENGTHS: [usize; 4] = [8, 64, 4096, 1 << 20];

/// A round number of bytes, in words.
pub(super) fn bytes(length: usize) -> String {
    match length {
        _ if length >= 1 << 20 => format!("{} MiB", length >> 20),
        _ if length >= 1 << 10 => format!("{} KiB", length >> 10),
        _ => format!("{length} bytes"),
    }
}

/// What one participant of a round does: the senders come first.
fn take_part(channel: &dyn Channel, shape: Shape, items: u64, times: &Times, me: usize) -> Result<(), Failure> {
    let Shape { senders, receivers, length } = shape;
    if me < senders {
        stay_on_processor(me % 2);
        let (mut sender, item) = (channel.sender()?, vec![7; length]);
        times.begin();
        (0..items / senders as u64).try_for_each(|_| sender.send(black_box(&item)))?;
        times.wait_for_ends(receivers);
    } else {
        stay_on_processor((me - senders + 1) % 2);
        let (mut receiver, mut item) = (channel.receiver()?, vec![0; length]);
        times.begin();
        for _ in 0..items / receivers as u64 {
            receiver.receive(black_box(&mut item))?;
        }
        times.end();
    }
    Ok(())
}

/// How many items a second go through, if so many are sent.
///
/// # Errors
/// The channel cannot be made, or does not take them.
pub fn items_a_second(make: MakeChannel, shape: Shape, items: u64) -> Result<f64, Failure> {
    let count = shape.senders + shape.receivers;
    let times = Times::of(count)?;
    match make(shape)? {
        Object::Processes(channel) => as_processes(count, |me| take_part(&*channel, shape, items, &times, me))?,
        Object::Threads(channel) => as_threads(count, |me| take_part(&*channel, shape, items, &times, me))?,
    }
    Ok(items as f64 / times.elapsed() * 1e9)
}

/// A contestant that moves so many items in a round that the round is as long as it should be.
fn contestant(peer: Peer<MakeChannel>, shape: Shape, effort: Effort) -> Contestant<'static> {
    let Shape { senders, receivers, length } = shape;
    let mut items = if length > 65_536 { 4 } else { 64 };
    let mut player: Option<Player> = None;
    Contestant::new(peer.name, peer.kind, move || {
        let per_second = match (peer.source, &mut player) {
            (Source::Here(make), _) => items_a_second(make, shape, items)?,
            (Source::Python(_), Some(player)) => player.round(items)?[0],
            (Source::Python(class), none) => {
                let order = format!("stream {class} {senders} {receivers} {length}");
                none.insert(peers::python::player(order)?).round(items)?[0]
            }
        };
        if effort != Effort::Try {
            // Each participant has the same number of them.
            items = ((per_second * ROUND.as_secs_f64()) as u64 / 4 * 4).clamp(4, 100_000);
        }
        Ok(per_second)
    })
}

/// Measures.
///
/// # Errors
/// None: what cannot be measured is missing in its case.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
    let crowds = match effort {
        Effort::Quick => &CROWDS[..1],
        Effort::Whole | Effort::Try => &CROWDS[..],
    };
    let parts = (crowds.len() * LENGTHS.len()) as f64;
    let mut cases = vec![];
    for &(senders, receivers) in crowds {
        for length in LENGTHS {
            let shape = Shape { senders, receivers, length };
            let name = format!("{senders} to {receivers} processes, items of {}", bytes(length));
            let mut case = Case::new("channels", name, Unit::PerSecond);
            let contestants = peers::channels().into_iter().map(|peer| contestant(peer, shape, effort));
            play(&mut case, contestants.collect(), effort.of(ROUNDS), &mut |part| tell(part / parts));
            cases.push(case);
        }
    }
    Ok(cases)
}
