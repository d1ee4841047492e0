//! FS2 images from a description: the sections of a released ConnectX-3 image in
//! their order, with made-up contents.
//!
//! ```toml
//! format = "fs2"
//! psid = "MT_1090111019"
//! firmware = "2.42.5000"
//! date = "2017-09-25"
//! device_id = 0x1007
//! chunk = 0x80000                      # failsafe, with this chunk size
//! mic_version = "2.0.0"                # without it the full-image CRC does not count
//! guids = ["0002c90300000001", "0002c90300000002", "0002c90300000003",
//!          "0002c90300000004", "0002c9000001", "0002c9000002"]    # without: blank
//! rom = { hex = "55 aa ..." }
//! ini = "[PS_INFO]\n"
//! flash = { size = 0x200000, slots = [1] }     # a dump instead of the image alone
//! ```
//!
//! # Sources
//! See [`crate::image::fs2`].

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Deserialize;

use super::{BuildError, Content};
use crate::image::FIRMWARE_MAGIC;
use crate::image::boot2::Boot2;
use crate::image::checksum::crc16;
use crate::image::fs2::{
    END_TAG, Fs2Header, LAST, SectionType, Stripes, checked_word, encode_header, failsafe_word,
};

/// An FS2 image, or a flash with one or two of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fs2Description {
    /// Must be `fs2`.
    pub format: Fs2Format,
    /// Parameter-set id, at most 16 characters.
    #[serde(default = "usual_psid")]
    pub psid: String,
    /// Version of the firmware.
    #[serde(default = "usual_firmware")]
    pub firmware: String,
    /// Day of the build, `yyyy-mm-dd`.
    #[serde(default = "usual_date")]
    pub date: String,
    /// PCI device id; left out of the image where it is 0.
    #[serde(default = "usual_device")]
    pub device_id: u16,
    /// Hardware ids; without them the one that goes with the PCI device id.
    pub hardware_ids: Option<Vec<u32>>,
    /// Product version, at most 16 characters.
    pub product_version: Option<String>,
    /// The oldest mstflint for it.
    pub mic_version: Option<String>,
    /// Vendor-specific data, at most 208 characters.
    #[serde(default)]
    pub vsd: String,
    /// Name of the .prs file.
    #[serde(default)]
    pub prs_name: String,
    /// Four GUIDs and two MACs in hexadecimal; without them they are blank.
    pub guids: Option<[String; 6]>,
    /// Boot code.
    pub boot2: Option<Content>,
    /// A second block of boot code.
    pub second_boot2: Option<Content>,
    /// Whether there is no second block, as in old images.
    #[serde(default)]
    pub single_boot2: bool,
    /// Writes to registers, as `[register, value, mask]`, before those of the
    /// boot defaults.
    #[serde(default)]
    pub configuration: Vec<[u32; 3]>,
    /// Whether the boot defaults of a released image are in the first
    /// configuration section.
    #[serde(default = "yes")]
    pub boot_defaults: bool,
    /// Writes to registers in the second configuration section.
    #[serde(default)]
    pub late_configuration: Vec<[u32; 3]>,
    /// The expansion ROM.
    pub rom: Option<Content>,
    /// Sections of code.
    pub code: Option<Vec<Content>>,
    /// The ini; nobody goes by it.
    #[serde(default)]
    pub ini: String,
    /// Chunk size of a failsafe image.
    pub chunk: Option<u32>,
    /// Area of the settings store: sectors, padding, log2 of the sector size in KiB.
    #[serde(default = "usual_settings_area")]
    pub settings_area: Vec<u32>,
    /// A flash that holds the image.
    pub flash: Option<FlashDescription>,
}

/// The one value of `format` in a description of an FS2 image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fs2Format {
    /// FS2.
    Fs2,
}

/// A flash with images in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashDescription {
    /// Bytes of the flash.
    pub size: u32,
    /// Which slots hold the image: `[0]`, `[1]` or `[0, 1]`.
    pub slots: Vec<usize>,
    /// What is where no image is, over and over; erased (FF) if not given.
    pub stale: Option<Content>,
}

