use super::cipher::derive;
use super::replay::{Window, WINDOW};
use super::*;
use crate::crypto::{AesCtr, AesGcm};

const PROFILES: [Profile; 3] =
    [Profile::Aes128CmSha1_80, Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn pair(profile: Profile) -> (Sender, Receiver) {
    let (key, salt) = profile.lengths();
    let (key, salt) = (vec![0x5a; key], vec![0xa5; salt]);
    (Sender::new(profile, &key, &salt).unwrap(), Receiver::new(profile, &key, &salt).unwrap())
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x90, 0x60];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, 0x10, 0x7f, 0, 0]);
    packet.extend(payload);
    packet
}

fn protect(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut slot = packet.to_vec();
    slot.resize(packet.len() + MAX_OVERHEAD, 0);
    let header = rtp_header_length(packet).unwrap();
    let length = sender.protect_rtp(&mut slot, header, packet.len()).unwrap();
    slot.truncate(length);
    slot
}

fn unprotect(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut copy = packet.to_vec();
    let length = receiver.unprotect_rtp(&mut copy)?;
    copy.truncate(length);
    Ok(copy)
}

#[test]
fn key_derivation_of_rfc_3711_b_3() {
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let mut cipher = [0; 16];
    let mut session_salt = [0; 14];
    let mut auth = [0; 94];
    derive(&key, &salt, 0, &mut cipher).unwrap();
    derive(&key, &salt, 2, &mut session_salt).unwrap();
    derive(&key, &salt, 1, &mut auth).unwrap();
    assert_eq!(cipher[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(session_salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(auth[..16], hex("CEBE321F6FF7716B6FD4AB49AF256A15"));
}

/// The key stream, at both ends of a segment.
#[test]
fn counter_mode_of_rfc_3711_b_2() {
    let cipher = AesCtr::new(&hex("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap());
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
    let mut stream = vec![0; 0xff02 * 16];
    cipher.apply(&iv, &mut stream);
    let blocks = [
        (0x0000, "E03EAD0935C95E80E166B16DD92B4EB4"),
        (0x0001, "D23513162B02D0F72A43A2FE4A5F97AB"),
        (0x0002, "41E95B3BB0A2E8DD477901E4FCA894C0"),
        (0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
        (0xff00, "362B7C3C6773516318A077D7FC5073AE"),
        (0xff01, "6A2CC3787889374FBEB4C81B17BA6C44"),
    ];
    for (number, expected) in blocks {
        assert_eq!(stream[number * 16..][..16], hex(expected), "block {number:#x}");
    }
}

fn gcm(key: &str) -> Cipher {
    let salt = hex("517569642070726f2071756f").try_into().unwrap();
    Cipher::Gcm { cipher: AesGcm::new(&hex(key)).unwrap(), salt }
}

fn gcm_sender(key: &str) -> Sender {
    Sender {
        rtp: gcm(key),
        rtcp: gcm(key),
        highest: IdMap::default(),
        rtcp_index: IdMap::default(),
    }
}

const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn packets_of_rfc_7714_16() {
    let header = "8040f17b 8041f8d3 5501a0b2";
    let plain = hex(&format!(
        "{header} 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465
         73207472 6573"
    ));
    let expected_128 = hex(&format!(
        "{header} f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
         36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce"
    ));
    let expected_256 = hex(&format!(
        "{header} 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
         1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13"
    ));
    assert_eq!(protect(&mut gcm_sender(KEY_128), &plain), expected_128);
    assert_eq!(protect(&mut gcm_sender(KEY_256), &plain), expected_256);
}

#[test]
fn compound_of_rfc_7714_17_1() {
    let plain =
        hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef
         deadbeef deadbeef deadbeef deadbeef");
    let expected =
        hex("81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
         730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4");
    let mut sender = gcm_sender(KEY_128);
    sender.rtcp_index.insert(0x4d617273, 0x5d4);
    let mut slot = plain.clone();
    slot.resize(plain.len() + MAX_OVERHEAD, 0);
    let length = sender.protect_rtcp(&mut slot, plain.len()).unwrap();
    assert_eq!(slot[..length], expected);
}

#[test]
fn both_ways_with_rollover() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        for step in 0..200_000u32 {
            if step % 997 > 3 {
                continue;
            }
            let packet = rtp(7, (step & 0xffff) as u16, b"payload of some length");
            let sent = protect(&mut sender, &packet);
            assert_ne!(sent[20..30], packet[20..30]);
            assert_eq!(unprotect(&mut receiver, &sent), Ok(packet));
        }
        assert_eq!(sender.highest[&7] >> 16, 3);
    }
}

#[test]
fn reordered_and_resent_around_the_rollover() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let numbers = [65530, 65533, 1, 65535, 0, 65534, 2, 65531];
        for number in numbers {
            let packet = rtp(7, number, b"x");
            let sent = protect(&mut sender, &packet);
            assert_eq!(protect(&mut sender, &packet), sent, "a plain resend is the same packet");
            assert_eq!(unprotect(&mut receiver, &sent), Ok(packet));
            assert_eq!(unprotect(&mut receiver, &sent), Err(Refused::Replayed));
        }
    }
}

#[test]
fn refused_packets_change_nothing() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let first = protect(&mut sender, &rtp(7, 100, b"first"));
        for bit in 0..first.len() * 8 {
            let mut wrong = first.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(unprotect(&mut receiver, &wrong).is_err(), "bit {bit}");
        }
        for length in 0..first.len() {
            assert!(unprotect(&mut receiver, &first[..length]).is_err());
        }
        assert!(receiver.rtp_streams.windows.is_empty());
        assert!(unprotect(&mut receiver, &first).is_ok());
        let mut far = protect(&mut sender, &rtp(7, 30_000, b"far"));
        *far.last_mut().unwrap() ^= 1;
        assert_eq!(unprotect(&mut receiver, &far), Err(Refused::Unauthentic));
        assert_eq!(receiver.rtp_streams.get(7).unwrap().highest, 100);
    }
}

#[test]
fn late_by_more_than_the_window() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    let packets: Vec<_> = (0..3000).map(|n| protect(&mut sender, &rtp(7, n, b"x"))).collect();
    assert!(unprotect(&mut receiver, &packets[2999]).is_ok());
    assert!(unprotect(&mut receiver, &packets[2999 - 1023]).is_ok());
    assert_eq!(unprotect(&mut receiver, &packets[2999 - 1024]), Err(Refused::TooOld));
}

