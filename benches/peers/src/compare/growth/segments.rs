//! What it costs to make, open, use and close segments, with more and more of them in one process.

use super::super::Effort;
use super::super::figures::{Case, Kind, Unit};
use super::super::rounds::{Contestant, play_several};
use super::{Names, apart, memory};
use crate::objects::made;
use outlive::{Mutex, OpenError, Segment};
use outlive_benches::peers::{Guarded, Pthread, Robustness};
use std::error::Error;
use std::hint::black_box;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

/// A thread takes part in at most so many segments at a time, a main thread in twice as many.
const MOST_JOINED: usize = 1_000;
const LOCKS: usize = 100_000;
const MORE: usize = 20;

const CURVES: [(&str, Unit); 6] = [
    ("to make each", Unit::Nanoseconds),
    ("to open each by name", Unit::Nanoseconds),
    ("to lock each in turn", Unit::Nanoseconds),
    ("to make, use and drop one more", Unit::Nanoseconds),
    ("to close each", Unit::Nanoseconds),
    ("resident memory of the process for all", Unit::Bytes),
];

type Counter = Segment<Mutex<u64>>;

/// Measures.
///
/// # Errors
/// None at present: who fails is missing.
pub(super) fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let (counts, rounds): (&[usize], _) = match effort {
        Effort::Whole => (&[1, 10, 100, 1_000, 10_000], 5),
        Effort::Quick => (&[1, 100, 1_000], 2),
        Effort::Try => (&[1, 4], 1),
    };
    let mut by_curve = CURVES.map(|_| vec![]);
    for &count in counts {
        let mut cases = CURVES.map(|(curve, unit)| Case::on_curve("growth", curve, unit, count, "segments"));
        let contestants = vec![
            Contestant::in_several("memfd or shm_open, mmap", Kind::Floor, || bare(count)),
            Contestant::in_several("outlive Segment", Kind::Ours, || ours(count)),
            Contestant::in_several("pthread mutex, robust", Kind::Peer, || theirs(count)),
        ];
        play_several(&mut cases, contestants, rounds, &mut |part| tell(part / counts.len() as f64));
        by_curve.iter_mut().zip(cases).for_each(|(curve, case)| curve.push(case));
    }
    Ok(by_curve.concat())
}

