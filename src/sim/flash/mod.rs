//! The flash of a virtual card: a serial NOR chip, and the ways that lead to it.
//!
//! The chip knows nothing of how it is reached. What leads to it: the SPI gateway
//! in CR space (both generations), and the registers MFPA, MFBA, MFBE and MFMC by
//! the firmware's commands. What is on it when a card is new is built from the
//! card's profile, and only when somebody looks.

mod cells;
mod counters;
pub(crate) mod gateway;
pub(crate) mod new_card;
mod part;
pub(crate) mod registers;
mod spi_chip;
mod status_registers;

pub use cells::FlashSnapshot;
pub use counters::FlashCounters;

pub(crate) use cells::Cells;
pub(crate) use gateway::GatewayRegisters;
pub(crate) use part::FlashPart;
pub(crate) use spi_chip::Latches;
pub(crate) use status_registers::StatusRegisters;
