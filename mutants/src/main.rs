//! `outlive-mutants test`: is every ordering, wake and second check in `src/raw` needed?
//! `outlive-mutants table`: what have the models and the other parts explored?

use clap::{Parser, Subcommand};
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use outlive_mutants::evidence::{COLUMNS, Logs, ROWS, cells, whole};
use outlive_mutants::killers::{Killers, Known};
use outlive_mutants::logic::Logic;
use outlive_mutants::run::{Effort, Fate, Models, Outcome};
use outlive_mutants::sites::{Mutant, Source};
use outlive_mutants::{Result, explored, instrument, root, run, sites};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Mutation testing of outlive's algorithms, and the table of what was explored.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    work: Work,
}

#[derive(Debug, Subcommand)]
enum Work {
    /// Weakens src/raw in one place at a time. A model must fail each time.
    Test(Mutants),
    /// Makes the table of evidence from what the parts of `scripts/verify all` have printed.
    Table {
        /// The folder with the logs of the parts.
        logs: PathBuf,
        /// List each model instead.
        #[arg(long)]
        models: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Mutants {
    /// Only this file of src/raw. May be repeated.
    #[arg(long)]
    file: Vec<String>,
    /// Only mutants whose name contains this text, such as "Mutex::unlock" or "wake#1".
    #[arg(long)]
    only: Option<String>,
    /// Only mutants without a known killer.
    #[arg(long)]
    new: bool,
    /// Run every model that concerns the file, and do not stop at the first that fails. Include
    /// mutants that have a proof.
    #[arg(long)]
    matrix: bool,
    /// Run only the models in this program, instead of all that concern the file. This is quick,
    /// for a first impression. May be repeated.
    #[arg(long)]
    models: Vec<String>,
    /// Also try the mutants that are known to be open. Each takes minutes.
    #[arg(long)]
    open: bool,
    /// Each model explores only a small part. A mutant that survives this may not survive the
    /// whole.
    #[arg(long)]
    brief: bool,
    /// Write what was found to killers.toml and logic.toml.
    #[arg(long)]
    record: bool,
    /// Only list the mutants.
    #[arg(long)]
    list: bool,
    /// The most seconds that one model may take. A model that takes longer gives no verdict.
    #[arg(long, default_value_t = 180)]
    longest: u64,
    /// How many mutants run at once. The default is the number of processors.
    #[arg(long)]
    jobs: Option<usize>,
    /// Also try mutants of the logic: what cargo-mutants finds in src/raw.
    #[arg(long)]
    logic: bool,
    /// Also try mutants of the logic that need a build of their own. cargo-mutants runs these
    /// itself (more than an hour).
    #[arg(long, requires = "logic")]
    constants: bool,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().work {
        Work::Test(arguments) => mutants(&arguments),
        Work::Table { logs, models } => table(&logs, models),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn table_of(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY).set_header(header);
    table
}

fn table(logs: &Path, each_model: bool) -> Result<bool> {
    // A part that was not run has no log. The table has a dash for it.
    let log = |name: &str| std::fs::read_to_string(logs.join(name)).unwrap_or_default();
    let names = ["models", "kills", "mutants", "references", "fuzz", "miri", "thread", "soak", "aarch64"].map(log);
    let [models, kills, mutants, references, fuzz, miri, thread, soak, aarch64] = names.each_ref().map(String::as_str);
    let lines = explored::collect(models);
    let logs = Logs { models: &lines, kills, mutants, references, fuzz, miri, thread, soak, aarch64 };
    if each_model {
        let mut table = table_of(&["property", "primitive", "method", "explored", "bound"]);
        for line in &lines {
            table.add_row([&line.property, &line.primitive, &line.method, &line.explored, &line.bound]);
        }
        println!("{table}\n{} models", lines.len());
        return Ok(!lines.is_empty());
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([String::new()].into_iter().chain(COLUMNS.map(|(property, _)| property.to_owned())));
    table.add_row(["*by*".to_owned()].into_iter().chain(COLUMNS.map(|(_, method)| format!("*{method}*"))));
    for row in &ROWS {
        table.add_row([row.name.to_owned()].into_iter().chain(cells(row, &logs)));
    }
    println!("{table}\n");
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(["of the whole", "by", "explored"]);
    table.add_rows(whole(&logs));
    println!("{table}");
    Ok(true)
}

fn mutants(arguments: &Mutants) -> Result<bool> {
    let (root, begin) = (root(), Instant::now());
    let mut killers = Killers::load(&root)?;
    let mut logic = if arguments.logic { Logic::ask(&root)? } else { Logic::default() };
    let sources = viable(&root, &mut logic)?;
    let chosen = choose(arguments, &sources, &killers)?;
    if arguments.list {
        for mutant in &chosen {
            let proof = if mutant.proof.is_some() { " (equivalent)" } else { "" };
            println!("{} {}.rs:{} {}{proof}", mutant.id, mutant.file, mutant.line, mutant.key());
        }
        return Ok(true);
    }
    let mut models = Models::new(&sources, instrument::build(&root)?, &killers)?;
    if !arguments.models.is_empty() {
        models.retain(&arguments.models);
    }
    let built = begin.elapsed();
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let effort = Effort {
        matrix: arguments.matrix,
        open: arguments.open,
        brief: arguments.brief,
        longest: Duration::from_secs(arguments.longest),
        jobs,
    };
    let outcomes = try_all(&models, &chosen, &killers, effort)?;
    let unreliable = run::unreliable(&models, &outcomes, effort.longest)?;
    let good = print(&outcomes, &killers, arguments.matrix);
    println!("built in {:.0} s, all in {:.0} s", built.as_secs_f64(), begin.elapsed().as_secs_f64());
    for model in &unreliable {
        println!("{model} also fails without a mutant, so what it killed does not count");
    }
    if arguments.record {
        let witnessed =
            outcomes.iter().filter(|outcome| !outcome.matrix.iter().any(|model| unreliable.contains(model)));
        record(&root, &mut killers, &sources, witnessed)?;
    }
    let gaps = if arguments.file.is_empty() && arguments.only.is_none() { killers.gaps(&sources) } else { vec![] };
    for gap in &gaps {
        println!("{gap} (run with --record)");
    }
    let reached = sources.iter().flat_map(|source| source.reached.iter().cloned()).collect();
    let out_of_reach = logic.out_of_reach(&reached);
    if arguments.logic {
        println!(
            "mutants of the logic that do not build: {}; that need a build of their own: {}",
            logic.unviable(),
            out_of_reach.len()
        );
    }
    let constants = !arguments.constants || by_itself(&root, &out_of_reach)?;
    Ok(good && unreliable.is_empty() && gaps.is_empty() && constants)
}

/// Writes the copy, without the mutants that keep it from building.
fn viable(root: &Path, logic: &mut Logic) -> Result<Vec<Source>> {
    loop {
        let sources = sites::all(root, logic)?;
        instrument::copy(root, &sources)?;
        let unviable = if logic.is_empty() { vec![] } else { instrument::unviable(root, &sources)? };
        if unviable.is_empty() {
            return Ok(sources);
        }
        logic.forget(unviable);
    }
}

fn choose<'s>(arguments: &Mutants, sources: &'s [Source], killers: &Killers) -> Result<Vec<&'s Mutant>> {
    if let Some(name) = arguments.file.iter().find(|name| sources.iter().all(|source| source.name != **name)) {
        return Err(format!("there is no src/raw/{name}.rs"));
    }
    Ok((sources.iter().filter(|source| arguments.file.is_empty() || arguments.file.contains(&source.name)))
        .flat_map(|source| &source.mutants)
        .filter(|mutant| arguments.only.as_ref().is_none_or(|only| mutant.key().contains(only)))
        .filter(|mutant| !arguments.new || killers.of(mutant).is_none() && killers.proof(mutant).is_none())
        .collect())
}

fn try_all(models: &Models, chosen: &[&Mutant], killers: &Killers, effort: Effort) -> Result<Vec<Outcome>> {
    let style = ProgressStyle::with_template("{pos}/{len} {wide_msg}").map_err(|error| error.to_string())?;
    let bar = ProgressBar::new(chosen.len() as u64).with_style(style);
    let outcomes = run::all(models, chosen, killers, effort, |outcome| {
        bar.inc(1);
        if !matches!(outcome.fate, Fate::Killed(_) | Fate::Equivalent | Fate::Open) {
            let mutant = &outcome.mutant;
            bar.suspend(|| eprintln!("{}.rs:{} {}: {:?}", mutant.file, mutant.line, mutant.key(), outcome.fate));
        }
        bar.set_message(outcome.mutant.key());
    });
    bar.finish_and_clear();
    outcomes
}

/// Prints the table and the sum. True if no mutant survived, except those known to be open.
fn print(outcomes: &[Outcome], killers: &Killers, matrix: bool) -> bool {
    let mut table = table_of(&["where", "mutant", "killed by", "executions", "how", "s"]);
    let count = |is: fn(&Fate) -> bool| outcomes.iter().filter(|outcome| is(&outcome.fate)).count();
    for outcome in outcomes {
        let mutant = &outcome.mutant;
        let by = match &outcome.fate {
            Fate::Killed(_) if matrix => outcome.matrix.join("\n"),
            Fate::Killed(model) => model.clone(),
            Fate::Hung(model) => format!("NO VERDICT: {model} does not end"),
            Fate::Survived => "SURVIVED".into(),
            Fate::Open => "OPEN".into(),
            Fate::Equivalent => "equivalent".into(),
            Fate::ProofIsWrong(model) => format!("PROOF IS WRONG: {model}"),
        };
        let how = match outcome.fate {
            Fate::Equivalent => killers.proof(mutant).map(String::as_str),
            Fate::Open => killers.open(mutant).map(String::as_str),
            _ => Some(&*outcome.reason),
        };
        table.add_row([
            format!("{}.rs:{}", mutant.file, mutant.line),
            mutant.key(),
            by,
            outcome.executions.map(|executions| executions.to_string()).unwrap_or_default(),
            how.unwrap_or_default().chars().take(60).collect(),
            format!("{:.1}", outcome.took.as_secs_f64()),
        ]);
    }
    println!("{table}");
    print_each_file(outcomes);
    let killed = count(|fate| matches!(fate, Fate::Killed(_)));
    let equivalent = count(|fate| *fate == Fate::Equivalent);
    let survived = count(|fate| *fate == Fate::Survived);
    let open = count(|fate| *fate == Fate::Open);
    let bad = outcomes.len() - killed - equivalent - open;
    let others = if bad > survived {
        format!(", {} without verdict or with a wrong proof", bad - survived)
    } else {
        String::new()
    };
    let all = outcomes.len();
    println!(
        "{all} mutants, {killed} killed, {equivalent} equivalent (with proof), {open} open, {survived} survived{others}"
    );
    bad == 0
}

/// Prints the lines that `evidence` reads.
fn print_each_file(outcomes: &[Outcome]) {
    let mut counts = BTreeMap::<_, [usize; 4]>::new();
    for Outcome { mutant, fate, .. } in outcomes {
        let kind = if mutant.is_logic { "logic" } else { "orderings" };
        let place = match fate {
            Fate::Killed(_) => 0,
            Fate::Equivalent => 1,
            Fate::Open => 2,
            Fate::Hung(_) | Fate::Survived | Fate::ProofIsWrong(_) => 3,
        };
        counts.entry((kind, &mutant.file)).or_default()[place] += 1;
    }
    for ((kind, file), [killed, equivalent, open, others]) in counts {
        let others = if others > 0 { format!(", {others} OTHERS") } else { String::new() };
        println!("{kind} of {file}: {killed} killed, {equivalent} equivalent, {open} open{others}");
    }
}

/// Records the killers that were found, and removes those of mutants that no longer exist.
fn record<'o>(
    root: &Path,
    killers: &mut Killers,
    sources: &[Source],
    outcomes: impl Iterator<Item = &'o Outcome>,
) -> Result<()> {
    killers.keep_only(sources);
    for Outcome { mutant, fate, .. } in outcomes {
        match fate {
            Fate::Killed(model) => killers.note(mutant, Some(Known::Killer(model.clone()))),
            // A model may hang because the machine is busy. That is no reason to remove its entry.
            Fate::Hung(_) | Fate::Open | Fate::Equivalent => {}
            Fate::Survived | Fate::ProofIsWrong(_) => killers.note(mutant, None),
        }
    }
    killers.store(root)
}

/// Tries the mutants that cannot be switched while a program runs. cargo-mutants builds each.
fn by_itself(root: &Path, names: &[String]) -> Result<bool> {
    let mut command = Command::new("cargo");
    // The quick tests are in two packages, and cargo-mutants would run a baseline in only one of
    // them. So it runs no baseline, and its timeout is given here.
    command.args(["mutants", "--output", "target/mutants", "--baseline", "skip", "--timeout", "60"]).current_dir(root);
    for name in names {
        let literal: String = name
            .chars()
            .map(|c| if c.is_alphanumeric() { c.into() } else { format!("\\x{{{:x}}}", c as u32) })
            .collect();
        command.arg("--re").arg(format!("^{literal}$"));
    }
    let status = command.status().map_err(|error| format!("cargo mutants: {error}"))?;
    Ok(status.success())
}
