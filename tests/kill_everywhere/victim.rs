//! A victim under ptrace. It is led to a certain instruction of its operation, and killed there.
//!
//! One run is stepped through from mark to mark and recorded as a [`Trace`]. Later runs are led
//! along the trace. On processors that we know, breakpoints lead them there in as few hops as
//! possible, because a single step costs 20 µs in a virtual machine. On others, single steps do. A
//! run may take another way: it waits longer, or finds another slot. If it misses its breakpoint,
//! the point is tried again, more carefully.

use super::arch;
use super::operation::fork_bound;
use super::stage::{Board, has_ended, sleep_of};
use super::trace::{Care, Point, Shared, Trace};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// The longest time from one stop of a victim to the next.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// No operation has so many instructions. (Where atomics are loops of load-exclusive and
/// store-exclusive, a single-stepped loop never ends.)
const MOST_INSTRUCTIONS: usize = 1_000_000;

/// The type of `ptrace`'s first parameter.
#[cfg(target_env = "gnu")]
type Request = libc::c_uint;
#[cfg(target_env = "musl")]
type Request = libc::c_int;

/// A process of which one thread is traced. Killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Victim {
    process: i32,
    /// 0 before the thread has begun.
    thread: i32,
}

/// Why the victim stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It executed one instruction, or hit a breakpoint.
    Trap,
    /// It marked the beginning or the end of its operation.
    Mark,
    /// It does not stand still: it has ended, with this status (minus the signal, if one ended it).
    Ended(i32),
    /// It does not stand still: it sleeps in a system call.
    Asleep,
}

/// Whether children can be traced here; if not, why.
pub(crate) fn can_trace() -> Result<(), String> {
    let board = Board::new();
    let process = fork_bound(|| {
        if !trace_me() {
            return std::io::Error::last_os_error().raw_os_error().unwrap_or(1);
        }
        // SAFETY: this process's own ids.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        mark(process, thread);
        0
    });
    let victim = Victim { process, thread: process };
    match victim.wait(board, false)? {
        Stop::Mark => {}
        Stop::Ended(errno) => {
            return Err(format!("ptrace is refused ({})", std::io::Error::from_raw_os_error(errno)));
        }
        other => return Err(format!("ptrace does something else here: {other:?}")),
    }
    victim.resume(libc::PTRACE_SINGLESTEP)?;
    match victim.wait(board, false)? {
        Stop::Trap => {}
        other => return Err(format!("there are no single steps here: {other:?}")),
    }
    std::fs::read_to_string(format!("/proc/{process}/syscall"))
        .map(drop)
        .map_err(|error| format!("the system call that a child sleeps in cannot be seen ({error})"))
}

/// Asks to be traced by the parent. Called by the thread that is to be killed.
pub(crate) fn trace_me() -> bool {
    // SAFETY: only changes which process is notified of this thread's stops.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == 0 }
}

/// Stops the calling thread, which is traced, until the tracer continues it.
pub(crate) fn mark(process: i32, thread: i32) {
    // SAFETY: a stop of the calling thread. It is a bare system call, because it is part of the
    // code that is stepped through.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGSTOP) };
}

impl Victim {
    /// A child process, which will call [`Stage::dies_in`](super::stage::Stage::dies_in).
    pub(crate) fn new(process: i32) -> Self {
        Self { process, thread: 0 }
    }

