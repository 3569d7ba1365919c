//! Frames of a stream with spatial and temporal layers, as its encoder describes them.

use super::*;

/// What a target cannot do without.
const REQUIRED: u8 = 3;

/// Three spatial and three temporal layers, all nine choices being decode targets, ascending.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    /// Only keyframes refer to the spatial layer below.
    pub key_only: bool,
    pub next: u16,
    /// The last frame of each spatial and temporal layer.
    pub last: [[Option<u16>; 3]; 3],
}

impl Encoder {
    pub fn target(spatial: u8, temporal: u8) -> u8 {
        3 * spatial + temporal
    }

    /// The next frame; `spatial` ascends in each picture.  With the numbers of those it needs.
    pub fn frame(&mut self, key: bool, spatial: u8, temporal: u8) -> (Descriptor, Vec<u16>) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        if key && spatial == 0 {
            self.last = [[None; 3]; 3];
        }
        let layer = &mut self.last[usize::from(spatial)];
        let mut needs = Vec::new();
        if !key {
            let below = &layer[..usize::from(temporal).max(1)];
            let age = |one: &u16| number.wrapping_sub(*one);
            needs.extend(below.iter().flatten().min_by_key(|one| age(one)));
        }
        layer[usize::from(temporal)] = Some(number);
        let inter_layer = key || !self.key_only;
        if spatial > 0 && inter_layer {
            needs.push(number.wrapping_sub(1));
        }
        let mut descriptor = Descriptor {
            starts: true,
            ends: true,
            keyframe: key && spatial == 0,
            frame: number,
            spatial,
            temporal,
            targets: Targets { count: 9, active: 0x1ff, ..Targets::default() },
            ..Descriptor::default()
        };
        for need in &needs {
            descriptor.references |= 1 << (number.wrapping_sub(*need) - 1);
        }
        for (of, fastest) in (0..3).flat_map(|of| (0..3).map(move |fastest| (of, fastest))) {
            let target = Self::target(of, fastest);
            descriptor.targets.layers[usize::from(target)] = (of, fastest);
            let indication = match () {
                () if spatial > of || temporal > fastest => NOT_PRESENT,
                () if spatial < of && !inter_layer => NOT_PRESENT,
                () if spatial < of && !key => REQUIRED,
                () if temporal > 0 && temporal == fastest => DISCARDABLE,
                () => SWITCH,
            };
            descriptor.indications |= u64::from(indication) << (2 * target);
        }
        (descriptor, needs)
    }
}
