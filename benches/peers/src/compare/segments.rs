//! What segments cost: to make and to open one. And how many bytes primitives, participants and
//! channels take.

mod makers;
mod sizes;

use super::figures::{Case, Unit};
use super::player::Player;
use super::rounds::{Contestant, play};
use super::{Effort, Failure, peers};
use makers::{MAKERS, Maker};
use std::time::Instant;

const ROUNDS: usize = 600;

/// A name of shared memory, which no other process uses.
fn name_of(which: usize, what: &str) -> String {
    format!("outlive-peers-{what}-{which}-{}", std::process::id())
}

/// Makes and removes one, or opens one that is there, in a process of its own.
fn contestant(which: usize, maker: &'static Maker, to_open: bool) -> Contestant<'static> {
    let mut player = None;
    Contestant::new(maker.name, maker.kind, move || {
        let player = match &mut player {
            Some(player) => player,
            none => none.insert(start(which, maker, to_open)?),
        };
        Ok(player.round(1)?[0])
    })
}

fn start(which: usize, maker: &'static Maker, to_open: bool) -> Result<Player, Failure> {
    let name = name_of(which, if to_open { "opened" } else { "made" });
    let Some([make, open, remove]) = maker.functions else {
        let what = if to_open { "open" } else { "make" };
        return peers::python::player(format!("segment {what} {name}"));
    };
    let work = move |rounds: super::player::Rounds| {
        if to_open {
            make(&name)?;
        }
        let played = rounds.play(|_| {
            let begun = Instant::now();
            if to_open {
                open(&name)?;
            } else {
                make(&name)?;
                remove(&name)?;
            }
            Ok(begun.elapsed().as_nanos() as f64)
        });
        if to_open {
            remove(&name)?;
        }
        played
    };
    Ok(Player::forked(work)?)
}

/// Measures.
///
/// # Errors
/// A segment cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
    const CASES: [(&str, bool); 2] =
        [("to make one by name, use it, and remove it", false), ("to open one by name, and use it", true)];
    let mut measured = vec![];
    for (name, to_open) in CASES {
        let mut case = Case::new("segments", name, Unit::Nanoseconds);
        let contestants = MAKERS.iter().enumerate().map(|(which, maker)| contestant(which, maker, to_open));
        play(&mut case, contestants.collect(), effort.of(ROUNDS), &mut |part| tell(part / 2.0));
        measured.push(case);
    }
    measured.extend(sizes::cases()?);
    Ok(measured)
}
