//! What a participant does with what it gets: media is decrypted, now and then, and counted.

use std::io;
use std::net::IpAddr;

use super::{Event, Peer, Said, REPORT_INTERVAL};
use crate::demux::{classify, Kind};
use crate::ice::{Agent, Path};
use crate::load::figures::Figures;
use crate::load::stream::{ORIGIN_END, TIME_AT, TIME_END};
use crate::media::codec::vp8;
use crate::media::extension::Extension;
use crate::media::rtcp::{self, Rtcp};
use crate::media::rtp::Header;
use crate::media::Time;
use crate::socket::{ReceiveBatch, SendBatch};
use crate::srtp::{rtp_header_length, Refused};
use crate::stun::{Class, Message};

/// What seems to be older has no time in it.
const MAX_DELAY: Time = 60 * REPORT_INTERVAL;

impl Peer {
    /// Read what waits; the SSRCs of which keyframes are asked for.
    pub fn read(
        &mut self,
        now: Time,
        received: &mut ReceiveBatch,
        batch: &mut SendBatch,
        may_reach: impl Fn(IpAddr) -> bool,
        events: &mut Vec<Event>,
    ) -> io::Result<Vec<u32>> {
        let [socket] = &self.socket;
        let count = received.receive(socket)?;
        let mut said = Said::default();
        let mut asked = Vec::new();
        let mut report = false;
        for index in 0..count {
            let arrival = received.arrival(index);
            let Some((remote, data)) = received.datagram(index) else {
                continue;
            };
            if !may_reach(remote.ip()) {
                continue;
            }
            match classify(data) {
                Some(Kind::Stun) => {
                    if let Some(message) = Message::parse(data) {
                        let own = message.class == Class::Request
                            || Agent::tag_of(&message.transaction) as usize == self.number;
                        if own {
                            let path = Path { socket: 0, remote };
                            self.agent.receive(now, path, &message, &mut said);
                        }
                    }
                }
                Some(Kind::Dtls) => {
                    events.push(Event::Dtls { peer: self.number, data: data.to_vec() });
                }
                Some(Kind::Rtp) => report |= self.rtp(now, arrival, data),
                Some(Kind::Rtcp) => self.rtcp(data, &mut asked),
                None => {}
            }
        }
        if !said.datagrams.is_empty() || !said.events.is_empty() {
            self.carry_out(said, batch, events);
        }
        if report {
            self.send_feedback(now, batch);
        }
        Ok(asked)
    }

    /// Count a packet; true if feedback is due.
    fn rtp(&mut self, now: Time, arrival: Option<Time>, data: &mut [u8]) -> bool {
        let Some(receiver) = self.receiver.as_mut() else {
            return false;
        };
        // Header and extensions are not encrypted.
        let Some(header) = Header::parse(data, &self.extensions) else {
            self.figures.refused += 1;
            return false;
        };
        let mut due = false;
        if let (Some(arrivals), Some(&[high, low])) =
            (&mut self.arrivals, header.extensions.get(Extension::TransportCc, data))
        {
            let number = u16::from_be_bytes([high, low]);
            due = arrivals.record(now, number, header.ssrc, header.marker);
        }
        let again = self.rtx != 0 && header.payload_type == self.rtx;
        if again || self.figures.is_filling(data, header.ssrc) {
            self.figures.repeats += 1;
            return due;
        }
        let length = data.len();
        let mut begins = false;
        if self.until_verified == 0 {
            self.until_verified = self.verify;
            match receiver.unprotect_rtp(data) {
                Ok(end) => {
                    if let (Some(arrival), Some(packet)) = (arrival, data.get(..end)) {
                        note_delay(&mut self.figures, arrival, packet);
                        begins = note_keyframe(&mut self.figures, arrival, packet);
                    }
                }
                Err(Refused::Replayed) => {} // counted as a duplicate below
                Err(_) => {
                    self.figures.refused += 1;
                    return due;
                }
            }
        }
        self.until_verified -= 1;
        let (ssrc, payload_type) = (header.ssrc, header.payload_type);
        self.figures.record(ssrc, payload_type, header.sequence, length, arrival, begins);
        due
    }

