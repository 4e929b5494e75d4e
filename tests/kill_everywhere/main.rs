//! A kill at every instruction of every operation.
//!
//! For each public operation, a victim is stepped through it once, instruction by instruction.
//! Then, for each instruction, a new victim in a new segment is killed there with SIGKILL. The
//! survivors must get through within a time limit, and find a state that the contract allows.
//! Rechecks, which end a sleep after a second, are off.
//!
//! `cargo test` runs a quick form, which skips most instructions. The full form takes an hour and a
//! half:
//!
//! ```text
//! cargo test --release --test kill_everywhere -- --full
//! ```
//!
//! `-- --help` lists the options. A new operation is a few lines in its primitive's file, see
//! [`operation`]. A new file also needs a line in [`operations`].
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

#[path = "../common/mod.rs"]
mod common;

mod arch;
mod barrier;
mod broken;
mod condvar;
mod event;
mod interruptible;
mod lock;
mod locks;
mod message_queue;
mod mutex;
mod once;
mod operation;
mod participant;
mod permit_pool;
mod pipe;
mod queue;
mod reentrant;
mod rwlock;
mod segment;
mod semaphore;
mod slice;
mod stage;
mod task_queue;
mod trace;
mod victim;
mod wait_any;

use clap::Parser;
use operation::{Drive, Operation, fork_bound, remove_leftovers, remove_leftovers_of_the_dead};
use stage::Board;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trace::{Care, Point, Trace};

/// All operations that are tried.
pub(crate) fn operations() -> Vec<Box<dyn Operation>> {
    [
        mutex::operations(),
        reentrant::operations(),
        lock::operations(),
        semaphore::operations(),
        permit_pool::operations(),
        pipe::operations(),
        rwlock::operations(),
        condvar::operations(),
        event::operations(),
        queue::operations(),
        message_queue::operations(),
        task_queue::operations(),
        wait_any::operations(),
        barrier::operations(),
        interruptible::operations(),
        once::operations(),
        participant::operations(),
        slice::operations(),
        segment::operations(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Kills at every instruction of every operation.
#[derive(Parser)]
#[command(name = "kill_everywhere")]
struct Arguments {
    /// Only operations whose name contains one of these
    names: Vec<String>,
    /// Kill after every instruction, not only after some
    #[arg(long)]
    full: bool,
    /// About how many kills of each operation the quick form makes, if the budget suffices
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(8..))]
    kills: u32,
    /// About how many seconds the quick form takes. Where a step is expensive, there are fewer
    /// kills
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    budget: u64,
    /// Kill after this many instructions only
    #[arg(long, value_name = "INSTRUCTIONS")]
    at: Option<usize>,
    /// Processes that work in parallel, each on one processor [default: one for each processor; in
    /// the quick form four for each]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// List the operations, and do nothing
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    ignored: TestRunner,
}

/// What `cargo test` passes to every test program. It means nothing here.
#[derive(clap::Args)]
struct TestRunner {
    #[arg(long, hide = true)]
    ignored: bool,
    #[arg(long, hide = true)]
    include_ignored: bool,
    #[arg(long, hide = true)]
    exact: bool,
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    show_output: bool,
    #[arg(long, short, hide = true)]
    quiet: bool,
    #[arg(long, hide = true)]
    test_threads: Option<usize>,
    #[arg(long, hide = true)]
    skip: Vec<String>,
    #[arg(long, hide = true)]
    format: Option<String>,
    #[arg(long, hide = true)]
    color: Option<String>,
}

/// The results of one operation, from one process or from all of them.
#[derive(Debug, Default)]
struct Tally {
    instructions: usize,
    sleeps: usize,
    stride: usize,
    kills: usize,
    /// Points that no run reached again, because each run took another way (mostly in loops over
    /// what /proc says). The victims were killed at the end of their operation.
    astray: usize,
    /// Of all processes that took part.
    milliseconds: usize,
    /// There were fewer kills than planned, for lack of time.
    is_cut: bool,
    outcomes: BTreeMap<String, usize>,
    violations: Vec<String>,
}

/// After so many violations an operation is not tried any more.
const ENOUGH: usize = 3;
/// In the quick form, an operation that is broken on purpose takes about this long at most.
const CHECK_OF_THE_CHECK: Duration = Duration::from_secs(10);
/// Each operation gets so many kills, however long they take.
const AT_LEAST: usize = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        operations().iter().for_each(|operation| println!("{}: test", operation.name()));
        return ExitCode::SUCCESS;
    }
    if arguments.ignored.ignored {
        return ExitCode::SUCCESS; // no operation is ignored
    }
    let operations = wanted(&arguments);
    if operations.is_empty() {
        println!("no operation is meant");
        return ExitCode::SUCCESS;
    }
    if let Err(reason) = victim::can_trace() {
        common::skipped(&format!("no kill at every instruction: {reason}"));
        return ExitCode::SUCCESS;
    }
    remove_leftovers_of_the_dead();
    outlive::test_switches::set_recheck(false);
    let begin = Instant::now();
    let is_quick = arguments.at.is_none() && !arguments.full;
    let well = check_the_check(is_quick.then_some(CHECK_OF_THE_CHECK)) & try_all(&operations, &arguments);
    println!("{:.1} s", begin.elapsed().as_secs_f64());
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Locks that are broken on purpose must be detected. Otherwise the results of all others mean
/// nothing.
fn check_the_check(slice: Option<Duration>) -> bool {
    let (mut well, begin) = (true, Instant::now());
    let plan = Plan { jobs: processors(), kills: Kills::Some(60), slice };
    try_each(&broken::operations(), &plan, |broken, tally| {
        let found = tally.violations.iter().find(|violation| broken.sees().iter().any(|part| violation.contains(part)));
        println!("broken on purpose, {}: {}", broken.name(), found.map_or("NOT FOUND OUT", String::as_str));
        well &= found.is_some();
    });
    println!("broken on purpose: {:.1} s", begin.elapsed().as_secs_f64());
    well
}

