//! How fast is a pipe between two processes? Messages of 64 bytes a second; messages of 1 MiB, as
//! a share of what `memcpy` copies; and how long a turn of ping-pong takes while both players spin
//! and while both sleep.
//!
//! How fast long messages go depends on the ring. If a processor's own cache holds the whole ring,
//! each line that the sender writes has to be fetched from the receiver's cache, and this takes
//! longer than the copy. A larger ring goes through the cache that processors share. "The same by
//! two processes" shows what is possible with either.

#![allow(clippy::disallowed_types)] // the words of a benchmark are no part of an algorithm

use outlive::{Pipe, Segment, Shareable};
use outlive_benches::Mode;
use outlive_benches::contest::{Control, be_busy, compete, steps_in};
use outlive_benches::process::{self, OthersLoad};
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use std::cell::{Cell, UnsafeCell};
use std::error::Error;
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 60;
/// Short, so that many rounds are not disturbed by other programs.
const ROUND: Duration = Duration::from_millis(8);
const CAPACITY: usize = 64 << 10;
const LONG: usize = 1 << 20;
/// The turns of a game that are not measured, in which both players begin.
const FIRST_TURNS: u64 = 20;

type Item = [u64; 8];

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    short_messages(mode)?;
    long_messages(mode)?;
    games(mode)
}

/// The bytes of an item.
fn bytes(item: Item) -> [u8; size_of::<Item>()] {
    // SAFETY: both are plain bytes of one size.
    unsafe { std::mem::transmute(item) }
}

/// The item of these bytes.
fn item(bytes: [u8; size_of::<Item>()]) -> Item {
    // SAFETY: both are plain bytes of one size.
    unsafe { std::mem::transmute(bytes) }
}

// --- A bare ring

/// Two cache lines, because processors fetch lines in pairs.
#[repr(C, align(128))]
struct OwnLines<T>(T);

/// A ring for one sender and one receiver. Nobody sleeps, and nobody notices a death. Each side
/// keeps what it last saw of the other's position.
#[repr(C)]
struct Bare {
    tail: OwnLines<AtomicU64>,
    head: OwnLines<AtomicU64>,
    items: [UnsafeCell<Item>; BARE],
}

const BARE: usize = 1024;

// SAFETY: the positions give an item to one side at a time.
unsafe impl Sync for Bare {}
// SAFETY: repr(C) around words and plain items, no drop glue. Positions are reduced to indices.
unsafe impl Shareable for Bare {
    const DEFINITION: &'static outlive::Definition = &outlive::Definition::atomic::<Self>("Bare");
}

/// One side's own position, and the other's as it was last seen.
#[derive(Default)]
struct Side(Cell<u64>, Cell<u64>);

impl Bare {
    #[inline(always)]
    fn try_send(&self, side: &Side, item: Item) -> bool {
        let at = side.0.get();
        if at - side.1.get() == BARE as u64 {
            side.1.set(self.head.0.load(Ordering::Acquire));
            if at - side.1.get() == BARE as u64 {
                return false;
            }
        }
        // SAFETY: the receiver has left this item.
        unsafe { self.items[at as usize % BARE].get().write(item) };
        self.tail.0.store(at + 1, Ordering::Release);
        side.0.set(at + 1);
        true
    }

    #[inline(always)]
    fn try_recv(&self, side: &Side) -> Option<Item> {
        let at = side.0.get();
        if at == side.1.get() {
            side.1.set(self.tail.0.load(Ordering::Acquire));
            if at == side.1.get() {
                return None;
            }
        }
        // SAFETY: the sender has left this item.
        let item = unsafe { self.items[at as usize % BARE].get().read() };
        self.head.0.store(at + 1, Ordering::Release);
        side.0.set(at + 1);
        Some(item)
    }
}

