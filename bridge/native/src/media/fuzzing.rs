//! What the fuzz targets run: any bytes, as a stranger with the right keys could send them.
//! Corpora in `tests/data/fuzz/`; plain tests replay them.

use super::codec::{self, dependency, Codec, Detail, Memory};
use super::extension::ExtensionMap;
use super::interface::*;
use super::rtcp::{self, Rtcp};
use super::rtp::Header;
use super::{Concerns, Media};

const SLOT: u32 = 0x5107;
const TCC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const DEPENDENCY: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// Checks that what is sent is sound, and throws it away.
struct Checked;

impl Output for Checked {
    fn send_rtp(&mut self, _receiver: u32, header: &[u8], payload: &[u8]) {
        let parsed = Header::parse(header, &ExtensionMap::new(&[]));
        let padding = header[0] & 0x20 != 0;
        let nothing_else = payload.last().is_some_and(|last| usize::from(*last) == payload.len());
        assert!(!padding || nothing_else);
        assert!(padding || parsed.is_some_and(|parsed| parsed.payload_start == header.len()));
    }

    fn send_rtcp(&mut self, _receiver: u32, compound: &[u8]) {
        assert!(compound.len() >= 8 && compound.len() <= 1200);
        assert!(rtcp::parse(compound).count() > 0);
    }

    fn event(&mut self, _event: Event) {}
}

/// Transport 1 sends audio (SSRC 1) and three encodings of video (2, 3, 4; rtx 5, 6, 7) to 2.
/// Payload types: 0 opus, 1 vp8, 2 vp9, 3 av1, 4 h264, 5 rtx of 1, 6 red of 0, which 2 has not
/// negotiated; ids 1 level, 5 transport-cc,
/// 11 dependency descriptor.  Transport 1 may be a mirror, of a worker.
fn room(mirror_of: Option<u8>) -> Media {
    let mut media = Media::new(1);
    let mut apply = |command| media.apply(0, command, &mut Checked);
    apply(Command::AddConference { conference: 1, audio_ssrc: 8, video_ssrc: 9 });
    apply(Command::SetLoudest { conference: 1, count: 1, always: Vec::new() });
    let names = [(0u8, "opus", None), (1, "vp8", None), (2, "vp9", None), (3, "av1", None)];
    let names =
        names.into_iter().chain([(4, "h264", None), (5, "rtx", Some(1)), (6, "red", Some(0))]);
    let payload_types: Vec<_> = names
        .map(|(id, codec, retransmits)| PayloadType {
            id,
            codec: codec.into(),
            clock_rate: 90_000,
            retransmits,
            nack: true,
            pli: true,
            transport_cc: true,
        })
        .collect();
    for transport in [1, 2] {
        apply(match mirror_of.filter(|_| transport == 1) {
            Some(worker) => Command::AddMirror { transport, conference: 1, worker },
            None => Command::AddTransport { transport, conference: 1 },
        });
        let known = payload_types.iter().filter(|one| transport == 1 || one.id != 6);
        apply(Command::SetPayloadTypes { transport, payload_types: known.cloned().collect() });
        apply(Command::SetHeaderExtensions {
            transport,
            extensions: vec![
                HeaderExtension { id: 1, uri: LEVEL.into() },
                HeaderExtension { id: 5, uri: TCC.into() },
                HeaderExtension { id: 11, uri: DEPENDENCY.into() },
            ],
        });
    }
    let video = (2..5).map(|ssrc| Encoding { ssrc, rtx_ssrc: Some(ssrc + 3) }).collect();
    let audio = vec![Encoding { ssrc: 1, rtx_ssrc: None }];
    apply(Command::SetSources {
        transport: 1,
        sources: vec![
            SourceDescription { source: 1, kind: Kind::Audio, encodings: audio },
            SourceDescription { source: 2, kind: Kind::Video, encodings: video },
        ],
    });
    for source in [1, 2] {
        apply(Command::SetRoute {
            receiver: 2,
            source,
            ssrc: SLOT + source,
            rtx_ssrc: Some(SLOT + 10 + source),
            max_encoding: 2,
            max_spatial: 1,
            max_temporal: 1,
        });
    }
    media
}

/// A room that many packets go through, and another part of it, with 1 as a mirror and a 2 of its
/// own, that has asked for everything.
pub struct Room(Media, Media);

impl Default for Room {
    fn default() -> Self {
        Room(room(None), room(Some(1)))
    }
}

impl Room {
    /// One decrypted RTP packet of a transport (1 or 2).
    pub fn rtp(&mut self, now: Time, transport: u32, packet: &mut [u8]) {
        if transport == 1 && self.0.rtp_concerns(1, packet) != Concerns::Nobody {
            self.1.receive_mirrored_rtp(now, 1, &mut packet.to_vec(), &mut Checked);
            self.1.timeout(now, &mut Checked);
        }
        self.0.receive_rtp(now, transport, packet, &mut Checked);
        self.0.timeout(now, &mut Checked);
    }

