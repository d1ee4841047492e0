//! Expansion ROMs from a description.
//!
//! ```toml
//! format = "option-rom"
//! vendor_id = 0x15b3
//! device_id = 0x1013
//!
//! [[image]]                       # as iPXE makes it
//! code_type = 0
//! device_list = [0x1013]
//! pnp = { manufacturer = "nobody", product = "a test", bev = 0x200 }
//! undi = {}
//! ipxe = { build_id = 0x12345678 }
//! contents = { random = 1, size = 700 }
//!
//! [[image]]
//! code_type = 3
//! efi = { machine = 0x8664 }
//! contents = { text = "an EFI driver" }
//!
//! [[record]]                      # behind the last image
//! product = 0x10
//! version = "3.4.812"
//! ```
//!
//! Everything has a usual value; sums and lengths are right unless said
//! otherwise. [`OptionRomDescription`] has all keys.

use serde::Deserialize;

use super::super::option_rom::{
    CodeType, CpuArchitecture, EfiHeader, FlexBootVersion, IpxeStructure, OtherHeader, PcHeader,
    Pcir, PcirFields, PnpHeader, RecordTarget, RomHeader, RomProduct, RomProtocol, StoredRecord,
    UndiId, device_list_bytes,
};
use super::{BuildError, Content};

const BLOCK_BYTES: usize = 512;
const PCIR_AT: usize = 0x1c;
/// Header, PCIR, and the byte behind it that makes the sum of an EFI image.
const HEADERS_END: usize = 0x40;
const MELLANOX: u16 = 0x15b3;
const ETHERNET: u32 = 0x02_0000;
const MOST_BLOCKS: usize = 0xffff;

/// A ROM as text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionRomDescription {
    /// `option-rom`.
    pub format: String,
    /// PCI vendor id of all images that have none of their own.
    pub vendor_id: Option<u16>,
    /// PCI device id of all images and records that have none of their own.
    pub device_id: Option<u16>,
    /// The images, in file order.
    #[serde(rename = "image", default)]
    pub images: Vec<ImageDescription>,
    /// The version records behind the last image.
    #[serde(rename = "record", default)]
    pub records: Vec<RecordDescription>,
    /// What follows behind all of it.
    pub trailing: Option<Content>,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageDescription {
    /// Code type, 0 where it is left out.
    #[serde(default)]
    pub code_type: u8,
    /// PCI vendor id.
    pub vendor_id: Option<u16>,
    /// PCI device id.
    pub device_id: Option<u16>,
    /// More device ids; needs revision 3.
    pub device_list: Option<Vec<u16>>,
    /// Revision of PCIR: 3 where it is left out.
    pub pcir_revision: Option<u8>,
    /// Class code, such as 0x020000.
    pub class: Option<u32>,
    /// Whether it is marked as the last image; by default the last one is.
    pub last: Option<bool>,
    /// Blocks of 512 bytes; as few as are needed by default.
    pub blocks: Option<u16>,
    /// Size byte of the header, where it should be another than the blocks.
    pub size_byte: Option<u8>,
    /// Plug and Play header.
    pub pnp: Option<PnpDescription>,
    /// UNDI ROM id.
    pub undi: Option<UndiDescription>,
    /// iPXE header.
    pub ipxe: Option<IpxeDescription>,
    /// EFI header.
    pub efi: Option<EfiDescription>,
    /// Code, payload or EFI image.
    pub contents: Option<Content>,
    /// The version records inside, behind the contents.
    #[serde(rename = "record", default)]
    pub records: Vec<RecordDescription>,
    /// What the rest is filled with: 0xff where it is left out.
    pub fill: Option<u8>,
    /// Added to the sum of an image that should not add up to 0.
    #[serde(default)]
    pub wrong_sum: u8,
}

/// A Plug and Play header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PnpDescription {
    /// Manufacturer's name.
    pub manufacturer: Option<String>,
    /// Product's name.
    pub product: Option<String>,
    /// Boot connection vector.
    #[serde(default)]
    pub bcv: u16,
    /// Bootstrap entry vector.
    #[serde(default)]
    pub bev: u16,
    /// How many headers: more than one for a card with several ports.
    pub headers: Option<u8>,
}

/// A UNDI ROM id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndiDescription {
    /// Offset of the loader.
    #[serde(default)]
    pub loader: u16,
}

/// An iPXE header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpxeDescription {
    /// The build's own id.
    #[serde(default)]
    pub build_id: u32,
    /// Blocks after initialization.
    #[serde(default)]
    pub shrunk_blocks: u8,
}

