//! The ways to the flash, per generation.

use serde::Deserialize;

use super::FirmwareInterface;

const PATHS: &str = include_str!("../../hwdb/flash-paths.toml");

/// How the flash is reached on one generation: a record of
/// `hwdb/flash-paths.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashPath {
    /// Whose it is.
    pub interface: FirmwareInterface,
    /// The way that is taken when nobody chose one.
    pub default_way: FlashDefaultWay,
    /// The SPI gateway in CR space.
    pub gateway: FlashGateway,
    /// How many bytes MFBA moves at a time.
    pub register_bytes: u16,
    /// Whether the sector that MFPA names is the one that MFBE erases.
    pub firmware_names_sector: bool,
    /// Where the start of the image for the next warm reset stands in CR space.
    pub boot_address: CrShift,
    /// What is set along with it.
    pub boot_address_also: Option<CrSetting>,
    /// Where the facts come from.
    pub source: Vec<String>,
}

/// A way to the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlashDefaultWay {
    /// The SPI gateway.
    Gateway,
    /// The firmware's registers.
    Registers,
}

/// The SPI gateway: byte addresses in CR space.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashGateway {
    /// The command register.
    pub command: u32,
    /// The flash address.
    pub address: u32,
    /// The first data register.
    pub data: u32,
    /// How many bytes the data registers have.
    pub data_bytes: u8,
    /// Bits that are set in every command.
    pub always: u32,
    /// What keeps others away.
    pub lock: FlashGatewayLock,
    /// The field that lets the firmware fetch code from the flash; cleared while
    /// the lock is held.
    pub cache_replacement: Option<CrSetting>,
    /// Fields that are not 0 where running firmware fetches code from the flash.
    #[serde(default)]
    pub firmware_uses: Vec<CrField>,
    /// A register that is written 0 once where it does and the gateway is taken
    /// nevertheless.
    pub firmware_uses_write: Option<u32>,
    /// What is done where the chip runs without firmware.
    pub without_firmware: Option<WithoutFirmware>,
}

/// What keeps others away from the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlashGatewayLock {
    /// A semaphore of its own, CR 0xf03fc.
    Semaphore,
    /// Bit 31 of the command register: reading it as 0 takes it.
    CommandBit,
}

/// A register whose value is shifted to the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrShift {
    /// Byte address in CR space.
    pub register: u32,
    /// By how many bits.
    pub shift: u8,
}

/// A field of a register in CR space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrField {
    /// Byte address in CR space.
    pub register: u32,
    /// Its lowest bit.
    pub shift: u8,
    /// How many bits it has.
    pub bits: u8,
}

/// A field of a register in CR space and what it is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrSetting {
    /// Byte address in CR space.
    pub register: u32,
    /// Its lowest bit.
    pub shift: u8,
    /// How many bits it has.
    pub bits: u8,
    /// What it is set to.
    pub value: u32,
}

/// What is done where the chip runs without firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithoutFirmware {
    /// The register that tells, by its byte address in CR space.
    pub register: u32,
    /// It tells so by being above this.
    pub above: u32,
    /// What is set then.
    pub field: CrSetting,
}

impl FlashPath {
    /// The ways of a generation; `None` never in a released program (tests below).
    #[must_use]
    pub fn of(interface: FirmwareInterface) -> Option<Self> {
        let file: PathsFile = toml::from_str(PATHS).ok()?;
        let mut paths = file.path.into_iter();
        paths.find(|path| file.schema == 1 && path.interface == interface)
    }
}

impl CrField {
    /// Whether it is not 0 in a register that reads as `dword`.
    #[must_use]
    pub fn is_set(self, dword: u32) -> bool {
        dword & mask(self.shift, self.bits) != 0
    }
}

impl CrSetting {
    /// The register with the field set.
    #[must_use]
    pub fn set(self, dword: u32) -> u32 {
        let mask = mask(self.shift, self.bits);
        dword & !mask | self.value.unbounded_shl(self.shift.into()) & mask
    }

    /// The register with the field cleared.
    #[must_use]
    pub fn clear(self, dword: u32) -> u32 {
        dword & !mask(self.shift, self.bits)
    }
}

fn mask(shift: u8, bits: u8) -> u32 {
    let field = 1_u32.unbounded_shl(bits.into()).wrapping_sub(1);
    field.unbounded_shl(shift.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathsFile {
    schema: u32,
    path: Vec<FlashPath>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_have_one() {
        let file: PathsFile = toml::from_str(PATHS).unwrap();
        assert_eq!((file.schema, file.path.len()), (1, 2));
        for interface in [FirmwareInterface::ToolsHcr, FirmwareInterface::Icmd] {
            let path = FlashPath::of(interface).unwrap();
            assert!(!path.source.is_empty());
            let gateway = &path.gateway;
            assert!(gateway.data_bytes.is_power_of_two() && gateway.data_bytes >= 4);
            for register in [gateway.command, gateway.address, gateway.data] {
                assert!(register % 4 == 0 && register < 0x10_0000);
            }
            assert!(path.register_bytes.is_power_of_two());
        }
    }

    #[test]
    fn a_field_keeps_the_bits_around_it() {
        let field = CrSetting {
            register: 0,
            shift: 27,
            bits: 2,
            value: 2,
        };
        assert_eq!(field.set(0xffff_ffff), 0xf7ff_ffff);
        assert_eq!(field.set(0), 0x1000_0000);
        assert_eq!(field.clear(0xffff_ffff), 0xe7ff_ffff);
        let whole = CrField {
            register: 0,
            shift: 0,
            bits: 32,
        };
        assert!(whole.is_set(1 << 31) && !whole.is_set(0));
    }
}
