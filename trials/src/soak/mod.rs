//! Many processes do random things with all primitives of one segment, for as long as you like.
//! Meanwhile they are killed, stopped, starved of descriptors and memory, and started again.
//!
//! `cargo run --release -p outlive-trials --bin soak -- --help`
//!
//! The soak fails if a worker sees something forbidden, if the totals do not add up in the end, or
//! if a worker makes no progress although nothing has disturbed it. A *deed* is one thing that a
//! worker does, such as one update under a lock.

mod holds;
mod items;
mod messages;
mod piped;
pub mod shared;
mod tasks;
mod waits;
mod worker;

use clap::Parser;
use outlive::{LeaveError, Segment};
use shared::{DEEDS, MOST_WORKERS, Shared};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// Processes do random operations on all primitives of one segment. Meanwhile random ones are
/// killed, stopped and starved.
#[derive(Debug, Clone, Parser)]
#[command(name = "soak")]
pub struct Arguments {
    /// How many seconds the soak runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many processes
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=MOST_WORKERS as u64))]
    processes: u64,
    /// Slots of the participant table [default: two for each process]. With fewer slots than
    /// processes, the table is full at times. A process that finds it full gets an error, and tries
    /// again
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    slots: Option<u64>,
    /// The seed of the random numbers [default: the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// Leave rechecks on, so that no sleep lasts longer than a second. With more than about 40
    /// processes, one wait cannot watch all of them, and rechecks are needed
    #[arg(long)]
    recheck: bool,
    /// (internal) be worker number N
    #[arg(long, hide = true)]
    worker: Option<usize>,
    /// (internal) what the worker is short of
    #[arg(long, hide = true, default_value_t = Shortage::None, value_enum)]
    shortage: Shortage,
}

/// What a worker is short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shortage {
    None,
    Descriptors,
    Memory,
}

impl core::fmt::Display for Shortage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Descriptors => "descriptors",
            Self::Memory => "memory",
        })
    }
}

/// Random numbers (xorshift64*). The same seed gives the same numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    /// The next number.
    pub fn any(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.any() % bound
    }
}

/// How long an undisturbed worker may go without progress. This is longer than a deed's own
/// timeout, whose error says more.
const PATIENCE: Duration = Duration::from_secs(90);

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(number) = arguments.worker {
        outlive::test_switches::set_recheck(arguments.recheck);
        return worker::work(number, arguments.seed.unwrap_or(0), arguments.shortage);
    }
    match Soak::new(&arguments).and_then(|soak| soak.run(Duration::from_secs(arguments.seconds))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("soak: {fault}");
            ExitCode::FAILURE
        }
    }
}

type Faults<T> = Result<T, Box<dyn std::error::Error>>;

struct Soak {
    segment: Segment<Shared>,
    random: Random,
    recheck: bool,
    workers: Vec<Worker>,
    deaths: u64,
    /// The number of deaths for which [`Shared::tend`] has run.
    tended: u64,
    stops: u64,
}

struct Worker {
    process: Child,
    progress: u64,
    progressed: Instant,
}

impl Soak {
    fn new(arguments: &Arguments) -> Faults<Self> {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64;
        let seed = arguments.seed.unwrap_or(clock);
        // Two slots for each process: its main thread, and a thread that it starts and lets end
        // with a hold.
        let slots = arguments.slots.unwrap_or(arguments.processes * 2 + 1);
        println!("soak: {} processes, {slots} slots, --seed {seed}", arguments.processes);
        let segment =
            Segment::<Shared>::options().participants(slots as usize).anonymous(|shared, _| shared.prepare())?;
        // The supervisor gives back what the dead have taken along, so it registers before all
        // slots are taken.
        segment.attach()?;
        let mut soak = Self {
            segment,
            random: Random::new(seed),
            recheck: arguments.recheck,
            workers: vec![],
            deaths: 0,
            tended: 0,
            stops: 0,
        };
        for number in 0..arguments.processes as usize {
            let worker = soak.start(number)?;
            soak.workers.push(worker);
        }
        Ok(soak)
    }

