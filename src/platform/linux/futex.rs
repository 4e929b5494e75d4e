//! Sleeping and waking: shared 32-bit futexes, with absolute deadlines on `CLOCK_MONOTONIC`.

use super::super::Expect;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use libc::{c_long, timespec};

/// The longest sleep before the sleeper checks everything again; see [`crate::raw::vigil`].
const RECHECK: Duration = Duration::from_secs(1);
/// The same where one wait cannot watch many words. There a sleeper learns of most deaths by the
/// recheck alone.
const RECHECK_WITHOUT_WAITV: Duration = Duration::from_millis(20);

const UNKNOWN: u8 = 0;
const WORKS: u8 = 1;
const MISSING: u8 = 2;

// ORDERING of all statics: Relaxed. Each is a fact about the kernel, or a switch or a count for
// tests, and publishes nothing.
static WAITV: AtomicU8 = AtomicU8::new(UNKNOWN);
static RECHECKING: AtomicU8 = AtomicU8::new(WORKS);

/// The environment variable that makes a process do without `futex_waitv`. The value `off` has the
/// effect of [`set_waitv`]`(false)` before the first wait. The variable is read once.
pub const WAITV_VARIABLE: &str = "OUTLIVE_FUTEX_WAITV";

/// Whether `futex_waitv` is used in this process: the kernel has it, no sandbox refuses it, and
/// neither [`WAITV_VARIABLE`] nor [`set_waitv`] switched it off.
pub fn waitv_works() -> bool {
    match WAITV.load(Ordering::Relaxed) {
        UNKNOWN if std::env::var_os(WAITV_VARIABLE).is_some_and(|value| value == "off") => {
            set_waitv(false);
            false
        }
        UNKNOWN => {
            // For a list of no words, a kernel that has the call returns EINVAL, and one without it
            // ENOSYS. A sandbox often returns EPERM.
            // SAFETY: the list has no words; the kernel returns before it reads any pointer.
            unsafe {
                libc::syscall(libc::SYS_futex_waitv, core::ptr::null::<u8>(), 0u32, 0u32, core::ptr::null::<u8>(), 0)
            };
            let works = std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
            set_waitv(works);
            works
        }
        state => state == WORKS,
    }
}

/// Switches `futex_waitv` off in this process, or on again. Off is for sandboxes that answer the
/// call by ending the process, and for tests.
///
/// Without it a sleeper watches only the word of its primitive. It checks everything else every 20
/// ms, or every 80 ms once it has waited for long. It may learn of a death that much later.
pub fn set_waitv(works: bool) {
    WAITV.store(if works { WORKS } else { MISSING }, Ordering::Relaxed);
}

/// For tests: switches the recheck, by which no sleep lasts longer than a second, off or on in this
/// process. A test with the recheck off shows that nothing depends on it.
pub fn set_recheck(on: bool) {
    RECHECKING.store(if on { WORKS } else { MISSING }, Ordering::Relaxed);
}

static SLOW_CHECKS: AtomicU64 = AtomicU64::new(0);

/// For tests: how often this process, when it reaped, has asked whether a participant is gone.
pub fn slow_checks() -> u64 {
    SLOW_CHECKS.load(Ordering::Relaxed)
}

pub(super) fn count_a_slow_check() {
    SLOW_CHECKS.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn recheck() -> Option<Duration> {
    if !waitv_works() {
        Some(RECHECK_WITHOUT_WAITV)
    } else if RECHECKING.load(Ordering::Relaxed) == WORKS {
        Some(RECHECK)
    } else {
        None
    }
}

/// The period of reaping. It is the same with and without `futex_waitv`: the more participants a
/// segment has, the more a reaping costs.
pub(super) fn reap_period() -> Option<Duration> {
    (RECHECKING.load(Ordering::Relaxed) == WORKS).then_some(RECHECK)
}

pub(super) fn now() -> Duration {
    time_by(libc::CLOCK_MONOTONIC)
}

/// The time since the start of the system, including the time when it was suspended.
pub(super) fn now_since_boot() -> Duration {
    time_by(libc::CLOCK_BOOTTIME)
}

/// The time on `clock`, one that every kernel has and that does not run backwards.
fn time_by(clock: libc::clockid_t) -> Duration {
    let mut t = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a valid timespec; the clock exists.
    unsafe { libc::clock_gettime(clock, &mut t) };
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// `None` if the moment is further away than the kernel can count, which means never.
fn timespec_of(at: Duration) -> Option<timespec> {
    Some(timespec { tv_sec: at.as_secs().try_into().ok()?, tv_nsec: at.subsec_nanos().into() })
}

#[repr(C)]
#[derive(Clone, Copy)]
struct WaitV {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}
const FUTEX2_SIZE_U32: u32 = 2;

/// How a wait ended, as far as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Somehow,
    /// A signal handler has run.
    ByHandler,
}

impl Ended {
    fn with(error: Option<i32>) -> Self {
        if error == Some(libc::EINTR) { Self::ByHandler } else { Self::Somehow }
    }
}

pub(super) fn wait<'w>(mut words: impl Iterator<Item = Expect<'w, AtomicU32>>, until: Option<Duration>) -> Ended {
    match (words.next(), words.next()) {
        (None, _) => Ended::Somehow,
        // One word needs no waitv, and the older call is cheaper.
        (Some(one), None) => wait_on_one(one, until),
        (Some(first), Some(second)) => wait_on_many(first, [first, second].into_iter().chain(words), until),
    }
}

