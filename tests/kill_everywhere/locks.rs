//! What is the same for each lock: Mutex, ReentrantMutex and Lock.
//!
//! The names of operations have the words `lock` and `unlock`. For a lock without guards these
//! become `acquire` and `release`.

use super::common::any_lock::{AnyLock, Protected};
use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use core::mem::forget;
use outlive::{LockError, Segment};

pub(super) type World<L> = Segment<Protected<L>>;

pub(super) fn script<L: AnyLock>(name: &str) -> Script<World<L>> {
    let [lock, unlock] = L::CALLS;
    let name = name.replace("unlock", unlock).replace("lock", lock);
    operation(L::NAME, name, |_| World::<L>::anonymous(|_| {}).expect("a segment"))
}

/// Locks and unlocks, as every survivor must be able to.
pub(super) fn get_through<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    (**s).get_through(s.attach().map_err(|error| error.to_string())?)
}

/// A holder has died, whatever the victim did, and nobody has marked the data consistent.
fn be_told_and_get_through<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    match get_through(s)? {
        "ok" => Err("the death was not reported".into()),
        word => Ok(word),
    }
}

/// Sleeps while the victim holds the lock.
pub(super) fn get_through_when_it_is_held<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    s.ready();
    s.until_the_victim_is_ready();
    get_through(s)
}

/// The last role: everything is free and sound, whatever happened.
fn find_all_well<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    s.lock.try_lock().map(|hold| s.lock.unlock(hold)).map_err(|error| format!("in the end: {error}"))?;
    Ok("")
}

/// Holds the lock `until` then, and unlocks it.
fn hold<L: AnyLock>(s: &Stage<World<L>>, until: impl Fn(&Stage<World<L>>)) -> Told {
    let (holds, _) = s.take()?;
    s.ready();
    until(s);
    s.give_back(holds);
    Ok("")
}

pub(super) fn hold_until_the_kill<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    hold(s, Stage::until_the_kill)
}

/// The victim and the second role sleep for good.
fn both_sleep<L: AnyLock>(s: &Stage<World<L>>) {
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
}

/// Ends while it holds the lock, which is a death.
pub(super) fn die_with_it<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    s.ends_by_death();
    forget(s.take()?);
    Ok("")
}

fn hold_and_die_when_both_sleep<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    die_with_it(s)?;
    s.ready();
    both_sleep(s);
    Ok("")
}

/// Takes part before the victim begins, and comes back when the victim is dead.
fn come_back<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    s.comes_back_after_the_kill(s.attach())?;
    get_through(s)
}

/// Sleeps behind the victim in the queue.
fn get_through_later<L: AnyLock>(s: &Stage<World<L>>) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    s.until_the_victim_sleeps_for_good();
    get_through(s)
}

/// The victim locks, once the second role sleeps again. The victim's registration has woken it.
fn lock_behind_a_sleeper<L: AnyLock>(script: Script<World<L>>) -> Script<World<L>> {
    script.victim_beside_a_sleeper(|s| s.dies_in(|| s.lock.lock())).sleeps_briefly()
}

pub(super) const EITHER: &[&str] = &["newcomer ok", "newcomer owner died"];
const EITHER_RESIDENT: &[&str] = &["resident ok", "resident owner died"];

pub(super) fn newcomer<L: AnyLock>(script: Script<World<L>>) -> Box<dyn Operation> {
    Box::new(script.after("newcomer", get_through).last("the last", find_all_well))
}

fn told_newcomer<L: AnyLock>(script: Script<World<L>>) -> Box<dyn Operation> {
    let script = script.after("newcomer", be_told_and_get_through).last("the last", find_all_well);
    Box::new(script.sees(&["newcomer owner died"]))
}

/// A lock that is free. The victim locks it as often as a holder does.
fn free<L: AnyLock>(call: &str, lock: impl Fn(&Stage<World<L>>) + Copy + 'static) -> Box<dyn Operation> {
    let times = if L::DEPTH > 1 { " twice" } else { "" };
    let locks = move |s: &Stage<World<L>>| s.dies_in(|| (0..L::DEPTH).for_each(|_| lock(s)));
    newcomer(script(&format!("{call}{times}, free")).joined_victim(locks).sees(EITHER))
}

/// A lock that is held, and on which another sleeps.
fn beside_a_sleeper<L: AnyLock>(name: &str) -> Script<World<L>> {
    let script = script(name).before("holder", hold_until_the_kill).before("sleeper", get_through);
    script.sees(&["sleeper ok, newcomer ok"])
}

/// The lock of a holder that has died.
fn left_by_the_dead<L: AnyLock>(name: &str) -> Script<World<L>> {
    script(name).before("predecessor", die_with_it)
}

/// Leaks what a holder has, in a thread that ends. The victim takes the lock by force.
pub(super) fn lock_leaked<L: AnyLock>(force: impl Fn(&L) + 'static) -> Box<dyn Operation> {
    let leak = |s: &Stage<World<L>>| s.leaks_in_a_thread(|| forget(s.take().expect("free")));
    told_newcomer(
        script::<L>("lock_leaked, leaked by a thread that has ended")
            .before("leaker", leak)
            .joined_victim(move |s| s.dies_in(|| force(&s.lock))),
    )
}

