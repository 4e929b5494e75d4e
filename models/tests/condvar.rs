//! Models of `raw::Condvar`: no item without its consumer, whoever dies between "it is there" and
//! "notify"; one notification for one waiter; timeouts that give nothing away; a reentrant lock
//! given back whole.
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

/// Items under a lock, and one condition: that there are any.
#[derive(Debug)]
struct Buffer<B: Backend> {
    mutex: Mutex<Model<B>>,
    filled: Condvar<Model<B>>,
    items: B::Cell<u32>,
    made: AtomicU32,
}

type Me<'a, B> = Participant<'a, Model<B>>;

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
    /// One that dies behind the unlock has made it true, and told nobody.
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
    /// With the lock held. `watch` as the last wait ended.
    fn wait(&self, me: Me<'_, B>, watch: &mut bool, deadline: Option<Duration>) -> Woken {
        let waited = self.filled.wait(me, *watch, deadline, || self.mutex.unlock(0));
        let _inconsistent_is_fine = self.mutex.lock_again(me).expect("waits");
        let woken = self.filled.leave(me, waited);
        *watch = woken == Woken::Neither;
        woken
    }
    fn take(&self, me: Me<'_, B>) {
        self.lock(me);
        let mut watch = false;
        while B::read(&self.items, |items| *items == 0) {
            self.wait(me, &mut watch, None);
        }
        B::write(&self.items, |items| *items -= 1);
        self.mutex.unlock(0);
    }
    /// As `take`, with a wait of one's own.
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
            let _look = vigil.sleep_once(word, arrived);
            self.lock(me);
        }
        B::write(&self.items, |items| *items -= 1);
        self.mutex.unlock(0);
    }
    /// Waits until there is an item, and leaves it.
    fn see(&self, me: Me<'_, B>) {
        self.lock(me);
        let mut watch = false;
        while B::read(&self.items, |items| *items == 0) {
            self.wait(me, &mut watch, None);
        }
        self.mutex.unlock(0);
    }
    /// What a dead producer has not made, a supervisor makes; what it made and did not tell of is
    /// for the waiters to find.
    fn make_up_to(&self, wanted: u32, me: Me<'_, B>, notify: fn(&Condvar<Model<B>>, Me<'_, B>)) {
        while self.made.load(SeqCst) < wanted {
            self.put(me, notify);
        }
    }
}

/// 0 and 1 take, 2 puts: by their numbers, so that the first schedules of a search are those in
/// which somebody sleeps.
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

/// 0 takes two, 1 puts both, on a condition variable that another one has waited on and left: the
/// first notification finds nobody.
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

/// What a waiter leaves behind that has timed out.
const WAITERS_AND_FRESH: u32 = 3 << 30;

/// The same, notified with the lock held, and both at once.
fn two_items_at_once<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => {
                buffer.lock(me);
                B::write(&buffer.items, |items| *items += 2);
                buffer.made.fetch_add(2, SeqCst);
                step::<B>();
                buffer.filled.notify(Some(me.table), 2);
                buffer.mutex.unlock(0);
            }
            _ => buffer.take(me),
        });
    })
    .after(supervise_two)
}

/// 2 puts one, and tells all; 0 and 1 see it.
fn one_for_all<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put(me, |filled, _| filled.notify_all()),
            _ => buffer.see(me),
        });
    })
    .after(supervise_one)
}

fn supervise_one<B: Backend>(world: &World<B>, dead: usize, supervisor: usize, buffer: &Buffer<B>) {
    if dead + 1 == supervisor {
        world.act(supervisor, |me| buffer.make_up_to(1, me, |filled, _| filled.notify_all()));
    }
}

/// 2 puts one; 0 sees it, and tells 1, or gives up at some moment; 1 sees it. So a notification
/// that 0 was given, and took for a timeout, would leave 1 asleep.
fn one_gives_up<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put(me, |filled, me| filled.notify(Some(me.table), 1)),
            0 => {
                buffer.lock(me);
                let mut watch = false;
                while B::read(&buffer.items, |items| *items == 0) {
                    // The answer is trusted, without another look.
                    if buffer.wait(me, &mut watch, Some(DEADLINE)) == Woken::TimedOut {
                        assert!(is_over::<B>(), "told of a timeout before its time");
                        buffer.mutex.unlock(0);
                        return;
                    }
                }
                buffer.mutex.unlock(0);
                buffer.filled.notify(Some(me.table), 1);
            }
            _ => buffer.see(me),
        });
    })
    .after(supervise_one)
}

