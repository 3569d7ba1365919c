//! The load generator: participants that send and receive what a client does, over sockets of
//! their own, to measure a bridge with.
//!
//! ICE, SRTP, reports and transport-cc feedback are real; the DTLS handshake is the caller's, and
//! what is sent is not a picture but looks like one from outside.  Everything runs in
//! [`Generator::run`], on the thread that calls it.  Only loopback addresses are ever sent to,
//! and those that the caller names.

mod figures;
mod peer;
mod stream;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::clock::{monotonic, sleep_until};
use crate::media::Time;
use crate::socket::{ReceiveBatch, SendBatch};
use crate::srtp::{Receiver, Sender};

pub use figures::{Delays, Figures, Track};
pub use peer::{Event, Peer, PeerDescription};
pub use stream::{Kind, StreamDescription};

use stream::Stream;

const MILLISECOND: Time = 1_000_000;
/// Participants of one generator.
pub const MAX_PEERS: usize = 1024;
/// Streams of one generator.
pub const MAX_STREAMS: usize = 4096;
/// Packets a second that all streams together may have.
pub const MAX_RATE: u64 = 200_000;
/// Timers of agents and reports are looked at that often.
const TICK: Time = 5 * MILLISECOND;
/// All sockets are read that often while streams are running.  Nothing waits for them: to wake a reader is work that the
/// sender would do, which here is the bridge that is measured.  Delays are the kernel's.
const READ_INTERVAL: Time = MILLISECOND / 2;
/// Packets that a stream which is behind may send at once; a generator that was held up does
/// not make up for it in a burst.
const MAX_CATCH_UP: u32 = 32;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address is neither on loopback nor one of those named.
    NotAllowed(IpAddr),
    /// More peers, streams or packets than a generator may have.
    TooMuch,
    NoSuchPeer,
}

pub struct Generator {
    allowed: HashSet<IpAddr>,
    peers: BTreeMap<usize, Peer>,
    next_number: usize,
    streams: Vec<Stream>,
    rate: u64,
    sending: bool,
    received: ReceiveBatch,
    batch: SendBatch,
    events: Vec<Event>,
    next_tick: Time,
    next_read: Time,
}

