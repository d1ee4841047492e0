//! `flexctl doctor`

use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::access::{AccessError, Gateway, Patience};
use crate::command::{CommandError, Firmware, Semaphore, SemaphoreState};
use crate::device::{Card, CardKind, CardLock, FlashCard, Journal, OpenCard, Origin};
use crate::flash::FlashLock;
use crate::hwdb::Device;
use crate::pci::{Bdf, BootMode, Lockdown};
use crate::settings::read_identity;

use super::super::ExitCode;
use super::super::confirm::{Answer, ask};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::{Situation, access_failure, command_failure, open_failure};
use super::super::output::{BAD, CARE, DIM, GOOD, TITLE, styled};
use super::super::semaphore_hints::{held_hint, holder_runs};

/// How long a semaphore must stay the same to count as left behind.
const STILL: Duration = Duration::from_secs(2);
const LOOK_LIMIT: Duration = Duration::from_millis(500);
const GATEWAY_SEMAPHORE: &str = "vendor capability's semaphore (config space)";

/// Check whether this host and its cards can be worked on
///
/// Looks at rights, kernel lockdown, boot mode and drivers, opens every chosen
/// card (without --device all cards of this host) and looks whether one of its
/// semaphores is held. Nothing is changed unless --clear-semaphores is given.
#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// Free semaphores that a killed program left behind
    ///
    /// A semaphore is freed only when it stayed the same for two seconds and no
    /// process of this host has its number. Make sure that no other tool is at
    /// work on the card. Needs --device.
    #[arg(long)]
    clear_semaphores: bool,

    /// Do not ask before freeing a semaphore
    #[arg(short, long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    Note,
    Bad,
}

#[derive(Debug, Serialize)]
struct Check {
    /// `host` or the card's selector.
    about: String,
    /// What was looked at.
    what: String,
    state: State,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<String>,
    #[serde(skip)]
    code: ExitCode,
}

#[derive(Debug, Serialize)]
struct DoctorReport {
    schema: &'static str,
    checks: Vec<Check>,
}

pub(in crate::cli) fn doctor(args: &DoctorArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    if args.clear_semaphores && !ctx.has_selectors() {
        return Err(Failure::message(
            ExitCode::Usage,
            "--clear-semaphores needs the card to be named",
        )
        .hint("flexctl doctor -d CARD --clear-semaphores"));
    }
    let mut checks = host_checks(ctx);
    let cards = ctx.listed()?;
    if cards.is_empty() {
        checks.push(check(
            "host",
            "cards",
            State::Note,
            "no Mellanox card was found",
        ));
    }
    for card in &cards {
        card_checks(args, ctx, card, &mut checks)?;
    }
    let code = checks
        .iter()
        .filter(|check| check.state == State::Bad)
        .map(|check| check.code)
        .next()
        .unwrap_or(ExitCode::Done);
    let printed = if ctx.output.json {
        ctx.output.document(&DoctorReport {
            schema: "flexctl.doctor/1",
            checks,
        })
    } else {
        ctx.output.answer(&human(&checks))
    };
    printed.map_err(|error| Failure::unwritten(&error))?;
    Ok(code)
}

fn check(about: &str, what: &str, state: State, text: impl Into<String>) -> Check {
    Check {
        about: about.to_owned(),
        what: what.to_owned(),
        state,
        text: text.into(),
        hints: Vec::new(),
        code: ExitCode::Failed,
    }
}

