//! A file with FS2 firmware: one image, or what a whole flash holds.
//!
//! A file made by the vendor's tools holds one image in one row. A file read
//! from a failsafe flash holds one or two, in [stripes](super::Stripes). Nothing
//! in it says which it is: [`parse`] tries both.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::Fs2Verify`: the two
//! cases; mstflint itself has the user say which it is, with `-striped_image`).

use super::image::slot_path;
use super::read_image::parse_image;
use super::shape::detect;
use super::stripes::View;
use super::{FileShape, Fs2Header, Fs2Image, Stretch, Stripes};
use crate::image::{Finding, FindingKind, Parsed, firmware_starts};

/// A file with FS2 firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fs2File<'a> {
    /// How the images lie in it.
    pub shape: FileShape,
    /// Bytes of the file.
    pub length: usize,
    /// One half, or both of a striped file.
    pub(super) halves: Vec<Half<'a>>,
}

/// What one image may use of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Half<'a> {
    pub(super) stripes: Option<Stripes>,
    pub(super) image: Option<Fs2Image<'a>>,
    /// All behind the image.
    pub(super) rest: Stretch<'a>,
}

impl<'a> Fs2File<'a> {
    /// The images by slot. A file that is not striped has one, in slot 0.
    #[must_use]
    pub fn slots(&self) -> [Option<&Fs2Image<'a>>; 2] {
        [self.slot(0), self.slot(1)]
    }

    /// The image in a slot.
    #[must_use]
    pub fn slot(&self, slot: usize) -> Option<&Fs2Image<'a>> {
        self.halves.get(slot)?.image.as_ref()
    }

    /// Bytes that the image in a slot may use, and all behind it.
    pub(super) fn half_length(&self, slot: usize) -> usize {
        self.halves.get(slot).map_or(0, |half| {
            half.image.as_ref().map_or(0, Fs2Image::end) + half.rest.len()
        })
    }

    /// What is behind the image in a slot.
    pub(super) fn rest_of(&self, slot: usize) -> Stretch<'a> {
        let half = self.halves.get(slot);
        half.map(|half| half.rest.clone()).unwrap_or_default()
    }

    /// The images that there are.
    pub fn images(&self) -> impl Iterator<Item = &Fs2Image<'a>> {
        self.halves.iter().filter_map(|half| half.image.as_ref())
    }
}

/// Reads a file, and finds out how images lie in it.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed<Fs2File<'_>> {
    parse_as(bytes, None)
}

/// Reads a file. The user may know how images lie in it.
#[must_use]
pub fn parse_as(bytes: &[u8], shape: Option<FileShape>) -> Parsed<Fs2File<'_>> {
    let starts: Vec<usize> = firmware_starts(bytes)
        .filter(|&start| generation(bytes, start) == Some(0))
        .collect();
    let Some(&first) = starts.first() else {
        let finding = Finding::error(
            FindingKind::BadMagic,
            "file",
            0,
            "no FS2 image at any of the addresses where one may start",
        );
        return Parsed {
            tree: None,
            findings: vec![finding],
        };
    };
    let mut findings = Vec::new();
    let shape = shape.unwrap_or_else(|| detect(bytes, &starts, &mut findings));
    let log2_chunk = Fs2Header::read(View::contiguous(bytes.get(first..).unwrap_or_default()))
        .and_then(|header| header.log2_chunk());
    let stripes = |odd| log2_chunk.and_then(|log2| Stripes::new(log2, odd));
    let views: Vec<(View<'_>, usize)> = match (shape, stripes(false), stripes(true)) {
        (FileShape::Striped, Some(even), Some(odd)) => vec![
            (View::striped(bytes, even), 0),
            (View::striped(bytes, odd), even.chunk()),
        ],
        (FileShape::Striped, ..) => {
            findings.push(Finding::error(
                FindingKind::Mismatch,
                "file",
                first as u64,
                "a file cannot be striped whose image is not failsafe",
            ));
            vec![(View::contiguous(bytes), 0)]
        }
        (FileShape::Contiguous, ..) => vec![(View::contiguous(bytes), 0)],
    };
    for &start in &starts {
        if !views.iter().any(|&(_, expected)| expected == start) {
            findings.push(stray(start, shape));
        }
    }
    let mut halves = Vec::new();
    for (slot, (view, start)) in views.into_iter().enumerate() {
        let mut half = Half {
            stripes: view.stripes(),
            image: None,
            rest: view.rest(0),
        };
        if starts.contains(&start) {
            let parsed = parse_image(view, slot);
            findings.extend(parsed.findings);
            if let Some(image) = parsed.tree {
                half.rest = view.rest(image.end());
                findings.extend(other_chunk(&image, log2_chunk));
                half.image = Some(image);
            }
        }
        halves.push(half);
    }
    if halves.iter().all(|half| half.image.is_none()) {
        findings.push(Finding::error(
            FindingKind::Missing,
            "file",
            first as u64,
            "there is no image where a file of this shape has one",
        ));
    }
    findings.sort_by_key(|finding| finding.offset);
    Parsed {
        tree: Some(Fs2File {
            shape,
            length: bytes.len(),
            halves,
        }),
        findings,
    }
}

fn generation(bytes: &[u8], start: usize) -> Option<u8> {
    bytes.get(start..)?.get(0x24).copied()
}

