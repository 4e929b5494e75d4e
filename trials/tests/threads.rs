//! Raw primitives on the standard platform with real threads, for Miri and ThreadSanitizer. The
//! data that a primitive protects is plain memory here. So an access that comes too early is a data
//! race.

#![allow(clippy::disallowed_types)] // what is counted here must not go through the seam

use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::time::Duration;
use outlive::platform::Word64 as _;
use outlive::platform::{Platform, Word as _};
use outlive::raw::Deadline;
use outlive::raw::barrier::Passed;
use outlive::raw::ends::Ends;
use outlive::raw::message_queue::{Draft, Message, Messages};
use outlive::raw::once::Begun;
use outlive::raw::permit_pool::Taken;
use outlive::raw::pipe::{NotReady, Receiver, WORD, Words};
use outlive::raw::queue::{Cells, Claim, NotClaimed, Ring};
use outlive::raw::rwlock::Line;
use outlive::raw::table::{Newcomer, Participant};
use outlive::raw::task_queue::{SlotWords, Slots, Taken as Task, Tasks};
use outlive::raw::{
    Barrier, Cause, Condvar, Event, Mutex, Once, PermitPool, Pipe, Queue, ReentrantMutex, RwLock, Semaphore, TaskQueue,
};
use outlive_trials::message_queue::Letters;
use outlive_trials::standard::{Standard, Word, Word64, World};

/// Memory that is protected by a primitive.
#[derive(Debug, Default)]
struct Protected<T>(UnsafeCell<T>);
// SAFETY: the test gives it to one thread at a time, if the primitive under test does what it
// should.
unsafe impl<T: Send> Sync for Protected<T> {}

impl<T> Protected<T> {
    /// Changes the data, without any protection of its own.
    fn change(&self, change: impl FnOnce(&mut T)) {
        // SAFETY: the caller has exclusive access, if the primitive under test does what it should.
        change(unsafe { &mut *self.0.get() });
    }

    /// Reads the data, while others may read it, too.
    fn look(&self, look: impl FnOnce(&T)) {
        // SAFETY: no thread changes it meanwhile, if the primitive under test does what it should.
        look(unsafe { &*self.0.get() });
    }
}

impl<T: Copy> Protected<T> {
    fn get(&self) -> T {
        let mut value = None;
        self.look(|now| value = Some(*now));
        value.expect("looked at")
    }
}

const ROUNDS: u64 = if cfg!(miri) { 5 } else { 2_000 };

