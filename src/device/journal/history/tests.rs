//! The journal in a folder of its own, also when the power goes at every step.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::device::journal::record::SCHEMA;
use crate::settings::Stored;

fn journal(state: &Path) -> Journal {
    Journal::in_folder(state, "0000:04:00")
}

fn board(serial: &str) -> CardIdentity {
    CardIdentity {
        model: "connectx-4".to_owned(),
        device_id: 0x1013,
        psid: Some("MT_2190110032".to_owned()),
        part_number: None,
        serial_number: Some(serial.to_owned()),
    }
}

fn tlv(key: &str, before: u8, after: u8) -> RecordTlv {
    RecordTlv::new(
        "04:00.0".parse().unwrap(),
        1,
        ("nv_rom_boot_conf2", key.parse().unwrap()),
        &Stored::Set(vec![0, 0, before, 0]),
        &Stored::Set(vec![0, 0, after, 0]),
    )
}

fn record(tlvs: Vec<RecordTlv>) -> Record {
    Record {
        schema: SCHEMA.to_owned(),
        card: "0000:04:00.0".to_owned(),
        identity: Some(board("S1")),
        kind: ChangeKind::Set,
        process: 77,
        started_unix: 1_763_833_601,
        boot_id: Some("a-boot".to_owned()),
        tlvs,
    }
}

const ONE: &str = "0x03000195";
const OTHER: &str = "0x03000221";

#[test]
fn a_change_is_under_way_then_finished_then_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    assert_eq!(journal.unfinished().unwrap(), None);
    assert_eq!(journal.last_change().unwrap(), None);
    let begun = record(vec![tlv(ONE, 0, 1)]);
    journal.begin_change(begun.clone(), None).unwrap();
    assert_eq!(journal.unfinished().unwrap(), Some(begun.clone()));
    journal.finish(None).unwrap();
    assert_eq!(journal.unfinished().unwrap(), None);
    assert_eq!(journal.last_change().unwrap(), Some((1, begun.clone())));
    let undo = Record {
        kind: ChangeKind::Undo(1),
        ..record(vec![tlv(ONE, 1, 0)])
    };
    journal.begin_change(undo.clone(), None).unwrap();
    journal.finish(None).unwrap();
    let numbers: Vec<u64> = journal
        .history()
        .unwrap()
        .iter()
        .map(|one| one.number)
        .collect();
    assert_eq!(numbers, [2, 1]);
    journal.forget(1).unwrap();
    journal.forget(1).unwrap();
    assert_eq!(journal.history().unwrap().len(), 1);
    assert_eq!(journal.last_change().unwrap(), Some((2, undo)));
}

#[test]
fn a_change_that_changed_nothing_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    journal
        .begin_change(record(vec![tlv(ONE, 0, 1)]), None)
        .unwrap();
    journal.discard(None).unwrap();
    journal.discard(None).unwrap();
    assert_eq!(journal.unfinished().unwrap(), None);
    assert_eq!(journal.last_change().unwrap(), None);
}

#[test]
fn what_an_earlier_run_left_keeps_the_values_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    journal
        .begin_change(record(vec![tlv(ONE, 0, 1), tlv(OTHER, 5, 6)]), None)
        .unwrap();
    let earlier = journal.unfinished().unwrap().unwrap();
    let next = record(vec![tlv(ONE, 1, 2)]);
    journal.begin_change(next.clone(), Some(&earlier)).unwrap();
    let merged = journal.unfinished().unwrap().unwrap();
    assert_eq!(merged.tlvs, [tlv(ONE, 0, 2), tlv(OTHER, 5, 6)]);
    // Only what this run was about is finished; the rest stays under way.
    let left_over = earlier.without_tlvs(&next.tlvs);
    journal.finish(left_over.as_ref()).unwrap();
    assert_eq!(
        journal.unfinished().unwrap().unwrap().tlvs,
        [tlv(OTHER, 5, 6)]
    );
    assert_eq!(
        journal.last_change().unwrap().unwrap().1.tlvs,
        [tlv(ONE, 0, 2)]
    );
}

#[test]
fn the_newest_changes_are_kept_and_numbers_go_up() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    for at in 0..40 {
        journal
            .begin_change(record(vec![tlv(ONE, at, at + 1)]), None)
            .unwrap();
        journal.finish(None).unwrap();
    }
    let history = journal.history().unwrap();
    let numbers: Vec<u64> = history.iter().map(|one| one.number).collect();
    assert_eq!(numbers, (9..=40).rev().collect::<Vec<u64>>());
    assert!(
        journal
            .change_path(40)
            .ends_with("changes/0000:04:00/00000040.json")
    );
    assert_eq!(history[0].record.as_ref().unwrap().tlvs, [tlv(ONE, 39, 40)]);
}

