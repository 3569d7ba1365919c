//! One packet goes out to its receivers, to each under its own numbers and header.

use super::codec::{self, dependency, Codec, Detail, Frame};
use super::engine::Media;
use super::extension::{Extension, Ids, EXTENSIONS};
use super::forward::MAX_CATCH_UP;
use super::header::{Fields, HeaderWriter};
use super::interface::*;
use super::leg::Recent;
use super::pacer::Pressure;
use super::payload_types::Mapping;
use super::projection::{Incoming, Outgoing, Verdict};
use super::reception::Order;
use super::source::{self, Route, SenderClock, Source};
use super::table::Table;
use super::transport::Transport;

/// What all copies of a packet have in common.
pub(super) struct Original<'a> {
    pub incoming: Incoming,
    pub codec: Codec,
    pub payload_type: u8,
    pub marker: bool,
    /// Extension values by kind.  Of video only what the cache keeps as well, so that a plain
    /// retransmission is equal.
    pub values: [Option<&'a [u8]>; EXTENSIONS],
    /// Of redundant audio: where in the payload the frame is that receivers without RED get.
    pub frame: Option<(usize, usize)>,
    /// The frame is that of a lost packet; receivers with RED find it themselves.
    pub recovered: bool,
}

/// The source a packet is from, as far as its copies need to know.
#[derive(Clone, Copy)]
struct Context {
    index: usize,
    owner: usize,
    flowing: u8,
    clock: Option<SenderClock>,
}

/// The parts of the machine that every copy needs.
struct Desk<'a> {
    transports: &'a mut Table<Transport>,
    writer: &'a mut HeaderWriter,
    stats: &'a mut Stats,
    /// A pacer has something to do.
    paced: bool,
}

impl Media {
    /// Send a packet to every receiver that takes it; true if one of them waits for a keyframe.
    pub(super) fn fan_out(
        &mut self,
        now: Time,
        source: usize,
        original: &Original<'_>,
        payload: &mut [u8],
        out: &mut impl Output,
    ) -> bool {
        let Media { sources, transports, stats, writer, .. } = self;
        let Some(from) = sources.get_mut(source) else {
            return false;
        };
        let context = context(source, from, original.incoming.encoding);
        let mut desk = Desk { transports, writer, stats, paced: false };
        desk.writer.reset();
        let mut waiting = false;
        for route in &mut from.routes {
            if route.projection.considers(&original.incoming) {
                desk.deliver(now, original, payload, route, context, out);
            }
            waiting |= route.projection.waits(context.flowing);
        }
        if desk.paced {
            self.wake_pacers(now);
        }
        waiting
    }

    /// A keyframe's beginning came late, and some receivers began with it: send them what has
    /// come of the encoding since.
    pub(super) fn catch_up(
        &mut self,
        now: Time,
        index: usize,
        encoding: u8,
        out: &mut impl Output,
    ) {
        let Media { sources, transports, stats, writer, scratch, .. } = self;
        let Some(source) = sources.get_mut(index) else {
            return;
        };
        let context = context(index, source, encoding);
        let Source { routes, encodings, .. } = source;
        let Some(source::Incoming { cache: Some(cache), reception, memory, .. }) =
            encodings.get_mut(usize::from(encoding))
        else {
            return;
        };
        let mut desk = Desk { transports, writer, stats, paced: false };
        for number in reception.newest(MAX_CATCH_UP) {
            let sequence = number as u16;
            let cached = cache.get(sequence);
            let payload = cached.as_ref().map(|cached| cached.payload).unwrap_or_default();
            let Some(copy) = scratch.get_mut(..payload.len()) else {
                continue;
            };
            copy.copy_from_slice(payload);
            let mut original = Original {
                incoming: Incoming {
                    encoding,
                    sequence,
                    timestamp: 0,
                    order: Order::Next { gap: 0 },
                    keyframe: false,
                    // What came and is not kept was too large to be anything.
                    empty: true,
                    late_start: false,
                    frame: Frame::default(),
                },
                codec: Codec::OtherVideo,
                payload_type: 255,
                marker: false,
                values: [None; EXTENSIONS],
                frame: None,
                recovered: false,
            };
            let orientation = cached.as_ref().and_then(|cached| cached.orientation);
            let orientation = orientation.map(|value| [value]);
            if let Some(cached) = cached {
                let owner = desk.transports.get(context.owner);
                let meaning =
                    owner.and_then(|owner| owner.payload_types.meaning(cached.payload_type));
                let Some(meaning) = meaning else { continue };
                let frame = codec::inspect(meaning.codec, copy, cached.descriptor, memory, true);
                original.codec = meaning.codec;
                original.payload_type = cached.payload_type;
                original.marker = cached.marker;
                original.values[Extension::Orientation as usize] =
                    orientation.as_ref().map(|value| &value[..]);
                original.values[Extension::DependencyDescriptor as usize] = cached.descriptor;
                let incoming = &mut original.incoming;
                incoming.timestamp = cached.timestamp;
                incoming.keyframe = frame.keyframe;
                incoming.empty = cached.payload.is_empty();
                incoming.frame = frame;
            }
            desk.writer.reset();
            for route in routes.iter_mut().filter(|route| route.behind) {
                if !original.incoming.empty || route.projection.current() == Some(encoding) {
                    desk.deliver(now, &original, copy, route, context, out);
                }
            }
        }
        for route in routes {
            route.behind = false;
        }
        if desk.paced {
            self.wake_pacers(now);
        }
    }
}

