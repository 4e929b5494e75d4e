//! How many instructions each fast path takes. With the toolchain in `rust-toolchain.toml`, the
//! numbers are exact and the same on every machine of one architecture. A child does each
//! operation, and ptrace(2) counts its steps.
//!
//! `cargo bench -p outlive-benches --bench instructions` fails if an operation takes more
//! instructions than `instructions.txt` says. After an intended change, record the new numbers with
//! `-- --record`.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // a process is traced

use libc::{c_void, pid_t};
use outlive::{
    ArrayQueue, ArrayTaskQueue, Barrier, Condvar, Event, Lock, MessageQueue, Mutex, Once, OnceLock, PermitPool, Pipe,
    ReentrantMutex, RwLock, Segment, Semaphore, Shareable,
};
use outlive_benches::peers::{Floor, Pthread, Robustness, Sem};
use outlive_benches::report::Table;
use outlive_benches::{Mode, process};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::process::ExitCode;

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");
/// An operation with more instructions is considered to hang.
const MOST: usize = 100_000;

#[derive(Shareable)]
#[repr(C)]
struct All {
    mutex: Mutex<u64>,
    lock: Lock,
    reentrant: ReentrantMutex<u64>,
    rwlock: RwLock<u64>,
    semaphore: Semaphore,
    pool: PermitPool<4>,
    condvar: Condvar,
    event: Event,
    barrier: Barrier<1>,
    once: Once,
    made: OnceLock<u64>,
}

/// In a segment of their own, so that the counts of the others do not depend on them.
#[derive(Shareable)]
#[repr(C)]
struct Queues {
    /// Has room for the turns of one child.
    queue: ArrayQueue<u64, 8>,
    /// Has items for the turns of one child.
    received: ArrayQueue<u64, 8>,
    full: ArrayQueue<u64, 1>,
    empty: ArrayQueue<u64, 4>,
}

