//! How long a turn takes when two tasks send a number to and fro, and both sleep meanwhile: through
//! the futures of two queues, and through two of tokio's channels. Each task has a thread of its
//! own with tokio's runtime of one thread.
//!
//! tokio's channel works among the threads of one process only. Its sender wakes the other task
//! itself. A sender of outlive does not know what the receiver is. It wakes the thread that sleeps
//! for the receiver's process, and that thread wakes the task. So a turn has two switches between
//! threads where tokio's has one. The bare relay shows what these cost by themselves: words and
//! futex calls of which nothing can be left out, if a thread lies in between.

// The words of a benchmark are no part of an algorithm. The relay is made of raw calls.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)]

use outlive::{ArrayQueue, Segment, Shareable};
use outlive_benches::Mode;
use outlive_benches::process::{self, OthersLoad};
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use std::error::Error;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const ROUNDS: usize = 40;
const TURNS: u64 = 5_000;

#[derive(Shareable)]
#[repr(C)]
struct Game {
    to: [ArrayQueue<u64, 8>; 2],
    /// The last number that was sent to each player, for the bare relay: the one that the player's
    /// relay sleeps on, and the one that the player sleeps on.
    relayed: [[AtomicU32; 2]; 2],
    picoseconds_a_turn: AtomicU64,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Tokio,
    Relay,
    FuturesOfThreads,
    FuturesOfProcesses,
    Blocking,
}

