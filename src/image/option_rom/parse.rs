//! Bytes to the tree.

use super::super::{Finding, FindingKind, Parsed};
use super::claims::{Claims, FoundRecord};
use super::codec::word;
use super::pnp::PNP_BYTES;
use super::rom_header::{HEADER_BYTES, PCIR_POINTER, PNP_POINTER, SIGNATURE};
use super::rom_image::BLOCK_BYTES;
use super::{
    CodeType, DeviceListPointer, IpxeStructure, OptionRom, Part, Pcir, PnpHeader, RomHeader,
    RomImage, StoredRecord, UndiId, VersionRecord, VersionRecordError, version_records,
};

/// No ROM has as many images; a file of nothing but headers ends here.
const MOST_IMAGES: usize = 64;
/// No ROM has as many version records, broken ones included; of a file of
/// nothing but records the rest is contents.
const MOST_RECORDS: usize = 64;
/// No image has as many device ids.
const MOST_DEVICES: usize = 1024;
impl<'a> OptionRom<'a> {
    /// Reads a ROM; there is no tree when it does not begin with 55 AA.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Parsed<Self> {
        let mut findings = Vec::new();
        if !bytes.starts_with(&SIGNATURE) || bytes.len() < HEADER_BYTES {
            findings.push(no_rom(bytes));
            return Parsed {
                tree: None,
                findings,
            };
        }
        let records = find_records(bytes, &mut findings);
        let images = chain(bytes, &records, &mut findings);
        let end = images.last().map_or(0, RomImage::end);
        let mut behind = Claims::new(end, bytes.len());
        behind.claim_records(&records, &mut findings);
        let trailing = behind.fill(bytes.get(end..).unwrap_or_default(), |_| "unclaimed");
        findings.sort_by_key(|finding| finding.offset);
        Parsed {
            tree: Some(Self { images, trailing }),
            findings,
        }
    }
}

fn no_rom(bytes: &[u8]) -> Finding {
    match bytes {
        [0x55, 0xaa, ..] => Finding::error(
            FindingKind::Truncated,
            "image0/header",
            0,
            "the file ends inside of the header of the first image",
        )
        .expected_found(
            format_args!("{HEADER_BYTES} bytes"),
            format_args!("{}", bytes.len()),
        ),
        _ => {
            let found: Vec<String> = bytes.iter().take(2).map(|b| format!("{b:02X}")).collect();
            let found = if found.is_empty() {
                "nothing".to_owned()
            } else {
                found.join(" ")
            };
            Finding::error(
                FindingKind::BadMagic,
                "image0/header/signature",
                0,
                "no expansion ROM begins here",
            )
            .expected_found("55 AA", found)
        }
    }
}

fn find_records<'a>(bytes: &'a [u8], findings: &mut Vec<Finding>) -> Vec<FoundRecord<'a>> {
    let mut found = Vec::new();
    for (number, record) in version_records(bytes).enumerate() {
        if number == MOST_RECORDS {
            let (Ok(VersionRecord { offset, .. })
            | Err(
                VersionRecordError::Truncated { offset }
                | VersionRecordError::TextTooLong { offset, .. },
            )) = record;
            findings.push(Finding::error(
                FindingKind::Unsupported,
                "version-record",
                offset as u64,
                format!("more than {MOST_RECORDS} version records"),
            ));
            break;
        }
        match record {
            Ok(record) => {
                if let Ok(stored) = StoredRecord::parse(bytes, record.offset) {
                    found.push((record.offset, stored));
                }
            }
            Err(error) => {
                let (VersionRecordError::Truncated { offset }
                | VersionRecordError::TextTooLong { offset, .. }) = error;
                let kind = match error {
                    VersionRecordError::Truncated { .. } => FindingKind::Truncated,
                    VersionRecordError::TextTooLong { .. } => FindingKind::BadValue,
                };
                // mstflint gives up here, and says no version at all.
                findings.push(Finding::error(
                    kind,
                    "version-record",
                    offset as u64,
                    error.to_string(),
                ));
            }
        }
    }
    found
}

