//! One participant: a socket, an agent, keys, and the reports that a client sends.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::figures::Figures;
use super::stream::{Stream, TIME_AT, TIME_END};
use crate::clock::realtime;
use crate::demux::{classify, Kind, MAX_DATAGRAM};
use crate::ice::{self, Agent, Candidate, Output, Path};
use crate::media::extension::{Extension, ExtensionMap};
use crate::media::feedback::{Arrivals, MAX_FEEDBACK};
use crate::media::rtcp::{self, ReportBlock, Rtcp};
use crate::media::rtp::Header;
use crate::media::{rtcp_write, HeaderExtension, Time};
use crate::socket::{Lane, ReceiveBatch, SendBatch, Socket};
use crate::srtp::{Receiver, Sender, MAX_OVERHEAD};
use crate::stun::{Class, Message};

const BUFFER: usize = 4 << 20;
const REPORT_INTERVAL: Time = 1_000_000_000;
/// What seems to be older has no time in it.
const MAX_DELAY: Time = 60 * REPORT_INTERVAL;
/// Of whom receivers' reports are; no stream has it.
const REPORTER: u32 = 1;
/// Report blocks of one report.
const BLOCKS: usize = rtcp_write::MAX_BLOCKS;
const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// What the caller has to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first pair is valid: DTLS may begin.
    Valid {
        peer: usize,
    },
    Failed {
        peer: usize,
    },
    Dtls {
        peer: usize,
        data: Vec<u8>,
    },
}

impl Event {
    pub fn peer(&self) -> usize {
        match self {
            Self::Valid { peer } | Self::Failed { peer } | Self::Dtls { peer, .. } => *peer,
        }
    }
}

pub struct PeerDescription {
    /// Of the bridge.
    pub remote: SocketAddr,
    pub ufrag: String,
    pub pwd: String,
    pub remote_ufrag: String,
    pub remote_pwd: String,
    pub controlling: bool,
    /// Id of the transport-cc extension in what it receives; 0 if it gives no feedback.
    pub transport_cc: u8,
    /// Payload type of retransmissions, with which a way is tried out as well; 0 for none.
    pub rtx: u8,
    /// Of so many packets one is decrypted and its delay noted; the others are counted.
    pub verify: u32,
}

#[derive(Default)]
struct Said {
    datagrams: Vec<(Path, Vec<u8>)>,
    events: Vec<ice::Event>,
}

impl Output for Said {
    fn send(&mut self, path: Path, datagram: &[u8]) {
        self.datagrams.push((path, datagram.to_vec()));
    }

    fn event(&mut self, event: ice::Event) {
        self.events.push(event);
    }
}

pub struct Peer {
    number: usize,
    socket: [Socket; 1],
    agent: Agent,
    remote: SocketAddr,
    lane: Lane,
    sender: Option<Box<Sender>>,
    receiver: Option<Box<Receiver>>,
    extensions: ExtensionMap,
    arrivals: Option<Arrivals>,
    rtx: u8,
    transport_sequence: u16,
    verify: u32,
    until_verified: u32,
    report_due: Time,
    figures: Figures,
}

