//! The alias of a PCI function: all of its ids in one attribute.
//!
//! `modalias` repeats `vendor`, `device`, `subsystem_vendor`,
//! `subsystem_device` and `class` in one line,
//! `pci:v000015B3d00001013sv000015B3sd00000008bc02sc00i00`: one file to read in
//! place of five.
//!
//! # Sources
//! Linux kernel, drivers/pci/pci-sysfs.c (`modalias_show`).

/// What the alias says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modalias {
    pub(super) vendor: u16,
    pub(super) device: u16,
    pub(super) subsystem_vendor: u16,
    pub(super) subsystem_device: u16,
    pub(super) class: u32,
}

impl Modalias {
    /// Reads an alias exactly as the kernel prints it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix("pci:")?;
        let mut field = |key: &str, digits: usize| {
            let (value, after) = rest.strip_prefix(key)?.split_at_checked(digits)?;
            rest = after;
            let plain = value.bytes().all(|byte| byte.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(value, 16).ok())?
        };
        let [vendor, device] = [field("v", 8)?, field("d", 8)?];
        let [subsystem_vendor, subsystem_device] = [field("sv", 8)?, field("sd", 8)?];
        let [base, sub, interface] = [field("bc", 2)?, field("sc", 2)?, field("i", 2)?];
        rest.is_empty().then_some(())?;
        Some(Self {
            vendor: vendor.try_into().ok()?,
            device: device.try_into().ok()?,
            subsystem_vendor: subsystem_vendor.try_into().ok()?,
            subsystem_device: subsystem_device.try_into().ok()?,
            class: base << 16 | sub << 8 | interface,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_alias_of_a_card() {
        let alias = "pci:v000015B3d00001013sv0000103Csd00000008bc02sc07i01";
        let expected = Modalias {
            vendor: 0x15b3,
            device: 0x1013,
            subsystem_vendor: 0x103c,
            subsystem_device: 0x0008,
            class: 0x02_0701,
        };
        assert_eq!(Modalias::parse(alias), Some(expected));
    }

    #[test]
    fn refuses_what_the_kernel_does_not_print() {
        for text in [
            "",
            "pci:",
            "virtio:d00000001v00001AF4",
            "pci:v000015B3d00001013",
            "pci:v000015B3d00001013sv000015B3sd00000008bc02sc00i0",
            "pci:v000015B3d00001013sv000015B3sd00000008bc02sc00i000",
            "pci:v000115B3d00001013sv000015B3sd00000008bc02sc00i00",
            "pci:v+00015B3d00001013sv000015B3sd00000008bc02sc00i00",
            "pci:v00001é5Bd00001013sv000015B3sd00000008bc02sc00i00",
        ] {
            assert_eq!(Modalias::parse(text), None, "{text}");
        }
    }
}
