//! What is in a BIOS image, together with its payload images.

use super::blocks::{BLOCKS_OF_A_ROM, Block, BlockError, Budget, Search};
use super::chain::RomImage;
use super::traces::Traces;
use super::verdict::Findings;

/// A piece of a file, and where it starts there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) offset: usize,
    pub(super) bytes: &'a [u8],
    pub(super) is_cut_off: bool,
}

impl<'a> From<&RomImage<'a>> for Part<'a> {
    fn from(image: &RomImage<'a>) -> Self {
        Self {
            offset: image.offset,
            bytes: image.bytes,
            is_cut_off: image.is_cut_off,
        }
    }
}

/// Reads the parts of one program: the image that the BIOS runs and its payload.
pub(super) fn read(parts: &[Part<'_>], budget: &mut Budget) -> Findings {
    let mut findings = Findings {
        traces: Traces::default(),
        read: Vec::new(),
        unread: Vec::new(),
        is_damaged: false,
        recorded_version: None,
    };
    // What is not compressed says something too: its name, as a rule.
    let mut plain = Traces::default();
    let mut blocks = 0;
    let mut is_complete = false;
    let mut searches = Vec::new();
    for part in parts {
        plain.look_at(part.bytes);
        let search = Search::run(part.bytes, budget);
        searches.push((part, search));
    }
    // A program without any may be of the time when blocks had no CRC.
    let is_named = plain.ipxe || plain.flexboot;
    if is_named && !plain.has_stack() && searches.iter().all(|(_, search)| search.is_empty()) {
        for (part, search) in &mut searches {
            *search = Search::run_without_crc(part.bytes, budget);
        }
    }
    for (part, search) in &searches {
        if search.gave_up {
            findings.unread.push(format!(
                "the image at {:#x} has so much that looks like a compressed block that the \
                 search was given up",
                part.offset
            ));
        }
        if part.is_cut_off {
            findings.is_damaged = true;
            findings.unread.push(format!(
                "the image at {:#x} is cut off by the end of the file",
                part.offset
            ));
        }
        for block in &search.blocks {
            findings.take(block, part.offset, budget);
        }
        blocks += search.blocks.len();
        is_complete |= ends_with_a_payload(&search.blocks);
    }
    findings.count(blocks, is_complete, &plain);
    let has_crcs = searches
        .iter()
        .flat_map(|(_, search)| &search.blocks)
        .all(|block| block.has_crc);
    let has_ipv6 = findings.traces.dhcpv6 && findings.traces.icmpv6;
    if !has_crcs && !has_ipv6 {
        findings.unread.push(
            "its compressed blocks have no CRC, as iPXE made them until March 2016: what is \
             missing in them proves nothing"
                .to_owned(),
        );
    }
    findings.traces = findings.traces.with(plain);
    findings
}

/// Late 16-bit code, 16-bit data, and all else: close together.
fn ends_with_a_payload(blocks: &[Block<'_>]) -> bool {
    let payload = blocks.len().checked_sub(BLOCKS_OF_A_ROM - 1);
    payload
        .and_then(|first| blocks.get(first..))
        .is_some_and(|payload| {
            payload
                .iter()
                .zip(payload.iter().skip(1))
                .all(|(block, next)| block.is_followed_by(next))
        })
}

impl Findings {
    fn take(&mut self, block: &Block<'_>, image_offset: usize, budget: &mut Budget) {
        let offset = image_offset.saturating_add(block.offset);
        match block.unpack(budget) {
            Ok(code) => {
                let before = self.traces.clone();
                self.traces.look_at(&code);
                if self.traces != before {
                    self.read
                        .push(format!("the compressed block at {offset:#x}"));
                }
            }
            Err(BlockError::Damaged) => {
                self.is_damaged = true;
                self.unread.push(format!(
                    "the block at {offset:#x} has the right CRC, but is not valid LZMA"
                ));
            }
            Err(BlockError::TooLarge) => self.unread.push(format!(
                "the block at {offset:#x} grows beyond what is decompressed here"
            )),
        }
    }

    /// Whether all blocks were found that belong to such an image.
    fn count(&mut self, blocks: usize, is_complete: bool, plain: &Traces) {
        if blocks == 0 && plain.has_stack() {
            // Built without compression.
            return;
        }
        let is_ipxe = blocks > 0 || plain.ipxe || plain.flexboot;
        if !is_ipxe || blocks == BLOCKS_OF_A_ROM && is_complete {
            return;
        }
        self.is_damaged |= blocks > 0 && blocks < BLOCKS_OF_A_ROM;
        self.unread.push(match blocks {
            0 => "no compressed block with a matching CRC was found: it is damaged, or \
                  compressed in a way that is not known here, such as the NRV2B of iPXE before April 2015"
                .to_owned(),
            _ => format!(
                "{blocks} sound compressed blocks were found where {BLOCKS_OF_A_ROM} belong, the \
                 last three close together: one is damaged or missing"
            ),
        });
    }
}