    /// One decrypted RTCP compound of a transport.
    pub fn rtcp(&mut self, now: Time, transport: u32, compound: &[u8]) {
        if transport == 1 && Media::rtcp_concerns(compound) != Concerns::Nobody {
            self.1.receive_mirrored_rtcp(now, 1, compound, &mut Checked);
            self.1.timeout(now, &mut Checked);
        }
        self.0.receive_rtcp(now, transport, compound, &mut Checked);
        self.0.timeout(now, &mut Checked);
    }

    pub fn stats(&self) -> &Stats {
        self.0.stats()
    }

    /// Of the part in which others are who hear and see transport 1.
    pub fn others_stats(&self) -> &Stats {
        self.1.stats()
    }

    /// The SSRC under which transport 2 is sent the video.
    pub fn video_slot() -> u32 {
        SLOT + 2
    }
}

/// `data` is a series of packets, each after a byte of length and one of milliseconds.
fn feed(data: &[u8], mut take: impl FnMut(&mut Room, Time, &[u8])) {
    let mut room = Room::default();
    let mut now = SECOND;
    let mut rest = data;
    while let [length, wait, packets @ ..] = rest {
        let (packet, after) = packets.split_at(packets.len().min(usize::from(*length)));
        rest = after;
        now += Time::from(*wait) * MILLISECOND;
        take(&mut room, now, packet);
    }
}

/// Any RTP packets, through the whole receive path.
pub fn rtp(data: &[u8]) {
    let map = ExtensionMap::new(&[HeaderExtension { id: 5, uri: TCC.into() }]);
    if let Some(header) = Header::parse(data, &map) {
        assert!(header.payload_start <= header.payload_end && header.payload_end <= data.len());
    }
    let mut buffer = [0; 256];
    feed(data, |room, now, packet| {
        let copy = &mut buffer[..packet.len()];
        copy.copy_from_slice(packet);
        room.rtp(now, 1, copy);
    });
}

/// Any RTCP compounds, from a sender and from a receiver.
pub fn rtcp(data: &[u8]) {
    for packet in rtcp::parse(data) {
        match packet {
            Rtcp::SenderReport { reports, .. } | Rtcp::ReceiverReport { reports } => {
                assert!(rtcp::report_blocks(reports).count() <= 31);
            }
            Rtcp::Nack { items, .. } => {
                assert!(rtcp::nacked(items).count() <= items.len() / 4 * 17);
            }
            Rtcp::Fir { entries } => {
                assert!(rtcp::fir_ssrcs(entries).count() <= entries.len() / 8);
            }
            _ => {}
        }
    }
    feed(data, |room, now, packet| {
        room.rtcp(now, 1, packet);
        room.rtcp(now, 2, packet);
    });
}

/// Any payload and dependency descriptor; what numbers are written can be read again.
pub fn codecs(data: &[u8]) {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H264, Codec::OtherVideo] {
        let mut memory = Memory::default();
        let frame = codec::inspect(codec, data, None, &mut memory, true);
        let described = codec::inspect(codec, data, Some(data), &mut memory, true);
        if let Detail::Dependency(described) = described.detail {
            describe(data, &described, &mut memory);
        }
        if !frame.rewrites_payload() {
            continue;
        }
        let mut copy = [0; 64];
        let length = data.len().min(copy.len());
        copy[..length].copy_from_slice(&data[..length]);
        frame.rewrite(&mut copy[..length], 0x155, 0x77);
        let again = codec::inspect(codec, &copy[..length], None, &mut memory, true);
        if !again.rewrites_payload() {
            continue;
        }
        assert_eq!((again.keyframe, again.layer()), (frame.keyframe, frame.layer()));
        assert!(again.picture().is_none_or(|id| id & 0x7f == 0x55));
        assert!(again.index().is_none_or(|index| index == 0x77));
    }
}

/// A descriptor that was changed says the same but for what was changed.
fn describe(data: &[u8], before: &dependency::Descriptor, memory: &mut Memory) {
    assert_eq!(dependency::layout(data), Some(before.layout));
    for targets in [0, before.targets.count] {
        let mask = before.targets.mask(0);
        let change = dependency::Change { frame: 0xabcd, templates: 64, mask, targets };
        let mut room = [0; dependency::MAX_DESCRIPTOR];
        let Some(length) = dependency::rewrite(data, before.layout, &change, &mut room) else {
            continue;
        };
        let frame = codec::inspect(Codec::Av1, &[], room.get(..length), memory, true);
        let Detail::Dependency(after) = frame.detail else {
            panic!("what was written cannot be read");
        };
        let active = if targets > 0 { mask } else { before.targets.active };
        assert_eq!((after.frame, after.targets.active), (0xabcd, active));
        assert_eq!((after.spatial, after.temporal), (before.spatial, before.temporal));
        assert_eq!((after.starts, after.ends), (before.starts, before.ends));
        assert_eq!(after.references, before.references);
        for target in 0..before.targets.count {
            assert_eq!(after.indication(target), before.indication(target));
        }
    }
}
