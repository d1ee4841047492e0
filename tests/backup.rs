//! All settings of a virtual card: read, as text, and put back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use flexctl::access::Patience;
use flexctl::command::Firmware;
use flexctl::command::register::{Mnva, MnvaKey, Mnvda, Mnvdi, TlvHeader, TypeDword};
use flexctl::device::{CardIdentity, CardReading, OpenCard, Selector, select};
use flexctl::hwdb::{Hwdb, SettingsFile};
use flexctl::pci::SysfsRoot;
use flexctl::settings::{
    Backup, BackupCard, BackupProblem, BackupTlv, Detail, FoundBy, Omitted, OmittedBecause,
    Restore, RestoreChange, RestoreError, RestoreNote, RestoreOptions, Secrets, Stored, TlvKey,
    Undeletable, Wanted, plan_restore,
};
use flexctl::sim::{Card, Shelf, StoredSetting};
use proptest::prelude::*;

const CONF1: u32 = 0x0300_0221;
const CONF2: u32 = 0x0300_0195;

/// A card on a shelf of its own, and a handle on it.
struct Bench {
    card: Card,
    open: OpenCard,
}

impl Bench {
    fn new(profile: &str) -> Self {
        Self::with_hwdb(profile, &Hwdb::builtin().unwrap())
    }

    fn with_hwdb(profile: &str, hwdb: &Hwdb) -> Self {
        let shelf = Shelf::memory();
        let card = shelf.card(profile).unwrap();
        let root = SysfsRoot::new("/nonexistent");
        let chosen = select(&root, hwdb, &shelf, &[Selector::Sim(profile.to_owned())]).unwrap();
        let open = OpenCard::open(&chosen[0], hwdb, &root, &shelf, &Patience::default()).unwrap();
        Self { card, open }
    }

    fn reading(&mut self) -> CardReading {
        let mut reading = self.open.read(Detail::ForChange, Wanted::All).unwrap();
        self.open.read_vpd(&mut reading).unwrap();
        reading
    }

    fn backup(&mut self, secrets: &Secrets) -> Backup {
        let reading = self.reading();
        self.open.read_backup(&reading, secrets).unwrap()
    }

    fn plan(&mut self, backup: &Backup, only: &[&str]) -> Result<Restore, RestoreError> {
        self.plan_with(backup, only, Undeletable::Leave)
    }

    fn plan_with(
        &mut self,
        backup: &Backup,
        only: &[&str],
        undeletable: Undeletable,
    ) -> Result<Restore, RestoreError> {
        let now = self.backup(&Secrets::Include);
        let ports = self.reading().ports;
        let options = RestoreOptions {
            only: only.iter().map(ToString::to_string).collect(),
            undeletable,
        };
        plan_restore(backup, &now, &self.open.settings, &ports, &options)
    }

    /// Carries a restore out with plain register writes.
    fn apply(&mut self, restore: &Restore) {
        for change in &restore.changes {
            let firmware = self.open.firmwares.iter_mut();
            let mut firmware = firmware.filter(|one| one.address() == change.function);
            write(firmware.next().unwrap(), change);
        }
    }
}

fn write(firmware: &mut Firmware, change: &RestoreChange) {
    let mut session = firmware.session().unwrap();
    match (change.key, &change.after) {
        (TlvKey::Mnvda(key), Stored::Set(data)) => {
            let header = change.header.unwrap_or(TlvHeader::OURS);
            session.set(&Mnvda::store_as(key, data.clone(), header))
        }
        (TlvKey::Mnvda(tlv_type), Stored::NotSet) => session.set(&Mnvdi { tlv_type }),
        (TlvKey::Mnva(key), Stored::Set(data)) => session.set(&Mnva::store(key, data.clone())),
        (TlvKey::Mnva(_), Stored::NotSet) => panic!("{change:?} cannot be deleted"),
    }
    .unwrap();
    session.end().unwrap();
}

