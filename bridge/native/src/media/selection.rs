//! Which frames of the encoding being forwarded a receiver gets: the spatial and temporal layers
//! within its limits that it can decode.
//!
//! A frame is decided about with its first packet to come.  Layers are left at the next frame,
//! and taken up where the stream allows it: at a keyframe, or where it says that nothing from
//! before is needed.

use super::codec::{dependency, vp8, vp9, Detail, Frame};

/// A limit that allows all layers.
pub const ALL: u8 = 7;
/// So many pictures without the largest spatial layer, and its sender has stopped it.
const MISSED: u8 = 12;

/// What of an encoding is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub spatial: u8,
    pub temporal: u8,
}

/// What is forwarded: enough to judge a packet that comes late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Of streams with dependency descriptors: the decode target.
    pub spatial: u8,
    pub temporal: u8,
}

impl Layers {
    /// Whether a late packet is of a layer that was being forwarded.
    pub fn include(&self, frame: &Frame) -> bool {
        match &frame.detail {
            Detail::Nothing => true,
            Detail::Unreadable => false,
            Detail::Vp8(vp8) => vp8.temporal_layer.is_none_or(|layer| layer <= self.temporal),
            Detail::Vp9(vp9) => vp9.temporal <= self.temporal && self.include_vp9_layer(vp9),
            Detail::Dependency(frame) => frame.indication(self.spatial) != dependency::NOT_PRESENT,
        }
    }

    /// Below the one that is shown, only what it needs.  Who needs the layer below, and is needed
    /// by none above, is the largest of its picture for now.
    fn include_vp9_layer(&self, frame: &vp9::Descriptor) -> bool {
        frame.spatial == self.spatial
            || (frame.spatial < self.spatial && (frame.referenced || frame.inter_layer))
    }

