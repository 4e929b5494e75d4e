//! Processes that do the same, round after round: they wait for something, and are observed.

use outlive::{Segment, Shareable};
use outlive_benches::process::{self, Child, monotonic_nanoseconds};
use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Longer than the first phase of a wait in outlive: after that phase a sleeper watches everybody.
pub const SETTLE: Duration = Duration::from_millis(15);
/// Members end by themselves so many seconds after they were last told something.
const LIFE_SECONDS: u32 = 60;
/// The system calls in which those sleep who wait for an object.
const CALLS: [i64; 8] = [
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_mq_timedreceive,
    libc::SYS_clock_nanosleep,
];

/// How rounds begin and end. All zero at first.
#[derive(Debug, Shareable)]
#[repr(C)]
pub struct Control {
    /// The number of the round. Members sleep on it between rounds.
    round: AtomicU32,
    /// What the members do in it.
    what: AtomicU32,
    members: AtomicU32,
    /// How many have begun the round.
    begun: AtomicU32,
    /// How many have ended it.
    ended: AtomicU32,
    /// The last round that all have ended. Who leads the crowd sleeps on it.
    over: AtomicU32,
    apart: [u64; 13],
    /// When the first member has run, on the monotonic clock. 0: none has.
    first: AtomicU64,
    /// When the last one has.
    last: AtomicU64,
}

impl Control {
    /// What a member calls as soon as it has what it waited for.
    pub fn runs(&self) {
        let now = monotonic_nanoseconds();
        // ORDERING of all words here: AcqRel. None is worth less.
        if self.first.load(Ordering::Acquire) == 0 {
            // Only the first of them succeeds.
            let _others_were_first = self.first.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
        }
        self.last.fetch_max(now, Ordering::AcqRel);
    }

    /// The number of the round.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.round.load(Ordering::Acquire)
    }
}

/// Sleeps while the word has this value, at most so long. It may also wake up for no reason.
pub fn futex_wait(word: &AtomicU32, value: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the word and the timeout live as long as the call.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, value, timeout) };
}

/// Wakes up to so many that sleep on the word.
pub fn futex_wake(word: &AtomicU32, count: i32) {
    // SAFETY: the call reads no memory.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, count) };
}

/// The processes. Dropping it ends them.
#[derive(Debug)]
pub struct Crowd {
    control: Segment<Control>,
    members: Vec<Child>,
}

/// When the members of a round ran, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Crowd {
    /// Forks so many members. In each round, each calls `act` with what it is to do and with the
    /// controls.
    ///
    /// # Errors
    /// Those of fork(2), and of a segment.
    pub fn of(count: usize, act: &dyn Fn(u32, &Control)) -> Result<Self, Box<dyn Error>> {
        let control = Segment::<Control>::anonymous(|_zero| {})?;
        control.members.store(count as u32, Ordering::Release);
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push(process::fork(|| be_member(&control, act))?);
        }
        Ok(Self { control, members })
    }

    /// The processes.
    #[must_use]
    pub fn members(&self) -> &[Child] {
        &self.members
    }

    /// The number of the round. They are numbered from 1.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.control.round()
    }

    /// Begins a round, and returns when all members have begun it.
    ///
    /// # Errors
    /// One has not begun it after some seconds.
    pub fn begin(&self, what: u32) -> io::Result<()> {
        let control = &*self.control;
        for word in [&control.begun, &control.ended] {
            word.store(0, Ordering::Release);
        }
        for moment in [&control.first, &control.last] {
            moment.store(0, Ordering::Release);
        }
        control.what.store(what, Ordering::Release);
        control.round.fetch_add(1, Ordering::AcqRel);
        futex_wake(&control.round, i32::MAX);
        let begun = Instant::now();
        while control.begun.load(Ordering::Acquire) as usize != self.members.len() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "a process does not begin its round"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Begins a round in which all members are to fall asleep, and returns when they have settled
    /// there.
    ///
    /// # Errors
    /// One does not sleep after some seconds.
    pub fn fall_asleep(&self, what: u32) -> io::Result<()> {
        self.begin(what)?;
        let all_sleep =
            || self.members.iter().try_for_each(|member| member.wait_until_asleep_in(&CALLS, Duration::ZERO));
        all_sleep()?;
        std::thread::sleep(SETTLE);
        all_sleep()
    }

    /// Waits until all members have ended the round. Says when they ran.
    ///
    /// # Errors
    /// Not all have by the bound: how many were missing.
    pub fn end(&self, bound: Duration) -> Result<Moments, Box<dyn Error>> {
        let control = &*self.control;
        let begun = Instant::now();
        loop {
            let over = control.over.load(Ordering::Acquire);
            if over == control.round() {
                let [first, last] = [&control.first, &control.last].map(|moment| moment.load(Ordering::Acquire));
                return Ok(Moments { first, last });
            }
            let Some(rest) = bound.checked_sub(begun.elapsed()) else {
                let (ended, all) = (control.ended.load(Ordering::Acquire), self.members.len());
                return Err(format!("hangs: within {bound:?}, {ended} of {all} waiters went on").into());
            };
            futex_wait(&control.over, over, Some(rest));
        }
    }
}

fn be_member(control: &Control, act: &dyn Fn(u32, &Control)) {
    // A process that was just forked pays for each page of code that it reaches. That is no
    // property of what is measured.
    process::map_all_code();
    let mut round = 0;
    loop {
        while control.round() == round {
            futex_wait(&control.round, round, None);
        }
        round = control.round();
        // SAFETY: only sets when the kernel ends this process.
        unsafe { libc::alarm(LIFE_SECONDS) };
        control.begun.fetch_add(1, Ordering::AcqRel);
        act(control.what.load(Ordering::Acquire), control);
        if control.ended.fetch_add(1, Ordering::AcqRel) + 1 == control.members.load(Ordering::Acquire) {
            control.over.store(round, Ordering::Release);
            futex_wake(&control.over, 1);
        }
    }
}
