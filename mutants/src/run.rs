//! Tries mutants. Each is tried with the model that is known to kill it. If that model does not
//! fail, the mutant is tried with all models that concern its file.

use crate::Result;
use crate::evidence::ROWS;
use crate::instrument::{Programs, REFERENCES, UNIT_TESTS, VARIABLE};
use crate::killers::Killers;
use crate::sites::{Mutant, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// This model failed.
    Killed(String),
    /// This model did not end in time, and no other failed. That is no verdict.
    Hung(String),
    /// No model failed.
    Survived,
    /// No model failed, or none was run. This was known: the mutant is open in `killers.toml` or
    /// `logic.toml`.
    Open,
    /// No model failed, or none was run. There is a proof that the mutant changes nothing.
    Equivalent,
    /// There is a proof that the mutant changes nothing, and this model fails.
    ProofIsWrong(String),
}

/// What became of a mutant, and how long it took.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The mutant.
    pub mutant: Mutant,
    /// What became of it.
    pub fate: Fate,
    /// Whether the model that killed it is the known one.
    pub known: bool,
    /// The models that kill it: the first, or all if all were run.
    pub matrix: Vec<String>,
    /// How many executions the first of them needed, if it printed that.
    pub executions: Option<usize>,
    /// Why the first of them failed, in its own words.
    pub reason: String,
    /// The time that this mutant took.
    pub took: Duration,
}

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Run all models that concern the file, and try equivalent mutants as well.
    pub matrix: bool,
    /// Try mutants that are known to be open as well. Each takes all models that concern its file.
    pub open: bool,
    /// Each model explores only a small part of its executions.
    pub brief: bool,
    /// The longest time that one model may take.
    pub longest: Duration,
    /// How many mutants are tried at once.
    pub jobs: usize,
}

/// What a model that must fail says if it does not (`Explore::fails` in `models/src/explore.rs`).
pub const BLIND: &str = "the model cannot see the fault";

/// For each file of `src/raw`, the tests that may kill its mutants, in the order in which to run
/// them.
#[derive(Debug)]
pub struct Models {
    programs: Programs,
    tests: BTreeMap<String, Vec<String>>,
}

/// The verdict of a model.
enum Verdict {
    Holds,
    Fails { executions: Option<usize>, reason: String },
    Hangs,
}

impl Models {
    /// A module that has mutants needs a program of its name, `models/tests/NAME.rs`.
    ///
    /// # Errors
    /// A module has no such program, or a program cannot be run.
    pub fn new(sources: &[Source], programs: Programs, killers: &Killers) -> Result<Self> {
        let mut of_program = BTreeMap::new();
        for (name, (program, _)) in &programs {
            let output = Command::new(program).arg("--list").output().map_err(|error| error.to_string())?;
            let list = String::from_utf8_lossy(&output.stdout).into_owned();
            let tests: Vec<_> = list.lines().filter_map(|line| line.strip_suffix(": test")).map(String::from).collect();
            of_program.insert(name.clone(), tests);
        }
        let mut tests = BTreeMap::new();
        for source in sources {
            let module = source.module();
            if source.mutants.iter().any(|mutant| !mutant.is_logic) && !of_program.contains_key(module) {
                return Err(format!("src/raw/{}.rs has no models: write models/tests/{module}.rs", source.name));
            }
            let concerned: Vec<_> = [module.to_owned()].into_iter().chain(users(module, sources)).collect();
            let units = of_program.get(UNIT_TESTS).into_iter().flatten();
            let units = units.filter(|test| concerned.iter().any(|name| test.starts_with(&format!("raw::{name}::"))));
            let mut of_source: Vec<_> = units.map(|test| format!("{UNIT_TESTS}::{test}")).collect();
            for program in &concerned {
                let tests = of_program.get(program).into_iter().flatten();
                of_source.extend(tests.map(|test| format!("{program}::{test}")));
            }
            let rows = ROWS.iter().filter(|row| row.files.iter().any(|file| concerned.iter().any(|name| name == file)));
            let names: Vec<_> = rows.flat_map(|row| row.references).collect();
            for program in REFERENCES {
                let tests = of_program.get(program).into_iter().flatten();
                let tests = tests.filter(|test| names.iter().any(|name| test == *name));
                of_source.extend(tests.map(|test| format!("{program}::{test}")));
            }
            // Quick tests first; loom before shuttle, since loom models weak memory; and tests that
            // kill many mutants before those that kill few.
            of_source.sort_by_key(|model| {
                (!is_quick(model), model.contains("::with_shuttle::"), std::cmp::Reverse(killers.kills(model)))
            });
            tests.insert(source.name.clone(), of_source);
        }
        Ok(Self { programs, tests })
    }

