//! Bytes to structure, pure: the version record of an expansion ROM and the
//! header that iPXE puts into its images.
//!
//! [`version_records`] finds what a FlexBoot or UEFI ROM says of itself;
//! [`ipxe_header`] and [`mentions_ipxe`] recognise an iPXE
//! image that carries no such record.

mod flexboot_version;
mod ipxe_header;
mod version_record;

pub use flexboot_version::FlexBootVersion;
pub use ipxe_header::{IpxeHeader, ipxe_header, mentions_ipxe};
pub use version_record::{
    CpuArchitecture, RomProduct, RomProtocol, RomVersion, VersionRecord, VersionRecordError,
    version_records,
};
