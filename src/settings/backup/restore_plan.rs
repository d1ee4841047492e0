//! Plan a restore: pure, from a backup and what the card holds now.

use std::collections::BTreeSet;

use crate::hwdb::{Access, Field, SettingsFile, Tlv};
use crate::pci::Bdf;
use crate::settings::{PortSettings, Sameness, Stored, TlvKey};

use super::contents::{
    Backup, FoundBy, OmittedBecause, Place, interface_of, is_per_function, port_in, record_of,
};
use super::difference::differences;
use super::restore::{
    Restore, RestoreChange, RestoreError, RestoreNote, RestoreOptions, Undeletable,
};
use super::text::short_hex;

/// Plans to put a backup back.
///
/// `now` is a backup of the same card made just before, secrets included:
/// what it holds is what [`RestoreChange::before`] says. `ports` give the
/// defaults of what is not set, as far as they were read.
///
/// A TLV that is set and is not in the backup is deleted; where a card cannot
/// delete a single one (ConnectX-3) it stays, and a note says so. What the backup
/// left out stays. With [`RestoreOptions::only`], a setting changes its own bits
/// only, a TLV named there changes as a whole.
///
/// # Errors
/// [`RestoreError`]; then nothing is to be written at all.
pub fn plan_restore(
    backup: &Backup,
    now: &Backup,
    file: &SettingsFile,
    ports: &[PortSettings],
    options: &RestoreOptions,
) -> Result<Restore, RestoreError> {
    let mut notes = compare_cards(backup, now)?;
    for tlv in &backup.tlvs {
        if interface_of(tlv.key) != file.interface {
            return Err(RestoreError::OtherGeneration { key: tlv.key });
        }
    }
    let planner = Planner {
        backup,
        now,
        file,
        ports,
        options,
    };
    let mut changes = Vec::new();
    if options.only.is_empty() {
        for place in planner.places() {
            planner.whole(place, &mut changes, &mut notes)?;
        }
    } else {
        planner.chosen(&mut changes, &mut notes)?;
    }
    changes.sort_by_key(|change: &RestoreChange| (change.function, change.key));
    notes.dedup();
    Ok(Restore { changes, notes })
}

/// Refuses another model; what is less than certain becomes a note.
fn compare_cards(backup: &Backup, now: &Backup) -> Result<Vec<RestoreNote>, RestoreError> {
    let (theirs, ours) = (&backup.card.identity, &now.card.identity);
    let boxed = || (Box::new(theirs.clone()), Box::new(ours.clone()));
    let mut notes = Vec::new();
    match theirs.is_same_model(ours) {
        Sameness::Same => {}
        Sameness::Other => {
            let (backup, card) = boxed();
            return Err(RestoreError::OtherModel { backup, card });
        }
        Sameness::CannotTell => {
            let (backup, card) = boxed();
            notes.push(RestoreNote::CannotTellModel { backup, card });
        }
    }
    let serial = |number: &Option<String>| number.clone().unwrap_or_default();
    match theirs.is_same_board(ours) {
        Sameness::Same => {}
        Sameness::Other => notes.push(RestoreNote::OtherBoard {
            backup: serial(&theirs.serial_number),
            card: serial(&ours.serial_number),
        }),
        Sameness::CannotTell => notes.push(RestoreNote::CannotTellBoard),
    }
    if let (Some(was), Some(is)) = (&backup.card.firmware, &now.card.firmware)
        && was != is
    {
        notes.push(RestoreNote::OtherFirmware {
            backup: was.clone(),
            card: is.clone(),
        });
    }
    let by_walk = |backup: &Backup| backup.found_by == FoundBy::Walk;
    if !by_walk(backup) || !by_walk(now) {
        notes.push(RestoreNote::OnlyKnown);
    }
    Ok(notes)
}

struct Planner<'a> {
    backup: &'a Backup,
    now: &'a Backup,
    file: &'a SettingsFile,
    ports: &'a [PortSettings],
    options: &'a RestoreOptions,
}

/// A TLV of the card, as both sides have it.
struct Subject<'a> {
    function: Bdf,
    port: u8,
    key: TlvKey,
    name: String,
    known: Option<&'a Tlv>,
    was: Stored,
    now: Stored,
    defaults: Option<&'a [u8]>,
    secret: bool,
}

