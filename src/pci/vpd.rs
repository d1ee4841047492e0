//! Vital Product Data (VPD): what the maker wrote on the board.
//!
//! A list of resources, each with a tag, up to the end tag:
//!
//! | byte | meaning |
//! |---|---|
//! | 0x82, length 15:0 little-endian | identifier string: the product's name |
//! | 0x90, length 15:0 little-endian | VPD-R: read-only fields |
//! | 0x91, length 15:0 little-endian | VPD-W: fields that may be written, not looked at |
//! | 0x78 | end tag; as every small tag (bit 7 clear) its length is in bits 2:0 |
//!
//! A field is a keyword of two characters, a length byte and its data: PN part
//! number, SN serial number, EC engineering change level. RV is the last one of
//! VPD-R: its first byte makes the sum of all bytes up to it zero.
//!
//! A VPD without VPD-R, or without RV in it, is taken as it is: the one says
//! nothing of the board, the other cannot be checked.
//!
//! # Sources
//! PCI Local Bus Specification 3.0, appendix I. Linux, drivers/pci/vpd.c: at
//! most 32 KiB can be addressed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// The capability's address register has 15 bits.
const MOST_BYTES: usize = 0x8000;
/// Linux hands out a page at a time at most.
const STEP_BYTES: usize = 4096;

const IDENTIFIER: u8 = 0x82;
const READ_ONLY: u8 = 0x90;
/// Tag name of the small end tag, in bits 6:3.
const END: u8 = 0xf;

/// What a board says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vpd {
    /// The product's name.
    pub identifier: String,
    /// Part number (PN).
    pub part_number: Option<String>,
    /// Serial number (SN).
    pub serial_number: Option<String>,
}

/// Bytes that are no VPD.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VpdError {
    /// There is nothing, or nothing answers.
    #[error("the VPD is blank")]
    Blank,
    /// It starts with something else.
    #[error("a VPD starts with an identifier string (0x82), found {tag:#04x}")]
    NoIdentifier {
        /// The tag that was found at offset 0.
        tag: u8,
    },
    /// A resource or field goes on behind the end, or there is no end tag.
    #[error("offset {offset:#06x}: {what} needs {needed} bytes, there are {found}")]
    Truncated {
        /// Where it starts.
        offset: usize,
        /// What is cut.
        what: &'static str,
        /// Its length in bytes.
        needed: usize,
        /// How many bytes are there.
        found: usize,
    },
    /// The bytes up to the checksum do not add up to zero.
    #[error("offset {offset:#06x}: the checksum is {found:#04x}, expected {expected:#04x}")]
    Checksum {
        /// Where the checksum is.
        offset: usize,
        /// What it should be.
        expected: u8,
        /// What it is.
        found: u8,
    },
}

impl Vpd {
    /// Reads the resources up to the end tag.
    ///
    /// # Errors
    /// [`VpdError`] with the offset of what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, VpdError> {
        let first = match bytes.first() {
            Some(0) | None => return Err(VpdError::Blank),
            Some(_) if bytes.iter().all(|byte| *byte == 0xff) => return Err(VpdError::Blank),
            Some(tag) => *tag,
        };
        if first != IDENTIFIER {
            return Err(VpdError::NoIdentifier { tag: first });
        }
        let mut vpd = Self::default();
        let mut offset = 0;
        loop {
            let tag = take(bytes, offset, 1, "the end tag")?;
            let tag = tag.first().copied().unwrap_or_default();
            if tag & 0x80 == 0 {
                if tag >> 3 == END {
                    return Ok(vpd);
                }
                let length = usize::from(tag & 7);
                take(bytes, offset + 1, length, "a small resource")?;
                offset += 1 + length;
                continue;
            }
            let header = take(bytes, offset, 3, "the header of a resource")?;
            let length = match header {
                [_, low, high] => usize::from(u16::from_le_bytes([*low, *high])),
                _ => 0,
            };
            let start = offset + 3;
            let data = take(bytes, start, length, "a resource")?;
            match tag {
                IDENTIFIER if offset == 0 => vpd.identifier = text(data),
                READ_ONLY => vpd.read_only(bytes, start, start + length)?,
                _ => {}
            }
            offset = start + length;
        }
    }

    /// The fields of VPD-R, which lies between `offset` and `end`.
    fn read_only(&mut self, bytes: &[u8], mut offset: usize, end: usize) -> Result<(), VpdError> {
        let inside = bytes.get(..end).unwrap_or_default();
        while offset < end {
            let header = take(inside, offset, 3, "the header of a field")?;
            let (keyword, length) = match header {
                [first, second, length] => ([*first, *second], usize::from(*length)),
                _ => return Ok(()),
            };
            let start = offset + 3;
            let data = take(inside, start, length, "a field")?;
            match &keyword {
                b"PN" => self.part_number = Some(text(data)).filter(|text| !text.is_empty()),
                b"SN" => self.serial_number = Some(text(data)).filter(|text| !text.is_empty()),
                b"RV" => {
                    check(inside, start)?;
                    // What follows it is filled up with anything.
                    return Ok(());
                }
                _ => {}
            }
            offset = start + length;
        }
        Ok(())
    }
}

