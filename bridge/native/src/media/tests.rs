//! The machine as a whole: packets in, packets out.

mod audio;
mod layers;
mod legs;
mod links;
mod mirrors;
mod relays;
mod resend;
mod timers;

use super::rtcp::{self, Rtcp};
use super::*;

const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const TCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const MS: Time = MILLISECOND;

#[derive(Debug, PartialEq, Eq, Clone)]
struct Rtp {
    receiver: u32,
    payload_type: u8,
    marker: bool,
    padding: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: Vec<u8>,
}

#[derive(Default)]
struct Collected {
    rtp: Vec<Rtp>,
    raw: Vec<Vec<u8>>,
    rtcp: Vec<(u32, Vec<u8>)>,
    events: Vec<Event>,
    asks: Vec<(u8, Ask)>,
}

impl Output for Collected {
    fn send_rtp(&mut self, receiver: u32, header: &[u8], payload: &[u8]) {
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        self.rtp.push(Rtp {
            receiver,
            payload_type: header[1] & 0x7f,
            marker: header[1] & 0x80 != 0,
            padding: header[0] & 0x20 != 0,
            sequence: word(0) as u16,
            timestamp: word(4),
            ssrc: word(8),
            payload: payload.to_vec(),
        });
        self.raw.push([header, payload].concat());
    }

