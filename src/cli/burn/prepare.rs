//! Look at the flash, judge, plan: everything before the first write.

use crate::flash::checks::{CardFacts, ChipFacts, Differences, Judgement, judge};
use crate::flash::{Bootable, BurnGoal, Flash, FlashError, FlashPlan, Region};
use crate::hwdb::ImageFormat;
use crate::image::payload::{Answer, prove};
use crate::image::{FirmwareVersion, FlashSurvey, Prepared, SlotPlace, SlotState};

use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::Situation;
use super::super::report::{BurnReport, FlashReport, FromTo, ObjectionReport};
use super::failure::{flash_failure, objections_failure, plan_failure};
use super::opened::{About, Opened};
use super::{BurnJob, What};

/// What is known of a flash is looked up in pieces of this size.
const READ_AT_ONCE: usize = 0x400;

/// A burn that is ready to be carried out.
pub(in crate::cli) struct Ready {
    pub(super) goal: BurnGoal,
    pub(super) plan: FlashPlan,
    /// Whether the card boots exactly this already.
    pub(in crate::cli) is_there: bool,
    /// The ROM that the card will have.
    pub(in crate::cli) rom: Option<Vec<u8>>,
}

/// What the flash is, for the report.
pub(super) fn describe_flash(flash: &dyn Flash) -> FlashReport {
    let chip = flash.chip();
    let [maker, kind, density] = chip.jedec;
    FlashReport {
        chip: format!("{} {}", chip.vendor, chip.name),
        jedec: format!("{maker:02x}{kind:02x}{density:02x}"),
        bytes: chip.bytes,
        way: flash.way().to_owned(),
    }
}

/// Reads of the flash what must be known.
pub(super) fn survey(
    about: &About<'_>,
    flash: &mut dyn Flash,
    situation: &Situation<'_>,
) -> Result<FlashSurvey, Failure> {
    let failed = |error| flash_failure(&error, situation);
    let boot_address = flash.boot_address().map_err(failed)?;
    let bytes = flash.chip().bytes;
    FlashSurvey::read(
        about.device.image_format,
        bytes,
        boot_address,
        |at, data| flash.read(at, data),
    )
    .map_err(failed)
}

/// Regions that no burn may touch.
pub(super) fn protected(survey: &FlashSurvey) -> Vec<Region> {
    let regions = survey.device_data().iter();
    regions
        .map(|region| Region {
            start: region.range.start,
            end: region.range.end,
            what: region.name.clone(),
        })
        .collect()
}

/// Bytes of the flash: as the survey read them a moment ago under the same locks, and
/// those that it did not need from the flash. A read costs the card's patience.
fn read_known(
    survey: &FlashSurvey,
    flash: &mut dyn Flash,
    at: u32,
    data: &mut [u8],
) -> Result<(), FlashError> {
    let mut at = at;
    for part in data.chunks_mut(READ_AT_ONCE) {
        let end = at.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
        match survey.known(at..end) {
            Some(bytes) if bytes.len() == part.len() => part.copy_from_slice(bytes),
            _ => flash.read(at, part)?,
        }
        at = end;
    }
    Ok(())
}

/// Version of the firmware that boots.
pub(super) fn active_version(survey: &FlashSurvey) -> Option<String> {
    match &survey.active()?.state {
        SlotState::Whole(image) => image.facts.version.as_ref().map(ToString::to_string),
        _ => None,
    }
}

/// The expansion ROM of the image that boots.
pub(in crate::cli) fn rom_in_flash(
    ctx: &Context,
    opened: &mut Opened<'_>,
    job: &BurnJob,
) -> Result<Option<Vec<u8>>, Failure> {
    let (about, mut flash) = opened.parts(ctx, job.way)?;
    let situation = Situation::of(&ctx.host, about.card);
    let survey = survey(about, flash.as_mut(), &situation)?;
    flash
        .close()
        .map_err(|error| flash_failure(&error, &situation))?;
    Ok(match survey.active().map(|slot| &slot.state) {
        Some(SlotState::Whole(image)) => image.rom.clone(),
        _ => None,
    })
}

/// Judges a burn and plans it; the report says what will be, or what stands in the
/// way.
pub(super) fn prepare(
    ctx: &Context,
    about: &About<'_>,
    flash: &mut dyn Flash,
    job: &BurnJob,
    report: &mut BurnReport,
) -> Result<Ready, Failure> {
    let situation = Situation::of(&ctx.host, about.card);
    report.flash = Some(describe_flash(flash));
    let survey = survey(about, flash, &situation)?;
    let protection = flash
        .protection()
        .map_err(|error| flash_failure(&error, &situation))?;
    let facts = card_facts(about, flash, protection, job.promises_ipv6);
    let judgement = judge(&facts, &survey, &job.what.contents(), &job.doors, &ctx.hwdb);
    describe(&judgement, report);
    ctx.output.detail(format_args!(
        "{} bytes of flash were read to know what is in it",
        survey.read_bytes()
    ));
    let Some(prepared) = judgement.ready().cloned() else {
        return Err(objections_failure(&judgement.objections));
    };
    describe_rom(&prepared, job, report);
    let goal = goal(&prepared, &survey, flash, &situation)?;
    let chip = flash.chip().clone();
    let plan = goal
        .plan_from(&chip, &mut |at, data| read_known(&survey, flash, at, data))
        .map_err(|error| plan_failure(&error, &situation))?;
    // The image that boots stays where it is; the same in the other slot helps nobody.
    let is_there = match survey.active().map(|slot| &slot.state) {
        Some(SlotState::Whole(active)) => active.bytes == prepared.image.bytes,
        _ => false,
    };
    Ok(Ready {
        goal,
        plan,
        is_there,
        rom: prepared.rom,
    })
}

