//! Plan a change: pure, from what was read to what would be written.

use crate::command::register::TlvHeader;
use crate::hwdb::{Access, Field, FieldValue, Place, Scope, Tlv};

use super::change::{Assignment, Base, Change, Goal, Plan, Reserved, TlvWrite};
use super::plan_error::PlanError;
use super::tlv_store::{self, Stored};
use super::{Availability, PortSettings, SettingValue, TlvReading};

/// Plans the wishes against what was read.
///
/// All of them are checked before anything is planned; wishes for the same TLV
/// become one write. Bits that no wish names keep their value.
///
/// # Errors
/// The first [`PlanError`]; then nothing is to be written at all.
pub fn plan(
    ports: &[PortSettings],
    wishes: &[Assignment],
    reserved: Reserved,
) -> Result<Plan, PlanError> {
    let mut planner = Planner {
        ports,
        wishes,
        reserved,
        plan: Plan::default(),
        tlvs: Vec::new(),
    };
    for wish in wishes {
        planner.add(wish)?;
    }
    Ok(planner.finish())
}

/// A TLV that wishes touch.
struct Touched<'a> {
    write: TlvWrite,
    base: Vec<u8>,
    after: Vec<u8>,
    reading: &'a TlvReading,
    /// Settings that go back to their defaults.
    resets: Vec<&'a str>,
    /// Settings that get a value.
    sets: usize,
}

struct Planner<'a> {
    ports: &'a [PortSettings],
    wishes: &'a [Assignment],
    reserved: Reserved,
    plan: Plan,
    tlvs: Vec<Touched<'a>>,
}

impl<'a> Planner<'a> {
    fn add(&mut self, wish: &Assignment) -> Result<(), PlanError> {
        let (port, setting) = find(self.ports, wish)?;
        let of_card = setting.reading.tlv.scope == Scope::Card;
        let number = if of_card { 0 } else { port.port };
        check_offered(port, setting.field)?;
        if let Some(reason) = read_only(setting.reading) {
            return Err(PlanError::ReadOnly {
                function: port.function,
                setting: setting.field.name.clone(),
                reason: reason.to_owned(),
            });
        }
        let at = self.touch(port, &setting, number)?;
        let touched = &mut self.tlvs[at];
        let field = setting.field;
        let to = match &wish.goal {
            Goal::Value(value) => {
                check_value(port, field, value)?;
                touched.sets += 1;
                value.clone()
            }
            Goal::Default => {
                touched.resets.push(&field.name);
                match default_value(setting.reading, field) {
                    Some(value) => value,
                    None if all_are_reset(touched) => FieldValue::Number(0),
                    None => return Err(no_defaults(port, setting.reading)),
                }
            }
        };
        let unknown_default =
            wish.goal == Goal::Default && default_value(setting.reading, field).is_none();
        let illegal = || PlanError::IllegalValue {
            setting: field.name.clone(),
            value: field.describe(&to),
            allowed: field.allowed(),
        };
        let from = field.get(&touched.base).ok_or_else(illegal)?;
        if wish.goal != Goal::Default {
            field.put(&mut touched.after, &to).ok_or_else(illegal)?;
        } else if !unknown_default {
            field
                .put_bits(&mut touched.after, &to)
                .ok_or_else(illegal)?;
        }
        let counts = field.is_valid(&touched.base);
        let change = Change {
            port: number,
            function: touched.write.function,
            setting: field.name.clone(),
            from_text: field.describe(&from),
            from_base: if counts {
                base_of(setting.reading)
            } else {
                Base::Defaults
            },
            changes: from != to || unknown_default || (!counts && wish.goal != Goal::Default),
            from,
            to_text: if unknown_default {
                "the card's default".to_owned()
            } else {
                field.describe(&to)
            },
            to,
            goal_is_default: wish.goal == Goal::Default,
            applies: setting.reading.tlv.applies,
            risk: field.risk,
            caution: field.caution.clone(),
            without_effect: None,
        };
        self.note(change)
    }

    /// The same wish twice is one; two different ones are an error.
    fn note(&mut self, change: Change) -> Result<(), PlanError> {
        let earlier = self
            .plan
            .changes
            .iter()
            .find(|other| other.port == change.port && other.setting == change.setting);
        match earlier {
            None => self.plan.changes.push(change),
            Some(earlier) if earlier.to == change.to => {}
            Some(earlier) => {
                return Err(PlanError::Contradiction {
                    port: change.port,
                    setting: change.setting.clone(),
                    first: earlier.to_text.clone(),
                    second: change.to_text,
                });
            }
        }
        Ok(())
    }

