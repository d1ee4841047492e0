//! Images for the tests of this room.

use crate::image::build::Fs3Description;

/// A ConnectX-4 image of 2 MiB, with these lines added to its description.
pub(super) fn image(more: &str) -> Vec<u8> {
    let size = match more.contains("file_size") {
        true => "",
        false => "file_size = 0x200000",
    };
    let text = format!(
        "format = 'fs3'\n{size}\npsid = 'MT_2190110032'\n\
         version = '12.14.2036'\nhw_ids = [0x209]\npci_device = 0x1013\n\
         base_guid = 0x7cfe900300112233\nbase_mac = 0x7cfe90112233\n{more}\n\
         [[section]]\ntype = 'MAIN_CODE'\ncontent = {{ random = 1, size = 0x4444 }}\n"
    );
    Fs3Description::parse(&text).unwrap().build().unwrap()
}

/// An expansion ROM that says it is for a device.
pub(super) fn rom(length: usize, device: u16) -> Vec<u8> {
    let mut rom = vec![0x5a; length];
    rom[..2].copy_from_slice(&[0x55, 0xaa]);
    let at = length - 20;
    rom[at..at + 8].copy_from_slice(b"mlxsign:");
    rom[at + 8..at + 12].copy_from_slice(&0x0010_0003_u32.to_le_bytes());
    rom[at + 12..at + 16].copy_from_slice(&0x0004_02f0_u32.to_le_bytes());
    rom[at + 16..].copy_from_slice(&(u32::from(device) << 16 | 0xff).to_le_bytes());
    rom
}

/// The same for a description: `rom = ...`.
pub(super) fn rom_line(length: usize) -> String {
    let bytes = rom(length, 0x1013);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("rom = {{ hex = '{hex}' }}")
}
