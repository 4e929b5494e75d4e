//! How long a turn takes when two processes play ping-pong with two condition variables and one
//! mutex. A turn is a change of the ball, a notification, and a wait.
//!
//! # Where the time goes
//!
//! The notifier holds the mutex. If it woke the waiter, the kernel would switch to the waiter on
//! the same processor. The waiter would find the mutex held, sleep again, and be woken by the
//! release. That was 1.95 switches a turn, where one is enough. pthread's condition variable needs
//! 1.8. So the notifier moves the waiter to the mutex's word, and the release wakes it: 1.0
//! switches and 3.3 system calls a turn. `docs/DESIGN.md` has what else was tried.

#![allow(clippy::disallowed_types)] // the words of a benchmark are no part of an algorithm

use outlive::{Condvar, Mutex, Segment, Shareable};
use outlive_benches::Mode;
use outlive_benches::peers::{Cond, Pthread, Robustness};
use outlive_benches::process::{self, OthersLoad};
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use std::error::Error;
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;
const TURNS: u64 = 20_000;

#[derive(Shareable)]
#[repr(C, align(64))]
struct Ours {
    /// Whose turn it is, 0 or 1, and how many turns were made.
    ball: Mutex<[u64; 2]>,
    turn_of: [Condvar; 2],
}

#[derive(Shareable)]
#[repr(C, align(64))]
struct Theirs {
    /// The number beside the mutex says whose turn it is.
    mutex: Pthread,
    turn_of: [Cond; 2],
}

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    for pinned in [true, false] {
        let load = OthersLoad::since_now()?;
        let turns = if mode == Mode::Measure { TURNS } else { TURNS / 100 };
        let mut times = [vec![], vec![]];
        for round in 0..mode.rounds(ROUNDS) {
            for turn in 0..2 {
                let which = (round + turn) % 2;
                times[which].push(if which == 0 { ours(turns, pinned)? } else { theirs(turns, pinned)? });
            }
        }
        show(if pinned { "one processor" } else { "two processors" }, &times);
        load.print()?;
    }
    Ok(())
}

/// Lets two processes make `turns` turns each. Returns the nanoseconds for one turn.
fn play(turns: u64, pinned: bool, make_turns: impl Fn(usize, u64)) -> Result<f64, Box<dyn Error>> {
    let begun = Instant::now();
    let mut players = vec![];
    for me in 0..2 {
        players.push(process::fork(|| {
            if pinned {
                process::stay_on_processor(0);
            }
            make_turns(me, turns);
        })?);
    }
    for player in &mut players {
        player.join(Duration::from_secs(50))?;
    }
    Ok(begun.elapsed().as_nanos() as f64 / (2 * turns) as f64)
}

fn ours(turns: u64, pinned: bool) -> Result<f64, Box<dyn Error>> {
    let segment = Segment::<Ours>::anonymous(|_zero| {})?;
    let table = &*segment;
    let time = play(turns, pinned, |me, turns| {
        let mut ball = table.ball.lock().expect("nobody dies");
        for _ in 0..turns {
            ball = table.turn_of[me].wait_while(ball, |ball| ball[0] != me as u64).expect("nobody dies");
            ball[0] = 1 - me as u64;
            ball[1] += 1;
            table.turn_of[1 - me].notify_one();
        }
    })?;
    let made = table.ball.lock().map_err(|e| e.to_string())?[1];
    if made == 2 * turns { Ok(time) } else { Err(format!("{made} turns were made").into()) }
}

fn theirs(turns: u64, pinned: bool) -> Result<f64, Box<dyn Error>> {
    let mut answer = Ok(());
    let segment = Segment::<Theirs>::anonymous(|new| {
        answer = new.mutex.set_up(Robustness::Stalled).and_then(|()| new.turn_of.iter_mut().try_for_each(Cond::set_up));
    })?;
    answer?;
    let table = &*segment;
    play(turns, pinned, |me, turns| {
        assert_eq!(table.mutex.lock(), 0);
        for _ in 0..turns {
            // SAFETY: this thread holds the mutex when it reads or changes the number, and when it
            // begins to wait.
            unsafe {
                while table.mutex.number() != me as u64 {
                    assert_eq!(table.turn_of[me].wait(&table.mutex), 0);
                }
                table.mutex.set_number(1 - me as u64);
            }
            assert_eq!(table.turn_of[1 - me].signal(), 0);
        }
        // SAFETY: this thread holds the mutex, and there is no reference to its data.
        assert_eq!(unsafe { table.mutex.unlock() }, 0);
    })
}

fn show(where_: &str, times: &[Vec<f64>; 2]) {
    let mut table = Table::new(
        format!("ping-pong with two condition variables, {where_}, {} rounds; ratios within a round", times[0].len()),
        &["", "us a turn", "x pthread [95 % interval]", ""],
    );
    for (name, of) in [("outlive Condvar", &times[0]), ("pthread_cond", &times[1])] {
        let own: Samples = of.iter().copied().collect();
        let ratios = Samples::ratios(of, &times[1]);
        table.row([
            name.to_string(),
            format!("{:.2}", own.median() / 1e3),
            with_interval(&ratios),
            if name.starts_with("outlive") { verdict(&ratios, Target::AtMost(1.05)) } else { String::new() },
        ]);
    }
    println!("{table}");
}
