//! What becomes of a received RTP packet before it is copied to its receivers.

use super::cache::{Cache, Cached};
use super::codec::{self, Codec, Frame};
use super::engine::Media;
use super::extension::{Extension, EXTENSIONS};
use super::fan_out::Original;
use super::interface::*;
use super::payload_types::Meaning;
use super::projection::Incoming;
use super::reception::Order;
use super::rtcp_write;
use super::rtp::Header;
use super::transport::Origin;

const REPORT_INTERVAL: Time = 500 * MILLISECOND;
/// So far back a receiver may still begin with a keyframe whose beginning came late.
pub(super) const MAX_CATCH_UP: u64 = 128;

/// A packet with its retransmission unwrapped.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    pub header: Header,
    pub meaning: Meaning,
    pub origin: Origin,
    pub recovered: bool,
}

impl Media {
    /// Take one decrypted RTP packet.  Its bytes are changed.
    pub fn receive_rtp(
        &mut self,
        now: Time,
        transport: u32,
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        self.stats.rtp_received += 1;
        self.take_rtp(now, transport, packet, out);
    }

    /// As [`Self::receive_rtp`], of a packet that may be a mirror's.
    pub(super) fn take_rtp(
        &mut self,
        now: Time,
        transport: u32,
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        let Some(index) = self.transports.index(transport) else {
            self.stats.dropped_unknown_transport += 1;
            return;
        };
        let Some(found) = self.read(now, index, packet, out) else {
            return;
        };
        let Packet { header, meaning, origin, recovered } = found;
        let Some(source) = self.sources.get_mut(origin.source) else {
            return;
        };
        if meaning.codec.is_audio() != (source.kind == Kind::Audio) {
            self.stats.dropped_payload_type += 1;
            return;
        }
        let encoding = usize::from(origin.encoding);
        if !source.takes() {
            return;
        }
        let is_own = source.is_own();
        let Some(incoming) = source.encodings.get_mut(encoding) else {
            return;
        };
        let (number, order) = incoming.reception.receive(header.sequence, recovered);
        if !recovered && !matches!(order, Order::Duplicate | Order::TooOld) {
            incoming.reception.arrived(now, header.timestamp, meaning.clock_rate);
        }
        let mut lost_for_good = false;
        match order {
            Order::Duplicate => {
                self.stats.dropped_duplicate += 1;
                return;
            }
            Order::TooOld => {
                self.stats.dropped_too_old += 1;
                return;
            }
            Order::First => {
                incoming.nacks.clear();
                incoming.reopen();
                if let Some(cache) = &mut incoming.cache {
                    cache.clear();
                }
                // Also those that are paused or muted: no number may be answered from what
                // comes now.
                for route in &mut source.routes {
                    route.projection.restarted(origin.encoding);
                }
            }
            Order::Late => incoming.nacks.arrived(number),
            Order::Next { gap } => {
                if gap > 0 && meaning.nack && is_own {
                    lost_for_good = !incoming.nacks.skipped(now, number, gap);
                }
            }
        }
        self.stats.rtx_recovered += u64::from(recovered && is_own);
        if source.kind == Kind::Audio {
            self.forward_audio(now, &found, number, order, packet, out);
            return;
        }
        let media_active = header.payload_end > header.payload_start;
        if media_active && !incoming.active {
            incoming.active = true;
            let event = Event::SourceActive {
                source: source.id,
                encoding: origin.encoding,
                size: incoming.size,
            };
            if is_own {
                out.event(event);
            }
        }
        let asks = !incoming.nacks.is_empty();
        source.flows(now, encoding, header.timestamp);
        let at = now + 2 * SECOND;
        if self.next.is_none() {
            self.wake(at);
        }
        if asks {
            self.ask_again(now, origin.source, encoding, out);
        }
        if lost_for_good {
            self.want_keyframe(now, origin.source, out);
        }
        self.forward_video(now, &found, order, packet, out);
    }

