//! Models of `raw::ends`: a side is abandoned when all of its ends are gone, and not before. Every
//! operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]

#[cfg(feature = "loom")]
use outlive::platform::Word as _;
use outlive::raw::Participant;
use outlive::raw::ends::{End, NoEnd, Side};
#[cfg(feature = "loom")]
use outlive::raw::hold::HELD;
#[cfg(feature = "loom")]
use outlive::raw::table::recycle::Named;
use outlive_models::{Backend, Explore, Model, World};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left, NameReader, Newborn, Word};
use std::sync::Mutex as StdMutex;

type Me<'t, B> = Participant<'t, Model<B>>;

/// A side, and notes that are no part of the model.
#[derive(Debug)]
struct State<B: Backend, const N: usize> {
    side: Side<Model<B>, N>,
    /// Who has an end, and has not begun to give it back.
    have: StdMutex<Vec<usize>>,
    /// Who found the side abandoned.
    found: StdMutex<Vec<usize>>,
}

impl<B: Backend, const N: usize> State<B, N> {
    fn unused() -> Self {
        Self { side: Side::default(), have: StdMutex::default(), found: StdMutex::default() }
    }

    fn take(&self, me: Me<'_, B>) -> Result<End, NoEnd> {
        let end = self.side.take(me)?;
        self.have.lock().expect("no panic inside").push(me.id.index());
        Ok(end)
    }

    fn give_back(&self, me: Me<'_, B>, end: End) {
        let mut have = self.have.lock().expect("no panic inside");
        let at = have.iter().position(|who| *who == me.id.index()).expect("it has one");
        have.remove(at);
        drop(have);
        self.side.give_back(end);
    }

    /// Whether the side is abandoned. Notes it.
    fn check_side(&self, me: Me<'_, B>) -> bool {
        let answer = self.side.is_abandoned(me);
        if answer {
            self.found.lock().expect("no panic inside").push(me.id.index());
        }
        answer
    }

    /// Takes an end, gives it back, and checks the side.
    fn come_and_go(&self, me: Me<'_, B>) {
        match self.take(me) {
            Ok(end) => {
                self.give_back(me, end);
                self.check_side(me);
            }
            Err(error) => assert_eq!(error, NoEnd::Shut),
        }
    }
}

/// 0 always has an end: it takes another one before it gives the first one back. If the other one
/// is `LOWER`, it is at a lower place. 1 checks.
fn handed_on<B: Backend, const LOWER: bool>() -> Explore<B, State<B, 2>> {
    Explore::new(2, State::unused, |world: &World<B>, who, state: &State<B, 2>| {
        world.act(who, |me| match who {
            0 => {
                let mut first = state.take(me).expect("free");
                if LOWER {
                    let upper = state.take(me).expect("free");
                    state.give_back(me, first);
                    first = upper;
                }
                let _kept = state.take(me).expect("free");
                state.give_back(me, first);
            }
            _ => assert!(!state.check_side(me) || world.has_died(0), "there was an end all the time"),
        });
    })
}

/// 0 and 1 come and go. The last of them finds the side abandoned. If one dies, 2 finds that.
fn both_go<B: Backend>() -> Explore<B, State<B, 2>> {
    Explore::new(3, State::unused, |world: &World<B>, who, state: &State<B, 2>| {
        if who < 2 {
            world.act(who, |me| state.come_and_go(me));
        }
    })
    .check(|state, world| {
        let nobody_died = !world.has_died(0) && !world.has_died(1);
        let is_found = !state.found.lock().expect("no panic inside").is_empty();
        assert!(is_found || !nobody_died, "nobody was the last");
        world.act(2, |me| {
            let were_ends = nobody_died || state.side.take(me).map(|end| state.side.give_back(end)).is_ok();
            assert!(state.side.is_abandoned(me) || !were_ends);
        });
    })
}

/// One place. 0 takes the end, and dies with it or gives it back. 1 and 2 take it over: never both
/// at a time.
fn taken_over<B: Backend>() -> Explore<B, State<B, 1>> {
    Explore::new(3, State::unused, |world: &World<B>, who, state: &State<B, 1>| {
        world.act(who, |me| {
            if let (0, Ok(end)) = (who, state.take(me)) {
                state.give_back(me, end);
            }
        });
    })
    .check(|state, world| {
        let have = state.have.lock().expect("no panic inside");
        let living = have.iter().filter(|who| !world.has_died(**who)).count();
        assert!(living <= 1, "{have:?} have the same end");
    })
}

