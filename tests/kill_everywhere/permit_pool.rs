//! PermitPool.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Permit, PermitPool, Segment};

type World = Segment<PermitPool<2>>;

fn script(name: &str, permits: usize) -> Script<World> {
    operation("PermitPool", name, move |_| World::anonymous(|pool| pool.set_capacity(permits)).expect("a segment"))
}

fn judge(s: &Stage<World>, permit: &Permit<'_, 2>) -> Told {
    std::thread::yield_now();
    let me = s.attach().expect("takes part");
    if !s.holders().any(|holder| holder == (permit.index(), me)) {
        return Err("two had it at once".into());
    }
    Ok(if permit.previous_holder_died().is_some() { "holder died" } else { "ok" })
}

/// Acquires and gives back, as every survivor must be able to.
fn get_through(s: &Stage<World>) -> Told {
    judge(s, &s.permit().map_err(|error| error.to_string())?)
}

/// Holds a permit until the victim is dead.
fn hold(s: &Stage<World>) -> Told {
    let permit = s.permit().map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_kill();
    drop(permit);
    Ok("")
}

fn get_through_later(s: &Stage<World>) -> Told {
    s.attach().expect("room"); // before the victim sleeps: a newcomer would wake it
    s.ready();
    s.until_the_victim_sleeps_for_good();
    get_through(s)
}

fn get_through_when_it_is_held(s: &Stage<World>) -> Told {
    s.ready();
    s.until_the_victim_is_ready();
    get_through(s)
}

/// The last role: all permits are available, and none twice.
fn find_all_well(s: &Stage<World>) -> Told {
    let permits: Vec<_> = (0..s.capacity()).map(|_| s.try_permit()).collect::<Result<_, _>>().map_err(|error| {
        format!("in the end: {error}") //
    })?;
    permits.iter().try_for_each(|permit| judge(s, permit).map(drop))?;
    if s.try_permit().is_ok() { Err("one permit too many".into()) } else { Ok("") }
}

/// Holds both permits until the victim and the second role sleep for good.
fn hold_until_both_sleep(s: &Stage<World>) -> Told {
    let both = (s.permit().map_err(|error| error.to_string())?, s.permit().map_err(|error| error.to_string())?);
    s.ready();
    s.until_they_sleep(&[1]);
    s.until_the_victim_sleeps_for_good();
    drop(both);
    Ok("")
}

/// Acquires, and leaves it to the victim to give the permit back. Does that itself if the victim
/// did not.
fn hold_for_the_victim(s: &Stage<World>) -> Told {
    let (index, me) = s.permit().map_err(|error| error.to_string())?.into_parts();
    s.ready();
    s.until_the_kill();
    match s.give_back(index, me) {
        Ok(()) => Ok("still holds"),
        Err(_not_held) => Ok("was released"),
    }
}

fn die_with_it(s: &Stage<World>) -> Told {
    s.ends_by_death();
    core::mem::forget(s.permit());
    Ok("")
}

fn permit(s: &Stage<World>) {
    s.attach().expect("room");
    s.dies_in(|| s.permit());
}

fn try_permit(s: &Stage<World>) {
    s.attach().expect("room");
    s.dies_in(|| s.try_permit());
}

/// The victim has a permit, and two sleepers wait for it.
fn slept_on(s: &Stage<World>) -> Permit<'_, 2> {
    let permit = s.permit().expect("free");
    s.victim_is_ready();
    s.until_they_sleep(&[0, 1]);
    permit
}

fn give_back(s: &Stage<World>) {
    let (index, holder) = s.holders().next().expect("one holds");
    s.dies_in(|| s.give_back(index, holder));
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", get_through).last("the last", find_all_well))
    };
    let two_sleep = |name: &str| {
        script(name, 1)
            .before("first", get_through_when_it_is_held)
            .before("second", get_through_when_it_is_held)
            .sees(&["first ok", "first holder died", "second ok"])
    };
    let beside_a_sleeper = |name: &str| {
        script(name, 1).before("holder", hold).before("sleeper", get_through).sees(&["sleeper ok, newcomer ok"])
    };
    let given_back = |name: &str| {
        script(name, 1)
            .before("holder", hold_for_the_victim)
            .before("sleeper", get_through)
            .sees(&["holder still holds, sleeper ok", "holder was released, sleeper ok"])
    };
    vec![
        newcomer(script("permit, free", 1).victim(permit).sees(&["newcomer ok", "newcomer holder died"])),
        newcomer(
            script("permit, taken over from one that is dead", 1)
                .before("predecessor", die_with_it)
                .victim(permit)
                .sees(&["newcomer holder died"]),
        ),
        newcomer(
            script("permit, the first of two sleepers, and two are given back", 2)
                .before("holder", hold_until_both_sleep)
                .before("sleeper", get_through_later)
                .victim(permit)
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["sleeper ok"]),
        ),
        newcomer(two_sleep("a permit dropped, while two sleep").victim(|s| {
            let permit = slept_on(s);
            s.dies_in(|| drop(permit));
        })),
        newcomer(two_sleep("release, while two sleep").victim(|s| {
            let permit = slept_on(s);
            s.dies_in(|| permit.release());
        })),
        newcomer(script("try_permit, free", 1).victim(try_permit).sees(&["newcomer ok", "newcomer holder died"])),
        newcomer(
            script("try_permit, taken over from one that is dead", 1)
                .before("predecessor", die_with_it)
                .victim(try_permit)
                .sees(&["newcomer holder died"]),
        ),
        newcomer(
            beside_a_sleeper("try_permit, held, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_permit())),
        ),
        newcomer(
            script("try_permit_for, times out, alone", 1)
                .before("holder", hold)
                .joined_victim(|s| s.dies_in(|| s.try_permit_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1)
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            beside_a_sleeper("try_permit_for, times out, while another sleeps")
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.try_permit_for(s.timeout())))
                .sleeps_briefly()
                .sleeps(1),
        ),
        newcomer(given_back("give_back of another's, while one sleeps").victim_beside_a_sleeper(|s| {
            give_back(s);
        })),
        newcomer(given_back("give_back, by one that has not taken part yet, while one sleeps").victim(|s| {
            s.until_they_sleep(&[1]);
            give_back(s);
        })),
    ]
}
