//! Operations that are broken on purpose, each in its own way. The check must find each of them, or
//! it cannot find anything. The violation says what each of them must *see*.

use super::operation::{Operation, Script, operation};
use super::stage::{Stage, Told};
use outlive::{Segment, Shareable};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Two numbers under a word that does not say which process holds it.
#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    word: AtomicU32,
    pair: [AtomicU64; 2],
}

type World = Segment<Shared>;

fn lock(s: &Stage<World>) {
    while s.word.compare_exchange(0, 1, SeqCst, SeqCst).is_err() {
        std::thread::yield_now();
    }
}

/// As many programs do it: after too long a wait, the holder is taken for dead. Nothing reports
/// that.
fn lock_or_rob(s: &Stage<World>) {
    let begin = Instant::now();
    while s.word.compare_exchange(0, 1, SeqCst, SeqCst).is_err() {
        if begin.elapsed() > Duration::from_millis(20) {
            break;
        }
        std::thread::yield_now();
    }
}

fn update(s: &Stage<World>) {
    s.pair[0].fetch_add(1, SeqCst);
    s.pair[1].fetch_add(1, SeqCst);
    s.word.store(0, SeqCst);
}

fn spin(name: &str) -> Script<World> {
    operation("spin lock", name, |_| World::anonymous(|_| {}).expect("a segment")).victim(|s| {
        s.dies_in(|| {
            lock(s);
            update(s);
        });
    })
}

fn read(s: &Stage<World>) -> Told {
    match s.pair[0].load(SeqCst) == s.pair[1].load(SeqCst) {
        true => Ok("ok"),
        false => Err("half an update that was not reported".into()),
    }
}

/// A ring whose places are claimed by an index, before they are filled.
#[derive(Debug, Shareable)]
#[repr(C)]
struct Ring {
    tail: AtomicU64,
    head: AtomicU64,
    places: [AtomicU64; 4],
}

impl Ring {
    fn push(&self, item: u64) {
        let at = self.tail.fetch_add(1, SeqCst);
        self.places[at as usize % self.places.len()].store(item, SeqCst);
    }
    fn pop(&self) -> u64 {
        let place = &self.places[self.head.fetch_add(1, SeqCst) as usize % self.places.len()];
        loop {
            match place.swap(0, SeqCst) {
                0 => std::thread::yield_now(),
                item => return item,
            }
        }
    }
}

fn path(s: &Stage<()>) -> PathBuf {
    PathBuf::from("/dev/shm").join(s.name())
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    vec![
        Box::new(
            spin("without an owner")
                .within(Duration::from_millis(300))
                .after("newcomer", |s| {
                    lock(s);
                    update(s);
                    Ok("ok")
                })
                .sees(&["not through within"]),
        ),
        Box::new(
            spin("that is taken from a holder that keeps it for long")
                .after("newcomer", |s| {
                    lock_or_rob(s);
                    read(s)
                })
                .sees(&["half an update"]),
        ),
        Box::new(
            operation("ring", "whose index moves before the item is there", |_| {
                Segment::<Ring>::anonymous(|_| {}).expect("a segment")
            })
            .within(Duration::from_millis(300))
            .victim(|s| s.dies_in(|| s.push(1)))
            .after("newcomer", |s| {
                s.push(2);
                Ok(if s.pop() == 1 { "got the victim's" } else { "got its own" })
            })
            .sees(&["not through within"]),
        ),
        Box::new(
            operation("file", "that is filled under its name", |_| ())
                .victim(|s| s.dies_in(|| std::fs::write(path(s), "whole")))
                .after("newcomer", |s| match std::fs::read_to_string(path(s)) {
                    Ok(text) if text == "whole" => {
                        std::fs::remove_file(path(s)).map(|()| "whole").map_err(|e| e.to_string())
                    }
                    Ok(text) => Err(format!("half a file was seen: {text:?}")),
                    Err(_) => Ok("nothing"),
                })
                .sees(&["half a file was seen"]),
        ),
        Box::new(operation("file", "that is left lying about", |_| ()).sees(&["left behind"]).victim(|s| {
            s.dies_in(|| {
                std::fs::write(path(s), "")?;
                std::fs::remove_file(path(s))
            });
        })),
    ]
}
