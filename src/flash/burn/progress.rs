//! How far the work is.

use std::fmt;

use serde::Serialize;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The whole flash is read.
    ReadFlash,
    /// It is read again, to compare.
    ReadAgain,
    /// A backup is written.
    WriteFile,
    /// A backup is read back, or read to be restored.
    CheckFile,
    /// What the plan is based on is read again.
    Check,
    /// The target's old magic goes.
    Invalidate,
    /// Blocks are erased, pages programmed.
    Write,
    /// What was written is read back.
    Verify,
    /// The new magic is written.
    Magic,
    /// The boot address is set.
    BootAddress,
    /// The old slot's magic goes.
    Retire,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadFlash => "reading the flash",
            Self::ReadAgain => "reading the flash again",
            Self::WriteFile => "writing the backup",
            Self::CheckFile => "checking the backup",
            Self::Check => "checking that nothing changed",
            Self::Invalidate => "invalidating the target slot",
            Self::Write => "writing",
            Self::Verify => "verifying",
            Self::Magic => "writing the magic",
            Self::BootAddress => "setting the boot address",
            Self::Retire => "invalidating the old slot",
        })
    }
}

/// Who is told how far the work is.
pub trait Progress {
    /// `done` of `total` bytes of a phase are done. Every phase begins with 0 and
    /// ends with its total, unless something fails.
    fn at(&mut self, phase: Phase, done: u64, total: u64);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn at(&mut self, _: Phase, _: u64, _: u64) {}
}
