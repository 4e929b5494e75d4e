//! The place where the processes of one run meet: a page of memory besides the segment under test.
//! Also how they observe each other.

use super::victim::{mark, trace_me};
use std::fmt::Write as _;
use std::io::Read as _;
use std::ops::Deref;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// The report of a survivor: a short word for the table, or what is wrong.
pub(crate) type Told = Result<&'static str, String>;

/// The highest number of processes in one run, besides the victim.
pub(crate) const MOST_ROLES: usize = 8;
const LONGEST_REPORT: usize = 400;

/// Memory that all processes of a run share. So they need nothing of what is under test in order to
/// meet.
#[derive(Debug)]
pub(crate) struct Board {
    /// The thread that is to be killed, as soon as it is ready. Minus one if it cannot be traced.
    pub(crate) victim: AtomicI32,
    victim_is_ready: AtomicU32,
    /// The victim is single-stepped, which takes long.
    is_stepped: AtomicU32,
    /// How its tracer saw the victim asleep: 1 for a while, 2 for good.
    asleep: AtomicU32,
    killed: AtomicU32,
    ready: [AtomicU32; MOST_ROLES],
    processes: [AtomicI32; MOST_ROLES],
    reports: [Report; MOST_ROLES],
}

/// Length plus one, and bytes; 0 as long as there is no report.
#[derive(Debug)]
struct Report {
    length: AtomicU32,
    bytes: [AtomicU8; LONGEST_REPORT],
}

impl Board {
    /// A board for this process and its forked children.
    pub(crate) fn new() -> &'static Self {
        // SAFETY: new memory of that size, never unmapped; zeros are a valid board.
        unsafe {
            let place = libc::mmap(
                core::ptr::null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(place, libc::MAP_FAILED, "a page of memory");
            &*place.cast::<Self>()
        }
    }

    /// Resets the board. No process of the run before is left.
    pub(crate) fn wipe(&self, is_stepped: bool) {
        self.is_stepped.store(is_stepped.into(), SeqCst);
        self.victim.store(0, SeqCst);
        self.victim_is_ready.store(0, SeqCst);
        self.asleep.store(0, SeqCst);
        self.killed.store(0, SeqCst);
        self.ready.iter().for_each(|ready| ready.store(0, SeqCst));
        self.reports.iter().for_each(|report| report.length.store(0, SeqCst));
    }

    /// Called by the victim's tracer: lets the roles go on that wait for the victim's sleep. Only
    /// the tracer looks for that sleep. Otherwise a role could wake the victim before the tracer
    /// saw it asleep.
    pub(crate) fn tell_of_its_sleep(&self, sleep: Sleep) {
        self.asleep.fetch_max(sleep as u32, SeqCst);
    }

