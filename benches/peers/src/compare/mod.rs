//! How fast is each, beside the floor and beside the fastest other?
//!
//! | file       | question                                         |
//! |------------|--------------------------------------------------|
//! | `figures`  | What was measured, and how is it shown?          |
//! | `rounds`   | Who runs when?                                   |
//! | `machine`  | Where was it measured?                           |
//! | `peers`    | Who takes part?                                  |
//! | `player`   | How is a round played in another process?        |
//! | `together` | How do several processes begin and end together? |
//! | `charts`   | How does it look?                                |
//! | `report`   | How is a run kept?                               |
//! | `documents`| Which documents does a run write?                |
//! | `tables`   | Which tables have they?                          |
//! | `ahead`    | Where is a peer ahead?                           |
//! | `reasons`  | Why is it?                                       |
//! | `waits`    | How long did each wait take?                     |
//! | `pairs`    | What does an operation cost without contention?  |
//! | `contended`| How many turns at one lock, how fairly, and how long are the waits? |
//! | `readers`  | How many turns at a readers-writer lock?         |
//! | `pingpong` | How long does a turn to and fro take?            |
//! | `channels` | How many items a second, from how many to how many? |
//! | `latency`  | How long does an item take, to and fro?          |
//! | `segments` | What do segments and primitives cost?            |
//! | `crowd`    | How do many processes wait, round after round?   |
//! | `deaths`   | How long after a holder's death does the next one run? |
//! | `wakeups`  | What does it take to wake many at once?          |
//! | `idle`     | What do sleepers cost while nothing happens?     |
//! | `growth`   | How do costs grow with processes, segments, mutexes? |

pub mod ahead;
pub mod channels;
pub mod charts;
pub mod contended;
pub mod crowd;
pub mod deaths;
pub mod documents;
pub mod figures;
pub mod growth;
pub mod idle;
pub mod latency;
pub mod machine;
pub mod pairs;
pub mod peers;
pub mod pingpong;
pub mod player;
pub mod readers;
pub mod reasons;
pub mod report;
pub mod rounds;
pub mod segments;
pub mod tables;
pub mod together;
pub mod waits;
pub mod wakeups;

use figures::Case;
use serde::{Deserialize, Serialize};
use std::error::Error;

/// Why a contestant cannot be measured, or a program does not go on.
pub type Failure = Box<dyn Error>;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
            Self::Quick => whole.div_ceil(6),
            Self::Try => 1,
        }
    }
}

/// Measures a workload. The function that it gets is told which part of it has been done since.
pub type Measure = fn(Effort, &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>>;

/// All workloads, by the names that `--only` takes.
pub const WORKLOADS: [(&str, Measure); 11] = [
    ("pairs", pairs::measure),
    ("contended", contended::measure),
    ("readers", readers::measure),
    ("pingpong", pingpong::measure),
    ("channels", channels::measure),
    ("latency", latency::measure),
    ("segments", segments::measure),
    ("deaths", deaths::measure),
    ("wakeups", wakeups::measure),
    ("idle", idle::measure),
    ("growth", growth::measure),
];
