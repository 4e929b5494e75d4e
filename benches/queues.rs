//! How many items of 64 bytes a second go through a queue of 1,024 cells, from one process to
//! another, and from two to two. Then: how long a turn takes when two processes send a number to
//! and fro, while both spin and while both sleep.
//!
//! Each item carries a number. At the end the sum of the received numbers must be that of the sent
//! ones.

#![allow(clippy::disallowed_types)] // the words of a benchmark are no part of an algorithm

use outlive::{ArrayQueue, ArrayTaskQueue, Segment, Shareable};
use outlive_benches::Mode;
use outlive_benches::contest::{Control, be_busy, compete, compete_as_threads, steps_in};
use outlive_benches::peers::{LockedRing, Ring};
use outlive_benches::process::{self, OthersLoad};
use outlive_benches::report::{Samples, Table, Target, verdict, with_interval};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::ops::Range;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CELLS: usize = 1024;
const BATCH: usize = 32;
const ROUNDS: usize = 100;
/// Short, so that many rounds are not disturbed by other programs.
const ROUND: Duration = Duration::from_millis(8);
/// The turns of a game that are not measured, in which both players begin.
const FIRST_TURNS: u64 = 20;

type Item = [u64; 8];

/// A mebibyte.
const LONG: usize = 1 << 17;
type Long = [u64; LONG];
const LONG_CELLS: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    for pairs in [1, 2] {
        throughput(mode, pairs)?;
    }
    latency(mode)
}

// --- Throughput

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Outlive,
    OutliveBatches,
    Tasks,
    LongTasks,
    Ring,
    FencedRing,
    OneLock,
    TwoLocks,
    Crossbeam,
    Pipe,
}

const KINDS: [(Kind, &str); 10] = [
    (Kind::Outlive, "outlive Queue"),
    (Kind::OutliveBatches, "outlive Queue, batches of 32"),
    (Kind::Tasks, "outlive TaskQueue"),
    (Kind::LongTasks, "outlive TaskQueue, 1 MiB in place"),
    (Kind::Ring, "bare ring (no deaths, no sleep)"),
    (Kind::FencedRing, "the same, a fence after each item"),
    (Kind::OneLock, "ring, one robust pthread mutex"),
    (Kind::TwoLocks, "ring, two robust pthread mutexes"),
    (Kind::Crossbeam, "crossbeam-channel (threads only)"),
    (Kind::Pipe, "Unix pipe"),
];

/// What the participants of a round share besides the queue. All zero at first.
#[derive(Shareable)]
#[repr(C)]
struct Totals {
    /// The sums of the numbers.
    sent: AtomicU64,
    received: AtomicU64,
    /// The number of producers that will send nothing more.
    finished: AtomicU32,
}

/// What a contestant does. Both functions run to the end of a round.
trait Channel {
    /// Sends all of these items.
    fn send_all(&self, items: impl Iterator<Item = Item>);
    /// Calls `each` with each item until there will be none.
    fn receive_all(&self, each: impl FnMut(Item));
    /// The last producer says that there will be no more items.
    fn end(&self) {}
}

impl Channel for &ArrayQueue<Item, CELLS> {
    fn send_all(&self, items: impl Iterator<Item = Item>) {
        items.for_each(|item| self.send(item).expect("open"));
    }
    fn receive_all(&self, mut each: impl FnMut(Item)) {
        while let Ok(item) = self.recv() {
            each(item);
        }
    }
    fn end(&self) {
        self.close().expect("in a segment");
    }
}

struct Batches<'a>(&'a ArrayQueue<Item, CELLS>);

impl Channel for Batches<'_> {
    fn send_all(&self, mut items: impl Iterator<Item = Item>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            batch.clear();
            batch.extend(items.by_ref().take(BATCH));
            self.0.send_batch(&batch).expect("open");
            if batch.len() < BATCH {
                return;
            }
        }
    }
    fn receive_all(&self, mut each: impl FnMut(Item)) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.0.recv_batch(&mut batch, BATCH).is_ok() {
            batch.drain(..).for_each(&mut each);
        }
    }
    fn end(&self) {
        self.0.end();
    }
}

