//! Where an H.264 keyframe begins in a payload (RFC 6184, 5.2-5.8).

const SLICE_IDR: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const AGGREGATE: u8 = 24;
const FRAGMENT: u8 = 28;

/// Whether the packet holds a sequence parameter set or begins an IDR picture.
pub fn keyframe(payload: &[u8]) -> bool {
    let begins = |unit: u8| matches!(unit & 0x1f, SLICE_IDR | SEQUENCE_PARAMETERS);
    match payload {
        [unit, rest @ ..] if unit & 0x1f == AGGREGATE => {
            let mut rest = rest;
            while let [high, low, unit, ..] = rest {
                if begins(*unit) {
                    return true;
                }
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(2 + length..).unwrap_or_default();
            }
            false
        }
        [unit, fragment, ..] if unit & 0x1f == FRAGMENT => {
            fragment & 0x80 != 0 && begins(*fragment)
        }
        [unit, ..] => begins(*unit),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_units() {
        assert!(keyframe(&[0x67, 1]));
        assert!(keyframe(&[0x65, 1]));
        assert!(!keyframe(&[0x61, 1]));
        assert!(!keyframe(&[0x68, 1])); // picture parameters alone
        assert!(!keyframe(&[]));
    }

    #[test]
    fn aggregates_are_searched() {
        assert!(keyframe(&[0x78, 0, 1, 0x68, 0, 2, 0x67, 9]));
        assert!(!keyframe(&[0x78, 0, 1, 0x68, 0, 2, 0x61, 9]));
        assert!(!keyframe(&[0x78, 0xff, 0xff, 0x68]));
        assert!(!keyframe(&[0x78, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn only_the_first_fragment_counts() {
        assert!(keyframe(&[0x7c, 0x85, 1]));
        assert!(!keyframe(&[0x7c, 0x45, 1]));
        assert!(!keyframe(&[0x7c, 0x81, 1]));
    }
}
