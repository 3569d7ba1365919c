//! One continuous stream for a receiver out of the encodings of changing sources.
//!
//! Rules: an encoding begins with a keyframe; numbers never step back and never repeat with
//! other content (with AES-GCM a repeated packet index would give the key stream away); a
//! packet that was lost on its way to us keeps its number, one that we drop leaves none.

use super::codec::{Detail, Frame};
use super::interface::{Time, MILLISECOND, SECOND};
use super::reception::Order;
use super::selection::{Decision, Limits, Selection};
use super::sent::{Sent, SentRing, Shift, State, SENT};

const VIDEO_CLOCK: u64 = 90_000;
const AUDIO_CLOCK: u64 = 48_000;
/// The least step of the timestamp when a stream is continued by another: 1 ms of video, one
/// usual packet of audio.
const MIN_VIDEO_STEP: u64 = 90;
const MIN_AUDIO_STEP: u64 = 960;
/// For so long late packets of a left encoding may still fill their places.
const AFTERLIFE: Time = 500 * MILLISECOND;

/// What a slot keeps when its route is moved or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The newest given out.
    pub sequence: u16,
    pub timestamp: u32,
    /// As in [`Shift`]; of template ids the first that is free.
    pub picture: u16,
    pub index: u8,
    pub rtx_sequence: u16,
    /// For sender reports.
    pub packets: u32,
    pub octets: u32,
    /// When the newest was sent; None before the first packet.
    pub at: Option<Time>,
}

impl Numbers {
    /// Random starts; sequence numbers below 2^15 (RFC 3711, 3.3.1 has the reason).
    pub fn start(random: u64) -> Self {
        Numbers {
            sequence: (random & 0x7fff) as u16,
            timestamp: (random >> 16) as u32,
            picture: (random >> 48) as u16 & 0x3fff,
            index: (random >> 40) as u8,
            rtx_sequence: (random >> 24) as u16 & 0x7fff,
            packets: 0,
            octets: 0,
            at: None,
        }
    }
}

/// A packet on its way in, as far as numbering is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    pub encoding: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub order: Order,
    pub keyframe: bool,
    /// Nothing but padding, or to be dropped for all receivers for another reason.
    pub empty: bool,
    /// The beginning of a keyframe that came late, and what followed is still kept.
    pub late_start: bool,
    pub frame: Frame,
}

/// The numbers to send a packet under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub sequence: u16,
    pub timestamp: u32,
    pub picture: u16,
    /// TL0PICIDX, or what template ids are shifted by.
    pub index: u8,
    /// It ends a picture, though its sender goes on with larger layers.
    pub ends: bool,
    /// Decode targets to name, of so many; none if 0.
    pub targets: u8,
    pub mask: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Forward(Outgoing),
    /// Send a packet without payload: the number was kept for a packet that came late and is
    /// not for this receiver.
    Fill(Outgoing),
    Drop,
}

/// The part of a projection that only video has.
#[derive(Debug)]
struct Frames {
    ring: SentRing,
    selection: Selection,
    switched_at: Option<Time>,
}

#[derive(Debug)]
pub struct Projection {
    pub numbers: Numbers,
    /// The encoding being forwarded.
    current: Option<u8>,
    /// The highest allowed; None while paused.
    max_encoding: Option<u8>,
    /// To another bridge: this encoding and no other, all of it, whatever it begins with and
    /// under its own timestamps and codec ids.
    only: Option<u8>,
    /// Only what other frames depend on, for now.
    thin: bool,
    /// No frame after the newest one sent, for now.
    rests: bool,
    /// Outgoing minus incoming.
    sequence_shift: u16,
    shift: Shift,
    newest_incoming: u16,
    /// Older packets of audio have no place: they came before the beginning, or before a packet
    /// that was dropped without leaving a gap.
    first_incoming: u16,
    /// Numbers given out for packets that have not come from the sender, wrapping.
    absent: u32,
    frames: Option<Frames>,
}

impl Projection {
    pub fn audio(numbers: Numbers) -> Self {
        Projection {
            numbers,
            current: None,
            max_encoding: None,
            only: None,
            thin: false,
            rests: false,
            sequence_shift: 0,
            shift: Shift::default(),
            newest_incoming: 0,
            first_incoming: 0,
            absent: 0,
            frames: None,
        }
    }

    pub fn video(numbers: Numbers) -> Self {
        let frames =
            Frames { ring: SentRing::default(), selection: Selection::new(), switched_at: None };
        Projection { frames: Some(frames), ..Projection::audio(numbers) }
    }

    /// One encoding for another bridge.
    pub fn relay(self, encoding: u8) -> Self {
        Projection { only: Some(encoding), max_encoding: Some(encoding), ..self }
    }

