//! Names of cards for `src/pci/names.rs`, taken from the PCI ID database that the
//! `pci-ids` crate carries.
//!
//! Linked as it is, that database is a megabyte of pointers which the dynamic
//! linker touches at every start: more than half of the time that a short command
//! takes. flexctl only shows Mellanox functions, so their names are put into one
//! text without pointers.
//!
//! Lines, sorted: ids in hexadecimal digits, a tab, the name. Four digits are a
//! vendor, eight vendor and device, sixteen vendor, device, subsystem vendor and
//! subsystem.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use pci_ids::{Device, FromId, Vendor, Vendors};

/// Mellanox Technologies.
const MELLANOX: u16 = 0x15b3;
/// The database calls it illegal; here it stands for an unreadable id.
const UNREADABLE: u16 = 0xffff;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut lines: Vec<String> = Vendors::iter()
        .filter(|vendor| vendor.id() != UNREADABLE)
        .map(|vendor| format!("{:04x}\t{}", vendor.id(), vendor.name()))
        .collect();
    let mellanox = Vendor::from_id(MELLANOX).ok_or("the PCI ID database has no Mellanox")?;
    for device in mellanox.devices() {
        lines.extend(lines_of_device(device));
    }
    lines.sort_unstable();
    let to = Path::new(&env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?).join("pci-names");
    fs::write(to, lines.join("\n"))?;
    Ok(())
}

fn lines_of_device(device: &Device) -> impl Iterator<Item = String> {
    let id = format!("{MELLANOX:04x}{:04x}", device.id());
    let boards = device.subsystems().map(|board| {
        format!(
            "{id}{:04x}{:04x}\t{}",
            board.subvendor(),
            board.subdevice(),
            board.name()
        )
    });
    std::iter::once(format!("{id}\t{}", device.name())).chain(boards.collect::<Vec<_>>())
}
