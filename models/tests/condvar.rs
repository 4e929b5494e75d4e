//! Models of `raw::Condvar`: every item finds its consumer, even if the producer dies between
//! adding the item and notifying. One notification ends one wait. A timeout loses no notification.
//! A reentrant lock is released whole for the time of the wait.
#![cfg(any(feature = "loom", feature = "shuttle"))]
#![allow(clippy::disallowed_types)] // counters beside the model, not part of it

use core::time::Duration;
#[cfg(feature = "loom")]
use outlive::platform::Platform as _;
use outlive::platform::Word as _;
use outlive::raw::condvar::Woken;
use outlive::raw::mutex::NotLocked;
#[cfg(feature = "loom")]
use outlive::raw::vigil::Vigil;
use outlive::raw::{Condvar, Mutex, Participant, ReentrantMutex};
#[cfg(feature = "loom")]
use outlive_models::Broken;
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, World, is_over, step};
#[cfg(feature = "loom")]
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// Items under a lock. The condition is that there is an item.
#[derive(Debug)]
struct Buffer<B: Backend> {
    mutex: Mutex<Model<B>>,
    filled: Condvar<Model<B>>,
    items: B::Cell<u32>,
    made: AtomicU32,
}

type Me<'a, B> = Participant<'a, Model<B>>;

/// By which a notifier finds the lock.
const PLACE: u32 = 1;

impl<B: Backend> Buffer<B> {
    fn new() -> Self {
        Self {
            mutex: Mutex::from_word(Word::new(0)),
            filled: Condvar::from_words(Word::new(0), Word::new(0)),
            items: B::cell(0),
            made: AtomicU32::new(0),
        }
    }
    fn lock(&self, me: Me<'_, B>) {
        let mut taken = Err(NotLocked::Interrupted);
        while taken == Err(NotLocked::Interrupted) {
            taken = self.mutex.lock(me, None);
        }
        let _inconsistent_is_fine = taken.expect("waits");
    }
    /// A producer that dies after the unlock has made the condition true without notifying.
    fn put(&self, me: Me<'_, B>, notify: impl FnOnce(&Condvar<Model<B>>, Me<'_, B>)) {
        self.put_silently(me);
        notify(&self.filled, me);
    }
    fn put_silently(&self, me: Me<'_, B>) {
        self.lock(me);
        B::write(&self.items, |items| *items += 1);
        self.made.fetch_add(1, SeqCst);
        self.mutex.unlock(0);
    }
    /// As `put`, with so many items, and notifies with the lock held.
    fn put_inside(&self, me: Me<'_, B>, count: u32) {
        self.lock(me);
        B::write(&self.items, |items| *items += count);
        self.made.fetch_add(count, SeqCst);
        step::<B>();
        self.notify_inside(me, count);
        self.mutex.unlock(0);
    }
    /// Notifies so many waiters. If the caller holds the lock, they are moved to it.
    fn notify_inside(&self, me: Me<'_, B>, count: u32) {
        self.filled.notify_holding(me, count, |place| (place == PLACE).then_some(&self.mutex));
    }
    /// The caller holds the lock. `watch` depends on how its last wait ended.
    fn wait(&self, me: Me<'_, B>, watch: &mut bool, deadline: Option<Duration>) -> Woken {
        let waited = self.filled.wait(me, *watch, deadline, PLACE, || self.mutex.unlock(0));
        let _inconsistent_is_fine = self.mutex.lock_again(me).expect("waits");
        let woken = self.filled.leave(me, waited, &self.mutex);
        *watch = woken == Woken::Neither;
        woken
    }
    /// The caller holds the lock. Waits until there is an item. A wait that times out or is
    /// interrupted ends this: the caller trusts that answer, and does not check again.
    fn wait_for_item(&self, me: Me<'_, B>, deadline: Option<Duration>) -> Result<(), Woken> {
        let mut watch = false;
        while B::read(&self.items, |items| *items == 0) {
            match self.wait(me, &mut watch, deadline) {
                Woken::Notified | Woken::Neither => {}
                ended => return Err(ended),
            }
        }
        Ok(())
    }
    fn take(&self, me: Me<'_, B>) {
        self.lock(me);
        self.wait_for_item(me, None).expect("no deadline, no interruption");
        B::write(&self.items, |items| *items -= 1);
        self.mutex.unlock(0);
    }
    /// As `take`, with another wait than that of the condition variable.
    #[cfg(feature = "loom")]
    fn take_by(
        &self,
        me: Me<'_, B>,
        word: &Word<B>,
        before: fn(&mut Vigil<'_, Model<B>>),
        after: fn(&mut Vigil<'_, Model<B>>),
    ) {
        self.lock(me);
        while B::read(&self.items, |items| *items == 0) {
            let mut vigil = Vigil::new(me, None);
            before(&mut vigil);
            let arrived = word.fetch_or(1 << 31, Relaxed) | 1 << 31;
            self.mutex.unlock(0);
            after(&mut vigil);
            let _check_again = vigil.sleep_once(word, arrived);
            self.lock(me);
        }
        B::write(&self.items, |items| *items -= 1);
        self.mutex.unlock(0);
    }
    /// Waits until there is an item, and leaves the item there.
    fn see(&self, me: Me<'_, B>, deadline: Option<Duration>) -> Result<(), Woken> {
        self.lock(me);
        let seen = self.wait_for_item(me, deadline);
        self.mutex.unlock(0);
        seen
    }
    /// For a supervisor: makes the items that a dead producer did not make. Items that the producer
    /// made without notifying are for the waiters to find.
    fn make_up_to(&self, wanted: u32, me: Me<'_, B>, notify: fn(&Condvar<Model<B>>, Me<'_, B>)) {
        while self.made.load(SeqCst) < wanted {
            self.put(me, notify);
        }
    }
}

