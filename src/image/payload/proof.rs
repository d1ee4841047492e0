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
    if chain.images.is_empty() {
        let alone = alone(bytes, &mut budget);
        return Proof::of(alone.into_iter().collect(), None);
    }
    let mut proofs = Vec::new();
    for (number, image) in chain.images.iter().enumerate() {
        let later = chain.images.get(number + 1..).unwrap_or_default();
        proofs.extend(proof_of(image, later, &mut budget));
    }
    let missing = chain.missing_at.map(|at| {
        format!("at {at:#x} another image would have to follow, and there is none: it may be lost")
    });
    Proof::of(proofs, missing.as_deref())
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
    let mut verdict = findings.verdict();
    if image.is_behind_the_last {
        verdict.is_out_of_reach();
    }
    Some(proof(image.index, image.offset as u64, kind, verdict))
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

#[cfg(test)]
mod tests {
    use super::super::blocks::Search;
    use super::super::synthetic::{
        IPXE, IPXE_WITH_IPV6, blocks, efi, fill_in_sum, flexboot_for_connectx3,
        flexboot_for_connectx4, image, mrom, program, rom, rom_without_crcs,
    };
    use super::super::uefi_compression::Variant;
    use super::*;
    use crate::image::payload::Answer::{self, CannotTell, No, Yes};

    /// IPv6, obeys the setting, IPv6 without the setting.
    fn answers(bytes: &[u8]) -> (Program, [Answer; 3]) {
        let proof = prove(bytes);
        let facts = [&proof.ipv6, &proof.obeys_ip_ver, &proof.ipv6_when_unset];
        assert!(facts.iter().all(|fact| !fact.evidence.is_empty()));
        (proof.program, facts.map(|fact| fact.answer))
    }

    const UNKNOWN: [Answer; 3] = [CannotTell; 3];

    #[test]
    fn ipxe_has_ipv6_or_not_and_knows_no_setting() {
        for (code, expected) in [(IPXE_WITH_IPV6, [Yes, No, Yes]), (IPXE, [No, No, No])] {
            for file in [
                rom(code),
                mrom(code, true),
                blocks(&[b"1", b"2", b"3", code]),
            ] {
                assert_eq!(answers(&file), (Program::Ipxe, expected));
                assert_eq!(prove(&file).version.as_deref(), Some("2.0.0+"));
            }
            for variant in [None, Some(Variant::Uefi), Some(Variant::Tiano)] {
                let file = efi(code, variant);
                assert_eq!(answers(&file), (Program::Ipxe, expected), "{variant:?}");
            }
            assert_eq!(answers(&program(code)), (Program::Ipxe, expected));
            let uncompressed = image(0, true, code);
            assert_eq!(answers(&uncompressed), (Program::Ipxe, expected));
        }
    }

    #[test]
    fn flexboot_obeys_and_its_default_depends_on_the_card() {
        for (code, unset) in [
            (flexboot_for_connectx3(), CannotTell),
            (flexboot_for_connectx4(0), No),
            (flexboot_for_connectx4(1), Yes),
            (flexboot_for_connectx4(2), Yes),
            (flexboot_for_connectx4(3), Yes),
            // A constant that there is not.
            (flexboot_for_connectx4(4), CannotTell),
        ] {
            let file = mrom(&code, true);
            assert_eq!(answers(&file), (Program::FlexBoot, [Yes, Yes, unset]));
            assert_eq!(prove(&file).version.as_deref(), Some("3.4.812"));
        }
    }