    fn send_rtcp(&mut self, receiver: u32, compound: &[u8]) {
        self.rtcp.push((receiver, compound.to_vec()));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    fn ask(&mut self, worker: u8, ask: Ask) {
        self.asks.push((worker, ask));
    }
}

impl Collected {
    fn plis(&self) -> Vec<(u32, u32)> {
        let to = |(receiver, bytes): &(u32, Vec<u8>)| {
            rtcp::parse(bytes)
                .filter_map(|packet| match packet {
                    Rtcp::Pli { media_ssrc } => Some((*receiver, media_ssrc)),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        self.rtcp.iter().flat_map(to).collect()
    }

    fn nacks(&self) -> Vec<u16> {
        let mut numbers = Vec::new();
        for (_, bytes) in &self.rtcp {
            for packet in rtcp::parse(bytes) {
                if let Rtcp::Nack { items, .. } = packet {
                    numbers.extend(rtcp::nacked(items));
                }
            }
        }
        numbers
    }
}

struct Room {
    media: Media,
    out: Collected,
    now: Time,
}

fn types() -> Vec<PayloadType> {
    let entry = |id, codec: &str, clock_rate, retransmits: Option<u8>, video: bool| PayloadType {
        id,
        codec: codec.into(),
        clock_rate,
        retransmits,
        nack: video && retransmits.is_none(),
        pli: video,
        transport_cc: true,
    };
    vec![
        entry(111, "opus", 48_000, None, false),
        entry(100, "vp8", 90_000, None, true),
        entry(96, "rtx", 90_000, Some(100), true),
        entry(107, "h264", 90_000, None, true),
    ]
}

const AUDIO: u32 = 1;
const VIDEO: u32 = 2;
const SENDER: u32 = 10;
const RECEIVER: u32 = 11;
const SLOT: u32 = 0x5107;

impl Room {
    /// Transport 10 sends audio 1 (SSRC 500) and video 2 (SSRC 600, 601, 602; rtx 700, 701, 702);
    /// 11 and 12 receive.
    fn new() -> Room {
        let mut room = Room { media: Media::new(7), out: Collected::default(), now: 10 * SECOND };
        room.apply(Command::AddConference { conference: 5, audio_ssrc: 90, video_ssrc: 91 });
        for transport in [SENDER, RECEIVER, 12] {
            room.apply(Command::AddTransport { transport, conference: 5 });
            room.apply(Command::SetPayloadTypes { transport, payload_types: types() });
            room.apply(Command::SetHeaderExtensions {
                transport,
                extensions: vec![
                    HeaderExtension { id: 1, uri: LEVEL.into() },
                    HeaderExtension { id: 5, uri: TCC.into() },
                ],
            });
        }
        let encodings = (0..3).map(|n| Encoding { ssrc: 600 + n, rtx_ssrc: Some(700 + n) });
        room.apply(Command::SetSources {
            transport: SENDER,
            sources: vec![
                SourceDescription {
                    source: AUDIO,
                    kind: Kind::Audio,
                    encodings: vec![Encoding { ssrc: 500, rtx_ssrc: None }],
                },
                SourceDescription {
                    source: VIDEO,
                    kind: Kind::Video,
                    encodings: encodings.collect(),
                },
            ],
        });
        room
    }

    fn apply(&mut self, command: Command) {
        self.media.apply(self.now, command, &mut self.out);
    }

    fn route(&mut self, receiver: u32, source: u32, ssrc: u32, max_encoding: i32) {
        self.apply(Command::SetRoute {
            receiver,
            source,
            ssrc,
            rtx_ssrc: Some(ssrc + 1),
            max_encoding,
            max_spatial: 7,
            max_temporal: 7,
        });
    }

    fn rtp(&mut self, transport: u32, mut packet: Vec<u8>) -> Vec<Rtp> {
        let before = self.out.rtp.len();
        self.media.receive_rtp(self.now, transport, &mut packet, &mut self.out);
        self.out.rtp[before..].to_vec()
    }

    fn rtcp(&mut self, transport: u32, compound: &[u8]) {
        self.media.receive_rtcp(self.now, transport, compound, &mut self.out);
    }

    fn advance(&mut self, by: Time) {
        let end = self.now + by;
        while let Some(at) = self.media.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.media.timeout(self.now, &mut self.out);
        }
        self.now = end;
    }

    fn video(&mut self, encoding: u32, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<Rtp> {
        self.rtp(SENDER, packet(100, 600 + encoding, sequence, timestamp, true, payload))
    }
}

fn packet(kind: u8, ssrc: u32, sequence: u16, at: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, kind | if marker { 0x80 } else { 0 }];
    packet.extend(sequence.to_be_bytes());
    packet.extend(at.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn vp8(key: bool, picture: u16, tl0: u8, layer: u8) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    let mut payload = vec![0x90, 0xe0, high, low, tl0, layer << 6];
    if key {
        payload.extend([0x10, 2, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1]);
    } else {
        payload.extend([0x01, 1, 2, 3]);
    }
    payload
}

fn ids(packet: &Rtp) -> (u16, u8) {
    let bytes = &packet.payload;
    (u16::from_be_bytes([bytes[2] & 0x7f, bytes[3]]), bytes[4])
}

#[test]
fn video_starts_with_a_keyframe_and_goes_on() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    assert_eq!(room.out.plis(), [(SENDER, 600)]);
    assert_eq!(room.video(0, 1000, 5000, &vp8(false, 7, 3, 0)), []);
    let first = room.video(0, 1001, 8000, &vp8(true, 8, 4, 0)).remove(0);
    assert_eq!((first.receiver, first.ssrc, first.payload_type), (RECEIVER, SLOT, 100));
    assert!(first.sequence <= 0x8000);
    room.now += 33 * MS;
    let second = room.video(0, 1002, 11_000, &vp8(false, 9, 5, 0)).remove(0);
    assert_eq!(second.sequence, first.sequence + 1);
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(3000));
    assert_eq!(ids(&second), (ids(&first).0 + 1, ids(&first).1.wrapping_add(1)));
    assert_eq!(
        room.out.events[1],
        Event::SourceActive { source: VIDEO, encoding: 0, size: Some((640, 360)) }
    );
}

#[test]
fn an_encoding_switch_is_seamless_and_needs_a_keyframe() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    let first = room.video(0, 10, 0, &vp8(true, 1, 1, 0)).remove(0);
    assert_eq!(room.video(2, 50_000, 77, &vp8(false, 9, 9, 0)), []);
    room.now += 50 * MS;
    let up = room.video(2, 50_001, 1000, &vp8(true, 300, 200, 0)).remove(0);
    assert_eq!(up.sequence, first.sequence + 1);
    assert_eq!(up.timestamp, first.timestamp.wrapping_add(4500));
    assert_eq!(ids(&up), (ids(&first).0 + 1, ids(&first).1.wrapping_add(1)));
    // a stray keyframe of the lowest encoding changes nothing
    assert_eq!(room.video(0, 11, 3000, &vp8(true, 2, 2, 0)), []);
    assert_eq!(room.video(2, 50_002, 4000, &vp8(false, 301, 201, 0)).len(), 1);
    // a lower limit waits for a keyframe, then switches
    room.route(RECEIVER, VIDEO, SLOT, 1);
    assert_eq!(room.video(2, 50_003, 7000, &vp8(false, 302, 202, 0)).len(), 1);
    let down = room.video(0, 12, 6000, &vp8(true, 3, 3, 0)).remove(0);
    assert_eq!(down.sequence, first.sequence + 4);
    assert_eq!(room.video(2, 50_004, 9000, &vp8(false, 303, 203, 0)), []);
    room.route(RECEIVER, VIDEO, SLOT, -1);
    assert_eq!(room.video(0, 13, 9000, &vp8(true, 4, 4, 0)), []);
}

#[test]
fn when_the_best_encoding_stops_the_next_best_is_asked_for() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    room.video(0, 1, 0, &vp8(true, 1, 1, 0));
    room.video(2, 1, 0, &vp8(true, 1, 1, 0));
    let before = room.out.plis().len();
    for frame in 1..40u16 {
        room.advance(33 * MS);
        assert_eq!(room.video(0, 1 + frame, 3000 * u32::from(frame), &vp8(false, 2, 2, 0)), []);
    }
    assert!(room.out.plis().len() > before);
    assert_eq!(room.video(0, 50, 300_000, &vp8(true, 2, 2, 0)).len(), 1);
}