#[test]
fn nobody_else_can_read_what_may_hold_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    // As an earlier version made it.
    fs::create_dir_all(state.join("transactions")).unwrap();
    fs::set_permissions(
        state.join("transactions"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let journal = journal(&state);
    journal
        .begin_change(record(vec![tlv(ONE, 0, 1)]), None)
        .unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(journal.path()), 0o600);
    assert_eq!(mode(&state.join("transactions")), 0o700);
    journal.finish(None).unwrap();
    assert_eq!(mode(&journal.change_path(1)), 0o600);
    assert_eq!(mode(journal.backup_path()), 0o600);
    for path in ["changes", "changes/0000:04:00", "backups"] {
        assert_eq!(mode(&state.join(path)), 0o700, "{path}");
    }
}

#[test]
fn a_secret_is_written_down_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let secret = RecordTlv {
        before: "not set".to_owned(),
        ..tlv(ONE, 0, 0xab)
    };
    let begun = record(vec![secret.hidden_if(true)]);
    journal.begin_change(begun.clone(), None).unwrap();
    let text = fs::read_to_string(journal.path()).unwrap();
    assert!(text.contains("0000ab00"), "{text}");
    let shown = format!("{:?} {}", journal.unfinished().unwrap(), begun.tlvs[0]);
    assert!(!shown.contains("ab00"), "{shown}");
    assert!(shown.contains("not set -> (hidden)"), "{shown}");
}

#[test]
fn a_record_of_another_board_is_refused() {
    let of_board = record(Vec::new());
    Journal::check_board(&of_board, &board("S1")).unwrap();
    let error = Journal::check_board(&of_board, &board("S2")).unwrap_err();
    assert!(error.to_string().contains("serial number S2"), "{error}");
    let other_psid = CardIdentity {
        psid: Some("MT_1".to_owned()),
        serial_number: None,
        ..board("S1")
    };
    Journal::check_board(&of_board, &other_psid).unwrap_err();
    // Who does not say is not another one.
    let unknown = CardIdentity {
        serial_number: None,
        ..board("S1")
    };
    Journal::check_board(&of_board, &unknown).unwrap();
    let old = Record {
        identity: None,
        ..of_board
    };
    Journal::check_board(&old, &board("S2")).unwrap();
}

#[test]
fn records_of_earlier_versions_are_read_and_those_of_later_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    fs::create_dir_all(journal.path().parent().unwrap()).unwrap();
    let old = r#"{
        "schema": "flexctl.transaction/1", "card": "sim:a", "process": 5, "started_unix": 9,
        "tlvs": [{"function": "0000:04:00.0", "port": 1, "tlv": "t", "key": "0x03000195",
                  "before": "not set", "after": "00000100"}]
    }"#;
    fs::write(journal.path(), old).unwrap();
    let read = journal.unfinished().unwrap().unwrap();
    assert_eq!((read.kind, &read.identity), (ChangeKind::Set, &None));
    let only = &read.tlvs[0];
    assert_eq!(only.stored_before(), Some(Stored::NotSet));
    assert_eq!(only.stored_after(), Some(Stored::Set(vec![0, 0, 1, 0])));
    assert_eq!(only.tlv_key(), Some(ONE.parse().unwrap()));
    assert_eq!(only.address(), Some("04:00.0".parse().unwrap()));
    fs::write(
        journal.path(),
        r#"{"schema": "flexctl.change/3", "more": 1}"#,
    )
    .unwrap();
    let error = journal.unfinished().unwrap_err();
    assert!(
        matches!(&error, JournalError::UnknownSchema { found, .. } if found == "flexctl.change/3")
    );
    fs::write(journal.path(), "{bad").unwrap();
    assert!(matches!(
        journal.unfinished(),
        Err(JournalError::Malformed { .. })
    ));
}

#[test]
fn what_only_looks_like_a_record_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    let place = journal.change_path(3);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let fifo = || {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mkfifoat(rustix::fs::CWD, &place, mode).unwrap();
    };
    fifo();
    let error = journal.last_change().unwrap_err();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    // It hides no other one, and is no reason to count from the start.
    fs::write(
        journal.change_path(2),
        serde_json::to_vec(&record(Vec::new())).unwrap(),
    )
    .unwrap();
    let history = journal.history().unwrap();
    assert!(history[0].record.is_err() && history[1].record.is_ok());
    journal
        .begin_change(record(vec![tlv(ONE, 0, 1)]), None)
        .unwrap();
    journal.finish(None).unwrap();
    assert_eq!(journal.last_change().unwrap().unwrap().0, 4);
    fs::remove_file(&place).unwrap();
    symlink(journal.change_path(2), &place).unwrap();
    assert!(
        journal.history().unwrap()[1].record.is_err(),
        "links are not followed"
    );
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    assert!(journal.history().unwrap()[1].record.is_err());
    // Names that are no numbers are nobody's business.
    fs::write(journal.changes_path().join("00000009.json.new"), "x").unwrap();
    fs::write(journal.changes_path().join("7.json"), "x").unwrap();
    assert_eq!(journal.last_change().unwrap().unwrap().0, 4);
}

