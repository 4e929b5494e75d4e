//! Charts, as SVG files: bars for cases, lines for curves, and a summary.

use super::figures::{Case, Kind, Summary, Unit, with_commas};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const PEER: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);
const THREADS: RGBColor = RGBColor(0xd0, 0xd0, 0xd0);
const THREAD_LINES: [RGBColor; 3] =
    [RGBColor(0xd0, 0xd0, 0xd0), RGBColor(0xa8, 0xa8, 0xa8), RGBColor(0xd8, 0xc8, 0xb0)];
const FLOOR: RGBColor = RGBColor(0x2c, 0xa0, 0x2c);
/// Lines of one kind need several colours.
const OUR_LINES: [RGBColor; 6] = [
    OURS,
    RGBColor(0x00, 0xa6, 0xd6),
    RGBColor(0x0b, 0x3d, 0x91),
    RGBColor(0x6a, 0x5a, 0xcd),
    RGBColor(0x20, 0x8a, 0x8a),
    RGBColor(0x8f, 0xb4, 0xe8),
];
const PEER_LINES: [RGBColor; 8] = [
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0xe3, 0x77, 0xc2),
    RGBColor(0xbc, 0xbd, 0x22),
    RGBColor(0x5f, 0x5f, 0x5f),
    RGBColor(0xf7, 0xb6, 0x00),
    RGBColor(0xa0, 0x60, 0xd0),
];

const WIDTH: u32 = 760;
const BAR: u32 = 22;
const HEAD: u32 = 80;
const CURVE: u32 = 290;
/// The legend of a curve is to the right of it.
const PLOT: u32 = 500;
const LEGEND_LINE: u32 = 17;

/// One picture of a chart.
#[derive(Debug)]
pub enum Panel<'a> {
    /// A case: a bar for each contestant, as long as its median, on a logarithmic scale.
    Bars(&'a Case, Vec<Summary>),
    /// A curve: a line for each contestant.
    Lines {
        /// What the curve measures.
        title: String,
        /// Along x.
        of: String,
        /// In what the figures are. Nothing: they are ratios.
        unit: Option<Unit>,
        /// The contestants.
        lines: Vec<Line>,
    },
}

/// A contestant of a curve.
#[derive(Debug, Clone)]
pub struct Line {
    name: String,
    kind: Kind,
    points: Vec<(f64, f64)>,
}

