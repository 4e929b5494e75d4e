//! The functions of `boost.cpp`, if Boost's headers were there when this was built.

/// Why Boost's peers are missing.
#[cfg(not(boost))]
pub(crate) const WHY_MISSING: &str =
    "no headers of Boost.Interprocess when this was built (Debian: apt-get install libboost-dev g++)";

/// The version of the headers.
#[cfg(not(boost))]
pub(crate) fn version() -> Option<String> {
    None
}

#[cfg(boost)]
pub(crate) use there::*;

#[cfg(boost)]
mod there {
    use std::ffi::{CStr, c_char, c_int, c_void};

    /// What is done to an object. 0, or an error, whose text [`error`] has.
    pub(crate) type Function = unsafe extern "C" fn(*mut c_void) -> c_int;
    /// What is done with the name of shared memory. As above.
    pub(crate) type OfName = unsafe extern "C" fn(*const c_char) -> c_int;

    // SAFETY: as in boost.cpp.
    unsafe extern "C" {
        fn boost_error() -> *const c_char;
        fn boost_version() -> *const c_char;
        pub(crate) fn boost_room() -> usize;
        pub(crate) fn boost_mutex_new(at: *mut c_void) -> c_int;
        pub(crate) fn boost_mutex_lock(at: *mut c_void) -> c_int;
        pub(crate) fn boost_mutex_unlock(at: *mut c_void) -> c_int;
        pub(crate) fn boost_recursive_new(at: *mut c_void) -> c_int;
        pub(crate) fn boost_recursive_lock(at: *mut c_void) -> c_int;
        pub(crate) fn boost_recursive_unlock(at: *mut c_void) -> c_int;
        pub(crate) fn boost_sharable_new(at: *mut c_void) -> c_int;
        pub(crate) fn boost_sharable_read(at: *mut c_void) -> c_int;
        pub(crate) fn boost_sharable_end_read(at: *mut c_void) -> c_int;
        pub(crate) fn boost_sharable_write(at: *mut c_void) -> c_int;
        pub(crate) fn boost_sharable_end_write(at: *mut c_void) -> c_int;
        pub(crate) fn boost_upgradable_new(at: *mut c_void) -> c_int;
        pub(crate) fn boost_upgradable_read(at: *mut c_void) -> c_int;
        pub(crate) fn boost_upgradable_end_read(at: *mut c_void) -> c_int;
        pub(crate) fn boost_upgradable_write(at: *mut c_void) -> c_int;
        pub(crate) fn boost_upgradable_end_write(at: *mut c_void) -> c_int;
        pub(crate) fn boost_condition_new(at: *mut c_void) -> c_int;
        pub(crate) fn boost_condition_wait(at: *mut c_void, mutex: *mut c_void) -> c_int;
        pub(crate) fn boost_condition_notify_one(at: *mut c_void) -> c_int;
        pub(crate) fn boost_condition_notify_all(at: *mut c_void) -> c_int;
        pub(crate) fn boost_semaphore_new(at: *mut c_void) -> c_int;
        pub(crate) fn boost_semaphore_wait(at: *mut c_void) -> c_int;
        pub(crate) fn boost_semaphore_post(at: *mut c_void) -> c_int;
        pub(crate) fn boost_queue_new(name: *const c_char, messages: usize, size: usize) -> *mut c_void;
        pub(crate) fn boost_queue_send(queue: *mut c_void, bytes: *const c_void, length: usize) -> c_int;
        pub(crate) fn boost_queue_receive(
            queue: *mut c_void,
            into: *mut c_void,
            room: usize,
            length: *mut usize,
        ) -> c_int;
        pub(crate) fn boost_queue_delete(queue: *mut c_void);
        pub(crate) fn boost_object_make(name: *const c_char) -> c_int;
        pub(crate) fn boost_object_open(name: *const c_char) -> c_int;
        pub(crate) fn boost_managed_make(name: *const c_char) -> c_int;
        pub(crate) fn boost_managed_open(name: *const c_char) -> c_int;
        pub(crate) fn boost_remove(name: *const c_char) -> c_int;
        fn boost_size(which: usize, name: *mut *const c_char) -> usize;
    }

    /// The text of the last error.
    pub(crate) fn error() -> String {
        // SAFETY: a static text of C, which only this thread changes.
        unsafe { CStr::from_ptr(boost_error()) }.to_string_lossy().into_owned()
    }

    /// The version of the headers.
    pub(crate) fn version() -> Option<String> {
        // SAFETY: a static text of C.
        let version = unsafe { CStr::from_ptr(boost_version()) };
        Some(version.to_string_lossy().replace('_', "."))
    }

    /// The names of Boost's primitives, and how many bytes each has.
    pub(crate) fn sizes() -> Vec<(String, usize)> {
        (0..)
            .map(|which| {
                let mut name = c"".as_ptr();
                // SAFETY: the function writes a pointer to a static text.
                let bytes = unsafe { boost_size(which, &raw mut name) };
                // SAFETY: a static text of C.
                (unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned(), bytes)
            })
            .take_while(|(_, bytes)| *bytes > 0)
            .collect()
    }
}