    /// The TLV of a setting among the touched ones.
    fn touch(
        &mut self,
        port: &'a PortSettings,
        setting: &SettingValue<'a>,
        number: u8,
    ) -> Result<usize, PlanError> {
        let reading = setting.reading;
        let same = |touched: &Touched<'_>| {
            touched.write.key == reading.key && touched.write.function == port.function
        };
        if let Some(at) = self.tlvs.iter().position(same) {
            return Ok(at);
        }
        let base = base(port, reading)?;
        if self.reserved == Reserved::Refuse {
            // What is replaced, and what the card lacks, is of no account.
            let wished = |field: &Field| {
                matches!(port.availability(&field.name), Availability::Missing(_))
                    || self.wishes.iter().any(|wish| {
                        field.is_called(&wish.setting) && (number == 0 || wish.port == number)
                    })
            };
            refuse_reserved(port, reading, &base, wished)?;
        }
        self.tlvs.push(Touched {
            write: TlvWrite {
                function: port.function,
                port: number,
                name: reading.tlv.name.clone(),
                key: reading.key,
                before: reading.next.clone().unwrap_or(Stored::NotSet),
                base: base.clone(),
                after: Stored::NotSet,
                header: Some(reading.tlv.version)
                    .filter(|version| *version != 0)
                    .map(|version| TlvHeader {
                        version,
                        ..TlvHeader::OURS
                    }),
                secret: reading.tlv.is_secret(),
                applies: reading.tlv.applies,
            },
            after: base.clone(),
            base,
            reading,
            resets: Vec::new(),
            sets: 0,
        });
        Ok(self.tlvs.len() - 1)
    }

    fn finish(mut self) -> Plan {
        for mut touched in std::mem::take(&mut self.tlvs) {
            reset_valid_bits(&mut touched);
            let default = default_bytes(touched.reading);
            let back_to_default = touched.sets == 0
                && (all_are_reset(&touched) || default == Some(touched.after.as_slice()));
            let mut write = touched.write;
            write.after = if back_to_default && tlv_store::can_delete(write.key) {
                // The default bytes are what the card says without the TLV.
                if let Some(default) = default {
                    write.base = default.to_vec();
                }
                Stored::NotSet
            } else {
                Stored::Set(touched.after)
            };
            let stays = match (&write.before, &write.after) {
                (before, after) if before == after => true,
                // What was wished for holds, whether it is stored, or the default.
                (_, Stored::Set(after)) => *after == touched.base,
                _ => false,
            };
            if !stays {
                self.plan.writes.push(write);
            }
        }
        note_what_has_no_effect(self.ports, &mut self.plan);
        self.plan
    }
}

/// The port and the setting that a wish means.
fn find<'a>(
    ports: &'a [PortSettings],
    wish: &Assignment,
) -> Result<(&'a PortSettings, SettingValue<'a>), PlanError> {
    let unknown = || PlanError::UnknownSetting {
        setting: wish.setting.clone(),
    };
    let first = ports.first().ok_or_else(unknown)?;
    let setting = first.setting(&wish.setting).ok_or_else(unknown)?;
    if setting.reading.tlv.scope == Scope::Card {
        return Ok((first, setting));
    }
    let port = ports
        .iter()
        .find(|settings| settings.port == wish.port)
        .ok_or_else(|| PlanError::NoSuchPort {
            function: Some(first.function),
            port: wish.port,
            ports: ports.iter().map(|settings| settings.port).collect(),
        })?;
    let setting = port.setting(&wish.setting).ok_or_else(unknown)?;
    Ok((port, setting))
}

fn check_offered(port: &PortSettings, field: &Field) -> Result<(), PlanError> {
    let (function, setting) = (port.function, field.name.clone());
    match port.availability(&field.name) {
        Availability::Offered => Ok(()),
        Availability::Missing(missing) => Err(PlanError::NotOffered {
            function,
            setting,
            missing,
        }),
        Availability::Refused { what, status } => Err(PlanError::CapabilityUnreadable {
            function,
            setting,
            what,
            status,
        }),
    }
}

fn check_value(port: &PortSettings, field: &Field, value: &FieldValue) -> Result<(), PlanError> {
    if !field.is_legal(value) {
        return Err(PlanError::IllegalValue {
            setting: field.name.clone(),
            value: field.describe(value),
            allowed: field.allowed(),
        });
    }
    match (value.number(), port.limit(&field.name)) {
        (Some(number), Some(limit)) if number > limit => Err(PlanError::AboveLimit {
            function: port.function,
            setting: field.name.clone(),
            value: number,
            limit,
        }),
        _ => Ok(()),
    }
}

fn read_only(reading: &TlvReading) -> Option<&'static str> {
    if reading.tlv.access == Access::ReadOnly {
        Some("flexctl does not write it")
    } else if !reading.writable {
        Some("the firmware does not let it be written (MNVQC)")
    } else {
        None
    }
}

fn base_of(reading: &TlvReading) -> Base {
    match reading.next {
        Ok(Stored::Set(_)) => Base::Stored,
        _ => Base::Defaults,
    }
}