fn context(index: usize, source: &Source, encoding: u8) -> Context {
    Context {
        index,
        owner: source.transport,
        flowing: source.flowing,
        clock: source.encodings.get(usize::from(encoding)).and_then(|encoding| encoding.clock),
    }
}

impl Desk<'_> {
    /// Send one receiver's copy, if it takes one.
    fn deliver(
        &mut self,
        now: Time,
        original: &Original<'_>,
        payload: &mut [u8],
        route: &mut Route,
        context: Context,
        out: &mut impl Output,
    ) {
        let Original { incoming, codec, payload_type, marker, values, frame, recovered } = original;
        if !incoming.empty && route.mapped != *payload_type {
            remap(route, context.owner, *payload_type, self.transports);
        }
        let Some(mapping) = route.mapping else {
            self.stats.dropped_not_negotiated += 1;
            return;
        };
        let payload = match *frame {
            Some((start, end)) if mapping.codec != Codec::Red => {
                payload.get_mut(start..end).unwrap_or_default()
            }
            _ if *recovered => return,
            _ => payload,
        };
        let video = !codec.is_audio();
        if video && !self.admits(route, incoming) {
            self.stats.dropped_overload += 1;
            return;
        }
        let before = route.projection.current();
        let outgoing = match route.projection.project(now, incoming, context.flowing) {
            Verdict::Drop => return,
            Verdict::Fill(outgoing) => {
                let header = filler(mapping.payload_type, outgoing, route.ssrc);
                out.send_rtp(route.receiver_id, &header, &[1]);
                if let Some(receiver) = self.transports.get_mut(route.receiver) {
                    receiver.leg.sent(now, header.len() + 1);
                    receiver.count_sent(header.len() + 1);
                }
                route.count(0);
                self.stats.holes_filled += 1;
                return;
            }
            Verdict::Forward(outgoing) => outgoing,
        };
        let Some(receiver) = self.transports.get_mut(route.receiver) else {
            return;
        };
        incoming.frame.rewrite(payload, outgoing.picture, outgoing.index);
        let mut room = [0; dependency::MAX_DESCRIPTOR];
        let mut descriptor = None;
        if let (Detail::Dependency(frame), Some(original)) =
            (&incoming.frame.detail, values[Extension::DependencyDescriptor as usize])
        {
            let length = dependency::rewrite(original, frame.layout, &change(outgoing), &mut room);
            descriptor = length.and_then(|length| room.get(..length));
        }
        let starts = before != Some(incoming.encoding)
            && route.projection.current() == Some(incoming.encoding);
        route.behind |= starts && incoming.late_start;
        // An audio stream that goes on elsewhere begins a talk spurt (RFC 3551, 4.1).
        let marker = *marker || outgoing.ends || (starts && codec.is_audio());
        let ids = ids_for(receiver, &mapping);
        let bytes = self.writer.write(
            &ids,
            values,
            Fields {
                marker,
                payload_type: mapping.payload_type,
                sequence: outgoing.sequence,
                timestamp: outgoing.timestamp,
                ssrc: route.ssrc,
                stamp: 0,
                mid: route.mid,
                descriptor,
            },
        );
        let size = bytes.len() + payload.len();
        // A retransmission without RTX repeats the packet with its number, so that one does not
        // wait for a number.
        let repeatable = video
            && mapping.rtx.is_some()
            && route.rtx_ssrc.is_some()
            && !route.projection.is_relay();
        if repeatable && receiver.leg.holds(now) {
            let number_at = self.writer.stamp_at();
            if !receiver.leg.pacer.push(self.writer.written(), payload, number_at) {
                self.stats.dropped_overload += 1;
                return;
            }
            self.stats.paced += 1;
            receiver.leg.hurry(now);
        } else {
            if !video {
                receiver.leg.sent_besides(size);
            }
            let stamp = stamp(now, receiver, &ids, route.ssrc, size, 0);
            out.send_rtp(route.receiver_id, self.writer.stamp(stamp), payload);
            route.projection.stamped(outgoing.sequence, stamp);
        }
        self.paced |= receiver.leg.is_due(now);
        if repeatable {
            let sequence = outgoing.sequence;
            receiver.leg.remember(Recent { source: context.index, ssrc: route.ssrc, sequence });
        }
        route.count(payload.len());
        receiver.count_sent(size);
        self.stats.rtp_forwarded += 1;
        self.stats.rtp_bytes_forwarded += size as u64;
        if starts {
            self.stats.encoding_switches += u64::from(before.is_some());
            if let Some(clock) = context.clock {
                super::control::send_report(now, route, clock, self.stats, out);
            }
        }
    }
}

