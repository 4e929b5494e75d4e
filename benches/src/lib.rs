//! What the benchmarks of outlive have in common: the [peers] that it is measured against, the
//! [processes](process) that they are measured in, and the [figures](report) that are shown.
//!
//! # What counts
//!
//! Only ratios within one run. Every benchmark interleaves its candidates, round by round in a
//! rotating order, takes the ratio in each round, and shows the median of the ratios: what else the
//! machine was doing falls on all of them. No time is ever asserted; a benchmark fails only where a
//! lock does not do what locks do.
//!
//! `cargo bench -p outlive-benches` measures. Without `--bench` among the arguments
//! (`cargo test --benches`), every benchmark makes a few rounds only, to show that it still runs.

// The peers are system calls and words outside of any algorithm: what clippy.toml forbids in the
// crate, is measured here.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod compare;
pub mod contest;
pub mod peers;
pub mod process;
pub mod report;

/// How much is to be done, by the arguments that cargo gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `cargo bench`: everything.
    Measure,
    /// `cargo test --benches`: a few rounds, whose figures mean nothing.
    Try,
    /// `--list`: nothing.
    List,
}

impl Mode {
    /// As the arguments of this process say.
    #[must_use]
    pub fn of_arguments() -> Self {
        let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
        match (has("--list"), has("--bench")) {
            (true, _) => Self::List,
            (false, true) => Self::Measure,
            (false, false) => Self::Try,
        }
    }

    /// How many rounds, where `full` are wanted for figures that mean something.
    #[must_use]
    pub fn rounds(self, full: usize) -> usize {
        match self {
            Self::Measure => full,
            Self::Try => full.min(2),
            Self::List => 0,
        }
    }
}
