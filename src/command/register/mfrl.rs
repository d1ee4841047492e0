//! Management firmware reset level (MFRL), ConnectX-4.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 1 | 7:0 | reset trigger |
//! | 1 | 15:8 | reset type |
//!
//! Eight bytes. This is a reset register: the only write known to be harmless is
//! trigger 0x40 (the next warm reboot also reloads the firmware's settings) with
//! type 0, as mstconfig does it after every set. No other can be made here.
//!
//! # Sources
//! mstflint 4.21 against a virtual card; FlexBoot 3.4.812 `mlx_nvconfig.c`,
//! WARM_REBOOT_RESET.

use super::{Layout, Method, Register};

const WARM_REBOOT: u32 = 0x40;

/// Asks the firmware to reload its settings at the next warm reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mfrl;

impl Register for Mfrl {
    const NAME: &'static str = "MFRL";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9028);

    fn layout(&self, _method: Method) -> Layout {
        Layout {
            written: vec![0, WARM_REBOOT],
            declared_dwords: 2,
            wanted: Vec::new(),
        }
    }
}