impl Desk<'_> {
    /// Whether the receiver's queue lets a packet of video in.  What it does not is left out
    /// frame by frame: first those that no other needs, then everything up to a keyframe.
    fn admits(&mut self, route: &mut Route, incoming: &Incoming) -> bool {
        let Some(receiver) = self.transports.get_mut(route.receiver) else {
            return true;
        };
        if route.projection.is_relay() {
            return true;
        }
        let pressure = receiver.leg.pressure();
        route.projection.thin(pressure != Pressure::Free);
        if pressure != Pressure::Blocked {
            return true;
        }
        let new = route.projection.begins_frame(incoming.timestamp);
        if new && incoming.order != Order::Late {
            route.projection.interrupt();
        }
        route.projection.current().is_some()
    }
}

fn remap(route: &mut Route, owner: usize, payload_type: u8, transports: &Table<Transport>) {
    route.mapped = payload_type;
    route.mapping =
        transports.get(owner).zip(transports.get(route.receiver)).and_then(|(owner, receiver)| {
            owner.payload_types.map(payload_type, &receiver.payload_types)
        });
}

pub(super) fn ids_for(receiver: &Transport, mapping: &Mapping) -> Ids {
    let mut ids = receiver.extensions.ids;
    if !mapping.transport_cc {
        ids[Extension::TransportCc as usize] = 0;
    }
    // Only REMB needs it, of which sound is no part.
    if receiver.leg.is_numbered() || mapping.codec.is_audio() {
        ids[Extension::AbsSendTime as usize] = 0;
    }
    ids
}

/// The transport-wide number of a packet that goes out now, or for who has no such numbers the
/// time: in 2^-18 s, as 24 bits (abs-send-time).
pub(super) fn stamp(
    now: Time,
    receiver: &mut Transport,
    ids: &Ids,
    ssrc: u32,
    size: usize,
    cluster: u8,
) -> u32 {
    if ids[Extension::TransportCc as usize] != 0 {
        return receiver.leg.tag(now, ssrc, size, cluster).into();
    }
    receiver.leg.sent(now, size);
    (now % (64 * SECOND) * (1 << 18) / SECOND) as u32
}

pub(super) fn change(outgoing: Outgoing) -> dependency::Change {
    dependency::Change {
        frame: outgoing.picture,
        templates: outgoing.index,
        mask: outgoing.mask,
        targets: outgoing.targets,
    }
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