fn as_text(bench: &Bench, backup: &Backup) -> String {
    backup.to_text(Some(&bench.open.settings))
}

fn again(text: &str) -> Backup {
    Backup::parse(text, Path::new("a.toml")).unwrap()
}

#[test]
fn a_connectx_4_is_backed_up_with_everything_that_is_set() {
    for profile in [
        "connectx-4",
        "connectx-4-lx",
        "connectx-4-factory",
        "connectx-4-single",
    ] {
        let mut bench = Bench::new(profile);
        let backup = bench.backup(&Secrets::LeaveOut);
        assert_eq!(backup.found_by, FoundBy::Walk);
        let found: Vec<(u32, Vec<u8>)> = backup
            .tlvs
            .iter()
            .map(|tlv| match tlv.key {
                TlvKey::Mnvda(key) => (key.0, tlv.data.clone()),
                TlvKey::Mnva(_) => panic!("{tlv:?}"),
            })
            .collect();
        let mut set: Vec<(u32, Vec<u8>)> = bench
            .card
            .settings()
            .into_iter()
            .map(|StoredSetting { kind, data, .. }| (kind, data))
            .collect();
        let mut sorted = found.clone();
        sorted.sort();
        set.sort();
        assert_eq!(sorted, set, "{profile}");
        assert_eq!(again(&as_text(&bench, &backup)), backup, "{profile}");
    }
}

#[test]
fn the_file_is_what_its_documentation_says() {
    let mut bench = Bench::new("connectx-4");
    bench
        .card
        .seed_tlv(0, CONF2, 0, &[0xfc, 0, 1, 0x14])
        .unwrap();
    let mut backup = bench.backup(&Secrets::LeaveOut);
    backup.created_unix = 1_763_833_601;
    backup.created_by = "flexctl 0.1.0".to_owned();
    let short = |tlv: &BackupTlv| tlv.function == 0 && tlv.key == TlvKey::Mnvda(TypeDword(CONF2));
    backup.tlvs.retain(short);
    backup.omitted.push(Omitted {
        function: 1,
        port: 0,
        key: TlvKey::Mnvda(TypeDword(0x0300_0001)),
        name: Some("a_secret".to_owned()),
        settings: vec!["A_PASSWORD".to_owned()],
        because: OmittedBecause::Secret,
    });
    let text = as_text(&bench, &backup);
    let head: Vec<&str> = text.lines().take(18).collect();
    assert_eq!(
        head.join("\n"),
        "\
# Settings of a network card, as flexctl 0.1.0 found them on 2025-11-22 at 17:46:41 UTC.
# `flexctl restore` puts them back. The data counts; the comments say what it
# means. The checksum is over every line but its own.
schema = \"flexctl.backup/1\"
created_unix = 1763833601
created_by = \"flexctl 0.1.0\"
found_by = \"walk\"
"
        .to_owned()
            + text.lines().nth(7).unwrap()
            + "

[card]
model = \"connectx-4\"
device_id = 0x1013
psid = \"MT_2190110032\"
part_number = \"MCX456A-ECAT\"
serial_number = \"MT0000X00014\"
firmware = \"12.28.2006\"
address = \"0000:04:00.0\"
functions = [0, 1]"
    );
    assert!(
        text.lines()
            .nth(7)
            .unwrap()
            .starts_with("checksum = \"crc32:")
    );
    for line in [
        "[[tlv]]",
        "key = \"0x03000195\"",
        "name = \"nv_rom_boot_conf2\"",
        "writer_id = 9",
        "data = \"fc000114\"",
        "# IP_VER = IPv6(1)",
        "[[omitted]]",
        "settings = [\"A_PASSWORD\"]",
        "because = \"secret\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(text.ends_with("\n# end of backup\n"));
}

#[test]
fn a_connectx_3_is_asked_for_everything_that_is_known() {
    let mut bench = Bench::new("connectx-3");
    let backup = bench.backup(&Secrets::LeaveOut);
    assert_eq!(backup.found_by, FoundBy::Asking);
    let key = |tlv_type, type_mod| TlvKey::Mnva(MnvaKey { tlv_type, type_mod });
    for port in [1, 2] {
        let tlv = backup.tlv(0, key(0x2021, port)).unwrap();
        assert_eq!(Some(tlv.data.clone()), bench.card.tlv(0, 0x2021, port));
        assert_eq!(tlv.port, port);
    }
    let text = as_text(&bench, &backup);
    assert!(text.contains("key = \"0x2021/2\""), "{text}");
    assert_eq!(again(&text), backup);
    // A card as new has nothing to keep.
    let mut bench = Bench::new("connectx-3-factory");
    assert_eq!(bench.backup(&Secrets::LeaveOut).tlvs, []);
}

#[test]
fn what_flexctl_does_not_know_is_kept_by_its_bytes() {
    let mut bench = Bench::new("connectx-4");
    let pkey = TypeDword(0x0300_0222);
    let mut session = bench.open.firmwares[1].session().unwrap();
    session
        .set(&Mnvda::store(pkey, vec![0x12, 0x34, 0xab, 0xcd]))
        .unwrap();
    session.end().unwrap();
    // As if the data files knew the boot settings only.
    bench
        .open
        .settings
        .tlv
        .retain(|tlv| tlv.name == "nv_rom_boot_conf1");
    let backup = bench.backup(&Secrets::LeaveOut);
    let tlv = backup.tlv(1, TlvKey::Mnvda(pkey)).unwrap();
    assert_eq!(
        (tlv.name.as_deref(), &tlv.data[..]),
        (None, &[0x12, 0x34, 0xab, 0xcd][..])
    );
    assert_eq!(backup.tlv(0, TlvKey::Mnvda(pkey)), None);
    // It comes back like everything else, and goes again.
    let before = bench.card.settings();
    let mut session = bench.open.firmwares[1].session().unwrap();
    session.set(&Mnvdi { tlv_type: pkey }).unwrap();
    session.end().unwrap();
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.changes.len(), 1);
    assert_eq!(restore.changes[0].name, "0x03000222");
    bench.apply(&restore);
    assert_eq!(bench.card.settings(), before);
}