/// The operations that the arguments name, or all if they name none.
fn wanted(arguments: &Arguments) -> Vec<Box<dyn Operation>> {
    let mut operations = operations();
    operations.retain(|operation| {
        let name = operation.name();
        let is_named = arguments.names.is_empty() || arguments.names.iter().any(|part| name.contains(part.as_str()));
        is_named && !arguments.ignored.skip.iter().any(|part| name.contains(part.as_str()))
    });
    operations
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn try_all(operations: &[Box<dyn Operation>], arguments: &Arguments) -> bool {
    let kills = match (arguments.at, arguments.full) {
        (Some(at), _) => Kills::At(at),
        (None, true) => Kills::Every,
        (None, false) => Kills::Some(arguments.kills as usize),
    };
    // With few kills, most of the time is spent waiting for others to fall asleep, or for timeouts.
    let jobs = if matches!(kills, Kills::Some(_)) { 4 * processors() } else { processors() };
    let jobs = arguments.jobs.map_or(jobs, |jobs| jobs as usize);
    // Each operation has a share of the budget, for recording its trace and for its kills.
    let slice = Duration::from_secs(arguments.budget) * jobs as u32 / operations.len() as u32;
    let slice = matches!(kills, Kills::Some(_)).then_some(slice);
    let plan = Plan { jobs, kills, slice };
    match plan.kills {
        Kills::Some(most) => println!(
            "QUICK: within about {} s, up to about {most} kills an operation: evenly spread, and next to changes of shared memory, system calls and locked instructions. A step costs {:.1} µs here. The full form: cargo test --release --test kill_everywhere -- --full",
            arguments.budget,
            victim::price_of_a_step().as_nanos() as f64 / 1_000.0
        ),
        Kills::Every => println!("a kill after every instruction, and in every sleep"),
        Kills::At(at) => println!("a kill after {at} instructions"),
    }
    println!(
        "{:<12}{:<58} {:>12} {:>6} {:>6} {:>6} {:>6}  outcomes",
        "", "operation", "instructions", "sleeps", "stride", "kills", "s"
    );
    let mut all = Tally::default();
    let mut of_primitives = BTreeMap::<_, [usize; 3]>::new();
    let (mut well, mut tried, mut cut) = (true, 0, 0);
    try_each(operations, &plan, |operation, mut tally| {
        tried += 1;
        cut += usize::from(tally.is_cut);
        if plan.kills == Kills::Every && tally.violations.is_empty() {
            let never = operation.sees().iter().filter(|word| !tally.outcomes.keys().any(|seen| seen.contains(**word)));
            tally
                .violations
                .extend(never.map(|word| format!("no kill led to \"{word}\", so this operation shows nothing")));
            if tally.sleeps < operation.sleeps() {
                tally.violations.push(format!(
                    "the victim slept {} times, and {} times were expected",
                    tally.sleeps,
                    operation.sleeps()
                ));
            }
        }
        let outcomes: Vec<_> = tally.outcomes.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let astray = if tally.astray > 0 { format!(" ({} astray)", tally.astray) } else { String::new() };
        println!(
            "{tried:>3} of {}  {:<58} {:>12} {:>6} {:>6} {:>6} {:>6.1}  {}{astray}",
            operations.len(),
            operation.name(),
            tally.instructions,
            tally.sleeps,
            tally.stride,
            tally.kills,
            tally.milliseconds as f64 / 1_000.0,
            outcomes.join(" | ")
        );
        for violation in &tally.violations {
            println!("    VIOLATION: {violation}");
        }
        well &= tally.violations.is_empty();
        all.instructions += tally.instructions;
        all.kills += tally.kills;
        let primitive = operation.name().split(':').next().unwrap_or_default().to_owned();
        let [count, instructions, kills] = of_primitives.entry(primitive).or_default();
        (*count, *instructions, *kills) = (*count + 1, *instructions + tally.instructions, *kills + tally.kills);
    });
    for (primitive, [count, instructions, kills]) in of_primitives {
        println!("kills of {primitive}: {count} operations, {instructions} instructions, {kills} kills");
    }
    if let (Kills::Some(most), true) = (plan.kills, cut > 0) {
        println!("the budget did not suffice for about {most} kills of {cut} operations: they had fewer");
    }
    println!(
        "{} operations, {} instructions, {} kills: {}",
        operations.len(),
        all.instructions,
        all.kills,
        if well { "ok" } else { "FAILED" }
    );
    well
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kills {
    Every,
    Some(usize),
    At(usize),
}

/// How much is tried, by how many processes.
#[derive(Debug)]
struct Plan {
    jobs: usize,
    kills: Kills,
    /// About how long the kills of an operation may take.
    slice: Option<Duration>,
}

/// A process that works on its share of an operation's points.
#[derive(Debug)]
struct Worker {
    process: i32,
    reader: UnixStream,
    processor: usize,
}

impl Worker {
    fn start(operation: &dyn Operation, plan: &Plan, share: Share, processor: usize) -> Self {
        let (reader, writer) = UnixStream::pair().expect("a pair of sockets");
        let process = fork_bound(|| {
            stay_on(processor);
            let name = format!("outlive-kill-{}", std::process::id());
            try_one(operation, plan, share, &name).write_to(&writer);
            0
        });
        Self { process, reader, processor }
    }

    /// Waits for the worker's end, and adds its results. Returns the processor that is free now.
    fn end(self, sum: &mut Tally) -> usize {
        let whole = sum.add_from(BufReader::new(self.reader));
        let status = common::wait(self.process);
        remove_leftovers(&format!("outlive-kill-{}-", self.process));
        if status != 0 || !whole {
            sum.violations.push(format!("a process of the check itself ended with status {status}"));
        }
        self.processor
    }
}

/// Tries operations, with as many parallel processes as the plan says. Reports each operation, in
/// order.
fn try_each(operations: &[Box<dyn Operation>], plan: &Plan, mut tell: impl FnMut(&dyn Operation, Tally)) {
    // In the quick form, recording traces takes most of the time: one process for each operation.
    // In the full form the kills do.
    let shares = if plan.kills == Kills::Every { plan.jobs } else { 1 };
    let mut to_do = (0..operations.len()).flat_map(|index| (0..shares).map(move |number| (index, number)));
    let mut at_work = VecDeque::new();
    let mut free: Vec<_> = (0..plan.jobs).rev().collect();
    let mut sum = Tally::default();
    loop {
        while let Some(processor) = free.pop() {
            let Some((index, number)) = to_do.next() else { break };
            let share = Share { number, of: shares };
            at_work.push_back((index, number, Worker::start(&*operations[index], plan, share, processor)));
        }
        let Some((index, number, worker)) = at_work.pop_front() else { return };
        free.push(worker.end(&mut sum));
        if number + 1 == shares {
            tell(&*operations[index], core::mem::take(&mut sum));
        }
    }
}

/// Keeps this process and its forked children on one processor. A step is a switch from one to the
/// other and back.
fn stay_on(number: usize) {
    // SAFETY: a set of processors on the stack. If the kernel refuses it, the run is only slower.
    unsafe {
        let mut allowed: libc::cpu_set_t = core::mem::zeroed();
        if libc::sched_getaffinity(0, size_of_val(&allowed), &mut allowed) != 0 {
            return;
        }
        let usable: Vec<_> =
            (0..libc::CPU_SETSIZE as usize).filter(|processor| libc::CPU_ISSET(*processor, &allowed)).collect();
        let mut one: libc::cpu_set_t = core::mem::zeroed();
        libc::CPU_SET(usable[number % usable.len()], &mut one);
        libc::sched_setaffinity(0, size_of_val(&one), &one);
        libc::prctl(libc::PR_SET_TIMERSLACK, 1);
    }
}

/// Every nth point, beginning with a certain one.
#[derive(Debug, Clone, Copy)]
struct Share {
    number: usize,
    of: usize,
}

/// Reorders the items, so that each beginning of the list is spread over the whole: the middle, the
/// quarters, the eighths.
fn spread<T>(items: Vec<T>) -> Vec<T> {
    let bits = usize::BITS - items.len().leading_zeros();
    let mut numbered: Vec<_> = items.into_iter().enumerate().collect();
    numbered.sort_by_key(|(number, _)| number.reverse_bits() >> (usize::BITS - bits.max(1)));
    numbered.into_iter().map(|(_, item)| item).collect()
}

/// One process's share of the runs of one operation.
fn try_one(operation: &dyn Operation, plan: &Plan, share: Share, name: &str) -> Tally {
    let begin = Instant::now();
    let board = Board::new();
    let mut tally = Tally::default();
    // Where a step is expensive, a victim that waits for others may loop for long. Half of the time
    // is for kills.
    let within = plan.slice.map(|slice| slice / 2);
    let record = |attempt| operation.run(Drive::Record { within }, board, &format!("{name}-record-{attempt}"));
    let mut recorded = record(0);
    // If others hold it up, the victim's timeouts may be over before it sleeps.
    for attempt in 1..3 {
        let has_time = within.is_none_or(|within| begin.elapsed() < within);
        if has_time && recorded.trace.as_ref().is_some_and(|trace| trace.sleeps() < operation.sleeps()) {
            recorded = record(attempt);
        }
    }
    let recording = begin.elapsed();
    let Some(trace) = recorded.trace else {
        tally.violations.push(recorded.told.err().unwrap_or_default());
        return tally;
    };
    tally.instructions = trace.length();
    tally.is_cut = trace.is_cut();
    tally.sleeps = trace.sleeps();
    tally.count(recorded.told, Point::After(trace.length()), &trace);
    let (mut points, stride) = match plan.kills {
        Kills::Every => (trace.every_point(), 1),
        Kills::Some(most) => trace.some_points(most),
        Kills::At(after) => (vec![Point::After(after)], 0),
    };
    if operation.sleeps_briefly() {
        // Each at another moment of the sleep.
        points.extend([Point::FirstSleep; 8].iter().take(if plan.kills == Kills::Every { 8 } else { 3 }));
    }
    tally.stride = stride;
    let mut points: Vec<_> = points.into_iter().enumerate().skip(share.number).step_by(share.of).collect();
    if plan.slice.is_some() {
        points = spread(points);
    }
    for (done, (number, point)) in points.into_iter().enumerate() {
        if tally.violations.len() >= ENOUGH {
            break;
        }
        // The cost of a kill here, measured by the kills so far. The trace is recorded in any case.
        if let (Some(slice), AT_LEAST..) = (plan.slice, done) {
            let a_kill = (begin.elapsed() - recording) / done as u32;
            if begin.elapsed() + a_kill > slice {
                tally.is_cut = true;
                break;
            }
        }
        // A run that went astray has killed somewhere, too, so it counts. But the point is tried
        // again.
        for care in [Care::No, Care::Some, Care::More] {
            let drive = Drive::To { point, trace: &trace, care };
            let ran = operation.run(drive, board, &format!("{name}-{number}-{care:?}"));
            tally.count(ran.told, point, &trace);
            if ran.as_led {
                break;
            }
            tally.astray += usize::from(care == Care::More);
        }
    }
    tally.milliseconds = begin.elapsed().as_millis() as usize;
    tally
}

impl Tally {
    fn count(&mut self, told: Result<String, String>, at: Point, trace: &Trace) {
        self.kills += 1;
        match told {
            Ok(what) => *self.outcomes.entry(what).or_default() += 1,
            Err(wrong) => {
                self.violations.push(format!("killed {}: {wrong}", trace.describe(at)));
            }
        }
    }

    /// Writes one line for each fact. If the process dies in the middle, the last line is missing.
    fn write_to(&self, mut out: impl Write) {
        let cut = usize::from(self.is_cut);
        let numbers = [self.instructions, self.sleeps, self.stride, self.kills, self.astray, self.milliseconds, cut];
        let mut text = format!("runs\t{}\n", numbers.map(|number| number.to_string()).join("\t"));
        for (what, count) in &self.outcomes {
            text += &format!("outcome\t{count}\t{what}\n");
        }
        for violation in &self.violations {
            text += &format!("violation\t{}\n", violation.replace('\n', "; "));
        }
        out.write_all(format!("{text}end\n").as_bytes()).expect("the parent reads");
    }

    /// Adds what another process has written. False if the end is missing.
    fn add_from(&mut self, from: impl BufRead) -> bool {
        for line in from.lines() {
            let line = line.expect("readable");
            let fields: Vec<_> = line.split('\t').collect();
            let number = |at: usize| fields[at].parse::<usize>().expect("a number");
            match fields[0] {
                "runs" => {
                    self.instructions = self.instructions.max(number(1));
                    self.sleeps = self.sleeps.max(number(2));
                    self.stride = self.stride.max(number(3));
                    self.kills += number(4);
                    self.astray += number(5);
                    self.milliseconds += number(6);
                    self.is_cut |= number(7) != 0;
                }
                "outcome" => *self.outcomes.entry(fields[2].to_owned()).or_default() += number(1),
                "violation" => self.violations.push(fields[1..].join(" ")),
                _ => return true,
            }
        }
        false
    }
}
