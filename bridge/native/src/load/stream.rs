//! One stream that a participant sends.

use crate::media::{rtcp_write, Time};

const SECOND: Time = 1_000_000_000;
const FRAMES_PER_SECOND: u32 = 30;
/// A keyframe comes that often even if nobody asks, in frames.
const KEYFRAME_INTERVAL: u64 = 3000;
/// Offset of the time in the payload, behind a VP8 descriptor and a keyframe's header.
pub const TIME_AT: usize = 16;
pub const TIME_END: usize = TIME_AT + 8;
/// Behind it the SSRC under which it is sent: receivers see another one.
pub const ORIGIN_END: usize = TIME_END + 4;
/// Servers write a picture id below 128 in one octet where we use two, and move the time.
const FIRST_PICTURE: u16 = 0x1000;
const HEADER: usize = 12;
/// Octets of all header extensions with their block header.
const MAX_EXTENSIONS: usize = 32;
const REPORT_INTERVAL: Time = SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Opus,
    /// Lines of the picture.
    Vp8 {
        width: u16,
        height: u16,
    },
}

#[derive(Clone, Debug)]
pub struct StreamDescription {
    pub ssrc: u32,
    pub payload_type: u8,
    pub kind: Kind,
    /// Octets of the RTP payload.
    pub size: usize,
    /// Packets a second.
    pub rate: u32,
    /// Ids of header extensions, 1 to 14; 0 for none.
    pub transport_cc: u8,
    pub audio_level: u8,
    /// -dBov with the voice bit, as RFC 6464 writes it.
    pub level: u8,
    pub mid: Option<(u8, String)>,
}

pub struct Stream {
    pub peer: usize,
    pub due: Time,
    pub sent: u64,
    description: StreamDescription,
    interval: Time,
    packets: u64,
    packets_per_frame: u64,
    keyframe_wanted: bool,
    keyframe_at: u64,
    report_due: Time,
}

