//! The same kill test over all peers. Prints a table for each kind of object.
//!
//! `cargo run --release --bin deaths` (two minutes), with `-- --quick` one minute. `--help` has the
//! other options.
//!
//! Nothing in it is known beforehand. Each cell is what real processes did in this run, of which
//! some were killed by SIGKILL.

#![allow(clippy::disallowed_types)] // a plain counter

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use outlive_peers::deaths::keeper;
use outlive_peers::deaths::peers::{self, Maker, Peer};
use outlive_peers::deaths::report::{self, Finding};
use outlive_peers::deaths::scenario::{self, Effort, Scenario};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The same kill test over outlive and what else processes use to wait for each other.
#[derive(Parser)]
struct Arguments {
    /// In less than a minute: fewer kills and rounds, and less patience.
    #[arg(long)]
    quick: bool,
    /// Only peers whose name contains this, for example "pthread" or "outlive Mutex". May be given
    /// several times.
    #[arg(long, value_name = "PEER")]
    only: Vec<String>,
    /// Names all peers and scenarios, and tries none.
    #[arg(long)]
    list: bool,
    /// Writes the results there as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Prints the tables as Markdown.
    #[arg(long)]
    markdown: bool,
    /// How many cells are tried at the same time. Most of them only sleep.
    #[arg(long, default_value_t = 6, value_name = "CELLS")]
    jobs: usize,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Makes the object of a peer, for the parties of one cell. Started by the program itself.
    #[command(hide = true)]
    Keeper {
        /// The peer.
        peer: String,
        /// The directory of the cell.
        directory: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deaths: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let all = peers::all();
    if let Some(Role::Keeper { peer, directory }) = &arguments.role {
        return be_keeper(&all, peer, directory);
    }
    let is_wanted = |peer: &Peer| {
        let id = peer.id().to_lowercase();
        arguments.only.is_empty() || arguments.only.iter().any(|part| id.contains(&part.to_lowercase()))
    };
    let peers: Vec<Peer> = all.into_iter().filter(is_wanted).collect();
    if peers.is_empty() {
        return Err(format!("no peer's name contains {:?}; --list names them all", arguments.only).into());
    }
    if arguments.list {
        list(&peers);
        return Ok(());
    }
    let begun = Instant::now();
    let findings = find_out(arguments, &peers)?;
    match arguments.markdown {
        true => println!("{}", report::as_markdown(&findings, &peers)),
        false => println!("{}", report::for_terminal(&findings, &peers, 150)),
    }
    if let Some(file) = &arguments.json {
        std::fs::write(file, report::as_json(&findings)? + "\n")?;
    }
    eprintln!("{} cells in {:.0} s", findings.len(), begun.elapsed().as_secs_f64());
    Ok(())
}

fn be_keeper(all: &[Peer], peer: &str, directory: &Path) -> Result<(), Box<dyn Error>> {
    match all.iter().find(|found| found.id() == peer).map(|found| &found.maker) {
        Some(Maker::Here(make)) => Ok(keeper::keep(directory, *make)?),
        _ => Err(format!("no peer {peer:?} is made here").into()),
    }
}

fn list(peers: &[Peer]) {
    for peer in peers {
        let scenarios: Vec<&str> = peer.kind.scenarios().iter().map(|scenario| scenario.name).collect();
        match &peer.maker {
            Maker::Missing(why) => println!("{}: missing: {why}", peer.id()),
            _ => println!("{}: {}", peer.id(), scenarios.join("; ")),
        }
    }
}

/// Tries all cells, some at a time.
fn find_out(arguments: &Arguments, peers: &[Peer]) -> Result<Vec<Finding>, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let (effort, bound) = match arguments.quick {
        true => (Effort { kills: Duration::from_millis(500), rounds: 4, trials: 2 }, Duration::from_millis(1500)),
        false => (Effort { kills: Duration::from_secs(2), rounds: 12, trials: 20 }, Duration::from_secs(4)),
    };
    let mut cells: Vec<(&Peer, &Scenario)> =
        peers.iter().flat_map(|peer| peer.kind.scenarios().iter().map(move |scenario| (peer, scenario))).collect();
    // Neighbours are of one kind, and as long as each other. So they are spread.
    let half = cells.len() / 2;
    cells = (0..half).flat_map(|at| [cells[at], cells[half + at]]).chain(cells.get(half * 2).copied()).collect();
    let bar = ProgressBar::new(cells.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}")?);
    let (next, found) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some((peer, scenario)) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    bar.set_message(format!("{}: {}", peer.id(), scenario.name));
                    let finding = one(&program, peer, scenario, effort, bound);
                    found.lock().expect("no thread panics with it").push(finding);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    Ok(found.into_inner()?)
}

fn one(program: &Path, peer: &Peer, scenario: &Scenario, effort: Effort, bound: Duration) -> Finding {
    let begun = Instant::now();
    let verdict = scenario::find_out(|| peer.keeper(program), scenario, effort, bound);
    let seconds = begun.elapsed().as_secs_f64();
    Finding { kind: peer.kind, family: peer.family, peer: peer.name, scenario: scenario.name, verdict, seconds }
}