fn usual_psid() -> String {
    "FLX0000000001".to_owned()
}
fn usual_firmware() -> String {
    "2.42.5000".to_owned()
}
fn usual_date() -> String {
    "2017-09-25".to_owned()
}
fn usual_device() -> u16 {
    0x1003
}
fn usual_settings_area() -> Vec<u32> {
    vec![2, 0, 2]
}
fn yes() -> bool {
    true
}

/// The boot defaults of released ConnectX-3 Pro firmware (2.42.5000): global,
/// then three of each port.
const BOOT_DEFAULTS: [[u32; 3]; 7] = [
    [0x1_f57c, 0x0024_0000, 0x003f_ff00],
    [0x1_f580, 0x2001_0001, 0xf0ff_0fff],
    [0x1_f584, 0xc000_0000, 0xe3ff_ffff],
    [0x1_f588, 0xc000_0000, 0xfcff_c000],
    [0x1_f590, 0x2001_0001, 0xf0ff_0fff],
    [0x1_f594, 0xc000_0000, 0xe3ff_ffff],
    [0x1_f598, 0xc000_0000, 0xfcff_c000],
];
/// Registers that get the version of the firmware.
const VERSION_REGISTERS: [u32; 2] = [0x1_f064, 0x1_f068];
const LOAD_ADDRESS: u32 = 0x10_0000;
const MOST_FLASH_BYTES: u32 = 64 << 20;

