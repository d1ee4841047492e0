//! IMAGE_INFO of a described image; see
//! [`ImageInfo`](crate::image::fs3::ImageInfo) for the offsets.

use crate::image::build::BuildError;

use super::Fs3Description;

const BYTES: usize = 0x400;
const VENDOR: u16 = 0x15b3;

/// An error about one key.
pub(super) fn wrong(path: &str, problem: impl Into<String>) -> BuildError {
    BuildError::Value {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

/// Puts bytes at a place that is known to be there.
pub(super) fn put(section: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = section.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Puts a text at a place that has room for `room` bytes.
pub(super) fn put_text(
    section: &mut [u8],
    at: usize,
    room: usize,
    key: &str,
    text: &str,
) -> Result<(), BuildError> {
    if text.len() > room {
        return Err(wrong(key, format!("longer than {room} bytes")));
    }
    put(section, at, text.as_bytes());
    Ok(())
}

/// The section.
pub(super) fn image_info(description: &Fs3Description) -> Result<Vec<u8>, BuildError> {
    let mut section = vec![0; BYTES];
    put(&mut section, 1, &[3, security(description)?]);
    put_version(&mut section, 4, "version", &description.version)?;
    if let Some(date) = &description.date {
        put(&mut section, 0x10, &date_bcd(date)?);
    }
    if let Some(mic) = &description.mic_version {
        put_version(&mut section, 0x14, "mic_version", mic)?;
    }
    put(&mut section, 0x1c, &description.pci_device.to_be_bytes());
    put(&mut section, 0x1e, &VENDOR.to_be_bytes());
    put(&mut section, 0x36, &VENDOR.to_be_bytes());
    // Half a chunk step, as in genuine images.
    put(&mut section, 0x10b, &[description.log2_chunk]);
    if !(1..=4).contains(&description.hw_ids.len()) {
        return Err(wrong("hw_ids", "give one to four hardware ids"));
    }
    for (number, id) in description.hw_ids.iter().enumerate() {
        put(&mut section, 0x118 + number * 4, &id.to_be_bytes());
    }
    let texts = [
        (0x24, 16, "psid", &description.psid),
        (0x38, 207, "vsd", &description.vsd),
        (0x1c0, 16, "product_version", &description.product_version),
        (0x1d0, 255, "description", &description.description),
        (0x340, 63, "name", &description.name),
        (0x380, 127, "prs_name", &description.prs_name),
    ];
    for (at, room, key, text) in texts {
        put_text(&mut section, at, room, key, text)?;
    }
    Ok(section)
}

fn security(description: &Fs3Description) -> Result<u8, BuildError> {
    description.security.iter().try_fold(0, |bits, word| {
        let bit = match word.as_str() {
            "secure-fw" => 0x80,
            "signed-fw" => 0x40,
            "debug" => 0x20,
            "mcc" => 0x01,
            other => return Err(wrong("security", format!("{other:?} is not known"))),
        };
        Ok(bits | bit)
    })
}

fn put_version(section: &mut [u8], at: usize, key: &str, text: &str) -> Result<(), BuildError> {
    let parts: Option<Vec<u16>> = text.split('.').map(|part| part.parse().ok()).collect();
    let Some([major, minor, subminor]) = parts.as_deref() else {
        return Err(wrong(key, "give three numbers, such as 12.14.2036"));
    };
    put(section, at, &major.to_be_bytes());
    put(section, at + 4, &minor.to_be_bytes());
    put(section, at + 6, &subminor.to_be_bytes());
    Ok(())
}

fn date_bcd(text: &str) -> Result<[u8; 4], BuildError> {
    let bad = || wrong("date", "give year, month and day, such as 2016-05-31");
    let shape: Vec<usize> = text.split('-').map(str::len).collect();
    let digits: String = text.split('-').collect();
    // The digits of a decimal number, read as hexadecimal ones, are BCD.
    let decimal = digits.bytes().all(|digit| digit.is_ascii_digit());
    if shape != [4, 2, 2] || !decimal {
        return Err(bad());
    }
    u32::from_str_radix(&digits, 16)
        .map(u32::to_be_bytes)
        .map_err(|_| bad())
}