/// An EFI header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfiDescription {
    /// Subsystem, 0xb where it is left out.
    pub subsystem: Option<u16>,
    /// Machine, 0x8664 where it is left out.
    pub machine: Option<u16>,
    /// Compression type.
    #[serde(default)]
    pub compression: u16,
}

/// A version record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordDescription {
    /// Product id, 0x10 (PXE) where it is left out.
    pub product: Option<u16>,
    /// Version, such as `3.4.812`.
    pub version: Option<String>,
    /// Version in words: product id 0xf.
    pub text: Option<String>,
    /// PCI device id.
    pub device_id: Option<u16>,
    /// Port, 0 for all.
    #[serde(default)]
    pub port: u8,
    /// Processor.
    #[serde(default)]
    pub cpu: u8,
    /// Network, 0xff (any) where it is left out.
    pub protocol: Option<u8>,
}

impl OptionRomDescription {
    /// Reads a description.
    ///
    /// # Errors
    /// It is no TOML, or has unknown keys.
    pub fn from_toml(text: &str) -> Result<Self, BuildError> {
        toml::from_str(text).map_err(|error| BuildError::Syntax(error.to_string()))
    }

    /// The ROM.
    ///
    /// # Errors
    /// A value that cannot be built.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        if self.format != "option-rom" {
            return Err(value("format", "it must be \"option-rom\""));
        }
        if self.images.is_empty() {
            return Err(value("image", "there must be one at least"));
        }
        let mut rom = Vec::new();
        for (index, image) in self.images.iter().enumerate() {
            let path = format!("image[{index}]");
            let last = image.last.unwrap_or(index + 1 == self.images.len());
            rom.extend(self.image(image, &path, last)?);
        }
        for (index, record) in self.records.iter().enumerate() {
            rom.extend(self.record(record, &format!("record[{index}]"))?);
        }
        if let Some(trailing) = &self.trailing {
            rom.extend(trailing.bytes("trailing")?);
        }
        Ok(rom)
    }

    fn image(
        &self,
        image: &ImageDescription,
        path: &str,
        last: bool,
    ) -> Result<Vec<u8>, BuildError> {
        let code_type = CodeType::from_id(image.code_type);
        let mut body = Body::new();
        let revision = image.pcir_revision.unwrap_or(3);
        if let Some(ids) = &image.device_list {
            if revision < 3 {
                return Err(value(path, "device_list needs pcir_revision 3"));
            }
            body.devices = body.add(&device_list_bytes(ids));
        }
        if let Some(pnp) = &image.pnp {
            body.add_pnp(pnp, path)?;
        }
        if let Some(undi) = &image.undi {
            body.add_undi(undi);
        }
        if let Some(ipxe) = &image.ipxe {
            body.add_ipxe(ipxe);
        }
        body.align(8);
        let contents_at = body.bytes.len();
        if let Some(contents) = &image.contents {
            body.bytes
                .extend(contents.bytes(&format!("{path}.contents"))?);
        }
        for (index, record) in image.records.iter().enumerate() {
            body.align(4);
            let record = self.record(record, &format!("{path}.record[{index}]"))?;
            body.bytes.extend(record);
        }
        let needed = body.bytes.len().div_ceil(BLOCK_BYTES);
        let blocks = image.blocks.map_or(needed, usize::from);
        if blocks < needed || blocks > MOST_BLOCKS {
            return Err(value(
                path,
                &format!("it needs {needed} blocks, and {blocks} are given"),
            ));
        }
        let mut bytes = body.bytes.clone();
        bytes.resize(blocks * BLOCK_BYTES, image.fill.unwrap_or(0xff));
        let pcir = Pcir::new(PcirFields {
            vendor_id: image.vendor_id.or(self.vendor_id).unwrap_or(MELLANOX),
            device_id: image.device_id.or(self.device_id).unwrap_or(0),
            device_list: body.devices.map_or(0, |at| at - word(PCIR_AT)),
            revision,
            class: class_bytes(image.class.unwrap_or(ETHERNET)),
            image_blocks: word(blocks),
            code_type,
            last,
        });
        put(&mut bytes, PCIR_AT, &pcir.to_bytes());
        let header = body.header(image, code_type, blocks, contents_at, path)?;
        put(&mut bytes, 0, &header.to_bytes());
        if code_type == CodeType::PcAt {
            put(&mut bytes, 0x1a, &body.pnp.unwrap_or(0).to_le_bytes());
            let summed = match &header {
                RomHeader::Pc(header) if header.size_blocks > 0 => {
                    usize::from(header.size_blocks) * BLOCK_BYTES
                }
                _ => bytes.len(),
            };
            let sum = sum(bytes.get(..summed).unwrap_or(&bytes));
            put(&mut bytes, 6, &[image.wrong_sum.wrapping_sub(sum)]);
        } else if matches!(header, RomHeader::Efi(_)) {
            // As iPXE's efirom does, though nobody demands it.
            let at = PCIR_AT + usize::from(pcir.length());
            put(&mut bytes, at, &[0]);
            let sum = sum(&bytes);
            put(&mut bytes, at, &[image.wrong_sum.wrapping_sub(sum)]);
        }
        Ok(bytes)
    }

    fn record(&self, record: &RecordDescription, path: &str) -> Result<Vec<u8>, BuildError> {
        if let Some(text) = &record.text {
            return StoredRecord::text(text.as_bytes())
                .map(|record| record.to_bytes())
                .ok_or_else(|| value(path, "the text is too long"));
        }
        let version: FlexBootVersion = record
            .version
            .as_deref()
            .and_then(|version| version.parse().ok())
            .ok_or_else(|| value(path, "give version = \"MAJOR.MINOR.SUB\", or text"))?;
        let target = RecordTarget {
            device_id: record.device_id.or(self.device_id).unwrap_or(0),
            port: record.port,
            cpu: CpuArchitecture::from_id(record.cpu),
            protocol: RomProtocol::from_id(record.protocol.unwrap_or(0xff)),
        };
        let product = RomProduct::from_id(record.product.unwrap_or(0x10));
        Ok(StoredRecord::numbered(product, version, target).to_bytes())
    }
}

