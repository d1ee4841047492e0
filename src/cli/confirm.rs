//! Ask before writing.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How a question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Go on.
    Yes,
    /// Leave it.
    No,
    /// There is nobody to ask.
    NobodyThere,
}

/// Asks a question on the terminal. Only `y` and `yes` mean yes.
pub(super) fn ask(question: &str, stop: &AtomicBool) -> io::Result<Answer> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Ok(Answer::NobodyThere);
    }
    let mut stderr = anstream::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    // A signal restarts a blocked read, so the flag is looked at in between.
    let tick = Timespec {
        tv_sec: 0,
        tv_nsec: 100_000_000,
    };
    loop {
        if stop.load(Ordering::Relaxed) {
            writeln!(stderr)?;
            return Ok(Answer::No);
        }
        let descriptor = stdin.as_fd();
        let mut waited_for = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut waited_for, Some(&tick)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    let mut line = String::new();
    stdin.read_line(&mut line)?;
    Ok(match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        _ => Answer::No,
    })
}
