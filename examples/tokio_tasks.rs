//! Thousands of tasks of tokio that wait for other processes. A server has many requests at once,
//! and each is a task that sends a job to a worker process, and awaits answers. The workers are
//! ordinary programs that block. One of them is killed while it has a job. The tasks whose answer
//! does not come in time send their job again: a future that is dropped at its timeout has taken
//! nothing.
//!
//! All tasks wait by one thread of the crate, and none of tokio's threads blocks.
//!
//! `cargo run --release --example tokio_tasks`

use outlive::{ArrayQueue, Segment, Shareable};
use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const WORKERS: u64 = 3;
const TASKS: u64 = 5_000;
/// The job with which a worker dies, the first time.
const DEADLY: u64 = 1_234;

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Job {
    number: u64,
    attempt: u64,
}

#[derive(Clone, Copy, Shareable)]
#[repr(C)]
struct Answer {
    number: u64,
    square: u64,
}

#[derive(Shareable)]
#[repr(C)]
struct Shared {
    jobs: ArrayQueue<Job, 64>,
    answers: ArrayQueue<Answer, 64>,
}

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?.block_on(serve()),
        Some("worker") => work(&Segment::inherit("jobs")?),
        Some(other) => Err(format!("unknown argument {other:?}; run it without any").into()),
    }
}

/// An ordinary program, which blocks.
fn work(shared: &Segment<Shared>) -> Result<()> {
    for Job { number, attempt } in &*shared.jobs {
        if (number, attempt) == (DEADLY, 0) {
            std::process::abort();
        }
        shared.answers.send(Answer { number, square: number * number })?;
    }
    Ok(())
}

/// The tasks that wait for an answer, by the numbers of their jobs.
type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<u64>>>>;

async fn serve() -> Result<()> {
    let shared = Arc::new(Segment::<Shared>::anonymous(|_empty| {})?);
    let workers = (0..WORKERS).map(|_| start(&shared)).collect::<Result<Vec<_>>>()?;
    let waiting = Waiting::default();
    let postman = tokio::spawn(distribute(Arc::clone(&shared), Arc::clone(&waiting)));
    let tasks: Vec<_> =
        (0..TASKS).map(|number| tokio::spawn(request(Arc::clone(&shared), Arc::clone(&waiting), number))).collect();
    let (mut sum, mut again) = (0, vec![]);
    for (number, task) in tasks.into_iter().enumerate() {
        let (square, attempts) = task.await??;
        sum += square;
        if attempts > 1 {
            again.push(number);
        }
    }
    println!("{TASKS} tasks: the sum of the squares is {sum}; sent again: {again:?}");
    shared.jobs.close()?; // the workers end
    shared.answers.close()?; // so does the postman
    postman.await??;
    let ends = workers.into_iter().map(|mut worker| worker.0.wait()).collect::<std::io::Result<Vec<_>>>()?;
    println!("{} of {WORKERS} workers ended well", ends.iter().filter(|end| end.success()).count());
    Ok(())
}

/// One request: a job, and its answer. Returns how often the job was sent, too.
async fn request(shared: Arc<Segment<Shared>>, waiting: Waiting, number: u64) -> Result<(u64, u64)> {
    for attempt in 0.. {
        let (answer, receiver) = oneshot::channel();
        waiting.lock().expect("no panic inside").insert(number, answer);
        shared.jobs.send_async(Job { number, attempt }).await?;
        if let Ok(square) = tokio::time::timeout(Duration::from_secs(2), receiver).await {
            return Ok((square?, attempt + 1));
        }
    }
    unreachable!("it sends again and again")
}

/// Brings each answer to its task.
async fn distribute(shared: Arc<Segment<Shared>>, waiting: Waiting) -> Result<()> {
    while let Ok(Answer { number, square }) = shared.answers.recv_async().await {
        let task = waiting.lock().expect("no panic inside").remove(&number);
        // A job that was sent twice has two answers. Its task has gone on with the first.
        if let Some(task) = task {
            let _it_has_given_up = task.send(square);
        }
    }
    Ok(())
}

/// Dropping it ends the process, also after an error.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

fn start(shared: &Segment<Shared>) -> Result<Worker> {
    let mut command = Command::new(std::env::current_exe()?);
    shared.pass_to(command.arg("worker"), "jobs")?;
    Ok(Worker(command.spawn()?))
}
