//! What a waiter's answer is, step by step.

use super::*;
use crate::platform::Lifeline;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, play, scene};

/// Waits. `before` and `given` are the numbers of tickets before the wait and during it.
fn wait(word: u32, [before, given]: [u32; 2], during: Scene) -> (Woken, [u32; 2]) {
    let condvar = Condvar::<Puppet>::from_words(Word::new(word), Word::new(before));
    let (woken, _) = play(2, vec![during], |me| {
        let waited = condvar.wait(me, true, Some(DEADLINE), || condvar.tickets.store(given, Relaxed));
        condvar.leave(me, waited)
    });
    (woken, [&condvar.word, &condvar.tickets].map(|word| word.load(Relaxed)))
}

#[test]
fn a_waiter_notified_as_the_deadline_passes_returns_notified() {
    for (word, notified) in [(0, 1), (7, 8 | WAITERS), (SEQUENCE, WAITERS | FRESH), (SEQUENCE, 0)] {
        for tickets in [1, 2] {
            let (woken, left) = wait(
                word,
                [0, tickets],
                scene(move |sleep| {
                    sleep.awaited().store(notified, Relaxed);
                    sleep.lasts();
                }),
            );
            assert_eq!((woken, left), (Woken::Notified, [notified, tickets - 1]), "{word:#x} to {notified:#x}");
        }
    }
}

/// Another waiter took the ticket.
#[test]
fn a_waiter_without_a_ticket_is_not_notified() {
    for (ends, expected) in [(DEADLINE, Woken::TimedOut), (DEADLINE / 2, Woken::Neither)] {
        let (woken, left) = wait(
            7,
            [0, 0],
            scene(move |sleep| {
                sleep.awaited().store(8 | WAITERS, Relaxed);
                sleep.ends_at(ends);
            }),
        );
        assert_eq!((woken, left), (expected, [8 | WAITERS, 0]));
    }
}

#[test]
fn a_waiter_that_times_out_leaves_waiters_set_and_the_tickets() {
    for word in [0, WAITERS, WAITERS | FRESH | 7] {
        for tickets in [0, 1] {
            let (woken, left) = wait(word, [0, tickets], scene(|sleep| sleep.lasts()));
            assert_eq!((woken, left), (Woken::TimedOut, [word | WAITERS | FRESH, tickets]), "{word:#x}");
        }
    }
}

#[test]
fn a_waiter_that_wakes_early_without_a_notification_is_not_notified() {
    let (woken, _) = wait(0, [0, 1], scene(|sleep| sleep.ends_at(DEADLINE / 2)));
    assert_eq!(woken, Woken::Neither);
}

/// Runs `act` while the records of these `waiters` say that they wait at the condition variable.
fn with_waiters<R>(condvar: &Condvar<Puppet>, waiters: &[usize], act: impl FnOnce(Participant<'_, Puppet>) -> R) -> R {
    let play_it = |me: Participant<'_, Puppet>| {
        for waiter in waiters {
            me.table.slots[*waiter].thread().set_waits_at(condvar.number(me.table));
        }
        act(me)
    };
    play(6, vec![], play_it).0
}

#[test]
fn a_notification_gives_the_tickets_asked_for_and_one_of_all_gives_the_most() {
    for (before, count, expected) in [(0, 1, 1), (0, 3, 3), (1, 1, 2), (4_000, 500, 4_096), (u32::MAX, 1, 4_096)] {
        let condvar = Condvar::<Puppet>::from_words(Word::new(WAITERS), Word::new(before));
        condvar.notify(None, count);
        assert_eq!(condvar.tickets.load(Relaxed), expected, "{before} and {count}");
        assert!(Id::holder_in(expected).is_none(), "the word names nobody");
        condvar.notify_all();
        assert_eq!(condvar.tickets.load(Relaxed), 4_096);
    }
}

#[test]
fn the_dead_and_waiters_of_another_condvar_do_not_count() {
    let [condvar, other] = [(); 2].map(|()| Condvar::<Puppet>::from_words(Word::new(0), Word::new(0)));
    let count = with_waiters(&condvar, &[1, 2, 3, 5], |me| {
        me.table.slots[2].lifelines()[0].word().store(crate::platform::MARK, Relaxed);
        me.table.slots[3].thread().set_waits_at(other.number(me.table));
        condvar.count_waiters(me.table)
    });
    assert_eq!(count, 2);
}

