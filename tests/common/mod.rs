//! What the tests with real processes share: children that obey, and waiting for conditions instead of for time.
//!
//! A child is this test binary again. An environment variable says which role it is to play, and it does so before `main`,
//! in [`play`]: so libtest is out of the way, and the main thread, which is a special case for the kernel, can play, too.
//! Its standard input is one end of a socket: lines go both ways. A child ends when its [`Child`] is dropped, when the thread
//! that started it ends, or when it finds the socket closed.

#![allow(dead_code)] // each test file uses a part of it
#![allow(clippy::disallowed_methods)] // libc::kill: here the tests are the operating system's user, not the library

use outlive::platform::linux::{set_recheck, set_waitv};
use outlive::{Error, Lock, LockError, LockGuard, Mutex, MutexGuard, Segment};
use std::collections::HashMap;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The bound of every wait: long enough for a machine under load, short enough to be told of a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const ROLE: &str = "OUTLIVE_TEST_ROLE";
const WAITS: &str = "OUTLIVE_TEST_WAITS";
const IN_MAIN_THREAD: &str = "OUTLIVE_TEST_IN_MAIN_THREAD";
const ARGUMENT: &str = "OUTLIVE_TEST_ARGUMENT";
/// The name under which [`Child::obeying`] passes its segment.
const PASSED: &str = "shared";

/// What most tests play with: a lock, and a row of mutexes.
pub(crate) type Shared = Segment<Lock, Mutex<u64>>;

/// An anonymous [`Shared`]. Switches the net off in this process.
pub(crate) fn shared() -> Shared {
    Waits::Exactly.apply();
    Segment::<Lock>::options().room(8).anonymous(|_, _| {}).expect("an anonymous segment")
}

/// How the sleepers of a process learn of a death.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Waits {
    /// By `futex_waitv`, with the net switched off: nothing rests on looking again.
    Exactly,
    /// As where the kernel has no `futex_waitv`: by looking again, which is the contract there.
    WithoutWaitv,
}

impl Waits {
    pub(crate) fn apply(self) {
        set_recheck(false);
        if self == Self::WithoutWaitv {
            set_waitv(false);
        }
    }
}

/// Makes two tests of each function that takes a [`Waits`].
#[allow(unused_macros)] // one file has no waits
macro_rules! both_ways {
    ($($name:ident)*) => {
        mod exactly {
            $(#[test] fn $name() { super::$name(crate::common::Waits::Exactly) })*
        }
        mod without_waitv {
            $(#[test] fn $name() { super::$name(crate::common::Waits::WithoutWaitv) })*
        }
    };
}
#[allow(unused_imports)] // as above
pub(crate) use both_ways;

/// Waits for a condition, not for a time.
#[track_caller]
pub(crate) fn eventually(what: impl Display, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Waits until that participant sleeps in the vigil: for longer than the first phase lasts.
#[track_caller]
pub(crate) fn wait_until_asleep(segment: &Shared, id: &str) {
    eventually(format_args!("participant {id} sleeps"), || {
        segment.participants().iter().any(|participant| {
            participant.id.to_string() == id
                && participant.asleep_for.is_some_and(|time| time > Duration::from_millis(4))
        })
    });
}

/// A name in `/dev/shm` that is removed when this is dropped.
pub(crate) struct Named(pub(crate) String);

impl Named {
    pub(crate) fn new(what: &str) -> Self {
        Self(format!("outlive-test-{what}-{}", std::process::id()))
    }
    pub(crate) fn path(&self) -> std::path::PathBuf {
        std::path::Path::new("/dev/shm").join(&self.0)
    }
    /// A named [`Shared`].
    pub(crate) fn create(&self) -> Shared {
        Waits::Exactly.apply();
        Segment::<Lock>::options().room(8).create(&self.0, |_, _| {}).expect("a named segment")
    }
    pub(crate) fn open(&self) -> Shared {
        Segment::<Lock>::options().room(0).open(&self.0).expect("the named segment")
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
    }
}

/// The state letter of a process, as /proc gives it; none if it is gone.
pub(crate) fn state_of(process: u32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text[text.rfind(')')? + 2..].chars().next()
}

/// Random enough to choose victims and moments (xorshift); the seed is told when a test fails.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn new() -> Self {
        let time = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        Self(time.as_nanos() as u64 | 1)
    }
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Both ends of a child's line.
pub(crate) struct Wire {
    lines: BufReader<UnixStream>,
}

impl Wire {
    fn new(stream: UnixStream) -> Self {
        Self { lines: BufReader::new(stream) }
    }
    pub(crate) fn send(&mut self, line: impl Display) {
        // If the other side is gone, it is found out by reading.
        let _ = self.lines.get_mut().write_all(format!("{line}\n").as_bytes());
    }
    /// The next line; none when the other side is gone.
    pub(crate) fn receive(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) => panic!("no line within {PATIENCE:?}: {error}"),
        }
    }
}

