//! A fault at every single step of the main job.
//!
//! Whatever happens, every TLV is old or new afterwards, what the error says
//! about the card is true, a card that still answers has no semaphore held, and
//! the next run finishes the job. The card is ours; that its behaviour is
//! plausible is shown by mstconfig and by the card in `tests/foreign`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use flexctl::access::{self, Patience};
use flexctl::command::Firmware;
use flexctl::hwdb::Hwdb;
use flexctl::settings::{
    ApplyError, BOOT_PATH, CardReader, Detail, Holds, IpMode, Plan, PortSettings, PxeBoot,
    Reserved, Stored, TlvKey, TlvWrite, Wanted, apply, goal, plan,
};
use flexctl::sim::{Card, Shelf};

const PROFILES: [&str; 6] = [
    "connectx-3",
    "connectx-3-factory",
    "connectx-3-pro",
    "connectx-4",
    "connectx-4-factory",
    "connectx-4-lx",
];

/// How the job ended.
#[derive(Debug)]
enum End {
    Done,
    /// Before anything was written. The reason shows in failed assertions.
    NotBegun(#[allow(dead_code)] String),
    Failed(ApplyError),
}

fn card(profile: &str) -> Card {
    Shelf::memory().card(profile).unwrap()
}

fn open(hwdb: &Hwdb, card: &Card) -> Result<Vec<Firmware>, String> {
    let patience = Patience::new(Duration::from_millis(15), Arc::default());
    card.infos()
        .iter()
        .map(|info| {
            let device = hwdb.device(info.device).unwrap();
            let function = card.function(info.address).unwrap();
            let gateway =
                access::open(device, function, &patience).map_err(|error| format!("{error:?}"))?;
            Ok(Firmware::new(device, gateway))
        })
        .collect()
}

fn read(hwdb: &Hwdb, card: &Card, firmwares: &mut [Firmware]) -> Result<Vec<PortSettings>, String> {
    let two_functions = firmwares.len() > 1;
    let device = hwdb.device(card.infos()[0].device).unwrap();
    let file = hwdb.settings(device);
    let mut reader = CardReader::new(file, Detail::ForChange, Wanted::Holding(&BOOT_PATH));
    for (index, firmware) in firmwares.iter_mut().enumerate() {
        let mut session = firmware.session().map_err(|error| format!("{error:?}"))?;
        let numbers = if two_functions {
            let port = u8::try_from(index).unwrap() + 1;
            port..=port
        } else {
            1..=2
        };
        for port in numbers {
            reader
                .read_port(&mut session, port)
                .map_err(|error| format!("{error:?}"))?;
        }
        session.end().map_err(|error| format!("{error:?}"))?;
    }
    Ok(reader.finish())
}

/// The main job on a card.
fn enable(hwdb: &Hwdb, card: &Card) -> (End, Plan) {
    let mut firmwares = match open(hwdb, card) {
        Ok(firmwares) => firmwares,
        Err(error) => return (End::NotBegun(error), Plan::default()),
    };
    let ports = match read(hwdb, card, &mut firmwares) {
        Ok(ports) => ports,
        Err(error) => return (End::NotBegun(error), Plan::default()),
    };
    let chosen: Vec<&PortSettings> = ports.iter().collect();
    let wishes = goal(&chosen, IpMode::Ipv6, PxeBoot::Keep);
    let plan = match plan(&ports, &wishes, Reserved::Refuse) {
        Ok(plan) => plan,
        Err(error) => return (End::NotBegun(error.to_string()), Plan::default()),
    };
    let mut all: Vec<&mut Firmware> = firmwares.iter_mut().collect();
    match apply(&mut all, &plan) {
        Ok(_) => (End::Done, plan),
        Err(error) => (End::Failed(error), plan),
    }
}

/// What the card really holds for a write of a plan.
///
/// Some cards answer a plain read of a TLV that is not set with its defaults;
/// what they hold is then what they answer.
fn holds(card: &Card, write: &TlvWrite) -> Option<Vec<u8>> {
    let found = match write.key {
        TlvKey::Mnva(key) => card.tlv(0, u32::from(key.tlv_type), key.type_mod),
        TlvKey::Mnvda(key) => card.tlv(write.function.function, key.0, 0),
    };
    let answers_defaults = write.before == Stored::Set(write.base.clone());
    found.or_else(|| answers_defaults.then(|| write.base.clone()))
}

fn stored(stored: &Stored) -> Option<Vec<u8>> {
    match stored {
        Stored::Set(data) => Some(data.clone()),
        Stored::NotSet => None,
    }
}

/// The plan of an undisturbed run: what old and new are.
fn reference(hwdb: &Hwdb, profile: &str) -> (Plan, u64, u64) {
    let card = card(profile);
    let (end, plan) = enable(hwdb, &card);
    assert!(matches!(end, End::Done), "{profile}: {end:?}");
    assert_eq!(plan.writes.len(), 2, "{profile}");
    let counters = card.counters();
    let accesses =
        counters.config_reads + counters.config_writes + counters.bar_reads + counters.bar_writes;
    assert_eq!(
        counters.unlocked, 0,
        "{profile}: used something without its semaphore"
    );
    assert_eq!(counters.overruns, 0, "{profile}");
    (plan, accesses, counters.commands)
}

/// Runs the job with a fault and checks every promise.
fn with_fault(hwdb: &Hwdb, profile: &str, expected: &Plan, fault: &str) -> End {
    let card = card(profile);
    card.set_faults(fault.parse().unwrap());
    let (end, _) = enable(hwdb, &card);
    let about = format!("{profile}, {fault}: {end:?}");

    let mut news = 0;
    for write in &expected.writes {
        let now = holds(&card, write);
        let is_old = now == stored(&write.before);
        // A single ConnectX-3 TLV cannot be deleted: its defaults are written down.
        let is_old_as_defaults = now.as_ref() == Some(&write.base);
        let is_new = now == stored(&write.after);
        assert!(
            is_old || is_old_as_defaults || is_new,
            "{about}: {write:?} holds {now:?}"
        );
        news += usize::from(is_new);
    }
    match &end {
        End::Done => assert_eq!(news, expected.writes.len(), "{about}"),
        End::NotBegun(_) => assert_eq!(news, 0, "{about}"),
        End::Failed(error) => check_truth(&card, error, &about),
    }
    if !card.is_gone() && !fault.starts_with("stuck-busy") {
        assert_eq!(card.held_semaphores(), [], "{about}");
    }

    // Power comes back, nobody disturbs: the next run finishes the job.
    card.set_faults("".parse().unwrap());
    card.reboot();
    let (end, _) = enable(hwdb, &card);
    assert!(matches!(end, End::Done), "{about}: then {end:?}");
    for write in &expected.writes {
        assert_eq!(
            holds(&card, write).as_ref(),
            stored(&write.after).as_ref(),
            "{about}: afterwards"
        );
    }
    end
}

/// What the error says of every TLV is what the card holds.
fn check_truth(card: &Card, error: &ApplyError, about: &str) {
    for tlv in &error.state {
        let now = holds(card, &tlv.write);
        match &tlv.holds {
            Holds::Old => assert_eq!(now, stored(&tlv.write.before), "{about}"),
            Holds::OldAsDefaults => assert_eq!(now.as_ref(), Some(&tlv.write.base), "{about}"),
            Holds::New => assert_eq!(now, stored(&tlv.write.after), "{about}"),
            Holds::Other(other) => assert_eq!(now, stored(other.stored()), "{about}"),
            Holds::Unknown => assert!(
                card.is_gone() || card.faults().to_string().contains("stuck-busy"),
                "{about}: the card answers but was not asked"
            ),
        }
    }
}

/// One test a profile, so that they run side by side.
macro_rules! power_cut_at_any_access {
    ($($name:ident: $profile:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            let hwdb = Hwdb::builtin().unwrap();
            let (plan, accesses, _) = reference(&hwdb, $profile);
            for at in 1..=accesses {
                with_fault(&hwdb, $profile, &plan, &format!("power-cut-access@{at}"));
            }
        }
    )*};
}