impl Stream {
    pub fn new(peer: usize, description: &StreamDescription) -> Self {
        let rate = description.rate.max(1);
        let per_frame = match description.kind {
            Kind::Opus => 1,
            Kind::Vp8 { .. } => (rate / FRAMES_PER_SECOND).max(1),
        };
        Self {
            peer,
            due: 0,
            sent: 0,
            interval: SECOND / Time::from(rate),
            packets: 0,
            packets_per_frame: u64::from(per_frame),
            keyframe_wanted: true,
            keyframe_at: 0,
            report_due: 0,
            description: description.clone(),
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.description.ssrc
    }

    /// Packets a second.
    pub fn rate(&self) -> u64 {
        u64::from(self.description.rate)
    }

    /// Be as loud as this from now on, as RFC 6464 writes it.
    pub fn set_level(&mut self, level: u8) {
        self.description.level = level;
    }

    pub fn ask_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// Be due after the share `number / count` of an interval.
    pub fn begin(&mut self, now: Time, number: u64, count: u64) {
        self.due = now + self.interval * number / count.max(1);
    }

    pub fn skip_to(&mut self, now: Time) {
        self.due = now;
    }

    pub fn step(&mut self) {
        self.due += self.interval;
    }

    fn timestamp(&self) -> u32 {
        let frame = self.packets / self.packets_per_frame;
        let step = match self.description.kind {
            Kind::Opus => 48_000 / u64::from(self.description.rate.max(1)),
            Kind::Vp8 { .. } => {
                90_000 * self.packets_per_frame / u64::from(self.description.rate.max(1))
            }
        };
        (frame * step) as u32
    }

    /// Write the next packet: the lengths of its header and of all of it.
    pub fn write(
        &mut self,
        slot: &mut [u8],
        now: Time,
        transport_sequence: &mut u16,
    ) -> Option<(usize, usize)> {
        let timestamp = self.timestamp();
        let (frame, part) =
            (self.packets / self.packets_per_frame, self.packets % self.packets_per_frame);
        let last = part + 1 == self.packets_per_frame;
        let is_video = matches!(self.description.kind, Kind::Vp8 { .. });
        if part == 0 && is_video {
            let due = frame >= self.keyframe_at + KEYFRAME_INTERVAL;
            if std::mem::take(&mut self.keyframe_wanted) || due {
                self.keyframe_at = frame;
            }
        }
        let head = self.write_header(slot, timestamp, is_video && last, transport_sequence)?;
        let payload = slot.get_mut(head..head + self.description.size)?;
        payload.fill(0x5a);
        if let Kind::Vp8 { width, height } = self.description.kind {
            let start = if part == 0 { 0x10 } else { 0 };
            let picture = FIRST_PICTURE.wrapping_add(frame as u16);
            let [picture_high, picture_low] = (0x8000 | picture).to_be_bytes();
            // X; I, L and T; picture id; TL0PICIDX; layer 0 (RFC 7741, 4.2).
            let descriptor = [0x80 | start, 0xe0, picture_high, picture_low, frame as u8, 0x00];
            payload.get_mut(..6)?.copy_from_slice(&descriptor);
            if part == 0 {
                let [width, height] = [width.to_le_bytes(), height.to_le_bytes()];
                let between = u8::from(frame != self.keyframe_at);
                // RFC 6386, 9.1.
                let start = [0x9d, 0x01, 0x2a, width[0], width[1], height[0], height[1]];
                payload.get_mut(6..9)?.copy_from_slice(&[between, 0, 0]);
                payload.get_mut(9..16)?.copy_from_slice(&start);
            }
        }
        payload.get_mut(TIME_AT..TIME_END)?.copy_from_slice(&now.to_be_bytes());
        let origin = self.description.ssrc.to_be_bytes();
        payload.get_mut(TIME_END..ORIGIN_END)?.copy_from_slice(&origin);
        self.packets += 1;
        Some((head, head + self.description.size))
    }

    fn write_header(
        &self,
        slot: &mut [u8],
        timestamp: u32,
        marker: bool,
        transport_sequence: &mut u16,
    ) -> Option<usize> {
        let about = &self.description;
        let mut block = [0; MAX_EXTENSIONS];
        let mut length = 0;
        let mut put = |id: u8, value: &[u8]| -> Option<()> {
            if id != 0 {
                let end = length + 1 + value.len();
                let room = block.get_mut(length..end)?;
                room[0] = id << 4 | (value.len() as u8).wrapping_sub(1) & 0x0f;
                room[1..].copy_from_slice(value);
                length = end;
            }
            Some(())
        };
        if about.transport_cc != 0 {
            put(about.transport_cc, &transport_sequence.to_be_bytes())?;
            *transport_sequence = transport_sequence.wrapping_add(1);
        }
        put(about.audio_level, &[about.level])?;
        if let Some((id, mid)) = &about.mid {
            put(*id, mid.as_bytes())?;
        }
        let words = length.div_ceil(4);
        let end = if words > 0 { HEADER + 4 + 4 * words } else { HEADER };
        let header = slot.get_mut(..end)?;
        header[0] = if words > 0 { 0x90 } else { 0x80 };
        header[1] = about.payload_type & 0x7f | if marker { 0x80 } else { 0 };
        header[2..4].copy_from_slice(&(self.packets as u16).to_be_bytes());
        header[4..8].copy_from_slice(&timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&about.ssrc.to_be_bytes());
        if words > 0 {
            header[12..14].copy_from_slice(&[0xbe, 0xde]);
            header[14..16].copy_from_slice(&(words as u16).to_be_bytes());
            header[16..].copy_from_slice(block.get(..4 * words)?);
        }
        Some(end)
    }

    /// The sender report that is due, if one is.
    pub fn report(&mut self, now: Time) -> Option<[u8; 28]> {
        if self.packets == 0 || now < self.report_due {
            return None;
        }
        self.report_due = now + REPORT_INTERVAL;
        let mut report = [0; 28];
        let ntp = (u128::from(now) << 32) / u128::from(SECOND);
        let octets = self.packets.wrapping_mul(self.description.size as u64);
        let (packets, octets) = (self.packets as u32, octets as u32);
        let ssrc = self.description.ssrc;
        rtcp_write::sender_report(&mut report, ssrc, ntp as u64, self.timestamp(), packets, octets);
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::vp8;
    use crate::media::extension::{Extension, ExtensionMap};
    use crate::media::rtp::Header;
    use crate::media::HeaderExtension;

    fn video() -> StreamDescription {
        StreamDescription {
            ssrc: 9,
            payload_type: 100,
            kind: Kind::Vp8 { width: 320, height: 180 },
            size: 100,
            rate: 90,
            transport_cc: 5,
            audio_level: 0,
            level: 0,
            mid: Some((4, "v0".into())),
        }
    }

    #[test]
    fn packets_are_what_the_engine_takes_for_video() {
        let map = ExtensionMap::new(&[
            HeaderExtension {
                id: 5,
                uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
                    .into(),
            },
            HeaderExtension { id: 4, uri: "urn:ietf:params:rtp-hdrext:sdes:mid".into() },
        ]);
        let mut stream = Stream::new(0, &video());
        let mut transport_sequence = 3;
        for packet in 0..9u32 {
            let mut slot = [0; 2048];
            let (head, length) = stream.write(&mut slot, 77, &mut transport_sequence).unwrap();
            let header = Header::parse(&slot[..length], &map).unwrap();
            assert_eq!((header.payload_start, length - head), (head, 100));
            assert_eq!((header.ssrc, u32::from(header.sequence)), (9, packet));
            assert_eq!(header.marker, packet % 3 == 2);
            assert_eq!(header.timestamp, packet / 3 * 3000);
            let number = header.extensions.get(Extension::TransportCc, &slot).unwrap();
            assert_eq!(number, (3 + packet as u16).to_be_bytes());
            assert_eq!(header.extensions.get(Extension::Mid, &slot).unwrap(), b"v0");
            let frame = vp8::parse(&slot[head..length]).unwrap();
            assert_eq!(frame.keyframe, packet == 0);
            assert_eq!(frame.size, (packet == 0).then_some((320, 180)));
            assert_eq!(slot[head + TIME_AT..head + TIME_END], 77u64.to_be_bytes());
            assert_eq!(slot[head + TIME_END..head + ORIGIN_END], 9u32.to_be_bytes());
        }
        stream.ask_keyframe();
        let mut slot = [0; 2048];
        let (head, length) = stream.write(&mut slot, 0, &mut transport_sequence).unwrap();
        assert!(vp8::parse(&slot[head..length]).unwrap().keyframe);
    }

    #[test]
    fn who_begins_to_speak_is_louder_from_the_next_packet() {
        let uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level".into();
        let map = ExtensionMap::new(&[HeaderExtension { id: 1, uri }]);
        let about = StreamDescription { kind: Kind::Opus, audio_level: 1, level: 60, ..video() };
        let mut stream = Stream::new(0, &about);
        let level = |stream: &mut Stream| {
            let mut slot = [0; 2048];
            let (_, length) = stream.write(&mut slot, 0, &mut 0).unwrap();
            let header = Header::parse(&slot[..length], &map).unwrap();
            header.extensions.get(Extension::AudioLevel, &slot).unwrap().to_vec()
        };
        assert_eq!(level(&mut stream), [60]);
        stream.set_level(0x80 | 20);
        assert_eq!(level(&mut stream), [0x80 | 20]);
    }

    #[test]
    fn a_stream_keeps_its_rate() {
        let mut stream = Stream::new(0, &video());
        stream.begin(1_000, 1, 2);
        assert_eq!(stream.due, 1_000 + SECOND / 180);
        (0..90).for_each(|_| stream.step());
        assert!(stream.due.abs_diff(1_000 + SECOND / 180 + SECOND) < 100);
    }

    #[test]
    fn reports_come_once_a_second_from_the_first_packet() {
        let mut stream = Stream::new(0, &video());
        assert!(stream.report(SECOND).is_none());
        stream.write(&mut [0; 2048], 0, &mut 0).unwrap();
        assert!(stream.report(SECOND).is_some());
        assert!(stream.report(2 * SECOND - 1).is_none());
        assert!(stream.report(2 * SECOND).is_some());
    }
}
