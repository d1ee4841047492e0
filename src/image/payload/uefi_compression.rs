//! The compression of EFI images: LZ77 with Huffman codes.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | size of the compressed data that follows, little-endian |
//! | 4 | 4 | size of the decompressed data, little-endian |
//! | 8 | | bits, the highest of every byte first |
//!
//! The bits are blocks. Each begins with the number of symbols in it (16 bits)
//! and three sets of code lengths: the extra set, which packs the lengths of the
//! second; characters and match lengths; positions. Codes are canonical, shorter
//! ones first, among equals in the order of symbols.
//!
//! - Extra set and positions: a count (5 bits; positions 4, in the Tiano variant
//!   5), then lengths of 3 bits; 7 goes on with a 1 for every one more and a 0.
//!   In the extra set 2 bits follow the third length: so many zeros.
//! - Characters: a count (9 bits), then symbols of the extra set: 0 one zero, 1
//!   with 4 bits 3 to 18 zeros, 2 with 9 bits 20 to 531 zeros, else length + 2.
//! - A count of 0 is followed by the one symbol that takes no bits at all.
//! - Characters from 256 on are matches of 3 to 256 bytes. The position follows:
//!   symbols 0 and 1 are it, n above 1 is 1 and n - 1 more bits.
//!
//! # Sources
//! UEFI Specification 2.10, chapter 19, Compression Algorithm Specification.

/// The most that is decompressed; real images stay below 2 MiB.
pub(super) const LARGEST_BYTES: usize = 16 << 20;
const ORIGINAL_SIZE: usize = 4;
const HEADER_BYTES: usize = 8;
const LONGEST_CODE: usize = 16;
const CHARACTERS: usize = 510;
const FIRST_MATCH: usize = 256;
const SHORTEST_MATCH: usize = 3;
const COUNT_BITS_OF_CHARACTERS: u32 = 9;
const EXTRA_SYMBOLS: usize = 19;
const COUNT_BITS_OF_EXTRA: u32 = 5;
const LENGTHS_BEFORE_ZEROS: usize = 3;

/// How the positions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// UEFI: windows of 8 KiB.
    Uefi,
    /// Tiano, of EFI 1.1: larger windows.
    Tiano,
}

/// Why nothing came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UefiError {
    /// The compressed data ends before all came out.
    CutOff,
    /// The data is no such compression.
    Invalid,
    /// Data is left over: what came out cannot be right.
    LeftOver,
    /// More would come out than is allowed.
    TooLarge,
}

impl Variant {
    fn count_bits(self) -> u32 {
        match self {
            Self::Uefi => 4,
            Self::Tiano => 5,
        }
    }
}

/// What the header says will come out, as far as it is allowed to.
pub(super) fn claimed_bytes(bytes: &[u8]) -> usize {
    size(bytes, ORIGINAL_SIZE).unwrap_or(0).min(LARGEST_BYTES)
}

fn size(bytes: &[u8], at: usize) -> Result<usize, UefiError> {
    let size = bytes.get(at..).and_then(|rest| rest.first_chunk().copied());
    let size = size.map(u32::from_le_bytes).ok_or(UefiError::CutOff)?;
    usize::try_from(size).map_err(|_| UefiError::TooLarge)
}

/// Decompresses what `bytes` begins with; at most `most` bytes come out.
pub(super) fn unpack(bytes: &[u8], variant: Variant, most: usize) -> Result<Vec<u8>, UefiError> {
    let (packed, original) = (size(bytes, 0)?, size(bytes, ORIGINAL_SIZE)?);
    if original > most.min(LARGEST_BYTES) {
        return Err(UefiError::TooLarge);
    }
    let packed = bytes
        .get(HEADER_BYTES..)
        .and_then(|rest| rest.get(..packed))
        .ok_or(UefiError::CutOff)?;
    let mut bits = Bits {
        bytes: packed,
        at: 0,
    };
    let mut output = Vec::new();
    while output.len() < original {
        block(&mut bits, variant, original, &mut output)?;
    }
    // A compressor fills the last byte and may add one more.
    if packed.len().saturating_sub(bits.at.div_ceil(8)) > 1 {
        return Err(UefiError::LeftOver);
    }
    Ok(output)
}

