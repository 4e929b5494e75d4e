//! What a waiter's answer is, step by step.

use super::*;
use crate::platform::Lifeline;
use crate::platform::puppet::{self, DEADLINE, Puppet, Scene, Wakes, id_of, play, scene};

/// The place of the lock with which all wait that do not say otherwise.
const LOCK: u32 = 77;

fn lock(word: u32) -> Mutex<Puppet> {
    Mutex::from_word(Word::new(word))
}

fn free() -> Mutex<Puppet> {
    lock(0)
}

/// Waits. `before` and `given` are the numbers of tickets before the wait and during it.
fn wait(word: u32, [before, given]: [u32; 2], during: Scene) -> (Woken, [u32; 2]) {
    let condvar = Condvar::<Puppet>::from_words(Word::new(word), Word::new(before));
    let (woken, _) = play(2, vec![during], |me| {
        let waited = condvar.wait(me, true, Some(DEADLINE), LOCK, || condvar.tickets.store(given, Relaxed));
        condvar.leave(me, waited, &free())
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
    for (before, count, expected) in [(0, 1, 1), (0, 3, 3), (1, 1, 2), (4_000, 500, 4_096), (TICKETS, 1, 4_096)] {
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
            let waited = condvar.wait(me, true, Some(DEADLINE), LOCK, || left = condvar.tickets.load(Relaxed));
            assert_eq!(condvar.count_waiters(me.table), 3, "with the newcomer");
            assert_eq!(condvar.leave(me, waited, &free()), Woken::Neither);
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
        let waited = condvar.wait(me, true, Some(DEADLINE), LOCK, || {});
        condvar.leave(me, waited, &free())
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
            let waited = condvar.wait(me, true, None, LOCK, || condvar.tickets.store(tickets, Relaxed));
            condvar.leave(me, waited, &free())
        });
        assert_eq!(wakes.on(&condvar.word), expected, "{tickets} tickets, then {after}");
    }
}

