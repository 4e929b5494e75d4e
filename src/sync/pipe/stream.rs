//! [`PipeWriter`] and [`PipeReader`]: a pipe as a stream of bytes.

use super::{PipeReceiver, PipeSender};
use crate::error::PipeRecvError;
use std::io::{self, Read, Write};

/// A [`PipeSender`] as [`std::io::Write`]: [`PipeSender::into_writer`].
///
/// A write sends as many bytes as go through at once. If nobody receives any more, it fails with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
#[derive(Debug)]
pub struct PipeWriter {
    sender: PipeSender,
}

/// A [`PipeReceiver`] as [`std::io::Read`]: [`PipeReceiver::into_reader`].
///
/// A read waits for some bytes. Where messages began and ended is lost. After the last byte the
/// stream is at its end if the sender was dropped; if its process is dead, a read fails with
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted).
#[derive(Debug)]
pub struct PipeReader {
    receiver: PipeReceiver,
    /// What was received, and not read.
    rest: Vec<u8>,
    /// How many bytes of that were read.
    read: usize,
}

impl PipeSender {
    /// The sender as a stream.
    ///
    /// ```
    /// use outlive::Pipe;
    /// use std::io::{Read, Write};
    ///
    /// let pipe = Pipe::anonymous(4096)?;
    /// let (writer, mut reader) = (pipe.sender()?.into_writer(), pipe.receiver()?.into_reader());
    /// { writer }.write_all(b"a stream")?; // and drops the writer
    /// let mut text = String::new();
    /// reader.read_to_string(&mut text)?; // to the end
    /// assert_eq!(text, "a stream");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_writer(self) -> PipeWriter {
        PipeWriter { sender: self }
    }
}

impl PipeWriter {
    /// The sender of messages.
    pub fn into_sender(self) -> PipeSender {
        self.sender
    }
}

impl Write for PipeWriter {
    /// # Errors
    /// Those of [`PipeSender::send_bytes`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() { Ok(0) } else { Ok(self.sender.send_some(bytes)?) }
    }

    /// Does nothing: what is written can be read at once.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PipeReceiver {
    /// The receiver as a stream. What has come of a message is its beginning.
    pub fn into_reader(mut self) -> PipeReader {
        PipeReader { rest: self.take_part(), receiver: self, read: 0 }
    }
}

impl Read for PipeReader {
    /// # Errors
    /// Those of [`PipeReceiver::recv_bytes`]. The end of the stream is no error.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.read == self.rest.len() {
            self.rest.clear();
            self.read = 0;
            match self.receiver.recv_some(bytes, &mut self.rest) {
                Ok(0) => {} // they are in `rest`
                Ok(received) => return Ok(received),
                Err(PipeRecvError::Disconnected) => return Ok(0),
                Err(error) => return Err(error.into()),
            }
        }
        let rest = &self.rest[self.read..];
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        self.read += count;
        Ok(count)
    }
}