impl<'a> Panel<'a> {
    /// The panels of these cases. Those of one curve share a panel. What has no figure above 0 has
    /// none: a logarithmic scale can't show it.
    #[must_use]
    pub fn of(cases: &[&'a Case]) -> Vec<Self> {
        let mut panels = vec![];
        let mut curves: Vec<&str> = vec![];
        for case in cases {
            let with_same = |curve: &str| {
                let is_same = |other: &&&'a Case| other.at.as_ref().is_some_and(|at| at.curve == curve);
                cases.iter().filter(is_same).copied().collect::<Vec<_>>()
            };
            match &case.at {
                Some(at) if curves.contains(&at.curve.as_str()) => {}
                Some(at) if with_same(&at.curve).len() > 1 => {
                    curves.push(&at.curve);
                    let lines = with_best_peers(lines(&with_same(&at.curve)), case.unit);
                    if !lines.is_empty() {
                        let (title, of) = (at.curve.clone(), at.of.clone());
                        panels.push(Self::Lines { title, of, unit: Some(case.unit), lines });
                    }
                }
                _ => {
                    let rows: Vec<_> = case.summaries().into_iter().filter(|row| row.median > 0.0).collect();
                    if !rows.is_empty() {
                        panels.push(Self::Bars(case, rows));
                    }
                }
            }
        }
        panels
    }

    /// A panel that shows how the first of our contestants grows on each of these curves: how many
    /// times what it was with the fewest.
    #[must_use]
    pub fn growth(title: &str, of: &str, cases: &[&'a Case]) -> Self {
        let mut grown: Vec<Line> = vec![];
        let mut curves: Vec<&str> = cases.iter().filter_map(|case| Some(case.at.as_ref()?.curve.as_str())).collect();
        curves.dedup();
        for curve in curves {
            let on_it: Vec<&Case> =
                cases.iter().filter(|case| case.at.as_ref().is_some_and(|at| at.curve == curve)).copied().collect();
            let Some(ours) = lines(&on_it).into_iter().find(|line| line.kind == Kind::Ours) else { continue };
            let first = ours.points[0].1;
            let points = ours.points.iter().map(|(x, y)| (*x, y / first)).collect();
            if !grown.iter().any(|line| line.name == curve) {
                grown.push(Line { name: curve.to_owned(), kind: Kind::Ours, points });
            }
        }
        Self::Lines { title: title.to_owned(), of: of.to_owned(), unit: None, lines: grown }
    }

    fn height(&self) -> u32 {
        match self {
            Self::Bars(_, rows) => HEAD + BAR * rows.len() as u32,
            Self::Lines { lines, .. } => CURVE.max(60 + LEGEND_LINE * lines.len() as u32),
        }
    }

    /// About how many bytes it takes in a file.
    fn weight(&self) -> usize {
        match self {
            Self::Bars(_, rows) => 4_000 + 500 * rows.len(),
            Self::Lines { lines, .. } => 5_000 + lines.iter().map(|line| 400 + 160 * line.points.len()).sum::<usize>(),
        }
    }

    fn draw(&self, area: &Area<'_>) -> Drawn {
        match self {
            Self::Bars(case, rows) => draw_bars(case, rows, area),
            Self::Lines { title, of, unit, lines } => draw_lines(title, of, *unit, lines, area),
        }
    }
}

/// The contestants of a curve, each with its medians. Figures that are not above 0 have no place on
/// a logarithmic scale.
fn lines(cases: &[&Case]) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![];
    for case in cases {
        let Some(at) = &case.at else { continue };
        for row in case.summaries().into_iter().filter(|row| row.median > 0.0) {
            let point = (at.count.max(1) as f64, row.median);
            match lines.iter_mut().find(|line| line.name == row.name && line.kind == row.kind) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name: row.name, kind: row.kind, points: vec![point] }),
            }
        }
    }
    lines
}

/// Leaves out peers that several others beat at the end of their lines. The table has all.
fn with_best_peers(mut lines: Vec<Line>, unit: Unit) -> Vec<Line> {
    let end = |line: &Line| line.points.last().map_or(f64::NAN, |(_, figure)| *figure);
    let mut peers: Vec<(f64, String)> =
        lines.iter().filter(|line| line.kind == Kind::Peer).map(|line| (end(line), line.name.clone())).collect();
    peers.sort_by(
        |one, other| if unit.is_more_better() { other.0.total_cmp(&one.0) } else { one.0.total_cmp(&other.0) },
    );
    let left_out = peers.split_off(peers.len().min(PEER_LINES.len()));
    lines.retain(|line| line.kind != Kind::Peer || !left_out.iter().any(|(_, name)| *name == line.name));
    lines
}

/// Divides panels among files, so that no file is large.
#[must_use]
pub fn in_files<'p, 'a>(panels: &'p [Panel<'a>]) -> Vec<&'p [Panel<'a>]> {
    const MOST: usize = 52_000;
    let mut files = vec![];
    let (mut from, mut weight) = (0, 0);
    for (index, panel) in panels.iter().enumerate() {
        if weight + panel.weight() > MOST && index > from {
            files.push(&panels[from..index]);
            (from, weight) = (index, 0);
        }
        weight += panel.weight();
    }
    if from < panels.len() {
        files.push(&panels[from..]);
    }
    files
}

