//! Register access: the two TLVs in a mailbox that carry one register.
//!
//! | dword | fields |
//! |---|---|
//! | 0 | 31:27 = 1 (operation), 26:16 length in dwords = 4, 15 reply, 14:8 status |
//! | 1 | 31:16 register id, 15 response, 14:8 method, 7:0 class = 1 |
//! | 2-3 | transaction id |
//! | 4 | 31:27 = 3 (register), 26:16 length in dwords with this one |
//! | 5... | the register |
//!
//! Source: mstflint 4.21, the same for ConnectX-3 (HCR 0x3b) and -4 (ICMD 0x9001).

/// The status that firmware answers in the operation TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u8);

impl Status {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const BUSY: Self = Self(1);
    pub(crate) const UNKNOWN_TLV: Self = Self(3);
    pub(crate) const REGISTER_UNSUPPORTED: Self = Self(4);
    pub(crate) const CLASS_UNSUPPORTED: Self = Self(5);
    pub(crate) const METHOD_UNSUPPORTED: Self = Self(6);
    pub(crate) const BAD_PARAMETER: Self = Self(7);
    /// There is nothing: the setting is not set.
    pub(crate) const NOT_AVAILABLE: Self = Self(8);
    pub(crate) const WRONG_LENGTH: Self = Self(0x24);
}

/// What is to be done with the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Set,
}

/// A parsed request; the register itself stays in the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) register: u16,
    pub(crate) method: Method,
    /// Length of the register in dwords.
    pub(crate) dwords: usize,
}

/// Where the register begins in the mailbox.
pub(crate) const REGISTER: usize = 5;

impl Operation {
    /// Reads the request from the beginning of a mailbox.
    pub(crate) fn parse(mailbox: &[u32]) -> Result<Self, Status> {
        let &[operation, request, _, _, register, ..] = mailbox else {
            return Err(Status::UNKNOWN_TLV);
        };
        let length = field(operation, 16, 11);
        if operation >> 27 != 1 || length != 4 || register >> 27 != 3 {
            return Err(Status::UNKNOWN_TLV);
        }
        if field(request, 0, 8) != 1 {
            return Err(Status::CLASS_UNSUPPORTED);
        }
        let method = match field(request, 8, 7) {
            1 => Method::Get,
            2 => Method::Set,
            _ => return Err(Status::METHOD_UNSUPPORTED),
        };
        let dwords = usize::try_from(field(register, 16, 11)).unwrap_or(0);
        if dwords == 0 || mailbox.len() < REGISTER - 1 + dwords {
            return Err(Status::WRONG_LENGTH);
        }
        Ok(Self {
            register: u16::try_from(request >> 16).unwrap_or(0),
            method,
            dwords: dwords - 1,
        })
    }

    /// Puts the answer's status into the mailbox.
    pub(crate) fn answer(mailbox: &mut [u32], status: Status) {
        if let [operation, request, ..] = mailbox {
            *operation = *operation & !0x7f00 | u32::from(status.0 & 0x7f) << 8;
            *request |= 1 << 15;
        }
    }
}

/// `width` bits of a dword from bit `low` up.
pub(crate) fn field(word: u32, low: u32, width: u32) -> u32 {
    word >> low & ((1 << width) - 1)
}

/// The bytes of big-endian dwords.
pub(crate) fn to_bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Writes bytes into dwords, big-endian; what is left of the dwords stays.
pub(crate) fn put_bytes(words: &mut [u32], bytes: &[u8]) {
    for (word, chunk) in words.iter_mut().zip(bytes.chunks(4)) {
        let mut whole = word.to_be_bytes();
        whole[..chunk.len()].copy_from_slice(chunk);
        *word = u32::from_be_bytes(whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_mstconfig_sends() {
        // A GET of MNVDA, as mstconfig 4.21 writes it into the mailbox.
        let mut mailbox = [0; 80];
        mailbox[..5].copy_from_slice(&[0x0804_0000, 0x9024_0101, 0, 0, 0x1844_0000]);
        assert_eq!(
            Operation::parse(&mailbox),
            Ok(Operation {
                register: 0x9024,
                method: Method::Get,
                dwords: 67
            })
        );
        Operation::answer(&mut mailbox, Status::NOT_AVAILABLE);
        assert_eq!(mailbox[..2], [0x0804_0800, 0x9024_8101]);
    }

    #[test]
    fn answers_nonsense_with_a_status() {
        let parse = |words: [u32; 5]| Operation::parse(&words).unwrap_err();
        assert_eq!(parse([0; 5]), Status::UNKNOWN_TLV);
        assert_eq!(
            parse([0x0804_0000, 0x9024_0102, 0, 0, 0x1801_0000]),
            Status::CLASS_UNSUPPORTED
        );
        assert_eq!(
            parse([0x0804_0000, 0x9024_0301, 0, 0, 0x1801_0000]),
            Status::METHOD_UNSUPPORTED
        );
        assert_eq!(
            parse([0x0804_0000, 0x9024_0101, 0, 0, 0x1802_0000]),
            Status::WRONG_LENGTH
        );
        assert_eq!(Operation::parse(&[]).unwrap_err(), Status::UNKNOWN_TLV);
    }

    #[test]
    fn bytes_are_big_endian_in_dwords() {
        let mut words = [0xffff_ffff; 2];
        put_bytes(&mut words, &[0x80, 0x01, 0x00, 0x01, 0x7f]);
        assert_eq!(words, [0x8001_0001, 0x7fff_ffff]);
        assert_eq!(to_bytes(&words)[..5], [0x80, 0x01, 0x00, 0x01, 0x7f]);
    }
}
