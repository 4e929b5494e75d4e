//! Lifelines, slots and per-thread records, when threads come and go at the same time, and when
//! other participants scribble on shared memory.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // tests look from outside

mod common;

use common::*;
use outlive::{LockError, Mutex, RegisterError, Segment, TryLockError};
use std::os::unix::fs::FileExt;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

type Counter = Segment<Mutex<u64>>;

#[test]
#[ignore = "the child's half of other tests"]
fn child() {
    let Some(role) = role() else { return };
    let path = std::path::PathBuf::from(std::env::var("OUTLIVE_PATH").unwrap_or_default());
    let shared = inherited_of::<Mutex<u64>>();
    match role.as_str() {
        "become another program, in a second thread" => {
            let ids = std::thread::spawn(move || {
                drop(shared.lock().expect("free"));
                say("in");
                wait_for_the_word();
                let mut sleep = std::process::Command::new("/bin/sleep");
                panic!("{}", std::os::unix::process::CommandExt::exec(sleep.arg("60")));
            });
            let _never = ids.join();
        }
        "hold the file's" => {
            let segment = Counter::open(&path).expect("there");
            core::mem::forget(segment.lock().expect("free"));
            say("held");
            wait_for_the_word();
        }
        other => panic!("no such role: {other}"),
    }
}

/// Attaches in a new thread, which then ends.
fn attach_elsewhere(segment: &Counter) -> Result<(), RegisterError> {
    std::thread::scope(|scope| scope.spawn(|| segment.attach().map(drop)).join().expect("no panic"))
}

/// A fault that was there once: the generations of a slot wrapped after 65,535 registrations. A
/// lock still named its dead holder, because nobody had checked it since. A new thread was taken
/// for that holder.
#[test]
fn an_id_that_a_lock_still_names_does_not_come_round_again() {
    const FIRST_OF_MANY: u16 = u16::MAX - 2;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    let segment = Counter::options().participants(2).create(&path, |_, _| {}).expect("made");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
    segment.attach().expect("the first slot");
    // SAFETY: only the test that is the parent of such a child reads or writes the environment
    // here.
    unsafe { std::env::set_var("OUTLIVE_PATH", &path) };
    let mut holder = Actor::start(&segment, "hold the file's", true);
    assert_eq!(holder.hear(), "held");
    let named = segment.participants().iter().map(|p| p.id).find(|id| id.index() == 1).expect("the holder");
    holder.kill();
    until("the holder's death to be reported", || segment.participants().len() == 1);
    let come =
        || std::thread::scope(|scope| scope.spawn(|| segment.attach().expect("a slot")).join().expect("no panic"));
    // As if so many threads had come and gone: the claim of slot 1, free, of that generation.
    let free_after = |generation: u16| {
        file.write_all_at(&(u64::from(generation) << 46).to_le_bytes(), 512 + 128).expect("written");
    };
    free_after(FIRST_OF_MANY - 1);
    for round in [[FIRST_OF_MANY, u16::MAX - 1, u16::MAX], [2, 3, 4]] {
        for generation in round {
            let id = come();
            assert!(id != named, "{id} is named by the lock, and its holder is dead");
            assert_eq!((id.index(), id.generation()), (1, generation));
        }
    }
    let Err(LockError::OwnerDied(left)) = segment.lock() else { panic!("the dead holder lives again") };
    left.into_inner().mark_consistent();
    free_after(u16::MAX);
    assert_eq!(come().generation(), 1, "nothing names it any more");
}

/// A fault that was there once: the slot was given away when only the second lifeline had its mark.
/// The kernel had still to read the first lifeline's links. With equal thread ids in two PID
/// namespaces, it also had to read its word.
#[test]
fn the_slot_of_a_thread_that_became_another_program_is_kept_until_the_kernel_is_done() {
    let small = Counter::options().participants(2).anonymous(|_, _| {}).expect("a segment");
    small.attach().expect("the first slot");
    let mut other = Actor::start(&small, "become another program, in a second thread", true);
    assert_eq!(other.hear(), "in");
    assert_eq!(small.participants().len(), 2);
    other.go_on();
    until("the exec to be told as a death", || small.participants().len() == 1);
    assert!(matches!(attach_elsewhere(&small), Err(RegisterError::Full { participants: 2 })));
    other.kill();
    attach_elsewhere(&small).expect("the process has ended, and the kernel is done");
}