impl Peer {
    pub fn new(
        number: usize,
        about: &PeerDescription,
        now: Time,
        batch: &mut SendBatch,
    ) -> io::Result<Self> {
        // From the address itself when that is ours, so that one machine may have many.
        let from = match about.remote.ip() {
            ip if ip.is_loopback() => ip,
            IpAddr::V4(_) => IpAddr::from([0, 0, 0, 0]),
            IpAddr::V6(_) => IpAddr::from([0; 16]),
        };
        let socket = Socket::bind(SocketAddr::new(from, 0), BUFFER, BUFFER)?;
        socket.note_arrivals()?;
        let tag = u32::try_from(number).unwrap_or(u32::MAX);
        let (ufrag, pwd) = (about.ufrag.as_bytes(), about.pwd.as_bytes());
        let mut agent = Agent::new(tag, ufrag, pwd, about.controlling, now ^ u64::from(tag));
        let mut said = Said::default();
        agent.set_remote(
            now,
            about.remote_ufrag.as_bytes(),
            about.remote_pwd.as_bytes(),
            &[Candidate { address: about.remote, priority: 1 }],
            &[(0, socket.local())],
            &mut said,
        );
        let extension = HeaderExtension { id: about.transport_cc, uri: TRANSPORT_CC.into() };
        let gives_feedback = about.transport_cc != 0;
        let mut peer = Self {
            number,
            socket: [socket],
            agent,
            remote: about.remote,
            lane: Lane::default(),
            sender: None,
            receiver: None,
            extensions: ExtensionMap::new(if gives_feedback {
                std::slice::from_ref(&extension)
            } else {
                &[]
            }),
            arrivals: gives_feedback.then(Arrivals::default),
            rtx: about.rtx,
            transport_sequence: 0,
            verify: about.verify.max(1),
            until_verified: 0,
            report_due: 0,
            figures: Figures::default(),
        };
        peer.carry_out(said, batch, &mut Vec::new());
        Ok(peer)
    }

    pub fn local(&self) -> SocketAddr {
        let [socket] = &self.socket;
        socket.local()
    }

    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    pub fn reset(&mut self) {
        self.figures.reset();
    }

    pub fn set_srtp(&mut self, sender: Box<Sender>, receiver: Box<Receiver>) {
        self.sender = Some(sender);
        self.receiver = Some(receiver);
    }

    pub fn flush(&mut self, batch: &mut SendBatch) {
        batch.flush(&mut self.socket);
    }

    fn path(&self) -> Option<Path> {
        self.agent.destination()
    }

    fn carry_out(&mut self, said: Said, batch: &mut SendBatch, events: &mut Vec<Event>) {
        let peer = self.number;
        for (path, datagram) in said.datagrams {
            // Checks go to the bridge and nowhere else, whatever address one comes from.
            if path.remote.ip() == self.remote.ip() {
                put(batch, &datagram, path, &mut Lane::default());
            }
        }
        self.flush(batch);
        for event in said.events {
            match event {
                ice::Event::Valid { .. } => events.push(Event::Valid { peer }),
                ice::Event::Failed => events.push(Event::Failed { peer }),
                _ => {}
            }
        }
    }

    pub fn send_plain(&mut self, datagrams: &[Vec<u8>], batch: &mut SendBatch) {
        if let Some(path) = self.path() {
            for datagram in datagrams {
                put(batch, datagram, path, &mut self.lane);
            }
            self.flush(batch);
        }
    }

    /// Put the stream's next packet into the batch; false if there is no path or no key.
    pub fn send_rtp(&mut self, stream: &mut Stream, batch: &mut SendBatch) -> bool {
        let (Some(path), Some(sender)) = (self.path(), self.sender.as_mut()) else {
            return false;
        };
        let Some(slot) = batch.slot() else {
            return false;
        };
        let now = realtime();
        let written = stream.write(slot, now, &mut self.transport_sequence);
        let Some((head, length)) = written.filter(|(_, length)| *length <= MAX_DATAGRAM) else {
            return false;
        };
        match sender.protect_rtp(slot, head, length) {
            Ok(length) => batch.commit(length, path, &mut self.lane),
            Err(_) => return false,
        }
        true
    }