fn block(
    bits: &mut Bits<'_>,
    variant: Variant,
    original: usize,
    output: &mut Vec<u8>,
) -> Result<(), UefiError> {
    let symbols = bits.take(16)?;
    if symbols == 0 {
        return Err(UefiError::Invalid);
    }
    let extra = short_lengths(bits, COUNT_BITS_OF_EXTRA, EXTRA_SYMBOLS, true)?;
    let characters = character_lengths(bits, &extra)?;
    let position_symbols = (1 << variant.count_bits()) - 1;
    let positions = short_lengths(bits, variant.count_bits(), position_symbols, false)?;
    for _ in 0..symbols {
        if output.len() >= original {
            return Err(UefiError::Invalid);
        }
        let character = characters.next(bits)?;
        if let Ok(byte) = u8::try_from(character) {
            output.push(byte);
            continue;
        }
        let length = character - FIRST_MATCH + SHORTEST_MATCH;
        let distance = match positions.next(bits)? {
            symbol @ (0 | 1) => symbol,
            symbol => {
                let more = u32::try_from(symbol - 1).map_err(|_| UefiError::Invalid)?;
                1 << more | bits.take(more)?
            }
        };
        let from = output
            .len()
            .checked_sub(distance + 1)
            .ok_or(UefiError::Invalid)?;
        if length > original - output.len() {
            return Err(UefiError::Invalid);
        }
        for at in from..from + length {
            let byte = output.get(at).copied().ok_or(UefiError::Invalid)?;
            output.push(byte);
        }
    }
    Ok(())
}

/// The lengths of the extra set and of the positions.
fn short_lengths(
    bits: &mut Bits<'_>,
    count_bits: u32,
    most: usize,
    is_extra: bool,
) -> Result<Code, UefiError> {
    let count = bits.take(count_bits)?;
    if count == 0 {
        return Ok(Code::Single(bits.take(count_bits)?));
    }
    if count > most {
        return Err(UefiError::Invalid);
    }
    let mut lengths = Vec::with_capacity(most);
    while lengths.len() < count {
        let mut length = bits.take(3)?;
        if length == 7 {
            while bits.take(1)? == 1 {
                length += 1;
                if length > LONGEST_CODE {
                    return Err(UefiError::Invalid);
                }
            }
        }
        lengths.push(length);
        if is_extra && lengths.len() == LENGTHS_BEFORE_ZEROS {
            let zeros = bits.take(2)?;
            lengths.resize(lengths.len() + zeros, 0);
        }
    }
    Code::canonical(&lengths)
}

/// The lengths of characters and matches.
fn character_lengths(bits: &mut Bits<'_>, extra: &Code) -> Result<Code, UefiError> {
    let count = bits.take(COUNT_BITS_OF_CHARACTERS)?;
    if count == 0 {
        let single = bits.take(COUNT_BITS_OF_CHARACTERS)?;
        return if single < CHARACTERS {
            Ok(Code::Single(single))
        } else {
            Err(UefiError::Invalid)
        };
    }
    if count > CHARACTERS {
        return Err(UefiError::Invalid);
    }
    let mut lengths = Vec::with_capacity(CHARACTERS);
    while lengths.len() < count {
        let zeros = match extra.next(bits)? {
            0 => 1,
            1 => bits.take(4)? + 3,
            2 => bits.take(9)? + 20,
            symbol => {
                lengths.push(symbol - 2);
                continue;
            }
        };
        lengths.resize(lengths.len() + zeros, 0);
    }
    if lengths.len() > CHARACTERS {
        return Err(UefiError::Invalid);
    }
    Code::canonical(&lengths)
}

/// A Huffman code.
#[derive(Debug)]
enum Code {
    /// One symbol that takes no bits.
    Single(usize),
    /// How many codes there are of every length, and their symbols in order.
    Canonical {
        counts: [usize; LONGEST_CODE + 1],
        symbols: Vec<usize>,
    },
}

