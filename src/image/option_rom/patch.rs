//! Changing a ROM: device id, version record, EFI image.

use super::super::{EditError, Edited, FindingKind, Permission};
use super::draft::Draft;
use super::recombine::{errors_of, same_device, with_efi_of};
use super::stored_record::RecordTarget;
use super::{
    CodeType, CpuArchitecture, FlexBootVersion, OptionRom, Part, Pcir, RomImage, RomProduct,
    RomProtocol, RomVersion, StoredRecord,
};

/// What to change. Nothing of it gives the same bytes again.
#[derive(Clone, Copy, Debug, Default)]
pub struct RomPatch<'r> {
    /// The device id of every PCIR, device list and version record.
    pub device_id: Option<u16>,
    /// A version record, added or changed.
    pub record: Option<RecordPatch>,
    /// A ROM whose EFI images go in.
    pub efi: Option<&'r [u8]>,
    /// Whether sums that were wrong before may be corrected. They may be wrong
    /// because the file is damaged.
    pub correct_sums: Permission,
}

/// What to change of a version record; what is `None` stays, or is the usual
/// value in a new record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordPatch {
    /// Which record; `None`: the only one, or that of the BIOS image.
    pub product: Option<RomProduct>,
    /// Its version.
    pub version: Option<FlexBootVersion>,
    /// For which processor.
    pub cpu: Option<CpuArchitecture>,
    /// For which network.
    pub protocol: Option<RomProtocol>,
    /// For which port; 0 for all.
    pub port: Option<u8>,
}

const MOST_PORT: u8 = 0xf;

