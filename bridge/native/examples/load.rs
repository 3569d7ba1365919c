//! A sender and many receivers that load a bridge over real sockets: ICE and SRTP as a client
//! does them, keys from the caller, no codec.
//!
//! Reads lines from standard input, answers each `run` with one line of JSON:
//!
//! ```text
//! peer UFRAG PWD REMOTE_UFRAG REMOTE_PWD REMOTE_ADDRESS SEND_KEY SEND_SALT RECEIVE_KEY RECEIVE_SALT
//! connect                      (until every peer has a pair, or 5 s)
//! run KIND SIZE RATE SECONDS   (the first peer sends; KIND is vp8 or opus, SIZE of the payload in octets)
//! ```
//!
//! Keys are hexadecimal, for AEAD_AES_128_GCM.  Each payload carries the time it was sent, so
//! receivers report the delay; they authenticate and decrypt every packet.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use xmppconf_native::demux::{classify, Kind};
use xmppconf_native::ice::{Agent, Candidate, Event, Output, Path};
use xmppconf_native::socket::{Lane, ReceiveBatch, SendBatch, Socket};
use xmppconf_native::srtp::{Profile, Receiver, Sender};
use xmppconf_native::stun::Message;

const SSRC: u32 = 1000;
const VP8: u8 = 100;
const OPUS: u8 = 111;
const PACKETS_PER_FRAME: u64 = 5;
const FRAMES_PER_KEYFRAME: u64 = 90;
const BUFFER: usize = 8 * 1024 * 1024;
/// Offset of the time in the RTP payload, behind a VP8 descriptor and keyframe header.
const TIME_AT: usize = 16;

type Failure = Box<dyn std::error::Error>;

#[derive(Default)]
struct Sent(Vec<(Path, Vec<u8>)>, bool);

impl Output for Sent {
    fn send(&mut self, path: Path, datagram: &[u8]) {
        self.0.push((path, datagram.to_vec()));
    }

    fn event(&mut self, event: Event) {
        if matches!(event, Event::Selected { .. }) {
            self.1 = true;
        }
    }
}

struct Peer {
    socket: [Socket; 1],
    agent: Agent,
    srtp_out: Sender,
    srtp_in: Receiver,
    connected: bool,
    received: u64,
    bytes: u64,
    refused: u64,
    rtcp: u64,
    delays: Vec<u32>,
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

impl Peer {
    fn new(words: &[&str], number: u32, now: u64) -> Result<Self, Failure> {
        let [ufrag, pwd, remote_ufrag, remote_pwd, remote, keys @ ..] = words else {
            return Err("peer takes nine words".into());
        };
        let [send_key, send_salt, receive_key, receive_salt] = keys else {
            return Err("peer takes nine words".into());
        };
        let remote: SocketAddr = remote.parse()?;
        let socket = Socket::bind(SocketAddr::new(remote.ip(), 0), BUFFER, BUFFER)?;
        let profile = Profile::from_number(7).ok_or("no such profile")?;
        let mut agent =
            Agent::new(number, ufrag.as_bytes(), pwd.as_bytes(), false, u64::from(number) + now);
        let candidates = [Candidate { address: remote, priority: 1 }];
        let mut sent = Sent::default();
        agent.set_remote(
            now,
            remote_ufrag.as_bytes(),
            remote_pwd.as_bytes(),
            &candidates,
            &[(0, socket.local())],
            &mut sent,
        );
        let mut peer = Self {
            socket: [socket],
            agent,
            srtp_out: Sender::new(profile, &unhex(send_key)?, &unhex(send_salt)?)
                .ok_or("bad key")?,
            srtp_in: Receiver::new(profile, &unhex(receive_key)?, &unhex(receive_salt)?)
                .ok_or("bad key")?,
            connected: false,
            received: 0,
            bytes: 0,
            refused: 0,
            rtcp: 0,
            delays: Vec::new(),
        };
        peer.carry_out(sent, &mut SendBatch::default());
        Ok(peer)
    }

    fn carry_out(&mut self, sent: Sent, batch: &mut SendBatch) {
        self.connected |= sent.1;
        for (path, datagram) in sent.0 {
            if let Some(slot) = batch.slot().and_then(|slot| slot.get_mut(..datagram.len())) {
                slot.copy_from_slice(&datagram);
                batch.commit(datagram.len(), path, &mut Lane::default());
            }
        }
        batch.flush(&mut self.socket);
    }

