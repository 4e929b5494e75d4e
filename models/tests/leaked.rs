//! Models of leaked holds: a thread ends by itself while it holds a lock, and its process goes on
//! using the data. No other participant may get the hold, and none may hang. The end of the process
//! releases the hold.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use outlive::platform::Word as _;
use outlive::raw::Deadline;
#[cfg(feature = "loom")]
use outlive::raw::hold::HELD;
use outlive::raw::rwlock::Line;
#[cfg(feature = "loom")]
use outlive::raw::table::recycle::Named;
use outlive::raw::{Leaked, Mutex, NotLocked, Participant, RwLock};
use outlive_models::{Backend, Explore, Model, Word, World};
#[cfg(feature = "loom")]
use outlive_models::{Left, NameReader, Newborn};

type Me<'a, B> = Participant<'a, Model<B>>;
const FOREVER: Deadline = Deadline::By(None);

/// Data under both kinds of lock; a scenario uses one of them.
#[derive(Debug)]
struct Shared<B: Backend> {
    mutex: Mutex<Model<B>>,
    lock: RwLock<Model<B>, 1>,
    data: B::Cell<u32>,
}

impl<B: Backend> Shared<B> {
    fn new() -> Self {
        let line = || Line::new(Word::new(0));
        Self { mutex: Mutex::from_word(Word::new(0)), lock: RwLock::from_lines(line(), [line()]), data: B::cell(0) }
    }

    fn write(&self) {
        B::write(&self.data, |data| *data += 1);
    }
    fn read(&self) {
        B::read(&self.data, |data| assert!(*data < 9));
    }

    /// What a thread does that finds a leaked guard at its end. Then the thread ends, and its
    /// process lives on.
    fn leak(&self, world: &World<B>, who: usize, me: Me<'_, B>) {
        world.table().leak(me.id);
        world.end(who);
    }

    fn update(&self, me: Me<'_, B>) {
        match self.mutex.lock(me, None) {
            Ok(_even_from_the_dead) => {
                self.write();
                self.mutex.unlock(0);
            }
            Err(error) => assert!(matches!(error, NotLocked::Leaked(_)), "{error:?}"),
        }
    }

    fn try_update(&self, me: Me<'_, B>) {
        if self.mutex.try_lock(me).is_ok() {
            self.write();
            self.mutex.unlock(0);
        }
    }

    fn write_locked(&self, me: Me<'_, B>) {
        match self.lock.write(me, FOREVER) {
            Ok(_even_from_the_dead) => {
                self.write();
                self.lock.unlock_write(0);
            }
            Err(error) => assert!(matches!(error, NotLocked::Leaked(_)), "{error:?}"),
        }
    }

    fn read_locked(&self, me: Me<'_, B>) {
        match self.lock.read(me, FOREVER) {
            Ok(reading) => {
                self.read();
                self.lock.unlock_read(reading.word);
            }
            Err(error) => assert!(matches!(error, NotLocked::Leaked(_)), "{error:?}"),
        }
    }
}

/// 0 leaks the mutex, and its process goes on writing. 1 calls `lock`, the others call `try_lock`.
fn a_mutex<B: Backend, const N: usize>() -> Explore<B, Shared<B>> {
    Explore::new(N, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| match who {
            0 => {
                if shared.mutex.lock(me, None).is_ok() {
                    shared.write();
                    shared.leak(world, who, me);
                    shared.write();
                }
            }
            1 => shared.update(me),
            _ => shared.try_update(me),
        });
    })
    .leakers(&[0])
}

/// As `a_mutex`, but 0 does not announce its leak.
#[cfg(feature = "loom")]
fn a_mutex_without_an_announcement<B: Backend>() -> Explore<B, Shared<B>> {
    Explore::new(2, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| match who {
            0 => {
                let _acquired = shared.mutex.lock(me, None).expect("only this thread leaks");
                world.end(who);
                shared.write();
            }
            _ => shared.update(me),
        });
    })
    .leakers(&[0])
}

/// 0 leaks the mutex, and then its process ends. The next holder gets the lock, and sees all that 0
/// wrote.
fn a_process_that_ends<B: Backend, const N: usize>() -> Explore<B, Shared<B>> {
    Explore::new(N, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| match who {
            0 => {
                if shared.mutex.lock(me, None).is_ok() {
                    shared.leak(world, who, me);
                    shared.write();
                    world.end_process(who);
                }
            }
            _ => shared.update(me),
        });
    })
    .leakers(&[0])
}

