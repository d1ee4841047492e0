//! Keep the command and the server on one CPU.
//!
//! Every access is a hand-over between the two, which never work at the same
//! time. Waking an idle CPU for it costs several times what the access does:
//! on a virtual machine 70 us instead of 10 us were measured.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The calling thread, and what it starts, stays on its CPU until this is dropped.
#[derive(Debug)]
pub(crate) struct OneCpu {
    before: Option<CpuSet>,
}

impl OneCpu {
    /// Stays on the CPU that the thread is on. Where that is refused, all is
    /// just slower.
    pub(crate) fn stay() -> Self {
        let cpu = sched_getcpu();
        let known = cpu < CpuSet::MAX_CPU;
        let mut here = CpuSet::new();
        if known {
            here.set(cpu);
        }
        let before = sched_getaffinity(None)
            .ok()
            .filter(|_| known && sched_setaffinity(None, &here).is_ok());
        Self { before }
    }
}

impl Drop for OneCpu {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = sched_setaffinity(None, before);
        }
    }
}
