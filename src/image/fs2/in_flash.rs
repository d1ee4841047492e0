//! One image in a flash, of which it is known where it must be.

use super::Fs2Image;
use super::header::Fs2Header;
use super::read_image::parse_image;
use super::stripes::{Stripes, View};
use crate::image::checksum::sum8;
use crate::image::{Finding, Parsed};

/// Reads the image that has these chunks of a flash; without stripes one that
/// lies in a row from the first byte on.
pub(in crate::image) fn image_in_flash(
    flash: &[u8],
    stripes: Option<Stripes>,
    slot: usize,
) -> Parsed<Fs2Image<'_>> {
    parse_image(view(flash, stripes), slot)
}

/// The header of an image whose first bytes these are, if its failsafe word is
/// sound: with a wrong sum nothing says how the flash is divided.
pub(in crate::image) fn sound_header(image: &[u8]) -> Option<Fs2Header> {
    let header = Fs2Header::read(View::contiguous(image))?;
    (sum8(&header.failsafe.to_be_bytes()) == 0).then_some(header)
}

/// What is wrong inside of it.
pub(in crate::image) fn check_in_flash(image: &Fs2Image<'_>) -> Vec<Finding> {
    image.check()
}

fn view(flash: &[u8], stripes: Option<Stripes>) -> View<'_> {
    match stripes {
        Some(stripes) => View::striped(flash, stripes),
        None => View::contiguous(flash),
    }
}
