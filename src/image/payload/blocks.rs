//! Compressed blocks of iPXE's BIOS images.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | n: size of what follows, little-endian |
//! | 4 | n - 4 | LZMA1 without header and without end marker: lc 2, lp 0, pb 0 |
//! | n | 4 | CRC-32 of the compressed bytes, little-endian: reflected, initial value all ones, not inverted at the end |
//!
//! Blocks begin at multiples of 16 in their image, padding lies between. Nothing
//! points to them but code, so they are searched for. There are
//! [`BLOCKS_OF_A_ROM`]: the early part of the 16-bit code, its late part, 16-bit
//! data, and all else. The last three follow each other closely; in a `.mrom`
//! they are in the payload image, the first is in the BIOS image.
//!
//! From April 2015 to March 2016 blocks were without size and CRC, with an end
//! marker instead. FlexBoot 3.4.719 is of that time.
//!
//! The compressor filters jump targets before it compresses (BCJ for x86).
//! Strings are not changed by that.
//!
//! # Sources
//! iPXE, src/util/zbin.c (`process_zinfo_pack`, `bcj_filter`, `crc32_le`),
//! src/arch/x86/prefix/libprefix.S (`.zinfo`), src/arch/x86/prefix/unlzma.S.

use std::io::{ErrorKind, Read};

use lzma_rust2::LzmaReader;

/// How many blocks a BIOS image with its payload has.
pub(super) const BLOCKS_OF_A_ROM: usize = 4;
const ALIGNMENT: usize = 16;
const LENGTH_BYTES: usize = 4;
const CRC_BYTES: usize = 4;
/// The range coder alone takes five.
const FEWEST_PACKED_BYTES: usize = 6;
const LZMA_LITERAL_CONTEXT_BITS: u32 = 2;
/// The most that one block may grow to; real ones stay below 1 MiB.
pub(super) const LARGEST_BLOCK_BYTES: usize = 16 << 20;
/// The most that is decompressed only to see whether it is a block.
const LARGEST_TRY_BYTES: usize = 2 << 20;
const LARGEST_DICTIONARY: u32 = 16 << 20;
const STEP_BYTES: usize = 64 << 10;

/// A block whose CRC matches, or that has none and ends properly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    /// Where it begins, counted from the image.
    pub(super) offset: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// A CRC says that it is whole.
    pub(super) has_crc: bool,
    packed: &'a [u8],
}

/// What a search found.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    /// In their order; they do not overlap.
    pub(super) blocks: Vec<Block<'a>>,
    /// There was so much that looks like a block that the search ended early.
    pub(super) gave_up: bool,
}

/// Work that is left for one file, so that no file can take for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    crc_bytes: u64,
    unpacked_bytes: usize,
    tried_bytes: usize,
}

/// Why a block did not decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockError {
    /// It is no LZMA, in spite of its CRC.
    Damaged,
    /// It grows beyond every real block, or the file does.
    TooLarge,
}

impl Budget {
    /// For a file of that size.
    pub(super) fn for_file(bytes: usize) -> Self {
        Self {
            crc_bytes: (bytes as u64).saturating_mul(4).max(64 << 20),
            unpacked_bytes: 64 << 20,
            tried_bytes: 64 << 20,
        }
    }

    /// The most that may come out of one more decompression.
    pub(super) fn unpacked_bytes(self) -> usize {
        self.unpacked_bytes.min(LARGEST_BLOCK_BYTES)
    }

    /// Takes what came out of one.
    pub(super) fn take_unpacked(&mut self, bytes: usize) {
        self.unpacked_bytes = self.unpacked_bytes.saturating_sub(bytes);
    }

    fn take_crc(&mut self, bytes: usize) -> bool {
        let left = self.crc_bytes.checked_sub(bytes as u64);
        self.crc_bytes = left.unwrap_or(0);
        left.is_some()
    }
}

impl<'a> Search<'a> {
    /// Whether nothing was found, and all was searched.
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty() && !self.gave_up
    }

    /// Searches an image.
    pub(super) fn run(image: &'a [u8], budget: &mut Budget) -> Self {
        let mut search = Self {
            blocks: Vec::new(),
            gave_up: false,
        };
        let mut at = 0;
        while at < image.len() {
            let Some(candidate) = Block::claimed(image, at) else {
                at = at.saturating_add(ALIGNMENT);
                continue;
            };
            if !budget.take_crc(candidate.packed.len()) {
                search.gave_up = true;
                break;
            }
            at = if candidate.crc_matches(image) {
                search.blocks.push(candidate);
                candidate.end.next_multiple_of(ALIGNMENT)
            } else {
                at.saturating_add(ALIGNMENT)
            };
        }
        search
    }
}

