//! Status codes of all three layers in one enum.
//!
//! Source: mstflint 4.21 (`mtcr_ul_icmd_cif.c`, `mtcr_tools_cif.c`,
//! `reg_access`), the register codes also in FlexBoot 3.4.812.

use std::fmt;

/// Which layer answered with a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Internal command interface, control register bits 15:8.
    Icmd,
    /// Tools HCR, dword 6 bits 31:24.
    ToolsHcr,
    /// Register access, operation TLV bits 14:8.
    Register,
}

/// What the card answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Done.
    Ok,
    /// Busy with something else.
    Busy,
    /// The command's opcode is unknown.
    BadOpcode,
    /// The command is invalid in its form.
    BadCommand,
    /// The command failed in its operation.
    OperationalError,
    /// A parameter is out of range.
    BadParameter,
    /// The card's memory (ICM) is not available.
    IcmNotAvailable,
    /// Write protected.
    WriteProtected,
    /// The command's TLV is unknown.
    UnknownTlv,
    /// The card is not in a state to take commands (no driver or firmware up).
    BadSystemState,
    /// A resource is in the wrong state.
    BadResourceState,
    /// Version of the class not supported.
    VersionNotSupported,
    /// The register is not supported.
    RegisterNotSupported,
    /// The class is not supported.
    ClassNotSupported,
    /// The method is not supported for this register.
    MethodNotSupported,
    /// The resource is not available: no such TLV is set.
    ResourceNotAvailable,
    /// The message was taken, the answer comes later.
    MessageReceiptAck,
    /// The configuration is bad.
    BadConfiguration,
    /// The settings store was erased too often.
    EraseCountExceeded,
    /// The stored configuration is corrupt.
    ConfigurationCorrupt,
    /// The length is too small.
    LengthTooSmall,
    /// Internal error of the firmware.
    InternalError,
    /// A code that no source names.
    Unknown {
        /// The layer that answered.
        layer: Layer,
        /// The code.
        code: u8,
    },
}

impl Status {
    /// Status of the internal command interface.
    #[must_use]
    pub fn from_icmd(code: u8) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::BadOpcode,
            2 => Self::BadCommand,
            3 => Self::OperationalError,
            4 => Self::BadParameter,
            5 => Self::Busy,
            6 => Self::IcmNotAvailable,
            7 => Self::WriteProtected,
            code => Self::Unknown {
                layer: Layer::Icmd,
                code,
            },
        }
    }

    /// Status of the tools HCR.
    #[must_use]
    pub fn from_tools_hcr(code: u8) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Busy,
            2 => Self::BadOpcode,
            3 => Self::UnknownTlv,
            4 => Self::BadSystemState,
            9 => Self::BadResourceState,
            code => Self::Unknown {
                layer: Layer::ToolsHcr,
                code,
            },
        }
    }

    /// Status of a register access.
    #[must_use]
    pub fn from_register(code: u8) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Busy,
            2 => Self::VersionNotSupported,
            3 => Self::UnknownTlv,
            4 => Self::RegisterNotSupported,
            5 => Self::ClassNotSupported,
            6 => Self::MethodNotSupported,
            7 => Self::BadParameter,
            8 => Self::ResourceNotAvailable,
            9 => Self::MessageReceiptAck,
            0x20 => Self::BadConfiguration,
            0x21 => Self::EraseCountExceeded,
            0x22 => Self::ConfigurationCorrupt,
            0x24 => Self::LengthTooSmall,
            0x70 => Self::InternalError,
            code => Self::Unknown {
                layer: Layer::Register,
                code,
            },
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Busy => "busy",
            Self::BadOpcode => "unknown opcode",
            Self::BadCommand => "invalid command",
            Self::OperationalError => "operational error",
            Self::BadParameter => "bad parameter",
            Self::IcmNotAvailable => "card memory not available",
            Self::WriteProtected => "write protected",
            Self::UnknownTlv => "unknown TLV",
            Self::BadSystemState => "bad system state",
            Self::BadResourceState => "bad resource state",
            Self::VersionNotSupported => "version not supported",
            Self::RegisterNotSupported => "register not supported",
            Self::ClassNotSupported => "class not supported",
            Self::MethodNotSupported => "method not supported",
            Self::ResourceNotAvailable => "resource not available (not set)",
            Self::MessageReceiptAck => "message received, no answer yet",
            Self::BadConfiguration => "bad configuration (0x20)",
            Self::EraseCountExceeded => "erase count exceeded (0x21)",
            Self::ConfigurationCorrupt => "configuration corrupt (0x22)",
            Self::LengthTooSmall => "length too small (0x24)",
            Self::InternalError => "internal error (0x70)",
            Self::Unknown { code, .. } => return write!(f, "unknown status {code:#04x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_means_different_things_on_different_layers() {
        assert_eq!(Status::from_icmd(5), Status::Busy);
        assert_eq!(Status::from_register(5), Status::ClassNotSupported);
        assert_eq!(Status::from_tools_hcr(4), Status::BadSystemState);
        let unknown = Status::from_register(0x7f);
        assert_eq!(unknown.to_string(), "unknown status 0x7f");
    }
}
