//! How many must meet.

use super::*;
use crate::platform::linux::Linux;
use core::array::from_fn;

#[test]
fn any_word_is_a_number_of_parties() {
    for (word, parties) in [(0, 3), (1, 1), (2, 2), (3, 3), (4, 3), (u32::MAX, 3)] {
        let zero = || Word::new(0);
        let members = from_fn(|_| zero());
        let arrivals = from_fn(|_| Long::new(0));
        let barrier = Barrier::<Linux, 3>::from_parts(zero(), Word::new(word), members, arrivals);
        assert_eq!(barrier.parties(), parties, "{word}");
    }
}
