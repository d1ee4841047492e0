//! The address of a PCI function: domain, bus, device, function.

use std::fmt;
use std::str::FromStr;

/// Bus, device and function number with the PCI domain (BDF).
///
/// Printed as the kernel names it in `/sys/bus/pci/devices`: `0000:04:00.0`.
/// Domains wider than 16 bits (Intel VMD) print with all their digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bdf {
    /// PCI domain (segment), usually 0.
    pub domain: u32,
    /// Bus number.
    pub bus: u8,
    /// Device number on the bus, 0 to 31.
    pub device: u8,
    /// Function number of the device, 0 to 7.
    pub function: u8,
}

/// A text that is not a PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a PCI address (expected [DDDD:]BB:DD.F in hexadecimal)")]
pub struct ParseBdfError {
    /// The text as it was given.
    pub text: String,
}

impl Bdf {
    /// The address of another function of the same device.
    #[must_use]
    pub fn with_function(self, function: u8) -> Self {
        Self { function, ..self }
    }

    /// Domain, bus and device: what the functions of one card share.
    #[must_use]
    pub fn slot(self) -> (u32, u8, u8) {
        (self.domain, self.bus, self.device)
    }
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}:{:02x}:{:02x}.{:x}",
            self.domain, self.bus, self.device, self.function
        )
    }
}

impl FromStr for Bdf {
    type Err = ParseBdfError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParseBdfError {
            text: text.to_owned(),
        })
    }
}

fn parse(text: &str) -> Option<Bdf> {
    let (rest, function) = text.rsplit_once('.')?;
    let (rest, device) = rest.rsplit_once(':')?;
    let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
    let bdf = Bdf {
        domain: hex(domain, 8)?,
        bus: u8::try_from(hex(bus, 2)?).ok()?,
        device: u8::try_from(hex(device, 2)?).ok()?,
        function: u8::try_from(hex(function, 1)?).ok()?,
    };
    (bdf.device < 32 && bdf.function < 8).then_some(bdf)
}

fn hex(digits: &str, most: usize) -> Option<u32> {
    let plain = !digits.is_empty()
        && digits.len() <= most
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_with_and_without_a_domain() {
        for (text, printed) in [
            ("04:00.0", "0000:04:00.0"),
            ("0000:af:1f.7", "0000:af:1f.7"),
            ("10000:e1:00.1", "10000:e1:00.1"),
        ] {
            assert_eq!(text.parse::<Bdf>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "", "04:00", "04:20.0", "04:00.8", "4", "zz:00.0", "04:00.0 ", "04:+0.0", "123:00.0",
        ] {
            assert!(text.parse::<Bdf>().is_err(), "{text}");
        }
    }
}
