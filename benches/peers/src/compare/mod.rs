//! How fast is each, beside the floor and beside the fastest other?
//!
//! | file       | question                                         |
//! |------------|--------------------------------------------------|
//! | `figures`  | What was measured, and how is it shown?          |
//! | `rounds`   | Who runs when?                                   |
//! | `machine`  | Where was it measured?                           |
//! | `charts`   | How does it look?                                |
//! | `waits`    | How long did each wait take?                     |
//! | `pairs`    | What does an operation cost without contention?  |
//! | `contended`| How many turns at one lock, how fairly, and how long are the waits? |
//! | `pingpong` | How long does a turn to and fro take?            |
//! | `channels` | How many items a second, and how many bytes?     |
//! | `segments` | What do segments and primitives cost?            |

pub mod channels;
pub mod charts;
pub mod contended;
pub mod figures;
pub mod machine;
pub mod pairs;
pub mod pingpong;
pub mod rounds;
pub mod segments;
pub mod waits;

use figures::Case;
use std::error::Error;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// In all, less than ten minutes.
    Whole,
    /// In all, about one minute.
    Quick,
    /// So little that the figures mean nothing: to show that it runs.
    Try,
}

impl Effort {
    /// `whole` for the whole effort, and less for less.
    #[must_use]
    pub fn of(self, whole: usize) -> usize {
        match self {
            Self::Whole => whole,
            Self::Quick => whole.div_ceil(8),
            Self::Try => 1,
        }
    }
}

/// Measures a workload. The function that it gets is told which part of it has been done since.
pub type Measure = fn(Effort, &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>>;

/// All workloads, by the names that `--only` takes.
pub const WORKLOADS: [(&str, Measure); 5] = [
    ("pairs", pairs::measure),
    ("contended", contended::measure),
    ("pingpong", pingpong::measure),
    ("channels", channels::measure),
    ("segments", segments::measure),
];
