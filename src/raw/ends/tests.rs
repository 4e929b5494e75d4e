//! The ends of a side, word by word: which hold is taken, what counts, and words that nobody wrote.

use super::*;
use crate::platform::puppet::{Puppet, id_of, play};
use crate::raw::hold::HELD;

type Three = Side<Puppet, 3>;

fn side(door: u32, holds: [u32; 3]) -> Three {
    Side::from_words(Word::new(door), holds.map(Word::new))
}

fn words(side: &Three) -> (u32, [u32; 3]) {
    (side.door.load(Relaxed), [0, 1, 2].map(|index| side.holds[index].load(Relaxed)))
}

/// The participants 0 to 3 live, and 9 was never there.
fn by_0<R>(act: impl FnOnce(Participant<'_, Puppet>) -> R) -> R {
    play(4, vec![], act).0
}

fn id(index: usize) -> u32 {
    id_of(index).word()
}

#[test]
fn an_end_is_the_first_that_is_free_or_left_by_the_dead() {
    for (holds, index) in [
        ([NEVER_USED; 3], 0),
        ([FREE, NEVER_USED, NEVER_USED], 0),
        ([id(1), NEVER_USED, NEVER_USED], 1),
        ([id(1), FREE, id(2)], 1),
        ([id(1), id(0), id(9)], 2),
        ([id(1), 7, id(2)], 1), // a word that nobody wrote
    ] {
        let side = side(USED | 5, holds);
        let end = by_0(|me| side.take(me)).expect("there is one");
        assert_eq!(end, End { index, holder: id_of(0) });
        let mut expected = holds;
        expected[index] = id(0);
        assert_eq!(words(&side), (USED | 6, expected));
    }
}

#[test]
fn no_end_is_taken_from_the_living() {
    let holds = [id(0), id(1), id(2)];
    let side = side(USED | 3, holds);
    assert_eq!(by_0(|me| side.take(me)), Err(NoEnd::Full));
    assert_eq!(words(&side), (USED | 3, holds));
}

#[test]
fn of_a_side_that_is_shut_no_end_is_taken() {
    let side = side(SHUT | USED | 3, [FREE; 3]);
    assert_eq!(by_0(|me| side.take(me)), Err(NoEnd::Shut));
    assert_eq!(words(&side), (SHUT | USED | 3, [FREE; 3]));
}

#[test]
fn the_number_wraps_and_spares_the_flags() {
    for (door, after) in [(0, USED | 1), (USED | 1, USED | 2), (USED | NUMBER, USED)] {
        let side = side(door, [NEVER_USED; 3]);
        let _kept = by_0(|me| side.take(me)).expect("free");
        assert_eq!(side.door.load(Relaxed), after);
    }
    assert_eq!((SHUT | USED | NUMBER) & HELD, 0, "no door looks like a hold");
}

#[test]
fn an_end_is_given_back_once() {
    let side = side(0, [id(1), NEVER_USED, NEVER_USED]);
    by_0(|me| {
        let end = side.take(me).expect("free");
        assert_eq!(end.holder(), me.id);
        side.give_back(end);
        assert_eq!(words(&side).1, [id(1), FREE, NEVER_USED]);
        side.holds[1].store(id(2), Relaxed);
        side.give_back(end);
        assert_eq!(words(&side).1, [id(1), id(2), NEVER_USED], "it is another's now");
    });
}

#[test]
fn a_side_is_abandoned_when_no_living_participant_has_an_end() {
    for (door, holds, is_abandoned) in [
        (0, [NEVER_USED; 3], false),
        (0, [FREE; 3], false), // nobody's end has counted
        (7, [FREE; 3], false),
        (USED | 1, [NEVER_USED; 3], true),
        (USED | 1, [FREE; 3], true),
        (USED | 1, [id(0), NEVER_USED, NEVER_USED], false),
        (USED | 3, [FREE, id(3), FREE], false),
        (USED | 3, [id(9), FREE, id(2)], false),
        (USED | 3, [id(9), FREE, id(8)], true),
        (USED | 3, [FREE, NEVER_USED, id(1)], true), // nobody wrote that
        (USED | 3, [u32::MAX, u32::MAX, u32::MAX], true),
        (SHUT, [id(1); 3], true),
    ] {
        let side = side(door, holds);
        let answers = by_0(|me| [(); 2].map(|()| side.is_abandoned(me)));
        assert_eq!(answers, [is_abandoned; 2], "{door:x} {holds:x?}");
        let door_after = if is_abandoned { door | SHUT } else { door };
        assert_eq!(words(&side), (door_after, holds), "{door:x} {holds:x?}");
    }
}

#[test]
fn either_side_abandons_a_channel() {
    for (senders, receivers, expected) in [(0, 0, false), (USED, 0, true), (0, USED, true), (USED, USED, true)] {
        let ends = Ends { senders: side(senders, [FREE; 3]), receivers: side(receivers, [FREE; 3]) };
        assert_eq!((ends.were_taken(), by_0(|me| ends.are_abandoned(me))), (expected, expected));
        assert_eq!(ends.were_taken(), expected, "shut, too");
    }
    assert!(!by_0(|me| Ends::<Puppet, 3>::default().are_abandoned(me)));
}
