//! A readers-writer lock that several processes want all the time, most of them to read: one of a
//! hundred turns is a write.

use super::contended::{outcome, stay_in_turn};
use super::figures::{Case, Unit};
use super::peers::{self, MakeReadWrite, Object, Peer, Source};
use super::rounds::{Contestant, play};
use super::{Effort, Failure};
use outlive::Segment;
use outlive_benches::contest::{Control, compete, compete_as_threads};
use std::time::Duration;

const ROUNDS: usize = 12;
const PROCESSES: [usize; 4] = [1, 2, 4, 8];

fn turns_a_second(peer: Peer<MakeReadWrite>, processes: usize, round: Duration) -> Result<f64, Failure> {
    let Source::Here(make) = peer.source else { return Err("CPython has no such lock".into()) };
    let control = Segment::<Control>::anonymous(|_zero| {})?;
    let elapsed = match make()? {
        Object::Processes(lock) => compete(&control, processes, round, |me| {
            stay_in_turn(me);
            lock.compete(&control, me);
        }),
        Object::Threads(lock) => compete_as_threads(&control, processes, round, |me| {
            stay_in_turn(me);
            lock.compete(&control, me);
        }),
    }?;
    Ok(outcome(&control, processes, elapsed)?.0)
}

/// Measures.
///
/// # Errors
/// None: what cannot be measured is missing in its case.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
    let (all, round): (&[usize], _) = match effort {
        Effort::Whole => (&PROCESSES, Duration::from_millis(30)),
        Effort::Quick => (&[2, 8], Duration::from_millis(30)),
        Effort::Try => (&[2], Duration::from_millis(10)),
    };
    let mut cases = vec![];
    for &processes in all {
        let curve = "1 % of the turns write: turns a second";
        let mut case = Case::on_curve("readers", curve, Unit::PerSecond, processes, "processes");
        let contestants = peers::read_write_locks()
            .into_iter()
            .map(|peer| Contestant::new(peer.name, peer.kind, move || turns_a_second(peer, processes, round)));
        play(&mut case, contestants.collect(), effort.of(ROUNDS), &mut |part| tell(part / all.len() as f64));
        cases.push(case);
    }
    Ok(cases)
}
