//! The rules that settings files obey beyond their syntax.

use std::collections::HashSet;

use super::validate::{Broken, rule};
use super::{
    Access, BitField, DefaultOf, Field, FieldValue, FirmwareInterface, Limit, Place, Requirement,
    Scope, SettingsFile, TextPlace, Tlv, TlvClass, Verified,
};

pub(super) fn validate_settings(file: &SettingsFile) -> Result<(), Broken> {
    rule(file.schema == 1, "schema", "is not 1")?;
    let mut names = HashSet::new();
    let mut types = HashSet::new();
    for tlv in &file.tlv {
        validate_tlv(file, tlv)?;
        let class = tlv.class.map(TlvClass::code);
        rule(
            types.insert((class, tlv.tlv_type)),
            &tlv.name,
            "has the type of another TLV",
        )?;
        for field in &tlv.field {
            for name in std::iter::once(&field.name).chain(&field.aliases) {
                let name_in_any_case = name.to_ascii_uppercase();
                rule(
                    names.insert(name_in_any_case),
                    name,
                    "is the name of two settings",
                )?;
            }
        }
    }
    file.settings()
        .try_for_each(|(_, field)| effective_with(file, field))
}

/// What a file includes is there, for the same interface, and includes nothing.
pub(super) fn validate_included<'a>(
    file: &SettingsFile,
    name: &str,
    part: Option<&'a SettingsFile>,
) -> Result<&'a SettingsFile, Broken> {
    let Some(part) = part else {
        return Err(Broken::new("include", format!("there is no file `{name}`")));
    };
    rule(
        part.interface == file.interface,
        "include",
        &format!("`{name}` is for another firmware interface"),
    )?;
    rule(
        part.include.is_empty(),
        "include",
        &format!("`{name}` includes files itself"),
    )?;
    Ok(part)
}

/// A condition names a setting of the same file and legal values of it.
fn effective_with(file: &SettingsFile, field: &Field) -> Result<(), Broken> {
    let Some(condition) = &field.effective_with else {
        return Ok(());
    };
    let Some((_, other)) = file.setting(&condition.setting) else {
        return Err(Broken::new(
            &field.name,
            format!("effective_with: there is no {}", condition.setting),
        ));
    };
    let all_legal = condition
        .values
        .iter()
        .all(|value| other.is_legal(&FieldValue::Number(*value)));
    rule(
        all_legal && !condition.values.is_empty(),
        &field.name,
        "effective_with: needs legal values of the other setting",
    )
}

fn validate_tlv(file: &SettingsFile, tlv: &Tlv) -> Result<(), Broken> {
    let name = &tlv.name;
    let icmd = file.interface == FirmwareInterface::Icmd;
    rule(!tlv.source.is_empty(), name, "has no source")?;
    rule(
        tlv.length_bytes > 0 && tlv.length_bytes.is_multiple_of(4) && tlv.length_bytes <= 256,
        name,
        "length_bytes is not a multiple of 4 up to 256",
    )?;
    rule(
        tlv.class.is_some() == icmd,
        name,
        "class is for the ICMD interface, which needs it",
    )?;
    rule(
        icmd || tlv.scope != Scope::Function,
        name,
        "the tools HCR knows no settings of a function",
    )?;
    rule(
        tlv.verified != Verified::Unverified || tlv.access == Access::ReadOnly,
        name,
        "is unverified and may therefore only be read",
    )?;
    rule(tlv.version < 16, name, "version is not a number of 4 bits")?;
    let mut taken: Vec<u8> = vec![0; usize::from(tlv.length_bytes)];
    for field in &tlv.field {
        validate_field(file, tlv, field, &mut taken)?;
    }
    Ok(())
}

