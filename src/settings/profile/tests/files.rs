//! Values that stand in files, and secrets.

use std::fs;

use super::{HWDB, card, parse, refused, resolve, wanted};
use crate::settings::profile::{Profile, ProfileError};

#[test]
fn a_value_may_stand_in_a_file_beside_the_profile() {
    for (file, value) in [("chap.txt", "correct horse"), ("./dos.txt", "battery")] {
        let text = format!("settings.ISCSI_CHAP_PWD = {{ file = \"{file}\" }}\n");
        let desired = resolve(&text, "connectx-4").unwrap();
        assert_eq!(desired.entries.len(), 2);
        assert_eq!(desired.entries[0].value.to_string(), value);
    }
}

#[test]
fn files_that_hold_no_value_are_refused() {
    for (value, expected) in [
        (
            "{ file = \"no.txt\" }",
            "ISCSI_NAME: cannot read `no.txt` beside the profile: entity not found",
        ),
        (
            "{ file = \"two.txt\" }",
            "ISCSI_NAME: `two.txt` has to hold one line, found several",
        ),
        (
            "{ file = \"empty.txt\" }",
            "ISCSI_NAME: `empty.txt` has to hold one line, found nothing",
        ),
        (
            "{ file = \"/etc/hostname\" }",
            "ISCSI_NAME.file: `/etc/hostname` is not allowed; \
             expected a file in the folder of the profile or below",
        ),
        (
            "{ file = \"../chap.txt\" }",
            "ISCSI_NAME.file: `../chap.txt` is not allowed; \
             expected a file in the folder of the profile or below",
        ),
        (
            "{ file = 1 }",
            "ISCSI_NAME.file: expected a text, found an integer",
        ),
        (
            "{ path = \"x\" }",
            "ISCSI_NAME: expected a text or { file = \"...\" }, found another table",
        ),
    ] {
        let found = refused(&format!("[settings]\nISCSI_NAME = {value}\n"));
        assert_eq!(found, format!("p.toml:3: {expected}"));
    }
}

#[test]
fn a_secret_is_in_no_message() {
    let expected = "p.toml:3: ISCSI_CHAP_PWD: (hidden) is not allowed; \
                    expected a text: printable ASCII, at most 16 characters";
    for value in ["\"staplestaplestaplestaple\"", "{ file = \"long.txt\" }"] {
        let error = parse(&format!("[settings]\nISCSI_CHAP_PWD = {value}\n")).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains("staple"));
    }
    let text = "[[section]]\nsettings.ISCSI_CHAP_PWD = \"horse\"\n\
                [[section]]\nsettings.ISCSI_CHAP_PWD = \"battery\"\n";
    let profile = parse(text).unwrap();
    assert!(!format!("{profile:?}").contains("horse"));
    let error = profile.resolve(&card("connectx-4")).unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains("(hidden)"), "{text}");
        assert!(
            !text.contains("horse") && !text.contains("battery"),
            "{text}"
        );
    }
    let text = "settings.ISCSI_CHAP_PWD = \"horse\"\n";
    assert_eq!(
        wanted(text, "connectx-4")[0],
        "ISCSI_CHAP_PWD of 1 is (hidden), line 2"
    );
    let desired = resolve(text, "connectx-4").unwrap();
    assert!(!format!("{desired:?}").contains("horse"));
}

#[test]
fn profiles_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rack.json");
    let text = r#"{"schema": 1, "settings": {"ISCSI_NAME": {"file": "keys/name"}}}"#;
    fs::write(&path, text).unwrap();
    let error = Profile::load(&path, &HWDB).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("rack.json:1: ISCSI_NAME: cannot read `keys/name`"),
        "{error}"
    );
    fs::create_dir(folder.path().join("keys")).unwrap();
    fs::write(folder.path().join("keys/name"), "iqn.a\n").unwrap();
    let profile = Profile::load(&path, &HWDB).unwrap();
    let desired = profile.resolve(&card("connectx-4")).unwrap();
    assert_eq!(desired.entries[0].value_text, "\"iqn.a\"");
    fs::remove_file(folder.path().join("keys/name")).unwrap();
    fs::create_dir(folder.path().join("keys/name")).unwrap();
    let error = Profile::load(&path, &HWDB).unwrap_err();
    assert!(
        error.to_string().ends_with("it is no regular file"),
        "{error}"
    );
    let error = Profile::load(&folder.path().join("none.toml"), &HWDB).unwrap_err();
    assert!(matches!(error, ProfileError::Unreadable { .. }));
    assert!(error.findings().is_empty());
}
