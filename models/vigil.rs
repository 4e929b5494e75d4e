//! Models of the vigil on the barest primitive that one can sleep on: a flag that is raised once. Whoever dies, those who
//! sleep are woken; with any of its rules taken away, some placing of a death leaves them asleep.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::{Platform, Word as _};
use outlive::raw::Participant;
use outlive::raw::vigil::Vigil;
#[cfg(feature = "loom")]
use outlive_models::Broken;
use outlive_models::{Backend, Explore, Model, Newborn, Word, World};
use std::sync::atomic::Ordering::{Acquire, Release};

#[derive(Debug)]
struct Flag<B: Backend> {
    raised: Word<B>,
    news: B::Cell<u32>,
}

impl<B: Backend> Flag<B> {
    fn new() -> Self {
        Self { raised: Word::new(0), news: B::cell(0) }
    }
    /// One that dies between the two lines has made something true, and told nobody.
    fn raise(&self) {
        B::write(&self.news, |news| *news = 42);
        self.raised.store(1, Release);
        Model::<B>::wake(&self.raised, u32::MAX);
    }
    fn wait(&self, me: &Participant<'_, Model<B>>) {
        let mut vigil = Vigil::new(me, None);
        while self.raised.load(Acquire) == 0 {
            let _look_again = vigil.sleep(&self.raised, 0, None);
        }
        B::read(&self.news, |news| assert_eq!(*news, 42));
    }
    /// If the raiser died before it could, a supervisor raises: to wait for ever would be right otherwise.
    fn see_to_it(&self) {
        if self.raised.newest() == 0 {
            self.raise();
        }
    }
}

/// 0 raises, 1 and 2 wait.
fn two_wait<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(3, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        0 => flag.raise(),
        _ => world.act(who, |me| flag.wait(me)),
    })
    .after(|_, dead, _, flag| {
        if dead == 0 {
            flag.see_to_it();
        }
    })
}

/// 0 waits; 1 comes into the segment only now, raises, and dies somewhere.
fn a_newcomer_raises<B: Backend>() -> Explore<B, Flag<B>> {
    Explore::new(2, Flag::new, |world: &World<B>, who, flag: &Flag<B>| match who {
        0 => world.act(who, |me| flag.wait(me)),
        _ => {
            let newborn = Newborn { world, who };
            if world.table().register(&newborn).is_ok() {
                flag.raise();
            }
        }
    })
    .newcomers(1)
    .after(|_, dead, _, flag| {
        if dead == 1 {
            flag.see_to_it();
        }
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    all_who_wait_learn_of_it_whoever_dies: |n| two_wait::<B>().victims(&[0, 1, 2]).spurious().holds(n);
    the_first_phase_changes_nothing: |n| two_wait::<B>().victims(&[0, 1]).first_phase().holds(n);
    any_two_may_die: |n| two_wait::<B>().victims(&[0, 1, 2]).pairs().holds(n);
    a_newcomer_is_watched_too: |n| a_newcomer_raises::<B>().victims(&[0, 1]).holds(n);
    without_the_cascade_one_stays_asleep:
        |n| two_wait::<B>().victims(&[0]).broken(Broken { no_cascade: true, ..Broken::default() }).fails(n);
    watching_the_holder_alone_hangs:
        |n| two_wait::<B>().victims(&[0]).broken(Broken { most_words: Some(2), ..Broken::default() }).fails(n);
    without_the_membership_word_a_newcomer_is_missed:
        |n| a_newcomer_raises::<B>().victims(&[1]).broken(Broken { no_membership: true, ..Broken::default() }).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    all_who_wait_learn_of_it_whoever_dies: |n| two_wait::<B>().victims(&[0, 1]).holds(n);
    a_newcomer_is_watched_too: |n| a_newcomer_raises::<B>().victims(&[1]).holds(n);
}
