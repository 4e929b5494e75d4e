//! glibc's primitives in shared memory, and POSIX's unnamed semaphore.

use super::{Peer, answer, answer_errno, here, share};
use crate::deaths::object::{AsBarrier, AsCondition, AsLock, AsRwLock, Condition, Exclusive, Meeting, Object, Shared};
use crate::deaths::order::Answer;
use crate::deaths::scenario::Kind;
use libc::{c_int, pthread_barrier_t, pthread_cond_t, pthread_mutex_t, pthread_rwlock_t, sem_t};
use std::io;
use std::mem::MaybeUninit;

pub(super) fn peers() -> Vec<Peer> {
    let pthread = |name, kind, make| here("pthread", name, kind, make);
    let semaphore = |name, kind| here("POSIX", name, kind, || Ok(Box::new(AsLock(Sem::new()?))));
    vec![
        pthread("mutex, process-shared", Kind::Lock, || Ok(Box::new(AsLock(PthreadMutex::new(false)?)))),
        pthread("mutex, robust", Kind::Lock, || Ok(Box::new(AsLock(PthreadMutex::new(true)?)))),
        pthread("rwlock", Kind::RwLock, || Ok(Box::new(AsRwLock(PthreadRwLock::new()?)))),
        pthread("cond with a plain mutex", Kind::Condition, || condition(false)),
        pthread("cond with a robust mutex", Kind::Condition, || condition(true)),
        pthread("barrier", Kind::Barrier, || Ok(Box::new(AsBarrier(PthreadBarrier::new()?)))),
        semaphore("sem_t, as a lock", Kind::Lock),
        semaphore("sem_t", Kind::Semaphore),
    ]
}

