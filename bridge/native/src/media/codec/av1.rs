//! Where an AV1 coded video sequence begins: the dependency descriptor if there is one
//! (appendix A of the AV1 RTP payload specification), the aggregation header otherwise (4.4).

/// Whether the packet begins a keyframe.
pub fn keyframe(payload: &[u8], descriptor: Option<&[u8]>) -> bool {
    match descriptor {
        Some(descriptor) => structure_follows(descriptor),
        None => payload.first().is_some_and(|header| header & 0x88 == 0x08),
    }
}

/// The first packet of a frame whose descriptor carries the template structure; encoders attach
/// it to keyframes.
fn structure_follows(descriptor: &[u8]) -> bool {
    match descriptor {
        [first, _, _, flags, ..] => first & 0x80 != 0 && flags & 0x80 != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_decides() {
        assert!(keyframe(&[0x00], Some(&[0xc0, 0, 1, 0x80])));
        assert!(!keyframe(&[0x08], Some(&[0xc0, 0, 1])));
        assert!(!keyframe(&[0x08], Some(&[0x40, 0, 1, 0x80]))); // not the first packet
        assert!(!keyframe(&[0x08], Some(&[0xc0, 0, 1, 0x40])));
    }

    #[test]
    fn without_descriptor_the_new_sequence_bit() {
        assert!(keyframe(&[0x08], None));
        assert!(!keyframe(&[0x88], None)); // continues an OBU
        assert!(!keyframe(&[0x10], None));
        assert!(!keyframe(&[], None));
    }
}