/// 2 puts one; 0 and 1 see it, and each tells the other. 0 is interrupted, and goes away: it has
/// lost no notification.
fn one_is_interrupted<B: Backend>() -> Explore<B, Buffer<B>> {
    Explore::new(3, Buffer::new, |world: &World<B>, who, buffer: &Buffer<B>| {
        world.act(who, |me| match who {
            2 => buffer.put(me, |filled, me| filled.notify(Some(me.table), 1)),
            0 => {
                buffer.lock(me);
                let mut watch = false;
                while B::read(&buffer.items, |items| *items == 0) {
                    if buffer.wait(me, &mut watch, None) == Woken::Interrupted {
                        buffer.mutex.unlock(0);
                        return;
                    }
                }
                buffer.mutex.unlock(0);
                buffer.filled.notify(Some(me.table), 1);
            }
            _ => {
                buffer.see(me);
                buffer.filled.notify(Some(me.table), 1);
            }
        });
    })
    .after(supervise_one)
    .interrupted(&[0])
}

/// 0 waits for what does not come, on a condition variable that was notified before, and gives up;
/// 1 comes and goes.
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

/// Two wait once, with a deadline, and are told why they came back; the third notifies, with the
/// lock held or after it.
#[derive(Debug)]
struct Told<B: Backend> {
    buffer: Buffer<B>,
    /// Under the lock: who waits.
    waiting: B::Cell<u32>,
    /// For how many of them notifications were: as many as were asked for, or as there were.
    owed: AtomicU32,
    told: AtomicU32,
}

impl<B: Backend> Told<B> {
    fn new() -> Self {
        let [owed, told] = [(); 2].map(|()| AtomicU32::new(0));
        Self { buffer: Buffer::new(), waiting: B::cell(0), owed, told }
    }
    /// Waits until `deadline`, as often as it is told neither.
    fn wait(&self, me: Me<'_, B>, deadline: Option<Duration>) {
        self.buffer.lock(me);
        B::write(&self.waiting, |waiting| *waiting += 1);
        let told = loop {
            match self.buffer.wait(me, &mut true, deadline) {
                Woken::Neither => {}
                told => break told,
            }
        };
        B::write(&self.waiting, |waiting| *waiting -= 1);
        self.told.fetch_add(u32::from(told == Woken::Notified), SeqCst);
        self.buffer.mutex.unlock(0);
    }
    fn notify(&self, me: Me<'_, B>, count: u32) {
        self.buffer.lock(me);
        // Those that were notified before, and have not come back to be told, are owed nothing
        // more.
        let without = B::read(&self.waiting, |waiting| *waiting) + self.told.load(SeqCst) - self.owed.load(SeqCst);
        self.owed.fetch_add(without.min(count), SeqCst);
        self.buffer.filled.notify(Some(me.table), count);
        self.buffer.mutex.unlock(0);
    }
    /// As many as were asked for, and were there; fewer only if somebody died who may have been one
    /// of them.
    fn check(&self, world: &World<B>) {
        let (owed, told) = (self.owed.load(SeqCst), self.told.load(SeqCst));
        assert!(told <= owed, "{told} were told, and {owed} were to be");
        let nobody_died = (0..3).all(|who| !world.has_died(who));
        assert!(told == owed || !nobody_died, "{told} were told of {owed}");
    }
}

/// 0 and 1 wait, 2 notifies one.
fn one_is_told<B: Backend>() -> Explore<B, Told<B>> {
    Explore::new(3, Told::new, |world: &World<B>, who, state: &Told<B>| {
        world.act(who, |me| if who == 2 { state.notify(me, 1) } else { state.wait(me, Some(DEADLINE)) });
    })
    .check(Told::check)
}

/// 0 waits twice, 1 once; 2 notifies two, perhaps when one waits, and then one.
fn more_are_asked_for_than_wait<B: Backend>() -> Explore<B, Told<B>> {
    Explore::new(3, Told::new, |world: &World<B>, who, state: &Told<B>| {
        world.act(who, |me| match who {
            2 => [2, 1].into_iter().for_each(|count| state.notify(me, count)),
            _ => (who..2).for_each(|_| state.wait(me, Some(DEADLINE))),
        });
    })
    .check(Told::check)
}