/// 0 acquires a lock without data, and ends with the hold. Another thread of its process releases
/// it.
fn a_lock_without_data<B: Backend>() -> Explore<B, Shared<B>> {
    Explore::new(2, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| {
            let _acquired = shared.mutex.lock_with(me, None, Leaked::Wait).expect("waits");
            shared.write();
            if who == 0 {
                shared.leak(world, who, me);
                shared.write();
            }
            shared.mutex.release(Some(me.id), None).expect("nobody has taken it over");
        });
    })
    .leakers(&[0])
}

/// 0 acquires a lock without data, and ends with the hold. Its process ends, and a thread reaps.
fn a_lock_whose_process_ends<B: Backend>() -> Explore<B, Shared<B>> {
    Explore::new(2, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| {
            let _acquired = shared.mutex.lock_with(me, None, Leaked::Wait).expect("waits");
            shared.write();
            match who {
                0 => {
                    shared.leak(world, who, me);
                    shared.write();
                    world.end_process(who);
                    world.table().reap_lost();
                }
                _ => shared.mutex.unlock(0),
            }
        });
    })
    .leakers(&[0])
}

/// 0 leaks the mutex, and the kernel's marks are lost. Another thread of its process reaps. 1 takes
/// over even a leaked hold.
#[cfg(feature = "loom")]
fn an_end_without_marks<B: Backend>() -> Explore<B, Shared<B>> {
    Explore::new(2, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| {
            let acquired = shared.mutex.lock_with(me, None, Leaked::Take);
            assert!(acquired.is_ok(), "{acquired:?}");
            shared.write();
            match who {
                0 => {
                    world.table().leak(me.id);
                    world.end_unmarked(who);
                    world.table().reap_lost();
                }
                _ => shared.mutex.unlock(0),
            }
        });
    })
    .leakers(&[0])
}

/// 0 holds a lock without data from the start. It ends with the hold, its process ends, and a
/// thread reaps. 1 is most likely asleep.
#[cfg(feature = "loom")]
fn a_sleeper_beside_the_leaked<B: Backend>() -> Explore<B, Shared<B>> {
    let make = || Shared { mutex: Mutex::from_word(Word::new(HELD | 1 << 12)), ..Shared::new() };
    Explore::new(2, make, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| match who {
            0 => {
                shared.leak(world, who, me);
                world.end_process(who);
                world.table().reap_lost();
            }
            _ => {
                let _acquired = shared.mutex.lock_with(me, None, Leaked::Wait).expect("waits");
                shared.mutex.unlock(0);
            }
        });
    })
    .leakers(&[0])
}

/// 0 leaks a write guard, and its process goes on writing; others read and write.
fn a_writer<B: Backend, const N: usize>() -> Explore<B, Shared<B>> {
    Explore::new(N, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| match who {
            0 => {
                if shared.lock.write(me, FOREVER).is_ok() {
                    shared.write();
                    shared.leak(world, who, me);
                    shared.write();
                }
            }
            1 => shared.read_locked(me),
            _ => shared.write_locked(me),
        });
    })
    .leakers(&[0])
}

/// 0 leaks a read guard, and its process goes on reading; others write and read. All readers share
/// one word.
fn a_reader<B: Backend, const N: usize>() -> Explore<B, Shared<B>> {
    Explore::new(N, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| match who {
            0 => {
                if shared.lock.read(me, FOREVER).is_ok() {
                    shared.leak(world, who, me);
                    shared.read();
                }
            }
            1 => shared.write_locked(me),
            _ => shared.read_locked(me),
        });
    })
    .leakers(&[0])
}