/// Repeats `attempt` until it succeeds.
#[inline(always)]
fn poll<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let mut spins = 0;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        spins += 1;
        if spins < 100 {
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

// --- Short messages

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Outlive,
    Bare,
    Unix,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::Outlive, "outlive Pipe"),
    (Kind::Bare, "bare ring, one to one (no deaths, no sleep)"),
    (Kind::Unix, "Unix pipe"),
];

/// A message that says: there will be no more.
const END: Item = [u64::MAX; 8];

/// Sends items until the contest is over.
#[inline(always)]
fn send_all(control: &Control, mut send: impl FnMut(Item)) {
    control.begin();
    (1..).take_while(|_| control.is_running()).for_each(|number| send([number; 8]));
    send(END);
}

/// Receives all items, and notes how many came while the contest lasted.
#[inline(always)]
fn receive_all(control: &Control, mut receive: impl FnMut() -> Item) {
    control.begin();
    let mut count = 0;
    for number in 1.. {
        let item = receive();
        if item == END {
            break;
        }
        assert_eq!(item, [number; 8]);
        count += u64::from(control.is_running());
    }
    control.counts[1].store(count, Ordering::Release);
}

/// Lets one process send items, and another one receive them. Returns how many items a second were
/// received.
fn contest(round: Duration, send: impl Fn(&Control), receive: impl Fn(&Control)) -> Result<f64, Box<dyn Error>> {
    let control = Segment::<Control>::anonymous(|_zero| {})?;
    let control = &*control;
    let elapsed = compete(control, 2, round, |me| {
        process::stay_on_processor(me);
        if me == 0 { send(control) } else { receive(control) }
    })?;
    Ok(control.counts[1].load(Ordering::Acquire) as f64 / elapsed.as_secs_f64())
}

fn items_a_second(kind: Kind, round: Duration) -> Result<f64, Box<dyn Error>> {
    match kind {
        Kind::Outlive => {
            let pipe = Pipe::anonymous(CAPACITY)?;
            let send = |control: &Control| {
                let mut sender = pipe.sender().expect("free");
                send_all(control, |item| sender.send_bytes(&bytes(item)).expect("open"));
            };
            contest(round, send, |control| {
                let mut receiver = pipe.receiver().expect("free");
                receive_all(control, || {
                    let mut buffer = bytes(END);
                    assert_eq!(receiver.recv_into(&mut buffer).expect("open"), buffer.len());
                    item(buffer)
                });
            })
        }
        Kind::Bare => {
            let ring = Segment::<Bare>::anonymous(|_zero| {})?;
            let send = |control: &Control| {
                let side = Side::default();
                send_all(control, |item| poll(|| ring.try_send(&side, item).then_some(())));
            };
            contest(round, send, |control| {
                let side = Side::default();
                receive_all(control, || poll(|| ring.try_recv(&side)));
            })
        }
        Kind::Unix => {
            let (read, write) = process::pipe()?;
            let send = |control: &Control| send_all(control, |item| (&write).write_all(&bytes(item)).expect("open"));
            contest(round, send, |control| {
                receive_all(control, || {
                    let mut buffer = bytes(END);
                    (&read).read_exact(&mut buffer).expect("open");
                    item(buffer)
                });
            })
        }
    }
}

fn short_messages(mode: Mode) -> Result<(), Box<dyn Error>> {
    let load = OthersLoad::since_now()?;
    let round = if mode == Mode::Measure { ROUND } else { ROUND / 5 };
    let speeds = interleaved(mode, KINDS.len(), |which| items_a_second(KINDS[which].0, round))?;
    let mut table = Table::new(
        format!(
            "one way, messages of 64 bytes, a ring of {CAPACITY} bytes, {} rounds; ratios within a round; last, the \
             best tenth of rounds",
            speeds[0].len()
        ),
        &["", "M/s", "x bare ring [95 % interval]", "", "x Unix pipe", "best, x bare ring"],
    );
    for ((kind, name), own) in KINDS.iter().zip(&speeds) {
        let to_bare = Samples::ratios(own, &speeds[1]);
        let best = |of: &[f64]| of.iter().copied().collect::<Samples>().quantile(0.9);
        table.row([
            (*name).to_string(),
            format!("{:.2}", own.iter().copied().collect::<Samples>().median() / 1e6),
            with_interval(&to_bare),
            if *kind == Kind::Outlive { verdict(&to_bare, Target::AtLeast(0.6)) } else { String::new() },
            with_interval(&Samples::ratios(own, &speeds[2])),
            format!("{:.2}", best(own) / best(&speeds[1])),
        ]);
    }
    println!("{table}");
    load.print()?;
    Ok(())
}

