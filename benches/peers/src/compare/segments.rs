//! What segments and primitives cost: to make and to open one, and how many bytes they take.

use super::Effort;
use super::figures::{Case, Kind, Row, Unit};
use super::rounds::{Contestant, play};
use outlive::{Barrier, Condvar, Event, Lock, Mutex, Once, PermitPool, ReentrantMutex, RwLock, Segment, Semaphore};
use std::error::Error;
use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Instant;

const ROUNDS: usize = 200;

/// A name that is removed when it is dropped.
struct Name(String);

impl Name {
    fn new(of: &str) -> Self {
        Self(format!("outlive-peers-{of}-{}", std::process::id()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _removed_before = Segment::<()>::remove(&*self.0);
    }
}

/// `shm_open`, `ftruncate`, `mmap`, and one write: the least that shared memory with a name costs.
fn bare(create: bool) -> io::Result<()> {
    const LENGTH: usize = 4096;
    let name = CString::new(format!("/outlive-peers-bare-{}", std::process::id()))?;
    let flags = libc::O_RDWR | if create { libc::O_CREAT } else { 0 };
    // SAFETY: the name is a C string.
    let descriptor = unsafe { libc::shm_open(name.as_ptr(), flags, 0o600) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now, for this value alone. The mapping is of the length that the
    // object has, and is used by nobody else before it is unmapped.
    unsafe {
        let _close = OwnedFd::from_raw_fd(descriptor);
        if create && libc::ftruncate(descriptor, LENGTH as libc::off_t) != 0 {
            return Err(io::Error::last_os_error());
        }
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let at = libc::mmap(std::ptr::null_mut(), LENGTH, prot, libc::MAP_SHARED, descriptor, 0);
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        at.cast::<u64>().write_volatile(7);
        libc::munmap(at, LENGTH);
    }
    Ok(())
}

fn remove_bare() {
    if let Ok(name) = CString::new(format!("/outlive-peers-bare-{}", std::process::id())) {
        // SAFETY: the name is a C string.
        unsafe { libc::shm_unlink(name.as_ptr()) };
    }
}

/// Measures.
///
/// # Errors
/// A segment cannot be made.
pub fn measure(effort: Effort, tell: &mut dyn FnMut(f64)) -> Result<Vec<Case>, Box<dyn Error>> {
    let nanoseconds = |run: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| {
        let begun = Instant::now();
        run()?;
        Ok(begun.elapsed().as_nanos() as f64)
    };
    let rounds = effort.of(ROUNDS);
    let name = Name::new("made");
    let mut made = Case::new("segments", "to make one by name, use it, and remove it", Unit::Nanoseconds);
    let contestants = vec![
        Contestant::new("shm_open, ftruncate, mmap", Kind::Floor, || {
            nanoseconds(&mut || {
                bare(true)?;
                remove_bare();
                Ok(())
            })
        }),
        Contestant::new("outlive Segment", Kind::Ours, || {
            nanoseconds(&mut || {
                let segment = Segment::<Mutex<u64>>::create(&*name.0, |_free| {})?;
                *segment.lock().map_err(|error| error.to_string())? += 1;
                Segment::<Mutex<u64>>::remove(&*name.0)?;
                Ok(())
            })
        }),
    ];
    play(&mut made, contestants, rounds, &mut |part| tell(part / 2.0));
    let name = Name::new("opened");
    let _kept = Segment::<Mutex<u64>>::create(&*name.0, |_free| {})?;
    bare(true)?;
    let mut opened = Case::new("segments", "to open one by name, and use it", Unit::Nanoseconds);
    let contestants = vec![
        Contestant::new("shm_open, mmap", Kind::Floor, || nanoseconds(&mut || Ok(bare(false)?))),
        Contestant::new("outlive Segment", Kind::Ours, || {
            nanoseconds(&mut || {
                let segment = Segment::<Mutex<u64>>::open(&*name.0)?;
                *segment.lock().map_err(|error| error.to_string())? += 1;
                Ok(())
            })
        }),
    ];
    play(&mut opened, contestants, rounds, &mut |part| tell(part / 2.0));
    remove_bare();
    Ok(vec![made, opened, sizes()])
}

/// Bytes of each primitive, without its data.
fn sizes() -> Case {
    let mut case = Case::new("segments", "bytes of a primitive, without data", Unit::Bytes);
    let mut add = |name: &str, kind, size: usize| {
        case.rows.push(Row { name: name.to_owned(), kind, rounds: vec![size as f64] });
    };
    add("outlive Mutex", Kind::Ours, size_of::<Mutex<()>>());
    add("outlive Lock", Kind::Ours, size_of::<Lock>());
    add("outlive ReentrantMutex", Kind::Ours, size_of::<ReentrantMutex<()>>());
    add("outlive RwLock", Kind::Ours, size_of::<RwLock<()>>());
    add("outlive Semaphore", Kind::Ours, size_of::<Semaphore>());
    add("outlive PermitPool of 4", Kind::Ours, size_of::<PermitPool<4>>());
    add("outlive Condvar", Kind::Ours, size_of::<Condvar>());
    add("outlive Event", Kind::Ours, size_of::<Event>());
    add("outlive Barrier of 4", Kind::Ours, size_of::<Barrier<4>>());
    add("outlive Once", Kind::Ours, size_of::<Once>());
    add("pthread mutex", Kind::Peer, size_of::<libc::pthread_mutex_t>());
    add("pthread rwlock", Kind::Peer, size_of::<libc::pthread_rwlock_t>());
    add("pthread condition", Kind::Peer, size_of::<libc::pthread_cond_t>());
    add("pthread barrier", Kind::Peer, size_of::<libc::pthread_barrier_t>());
    add("sem_t", Kind::Peer, size_of::<libc::sem_t>());
    case
}
