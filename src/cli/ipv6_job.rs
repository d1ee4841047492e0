//! The main job: which IP versions the ports of a card boot with.

use crate::device::{Card, CardReading, ChangeKind, OpenCard, read_rom_facts};
use crate::settings::{
    BOOT_PATH, IpMode, PxeBoot, Reserved, RomFacts, Wanted, goal, obstacles, plan, refuse_reserved,
};

use super::change::{Job, Planned, chosen_ports};
use super::context::Context;
use super::error::Failure;
use super::failure_hints::plan_failure;

/// Which IP versions the ports of a card shall boot with.
#[derive(Clone, Debug)]
pub(super) struct Ipv6Job {
    /// Which IP versions.
    pub(super) mode: IpMode,
    /// Only this port.
    pub(super) port: Option<u8>,
    /// Whether the boot protocol is set too.
    pub(super) pxe: PxeBoot,
    /// What to do about reserved values.
    pub(super) reserved: Reserved,
    /// The ROM that the card will have, where somebody knows it better than the host.
    pub(super) rom: Option<RomFacts>,
}

impl Job for Ipv6Job {
    fn kind(&self) -> ChangeKind {
        if self.mode.has_ipv6() {
            ChangeKind::EnableIpv6
        } else {
            ChangeKind::DisableIpv6
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted::Holding(&BOOT_PATH)
    }

    fn plan(
        &self,
        ctx: &Context,
        card: &Card,
        _open: &mut OpenCard,
        reading: &CardReading,
    ) -> Result<Planned, Failure> {
        let chosen = chosen_ports(reading, self.port)?;
        for port in &chosen {
            refuse_reserved(port, self.reserved).map_err(|error| plan_failure(&error))?;
        }
        let wishes = goal(&chosen, self.mode, self.pxe);
        let mut plan =
            plan(&reading.ports, &wishes, self.reserved).map_err(|error| plan_failure(&error))?;
        // Whoever switches IPv6 on or off knows what IP_VER means.
        for change in &mut plan.changes {
            change.caution = None;
        }
        let rom = self.rom_facts(ctx, card);
        let ports = chosen
            .iter()
            .map(|port| {
                let in_the_way = if self.mode.has_ipv6() {
                    obstacles(&port.after(&plan), &rom, ctx.host.boot_mode)
                } else {
                    Vec::new()
                };
                (port.port, in_the_way)
            })
            .collect();
        Ok(Planned {
            plan,
            ports,
            rom,
            notes: Vec::new(),
            differences: Vec::new(),
            pending: Vec::new(),
        })
    }

    fn settles_everything(&self) -> bool {
        self.port.is_none()
    }
}

impl Ipv6Job {
    /// What the ROM says; nobody needs it to switch IPv6 off.
    fn rom_facts(&self, ctx: &Context, card: &Card) -> RomFacts {
        if !self.mode.has_ipv6() {
            return RomFacts::NotRead;
        }
        if let Some(rom) = &self.rom {
            return rom.clone();
        }
        match OpenCard::first_function(card, &ctx.root, &ctx.shelf) {
            Ok(mut function) => read_rom_facts(function.as_mut()),
            Err(error) => RomFacts::CannotTell(error.to_string()),
        }
    }
}
