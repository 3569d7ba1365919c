//! Loudest-N, redundant audio, and gaps that are closed.

use super::*;

const RED: u8 = 63;
const OPUS: u8 = 111;

fn opus(id: u8) -> PayloadType {
    PayloadType {
        id,
        codec: "opus".into(),
        clock_rate: 48_000,
        retransmits: None,
        nack: false,
        pli: false,
        transport_cc: false,
    }
}

fn red(id: u8, within: u8) -> PayloadType {
    PayloadType { codec: "red".into(), retransmits: Some(within), ..opus(id) }
}

/// Transports from 100 on each send audio with their number as source and SSRC; 11 hears all.
fn open_microphones(count: u32) -> Room {
    let mut room = Room::new();
    for speaker in 100..100 + count {
        room.apply(Command::AddTransport { transport: speaker, conference: 5 });
        room.apply(Command::SetPayloadTypes {
            transport: speaker,
            payload_types: vec![opus(OPUS)],
        });
        let level = HeaderExtension { id: 1, uri: LEVEL.into() };
        room.apply(Command::SetHeaderExtensions { transport: speaker, extensions: vec![level] });
        let encodings = vec![Encoding { ssrc: speaker, rtx_ssrc: None }];
        let source = SourceDescription { source: speaker, kind: Kind::Audio, encodings };
        room.apply(Command::SetSources { transport: speaker, sources: vec![source] });
        room.route(RECEIVER, speaker, speaker, 0);
    }
    room
}

/// A packet of a speaker at a level, 0 the loudest.
fn speak(room: &mut Room, speaker: u32, sequence: u16, level: u8) -> Vec<Rtp> {
    let mut packet = audio(sequence, level);
    packet[8..12].copy_from_slice(&speaker.to_be_bytes());
    room.rtp(speaker, packet)
}

fn set_loudest(room: &mut Room, count: usize, always: &[u32]) {
    room.apply(Command::SetLoudest { conference: 5, count, always: always.to_vec() });
}

#[test]
fn a_hundred_microphones_go_out_like_three() {
    let count = |microphones: u32| {
        let mut room = open_microphones(microphones);
        set_loudest(&mut room, 3, &[]);
        let mut sent = 0;
        for round in 0..100u16 {
            for speaker in 100..100 + microphones {
                // Three speak, the others' rooms hum.
                let level = if speaker < 103 && round > 0 { 30 } else { 90 };
                sent += speak(&mut room, speaker, round, level).len();
            }
            room.advance(20 * MS);
        }
        sent
    };
    let (three, hundred) = (count(3), count(100));
    assert_eq!(three, 300);
    assert!(hundred < three + 10, "{hundred}");
}

#[test]
fn only_the_loudest_are_forwarded() {
    let mut room = open_microphones(20);
    set_loudest(&mut room, 3, &[]);
    let mut heard = std::collections::BTreeMap::<u32, u32>::new();
    for round in 0..100u16 {
        for speaker in 100..120 {
            // 100 to 102 are the loudest; all begin with their background.
            let level = if round == 0 { 100 } else { 20 + (speaker - 100) as u8 };
            for packet in speak(&mut room, speaker, round, level) {
                *heard.entry(packet.ssrc).or_default() += u32::from(round >= 10);
            }
        }
        room.advance(20 * MS);
    }
    heard.retain(|_, packets| *packets > 0);
    assert_eq!(heard, [(100, 90), (101, 90), (102, 90)].into());
    assert!(room.media.stats().dropped_quiet >= 17 * 90);
}

#[test]
fn a_call_with_a_place_for_everybody_notices_nothing() {
    let mut room = open_microphones(3);
    set_loudest(&mut room, 3, &[]);
    for round in 0..50u16 {
        for speaker in 100..103 {
            assert_eq!(
                speak(&mut room, speaker, round, [10, 60, 126][speaker as usize - 100]).len(),
                1
            );
        }
        room.advance(20 * MS);
    }
    assert_eq!(room.media.stats().dropped_quiet, 0);
}

