//! Futures and descriptors, with the executor that each test needs.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{
    DuplexPipe, Event, MessageQueue, Pipe, PipeRecvError, ProcessExit, Queue, ReadyFdError, RecvError, Segment,
    Semaphore, SendError, SendMessageError, Shareable, TaskQueue, TryRecvError,
};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Unparks a thread, and counts.
struct Unpark(Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, SeqCst);
        self.0.unpark();
    }
}

fn waker() -> (Arc<Unpark>, Waker) {
    let unpark = Arc::new(Unpark(std::thread::current(), AtomicUsize::new(0)));
    (Arc::clone(&unpark), Waker::from(unpark))
}

/// The smallest executor.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let (_, waker) = waker();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Waits until the task of this waker was told so many times.
fn until_told(unpark: &Unpark, times: usize) {
    until("the task is told", || unpark.1.load(SeqCst) >= times);
}

#[test]
fn what_is_ready_needs_no_thread() {
    let queue = Queue::<u64>::anonymous(2).unwrap();
    let (_, waker) = waker();
    assert_eq!(poll_once(&mut queue.send_async(1), &waker), Poll::Ready(Ok(())));
    assert_eq!(poll_once(&mut queue.recv_async(), &waker), Poll::Ready(Ok(1)));
    queue.close().unwrap();
    assert_eq!(poll_once(&mut queue.recv_async(), &waker), Poll::Ready(Err(RecvError::Disconnected)));
}

#[test]
fn items_go_from_process_to_process() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let child = fork(|| {
        block_on(async {
            for number in 0..1_000 {
                queue.send_async(number).await.unwrap();
            }
        });
        0
    });
    block_on(async {
        for number in 0..1_000 {
            assert_eq!(queue.recv_async().await, Ok(number));
        }
    });
    assert_eq!(wait(child), 0);
}

#[test]
fn a_full_queue_makes_a_future_wait_for_room() {
    let queue = Queue::<u64>::anonymous(1).unwrap();
    queue.send(0).unwrap();
    let (unpark, waker) = waker();
    let mut send = queue.send_async(1);
    assert!(poll_once(&mut send, &waker).is_pending());
    assert_eq!(queue.recv(), Ok(0));
    until_told(&unpark, 1);
    assert_eq!(poll_once(&mut send, &waker), Poll::Ready(Ok(())));
    assert_eq!(queue.recv(), Ok(1));
}

#[test]
fn messages_go_through_a_queue_from_process_to_process() {
    let (queue, answers) = (MessageQueue::anonymous(8, 8_192).unwrap(), Queue::<u64>::anonymous(8).unwrap());
    let message = |number: usize| vec![number as u8; number * 37 % 1_000]; // some take several blocks
    let child = fork(|| {
        block_on(async {
            let receiver = queue.receiver().unwrap();
            while let Ok(message) = receiver.recv_bytes_async().await {
                answers.send_async(message.len() as u64).await.unwrap();
            }
        });
        0
    });
    block_on(async {
        for number in 0..300 {
            queue.send_bytes(&message(number)).unwrap();
            assert_eq!(answers.recv_async().await, Ok(message(number).len() as u64));
        }
    });
    queue.close().unwrap();
    assert_eq!(wait(child), 0);
}

#[test]
fn futures_of_many_lengths_send_through_a_queue_that_is_too_small_for_all_of_them() {
    let queue = MessageQueue::anonymous(4, 2_048).unwrap();
    let message = |number: usize| vec![number as u8; 1 + number * 37 % queue.max_message()];
    let child = fork(|| {
        block_on(async {
            for number in 0..300 {
                queue.send_bytes_async(&message(number)).await.unwrap();
            }
        });
        0
    });
    for number in 0..300 {
        assert_eq!(queue.recv_bytes().unwrap(), message(number));
    }
    assert_eq!(wait(child), 0);
}