power_cut_at_any_access! {
    a_power_cut_at_any_access_leaves_every_tlv_of_a_connectx_3_old_or_new: "connectx-3",
    a_power_cut_at_any_access_leaves_every_tlv_of_a_factory_connectx_3_old_or_new: "connectx-3-factory",
    a_power_cut_at_any_access_leaves_every_tlv_of_a_connectx_3_pro_old_or_new: "connectx-3-pro",
    a_power_cut_at_any_access_leaves_every_tlv_of_a_connectx_4_old_or_new: "connectx-4",
    a_power_cut_at_any_access_leaves_every_tlv_of_a_factory_connectx_4_old_or_new: "connectx-4-factory",
    a_power_cut_at_any_access_leaves_every_tlv_of_a_connectx_4_lx_old_or_new: "connectx-4-lx",
}

#[test]
fn a_power_cut_after_a_write_is_reported_as_what_it_is() {
    let hwdb = Hwdb::builtin().unwrap();
    for profile in PROFILES {
        let (plan, ..) = reference(&hwdb, profile);
        for at in 1..=2 {
            with_fault(&hwdb, profile, &plan, &format!("power-cut@{at}"));
        }
    }
}

#[test]
fn a_refusal_of_any_command_leaves_the_card_as_it_was_or_done() {
    let hwdb = Hwdb::builtin().unwrap();
    for profile in PROFILES {
        let (plan, _, commands) = reference(&hwdb, profile);
        for status in ["0x1", "0x4", "0x7", "0x22", "0x70"] {
            for at in 1..=commands {
                with_fault(&hwdb, profile, &plan, &format!("status={status}@{at}"));
            }
        }
    }
}