#[test]
fn who_grows_loud_is_heard_at_once_and_without_a_gap() {
    let mut room = open_microphones(2);
    set_loudest(&mut room, 1, &[]);
    let mut sent = Vec::new();
    for round in 0..30u16 {
        let turn = if (10..20).contains(&round) { [100, 20] } else { [20, 100] };
        let levels = if round == 0 { [110, 110] } else { turn };
        for speaker in [100, 101] {
            sent.extend(speak(&mut room, speaker, round, levels[speaker as usize - 100]));
        }
        room.advance(20 * MS);
    }
    let of = |ssrc| {
        let packets: Vec<_> = sent.iter().filter(|packet| packet.ssrc == ssrc).collect();
        let numbers: Vec<_> = packets.iter().map(|p| p.sequence - packets[0].sequence).collect();
        let times: Vec<_> =
            packets.iter().map(|p| p.timestamp.wrapping_sub(packets[0].timestamp) / 960).collect();
        (numbers, times)
    };
    let (numbers, times) = of(100);
    assert_eq!(numbers, (0..numbers.len() as u16).collect::<Vec<_>>());
    assert_eq!(times.first().copied(), Some(0));
    // The one is gone a moment after the other begins, and comes back as quickly.
    let (first, back) = (times.iter().filter(|at| **at < 20).count(), times.len());
    assert!((10..=12).contains(&first), "{times:?}");
    assert!(back - first >= 8, "{times:?}");
    let (numbers, _) = of(101);
    assert_eq!(numbers, (0..numbers.len() as u16).collect::<Vec<_>>());
    assert!((8..=12).contains(&numbers.len()), "{numbers:?}");
}

#[test]
fn the_exempt_pass_however_quiet() {
    let mut room = open_microphones(3);
    set_loudest(&mut room, 1, &[101]);
    for round in 0..20u16 {
        for speaker in 100..103 {
            let level = if round == 0 { 126 } else { [10, 120, 40][speaker as usize - 100] };
            let sent = speak(&mut room, speaker, round, level);
            assert!(round < 2 || sent.len() == usize::from(speaker != 102), "{round} {speaker}");
        }
        room.advance(20 * MS);
    }
    set_loudest(&mut room, 0, &[]);
    assert_eq!(speak(&mut room, 102, 20, 120).len(), 1, "all pass again");
}

