//! How long does a call on a socket wait, if signals interrupt it?
//!
//! A signal handler ends a call that waits on a socket with a timeout, even a handler with
//! SA_RESTART (signal(7)). To call again would begin the timeout anew, and a signal that comes
//! again and again would make the wait endless. So after the first interruption the rest of the
//! timeout is waited for by poll(2).

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, Result};
use rustix::net::sockopt::{Timeout, socket_timeout};
use rustix::net::{RecvFlags, SendFlags};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Receives, and waits as long as the socket's timeout for that says.
pub(super) fn to_receive<V>(socket: BorrowedFd<'_>, mut receive: impl FnMut(RecvFlags) -> Result<V>) -> Result<V> {
    within_its_timeout(socket, (Timeout::Recv, PollFlags::IN), |may_wait| {
        receive(if may_wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT })
    })
}

/// Sends, and waits as long as the socket's timeout for that says.
pub(super) fn to_send<V>(socket: BorrowedFd<'_>, mut send: impl FnMut(SendFlags) -> Result<V>) -> Result<V> {
    within_its_timeout(socket, (Timeout::Send, PollFlags::OUT), |may_wait| {
        send(if may_wait { SendFlags::empty() } else { SendFlags::DONTWAIT })
    })
}

/// `call` is told whether it may wait.
fn within_its_timeout<V>(
    socket: BorrowedFd<'_>,
    (timeout, ready): (Timeout, PollFlags),
    mut call: impl FnMut(bool) -> Result<V>,
) -> Result<V> {
    let begun = Instant::now();
    let timeout = loop {
        match call(true) {
            Err(Errno::INTR) => {}
            answer => return answer,
        }
        if let Some(timeout) = socket_timeout(socket, timeout)? {
            break timeout;
        }
    };
    loop {
        let rest = timeout.saturating_sub(begun.elapsed());
        if rest.is_zero() {
            return Err(Errno::AGAIN); // as the kernel says it
        }
        match call(false) {
            // It is ready for the next call, or it is not and the time is over, or a signal has
            // come.
            Err(Errno::AGAIN) => wait(socket, ready, rest)?,
            Err(Errno::INTR) => {}
            answer => return answer,
        }
    }
}

fn wait(socket: BorrowedFd<'_>, ready: PollFlags, most: Duration) -> Result<()> {
    let most = Timespec::try_from(most).ok(); // one that is too long has no end
    match poll(&mut [PollFd::from_borrowed_fd(socket, ready)], most.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(other) => Err(other),
    }
}
