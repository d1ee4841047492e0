//! What a description of an FS3 image may say.

use serde::Deserialize;

use crate::image::build::{BuildError, Content};

/// An FS3 file, described.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fs3Description {
    /// Always `fs3`.
    pub format: Fs3Format,
    /// Bytes of the file: 0x200000 to 0x1000000, in steps of 4 KiB.
    pub file_size: u32,
    /// Log2 of the chunk; 0 is stored as it is and means 21.
    #[serde(default = "default_log2_chunk")]
    pub log2_chunk: u8,
    /// Which slots hold the image: `[0]`, `[1]` or `[0, 1]`.
    #[serde(default = "first_slot")]
    pub slots: Vec<usize>,
    /// What is where nothing is.
    #[serde(default = "blank")]
    pub fill: u8,
    /// The board; up to 16 letters.
    #[serde(default)]
    pub psid: String,
    /// The board that MFG_INFO names; that of `psid` when it is left out.
    pub original_psid: Option<String>,
    /// Version, `major.minor.sub`.
    #[serde(default = "no_version")]
    pub version: String,
    /// Release date, `year-month-day`.
    pub date: Option<String>,
    /// Oldest tool, `major.minor.sub`.
    pub mic_version: Option<String>,
    /// Up to four hardware ids.
    pub hw_ids: Vec<u32>,
    /// PCI device id.
    #[serde(default)]
    pub pci_device: u16,
    /// Part number.
    #[serde(default)]
    pub name: String,
    /// Description.
    #[serde(default)]
    pub description: String,
    /// Name of the .prs file.
    #[serde(default)]
    pub prs_name: String,
    /// Product version, for firmware that is released with its ROM.
    #[serde(default)]
    pub product_version: String,
    /// VSD of the image.
    #[serde(default)]
    pub vsd: String,
    /// VSD of the card.
    #[serde(default)]
    pub device_vsd: String,
    /// `secure-fw`, `signed-fw`, `debug`, `mcc`.
    #[serde(default)]
    pub security: Vec<String>,
    /// First GUID.
    #[serde(default)]
    pub base_guid: u64,
    /// First MAC.
    #[serde(default)]
    pub base_mac: u64,
    /// How many addresses.
    #[serde(default = "default_count")]
    pub address_count: u8,
    /// Addresses per port, as in old images, with this step.
    pub per_port_step: Option<u8>,
    /// Code of boot2; 0x100 bytes when it is left out.
    pub boot2: Option<Content>,
    /// Where a table of contents that does not count is.
    #[serde(default)]
    pub spare_itoc: SpareItoc,
    /// The sections, in their order; PCI_CODE and IMAGE_INFO come by themselves
    /// before them when they are not listed.
    #[serde(default)]
    pub section: Vec<Fs3Section>,
    /// The expansion ROM; it lies before PCI_CODE.
    pub rom: Option<Content>,
    /// The text for DBG_FW_INI.
    pub ini: Option<String>,
    /// What the signature section holds.
    #[serde(default)]
    pub signature: Fs3Signature,
    /// Whether there are sections with keys.
    #[serde(default)]
    pub public_keys: bool,
}

/// The format, for the sake of a message when it is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fs3Format {
    /// The only one.
    Fs3,
}

/// A section, described.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fs3Section {
    /// Name of its type, or its number.
    #[serde(rename = "type")]
    pub section_type: TypeName,
    /// What it holds, in whole dwords.
    pub content: Content,
    /// First parameter.
    #[serde(default)]
    pub param0: u32,
    /// Second parameter.
    #[serde(default)]
    pub param1: u32,
    /// It has no CRC.
    #[serde(default)]
    pub no_crc: bool,
    /// It is compressed.
    #[serde(default)]
    pub zipped: bool,
    /// What its start is a multiple of.
    #[serde(default = "sector")]
    pub align: u32,
}

/// The type of a section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum TypeName {
    /// By number.
    Number(u8),
    /// By name.
    Name(String),
}

/// What the signature section holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fs3Signature {
    /// There is none.
    #[default]
    None,
    /// The SHA-256 of the image.
    Digest,
    /// Bytes that look like a vendor's signature, in IMAGE_SIGNATURE_256.
    Vendor,
    /// The same in both signature sections.
    Vendor512,
}

/// Where a table of contents that does not count is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpareItoc {
    /// There is none.
    #[default]
    None,
    /// Before the one that counts.
    First,
    /// Behind it.
    Second,
}

impl Fs3Description {
    /// Reads a description.
    ///
    /// # Errors
    /// Not TOML, or keys and values that are not known.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        toml::from_str(text).map_err(|error| BuildError::Syntax(error.to_string()))
    }

    /// The file.
    ///
    /// # Errors
    /// Values that cannot be built, or more than the file has room for.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        super::image::build(self)
    }
}

fn default_log2_chunk() -> u8 {
    0x16
}

fn first_slot() -> Vec<usize> {
    vec![0]
}

fn blank() -> u8 {
    0xff
}

fn no_version() -> String {
    "0.0.0".to_owned()
}

fn default_count() -> u8 {
    8
}

fn sector() -> u32 {
    0x1000
}
