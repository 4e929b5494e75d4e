//! Child processes for tests. A child is the test binary itself, run again in a role, with a
//! segment passed to it.
//!
//! The role is run by the test `child`, which is ignored otherwise, because it is only half of a
//! test.

#![allow(dead_code, unreachable_pub)] // each test file uses some of it
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

pub mod any_lock;

use outlive::{Mutex, ParticipantInfo, Segment, Shareable};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// The data that tests share with their children.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Shared {
    /// Two numbers that are equal unless a holder died between the two updates.
    pub pair: Mutex<[u64; 2]>,
    /// A lock without data.
    pub lock: outlive::Lock,
    /// Updates that children report as done.
    pub reported: AtomicU64,
}

/// Each kind of lock, and a condition variable.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Locks {
    /// Data for one at a time.
    pub mutex: Mutex<u64>,
    /// Data that the holder may lock again.
    pub nested: outlive::ReentrantMutex<std::sync::atomic::AtomicU64>,
    /// A lock without data.
    pub lock: outlive::Lock,
    /// Data for readers or a writer.
    pub both: outlive::RwLock<u64>,
    /// For waits with any of the locks.
    pub changed: outlive::Condvar,
}

/// The distance from a lifeline's word to its next link, in the layout of this program's C library.
pub const LINK: u64 = if cfg!(target_env = "musl") { 28 } else { 32 };

/// A segment for a test, in a process without rechecks.
pub fn segment() -> Segment<Shared> {
    segment_of(|_zero| {})
}

/// The same with data of any type.
pub fn segment_of<T: Shareable + Sync>(init: impl FnOnce(&mut T)) -> Segment<T> {
    outlive::test_switches::set_recheck(false);
    Segment::anonymous(init).expect("a segment")
}

/// The limit for anything that normally takes milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `done`, or fails with a message that names `what`.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// The participant entry of a process's main thread.
pub fn entry<T: Shareable + Sync, R: Shareable + Sync>(
    segment: &Segment<T, R>,
    process: u32,
) -> Option<ParticipantInfo> {
    segment.participants().into_iter().find(|p| p.process_id == process)
}

/// Waits until the process sleeps in the segment.
pub fn until_asleep<T: Shareable + Sync, R: Shareable + Sync>(segment: &Segment<T, R>, process: u32) {
    until("a child to fall asleep", || entry(segment, process).is_some_and(|p| is_asleep(&p)));
}

/// How many threads sleep in the segment.
pub fn sleepers<T: Shareable + Sync, R: Shareable + Sync>(segment: &Segment<T, R>) -> usize {
    segment.participants().iter().filter(|p| is_asleep(p)).count()
}

/// Whether a participant sleeps, and the kernel knows of it: a wake that is sent now finds it. What
/// the participant has noted of its sleep alone comes a little earlier.
pub fn is_asleep(participant: &ParticipantInfo) -> bool {
    participant.asleep_for.is_some()
        && participant.thread_id.is_some_and(|thread| is_in_a_futex_call(participant.process_id, thread))
}

/// Whether a thread has left its processor in a futex call. The kernel shows the call of such a
/// thread only.
pub fn is_in_a_futex_call(process: u32, thread: u32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/syscall")).unwrap_or_default();
    let number: Option<i64> = call.split(' ').next().and_then(|number| number.parse().ok());
    number.is_some_and(|number| [libc::SYS_futex, libc::SYS_futex_waitv].contains(&number))
}

/// A name of a segment that no other test uses. The segment is removed when this is dropped.
#[derive(Debug)]
pub struct Name(pub String);

impl Name {
    pub fn new(of: &str) -> Self {
        Self(format!("outlive-test-{of}-{}", std::process::id()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _removed_before = Segment::<()>::remove(&*self.0);
    }
}

/// A number, so often that half an item shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Shareable)]
#[repr(C)]
pub struct Job(pub [u64; 7]);

impl Job {
    pub fn new(number: u64) -> Self {
        Self([number; 7])
    }
    pub fn number(self) -> u64 {
        assert!(self.0.iter().all(|part| *part == self.0[0]), "a part of an item: {self:?}");
        self.0[0]
    }
}

/// Numbers that were received: up to four million, one bit each.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Received {
    bits: [AtomicU64; 1 << 16],
}

impl Received {
    /// Panics if the number has been noted before.
    pub fn note(&self, number: u64) {
        assert!(self.is_first(number), "{number} was received twice");
    }

    /// Notes the number. Returns whether it had not been noted before.
    pub fn is_first(&self, number: u64) -> bool {
        let index = usize::try_from(number / 64).expect("a number of this test");
        let bit = 1 << (number % 64);
        let word = self.bits.get(index).expect("no more numbers than this test can note");
        word.fetch_or(bit, SeqCst) & bit == 0
    }

