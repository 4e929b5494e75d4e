//! Compares candidates round by round, within one process.
//!
//! Criterion measures each candidate by itself. But two of its figures are seconds apart, and
//! meanwhile the machine's speed may have changed. So a comparison of our own follows: in many
//! short rounds, each of which has every candidate. It shows the median of the ratios within a
//! round.

use crate::Mode;
use crate::report::{Samples, Table, Target, verdict, with_interval};
use criterion::Criterion;
use std::time::{Duration, Instant};

/// The turns of one candidate in one round. They take some tens of microseconds, so that few rounds
/// are disturbed.
const TURNS: u64 = 4_000;
const ROUNDS: usize = 2_000;

/// An operation that can be repeated many times, with the targets for its time.
pub struct Candidate<'a> {
    name: &'static str,
    run: Box<dyn FnMut(u64) -> Duration + 'a>,
    to_first: Option<f64>,
    to_peer: Option<(&'static str, f64)>,
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A candidate that repeats `once`, in a loop of its own with `once` inlined.
pub fn candidate<'a>(name: &'static str, mut once: impl FnMut() + 'a) -> Candidate<'a> {
    let run = move |turns| {
        let begun = Instant::now();
        for _ in 0..turns {
            once();
        }
        begun.elapsed()
    };
    Candidate { name, run: Box::new(run), to_first: None, to_peer: None }
}

impl Candidate<'_> {
    /// Sets a target: at most so many times the time of the group's first candidate, the floor.
    #[must_use]
    pub fn at_most(mut self, times: f64) -> Self {
        self.to_first = Some(times);
        self
    }
    /// Sets a target: at most so many times the time of another candidate of the group.
    #[must_use]
    pub fn at_most_of(mut self, times: f64, peer: &'static str) -> Self {
        self.to_peer = Some((peer, times));
        self
    }
}

/// Measures a group, and prints the ratios. The group's first candidate is the floor.
pub fn group(title: &str, mut candidates: Vec<Candidate<'_>>) {
    let mode = Mode::of_arguments();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    let mut group = criterion.benchmark_group(title);
    for candidate in &mut candidates {
        group.bench_function(candidate.name, |bencher| bencher.iter_custom(&mut candidate.run));
    }
    group.finish();
    criterion.final_summary();
    if mode != Mode::List {
        compare(title, &mut candidates, mode.rounds(ROUNDS));
    }
}

fn compare(title: &str, candidates: &mut [Candidate<'_>], rounds: usize) {
    let count = candidates.len();
    let mut times = vec![Vec::with_capacity(rounds); count];
    for round in 0..rounds {
        for turn in 0..count {
            let which = (round + turn) % count;
            let run = &mut candidates[which].run;
            run(TURNS / 20); // brings its cache lines and branches back
            times[which].push(run(TURNS).as_nanos() as f64 / TURNS as f64);
        }
    }
    let mut table = Table::new(
        format!("{title}, {rounds} rounds; medians, [95 % interval] of ratios within a round"),
        &["", "ns", "x first", "", "x peer", "", ""],
    );
    for (which, candidate) in candidates.iter().enumerate() {
        let to_first = Samples::ratios(&times[which], &times[0]);
        let judged = |figures: &Samples, most: f64| verdict(figures, Target::AtMost(most));
        let (peer_ratio, peer_verdict, peer) = match candidate.to_peer {
            None => Default::default(),
            Some((peer, most)) => {
                let peer_index = candidates.iter().position(|c| c.name == peer).expect("one of the candidates");
                let ratios = Samples::ratios(&times[which], &times[peer_index]);
                (with_interval(&ratios), judged(&ratios, most), peer)
            }
        };
        table.row([
            candidate.name.to_string(),
            format!("{:.1}", times[which].iter().copied().collect::<Samples>().median()),
            with_interval(&to_first),
            candidate.to_first.map_or_else(String::new, |most| judged(&to_first, most)),
            peer_ratio,
            peer_verdict,
            peer.to_string(),
        ]);
    }
    println!("{table}");
}