    /// Keeps only the models in these programs.
    pub fn retain(&mut self, programs: &[String]) {
        let is_in = |model: &String| programs.iter().any(|program| model.split("::").next() == Some(program));
        self.tests.values_mut().for_each(|models| models.retain(is_in));
    }

    fn ask(&self, model: &str, id: u32, longest: Duration, brief: bool) -> Result<Verdict> {
        let (program, test) = model.split_once("::").ok_or("a model is `program::test`")?;
        let of_it = self.programs.get(program);
        let (program, folder) = of_it.ok_or_else(|| format!("there is no program for {model}"))?;
        let mut child = Command::new(program)
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .current_dir(folder)
            .env(VARIABLE, id.to_string())
            .env("RUST_BACKTRACE", "0")
            .env("OUTLIVE_MODELS_THOROUGHNESS", if brief { "0.03" } else { "1" })
            .env("PROPTEST_MAX_SHRINK_ITERS", "0") // one scenario that fails is enough
            .env("PROPTEST_RNG_SEED", "1") // a test that has killed a mutant kills it again
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            let _cut_off = err.map(|mut pipe| pipe.read_to_string(&mut text));
            text
        });
        let other = std::thread::spawn(move || {
            let mut text = String::new();
            let _cut_off = out.map(|mut pipe| pipe.read_to_string(&mut text));
            text
        });
        let begin = Instant::now();
        let status = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break Some(status),
                None if begin.elapsed() > longest => break None,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if status.is_none() {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
        }
        let text = reader.join().unwrap_or_default() + &other.join().unwrap_or_default();
        Ok(match status {
            None => Verdict::Hangs,
            Some(_) if text.contains("running 0 tests") => return Err(format!("there is no model {model}")),
            Some(status) if status.success() => Verdict::Holds,
            // A model that must fail and does not is no witness against a mutant.
            Some(_) if text.contains(BLIND) => Verdict::Holds,
            Some(status) => {
                let line = text.lines().find(|line| line.contains(" executions: "));
                let executions = line.and_then(|line| line.split(" after ").last()?.split(' ').next()?.parse().ok());
                let told = line.and_then(|line| line.split(" executions: ").nth(1)).map(str::to_owned);
                let reason = told.unwrap_or_else(|| panic_message(&text).unwrap_or_else(|| status.to_string()));
                Verdict::Fails { executions, reason }
            }
        })
    }
}

fn panic_message(text: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains(" panicked at "));
    lines.next()?;
    lines.next().map(str::to_owned)
}

/// Models that use more modules than the module of their name does, or that have no such module.
const OF_SEVERAL: [(&str, &[&str]); 2] =
    [("leaked", &["mutex", "rwlock"]), ("wait_any", &["event", "mutex", "permit_pool", "queue", "semaphore"])];

/// The modules that use this one, directly or through others: their models may kill its mutants,
/// too.
fn users(module: &str, sources: &[Source]) -> Vec<String> {
    let uses = sources.iter().flat_map(|source| source.uses.iter().map(|used| (source.module(), used.as_str())));
    let of_several = OF_SEVERAL.iter().flat_map(|(models, used)| used.iter().map(|used| (*models, *used)));
    let uses: Vec<_> = uses.chain(of_several).collect();
    let mut users: Vec<String> = vec![];
    let mut known = BTreeSet::from([module.to_owned()]);
    loop {
        let more = uses.iter().filter(|(user, used)| !known.contains(*user) && known.contains(*used));
        let more: BTreeSet<_> = more.map(|(user, _)| (*user).to_owned()).collect();
        if more.is_empty() {
            return users;
        }
        known.extend(more.iter().cloned());
        users.extend(more);
    }
}

/// Whether a test takes almost no time, unlike a model.
fn is_quick(model: &str) -> bool {
    !model.contains("::with_")
}
/// A quick test that takes longer than this does not end.
const LONGEST_OF_QUICK: Duration = Duration::from_secs(10);

