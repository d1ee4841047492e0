//! The expansion ROM as the host shows it, in the sysfs file `rom`.
//!
//! The kernel hands the contents out only after something was written to the
//! file, and until `0` and a newline are: both bytes in one write at offset 0,
//! as `0` alone switches it on. Every read then enables the ROM's address
//! decoder for as long as it lasts. What comes back ends with the last image.
//!
//! # Sources
//! Linux kernel, Documentation/PCI/sysfs-pci.rst; drivers/pci/pci-sysfs.c
//! (`pci_write_rom`, `pci_read_rom`); drivers/pci/rom.c (`pci_map_rom`,
//! `pci_get_rom_size`). PCI Firmware Specification 3.0, section 5.1
//! (signature 55 AA).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::io::Errno;

/// The largest expansion ROM that a base address register can describe
/// (PCI Local Bus Specification 3.0, section 6.2.5.2).
const LARGEST_ROM_BYTES: usize = 16 << 20;
/// The kernel hands out at most a page at a time anyway.
const STEP_BYTES: usize = 16 << 10;
const SIGNATURE: [u8; 2] = [0x55, 0xaa];
const ENABLE: &[u8] = b"1";
const DISABLE: &[u8] = b"0\n";

/// Why there are no contents.
#[derive(Debug)]
pub(super) enum RomFault {
    /// The host does not show the ROM: nobody can tell what is in it.
    Unavailable(String),
    /// The host refused or failed for a reason of its own.
    Io {
        /// What was tried.
        action: &'static str,
        /// What the host answered.
        source: io::Error,
    },
}

/// Reads the ROM behind the sysfs file at `path`.
pub(super) fn load(path: &Path) -> Result<Vec<u8>, RomFault> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound if path.parent().is_some_and(Path::is_dir) => {
                RomFault::Unavailable(
                    "the host shows none: the function has no expansion ROM, or the platform \
                     assigned it no address"
                        .to_owned(),
                )
            }
            _ => RomFault::Io {
                action: "open the expansion ROM",
                source,
            },
        })?;
    let contents = read_enabled(&file)?;
    check(&contents).map_err(RomFault::Unavailable)?;
    Ok(contents)
}