impl<'a> Planner<'a> {
    /// Every TLV that is set in the backup or now, or left out of the backup.
    fn places(&self) -> BTreeSet<Place> {
        let of = |backup: &Backup| -> Vec<Place> {
            let set = backup.tlvs.iter().map(super::BackupTlv::place);
            let left_out = backup.omitted.iter().map(super::Omitted::place);
            set.chain(left_out).collect()
        };
        of(self.backup).into_iter().chain(of(self.now)).collect()
    }

    fn subject(&self, place: Place) -> Result<Subject<'a>, RestoreError> {
        let (function, key) = place;
        let functions = &self.now.card.functions;
        let number = function
            .or_else(|| {
                let set = self.now.tlvs.iter().find(|tlv| tlv.key == key)?;
                Some(set.function)
            })
            .or_else(|| functions.first().copied())
            .unwrap_or_default();
        if !functions.contains(&number) {
            return Err(RestoreError::NoSuchFunction { function: number });
        }
        let held = |backup: &Backup| {
            let tlv = backup.tlvs.iter().find(|tlv| tlv.place() == place);
            tlv.map_or(Stored::NotSet, |tlv| Stored::Set(tlv.data.clone()))
        };
        let known = record_of(self.file, key);
        let port = match port_in(key) {
            // One function a port.
            0 if is_per_function(key) => number + 1,
            port => port,
        };
        let address = self.now.function_of(number);
        let said_secret = |backup: &Backup| {
            let mut tlvs = backup.tlvs.iter();
            tlvs.any(|tlv| tlv.place() == place && tlv.secret)
        };
        Ok(Subject {
            function: address,
            port,
            key,
            name: known.map_or_else(|| key.to_string(), |tlv| tlv.name.clone()),
            known,
            was: held(self.backup),
            now: held(self.now),
            defaults: self.defaults(address, key),
            secret: known.is_some_and(Tlv::is_secret)
                || said_secret(self.backup)
                || said_secret(self.now),
        })
    }

    /// The bytes that hold while a TLV is not set, where they were read.
    fn defaults(&self, function: Bdf, key: TlvKey) -> Option<&'a [u8]> {
        let readings = self
            .ports
            .iter()
            .filter(|port| !is_per_function(key) || port.function == function)
            .flat_map(|port| &port.tlvs)
            .filter(|reading| reading.key == key);
        let mut found = readings.filter_map(|reading| match &reading.default {
            Some(Ok(Stored::Set(data))) if data.len() == usize::from(reading.tlv.length_bytes) => {
                Some(data.as_slice())
            }
            _ => None,
        });
        found.next()
    }

    /// Puts back a whole TLV.
    fn whole(
        &self,
        place: Place,
        changes: &mut Vec<RestoreChange>,
        notes: &mut Vec<RestoreNote>,
    ) -> Result<(), RestoreError> {
        if let Some(because) = omission(self.backup, place) {
            // Only what is there can stay.
            if let Ok(subject) = self.subject(place)
                && (subject.now != Stored::NotSet || because != SECRET_WORDS)
            {
                let (function, name, key) = (subject.function, subject.name, subject.key);
                notes.push(RestoreNote::LeftOut {
                    function,
                    name,
                    key,
                    because,
                });
            }
            return Ok(());
        }
        if let (Some(function), _) = place
            && !self.backup.card.functions.contains(&function)
        {
            let function = self.now.function_of(function);
            notes.push(RestoreNote::FunctionNotInBackup { function });
            return Ok(());
        }
        let subject = self.subject(place)?;
        let (function, name, key) = (subject.function, subject.name.clone(), subject.key);
        if let Some(because) = omission(self.now, place) {
            notes.push(RestoreNote::Unreadable {
                function,
                name,
                key,
                because,
            });
            return Ok(());
        }
        if subject.was == subject.now {
            return Ok(());
        }
        if is_read_only(subject.known) {
            notes.push(RestoreNote::ReadOnly {
                function,
                name,
                key,
            });
            return Ok(());
        }
        let header = self
            .backup
            .tlvs
            .iter()
            .find(|tlv| tlv.place() == place)
            .and_then(|tlv| tlv.header);
        if subject.was == Stored::NotSet {
            if self.may_be_unseen(&subject) {
                return Ok(());
            }
            if !can_delete(key) {
                changes.extend(self.undeletable(&subject, notes));
                return Ok(());
            }
        }
        let after = subject.was.clone();
        changes.push(change(subject, after, header)?);
        Ok(())
    }

    /// Whether a TLV may have been set without being in the backup: a firmware
    /// that does not name what is set was asked only for what was known.
    fn may_be_unseen(&self, subject: &Subject<'_>) -> bool {
        let asked = |tlv: &Tlv| tlv.access == Access::ReadWrite;
        self.backup.found_by == FoundBy::Asking && !subject.known.is_some_and(asked)
    }

    /// A TLV that should not be set and cannot be deleted.
    fn undeletable(
        &self,
        subject: &Subject<'_>,
        notes: &mut Vec<RestoreNote>,
    ) -> Option<RestoreChange> {
        let defaults = subject.defaults.map(<[u8]>::to_vec);
        let holds = if subject.secret {
            "(hidden)".to_owned()
        } else {
            match &subject.now {
                Stored::Set(data) => short_hex(data),
                Stored::NotSet => subject.now.to_string(),
            }
        };
        if let (Undeletable::WriteDefaults, Some(defaults)) = (self.options.undeletable, &defaults)
        {
            let after = Stored::Set(defaults.clone());
            return (subject.now != after).then(|| RestoreChange {
                function: subject.function,
                port: subject.port,
                name: subject.name.clone(),
                key: subject.key,
                base: bytes(&subject.now),
                before: subject.now.clone(),
                differences: differences(subject.known, &subject.now, &after, subject.defaults),
                after,
                header: None,
                secret: subject.secret,
            });
        }
        notes.push(RestoreNote::CannotDelete {
            function: subject.function,
            port: subject.port,
            name: subject.name.clone(),
            key: subject.key,
            holds,
            defaults,
        });
        None
    }

    /// Puts back what was asked for by name.
    fn chosen(
        &self,
        changes: &mut Vec<RestoreChange>,
        notes: &mut Vec<RestoreNote>,
    ) -> Result<(), RestoreError> {
        let places = self.places();
        let mut whole: BTreeSet<Place> = BTreeSet::new();
        let mut settings: Vec<(&str, &Tlv, &Field)> = Vec::new();
        for name in &self.options.only {
            let by_tlv: Vec<Place> = places
                .iter()
                .copied()
                .filter(|(_, key)| self.is_called(*key, name))
                .collect();
            if !by_tlv.is_empty() {
                for place in by_tlv {
                    self.refuse_unsuitable(name, place)?;
                    whole.insert(place);
                }
                continue;
            }
            let of_name = |tlv: &&Tlv| tlv.name.eq_ignore_ascii_case(name);
            match self.file.setting(name) {
                Some((tlv, field)) => settings.push((name, tlv, field)),
                // A TLV that is set neither then nor now: nothing to do.
                None if self.file.tlv.iter().any(|tlv| of_name(&tlv)) => {}
                None => return Err(RestoreError::UnknownName { name: name.clone() }),
            }
        }
        for place in &whole {
            self.whole(*place, changes, notes)?;
        }
        for place in places.difference(&whole) {
            let fields: Vec<(&str, &Field)> = settings
                .iter()
                .filter(|(_, tlv, _)| record_of(self.file, place.1) == Some(tlv))
                .map(|(name, _, field)| (*name, *field))
                .collect();
            if !fields.is_empty() {
                changes.extend(self.fields(*place, &fields)?);
            }
        }
        Ok(())
    }

    fn is_called(&self, key: TlvKey, name: &str) -> bool {
        key.to_string().eq_ignore_ascii_case(name)
            || record_of(self.file, key).is_some_and(|tlv| tlv.name.eq_ignore_ascii_case(name))
    }

    fn refuse_unsuitable(&self, name: &str, place: Place) -> Result<(), RestoreError> {
        let name = name.to_owned();
        if is_read_only(record_of(self.file, place.1)) {
            return Err(RestoreError::ReadOnly { name });
        }
        match omission(self.backup, place) {
            Some(because) => Err(RestoreError::LeftOut { name, because }),
            None => Ok(()),
        }
    }

    /// Puts back some fields of a TLV; its other bits stay.
    fn fields(
        &self,
        place: Place,
        fields: &[(&str, &Field)],
    ) -> Result<Option<RestoreChange>, RestoreError> {
        for (name, _) in fields {
            self.refuse_unsuitable(name, place)?;
        }
        let subject = self.subject(place)?;
        if subject.was == subject.now {
            return Ok(None);
        }
        let source = self.effective(&subject, &subject.was)?;
        let base = self.effective(&subject, &subject.now)?;
        let mut after = base.clone();
        for (_, field) in fields {
            let copied = field.get(&source).and_then(|value| {
                field.put(&mut after, &value)?;
                if let Some(valid) = field.valid.as_ref().filter(|_| !field.is_valid(&source)) {
                    let byte = after.get_mut(valid.dword * 4 + 3 - usize::from(valid.bit / 8))?;
                    *byte &= !(1 << (valid.bit % 8));
                }
                Some(())
            });
            if copied.is_none() {
                return Err(unexpected_length(&subject, source.len()));
            }
        }
        if after == base {
            return Ok(None);
        }
        change(subject, Stored::Set(after), None).map(Some)
    }

    /// The bytes that count: those stored, or the defaults.
    fn effective(&self, subject: &Subject<'_>, stored: &Stored) -> Result<Vec<u8>, RestoreError> {
        let data = match (stored, subject.defaults) {
            (Stored::Set(data), _) => data.clone(),
            (Stored::NotSet, Some(defaults)) => defaults.to_vec(),
            (Stored::NotSet, None) => return Err(no_defaults(subject)),
        };
        match subject.known {
            Some(tlv) if usize::from(tlv.length_bytes) != data.len() => {
                Err(unexpected_length(subject, data.len()))
            }
            _ => Ok(data),
        }
    }
}

