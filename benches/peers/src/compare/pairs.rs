//! What an operation costs without contention, which every user pays every time: one process takes
//! and gives back, or sends and receives.

use super::figures::{Case, Kind, Unit};
use super::peers::{self, Object, Peer, Shape, Source};
use super::player::{Player, Rounds};
use super::rounds::{Contestant, play};
use super::{Effort, Failure};
use outlive::Segment;
use outlive_benches::peers::Floor;
use outlive_benches::process::stay_on_processor;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 800;
/// How long a round of one contestant is to take, and how many turns it has at most.
const ROUND: Duration = Duration::from_micros(150);
const MOST_TURNS: u64 = 2_000;

/// A contestant that repeats an operation, in a process of its own.
fn repeats(
    name: &'static str,
    kind: Kind,
    start: impl Fn() -> Result<Player, Failure> + 'static,
) -> Contestant<'static> {
    let mut player = None;
    // A few at first, to learn how long one takes.
    let mut turns = 20;
    Contestant::new(name, kind, move || {
        let player = match &mut player {
            Some(player) => player,
            none => none.insert(start()?),
        };
        let time = player.round(turns)?[0];
        turns = ((ROUND.as_nanos() as f64 / time) as u64).clamp(20, MOST_TURNS);
        Ok(time)
    })
}

/// Plays the rounds of a contestant: repeats the operation, and says how many nanoseconds it takes.
fn timed(rounds: Rounds, mut repeat: impl FnMut(u64)) -> Result<(), Failure> {
    stay_on_processor(0);
    rounds.play(|turns| {
        repeat(turns / 10); // brings its cache lines and branches back
        let begun = Instant::now();
        repeat(turns);
        Ok(begun.elapsed().as_nanos() as f64 / turns as f64)
    })
}

/// The contestants of these peers. `here` and `there` are the same loop, of objects for processes
/// and of objects for threads.
fn of<P: ?Sized + 'static, T: ?Sized + 'static, M: Copy + 'static>(
    peers: Vec<Peer<M>>,
    make: fn(M) -> peers::Of<P, T>,
    here: fn(&P, u64),
    there: fn(&T, u64),
) -> Vec<Contestant<'static>> {
    let contestant = |peer: Peer<M>| {
        repeats(peer.name, peer.kind, move || match peer.source {
            Source::Python(class) => peers::python::player(format!("pairs {class}")),
            Source::Here(maker) => Ok(Player::forked(|rounds| match make(maker)? {
                Object::Processes(object) => timed(rounds, |turns| here(&object, turns)),
                Object::Threads(object) => timed(rounds, |turns| there(&object, turns)),
            })?),
        })
    };
    peers.into_iter().map(contestant).collect()
}

/// The contestants of a case.
type Enter = fn() -> Vec<Contestant<'static>>;

const CASES: [(&str, Enter); 12] = [
    ("lock: take and give back", || {
        of(peers::locks(), |make| make(), |lock, n| lock.pairs(n), |lock, n| lock.pairs(n))
    }),
    ("readers-writer lock: read and unlock", || {
        let locks = peers::read_write_locks();
        with(compare_and_swap(), of(locks, |make| make(), |lock, n| lock.reads(n), |lock, n| lock.reads(n)))
    }),
    ("readers-writer lock: write and unlock", || {
        let locks = peers::read_write_locks();
        with(compare_and_swap(), of(locks, |make| make(), |lock, n| lock.writes(n), |lock, n| lock.writes(n)))
    }),
    ("semaphore: release and acquire", || with(compare_and_swap(), signals(peers::semaphores()))),
    ("pool of four permits: take one and give it back", || with(compare_and_swap(), repeated(peers::permit_pools()))),
    ("event: set, and take", || with(compare_and_swap(), signals(peers::events()))),
    ("condition: notify while nobody waits", || with(load(), signals(peers::conditions()))),
    ("barrier of one: arrive", || {
        let arrivals = of(peers::barriers(), |make| make(1), |one, n| one.arrivals(n), |one, n| one.arrivals(n));
        with(compare_and_swap(), arrivals)
    }),
    ("once: ask again", || with(load(), repeated(peers::done_once()))),
    ("channel: send and receive 8 bytes", || channels(8)),
    ("channel: send and receive 64 bytes", || channels(64)),
    ("channel: send and receive 4 KiB", || channels(4096)),
];

fn with(floor: Contestant<'static>, mut others: Vec<Contestant<'static>>) -> Vec<Contestant<'static>> {
    others.insert(0, floor);
    others
}

fn signals(peers: Vec<Peer<peers::MakeSignal>>) -> Vec<Contestant<'static>> {
    of(peers, |make| make(), |signal, n| signal.pairs(n), |signal, n| signal.pairs(n))
}

fn repeated(peers: Vec<Peer<peers::MakeRepeated>>) -> Vec<Contestant<'static>> {
    of(peers, |make| make(), |repeat, n| repeat(n), |repeat, n| repeat(n))
}

fn compare_and_swap() -> Contestant<'static> {
    let work = |rounds| {
        let word = Segment::<Floor>::anonymous(|_free| {})?;
        let word = &*word;
        timed(rounds, |turns| {
            for _ in 0..turns {
                assert!(black_box(word).take(black_box(7)));
                word.give_back();
            }
        })
    };
    repeats("compare-and-swap, swap", Kind::Floor, move || Ok(Player::forked(work)?))
}

fn load() -> Contestant<'static> {
    let work = |rounds| {
        let number = Segment::<AtomicU32>::anonymous(|_zero| {})?;
        let number = &*number;
        timed(rounds, |turns| {
            for _ in 0..turns {
                black_box(black_box(number).load(Ordering::Acquire));
            }
        })
    };
    repeats("load", Kind::Floor, move || Ok(Player::forked(work)?))
}

/// One process has both ends of a channel.
fn channels(length: usize) -> Vec<Contestant<'static>> {
    let shape = Shape { senders: 1, receivers: 1, length };
    let contestant = |peer: Peer<peers::MakeChannel>| {
        repeats(peer.name, peer.kind, move || match peer.source {
            Source::Python(class) => peers::python::player(format!("pairs-of-channel {class} {length}")),
            Source::Here(make) => Ok(Player::forked(|rounds| {
                let channel = make(shape)?;
                let (mut receiver, mut sender) = (channel.receiver()?, channel.sender()?);
                let (item, mut received) = (vec![7; length], vec![0; length]);
                timed(rounds, |turns| {
                    for _ in 0..turns {
                        sender.send(black_box(&item)).expect("room");
                        receiver.receive(black_box(&mut received)).expect("an item");
                    }
                })
            })?),
        })
    };
    peers::channels().into_iter().map(contestant).collect()
}

/// Measures.
///
/// # Errors
/// None: what cannot be measured is missing in its case.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
    let mut measured = vec![];
    for (name, enter) in CASES {
        let mut case = Case::new("pairs", name, Unit::Nanoseconds);
        play(&mut case, enter(), effort.of(ROUNDS), &mut |part| tell(part / CASES.len() as f64));
        measured.push(case);
    }
    Ok(measured)
}