#[test]
fn a_future_waits_for_all_the_room_that_its_message_needs() {
    let queue = MessageQueue::anonymous(8, 1_024).unwrap();
    let (block, most) = (queue.block_size(), queue.max_message());
    queue.send_bytes(&vec![0; most]).unwrap();
    let (unpark, waker) = waker();
    let (long, short) = (vec![1; most], vec![2; block]);
    let mut send = queue.send_bytes_async(&long);
    assert!(poll_once(&mut send, &waker).is_pending());
    assert!(matches!(block_on(queue.send_bytes_async(&short)), Ok(())), "it needs a cell alone");
    assert_eq!(queue.recv_bytes().unwrap().len(), most);
    until_told(&unpark, 1);
    assert!(matches!(poll_once(&mut send, &waker), Poll::Ready(Ok(()))));
    let mut another = queue.send_bytes_async(&long);
    assert!(poll_once(&mut another, &waker).is_pending());
    let told = unpark.1.load(SeqCst);
    queue.close().unwrap();
    until_told(&unpark, told + 1);
    assert!(matches!(poll_once(&mut another, &waker), Poll::Ready(Err(SendMessageError::Disconnected))));
    let too_long = vec![3; most + 1];
    assert!(matches!(block_on(queue.send_bytes_async(&too_long)), Err(SendMessageError::TooLong { .. })));
}

#[test]
fn a_future_of_a_queue_of_messages_outlives_the_handle_of_the_queue() {
    let queue = MessageQueue::anonymous(4, 1_024).unwrap();
    let (unpark, waker) = waker();
    let mut receive = queue.recv_bytes_async();
    assert!(poll_once(&mut receive, &waker).is_pending());
    drop(receive);
    // The crate's thread may still sleep for the task that is gone. The queue moves, and is mapped
    // no longer.
    let moved = Box::new(queue);
    moved.send_bytes(b"one").unwrap();
    assert_eq!(moved.recv_bytes().unwrap(), b"one");
    drop(moved);
    let other = MessageQueue::anonymous(4, 1_024).unwrap();
    let mut receive = other.recv_bytes_async();
    assert!(poll_once(&mut receive, &waker).is_pending());
    let told = unpark.1.load(SeqCst);
    other.send_bytes(b"two").unwrap();
    until_told(&unpark, told + 1);
    assert!(matches!(poll_once(&mut receive, &waker), Poll::Ready(Ok(message)) if message == b"two"));
}

#[test]
fn messages_go_through_pipes_from_process_to_process() {
    let pipe = DuplexPipe::anonymous(256).unwrap();
    let message = |number: usize| vec![number as u8; number * 37 % 1_000]; // some go through in parts
    let child = fork(|| {
        let mut end = pipe.second().unwrap();
        block_on(async {
            while let Ok(message) = end.recv_bytes_async().await {
                end.send_bytes_async(&message).await.unwrap();
            }
        });
        0
    });
    let mut end = pipe.first().unwrap();
    block_on(async {
        for number in 0..300 {
            end.send_bytes_async(&message(number)).await.unwrap();
            assert_eq!(end.recv_bytes_async().await.unwrap(), message(number));
        }
    });
    drop(end);
    assert_eq!(wait(child), 0);
}

