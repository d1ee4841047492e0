//! What a card's flash holds when it is new: firmware built from what the
//! profile says of the card.
//!
//! | profile | ConnectX-3 | ConnectX-4 |
//! |---|---|---|
//! | chip | W25Q16, 2 MiB | N25Q128, 16 MiB |
//! | format | FS2, failsafe in chunks of 512 KiB | FS3, slots of 4 MiB |
//! | settings store | top of both halves | 0xfa0000, device data behind it |
//!
//! The image is small, and has no code of any vendor. The settings store is not
//! modelled; a pattern is where it would be, so that it shows when somebody
//! writes over it.

use std::fmt::Write as _;

use super::cells::Cells;
use super::spi_chip::ChipFacts;
use crate::hwdb::FlashChip;
use crate::image::START_ADDRESSES;
use crate::image::build::{build, flash_dump};
use crate::image::fs2::Stripes;
use crate::sim::option_rom::OptionRom;
use crate::sim::profile::{FlashContent, Generation, Profile, Rom};
use crate::sim::scalar::{Mac, Version};
use crate::sim::storage::State;

const W25Q16: [u8; 3] = [0xef, 0x40, 0x15];
const N25Q128: [u8; 3] = [0x20, 0xba, 0x18];

const FS2_CHUNK: u32 = 0x8_0000;
const FS3_CHUNK: u32 = 0x40_0000;
/// Where the device data of an FS3 image begins, from the end of the flash.
const DEVICE_DATA: u32 = 0x6_0000;
/// Sectors of the settings store of ConnectX-3, each 4 KiB, two in each half.
const FS2_SETTINGS: u32 = 0x2000;

/// The chip that a profile names, or the usual one of its generation.
pub(crate) fn chip(profile: &Profile) -> ChipFacts {
    let usual = match profile.card.generation {
        Generation::ConnectX3 => W25Q16,
        Generation::ConnectX4 => N25Q128,
    };
    let flash = &profile.flash;
    let jedec = flash.jedec.unwrap_or(usual);
    // A chip that nobody knows works like the usual one.
    let known = FlashChip::of(jedec).or_else(|| FlashChip::of(usual));
    let mut facts = known.as_ref().map(ChipFacts::of).unwrap_or_default();
    facts.jedec = jedec;
    facts.bytes = flash.bytes.unwrap_or(facts.bytes);
    facts
}

/// Where the image of a new card starts.
pub(crate) fn start(profile: &Profile) -> u32 {
    if profile.flash.slot == 0 {
        0
    } else {
        chunk(profile)
    }
}

fn chunk(profile: &Profile) -> u32 {
    profile
        .flash
        .chunk
        .unwrap_or(match profile.card.generation {
            Generation::ConnectX3 => FS2_CHUNK,
            Generation::ConnectX4 => FS3_CHUNK,
        })
}

/// The MAC of each port of this card.
pub(crate) fn macs(profile: &Profile, state: &State) -> Vec<Mac> {
    let apart = u64::from(state.number) * 0x100;
    profile
        .ports
        .iter()
        .map(|port| port.mac.plus(apart))
        .collect()
}

/// Everything that is on the chip.
///
/// A profile that cannot be built leaves it erased; a test sees that all can.
pub(crate) fn cells(profile: &Profile, state: &State) -> Cells {
    let size = chip(profile).bytes;
    let blank = || Cells::erased(size);
    if profile.flash.content == FlashContent::Blank {
        return blank();
    }
    let macs = macs(profile, state);
    let mut bytes = match profile.card.generation {
        Generation::ConnectX3 => fs2_flash(profile, &macs, size),
        Generation::ConnectX4 => fs3_flash(profile, &macs, size),
    }
    .unwrap_or_default();
    if bytes.len() != size as usize {
        return blank();
    }
    if profile.flash.content == FlashContent::Damaged {
        // In boot2, behind every header: 0x38 of the first image, not only its CRC.
        for start in START_ADDRESSES {
            if let Some(byte) = bytes.get_mut(start + 0x60) {
                *byte ^= 0x10;
            }
        }
    }
    Cells::of(&bytes)
}

/// An image that goes into one slot.
struct Part<'a> {
    firmware: Version,
    rom: Option<&'a Rom>,
    slot: usize,
}