/// 0 and 1 take, 2 puts. With these numbers the takers sleep in the first schedules of a search.
fn two_items<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => (0..2).for_each(|_| buffer.put(me, |filled, me| filled.notify(Some(me.table), 1))),
            _ => buffer.take(me),
        });
    })
    .after(supervise_two)
}

fn supervise_two<B: Backend>(world: &World<B>, dead: usize, supervisor: usize, buffer: &Buffer<B>) {
    if dead + 1 == supervisor {
        world.act(supervisor, |me| buffer.make_up_to(2, me, |filled, me| filled.notify(Some(me.table), 1)));
    }
}

/// 0 takes two items, and 1 puts them. Another waiter has left the condition variable before, so
/// the first notification finds no sleeper.
fn left_by_another<B: Backend>() -> Explore<B, Buffer<B>> {
    let make = || Buffer { filled: Condvar::from_words(Word::new(WAITERS_AND_FRESH), Word::new(0)), ..Buffer::new() };
    Explore::new(2, make, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            1 => (0..2).for_each(|_| buffer.put(me, |filled, me| filled.notify(Some(me.table), 1))),
            _ => (0..2).for_each(|_| buffer.take(me)),
        });
    })
    .after(supervise_two)
}

/// The flags that a waiter leaves behind when it times out.
const WAITERS_AND_FRESH: u32 = 3 << 30;

/// As `two_items`, but 2 holds the lock while it notifies, and notifies both at once.
fn two_items_at_once<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put_inside(me, 2),
            _ => buffer.take(me),
        });
    })
    .after(supervise_two)
}

/// 0 takes an item, 2 puts it and notifies with the lock held. Meanwhile 1 wants the lock, and may
/// sleep on its word together with 0, which was moved there.
fn another_sleeps_on_the_lock<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put_inside(me, 1),
            1 => {
                buffer.lock(me);
                buffer.mutex.unlock(0);
            }
            _ => buffer.take(me),
        });
    })
    .after(supervise_one)
}

/// 0 waits until something is made. 2 makes it, and notifies with the lock held. 1 releases the
/// lock on behalf of 2, if 2 still holds it.
fn released_by_another<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => {
                buffer.made.fetch_add(1, SeqCst); // not the items: another thread may soon have the lock
                buffer.lock(me);
                buffer.notify_inside(me, 1);
                let _by_either = buffer.mutex.release(Some(me.id), None);
            }
            1 => {
                if let Some(holder) = buffer.mutex.holder().filter(|holder| holder.index() == 2) {
                    let _by_either = buffer.mutex.release(Some(holder), None);
                }
            }
            _ => {
                buffer.lock(me);
                let mut watch = false;
                while buffer.made.load(SeqCst) == 0 {
                    buffer.wait(me, &mut watch, None);
                }
                buffer.mutex.unlock(0);
            }
        });
    })
}

