//! Sends what waited in pacers, and what is sent only to find out what a way can carry.

use super::bwe::feedback::Feedback;
use super::engine::Media;
use super::extension::{Extension, EXTENSIONS};
use super::header::{Fields, HeaderWriter};
use super::interface::*;
use super::leg::{Filling, Leg};
use super::resend::Purpose;

/// Packets that are sent to one receiver in one turn only to fill its way.
const MAX_FILLING: usize = 64;
/// What RFC 3550, 5.1 lets a packet have of padding.
const PADDING: [u8; 255] = {
    let mut padding = [0; 255];
    padding[254] = 255;
    padding
};
/// What stock bridges add for each packet of padding without content.
const PADDING_STEP: u32 = 3000;

impl Media {
    /// See to it that [`Media::pace`] is called soon after `at`.
    pub(super) fn wake_pacers(&mut self, at: Time) {
        let at = self.rounded(at);
        self.pace_at = Some(self.pace_at.map_or(at, |known| known.min(at)));
    }

    /// Send what is due on every way.
    pub(super) fn pace(&mut self, now: Time, out: &mut impl Output) {
        self.pace_at = None;
        let mut next = None;
        for index in 0..self.transports.len() {
            let Some(transport) = self.transports.get_mut(index) else {
                continue;
            };
            let leg = &mut transport.leg;
            if leg.is_due(now) {
                leg.tick(now);
                send_due(now, transport.id, leg, 0, out);
                self.fill(now, index, out);
                self.tell_bandwidth(now, index, out);
            }
            let Some(transport) = self.transports.get_mut(index) else {
                continue;
            };
            let leg = &mut transport.leg;
            let due = if leg.is_due(now) { leg.next(now) } else { leg.due() };
            next = match (next, due) {
                (Some(next), Some(due)) => Some(due.min(next)),
                (next, due) => next.or(due),
            };
        }
        if let Some(next) = next {
            self.wake_pacers(next);
        }
    }

    /// Probes and padding.
    fn fill(&mut self, now: Time, index: usize, out: &mut impl Output) {
        for _ in 0..MAX_FILLING {
            let Some(transport) = self.transports.get_mut(index) else {
                return;
            };
            let Some(filling) = transport.leg.filling(now) else {
                return;
            };
            // What waits anyway makes the best probe.
            if send_one(now, transport.id, &mut transport.leg, filling.cluster, out) {
                continue;
            }
            let size = match transport.leg.repeat() {
                Some(recent) => {
                    let purpose = Purpose::Filling(filling);
                    let place = (recent.source, recent.ssrc);
                    self.resend(now, index, place, recent.sequence, purpose, out)
                }
                None => None,
            };
            let Some(size) = size.or_else(|| self.pad(now, index, filling, out)) else {
                return;
            };
            self.stats.padding_sent += 1;
            self.stats.padding_bytes_sent += size as u64;
        }
    }

    /// Send a packet without content, on the stream that every client knows as the bridge's own.
    fn pad(
        &mut self,
        now: Time,
        index: usize,
        filling: Filling,
        out: &mut impl Output,
    ) -> Option<usize> {
        let transport = self.transports.get_mut(index)?;
        let conference = self.conferences.get(transport.conference)?;
        let payload_type = transport.payload_types.padding()?;
        let mut ids = [0; EXTENSIONS];
        ids[Extension::TransportCc as usize] =
            transport.extensions.ids[Extension::TransportCc as usize];
        let leg = &mut transport.leg;
        leg.padding_sequence = leg.padding_sequence.wrapping_add(1);
        leg.padding_timestamp = leg.padding_timestamp.wrapping_add(PADDING_STEP);
        let mut writer = HeaderWriter::default();
        let fields = Fields {
            marker: false,
            payload_type,
            sequence: leg.padding_sequence,
            timestamp: leg.padding_timestamp,
            ssrc: conference.video_ssrc,
            stamp: 0,
            mid: None,
            descriptor: None,
        };
        let size = writer.write(&ids, &[None; EXTENSIONS], fields).len() + PADDING.len();
        let number = leg.tag(now, conference.video_ssrc, size, filling.cluster);
        let header = writer.stamp(number.into());
        let mut copy = [0; 32];
        let copy = copy.get_mut(..header.len())?;
        copy.copy_from_slice(header);
        copy[0] |= 0x20;
        out.send_rtp(transport.id, copy, &PADDING);
        transport.stats.packets_sent += 1;
        transport.stats.bytes_sent += size as u64;
        Some(size)
    }

    /// What a receiver says about when our packets came.
    pub(super) fn transport_feedback(
        &mut self,
        now: Time,
        index: usize,
        body: &[u8],
        out: &mut impl Output,
    ) {
        self.stats.tcc_received += 1;
        let Some(report) = Feedback::parse(body) else {
            self.stats.tcc_malformed += 1;
            return;
        };
        let Media { transports, arrivals, stats, .. } = self;
        let Some(transport) = transports.get_mut(index) else {
            return;
        };
        if !transport.leg.feedback(now, &report, arrivals) {
            stats.tcc_unmatched += 1;
            return;
        }
        transport.leg.hurry(now);
        self.wake_pacers(now);
        self.tell_bandwidth(now, index, out);
    }

    pub(super) fn remb(&mut self, now: Time, index: usize, rate: u64, out: &mut impl Output) {
        self.stats.remb_received += 1;
        if let Some(transport) = self.transports.get_mut(index) {
            transport.leg.remb(rate);
        }
        self.tell_bandwidth(now, index, out);
    }

    pub(super) fn tell_bandwidth(&mut self, now: Time, index: usize, out: &mut impl Output) {
        let Some(transport) = self.transports.get_mut(index) else {
            return;
        };
        if let Some(bits_per_second) = transport.leg.news(now) {
            let besides = transport.leg.besides(now);
            out.event(Event::Bandwidth { transport: transport.id, bits_per_second, besides });
        }
    }
}

/// Send all that may leave now.
fn send_due(now: Time, receiver: u32, leg: &mut Leg, cluster: u8, out: &mut impl Output) {
    while leg.pacer.has_due() {
        send_one(now, receiver, leg, cluster, out);
    }
}

/// Send the oldest waiting packet; false if none waits.
fn send_one(now: Time, receiver: u32, leg: &mut Leg, cluster: u8, out: &mut impl Output) -> bool {
    let Some((ssrc, size)) = leg.pacer.next() else {
        return false;
    };
    // Numbered as it leaves, or its time in here would count as the way's.
    let number = leg.tag(now, ssrc, size, cluster).to_be_bytes();
    let Some(due) = leg.pacer.pop() else {
        return false;
    };
    if let (1.., Some(place)) =
        (due.number_at, due.header.get_mut(due.number_at..due.number_at + 2))
    {
        place.copy_from_slice(&number);
    }
    out.send_rtp(receiver, due.header, due.payload);
    true
}