fn host_checks(ctx: &Context) -> Vec<Check> {
    let host = &ctx.host;
    let mut checks = Vec::new();
    checks.push(if host.is_root {
        check("host", "rights", State::Ok, "running as root")
    } else {
        Check {
            hints: vec![
                "run it as root to work on real cards; sim:NAME needs no rights".to_owned(),
            ],
            code: ExitCode::NotPermitted,
            ..check(
                "host",
                "rights",
                State::Note,
                "not running as root: cards can be listed, not opened",
            )
        }
    });
    checks.push(match &host.lockdown {
        Lockdown::None => check("host", "lockdown", State::Ok, "the kernel denies nothing"),
        Lockdown::Unknown { reason } => check(
            "host",
            "lockdown",
            State::Note,
            format!("cannot tell: {reason}"),
        ),
        Lockdown::Integrity | Lockdown::Confidentiality => Check {
            hints: vec![
                "switch Secure Boot off (or boot with lockdown=none), change the card, switch it on again".to_owned(),
            ],
            code: ExitCode::NotPermitted,
            ..check("host", "lockdown", State::Bad, "kernel lockdown denies access to PCI cards, to root too")
        },
    });
    checks.push(match host.boot_mode {
        BootMode::Bios => check(
            "host",
            "boot mode",
            State::Ok,
            "booted by its BIOS: FlexBoot runs on this host",
        ),
        BootMode::Uefi => Check {
            hints: vec![
                "enable legacy boot (CSM), or use the platform's own IPv6 PXE switch".to_owned(),
            ],
            ..check(
                "host",
                "boot mode",
                State::Note,
                "booted by UEFI: FlexBoot, a BIOS ROM, does not run",
            )
        },
    });
    checks.push(if Path::new("/dev/fuse").exists() {
        check(
            "host",
            "virtual cards",
            State::Ok,
            "/dev/fuse is there: flexctl sim run can show cards to other programs",
        )
    } else {
        check(
            "host",
            "virtual cards",
            State::Note,
            "no /dev/fuse: flexctl sim run cannot show cards to other programs",
        )
    });
    checks
}

fn card_checks(
    args: &DoctorArgs,
    ctx: &Context,
    card: &Card,
    checks: &mut Vec<Check>,
) -> Result<(), Failure> {
    let about = card.selector();
    let situation = Situation::of(&ctx.host, card);
    for info in &card.functions {
        for gap in &info.unreadable {
            let text = format!("{}: {}: {}", info.address, gap.what, gap.reason);
            checks.push(check(&about, "attributes", State::Note, text));
        }
    }
    if card.supported().is_none() && !ctx.has_selectors() && !waits_for_flash(card) {
        // One among others on this host, and nothing that flexctl is asked to work on.
        checks.push(check(
            &about,
            "support",
            State::Note,
            format!("{}: flexctl does not work on it", card.model()),
        ));
        return Ok(());
    }
    let drivers: Vec<&str> = card
        .functions
        .iter()
        .filter_map(|info| info.driver.as_deref())
        .collect();
    if card.supported().is_some() {
        checks.push(driver_check(&about, drivers.first().copied(), card));
    }
    match Journal::of(&ctx.folders, card).unfinished() {
        Ok(None) => {}
        Ok(Some(record)) => {
            checks.push(Check {
            hints: vec![format!("flexctl show -d {about} tells what the card holds; run the change again to finish it")],
            code: ExitCode::CardError,
            ..check(
                &about,
                "transactions",
                State::Bad,
                format!("a change by process {} ({}) was not finished", record.process, record.age()),
            )
        });
        }
        Err(error) => checks.push(failed_check(&about, "transactions", &error.into())),
    }
    // Others at work must not be waited for long here.
    let patience = Patience::new(LOOK_LIMIT, std::sync::Arc::clone(&ctx.stop));
    let _lock = if args.clear_semaphores {
        Some(CardLock::take(&ctx.folders, card, &ctx.lock_patience())?)
    } else {
        None
    };
    match OpenCard::open(card, &ctx.hwdb, &ctx.root, &ctx.shelf, &patience) {
        Ok(mut open) => {
            for (index, firmware) in open.firmwares.iter_mut().enumerate() {
                // The functions of a card share one flash.
                let flash = card.supported().filter(|_| index == 0);
                firmware_checks(args, ctx, &situation, firmware, flash, checks)?;
            }
        }
        Err(error) => {
            let failure = open_failure(&error, &situation);
            checks.push(failed_check(&about, "access", &failure));
        }
    }
    if let CardKind::FlashRecovery(device) = &card.kind {
        // Its firmware is gone, the locks of its flash are not.
        match FlashCard::open(card, &ctx.root, &ctx.shelf, &patience) {
            Ok(mut open) => {
                let looks: Vec<_> = locks_of_flash(device).collect();
                let gateway = open.gateway_mut();
                semaphore_checks(args, ctx, &situation, gateway, &looks, checks)?;
            }
            Err(error) => {
                let failure = open_failure(&error, &situation);
                checks.push(failed_check(&about, "flash", &failure));
            }
        }
    }
    Ok(())
}

fn waits_for_flash(card: &Card) -> bool {
    matches!(card.kind, CardKind::FlashRecovery(_))
}

