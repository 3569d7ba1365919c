//! What those may do who have no keys, or wrong ones.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use xmppconf_native::crypto::HmacSha1;
use xmppconf_native::engine::Engine;
use xmppconf_native::socket::{Lane, ReceiveBatch, SendBatch, Socket};
use xmppconf_native::srtp::{Profile, Sender, MAX_OVERHEAD};
use xmppconf_native::{ice, stun};

use crate::common::{connect, counter, full, gate, protected, set_srtp, share, start, wait};
use crate::inputs::{protection, rtp, Chance};

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
        let key = HmacSha1::new(pwd);
        let wrong_key = HmacSha1::new(b"local-password-of-22-d");
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
        let key = HmacSha1::new(b"unknown");
        let mut chance = Chance::new(3);
        let mut data = vec![0; 65_507];
        chance.fill(&mut data);
        let mut taken = |left: &Engine, from: u64, to: u64| {
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
