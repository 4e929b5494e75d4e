//! What a waiter does, step by step: its last check, and the words that it leaves when it gives up.

use super::*;
use crate::platform::puppet::{DEADLINE, Puppet, Scene, id_of, play, reaping_takes_a_period, scene};
use crate::platform::{Lifeline, MARK};
use std::cell::Cell;
use std::rc::Rc;

type Two = RwLock<Puppet, 2>;
const A_WHILE: Deadline = Deadline::By(Some(DEADLINE));

fn lock(writer: u32, readers: [u32; 2]) -> Two {
    let line = |value| Line::new(Word::new(value));
    Two::from_lines(line(writer), readers.map(line))
}

/// The writer word, and the reader words.
fn words(lock: &Two) -> (u32, [u32; 2]) {
    (lock.writer.0.load(Relaxed), lock.readers.each_ref().map(|line| line.0.load(Relaxed)))
}

fn another() -> u32 {
    id_of(1).word()
}

/// A sleep during which the awaited word becomes free and the deadline passes.
fn comes_free_at_last() -> Vec<Scene> {
    vec![scene(|sleep| {
        sleep.awaited().store(0, Relaxed);
        sleep.lasts();
    })]
}

fn lasts() -> Vec<Scene> {
    vec![scene(|sleep| sleep.lasts())]
}

#[test]
fn a_word_released_as_the_deadline_passes_lets_the_reader_in() {
    for (writer, readers) in [(another(), [0, 0]), (0, [another(), id_of(2).word()])] {
        let lock = lock(writer, readers);
        let (answer, _) = play(3, comes_free_at_last(), |me| lock.read(me, A_WHILE));
        assert_eq!(answer, Ok(Reading { word: 0, inconsistent: None }), "{writer:#x}");
    }
}

#[test]
fn a_word_released_as_the_deadline_passes_lets_the_writer_in() {
    for (writer, readers) in
        [(another(), [0, 0]), (0, [another(), 0]), (0, [0, another()]), (DISPLACED, [0, another()])]
    {
        let lock = lock(writer, readers);
        let (answer, _) = play(3, comes_free_at_last(), |me| lock.write(me, A_WHILE));
        assert_eq!(answer, Ok(Acquired { inconsistent: None }), "{writer:#x} {readers:#x?}");
    }
}

/// An earlier fault: the caller searched for its own word only at the beginning. A signal handler
/// that took a reader word during the wait, and kept it, made the writer wait for itself.
#[test]
fn a_reader_word_that_the_caller_gets_while_it_waits_is_a_deadlock() {
    for others_word in [false, true] {
        for writes in [false, true] {
            let lock = Rc::new(lock(another(), [0, 0]));
            let handler = Rc::clone(&lock);
            let takes_one = scene(move |sleep| {
                sleep.awaited().store(0, Relaxed);
                handler.readers[usize::from(others_word)].0.store(id_of(0).word(), Relaxed);
            });
            let (answer, _) = play(3, vec![takes_one], |me| match writes {
                true => lock.write(me, Deadline::By(None)).map(drop),
                false => lock.read(me, Deadline::By(None)).map(drop),
            });
            assert_eq!(answer, Err(NotLocked::Deadlock), "{writes} {others_word}");
            let mut readers = [0, 0];
            readers[usize::from(others_word)] = id_of(0).word();
            assert_eq!(words(&lock), (0, readers));
        }
    }
}

/// The values of a writer word that names no writer.
fn without_writer() -> impl Iterator<Item = u32> {
    let causes =
        [Cause::Died(None), Cause::Died(Some(id_of(2))), Cause::Panicked(None), Cause::Panicked(Some(id_of(2)))];
    [0, DISPLACED].into_iter().chain(causes.map(Cause::word))
}

/// A writer that clears DISPLACED as it gives up would do harm: a reader away from its home would
/// no longer notice a nested lock.
#[test]
fn a_writer_that_gives_up_leaves_the_words_as_they_were() {
    for writer in without_writer() {
        for readers in [[another(), 0], [0, another()]] {
            let waits_on = |word: u32| if word == 0 { 0 } else { word | WAITERS };
            for (deadline, scenes, refusal, expected) in [
                (Deadline::Immediate, vec![], NotLocked::WouldBlock, readers),
                (A_WHILE, lasts(), NotLocked::TimedOut, readers.map(waits_on)),
            ] {
                let lock = lock(writer, readers);
                let (answer, _) = play(3, scenes, |me| lock.write(me, deadline));
                assert_eq!(answer, Err(refusal));
                assert_eq!(words(&lock), (writer, expected), "{writer:#x} {deadline:?}");
            }
        }
    }
}

