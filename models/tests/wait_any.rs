//! Models of `raw::wait_any`: a caller that waits for several sources, beside a waiter of one of
//! them. The caller takes what it was woken for, or takes nothing, or dies. No wake is lost.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::{Expect, Platform as _, Word as _, Word64 as _};
use outlive::raw::ends::Ends;
use outlive::raw::event::Set;
use outlive::raw::hold::HELD;
use outlive::raw::mutex::Free;
use outlive::raw::pipe::{self, Pipe, WORD, Words};
use outlive::raw::queue::{Cells, Readable, Writable};
use outlive::raw::task_queue::{Awaited, Loan, NotClaimed, SlotWords, Slots, Taken, TaskQueue, Tasks, Want};
use outlive::raw::wait_any::{Arming, Attendant, Attended, Death, NotReady, Of, Source, call, wait_any};
use outlive::raw::{Event, Leaked, Mutex, Participant, PermitPool, Queue, Semaphore};
#[cfg(feature = "loom")]
use outlive_models::Broken;
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, Word64, World, is_over};

use std::sync::Mutex as StdMutex;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

type Me<'t, B> = Participant<'t, Model<B>>;

/// The hold of participant 0.
const HELD_BY_0: u32 = HELD | 1 << 12;

/// Waits for the first of these sources.
fn first_of<B: Backend, const N: usize>(
    me: Me<'_, B>,
    sources: [&dyn Source<Model<B>>; N],
    deadline: Option<core::time::Duration>,
) -> Result<usize, NotReady> {
    wait_any(&sources.map(|source| Of { me, source }), 0, deadline)
}

/// A primitive as a source. At first it is not ready.
trait Thing<B: Backend>: Send + Sync + Sized + 'static {
    /// A taker that dies may leave the next one without what it should have passed on.
    const IS_PASSED_ON: bool = false;
    fn unready() -> Self;
    /// Participant 0 makes it ready for one more taker, or for all.
    fn make_ready(&self, me: Me<'_, B>);
    /// The supervisor does what 0 may not have done for so many takers. Nothing, if the death of 0
    /// has done it.
    fn stand_in(&self, _supervisor: Me<'_, B>, _takers: u32) {}
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R;
    /// Takes what makes it ready, as an own waiter.
    fn take(&self, me: Me<'_, B>);
    fn try_take(&self, me: Me<'_, B>) -> bool;
}

/// Each set releases one waiter, which sets again.
#[derive(Debug)]
struct Bell<B: Backend>(Event<Model<B>>);

impl<B: Backend> Thing<B> for Bell<B> {
    const IS_PASSED_ON: bool = true;
    fn unready() -> Self {
        Self(Event::from_word(Word::new(Event::<Model<B>>::AUTO_RESET)))
    }
    fn make_ready(&self, _me: Me<'_, B>) {
        self.0.set();
    }
    fn stand_in(&self, _supervisor: Me<'_, B>, _takers: u32) {
        self.0.set();
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&Set::new(&self.0))
    }
    fn take(&self, me: Me<'_, B>) {
        self.0.wait(me, None).expect("without a deadline it waits");
        self.0.set();
    }
    fn try_take(&self, _me: Me<'_, B>) -> bool {
        let taken = self.0.try_wait();
        if taken {
            self.0.set();
        }
        taken
    }
}

#[derive(Debug)]
struct Permits<B: Backend>(Semaphore<Model<B>>);

impl<B: Backend> Thing<B> for Permits<B> {
    fn unready() -> Self {
        Self(Semaphore::from_words(Word::new(0), Word::new(0), Word::constant(0), Word::constant(0)))
    }
    fn make_ready(&self, _me: Me<'_, B>) {
        self.0.release(1).expect("far from the maximum");
    }
    fn stand_in(&self, _supervisor: Me<'_, B>, takers: u32) {
        self.0.release(takers).expect("far from the maximum");
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&self.0)
    }
    fn take(&self, me: Me<'_, B>) {
        self.0.acquire(me, 1, None).expect("without a deadline it waits");
    }
    fn try_take(&self, _me: Me<'_, B>) -> bool {
        self.0.try_acquire(1).is_ok()
    }
}

/// Two permits, which 0 holds at first. Whoever takes one keeps it.
#[derive(Debug)]
struct Pool<B: Backend>(PermitPool<Model<B>, 2>);

impl<B: Backend> Thing<B> for Pool<B> {
    fn unready() -> Self {
        Self(PermitPool::from_words(Word::new(0), Word::constant(0), [HELD_BY_0; 2].map(Word::new)))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        let index = usize::from(self.0.holders().all(|(index, holder)| index != 0 || holder != me.id));
        self.0.release(index, me.id).expect("held from the start");
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&self.0)
    }
    fn take(&self, me: Me<'_, B>) {
        let _kept = self.0.acquire(me, None).expect("without a deadline it waits");
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.try_acquire(me).is_ok()
    }
}

/// 0 holds it at first. Whoever takes it releases it.
#[derive(Debug)]
struct Lock<B: Backend>(Mutex<Model<B>>);

impl<B: Backend> Thing<B> for Lock<B> {
    fn unready() -> Self {
        Self(Mutex::from_word(Word::new(HELD_BY_0)))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        if self.0.holder() == Some(me.id) {
            self.0.unlock(0);
        }
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&Free { mutex: &self.0, leaked: Leaked::Refuse, is_reentrant: false })
    }
    fn take(&self, me: Me<'_, B>) {
        let _inconsistent = self.0.lock(me, None).expect("without a deadline it waits");
        self.0.unlock(0);
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        let taken = self.0.try_lock(me).is_ok();
        if taken {
            self.0.unlock(0);
        }
        taken
    }
}

/// Two cells, without items.
#[derive(Debug)]
struct Two<B: Backend>([Word64<B>; 2]);

impl<B: Backend> Cells<Model<B>> for Two<B> {
    fn capacity(&self) -> usize {
        2
    }
    fn word(&self, index: usize) -> &Word64<B> {
        &self.0[index]
    }
}