/// Runs `body` in so many registered threads, each with its number. Ends each thread as the kernel
/// would.
fn in_threads(count: usize, body: impl Fn(usize, Participant<'_, Standard>) + Sync) {
    let world = World::new(count);
    std::thread::scope(|scope| {
        for number in 0..count {
            let (world, body) = (&world, &body);
            scope.spawn(move || {
                let person = world.newcomer();
                let table = world.table();
                let id = table.register(&person).expect("a slot for each");
                body(number, Participant { id, table: &table });
                world.die(person.thread());
            });
        }
    });
}

#[test]
fn mutex() {
    let mutex = Mutex::<Standard>::from_word(Word::new(0));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        for _ in 0..ROUNDS {
            assert_eq!(mutex.lock(me, None).expect("waits").inconsistent, None);
            count.change(|count| *count += 1);
            mutex.unlock(0);
        }
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
}

#[test]
fn mutex_whose_holders_die() {
    let mutex = Mutex::<Standard>::from_word(Word::new(0));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        for _ in 0..ROUNDS {
            match mutex.lock(me, None) {
                Ok(acquired) => assert!(matches!(acquired.inconsistent, None | Some(Cause::Died(Some(_))))),
                Err(refusal) => panic!("waits forever, and got {refusal:?}"),
            }
            count.change(|count| *count += 1);
            mutex.mark_consistent();
            mutex.unlock(0);
        }
        let _dies_with_it = mutex.lock(me, None).expect("waits");
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
}

#[test]
fn mutex_with_short_timeouts() {
    let mutex = Mutex::<Standard>::from_word(Word::new(0));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        let mut done = 0;
        while done < ROUNDS {
            if mutex.lock(me, Some(Standard::now() + Duration::from_micros(50))).is_ok() {
                count.change(|count| *count += 1);
                mutex.unlock(0);
                done += 1;
            }
        }
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
}

#[test]
fn semaphore() {
    let permits = Semaphore::<Standard>::from_words(Word::new(1), Word::new(1), Word::new(0), Word::new(2));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        for _ in 0..ROUNDS {
            permits.acquire(me, 1, None).expect("waits");
            count.change(|count| *count += 1);
            permits.release(1).expect("as many as were taken");
        }
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
    assert_eq!(permits.available(), 1);
}

#[test]
fn permits_whose_holders_die() {
    let pool = PermitPool::<Standard, 2>::from_words(Word::new(0), Word::new(0), [Word::new(0), Word::new(0)]);
    let counts = [Protected::<u64>::default(), Protected::default()];
    in_threads(4, |number, me| {
        for _ in 0..ROUNDS {
            let Taken { index, .. } = pool.acquire(me, None).expect("waits");
            counts[index].change(|count| *count += 1);
            pool.release(index, me.id).expect("held");
        }
        if number < 3 {
            let _dies_with_it = pool.acquire(me, None).expect("waits");
        }
    });
    assert_eq!(counts.map(|count| count.0.into_inner()).iter().sum::<u64>(), 4 * ROUNDS);
}

#[test]
fn readers_and_writers() {
    let line = || Line::new(Word::new(0));
    let lock = RwLock::<Standard, 2>::from_lines(line(), [line(), line()]);
    let pair = Protected::<[u64; 2]>::default();
    in_threads(4, |number, me| {
        for round in 0..ROUNDS {
            if (round + number as u64) % 4 == 0 {
                let _ = lock.write(me, Deadline::By(None)).expect("waits");
                pair.change(|pair| pair.iter_mut().for_each(|half| *half += 1));
                if round % 8 < 4 {
                    lock.unlock_write(0);
                    continue;
                }
                let reading = lock.downgrade(me, 0);
                pair.look(|pair| assert_eq!(pair[0], pair[1]));
                lock.unlock_read(reading.word);
            } else {
                let reading = lock.read(me, Deadline::By(None)).expect("waits");
                pair.look(|pair| assert_eq!(pair[0], pair[1]));
                lock.unlock_read(reading.word);
            }
        }
    });
}

#[test]
fn writers_and_readers_who_die() {
    let line = || Line::new(Word::new(0));
    let lock = RwLock::<Standard, 4>::from_lines(line(), [line(), line(), line(), line()]);
    let pair = Protected::<[u64; 2]>::default();
    in_threads(4, |number, me| {
        for _ in 0..ROUNDS / 2 {
            let reading = lock.read(me, Deadline::By(None)).expect("waits");
            pair.look(|pair| assert!(reading.inconsistent.is_some() || pair[0] == pair[1]));
            lock.unlock_read(reading.word);
            let _ = lock.write(me, Deadline::By(None)).expect("waits");
            pair.change(|pair| *pair = [pair[0] + 1; 2]);
            lock.mark_consistent();
            lock.unlock_write(0);
        }
        if number % 2 == 0 {
            let _dies_with_it = lock.write(me, Deadline::By(None)).expect("waits");
            pair.change(|pair| pair[0] += 1);
        } else {
            let _dies_with_it = lock.read(me, Deadline::By(None)).expect("waits");
        }
    });
}

#[test]
fn reentrant() {
    let mutex = ReentrantMutex::<Standard>::from_words(Word::new(0), Word::new(0));
    let count = Protected::<u64>::default();
    in_threads(3, |_, me| {
        for _ in 0..ROUNDS {
            let _ = mutex.lock(me, None).expect("waits");
            let _ = mutex.lock(me, None).expect("once more");
            count.change(|count| *count += 1);
            mutex.release(me.id, 0).expect("held twice");
            count.change(|count| *count += 1);
            mutex.release(me.id, 0).expect("held");
        }
        let _dies_with_it = mutex.lock(me, None).expect("waits");
        mutex.mark_consistent();
    });
    assert_eq!(count.0.into_inner(), 6 * ROUNDS);
}

#[test]
fn items_behind_a_condvar() {
    let (mutex, more) =
        (Mutex::<Standard>::from_word(Word::new(0)), Condvar::<Standard>::from_words(Word::new(0), Word::new(0)));
    let items = Protected::<u64>::default();
    in_threads(4, |number, me| {
        for _ in 0..ROUNDS {
            let _ = mutex.lock(me, None).expect("waits");
            if number % 2 == 0 {
                items.change(|items| *items += 1);
                if number == 0 {
                    more.notify_holding(me, 1, |_| Some(&mutex));
                    mutex.unlock(0);
                } else {
                    mutex.unlock(0);
                    more.notify(Some(me.table), 1);
                }
                continue;
            }
            while items.get() == 0 {
                // A thread that has taken its last item leaves. All others recheck, which is a
                // spurious return.
                let waited = more.wait(me, true, None, 1, || mutex.unlock(0));
                let _ = mutex.lock(me, None).expect("waits");
                let _whatever = more.leave(me, waited, &mutex);
            }
            items.change(|items| *items -= 1);
            mutex.unlock(0);
        }
    });
    assert_eq!(items.0.into_inner(), 0);
}

#[test]
fn an_event_that_resets_itself() {
    let event = Event::<Standard>::from_word(Word::new(Event::<Standard>::AUTO_RESET));
    let count = Protected::<u64>::default();
    event.set();
    in_threads(3, |_, me| {
        for _ in 0..ROUNDS {
            event.wait(me, None).expect("waits");
            count.change(|count| *count += 1);
            event.set();
        }
    });
    assert_eq!(count.0.into_inner(), 3 * ROUNDS);
}

#[test]
fn an_event_that_stays_set() {
    for _ in 0..ROUNDS / 5 {
        let event = Event::<Standard>::from_word(Word::new(0));
        let message = Protected::<u64>::default();
        in_threads(3, |number, me| {
            if number == 0 {
                message.change(|message| *message = 7);
                event.set();
            } else {
                event.wait(me, None).expect("waits");
                message.look(|message| assert_eq!(*message, 7));
            }
        });
    }
}

#[test]
fn barrier() {
    let zero = || Word::new(0);
    // Two bits: the generations wrap all the time.
    let barrier = Barrier::<Standard, 3, 2>::from_parts(
        Word64::new(0),
        zero(),
        zero(),
        core::array::from_fn(|_| zero()),
        core::array::from_fn(|_| Word64::new(0)),
    );
    let places: [Protected<u64>; 3] = Default::default();
    let sums: [Protected<u64>; 2] = Default::default();
    in_threads(3, |number, me| {
        for round in 0..ROUNDS / 5 {
            places[number].change(|place| *place = round);
            match barrier.wait(me, None, round % 2 == 1).expect("all of them come") {
                Passed::Runner { generation, .. } => {
                    sums[0].change(|sum| *sum += places.iter().map(Protected::get).sum::<u64>());
                    barrier.finish(me, generation).expect("all of them are there");
                }
                Passed::Leader { .. } => sums[1].change(|sum| *sum += 1),
                Passed::Follower { .. } => {}
            }
            places.iter().for_each(|place| assert_eq!(place.get(), round));
            let _ = barrier.wait(me, None, false).expect("all of them come");
        }
        // A thread that leaves now has been released, and the others do not miss it.
    });
}

#[test]
fn once() {
    for _ in 0..ROUNDS / 5 {
        let once = Once::<Standard>::from_word(Word::new(0));
        let value = Protected::<u64>::default();
        in_threads(4, |number, me| {
            while let Begun::Ours { earlier } = once.begin(me).expect("the thread is not the initialiser") {
                value.change(|value| *value += 1);
                match number {
                    0 => return, // the initialiser dies
                    1 if earlier.is_none() => once.end(Err(None)),
                    _ => once.end(Ok(())),
                }
            }
            value.look(|value| assert!(*value >= 1));
            assert!(once.is_complete());
        });
    }
}

/// A queue whose items are plain memory. Laps have two bits, and wrap all the time.
#[derive(Debug)]
struct Items<const N: usize> {
    queue: Queue<Standard, 2>,
    words: [Word64; N],
    items: [Protected<u64>; N],
}

impl<const N: usize> Cells<Standard> for Items<N> {
    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64 {
        &self.words[index]
    }
}

impl<const N: usize> Items<N> {
    fn new() -> Self {
        Self {
            queue: Queue::from_words(Word64::new(0), Word64::new(0), Word::new(0), Word::new(0), Ends::default()),
            words: core::array::from_fn(|_| Word64::new(0)),
            items: core::array::from_fn(|_| Protected::default()),
        }
    }
    fn ring(&self) -> Ring<'_, Standard, Self, 2> {
        self.queue.with(self)
    }
    fn write(&self, claim: Claim, item: u64) {
        self.items[claim.index()].change(|place| *place = item);
    }
    fn send(&self, me: Participant<'_, Standard>, item: u64) {
        let claim = self.ring().claim_free(me, None).expect("waits");
        self.write(claim, item);
        self.ring().publish(claim);
    }
    fn receive(&self, me: Participant<'_, Standard>) -> Option<u64> {
        let claim = match self.ring().claim_full(me, None) {
            Ok(claim) => claim,
            Err(NotClaimed::Closed) => return None,
            Err(error) => panic!("waits, and got {error:?}"),
        };
        let item = self.items[claim.index()].get();
        self.ring().finish(claim);
        Some(item)
    }
}

