//! The description of an operation: which roles take part, what the victim does, and what the
//! survivors must find.
//!
//! ```ignore
//! operation("Mutex", "unlock, while one sleeps", segment)           // what is shared, made for every run
//!     .before("sleeper", |s| get_through(s))                        // present, and asleep, when the victim begins
//!     .victim(|s| {
//!         let guard = s.pair.lock().expect("free");                 // prepares
//!         s.dies_in(|| drop(guard));                                // is killed after every instruction of this
//!     })
//!     .after("newcomer", |s| get_through(s))                        // comes when the sleeper is through
//!     .sees(&["newcomer ok", "newcomer owner died"])                // each of these must happen somewhere
//! ```
//!
//! Each run is a fresh one: new segment, new processes, all forked by a process of one thread. A
//! survivor *reports* a word for the table, or what is wrong. A survivor that does not end within
//! [`BOUND`] is wrong, too.

use super::common::fork;
use super::stage::{Board, MOST_ROLES, Sleep, Stage, Told, has_ended, sleep_of};
use super::trace::{Care, Point, Trace};
use super::victim::{Victim, pause};
use outlive::{Segment, Shareable};
use std::time::{Duration, Instant};

/// How long survivors may take. Normally they take microseconds. Rechecks are off.
pub(crate) const BOUND: Duration = Duration::from_secs(5);

/// When a survivor comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    Meanwhile,
    After,
    Last,
}

type Act<W> = Box<dyn Fn(&Stage<W>) -> Told>;

type Deed<W> = Box<dyn Fn(&Stage<W>)>;

struct Role<W> {
    name: &'static str,
    when: When,
    act: Act<W>,
}

/// See the [module](self).
pub(crate) struct Script<W> {
    primitive: &'static str,
    name: String,
    set: Box<dyn Fn(&str) -> W>,
    roles: Vec<Role<W>>,
    victim: Deed<W>,
    sees: &'static [&'static str],
    sleeps: usize,
    sleeps_briefly: bool,
    bound: Duration,
}

/// Begins the description of an operation. `set` makes what is shared, and gets a name that is free
/// to use.
pub(crate) fn operation<W>(
    primitive: &'static str,
    name: impl Into<String>,
    set: impl Fn(&str) -> W + 'static,
) -> Script<W> {
    Script {
        primitive,
        name: name.into(),
        set: Box::new(set),
        roles: Vec::new(),
        victim: Box::new(|_| {}),
        sees: &[],
        sleeps: 0,
        sleeps_briefly: false,
        bound: BOUND,
    }
}

impl<W> Script<W> {
    fn role(mut self, name: &'static str, when: When, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        assert!(self.roles.len() < MOST_ROLES, "more than the board has room for");
        self.roles.push(Role { name, when, act: Box::new(act) });
        self
    }
    /// A role that begins before the victim. The next role begins when this one says
    /// [`ready`](Stage::ready), sleeps for good, or ends [by death](Stage::ends_by_death).
    /// Otherwise it stays until all roles of this kind are through.
    pub(crate) fn before(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::Before, act)
    }
    /// A role that begins as soon as the victim is dead. It may help those that began before. A
    /// newcomer wakes sleepers, so an operation whose sleepers must get through by themselves has
    /// no such role.
    pub(crate) fn meanwhile(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::Meanwhile, act)
    }
    /// A role that begins after the victim's death, when the roles from before have got through by
    /// themselves.
    pub(crate) fn after(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::After, act)
    }
    /// A role that begins, alone, when all the others have ended.
    pub(crate) fn last(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::Last, act)
    }
    /// The role that is killed, in its [`dies_in`](Stage::dies_in).
    pub(crate) fn victim(mut self, act: impl Fn(&Stage<W>) + 'static) -> Self {
        self.victim = Box::new(act);
        self
    }
    /// Words of the table that must appear when all instructions are tried. Otherwise the operation
    /// shows nothing.
    pub(crate) fn sees(mut self, words: &'static [&'static str]) -> Self {
        self.sees = words;
        self
    }
    /// How often the victim must sleep in its operation when all instructions are tried.
    pub(crate) fn sleeps(mut self, times: usize) -> Self {
        self.sleeps = times;
        self
    }
    /// The victim sleeps in its operation, even if only briefly. It is also killed there.
    pub(crate) fn sleeps_briefly(mut self) -> Self {
        self.sleeps_briefly = true;
        self
    }
    /// Another time limit than [`BOUND`].
    pub(crate) fn within(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }
}

