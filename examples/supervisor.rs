//! A parent that waits for whatever comes first: a message of a worker, or the death of a worker.
//! Each worker says that it has begun, counts prime numbers, and says how many there are. One of
//! them dies in between. The parent learns of that at once, without polling, and starts another
//! worker with the same job.
//!
//! A worker that has sent something takes part in the segment, so its death can be waited for. The
//! parent finds it among the participants by its process id.
//!
//! `cargo run --release --example supervisor`

use outlive::{ArrayQueue, ParticipantId, Segment, Shareable, wait_any};
use std::process::{Child, Command};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const JOBS: u64 = 4;

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Message {
    process: u32,
    is_answer: u32,
    primes: u64,
}

type Messages = ArrayQueue<Message, 4>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next().map(|below| below.parse())) {
        (None, _) => run(),
        (Some("worker"), Some(below)) => work(below?, false),
        (Some("victim"), Some(below)) => work(below?, true),
        (Some(other), _) => Err(format!("unknown argument {other:?}; run it without any").into()),
    }
}

fn work(below: u64, dies: bool) -> Result<()> {
    let messages = Segment::<Messages>::inherit("messages")?;
    let process = std::process::id();
    messages.send(Message { process, is_answer: 0, primes: 0 })?;
    if dies {
        std::process::abort();
    }
    let is_prime = |n: &u64| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0);
    let primes = (2..below).filter(is_prime).count() as u64;
    Ok(messages.send(Message { process, is_answer: 1, primes })?)
}

/// A process with a job.
struct Worker {
    child: Child,
    below: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// It has not sent anything yet.
    New,
    Known(ParticipantId),
    Dead,
}

/// Dropping it ends the process, also after an error.
impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

fn start(messages: &Segment<Messages>, role: &str, below: u64) -> Result<Worker> {
    let mut command = Command::new(std::env::current_exe()?);
    messages.pass_to(command.arg(role).arg(below.to_string()), "messages")?;
    Ok(Worker { child: command.spawn()?, below, state: State::New })
}

fn run() -> Result<()> {
    let messages = Segment::<Messages>::anonymous(|_empty| {})?;
    let role = |job| if job == 1 { "victim" } else { "worker" };
    let mut workers = (1..=JOBS).map(|job| start(&messages, role(job), job * 1_000)).collect::<Result<Vec<_>>>()?;
    while !workers.is_empty() {
        let known = workers.iter().enumerate().filter_map(|(at, worker)| match worker.state {
            State::Known(id) => Some((at, messages.when_dead(id))),
            State::New | State::Dead => None,
        });
        let (of, mut sources): (Vec<_>, Vec<_>) = known.unzip();
        sources.push(messages.readable());
        let first = wait_any(&sources)?;
        if let Some(at) = of.get(first) {
            workers[*at].state = State::Dead;
        }
        // What the dead have sent before is still there.
        while let Ok(message) = messages.try_recv() {
            hear(&messages, &mut workers, message);
        }
        for worker in workers.iter_mut().filter(|worker| worker.state == State::Dead) {
            println!("the worker with the primes below {} died; another one does its job", worker.below);
            *worker = start(&messages, "worker", worker.below)?;
        }
    }
    Ok(())
}

fn hear(messages: &Segment<Messages>, workers: &mut Vec<Worker>, message: Message) {
    let Some(at) = workers.iter().position(|worker| worker.child.id() == message.process) else {
        return;
    };
    if message.is_answer != 0 {
        println!("{} primes below {}", message.primes, workers[at].below);
        workers.remove(at);
    } else {
        let participant = messages.participants().into_iter().find(|one| one.process_id == message.process);
        workers[at].state = participant.map_or(State::Dead, |one| State::Known(one.id));
    }
}