/// A child process, killed and reaped when this is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    wire: Wire,
    /// Who it is in the segment that was passed to it; empty if none was.
    pub(crate) id: String,
}

impl Child {
    /// Starts a child that plays a role of the test file. With `main` in the main thread of its process, otherwise in another.
    pub(crate) fn playing(
        role: &str,
        argument: &str,
        waits: Waits,
        main: bool,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        ours.set_read_timeout(Some(PATIENCE)).expect("a timeout on a socket");
        let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
        command
            .arg("--list") // for the case that no role is played: then no test shall be, either
            .env(ROLE, role)
            .env(IN_MAIN_THREAD, if main { "yes" } else { "no" })
            .env(ARGUMENT, argument)
            .env(WAITS, format!("{waits:?}"))
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null());
        prepare(&mut command);
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let process = command.spawn().expect("a child process");
        Self { process, wire: Wire::new(ours), id: String::new() }
    }

    /// A child that takes part in `segment` and does what it is told to: see [`obey`].
    pub(crate) fn obeying(segment: &Shared, waits: Waits) -> Self {
        Self::obeying_in(segment, waits, false)
    }

    /// As [`obeying`](Self::obeying); it is the main thread of the child that obeys.
    pub(crate) fn obeying_in_main_thread(segment: &Shared, waits: Waits) -> Self {
        Self::obeying_in(segment, waits, true)
    }

    fn obeying_in(segment: &Shared, waits: Waits, main: bool) -> Self {
        let mut child = Self::with_segment("obey", segment, waits, main);
        child.id = child.line();
        child
    }

    /// A child that plays that role with the segment, [`inherited`] there.
    pub(crate) fn with_segment(role: &str, segment: &Shared, waits: Waits, main: bool) -> Self {
        Self::playing(role, "", waits, main, |command| {
            segment.pass_to(command, PASSED).expect("to pass a segment");
        })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn tell(&mut self, order: impl Display) {
        self.wire.send(order);
    }

    /// What it says next.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        self.wire.receive().expect("the child ended before it said anything")
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.line(), line);
    }

    /// Tells, and expects that answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, order: &str, answer: &str) {
        self.tell(order);
        assert_eq!(self.line(), answer, "answer to {order:?}");
    }

    /// Whether it has said something that was not heard yet.
    pub(crate) fn has_answered(&mut self) -> bool {
        if !self.wire.lines.buffer().is_empty() {
            return true;
        }
        let stream = self.wire.lines.get_ref();
        stream.set_nonblocking(true).expect("a socket that does not block");
        let there = self.wire.lines.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
        self.wire.lines.get_ref().set_nonblocking(false).expect("a socket that blocks");
        there
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: the process is our child and was not reaped, so the number is still its own.
        unsafe { libc::kill(self.process.id() as i32, signal) };
    }

    /// Kills it by SIGKILL and reaps it.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        self.wait();
    }

    /// Reaps it; gives its exit code, if it ended by itself.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.wait().expect("to wait for a child").code()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a role of a test file is: its name, its argument, and the line to the parent.
pub(crate) type Roles = fn(&str, &str, &mut Wire);

/// Says which function plays the roles of the children of a test file, and has it called before `main`.
macro_rules! children_play {
    ($roles:expr) => {
        #[used]
        #[unsafe(link_section = ".init_array")] // SAFETY: an array of such functions, all called once, in the main thread
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn before_main() {
                crate::common::play($roles);
            }
            before_main
        };
    };
}
pub(crate) use children_play;