    /// Read what waits; how many datagrams there were.
    fn read(
        &mut self,
        now: u64,
        received: &mut ReceiveBatch,
        batch: &mut SendBatch,
    ) -> io::Result<usize> {
        let [socket] = &self.socket;
        let count = received.receive(socket)?;
        let mut answers = Sent::default();
        for index in 0..count {
            let Some((remote, data)) = received.datagram(index) else {
                continue;
            };
            let length = data.len() as u64;
            match classify(data) {
                Some(Kind::Stun) => {
                    if let Some(message) = Message::parse(data) {
                        let path = Path { socket: 0, remote };
                        self.agent.receive(now, path, &message, &mut answers);
                    }
                }
                Some(Kind::Rtp) => match self.srtp_in.unprotect_rtp(data) {
                    Ok(end) => {
                        self.received += 1;
                        self.bytes += length;
                        self.note_delay(now, data.get(..end).unwrap_or_default());
                    }
                    Err(_) => self.refused += 1,
                },
                Some(Kind::Rtcp) => self.rtcp += 1,
                _ => self.refused += 1,
            }
        }
        self.carry_out(answers, batch);
        Ok(count)
    }

    fn note_delay(&mut self, now: u64, packet: &[u8]) {
        let header = xmppconf_native::srtp::rtp_header_length(packet).unwrap_or(packet.len());
        let time = packet.get(header + TIME_AT..header + TIME_AT + 8);
        if let Some(sent) = time.and_then(|octets| octets.try_into().ok()).map(u64::from_be_bytes) {
            let delay = now.saturating_sub(sent) / 1000;
            self.delays.push(u32::try_from(delay).unwrap_or(u32::MAX));
        }
    }

    fn timeout(&mut self, now: u64, batch: &mut SendBatch) {
        if self.agent.next_timeout().is_some_and(|due| due <= now) {
            let mut sent = Sent::default();
            self.agent.timeout(now, &mut sent);
            self.carry_out(sent, batch);
        }
    }

    fn reset(&mut self) {
        self.received = 0;
        self.bytes = 0;
        self.refused = 0;
        self.delays.clear();
    }
}

/// What the first peer sends: one RTP stream with continuous numbers over all runs.
#[derive(Default)]
struct Stream {
    packets: u64,
    lane: Lane,
}

impl Stream {
    fn write(&mut self, slot: &mut [u8], now: u64, video: bool, size: usize) -> Option<usize> {
        let number = self.packets;
        self.packets += 1;
        let (frame, part) = match video {
            true => (number / PACKETS_PER_FRAME, number % PACKETS_PER_FRAME),
            false => (number, 0),
        };
        let last = !video || part + 1 == PACKETS_PER_FRAME;
        let packet = slot.get_mut(..12 + size)?;
        let (header, payload) = packet.split_at_mut(12);
        let kind = if video { VP8 } else { OPUS };
        let clock = if video { 3000 } else { 960 };
        header[0] = 0x80;
        header[1] = kind | if video && last { 0x80 } else { 0 };
        header[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        header[4..8].copy_from_slice(&((frame * clock) as u32).to_be_bytes());
        header[8..12].copy_from_slice(&SSRC.to_be_bytes());
        payload.fill(0x5a);
        if video {
            let start = if part == 0 { 0x10 } else { 0 };
            payload.get_mut(..2)?.copy_from_slice(&[0x80 | start, 0xe0]);
            let picture = 0x8000 | (frame as u16 & 0x7fff);
            payload.get_mut(2..4)?.copy_from_slice(&picture.to_be_bytes());
            payload.get_mut(4..6)?.copy_from_slice(&[frame as u8, 0x20]);
            let keyframe = frame % FRAMES_PER_KEYFRAME == 0;
            if part == 0 {
                // 640 by 360 (RFC 6386, 9.1).
                let frame_header = [u8::from(!keyframe), 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1];
                payload.get_mut(6..16)?.copy_from_slice(&frame_header);
            }
        }
        payload.get_mut(TIME_AT..TIME_AT + 8)?.copy_from_slice(&now.to_be_bytes());
        Some(packet.len())
    }
}

struct Load {
    start: Instant,
    peers: Vec<Peer>,
    stream: Stream,
    received: ReceiveBatch,
    batch: SendBatch,
}

impl Load {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Serve all sockets once; whether anything was there.
    fn serve(&mut self) -> io::Result<bool> {
        let now = self.now();
        let mut busy = false;
        for peer in &mut self.peers {
            busy |= peer.read(now, &mut self.received, &mut self.batch)? > 0;
            peer.timeout(now, &mut self.batch);
        }
        Ok(busy)
    }

