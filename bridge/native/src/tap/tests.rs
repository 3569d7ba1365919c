use super::*;
use crate::media::HeaderExtension;

const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// In nothing but what has to stay hidden.
const SECRET: u8 = 0x5e;

fn map() -> ExtensionMap {
    let known = [(1, LEVEL), (3, MID)];
    ExtensionMap::new(&known.map(|(id, uri)| HeaderExtension { id, uri: uri.into() }))
}

fn tap() -> (Box<Tap>, Arc<Records>) {
    let (mut tap, records) = Tap::new(7);
    tap.set_extensions(&map());
    (tap, records)
}

/// Time, octets carried, flags and what was kept of each.
type Seen = Vec<(u64, u32, u16, Vec<u8>)>;

fn take(records: &Records) -> (Seen, bool) {
    records.take(|mut octets, is_over| {
        let mut seen = Vec::new();
        while let Some((head, rest)) = octets.split_at_checked(RECORD) {
            let kept = u16::from_le_bytes([head[12], head[13]]);
            let (kept, rest) = rest.split_at(kept.into());
            let time = u64::from_le_bytes(head[..8].try_into().unwrap());
            let carried = u32::from_le_bytes(head[8..12].try_into().unwrap());
            seen.push((time, carried, u16::from_le_bytes([head[14], head[15]]), kept.to_vec()));
            octets = rest;
        }
        assert!(octets.is_empty());
        (seen, is_over)
    })
}

/// A packet with a CSRC, an extension block and a payload.
fn packet(profile: u16, block: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x91, 0xef, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    packet.extend(profile.to_be_bytes());
    packet.extend(u16::try_from(block.len() / 4).unwrap().to_be_bytes());
    packet.extend(block);
    packet.extend([SECRET; 50]);
    packet
}

#[test]
fn of_rtp_the_header_is_kept_without_levels_and_what_is_unknown() {
    let (mut tap, records) = tap();
    // A level, an unknown id, a mid of two characters; then the same in the longer form.
    let short = [0x10, SECRET, 0x51, SECRET, SECRET, 0x31, b'm', b'0'];
    let long = [1, 1, SECRET, 5, 1, SECRET, 3, 2, b'm', b'0', 0, 0];
    for (profile, block) in [(0xbede, &short[..]), (0x1000, &long), (0x1234, &[SECRET; 8])] {
        tap.rtp(5, Way::Received, &packet(profile, block));
    }
    assert!(tap.hand_over());
    let (seen, is_over) = take(&records);
    assert!(!is_over);
    let expected: [&[u8]; 3] =
        [&[0, 0, 0, 0, 0, 0x31, b'm', b'0'], &[0, 0, 0, 0, 0, 0, 3, 2, b'm', b'0', 0, 0], &[0; 8]];
    assert_eq!(seen.len(), 3);
    for ((time, carried, flags, kept), block) in seen.iter().zip(expected) {
        assert_eq!((*time, *carried as usize, *flags), (5, 20 + block.len() + 50, 0));
        assert_eq!(kept[..12], packet(0, &[])[..12]);
        assert_eq!(kept[12..16], [0, 0, 0, 3]);
        assert_eq!(&kept[20..], block);
        assert!(!kept.contains(&SECRET));
    }
}

#[test]
fn without_a_meaning_no_extension_is_shown() {
    let (mut tap, records) = Tap::new(7);
    tap.rtp(5, Way::Sent, &packet(0xbede, &[0x31, b'm', b'0', 0]));
    tap.hand_over();
    let (seen, _) = take(&records);
    assert_eq!((seen[0].2, &seen[0].3[20..]), (SENT, &[0; 4][..]));
}

