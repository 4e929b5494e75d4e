//! Segments: created, opened, replaced, revived, passed on, removed. Each run uses a name of its
//! own in the shared-memory file system. Any file whose name contains that name at the end is a
//! violation.

use super::operation::{BOUND, Operation, Script, fork_bound, operation};
use super::stage::{Stage, Told};
use outlive::{InheritError, LockError, Mutex, OpenError, ReceiveError, Segment, Shareable};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The seal that every complete segment has here, besides its number.
const SEAL: u64 = 0x5ea1_5ea1_5ea1_5ea1;

#[derive(Debug, Shareable)]
#[repr(C)]
struct Shared {
    /// Written first, when the segment is made.
    number: u64,
    /// Used by all roles.
    lock: Mutex<u64>,
    /// Written last.
    seal: u64,
}

type Made = Segment<Shared>;

fn fill(number: u64) -> impl Fn(&mut Shared) {
    move |new| {
        new.number = number;
        new.seal = SEAL;
    }
}

fn script(name: &str) -> Script<()> {
    operation("Segment", name, |_| ())
}

/// An operation where an old segment exists that nobody has open.
fn with_an_old_one(name: &str) -> Script<()> {
    operation("Segment", name, |name| drop(Made::create(name, fill(1)).expect("a new name")))
}

/// The number of the segment, if it is complete and its lock works. `died`: a dead holder had the
/// lock.
fn use_it(segment: &Made, died: bool) -> Result<u64, String> {
    if segment.seal != SEAL {
        return Err("half a segment was seen".into());
    }
    match segment.lock.lock() {
        Ok(_) if !died => Ok(segment.number),
        Err(LockError::OwnerDied(left)) if died => {
            left.into_inner().mark_consistent();
            Ok(segment.number)
        }
        other => Err(format!("its lock says {other:?}")),
    }
}

/// Opens the segment, if there is one.
fn look(s: &Stage<()>) -> Result<Option<u64>, String> {
    match Made::open(s.name()) {
        Ok(segment) => use_it(&segment, false).map(Some),
        Err(OpenError::NotFound(_)) => Ok(None),
        Err(other) => Err(other.to_string()),
    }
}

fn text(error: impl std::error::Error) -> String {
    error.to_string()
}

/// Opens the segment if there is one, or makes one. Removes it in the end.
fn open_or_make(s: &Stage<()>) -> Told {
    let found = look(s)?;
    let made = Made::create(s.name(), fill(3));
    match (found, made) {
        (None, Ok(segment)) => use_it(&segment, false)?,
        (Some(_), Err(OpenError::AlreadyExists(_))) => 0,
        (found, made) => return Err(format!("found {found:?}, and then making it gave {made:?}")),
    };
    use_it(&Made::open(s.name()).map_err(text)?, false)?;
    Made::remove(s.name()).map_err(text)?;
    Ok(match found {
        None => "found nothing",
        Some(1) => "found the old one",
        Some(_) => "found the victim's",
    })
}

/// Opens the segment, which is the old one or the victim's. Nobody has it open, so it can be
/// replaced. Removes it in the end.
fn open_and_replace(s: &Stage<()>) -> Told {
    let found = look(s)?;
    let new =
        Segment::<Shared>::options().replace_abandoned(true).create(s.name(), |new, _| fill(3)(new)).map_err(text)?;
    use_it(&new, false)?;
    if look(s)? != Some(3) {
        return Err("it was replaced, and another was found".into());
    }
    Made::remove(s.name()).map_err(text)?;
    match found {
        Some(1) => Ok("found the old one"),
        Some(2) => Ok("found the victim's"),
        other => Err(format!("found {other:?}")),
    }
}

/// Opens the segment, as every survivor must be able to, and removes it in the end.
fn open(s: &Stage<()>) -> Told {
    match look(s)? {
        Some(1) => {}
        other => return Err(format!("found {other:?}")),
    }
    Made::remove(s.name()).map_err(text)?;
    Ok("ok")
}

/// The bytes of a segment whose lock has a living holder.
fn image() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let name = format!("outlive-kill-{}-original", std::process::id());
        let original = Made::create(&*name, fill(1)).expect("a new name");
        let (mut held, mut tell) = UnixStream::pair().expect("a pair of sockets");
        let holder = fork_bound(|| {
            core::mem::forget(original.lock.lock());
            tell.write_all(b"!").expect("heard");
            loop {
                std::thread::park();
            }
        });
        held.set_read_timeout(Some(BOUND)).expect("a bound");
        held.read_exact(&mut [0]).expect("told");
        let bytes = std::fs::read(path(&name)).expect("readable");
        // SAFETY: our own child.
        unsafe { libc::kill(holder, libc::SIGKILL) };
        super::common::wait(holder);
        Made::remove(&*name).expect("there");
        bytes
    })
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/dev/shm").join(name)
}

/// Opens the copy, first in one process, then in the next. For both of them the holder in the copy
/// is dead.
fn open_the_copy(s: &Stage<()>) -> Told {
    let first = Made::open(s.name()).map_err(text)?;
    use_it(&first, true)?;
    let second = Made::open(s.name()).map_err(text)?;
    use_it(&second, false)?;
    Made::remove(s.name()).map_err(text)?;
    Ok("ok")
}

/// A segment that is passed to a child, and the command for it.
type Passed = (Made, Command);

fn passed(_name: &str) -> Passed {
    let segment = Made::anonymous(fill(1)).expect("a segment");
    let mut command = Command::new("/bin/true");
    segment.pass_to(&mut command, "kill").expect("descriptors");
    (segment, command)
}

