//! The atomics of floats do what std's atomic integers do, between threads and in a segment.
#![allow(clippy::disallowed_types)] // tests look from outside

use outlive::atomic::{AtomicF32, AtomicF64, AtomicU64};
use outlive::{Mutex, OpenError, Segment, Shareable};
use proptest::prelude::*;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

#[derive(Debug, Default, Shareable)]
#[repr(C)]
struct Statistics {
    sum: AtomicF64,
    least: AtomicF64,
    most: AtomicF32,
    parts: [AtomicF32; 3],
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn floats_lie_in_a_segment_and_open_as_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("floats");
    let made = Segment::<Statistics>::create(&*path, |new| *new.sum.get_mut() = 0.5).expect("new");
    assert_eq!(made.sum.fetch_add(1.0, SeqCst), 0.5);
    made.parts[2].store(-1.0, Release);
    let opened = Segment::<Statistics>::open(&*path).expect("there");
    assert_eq!((opened.sum.load(Acquire), opened.parts[2].swap(2.0, AcqRel)), (1.5, -1.0));
    assert_eq!(made.parts.iter().map(|part| part.load(Relaxed)).sum::<f32>(), 2.0);

    let path = directory.path().join("float");
    let _made = Segment::<AtomicF64>::create(&*path, |_zero| {}).expect("new");
    assert!(matches!(Segment::<f64>::open(&*path), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<AtomicU64>::open(&*path), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<AtomicF32>::open(&*path), Err(OpenError::Type { .. })));
    assert!(matches!(Segment::<Mutex<f64>>::open(&*path), Err(OpenError::Type { .. })));
}

#[test]
#[cfg_attr(miri, ignore = "no mapped files there")]
fn a_monitor_reads_floats() {
    let segment = Segment::<Statistics>::anonymous(|new| *new.least.get_mut() = -2.5).expect("a segment");
    // SAFETY: the descriptor is only used to map the segment.
    let file = unsafe { segment.borrow_fd() }.expect("open");
    let monitor = Segment::<Statistics>::monitor_fd(file).expect("a segment");
    assert_eq!(monitor.observe(|all| &all.least).expect("there"), -2.5);
    assert_eq!(monitor.observe(|all| &all.parts[1]).expect("there"), 0.0);
}

#[test]
fn no_addition_is_lost_between_threads() {
    let (wide, narrow, least, most) = <(AtomicF64, AtomicF32, AtomicF64, AtomicF64)>::default();
    let each = if cfg!(miri) { 10 } else { 10_000 };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (wide, narrow, least, most) = (&wide, &narrow, &least, &most);
            scope.spawn(move || {
                for at in 0..each {
                    wide.fetch_add(1.0, Relaxed);
                    narrow.fetch_sub(0.5, Relaxed);
                    most.fetch_max(f64::from(at * thread), Relaxed);
                    least.fetch_min(-f64::from(at * thread), Relaxed);
                }
            });
        }
    });
    let most_of_all = f64::from((each - 1) * 3);
    assert_eq!((wide.into_inner(), narrow.into_inner()), (f64::from(4 * each), -2.0 * each as f32));
    assert_eq!((most.into_inner(), least.into_inner()), (most_of_all, -most_of_all));
}

#[test]
fn an_addition_with_release_publishes_what_was_written_before() {
    let (data, sum) = <(AtomicU64, AtomicF64)>::default();
    for round in 1..=if cfg!(miri) { 5 } else { 100 } {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                data.store(round, Relaxed);
                sum.fetch_add(1.0, Release);
            });
            while sum.load(Acquire) < round as f64 {
                std::hint::spin_loop();
            }
            assert_eq!(data.load(Relaxed), round);
        });
    }
}

#[test]
fn values_are_compared_by_their_bits() {
    let zero = AtomicF64::new(0.0);
    let refused = zero.compare_exchange(-0.0, 1.0, SeqCst, Relaxed).expect_err("another zero");
    assert!(refused == 0.0 && refused.is_sign_positive());
    let quiet = f64::from_bits(0x7ff8_0000_0000_0001);
    let number = AtomicF64::new(quiet);
    assert!(number.compare_exchange(f64::from_bits(0x7ff8_0000_0000_0002), 1.0, SeqCst, Relaxed).is_err());
    let before = number.compare_exchange(number.load(Relaxed), 1.0, SeqCst, Relaxed).expect("the same bits");
    assert_eq!((before.to_bits(), number.load(Relaxed)), (quiet.to_bits(), 1.0));
    // An addition ends for a NaN, too.
    number.store(f64::NAN, Relaxed);
    assert!(number.fetch_add(1.0, SeqCst).is_nan() && number.load(Relaxed).is_nan());
    assert!(number.fetch_max(3.0, SeqCst).is_nan());
    assert_eq!(number.fetch_min(f64::NAN, SeqCst), 3.0);
    assert_eq!(number.load(Relaxed), 3.0);
}

#[test]
fn an_update_that_gives_nothing_or_panics_changes_nothing() {
    let number = AtomicF32::from(2.0);
    assert_eq!(number.fetch_update(SeqCst, Relaxed, |_| None), Err(2.0));
    assert_eq!(number.fetch_update(SeqCst, Relaxed, |value| (value > 1.0).then_some(value * value)), Ok(2.0));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        number.fetch_update(SeqCst, Relaxed, |_| std::panic::resume_unwind(Box::new(())))
    }));
    assert!(panicked.is_err());
    assert_eq!((number.load(SeqCst), format!("{number:?}")), (4.0, "4.0".to_owned()));
}

#[test]
fn orderings_that_std_refuses_are_refused() {
    let number = AtomicF64::default();
    let refuses = |act: &dyn Fn()| {
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).err();
        payload.and_then(|text| text.downcast_ref::<&str>().copied()).is_some_and(|text| text.contains("no such thing"))
    };
    assert!(refuses(&|| assert!(number.load(Release) < 0.0)));
    assert!(refuses(&|| number.store(1.0, Acquire)));
    assert!(refuses(&|| assert!(number.compare_exchange(0.0, 1.0, SeqCst, Release).is_err())));
    for order in [Relaxed, Acquire, Release, AcqRel, SeqCst] {
        number.fetch_add(1.0, order);
    }
    assert_eq!(number.load(Relaxed), 5.0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 8 } else { 1_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Any bits, as another process may have left them, are a value.
    #[test]
    fn any_bits_are_a_value(bits: u64, other: u64, narrow: u32) {
        let (one, two) = (f64::from_bits(bits), f64::from_bits(other));
        let mut wide = AtomicF64::new(one);
        prop_assert_eq!(wide.load(Relaxed).to_bits(), bits);
        prop_assert_eq!(wide.swap(two, Relaxed).to_bits(), bits);
        prop_assert_eq!(wide.compare_exchange(two, one, Relaxed, Relaxed).map(f64::to_bits), Ok(other));
        prop_assert_eq!(wide.get_mut().to_bits(), bits);
        *wide.get_mut() = 0.0;
        wide.fetch_add(one, Relaxed);
        prop_assert!(wide.load(Relaxed) == one || one.is_nan());
        wide.fetch_max(two, Relaxed);
        wide.fetch_min(two, Relaxed);
        wide.fetch_sub(two, Relaxed);
        prop_assert_eq!(AtomicF32::new(f32::from_bits(narrow)).into_inner().to_bits(), narrow);
    }
}
