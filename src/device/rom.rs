//! What the expansion ROM of a card says of itself.

use crate::image::payload::{Answer, Fact, prove};
use crate::image::{RomProduct, mentions_ipxe, version_records};
use crate::pci::{Function, FunctionError};
use crate::settings::RomFacts;

/// Reads the expansion ROM through the host and looks for its version record.
///
/// Where the host does not show it, nobody can tell, and the answer says why.
pub fn read_rom_facts(function: &mut dyn Function) -> RomFacts {
    match function.read_option_rom() {
        Ok(bytes) => rom_facts(&bytes),
        Err(FunctionError::RomUnavailable { reason, .. }) => RomFacts::CannotTell(reason),
        Err(error) => {
            let mut reason = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                reason = format!("{reason}: {cause}");
                source = cause.source();
            }
            RomFacts::CannotTell(reason)
        }
    }
}

/// What the bytes of an expansion ROM say: its version record, and without one its
/// code.
#[must_use]
pub fn rom_facts(bytes: &[u8]) -> RomFacts {
    let flexboot = version_records(bytes)
        .filter_map(Result::ok)
        .filter(|record| record.product == RomProduct::Pxe)
        .find_map(|record| record.numbered());
    match flexboot {
        Some(version) => RomFacts::FlexBoot(version),
        None if mentions_ipxe(bytes) => proven(bytes).unwrap_or(RomFacts::IpxeWithoutRecord),
        None => RomFacts::Foreign,
    }
}

/// What the code shows, if it shows that the ROM boots over IPv6: because of the
/// setting, or without it.
fn proven(bytes: &[u8]) -> Option<RomFacts> {
    let proof = prove(bytes);
    let is = |fact: &Fact| fact.answer == Answer::Yes;
    let boots = is(&proof.ipv6) && (is(&proof.obeys_ip_ver) || is(&proof.ipv6_when_unset));
    boots.then(|| {
        let version = proof.version.as_deref().unwrap_or("of an unknown version");
        RomFacts::Proven(format!("{} {version}", proof.program.word()))
    })
}