#[test]
fn a_full_pipe_makes_a_future_wait_for_room_and_an_empty_one_for_a_message() {
    let pipe = Pipe::anonymous(64).unwrap();
    let (mut sender, mut receiver) = (pipe.sender().unwrap(), pipe.receiver().unwrap());
    let ((told_of_room, for_room), (told, waker)) = (waker(), waker());
    let mut recv = receiver.recv_bytes_async();
    assert!(poll_once(&mut recv, &waker).is_pending());
    sender.send_bytes(&[1; 16]).unwrap();
    until_told(&told, 1);
    let Poll::Ready(message) = poll_once(&mut recv, &waker) else { panic!("it has come") };
    assert_eq!(message.unwrap(), [1; 16]);
    drop(recv);

    let long = [2; 100];
    let mut send = sender.send_bytes_async(&long);
    assert!(poll_once(&mut send, &for_room).is_pending());
    assert!(receiver.try_recv_bytes().is_err()); // there is only a part of it
    until_told(&told_of_room, 1);
    while poll_once(&mut send, &for_room).is_pending() {
        assert!(receiver.try_recv_bytes().is_err());
    }
    assert_eq!(receiver.recv_bytes().unwrap(), long);
    drop(send);

    // A future that is dropped among the parts: the message is cut off.
    assert!(poll_once(&mut sender.send_bytes_async(&long), &for_room).is_pending());
    assert!(receiver.try_recv_bytes().is_err());
    sender.send_bytes(b"next").unwrap();
    assert_eq!(receiver.recv_bytes().unwrap(), b"next");
}

/// A fault that was there once: a future waited for room for the longest frame, whatever it sent.
#[test]
fn a_future_that_sends_through_a_pipe_waits_for_no_more_room_than_it_needs() {
    let pipe = Pipe::anonymous(4096).unwrap();
    let (mut sender, mut receiver) = (pipe.sender().unwrap(), pipe.receiver().unwrap());
    while sender.try_send_bytes(&[1; 64]).is_ok() {}
    while sender.try_send_bytes(&[1; 8]).is_ok() {}
    let (unpark, waker) = waker();
    let mut send = sender.send_bytes_async(&[2; 64]);
    assert!(poll_once(&mut send, &waker).is_pending());
    assert_eq!(receiver.recv_bytes().unwrap(), [1; 64]);
    until_told(&unpark, 1);
    assert!(matches!(poll_once(&mut send, &waker), Poll::Ready(Ok(()))));
    drop(send);

    // A message of two parts. There is room for the first one, which is a quarter of the capacity.
    let pipe = Pipe::anonymous(4096).unwrap();
    let (mut sender, mut receiver) = (pipe.sender().unwrap(), pipe.receiver().unwrap());
    while sender.try_send_bytes(&[1; 64]).is_ok() {}
    let words = |bytes: usize| 1 + bytes / 8;
    for _ in 0..words(1024).div_ceil(words(64)) - 1 {
        receiver.recv_bytes().unwrap();
    }
    let (unpark, waker) = self::waker();
    let long = [2; 1024 + 64];
    let mut send = sender.send_bytes_async(&long);
    assert!(poll_once(&mut send, &waker).is_pending(), "there is no room for the second part");
    receiver.recv_bytes().unwrap();
    until_told(&unpark, 1);
    assert!(matches!(poll_once(&mut send, &waker), Poll::Ready(Ok(()))));
}

#[test]
fn the_death_and_the_end_of_the_other_end_of_a_pipe_end_a_future() {
    let pipe = Pipe::anonymous(64).unwrap();
    let mut receiver = pipe.receiver().unwrap();
    let child = fork(|| {
        let mut sender = pipe.sender().unwrap();
        sender.send_bytes(b"the last").unwrap();
        std::process::abort();
    });
    assert_eq!(block_on(receiver.recv_bytes_async()).unwrap(), b"the last");
    let end = block_on(receiver.recv_bytes_async());
    assert!(matches!(end, Err(PipeRecvError::PeerDied { .. })), "{end:?}");
    wait(child);
    drop(pipe.sender().unwrap());
    let end = block_on(receiver.recv_bytes_async());
    assert!(matches!(end, Err(PipeRecvError::Disconnected)), "{end:?}");
}

