//! How fast is each, beside the least that it can cost, and beside the fastest other?
//!
//! `cargo run --release --bin compare` measures for up to ten minutes, and `-- --quick` for about
//! one. It prints tables, and writes all figures as JSON and charts if told so. Only ratios within
//! one run count.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use outlive_benches::process::OthersLoad;
use outlive_peers::compare::figures::{Case, Summary};
use outlive_peers::compare::machine::Machine;
use outlive_peers::compare::{Effort, Measure, WORKLOADS, charts};
use serde::Serialize;
use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

/// Measures outlive beside what else processes use to wait for each other.
#[derive(Parser)]
struct Arguments {
    /// About one minute instead of ten: fewer rounds, and fewer numbers of processes.
    #[arg(long, conflicts_with = "try_out")]
    quick: bool,
    /// Hardly anything, to show that it runs. The figures mean nothing.
    #[arg(long = "try")]
    try_out: bool,
    /// Only these workloads.
    #[arg(long, value_name = "WORKLOAD", value_parser = WORKLOADS.map(|(name, _)| name))]
    only: Vec<String>,
    /// Prints the workloads.
    #[arg(long)]
    list: bool,
    /// Writes all figures there.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes a chart of each workload into this folder.
    #[arg(long, value_name = "FOLDER")]
    charts: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report<'a> {
    machine: &'a Machine,
    cases: Vec<CaseReport<'a>>,
}

#[derive(Serialize)]
struct CaseReport<'a> {
    #[serde(flatten)]
    case: &'a Case,
    summaries: Vec<Summary>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.list {
        WORKLOADS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let effort = match (arguments.quick, arguments.try_out) {
        (_, true) => Effort::Try,
        (true, _) => Effort::Quick,
        _ => Effort::Whole,
    };
    let load = OthersLoad::since_now()?;
    let is_wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let mut cases = vec![];
    for (name, measure) in WORKLOADS.into_iter().filter(|(name, _)| is_wanted(name)) {
        let of_workload = with_a_bar(name, measure, effort)?;
        for case in &of_workload {
            println!("{}\n", case.table());
        }
        cases.extend(of_workload);
    }
    let machine = Machine::this().with_load(&load);
    println!("{machine}");
    if let Some(path) = arguments.json {
        let cases = cases.iter().map(|case| CaseReport { case, summaries: case.summaries() }).collect();
        serde_json::to_writer_pretty(BufWriter::new(File::create(path)?), &Report { machine: &machine, cases })?;
    }
    if let Some(folder) = arguments.charts {
        std::fs::create_dir_all(&folder)?;
        for (name, _) in WORKLOADS.into_iter().filter(|(name, _)| is_wanted(name)) {
            let of_workload: Vec<_> = cases.iter().filter(|case| case.workload == name).collect();
            charts::draw(&of_workload, &folder.join(format!("{name}.svg")))?;
        }
    }
    Ok(())
}

/// Measures a workload with a progress bar. (The bar has no thread: a process with one cannot fork
/// the contestants.)
fn with_a_bar(name: &str, measure: Measure, effort: Effort) -> Result<Vec<Case>, Box<dyn Error>> {
    const STEPS: u64 = 10_000;
    let style = ProgressStyle::with_template("{prefix:10} {bar:40} {percent:>3} %, {eta} left")?;
    let bar = ProgressBar::new(STEPS).with_style(style).with_prefix(name.to_owned());
    let mut done = 0.0;
    let cases = measure(effort, &mut |part| {
        done += part;
        bar.set_position((done * STEPS as f64) as u64);
    });
    bar.finish_and_clear();
    cases
}
