//! A barrier's words beside a plain history.

use super::*;
use proptest::prelude::*;

fn is_broken(end: End) -> bool {
    end == End::Broken
}

/// Long rows of trips between breaks: what is remembered ends 255 generations after a break.
fn histories() -> impl Strategy<Value = Vec<End>> {
    let row = (prop_oneof![0..6usize, 250..262usize], 0..4usize);
    let ends = |(trips, breaks)| [End::Tripped].repeat(trips).into_iter().chain([End::Broken].repeat(breaks));
    proptest::collection::vec(row, 0..4).prop_map(move |rows| rows.into_iter().flat_map(ends).collect())
}

proptest! {
    #![proptest_config(crate::raw::random_cases())]

    #[test]
    fn the_last_ends_are_remembered(first in any::<u16>(), flags in 0..8u32, ends in histories()) {
        let flags = [RUNNING, BROKEN, WAITERS].iter().enumerate().filter(|(i, _)| flags >> i & 1 == 1);
        let flags = flags.fold(0, |all, (_, flag)| all | flag);
        let begin = State(u32::from(first));
        let state = ends.iter().fold(begin, |state, end| State(state.0 | flags).next(*end));
        prop_assert!(!state.has(RUNNING) && !state.has(BROKEN) && !state.has(WAITERS), "a new generation has begun");
        prop_assert_eq!(state.generation(), first.wrapping_add(ends.len() as u16));
        prop_assert_eq!(state.end_of(state.generation()), None);
        prop_assert_eq!(state.0 & 3 << 29, 0, "it looks like a hold");
        let last_break = ends.iter().rev().position(|end| is_broken(*end)).map(|ago| ago + 1);
        for ago in 1..=ends.len() {
            let generation = state.generation().wrapping_sub(ago as u16);
            let told = state.end_of(generation).map(is_broken);
            // The last three exactly; of the others, whether they or a later one broke, as far as is remembered.
            let is_remembered = |at: usize| at <= ago && at < 256;
            let expected = match ago {
                1..=3 => is_broken(ends[ends.len() - ago]),
                _ => last_break.is_some_and(is_remembered),
            };
            prop_assert_eq!(told, Some(expected), "the end of the generation {} ago", ago);
        }
    }

    #[test]
    fn a_break_keeps_what_is_remembered(word in any::<u32>()) {
        let (before, after) = (State(word), State(word).broken());
        prop_assert!(after.has(BROKEN) && !after.has(RUNNING) && !after.has(WAITERS));
        prop_assert_eq!(before.generation(), after.generation());
        prop_assert_eq!(before.next(End::Broken), after.next(End::Broken));
        prop_assert_eq!(after.end_of(after.generation()), Some(End::Broken));
        for ago in 1..300 {
            let generation = before.generation().wrapping_sub(ago);
            prop_assert_eq!(before.end_of(generation), after.end_of(generation));
        }
    }

    #[test]
    fn an_arrival_is_in_its_generation_alone(generation in any::<u16>(), other in any::<u16>(), word in any::<u32>()) {
        let id = Id::holder_in(word | HELD).expect("it is held");
        let arrival = Arrival::of(generation, id);
        prop_assert!(arrival.is_in(generation) && !arrival.told().is_in(generation));
        prop_assert_eq!((arrival.id(), arrival.told().id()), (Some(id), Some(id)));
        prop_assert_eq!(arrival.is_in(other), other == generation);
        prop_assert!(Id::holder_in((arrival.0 >> 32) as u32).is_none(), "it keeps its participant from detaching");
    }

    #[test]
    fn arrivals_have_an_order(upper in any::<u32>(), is_there: bool, is_told: bool, ago in any::<i16>(), now in any::<u16>()) {
        let generation = now.wrapping_sub(ago as u16);
        let flags = [(is_there, Arrival::THERE), (is_told, Arrival::TOLD)];
        let flags = flags.iter().filter(|(is, _)| *is).fold(0, |all, (_, flag)| all | flag);
        // Some of the upper bits are never set by this code, and mean nothing.
        let arrival = Arrival(u64::from(upper) << 18 | flags | u64::from(generation));
        prop_assert_eq!(arrival.is_after(now), is_there && (-0x7fff..0).contains(&ago));
        prop_assert_eq!(arrival.is_long_before(now), is_there && !is_told && ago >= 0x100);
    }
}

/// What lies near the borders of each range, where a random number hardly ever falls.
#[test]
fn arrivals_have_an_order_at_the_borders() {
    for now in [0, 1, 0x7fff, 0x8000, 0xffff] {
        for ago in [-0x8000, -0x7fff, -2, -1, 0, 1, 0xff, 0x100, 0x101, 0x7fff] {
            let generation = (i32::from(now) - ago) as u16;
            let arrival = Arrival(Arrival::THERE | u64::from(generation));
            assert_eq!(arrival.is_after(now), (-0x7fff..0).contains(&ago), "{now} {ago}");
            assert_eq!(arrival.is_long_before(now), ago >= 0x100, "{now} {ago}");
        }
    }
}