#[test]
fn a_future_that_was_told_and_is_dropped_tells_the_next_one() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let ((first_told, first), (second_told, second)) = (waker(), waker());
    let (mut one, mut other) = (queue.recv_async(), queue.recv_async());
    assert!(poll_once(&mut one, &first).is_pending());
    assert!(poll_once(&mut other, &second).is_pending());
    queue.send(7).unwrap();
    until_told(&first_told, 1);
    assert_eq!(second_told.1.load(SeqCst), 0, "one item is for one task");
    drop(one);
    until_told(&second_told, 1);
    assert_eq!(poll_once(&mut other, &second), Poll::Ready(Ok(7)));
}

#[test]
fn a_future_that_is_dropped_while_it_waits_takes_nothing() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let ((first_told, first), (second_told, second)) = (waker(), waker());
    let (mut one, mut other) = (queue.recv_async(), queue.recv_async());
    assert!(poll_once(&mut one, &first).is_pending());
    assert!(poll_once(&mut other, &second).is_pending());
    drop(one);
    queue.send(7).unwrap();
    until_told(&second_told, 1);
    assert_eq!(first_told.1.load(SeqCst), 0);
    assert_eq!(poll_once(&mut other, &second), Poll::Ready(Ok(7)));
}

#[test]
fn one_item_after_the_other_reaches_one_task_after_the_other() {
    let queue = Queue::<u64>::anonymous(64).unwrap();
    let (told, waker) = waker();
    let mut tasks: Vec<_> = (0..50).map(|_| queue.recv_async()).collect();
    assert!(tasks.iter_mut().all(|task| poll_once(task, &waker).is_pending()));
    queue.send_batch(&(0..50).collect::<Vec<_>>()).unwrap();
    let mut received = vec![];
    let mut rounds = 0;
    while !tasks.is_empty() {
        until_told(&told, rounds + 1);
        rounds = told.1.load(SeqCst);
        tasks.retain_mut(|task| match poll_once(task, &waker) {
            Poll::Ready(item) => {
                received.push(item.unwrap());
                false
            }
            Poll::Pending => true,
        });
    }
    received.sort_unstable();
    assert_eq!(received, (0..50).collect::<Vec<_>>());
}

#[test]
fn tasks_go_from_process_to_process() {
    let (jobs, sums) = (TaskQueue::<u64>::anonymous(4).unwrap(), Queue::<u64>::anonymous(8).unwrap());
    let children = [(); 2].map(|()| {
        fork(|| {
            let sum = block_on(async {
                let mut sum = 0;
                while let Ok(job) = jobs.take_async().await {
                    sum += *job;
                    job.done().unwrap();
                }
                sum
            });
            sums.send(sum).unwrap();
            0
        })
    });
    block_on(async {
        for number in 1..=300 {
            if number % 2 == 0 {
                jobs.send_async(number).await.unwrap();
            } else {
                let mut loan = jobs.reserve_async().await.unwrap();
                *loan = number;
                loan.publish().unwrap();
            }
        }
        jobs.join_async().await.unwrap();
        assert_eq!((jobs.len(), jobs.in_flight()), (0, 0));
    });
    jobs.close().unwrap();
    children.into_iter().for_each(|child| assert_eq!(wait(child), 0));
    assert_eq!(sums.drain().sum::<u64>(), 300 * 301 / 2);
}

#[test]
fn the_death_of_a_worker_gives_its_task_to_a_future() {
    let jobs = TaskQueue::<u64>::anonymous(1).unwrap();
    jobs.send(7).unwrap();
    let child = fork(|| {
        let _task = jobs.take().unwrap();
        loop {
            std::thread::park();
        }
    });
    until("the child has it", || jobs.in_flight() == 1);
    let (told, waker) = waker();
    let (mut take, mut join, mut send) = (jobs.take_async(), jobs.join_async(), jobs.send_async(8));
    assert!(poll_once(&mut take, &waker).is_pending());
    assert!(poll_once(&mut join, &waker).is_pending());
    assert!(poll_once(&mut send, &waker).is_pending());
    // SAFETY: a child of this test.
    assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
    wait(child);
    until_told(&told, 1);
    let task = block_on(take).unwrap();
    assert_eq!((*task, task.attempts()), (7, 2));
    assert!(poll_once(&mut join, &waker).is_pending());
    assert!(poll_once(&mut send, &waker).is_pending());
    task.done().unwrap();
    block_on(join).unwrap();
    assert_eq!(block_on(send), Ok(()));
}

