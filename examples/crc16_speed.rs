//! How fast the CRC of firmware images is on one core; `scripts/bench` runs it.

use std::time::Instant;

use flexctl::image::checksum::crc16;

const BYTES: usize = 16 << 20;
const ROUNDS: u32 = 20;

#[allow(clippy::print_stdout)]
fn main() {
    let image: Vec<u8> = (0..=250).cycle().take(BYTES).collect();
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        std::hint::black_box(crc16(std::hint::black_box(&image)));
        best = best.min(begun.elapsed().as_secs_f64());
    }
    println!(
        "CRC-16 of {BYTES} bytes: {:.2} GB/s",
        BYTES as f64 / best / 1e9
    );
}
