//! Rounds: each has every contestant, in a rotating order, so that other load of the machine falls
//! on all of them alike.

use super::figures::{Case, Kind, Row};
use outlive_benches::process::panic_text;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A contestant: who, and what it does in one round. The function gives the round's figures: one
/// for each case.
pub struct Contestant<'a> {
    name: String,
    kind: Kind,
    run: Run<'a>,
}

type Run<'a> = Box<dyn FnMut() -> Result<Vec<f64>, Box<dyn Error>> + 'a>;

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Contestant<'a> {
    /// A contestant in one case.
    pub fn new(name: impl Into<String>, kind: Kind, mut run: impl FnMut() -> Result<f64, Box<dyn Error>> + 'a) -> Self {
        Self::in_several(name, kind, move || Ok(vec![run()?]))
    }

    /// A contestant in several cases. It takes no part in a case for which it gives NaN.
    pub fn in_several(
        name: impl Into<String>,
        kind: Kind,
        run: impl FnMut() -> Result<Vec<f64>, Box<dyn Error>> + 'a,
    ) -> Self {
        Self { name: name.into(), kind, run: Box::new(run) }
    }
}

/// Runs all contestants of a case, so many rounds, after one that does not count. A contestant that
/// fails or panics is missing from then on, with its error. `tell` is called after each round.
pub fn play(case: &mut Case, contestants: Vec<Contestant<'_>>, rounds: usize, tell: &mut dyn FnMut(f64)) {
    play_several(std::slice::from_mut(case), contestants, rounds, tell);
}

/// As [`play`], with cases that are measured together.
pub fn play_several(
    cases: &mut [Case],
    mut contestants: Vec<Contestant<'_>>,
    rounds: usize,
    tell: &mut dyn FnMut(f64),
) {
    let mut figures: Vec<Result<Vec<Vec<f64>>, String>> = contestants.iter().map(|_| Ok(vec![])).collect();
    for round in 0..=rounds {
        for turn in 0..contestants.len() {
            let which = (round + turn) % contestants.len();
            let Ok(of) = &mut figures[which] else { continue };
            let run = &mut contestants[which].run;
            // After a panic it is not run again.
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(figures)) if round > 0 => of.push(figures),
                Ok(Ok(_warmed_up)) => {}
                Ok(Err(error)) => figures[which] = Err(error.to_string()),
                Err(panic) => figures[which] = Err(panic_text(&*panic)),
            }
        }
        tell(1.0 / (rounds + 1) as f64);
    }
    for (contestant, figures) in contestants.into_iter().zip(figures) {
        for (index, case) in cases.iter_mut().enumerate() {
            match &figures {
                Ok(rounds) => {
                    let rounds: Vec<f64> = rounds.iter().map(|figures| figures[index]).collect();
                    if !rounds.iter().any(|figure| figure.is_nan()) {
                        case.rows.push(Row { name: contestant.name.clone(), kind: contestant.kind, rounds });
                    }
                }
                Err(why) => case.missing.push((contestant.name.clone(), why.clone())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::Unit;
    use super::*;

    #[test]
    fn a_contestant_that_fails_is_missing_and_the_others_go_on() {
        let mut cases = ["one", "other"].map(|name| Case::new("tests", name, Unit::Nanoseconds));
        let mut round = 0.0;
        let contestants = vec![
            Contestant::in_several("counts", Kind::Ours, || {
                round += 1.0;
                Ok(vec![round, f64::NAN])
            }),
            Contestant::in_several("fails", Kind::Peer, || Err("hangs".into())),
        ];
        let mut told = 0.0;
        play_several(&mut cases, contestants, 2, &mut |part| told += part);
        assert_eq!(cases[0].rows[0].rounds, [2.0, 3.0], "the first round does not count");
        assert!(cases[0].rows.len() == 1 && cases[1].rows.is_empty());
        assert!(cases.iter().all(|case| case.missing == [("fails".to_owned(), "hangs".to_owned())]));
        assert!((told - 1.0).abs() < 1e-9);
    }
}