#[test]
fn the_control_side_hears_of_sources_when_they_are_heard() {
    let mut room = open_microphones(2);
    set_loudest(&mut room, 1, &[]);
    let rounds = |room: &mut Room, from: u16, loud: u32| {
        for round in from..from + 150 {
            for speaker in [100, 101] {
                speak(room, speaker, round, if speaker == loud { 20 } else { 109 });
            }
            room.advance(20 * MS);
        }
    };
    speak(&mut room, 100, 0, 110);
    speak(&mut room, 101, 0, 110);
    room.advance(3 * SECOND);
    room.out.events.clear();
    rounds(&mut room, 1, 100);
    rounds(&mut room, 151, 101);
    let told: Vec<_> = room
        .out
        .events
        .iter()
        .filter_map(|event| match event {
            Event::SourceActive { source, .. } => Some((*source, true)),
            Event::SourceSilent { source, .. } => Some((*source, false)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(100, true), (101, true), (100, false)]);
}

#[test]
fn a_place_is_free_when_its_owner_goes() {
    let mut room = open_microphones(2);
    set_loudest(&mut room, 1, &[]);
    speak(&mut room, 100, 0, 10);
    speak(&mut room, 100, 1, 10);
    assert_eq!(speak(&mut room, 101, 0, 10), []);
    room.apply(Command::RemoveTransport { transport: 100 });
    assert_eq!(speak(&mut room, 101, 1, 10).len(), 1);
}

/// The sender speaks RED; the receiver knows it too, and 12 only Opus under another number.
fn red_room() -> Room {
    let mut room = Room::new();
    for (transport, payload_types) in [
        (SENDER, vec![red(RED, OPUS), opus(OPUS)]),
        (RECEIVER, vec![red(RED, OPUS), opus(OPUS)]),
        (12, vec![opus(109)]),
    ] {
        room.apply(Command::SetPayloadTypes { transport, payload_types });
    }
    room.route(RECEIVER, AUDIO, SLOT, 0);
    room.route(12, AUDIO, SLOT, 0);
    room
}

/// A packet with the frames of the two packets before it; a frame is its packet's number.
fn redundant(sequence: u16) -> Vec<u8> {
    let age = |packets: u32| ((packets * 960) << 10) | 2;
    let mut payload = Vec::new();
    for packets in [2, 1] {
        payload.extend((u32::from(0x80 | OPUS) << 24 | age(packets)).to_be_bytes());
    }
    payload.push(OPUS);
    for number in [sequence.wrapping_sub(2), sequence.wrapping_sub(1), sequence] {
        payload.extend(number.to_be_bytes());
    }
    packet(RED, 500, sequence, u32::from(sequence) * 960, false, &payload)
}

fn to(receiver: u32, sent: &[Rtp]) -> Vec<Rtp> {
    sent.iter().filter(|packet| packet.receiver == receiver).cloned().collect()
}

#[test]
fn red_is_passed_on_or_stripped() {
    let mut room = red_room();
    let whole = redundant(7);
    let sent = room.rtp(SENDER, whole.clone());
    assert_eq!(sent.len(), 2);
    let (with, without) = (&to(RECEIVER, &sent)[0], &to(12, &sent)[0]);
    assert_eq!((with.payload_type, &with.payload[..]), (RED, &whole[12..]));
    assert_eq!((without.payload_type, &without.payload[..]), (109, &[0, 7][..]));
    // A packet in plain Opus goes as such to both, under the numbers that follow.
    let sent = room.rtp(SENDER, packet(OPUS, 500, 8, 8 * 960, false, &[0, 8]));
    assert_eq!(to(RECEIVER, &sent)[0].payload_type, OPUS);
    assert_eq!(to(RECEIVER, &sent)[0].sequence, with.sequence + 1);
    assert_eq!(to(12, &sent)[0].payload, [0, 8]);
}

#[test]
fn lost_packets_are_taken_from_the_redundancy_once() {
    let mut room = red_room();
    let mut sent = Vec::new();
    // 3 and 4 come too late, 7 never; 20 to 22 are one more than is repeated.
    for number in [1, 2, 5, 4, 3, 6, 8, 9, 23] {
        sent.extend(room.rtp(SENDER, redundant(number)));
    }
    let numbers = |receiver| -> Vec<u16> {
        let sent = to(receiver, &sent);
        sent.iter().map(|packet| packet.sequence - sent[0].sequence + 1).collect()
    };
    assert_eq!(numbers(12), [1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22, 23]);
    assert_eq!(numbers(RECEIVER), [1, 2, 5, 6, 8, 9, 23]);
    let plain = to(12, &sent);
    for packet in &plain {
        let number = packet.sequence - plain[0].sequence + 1;
        assert_eq!(packet.payload, number.to_be_bytes());
        let time = packet.timestamp.wrapping_sub(plain[0].timestamp);
        assert_eq!(time, u32::from(number - 1) * 960);
    }
    let stats = room.media.stats();
    assert_eq!((stats.red_recovered, stats.dropped_duplicate), (5, 2));
}

#[test]
fn malformed_red_is_dropped_and_counted() {
    let mut room = red_room();
    let first = room.rtp(SENDER, redundant(1));
    let whole = redundant(2);
    for (sequence, payload) in [
        (2u16, &whole[12..whole.len() - 6]), // blocks that are longer than the packet
        (3, &[0x80 | OPUS][..]),
        (4, &[RED, 1, 2][..]), // RED within RED
        (5, &[0, 1][..]),      // a codec that was not negotiated
    ] {
        let bad = packet(RED, 500, sequence, u32::from(sequence) * 960, false, payload);
        assert_eq!(room.rtp(SENDER, bad), []);
    }
    assert_eq!(room.media.stats().dropped_red, 4);
    let sent = room.rtp(SENDER, redundant(6));
    assert_eq!(to(12, &sent)[0].sequence, to(12, &first)[0].sequence + 1);
    assert_eq!(to(12, &sent).len(), 1);
}

#[test]
fn silence_within_red_is_dropped_as_well() {
    let mut room = red_room();
    let mut sent = Vec::new();
    for number in 0..8u16 {
        let mut packet = redundant(number);
        let level = if number == 7 { 30 } else { 127 };
        packet[0] |= 0x10;
        packet.splice(12..12, [0xbe, 0xde, 0, 1, 0x10, level, 0, 0]);
        sent.extend(room.rtp(SENDER, packet));
    }
    let plain = to(12, &sent);
    let numbers: Vec<_> = plain.iter().map(|packet| packet.payload[1]).collect();
    assert_eq!(numbers, [0, 1, 2, 7]);
    assert_eq!(plain[3].sequence, plain[0].sequence + 3);
}