/// Plays the role that the environment names, if it names one; then the process ends here.
pub(crate) fn play(roles: Roles) {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let is = |variable: &str, value: &str| std::env::var(variable).as_deref() == Ok(value);
    if is(WAITS, "WithoutWaitv") {
        Waits::WithoutWaitv.apply();
    } else {
        Waits::Exactly.apply();
    }
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().expect("a socket as stdin");
    let mut wire = Wire::new(UnixStream::from(stdin));
    let argument = std::env::var(ARGUMENT).unwrap_or_default();
    let playing = move || match role.as_str() {
        "obey" => obey(&inherited(), &mut wire),
        other => roles(other, &argument, &mut wire),
    };
    let played = if is(IN_MAIN_THREAD, "yes") {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(playing))
    } else {
        std::thread::spawn(playing).join()
    };
    std::process::exit(if played.is_ok() { 0 } else { 101 });
}

/// The segment that [`Child::with_segment`] passed.
pub(crate) fn inherited() -> Shared {
    Segment::<Lock>::options().room(0).inherit(PASSED).expect("a passed segment")
}

/// An error of a lock as one word, and who died.
pub(crate) fn told<G>(error: &LockError<G>) -> String {
    let by = |id: Option<outlive::raw::Id>| id.map_or("?".to_owned(), |id| id.to_string());
    match error {
        LockError::OwnerDied(left) => format!("OwnerDied {}", by(left.by())),
        LockError::Poisoned(left) => format!("Poisoned {}", by(left.by())),
        LockError::Unusable(error) => format!("Unusable {error}"),
        other => format!("{other:?}"),
    }
}

fn told_of_release(result: Result<(), Error>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(Error::NotHeld { holder }) => {
            format!("NotHeld {}", holder.map_or("?".to_owned(), |id| id.to_string()))
        }
        Err(other) => format!("{other:?}"),
    }
}

/// What an attempt came to, in a word; the guard, if there is one, is kept.
fn keep<'s>(
    guards: &mut HashMap<usize, MutexGuard<'s, u64>>,
    place: usize,
    result: Result<MutexGuard<'s, u64>, LockError<MutexGuard<'s, u64>>>,
) -> String {
    let (guard, answer) = match result {
        Ok(guard) => (guard, "ok".to_owned()),
        Err(error) => {
            let answer = told(&error);
            match error.into_guard() {
                Ok(guard) => (guard, answer),
                Err(_) => return answer,
            }
        }
    };
    guards.insert(place, guard);
    answer
}

fn answer<T>(result: Result<T, LockError<T>>) -> String {
    result.map_or_else(|error| told(&error), |_| "ok".to_owned())
}

