//! A barrier's state, compared with plain numbers.

use super::*;
use crate::raw::hold::Id;
use proptest::prelude::*;

/// Whether one of the halves could be the word of a hold.
fn is_like_a_hold(word: u64) -> bool {
    [word as u32, (word >> 32) as u32].into_iter().any(|half| Id::holder_in(half).is_some())
}

/// Counts on from `first` in a state of so many bits. With few bits the generation wraps.
fn counts<const BITS: u32>(first: u32) {
    let first = first & most::<BITS>();
    let mut state = State::<BITS>(pack(first));
    for later in 0..100 {
        assert_eq!(state.generation(), first.wrapping_add(later) & most::<BITS>(), "{BITS} bits");
        assert_eq!(distance::<BITS>(first, state.generation()), later & most::<BITS>(), "{BITS} bits");
        let flagged = State::<BITS>(state.0 | RUNNING | WAITERS);
        assert_eq!([flagged.next(), flagged.tripping().next(), flagged.broken().next()], [state.next(); 3]);
        state = state.next();
    }
}

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn generations_wrap(first in any::<u32>()) {
        counts::<2>(first);
        counts::<5>(first);
        counts::<31>(first);
        counts::<32>(first);
        counts::<32>(u32::MAX - first % 100);
    }

    #[test]
    fn a_packed_generation_is_not_like_a_hold(generation in any::<u32>(), flags in 0..16u64) {
        let word = pack(generation) | flags << 32;
        prop_assert_eq!(unpack(word), generation);
        prop_assert!(!is_like_a_hold(word));
        prop_assert!(Id::holder_in(sequence_after(generation)).is_none());
    }

    #[test]
    fn flags_say_what_has_happened(generation in any::<u32>(), waiters: bool) {
        let open = State::<32>(pack(generation) | if waiters { WAITERS } else { 0 });
        let runs = State::<32>(open.0 | RUNNING);
        prop_assert!(open.is_open_in(generation) && !open.is_running_in(generation));
        prop_assert!(runs.is_open_in(generation) && runs.is_running_in(generation));
        prop_assert!(!open.is_open_in(generation ^ 1) && !runs.is_running_in(generation ^ 1));
        for ended in [open.broken(), runs.broken(), open.tripping(), runs.tripping()] {
            prop_assert!(!ended.is_open_in(generation) && !ended.has(RUNNING));
            prop_assert_eq!(ended.generation(), generation);
        }
        prop_assert!(!runs.broken().has(WAITERS));
        // The participant that settles the trip must know whether waiters sleep.
        prop_assert_eq!(runs.tripping().has(WAITERS), waiters);
    }
}

#[test]
fn the_sequence_wraps_only_after_all_words_without_bit_29() {
    let (first, last) = (0, !HELD);
    assert_eq!((sequence_after(last), sequence_after(HELD - 1)), (first, 2 * HELD));
    assert_eq!(sequence_after(3 * HELD - 1 - HELD), 2 * HELD, "bit 29 is passed over");
}
