//! Management non-volatile invalidate all (MNVIA): delete every user TLV.
//!
//! Eight bytes of zeros, SET only. Its id is 0x9029 on ConnectX-3 and 0x9033 on
//! ConnectX-4, where 0x9029 is the boot address register.
//!
//! # Sources
//! mstflint 4.21 against virtual cards of both generations (`mstconfig reset`).

use super::{Layout, Method, Register};

/// Deletes every TLV that a user has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mnvia;

impl Register for Mnvia {
    const NAME: &'static str = "MNVIA";
    const TOOLS_HCR: Option<u16> = Some(0x9029);
    const ICMD: Option<u16> = Some(0x9033);

    fn layout(&self, _method: Method) -> Layout {
        Layout {
            written: vec![0, 0],
            declared_dwords: 2,
            wanted: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_address_register_of_connectx_4_is_never_mistaken_for_it() {
        assert_eq!(Mnvia::TOOLS_HCR, Some(0x9029));
        assert_ne!(Mnvia::ICMD, Some(0x9029));
    }
}
