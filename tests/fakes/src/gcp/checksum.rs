//! CRC-32C (Castagnoli), bit by bit, as its definition says.

/// The checksum of `bytes`.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let mut value = u32::MAX;
    for byte in bytes {
        value ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = value & 1;
            value >>= 1;
            if carry == 1 {
                value ^= 0x82f6_3b78;
            }
        }
    }
    !value
}
