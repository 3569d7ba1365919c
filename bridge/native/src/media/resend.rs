//! Answering receivers' NACKs from what was kept of the senders' packets (RFC 4588).

use super::codec::{self, dependency, Codec};
use super::engine::Media;
use super::extension::{Extension, EXTENSIONS};
use super::fan_out::{ids_for, stamp};
use super::header::{Fields, HeaderWriter};
use super::interface::*;
use super::leg::Filling;
use super::sent::State;
use super::source::Source;

/// How often one packet is sent again.
const MAX_RESENDS: u8 = 3;

/// Why a packet is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The receiver has asked for it.
    Answer,
    /// Only to send something; by RTX or not at all.
    Filling(Filling),
}

impl Media {
    /// Send again what a receiver has lost of the source that it gets under `ssrc`, or what fills
    /// its way; `sequence` is the outgoing number.  Gives the bytes that were sent.
    pub(super) fn resend(
        &mut self,
        now: Time,
        receiver: usize,
        (source, ssrc): (usize, u32),
        sequence: u16,
        purpose: Purpose,
        out: &mut impl Output,
    ) -> Option<usize> {
        let Media { sources, transports, stats, scratch, .. } = self;
        let (Some(source), Some(transport)) =
            (sources.get_mut(source), transports.get_mut(receiver))
        else {
            return None;
        };
        let Source { routes, encodings, muted, .. } = source;
        let mut routes = routes.iter_mut();
        let route = routes.find(|route| route.receiver == receiver && route.ssrc == ssrc)?;
        let filling = match purpose {
            Purpose::Answer => None,
            Purpose::Filling(filling) => Some(filling),
        };
        let mapped = route.mapped;
        let sent = route
            .projection
            .sent(sequence)
            .filter(|sent| sent.state == State::Sent && !*muted)
            .filter(|sent| filling.is_some() || sent.resends < MAX_RESENDS);
        let (Some(sent), Some(mapping)) = (sent, route.mapping) else {
            stats.nack_unanswered += u64::from(filling.is_none());
            return None;
        };
        let rtx = mapping.rtx.zip(route.rtx_ssrc);
        if filling.is_some() && rtx.is_none() {
            return None;
        }
        let cached = encodings
            .get(usize::from(sent.encoding))
            .and_then(|encoding| encoding.cache.as_ref())
            .and_then(|cache| cache.get(sent.incoming))
            .filter(|cached| cached.payload_type == mapped);
        let Some(cached) = cached else {
            stats.nack_unanswered += u64::from(filling.is_none());
            return None;
        };
        if filling.is_none() {
            let milliseconds = (now / MILLISECOND) as u32;
            let age = Time::from(milliseconds.wrapping_sub(sent.sent_at)) * MILLISECOND;
            if age < transport.resend_guard() {
                return None;
            }
            if !transport.may_resend(40 + cached.payload.len()) {
                stats.resend_over_budget += 1;
                return None;
            }
            sent.resends += 1;
            sent.sent_at = milliseconds;
        }
        let sent = *sent;
        let room = scratch.get_mut(..cached.payload.len() + 2)?;
        let (original, payload) = room.split_at_mut(2);
        original.copy_from_slice(&sequence.to_be_bytes());
        payload.copy_from_slice(cached.payload);
        if matches!(mapping.codec, Codec::Vp8 | Codec::Vp9) {
            let frame =
                codec::inspect(mapping.codec, payload, None, &mut codec::Memory::default(), false);
            let picture = frame.picture().unwrap_or(0).wrapping_add(sent.shift.picture);
            let index = frame.index().unwrap_or(0).wrapping_add(sent.shift.index);
            frame.rewrite(payload, picture & frame.picture_mask(), index);
        }
        let mut bytes = [0; dependency::MAX_DESCRIPTOR];
        let descriptor = cached.descriptor.and_then(|original| {
            let change = dependency::Change {
                frame: dependency::frame_number(original)?.wrapping_add(sent.shift.picture),
                templates: sent.shift.index,
                mask: sent.mask,
                targets: sent.targets,
            };
            let layout = dependency::layout(original)?;
            let length = dependency::rewrite(original, layout, &change, &mut bytes)?;
            bytes.get(..length)
        });
        let orientation = cached.orientation.map(|value| [value]);
        let mut values = [None; EXTENSIONS];
        values[Extension::Orientation as usize] = orientation.as_ref().map(|value| &value[..]);
        values[Extension::DependencyDescriptor as usize] = cached.descriptor;
        let ids = ids_for(transport, &mapping);
        let mut fields = Fields {
            marker: cached.marker || sent.ends,
            payload_type: mapping.payload_type,
            sequence,
            timestamp: cached.timestamp.wrapping_add(sent.shift.timestamp),
            ssrc: route.ssrc,
            stamp: sent.stamp,
            mid: route.mid,
            descriptor,
        };
        if let Some((payload_type, ssrc)) = rtx {
            let numbers = &mut route.projection.numbers;
            numbers.rtx_sequence = numbers.rtx_sequence.wrapping_add(1);
            fields.sequence = numbers.rtx_sequence;
            fields.payload_type = payload_type;
            fields.ssrc = ssrc;
        }
        let mut writer = HeaderWriter::default();
        let payload = if rtx.is_some() { &*room } else { room.get(2..).unwrap_or_default() };
        let size = writer.write(&ids, &values, fields).len() + payload.len();
        let cluster = filling.map_or(0, |filling| filling.cluster);
        let stamp = match rtx {
            Some(_) => stamp(now, transport, &ids, fields.ssrc, size, cluster),
            // The packet is repeated byte for byte.
            None => {
                transport.leg.sent(now, size);
                sent.stamp
            }
        };
        let header = writer.stamp(stamp);
        out.send_rtp(route.receiver_id, header, payload);
        transport.stats.packets_sent += 1;
        transport.stats.bytes_sent += size as u64;
        if filling.is_none() {
            stats.rtx_sent += u64::from(rtx.is_some());
            stats.resend_sent += u64::from(rtx.is_none());
        }
        Some(size)
    }
}