/// As an error of the operating system, if it is one.
fn check(code: c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// A new object of glibc's, which processes share, and which `init` makes with these attributes.
macro_rules! process_shared {
    ($object:ty, $attr_init:ident, $set_shared:ident, $init:expr) => {{
        let at: *mut $object = share(MaybeUninit::<$object>::zeroed())?.cast();
        let mut attributes = MaybeUninit::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised first. The object is nobody else's yet, and never
        // moves.
        unsafe {
            check(libc::$attr_init(attributes))?;
            check(libc::$set_shared(attributes, libc::PTHREAD_PROCESS_SHARED))?;
            #[allow(clippy::redundant_closure_call)]
            check(($init)(at, attributes))?;
        }
        at
    }};
}

struct PthreadMutex(*mut pthread_mutex_t);

impl PthreadMutex {
    fn new(is_robust: bool) -> io::Result<Self> {
        let robustness = if is_robust { libc::PTHREAD_MUTEX_ROBUST } else { libc::PTHREAD_MUTEX_STALLED };
        let init = |at, attributes| {
            // SAFETY: the caller has initialised the attributes, and the mutex is its own.
            unsafe {
                match libc::pthread_mutexattr_setrobust(attributes, robustness) {
                    0 => libc::pthread_mutex_init(at, attributes),
                    code => code,
                }
            }
        };
        Ok(Self(process_shared!(pthread_mutex_t, pthread_mutexattr_init, pthread_mutexattr_setpshared, init)))
    }

    /// What a lock or a wait that returned this number means.
    fn taken(&self, code: c_int) -> Answer {
        if code != libc::EOWNERDEAD {
            return answer(code);
        }
        // SAFETY: EOWNERDEAD says that the calling thread has the mutex.
        answer(unsafe { libc::pthread_mutex_consistent(self.0) })?;
        Ok(Some("EOWNERDEAD".into()))
    }
}

impl Exclusive for PthreadMutex {
    fn take(&self) -> Answer {
        // SAFETY: initialised by `new`.
        self.taken(unsafe { libc::pthread_mutex_lock(self.0) })
    }
    fn give_back(&self) -> Answer {
        // SAFETY: initialised by `new`. Orders are such that this process has taken it.
        answer(unsafe { libc::pthread_mutex_unlock(self.0) })
    }
}

struct PthreadRwLock(*mut pthread_rwlock_t);

impl PthreadRwLock {
    fn new() -> io::Result<Self> {
        // SAFETY: the caller has initialised the attributes, and the lock is its own.
        let init = |at, attributes| unsafe { libc::pthread_rwlock_init(at, attributes) };
        Ok(Self(process_shared!(pthread_rwlock_t, pthread_rwlockattr_init, pthread_rwlockattr_setpshared, init)))
    }
    fn unlock(&self) -> Answer {
        // SAFETY: initialised by `new`. Orders are such that this process has taken it.
        answer(unsafe { libc::pthread_rwlock_unlock(self.0) })
    }
}

impl Shared for PthreadRwLock {
    fn read(&self) -> Answer {
        // SAFETY: initialised by `new`.
        answer(unsafe { libc::pthread_rwlock_rdlock(self.0) })
    }
    fn end_read(&self) -> Answer {
        self.unlock()
    }
    fn write(&self) -> Answer {
        // SAFETY: initialised by `new`.
        answer(unsafe { libc::pthread_rwlock_wrlock(self.0) })
    }
    fn end_write(&self) -> Answer {
        self.unlock()
    }
}

struct PthreadCondition {
    mutex: PthreadMutex,
    condition: *mut pthread_cond_t,
}

fn condition(is_robust: bool) -> io::Result<Box<dyn Object>> {
    // SAFETY: the caller has initialised the attributes, and the condition is its own.
    let init = |at, attributes| unsafe { libc::pthread_cond_init(at, attributes) };
    let condition = process_shared!(pthread_cond_t, pthread_condattr_init, pthread_condattr_setpshared, init);
    Ok(Box::new(AsCondition(PthreadCondition { mutex: PthreadMutex::new(is_robust)?, condition })))
}

impl Exclusive for PthreadCondition {
    fn take(&self) -> Answer {
        self.mutex.take()
    }
    fn give_back(&self) -> Answer {
        self.mutex.give_back()
    }
}

impl Condition for PthreadCondition {
    fn wait(&self) -> Answer {
        // SAFETY: both are initialised, and the loop around this has taken the mutex.
        self.mutex.taken(unsafe { libc::pthread_cond_wait(self.condition, self.mutex.0) })
    }
    fn notify_one(&self) -> Answer {
        // SAFETY: initialised.
        answer(unsafe { libc::pthread_cond_signal(self.condition) })
    }
    fn notify_all(&self) -> Answer {
        // SAFETY: initialised.
        answer(unsafe { libc::pthread_cond_broadcast(self.condition) })
    }
}

struct PthreadBarrier(*mut pthread_barrier_t);

impl PthreadBarrier {
    fn new() -> io::Result<Self> {
        // SAFETY: the caller has initialised the attributes, and the barrier is its own.
        let init = |at, attributes| unsafe { libc::pthread_barrier_init(at, attributes, 3) };
        Ok(Self(process_shared!(pthread_barrier_t, pthread_barrierattr_init, pthread_barrierattr_setpshared, init)))
    }
}

impl Meeting for PthreadBarrier {
    fn arrive(&self) -> Answer {
        // SAFETY: initialised by `new`.
        match unsafe { libc::pthread_barrier_wait(self.0) } {
            libc::PTHREAD_BARRIER_SERIAL_THREAD => Ok(None),
            code => answer(code),
        }
    }
    fn reset(&self) -> Answer {
        Err("a pthread barrier has no repair".into())
    }
}

struct Sem(*mut sem_t);

impl Sem {
    fn new() -> io::Result<Self> {
        let at: *mut sem_t = share(MaybeUninit::<sem_t>::zeroed())?.cast();
        // SAFETY: room for a semaphore, which is nobody else's yet.
        match unsafe { libc::sem_init(at, 1, 1) } {
            0 => Ok(Self(at)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Exclusive for Sem {
    fn take(&self) -> Answer {
        // SAFETY: initialised by `new`.
        answer_errno(unsafe { libc::sem_wait(self.0) })
    }
    fn give_back(&self) -> Answer {
        // SAFETY: initialised by `new`.
        answer_errno(unsafe { libc::sem_post(self.0) })
    }
}
