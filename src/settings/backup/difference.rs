//! What differs between two values of a TLV, field by field.

use crate::hwdb::{Field, Place, Tlv};
use crate::settings::Stored;

use super::text::short_hex;

const HIDDEN: &str = "(hidden)";

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The setting, or which bits no setting names.
    pub what: String,
    /// Its value before, for people; a secret is hidden.
    pub from: String,
    /// Its value afterwards.
    pub to: String,
}

/// The differences between two values of a TLV. `defaults` are the bytes that
/// hold while it is not set, where they are known.
pub(super) fn differences(
    known: Option<&Tlv>,
    before: &Stored,
    after: &Stored,
    defaults: Option<&[u8]>,
) -> Vec<Difference> {
    let Some(tlv) = known else {
        return vec![whole(before, after, false)];
    };
    let bytes = |stored: &Stored| match stored {
        Stored::Set(data) => Some(data.clone()),
        Stored::NotSet => defaults.map(<[u8]>::to_vec),
    };
    let (was, becomes) = (bytes(before), bytes(after));
    let length = usize::from(tlv.length_bytes);
    let fits = |data: &Option<Vec<u8>>| data.as_ref().is_none_or(|data| data.len() == length);
    if !fits(&was) || !fits(&becomes) || was.is_none() && becomes.is_none() {
        return vec![whole(before, after, tlv.is_secret())];
    }
    let mut found: Vec<Difference> = tlv
        .field
        .iter()
        .filter_map(|field| of_field(field, (before, was.as_deref()), (after, becomes.as_deref())))
        .collect();
    if let (Some(was), Some(becomes)) = (&was, &becomes) {
        found.extend(unknown_bits(tlv, was, becomes));
    }
    if found.is_empty() {
        // The same values, set or not set.
        found.push(whole(before, after, tlv.is_secret()));
    }
    found
}

fn of_field(
    field: &Field,
    (before, was): (&Stored, Option<&[u8]>),
    (after, becomes): (&Stored, Option<&[u8]>),
) -> Option<Difference> {
    let value = |data: Option<&[u8]>| data.and_then(|data| field.get(data));
    let counts = |data: Option<&[u8]>| data.is_some_and(|data| field.is_valid(data));
    let (from, to) = (value(was), value(becomes));
    if from == to && counts(was) == counts(becomes) {
        return None;
    }
    let words = |stored: &Stored, data: Option<&[u8]>| {
        let Some(value) = value(data) else {
            return "not set".to_owned();
        };
        let note = match stored {
            Stored::NotSet => " (the card's default)",
            Stored::Set(_) if !counts(data) => " (does not count: its valid bit is clear)",
            Stored::Set(_) => "",
        };
        format!("{}{note}", field.describe(&value))
    };
    Some(Difference {
        what: field.name.clone(),
        from: words(before, was),
        to: words(after, becomes),
    })
}

/// Bits that differ and that no field names.
fn unknown_bits(tlv: &Tlv, was: &[u8], becomes: &[u8]) -> Option<Difference> {
    let known = known_bits(tlv);
    let bits = |data: &[u8]| -> Vec<u8> {
        data.iter()
            .zip(&known)
            .map(|(byte, known)| byte & !known)
            .collect()
    };
    let (from, to) = (bits(was), bits(becomes));
    if from == to {
        return None;
    }
    let show = |data: &[u8]| {
        if tlv.is_secret() {
            HIDDEN.to_owned()
        } else {
            short_hex(data)
        }
    };
    Some(Difference {
        what: "bits that flexctl does not know".to_owned(),
        from: show(&from),
        to: show(&to),
    })
}

/// Ones where a field, or its valid bit, lies.
fn known_bits(tlv: &Tlv) -> Vec<u8> {
    let mut known = vec![0; usize::from(tlv.length_bytes)];
    let mut mark = |dword: usize, mask: u32| {
        let bytes = known.iter_mut().skip(dword * 4).take(4);
        for (byte, bits) in bytes.zip(mask.to_be_bytes()) {
            *byte |= bits;
        }
    };
    for field in &tlv.field {
        if let Place::Number { dword, bits } = &field.place {
            mark(*dword, bits.mask() << bits.1);
        }
        if let Some(valid) = &field.valid {
            mark(valid.dword, 1 << (valid.bit & 31));
        }
    }
    for field in &tlv.field {
        if let Place::Text(place) = &field.place {
            let bytes = known.iter_mut().skip(place.offset).take(place.length);
            bytes.for_each(|byte| *byte = 0xff);
        }
    }
    known
}

fn whole(before: &Stored, after: &Stored, is_secret: bool) -> Difference {
    let words = |stored: &Stored| match stored {
        Stored::Set(_) if is_secret => HIDDEN.to_owned(),
        _ => stored.to_string(),
    };
    Difference {
        what: "data".to_owned(),
        from: words(before),
        to: words(after),
    }
}