#[test]
fn a_restore_undoes_every_change_on_a_connectx_4() {
    let mut bench = Bench::new("connectx-4");
    let backup = again(&{
        let backup = bench.backup(&Secrets::LeaveOut);
        as_text(&bench, &backup)
    });
    let before = bench.card.settings();
    assert!(bench.plan(&backup, &[]).unwrap().is_empty());
    bench.card.seed_tlv(0, CONF2, 0, &[0, 0, 3, 0x14]).unwrap();
    bench.card.unset_tlv(1, CONF1, 0);
    bench
        .card
        .seed_tlv(1, 0x0300_0222, 0, &[0, 0, 0, 7])
        .unwrap();
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.notes, []);
    let told: Vec<String> = restore
        .changes
        .iter()
        .map(|change| {
            format!(
                "{} {} {}: {} -> {}",
                change.function, change.port, change.key, change.before, change.after
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "0000:04:00.0 1 0x03000195: 00000314 -> 00000014",
            "0000:04:00.1 2 0x03000221: not set -> a0010001",
            "0000:04:00.1 2 0x03000222: 00000007 -> not set",
        ]
    );
    let first = &restore.changes[0].differences;
    assert_eq!(first.len(), 1);
    assert_eq!(
        (
            first[0].what.as_str(),
            first[0].from.as_str(),
            first[0].to.as_str()
        ),
        ("IP_VER", "IPv6_IPv4(3)", "IPv4(0)")
    );
    bench.apply(&restore);
    assert_eq!(bench.card.settings(), before);
    assert!(bench.plan(&backup, &[]).unwrap().is_empty());
}

