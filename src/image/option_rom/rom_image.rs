//! The tree of an expansion ROM: images, and the parts that tile them.

use super::codec::text;
use super::{
    CodeType, EfiHeader, IpxeStructure, PcHeader, Pcir, PnpHeader, RomHeader, StoredRecord, UndiId,
    VersionRecord,
};

/// Images start and end on multiples of this (PCI Firmware Specification 3.0,
/// section 5.1).
pub(super) const BLOCK_BYTES: usize = 512;

/// An expansion ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionRom<'a> {
    /// The images, in file order; one at least.
    pub images: Vec<RomImage<'a>>,
    /// What follows the last image: version records and anything else.
    pub trailing: Vec<Placed<'a>>,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RomImage<'a> {
    /// Where it starts in the file.
    pub offset: usize,
    /// All of it.
    pub bytes: &'a [u8],
    /// Its parts: each byte is in exactly one.
    pub parts: Vec<Placed<'a>>,
}

/// A part, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<'a> {
    /// First byte in the file.
    pub offset: usize,
    /// The part.
    pub part: Part<'a>,
}

/// A part of an image, or of what follows the images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The first bytes.
    Header(RomHeader),
    /// The offset of the first `$PnP` header, at 0x1a of a BIOS image.
    PnpPointer(u16),
    /// PCI data structure.
    Pcir(Pcir),
    /// PCI device ids besides the one in PCIR, with the 0 that ends them.
    DeviceList(Vec<u16>),
    /// Plug and Play header.
    Pnp(PnpHeader),
    /// UNDI ROM id.
    Undi(UndiId),
    /// iPXE's header.
    Ipxe(IpxeStructure),
    /// Version record.
    Record(StoredRecord<'a>),
    /// Contents that are carried and not looked into, by what they are called.
    Contents(&'static str, &'a [u8]),
    /// The same byte up to the end of the image.
    Padding(&'a [u8]),
}

impl Part<'_> {
    /// What it is called in paths.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::PnpPointer(_) => "pnp-pointer",
            Self::Pcir(_) => "PCIR",
            Self::DeviceList(_) => "device-list",
            Self::Pnp(_) => "PnP",
            Self::Undi(_) => "UNDI",
            Self::Ipxe(_) => "iPXE",
            Self::Record(_) => "version-record",
            Self::Contents(name, _) => name,
            Self::Padding(_) => "padding",
        }
    }
}

impl<'a> OptionRom<'a> {
    /// Where the last image ends in the file.
    #[must_use]
    pub fn chain_bytes(&self) -> usize {
        self.images.last().map_or(0, RomImage::end)
    }

    /// The version records of the whole file, in its order, each with the index
    /// of its image; `None` behind the last one.
    pub fn records(&self) -> impl Iterator<Item = (Option<usize>, usize, StoredRecord<'a>)> {
        let inside = self.images.iter().enumerate().flat_map(|(index, image)| {
            let records = image.parts.iter().filter_map(record_of);
            records.map(move |(offset, record)| (Some(index), offset, record))
        });
        let behind = self.trailing.iter().filter_map(record_of);
        inside.chain(behind.map(|(offset, record)| (None, offset, record)))
    }

    /// What the version records say.
    pub fn versions(&self) -> impl Iterator<Item = VersionRecord> {
        self.records()
            .map(|(_, offset, record)| record.meaning(offset))
    }

    /// Whether it is iPXE's `.mrom`: a BIOS image with its payload behind it.
    #[must_use]
    pub fn is_mrom(&self) -> bool {
        self.images.windows(2).any(|pair| {
            matches!(pair, [stub, payload]
                if stub.code_type() == CodeType::PcAt
                    && stub.ipxe().is_some()
                    && payload.code_type() == CodeType::IpxePayload)
        })
    }
}

fn record_of<'a>(placed: &Placed<'a>) -> Option<(usize, StoredRecord<'a>)> {
    match placed.part {
        Part::Record(record) => Some((placed.offset, record)),
        _ => None,
    }
}

impl<'a> RomImage<'a> {
    /// Where it ends in the file.
    #[must_use]
    pub fn end(&self) -> usize {
        self.offset.saturating_add(self.bytes.len())
    }

    /// For whom it is; a BIOS where it has no PCIR to say so.
    #[must_use]
    pub fn code_type(&self) -> CodeType {
        self.pcir().map_or(CodeType::PcAt, Pcir::code_type)
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> Option<&RomHeader> {
        self.find(|part| match part {
            Part::Header(header) => Some(header),
            _ => None,
        })
    }

    /// Its header, if it is for a BIOS.
    #[must_use]
    pub fn pc_header(&self) -> Option<&PcHeader> {
        match self.header() {
            Some(RomHeader::Pc(header)) => Some(header),
            _ => None,
        }
    }

    /// Its header, if it is for EFI.
    #[must_use]
    pub fn efi_header(&self) -> Option<&EfiHeader> {
        match self.header() {
            Some(RomHeader::Efi(header)) => Some(header),
            _ => None,
        }
    }

    /// Its PCI data structure.
    #[must_use]
    pub fn pcir(&self) -> Option<&Pcir> {
        self.find(|part| match part {
            Part::Pcir(pcir) => Some(pcir),
            _ => None,
        })
    }

    /// The device ids besides the one in PCIR.
    #[must_use]
    pub fn device_list(&self) -> Option<&[u16]> {
        self.find(|part| match part {
            Part::DeviceList(ids) => Some(ids.as_slice()),
            _ => None,
        })
    }

    /// Its Plug and Play headers.
    pub fn pnp(&self) -> impl Iterator<Item = &PnpHeader> {
        self.parts.iter().filter_map(|placed| match &placed.part {
            Part::Pnp(header) => Some(header),
            _ => None,
        })
    }

    /// Its UNDI ROM id.
    #[must_use]
    pub fn undi(&self) -> Option<&UndiId> {
        self.find(|part| match part {
            Part::Undi(undi) => Some(undi),
            _ => None,
        })
    }

    /// Its iPXE header.
    #[must_use]
    pub fn ipxe(&self) -> Option<&IpxeStructure> {
        self.find(|part| match part {
            Part::Ipxe(ipxe) => Some(ipxe),
            _ => None,
        })
    }

    /// The text that a Plug and Play header points to.
    #[must_use]
    pub fn text_at(&self, pointer: u16) -> Option<&'a str> {
        (pointer != 0)
            .then(|| text(self.bytes, usize::from(pointer)))
            .flatten()
            .filter(|text| !text.is_empty())
    }

    /// Where a part of a kind starts in the file.
    pub(super) fn offset_of(&self, wanted: impl Fn(&Part<'_>) -> bool) -> Option<usize> {
        self.parts
            .iter()
            .find(|placed| wanted(&placed.part))
            .map(|placed| placed.offset)
    }

    fn find<'t, T>(&'t self, wanted: impl Fn(&'t Part<'a>) -> Option<T>) -> Option<T> {
        self.parts.iter().find_map(|placed| wanted(&placed.part))
    }
}
