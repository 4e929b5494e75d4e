//! How many must meet.

use super::*;
use crate::platform::linux::Linux;
use core::array::from_fn;
use std::sync::atomic::{AtomicU32, AtomicU64};

#[test]
fn any_word_is_a_number_of_parties() {
    for (word, parties) in [(0, 3), (1, 1), (2, 2), (3, 3), (4, 3), (u32::MAX, 3)] {
        let zero = AtomicU32::default;
        let members = from_fn(|_| zero());
        let arrivals = from_fn(|_| AtomicU64::default());
        let barrier = Barrier::<Linux, 3>::from_parts(zero(), AtomicU32::new(word), members, arrivals);
        assert_eq!(barrier.parties(), parties, "{word}");
    }
}
