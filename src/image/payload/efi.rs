//! What is in an EFI image.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 2 | 55 AA |
//! | 2 | 2 | size in units of 512 bytes |
//! | 4 | 4 | 0x0ef1 |
//! | 8 | 2 | subsystem |
//! | 0xa | 2 | machine |
//! | 0xc | 2 | 0 not compressed, 1 compressed as UEFI describes it |
//! | 0x16 | 2 | offset of the program |
//! | 0x18 | 2 | offset of the PCI data structure |
//!
//! All little-endian. The compression carries no checksum. iPXE's tools put one
//! behind the PCI data structure that makes the bytes of the whole image add up
//! to 0, though nothing asks for it: if they do not, the image is damaged, and
//! then what is missing in it proves nothing. Other tools leave zeros there.
//!
//! # Sources
//! UEFI Specification 2.10, section 14.4.2 (EFI PCI expansion ROM header); PCI
//! Firmware Specification 3.0, section 5.1; iPXE, src/util/efirom.c.

use std::borrow::Cow;

use super::bios::Part;
use super::blocks::Budget;
use super::traces::Traces;
use super::uefi_compression::{UefiError, Variant, claimed_bytes, unpack};
use super::verdict::Findings;

const SIGNATURE: u32 = 0x0ef1;
const SIGNATURE_OFFSET: usize = 4;
const COMPRESSION_OFFSET: usize = 0xc;
const PROGRAM_OFFSET: usize = 0x16;
const PCI_DATA_POINTER: usize = 0x18;
/// In the PCI data structure: its own length.
const PCI_DATA_LENGTH: usize = 0xa;
const PLAIN: u16 = 0;
const COMPRESSED: u16 = 1;

/// Reads an EFI image.
pub(super) fn read(image: Part<'_>, budget: &mut Budget) -> Findings {
    let mut findings = Findings {
        traces: Traces::default(),
        read: Vec::new(),
        unread: Vec::new(),
        is_damaged: image.is_cut_off,
        recorded_version: None,
    };
    if image.is_cut_off {
        findings.unread.push(format!(
            "the image at {:#x} is cut off by the end of the file",
            image.offset
        ));
    }
    match program(image.bytes, budget) {
        Ok((code, words)) => {
            findings.read.push(format!(
                "the {words} program of the image at {:#x}",
                image.offset
            ));
            findings.look_at_program(&code);
        }
        Err(reason) => {
            findings.is_damaged = true;
            findings.unread.push(reason);
        }
    }
    if has_wrong_sum(image.bytes) && !findings.traces.dhcpv6 {
        findings.unread.push(
            "the bytes of the image do not add up to 0, though its checksum is filled in: it is \
             damaged, and its code has no checksum of its own"
                .to_owned(),
        );
    }
    findings
}

/// Whether a checksum was filled in behind the PCI data structure, and the bytes
/// of the image do not add up to 0.
fn has_wrong_sum(image: &[u8]) -> bool {
    let word = |at: usize| {
        let word = image.get(at..)?.first_chunk().copied()?;
        Some(usize::from(u16::from_le_bytes(word)))
    };
    let slack = || {
        let data = word(PCI_DATA_POINTER)?;
        let end = data.checked_add(word(data.checked_add(PCI_DATA_LENGTH)?)?)?;
        image.get(end..word(PROGRAM_OFFSET)?)
    };
    let is_filled_in = slack().is_some_and(|slack| slack.iter().any(|&byte| byte != 0));
    let sum = image.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    is_filled_in && sum != 0
}

/// Reads a program that is in no expansion ROM.
pub(super) fn read_program(code: &[u8]) -> Findings {
    let mut findings = Findings {
        traces: Traces::default(),
        read: vec!["the program".to_owned()],
        unread: Vec::new(),
        is_damaged: false,
        recorded_version: None,
    };
    findings.look_at_program(code);
    findings
}