/// Two threads wait at one condition variable, each with a lock of its own. A third thread notifies
/// both, under the one lock and then under the other.
#[derive(Debug)]
struct TwoLocks<B: Backend> {
    locks: [Mutex<Model<B>>; 2],
    changed: Condvar<Model<B>>,
    flags: [B::Cell<bool>; 2],
}

impl<B: Backend> TwoLocks<B> {
    fn new() -> Self {
        Self {
            locks: [0, 0].map(|value| Mutex::from_word(Word::new(value))),
            changed: Condvar::from_words(Word::new(0), Word::new(0)),
            flags: [false, false].map(B::cell),
        }
    }
    fn see(&self, me: Me<'_, B>, which: usize) {
        let (lock, place) = (&self.locks[which], which as u32 + PLACE);
        let _nobody_dies = lock.lock(me, None).expect("waits");
        while B::read(&self.flags[which], |flag| !flag) {
            let waited = self.changed.wait(me, true, None, place, || lock.unlock(0));
            let _nobody_dies = lock.lock_again(me).expect("waits");
            self.changed.leave(me, waited, lock);
        }
        lock.unlock(0);
    }
    fn raise(&self, me: Me<'_, B>, which: usize) {
        let lock = &self.locks[which];
        let _nobody_dies = lock.lock(me, None).expect("waits");
        B::write(&self.flags[which], |flag| *flag = true);
        self.changed.notify_holding(me, 2, |place| self.locks.get((place - PLACE) as usize));
        lock.unlock(0);
    }
}

fn two_locks<B: Backend>() -> Explore<B, TwoLocks<B>> {
    Explore::new(3, TwoLocks::new, |world: &World<B>, who, state: &TwoLocks<B>| {
        world.act(who, |me| match who {
            2 => [0, 1].into_iter().for_each(|which| state.raise(me, which)),
            _ => state.see(me, who),
        });
    })
}

/// 2 puts one item, and notifies all; 0 and 1 see it.
fn one_for_all<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put(me, |filled, _| filled.notify_all()),
            _ => buffer.see(me, None).expect("no deadline, no interruption"),
        });
    })
    .after(supervise_one)
}

fn supervise_one<B: Backend>(world: &World<B>, dead: usize, supervisor: usize, buffer: &Buffer<B>) {
    if dead + 1 == supervisor {
        world.act(supervisor, |me| buffer.make_up_to(1, me, |filled, _| filled.notify_all()));
    }
}

/// 2 puts one item, and notifies one waiter. 0 sees the item and notifies 1, or times out at some
/// moment. 1 sees the item. If 0 took the notification, and reported a timeout, 1 would sleep
/// forever.
fn one_gives_up<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put(me, |filled, me| filled.notify(Some(me.table), 1)),
            0 => match buffer.see(me, Some(DEADLINE)) {
                Ok(()) => buffer.filled.notify(Some(me.table), 1),
                Err(ended) => assert_eq!((ended, is_over::<B>()), (Woken::TimedOut, true)),
            },
            _ => buffer.see(me, None).expect("no deadline, no interruption"),
        });
    })
    .after(supervise_one)
}

/// 2 puts one item; 0 and 1 see it, and each notifies the other. 0 is interrupted, and goes away
/// without taking a notification.
fn one_is_interrupted<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put(me, |filled, me| filled.notify(Some(me.table), 1)),
            _ => match buffer.see(me, None) {
                Ok(()) => buffer.filled.notify(Some(me.table), 1),
                Err(ended) => assert_eq!((ended, who), (Woken::Interrupted, 0)),
            },
        });
    })
    .after(supervise_one)
    .interrupted(&[0])
}

/// 0 waits without a notification, until it times out. The condition variable was notified before.
/// 1 locks and unlocks.
fn nobody_notifies<B: Backend>() -> Explore<B, Buffer<B>> {
    let make =
        || Buffer { filled: Condvar::from_words(Word::new(WAITERS_AND_FRESH | 5), Word::new(0)), ..Buffer::new() };
    Explore::new(2, make, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| {
            buffer.lock(me);
            if who == 0 {
                let woken = buffer.wait(me, &mut true, Some(DEADLINE));
                assert_ne!(woken, Woken::Notified, "there was no notification");
            }
            buffer.mutex.unlock(0);
        });
    })
}

