//! A victim under ptrace: taken to a certain instruction of its operation, and killed there.
//!
//! One run is stepped through from mark to mark and written down, as a [`Trace`]. Later runs are led along it: where the
//! processor is known to us, from breakpoint to breakpoint in as few hops as get there, because single steps cost 20 µs
//! each in a virtual machine; elsewhere by single steps. A run that takes another way (it waits longer, finds a slot
//! elsewhere) and misses its breakpoint is tried again, then stepped.

use super::stage::{Board, has_ended, sleep_of};
use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// How long a victim may take from one stop to the next.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// A process of which a thread is traced. Killed and reaped when dropped.
#[derive(Debug)]
pub(crate) struct Victim {
    process: i32,
    /// 0: it has not begun yet.
    thread: i32,
}

/// Why the victim stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// One instruction was executed, or there is a breakpoint.
    Trap,
    /// It marked the beginning or the end of its operation.
    Mark,
    /// It does not: it has ended, with this status (minus the signal, if one ended it).
    Ended(i32),
    /// It does not: it sleeps in a system call.
    Asleep,
}

/// Where a victim came by, from mark to mark.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// The address of each instruction; 0 where that cannot be known.
    addresses: Vec<u64>,
    /// The instructions that slept.
    slept: Vec<usize>,
    /// The cheapest way to each.
    legs: Vec<Leg>,
}

/// Where a victim is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    /// After so many instructions of its operation.
    pub(crate) after: usize,
    /// In the next instruction, which is a system call, as soon as it sleeps there.
    pub(crate) asleep: bool,
}

/// The last part of the way to an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// From the instruction before.
    Step,
    /// From this earlier instruction, by a breakpoint: until the address comes for the next time.
    HopFrom(usize),
}

impl Trace {
    /// How many instructions the operation has.
    pub(crate) fn length(&self) -> usize {
        self.addresses.len()
    }

    pub(crate) fn address(&self, after: usize) -> u64 {
        self.addresses.get(after).copied().unwrap_or(0)
    }

    /// After every instruction, and in every sleep. A repeated string instruction (`rep movsb`) stays where it is: it counts
    /// after its 1st, 2nd, 4th, 8th… repetition.
    pub(crate) fn every_point(&self) -> Vec<Point> {
        let mut points = Vec::new();
        let mut repeated = 0usize;
        for after in 0..=self.length() {
            let stayed = after > 0 && self.address(after) != 0 && self.address(after) == self.address(after - 1);
            repeated = if stayed { repeated + 1 } else { 0 };
            if repeated == 0 || repeated.is_power_of_two() {
                points.push(Point { after, asleep: false });
            }
        }
        points.extend(self.slept.iter().map(|after| Point { after: *after, asleep: true }));
        points
    }

    /// About `most` points: some evenly spread, the others before and after system calls and locked instructions, evenly
    /// chosen; in every sleep; at both ends. Also tells the spread.
    pub(crate) fn some_points(&self, most: usize) -> (Vec<Point>, usize) {
        let every = self.every_point();
        let stride = every.len().div_ceil(most / 2).max(1);
        let mut chosen: Vec<usize> = (0..=self.length()).step_by(stride).collect();
        chosen.push(self.length());
        let special: Vec<usize> = (0..self.length()).filter(|at| arch::is_special(self.address(*at))).collect();
        let special = special.iter().step_by(special.len().div_ceil(most / 4).max(1));
        chosen.extend(special.flat_map(|at| [*at, at + 1]));
        chosen.sort_unstable();
        chosen.dedup();
        let asleep = self.slept.iter().map(|after| Point { after: *after, asleep: true });
        (chosen.into_iter().map(|after| Point { after, asleep: false }).chain(asleep).collect(), stride)
    }

