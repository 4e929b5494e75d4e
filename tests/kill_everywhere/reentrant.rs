//! ReentrantMutex: besides what it has in common with the [other locks](super::locks).

use super::common::any_lock::Bare;
use super::locks::{self, EITHER, World, get_through, get_through_when_it_is_held, newcomer};
use super::operation::{Operation, Script};
use super::stage::Stage;
use outlive::{ReentrantMutex, ReentrantMutexGuard};

type Nested = ReentrantMutex<()>;

fn script(name: &str) -> Script<World<Nested>> {
    locks::script(name)
}

/// A script with a role that sleeps while the victim holds the mutex.
fn slept_on(name: &str) -> Script<World<Nested>> {
    script(name).before("sleeper", get_through_when_it_is_held).sees(&["sleeper owner died"])
}

/// The victim locks so many times. Then it waits until the sleeper waits for the mutex.
fn hold(s: &Stage<World<Nested>>, times: usize) -> Vec<ReentrantMutexGuard<'_, ()>> {
    let guards = (0..times).map(|_| s.lock.lock().expect("free or ours")).collect();
    s.victim_is_ready();
    s.until_they_sleep(&[0]);
    guards
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let mut operations = locks::operations::<Nested>();
    operations.extend(locks::of_each_form::<Bare<Nested>>());
    operations.extend([
        // SAFETY: nothing of the leaked guards is used.
        locks::lock_leaked(|mutex: &Nested| core::mem::forget(unsafe { mutex.lock_leaked() })),
        newcomer(
            script("acquire twice, update, release twice, and two compete for what is left")
                .meanwhile("rival", get_through)
                .meanwhile("rival", get_through)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.lock.acquire().expect("free");
                        let guard = s.lock.lock().expect("ours");
                        s.update();
                        drop(guard);
                        s.lock.acquire().expect("ours");
                        s.lock.release().expect("twice");
                        s.lock.release().expect("once");
                    });
                })
                .sees(&["rival ok", "rival owner died"]),
        ),
        newcomer(
            script("acquire, adopt, forget, release")
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.lock.acquire().expect("free");
                        s.lock.adopt().expect("acquired").forget();
                        s.lock.release().expect("acquired");
                    });
                })
                .sees(EITHER),
        ),
        newcomer(slept_on("lock once more, while one sleeps").victim(|s| {
            let _guards = hold(s, 1);
            s.dies_in(|| s.lock.lock());
        })),
        newcomer(slept_on("try_lock once more, while one sleeps").victim(|s| {
            let _guards = hold(s, 1);
            s.dies_in(|| s.lock.try_lock());
        })),
        newcomer(slept_on("unlock of one of two, while one sleeps").victim(|s| {
            let mut guards = hold(s, 2);
            s.dies_in(|| drop(guards.pop()));
        })),
    ]);
    operations
}