/// Inherits as the child for which the command is meant.
fn inherit(s: &Stage<Passed>) -> Result<Made, InheritError> {
    for (name, value) in s.1.get_envs() {
        // SAFETY: this process has one thread.
        unsafe { std::env::set_var(name, value.expect("set, not removed")) };
    }
    Made::inherit("kill")
}

fn use_what_was_passed(s: &Stage<Passed>) -> Told {
    use_it(&s.0, false)?;
    use_it(&inherit(s).map_err(text)?, false)?;
    Ok("ok")
}

/// A segment, a socket for sending it, and the socket's other end. Reads at that end do not block.
type Sent = (Made, UnixStream, UnixStream);

fn to_be_sent(_name: &str) -> Sent {
    let (here, there) = UnixStream::pair().expect("a pair of sockets");
    there.set_nonblocking(true).expect("a socket");
    (Made::anonymous(fill(1)).expect("a segment"), here, there)
}

fn sent(name: &str) -> Sent {
    let sent = to_be_sent(name);
    sent.0.send_to(&sent.1).expect("room for one");
    sent
}

/// Receives what the victim sent, if it did. Then receives what is sent now.
fn receive(s: &Stage<Sent>) -> Told {
    let came = match Made::receive_from(&s.2) {
        Ok(segment) => use_it(&segment, false).map(|_| true)?,
        Err(ReceiveError::Io(error)) if error.source.kind() == std::io::ErrorKind::WouldBlock => false,
        Err(other) => return Err(other.to_string()),
    };
    s.0.send_to(&s.1).map_err(text)?;
    use_it(&Made::receive_from(&s.2).map_err(text)?, false)?;
    Ok(if came { "it came" } else { "the segment did not arrive" })
}

pub(super) fn operations() -> Vec<Box<dyn Operation>> {
    let old_or_none = &["found nothing", "found the old one"];
    vec![
        Box::new(script("anonymous").victim(|s| s.dies_in(|| Made::anonymous(fill(2))))),
        Box::new(
            script("create")
                .victim(|s| s.dies_in(|| Made::create(s.name(), fill(2))))
                .after("newcomer", open_or_make)
                .sees(&["found nothing", "found the victim's"]),
        ),
        Box::new(
            with_an_old_one("create, refused because it exists")
                .victim(|s| s.dies_in(|| Made::create(s.name(), fill(2))))
                .after("newcomer", open)
                .sees(&["ok"]),
        ),
        Box::new(
            with_an_old_one("open")
                .victim(|s| s.dies_in(|| Made::open(s.name())))
                .after("newcomer", open)
                .sees(&["ok"]),
        ),
        Box::new(
            with_an_old_one("open, then replaced by another")
                .victim(|s| s.dies_in(|| Made::open(s.name())))
                .after("newcomer", open_and_replace)
                .sees(&["found the old one"]),
        ),
        Box::new(
            script("open_or_create, there is none")
                .victim(|s| s.dies_in(|| Made::open_or_create(s.name(), fill(2))))
                .after("newcomer", open_or_make)
                .sees(&["found nothing", "found the victim's"]),
        ),
        Box::new(
            with_an_old_one("open_or_create, there is one")
                .victim(|s| s.dies_in(|| Made::open_or_create(s.name(), fill(2))))
                .after("newcomer", open)
                .sees(&["ok"]),
        ),
        Box::new(
            with_an_old_one("replace_abandoned")
                .victim(|s| {
                    let options = Segment::<Shared>::options().replace_abandoned(true);
                    s.dies_in(|| options.create(s.name(), |new, _| fill(2)(new)));
                })
                .after("newcomer", open_and_replace)
                .sees(&["found the old one", "found the victim's"]),
        ),
        Box::new(
            with_an_old_one("remove")
                .victim(|s| s.dies_in(|| Made::remove(s.name())))
                .after("newcomer", open_or_make)
                .sees(old_or_none),
        ),
        Box::new(
            with_an_old_one("drop, by one that took part")
                .victim(|s| {
                    let segment = Made::open(s.name()).expect("there");
                    use_it(&segment, false).expect("usable");
                    s.dies_in(|| drop(segment));
                })
                .after("newcomer", open_and_replace)
                .sees(&["found the old one"]),
        ),
        Box::new(
            operation("Segment", "open, a copy that must be revived", |name| {
                std::fs::write(path(name), image()).expect("written");
            })
            .victim(|s| s.dies_in(|| Made::open(s.name())))
            .after("newcomer", open_the_copy)
            .sees(&["ok"]),
        ),
        Box::new(
            operation("Segment", "inherit", passed)
                .victim(|s| s.dies_in(|| inherit(s)))
                .after("newcomer", use_what_was_passed)
                .sees(&["ok"]),
        ),
        Box::new(
            operation("Segment", "pass_to", passed)
                .victim(|s| {
                    let mut command = Command::new("/bin/true");
                    s.dies_in(|| s.0.pass_to(&mut command, "another"));
                })
                .after("newcomer", use_what_was_passed)
                .sees(&["ok"]),
        ),
        Box::new(
            operation("Segment", "send_to", to_be_sent)
                .victim(|s| s.dies_in(|| s.0.send_to(&s.1)))
                .after("newcomer", receive)
                .sees(&["the segment did not arrive", "it came"]),
        ),
        Box::new(
            operation("Segment", "receive_from", sent)
                .victim(|s| s.dies_in(|| Made::receive_from(&s.2)))
                .after("newcomer", receive)
                .sees(&["it came", "the segment did not arrive"]),
        ),
    ]
}
