//! How long a turn takes when two processes wait for each other, and both sleep meanwhile.

use super::figures::{Case, Kind, Unit};
use super::peers::{self, MakeMeeting, MakeSignal, MeetingLoops, Object, Peer, SignalLoops, Source};
use super::player::Player;
use super::rounds::{Contestant, play};
use super::together::{Times, as_processes, as_threads};
use super::{Effort, Failure};
use outlive::Segment;
use outlive_benches::process::stay_on_processor;
use std::time::Duration;

const ROUNDS: usize = 16;
/// How long a round of one contestant is to take.
const ROUND: Duration = Duration::from_millis(15);

/// Where two processes are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    /// On one processor: a turn is a switch.
    Same,
    /// On two processors: a turn is a wake-up.
    Other,
}

impl Place {
    pub(super) const ALL: [(Self, &'static str); 2] = [(Self::Same, "one processor"), (Self::Other, "two processors")];

    /// For CPython.
    pub(super) fn is_one(self) -> u8 {
        u8::from(self == Self::Same)
    }

    fn stay(self, me: usize) {
        stay_on_processor(if self == Self::Same { 0 } else { me });
    }
}

/// A contestant that plays so many turns in a round that the round is as long as it should be.
/// `run` returns the nanoseconds of a turn.
pub(super) fn in_time<'a>(
    name: &'static str,
    kind: Kind,
    effort: Effort,
    mut run: impl FnMut(u64) -> Result<f64, Failure> + 'a,
) -> Contestant<'a> {
    let mut turns = 100;
    Contestant::new(name, kind, move || {
        let time = run(turns)?;
        if effort != Effort::Try {
            turns = ((ROUND.as_nanos() as f64 / 2.0 / time) as u64).clamp(20, 20_000);
        }
        Ok(time)
    })
}

/// A game of two players, who call [`play`](Self::play).
pub(super) struct Game {
    place: Place,
    turns: u64,
    times: Segment<Times>,
}

impl Game {
    pub(super) fn new(place: Place, turns: u64) -> Result<Self, Failure> {
        Ok(Self { place, turns, times: Times::of(2)? })
    }

    /// Repeats what this player does in a turn to and fro.
    pub(super) fn play(&self, me: usize, mut turn: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        self.place.stay(me);
        (0..self.turns / 4).try_for_each(|_| turn())?; // both have begun
        self.times.begin();
        (0..self.turns).try_for_each(|_| turn())?;
        self.times.end();
        self.times.wait_for_ends(2);
        Ok(())
    }

    /// How long a turn to and fro took.
    pub(super) fn nanoseconds(&self) -> f64 {
        self.times.elapsed() / self.turns as f64
    }
}

fn of_signals(make: MakeSignal, place: Place, turns: u64) -> Result<f64, Failure> {
    fn exchange(me: usize, to: &dyn SignalLoops, fro: &dyn SignalLoops) -> Result<(), Failure> {
        if me == 0 {
            (to.give(), fro.take())
        } else {
            (to.take(), fro.give())
        };
        Ok(())
    }
    let game = Game::new(place, turns)?;
    match (make()?, make()?) {
        (Object::Processes(to), Object::Processes(fro)) => {
            as_processes(2, |me| game.play(me, || exchange(me, &*to, &*fro)))?;
        }
        (Object::Threads(to), Object::Threads(fro)) => {
            as_threads(2, |me| game.play(me, || exchange(me, &*to, &*fro)))?;
        }
        _ => return Err("one function makes one kind of object".into()),
    }
    Ok(game.nanoseconds() / 2.0)
}

fn of_barrier(make: MakeMeeting, place: Place, turns: u64) -> Result<f64, Failure> {
    fn arrive(barrier: &dyn MeetingLoops) -> Result<(), Failure> {
        barrier.arrivals(1);
        Ok(())
    }
    let game = Game::new(place, turns)?;
    match make(2)? {
        Object::Processes(barrier) => as_processes(2, |me| game.play(me, || arrive(&*barrier)))?,
        Object::Threads(barrier) => as_threads(2, |me| game.play(me, || arrive(&*barrier)))?,
    }
    Ok(game.nanoseconds())
}

/// The contestants of these peers.
fn contestants<M: Copy + 'static>(
    peers: Vec<Peer<M>>,
    place: Place,
    effort: Effort,
    run: fn(M, Place, u64) -> Result<f64, Failure>,
) -> Vec<Contestant<'static>> {
    let contestant = |peer: Peer<M>| match peer.source {
        Source::Here(make) => in_time(peer.name, peer.kind, effort, move |turns| run(make, place, turns)),
        Source::Python(class) => of_python(peer.name, effort, format!("pingpong {class} {}", place.is_one())),
    };
    peers.into_iter().map(contestant).collect()
}

/// A contestant of CPython.
pub(super) fn of_python(name: &'static str, effort: Effort, order: String) -> Contestant<'static> {
    let mut player: Option<Player> = None;
    in_time(name, Kind::Peer, effort, move |turns| {
        let player = match &mut player {
            Some(player) => player,
            none => none.insert(peers::python::player(order.clone())?),
        };
        Ok(player.round(turns)?[0])
    })
}

type Enter = fn(Place, Effort) -> Vec<Contestant<'static>>;

const CASES: [(&str, Enter); 4] = [
    ("event: a turn to or fro", |place, effort| {
        contestants([peers::bare_signals(), peers::events()].concat(), place, effort, of_signals)
    }),
    ("semaphore: a turn to or fro", |place, effort| {
        contestants([peers::bare_signals(), peers::semaphores()].concat(), place, effort, of_signals)
    }),
    ("condition: a turn to or fro", |place, effort| {
        contestants([peers::bare_signals(), peers::conditions()].concat(), place, effort, of_signals)
    }),
    ("barrier: a meeting of two", |place, effort| {
        let mut all = contestants(peers::bare_signals(), place, effort, of_signals);
        all.extend(contestants(peers::barriers(), place, effort, of_barrier));
        all
    }),
];

/// Measures.
///
/// # Errors
/// None: what cannot be measured is missing in its case.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
    let parts = (CASES.len() * Place::ALL.len()) as f64;
    let mut cases = vec![];
    for (name, enter) in CASES {
        for (place, words) in Place::ALL {
            let mut case = Case::new("pingpong", format!("{name}, {words}"), Unit::Nanoseconds);
            play(&mut case, enter(place, effort), effort.of(ROUNDS), &mut |part| tell(part / parts));
            cases.push(case);
        }
    }
    Ok(cases)
}
