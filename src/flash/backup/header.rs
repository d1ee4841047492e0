//! The gzip header of a backup.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

use super::BackupFacts;

/// Flags of the header: extra field and comment.
const FLAGS: u8 = 0x04 | 0x10;
const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Bytes before the extra field's length.
const FIXED: usize = 10;
const FACTS_ID: [u8; 2] = *b"FX";
const SUM_ID: [u8; 2] = *b"FC";
const SUM_BYTES: usize = 4;
/// A header is never longer.
pub(super) const LONGEST: usize = 0x2_0000;

/// The facts, and how many bytes the header has.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) facts: Vec<u8>,
    #[cfg_attr(not(test), allow(dead_code, reason = "tests break every byte of it"))]
    pub(super) bytes: usize,
}

/// Starts a gzip file with these facts; a writer of its contents.
pub(super) fn start<W: Write>(
    facts: &BackupFacts,
    into: W,
) -> io::Result<flate2::write::GzEncoder<W>> {
    let json = serde_json::to_vec(facts)?;
    let build = |sum: u32| -> io::Result<GzBuilder> {
        let mut extra = Vec::new();
        for (id, data) in [(FACTS_ID, json.as_slice()), (SUM_ID, &sum.to_le_bytes())] {
            let length = u16::try_from(data.len()).map_err(io::Error::other)?;
            extra.extend(id);
            extra.extend(length.to_le_bytes());
            extra.extend(data);
        }
        u16::try_from(extra.len()).map_err(io::Error::other)?;
        let time = u32::try_from(facts.created_unix).unwrap_or(0);
        let comment = facts.to_string().replace('\0', " ");
        Ok(GzBuilder::new().mtime(time).extra(extra).comment(comment))
    };
    let empty = build(0)?
        .write(Vec::new(), Compression::default())
        .finish()?;
    let header = parse(&empty).map_err(io::Error::other)?;
    let sum = crc32fast::hash(empty.get(..header.bytes).unwrap_or_default());
    Ok(build(sum)?.write(into, Compression::default()))
}

/// Whether a file begins as a backup does.
pub(super) fn begins_as_one(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
        && bytes.get(3) == Some(&FLAGS)
        && bytes.get(FIXED + 2..FIXED + 4) == Some(FACTS_ID.as_slice())
}

/// Finds the facts in a header; the words say what is wrong in it. Its sum is not
/// looked at.
fn parse(bytes: &[u8]) -> Result<Header, String> {
    let cut = || "its header is cut off".to_owned();
    if bytes.get(3) != Some(&FLAGS) {
        return Err("its header has other flags".to_owned());
    }
    let mut at = FIXED;
    let length = number(bytes, at).ok_or_else(cut)?;
    at += 2;
    let end = at + length;
    let mut facts = None;
    while at < end {
        let id = bytes.get(at..at + 2).ok_or_else(cut)?;
        let length = number(bytes, at + 2).ok_or_else(cut)?;
        at += 4;
        let data = bytes.get(at..at + length).ok_or_else(cut)?;
        if id == FACTS_ID {
            facts = Some(data.to_vec());
        }
        at += length;
    }
    if at != end {
        return Err("its header is inconsistent".to_owned());
    }
    let comment = bytes.get(end..).ok_or_else(cut)?;
    let zero = comment.iter().position(|byte| *byte == 0).ok_or_else(cut)?;
    Ok(Header {
        facts: facts.ok_or("it names no card")?,
        bytes: end + zero + 1,
    })
}

/// Finds the facts in a header that is as it was written.
pub(super) fn read(bytes: &[u8]) -> Result<Header, String> {
    let header = parse(bytes)?;
    let extra = number(bytes, FIXED).unwrap_or_default();
    let sum_at = (FIXED + 2 + extra).checked_sub(SUM_BYTES);
    let wrong = || "its header has a wrong CRC-32".to_owned();
    let sum_at = sum_at.ok_or_else(wrong)?;
    let sum = bytes.get(sum_at..sum_at + SUM_BYTES).ok_or_else(wrong)?;
    let mut whole = bytes.get(..header.bytes).unwrap_or_default().to_vec();
    if let Some(place) = whole.get_mut(sum_at..sum_at + SUM_BYTES) {
        place.fill(0);
    }
    if crc32fast::hash(&whole).to_le_bytes() == sum {
        Ok(header)
    } else {
        Err(wrong())
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(usize::from(u16::from_le_bytes(bytes)))
}
