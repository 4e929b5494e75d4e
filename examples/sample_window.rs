//! A window over the last samples of several sensors, which are processes. Its length is chosen at
//! run time. The samples are a slice under one mutex, and the statistics beside it are atomics, for
//! readers that do not lock. One sensor is killed in the middle of writing a sample.
//!
//! `cargo run --release --example sample_window -- 500`

#![allow(clippy::disallowed_types)] // plain numbers that processes share

use outlive::atomic::{AtomicF64, AtomicU64, Ordering::SeqCst};
use outlive::{CondvarError, LockError, Mutex, MutexGuard, MutexSegment, Segment, Shareable};
use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const SENSORS: usize = 3;

#[derive(Clone, Copy, Default, Shareable)]
#[repr(C)]
struct Sample {
    /// Samples are counted from 1. With 0 there is no sample.
    number: u64,
    value: f64,
}

#[derive(Shareable)]
#[repr(C)]
struct Statistics {
    taken: AtomicU64,
    sum: AtomicF64,
    least: AtomicF64,
    most: AtomicF64,
    /// The broken sensor has the lock, and has written half of its sample.
    half_written: AtomicU64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    match argument.as_deref() {
        Some("sensor") => measure(false),
        Some("broken sensor") => measure(true),
        length => run(length.unwrap_or("100").parse()?),
    }
}

fn run(length: usize) -> Result<(), Box<dyn Error>> {
    let window = Mutex::<[Sample]>::anonymous(length, |_no_samples| {})?;
    let statistics = Segment::<Statistics>::anonymous(|new| {
        *new.least.get_mut() = f64::INFINITY;
        *new.most.get_mut() = f64::NEG_INFINITY;
    })?;
    let mut sensors = Sensors(vec![]);
    for number in 0..SENSORS {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(if number == 0 { "broken sensor" } else { "sensor" });
        window.segment().pass_to(&mut command, "window")?;
        statistics.pass_to(&mut command, "statistics")?;
        sensors.0.push(command.spawn()?);
    }
    let begin = Instant::now();
    while statistics.half_written.load(SeqCst) == 0 {
        if begin.elapsed() > Duration::from_secs(20) {
            return Err("no sensor broke within twenty seconds".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    sensors.0[0].kill()?;
    println!("killed a sensor that had written half of a sample");

    // The others go on, and notify when they have written. Wait until the window is full.
    let is_not_full = |samples: &mut [Sample]| samples.iter().any(|sample| sample.number == 0);
    let mut samples = lock(&window)?;
    while is_not_full(&mut samples) {
        samples = match window.condvar().wait_timeout_while(samples, Duration::from_secs(20), is_not_full) {
            Ok((_, waited)) if waited.timed_out() => return Err("not full within twenty seconds".into()),
            Ok((samples, _)) => samples,
            Err(CondvarError::OwnerDied(left)) => repaired(left.into_inner().0),
            Err(other) => return Err(other.to_string().into()),
        };
    }
    let mean = samples.iter().map(|sample| sample.value).sum::<f64>() / length as f64;
    let are_all_right = samples.iter().all(|sample| sample.value == value_of(sample.number));
    println!("{length} samples, all right: {are_all_right}, their mean is {mean:.3}");
    drop(samples);

    // Without the lock. Each number is right, but another sample may come between two of them.
    let (least, most) = (statistics.least.load(SeqCst), statistics.most.load(SeqCst));
    let is_full = statistics.taken.load(SeqCst) >= length as u64;
    println!("as many were taken: {is_full}, all between -1 and 1: {}", -1.0 <= least && least < most && most <= 1.0);
    Ok(())
}

/// Locks the samples, and repairs them if the last holder died.
fn lock(window: &MutexSegment<Sample>) -> Result<MutexGuard<'_, [Sample]>, Box<dyn Error>> {
    match window.lock() {
        Err(LockError::OwnerDied(left)) => Ok(repaired(left.into_inner())),
        other => Ok(other?),
    }
}

/// A dead sensor has left at most one sample half written. Its number is 0, so it is no sample.
fn repaired(mut samples: MutexGuard<'_, [Sample]>) -> MutexGuard<'_, [Sample]> {
    samples.iter_mut().filter(|sample| sample.number == 0).for_each(|sample| *sample = Sample::default());
    samples.mark_consistent();
    samples
}

/// What is measured: any function of the number.
fn value_of(number: u64) -> f64 {
    (number as f64 / 10.0).sin()
}

/// A sensor: writes samples until it is killed.
fn measure(breaks: bool) -> Result<(), Box<dyn Error>> {
    let segment = Mutex::<[Sample]>::options(1)?.inherit("window")?;
    let (window, statistics) = (MutexSegment::try_from(segment)?, Segment::<Statistics>::inherit("statistics")?);
    for written in 0.. {
        let number = statistics.taken.fetch_add(1, SeqCst) + 1;
        let value = value_of(number);
        statistics.sum.fetch_add(value, SeqCst);
        statistics.least.fetch_min(value, SeqCst);
        statistics.most.fetch_max(value, SeqCst);

        let mut samples = lock(&window)?;
        let place = number as usize % window.len();
        samples[place].number = 0; // no sample, until the value is there
        if breaks && written == 10 {
            samples[place].value = f64::NAN;
            statistics.half_written.store(1, SeqCst);
            std::thread::sleep(Duration::from_secs(60)); // killed meanwhile
        }
        samples[place] = Sample { number, value };
        drop(samples);
        window.condvar().notify_all();
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The children. Dropping this ends them, also after an error.
struct Sensors(Vec<Child>);

impl Drop for Sensors {
    fn drop(&mut self) {
        for sensor in &mut self.0 {
            let _ended = sensor.kill().and_then(|()| sensor.wait());
        }
    }
}