impl Channel for &ArrayTaskQueue<Item, CELLS> {
    fn send_all(&self, items: impl Iterator<Item = Item>) {
        items.for_each(|item| self.send(item).expect("open"));
    }
    fn receive_all(&self, mut each: impl FnMut(Item)) {
        while let Ok(task) = self.take() {
            each(*task);
            task.done().expect("ours");
        }
    }
    fn end(&self) {
        self.close().expect("in a segment");
    }
}

/// Long items, which are written and read in place: two cache lines of each.
struct InPlace<'a>(&'a ArrayTaskQueue<Long, LONG_CELLS>);

impl Channel for InPlace<'_> {
    fn send_all(&self, items: impl Iterator<Item = Item>) {
        for item in items {
            let mut loan = self.0.reserve().expect("open");
            (loan[0], loan[LONG - 1]) = (item[0], item[7]);
            loan.publish().expect("ours");
        }
    }
    fn receive_all(&self, mut each: impl FnMut(Item)) {
        while let Ok(task) = self.0.take() {
            assert_eq!(task[0], task[LONG - 1]);
            each([task[0]; 8]);
            task.done().expect("ours");
        }
    }
    fn end(&self) {
        self.0.close().expect("in a segment");
    }
}

/// A queue on which nobody can sleep: a participant spins, and then yields its processor.
struct Polled<'a, S: Fn(Item) -> bool, R: Fn() -> Option<Item>> {
    try_send: S,
    try_recv: R,
    totals: &'a Totals,
    producers: u32,
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

impl<S: Fn(Item) -> bool, R: Fn() -> Option<Item>> Channel for Polled<'_, S, R> {
    fn send_all(&self, items: impl Iterator<Item = Item>) {
        items.for_each(|item| poll(|| (self.try_send)(item).then_some(())));
    }
    fn receive_all(&self, mut each: impl FnMut(Item)) {
        while let Some(item) = poll(|| match (self.try_recv)() {
            Some(item) => Some(Some(item)),
            // ORDERING: Acquire, with the Release of the producers: their last items are seen now.
            None if self.totals.finished.load(Ordering::Acquire) == self.producers => Some((self.try_recv)()),
            None => None,
        }) {
            each(item);
        }
    }
}

struct Crossbeam(crossbeam_channel::Sender<Item>, crossbeam_channel::Receiver<Item>);

/// An item that says: there will be no more.
const END: Item = [u64::MAX; 8];

impl Channel for Crossbeam {
    fn send_all(&self, items: impl Iterator<Item = Item>) {
        items.for_each(|item| self.0.send(item).expect("open"));
    }
    fn receive_all(&self, mut each: impl FnMut(Item)) {
        while let Some(item) = self.1.recv().ok().filter(|item| *item != END) {
            each(item);
        }
        self.end(); // for the other consumer
    }
    fn end(&self) {
        self.0.send(END).expect("open");
    }
}

struct Pipe(File, File);

/// The bytes of an item.
fn bytes(item: Item) -> [u8; size_of::<Item>()] {
    // SAFETY: both are plain bytes of one size.
    unsafe { std::mem::transmute(item) }
}

impl Channel for Pipe {
    fn send_all(&self, items: impl Iterator<Item = Item>) {
        // A write of so few bytes is atomic.
        items.for_each(|item| (&self.1).write_all(&bytes(item)).expect("open"));
    }
    fn receive_all(&self, mut each: impl FnMut(Item)) {
        let mut buffer = bytes(END);
        loop {
            // All reads and writes are whole items, so no read ends within one.
            (&self.0).read_exact(&mut buffer).expect("open");
            // SAFETY: both are plain bytes of one size.
            let item: Item = unsafe { std::mem::transmute(buffer) };
            if item == END {
                return self.end(); // for the other consumer
            }
            each(item);
        }
    }
    fn end(&self) {
        (&self.1).write_all(&bytes(END)).expect("open");
    }
}

