//! What it costs to make and open a segment with more and more mutexes, and to lock one of them.

use super::super::Effort;
use super::super::figures::{Case, Kind, Unit};
use super::super::rounds::{Contestant, play_several};
use super::{Names, apart, length_of_mapping};
use outlive::{Mutex, Segment, Shareable};
use outlive_benches::peers::{Guarded, Pthread, Robustness};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

const LOCKS: usize = 100_000;

const CURVES: [(&str, Unit); 4] = [
    ("to make a segment of them", Unit::Nanoseconds),
    ("to open it by name", Unit::Nanoseconds),
    ("to lock any one of them", Unit::Nanoseconds),
    ("bytes of a segment of them", Unit::Bytes),
];

/// Measures.
///
/// # Errors
/// None at present: who fails is missing.
pub(super) fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let (counts, rounds): (&[usize], _) = match effort {
        Effort::Whole => (&[1, 1_000, 1_000_000], 10),
        Effort::Quick => (&[1, 1_000, 1_000_000], 3),
        Effort::Try => (&[1, 100], 1),
    };
    let mut by_curve = CURVES.map(|_| vec![]);
    for &count in counts {
        let mut cases = CURVES.map(|(curve, unit)| Case::on_curve("growth", curve, unit, count, "mutexes"));
        let robust = |new: &mut Pthread| new.set_up(Robustness::Robust).map_err(Into::into);
        let contestants = vec![
            Contestant::in_several("outlive Mutex", Kind::Ours, || of::<Mutex<u64>>(count, None)),
            Contestant::in_several("pthread mutex, robust", Kind::Peer, move || of::<Pthread>(count, Some(&robust))),
        ];
        play_several(&mut cases, contestants, rounds, &mut |part| tell(part / counts.len() as f64));
        by_curve.iter_mut().zip(cases).for_each(|(curve, case)| curve.push(case));
    }
    Ok(by_curve.concat())
}

type SetUp<'s, L> = &'s dyn Fn(&mut L) -> Result<(), Box<dyn Error>>;

/// `set_up` makes a lock of memory of zeros, if that is needed.
fn of<L: Guarded + Shareable + Sync>(count: usize, set_up: Option<SetUp<'_, L>>) -> Result<Vec<f64>, Box<dyn Error>> {
    let names = Names::new("locks", 1);
    apart(|| {
        let name = names.get(0);
        let begun = Instant::now();
        let mut result = Ok(());
        let made = Segment::<u64>::options().room::<L>(count).create(&*name, |_zero, locks| {
            if let Some(set_up) = set_up {
                result = locks.iter_mut().try_for_each(set_up);
            }
        })?;
        result?;
        let make = begun.elapsed().as_nanos() as f64;
        drop(made);
        let begun = Instant::now();
        let opened = Segment::<u64>::options().room::<L>(count).open(&*name)?;
        let open = begun.elapsed().as_nanos() as f64;
        let locks = opened.room();
        let mut number = 1_u64;
        let mut lock_any = || {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            black_box(&locks[(number >> 33) as usize % count]).with(|value| *value += 1);
        };
        (0..LOCKS / 10).for_each(|_| lock_any());
        let begun = Instant::now();
        (0..LOCKS).for_each(|_| lock_any());
        let lock = begun.elapsed().as_nanos() as f64 / LOCKS as f64;
        Ok(vec![make, open, lock, length_of_mapping(&locks[0])?])
    })
}
