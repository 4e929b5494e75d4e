//! How are values of any serde type encoded, by postcard? Messages of queues and of pipes share it.

use postcard::{de_flavors, ser_flavors};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::OnceCell;
use std::io::{self, BufRead, Write};

/// Encoding goes into a message.
struct Encoding<'w, W>(&'w mut W);

impl<W: Write> ser_flavors::Flavor for Encoding<'_, W> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.write_all(data).map_err(|_| postcard::Error::SerializeBufferFull)
    }
    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Writes a value into a message.
///
/// # Errors
/// The value cannot be encoded, or the message not written.
#[inline]
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, message: &mut impl Write) -> io::Result<()> {
    postcard::serialize_with_flavor(value, Encoding(message)).map_err(io::Error::other)
}

/// The bytes of a message, to be read once.
pub(super) trait Bytes: BufRead {
    /// How many are left.
    fn left(&self) -> usize;
}

impl Bytes for &[u8] {
    fn left(&self) -> usize {
        self.len()
    }
}

/// Decoding comes from a message.
struct Decoding<'d, 'r, R> {
    reader: &'r mut R,
    /// What was asked for last, in one piece.
    piece: Vec<u8>,
    /// All that was not read before the first bytes that must be kept to the end.
    kept: &'d OnceCell<Vec<u8>>,
    /// What is left of these, once there are any.
    rest: Option<&'d [u8]>,
}

impl<R: Bytes> Decoding<'_, '_, R> {
    fn left(&self) -> usize {
        self.rest.map_or_else(|| self.reader.left(), <[u8]>::len)
    }
}

const END: postcard::Error = postcard::Error::DeserializeUnexpectedEnd;

impl<'d, 'r: 'd, R: Bytes> de_flavors::Flavor<'d> for Decoding<'d, 'r, R> {
    type Remainder = usize;
    type Source = ();

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        if let Some(rest) = &mut self.rest {
            let (first, later) = rest.split_first().ok_or(END)?;
            *rest = later;
            return Ok(*first);
        }
        let first = *self.reader.fill_buf().map_err(|_| END)?.first().ok_or(END)?;
        self.reader.consume(1);
        Ok(first)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left())
    }

    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'d [u8]> {
        if count > self.left() {
            return Err(END);
        }
        let rest = match self.rest {
            Some(rest) => rest,
            None => {
                let mut all = vec![0; self.left()];
                self.reader.read_exact(&mut all).map_err(|_| END)?;
                self.kept.get_or_init(|| all)
            }
        };
        let (here, later) = rest.split_at(count);
        self.rest = Some(later);
        Ok(here)
    }

    fn try_take_n_temp<'a>(&'a mut self, count: usize) -> postcard::Result<&'a [u8]>
    where
        'd: 'a,
    {
        if self.rest.is_some() {
            return self.try_take_n(count);
        }
        if count > self.left() {
            return Err(END); // before anything is allocated for it
        }
        self.piece.resize(count, 0);
        self.reader.read_exact(&mut self.piece).map_err(|_| END)?;
        Ok(&self.piece)
    }

    fn finalize(self) -> postcard::Result<usize> {
        Ok(self.left())
    }
}

/// Reads a message that is one value.
///
/// # Errors
/// It is no such value, or more than that.
pub(super) fn decode<T: DeserializeOwned>(reader: &mut impl Bytes) -> io::Result<T> {
    let kept = OnceCell::new();
    let decoding = Decoding { reader, piece: vec![], kept: &kept, rest: None };
    let mut deserializer = postcard::Deserializer::from_flavor(decoding);
    let decoded = T::deserialize(&mut deserializer).and_then(|value| Ok((value, deserializer.finalize()?)));
    match decoded {
        Ok((value, 0)) => Ok(value),
        Ok((_, left)) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "the value was expected to be the whole message, but {left} bytes are left; send and receive the same type"
            ),
        )),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}