    pub fn count(&self) -> u64 {
        self.bits.iter().map(|bits| u64::from(bits.load(SeqCst).count_ones())).sum()
    }
}

/// Prints that something was not tried here, past the test runner's capture.
pub fn skipped(reason: &str) {
    use std::io::Write;
    let _nobody_listens = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}

/// A child process in a role. Killed and reaped when dropped.
#[derive(Debug)]
pub struct Actor {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts this test binary's test `child` with `OUTLIVE_ROLE` set. `waitv` says whether it uses
    /// futex_waitv.
    pub fn start<T: Shareable + Sync, R: Shareable + Sync>(segment: &Segment<T, R>, role: &str, waitv: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("own path"));
        command.args(["--ignored", "--exact", "child", "--nocapture", "--test-threads=1"]);
        command.env("OUTLIVE_ROLE", role).env("OUTLIVE_WAITV", if waitv { "1" } else { "0" });
        command.stdout(Stdio::piped()).stdin(Stdio::piped());
        // SAFETY: prctl alone, between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        segment.pass_to(&mut command, "test").expect("passing");
        let mut child = command.spawn().expect("spawning");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, output }
    }

    /// The child's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that the child [says](say).
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("reading");
            assert!(read > 0, "the child ended without a word");
            // The test runner may print its own beginning on the same line.
            if let Some((_, said)) = line.trim_end().split_once("SAYS ") {
                return said.to_owned();
            }
        }
    }

    /// Sends the child a line, if it reads its input line by line.
    pub fn tell(&mut self) {
        use std::io::Write;
        self.child.stdin.as_mut().expect("piped").write_all(b"\n").expect("heard");
    }

    /// Lets the child go on: ends its [`wait_for_the_word`].
    pub fn go_on(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Kills the child by SIGKILL, and reaps it.
    pub fn kill(&mut self) {
        self.child.kill().expect("killing");
        self.child.wait().expect("reaping");
    }

    /// Waits for the child's end. True if it succeeded.
    pub fn ends_well(&mut self) -> bool {
        self.go_on();
        self.child.wait().expect("waiting").success()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _reaped_before = self.child.wait();
    }
}

/// In a child: its role. Sets the switches that the parent asked for.
pub fn role() -> Option<String> {
    let role = std::env::var("OUTLIVE_ROLE").ok()?;
    let waitv = std::env::var("OUTLIVE_WAITV").is_ok_and(|v| v == "1");
    outlive::waitv::set_waitv(waitv);
    outlive::test_switches::set_recheck(false);
    Some(role)
}

/// In a child: the segment passed by the parent.
pub fn inherited() -> Segment<Shared> {
    inherited_of()
}

/// In a child: the segment passed by the parent, with data of any type.
pub fn inherited_of<T: Shareable + Sync>() -> Segment<T> {
    Segment::inherit("test").expect("the parent's segment")
}

/// In a child: sends the parent a line.
pub fn say(line: &str) {
    println!("SAYS {line}");
}

/// In a child: waits until the parent lets it go on.
pub fn wait_for_the_word() {
    let mut line = String::new();
    let _end_of_file = std::io::stdin().read_line(&mut line);
}

/// Forks. The child runs `body` and exits with its result as status. Returns the child's id.
pub fn fork(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs `body` only, and exits without returning. glibc makes its allocator
    // usable.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
        // SAFETY: ends the process.
        unsafe { libc::_exit(status) };
    }
    pid
}

/// The exit status of a child; if a signal ended it, minus the signal.
pub fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: a child of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) }
}

/// Runs `body` in a forked child, and returns its status as [`wait`] does. A child that hangs is
/// ended. It can hang if it panics: a child forked while another test prints inherits a locked
/// output.
pub fn in_a_child(body: impl FnOnce() -> i32) -> i32 {
    wait(fork(|| {
        // SAFETY: nobody handles its signal, which ends the process.
        unsafe { libc::alarm(2 * PATIENCE.as_secs() as u32) };
        body()
    }))
}

/// Runs a test twice without rechecks, each time in a process of its own: with `futex_waitv`, and
/// without. Without it, sleepers poll every now and then instead.
pub fn each_way_in_a_process_of_its_own(test: impl Fn()) {
    each_way(|waitv| {
        let pid = fork(|| {
            outlive::waitv::set_waitv(waitv);
            test();
            0
        });
        assert_eq!(wait(pid), 0, "with futex_waitv: {waitv}");
    });
}

/// Runs a test twice, with children that use `futex_waitv` and with children that do not.
pub fn each_way(test: impl Fn(bool)) {
    for waitv in [true, false] {
        test(waitv);
    }
}

/// Starts a worker in each of the `roles`. Then it kills a random one at a random moment and
/// replaces it, as often as `kills` says. In the end it kills all. Between two kills the workers
/// report up to `pace` deeds.
pub fn kill_at_random<T: Shareable + Sync>(
    segment: &Segment<T>,
    roles: &[&str],
    waitv: bool,
    (kills, pace): (u64, u64),
    reported: &std::sync::atomic::AtomicU64,
) {
    use std::sync::atomic::Ordering::SeqCst;
    let start = |role: &&str| Actor::start(segment, role, waitv);
    let mut workers: Vec<_> = roles.iter().map(start).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..kills {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let progress = reported.load(SeqCst) + random % pace;
        until("the workers to go on", || reported.load(SeqCst) > progress);
        let victim = (random >> 32) as usize % workers.len();
        workers[victim].kill();
        workers[victim] = start(&roles[victim]);
    }
    workers.iter_mut().for_each(Actor::kill);
}