/// The tickets of other waiters are kept.
#[test]
fn an_arrival_leaves_a_ticket_for_each_waiter() {
    for (before, expected) in [(0, 0), (1, 1), (2, 2), (3, 2), (9, 2)] {
        let condvar = Condvar::<Puppet>::from_words(Word::new(WAITERS), Word::new(before));
        let (left, _) = play(4, vec![scene(|_| {})], |me| {
            for waiter in [1, 3] {
                me.table.slots[waiter].thread().set_waits_at(condvar.number(me.table));
            }
            let mut left = 0;
            let waited = condvar.wait(me, true, Some(DEADLINE), || left = condvar.tickets.load(Relaxed));
            assert_eq!(condvar.count_waiters(me.table), 3, "with the newcomer");
            assert_eq!(condvar.leave(me, waited), Woken::Neither);
            assert_eq!(condvar.count_waiters(me.table), 2, "without the newcomer");
            left
        });
        assert_eq!(left, expected, "of {before}");
    }
}

/// A waiter that was killed has left its ticket.
#[test]
fn an_arrival_forgets_tickets_for_which_nobody_waits() {
    let (woken, [_, left]) = wait(
        7,
        [2, 1],
        scene(|sleep| {
            sleep.awaited().store(8 | WAITERS, Relaxed);
            sleep.ends_at(DEADLINE / 2);
        }),
    );
    assert_eq!((woken, left), (Woken::Notified, 0), "its own is given after it has arrived");
    let condvar = Condvar::<Puppet>::from_words(Word::new(0), Word::new(2));
    let during = scene(|sleep| {
        sleep.awaited().store(1 | WAITERS, Relaxed);
        sleep.ends_at(DEADLINE / 2);
    });
    let (woken, _) = play(2, vec![during], |me| {
        let waited = condvar.wait(me, true, Some(DEADLINE), || {});
        condvar.leave(me, waited)
    });
    assert_eq!((woken, condvar.tickets.load(Relaxed)), (Woken::Neither, 0));
}

/// WAITERS stays while a waiter that does not sleep has no ticket: the next notification is for
/// that waiter.
#[test]
fn waiters_is_cleared_when_all_have_their_tickets() {
    for (count, left) in [(1, 1 | WAITERS), (2, 1), (3, 1)] {
        let condvar = Condvar::<Puppet>::from_words(Word::new(WAITERS | FRESH), Word::new(0));
        with_waiters(&condvar, &[1, 2], |me| condvar.notify(Some(me.table), count));
        assert_eq!((condvar.word.load(Relaxed), condvar.tickets.load(Relaxed)), (left, count), "{count}");
    }
    let condvar = Condvar::<Puppet>::from_words(Word::new(WAITERS | FRESH), Word::new(0));
    condvar.notify(None, 1);
    assert_eq!(condvar.word.load(Relaxed), 1 | WAITERS, "a notifier that is no participant cannot know");
}

/// An earlier fault: the earlier waiter slept on, up to the next recheck.
#[test]
fn a_newcomer_passes_on_a_wake_that_was_meant_for_an_earlier_waiter() {
    for (tickets, after, expected) in [(1, 7, vec![1]), (0, 7, vec![]), (1, 8, vec![])] {
        let condvar = Condvar::<Puppet>::from_words(Word::new(7 | WAITERS), Word::new(0));
        let early = scene(move |sleep| {
            sleep.awaited().store(after | WAITERS | FRESH, Relaxed);
            sleep.ends_at(DEADLINE / 2);
        });
        let (_, wakes) = play(2, vec![early], |me| {
            // Of a notification before it arrived, whose wake is on its way.
            let waited = condvar.wait(me, true, None, || condvar.tickets.store(tickets, Relaxed));
            condvar.leave(me, waited)
        });
        assert_eq!(wakes.on(&condvar.word), expected, "{tickets} tickets, then {after}");
    }
}
