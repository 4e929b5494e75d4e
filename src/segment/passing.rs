//! How is a segment passed on: to a child that is spawned, and over a Unix socket?
//!
//! What is passed is a separate open file, without a lock. So a [`Command`] that is kept, to be
//! spawned again, does not keep the segment in use. The receiving process opens the file once more,
//! if permissions allow, and locks that open file.

mod patience;
mod ticket;

use super::options::OpenFile;
use super::{Segment, SegmentOptions, Shareable, checks, header, naming};
use crate::error::{DescriptorLostError, InheritError, IoError, OpenError, PassError, ReceiveError};
use core::mem::MaybeUninit;
use rustix::fs::OFlags;
use rustix::io::FdFlags;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketType, recvmsg, sendmsg, sockopt,
};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use ticket::{Ticket, reopen_or_duplicate, reopen_or_duplicate_a_strangers, variable};

/// The byte that a descriptor is sent with.
const PAYLOAD: u8 = b'S';

/// Room for the control messages that the socket's options may add, such as the sender's security
/// label (SO_PASSSEC).
const LABEL: usize = 512;

/// Whether the sender could write. A descriptor for reading proves no right to write, even if the
/// receiver has that right.
fn can_be_written(descriptor: BorrowedFd<'_>) -> bool {
    naming::is_open_for(descriptor, &[OFlags::RDWR])
}

/// Receives a message, and gives its file.
fn receive(socket: BorrowedFd<'_>) -> Result<(File, bool), ReceiveError> {
    let not_received = |found: String| ReceiveError::NotReceived { found };
    // Room for more than one descriptor, so that surplus ones are counted and closed.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8), ScmCredentials(1)) + LABEL];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let message = patience::to_receive(socket, |how| {
        recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, how | RecvFlags::CMSG_CLOEXEC)
    })
    .map_err(|e| IoError::new("receive a segment", None, e))?;
    let mut came: Vec<OwnedFd> = vec![];
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = part {
            came.extend(descriptors);
        }
    }
    if message.bytes == 0 {
        let is_stream = sockopt::socket_type(socket) == Ok(SocketType::STREAM);
        let what = if is_stream { "the end of the stream" } else { "an empty message, or the end of the connection," };
        return Err(not_received(what.into()));
    }
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(not_received("a message of more than one byte".into()));
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(not_received(
            "more descriptors or other control messages than can be taken (more than one descriptor was sent, this process may have no more, or an option of the socket adds long messages)".into(),
        ));
    }
    let [descriptor] = came.as_slice() else {
        return Err(not_received(format!("{} descriptors", came.len())));
    };
    if byte != [PAYLOAD] {
        return Err(not_received("a descriptor that was sent by something else".into()));
    }
    let about = rustix::fs::fstat(descriptor).map_err(|e| IoError::new("look at what was received", None, e))?;
    if rustix::fs::FileType::from_raw_mode(about.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(not_received("a descriptor that is no regular file".into()));
    }
    if !can_be_written(descriptor.as_fd()) {
        return Err(not_received("a descriptor that is not open for reading and writing".into()));
    }
    Ok(reopen_or_duplicate(descriptor)?)
}

impl<T: Shareable + Sync, R: Shareable + Sync> SegmentOptions<T, R> {
    /// Opens the segment that the parent process [passed](Segment::pass_to) under this name.
    ///
    /// A segment that was passed is inherited once. Then the passed descriptor is closed, so that
    /// it does not keep the segment in use. The environment variable stays, without a meaning. The
    /// next call gives [`InheritError::NotPassed`], in this process and in its children.
    ///
    /// The file's owner is checked only if [`owner`](Self::owner) was called, because the parent
    /// has chosen the segment.
    ///
    /// # Errors
    /// [`InheritError::NotPassed`], [`InheritError::InvalidName`]; [`InheritError::Open`] with
    /// those of [`open`](Self::open) that concern an open file, and with
    /// [`OpenError::CannotRevive`]. After one of the latter the segment can still be inherited, for
    /// example with the right type.
    ///
    /// # If a process dies
    /// The segment stays as it is, even if the parent has died.
    pub fn inherit(&self, name: &str) -> Result<Segment<T, R>, InheritError> {
        self.check()?;
        if !checks::is_passed_name(name) {
            return Err(InheritError::InvalidName(name.into()));
        }
        let not_passed = || InheritError::NotPassed(name.into());
        let ticket: Ticket =
            std::env::var(variable(name)).ok().and_then(|value| value.parse().ok()).ok_or_else(not_passed)?;
        let passed = ticket.open().map_err(OpenError::from)?.ok_or_else(not_passed)?;
        let segment = self.adopt_passed(passed)?;
        if ticket.close() { Ok(segment) } else { Err(not_passed()) }
    }

