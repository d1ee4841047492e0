//! Whether an FS2 image would change what the card does without settings.
//!
//! An image that somebody altered with `flexctl image defaults` says nothing of
//! it. What tells it is that its boot defaults are not those of the card's image;
//! another release could differ too, which the user ought to know as well.

use crate::hwdb::Hwdb;
use crate::image::FlashSurvey;
use crate::image::fs2::{BootDefaults, FileShape, InfoValue, boot_defaults, parse_as};

use super::{Door, Objection, ObjectionKind};

const SETTINGS_AREA_TAG: u8 = 19;

/// What differs in defaults and in the place of settings, and what could not be
/// compared.
pub(super) fn default_checks(
    survey: &FlashSurvey,
    new: &[u8],
    hwdb: &Hwdb,
) -> (Vec<Objection>, Vec<String>) {
    let Some(old) = survey.active().and_then(|slot| slot.whole()) else {
        return (
            Vec::new(),
            vec!["the boot defaults were not compared with those of the card".to_owned()],
        );
    };
    let mut objections = Vec::new();
    let mut notes = Vec::new();
    objections.extend(settings_place(&old.bytes, new));
    match (defaults(&old.bytes, hwdb), defaults(new, hwdb)) {
        (Some(old), Some(new)) => objections.extend(changed(&old, &new)),
        (None, None) => {}
        _ => notes.push(
            "the boot defaults could not be compared: they were not found in both images"
                .to_owned(),
        ),
    }
    (objections, notes)
}

fn defaults(image: &[u8], hwdb: &Hwdb) -> Option<BootDefaults> {
    let parsed = parse_as(image, Some(FileShape::Contiguous));
    boot_defaults(&parsed.tree?, Some(0), hwdb).ok()
}

fn changed(old: &BootDefaults, new: &BootDefaults) -> Option<Objection> {
    let mut was = Vec::new();
    let mut is = Vec::new();
    for value in &new.values {
        let before = old
            .values
            .iter()
            .find(|before| before.name == value.name && before.port == value.port);
        let Some(before) = before.filter(|before| before.value != value.value) else {
            continue;
        };
        let name = match value.port {
            Some(port) => format!("{}_P{port}", value.name),
            None => value.name.clone(),
        };
        was.push(format!("{name}={}", before.spelled));
        is.push(format!("{name}={}", value.spelled));
    }
    (!is.is_empty()).then(|| {
        Objection::new(
            ObjectionKind::ChangedDefaults,
            "the image has other boot defaults than the card's: somebody altered it, or its \
             release did",
        )
        .expected_found(was.join(" "), is.join(" "))
        .door(Door::ChangedDefaults)
    })
}

/// Settings are kept at a place that the image says.
fn settings_place(old: &[u8], new: &[u8]) -> Option<Objection> {
    let pad = |image: &[u8]| {
        let parsed = parse_as(image, Some(FileShape::Contiguous));
        let file = parsed.tree?;
        match file.slot(0)?.info()?.tag(SETTINGS_AREA_TAG)? {
            InfoValue::SettingsArea { pad, .. } => Some(*pad),
            _ => None,
        }
    };
    let (old, new) = (pad(old).unwrap_or(0), pad(new).unwrap_or(0));
    (old != new).then(|| {
        Objection::new(
            ObjectionKind::SettingsPlace,
            "the image keeps settings at another place, so that the card's would be lost",
        )
        .expected_found(
            format_args!("{old} sectors before the end"),
            format_args!("{new}"),
        )
        .door(Door::OtherPsid)
    })
}
