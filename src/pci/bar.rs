//! A base address register (BAR) mapped into memory: the only unsafe code.
//!
//! Device registers change under the reader and act on being read, so there is
//! never a slice or a reference into the mapping, only single volatile
//! accesses of 32 bits.
//!
//! # Sources
//! Linux kernel, Documentation/PCI/sysfs-pci.rst (`resourceN`, mapped uncached)
//! and drivers/pci/pci-sysfs.c (`pci_mmap_resource`).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use memmap2::{MmapOptions, MmapRaw};
use rustix::io::Errno;

use super::{Access, Bdf, FunctionError};

const DWORD_BYTES: u64 = 4;

/// One mapped BAR.
#[derive(Debug)]
pub(super) struct MappedBar {
    map: MmapRaw,
    length: u64,
    access: Access,
}

impl MappedBar {
    /// Maps the whole BAR through `resourceN` in the function's `directory`.
    pub(super) fn open(
        directory: &Path,
        address: Bdf,
        bar: u8,
        access: Access,
    ) -> Result<Self, FunctionError> {
        let unavailable = |reason: String| FunctionError::BarUnavailable {
            address,
            bar,
            reason,
        };
        let failed = |source: io::Error| FunctionError::Io {
            address,
            action: format!("open resource{bar}"),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::ReadWrite)
            .open(directory.join(format!("resource{bar}")))
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound if directory.is_dir() => {
                    unavailable(absence(directory, bar))
                }
                _ => failed(error),
            })?;
        let length = file.metadata().map_err(failed)?.len();
        if length < DWORD_BYTES {
            return Err(unavailable(absence(directory, bar)));
        }
        let map = map(&file, length, access).map_err(|error| unavailable(refusal(&error)))?;
        Ok(Self {
            map,
            length,
            access,
        })
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Loads the dword at `offset`; `None` when that is no aligned dword of it.
    #[expect(unsafe_code, reason = "device registers are reached by pointer only")]
    pub(super) fn read32(&self, offset: u64) -> Option<u32> {
        let register = self.register(offset)?;
        // SAFETY: `register` is aligned and lies inside of the mapping, which
        // lives as long as `self` and is readable. Any bit pattern is a u32.
        let value = unsafe { register.read_volatile() };
        Some(u32::from_le(value))
    }

    /// Stores the dword at `offset`; `None` when that is no aligned dword of
    /// it, or the BAR was mapped for reading only.
    #[expect(unsafe_code, reason = "device registers are reached by pointer only")]
    pub(super) fn write32(&self, offset: u64, value: u32) -> Option<()> {
        let register = self.register(offset)?;
        if self.access == Access::ReadOnly {
            return None;
        }
        // SAFETY: as in `read32`; the mapping is writable, as just checked, and
        // no reference into it exists anywhere.
        unsafe { register.write_volatile(value.to_le()) };
        Some(())
    }

    /// Where the dword at `offset` is: the mapping starts on a page, so what is
    /// aligned in the BAR is aligned in memory.
    fn register(&self, offset: u64) -> Option<*mut u32> {
        let inside =
            offset.is_multiple_of(DWORD_BYTES) && offset.checked_add(DWORD_BYTES)? <= self.length;
        let offset = usize::try_from(offset).ok().filter(|_| inside)?;
        Some(self.map.as_mut_ptr().wrapping_add(offset).cast())
    }
}

fn map(file: &File, length: u64, access: Access) -> io::Result<MmapRaw> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    let mut options = MmapOptions::new();
    options.len(length);
    match access {
        Access::ReadOnly => options.map_raw_read_only(file),
        Access::ReadWrite => options.map_raw(file),
    }
}

/// Why the kernel did not map the file, in words.
fn refusal(error: &io::Error) -> String {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    let cause = match errno {
        Some(Errno::INVAL) => "a driver keeps it to itself, or the platform cannot map it",
        Some(Errno::PERM | Errno::ACCESS) => "kernel lockdown or missing rights",
        Some(Errno::NODEV) => "the file cannot be mapped: I/O ports, or a FUSE tree",
        Some(Errno::NXIO) => "the device is gone",
        _ => return format!("the kernel does not map it: {error}"),
    };
    format!("the kernel does not map it ({cause}): {error}")
}

/// Why there is no file to map: the function's `resource` lists start, end and
/// flags of every BAR, one a line.
fn absence(directory: &Path, bar: u8) -> String {
    let line = fs::read_to_string(directory.join("resource"))
        .ok()
        .and_then(|text| text.lines().nth(usize::from(bar)).map(str::to_owned));
    let fields: Vec<u64> = line
        .iter()
        .flat_map(|line| line.split_ascii_whitespace())
        .filter_map(|field| u64::from_str_radix(field.strip_prefix("0x")?, 16).ok())
        .collect();
    // include/linux/ioport.h: IORESOURCE_IO 0x100.
    match fields[..] {
        [_, _, 0] => "the function has no such BAR, or it got no address",
        [0, _, _] => "the platform assigned it no address",
        [_, _, flags] if flags & 0x100 != 0 => "it is an I/O port range",
        _ => "the host shows no file for it",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Bdf = Bdf {
        domain: 0,
        bus: 4,
        device: 0,
        function: 0,
    };

    #[test]
    fn an_absent_file_is_explained_by_the_resource_list() {
        let directory = tempfile::tempdir().unwrap();
        let list = "0x00000000f7a00000 0x00000000f7afffff 0x0000000000140204\n\
                    0x0000000000000000 0x0000000000000000 0x0000000000000000\n\
                    0x0000000000000000 0x00000000000fffff 0x0000000000040200\n\
                    0x000000000000e000 0x000000000000e01f 0x0000000000040101\n";
        fs::write(directory.path().join("resource"), list).unwrap();
        for (bar, words) in [
            (0, "no file"),
            (1, "no such BAR"),
            (2, "no address"),
            (3, "I/O port"),
            (5, "no file"),
        ] {
            let error = MappedBar::open(directory.path(), ADDRESS, bar, Access::ReadOnly);
            let text = error.unwrap_err().to_string();
            assert!(text.contains(words), "BAR{bar}: {text}");
        }
    }

    #[test]
    fn a_refused_mapping_is_explained() {
        for (errno, words) in [
            (Errno::INVAL, "driver"),
            (Errno::PERM, "lockdown"),
            (Errno::NODEV, "FUSE"),
            (Errno::NOMEM, "does not map it: "),
        ] {
            let text = refusal(&errno.into());
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_mapping_for_reading_takes_no_writes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("resource0");
        fs::write(&file, [0x11; 4096]).unwrap();
        let bar = MappedBar::open(directory.path(), ADDRESS, 0, Access::ReadOnly).unwrap();
        assert_eq!(bar.read32(4092), Some(0x1111_1111));
        assert_eq!(bar.write32(0, 1), None);
        assert_eq!(bar.read32(u64::MAX - 3), None);
    }
}
