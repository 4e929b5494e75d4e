//! Experiments that show why a peer is ahead of outlive, where one is. The reasons in SPEED.md have
//! their figures.
//!
//! `cargo run --release --bin floors` runs all of them in about a minute, and `-- NAME` one.
//! `--list` prints their names. Most of them are bare system calls, with and without what outlive
//! adds to them. Only ratios within one run count.
//!
//! | file        | question                                                     |
//! |-------------|--------------------------------------------------------------|
//! | `rounds`    | How are variants compared?                                   |
//! | `sleeps`    | What do an end, looks and more words add to a sleep?         |
//! | `crowds`    | What do more words add to the wake of many sleepers?         |
//! | `opening`   | What do checks add to the opening of shared memory?          |
//! | `locks`     | How often does a contended lock change its holder?           |
//! | `channels`  | What do polling and buffers do for channels?                 |

// clippy.toml forbids raw atomics and system calls in the crate outlive. Floors consist of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

mod channels;
mod crowds;
mod locks;
mod opening;
mod rounds;
mod sleeps;

use clap::Parser;
use outlive_benches::process::use_all_processors;
use std::error::Error;

/// Why an experiment cannot be made.
type Failure = Box<dyn Error>;

/// An experiment: it makes so many rounds, and returns its table.
type Experiment = fn(usize) -> Result<String, Failure>;

const EXPERIMENTS: [(&str, usize, Experiment); 13] = [
    ("sleeps", 60, sleeps::measure),
    ("crowds", 10, crowds::measure),
    ("opening", 1000, opening::measure),
    ("turns", 8, locks::of_0_nanoseconds),
    ("turns-of-100ns", 8, locks::of_100_nanoseconds),
    ("turns-of-100ns-by-8", 8, locks::of_100_nanoseconds_by_8),
    ("turns-of-1us", 8, locks::of_1_microsecond),
    ("turns-of-1us-by-32", 6, locks::of_1_microsecond_by_32),
    ("turns-of-10us", 6, locks::of_10_microseconds),
    ("turns-of-10us-by-4", 8, locks::of_10_microseconds_by_4),
    ("items", 16, channels::items),
    ("buffers", 12, channels::buffers),
    ("slots", 12, channels::slots),
];

/// Experiments that show why a peer is ahead of outlive, where one is.
#[derive(Parser)]
struct Arguments {
    /// Only these experiments.
    #[arg(value_name = "EXPERIMENT", value_parser = EXPERIMENTS.map(|(name, ..)| name))]
    only: Vec<String>,
    /// So many rounds of each.
    #[arg(long, value_name = "COUNT")]
    rounds: Option<usize>,
    /// Prints the experiments.
    #[arg(long)]
    list: bool,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let is_wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    for (name, rounds, run) in EXPERIMENTS.into_iter().filter(|(name, ..)| is_wanted(name)) {
        if arguments.list {
            println!("{name}");
            continue;
        }
        use_all_processors(); // children inherit where the experiment before has stayed
        println!("{}", run(arguments.rounds.unwrap_or(rounds).max(1))?);
    }
    Ok(())
}
