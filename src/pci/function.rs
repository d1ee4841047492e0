//! One PCI function: the seam between flexctl and a card.

use std::fmt;
use std::io;

use super::Bdf;

/// One PCI function as software reaches it: config space, BARs, option ROM.
///
/// The live implementation goes through sysfs, the virtual card implements it
/// in memory. Offsets and widths are those of the PCI specification; nothing
/// here knows what a ConnectX is.
pub trait Function: Send + fmt::Debug {
    /// Where the function sits.
    fn address(&self) -> Bdf;

    /// Reads `data.len()` bytes of config space starting at `offset`.
    ///
    /// Naturally aligned reads of 1, 2 or 4 bytes are one access of that width.
    ///
    /// # Errors
    /// [`FunctionError`] when the host refuses or the offset lies outside of
    /// what the host shows.
    fn read_config(&mut self, offset: u16, data: &mut [u8]) -> Result<(), FunctionError>;

    /// Writes config space; aligned 1, 2 and 4 byte writes are one access.
    ///
    /// # Errors
    /// [`FunctionError`] when the host refuses the write.
    fn write_config(&mut self, offset: u16, data: &[u8]) -> Result<(), FunctionError>;

    /// Maps BAR `bar` and returns its length in bytes. A second call is free.
    ///
    /// # Errors
    /// [`FunctionError::BarUnavailable`] when the host does not map it.
    fn map_bar(&mut self, bar: u8) -> Result<u64, FunctionError>;

    /// Reads the aligned dword at byte `offset` of a mapped BAR, as the
    /// processor loads it (little-endian bus order).
    ///
    /// # Errors
    /// [`FunctionError::BarUnavailable`] when the BAR is not mapped,
    /// [`FunctionError::OutOfRange`] when `offset` is not inside it or not aligned.
    fn read_bar32(&mut self, bar: u8, offset: u64) -> Result<u32, FunctionError>;

    /// Writes the aligned dword at byte `offset` of a mapped BAR.
    ///
    /// # Errors
    /// As [`Function::read_bar32`].
    fn write_bar32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), FunctionError>;

    /// Reads the whole expansion ROM through the host.
    ///
    /// The live function enables the ROM only while it reads and disables it
    /// again on every way out.
    ///
    /// # Errors
    /// [`FunctionError::RomUnavailable`] with the reason when the platform does
    /// not show it: then nobody can tell what is in it.
    fn read_option_rom(&mut self) -> Result<Vec<u8>, FunctionError>;

    /// Reads the board's Vital Product Data; [`super::Vpd`] understands it.
    ///
    /// # Errors
    /// [`FunctionError::VpdUnavailable`] with the reason when the host shows
    /// none, [`FunctionError::Io`] when it refuses.
    fn read_vpd(&mut self) -> Result<Vec<u8>, FunctionError> {
        Err(FunctionError::VpdUnavailable {
            address: self.address(),
            reason: "the host shows none".to_owned(),
        })
    }

    /// Whether programs other than flexctl can reach the function, so that their
    /// locks must be taken. Only a virtual card in this process is out of reach.
    fn is_shared(&self) -> bool {
        true
    }

    /// Reads an aligned config dword (little-endian).
    ///
    /// # Errors
    /// As [`Function::read_config`].
    fn read_config32(&mut self, offset: u16) -> Result<u32, FunctionError> {
        let mut data = [0; 4];
        self.read_config(offset, &mut data)?;
        Ok(u32::from_le_bytes(data))
    }

    /// Writes an aligned config dword (little-endian).
    ///
    /// # Errors
    /// As [`Function::write_config`].
    fn write_config32(&mut self, offset: u16, value: u32) -> Result<(), FunctionError> {
        self.write_config(offset, &value.to_le_bytes())
    }
}

/// What can go wrong on the host's side of a PCI function.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The host refused or failed an access to the function's files.
    #[error("{address}: cannot {action}")]
    Io {
        /// The function.
        address: Bdf,
        /// What was tried, as in "read config space at 0x58".
        action: String,
        /// What the host answered.
        #[source]
        source: io::Error,
    },
    /// Less came back than was asked for: unprivileged readers see only the
    /// first 64 bytes of config space.
    #[error("{address}: config space ends at {found:#05x}, offset {offset:#05x} is not shown")]
    ConfigTruncated {
        /// The function.
        address: Bdf,
        /// The offset that was asked for.
        offset: u16,
        /// How many bytes the host shows.
        found: u16,
    },
    /// A BAR that the host does not map.
    #[error("{address}: BAR{bar} cannot be used: {reason}")]
    BarUnavailable {
        /// The function.
        address: Bdf,
        /// Which BAR.
        bar: u8,
        /// Why not.
        reason: String,
    },
    /// An offset outside of a BAR, or not aligned to four bytes.
    #[error(
        "{address}: BAR{bar} has {length:#x} bytes, offset {offset:#x} is not an aligned dword of it"
    )]
    OutOfRange {
        /// The function.
        address: Bdf,
        /// Which BAR.
        bar: u8,
        /// The offset that was asked for.
        offset: u64,
        /// The length of the BAR in bytes.
        length: u64,
    },
    /// The Vital Product Data cannot be read on this host.
    #[error("{address}: the vital product data cannot be read: {reason}")]
    VpdUnavailable {
        /// The function.
        address: Bdf,
        /// Why not.
        reason: String,
    },
    /// The expansion ROM cannot be read on this host.
    #[error("{address}: the expansion ROM cannot be read: {reason}")]
    RomUnavailable {
        /// The function.
        address: Bdf,
        /// Why not.
        reason: String,
    },
}

impl FunctionError {
    /// Whether the host refused for want of rights (EPERM, EACCES).
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether the function is no longer there (ENODEV, ENXIO, ENOENT).
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                source.kind() == io::ErrorKind::NotFound
                    || [rustix::io::Errno::NODEV, rustix::io::Errno::NXIO]
                        .iter()
                        .any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
            }
            _ => false,
        }
    }
}
