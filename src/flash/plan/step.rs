//! One step of a plan.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::{MAGIC_BYTES, MAGIC_DWORD};

/// A step; the order of a plan's steps is part of what keeps the card bootable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// A warm reset goes to the slot that is whole, not to the one to be written.
    PointBack {
        /// The slot that is whole.
        start: u32,
    },
    /// The first dword of the target's magic becomes 0.
    Invalidate {
        /// Where it is.
        at: u32,
    },
    /// One erase command.
    Erase {
        /// The block's first byte.
        start: u32,
        /// Its size.
        bytes: u32,
    },
    /// A run of bytes, page by page.
    Program {
        /// The first byte.
        at: u32,
        /// How many, a multiple of four.
        bytes: u32,
    },
    /// The 16 bytes of the magic, when everything else was read back.
    Magic {
        /// Where they are.
        at: u32,
    },
    /// A warm reset goes to the new image.
    BootAddress {
        /// Where it starts.
        start: u32,
    },
    /// The first dword of the other slot's magic becomes 0: a cold boot takes the
    /// new image.
    Retire {
        /// Where it is.
        at: u32,
    },
}

impl Step {
    /// The bytes of flash that it changes; `None` where it changes none.
    #[must_use]
    pub fn touches(&self) -> Option<Range<u32>> {
        let (start, bytes) = match *self {
            Self::PointBack { .. } | Self::BootAddress { .. } => return None,
            Self::Invalidate { at } | Self::Retire { at } => (at, MAGIC_DWORD),
            Self::Magic { at } => (at, MAGIC_BYTES),
            Self::Erase { start, bytes } => (start, bytes),
            Self::Program { at, bytes } => (at, bytes),
        };
        Some(start..start.saturating_add(bytes))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PointBack { start } => write!(f, "point the boot address back to {start:#010x}"),
            Self::Invalidate { at } => write!(f, "make the old contents at {at:#010x} invalid"),
            Self::Erase { start, bytes } => {
                write!(f, "erase {} KiB at {start:#010x}", bytes / 1024)
            }
            Self::Program { at, bytes } => write!(f, "program {bytes} bytes at {at:#010x}"),
            Self::Magic { at } => write!(f, "write the magic at {at:#010x}"),
            Self::BootAddress { start } => write!(f, "set the boot address to {start:#010x}"),
            Self::Retire { at } => write!(f, "make the old slot at {at:#010x} invalid"),
        }
    }
}