#[test]
fn the_window_agrees_with_a_set() {
    let mut state = 1u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let mut window = Window::new(5000);
    let mut seen = std::collections::HashSet::from([5000]);
    let mut highest = 5000u64;
    for _ in 0..200_000 {
        let spread = if random(50) == 0 { 3000 } else { 40 };
        let index = (highest + random(spread)).saturating_sub(random(spread));
        let expected = if highest >= index && highest - index >= WINDOW {
            Err(Refused::TooOld)
        } else if seen.contains(&index) {
            Err(Refused::Replayed)
        } else {
            Ok(())
        };
        assert_eq!(window.check(index), expected);
        if expected.is_ok() {
            window.mark(index);
            seen.insert(index);
            highest = highest.max(index);
        }
    }
}

#[test]
fn each_stream_has_its_own_rollover() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    for number in [65534, 65535, 0, 1] {
        let video = protect(&mut sender, &rtp(1, number, b"video"));
        assert!(unprotect(&mut receiver, &video).is_ok());
        let audio = protect(&mut sender, &rtp(2, number.wrapping_add(100), b"audio"));
        assert!(unprotect(&mut receiver, &audio).is_ok());
    }
    assert_eq!((sender.highest[&1], sender.highest[&2]), (0x10001, 101));
}

#[test]
fn received_streams_are_bounded() {
    let (mut sender, mut receiver) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..2000 {
        let packet = protect(&mut sender, &rtp(ssrc, 5, b"x"));
        assert!(unprotect(&mut receiver, &packet).is_ok());
        let keep = protect(&mut sender, &rtp(0, (6 + ssrc) as u16, b"x"));
        assert!(unprotect(&mut receiver, &keep).is_ok());
    }
    assert_eq!(receiver.rtp_streams.windows.len(), MAX_RECEIVED_STREAMS);
    assert!(receiver.rtp_streams.get(0).is_some());
    assert!(receiver.rtp_streams.get(5).is_none());
}

#[test]
fn sent_streams_are_refused_when_there_are_too_many() {
    let (mut sender, _) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..MAX_SENT_STREAMS as u32 {
        protect(&mut sender, &rtp(ssrc, 5, b"x"));
    }
    let mut slot = [rtp(u32::MAX, 5, b"x"), vec![0; MAX_OVERHEAD]].concat();
    assert_eq!(sender.protect_rtp(&mut slot, 20, 21), Err(Refused::Exhausted));
}

#[test]
fn compounds_both_ways() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let compound = hex("80c90001 00000007 81ca0002 00000007 01016100");
        let mut former = Vec::new();
        for _ in 0..5 {
            let mut slot = compound.clone();
            slot.resize(compound.len() + MAX_OVERHEAD, 0);
            let length = sender.protect_rtcp(&mut slot, compound.len()).unwrap();
            slot.truncate(length);
            for bit in 0..slot.len() * 8 {
                let mut wrong = slot.clone();
                wrong[bit / 8] ^= 1 << (bit % 8);
                assert!(receiver.unprotect_rtcp(&mut wrong).is_err());
            }
            for cut in 0..slot.len() {
                assert!(receiver.unprotect_rtcp(&mut slot[..cut].to_vec()).is_err());
            }
            let mut copy = slot.clone();
            let length = receiver.unprotect_rtcp(&mut copy).unwrap();
            assert_eq!(copy[..length], compound);
            assert_eq!(receiver.unprotect_rtcp(&mut slot.clone()), Err(Refused::Replayed));
            assert_ne!(slot, former);
            former = slot;
        }
    }
}

#[test]
fn random_packets_are_refused_without_state() {
    let mut state = 7u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 32) as u32
    };
    let rounds = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    for profile in PROFILES {
        let (_, mut receiver) = pair(profile);
        let mut data = [0u8; 1500];
        for _ in 0..rounds {
            let length = (random() % 80) as usize;
            for byte in &mut data[..length] {
                *byte = random() as u8;
            }
            data[0] = (data[0] & 0x3f) | 0x80;
            assert!(receiver.unprotect_rtp(&mut data[..length]).is_err());
            assert!(receiver.unprotect_rtcp(&mut data[..length]).is_err());
        }
        assert!(
            receiver.rtp_streams.windows.is_empty() && receiver.rtcp_streams.windows.is_empty()
        );
    }
}