    /// What may be forwarded; a negative `max_encoding` pauses at once.
    pub fn limit(&mut self, max_encoding: i32, layers: Limits) {
        self.max_encoding = u8::try_from(max_encoding).ok();
        if let Some(frames) = &mut self.frames {
            frames.selection.limit(layers);
        }
        if self.max_encoding.is_none() {
            self.current = None;
        }
    }

    /// While the receiver's queue is long it gets base layers only.
    #[inline]
    pub fn thin(&mut self, thin: bool) {
        self.thin = thin;
    }

    /// End with the frame that was begun, until [`Self::resume`]; not to another bridge.
    pub fn rest(&mut self) {
        self.rests = self.only.is_none();
    }

    /// Begin anew after a rest.
    pub fn resume(&mut self) {
        if std::mem::take(&mut self.rests) {
            self.interrupt();
        }
    }

    /// Whether a packet is of the newest frame that was sent, or of one before.
    fn is_begun(&self, packet: &Incoming) -> bool {
        let ahead = packet
            .timestamp
            .wrapping_add(self.shift.timestamp)
            .wrapping_sub(self.numbers.timestamp);
        self.current == Some(packet.encoding) && ahead as i32 <= 0
    }

    pub fn is_paused(&self) -> bool {
        self.max_encoding.is_none()
    }

    pub fn is_relay(&self) -> bool {
        self.only.is_some()
    }

    /// Whether a packet with this timestamp is of another frame than the newest sent.
    pub fn begins_frame(&self, timestamp: u32) -> bool {
        timestamp.wrapping_add(self.shift.timestamp) != self.numbers.timestamp
    }

    /// The next packet begins anew: the source was muted, replaced, or counts differently.
    pub fn interrupt(&mut self) {
        self.current = None;
    }

    /// Nothing sent so far may be sent again or filled in.
    pub fn forget(&mut self) {
        if let Some(frames) = &mut self.frames {
            frames.ring.clear();
        }
    }

    /// An encoding counts anew: what is kept of it has numbers that come again.
    pub fn restarted(&mut self, encoding: u8) {
        if let Some(frames) = &mut self.frames {
            frames.ring.forget(encoding);
        }
        if self.current == Some(encoding) {
            self.current = None;
        }
    }

    pub fn current(&self) -> Option<u8> {
        self.current
    }

    /// Numbers that the receiver misses and that were never sent to it; wraps.
    pub fn absent(&self) -> u32 {
        self.absent
    }

    pub fn timestamp_shift(&self) -> u32 {
        self.shift.timestamp
    }

    /// The best encoding among those that flow.
    fn wanted(&self, flowing: u8) -> Option<u8> {
        let max = self.max_encoding?.min(7);
        let allowed = flowing & (0xff >> (7 - max));
        (allowed != 0).then(|| 7 - allowed.leading_zeros() as u8)
    }

    /// Whether a keyframe would help: nothing, or not the best that is allowed, is forwarded.
    pub fn waits(&self, flowing: u8) -> bool {
        self.only.is_none()
            && !self.rests
            && self.frames.as_ref().is_some_and(|frames| {
                self.wanted(flowing)
                    .is_some_and(|wanted| self.current != Some(wanted) || frames.selection.waits())
            })
    }

    /// Whether this packet can be of interest at all; cheap, for the fan-out loop.
    #[inline]
    pub fn considers(&self, packet: &Incoming) -> bool {
        self.max_encoding.is_some()
            && (!self.rests || self.is_begun(packet))
            && self.only.is_none_or(|only| only == packet.encoding)
            && (self.current == Some(packet.encoding)
                || packet.keyframe
                || packet.order == Order::Late
                || self.only.is_some()
                || self.frames.is_none())
    }

    /// Decide about a packet of a source whose encodings in the bit mask `flowing` are active.
    pub fn project(&mut self, now: Time, packet: &Incoming, flowing: u8) -> Verdict {
        if packet.order == Order::Late {
            let starts = packet.late_start
                && self.current != Some(packet.encoding)
                && !self.has_place(packet)
                && self.may_begin(packet, flowing);
            if starts {
                self.begin(now, packet);
                return Verdict::Forward(self.forward(now, packet));
            }
            return self.late(now, packet);
        }
        if self.current != Some(packet.encoding) {
            if packet.empty || !self.may_begin(packet, flowing) {
                return Verdict::Drop;
            }
            self.begin(now, packet);
        } else {
            let step = packet.sequence.wrapping_sub(self.newest_incoming);
            if step == 0 || step >= 0x8000 {
                return Verdict::Drop;
            }
            if step > 1 {
                self.absent = self.absent.wrapping_add(u32::from(step - 1));
                self.note_missing(packet, step - 1);
            }
            self.newest_incoming = packet.sequence;
            if packet.empty || !self.wants_frame(packet) {
                self.sequence_shift = self.sequence_shift.wrapping_sub(1);
                self.numbers.sequence = packet.sequence.wrapping_add(self.sequence_shift);
                self.pass_over(now, packet, step - 1);
                self.first_incoming = packet.sequence;
                return Verdict::Drop;
            }
            if packet.sequence.wrapping_sub(self.first_incoming) > 0x4000 {
                self.first_incoming = packet.sequence.wrapping_sub(0x2000);
            }
        }
        Verdict::Forward(self.forward(now, packet))
    }