/// 0 leaks a read guard, and its process goes on reading. 1 reads beside it, which is right if no
/// write guard was leaked. All readers share one word.
fn a_reader_beside_a_leaked_one<B: Backend>() -> Explore<B, Shared<B>> {
    Explore::new(3, Shared::new, |world: &World<B>, who, shared: &Shared<B>| {
        world.act(who, |me| match who {
            0 => {
                if shared.lock.read(me, FOREVER).is_ok() {
                    shared.leak(world, who, me);
                    shared.read();
                }
            }
            1 => {
                if let Ok(reading) = shared.lock.read_with(me, Deadline::Immediate, Leaked::Take) {
                    shared.read();
                    shared.lock.unlock_read(reading.word);
                }
            }
            _ => shared.write_locked(me),
        });
    })
    .leakers(&[0])
}

/// A slot has one generation in a round.
#[cfg(feature = "loom")]
type InOne = outlive_models::Loom<128, 1>;

/// The word of a hold of the former participant, which had slot 2 in its first generation.
#[cfg(feature = "loom")]
const FROM_BEFORE: u32 = HELD | 1 << 12 | 2;

/// The former participant has left the lock held. 2 comes, and leaks the lock. If no word names the
/// former participant any more, 2 gets its id. The others take the lock, and may have judged the
/// former participant before that.
#[cfg(feature = "loom")]
fn an_id_that_comes_round<B: Backend, const MUTEX: u32, const WRITER: u32>(
    body: fn(&World<B>, usize, &Shared<B>),
) -> Explore<B, Shared<B>> {
    let make = || {
        let line = |word| Line::new(Word::new(word));
        let lock = RwLock::from_lines(line(WRITER), [line(0)]);
        Shared { mutex: Mutex::from_word(Word::new(MUTEX)), lock, data: B::cell(0) }
    };
    Explore::new(3, make, body).newcomers(1).left(Left::Marked).executions(12_000)
}

