//! A port in JSON: its settings and what stands in the way.

use serde::Serialize;

use crate::device::Card;
use crate::hwdb::Applies;
use crate::settings::{
    Availability, BOOT_PATH, IpMode, KnownFrom, Obstacle, Pending, PortSettings, RomFacts,
    SettingValue, Value, Wanted,
};

const IP_VER: &str = "IP_VER";

/// A port of a card.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PortReport {
    /// Counted from 1.
    pub(in crate::cli) port: u8,
    /// The PCI function that carries it.
    pub(in crate::cli) function: String,
    /// Its network interfaces.
    pub(in crate::cli) interfaces: Vec<String>,
    /// The mode that the next boot will use: `ipv4`, `ipv6`, `ipv4-ipv6`,
    /// `ipv6-ipv4`; null when it cannot be told.
    pub(in crate::cli) ip_mode: Option<String>,
    /// Whether that mode is stored on the card; otherwise it is the card's default.
    pub(in crate::cli) ip_mode_stored: bool,
    /// Whether the card's firmware offers the setting; null when it does not say.
    pub(in crate::cli) ip_mode_offered: Option<bool>,
    /// Why the mode cannot be told or set, when it cannot.
    pub(in crate::cli) ip_mode_unavailable: Option<String>,
    /// The settings of the TLVs that decide whether it boots over IPv6.
    pub(in crate::cli) settings: Vec<SettingReport>,
    /// What stands between it and a boot over IPv6.
    pub(in crate::cli) obstacles: Vec<ObstacleReport>,
}

/// A setting.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct SettingReport {
    /// mlxconfig's name, or ours.
    pub(in crate::cli) name: String,
    /// The card's name for the TLV that holds it.
    pub(in crate::cli) tlv: String,
    /// The card's default.
    pub(in crate::cli) default: ValueReport,
    /// What the firmware uses now.
    pub(in crate::cli) current: ValueReport,
    /// What the next boot will use.
    pub(in crate::cli) next: ValueReport,
    /// Whether the next value is another than the card's default.
    pub(in crate::cli) differs: bool,
    /// Whether the next value waits for a restart.
    pub(in crate::cli) pending: bool,
    /// The restart that a new value needs.
    pub(in crate::cli) restart: Applies,
    /// What is missing when the card does not offer it.
    pub(in crate::cli) missing: Option<String>,
}

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Secrets {
    /// No.
    Hidden,
    /// They were asked for by name.
    Shown,
}

/// A setting that waits for a restart.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct PendingReport {
    /// The port, counted from 1; null for a setting of the whole card.
    pub(in crate::cli) port: Option<u8>,
    /// The setting.
    pub(in crate::cli) name: String,
    /// What the firmware uses now.
    pub(in crate::cli) current: String,
    /// What it will use.
    pub(in crate::cli) next: String,
    /// The restart that is enough.
    pub(in crate::cli) restart: Applies,
    /// Who says what is current: the card, or the record of what was changed since
    /// the host was booted.
    pub(in crate::cli) known_from: KnownFrom,
}

impl PendingReport {
    pub(in crate::cli) fn new(pending: &Pending) -> Self {
        Self {
            port: Some(pending.port).filter(|port| *port != 0),
            name: pending.setting.clone(),
            current: pending.current.clone(),
            next: pending.next.clone(),
            restart: pending.restart,
            known_from: pending.known_from,
        }
    }
}

/// Whether the next value is another than the card's default.
pub(in crate::cli) fn differs(setting: &SettingValue<'_>) -> bool {
    match (setting.values.next.value(), setting.values.default.value()) {
        (Some(next), Some(default)) => next != default,
        (Some(_), None) => setting.values.default == Value::NotSet,
        _ => false,
    }
}

/// Whether the next value waits for a restart.
pub(in crate::cli) fn is_pending(setting: &SettingValue<'_>) -> bool {
    setting.is_pending()
}

