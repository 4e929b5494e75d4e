//! The kernel moves sleepers as the algorithms rely on.

use super::*;
use std::thread;

/// Tries again as long as the sleepers are not there yet.
fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..50_000 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_micros(100));
    }
    panic!("not within five seconds");
}

/// A sleeper on one word sleeps by `FUTEX_WAIT_BITSET`, a sleeper on two by `futex_waitv`.
#[test]
#[cfg_attr(miri, ignore = "Miri cannot move sleepers")]
fn a_moved_sleeper_is_woken_on_the_other_word() {
    let [from, other, to] = [7, 8, 9].map(AtomicU32::new);
    for words in [1, 2] {
        thread::scope(|scope| {
            scope.spawn(|| {
                let all = [(&from, 7), (&other, 8)].map(|(word, value)| Expect { word, value });
                wait(all.into_iter().take(words), None);
            });
            until(|| {
                assert_eq!(requeue(&from, 6, &to, 1), None, "the value is another one");
                requeue(&from, 7, &to, 1) == Some(1)
            });
            assert_eq!(wake(&from, u32::MAX), 0, "nobody sleeps there any more");
            assert_eq!(wake(&to, u32::MAX), 1);
        });
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri cannot move sleepers")]
fn a_moved_sleeper_on_two_words_is_woken_on_its_second_word_too() {
    let [from, other, to] = [7, 8, 9].map(AtomicU32::new);
    thread::scope(|scope| {
        scope.spawn(|| {
            let all = [(&from, 7), (&other, 8)].map(|(word, value)| Expect { word, value });
            wait(all.into_iter(), None);
        });
        until(|| requeue(&from, 7, &to, 1) == Some(1));
        assert_eq!(wake(&other, u32::MAX), 1);
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri cannot move sleepers")]
fn a_moved_sleeper_keeps_its_deadline() {
    let [from, other, to] = [7, 8, 9].map(AtomicU32::new);
    for words in [1, 2] {
        let mut moved = false;
        for wait_for in (0..10).map(|doubled| Duration::from_millis(10 << doubled)) {
            thread::scope(|scope| {
                scope.spawn(|| {
                    let all = [(&from, 7), (&other, 8)].map(|(word, value)| Expect { word, value });
                    wait(all.into_iter().take(words), Some(now() + wait_for));
                });
                let ends = now() + wait_for;
                while !moved && now() < ends {
                    moved = requeue(&from, 7, &to, 1) == Some(1);
                }
            }); // joined, though nobody wakes the sleeper
            if moved {
                break;
            }
        }
        assert!(moved, "a sleeper of some seconds is found");
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri cannot move sleepers")]
fn no_more_sleepers_are_moved_than_were_asked_for() {
    let [from, to] = [7, 9].map(AtomicU32::new);
    thread::scope(|scope| {
        for _sleeper in 0..3 {
            scope.spawn(|| wait([Expect { word: &from, value: 7 }].into_iter(), None));
        }
        let mut moved = 0;
        until(|| {
            moved += requeue(&from, 7, &to, 1).expect("unchanged");
            moved == 2
        });
        assert_eq!(wake(&to, u32::MAX), 2);
        until(|| requeue(&from, 7, &to, u32::MAX) == Some(1));
        assert_eq!(wake(&to, u32::MAX), 1);
    });
}
