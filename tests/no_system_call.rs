//! Every uncontended operation works without a system call. It runs under seccomp's strict mode, in
//! which the kernel kills at the first call other than read, write and exit.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    ArrayQueue, ArrayTaskQueue, Barrier, Condvar, Event, LazyLock, Lock, MessageQueue, Mutex, Once, OnceLock,
    PermitPool, Pipe, ReentrantMutex, RwLock, Semaphore,
};

#[derive(outlive::Shareable)]
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
    auto: Event,
    barrier: Barrier<1>,
    once: Once,
    made: OnceLock<u64>,
    queue: ArrayQueue<u64, 4>,
    tasks: ArrayTaskQueue<u64, 4>,
}

/// The status of a child that does `work` repeatedly without permission for any system call.
fn end_of_one_that(work: impl Fn()) -> i32 {
    wait(fork(|| {
        work(); // the first time registers, which needs system calls
        // SAFETY: only this child is concerned, which has one thread.
        unsafe {
            if libc::prctl(libc::PR_SET_SECCOMP, 1) != 0 {
                return 77; // SECCOMP_MODE_STRICT
            }
        }
        for _ in 0..100 {
            work();
        }
        // SAFETY: the one way to end that is left: exit, where the C library uses exit_group.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
        unreachable!("exit does not return")
    }))
}

fn makes_none(name: &str, work: impl Fn()) {
    match end_of_one_that(work) {
        77 => skipped("no seccomp here: system calls are not counted"),
        end => assert_eq!(end, 0, "{name} made a system call (ended with {end})"),
    }
}

#[test]
fn this_test_would_notice_a_system_call() {
    let end = end_of_one_that(|| {
        // SAFETY: asks for a number.
        unsafe { libc::getppid() };
    });
    match end {
        77 => skipped("no seccomp here: system calls are not counted"),
        end => assert_eq!(end, -libc::SIGKILL),
    }
}

#[test]
fn uncontended_operations_make_no_system_call() {
    let all = segment_of::<All>(|new| {
        new.semaphore = Semaphore::new(1);
        new.auto = Event::auto_reset();
    });
    let lazy = LazyLock::new(&all.made, || 7);
    makes_none("Mutex::lock", || *all.mutex.lock().unwrap() += 1);
    makes_none("Mutex::try_lock", || *all.mutex.try_lock().unwrap() += 1);
    makes_none("Lock::acquire", || {
        all.lock.acquire().unwrap();
        all.lock.release().unwrap();
    });
    makes_none("Lock::lock", || drop(all.lock.lock().unwrap()));
    makes_none("ReentrantMutex::lock, nested", || {
        let _outer = all.reentrant.lock().unwrap();
        drop(all.reentrant.lock().unwrap());
    });
    makes_none("RwLock::read", || drop(all.rwlock.read().unwrap()));
    makes_none("RwLock::write", || *all.rwlock.write().unwrap() += 1);
    makes_none("Semaphore", || {
        all.semaphore.acquire().unwrap();
        all.semaphore.release().unwrap();
        drop(all.semaphore.permit().unwrap());
    });
    makes_none("PermitPool", || drop(all.pool.permit().unwrap()));
    makes_none("Condvar, where nobody waits", || {
        all.condvar.notify_one();
        all.condvar.notify_all();
    });
    makes_none("Event", || {
        all.event.set().unwrap();
        all.event.wait().unwrap();
        assert!(all.event.is_set());
        all.event.clear();
        all.auto.set().unwrap();
        all.auto.wait().unwrap();
    });
    makes_none("Barrier of one", || assert!(all.barrier.wait().unwrap().is_leader()));
    makes_none("Queue", || {
        all.queue.send(7).unwrap();
        assert_eq!((all.queue.len(), all.queue.recv()), (1, Ok(7)));
        all.queue.try_send(8).unwrap();
        assert_eq!((all.queue.try_recv(), all.queue.try_recv().is_err()), (Ok(8), true));
    });
    makes_none("TaskQueue", || {
        all.tasks.send(7).unwrap();
        all.tasks.take().unwrap().done().unwrap();
        let mut loan = all.tasks.reserve().unwrap();
        *loan = 8;
        loan.publish().unwrap();
        all.tasks.try_take().unwrap().done().unwrap();
    });
    makes_none("TaskQueue, a loan that is dropped", || drop(all.tasks.reserve().unwrap()));
    makes_none("TaskQueue, a task that fails", || {
        all.tasks.try_send(7).unwrap();
        drop(all.tasks.take().unwrap());
        all.tasks.take().unwrap().give_back().unwrap();
        all.tasks.take().unwrap().done().unwrap();
    });
    makes_none("TaskQueue::join, where all is done", || all.tasks.join().unwrap());
    let mut items = Vec::with_capacity(4);
    let items = std::cell::RefCell::new(&mut items); // memory for them is there before
    makes_none("Queue, batches", || {
        let mut items = items.borrow_mut();
        items.clear();
        all.queue.send_batch(&[1, 2, 3, 4]).unwrap();
        assert!(all.queue.is_full() && all.queue.try_send_batch(&[5]).is_err());
        assert_eq!((all.queue.recv_batch(&mut items, 3), all.queue.try_recv_batch(&mut items, 3)), (Ok(3), Ok(1)));
        assert_eq!(**items, [1, 2, 3, 4]);
    });
    let messages = MessageQueue::anonymous(4, 2_000).expect("a queue");
    let longest = vec![7; messages.max_message()];
    let buffer = std::cell::RefCell::new(longest.clone());
    makes_none("MessageQueue", || {
        let mut buffer = buffer.borrow_mut();
        messages.send_bytes(b"short").unwrap();
        assert_eq!((messages.len(), messages.recv_into(&mut buffer).unwrap()), (1, 5));
        messages.send_bytes(&longest).unwrap();
        assert!(messages.try_send_bytes(&longest).is_err());
        assert_eq!(messages.recv_into(&mut buffer).unwrap(), longest.len());
        messages.send_with(|writer| std::io::Write::write_all(writer, &longest)).unwrap();
        messages.recv_with(|reader| std::io::Read::read_exact(reader, &mut buffer)).unwrap();
        assert!(messages.try_recv_into(&mut buffer).is_err());
    });
    let pipe = Pipe::anonymous(2_048).expect("a pipe");
    let ends = std::cell::RefCell::new(None); // the child takes them
    let (longest, buffer) = (vec![7; 1_900], std::cell::RefCell::new(vec![0; 1_900]));
    makes_none("Pipe", || {
        let mut ends = ends.borrow_mut();
        let taken = || (pipe.sender().unwrap(), pipe.receiver().unwrap());
        let (sender, receiver) = ends.get_or_insert_with(taken);
        let mut buffer = buffer.borrow_mut();
        sender.send_bytes(b"short").unwrap();
        assert!(receiver.poll(std::time::Duration::ZERO).unwrap());
        assert_eq!(receiver.recv_into(&mut buffer).unwrap(), 5);
        sender.send_bytes(&longest).unwrap();
        assert!(sender.try_send_bytes(&longest).is_err());
        assert_eq!(receiver.recv_into(&mut buffer).unwrap(), longest.len());
        assert!(receiver.try_recv_into(&mut buffer).is_err());
    });
    makes_none("Once, OnceLock, LazyLock", || {
        all.once.call_once(|| ()).unwrap();
        assert_eq!(all.made.get_or_init(|| 7).unwrap(), &*lazy);
    });
}