fn stray(start: usize, shape: FileShape) -> Finding {
    let message = match shape {
        FileShape::Contiguous => "another image starts inside of a file of one image",
        FileShape::Striped => "an image starts neither at 0 nor at the chunk size",
    };
    Finding::error(FindingKind::BadValue, "file", start as u64, message)
}

/// A slot whose image was made for another chunk size.
fn other_chunk(image: &Fs2Image<'_>, log2_chunk: Option<u8>) -> Option<Finding> {
    (image.stripes.is_some() && image.header.log2_chunk() != log2_chunk).then(|| {
        let size = |log2: Option<u8>| {
            log2.map_or("none".to_owned(), |log2| format!("{:#x}", 1_u32 << log2))
        };
        Finding::error(
            FindingKind::Mismatch,
            format!("{}/header/failsafe", slot_path(image.slot)),
            image.physical(0x28),
            "the two images name different chunk sizes",
        )
        .expected_found(size(log2_chunk), size(image.header.log2_chunk()))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::build::Fs2Description;
    use crate::image::{Severity, worst};

    /// An image of the description with these lines.
    pub(in crate::image::fs2) fn build(text: &str) -> Vec<u8> {
        let text = format!("format = \"fs2\"\n{text}");
        Fs2Description::from_toml(&text).unwrap().build().unwrap()
    }

    pub(in crate::image::fs2) const GUIDS: &str = r#"guids = ["0002c90300a1b2c0", "0002c90300a1b2c1",
        "0002c90300a1b2c2", "0002c90300a1b2c3", "0002c9a1b2c1", "0002c9a1b2c2"]
    mic_version = "2.0.0"
    "#;

    pub(in crate::image::fs2) const ROM: &str =
        "rom = { hex = \"55aa0200 6d6c787369676e3a 03001000 f0020400 ff000310\" }\n";

    /// All that is found in a file.
    pub(in crate::image::fs2) fn findings(bytes: &[u8]) -> Vec<Finding> {
        let parsed = parse(bytes);
        let mut findings = parsed.findings;
        findings.extend(parsed.tree.iter().flat_map(Fs2File::check));
        findings
    }

    #[test]
    fn what_the_user_says_goes() {
        let image = build("chunk = 0x10000\n");
        let parsed = parse_as(&image, Some(FileShape::Striped));
        assert_eq!(parsed.tree.unwrap().shape, FileShape::Striped);
        let not_failsafe = build("");
        let parsed = parse_as(&not_failsafe, Some(FileShape::Striped));
        assert_eq!(worst(&parsed.findings), Some(Severity::Error));
    }

    #[test]
    fn images_where_none_may_be_are_errors() {
        let mut bytes = build("chunk = 0x10000\n");
        let magic = bytes[..0x40].to_vec();
        bytes.resize(0x20_0000, 0xff);
        bytes[0x8_0000..0x8_0040].copy_from_slice(&magic);
        let parsed = parse(&bytes);
        assert!(
            parsed.findings.iter().any(|finding| {
                finding.severity == Severity::Error && finding.offset == 0x8_0000
            })
        );
        assert_eq!(parse(&[]).tree, None);
        assert_eq!(parse(&[0xff; 100]).tree, None);
    }

    /// Nothing that is found, or laid out, may lie outside of the file.
    fn holds_together(bytes: &[u8]) {
        for shape in [None, Some(FileShape::Striped), Some(FileShape::Contiguous)] {
            let parsed = parse_as(bytes, shape);
            let mut findings = parsed.findings;
            if let Some(file) = parsed.tree {
                assert!(file.layout().to_bytes() == bytes);
                findings.extend(file.check());
                for image in file.images() {
                    let _ = image.facts();
                    let _ = image.ini();
                }
            }
            for finding in findings {
                assert!(finding.offset <= bytes.len() as u64, "{finding}");
                assert!(!finding.path.is_empty() && !finding.message.ends_with('.'));
            }
        }
    }

    fn samples() -> Vec<Vec<u8>> {
        let small = "code = [{ random = 1, size = 0x40 }]\n";
        let large = "chunk = 0x10000\ncode = [{ random = 1, size = 0x11000 }]\n";
        let flash = "flash = { size = 0x40000, slots = [0, 1] }\n";
        vec![
            build(small),
            build(&format!("{small}{GUIDS}{ROM}chunk = 0x80000\n")),
            build(&format!("{large}{GUIDS}{ROM}")),
            build(&format!("{large}{GUIDS}{flash}")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_change_or_cut_makes_it_fall_apart(
            sample in 0..4_usize,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 0..6),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let mut bytes = samples().remove(sample);
            let early = bytes.len().min(0x1000);
            for (at, byte, is_early) in changes {
                let at = at.index(if is_early { early } else { bytes.len() });
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            holds_together(&bytes);
        }

        #[test]
        fn dwords_of_any_value_do_no_harm(
            sample in 0..4_usize,
            at in 0..0x200_usize,
            dword in prop::sample::select(vec![0, 1, 4, 5, 0x38, 0x248, 0x10_0000, 0x3f_ffff, 0xff_ffff,
                0xff00_0000, 0xffff_fffc, u32::MAX]),
        ) {
            let mut bytes = samples().remove(sample);
            bytes[at * 4..at * 4 + 4].copy_from_slice(&dword.to_be_bytes());
            holds_together(&bytes);
        }
    }
}
