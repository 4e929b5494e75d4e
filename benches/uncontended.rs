//! What an operation costs without contention, which every user pays every time.

#![allow(clippy::disallowed_types)] // the word of the floor is no part of an algorithm

use outlive::{
    ArrayQueue, ArrayTaskQueue, Barrier, Condvar, Event, Lock, MessageQueue, Mutex, Once, OnceLock, PermitPool, Pipe,
    ReentrantMutex, RwLock, Segment, Semaphore, Shareable, wait_any,
};
use outlive_benches::compare::{candidate, group};
use outlive_benches::peers::{Cond, Floor, Pthread, PthreadRwLock, Ring, Robustness, Sem, Std};
use outlive_benches::process::stay_on_this_processor;
use std::error::Error;
use std::hint::black_box;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Shareable)]
#[repr(C, align(64))]
struct Ours {
    mutex: Mutex<u64>,
    apart: [u64; 6],
    lock: Lock,
    reentrant: ReentrantMutex<u64>,
}

const FLOOR: &str = "floor: cas + swap";
const PSHARED: &str = "pthread pshared";

fn main() -> Result<(), Box<dyn Error>> {
    stay_on_this_processor();
    mutexes()?;
    semaphores()?;
    read_write_locks()?;
    queues()?;
    signals()?;
    waits_for_any()
}

/// A segment that holds one of glibc's objects.
fn peer<T: Shareable + Sync>(set_up: impl FnOnce(&mut T) -> std::io::Result<()>) -> Result<Segment<T>, Box<dyn Error>> {
    let mut answer = Ok(());
    let segment = Segment::anonymous(|new| answer = set_up(new))?;
    answer?;
    Ok(segment)
}

fn pay_the_floor(floor: &Floor, id: u32) {
    let word = black_box(floor);
    assert!(word.take(black_box(id)));
    word.give_back();
}

fn mutexes() -> Result<(), Box<dyn Error>> {
    let (first, second) = (Segment::<Ours>::anonymous(|_free| {})?, Segment::<Ours>::anonymous(|_free| {})?);
    let floor = Segment::<Floor>::anonymous(|_free| {})?;
    let pshared = peer::<Pthread>(|new| new.set_up(Robustness::Stalled))?;
    let robust = peer::<Pthread>(|new| new.set_up(Robustness::Robust))?;
    let std = Segment::<Std>::anonymous(Std::set_up)?;
    // SAFETY: set up in the line above, and no other process has the segment.
    let std = unsafe { std.get() };
    let (ours, other) = (&*first, &*second);
    let (floor, pshared, robust) = (&*floor, &*pshared, &*robust);
    let id = first.attach()?.word();
    group(
        "lock + unlock",
        vec![
            candidate(FLOOR, || pay_the_floor(floor, id)),
            candidate("outlive Mutex", || drop(black_box(&ours.mutex).lock().unwrap()))
                .at_most(1.3)
                .at_most_of(1.0, PSHARED),
            candidate("outlive Mutex, two segments in turn", {
                let mut pair = (&ours.mutex, &other.mutex);
                move || {
                    drop(black_box(pair.0).lock().unwrap());
                    pair = (pair.1, pair.0);
                }
            })
            .at_most(1.3)
            .at_most_of(1.0, PSHARED),
            candidate("outlive Lock, acquire + release", || {
                let lock = black_box(&ours.lock);
                lock.acquire().unwrap();
                lock.release().unwrap();
            })
            .at_most(1.2)
            .at_most_of(1.0, PSHARED),
            candidate("outlive Lock, guard", || drop(black_box(&ours.lock).lock().unwrap()))
                .at_most(1.2)
                .at_most_of(1.0, PSHARED),
            candidate("outlive ReentrantMutex", || drop(black_box(&ours.reentrant).lock().unwrap()))
                .at_most_of(1.3, "outlive Mutex"),
            candidate("std::sync::Mutex (threads only)", || drop(black_box(std).lock().unwrap())),
            candidate(PSHARED, || pthread(pshared)),
            candidate("pthread pshared robust", || pthread(robust)),
        ],
    );
    Ok(())
}

#[inline(always)]
fn pthread(mutex: &Pthread) {
    let mutex = black_box(mutex);
    assert_eq!(mutex.lock(), 0);
    // SAFETY: locked in the line above; there is no reference to the data.
    assert_eq!(unsafe { mutex.unlock() }, 0);
}

