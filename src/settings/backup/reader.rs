//! Read everything that a card has stored.

use std::collections::BTreeSet;

use crate::command::register::{Mnvda, Mnvgn, TypeDword, Which};
use crate::command::{CommandError, Session, Status};
use crate::hwdb::{Access, FirmwareInterface, Scope, SettingsFile, Tlv};
use crate::pci::Bdf;
use crate::settings::tlv_store;
use crate::settings::{Stored, TlvKey};

use super::contents::{
    Backup, BackupCard, BackupTlv, FoundBy, Omitted, OmittedBecause, is_per_function, place,
    port_in, record_of,
};

/// No card has so many TLVs set; a walk that finds more goes in circles.
const MOST_TLVS: usize = 4096;
/// What MNVDA carries.
const MOST_BYTES: u16 = 0x100;

/// Which TLVs with secrets in them are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// None.
    LeaveOut,
    /// Those with one of these settings.
    Named(Vec<String>),
    /// All: only for what is not written down.
    Include,
}

impl Secrets {
    fn include(&self, tlv: &Tlv) -> bool {
        match self {
            Self::Include => true,
            Self::LeaveOut => !tlv.is_secret(),
            Self::Named(names) => {
                let named = |name: &String| {
                    let of_name = |field: &&crate::hwdb::Field| field.is_called(name);
                    tlv.field
                        .iter()
                        .filter(|field| field.secret)
                        .any(|field| of_name(&field))
                };
                !tlv.is_secret() || names.iter().any(named)
            }
        }
    }
}

/// Why the settings of a card cannot be told completely.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The walk comes back to a place where it was.
    #[error("{address}: the walk over the settings comes back to {pointer:#x} and would never end")]
    Endless {
        /// The function.
        address: Bdf,
        /// The place.
        pointer: u32,
    },
    /// The walk meets a TLV twice.
    #[error("{address}: the walk over the settings meets {key} twice")]
    Repeated {
        /// The function.
        address: Bdf,
        /// The TLV.
        key: TlvKey,
    },
    /// The walk meets more TLVs than a card can have.
    #[error("{address}: the walk over the settings does not end after {MOST_TLVS} of them")]
    TooMany {
        /// The function.
        address: Bdf,
    },
    /// Less data came than the card says that there is.
    #[error("{address}: {key} has {expected} bytes, read were {found}")]
    Short {
        /// The function.
        address: Bdf,
        /// The TLV.
        key: TlvKey,
        /// Its length in bytes, as the card says.
        expected: u16,
        /// How many came.
        found: usize,
    },
}

/// Collects the settings of a card, one function after the other.
#[derive(Debug)]
pub struct BackupReader<'a> {
    file: &'a SettingsFile,
    secrets: &'a Secrets,
    found_by: FoundBy,
    functions: Vec<u8>,
    tlvs: Vec<BackupTlv>,
    omitted: Vec<Omitted>,
}

impl<'a> BackupReader<'a> {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(file: &'a SettingsFile, secrets: &'a Secrets) -> Self {
        Self {
            file,
            secrets,
            found_by: FoundBy::Walk,
            functions: Vec::new(),
            tlvs: Vec::new(),
            omitted: Vec::new(),
        }
    }

    /// Reads what is set through the function of the session, which has `ports`.
    ///
    /// On ConnectX-4 the card names its TLVs (MNVGN); those of class 3 belong to
    /// the function, others are taken once. ConnectX-3, and a firmware without
    /// MNVGN or one that cannot name a long TLV, are asked for every TLV that the
    /// data files know.
    ///
    /// # Errors
    /// [`BackupError`] when the card breaks off or contradicts itself. A TLV that
    /// it refuses to read is noted in [`Backup::omitted`].
    pub fn read(&mut self, session: &mut Session<'_>, ports: &[u8]) -> Result<(), BackupError> {
        self.functions.push(session.address().function);
        match session.interface() {
            FirmwareInterface::Icmd => self.walk(session, ports),
            FirmwareInterface::ToolsHcr => self.ask(session, ports),
        }
    }

    /// The backup of what was read.
    #[must_use]
    pub fn finish(self, card: BackupCard, created_unix: u64) -> Backup {
        let (mut tlvs, mut omitted) = (self.tlvs, self.omitted);
        tlvs.sort_by_key(|tlv| (tlv.function, tlv.key));
        omitted.sort_by_key(|tlv| (tlv.function, tlv.key));
        Backup {
            created_unix,
            created_by: format!("flexctl {}", env!("CARGO_PKG_VERSION")),
            found_by: self.found_by,
            card: BackupCard {
                functions: self.functions,
                ..card
            },
            tlvs,
            omitted,
        }
    }