/// Says its id, and then does one thing for each line that it gets, with mutexes given by number, and answers with one line.
pub(crate) fn obey(segment: &Shared, wire: &mut Wire) {
    wire.send(segment.attach().expect("a place in the segment"));
    let room = segment.room();
    let mut guards = HashMap::new();
    let mut lock_guard: Option<LockGuard<'_>> = None;
    std::thread::scope(|scope| {
        let mut threads = vec![];
        let mut leaking: Vec<std::thread::ScopedJoinHandle<'_, ()>> = vec![];
        while let Some(order) = wire.receive() {
            let words: Vec<&str> = order.split(' ').collect();
            let place = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0);
            let number = words.get(2).and_then(|word| word.parse().ok()).unwrap_or(0);
            let mutex = &room[place];
            let done = || "ok".to_owned();
            let said = match words[0] {
                "lock" => keep(&mut guards, place, mutex.lock()),
                "try" => keep(&mut guards, place, mutex.try_lock()),
                "for" => {
                    let timeout = Duration::from_millis(number);
                    keep(&mut guards, place, mutex.try_lock_for(timeout))
                }
                "for-ever" => keep(&mut guards, place, mutex.try_lock_for(Duration::MAX)),
                "until-the-past" => {
                    let past = Instant::now() - Duration::from_millis(10);
                    keep(&mut guards, place, mutex.try_lock_until(past))
                }
                // Locks, unlocks, and then tells.
                "pass" => answer(mutex.lock()),
                "unlock" => {
                    drop(guards.remove(&place).expect("a guard to drop"));
                    done()
                }
                "mend" => {
                    guards.get_mut(&place).expect("a guard").mark_consistent();
                    done()
                }
                "read" => guards[&place].to_string(),
                "set" => {
                    **guards.get_mut(&place).expect("a guard") = number;
                    done()
                }
                "panic" => {
                    let guard = guards.remove(&place);
                    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        let _held = guard;
                        std::panic::resume_unwind(Box::new("without a message"));
                    }));
                    assert!(panicked.is_err());
                    done()
                }
                "exit" => std::process::exit(7),
                "exec" => panic!("{}", Command::new("/bin/sleep").arg("60").exec()),
                // A thread of its own locks, and leaks its guard.
                "thread-lock" => {
                    let (tell, told_id) = mpsc::channel();
                    let (end, ended) = mpsc::channel::<()>();
                    let thread = scope.spawn(move || {
                        std::mem::forget(mutex.lock());
                        tell.send(segment.attach().expect("a place")).expect("a listener");
                        let _ = ended.recv();
                    });
                    threads.push((end, thread));
                    told_id.recv().expect("an id").to_string()
                }
                "thread-end" => {
                    let (end, thread) = threads.pop().expect("a thread");
                    drop(end);
                    thread.join().map_or_else(|_| "panicked".to_owned(), |()| done())
                }
                // Two threads that lock, and end with a leaked guard.
                "threads-lock-and-leak" => {
                    leaking = (0..2)
                        .map(|_| {
                            scope.spawn(|| match mutex.lock() {
                                Ok(guard) => std::mem::forget(guard),
                                Err(error) => std::mem::forget(error),
                            })
                        })
                        .collect();
                    done()
                }
                "threads-end" => {
                    for thread in leaking.drain(..) {
                        thread.join().expect("no panic");
                    }
                    done()
                }
                "acquire" => answer(segment.acquire()),
                "try-acquire" => answer(segment.try_acquire()),
                "release" => told_of_release(segment.release()),
                "mend-lock" => told_of_release(segment.mark_consistent()),
                "guard" => match segment.lock() {
                    Ok(guard) => {
                        lock_guard = Some(guard);
                        done()
                    }
                    Err(error) => {
                        let said = told(&error);
                        lock_guard = error.into_guard().ok();
                        said
                    }
                },
                "release-guard" => {
                    told_of_release(lock_guard.take().expect("a guard").release())
                }
                "drop-guard" => {
                    let guard = lock_guard.take();
                    std::panic::set_hook(Box::new(|_| {})); // the panic is looked for, its message is not
                    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(guard)));
                    let _ = std::panic::take_hook();
                    dropped.map_or_else(|_| "panicked".to_owned(), |()| done())
                }
                "count-signals" => {
                    SIGNALS.store(0, Relaxed);
                    count_signals();
                    done()
                }
                "signals" => SIGNALS.load(Relaxed).to_string(),
                "detach" => match segment.detach() {
                    Ok(()) => done(),
                    Err(Error::StillHolding { .. }) => "StillHolding".to_owned(),
                    Err(other) => format!("{other:?}"),
                },
                "id" => segment.attach().map_or_else(|e| e.to_string(), |id| id.to_string()),
                other => panic!("what is {other:?}?"),
            };
            wire.send(said);
        }
        // The parent is gone: so are the threads' tasks.
        std::process::exit(0)
    });
}

use signals::{SIGNALS, count_signals};
use std::sync::atomic::Ordering::Relaxed;

mod signals {
    #![allow(clippy::disallowed_types)] // a counter for a signal handler, not an algorithm

    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    pub(super) static SIGNALS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn count(_signal: i32) {
        SIGNALS.fetch_add(1, Relaxed);
    }

    /// A handler for SIGUSR1, without SA_RESTART: every system call ends with EINTR.
    pub(super) fn count_signals() {
        // SAFETY: zeros are a valid sigaction; the handler does nothing but add to an atomic.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        }
    }
}
