//! What was measured: cases, and the figures of each contestant in them.

use comfy_table::{Cell, CellAlignment, Table, presets};
use outlive_benches::report::Samples;
use serde::{Deserialize, Deserializer, Serialize};

/// What a contestant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether more is better.
    #[must_use]
    pub fn is_more_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::Share)
    }

    /// A figure in this unit, for people.
    #[must_use]
    pub fn show(self, figure: f64) -> String {
        if figure == 0.0 {
            return "0".to_owned();
        }
        let scaled = |steps: &[(f64, &str)]| {
            let (scale, name) = steps.iter().rev().find(|(scale, _)| figure >= *scale).unwrap_or(&steps[0]);
            format!("{} {name}", three_digits(figure / scale))
        };
        match self {
            Self::Nanoseconds => scaled(&[(1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")]),
            Self::PerSecond => scaled(&[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s")]),
            Self::Share => format!("{figure:.2}"),
            Self::Bytes => scaled(&[(1.0, "B"), (1024.0, "KiB"), (1048576.0, "MiB"), (1073741824.0, "GiB")]),
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Who.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// One for each round. All contestants of the case ran in each round.
    #[serde(deserialize_with = "figures")]
    pub rounds: Vec<f64>,
}

impl Row {
    /// The median of the rounds.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.rounds.iter().copied().collect::<Samples>().median()
    }

    /// Rounds the figures to four digits, so that a run that is kept is no larger than it must be.
    pub fn round(&mut self) {
        self.rounds.iter_mut().for_each(|figure| *figure = with_four_digits(*figure));
    }
}

fn with_four_digits(figure: f64) -> f64 {
    // What such a format has written can be read.
    format!("{figure:.3e}").parse().unwrap_or(f64::NAN)
}

/// JSON has no NaN: it is written as null.
fn figures<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let figures = Vec::<Option<f64>>::deserialize(from)?;
    Ok(figures.into_iter().map(|figure| figure.unwrap_or(f64::NAN)).collect())
}

/// Where a case lies on a curve: the cases of one curve measure the same, with more and more of
/// something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// What the curve measures.
    pub curve: String,
    /// Of what there are more and more, in the plural.
    pub of: String,
    /// How many of these.
    pub count: u64,
}

impl At {
    /// How many of what, in words.
    #[must_use]
    pub fn counted(&self) -> String {
        let plural = self.of.as_str();
        let one = plural.strip_suffix("es").filter(|stem| stem.ends_with(['s', 'x']));
        let of = match self.count {
            1 => one.or_else(|| plural.strip_suffix('s')).unwrap_or(plural),
            _ => plural,
        };
        format!("{} {of}", with_commas(self.count))
    }
}

/// A number for people: `1,000,000`.
#[must_use]
pub fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let parts = digits.as_bytes().rchunks(3).rev().map(|part| part.iter().map(|digit| char::from(*digit)).collect());
    parts.collect::<Vec<String>>().join(",")
}

/// Contestants that did the same, in the same rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What is measured, as `--only` names it.
    pub workload: String,
    /// Which case of it.
    pub name: String,
    /// Where it lies on a curve, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
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

impl Summary {
    /// The contestant's name, which says what it is.
    #[must_use]
    pub fn title(&self) -> String {
        match self.kind {
            Kind::Threads => format!("{} (threads only)", self.name),
            Kind::Floor => format!("floor: {}", self.name),
            Kind::Ours | Kind::Peer => self.name.clone(),
        }
    }

    /// The same with four digits of each figure.
    #[must_use]
    pub fn rounded(self) -> Self {
        let Self { name, kind, median, interval: (least, most), to_floor, to_best_peer } = self;
        Self {
            name,
            kind,
            median: with_four_digits(median),
            interval: (with_four_digits(least), with_four_digits(most)),
            to_floor: to_floor.map(with_four_digits),
            to_best_peer: to_best_peer.map(with_four_digits),
        }
    }

    /// How far the ends of the interval are from the median, at most, in percent of it.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let (least, most) = self.interval;
        let distance = (self.median - least).max(most - self.median);
        if distance > 0.0 { 100.0 * distance / self.median } else { 0.0 }
    }

    /// A row of a table: name, median, interval, x floor, x best peer.
    #[must_use]
    pub fn cells(&self, unit: Unit) -> [String; 5] {
        let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        [
            self.title(),
            unit.show(self.median),
            format!("{} to {}", unit.show(self.interval.0), unit.show(self.interval.1)),
            ratio(self.to_floor),
            ratio(self.to_best_peer),
        ]
    }
}

impl Case {
    /// A case without contestants.
    #[must_use]
    pub fn new(workload: &str, name: impl Into<String>, unit: Unit) -> Self {
        Self { workload: workload.to_owned(), name: name.into(), at: None, unit, rows: vec![], missing: vec![] }
    }

    /// A case of a curve: what the curve measures, with `count` of these. It has no contestants.
    #[must_use]
    pub fn on_curve(workload: &str, curve: impl Into<String>, unit: Unit, count: usize, of: &str) -> Self {
        let at = At { curve: curve.into(), of: of.to_owned(), count: count as u64 };
        let name = format!("{}, {}", at.curve, at.counted());
        Self { at: Some(at), ..Self::new(workload, name, unit) }
    }

    /// The median of a contestant.
    #[must_use]
    pub fn median_of(&self, contestant: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.name == contestant)?;
        Some(row.median())
    }

    /// The best of those for which `is_meant` is true.
    pub fn best(&self, is_meant: impl Fn(&Row) -> bool) -> Option<&Row> {
        let better = |a: &&Row, b: &&Row| {
            let order = a.median().total_cmp(&b.median());
            if self.unit.is_more_better() { order } else { order.reverse() }
        };
        self.rows.iter().filter(|row| is_meant(row)).max_by(better)
    }

    /// How many times as good as this row the other one was, round by round.
    #[must_use]
    pub fn times(&self, row: &Row, other: &Row) -> Samples {
        if self.unit.is_more_better() {
            Samples::ratios(&other.rounds, &row.rounds)
        } else {
            Samples::ratios(&row.rounds, &other.rounds)
        }
    }

    /// All contestants in short, in their order.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let floor = self.rows.iter().find(|row| row.kind == Kind::Floor);
        let best = |not: &str| self.best(|row| row.kind == Kind::Peer && row.name != not);
        let times = |row: &Row, other: &Row| self.times(row, other).median();
        self.rows
            .iter()
            .map(|row| Summary {
                name: row.name.clone(),
                kind: row.kind,
                median: row.median(),
                interval: row.rounds.iter().copied().collect::<Samples>().median_interval(),
                // Where the other took no time at all, there is no ratio.
                to_floor: floor.map(|floor| times(row, floor)).filter(|ratio| ratio.is_finite()),
                to_best_peer: best(&row.name)
                    .filter(|_| row.kind != Kind::Floor && self.unit != Unit::Bytes)
                    .map(|best| times(row, best))
                    .filter(|ratio| ratio.is_finite()),
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
            let right = |text: &String| Cell::new(text).set_alignment(CellAlignment::Right);
            let [name, figures @ ..] = row.cells(self.unit);
            table.add_row([Cell::new(name)].into_iter().chain(figures.iter().map(right)));
        }
        for (name, why) in &self.missing {
            table.add_row([name.as_str(), "missing", why, "", ""]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_on_a_curve_says_how_many_there_are() {
        let name = |count, of| Case::on_curve("growth", "to join", Unit::Nanoseconds, count, of).name;
        assert_eq!(name(1, "processes"), "to join, 1 process");
        assert_eq!(name(1, "waiters"), "to join, 1 waiter");
        assert_eq!(name(1_000_000, "mutexes"), "to join, 1,000,000 mutexes");
        assert_eq!(name(1, "mutexes"), "to join, 1 mutex");
    }

    #[test]
    fn figures_are_rounded_to_four_digits_once() {
        let mut row = Row { name: "ours".into(), kind: Kind::Ours, rounds: vec![1.23456, 123_456.0, 0.0, f64::NAN] };
        for _ in 0..2 {
            row.round();
            assert!(row.rounds[..3] == [1.235, 123_500.0, 0.0] && row.rounds[3].is_nan());
        }
    }

    #[test]
    fn the_spread_is_that_of_the_end_further_away() {
        let summary = |median, interval| Summary {
            name: "ours".into(),
            kind: Kind::Ours,
            median,
            interval,
            to_floor: None,
            to_best_peer: None,
        };
        assert_eq!(summary(10.0, (8.0, 11.0)).spread(), 20.0);
        assert_eq!(summary(10.0, (9.5, 11.0)).spread(), 10.0);
        assert_eq!(summary(0.0, (0.0, 0.0)).spread(), 0.0);
    }

    #[test]
    fn nothing_is_compared_with_nothing() {
        let mut case = Case::new("idle", "sleepers", Unit::Nanoseconds);
        for (name, kind, figure) in [("bare", Kind::Floor, 0.0), ("ours", Kind::Ours, 5.0), ("theirs", Kind::Peer, 0.0)]
        {
            case.rows.push(Row { name: name.into(), kind, rounds: vec![figure; 3] });
        }
        let ours = case.summaries().remove(1);
        assert_eq!((ours.median, ours.to_floor, ours.to_best_peer), (5.0, None, None));
    }
}