fn driver_check(about: &str, driver: Option<&str>, card: &Card) -> Check {
    match (driver, &card.origin) {
        (Some(driver), _) => check(about, "driver", State::Ok, format!("{driver} is bound")),
        (None, Origin::Simulated(_)) => {
            check(about, "driver", State::Ok, "virtual card, no driver")
        }
        (None, Origin::Host) => check(
            about,
            "driver",
            State::Note,
            "no driver is bound: interfaces and MACs are unknown, settings can be reached all the same",
        ),
    }
}

fn failed_check(about: &str, what: &str, failure: &Failure) -> Check {
    Check {
        hints: failure.hints.clone(),
        code: failure.code,
        ..check(about, what, State::Bad, failure.messages.join(": "))
    }
}

fn firmware_checks(
    args: &DoctorArgs,
    ctx: &Context,
    situation: &Situation<'_>,
    firmware: &mut Firmware,
    flash: Option<&Device>,
    checks: &mut Vec<Check>,
) -> Result<(), Failure> {
    let about = situation.card.as_str();
    let address = firmware.address();
    let way = firmware.gateway().name();
    checks.push(check(
        about,
        "access",
        State::Ok,
        format!("{address}: way in: {way}"),
    ));
    let mut looks = vec![
        Which::Gateway,
        Which::Firmware(Semaphore::of(firmware.interface())),
    ];
    looks.extend(flash.into_iter().flat_map(locks_of_flash));
    if !semaphore_checks(args, ctx, situation, firmware.gateway_mut(), &looks, checks)? {
        return Ok(());
    }
    checks.push(match ask_firmware(firmware) {
        Ok(()) => check(
            about,
            "firmware",
            State::Ok,
            format!("{address}: answers commands"),
        ),
        Err(error) => failed_check(about, "firmware", &command_failure(&error, situation)),
    });
    Ok(())
}

fn locks_of_flash(device: &Device) -> impl Iterator<Item = Which<'_>> {
    FlashLock::of(device)
        .into_iter()
        .map(move |lock| Which::Flash(lock, device))
}

/// Looks at semaphores, and frees them where that is asked for. Says whether the
/// firmware can be reached then. Free locks of the flash are not worth a line.
fn semaphore_checks(
    args: &DoctorArgs,
    ctx: &Context,
    situation: &Situation<'_>,
    gateway: &mut dyn Gateway,
    looks: &[Which<'_>],
    checks: &mut Vec<Check>,
) -> Result<bool, Failure> {
    let about = situation.card.as_str();
    let address = gateway.address();
    let mut is_reachable = true;
    for which in looks {
        let held = match look(gateway, *which) {
            Ok(Some(held)) => held,
            Ok(None) => continue,
            Err(error) => {
                let failure = access_failure(&error, situation);
                checks.push(failed_check(about, "semaphores", &failure));
                return Ok(false);
            }
        };
        if matches!(which, Which::Flash(..)) && held.value.is_none() {
            continue;
        }
        let held = if args.clear_semaphores {
            match clear(args, ctx, situation, gateway, held) {
                Ok(held) => held,
                // One card that is in use must not keep the others from their turn.
                Err(failure) if failure.code != ExitCode::Usage => {
                    checks.push(failed_check(about, "semaphores", &failure));
                    return Ok(false);
                }
                Err(failure) => return Err(failure),
            }
        } else {
            held
        };
        checks.push(semaphore_check(about, address, held));
        match (which, held.value) {
            // What lies behind it cannot be looked at.
            (Which::Gateway, Some(_)) => return Ok(false),
            (Which::Firmware(_), Some(_)) => is_reachable = false,
            _ => {}
        }
    }
    Ok(is_reachable)
}

/// Free semaphores do not tell whether anybody is at home: one command does.
fn ask_firmware(firmware: &mut Firmware) -> Result<(), CommandError> {
    let mut session = firmware.session()?;
    read_identity(&mut session)?;
    session.end()
}

fn semaphore_check(about: &str, address: Bdf, held: Held<'_>) -> Check {
    match held.value {
        None => check(
            about,
            "semaphores",
            State::Ok,
            format!("{address}: {} is free", held.title),
        ),
        Some(value) => Check {
            hints: vec![
                held_hint(held.title, value),
                format!(
                    "when nothing else is at work on the card: flexctl doctor -d {about} --clear-semaphores"
                ),
            ],
            code: ExitCode::CardError,
            ..check(
                about,
                "semaphores",
                State::Bad,
                format!("{address}: {} is held (value {value:#x})", held.title),
            )
        },
    }
}

/// A semaphore and what it reads as while held.
#[derive(Clone, Copy, Debug)]
struct Held<'d> {
    which: Which<'d>,
    title: &'static str,
    value: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Which<'d> {
    Gateway,
    Firmware(Semaphore),
    Flash(FlashLock, &'d Device),
}

impl Which<'_> {
    /// Whether the value is the number of the process that holds it.
    fn names_its_owner(self) -> bool {
        matches!(
            self,
            Self::Firmware(Semaphore::Icmd)
                | Self::Flash(FlashLock::Semaphore(Semaphore::FlashProgramming), _)
        )
    }
}

