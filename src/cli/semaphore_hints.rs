//! Who may hold a semaphore, as far as its value tells.

use std::fs;

use crate::command::Semaphore;

/// The number that FlexBoot's POST code writes ("FLXB").
///
/// Source: FlexBoot 3.4.812 romprefix.S, ROMPREFIX_PID.
const FLEXBOOT_POST: u32 = 0x464c_5842;

/// What the value of a held semaphore says about its holder. Only those of ICMD
/// and of flash programming on ConnectX-4 carry a process id: the vendor
/// capability's counts up, those of ConnectX-3 are one bit.
pub(super) fn held_hint(semaphore: &str, value: u32) -> String {
    if value == FLEXBOOT_POST {
        return "it was left behind by FlexBoot's own start-up code".to_owned();
    }
    let named = [Semaphore::Icmd, Semaphore::FlashProgramming].map(Semaphore::title);
    if !named.contains(&semaphore) {
        return "its value does not say whose it is: that of a tool at work, of a program that was killed, \
                of another host or of the driver"
            .to_owned();
    }
    match process_name(value) {
        Some(name) => {
            format!("its value is the number of process {value} ({name}); wait for it to end")
        }
        None => format!(
            "no process {value} runs here: it was left behind by a program that was killed, or another \
             host or the driver holds it"
        ),
    }
}

/// Whether the value is the number of a process that runs on this host.
pub(super) fn holder_runs(value: u32) -> bool {
    process_name(value).is_some()
}

/// The name of a process that runs; a zombie holds nothing any more.
fn process_name(pid: u32) -> Option<String> {
    // "PID (NAME) STATE ..."; a name may hold anything (proc_pid_stat(5)).
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let is_dead = matches!(rest.trim_start().chars().next(), Some('Z' | 'X'));
    (!is_dead).then(|| name.to_owned())
}
