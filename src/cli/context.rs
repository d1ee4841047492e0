//! What every command works with, made once from the arguments.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::access::Patience;
use crate::device::{Card, Host, Selector, StateFolders, scan, select};
use crate::hwdb::Hwdb;
use crate::pci::SysfsRoot;
use crate::sim::Shelf;

use super::ExitCode;
use super::args::GlobalArgs;
use super::error::Failure;
use super::output::Output;
use super::signals::stop_flag;

/// How long another flexctl on the same card is waited for.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// What every command works with.
#[derive(Debug)]
pub(super) struct Context {
    /// Where words go.
    pub(super) output: Output,
    /// Facts about hardware.
    pub(super) hwdb: Hwdb,
    /// The host's sysfs.
    pub(super) root: SysfsRoot,
    /// Virtual cards.
    pub(super) shelf: Shelf,
    /// Where locks and records are.
    pub(super) folders: StateFolders,
    /// What the host allows.
    pub(super) host: Host,
    /// Becomes true when somebody asks to stop.
    pub(super) stop: Arc<AtomicBool>,
    /// The selectors that were given.
    selectors: Vec<Selector>,
    wait: Duration,
}

impl Context {
    pub(super) fn new(global: &GlobalArgs) -> Result<Self, Failure> {
        let hwdb = match &global.hwdb {
            Some(folder) => Hwdb::with_folder(folder)?,
            None => Hwdb::builtin()?,
        };
        let root = SysfsRoot::new(&global.sysfs_root);
        let stop = stop_flag().map_err(|error| Failure::new(ExitCode::Failed, &error))?;
        Ok(Self {
            output: output_of(global),
            hwdb,
            shelf: shelf_of(global)?,
            folders: StateFolders::from_environment(),
            host: Host::load(&root),
            root,
            stop,
            selectors: global.device.clone(),
            wait: global.wait,
        })
    }

    /// How long single waits on a card may take.
    pub(super) fn patience(&self) -> Patience {
        Patience::new(self.wait, Arc::clone(&self.stop))
    }

    /// How long another flexctl is waited for.
    pub(super) fn lock_patience(&self) -> Patience {
        Patience::new(LOCK_LIMIT, Arc::clone(&self.stop))
    }

    /// Whether cards were named.
    pub(super) fn has_selectors(&self) -> bool {
        !self.selectors.is_empty()
    }

    /// The cards that were named; without names all supported ones of the host.
    pub(super) fn chosen(&self) -> Result<Vec<Card>, Failure> {
        let all = [Selector::All];
        let selectors = if self.has_selectors() {
            &self.selectors
        } else {
            &all[..]
        };
        Ok(select(&self.root, &self.hwdb, &self.shelf, selectors)?)
    }

    /// The cards that were named; without names everything that the host has.
    pub(super) fn listed(&self) -> Result<Vec<Card>, Failure> {
        if self.has_selectors() {
            self.chosen()
        } else {
            Ok(scan(&self.root, &self.hwdb)?)
        }
    }
}

/// The shelf of virtual cards. Who works on real cards only needs no place for it,
/// as a service without HOME.
fn shelf_of(global: &GlobalArgs) -> Result<Shelf, Failure> {
    let needed = global
        .device
        .iter()
        .any(|selector| matches!(selector, Selector::Sim(_)));
    match Shelf::default_directory() {
        Ok(directory) => Ok(Shelf::open(directory)),
        Err(_) if !needed => Ok(Shelf::memory()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn output_of(global: &GlobalArgs) -> Output {
    Output {
        json: global.json,
        quiet: global.quiet,
        verbose: global.verbose > 0,
    }
}