/// Runs `act` with the power going after every number of steps, and `check`
/// after it is back. The last run is the one that was not disturbed.
fn with_power_cuts(
    prepare: impl Fn(&Journal),
    act: impl Fn(&Journal) -> Result<(), JournalError>,
    check: impl Fn(&Journal, bool, &str),
) {
    for steps in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let cut = journal(folder.path());
        prepare(&cut);
        cut.files.left.set(Some(steps));
        let done = act(&cut).is_ok() && cut.files.left.get() != Some(0);
        check(
            &journal(folder.path()),
            done,
            &format!("after {steps} steps"),
        );
        if done {
            assert!(steps > 3, "only {steps} steps were tried");
            return;
        }
    }
}

#[test]
fn a_power_cut_while_a_change_begins_leaves_no_record_or_a_whole_one() {
    let begun = record(vec![tlv(ONE, 0, 1)]);
    with_power_cuts(
        |_| {},
        |journal| journal.begin_change(begun.clone(), None),
        |journal, done, about| {
            let found = journal.unfinished().unwrap();
            assert!(found.is_none() || found.as_ref() == Some(&begun), "{about}");
            assert!(!done || found.is_some(), "{about}");
            // The next run is not held up by what lies around.
            journal.begin_change(begun.clone(), found.as_ref()).unwrap();
            journal.finish(None).unwrap();
            assert_eq!(
                journal.last_change().unwrap(),
                Some((1, begun.clone())),
                "{about}"
            );
        },
    );
}

#[test]
fn a_power_cut_while_a_change_takes_over_an_earlier_one_keeps_the_values_of_before() {
    let earlier = record(vec![tlv(ONE, 0, 1)]);
    let next = record(vec![tlv(ONE, 1, 2)]);
    with_power_cuts(
        |journal| journal.begin_change(earlier.clone(), None).unwrap(),
        |journal| journal.begin_change(next.clone(), Some(&earlier)),
        |journal, done, about| {
            let found = journal.unfinished().unwrap().unwrap();
            assert_eq!(found.tlvs[0].before, earlier.tlvs[0].before, "{about}");
            assert!(
                !done || found.tlvs[0].after == next.tlvs[0].after,
                "{about}"
            );
        },
    );
}

#[test]
fn a_power_cut_while_a_change_is_finished_leaves_it_under_way_or_finished() {
    let begun = record(vec![tlv(ONE, 0, 1)]);
    with_power_cuts(
        |journal| journal.begin_change(begun.clone(), None).unwrap(),
        |journal| journal.finish(None),
        |journal, done, about| {
            let under_way = journal.unfinished().unwrap();
            let finished = journal.last_change().unwrap();
            assert!(
                under_way.as_ref() == Some(&begun) || finished == Some((1, begun.clone())),
                "{about}: {under_way:?} {finished:?}"
            );
            assert!(!done || under_way.is_none(), "{about}");
        },
    );
}

#[test]
fn a_power_cut_while_one_part_is_finished_loses_neither_part() {
    let both = record(vec![tlv(ONE, 0, 1), tlv(OTHER, 5, 6)]);
    let left_over = record(vec![tlv(OTHER, 5, 6)]);
    with_power_cuts(
        |journal| journal.begin_change(both.clone(), None).unwrap(),
        |journal| journal.finish(Some(&left_over)),
        |journal, done, about| {
            let under_way = journal.unfinished().unwrap().unwrap();
            let finished = journal.last_change().unwrap();
            assert!(under_way.tlvs.contains(&tlv(OTHER, 5, 6)), "{about}");
            let in_changes = finished.is_some_and(|(_, one)| one.tlvs == [tlv(ONE, 0, 1)]);
            assert!(under_way == both || in_changes, "{about}");
            assert!(!done || under_way == left_over && in_changes, "{about}");
        },
    );
}

#[test]
fn a_power_cut_while_the_oldest_goes_loses_nothing_else() {
    with_power_cuts(
        |journal| {
            fs::create_dir_all(journal.changes_path()).unwrap();
            let old = serde_json::to_vec(&record(Vec::new())).unwrap();
            for number in 1..=32 {
                fs::write(journal.change_path(number), &old).unwrap();
            }
            journal
                .begin_change(record(vec![tlv(ONE, 0, 1)]), None)
                .unwrap();
        },
        |journal| journal.finish(None),
        |journal, done, about| {
            let history = journal.history().unwrap();
            assert!(history.iter().all(|one| one.record.is_ok()), "{about}");
            let newest = history[0].number;
            let under_way = journal.unfinished().unwrap().is_some();
            assert!(
                newest == 33 || newest == 32 && under_way,
                "{about}: {newest}"
            );
            assert!(!done || history.len() == 32, "{about}");
        },
    );
}
