//! The register access envelope: operation TLV, register TLV, register.
//!
//! The same on ICMD opcode 0x9001 and HCR opcode 0x3b; big-endian dwords:
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 31:27 | TLV type 1 (operation) |
//! | 0 | 26:16 | length 4 dwords |
//! | 0 | 14:8 | status |
//! | 1 | 31:16 | register id |
//! | 1 | 15 | response |
//! | 1 | 14:8 | method: 1 GET, 2 SET |
//! | 1 | 7:0 | class 1 |
//! | 2, 3 | | transaction id |
//! | 4 | 31:27 | TLV type 3 (register) |
//! | 4 | 26:16 | length in dwords with this one |
//! | 5.. | | the register |
//!
//! # Sources
//! mstflint 4.21 against a virtual card; FlexBoot 3.4.812, `mlx_reg_access`.

use std::fmt;

use bitfield_struct::bitfield;

use crate::access::Word;

use super::Status;

/// Dwords before the register itself.
pub(super) const HEADER_DWORDS: usize = 5;

/// What is done with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read it.
    Get,
    /// Write it.
    Set,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Set => "SET",
        })
    }
}

/// Dword 0 of the operation TLV.
#[bitfield(u32)]
struct OperationTlv {
    #[bits(8)]
    __: u8,
    #[bits(7)]
    status: u8,
    direct: bool,
    #[bits(11)]
    length_dwords: u16,
    #[bits(5)]
    tlv_type: u8,
}

/// Dword 1 of the operation TLV.
#[bitfield(u32)]
struct OperationRegister {
    #[bits(8)]
    class: u8,
    #[bits(7)]
    method: u8,
    response: bool,
    #[bits(16)]
    register_id: u16,
}

/// Header of the register TLV.
#[bitfield(u32)]
struct RegisterTlv {
    #[bits(16)]
    __: u16,
    #[bits(11)]
    length_dwords: u16,
    #[bits(5)]
    tlv_type: u8,
}

/// The mailbox of a register access: header and the register's first dwords.
///
/// `declared_dwords` is the register's full length; what `register` leaves out
/// of it is not written.
pub(super) fn pack(id: u16, method: Method, register: &[u32], declared_dwords: u16) -> Vec<u32> {
    let method_code = match method {
        Method::Get => 1,
        Method::Set => 2,
    };
    let mut mailbox = vec![
        OperationTlv::new()
            .with_tlv_type(1)
            .with_length_dwords(4)
            .into_bits(),
        OperationRegister::new()
            .with_register_id(id)
            .with_method(method_code)
            .with_class(1)
            .into_bits(),
        0,
        0,
        RegisterTlv::new()
            .with_tlv_type(3)
            .with_length_dwords(declared_dwords + 1)
            .into_bits(),
    ];
    mailbox.extend_from_slice(register);
    mailbox
}

/// Reads the dwords `wanted` of an answer. A refusal ends the reading where the
/// status is read: nothing follows it.
pub(super) fn reads(wanted: &[usize], address_of: impl Fn(usize) -> u32) -> Vec<Word> {
    let refused = OperationTlv::new().with_status(0x7f).into_bits();
    let read = |at: &usize| match *at {
        0 => Word::check(address_of(0), refused),
        at => Word::read(address_of(at)),
    };
    wanted.iter().map(read).collect()
}

/// The status in dword 0 of the answer.
pub(super) fn status(dword0: u32) -> Status {
    Status::from_register(OperationTlv::from_bits(dword0).status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_the_dwords_that_mstconfig_was_seen_to_send() {
        // mstconfig 4.21 GET of MNVDA with a declared length of 268 bytes.
        let mailbox = pack(0x9024, Method::Get, &[0x0000_0100], 67);
        assert_eq!(
            mailbox,
            [0x0804_0000, 0x9024_0101, 0, 0, 0x1844_0000, 0x0000_0100]
        );
        assert_eq!(status(0x0804_0800), Status::ResourceNotAvailable);
    }

    #[test]
    fn what_follows_a_refusal_is_not_read() {
        let words = reads(&[0, 5], |at| u32::try_from(at * 4).unwrap());
        assert_eq!(words, [Word::check(0, 0x7f00), Word::read(20)]);
    }
}