/// 0 comes and goes. 1 is a newcomer in the slot of a former participant, and keeps the end that it
/// takes. So the side is not abandoned, unless 0 found that before.
#[cfg(feature = "loom")]
fn a_newcomer<B: Backend>() -> Explore<B, State<B, 2>> {
    Explore::new(2, State::unused, |world: &World<B>, who, state: &State<B, 2>| match who {
        0 => world.act(who, |me| state.come_and_go(me)),
        _ => world.come(who, |me| match state.take(me) {
            Ok(_kept) => {}
            Err(error) => assert_eq!(error, NoEnd::Shut),
        }),
    })
    .newcomers(1)
    .left(Left::Marked)
    .check(|state, _| {
        let is_found = !state.found.lock().expect("no panic inside").is_empty();
        let is_there = state.have.lock().expect("no panic inside").contains(&1);
        assert!(!(is_found && is_there), "the newcomer has an end of an abandoned side");
    })
}

/// 0 takes an end and ends by itself, while its process lives. 1 checks. The end counts until the
/// process ends.
fn leaked<B: Backend, const ENDS: bool>() -> Explore<B, State<B, 1>> {
    Explore::new(2, State::unused, |world: &World<B>, who, state: &State<B, 1>| match who {
        0 => world.act(who, |me| {
            let _kept = state.take(me).expect("free");
            world.table().leak(me.id);
            world.end(who);
            if ENDS {
                world.end_process(who);
            }
        }),
        _ => world.act(who, |me| assert!(!state.check_side(me) || ENDS, "the process of 0 lives")),
    })
    .leakers(&[0])
    .check(|state, world| {
        world.act(1, |me| assert_eq!(state.side.is_abandoned(me), ENDS));
    })
}

/// A slot has one generation in a round.
#[cfg(feature = "loom")]
type InOne = outlive_models::Loom<128, 1>;

/// A side of one place, and data.
#[cfg(feature = "loom")]
type WithData<B> = (Side<Model<B>, 1>, <B as Backend>::Cell<u32>);

/// A former participant, in slot 2, has left the end. 0 takes it over, and dies with it. So no word
/// names the former participant any more. 2 comes then, may get its id, takes the end over, and
/// leaks it. 1 wants the end, and may have judged the former participant before that.
#[cfg(feature = "loom")]
fn an_id_that_comes_round<B: Backend>() -> Explore<B, WithData<B>> {
    const ONE_END: u32 = 1 << 30 | 1;
    const FROM_BEFORE: u32 = HELD | 1 << 12 | 2;
    let make = || (Side::from_words(Word::new(ONE_END), [Word::new(FROM_BEFORE)]), B::cell(0));
    let body = |world: &World<B>, who, (side, data): &WithData<B>| {
        let write = || B::write(data, |data| *data += 1);
        match who {
            0 => world.act(who, |me| {
                if side.take(me).is_ok() {
                    world.end(who);
                }
            }),
            1 => world.act(who, |me| {
                if side.take(me).is_ok() {
                    write();
                }
            }),
            _ => {
                let table = world.table();
                let read = |named: &mut Named| side.holders().for_each(|id| named.note(id.word()));
                let reader = NameReader { newborn: Newborn { world, who }, read };
                let Ok(id) = table.register(&reader) else { return };
                if side.take(Participant { id, table: &table }).is_ok() {
                    write();
                    table.leak(id);
                    world.end(who);
                    write();
                }
            }
        }
    };
    Explore::new(3, make, body).newcomers(1).leakers(&[0]).left(Left::Marked).executions(400_000)
}

outlive_models::models! { with_loom, Loom, "loom",
    a_late_heir_is_given_no_leaked_end: |n| an_id_that_comes_round::<InOne>().holds(n);
    an_end_that_counts_is_found: |n| handed_on::<B, false>().victims(&[0]).holds(n);
    an_end_taken_behind_a_check_counts: |n| handed_on::<B, true>().holds(n);
    the_last_one_finds_the_side_abandoned: |n| both_go::<B>().victims(&[0, 1]).holds(n);
    the_end_of_the_dead_is_taken_over_once: |n| taken_over::<B>().victims(&[0]).holds(n);
    a_newcomer_with_an_end_is_not_judged_dead: |n| a_newcomer::<B>().holds(n);
    a_leaked_end_counts: |n| leaked::<B, false>().holds(n);
    a_leaked_end_is_gone_with_its_process: |n| leaked::<B, true>().holds(n);
    without_fences_nobody_is_the_last: |n| both_go::<B>().broken(Broken::NO_FENCE).fails(n);
    without_acquire_a_newcomer_is_judged_dead: |n| a_newcomer::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    without_release_an_end_is_missed: |n| handed_on::<B, false>().broken(Broken::NO_RELEASE).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    an_end_taken_behind_a_check_counts: |n| handed_on::<B, true>().victims(&[0]).holds(n);
    the_last_one_finds_the_side_abandoned: |n| both_go::<B>().victims(&[0, 1]).holds(n);
    the_end_of_the_dead_is_taken_over_once: |n| taken_over::<B>().victims(&[0]).holds(n);
    a_leaked_end_counts: |n| leaked::<B, false>().holds(n);
    a_leaked_end_is_gone_with_its_process: |n| leaked::<B, true>().holds(n);
}
