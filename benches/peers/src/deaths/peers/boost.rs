//! Boost.Interprocess, if its headers were there when this program was built.

use super::Peer;
use crate::deaths::scenario::Kind;

const FAMILY: &str = "Boost";

const ALL: [(&str, Kind); 6] = [
    ("interprocess_mutex", Kind::Lock),
    ("interprocess_recursive_mutex", Kind::Lock),
    ("interprocess_sharable_mutex", Kind::RwLock),
    ("interprocess_condition", Kind::Condition),
    ("interprocess_semaphore", Kind::Semaphore),
    ("message_queue", Kind::Queue),
];

#[cfg(not(boost))]
pub(super) fn peers() -> Vec<Peer> {
    let missing = |&(name, kind)| {
        let maker = crate::deaths::peers::Maker::Missing(crate::boost::WHY_MISSING.into());
        Peer { family: FAMILY, name, kind, maker }
    };
    ALL.iter().map(missing).collect()
}

#[cfg(boost)]
pub(super) fn peers() -> Vec<Peer> {
    let make = |name| match name {
        "interprocess_mutex" => there::mutex,
        "interprocess_recursive_mutex" => there::recursive,
        "interprocess_sharable_mutex" => there::sharable,
        "interprocess_condition" => there::condition,
        "interprocess_semaphore" => there::semaphore,
        _ => there::queue as there::Make,
    };
    ALL.iter().map(|&(name, kind)| super::here(FAMILY, name, kind, make(name))).collect()
}

#[cfg(boost)]
mod there {
    use crate::boost::{self, *};
    use crate::deaths::object::{
        AsChannel, AsCondition, AsLock, AsRwLock, Channel, Condition, Exclusive, Object, Shared,
    };
    use crate::deaths::order::Answer;
    use crate::deaths::peers::share;
    use std::ffi::{CString, c_int, c_void};
    use std::io;

    pub(super) type Make = fn() -> io::Result<Box<dyn Object>>;

    /// 0, or that there is an error.
    fn answer(code: c_int) -> Answer {
        match code {
            0 => Ok(None),
            _ => Err(boost::error()),
        }
    }

    /// Room in shared memory, in which the function has made its object.
    fn make(new: Function) -> io::Result<*mut c_void> {
        let room = share([0_u64; 512])?;
        // SAFETY: says a size.
        assert!(size_of::<[u64; 512]>() >= unsafe { boost_room() }, "room for each of Boost's objects");
        // SAFETY: enough room, aligned to pages, nobody else's yet.
        answer(unsafe { new(room.cast()) }).map_err(io::Error::other)?;
        Ok(room.cast())
    }

    struct Lock {
        at: *mut c_void,
        take: Function,
        give_back: Function,
    }

    impl Exclusive for Lock {
        fn take(&self) -> Answer {
            // SAFETY: an object that these functions belong to, which never moves.
            answer(unsafe { (self.take)(self.at) })
        }
        fn give_back(&self) -> Answer {
            // SAFETY: as above. Orders are such that this process has taken it.
            answer(unsafe { (self.give_back)(self.at) })
        }
    }

    pub(super) fn mutex() -> io::Result<Box<dyn Object>> {
        let at = make(boost_mutex_new)?;
        Ok(Box::new(AsLock(Lock { at, take: boost_mutex_lock, give_back: boost_mutex_unlock })))
    }

    pub(super) fn recursive() -> io::Result<Box<dyn Object>> {
        let at = make(boost_recursive_new)?;
        Ok(Box::new(AsLock(Lock { at, take: boost_recursive_lock, give_back: boost_recursive_unlock })))
    }

    pub(super) fn semaphore() -> io::Result<Box<dyn Object>> {
        let at = make(boost_semaphore_new)?;
        Ok(Box::new(AsLock(Lock { at, take: boost_semaphore_wait, give_back: boost_semaphore_post })))
    }

    struct Sharable(*mut c_void);

    impl Shared for Sharable {
        fn read(&self) -> Answer {
            // SAFETY: a sharable mutex, which never moves.
            answer(unsafe { boost_sharable_read(self.0) })
        }
        fn end_read(&self) -> Answer {
            // SAFETY: as above. Orders are such that this process has taken it so.
            answer(unsafe { boost_sharable_end_read(self.0) })
        }
        fn write(&self) -> Answer {
            // SAFETY: as above.
            answer(unsafe { boost_sharable_write(self.0) })
        }
        fn end_write(&self) -> Answer {
            // SAFETY: as above.
            answer(unsafe { boost_sharable_end_write(self.0) })
        }
    }

    pub(super) fn sharable() -> io::Result<Box<dyn Object>> {
        Ok(Box::new(AsRwLock(Sharable(make(boost_sharable_new)?))))
    }

    struct WithCondition {
        lock: Lock,
        condition: *mut c_void,
    }

    impl Exclusive for WithCondition {
        fn take(&self) -> Answer {
            self.lock.take()
        }
        fn give_back(&self) -> Answer {
            self.lock.give_back()
        }
    }

    impl Condition for WithCondition {
        fn wait(&self) -> Answer {
            // SAFETY: a condition and a mutex, which the loop around this has taken.
            answer(unsafe { boost_condition_wait(self.condition, self.lock.at) })
        }
        fn notify_one(&self) -> Answer {
            // SAFETY: a condition, which never moves.
            answer(unsafe { boost_condition_notify_one(self.condition) })
        }
        fn notify_all(&self) -> Answer {
            // SAFETY: as above.
            answer(unsafe { boost_condition_notify_all(self.condition) })
        }
    }

    pub(super) fn condition() -> io::Result<Box<dyn Object>> {
        let at = make(boost_mutex_new)?;
        let lock = Lock { at, take: boost_mutex_lock, give_back: boost_mutex_unlock };
        Ok(Box::new(AsCondition(WithCondition { lock, condition: make(boost_condition_new)? })))
    }

    struct Queue(*mut c_void);

    pub(super) fn queue() -> io::Result<Box<dyn Object>> {
        let name = CString::new(format!("outlive-deaths-{}", std::process::id()))?;
        // SAFETY: the name is a C string.
        let queue = unsafe { boost_queue_new(name.as_ptr(), 64, 6000) };
        if queue.is_null() {
            return Err(io::Error::other(boost::error()));
        }
        Ok(Box::new(AsChannel(Queue(queue))))
    }

    impl Channel for Queue {
        fn send(&self, bytes: &[u8]) -> Answer {
            // SAFETY: a queue; the bytes are valid for the call.
            answer(unsafe { boost_queue_send(self.0, bytes.as_ptr().cast(), bytes.len()) })
        }
        fn receive(&self, into: &mut Vec<u8>) -> Answer {
            let mut length = 0;
            into.resize(6000, 0); // no message is longer
            // SAFETY: a queue; the room is valid for the call.
            let code = unsafe { boost_queue_receive(self.0, into.as_mut_ptr().cast(), into.len(), &mut length) };
            into.truncate(length);
            answer(code)
        }
    }
}
