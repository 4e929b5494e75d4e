//! The peers: each is a name and a way to make its object.

mod boost;
mod crates;
mod iceoryx;
mod kernel;
mod outlive;
mod pthread;
mod python;

use super::object::Object;
use super::scenario::Kind;
use std::io;
use std::path::Path;
use std::process::Command;

/// One row of a table.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Whose it is.
    pub family: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// How its object is made.
    pub maker: Maker,
}

/// How the object of a peer is made.
#[derive(Debug, Clone)]
pub enum Maker {
    /// By this function, in the keeper.
    Here(fn() -> io::Result<Box<dyn Object>>),
    /// By the script, which is a keeper of its own.
    Python,
    /// Not at all, for this reason.
    Missing(String),
}

impl Peer {
    /// Family and name, for `--only` and for the keeper's command line.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{} {}", self.family, self.name)
    }

    /// What starts a keeper of this peer, if it is given the cell's directory as last argument.
    ///
    /// # Errors
    /// Why the peer is missing.
    pub fn keeper(&self, program: &Path) -> Result<Command, String> {
        let mut command = match &self.maker {
            Maker::Here(_) => {
                let mut command = Command::new(program);
                command.arg("keeper");
                command
            }
            Maker::Python => python::keeper()?,
            Maker::Missing(why) => return Err(why.clone()),
        };
        command.arg(self.id());
        Ok(command)
    }
}

/// All of them, in the order of the tables. outlive comes first.
#[must_use]
pub fn all() -> Vec<Peer> {
    let mut all = [outlive::peers(), pthread::peers(), kernel::peers(), boost::peers(), crates::peers()].concat();
    all.extend(iceoryx::peers());
    all.extend(python::peers());
    all
}

/// What names of shared memory begin with that the object of this keeper needs.
fn name_of_keeper(id: u32) -> String {
    format!("outlive-deaths-{id}-")
}

/// Removes what outlives the processes of a cell: named shared memory, semaphores of System V.
pub(crate) fn clean_up_after(keeper: u32) {
    let prefix = name_of_keeper(keeper);
    for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
            let _ = std::fs::remove_file(entry.path()); // if that fails, it is gone already
        }
    }
    kernel::remove_semaphores(keeper);
}

/// What was tried: the name of each peer's maker, and its version where one is known.
#[must_use]
pub fn versions() -> Vec<(&'static str, String)> {
    let file = |path| std::fs::read_to_string(path).map(|text| text.trim().to_string()).ok();
    // SAFETY: a static text of C.
    let glibc = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    let crates =
        ["raw_sync", "posix-sync", "rustix-futex-sync", "process-sync", "named-lock", "ipc-channel", "iceoryx2"];
    [("Linux", file("/proc/sys/kernel/osrelease")), ("glibc", Some(glibc.to_string_lossy().into_owned()))]
        .into_iter()
        .chain([("Boost", crate::boost::version()), ("CPython", python::version())])
        .filter_map(|(name, version)| Some((name, version?)))
        .chain(of_lockfile(&crates))
        .collect()
}

/// The versions of these crates in the lockfile with which this was built.
pub(crate) fn of_lockfile(names: &[&'static str]) -> impl Iterator<Item = (&'static str, String)> {
    let version_of = |name: &str| {
        let mut lines = include_str!("../../../Cargo.lock").lines();
        lines.find(|line| *line == format!("name = \"{name}\""))?;
        Some(lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?.to_string())
    };
    names.iter().filter_map(move |name| Some((*name, version_of(name)?)))
}

/// A peer whose object is made here.
fn here(family: &'static str, name: &'static str, kind: Kind, make: fn() -> io::Result<Box<dyn Object>>) -> Peer {
    Peer { family, name, kind, maker: Maker::Here(make) }
}

/// Puts a value into memory that forked children share. The mapping stays as long as the process.
fn share<T>(value: T) -> io::Result<*mut T> {
    let (length, all) = (size_of::<T>().max(1), libc::PROT_READ | libc::PROT_WRITE);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), length, all, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let at = at.cast::<T>();
    // SAFETY: long enough, aligned to pages, and nobody else's yet.
    unsafe { at.write(value) };
    Ok(at)
}

/// 0, or an error number.
fn answer(code: i32) -> Result<Option<String>, String> {
    match code {
        0 => Ok(None),
        code => Err(io::Error::from_raw_os_error(code).to_string()),
    }
}

/// 0, or -1 and errno.
fn answer_errno(code: i32) -> Result<Option<String>, String> {
    match code {
        -1 => Err(io::Error::last_os_error().to_string()),
        _ => Ok(None),
    }
}