    /// Whether a number is kept for this packet: what followed it has been sent already.
    fn has_place(&mut self, packet: &Incoming) -> bool {
        let newest = self.numbers.sequence;
        let oldest = newest.wrapping_sub(SENT as u16 - 1);
        self.frames.as_mut().is_some_and(|frames| {
            frames.ring.missing(packet.encoding, packet.sequence, oldest, newest).is_some()
        })
    }

    fn may_begin(&self, packet: &Incoming, flowing: u8) -> bool {
        let Some(max) = self.max_encoding else {
            return false;
        };
        if let Some(only) = self.only {
            return packet.encoding == only;
        }
        if self.frames.is_none() {
            return true;
        }
        if !packet.keyframe || packet.encoding > max {
            return false;
        }
        match self.current {
            None => true,
            // Down only when it must be: encoders emit stray keyframes on the lowest encoding.
            Some(current) => {
                packet.encoding > current || current > max || flowing & (1 << current.min(7)) == 0
            }
        }
    }

    fn begin(&mut self, now: Time, packet: &Incoming) {
        let elapsed = self.numbers.at.map(|at| now.saturating_sub(at));
        let (clock, least) = match self.frames {
            Some(_) => (VIDEO_CLOCK, MIN_VIDEO_STEP),
            None => (AUDIO_CLOCK, MIN_AUDIO_STEP),
        };
        let step = elapsed.map_or(0, |elapsed| {
            let units = u128::from(elapsed) * u128::from(clock) / u128::from(SECOND);
            (units as u64).max(least)
        });
        let timestamp = self.numbers.timestamp.wrapping_add(step as u32);
        self.sequence_shift = self.numbers.sequence.wrapping_add(1).wrapping_sub(packet.sequence);
        if self.only.is_none() {
            self.shift.timestamp = timestamp.wrapping_sub(packet.timestamp);
            if let Some(picture) = packet.frame.picture() {
                self.shift.picture = self.numbers.picture.wrapping_add(1).wrapping_sub(picture);
            }
            if let Some(index) = packet.frame.index() {
                self.shift.index = self.numbers.index.wrapping_add(1).wrapping_sub(index);
            }
        }
        self.newest_incoming = packet.sequence;
        self.first_incoming = packet.sequence;
        if let Some(frames) = &mut self.frames {
            frames.selection.begin(packet.timestamp, &packet.frame);
            frames.switched_at = Some(now);
        }
        self.current = Some(packet.encoding);
    }

    /// Keep the numbers of the `missing` packets before this one.
    fn note_missing(&mut self, packet: &Incoming, missing: u16) {
        let Some(frames) = &mut self.frames else {
            return;
        };
        for back in (1..=missing.min(SENT as u16 - 1)).rev() {
            let incoming = packet.sequence.wrapping_sub(back);
            frames.ring.put(Sent {
                sequence: incoming.wrapping_add(self.sequence_shift),
                incoming,
                encoding: packet.encoding,
                state: State::Missing,
                layers: frames.selection.layers(),
                shift: self.shift,
                ..Sent::default()
            });
        }
    }

    /// Whether the frame of this packet is forwarded; decided with its first packet to come.
    fn wants_frame(&mut self, packet: &Incoming) -> bool {
        let Some(frames) = &mut self.frames else {
            return true;
        };
        if self.only.is_some() {
            return true;
        }
        let leaving = self.thin || self.current > self.max_encoding;
        let decision = frames.selection.decide(packet.timestamp, &packet.frame, leaving);
        if decision == Decision::Leave && matches!(packet.frame.detail, Detail::Vp8(_)) {
            // Its decoders take a gap for a loss; others' frames refer back by differences.
            self.shift.picture = self.shift.picture.wrapping_sub(1);
        }
        decision == Decision::Forward
    }

    fn forward(&mut self, now: Time, packet: &Incoming) -> Outgoing {
        let mut outgoing =
            shifted(packet, packet.sequence.wrapping_add(self.sequence_shift), self.shift);
        self.numbers.sequence = outgoing.sequence;
        self.advance_clock(now, outgoing.timestamp);
        self.note_numbers(packet, outgoing);
        if let Some(frames) = &mut self.frames {
            let layers = frames.selection.layers();
            if self.only.is_none() {
                outgoing.ends = layers.end_with(&packet.frame);
                (outgoing.mask, outgoing.targets) = frames.selection.names(&packet.frame);
            }
            frames.ring.put(Sent {
                sequence: outgoing.sequence,
                incoming: packet.sequence,
                encoding: packet.encoding,
                state: State::Sent,
                layers,
                shift: self.shift,
                ends: outgoing.ends,
                targets: outgoing.targets,
                mask: outgoing.mask,
                sent_at: (now / MILLISECOND) as u32,
                ..Sent::default()
            });
        }
        outgoing
    }

