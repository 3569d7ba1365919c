//! What the fuzz targets, and the tests that replay their corpora, do with an input.
//!
//! Each function panics when a rule is broken that no input may break.

use std::net::SocketAddr;

use crate::crypto::HmacSha1;
use crate::demux::classify;
use crate::ice::{Agent, Candidate, Event, Output, Path, MAX_PAIRS};
use crate::srtp::{rtp_header_length, Profile, Receiver, Sender, MAX_OVERHEAD};
use crate::stun::{Class, Message, Writer};

const LOCAL_PWD: &[u8] = b"local-password-of-22-c";
const REMOTE_PWD: &[u8] = b"remote-password-22-cha";

#[derive(Default)]
struct Sent {
    transaction: [u8; 12],
    datagrams: usize,
    open: std::collections::HashSet<Path>,
}

impl Output for Sent {
    fn send(&mut self, _path: Path, datagram: &[u8]) {
        // What is written here must be readable.
        if let Some(message) = Message::parse(datagram) {
            self.transaction = message.transaction;
        } else {
            panic!("an unreadable message was sent");
        }
        self.datagrams += 1;
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::PathOpened(path) => assert!(self.open.insert(path), "opened twice"),
            Event::PathClosed(path) => assert!(self.open.remove(&path), "closed twice"),
            Event::Valid { .. } | Event::Selected { .. } | Event::Failed => {}
        }
    }
}

/// The input as one message, and as a script of signed messages and of time for an agent.
pub fn stun(data: &[u8]) {
    let _ = classify(data);
    let local_key = HmacSha1::new(LOCAL_PWD);
    let remote_key = HmacSha1::new(REMOTE_PWD);
    let mut agent = Agent::new(1, b"local", LOCAL_PWD, data.len() % 2 == 0, 7);
    let mut out = Sent::default();
    let mut now = 1_000_000_000;
    let address = |port: u8| SocketAddr::from(([192, 0, 2, 1], 1000 + u16::from(port)));
    let path = |port: u8| Path { socket: port & 1, remote: address(port) };
    if let Some(message) = Message::parse(data) {
        let _ = (message.ufrags(), message.authentic(&local_key));
        agent.receive(now, path(0), &message, &mut out);
    }
    for step in data.chunks_exact(4) {
        let &[operation, port, detail, wait] = step else {
            continue;
        };
        now += u64::from(wait) * u64::from(wait) * 1_000_000;
        out.datagrams = 0;
        let transaction = if detail & 1 == 0 { out.transaction } else { [detail; 12] };
        match operation % 6 {
            0 | 1 => {
                let mut writer = Writer::new(Class::Request, transaction)
                    .username(b"local", if detail & 2 == 0 { b"remote" } else { b"newer" })
                    .priority(u32::from(detail) << 24)
                    .role(operation & 8 != 0, u64::from(detail) << 56);
                if operation & 16 != 0 {
                    writer = writer.use_candidate();
                }
                if let Some(message) = Message::parse(writer.finish(&local_key)) {
                    agent.receive(now, path(port), &message, &mut out);
                }
            }
            2 => {
                let mut writer = Writer::new(Class::Success, transaction).mapped(address(port));
                if let Some(message) = Message::parse(writer.finish(&remote_key)) {
                    agent.receive(now, path(port), &message, &mut out);
                }
            }
            3 => {
                let code = if operation & 8 != 0 { 487 } else { 300 + u16::from(detail) };
                let mut writer = Writer::new(Class::Error, transaction).error(code, "x");
                if let Some(message) = Message::parse(writer.finish(&remote_key)) {
                    agent.receive(now, path(port), &message, &mut out);
                }
            }
            4 => {
                let candidate =
                    Candidate { address: address(port), priority: u32::from(detail) << 24 };
                let ufrag: &[u8] = if operation & 64 == 0 { b"remote" } else { b"newer" };
                let sockets = [(0, address(254)), (1, address(255))];
                agent.set_remote(now, ufrag, REMOTE_PWD, &[candidate], &sockets, &mut out);
            }
            _ => agent.timeout(now, &mut out),
        }
        assert!(out.datagrams <= 2 * MAX_PAIRS + 2, "too many datagrams at once");
        assert!(out.open.len() <= MAX_PAIRS);
        assert!(agent.paths().all(|path| out.open.contains(&path)));
        assert_eq!(agent.paths().count(), out.open.len());
        if let Some(destination) = agent.destination() {
            assert!(out.open.contains(&destination), "sends where nobody consented");
        }
    }
}

/// The input as a protected packet of a stranger, and as a plain one to protect and read back.
pub fn srtp(data: &[u8]) {
    let Some((&first, packet)) = data.split_first() else {
        return;
    };
    let profile = match first % 3 {
        0 => Profile::Aes128CmSha1_80,
        1 => Profile::AeadAes128Gcm,
        _ => Profile::AeadAes256Gcm,
    };
    let (key, salt) = profile.lengths();
    let (key, salt) = (vec![1; key], vec![2; salt]);
    let (Some(mut sender), Some(mut receiver)) =
        (Sender::new(profile, &key, &salt), Receiver::new(profile, &key, &salt))
    else {
        panic!("keys of the right length were refused");
    };
    assert!(receiver.unprotect_rtp(&mut packet.to_vec()).is_err());
    assert!(receiver.unprotect_rtcp(&mut packet.to_vec()).is_err());
    let packet = packet.get(..1400).unwrap_or(packet);
    let mut slot = packet.to_vec();
    slot.resize(packet.len() + MAX_OVERHEAD, 0);
    if let Some(header) = rtp_header_length(packet) {
        let Ok(length) = sender.protect_rtp(&mut slot, header, packet.len()) else {
            panic!("a good packet was not protected");
        };
        slot.truncate(length);
        let again = receiver.unprotect_rtp(&mut slot).map(|length| slot.get(..length));
        assert_eq!(again, Ok(Some(packet)));
    }
    let mut slot = packet.to_vec();
    slot.resize(packet.len() + MAX_OVERHEAD, 0);
    if let Ok(length) = sender.protect_rtcp(&mut slot, packet.len()) {
        slot.truncate(length);
        let again = receiver.unprotect_rtcp(&mut slot).map(|length| slot.get(..length));
        assert_eq!(again, Ok(Some(packet)));
    }
}