/// Two producers and two consumers. The last producer closes the queue. The hundreds of a number
/// are its place in the order of its producer.
fn items_of_a_queue_in_threads<const N: usize>(
    send: impl Fn(&Items<N>, Participant<'_, Standard>, &[u64]) + Sync,
    ends: impl Fn(&Items<N>, Participant<'_, Standard>) + Sync,
) -> Vec<u64> {
    let queue = Items::<N>::new();
    let producers = std::sync::atomic::AtomicUsize::new(2);
    let received = std::sync::Mutex::new(vec![]);
    in_threads(4, |number, me| {
        if number < 2 {
            let items: Vec<_> = (1..=ROUNDS).map(|round| 100 * round + number as u64).collect();
            items.chunks(2).for_each(|items| send(&queue, me, items));
            if producers.fetch_sub(1, SeqCst) == 1 {
                queue.ring().close();
            }
        } else {
            let mine: Vec<_> = std::iter::from_fn(|| queue.receive(me)).collect();
            for producer in 0..2 {
                assert!(mine.iter().filter(|item| *item % 100 == producer).is_sorted(), "{mine:?}");
            }
            received.lock().expect("no panic inside").extend(mine);
        }
        ends(&queue, me);
    });
    let mut received = received.into_inner().expect("no panic inside");
    received.sort_unstable();
    received
}

fn all_items() -> Vec<u64> {
    (1..=ROUNDS).flat_map(|round| [100 * round, 100 * round + 1]).collect()
}

#[test]
fn items_of_a_queue() {
    let one_by_one = |queue: &Items<1>, me: Participant<'_, Standard>, items: &[u64]| {
        items.iter().for_each(|item| queue.send(me, *item));
    };
    assert_eq!(items_of_a_queue_in_threads(one_by_one, |_, _| {}), all_items());
    let one_by_one = |queue: &Items<3>, me: Participant<'_, Standard>, items: &[u64]| {
        items.iter().for_each(|item| queue.send(me, *item));
    };
    assert_eq!(items_of_a_queue_in_threads(one_by_one, |_, _| {}), all_items());
}