fn wrong(path: &str, problem: impl Into<String>) -> BuildError {
    BuildError::Value {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

impl Fs2Description {
    /// Reads a description.
    ///
    /// # Errors
    /// Not TOML, or not of this shape.
    pub fn from_toml(text: &str) -> Result<Self, BuildError> {
        toml::from_str(text).map_err(|error| BuildError::Syntax(error.to_string()))
    }

    /// The image, or the flash that holds it.
    ///
    /// # Errors
    /// A value that cannot be built, named by its key.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let image = self.image()?;
        let Some(flash) = &self.flash else {
            return Ok(image);
        };
        let mut slots = [None, None];
        for &slot in &flash.slots {
            let place = slots
                .get_mut(slot)
                .ok_or_else(|| wrong("flash.slots", "a slot is 0 or 1"))?;
            *place = Some(&image[..]);
        }
        let stale = match &flash.stale {
            Some(content) => content.bytes("flash.stale")?,
            None => vec![0xff],
        };
        flash_dump(slots, self.log2_chunk()?, flash.size, &stale)
    }

    /// The image alone.
    ///
    /// # Errors
    /// A value that cannot be built, named by its key.
    pub fn image(&self) -> Result<Vec<u8>, BuildError> {
        let mut image = Image {
            bytes: Vec::new(),
            last: None,
            blank: None,
        };
        let header = self.header()?;
        image.bytes.extend(header.encode());
        image.boot2(self.boot2.as_ref(), "boot2", 1)?;
        if !self.single_boot2 {
            image.boot2(self.second_boot2.as_ref(), "second_boot2", 2)?;
        }
        image.section(SectionType::Configuration, &self.first_configuration()?);
        if let Some(rom) = &self.rom {
            image.section(SectionType::Rom, &dwords_of("rom", rom.bytes("rom")?)?);
        }
        let guids = self.guid_data()?;
        let guid_pointer = image.section(SectionType::Guid, &guids);
        if self.guids.is_none() {
            image.make_blank(guids.len());
        }
        let info_pointer = image.section(SectionType::ImageInfo, &self.info()?);
        let usual = [(1, 0x1000), (2, 0x2000), (3, 0x400)].map(|(random, size)| Content {
            random: Some(random),
            size: Some(size),
            ..Content::default()
        });
        for content in self.code.as_deref().unwrap_or(&usual) {
            let code = dwords_of("code", content.bytes("code")?)?;
            image.section(SectionType::Ddr, &code);
        }
        let late: Vec<u8> = triples(&self.late_configuration);
        image.section(SectionType::Configuration, &late);
        let jumps = [0x1_f000, LOAD_ADDRESS, 0x1_f004, LOAD_ADDRESS + 0x40_u32];
        let jumps: Vec<u8> = jumps.iter().flat_map(|dword| dword.to_be_bytes()).collect();
        image.section(SectionType::JumpAddresses, &jumps);
        image.section(SectionType::FirmwareConfiguration, &zlib(&self.ini)?);
        image.finish(&header, info_pointer, guid_pointer, self.guids.is_none())
    }

    fn log2_chunk(&self) -> Result<Option<u8>, BuildError> {
        self.chunk
            .map(|chunk| {
                let log2 = u8::try_from(chunk.trailing_zeros()).unwrap_or_default();
                if chunk.is_power_of_two() && Stripes::new(log2, false).is_some() {
                    Ok(log2)
                } else {
                    Err(wrong(
                        "chunk",
                        "must be a power of two from 0x10000 to 0x800000",
                    ))
                }
            })
            .transpose()
    }

    fn header(&self) -> Result<Fs2Header, BuildError> {
        Ok(Fs2Header {
            magic: FIRMWARE_MAGIC,
            preboot: [0, 0, 0, 0],
            device_revision: 0,
            crc_absent: 0,
            crc: 0xffff,
            format: 4,
            failsafe: failsafe_word(self.log2_chunk()?),
            info_pointer: 0,
            size: 0,
            guid_pointer: 0,
        })
    }

    fn first_configuration(&self) -> Result<Vec<u8>, BuildError> {
        let [major, minor, subminor] = version("firmware", &self.firmware)?.map(u32::from);
        let version = [major << 16, minor << 16 | subminor];
        let mut writes: Vec<[u32; 3]> = VERSION_REGISTERS
            .into_iter()
            .zip(version)
            .map(|(register, value)| [register, value, u32::MAX])
            .collect();
        writes.extend(&self.configuration);
        if self.boot_defaults {
            writes.extend(BOOT_DEFAULTS);
        }
        Ok(triples(&writes))
    }

    fn guid_data(&self) -> Result<Vec<u8>, BuildError> {
        let Some(guids) = &self.guids else {
            return Ok(vec![0xff; 6 * 8]);
        };
        let mut data = Vec::new();
        for guid in guids {
            let digits = guid.trim_start_matches("0x").replace(':', "");
            let guid = u64::from_str_radix(&digits, 16)
                .map_err(|_| wrong("guids", format!("`{guid}` is no number in hexadecimal")))?;
            data.extend(guid.to_be_bytes());
        }
        Ok(data)
    }

    fn info(&self) -> Result<Vec<u8>, BuildError> {
        let mut tags = Tags(Vec::new());
        tags.dwords(0, &[1]);
        tags.version(1, version("firmware", &self.firmware)?);
        let digits: String = self.date.chars().filter(char::is_ascii_digit).collect();
        let date = u32::from_str_radix(&digits, 16)
            .ok()
            .filter(|_| digits.len() == 8)
            .ok_or_else(|| wrong("date", "must be yyyy-mm-dd"))?;
        tags.dwords(2, &[0x0012_3456, date]);
        if self.device_id != 0 {
            tags.dwords(3, &[u32::from(self.device_id)]);
        }
        let hardware_ids = match (&self.hardware_ids, self.device_id) {
            (Some(ids), _) => ids.clone(),
            (None, 0x1003) => vec![0x1f5],
            (None, 0x1007) => vec![0x1f7],
            (None, _) => Vec::new(),
        };
        if !hardware_ids.is_empty() {
            let mut list = hardware_ids;
            list.resize(list.len().max(4), 0);
            tags.dwords(10, &list);
        }
        tags.dwords(8, &[0x15b3]);
        tags.text(4, "psid", &self.psid, 16)?;
        tags.text(5, "vsd", &self.vsd, 208)?;
        if let Some(product) = &self.product_version {
            tags.text(7, "product_version", product, 16)?;
        }
        if let Some(mic) = &self.mic_version {
            tags.version(11, version("mic_version", mic)?);
        }
        if !self.settings_area.is_empty() {
            tags.dwords(19, &self.settings_area);
        }
        if !self.prs_name.is_empty() {
            tags.text(20, "prs_name", &self.prs_name, 100)?;
        }
        tags.dwords(END_TAG, &[]);
        Ok(tags.0)
    }
}

/// An image that grows.
struct Image {
    bytes: Vec<u8>,
    /// Where the last section starts.
    last: Option<usize>,
    /// Where the section starts whose CRC is not computed.
    blank: Option<usize>,
}

impl Image {
    fn boot2(
        &mut self,
        content: Option<&Content>,
        path: &str,
        seed: u32,
    ) -> Result<(), BuildError> {
        let code = match content {
            Some(content) => content.bytes(path)?,
            None => Content {
                random: Some(seed + 100),
                size: Some(0x200 * seed),
                ..Content::default()
            }
            .bytes(path)?,
        };
        let code = dwords_of(path, code)?;
        if code.len() < 16 {
            return Err(wrong(path, "boot code has 16 bytes at least"));
        }
        self.bytes
            .extend(Boot2::build(LOAD_ADDRESS, &code, LOAD_ADDRESS + 8));
        Ok(())
    }

    /// Adds a section, and says where its data is.
    fn section(&mut self, kind: SectionType, data: &[u8]) -> usize {
        let start = self.bytes.len();
        if let Some(last) = self.last {
            self.link(last, start);
        }
        let param = match kind {
            SectionType::Ddr => LOAD_ADDRESS,
            _ => 0,
        };
        let dwords = u32::try_from(data.len() / 4).unwrap_or(u32::MAX);
        self.bytes.extend(encode_header(kind, dwords, param, LAST));
        self.bytes.extend_from_slice(data);
        self.bytes.extend([0; 4]);
        self.last = Some(start);
        self.crc(start, data.len());
        start + 16
    }

    fn link(&mut self, section: usize, next: usize) {
        let next_at = section + 12;
        let next_bytes = u32::try_from(next).unwrap_or(u32::MAX).to_be_bytes();
        put(&mut self.bytes, next_at, &next_bytes);
        let size = self.bytes.get(section + 4..section + 8);
        let size = size.and_then(|size| size.first_chunk().copied());
        let dwords = size.map_or(0, u32::from_be_bytes) as usize;
        if self.blank != Some(section) {
            self.crc(section, dwords * 4);
        }
    }

    fn crc(&mut self, section: usize, length: usize) {
        let end = section + 16 + length;
        let crc = crc16(self.bytes.get(section..end).unwrap_or_default());
        put(&mut self.bytes, end, &u32::from(crc).to_be_bytes());
    }

    /// Gives the last section the CRC of GUIDs that are not set yet.
    fn make_blank(&mut self, length: usize) {
        self.blank = self.last;
        if let Some(section) = self.last {
            put(&mut self.bytes, section + 16 + length, &[0, 0, 0xff, 0xff]);
        }
    }

    fn finish(
        mut self,
        header: &Fs2Header,
        info_pointer: usize,
        guid_pointer: usize,
        blank: bool,
    ) -> Result<Vec<u8>, BuildError> {
        let too_large = || wrong("code", "the image is larger than 16 MiB");
        let dword = |at: usize| {
            u32::try_from(at)
                .ok()
                .filter(|&at| at < 1 << 24)
                .ok_or_else(too_large)
        };
        let mut header = Fs2Header {
            info_pointer: checked_word(dword(info_pointer)?),
            guid_pointer: dword(guid_pointer)?,
            size: dword(self.bytes.len())?,
            ..header.clone()
        };
        put(&mut self.bytes, 0, &header.encode());
        if !blank {
            header.crc = crc16(&self.bytes);
            put(&mut self.bytes, 0, &header.encode());
        }
        Ok(self.bytes)
    }
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}

/// The data of an image info section that grows.
struct Tags(Vec<u8>);

impl Tags {
    fn bytes(&mut self, id: u8, data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap_or_default();
        self.0.extend((u32::from(id) << 24 | length).to_be_bytes());
        self.0.extend_from_slice(data);
    }

    fn dwords(&mut self, id: u8, dwords: &[u32]) {
        let data: Vec<u8> = dwords
            .iter()
            .flat_map(|dword| dword.to_be_bytes())
            .collect();
        self.bytes(id, &data);
    }

    fn version(&mut self, id: u8, [major, minor, subminor]: [u16; 3]) {
        let [major, minor, subminor] = [major, minor, subminor].map(u32::from);
        self.dwords(id, &[major << 16, minor << 16 | subminor]);
    }

    fn text(&mut self, id: u8, path: &str, text: &str, length: usize) -> Result<(), BuildError> {
        if text.len() > length {
            return Err(wrong(path, format!("has more than {length} characters")));
        }
        let mut data = text.as_bytes().to_vec();
        data.resize(length, 0);
        self.bytes(id, &data);
        Ok(())
    }
}

fn version(path: &str, text: &str) -> Result<[u16; 3], BuildError> {
    let parts: Option<Vec<u16>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts
        .and_then(|parts| <[u16; 3]>::try_from(parts).ok())
        .ok_or_else(|| wrong(path, "must be three numbers with dots between"))
}

fn triples(writes: &[[u32; 3]]) -> Vec<u8> {
    let dwords = writes.iter().flatten();
    dwords.flat_map(|dword| dword.to_be_bytes()).collect()
}

fn dwords_of(path: &str, bytes: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    if !bytes.len().is_multiple_of(4) {
        return Err(wrong(path, "must be a multiple of 4 bytes"));
    }
    Ok(bytes)
}

fn zlib(text: &str) -> Result<Vec<u8>, BuildError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(text.as_bytes());
    let packed = packed.and_then(|()| encoder.finish());
    let mut packed = packed.map_err(|error| wrong("ini", error.to_string()))?;
    packed.resize(packed.len().next_multiple_of(4), 0);
    Ok(packed)
}

