//! What those who have keys may do to each other and to the bridge.

use xmppconf_native::media::fuzzing::Room;
use xmppconf_native::media::{Time, MILLISECOND, SECOND};
use xmppconf_native::srtp::{rtp_header_length, Profile, MAX_OVERHEAD};

use crate::common::{full, gate, share};
use crate::inputs::{corpus, header, protection, rtp, Chance};

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
            let others = room.others_stats();
            let again = others.resend_sent + others.rtx_sent;
            assert!(
                others.rtp_forwarded >= seconds * 249 && again == 0,
                "to others, as if nothing were"
            );
            let share = 100.0 * resent as f64 / forwarded_bytes as f64;
            format!("{asked:.1} keyframe requests a second, {share:.0} % sent again")
        },
    );
}
