//! The VP9 payload descriptor (RFC 9628, 4.2), as far as keyframes and their size go.

/// Whether the packet begins a keyframe, and the largest size of its scalability structure.
pub fn keyframe(payload: &[u8]) -> (bool, Option<(u16, u16)>) {
    read(payload).unwrap_or((false, None))
}

fn read(payload: &[u8]) -> Option<(bool, Option<(u16, u16)>)> {
    let first = *payload.first()?;
    let flag = |bit: u8| first & (0x80 >> bit) != 0;
    let (has_id, predicted, has_layers, flexible) = (flag(0), flag(1), flag(2), flag(3));
    let (begins, has_structure) = (flag(4), flag(6));
    let mut at = 1;
    if has_id {
        at += if *payload.get(at)? & 0x80 != 0 { 2 } else { 1 };
    }
    let mut base = true;
    if has_layers {
        base = (*payload.get(at)? >> 1) & 0x07 == 0;
        at += if flexible { 1 } else { 2 };
    }
    if flexible && predicted {
        for last in [false, false, true] {
            let more = *payload.get(at)? & 0x01 != 0;
            at += 1;
            if !more || last {
                break;
            }
        }
    }
    let mut size = None;
    if has_structure {
        let structure = *payload.get(at)?;
        at += 1;
        if structure & 0x10 != 0 {
            for _ in 0..=(structure >> 5) {
                let sides = payload.get(at..at + 4)?;
                size = Some((
                    u16::from_be_bytes([sides[0], sides[1]]),
                    u16::from_be_bytes([sides[2], sides[3]]),
                ));
                at += 4;
            }
        }
    }
    Some((begins && !predicted && base, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_with_a_structure() {
        // I L B V, 15-bit picture id, TID 0 SID 0, TL0PICIDX, two spatial layers with sizes
        let mut payload = vec![0xaa, 0x80, 0x01, 0x00, 0x07, 0x30];
        payload.extend([1, 64, 0, 180, 2, 128, 1, 104, 0xff]);
        assert_eq!(keyframe(&payload), (true, Some((640, 360))));
    }

    #[test]
    fn what_is_not_the_start_of_a_keyframe() {
        assert!(!keyframe(&[0xe8, 0x01, 0x00, 0x07]).0); // predicted
        assert!(!keyframe(&[0xa0, 0x01, 0x00, 0x07]).0); // continuation
        assert!(!keyframe(&[0xa8, 0x01, 0x02, 0x07]).0); // spatial layer 1
        assert!(keyframe(&[0xa8, 0x01, 0x00, 0x07]).0);
        assert!(!keyframe(&[]).0);
    }

    #[test]
    fn references_of_flexible_mode_are_skipped() {
        // I P F B, picture id, two references
        assert!(!keyframe(&[0xd8, 0x01, 0x03, 0x02]).0);
        assert_eq!(keyframe(&[0xd8, 0x01, 0x03]), (false, None));
    }
}