/// The mark on the second lifeline could harm a successor that has no such lifeline. The successor
/// would count as dead from the beginning, and there would be two holders.
#[test]
fn a_main_thread_lives_in_the_slot_of_a_thread_that_became_another_program() {
    let small = Counter::options().participants(2).anonymous(|_, _| {}).expect("a segment");
    small.attach().expect("the first slot");
    let mut other = Actor::start(&small, "become another program, in a second thread", true);
    assert_eq!(other.hear(), "in");
    other.go_on();
    until("the exec to be reported as a death", || small.participants().len() == 1);
    other.kill();
    let mut ends = [0; 2];
    // SAFETY: two descriptors are written. The child closes its descriptors by ending, and we close
    // ours below.
    assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
    let child = fork(|| {
        let _held = small.lock().expect("free");
        let mut byte = [0u8];
        // SAFETY: one byte, written and read. The parent's ends are open here, too, so the child
        // never sees the end of the pipe. It is killed at the end.
        unsafe {
            libc::write(ends[1], byte.as_ptr().cast(), 1);
            libc::pause();
            libc::read(ends[0], byte.as_mut_ptr().cast(), 1);
        }
        0
    });
    let mut byte = [1u8];
    // SAFETY: one byte, into a live local.
    assert_eq!(unsafe { libc::read(ends[0], byte.as_mut_ptr().cast(), 1) }, 1);
    let answer = small.try_lock();
    let is_held = matches!(answer, Err(TryLockError::WouldBlock));
    let participants = small.participants().len();
    // SAFETY: a child of ours; descriptors of ours.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        ends.iter().for_each(|end| _ = libc::close(*end));
    }
    assert_eq!(wait(child), -libc::SIGKILL);
    assert!(is_held, "two holders: {answer:?}");
    assert_eq!(participants, 2);
}

/// A fault that was there twice: two threads that registered at the same time wrote to one record
/// of which threads are linked in the mapping. The thread whose entry was lost got a second id.
#[test]
fn threads_that_register_at_once_each_keep_their_id() {
    const THREADS: usize = 4;
    for _ in 0..150 {
        let segment = segment();
        let barrier = Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    let id = segment.attach().expect("room");
                    barrier.wait();
                    drop(self::segment()); // this empties all caches
                    assert_eq!(segment.attach().expect("in"), id, "one thread, two ids");
                });
            }
        });
    }
}

