//! Shared memory is opened and mapped: bare, and with the calls by which outlive checks it.

use super::Failure;
use super::rounds::{Column, Variant, compare};
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

const LENGTH: usize = 36_864;

/// A file in shared memory, until this is dropped.
struct Named(CString);

impl Drop for Named {
    fn drop(&mut self) {
        // SAFETY: a C string.
        unsafe { libc::shm_unlink(self.0.as_ptr()) };
    }
}

fn open(name: &CString, flags: i32) -> Result<File, Failure> {
    // SAFETY: a C string.
    let descriptor = unsafe { libc::shm_open(name.as_ptr(), libc::O_RDWR | flags, 0o600) };
    if descriptor == -1 {
        return Err(std::io::Error::last_os_error().into());
    }
    // SAFETY: it was opened just now, for this value alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }.into())
}

/// Opens it, maps it, writes to it, and lets it go.
fn use_it(name: &CString) -> Result<(), Failure> {
    let file = open(name, 0)?;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, which this function alone uses, and no longer than it is there.
    unsafe {
        let place = libc::mmap(std::ptr::null_mut(), LENGTH, access, libc::MAP_SHARED, file.as_raw_fd(), 0);
        if place == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error().into());
        }
        place.cast::<u8>().write_volatile(1);
        libc::munmap(place, LENGTH);
    }
    Ok(())
}

/// As std reads a file of which it does not know the length.
fn read(path: &str) -> Result<(), Failure> {
    let mut text = vec![];
    File::open(path)?.read_to_end(&mut text)?;
    Ok(())
}

/// What outlive asked of /proc for each opening: four times who owns unmapped files, twice the
/// boot, once the thread. Now it does so once in a process.
fn ask_proc() -> Result<(), Failure> {
    (0..4).try_for_each(|_| read("/proc/sys/kernel/overflowuid"))?;
    (0..2).try_for_each(|_| read("/proc/sys/kernel/random/boot_id"))?;
    read("/proc/thread-self/stat")?;
    Ok(["pid", "time"].iter().try_for_each(|space| std::fs::metadata(format!("/proc/self/ns/{space}")).map(|_| ()))?)
}

/// What outlive asks of the file itself.
fn check(name: &CString) -> Result<(), Failure> {
    let file = open(name, 0)?;
    for _ in 0..14 {
        file.metadata()?;
    }
    for _ in 0..3 {
        // SAFETY: all bytes 0 are a valid flock.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as libc::c_short;
        lock.l_len = 1;
        // SAFETY: the lock lives as long as the call.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) } == -1 {
            return Err(std::io::Error::last_os_error().into());
        }
    }
    let mut header = vec![0; LENGTH];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut header, 0)?;
    Ok(())
}

/// Measures.
///
/// # Errors
/// Shared memory cannot be made or opened.
pub(crate) fn measure(rounds: usize) -> Result<String, Failure> {
    let named = Named(CString::new(format!("/outlive-floors-{}", std::process::id()))?);
    let name = &named.0;
    open(name, libc::O_CREAT | libc::O_EXCL)?.set_len(LENGTH as u64)?;
    let timed = |work: &dyn Fn() -> Result<(), Failure>| {
        let begun = Instant::now();
        work()?;
        Ok(vec![begun.elapsed().as_nanos() as f64])
    };
    let variants: Vec<Variant<'_>> = vec![
        ("to open and map", Box::new(|| timed(&|| use_it(name)))),
        ("what outlive asked of /proc", Box::new(|| timed(&ask_proc))),
        ("what it asks of the file", Box::new(|| timed(&|| check(name)))),
    ];
    compare("opening: system calls alone", &[Column::Times("time")], variants, rounds)
}
