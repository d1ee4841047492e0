//! ConnectX-3 and -3 Pro: legacy gateway, tools HCR, MNVA settings.

mod chip;
mod defaults;
mod hcr;
mod settings;

pub(crate) use chip::ConnectX3;
