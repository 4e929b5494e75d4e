//! Charts: bars for each case of a workload, in an SVG file.

use super::figures::{Case, Kind, Summary};
use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const PEER: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);
const THREADS: RGBColor = RGBColor(0xd0, 0xd0, 0xd0);
const FLOOR: RGBColor = RGBColor(0x2c, 0xa0, 0x2c);

const BAR: u32 = 22;
const HEAD: u32 = 80;

/// Draws the cases of one workload below each other, each with a bar for each contestant. A bar's
/// length is the median, on a logarithmic scale.
///
/// # Errors
/// The file cannot be written.
pub fn draw(cases: &[&Case], file: &Path) -> Result<(), Box<dyn Error>> {
    let all: Vec<(&Case, Vec<Summary>)> = cases
        .iter()
        .map(|case| (*case, case.summaries()))
        .map(|(case, rows)| (case, rows.into_iter().filter(|row| row.median > 0.0).collect()))
        .filter(|(_, rows): &(_, Vec<Summary>)| !rows.is_empty())
        .collect();
    let heights: Vec<u32> = all.iter().map(|(_, rows)| HEAD + BAR * rows.len() as u32).collect();
    let root = SVGBackend::new(file, (760, heights.iter().sum::<u32>().max(1))).into_drawing_area();
    root.fill(&WHITE)?;
    let (mut rest, mut parts) = (root.clone(), vec![]);
    for height in &heights {
        let (part, below) = rest.split_vertically(*height);
        parts.push(part);
        rest = below;
    }
    for ((case, rows), part) in all.iter().zip(&parts) {
        draw_one(case, rows, part)?;
    }
    root.present()?;
    Ok(())
}

fn draw_one(
    case: &Case,
    rows: &[Summary],
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), Box<dyn Error>> {
    let least = rows.iter().map(|row| row.median).fold(f64::INFINITY, f64::min);
    let most = rows.iter().map(|row| row.median).fold(0.0, f64::max);
    let from = 10_f64.powf((least / 2.0).log10().floor());
    let mut chart = ChartBuilder::on(area)
        .caption(&case.name, ("sans-serif", 15))
        .margin_right(70)
        .x_label_area_size(26)
        .y_label_area_size(230)
        .build_cartesian_2d((from..most * 1.3).log_scale(), (0..rows.len() - 1).into_segmented())?;
    let name_of = |place: &SegmentValue<usize>| match place {
        SegmentValue::CenterOf(index) => {
            rows.get(rows.len() - 1 - *index).map_or_else(String::new, |row| match row.kind {
                Kind::Floor => format!("floor: {}", row.name),
                Kind::Threads => format!("{} (threads only)", row.name),
                Kind::Ours | Kind::Peer => row.name.clone(),
            })
        }
        _ => String::new(),
    };
    let figure = |figure: &f64| case.unit.show(*figure);
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(rows.len())
        .y_label_formatter(&name_of)
        .x_labels(6)
        .x_label_formatter(&figure)
        .draw()?;
    for (index, row) in rows.iter().rev().enumerate() {
        let color = match row.kind {
            Kind::Ours => OURS,
            Kind::Peer => PEER,
            Kind::Threads => THREADS,
            Kind::Floor => FLOOR,
        };
        let corners = [(from, SegmentValue::Exact(index)), (row.median, SegmentValue::Exact(index + 1))];
        let mut bar = Rectangle::new(corners, color.filled());
        bar.set_margin(3, 3, 0, 0);
        chart.draw_series([bar])?;
        let label = Text::new(
            format!(" {}", case.unit.show(row.median)),
            (row.median, SegmentValue::CenterOf(index)),
            ("sans-serif", 12).into_font(),
        );
        chart.draw_series([label])?;
    }
    Ok(())
}
