//! The way of a victim through its operation, from mark to mark: the instructions after which later
//! victims are killed, and how to get there.

use super::arch;
use std::collections::HashMap;

/// The way of a victim through its operation, from mark to mark.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// The address of each instruction; 0 where it is not known.
    addresses: Vec<u64>,
    /// The instructions that changed shared memory.
    changes: Vec<usize>,
    /// The instructions that slept.
    slept: Vec<usize>,
    /// The cheapest way to each instruction.
    legs: Vec<Leg>,
    /// There was no time to record the rest of the operation.
    is_cut: bool,
}

/// The point where a victim is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// After so many instructions of its operation.
    After(usize),
    /// In the instruction after so many, which is a system call, as soon as the victim sleeps
    /// there.
    AsleepAfter(usize),
    /// As soon as the victim sleeps for the first time in a run at full speed. (A short sleep of a
    /// millisecond is over before a single-stepped victim gets there.)
    FirstSleep,
}

/// How carefully a victim is led. The first is the fastest; with the last, the fewest runs go
/// astray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    No,
    Some,
    More,
}

/// The last part of the way to an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leg {
    /// A single step from the instruction before.
    Step,
    /// A breakpoint, set at this earlier instruction: runs until the address comes for the next
    /// time.
    HopFrom(usize),
}