/// Runs the models of one mutant.
fn one(models: &Models, mutant: &Mutant, killers: &Killers, effort: Effort) -> Result<Outcome> {
    let begin = Instant::now();
    let (known, proof) = (killers.of(mutant), killers.proof(mutant));
    let mut outcome = Outcome {
        mutant: mutant.clone(),
        fate: match (proof, killers.open(mutant)) {
            (Some(_), _) => Fate::Equivalent,
            (None, Some(_)) => Fate::Open,
            (None, None) => Fate::Survived,
        },
        known: false,
        matrix: vec![],
        executions: None,
        reason: String::new(),
        took: Duration::ZERO,
    };
    let is_settled = proof.is_some() || outcome.fate == Fate::Open && !effort.open;
    if is_settled && !effort.matrix {
        return Ok(outcome);
    }
    let all = &models.tests[&mutant.file];
    let first = known.filter(|model| all.contains(model));
    // Most mutants are killed by some model after few executions. So all models run briefly before
    // any is explored to its end.
    let others = || all.iter().filter(|model| Some(*model) != first);
    let briefly = others().filter(|_| !effort.matrix).map(|model| (model, true));
    let wholly =
        others().filter(|model| !effort.brief && (effort.matrix || !is_quick(model))).map(|model| (model, false));
    for (model, brief) in first.map(|model| (model, effort.brief)).into_iter().chain(briefly).chain(wholly) {
        let longest = if is_quick(model) { effort.longest.min(LONGEST_OF_QUICK) } else { effort.longest };
        let failure = match models.ask(model, mutant.id, longest, brief)? {
            Verdict::Holds => continue,
            // A quick test that does not end any more has noticed the mutant.
            Verdict::Hangs if is_quick(model) => (None, format!("does not end in {} s", longest.as_secs())),
            Verdict::Hangs => {
                if outcome.fate == Fate::Survived {
                    outcome.fate = Fate::Hung(model.clone());
                }
                continue;
            }
            Verdict::Fails { executions, reason } => (executions, reason),
        };
        if outcome.matrix.is_empty() {
            outcome.known = Some(model) == known;
            outcome.fate = if proof.is_some() { Fate::ProofIsWrong } else { Fate::Killed }(model.clone());
            (outcome.executions, outcome.reason) = failure;
        }
        outcome.matrix.push(model.clone());
        if !effort.matrix {
            break;
        }
    }
    outcome.took = begin.elapsed();
    Ok(outcome)
}

/// Tries all of these mutants. `done` is called with each outcome.
///
/// # Errors
/// A model could not be run.
pub fn all(
    models: &Models,
    mutants: &[&Mutant],
    killers: &Killers,
    effort: Effort,
    done: impl Fn(&Outcome) + Sync,
) -> Result<Vec<Outcome>> {
    let queue = Mutex::new(mutants.iter());
    let outcomes = Mutex::new(vec![]);
    let work = || {
        loop {
            let next = queue.lock().map_err(|_| "a worker panicked")?.next();
            let Some(mutant) = next else { return Ok(()) };
            let outcome = one(models, mutant, killers, effort);
            if let Ok(outcome) = &outcome {
                done(outcome);
            }
            outcomes.lock().map_err(|_| "a worker panicked")?.push(outcome);
        }
    };
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..effort.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".into()))).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    let mut outcomes: Vec<_> =
        outcomes.into_inner().map_err(|_| "a worker panicked")?.into_iter().collect::<Result<_>>()?;
    outcomes.sort_by_key(|outcome: &Outcome| (outcome.mutant.file.clone(), outcome.mutant.line, outcome.mutant.id));
    Ok(outcomes)
}

/// Runs the models that killed a mutant once more, with no mutant active. Returns those that fail
/// then: what they killed does not count.
///
/// # Errors
/// A model could not be run.
pub fn unreliable(models: &Models, outcomes: &[Outcome], longest: Duration) -> Result<Vec<String>> {
    let killers: BTreeSet<_> = outcomes.iter().flat_map(|outcome| &outcome.matrix).collect();
    let mut unreliable = vec![];
    for model in killers {
        if matches!(models.ask(model, 0, longest, false)?, Verdict::Fails { .. }) {
            unreliable.push(model.clone());
        }
    }
    Ok(unreliable)
}