#[test]
fn an_encoding_that_others_overtake_has_stopped() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    for encoding in [0, 2] {
        room.video(encoding, 1, 0, &vp8(true, 1, 1, 0));
    }
    room.advance(SECOND / 5);
    room.video(2, 2, 18_000, &vp8(false, 2, 2, 0));
    let plis = room.out.plis().len();
    let mut waited = 0;
    for frame in 1..20u16 {
        room.advance(33 * MS);
        room.video(0, 1 + frame, 3000 * u32::from(frame), &vp8(false, 2, 2, 0));
        if room.out.plis().len() > plis {
            waited = u64::from(frame) * 33;
            break;
        }
    }
    assert_eq!(waited, 264);
    // Its slowness alone says nothing: a screen's frames are far between.
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    for frame in 0..20u16 {
        for encoding in [0, 2] {
            let payload = vp8(frame == 0, frame, frame as u8, 0);
            room.video(encoding, 1 + frame, 18_000 * u32::from(frame), &payload);
            room.advance(SECOND / 4);
        }
    }
    assert_eq!(room.out.plis().len(), 1);
}

#[test]
fn a_slot_that_moves_goes_on_counting() {
    let mut room = Room::new();
    room.apply(Command::SetSources {
        transport: 12,
        sources: vec![SourceDescription {
            source: 3,
            kind: Kind::Video,
            encodings: vec![Encoding { ssrc: 800, rtx_ssrc: None }],
        }],
    });
    room.route(RECEIVER, VIDEO, SLOT, 0);
    let first = room.video(0, 1, 0, &vp8(true, 1, 1, 0)).remove(0);
    room.route(RECEIVER, 3, SLOT, 0);
    assert_eq!(room.video(0, 2, 3000, &vp8(true, 2, 2, 0)), []);
    room.now += 100 * MS;
    let moved = room.rtp(12, packet(100, 800, 9, 9, true, &vp8(true, 900, 90, 0))).remove(0);
    assert_eq!((moved.ssrc, moved.sequence), (SLOT, first.sequence + 1));
    assert_eq!(moved.timestamp, first.timestamp.wrapping_add(9000));
    assert_eq!(ids(&moved), (ids(&first).0 + 1, ids(&first).1.wrapping_add(1)));
    // and even after the route was removed in between
    room.apply(Command::RemoveRoute { receiver: RECEIVER, source: 3 });
    room.route(RECEIVER, VIDEO, SLOT, 0);
    let back = room.video(0, 3, 6000, &vp8(true, 3, 3, 0)).remove(0);
    assert_eq!(back.sequence, first.sequence + 2);
}

