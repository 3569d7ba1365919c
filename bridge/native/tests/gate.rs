//! The gate: so many inputs of each kind, and nothing breaks.
//!
//! A hundredth of each number by default, the whole with `XMPPCONF_FUZZ=full` (`script/fuzz`);
//! with `XMPPCONF_RESULTS` each row of the table of results is added to that file.

mod common;

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use common::{connect, counter, full, gate, protected, set_srtp, share, start, wait};
use xmppconf_native::demux::{classify, Kind, MAX_DATAGRAM};
use xmppconf_native::media::extension::{Extension, ExtensionMap};
use xmppconf_native::media::fuzzing::{self as media_fuzzing, Room};
use xmppconf_native::media::rtp::Header;
use xmppconf_native::media::{HeaderExtension, Time, MILLISECOND, SECOND};
use xmppconf_native::socket::{Lane, ReceiveBatch, SendBatch, Socket};
use xmppconf_native::srtp::{rtp_header_length, Profile, Receiver, Sender, MAX_OVERHEAD};
use xmppconf_native::{fuzzing, ice, stun};

struct Chance(ice::Random);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(ice::Random(seed))
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.0.draw() % limit.max(1) as u64) as usize
    }

    fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    fn fill(&mut self, data: &mut [u8]) {
        for chunk in data.chunks_mut(8) {
            let random = self.0.draw().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    /// Change, cut or lengthen.
    fn damage(&mut self, data: &mut Vec<u8>) {
        for _ in 0..1 + self.below(4) {
            let at = self.below(data.len());
            match self.below(5) {
                0 => data.truncate(at),
                1 => data.extend((0..self.below(20)).map(|byte| byte as u8)),
                _ => {
                    let random = self.0.draw() as u8;
                    if let Some(byte) = data.get_mut(at) {
                        *byte = random;
                    }
                }
            }
        }
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/fuzz").join(name);
    let files = fs::read_dir(folder).expect("the corpus is committed");
    files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// Damaged inputs of a corpus, and one in eight of nothing but chance.
fn damaged(name: &str, count: u64, target: fn(&[u8])) {
    let inputs = corpus(name);
    let mut chance = Chance::new(count);
    for _ in 0..count {
        let mut data = inputs[chance.below(inputs.len())].clone();
        if chance.one_in(8) {
            data.resize(chance.below(300), 0);
            chance.fill(&mut data);
        } else {
            chance.damage(&mut data);
        }
        target(&data);
    }
}

#[test]
fn z1_demultiplexer() {
    let count = share(5_000_000);
    gate("Z1", "first octets: lengths 0 to 3 exhaustively, then random", (1 << 24) + count, || {
        let most = if cfg!(debug_assertions) && !full() { 1u32 << 20 } else { 1 << 24 };
        for value in 0..most {
            let [_, octets @ ..] = value.to_be_bytes();
            for length in 0..=3 {
                assert_eq!(classify(&octets[..length]), None);
            }
        }
        let mut chance = Chance::new(1);
        let mut data = [0; MAX_DATAGRAM + 10];
        for _ in 0..count {
            chance.fill(&mut data[..12]);
            if chance.one_in(4) {
                data[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            }
            let length =
                if chance.one_in(2) { chance.below(24) } else { chance.below(data.len() + 1) };
            let expected = match (data[0], data[1]) {
                _ if !(8..=MAX_DATAGRAM).contains(&length) => None,
                (0..=3, _) if length < 20 || data[4..8] != [0x21, 0x12, 0xa4, 0x42] => None,
                (0..=3, _) => Some(Kind::Stun),
                (20..=63, _) if length >= 13 => Some(Kind::Dtls),
                (128..=191, 192..=223) => Some(Kind::Rtcp),
                (128..=191, _) if length >= 12 => Some(Kind::Rtp),
                _ => None,
            };
            assert_eq!(classify(&data[..length]), expected);
        }
        "as the table of RFC 7983 says".into()
    });
}

#[test]
fn z2_stun_and_ice() {
    let count = share(5_000_000);
    gate("Z2", "STUN messages and ICE agents under signed scripts", count, || {
        damaged("stun", count, fuzzing::stun);
        "no panic, no path without consent".into()
    });
}

const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const TCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Offset and length of level and of transport sequence number.
type Places = [Option<(usize, usize)>; 2];

/// A packet, its extensions, and where its payload begins and ends.
fn header(chance: &mut Chance) -> (Vec<u8>, Places, usize, usize) {
    let (csrcs, padding) = (chance.below(16), chance.below(4) * chance.below(20));
    let mut data = vec![0; 12 + 4 * csrcs];
    chance.fill(&mut data);
    data[0] = 0x80 | csrcs as u8;
    let mut found = [None; 2];
    if chance.one_in(2) {
        data[0] |= 0x10;
        let two = chance.one_in(2);
        let profile = if two { 0x1000 | chance.below(16) as u16 } else { 0xbede };
        let start = data.len();
        data.extend(profile.to_be_bytes());
        data.extend([0, 0]);
        for _ in 0..chance.below(6) {
            let id = [0, 1, 2, 5, 14][chance.below(5)];
            let length = if two { chance.below(40) } else { 1 + chance.below(16) };
            if id == 0 {
                data.push(0); // padding between elements
                continue;
            }
            if two {
                data.extend([id as u8, length as u8]);
            } else {
                data.push((id << 4 | (length - 1)) as u8);
            }
            match id {
                1 => found[0] = Some((data.len(), length)),
                5 => found[1] = Some((data.len(), length)),
                _ => {}
            }
            data.extend((0..length).map(|byte| byte as u8));
        }
        while data.len() % 4 != 0 {
            data.push(0);
        }
        let words = ((data.len() - start - 4) / 4) as u16;
        data[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
    let begin = data.len();
    data.extend((0..chance.below(60)).map(|byte| byte as u8));
    let end = data.len();
    if padding > 0 {
        data[0] |= 0x20;
        data.extend(vec![0; padding - 1]);
        data.push(padding as u8);
    }
    (data, found, begin, end)
}

#[test]
fn z4_rtp_headers() {
    let count = share(5_000_000);
    gate("Z4", "RTP headers: read back what was written, then damaged", count, || {
        let map = ExtensionMap::new(&[
            HeaderExtension { id: 1, uri: LEVEL.into() },
            HeaderExtension { id: 5, uri: TCC.into() },
        ]);
        let mut chance = Chance::new(4);
        for _ in 0..count {
            let (mut data, found, begin, end) = header(&mut chance);
            let parsed = Header::parse(&data, &map).expect("a good packet");
            assert_eq!((parsed.payload_start, parsed.payload_end), (begin, end));
            assert_eq!(rtp_header_length(&data), Some(begin));
            for (kind, place) in
                [Extension::AudioLevel, Extension::TransportCc].into_iter().zip(found)
            {
                let expected = place.map(|(at, length)| &data[at..at + length]);
                assert_eq!(parsed.extensions.get(kind, &data), expected);
            }
            chance.damage(&mut data);
            if let Some(parsed) = Header::parse(&data, &map) {
                assert!(parsed.payload_start <= parsed.payload_end);
                assert!(parsed.payload_end <= data.len());
                assert_eq!(rtp_header_length(&data), Some(parsed.payload_start));
                for kind in [Extension::AudioLevel, Extension::TransportCc] {
                    let _ = parsed.extensions.get(kind, &data);
                }
            }
        }
        "every field as written".into()
    });
}

fn protection(profile: Profile, first: u8) -> (Sender, Receiver) {
    let (key, salt) = profile.lengths();
    let (key, salt) = (vec![first; key], vec![first ^ 0xff; salt]);
    (Sender::new(profile, &key, &salt).unwrap(), Receiver::new(profile, &key, &salt).unwrap())
}

/// What a participant with the right keys might send: mostly plausible, all fields hostile.
fn media_packet(chance: &mut Chance, sequences: &mut [u16; 8], payloads: &[Vec<u8>]) -> Vec<u8> {
    let stream = chance.below(8);
    let sequence = &mut sequences[stream];
    *sequence = match chance.below(40) {
        0 => chance.below(65_536) as u16,
        1 => sequence.wrapping_sub(chance.below(600) as u16),
        2 => sequence.wrapping_add(chance.below(4000) as u16),
        _ => sequence.wrapping_add(1),
    };
    let ssrc = if chance.one_in(50) { chance.below(1 << 12) as u32 } else { stream as u32 };
    let kind = match stream {
        _ if chance.one_in(20) => chance.below(128) as u8,
        1 => 0,
        5..=7 => 5,
        _ => 1 + chance.below(4) as u8 * u8::from(chance.one_in(10)),
    };
    let (mut data, ..) = header(chance);
    data[1] = kind | (data[1] & 0x80);
    data[2..4].copy_from_slice(&sequence.to_be_bytes());
    data[8..12].copy_from_slice(&ssrc.to_be_bytes());
    if data[0] & 0x20 == 0 && !chance.one_in(4) {
        if stream >= 5 {
            data.extend((*sequence).wrapping_sub(chance.below(20) as u16).to_be_bytes());
        }
        data.extend(&payloads[chance.below(payloads.len())]);
    }
    if chance.one_in(10) {
        chance.damage(&mut data);
    }
    data.truncate(1400);
    data
}

#[test]
fn z5_rtp_after_authentication() {
    let count = share(1_000_000);
    gate("Z5", "RTP with the right keys through SRTP and the whole receive path", count, || {
        let (mut sender, mut receiver) = protection(Profile::AeadAes128Gcm, 5);
        let payloads = corpus("codecs");
        let mut chance = Chance::new(5);
        let mut room = Room::default();
        let mut sequences = [0; 8];
        let mut now = SECOND;
        let mut taken = 0u64;
        for _ in 0..count {
            now += chance.below(3) as Time * MILLISECOND;
            let packet = media_packet(&mut chance, &mut sequences, &payloads);
            let Some(header) = rtp_header_length(&packet) else { continue };
            let length = packet.len();
            let mut slot = packet;
            slot.resize(length + MAX_OVERHEAD, 0);
            let length = sender.protect_rtp(&mut slot, header, length).unwrap();
            if let Ok(length) = receiver.unprotect_rtp(&mut slot[..length]) {
                room.rtp(now, 1, &mut slot[..length]);
                taken += 1;
            }
        }
        let stats = room.stats();
        assert_eq!(stats.rtp_received, taken);
        assert!(taken > count / 10 && stats.rtp_forwarded > count / 100, "{stats:?}");
        format!("{taken} authentic, {} forwarded, what left was sound", stats.rtp_forwarded)
    });
}

#[test]
fn z6_rtcp() {
    let count = share(5_000_000).max(4 * 2049);
    gate("Z6", "RTCP of every length 0 to 2048, with and without keys", count, || {
        let inputs = corpus("rtcp");
        let (_, mut receiver) = protection(Profile::AeadAes128Gcm, 6);
        let (_, mut other) = protection(Profile::Aes128CmSha1_80, 6);
        let mut chance = Chance::new(6);
        let mut room = Room::default();
        let mut now = SECOND;
        let mut data = Vec::new();
        for index in 0..count {
            now += chance.below(2) as Time * MILLISECOND;
            if index % 2 == 0 {
                // a length each in turn, made of packets whose lengths are right
                let whole = (index / 2 % 2049) as usize;
                data.resize(whole, 0);
                chance.fill(&mut data);
                let mut at = 0;
                while at + 8 <= whole {
                    let words = 1 + chance.below(40).min((whole - at) / 4 - 2);
                    let kind = [200, 201, 202, 203, 204, 205, 206, 207][chance.below(8)];
                    let count = [0u8, 1, 1, 4, 15, 31][chance.below(6)];
                    data[at] = 0x80 | count;
                    data[at + 1] = kind;
                    data[at + 2..at + 4].copy_from_slice(&(words as u16).to_be_bytes());
                    if at + 12 <= whole && chance.one_in(2) {
                        data[at + 8..at + 12].copy_from_slice(&Room::video_slot().to_be_bytes());
                    }
                    at += 4 * words + 4;
                }
            } else {
                data.clone_from(&inputs[chance.below(inputs.len())]);
                chance.damage(&mut data);
            }
            room.rtcp(now, 1 + (index % 2) as u32, &data);
            if index % 8 == 0 {
                let mut copy = data.clone();
                assert!(receiver.unprotect_rtcp(&mut copy).is_err());
                copy.clone_from(&data);
                assert!(other.unprotect_rtcp(&mut copy).is_err());
            }
        }
        let heard = room.stats().nack_received + room.stats().pli_received;
        assert!(heard > count / 100, "{:?}", room.stats());
        format!("{heard} requests understood, nothing accepted without keys")
    });
}

#[test]
fn z7_codecs() {
    let count = share(5_000_000);
    gate(
        "Z7",
        "payloads as VP8, VP9, AV1 (with and without descriptor), H.264 each",
        count,
        || {
            damaged("codecs", count, media_fuzzing::codecs);
            "no panic, numbers read back as written".into()
        },
    );
}

fn rtp(ssrc: u32, sequence: u16, body: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([body; 20]);
    packet
}

fn protect(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut slot = packet.to_vec();
    slot.resize(packet.len() + MAX_OVERHEAD, 0);
    let length = sender.protect_rtp(&mut slot, 12, packet.len()).unwrap();
    slot.truncate(length);
    slot
}

#[test]
fn s12_replays_and_forgeries() {
    let count = share(1_000_000);
    gate("S12", "SRTP replayed, too late, damaged, under a wrong key or number", count, || {
        let mut accepted = 0u64;
        for (number, profile) in
            [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmSha1_80]
                .into_iter()
                .enumerate()
        {
            let (mut sender, mut receiver) = protection(profile, 12);
            let (mut stranger, _) = protection(profile, 13);
            let mut chance = Chance::new(12 + number as u64);
            let mut sent: Vec<Vec<u8>> = Vec::new();
            let mut sequence = 0u16;
            for step in 0..count / 3 {
                if step % 16 == 0 {
                    // A good one now and then, over many rollovers; losses in between.
                    sequence = sequence.wrapping_add(1 + chance.below(40) as u16);
                    let packet = protect(&mut sender, &rtp(7, sequence, step as u8));
                    let mut copy = packet.clone();
                    assert!(receiver.unprotect_rtp(&mut copy).is_ok(), "a good packet");
                    sent.push(packet);
                    if sent.len() > 2_000 {
                        sent.drain(..500);
                    }
                }
                let mut bad = sent[chance.below(sent.len())].clone();
                match step % 5 {
                    0 => {} // replayed, or later than the window
                    1 => {
                        let bit = chance.below(bad.len() * 8);
                        bad[bit / 8] ^= 1 << (bit % 8);
                    }
                    2 => {
                        // the content of one under the number of another
                        let number = sequence.wrapping_add(chance.below(3000) as u16);
                        bad[2..4].copy_from_slice(&number.wrapping_add(1).to_be_bytes());
                    }
                    3 => bad = protect(&mut stranger, &rtp(7, sequence.wrapping_add(9), 1)),
                    _ => bad.truncate(chance.below(bad.len())),
                }
                accepted += u64::from(receiver.unprotect_rtp(&mut bad).is_ok());
            }
        }
        assert_eq!(accepted, 0);
        "0 accepted".into()
    });
}

#[test]
fn s14_strange_ssrcs() {
    gate("S14a, S14b", "packets under 10,000 SSRCs nobody announced", 10_000, || {
        let mut room = Room::default();
        for ssrc in 0..10_000 {
            let mut packet = rtp(1000 + ssrc, 1, 0);
            room.rtp(SECOND, 1, &mut packet);
        }
        // transport 2 under an SSRC of transport 1
        room.rtp(SECOND, 2, &mut rtp(1, 1, 0));
        let stats = room.stats();
        assert_eq!(stats.dropped_unknown_ssrc, 10_001);
        assert_eq!((stats.dropped_foreign_ssrc, stats.rtp_forwarded), (1, 0));
        "all dropped and counted, 64 remembered".into()
    });
}

#[test]
fn s15_feedback_storm() {
    let seconds = if full() { 60 } else { 6 };
    gate(
        "S15",
        "seconds of 1,000 PLI and 10,000 NACK a second, REMB and false TCC",
        seconds,
        || {
            let mut room = Room::default();
            let slot = Room::video_slot().to_be_bytes();
            let mut chance = Chance::new(15);
            let (mut sequence, mut forwarded_bytes) = (0u16, 0u64);
            for tick in 0..seconds * 1000 {
                let now = SECOND + tick * MILLISECOND;
                if tick % 4 == 0 {
                    sequence = sequence.wrapping_add(1);
                    let mut packet = rtp(2, sequence, 0);
                    packet[1] = 1;
                    packet.truncate(12);
                    packet.extend([
                        0x10,
                        u8::from(tick % 4000 != 0),
                        0,
                        0x9d,
                        1,
                        0x2a,
                        64,
                        1,
                        64,
                        1,
                    ]);
                    packet.resize(1100, 7);
                    room.rtp(now, 1, &mut packet);
                    forwarded_bytes += 1100;
                }
                let compound =
                    |head: [u8; 4], rest: &[u8]| [&head[..], &[0, 0, 0, 9], &slot, rest].concat();
                room.rtcp(now, 2, &compound([0x81, 206, 0, 2], &[]));
                for _ in 0..10 {
                    let id = (chance.below(65_536) as u16).to_be_bytes();
                    room.rtcp(now, 2, &compound([0x81, 205, 0, 3], &[id[0], id[1], 0xff, 0xff]));
                }
                let remb = [b'R', b'E', b'M', b'B', 1, 0xff, 0xff, 0xff];
                room.rtcp(now, 2, &compound([0x8f, 206, 0, 5], &[&remb[..], &slot].concat()));
                room.rtcp(now, 2, &compound([0x8f, 205, 0, 4], &[0xff; 8]));
            }
            let stats = room.stats();
            let asked = stats.pli_sent as f64 / seconds as f64;
            let resent = (stats.resend_sent + stats.rtx_sent) * 1100;
            assert!(asked <= 4.0, "{asked} keyframe requests a second");
            assert!(resent <= forwarded_bytes / 4 + (64 << 10), "{resent} of {forwarded_bytes}");
            assert!(stats.rtp_forwarded >= seconds * 249, "the stream went on");
            let share = 100.0 * resent as f64 / forwarded_bytes as f64;
            format!("{asked:.1} keyframe requests a second, {share:.0} % sent again")
        },
    );
}

struct Silent(usize);

impl ice::Output for Silent {
    fn send(&mut self, _path: ice::Path, _datagram: &[u8]) {
        self.0 += 1;
    }

    fn event(&mut self, _event: ice::Event) {
        self.0 += 1;
    }
}

#[test]
fn s6_checks_with_one_thing_wrong() {
    let count = share(1_000_000);
    gate("S6", "STUN checks with user, tag, fingerprint, role or any bit wrong", count, || {
        let pwd: &[u8] = b"local-password-of-22-c";
        let key = xmppconf_native::crypto::HmacSha1::new(pwd);
        let wrong_key = xmppconf_native::crypto::HmacSha1::new(b"local-password-of-22-d");
        let mut agent = ice::Agent::new(1, b"local", pwd, true, 7);
        let path = ice::Path { socket: 0, remote: SocketAddr::from(([192, 0, 2, 1], 9)) };
        let mut chance = Chance::new(6);
        let mut out = Silent(0);
        for step in 0..count {
            let user: &[u8] = if step % 4 == 0 { b"locah" } else { b"local" };
            let mut writer = stun::Writer::new(stun::Class::Request, [step as u8; 12])
                .username(user, b"remote")
                .priority(step as u32);
            if step % 4 != 1 {
                writer = writer.role(false, step);
            }
            let mut raw = writer.finish(if step % 4 == 2 { &wrong_key } else { &key }).to_vec();
            if step % 4 == 3 {
                let before = raw.clone();
                chance.damage(&mut raw);
                if raw == before {
                    continue;
                }
            }
            if let Some(message) = stun::Message::parse(&raw) {
                agent.receive(step, path, &message, &mut out);
            }
            assert_eq!(out.0, 0, "step {step} was answered");
            assert_eq!((agent.destination(), agent.next_timeout()), (None, None));
        }
        "nothing sent, nothing remembered".into()
    });
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn s1_s2_s3_s11_a_stranger() {
    let count = share(1_000_000).max(10_000);
    let what = "a stranger's STUN, DTLS, RTP under the right key, random, of 0 to 65,507 octets";
    gate("S1, S2, S3, S11", what, count, || {
        let (left, right) = (start("127.0.0.1:0"), start("127.0.0.1:0"));
        connect(&left, &right);
        set_srtp(&left, Profile::AeadAes128Gcm);
        let target: SocketAddr = left.local_addresses()[0];
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut stranger = [Socket::bind(here, 1 << 20, 1 << 20).unwrap()];
        let long = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut batch = SendBatch::default();
        let key = xmppconf_native::crypto::HmacSha1::new(b"unknown");
        let mut chance = Chance::new(3);
        let mut data = vec![0; 65_507];
        chance.fill(&mut data);
        let mut taken = |left: &xmppconf_native::engine::Engine, from: u64, to: u64| {
            let before = counter(left, "packets_received");
            for step in from..to {
                let datagram: Vec<u8> = match step % 5 {
                    0 => {
                        let mut writer = stun::Writer::new(stun::Class::Request, [9; 12])
                            .username(b"nobody", b"here")
                            .priority(1)
                            .role(false, 1);
                        writer.finish(&key).to_vec()
                    }
                    1 => [&[22, 254, 253][..], &data[..100]].concat(),
                    2 => protected(Profile::AeadAes128Gcm, step as u16),
                    3 if step % 2000 == 3 => {
                        long.send_to(&data[..1501 + chance.below(64_007)], target).unwrap();
                        continue;
                    }
                    _ => data[..chance.below(1501)].to_vec(),
                };
                let slot = batch.slot().expect("flushed below");
                slot[..datagram.len()].copy_from_slice(&datagram);
                let path = ice::Path { socket: 0, remote: target };
                batch.commit(datagram.len(), path, &mut Lane::default());
                if step % 64 != 63 && step + 1 < to {
                    continue;
                }
                batch.flush(&mut stranger);
                while counter(left, "packets_received") + 4_000 < before + step - from {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            wait("the last of them", || {
                (counter(left, "packets_received") - before >= (to - from) * 99 / 100).then_some(())
            });
            std::thread::sleep(Duration::from_millis(600));
            counter(left, "packets_received") - before
        };
        taken(&left, 0, count / 10);
        let (memory, cpu) = (resident_kib(), counter(&left, "worker_cpu_ns"));
        let sent = counter(&left, "packets_sent");
        let received = taken(&left, count / 10, count);
        let cost = (counter(&left, "worker_cpu_ns") - cpu) / received;
        // Other tests run in this process; alone, as in `script/fuzz`, it grows by nothing.
        let grown = resident_kib().saturating_sub(memory);
        let answered = counter(&left, "packets_sent") - sent;
        let heard = ReceiveBatch::default().receive(&stranger[0]).unwrap();
        assert_eq!(heard, 0, "a stranger was answered");
        assert!(answered < 50, "only consent checks of the pair, not {answered}");
        assert!(left.take_events().is_empty());
        if full() {
            assert!(grown <= 1024, "{grown} KiB more");
        }
        // A time is told, never asserted: a shared machine doubles it.
        format!("0 octets answered, {cost} ns of CPU a packet, {grown} KiB more")
    });
}