fn chain<'a>(
    bytes: &'a [u8],
    records: &[FoundRecord<'a>],
    findings: &mut Vec<Finding>,
) -> Vec<RomImage<'a>> {
    let mut images: Vec<RomImage<'a>> = Vec::new();
    loop {
        let offset = images.last().map_or(0, RomImage::end);
        let path = format!("image{}", images.len());
        let rest = bytes.get(offset..).unwrap_or_default();
        if !images.is_empty()
            && let Some(finding) = no_next(rest, images.len(), offset)
        {
            findings.push(finding);
            return images;
        }
        let mut reader = ImageReader {
            path,
            offset,
            findings,
        };
        let Some((image, last)) = reader.read(rest, records) else {
            return images;
        };
        images.push(image);
        if last {
            return images;
        }
    }
}

/// Why no image can be read where the one before says that one follows.
fn no_next(rest: &[u8], index: usize, offset: usize) -> Option<Finding> {
    let path = format!("image{index}");
    let before = index.saturating_sub(1);
    if rest.is_empty() {
        return Some(Finding::error(
            FindingKind::Missing,
            path,
            offset as u64,
            format!(
                "the file ends here, but image {before} is not marked as the last one (PCIR indicator)"
            ),
        ));
    }
    if index >= MOST_IMAGES {
        return Some(Finding::error(
            FindingKind::Unsupported,
            path,
            offset as u64,
            format!("more than {MOST_IMAGES} images"),
        ));
    }
    if !rest.starts_with(&SIGNATURE) {
        let found: Vec<String> = rest.iter().take(2).map(|b| format!("{b:02X}")).collect();
        return Some(
            Finding::error(
                FindingKind::BadMagic,
                format!("{path}/header/signature"),
                offset as u64,
                format!("image {before} is not marked as the last one, but none follows"),
            )
            .expected_found("55 AA", found.join(" ")),
        );
    }
    (rest.len() < HEADER_BYTES).then(|| {
        Finding::error(
            FindingKind::Truncated,
            format!("{path}/header"),
            offset as u64,
            "the file ends inside of the header",
        )
        .expected_found(
            format_args!("{HEADER_BYTES} bytes"),
            format_args!("{}", rest.len()),
        )
    })
}

/// Reads one image.
struct ImageReader<'f> {
    path: String,
    /// Where it starts in the file.
    offset: usize,
    findings: &'f mut Vec<Finding>,
}