impl Trace {
    /// Records that the next instruction is at this address.
    pub(crate) fn note(&mut self, address: u64) {
        self.addresses.push(address);
    }
    /// Records that the last instruction slept.
    pub(crate) fn note_sleep(&mut self) {
        self.slept.push(self.addresses.len() - 1);
    }
    /// Records that the last instruction changed shared memory, or another process did meanwhile.
    pub(crate) fn note_change(&mut self) {
        self.changes.push(self.addresses.len() - 1);
    }
    /// Records that the operation goes on where this trace ends.
    pub(crate) fn end_before_the_operation(&mut self) {
        self.is_cut = true;
    }
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }
    pub(crate) fn sleeps(&self) -> usize {
        self.slept.len()
    }

    /// A description of the point for people.
    pub(crate) fn describe(&self, point: Point) -> String {
        let (after, asleep) = match point {
            Point::After(after) => (after, ""),
            Point::AsleepAfter(after) => (after, ", asleep in the next"),
            Point::FirstSleep => return "asleep for the first time".into(),
        };
        format!("after {after} of {} instructions{asleep}, at {}", self.length(), place(self.address(after)))
    }

    /// The number of instructions of the operation.
    pub(crate) fn length(&self) -> usize {
        self.addresses.len()
    }

    fn address(&self, after: usize) -> u64 {
        self.addresses.get(after).copied().unwrap_or(0)
    }

    /// After every instruction, and in every sleep. A repeated string instruction (`rep movsb`)
    /// stays at its address: it counts after its 1st, 2nd, 4th, 8th… repetition.
    pub(crate) fn every_point(&self) -> Vec<Point> {
        let mut points = Vec::new();
        let mut repeated = 0usize;
        for after in 0..=self.length() {
            let stayed = after > 0 && self.address(after) != 0 && self.address(after) == self.address(after - 1);
            repeated = if stayed { repeated + 1 } else { 0 };
            if repeated == 0 || repeated.is_power_of_two() {
                points.push(Point::After(after));
            }
        }
        points.extend(self.slept.iter().map(|after| Point::AsleepAfter(*after)));
        points
    }

    /// About `most` points. Half of them are evenly spread. The others are before and after
    /// instructions that change shared memory, system calls and locked instructions, evenly chosen
    /// of each kind; in every sleep; and at both ends. Also returns the distance of the evenly
    /// spread points.
    pub(crate) fn some_points(&self, most: usize) -> (Vec<Point>, usize) {
        let every = self.every_point();
        let stride = every.len().div_ceil(most / 2).max(1);
        let number = |point: &Point| if let Point::After(after) = point { Some(*after) } else { None };
        let mut chosen: Vec<usize> = every.iter().step_by(stride).filter_map(number).collect();
        chosen.extend((!self.is_cut).then_some(self.length()));
        let special: Vec<usize> = (0..self.length()).filter(|at| arch::is_special(self.address(*at))).collect();
        for (kind, most) in [(&special, most / 4), (&self.changes, most / 2)] {
            let some = kind.iter().step_by(kind.len().div_ceil(most).max(1));
            chosen.extend(some.flat_map(|at| [*at, at + 1]));
        }
        chosen.sort_unstable();
        chosen.dedup();
        if self.is_cut {
            chosen.retain(|at| *at < self.length());
        }
        let asleep = self.slept.iter().map(|after| Point::AsleepAfter(*after));
        (chosen.into_iter().map(Point::After).chain(asleep).collect(), stride)
    }

    /// Finds the cheapest way to each instruction. A hop leads to the next time that an address
    /// comes, so it may begin anywhere after the last time. (It cannot begin exactly there: the
    /// breakpoint would stop it at once.)
    pub(crate) fn find_ways(&mut self) {
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

    /// A way to an instruction by which few runs go astray. It hops to an earlier address that
    /// comes for the first time, and steps from there. (Loops over what is in /proc differ in every
    /// run.) With `more` care it does not use the last such address, because not every run may
    /// reach that.
    pub(crate) fn careful_way(&self, to: usize, more: bool) -> Vec<Option<u64>> {
        let mut landmarks = (1..=to).rev().filter(|at| !self.addresses[..*at].contains(&self.addresses[*at]));
        let landmark = landmarks.nth(if more { 20 } else { 0 }).filter(|_| arch::HAS_BREAKPOINTS);
        let hop = landmark.map(|at| Some(self.addresses[at]));
        let steps = to - landmark.unwrap_or(0);
        hop.into_iter().chain(std::iter::repeat_n(None, steps)).collect()
    }

    /// The way to an instruction: an address for each hop, and `None` for each step.
    pub(crate) fn way(&self, to: usize) -> Vec<Option<u64>> {
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

/// The unnamed segments that this process has mapped. What victims change in them is visible from
/// here.
#[derive(Debug)]
pub(crate) struct Shared {
    ranges: Vec<(u64, u64)>,
    seen: Vec<u64>,
}

impl Shared {
    pub(crate) fn look() -> Self {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let ranges = maps.lines().filter(|line| line.contains(" rw-s ") && line.contains("/memfd:outlive"));
        let mut shared = Self { ranges: ranges.filter_map(range).collect(), seen: Vec::new() };
        shared.has_changed();
        shared
    }

    /// Whether anything in them has changed since the last call.
    pub(crate) fn has_changed(&mut self) -> bool {
        let mut changed = false;
        let words = self.ranges.iter().flat_map(|(start, end)| (*start..*end).step_by(8));
        for (index, address) in words.enumerate() {
            // SAFETY: mapped and readable, as the kernel says. They are whole words of plain
            // numbers, which others write meanwhile.
            let word = unsafe { (address as *const u64).read_volatile() };
            match self.seen.get_mut(index) {
                Some(seen) => {
                    changed |= *seen != word;
                    *seen = word;
                }
                None => self.seen.push(word),
            }
        }
        changed
    }
}

/// The range of addresses in a line of a process's map.
fn range(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?))
}

/// Numbers of which the smallest in a range is found quickly: a binary tree in which each node is
/// the smaller of two.
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
    /// The smallest number in `begin..end`, and its place.
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

/// An address in the form for debuggers: its file, and the offset in it.
fn place(address: u64) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let found = maps.lines().find_map(|line| {
        let (start, _) = range(line).filter(|(start, end)| (*start..*end).contains(&address))?;
        let (_, rest) = line.split_once(' ')?;
        let mut fields = rest.split_ascii_whitespace();
        let offset = u64::from_str_radix(fields.nth(1)?, 16).ok()?;
        let file = fields.nth(2)?.rsplit('/').next()?;
        Some(format!("{file}+{:#x}", address - start + offset))
    });
    found.unwrap_or_else(|| format!("{address:#x}"))
}
