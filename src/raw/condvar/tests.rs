//! How notifications change the word.

use super::*;
use crate::platform::linux::Linux;

type Bare = Condvar<Linux>;

fn words() -> impl Iterator<Item = u32> {
    let sequences = [0, 1, SEQUENCE - 1, SEQUENCE];
    [0, FRESH, WAITERS, WAITERS | FRESH].into_iter().flat_map(move |flags| sequences.map(|sequence| flags | sequence))
}

/// The word after `act`, in a segment without participants.
fn after(word: u32, act: impl FnOnce(&Bare, Option<&Table<'_, Linux>>)) -> u32 {
    let condvar = Bare::from_words(Word::new(word), Word::new(0));
    let zero = Word::new(0);
    act(&condvar, Some(&Table { membership: &zero, cursor: &zero, stamp: &zero, slots: &[] }));
    condvar.word.load(Relaxed)
}

#[test]
fn a_notification_of_zero_waiters_changes_nothing() {
    for word in words() {
        assert_eq!(after(word, |condvar, table| condvar.notify(table, 0)), word, "{word:#x}");
    }
}

/// Nobody really sleeps here. So a notification of several finds too few sleepers, and clears the
/// flags in the word.
#[test]
fn a_notification_counts_if_somebody_waits() {
    for word in words() {
        let counted = if word & SEQUENCE == SEQUENCE { 0 } else { (word & SEQUENCE) + 1 };
        let expected = if word & WAITERS == 0 { word } else { counted };
        assert_eq!(after(word, |condvar, _| assert_eq!(condvar.has_waiters(), word & WAITERS != 0)), word);
        assert_eq!(after(word, |condvar, table| condvar.notify(table, 1)), expected, "{word:#x}");
        assert_eq!(after(word, |condvar, table| condvar.notify(table, 3)), expected, "{word:#x}");
        assert_eq!(after(word, |condvar, _| condvar.notify_all()), expected, "{word:#x}");
    }
}
