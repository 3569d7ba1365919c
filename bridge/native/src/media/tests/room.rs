//! A machine with three participants, what comes out of it, and packets to put in.

use super::*;

pub(super) const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
pub(super) const TCC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(super) const MS: Time = MILLISECOND;

#[derive(Debug, PartialEq, Eq, Clone)]
pub(super) struct Rtp {
    pub receiver: u32,
    pub payload_type: u8,
    pub marker: bool,
    pub padding: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Collected {
    pub rtp: Vec<Rtp>,
    pub raw: Vec<Vec<u8>>,
    pub rtcp: Vec<(u32, Vec<u8>)>,
    pub events: Vec<Event>,
    pub asks: Vec<(u8, Ask)>,
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
    pub fn plis(&self) -> Vec<(u32, u32)> {
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

    pub fn nacks(&self) -> Vec<u16> {
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

pub(super) struct Room {
    pub media: Media,
    pub out: Collected,
    pub now: Time,
}

pub(super) fn types() -> Vec<PayloadType> {
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

pub(super) const AUDIO: u32 = 1;
pub(super) const VIDEO: u32 = 2;
pub(super) const SENDER: u32 = 10;
pub(super) const RECEIVER: u32 = 11;
pub(super) const SLOT: u32 = 0x5107;

impl Room {
    /// Transport 10 sends audio 1 (SSRC 500) and video 2 (SSRC 600, 601, 602; rtx 700, 701, 702);
    /// 11 and 12 receive.
    pub fn new() -> Room {
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

    pub fn apply(&mut self, command: Command) {
        self.media.apply(self.now, command, &mut self.out);
    }

    pub fn route(&mut self, receiver: u32, source: u32, ssrc: u32, max_encoding: i32) {
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

    pub fn rtp(&mut self, transport: u32, mut packet: Vec<u8>) -> Vec<Rtp> {
        let before = self.out.rtp.len();
        self.media.receive_rtp(self.now, transport, &mut packet, &mut self.out);
        self.out.rtp[before..].to_vec()
    }

    pub fn rtcp(&mut self, transport: u32, compound: &[u8]) {
        self.media.receive_rtcp(self.now, transport, compound, &mut self.out);
    }

    pub fn advance(&mut self, by: Time) {
        let end = self.now + by;
        while let Some(at) = self.media.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.media.timeout(self.now, &mut self.out);
        }
        self.now = end;
    }

    pub fn video(
        &mut self,
        encoding: u32,
        sequence: u16,
        timestamp: u32,
        payload: &[u8],
    ) -> Vec<Rtp> {
        self.rtp(SENDER, packet(100, 600 + encoding, sequence, timestamp, true, payload))
    }
}

pub(super) fn packet(
    kind: u8,
    ssrc: u32,
    sequence: u16,
    at: u32,
    marker: bool,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0x80, kind | if marker { 0x80 } else { 0 }];
    packet.extend(sequence.to_be_bytes());
    packet.extend(at.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

pub(super) fn vp8(key: bool, picture: u16, tl0: u8, layer: u8) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    let mut payload = vec![0x90, 0xe0, high, low, tl0, layer << 6];
    if key {
        payload.extend([0x10, 2, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1]);
    } else {
        payload.extend([0x01, 1, 2, 3]);
    }
    payload
}

pub(super) fn ids(packet: &Rtp) -> (u16, u8) {
    let bytes = &packet.payload;
    (u16::from_be_bytes([bytes[2] & 0x7f, bytes[3]]), bytes[4])
}

pub(super) fn audio(sequence: u16, level: u8) -> Vec<u8> {
    let mut packet = packet(111, 500, sequence, u32::from(sequence) * 960, false, &[]);
    packet[0] |= 0x10;
    packet.extend([0xbe, 0xde, 0, 1, 0x10, level, 0, 0, 1, 2, 3]);
    packet
}