/// Measures so many candidates, round by round in a rotating order.
fn interleaved(
    mode: Mode,
    candidates: usize,
    measure: impl Fn(usize) -> Result<f64, Box<dyn Error>>,
) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let mut figures = vec![vec![]; candidates];
    for round in 0..mode.rounds(ROUNDS) {
        for turn in 0..candidates {
            let which = (round + turn) % candidates;
            figures[which].push(measure(which)?);
        }
    }
    Ok(figures)
}

// --- Long messages

#[derive(Clone, Copy, PartialEq)]
enum Long {
    Outlive,
    Copied,
    Handed,
    Unix,
}

/// What copies, and with a ring of how many bytes.
const LONGS: [(Long, usize, &str); 6] = [
    (Long::Copied, LONG, "memcpy into shared memory, and out of it"),
    (Long::Outlive, LARGE, "outlive Pipe, a ring of 4 MiB"),
    (Long::Handed, LARGE, "memcpy by two processes, which spin, 4 MiB"),
    (Long::Outlive, SMALL, "outlive Pipe, a ring of 256 KiB"),
    (Long::Handed, SMALL, "memcpy by two processes, which spin, 256 KiB"),
    (Long::Unix, 0, "Unix pipe"),
];

/// Lets one process send long messages, and another one receive them. Returns the bytes a second.
fn bytes_a_second(kind: Long, capacity: usize, round: Duration) -> Result<f64, Box<dyn Error>> {
    let message = vec![7; LONG];
    let messages = match kind {
        Long::Outlive => {
            let pipe = Pipe::anonymous(capacity)?;
            contest(
                round,
                |control| {
                    let mut sender = pipe.sender().expect("free");
                    control.begin();
                    while control.is_running() {
                        sender.send_bytes(&message).expect("open");
                    }
                },
                |control| {
                    let mut receiver = pipe.receiver().expect("free");
                    let (mut buffer, mut count) = (vec![0; LONG], 0);
                    control.begin();
                    while receiver.recv_into(&mut buffer).is_ok_and(|length| length == LONG) {
                        count += u64::from(control.is_running());
                    }
                    assert_eq!(buffer, message);
                    control.counts[1].store(count, Ordering::Release);
                },
            )
        }
        Long::Copied => {
            // One process does both copies: that is what they cost without any transfer.
            let shared = outlive::SharedMemory::anonymous(LONG)?;
            let words = shared.segment().room();
            let shared = words.as_ptr().cast_mut().cast::<u8>();
            contest(
                round,
                |control| control.begin(),
                |control| {
                    let (mut buffer, mut count) = (vec![0; LONG], 0);
                    control.begin();
                    while control.is_running() {
                        // SAFETY: as many bytes as the memory has, which nobody else uses.
                        unsafe {
                            std::ptr::copy_nonoverlapping(black_box(message.as_ptr()), shared, LONG);
                            std::ptr::copy_nonoverlapping(shared, black_box(buffer.as_mut_ptr()), LONG);
                        }
                        count += 1;
                    }
                    control.counts[1].store(count, Ordering::Release);
                },
            )
        }
        Long::Handed => handed(round, &message, capacity),
        Long::Unix => {
            let (read, write) = process::pipe()?;
            contest(
                round,
                |control| {
                    control.begin();
                    while control.is_running() {
                        (&write).write_all(&message).expect("open");
                    }
                    (&write).write_all(&vec![0; LONG]).expect("open");
                },
                |control| {
                    let (mut buffer, mut count) = (vec![0; LONG], 0);
                    control.begin();
                    loop {
                        (&read).read_exact(&mut buffer).expect("open");
                        if buffer[0] == 0 {
                            break;
                        }
                        count += u64::from(control.is_running());
                    }
                    control.counts[1].store(count, Ordering::Release);
                },
            )
        }
    }?;
    Ok(messages * LONG as f64)
}

