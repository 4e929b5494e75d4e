//! A barrier's places, word by word.

use super::*;
use crate::platform::Linux;
use crate::raw::hold::HELD;
use proptest::prelude::*;

type Places32<'p> = Places<'p, Linux, 32>;

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn a_place_names_its_waiter_as_long_as_there_is_one(generation in any::<u32>(), other in any::<u32>(), name in any::<u32>()) {
        let id = Id::holder_in(name | HELD).expect("it is held");
        let (mine, another) = (Arrival { index: 0, generation, id }, Arrival { index: 0, generation: other, id });
        let waiting = Place::<32>::waiting(generation, id);
        prop_assert_eq!(waiting.waiter_in(generation), Some(id));
        for place in [waiting, waiting.with(WANTED), waiting.with(TRIPPED), waiting.with(TRIPPED | WANTED)] {
            prop_assert!(place.is_of(mine) && place.id() == Some(id));
            prop_assert_eq!(place.is_of(another), generation == other);
            // A search for words that name a participant finds it in one half alone.
            prop_assert_eq!(Id::holder_in((place.0 >> 32) as u32), Some(id));
            prop_assert_eq!(Id::holder_in(place.0 as u32), None);
        }
        prop_assert_eq!(waiting.with(TRIPPED).waiter_in(generation), None);
        prop_assert_eq!(waiting.waiter_in(generation.wrapping_add(1)), None);
        let left = Place::<32>::left_in(generation);
        prop_assert!(left.id().is_none() && !left.is_of(mine), "it keeps its participant from detaching");
        prop_assert_eq!(left, Place::free(generation.wrapping_add(1)));
    }

    #[test]
    fn more_than_half_of_all_generations_ago_is_long_before(now in any::<u32>(), ago in any::<u32>()) {
        let left = Place::<32>::left_in(now.wrapping_sub(ago));
        prop_assert_eq!(left.is_long_before(now), ago > u32::MAX / 2);
        let left = Place::<2>::left_in(now.wrapping_sub(ago) & 3);
        prop_assert_eq!(left.is_long_before(now & 3), ago & 3 > 1);
    }

    #[test]
    fn the_places_are_visited_once_each_from_any_start(count in 1..6usize, first in any::<usize>()) {
        let words: Vec<_> = (0..count).map(|_| <Linux as Platform>::Word64::new(0)).collect();
        let order: Vec<_> = Places32::from(&Places(&words), first).collect();
        prop_assert_eq!(order[0], first % count);
        prop_assert!((0..count).all(|index| order.contains(&index)) && order.len() == count);
    }
}

#[test]
fn a_place_is_left_by_its_waiter_alone_and_leave_returns_wanted() {
    let (id, other) = (Id::new(7, 1), Id::new(7, 2));
    let mine = Arrival { index: 1, generation: 5, id };
    for (left, is_wanted) in [
        (Place::<32>::waiting(5, id), false),
        (Place::waiting(5, id).with(TRIPPED), false),
        (Place::waiting(5, id).with(TRIPPED | WANTED), true),
    ] {
        let words = [0, left.0].map(Word64::new);
        assert_eq!(Places32::leave(&Places(&words), mine), is_wanted);
        assert_eq!(words.each_ref().map(|word| word.load(Relaxed)), [0, Place::<32>::free(6).0]);
    }
    for anothers in [Place::<32>::waiting(6, id), Place::waiting(5, other).with(WANTED), Place::free(5)] {
        let words = [0, anothers.0].map(Word64::new);
        assert!(!Places32::leave(&Places(&words), mine));
        assert_eq!(words[1].load(Relaxed), anothers.0);
    }
}

/// A stamp changes only the places of waiters in its generation.
#[test]
fn a_late_stamp_finds_nobody() {
    let id = Id::new(3, 1);
    let words =
        [Place::<32>::waiting(8, id), Place::free(8), Place::waiting(7, id).with(TRIPPED), Place::waiting(7, id)]
            .map(|place| <<Linux as Platform>::Word64 as Word64>::new(place.0));
    let before = words.each_ref().map(|word: &<Linux as Platform>::Word64| word.load(Relaxed));
    Places32::stamp(&Places(&words), 7, 2);
    let mut after = before;
    after[3] |= TRIPPED;
    assert_eq!(words.each_ref().map(|word| word.load(Relaxed)), after);
}

/// A reset uses no places. An old place must be reset before its generation's number comes again.
/// A stamped place is kept. Nothing is changed if the state has moved on.
#[test]
fn places_of_old_generations_are_reset() {
    let id = Id::new(7, 1);
    let (now, half) = (5, 1 << 31);
    let old = now + half;
    for (place, is_there, is_forgotten) in [
        (Place::<32>::waiting(old, id), true, true),
        (Place::free(old), true, true),
        (Place::waiting(old, id), false, false),
        (Place::waiting(old, id).with(TRIPPED), true, false),
        (Place::waiting(now, id), true, false),
        (Place::left_in(now), true, false),
        (Place::free(now), true, false),
        (Place::waiting(now - 1, id), true, false),
    ] {
        let words = [place.0].map(Word64::new);
        Places32::forget_the_long_gone(&Places(&words), now, || is_there);
        let expected = if is_forgotten { Place::free(now) } else { place };
        assert_eq!(words[0].load(Relaxed), expected.0, "{place:?}");
    }
}

#[test]
fn a_waiter_whose_place_is_beyond_an_overwritten_number_of_parties_has_lost_it() {
    let words = [Place::<32>::waiting(5, Id::new(7, 1)).0; 2].map(Word64::new);
    let mine = Arrival { index: 1, generation: 5, id: Id::new(7, 1) };
    assert_eq!(Places32::find(&Places(&words), mine), Mine::Waiting);
    let fewer: Places32<'_> = Places(&words[..1]);
    assert_eq!(fewer.find(mine), Mine::Lost);
    assert!(!fewer.begin_to_withdraw(mine) && !fewer.leave(mine));
    fewer.stay(mine);
    fewer.withdraw(mine);
    assert!(words.iter().all(|word| word.load(Relaxed) == words[0].load(Relaxed)));
}
