//! Coming and going: registration, detachment, unmapping.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{LeaveError, LockError, Mutex, RegisterError, Segment, TryLockError};

type World = Segment<Mutex<u64>>;

/// An operation with a table of so many slots.
fn script(name: &str, participants: usize) -> Script<World> {
    operation("Segment", name, move |_| {
        Segment::options().participants(participants).anonymous(|_, _| {}).expect("a segment")
    })
}

/// Registers, and locks.
fn get_in(s: &Stage<World>) -> Told {
    match s.lock() {
        Ok(_) => Ok("ok"),
        Err(LockError::OwnerDied(left)) => {
            left.into_inner().mark_consistent();
            Ok("owner died")
        }
        Err(other) => Err(other.to_string()),
    }
}

/// The last role: the list names no other living participant. A participant that died while it left
/// may be listed until its slot is needed.
fn find_nobody_else(s: &Stage<World>, slots: usize) -> Told {
    get_in(s)?;
    let others = || s.participants().iter().filter(|other| other.process_id != std::process::id()).count();
    if others() > 0 {
        take_all(s, slots)?;
    }
    match others() {
        0 => Ok(""),
        more => Err(format!("{more} others are listed, and nobody else is there")),
    }
}

/// Registers as often as there are slots.
fn take_all(s: &Stage<World>, slots: usize) -> Result<(), String> {
    let all_are_there = std::sync::Barrier::new(slots);
    let take_part = || {
        let answer = s.attach();
        all_are_there.wait();
        answer.map(drop).map_err(|error| error.to_string())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..slots).map(|_| scope.spawn(take_part)).collect();
        take_part()?;
        others.into_iter().try_for_each(|other| other.join().expect("no panic"))
    })
}

/// Holds the lock until the victim is dead.
fn hold(s: &Stage<World>) -> Told {
    let guard = s.lock().map_err(|error| error.to_string())?;
    s.ready();
    s.until_the_kill();
    drop(guard);
    Ok("")
}

/// The robust list of one thread: a robust mutex of the C library, and segments, the oldest first.
struct Company {
    mutex: *mut libc::pthread_mutex_t,
    segments: [World; 3],
}

// SAFETY: a pthread_mutex_t that is shared between processes may be used by any thread.
unsafe impl Sync for Company {}

fn with_company(name: &str) -> Script<Company> {
    operation("Segment", name, |_| {
        // SAFETY: a new page, never unmapped, which the run's processes share; attributes and mutex
        // are initialised before use.
        let mutex = unsafe {
            let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
            let page = libc::mmap(core::ptr::null_mut(), 4096, protection, flags, -1, 0);
            assert_ne!(page, libc::MAP_FAILED, "a page of memory");
            let mut attributes = core::mem::zeroed();
            assert_eq!(libc::pthread_mutexattr_init(&mut attributes), 0);
            assert_eq!(libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED), 0);
            assert_eq!(libc::pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST), 0);
            assert_eq!(libc::pthread_mutex_init(page.cast(), &attributes), 0);
            page.cast()
        };
        let segments = [(); 3].map(|()| Segment::anonymous(|_| {}).expect("a segment"));
        Company { mutex, segments }
    })
}

impl Company {
    /// Runs the victim in a thread that is not the main one, and has two lifelines in each segment.
    fn in_another_thread(&self, body: impl FnOnce(&[World; 3]) + Send) {
        let all = || {
            // SAFETY: initialised, and free.
            assert_eq!(unsafe { libc::pthread_mutex_lock(self.mutex) }, 0);
            body(&self.segments);
        };
        std::thread::scope(|scope| {
            scope.spawn(all);
        });
    }

    /// The mutex reports the victim's death, and so do those segments in which it held the lock.
    fn tells_the_death(&self, held: &[usize]) -> Told {
        // SAFETY: initialised, and never destroyed.
        match unsafe { libc::pthread_mutex_trylock(self.mutex) } {
            libc::EOWNERDEAD => {}
            other => return Err(format!("the robust mutex: {}", std::io::Error::from_raw_os_error(other))),
        }
        for index in held {
            match self.segments[*index].try_lock() {
                Err(TryLockError::OwnerDied(_)) => {}
                other => return Err(format!("segment {index}: {other:?}")),
            }
        }
        Ok("all reported")
    }
}

fn hold_without_end(segment: &World) {
    core::mem::forget(segment.lock().expect("free"));
}

