//! Compressed sections: the ini that an image was made with, the hash file.
//!
//! zlib, filled up with zeros to whole dwords.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::FwGetSection`) and
//! flint/subcommands.cpp (`SubCommand::dumpFile`).

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::{Fs2Image, SectionType};

/// Many times more than a released ini has.
pub const MOST_INFLATED_BYTES: usize = 16 << 20;

/// Why a compressed section could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InflateError {
    /// Not zlib, or cut off, or with a wrong checksum.
    #[error("the compressed data is damaged: {0}")]
    Damaged(String),
    /// It would take too much memory.
    #[error("the compressed data has more than {MOST_INFLATED_BYTES} bytes")]
    TooLarge,
}

/// Decompresses a section.
///
/// # Errors
/// Damaged data, or more than [`MOST_INFLATED_BYTES`].
pub fn inflate(bytes: &[u8]) -> Result<Vec<u8>, InflateError> {
    let mut inflated = Vec::new();
    ZlibDecoder::new(bytes)
        .take(MOST_INFLATED_BYTES as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| InflateError::Damaged(error.to_string()))?;
    if inflated.len() > MOST_INFLATED_BYTES {
        return Err(InflateError::TooLarge);
    }
    Ok(inflated)
}

impl Fs2Image<'_> {
    /// The ini that the image was made with; `None` where it has none.
    ///
    /// # Errors
    /// See [`inflate`].
    pub fn ini(&self) -> Option<Result<Vec<u8>, InflateError>> {
        let section = self.section(SectionType::FirmwareConfiguration)?;
        Some(inflate(&section.data()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn padding_is_no_part_and_bombs_are_refused() {
        let pack = |bytes: &[u8]| {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let mut packed = pack(b"[section]\n");
        packed.extend([0; 3]);
        assert_eq!(inflate(&packed).unwrap(), b"[section]\n");
        assert!(matches!(
            inflate(&packed[..8]),
            Err(InflateError::Damaged(_))
        ));
        let bomb = pack(&vec![0; MOST_INFLATED_BYTES + 1]);
        assert_eq!(inflate(&bomb), Err(InflateError::TooLarge));
    }
}