/// Draws panels below each other.
///
/// # Errors
/// The file cannot be written.
pub fn draw(panels: &[Panel<'_>], file: &Path) -> Drawn {
    let height = panels.iter().map(Panel::height).sum::<u32>().max(1);
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut rest = root.clone();
    for panel in panels {
        let (part, below) = rest.split_vertically(panel.height());
        panel.draw(&part)?;
        rest = below;
    }
    root.present()?;
    Ok(())
}

fn color(kind: Kind) -> RGBColor {
    match kind {
        Kind::Ours => OURS,
        Kind::Peer => PEER,
        Kind::Threads => THREADS,
        Kind::Floor => FLOOR,
    }
}

/// From below the least to above the most.
fn range(figures: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let least = figures.clone().fold(f64::INFINITY, f64::min);
    let most = figures.fold(0.0, f64::max);
    10_f64.powf((least / 2.0).log10().floor())..most * 1.3
}

fn draw_bars(case: &Case, rows: &[Summary], area: &Area<'_>) -> Drawn {
    let range = range(rows.iter().map(|row| row.median));
    let from = range.start;
    let mut chart = ChartBuilder::on(area)
        .caption(&case.name, ("sans-serif", 15))
        .margin_top(6)
        .margin_right(70)
        .x_label_area_size(26)
        .y_label_area_size(230)
        .build_cartesian_2d(range.log_scale(), (0..rows.len() - 1).into_segmented())?;
    let name_of = |place: &SegmentValue<usize>| match place {
        SegmentValue::CenterOf(index) => rows.get(rows.len() - 1 - *index).map_or_else(String::new, Summary::title),
        _ => String::new(),
    };
    let figure = |figure: &f64| case.unit.show(*figure);
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .y_labels(rows.len())
        .y_label_formatter(&name_of)
        .x_labels(6)
        .x_label_formatter(&figure)
        .draw()?;
    for (index, row) in rows.iter().rev().enumerate() {
        let corners = [(from, SegmentValue::Exact(index)), (row.median, SegmentValue::Exact(index + 1))];
        let mut bar = Rectangle::new(corners, color(row.kind).filled());
        bar.set_margin(3, 3, 0, 0);
        chart.draw_series([bar])?;
        let label = Text::new(
            case.unit.show(row.median),
            (5, 0),
            ("sans-serif", 12).into_font().into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center)),
        );
        chart.draw_series([EmptyElement::at((row.median, SegmentValue::CenterOf(index))) + label])?;
    }
    Ok(())
}

/// A colour for each line: of its kind, if there are several kinds.
fn line_colors(lines: &[Line]) -> Vec<RGBColor> {
    let all = [OUR_LINES.as_slice(), PEER_LINES.as_slice()].concat();
    let is_of_one_kind = lines.iter().all(|line| line.kind == lines[0].kind);
    let (mut ours, mut peers) = (OUR_LINES.iter().cycle(), PEER_LINES.iter().cycle());
    let mut threads = THREAD_LINES.iter().cycle();
    let color = |(index, line): (usize, &Line)| match line.kind {
        _ if is_of_one_kind => all[index % all.len()],
        Kind::Ours => *ours.next().expect("a cycle"),
        Kind::Peer => *peers.next().expect("a cycle"),
        Kind::Floor => FLOOR,
        Kind::Threads => *threads.next().expect("a cycle"),
    };
    lines.iter().enumerate().map(color).collect()
}

fn draw_lines(title: &str, of: &str, unit: Option<Unit>, lines: &[Line], area: &Area<'_>) -> Drawn {
    let (plot, legend) = area.split_horizontally(PLOT);
    area.draw(&Text::new(title.to_owned(), (12, 8), ("sans-serif", 15)))?;
    if lines.is_empty() {
        return Ok(());
    }
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    let (lowest, highest) = points().fold((f64::INFINITY, 0.0), |(low, high), (_, y)| (y.min(low), y.max(high)));
    let ys = lowest * 0.7..highest * 1.4;
    let (least, most) = points().fold((f64::INFINITY, 1.0), |(least, most), (x, _)| (x.min(least), x.max(most)));
    let show = |figure: &f64| match unit {
        Some(unit) => unit.show(*figure),
        None if *figure < 1.0 => format!("{figure}"),
        None => with_commas(*figure as u64),
    };
    let mut chart = ChartBuilder::on(&plot)
        .margin_top(34)
        .margin_right(14)
        .margin_bottom((area.dim_in_pixel().1 - CURVE) as i32)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d((least..most.max(least * 2.0)).log_scale(), ys.log_scale())?;
    let no_label = |_: &f64| String::new(); // those that follow are at the counts
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(0)
        .x_label_formatter(&no_label)
        .y_labels(6)
        .y_label_formatter(&show)
        .draw()?;
    let below = || ("sans-serif", 12).into_font().into_text_style(area).pos(Pos::new(HPos::Center, VPos::Top));
    let mut counts: Vec<f64> = points().map(|(x, _)| x).collect();
    counts.sort_by(f64::total_cmp);
    counts.dedup();
    for count in counts {
        let label = Text::new(with_commas(count as u64), (0, 6), below());
        chart.draw_series([EmptyElement::at((count, lowest * 0.7)) + label])?;
    }
    area.draw(&Text::new(of.to_owned(), (PLOT as i32 / 2 + 40, CURVE as i32 - 20), below()))?;
    for (row, (line, color)) in lines.iter().zip(line_colors(lines)).enumerate() {
        let width = if line.kind == Kind::Ours { 3 } else { 1 };
        chart.draw_series(LineSeries::new(line.points.iter().copied(), color.stroke_width(width)))?;
        chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
        let y = 34 + (LEGEND_LINE * row as u32) as i32;
        legend.draw(&Rectangle::new([(4, y + 4), (18, y + 8)], color.filled()))?;
        let name = match line.kind {
            Kind::Floor => format!("floor: {}", line.name),
            Kind::Threads => format!("{} (threads)", line.name),
            Kind::Ours | Kind::Peer => line.name.clone(),
        };
        legend.draw(&Text::new(name, (24, y), ("sans-serif", 12)))?;
    }
    Ok(())
}