/// The operations of every lock, with guards and without.
pub(super) fn of_each_form<L: AnyLock>() -> Vec<Box<dyn Operation>> {
    vec![
        free::<L>("lock", |s| forget(s.lock.lock())),
        free::<L>("try_lock", |s| forget(s.lock.try_lock())),
        free::<L>("try_lock_for", |s| forget(s.lock.try_lock_for(s.timeout()))),
        newcomer(
            script::<L>("unlock, while two sleep")
                .before("first", get_through_when_it_is_held)
                .before("second", get_through_when_it_is_held)
                .victim(|s| {
                    let hold = s.lock.lock().expect("free");
                    s.update();
                    s.victim_is_ready();
                    s.until_they_sleep(&[0, 1]);
                    s.dies_in(|| s.lock.unlock(hold));
                })
                .sees(&["first ok", "first owner died", "second ok"]),
        ),
        newcomer(
            left_by_the_dead::<L>("lock, taken over, mark_consistent, unlock")
                .before("resident", come_back)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        let Err(LockError::OwnerDied(left)) = s.lock.lock() else { panic!("it died") };
                        let mut hold = left.into_inner();
                        s.lock.mark_consistent(&mut hold);
                        s.lock.unlock(hold);
                    });
                })
                .sees(EITHER_RESIDENT),
        ),
    ]
}

/// All operations that each lock has.
pub(super) fn operations<L: AnyLock>() -> Vec<Box<dyn Operation>> {
    let mut operations = of_each_form::<L>();
    operations.extend([
        newcomer(
            script::<L>("lock, free, beside a resident")
                .before("resident", come_back)
                .joined_victim(|s| s.dies_in(|| s.lock.lock()))
                .sees(EITHER_RESIDENT),
        ),
        newcomer(script::<L>("lock, free, with the first use").victim(|s| s.dies_in(|| s.lock.lock())).sees(EITHER)),
        newcomer(
            script::<L>("try_lock, held")
                .before("holder", hold_until_the_kill)
                .joined_victim(|s| s.dies_in(|| s.lock.try_lock())),
        ),
        newcomer(
            beside_a_sleeper::<L>("try_lock, held, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.lock.try_lock())),
        ),
        newcomer(
            script::<L>("unlock")
                .before("resident", come_back)
                .victim(|s| {
                    let hold = s.lock.lock().expect("free");
                    s.update();
                    s.dies_in(|| s.lock.unlock(hold));
                })
                .sees(EITHER_RESIDENT),
        ),
        newcomer(
            script::<L>("lock, update, unlock, and two compete for what is left")
                .meanwhile("rival", get_through)
                .meanwhile("rival", get_through)
                .joined_victim(|s| {
                    s.dies_in(|| {
                        let hold = s.lock.lock().expect("free");
                        s.update();
                        s.lock.unlock(hold);
                    });
                })
                .sees(&["rival ok", "rival owner died"]),
        ),
        told_newcomer(
            left_by_the_dead::<L>("lock, taken over from one that is dead")
                .joined_victim(|s| s.dies_in(|| s.lock.lock())),
        ),
        told_newcomer(
            left_by_the_dead::<L>("try_lock, taken over from one that is dead")
                .joined_victim(|s| s.dies_in(|| s.lock.try_lock())),
        ),
        told_newcomer(left_by_the_dead::<L>("lock, taken over and left inconsistent, unlock").joined_victim(|s| {
            s.dies_in(|| {
                let Err(LockError::OwnerDied(left)) = s.lock.lock() else { panic!("it died") };
                s.lock.unlock(left.into_inner());
            });
        })),
        newcomer(
            lock_behind_a_sleeper(
                script::<L>("lock, handed over in its first phase, while one sleeps")
                    .before("holder", |s| hold(s, Stage::until_the_victim_sleeps))
                    .before("sleeper", get_through),
            )
            .sees(&["sleeper ok", "newcomer ok"]),
        ),
        newcomer(
            script::<L>("lock, handed over, the first of two sleepers")
                .before("holder", |s| hold(s, both_sleep))
                .before("sleeper", get_through_later)
                .joined_victim(|s| s.dies_in(|| s.lock.lock()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok", "owner died"]),
        ),
        newcomer(
            lock_behind_a_sleeper(
                script::<L>("lock, handed over, the last of two sleepers")
                    .before("holder", |s| hold(s, both_sleep))
                    .before("sleeper", get_through),
            )
            .sleeps(1)
            .sees(&["sleeper ok"]),
        ),
        newcomer(
            script::<L>("lock, its holder dies, the first of two sleepers")
                .before("holder", hold_and_die_when_both_sleep)
                .before("sleeper", get_through_later)
                .joined_victim(|s| s.dies_in(|| s.lock.lock()))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper owner died"]),
        ),
        newcomer(
            lock_behind_a_sleeper(
                script::<L>("lock, its holder dies, the last of two sleepers")
                    .before("holder", hold_and_die_when_both_sleep)
                    .before("sleeper", get_through),
            )
            .sleeps(1)
            .sees(&["sleeper owner died"]),
        ),
        newcomer(
            beside_a_sleeper::<L>("try_lock_for, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.lock.try_lock_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        newcomer(
            script::<L>("try_lock_for, times out, alone")
                .before("holder", hold_until_the_kill)
                .joined_victim(|s| s.dies_in(|| s.lock.try_lock_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer ok"]),
        ),
    ]);
    operations
}