#[test]
fn a_subset_leaves_everything_else_alone() {
    let mut bench = Bench::new("connectx-4");
    let backup = bench.backup(&Secrets::LeaveOut);
    bench
        .card
        .seed_tlv(0, CONF2, 0, &[0xfc, 7, 3, 0x20])
        .unwrap();
    bench.card.seed_tlv(0, CONF1, 0, &[0, 0, 0, 9]).unwrap();
    // One setting: its bits only.
    let restore = bench.plan(&backup, &["ip_ver"]).unwrap();
    assert_eq!(restore.changes.len(), 1);
    assert_eq!(
        restore.changes[0].after,
        Stored::Set(vec![0xfc, 7, 0, 0x20])
    );
    assert_eq!(restore.changes[0].header, None);
    // A whole TLV, by its name and by its key.
    for name in ["nv_rom_boot_conf1", "0x03000221"] {
        let restore = bench.plan(&backup, &[name]).unwrap();
        assert_eq!(restore.changes.len(), 1, "{name}");
        assert_eq!(restore.changes[0].after, Stored::Set(vec![0xa0, 1, 0, 1]));
    }
    let error = bench.plan(&backup, &["IP_VERS"]).unwrap_err();
    assert_eq!(
        error,
        RestoreError::UnknownName {
            name: "IP_VERS".to_owned()
        }
    );
}

#[test]
fn a_setting_of_a_tlv_that_was_not_set_goes_back_to_its_default() {
    let mut bench = Bench::new("connectx-4-factory");
    let backup = bench.backup(&Secrets::LeaveOut);
    assert_eq!(backup.tlvs, []);
    bench.card.seed_tlv(0, CONF1, 0, &[0, 2, 0, 9]).unwrap();
    // Defaults are read where nothing is set: here the other function knows them not.
    let error = bench.plan(&backup, &["BOOT_VLAN"]).unwrap_err();
    assert!(matches!(error, RestoreError::NoDefaults { .. }), "{error}");
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.changes.len(), 1);
    assert_eq!(restore.changes[0].after, Stored::NotSet);
}

#[test]
fn a_connectx_3_says_what_stays_and_offers_defaults() {
    let mut bench = Bench::new("connectx-3-factory");
    let backup = bench.backup(&Secrets::LeaveOut);
    bench.card.seed_tlv(0, 0x2001, 2, &[0, 0, 1, 0x2a]).unwrap();
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.changes, []);
    let stays = |note: &&RestoreNote| matches!(note, RestoreNote::CannotDelete { port: 2, .. });
    let note = restore.notes.iter().find(stays).unwrap().to_string();
    assert!(
        note.contains("cannot be deleted: it keeps 0000012a"),
        "{note}"
    );
    assert!(restore.notes.contains(&RestoreNote::OnlyKnown));
    // Everything has to be read to know the defaults of what is set.
    let now = bench.backup(&Secrets::Include);
    let ports = bench
        .open
        .read(Detail::Everything, Wanted::All)
        .unwrap()
        .ports;
    let options = RestoreOptions {
        only: Vec::new(),
        undeletable: Undeletable::WriteDefaults,
    };
    let restore = plan_restore(&backup, &now, &bench.open.settings, &ports, &options).unwrap();
    assert_eq!(restore.changes.len(), 1);
    let change = &restore.changes[0];
    assert!(matches!(&change.after, Stored::Set(_)), "{change:?}");
    assert!(
        change
            .differences
            .iter()
            .any(|one| one.what == "IP_VER" && one.to == "IPv4(0)")
    );
    bench.apply(&restore);
    let restore = plan_restore(
        &backup,
        &bench.backup(&Secrets::Include),
        &bench.open.settings,
        &ports,
        &options,
    )
    .unwrap();
    assert_eq!(restore.changes, []);
}

