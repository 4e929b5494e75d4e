//! Two processes on one processor wake each other in turn. What do an end, looks, and more words
//! add to a bare sleep?

use super::Failure;
use super::rounds::{Column, Variant, compare};
use outlive::{Event, Segment, Semaphore, Shareable};
use outlive_benches::process::{self, stay_on_processor};
use outlive_peers::compare::together::Times;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const TURNS: u32 = 1_000;
/// As outlive's first sleep.
const END: i64 = 10_000_000;
/// As many as one wait can have.
pub(crate) const MOST_WORDS: usize = 128;

/// A word that is waited for, and words that never change.
#[derive(Debug, Shareable)]
#[repr(C)]
pub(crate) struct Words {
    pub(crate) word: AtomicU32,
    apart: [u32; 31],
    others: [AtomicU32; MOST_WORDS],
}

/// How one sleeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sleep {
    /// How often it looks before it sleeps.
    pub(crate) looks: u32,
    /// On how many words it sleeps. All but one never change.
    pub(crate) words: usize,
    /// Whether the sleep has an end.
    pub(crate) ends: bool,
}

/// An entry of futex_waitv(2).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Expected {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

impl Sleep {
    /// Sleeps until the word has another value than this.
    pub(crate) fn wait_while(self, words: &Words, value: u32) {
        // ORDERING: Acquire. Pairs with the Release of `wake`.
        let has_changed = || words.word.load(Ordering::Acquire) != value;
        for _ in 0..self.looks {
            if has_changed() {
                return;
            }
            std::hint::spin_loop();
        }
        while !has_changed() {
            let end = self.ends.then(end_of_sleep);
            let end = end.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            if self.words == 1 {
                let (no_word, any) = (std::ptr::null::<u32>(), libc::FUTEX_BITSET_MATCH_ANY);
                // SAFETY: the word and the end live as long as the call.
                unsafe {
                    libc::syscall(libc::SYS_futex, &words.word, libc::FUTEX_WAIT_BITSET, value, end, no_word, any)
                };
                continue;
            }
            const IS_U32: u32 = 2;
            let mut list = [Expected::default(); MOST_WORDS];
            let all = [(&words.word, value)].into_iter().chain(words.others.iter().map(|word| (word, 0)));
            for (entry, (word, value)) in list.iter_mut().zip(all).take(self.words) {
                *entry = Expected { value: value.into(), address: word.as_ptr() as u64, flags: IS_U32, reserved: 0 };
            }
            // SAFETY: so many entries name words that live; the end lives as long as the call.
            unsafe {
                libc::syscall(libc::SYS_futex_waitv, list.as_ptr(), self.words, 0, end, libc::CLOCK_MONOTONIC);
            }
        }
    }
}

fn end_of_sleep() -> libc::timespec {
    let end = process::monotonic_nanoseconds() as i64 + END;
    libc::timespec { tv_sec: end / 1_000_000_000, tv_nsec: end % 1_000_000_000 }
}

/// Gives the word this value, and wakes so many.
pub(crate) fn wake(words: &Words, value: u32, count: i32) {
    words.word.store(value, Ordering::Release);
    // SAFETY: the call reads no memory.
    unsafe { libc::syscall(libc::SYS_futex, &words.word, libc::FUTEX_WAKE, count) };
}

/// The nanoseconds of a turn. Each of the two waits in turn, and then wakes the other one.
fn game(wait: &dyn Fn(usize, u32), give: &dyn Fn(usize, u32)) -> Result<Vec<f64>, Failure> {
    let times = Times::of(2)?;
    let child = |me: usize| {
        let times = &times;
        process::fork(move || {
            stay_on_processor(0);
            times.begin();
            for turn in 1..=TURNS {
                if me == 0 {
                    give(1, turn);
                }
                wait(me, turn);
                if me == 1 {
                    give(0, turn);
                }
            }
            times.end();
        })
    };
    process::join_all(&mut [child(0)?, child(1)?], Duration::from_secs(10))?;
    Ok(vec![times.elapsed() / f64::from(TURNS) / 2.0])
}

fn by_futex(sleep: Sleep) -> Result<Vec<f64>, Failure> {
    let new = || Segment::<Words>::anonymous(|_zero| {});
    let words = [new()?, new()?];
    game(&|me, turn| sleep.wait_while(&words[me], turn - 1), &|other, turn| wake(&words[other], turn, 1))
}

fn by_pipe() -> Result<Vec<f64>, Failure> {
    let pipes = [process::pipe()?, process::pipe()?];
    game(&|me, _| (&pipes[me].0).read_exact(&mut [0]).expect("open"), &|other, _| {
        (&pipes[other].1).write_all(&[7]).expect("open")
    })
}

fn by_event() -> Result<Vec<f64>, Failure> {
    let new = || Segment::<Event>::anonymous(|new| *new = Event::auto_reset());
    let events = [new()?, new()?];
    game(&|me, _| events[me].wait().expect("in a segment"), &|other, _| events[other].set().expect("in a segment"))
}

fn by_semaphore() -> Result<Vec<f64>, Failure> {
    let new = || Segment::<Semaphore>::anonymous(|_empty| {});
    let semaphores = [new()?, new()?];
    game(&|me, _| semaphores[me].acquire().expect("in a segment"), &|other, _| {
        semaphores[other].release().expect("no maximum")
    })
}

/// Measures.
///
/// # Errors
/// A process or a segment cannot be made.
pub(crate) fn measure(rounds: usize) -> Result<String, Failure> {
    let sleep = |looks, words, ends| Sleep { looks, words, ends };
    let futex = |name, sleep| -> Variant<'static> { (name, Box::new(move || by_futex(sleep))) };
    let variants: Vec<Variant<'_>> = vec![
        futex("a sleep on one word", sleep(0, 1, false)),
        futex("with an end", sleep(0, 1, true)),
        futex("with 100 looks before it", sleep(100, 1, false)),
        futex("with 100 looks and an end", sleep(100, 1, true)),
        futex("on 2 words", sleep(0, 2, false)),
        futex("on 2 words, with an end", sleep(0, 2, true)),
        futex("on 3 words, with an end", sleep(0, 3, true)),
        futex("on 128 words, with an end", sleep(0, MOST_WORDS, true)),
        ("a Unix pipe", Box::new(by_pipe)),
        ("outlive Event", Box::new(by_event)),
        ("outlive Semaphore", Box::new(by_semaphore)),
    ];
    compare("sleeps: two processes on one processor wake each other", &[Column::Times("a turn")], variants, rounds)
}
