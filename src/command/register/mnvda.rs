//! Management non-volatile data access (MNVDA), ConnectX-4: one TLV.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 8:0 | length of the data in bytes |
//! | 0 | 11:9 | writer host id |
//! | 0 | 15:12 | version |
//! | 0 | 20:16 | writer id |
//! | 0 | 22 | read the current value |
//! | 0 | 23 | read the default value |
//! | 0 | 24 | rd_en |
//! | 0 | 25 | over_en: may be overwritten |
//! | 1 | 31:0 | type of the TLV |
//! | 2 | 31:0 | crc, 0 here |
//! | 3.. | | data |
//!
//! A GET asks for 0x100 bytes and gets the real length in the answer; a TLV that
//! is not set is answered with status 8. A SET carries version 0, writer id 9
//! (the configuration tool) and over_en, as mstconfig 4.21 sends it.
//!
//! # Sources
//! mstflint 4.21 against a virtual card; FlexBoot 3.4.812 `mlx_nvconfig.c`.

use std::fmt;

use binrw::{BinRead, BinWrite};
use bitfield_struct::bitfield;

use super::{Layout, Method, Readable, Register, dwords};

/// Writer id of a configuration tool.
const WRITER_ID: u8 = 9;
/// What a GET asks for, as mstconfig does.
const ASKED_BYTES: u16 = 0x100;
const HEADER_DWORDS: usize = 3;

/// Dword 0 of MNVDA, and of the TLV in MNVGN.
#[bitfield(u32)]
pub(super) struct Dword0 {
    #[bits(9)]
    pub(super) length: u16,
    #[bits(3)]
    pub(super) writer_host_id: u8,
    #[bits(4)]
    pub(super) version: u8,
    #[bits(5)]
    pub(super) writer_id: u8,
    __: bool,
    read_current: bool,
    default: bool,
    rd_en: bool,
    over_en: bool,
    #[bits(6)]
    __: u8,
}

/// Who wrote a TLV, and by which version of its layout.
///
/// A card takes writer ids 6 to 0xb from the host (UEFI HII, UEFI CLP, FlexBoot,
/// the configuration tool, two users) and puts its own in place of others: what
/// is read back need not be what was written.
///
/// Source: mstflint's register layouts name the ids; Mellanox Adapters
/// Programmer's Reference Manual, writer_id of the configuration item header:
/// which ones are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlvHeader {
    /// Version of the TLV's layout, 0 to 15.
    pub version: u8,
    /// Who wrote it, 0 to 31.
    pub writer_id: u8,
    /// The host that wrote it, 0 to 7.
    pub writer_host_id: u8,
}

impl TlvHeader {
    /// What flexctl and mstconfig write of their own: version 0 by the
    /// configuration tool.
    pub const OURS: Self = Self {
        version: 0,
        writer_id: WRITER_ID,
        writer_host_id: 0,
    };

    pub(super) fn of(dword: Dword0) -> Self {
        Self {
            version: dword.version(),
            writer_id: dword.writer_id(),
            writer_host_id: dword.writer_host_id(),
        }
    }
}

/// The three header dwords.
#[derive(BinRead, BinWrite, Debug)]
#[brw(big)]
struct Header {
    #[br(map = Dword0::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    dword0: Dword0,
    tlv_type: u32,
    crc: u32,
}

/// Type of an ICMD TLV: class and what belongs to it.
///
/// | class | 31:24 | rest |
/// |---|---|---|
/// | global | 0 | 23:0 id |
/// | port | 1 | 23:16 port, 15:0 id |
/// | host | 3 | 23:18 host, 17:10 function, 9:0 id |
/// | pci | 7 | 23:18 host, 17:0 id |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeDword(pub u32);

impl TypeDword {
    /// Class 0, the whole card.
    #[must_use]
    pub fn global(id: u32) -> Self {
        Self(id & 0x00ff_ffff)
    }

    /// Class 1, a physical port counted from 1.
    #[must_use]
    pub fn port(port: u8, id: u16) -> Self {
        Self(0x0100_0000 | u32::from(port) << 16 | u32::from(id))
    }

    /// Class 3, the function that is talked to (host 0, function 0: as mstconfig).
    #[must_use]
    pub fn host(id: u16) -> Self {
        Self(0x0300_0000 | u32::from(id & 0x3ff))
    }

    /// Class 7, PCI settings of host 0.
    #[must_use]
    pub fn pci(id: u32) -> Self {
        Self(0x0700_0000 | (id & 0x3_ffff))
    }
}

impl fmt::Display for TypeDword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// Which of its values a TLV is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// What the next boot will use; status 8 when nothing is set.
    Next,
    /// What the firmware uses now. Only where MNVGC offers it.
    Current,
    /// What holds when nothing is set. Only where MNVGC offers it.
    Default,
}

/// One TLV, asked for or to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mnvda {
    tlv_type: TypeDword,
    which: Which,
    length_bytes: u16,
    header: TlvHeader,
    data: Vec<u8>,
}

