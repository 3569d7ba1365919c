//! Where an AV1 coded video sequence begins, for senders without dependency descriptors: by the
//! aggregation header (AV1 RTP payload specification, 4.4).

/// Whether the packet begins a keyframe.
pub fn keyframe(payload: &[u8]) -> bool {
    payload.first().is_some_and(|header| header & 0x88 == 0x08)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_sequence_bit_decides() {
        assert!(keyframe(&[0x08]));
        assert!(!keyframe(&[0x88])); // continues an OBU
        assert!(!keyframe(&[0x10]));
        assert!(!keyframe(&[]));
    }
}