/// A value, or why there is none.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ValueReport {
    /// The number.
    pub(in crate::cli) number: Option<u32>,
    /// The value as `settings set` takes it; null where there is none and for
    /// secrets.
    pub(in crate::cli) value: Option<String>,
    /// The value for people, or why there is none.
    pub(in crate::cli) text: String,
}

/// Something in the way.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct ObstacleReport {
    /// A stable name.
    pub(in crate::cli) code: &'static str,
    /// Whether it certainly keeps the port from booting over IPv6.
    pub(in crate::cli) certain: bool,
    /// In words.
    pub(in crate::cli) text: String,
}

/// The expansion ROM.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct RomReport {
    /// `flexboot`, `proven` (without a version record, its code shows IPv6), `ipxe`,
    /// `foreign` or `cannot-tell`.
    pub(in crate::cli) kind: &'static str,
    /// FlexBoot's version; of a proven one, the program.
    pub(in crate::cli) version: Option<String>,
    /// Whether it has IPv6, as far as its version or its code tells.
    pub(in crate::cli) ipv6: Option<bool>,
    /// Why it cannot be told.
    pub(in crate::cli) reason: Option<String>,
}

impl RomReport {
    /// `None` when nobody looked.
    pub(in crate::cli) fn of(rom: &RomFacts) -> Option<Self> {
        let (kind, version, ipv6, reason) = match rom {
            RomFacts::FlexBoot(version) => (
                "flexboot",
                Some(version.to_string()),
                Some(version.has_ipv6()),
                None,
            ),
            RomFacts::Proven(program) => ("proven", Some(program.clone()), Some(true), None),
            RomFacts::IpxeWithoutRecord => ("ipxe", None, None, None),
            RomFacts::Foreign => ("foreign", None, None, None),
            RomFacts::CannotTell(reason) => ("cannot-tell", None, None, Some(reason.clone())),
            RomFacts::NotRead => return None,
        };
        Some(Self {
            kind,
            version,
            ipv6,
            reason,
        })
    }

    /// In words.
    pub(in crate::cli) fn text(&self) -> String {
        match (self.kind, &self.version, &self.reason) {
            ("proven", Some(program), _) => format!("{program} (its code knows IPv6)"),
            (_, Some(version), _) => {
                let ipv6 = if self.ipv6 == Some(true) {
                    "knows IPv6"
                } else {
                    "too old for IPv6"
                };
                format!("FlexBoot {version} ({ipv6})")
            }
            (_, _, Some(reason)) => format!("cannot tell: {reason}"),
            ("ipxe", _, _) => "iPXE without FlexBoot's version record".to_owned(),
            _ => "neither FlexBoot nor iPXE".to_owned(),
        }
    }
}

impl PortReport {
    /// A port as it was read.
    pub(in crate::cli) fn new(card: &Card, port: &PortSettings, obstacles: &[Obstacle]) -> Self {
        let setting = port.setting(IP_VER);
        let missing = match port.availability(IP_VER) {
            Availability::Offered => None,
            other => Some(availability_text(&other)),
        };
        let next = setting.as_ref().map(|setting| &setting.values.next);
        let refused = match next {
            Some(Value::Refused(status)) => Some(format!("the card answered: {status}")),
            _ => None,
        };
        let mode = setting
            .as_ref()
            .and_then(|setting| setting.values.effective()?.number())
            .and_then(IpMode::from_number)
            .filter(|_| missing.is_none());
        let unknown = mode
            .is_none()
            .then(|| "the card does not say its default".to_owned());
        Self {
            port: port.port,
            function: port.function.to_string(),
            interfaces: interfaces(card, port),
            ip_mode: mode.map(|mode| mode.to_string()),
            ip_mode_stored: matches!(next, Some(Value::Is(_))),
            ip_mode_offered: match port.availability(IP_VER) {
                Availability::Offered => Some(true),
                Availability::Missing(_) => Some(false),
                Availability::Refused { .. } => None,
            },
            ip_mode_unavailable: missing.or(refused).or(unknown),
            settings: port
                .settings()
                .filter(|setting| Wanted::Holding(&BOOT_PATH).includes(&setting.reading.tlv))
                .filter(|setting| {
                    let name = setting.field.name.as_str();
                    BOOT_PATH.contains(&name) || port.availability(name) == Availability::Offered
                })
                .map(|setting| SettingReport::new(port, &setting, Secrets::Hidden))
                .collect(),
            obstacles: obstacles.iter().map(ObstacleReport::new).collect(),
        }
    }
}

