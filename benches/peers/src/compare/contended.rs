//! One lock that several processes want all the time: how many turns a second, how small is the
//! smallest share, and how long are the waits?

use super::figures::{Case, Row, Unit};
use super::peers::{self, MakeLock, Object, Peer, Source};
use super::player::Player;
use super::rounds::{Contestant, play};
use super::waits::Waits;
use super::{Effort, Failure};
use outlive::Segment;
use outlive_benches::contest::{Control, compete, compete_as_threads, steps_in};
use outlive_benches::process::stay_on_processor;
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

const PROCESSES: [usize; 5] = [1, 2, 4, 8, 32];
const HELD: [Duration; 4] =
    [Duration::ZERO, Duration::from_nanos(100), Duration::from_micros(1), Duration::from_micros(10)];
const ROUNDS: usize = 4;
const ROUNDS_WITH_CLOCK: usize = 2;

/// One contest.
#[derive(Debug, Clone, Copy)]
struct Contest {
    processes: usize,
    round: Duration,
    held: Duration,
    steps: u64,
}

/// A lock that takes part.
struct Entrant {
    peer: Peer<MakeLock>,
    /// CPython, if it is of that: without the clock, and by it.
    players: [RefCell<Option<Player>>; 2],
    /// The smallest share in each round.
    shares: RefCell<Vec<f64>>,
}

/// How many turns a second all participants took together, and the turns of the one that took the
/// fewest, relative to an equal share.
pub(super) fn outcome(control: &Control, participants: usize, elapsed: Duration) -> Result<(f64, f64), Failure> {
    let counts = control.counts[..participants].iter().map(|count| count.load(Ordering::Acquire) as f64);
    let (turns, least) = (counts.clone().sum::<f64>(), counts.fold(f64::INFINITY, f64::min));
    if turns == 0.0 {
        return Err(format!("nobody had a turn within {elapsed:?}").into());
    }
    Ok((turns / elapsed.as_secs_f64(), least / (turns / participants as f64)))
}

/// Participants are spread over all processors.
pub(super) fn stay_in_turn(me: usize) {
    // SAFETY: only returns a number.
    let processors = usize::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1);
    stay_on_processor(me % processors);
}

impl Contest {
    /// Turns a second, and the smallest share.
    fn turns(self, entrant: &Entrant) -> Result<(f64, f64), Failure> {
        match entrant.peer.source {
            Source::Python(class) => {
                let figures = self.of_python(entrant, class, false)?;
                Ok((figures[0], figures[1]))
            }
            Source::Here(make) => {
                let control = Segment::<Control>::anonymous(|_zero| {})?;
                let elapsed = self.compete(&control, make, |lock, me| lock.compete(&control, me, self.steps))?;
                outcome(&control, self.processes, elapsed)
            }
        }
    }

    /// The waits, which are noted there; those of CPython as figures.
    fn waits(self, entrant: &Entrant, waits: &Waits) -> Result<Option<Vec<f64>>, Failure> {
        match entrant.peer.source {
            Source::Python(class) => self.of_python(entrant, class, true).map(Some),
            Source::Here(make) => {
                let control = Segment::<Control>::anonymous(|_zero| {})?;
                self.compete(&control, make, |lock, _| lock.compete_by_the_clock(&control, self.steps, waits))?;
                Ok(None)
            }
        }
    }

    fn compete(
        self,
        control: &Control,
        make: MakeLock,
        work: impl Fn(&dyn peers::LockLoops, usize) + Sync,
    ) -> Result<Duration, Failure> {
        match make()? {
            Object::Processes(lock) => compete(control, self.processes, self.round, |me| {
                stay_in_turn(me);
                work(&*lock, me);
            }),
            Object::Threads(lock) => compete_as_threads(control, self.processes, self.round, |me| {
                stay_in_turn(me);
                work(&*lock, me);
            }),
        }
    }

    fn of_python(self, entrant: &Entrant, class: &str, by_the_clock: bool) -> Result<Vec<f64>, Failure> {
        if self.held > Duration::ZERO {
            return Err("CPython cannot hold a lock for so short a time".into());
        }
        let mut player = entrant.players[usize::from(by_the_clock)].borrow_mut();
        let player = match &mut *player {
            Some(player) => player,
            none => {
                let verb = if by_the_clock { "contend-by-the-clock" } else { "contend" };
                none.insert(peers::python::player(format!("{verb} {class} {}", self.processes))?)
            }
        };
        player.round(self.round.as_millis() as u64)
    }
}

/// At least two, if the figures are to mean anything.
fn rounds_of(effort: Effort, whole: usize) -> usize {
    effort.of(whole).max(if effort == Effort::Try { 1 } else { 2 })
}