/// The two copies by two processes on two processors, with as much memory between them as the pipe
/// has. Nobody sleeps, and nobody notices a death. So this is what the transfer itself costs: each
/// line that one processor has written moves to the other.
fn handed(round: Duration, message: &[u8], capacity: usize) -> Result<f64, Box<dyn Error>> {
    const PARTS: u64 = 4;
    #[derive(Shareable)]
    #[repr(C)]
    struct Between {
        written: AtomicU64,
        apart: [u64; 31],
        read: AtomicU64,
        apart_too: [u64; 31],
    }
    let part_size = capacity / PARTS as usize;
    assert_eq!(message.len() % part_size, 0);
    let between = Segment::<Between>::anonymous(|_zero| {})?;
    let between = &*between;
    let memory = outlive::SharedMemory::anonymous(capacity)?;
    let words = memory.segment().room();
    let first = words.as_ptr().cast_mut().cast::<u8>().expose_provenance();
    let part = |number: u64| std::ptr::with_exposed_provenance_mut::<u8>(first + (number % PARTS) as usize * part_size);
    contest(
        round,
        |control| {
            control.begin();
            let mut number = 0;
            while control.is_running() {
                for own in message.chunks(part_size) {
                    poll(|| (number - between.read.load(Ordering::Acquire) < PARTS).then_some(()));
                    // SAFETY: as many bytes as a part has. The reader has left it.
                    unsafe { std::ptr::copy_nonoverlapping(black_box(own.as_ptr()), part(number), part_size) };
                    number += 1;
                    between.written.store(number, Ordering::Release);
                }
            }
            between.written.store(u64::MAX, Ordering::Release);
        },
        |control| {
            let (mut buffer, mut count, mut number) = (vec![0_u8; LONG], 0, 0);
            control.begin();
            loop {
                for own in buffer.chunks_mut(part_size) {
                    poll(|| (between.written.load(Ordering::Acquire) > number).then_some(()));
                    // SAFETY: as many bytes as a part has. The writer has left it.
                    unsafe { std::ptr::copy_nonoverlapping(part(number), black_box(own.as_mut_ptr()), part_size) };
                    number += 1;
                    between.read.store(number, Ordering::Release);
                }
                if between.written.load(Ordering::Acquire) == u64::MAX {
                    break;
                }
                count += u64::from(control.is_running());
            }
            control.counts[1].store(count, Ordering::Release);
        },
    )
}

/// The bytes of a ring that goes through the processors' shared cache.
const LARGE: usize = 4 << 20;
/// The bytes of a ring that each processor's own cache holds.
const SMALL: usize = 256 << 10;

