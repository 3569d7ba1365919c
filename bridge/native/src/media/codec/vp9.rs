//! The VP9 payload descriptor (RFC 9628, 4.2).

use super::PictureId;

/// Spatial layers that sizes are kept of.
pub const MAX_SPATIAL: usize = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    pub keyframe: bool,
    /// The size of the largest spatial layer, where the structure tells.
    pub size: Option<(u16, u16)>,
    pub picture_id: Option<PictureId>,
    pub tl0_picture_index: Option<u8>,
    tl0_at: u8,
    pub spatial: u8,
    pub temporal: u8,
    /// It refers to earlier pictures.
    pub predicted: bool,
    /// It refers to the spatial layer below in the same picture.
    pub inter_layer: bool,
    /// What follows in higher temporal layers needs nothing of them from before this picture.
    pub switches_up: bool,
    /// Some spatial layer above refers to it.
    pub referenced: bool,
    pub begins: bool,
    pub ends: bool,
    /// Spatial layers, where the structure tells.
    pub layers: Option<u8>,
    /// Smaller sides by spatial layer, 0 unknown.
    pub heights: [u16; MAX_SPATIAL],
}

/// Read a descriptor; None if the payload is too short for it.
pub fn parse(payload: &[u8]) -> Option<Descriptor> {
    let first = *payload.first()?;
    let flag = |bit: u8| first & (0x80 >> bit) != 0;
    let (has_id, predicted, has_layers, flexible) = (flag(0), flag(1), flag(2), flag(3));
    let (begins, ends, has_structure, unreferenced) = (flag(4), flag(5), flag(6), flag(7));
    let mut descriptor =
        Descriptor { predicted, begins, ends, referenced: !unreferenced, ..Descriptor::default() };
    let mut at = 1;
    if has_id {
        let id = PictureId::parse(payload, at)?;
        descriptor.picture_id = Some(id);
        at += id.length();
    }
    if has_layers {
        let layers = *payload.get(at)?;
        descriptor.temporal = layers >> 5;
        descriptor.switches_up = layers & 0x10 != 0;
        descriptor.spatial = layers >> 1 & 0x07;
        descriptor.inter_layer = layers & 0x01 != 0;
        at += 1;
        if !flexible {
            descriptor.tl0_picture_index = Some(*payload.get(at)?);
            descriptor.tl0_at = at as u8;
            at += 1;
        }
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
    if has_structure {
        let structure = *payload.get(at)?;
        at += 1;
        let layers = (structure >> 5) + 1;
        descriptor.layers = Some(layers);
        if structure & 0x10 != 0 {
            for layer in 0..usize::from(layers) {
                let sides = payload.get(at..at + 4)?;
                let width = u16::from_be_bytes([sides[0], sides[1]]);
                let height = u16::from_be_bytes([sides[2], sides[3]]);
                descriptor.size = Some((width, height));
                if let Some(place) = descriptor.heights.get_mut(layer) {
                    *place = width.min(height);
                }
                at += 4;
            }
        }
    }
    descriptor.keyframe = begins && !predicted && descriptor.spatial == 0;
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

    fn keyframe(payload: &[u8]) -> bool {
        parse(payload).is_some_and(|descriptor| descriptor.keyframe)
    }

    /// I L B V, 15-bit picture id, TID 0 SID 0, TL0PICIDX, two spatial layers with sizes
    fn structured() -> Vec<u8> {
        let mut payload = vec![0xaa, 0x80, 0x01, 0x00, 0x07, 0x30];
        payload.extend([1, 64, 0, 180, 2, 128, 1, 104, 0xff]);
        payload
    }

    #[test]
    fn a_keyframe_with_a_structure() {
        let descriptor = parse(&structured()).unwrap();
        assert!(descriptor.keyframe);
        assert_eq!(descriptor.size, Some((640, 360)));
        assert_eq!(descriptor.layers, Some(2));
        assert_eq!(descriptor.heights, [180, 360, 0, 0]);
        assert_eq!(descriptor.tl0_picture_index, Some(7));
    }

    #[test]
    fn the_layers_and_what_they_need() {
        // I P L B E Z; TID 2, U, SID 1, D
        let descriptor = parse(&[0xed, 0x05, 0x53, 9]).unwrap();
        assert_eq!((descriptor.temporal, descriptor.spatial), (2, 1));
        assert!(descriptor.switches_up && descriptor.inter_layer && descriptor.predicted);
        assert!(descriptor.begins && descriptor.ends && !descriptor.referenced);
    }

    #[test]
    fn what_is_not_the_start_of_a_keyframe() {
        assert!(!keyframe(&[0xe8, 0x01, 0x00, 0x07])); // predicted
        assert!(!keyframe(&[0xa0, 0x01, 0x00, 0x07])); // continuation
        assert!(!keyframe(&[0xa8, 0x01, 0x02, 0x07])); // spatial layer 1
        assert!(keyframe(&[0xa8, 0x01, 0x00, 0x07]));
        assert!(!keyframe(&[]));
    }

    #[test]
    fn references_of_flexible_mode_are_skipped() {
        // I P F B, picture id, two references
        assert!(!keyframe(&[0xd8, 0x01, 0x03, 0x02]));
        assert_eq!(parse(&[0xd8, 0x01, 0x03]), None);
    }

    #[test]
    fn numbers_are_rewritten_in_place() {
        let mut payload = structured();
        let descriptor = parse(&payload).unwrap();
        descriptor.rewrite(&mut payload, 0x1234, 0x99);
        let again = parse(&payload).unwrap();
        assert_eq!(again.picture_id.map(|id| id.value), Some(0x1234));
        assert_eq!(again.tl0_picture_index, Some(0x99));
        assert_eq!(payload[5..], structured()[5..]);
    }
}