#[test]
fn a_reader_that_locks_again_gets_an_error_and_leaves_the_words_as_they_were() {
    for writer in without_writer() {
        for readers in [[id_of(0).word(), 0], [another(), id_of(0).word()]] {
            if writer == 0 && readers[1] != 0 {
                continue; // impossible: a reader away from its home has set DISPLACED
            }
            for (deadline, refusal) in [(Deadline::Immediate, NotLocked::WouldBlock), (A_WHILE, NotLocked::Deadlock)] {
                let lock = lock(writer, readers);
                let (answers, _) = play(3, vec![], |me| (lock.write(me, deadline), lock.read(me, deadline)));
                assert_eq!(answers, (Err(refusal), Err(refusal)), "{writer:#x} {readers:#x?}");
                assert_eq!(words(&lock), (writer, readers));
            }
        }
    }
}

#[test]
fn a_caller_that_gives_up_during_a_write_leaves_the_words_as_they_were() {
    for readers in [[0, 0], [0, id_of(2).word()]] {
        for (deadline, scenes, expected) in
            [(Deadline::Immediate, [vec![], vec![]], another()), (A_WHILE, [lasts(), lasts()], another() | WAITERS)]
        {
            let [to_read, to_write] = scenes;
            let lock = lock(another(), readers);
            let (answer, _) = play(3, to_read, |me| lock.read(me, deadline));
            assert!(answer.is_err());
            assert_eq!(words(&lock), (expected, readers));
            let (answer, _) = play(3, to_write, |me| lock.write(me, deadline));
            assert!(answer.is_err());
            assert_eq!(words(&lock), (expected, readers));
        }
    }
}

#[test]
fn a_reader_that_gives_up_while_all_words_are_held_leaves_them_as_they_were() {
    for writer in without_writer() {
        let readers = [another(), id_of(2).word()];
        let lock = lock(writer, readers);
        let (answer, _) = play(3, lasts(), |me| lock.read(me, A_WHILE));
        assert_eq!(answer, Err(NotLocked::TimedOut));
        assert_eq!(words(&lock), (writer, readers.map(|word| word | WAITERS)));
    }
}

/// A writer that gives up wakes the sleepers on its own word. It leaves WAITERS set in the word of
/// the reader for which it waited.
#[test]
fn a_writer_that_gives_up_and_a_reader_that_unlocks_wake_all_their_waiters() {
    for writer in without_writer() {
        let lock = Rc::new(lock(writer, [another(), 0]));
        let beside = Rc::clone(&lock);
        let during = scene(move |sleep| {
            beside.writer.0.fetch_or(WAITERS, Relaxed); // somebody waits for this writer
            sleep.lasts();
        });
        let (answer, wakes) = play(3, vec![during], |me| {
            let answer = lock.write(me, A_WHILE);
            lock.unlock_read(0);
            answer
        });
        assert_eq!(answer, Err(NotLocked::TimedOut));
        assert_eq!(wakes.on(&lock.writer.0), [u32::MAX]);
        assert_eq!(wakes.on(&lock.readers[0].0), [u32::MAX]);
        assert_eq!(words(&lock), (writer, [0, 0]));
    }
}

/// Reaping may be due each time, as in the same test of the mutex.
#[test]
fn reaping_delays_a_caller_that_gives_up_only_once() {
    let lock = lock(another(), [0, 0]);
    let (answers, _) = play(3, vec![], |me| {
        reaping_takes_a_period();
        [lock.read(me, Deadline::Immediate).map(drop), lock.write(me, Deadline::Immediate).map(drop)]
    });
    assert_eq!(answers, [Err(NotLocked::WouldBlock); 2]);
}

/// A thread's shift, and whether the home may move.
impl Home for (&Cell<usize>, bool) {
    fn shift(self) -> usize {
        self.0.get()
    }

    fn move_by(self, by: usize) -> bool {
        self.0.set(self.0.get() + if self.1 { by } else { 0 });
        self.1
    }
}

fn three(readers: [u32; 3]) -> RwLock<Puppet, 3> {
    RwLock::from_lines(Line::new(Word::new(0)), readers.map(|value| Line::new(Word::new(value))))
}

fn three_words(lock: &RwLock<Puppet, 3>) -> (u32, [u32; 3]) {
    (lock.writer.0.load(Relaxed), lock.readers.each_ref().map(|line| line.0.load(Relaxed)))
}

#[test]
fn a_reader_that_finds_its_home_taken_moves_to_another_home() {
    let me = id_of(0).word();
    // The shift before the read, and the word that is free.
    for (shift, free) in [(0, 1), (0, 2), (1, 0), (2, 0), (2, 1), (4, 0)] {
        let lock = three(core::array::from_fn(|word| if word == free { 0 } else { another() }));
        let shift = Cell::new(shift);
        let (answers, _) = play(3, vec![], |by| {
            let read =
                |lock: &RwLock<Puppet, 3>| lock.read_from((&shift, true), by, Deadline::Immediate, Leaked::Refuse);
            let first = read(&lock);
            let taken = three_words(&lock);
            lock.unlock_read(free);
            let nobody_reads = three([0, 0, 0]);
            (first, taken, read(&nobody_reads))
        });
        let reading = Ok(Reading { word: free, inconsistent: None });
        let words = core::array::from_fn(|word| if word == free { me } else { another() });
        assert_eq!(answers, (reading, (0, words), reading), "DISPLACED is not set, and the next read begins there");
    }
}