/// A fault that was there once: a leaving thread gave its slot away before its second lifeline was
/// out of its list.
#[test]
fn threads_that_come_and_go_at_once_exclude_each_other() {
    const ROUNDS: u64 = 4_000;
    let small = Counter::options().participants(2).anonymous(|_, _| {}).expect("a segment");
    let (inside, done) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while done.load(SeqCst) < ROUNDS {
                    match small.lock() {
                        Ok(mut count) => {
                            assert!(!inside.swap(true, SeqCst), "two holders");
                            *count += 1;
                            inside.store(false, SeqCst);
                            drop(count);
                            small.detach().expect("nothing held");
                            done.fetch_add(1, SeqCst);
                        }
                        Err(LockError::Register(RegisterError::Full { .. })) => std::thread::yield_now(),
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    assert_eq!(*small.lock().expect("free"), done.load(SeqCst));
}

/// A segment in a file. The test can write to any of its bytes, past all types.
fn in_a_file() -> (tempfile::TempDir, std::path::PathBuf, std::fs::File) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    drop(Counter::create(&path, |_| {}).expect("made"));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("writable");
    (directory, path, file)
}

/// Where the slots begin, 128 bytes each: the claim (8), then two nodes of 40 bytes, with futex
/// word and links.
const SLOTS: u64 = 512;

/// The offsets of the next links of a participant's two lifelines: the thread's, and the process's.
fn next_links(id: outlive::ParticipantId) -> [u64; 2] {
    let own = SLOTS + 128 * id.index() as u64 + 8 + LINK;
    [own, own + 40]
}

/// The address at which a segment with 256 slots and a mutex is mapped.
fn base_of<T>(root: &Mutex<T>) -> u64 {
    core::ptr::from_ref(root) as u64 - (SLOTS + 256 * 128)
}

type Numbers = Segment<Mutex<[u64; 64]>>;

/// A thread's slot in a segment. Other participants write to the segment's file.
struct Scene {
    file: std::fs::File,
    /// The addresses of the thread's two next links, and their offsets in the file.
    addresses: [u64; 2],
    offsets: [u64; 2],
    /// The file and offsets of the segment that the thread joined next.
    newer_file: std::fs::File,
    newer_offsets: [u64; 2],
    /// A segment in which the thread has nothing.
    bystander: Numbers,
}

impl Scene {
    /// Sets the next link of one of the two lifelines.
    fn scribble(&self, which: usize, link: u64) {
        self.file.write_all_at(&link.to_le_bytes(), self.offsets[which]).expect("written");
    }
    fn scribble_on_the_newer(&self, which: usize, link: u64) {
        self.newer_file.write_all_at(&link.to_le_bytes(), self.newer_offsets[which]).expect("written");
    }
}

/// A thread joins three segments. It leaves the second after another participant has scribbled
/// there. Then it is killed. Its death must be reported in the first and third segment, and in one
/// that it joined after that.
///
/// `scribble` returns what `look` checks when the thread has left.
fn leaves_although<T>(name: &str, scribble: impl FnOnce(&Scene) -> T + Send, look: impl FnOnce(T, &Scene) + Send) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("segment");
    drop(Numbers::create(&path, |_| {}).expect("made"));
    let [older, newer, last] = [(); 3].map(|()| segment_of::<Mutex<[u64; 64]>>(|_| {}));
    let attacked = || {
        let hold = |segment: &Numbers| core::mem::forget(segment.lock().expect("free"));
        hold(&older);
        let segment = Numbers::open(&path).expect("there");
        let offsets = next_links(segment.attach().expect("in"));
        hold(&newer);
        // SAFETY: only links are written through the descriptor. Nobody but the kernel reads them.
        let memory = unsafe { newer.borrow_fd() }.expect("open").try_clone_to_owned().expect("a descriptor");
        let scene = Scene {
            file: std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("writable"),
            addresses: offsets.map(|offset| base_of(&segment) + offset),
            offsets,
            newer_file: memory.into(),
            newer_offsets: next_links(newer.attach().expect("in")),
            bystander: Numbers::anonymous(|_| {}).expect("a segment"),
        };
        let left = scribble(&scene);
        segment.detach().expect("no link keeps it from that");
        drop(segment);
        // One of these will be mapped where the segment was.
        let fresh: Vec<_> = (0..30).map(|_| Numbers::anonymous(|_| {}).expect("a segment")).collect();
        hold(&last);
        for (index, segment) in fresh.iter().enumerate() {
            assert_eq!(*segment.lock().expect("free"), [0; 64], "written to the fresh segment {index}");
        }
        look(left, &scene);
    };
    let pid = fork(|| {
        // A thread that is not the main one has two lifelines.
        let panicked = std::thread::scope(|scope| {
            let (done, told) = std::sync::mpsc::channel();
            scope.spawn(move || {
                attacked();
                done.send(()).expect("heard");
                loop {
                    std::thread::park();
                }
            });
            if told.recv().is_ok() {
                // SAFETY: ends this child.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            }
            true
        });
        i32::from(panicked)
    });
    assert_eq!(wait(pid), -libc::SIGKILL, "{name}: the thread did not come through");
    for (segment, which) in [(&older, "older"), (&newer, "newer"), (&last, "last")] {
        // The child has ended completely, and nothing reaps its slot here. So only the kernel can
        // have reported the death.
        assert!(matches!(segment.try_lock(), Err(TryLockError::OwnerDied(_))), "{name}: no death in the {which} one");
    }
}

/// A fault that was there once: a leaving thread followed the links, wherever they led. Later it
/// refused to leave.
#[test]
fn a_thread_leaves_whatever_somebody_scribbled_on_its_links() {
    let readable = [0u64; 64];
    for garbage in [0, 8, 1, 0xdead_beef_0000, u64::MAX, u64::MAX - 7, &raw const readable[32] as u64] {
        for which in [0, 1] {
            leaves_although(&format!("{garbage:x} in {which}"), |scene| scene.scribble(which, garbage), |(), _| {});
        }
    }
}

/// A fault that was there once: memory that looked like the next node became the next node, because
/// a link led to it. It was unmapped with the segment. Then the thread wrote there.
#[test]
fn a_link_into_memory_that_is_unmapped_later_is_not_followed() {
    let scribble = |scene: &Scene| {
        let data = SLOTS + 256 * 128 + 8;
        let address = scene.addresses[0] - scene.offsets[0] + data;
        scene.file.write_all_at(&scene.addresses[0].to_le_bytes(), data).expect("written");
        scene.scribble(0, address + 8);
    };
    leaves_although("into the segment itself", scribble, |(), _| {});
}

/// A fault that was there once: the thread wrote to memory that looked like the next node.
#[test]
fn a_link_into_another_segment_causes_no_write_there() {
    let scribble = |scene: &Scene| {
        let mut numbers = scene.bystander.lock().expect("free");
        numbers[0] = scene.addresses[0];
        scene.scribble(0, &raw const numbers[1] as u64);
    };
    let look = |(), scene: &Scene| {
        assert_eq!(scene.bystander.lock().expect("free")[0], scene.addresses[0], "written to the bystander");
    };
    leaves_although("into another segment", scribble, look);
}

/// A fault that was there once: the thread wrote to memory because it could read it.
#[test]
fn a_link_into_memory_that_can_only_be_read_does_not_crash() {
    let scribble = |scene: &Scene| {
        let mut page = memmap2::MmapMut::map_anon(4096).expect("a page");
        page[..8].copy_from_slice(&scene.addresses[0].to_le_bytes());
        let page = page.make_read_only().expect("protected");
        scene.scribble(0, page.as_ptr() as u64 + 8);
        page
    };
    leaves_although("into memory that can only be read", scribble, |_page, _| {});
}

#[test]
fn a_link_to_a_node_of_the_thread_itself_does_not_matter() {
    for (from, to) in [(0, 0), (0, 1), (1, 1)] {
        let scribble = |scene: &Scene| scene.scribble(from, scene.addresses[to]);
        leaves_although(&format!("a cycle from {from} to {to}"), scribble, |(), _| {});
    }
}

/// The link of the newer neighbour is written again, whatever was there.
#[test]
fn a_thread_that_leaves_repairs_the_link_that_led_there() {
    for garbage in [0, 0xdead_beef_0000, u64::MAX] {
        let scribble = |scene: &Scene| scene.scribble_on_the_newer(0, garbage);
        leaves_although(&format!("{garbage:x} in the newer one"), scribble, |(), _| {});
    }
}

#[test]
fn any_bits_in_the_membership_word_leave_the_holder_watched() {
    for garbage in [0u32, 1, u32::MAX, 0x1fff, 0xffff_e000, 0x8000_1001] {
        let (_directory, path, file) = in_a_file();
        let segment = Counter::open(&path).expect("there");
        file.write_all_at(&garbage.to_le_bytes(), 256).expect("written");
        // SAFETY: only the test that is the parent of such a child reads or writes the environment
        // here.
        unsafe { std::env::set_var("OUTLIVE_PATH", &path) };
        let mut holder = Actor::start(&segment, "hold the file's", true);
        assert_eq!(holder.hear(), "held");
        file.write_all_at(&garbage.to_le_bytes(), 256).expect("written");
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| matches!(segment.lock(), Err(LockError::OwnerDied(_))));
            until("the waiter to sleep for long", || {
                segment.participants().iter().any(|p| p.asleep_for.is_some_and(|t| t.as_millis() > 40))
            });
            holder.kill();
            assert!(waiter.join().expect("no panic"));
        });
    }
}

/// When the first lifeline has its mark, the slot is given away. A fault that was there once: the
/// kernel had then still to read the links of the second lifeline. The kernel walks the newest
/// lifeline first.
#[test]
fn the_kernel_comes_to_the_first_lifeline_last() {
    let (_directory, path, file) = in_a_file();
    let link = |offset: u64| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, offset).expect("read");
        u64::from_le_bytes(bytes)
    };
    let test = || {
        let segment = Counter::open(&path).expect("there");
        let [first, second] = next_links(segment.attach().expect("in"));
        assert_eq!(link(second), base_of(&segment) + first, "the second node does not come right before the first");
    };
    std::thread::scope(|scope| scope.spawn(test).join().expect("no panic"));
}