#[test]
fn items_of_a_queue_in_batches() {
    let in_batches = |queue: &Items<3>, me: Participant<'_, Standard>, mut items: &[u64]| {
        while let [first, rest @ ..] = items {
            let mut count = 0;
            while let Some(item) = items.first() {
                let Ok(claim) = queue.ring().try_claim_free(me) else { break };
                queue.write(claim, *item);
                queue.ring().publish_quietly(claim);
                (items, count) = (&items[1..], count + 1);
            }
            if count > 0 {
                queue.ring().announce_items(count);
            } else {
                queue.send(me, *first);
                items = rest;
            }
        }
    };
    assert_eq!(items_of_a_queue_in_threads(in_batches, |_, _| {}), all_items());
}

/// Two producers die while they fill a cell. Two consumers die while they take an item, which the
/// last thread receives. All of them use the item before.
#[test]
fn a_queue_whose_users_die() {
    for _ in 0..ROUNDS / 5 {
        let queue = Items::<2>::new();
        let sum = Protected::<u64>::default();
        // Relaxed, so that it orders nothing that the queue should order.
        let claimed = std::sync::atomic::AtomicUsize::new(0);
        in_threads(5, |number, me| match number {
            0 | 1 => {
                queue.send(me, 10 + number as u64);
                let dies_with_it = queue.ring().claim_free(me, None).expect("waits");
                queue.write(dies_with_it, 1_000);
            }
            2 | 3 => {
                let dies_with_it = queue.ring().claim_full(me, None).expect("waits");
                assert!([10, 11].contains(&queue.items[dies_with_it.index()].get()));
                claimed.fetch_add(1, Relaxed);
            }
            _ => {
                // Otherwise no item would be left for the consumers.
                while claimed.load(Relaxed) < 2 {
                    std::thread::yield_now();
                }
                for _ in 0..2 {
                    let item = queue.receive(me).expect("it is open");
                    sum.change(|sum| *sum += item);
                }
            }
        });
        assert_eq!(sum.0.into_inner(), 10 + 11);
    }
}