/// A queue; at first it is empty.
#[derive(Debug)]
struct Items<B: Backend>(Queue<Model<B>, 3, 2>, Two<B>);

fn send<B: Backend>(queue: &Queue<Model<B>, 3, 2>, cells: &Two<B>, me: Me<'_, B>, waits: bool) -> bool {
    let ring = queue.with(cells);
    let claim = if waits { ring.claim_free(me, None) } else { ring.try_claim_free(me) };
    claim.map(|claim| ring.publish(claim)).is_ok()
}

fn receive<B: Backend>(queue: &Queue<Model<B>, 3, 2>, cells: &Two<B>, me: Me<'_, B>, waits: bool) -> bool {
    let ring = queue.with(cells);
    let claim = if waits { ring.claim_full(me, None) } else { ring.try_claim_full(me) };
    claim.map(|claim| ring.finish(claim)).is_ok()
}

fn queue<B: Backend>(cell: u64, tail: u64) -> (Queue<Model<B>, 3, 2>, Two<B>) {
    let queue = Queue::from_words(Word64::new(tail), Word64::new(0), Word::new(0), Word::new(0), Ends::default());
    (queue, Two([cell; 2].map(Word64::new)))
}

impl<B: Backend> Thing<B> for Items<B> {
    fn unready() -> Self {
        let (queue, cells) = queue(0, 0);
        Self(queue, cells)
    }
    fn make_ready(&self, me: Me<'_, B>) {
        assert!(send(&self.0, &self.1, me, true));
    }
    fn stand_in(&self, supervisor: Me<'_, B>, takers: u32) {
        (0..takers).for_each(|_| assert!(send(&self.0, &self.1, supervisor, true)));
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&Readable(self.0.with(&self.1)))
    }
    fn take(&self, me: Me<'_, B>) {
        assert!(receive(&self.0, &self.1, me, true));
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        receive(&self.0, &self.1, me, false)
    }
}

/// A queue; at first it is full.
#[derive(Debug)]
struct Room<B: Backend>(Queue<Model<B>, 3, 2>, Two<B>);

impl<B: Backend> Thing<B> for Room<B> {
    fn unready() -> Self {
        let (queue, cells) = queue(1 << 62, 1 << 32);
        Self(queue, cells)
    }
    fn make_ready(&self, me: Me<'_, B>) {
        assert!(receive(&self.0, &self.1, me, true));
    }
    fn stand_in(&self, supervisor: Me<'_, B>, takers: u32) {
        (0..takers).for_each(|_| assert!(receive(&self.0, &self.1, supervisor, true)));
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&Writable(self.0.with(&self.1)))
    }
    fn take(&self, me: Me<'_, B>) {
        assert!(send(&self.0, &self.1, me, true));
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        send(&self.0, &self.1, me, false)
    }
}

/// The words of a pipe's ring. A frame has two, and the ring has room for one.
#[derive(Debug)]
struct Four<B: Backend>([Word64<B>; 4]);

impl<B: Backend> Words<Model<B>> for Four<B> {
    fn count(&self) -> u64 {
        4
    }
    fn word(&self, position: u64) -> &Word64<B> {
        &self.0[position as usize % 4]
    }
}

/// A pipe, and the ends of participants that have taken them, by their places.
#[derive(Debug)]
struct Piped<B: Backend> {
    pipe: Pipe<Model<B>>,
    ring: Four<B>,
    senders: [StdMutex<Option<pipe::Sender>>; 4],
    receivers: [StdMutex<Option<pipe::Receiver>>; 4],
}

impl<B: Backend> Piped<B> {
    fn new() -> Self {
        let words = core::array::from_fn(|_| Word::new(0));
        Self {
            pipe: Pipe::from_words(Word64::new(0), Word64::new(0), words),
            ring: Four([0; 4].map(Word64::new)),
            senders: Default::default(),
            receivers: Default::default(),
        }
    }

    /// `None`: it would have to wait. The end of a dead owner is taken over.
    fn send(&self, me: Me<'_, B>, waits: bool) -> Option<()> {
        let lane = self.pipe.with(&self.ring);
        let mut end = self.senders[me.id.index()].lock().expect("no panic inside");
        let sender = end.get_or_insert_with(|| lane.take_sender(me).expect("free"));
        let frame = lane.frame(sender, WORD, false);
        if !lane.has_room_for(sender, &frame) {
            if !waits {
                return match lane.try_reserve(me, sender, frame.words()) {
                    Err(pipe::NotReady::WouldBlock) => None,
                    _ => Some(()),
                };
            }
            match lane.reserve(me, sender, &frame, None) {
                Ok(()) => {}
                Err(pipe::NotReady::PeerDied(_)) => return Some(()),
                Err(other) => panic!("{other:?}"),
            }
        }
        lane.publish(sender, frame);
        Some(())
    }