/// A copy of a failsafe flash with these images in its slots, and `stale` over
/// and over where they are not.
///
/// # Errors
/// An image that is not failsafe or does not fit in its half, or a flash of an
/// impossible size.
pub fn flash_dump(
    slots: [Option<&[u8]>; 2],
    log2_chunk: Option<u8>,
    size: u32,
    stale: &[u8],
) -> Result<Vec<u8>, BuildError> {
    let stripes = |odd| log2_chunk.and_then(|log2| Stripes::new(log2, odd));
    let (Some(even), Some(odd)) = (stripes(false), stripes(true)) else {
        return Err(wrong("flash", "needs a failsafe image: give chunk"));
    };
    if size > MOST_FLASH_BYTES || !(size as usize).is_multiple_of(even.chunk() * 2) {
        return Err(wrong(
            "flash.size",
            "must be a multiple of two chunks, 64 MiB at most",
        ));
    }
    let mut flash: Vec<u8> = stale.iter().copied().cycle().take(size as usize).collect();
    flash.resize(size as usize, 0xff);
    for (image, stripes) in slots.into_iter().zip([even, odd]) {
        let Some(image) = image else { continue };
        for (index, part) in image.chunks(stripes.chunk()).enumerate() {
            let address = (index * stripes.chunk()) as u64;
            let start = usize::try_from(stripes.physical(address)).unwrap_or(usize::MAX);
            let place = start
                .checked_add(part.len())
                .and_then(|end| flash.get_mut(start..end))
                .ok_or_else(|| wrong("flash.size", "the image does not fit into its half"))?;
            place.copy_from_slice(part);
        }
    }
    Ok(flash)
}
