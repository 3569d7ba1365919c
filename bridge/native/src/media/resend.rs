//! Answering receivers' NACKs from what was kept of the senders' packets (RFC 4588).

use super::codec::{self, dependency, Codec};
use super::engine::Media;
use super::extension::{Extension, EXTENSIONS};
use super::fan_out::{ids_for, next_transport_sequence};
use super::header::{Fields, HeaderWriter};
use super::interface::*;
use super::sent::State;
use super::source::Source;

/// How often one packet is sent again.
const MAX_RESENDS: u8 = 3;

impl Media {
    /// Send again what a receiver has lost of the source that it gets under `ssrc`; `sequence` is
    /// the outgoing number.
    pub(super) fn resend(
        &mut self,
        now: Time,
        receiver: usize,
        (source, ssrc): (usize, u32),
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
        let mut routes = routes.iter_mut();
        let route = routes.find(|route| route.receiver == receiver && route.ssrc == ssrc);
        let Some(route) = route else {
            return;
        };
        let mapped = route.mapped;
        let sent = route
            .projection
            .sent(sequence)
            .filter(|sent| sent.state == State::Sent && sent.resends < MAX_RESENDS && !*muted);
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
        let Some(room) = scratch.get_mut(..cached.payload.len() + 2) else {
            return;
        };
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
        let ids = ids_for(transport, mapping.transport_cc);
        let mut fields = Fields {
            marker: cached.marker || sent.ends,
            payload_type: mapping.payload_type,
            sequence,
            timestamp: cached.timestamp.wrapping_add(sent.shift.timestamp),
            ssrc: route.ssrc,
            transport_sequence: sent.transport_sequence,
            mid: route.mid,
            descriptor,
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
