//! What every user pays every time: each operation where nobody else wants anything.

use outlive::{Lock, Mutex, Segment, Shareable};
use outlive_benches::compare::{candidate, group};
use outlive_benches::peers::{Floor, Pthread, Robustness, Std};
use outlive_benches::process::stay_on_this_processor;
use std::error::Error;
use std::hint::black_box;

#[derive(Shareable)]
#[repr(C, align(64))]
struct Ours {
    mutex: Mutex<u64>,
    apart: [u64; 6],
    lock: Lock,
}

const FLOOR: &str = "floor: cas + swap";
const PSHARED: &str = "pthread pshared";

fn main() -> Result<(), Box<dyn Error>> {
    stay_on_this_processor();
    mutexes()
}

/// A segment of one of glibc's objects.
fn peer<T: Shareable + Sync>(set_up: impl FnOnce(&mut T) -> std::io::Result<()>) -> Result<Segment<T>, Box<dyn Error>> {
    let mut answer = Ok(());
    let segment = Segment::anonymous(|new| answer = set_up(new))?;
    answer?;
    Ok(segment)
}

fn pay_the_floor(floor: &Floor, id: u32) {
    let word = black_box(floor);
    assert!(word.take(black_box(id)));
    word.give_back();
}

fn mutexes() -> Result<(), Box<dyn Error>> {
    let (first, second) = (Segment::<Ours>::anonymous(|_free| {})?, Segment::<Ours>::anonymous(|_free| {})?);
    let floor = Segment::<Floor>::anonymous(|_free| {})?;
    let pshared = peer::<Pthread>(|new| new.set_up(Robustness::Stalled))?;
    let robust = peer::<Pthread>(|new| new.set_up(Robustness::Robust))?;
    let std = Segment::<Std>::anonymous(Std::set_up)?;
    // SAFETY: set up in the line above, and this process has it alone.
    let std = unsafe { std.get() };
    let (ours, other) = (&*first, &*second);
    let (floor, pshared, robust) = (&*floor, &*pshared, &*robust);
    let id = first.attach()?.word();
    group(
        "lock + unlock",
        vec![
            candidate(FLOOR, || pay_the_floor(floor, id)),
            candidate("outlive Mutex", || drop(black_box(&ours.mutex).lock().unwrap()))
                .at_most(1.3)
                .at_most_of(1.0, PSHARED),
            candidate("outlive Mutex, two segments in turn", {
                let mut pair = (&ours.mutex, &other.mutex);
                move || {
                    drop(black_box(pair.0).lock().unwrap());
                    pair = (pair.1, pair.0);
                }
            })
            .at_most(1.3)
            .at_most_of(1.0, PSHARED),
            candidate("outlive Lock, acquire + release", || {
                let lock = black_box(&ours.lock);
                lock.acquire().unwrap();
                lock.release().unwrap();
            })
            .at_most(1.3)
            .at_most_of(1.0, PSHARED),
            candidate("outlive Lock, guard", || drop(black_box(&ours.lock).lock().unwrap()))
                .at_most(1.3)
                .at_most_of(1.0, PSHARED),
            candidate("std::sync::Mutex (threads only)", || drop(black_box(std).lock().unwrap())),
            candidate(PSHARED, || pthread(pshared)),
            candidate("pthread pshared robust", || pthread(robust)),
        ],
    );
    Ok(())
}

#[inline(always)]
fn pthread(mutex: &Pthread) {
    let mutex = black_box(mutex);
    assert_eq!(mutex.lock(), 0);
    // SAFETY: held, by the line above; nobody has looked at the data.
    assert_eq!(unsafe { mutex.unlock() }, 0);
}