impl RomPatch<'_> {
    /// Changes the ROM. All bytes outside of the changes stay as they are.
    ///
    /// # Errors
    /// The ROM, or the one with the EFI image, is damaged; a value does not fit;
    /// the sum of an image cannot be corrected.
    pub fn apply(&self, bytes: &[u8]) -> Result<Edited, EditError> {
        let rom = self.sound(bytes)?;
        let mut notes = Vec::new();
        let mut draft = match self.efi {
            None => Draft::of(bytes, &rom),
            Some(efi) => {
                let parsed = OptionRom::parse(efi);
                let mut findings = parsed.findings;
                if let Some(other) = &parsed.tree {
                    findings.extend(other.check());
                }
                let damaged = errors_of(&findings);
                let (Some(other), None) = (parsed.tree, damaged) else {
                    return Err(EditError::RomDamaged { findings });
                };
                if self.device_id.is_none() {
                    same_device(&rom, &other)?;
                }
                with_efi_of(&rom, &other, &mut notes)?
            }
        };
        let before = draft.bytes.clone();
        let parsed = OptionRom::parse(&before);
        let Some(rom) = parsed.tree else {
            return Err(EditError::Damaged {
                findings: parsed.findings,
            });
        };
        if let Some(id) = self.device_id {
            set_device_id(&mut draft, &rom, id, &mut notes)?;
        }
        self.records(&mut draft, &rom, &mut notes)?;
        if self.correct_sums == Permission::Granted {
            draft.correct_headers(&rom);
        }
        draft.correct_images(&rom)?;
        draft.changes.sort_by_key(|change| change.offset);
        if let Some(findings) = errors_of(&OptionRom::parse(&draft.bytes).findings) {
            return Err(EditError::Damaged { findings });
        }
        Ok(Edited {
            bytes: draft.bytes,
            slot: 0,
            changes: draft.changes,
            notes,
        })
    }

    /// The tree, if nothing is wrong that would be carried on or hidden.
    fn sound<'a>(&self, bytes: &'a [u8]) -> Result<OptionRom<'a>, EditError> {
        let parsed = OptionRom::parse(bytes);
        let mut findings = parsed.findings;
        let Some(rom) = parsed.tree else {
            return Err(EditError::Damaged { findings });
        };
        findings.extend(rom.check().into_iter().filter(|finding| {
            self.correct_sums == Permission::Refused || finding.kind != FindingKind::BadChecksum
        }));
        match errors_of(&findings) {
            Some(findings) => Err(EditError::Damaged { findings }),
            None => Ok(rom),
        }
    }

    fn records(
        &self,
        draft: &mut Draft,
        rom: &OptionRom<'_>,
        notes: &mut Vec<String>,
    ) -> Result<(), EditError> {
        let wanted = self.record.filter(|patch| *patch != RecordPatch::default());
        if let Some(port) = wanted.and_then(|patch| patch.port)
            && port > MOST_PORT
        {
            return Err(bad("the port", &port, "0 (all) to 15"));
        }
        let chosen = match &wanted {
            Some(patch) => patch.choose(rom)?,
            None => Choice::None,
        };
        for (index, offset, old) in rom.records() {
            let mut new = old;
            if let Some(id) = self.device_id {
                new = new.with_device_id(id);
            }
            if let (Some(patch), Choice::Change(at)) = (&wanted, &chosen)
                && *at == offset
            {
                new = patch.applied_to(new);
            }
            let path = index.map_or_else(
                || "trailing/version-record".to_owned(),
                |index| format!("image{index}/version-record"),
            );
            let what = format!("{} -> {}", words(&old), words(&new));
            draft.write(path, offset, &new.to_bytes(), what);
        }
        if let (Some(patch), Choice::Add(product)) = (wanted, chosen) {
            let record = patch.new_record(product, rom, self.device_id)?;
            append(draft, &record);
            notes.push(
                "the version record lies behind the last image: firmware tools find it there, \
                 but a host does not show it"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// Which record a change is meant for.
enum Choice {
    None,
    /// The one at this offset.
    Change(usize),
    /// A new one.
    Add(RomProduct),
}

impl RecordPatch {
    fn choose(&self, rom: &OptionRom<'_>) -> Result<Choice, EditError> {
        let bios = rom
            .images
            .iter()
            .any(|image| image.code_type() == CodeType::PcAt);
        let usual = if bios {
            RomProduct::Pxe
        } else {
            RomProduct::Uefi
        };
        let records: Vec<(usize, RomProduct)> = rom
            .records()
            .map(|(_, offset, record)| (offset, record.meaning(offset).product))
            .filter(|(_, product)| *product != RomProduct::Text)
            .collect();
        let product = match (self.product, records.as_slice()) {
            (Some(RomProduct::Text), _) => {
                return Err(bad("the product", &"text", "one with a version in numbers"));
            }
            (Some(product), _) => product,
            (None, [(_, only)]) => *only,
            (None, _) => usual,
        };
        let mut of_product = records.iter().filter(|(_, its)| *its == product);
        match (of_product.next(), of_product.count()) {
            (None, _) => Ok(Choice::Add(product)),
            (Some((offset, _)), 0) => Ok(Choice::Change(*offset)),
            (Some(_), more) => Err(EditError::PatternCount {
                what: format!("a version record for {}", product_words(product)),
                found: more + 1,
                expected: 1,
            }),
        }
    }

    fn applied_to<'a>(&self, mut record: StoredRecord<'a>) -> StoredRecord<'a> {
        if let Some(version) = self.version {
            record = record.with_version(version);
        }
        if let Some(cpu) = self.cpu {
            record = record.with_cpu(cpu);
        }
        if let Some(protocol) = self.protocol {
            record = record.with_protocol(protocol);
        }
        if let Some(port) = self.port {
            record = record.with_port(port);
        }
        record
    }

    /// A record as genuine ROMs have it: for all ports and networks; a PXE one
    /// names no processor.
    fn new_record(
        &self,
        product: RomProduct,
        rom: &OptionRom<'_>,
        device_id: Option<u16>,
    ) -> Result<StoredRecord<'static>, EditError> {
        let version = self.version.ok_or_else(|| EditError::Lacks {
            part: format!("version record for {}", product_words(product)),
            needed_for: "could be changed without a version: a new one needs a version".to_owned(),
        })?;
        let own = |rom: &OptionRom<'_>| {
            rom.images
                .iter()
                .find_map(|image| image.pcir().map(Pcir::device_id))
        };
        let cpu = match product {
            RomProduct::Uefi => efi_cpu(rom),
            _ => CpuArchitecture::Unspecified,
        };
        Ok(StoredRecord::numbered(
            product,
            version,
            RecordTarget {
                device_id: device_id.or_else(|| own(rom)).unwrap_or(0),
                port: self.port.unwrap_or(0),
                cpu: self.cpu.unwrap_or(cpu),
                protocol: self.protocol.unwrap_or(RomProtocol::Any),
            },
        ))
    }
}