#[test]
fn a_future_of_a_task_queue_that_is_dropped_takes_nothing() {
    let jobs = TaskQueue::<u64>::anonymous(1).unwrap();
    let (first, waker_of_first) = waker();
    let (second, waker_of_second) = waker();
    let (mut one, mut other) = (jobs.take_async(), jobs.take_async());
    assert!(poll_once(&mut one, &waker_of_first).is_pending());
    assert!(poll_once(&mut other, &waker_of_second).is_pending());
    jobs.send(7).unwrap();
    until_told(&first, 1);
    drop(one); // it was told, and has taken nothing
    until_told(&second, 1);
    let Poll::Ready(Ok(task)) = poll_once(&mut other, &waker_of_second) else { panic!("there is a task") };
    assert_eq!((*task, task.attempts()), (7, 1));
    let mut send = jobs.send_async(8);
    assert!(poll_once(&mut send, &waker_of_first).is_pending());
    drop(send);
    task.done().unwrap();
    assert!(jobs.is_empty());
}

#[test]
fn a_closed_task_queue_ends_its_futures() {
    let jobs = TaskQueue::<u64>::anonymous(1).unwrap();
    jobs.send(7).unwrap();
    let (told, waker) = waker();
    let task = jobs.take().unwrap();
    let (mut take, mut send) = (jobs.take_async(), jobs.send_async(8));
    assert!(poll_once(&mut take, &waker).is_pending());
    assert!(poll_once(&mut send, &waker).is_pending());
    jobs.close().unwrap();
    until_told(&told, 1);
    assert_eq!(block_on(send), Err(SendError::Disconnected(8)));
    assert!(poll_once(&mut take, &waker).is_pending(), "the task may come back");
    let before = told.1.load(SeqCst);
    task.done().unwrap();
    until_told(&told, before + 1);
    assert_eq!(block_on(take).map(drop), Err(RecvError::Disconnected));
    assert_eq!(block_on(jobs.reserve_async()).map(drop), Err(SendError::Disconnected(())));
}

#[test]
fn a_second_poll_changes_the_waker() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let ((first_told, first), (second_told, second)) = (waker(), waker());
    let mut receive = queue.recv_async();
    assert!(poll_once(&mut receive, &first).is_pending());
    assert!(poll_once(&mut receive, &second).is_pending());
    queue.send(7).unwrap();
    until_told(&second_told, 1);
    assert_eq!(first_told.1.load(SeqCst), 0);
}

#[test]
fn a_set_event_ends_all_waits_even_if_it_is_cleared_at_once() {
    let event = Segment::<Event>::anonymous(|_| {}).unwrap();
    let ((first_told, first), (second_told, second)) = (waker(), waker());
    let (mut one, mut other, mut ready) = (event.wait_async(), event.wait_async(), event.when_set().ready());
    assert!(poll_once(&mut one, &first).is_pending());
    assert!(poll_once(&mut other, &second).is_pending());
    assert!(poll_once(&mut ready, &second).is_pending());
    event.set().unwrap();
    event.clear();
    until_told(&first_told, 1);
    until_told(&second_told, 2);
    assert_eq!(poll_once(&mut one, &first), Poll::Ready(Ok(())));
    assert_eq!(poll_once(&mut other, &second), Poll::Ready(Ok(())));
    assert_eq!(poll_once(&mut ready, &second), Poll::Ready(Ok(())));
    let mut late = event.wait_async();
    assert!(poll_once(&mut late, &first).is_pending());
    event.set().unwrap();
    until_told(&first_told, 2);
    assert_eq!(poll_once(&mut late, &first), Poll::Ready(Ok(())));
}