/// A `raw::MessageQueue` whose blocks are plain memory: a number each. Laps have two bits.
struct Numbers<const N: usize, const K: usize>(Letters<Protected<u64>, N, K, 2>);

impl<const N: usize, const K: usize> Numbers<N, K> {
    fn new() -> Self {
        Self(Letters::new(Protected::default))
    }
    fn messages(&self) -> Messages<'_, Standard, Letters<Protected<u64>, N, K, 2>, 2> {
        self.0.messages()
    }
    fn write(&self, draft: &Draft, number: u64, length: usize) {
        let mut place = Some(self.messages().first_place(draft));
        for _ in 0..length {
            let here = place.expect("there is room");
            self.0.block(here).change(|block| *block = number);
            place = self.messages().next_place(draft, here);
        }
    }
    fn send(&self, me: Participant<'_, Standard>, number: u64, length: usize) {
        let draft = self.messages().start(me, Deadline::By(None), length).expect("waits");
        self.write(&draft, number, length);
        self.messages().publish(draft, length);
    }
    /// Writes a whole block more than it sends, if there is one.
    fn send_growing(&self, me: Participant<'_, Standard>, number: u64, length: usize) {
        let mut draft = self.messages().start(me, Deadline::By(None), 0).expect("waits");
        while self.messages().room(&draft) <= length && self.messages().grow(me, &mut draft) {}
        let room = self.messages().room(&draft);
        self.write(&draft, number, room);
        if room < length {
            self.messages().give_up(draft);
            self.send(me, number, length);
        } else {
            self.messages().publish(draft, length);
        }
    }
    /// The number of a message, and its length.
    fn read(&self, message: &Message) -> (u64, usize) {
        let blocks: Vec<_> =
            self.messages().pieces(message).map(|piece| self.0.block(piece.expect("whole").place).get()).collect();
        assert!(blocks.iter().all(|block| *block == blocks[0]), "parts of different messages: {blocks:?}");
        (blocks[0], blocks.len())
    }
    fn receive(&self, me: Participant<'_, Standard>) -> Option<(u64, usize)> {
        let message = match self.messages().take(me, Deadline::By(None)) {
            Ok(message) => message,
            Err(NotClaimed::Closed) => return None,
            Err(error) => panic!("waits, and got {error:?}"),
        };
        let received = self.read(&message);
        self.messages().finish(message);
        Some(received)
    }
}