fn audio(sequence: u16, level: u8) -> Vec<u8> {
    let mut packet = packet(111, 500, sequence, u32::from(sequence) * 960, false, &[]);
    packet[0] |= 0x10;
    packet.extend([0xbe, 0xde, 0, 1, 0x10, level, 0, 0, 1, 2, 3]);
    packet
}

#[test]
fn silence_is_dropped_after_three_packets_without_a_gap() {
    let mut room = Room::new();
    room.route(RECEIVER, AUDIO, SLOT, 0);
    let levels = [20, 127, 127, 127, 127, 255, 30];
    let mut sent = Vec::new();
    for (index, level) in levels.into_iter().enumerate() {
        sent.extend(room.rtp(SENDER, audio(index as u16, level)));
        room.advance(20 * MS);
    }
    let numbers: Vec<u16> = sent.iter().map(|p| p.sequence - sent[0].sequence).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert_eq!(sent[4].timestamp, sent[0].timestamp.wrapping_add(6 * 960));
    // the one that came before the drop cannot take a number that is in use
    assert_eq!(room.rtp(SENDER, audio(65_535, 20)), []);
    let levels: Vec<u8> = room
        .out
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Levels { conference: 5, records } => Some(records),
            _ => None,
        })
        .flat_map(|records| records.chunks(12).map(|record| record[8]).collect::<Vec<_>>())
        .collect();
    // Silence is not a level that somebody speaks at: who is silent is not heard of.
    assert_eq!(levels, [20]);
    // the level is forwarded under the receiver's id
    assert_eq!(room.out.raw[0][12..18], [0xbe, 0xde, 0, 2, 0x51, 0]);
    assert_eq!(room.out.raw[0][19..21], [0x10, 20]);
}

#[test]
fn a_muted_source_is_not_forwarded() {
    let mut room = Room::new();
    room.route(RECEIVER, AUDIO, SLOT, 0);
    let first = room.rtp(SENDER, audio(1, 20)).remove(0);
    room.apply(Command::SetMuted { source: AUDIO, muted: true });
    for number in 2..100 {
        assert_eq!(room.rtp(SENDER, audio(number, 20)), []);
    }
    room.apply(Command::SetMuted { source: AUDIO, muted: false });
    assert_eq!(room.rtp(SENDER, audio(100, 20))[0].sequence, first.sequence + 1);
}

#[test]
fn only_announced_ssrcs_are_taken() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    let keyframe = vp8(true, 1, 1, 0);
    for ssrc in 10_000..20_000 {
        assert_eq!(room.rtp(SENDER, packet(100, ssrc, 1, 1, true, &keyframe)), []);
    }
    // They fill neither the queue of events nor memory.
    assert_eq!(room.out.events, []);
    assert_eq!(room.media.stats().dropped_unknown_ssrc, 10_000);
    // another's SSRC
    assert_eq!(room.rtp(12, packet(100, 600, 1, 1, true, &keyframe)), []);
    assert_eq!(room.media.stats().dropped_foreign_ssrc, 1);
    assert_eq!(room.rtp(77, packet(100, 600, 1, 1, true, &keyframe)), []);
    assert_eq!(room.media.stats().dropped_unknown_transport, 1);
}

