//! Lock: besides what it has in common with the [other locks](super::locks).

use super::common::any_lock::Bare;
use super::locks::{self, EITHER, World, get_through, get_through_when_it_is_held, newcomer, script};
use super::operation::{Operation, Script};
use super::stage::{Stage, Told};
use outlive::{Lock, NotHeldError};

/// Acquires, and leaves the release to the victim. Releases itself if the victim did not.
fn hold_for_the_victim(s: &Stage<World<Lock>>) -> Told {
    s.lock.acquire().map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_kill();
    match s.lock.is_owned_by_current_thread() {
        true => s.lock.release().map(|()| "still holds").map_err(|error| error.to_string()),
        false => Ok("was released"),
    }
}

/// What the victim releases was acquired by another.
fn acquired_by_another(name: &str) -> Script<World<Lock>> {
    let script = script(name).before("holder", hold_for_the_victim).before("sleeper", get_through);
    script.sees(&["holder still holds, sleeper ok", "holder was released, sleeper ok"])
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let mut operations = locks::operations::<Bare<Lock>>();
    operations.extend(locks::of_each_form::<Lock>());
    operations.extend([
        newcomer(
            script::<Lock>("acquire, adopt, dropped")
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.lock.acquire().expect("free");
                        drop(s.lock.adopt().expect("acquired"));
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            script::<Lock>("lock, forget, release")
                .joined_victim(|s| {
                    s.dies_in(|| {
                        s.lock.lock().expect("free").forget();
                        s.lock.release().expect("acquired");
                    });
                })
                .sees(EITHER),
        ),
        newcomer(
            acquired_by_another("release of what another acquired, while one sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.lock.release())),
        ),
        newcomer(acquired_by_another("release, by one that has not taken part yet, while one sleeps").victim(|s| {
            s.until_they_sleep(&[1]);
            s.dies_in(|| s.lock.release());
        })),
        newcomer(
            script::<Lock>("LockGuard release, while one sleeps")
                .before("sleeper", get_through_when_it_is_held)
                .victim(|s| {
                    let guard = s.lock.lock().expect("free");
                    s.victim_is_ready();
                    s.until_they_sleep(&[0]);
                    s.dies_in(|| guard.release());
                })
                .sees(&["sleeper ok", "sleeper owner died"]),
        ),
        newcomer(
            script::<Lock>("release of what nobody holds")
                .joined_victim(|s| {
                    s.dies_in(|| match s.lock.release() {
                        Err(NotHeldError { holder: None, .. }) => {}
                        other => panic!("{other:?}"),
                    });
                })
                .sees(&["newcomer ok"]),
        ),
    ]);
    operations
}