/// 0 and 1 wait, 2 notifies one, and then one: perhaps when both are awake, and have not had the
/// lock.
fn two_are_told_one_by_one<B: Backend>() -> Explore<B, Told<B>> {
    Explore::new(3, Told::new, |world: &World<B>, who, state: &Told<B>| {
        world.act(who, |me| match who {
            2 => (0..2).for_each(|_| state.notify(me, 1)),
            _ => state.wait(me, Some(DEADLINE)),
        });
    })
    .check(Told::check)
}

/// 0 waits for a flag, without a deadline; 1 raises it, and notifies when it has given the lock
/// back.
fn told_without_the_lock<B: Backend>() -> Explore<B, Told<B>> {
    Explore::new(2, Told::new, |world: &World<B>, who, state: &Told<B>| {
        world.act(who, |me| match who {
            1 => state.buffer.put(me, |filled, me| filled.notify(Some(me.table), 1)),
            _ => {
                state.buffer.lock(me);
                if B::read(&state.buffer.items, |items| *items == 0) {
                    let woken = state.buffer.wait(me, &mut true, None);
                    assert_eq!(woken, Woken::Notified, "nothing else has happened");
                }
                state.buffer.mutex.unlock(0);
            }
        });
    })
}

/// 1 raises a flag under a reentrant lock that it holds twice; 0 waits for it, holding it three
/// times.
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
            let waited = self.changed.wait(me, true, None, || count = self.lock.release_all(0));
            assert!(self.lock.lock_again(me, count).is_ok());
            self.changed.leave(me, waited);
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
        // The flag may be looked at: its writer is dead, and if it died before it wrote, nobody
        // writes it now.
        if dead == 1 && !B::read(&state.flag, |flag| *flag) {
            world.act(supervisor, |me| state.raise(me));
        }
    })
}

/// What is wrong with "the wake found nobody, so clear WAITERS" if nothing tells of arrivals.
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

/// `left_by_another` on such a word: an arrival sets WAITERS and nothing else.
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

/// 0 takes one, 1 puts it. The taker collects after it has given the lock back: a producer that
/// dies in between is watched by nobody.
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
    the_first_phase_changes_nothing: |n| two_items::<B>().victims(&[2]).preemptions(1).first_phase().holds(n);
    all_are_notified_whoever_dies: |n| one_for_all::<B>().victims(&[0, 2]).preemptions(1).holds(n);
    any_two_may_die: |n| one_for_all::<B>().victims(&[0, 2]).pairs().holds(n);
    a_waiter_that_times_out_takes_no_notification: |n| one_gives_up::<B>().victims(&[2]).holds(n);
    an_interrupted_waiter_takes_no_notification: |n| one_is_interrupted::<B>().victims(&[2]).executions(1_000).holds(n);
    no_wait_returns_notified_without_a_notification: |n| nobody_notifies::<B>().victims(&[1]).holds(n);
    one_notification_ends_one_wait: |n| one_is_told::<B>().spurious().holds(n);
    one_notification_ends_at_most_one_wait_whoever_dies: |n| one_is_told::<B>().victims(&[0, 2]).preemptions(1).holds(n);
    a_waiter_that_is_already_awake_is_notified_too: |n| two_are_told_one_by_one::<B>().holds(n);
    surplus_notifications_are_not_kept: |n| more_are_asked_for_than_wait::<B>().holds(n);
    a_waiter_notified_without_the_lock_held_finds_its_ticket: |n| told_without_the_lock::<B>().holds(n);
    a_lock_held_three_times_is_released_whole: |n| held_three_times::<B>().victims(&[0, 1]).spurious().holds(n);
    clearing_waiters_without_fresh_loses_a_wake: |n| without_fresh::<B>().fails(n);
    without_the_cascade_one_stays_asleep:
        |n| one_for_all::<B>().victims(&[2]).broken(Broken { no_cascade: true, ..Broken::default() }).fails(n);
    collecting_after_the_release_hangs: |n| collecting_late::<B>().victims(&[1]).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    two_items_find_two_takers_whoever_dies: |n| two_items::<B>().victims(&[0, 2]).spurious().holds(n);
    all_are_notified_whoever_dies: |n| one_for_all::<B>().victims(&[0, 2]).first_phase().holds(n);
    a_waiter_that_times_out_takes_no_notification: |n| one_gives_up::<B>().holds(n);
    an_interrupted_waiter_takes_no_notification: |n| one_is_interrupted::<B>().holds(n);
    one_notification_ends_one_wait: |n| one_is_told::<B>().spurious().holds(n);
}