    fn rtcp(&mut self, data: &mut [u8], asked: &mut Vec<u32>) {
        let Some(receiver) = self.receiver.as_mut() else {
            return;
        };
        let Ok(length) = receiver.unprotect_rtcp(data) else {
            self.figures.refused += 1;
            return;
        };
        self.figures.rtcp += 1;
        for packet in rtcp::parse(data.get(..length).unwrap_or_default()) {
            match packet {
                Rtcp::Pli { media_ssrc } => {
                    self.figures.keyframe_requests += 1;
                    asked.push(media_ssrc);
                }
                Rtcp::Fir { entries } => {
                    self.figures.keyframe_requests += 1;
                    asked.extend(rtcp::fir_ssrcs(entries));
                }
                Rtcp::Nack { items, .. } => {
                    self.figures.nacked += rtcp::nacked(items).count() as u64
                }
                _ => {}
            }
        }
    }
}

/// Both times are the wall clock's, because the kernel's are.
fn note_delay(figures: &mut Figures, arrival: Time, packet: &[u8]) {
    let header = rtp_header_length(packet).unwrap_or(packet.len());
    let time = packet.get(header + TIME_AT..header + TIME_END);
    if let Some(sent) = time.and_then(|octets| octets.try_into().ok()).map(u64::from_be_bytes) {
        // Servers also send packets of their own, to find out what fits.
        let delay = arrival.checked_sub(sent).filter(|delay| *delay <= MAX_DELAY);
        if let Some(delay) = delay.and_then(|delay| u32::try_from(delay / 1000).ok()) {
            figures.delays.record(delay);
        }
    }
}

/// Whether a keyframe begins, from which on a picture can be shown: small ones have one packet.
fn note_keyframe(figures: &mut Figures, arrival: Time, packet: &[u8]) -> bool {
    let header = rtp_header_length(packet).unwrap_or(packet.len());
    let payload = packet.get(header..).unwrap_or_default();
    let begins = vp8::parse(payload).is_some_and(|frame| frame.keyframe);
    let origin = payload.get(TIME_END..ORIGIN_END).and_then(|octets| octets.try_into().ok());
    if begins && figures.awaited.is_some() && origin.map(u32::from_be_bytes) == figures.awaited {
        figures.picture = figures.picture.or(Some(arrival));
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_there_with_the_first_keyframe_of_the_one_waited_for() {
        // RTP; a VP8 descriptor with one octet behind it; a keyframe's first octet, or another.
        let packet = |origin: u32, head: u8| {
            let mut packet = [0; 12 + ORIGIN_END];
            (packet[0], packet[12], packet[13]) = (0x80, 0x10, head);
            packet[12 + TIME_END..].copy_from_slice(&origin.to_be_bytes());
            packet[16..19].copy_from_slice(&[0x9d, 0x01, 0x2a]);
            packet
        };
        let mut figures = Figures { awaited: Some(9), ..Figures::default() };
        assert!(!note_keyframe(&mut figures, 1, &packet(9, 1)));
        assert!(note_keyframe(&mut figures, 2, &packet(8, 0)));
        assert_eq!(figures.picture, None);
        assert!(note_keyframe(&mut figures, 3, &packet(9, 0)));
        assert!(note_keyframe(&mut figures, 4, &packet(9, 0)));
        assert_eq!(figures.picture, Some(3));
    }

    #[test]
    fn only_packets_with_a_time_in_them_have_a_delay() {
        let now = 1_000 * REPORT_INTERVAL;
        for (sent, delay) in [
            (now - 5_000_000, 5_000),
            (now + 1, 0),
            (now - MAX_DELAY - 1, 0),
            (0, 0),
            (u64::MAX, 0),
        ] {
            let mut packet = [0; 12 + TIME_END];
            packet[0] = 0x80;
            packet[12 + TIME_AT..].copy_from_slice(&sent.to_be_bytes());
            let mut figures = Figures::default();
            note_delay(&mut figures, now, &packet);
            let found = figures.delays.quantile(0.5);
            assert!(found.abs_diff(delay) <= delay / 16, "{found} for {delay}");
        }
    }
}
