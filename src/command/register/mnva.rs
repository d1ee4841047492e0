//! Management non-volatile access (MNVA), ConnectX-3: one TLV.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 15:0 | type |
//! | 0 | 29:18 | length of the data in dwords |
//! | 1 | 23:16 | type_mod: port 1 or 2, 0 for the card |
//! | 1 | 24 | shadow |
//! | 1 | 26:25 | pad count |
//! | 1 | 31:28 | version of the layout; mstconfig always sends 0 |
//! | 2.. | | data |
//!
//! A TLV that is not set is answered with status 8. There is no default or
//! current value: QUERY_DEF_PARAMS knows the defaults.
//!
//! # Sources
//! mstflint 4.21 against a virtual card.

use std::fmt;

use binrw::{BinRead, BinWrite};
use bitfield_struct::bitfield;

use super::{Layout, Method, Readable, Register, dwords};

const HEADER_DWORDS: usize = 2;

/// Dword 0 of MNVA.
#[bitfield(u32)]
struct Dword0 {
    tlv_type: u16,
    #[bits(2)]
    __: u8,
    #[bits(12)]
    length_dwords: u16,
    #[bits(2)]
    __: u8,
}

/// Dword 1 of MNVA.
#[bitfield(u32)]
struct Dword1 {
    __: u16,
    type_mod: u8,
    shadow: bool,
    #[bits(2)]
    pad_count: u8,
    __: bool,
    #[bits(4)]
    version: u8,
}

/// The two header dwords.
#[derive(BinRead, BinWrite, Debug)]
#[brw(big)]
struct Header {
    #[br(map = Dword0::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    dword0: Dword0,
    #[br(map = Dword1::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    dword1: Dword1,
}

/// Type and port of a ConnectX-3 TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MnvaKey {
    /// Type.
    pub tlv_type: u16,
    /// Port 1 or 2, 0 for the card.
    pub type_mod: u8,
}

impl fmt::Display for MnvaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}/{}", self.tlv_type, self.type_mod)
    }
}

/// One TLV, asked for or to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mnva {
    key: MnvaKey,
    length_bytes: u16,
    version: u8,
    data: Vec<u8>,
}

impl Mnva {
    /// Asks for a TLV of `length_bytes` (a multiple of four).
    #[must_use]
    pub fn ask(key: MnvaKey, length_bytes: u16) -> Self {
        Self {
            key,
            length_bytes,
            version: 0,
            data: Vec::new(),
        }
    }

    /// Stores a TLV; `data` is a multiple of four bytes.
    #[must_use]
    pub fn store(key: MnvaKey, data: Vec<u8>) -> Self {
        Self {
            key,
            length_bytes: u16::try_from(data.len()).unwrap_or(u16::MAX),
            version: 0,
            data,
        }
    }

    /// The same TLV with a version of its layout other than 0.
    #[must_use]
    pub fn of_version(mut self, version: u8) -> Self {
        self.version = version & 0xf;
        self
    }

    /// Length of the data as the card reports it, in bytes.
    #[must_use]
    pub fn length_bytes(&self) -> u16 {
        self.length_bytes
    }

    /// The data, as much as is there.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

impl Register for Mnva {
    const NAME: &'static str = "MNVA";
    const TOOLS_HCR: Option<u16> = Some(0x9024);
    const ICMD: Option<u16> = None;

    fn layout(&self, method: Method) -> Layout {
        let data_dwords = self.length_bytes / 4;
        let mut written = vec![
            Dword0::new()
                .with_tlv_type(self.key.tlv_type)
                .with_length_dwords(data_dwords)
                .into_bits(),
            Dword1::new()
                .with_type_mod(self.key.type_mod)
                .with_version(self.version)
                .into_bits(),
        ];
        written.extend(dwords(&self.data));
        let wanted = match method {
            // The type is known, only length and data are news.
            Method::Get => std::iter::once(0)
                .chain(HEADER_DWORDS..HEADER_DWORDS + usize::from(data_dwords))
                .collect(),
            Method::Set => Vec::new(),
        };
        Layout {
            written,
            declared_dwords: data_dwords + 2,
            wanted,
        }
    }
}

impl Readable for Mnva {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let header = Header::read(&mut std::io::Cursor::new(bytes))?;
        let length = header.dword0.length_dwords() * 4;
        let rest = bytes.get(HEADER_DWORDS * 4..).unwrap_or_default();
        let there = rest.len().min(usize::from(length));
        Ok(Self {
            key: MnvaKey {
                tlv_type: header.dword0.tlv_type(),
                type_mod: header.dword1.type_mod(),
            },
            length_bytes: length,
            version: header.dword1.version(),
            data: rest.get(..there).unwrap_or_default().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_ip_ver_of_port_1_as_mstconfig_was_seen_to() {
        let key = MnvaKey {
            tlv_type: 0x2001,
            type_mod: 1,
        };
        let layout = Mnva::store(key, vec![0, 0, 1, 0]).layout(Method::Set);
        assert_eq!(layout.written, [0x0004_2001, 0x0001_0000, 0x0000_0100]);
        assert_eq!(layout.declared_dwords, 3);
        assert_eq!(key.to_string(), "0x2001/1");
    }
}
