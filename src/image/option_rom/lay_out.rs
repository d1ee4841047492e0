//! The tree as bytes again.

use super::super::Layout;
use super::{OptionRom, Part, Placed};

impl<'a> OptionRom<'a> {
    /// The file, encoded from the tree.
    #[must_use]
    pub fn layout(&self) -> Layout<'a> {
        let mut layout = Layout::new();
        for (index, image) in self.images.iter().enumerate() {
            lay_out(&image.parts, &format!("image{index}"), &mut layout);
        }
        lay_out(&self.trailing, "trailing", &mut layout);
        layout
    }
}

fn lay_out<'a>(parts: &[Placed<'a>], path: &str, layout: &mut Layout<'a>) {
    for placed in parts {
        let path = format!("{path}/{}", placed.part.name());
        match &placed.part {
            Part::Contents(_, bytes) => layout.section(path, *bytes),
            Part::Padding(bytes) => layout.gap(path, *bytes),
            field => layout.field(path, field.to_bytes()),
        }
    }
}

impl Part<'_> {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Header(header) => header.to_bytes(),
            Self::PnpPointer(pointer) => pointer.to_le_bytes().to_vec(),
            Self::Pcir(pcir) => pcir.to_bytes(),
            Self::DeviceList(ids) => device_list_bytes(ids),
            Self::Pnp(header) => header.to_bytes(),
            Self::Undi(undi) => undi.to_bytes(),
            Self::Ipxe(ipxe) => ipxe.to_bytes(),
            Self::Record(record) => record.to_bytes(),
            Self::Contents(_, bytes) | Self::Padding(bytes) => bytes.to_vec(),
        }
    }
}

/// The ids and the 0 that ends them.
pub(in crate::image) fn device_list_bytes(ids: &[u16]) -> Vec<u8> {
    let ended = ids.iter().chain(std::iter::once(&0));
    ended.flat_map(|id| id.to_le_bytes()).collect()
}
