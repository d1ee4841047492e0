//! A backup as text: TOML, `flexctl.backup/1`.
//!
//! ```toml
//! # what it is, when it was made, by what
//! schema = "flexctl.backup/1"
//! created_unix = 1763833601
//! created_by = "flexctl 0.1.0"
//! found_by = "walk"               # or "asking": there may be more on the card
//! checksum = "crc32:89abcdef"     # CRC-32/ISO-HDLC over all lines but this one
//!
//! [card]
//! model = "connectx-4"            # device name in the data files
//! device_id = 0x1013
//! psid = "MT_2190110032"          # this and the next three: where known
//! part_number = "MCX456A-ECAT"
//! serial_number = "MT1601X00012"
//! firmware = "12.28.2006"
//! address = "0000:04:00.0"
//! functions = [0, 1]              # the functions that were read
//!
//! [[tlv]]
//! function = 0                    # PCI function through which it was read
//! port = 1                        # where it belongs to a port
//! key = "0x03000195"              # type dword; ConnectX-3: "0x2001/1", type and port
//! name = "nv_rom_boot_conf2"      # where flexctl knows it
//! version = 2                     # version, writer_id, writer_host_id: ConnectX-4
//! writer_id = 9
//! writer_host_id = 0
//! secret = true                   # only where it holds a secret
//! data = "00000114"               # hexadecimal, in dwords
//! # IP_VER = IPv6(1)              # what it means; comments do not count
//!
//! [[omitted]]                     # set, or may be, and not in here
//! function = 0
//! key = "0x030002f1"
//! settings = ["ISCSI_CHAP_PWD"]
//! because = "secret"              # or the words of the card
//! # end of backup
//! ```
//!
//! Lines end with a newline; the last one says that nothing was cut off.

use std::fmt::Write as _;

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::command::register::TlvHeader;
use crate::hwdb::SettingsFile;

use super::contents::{Backup, BackupTlv, FoundBy, Omitted, OmittedBecause, record_of};

pub(super) const SCHEMA: &str = "flexctl.backup/1";
pub(super) const CHECKSUM_KEY: &str = "checksum = ";
pub(super) const LAST_LINE: &str = "# end of backup";
pub(super) const SECRET: &str = "secret";
/// Dwords of a line of data.
const LINE_DWORDS: usize = 8;

impl Backup {
    /// The text of the file. With the data files, comments say what bytes mean;
    /// secret values are hidden in them.
    #[must_use]
    pub fn to_text(&self, file: Option<&SettingsFile>) -> String {
        let mut text = Text::default();
        self.head(&mut text);
        let head = text.0.len();
        self.body(&mut text, file);
        let checksum = checksum(text.0.as_bytes());
        text.0
            .insert_str(head, &format!("{CHECKSUM_KEY}\"{checksum}\"\n"));
        text.0
    }

    fn head(&self, text: &mut Text) {
        let (date, time) = date_and_time(self.created_unix);
        text.comment(&format!(
            "Settings of a network card, as {} found them on {date} at {time} UTC.",
            self.created_by
        ));
        text.comment("`flexctl restore` puts them back. The data counts; the comments say what it");
        text.comment("means. The checksum is over every line but its own.");
        text.line("schema", &quoted(SCHEMA));
        text.line("created_unix", &self.created_unix.to_string());
        text.line("created_by", &quoted(&self.created_by));
        let found_by = match self.found_by {
            FoundBy::Walk => "walk",
            FoundBy::Asking => "asking",
        };
        text.line("found_by", &quoted(found_by));
    }

    fn body(&self, text: &mut Text, file: Option<&SettingsFile>) {
        let card = &self.card;
        text.table("[card]");
        text.line("model", &quoted(&card.identity.model));
        text.line("device_id", &format!("{:#06x}", card.identity.device_id));
        for (key, value) in [
            ("psid", &card.identity.psid),
            ("part_number", &card.identity.part_number),
            ("serial_number", &card.identity.serial_number),
            ("firmware", &card.firmware),
        ] {
            if let Some(value) = value {
                text.line(key, &quoted(value));
            }
        }
        text.line("address", &quoted(&card.address.to_string()));
        let functions: Vec<String> = card.functions.iter().map(u8::to_string).collect();
        text.line("functions", &format!("[{}]", functions.join(", ")));
        for tlv in &self.tlvs {
            tlv_table(text, tlv, file);
        }
        for omitted in &self.omitted {
            omitted_table(text, omitted);
        }
        text.0.push_str(LAST_LINE);
        text.0.push('\n');
    }
}