fn take<'a>(
    bytes: &'a [u8],
    offset: usize,
    needed: usize,
    what: &'static str,
) -> Result<&'a [u8], VpdError> {
    let rest = bytes.get(offset..).unwrap_or_default();
    rest.get(..needed).ok_or(VpdError::Truncated {
        offset,
        what,
        needed,
        found: rest.len(),
    })
}

fn check(bytes: &[u8], offset: usize) -> Result<(), VpdError> {
    let found = take(bytes, offset, 1, "the checksum")?;
    let found = found.first().copied().unwrap_or_default();
    let before = bytes.get(..offset).unwrap_or_default();
    let sum = before
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let expected = sum.wrapping_neg();
    if found == expected {
        Ok(())
    } else {
        Err(VpdError::Checksum {
            offset,
            expected,
            found,
        })
    }
}

/// The printable part of a text; makers fill up with blanks and zeros.
fn text(data: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(data)
        .chars()
        .take_while(|letter| *letter != '\0')
        .filter(|letter| !letter.is_control())
        .collect();
    text.trim().to_owned()
}

/// Reads the sysfs file at `path`, which is nothing to wait for.
pub(super) fn load(path: &Path) -> io::Result<Vec<u8>> {
    // What is no file must not make anybody wait: opening a FIFO would.
    let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags).unwrap_or_default())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    read_to_end_tag(&file)
}

