//! What becomes of an audio packet: whether anybody gets it is decided here once, and what is
//! dropped leaves no gap, so that an open microphone nobody hears costs nothing per receiver.

use super::codec::{self, Codec};
use super::engine::Media;
use super::extension::{Extension, EXTENSIONS};
use super::fan_out::Original;
use super::forward::Packet;
use super::interface::*;
use super::projection::Incoming;
use super::reception::Order;
use super::red::{Red, MAX_BLOCKS};
use super::source::says_silence;

const MAX_LEVELS: usize = 1024 * 12;
const LEVELS_INTERVAL: Time = 40 * MILLISECOND;
const SILENT_AFTER: Time = 2 * SECOND;

/// One frame to send on.
#[derive(Clone, Copy)]
struct Frame {
    /// Without the numbers of packets that were dropped.
    sequence: u16,
    timestamp: u32,
    order: Order,
    marker: bool,
    /// Of redundant audio, where in the payload it is.
    place: Option<(usize, usize)>,
    recovered: bool,
}

impl Media {
    /// Take an audio packet; `number` is its sequence number, extended.
    pub(super) fn forward_audio(
        &mut self,
        now: Time,
        found: &Packet,
        number: u64,
        order: Order,
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        let header = &found.header;
        let Some(source) = self.sources.get_mut(found.origin.source) else {
            return;
        };
        if source.muted {
            self.stats.dropped_muted += 1;
            return;
        }
        let level = header.extensions.get(Extension::AudioLevel, packet);
        let level = level.and_then(|value| value.first().copied());
        let silence = order != Order::Late && source.is_silence(level);
        if let Some(level) = level.filter(|level| !says_silence(Some(*level))) {
            self.tell_level(now, found.origin.source, level);
        }
        let payload = packet.get(header.payload_start..header.payload_end).unwrap_or_default();
        let red = (found.meaning.codec == Codec::Red).then(|| {
            let own = found.meaning.retransmits;
            Red::parse(payload).filter(|red| red.primary.payload_type == own)
        });
        let dropped = if payload.is_empty() {
            Some(&mut self.stats.dropped_padding)
        } else if red == Some(None) {
            Some(&mut self.stats.dropped_red)
        } else if silence {
            Some(&mut self.stats.dropped_silence)
        } else if !self.is_heard(now, found.origin.source, level, order) {
            Some(&mut self.stats.dropped_quiet)
        } else {
            None
        };
        let dropped = dropped.map(|count| *count += 1).is_some();
        let encoding = usize::from(found.origin.encoding);
        let Some(source) = self.sources.get_mut(found.origin.source) else {
            return;
        };
        let id = source.id;
        let Some(incoming) = source.encodings.get_mut(encoding) else {
            return;
        };
        if dropped {
            if order != Order::Late {
                incoming.close(number);
            }
            return;
        }
        let Some(sequence) = incoming.without_closed(number) else {
            self.stats.dropped_too_old += 1;
            return;
        };
        if source.sounds(now, encoding) && source.is_own() {
            let encoding = found.origin.encoding;
            out.event(Event::SourceActive { source: id, encoding, size: None });
        }
        if self.next.is_none() {
            self.wake(now + SILENT_AFTER);
        }
        let red = red.flatten();
        let place = red.map(|red| (red.primary.start, red.primary.end));
        let frame = Frame {
            sequence,
            timestamp: header.timestamp,
            order,
            marker: header.marker,
            place,
            recovered: false,
        };
        if let (Some(red), Order::Next { gap }) = (red, order) {
            self.recover(now, found, &red, gap, frame, packet, out);
        }
        self.send_frame(now, found, frame, packet, out);
    }

    /// Send the lost frames before this one that it repeats, to whoever does not get RED.
    #[allow(clippy::too_many_arguments)] // those of `forward_audio`, and what it has found
    fn recover(
        &mut self,
        now: Time,
        found: &Packet,
        red: &Red,
        gap: u64,
        own: Frame,
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        for distance in (1..=gap.min(MAX_BLOCKS as u64) as u16).rev() {
            let Some(block) = red.before(usize::from(distance)) else {
                continue;
            };
            let source = self.sources.get_mut(found.origin.source);
            let encoding = usize::from(found.origin.encoding);
            let Some(incoming) = source.and_then(|source| source.encodings.get_mut(encoding))
            else {
                return;
            };
            // The packet itself is a duplicate, should it still come.
            let lost = found.header.sequence.wrapping_sub(distance);
            if incoming.reception.receive(lost, true).1 != Order::Late {
                continue;
            }
            self.stats.red_recovered += 1;
            let frame = Frame {
                sequence: own.sequence.wrapping_sub(distance),
                timestamp: own.timestamp.wrapping_sub(block.age),
                order: Order::Late,
                marker: false,
                place: Some((block.start, block.end)),
                recovered: true,
            };
            self.send_frame(now, found, frame, packet, out);
        }
    }

    fn send_frame(
        &mut self,
        now: Time,
        found: &Packet,
        frame: Frame,
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        let header = &found.header;
        let Some((head, payload)) = packet.split_at_mut_checked(header.payload_start) else {
            return;
        };
        let Some(payload) = payload.get_mut(..header.payload_end - header.payload_start) else {
            return;
        };
        let mut values = [None; EXTENSIONS];
        values[Extension::AudioLevel as usize] =
            header.extensions.get(Extension::AudioLevel, head).filter(|value| !value.is_empty());
        let original = Original {
            incoming: Incoming {
                encoding: found.origin.encoding,
                sequence: frame.sequence,
                timestamp: frame.timestamp,
                order: frame.order,
                keyframe: true,
                empty: false,
                late_start: false,
                frame: codec::Frame::default(),
            },
            codec: found.meaning.codec,
            payload_type: header.payload_type,
            marker: frame.marker,
            values,
            frame: frame.place,
            recovered: frame.recovered,
        };
        self.fan_out(now, found.origin.source, &original, payload, out);
    }

    /// Whether a packet of the source is loud enough to be forwarded, or need not be.
    fn is_heard(&mut self, now: Time, index: usize, level: Option<u8>, order: Order) -> bool {
        let Some(source) = self.sources.get_mut(index) else {
            return false;
        };
        let Some(conference) = self.conferences.get_mut(source.conference) else {
            return false;
        };
        let loudest = &mut conference.loudest;
        if loudest.is_off() {
            return true;
        }
        // Late and silent packets take no place from others; they go the way of those before.
        if order != Order::Late && !says_silence(level) {
            let energy = source.loudness.heard(level);
            source.loud = loudest.rank(now, source.id, energy);
        }
        source.loud || loudest.has_room() || loudest.is_exempt(source.id)
    }

    /// Put an audio level with those that are told next.
    fn tell_level(&mut self, now: Time, index: usize, level: u8) {
        let Some(source) = self.sources.get_mut(index) else {
            return;
        };
        if !source.is_own() || !source.may_tell_level(now) {
            return;
        }
        let Some(conference) = self.conferences.get_mut(source.conference) else {
            return;
        };
        if conference.levels.len() < MAX_LEVELS {
            let milliseconds = (now / MILLISECOND) as u32;
            conference.levels.extend(source.id.to_le_bytes());
            conference.levels.extend(milliseconds.to_le_bytes());
            conference.levels.extend([level, 0, 0, 0]);
        }
        if conference.levels_since.is_none() {
            conference.levels_since = Some(now);
            self.wake(now + LEVELS_INTERVAL);
        }
    }
}