#[test]
fn each_set_of_a_bell_ends_one_wait() {
    let bell = Segment::<Event>::anonymous(|bell| *bell = Event::auto_reset()).unwrap();
    let (told, waker) = waker();
    let mut waits = [bell.wait_async(), bell.wait_async()];
    assert!(waits.iter_mut().all(|wait| poll_once(wait, &waker).is_pending()));
    bell.set().unwrap();
    until_told(&told, 1);
    let ended = waits.iter_mut().filter_map(|wait| poll_once(wait, &waker).is_ready().then_some(())).count();
    assert_eq!(ended, 1);
    assert!(!bell.is_set());
}

#[test]
fn permits_go_to_tasks_and_to_threads() {
    let semaphore = Segment::<Semaphore>::anonymous(|_| {}).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|index| {
                let semaphore = &*semaphore;
                scope.spawn(move || {
                    for _ in 0..200 {
                        if index % 2 == 0 {
                            block_on(semaphore.acquire_async()).unwrap();
                        } else {
                            semaphore.acquire().unwrap();
                        }
                        semaphore.release().unwrap();
                    }
                })
            })
            .collect();
        semaphore.release().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn a_senders_death_wakes_a_task() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let child = fork(|| {
        let sender = queue.sender().unwrap();
        sender.send(7).unwrap();
        loop {
            std::thread::park();
        }
    });
    assert_eq!(block_on(queue.recv_async()), Ok(7));
    let (told, waker) = waker();
    let mut receive = queue.recv_async();
    assert!(poll_once(&mut receive, &waker).is_pending());
    // SAFETY: a child of this test.
    assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
    wait(child);
    until_told(&told, 1);
    assert_eq!(block_on(receive), Err(RecvError::Disconnected));
}

#[test]
fn the_death_of_a_participant_is_a_future() {
    let segment = Segment::<()>::anonymous(|()| {}).unwrap();
    let (send, receive) = mpsc::channel::<()>();
    let (say, hear) = mpsc::channel();
    std::thread::scope(|scope| {
        let segment = &segment;
        scope.spawn(move || {
            say.send(segment.attach().unwrap()).unwrap();
            receive.recv().unwrap_err();
        });
        let mut death = segment.when_dead(hear.recv().unwrap()).ready();
        let (_, waker) = waker();
        assert!(poll_once(&mut death, &waker).is_pending());
        drop(send);
        block_on(death).unwrap();
    });
}

#[test]
fn more_sources_than_one_thread_can_wait_for() {
    let queues: Vec<_> = (0..150).map(|_| Queue::<u64>::anonymous(1).unwrap()).collect();
    let (told, waker) = waker();
    let mut tasks: Vec<_> = queues.iter().map(|queue| queue.recv_async()).collect();
    assert!(tasks.iter_mut().all(|task| poll_once(task, &waker).is_pending()));
    for queue in &queues {
        queue.send(7).unwrap();
    }
    until_told(&told, 150);
    assert!(tasks.iter_mut().all(|task| poll_once(task, &waker) == Poll::Ready(Ok(7))));
}

#[test]
fn tasks_that_wait_for_many_queues_in_turn_need_no_more_threads() {
    let helpers = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
        names.filter(|name| name.trim() == "outlive").count()
    };
    let queues: Vec<_> = (0..200).map(|_| Queue::<u64>::anonymous(1).unwrap()).collect();
    // In a child: the tasks of other tests have helpers of their own.
    let count = in_a_child(|| {
        let (told, waker) = waker();
        for (index, queue) in queues.iter().enumerate() {
            let mut receive = queue.recv_async();
            assert!(poll_once(&mut receive, &waker).is_pending());
            queue.send(7).unwrap();
            until_told(&told, index + 1);
            assert_eq!(poll_once(&mut receive, &waker), Poll::Ready(Ok(7)));
        }
        i32::try_from(helpers()).unwrap()
    });
    assert_eq!(count, 1);
}