    /// Opens the segment that another process [sends](Segment::send_to) over this Unix socket. The
    /// socket's timeout (SO_RCVTIMEO) and its non-blocking mode say how long the call waits for a
    /// message. Signals do not prolong the timeout. They do not end the wait either, not even in an
    /// [interruptible scope](crate::interruptible).
    ///
    /// To receive from a stranger is to trust that stranger with the content. The sender can write
    /// anything into the segment at any time. It can also truncate the file, unless that is a
    /// sealed memfd, and a truncated file raises SIGBUS here. The file's owner is checked only if
    /// [`owner`](Self::owner) was called.
    ///
    /// # Errors
    /// [`ReceiveError::NotReceived`] if the message did not come from
    /// [`send_to`](Segment::send_to). [`ReceiveError::Open`] with those of [`open`](Self::open)
    /// that concern an open file, and with [`OpenError::CannotRevive`]. [`ReceiveError::Io`] if
    /// nothing can be received, or what was received cannot be opened anew.
    ///
    /// After each of these errors, what came is used up, and all descriptors that came with it are
    /// closed (but for those of SO_PASSPIDFD, an option that this call does not know): one byte of
    /// a stream, or a whole datagram. There are two exceptions. Nothing is taken if the options can
    /// never work, or if nothing can be received.
    ///
    /// # If a process dies
    /// A message that was sent arrives even if its sender has died. A receiver that dies may have
    /// used the message up.
    pub fn receive_from(&self, socket: impl AsFd) -> Result<Segment<T, R>, ReceiveError> {
        self.check()?;
        Ok(self.adopt_passed(receive(socket.as_fd())?)?)
    }

    /// Opens the segment that an open file is: for a descriptor that came by the program's own
    /// protocol, or from a library that has only descriptors.
    ///
    /// The file is checked as [`open`](Self::open) checks one that it finds by a name. Anything but
    /// a regular file is an error, before anything is done with it. The owner must be this
    /// process's user, or the one given to [`owner`](Self::owner). The descriptor must be open for
    /// reading and writing, because one for reading proves no right to write.
    ///
    /// The caller keeps the descriptor, and may close it. The descriptor does not keep the segment
    /// in use: the file is opened once more.
    ///
    /// A process that may not do that (for example, it runs as another user) uses the same open
    /// file. That has three consequences:
    /// - The open file keeps the segment in use until every descriptor of it is closed, in all
    ///   processes that have it.
    /// - Its file offset is set, and must stay as it is. So nobody may read, write or seek through
    ///   it any more, whatever descriptor is used. Otherwise the segment's descriptor counts as
    ///   lost, and the segment can no longer be passed on.
    /// - The kernel does not show who else uses the segment through it. So the segment is joined
    ///   as it is found. What the dead hold is found one by one. If participants of another boot
    ///   are on record, or those of the file that this one is a copy of, the error is
    ///   [`OpenError::CannotRevive`]. That is also so in a container with a boot id of its own
    ///   (nspawn, LXC), unless another open file shows that the segment is in use.
    /// - If a process that shares it is killed while it opens the segment, others may have to wait
    ///   for all descriptors to be closed: [`OpenError::Busy`].
    ///
    /// As with [`receive_from`](Self::receive_from), the sender of a descriptor must be trusted
    /// with the content, and not to truncate the file.
    ///
    /// ```
    /// use outlive::{Location, Mutex, Segment};
    /// use std::os::fd::OwnedFd;
    ///
    /// # let name = &format!("outlive-doc-from-fd-{}", std::process::id());
    /// let segment = Segment::<Mutex<u64>>::create(name, |count| *count.get_mut() = 7)?;
    /// let path = Location::named(name).path()?;
    /// let came: OwnedFd = std::fs::File::options().read(true).write(true).open(path)?.into();
    ///
    /// let same = Segment::<Mutex<u64>>::from_fd(came)?;
    /// assert_eq!(*same.lock().unwrap(), 7);
    /// # Segment::<Mutex<u64>>::remove(name)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`open`](Self::open), as far as they concern an open file. [`OpenError::Io`] if it
    /// is not open for reading and writing, or cannot be opened anew for another reason than a
    /// lack of permission. [`OpenError::CannotRevive`].
    ///
    /// # If a process dies
    /// As [`open`](Self::open).
    pub fn from_fd(&self, file: impl AsFd) -> Result<Segment<T, R>, OpenError> {
        self.check()?;
        let file = file.as_fd();
        checks::owner(naming::expect_regular(file)?, self.expected_owner())?;
        if !can_be_written(file) {
            return Err(naming::not_open_for("reading and writing").into());
        }
        self.adopt(reopen_or_duplicate_a_strangers(file)?, OpenFile::OfStrangers)
    }

