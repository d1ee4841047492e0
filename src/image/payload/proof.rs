//! The proof of a file: image by image.

use super::answer::{ImageProof, Program, Proof};
use super::bios::{self, Part};
use super::blocks::Budget;
use super::chain::{CodeType, RomImage, images};
use super::efi;
use super::verdict::{Findings, Verdict};
use crate::image::{RomVersion, version_records};

/// Looks into a file: an expansion ROM, several of them one after the other, a
/// firmware image that holds some, or a program of iPXE by itself.
#[must_use]
pub fn prove(bytes: &[u8]) -> Proof {
    let mut budget = Budget::for_file(bytes.len());
    let chain = images(bytes);
    if chain.is_empty() {
        let alone = alone(bytes, &mut budget);
        return Proof::of(alone.into_iter().collect());
    }
    let mut proofs = Vec::new();
    for (number, image) in chain.iter().enumerate() {
        let later = chain.get(number + 1..).unwrap_or_default();
        proofs.extend(proof_of(image, later, &mut budget));
    }
    Proof::of(proofs)
}

/// A file that is no expansion ROM.
fn alone(bytes: &[u8], budget: &mut Budget) -> Option<ImageProof> {
    let whole = Part {
        offset: 0,
        bytes,
        is_cut_off: false,
    };
    let (kind, findings) = if bytes.starts_with(b"MZ") {
        // A Linux kernel starts like that too, and so does iPXE as one.
        let as_bios = bios::read(&[whole], budget);
        if as_bios.read.is_empty() {
            ("efi program", efi::read_program(bytes))
        } else {
            ("bios program", as_bios)
        }
    } else {
        ("bios program", bios::read(&[whole], budget))
    };
    let verdict = findings.verdict();
    (verdict.program != Program::Other).then(|| proof(0, 0, kind, verdict))
}

fn proof_of(
    image: &RomImage<'_>,
    later: &[RomImage<'_>],
    budget: &mut Budget,
) -> Option<ImageProof> {
    let (kind, mut findings) = match image.code {
        CodeType::Bios => {
            let payload = later
                .iter()
                .take_while(|image| image.code == CodeType::Payload);
            let parts: Vec<Part<'_>> = std::iter::once(image)
                .chain(payload)
                .map(Into::into)
                .collect();
            ("bios", bios::read(&parts, budget))
        }
        CodeType::Efi => ("efi", efi::read(image.into(), budget)),
        CodeType::OpenFirmware => ("open firmware", Findings::not_looked_at()),
        CodeType::Unknown => ("unknown", Findings::not_looked_at()),
        CodeType::Payload => return None,
    };
    findings.recorded_version = recorded_version(image.bytes);
    Some(proof(
        image.index,
        image.offset as u64,
        kind,
        findings.verdict(),
    ))
}

fn proof(image: usize, offset: u64, kind: &'static str, verdict: Verdict) -> ImageProof {
    ImageProof {
        image,
        offset,
        kind,
        program: verdict.program,
        version: verdict.version,
        ipv6: verdict.ipv6,
        obeys_ip_ver: verdict.obeys_ip_ver,
        ipv6_when_unset: verdict.ipv6_when_unset,
    }
}

fn recorded_version(image: &[u8]) -> Option<String> {
    let record = version_records(image).find_map(Result::ok)?;
    Some(match record.version {
        RomVersion::Numbered(version) => version.to_string(),
        RomVersion::Text(text) => text,
    })
}
