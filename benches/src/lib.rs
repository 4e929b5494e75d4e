//! The benchmarks answer the question: how fast is outlive, compared with the least that a lock can
//! cost and with the locks of glibc and the kernel?
//!
//! | benchmark      | question                                                                |
//! |----------------|-------------------------------------------------------------------------|
//! | `uncontended`  | What does an operation cost without contention?                         |
//! | `instructions` | How many instructions does it take? (The only benchmark with a limit.)  |
//! | `contended`    | How many turns a second do two or four processes get at one lock?       |
//! | `fairness`     | How small is the smallest share, and how long is the longest wait?      |
//! | `pingpong`     | How long does a turn take between two processes by condition variables? |
//! | `queues`       | How many items a second does a queue move? How long does an item take?  |
//! | `messages`     | How many messages a second does a queue of messages move?               |
//! | `pipes`        | How many messages a second does a pipe move? How long does a turn take? |
//! | `futures`      | How long does a turn take between two tasks that await queues?          |
//!
//! `benches/peers` measures outlive beside many peers, and with more and more processes, segments
//! and primitives.
//!
//! This library is what they share: the [peers] that outlive is compared with, the
//! [processes](process) in which they run, and the [figures](report) that are shown.
//!
//! # What counts
//!
//! Only ratios within one run count. Every benchmark interleaves its candidates, round by round in
//! a rotating order. It computes the ratio in each round, and shows the median of these ratios. So
//! other load of the machine falls on all candidates alike. No time is ever asserted: a benchmark
//! fails only if a lock does not do what locks do.
//!
//! `cargo bench -p outlive-benches` measures. Without `--bench` among the arguments
//! (`cargo test --benches`), every benchmark makes only a few rounds, to show that it still runs.

// clippy.toml forbids raw atomics and system calls in the crate. The peers consist of them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

pub mod compare;
pub mod contest;
pub mod peers;
pub mod process;
pub mod report;

/// How much a benchmark does. The arguments from cargo say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `cargo bench`: all rounds.
    Measure,
    /// `cargo test --benches`: a few rounds, whose figures mean nothing.
    Try,
    /// `--list`: nothing.
    List,
}

impl Mode {
    /// The mode that the arguments of this process say.
    #[must_use]
    pub fn of_arguments() -> Self {
        let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
        match (has("--list"), has("--bench")) {
            (true, _) => Self::List,
            (false, true) => Self::Measure,
            (false, false) => Self::Try,
        }
    }

    /// How many rounds to make, if meaningful figures need `full` rounds.
    #[must_use]
    pub fn rounds(self, full: usize) -> usize {
        match self {
            Self::Measure => full,
            Self::Try => full.min(2),
            Self::List => 0,
        }
    }
}
