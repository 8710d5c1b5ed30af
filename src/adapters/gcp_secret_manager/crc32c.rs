//! CRC-32C (Castagnoli; RFC 3720 §12.1): the checksum of payloads.

const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = table();

#[expect(
    clippy::cast_possible_truncation,
    reason = "an index of 256 entries, while compiling"
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ POLYNOMIAL
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

/// The checksum of `bytes`.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |value, byte| {
        let [low, ..] = value.to_le_bytes();
        let step = TABLE.get(usize::from(low ^ byte)).copied();
        value >> 8 ^ step.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720 §B.4, and those of the protocol.
    #[test]
    fn the_vectors_are_met() {
        let counting: Vec<u8> = (0..32).collect();
        for (bytes, expected) in [
            (b"".as_slice(), 0),
            (b"hello", 2_591_144_780),
            (b"123456789", 3_808_858_755),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&counting, 0x46dd_794e),
        ] {
            assert_eq!(crc32c(bytes), expected, "{} bytes", bytes.len());
        }
    }
}