/// Measures.
///
/// # Errors
/// A segment cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
    let (processes, held): (&[usize], &[Duration]) = match effort {
        Effort::Whole => (&PROCESSES, &HELD),
        Effort::Quick => (&[2, 8], &[Duration::ZERO, Duration::from_micros(1)]),
        Effort::Try => (&[2], &[Duration::ZERO]),
    };
    let parts = (processes.len() * held.len()) as f64;
    let mut cases = vec![];
    for &held in held {
        let steps = steps_in(held);
        for &processes in processes {
            // Long enough for each to have a processor several times.
            let round = match effort {
                Effort::Try => Duration::from_millis(10),
                _ => Duration::from_millis(20.max(3 * processes as u64)),
            };
            let contest = Contest { processes, round, held, steps };
            cases.extend(contest.cases(effort, &mut |part| tell(part / parts))?);
        }
    }
    Ok(cases)
}

impl Contest {
    fn cases(self, effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Failure> {
        let Self { processes, held, .. } = self;
        let case = |what: &str, unit| {
            Case::on_curve("contended", format!("lock held {held:?}: {what}"), unit, processes, "processes")
        };
        let new = |peer| Entrant { peer, players: Default::default(), shares: RefCell::default() };
        let entrants: Vec<Entrant> = peers::locks().into_iter().map(new).collect();
        let mut turns = case("turns a second", Unit::PerSecond);
        let contestants = entrants.iter().map(|entrant| {
            Contestant::new(entrant.peer.name, entrant.peer.kind, move || {
                let (per_second, least) = self.turns(entrant)?;
                entrant.shares.borrow_mut().push(least);
                Ok(per_second)
            })
        });
        play(&mut turns, contestants.collect(), rounds_of(effort, ROUNDS), &mut |part| tell(part * 0.7));
        if processes == 1 {
            tell(0.3);
            return Ok(vec![turns]);
        }
        let mut shares = case("the smallest share", Unit::Share);
        shares.missing.clone_from(&turns.missing);
        let is_there = |entrant: &&Entrant| turns.rows.iter().any(|row| row.name == entrant.peer.name);
        let there: Vec<&Entrant> = entrants.iter().filter(is_there).collect();
        for entrant in &there {
            // The first round is not counted.
            let rounds = entrant.shares.borrow_mut().split_off(1);
            shares.rows.push(Row { name: entrant.peer.name.to_owned(), kind: entrant.peer.kind, rounds });
        }
        let mut cases = vec![turns, shares];
        cases.extend(self.cases_of_waits(&there, &cases[0].missing, &case, effort)?);
        tell(0.3);
        Ok(cases)
    }

    /// The waits for a turn. They have rounds of their own: a process that reads the clock between
    /// two turns leaves the lock to others meanwhile.
    fn cases_of_waits(
        self,
        entrants: &[&Entrant],
        missing: &[(String, String)],
        case: &dyn Fn(&str, Unit) -> Case,
        effort: Effort,
    ) -> Result<Vec<Case>, Failure> {
        const PARTS: [(&str, f64); 4] = [("50 %", 0.5), ("99 %", 0.99), ("99.9 %", 0.999), ("all", 1.0)];
        let mut cases = PARTS.map(|(name, _)| {
            let what = format!("{name} of the waits took at most");
            Case { missing: missing.to_vec(), ..case(&what, Unit::Nanoseconds) }
        });
        let waits: Vec<_> =
            entrants.iter().map(|_| Segment::<Waits>::anonymous(|_zero| {})).collect::<Result<_, _>>()?;
        let mut said: Vec<Result<Vec<Vec<f64>>, String>> = entrants.iter().map(|_| Ok(vec![])).collect();
        for round in 0..rounds_of(effort, ROUNDS_WITH_CLOCK) {
            for turn in 0..entrants.len() {
                let which = (round + turn) % entrants.len();
                let Ok(said_before) = &mut said[which] else { continue };
                match self.waits(entrants[which], &waits[which]) {
                    Ok(figures) => said_before.extend(figures),
                    Err(error) => said[which] = Err(error.to_string()),
                }
            }
        }
        for ((entrant, waits), said) in entrants.iter().zip(&waits).zip(said) {
            for (index, (case, (_, part))) in cases.iter_mut().zip(PARTS).enumerate() {
                let name = entrant.peer.name.to_owned();
                let rounds = match &said {
                    Ok(said) if !said.is_empty() => Ok(said.iter().map(|figures| figures[index]).collect()),
                    Ok(_) if waits.longest() == 0.0 => Err("nobody had a turn"),
                    Ok(_) if part < 1.0 => Ok(vec![waits.quantile(part)]),
                    Ok(_) => Ok(vec![waits.longest()]),
                    Err(why) => Err(&**why),
                };
                match rounds {
                    Ok(rounds) => case.rows.push(Row { name, kind: entrant.peer.kind, rounds }),
                    Err(why) => case.missing.push((name, why.to_owned())),
                }
            }
        }
        Ok(cases.into())
    }
}