impl<'a> Search<'a> {
    /// Searches an image for blocks as iPXE made them from 2015 to March 2016:
    /// without size and CRC, up to an end marker.
    pub(super) fn run_without_crc(image: &'a [u8], budget: &mut Budget) -> Self {
        let mut search = Self {
            blocks: Vec::new(),
            gave_up: false,
        };
        let mut at = 0;
        while let Some(rest) = image.get(at..).filter(|rest| !rest.is_empty()) {
            // Zeros would decompress to zeros, and never end.
            if rest.first() != Some(&0) || rest.iter().take(5).all(|&byte| byte == 0) {
                at = at.saturating_add(ALIGNMENT);
                continue;
            }
            let most = budget.tried_bytes.min(LARGEST_TRY_BYTES);
            if most == 0 {
                search.gave_up = true;
                break;
            }
            let (tried, length) = length_to_marker(rest, most);
            // The memory for a try costs time too.
            budget.tried_bytes = budget.tried_bytes.saturating_sub(tried + STEP_BYTES / 8);
            at = match length {
                Some(length) => {
                    let end = at + length;
                    search.blocks.push(Block {
                        offset: at,
                        end,
                        has_crc: false,
                        packed: rest.get(..length).unwrap_or(rest),
                    });
                    end.next_multiple_of(ALIGNMENT)
                }
                None => at.saturating_add(ALIGNMENT),
            };
        }
        search
    }
}

/// How much comes out of what `packed` begins with, and how many bytes it has if
/// an end marker ends it properly.
fn length_to_marker(packed: &[u8], most: usize) -> (usize, Option<usize>) {
    let Ok(mut reader) = reader(packed) else {
        return (0, None);
    };
    reader.set_relaxed_end_condition(false);
    let mut step = vec![0; STEP_BYTES / 8];
    let mut unpacked = 0_usize;
    while unpacked < most {
        match reader.read(&mut step) {
            Ok(0) if unpacked > 0 => {
                let (rest, buffered) = reader.into_parts();
                let unused = rest.len() + buffered.len();
                return (unpacked, packed.len().checked_sub(unused));
            }
            Ok(0) | Err(_) => break,
            Ok(read) => unpacked += read,
        }
    }
    (unpacked, None)
}

fn reader(packed: &[u8]) -> std::io::Result<LzmaReader<&[u8]>> {
    LzmaReader::new(
        packed,
        u64::MAX,
        LZMA_LITERAL_CONTEXT_BITS,
        0,
        0,
        LARGEST_DICTIONARY,
        None,
    )
}

impl<'a> Block<'a> {
    /// What would be a block at `offset`, whatever its CRC.
    fn claimed(image: &'a [u8], offset: usize) -> Option<Self> {
        let rest = image.get(offset..)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let packed = rest.get(..length.checked_sub(CRC_BYTES)?)?;
        rest.get(..length)?;
        // The range coder's first byte is always zero.
        if packed.len() < FEWEST_PACKED_BYTES || packed.first() != Some(&0) {
            return None;
        }
        Some(Self {
            offset,
            end: offset + LENGTH_BYTES + length,
            has_crc: true,
            packed,
        })
    }

    fn crc_matches(&self, image: &[u8]) -> bool {
        let stored = image
            .get(self.end - CRC_BYTES..)
            .and_then(|rest| rest.first_chunk().copied())
            .map(u32::from_le_bytes);
        stored == Some(!crc32fast::hash(self.packed))
    }

    /// Whether `next` begins where a compressor puts it.
    pub(super) fn is_followed_by(&self, next: &Self) -> bool {
        self.end.next_multiple_of(ALIGNMENT) == next.offset
    }

    /// Decompresses it. The format says nowhere how much comes out: a few bytes
    /// at the very end may be too many.
    pub(super) fn unpack(&self, budget: &mut Budget) -> Result<Vec<u8>, BlockError> {
        let most = budget.unpacked_bytes();
        let mut reader = reader(self.packed).map_err(|_| BlockError::Damaged)?;
        reader.set_defer_errors(true);
        let mut unpacked = Vec::new();
        let mut step = vec![0; STEP_BYTES];
        let outcome = loop {
            match reader.read(&mut step) {
                // There is no end marker: the end of the input is the end.
                Ok(0) => break Ok(()),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break Ok(()),
                Err(_) => break Err(BlockError::Damaged),
                Ok(read) => unpacked.extend_from_slice(step.get(..read).unwrap_or_default()),
            }
            if unpacked.len() > most {
                break Err(BlockError::TooLarge);
            }
        };
        budget.take_unpacked(unpacked.len());
        outcome.map(|()| unpacked)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use lzma_rust2::{LzmaOptions, LzmaWriter};

    use super::*;

    /// A block as iPXE's compressor makes it, without padding.
    pub(in super::super) fn pack(code: &[u8]) -> Vec<u8> {
        let options = LzmaOptions {
            lc: 2,
            lp: 0,
            pb: 0,
            ..LzmaOptions::with_preset(6)
        };
        let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false).unwrap();
        writer.write_all(code).unwrap();
        let packed = writer.finish().unwrap();
        let mut block = u32::try_from(packed.len() + 4)
            .unwrap()
            .to_le_bytes()
            .to_vec();
        block.extend(&packed);
        block.extend((!crc32fast::hash(&packed)).to_le_bytes());
        block
    }