/// Two senders and two receivers. The last sender closes the queue. The hundreds of a number are
/// its place in the order of its sender, and say how long the message is.
#[test]
fn messages_of_a_queue() {
    let queue = Numbers::<2, 3>::new();
    let length = |round: u64| 1 + round as usize % 4;
    let senders = std::sync::atomic::AtomicUsize::new(2);
    let received = std::sync::Mutex::new(vec![]);
    in_threads(4, |number, me| {
        if number < 2 {
            for round in 1..=ROUNDS {
                let text = 100 * round + number as u64;
                match round % 3 {
                    0 => queue.send_growing(me, text, length(round)),
                    _ => queue.send(me, text, length(round)),
                }
            }
            if senders.fetch_sub(1, SeqCst) == 1 {
                queue.messages().ring().close();
            }
        } else {
            let mine: Vec<_> = std::iter::from_fn(|| queue.receive(me)).collect();
            for sender in 0..2 {
                let is_its = |(text, _): &&(u64, usize)| text % 100 == sender;
                assert!(mine.iter().filter(is_its).map(|(text, _)| text).is_sorted(), "{mine:?}");
            }
            assert!(mine.iter().all(|(text, has)| *has == length(text / 100)), "{mine:?}");
            received.lock().expect("no panic inside").extend(mine.into_iter().map(|(text, _)| text));
        }
    });
    let mut received = received.into_inner().expect("no panic inside");
    received.sort_unstable();
    assert_eq!(received, all_items());
}

/// Two senders die while they write a long message. Two receivers die while they read one, which
/// the last thread receives. The pool suffices for two messages.
#[test]
fn a_queue_of_messages_whose_users_die() {
    for _ in 0..ROUNDS / 5 {
        let queue = Numbers::<4, 6>::new();
        let sum = Protected::<u64>::default();
        // Relaxed, so that it orders nothing that the queue should order.
        let taken = std::sync::atomic::AtomicUsize::new(0);
        in_threads(5, |number, me| match number {
            0 | 1 => {
                queue.send(me, 10 + number as u64, 3);
                let dies_with_it = queue.messages().start(me, Deadline::By(None), 2).expect("waits");
                queue.write(&dies_with_it, 1_000, 2);
            }
            2 | 3 => {
                let dies_with_it = queue.messages().take(me, Deadline::By(None)).expect("waits");
                assert!([(10, 3), (11, 3)].contains(&queue.read(&dies_with_it)));
                taken.fetch_add(1, Relaxed);
            }
            _ => {
                // Otherwise no message would be left for the receivers.
                while taken.load(Relaxed) < 2 {
                    std::thread::yield_now();
                }
                for _ in 0..2 {
                    let (text, _) = queue.receive(me).expect("it is open");
                    sum.change(|sum| *sum += text);
                }
                queue.send(me, 12, 7); // takes all blocks
                // A sender that has not begun its second message needs one of them.
                assert_eq!(queue.receive(me).expect("it is open").0, 12);
            }
        });
        assert_eq!(sum.0.into_inner(), 10 + 11);
    }
}

/// The words of a ring, and its bytes in plain memory: one number in each word.
#[derive(Debug)]
struct Piped<const N: usize> {
    pipe: Pipe<Standard>,
    words: [Word64; N],
    numbers: [Protected<u64>; N],
}

impl<const N: usize> Words<Standard> for Piped<N> {
    fn count(&self) -> u64 {
        N as u64
    }
    fn word(&self, position: u64) -> &Word64 {
        &self.words[position as usize % N]
    }
}

impl<const N: usize> Piped<N> {
    fn new() -> Self {
        let words = core::array::from_fn(|_| Word::new(0));
        Self {
            pipe: Pipe::from_words(Word64::new(0), Word64::new(0), words),
            words: core::array::from_fn(|_| Word64::new(0)),
            numbers: core::array::from_fn(|_| Protected::default()),
        }
    }

    /// Takes the sender, sends numbers from 1 on, each in so many words, and gives the sender back.
    fn send(&self, me: Participant<'_, Standard>, last: u64) {
        let lane = self.pipe.with(self);
        let mut sender = lane.take_sender(me).expect("free");
        for number in 1..=last {
            let frame = lane.frame(&sender, (1 + number % 2) * WORD, false);
            if !lane.has_room_for(&mut sender, &frame) {
                lane.reserve(me, &mut sender, &frame, None).expect("received");
            }
            for word in 0..frame.bytes() / WORD {
                self.numbers[(frame.data() + word) as usize % N].change(|place| *place = number);
            }
            lane.publish(&mut sender, frame);
        }
        lane.give_back_sender(&sender);
    }