/// Counts waiters and notifications: how many waits must return `Notified`, and how many do.
#[derive(Debug)]
struct Counted<B: Backend> {
    buffer: Buffer<B>,
    /// The number of waiters, under the lock.
    waiting: B::Cell<u32>,
    /// How many waits must return `Notified`. Each notification adds the waiters that it reaches.
    owed: AtomicU32,
    /// How many waits returned `Notified`.
    notified: AtomicU32,
}

impl<B: Backend> Counted<B> {
    fn new() -> Self {
        let [owed, notified] = [(); 2].map(|()| AtomicU32::new(0));
        Self { buffer: Buffer::new(), waiting: B::cell(0), owed, notified }
    }
    /// Waits until a notification or the deadline. Repeats waits that return `Neither`.
    fn wait(&self, me: Me<'_, B>, deadline: Option<Duration>) {
        self.buffer.lock(me);
        B::write(&self.waiting, |waiting| *waiting += 1);
        let woken = loop {
            match self.buffer.wait(me, &mut true, deadline) {
                Woken::Neither => {}
                woken => break woken,
            }
        };
        B::write(&self.waiting, |waiting| *waiting -= 1);
        self.notified.fetch_add(u32::from(woken == Woken::Notified), SeqCst);
        self.buffer.mutex.unlock(0);
    }
    fn notify(&self, me: Me<'_, B>, count: u32) {
        self.buffer.lock(me);
        // Some waiters may have been notified before, and not yet have returned. Another
        // notification is not for them.
        let (owed, notified) = (self.owed.load(SeqCst), self.notified.load(SeqCst));
        let others = B::read(&self.waiting, |waiting| *waiting) + notified - owed;
        self.owed.fetch_add(others.min(count), SeqCst);
        self.buffer.notify_inside(me, count);
        self.buffer.mutex.unlock(0);
    }
    /// As many waits returned `Notified` as must. Fewer are right only after a death: the dead
    /// thread may have been one of the notified waiters.
    fn check(&self, world: &World<B>) {
        let (owed, notified) = (self.owed.load(SeqCst), self.notified.load(SeqCst));
        assert!(notified <= owed, "{notified} waits returned Notified, and {owed} should");
        let nobody_died = (0..3).all(|who| !world.has_died(who));
        assert!(notified == owed || !nobody_died, "{notified} waits returned Notified, and {owed} should");
    }
}

/// 0 and 1 wait, 2 notifies one waiter.
fn one_is_notified<B: Backend>() -> Explore<B, Counted<B>> {
    Explore::new(3, Counted::new, |world: &World<B>, who, state: &Counted<B>| {
        world.act(who, |me| if who == 2 { state.notify(me, 1) } else { state.wait(me, Some(DEADLINE)) });
    })
    .check(Counted::check)
}

/// 0 waits twice, 1 once. 2 notifies two waiters, perhaps when only one waits; then it notifies
/// one.
fn more_are_asked_for_than_wait<B: Backend>() -> Explore<B, Counted<B>> {
    Explore::new(3, Counted::new, |world: &World<B>, who, state: &Counted<B>| {
        world.act(who, |me| match who {
            2 => [2, 1].into_iter().for_each(|count| state.notify(me, count)),
            _ => (who..2).for_each(|_| state.wait(me, Some(DEADLINE))),
        });
    })
    .check(Counted::check)
}

/// 0 and 1 wait; 2 notifies one waiter, and then another. Perhaps both are already awake then, but
/// have not yet locked again.
fn two_are_notified_one_by_one<B: Backend>() -> Explore<B, Counted<B>> {
    Explore::new(3, Counted::new, |world: &World<B>, who, state: &Counted<B>| {
        world.act(who, |me| match who {
            2 => (0..2).for_each(|_| state.notify(me, 1)),
            _ => state.wait(me, Some(DEADLINE)),
        });
    })
    .check(Counted::check)
}

/// 0 waits for an item, without a deadline; 1 puts it, and notifies after it has released the lock.
fn notified_without_the_lock<B: Backend>() -> Explore<B, Counted<B>> {
    Explore::new(2, Counted::new, |world: &World<B>, who, state: &Counted<B>| {
        world.act(who, |me| match who {
            1 => state.buffer.put(me, |filled, me| filled.notify(Some(me.table), 1)),
            _ => {
                state.buffer.lock(me);
                if B::read(&state.buffer.items, |items| *items == 0) {
                    let woken = state.buffer.wait(me, &mut true, None);
                    assert_eq!(woken, Woken::Notified, "nothing else can end the wait");
                }
                state.buffer.mutex.unlock(0);
            }
        });
    })
}

