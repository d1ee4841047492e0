//! An expansion ROM in JSON.

use serde::Serialize;

use crate::image::option_rom::{CodeType, Pcir, RomImage};
use crate::image::{OptionRom, RomVersion, VersionRecord};

/// What a ROM consists of.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct RomTreeReport {
    /// Whether it is iPXE's `.mrom`: a BIOS image with its payload behind it.
    mrom: bool,
    /// Device ids of all images, as in `15b3:1013`.
    ids: Vec<String>,
    images: Vec<RomImageReport>,
    version_records: Vec<VersionRecordReport>,
    /// Bytes behind the last image.
    trailing_bytes: usize,
}

/// One image.
#[derive(Debug, Serialize)]
struct RomImageReport {
    index: usize,
    offset: usize,
    length: usize,
    /// `bios`, `efi`, `payload`, `open-firmware`, `pa-risc` or `unknown`.
    code: &'static str,
    code_type: u8,
    id: Option<String>,
    device_list: Option<Vec<String>>,
    class: Option<String>,
    pcir_revision: Option<u8>,
    code_revision: Option<u16>,
    last: Option<bool>,
    runtime_bytes: Option<usize>,
    pnp: Vec<PnpReport>,
    undi: Option<UndiReport>,
    ipxe: Option<IpxeReport>,
    efi: Option<EfiReport>,
}

#[derive(Debug, Serialize)]
struct PnpReport {
    manufacturer: Option<String>,
    product: Option<String>,
    bev: u16,
    bcv: u16,
}

#[derive(Debug, Serialize)]
struct UndiReport {
    pxe_version: String,
    loader: u16,
}

#[derive(Debug, Serialize)]
struct IpxeReport {
    build_id: String,
    shrunk_bytes: usize,
}

#[derive(Debug, Serialize)]
struct EfiReport {
    machine: String,
    machine_name: Option<&'static str>,
    subsystem: u16,
    subsystem_name: Option<&'static str>,
    compression: u16,
    image_offset: u16,
}

/// A version record.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct VersionRecordReport {
    offset: usize,
    /// The image that it is in; null behind the last one.
    image: Option<usize>,
    product: u16,
    product_name: Option<&'static str>,
    version: String,
    device_id: Option<String>,
    port: Option<u8>,
    cpu: Option<&'static str>,
    protocol: Option<&'static str>,
}

/// Vendor and device, as in `15b3:1013`.
pub(in crate::cli) fn pci_id(pcir: &Pcir) -> String {
    format!("{:04x}:{:04x}", pcir.vendor_id(), pcir.device_id())
}

/// The version in a record.
pub(in crate::cli) fn version_text(record: &VersionRecord) -> String {
    match &record.version {
        RomVersion::Numbered(version) => version.to_string(),
        RomVersion::Text(text) => text.clone(),
    }
}

impl RomTreeReport {
    pub(in crate::cli) fn new(rom: &OptionRom<'_>, length: usize) -> Self {
        let mut ids: Vec<String> = Vec::new();
        for id in rom.images.iter().filter_map(RomImage::pcir).map(pci_id) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Self {
            mrom: rom.is_mrom(),
            ids,
            images: rom
                .images
                .iter()
                .enumerate()
                .map(|(index, image)| RomImageReport::new(index, image))
                .collect(),
            version_records: rom
                .records()
                .map(|(image, offset, record)| {
                    VersionRecordReport::new(image, &record.meaning(offset))
                })
                .collect(),
            trailing_bytes: length.saturating_sub(rom.chain_bytes()),
        }
    }
}

impl RomImageReport {
    fn new(index: usize, image: &RomImage<'_>) -> Self {
        let pcir = image.pcir();
        let hex = |id: &u16| format!("{id:#06x}");
        let code_type: CodeType = image.code_type();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            index,
            offset: image.offset,
            length: image.bytes.len(),
            code: code_type.word(),
            code_type: code_type.id(),
            id: pcir.map(pci_id),
            device_list: image.device_list().map(|ids| ids.iter().map(hex).collect()),
            class: pcir.map(|pcir| format!("{:#08x}", pcir.class())),
            pcir_revision: pcir.map(Pcir::revision),
            code_revision: pcir.map(Pcir::code_revision),
            last: pcir.map(Pcir::is_last),
            runtime_bytes: pcir.and_then(Pcir::runtime_bytes),
            pnp: image
                .pnp()
                .map(|pnp| PnpReport {
                    manufacturer: owned(image.text_at(pnp.manufacturer)),
                    product: owned(image.text_at(pnp.product)),
                    bev: pnp.bev,
                    bcv: pnp.bcv,
                })
                .collect(),
            undi: image.undi().map(|undi| UndiReport {
                pxe_version: undi.pxe_version().to_string(),
                loader: undi.loader,
            }),
            ipxe: image.ipxe().map(|ipxe| IpxeReport {
                build_id: format!("{:#010x}", ipxe.build_id),
                shrunk_bytes: usize::from(ipxe.shrunk_blocks) * 512,
            }),
            efi: image.efi_header().map(|header| EfiReport {
                machine: hex(&header.machine),
                machine_name: header.machine_name(),
                subsystem: header.subsystem,
                subsystem_name: header.subsystem_name(),
                compression: header.compression,
                image_offset: header.image,
            }),
        }
    }
}

impl VersionRecordReport {
    pub(in crate::cli) fn new(image: Option<usize>, record: &VersionRecord) -> Self {
        Self {
            offset: record.offset,
            image,
            product: record.product.id(),
            product_name: record.product.name(),
            version: version_text(record),
            device_id: record.device_id.map(|id| format!("{id:#06x}")),
            port: record.port,
            cpu: record.cpu.name(),
            protocol: record.protocol.name(),
        }
    }
}