/// An image while it grows.
struct Body {
    bytes: Vec<u8>,
    devices: Option<u16>,
    pnp: Option<u16>,
    undi: Option<u16>,
    ipxe: Option<u16>,
}

impl Body {
    fn new() -> Self {
        Self {
            bytes: vec![0; HEADERS_END],
            devices: None,
            pnp: None,
            undi: None,
            ipxe: None,
        }
    }

    fn align(&mut self, to: usize) {
        let length = self.bytes.len().next_multiple_of(to);
        self.bytes.resize(length, 0);
    }

    fn add(&mut self, bytes: &[u8]) -> Option<u16> {
        self.align(4);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        u16::try_from(at).ok()
    }

    fn add_pnp(&mut self, pnp: &PnpDescription, path: &str) -> Result<(), BuildError> {
        let mut text = |text: &Option<String>| {
            let text = text.as_ref()?;
            let mut bytes = text.clone().into_bytes();
            bytes.push(0);
            self.add(&bytes)
        };
        let (manufacturer, product) = (text(&pnp.manufacturer), text(&pnp.product));
        self.align(16);
        let headers = pnp.headers.unwrap_or(1);
        for number in 1..=headers {
            let at = self.bytes.len();
            let next = at + 0x20;
            let mut header = PnpHeader {
                revision: 1,
                length_units: 2,
                next: if number == headers { 0 } else { word(next) },
                reserved8: 0,
                checksum: 0,
                device_id: 0,
                manufacturer: manufacturer.unwrap_or(0),
                product: product.unwrap_or(0),
                device_type: [2, 0, 0],
                indicators: 0xf4,
                bcv: pnp.bcv,
                disconnect: 0,
                bev: pnp.bev,
                reserved1c: 0,
                static_resources: 0,
            };
            header.checksum = sum(&header.to_bytes()).wrapping_neg();
            let at = self.add(&header.to_bytes());
            self.pnp = self.pnp.or(at);
        }
        match self.pnp {
            Some(_) => Ok(()),
            None => Err(value(path, "pnp has no room, or no header")),
        }
    }

    fn add_undi(&mut self, undi: &UndiDescription) {
        let mut id = UndiId {
            length: 0x16,
            checksum: 0,
            revision: 0,
            version: [0, 1, 2],
            loader: undi.loader,
            stack_bytes: 0x800,
            data_bytes: 0x800,
            code_bytes: 0x800,
            bus: *b"PCIR",
        };
        id.checksum = sum(&id.to_bytes()).wrapping_neg();
        self.undi = self.add(&id.to_bytes());
    }

    fn add_ipxe(&mut self, ipxe: &IpxeDescription) {
        let mut header = IpxeStructure {
            length: 12,
            checksum: 0,
            shrunk_blocks: ipxe.shrunk_blocks,
            reserved: 0,
            build_id: ipxe.build_id,
        };
        header.checksum = sum(&header.to_bytes()).wrapping_neg();
        self.ipxe = self.add(&header.to_bytes());
    }