/// How far the victim is led in one run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Drive<'t> {
    /// To its end, and every instruction is recorded; or as far as it gets `within` this time.
    Record { within: Option<Duration> },
    /// To this point of the trace, with this much care.
    To { point: Point, trace: &'t Trace, care: Care },
}

/// The result of one run.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What the survivors reported, or what is wrong.
    pub(crate) told: Result<String, String>,
    /// The trace, if the run recorded one.
    pub(crate) trace: Option<Trace>,
    /// Whether the victim was killed at the intended point.
    pub(crate) as_led: bool,
}

/// An operation, whatever data it shares.
pub(crate) trait Operation {
    fn name(&self) -> String;
    fn sees(&self) -> &'static [&'static str];
    fn sleeps(&self) -> usize;
    fn sleeps_briefly(&self) -> bool;
    /// One run. Leaves nothing behind.
    fn run(&self, drive: Drive<'_>, board: &'static Board, name: &str) -> Ran;
}

/// Children that are killed and reaped when dropped.
#[derive(Debug)]
struct Children(Vec<(usize, i32)>);

impl Drop for Children {
    fn drop(&mut self) {
        for (_, process) in &self.0 {
            // SAFETY: our own children, not reaped yet.
            unsafe {
                libc::kill(*process, libc::SIGKILL);
                libc::waitpid(*process, core::ptr::null_mut(), 0);
            }
        }
    }
}

/// Forks a process that ends with its parent.
pub(crate) fn fork_bound(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: getpid has no preconditions.
    let parent = unsafe { libc::getpid() };
    fork(|| {
        // SAFETY: a request of this process about itself. The parent may have ended before the
        // request took effect.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                libc::_exit(1);
            }
        }
        body()
    })
}

impl<T: Shareable + Sync + 'static> Script<Segment<T>> {
    /// A victim that registers in the segment before it begins.
    pub(crate) fn joined_victim(self, act: impl Fn(&Stage<Segment<T>>) + 'static) -> Self {
        self.victim(move |s| {
            s.attach().expect("room");
            act(s);
        })
    }
    /// The same, and the victim begins when the second role sleeps.
    pub(crate) fn victim_beside_a_sleeper(self, act: impl Fn(&Stage<Segment<T>>) + 'static) -> Self {
        self.joined_victim(move |s| {
            s.until_they_sleep(&[1]);
            act(s);
        })
    }
}

impl<W> Script<W> {
    fn start(&self, index: usize, stage: &Stage<W>, board: &'static Board, children: &mut Children) {
        let process = fork_bound(|| {
            stage.become_role(index);
            let told = (self.roles[index].act)(stage);
            let (status, text) = match &told {
                Ok(word) => (0, *word),
                Err(wrong) => (1, wrong.as_str()),
            };
            board.report(index, text);
            if status == 0 && self.roles[index].when == When::Before {
                stage.stay_for(self.those(When::Before));
            }
            status
        });
        board.started(index, process);
        children.0.push((index, process));
    }

