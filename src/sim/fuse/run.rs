//! Run a command that sees virtual cards.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::child::PARENT;
use super::error::RunError;
use super::mounts::{Mounts, check_fuse};
use super::namespace;
use super::one_cpu::OneCpu;
use super::server::Server;
use super::tree::Tree;
use crate::sim::card::Card;

/// What kills the command when the process that serves the cards is killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// The command is started as `PREFIX... COMMAND...`; the prefix ends up in
    /// [`super::exec_child`].
    Reexec(Vec<OsString>),
    /// This program with the arguments `sim __exec --`.
    #[default]
    OwnProgram,
    /// Nothing: for callers that cannot be started again.
    None,
}

/// How a command is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// What kills the command when the process that serves the cards is killed.
    pub guard: Guard,
    /// More environment for the command.
    pub environment: Vec<(OsString, OsString)>,
    /// Let the command use all CPUs. It is kept to one otherwise, which makes
    /// its accesses to the cards several times faster.
    pub all_cpus: bool,
}

/// Runs `command` in a namespace where the cards are the only PCI functions.
///
/// The command has the caller's standard streams and environment, and
/// FLEXCTL_RUN_DIR, a directory that exists in the namespace only. SIGINT,
/// SIGTERM and SIGHUP are passed on to it. Returns its exit code, or 128 plus
/// the signal that ended it.
///
/// The calling thread stays in the namespace. Without root, the process must
/// not have other threads yet.
///
/// # Errors
/// [`RunError`] when the command was not run. Whatever happens, nothing stays
/// mounted: the mounts are in a namespace of their own.
pub fn run(cards: &[Card], command: &[OsString], options: &RunOptions) -> Result<u8, RunError> {
    let (program, _) = command.split_first().ok_or(RunError::NoCommand)?;
    let server = server(cards)?;
    check_fuse()?;
    namespace::enter()?;
    let mut mounts = Mounts::default();
    let fuse = mounts.fuse()?;
    let _one_cpu = (!options.all_cpus).then(OneCpu::stay);
    let mut config = Config::default();
    config.acl = SessionACL::All;
    let session = Session::from_fd(server, fuse, SessionACL::All, config)
        .and_then(Session::spawn)
        .map_err(|source| RunError::Session { source })?;
    let run_directory = mounts.lock_files()?;
    mounts.hide_memory()?;
    let result = start(command, options, run_directory.as_os_str())
        .map_err(|source| RunError::Command {
            command: program.clone(),
            source,
        })
        .and_then(attend);
    drop(mounts);
    end(&session);
    for card in cards {
        card.board().firmware.save_live();
    }
    result.map(code)
}

fn server(cards: &[Card]) -> Result<Server, RunError> {
    let tree = Tree::of(cards)?;
    Server::new(tree).map_err(|error| RunError::Session {
        source: io::Error::other(error),
    })
}

fn start(command: &[OsString], options: &RunOptions, directory: &OsStr) -> io::Result<Child> {
    let prefix = match &options.guard {
        Guard::Reexec(prefix) => prefix.clone(),
        Guard::OwnProgram => {
            let own = env::current_exe()?.into_os_string();
            [own, "sim".into(), "__exec".into(), "--".into()].into()
        }
        Guard::None => Vec::new(),
    };
    let mut words = prefix.iter().chain(command);
    let program = words.next().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(program);
    child.args(words).env("FLEXCTL_RUN_DIR", directory);
    child.envs(
        options
            .environment
            .iter()
            .map(|(name, value)| (name, value)),
    );
    if options.guard != Guard::None {
        child.env(PARENT, std::process::id().to_string());
    }
    child.spawn()
}

/// Waits for the command and passes on signals meanwhile.
fn attend(mut child: Child) -> Result<ExitStatus, RunError> {
    let over = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|source| {
        // Without this the command would run on with nobody to wait for it.
        let _ = child.kill();
        let _ = child.wait();
        RunError::Signals { source }
    })?;
    let handle = signals.handle();
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let forwarder = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            for signal in signals.forever() {
                let signal = Signal::from_named_raw(signal);
                if let (Some(pid), Some(signal), false) =
                    (pid, signal, over.load(Ordering::Acquire))
                {
                    // It may have ended just now.
                    let _ = kill_process(pid, signal);
                }
            }
        })
    };
    let status = child.wait();
    over.store(true, Ordering::Release);
    handle.close();
    let _ = forwarder.join();
    status.map_err(|source| RunError::Signals { source })
}

/// Lets the session end by itself: it does when nothing uses the tree any more.
/// A process that the command left behind may, so there is a limit.
fn end(session: &BackgroundSession) {
    const LIMIT: Duration = Duration::from_secs(1);
    let since = Instant::now();
    while !session.guard.is_finished() && since.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(1));
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}