    fn walk(&mut self, session: &mut Session<'_>, ports: &[u8]) -> Result<(), BackupError> {
        let address = session.address();
        let mut guard = WalkGuard::default();
        let mut ask = Mnvgn::first();
        loop {
            let step = match session.get(&ask) {
                Ok(step) if step.is_end() => return Ok(()),
                Ok(step) => step,
                Err(error) => match error.status() {
                    // Nothing is set, or nothing any more.
                    Some(Status::ResourceNotAvailable) => return Ok(()),
                    Some(status) if guard.is_new() && is_unknown_register(status) => {
                        return self.ask(session, ports);
                    }
                    // The next TLV is longer than the register has room for.
                    Some(Status::LengthTooSmall) => match ask.longer() {
                        Some(longer) => {
                            ask = longer;
                            continue;
                        }
                        None => return self.ask(session, ports),
                    },
                    _ => return Err(error.into()),
                },
            };
            guard.check(address, &step)?;
            self.take(session, step.tlv_type(), step.length_bytes())?;
            ask = step.next();
        }
    }

    /// Reads one TLV of ConnectX-4 that is set, or notes why not.
    fn take(
        &mut self,
        session: &mut Session<'_>,
        kind: TypeDword,
        length_bytes: u16,
    ) -> Result<(), BackupError> {
        let function = session.address().function;
        let key = TlvKey::Mnvda(kind);
        let known = record_of(self.file, key);
        if self.has(function, key) {
            return Ok(());
        }
        if known.is_some_and(|tlv| !self.secrets.include(tlv)) {
            self.omit(function, key, OmittedBecause::Secret);
            return Ok(());
        }
        if length_bytes > MOST_BYTES {
            let why = format!("its {length_bytes} bytes are more than MNVDA carries");
            self.omit(function, key, OmittedBecause::Unreadable(why));
            return Ok(());
        }
        match read_whole(session, kind, length_bytes) {
            Ok(tlv) if tlv.data().is_empty() => {
                let why = "it has no data".to_owned();
                self.omit(function, key, OmittedBecause::Unreadable(why));
            }
            Ok(tlv) if tlv.data().len() == usize::from(tlv.length_bytes()) => {
                self.tlvs.push(BackupTlv {
                    function,
                    port: port_in(key),
                    key,
                    name: known.map(|tlv| tlv.name.clone()),
                    data: tlv.data().to_vec(),
                    header: Some(tlv.header()),
                    secret: known.is_some_and(Tlv::is_secret),
                });
            }
            Ok(tlv) => {
                return Err(BackupError::Short {
                    address: session.address(),
                    key,
                    expected: tlv.length_bytes(),
                    found: tlv.data().len(),
                });
            }
            Err(error) => match error.status() {
                Some(status) => {
                    self.omit(
                        function,
                        key,
                        OmittedBecause::Unreadable(status.to_string()),
                    );
                }
                None => return Err(error.into()),
            },
        }
        Ok(())
    }

    /// Asks for every TLV that the data files know.
    fn ask(&mut self, session: &mut Session<'_>, ports: &[u8]) -> Result<(), BackupError> {
        self.found_by = FoundBy::Asking;
        let interface = session.interface();
        let file = self.file;
        for tlv in &file.tlv {
            // Where defaults and capabilities answer a plain read, only what can
            // be written is sure to be a setting.
            if interface == FirmwareInterface::Icmd && tlv.access == Access::ReadOnly {
                continue;
            }
            let of_scope: &[u8] = if tlv.scope == Scope::Port {
                ports
            } else {
                &[0]
            };
            for port in of_scope {
                self.ask_one(session, tlv, *port)?;
            }
        }
        Ok(())
    }

    fn ask_one(
        &mut self,
        session: &mut Session<'_>,
        tlv: &Tlv,
        port: u8,
    ) -> Result<(), BackupError> {
        let function = session.address().function;
        let key = TlvKey::of(session.interface(), tlv, port);
        if self.has(function, key) {
            return Ok(());
        }
        if !self.secrets.include(tlv) {
            self.omit(function, key, OmittedBecause::Secret);
            return Ok(());
        }
        let (stored, header) = match key {
            TlvKey::Mnvda(kind) => match read_whole(session, kind, tlv.length_bytes) {
                Ok(tlv) => (Ok(Stored::Set(tlv.data().to_vec())), Some(tlv.header())),
                Err(error) if error.status() == Some(Status::ResourceNotAvailable) => {
                    (Ok(Stored::NotSet), None)
                }
                Err(error) => (Err(error), None),
            },
            TlvKey::Mnva(_) => {
                let stored = tlv_store::read(session, key, Which::Next, tlv.length_bytes);
                (stored, None)
            }
        };
        match stored {
            Ok(Stored::Set(data)) if !data.is_empty() => self.tlvs.push(BackupTlv {
                function,
                port: port_in(key),
                key,
                name: Some(tlv.name.clone()),
                data,
                header,
                secret: tlv.is_secret(),
            }),
            Ok(_) => {}
            Err(error) => match error.status() {
                // A firmware that does not know it has not set it.
                Some(status) if status == Status::BadParameter || is_unknown_register(status) => {}
                Some(status) => {
                    self.omit(
                        function,
                        key,
                        OmittedBecause::Unreadable(status.to_string()),
                    );
                }
                None => return Err(error.into()),
            },
        }
        Ok(())
    }

