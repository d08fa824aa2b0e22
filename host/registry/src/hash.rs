//! A hash that is the same in every build and on every machine, unlike the standard library's hashers.
//!
//! Must not know what is decided by it.

/// The hash of these bytes: FNV-1a, with its halves folded since its low bits are mixed best.
pub fn stable_hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let hash = bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_values_never_change() {
        assert_eq!(stable_hash([]), 0xcbf2_9ce4_4fd0_bfc1);
        assert_eq!(stable_hash(*b"a"), 0xaf63_dc4c_2962_30c0);
    }
}
