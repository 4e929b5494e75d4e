//! What a lock costs in one of many segments, and what it costs to make, use and drop one more
//! segment. Each thread remembers the addresses of the segments that it used last.

use outlive::{Mutex, Segment};
use outlive_benches::Mode;
use outlive_benches::process::OthersLoad;
use outlive_benches::report::Table;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

const IN_TURN: [usize; 8] = [1, 2, 4, 16, 64, 256, 1_000, 1_900];
const ALIVE: [usize; 5] = [0, 10, 100, 1_000, 1_900];
const LOCKS: usize = 200_000;
const ROUNDS: usize = 5;
const DROPS: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    let load = OthersLoad::since_now()?;
    let full = mode == Mode::Measure;
    let most = if full { IN_TURN[IN_TURN.len() - 1] } else { 4 };
    let segments: Vec<_> = (0..most).map(|_| segment()).collect::<Result<_, _>>()?;

    let one = fastest(&segments[..1], mode);
    let mut table = Table::new("lock and unlock, segments used in turn, times one segment", &["segments", "times one"]);
    for count in IN_TURN.into_iter().filter(|count| *count <= most) {
        table.row([count.to_string(), format!("{:.2}", fastest(&segments[..count], mode) / one)]);
    }
    println!("{table}");
    drop(segments);

    let mut table = Table::new("make, use and drop one more", &["alive", "µs", "of these the drop"]);
    for count in ALIVE.into_iter().filter(|count| *count <= most) {
        let alive: Vec<_> = (0..count).map(|_| segment()).collect::<Result<_, _>>()?;
        alive.iter().for_each(|segment| drop(segment.lock()));
        let (mut all, mut drops) = (Duration::ZERO, Duration::ZERO);
        let times = mode.rounds(DROPS);
        for _ in 0..times {
            let begun = Instant::now();
            let one_more = segment()?;
            drop(one_more.lock());
            let used = Instant::now();
            drop(one_more);
            // The thread's next lock, in any segment, pays for the drop.
            alive.last().into_iter().for_each(|segment| drop(segment.lock()));
            drops += used.elapsed();
            all += begun.elapsed();
        }
        let each = |time: Duration| format!("{:.0}", time.as_secs_f64() * 1e6 / times as f64);
        table.row([count.to_string(), each(all), each(drops)]);
    }
    println!("{table}");
    load.print()?;
    Ok(())
}

fn segment() -> Result<Segment<Mutex<u64>>, outlive::OpenError> {
    Segment::<Mutex<u64>>::options().participants(4).anonymous(|_free, _| {})
}

/// Nanoseconds for a lock and unlock, in the fastest of several rounds.
fn fastest(segments: &[Segment<Mutex<u64>>], mode: Mode) -> f64 {
    let times = if mode == Mode::Measure { LOCKS / segments.len() } else { 1 };
    let round = || {
        let begun = Instant::now();
        for _ in 0..times.max(2) {
            for segment in segments {
                if let Ok(mut count) = black_box(segment).lock() {
                    *count += 1;
                }
            }
        }
        begun.elapsed().as_secs_f64() * 1e9 / (times.max(2) * segments.len()) as f64
    };
    (0..mode.rounds(ROUNDS)).map(|_| round()).fold(f64::INFINITY, f64::min)
}
