//! Fixed structures to bytes and back.

use std::io::Cursor;

use binrw::meta::{ReadEndian, WriteEndian};
use binrw::{BinRead, BinWrite};

/// Reads a structure that begins at `at`; `None` when the bytes end inside of it.
pub(super) fn decode<T>(bytes: &[u8], at: usize) -> Option<T>
where
    T: ReadEndian + for<'a> BinRead<Args<'a> = ()>,
{
    T::read(&mut Cursor::new(bytes.get(at..)?)).ok()
}

/// The bytes of a structure. Nothing can fail here: all fields are numbers, and
/// a vector grows.
pub(super) fn encode<T>(value: &T) -> Vec<u8>
where
    T: WriteEndian + for<'a> BinWrite<Args<'a> = ()>,
{
    let mut cursor = Cursor::new(Vec::new());
    let written = value.write(&mut cursor);
    debug_assert!(written.is_ok());
    cursor.into_inner()
}

/// A little-endian word.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk().copied()?;
    Some(u16::from_le_bytes(bytes))
}

/// The 8-bit sum of some bytes.
pub(super) fn byte_sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The text from `at` to the next NUL; `None` when there is none, or it is no
/// printable ASCII.
pub(super) fn text(bytes: &[u8], at: usize) -> Option<&str> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().take(256).position(|byte| *byte == 0)?;
    let text = rest.get(..end)?;
    let printable = text
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    std::str::from_utf8(text).ok().filter(|_| printable)
}