    fn receive(&self, me: Me<'_, B>, waits: bool) -> Option<()> {
        let lane = self.pipe.with(&self.ring);
        let mut end = self.receivers[me.id.index()].lock().expect("no panic inside");
        let receiver = end.get_or_insert_with(|| lane.take_receiver(me).expect("free"));
        let next = if waits { lane.next_frame(me, receiver, None) } else { lane.try_next_frame(me, receiver) };
        match next {
            Ok(frame) => lane.finish(receiver, frame),
            Err(pipe::NotReady::WouldBlock) => return None,
            Err(pipe::NotReady::PeerDied(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        Some(())
    }
}

/// A pipe; at first it is empty. Its sender's death makes it ready, too.
#[derive(Debug)]
struct Frames<B: Backend>(Piped<B>);

impl<B: Backend> Thing<B> for Frames<B> {
    fn unready() -> Self {
        Self(Piped::new())
    }
    fn make_ready(&self, me: Me<'_, B>) {
        assert_eq!(self.0.send(me, true), Some(()));
    }
    fn stand_in(&self, supervisor: Me<'_, B>, takers: u32) {
        (0..takers).for_each(|_| assert_eq!(self.0.send(supervisor, true), Some(())));
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&pipe::Readable::new(&self.0.pipe, &self.0.ring))
    }
    fn take(&self, me: Me<'_, B>) {
        assert_eq!(self.0.receive(me, true), Some(()));
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.receive(me, false).is_some()
    }
}

/// A pipe; at first it is full.
#[derive(Debug)]
struct PipeRoom<B: Backend>(Piped<B>);

impl<B: Backend> Thing<B> for PipeRoom<B> {
    fn unready() -> Self {
        // A frame at position 0, and 0 behind it.
        let words = core::array::from_fn(|_| Word::new(0));
        let pipe = Pipe::from_words(Word64::new(2), Word64::new(0), words);
        let header = 8 << 2 | 1;
        Self(Piped { pipe, ring: Four([header, 0, 0, 0].map(Word64::new)), ..Piped::new() })
    }
    fn make_ready(&self, me: Me<'_, B>) {
        assert_eq!(self.0.receive(me, true), Some(()));
    }
    fn stand_in(&self, supervisor: Me<'_, B>, _takers: u32) {
        // 0 may have done it.
        let _room = self.0.receive(supervisor, false);
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&pipe::Writable::new(&self.0.pipe, &self.0.ring, 2))
    }
    fn take(&self, me: Me<'_, B>) {
        assert_eq!(self.0.send(me, true), Some(()));
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.send(me, false).is_some()
    }
}

/// Two slots, without items.
#[derive(Debug)]
struct TwoSlots<B: Backend>([SlotWords<Model<B>>; 2]);

impl<B: Backend> Cells<Model<B>> for TwoSlots<B> {
    const ITEMS_ARE_HINTS: bool = true;

    fn capacity(&self) -> usize {
        2
    }
    fn word(&self, index: usize) -> &Word64<B> {
        self.0[index].cell()
    }
}

impl<B: Backend> Slots<Model<B>> for TwoSlots<B> {
    fn slot(&self, index: usize) -> &SlotWords<Model<B>> {
        &self.0[index]
    }
}

/// A queue of tasks.
#[derive(Debug)]
struct Jobs<B: Backend>(TaskQueue<Model<B>, 3>, TwoSlots<B>);

/// The hold of a slot that has a task, and those of slots that 0 uses: it fills one, or has a task.
const FULL_HOLD: u32 = 1 << 30;
const LENT_TO_0: u32 = HELD_BY_0;
const TAKEN_BY_0: u32 = FULL_HOLD | HELD_BY_0;
/// Of the word `room` of a queue.
const CLOSED: u32 = 1 << 27;

impl<B: Backend> Jobs<B> {
    /// Slots with these holds. Those that are full are in cells.
    fn new(holds: [u32; 2], room: u32, limit: u32) -> Self {
        let full = holds.iter().filter(|hold| **hold == FULL_HOLD).count() as u64;
        let slots = [0, 1].map(|index| {
            let cell = if holds[index] == FULL_HOLD { 1 << 62 } else { 0 };
            SlotWords::from_words(cell, [index as u32, holds[index], 1, 0])
        });
        let tail = if full == 2 { 1 << 32 } else { full };
        let ring = Queue::from_words(Word64::new(tail), Word64::new(0), Word::new(0), Word::new(room), Ends::default());
        Self(TaskQueue::from_words(ring, [0, 0, 0, limit]), TwoSlots(slots))
    }

    fn tasks(&self) -> Tasks<'_, Model<B>, TwoSlots<B>, 3> {
        self.0.with(&self.1)
    }

    fn with<R>(&self, want: Want, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        act(&Awaited { tasks: self.tasks(), want })
    }

    fn send(&self, me: Me<'_, B>) {
        let loan = self.tasks().reserve(me, None).expect("it is open");
        self.tasks().publish(loan, Some(me)).expect("the caller fills it");
    }

    fn try_send(&self, me: Me<'_, B>) -> bool {
        let loan = self.tasks().try_reserve(me);
        loan.map(|loan| self.tasks().publish(loan, Some(me)).expect("the caller fills it")).is_ok()
    }

    fn work(&self, me: Me<'_, B>) {
        let task = self.tasks().take(me, None).expect("it is open");
        self.tasks().done(task).expect("the caller has it");
    }

    fn try_work(&self, me: Me<'_, B>) -> Result<(), NotClaimed> {
        self.tasks().try_take(me).map(|task| self.tasks().done(task).expect("the caller has it"))
    }
}

/// A queue of tasks; at first it is empty.
#[derive(Debug)]
struct Sent<B: Backend>(Jobs<B>);

impl<B: Backend> Thing<B> for Sent<B> {
    fn unready() -> Self {
        Self(Jobs::new([0; 2], 0, 0))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        self.0.send(me);
    }
    fn stand_in(&self, supervisor: Me<'_, B>, takers: u32) {
        (0..takers).for_each(|_| self.0.send(supervisor));
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        self.0.with(Want::Task, act)
    }
    fn take(&self, me: Me<'_, B>) {
        self.0.work(me);
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.try_work(me).is_ok()
    }
}

/// A queue of two tasks, which 0 has at first. It fails, or dies with them.
#[derive(Debug)]
struct Failed<B: Backend>(Jobs<B>);

impl<B: Backend> Thing<B> for Failed<B> {
    fn unready() -> Self {
        Self(Jobs::new([TAKEN_BY_0; 2], 0, 0))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        // The second one, if the first has failed before.
        let failed = [0, 1].iter().any(|index| self.0.tasks().fail(Taken::of(*index, me.id)).is_ok());
        assert!(failed, "two from the start");
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        self.0.with(Want::Task, act)
    }
    fn take(&self, me: Me<'_, B>) {
        self.0.work(me);
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.try_work(me).is_ok()
    }
}

/// A closed queue: 0 has a task and a loan at first. Each of them, in its turn, may be the last.
#[derive(Debug)]
struct Over<B: Backend>(Jobs<B>);