fn default_bytes(reading: &TlvReading) -> Option<&[u8]> {
    match &reading.default {
        Some(Ok(Stored::Set(data))) => Some(data),
        _ => None,
    }
}

fn default_value(reading: &TlvReading, field: &Field) -> Option<FieldValue> {
    field.get(default_bytes(reading)?)
}

fn all_are_reset(touched: &Touched<'_>) -> bool {
    touched.sets == 0
        && tlv_store::can_delete(touched.write.key)
        && touched
            .reading
            .tlv
            .field
            .iter()
            .all(|field| touched.resets.contains(&field.name.as_str()))
}

/// A valid bit goes back with the last of the settings that share it.
fn reset_valid_bits(touched: &mut Touched<'_>) {
    let Some(default) = default_bytes(touched.reading) else {
        return;
    };
    let fields = &touched.reading.tlv.field;
    let is_reset = |field: &Field| touched.resets.contains(&field.name.as_str());
    for field in fields.iter().filter(|field| is_reset(field)) {
        let all_reset = fields
            .iter()
            .filter(|other| other.valid == field.valid)
            .all(is_reset);
        let counts = field.is_valid(default);
        if all_reset || counts {
            // The bit lies in the TLV (validate_settings.rs).
            let _ = field.put_valid(&mut touched.after, counts);
        }
    }
}

fn no_defaults(port: &PortSettings, reading: &TlvReading) -> PlanError {
    PlanError::NoDefaults {
        function: port.function,
        port: port.port,
        tlv: reading.tlv.name.clone(),
        key: reading.key,
        status: match reading.default {
            Some(Err(status)) => Some(status),
            _ => None,
        },
    }
}

/// The bytes that a change is built on.
fn base(port: &PortSettings, reading: &TlvReading) -> Result<Vec<u8>, PlanError> {
    let data = match (&reading.next, default_bytes(reading)) {
        (Ok(Stored::Set(data)), _) => data.as_slice(),
        (Ok(Stored::NotSet), Some(data)) => data,
        (Ok(Stored::NotSet), None) => return Err(no_defaults(port, reading)),
        (Err(status), _) => {
            return Err(PlanError::Unreadable {
                function: port.function,
                port: port.port,
                tlv: reading.tlv.name.clone(),
                key: reading.key,
                status: *status,
            });
        }
    };
    let expected = usize::from(reading.tlv.length_bytes);
    if data.len() == expected {
        Ok(data.to_vec())
    } else if is_one_text(&reading.tlv) {
        // FlexBoot stores some texts in other lengths than mlxconfig.
        let mut data = data.to_vec();
        data.resize(expected, 0);
        Ok(data)
    } else {
        Err(PlanError::UnexpectedLength {
            function: port.function,
            port: port.port,
            tlv: reading.tlv.name.clone(),
            key: reading.key,
            expected: reading.tlv.length_bytes,
            found: data.len(),
        })
    }
}

/// Whether a TLV is nothing but one text: then its length says nothing else.
fn is_one_text(tlv: &Tlv) -> bool {
    match tlv.field.as_slice() {
        [field] => matches!(&field.place, Place::Text(text) if text.offset == 0),
        _ => false,
    }
}

/// What is stored in fields that stay has to be something that a source defines.
fn refuse_reserved(
    port: &PortSettings,
    reading: &TlvReading,
    data: &[u8],
    is_of_no_account: impl Fn(&Field) -> bool,
) -> Result<(), PlanError> {
    for field in reading
        .tlv
        .field
        .iter()
        .filter(|field| !is_of_no_account(field))
    {
        match field.get(data) {
            Some(value) if !field.is_legal(&value) => {
                return Err(PlanError::ReservedValue {
                    function: port.function,
                    port: port.port,
                    setting: field.name.clone(),
                    tlv: reading.tlv.name.clone(),
                    key: reading.key,
                    value: field.describe(&value),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Says which changes another setting keeps from having an effect.
fn note_what_has_no_effect(ports: &[PortSettings], plan: &mut Plan) {
    let after: Vec<PortSettings> = ports.iter().map(|port| port.after(plan)).collect();
    for change in &mut plan.changes {
        let port = after
            .iter()
            .find(|port| change.port == 0 || port.port == change.port);
        let Some((port, setting)) =
            port.and_then(|port| Some((port, port.setting(&change.setting)?)))
        else {
            continue;
        };
        let Some(condition) = &setting.field.effective_with else {
            continue;
        };
        let holds = port.effective(&condition.setting);
        if holds.is_some_and(|value| !condition.values.contains(&value)) {
            let other = port.setting(&condition.setting);
            let value = other.and_then(|other| {
                let value = other.values.effective()?;
                Some(other.field.describe(value))
            });
            change.without_effect = Some(format!(
                "has no effect while {} is {}",
                condition.setting,
                value.unwrap_or_default()
            ));
        }
    }
}