#[test]
fn a_connectx_3_is_put_back() {
    let mut bench = Bench::new("connectx-3");
    let backup = bench.backup(&Secrets::LeaveOut);
    let before = bench.card.settings();
    bench.card.seed_tlv(0, 0x2001, 1, &[0, 0, 1, 0x2a]).unwrap();
    bench.card.unset_tlv(0, 0x2021, 2);
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.changes.len(), 2);
    // What is not set has the card's defaults to go back to.
    let unset = restore
        .changes
        .iter()
        .find(|change| change.before == Stored::NotSet)
        .unwrap();
    assert_eq!(unset.base.len(), 4);
    bench.apply(&restore);
    assert_eq!(bench.card.settings(), before);
}

#[test]
fn another_model_is_refused_and_another_board_is_noted() {
    let mut lx = Bench::new("connectx-4-lx");
    let of_lx = lx.backup(&Secrets::LeaveOut);
    let mut bench = Bench::new("connectx-4");
    let error = bench.plan(&of_lx, &[]).unwrap_err();
    let RestoreError::OtherModel { backup, card } = &error else {
        panic!("{error}");
    };
    assert_eq!(
        (backup.model.as_str(), card.model.as_str()),
        ("connectx-4-lx", "connectx-4")
    );
    let of_factory = Bench::new("connectx-4-factory").backup(&Secrets::LeaveOut);
    let mut of_factory = Backup {
        card: BackupCard {
            firmware: Some("12.1.1".to_owned()),
            ..of_factory.card.clone()
        },
        ..of_factory
    };
    let restore = bench.plan(&of_factory, &[]).unwrap();
    let notes: Vec<String> = restore.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes[..2],
        [
            "the backup is of another board, serial number MT0000X00004; this one has MT0000X00014",
            "the backup was made with firmware 12.1.1, the card runs 12.28.2006",
        ]
    );
    of_factory.card.identity.serial_number = None;
    let restore = bench.plan(&of_factory, &[]).unwrap();
    assert!(restore.notes.contains(&RestoreNote::CannotTellBoard));
    of_factory.card.identity.psid = None;
    let restore = bench.plan(&of_factory, &[]).unwrap();
    assert!(matches!(
        restore.notes[0],
        RestoreNote::CannotTellModel { .. }
    ));
}

#[test]
fn a_function_that_was_not_read_keeps_its_settings() {
    let mut bench = Bench::new("connectx-4");
    let mut backup = bench.backup(&Secrets::LeaveOut);
    backup.card.functions = vec![0];
    backup.tlvs.retain(|tlv| tlv.function == 0);
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.changes, []);
    assert!(matches!(
        restore.notes[..],
        [RestoreNote::FunctionNotInBackup { .. }]
    ));
    // The other way round there is nowhere to put them.
    let mut single = Bench::new("connectx-4-single");
    let both = bench.backup(&Secrets::LeaveOut);
    let mut both = Backup {
        card: BackupCard {
            identity: single.backup(&Secrets::LeaveOut).card.identity,
            ..both.card
        },
        ..both
    };
    assert_eq!(
        single.plan(&both, &[]).unwrap_err(),
        RestoreError::NoSuchFunction { function: 1 }
    );
    both.tlvs.retain(|tlv| tlv.function == 0);
    single.plan(&both, &[]).unwrap();
}

/// The data files with a secret in the boot settings.
fn with_a_secret(file: &mut SettingsFile) {
    let field = file
        .tlv
        .iter_mut()
        .flat_map(|tlv| &mut tlv.field)
        .find(|field| field.name == "IP_VER")
        .unwrap();
    field.secret = true;
}