fn wait_on_one(one: Expect<'_, AtomicU32>, until: Option<Duration>) -> Ended {
    let until = until.and_then(timespec_of);
    // FUTEX_WAIT_BITSET takes an absolute deadline on the monotonic clock.
    // SAFETY: the word is a live, aligned u32; the deadline is null or valid for the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_futex,
            one.word.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            one.value,
            until.as_ref().map_or(core::ptr::null(), core::ptr::from_ref),
            core::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    Ended::with(error_of(answer))
}

/// The error of a system call that returned `answer`.
fn error_of(answer: c_long) -> Option<i32> {
    if answer < 0 { std::io::Error::last_os_error().raw_os_error() } else { None }
}

fn wait_on_many<'w>(
    first: Expect<'w, AtomicU32>,
    all: impl Iterator<Item = Expect<'w, AtomicU32>>,
    until: Option<Duration>,
) -> Ended {
    let error = match try_wait_on_many(all, until) {
        Ok(ended) => return ended,
        Err(error) => error,
    };
    // A kernel that is short of memory for this wait may have some for the next. Every other error
    // comes from a sandbox that the process has entered since `waitv_works` asked the kernel. Then
    // `futex_waitv` is not used again.
    if error != libc::ENOMEM {
        set_waitv(false);
    }
    // Sleep in any case: otherwise the caller would spin.
    let soon = now() + RECHECK_WITHOUT_WAITV;
    wait_on_one(first, Some(until.map_or(soon, |until| until.min(soon))))
}

/// Sleeps on all words. The error is that of a call that the kernel or a sandbox refused.
#[inline(never)] // so that the list's 3 KiB of stack are free again when this returns
fn try_wait_on_many<'w>(
    all: impl Iterator<Item = Expect<'w, AtomicU32>>,
    until: Option<Duration>,
) -> Result<Ended, i32> {
    let until = until.and_then(timespec_of);
    let mut list = [WaitV { value: 0, address: 0, flags: FUTEX2_SIZE_U32, reserved: 0 }; 128];
    let mut count = 0u32;
    for (entry, expect) in list.iter_mut().zip(all) {
        entry.value = expect.value.into();
        entry.address = expect.word.as_ptr() as u64;
        count += 1;
    }
    // SAFETY: `count` entries are initialised and name live, aligned u32; the deadline is null or
    // valid.
    let answer: c_long = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            list.as_ptr(),
            count,
            0u32,
            until.as_ref().map_or(core::ptr::null(), core::ptr::from_ref),
            libc::CLOCK_MONOTONIC,
        )
    };
    match error_of(answer) {
        // Woken, a word had changed, a signal, the deadline: in each case the caller checks again.
        error @ (None | Some(libc::EAGAIN | libc::EINTR | libc::ETIMEDOUT)) => Ok(Ended::with(error)),
        Some(error) => Err(error),
    }
}

pub(super) fn wake(word: &AtomicU32, count: u32) -> u32 {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: FUTEX_WAKE only names the address; it reads and writes nothing there. The word's
    // memory may have gone since, if the last unlock frees it: then there is at most a spurious
    // wake.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, count) };
    woken.try_into().unwrap_or(0) // an error: nobody was woken
}

/// Moves sleepers by `FUTEX_CMP_REQUEUE`, which wakes none of them. It moves those of
/// `futex_waitv`, too: off this one of their words.
pub(super) fn requeue(from: &AtomicU32, expected: u32, to: &AtomicU32, count: u32) -> Option<u32> {
    const WAKES: u32 = 0;
    let most = c_long::from(i32::try_from(count).unwrap_or(i32::MAX));
    // SAFETY: both words are live, aligned u32. The kernel reads the first, and takes only the
    // address of the second.
    let moved = unsafe {
        libc::syscall(libc::SYS_futex, from.as_ptr(), libc::FUTEX_CMP_REQUEUE, WAKES, most, to.as_ptr(), expected)
    };
    moved.try_into().ok() // -1: the value is another one, or a sandbox refuses the call
}

#[cfg(test)]
mod tests;
