//! What sleepers cost while nothing happens: the processor time that they use in a second, all of
//! them together.
//!
//! The sleepers of all contestants sleep at the same time: the time of each process is counted by
//! itself.

use super::Effort;
use super::crowd::Crowd;
use super::figures::{Case, Kind, Row, Unit};
use crate::deaths::ledger::Ledger;
use crate::deaths::order::Order;
use crate::deaths::peers::{self, Maker};
use crate::objects::made;
use outlive::waitv::set_waitv;
use outlive::{ArrayQueue, Condvar, Event, Mutex, RwLock, Segment, Semaphore, Shareable};
use outlive_benches::peers::{Cond, Pthread, Robustness, Sem};
use outlive_benches::process;
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

const CURVE: &str = "processor time of all sleepers in a second";
const MANY: usize = 1_000;
/// Why somebody takes no part among [`MANY`].
const LIKE_OTHERS: &str = "not with so many: it sleeps as the others of its family do";

/// outlive's, in a segment.
#[derive(Shareable)]
#[repr(C)]
struct Ours {
    mutex: Mutex<u64>,
    read_write: RwLock<u64>,
    semaphore: Semaphore,
    of_condvar: Mutex<u64>,
    condvar: Condvar,
    event: Event,
    queue: ArrayQueue<u64, 8>,
}

#[derive(Debug, Shareable)]
#[repr(C, align(64))]
struct Theirs {
    mutex: Pthread,
    sem: Sem,
    of_condition: Pthread,
    condition: Cond,
}

/// Something in which a process sleeps until it is killed.
struct Sleep<'s> {
    name: &'static str,
    kind: Kind,
    /// Whether [`MANY`] do it, too.
    by_many: bool,
    sleep: Box<dyn Fn() + 's>,
}

/// How long is observed, and how often.
#[derive(Debug, Clone, Copy)]
struct Observation {
    settle: Duration,
    window: Duration,
    rounds: usize,
}

/// Measures.
///
/// # Errors
/// A segment or a peer cannot be made. A process does not fall asleep.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let observation = |settle, window, rounds| Observation {
        settle: Duration::from_millis(settle),
        window: Duration::from_millis(window),
        rounds,
    };
    let (counts, observation): (&[usize], _) = match effort {
        Effort::Whole => (&[1, 10, 100, MANY], observation(600, 1_500, 3)),
        Effort::Quick => (&[1, 100], observation(200, 600, 2)),
        Effort::Try => (&[1], observation(10, 40, 1)),
    };
    let mut cases = vec![];
    for &count in counts {
        let mut case = Case::on_curve("idle", CURVE, Unit::Nanoseconds, count, "sleepers");
        of_case(&mut case, count, observation, &mut |part| tell(part / counts.len() as f64))?;
        cases.push(case);
    }
    Ok(cases)
}

fn of_case(
    case: &mut Case,
    count: usize,
    observation: Observation,
    tell: &mut dyn FnMut(f64),
) -> Result<(), Box<dyn Error>> {
    // Each contestant has a segment of its own: its sleepers watch each other, and nobody else.
    let segment = |_| Segment::<Ours>::options().participants(count + 8).anonymous(|_free, _| {});
    let ours = (0..7).map(segment).collect::<Result<Vec<_>, _>>()?;
    let theirs = made::<Theirs>(|new| {
        new.mutex.set_up(Robustness::Robust)?;
        new.sem.set_up(0)?;
        new.of_condition.set_up(Robustness::Stalled)?;
        new.condition.set_up()
    })?;
    let (pipe, _writer) = process::pipe()?;
    // This thread has all locks as long as others sleep on them.
    let held = (
        ours[0].mutex.lock().map_err(|error| error.to_string())?,
        ours[1].mutex.lock().map_err(|error| error.to_string())?,
    );
    let written = ours[2].read_write.write().map_err(|error| error.to_string())?;
    assert_eq!(theirs.mutex.lock(), 0);
    let mut sleeps = sleeps(&ours, &theirs, &pipe);
    let folder = tempfile::tempdir()?;
    let ledger = Ledger::create(&folder.path().join("ledger"))?;
    for (name, before, order) in [
        ("Boost interprocess_mutex", Some(Order::Take), Order::Take),
        ("Boost interprocess_condition", None, Order::Wait),
    ] {
        match of_kill_test(name, before, order, ledger) {
            Ok(sleep) => sleeps.push(Sleep { name, kind: Kind::Peer, by_many: false, sleep }),
            Err(why) => case.missing.push((name.to_owned(), why)),
        }
    }
    if count >= MANY {
        let others = sleeps.iter().filter(|sleep| !sleep.by_many);
        case.missing.extend(others.map(|sleep| (sleep.name.to_owned(), LIKE_OTHERS.to_owned())));
        sleeps.retain(|sleep| sleep.by_many);
    }
    observe(case, &sleeps, count, observation, tell)?;
    drop((held, written));
    // SAFETY: this thread has it, and no reference to its data. It is in a list of this thread's,
    // so it must not be unmapped locked.
    assert_eq!(unsafe { theirs.mutex.unlock() }, 0);
    Ok(())
}

