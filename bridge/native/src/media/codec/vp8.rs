//! The VP8 payload descriptor (RFC 7741, 4.2) and keyframe header (4.3).

use super::PictureId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    pub keyframe: bool,
    pub size: Option<(u16, u16)>,
    pub picture_id: Option<PictureId>,
    pub tl0_picture_index: Option<u8>,
    pub temporal_layer: Option<u8>,
    /// The frame depends on nothing above the base layer.
    pub layer_sync: bool,
    tl0_at: u8,
}

/// Read a descriptor; None if the payload is too short for it.
pub fn parse(payload: &[u8]) -> Option<Descriptor> {
    let first = *payload.first()?;
    let mut descriptor = Descriptor::default();
    let mut at = 1;
    if first & 0x80 != 0 {
        let flags = *payload.get(1)?;
        at = 2;
        if flags & 0x80 != 0 {
            let id = PictureId::parse(payload, at)?;
            descriptor.picture_id = Some(id);
            at += id.length();
        }
        if flags & 0x40 != 0 {
            descriptor.tl0_picture_index = Some(*payload.get(at)?);
            descriptor.tl0_at = at as u8;
            at += 1;
        }
        if flags & 0x30 != 0 {
            let layers = *payload.get(at)?;
            if flags & 0x20 != 0 {
                descriptor.temporal_layer = Some(layers >> 6);
                descriptor.layer_sync = layers & 0x20 != 0;
            }
            at += 1;
        }
    }
    let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
    let frame = payload.get(at..)?;
    descriptor.keyframe = starts_frame && *frame.first()? & 0x01 == 0;
    if descriptor.keyframe && frame.len() >= 10 && frame[3..6] == [0x9d, 0x01, 0x2a] {
        let side = |low: u8, high: u8| u16::from_le_bytes([low, high]) & 0x3fff;
        descriptor.size = Some((side(frame[6], frame[7]), side(frame[8], frame[9])));
    }
    Some(descriptor)
}

impl Descriptor {
    /// Write other numbers into the `payload` that this was read from.
    pub fn rewrite(&self, payload: &mut [u8], picture_id: u16, tl0_picture_index: u8) {
        if let Some(id) = self.picture_id {
            id.write(payload, picture_id);
        }
        if self.tl0_picture_index.is_some() {
            if let Some(byte) = payload.get_mut(usize::from(self.tl0_at)) {
                *byte = tl0_picture_index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYFRAME: [u8; 16] = [
        0x90, 0xe0, 0x81, 0x23, 0x45, 0x60, // X S, I L T, picture 0x123, TL0 0x45, TID 1 Y
        0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41, // 640 x 360, scaled
    ];

    #[test]
    fn a_keyframe_with_everything() {
        let descriptor = parse(&KEYFRAME).unwrap();
        assert!(descriptor.keyframe);
        assert_eq!(descriptor.size, Some((640, 360)));
        assert_eq!(descriptor.picture_id.map(|id| (id.value, id.wide)), Some((0x123, true)));
        assert_eq!(descriptor.tl0_picture_index, Some(0x45));
        assert_eq!((descriptor.temporal_layer, descriptor.layer_sync), (Some(1), true));
    }

    #[test]
    fn numbers_are_rewritten_in_place() {
        let mut payload = KEYFRAME;
        parse(&payload).unwrap().rewrite(&mut payload, 0x7fff, 0xee);
        let again = parse(&payload).unwrap();
        assert_eq!(again.picture_id.map(|id| id.value), Some(0x7fff));
        assert_eq!(again.tl0_picture_index, Some(0xee));
        assert_eq!(payload[5..], KEYFRAME[5..]);

        let mut narrow = [0x90, 0x80, 0x05, 0x01];
        parse(&narrow).unwrap().rewrite(&mut narrow, 0x17f, 0);
        assert_eq!(narrow, [0x90, 0x80, 0x7f, 0x01]);
    }

    #[test]
    fn continuations_and_delta_frames_are_no_keyframes() {
        assert!(!parse(&[0x00, 0x00]).unwrap().keyframe);
        assert!(!parse(&[0x10, 0x01]).unwrap().keyframe);
        assert!(!parse(&[0x11, 0x00]).unwrap().keyframe); // second partition
        assert!(parse(&[0x10, 0x00]).unwrap().keyframe);
    }

    #[test]
    fn short_payloads_are_refused() {
        for length in 0..7 {
            assert_eq!(parse(&KEYFRAME[..length.min(6)]), None);
        }
    }
}