    /// Receives the next number, if there is one.
    fn receive(&self, me: Participant<'_, Standard>, receiver: &mut Receiver) -> Result<u64, NotReady> {
        let lane = self.pipe.with(self);
        let frame = lane.next_frame(me, receiver, None)?;
        let number = self.numbers[frame.data() as usize % N].get();
        for word in 0..frame.bytes() / WORD {
            assert_eq!(self.numbers[(frame.data() + word) as usize % N].get(), number);
        }
        assert_eq!(frame.bytes(), (1 + number % 2) * WORD);
        lane.finish(receiver, frame);
        Ok(number)
    }
}

#[test]
fn a_pipe() {
    let pipe = Piped::<8>::new();
    in_threads(2, |thread, me| match thread {
        0 => pipe.send(me, ROUNDS),
        _ => {
            let mut receiver = pipe.pipe.with(&pipe).take_receiver(me).expect("free");
            for number in 1..=ROUNDS {
                assert_eq!(pipe.receive(me, &mut receiver), Ok(number));
            }
            let end = pipe.receive(me, &mut receiver);
            assert!(matches!(end, Err(NotReady::Closed)), "{end:?}");
        }
    });
}

/// The receiver dies after some messages. The next thread takes its end over, and receives the
/// rest.
#[test]
fn a_pipe_whose_receiver_dies() {
    for _ in 0..ROUNDS / 5 {
        let pipe = Piped::<16>::new(); // there is room for all, so the sender notices no death
        // Relaxed, so that it orders nothing that the pipe should order.
        let received = std::sync::atomic::AtomicU64::new(0);
        in_threads(3, |thread, me| match thread {
            0 => pipe.send(me, 5),
            1 => {
                let mut dies_with_it = pipe.pipe.with(&pipe).take_receiver(me).expect("free");
                for number in 1..=2 {
                    assert_eq!(pipe.receive(me, &mut dies_with_it), Ok(number));
                }
                received.store(2, Relaxed);
            }
            _ => {
                while received.load(Relaxed) == 0 {
                    std::thread::yield_now();
                }
                let mut receiver = loop {
                    match pipe.pipe.with(&pipe).take_receiver(me) {
                        Ok(receiver) => break receiver,
                        Err(_) => std::thread::yield_now(), // it has not died yet
                    }
                };
                for number in 3..=5 {
                    assert_eq!(pipe.receive(me, &mut receiver), Ok(number));
                }
            }
        });
    }
}

/// A task queue whose items are plain memory. Laps have two bits, and wrap all the time.
#[derive(Debug)]
struct Jobs<const N: usize> {
    queue: TaskQueue<Standard, 2>,
    words: [SlotWords<Standard>; N],
    items: [Protected<u64>; N],
}

impl<const N: usize> Cells<Standard> for Jobs<N> {
    const ITEMS_ARE_HINTS: bool = true;

    fn capacity(&self) -> usize {
        N
    }
    fn word(&self, index: usize) -> &Word64 {
        self.words[index].cell()
    }
}

impl<const N: usize> Slots<Standard> for Jobs<N> {
    fn slot(&self, index: usize) -> &SlotWords<Standard> {
        &self.words[index]
    }
}

impl<const N: usize> Jobs<N> {
    fn new() -> Self {
        let ring = Queue::from_words(Word64::new(0), Word64::new(0), Word::new(0), Word::new(0), Ends::default());
        Self {
            queue: TaskQueue::from_words(ring, [0; 4]),
            words: core::array::from_fn(|_| SlotWords::default()),
            items: core::array::from_fn(|_| Protected::default()),
        }
    }
    fn tasks(&self) -> Tasks<'_, Standard, Self, 2> {
        self.queue.with(self)
    }
    fn send(&self, me: Participant<'_, Standard>, item: u64) {
        let loan = self.tasks().reserve(me, None).expect("waits");
        self.items[loan.index()].change(|place| *place = item);
        self.tasks().publish(loan, Some(me)).expect("the caller fills it");
    }
    fn take(&self, me: Participant<'_, Standard>) -> Option<Task> {
        match self.tasks().take(me, None) {
            Ok(task) => Some(task),
            Err(NotClaimed::Closed) => None,
            Err(error) => panic!("waits, and got {error:?}"),
        }
    }
}