/// 1 raises a flag under a reentrant lock that it holds twice. 0 holds that lock three times, and
/// waits for the flag.
#[derive(Debug)]
struct Reentrant<B: Backend> {
    lock: ReentrantMutex<Model<B>>,
    changed: Condvar<Model<B>>,
    flag: B::Cell<bool>,
}

impl<B: Backend> Reentrant<B> {
    fn new() -> Self {
        Self {
            lock: ReentrantMutex::from_words(Word::new(0), Word::new(0)),
            changed: Condvar::from_words(Word::new(0), Word::new(0)),
            flag: B::cell(false),
        }
    }
    fn lock(&self, me: Me<'_, B>, times: u32) {
        for _ in 0..times {
            let _inconsistent_is_fine = self.lock.lock(me, None).expect("waits");
        }
    }
    fn release(&self, me: Me<'_, B>, times: u32) {
        (0..times).for_each(|_| self.lock.release(me.id, 0).expect("held so often"));
    }
    fn raise(&self, me: Me<'_, B>) {
        self.lock(me, 2);
        B::write(&self.flag, |flag| *flag = true);
        self.release(me, 2);
        self.changed.notify(Some(me.table), 1);
    }
    fn wait(&self, me: Me<'_, B>) {
        self.lock(me, 3);
        while B::read(&self.flag, |flag| !flag) {
            let mut count = 0;
            let waited = self.changed.wait(me, true, None, PLACE, || count = self.lock.release_all(0));
            assert!(self.lock.lock_again(me, count).is_ok());
            self.changed.leave(me, waited, self.lock.mutex());
        }
        self.release(me, 3);
        assert_ne!(self.lock.holder(), Some(me.id));
    }
}

fn held_three_times<B: Backend>() -> Explore<B, Reentrant<B>> {
    Explore::new(2, Reentrant::new, |world: &World<B>, who, state: &Reentrant<B>| {
        world.act(who, |me| if who == 1 { state.raise(me) } else { state.wait(me) });
    })
    .after(|world, dead, supervisor, state| {
        // Reading the flag is no race: its only writer is dead.
        if dead == 1 && !B::read(&state.flag, |flag| *flag) {
            world.act(supervisor, |me| state.raise(me));
        }
    })
}