fn long_messages(mode: Mode) -> Result<(), Box<dyn Error>> {
    let load = OthersLoad::since_now()?;
    let round = if mode == Mode::Measure { 3 * ROUND } else { ROUND };
    let speeds = interleaved(mode, LONGS.len(), |which| {
        let (kind, capacity, _) = LONGS[which];
        bytes_a_second(kind, capacity, round)
    })?;
    let mut table = Table::new(
        format!("one way, messages of 1 MiB, {} rounds; ratios within a round", speeds[0].len()),
        &["", "GB/s", "x memcpy twice [95 % interval]", "", "x Unix pipe"],
    );
    for ((kind, capacity, name), own) in LONGS.iter().zip(&speeds) {
        let to_copied = Samples::ratios(own, &speeds[0]);
        let is_judged = (*kind, *capacity) == (Long::Outlive, LARGE);
        table.row([
            (*name).to_string(),
            format!("{:.2}", own.iter().copied().collect::<Samples>().median() / 1e9),
            with_interval(&to_copied),
            if is_judged { verdict(&to_copied, Target::AtLeast(0.8)) } else { String::new() },
            with_interval(&Samples::ratios(own, &speeds[5])),
        ]);
    }
    println!("{table}");
    load.print()?;
    Ok(())
}

// --- Ping-pong

#[derive(Clone, Copy, PartialEq)]
enum Game {
    Line,
    /// outlive's pipe with `try_recv_into`: the players spin.
    Polled,
    /// outlive's pipe with `recv_into`.
    Outlive,
    Unix,
}

impl Game {
    fn name(self) -> &'static str {
        match self {
            Self::Line => "a cache line's bounce",
            Self::Polled => "outlive Pipe, try_recv_into",
            Self::Outlive => "outlive Pipe, recv_into",
            Self::Unix => "Unix pipe",
        }
    }
}

/// Where and how two players play. The ratios are to the first game.
struct Play {
    title: &'static str,
    games: &'static [Game],
    processors: [usize; 2],
    turns: u64,
    busy: Duration,
    judged: Game,
    at_most: f64,
}

const PLAYS: [Play; 3] = [
    Play {
        title: "both spin, two processors",
        games: &[Game::Line, Game::Polled, Game::Outlive],
        processors: [0, 1],
        turns: 4_000,
        busy: Duration::ZERO,
        judged: Game::Polled,
        at_most: 1.3,
    },
    Play {
        title: "both sleep, one processor",
        games: &[Game::Unix, Game::Outlive],
        processors: [0, 0],
        turns: 1_000,
        busy: Duration::ZERO,
        judged: Game::Outlive,
        at_most: 1.0,
    },
    Play {
        title: "both sleep (each player is busy for 50 us before its turn), two processors",
        games: &[Game::Unix, Game::Outlive],
        processors: [0, 1],
        turns: 60,
        busy: Duration::from_micros(50),
        judged: Game::Outlive,
        at_most: 1.0,
    },
];

/// Makes the turns of one player. Returns how long the player was busy.
#[inline(always)]
fn make_turns(
    me: usize,
    turns: std::ops::Range<u64>,
    busy: u64,
    mut send: impl FnMut(u64),
    mut receive: impl FnMut(u64),
) -> Duration {
    let mut was_busy = Duration::ZERO;
    for turn in turns {
        if me == 1 {
            receive(turn);
        }
        if busy > 0 {
            let begun = Instant::now();
            be_busy(turn, busy);
            was_busy += begun.elapsed();
        }
        send(turn);
        if me == 0 {
            receive(turn);
        }
    }
    was_busy
}

/// A cache line that goes to and fro.
#[derive(Shareable)]
#[repr(C, align(128))]
struct Line {
    ball: AtomicU64,
    apart: [u64; 15],
}

