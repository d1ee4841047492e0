//! A version record as it is stored, every bit of it; the table is in
//! [`version_record`](super::version_record).

use bitfield_struct::bitfield;

use super::version_record::MAGIC;
use super::{
    CpuArchitecture, FlexBootVersion, RomProduct, RomProtocol, RomVersion, VersionRecord,
    VersionRecordError,
};

const TEXT_PRODUCT: u16 = 0xf;
const FIRST_WITH_TARGET: u16 = 0x10;
/// Dwords of a text record without its text, counted as mstflint does.
const TEXT_OVERHEAD_DWORDS: usize = 4;

#[bitfield(u32, default = false)]
#[derive(PartialEq, Eq, Hash)]
struct First {
    major: u8,
    reserved: u8,
    product: u16,
}

#[bitfield(u32, default = false)]
#[derive(PartialEq, Eq, Hash)]
struct Second {
    sub: u16,
    minor: u8,
    reserved: u8,
}

#[bitfield(u32, default = false)]
#[derive(PartialEq, Eq, Hash)]
struct Target {
    protocol: u8,
    #[bits(4)]
    cpu: u8,
    #[bits(4)]
    port: u8,
    device_id: u16,
}

#[bitfield(u32, default = false)]
#[derive(PartialEq, Eq, Hash)]
struct TextLengths {
    record_dwords: u8,
    text_bytes: u8,
    reserved: u16,
}

/// A version record as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoredRecord<'a> {
    first: First,
    second: Second,
    rest: Rest<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Rest<'a> {
    None,
    Target(Target),
    Text {
        not_used: u32,
        lengths: TextLengths,
        text: &'a [u8],
    },
}

impl<'a> StoredRecord<'a> {
    /// Reads the record whose magic starts at `offset`.
    ///
    /// # Errors
    /// It is cut off, or contradicts itself.
    pub(super) fn parse(bytes: &'a [u8], offset: usize) -> Result<Self, VersionRecordError> {
        let truncated = VersionRecordError::Truncated { offset };
        let content = offset
            .checked_add(MAGIC.len())
            .and_then(|at| bytes.get(at..))
            .unwrap_or_default();
        let dword = |at: usize| {
            let bytes = content.get(at..)?.first_chunk().copied()?;
            Some(u32::from_le_bytes(bytes))
        };
        let (Some(first), Some(second)) = (dword(0), dword(4)) else {
            return Err(truncated);
        };
        let (first, second) = (First::from_bits(first), Second::from_bits(second));
        let rest = match first.product() {
            TEXT_PRODUCT => {
                let not_used = dword(8).ok_or_else(|| truncated.clone())?;
                let lengths = dword(12).ok_or_else(|| truncated.clone())?;
                let lengths = TextLengths::from_bits(lengths);
                let text_bytes = usize::from(lengths.text_bytes());
                let needed = text_bytes.div_ceil(4) + TEXT_OVERHEAD_DWORDS;
                if usize::from(lengths.record_dwords()) < needed {
                    return Err(VersionRecordError::TextTooLong {
                        offset,
                        record_dwords: lengths.record_dwords(),
                        text_bytes: lengths.text_bytes(),
                    });
                }
                Rest::Text {
                    not_used,
                    lengths,
                    text: content.get(16..16 + text_bytes).ok_or(truncated)?,
                }
            }
            FIRST_WITH_TARGET.. => Rest::Target(Target::from_bits(dword(8).ok_or(truncated)?)),
            _ => Rest::None,
        };
        Ok(Self {
            first,
            second,
            rest,
        })
    }

    /// A record with a version in numbers. Products below 0x10 have no target,
    /// so nothing but the version is kept of those.
    pub(in crate::image) fn numbered(
        product: RomProduct,
        version: FlexBootVersion,
        target: RecordTarget,
    ) -> Self {
        let rest = if product.id() >= FIRST_WITH_TARGET {
            Rest::Target(
                Target::new()
                    .with_protocol(target.protocol.id())
                    .with_cpu(target.cpu.id() & 0xf)
                    .with_port(target.port & 0xf)
                    .with_device_id(target.device_id),
            )
        } else {
            Rest::None
        };
        Self {
            first: First::new()
                .with_major(version.major)
                .with_product(product.id()),
            second: Second::new()
                .with_minor(version.minor)
                .with_sub(version.sub),
            rest,
        }
    }

