//! ConnectX-4 and -4 Lx: vendor capability, ICMD mailbox, MNVDA settings.

mod chip;
mod icmd;
mod registers;
mod settings;
mod vsec;

pub(crate) use chip::ConnectX4;