impl Code {
    /// The code with these lengths; it must be complete.
    fn canonical(lengths: &[usize]) -> Result<Self, UefiError> {
        let mut counts = [0; LONGEST_CODE + 1];
        let mut symbols = Vec::new();
        for length in 1..=LONGEST_CODE {
            let of_this_length = (0..lengths.len()).filter(|&at| lengths.get(at) == Some(&length));
            let before = symbols.len();
            symbols.extend(of_this_length);
            if let Some(count) = counts.get_mut(length) {
                *count = symbols.len() - before;
            }
        }
        let codes = counts.iter().enumerate().skip(1);
        let used: usize = codes
            .map(|(length, count)| count << (LONGEST_CODE - length))
            .sum();
        if used != 1 << LONGEST_CODE || lengths.iter().any(|&length| length > LONGEST_CODE) {
            return Err(UefiError::Invalid);
        }
        Ok(Self::Canonical { counts, symbols })
    }

    fn next(&self, bits: &mut Bits<'_>) -> Result<usize, UefiError> {
        let (counts, symbols) = match self {
            Self::Single(symbol) => return Ok(*symbol),
            Self::Canonical { counts, symbols } => (counts, symbols),
        };
        // The code so far, the first code of its length, and the place of that
        // one's symbol.
        let (mut code, mut first, mut place) = (0, 0, 0);
        for count in counts.iter().skip(1) {
            code |= bits.take(1)?;
            if code < first + count {
                return symbols
                    .get(place + code - first)
                    .copied()
                    .ok_or(UefiError::Invalid);
            }
            place += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(UefiError::Invalid)
    }
}

/// Bits, the highest of every byte first.
#[derive(Debug)]
struct Bits<'a> {
    bytes: &'a [u8],
    /// How many were taken.
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Result<usize, UefiError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(UefiError::CutOff)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            value = value << 1 | usize::from(bit);
            self.at += 1;
        }
        Ok(value)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes bits, the highest of every byte first.
    #[derive(Default)]
    struct Writer {
        bytes: Vec<u8>,
        used: usize,
    }

    impl Writer {
        fn put(&mut self, value: usize, bits: u32) {
            for bit in (0..bits).rev() {
                if self.used.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                let last = self.bytes.last_mut().unwrap();
                *last |= u8::from(value >> bit & 1 == 1) << (7 - self.used % 8);
                self.used += 1;
            }
        }

        /// The sets of codes: two characters with 8 bits and 508 with 9 are a
        /// complete code, and so are two positions with 3 bits and 12 with 4.
        fn put_sets(&mut self, variant: Variant) {
            self.put(12, COUNT_BITS_OF_EXTRA);
            for _ in 0..3 {
                self.put(0, 3);
            }
            self.put(3, 2);
            for length in [0, 0, 0, 0, 1, 1] {
                self.put(length, 3);
            }
            self.put(CHARACTERS, COUNT_BITS_OF_CHARACTERS);
            for character in 0..CHARACTERS {
                self.put(usize::from(character >= 2), 1);
            }
            self.put(14, variant.count_bits());
            for position in 0..14 {
                self.put(if position < 2 { 3 } else { 4 }, 3);
            }
        }

        fn put_character(&mut self, character: usize) {
            if character < 2 {
                self.put(character, 8);
            } else {
                self.put(character + 2, 9);
            }
        }

        fn put_position(&mut self, distance: usize) {
            let symbol = match distance {
                0 | 1 => distance,
                _ => usize::try_from(distance.ilog2()).unwrap() + 1,
            };
            if symbol < 2 {
                self.put(symbol, 3);
            } else {
                self.put(symbol + 2, 4);
                self.put(distance, u32::try_from(symbol).unwrap() - 1);
            }
        }
    }

    /// Compresses a little: repetitions of the byte before become matches.
    pub(in super::super) fn pack(code: &[u8], variant: Variant) -> Vec<u8> {
        let mut symbols = Vec::new();
        let mut at = 0;
        while at < code.len() {
            let same = |back: usize| {
                let matching = |length: &usize| {
                    at > back && code[at..].get(*length) == code.get(at + length - back - 1)
                };
                (0..256).take_while(matching).count()
            };
            let distance = [0, 1, 6]
                .into_iter()
                .max_by_key(|&back| same(back))
                .unwrap();
            let length = same(distance).min(code.len() - at);
            if length >= SHORTEST_MATCH {
                symbols.push((FIRST_MATCH + length - SHORTEST_MATCH, Some(distance)));
                at += length;
            } else {
                symbols.push((usize::from(code[at]), None));
                at += 1;
            }
        }
        let mut writer = Writer::default();
        for block in symbols.chunks(1000) {
            writer.put(block.len(), 16);
            writer.put_sets(variant);
            for &(character, position) in block {
                writer.put_character(character);
                if let Some(distance) = position {
                    writer.put_position(distance);
                }
            }
        }
        let mut packed = u32::try_from(writer.bytes.len())
            .unwrap()
            .to_le_bytes()
            .to_vec();
        packed.extend(u32::try_from(code.len()).unwrap().to_le_bytes());
        packed.extend(writer.bytes);
        packed
    }

    fn sample() -> Vec<u8> {
        let mut code: Vec<u8> = (0..=255).collect();
        code.extend(b"abcdefgabcdefgabcdefg".repeat(30));
        code.extend([7; 900]);
        code.extend((0..4000_u32).map(|n| u8::try_from(n * n % 251).unwrap()));
        code
    }

    #[test]
    fn what_was_compressed_comes_out_again() {
        for variant in [Variant::Uefi, Variant::Tiano] {
            for code in [sample(), b"x".to_vec(), Vec::new()] {
                let packed = pack(&code, variant);
                assert_eq!(unpack(&packed, variant, 1 << 20), Ok(code));
            }
        }
    }

    #[test]
    fn one_symbol_takes_no_bits() {
        // One block of 5 symbols, each the match 'A' or 10 bytes at distance 1.
        let mut writer = Writer::default();
        let set = |writer: &mut Writer, count_bits: u32, symbol: usize| {
            writer.put(0, count_bits);
            writer.put(symbol, count_bits);
        };
        for (symbols, character) in [(5, usize::from(b'A')), (3, FIRST_MATCH + 7)] {
            writer.put(symbols, 16);
            set(&mut writer, COUNT_BITS_OF_EXTRA, 0);
            set(&mut writer, COUNT_BITS_OF_CHARACTERS, character);
            set(&mut writer, Variant::Uefi.count_bits(), 0);
        }
        let mut packed = u32::try_from(writer.bytes.len())
            .unwrap()
            .to_le_bytes()
            .to_vec();
        packed.extend(35_u32.to_le_bytes());
        packed.extend(writer.bytes);
        assert_eq!(unpack(&packed, Variant::Uefi, 100), Ok(vec![b'A'; 35]));
    }

    #[test]
    fn what_is_cut_off_or_claims_too_much_is_refused() {
        let packed = pack(&sample(), Variant::Uefi);
        for length in (0..packed.len()).step_by(61) {
            let outcome = unpack(&packed[..length], Variant::Uefi, 1 << 20);
            assert_eq!(outcome, Err(UefiError::CutOff), "{length}");
        }
        let unpacked = unpack(&packed, Variant::Uefi, 1000);
        assert_eq!(unpacked, Err(UefiError::TooLarge));
        let mut huge = packed.clone();
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let unpacked = unpack(&huge, Variant::Uefi, usize::MAX);
        assert_eq!(unpacked, Err(UefiError::TooLarge));
    }

    #[test]
    fn data_that_is_left_over_means_that_it_went_wrong() {
        let code = sample();
        let mut packed = pack(&code, Variant::Uefi);
        let less = u32::try_from(code.len() - 300).unwrap();
        packed[4..8].copy_from_slice(&less.to_le_bytes());
        assert!(unpack(&packed, Variant::Uefi, 1 << 20).is_err());
    }

    #[test]
    fn incomplete_and_overfull_codes_are_invalid() {
        assert!(Code::canonical(&[1, 1]).is_ok());
        for lengths in [&[1, 2][..], &[1, 1, 1], &[], &[0, 0], &[17, 1, 1]] {
            assert!(Code::canonical(lengths).is_err(), "{lengths:?}");
        }
    }
}