    fn those(&self, when: When) -> impl Iterator<Item = usize> + '_ {
        (0..self.roles.len()).filter(move |index| self.roles[*index].when == when)
    }

    /// Waits until the role that was just started is ready.
    fn until_ready(&self, board: &Board, children: &mut Children, told: &mut [String]) -> Result<(), String> {
        let (index, process) = *children.0.last().expect("just started");
        let begin = Instant::now();
        while !board.is_ready(index) && sleep_of(process) != Some(Sleep::ForGood) {
            if let Some(status) = has_ended(process) {
                children.0.pop();
                return self.hear(index, status, board, told);
            }
            if begin.elapsed() > self.bound {
                return Err(format!("{} is not ready within {:?}", self.roles[index].name, self.bound));
            }
            pause(begin);
        }
        Ok(())
    }

    /// Waits until all roles have ended.
    fn until_all_have_ended(&self, board: &Board, children: &mut Children, told: &mut [String]) -> Result<(), String> {
        let begin = Instant::now();
        while !children.0.is_empty() {
            let mut at = 0;
            while let Some((index, process)) = children.0.get(at).copied() {
                match has_ended(process) {
                    Some(status) => {
                        children.0.remove(at);
                        self.hear(index, status, board, told)?;
                    }
                    None => at += 1,
                }
            }
            // No error if all have ended by now: perhaps the kernel took long to end the last.
            if !children.0.is_empty() && begin.elapsed() > self.bound {
                let left: Vec<_> = children.0.iter().map(|(index, _)| self.roles[*index].name).collect();
                return Err(format!("not through within {:?}: {}", self.bound, left.join(", ")));
            }
            pause(begin);
        }
        Ok(())
    }

    fn hear(&self, index: usize, status: i32, board: &Board, told: &mut [String]) -> Result<(), String> {
        let name = self.roles[index].name;
        match (status, board.reported(index)) {
            (0, Some(word)) => {
                if !word.is_empty() {
                    told[index] = format!("{name} {word}");
                }
                Ok(())
            }
            (1, Some(wrong)) => Err(format!("{name}: {wrong}")),
            (status, _) => Err(format!("{name} ended with status {status}")),
        }
    }

    fn play(&self, drive: Drive<'_>, board: &'static Board, name: &str, ran: &mut Ran) -> Result<String, String> {
        board.wipe(matches!(drive, Drive::Record { .. } | Drive::To { care: Care::Some | Care::More, .. }));
        let stage = Stage::new((self.set)(name), board, name.to_owned());
        let mut told = vec![String::new(); self.roles.len()];
        let mut children = Children(Vec::new());
        for index in self.those(When::Before) {
            self.start(index, &stage, board, &mut children);
            self.until_ready(board, &mut children, &mut told)?;
        }
        let process = fork_bound(|| {
            (self.victim)(&stage);
            1
        });
        let mut victim = Victim::new(process);
        victim.wait_for_its_mark(board)?;
        match drive {
            Drive::Record { within } => ran.trace = Some(victim.record(board, within)?),
            Drive::To { point, trace, care } => ran.as_led = victim.go_to(board, point, trace, care)?,
        }
        drop(victim); // by SIGKILL
        board.tell_of_the_kill();
        for when in [When::Meanwhile, When::After] {
            for index in self.those(when) {
                self.start(index, &stage, board, &mut children);
            }
            self.until_all_have_ended(board, &mut children, &mut told)?;
        }
        for index in self.those(When::Last) {
            self.start(index, &stage, board, &mut children);
            self.until_all_have_ended(board, &mut children, &mut told)?;
        }
        told.retain(|word| !word.is_empty());
        Ok(told.join(", "))
    }
}

impl<W> Operation for Script<W> {
    fn name(&self) -> String {
        format!("{}: {}", self.primitive, self.name)
    }

    fn sees(&self) -> &'static [&'static str] {
        self.sees
    }

    fn sleeps(&self) -> usize {
        self.sleeps
    }

    fn sleeps_briefly(&self) -> bool {
        self.sleeps_briefly
    }

    fn run(&self, drive: Drive<'_>, board: &'static Board, name: &str) -> Ran {
        let mut ran = Ran { told: Ok(String::new()), trace: None, as_led: true };
        ran.told = self.play(drive, board, name, &mut ran);
        let left = remove_leftovers(name);
        if ran.told.is_ok() && !left.is_empty() {
            ran.told = Err(format!("left behind: {}", left.join(", ")));
        }
        ran
    }
}

/// Removes what earlier runs of this check left behind because they were killed.
pub(crate) fn remove_leftovers_of_the_dead() {
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let process = found.split_once("outlive-kill-").and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
        // SAFETY: signal 0 only asks whether the process exists.
        if process.is_some_and(|process: i32| unsafe { libc::kill(process, 0) } != 0) {
            remove_leftovers(&found);
        }
    }
}

/// Removes everything in the shared-memory file system whose name contains `name`, and returns the
/// names.
pub(crate) fn remove_leftovers(name: &str) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        if found.contains(name) {
            let path = entry.path();
            let _not_there_any_more = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
            left.push(found);
        }
    }
    left
}