impl Generator {
    /// `allowed`: addresses besides loopback that may be sent to.
    pub fn new(allowed: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            allowed: allowed.into_iter().collect(),
            peers: BTreeMap::new(),
            next_number: 0,
            streams: Vec::new(),
            rate: 0,
            sending: false,
            received: ReceiveBatch::with_arrivals(),
            batch: SendBatch::default(),
            events: Vec::new(),
            next_tick: 0,
            next_read: 0,
        }
    }

    pub fn may_reach(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.allowed.contains(&address)
    }

    /// Bind a socket for a participant, and begin its connectivity checks.
    pub fn add_peer(
        &mut self,
        description: &PeerDescription,
    ) -> io::Result<Result<usize, Refusal>> {
        let remote = description.remote.ip();
        if !self.may_reach(remote) {
            return Ok(Err(Refusal::NotAllowed(remote)));
        }
        if self.peers.len() >= MAX_PEERS {
            return Ok(Err(Refusal::TooMuch));
        }
        let number = self.next_number;
        let peer = Peer::new(number, description, monotonic(), &mut self.batch)?;
        self.next_number += 1;
        self.peers.insert(number, peer);
        Ok(Ok(number))
    }

    /// Close a participant's socket and end its streams; nobody gets its number again.
    pub fn remove_peer(&mut self, peer: usize) {
        self.peers.remove(&peer);
        self.streams.retain(|stream| stream.peer != peer);
        self.rate = self.streams.iter().map(Stream::rate).sum();
        self.events.retain(|event| event.peer() != peer);
    }

    pub fn local(&self, peer: usize) -> Option<SocketAddr> {
        self.peers.get(&peer).map(Peer::local)
    }

    pub fn set_srtp(
        &mut self,
        peer: usize,
        sender: Box<Sender>,
        receiver: Box<Receiver>,
    ) -> Result<(), Refusal> {
        self.peer(peer)?.set_srtp(sender, receiver);
        Ok(())
    }

    pub fn send_dtls(&mut self, peer: usize, datagrams: &[Vec<u8>]) -> Result<(), Refusal> {
        let batch = &mut self.batch;
        let peer = self.peers.get_mut(&peer).ok_or(Refusal::NoSuchPeer)?;
        peer.send_plain(datagrams, batch);
        Ok(())
    }

    /// Add a stream that `peer` sends while the generator is sending.
    pub fn add_stream(
        &mut self,
        peer: usize,
        description: &StreamDescription,
    ) -> Result<(), Refusal> {
        let rate = u64::from(description.rate);
        if self.streams.len() >= MAX_STREAMS || self.rate + rate > MAX_RATE || rate == 0 {
            return Err(Refusal::TooMuch);
        }
        self.peer(peer)?;
        self.rate += rate;
        let mut stream = Stream::new(peer, description);
        // Who comes while others send does not begin with a burst.
        stream.begin(monotonic(), 0, 1);
        self.streams.push(stream);
        Ok(())
    }

    /// How loud a stream of this SSRC is from now on (RFC 6464); no such stream: nothing.
    pub fn set_level(&mut self, ssrc: u32, level: u8) {
        self.streams
            .iter_mut()
            .filter(|stream| stream.ssrc() == ssrc)
            .for_each(|stream| stream.set_level(level));
    }

    /// Note at every peer when the first keyframe comes that is sent under this SSRC.
    pub fn await_picture(&mut self, ssrc: u32) {
        self.peers.values_mut().for_each(|peer| peer.await_picture(ssrc));
    }

    fn peer(&mut self, peer: usize) -> Result<&mut Peer, Refusal> {
        self.peers.get_mut(&peer).ok_or(Refusal::NoSuchPeer)
    }

    /// Begin or end sending; streams begin spread over their first interval.
    pub fn set_sending(&mut self, sending: bool) {
        self.sending = sending;
        self.next_read = 0;
        let (now, count) = (monotonic(), self.streams.len() as u64);
        for (number, stream) in (0u64..).zip(&mut self.streams) {
            stream.begin(now, number, count);
        }
    }

    /// Forget what was counted; what is on its way still belongs to nothing.
    pub fn reset(&mut self) {
        self.peers.values_mut().for_each(Peer::reset);
        self.streams.iter_mut().for_each(|stream| stream.sent = 0);
    }

    /// Work for `duration`, or until something happens that the caller has to act on.
    pub fn run(&mut self, duration: Time) -> io::Result<Vec<Event>> {
        let end = monotonic().saturating_add(duration);
        loop {
            let now = monotonic();
            if now >= self.next_read {
                self.next_read = now + if self.sending { READ_INTERVAL } else { TICK };
                self.read(now)?;
            }
            if now >= self.next_tick {
                self.next_tick = now + TICK;
                self.tick(now);
            }
            if now >= end || !self.events.is_empty() {
                return Ok(std::mem::take(&mut self.events));
            }
            let mut due = end.min(self.next_read);
            if self.sending {
                due = due.min(self.send());
            }
            sleep_until(due);
        }
    }

    fn read(&mut self, now: Time) -> io::Result<()> {
        let allowed = &self.allowed;
        let may_reach = |ip: IpAddr| ip.is_loopback() || allowed.contains(&ip);
        for peer in self.peers.values_mut() {
            let (received, batch) = (&mut self.received, &mut self.batch);
            for ssrc in peer.read(now, received, batch, may_reach, &mut self.events)? {
                for stream in self.streams.iter_mut().filter(|one| one.ssrc() == ssrc) {
                    stream.ask_keyframe();
                }
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Time) {
        for peer in self.peers.values_mut() {
            peer.tick(now, &mut self.batch, &mut self.events);
        }
        if self.sending {
            for stream in &mut self.streams {
                if let (Some(peer), Some(report)) =
                    (self.peers.get_mut(&stream.peer), stream.report(now))
                {
                    peer.send_rtcp(&report, &mut self.batch);
                }
            }
        }
    }

    /// Send what is due; the time of the next packet.
    fn send(&mut self) -> Time {
        let now = monotonic();
        let mut next = Time::MAX;
        for stream in &mut self.streams {
            let Some(peer) = self.peers.get_mut(&stream.peer) else {
                continue;
            };
            let mut count = 0;
            while stream.due <= now {
                if count < MAX_CATCH_UP {
                    stream.sent += u64::from(peer.send_rtp(stream, &mut self.batch));
                    count += 1;
                } else {
                    stream.skip_to(now);
                }
                stream.step();
            }
            if count > 0 {
                peer.flush(&mut self.batch);
            }
            next = next.min(stream.due);
        }
        next
    }

    /// Packets sent since the last reset, by SSRC.
    pub fn sent(&self) -> Vec<(usize, u32, u64)> {
        self.streams.iter().map(|stream| (stream.peer, stream.ssrc(), stream.sent)).collect()
    }

    /// Packets that a peer has received since the last reset.
    pub fn received(&self, peer: usize) -> u64 {
        let tracks = self.peers.get(&peer).map(|peer| peer.figures().tracks.values());
        tracks.into_iter().flatten().map(|track| track.received).sum()
    }

    /// Of all peers, in the order in which they were added.
    pub fn figures(&self) -> Vec<&Figures> {
        self.peers.values().map(Peer::figures).collect()
    }

    /// Of all peers together.
    pub fn delays(&self) -> Delays {
        let mut all = Delays::default();
        self.peers.values().for_each(|peer| all.add(&peer.figures().delays));
        all
    }
}

#[cfg(test)]
mod tests;