#[test]
fn nothing_behind_the_header_is_kept_whatever_the_packet_says() {
    let (mut tap, records) = tap();
    let mut headers = Vec::new();
    for first in 0x80..0xc0 {
        let extension = if first & 0x10 != 0 { 4 } else { 0 };
        let header = 12 + 4 * usize::from(first & 0x0f) + extension;
        for length in 0..160 {
            // An extension block has no elements; padding is the last octet alone.
            let mut packet = vec![0; length.min(header)];
            packet.resize(length, SECRET);
            if let Some(octet) = packet.first_mut() {
                *octet = first;
            }
            if let (true, Some(last)) = (length > header, packet.last_mut()) {
                *last = 1;
            }
            tap.rtp(1, Way::Received, &packet);
            // Where there is said to be padding there has to be some.
            if length >= header + usize::from(first & 0x20 != 0) {
                headers.push((length, header));
            }
        }
        assert!(tap.hand_over());
    }
    let (seen, _) = take(&records);
    let kept = seen.iter().map(|(_, carried, _, kept)| (*carried as usize, kept.len()));
    assert_eq!(kept.collect::<Vec<_>>(), headers);
    assert!(!seen.iter().any(|one| one.3.contains(&SECRET)));
}

#[test]
fn of_rtcp_reports_and_feedback_are_kept() {
    let (mut tap, records) = tap();
    // A sender report with something of an application's own behind it.
    let report = [&[0x80, 200, 0, 7, 0, 0, 0, 1][..], &[9; 20], &[SECRET; 4]].concat();
    let names = [&[0x81, 202, 0, 2, 0, 0, 0, 1, 1][..], &[SECRET; 3]].concat();
    let application = [&[0x80, 204, 0, 2, 0, 0, 0, 1][..], &[SECRET; 4]].concat();
    let goodbye = [&[0x81, 203, 0, 2, 0, 0, 0, 1, 3][..], &[SECRET; 3]].concat();
    let voice = [&[0x80, 207, 0, 2, 0, 0, 0, 1][..], &[SECRET; 4]].concat();
    let unknown = [&[0x8f, 206, 0, 3][..], &[0; 8], &[SECRET; 4]].concat();
    let pli = [&[0xa1, 206, 0, 3][..], &[1; 8], &[SECRET, SECRET, SECRET, 4]].concat();
    let compound = [&report[..], &names, &application, &goodbye, &voice, &unknown, &pli].concat();
    tap.rtcp(8, Way::Sent, &compound);
    tap.rtcp(9, Way::Received, &[&names[..], &goodbye].concat());
    tap.hand_over();
    let (seen, _) = take(&records);
    let kept =
        [&[0x80, 200, 0, 6, 0, 0, 0, 1][..], &[9; 20], &[0x81, 206, 0, 2, 1, 1, 1, 1, 1, 1, 1, 1]];
    assert_eq!(seen, [(8, 40, SENT | RTCP, kept.concat())]);
}

#[test]
fn a_reader_who_does_not_keep_up_ends_it_without_a_gap() {
    let (mut tap, records) = tap();
    let mut number = 0u32;
    let mut send = |tap: &mut Tap| {
        let mut packet = packet(0xbede, &[0; 4]);
        packet[4..8].copy_from_slice(&number.to_be_bytes());
        tap.rtp(1, Way::Received, &packet);
        number += 1;
    };
    let capacity = tap.octets.capacity();
    let in_turns = 2 * (TURN + WAITING) / 40;
    for turn in 0..in_turns {
        send(&mut tap);
        if turn % 100 == 0 {
            tap.hand_over();
        }
    }
    assert!(tap.is_full);
    assert_eq!(tap.octets.capacity(), capacity);
    let (first, is_over) = take(&records);
    assert!(!is_over);
    assert!(!tap.hand_over());
    send(&mut tap);
    let (second, is_over) = take(&records);
    assert!(is_over);
    let seen = first.iter().chain(&second).map(|one| &one.3[4..8]);
    assert!(seen.eq((0..(first.len() + second.len()) as u32).map(u32::to_be_bytes)));
    assert!(!second.is_empty());
}

#[test]
fn either_end_ends_it() {
    let (mut tap, records) = tap();
    records.end();
    assert!(!tap.hand_over());
    let (mut tap, records) = Tap::new(7);
    tap.rtp(1, Way::Received, &packet(0xbede, &[]));
    drop(tap);
    let (seen, is_over) = take(&records);
    assert_eq!((seen.len(), is_over), (1, true));
    assert_eq!(take(&records), (vec![], true));
}