#[test]
fn a_command_that_never_ends_is_given_up() {
    let hwdb = Hwdb::builtin().unwrap();
    for profile in PROFILES {
        let (plan, _, commands) = reference(&hwdb, profile);
        for at in 1..=commands {
            with_fault(&hwdb, profile, &plan, &format!("stuck-busy@{at}"));
        }
    }
}

#[test]
fn a_write_that_is_lost_or_mangled_is_noticed_and_undone() {
    let hwdb = Hwdb::builtin().unwrap();
    for profile in PROFILES {
        let (plan, ..) = reference(&hwdb, profile);
        for fault in [
            "lost-write@1",
            "lost-write@2",
            "corrupt-write@1",
            "corrupt-write@2",
        ] {
            let card = card(profile);
            card.set_faults(fault.parse().unwrap());
            let (end, _) = enable(&hwdb, &card);
            let End::Failed(error) = &end else {
                panic!("{profile}, {fault}: {end:?}");
            };
            assert!(error.nothing_changed(), "{profile}, {fault}: {error:?}");
            check_truth(&card, error, fault);
            with_fault(&hwdb, profile, &plan, fault);
        }
    }
}

#[test]
fn a_change_by_somebody_else_in_between_is_respected() {
    let hwdb = Hwdb::builtin().unwrap();
    for profile in PROFILES {
        let (_, _, commands) = reference(&hwdb, profile);
        let mut noticed = 0;
        for at in 1..=commands {
            let card = card(profile);
            card.set_faults(format!("foreign-change@{at}").parse().unwrap());
            let (end, _) = enable(&hwdb, &card);
            if let End::Failed(error) = end {
                noticed += 1;
                assert_eq!(card.held_semaphores(), [], "{profile}, {at}: {error:?}");
            }
        }
        assert!(noticed > 0, "{profile}: no foreign change was ever noticed");
    }
}