    /// Waits until the victim is at the beginning of its operation.
    pub(crate) fn wait_for_its_mark(&mut self, board: &Board) -> Result<(), String> {
        let begin = Instant::now();
        while self.thread == 0 {
            if let Some(status) = has_ended(self.process) {
                return Err(format!("the victim ended with status {status} before its operation"));
            }
            if begin.elapsed() > STOPS_WITHIN {
                return Err("the victim did not begin".into());
            }
            pause(begin);
            self.thread = board.victim.load(SeqCst);
        }
        if self.thread < 0 {
            return Err("the victim cannot be traced".into());
        }
        match self.wait(board, false)? {
            Stop::Mark => {}
            other => return Err(format!("the victim did not begin: {other:?}")),
        }
        // SAFETY: a stopped thread that we trace.
        unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, self.thread, 0, libc::PTRACE_O_EXITKILL) };
        Ok(())
    }

    /// Steps through the operation to its end, or as far as it gets `within` this time.
    pub(crate) fn record(&self, board: &Board, within: Option<Duration>) -> Result<Trace, String> {
        let mut trace = Trace::default();
        let mut shared = Shared::look();
        let begin = Instant::now();
        loop {
            if trace.length() % 256 == 0 && within.is_some_and(|within| begin.elapsed() > within) {
                trace.find_ways();
                trace.end_before_the_operation();
                return Ok(trace);
            }
            if trace.length() == MOST_INSTRUCTIONS {
                return Err("the victim runs in circles".into());
            }
            let address = arch::address(self.thread);
            trace.note(address);
            let mut stop = self.step(board, address, true)?;
            if stop == Stop::Asleep {
                trace.note_sleep();
                stop = self.wait(board, false)?;
            }
            if shared.has_changed() {
                trace.note_change();
            }
            match stop {
                Stop::Trap => {}
                Stop::Mark => {
                    trace.find_ways();
                    return Ok(trace);
                }
                other => return Err(format!("the victim did not come to the end of its operation: {other:?}")),
            }
        }
    }

    /// Leads the victim to the point. False if the victim came to its end before.
    pub(crate) fn go_to(&self, board: &Board, point: Point, trace: &Trace, care: Care) -> Result<bool, String> {
        let (after, asleep) = match point {
            Point::After(after) => (after, false),
            Point::AsleepAfter(after) => (after, true),
            Point::FirstSleep => {
                self.resume(libc::PTRACE_CONT)?;
                return Ok(self.wait(board, true)? == Stop::Asleep);
            }
        };
        if after >= trace.length() {
            self.resume(libc::PTRACE_CONT)?;
            return Ok(self.wait(board, false)? == Stop::Mark);
        }
        let way = match care {
            Care::No => trace.way(after),
            Care::Some => trace.careful_way(after, false),
            Care::More => trace.careful_way(after, true),
        };
        for leg in way {
            let is_there = match leg {
                Some(address) => self.run_to(board, address)?,
                None => self.step(board, arch::address(self.thread), false)? == Stop::Trap,
            };
            if !is_there {
                return Ok(false);
            }
        }
        if asleep {
            self.resume(libc::PTRACE_SINGLESTEP)?;
            return Ok(self.wait(board, true)? == Stop::Asleep);
        }
        Ok(true)
    }

    /// Runs the victim until the address comes for the next time.
    fn run_to(&self, board: &Board, address: u64) -> Result<bool, String> {
        let there = arch::Breakpoint::insert(self.thread, address);
        self.resume(libc::PTRACE_CONT)?;
        if self.wait(board, false)? != Stop::Trap || arch::address(self.thread) != there.seen_at() {
            return Ok(false);
        }
        there.remove();
        Ok(true)
    }

    fn resume(&self, how: Request) -> Result<(), String> {
        // SAFETY: a stopped thread that we trace; no signal is passed on.
        match unsafe { libc::ptrace(how, self.thread, 0, 0) } {
            0 => Ok(()),
            _ => Err(format!("the victim cannot be led on: {}", std::io::Error::last_os_error())),
        }
    }

    /// Executes the instruction at the address, at which the victim is.
    fn step(&self, board: &Board, address: u64, or_sleep: bool) -> Result<Stop, String> {
        self.resume(libc::PTRACE_SINGLESTEP)?;
        if !arch::is_computation(address) {
            return self.wait(board, or_sleep);
        }
        // The victim cannot sleep there, so this waits without checking for a sleep. If others need
        // the processor, too, that check costs more than the step.
        let mut status = 0;
        // SAFETY: our own child or its thread.
        let answer = unsafe { libc::waitpid(self.thread, &mut status, libc::__WALL) };
        if answer < 0 {
            return Err(format!("the victim is lost: {}", std::io::Error::last_os_error()));
        }
        stop_of(status)
    }

    /// Waits for the next stop; with `or_sleep`, also for a sleep on a futex. Without it, the
    /// others are notified of a sleep.
    fn wait(&self, board: &Board, or_sleep: bool) -> Result<Stop, String> {
        let begin = Instant::now();
        for round in 0u32.. {
            let mut status = 0;
            // SAFETY: our own child or its thread.
            let answer = unsafe { libc::waitpid(self.thread, &mut status, libc::WNOHANG | libc::__WALL) };
            if answer < 0 {
                return Err(format!("the victim is lost: {}", std::io::Error::last_os_error()));
            }
            if answer != 0 {
                return stop_of(status);
            }
            if round < 5 {
                std::thread::yield_now();
                continue;
            }
            if let Some(sleep) = sleep_of(self.thread) {
                if or_sleep {
                    return Ok(Stop::Asleep);
                }
                board.tell_of_its_sleep(sleep);
            }
            if begin.elapsed() > STOPS_WITHIN {
                return Err("the victim did not come to its end: it does not get through itself".into());
            }
            pause(begin);
        }
        unreachable!("rounds do not run out");
    }
}