/// Reads until the end tag is there: whatever follows costs milliseconds a
/// dword on a real card.
fn read_to_end_tag(mut file: &File) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    let mut step = [0; STEP_BYTES];
    while contents.len() < MOST_BYTES && Vpd::parse(&contents).is_err() {
        match file.read(&mut step) {
            Ok(0) => break,
            Ok(read) => contents.extend_from_slice(step.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    contents.truncate(MOST_BYTES);
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resource(tag: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap().to_le_bytes();
        [&[tag], &length[..], data].concat()
    }

    fn field(keyword: &str, data: &[u8]) -> Vec<u8> {
        let length = u8::try_from(data.len()).unwrap();
        [keyword.as_bytes(), &[length], data].concat()
    }

    /// A VPD as boards have it, with a checksum that is right.
    fn board(name: &str, part: &str, serial: &str) -> Vec<u8> {
        let mut vpd = resource(IDENTIFIER, name.as_bytes());
        let fields = [
            field("PN", part.as_bytes()),
            field("EC", b"A5"),
            field("SN", serial.as_bytes()),
            field("RV", &[0, 0, 0]),
        ]
        .concat();
        vpd.extend(resource(READ_ONLY, &fields));
        let checksum = vpd.len() - 3;
        let sum = vpd.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        vpd[checksum] = sum.wrapping_neg();
        vpd.extend(resource(0x91, &field("RW", &[0; 9])));
        vpd.push(0x78);
        vpd
    }

    #[test]
    fn a_board_says_what_it_is() {
        let vpd = Vpd::parse(&board(
            "ConnectX-4 VPI\0",
            "MCX456A-ECAT ",
            "MT1601X00012      ",
        ));
        assert_eq!(
            vpd.unwrap(),
            Vpd {
                identifier: "ConnectX-4 VPI".to_owned(),
                part_number: Some("MCX456A-ECAT".to_owned()),
                serial_number: Some("MT1601X00012".to_owned()),
            }
        );
    }

    #[test]
    fn a_name_alone_is_enough() {
        let mut vpd = resource(IDENTIFIER, b"a card");
        vpd.push(0x78);
        let vpd = Vpd::parse(&vpd).unwrap();
        assert_eq!(vpd.identifier, "a card");
        assert_eq!((vpd.part_number, vpd.serial_number), (None, None));
    }

    #[test]
    fn a_changed_byte_is_noticed_with_the_place_of_the_checksum() {
        let good = board("name", "PN", "SERIAL");
        let checksum = good.len() - 1 - 15 - 3;
        for at in [3, 10, 15, checksum] {
            let mut vpd = good.clone();
            vpd[at] ^= 1;
            let error = Vpd::parse(&vpd).unwrap_err();
            let VpdError::Checksum { offset, .. } = error else {
                panic!("{at}: {error}");
            };
            assert_eq!(offset, checksum, "{at}");
        }
    }

    #[test]
    fn what_is_cut_is_named_with_its_offset() {
        let whole = board("name", "PN", "SERIAL");
        for length in 1..whole.len() {
            let error = Vpd::parse(&whole[..length]).unwrap_err();
            assert!(matches!(error, VpdError::Truncated { .. }), "{error}");
        }
        // A field that goes on behind its resource.
        let mut vpd = resource(IDENTIFIER, b"n");
        vpd.extend(resource(READ_ONLY, b"PN\x05ab"));
        vpd.push(0x78);
        assert_eq!(
            Vpd::parse(&vpd).unwrap_err().to_string(),
            "offset 0x000a: a field needs 5 bytes, there are 2"
        );
    }

    #[test]
    fn what_is_no_vpd_is_said() {
        for (bytes, said) in [
            (vec![], "the VPD is blank"),
            (vec![0; 128], "the VPD is blank"),
            (vec![0xff; 128], "the VPD is blank"),
            (
                b"MZ".to_vec(),
                "a VPD starts with an identifier string (0x82), found 0x4d",
            ),
        ] {
            assert_eq!(Vpd::parse(&bytes).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn a_fifo_in_its_place_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vpd");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            &path,
            rustix::fs::Mode::from_raw_mode(0o600),
        )
        .unwrap();
        assert_eq!(
            load(&path).unwrap_err().to_string(),
            "it is no regular file"
        );
        assert_eq!(
            load(&folder.path().join("none")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn no_more_is_read_than_can_be_addressed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vpd");
        std::fs::write(&path, vec![0x90; MOST_BYTES * 2]).unwrap();
        assert_eq!(load(&path).unwrap().len(), MOST_BYTES);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Vpd::parse(&bytes);
        }

        #[test]
        fn no_vpd_with_a_few_wrong_bytes_makes_it_panic(
            wrong in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4)
        ) {
            let mut vpd = board("a card", "PART", "SERIAL");
            let length = vpd.len();
            for (at, byte) in wrong {
                vpd[at.index(length)] = byte;
            }
            let _ = Vpd::parse(&vpd);
        }

        #[test]
        fn what_was_written_is_read(part in "[!-~]{1,40}", serial in "[!-~]{1,40}") {
            let vpd = Vpd::parse(&board("a card", &part, &serial)).unwrap();
            prop_assert_eq!(vpd.part_number, Some(part));
            prop_assert_eq!(vpd.serial_number, Some(serial));
        }
    }
}