#[test]
fn a_reader_whose_home_must_not_move_sets_displaced_and_keeps_its_home() {
    for (first, left) in [(0, DISPLACED), (Cause::Died(None).word(), Cause::Died(None).word())] {
        let lock = three([another(), 0, 0]);
        lock.writer.0.store(first, Relaxed);
        let shift = Cell::new(0);
        let (answer, _) = play(3, vec![], |by| {
            lock.read_from((&shift, false), by, Deadline::Immediate, Leaked::Refuse).map(|reading| reading.word)
        });
        assert_eq!((answer, shift.get()), (Ok(1), 0));
        assert_eq!(three_words(&lock), (left, [another(), id_of(0).word(), 0]));
    }
}

/// Inconsistent data does not keep a reader from moving.
#[test]
fn a_reader_moves_with_any_writer_word_that_names_no_writer() {
    for writer in without_writer() {
        let lock = three([another(), 0, 0]);
        lock.writer.0.store(writer, Relaxed);
        let shift = Cell::new(0);
        let (answer, _) = play(3, vec![], |by| {
            lock.read_from((&shift, true), by, Deadline::Immediate, Leaked::Refuse).map(|reading| reading.word)
        });
        assert_eq!((answer, shift.get()), (Ok(1), 1));
        assert_eq!(three_words(&lock), (writer, [another(), id_of(0).word(), 0]));
    }
}

#[test]
fn a_downgrade_moves_the_home_or_sets_displaced() {
    for (may_move, shift_after, writer_after) in [(true, 1, 0), (false, 0, DISPLACED)] {
        let lock = three([another(), 0, 0]);
        let shift = Cell::new(0);
        lock.writer.0.store(id_of(0).word(), Relaxed);
        let (reading, _) = play(3, vec![], |by| lock.downgrade_from((&shift, may_move), by, 0));
        assert_eq!((reading.word, shift.get()), (1, shift_after));
        assert_eq!(three_words(&lock), (writer_after, [another(), id_of(0).word(), 0]));
    }
}

/// Nobody else would free such a word.
#[test]
fn a_downgrade_takes_a_word_that_was_overwritten_with_its_own_name() {
    let lock = lock(id_of(0).word(), [id_of(0).word(); 2]);
    let (reading, _) = play(3, vec![], |me| lock.downgrade(me, 0));
    assert_eq!(reading.word, 0);
    assert_eq!(words(&lock), (0, [id_of(0).word(); 2]));
}

/// The writer has found no reader. So whoever is named there does not read.
#[test]
fn a_downgrade_takes_words_that_were_overwritten_with_the_name_of_a_reader_that_has_leaked() {
    let lock = lock(id_of(0).word(), [another(); 2]);
    let (reading, _) = play(3, vec![], |me| {
        me.table.leak(id_of(1));
        me.table.slots[1].lifelines()[0].word().store(MARK, Relaxed);
        assert!(me.table.has_leaked(id_of(1)));
        lock.downgrade(me, 0)
    });
    assert_eq!(reading.word, 0);
    assert_eq!(words(&lock), (0, [id_of(0).word(), 0]));
}

/// The home of a caller that a signal handler interrupts at the second look at it, in the midst of
/// the search for a word. The handler takes the second word, and keeps it.
#[derive(Clone, Copy)]
struct Interrupted<'l> {
    lock: &'l Two,
    looks: &'l Cell<u32>,
}

impl Home for Interrupted<'_> {
    fn shift(self) -> usize {
        self.looks.set(self.looks.get() + 1);
        if self.looks.get() == 2 {
            self.lock.readers[1].0.store(id_of(0).word(), Relaxed);
            self.lock.writer.0.store(DISPLACED, Relaxed);
        }
        0
    }

    fn move_by(self, _by: usize) -> bool {
        false
    }
}

#[test]
fn a_reader_does_not_take_the_word_of_its_signal_handler_for_its_own() {
    for (deadline, refusal) in [(Deadline::Immediate, NotLocked::WouldBlock), (A_WHILE, NotLocked::Deadlock)] {
        for first in [another(), id_of(2).word()] {
            let lock = lock(0, [first, 0]);
            let from = Interrupted { lock: &lock, looks: &Cell::new(0) };
            let (answer, _) = play(3, vec![], |me| lock.read_from(from, me, deadline, Leaked::Refuse));
            assert_eq!((answer, from.looks.get()), (Err(refusal), 2));
            assert_eq!(words(&lock), (DISPLACED, [first, id_of(0).word()]), "the handler's word is kept");
        }
    }
}
