//! The boot defaults in an image: finding them.
//!
//! Firmware answers QUERY_DEF_PARAMS with defaults for the settings of the
//! expansion ROM. In released images they are values that a configuration section
//! writes to registers which no public source names. What is written where is in
//! `hwdb/boot-defaults`; it was inferred, and no card was asked.
//!
//! They are found by their masks: those of one port's registers, at the right
//! distances from each other, in one section, once for each port; and that of the
//! card's at its distance from them, once.
//!
//! # Sources
//! See `hwdb/boot-defaults/connectx-3.toml`.

use std::collections::HashMap;

use super::{Fs2Image, RegisterWrite, SectionType};
use crate::hwdb::{BootDefaultsFile, DefaultOf, DefaultRegister};
use crate::image::EditError;

/// A write of a configuration section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    /// Which section of the image.
    pub(super) section: usize,
    pub(super) entry: RegisterWrite,
}

/// A register of the boot defaults, found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'h> {
    pub(super) register: &'h DefaultRegister,
    /// Counted from 1; `None` for the card's.
    pub(super) port: Option<u8>,
    pub(super) write: Write,
}

/// All writes, in the order in which they are done.
pub(super) fn writes(image: &Fs2Image<'_>) -> Vec<Write> {
    let sections = image.sections.iter().enumerate();
    sections
        .filter(|(_, section)| section.kind == SectionType::Configuration)
        .flat_map(|(index, section)| {
            section.register_writes().map(move |entry| Write {
                section: index,
                entry,
            })
        })
        .collect()
}

/// Finds every register once.
pub(super) fn find<'h>(
    all: &[Write],
    file: &'h BootDefaultsFile,
) -> Result<Vec<Found<'h>>, EditError> {
    let of = |scope| {
        let registers = file.register.iter();
        registers.filter(move |register| register.scope == scope)
    };
    let Some(anchor) = of(DefaultOf::Port).next() else {
        return Ok(Vec::new());
    };
    let index = Index::new(all, file);
    // Addresses around which the masks of all registers of a port are there.
    let mut ports: Vec<Write> = all
        .iter()
        .copied()
        .filter(|write| write.entry.mask == anchor.mask)
        .filter(|write| {
            of(DefaultOf::Port).all(|register| {
                let at = beside(write.entry.register, anchor.offset, register.offset);
                at.is_some_and(|at| index.get(write.section, at, register.mask).is_some())
            })
        })
        .collect();
    ports.sort_by_key(|write| (write.section, write.entry.register));
    let wanted = usize::from(file.ports);
    let wrong = |what: &str, found: usize, expected: usize| EditError::PatternCount {
        what: what.to_owned(),
        found,
        expected,
    };
    let steps_fit = ports.windows(2).all(|pair| match pair {
        [one, next] => {
            one.section == next.section
                && beside(one.entry.register, 0, file.port_step) == Some(next.entry.register)
        }
        _ => true,
    });
    if ports.len() != wanted || !steps_fit {
        let what = "the pattern of a port's boot defaults";
        return Err(wrong(what, ports.len(), wanted));
    }
    let Some(first) = ports.first() else {
        return Ok(Vec::new());
    };
    let places = of(DefaultOf::Card).map(|register| (register, None)).chain(
        (1..=file.ports).flat_map(|port| of(DefaultOf::Port).map(move |at| (at, Some(port)))),
    );
    places
        .map(|(register, port)| {
            let distance = register.distance(file, port);
            let found = beside(first.entry.register, anchor.offset, distance)
                .and_then(|at| index.get(first.section, at, register.mask));
            match found {
                Some((write, 1)) => Ok(Found {
                    register,
                    port,
                    write,
                }),
                other => {
                    let what = match port {
                        None => "the pattern of the card's boot defaults".to_owned(),
                        Some(port) => format!("the pattern of the boot defaults of port {port}"),
                    };
                    Err(wrong(&what, other.map_or(0, |(_, count)| count), 1))
                }
            }
        })
        .collect()
}

/// The register at another offset of the pattern.
fn beside(register: u32, offset: u32, other: u32) -> Option<u32> {
    register.checked_sub(offset)?.checked_add(other)
}

/// Writes with a mask of the pattern by section, register and mask; each with how
/// many there are.
struct Index(HashMap<(usize, u32, u32), (Write, usize)>);

impl Index {
    fn new(all: &[Write], file: &BootDefaultsFile) -> Self {
        let masks: Vec<u32> = file.register.iter().map(|register| register.mask).collect();
        let mut index = HashMap::new();
        for &write in all {
            let entry = write.entry;
            if masks.contains(&entry.mask) {
                let key = (write.section, entry.register, entry.mask);
                index.entry(key).or_insert((write, 0)).1 += 1;
            }
        }
        Self(index)
    }

    fn get(&self, section: usize, register: u32, mask: u32) -> Option<(Write, usize)> {
        self.0.get(&(section, register, mask)).copied()
    }
}