#[test]
fn a_storm_of_keyframe_requests_is_merged() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    room.video(0, 1, 0, &vp8(true, 1, 1, 0));
    room.out.rtcp.clear();
    let mut pli = [0; 12];
    super::rtcp_write::pli(&mut pli, 1, SLOT);
    for _ in 0..1000 {
        room.rtcp(RECEIVER, &pli);
        room.advance(MS);
    }
    assert!((3..=4).contains(&room.out.plis().len()), "{:?}", room.out.plis());
}

#[test]
fn reports_tell_loss_and_round_trip() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    let first = room.video(0, 1, 1000, &vp8(true, 1, 1, 0)).remove(0);
    let mut report = [0; 28];
    super::rtcp_write::sender_report(&mut report, 600, 0x1122_3344_5566_7788, 5000, 9, 9);
    room.rtcp(SENDER, &report);
    let (receiver, forwarded) = room.out.rtcp.last().unwrap();
    assert_eq!(*receiver, RECEIVER);
    let Some(Rtcp::SenderReport { ssrc, ntp, timestamp, .. }) = rtcp::parse(forwarded).next()
    else {
        panic!("{forwarded:?}");
    };
    assert_eq!((ssrc, ntp), (SLOT, 0x1122_3344_5566_7788));
    assert_eq!(timestamp, first.timestamp.wrapping_add(4000));
    assert_eq!(forwarded[20..28], [0, 0, 0, 1, 0, 0, 0, 16]);

    room.now += 150 * MS;
    let block = rtcp::ReportBlock {
        ssrc: SLOT,
        fraction_lost: 64,
        last_sender_report: 0x3344_5566,
        delay: 6554, // 100 ms
        ..rtcp::ReportBlock::default()
    };
    let mut buffer = [0; 64];
    let length = super::rtcp_write::receiver_report(&mut buffer, 1, &[block]);
    room.rtcp(RECEIVER, &buffer[..length]);
    let stats = room.media.transport_stats(RECEIVER).unwrap();
    assert_eq!(stats.fraction_lost_sent, 0.25);
    assert_eq!(stats.rtt.map(|rtt| (rtt + MS / 2) / MS), Some(50));

    room.out.rtcp.clear();
    room.advance(SECOND);
    let (receiver, ours) = &room.out.rtcp[0];
    assert_eq!(*receiver, SENDER);
    let Some(Rtcp::ReceiverReport { reports }) = rtcp::parse(ours).next() else {
        panic!("{ours:?}");
    };
    let blocks: Vec<_> = rtcp::report_blocks(reports).collect();
    assert_eq!((blocks.len(), blocks[0].ssrc), (1, 600));
    assert_eq!(blocks[0].last_sender_report, 0x3344_5566);
}

#[test]
fn an_encoding_falls_silent_and_comes_back() {
    let mut room = Room::new();
    room.video(1, 1, 0, &vp8(false, 1, 1, 0));
    room.advance(3 * SECOND);
    room.video(1, 2, 0, &vp8(false, 1, 1, 0));
    assert_eq!(
        room.out.events,
        [
            Event::SourceActive { source: VIDEO, encoding: 1, size: None },
            Event::Layers {
                source: VIDEO,
                layers: vec![LayerFigures {
                    encoding: 1,
                    spatial: 0,
                    temporal: 0,
                    height: 0,
                    frame_rate: 1.0,
                    bitrate: 8 * (10 + 68),
                }],
            },
            Event::SourceSilent { source: VIDEO, encoding: 1 },
            Event::SourceActive { source: VIDEO, encoding: 1, size: None },
        ]
    );
    room.advance(10 * SECOND);
    assert_eq!(room.media.next_timeout(), None);
}