/// Runs a round of one contestant. Returns how many items a second were received.
fn items_a_second(kind: Kind, pairs: usize, round: Duration) -> Result<f64, Box<dyn Error>> {
    let totals = Segment::<Totals>::anonymous(|_zero| {})?;
    let totals = &*totals;
    let producers = pairs as u32;
    match kind {
        Kind::Outlive | Kind::OutliveBatches => {
            let queue = Segment::<ArrayQueue<Item, CELLS>>::anonymous(|_empty| {})?;
            let prepare = || assert_eq!(queue.attach().map(drop), Ok(()));
            if kind == Kind::Outlive {
                contest(&&*queue, totals, pairs, round, false, prepare)
            } else {
                contest(&Batches(&queue), totals, pairs, round, false, prepare)
            }
        }
        Kind::Tasks => {
            let tasks = Segment::<ArrayTaskQueue<Item, CELLS>>::anonymous(|_empty| {})?;
            let prepare = || assert_eq!(tasks.attach().map(drop), Ok(()));
            contest(&&*tasks, totals, pairs, round, false, prepare)
        }
        Kind::LongTasks => {
            let tasks = Segment::<ArrayTaskQueue<Long, LONG_CELLS>>::anonymous(|_empty| {})?;
            let prepare = || assert_eq!(tasks.attach().map(drop), Ok(()));
            contest(&InPlace(&tasks), totals, pairs, round, false, prepare)
        }
        Kind::Ring => on_a_ring::<false>(totals, pairs, round),
        Kind::FencedRing => on_a_ring::<true>(totals, pairs, round),
        Kind::OneLock | Kind::TwoLocks => {
            let mut answer = Ok(());
            let ring = Segment::<LockedRing<Item, CELLS>>::anonymous(|new| answer = new.set_up())?;
            answer?;
            let ring = &*ring;
            let try_send = |item| ring.try_send(item);
            let channel = Polled { try_send, try_recv: || ring.try_recv(kind == Kind::TwoLocks), totals, producers };
            contest(&channel, totals, pairs, round, false, || ())
        }
        Kind::Crossbeam => {
            let (sender, receiver) = crossbeam_channel::bounded(CELLS);
            contest(&Crossbeam(sender, receiver), totals, pairs, round, true, || ())
        }
        Kind::Pipe => {
            let (read, write) = process::pipe()?;
            contest(&Pipe(read, write), totals, pairs, round, false, || ())
        }
    }
}

/// A round of a bare ring.
fn on_a_ring<const FENCED: bool>(totals: &Totals, pairs: usize, round: Duration) -> Result<f64, Box<dyn Error>> {
    let ring = Segment::<Ring<Item, CELLS, FENCED>>::anonymous(Ring::set_up)?;
    let ring = &*ring;
    let try_send = |item| ring.try_send(item);
    let channel = Polled { try_send, try_recv: || ring.try_recv(), totals, producers: pairs as u32 };
    contest(&channel, totals, pairs, round, false, || ())
}

/// The first `pairs` participants are the producers. Each processor has one producer and one
/// consumer, if there are two pairs.
fn contest(
    channel: &(impl Channel + Sync),
    totals: &Totals,
    pairs: usize,
    round: Duration,
    are_threads: bool,
    prepare: impl Fn() + Sync,
) -> Result<f64, Box<dyn Error>> {
    let control = Segment::<Control>::anonymous(|_zero| {})?;
    let control = &*control;
    let work = |me: usize| {
        process::stay_on_processor((me / pairs + me % pairs) % 2);
        prepare();
        control.begin();
        if me < pairs {
            let mut sum = 0_u64;
            let numbers = (me as u64..).take_while(|_| control.is_running());
            channel.send_all(numbers.map(|number| {
                sum = sum.wrapping_add(number);
                [number; 8]
            }));
            totals.sent.fetch_add(sum, Ordering::AcqRel);
            if totals.finished.fetch_add(1, Ordering::AcqRel) as usize + 1 == pairs {
                channel.end();
            }
        } else {
            let (mut sum, mut count) = (0_u64, 0);
            channel.receive_all(|item| {
                sum = sum.wrapping_add(item[7]);
                count += u64::from(control.is_running());
            });
            totals.received.fetch_add(sum, Ordering::AcqRel);
            control.counts[me].store(count, Ordering::Release);
        }
    };
    let elapsed = if are_threads {
        compete_as_threads(control, 2 * pairs, round, work)?
    } else {
        compete(control, 2 * pairs, round, work)?
    };
    let (sent, received) = (totals.sent.load(Ordering::Acquire), totals.received.load(Ordering::Acquire));
    if sent != received {
        return Err(format!("the sent numbers have the sum {sent}, the received ones {received}").into());
    }
    let count: u64 = control.counts.iter().map(|count| count.load(Ordering::Acquire)).sum();
    Ok(count as f64 / elapsed.as_secs_f64())
}

