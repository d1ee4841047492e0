//! Management non-volatile get next (MNVGN), ConnectX-4: one TLV after the other.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 31:0 | place in the walk, in and out: 0 asks for the first TLV, and 0 in an answer says that there is none any more |
//! | 4 | | header of the TLV as in MNVDA: length, writer, version |
//! | 5 | 31:0 | type of the TLV |
//! | 6 | 31:0 | crc |
//! | 7..38 | | the data, its first 128 bytes |
//!
//! 156 bytes, GET only. The answer carries a TLV and the place of the next one;
//! the last answer has place 0 and no TLV. A store without any TLV is answered
//! with status 8. Only what is set is walked over, no defaults and no
//! capabilities. MNVDA reads longer data than fits in here: the walk takes
//! header and type only. A firmware that would rather refuse a longer TLV (status
//! 0x24) can be asked once more with room for all that MNVDA carries.
//!
//! # Sources
//! mstflint 4.21 against a virtual card (`mstconfig backup`).

use binrw::BinRead;

use super::mnvda::Dword0;
use super::{Layout, Method, Readable, Register, TlvHeader, TypeDword};

const DECLARED_DWORDS: u16 = 156 / 4;
/// Room for 256 bytes of data.
const LONG_DWORDS: u16 = 284 / 4;

/// The bytes that are read back.
#[derive(BinRead, Debug)]
#[br(big)]
struct Answer {
    #[br(pad_after = 12)]
    pointer: u32,
    #[br(map = Dword0::from_bits)]
    dword0: Dword0,
    tlv_type: u32,
}

/// A step of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mnvgn {
    pointer: u32,
    tlv_type: TypeDword,
    length_bytes: u16,
    header: TlvHeader,
    declared_dwords: u16,
}

impl Mnvgn {
    /// Asks for the first TLV.
    #[must_use]
    pub fn first() -> Self {
        Self {
            pointer: 0,
            tlv_type: TypeDword(0),
            length_bytes: 0,
            header: TlvHeader::default(),
            declared_dwords: DECLARED_DWORDS,
        }
    }

    /// Asks for the same with room for longer data; `None` when that was asked.
    #[must_use]
    pub fn longer(&self) -> Option<Self> {
        (self.declared_dwords < LONG_DWORDS).then_some(Self {
            declared_dwords: LONG_DWORDS,
            ..*self
        })
    }

    /// Asks for the TLV behind this one. Only of an answer that is not the end.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            pointer: self.pointer,
            ..Self::first()
        }
    }

    /// Whether this answer carries no TLV because there is none any more.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.pointer == 0
    }

    /// The place of the next TLV.
    #[must_use]
    pub fn pointer(&self) -> u32 {
        self.pointer
    }

    /// Type of the TLV.
    #[must_use]
    pub fn tlv_type(&self) -> TypeDword {
        self.tlv_type
    }

    /// Length of its data in bytes.
    #[must_use]
    pub fn length_bytes(&self) -> u16 {
        self.length_bytes
    }

    /// Who wrote it.
    #[must_use]
    pub fn header(&self) -> TlvHeader {
        self.header
    }
}

impl Register for Mnvgn {
    const NAME: &'static str = "MNVGN";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9035);

    fn layout(&self, _method: Method) -> Layout {
        Layout {
            written: vec![self.pointer, 0, 0, 0, 0, 0, 0],
            declared_dwords: self.declared_dwords,
            wanted: vec![0, 4, 5],
        }
    }
}

impl Readable for Mnvgn {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let answer = Answer::read(&mut std::io::Cursor::new(bytes))?;
        Ok(Self {
            pointer: answer.pointer,
            tlv_type: TypeDword(answer.tlv_type),
            length_bytes: answer.dword0.length(),
            header: TlvHeader::of(answer.dword0),
            declared_dwords: DECLARED_DWORDS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_type_length_writer_and_where_to_go_on() {
        let mut bytes = [0; 24];
        bytes[3] = 7;
        bytes[16..24].copy_from_slice(&[0, 9, 0x20, 4, 3, 0, 1, 0x95]);
        let step = Mnvgn::unpack(&bytes).unwrap();
        assert!(!step.is_end());
        assert_eq!(
            (step.tlv_type(), step.length_bytes()),
            (TypeDword::host(0x195), 4)
        );
        assert_eq!((step.header().writer_id, step.header().version), (9, 2));
        let layout = step.next().layout(Method::Get);
        assert_eq!((layout.written[0], layout.declared_dwords), (7, 39));
        let longer = step.next().longer().unwrap();
        let layout = longer.layout(Method::Get);
        assert_eq!((layout.written[0], layout.declared_dwords), (7, 71));
        assert_eq!(longer.longer(), None);
        assert!(Mnvgn::unpack(&bytes[..20]).is_err());
        assert!(Mnvgn::unpack(&[0; 24]).unwrap().is_end());
    }
}