/// One comparison of the summary.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// Which workload.
    pub workload: &'static str,
    /// The case's name.
    pub case: &'static str,
    /// Which contestant of ours.
    pub ours: &'static str,
    /// What the summary says that it is.
    pub label: &'static str,
}

/// What each bar of the summary is: a name, and how many times as long as ours it takes.
type Compared = Vec<(String, Kind, f64)>;

fn compared(chosen: &Chosen, cases: &[Case]) -> Option<Compared> {
    const PEERS: usize = 3;
    let case = cases.iter().find(|case| case.workload == chosen.workload && case.name == chosen.case)?;
    let ours = case.median_of(chosen.ours).filter(|median| *median > 0.0)?;
    let times = |median: f64| if case.unit.is_more_better() { ours / median } else { median / ours };
    let of = |row: Summary| (row.name, row.kind, times(row.median));
    let mut peers: Compared =
        case.summaries().into_iter().filter(|row| row.kind == Kind::Peer && row.median > 0.0).map(of).collect();
    peers.sort_by(|one, other| one.2.total_cmp(&other.2));
    peers.truncate(PEERS);
    let own = (chosen.ours.to_owned(), Kind::Ours, 1.0);
    Some([own].into_iter().chain(peers).collect())
}

/// Draws the summary: for each chosen case ours, and the best peers. A bar's length is how many
/// times as long as ours each takes, on a logarithmic scale. Returns the labels that were drawn.
///
/// # Errors
/// The file cannot be written.
pub fn draw_summary(chosen: &[Chosen], cases: &[Case], file: &Path) -> Result<Vec<&'static str>, Box<dyn Error>> {
    const LINE: i32 = 17;
    const GAP: i32 = 27;
    const TOP: i32 = 46;
    const LEFT: i32 = 226;
    let all: Vec<_> = chosen.iter().filter_map(|chosen| Some((chosen.label, compared(chosen, cases)?))).collect();
    let height = TOP + 10 + all.iter().map(|(_, bars)| GAP + LINE * bars.len() as i32).sum::<i32>();
    let root = SVGBackend::new(file, (WIDTH, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    root.draw(&Text::new("outlive beside the best others between processes", (12, 8), ("sans-serif", 16)))?;
    root.draw(&Text::new(
        "How many times as long as outlive each takes. A shorter bar is faster. The scale is logarithmic.",
        (12, 28),
        ("sans-serif", 12),
    ))?;
    let figures = || all.iter().flat_map(|(_, bars)| bars.iter().map(|(_, _, times)| *times));
    let (least, most) = figures().fold((1.0_f64, 1.0_f64), |(least, most), f| (least.min(f), most.max(f)));
    let from = (least / 2.0).log10();
    let room = f64::from(WIDTH as i32 - LEFT - 80);
    let x = |times: f64| LEFT + ((times.log10() - from) / (most.log10() - from) * room) as i32;
    let mut y = TOP;
    for (label, bars) in &all {
        root.draw(&Text::new(*label, (12, y + 9), ("sans-serif", 13, FontStyle::Bold)))?;
        y += GAP;
        for (name, kind, times) in bars {
            root.draw(&Text::new(name.clone(), (24, y), ("sans-serif", 12)))?;
            root.draw(&Rectangle::new([(LEFT, y), (x(*times), y + LINE - 4)], color(*kind).filled()))?;
            root.draw(&Text::new(format!("{times:.2} x"), (x(*times) + 5, y), ("sans-serif", 12)))?;
            y += LINE;
        }
    }
    root.present()?;
    Ok(all.iter().map(|(label, _)| *label).collect())
}

#[cfg(test)]
mod tests {
    use super::super::figures::Row;
    use super::*;

    fn case(at: Option<usize>, figures: &[(&str, Kind, f64)]) -> Case {
        let mut case = match at {
            Some(count) => Case::on_curve("growth", "to join", Unit::Nanoseconds, count, "processes"),
            None => Case::new("growth", "to join", Unit::Nanoseconds),
        };
        for (name, kind, figure) in figures {
            case.rows.push(Row { name: (*name).to_owned(), kind: *kind, rounds: vec![*figure; 3] });
        }
        case
    }

    fn drawn(cases: &[Case]) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let all: Vec<_> = cases.iter().collect();
        let mut panels = Panel::of(&all);
        panels.push(Panel::growth("growth", "processes", &all));
        let draw_all = |(index, panels): (usize, &&[Panel<'_>])| {
            let file = folder.path().join(format!("{index}.svg"));
            draw(panels, &file).expect("it can be drawn");
            std::fs::read_to_string(file).expect("text")
        };
        in_files(&panels).iter().enumerate().map(draw_all).collect()
    }

    #[test]
    fn cases_without_contestants_or_without_figures_are_drawn() {
        for figures in [&[][..], &[("ours", Kind::Ours, 0.0)], &[("ours", Kind::Ours, f64::NAN)]] {
            for at in [[None, None], [Some(1), Some(10)], [Some(1), None]] {
                assert!(drawn(&at.map(|at| case(at, figures))).iter().all(|svg| svg.ends_with("</svg>\n")));
            }
        }
        let nothing: [Case; 0] = [];
        assert!(!drawn(&nothing).is_empty());
    }

    #[test]
    fn one_figure_is_enough() {
        let figures = [("ours", Kind::Ours, 5.0)];
        assert!(drawn(&[case(None, &figures)])[0].contains("5.00 ns"));
        assert!(drawn(&[case(Some(1), &figures), case(Some(1_000), &figures)])[0].contains("1,000"));
    }

    #[test]
    fn a_curve_has_the_best_peers_only() {
        let names: Vec<_> = (0..20).map(|number| format!("peer {number},")).collect();
        let figures: Vec<_> =
            names.iter().zip(1..).map(|(name, n)| (name.as_str(), Kind::Peer, f64::from(n))).collect();
        let svg = drawn(&[case(Some(1), &figures), case(Some(8), &figures)]).remove(0);
        assert!(svg.contains("peer 0,") && svg.contains("peer 7,") && !svg.contains("peer 8,"), "{svg}");
    }

    #[test]
    fn no_file_is_large() {
        let names: Vec<_> = (0..20).map(|number| format!("contestant {number}")).collect();
        let figures: Vec<_> = names.iter().map(|name| (name.as_str(), Kind::Peer, 5.0)).collect();
        let cases: Vec<_> = (0..20).map(|_| case(None, &figures)).collect();
        let files = drawn(&cases);
        assert!(files.len() > 3 && files.iter().all(|svg| svg.len() < 60_000));
    }

    #[test]
    fn the_summary_compares_with_the_best_peers() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("summary.svg");
        let figures = [("ours", Kind::Ours, 5.0), ("slow", Kind::Peer, 10.0), ("bare", Kind::Floor, 1.0)];
        let cases = [case(None, &figures)];
        let chosen = |case| Chosen { workload: "growth", case, ours: "ours", label: case };
        let labels = draw_summary(&[chosen("to join"), chosen("to leave")], &cases, &file).expect("drawn");
        let svg = std::fs::read_to_string(file).expect("text");
        assert!(labels == ["to join"] && svg.contains("2.00 x") && svg.contains("slow") && !svg.contains("bare"));
    }
}
