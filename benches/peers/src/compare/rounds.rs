//! Rounds: each has every contestant, in a rotating order, so that other load of the machine falls
//! on all of them alike.

use super::figures::{Case, Kind, Row};
use std::error::Error;

/// A contestant: who, and what it does in one round. The function gives the round's figure.
pub struct Contestant<'a> {
    name: String,
    kind: Kind,
    run: Box<dyn FnMut() -> Result<f64, Box<dyn Error>> + 'a>,
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Contestant<'a> {
    /// A contestant.
    pub fn new(name: impl Into<String>, kind: Kind, run: impl FnMut() -> Result<f64, Box<dyn Error>> + 'a) -> Self {
        Self { name: name.into(), kind, run: Box::new(run) }
    }
}

/// Runs all contestants of a case, so many rounds, after one that does not count. A contestant that
/// fails is missing from then on, with its error. `tell` is called after each round.
pub fn play(case: &mut Case, mut contestants: Vec<Contestant<'_>>, rounds: usize, tell: &mut dyn FnMut(f64)) {
    let mut figures: Vec<Result<Vec<f64>, String>> = contestants.iter().map(|_| Ok(vec![])).collect();
    for round in 0..=rounds {
        for turn in 0..contestants.len() {
            let which = (round + turn) % contestants.len();
            let Ok(of) = &mut figures[which] else { continue };
            match (contestants[which].run)() {
                Ok(figure) if round > 0 => of.push(figure),
                Ok(_warmed_up) => {}
                Err(error) => figures[which] = Err(error.to_string()),
            }
        }
        tell(1.0 / (rounds + 1) as f64);
    }
    for (contestant, figures) in contestants.into_iter().zip(figures) {
        match figures {
            Ok(rounds) => case.rows.push(Row { name: contestant.name, kind: contestant.kind, rounds }),
            Err(why) => case.missing.push((contestant.name, why)),
        }
    }
}