#[cfg(feature = "loom")]
fn leaker_that_comes<B: Backend>(world: &World<B>, shared: &Shared<B>, lock: impl FnOnce(Me<'_, B>) -> bool) {
    let table = world.table();
    let read = |named: &mut Named| {
        let holders = [shared.mutex.holder(), shared.lock.writer()];
        holders.into_iter().flatten().for_each(|id| named.note(id.word()));
    };
    let reader = NameReader { newborn: Newborn { world, who: 2 }, read };
    let Ok(id) = table.register(&reader) else { return };
    let me = Participant { id, table: &table };
    if lock(me) {
        shared.write();
        shared.leak(world, 2, me);
        shared.write();
    }
}

#[cfg(feature = "loom")]
fn a_mutex_of_one_that_comes_round<B: Backend>() -> Explore<B, Shared<B>> {
    an_id_that_comes_round::<B, FROM_BEFORE, 0>(|world, who, shared| match who {
        2 => leaker_that_comes(world, shared, |me| shared.mutex.lock(me, None).is_ok()),
        _ => world.act(who, |me| shared.update(me)),
    })
}

#[cfg(feature = "loom")]
fn a_writer_that_comes_round<B: Backend>() -> Explore<B, Shared<B>> {
    an_id_that_comes_round::<B, 0, FROM_BEFORE>(|world, who, shared| match who {
        2 => leaker_that_comes(world, shared, |me| shared.lock.write(me, FOREVER).is_ok()),
        _ => world.act(who, |me| shared.write_locked(me)),
    })
}

/// 1 comes, locks, announces a leak, and unlocks after all. 0 meets 1's hold at any moment. It gets
/// no `Leaked` error: 1 is alive, and its lifelines are not cut.
#[cfg(feature = "loom")]
fn one_that_may_leak<B: Backend>(body: fn(&World<B>, usize, &Shared<B>)) -> Explore<B, Shared<B>> {
    Explore::new(2, Shared::new, body).newcomers(1).left(Left::Marked)
}

#[cfg(feature = "loom")]
fn a_mutex_that_may_leak<B: Backend, const TRIES: bool>() -> Explore<B, Shared<B>> {
    one_that_may_leak(|world, who, shared| match who {
        0 => world.act(who, |me| {
            let answer = if TRIES { shared.mutex.try_lock(me) } else { shared.mutex.lock(me, None) };
            assert!(!matches!(answer, Err(NotLocked::Leaked(_))), "{answer:?}");
            if answer.is_ok() {
                shared.write();
                shared.mutex.unlock(0);
            }
        }),
        _ => world.come(who, |me| {
            let _acquired = shared.mutex.lock(me, None).expect("nobody leaks");
            shared.write();
            world.table().leak(me.id);
            shared.mutex.unlock(0);
        }),
    })
}

/// 0 writes, or reads, and so does 1.
#[cfg(feature = "loom")]
fn a_lock_that_may_leak<B: Backend, const WRITES: bool, const IS_READ: bool>() -> Explore<B, Shared<B>> {
    one_that_may_leak(|world, who, shared| match who {
        0 => world.act(who, |me| {
            if WRITES {
                let _acquired = shared.lock.write(me, FOREVER).expect("nobody leaks");
                shared.write();
                shared.lock.unlock_write(0);
            } else {
                let reading = shared.lock.read(me, FOREVER).expect("nobody leaks");
                shared.read();
                shared.lock.unlock_read(reading.word);
            }
        }),
        _ => world.come(who, |me| {
            if IS_READ {
                let reading = shared.lock.read(me, FOREVER).expect("nobody leaks");
                shared.read();
                world.table().leak(me.id);
                shared.lock.unlock_read(reading.word);
            } else {
                let _acquired = shared.lock.write(me, FOREVER).expect("nobody leaks");
                shared.write();
                world.table().leak(me.id);
                shared.lock.unlock_write(0);
            }
        }),
    })
}

outlive_models::models! { with_loom, Loom, "loom",
    a_leaked_hold_is_given_to_nobody: |n| a_mutex::<B, 3>().victims(&[0, 1]).executions(2_000).holds(n);
    a_thread_that_does_not_announce_its_leak_loses_its_hold: |n| a_mutex_without_an_announcement::<B>().fails(n);
    a_leaked_hold_is_given_when_its_process_ends: |n| a_process_that_ends::<B, 2>().victims(&[0]).holds(n);
    a_lock_without_data_stays_held_and_can_be_released: |n| a_lock_without_data::<B>().victims(&[1]).holds(n);
    a_lock_without_data_is_given_when_its_process_ends:
        |n| a_lock_whose_process_ends::<B>().victims(&[1]).executions(1_500).holds(n);
    a_sleeper_learns_that_the_process_has_ended: |n| a_sleeper_beside_the_leaked::<B>().holds(n);
    a_thread_whose_marks_are_lost_has_leaked_all_the_same: |n| an_end_without_marks::<B>().holds(n);
    a_leaked_write_guard_keeps_all_out: |n| a_writer::<B, 3>().victims(&[1]).executions(1_500).holds(n);
    a_leaked_read_guard_keeps_writers_out: |n| a_reader::<B, 3>().victims(&[1]).executions(1_500).holds(n);
    a_reader_beside_a_leaked_read_guard_leaves_it_there: |n| a_reader_beside_a_leaked_one::<B>().victims(&[1]).holds(n);
    a_late_heir_is_given_no_leaked_hold: |n| a_mutex_of_one_that_comes_round::<InOne>().holds(n);
    a_late_writer_is_given_no_leaked_hold: |n| a_writer_that_comes_round::<InOne>().holds(n);
    lock_never_reports_a_living_holder_as_leaked: |n| a_mutex_that_may_leak::<B, false>().holds(n);
    try_lock_never_reports_a_living_holder_as_leaked: |n| a_mutex_that_may_leak::<B, true>().holds(n);
    write_never_reports_a_living_writer_as_leaked: |n| a_lock_that_may_leak::<B, true, false>().holds(n);
    write_never_reports_a_living_reader_as_leaked: |n| a_lock_that_may_leak::<B, true, true>().holds(n);
    read_never_reports_a_living_writer_as_leaked: |n| a_lock_that_may_leak::<B, false, false>().holds(n);
    read_never_reports_a_living_reader_as_leaked: |n| a_lock_that_may_leak::<B, false, true>().holds(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    a_leaked_hold_is_given_to_nobody: |n| a_mutex::<B, 4>().victims(&[0, 1]).holds(n);
    a_leaked_hold_is_given_when_its_process_ends: |n| a_process_that_ends::<B, 3>().victims(&[0]).holds(n);
    a_leaked_write_guard_keeps_all_out: |n| a_writer::<B, 3>().victims(&[1]).holds(n);
    a_leaked_read_guard_keeps_writers_out: |n| a_reader::<B, 3>().victims(&[1]).holds(n);
}
