//! A fault plan at work: which fault strikes at which moment.

use rustix::process::Signal;

use super::faults::{Fault, FaultPlan};
use super::live::Progress;

/// What becomes of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandFate {
    pub(crate) stuck: bool,
    pub(crate) status: Option<u8>,
}

/// What becomes of a settings write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteFate {
    pub(crate) lost: bool,
    pub(crate) corrupt: bool,
    pub(crate) power_cut: bool,
}

/// What becomes of a program or an erase of the flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlashFate {
    /// Power fails in the middle of it.
    pub(crate) torn: bool,
    /// Power fails just after it.
    pub(crate) power_cut: bool,
    /// Only the first half of the block is erased.
    pub(crate) half_erased: bool,
    /// It does not happen: somebody else has taken the lock.
    pub(crate) lost_lock: bool,
}

impl FaultPlan {
    /// Counts an access; true when the card goes away with it.
    pub(crate) fn access(&self, progress: &mut Progress) -> bool {
        progress.accesses += 1;
        let now = progress.accesses;
        self.faults.iter().any(|fault| {
            matches!(fault, Fault::AllOnes { at } | Fault::PowerCutAccess { at } if *at == now)
        })
    }

    /// The signal that the program gets which makes the access just counted.
    pub(crate) fn signal(&self, progress: &Progress) -> Option<Signal> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Kill { at } if *at == progress.accesses => Some(Signal::KILL),
            Fault::Interrupt { at } if *at == progress.accesses => Some(Signal::INT),
            _ => None,
        })
    }

    /// Counts a command and says what becomes of it.
    pub(crate) fn command(&self, progress: &mut Progress) -> CommandFate {
        progress.commands += 1;
        let now = progress.commands;
        let mut fate = CommandFate::default();
        for fault in &self.faults {
            match fault {
                Fault::StuckBusy { at } if at.is_none_or(|at| at == now) => fate.stuck = true,
                Fault::Status { status, at } if at.is_none_or(|at| at == now) => {
                    fate.status = Some(*status);
                }
                Fault::ForeignChange { at } if *at == now => progress.change_due = true,
                _ => {}
            }
        }
        fate
    }

    /// Counts a settings write and says what becomes of it.
    pub(crate) fn write(&self, progress: &mut Progress) -> WriteFate {
        progress.writes += 1;
        let now = progress.writes;
        let mut fate = WriteFate::default();
        for fault in &self.faults {
            match fault {
                Fault::LostWrite { at } if *at == now => fate.lost = true,
                Fault::CorruptWrite { at } if *at == now => fate.corrupt = true,
                Fault::PowerCut { at } if *at == now => fate.power_cut = true,
                _ => {}
            }
        }
        fate
    }

    /// Counts a program or an erase of the flash and says what becomes of it.
    pub(crate) fn flash_operation(&self, erase: bool, progress: &mut Progress) -> FlashFate {
        progress.flash_operations += 1;
        progress.flash_erases += u64::from(erase);
        let now = progress.flash_operations;
        let erases = progress.flash_erases;
        let mut fate = FlashFate::default();
        for fault in &self.faults {
            match fault {
                Fault::FlashPowerCut { at } if *at == now => fate.power_cut = true,
                Fault::FlashTorn { at } if *at == now => fate.torn = true,
                Fault::FlashLostLock { at } if *at == now => fate.lost_lock = true,
                Fault::FlashEraseFail { at } if erase && *at == erases => fate.half_erased = true,
                _ => {}
            }
        }
        fate
    }

    /// Counts a read of the flash; whether one of its bits is wrong.
    pub(crate) fn flash_read(&self, progress: &mut Progress) -> bool {
        progress.flash_reads += 1;
        let now = progress.flash_reads;
        self.faults
            .iter()
            .any(|fault| matches!(fault, Fault::FlashReadFlip { at } if *at == now))
    }

    /// Whether everything in the flash is write protected.
    pub(crate) fn flash_is_protected(&self) -> bool {
        self.faults.contains(&Fault::FlashProtected)
    }

    /// The bits that cannot be programmed: address and number in the byte.
    pub(crate) fn stuck_bits(&self) -> impl Iterator<Item = (u32, u8)> {
        self.faults.iter().filter_map(|fault| match fault {
            Fault::FlashStuckBit { address, bit } => Some((*address, *bit)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_at_its_moment_only() {
        let plan: FaultPlan = "status=0x22@2,lost-write@1,all-ones@3".parse().unwrap();
        let mut progress = Progress::default();
        let commands: Vec<_> = (0..3).map(|_| plan.command(&mut progress).status).collect();
        assert_eq!(commands, [None, Some(0x22), None]);
        let writes: Vec<_> = (0..2).map(|_| plan.write(&mut progress).lost).collect();
        assert_eq!(writes, [true, false]);
        let accesses: Vec<_> = (0..4).map(|_| plan.access(&mut progress)).collect();
        assert_eq!(accesses, [false, false, true, false]);
    }

    #[test]
    fn a_fault_without_a_count_strikes_always() {
        let plan: FaultPlan = "stuck-busy".parse().unwrap();
        let mut progress = Progress::default();
        assert!((0..3).all(|_| plan.command(&mut progress).stuck));
    }
}