const SECRET_WORDS: &str = "it holds a secret";

/// Why a TLV is left out of a backup, if it is.
fn omission(backup: &Backup, place: Place) -> Option<String> {
    let omitted = backup.omitted.iter().find(|tlv| tlv.place() == place)?;
    Some(match &omitted.because {
        OmittedBecause::Secret => SECRET_WORDS.to_owned(),
        OmittedBecause::Unreadable(words) => words.clone(),
    })
}

fn is_read_only(known: Option<&Tlv>) -> bool {
    known.is_some_and(|tlv| tlv.access == Access::ReadOnly)
}

fn can_delete(key: TlvKey) -> bool {
    matches!(key, TlvKey::Mnvda(_))
}

fn bytes(stored: &Stored) -> Vec<u8> {
    match stored {
        Stored::Set(data) => data.clone(),
        Stored::NotSet => Vec::new(),
    }
}

/// What is written has the length that the data files say, and a way back.
fn change(
    subject: Subject<'_>,
    after: Stored,
    header: Option<crate::command::register::TlvHeader>,
) -> Result<RestoreChange, RestoreError> {
    if let (Stored::Set(data), Some(tlv)) = (&after, subject.known)
        && data.len() != usize::from(tlv.length_bytes)
    {
        return Err(unexpected_length(&subject, data.len()));
    }
    let base = match (&subject.now, subject.defaults) {
        (Stored::Set(data), _) => data.clone(),
        (Stored::NotSet, Some(defaults)) => defaults.to_vec(),
        // Where a TLV can be deleted, nothing has to be known to undo it.
        (Stored::NotSet, None) if can_delete(subject.key) => Vec::new(),
        (Stored::NotSet, None) => return Err(no_defaults(&subject)),
    };
    Ok(RestoreChange {
        function: subject.function,
        port: subject.port,
        differences: differences(subject.known, &subject.now, &after, subject.defaults),
        name: subject.name,
        key: subject.key,
        before: subject.now,
        base,
        after,
        header,
        secret: subject.secret,
    })
}

fn no_defaults(subject: &Subject<'_>) -> RestoreError {
    RestoreError::NoDefaults {
        function: subject.function,
        port: subject.port,
        name: subject.name.clone(),
        key: subject.key,
    }
}

fn unexpected_length(subject: &Subject<'_>, found: usize) -> RestoreError {
    RestoreError::UnexpectedLength {
        function: subject.function,
        name: subject.name.clone(),
        key: subject.key,
        expected: subject.known.map_or(0, |tlv| usize::from(tlv.length_bytes)),
        found,
    }
}