    fn header(
        &self,
        image: &ImageDescription,
        code_type: CodeType,
        blocks: usize,
        contents_at: usize,
        path: &str,
    ) -> Result<RomHeader, BuildError> {
        let byte = || {
            image
                .size_byte
                .or_else(|| u8::try_from(blocks).ok())
                .ok_or_else(|| value(path, "a BIOS image has 255 blocks at most"))
        };
        Ok(match (code_type, &image.efi) {
            (CodeType::PcAt, _) => RomHeader::Pc(PcHeader {
                size_blocks: byte()?,
                // A jump, as tools expect it; nobody runs it.
                entry: [0xe9, 0, 0],
                checksum: 0,
                reserved7: [0; 9],
                ipxe: self.ipxe.unwrap_or(0),
                reserved12: 0,
                bofm: 0,
                undi: self.undi.unwrap_or(0),
                pcir: word(PCIR_AT),
            }),
            (CodeType::Efi, Some(efi)) => RomHeader::Efi(EfiHeader {
                size_blocks: word(blocks),
                signature: 0x0ef1,
                subsystem: efi.subsystem.unwrap_or(0xb),
                machine: efi.machine.unwrap_or(0x8664),
                compression: efi.compression,
                reserved: [0; 8],
                image: word(contents_at),
                pcir: word(PCIR_AT),
            }),
            _ => RomHeader::Other(OtherHeader {
                // iPXE's payload says 1, for BIOSes that look at it.
                size_blocks: image.size_byte.unwrap_or(1),
                data: [0; 21],
                pcir: word(PCIR_AT),
            }),
        })
    }
}

fn class_bytes(class: u32) -> [u8; 3] {
    let [interface, sub, base, _] = class.to_le_bytes();
    [interface, sub, base]
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + new.len()) {
        place.copy_from_slice(new);
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Sizes that were checked before.
fn word(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn value(path: &str, problem: &str) -> BuildError {
    BuildError::Value {
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::option_rom::{OptionRom, check_option_rom};
    use super::super::super::{Severity, worst};
    use super::*;

    fn build(text: &str) -> Result<Vec<u8>, String> {
        OptionRomDescription::from_toml(text)
            .and_then(|description| description.build())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_rom_with_everything_is_sound_and_read_back() {
        let bytes = build(
            "format = 'option-rom'
             device_id = 0x1013
             [[image]]
             device_list = [0x1013, 0x1014]
             pnp = { manufacturer = 'nobody', product = 'a test', bev = 0x200, headers = 2 }
             undi = {}
             ipxe = { build_id = 0x12345678, shrunk_blocks = 1 }
             contents = { random = 1, size = 700 }
             [[image.record]]
             text = '4711 custom'
             [[image]]
             code_type = 0xff
             contents = { random = 2, size = 5000 }
             [[image]]
             code_type = 3
             efi = {}
             contents = { text = 'an EFI driver' }
             [[record]]
             version = '3.4.812'
             [[record]]
             product = 0x11
             version = '14.1.2'
             cpu = 1",
        )
        .unwrap();
        let findings = check_option_rom(&bytes);
        assert!(worst(&findings) < Some(Severity::Warning), "{findings:?}");
        let rom = OptionRom::parse(&bytes).tree.unwrap();
        assert_eq!(rom.images.len(), 3);
        assert!(rom.is_mrom());
        let bios = &rom.images[0];
        assert_eq!(bios.device_list(), Some(&[0x1013, 0x1014][..]));
        assert_eq!(bios.pnp().count(), 2);
        let names = bios.pnp().map(|pnp| bios.text_at(pnp.product));
        assert!(names.eq([Some("a test"); 2]));
        assert_eq!(bios.ipxe().unwrap().build_id, 0x1234_5678);
        assert_eq!(bios.undi().unwrap().pxe_version().to_string(), "2.1.0");
        assert_eq!(rom.images[2].efi_header().unwrap().machine, 0x8664);
        let versions: Vec<String> = rom.versions().map(|v| format!("{:?}", v.product)).collect();
        assert_eq!(versions, ["Text", "Pxe", "Uefi"]);
        assert_eq!(rom.layout().to_bytes(), bytes);
    }

    #[test]
    fn what_cannot_be_built_is_named() {
        for (text, words) in [
            ("format = 'fs2'", "option-rom"),
            ("format = 'option-rom'", "one at least"),
            ("format = 'option-rom'\n[[image]]\nblocks = 0", "blocks"),
            (
                "format = 'option-rom'\n[[image]]\nunknown = 1",
                "unknown field",
            ),
            (
                "format = 'option-rom'\n[[image]]\n[[record]]",
                "MAJOR.MINOR.SUB",
            ),
            ("format = 'option-rom'\n[[image]]\nblocks = 300", "255"),
            (
                "format = 'option-rom'\n[[image]]\ndevice_list = []\npcir_revision = 0",
                "pcir_revision",
            ),
        ] {
            let error = build(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
