//! What was measured: cases, and the figures of each contestant in them.

use comfy_table::{Cell, CellAlignment, Table, presets};
use outlive_benches::report::Samples;
use serde::Serialize;

/// What a contestant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The least that it can cost on this machine: no lock, no queue, no answer to deaths.
    Floor,
    /// outlive.
    Ours,
    /// Works between processes.
    Peer,
    /// Works only among the threads of one process. It shows what it costs to leave the process.
    Threads,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Less is better.
    Nanoseconds,
    /// More is better.
    PerSecond,
    /// Of an equal share, in the process that got least. More is better.
    Share,
    /// Less is better.
    Bytes,
}

impl Unit {
    fn is_more_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::Share)
    }

    /// A figure in this unit, for people.
    #[must_use]
    pub fn show(self, figure: f64) -> String {
        let scaled = |steps: &[(f64, &str)]| {
            let (scale, name) = steps.iter().rev().find(|(scale, _)| figure >= *scale).unwrap_or(&steps[0]);
            format!("{} {name}", three_digits(figure / scale))
        };
        match self {
            Self::Nanoseconds => scaled(&[(1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")]),
            Self::PerSecond => scaled(&[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s")]),
            Self::Share => format!("{figure:.2}"),
            Self::Bytes => scaled(&[(1.0, "B"), (1024.0, "KiB"), (1048576.0, "MiB")]),
        }
    }
}

fn three_digits(figure: f64) -> String {
    match figure {
        _ if figure >= 99.95 => format!("{figure:.0}"),
        _ if figure >= 9.995 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// The figures of one contestant in one case: one for each round.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Who.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// One for each round. All contestants of the case ran in each round.
    pub rounds: Vec<f64>,
}

/// Contestants that did the same, in the same rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Case {
    /// What is measured, as `--only` names it.
    pub workload: String,
    /// Which case of it.
    pub name: String,
    /// What the figures count.
    pub unit: Unit,
    /// The contestants.
    pub rows: Vec<Row>,
    /// Contestants that could not be measured here, and why.
    pub missing: Vec<(String, String)>,
}

/// How a contestant did, in short.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Who.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The median of the rounds.
    pub median: f64,
    /// Where the median of very many rounds would lie, with a confidence of 95 %.
    pub interval: (f64, f64),
    /// How many times as good the floor was, as the median of the rounds. 1 is as good as the
    /// floor.
    pub to_floor: Option<f64>,
    /// How many times as good the best other contestant between processes was. Below 1, this one
    /// was better. Bytes are of different things, and are not compared.
    pub to_best_peer: Option<f64>,
}

impl Case {
    /// A case without contestants.
    #[must_use]
    pub fn new(workload: &str, name: impl Into<String>, unit: Unit) -> Self {
        Self { workload: workload.to_owned(), name: name.into(), unit, rows: vec![], missing: vec![] }
    }

    /// All contestants in short, in their order.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let median = |row: &Row| row.rounds.iter().copied().collect::<Samples>().median();
        let floor = self.rows.iter().find(|row| row.kind == Kind::Floor);
        let best = |not: &str| {
            let others = self.rows.iter().filter(|row| row.kind == Kind::Peer && row.name != not);
            let better = |a: &&Row, b: &&Row| {
                let order = median(a).total_cmp(&median(b));
                if self.unit.is_more_better() { order } else { order.reverse() }
            };
            others.max_by(better)
        };
        let times = |row: &Row, other: &Row| {
            let ratios = if self.unit.is_more_better() {
                Samples::ratios(&other.rounds, &row.rounds)
            } else {
                Samples::ratios(&row.rounds, &other.rounds)
            };
            ratios.median()
        };
        self.rows
            .iter()
            .map(|row| Summary {
                name: row.name.clone(),
                kind: row.kind,
                median: median(row),
                interval: row.rounds.iter().copied().collect::<Samples>().median_interval(),
                to_floor: floor.map(|floor| times(row, floor)),
                to_best_peer: best(&row.name)
                    .filter(|_| row.kind != Kind::Floor && self.unit != Unit::Bytes)
                    .map(|best| times(row, best)),
            })
            .collect()
    }

    /// The table that is printed.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header([self.name.as_str(), "median", "95 % interval", "x floor", "x best peer"]);
        for row in self.summaries() {
            let name = match row.kind {
                Kind::Threads => format!("{} (threads only)", row.name),
                Kind::Floor => format!("floor: {}", row.name),
                Kind::Ours | Kind::Peer => row.name,
            };
            let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            table.add_row([
                Cell::new(name),
                right(self.unit.show(row.median)),
                right(format!("{} to {}", self.unit.show(row.interval.0), self.unit.show(row.interval.1))),
                right(ratio(row.to_floor)),
                right(ratio(row.to_best_peer)),
            ]);
        }
        for (name, why) in &self.missing {
            table.add_row([name.as_str(), "missing", why, "", ""]);
        }
        table
    }
}