fn throughput(mode: Mode, pairs: usize) -> Result<(), Box<dyn Error>> {
    let load = OthersLoad::since_now()?;
    let round = if mode == Mode::Measure { ROUND } else { ROUND / 5 };
    let mut speeds = KINDS.map(|_| vec![]);
    for number in 0..mode.rounds(ROUNDS) {
        for turn in 0..KINDS.len() {
            let which = (number + turn) % KINDS.len();
            speeds[which].push(items_a_second(KINDS[which].0, pairs, round)?);
        }
    }
    let of = |kind| &speeds[KINDS.iter().position(|k| k.0 == kind).expect("one of the kinds")];
    let quantile = |speeds: &Vec<f64>, part| speeds.iter().copied().collect::<Samples>().quantile(part);
    let median = |speeds: &Vec<f64>| quantile(speeds, 0.5);
    let locks = [Kind::OneLock, Kind::TwoLocks].into_iter().max_by(|a, b| median(of(*a)).total_cmp(&median(of(*b))));
    let (ring, locked) = (of(Kind::Ring), of(locks.expect("two kinds")));
    let mut table = Table::new(
        format!(
            "{pairs} to {pairs} processes, items of 64 bytes, {CELLS} cells, {} rounds; medians, [95 % interval] of \
             ratios within a round; in the last column the ratio of each one's best tenth of rounds",
            ring.len()
        ),
        &["", "M/s", "x bare ring", "", "x crossbeam", "", "x robust mutex, the better", "", "best, x bare ring"],
    );
    for (kind, name) in KINDS {
        let judge = |figures: &Samples, for_one: Option<f64>, for_two: Option<f64>| {
            let target = if pairs == 1 { for_one } else { for_two };
            match (kind, target) {
                (Kind::Outlive, Some(least)) => verdict(figures, Target::AtLeast(least)),
                _ => String::new(),
            }
        };
        let (to_ring, to_crossbeam, to_locked) = (
            Samples::ratios(of(kind), ring),
            Samples::ratios(of(kind), of(Kind::Crossbeam)),
            Samples::ratios(of(kind), locked),
        );
        table.row([
            name.to_string(),
            format!("{:.2}", median(of(kind)) / 1e6),
            with_interval(&to_ring),
            match kind {
                Kind::OutliveBatches => verdict(&to_ring, Target::AtLeast(1.0)),
                Kind::Tasks if pairs == 1 => verdict(&to_ring, Target::AtLeast(0.45)),
                _ => judge(&to_ring, Some(0.75), Some(0.65)),
            },
            with_interval(&to_crossbeam),
            judge(&to_crossbeam, Some(1.0), None),
            with_interval(&to_locked),
            judge(&to_locked, Some(2.5), None),
            format!("{:.2}", quantile(of(kind), 0.9) / quantile(ring, 0.9)),
        ]);
    }
    match python(pairs, mode) {
        Ok(speed) => table.row([
            "Python's multiprocessing.Queue".to_string(),
            format!("{:.2}", speed / 1e6),
            format!("{:.3}", speed / median(ring)),
        ]),
        Err(error) => table.row([format!("Python's multiprocessing.Queue: missing ({error})")]),
    }
    println!("{table}");
    load.print()?;
    Ok(())
}