    /// A record with a version in words; `None` when it is too long.
    pub(in crate::image) fn text(text: &'a [u8]) -> Option<Self> {
        let dwords = text.len().div_ceil(4) + TEXT_OVERHEAD_DWORDS;
        Some(Self {
            first: First::new().with_product(TEXT_PRODUCT),
            second: Second::new(),
            rest: Rest::Text {
                not_used: 0,
                lengths: TextLengths::new()
                    .with_record_dwords(u8::try_from(dwords).ok()?)
                    .with_text_bytes(u8::try_from(text.len()).ok()?),
                text,
            },
        })
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.first.into_bits().to_le_bytes());
        bytes.extend(self.second.into_bits().to_le_bytes());
        match self.rest {
            Rest::None => {}
            Rest::Target(target) => bytes.extend(target.into_bits().to_le_bytes()),
            Rest::Text {
                not_used,
                lengths,
                text,
            } => {
                bytes.extend(not_used.to_le_bytes());
                bytes.extend(lengths.into_bits().to_le_bytes());
                bytes.extend_from_slice(text);
            }
        }
        bytes
    }

    /// What it says; `offset` is where it was found in the file.
    #[must_use]
    pub fn meaning(&self, offset: usize) -> VersionRecord {
        let product = RomProduct::from_id(self.first.product());
        let mut record = VersionRecord {
            offset,
            product,
            version: RomVersion::Numbered(FlexBootVersion {
                major: self.first.major(),
                minor: self.second.minor(),
                sub: self.second.sub(),
            }),
            device_id: None,
            port: None,
            cpu: CpuArchitecture::Unspecified,
            protocol: RomProtocol::Any,
        };
        match self.rest {
            Rest::None => {}
            Rest::Target(target) => {
                record.device_id = Some(target.device_id()).filter(|&id| id != 0);
                record.cpu = CpuArchitecture::from_id(target.cpu());
                // CLP images are for all ports and all networks.
                if product != RomProduct::Clp {
                    record.port = Some(target.port()).filter(|&port| port != 0);
                    record.protocol = RomProtocol::from_id(target.protocol());
                }
            }
            Rest::Text { text, .. } => {
                let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
                record.version = RomVersion::Text(String::from_utf8_lossy(text).into_owned());
            }
        }
        record
    }

    /// Whether it says for which device it is, or could.
    #[must_use]
    pub fn has_target(&self) -> bool {
        matches!(self.rest, Rest::Target(_))
    }

    /// The same for another device; a record without a target stays as it is.
    pub(super) fn with_device_id(mut self, device_id: u16) -> Self {
        if let Rest::Target(target) = &mut self.rest {
            target.set_device_id(device_id);
        }
        self
    }

    /// The same with another version.
    pub(super) fn with_version(mut self, version: FlexBootVersion) -> Self {
        self.first.set_major(version.major);
        self.second.set_minor(version.minor);
        self.second.set_sub(version.sub);
        self
    }

    pub(super) fn with_cpu(mut self, cpu: CpuArchitecture) -> Self {
        if let Rest::Target(target) = &mut self.rest {
            target.set_cpu(cpu.id() & 0xf);
        }
        self
    }

    pub(super) fn with_protocol(mut self, protocol: RomProtocol) -> Self {
        if let Rest::Target(target) = &mut self.rest {
            target.set_protocol(protocol.id());
        }
        self
    }

    pub(super) fn with_port(mut self, port: u8) -> Self {
        if let Rest::Target(target) = &mut self.rest {
            target.set_port(port & 0xf);
        }
        self
    }
}

/// For which card, port and processor a new record is.
#[derive(Clone, Copy, Debug)]
pub(in crate::image) struct RecordTarget {
    pub(in crate::image) device_id: u16,
    /// 0 for all.
    pub(in crate::image) port: u8,
    pub(in crate::image) cpu: CpuArchitecture,
    pub(in crate::image) protocol: RomProtocol,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_a_genuine_rom_is_made_again() {
        // FlexBoot 3.4.752 of a ConnectX-3 Pro ends with these bytes (published image).
        let record = StoredRecord::numbered(
            RomProduct::Pxe,
            FlexBootVersion::new(3, 4, 752),
            RecordTarget {
                device_id: 0x1007,
                port: 0,
                cpu: CpuArchitecture::Unspecified,
                protocol: RomProtocol::Any,
            },
        );
        let genuine = b"mlxsign:\x03\x00\x10\x00\xf0\x02\x04\x00\xff\x00\x07\x10";
        assert_eq!(record.to_bytes(), genuine);
        assert_eq!(StoredRecord::parse(genuine, 0), Ok(record));
    }

    #[test]
    fn every_bit_of_a_record_is_kept() {
        for product in [0_u8, 1, 0xe, 0x10, 0x11, 0x12, 0x13, 0x21, 0xff] {
            let mut bytes = b"mlxsign:".to_vec();
            bytes.extend([0x81, 0x92, product, 0, 0xa3, 0xb4, 0xc5, 0xd6]);
            if product >= 0x10 {
                bytes.extend([0xe7, 0xf8, 0x09, 0x1a]);
            }
            let record = StoredRecord::parse(&bytes, 0).unwrap();
            assert_eq!(record.to_bytes(), bytes, "{product:#x}");
        }
        let text = StoredRecord::text(b"4711 custom").unwrap();
        let bytes = text.to_bytes();
        assert_eq!(StoredRecord::parse(&bytes, 0), Ok(text));
    }
}
