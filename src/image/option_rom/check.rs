//! What is wrong with a ROM besides its structure: sums, and places that
//! contradict each other.

use super::super::{Finding, FindingKind, Severity};
use super::codec::byte_sum;
use super::image_sum::{sum, summed};
use super::pcir::MAGIC;
use super::rom_header::SIGNATURE;
use super::rom_image::BLOCK_BYTES;
use super::{
    CodeType, CpuArchitecture, OptionRom, Part, PcHeader, Pcir, RomImage, RomProduct, VersionRecord,
};

/// mstflint looks at no more records (`MAX_ROMS_NUM`).
const MOST_RECORDS: usize = 5;
const MELLANOX: u16 = 0x15b3;
/// Class code of an Ethernet card in reverse, as FlexBoot has it.
const REVERSED_CLASS: u32 = 0x00_0002;

/// Everything that can be found in a file without a card: what
/// [`OptionRom::parse`] finds, then what [`OptionRom::check`] does, in file
/// order.
#[must_use]
pub fn check_option_rom(bytes: &[u8]) -> Vec<Finding> {
    let parsed = OptionRom::parse(bytes);
    let mut findings = parsed.findings;
    if let Some(rom) = parsed.tree {
        findings.extend(rom.check());
    }
    findings.sort_by_key(|finding| finding.offset);
    findings
}