#[test]
fn a_secret_is_left_out_unless_it_is_asked_for_and_left_alone() {
    let mut bench = Bench::new("connectx-4");
    with_a_secret(&mut bench.open.settings);
    bench
        .card
        .seed_tlv(0, CONF2, 0, &[0, 0xab, 0xcd, 0x14])
        .unwrap();
    let backup = bench.backup(&Secrets::LeaveOut);
    assert_eq!(backup.omitted.len(), 2);
    let text = as_text(&bench, &backup);
    assert!(!text.contains("abcd"), "{text}");
    assert!(text.contains("\"IP_VER\""), "{text}");
    assert_eq!(again(&text), backup);
    // It changed, and stays.
    bench
        .card
        .seed_tlv(0, CONF2, 0, &[0, 0xee, 0xef, 0x14])
        .unwrap();
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.changes, []);
    assert!(matches!(restore.notes[0], RestoreNote::LeftOut { .. }));
    let error = bench.plan(&backup, &["IP_VER"]).unwrap_err();
    assert!(matches!(error, RestoreError::LeftOut { .. }), "{error}");
    // Asked for by name it is in, and put back, and never shown.
    let backup = bench.backup(&Secrets::Named(vec!["IP_VER".to_owned()]));
    assert_eq!(backup.omitted, []);
    let text = as_text(&bench, &backup);
    assert!(
        text.contains("00eeef14") && text.contains("secret = true"),
        "{text}"
    );
    assert!(text.contains("# IP_VER = (hidden)"), "{text}");
    bench
        .card
        .seed_tlv(0, CONF2, 0, &[0, 0xab, 0xcd, 0x14])
        .unwrap();
    let restore = bench.plan(&again(&text), &[]).unwrap();
    assert_eq!(restore.changes.len(), 1);
    let shown = format!("{restore:?} {backup:?}");
    for secret in ["abcd", "eeef", "238, 239", "171, 205"] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
    bench.apply(&restore);
    assert_eq!(bench.card.tlv(0, CONF2, 0), Some(vec![0, 0xee, 0xef, 0x14]));
}

#[test]
fn a_tlv_that_the_card_refuses_to_read_is_named() {
    let mut bench = Bench::new("connectx-4");
    let reading = bench.reading();
    // The walk's second command is the reading of the first TLV.
    bench.card.set_faults("status=0x22@2".parse().unwrap());
    let backup = bench
        .open
        .read_backup(&reading, &Secrets::LeaveOut)
        .unwrap();
    assert_eq!(backup.omitted.len(), 1, "{backup:?}");
    assert!(matches!(
        &backup.omitted[0].because,
        OmittedBecause::Unreadable(_)
    ));
    bench.card.set_faults("".parse().unwrap());
    assert_eq!(again(&as_text(&bench, &backup)), backup);
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(restore.changes, []);
    assert!(
        matches!(restore.notes[..], [RestoreNote::LeftOut { .. }]),
        "{restore:?}"
    );
}

#[test]
fn a_firmware_without_the_walk_is_asked_for_what_is_known() {
    let mut bench = Bench::new("connectx-4");
    let reading = bench.reading();
    // Register status 4: not supported. The other function's walk is refused too.
    bench.card.set_faults("status=0x4@1".parse().unwrap());
    let backup = bench
        .open
        .read_backup(&reading, &Secrets::LeaveOut)
        .unwrap();
    bench.card.set_faults("".parse().unwrap());
    assert_eq!(backup.found_by, FoundBy::Asking);
    let keys: Vec<String> = backup.tlvs.iter().map(|tlv| tlv.key.to_string()).collect();
    assert!(keys.contains(&"0x03000195".to_owned()), "{keys:?}");
    let restore = bench.plan(&backup, &[]).unwrap();
    assert_eq!(
        restore.changes,
        [],
        "nothing is deleted that may have been there"
    );
    assert!(restore.notes.contains(&RestoreNote::OnlyKnown));
}