    /// A block as iPXE's compressor made it in 2015.
    pub(in super::super) fn pack_without_crc(code: &[u8]) -> Vec<u8> {
        let options = LzmaOptions {
            lc: 2,
            lp: 0,
            pb: 0,
            ..LzmaOptions::with_preset(6)
        };
        let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, true).unwrap();
        writer.write_all(code).unwrap();
        writer.finish().unwrap()
    }

    fn padded(blocks: &[Vec<u8>]) -> Vec<u8> {
        let mut image = vec![0xcc; 32];
        for block in blocks {
            image.extend(block);
            image.resize(image.len().next_multiple_of(ALIGNMENT), 0xff);
        }
        image
    }

    fn budget() -> Budget {
        Budget::for_file(1 << 20)
    }

    #[test]
    fn blocks_are_found_and_decompressed() {
        let code = b"nothing but code and dhcpv6\0".repeat(20);
        let image = padded(&[pack(&code), pack(b"data"), pack(&code)]);
        let search = Search::run(&image, &mut budget());
        assert_eq!(search.blocks.len(), 3);
        assert!(search.blocks[0].is_followed_by(&search.blocks[1]));
        assert!(!search.blocks[0].is_followed_by(&search.blocks[2]));
        let unpacked = search.blocks[2].unpack(&mut budget()).unwrap();
        assert!(unpacked.starts_with(&code));
        assert!(unpacked.len() < code.len() + 300);
    }

    #[test]
    fn blocks_without_crc_are_found_by_their_end_markers() {
        let code: Vec<u8> = (0..5000_u32)
            .map(|n| u8::try_from(n * n % 251).unwrap())
            .collect();
        let image = padded(&[pack_without_crc(&code), pack_without_crc(b"data")]);
        assert_eq!(Search::run(&image, &mut budget()).blocks.len(), 0);
        let search = Search::run_without_crc(&image, &mut budget());
        assert_eq!(search.blocks.len(), 2);
        assert!(search.blocks[0].is_followed_by(&search.blocks[1]));
        assert_eq!(search.blocks[0].unpack(&mut budget()), Ok(code));
    }

    #[test]
    fn one_changed_byte_and_it_is_no_block() {
        let image = padded(&[pack(&b"some code".repeat(9))]);
        for at in 32..32 + pack(&b"some code".repeat(9)).len() {
            let mut changed = image.clone();
            changed[at] ^= 0x10;
            assert_eq!(Search::run(&changed, &mut budget()).blocks.len(), 0, "{at}");
        }
    }

    #[test]
    fn a_bomb_is_put_out() {
        let image = padded(&[pack(&vec![0; 300 << 10])]);
        assert!(image.len() < 1000, "{}", image.len());
        let mut budget = Budget {
            unpacked_bytes: 500 << 10,
            ..budget()
        };
        let search = Search::run(&image, &mut budget);
        assert!(search.blocks[0].unpack(&mut budget).is_ok());
        let second = search.blocks[0].unpack(&mut budget);
        assert_eq!(second, Err(BlockError::TooLarge));
        assert_eq!(budget.unpacked_bytes(), 0);
    }

    #[test]
    fn what_only_has_the_crc_of_a_block_is_damaged() {
        let packed = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let mut block = 14_u32.to_le_bytes().to_vec();
        block.extend(packed);
        block.extend((!crc32fast::hash(&packed)).to_le_bytes());
        let search = Search::run(&block, &mut budget());
        let unpacked = search.blocks[0].unpack(&mut budget());
        assert_eq!(unpacked, Err(BlockError::Damaged));
    }

    #[test]
    fn a_file_full_of_false_blocks_ends_the_search() {
        // Every 16 bytes claim the rest of the file.
        let bytes = 1 << 20;
        let mut image = vec![0; bytes];
        for at in (0..bytes - 32).step_by(ALIGNMENT) {
            let rest = u32::try_from(bytes - at - 8).unwrap();
            image[at..at + 4].copy_from_slice(&rest.to_le_bytes());
        }
        let search = Search::run(&image, &mut Budget::for_file(bytes));
        assert!(search.gave_up);
        assert_eq!(search.blocks.len(), 0);
    }
}