fn semaphores() -> Result<(), Box<dyn Error>> {
    #[derive(Shareable)]
    #[repr(C, align(64))]
    struct Ours {
        semaphore: Semaphore,
        apart: [u64; 7],
        pool: PermitPool<4>,
    }
    const SEM: &str = "sem_t";
    let ours = Segment::<Ours>::anonymous(|new| new.semaphore = Semaphore::new(1))?;
    let floor = Segment::<Floor>::anonymous(|_free| {})?;
    let sem = peer::<Sem>(|new| new.set_up(1))?;
    let id = ours.attach()?.word();
    group(
        "take + give back a permit",
        vec![
            candidate(FLOOR, || pay_the_floor(&floor, id)),
            candidate("outlive Semaphore", || {
                let semaphore = black_box(&ours.semaphore);
                semaphore.acquire().unwrap();
                semaphore.release().unwrap();
            })
            .at_most(1.25)
            .at_most_of(1.0, SEM),
            candidate("outlive PermitPool<4>", || drop(black_box(&ours.pool).permit().unwrap()))
                .at_most(1.7)
                .at_most_of(1.0, SEM),
            candidate(SEM, || {
                let sem = black_box(&*sem);
                assert_eq!((sem.wait(), sem.post()), (0, 0));
            }),
        ],
    );
    Ok(())
}

fn read_write_locks() -> Result<(), Box<dyn Error>> {
    const READ: &str = "pthread_rwlock read";
    const WRITE: &str = "pthread_rwlock write";
    let ours = Segment::<RwLock<u64>>::anonymous(|_free| {})?;
    let floor = Segment::<Floor>::anonymous(|_free| {})?;
    let collided = Segment::<RwLock<u64>>::anonymous(|_free| {})?;
    collide(&collided)?;
    let theirs = peer::<PthreadRwLock>(PthreadRwLock::set_up)?;
    let id = ours.attach()?.word();
    // Otherwise each turn would load the address from a `Segment` on the stack, and that load would
    // be measured, too.
    let (ours, collided) = (&*ours, &*collided);
    let unlock = |lock: &PthreadRwLock| {
        // SAFETY: locked by the caller.
        assert_eq!(unsafe { lock.unlock() }, 0);
    };
    group(
        "read lock + unlock, write lock + unlock",
        vec![
            candidate(FLOOR, || pay_the_floor(&floor, id)),
            candidate("outlive RwLock read", || drop(black_box(ours).read().unwrap()))
                .at_most(1.7)
                .at_most_of(1.0, READ),
            candidate("outlive RwLock read, after a collision", || drop(black_box(collided).read().unwrap()))
                .at_most(1.7)
                .at_most_of(1.0, READ),
            candidate("outlive RwLock write", || drop(black_box(ours).write().unwrap())).at_most_of(1.0, WRITE),
            candidate(READ, || {
                let lock = black_box(&*theirs);
                assert_eq!(lock.read(), 0);
                unlock(lock);
            }),
            candidate(WRITE, || {
                let lock = black_box(&*theirs);
                assert_eq!(lock.write(), 0);
                unlock(lock);
            }),
        ],
    );
    Ok(())
}

/// Lets a thread read while the caller reads, whose index modulo the number of reader words is the
/// caller's.
fn collide(ours: &Segment<RwLock<u64>>) -> Result<(), Box<dyn Error>> {
    let own = ours.attach()?.index();
    let _guard = ours.read().map_err(|error| error.to_string())?;
    let collides = || -> Result<bool, outlive::RegisterError> {
        let collides = ours.attach()?.index() % 16 == own % 16;
        if collides {
            drop(ours.read().expect("nobody writes"));
        }
        Ok(collides)
    };
    while !std::thread::scope(|scope| scope.spawn(collides).join()).expect("it does not panic")? {}
    Ok(())
}

/// One process sends an item, and receives it.
fn queues() -> Result<(), Box<dyn Error>> {
    const CELLS: usize = 1024;
    const BATCH: usize = 32;
    const RING: &str = "floor: bare ring, 64 bytes";
    type Long = [u64; 8];
    let ring = Segment::<Ring<u64, CELLS>>::anonymous(Ring::set_up)?;
    let queue = Segment::<ArrayQueue<u64, CELLS>>::anonymous(|_empty| {})?;
    let long_ring = Segment::<Ring<Long, CELLS>>::anonymous(Ring::set_up)?;
    let long_queue = Segment::<ArrayQueue<Long, CELLS>>::anonymous(|_empty| {})?;
    let messages = MessageQueue::anonymous(CELLS, CELLS * 64)?;
    let messages = &*messages;
    let pipe = Pipe::anonymous(CELLS * 64)?;
    let (mut sender, mut receiver) = (pipe.sender()?, pipe.receiver()?);
    let tasks = Segment::<ArrayTaskQueue<Long, CELLS>>::anonymous(|_empty| {})?;
    let (ring, queue, long_ring, long_queue, tasks) = (&*ring, &*queue, &*long_ring, &*long_queue, &*tasks);
    // The turns of a batch are the turns of its items: most do nothing, and each 32nd does all.
    let batch = || {
        let (items, mut received, mut turns) = ([[7; 8]; BATCH], Vec::with_capacity(BATCH), 0_usize);
        move || {
            turns += 1;
            if turns % BATCH == 0 {
                long_queue.send_batch(black_box(&items)).unwrap();
                assert_eq!(long_queue.recv_batch(&mut received, BATCH), Ok(BATCH));
                black_box(&mut received).clear();
            }
        }
    };
    group(
        "send + recv",
        vec![
            candidate("floor: bare ring, 8 bytes", || {
                let ring = black_box(ring);
                assert!(ring.try_send(black_box(7)));
                black_box(ring.try_recv()).unwrap();
            }),
            candidate("outlive ArrayQueue, 8 bytes", || {
                let queue = black_box(queue);
                queue.send(black_box(7)).unwrap();
                black_box(queue.recv()).unwrap();
            }),
            candidate(RING, || {
                let ring = black_box(long_ring);
                assert!(ring.try_send(black_box([7; 8])));
                black_box(ring.try_recv()).unwrap();
            }),
            candidate("outlive ArrayQueue, 64 bytes", || {
                let queue = black_box(long_queue);
                queue.send(black_box([7; 8])).unwrap();
                black_box(queue.recv()).unwrap();
            })
            .at_most_of(3.0, RING),
            candidate("outlive ArrayQueue, 64 bytes, one of a batch of 32", batch()).at_most_of(1.0, RING),
            candidate("outlive MessageQueue, 64 bytes", || {
                let queue = black_box(messages);
                queue.send_bytes(black_box(&[7; 64])).unwrap();
                black_box(queue.recv_into(&mut [0; 64])).unwrap();
            }),
            candidate("outlive Pipe, 64 bytes", move || {
                sender.send_bytes(black_box(&[7; 64])).unwrap();
                black_box(receiver.recv_into(&mut [0; 64])).unwrap();
            }),
            candidate("outlive ArrayTaskQueue, 64 bytes, until it is done", || {
                let tasks = black_box(tasks);
                tasks.send(black_box([7; 8])).unwrap();
                let task = tasks.take().unwrap();
                black_box(&*task);
                task.done().unwrap();
            }),
        ],
    );
    Ok(())
}