#[test]
fn everything_goes_when_its_owner_goes() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    room.route(RECEIVER, AUDIO, SLOT + 2, 0);
    room.video(0, 1, 0, &vp8(true, 1, 1, 0));
    room.apply(Command::RemoveTransport { transport: RECEIVER });
    assert_eq!(room.video(0, 2, 3000, &vp8(true, 2, 2, 0)), []);
    room.apply(Command::RemoveConference { conference: 5 });
    assert_eq!(room.video(0, 3, 6000, &vp8(true, 3, 3, 0)), []);
    assert_eq!(room.media.transport_stats(SENDER), None);
    room.route(RECEIVER, VIDEO, SLOT, 2);
    room.apply(Command::AddTransport { transport: 20, conference: 5 });
    assert_eq!(room.media.transport_stats(20), None);
}

/// xorshift, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

const ROUNDS: usize = if cfg!(debug_assertions) { 100_000 } else { 5_000_000 };

#[test]
fn parsers_survive_every_length_and_random_bytes() {
    let map = super::extension::ExtensionMap::new(&[HeaderExtension { id: 1, uri: TCC.into() }]);
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut data = [0u8; 2048];
    let mut round = 0;
    while round < ROUNDS {
        round += 1;
        let length = if round <= 2049 { round - 1 } else { random.next() as usize % 120 };
        for chunk in data[..length].chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
        }
        if length > 12 && random.next() % 4 != 0 {
            data[0] = 0x80 | data[0] & 0x3f;
            data[1] = [data[1], 200, 201, 205, 206][random.next() as usize % 5];
            data[2..4].copy_from_slice(&((length as u16 / 4).saturating_sub(1)).to_be_bytes());
        }
        let input = &data[..length];
        if let Some(header) = super::rtp::Header::parse(input, &map) {
            assert!(header.payload_start <= header.payload_end && header.payload_end <= length);
        }
        for packet in rtcp::parse(input) {
            match packet {
                Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports } => {
                    assert!(rtcp::report_blocks(reports).count() <= 31);
                }
                Rtcp::Nack { items, .. } => assert!(rtcp::nacked(items).count() <= 17 * 512),
                Rtcp::Fir { entries } => assert!(rtcp::fir_ssrcs(entries).count() <= 256),
                _ => {}
            }
        }
        super::fuzzing::codecs(input);
    }
}

#[test]
fn the_whole_path_survives_hostile_participants() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    room.route(RECEIVER, AUDIO, SLOT + 2, 0);
    room.route(12, VIDEO, SLOT, 1);
    let mut random = Random(99);
    for _ in 0..ROUNDS / 5 {
        let mut packet = packet(
            [111, 100, 96, 107, 127][random.next() as usize % 5],
            [500, 600, 601, 602, 700, 701, 702, 9][random.next() as usize % 8],
            random.next() as u16 >> (random.next() % 12),
            random.next() as u32,
            random.next() % 2 == 0,
            &random.next().to_be_bytes()[..random.next() as usize % 9],
        );
        packet[0] = 0x80 | (random.next() as u8 & random.next() as u8 & 0x3f);
        room.now += random.next() % (MS << (random.next() % 12));
        room.media.receive_rtp(room.now, SENDER, &mut packet, &mut room.out);
        let mut compound = [0; 32];
        for chunk in compound.chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_be_bytes());
        }
        compound[0] = 0x80 | compound[0] & 0x1f;
        compound[1] = [200, 201, 205, 206][random.next() as usize % 4];
        compound[2..4].copy_from_slice(&[0, 7]);
        compound[8..12].copy_from_slice(&(SLOT + (random.next() % 3) as u32).to_be_bytes());
        room.media.receive_rtcp(room.now, RECEIVER, &compound, &mut room.out);
        if room.media.next_timeout().is_some_and(|at| at <= room.now) {
            room.media.timeout(room.now, &mut room.out);
        }
        room.out = Collected::default();
    }
    assert!(room.media.stats().rtp_forwarded > 0);
}
