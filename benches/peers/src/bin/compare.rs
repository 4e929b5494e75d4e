//! How fast is each, beside the least that it can cost, and beside the fastest other?
//!
//! `cargo run --release --bin compare` measures for up to ten minutes, and `-- --quick` for about
//! one. It prints tables. `--json FILE` keeps all figures, and `--docs FOLDER` writes them as
//! documents with charts; `--from FILE` does so without measuring anew. Only ratios within one run
//! count.

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use outlive_benches::process::{OthersLoad, use_all_processors};
use outlive_peers::compare::figures::{Case, Row};
use outlive_peers::compare::machine::Machine;
use outlive_peers::compare::report::Report;
use outlive_peers::compare::{Effort, Measure, WORKLOADS, ahead, documents};
use std::error::Error;
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
    /// Writes SPEED.md, the tables of GROWTH.md, and all charts into this folder.
    #[arg(long, value_name = "FOLDER")]
    docs: Option<PathBuf>,
    /// Measures nothing, and shows what --json has written there.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "try_out", "only"])]
    from: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.list {
        WORKLOADS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let report = match &arguments.from {
        Some(file) => {
            let report = Report::read(file)?;
            report.cases.iter().for_each(show);
            report
        }
        None => measure(&arguments)?,
    };
    println!("{}", report.machine);
    if let Some(file) = &arguments.json {
        report.write(file)?;
    }
    if let Some(folder) = &arguments.docs {
        documents::write(&report, folder)?;
        let unknown = ahead::without_reason(&report.cases);
        if !unknown.is_empty() {
            eprintln!("A peer is ahead, and reasons.rs does not say why:\n{}", unknown.join("\n"));
        }
    }
    Ok(())
}

fn show(case: &Case) {
    println!("{}\n", case.table());
}

/// Runs the workloads that are wanted, and shows each as soon as it is measured.
fn measure(arguments: &Arguments) -> Result<Report, Box<dyn Error>> {
    let effort = match (arguments.quick, arguments.try_out) {
        (_, true) => Effort::Try,
        (true, _) => Effort::Quick,
        _ => Effort::Whole,
    };
    let load = OthersLoad::since_now()?;
    let is_wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let mut cases = vec![];
    for (name, measure) in WORKLOADS.into_iter().filter(|(name, _)| is_wanted(name)) {
        use_all_processors(); // children inherit where the workload before has stayed
        let mut of_workload = with_a_bar(name, measure, effort)?;
        of_workload.iter_mut().flat_map(|case| &mut case.rows).for_each(Row::round);
        of_workload.iter().for_each(show);
        cases.extend(of_workload);
    }
    Ok(Report { machine: Machine::this().with_load(&load), effort, cases })
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