/// Operations that signal or check, while nobody waits. Each needs only one load of one word.
fn signals() -> Result<(), Box<dyn Error>> {
    #[derive(Shareable)]
    #[repr(C, align(64))]
    struct Ours {
        event: Event,
        condvar: Condvar,
        once: Once,
        made: OnceLock<u64>,
        barrier: Barrier<1>,
        number: AtomicU32,
    }
    let ours = Segment::<Ours>::anonymous(|_zero| {})?;
    ours.event.set()?;
    ours.once.call_once(|| ())?;
    ours.made.get_or_init(|| 7)?;
    let cond = peer::<Cond>(Cond::set_up)?;
    group(
        "nobody waits",
        vec![
            candidate("floor: load", || {
                black_box(black_box(&ours.number).load(Ordering::Acquire));
            }),
            candidate("outlive Event::is_set", || {
                black_box(black_box(&ours.event).is_set());
            })
            .at_most(1.3),
            candidate("outlive OnceLock::get", || {
                black_box(black_box(&ours.made).get());
            }),
            candidate("outlive Once::call_once", || {
                black_box(&ours.once).call_once(|| ()).unwrap();
            }),
            candidate("outlive Barrier of one", || {
                black_box(&ours.barrier).wait().unwrap();
            }),
            candidate("outlive Condvar::notify_one", || black_box(&ours.condvar).notify_one())
                .at_most_of(1.0, "pthread_cond_signal"),
            candidate("outlive Condvar::notify_all", || black_box(&ours.condvar).notify_all()),
            candidate("pthread_cond_signal", || {
                assert_eq!(black_box(&*cond).signal(), 0);
            }),
        ],
    );
    Ok(())
}

/// Several sources, the last of which is ready: nobody has to sleep. Their peer is poll(2) of as
/// many eventfds.
fn waits_for_any() -> Result<(), Box<dyn Error>> {
    const MOST: usize = 32;
    let events = Segment::<[Event; MOST]>::anonymous(|_zero| {})?;
    events[MOST - 1].set()?;
    let sources = events.each_ref().map(Event::when_set);
    let mut polled = vec![];
    let mut descriptors = vec![];
    for index in 0..MOST {
        // SAFETY: reads no memory.
        let descriptor = unsafe { libc::eventfd(u32::from(index == MOST - 1), libc::EFD_CLOEXEC) };
        if descriptor == -1 {
            return Err(std::io::Error::last_os_error().into());
        }
        // SAFETY: it was opened just now, for this value alone.
        descriptors.push(unsafe { OwnedFd::from_raw_fd(descriptor) });
        polled.push(libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 });
    }
    for count in [1, 8, MOST] {
        let (sources, mut polled) = (&sources[MOST - count..], polled[MOST - count..].to_vec());
        group(
            &format!("wait for any of {count}, the last of which is ready"),
            vec![
                candidate("floor: poll(2) of eventfds", move || {
                    // SAFETY: as many entries as it says.
                    assert_eq!(unsafe { libc::poll(black_box(polled.as_mut_ptr()), count as libc::nfds_t, -1) }, 1);
                }),
                candidate("outlive wait_any of events", || {
                    assert_eq!(wait_any(black_box(sources)).unwrap(), count - 1);
                })
                .at_most(1.0),
            ],
        );
    }
    drop(descriptors);
    Ok(())
}