    fn start(&mut self, number: usize) -> Faults<Worker> {
        let shortage = match self.random.below(6) {
            0 => Shortage::Descriptors,
            1 => Shortage::Memory,
            _ => Shortage::None,
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--worker", &number.to_string(), "--seed", &self.random.any().to_string()]);
        command.args(["--shortage", &shortage.to_string()]).args(self.recheck.then_some("--recheck"));
        self.segment.pass_to(&mut command, "soak")?;
        // SAFETY: prctl alone, between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let progress = self.segment.progress[number].load(SeqCst);
        Ok(Worker { process: command.spawn()?, progress, progressed: Instant::now() })
    }

    fn run(mut self, time: Duration) -> Faults<()> {
        let begin = Instant::now();
        // Nobody gives the first turn, and only a death would make the supervisor give one. Before
        // that, all might wait for each other.
        self.segment.turn.set()?;
        while begin.elapsed() < time {
            std::thread::sleep(Duration::from_micros(self.random.below(20_000)));
            self.strike()?;
            self.tend()?;
            self.look_for_the_stuck()?;
            if self.random.below(16) == 0 {
                self.wait_for_all()?;
            }
        }
        self.wait_for_all()?;
        self.end(begin)
    }

    /// Disturbs a random worker.
    fn strike(&mut self) -> Faults<()> {
        let number = self.random.below(self.workers.len() as u64) as usize;
        match self.random.below(8) {
            0 | 1 => {
                self.signal(number, libc::SIGSTOP);
                self.stops += 1;
                std::thread::sleep(Duration::from_micros(self.random.below(50_000)));
                if self.random.below(4) == 0 {
                    self.kill(number)?; // killed while stopped
                } else {
                    self.signal(number, libc::SIGCONT);
                }
            }
            2 => {
                // A wave: a third of the workers at once.
                for victim in 0..self.workers.len() {
                    if self.random.below(3) == 0 {
                        self.signal(victim, libc::SIGKILL);
                    }
                }
            }
            _ => self.kill(number)?,
        }
        self.replace_the_dead()
    }

    /// Replaces the dead. Workers killed in a wave are not dead at once.
    fn replace_the_dead(&mut self) -> Faults<()> {
        for number in 0..self.workers.len() {
            if let Some(status) = self.workers[number].process.try_wait()? {
                self.account_for(number, status)?;
            }
        }
        Ok(())
    }

    fn signal(&self, number: usize, signal: i32) {
        // SAFETY: a child that was not reaped yet. If it has ended already, the signal does
        // nothing.
        unsafe { libc::kill(self.workers[number].process.id() as i32, signal) };
    }

    fn kill(&mut self, number: usize) -> Faults<()> {
        self.signal(number, libc::SIGKILL);
        let status = self.workers[number].process.wait()?;
        self.account_for(number, status)
    }

    /// A worker has ended. Another takes its place, if the end was intended.
    fn account_for(&mut self, number: usize, status: ExitStatus) -> Faults<()> {
        if status.signal() != Some(libc::SIGKILL) {
            return Err(format!("worker {number} ended with {status}").into());
        }
        self.deaths += 1;
        self.workers[number] = self.start(number)?;
        Ok(())
    }

    fn tend(&mut self) -> Faults<()> {
        let deaths = self.deaths - self.tended;
        self.tended = self.deaths;
        Ok(self.segment.tend(deaths)?)
    }

    fn look_for_the_stuck(&mut self) -> Faults<()> {
        for (number, worker) in self.workers.iter_mut().enumerate() {
            let now = self.segment.progress[number].load(SeqCst);
            if now != worker.progress {
                (worker.progress, worker.progressed) = (now, Instant::now());
            } else if worker.progressed.elapsed() > PATIENCE {
                let id = worker.process.id();
                return Err(format!("worker {number} (process {id}) is stuck\n{:?}", *self.segment).into());
            }
        }
        Ok(())
    }

    /// Waits until each worker has made progress once more, undisturbed. No new worker starts
    /// meanwhile, so nothing wakes a worker that was left asleep.
    fn wait_for_all(&mut self) -> Faults<()> {
        let before: Vec<u64> = self.segment.progress.iter().map(|progress| progress.load(SeqCst)).collect();
        let now = Instant::now();
        self.workers.iter_mut().for_each(|worker| worker.progressed = now);
        let has_progressed = |soak: &Self, number: usize| soak.segment.progress[number].load(SeqCst) > before[number];
        while !(0..self.workers.len()).all(|number| has_progressed(self, number)) {
            std::thread::sleep(Duration::from_millis(1));
            self.replace_the_dead()?;
            self.tend()?;
            self.look_for_the_stuck()?;
            if self.segment.full.load(SeqCst) > 0 {
                // There are more workers than slots. A worker that has a slot keeps it until it is
                // killed.
                self.strike()?;
            }
        }
        Ok(())
    }

    /// Kills all workers, and checks the totals.
    fn end(mut self, begin: Instant) -> Faults<()> {
        for number in 0..self.workers.len() {
            self.signal(number, libc::SIGKILL);
            let status = self.workers[number].process.wait()?;
            if status.signal() != Some(libc::SIGKILL) {
                return Err(format!("worker {number} ended with {status}").into());
            }
            self.deaths += 1;
        }
        self.tell(begin);
        for deed in DEEDS {
            // Threads that end with a hold are deaths, too.
            let deaths = self.deaths + self.segment.thread_deaths.load(SeqCst);
            (deed.check)(&self.segment, deaths).map_err(|fault| format!("{}: {fault}", deed.name))?;
        }
        match self.segment.detach() {
            Ok(()) | Err(LeaveError::StillHolding { .. }) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    fn tell(&self, begin: Instant) {
        let deeds: u64 = self.segment.progress.iter().map(|progress| progress.load(SeqCst)).sum();
        println!(
            "soak: {deeds} deeds, {} kills, {} stops, {} ends of threads with a hold, {} times full, in {:.1} s",
            self.deaths,
            self.stops,
            self.segment.thread_deaths.load(SeqCst),
            self.segment.full.load(SeqCst),
            begin.elapsed().as_secs_f64()
        );
    }
}

impl Drop for Soak {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // Workers that were reaped have ended, and killing them again does nothing.
            let _ended = worker.process.kill().and_then(|()| worker.process.wait());
        }
    }
}