#[test]
fn a_text_that_was_touched_is_refused_with_file_and_line() {
    let mut bench = Bench::new("connectx-4");
    let backup = bench.backup(&Secrets::LeaveOut);
    let text = as_text(&bench, &backup);
    let said = |text: &str| {
        Backup::parse(text, Path::new("a.toml"))
            .unwrap_err()
            .to_string()
    };
    let changed = text.replacen("data = \"0", "data = \"1", 1);
    assert!(said(&changed).starts_with("a.toml:8: the backup was changed: its checksum is crc32:"));
    for length in 0..text.len() {
        let error = Backup::parse(&text[..length], Path::new("a.toml")).unwrap_err();
        assert!(
            matches!(
                error.problem,
                BackupProblem::Truncated
                    | BackupProblem::NotABackup
                    | BackupProblem::UnknownSchema { .. }
            ),
            "{length}: {error}"
        );
    }
    assert_eq!(
        said(&text.replacen("backup/1", "backup/2", 1)),
        "a.toml:4: the schema is `flexctl.backup/2`, known is only `flexctl.backup/1`"
    );
    let without: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("checksum"))
        .collect();
    let without = without.join("\n") + "\n";
    assert_eq!(
        said(&without),
        "a.toml: the backup has no checksum before the first table"
    );
    assert_eq!(
        said("a = 1\n"),
        "a.toml: this is no backup of flexctl: there is no `schema` before the first table"
    );
    // What is wrong in a text with the right checksum is named with its line.
    for (wrong, line, words) in [
        (
            "\n[[tlv]]\nfunction = 9\nkey = \"0x03000195\"\ndata = \"00\"\n",
            3,
            "9 is more than 7",
        ),
        (
            "\n[[tlv]]\nfunction = 0\nkey = \"0x195\"\ndata = \"00\"\n",
            4,
            "`0x195`: expected the key of a TLV",
        ),
        (
            "\n[[tlv]]\nfunction = 0\nkey = \"0x03000195\"\ndata = \"0g\"\n",
            5,
            "hexadecimal digits",
        ),
        (
            "\n[[tlv]]\nfunction = 0\nkey = \"0x03000195\"\ndata = \"\"\n",
            5,
            "1 to 256 bytes",
        ),
        (
            "\n[[tlv]]\nfunction = 0\nkeys = 1\n",
            4,
            "unknown field `keys`",
        ),
        (
            "\n[[tlv]]\nfunction = 0\nkey = \"0x01010012\"\ndata = \"00\"\n\n[[tlv]]\nfunction = 1\nkey = \"0x01010012\"\ndata = \"00\"\n",
            0,
            "twice",
        ),
    ] {
        let (text, at) = resealed(&text, wrong);
        let said = said(&text);
        let place = if line == 0 {
            "a.toml: ".to_owned()
        } else {
            format!("a.toml:{}: ", at + line - 1)
        };
        assert!(
            said.starts_with(&place) && said.contains(words),
            "{said}, not {place}{words}"
        );
    }
}

/// The head of a text with other tables below it, and a checksum to match; and
/// how many lines the head has.
fn resealed(text: &str, tables: &str) -> (String, usize) {
    let head = text.split("\n[[tlv]]").next().unwrap();
    let body = format!("{head}{tables}# end of backup\n");
    let plain: String = body
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("checksum"))
        .collect();
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(plain.as_bytes());
    let sealed: String = body
        .split_inclusive('\n')
        .map(|line| {
            if line.starts_with("checksum") {
                format!("checksum = \"crc32:{crc:08x}\"\n")
            } else {
                line.to_owned()
            }
        })
        .collect();
    (sealed, head.lines().count() + 1)
}

fn some_text() -> impl Strategy<Value = String> {
    // Quotes, line ends and what else could break out of a string.
    proptest::string::string_regex("[ -~\\n\\r\\t\u{7f}äß\"\\\\#=\\[\\]]{0,24}").unwrap()
}

fn some_key() -> impl Strategy<Value = TlvKey> {
    prop_oneof![
        any::<u32>().prop_map(|kind| TlvKey::Mnvda(TypeDword(kind))),
        (any::<u16>(), any::<u8>())
            .prop_map(|(tlv_type, type_mod)| TlvKey::Mnva(MnvaKey { tlv_type, type_mod })),
    ]
}