/// Whatever is half linked or unlinked, the kernel finds everything else in the thread's list.
fn in_company() -> [Box<dyn Operation>; 3] {
    [
        Box::new(
            with_company("attach, a thread's first, which holds a robust mutex")
                .victim(|s| s.in_another_thread(|[segment, ..]| s.dies_in(|| segment.attach())))
                .last("the last", |s| s.tells_the_death(&[]))
                .sees(&["the last all reported"]),
        ),
        Box::new(
            with_company("attach, with a hold elsewhere")
                .victim(|s| {
                    s.in_another_thread(|[older, segment, _]| {
                        hold_without_end(older);
                        s.dies_in(|| segment.attach());
                    });
                })
                .last("the last", |s| s.tells_the_death(&[0]))
                .sees(&["the last all reported"]),
        ),
        Box::new(
            with_company("detach, with holds elsewhere")
                .victim(|s| {
                    s.in_another_thread(|[older, segment, newer]| {
                        hold_without_end(older);
                        segment.attach().expect("room");
                        hold_without_end(newer);
                        s.dies_in(|| segment.detach());
                    });
                })
                .last("the last", |s| s.tells_the_death(&[0, 2]))
                .sees(&["the last all reported"]),
        ),
    ]
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let newcomer = |slots: usize, script: Script<World>| -> Box<dyn Operation> {
        Box::new(script.after("newcomer", get_in).last("the last", move |s| find_nobody_else(s, slots)))
    };
    let alone: Vec<Box<dyn Operation>> = vec![
        newcomer(1, script("attach, the only slot", 1).victim(|s| s.dies_in(|| s.attach())).sees(&["newcomer ok"])),
        newcomer(4, script("attach, one of many slots", 4).victim(|s| s.dies_in(|| s.attach())).sees(&["newcomer ok"])),
        newcomer(
            4,
            script("detach, one of many slots", 4).joined_victim(|s| s.dies_in(|| s.detach())).sees(&["newcomer ok"]),
        ),
        newcomer(
            4,
            script("attach, by a thread that is not the main one", 4)
                .victim(|s| {
                    std::thread::scope(|scope| {
                        scope.spawn(|| s.dies_in(|| s.attach()));
                    });
                })
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            1,
            script("attach, the slot of one that is dead", 1)
                .before("predecessor", |s| {
                    s.ends_by_death();
                    core::mem::forget(s.lock());
                    Ok("")
                })
                .victim(|s| s.dies_in(|| s.attach()))
                .sees(&["newcomer owner died"]),
        ),
        newcomer(
            3,
            script("attach, while one sleeps", 3)
                .before("holder", hold)
                .before("sleeper", get_in)
                .victim(|s| s.dies_in(|| s.attach()))
                .sees(&["sleeper ok, newcomer ok"]),
        ),
        Box::new(
            script("attach, the table is full", 1)
                .before("holder", hold)
                .victim(|s| {
                    s.dies_in(|| match s.attach() {
                        Err(RegisterError::Full { participants: 1 }) => {}
                        other => panic!("{other:?}"),
                    });
                })
                .last("the last", |s| find_nobody_else(s, 1)),
        ),
        newcomer(
            1,
            script("detach, the only slot", 1).joined_victim(|s| s.dies_in(|| s.detach())).sees(&["newcomer ok"]),
        ),
        newcomer(
            4,
            script("detach, by a thread that is not the main one", 4)
                .victim(|s| {
                    std::thread::scope(|scope| {
                        scope.spawn(|| {
                            s.attach().expect("room");
                            s.dies_in(|| s.detach());
                        });
                    });
                })
                .sees(&["newcomer ok"]),
        ),
        newcomer(
            3,
            script("detach, while one sleeps", 3)
                .before("holder", hold)
                .before("sleeper", get_in)
                .victim_beside_a_sleeper(|s| s.dies_in(|| s.detach()))
                .sees(&["sleeper ok, newcomer ok"]),
        ),
        newcomer(
            1,
            script("detach, refused to one that holds", 1)
                .victim(|s| {
                    let guard = s.lock().expect("free");
                    s.dies_in(|| match s.detach() {
                        Err(LeaveError::StillHolding { .. }) => {}
                        other => panic!("{other:?}"),
                    });
                    drop(guard);
                })
                .sees(&["newcomer owner died"]),
        ),
    ];
    alone.into_iter().chain(in_company()).collect()
}