impl<B: Backend> Thing<B> for Over<B> {
    fn unready() -> Self {
        Self(Jobs::new([TAKEN_BY_0, LENT_TO_0], CLOSED, 0))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        let _another_had_it = self.0.tasks().done(Taken::of(0, me.id));
        let _another_had_it = self.0.tasks().give_up(Loan::of(1, me.id));
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        self.0.with(Want::Task, act)
    }
    fn take(&self, me: Me<'_, B>) {
        while let Ok(task) = self.0.tasks().take(me, None) {
            self.0.tasks().done(task).expect("the caller has it");
        }
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.try_work(me) == Err(NotClaimed::Closed)
    }
}

/// A queue of tasks; at first it is full.
#[derive(Debug)]
struct Slot<B: Backend>(Jobs<B>);

impl<B: Backend> Thing<B> for Slot<B> {
    fn unready() -> Self {
        Self(Jobs::new([FULL_HOLD; 2], 0, 0))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        self.0.work(me);
    }
    fn stand_in(&self, supervisor: Me<'_, B>, takers: u32) {
        (0..takers).for_each(|_| self.0.work(supervisor));
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        self.0.with(Want::Room, act)
    }
    fn take(&self, me: Me<'_, B>) {
        self.0.send(me);
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.try_send(me)
    }
}

/// A queue of tasks whose slots are lent to 0 at first. It gives them up, or dies with them.
#[derive(Debug)]
struct Lent<B: Backend>(Jobs<B>);

impl<B: Backend> Thing<B> for Lent<B> {
    fn unready() -> Self {
        Self(Jobs::new([LENT_TO_0; 2], 0, 0))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        let given_up = [0, 1].iter().any(|index| self.0.tasks().give_up(Loan::of(*index, me.id)).is_ok());
        assert!(given_up, "two from the start");
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        self.0.with(Want::Room, act)
    }
    fn take(&self, me: Me<'_, B>) {
        self.0.send(me);
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.0.try_send(me)
    }
}

/// The end of all tasks. 0 has the only one at first, in its last attempt.
#[derive(Debug)]
struct AllDone<B: Backend>(Jobs<B>);

impl<B: Backend> Thing<B> for AllDone<B> {
    fn unready() -> Self {
        Self(Jobs::new([TAKEN_BY_0, 0], 0, 1))
    }
    fn make_ready(&self, me: Me<'_, B>) {
        let _it_was_done_before = self.0.tasks().done(Taken::of(0, me.id));
    }
    fn with<R>(&self, act: impl FnOnce(&dyn Source<Model<B>>) -> R) -> R {
        self.0.with(Want::End, act)
    }
    fn take(&self, me: Me<'_, B>) {
        self.0.tasks().wait_until_done(me, None).expect("a call without a deadline waits");
    }
    fn try_take(&self, me: Me<'_, B>) -> bool {
        self.with(|source| source.is_ready(me))
    }
}

/// A thing, and an event that ends the caller's wait in any case.
#[derive(Debug)]
struct Beside<B: Backend, T> {
    thing: T,
    end: Event<Model<B>>,
}

impl<B: Backend, T: Thing<B>> Beside<B, T> {
    fn new() -> Self {
        Self { thing: T::unready(), end: Event::from_word(Word::new(0)) }
    }
}