#[test]
fn a_forked_child_has_a_thread_of_its_own() {
    let (queue, answers) = (Queue::<u64>::anonymous(4).unwrap(), Queue::<u64>::anonymous(4).unwrap());
    let (told, waker) = waker();
    let mut receive = queue.recv_async();
    assert!(poll_once(&mut receive, &waker).is_pending()); // the parent's thread is there
    let child = fork(|| i32::from(block_on(answers.recv_async()) != Ok(5)));
    answers.send(5).unwrap();
    assert_eq!(wait(child), 0);
    queue.send(7).unwrap();
    until_told(&told, 1);
    assert_eq!(poll_once(&mut receive, &waker), Poll::Ready(Ok(7)));
}

#[test]
fn a_future_that_was_made_before_a_fork_works_in_the_child() {
    let (queue, ready) = (Queue::<u64>::anonymous(4).unwrap(), Queue::<u64>::anonymous(1).unwrap());
    let (_, waker) = waker();
    let mut receive = queue.recv_async();
    assert!(poll_once(&mut receive, &waker).is_pending());
    let child = fork(|| {
        assert!(poll_once(&mut receive, &waker).is_pending());
        ready.send(1).unwrap();
        i32::from(block_on(&mut receive) != Ok(7))
    });
    ready.recv().unwrap();
    // This process's thread is told, too, and nobody polls here.
    queue.send(7).unwrap();
    assert_eq!(wait(child), 0);
}

#[test]
fn a_future_that_is_forgotten_harms_nobody() {
    let (told, waker) = waker();
    {
        let queue = Queue::<u64>::anonymous(4).unwrap();
        let mut receive = queue.recv_async();
        assert!(poll_once(&mut receive, &waker).is_pending());
        std::mem::forget(receive);
    }
    // The thread that sleeps for the tasks goes on.
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let mut receive = queue.recv_async();
    assert!(poll_once(&mut receive, &waker).is_pending());
    queue.send(7).unwrap();
    until_told(&told, 1);
    assert_eq!(poll_once(&mut receive, &waker), Poll::Ready(Ok(7)));
}

#[test]
fn a_dropped_segment_is_unmapped_although_tasks_have_waited_for_it() {
    let name = &format!("outlive-test-event-loops-{}", std::process::id());
    let (told, waker) = waker();
    let queue = Queue::<u64>::create(name.as_str(), 4).unwrap();
    use std::os::unix::fs::MetadataExt;
    let inode = format!(" {} ", std::fs::metadata(format!("/dev/shm/{name}")).unwrap().ino());
    let mapped = || std::fs::read_to_string("/proc/self/maps").unwrap().contains(&inode);
    let mut receive = queue.recv_async();
    assert!(poll_once(&mut receive, &waker).is_pending());
    queue.send(7).unwrap();
    until_told(&told, 1);
    assert_eq!(poll_once(&mut receive, &waker), Poll::Ready(Ok(7)));
    drop(receive);
    assert!(mapped());
    drop(queue);
    until("it is unmapped", || !mapped());
    Queue::<u64>::remove(name.as_str()).unwrap();
}

#[test]
fn a_waker_that_panics_ends_nothing() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("as this test wants");
        }
    }
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let mut receive = queue.recv_async();
    assert!(poll_once(&mut receive, &Waker::from(Arc::new(Panics))).is_pending());
    queue.send(7).unwrap();
    until("it was told", || {
        queue.try_recv() == Err(TryRecvError::Empty) || poll_once(&mut receive, &waker().1).is_ready()
    });
    assert_eq!(block_on(async { queue.send_async(8).await.and(Ok(queue.recv_async().await)) }), Ok(Ok(8)));
}

