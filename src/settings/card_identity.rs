//! Which card is meant: the model, and the one board of it.

use serde::{Deserialize, Serialize};

/// Whether two cards are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// They are.
    Same,
    /// They are not.
    Other,
    /// One of them does not say enough.
    CannotTell,
}

/// What a card and its board say that they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardIdentity {
    /// Name of the device in the data files: `connectx-4`.
    pub model: String,
    /// PCI device id.
    pub device_id: u16,
    /// Parameter-set id of the board, where the firmware says it (MGIR).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psid: Option<String>,
    /// Part number of the board (VPD). Not MQIS: that is another spelling
    /// (`MCX456A-ECA_Ax` for `MCX456A-ECAT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
    /// Serial number of the board (VPD).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

impl CardIdentity {
    /// Whether both are the same board: only serial numbers can tell.
    #[must_use]
    pub fn is_same_board(&self, other: &Self) -> Sameness {
        compare(&self.serial_number, &other.serial_number)
    }

    /// Whether both are of one model: device id, PSID, and the part number where
    /// both say one.
    #[must_use]
    pub fn is_same_model(&self, other: &Self) -> Sameness {
        if self.device_id != other.device_id
            || compare(&self.part_number, &other.part_number) == Sameness::Other
        {
            return Sameness::Other;
        }
        compare(&self.psid, &other.psid)
    }
}

fn compare(one: &Option<String>, other: &Option<String>) -> Sameness {
    match (one, other) {
        (Some(one), Some(other)) if one == other => Sameness::Same,
        (Some(_), Some(_)) => Sameness::Other,
        _ => Sameness::CannotTell,
    }
}

impl std::fmt::Display for CardIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:#06x})", self.model, self.device_id)?;
        for (name, value) in [
            ("PSID", &self.psid),
            ("part number", &self.part_number),
            ("serial number", &self.serial_number),
        ] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(psid: &str, part: &str, serial: &str) -> CardIdentity {
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        CardIdentity {
            model: "connectx-4".to_owned(),
            device_id: 0x1013,
            psid: said(psid),
            part_number: said(part),
            serial_number: said(serial),
        }
    }

    #[test]
    fn a_board_is_known_by_its_serial_number_alone() {
        let known = card("MT_1", "A", "S1");
        assert_eq!(
            known.is_same_board(&card("MT_2", "B", "S1")),
            Sameness::Same
        );
        assert_eq!(
            known.is_same_board(&card("MT_1", "A", "S2")),
            Sameness::Other
        );
        assert_eq!(
            known.is_same_board(&card("MT_1", "A", "")),
            Sameness::CannotTell
        );
        let unknown = card("", "", "");
        assert_eq!(unknown.is_same_board(&unknown), Sameness::CannotTell);
    }

    #[test]
    fn a_model_is_device_psid_and_part_number_where_known() {
        let known = card("MT_1", "A", "S1");
        assert_eq!(
            known.is_same_model(&card("MT_1", "A", "S2")),
            Sameness::Same
        );
        assert_eq!(known.is_same_model(&card("MT_1", "", "")), Sameness::Same);
        assert_eq!(
            known.is_same_model(&card("MT_2", "A", "S1")),
            Sameness::Other
        );
        assert_eq!(
            known.is_same_model(&card("MT_1", "B", "S1")),
            Sameness::Other
        );
        assert_eq!(
            known.is_same_model(&card("", "A", "S1")),
            Sameness::CannotTell
        );
        let mut other = known.clone();
        other.device_id = 0x1015;
        assert_eq!(known.is_same_model(&other), Sameness::Other);
    }

    #[test]
    fn what_is_not_known_is_not_written_down() {
        let json = serde_json::to_string(&card("MT_1", "", "")).unwrap();
        assert_eq!(
            json,
            r#"{"model":"connectx-4","device_id":4115,"psid":"MT_1"}"#
        );
        let back: CardIdentity = serde_json::from_str(&json).unwrap();
        assert_eq!(back, card("MT_1", "", ""));
        assert_eq!(back.to_string(), "connectx-4 (0x1013), PSID MT_1");
    }
}