/// Allows as many descriptors as the system lets this process have.
fn allow_descriptors() {
    // SAFETY: the limits are numbers, and live for the calls.
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

fn each(begun: Instant, count: usize) -> f64 {
    begun.elapsed().as_nanos() as f64 / count as f64
}

fn anonymous() -> Result<Counter, OpenError> {
    Counter::options().participants(4).anonymous(|_free, _| {})
}

fn lock(segment: &Counter) -> Result<(), Box<dyn Error>> {
    *black_box(segment).lock().map_err(|error| error.to_string())? += 1;
    Ok(())
}

/// The time of one, if all are used in turn.
fn in_turn<T>(all: &[T], mut lock: impl FnMut(&T) -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    all.iter().try_for_each(&mut lock)?;
    let laps = (LOCKS / all.len()).max(2);
    let begun = Instant::now();
    for _ in 0..laps {
        all.iter().try_for_each(&mut lock)?;
    }
    Ok(each(begun, laps * all.len()))
}

fn ours(count: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let names = Names::new("many", count); // removed by this process, whatever becomes of the child
    apart(|| {
        allow_descriptors();
        let before = memory(&["Rss"])?;
        let begun = Instant::now();
        let all = (0..count).map(|_| anonymous()).collect::<Result<Vec<_>, _>>()?;
        let make = each(begun, count);
        let joined = &all[..count.min(MOST_JOINED)];
        joined.iter().try_for_each(lock)?;
        let resident = memory(&["Rss"])? - before;
        let (in_turn, one_more) = match count {
            _ if count > MOST_JOINED => (f64::NAN, f64::NAN),
            _ => (in_turn(joined, lock)?, one_more(joined)?),
        };
        let other = anonymous()?;
        let begun = Instant::now();
        drop(all);
        lock(&other)?; // the thread's next lock, in any segment, pays for the drops
        let close = each(begun, count);
        for number in 0..count {
            drop(Counter::options().participants(4).create(&*names.get(number), |_free, _| {})?);
        }
        let begun = Instant::now();
        let all = (0..count).map(|number| Counter::open(&*names.get(number))).collect::<Result<Vec<_>, _>>()?;
        let open = each(begun, count);
        drop(all);
        Ok(vec![make, open, in_turn, one_more, close, resident])
    })
}

fn one_more(alive: &[Counter]) -> Result<f64, Box<dyn Error>> {
    let begun = Instant::now();
    for _ in 0..MORE {
        let one = anonymous()?;
        lock(&one)?;
        drop(one);
        lock(&alive[0])?; // pays for the drop
    }
    Ok(each(begun, MORE))
}

fn theirs(count: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    const NONE: f64 = f64::NAN;
    if count > MOST_JOINED {
        return Ok(vec![NONE; CURVES.len()]);
    }
    apart(|| {
        allow_descriptors();
        let mutex = |_| made::<Pthread>(|new| new.set_up(Robustness::Robust));
        let all = (0..count).map(mutex).collect::<Result<Vec<_>, _>>()?;
        let in_turn = in_turn(&all, |mutex| {
            mutex.with(|number| *number += 1);
            Ok(())
        })?;
        Ok(vec![NONE, NONE, in_turn, NONE, NONE, NONE])
    })
}

/// Shared memory of one page.
pub(super) struct Page {
    at: *mut libc::c_void,
    _descriptor: OwnedFd,
}

const PAGE: usize = 4096;

impl Page {
    /// Of a descriptor that was opened just now, for this value alone.
    fn of(descriptor: i32, is_new: bool) -> io::Result<Self> {
        if descriptor == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: see above. The mapping has the length of the object.
        unsafe {
            let descriptor = OwnedFd::from_raw_fd(descriptor);
            if is_new && libc::ftruncate(descriptor.as_raw_fd(), PAGE as libc::off_t) != 0 {
                return Err(io::Error::last_os_error());
            }
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            let at = libc::mmap(std::ptr::null_mut(), PAGE, prot, libc::MAP_SHARED, descriptor.as_raw_fd(), 0);
            if at == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            at.cast::<u64>().write_volatile(7);
            Ok(Self { at, _descriptor: descriptor })
        }
    }

    fn anonymous() -> io::Result<Self> {
        // SAFETY: the name is a C string.
        Self::of(unsafe { libc::memfd_create(c"page".as_ptr(), libc::MFD_CLOEXEC) }, true)
    }

    pub(super) fn named(names: &Names, number: usize, is_new: bool) -> io::Result<Self> {
        let flags = libc::O_RDWR | if is_new { libc::O_CREAT } else { 0 };
        // SAFETY: the name is a C string.
        Self::of(unsafe { libc::shm_open(names.of_libc(number).as_ptr(), flags, 0o600) }, is_new)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the mapping of this value, to which nothing points any more.
        unsafe { libc::munmap(self.at, PAGE) };
    }
}

fn bare(count: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let names = Names::new("many", count);
    apart(|| {
        allow_descriptors();
        let before = memory(&["Rss"])?;
        let begun = Instant::now();
        let all = (0..count).map(|_| Page::anonymous()).collect::<Result<Vec<_>, _>>()?;
        let make = each(begun, count);
        let resident = memory(&["Rss"])? - before;
        let begun = Instant::now();
        drop(all);
        let close = each(begun, count);
        for number in 0..count {
            drop(Page::named(&names, number, true)?);
        }
        let begun = Instant::now();
        let all = (0..count).map(|number| Page::named(&names, number, false)).collect::<Result<Vec<_>, _>>()?;
        let open = each(begun, count);
        drop(all);
        Ok(vec![make, open, f64::NAN, f64::NAN, close, resident])
    })
}