    pub(crate) fn tell_of_the_kill(&self) {
        self.killed.store(1, SeqCst);
        // SAFETY: the call only passes the word's address.
        unsafe { libc::syscall(libc::SYS_futex, self.killed.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
    }

    /// Waits for the kill, at most that long.
    fn pause(&self, most: Duration) {
        let timeout = libc::timespec { tv_sec: 0, tv_nsec: most.subsec_nanos().into() };
        // SAFETY: a word that stays mapped, and a timeout on the stack.
        unsafe { libc::syscall(libc::SYS_futex, self.killed.as_ptr(), libc::FUTEX_WAIT, 0, &raw const timeout) };
    }

    pub(crate) fn is_ready(&self, role: usize) -> bool {
        self.ready[role].load(SeqCst) != 0
    }

    pub(crate) fn started(&self, role: usize, process: i32) {
        self.processes[role].store(process, SeqCst);
    }

    pub(crate) fn report(&self, role: usize, text: &str) {
        let report = &self.reports[role];
        let bytes = &text.as_bytes()[..text.len().min(LONGEST_REPORT)];
        for (place, byte) in report.bytes.iter().zip(bytes) {
            place.store(*byte, SeqCst);
        }
        report.length.store(bytes.len() as u32 + 1, SeqCst);
    }

    pub(crate) fn reported(&self, role: usize) -> Option<String> {
        let report = &self.reports[role];
        let length = report.length.load(SeqCst).checked_sub(1)?;
        let bytes: Vec<u8> = report.bytes[..length as usize].iter().map(|byte| byte.load(SeqCst)).collect();
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What a role of a run works with: what was set up before the run, and the other roles.
#[derive(Debug)]
pub(crate) struct Stage<W> {
    world: W,
    board: &'static Board,
    role: AtomicUsize,
    is_mortal: AtomicU32,
    name: String,
}

impl<W> Deref for Stage<W> {
    type Target = W;
    fn deref(&self) -> &W {
        &self.world
    }
}

impl<W> Stage<W> {
    pub(crate) fn new(world: W, board: &'static Board, name: String) -> Self {
        Self { world, board, role: AtomicUsize::new(MOST_ROLES), is_mortal: AtomicU32::new(0), name }
    }

    pub(crate) fn become_role(&self, role: usize) {
        self.role.store(role, SeqCst);
    }

    /// A segment name for this run alone. When the last survivor has ended, the shared-memory file
    /// system must contain no file whose name contains it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The victim's operation. It is killed after every instruction of it, once in each run. The
    /// result is not dropped.
    pub(crate) fn dies_in<R>(&self, operation: impl FnOnce() -> R) {
        self.dies_from_here();
        self.dies_until_here(std::hint::black_box(operation()));
    }

    /// For a victim whose operation calls back: begins, in the callback, the part that ends
    /// [outside](Self::dies_until_here).
    pub(crate) fn dies_from_here(&self) {
        // SAFETY: gettid and getpid have no preconditions.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        let traced = trace_me();
        self.board.victim.store(if traced { thread } else { -1 }, SeqCst);
        mark(process, thread);
    }

    /// The end of the victim's operation, with its result.
    pub(crate) fn dies_until_here<R>(&self, result: R) {
        // SAFETY: as above.
        let (process, thread) = unsafe { (libc::getpid(), libc::gettid()) };
        mark(process, thread);
        core::mem::forget(result);
        self.until_the_kill();
    }

    /// A timeout for the victim's sleep, long enough that the victim falls asleep before it ends.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(if self.board.is_stepped.load(SeqCst) == 0 { 100 } else { 1_000 })
    }

    /// For a role that decides after the victim's death whether it must help others. It has called
    /// `attach` already, because a newcomer would wake sleepers. Waits for the kill.
    pub(crate) fn comes_back_after_the_kill<E: core::fmt::Display, R>(
        &self,
        attach: Result<R, E>,
    ) -> Result<(), String> {
        attach.map_err(|error| error.to_string())?;
        self.ready();
        self.until_the_kill();
        Ok(())
    }

    /// For a role whose end is to be a death like the victim's. The role does not stay for the
    /// others.
    pub(crate) fn ends_by_death(&self) {
        self.is_mortal.store(1, SeqCst);
    }

    /// Stays until these roles have reported. The end of a participant wakes all sleepers, which
    /// then would not have got through by themselves.
    pub(crate) fn stay_for(&self, roles: impl Iterator<Item = usize>) {
        if self.is_mortal.load(SeqCst) != 0 {
            return;
        }
        for role in roles {
            while self.board.reports[role].length.load(SeqCst) == 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Lets the next role begin. A role need not call this if it ends, or falls asleep without a
    /// timeout.
    pub(crate) fn ready(&self) {
        self.board.ready[self.role.load(SeqCst)].store(1, SeqCst);
    }

    /// For the victim: lets the roles go on that wait for it, such as sleepers that wait for what
    /// it holds.
    pub(crate) fn victim_is_ready(&self) {
        self.board.victim_is_ready.store(1, SeqCst);
    }

    /// Waits until the victim [is ready](Self::victim_is_ready), or is dead.
    pub(crate) fn until_the_victim_is_ready(&self) {
        self.until(|| self.board.victim_is_ready.load(SeqCst) != 0);
    }

    /// For the victim: waits until these roles, by number, sleep for good.
    pub(crate) fn until_they_sleep(&self, roles: &[usize]) {
        self.until(|| roles.iter().all(|role| self.sleeps_for_good(*role)));
    }

    /// Whether a role, by number, sleeps for good at this moment.
    pub(crate) fn sleeps_for_good(&self, role: usize) -> bool {
        sleep_of(self.board.processes[role].load(SeqCst)) == Some(Sleep::ForGood)
    }

    /// For a role whose thread leaks something and ends, and whose process lives until the victim
    /// is dead.
    ///
    /// The role waits awake for that thread. A role that sleeps without a timeout counts as
    /// [ready](Self::ready), and joining a thread is such a sleep. The victim would then begin
    /// before the leak.
    pub(crate) fn leaks_in_a_thread(&self, leak: impl FnOnce() + Send) -> Told {
        let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        std::thread::scope(|scope| {
            scope.spawn(leak);
            while threads() > 1 {
                std::thread::yield_now();
            }
        });
        self.ready();
        self.until_the_kill();
        Ok("")
    }

    fn is_over(&self) -> bool {
        self.board.killed.load(SeqCst) != 0
    }

    /// Waits until the victim is dead.
    pub(crate) fn until_the_kill(&self) {
        while !self.is_over() {
            self.board.pause(Duration::from_millis(50));
        }
    }

    /// Waits until the victim sleeps on a futex, even if briefly, or is dead.
    pub(crate) fn until_the_victim_sleeps(&self) {
        self.until(|| self.board.asleep.load(SeqCst) >= Sleep::ForAWhile as u32);
    }

    /// Waits until the victim sleeps on a futex without a timeout, or is dead.
    pub(crate) fn until_the_victim_sleeps_for_good(&self) {
        self.until(|| self.board.asleep.load(SeqCst) >= Sleep::ForGood as u32);
    }

    /// Does not check often: this process runs on the victim's processor.
    fn until(&self, done: impl Fn() -> bool) {
        while !self.is_over() && !done() {
            self.board.pause(Duration::from_micros(100));
        }
    }
}

/// How a thread sleeps on a futex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sleep {
    /// Until a certain moment, or a wake.
    ForAWhile = 1,
    /// Until a wake.
    ForGood = 2,
}

/// How a thread sleeps on a futex, if it does, judged by its current system call.
pub(crate) fn sleep_of(thread: i32) -> Option<Sleep> {
    let mut path = String::new();
    write!(path, "/proc/{thread}/syscall").expect("a string takes everything");
    let mut buffer = [0; 256];
    let length = std::fs::File::open(path).and_then(|mut file| file.read(&mut buffer)).ok()?;
    let text = core::str::from_utf8(&buffer[..length]).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let call: i64 = fields.next()?.parse().ok()?; // or "running", or -1
    let mut arguments = fields.map(|field| u64::from_str_radix(field.trim_start_matches("0x"), 16).unwrap_or(u64::MAX));
    let operation = arguments.nth(1)? as i32 & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    let timeout = arguments.nth(1)?;
    let waits = match call {
        libc::SYS_futex => matches!(operation, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET),
        libc::SYS_futex_waitv => true,
        _ => false,
    };
    waits.then_some(if timeout == 0 { Sleep::ForGood } else { Sleep::ForAWhile })
}

/// The status of a child (minus the signal, if one ended it), if it has ended. The child is then
/// reaped. Stops of a traced child remain to be waited for.
pub(crate) fn has_ended(process: i32) -> Option<i32> {
    let only_look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: zeros are a valid record, which is filled; a child of ours.
    let about = unsafe {
        let mut about: libc::siginfo_t = core::mem::zeroed();
        libc::waitid(libc::P_PID, process as u32, &mut about, only_look);
        about
    };
    matches!(about.si_code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED)
        .then(|| super::common::wait(process))
}
