//! Those that make shared memory with a name, and a mutex in it, which is used once.

use crate::compare::Failure;
use crate::compare::figures::Kind;
use outlive::{Mutex, Segment};
use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

type OfName = fn(&str) -> Result<(), Failure>;

/// One of them.
pub(super) struct Maker {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Makes one of this name, opens one, removes one. None: CPython does.
    pub(super) functions: Option<[OfName; 3]>,
}

const fn maker(name: &'static str, kind: Kind, functions: [OfName; 3]) -> Maker {
    Maker { name, kind, functions: Some(functions) }
}

pub(super) const MAKERS: [Maker; 7] = [
    maker(
        "shm_open, ftruncate, mmap, a write",
        Kind::Floor,
        [|name| bare(name, true, write), |name| bare(name, false, write), remove],
    ),
    maker("outlive Segment", Kind::Ours, [make_ours, open_ours, |name| Ok(Segment::<Mutex<u64>>::remove(name)?)]),
    maker(
        "shm_open and a pthread mutex, robust",
        Kind::Peer,
        [
            |name| bare(name, true, |at| make_mutex(at).and_then(|()| use_mutex(at))),
            |name| bare(name, false, use_mutex),
            remove,
        ],
    ),
    maker("Boost shared_memory_object", Kind::Peer, boost::OBJECT),
    maker("Boost managed_shared_memory", Kind::Peer, boost::MANAGED),
    maker("iceoryx2, a node and a publisher", Kind::Peer, [iceoryx::make, iceoryx::open, |_name| Ok(())]),
    Maker { name: "CPython SharedMemory, without a lock", kind: Kind::Peer, functions: None },
];

fn make_ours(name: &str) -> Result<(), Failure> {
    let segment = Segment::<Mutex<u64>>::create(name, |_free| {})?;
    *segment.lock().map_err(|error| error.to_string())? += 1;
    Ok(())
}

fn open_ours(name: &str) -> Result<(), Failure> {
    let segment = Segment::<Mutex<u64>>::open(name)?;
    *segment.lock().map_err(|error| error.to_string())? += 1;
    Ok(())
}

const LENGTH: usize = 4096;

/// What POSIX has. `with` uses the memory.
fn bare(name: &str, create: bool, with: impl FnOnce(*mut libc::c_void) -> io::Result<()>) -> Result<(), Failure> {
    let name = CString::new(format!("/{name}"))?;
    let flags = libc::O_RDWR | if create { libc::O_CREAT | libc::O_EXCL } else { 0 };
    // SAFETY: the name is a C string.
    let descriptor = unsafe { libc::shm_open(name.as_ptr(), flags, 0o600) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: it was opened just now, for this value alone.
    let object = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: a descriptor of our own.
    if create && unsafe { libc::ftruncate(object.as_raw_fd(), LENGTH as libc::off_t) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, of the length that the object has.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, prot, libc::MAP_SHARED, object.as_raw_fd(), 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error().into());
    }
    let result = with(at);
    // SAFETY: the mapping that was made above, which nobody uses any more.
    unsafe { libc::munmap(at, LENGTH) };
    Ok(result?)
}

fn write(at: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: the beginning of a mapping, which no other thread writes.
    unsafe { at.cast::<u64>().write_volatile(7) };
    Ok(())
}

fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

fn make_mutex(at: *mut libc::c_void) -> io::Result<()> {
    let mut attributes = MaybeUninit::uninit();
    let attributes = attributes.as_mut_ptr();
    // SAFETY: the attributes are initialised first and destroyed last. The mutex is at the
    // beginning of a mapping, and nobody else's yet.
    unsafe {
        check(libc::pthread_mutexattr_init(attributes))?;
        check(libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
        check(libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST))?;
        check(libc::pthread_mutex_init(at.cast(), attributes))?;
        check(libc::pthread_mutexattr_destroy(attributes))
    }
}

fn use_mutex(at: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: `make_mutex` has made a mutex there, in this process.
    unsafe {
        check(libc::pthread_mutex_lock(at.cast()))?;
        check(libc::pthread_mutex_unlock(at.cast()))
    }
}

fn remove(name: &str) -> Result<(), Failure> {
    let name = CString::new(format!("/{name}"))?;
    // SAFETY: the name is a C string.
    match unsafe { libc::shm_unlink(name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}

#[cfg(not(boost))]
mod boost {
    use crate::boost::WHY_MISSING;

    const MISSING: super::OfName = |_name| Err(WHY_MISSING.into());
    pub(super) const OBJECT: [super::OfName; 3] = [MISSING; 3];
    pub(super) const MANAGED: [super::OfName; 3] = [MISSING; 3];
}

#[cfg(boost)]
mod boost {
    use crate::boost::{self, *};
    use crate::compare::Failure;
    use std::ffi::CString;

    fn call(function: OfName, name: &str) -> Result<(), Failure> {
        let name = CString::new(name)?;
        // SAFETY: the name is a C string.
        match unsafe { function(name.as_ptr()) } {
            0 => Ok(()),
            _ => Err(boost::error().into()),
        }
    }

    pub(super) const OBJECT: [super::OfName; 3] =
        [|name| call(boost_object_make, name), |name| call(boost_object_open, name), |name| call(boost_remove, name)];
    pub(super) const MANAGED: [super::OfName; 3] =
        [|name| call(boost_managed_make, name), |name| call(boost_managed_open, name), |name| call(boost_remove, name)];
}

/// iceoryx2 has no segments by themselves. Its services, and the memory of their publishers, are
/// what its users make and open.
mod iceoryx {
    use crate::compare::Failure;
    use crate::compare::peers::{Peer, Shape, Source, channels};

    fn with_publisher() -> Result<(), Failure> {
        let peer = channels().into_iter().find(|peer| peer.name.starts_with("iceoryx2")).ok_or("it is in the list")?;
        let Peer { source: Source::Here(make), .. } = peer else { return Err("it is made here".into()) };
        let channel = make(Shape { senders: 1, receivers: 1, length: 64 })?;
        let sender = channel.sender()?;
        drop(sender);
        Ok(())
    }
    pub(super) fn make(_name: &str) -> Result<(), Failure> {
        with_publisher()
    }
    pub(super) fn open(_name: &str) -> Result<(), Failure> {
        Err("a service ends with its last node, so it was not measured apart from making it".into())
    }
}