/// What is done with the file, so that tests can stand in for the kernel.
trait RomFile {
    fn write_at_start(&self, text: &[u8]) -> io::Result<usize>;
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl RomFile for File {
    fn write_at_start(&self, text: &[u8]) -> io::Result<usize> {
        self.write_at(text, 0)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

/// Disables the ROM again when it goes away, however that comes about.
struct Enabled<'a, F: RomFile>(&'a F);

impl<F: RomFile> Drop for Enabled<'_, F> {
    fn drop(&mut self) {
        // A failure leaves the ROM readable, which harms nobody, and there is
        // nothing else to try.
        let _ = self.0.write_at_start(DISABLE);
    }
}

fn read_enabled<F: RomFile>(file: &F) -> Result<Vec<u8>, RomFault> {
    // Before the write: one that fails may have had its effect.
    let _enabled = Enabled(file);
    file.write_at_start(ENABLE).map_err(|source| RomFault::Io {
        action: "enable the expansion ROM",
        source,
    })?;

    let mut contents = Vec::new();
    let mut step = [0; STEP_BYTES];
    loop {
        match file.read_at(&mut step, contents.len() as u64) {
            Ok(0) => return Ok(contents),
            Ok(read) => contents.extend_from_slice(step.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
        if contents.len() > LARGEST_ROM_BYTES {
            return Err(RomFault::Unavailable(
                "more than 16 MiB came back, and no expansion ROM is that large".to_owned(),
            ));
        }
    }
}

fn unreadable(source: io::Error) -> RomFault {
    let errno = source.raw_os_error().map(Errno::from_raw_os_error);
    let cause = match errno {
        Some(Errno::IO) => {
            "the platform assigned it no address, or what is there has no valid header"
        }
        Some(Errno::INVAL) => "the host did not enable it, or something disabled it meanwhile",
        _ => {
            return RomFault::Io {
                action: "read the expansion ROM",
                source,
            };
        }
    };
    RomFault::Unavailable(format!("{cause}: {source}"))
}

/// Whether the contents start like an expansion ROM; the reason if not.
fn check(contents: &[u8]) -> Result<(), String> {
    if contents.starts_with(&SIGNATURE) {
        return Ok(());
    }
    Err(match contents {
        [] => "the host handed out no bytes".to_owned(),
        [_] => "the host handed out one byte only".to_owned(),
        _ if contents.iter().all(|&byte| byte == 0xff) => {
            "it reads all ones: nothing answers at its address".to_owned()
        }
        _ if contents.iter().all(|&byte| byte == 0) => "it reads all zeros".to_owned(),
        [first, second, ..] => {
            format!("it starts with {first:02X} {second:02X} instead of 55 AA")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// The kernel's side: `pci_write_rom` and `pci_read_rom`.
    struct Kernel {
        contents: Vec<u8>,
        enabled: Cell<bool>,
        fails_at: Option<(u64, Errno)>,
        written: RefCell<Vec<Vec<u8>>>,
    }

    impl Kernel {
        fn with(contents: Vec<u8>) -> Self {
            Self {
                contents,
                enabled: Cell::new(false),
                fails_at: None,
                written: RefCell::default(),
            }
        }

        fn load(&self) -> Result<Vec<u8>, String> {
            read_enabled(self)
                .and_then(|bytes| check(&bytes).map(|()| bytes).map_err(RomFault::Unavailable))
                .map_err(|fault| match fault {
                    RomFault::Unavailable(reason) => reason,
                    RomFault::Io { action, source } => format!("cannot {action}: {source}"),
                })
        }
    }

    impl RomFile for Kernel {
        fn write_at_start(&self, text: &[u8]) -> io::Result<usize> {
            self.written.borrow_mut().push(text.to_vec());
            self.enabled
                .set(!(text.first() == Some(&b'0') && text.len() == 2));
            Ok(text.len())
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if !self.enabled.get() {
                return Err(Errno::INVAL.into());
            }
            match self.fails_at {
                Some((at, errno)) if offset >= at => return Err(errno.into()),
                _ => {}
            }
            let offset = usize::try_from(offset).unwrap().min(self.contents.len());
            let page = buffer.len().min(4096).min(self.contents.len() - offset);
            buffer[..page].copy_from_slice(&self.contents[offset..offset + page]);
            Ok(page)
        }
    }

    fn rom(length: usize) -> Vec<u8> {
        let mut contents: Vec<u8> = (0..=255).cycle().take(length).collect();
        contents[..2].copy_from_slice(&SIGNATURE);
        contents
    }

    #[test]
    fn reads_all_of_it_and_disables_it_again() {
        let kernel = Kernel::with(rom(105_472));
        assert_eq!(kernel.load().unwrap(), kernel.contents);
        assert!(!kernel.enabled.get());
        assert_eq!(*kernel.written.borrow(), [b"1".to_vec(), b"0\n".to_vec()]);
    }

    #[test]
    fn disables_it_after_a_failure_in_the_middle() {
        for (errno, words) in [
            (Errno::IO, "no valid header"),
            (Errno::INVAL, "did not enable"),
            (Errno::NODEV, "cannot read the expansion ROM"),
        ] {
            let mut kernel = Kernel::with(rom(65_536));
            kernel.fails_at = Some((8192, errno));
            let reason = kernel.load().unwrap_err();
            assert!(reason.contains(words), "{reason}");
            assert!(!kernel.enabled.get());
        }
    }

    #[test]
    fn disables_it_when_the_reader_panics() {
        let kernel = Kernel::with(rom(512));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _enabled = Enabled(&kernel);
            kernel.write_at_start(ENABLE).unwrap();
            panic!("in the middle");
        }));
        assert!(panicked.is_err());
        assert!(!kernel.enabled.get());
    }

    #[test]
    fn what_is_no_rom_is_said_in_words() {
        for (contents, words) in [
            (vec![], "no bytes"),
            (vec![0x55], "one byte"),
            (vec![0xff; 4096], "all ones"),
            (vec![0; 4096], "all zeros"),
            (b"MZ and so on".to_vec(), "4D 5A instead of 55 AA"),
        ] {
            let kernel = Kernel::with(contents);
            let reason = kernel.load().unwrap_err();
            assert!(reason.contains(words), "{reason}");
            assert!(!kernel.enabled.get());
        }
    }

    #[test]
    fn refuses_more_than_a_rom_can_hold() {
        assert!(Kernel::with(rom(LARGEST_ROM_BYTES)).load().is_ok());
        let reason = Kernel::with(rom(LARGEST_ROM_BYTES + 1)).load().unwrap_err();
        assert!(reason.contains("16 MiB"), "{reason}");
    }
}
