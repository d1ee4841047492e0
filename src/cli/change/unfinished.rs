//! What an earlier run left unfinished, and what the card holds of it.

use crate::device::Unfinished;
use crate::settings::{PortSettings, Stored};

use super::super::report::UnfinishedReport;

/// What the card holds of a transaction that an earlier run did not finish.
pub(in crate::cli) fn unfinished_report(
    record: &Unfinished,
    ports: &[PortSettings],
) -> UnfinishedReport {
    let holds = |function: &str, key: &str| {
        ports
            .iter()
            .filter(|port| port.function.to_string() == function)
            .flat_map(|port| &port.tlvs)
            .find(|reading| reading.key.to_string() == key)
    };
    let state = record
        .tlvs
        .iter()
        .map(|tlv| {
            let reading = holds(&tlv.function, &tlv.key);
            let secret = tlv.secret || reading.is_some_and(|reading| reading.tlv.is_secret());
            let now = reading.map(|reading| reading.next.as_ref().map(Stored::to_string));
            let what = match now {
                Some(Ok(now)) if now == tlv.after => "holds the new value".to_owned(),
                Some(Ok(now)) if now == tlv.before => "holds what it held before".to_owned(),
                Some(Ok(_)) if secret => "holds something else".to_owned(),
                Some(Ok(now)) => format!("holds something else: {now}"),
                Some(Err(_)) => "cannot be read".to_owned(),
                None => "was not looked at".to_owned(),
            };
            let place = match tlv.port {
                0 => "card".to_owned(),
                port => format!("port {port}"),
            };
            format!("{place} {} ({}) {what}", tlv.tlv, tlv.key)
        })
        .collect();
    UnfinishedReport {
        process: record.process,
        started_unix: record.started_unix,
        state,
    }
}
