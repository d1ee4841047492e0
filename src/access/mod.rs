//! Reach a word in the card through a PCI function.
//!
//! Three ways: the vendor-specific capability of ConnectX-4 ([`Vsec`]), the
//! address/data pair at 0x58/0x5c of ConnectX-3 ([`LegacyGateway`]) and the
//! CR space that ConnectX-3 shows in BAR0 ([`BarWindow`]). All of them speak
//! [`Gateway`]; [`open()`] takes the first that works.

mod bar_window;
mod error;
mod gateway;
mod legacy_gateway;
mod mstflint_lock;
mod open;
mod patience;
mod vsec;

pub use bar_window::BarWindow;
pub use error::AccessError;
pub use gateway::{Gateway, Space, Word};
pub use legacy_gateway::LegacyGateway;
pub use open::open;
pub use patience::{GaveUp, Patience, Wait};
pub use vsec::Vsec;
