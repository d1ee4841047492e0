//! Device data of a described image: what belongs to the one card.
//!
//! | from the end of the file | section | bytes |
//! |---|---|---|
//! | 0x60000 | NV_DATA0 | 0x10000, without CRC |
//! | 0x50000 | NV_DATA2 | 0x10000, without CRC |
//! | 0x40000 | FW_NV_LOG | 0x10000, without CRC |
//! | 0x12000 | DEV_INFO | 0x200 |
//! | 0x8000 | MFG_INFO | 0x140 |
//! | 0x7000 | VPD_R0 | 0 |
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::RestoreDevToc`).

use crate::image::build::BuildError;
use crate::image::fs3::SectionType;

use super::Fs3Description;
use super::info::{put, put_text, wrong};

/// How the non-volatile data of a fresh card begins.
const FRESH_NV_DATA: [u32; 5] = [0, 0x100, 0, 0x0020_0010, 0x0080_0030];
const NV_BYTES: usize = 0x1_0000;
const DEV_INFO_SIGNATURE: [u32; 4] = [0x6d44_6576, 0x496e_666f, 0x2342_cafa, 0xbaca_fe00];

/// A section at a fixed place.
pub(super) struct DeviceData {
    pub(super) section_type: SectionType,
    /// How far it is from the end of the file.
    pub(super) from_end: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) no_crc: bool,
}

/// All of them, in the order of the ITOC.
pub(super) fn device_data(description: &Fs3Description) -> Result<Vec<DeviceData>, BuildError> {
    let mut fresh = vec![0; NV_BYTES];
    for (number, dword) in FRESH_NV_DATA.iter().enumerate() {
        put(&mut fresh, number * 4, &dword.to_be_bytes());
    }
    let nv = |name: &str, from_end, bytes| {
        SectionType::by_name(name).map(|section_type| DeviceData {
            section_type,
            from_end,
            bytes,
            no_crc: true,
        })
    };
    let with_crc = |section_type, from_end, bytes| DeviceData {
        section_type,
        from_end,
        bytes,
        no_crc: false,
    };
    let mut all: Vec<DeviceData> = [
        nv("NV_DATA0", 0x6_0000, fresh.clone()),
        nv("NV_DATA2", 0x5_0000, fresh.clone()),
        nv("FW_NV_LOG", 0x4_0000, fresh),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.push(with_crc(
        SectionType::DEV_INFO,
        0x1_2000,
        dev_info(description)?,
    ));
    all.push(with_crc(
        SectionType::MFG_INFO,
        0x8000,
        mfg_info(description)?,
    ));
    all.extend(nv("VPD_R0", 0x7000, Vec::new()));
    Ok(all)
}

fn mfg_info(description: &Fs3Description) -> Result<Vec<u8>, BuildError> {
    let mut section = vec![0; 0x140];
    let psid = description.original_psid.as_ref();
    put_text(
        &mut section,
        0,
        16,
        "original_psid",
        psid.unwrap_or(&description.psid),
    )?;
    let major = u8::from(description.per_port_step.is_none());
    put(&mut section, 0x1c, &[major, 0, 0, 1]);
    put_addresses(&mut section, description)?;
    Ok(section)
}

fn dev_info(description: &Fs3Description) -> Result<Vec<u8>, BuildError> {
    let mut section = vec![0; 0x200];
    for (number, dword) in DEV_INFO_SIGNATURE.iter().enumerate() {
        put(&mut section, number * 4, &dword.to_be_bytes());
    }
    let major = 1 + u8::from(description.per_port_step.is_none());
    put(&mut section, 0x12, &[major, 0]);
    put_addresses(&mut section, description)?;
    put(&mut section, 0x6e, &[0x15, 0xb3]);
    put_text(
        &mut section,
        0x70,
        207,
        "device_vsd",
        &description.device_vsd,
    )?;
    Ok(section)
}

fn put_addresses(section: &mut [u8], description: &Fs3Description) -> Result<(), BuildError> {
    if description.base_mac >> 48 != 0 {
        return Err(wrong("base_mac", "a MAC has 48 bits"));
    }
    let firsts = [description.base_guid, description.base_mac];
    let rows: Vec<u64> = match description.per_port_step {
        None => firsts.to_vec(),
        Some(_) => firsts
            .into_iter()
            .flat_map(|first| {
                let next = first.wrapping_add(u64::from(description.address_count));
                [first, next]
            })
            .collect(),
    };
    let step = description.per_port_step.unwrap_or(0);
    for (row, first) in rows.into_iter().enumerate() {
        let at = 0x20 + row * 0x10;
        put(section, at, &[0, 0, step, description.address_count]);
        put(section, at + 8, &first.to_be_bytes());
    }
    Ok(())
}