impl ImageReader<'_> {
    /// The image at the start of `rest`, and whether it is the last.
    fn read<'a>(
        &mut self,
        rest: &'a [u8],
        records: &[FoundRecord<'a>],
    ) -> Option<(RomImage<'a>, bool)> {
        let pcir_at = usize::from(word(rest, PCIR_POINTER).unwrap_or(0));
        let pcir = self.pcir(rest, pcir_at);
        let code_type = pcir.map_or(CodeType::PcAt, |pcir| pcir.code_type());
        let header = self.header(rest, code_type)?;
        let length = self.length(&header, pcir.as_ref(), pcir_at, rest.len());
        let bytes = rest.get(..length).unwrap_or(rest);
        let mut claims = Claims::new(self.offset, self.offset.saturating_add(bytes.len()));
        claims.claim(self.offset, Part::Header(header));
        if let Some(pcir) = pcir {
            self.place(&mut claims, pcir_at, Part::Pcir(pcir));
            self.device_list(&mut claims, bytes, &pcir, pcir_at);
        }
        if let RomHeader::Pc(header) = header {
            self.pnp(&mut claims, bytes);
            self.pointed(&mut claims, bytes, header.undi, |at| {
                UndiId::parse(bytes, at).map(Part::Undi)
            });
            self.pointed(&mut claims, bytes, header.ipxe, |at| {
                IpxeStructure::parse(bytes, at).map(Part::Ipxe)
            });
        }
        claims.claim_records(records, self.findings);
        let efi_image = match header {
            RomHeader::Efi(header) => Some(usize::from(header.image)),
            _ => None,
        };
        if let Some(at) = efi_image {
            claims.split_at(self.offset.saturating_add(at));
        }
        let start = self.offset;
        let name = |offset: usize| match (code_type, efi_image) {
            (CodeType::Efi, Some(at)) if offset < start.saturating_add(at) => "data",
            (CodeType::Efi, _) => "efi-image",
            (CodeType::IpxePayload, _) => "payload",
            (CodeType::OpenFirmware, _) => "fcode",
            _ => "code",
        };
        let parts = claims.fill(bytes, name);
        // Behind an image that is cut off nothing can follow.
        let cut_off = pcir.is_some_and(|pcir| pcir.image_bytes() > rest.len());
        let last = cut_off || pcir.is_none_or(|pcir| pcir.is_last());
        let image = RomImage {
            offset: self.offset,
            bytes,
            parts,
        };
        Some((image, last))
    }

    fn pcir(&mut self, rest: &[u8], at: usize) -> Option<Pcir> {
        if at == 0 {
            self.findings.push(Finding::note(
                FindingKind::Missing,
                format!("{}/PCIR", self.path),
                (self.offset + PCIR_POINTER) as u64,
                "there is no PCI data structure: a ROM of no PCI card",
            ));
            return None;
        }
        let found = Pcir::parse(rest, at).filter(|_| at >= HEADER_BYTES);
        if found.is_none() {
            let (kind, message) = if at < HEADER_BYTES {
                (FindingKind::Overlap, "PCIR would lie in the header")
            } else if rest.get(at..).is_none_or(|rest| rest.len() < 4) {
                (
                    FindingKind::OutOfImage,
                    "the pointer to PCIR leaves the file",
                )
            } else if rest.get(at..at + 4) == Some(super::pcir::MAGIC) {
                (FindingKind::Truncated, "the file ends inside of PCIR")
            } else {
                (FindingKind::BadMagic, "PCIR is not where the header says")
            };
            self.findings.push(
                Finding::error(
                    kind,
                    format!("{}/PCIR", self.path),
                    (self.offset + PCIR_POINTER) as u64,
                    message,
                )
                .expected_found("an offset of PCIR", format_args!("{at:#x}")),
            );
        }
        found
    }

    fn header(&mut self, rest: &[u8], code_type: CodeType) -> Option<RomHeader> {
        match code_type {
            CodeType::PcAt => RomHeader::pc(rest),
            CodeType::Efi => RomHeader::efi(rest).or_else(|| {
                self.findings.push(Finding::error(
                    FindingKind::BadMagic,
                    format!("{}/header/efi-signature", self.path),
                    (self.offset + 4) as u64,
                    "the code type is EFI, but the EFI signature 0x00000ef1 is missing",
                ));
                RomHeader::other(rest)
            }),
            _ => RomHeader::other(rest),
        }
    }

    /// Bytes of the image, no more than there are.
    fn length(
        &mut self,
        header: &RomHeader,
        pcir: Option<&Pcir>,
        pcir_at: usize,
        available: usize,
    ) -> usize {
        let (length, field) = match pcir {
            Some(pcir) if pcir.image_bytes() > 0 => (pcir.image_bytes(), pcir_at + 0x10),
            Some(_) => {
                self.findings.push(Finding::error(
                    FindingKind::BadValue,
                    format!("{}/PCIR/image-length", self.path),
                    (self.offset + pcir_at + 0x10) as u64,
                    "the length of the image is 0",
                ));
                (header.size_bytes(), 2)
            }
            None => (header.size_bytes(), 2),
        };
        if length == 0 {
            self.findings.push(Finding::error(
                FindingKind::BadValue,
                format!("{}/header/size", self.path),
                (self.offset + 2) as u64,
                "the size in the header is 0",
            ));
            return available;
        }
        if length > available {
            self.findings.push(
                Finding::error(
                    FindingKind::Truncated,
                    self.path.clone(),
                    (self.offset + field) as u64,
                    "the file ends inside of the image",
                )
                .expected_found(
                    format_args!("{length:#x} bytes"),
                    format_args!("{available:#x}"),
                ),
            );
            return available;
        }
        length
    }

    fn device_list(&mut self, claims: &mut Claims<'_>, bytes: &[u8], pcir: &Pcir, at: usize) {
        let DeviceListPointer::DeviceList(pointer) = pcir.pointer() else {
            return;
        };
        let start = at + usize::from(pointer);
        let path = format!("{}/device-list", self.path);
        let (words, _) = bytes.get(start..).unwrap_or_default().as_chunks::<2>();
        let ids: Option<Vec<u16>> = words
            .iter()
            .take(MOST_DEVICES)
            .position(|id| *id == [0, 0])
            .and_then(|end| words.get(..end))
            .map(|ids| ids.iter().map(|id| u16::from_le_bytes(*id)).collect());
        match ids {
            Some(ids) => self.place(claims, start, Part::DeviceList(ids)),
            None => self.findings.push(Finding::error(
                FindingKind::OutOfImage,
                path,
                (self.offset + start) as u64,
                "the list of device ids has no end in the image",
            )),
        }
    }

    fn pnp(&mut self, claims: &mut Claims<'_>, bytes: &[u8]) {
        let Some(first) = word(bytes, PNP_POINTER) else {
            return;
        };
        if !claims.claim(self.offset + PNP_POINTER, Part::PnpPointer(first)) {
            return;
        }
        let mut next = first;
        while next != 0 {
            let at = usize::from(next);
            let Some(header) = PnpHeader::parse(bytes, at) else {
                // Many ROMs that have none have something else at 0x1a.
                let follows = next != first;
                let outside = bytes.get(at..).is_none_or(|rest| rest.len() < PNP_BYTES);
                if follows || outside {
                    let kind = if outside {
                        FindingKind::OutOfImage
                    } else {
                        FindingKind::BadMagic
                    };
                    self.findings.push(Finding::warning(
                        kind,
                        format!("{}/PnP", self.path),
                        (self.offset + at) as u64,
                        "there is no $PnP header where one is said to be",
                    ));
                }
                return;
            };
            next = header.next;
            if !claims.claim(self.offset + at, Part::Pnp(header)) {
                self.overlap(self.offset + at, "PnP");
                return;
            }
        }
    }

    /// A structure that ROMs other than iPXE need not have where it points to.
    fn pointed<'a>(
        &mut self,
        claims: &mut Claims<'a>,
        bytes: &[u8],
        pointer: u16,
        parse: impl Fn(usize) -> Option<Part<'a>>,
    ) {
        let at = usize::from(pointer);
        if pointer == 0 || at >= bytes.len() {
            return;
        }
        if let Some(part) = parse(at) {
            self.place(claims, at, part);
        }
    }

    fn place<'a>(&mut self, claims: &mut Claims<'a>, at: usize, part: Part<'a>) {
        let name = part.name();
        let offset = self.offset.saturating_add(at);
        if !claims.claim(offset, part) {
            self.overlap(offset, name);
        }
    }

    fn overlap(&mut self, offset: usize, name: &str) {
        self.findings.push(Finding::error(
            FindingKind::Overlap,
            format!("{}/{name}", self.path),
            offset as u64,
            "it lies in another part, or leaves the image",
        ));
    }
}

// The smallest image has room for every header.
const _: () = assert!(BLOCK_BYTES > HEADER_BYTES + PNP_BYTES);