#[test]
fn a_descriptor_becomes_readable() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let ready = queue.readable().descriptor().unwrap();
    let is_readable = |timeout: i32| {
        use std::os::fd::AsRawFd;
        let mut poll = libc::pollfd { fd: ready.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry.
        unsafe { libc::poll(&mut poll, 1, timeout) == 1 }
    };
    assert!(!is_readable(0));
    queue.send_batch(&[1, 2]).unwrap();
    assert!(is_readable(20_000));
    ready.clear().unwrap();
    assert!(is_readable(0), "there is still an item");
    ready.clear().unwrap();
    assert_eq!(queue.try_iter().count(), 2);
    ready.clear().unwrap();
    assert!(!is_readable(0));
    queue.send(3).unwrap();
    assert!(is_readable(20_000));
}

/// A fault that was there once: the child has no number of its own before its first operation.
#[test]
fn a_forked_child_clears_its_own_descriptor() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    queue.send(1).unwrap();
    let child = fork(|| i32::from(!queue.readable().descriptor().is_ok_and(|own| own.clear().is_ok())));
    assert_eq!(wait(child), 0);
}

/// It would take the parent's notification away.
#[test]
fn a_forked_child_does_not_clear_its_parents_descriptor() {
    let queue = Queue::<u64>::anonymous(4).unwrap();
    let ready = queue.readable().descriptor().unwrap();
    queue.send(1).unwrap();
    assert!(is_readable(&ready, 20_000));
    let child = fork(|| i32::from(!matches!(ready.clear(), Err(ReadyFdError::OfAnotherProcess))));
    assert_eq!(wait(child), 0);
    assert!(is_readable(&ready, 0));
}

/// Whether a descriptor is readable, or becomes so in time.
fn is_readable(ready: &outlive::ReadyFd<'_>, timeout: i32) -> bool {
    use std::os::fd::AsRawFd;
    let mut poll = libc::pollfd { fd: ready.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid entry.
    unsafe { libc::poll(&mut poll, 1, timeout) == 1 }
}

#[test]
fn descriptors_of_a_task_queue_become_readable() {
    let jobs = TaskQueue::<u64>::anonymous(1).unwrap();
    let [task, room, end] =
        [jobs.readable(), jobs.writable(), jobs.when_done()].map(|source| source.descriptor().unwrap());
    let all = |timeout| [&task, &room, &end].map(|ready| is_readable(ready, timeout));
    let clear = || [&task, &room, &end].iter().for_each(|ready| ready.clear().unwrap());
    assert_eq!(all(0), [false, true, true]);
    jobs.send(7).unwrap();
    assert!(is_readable(&task, 20_000));
    clear();
    assert_eq!(all(0), [true, false, false]);
    let job = jobs.try_take().unwrap();
    clear();
    assert_eq!(all(0), [false; 3]);
    job.done().unwrap();
    assert!(is_readable(&room, 20_000) && is_readable(&end, 20_000));
    clear();
    assert_eq!(all(0), [false, true, true]);
}

#[test]
fn a_full_segment_is_an_error_of_the_future() {
    #[derive(Shareable)]
    #[repr(C)]
    struct One {
        event: Event,
    }
    let segment = Segment::<One>::options().participants(1).anonymous(|_, _| {}).unwrap();
    // This thread has the only slot, and the thread that sleeps for tasks finds none.
    assert!(matches!(block_on(segment.event.wait_async()), Err(outlive::WaitError::Register(_))));
}

#[test]
fn a_task_waits_for_a_process_that_takes_no_part() {
    let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let exit = ProcessExit::of_child(&child).unwrap();
    let (told, waker) = waker();
    let mut ready = exit.when_exited().unwrap().ready();
    assert!(poll_once(&mut ready, &waker).is_pending());
    drop(child.stdin.take());
    until_told(&told, 1);
    assert!(matches!(poll_once(&mut ready, &waker), Poll::Ready(Ok(()))));
    child.wait().unwrap();
}
