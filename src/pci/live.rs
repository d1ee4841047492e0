//! A PCI function of this host, reached through its files in sysfs.
//!
//! Never through /dev/mem or /proc/bus/pci: sysfs is the one way that the
//! kernel guards (lockdown, exclusive regions, hot-unplug).
//!
//! # Sources
//! Linux kernel, Documentation/PCI/sysfs-pci.rst and drivers/pci/pci-sysfs.c.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::bar::MappedBar;
use super::rom::{self, RomFault};
use super::{Bdf, Function, FunctionError, SysfsRoot, vpd};

/// A type 0 configuration header has six base address registers
/// (PCI Local Bus Specification 3.0, figure 6-1).
const BARS: usize = 6;
/// What Linux shows of config space to readers without CAP_SYS_ADMIN
/// (drivers/pci/pci-sysfs.c, `pci_read_config`).
const UNPRIVILEGED_CONFIG_BYTES: u16 = 64;

/// Whether a function is opened for writing too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Config space and BARs are only read. The card's gateways need writes
    /// even for a query: this is enough for standard config space only.
    ReadOnly,
    /// Config space and BARs are read and written.
    ReadWrite,
}

/// An open PCI function of this host.
#[derive(Debug)]
pub struct LiveFunction {
    address: Bdf,
    directory: PathBuf,
    access: Access,
    config: File,
    bars: [Option<MappedBar>; BARS],
}

impl LiveFunction {
    /// Opens config space of the function at `address`. Nothing is read yet.
    ///
    /// # Errors
    /// [`FunctionError::Io`] when the host refuses or has no such function.
    pub fn open(root: &SysfsRoot, address: Bdf, access: Access) -> Result<Self, FunctionError> {
        let directory = root.function_path(address);
        let config = OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .open(directory.join("config"))
            .map_err(|source| FunctionError::Io {
                address,
                action: match access {
                    Access::ReadOnly => "open config space for reading".to_owned(),
                    Access::ReadWrite => "open config space for writing".to_owned(),
                },
                source,
            })?;
        Ok(Self {
            address,
            directory,
            access,
            config,
            bars: [const { None }; BARS],
        })
    }

    /// What the function was opened for.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    fn failed(&self, action: String, source: io::Error) -> FunctionError {
        FunctionError::Io {
            address: self.address,
            action,
            source,
        }
    }

    fn writable(&self, action: impl FnOnce() -> String) -> Result<(), FunctionError> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(self.failed(
                action(),
                io::Error::new(
                    io::ErrorKind::Unsupported,
                    "the function was opened for reading only",
                ),
            )),
        }
    }

    /// Where config space ends, given that `offset` is not shown.
    fn config_end(&self, offset: u16) -> u16 {
        let size = self.config.metadata().map_or(0, |file| file.len());
        match u16::try_from(size) {
            Ok(size) if size <= offset => size,
            _ => UNPRIVILEGED_CONFIG_BYTES.min(offset),
        }
    }

    fn bar(&self, bar: u8) -> Result<&MappedBar, FunctionError> {
        self.bars
            .get(usize::from(bar))
            .and_then(Option::as_ref)
            .ok_or_else(|| FunctionError::BarUnavailable {
                address: self.address,
                bar,
                reason: "it is not mapped".to_owned(),
            })
    }

    fn out_of_range(&self, bar: u8, offset: u64, length: u64) -> FunctionError {
        FunctionError::OutOfRange {
            address: self.address,
            bar,
            offset,
            length,
        }
    }
}

impl Function for LiveFunction {
    fn address(&self) -> Bdf {
        self.address
    }

    fn read_config(&mut self, offset: u16, data: &mut [u8]) -> Result<(), FunctionError> {
        let length = data.len();
        let mut done = 0;
        // The kernel splits a read into the widest aligned accesses, so what is
        // naturally aligned is one access. It comes back whole, or short at the
        // end of what the reader may see.
        while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.config.read_at(rest, u64::from(offset) + done as u64) {
                Ok(0) => {
                    let next = u16::try_from(done)
                        .ok()
                        .and_then(|done| offset.checked_add(done))
                        .unwrap_or(u16::MAX);
                    return Err(FunctionError::ConfigTruncated {
                        address: self.address,
                        offset: next,
                        found: match done {
                            0 => self.config_end(next),
                            _ => next,
                        },
                    });
                }
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let action = format!("read {length} bytes of config space at {offset:#05x}");
                    return Err(self.failed(action, source));
                }
            }
        }
        Ok(())
    }

    fn write_config(&mut self, offset: u16, data: &[u8]) -> Result<(), FunctionError> {
        let length = data.len();
        let action = || format!("write {length} bytes of config space at {offset:#05x}");
        self.writable(action)?;
        // Written in one go or not at all: the second half of a write that was
        // cut short may mean something else to the card.
        match self.config.write_at(data, u64::from(offset)) {
            Ok(written) if written == length => Ok(()),
            Ok(written) => Err(self.failed(
                action(),
                io::Error::new(
                    io::ErrorKind::WriteZero,
                    format!("the host took {written} of {length} bytes"),
                ),
            )),
            Err(source) => Err(self.failed(action(), source)),
        }
    }

    fn map_bar(&mut self, bar: u8) -> Result<u64, FunctionError> {
        let address = self.address;
        let Some(slot) = self.bars.get_mut(usize::from(bar)) else {
            return Err(FunctionError::BarUnavailable {
                address,
                bar,
                reason: "a function has BAR0 to BAR5".to_owned(),
            });
        };
        if let Some(mapped) = slot {
            return Ok(mapped.length());
        }
        let mapped = MappedBar::open(&self.directory, address, bar, self.access)?;
        Ok(slot.insert(mapped).length())
    }

    fn read_bar32(&mut self, bar: u8, offset: u64) -> Result<u32, FunctionError> {
        let mapped = self.bar(bar)?;
        mapped
            .read32(offset)
            .ok_or_else(|| self.out_of_range(bar, offset, mapped.length()))
    }

    fn write_bar32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), FunctionError> {
        let mapped = self.bar(bar)?;
        self.writable(|| format!("write BAR{bar} at {offset:#010x}"))?;
        mapped
            .write32(offset, value)
            .ok_or_else(|| self.out_of_range(bar, offset, mapped.length()))
    }

    fn read_option_rom(&mut self) -> Result<Vec<u8>, FunctionError> {
        let path = self.directory.join("rom");
        rom::load(&path).map_err(|fault| match fault {
            RomFault::Unavailable(reason) => FunctionError::RomUnavailable {
                address: self.address,
                reason,
            },
            RomFault::Io { action, source } => self.failed(action.to_owned(), source),
        })
    }

    fn read_vpd(&mut self) -> Result<Vec<u8>, FunctionError> {
        vpd::load(&self.directory.join("vpd")).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound if self.directory.is_dir() => FunctionError::VpdUnavailable {
                address: self.address,
                reason: "the host shows none".to_owned(),
            },
            _ => self.failed("read the vital product data".to_owned(), source),
        })
    }
}