impl SettingReport {
    pub(in crate::cli) fn new(
        port: &PortSettings,
        setting: &SettingValue<'_>,
        secrets: Secrets,
    ) -> Self {
        let field = setting.field;
        let shown = !field.secret || secrets == Secrets::Shown;
        let value = |value: &Value| ValueReport {
            number: value.number(),
            value: value
                .value()
                .filter(|_| shown)
                .map(|value| field.spell(value)),
            text: match value {
                Value::Is(value) if shown && field.secret => format!("\"{}\"", field.spell(value)),
                Value::Is(value) => setting.field.describe(value),
                Value::NotSet => "not set".to_owned(),
                Value::NotOffered => "-".to_owned(),
                Value::Refused(status) => format!("refused: {status}"),
            },
        };
        Self {
            name: setting.field.name.clone(),
            tlv: setting.reading.key.to_string(),
            default: value(&setting.values.default),
            current: value(&setting.values.current),
            next: value(&setting.values.next),
            differs: differs(setting),
            pending: is_pending(setting),
            restart: setting.reading.tlv.applies,
            missing: match port.availability(&setting.field.name) {
                Availability::Offered => None,
                other => Some(availability_text(&other)),
            },
        }
    }
}

impl ObstacleReport {
    pub(in crate::cli) fn new(obstacle: &Obstacle) -> Self {
        Self {
            code: obstacle.code(),
            certain: obstacle.is_certain(),
            text: obstacle_text(obstacle),
        }
    }
}

/// The network interfaces of a port.
pub(in crate::cli) fn interfaces(card: &Card, port: &PortSettings) -> Vec<String> {
    let shared = card.functions.len() == 1;
    card.functions
        .iter()
        .filter(|info| info.address == port.function)
        .flat_map(|info| &info.net)
        .filter(|net| !shared || net.port.is_none_or(|number| number == port.port))
        .map(|net| net.name.clone())
        .collect()
}

fn availability_text(availability: &Availability) -> String {
    match availability {
        Availability::Offered => "offered".to_owned(),
        Availability::Missing(what) => what.clone(),
        Availability::Refused { what, status } => {
            format!("reading {what} was answered with: {status}")
        }
    }
}

/// What stands in the way, and what to do about it, in words.
fn obstacle_text(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::BootProtocol { found } => {
            format!("its boot protocol is {found}, not PXE: --with-pxe sets it")
        }
        Obstacle::Reserved { setting, value } => {
            format!("{setting} holds {value}, which no source defines")
        }
        Obstacle::OptionRomOff => {
            "its option ROM is switched off: --with-pxe switches it on".to_owned()
        }
        Obstacle::PxeRomDisabled => {
            "its PXE ROM is disabled: mstconfig set EXP_ROM_PXE_ENABLE=1 enables it".to_owned()
        }
        Obstacle::InfiniBand => {
            "it is an InfiniBand port: FlexBoot boots those over IPv4 only".to_owned()
        }
        Obstacle::RomTooOld { found } => format!(
            "FlexBoot {found} is too old: IPv6 came with 3.4.718; burn a newer ROM or firmware"
        ),
        Obstacle::RomUnknown { reason } => {
            format!("whether its ROM knows IPv6 cannot be told: {reason}")
        }
        Obstacle::UefiHost => {
            "this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: \
             enable legacy boot (CSM), or use the platform's own IPv6 PXE switch"
                .to_owned()
        }
        Obstacle::Unreadable { setting, status } => {
            format!("{setting} cannot be read, the card answered: {status}")
        }
    }
}