/// The image that runs, and the other one if there is one.
fn parts(profile: &Profile) -> (Part<'_>, Option<Part<'_>>) {
    let slot = profile.flash.slot;
    let running = Part {
        firmware: profile.card.firmware,
        rom: profile.rom.as_ref(),
        slot,
    };
    let other = profile.flash.other.as_ref().map(|other| Part {
        firmware: other.firmware,
        rom: other.rom.as_ref(),
        slot: 1 - slot.min(1),
    });
    (running, other)
}

fn rom_table(profile: &Profile, rom: Option<&Rom>) -> String {
    let Some(rom) = rom else {
        return String::new();
    };
    let rom = OptionRom::build(rom, profile.card.device, profile.card.class);
    let mut text = "[rom]\nhex = '".to_owned();
    for byte in rom.bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push_str("'\n");
    text
}

fn hardware_id(profile: &Profile) -> u32 {
    u32::from(profile.card.hw_revision) << 16 | u32::from(profile.card.hw_id)
}

/// A GUID as it goes with a MAC: 02c9 03 in the middle of it.
fn guid(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([a, b, c, 0x03, 0x00, d, e, f])
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn fs2_flash(profile: &Profile, macs: &[Mac], size: u32) -> Option<Vec<u8>> {
    let chunk = chunk(profile);
    let (running, other) = parts(profile);
    let image = |part: &Part<'_>| build(&fs2_text(profile, part, macs)).ok();
    let mut slots = [None, None];
    *slots.get_mut(running.slot)? = Some(image(&running)?);
    if let Some(other) = other {
        let mut bytes = image(&other)?;
        hide(profile, &mut bytes);
        *slots.get_mut(other.slot)? = Some(bytes);
    }
    let log2_chunk = u8::try_from(chunk.trailing_zeros()).ok()?;
    let slots = slots.each_ref().map(Option::as_deref);
    let mut flash = flash_dump(slots, Some(log2_chunk), size, &[0xff]).ok()?;
    for odd in [false, true] {
        let stripes = Stripes::new(log2_chunk, odd)?;
        for at in size / 2 - FS2_SETTINGS..size / 2 {
            let place = usize::try_from(stripes.physical(u64::from(at))).ok()?;
            *flash.get_mut(place)? = pattern(at);
        }
    }
    Some(flash)
}

fn fs2_text(profile: &Profile, part: &Part<'_>, macs: &[Mac]) -> String {
    let card = &profile.card;
    let first = macs.first().copied().unwrap_or(Mac([0; 6]));
    let second = macs.get(1).copied().unwrap_or(first.plus(1));
    let node = guid(first).wrapping_sub(1);
    let guids = [node, guid(first), guid(second), node.wrapping_add(3)];
    let mut guids: Vec<String> = guids.iter().map(|guid| format!("'{guid:016x}'")).collect();
    guids.extend([first, second].map(|mac| format!("'{mac}'")));
    format!(
        "format = 'fs2'\npsid = {}\nfirmware = '{}'\ndate = '2017-09-25'\ndevice_id = {:#x}\n\
         hardware_ids = [{:#x}]\nchunk = {:#x}\nmic_version = '2.0.0'\nvsd = {}\n\
         guids = [{}]\nini = \"[PS_INFO]\\nName = {}\\n\"\n{}{}",
        quoted(&card.psid),
        part.firmware,
        card.device,
        hardware_id(profile),
        chunk(profile),
        quoted(&card.part_number),
        guids.join(", "),
        card.part_number,
        fs2_code(profile),
        rom_table(profile, part.rom),
    )
}

/// Code that fills more than one chunk where the chunks are small.
fn fs2_code(profile: &Profile) -> String {
    if chunk(profile) > 0x1_0000 {
        String::new()
    } else {
        "code = [{ random = 11, size = 0x9000 }, { random = 12, size = 0x5400 }, \
         { random = 13, size = 0x800 }]\n"
            .to_owned()
    }
}

fn fs3_flash(profile: &Profile, macs: &[Mac], size: u32) -> Option<Vec<u8>> {
    let (running, other) = parts(profile);
    let whole = |part: &Part<'_>| build(&fs3_text(profile, part, macs, size)).ok();
    let mut flash = whole(&running)?;
    if let Some(other) = other {
        let mut second = whole(&other)?;
        let chunk = chunk(profile);
        let from = (chunk as usize) * other.slot;
        let to = if other.slot == 0 {
            chunk
        } else {
            size - DEVICE_DATA
        };
        let part = second.get_mut(from..to as usize)?;
        hide(profile, part);
        flash.get_mut(from..to as usize)?.copy_from_slice(part);
    }
    // The settings store and its log, but not how they begin.
    for (from_end, length) in [(0x6_0000, 0x1000), (0x5_0000, 0x800), (0x4_0000, 0x400)] {
        let start = size - from_end;
        for at in start + 0x14..start + length {
            *flash.get_mut(at as usize)? = pattern(at);
        }
    }
    Some(flash)
}

fn fs3_text(profile: &Profile, part: &Part<'_>, macs: &[Mac], size: u32) -> String {
    let card = &profile.card;
    let first = macs.first().copied().unwrap_or(Mac([0; 6]));
    let [a, b, c, d, e, f] = first.0;
    let security = if profile.flash.secure {
        "security = ['secure-fw', 'signed-fw']\nsignature = 'vendor'\npublic_keys = true\n"
    } else {
        ""
    };
    format!(
        "format = 'fs3'\nfile_size = {size:#x}\nlog2_chunk = {}\nslots = [{}]\npsid = {}\n\
         version = '{}'\ndate = '2020-11-30'\nmic_version = '2.0.0'\nhw_ids = [{:#x}]\n\
         pci_device = {:#x}\nname = {}\ndescription = {}\nprs_name = 'virtual.prs'\nvsd = {}\n\
         device_vsd = {}\nbase_guid = {:#x}\nbase_mac = {:#x}\nspare_itoc = 'none'\n\
         ini = \"[image_info]\\nname = {}\\n\"\n{security}{}\
         [[section]]\ntype = 'PCI_CODE'\ncontent = {{ random = 2, size = 0x800 }}\n\
         [[section]]\ntype = 'MAIN_CODE'\ncontent = {{ random = 3, size = 0x5000 }}\n\
         [[section]]\ntype = 'HW_BOOT_CFG'\ncontent = {{ random = 4, size = 0x400 }}\n\
         [[section]]\ntype = 'FW_MAIN_CFG'\ncontent = {{ random = 5, size = 0x400 }}\n",
        chunk(profile).trailing_zeros(),
        part.slot,
        quoted(&card.psid),
        part.firmware,
        hardware_id(profile),
        card.device,
        quoted(&card.part_number),
        quoted(&card.long_name),
        quoted(&card.name),
        quoted(&card.serial_number),
        guid(first),
        u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
        card.part_number,
        rom_table(profile, part.rom),
    )
}

/// What mstflint 4.21 does to the image that it replaced: it zeroes the first
/// dword of its magic.
fn hide(profile: &Profile, image: &mut [u8]) {
    let hidden = profile
        .flash
        .other
        .as_ref()
        .is_some_and(|other| other.hidden);
    if let Some(dword) = image.get_mut(..4).filter(|_| hidden) {
        dword.fill(0);
    }
}

/// Bytes that are neither erased nor zero, and different from place to place.
fn pattern(at: u32) -> u8 {
    let [_, high, middle, low] = at.to_be_bytes();
    0x80 | (high ^ middle.rotate_left(3) ^ low) & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::firmware::Firmware;
    use crate::sim::{Boot, catalog};

    /// So nobody has to build a flash to know what a new card runs.
    #[test]
    fn every_new_card_boots_what_its_profile_says() {
        for name in catalog::names() {
            let mut firmware = Firmware::of_profile(name);
            let profile = std::sync::Arc::clone(&firmware.profile);
            let boot = firmware.boot(false);
            let Boot::Firmware(image) = boot else {
                assert_ne!(
                    profile.flash.content,
                    FlashContent::Firmware,
                    "{name}: {boot}"
                );
                assert!(!firmware.runs());
                continue;
            };
            assert!(firmware.runs(), "{name}");
            assert_eq!(image.firmware, profile.card.firmware.to_string(), "{name}");
            assert_eq!(image.psid, profile.card.psid, "{name}");
            assert_eq!(image.start, start(&profile), "{name}");
            let macs = macs(&profile, &firmware.state);
            let macs: Vec<String> = macs.iter().map(Mac::to_string).collect();
            assert_eq!(image.macs, macs, "{name}");
            let rom = firmware.booted_rom().map(|rom| rom.bytes);
            assert_eq!(image.rom, rom, "{name}");
        }
    }

    #[test]
    fn the_records_of_the_usual_chips_are_there() {
        for jedec in [W25Q16, N25Q128] {
            assert!(FlashChip::of(jedec).is_some());
        }
    }
}