fn tlv_table(text: &mut Text, tlv: &BackupTlv, file: Option<&SettingsFile>) {
    text.table("[[tlv]]");
    text.line("function", &tlv.function.to_string());
    if tlv.port != 0 {
        text.line("port", &tlv.port.to_string());
    }
    text.line("key", &quoted(&tlv.key.to_string()));
    if let Some(name) = &tlv.name {
        text.line("name", &quoted(name));
    }
    if let Some(TlvHeader {
        version,
        writer_id,
        writer_host_id,
    }) = tlv.header
    {
        text.line("version", &version.to_string());
        text.line("writer_id", &writer_id.to_string());
        text.line("writer_host_id", &writer_host_id.to_string());
    }
    if tlv.secret {
        text.line("secret", "true");
    }
    text.line("data", &data_text(&tlv.data));
    let known = file.and_then(|file| record_of(file, tlv.key));
    for field in known.into_iter().flat_map(|known| &known.field) {
        if let Some(value) = field.get(&tlv.data) {
            let counts = if field.is_valid(&tlv.data) {
                ""
            } else {
                " (does not count: its valid bit is clear)"
            };
            text.comment(&format!(
                "{} = {}{counts}",
                field.name,
                field.describe(&value)
            ));
        }
    }
}

fn omitted_table(text: &mut Text, omitted: &Omitted) {
    text.table("[[omitted]]");
    text.line("function", &omitted.function.to_string());
    if omitted.port != 0 {
        text.line("port", &omitted.port.to_string());
    }
    text.line("key", &quoted(&omitted.key.to_string()));
    if let Some(name) = &omitted.name {
        text.line("name", &quoted(name));
    }
    let settings: Vec<String> = omitted.settings.iter().map(|name| quoted(name)).collect();
    text.line("settings", &format!("[{}]", settings.join(", ")));
    let because = match &omitted.because {
        OmittedBecause::Secret => SECRET,
        OmittedBecause::Unreadable(words) => words,
    };
    text.line("because", &quoted(because));
}

/// The text so far.
#[derive(Default)]
struct Text(String);

impl Text {
    fn comment(&mut self, words: &str) {
        self.0.push_str("# ");
        self.0
            .extend(words.chars().filter(|letter| !letter.is_control()));
        self.0.push('\n');
    }

    fn table(&mut self, header: &str) {
        self.0.push('\n');
        self.0.push_str(header);
        self.0.push('\n');
    }

    fn line(&mut self, key: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{key} = {value}");
    }
}

/// A TOML basic string, on one line whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Data in dwords; more than a line of them in several lines.
fn data_text(data: &[u8]) -> String {
    let lines: Vec<String> = data
        .chunks(LINE_DWORDS * 4)
        .map(|line| {
            let dwords: Vec<String> = line.chunks(4).map(hex).collect();
            dwords.join(" ")
        })
        .collect();
    match lines.as_slice() {
        [] => "\"\"".to_owned(),
        [line] => format!("\"{line}\""),
        lines => format!("\"\"\"\n{}\"\"\"", lines.join("\n")),
    }
}

pub(super) fn hex(data: &[u8]) -> String {
    data.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes as hexadecimal digits for messages: many zeros at the end are counted.
pub(super) fn short_hex(data: &[u8]) -> String {
    const FEW: usize = 8;
    let used = data
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let (digits, zeros) = data.split_at(used);
    match (used, zeros.len()) {
        (_, count) if count <= FEW => hex(data),
        (0, count) => format!("{count} zero bytes"),
        (_, count) => format!("{} and {count} zero bytes", hex(digits)),
    }
}

/// The checksum of a text without its checksum line.
pub(super) fn checksum(text: &[u8]) -> String {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    format!("crc32:{:08x}", crc.checksum(text))
}

/// Seconds since 1970 as `2026-11-22` and `17:46:41`.
///
/// Days to date: Howard Hinnant, "chrono-compatible low-level date algorithms".
fn date_and_time(unix: u64) -> (String, String) {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    // Counted from 1 March of year 0, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    (
        format!("{year:04}-{month:02}-{day:02}"),
        format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_date() {
        for (unix, date, time) in [
            (0, "1970-01-01", "00:00:00"),
            (951_782_400, "2000-02-29", "00:00:00"),
            (1_763_833_601, "2025-11-22", "17:46:41"),
            (4_107_542_399, "2100-02-28", "23:59:59"),
            (4_107_542_400, "2100-03-01", "00:00:00"),
        ] {
            assert_eq!(date_and_time(unix), (date.to_owned(), time.to_owned()));
        }
    }

    #[test]
    fn the_checksum_is_the_one_of_the_catalogue() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(checksum(b"123456789"), "crc32:cbf43926");
    }

    #[test]
    fn long_data_is_wrapped() {
        assert_eq!(data_text(&[0, 1, 2, 3, 4]), "\"00010203 04\"");
        let long = data_text(&[0xab; 36]);
        assert_eq!(long.lines().count(), 3);
    }
}