    pub fn send_rtcp(&mut self, compound: &[u8], batch: &mut SendBatch) {
        let (Some(path), Some(sender)) = (self.path(), self.sender.as_mut()) else {
            return;
        };
        let Some(slot) = batch.slot() else {
            return;
        };
        if compound.len() + MAX_OVERHEAD > slot.len() {
            return;
        }
        slot[..compound.len()].copy_from_slice(compound);
        if let Ok(length) = sender.protect_rtcp(slot, compound.len()) {
            batch.commit(length, path, &mut self.lane);
        }
        self.flush(batch);
    }

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
        if self.rtx != 0 && header.payload_type == self.rtx {
            self.figures.repeats += 1;
            return due;
        }
        let length = data.len();
        if self.until_verified == 0 {
            self.until_verified = self.verify;
            match receiver.unprotect_rtp(data) {
                Ok(end) => {
                    if let (Some(arrival), Some(packet)) = (arrival, data.get(..end)) {
                        note_delay(&mut self.figures, arrival, packet);
                    }
                }
                Err(crate::srtp::Refused::Replayed) => {} // counted as a duplicate below
                Err(_) => {
                    self.figures.refused += 1;
                    return due;
                }
            }
        }
        self.until_verified -= 1;
        self.figures.record(header.ssrc, header.payload_type, header.sequence, length);
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

    /// Timers: of the agent, of feedback, of receivers' reports.
    pub fn tick(&mut self, now: Time, batch: &mut SendBatch, events: &mut Vec<Event>) {
        if self.agent.next_timeout().is_some_and(|due| due <= now) {
            let mut said = Said::default();
            self.agent.timeout(now, &mut said);
            self.carry_out(said, batch, events);
        }
        let due = self.arrivals.as_ref().and_then(Arrivals::deadline);
        if due.is_some_and(|due| due <= now) {
            self.send_feedback(now, batch);
        }
        if now >= self.report_due {
            self.report_due = now + REPORT_INTERVAL;
            self.send_report(batch);
        }
    }

    fn send_feedback(&mut self, now: Time, batch: &mut SendBatch) {
        let mut buffer = [0; MAX_FEEDBACK];
        while let Some(length) =
            self.arrivals.as_mut().and_then(|arrivals| arrivals.write(now, REPORTER, &mut buffer))
        {
            self.send_rtcp(&buffer[..length], batch);
        }
    }

    fn send_report(&mut self, batch: &mut SendBatch) {
        let blocks: Vec<ReportBlock> = self
            .figures
            .tracks
            .iter()
            .filter(|(_, track)| track.received > 0)
            .take(BLOCKS)
            .map(|(ssrc, track)| {
                let lost = track.expected().saturating_sub(track.received);
                ReportBlock {
                    ssrc: *ssrc,
                    fraction_lost: (lost * 255 / track.expected().max(1)).min(255) as u8,
                    cumulative_lost: lost.min(0x7f_ffff) as u32,
                    highest: track.highest() as u32,
                    ..ReportBlock::default()
                }
            })
            .collect();
        if !blocks.is_empty() {
            let mut buffer = [0; 8 + rtcp::REPORT_BLOCK * BLOCKS];
            let length = rtcp_write::receiver_report(&mut buffer, REPORTER, &blocks);
            self.send_rtcp(&buffer[..length], batch);
        }
    }
}

fn put(batch: &mut SendBatch, datagram: &[u8], path: Path, lane: &mut Lane) {
    if let Some(slot) = batch.slot().and_then(|slot| slot.get_mut(..datagram.len())) {
        slot.copy_from_slice(datagram);
        batch.commit(datagram.len(), path, lane);
    }
}

/// Both times are the wall clock's, because the kernel's are.
fn note_delay(figures: &mut Figures, arrival: Time, packet: &[u8]) {
    let header = crate::srtp::rtp_header_length(packet).unwrap_or(packet.len());
    let time = packet.get(header + TIME_AT..header + TIME_END);
    if let Some(sent) = time.and_then(|octets| octets.try_into().ok()).map(u64::from_be_bytes) {
        // Servers also send packets of their own, to find out what fits.
        let delay = arrival.checked_sub(sent).filter(|delay| *delay <= MAX_DELAY);
        if let Some(delay) = delay.and_then(|delay| u32::try_from(delay / 1000).ok()) {
            figures.delays.record(delay);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
