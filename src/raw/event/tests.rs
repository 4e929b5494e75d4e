//! How each operation changes the parts of an event's word.

use super::*;
use crate::platform::linux::Linux;

type Bare = Event<Linux>;

/// Every combination of flags, with the sequences at which an overflow may reach the flags.
fn words() -> impl Iterator<Item = u32> {
    let sequences = [0, 1, SEQUENCE - 1, SEQUENCE];
    (0..8).flat_map(move |flags| {
        let flag = move |bit: u32, flag| if flags >> bit & 1 == 1 { flag } else { 0 };
        sequences.map(|sequence| sequence | flag(0, AUTO) | flag(1, SET) | flag(2, WAITERS))
    })
}

fn after(word: u32, act: impl FnOnce(&Bare)) -> u32 {
    let event = Bare::from_word(Word::new(word));
    act(&event);
    event.word.load(Relaxed)
}

#[test]
fn a_set_counts_and_keeps_the_kind() {
    for word in words() {
        let counted = if word & SET == 0 { (word & SEQUENCE) + 1 } else { word & SEQUENCE };
        let sequence = if counted > SEQUENCE { 0 } else { counted };
        assert_eq!(after(word, Bare::set), sequence | SET | word & AUTO, "{word:#x}");
    }
}

#[test]
fn a_clear_takes_nothing_but_set() {
    for word in words() {
        let cleared = after(word, |event| assert_eq!(event.clear(), word & SET != 0, "{word:#x}"));
        assert_eq!(cleared, word & !SET, "{word:#x}");
    }
}

#[test]
fn queries_change_nothing() {
    for word in words() {
        let same = after(word, |event| {
            assert_eq!(event.is_set(), word & SET != 0, "{word:#x}");
            assert_eq!(event.is_auto_reset(), word & AUTO != 0, "{word:#x}");
            assert_eq!(event.moment(), Moment(word & SEQUENCE), "{word:#x}");
        });
        assert_eq!(same, word);
    }
}

#[test]
fn only_an_auto_reset_event_is_cleared_by_a_waiter_that_passes() {
    for word in words().filter(|word| word & SET != 0) {
        let passed = after(word, |event| assert!(event.try_wait()));
        assert_eq!(passed, if word & AUTO == 0 { word } else { word & !SET }, "{word:#x}");
    }
}