/// A look at one semaphore; `None` where there is no such.
fn look<'d>(gateway: &mut dyn Gateway, which: Which<'d>) -> Result<Option<Held<'d>>, AccessError> {
    let (title, state) = match which {
        Which::Gateway => {
            let value = gateway.gateway_semaphore()?;
            return Ok(value.map(|value| Held {
                which,
                title: GATEWAY_SEMAPHORE,
                value: Some(value).filter(|value| *value != 0),
            }));
        }
        Which::Firmware(own) => (own.title(), own.look(gateway)?),
        Which::Flash(lock, device) => match lock.look(device, gateway) {
            Ok(state) => (lock.title(), state),
            // Old firmware does not show the space of this one.
            Err(AccessError::SpaceUnsupported { .. }) => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    let value = match state {
        SemaphoreState::Free => None,
        SemaphoreState::Held { value } => Some(value),
    };
    Ok(Some(Held {
        which,
        title,
        value,
    }))
}

/// Frees a semaphore that nobody uses, and looks again.
fn clear<'d>(
    args: &DoctorArgs,
    ctx: &Context,
    situation: &Situation<'_>,
    gateway: &mut dyn Gateway,
    held: Held<'d>,
) -> Result<Held<'d>, Failure> {
    let about = situation.card.as_str();
    let Some(value) = held.value else {
        return Ok(held);
    };
    let failed = |error: AccessError| access_failure(&error, situation);
    if held.which.names_its_owner() && holder_runs(value) {
        return Err(Failure::message(
            ExitCode::Refused,
            format!("{about}: the {} is in use", held.title),
        )
        .hint(held_hint(held.title, value)));
    }
    thread::sleep(STILL);
    let now = look(gateway, held.which).map_err(failed)?.unwrap_or(held);
    if now.value != Some(value) {
        return Err(Failure::message(
            ExitCode::Refused,
            format!(
                "{about}: the {} changes: somebody is at work on the card",
                held.title
            ),
        )
        .hint("run this again when they are done"));
    }
    if !args.yes {
        let question = format!("Free the {} of {about}?", held.title);
        let answer =
            ask(&question, &ctx.stop).map_err(|error| Failure::new(ExitCode::Failed, &error))?;
        match answer {
            Answer::Yes => {}
            Answer::No => return Ok(held),
            Answer::NobodyThere => {
                return Err(Failure::message(
                    ExitCode::Usage,
                    "nobody can be asked: stdin or stderr is no terminal",
                )
                .hint("--yes frees it without asking"));
            }
        }
    }
    match held.which {
        Which::Gateway => gateway.clear_gateway_semaphore(),
        Which::Firmware(own) => own.clear(gateway),
        Which::Flash(lock, device) => lock.clear(device, gateway),
    }
    .map_err(failed)?;
    ctx.output
        .status(format_args!("{about}: freed the {}", held.title));
    Ok(look(gateway, held.which).map_err(failed)?.unwrap_or(held))
}

fn human(checks: &[Check]) -> String {
    let mut text = String::new();
    let mut about = "";
    for check in checks {
        if check.about != about {
            about = &check.about;
            text.push_str(&format!("{}\n", styled(TITLE, about)));
        }
        let mark = match check.state {
            State::Ok => styled(GOOD, "ok  "),
            State::Note => styled(CARE, "note"),
            State::Bad => styled(BAD, "bad "),
        };
        text.push_str(&format!("  {mark} {:<14} {}\n", check.what, check.text));
        for hint in &check.hints {
            text.push_str(&format!("       {} {hint}\n", styled(DIM, "hint:")));
        }
    }
    text
}