/// Lets two processes play. A turn is a message from one to the other. Returns the nanoseconds for
/// one turn, without the time for which the players were busy.
fn play(game: Game, play: &Play, turns: u64, busy: u64) -> Result<f64, Box<dyn Error>> {
    let line = Segment::<Line>::anonymous(|_zero| {})?;
    let control = Segment::<Control>::anonymous(|_zero| {})?;
    let pipes = [Pipe::anonymous(4096)?, Pipe::anonymous(4096)?];
    let unix = [process::pipe()?, process::pipe()?];
    let (line, control) = (&*line, &*control);
    compete(control, 2, Duration::ZERO, |me| {
        process::stay_on_processor(play.processors[me]);
        let (mut sender, mut receiver) = (pipes[me].sender().expect("free"), pipes[1 - me].receiver().expect("free"));
        let (from, to) = (&unix[1 - me].0, &unix[me].1);
        let mut make =
            |turns| match game {
                Game::Line => {
                    // The ball is the number of the strokes so far. ORDERING: Acquire and Release,
                    // as for a message.
                    let stroke = |turn: u64, of: usize| 2 * turn + 1 + of as u64;
                    let send = |turn| line.ball.store(stroke(turn, me), Ordering::Release);
                    make_turns(me, turns, busy, send, |turn| {
                        while line.ball.load(Ordering::Acquire) != stroke(turn, 1 - me) {}
                    })
                }
                Game::Polled => {
                    let send = |turn: u64| sender.send_bytes(&turn.to_ne_bytes()).expect("open");
                    make_turns(me, turns, busy, send, |turn| {
                        let mut bytes = [0; 8];
                        while receiver.try_recv_into(&mut bytes).is_err() {}
                        assert_eq!(u64::from_ne_bytes(bytes), turn);
                    })
                }
                Game::Outlive => {
                    let send = |turn: u64| sender.send_bytes(&turn.to_ne_bytes()).expect("open");
                    make_turns(me, turns, busy, send, |turn| {
                        let mut bytes = [0; 8];
                        assert_eq!(receiver.recv_into(&mut bytes).expect("open"), 8);
                        assert_eq!(u64::from_ne_bytes(bytes), turn);
                    })
                }
                Game::Unix => {
                    let send = |turn: u64| (&*to).write_all(&turn.to_ne_bytes()).expect("open");
                    make_turns(me, turns, busy, send, |turn| {
                        let mut bytes = [0; 8];
                        (&*from).read_exact(&mut bytes).expect("open");
                        assert_eq!(u64::from_ne_bytes(bytes), turn);
                    })
                }
            };
        control.begin();
        make(0..FIRST_TURNS);
        let begun = Instant::now();
        let was_busy = make(FIRST_TURNS..FIRST_TURNS + turns);
        control.counts[me].store(begun.elapsed().as_nanos() as u64, Ordering::Release);
        control.longest[me].store(was_busy.as_nanos() as u64, Ordering::Release);
    })?;
    let [elapsed, first, second] =
        [&control.counts[0], &control.longest[0], &control.longest[1]].map(|word| word.load(Ordering::Acquire) as f64);
    Ok((elapsed - first - second) / (2 * turns) as f64)
}

fn games(mode: Mode) -> Result<(), Box<dyn Error>> {
    for of in &PLAYS {
        let load = OthersLoad::since_now()?;
        let turns = if mode == Mode::Measure { of.turns } else { of.turns / 50 };
        let busy = if of.busy.is_zero() { 0 } else { steps_in(of.busy) };
        let times = interleaved(mode, of.games.len(), |which| play(of.games[which], of, turns, busy))?;
        let mut table = Table::new(
            format!("ping-pong, {}, {} rounds; ratios within a round; last, the best tenth", of.title, times[0].len()),
            &["", "us a turn", "x first [95 % interval]", "", "best, us", "best, x first"],
        );
        let best = |of: &[f64]| of.iter().copied().collect::<Samples>().quantile(0.1);
        for (game, own) in of.games.iter().zip(&times) {
            let ratios = Samples::ratios(own, &times[0]);
            table.row([
                game.name().to_string(),
                format!("{:.3}", own.iter().copied().collect::<Samples>().median() / 1e3),
                with_interval(&ratios),
                if *game == of.judged { verdict(&ratios, Target::AtMost(of.at_most)) } else { String::new() },
                format!("{:.3}", best(own) / 1e3),
                format!("{:.2}", best(own) / best(&times[0])),
            ]);
        }
        println!("{table}");
        load.print()?;
    }
    Ok(())
}