/// Prints the items a second. Arguments: pairs, items of each producer.
const PYTHON: &str = r#"
import multiprocessing, os, sys, time
pairs, count = int(sys.argv[1]), int(sys.argv[2])
context = multiprocessing.get_context("fork")
queue, times = context.Queue(1024), context.SimpleQueue()
def stay(processor):
    try: os.sched_setaffinity(0, {processor})
    except OSError: pass
def produce(me):
    stay(me)
    item = bytes(64)
    for _ in range(count): queue.put(item)
def consume(me):
    stay(1 - me)
    queue.get()
    begun = time.monotonic()
    for _ in range(count - 1): queue.get()
    times.put((count - 1) / (time.monotonic() - begun))
all = [context.Process(target=work, args=(me,)) for me in range(pairs) for work in (produce, consume)]
for process in all: process.start()
for process in all: process.join()
print(sum(times.get() for _ in range(pairs)))
"#;

/// How many items a second go through a queue of Python's.
fn python(pairs: usize, mode: Mode) -> Result<f64, Box<dyn Error>> {
    let items = if mode == Mode::Measure { 50_000 } else { 500 };
    let output = Command::new("python3").args(["-c", PYTHON, &pairs.to_string(), &items.to_string()]).output()?;
    if !output.status.success() {
        return Err(format!("python3 ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

// --- Latency

/// What two players use. All zero at first, but for the rings.
#[derive(Shareable)]
#[repr(C, align(128))]
struct Court {
    /// A cache line that goes to and fro.
    ball: AtomicU64,
    apart: [u64; 15],
    queues: [ArrayQueue<u64, CELLS>; 2],
    rings: [Ring<u64, CELLS>; 2],
}

#[derive(Clone, Copy, PartialEq)]
enum Game {
    Line,
    Ring,
    /// outlive's queue with `try_recv`: the players spin.
    Polled,
    /// outlive's queue with `recv`.
    Outlive,
    Pipe,
}

impl Game {
    fn name(self) -> &'static str {
        match self {
            Self::Line => "a cache line's bounce",
            Self::Ring => "bare ring",
            Self::Polled => "outlive Queue, try_recv",
            Self::Outlive => "outlive Queue, recv",
            Self::Pipe => "Unix pipe",
        }
    }
}

/// Where and how two players play.
struct Play {
    title: &'static str,
    /// The games. The ratios are to the first one.
    games: &'static [Game],
    processors: [usize; 2],
    turns: u64,
    busy: Duration,
    /// The target for the ratio of one of them.
    judged: Game,
    at_most: f64,
}

const PLAYS: [Play; 3] = [
    Play {
        title: "both spin, two processors",
        games: &[Game::Line, Game::Ring, Game::Polled, Game::Outlive],
        processors: [0, 1],
        turns: 4_000,
        busy: Duration::ZERO,
        judged: Game::Polled,
        at_most: 1.3,
    },
    Play {
        title: "both sleep, one processor",
        games: &[Game::Pipe, Game::Outlive],
        processors: [0, 0],
        turns: 1_000,
        busy: Duration::ZERO,
        judged: Game::Outlive,
        at_most: 1.0,
    },
    Play {
        title: "both sleep (each player is busy for 50 us before its turn), two processors",
        games: &[Game::Pipe, Game::Outlive],
        processors: [0, 1],
        turns: 60,
        busy: Duration::from_micros(50),
        judged: Game::Outlive,
        at_most: 1.0,
    },
];

/// Repeats `attempt` without any pause until it succeeds, as for a cache line.
#[inline(always)]
fn spin<T>(attempt: impl Fn() -> Option<T>) -> T {
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
    }
}

/// Makes the turns of one player. Returns how long the player was busy.
#[inline(always)]
fn make_turns(me: usize, turns: Range<u64>, busy: u64, send: impl Fn(u64), receive: impl Fn(u64)) -> Duration {
    let mut was_busy = Duration::ZERO;
    let mut serve = |turn| {
        if busy > 0 {
            let begun = Instant::now();
            be_busy(turn, busy);
            was_busy += begun.elapsed();
        }
        send(turn);
    };
    for turn in turns {
        if me == 0 {
            serve(turn);
            receive(turn);
        } else {
            receive(turn);
            serve(turn);
        }
    }
    was_busy
}

/// Lets two processes play. A turn is a message from one to the other. Returns the nanoseconds for
/// one turn, without the time for which the players were busy.
fn play(game: Game, play: &Play, turns: u64, busy: u64) -> Result<f64, Box<dyn Error>> {
    let court = Segment::<Court>::anonymous(|new| new.rings.iter_mut().for_each(Ring::set_up))?;
    let control = Segment::<Control>::anonymous(|_zero| {})?;
    let pipes = [process::pipe()?, process::pipe()?];
    let (court, control, segment) = (&*court, &*control, &court);
    let work = |me: usize| {
        process::stay_on_processor(play.processors[me]);
        assert_eq!(segment.attach().map(drop), Ok(()));
        let ((from, to), (queue_from, queue_to)) =
            ((&pipes[1 - me].0, &pipes[me].1), (&court.queues[1 - me], &court.queues[me]));
        let (ring_from, ring_to) = (&court.rings[1 - me], &court.rings[me]);
        let make_turns =
            |turns| match game {
                Game::Line => {
                    // The ball is the number of the strokes so far. ORDERING: Acquire and Release,
                    // as for a message.
                    let stroke = |turn: u64, of: usize| 2 * turn + 1 + of as u64;
                    let send = |turn| court.ball.store(stroke(turn, me), Ordering::Release);
                    make_turns(me, turns, busy, send, |turn| {
                        while court.ball.load(Ordering::Acquire) != stroke(turn, 1 - me) {}
                    })
                }
                Game::Ring => make_turns(
                    me,
                    turns,
                    busy,
                    |turn| assert!(ring_to.try_send(turn)),
                    |turn| assert_eq!(spin(|| ring_from.try_recv()), turn),
                ),
                Game::Polled => make_turns(
                    me,
                    turns,
                    busy,
                    |turn| queue_to.send(turn).expect("open"),
                    |turn| assert_eq!(spin(|| queue_from.try_recv().ok()), turn),
                ),
                Game::Outlive => make_turns(
                    me,
                    turns,
                    busy,
                    |turn| queue_to.send(turn).expect("open"),
                    |turn| assert_eq!(queue_from.recv(), Ok(turn)),
                ),
                Game::Pipe => make_turns(
                    me,
                    turns,
                    busy,
                    |turn| (&*to).write_all(&turn.to_ne_bytes()).expect("open"),
                    |turn| {
                        let mut bytes = [0; 8];
                        (&*from).read_exact(&mut bytes).expect("open");
                        assert_eq!(u64::from_ne_bytes(bytes), turn);
                    },
                ),
            };
        control.begin();
        make_turns(0..FIRST_TURNS);
        let begun = Instant::now();
        let was_busy = make_turns(FIRST_TURNS..FIRST_TURNS + turns);
        control.counts[me].store(begun.elapsed().as_nanos() as u64, Ordering::Release);
        control.longest[me].store(was_busy.as_nanos() as u64, Ordering::Release);
    };
    compete(control, 2, Duration::ZERO, work)?;
    let [elapsed, first, second] =
        [&control.counts[0], &control.longest[0], &control.longest[1]].map(|word| word.load(Ordering::Acquire) as f64);
    Ok((elapsed - first - second) / (2 * turns) as f64)
}

fn latency(mode: Mode) -> Result<(), Box<dyn Error>> {
    for of in &PLAYS {
        let load = OthersLoad::since_now()?;
        let turns = if mode == Mode::Measure { of.turns } else { of.turns / 50 };
        let busy = if of.busy.is_zero() { 0 } else { steps_in(of.busy) };
        let mut times = vec![vec![]; of.games.len()];
        for round in 0..mode.rounds(ROUNDS) {
            for turn in 0..times.len() {
                let which = (round + turn) % times.len();
                times[which].push(play(of.games[which], of, turns, busy)?);
            }
        }
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
