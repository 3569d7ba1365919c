//! One participant: a socket, an agent, keys, and the reports that a client sends.

mod reception;

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::figures::Figures;
use super::stream::Stream;
use crate::clock::realtime;
use crate::demux::MAX_DATAGRAM;
use crate::ice::{self, Agent, Candidate, Output, Path};
use crate::media::extension::ExtensionMap;
use crate::media::feedback::{Arrivals, MAX_FEEDBACK};
use crate::media::rtcp::{self, ReportBlock};
use crate::media::{rtcp_write, HeaderExtension, Time};
use crate::socket::{Lane, SendBatch, Socket};
use crate::srtp::{Receiver, Sender, MAX_OVERHEAD};

const BUFFER: usize = 4 << 20;
const REPORT_INTERVAL: Time = 1_000_000_000;
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

    /// Forget when a picture came, and note when that of this sender's SSRC does.
    pub fn await_picture(&mut self, origin: u32) {
        (self.figures.awaited, self.figures.picture) = (Some(origin), None);
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