fn sleeps<'s>(ours: &'s [Segment<Ours>], theirs: &'s Theirs, pipe: &'s File) -> Vec<Sleep<'s>> {
    let sleep = |name, kind, by_many, sleep: Box<dyn Fn() + 's>| Sleep { name, kind, by_many, sleep };
    vec![
        sleep(
            "read of a pipe",
            Kind::Floor,
            true,
            Box::new(move || {
                let mut pipe = pipe;
                pipe.read_exact(&mut [0]).expect("somebody may write");
            }),
        ),
        sleep("outlive Mutex", Kind::Ours, true, Box::new(|| drop(ours[0].mutex.lock()))),
        sleep(
            "outlive Mutex, without futex_waitv",
            Kind::Ours,
            true,
            Box::new(|| {
                set_waitv(false);
                drop(ours[1].mutex.lock());
            }),
        ),
        sleep("outlive RwLock", Kind::Ours, false, Box::new(|| drop(ours[2].read_write.read()))),
        sleep(
            "outlive Semaphore",
            Kind::Ours,
            false,
            Box::new(|| {
                ours[3].semaphore.acquire().expect("in a segment");
            }),
        ),
        sleep(
            "outlive Condvar",
            Kind::Ours,
            true,
            Box::new(|| {
                let guard = ours[4].of_condvar.lock().expect("nobody dies");
                drop(ours[4].condvar.wait_while(guard, |number| *number == 0));
            }),
        ),
        sleep(
            "outlive Event",
            Kind::Ours,
            false,
            Box::new(|| {
                ours[5].event.wait().expect("in a segment");
            }),
        ),
        sleep(
            "outlive Queue",
            Kind::Ours,
            false,
            Box::new(|| {
                ours[6].queue.recv().expect("open");
            }),
        ),
        sleep("pthread mutex, robust", Kind::Peer, true, Box::new(|| assert_eq!(theirs.mutex.lock(), 0))),
        sleep("sem_t", Kind::Peer, false, Box::new(|| assert_eq!(theirs.sem.wait(), 0))),
        sleep(
            "pthread condition",
            Kind::Peer,
            false,
            Box::new(|| {
                assert_eq!(theirs.of_condition.lock(), 0);
                loop {
                    // SAFETY: this thread holds the mutex, and has no reference to its data.
                    assert_eq!(unsafe { theirs.condition.wait(&theirs.of_condition) }, 0);
                }
            }),
        ),
    ]
}

/// An object of the kill test. This process does `before` with it, and each sleeper does `order`.
fn of_kill_test(id: &str, before: Option<Order>, order: Order, ledger: Ledger) -> Result<Box<dyn Fn()>, String> {
    let peer = peers::all().into_iter().find(|peer| peer.id() == id).ok_or("no such peer")?;
    let object = match peer.maker {
        Maker::Here(make) => make().map_err(|error| error.to_string())?,
        Maker::Missing(why) => return Err(why),
        Maker::Python => return Err("its processes are Python's own".to_owned()),
    };
    if let Some(before) = before {
        object.obey(before, ledger)?;
    }
    Ok(Box::new(move || {
        object.obey(order, ledger).expect("it waits");
    }))
}

/// Lets so many processes do each of these, and adds the rows.
fn observe(
    case: &mut Case,
    sleeps: &[Sleep<'_>],
    count: usize,
    observation: Observation,
    tell: &mut dyn FnMut(f64),
) -> Result<(), Box<dyn Error>> {
    let Observation { settle, window, rounds } = observation;
    let mut crowds = vec![];
    for sleep in sleeps {
        let crowd = Crowd::of(count, &|_, _| (sleep.sleep)())?;
        crowd.fall_asleep(0)?;
        crowds.push(crowd);
    }
    std::thread::sleep(settle);
    let mut used = vec![vec![]; sleeps.len()];
    for _ in 0..rounds {
        let begin = |crowd: &Crowd| Ok::<_, std::io::Error>((Instant::now(), process::time_used(crowd.members())?));
        let begun = crowds.iter().map(begin).collect::<Result<Vec<_>, _>>()?;
        std::thread::sleep(window);
        for ((crowd, (since, before)), used) in crowds.iter().zip(begun).zip(&mut used) {
            let time = process::time_used(crowd.members())? - before;
            used.push(time.as_nanos() as f64 / since.elapsed().as_secs_f64());
        }
        tell(1.0 / rounds as f64);
    }
    for (sleep, rounds) in sleeps.iter().zip(used) {
        case.rows.push(Row { name: sleep.name.to_owned(), kind: sleep.kind, rounds });
    }
    Ok(())
}