    /// Whether the packet ends the picture for who gets these layers, though not for its sender.
    pub fn end_with(&self, frame: &Frame) -> bool {
        match &frame.detail {
            Detail::Vp9(vp9) => vp9.ends && vp9.spatial == self.spatial,
            Detail::Dependency(frame) => {
                frame.ends
                    && frame
                        .targets
                        .get(self.spatial)
                        .is_some_and(|(spatial, _)| frame.spatial == spatial)
            }
            Detail::Nothing | Detail::Vp8(_) | Detail::Unreadable => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Forward,
    /// The first packet of a frame that is left out.
    Leave,
    /// Another packet of it.
    LeaveOn,
}

impl Decision {
    fn of(wanted: bool, first: bool) -> Self {
        match (wanted, first) {
            (true, _) => Decision::Forward,
            (false, true) => Decision::Leave,
            (false, false) => Decision::LeaveOn,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Selection {
    limits: Limits,
    layers: Layers,
    /// The picture being decided about, by RTP timestamp; a frame by its number.
    picture: Option<u32>,
    frame: Option<u16>,
    /// Spatial layers of this picture that were decided about, and those left out, as bits.
    decided: u8,
    left: u8,
    temporal: u8,
    /// The layer that is shown has been forwarded of this picture: that ends it.
    shown: bool,
    /// Spatial layers left out of the last picture of the base temporal layer.
    base_left: u8,
    /// After this picture higher temporal layers may be taken up.
    opens: bool,
    /// The largest spatial layer there is, and how many pictures it has not been seen in.
    top: u8,
    missed: u8,
    highest: u8,
    /// Bit n: the frame n + 1 before `frame` was left out.
    frames_left: u64,
    wanted: bool,
    /// The limits cannot be reached without a keyframe.
    stuck: bool,
    /// The receiver was told that not all decode targets are active.
    told_less: bool,
}

impl Selection {
    pub fn new() -> Self {
        Selection {
            limits: Limits { spatial: ALL, temporal: ALL },
            layers: Layers { spatial: 0, temporal: ALL },
            picture: None,
            frame: None,
            decided: 0,
            left: 0,
            temporal: 0,
            shown: false,
            base_left: 0,
            opens: false,
            top: 0,
            missed: 0,
            highest: 0,
            frames_left: 0,
            wanted: false,
            stuck: false,
            told_less: false,
        }
    }

    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.stuck = false;
    }

    pub fn layers(&self) -> Layers {
        self.layers
    }

    /// Whether only a keyframe brings what is wanted.
    pub fn waits(&self) -> bool {
        self.stuck
    }

    /// An encoding begins with this packet of a keyframe.
    pub fn begin(&mut self, timestamp: u32, frame: &Frame) {
        let limits = self.limits;
        *self = Selection { limits, told_less: self.told_less, ..Selection::new() };
        self.layers.temporal = limits.temporal;
        self.decide(timestamp, frame, false);
        if matches!(frame.detail, Detail::Nothing) {
            self.picture = Some(timestamp);
        }
    }

    /// Decide about a packet; `leaving` the encoding, only what later frames need is wanted.
    pub fn decide(&mut self, timestamp: u32, frame: &Frame, leaving: bool) -> Decision {
        match &frame.detail {
            Detail::Nothing => Decision::Forward,
            Detail::Unreadable => Decision::LeaveOn,
            Detail::Vp8(vp8) => self.decide_vp8(timestamp, vp8, leaving),
            Detail::Vp9(vp9) => self.decide_vp9(timestamp, vp9, leaving),
            Detail::Dependency(frame) => self.decide_by_dependency(timestamp, frame, leaving),
        }
    }

    fn decide_vp8(&mut self, timestamp: u32, frame: &vp8::Descriptor, leaving: bool) -> Decision {
        if self.picture == Some(timestamp) {
            return Decision::of(self.wanted, false);
        }
        self.picture = Some(timestamp);
        let most = if leaving { 0 } else { self.limits.temporal };
        let layers = &mut self.layers;
        layers.temporal = if frame.keyframe { most } else { layers.temporal.min(most) };
        self.wanted = match frame.temporal_layer {
            None => true,
            Some(layer) if layer <= layers.temporal => true,
            Some(layer) if layer == layers.temporal + 1 && layer <= most && frame.layer_sync => {
                layers.temporal = layer;
                true
            }
            Some(_) => false,
        };
        Decision::of(self.wanted, true)
    }

    fn decide_vp9(&mut self, timestamp: u32, frame: &vp9::Descriptor, leaving: bool) -> Decision {
        let most = if leaving { 0 } else { self.limits.temporal };
        if self.picture != Some(timestamp) {
            self.next_picture(most, frame.temporal);
            self.picture = Some(timestamp);
        }
        let bit = 1u8 << frame.spatial.min(7);
        if self.decided & bit != 0 {
            return Decision::of(self.left & bit == 0, false);
        }
        self.decided |= bit;
        self.see(frame);
        if frame.keyframe {
            self.base_left = 0;
            self.stuck = false;
            self.layers = Layers { spatial: self.wanted_spatial(), temporal: most };
        }
        let below = bit >> 1;
        let decodable = (!frame.predicted || self.base_left & bit == 0)
            && (!frame.inter_layer || self.left & below == 0);
        let goal = self.wanted_spatial();
        if frame.spatial == goal && self.layers.spatial != goal && frame.temporal == 0 {
            if decodable && !self.shown {
                // Its higher temporal layers may need what was not forwarded of them so far.
                self.layers = Layers { spatial: goal, temporal: 0 };
            }
            self.stuck = !decodable;
        }
        let wanted = decodable
            && frame.temporal <= self.layers.temporal
            && self.layers.include_vp9_layer(frame);
        if !wanted {
            self.left |= bit;
        }
        self.shown |= wanted && frame.spatial == self.layers.spatial;
        self.opens |= wanted && frame.switches_up;
        Decision::of(wanted, true)
    }

    fn next_picture(&mut self, most: u8, temporal: u8) {
        if self.picture.is_some() {
            if self.temporal == 0 {
                self.base_left = self.left;
            }
            self.missed = self.missed.saturating_add(1);
            if self.missed > MISSED {
                self.top = self.highest;
                self.missed = 0;
                self.highest = 0;
            }
        }
        self.decided = 0;
        self.left = 0;
        self.shown = false;
        self.temporal = temporal;
        let opened = std::mem::take(&mut self.opens);
        self.layers.temporal = if opened { most } else { self.layers.temporal.min(most) };
    }

    /// Learn from a frame which spatial layers there are.
    fn see(&mut self, frame: &vp9::Descriptor) {
        if let Some(layers) = frame.layers {
            self.top = layers - 1;
            self.missed = 0;
        }
        self.highest = self.highest.max(frame.spatial);
        if frame.spatial >= self.top {
            self.top = frame.spatial;
            self.missed = 0;
            self.highest = 0;
        }
    }

    fn wanted_spatial(&self) -> u8 {
        self.limits.spatial.min(self.top)
    }

    fn decide_by_dependency(
        &mut self,
        timestamp: u32,
        frame: &dependency::Descriptor,
        leaving: bool,
    ) -> Decision {
        if self.frame == Some(frame.frame) {
            return Decision::of(self.wanted, false);
        }
        if let Some(before) = self.frame {
            let step = frame.frame.wrapping_sub(before);
            self.frames_left = self.frames_left.checked_shl(u32::from(step)).unwrap_or(0);
            if !self.wanted && (1..=64).contains(&step) {
                self.frames_left |= 1 << (step - 1);
            }
        }
        self.frame = Some(frame.frame);
        if self.picture != Some(timestamp) {
            self.picture = Some(timestamp);
            self.shown = false;
        }
        let target = &mut self.layers.spatial;
        let mut goal = frame.targets.within(self.limits.spatial, self.limits.temporal);
        if leaving {
            // Not only what nobody needs: of a picture without its largest layer the others
            // would be sent for nothing.
            goal = frame.targets.slowest(goal);
        }
        if frame.keyframe {
            self.frames_left = 0;
            self.stuck = false;
            *target = goal;
        } else if goal != *target {
            let decodable = frame.references & self.frames_left == 0 && !frame.refers_far;
            let may_begin = frame.indication(goal) == dependency::SWITCH && decodable;
            let is_its =
                frame.targets.get(goal).is_some_and(|(spatial, _)| spatial == frame.spatial);
            if may_begin && !self.shown {
                *target = goal;
                self.stuck = false;
            } else if !may_begin && frame.temporal == 0 && is_its {
                self.stuck = true;
            }
        }
        let indication = frame.indication(*target);
        self.wanted = indication != dependency::NOT_PRESENT
            && !(leaving && indication == dependency::DISCARDABLE);
        let shown = frame.targets.get(*target).is_some_and(|(spatial, _)| spatial == frame.spatial);
        self.shown |= self.wanted && shown;
        Decision::of(self.wanted, true)
    }

    /// Which decode targets to name with a packet that is forwarded: (mask, targets), no targets
    /// to say nothing.
    pub fn names(&mut self, frame: &Frame) -> (u32, u8) {
        let Detail::Dependency(frame) = &frame.detail else {
            return (0, 0);
        };
        let mask = frame.targets.mask(self.layers.spatial);
        let less = mask != frame.targets.all();
        if !frame.starts || !(less || self.told_less || frame.layout.says_active) {
            return (0, 0);
        }
        // A structure says by itself that all are active.
        self.told_less = less || (self.told_less && !frame.layout.structure);
        (mask, frame.targets.count)
    }
}

#[cfg(test)]
mod dependency_table;
#[cfg(test)]
mod spatial_states;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vp9_table;