    /// Parse, take note of the arrival and find the origin; None if the packet is done with.
    fn read(
        &mut self,
        now: Time,
        index: usize,
        packet: &[u8],
        out: &mut impl Output,
    ) -> Option<Packet> {
        let transport = self.transports.get_mut(index)?;
        let Some(mut header) = Header::parse(packet, &transport.extensions) else {
            self.stats.dropped_malformed += 1;
            return None;
        };
        transport.stats.packets_received += 1;
        transport.stats.bytes_received += packet.len() as u64;
        let mut wake = None;
        if transport.report_at.is_none() && transport.mirror_of.is_none() {
            transport.report_at = Some(now + REPORT_INTERVAL);
            wake = transport.report_at;
        }
        let mut report = false;
        if let (Some(arrivals), Some(&[high, low])) =
            (&mut transport.arrivals, header.extensions.get(Extension::TransportCc, packet))
        {
            let number = u16::from_be_bytes([high, low]);
            report = arrivals.record(now, number, header.ssrc, header.marker);
            if let (false, Some(deadline)) = (report, arrivals.deadline()) {
                wake = Some(wake.map_or(deadline, |wake: Time| wake.min(deadline)));
            }
        }
        let meaning = transport.payload_types.meaning(header.payload_type);
        let origin = transport.origin(header.ssrc);
        if let Some(wake) = wake {
            self.wake(wake);
        }
        if report {
            self.report_arrivals(now, index, out);
        }
        let transport = self.transports.get_mut(index)?;
        let Some(origin) = origin else {
            self.unknown_ssrc(index, &header);
            return None;
        };
        let Some(mut meaning) = meaning else {
            self.stats.dropped_payload_type += 1;
            return None;
        };
        if origin.rtx != (meaning.codec == Codec::Rtx) {
            self.stats.dropped_payload_type += 1;
            return None;
        }
        if origin.rtx {
            self.stats.rtx_received += u64::from(transport.mirror_of.is_none());
            let original = packet.get(header.payload_start..header.payload_end)?;
            let [high, low, rest @ ..] = original else {
                self.stats.dropped_padding += 1;
                return None;
            };
            if rest.is_empty() {
                self.stats.dropped_padding += 1;
                return None;
            }
            header.sequence = u16::from_be_bytes([*high, *low]);
            header.payload_start += 2;
            header.payload_type = meaning.retransmits;
            let Some(original) = transport
                .payload_types
                .meaning(header.payload_type)
                .filter(|original| original.codec != Codec::Rtx)
            else {
                self.stats.dropped_payload_type += 1;
                return None;
            };
            meaning = original;
        }
        Some(Packet { header, meaning, origin, recovered: origin.rtx })
    }