    fn connect(&mut self) -> Result<(), Failure> {
        let limit = self.now() + 5_000_000_000;
        while !self.peers.iter().all(|peer| peer.connected) {
            if self.now() > limit {
                return Err("not every peer connected in 5 s".into());
            }
            if !self.serve()? {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn send_one(&mut self, video: bool, size: usize) -> Option<()> {
        let now = self.now();
        let peer = self.peers.first_mut()?;
        let path = peer.agent.destination()?;
        let slot = self.batch.slot()?;
        let length = self.stream.write(slot, now, video, size)?;
        let length = peer.srtp_out.protect_rtp(slot, 12, length).ok()?;
        self.batch.commit(length, path, &mut self.stream.lane);
        Some(())
    }

    fn run(&mut self, video: bool, size: usize, rate: u64, seconds: u64) -> Result<(), Failure> {
        self.peers.iter_mut().for_each(Peer::reset);
        let (begin, mut sent) = (self.now(), 0u64);
        let end = begin + seconds * 1_000_000_000;
        loop {
            let now = self.now();
            if now >= end {
                break;
            }
            let due = u128::from(now - begin) * u128::from(rate) / 1_000_000_000;
            let due = u64::try_from(due)?.min(sent + 64);
            let idle = sent >= due;
            while sent < due {
                self.send_one(video, size).ok_or("the sender has no pair")?;
                sent += 1;
            }
            if let Some(peer) = self.peers.first_mut() {
                self.batch.flush(&mut peer.socket);
            }
            if !self.serve()? && idle {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        let drain = self.now() + 300_000_000;
        while self.now() < drain {
            if !self.serve()? {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.report(sent, (end - begin) as f64 / 1e9)
    }

    fn report(&mut self, sent: u64, seconds: f64) -> Result<(), Failure> {
        let receivers = self.peers.get(1..).unwrap_or_default();
        let received: u64 = receivers.iter().map(|peer| peer.received).sum();
        let refused: u64 = self.peers.iter().map(|peer| peer.refused).sum();
        let bytes: u64 = receivers.iter().map(|peer| peer.bytes).sum();
        let mut delays: Vec<u32> =
            receivers.iter().flat_map(|peer| peer.delays.iter().copied()).collect();
        delays.sort_unstable();
        let at = |share: usize| delays.get(delays.len() * share / 1000).copied().unwrap_or(0);
        let expected = sent * receivers.len() as u64;
        let lost = 1.0 - received as f64 / expected.max(1) as f64;
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{{\"sent\": {sent}, \"received\": {received}, \"refused\": {refused}, \
             \"bytes\": {bytes}, \"seconds\": {seconds:.3}, \"loss\": {lost:.6}, \
             \"delay_p50_us\": {}, \"delay_p99_us\": {}}}",
            at(500),
            at(990)
        )?;
        Ok(out.flush()?)
    }
}

fn main() -> Result<(), Failure> {
    let mut load = Load {
        start: Instant::now(),
        peers: Vec::new(),
        stream: Stream::default(),
        received: ReceiveBatch::default(),
        batch: SendBatch::default(),
    };
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["peer", rest @ ..] => {
                let number = u32::try_from(load.peers.len())?;
                load.peers.push(Peer::new(rest, number, load.now())?);
            }
            ["connect"] => {
                load.connect()?;
                println!("{{\"connected\": {}}}", load.peers.len());
            }
            ["run", kind, size, rate, seconds] => {
                load.run(*kind == "vp8", size.parse()?, rate.parse()?, seconds.parse()?)?;
            }
            _ => return Err(format!("unknown line: {line}").into()),
        }
    }
    Ok(())
}