/// From here on this filter applies to the system calls of the calling thread, its children and new
/// threads (seccomp(2)).
pub fn filter_system_calls(program: &mut [libc::sock_filter]) {
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program lives for the call, and is as long as it says.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

/// A step of such a filter. It skips so many steps if the answer is yes, or no.
pub fn step(code: u32, k: u32, [yes, no]: [u8; 2]) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: yes, jf: no, k }
}

pub type Counter = outlive::Segment<outlive::Mutex<u64>>;

pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Makes a segment in this directory, with the number 7.
pub fn made(directory: &tempfile::TempDir) -> std::path::PathBuf {
    let path = directory.path().join("segment");
    drop(Counter::create(&path, |m| *m.get_mut() = 7).expect("made"));
    path
}

/// Robust mutexes of the C library, in memory that forked children share.
#[derive(Clone, Copy)]
pub struct Mutexes {
    first: *mut libc::pthread_mutex_t,
    count: usize,
}
// SAFETY: a pthread_mutex_t that is shared between processes may be used by any thread.
unsafe impl Send for Mutexes {}
// SAFETY: as above.
unsafe impl Sync for Mutexes {}

impl Mutexes {
    /// Makes so many mutexes. For those that `inherits` selects, the holder inherits the priority
    /// of a waiter: glibc marks these in the list.
    pub fn new(count: usize, inherits: impl Fn(usize) -> bool) -> Self {
        let length = count * size_of::<libc::pthread_mutex_t>();
        // SAFETY: a new mapping, large enough, zeroed; it stays until the process ends. The
        // attributes are initialised before use.
        unsafe {
            let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
            let memory = libc::mmap(core::ptr::null_mut(), length, protection, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED);
            let all = Self { first: memory.cast(), count };
            for index in 0..count {
                let mut attributes = core::mem::zeroed();
                assert_eq!(libc::pthread_mutexattr_init(&mut attributes), 0);
                assert_eq!(libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED), 0);
                assert_eq!(libc::pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST), 0);
                if inherits(index) {
                    assert_eq!(libc::pthread_mutexattr_setprotocol(&mut attributes, libc::PTHREAD_PRIO_INHERIT), 0);
                }
                assert_eq!(libc::pthread_mutex_init(all.get(index), &attributes), 0);
            }
            all
        }
    }
    pub fn get(self, index: usize) -> *mut libc::pthread_mutex_t {
        assert!(index < self.count);
        // SAFETY: within the mapping.
        unsafe { self.first.add(index) }
    }
    pub fn count(self) -> usize {
        self.count
    }
    pub fn lock(self, index: usize) {
        // SAFETY: initialised, and never destroyed.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.get(index)) }, 0);
    }
    pub fn unlock(self, index: usize) {
        // SAFETY: held by this thread.
        assert_eq!(unsafe { libc::pthread_mutex_unlock(self.get(index)) }, 0);
    }
    pub fn lock_all(self) {
        (0..self.count).for_each(|index| self.lock(index));
    }
    /// Whether the holder of this mutex has died. The mutex is held afterwards.
    pub fn try_lock_finds_a_death(self, index: usize) -> bool {
        // SAFETY: initialised, and never destroyed.
        match unsafe { libc::pthread_mutex_trylock(self.get(index)) } {
            0 => false,
            libc::EOWNERDEAD => true,
            other => panic!("{}", std::io::Error::from_raw_os_error(other)),
        }
    }
    /// The same; false as long as the holder lives.
    pub fn try_lock_finds_a_death_now(self, index: usize) -> bool {
        // SAFETY: as above.
        match unsafe { libc::pthread_mutex_trylock(self.get(index)) } {
            libc::EBUSY => false,
            libc::EOWNERDEAD => true,
            other => panic!("{index}: {}", std::io::Error::from_raw_os_error(other)),
        }
    }
    /// The mutex as the robust list names it: the address of its next link.
    pub fn address(self, index: usize) -> u64 {
        self.get(index) as u64 + 32
    }
}

/// Runs `body` in a thread that is not the main one.
pub fn elsewhere<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(body).join().expect("no panic"))
}

/// Panics while it has the guard, and catches the panic.
pub fn panic_with<G>(guard: G) {
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = guard;
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
}

/// An error of any operation that locks: its kind, and the guard if the error contains one.
pub trait LockFailure<G>: std::fmt::Display {
    fn into_parts(self) -> (outlive::LockErrorKind, Option<G>);
}

macro_rules! lock_failure {
    ($($error:ident)*) => {$(
        impl<G> LockFailure<G> for outlive::$error<G> {
            fn into_parts(self) -> (outlive::LockErrorKind, Option<G>) {
                (self.kind(), self.into_guard().ok())
            }
        }
    )*};
}
lock_failure! { LockError TryLockError LockTimeoutError CondvarError }
