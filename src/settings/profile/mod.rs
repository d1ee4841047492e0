//! Profiles: one file says how cards shall be.
//!
//! A profile is TOML, or the same in JSON:
//!
//! ```toml
//! schema = 1
//!
//! [settings]                      # for every card and port
//! IP_VER = "IPv4_IPv6"
//!
//! [[section]]
//! name = "rack 7"
//! match = { model = "connectx-4*", port = 1, host = ["node1*", "node2*"] }
//! [section.settings]
//! BOOT_VLAN_EN = true
//! BOOT_VLAN = 7
//! ```
//!
//! [`Profile::parse`] checks all that can be checked without a card,
//! [`Profile::resolve`] says what one card shall be like. A section refines
//! earlier ones where its match is narrower: it names every key that the
//! earlier one names, with values inside of those, and at least one more key or
//! fewer values. `[settings]` is refined by every section. Whatever else says two
//! things of one port is a contradiction.

mod catalog;
mod criteria;
mod document;
mod export;
mod facts;
mod finding;
mod from_json;
mod from_toml;
mod given;
mod node;
mod parse_match;
mod parse_settings;
mod pattern;
mod resolve;
mod schema;

pub use document::{Profile, ProfileText, ReadBeside, Syntax};
pub use export::{ExportedCard, ExportedSetting, Secrets, to_toml};
pub use facts::{CardFacts, PortFacts};
pub use finding::{At, Finding, Problem, ProfileError, Remedy, SectionLabel};
pub use resolve::{Desired, Entry, Note};
pub use schema::profile_schema;

#[cfg(test)]
mod tests;
