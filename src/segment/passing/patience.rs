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
        // Where a sandbox does not tell it, the call itself keeps the timeout, anew each time.
        if let Ok(Some(timeout)) = socket_timeout(socket, timeout) {
            break timeout;
        }
    };
    let mut is_over = false;
    loop {
        match call(is_over) {
            Err(Errno::AGAIN) => {}
            Err(Errno::INTR) => continue,
            answer => return answer,
        }
        let rest = timeout.saturating_sub(begun.elapsed());
        if rest.is_zero() {
            return Err(Errno::AGAIN); // as the kernel says it
        }
        is_over = waits_no_more(socket, ready, rest)?;
    }
}

/// Waits until the socket is ready for the next call, or the time is over, or a signal has come.
/// Returns whether nothing will come any more. A call does not wait then, and says why; a datagram
/// socket says so only to a call that might wait.
fn waits_no_more(socket: BorrowedFd<'_>, ready: PollFlags, most: Duration) -> Result<bool> {
    const ENDS: PollFlags = PollFlags::RDHUP.union(PollFlags::HUP).union(PollFlags::ERR);
    let most = Timespec::try_from(most).ok(); // one that is too long has no end
    let mut polled = [PollFd::from_borrowed_fd(socket, ready | ENDS)];
    match poll(&mut polled, most.as_ref()) {
        Ok(_) => Ok(ready == PollFlags::IN && polled[0].revents().intersects(ENDS)),
        Err(Errno::INTR) => Ok(false),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    /// A signal handler may take longer than the timeout.
    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no timeouts of sockets")]
    fn what_has_come_by_the_end_of_the_timeout_is_received() {
        let (socket, _other) = UnixStream::pair().expect("a pair");
        let timeout = Duration::from_millis(1);
        socket.set_read_timeout(Some(timeout)).expect("set");
        let mut calls = 0;
        let answer = to_receive(socket.as_fd(), |_| {
            calls += 1;
            if calls > 1 {
                return Ok(());
            }
            std::thread::sleep(2 * timeout);
            Err(Errno::INTR)
        });
        assert_eq!((answer, calls), (Ok(()), 2));
        let nothing = to_receive(socket.as_fd(), |flags| -> Result<()> {
            Err(if flags.is_empty() { Errno::INTR } else { Errno::AGAIN })
        });
        assert_eq!(nothing, Err(Errno::AGAIN));
    }
}