fn validate_field(
    file: &SettingsFile,
    tlv: &Tlv,
    field: &Field,
    taken: &mut [u8],
) -> Result<(), Broken> {
    let name = &field.name;
    rule(!field.meaning.is_empty(), name, "has no meaning")?;
    rule(
        std::iter::once(name).chain(&field.aliases).all(|name| {
            !name.to_ascii_uppercase().ends_with("_P1")
                && !name.to_ascii_uppercase().ends_with("_P2")
        }),
        name,
        "ends like mlxconfig's names of a port's settings",
    )?;
    if let Place::Number { bits, .. } = field.place {
        rule(
            is_bit_field(bits),
            name,
            "bits is not [high, low] of a dword",
        )?;
    }
    occupy(tlv, field, taken)?;
    numbers(field)?;
    rule(
        field
            .valid
            .as_ref()
            .is_none_or(|valid| valid.bit < 32 && valid.dword < taken.len() / 4),
        name,
        "valid is outside of its TLV",
    )?;
    rule(
        field.default.is_none() || file.interface == FirmwareInterface::ToolsHcr,
        name,
        "default is for the tools HCR",
    )?;
    rule(
        field
            .default
            .is_none_or(|default| is_bit_field(default.bits)),
        name,
        "bits of its default is not [high, low] of a dword",
    )?;
    rule(
        field
            .default
            .is_none_or(|default| (default.of == DefaultOf::Card) == (tlv.scope == Scope::Card)),
        name,
        "the default of a card's TLV is the card's, of a port's TLV the port's",
    )?;
    let fits_interface = |requirement: &Requirement| match requirement {
        Requirement::CapabilityTlv { bit, .. } => {
            *bit < 32 && file.interface == FirmwareInterface::Icmd
        }
        Requirement::MnvqcVersion { .. } => file.interface == FirmwareInterface::Icmd,
        Requirement::DefParamsGlobal { bit, .. }
        | Requirement::DefParamsPort { bit, .. }
        | Requirement::DevCap { bit, .. } => {
            *bit < 32 && file.interface == FirmwareInterface::ToolsHcr
        }
    };
    rule(
        field.requires.iter().all(fits_interface),
        name,
        "requires something of another firmware interface",
    )?;
    let limit_fits = match &field.limit {
        None => true,
        Some(Limit::CapabilityTlv { bits, .. }) => {
            is_bit_field(*bits) && file.interface == FirmwareInterface::Icmd
        }
        Some(Limit::DevCap { bits, .. }) => {
            is_bit_field(*bits) && file.interface == FirmwareInterface::ToolsHcr
        }
    };
    rule(
        limit_fits,
        name,
        "limit is of another firmware interface or has bits that are not [high, low]",
    )
}

fn is_bit_field(bits: BitField) -> bool {
    bits.0 < 32 && bits.0 >= bits.1
}

/// No field outside of its TLV, no bit in two fields.
fn occupy(tlv: &Tlv, field: &Field, taken: &mut [u8]) -> Result<(), Broken> {
    let (at, own) = match &field.place {
        Place::Number { dword, bits } => {
            let word = bits.put(0, bits.mask()).unwrap_or(0);
            (dword.saturating_mul(4), word.to_be_bytes().to_vec())
        }
        // One byte more than fits is enough to be refused.
        Place::Text(text) => (
            text.offset,
            vec![0xff; text.length.min(taken.len().saturating_add(1))],
        ),
    };
    let Some(room) = at
        .checked_add(own.len())
        .and_then(|end| taken.get_mut(at..end))
    else {
        return Err(Broken::new(
            &field.name,
            match &field.place {
                Place::Number { dword, .. } => format!("dword {dword} is outside of {}", tlv.name),
                Place::Text(_) => format!("its text is outside of {}", tlv.name),
            },
        ));
    };
    for (taken, own) in room.iter_mut().zip(own) {
        rule(*taken & own == 0, &field.name, "overlaps another field")?;
        *taken |= own;
    }
    Ok(())
}

/// A text has no numbers' keys, and the legal ones fit in.
fn texts(field: &Field, place: &TextPlace) -> Result<(), Broken> {
    let name = &field.name;
    rule(
        field.values.is_empty() && field.range.is_none() && field.limit.is_none(),
        name,
        "values, range and limit are for numbers",
    )?;
    rule(
        field.default.is_none() && field.unit.is_none(),
        name,
        "default and unit are for numbers",
    )?;
    rule(
        place.shortest <= place.longest() && (1..=place.length).contains(&place.longest()),
        name,
        "needs shortest <= longest <= length",
    )?;
    let legal = |text: &String| !text.is_empty() && field.is_legal(&FieldValue::Text(text.clone()));
    rule(
        field.texts.iter().all(legal),
        name,
        "one of its texts has the wrong format or does not fit",
    )
}

/// Values and ranges are for numbers and fit in.
fn numbers(field: &Field) -> Result<(), Broken> {
    let name = &field.name;
    let bits = match &field.place {
        Place::Number { bits, .. } => *bits,
        Place::Text(place) => return texts(field, place),
    };
    rule(field.texts.is_empty(), name, "texts are for texts")?;
    for value in &field.values {
        rule(
            bits.fits(value.value),
            name,
            &format!("value {} does not fit into its bits", value.name),
        )?;
    }
    let mut seen = HashSet::new();
    rule(
        field
            .values
            .iter()
            .all(|value| seen.insert(value.name.to_ascii_uppercase())),
        name,
        "two values have the same name",
    )?;
    rule(
        field
            .range
            .is_none_or(|range| range.min <= range.max && bits.fits(range.max)),
        name,
        "range does not fit into its bits",
    )?;
    rule(
        field.values.is_empty() || field.range.is_none(),
        name,
        "has values and a range",
    )?;
    rule(!field.secret, name, "only texts can be secret")
}
