//! Variants, and how they are compared: each round has all of them, in a rotating order.

use super::Failure;
use outlive_benches::report::{Samples, Table, with_interval};

/// A variant: its name, and a function that gives the figures of one round.
pub(crate) type Variant<'v> = (&'v str, Box<dyn FnMut() -> Result<Vec<f64>, Failure> + 'v>);

/// How a column is shown.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    /// How many times the figure of the first variant, with its 95 % interval.
    Times(&'static str),
    /// The median of the figures.
    Plain(&'static str),
}

/// Runs so many rounds, after one that does not count. Returns a table with a row for each variant.
pub(crate) fn compare(
    title: &str,
    columns: &[Column],
    mut variants: Vec<Variant<'_>>,
    rounds: usize,
) -> Result<String, Failure> {
    let count = variants.len();
    let mut figures = vec![vec![vec![]; columns.len()]; count];
    for round in 0..=rounds {
        for turn in 0..count {
            let which = (round + turn) % count;
            let (name, run) = &mut variants[which];
            let of_round = run().map_err(|error| format!("{title}, {name}: {error}"))?;
            if round > 0 {
                figures[which].iter_mut().zip(of_round).for_each(|(all, figure)| all.push(figure));
            }
        }
    }
    let heading = |column: &Column| match column {
        Column::Times(name) | Column::Plain(name) => *name,
    };
    let headings: Vec<&str> = [""].into_iter().chain(columns.iter().map(heading)).collect();
    let mut table = Table::new(title, &headings);
    for ((name, _), own) in variants.iter().zip(&figures) {
        let cells = columns.iter().enumerate().map(|(index, column)| match column {
            Column::Times(_) => with_interval(&Samples::ratios(&own[index], &figures[0][index])),
            Column::Plain(_) => format!("{:.4}", own[index].iter().copied().collect::<Samples>().median()),
        });
        table.row([(*name).to_owned()].into_iter().chain(cells));
    }
    Ok(table.to_string())
}