    fn adopt_passed(&self, (file, is_shared): (File, bool)) -> Result<Segment<T, R>, OpenError> {
        if let Some(owner) = self.owner {
            checks::owner(naming::metadata(&file)?.uid(), owner)?;
        }
        self.adopt((file, is_shared), OpenFile::OfAParticipant)
    }

    /// Opens the segment of an open file, in its turn. Only a segment is ever locked.
    fn adopt(&self, (file, is_shared): (File, bool), if_shared: OpenFile) -> Result<Segment<T, R>, OpenError> {
        let open_file = if is_shared { if_shared } else { OpenFile::Own };
        header::judge_format(&naming::read_header(&file)?.0)?;
        let mut backoff = naming::Backoff::new(self.busy_timeout);
        // To pass a segment on does not keep it in use. No process may have it mapped, and an
        // opener by name may be reviving it.
        let _turn = naming::turn_at(|| Ok(reopen_or_duplicate(&file)?.0), &mut backoff)?;
        self.join_or_revive(file, open_file, &mut backoff)
    }
}

impl<T: Shareable + Sync> Segment<T> {
    /// Opens the segment that the parent [passed](Self::pass_to) under this name. See
    /// [`SegmentOptions::inherit`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::inherit`].
    pub fn inherit(name: &str) -> Result<Self, InheritError> {
        Self::options().inherit(name)
    }

    /// Opens the segment that another process [sends](Self::send_to). See
    /// [`SegmentOptions::receive_from`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::receive_from`].
    pub fn receive_from(socket: impl AsFd) -> Result<Self, ReceiveError> {
        Self::options().receive_from(socket)
    }

    /// Opens the segment that an open file is. See [`SegmentOptions::from_fd`].
    ///
    /// # Errors
    /// Those of [`SegmentOptions::from_fd`].
    pub fn from_fd(file: impl AsFd) -> Result<Self, OpenError> {
        Self::options().from_fd(file)
    }
}

impl<T: Shareable + Sync, R: Shareable + Sync> Segment<T, R> {
    /// Lets a child process that is about to be spawned open this segment, whatever its kind, with
    /// [`Segment::inherit`] under the same name.
    ///
    /// The child gets a descriptor, and the environment variable `OUTLIVE_SEGMENT_<name>`: call
    /// `env_clear` before this, not after. Other children do not get the descriptor, since it stays
    /// close-on-exec in this process. The child may run as another user, even one that could not
    /// open the segment by name.
    ///
    /// `exec` of such a command runs in this process. If it fails, the command's descriptor is no
    /// longer close-on-exec here. Other children get it, too, until the command is dropped.
    ///
    /// To pass a command two segments under one name is of no use. The child finds the second, and
    /// has a descriptor of the first until it ends.
    ///
    /// A command can be kept, and spawned again. It does not keep the segment in use. There is one
    /// exception: a process that may not open the segment's file again, because another user has
    /// passed it the segment. Its commands share its lock on the file, and the segment stays in use
    /// as long as they exist.
    ///
    /// ```no_run
    /// use outlive::{Lock, Segment};
    /// use std::process::Command;
    ///
    /// // parent
    /// let segment = Segment::<Lock>::anonymous(|_lock| {})?;
    /// let mut child = Command::new("worker");
    /// segment.pass_to(&mut child, "jobs")?;
    /// child.spawn()?;
    ///
    /// // child
    /// let segment = Segment::<Lock>::inherit("jobs")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PassError::InvalidName`]; [`PassError::DescriptorLost`]; [`PassError::Io`] when there are
    /// no descriptors left, or the segment's file cannot be opened anew for another reason than a
    /// lack of permission or of /proc.
    pub fn pass_to(&self, command: &mut Command, name: &str) -> Result<(), PassError> {
        use std::os::unix::process::CommandExt;
        if !checks::is_passed_name(name) {
            return Err(PassError::InvalidName(name.into()));
        }
        let (own, _) = reopen_or_duplicate(self.file()?)?;
        let about = naming::metadata(&own)?;
        let (device, inode) = (about.dev(), about.ino());
        let ticket = Ticket { number: own.as_raw_fd(), device, inode, mark: naming::mark(&own)? };
        command.env(variable(name), ticket.to_string());
        // SAFETY: between fork and exec only one system call is made, fcntl, on a descriptor that
        // the closure owns.
        unsafe {
            command.pre_exec(move || Ok(rustix::io::fcntl_setfd(&own, FdFlags::empty())?));
        }
        Ok(())
    }

