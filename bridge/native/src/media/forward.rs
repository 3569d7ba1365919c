//! From a received RTP packet to the packets that leave for its receivers.

use super::cache::{Cache, Cached};
use super::codec::{self, Codec};
use super::engine::Media;
use super::extension::{Extension, EXTENSIONS};
use super::header::{Fields, HeaderWriter};
use super::interface::*;
use super::payload_types::Meaning;
use super::projection::{Incoming, Outgoing, Verdict};
use super::reception::Order;
use super::rtcp_write;
use super::rtp::Header;
use super::source::{Route, Source};
use super::table::Table;
use super::transport::{Origin, Transport};

const MAX_LEVELS: usize = 1024 * 12;
const LEVELS_INTERVAL: Time = 40 * MILLISECOND;
/// How often one packet is sent again.
const MAX_RESENDS: u8 = 3;
const REPORT_INTERVAL: Time = 500 * MILLISECOND;

/// A packet with its retransmission unwrapped.
#[derive(Clone, Copy)]
struct Packet {
    header: Header,
    meaning: Meaning,
    origin: Origin,
    recovered: bool,
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
        let Some(index) = self.transports.index(transport) else {
            self.stats.dropped_unknown_transport += 1;
            return;
        };
        let Some(found) = self.read(now, index, packet, out) else { return };
        let Packet { header, meaning, origin, recovered } = found;
        let Some(source) = self.sources.get_mut(origin.source) else { return };
        if (meaning.codec == Codec::Audio) != (source.kind == Kind::Audio) {
            self.stats.dropped_payload_type += 1;
            return;
        }
        let encoding = usize::from(origin.encoding);
        let Some(incoming) = source.encodings.get_mut(encoding) else { return };
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
                if let Some(cache) = &mut incoming.cache {
                    cache.clear();
                }
            }
            Order::Late => incoming.nacks.arrived(number),
            Order::Next { gap } => {
                if gap > 0 && meaning.nack {
                    lost_for_good = !incoming.nacks.skipped(now, number, gap);
                }
            }
        }
        self.stats.rtx_recovered += u64::from(recovered);
        let media_active = header.payload_end > header.payload_start;
        if media_active && !incoming.active {
            incoming.active = true;
            out.event(Event::SourceActive {
                source: source.id,
                encoding: origin.encoding,
                size: incoming.size,
            });
        }
        let asks = !incoming.nacks.is_empty();
        source.flows(now, encoding);
        let at = now + 2 * SECOND;
        if self.next.is_none() {
            self.wake(at);
        }
        match meaning.codec {
            Codec::Audio => self.forward_audio(now, &found, order, packet, out),
            _ => {
                if asks {
                    self.ask_again(now, origin.source, encoding, out);
                }
                if lost_for_good {
                    self.want_keyframe(now, origin.source, out);
                }
                self.forward_video(now, &found, order, packet, out);
            }
        }
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
        if transport.report_at.is_none() {
            transport.report_at = Some(now + REPORT_INTERVAL);
            wake = transport.report_at;
        }
        let mut report = false;
        if let (Some(arrivals), Some(&[high, low])) = (
            &mut transport.arrivals,
            header.extensions.get(Extension::TransportCc, packet),
        ) {
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
            self.unknown_ssrc(index, &header, out);
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
            self.stats.rtx_received += 1;
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

    fn unknown_ssrc(&mut self, index: usize, header: &Header, out: &mut impl Output) {
        let Some(transport) = self.transports.get_mut(index) else { return };
        let (id, conference) = (transport.id, transport.conference);
        self.stats.dropped_unknown_ssrc += 1;
        if !transport.is_news(header.ssrc) {
            return;
        }
        out.event(Event::UnknownSsrc {
            transport: id,
            ssrc: header.ssrc,
            payload_type: header.payload_type,
        });
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
        let Some(source) = self.sources.get_mut(source) else { return };
        let Some(incoming) = source.encodings.get_mut(encoding) else { return };
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

    fn forward_audio(
        &mut self,
        now: Time,
        found: &Packet,
        order: Order,
        packet: &mut [u8],
        out: &mut impl Output,
    ) {
        let header = &found.header;
        let Some(source) = self.sources.get_mut(found.origin.source) else { return };
        if source.muted {
            self.stats.dropped_muted += 1;
            return;
        }
        let level = header.extensions.get(Extension::AudioLevel, packet);
        let level = level.and_then(|value| value.first().copied());
        let silence = order != Order::Late && source.is_silence(level);
        let padding = header.payload_start == header.payload_end;
        self.stats.dropped_silence += u64::from(silence);
        self.stats.dropped_padding += u64::from(padding);
        if let Some(level) = level {
            if let Some(conference) = self.conferences.get_mut(source.conference) {
                if conference.levels.len() < MAX_LEVELS {
                    let milliseconds = (now / MILLISECOND) as u32;
                    conference.levels.extend(source.id.to_le_bytes());
                    conference.levels.extend(milliseconds.to_le_bytes());
                    conference.levels.extend([level, 0, 0, 0]);
                }
                if conference.levels_since.is_none() {
                    conference.levels_since = Some(now);
                    let at = now + LEVELS_INTERVAL;
                    self.wake(at);
                }
            }
        }
        let incoming = Incoming {
            encoding: found.origin.encoding,
            sequence: header.sequence,
            timestamp: header.timestamp,
            order,
            keyframe: true,
            empty: silence || padding,
            vp8: codec::vp8::Descriptor::default(),
        };
        self.fan_out(now, found, &incoming, packet, out);
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
        let Some(source) = self.sources.get_mut(found.origin.source) else { return };
        if source.muted {
            self.stats.dropped_muted += 1;
            return;
        }
        let Some(incoming) = source.encodings.get_mut(usize::from(found.origin.encoding)) else {
            return;
        };
        let payload = packet.get(header.payload_start..header.payload_end).unwrap_or_default();
        let descriptor = header.extensions.get(Extension::DependencyDescriptor, packet);
        let empty = payload.is_empty();
        self.stats.dropped_padding += u64::from(empty);
        let frame = codec::inspect(found.meaning.codec, payload, descriptor);
        if frame.size.is_some() && frame.size != incoming.size {
            incoming.size = frame.size;
            out.event(Event::SourceActive {
                source: source.id,
                encoding: found.origin.encoding,
                size: frame.size,
            });
        }
        let read = found.meaning.codec != Codec::OtherVideo;
        if frame.keyframe && read && !empty && incoming.keyframe != Some(header.timestamp) {
            incoming.keyframe = Some(header.timestamp);
            source.keyframes.arrived();
            self.stats.keyframes += 1;
        }
        if !empty && found.meaning.nack {
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
        let incoming = Incoming {
            encoding: found.origin.encoding,
            sequence: header.sequence,
            timestamp: header.timestamp,
            order,
            keyframe: frame.keyframe && !empty,
            empty,
            vp8: frame.vp8,
        };
        if self.fan_out(now, found, &incoming, packet, out) {
            let Some(source) = self.sources.get_mut(found.origin.source) else { return };
            if source.keyframes.still_waiting(now) {
                self.ask_keyframe(found.origin.source, out);
            } else if let Some(deadline) = source.keyframes.deadline() {
                self.wake(deadline);
            }
        }
    }

    /// Send a packet to every receiver that takes it; true if one of them waits for a keyframe.
    fn fan_out(
        &mut self,
        now: Time,
        found: &Packet,
        incoming: &Incoming,
        packet: &mut [u8],
        out: &mut impl Output,
    ) -> bool {
        let Media { sources, transports, stats, writer, .. } = self;
        let Some(source) = sources.get_mut(found.origin.source) else { return false };
        let Source { routes, encodings, flowing, transport: owner, .. } = source;
        let flowing = *flowing;
        let header = &found.header;
        let Some((head, payload)) = packet.split_at_mut_checked(header.payload_start) else {
            return false;
        };
        let length = header.payload_end - header.payload_start;
        let Some(payload) = payload.get_mut(..length) else { return false };
        let mut values = [None; EXTENSIONS];
        // Of video only what the cache keeps as well, so that a plain retransmission is equal.
        let value = |kind| header.extensions.get(kind, head).filter(|value| !value.is_empty());
        let kinds: &[Extension] = match found.meaning.codec {
            Codec::Audio => &[Extension::AudioLevel],
            _ => &[Extension::Orientation, Extension::DependencyDescriptor],
        };
        for &kind in kinds {
            values[kind as usize] = value(kind);
        }
        let orientation = &mut values[Extension::Orientation as usize];
        *orientation = orientation.filter(|value| value.len() == 1);
        writer.reset();
        let mut waiting = false;
        for route in routes {
            let before = route.projection.current();
            if !route.projection.considers(incoming) {
                waiting |= route.projection.waits(flowing);
                continue;
            }
            if route.mapped != header.payload_type {
                remap(route, *owner, header.payload_type, transports);
            }
            let Some(mapping) = route.mapping else {
                stats.dropped_not_negotiated += 1;
                continue;
            };
            let verdict = route.projection.project(now, incoming, flowing);
            waiting |= route.projection.waits(flowing);
            let outgoing = match verdict {
                Verdict::Drop => continue,
                Verdict::Fill(outgoing) => {
                    let header = filler(mapping.payload_type, outgoing, route.ssrc);
                    out.send_rtp(route.receiver_id, &header, &[1]);
                    stats.holes_filled += 1;
                    continue;
                }
                Verdict::Forward(outgoing) => outgoing,
            };
            let Some(receiver) = transports.get_mut(route.receiver) else { continue };
            if incoming.vp8.picture_id.is_some() || incoming.vp8.tl0_picture_index.is_some() {
                let index = outgoing.tl0_picture_index;
                incoming.vp8.rewrite(payload, outgoing.picture_id, index);
            }
            let starts = before != Some(incoming.encoding)
                && route.projection.current() == Some(incoming.encoding);
            // An audio stream that goes on elsewhere begins a talk spurt (RFC 3551, 4.1).
            let marker = header.marker || (starts && found.meaning.codec == Codec::Audio);
            let ids = ids_for(receiver, mapping.transport_cc);
            let transport_sequence = next_transport_sequence(receiver, ids);
            let bytes = writer.write(
                &ids,
                &values,
                Fields {
                    marker,
                    payload_type: mapping.payload_type,
                    sequence: outgoing.sequence,
                    timestamp: outgoing.timestamp,
                    ssrc: route.ssrc,
                    transport_sequence,
                },
            );
            let size = bytes.len() + payload.len();
            out.send_rtp(route.receiver_id, bytes, payload);
            route.projection.stamped(outgoing.sequence, transport_sequence);
            route.count(payload.len());
            receiver.count_sent(size);
            stats.rtp_forwarded += 1;
            stats.rtp_bytes_forwarded += size as u64;
            if starts {
                stats.encoding_switches += u64::from(before.is_some());
                let clock = encodings
                    .get(usize::from(incoming.encoding))
                    .and_then(|encoding| encoding.clock);
                if let Some(clock) = clock {
                    super::control::send_report(now, route, clock, stats, out);
                }
            }
        }
        waiting
    }

    /// Send again what a receiver has lost; `sequence` is the outgoing number.
    pub(super) fn resend(
        &mut self,
        now: Time,
        receiver: usize,
        source: usize,
        sequence: u16,
        out: &mut impl Output,
    ) {
        let Media { sources, transports, stats, scratch, .. } = self;
        let (Some(source), Some(transport)) =
            (sources.get_mut(source), transports.get_mut(receiver))
        else {
            return;
        };
        let Source { routes, encodings, muted, .. } = source;
        let Some(route) = routes.iter_mut().find(|route| route.receiver == receiver) else {
            return;
        };
        let mapped = route.mapped;
        let sent = route.projection.sent(sequence).filter(|sent| {
            sent.state == super::sent::State::Sent && sent.resends < MAX_RESENDS && !*muted
        });
        let (Some(sent), Some(mapping)) = (sent, route.mapping) else {
            stats.nack_unanswered += 1;
            return;
        };
        let cached = encodings
            .get(usize::from(sent.encoding))
            .and_then(|encoding| encoding.cache.as_ref())
            .and_then(|cache| cache.get(sent.incoming))
            .filter(|cached| cached.payload_type == mapped);
        let Some(cached) = cached else {
            stats.nack_unanswered += 1;
            return;
        };
        let milliseconds = (now / MILLISECOND) as u32;
        let age = Time::from(milliseconds.wrapping_sub(sent.sent_at)) * MILLISECOND;
        if age < transport.resend_guard() {
            return;
        }
        let size = 40 + cached.payload.len();
        if !transport.may_resend(size) {
            stats.resend_over_budget += 1;
            return;
        }
        sent.resends += 1;
        sent.sent_at = milliseconds;
        let sent = *sent;
        let Some(room) = scratch.get_mut(..cached.payload.len() + 2) else { return };
        let (original, payload) = room.split_at_mut(2);
        original.copy_from_slice(&sequence.to_be_bytes());
        payload.copy_from_slice(cached.payload);
        let vp8 = codec::vp8::parse(payload).unwrap_or_default();
        if mapping.codec == Codec::Vp8 {
            let wide = vp8.picture_id.map_or(0, |id| id.value.wrapping_add(sent.shift.picture_id));
            let index = vp8.tl0_picture_index.unwrap_or(0);
            vp8.rewrite(
                payload,
                wide & 0x7fff,
                index.wrapping_add(sent.shift.tl0_picture_index),
            );
        }
        let orientation = cached.orientation.map(|value| [value]);
        let mut values = [None; EXTENSIONS];
        values[Extension::Orientation as usize] = orientation.as_ref().map(|value| &value[..]);
        values[Extension::DependencyDescriptor as usize] = cached.descriptor;
        let ids = ids_for(transport, mapping.transport_cc);
        let mut fields = Fields {
            marker: cached.marker,
            payload_type: mapping.payload_type,
            sequence,
            timestamp: cached.timestamp.wrapping_add(sent.shift.timestamp),
            ssrc: route.ssrc,
            transport_sequence: sent.transport_sequence,
        };
        let rtx = mapping.rtx.zip(route.rtx_ssrc);
        if let Some((payload_type, ssrc)) = rtx {
            let numbers = &mut route.projection.numbers;
            numbers.rtx_sequence = numbers.rtx_sequence.wrapping_add(1);
            fields.sequence = numbers.rtx_sequence;
            fields.payload_type = payload_type;
            fields.ssrc = ssrc;
            fields.transport_sequence = next_transport_sequence(transport, ids);
        }
        let mut writer = HeaderWriter::default();
        let header = writer.write(&ids, &values, fields);
        let payload = if rtx.is_some() { &*room } else { room.get(2..).unwrap_or_default() };
        out.send_rtp(route.receiver_id, header, payload);
        transport.stats.packets_sent += 1;
        transport.stats.bytes_sent += (header.len() + payload.len()) as u64;
        stats.rtx_sent += u64::from(rtx.is_some());
        stats.resend_sent += u64::from(rtx.is_none());
    }
}

fn remap(route: &mut Route, owner: usize, payload_type: u8, transports: &Table<Transport>) {
    route.mapped = payload_type;
    route.mapping = transports.get(owner).zip(transports.get(route.receiver)).and_then(
        |(owner, receiver)| owner.payload_types.map(payload_type, &receiver.payload_types),
    );
}

fn ids_for(receiver: &Transport, transport_cc: bool) -> super::extension::Ids {
    let mut ids = receiver.extensions.ids;
    if !transport_cc {
        ids[Extension::TransportCc as usize] = 0;
    }
    ids
}

fn next_transport_sequence(receiver: &mut Transport, ids: super::extension::Ids) -> u16 {
    if ids[Extension::TransportCc as usize] != 0 {
        receiver.transport_sequence = receiver.transport_sequence.wrapping_add(1);
    }
    receiver.transport_sequence
}

/// The header of a packet with one byte of padding and nothing else.
fn filler(payload_type: u8, outgoing: Outgoing, ssrc: u32) -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = 0xa0;
    header[1] = payload_type & 0x7f;
    header[2..4].copy_from_slice(&outgoing.sequence.to_be_bytes());
    header[4..8].copy_from_slice(&outgoing.timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&ssrc.to_be_bytes());
    header
}
