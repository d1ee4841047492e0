//! PCI data structure of an image.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | `PCIR` |
//! | 4 | 2 | vendor id |
//! | 6 | 2 | device id |
//! | 8 | 2 | revision 3: offset of the device list, from PCIR on; before: of the VPD |
//! | 0xa | 2 | length of this structure |
//! | 0xc | 1 | revision: 0 PCI 2.x, 3 PCI 3.0 |
//! | 0xd | 3 | class code: interface, sub-class, class |
//! | 0x10 | 2 | length of the image in blocks of 512 bytes |
//! | 0x12 | 2 | revision of the code |
//! | 0x14 | 1 | code type |
//! | 0x15 | 1 | indicator: bit 7 last image |
//! | 0x16 | 2 | revision 3: length at run time, in blocks |
//! | 0x18 | 2 | revision 3: offset of the configuration utility's header |
//! | 0x1a | 2 | revision 3: offset of the CLP entry point |
//!
//! The last two are there when the length is 0x1c or more. The device list is a
//! row of device ids, ended by 0. FlexBoot has the class code in reverse order.
//!
//! # Sources
//! PCI Local Bus Specification 2.2, section 6.3.1.2; PCI Firmware Specification
//! 3.0, section 5.1.2; iPXE, src/util/Option/ROM.pm; FlexBoot 3.4.812,
//! src/arch/i386/prefix/romprefix.S.

use binrw::{BinRead, BinWrite};

use super::CodeType;
use super::codec::{decode, encode};

pub(super) const MAGIC: &[u8; 4] = b"PCIR";
const BASE_BYTES: u16 = 0x18;
const EXTENDED_BYTES: u16 = 0x1c;
const LAST: u8 = 0x80;
const FIRST_WITH_DEVICE_LIST: u8 = 3;

/// Offsets of single fields.
pub(super) const DEVICE_ID: usize = 6;
pub(super) const INDICATOR: usize = 0x15;

#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little, magic = b"PCIR")]
struct Stored {
    vendor_id: u16,
    device_id: u16,
    pointer: u16,
    length: u16,
    revision: u8,
    class: [u8; 3],
    image_blocks: u16,
    code_revision: u16,
    code_type: u8,
    indicator: u8,
    runtime_blocks: u16,
    #[br(if(length >= EXTENDED_BYTES))]
    extension: Option<Extension>,
}

#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little)]
struct Extension {
    configuration_utility: u16,
    clp_entry: u16,
}

/// PCI data structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcir(Stored);

/// What the word at offset 8 points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceListPointer {
    /// PCI 3.0: the list of device ids, this far from the start of PCIR.
    DeviceList(u16),
    /// PCI 2.x: vital product data, this far from the start of the image.
    VitalProductData(u16),
    /// Nothing.
    None,
}

impl Pcir {
    /// Reads the structure that begins at `at`; `None` when there is none.
    pub(super) fn parse(image: &[u8], at: usize) -> Option<Self> {
        decode(image, at).map(Self)
    }

    /// One of a new image.
    pub(in crate::image) fn new(fields: PcirFields) -> Self {
        let extended = fields.revision >= FIRST_WITH_DEVICE_LIST;
        Self(Stored {
            vendor_id: fields.vendor_id,
            device_id: fields.device_id,
            pointer: fields.device_list,
            length: if extended { EXTENDED_BYTES } else { BASE_BYTES },
            revision: fields.revision,
            class: fields.class,
            image_blocks: fields.image_blocks,
            code_revision: 1,
            code_type: fields.code_type.id(),
            indicator: if fields.last { LAST } else { 0 },
            runtime_blocks: if extended { fields.image_blocks } else { 0 },
            extension: extended.then_some(Extension {
                configuration_utility: 0,
                clp_entry: 0,
            }),
        })
    }

    /// Its bytes, as many as are understood.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.0)
    }

    /// Bytes that are understood; the stored length may be larger.
    #[must_use]
    pub fn known_bytes(&self) -> usize {
        usize::from(if self.0.extension.is_some() {
            EXTENDED_BYTES
        } else {
            BASE_BYTES
        })
    }

    /// PCI vendor id.
    #[must_use]
    pub fn vendor_id(&self) -> u16 {
        self.0.vendor_id
    }

    /// PCI device id.
    #[must_use]
    pub fn device_id(&self) -> u16 {
        self.0.device_id
    }

    /// What the word at offset 8 points to.
    #[must_use]
    pub fn pointer(&self) -> DeviceListPointer {
        match self.0.pointer {
            0 => DeviceListPointer::None,
            at if self.0.revision >= FIRST_WITH_DEVICE_LIST => DeviceListPointer::DeviceList(at),
            at => DeviceListPointer::VitalProductData(at),
        }
    }

    /// The stored length of the structure.
    #[must_use]
    pub fn length(&self) -> u16 {
        self.0.length
    }

    /// Revision: 0 for PCI 2.x, 3 for PCI 3.0.
    #[must_use]
    pub fn revision(&self) -> u8 {
        self.0.revision
    }

    /// Class code as one number, 0x020000 for an Ethernet card.
    #[must_use]
    pub fn class(&self) -> u32 {
        let [interface, sub, base] = self.0.class;
        u32::from_le_bytes([interface, sub, base, 0])
    }

    /// Length of the image in bytes.
    #[must_use]
    pub fn image_bytes(&self) -> usize {
        usize::from(self.0.image_blocks) * super::rom_image::BLOCK_BYTES
    }

    /// Revision of the code in the image.
    #[must_use]
    pub fn code_revision(&self) -> u16 {
        self.0.code_revision
    }

    /// For whom the image is.
    #[must_use]
    pub fn code_type(&self) -> CodeType {
        CodeType::from_id(self.0.code_type)
    }

    /// Whether no image follows.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.0.indicator & LAST != 0
    }

    /// The whole byte that says so.
    #[must_use]
    pub fn indicator(&self) -> u8 {
        self.0.indicator
    }

    /// The indicator, made to say something else.
    pub(super) fn indicator_with(&self, last: bool) -> u8 {
        if last {
            self.0.indicator | LAST
        } else {
            self.0.indicator & !LAST
        }
    }

    /// The most bytes that it needs after initialization; PCI 3.0 only.
    #[must_use]
    pub fn runtime_bytes(&self) -> Option<usize> {
        (self.0.revision >= FIRST_WITH_DEVICE_LIST)
            .then(|| usize::from(self.0.runtime_blocks) * super::rom_image::BLOCK_BYTES)
    }

    /// Offsets of the configuration utility's header and of the CLP entry point.
    #[must_use]
    pub fn pointers(&self) -> Option<(u16, u16)> {
        self.0
            .extension
            .map(|extension| (extension.configuration_utility, extension.clp_entry))
    }
}

/// What a new image says of itself.
#[derive(Clone, Copy, Debug)]
pub(in crate::image) struct PcirFields {
    pub(in crate::image) vendor_id: u16,
    pub(in crate::image) device_id: u16,
    pub(in crate::image) device_list: u16,
    pub(in crate::image) revision: u8,
    pub(in crate::image) class: [u8; 3],
    pub(in crate::image) image_blocks: u16,
    pub(in crate::image) code_type: CodeType,
    pub(in crate::image) last: bool,
}
