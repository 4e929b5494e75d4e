//! The word of a hold: every value is understood, and an id is the same after a trip through it.

use outlive::raw::Id;
use outlive::raw::hold::{HELD, INCONSISTENT, WAITERS};

fn interesting_words() -> impl Iterator<Item = u32> {
    let corners = (0..32).flat_map(|bit| [1u32 << bit, !(1u32 << bit), (1u32 << bit).wrapping_sub(1)]);
    let spread = (0..100_000u32).map(|n| n.wrapping_mul(0x9e37_79b9));
    corners.chain(spread)
}

#[test]
fn every_word_names_a_holder_if_and_only_if_it_is_held() {
    for word in interesting_words() {
        let holder = Id::holder_in(word);
        assert_eq!(holder.is_some(), word & HELD != 0);
        if let Some(id) = holder {
            assert!(id.index() < Id::MAX_PARTICIPANTS);
            assert_eq!(Id::holder_in(id.word() | WAITERS | INCONSISTENT), Some(id));
        }
    }
}

#[test]
fn no_id_equals_a_thread_id() {
    const LARGEST_THREAD_ID: u32 = 1 << 22;
    for word in interesting_words() {
        if let Some(id) = Id::holder_in(word) {
            assert!(id.word() > LARGEST_THREAD_ID);
        }
    }
}