    #[test]
    fn blocks_without_crc_may_show_ipv6_but_never_its_absence() {
        let file = rom_without_crcs(&flexboot_for_connectx4(0));
        assert_eq!(answers(&file), (Program::FlexBoot, [Yes, Yes, No]));
        assert_eq!(answers(&rom_without_crcs(IPXE)).1, UNKNOWN);
        for at in 0x80..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 0x20;
            assert_ne!(answers(&damaged).1[0], No, "{at:#x}");
        }
    }

    #[test]
    fn a_combined_rom_says_which_image_has_what() {
        let file = [mrom(IPXE, false), efi(IPXE_WITH_IPV6, Some(Variant::Uefi))].concat();
        assert_eq!(answers(&file), (Program::Ipxe, [Yes, No, Yes]));
        let proof = prove(&file);
        let images: Vec<_> = proof
            .images
            .iter()
            .map(|image| (image.image, image.kind, image.ipv6.answer))
            .collect();
        assert_eq!(images, [(0, "bios", No), (2, "efi", Yes)]);
        assert!(proof.ipv6.evidence[0].starts_with("image 0 (bios), no: "));
        assert!(proof.ipv6.evidence[1].starts_with("image 2 (efi), yes: "));

        let file = [mrom(IPXE, false), image(3, true, b"something else")].concat();
        assert_eq!(answers(&file).1[0], CannotTell);
    }

    #[test]
    fn images_out_of_reach_and_lost_ones_prove_nothing() {
        let mut file = [mrom(IPXE, false), efi(IPXE_WITH_IPV6, None)].concat();
        let payload = file.len() - efi(IPXE_WITH_IPV6, None).len() - 512;
        assert_eq!(
            file[payload + 0x31],
            0,
            "the payload image is one unit long"
        );
        file[payload + 0x31] = 0x80;
        let proof = prove(&file);
        assert_eq!(proof.images[0].ipv6.answer, No);
        assert_eq!(proof.images[1].ipv6.answer, CannotTell);
        assert_eq!(proof.ipv6.answer, CannotTell);

        file[payload + 0x31] = 0;
        assert_eq!(answers(&file).1, [Yes, No, Yes]);
        file[payload + 512] = 0;
        assert_eq!(answers(&file).1, UNKNOWN);
        assert_eq!(prove(&file).images[0].ipv6.answer, No);
    }

    #[test]
    fn a_rom_in_a_firmware_image_is_found() {
        let mut file = vec![0x5a; 0x1234];
        file.extend(mrom(IPXE_WITH_IPV6, true));
        file.extend([0xff; 4000]);
        file.extend(mrom(IPXE_WITH_IPV6, true));
        let proof = prove(&file);
        assert_eq!(proof.ipv6.answer, Yes);
        assert_eq!(proof.images.len(), 2);
        assert_eq!(proof.images[0].offset, 0x1234);
    }

    #[test]
    fn a_damaged_block_is_never_a_no() {
        for code in [IPXE, IPXE_WITH_IPV6] {
            for file in [rom(code), mrom(code, true)] {
                let search = Search::run(&file, &mut Budget::for_file(file.len()));
                assert_eq!(search.blocks.len(), 4);
                for at in search
                    .blocks
                    .iter()
                    .flat_map(|block| block.offset..block.end)
                {
                    let mut damaged = file.clone();
                    damaged[at] ^= 0x04;
                    assert_eq!(answers(&damaged).1, UNKNOWN, "{at:#x}");
                }
                let cut_off = &file[..file.len() - 300];
                assert_eq!(answers(cut_off).1, UNKNOWN);
            }
        }
        // The payload is missing.
        let alone = image(0, true, &blocks(&[b"early"]));
        assert_eq!(answers(&alone), (Program::CannotTell, UNKNOWN));
    }

    #[test]
    fn a_damaged_efi_image_is_never_a_no() {
        for (code, answer) in [(IPXE, No), (IPXE_WITH_IPV6, Yes)] {
            let file = efi(code, Some(Variant::Uefi));
            for at in 0x60..file.len() {
                let mut damaged = file.clone();
                damaged[at] ^= 0x04;
                let without_sum = answers(&damaged).1[0];
                assert!(without_sum == CannotTell || without_sum == Yes && answer == Yes);
                fill_in_sum(&mut damaged);
                let with_sum = answers(&damaged).1[0];
                assert!(with_sum == CannotTell || with_sum == answer, "{at:#x}");
            }
            let cut_off = &file[..file.len() - 300];
            assert_eq!(answers(cut_off).1, UNKNOWN);
        }
        let mut unknown = efi(IPXE, None);
        unknown[0xc] = 2;
        assert_eq!(answers(&unknown), (Program::CannotTell, UNKNOWN));
    }

    #[test]
    fn what_is_not_known_cannot_be_told() {
        // Compressed in the way of old: only the name can be read.
        let old = image(0, true, b"iPXE\0 and then what NRV2B makes");
        assert_eq!(answers(&old), (Program::Ipxe, UNKNOWN));
        let flexboot = image(0, true, b"FlexBoot v3.4.300\0(PCI xx:xx.x)");
        assert_eq!(answers(&flexboot), (Program::FlexBoot, UNKNOWN));
        assert_eq!(prove(&flexboot).version.as_deref(), Some("3.4.300"));
        let other = image(0, true, b"a VGA BIOS\0");
        assert_eq!(answers(&other), (Program::Other, UNKNOWN));
        let driver = efi(b"iPXE\0", None);
        assert_eq!(answers(&driver), (Program::Ipxe, UNKNOWN));
        for nothing in [&[][..], b"hello", &[0xff; 4096]] {
            assert_eq!(answers(nothing), (Program::CannotTell, UNKNOWN));
        }
    }

    #[test]
    fn half_of_what_comes_with_ipv6_is_neither_yes_nor_no() {
        for name in [&b"dhcpv6\0"[..], b"ICMPv6\0"] {
            let code = [IPXE, name].concat();
            assert_eq!(answers(&rom(&code)).1, UNKNOWN);
        }
        let code = [IPXE_WITH_IPV6, b"ip_support\0"].concat();
        assert_eq!(answers(&rom(&code)).1, [Yes, CannotTell, CannotTell]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            answers(&bytes);
            let mut file = vec![0x55, 0xaa];
            file.extend(&bytes);
            answers(&file);
        }

        #[test]
        fn changed_roms_are_survived(
            changes in proptest::collection::vec((0..4096_usize, 0..=255_u8), 1..20),
        ) {
            let combined = [mrom(IPXE, false), efi(IPXE_WITH_IPV6, Some(Variant::Uefi))];
            let mut file = combined.concat();
            for (at, byte) in changes {
                let length = file.len();
                file[at % length] = byte;
            }
            answers(&file);
        }
    }
}