const WAYS: [(Way, &str); 5] = [
    (Way::Tokio, "tokio's channel, threads"),
    (Way::Relay, "bare relay, processes"),
    (Way::FuturesOfThreads, "outlive Queue, futures, threads"),
    (Way::FuturesOfProcesses, "outlive Queue, futures, processes"),
    (Way::Blocking, "outlive Queue, no futures, processes"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    for pinned in [true, false] {
        let load = OthersLoad::since_now()?;
        let turns = if mode == Mode::Measure { TURNS } else { TURNS / 100 };
        let mut times = WAYS.map(|_| vec![]);
        for round in 0..mode.rounds(ROUNDS) {
            for turn in 0..WAYS.len() {
                let which = (round + turn) % WAYS.len();
                times[which].push(once(WAYS[which].0, turns, pinned)?);
            }
        }
        show(if pinned { "one processor" } else { "two processors" }, &times);
        load.print()?;
    }
    Ok(())
}

/// The nanoseconds for one turn.
fn once(way: Way, turns: u64, pinned: bool) -> Result<f64, Box<dyn Error>> {
    let game = Segment::<Game>::anonymous(|_zero| {})?;
    let game = &*game;
    let processes: &[&[usize]] = match way {
        Way::Tokio | Way::FuturesOfThreads => &[&[0, 1]],
        Way::FuturesOfProcesses | Way::Blocking | Way::Relay => &[&[0], &[1]],
    };
    let mut children = vec![];
    for players in processes {
        children.push(process::fork(|| {
            if pinned {
                process::stay_on_processor(0);
            }
            let (one, other) = (mpsc::channel(8), mpsc::channel(8));
            let mut ends = [(one.0, other.1), (other.0, one.1)].into_iter();
            std::thread::scope(|scope| {
                for &me in *players {
                    let (send, receive) = ends.next().expect("one for each");
                    scope.spawn(move || match way {
                        Way::Tokio => with_tokio(game, me, turns, &send, receive),
                        Way::Relay => relayed(game, me, turns),
                        Way::Blocking => blocking(game, me, turns),
                        Way::FuturesOfThreads | Way::FuturesOfProcesses => with_futures(game, me, turns),
                    });
                }
            });
        })?);
    }
    for child in &mut children {
        child.join(Duration::from_secs(50))?;
    }
    Ok(game.picoseconds_a_turn.load(Ordering::Acquire) as f64 / 1e3)
}

/// Counts the turns, each of which is one number to or fro. The player 0 begins, and reads the
/// clock once all is warm.
async fn count(game: &Game, me: usize, turns: u64, mut turn: impl AsyncFnMut(u64)) {
    let warm = turns / 4;
    let mut begun = Instant::now();
    for number in 0..turns + warm {
        if number == warm {
            begun = Instant::now();
        }
        turn(number).await;
    }
    if me == 0 {
        let picoseconds = begun.elapsed().as_nanos() as u64 * 1000 / (2 * turns);
        game.picoseconds_a_turn.store(picoseconds, Ordering::Release);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn with_tokio(game: &Game, me: usize, turns: u64, send: &mpsc::Sender<u64>, mut receive: mpsc::Receiver<u64>) {
    runtime().block_on(count(game, me, turns, async |number| {
        if me == 0 {
            send.send(number).await.expect("open");
        }
        assert_eq!(receive.recv().await, Some(number));
        if me == 1 {
            send.send(number).await.expect("open");
        }
    }));
}

fn with_futures(game: &Game, me: usize, turns: u64) {
    let (own, other) = (&game.to[me], &game.to[1 - me]);
    runtime().block_on(count(game, me, turns, async |number| {
        if me == 0 {
            other.send_async(number).await.expect("open");
        }
        assert_eq!(own.recv_async().await, Ok(number));
        if me == 1 {
            other.send_async(number).await.expect("open");
        }
    }));
}

fn blocking(game: &Game, me: usize, turns: u64) {
    let (own, other) = (&game.to[me], &game.to[1 - me]);
    runtime().block_on(count(game, me, turns, async |number| {
        if me == 0 {
            other.send(number).expect("open");
        }
        assert_eq!(own.recv(), Ok(number));
        if me == 1 {
            other.send(number).expect("open");
        }
    }));
}

/// Sleeps until the word has the number.
fn sleep_until(word: &AtomicU32, number: u32) {
    loop {
        let now = word.load(Ordering::Acquire);
        if now == number {
            return;
        }
        // SAFETY: the word lives as long as the call; without a timeout.
        unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, now, std::ptr::null::<libc::timespec>()) };
    }
}

fn store_and_wake(word: &AtomicU32, number: u32) {
    word.store(number, Ordering::Release);
    // SAFETY: the call reads no memory.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, 1) };
}

/// Without any check of deaths, without a queue, and without a list of tasks.
fn relayed(game: &Game, me: usize, turns: u64) {
    let [relay_of, player] = [0, 1].map(|which| move |who: usize| &game.relayed[who][which]);
    let last = turns + turns / 4;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 1..=last {
                sleep_until(relay_of(me), number as u32);
                store_and_wake(player(me), number as u32);
            }
        });
        runtime().block_on(count(game, me, turns, async |number| {
            if me == 0 {
                store_and_wake(relay_of(1), number as u32 + 1);
            }
            sleep_until(player(me), number as u32 + 1);
            if me == 1 {
                store_and_wake(relay_of(0), number as u32 + 1);
            }
        }));
    });
}

fn show(place: &str, times: &[Vec<f64>; WAYS.len()]) {
    let mut table = Table::new(
        format!("a number to and fro, both asleep, {place}, {} rounds; ratios within a round", times[0].len()),
        &["", "us a turn", "x tokio's channel [95 % interval]", "", "x bare relay"],
    );
    for ((way, name), of) in WAYS.iter().zip(times) {
        let own: Samples = of.iter().copied().collect();
        let ratios = Samples::ratios(of, &times[0]);
        let is_judged = matches!(way, Way::FuturesOfThreads | Way::FuturesOfProcesses);
        table.row([
            (*name).to_string(),
            format!("{:.2}", own.median() / 1e3),
            with_interval(&ratios),
            if is_judged { verdict(&ratios, Target::AtMost(1.5)) } else { String::new() },
            with_interval(&Samples::ratios(of, &times[1])),
        ]);
    }
    println!("{table}");
}