/// 0 makes the thing ready, and then sets the event. 1 waits for either, and takes nothing. 2 takes
/// the thing.
fn one_only_looks<B: Backend, T: Thing<B>>() -> Explore<B, Beside<B, T>> {
    Explore::new(3, Beside::new, |world: &World<B>, who, state: &Beside<B, T>| {
        world.act(who, |me| match who {
            0 => {
                state.thing.make_ready(me);
                state.end.set();
            }
            1 => state.thing.with(|thing| {
                first_of(me, [&Set::new(&state.end), thing], None).expect("without a deadline it waits");
            }),
            _ => state.thing.take(me),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 {
            world.act(supervisor, |me| state.thing.stand_in(me, 1));
            state.end.set();
        }
    })
}

/// As `one_only_looks`, but 1 gives up at some moment, and 0 sets no event.
fn one_gives_up<B: Backend, T: Thing<B>>() -> Explore<B, Beside<B, T>> {
    Explore::new(3, Beside::new, |world: &World<B>, who, state: &Beside<B, T>| {
        world.act(who, |me| match who {
            0 => state.thing.make_ready(me),
            1 => state.thing.with(|thing| {
                let answer = first_of(me, [&Set::new(&state.end), thing], Some(DEADLINE));
                assert!(answer == Ok(1) || answer == Err(NotReady::TimedOut) && is_over::<B>(), "{answer:?}");
            }),
            _ => state.thing.take(me),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 {
            world.act(supervisor, |me| state.thing.stand_in(me, 1));
        }
    })
}

/// 0 makes it ready once. 1 waits for it, and takes it.
#[cfg(feature = "loom")]
fn one_waits_alone<B: Backend, T: Thing<B>>() -> Explore<B, T> {
    Explore::new(2, T::unready, |world: &World<B>, who, thing: &T| {
        world.act(who, |me| match who {
            0 => thing.make_ready(me),
            _ => thing.with(|source| {
                while !thing.try_take(me) {
                    assert_eq!(first_of(me, [source], None), Ok(0));
                }
            }),
        });
    })
    .after(|world, dead, supervisor, thing| {
        if dead == 0 {
            world.act(supervisor, |me| thing.stand_in(me, 1));
        }
    })
}

/// 0 makes it ready twice. 1 and 2 take it once each; 1 waits for it as one of several sources.
fn both_take<B: Backend, T: Thing<B>>() -> Explore<B, Beside<B, T>> {
    Explore::new(3, Beside::new, |world: &World<B>, who, state: &Beside<B, T>| {
        world.act(who, |me| match who {
            0 => (0..2).for_each(|_| state.thing.make_ready(me)),
            1 => state.thing.with(|thing| {
                while !state.thing.try_take(me) {
                    let index = first_of(me, [&Set::new(&state.end), thing], None);
                    assert_eq!(index, Ok(1));
                }
            }),
            _ => state.thing.take(me),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 || T::IS_PASSED_ON {
            world.act(supervisor, |me| state.thing.stand_in(me, 2));
        }
    })
}

/// 0 makes it ready twice. 1 and 2 take it once each, and both wait for it as one of several.
fn both_are_callers<B: Backend, T: Thing<B>>() -> Explore<B, Beside<B, T>> {
    Explore::new(3, Beside::new, |world: &World<B>, who, state: &Beside<B, T>| {
        world.act(who, |me| match who {
            0 => (0..2).for_each(|_| state.thing.make_ready(me)),
            _ => state.thing.with(|thing| {
                while !state.thing.try_take(me) {
                    let index = first_of(me, [&Set::new(&state.end), thing], None);
                    assert_eq!(index, Ok(1));
                }
            }),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 || T::IS_PASSED_ON {
            world.act(supervisor, |me| state.thing.stand_in(me, 2));
        }
    })
}

/// A closed queue has a task, and its other slot is lent to 0, which gives it up or dies. 2 does
/// the task, and goes away. 1 waits for the end, as one of several.
fn the_last_loan<B: Backend>() -> Explore<B, Jobs<B>> {
    let make = || Jobs::new([FULL_HOLD, LENT_TO_0], CLOSED, 0);
    Explore::new(3, make, |world: &World<B>, who, jobs: &Jobs<B>| {
        world.act(who, |me| match who {
            0 => jobs.tasks().give_up(Loan::of(1, me.id)).expect("lent from the start"),
            1 => jobs.with(Want::Task, |source| {
                while jobs.try_work(me) != Err(NotClaimed::Closed) {
                    assert_eq!(first_of(me, [source], None), Ok(0));
                }
            }),
            _ => _ = jobs.try_work(me),
        });
    })
}

/// A thing, and what a task and its attendant share. Both are threads of one process.
#[derive(Debug)]
struct Served<B: Backend, T> {
    thing: T,
    attended: Attended<Model<B>>,
    call: Word<B>,
    /// The task has been notified.
    notified: Word<B>,
    /// The task wants nothing more.
    is_done: Word<B>,
}

impl<B: Backend, T: Thing<B>> Served<B, T> {
    fn new() -> Self {
        Self {
            thing: T::unready(),
            attended: Attended::from_word(Word::new(0)),
            call: Word::new(0),
            notified: Word::new(0),
            is_done: Word::new(0),
        }
    }

    /// The task takes the thing so many times, and never blocks but to be notified.
    fn take_as_task(&self, me: Me<'_, B>, times: u32) {
        self.thing.with(|source| {
            for _ in 0..times {
                while !self.thing.try_take(me) {
                    match self.attended.arm(&Of { me, source }) {
                        Arming::Ready => continue,
                        Arming::Call => call::<Model<B>>(&self.call),
                        Arming::Armed => {}
                    }
                    while self.notified.swap(0, Acquire) == 0 {
                        Model::wait([Expect { word: &self.notified, value: 0 }].into_iter(), None);
                    }
                }
            }
        });
        self.is_done.store(1, Relaxed);
        call::<Model<B>>(&self.call);
    }

    fn attend(&self, me: Me<'_, B>) {
        self.thing.with(|source| {
            let mut attendant = Attendant::new([(Of { me, source }, &self.attended)].into_iter());
            loop {
                attendant.attend(&self.call, |_| {
                    // Not a store: loom may order that before a swap that did not see it.
                    self.notified.swap(1, Release);
                    Model::<B>::wake(&self.notified, 1);
                });
                if self.is_done.load(Relaxed) != 0 {
                    break;
                }
                attendant.sleep();
            }
        });
    }
}

/// 0 makes the thing ready so many times. 1 is the attendant of 2, which takes it each time.
fn a_task_takes<B: Backend, T: Thing<B>, const TIMES: u32>() -> Explore<B, Served<B, T>> {
    Explore::new(3, Served::new, |world: &World<B>, who, state: &Served<B, T>| {
        world.act(who, |me| match who {
            0 => (0..TIMES).for_each(|_| state.thing.make_ready(me)),
            1 => state.attend(me),
            _ => state.take_as_task(me, TIMES),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 {
            world.act(supervisor, |me| state.thing.stand_in(me, TIMES));
        }
    })
}

/// 0 makes the thing ready twice. 1 is the attendant of 2. 2 and 3 take it once each.
fn a_task_and_a_waiter<B: Backend, T: Thing<B>>() -> Explore<B, Served<B, T>> {
    Explore::new(4, Served::new, |world: &World<B>, who, state: &Served<B, T>| {
        world.act(who, |me| match who {
            0 => (0..2).for_each(|_| state.thing.make_ready(me)),
            1 => state.attend(me),
            2 => state.take_as_task(me, 1),
            _ => state.thing.take(me),
        });
    })
    .after(|world, dead, supervisor, state| {
        if dead == 0 || T::IS_PASSED_ON {
            world.act(supervisor, |me| state.thing.stand_in(me, 2));
        }
    })
}

/// An event, and what is written before it is set.
#[cfg(feature = "loom")]
type WithData<B> = (Event<Model<B>>, <B as Backend>::Cell<u32>);

/// 0 writes and sets. 1 waits for the event as one of several, and reads.
#[cfg(feature = "loom")]
fn a_reader_of_an_event<B: Backend>() -> Explore<B, WithData<B>> {
    let make = || (Event::from_word(Word::new(0)), B::cell(0));
    Explore::new(2, make, |world: &World<B>, who, (event, data): &WithData<B>| {
        world.act(who, |me| {
            if who == 0 {
                B::write(data, |data| *data = 42);
                event.set();
            } else {
                first_of(me, [&Set::new(event)], None).expect("without a deadline it waits");
                B::read(data, |data| assert_eq!(*data, 42));
            }
        });
    })
}

/// 0 sets the event and clears it, if it sees that 1 waits. Otherwise it only sets it.
#[cfg(feature = "loom")]
fn set_and_cleared<B: Backend>() -> Explore<B, (Event<Model<B>>, Word<B>)> {
    let make = || (Event::from_word(Word::new(0)), Word::new(0));
    Explore::new(2, make, |world: &World<B>, who, (event, begun): &(Event<Model<B>>, Word<B>)| {
        world.act(who, |me| {
            if who == 0 {
                let has_begun = begun.load(Acquire) != 0;
                event.set();
                if has_begun {
                    event.clear();
                }
            } else {
                let source = Set::new(event);
                begun.store(1, Release);
                first_of(me, [&source], None).expect("without a deadline it waits");
            }
        });
    })
}

/// 0 sets the event, or dies before that. 1 and 2 wait for the event, and for the death of 0.
fn two_wait_for_a_death<B: Backend>() -> Explore<B, Event<Model<B>>> {
    let make = || Event::from_word(Word::new(0));
    Explore::new(3, make, |world: &World<B>, who, event: &Event<Model<B>>| {
        world.act(who, |me| match who {
            0 => event.set(),
            _ => {
                let death = Death(me.table.slots[0].living_or_dead(0));
                let index = first_of(me, [&Set::new(event), &death], None).expect("without a deadline it waits");
                assert!(index == 0 || world.has_died(0), "a living participant is called dead");
            }
        });
    })
}

#[rustfmt::skip] // one line for each model
outlive_models::models! { with_loom, Loom, "loom",
    an_event_that_one_only_looks_at: |n| one_only_looks::<B, Bell<B>>().victims(&[0, 1]).spurious().holds(n);
    a_permit_that_one_only_looks_at: |n| one_only_looks::<B, Permits<B>>().victims(&[0, 1]).spurious().holds(n);
    a_pool_that_one_only_looks_at: |n| one_only_looks::<B, Pool<B>>().victims(&[0, 1]).holds(n);
    a_lock_that_one_only_looks_at: |n| one_only_looks::<B, Lock<B>>().victims(&[0, 1]).spurious().holds(n);
    an_item_that_one_only_looks_at: |n| one_only_looks::<B, Items<B>>().victims(&[0, 1]).executions(1_000).holds(n);
    room_that_one_only_looks_at: |n| one_only_looks::<B, Room<B>>().victims(&[0, 1]).executions(1_000).holds(n);
    a_frame_that_one_only_looks_at: |n| one_only_looks::<B, Frames<B>>().victims(&[0, 1]).executions(1_000).holds(n);
    one_waits_for_a_frame: |n| one_waits_alone::<B, Frames<B>>().victims(&[0]).holds(n);
    one_waits_for_room_in_a_pipe: |n| one_waits_alone::<B, PipeRoom<B>>().victims(&[0]).holds(n);
    a_task_takes_two_frames: |n| a_task_takes::<B, Frames<B>, 2>().preemptions(1).executions(500).holds(n);
    a_frame_while_one_gives_up: |n| one_gives_up::<B, Frames<B>>().victims(&[0, 1]).preemptions(1).executions(1_000).holds(n);
    without_fences_a_frame_and_a_waiter_miss_each_other:
        |n| one_waits_alone::<B, Frames<B>>().broken(Broken::NO_FENCE).fails(n);
    one_waits_for_an_event: |n| one_waits_alone::<B, Bell<B>>().victims(&[0]).holds(n);
    one_waits_for_a_permit: |n| one_waits_alone::<B, Permits<B>>().victims(&[0]).holds(n);
    one_waits_for_a_permit_of_a_pool: |n| one_waits_alone::<B, Pool<B>>().victims(&[0]).holds(n);
    one_waits_for_a_lock: |n| one_waits_alone::<B, Lock<B>>().victims(&[0]).holds(n);
    one_waits_for_an_item: |n| one_waits_alone::<B, Items<B>>().victims(&[0]).holds(n);
    one_waits_for_room: |n| one_waits_alone::<B, Room<B>>().victims(&[0]).holds(n);
    an_event_that_both_take: |n| both_take::<B, Bell<B>>().victims(&[0, 1, 2]).preemptions(1).holds(n);
    a_permit_for_each: |n| both_take::<B, Permits<B>>().victims(&[0, 1, 2]).preemptions(1).holds(n);
    a_permit_of_a_pool_for_each: |n| both_take::<B, Pool<B>>().victims(&[0, 1, 2]).preemptions(1).executions(1_000).holds(n);
    a_lock_for_each: |n| both_take::<B, Lock<B>>().victims(&[0, 1, 2]).preemptions(1).holds(n);
    an_item_for_each: |n| both_take::<B, Items<B>>().victims(&[0, 1]).preemptions(1).executions(1_000).holds(n);
    room_for_each: |n| both_take::<B, Room<B>>().victims(&[0, 1]).preemptions(1).executions(1_000).holds(n);
    two_callers_and_an_event: |n| both_are_callers::<B, Bell<B>>().victims(&[0, 1]).preemptions(1).holds(n);
    two_callers_and_permits: |n| both_are_callers::<B, Permits<B>>().victims(&[0, 1]).preemptions(1).holds(n);
    two_callers_and_a_pool: |n| both_are_callers::<B, Pool<B>>().victims(&[0, 1]).preemptions(1).executions(1_000).holds(n);
    two_callers_and_a_lock: |n| both_are_callers::<B, Lock<B>>().victims(&[0, 1]).preemptions(1).holds(n);
    two_callers_and_items: |n| both_are_callers::<B, Items<B>>().victims(&[0, 1]).preemptions(1).executions(1_000).holds(n);
    a_permit_while_one_gives_up: |n| one_gives_up::<B, Permits<B>>().victims(&[0, 1]).preemptions(1).holds(n);
    a_lock_while_one_gives_up: |n| one_gives_up::<B, Lock<B>>().victims(&[0, 1]).preemptions(1).holds(n);
    a_pool_while_one_gives_up: |n| one_gives_up::<B, Pool<B>>().victims(&[0, 1]).preemptions(1).executions(1_000).holds(n);
    an_item_while_one_gives_up: |n| one_gives_up::<B, Items<B>>().victims(&[0, 1]).preemptions(1).executions(1_000).holds(n);
    a_task_that_one_only_looks_at: |n| one_only_looks::<B, Sent<B>>().victims(&[0, 1]).executions(300).holds(n);
    a_failed_task_that_one_only_looks_at: |n| one_only_looks::<B, Failed<B>>().victims(&[0, 1]).executions(1_000).holds(n);
    the_end_that_one_only_looks_at: |n| one_only_looks::<B, Over<B>>().victims(&[0, 1]).executions(1_000).holds(n);
    a_slot_that_one_only_looks_at: |n| one_only_looks::<B, Slot<B>>().victims(&[0, 1]).executions(300).holds(n);
    a_loan_that_one_only_looks_at: |n| one_only_looks::<B, Lent<B>>().victims(&[0, 1]).executions(1_000).holds(n);
    all_done_that_one_only_looks_at: |n| one_only_looks::<B, AllDone<B>>().victims(&[0, 1]).executions(1_000).holds(n);
    one_waits_for_a_task: |n| one_waits_alone::<B, Sent<B>>().victims(&[0]).executions(2_000).holds(n);
    one_waits_for_a_task_that_fails: |n| one_waits_alone::<B, Failed<B>>().victims(&[0]).executions(5_000).holds(n);
    one_waits_for_the_end_of_a_queue: |n| one_waits_alone::<B, Over<B>>().victims(&[0]).executions(5_000).holds(n);
    one_waits_for_a_slot: |n| one_waits_alone::<B, Slot<B>>().victims(&[0]).executions(2_000).holds(n);
    one_waits_for_a_slot_that_is_given_up: |n| one_waits_alone::<B, Lent<B>>().victims(&[0]).executions(5_000).holds(n);
    one_waits_until_all_is_done: |n| one_waits_alone::<B, AllDone<B>>().victims(&[0]).executions(5_000).holds(n);
    the_last_loan_ends_the_wait: |n| the_last_loan::<B>().victims(&[0]).executions(5_000).holds(n);
    a_sent_task_for_each: |n| both_take::<B, Sent<B>>().victims(&[0, 1]).preemptions(1).executions(300).holds(n);
    a_failed_task_for_each: |n| both_take::<B, Failed<B>>().victims(&[0, 1]).preemptions(1).executions(500).holds(n);
    a_slot_for_each: |n| both_take::<B, Slot<B>>().victims(&[0, 1]).preemptions(1).executions(300).holds(n);
    two_callers_and_tasks: |n| both_are_callers::<B, Sent<B>>().victims(&[0, 1]).preemptions(1).executions(300).holds(n);
    two_callers_and_failed_tasks: |n| both_are_callers::<B, Failed<B>>().victims(&[0, 1]).preemptions(1).executions(500).holds(n);
    two_callers_and_slots: |n| both_are_callers::<B, Lent<B>>().victims(&[0, 1]).preemptions(1).executions(500).holds(n);
    a_task_while_one_gives_up: |n| one_gives_up::<B, Sent<B>>().victims(&[0, 1]).preemptions(1).executions(300).holds(n);
    a_future_takes_a_task: |n| a_task_takes::<B, Sent<B>, 1>().victims(&[0]).preemptions(1).executions(500).holds(n);
    a_future_takes_two_tasks: |n| a_task_takes::<B, Sent<B>, 2>().victims(&[0]).preemptions(1).executions(300).holds(n);
    a_future_reserves_two_slots: |n| a_task_takes::<B, Slot<B>, 2>().victims(&[0]).preemptions(1).executions(300).holds(n);
    without_fences_a_task_and_a_waiter_miss_each_other:
        |n| one_waits_alone::<B, Sent<B>>().broken(Broken::NO_FENCE).fails(n);
    a_permit_in_the_first_phase: |n| one_only_looks::<B, Permits<B>>().victims(&[0, 1]).preemptions(1).first_phase().holds(n);
    any_two_may_die: |n| one_only_looks::<B, Permits<B>>().victims(&[0, 1]).pairs().holds(n);
    a_task_takes_an_event: |n| a_task_takes::<B, Bell<B>, 1>().victims(&[0]).holds(n);
    a_task_takes_a_permit: |n| a_task_takes::<B, Permits<B>, 1>().victims(&[0]).holds(n);
    a_task_takes_two_permits: |n| a_task_takes::<B, Permits<B>, 2>().victims(&[0]).preemptions(1).executions(1_000).holds(n);
    a_task_takes_an_item: |n| a_task_takes::<B, Items<B>, 1>().victims(&[0]).executions(1_000).holds(n);
    a_task_takes_two_items: |n| a_task_takes::<B, Items<B>, 2>().victims(&[0]).preemptions(1).executions(500).holds(n);
    a_task_fills_room_twice: |n| a_task_takes::<B, Room<B>, 2>().victims(&[0]).preemptions(1).executions(500).holds(n);
    a_task_fills_room: |n| a_task_takes::<B, Room<B>, 1>().victims(&[0]).executions(1_000).holds(n);
    a_task_beside_a_waiter_for_permits: |n| a_task_and_a_waiter::<B, Permits<B>>().victims(&[0]).preemptions(1).executions(1_000).holds(n);
    a_task_beside_a_waiter_for_an_event: |n| a_task_and_a_waiter::<B, Bell<B>>().victims(&[0]).preemptions(1).executions(1_000).holds(n);
    a_task_beside_a_waiter_for_items: |n| a_task_and_a_waiter::<B, Items<B>>().victims(&[0]).preemptions(1).executions(500).holds(n);
    a_set_event_acquires: |n| a_reader_of_an_event::<B>().holds(n);
    an_event_that_is_cleared_at_once: |n| set_and_cleared::<B>().holds(n);
    a_death_is_seen_by_all_who_wait_for_it: |n| two_wait_for_a_death::<B>().victims(&[0, 1]).holds(n);
    a_death_is_seen_though_nobody_else_is_watched: |n| two_wait_for_a_death::<B>().victims(&[0]).broken(Broken::watching(2)).holds(n);
    a_set_event_publishes: |n| a_reader_of_an_event::<B>().broken(Broken::NO_RELEASE).fails(n);
    a_set_event_that_is_not_acquired: |n| a_reader_of_an_event::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    a_call_publishes: |n| a_task_takes::<B, Permits<B>, 1>().broken(Broken::NO_RELEASE).fails(n);
    without_fences_a_task_and_its_attendant_miss_each_other:
        |n| a_task_takes::<B, Items<B>, 2>().broken(Broken::NO_FENCE).fails(n);
    without_the_vigil_a_caller_that_dies_keeps_a_wake:
        |n| one_only_looks::<B, Permits<B>>().victims(&[1]).broken(Broken::watching(2)).fails(n);
    without_fences_a_release_and_a_waiter_miss_each_other:
        |n| both_are_callers::<B, Pool<B>>().broken(Broken::NO_FENCE).fails(n);
    without_fences_an_item_and_a_waiter_miss_each_other:
        |n| both_are_callers::<B, Items<B>>().broken(Broken::NO_FENCE).fails(n);
}

#[rustfmt::skip] // one line for each model
outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    an_event_that_one_only_looks_at: |n| one_only_looks::<B, Bell<B>>().victims(&[0, 1]).holds(n);
    a_permit_that_one_only_looks_at: |n| one_only_looks::<B, Permits<B>>().victims(&[0, 1]).first_phase().holds(n);
    a_pool_that_one_only_looks_at: |n| one_only_looks::<B, Pool<B>>().victims(&[0, 1]).holds(n);
    a_lock_that_one_only_looks_at: |n| one_only_looks::<B, Lock<B>>().victims(&[0, 1]).holds(n);
    an_item_that_one_only_looks_at: |n| one_only_looks::<B, Items<B>>().victims(&[0, 1]).holds(n);
    room_that_one_only_looks_at: |n| one_only_looks::<B, Room<B>>().victims(&[0, 1]).holds(n);
    an_event_that_both_take: |n| both_take::<B, Bell<B>>().victims(&[0, 1, 2]).holds(n);
    a_permit_for_each: |n| both_take::<B, Permits<B>>().victims(&[0, 1, 2]).spurious().holds(n);
    a_permit_of_a_pool_for_each: |n| both_take::<B, Pool<B>>().victims(&[0, 1, 2]).holds(n);
    a_lock_for_each: |n| both_take::<B, Lock<B>>().victims(&[0, 1, 2]).holds(n);
    an_item_for_each: |n| both_take::<B, Items<B>>().victims(&[0, 1]).holds(n);
    room_for_each: |n| both_take::<B, Room<B>>().victims(&[0, 1]).holds(n);
    two_callers_and_items: |n| both_are_callers::<B, Items<B>>().victims(&[0, 1]).holds(n);
    two_callers_and_permits: |n| both_are_callers::<B, Permits<B>>().victims(&[0, 1]).spurious().holds(n);
    a_permit_while_one_gives_up: |n| one_gives_up::<B, Permits<B>>().victims(&[0, 1]).holds(n);
    an_item_while_one_gives_up: |n| one_gives_up::<B, Items<B>>().victims(&[0, 1]).holds(n);
    a_death_is_seen_by_all_who_wait_for_it: |n| two_wait_for_a_death::<B>().victims(&[0, 1]).holds(n);
    a_task_takes_two_permits: |n| a_task_takes::<B, Permits<B>, 2>().victims(&[0]).spurious().holds(n);
    a_task_takes_two_items: |n| a_task_takes::<B, Items<B>, 2>().victims(&[0]).holds(n);
    a_task_fills_room_twice: |n| a_task_takes::<B, Room<B>, 2>().victims(&[0]).holds(n);
    a_task_beside_a_waiter_for_room: |n| a_task_and_a_waiter::<B, Room<B>>().victims(&[0]).holds(n);
    a_task_that_one_only_looks_at: |n| one_only_looks::<B, Sent<B>>().victims(&[0, 1]).holds(n);
    a_failed_task_that_one_only_looks_at: |n| one_only_looks::<B, Failed<B>>().victims(&[0, 1]).holds(n);
    the_end_that_one_only_looks_at: |n| one_only_looks::<B, Over<B>>().victims(&[0, 1]).holds(n);
    a_slot_that_one_only_looks_at: |n| one_only_looks::<B, Slot<B>>().victims(&[0, 1]).holds(n);
    all_done_that_one_only_looks_at: |n| one_only_looks::<B, AllDone<B>>().victims(&[0, 1]).holds(n);
    the_last_loan_ends_the_wait: |n| the_last_loan::<B>().victims(&[0]).holds(n);
    a_sent_task_for_each: |n| both_take::<B, Sent<B>>().victims(&[0, 1]).holds(n);
    a_failed_task_for_each: |n| both_take::<B, Failed<B>>().victims(&[0, 1]).holds(n);
    a_slot_for_each: |n| both_take::<B, Slot<B>>().victims(&[0, 1]).holds(n);
    a_loan_for_each: |n| both_take::<B, Lent<B>>().victims(&[0, 1]).holds(n);
    two_callers_and_tasks: |n| both_are_callers::<B, Sent<B>>().victims(&[0, 1]).holds(n);
    two_callers_and_failed_tasks: |n| both_are_callers::<B, Failed<B>>().victims(&[0, 1]).holds(n);
    a_task_while_one_gives_up: |n| one_gives_up::<B, Sent<B>>().victims(&[0, 1]).holds(n);
    a_future_takes_two_tasks: |n| a_task_takes::<B, Sent<B>, 2>().victims(&[0]).holds(n);
    a_future_reserves_two_slots: |n| a_task_takes::<B, Slot<B>, 2>().victims(&[0]).holds(n);
    a_future_beside_a_worker: |n| a_task_and_a_waiter::<B, Sent<B>>().victims(&[0]).holds(n);
    a_frame_that_one_only_looks_at: |n| one_only_looks::<B, Frames<B>>().victims(&[0, 1]).holds(n);
    a_task_takes_two_frames: |n| a_task_takes::<B, Frames<B>, 2>().holds(n);
    a_task_fills_a_pipe_twice: |n| a_task_takes::<B, PipeRoom<B>, 2>().holds(n);
    a_task_beside_a_waiter_for_permits: |n| a_task_and_a_waiter::<B, Permits<B>>().victims(&[0]).holds(n);
    a_task_beside_a_waiter_for_items: |n| a_task_and_a_waiter::<B, Items<B>>().victims(&[0]).holds(n);
}