    fn unknown_ssrc(&mut self, index: usize, header: &Header) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        let (id, conference) = (transport.id, transport.conference);
        self.stats.dropped_unknown_ssrc += 1;
        if !transport.is_news(header.ssrc) {
            return;
        }
        let foreign = self.conferences.get(conference).is_some_and(|conference| {
            let others = conference.transports.iter().filter(|other| **other != id);
            let mut others = others.filter_map(|other| self.transports.index(*other));
            others.any(|other| {
                let other = self.transports.get(other);
                other.is_some_and(|other| other.origin(header.ssrc).is_some())
            })
        });
        self.stats.dropped_foreign_ssrc += u64::from(foreign);
    }

    /// Send the NACK that is due for an encoding.
    pub(super) fn ask_again(
        &mut self,
        now: Time,
        source: usize,
        encoding: usize,
        out: &mut impl Output,
    ) {
        let Some(source) = self.sources.get_mut(source) else {
            return;
        };
        let Some(incoming) = source.encodings.get_mut(encoding) else {
            return;
        };
        let (Some(transport), Some(conference)) =
            (self.transports.get(source.transport), self.conferences.get(source.conference))
        else {
            return;
        };
        let mut numbers = [0; rtcp_write::MAX_NACKED];
        let mut count = 0;
        let highest = incoming.reception.highest();
        incoming.nack_at = incoming.nacks.due(now, highest, transport.stats.rtt, |number| {
            if let Some(place) = numbers.get_mut(count) {
                *place = number;
                count += 1;
            }
        });
        if count > 0 {
            let mut buffer = [0; 12 + 4 * rtcp_write::MAX_NACKED];
            let sender = conference.video_ssrc;
            let length = rtcp_write::nack(&mut buffer, sender, incoming.ssrc, &numbers[..count]);
            out.send_rtcp(transport.id, &buffer[..length]);
            self.stats.nack_sent += 1;
            self.stats.rtcp_sent += 1;
            self.stats.nack_requested += count as u64;
        }
        if let Some(at) = incoming.nack_at {
            self.wake(at);
        }
    }

    fn forward_video(
        &mut self,
        now: Time,
        found: &Packet,
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
        source.end_rest(now);
        let is_own = source.is_own();
        let Some(incoming) = source.encodings.get_mut(usize::from(found.origin.encoding)) else {
            return;
        };
        let payload = packet.get(header.payload_start..header.payload_end).unwrap_or_default();
        let descriptor = header.extensions.get(Extension::DependencyDescriptor, packet);
        let empty = payload.is_empty();
        self.stats.dropped_padding += u64::from(empty);
        let codec = found.meaning.codec;
        // Not one that a newer one has come before.
        let newest = incoming.keyframe.is_none_or(|at| {
            order != Order::Late || (header.timestamp.wrapping_sub(at) as i32) > 0
        });
        let frame = if empty {
            Frame::default()
        } else {
            codec::inspect(codec, payload, descriptor, &mut incoming.memory, newest)
        };
        let descriptor = descriptor.filter(|_| frame.keeps_descriptor());
        if frame.size.is_some() && frame.size != incoming.size && incoming.may_tell_size(now) {
            incoming.size = frame.size;
            let event = Event::SourceActive {
                source: source.id,
                encoding: found.origin.encoding,
                size: frame.size,
            };
            if is_own {
                out.event(event);
            }
        }
        let read = codec != Codec::OtherVideo;
        if frame.keyframe && read && !empty && newest && incoming.keyframe != Some(header.timestamp)
        {
            incoming.keyframe = Some(header.timestamp);
            source.keyframes.arrived();
            self.stats.keyframes += u64::from(is_own);
        }
        // Padding as well: it says where its frame is in time to who begins late.
        if found.meaning.nack {
            let orientation = header.extensions.get(Extension::Orientation, packet);
            incoming.cache.get_or_insert_with(Cache::default).insert(
                now,
                header.sequence,
                Cached {
                    timestamp: header.timestamp,
                    marker: header.marker,
                    payload_type: header.payload_type,
                    orientation: orientation.filter(|value| value.len() == 1).map(|value| value[0]),
                    descriptor,
                    payload,
                },
            );
        }
        if !empty && is_own {
            incoming.meter.count(&frame, header.timestamp, payload.len());
        }
        let keyframe = frame.keyframe && !empty;
        let late_start = keyframe
            && read
            && found.meaning.nack
            && order == Order::Late
            && newest
            && incoming.reception.is_among_newest(header.sequence, MAX_CATCH_UP);
        let incoming = Incoming {
            encoding: found.origin.encoding,
            sequence: header.sequence,
            timestamp: header.timestamp,
            order,
            keyframe,
            empty,
            late_start,
            frame,
        };
        let waiting = self.copy_to_all(now, found, incoming, packet, out);
        if late_start {
            self.catch_up(now, found.origin.source, found.origin.encoding, out);
        }
        if waiting {
            let Some(source) = self.sources.get_mut(found.origin.source) else {
                return;
            };
            if source.keyframes.still_waiting(now) {
                self.ask_keyframe(found.origin.source, out);
            } else if let Some(deadline) = source.keyframes.deadline() {
                self.wake(deadline);
            }
        }
    }

    /// Send a video packet to whoever takes it; true if somebody waits for a keyframe.
    fn copy_to_all(
        &mut self,
        now: Time,
        found: &Packet,
        incoming: Incoming,
        packet: &mut [u8],
        out: &mut impl Output,
    ) -> bool {
        let header = &found.header;
        let Some((head, payload)) = packet.split_at_mut_checked(header.payload_start) else {
            return false;
        };
        let length = header.payload_end - header.payload_start;
        let Some(payload) = payload.get_mut(..length) else {
            return false;
        };
        let mut values = [None; EXTENSIONS];
        let value = |kind| header.extensions.get(kind, head).filter(|value| !value.is_empty());
        values[Extension::Orientation as usize] =
            value(Extension::Orientation).filter(|value| value.len() == 1);
        values[Extension::DependencyDescriptor as usize] =
            value(Extension::DependencyDescriptor).filter(|_| incoming.frame.keeps_descriptor());
        let original = Original {
            incoming,
            codec: found.meaning.codec,
            payload_type: header.payload_type,
            marker: header.marker,
            values,
            frame: None,
            recovered: false,
        };
        self.fan_out(now, found.origin.source, &original, payload, out)
    }
}