/// The reason why a victim with this status from `waitpid` stands still.
fn stop_of(status: i32) -> Result<Stop, String> {
    match () {
        () if libc::WIFSTOPPED(status) => match libc::WSTOPSIG(status) {
            libc::SIGTRAP => Ok(Stop::Trap),
            libc::SIGSTOP => Ok(Stop::Mark),
            signal => Err(format!("the victim was stopped by signal {signal}")),
        },
        () if libc::WIFEXITED(status) => Ok(Stop::Ended(libc::WEXITSTATUS(status))),
        () => Ok(Stop::Ended(-libc::WTERMSIG(status))),
    }
}

/// The cost of one step here, between a victim and this process, on whatever processors they run.
/// Zero if it cannot be measured.
pub(crate) fn price_of_a_step() -> Duration {
    const STEPS: u32 = 2_000;
    let board = Board::new();
    let process = fork_bound(|| {
        trace_me();
        // SAFETY: this process's own ids.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        mark(process, thread);
        loop {
            core::hint::spin_loop();
        }
    });
    let victim = Victim { process, thread: process };
    if victim.wait(board, false) != Ok(Stop::Mark) {
        return Duration::ZERO;
    }
    let begin = Instant::now();
    for _ in 0..STEPS {
        if victim.step(board, arch::address(process), false) != Ok(Stop::Trap) {
            return Duration::ZERO;
        }
    }
    begin.elapsed() / STEPS
}

impl Drop for Victim {
    fn drop(&mut self) {
        // SAFETY: our own child. (If the victim ended by itself and is reaped already, no other
        // process has its id this soon.)
        unsafe { libc::kill(self.process, libc::SIGKILL) };
        // The thread first: its process does not end before the tracer has reaped the thread.
        for task in [self.thread, self.process] {
            // The thread may be the process itself, and 0 is no thread. A stop from before the
            // signal may be reported first.
            let mut stopped = task > 0;
            while stopped {
                let mut status = 0;
                // SAFETY: our own child and its thread, which end by the signal above.
                let answer = unsafe { libc::waitpid(task, &mut status, libc::__WALL) };
                stopped = answer == task && libc::WIFSTOPPED(status);
            }
        }
    }
}

/// A pause in which others run. It is short at first. After a long wait it is longer, to leave the
/// processors to others.
pub(crate) fn pause(since: Instant) {
    std::thread::sleep((since.elapsed() / 16).clamp(Duration::from_micros(20), Duration::from_millis(1)));
}
