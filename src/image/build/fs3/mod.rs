//! FS3 images from a description.
//!
//! ```toml
//! format = "fs3"
//! file_size = 0x1000000
//! psid = "MT_0000000008"
//! version = "12.14.2036"
//! date = "2016-05-31"
//! hw_ids = [0x209]
//! pci_device = 0x1013
//! base_guid = 0x7cfe900300112233
//! base_mac = 0x7cfe90112233
//! ini = "[image]\n"
//! signature = "digest"
//!
//! [boot2]
//! random = 1
//! size = 0x100
//!
//! [rom]
//! hex = "55 AA 01 CB"
//!
//! [[section]]
//! type = "MAIN_CODE"
//! content = { random = 2, size = 0x20000 }
//! ```
//!
//! Everything but `format`, `file_size` and `hw_ids` may be left out. The device
//! data lies as far from the end of the file as in genuine images of 16 MiB.

mod description;
mod device_data;
mod image;
mod info;

pub use description::{Fs3Description, Fs3Section, Fs3Signature, SpareItoc};
