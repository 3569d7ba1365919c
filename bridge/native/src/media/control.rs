//! What senders and receivers tell us by RTCP.  Reports and requests end here; a sender's clock
//! goes on to its receivers in sender reports of our own.

use super::engine::Media;
use super::interface::*;
use super::resend::Purpose;
use super::rtcp::{self, ReportBlock, Rtcp};
use super::rtcp_write;
use super::sent::SENT;
use super::source::{Route, SenderClock};

/// Round trips that are believed (in 1/65536 s): below 7 s.
const MAX_ROUND_TRIP: u64 = 7 * 65_536;
/// Lost numbers of one compound that are looked up; no more are remembered of a stream.
const MAX_NACKED: usize = SENT;

impl Media {
    /// Take one decrypted RTCP compound packet.
    pub fn receive_rtcp(
        &mut self,
        now: Time,
        transport: u32,
        compound: &[u8],
        out: &mut impl Output,
    ) {
        self.stats.rtcp_received += 1;
        let Some(index) = self.transports.index(transport) else {
            self.stats.dropped_unknown_transport += 1;
            return;
        };
        let mut loss: Option<u8> = None;
        let mut answers = MAX_NACKED;
        let mut reports = |media: &mut Media, reports: &[u8]| {
            for block in rtcp::report_blocks(reports) {
                if media.report_block(now, index, &block) {
                    loss = Some(
                        loss.map_or(block.fraction_lost, |loss| loss.max(block.fraction_lost)),
                    );
                }
            }
        };
        for packet in rtcp::parse(compound) {
            match packet {
                Rtcp::SenderReport { ssrc, ntp, timestamp, reports: blocks } => {
                    self.sender_report(now, index, ssrc, SenderClock { ntp, timestamp }, out);
                    reports(self, blocks);
                }
                Rtcp::ReceiverReport { reports: blocks } => reports(self, blocks),
                Rtcp::Nack { media_ssrc, items } => {
                    self.stats.nack_received += 1;
                    let Some(source) = self.source_of_slot(index, media_ssrc) else {
                        continue;
                    };
                    for number in rtcp::nacked(items).take(answers) {
                        answers = answers.saturating_sub(1);
                        let place = (source, media_ssrc);
                        self.resend(now, index, place, number, Purpose::Answer, out);
                    }
                }
                Rtcp::Pli { media_ssrc } => self.keyframe_request(now, index, media_ssrc, out),
                Rtcp::Fir { entries } => {
                    for ssrc in rtcp::fir_ssrcs(entries) {
                        self.keyframe_request(now, index, ssrc, out);
                    }
                }
                Rtcp::Remb { bitrate, .. } => self.remb(now, index, bitrate, out),
                Rtcp::TransportFeedback { body } => {
                    self.transport_feedback(now, index, body, out);
                }
                Rtcp::Other => {}
            }
        }
        let Some(receiver) = self.transports.get_mut(index) else {
            return;
        };
        if let Some(loss) = loss {
            receiver.stats.fraction_lost_sent = f64::from(loss) / 256.0;
            if receiver.leg.judge(now, receiver.stats.rtt) {
                self.tell_bandwidth(now, index, out);
            }
        }
    }

    /// The source that a receiver gets under `ssrc`; others' streams cannot be named.
    fn source_of_slot(&mut self, receiver: usize, ssrc: u32) -> Option<usize> {
        let slot = self.transports.get_mut(receiver)?.slot(ssrc);
        let source = slot.and_then(|slot| slot.source);
        self.stats.dropped_feedback += u64::from(source.is_none());
        source
    }

    fn keyframe_request(&mut self, now: Time, index: usize, ssrc: u32, out: &mut impl Output) {
        self.stats.pli_received += 1;
        if let Some(source) = self.source_of_slot(index, ssrc) {
            self.want_keyframe(now, source, out);
        }
    }

    /// Learn from a report block; false if it is not about a stream of ours.
    fn report_block(&mut self, now: Time, index: usize, block: &ReportBlock) -> bool {
        let Some(receiver) = self.transports.get_mut(index) else {
            return false;
        };
        let Some(source) = receiver.slot(block.ssrc).and_then(|slot| slot.source) else {
            return false;
        };
        let Some(source) = self.sources.get_mut(source) else {
            return false;
        };
        let Some(route) = source.route_under(index, block.ssrc) else {
            return false;
        };
        if let Some(losses) = route.losses(now, block) {
            receiver.leg.losses(losses);
        }
        if block.last_sender_report != 0 {
            if let Some(sent) = route.report_sent_at(block.last_sender_report) {
                let elapsed = u128::from(now.saturating_sub(sent)) * 65_536 / u128::from(SECOND);
                let trip = (elapsed as u64).checked_sub(u64::from(block.delay));
                if let Some(trip) = trip.filter(|trip| *trip < MAX_ROUND_TRIP) {
                    receiver.measured(trip * SECOND / 65_536);
                }
            }
        }
        true
    }

    pub(super) fn sender_report(
        &mut self,
        now: Time,
        index: usize,
        ssrc: u32,
        clock: SenderClock,
        out: &mut impl Output,
    ) {
        let Some(origin) = self.transports.get(index).and_then(|owner| owner.origin(ssrc)) else {
            return;
        };
        if origin.rtx {
            return;
        }
        let Some(source) = self.sources.get_mut(origin.source) else {
            return;
        };
        let Some(incoming) = source.encodings.get_mut(usize::from(origin.encoding)) else {
            return;
        };
        incoming.clock = Some(clock);
        incoming.reception.sender_report(now, middle(clock.ntp));
        if source.muted {
            return;
        }
        for route in &mut source.routes {
            if route.projection.current() == Some(origin.encoding) {
                send_report(now, route, clock, &mut self.stats, out);
            }
        }
    }
}

/// The middle 32 bits of an NTP time (RFC 3550, 4).
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Tell a receiver how the sender's clock relates to the timestamps that it gets.
pub(super) fn send_report(
    now: Time,
    route: &mut Route,
    clock: SenderClock,
    stats: &mut Stats,
    out: &mut impl Output,
) {
    let mut buffer = [0; 28];
    let numbers = &route.projection.numbers;
    let length = rtcp_write::sender_report(
        &mut buffer,
        route.ssrc,
        clock.ntp,
        clock.timestamp.wrapping_add(route.projection.timestamp_shift()),
        numbers.packets,
        numbers.octets,
    );
    out.send_rtcp(route.receiver_id, &buffer[..length]);
    route.reported(now, middle(clock.ntp));
    stats.sender_reports_sent += 1;
    stats.rtcp_sent += 1;
}