impl Mnvda {
    /// Asks for a TLV of which `wanted_bytes` matter (a multiple of four).
    #[must_use]
    pub fn ask(tlv_type: TypeDword, which: Which, wanted_bytes: u16) -> Self {
        Self {
            tlv_type,
            which,
            length_bytes: wanted_bytes,
            header: TlvHeader::OURS,
            data: Vec::new(),
        }
    }

    /// Stores a TLV; `data` is a multiple of four bytes, 256 at most.
    #[must_use]
    pub fn store(tlv_type: TypeDword, data: Vec<u8>) -> Self {
        Self::store_as(tlv_type, data, TlvHeader::OURS)
    }

    /// Stores a TLV in the name of another writer: to put back what was there.
    #[must_use]
    pub fn store_as(tlv_type: TypeDword, data: Vec<u8>, header: TlvHeader) -> Self {
        Self {
            tlv_type,
            which: Which::Next,
            length_bytes: u16::try_from(data.len()).unwrap_or(u16::MAX),
            header,
            data,
        }
    }

    /// Who wrote it, as the card answered.
    #[must_use]
    pub fn header(&self) -> TlvHeader {
        self.header
    }

    /// Length of the data as the card reports it, in bytes.
    #[must_use]
    pub fn length_bytes(&self) -> u16 {
        self.length_bytes
    }

    /// The data, as much as was wanted and is there.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    fn packed_header(&self, dword0: Dword0) -> Vec<u32> {
        vec![dword0.into_bits(), self.tlv_type.0, 0]
    }
}

impl Register for Mnvda {
    const NAME: &'static str = "MNVDA";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9024);

    fn layout(&self, method: Method) -> Layout {
        let bytes = self.length_bytes;
        match method {
            Method::Get => Layout {
                written: self.packed_header(
                    Dword0::new()
                        .with_length(ASKED_BYTES)
                        .with_writer_id(WRITER_ID)
                        .with_read_current(self.which == Which::Current)
                        .with_default(self.which == Which::Default),
                ),
                declared_dwords: (ASKED_BYTES + 12) / 4,
                wanted: wanted(bytes),
            },
            Method::Set => {
                let mut written = self.packed_header(
                    Dword0::new()
                        .with_length(bytes & 0x1ff)
                        .with_writer_host_id(self.header.writer_host_id & 7)
                        .with_version(self.header.version & 0xf)
                        .with_writer_id(self.header.writer_id & 0x1f)
                        .with_over_en(true),
                );
                written.extend(dwords(&self.data));
                Layout {
                    written,
                    declared_dwords: (bytes + 12) / 4,
                    wanted: Vec::new(),
                }
            }
        }
    }
}

/// The type is known, only length and data are news.
fn wanted(data_bytes: u16) -> Vec<usize> {
    std::iter::once(0)
        .chain(HEADER_DWORDS..HEADER_DWORDS + usize::from(data_bytes / 4))
        .collect()
}

impl Readable for Mnvda {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let mut reader = std::io::Cursor::new(bytes);
        let header = Header::read(&mut reader)?;
        let length = header.dword0.length();
        let rest = bytes.get(HEADER_DWORDS * 4..).unwrap_or_default();
        let there = rest.len().min(usize::from(length));
        Ok(Self {
            tlv_type: TypeDword(header.tlv_type),
            which: Which::Next,
            length_bytes: length,
            header: TlvHeader::of(header.dword0),
            data: rest.get(..there).unwrap_or_default().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_a_tlv_with_the_dwords_that_mstconfig_was_seen_to_send() {
        // mstconfig 4.21, set IP_VER=IPv6_IPv4 on a virtual ConnectX-4.
        let layout = Mnvda::store(TypeDword::host(0x195), vec![0, 0, 3, 0]).layout(Method::Set);
        assert_eq!(layout.written, [0x0209_0004, 0x0300_0195, 0, 0x0000_0300]);
        assert_eq!(layout.declared_dwords, 4);
    }

    #[test]
    fn what_another_wrote_is_stored_in_its_name() {
        let header = TlvHeader {
            version: 2,
            writer_id: 8,
            writer_host_id: 1,
        };
        let store = Mnvda::store_as(TypeDword::host(0x195), vec![0; 4], header);
        assert_eq!(store.layout(Method::Set).written[0], 0x0208_2204);
        let answer = [0, 8, 0x22, 4, 3, 0, 1, 0x95, 0, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(Mnvda::unpack(&answer).unwrap().header(), header);
    }

    #[test]
    fn an_answer_is_cut_to_the_length_that_the_card_reports() {
        let answer = [
            0, 0, 0, 4, 3, 0, 1, 0x95, 0, 0, 0, 0, 1, 2, 3, 4, 9, 9, 9, 9,
        ];
        let tlv = Mnvda::unpack(&answer).unwrap();
        assert_eq!((tlv.length_bytes(), tlv.data()), (4, &[1, 2, 3, 4][..]));
        assert!(Mnvda::unpack(&answer[..8]).is_err());
    }

    #[test]
    fn class_and_place_make_the_type() {
        assert_eq!(TypeDword::port(2, 0x12).0, 0x0102_0012);
        assert_eq!(TypeDword::host(0x221).to_string(), "0x03000221");
        assert_eq!(TypeDword::pci(0x80).0, 0x0700_0080);
    }
}