/// Two producers and two workers. Each task fails once, and is changed by then. The producer that
/// ends last waits until all is done, and closes the queue.
fn jobs_of_a_task_queue_in_threads<const N: usize>() -> Vec<u64> {
    let jobs = Jobs::<N>::new();
    let producers = std::sync::atomic::AtomicUsize::new(2);
    let done = std::sync::Mutex::new(vec![]);
    in_threads(4, |number, me| {
        if number < 2 {
            (1..=ROUNDS).for_each(|round| jobs.send(me, 100 * round + number as u64));
            if producers.fetch_sub(1, SeqCst) == 1 {
                jobs.tasks().wait_until_done(me, None).expect("waits");
                assert_eq!((jobs.tasks().len(), jobs.tasks().in_flight()), (0, 0));
                jobs.tasks().close();
            }
            return;
        }
        while let Some(task) = jobs.take(me) {
            let item = &jobs.items[task.index()];
            if jobs.tasks().attempts(task) == 1 {
                item.change(|item| *item += 1_000_000);
                jobs.tasks().fail(task).expect("the caller has it");
            } else {
                done.lock().expect("no panic inside").push(item.get());
                jobs.tasks().done(task).expect("the caller has it");
            }
        }
    });
    let mut done = done.into_inner().expect("no panic inside");
    done.sort_unstable();
    done
}

#[test]
fn jobs_of_a_task_queue() {
    let expected: Vec<_> = all_items().into_iter().map(|item| item + 1_000_000).collect();
    assert_eq!(jobs_of_a_task_queue_in_threads::<1>(), expected);
    assert_eq!(jobs_of_a_task_queue_in_threads::<3>(), expected);
}

/// Two producers die with a loan. Two workers die with a task, which the last thread does. All of
/// them use the item before.
#[test]
fn a_task_queue_whose_users_die() {
    for _ in 0..ROUNDS / 5 {
        let jobs = Jobs::<4>::new();
        let sum = Protected::<u64>::default();
        // Relaxed, so that it orders nothing that the queue should order.
        let taken = std::sync::atomic::AtomicUsize::new(0);
        in_threads(5, |number, me| match number {
            0 | 1 => {
                jobs.send(me, 10 + number as u64);
                let dies_with_it = jobs.tasks().reserve(me, None).expect("waits");
                jobs.items[dies_with_it.index()].change(|item| *item = 1_000);
            }
            2 | 3 => {
                let dies_with_it = jobs.tasks().take(me, None).expect("waits");
                jobs.items[dies_with_it.index()].change(|item| *item += 100);
                taken.fetch_add(1, Relaxed);
            }
            _ => {
                // Otherwise no task would be left for the workers.
                while taken.load(Relaxed) < 2 {
                    std::thread::yield_now();
                }
                for _ in 0..2 {
                    let task = jobs.take(me).expect("it is open");
                    sum.change(|sum| *sum += jobs.items[task.index()].get());
                    jobs.tasks().done(task).expect("the caller has it");
                }
            }
        });
        assert_eq!(sum.0.into_inner(), 10 + 11 + 200);
    }
}

/// A fault that was there once, and that ThreadSanitizer sees: a leaving thread read the whole
/// segment, including memory that others were writing.
#[test]
#[cfg_attr(miri, ignore = "Miri has no memfd")]
fn a_thread_leaves_while_another_writes() {
    let segment = outlive::Segment::<outlive::Mutex<[u64; 64]>>::anonymous(|_zero| {}).expect("a segment");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                segment.lock().expect("free").fill(round);
            }
        });
        scope.spawn(|| {
            for _ in 0..ROUNDS / 10 {
                segment.attach().expect("room");
                segment.detach().expect("nothing is held");
            }
        });
    });
}