/// A notification without FRESH: if the wake finds no sleeper, it clears WAITERS. It does not
/// notice a waiter that has arrived meanwhile.
#[cfg(feature = "loom")]
fn notify_without_fresh<B: Backend>(word: &Word<B>) {
    const WAITERS: u32 = 1 << 31;
    let mut seen = word.load(Relaxed);
    while seen & WAITERS != 0 {
        match word.compare_exchange(seen, seen + 1, Relaxed, Relaxed) {
            Ok(_) if Model::<B>::wake(word, 1) == 0 => {
                let _cleared = word.compare_exchange(seen + 1, (seen + 1) & !WAITERS, Relaxed, Relaxed);
                return;
            }
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// `left_by_another` with that notification: an arriving waiter sets WAITERS alone.
#[cfg(feature = "loom")]
fn without_fresh<B: Backend>() -> Explore<B, (Buffer<B>, Word<B>)> {
    let make = || (Buffer::new(), Word::new(1 << 31));
    Explore::new(2, make, |world: &World<B>, who, (buffer, word): &(Buffer<B>, Word<B>)| {
        world.act(who, |me| match who {
            1 => (0..2).for_each(|_| {
                buffer.put_silently(me);
                notify_without_fresh(word);
            }),
            _ => (0..2).for_each(|_| buffer.take_by(me, word, |vigil| vigil.watch_from_now(), |_| {})),
        });
    })
}

/// 0 takes an item, 1 puts it. The taker collects lifelines after it has released the lock. No
/// waiter watches a producer that dies in between.
#[cfg(feature = "loom")]
fn collecting_late<B: Backend>() -> Explore<B, (Buffer<B>, Word<B>)> {
    let make = || (Buffer::new(), Word::new(0));
    Explore::new(2, make, |world: &World<B>, who, (buffer, word): &(Buffer<B>, Word<B>)| {
        world.act(who, |me| match who {
            1 => {
                buffer.put_silently(me);
                notify_without_fresh(word);
            }
            _ => buffer.take_by(me, word, |_| {}, |vigil| vigil.watch_from_now()),
        });
    })
    .after(|world, dead, supervisor, (buffer, word)| {
        if dead == 1 && buffer.made.load(SeqCst) == 0 {
            world.act(supervisor, |me| buffer.put_silently(me));
            notify_without_fresh(word);
        }
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    a_wake_that_finds_nobody_loses_no_notification: |n| left_by_another::<B>().victims(&[0, 1]).spurious().holds(n);
    two_items_find_two_takers: |n| two_items::<B>().holds(n);
    two_items_find_two_takers_whoever_dies: |n| two_items::<B>().victims(&[0, 2]).preemptions(1).spurious().holds(n);
    notified_under_the_lock_whoever_dies: |n| two_items_at_once::<B>().victims(&[0, 2]).preemptions(1).holds(n);
    notified_under_the_lock_in_the_first_phase:
        |n| two_items_at_once::<B>().victims(&[2]).preemptions(1).first_phase().holds(n);
    a_sleeper_on_the_lock_is_woken_beside_a_moved_waiter:
        |n| another_sleeps_on_the_lock::<B>().victims(&[0, 2]).preemptions(1).spurious().holds(n);
    a_waiter_moved_to_a_lock_that_another_released_is_woken: |n| released_by_another::<B>().holds(n);
    waiters_with_different_locks_all_return: |n| two_locks::<B>().holds(n);
    waiters_with_different_locks_all_return_if_the_newest_is_woken_first:
        |n| two_locks::<B>().broken(Broken::NEWEST_FIRST).executions(60_000).holds(n);
    the_first_phase_changes_nothing: |n| two_items::<B>().victims(&[2]).preemptions(1).first_phase().holds(n);
    all_are_notified_whoever_dies: |n| one_for_all::<B>().victims(&[0, 2]).preemptions(1).holds(n);
    any_two_may_die: |n| one_for_all::<B>().victims(&[0, 2]).pairs().holds(n);
    a_waiter_that_times_out_takes_no_notification: |n| one_gives_up::<B>().victims(&[2]).holds(n);
    an_interrupted_waiter_takes_no_notification: |n| one_is_interrupted::<B>().victims(&[2]).executions(1_000).holds(n);
    no_wait_returns_notified_without_a_notification: |n| nobody_notifies::<B>().victims(&[1]).holds(n);
    one_notification_ends_one_wait: |n| one_is_notified::<B>().spurious().holds(n);
    one_notification_ends_at_most_one_wait_whoever_dies: |n| one_is_notified::<B>().victims(&[0, 2]).preemptions(1).holds(n);
    a_waiter_that_is_already_awake_is_notified_too: |n| two_are_notified_one_by_one::<B>().holds(n);
    surplus_notifications_are_not_kept: |n| more_are_asked_for_than_wait::<B>().holds(n);
    a_waiter_notified_without_the_lock_held_finds_its_ticket: |n| notified_without_the_lock::<B>().holds(n);
    a_lock_held_three_times_is_released_whole: |n| held_three_times::<B>().victims(&[0, 1]).spurious().holds(n);
    clearing_waiters_without_fresh_loses_a_wake: |n| without_fresh::<B>().fails(n);
    without_the_cascade_one_stays_asleep:
        |n| one_for_all::<B>().victims(&[2]).broken(Broken::NO_CASCADE).fails(n);
    collecting_after_the_release_hangs: |n| collecting_late::<B>().victims(&[1]).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    two_items_find_two_takers_whoever_dies: |n| two_items::<B>().victims(&[0, 2]).spurious().holds(n);
    notified_under_the_lock_whoever_dies: |n| two_items_at_once::<B>().victims(&[0, 2]).spurious().holds(n);
    a_sleeper_on_the_lock_is_woken_beside_a_moved_waiter:
        |n| another_sleeps_on_the_lock::<B>().victims(&[0, 2]).spurious().holds(n);
    waiters_with_different_locks_all_return: |n| two_locks::<B>().holds(n);
    all_are_notified_whoever_dies: |n| one_for_all::<B>().victims(&[0, 2]).first_phase().holds(n);
    a_waiter_that_times_out_takes_no_notification: |n| one_gives_up::<B>().holds(n);
    an_interrupted_waiter_takes_no_notification: |n| one_is_interrupted::<B>().holds(n);
    one_notification_ends_one_wait: |n| one_is_notified::<B>().spurious().holds(n);
}