pub(super) fn card_facts<'d>(
    about: &'d About<'_>,
    flash: &dyn Flash,
    protection: Option<String>,
    promises_ipv6: bool,
) -> CardFacts<'d> {
    let mgir = about.mgir.as_ref();
    CardFacts {
        device: &about.device,
        hardware_id: about.hardware.0,
        revision: about.hardware.1,
        psid: mgir.map(|mgir| mgir.psid.clone()),
        running_version: mgir.and_then(|mgir| running_version(mgir.fw_version)),
        secure: None,
        chip: ChipFacts::Known(flash.chip().clone()),
        protection,
        driver: about.driver(),
        live: matches!(about.card.origin, crate::device::Origin::Host),
        promises_ipv6,
    }
}

fn goal(
    prepared: &Prepared,
    survey: &FlashSurvey,
    flash: &mut dyn Flash,
    situation: &Situation<'_>,
) -> Result<BurnGoal, Failure> {
    let boot_address_now = flash
        .boot_address()
        .map_err(|error| flash_failure(&error, situation))?;
    Ok(BurnGoal {
        old: survey.active().map(|slot| slot.place),
        boot_address: Some(prepared.image.place.start),
        boot_address_now,
        protected: protected(survey),
        image: prepared.image.clone(),
    })
}

/// Puts what was judged into the report.
fn describe(judgement: &Judgement, report: &mut BurnReport) {
    report.objections = judgement
        .objections
        .iter()
        .map(ObjectionReport::new)
        .collect();
    report.overridden = judgement
        .overridden
        .iter()
        .map(ObjectionReport::new)
        .collect();
    report.notes.extend(judgement.notes.iter().cloned());
    if let Some(differences) = &judgement.differences {
        describe_differences(differences, report);
    }
}

fn describe_differences(differences: &Differences, report: &mut BurnReport) {
    let version = |version: &Option<FirmwareVersion>| version.as_ref().map(ToString::to_string);
    report.firmware = Some(FromTo {
        from: version(&differences.firmware.old),
        to: version(&differences.firmware.new),
    });
    report.psid = Some(FromTo {
        from: differences.psid.old.clone(),
        to: differences.psid.new.clone(),
    });
    report.roms = Some(FromTo {
        from: differences.roms.old.clone(),
        to: differences.roms.new.clone(),
    });
    report.start = Some(FromTo {
        from: differences.slot.old,
        to: differences.slot.new,
    });
    report.stays.clone_from(&differences.stays);
    report.not_covered.clone_from(&differences.not_covered);
}

/// What the code of the new ROM shows about IPv6.
fn describe_rom(prepared: &Prepared, job: &BurnJob, report: &mut BurnReport) {
    let Some(rom) = prepared
        .rom
        .as_ref()
        .filter(|_| !matches!(job.what, What::NoRom))
    else {
        return;
    };
    let proof = prove(rom);
    let words = match (proof.ipv6.answer, proof.ipv6_when_unset.answer) {
        (Answer::Yes, Answer::Yes) => "yes, also without the setting IP_VER",
        (Answer::Yes, Answer::No) => "yes, when the setting IP_VER asks for it",
        (Answer::Yes, Answer::CannotTell) => {
            "yes; what it does without the setting IP_VER cannot be told"
        }
        (Answer::No, _) => "no",
        (Answer::CannotTell, _) => "cannot tell",
    };
    report.ipv6 = Some(words.to_owned());
}

/// The firmware's version, where it says one.
fn running_version(parts: [u32; 3]) -> Option<FirmwareVersion> {
    let [major, minor, subminor] = parts.map(|part| u16::try_from(part).ok());
    (parts != [0; 3]).then_some(FirmwareVersion {
        major: major?,
        minor: minor?,
        subminor: subminor?,
    })
}

/// Says what is a whole image, for those who plan without looking into images.
pub(super) struct Soundness(pub(super) ImageFormat);

impl Bootable for Soundness {
    fn image_at(&self, flash: &[u8], place: SlotPlace) -> Option<Vec<u8>> {
        let survey = FlashSurvey::of_bytes(self.0, flash, None);
        let slot = survey.slots().iter().find(|slot| slot.place == place)?;
        match &slot.state {
            SlotState::Whole(image) => Some(image.bytes.clone()),
            _ => None,
        }
    }
}