fn efi_cpu(rom: &OptionRom<'_>) -> CpuArchitecture {
    let has = |machine| {
        rom.images
            .iter()
            .filter_map(RomImage::efi_header)
            .any(|header| header.machine == machine)
    };
    match (has(0x8664), has(0xaa64), has(0x014c)) {
        (true, true, _) => CpuArchitecture::Amd64AndAarch64,
        (true, false, _) => CpuArchitecture::Amd64,
        (false, true, _) => CpuArchitecture::Aarch64,
        (false, false, true) => CpuArchitecture::Ia32,
        (false, false, false) => CpuArchitecture::Unspecified,
    }
}

fn append(draft: &mut Draft, record: &StoredRecord<'_>) {
    let filler = draft.bytes.len().wrapping_neg() % 4;
    if filler > 0 {
        let at = draft.bytes.len();
        draft.bytes.resize(at + filler, 0xff);
        draft.changed(
            "trailing/padding".to_owned(),
            at,
            filler,
            "up to a multiple of 4 bytes".to_owned(),
        );
    }
    let bytes = record.to_bytes();
    let at = draft.bytes.len();
    draft.bytes.extend_from_slice(&bytes);
    draft.changed(
        "trailing/version-record".to_owned(),
        at,
        bytes.len(),
        format!("added: {}", words(record)),
    );
}

/// Sets the id in every PCIR and device list.
fn set_device_id(
    draft: &mut Draft,
    rom: &OptionRom<'_>,
    id: u16,
    notes: &mut Vec<String>,
) -> Result<(), EditError> {
    let mut any = false;
    for (index, image) in rom.images.iter().enumerate() {
        let place = image.offset_of(|part| matches!(part, Part::Pcir(_)));
        let (Some(at), Some(pcir)) = (place, image.pcir()) else {
            notes.push(format!("image {index} has no PCIR, and so no device id"));
            continue;
        };
        any = true;
        let old = pcir.device_id();
        draft.write(
            format!("image{index}/PCIR/device-id"),
            at + super::pcir::DEVICE_ID,
            &id.to_le_bytes(),
            format!("{old:#06x} -> {id:#06x}"),
        );
        let list = image.offset_of(|part| matches!(part, Part::DeviceList(_)));
        let (Some(at), Some(ids)) = (list, image.device_list()) else {
            continue;
        };
        if ids.is_empty() || ids.contains(&id) {
            continue;
        }
        let entry = ids.iter().position(|listed| *listed == old).unwrap_or(0);
        let listed = ids.get(entry).copied().unwrap_or(old);
        draft.write(
            format!("image{index}/device-list"),
            at + entry * 2,
            &id.to_le_bytes(),
            format!("{listed:#06x} -> {id:#06x}"),
        );
        if ids.len() > 1 {
            notes.push(format!(
                "image {index} lists {} more device ids, which stay",
                ids.len() - 1
            ));
        }
    }
    if any {
        Ok(())
    } else {
        Err(EditError::Lacks {
            part: "PCIR".to_owned(),
            needed_for: "holds the device id".to_owned(),
        })
    }
}

/// A record in a few words.
fn words(record: &StoredRecord<'_>) -> String {
    let record = record.meaning(0);
    let version = match &record.version {
        RomVersion::Numbered(version) => version.to_string(),
        RomVersion::Text(text) => format!("`{text}`"),
    };
    let mut words = format!("{} {version}", product_words(record.product));
    if let Some(device) = record.device_id {
        words.push_str(&format!(" for {device:#06x}"));
    }
    if let Some(port) = record.port {
        words.push_str(&format!(" port {port}"));
    }
    for name in [record.cpu.name(), record.protocol.name()]
        .into_iter()
        .flatten()
    {
        words.push_str(&format!(" {name}"));
    }
    words
}

fn product_words(product: RomProduct) -> String {
    product
        .name()
        .map_or_else(|| format!("product {:#x}", product.id()), str::to_owned)
}

fn bad(field: &str, value: &dyn std::fmt::Display, allowed: &str) -> EditError {
    EditError::BadValue {
        field: field.to_owned(),
        value: value.to_string(),
        allowed: allowed.to_owned(),
    }
}
