//! Management flash burn access (MFBA): bytes of the flash.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 8 | parallel flash; 0 here |
//! | 0 | 5:4 | flash chip |
//! | 1 | 8:0 | how many bytes |
//! | 2 | 31:0 | address of the first byte |
//! | 3.. | | the bytes |
//!
//! GET reads, SET programs. In each data dword the flash's first byte is the
//! lowest one, so the four bytes of a dword are turned around on the wire. A size
//! is a power of two, and its address a multiple of it, as mstflint does it.
//!
//! # Sources
//! mstflint 4.21 `register_access_open_layouts.c`: `register_access_mfba_pack`;
//! `mflash_pack_layer.c`: `sx_st_block_access`; `reg_access.c`: `reg_access_mfba`;
//! against virtual cards of both generations.

use binrw::BinRead;

use super::{Layout, Method, Readable, Register};

const HEADER_DWORDS: u16 = 3;

/// The bytes that are read back: three dwords that are not wanted, then data.
#[derive(BinRead, Debug)]
#[br(big)]
struct Answer {
    #[br(pad_before = 12, parse_with = binrw::helpers::until_eof)]
    data: Vec<u32>,
}

/// Bytes of the flash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mfba {
    bank: u8,
    size: u16,
    address: u32,
    /// The bytes in the flash's order.
    pub data: Vec<u8>,
}

impl Mfba {
    /// Asks for `size` bytes from `address` of a chip; `size` is a multiple of
    /// four up to 256.
    #[must_use]
    pub fn ask(bank: u8, address: u32, size: u16) -> Self {
        Self {
            bank,
            size,
            address,
            data: Vec::new(),
        }
    }

    /// Programs bytes from `address` of a chip; a multiple of four up to 256.
    #[must_use]
    pub fn program(bank: u8, address: u32, data: Vec<u8>) -> Self {
        Self {
            bank,
            size: u16::try_from(data.len()).unwrap_or(u16::MAX),
            address,
            data,
        }
    }
}

impl Register for Mfba {
    const NAME: &'static str = "MFBA";
    const TOOLS_HCR: Option<u16> = Some(0x9011);
    const ICMD: Option<u16> = Some(0x9011);
    // Else every 256 bytes that are read cost as many zeros that are written.
    // mstflint fills the mailbox of ConnectX-3 with zeros, that of ConnectX-4
    // it leaves as it is; that ConnectX-3 does not mind either is inferred.
    const ANSWER_IS_FREE: bool = true;

    fn layout(&self, method: Method) -> Layout {
        let mut written = vec![
            u32::from(self.bank & 3) << 4,
            u32::from(self.size & 0x1ff),
            self.address,
        ];
        let data_dwords = self.size / 4;
        let first = usize::from(HEADER_DWORDS);
        let wanted = match method {
            Method::Get => (first..first + usize::from(data_dwords)).collect(),
            Method::Set => {
                written.extend(self.data.chunks_exact(4).map(|chunk| {
                    chunk
                        .iter()
                        .rev()
                        .fold(0, |dword, byte| dword << 8 | u32::from(*byte))
                }));
                Vec::new()
            }
        };
        Layout {
            written,
            declared_dwords: HEADER_DWORDS + data_dwords,
            wanted,
        }
    }
}

impl Readable for Mfba {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let answer = Answer::read(&mut std::io::Cursor::new(bytes))?;
        let data: Vec<u8> = answer
            .data
            .iter()
            .flat_map(|dword| dword.to_le_bytes())
            .collect();
        Ok(Self::program(0, 0, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_dword_are_turned_around() {
        let program = Mfba::program(1, 0x40_0000, b"MTFW\x8c\xdf\xd0\x00".to_vec());
        let layout = program.layout(Method::Set);
        let expected = [0x10, 8, 0x40_0000, 0x5746_544d, 0x00d0_df8c];
        assert_eq!(layout.written, expected);
        assert_eq!(layout.declared_dwords, 5);
        let mut answer = vec![0; 12];
        answer.extend([0x57, 0x46, 0x54, 0x4d]);
        assert_eq!(Mfba::unpack(&answer).unwrap().data, b"MTFW");
    }

    #[test]
    fn a_question_sends_no_data() {
        let layout = Mfba::ask(0, 0x80, 128).layout(Method::Get);
        assert_eq!(layout.written, [0, 128, 0x80]);
        assert_eq!(layout.declared_dwords, 35);
        assert_eq!((layout.wanted[0], layout.wanted.len()), (3, 32));
    }
}
