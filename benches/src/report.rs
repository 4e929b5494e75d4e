//! Figures, and the tables that show them.

use std::fmt::Write;

/// Figures of one kind, one for each round.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    sorted: Vec<f64>,
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(samples: I) -> Self {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }
}

impl Samples {
    /// The ratios of `these` to `those`, round by round.
    #[must_use]
    pub fn ratios(these: &[f64], those: &[f64]) -> Self {
        these.iter().zip(those).map(|(this, that)| this / that).collect()
    }

    /// The sample below which this part of all samples lies. NaN if there are no samples.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let index = (last as f64 * part.clamp(0.0, 1.0)).round() as usize;
        self.sorted.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The least.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The interval in which the median of very many rounds would lie, with a confidence of 95 %
    /// (by order statistics). With few samples it is from the least to the greatest.
    #[must_use]
    pub fn median_interval(&self) -> (f64, f64) {
        let half = 0.98 / (self.sorted.len() as f64).sqrt();
        (self.quantile(0.5 - half), self.quantile(0.5 + half))
    }
}

/// The median and its interval, as `1.23 [1.20, 1.30]`.
#[must_use]
pub fn with_interval(samples: &Samples) -> String {
    let (low, high) = samples.median_interval();
    format!("{:.2} [{low:.2}, {high:.2}]", samples.median())
}

/// Whether the median meets the target, in words. Nothing depends on the answer. `~` if the
/// interval reaches to both sides of the target.
#[must_use]
pub fn verdict(samples: &Samples, target: Target) -> String {
    let (median, (low, high)) = (samples.median(), samples.median_interval());
    let (met, sign, bound) = match target {
        Target::AtMost(bound) => (median <= bound, "<=", bound),
        Target::AtLeast(bound) => (median >= bound, ">=", bound),
    };
    let doubt = if low < bound && bound < high { "~" } else { "" };
    format!("{sign} {bound:.2}: {doubt}{}", if met { "met" } else { "missed" })
}

/// A target for a median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// A table of text. Its columns are as wide as their contents.
#[derive(Debug)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new(title: impl Into<String>, headings: &[&str]) -> Self {
        let headings = headings.iter().map(ToString::to_string).collect();
        Self { title: title.into(), rows: vec![headings] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0))
            .collect();
        writeln!(f, "\n{}\n", self.title)?;
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, width) in widths.iter().enumerate() {
                // The first column is a name, the others are figures.
                match column {
                    0 => write!(line, "{:<width$}", cell(row, column))?,
                    _ => write!(line, "   {:>width$}", cell(row, column))?,
                }
            }
            writeln!(f, "{}", line.trim_end())?;
            if number == 0 {
                writeln!(f, "{}", "-".repeat(widths.iter().sum::<usize>() + 3 * (columns.max(1) - 1)))?;
            }
        }
        Ok(())
    }
}