impl Findings {
    fn look_at_program(&mut self, code: &[u8]) {
        self.traces.look_at(code);
        if !is_whole_program(code) {
            self.is_damaged = true;
            self.unread
                .push("what the image holds is no EFI program (PE), or not all of one".to_owned());
        }
    }
}

/// The program in an image, and how it was found there.
fn program<'a>(
    image: &'a [u8],
    budget: &mut Budget,
) -> Result<(Cow<'a, [u8]>, &'static str), String> {
    let word = |at: usize| {
        let word = image.get(at..)?.first_chunk().copied()?;
        Some(u16::from_le_bytes(word))
    };
    let signature = image
        .get(SIGNATURE_OFFSET..)
        .and_then(|rest| rest.first_chunk().copied())
        .map(u32::from_le_bytes);
    if signature != Some(SIGNATURE) {
        return Err("the image is for EFI, but has no EFI header".to_owned());
    }
    let program = word(PROGRAM_OFFSET)
        .and_then(|at| image.get(usize::from(at)..))
        .filter(|program| !program.is_empty())
        .ok_or("the image's program would be outside of it")?;
    match word(COMPRESSION_OFFSET) {
        Some(PLAIN) => Ok((Cow::Borrowed(program), "uncompressed")),
        Some(COMPRESSED) => {
            decompressed(program, budget).map(|(code, words)| (Cow::Owned(code), words))
        }
        other => Err(format!(
            "its compression is of type {}, which is not known",
            other.unwrap_or_default()
        )),
    }
}

fn decompressed(program: &[u8], budget: &mut Budget) -> Result<(Vec<u8>, &'static str), String> {
    let mut reason = None;
    for (variant, words) in [
        (Variant::Uefi, "decompressed"),
        (Variant::Tiano, "decompressed (EFI 1.1)"),
    ] {
        let unpacked = unpack(program, variant, budget.unpacked_bytes());
        // What goes wrong takes its time too.
        budget.take_unpacked(claimed_bytes(program));
        match unpacked {
            Ok(code) if is_whole_program(&code) || variant == Variant::Tiano => {
                return Ok((code, words));
            }
            Ok(_) => {}
            Err(error) => {
                reason.get_or_insert(error);
            }
        }
    }
    Err(match reason {
        Some(UefiError::TooLarge) => {
            "its program grows beyond what is decompressed here".to_owned()
        }
        Some(UefiError::CutOff) => "its compressed program is cut off or damaged".to_owned(),
        Some(UefiError::Invalid | UefiError::LeftOver) | None => {
            "its program does not decompress: it is damaged, or compressed in a way that is not \
             known here"
                .to_owned()
        }
    })
}

/// Whether these are all sections of a PE program.
fn is_whole_program(code: &[u8]) -> bool {
    const SECTION_BYTES: usize = 40;
    let word = |at: usize| {
        let word = code.get(at..)?.first_chunk().copied()?;
        Some(usize::from(u16::from_le_bytes(word)))
    };
    let dword = |at: usize| {
        let dword = code.get(at..)?.first_chunk().copied()?;
        usize::try_from(u32::from_le_bytes(dword)).ok()
    };
    let whole = || {
        let header = dword(0x3c)?;
        let is_pe = code.get(header..)?.starts_with(b"PE\0\0");
        let sections = word(header.checked_add(6)?)?;
        let table = header
            .checked_add(24)?
            .checked_add(word(header.checked_add(20)?)?)?;
        let all = (0..sections).all(|number| {
            let section = table.checked_add(number * SECTION_BYTES);
            let end = section.and_then(|at| {
                let size = dword(at.checked_add(16)?)?;
                dword(at.checked_add(20)?)?.checked_add(size)
            });
            end.is_some_and(|end| end <= code.len())
        });
        Some(is_pe && sections > 0 && all)
    };
    code.starts_with(b"MZ") && whole() == Some(true)
}