    /// Whether a TLV was met already, through this function or another one.
    fn has(&self, function: u8, key: TlvKey) -> bool {
        let wanted = place(function, key);
        self.tlvs.iter().any(|tlv| tlv.place() == wanted)
            || self.omitted.iter().any(|tlv| tlv.place() == wanted)
    }

    fn omit(&mut self, function: u8, key: TlvKey, because: OmittedBecause) {
        let known = record_of(self.file, key);
        self.omitted.push(Omitted {
            function,
            port: port_in(key),
            key,
            name: known.map(|tlv| tlv.name.clone()),
            settings: known
                .into_iter()
                .flat_map(|tlv| &tlv.field)
                .map(|field| field.name.clone())
                .collect(),
            because,
        });
    }
}

/// Sees to it that a walk comes to an end, whatever the card answers.
#[derive(Debug, Default)]
struct WalkGuard {
    places: BTreeSet<u32>,
    kinds: BTreeSet<TypeDword>,
}

impl WalkGuard {
    fn is_new(&self) -> bool {
        self.places.is_empty()
    }

    fn check(&mut self, address: Bdf, step: &Mnvgn) -> Result<(), BackupError> {
        if self.kinds.len() == MOST_TLVS {
            return Err(BackupError::TooMany { address });
        }
        let pointer = step.pointer();
        if !self.places.insert(pointer) {
            return Err(BackupError::Endless { address, pointer });
        }
        if !self.kinds.insert(step.tlv_type()) {
            let key = TlvKey::Mnvda(step.tlv_type());
            return Err(BackupError::Repeated { address, key });
        }
        Ok(())
    }
}

/// Reads a TLV of about this length; once more when it turns out to be longer.
fn read_whole(
    session: &mut Session<'_>,
    kind: TypeDword,
    length_bytes: u16,
) -> Result<Mnvda, CommandError> {
    let whole = |length: u16| length.next_multiple_of(4).min(MOST_BYTES);
    let tlv = session.get(&Mnvda::ask(kind, Which::Next, whole(length_bytes)))?;
    let reported = tlv.length_bytes();
    if usize::from(reported) > tlv.data().len() && reported <= MOST_BYTES {
        return session.get(&Mnvda::ask(kind, Which::Next, whole(reported)));
    }
    Ok(tlv)
}

/// Statuses by which a firmware says that it does not know a register.
fn is_unknown_register(status: Status) -> bool {
    matches!(
        status,
        Status::BadOpcode
            | Status::UnknownTlv
            | Status::RegisterNotSupported
            | Status::ClassNotSupported
            | Status::MethodNotSupported
            | Status::VersionNotSupported
    )
}

impl Backup {
    /// The function that a TLV of this backup is reached through.
    #[must_use]
    pub fn function_of(&self, number: u8) -> Bdf {
        self.card.address.with_function(number)
    }

    /// The TLV of the same name and, where there is one for each, function.
    #[must_use]
    pub fn tlv(&self, function: u8, key: TlvKey) -> Option<&BackupTlv> {
        let same = |tlv: &&BackupTlv| {
            tlv.key == key && (!is_per_function(key) || tlv.function == function)
        };
        self.tlvs.iter().find(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::register::Readable;

    fn step(pointer: u32, kind: u32) -> Mnvgn {
        let mut bytes = [0; 24];
        bytes[..4].copy_from_slice(&pointer.to_be_bytes());
        bytes[20..].copy_from_slice(&kind.to_be_bytes());
        Mnvgn::unpack(&bytes).unwrap()
    }

    fn address() -> Bdf {
        "04:00.1".parse().unwrap()
    }

    #[test]
    fn a_walk_that_does_not_move_on_is_broken_off() {
        let mut guard = WalkGuard::default();
        guard.check(address(), &step(7, 0x0300_0195)).unwrap();
        guard.check(address(), &step(3, 0x0300_0221)).unwrap();
        let error = guard.check(address(), &step(7, 0x80)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "0000:04:00.1: the walk over the settings comes back to 0x7 and would never end"
        );
        let error = guard.check(address(), &step(8, 0x0300_0195)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "0000:04:00.1: the walk over the settings meets 0x03000195 twice"
        );
    }

    #[test]
    fn a_walk_ends_at_some_point() {
        let mut guard = WalkGuard::default();
        for at in 1..=4096 {
            guard.check(address(), &step(at, at)).unwrap();
        }
        let error = guard.check(address(), &step(4097, 4097)).unwrap_err();
        assert!(matches!(error, BackupError::TooMany { .. }), "{error}");
    }
}