/// Likewise.
#[derive(Shareable)]
#[repr(C)]
struct Tasks {
    /// Has room for the turns of one child.
    tasks: ArrayTaskQueue<u64, 8>,
    /// Has tasks for the turns of one child.
    taken: ArrayTaskQueue<u64, 8>,
    empty: ArrayTaskQueue<u64, 4>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mode = Mode::of_arguments();
    if mode == Mode::List {
        return Ok(ExitCode::SUCCESS);
    }
    if !cfg!(target_arch = "x86_64") {
        println!("SKIPPED: instructions are counted on x86_64 alone");
        return Ok(ExitCode::SUCCESS);
    }
    let counts = match counts() {
        Ok(counts) => counts,
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            println!("SKIPPED: no process can be traced here: {error}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error.into()),
    };
    if std::env::args().any(|argument| argument == "--record") {
        let text = counts.iter().filter(|count| count.is_ours).fold(String::new(), |mut text, count| {
            _ = writeln!(text, "{} = {}", count.name, count.instructions);
            text
        });
        std::fs::write(RECORD, text)?;
    }
    let known = known()?;
    let mut table = Table::new("instructions of each operation without contention", &["", "now", "recorded"]);
    let mut more = vec![];
    for Count { name, instructions, is_ours } in &counts {
        let recorded = known.get(*name).copied();
        table.row([(*name).to_owned(), instructions.to_string(), recorded.map_or_else(String::new, |n| n.to_string())]);
        // `cargo test --benches` does not optimise: its numbers are not comparable.
        if mode == Mode::Measure && *is_ours && recorded.is_none_or(|recorded| recorded < *instructions) {
            more.push(format!("{name}: {instructions}, recorded {recorded:?}"));
        }
    }
    println!("{table}");
    if more.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("more instructions than benches/instructions.txt allows (`-- --record` records the new numbers):");
    more.iter().for_each(|line| eprintln!("  {line}"));
    Ok(ExitCode::FAILURE)
}

/// The recorded numbers: one line `name = number` for each operation.
fn known() -> Result<BTreeMap<String, usize>, Box<dyn Error>> {
    let text = std::fs::read_to_string(RECORD).unwrap_or_default();
    let line = |line: &str| {
        let (name, number) = line.split_once(" = ").ok_or(format!("{RECORD}: not `name = number`: {line:?}"))?;
        Ok((name.to_owned(), number.parse::<usize>()?))
    };
    text.lines().map(line).collect()
}

struct Count {
    name: &'static str,
    instructions: usize,
    /// Whether it is an operation of outlive, and not of a peer.
    is_ours: bool,
}

fn counts() -> std::io::Result<Vec<Count>> {
    let other = std::io::Error::other::<String>;
    let segment = Segment::<All>::anonymous(|new| {
        new.semaphore = Semaphore::new(1);
        new.event = Event::auto_reset();
    });
    let segment = segment.map_err(|error| other(error.to_string()))?;
    let mut set_up = Ok(());
    let pthread = Segment::<Pthread>::anonymous(|new| set_up = new.set_up(Robustness::Stalled));
    let pthread = pthread.map_err(|error| other(error.to_string()))?;
    set_up?;
    let mut set_up = Ok(());
    let sem = Segment::<Sem>::anonymous(|new| set_up = new.set_up(1)).map_err(|error| other(error.to_string()))?;
    set_up?;
    let floor = Segment::<Floor>::anonymous(|_free| {}).map_err(|error| other(error.to_string()))?;
    let queues = Segment::<Queues>::anonymous(|_empty| {}).map_err(|error| other(error.to_string()))?;
    let tasks = Segment::<Tasks>::anonymous(|_empty| {}).map_err(|error| other(error.to_string()))?;
    let (all, queues, tasks) = (&*segment, &*queues, &*tasks);
    let message_queue = || MessageQueue::anonymous(8, 512).map_err(|error| other(error.to_string()));
    let (messages, messages_received) = (message_queue()?, message_queue()?);
    let pipe = || Pipe::anonymous(1024).map_err(|error| other(error.to_string()));
    let (pipe, pipe_received) = (pipe()?, pipe()?);
    // The process that counts takes the ends.
    let (sender, receiver) = (RefCell::new(None), RefCell::new(None));
    // In a child: this process is to register nowhere, because that would change the counts.
    let mut child = process::fork(|| {
        queues.received.send_batch(&[7; 4]).expect("room");
        queues.full.send(7).expect("room");
        (0..4).for_each(|_| tasks.taken.send(7).expect("room"));
        (0..4).for_each(|_| messages_received.send_bytes(&[7; 64]).expect("room"));
        let mut sender = pipe_received.sender().expect("free");
        (0..4).for_each(|_| sender.send_bytes(&[7; 64]).expect("room"));
    })?;
    child.join(std::time::Duration::from_secs(10))?;
    let ours: [(&str, &dyn Fn()); 29] = [
        ("Mutex::lock", &|| *all.mutex.lock().expect("free") += 1),
        ("Mutex::try_lock", &|| *all.mutex.try_lock().expect("free") += 1),
        ("Lock::acquire and release", &|| {
            all.lock.acquire().expect("free");
            all.lock.release().expect("acquired");
        }),
        ("Lock::lock", &|| drop(all.lock.lock().expect("free"))),
        ("ReentrantMutex::lock", &|| drop(all.reentrant.lock().expect("free"))),
        ("RwLock::read", &|| _ = black_box(*all.rwlock.read().expect("free"))),
        ("RwLock::write", &|| *all.rwlock.write().expect("free") += 1),
        ("Semaphore::acquire and release", &|| {
            all.semaphore.acquire().expect("one");
            all.semaphore.release().expect("acquired");
        }),
        ("Semaphore::permit", &|| drop(all.semaphore.permit().expect("one"))),
        ("PermitPool::permit", &|| drop(all.pool.permit().expect("free"))),
        ("Condvar::notify_one", &|| all.condvar.notify_one()),
        ("Condvar::notify_all", &|| all.condvar.notify_all()),
        ("Event::set and wait", &|| {
            all.event.set().expect("in the segment");
            all.event.wait().expect("set");
        }),
        ("Event::is_set", &|| _ = black_box(all.event.is_set())),
        ("Barrier::wait", &|| _ = black_box(all.barrier.wait().expect("alone").is_leader())),
        ("Once::call_once", &|| all.once.call_once(|| ()).expect("done")),
        ("OnceLock::get_or_init", &|| _ = black_box(all.made.get_or_init(|| 7).expect("made"))),
        ("OnceLock::get", &|| _ = black_box(all.made.get())),
        ("Queue::send", &|| queues.queue.send(black_box(7)).expect("room")),
        ("Queue::recv", &|| _ = black_box(queues.received.recv()).expect("an item")),
        ("Queue::try_send, full", &|| _ = black_box(queues.full.try_send(black_box(7))).expect_err("full")),
        ("Queue::try_recv, empty", &|| _ = black_box(queues.empty.try_recv()).expect_err("empty")),
        ("MessageQueue::send_bytes, 64 bytes", &|| messages.send_bytes(black_box(&[7; 64])).expect("room")),
        ("MessageQueue::recv_into, 64 bytes", &|| {
            _ = black_box(messages_received.recv_into(&mut [0; 64])).expect("a message");
        }),
        ("PipeSender::send_bytes, 64 bytes", &|| {
            let mut sender = sender.borrow_mut();
            let sender = sender.get_or_insert_with(|| pipe.sender().expect("free"));
            sender.send_bytes(black_box(&[7; 64])).expect("room");
        }),
        ("PipeReceiver::recv_into, 64 bytes", &|| {
            let mut receiver = receiver.borrow_mut();
            let receiver = receiver.get_or_insert_with(|| pipe_received.receiver().expect("free"));
            _ = black_box(receiver.recv_into(&mut [0; 64])).expect("a message");
        }),
        ("TaskQueue::send", &|| tasks.tasks.send(black_box(7)).expect("room")),
        ("TaskQueue::take and done", &|| tasks.taken.take().expect("a task").done().expect("ours")),
        ("TaskQueue::reserve, given up", &|| drop(black_box(tasks.empty.reserve()).expect("room"))),
    ];
    let peers: [(&str, &dyn Fn()); 3] = [
        ("(a compare-exchange and a swap)", &|| {
            assert!(floor.take(black_box(7)));
            floor.give_back();
        }),
        ("(pthread_mutex, process-shared)", &|| {
            assert_eq!(pthread.lock(), 0);
            // SAFETY: locked by this thread, just now.
            unsafe { pthread.unlock() };
        }),
        ("(sem_wait, sem_post)", &|| {
            assert_eq!(sem.wait(), 0);
            assert_eq!(sem.post(), 0);
        }),
    ];
    let nothing = count(&|| ())?;
    let of = |is_ours: bool| {
        move |(name, work): &(&'static str, &dyn Fn())| {
            Ok(Count { name, instructions: count(work)?.saturating_sub(nothing), is_ours })
        }
    };
    ours.iter().map(of(true)).chain(peers.iter().map(of(false))).collect()
}

/// Marks the begin and the end of the counted part, by a system call that changes nothing.
fn mark() {
    // SAFETY: only returns a number.
    unsafe { libc::syscall(libc::SYS_getppid) };
}

/// Counts the instructions from mark to mark, in a child.
fn count(work: &dyn Fn()) -> std::io::Result<usize> {
    let mut child = process::fork(|| {
        // The first time the thread registers, which is slow.
        (0..3).for_each(|_| black_box(work)());
        // SAFETY: asks to be traced, and stops.
        unsafe {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            libc::raise(libc::SIGSTOP);
        }
        mark();
        black_box(work)();
        mark();
    })?;
    let id = child.id() as pid_t;
    stopped(id)?;
    let (mut marks, mut instructions) = (0, 0);
    while marks < 2 {
        // SAFETY: a child of ours that is stopped; `registers` is valid.
        let registers = unsafe {
            let mut registers: libc::user_regs_struct = core::mem::zeroed();
            answer(libc::ptrace(libc::PTRACE_GETREGS, id, 0, &raw mut registers))?;
            registers
        };
        // SAFETY: as above; the memory at an instruction pointer can be read.
        let code = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, id, registers.rip as *mut c_void, 0) };
        let is_system_call = code & 0xffff == 0x050f;
        marks += usize::from(is_system_call && registers.rax == libc::SYS_getppid as u64);
        instructions += usize::from(marks == 1);
        if instructions > MOST {
            return Err(std::io::Error::other("an operation does not end"));
        }
        // SAFETY: a child of ours that is stopped.
        answer(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, id, 0, 0) })?;
        stopped(id)?;
    }
    // SAFETY: as above.
    answer(unsafe { libc::ptrace(libc::PTRACE_DETACH, id, 0, 0) })?;
    child.join(std::time::Duration::from_secs(10))?;
    Ok(instructions)
}

fn answer(answer: libc::c_long) -> std::io::Result<()> {
    if answer == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits for the child to stop.
fn stopped(id: pid_t) -> std::io::Result<()> {
    let mut status = 0;
    // SAFETY: a child of ours; `status` is valid.
    answer(unsafe { libc::waitpid(id, &mut status, 0) }.into())?;
    if libc::WIFSTOPPED(status) {
        Ok(())
    } else {
        Err(std::io::Error::other(format!("the child ended with status {status:#x}: its work failed")))
    }
}