    fn note_numbers(&mut self, packet: &Incoming, outgoing: Outgoing) {
        if packet.frame.picture().is_some() {
            self.numbers.picture = outgoing.picture;
        }
        if let Some(index) = packet.frame.index() {
            let last = packet.frame.index_step().wrapping_sub(1);
            self.numbers.index = index.wrapping_add(self.shift.index).wrapping_add(last);
        }
    }

    /// Count on from a dropped packet: those `missing` before it may still come, with numbers up
    /// to its own.
    fn pass_over(&mut self, now: Time, packet: &Incoming, missing: u16) {
        let outgoing = shifted(packet, 0, self.shift);
        self.advance_clock(now, outgoing.timestamp);
        self.note_numbers(packet, outgoing);
        // Nothing says which numbers those of a packet without any are.
        let numbers = &mut self.numbers;
        if packet.frame.picture().is_none() {
            numbers.picture = numbers.picture.wrapping_add(missing);
        }
        if packet.frame.index().is_none() {
            numbers.index = numbers.index.wrapping_add(missing as u8);
        }
    }

    /// Remember the newest timestamp and when it was first seen.
    fn advance_clock(&mut self, now: Time, timestamp: u32) {
        if self.numbers.at.is_none() || timestamp != self.numbers.timestamp {
            self.numbers.timestamp = timestamp;
            self.numbers.at = Some(now);
        }
    }

    fn late(&mut self, now: Time, packet: &Incoming) -> Verdict {
        let Some(frames) = &mut self.frames else {
            let ahead = packet.sequence.wrapping_sub(self.first_incoming);
            if self.current != Some(packet.encoding) || packet.empty || ahead >= 0x8000 {
                return Verdict::Drop;
            }
            self.absent = self.absent.wrapping_sub(1);
            let sequence = packet.sequence.wrapping_add(self.sequence_shift);
            return Verdict::Forward(shifted(packet, sequence, self.shift));
        };
        let newest = self.numbers.sequence;
        // Around a switch the place may be from an earlier turn of this encoding.
        let switched = frames.switched_at.is_some_and(|at| now.saturating_sub(at) < AFTERLIFE);
        let from = if switched || self.current.is_none() {
            newest.wrapping_sub(SENT as u16 - 1)
        } else if self.current == Some(packet.encoding) {
            packet.sequence.wrapping_add(self.sequence_shift)
        } else {
            return Verdict::Drop;
        };
        let Some(entry) = frames.ring.missing(packet.encoding, packet.sequence, from, newest)
        else {
            return Verdict::Drop;
        };
        self.absent = self.absent.wrapping_sub(1);
        let layers = entry.layers;
        let whole = self.only.is_some();
        let unwanted = packet.empty || !(whole || layers.include(&packet.frame));
        entry.state = if unwanted { State::Padding } else { State::Sent };
        entry.sent_at = (now / MILLISECOND) as u32;
        let mut outgoing = shifted(packet, entry.sequence, entry.shift);
        outgoing.ends = !whole && layers.end_with(&packet.frame);
        entry.ends = outgoing.ends;
        if unwanted {
            Verdict::Fill(outgoing)
        } else {
            Verdict::Forward(outgoing)
        }
    }

    /// Note the stamp that a packet was first sent with.
    #[inline]
    pub fn stamped(&mut self, sequence: u16, stamp: u32) {
        if let Some(entry) = self.frames.as_mut().and_then(|frames| frames.ring.get(sequence)) {
            entry.stamp = stamp;
        }
    }

    /// What was sent as `sequence`, if it is remembered.
    pub fn sent(&mut self, sequence: u16) -> Option<&mut Sent> {
        self.frames.as_mut()?.ring.get(sequence)
    }
}

fn shifted(packet: &Incoming, sequence: u16, shift: Shift) -> Outgoing {
    let frame = &packet.frame;
    let picture = frame.picture().unwrap_or(0).wrapping_add(shift.picture);
    Outgoing {
        sequence,
        timestamp: packet.timestamp.wrapping_add(shift.timestamp),
        picture: picture & frame.picture_mask(),
        index: match &frame.detail {
            Detail::Dependency(_) => shift.index,
            _ => frame.index().unwrap_or(0).wrapping_add(shift.index),
        },
        ends: false,
        targets: 0,
        mask: 0,
    }
}

#[cfg(test)]
mod table;