    /// Finds the cheapest way to each instruction. A hop leads to the next time that an address comes, so it may begin
    /// anywhere after the last time. (At that time itself it would not get off the ground: there is the breakpoint.)
    fn find_ways(&mut self) {
        const STEP: u32 = 2;
        const HOP: u32 = 1;
        let count = self.addresses.len();
        let mut costs = Cheapest::new(count);
        let mut last_times = HashMap::new();
        for (at, address) in self.addresses.iter().enumerate() {
            let last_time: Option<usize> = last_times.insert(*address, at);
            let (cost, leg) = match at.checked_sub(1) {
                None => (0, Leg::Step),
                Some(before) => {
                    let step = costs.at(before) + STEP;
                    let begin = last_time.map_or(0, |last| last + 1);
                    match costs.cheapest(begin, at) {
                        (cost, from) if arch::HAS_BREAKPOINTS && begin < at && cost + HOP < step => {
                            (cost + HOP, Leg::HopFrom(from))
                        }
                        _ => (step, Leg::Step),
                    }
                }
            };
            costs.set(at, cost);
            self.legs.push(leg);
        }
    }

    /// The way to an instruction: addresses to hop to, and `None` for a step.
    fn way(&self, to: usize) -> Vec<Option<u64>> {
        let mut way = Vec::new();
        let mut at = to;
        while at > 0 {
            let (from, leg) = match self.legs[at] {
                Leg::Step => (at - 1, None),
                Leg::HopFrom(from) => (from, Some(self.addresses[at])),
            };
            way.push(leg);
            at = from;
        }
        way.reverse();
        way
    }
}

/// Numbers of which the smallest in a range is found quickly: a binary tree of the smallest of two.
#[derive(Debug)]
struct Cheapest {
    leaves: usize,
    /// Cost and place; the children of `n` are `2n` and `2n + 1`.
    tree: Vec<(u32, usize)>,
}

impl Cheapest {
    fn new(count: usize) -> Self {
        let leaves = count.next_power_of_two();
        Self { leaves, tree: vec![(u32::MAX, 0); 2 * leaves] }
    }
    fn at(&self, place: usize) -> u32 {
        self.tree[self.leaves + place].0
    }
    fn set(&mut self, place: usize, cost: u32) {
        let mut node = self.leaves + place;
        self.tree[node] = (cost, place);
        while node > 1 {
            node /= 2;
            self.tree[node] = self.tree[2 * node].min(self.tree[2 * node + 1]);
        }
    }
    /// The smallest in `begin..end`, and its place.
    fn cheapest(&self, begin: usize, end: usize) -> (u32, usize) {
        let (mut begin, mut end) = (self.leaves + begin, self.leaves + end);
        let mut best = (u32::MAX, 0);
        while begin < end {
            if begin % 2 == 1 {
                best = best.min(self.tree[begin]);
                begin += 1;
            }
            if end % 2 == 1 {
                end -= 1;
                best = best.min(self.tree[end]);
            }
            begin /= 2;
            end /= 2;
        }
        best
    }
}

/// Whether children can be traced here; if not, why.
pub(crate) fn can_trace() -> Result<(), String> {
    let process = super::operation::fork_bound(|| {
        if !trace_me() {
            return std::io::Error::last_os_error().raw_os_error().unwrap_or(1);
        }
        // SAFETY: this process's own ids.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        mark(process, thread);
        0
    });
    let victim = Victim { process, thread: process };
    match victim.wait(false)? {
        Stop::Mark => {}
        Stop::Ended(errno) => {
            return Err(format!("ptrace is refused ({})", std::io::Error::from_raw_os_error(errno)));
        }
        other => return Err(format!("ptrace does something else here: {other:?}")),
    }
    victim.resume(libc::PTRACE_SINGLESTEP)?;
    match victim.wait(false)? {
        Stop::Trap => {}
        other => return Err(format!("there are no single steps here: {other:?}")),
    }
    std::fs::read_to_string(format!("/proc/{process}/syscall"))
        .map(drop)
        .map_err(|error| format!("the system call that a child sleeps in cannot be seen ({error})"))
}

/// An address as debuggers want it: its file, and the offset in there.
pub(crate) fn place(address: u64) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let found = maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let start = number(start).filter(|start| (*start..number(end).unwrap_or(0)).contains(&address))?;
        let mut fields = rest.split_ascii_whitespace();
        let offset = number(fields.nth(1)?)?;
        let file = fields.nth(2)?.rsplit('/').next()?;
        Some(format!("{file}+{:#x}", address - start + offset))
    });
    found.unwrap_or_else(|| format!("{address:#x}"))
}

/// Asks to be traced by the parent. To be called by the thread that is to be killed.
pub(crate) fn trace_me() -> bool {
    // SAFETY: changes nothing but who is told of this thread's stops.
    unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == 0 }
}