impl OptionRom<'_> {
    /// Sums, and places that contradict each other; not what
    /// [`parse`](Self::parse) found already.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, image) in self.images.iter().enumerate() {
            ImageCheck {
                path: format!("image{index}"),
                image,
                findings: &mut findings,
            }
            .all();
        }
        self.check_ids(&mut findings);
        self.check_records(&mut findings);
        self.check_trailing(&mut findings);
        findings
    }

    /// Images of one ROM are for one card.
    fn check_ids(&self, findings: &mut Vec<Finding>) {
        let mut ids = self.images.iter().enumerate().filter_map(|(index, image)| {
            let offset = image.offset_of(|part| matches!(part, Part::Pcir(_)))?;
            let pcir = image.pcir()?;
            Some((index, offset, pcir.vendor_id(), pcir.device_id()))
        });
        let Some((_, _, vendor, device)) = ids.next() else {
            return;
        };
        for (index, offset, its_vendor, its_device) in ids {
            if (its_vendor, its_device) != (vendor, device) {
                findings.push(
                    Finding::warning(
                        FindingKind::Mismatch,
                        format!("image{index}/PCIR/device-id"),
                        offset as u64 + 4,
                        "the image is for another device than the first one",
                    )
                    .expected_found(
                        format_args!("{vendor:04x}:{device:04x}"),
                        format_args!("{its_vendor:04x}:{its_device:04x}"),
                    ),
                );
            }
        }
    }

    fn check_records(&self, findings: &mut Vec<Finding>) {
        let records: Vec<VersionRecord> = self.versions().collect();
        if records.is_empty() {
            findings.push(self.no_record());
            return;
        }
        if let Some(sixth) = records.get(MOST_RECORDS) {
            findings.push(Finding::warning(
                FindingKind::BadValue,
                "version-record",
                sixth.offset as u64,
                format!("mstflint looks at the first {MOST_RECORDS} version records only"),
            ));
        }
        let devices = self.device_ids();
        let mut first = None;
        for record in &records {
            self.check_record(record, &devices, findings);
            if let Some(device) = record.device_id {
                let first = *first.get_or_insert(device);
                if first != device {
                    findings.push(
                        Finding::warning(
                            FindingKind::Mismatch,
                            "version-record/device-id",
                            record.offset as u64,
                            "the version records are for different devices, of which mstflint warns",
                        )
                        .expected_found(hex(first), hex(device)),
                    );
                }
            }
        }
        if records.iter().all(|record| record.product.has_checksum()) {
            self.check_first_sum(findings);
        }
    }

    fn no_record(&self) -> Finding {
        let of_mellanox = self
            .images
            .iter()
            .filter_map(RomImage::pcir)
            .any(|pcir| pcir.vendor_id() == MELLANOX);
        let finding = if of_mellanox {
            Finding::warning
        } else {
            Finding::note
        };
        finding(
            FindingKind::Missing,
            "version-record",
            self.chain_bytes() as u64,
            "there is no version record, so firmware tools cannot tell a version",
        )
    }

    fn check_record(&self, record: &VersionRecord, devices: &[u16], findings: &mut Vec<Finding>) {
        let has = |code_type| {
            self.images
                .iter()
                .any(|image| image.code_type() == code_type)
        };
        if let Some(device) = record.device_id.filter(|id| !devices.contains(id)) {
            let expected: Vec<String> = devices.iter().map(|id| hex(*id)).collect();
            findings.push(
                Finding::warning(
                    FindingKind::Mismatch,
                    "version-record/device-id",
                    record.offset as u64 + 18,
                    "the version record is for a device that no image is for",
                )
                .expected_found(expected.join(" or "), hex(device)),
            );
        }
        let lacks = match record.product {
            RomProduct::Pxe if !has(CodeType::PcAt) => Some("PXE, but there is no BIOS image"),
            RomProduct::Uefi if !has(CodeType::Efi) => Some("UEFI, but there is no EFI image"),
            _ => None,
        };
        if let Some(lacks) = lacks {
            findings.push(Finding::warning(
                FindingKind::Mismatch,
                "version-record/product",
                record.offset as u64,
                format!("the version record says {lacks}"),
            ));
        }
        if record.product == RomProduct::Uefi {
            self.check_record_cpu(record, findings);
        }
    }

    fn check_record_cpu(&self, record: &VersionRecord, findings: &mut Vec<Finding>) {
        let (amd64, aarch64) = match record.cpu {
            CpuArchitecture::Amd64 => (true, false),
            CpuArchitecture::Aarch64 => (false, true),
            CpuArchitecture::Amd64AndAarch64 => (true, true),
            _ => return,
        };
        let machines = |wanted| {
            self.images
                .iter()
                .filter_map(RomImage::efi_header)
                .any(|header| header.machine == wanted)
        };
        for (claimed, machine, name) in [(amd64, 0x8664, "x86-64"), (aarch64, 0xaa64, "AArch64")] {
            if claimed && !machines(machine) {
                findings.push(Finding::warning(
                    FindingKind::Mismatch,
                    "version-record/cpu",
                    record.offset as u64 + 17,
                    format!("the version record says {name}, but no EFI image is for it"),
                ));
            }
        }
    }

    /// mstflint adds up the first image whatever it is for.
    fn check_first_sum(&self, findings: &mut Vec<Finding>) {
        let Some(first) = self
            .images
            .first()
            .filter(|image| image.code_type() != CodeType::PcAt)
        else {
            return;
        };
        let blocks = first.bytes.get(2).copied().unwrap_or(0);
        let range = first.bytes.get(..usize::from(blocks) * BLOCK_BYTES);
        let sum = range.map_or(0, byte_sum);
        if blocks == 0 || range.is_none() || sum != 0 {
            findings.push(Finding::warning(
                FindingKind::BadChecksum,
                "image0/header",
                first.offset as u64 + 2,
                "mstflint wants the sum 0 of the first image of a ROM without a UEFI or FCode record",
            ));
        }
    }

    fn check_trailing(&self, findings: &mut Vec<Finding>) {
        for placed in &self.trailing {
            let (Part::Contents(_, bytes) | Part::Padding(bytes)) = placed.part else {
                continue;
            };
            let finding = if bytes.starts_with(&SIGNATURE) {
                Finding::warning(
                    FindingKind::Mismatch,
                    "trailing",
                    placed.offset as u64,
                    "another image follows the one that is marked as the last one: no host sees it",
                )
            } else {
                Finding::note(
                    FindingKind::Unknown,
                    "trailing",
                    placed.offset as u64,
                    format!(
                        "{} bytes behind the last image that no host sees",
                        bytes.len()
                    ),
                )
            };
            findings.push(finding);
        }
        let end = self.trailing.last().map_or(self.chain_bytes(), |placed| {
            placed.offset.saturating_add(placed.part.to_bytes().len())
        });
        if !end.is_multiple_of(4) {
            findings.push(
                Finding::warning(
                    FindingKind::BadValue,
                    "length",
                    end as u64,
                    "the length of the file is no multiple of 4, so mstflint does not burn it",
                )
                .expected_found("a multiple of 4 bytes", format_args!("{end} bytes")),
            );
        }
    }

    /// The device ids of all images, lists included, each once.
    #[must_use]
    pub fn device_ids(&self) -> Vec<u16> {
        let mut ids = Vec::new();
        for image in &self.images {
            let own = image.pcir().map(Pcir::device_id);
            let listed = image.device_list().unwrap_or_default();
            for id in own.into_iter().chain(listed.iter().copied()) {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        ids
    }
}

fn hex(id: u16) -> String {
    format!("{id:#06x}")
}

/// The checks of one image.
struct ImageCheck<'i, 'f> {
    path: String,
    image: &'i RomImage<'i>,
    findings: &'f mut Vec<Finding>,
}

impl ImageCheck<'_, '_> {
    fn all(&mut self) {
        if let Some(header) = self.image.pc_header() {
            self.bios(header);
        }
        self.structure_sums();
        self.pcir();
        self.efi();
    }

    fn bios(&mut self, header: &PcHeader) {
        let offset = self.image.offset as u64;
        let size = usize::from(header.size_blocks) * BLOCK_BYTES;
        let length = self.image.bytes.len();
        if size == 0 || size > length {
            self.findings.push(
                Finding::error(
                    FindingKind::BadValue,
                    format!("{}/header/size", self.path),
                    offset + 2,
                    "the size in the header is not within the image",
                )
                .expected_found(
                    format_args!("{BLOCK_BYTES:#x} to {length:#x} bytes"),
                    format_args!("{size:#x}"),
                ),
            );
            return;
        }
        if size != length {
            self.findings.push(
                Finding::warning(
                    FindingKind::Mismatch,
                    format!("{}/header/size", self.path),
                    offset + 2,
                    "header and PCIR differ about the size",
                )
                .expected_found(format_args!("{length:#x} bytes"), format_args!("{size:#x}")),
            );
        }
        let sum = sum(self.image);
        if sum != 0 {
            self.findings.push(
                Finding::error(
                    FindingKind::BadChecksum,
                    format!("{}/checksum", self.path),
                    offset,
                    format!(
                        "the {} bytes of the image do not add up to 0: a BIOS does not run it",
                        summed(self.image).len()
                    ),
                )
                .expected_found("0x00", format_args!("{sum:#04x}")),
            );
        }
    }

    /// Sums of PnP, UNDI and iPXE headers.
    fn structure_sums(&mut self) {
        for placed in &self.image.parts {
            let (length, severity) = match &placed.part {
                // A BIOS ignores a header with a wrong sum.
                Part::Pnp(header) => (header.length(), Severity::Error),
                Part::Undi(undi) => (usize::from(undi.length), Severity::Warning),
                Part::Ipxe(ipxe) => (usize::from(ipxe.length), Severity::Warning),
                _ => continue,
            };
            let name = placed.part.name();
            let at = placed.offset.saturating_sub(self.image.offset);
            let bytes = at
                .checked_add(length)
                .and_then(|end| self.image.bytes.get(at..end));
            let Some(bytes) = bytes.filter(|_| length >= 6) else {
                self.findings.push(Finding::new(
                    severity,
                    FindingKind::BadValue,
                    format!("{}/{name}/length", self.path),
                    placed.offset as u64,
                    format!("the length of the {name} header is impossible"),
                ));
                continue;
            };
            let sum = byte_sum(bytes);
            if sum != 0 {
                self.findings.push(
                    Finding::new(
                        severity,
                        FindingKind::BadChecksum,
                        format!("{}/{name}/checksum", self.path),
                        placed.offset as u64,
                        format!("the bytes of the {name} header do not add up to 0"),
                    )
                    .expected_found("0x00", format_args!("{sum:#04x}")),
                );
            }
        }
    }

    fn pcir(&mut self) {
        let Some(pcir) = self.image.pcir() else {
            return;
        };
        let offset = self
            .image
            .offset_of(|part| matches!(part, Part::Pcir(_)))
            .unwrap_or(self.image.offset);
        let at = offset as u64;
        let name = |field: &str| format!("{}/PCIR/{field}", self.path);
        let mut found = Vec::new();
        if !(offset.saturating_sub(self.image.offset)).is_multiple_of(MAGIC.len()) {
            found.push(Finding::warning(
                FindingKind::BadValue,
                name("offset"),
                at,
                "PCIR does not lie at a multiple of 4 bytes",
            ));
        }
        if pcir.length() < 0x18 {
            found.push(
                Finding::warning(
                    FindingKind::BadValue,
                    name("length"),
                    at + 0xa,
                    "PCIR says that it is shorter than it is",
                )
                .expected_found("0x18 or more", format_args!("{:#x}", pcir.length())),
            );
        }
        if !matches!(pcir.revision(), 0 | 3) {
            found.push(
                Finding::note(
                    FindingKind::Unknown,
                    name("revision"),
                    at + 0xc,
                    "a revision of PCIR that is in no specification",
                )
                .expected_found("0 or 3", pcir.revision()),
            );
        }
        if pcir.class() == REVERSED_CLASS {
            found.push(Finding::note(
                FindingKind::BadValue,
                name("class"),
                at + 0xd,
                "the class code of an Ethernet card in reverse order, as FlexBoot has it",
            ));
        }
        if let CodeType::Unknown(id) = pcir.code_type() {
            found.push(
                Finding::note(
                    FindingKind::Unknown,
                    name("code-type"),
                    at + 0x14,
                    "a code type that is in no known list",
                )
                .expected_found("0, 1, 2, 3 or 0xff", format_args!("{id:#04x}")),
            );
        }
        let listed = self.image.device_list().unwrap_or_default();
        if !listed.is_empty() && !listed.contains(&pcir.device_id()) {
            let listed: Vec<String> = listed.iter().map(|id| hex(*id)).collect();
            found.push(
                Finding::warning(
                    FindingKind::Mismatch,
                    format!("{}/device-list", self.path),
                    at + 8,
                    "the device id of PCIR is not in the list of device ids",
                )
                .expected_found(hex(pcir.device_id()), listed.join(" ")),
            );
        }
        self.findings.extend(found);
    }

    fn efi(&mut self) {
        let Some(header) = self.image.efi_header() else {
            return;
        };
        let offset = self.image.offset as u64;
        let size = usize::from(header.size_blocks) * BLOCK_BYTES;
        if size != self.image.bytes.len() {
            self.findings.push(
                Finding::warning(
                    FindingKind::Mismatch,
                    format!("{}/header/size", self.path),
                    offset + 2,
                    "header and PCIR differ about the size",
                )
                .expected_found(
                    format_args!("{:#x} bytes", self.image.bytes.len()),
                    format_args!("{size:#x}"),
                ),
            );
        }
        if header.compression > 1 {
            self.findings.push(
                Finding::warning(
                    FindingKind::Unknown,
                    format!("{}/header/compression", self.path),
                    offset + 0xc,
                    "a compression that is in no specification",
                )
                .expected_found("0 or 1", header.compression),
            );
        }
        if usize::from(header.image) >= self.image.bytes.len() {
            self.findings.push(
                Finding::error(
                    FindingKind::OutOfImage,
                    format!("{}/header/efi-image", self.path),
                    offset + 0x16,
                    "the EFI image begins behind the end of the image",
                )
                .expected_found(
                    format_args!("less than {:#x}", self.image.bytes.len()),
                    format_args!("{:#x}", header.image),
                ),
            );
        }
    }
}