    /// Sends this segment, whatever its kind, over a Unix socket, to a process that calls
    /// [`Segment::receive_from`] there. The message is one byte of the stream (or one datagram),
    /// with a descriptor. The receiver must know when to expect it. In `examples/strangers.rs` two
    /// processes have nothing in common but the path of such a socket.
    ///
    /// ```
    /// use outlive::{Mutex, Segment};
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (here, there) = UnixStream::pair()?; // or connected by a path
    /// let segment = Segment::<Mutex<u64>>::anonymous(|count| *count.get_mut() = 7)?;
    /// segment.send_to(&here)?;
    ///
    /// let same = Segment::<Mutex<u64>>::receive_from(&there)?; // in any other process
    /// assert_eq!(*same.lock().unwrap(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The receiver may do everything that a participant may, and forever: a descriptor cannot be
    /// taken back. Send a segment only to processes that would be trusted with its name.
    ///
    /// While the socket is full, the call waits, unless the socket is in non-blocking mode. The
    /// socket's timeout (SO_SNDTIMEO) bounds the wait. Signals do not prolong the timeout. They do
    /// not end the wait either, not even in an [interruptible scope](crate::interruptible).
    ///
    /// # Errors
    /// [`PassError::DescriptorLost`]; [`PassError::Io`] if it cannot be sent. Then nothing was
    /// sent.
    ///
    /// # If a process dies
    /// Either the whole message was sent, or nothing. A message that nobody receives does not keep
    /// the segment in use. There is one exception, as with [`pass_to`](Self::pass_to): the sender
    /// may not open the segment's file again. Its message shares its lock on the file until the
    /// message is received or the socket is gone.
    pub fn send_to(&self, socket: impl AsFd) -> Result<(), PassError> {
        let (own, _) = reopen_or_duplicate(self.file()?)?;
        let rights = [own.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits = control.push(SendAncillaryMessage::ScmRights(&rights));
        debug_assert!(fits, "there is room for one");
        // One byte is sent whole, or not at all.
        let socket = socket.as_fd();
        patience::to_send(socket, |how| {
            sendmsg(socket, &[IoSlice::new(&[PAYLOAD])], &mut control, how | SendFlags::NOSIGNAL)
        })
        .map_err(|e| IoError::new("send the segment", None, e))?;
        Ok(())
    }

    /// The descriptor of the segment's file, for system calls that this library has no method for.
    /// To pass the segment on, use [`pass_to`](Self::pass_to) and [`send_to`](Self::send_to), which
    /// are safe. A process that gets a duplicate by other means opens it with [`Segment::from_fd`].
    ///
    /// # Errors
    /// This process has closed the descriptor.
    ///
    /// # Safety
    /// All processes that have the segment open have references into this file. The caller must not
    /// change its content, its length, its seals or its locks: not through the descriptor, not
    /// through a duplicate of it, and not through a mapping or an open file that comes from it. To
    /// ask for properties is allowed, as fstat(2) does, and so is passing it to a process that
    /// keeps to the same rules.
    pub unsafe fn borrow_fd(&self) -> Result<BorrowedFd<'_>, DescriptorLostError> {
        self.file()
    }
}
