//! `flexctl check`

use insta::assert_snapshot;
use serde_json::json;

use crate::flexctl::place;
use crate::plan::profile;

const PROFILE: &str = "schema = 1\n[settings]\nIP_VER = \"IPv6\"\n";

#[test]
fn tells_drift_by_the_exit_code_and_writes_nothing() {
    let place = place();
    let file = profile(&place, PROFILE);
    assert_snapshot!(place.run(&format!("check {file} -d sim:connectx-4")), @"
    exit 9
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv6(1)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv6(1)  from the next boot on
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
      differs from the profile
    ");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000014"
    );
    let document = place.document(&format!("check {file} -d sim:connectx-4"));
    assert_eq!(document["schema"], "flexctl.check/1");
    assert_eq!(document["cards"][0]["outcome"], "planned");
}

#[test]
fn says_what_is_stored_but_waits_for_a_restart() {
    for card in ["connectx-4", "connectx-3"] {
        let place = place();
        let file = profile(&place, PROFILE);
        place.answer(&format!("apply {file} -d sim:{card}"));
        let run = place.run(&format!("check {file} -d sim:{card}"));
        assert_eq!(run.code, 0, "{run}");
        assert!(
            run.stdout
                .contains("port 2: IP_VER is still IPv4(0) until the next boot"),
            "{run}"
        );
        let document = place.document(&format!("check {file} -d sim:{card}"));
        assert_eq!(document["cards"][0]["restart"], "boot");
        assert_eq!(document["cards"][0]["pending"][0]["name"], "IP_VER");
        place.answer(&format!("sim reboot {card}"));
        let document = place.document(&format!("check {file} -d sim:{card}"));
        assert_eq!(document["cards"][0]["restart"], json!(null));
        assert_eq!(document["cards"][0]["outcome"], "unchanged");
    }
}

#[test]
fn a_card_that_cannot_be_read_is_no_drift() {
    let place = place();
    let file = profile(&place, PROFILE);
    place.answer("sim fault connectx-4 all-ones@50");
    let run = place.run(&format!("check {file} -d sim:connectx-4"));
    assert_eq!(run.code, 7, "{run}");
}
