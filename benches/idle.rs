//! What sleepers cost while nothing happens: the processor time of many processes that wait for one
//! lock, with and without `futex_waitv`.

use outlive::waitv::set_waitv;
use outlive::{Mutex, Segment};
use outlive_benches::process::OthersLoad;
use outlive_benches::report::Table;
use outlive_benches::{Mode, process};
use std::error::Error;
use std::time::{Duration, Instant};

const MANY: [usize; 6] = [1, 10, 20, 100, 250, 1_000];
const SETTLE: Duration = Duration::from_secs(3);
const ROUND: Duration = Duration::from_secs(8);

fn main() -> Result<(), Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(());
    }
    let load = OthersLoad::since_now()?;
    let title = "processes asleep on one mutex: % of one processor, all together";
    let mut table = Table::new(title, &["", "with futex_waitv", "without"]);
    let many = if mode == Mode::Measure { &MANY[..] } else { &MANY[..1] };
    for count in many {
        let [with, without] = [true, false].map(|waitv| once(*count, waitv, mode));
        table.row([count.to_string(), format!("{:.2}", with?), format!("{:.2}", without?)]);
    }
    println!("{table}");
    load.print()?;
    Ok(())
}

/// The time that the sleepers use, in per cent of one processor.
fn once(count: usize, waitv: bool, mode: Mode) -> Result<f64, Box<dyn Error>> {
    let segment = Segment::<Mutex<u64>>::options().participants(count + 8).anonymous(|_free, _| {})?;
    let held = segment.lock().map_err(|error| error.to_string())?;
    let sleepers: Result<Vec<_>, _> = (0..count)
        .map(|_| {
            process::fork(|| {
                set_waitv(waitv);
                drop(segment.lock());
            })
        })
        .collect();
    let sleepers = sleepers?;
    let (settle, round) = if mode == Mode::Measure { (SETTLE, ROUND) } else { (SETTLE / 30, ROUND / 80) };
    for sleeper in &sleepers {
        sleeper.wait_until_asleep_in(&[libc::SYS_futex, libc::SYS_futex_waitv], Duration::ZERO)?;
    }
    std::thread::sleep(settle);
    let begun = Instant::now();
    let before = process::time_used(&sleepers)?;
    std::thread::sleep(round);
    let used = process::time_used(&sleepers)? - before;
    let part = used.as_secs_f64() / begun.elapsed().as_secs_f64();
    drop(sleepers); // killed
    drop(held);
    Ok(part * 100.0)
}