prop_compose! {
    fn some_tlv()(
        function in 0..8_u8,
        port in any::<u8>(),
        key in some_key(),
        name in proptest::option::of(some_text()),
        data in proptest::collection::vec(any::<u8>(), 1..=256),
        header in proptest::option::of((0..16_u8, 0..32_u8, 0..8_u8)),
        secret in any::<bool>(),
    ) -> BackupTlv {
        let header = header.map(|(version, writer_id, writer_host_id)| TlvHeader {
            version,
            writer_id,
            writer_host_id,
        });
        BackupTlv { function, port, key, name, data, header, secret }
    }
}

prop_compose! {
    fn some_omitted()(
        function in 0..8_u8,
        port in any::<u8>(),
        key in some_key(),
        name in proptest::option::of(some_text()),
        settings in proptest::collection::vec(some_text(), 0..3),
        words in proptest::option::of("[a-z ]{7,9}"),
    ) -> Omitted {
        let because = words.map_or(OmittedBecause::Secret, OmittedBecause::Unreadable);
        Omitted { function, port, key, name, settings, because }
    }
}

prop_compose! {
    fn some_backup()(
        (created_unix, device_id, bus) in (0..u64::try_from(i64::MAX).unwrap(), any::<u16>(), any::<u8>()),
        texts in (some_text(), some_text(), proptest::option::of(some_text()), proptest::option::of(some_text())),
        functions in proptest::collection::vec(0..8_u8, 0..4),
        walk in any::<bool>(),
        mut tlvs in proptest::collection::vec(some_tlv(), 0..5),
        omitted in proptest::collection::vec(some_omitted(), 0..3),
    ) -> Backup {
        tlvs.sort_by_key(|tlv| tlv.key);
        tlvs.dedup_by_key(|tlv| tlv.key);
        let (created_by, model, psid, firmware) = texts;
        Backup {
            created_unix,
            created_by,
            found_by: if walk { FoundBy::Walk } else { FoundBy::Asking },
            card: BackupCard {
                identity: CardIdentity {
                    model,
                    device_id,
                    part_number: psid.clone(),
                    serial_number: firmware.clone(),
                    psid,
                },
                firmware,
                address: format!("{bus:02x}:00.0").parse().unwrap(),
                functions,
            },
            tlvs,
            omitted,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(backup in some_backup()) {
        let hwdb = Hwdb::builtin().unwrap();
        let file = hwdb.settings(hwdb.device(0x1013).unwrap());
        for text in [backup.to_text(None), backup.to_text(Some(file))] {
            let read = Backup::parse(&text, Path::new("a")).map_err(|error| TestCaseError::fail(format!("{error} in {text}")))?;
            prop_assert_eq!(&read, &backup);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text: String) {
        let _ = Backup::parse(&text, Path::new("a"));
    }

    #[test]
    fn no_change_of_a_text_makes_the_parser_panic_or_goes_unnoticed(
        backup in some_backup(),
        at: proptest::sample::Index,
        byte in b' '..b'~',
    ) {
        let text = backup.to_text(None);
        let mut bytes = text.clone().into_bytes();
        let length = bytes.len();
        bytes[at.index(length)] = byte;
        if let Ok(changed) = String::from_utf8(bytes) && changed != text {
            prop_assert!(Backup::parse(&changed, Path::new("a")).is_err(), "{}", changed);
        }
    }
}

/// The register that names the TLVs has room for 128 bytes, and the virtual card
/// refuses to name a longer one there.
#[test]
fn a_long_tlv_does_not_end_the_walk() {
    for (kind, bytes) in [(0x0300_0238, 128), (0x0300_0237, 224), (0x0300_0231, 256)] {
        let mut bench = Bench::new("connectx-4");
        bench.card.seed_tlv(1, kind, 0, &vec![b'a'; bytes]).unwrap();
        let backup = bench.backup(&Secrets::LeaveOut);
        assert_eq!(backup.found_by, FoundBy::Walk);
        assert_eq!(backup.tlvs.len(), bench.card.settings().len(), "{bytes}");
        let found = backup.tlv(1, TlvKey::Mnvda(TypeDword(kind))).unwrap();
        assert_eq!(found.data, vec![b'a'; bytes]);
    }
}
