//! What a card must offer: for a setting to exist, and for how high it may go.

use serde::Deserialize;

use super::BitField;

/// What a card must offer for a setting to exist.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Requirement {
    /// A bit of a capability TLV (ICMD).
    CapabilityTlv {
        /// Type dword of the capability TLV.
        #[serde(rename = "type")]
        tlv_type: u32,
        /// Dword of its data.
        dword: usize,
        /// Bit that must be set.
        bit: u8,
        /// Name of the bit in the source.
        name: String,
    },
    /// A bit of the global QUERY_DEF_PARAMS answer (tools HCR).
    DefParamsGlobal {
        /// Dword of the answer.
        dword: usize,
        /// Bit that must be set.
        bit: u8,
        /// Name of the bit in the source.
        name: String,
    },
    /// A bit of the port's QUERY_DEF_PARAMS answer (tools HCR).
    DefParamsPort {
        /// Dword of the answer.
        dword: usize,
        /// Bit that must be set.
        bit: u8,
        /// Name of the bit in the source.
        name: String,
    },
    /// A bit of QUERY_DEV_CAP's dword at byte 0xc0 (tools HCR).
    DevCap {
        /// Bit that must be set: for port 1 where it is one a port.
        bit: u8,
        /// Whether the next bit is port 2's.
        #[serde(default)]
        per_port: bool,
        /// Name of the bit in the source.
        name: String,
    },
    /// A version of the TLV as MNVQC reports it (ICMD).
    MnvqcVersion {
        /// The lowest version that has the field.
        at_least: u8,
        /// Words for the message.
        name: String,
    },
}

/// Where the card says how high a number may go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Limit {
    /// A field of a capability TLV (ICMD).
    CapabilityTlv {
        /// Type dword of the capability TLV.
        #[serde(rename = "type")]
        tlv_type: u32,
        /// Dword of its data.
        dword: usize,
        /// Bits of the dword.
        bits: BitField,
        /// Bit of dword 0 that must be set for the limit to count.
        valid_bit: Option<u8>,
        /// Name of the field in the source.
        name: String,
    },
    /// A field of QUERY_DEV_CAP (tools HCR).
    DevCap {
        /// Byte offset of the dword in the answer.
        offset: usize,
        /// Bits of the dword.
        bits: BitField,
        /// What the field counts along that the setting does not.
        #[serde(default)]
        minus: u32,
        /// What 0 stands for, if for another number.
        #[serde(default)]
        zero_means: u32,
        /// Name of the field in the source.
        name: String,
    },
}

impl Limit {
    /// The highest number allowed, given what the card's field says.
    #[must_use]
    pub fn highest(&self, said: u32) -> u32 {
        match self {
            Self::CapabilityTlv { .. } => said,
            Self::DevCap {
                minus, zero_means, ..
            } => {
                let counted = if said == 0 { *zero_means } else { said };
                counted.saturating_sub(*minus)
            }
        }
    }
}

/// Where QUERY_DEF_PARAMS holds a default (tools HCR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultAt {
    /// Which of its answers: the card's for TLVs of the card, else the port's.
    #[serde(default)]
    pub of: DefaultOf,
    /// Dword of the answer, counted from 0.
    pub dword: usize,
    /// Bits of the dword.
    pub bits: BitField,
}

/// Which answer of QUERY_DEF_PARAMS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultOf {
    /// A port's.
    #[default]
    Port,
    /// The card's.
    Card,
}