/// A notification by participant 0 of `count` waiters, with `asleep` of them asleep. `waiters` are
/// participants, and the places of their locks. All locks are the one that is returned, which has
/// this word at first.
fn notify_holding(
    waiters: &[(usize, u32)],
    (count, asleep): (u32, u32),
    word: u32,
    during: impl FnOnce(Participant<'_, Puppet>, &Condvar<Puppet>),
) -> (Box<Condvar<Puppet>>, Box<Mutex<Puppet>>, Wakes) {
    // In boxes, because wakes are recorded by address.
    let condvar = Box::new(Condvar::<Puppet>::from_words(Word::new(7 | WAITERS | FRESH), Word::new(0)));
    let lock = Box::new(lock(word));
    let ((), wakes) = play(6, vec![], |me| {
        for (waiter, place) in waiters {
            let slot = &me.table.slots[*waiter];
            slot.waits_with().store(*place, Relaxed);
            slot.thread().set_waits_at(condvar.number(me.table));
        }
        puppet::asleep(asleep);
        condvar.notify_holding(me, count, |place| {
            during(me, &condvar);
            (place == LOCK).then_some(&lock)
        });
    });
    (condvar, lock, wakes)
}

fn mine() -> u32 {
    id_of(0).word()
}

#[test]
fn a_notifier_that_holds_the_lock_moves_the_waiters_and_wakes_none() {
    for flags in [0, WAITERS, crate::raw::hold::INCONSISTENT] {
        for (count, asleep) in [(1, 2), (2, 2), (3, 2), (1, 0)] {
            let waiters = [(1, LOCK), (2, LOCK)];
            let (condvar, lock, wakes) = notify_holding(&waiters, (count, asleep), mine() | flags, |_, _| {});
            assert_eq!(wakes.moved(&condvar.word, lock.word()), [count]);
            assert_eq!(wakes.counts().count(), 0, "nobody is woken");
            let expected = mine() | flags | if asleep > 0 { WAITERS } else { 0 };
            assert_eq!(lock.word().load(Relaxed), expected, "{asleep} of {count} were moved");
            assert_eq!(condvar.tickets.load(Relaxed), MOVED | count);
            assert_eq!(has_waiters(condvar.word.load(Relaxed)), count < 2 || asleep >= count, "{asleep} of {count}");
        }
    }
}

/// `is_moved`: or woken.
#[track_caller]
fn finds(waiters: &[(usize, u32)], word: u32, is_moved: bool, during: fn(Participant<'_, Puppet>, &Condvar<Puppet>)) {
    let (condvar, lock, wakes) = notify_holding(waiters, (1, 1), word, during);
    assert_eq!(wakes.moved(&condvar.word, lock.word()).len(), usize::from(is_moved));
    assert_eq!(wakes.on(&condvar.word).len(), usize::from(!is_moved));
    assert_eq!(lock.word().load(Relaxed), if is_moved { word | WAITERS } else { word });
}

#[test]
fn nobody_is_moved_to_a_lock_that_the_notifier_does_not_hold() {
    for word in [0, id_of(1).word(), Id::new(0, 2).word(), mine() & !crate::raw::hold::HELD] {
        finds(&[(1, LOCK)], word, false, |_, _| {});
    }
}

#[test]
fn nobody_is_moved_if_living_waiters_have_different_locks() {
    finds(&[(1, LOCK), (3, LOCK)], mine(), true, |_, _| {});
    for different in [0, LOCK - 1, LOCK + 1] {
        finds(&[(1, LOCK), (3, different)], mine(), false, |_, _| {});
        finds(&[(1, different), (3, LOCK)], mine(), false, |_, _| {});
        finds(&[(1, different), (3, different)], mine(), false, |_, _| {});
    }
    finds(&[], mine(), false, |_, _| {});
}

#[test]
fn a_waiter_that_arrives_after_the_notification_prevents_the_move() {
    finds(&[(1, LOCK)], mine(), false, |_, condvar| _ = condvar.word.fetch_or(FRESH, Relaxed));
    finds(&[(1, LOCK)], mine(), false, |_, condvar| _ = condvar.word.fetch_add(1, Relaxed));
}

/// Their slots keep what they noted.
#[test]
fn the_lock_of_the_dead_and_of_waiters_elsewhere_is_not_asked_for() {
    let condvar = Condvar::<Puppet>::from_words(Word::new(0), Word::new(0));
    let found = |act: fn(&Table<'_, Puppet>, u32)| {
        play(6, vec![], |me| {
            let number = condvar.number(me.table);
            for (slot, place) in [(1, LOCK), (2, 5)] {
                me.table.slots[slot].waits_with().store(place, Relaxed);
                me.table.slots[slot].thread().set_waits_at(number);
            }
            act(me.table, number);
            condvar.lock_of_all(me.table)
        })
        .0
    };
    fn dies(table: &Table<'_, Puppet>, slot: usize) {
        table.slots[slot].lifelines()[0].word().store(crate::platform::MARK, Relaxed);
    }
    assert_eq!(found(|_, _| {}), None, "two different ones");
    assert_eq!(found(|table, _| dies(table, 2)), Some(LOCK));
    assert_eq!(found(|table, _| dies(table, 1)), Some(5));
    assert_eq!(found(|table, _| [1, 2].into_iter().for_each(|slot| dies(table, slot))), None);
    assert_eq!(found(|table, number| table.slots[2].thread().set_waits_at(number ^ 4)), Some(LOCK));
    assert_eq!(found(|table, _| table.slots[2].thread().set_waits_at(0)), Some(LOCK));
}

/// `waiter` is the last one of `living` participants, and `used` slots were ever used.
fn is_found(living: usize, used: usize) -> bool {
    let condvar = Condvar::<Puppet>::from_words(Word::new(0), Word::new(0));
    let act = |me: Participant<'_, Puppet>| {
        for dead in &me.table.slots[living..] {
            dead.lifelines()[0].word().store(0, Relaxed);
        }
        let waiter = &me.table.slots[living - 1];
        waiter.waits_with().store(LOCK, Relaxed);
        waiter.thread().set_waits_at(condvar.number(me.table));
        condvar.lock_of_all(me.table) == Some(LOCK)
    };
    play(used, vec![], act).0
}

/// A moved waiter must watch the lock's holder, as all sleepers on a lock do.
#[test]
fn nobody_is_moved_where_one_wait_cannot_watch_everybody() {
    assert!(is_found(2, 63) && is_found(63, 63) && is_found(63, 100));
    assert!(!is_found(64, 64) && !is_found(64, 100));
}

#[test]
fn nobody_is_moved_where_too_many_slots_would_have_to_be_read() {
    assert!(is_found(2, MOST_SLOTS) && !is_found(2, MOST_SLOTS + 1));
    assert!(is_found(63, MOST_SLOTS) && !is_found(63, MOST_SLOTS + 1));
}

#[test]
fn an_arrival_notes_the_place_of_its_lock() {
    let condvar = Condvar::<Puppet>::from_words(Word::new(0), Word::new(0));
    play(2, vec![scene(|_| {})], |me| {
        let mut noted = None;
        let waited = condvar.wait(me, true, Some(DEADLINE), LOCK, || noted = condvar.lock_of_all(me.table));
        assert_eq!(noted, Some(LOCK));
        assert_eq!(condvar.leave(me, waited, &free()), Woken::Neither);
        assert_eq!(condvar.lock_of_all(me.table), None, "it has left");
    });
}

#[test]
fn a_waiter_that_may_have_been_moved_sets_waiters_in_its_lock() {
    for (second, after, is_set) in [
        (MOVED | 1, 8 | WAITERS, true),
        (MOVED, 8 | WAITERS, true),          // another took its ticket
        (1, 8 | WAITERS, false),             // nobody was ever moved
        (MOVED, 7 | WAITERS | FRESH, false), // it was not notified
    ] {
        for holder in [mine(), id_of(1).word(), 0] {
            let condvar = Condvar::<Puppet>::from_words(Word::new(7), Word::new(0));
            let lock = lock(holder);
            let ends = scene(move |sleep| {
                sleep.awaited().store(after, Relaxed);
                sleep.ends_at(DEADLINE / 2);
            });
            play(2, vec![ends], |me| {
                let release = || condvar.tickets.store(second, Relaxed);
                let waited = condvar.wait(me, true, Some(DEADLINE), LOCK, release);
                let _woken = condvar.leave(me, waited, &lock);
            });
            let expected = if is_set && holder == mine() { holder | WAITERS } else { holder };
            assert_eq!(lock.word().load(Relaxed), expected, "{second:#x}, {after:#x}, held by {holder:#x}");
        }
    }
}

/// Whatever else is in the second word, from whomever.
#[test]
fn the_tickets_are_some_bits_of_their_word() {
    for others in [0, MOVED, !TICKETS] {
        for (tickets, left) in [(0, 0), (1, 0), (7, 6)] {
            let condvar = Condvar::<Puppet>::from_words(Word::new(WAITERS), Word::new(others | tickets));
            assert_eq!((condvar.take_ticket(), condvar.tickets()), (tickets > 0, left));
            condvar.notify(None, 2);
            assert_eq!(condvar.tickets.load(Relaxed), others & MOVED | (left + 2));
        }
    }
}
