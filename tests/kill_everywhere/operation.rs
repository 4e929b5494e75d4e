//! An operation of the public face: who takes part, what the victim does, and what those that are
//! left must find.
//!
//! ```ignore
//! operation("Mutex", "unlock, while one sleeps", segment)           // what is shared, made anew for every run
//!     .before("sleeper", |s| get_through(s))                        // is there, and asleep, when the victim begins
//!     .victim(|s| {
//!         let guard = s.pair.lock().expect("free");                 // prepares
//!         s.dies_in(|| drop(guard));                                // is killed after every instruction of this
//!     })
//!     .after("newcomer", |s| get_through(s))                        // comes when the sleeper is through
//!     .sees(&["newcomer ok", "newcomer owner died"])                // each of these must come about somewhere
//! ```
//!
//! Each run is a fresh one: new segment, new processes, all forked by a process of one thread. A
//! survivor *tells* a word for the table, or what is wrong; one that does not end within [`BOUND`]
//! is wrong, too.

use super::stage::{Board, MOST_ROLES, Sleep, Stage, Told, has_ended, sleep_of};
use super::trace::{Care, Point, Trace};
use super::victim::{Victim, pause};
use crate::common::fork;
use outlive::{Segment, Shareable};
use std::time::{Duration, Instant};

/// How long survivors may take, which typically takes microseconds. The net is off.
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
    naps: bool,
    bound: Duration,
}

/// Begins the description of an operation. `set` makes what is shared, given a name that is free to
/// use.
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
        naps: false,
        bound: BOUND,
    }
}

impl<W> Script<W> {
    fn role(mut self, name: &'static str, when: When, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        assert!(self.roles.len() < MOST_ROLES, "more than the board has room for");
        self.roles.push(Role { name, when, act: Box::new(act) });
        self
    }
    /// One that is there before the victim. The next begins when it says [`ready`](Stage::ready),
    /// sleeps for good, or ends [by death](Stage::ends_by_death); otherwise it stays until all of
    /// its kind are through.
    pub(crate) fn before(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::Before, act)
    }
    /// One that comes as soon as the victim is dead, perhaps to help those that were there before.
    /// Whoever comes wakes sleepers: where these must get through by themselves, there is nobody of
    /// the kind.
    pub(crate) fn meanwhile(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::Meanwhile, act)
    }
    /// One that comes after the victim's death, when those that were there before have got through
    /// by themselves.
    pub(crate) fn after(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::After, act)
    }
    /// One that comes when all the others have ended, alone.
    pub(crate) fn last(self, name: &'static str, act: impl Fn(&Stage<W>) -> Told + 'static) -> Self {
        self.role(name, When::Last, act)
    }
    /// The one that is killed, in its [`dies_in`](Stage::dies_in).
    pub(crate) fn victim(mut self, act: impl Fn(&Stage<W>) + 'static) -> Self {
        self.victim = Box::new(act);
        self
    }
    /// Words of the table that must come about when all instructions are tried: else nothing was
    /// shown.
    pub(crate) fn sees(mut self, words: &'static [&'static str]) -> Self {
        self.sees = words;
        self
    }
    /// How often the victim must sleep in its operation when all instructions are tried.
    pub(crate) fn sleeps(mut self, times: usize) -> Self {
        self.sleeps = times;
        self
    }
    /// The victim sleeps in its operation, be it for a moment only: it is also killed there.
    pub(crate) fn naps(mut self) -> Self {
        self.naps = true;
        self
    }
    /// Another bound than [`BOUND`].
    pub(crate) fn within(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }
}

/// Where the victim is to be led in one run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Drive<'t> {
    /// To its end, and every instruction is written down; or as far as it gets `within` this time.
    Record { within: Option<Duration> },
    /// To that point of the trace; how carefully.
    To { point: Point, trace: &'t Trace, care: Care },
}

/// How one run went.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What the survivors told, or what is wrong.
    pub(crate) told: Result<String, String>,
    /// The trace, of a run that recorded.
    pub(crate) trace: Option<Trace>,
    /// Whether the victim was killed where it was to be.
    pub(crate) as_led: bool,
}

/// An operation, whatever is shared in it.
pub(crate) trait Operation {
    fn name(&self) -> String;
    fn sees(&self) -> &'static [&'static str];
    fn sleeps(&self) -> usize;
    fn naps(&self) -> bool;
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
        // SAFETY: a wish of this process about itself; the parent may have ended before it was
        // heard.
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
    /// The victim, which takes part in the segment before it begins.
    pub(crate) fn joined_victim(self, act: impl Fn(&Stage<Segment<T>>) + 'static) -> Self {
        self.victim(move |s| {
            s.attach().expect("room");
            act(s);
        })
    }
    /// The same, which begins when the second of the cast sleeps.
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

    /// Waits until one that has just been started is ready.
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

    /// Waits until all have ended.
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
            // Not where all have ended by now: it may be the kernel that took long, over the end of
            // the last.
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

    fn naps(&self) -> bool {
        self.naps
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

/// Removes what earlier checks have left that were killed themselves.
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

/// Removes what contains the name in the shared-memory file system, and gives the names.
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
