//! The registers that flexctl uses, one file each, and two HCR queries.
//!
//! Register ids are per generation: 0x9029 is MNVIA on ConnectX-3 but the boot
//! address register (MFAI) on ConnectX-4. A register that does not say an id
//! for a generation cannot be sent there.

mod mfai;
mod mfba;
mod mfbe;
mod mfmc;
mod mfpa;
mod mfrl;
mod mgir;
mod mnva;
mod mnvda;
mod mnvdi;
mod mnvgc;
mod mnvgn;
mod mnvia;
mod mnvqc;
mod mqis;
mod query_def_params;
mod query_dev_cap;

use super::Method;

pub use mfai::Mfai;
pub use mfba::Mfba;
pub use mfbe::Mfbe;
pub use mfmc::Mfmc;
pub use mfpa::Mfpa;
pub use mfrl::Mfrl;
pub use mgir::Mgir;
pub use mnva::{Mnva, MnvaKey};
pub use mnvda::{Mnvda, TlvHeader, TypeDword, Which};
pub use mnvdi::Mnvdi;
pub use mnvgc::Mnvgc;
pub use mnvgn::Mnvgn;
pub use mnvia::Mnvia;
pub use mnvqc::Mnvqc;
pub use mqis::{Mqis, MqisInfo};
pub use query_def_params::{DefParamsGlobal, DefParamsPort};
pub use query_dev_cap::DevCap;

/// A register: its name, its ids and its form.
pub trait Register: Sized {
    /// Name, as the source spells it.
    const NAME: &'static str;
    /// Id on the tools HCR (ConnectX-3); `None` when it does not exist there.
    const TOOLS_HCR: Option<u16>;
    /// Id on ICMD (ConnectX-4); `None` when it does not exist there.
    const ICMD: Option<u16>;
    /// Whether the part that a GET does not send may hold anything, rather than
    /// zeros.
    const ANSWER_IS_FREE: bool = false;

    /// What is sent and what is read back.
    fn layout(&self, method: Method) -> Layout;
}

/// A register that can be read.
pub trait Readable: Register {
    /// The register from the bytes of its answer, up to the last wanted dword.
    /// Dwords that were not wanted are zero.
    ///
    /// # Errors
    /// When the answer is shorter than the register.
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error>;
}

/// What one register access sends and reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The register's first dwords, as they are written.
    pub written: Vec<u32>,
    /// The register's length in dwords, as it is declared.
    pub declared_dwords: u16,
    /// The dwords of the answer that matter.
    pub wanted: Vec<usize>,
}

/// Big-endian bytes as dwords; a rest of one to three bytes is padded with zeros.
fn dwords(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks(4)
        .map(|chunk| {
            let mut dword = [0; 4];
            dword
                .iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            u32::from_be_bytes(dword)
        })
        .collect()
}
