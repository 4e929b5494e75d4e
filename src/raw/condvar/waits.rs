//! What a waiter is told, step by step.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, play, scene};

fn wait(word: u32, during: Scene) -> (Woken, u32) {
    let condvar = Condvar::<Puppet>::from_word(Word::new(word));
    let (woken, _) = play(2, vec![during], |me| condvar.wait(me, true, Some(DEADLINE), || {}));
    (woken, condvar.word.load(Relaxed))
}

#[test]
fn who_is_notified_as_the_deadline_passes_is_told_so() {
    for (word, notified) in [(0, 1), (7, 8 | WAITERS), (SEQUENCE, WAITERS | FRESH), (SEQUENCE, 0)] {
        let (woken, left) = wait(
            word,
            scene(move |sleep| {
                sleep.news().store(notified, Relaxed);
                sleep.lasts();
            }),
        );
        assert_eq!((woken, left), (Woken::Notified, notified), "{word:#x} to {notified:#x}");
    }
}

#[test]
fn who_gives_up_leaves_word_of_those_who_wait() {
    for word in [0, WAITERS, WAITERS | FRESH | 7] {
        let (woken, left) = wait(word, scene(|sleep| sleep.lasts()));
        assert_eq!((woken, left), (Woken::TimedOut, word | WAITERS | FRESH), "{word:#x}");
    }
}

#[test]
fn who_returns_early_without_a_notification_is_not_told_of_one() {
    let (woken, _) = wait(0, scene(|sleep| sleep.ends_at(DEADLINE / 2)));
    assert_eq!(woken, Woken::Spurious);
}