/// Stops the calling thread, which is traced, until it is led on.
pub(crate) fn mark(process: i32, thread: i32) {
    // SAFETY: a stop of the calling thread. A bare system call: it is part of what is stepped through.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGSTOP) };
}

impl Victim {
    /// A child process, which is to call [`Stage::dies_in`](super::stage::Stage::dies_in).
    pub(crate) fn new(process: i32) -> Self {
        Self { process, thread: 0 }
    }

    /// Waits until it stands at the beginning of its operation.
    pub(crate) fn wait_for_its_mark(&mut self, board: &Board) -> Result<(), String> {
        let begin = Instant::now();
        while self.thread == 0 {
            if let Some(status) = has_ended(self.process) {
                return Err(format!("the victim ended with status {status} before its operation"));
            }
            if begin.elapsed() > STOPS_WITHIN {
                return Err("the victim did not begin".into());
            }
            pause();
            self.thread = board.victim.load(SeqCst);
        }
        match self.wait(false)? {
            Stop::Mark => {}
            other => return Err(format!("the victim did not begin: {other:?}")),
        }
        // SAFETY: a stopped thread that we trace.
        unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, self.thread, 0, libc::PTRACE_O_EXITKILL) };
        Ok(())
    }

    /// Steps through the operation, to its end.
    pub(crate) fn record(&self) -> Result<Trace, String> {
        let mut trace = Trace::default();
        loop {
            trace.addresses.push(arch::address(self.thread));
            self.resume(libc::PTRACE_SINGLESTEP)?;
            let mut stop = self.wait(true)?;
            if stop == Stop::Asleep {
                trace.slept.push(trace.addresses.len() - 1);
                stop = self.wait(false)?;
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

    /// Leads it to the point. False if it came to its end before.
    pub(crate) fn go_to(&self, point: Point, trace: &Trace, step_all: bool) -> Result<bool, String> {
        let last = point.after >= trace.length();
        if last {
            self.resume(libc::PTRACE_CONT)?;
            return Ok(self.wait(false)? == Stop::Mark);
        }
        let way = if step_all { vec![None; point.after] } else { trace.way(point.after) };
        for leg in way {
            let is_there = match leg {
                Some(address) => self.run_to(address)?,
                None => {
                    self.resume(libc::PTRACE_SINGLESTEP)?;
                    self.wait(false)? == Stop::Trap
                }
            };
            if !is_there {
                return Ok(false);
            }
        }
        if point.asleep {
            self.resume(libc::PTRACE_SINGLESTEP)?;
            return Ok(self.wait(true)? == Stop::Asleep);
        }
        Ok(true)
    }

    /// Leads it to where the address comes for the next time.
    fn run_to(&self, address: u64) -> Result<bool, String> {
        let there = arch::Breakpoint::insert(self.thread, address);
        self.resume(libc::PTRACE_CONT)?;
        if self.wait(false)? != Stop::Trap || arch::address(self.thread) != there.seen_at() {
            return Ok(false);
        }
        there.remove();
        Ok(true)
    }

    fn resume(&self, how: libc::c_uint) -> Result<(), String> {
        // SAFETY: a stopped thread that we trace; no signal is passed on.
        match unsafe { libc::ptrace(how, self.thread, 0, 0) } {
            0 => Ok(()),
            _ => Err(format!("the victim cannot be led on: {}", std::io::Error::last_os_error())),
        }
    }

    /// Waits for the next stop; `or_sleep`: or until it sleeps on a futex.
    fn wait(&self, or_sleep: bool) -> Result<Stop, String> {
        let begin = Instant::now();
        for round in 0u32.. {
            let mut status = 0;
            // SAFETY: our own child or its thread.
            let answer = unsafe { libc::waitpid(self.thread, &mut status, libc::WNOHANG | libc::__WALL) };
            if answer < 0 {
                return Err(format!("the victim is lost: {}", std::io::Error::last_os_error()));
            }
            if answer != 0 {
                return match () {
                    () if libc::WIFSTOPPED(status) => match libc::WSTOPSIG(status) {
                        libc::SIGTRAP => Ok(Stop::Trap),
                        libc::SIGSTOP => Ok(Stop::Mark),
                        signal => Err(format!("the victim was stopped by signal {signal}")),
                    },
                    () if libc::WIFEXITED(status) => Ok(Stop::Ended(libc::WEXITSTATUS(status))),
                    () => Ok(Stop::Ended(-libc::WTERMSIG(status))),
                };
            }
            if round < 20 {
                std::thread::yield_now();
                continue;
            }
            if or_sleep && sleep_of(self.thread).is_some() {
                return Ok(Stop::Asleep);
            }
            if begin.elapsed() > STOPS_WITHIN {
                return Err("the victim came to no end: it does not get through itself".into());
            }
            pause();
        }
        unreachable!("rounds do not run out");
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // SAFETY: our own child. (If it was reaped already because it ended by itself, nobody else has its id this soon.)
        unsafe { libc::kill(self.process, libc::SIGKILL) };
        // The thread first: its process does not end before it is reaped by who traces it.
        for task in [self.thread, self.process] {
            let mut status = 0;
            // A stop from before the signal may come first. The thread may be the process, and 0 is no thread.
            // SAFETY: our own child and its thread, which end by the signal above.
            while task > 0
                && unsafe { libc::waitpid(task, &mut status, libc::__WALL) } == task
                && libc::WIFSTOPPED(status)
            {}
        }
    }
}

/// A moment in which others run.
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_micros(20));
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use core::mem::offset_of;

    pub(super) const HAS_BREAKPOINTS: bool = true;
    const RIP: usize = offset_of!(libc::user, regs) + offset_of!(libc::user_regs_struct, rip);

    /// Where a stopped thread is.
    pub(super) fn address(thread: i32) -> u64 {
        // SAFETY: a stopped thread that we trace.
        unsafe { libc::ptrace(libc::PTRACE_PEEKUSER, thread, RIP, 0) as u64 }
    }

    /// A breakpoint in a stopped thread's memory, which is a private copy of ours.
    #[derive(Debug)]
    pub(super) struct Breakpoint {
        thread: i32,
        address: u64,
        code: i64,
    }

    impl Breakpoint {
        pub(super) fn insert(thread: i32, address: u64) -> Self {
            const INT3: i64 = 0xcc;
            // SAFETY: a stopped thread that we trace; one byte is changed, and put back by `remove`.
            unsafe {
                let code = libc::ptrace(libc::PTRACE_PEEKTEXT, thread, address, 0);
                libc::ptrace(libc::PTRACE_POKETEXT, thread, address, code & !0xff | INT3);
                Self { thread, address, code }
            }
        }
        /// Where a thread is found that ran into it.
        pub(super) fn seen_at(&self) -> u64 {
            self.address + 1
        }
        /// Takes it away, and puts the thread that ran into it back before it.
        pub(super) fn remove(&self) {
            // SAFETY: as above.
            unsafe {
                libc::ptrace(libc::PTRACE_POKETEXT, self.thread, self.address, self.code);
                libc::ptrace(libc::PTRACE_POKEUSER, self.thread, RIP, self.address);
            }
        }
    }

    /// Whether the instruction is a system call or a locked one: the victim has the same code at the same place as we.
    pub(super) fn is_special(address: u64) -> bool {
        const SYSCALL: [u8; 2] = [0x0f, 0x05];
        if address == 0 {
            return false;
        }
        // SAFETY: the victim, our copy, executed the two bytes there; code does not go away.
        let code = unsafe { (address as *const [u8; 2]).read_unaligned() };
        const LOCK: u8 = 0xf0;
        code == SYSCALL || code[0] == LOCK || matches!(code, [0x86 | 0x87, _] | [0x40..=0x4f, 0x86 | 0x87]) // xchg
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod arch {
    pub(super) const HAS_BREAKPOINTS: bool = false;

    /// Not known.
    pub(super) fn address(_thread: i32) -> u64 {
        0
    }

    #[derive(Debug)]
    pub(super) struct Breakpoint;
    impl Breakpoint {
        pub(super) fn insert(_thread: i32, _address: u64) -> Self {
            Self
        }
        pub(super) fn seen_at(&self) -> u64 {
            0
        }
        pub(super) fn remove(&self) {}
    }

    pub(super) fn is_special(_address: u64) -> bool {
        false
    }
}
