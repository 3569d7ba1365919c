//! A conference in two parts: who sends is in one, who receives in the other.

use super::*;

const OWNER: u8 = 3;

/// The part of the sender, and that in which it is a mirror.
struct Parts {
    own: Room,
    other: Room,
    /// The other part gets the packets of video.
    asked: bool,
}

impl Parts {
    fn new() -> Parts {
        let mut other = Room { media: Media::new(8), out: Collected::default(), now: 10 * SECOND };
        other.apply(Command::AddConference { conference: 5, audio_ssrc: 90, video_ssrc: 91 });
        other.apply(Command::AddMirror { transport: SENDER, conference: 5, worker: OWNER });
        other.apply(Command::AddTransport { transport: RECEIVER, conference: 5 });
        for transport in [SENDER, RECEIVER] {
            other.apply(Command::SetPayloadTypes { transport, payload_types: types() });
            let extensions = vec![
                HeaderExtension { id: 1, uri: LEVEL.into() },
                HeaderExtension { id: 5, uri: TCC.into() },
            ];
            other.apply(Command::SetHeaderExtensions { transport, extensions });
        }
        let mut parts = Parts { own: Room::new(), other, asked: false };
        parts.sources(&[AUDIO, VIDEO]);
        parts
    }

    fn sources(&mut self, ids: &[u32]) {
        let audio = vec![Encoding { ssrc: 500, rtx_ssrc: None }];
        let video = (0..3).map(|n| Encoding { ssrc: 600 + n, rtx_ssrc: Some(700 + n) }).collect();
        let all = [(AUDIO, Kind::Audio, audio), (VIDEO, Kind::Video, video)];
        let sources = all.into_iter().filter(|(id, ..)| ids.contains(id));
        let sources: Vec<_> = sources
            .map(|(source, kind, encodings)| SourceDescription { source, kind, encodings })
            .collect();
        for room in [&mut self.own, &mut self.other] {
            room.apply(Command::SetSources { transport: SENDER, sources: sources.clone() });
        }
    }

    /// A packet comes to the owner; what the receivers of the other part get.
    fn rtp(&mut self, mut packet: Vec<u8>) -> Vec<Rtp> {
        let concerns = self.own.media.rtp_concerns(SENDER, &packet);
        let goes = match concerns {
            Concerns::All => true,
            Concerns::WhoAsked(source) => source == VIDEO && self.asked,
            Concerns::Nobody => false,
        };
        let copy = packet.clone();
        self.own.media.receive_rtp(self.own.now, SENDER, &mut packet, &mut self.own.out);
        let before = self.other.out.rtp.len();
        if goes {
            self.mirrored(copy);
        }
        self.other.out.rtp[before..].to_vec()
    }

    fn mirrored(&mut self, mut packet: Vec<u8>) {
        let Room { media, out, now } = &mut self.other;
        media.receive_mirrored_rtp(*now, SENDER, &mut packet, out);
    }

    fn video(&mut self, encoding: u32, sequence: u16, at: u32, payload: &[u8]) -> Vec<Rtp> {
        self.rtp(packet(100, 600 + encoding, sequence, at, true, payload))
    }

    /// What the other part asks for is done by the owner.
    fn carry_asks(&mut self) -> Vec<Ask> {
        let asks: Vec<_> = self.other.out.asks.drain(..).collect();
        for (worker, ask) in &asks {
            assert_eq!(*worker, OWNER);
            match ask {
                Ask::Packets { source: VIDEO } => self.asked = true,
                Ask::NoPackets { source: VIDEO } => self.asked = false,
                Ask::Keyframe { source } => {
                    self.own.apply(Command::RequestKeyframe { source: *source });
                }
                other => panic!("{other:?}"),
            }
        }
        asks.into_iter().map(|(_, ask)| ask).collect()
    }
}

const PACKETS: Ask = Ask::Packets { source: VIDEO };
const NO_PACKETS: Ask = Ask::NoPackets { source: VIDEO };
const KEYFRAME: Ask = Ask::Keyframe { source: VIDEO };

#[test]
fn pictures_come_when_they_are_asked_for_and_begin_with_a_keyframe() {
    let mut parts = Parts::new();
    assert_eq!(parts.video(0, 1000, 0, &vp8(true, 1, 1, 0)), []);
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    assert_eq!(parts.carry_asks(), [PACKETS, KEYFRAME]);
    assert_eq!(parts.own.out.plis(), [(SENDER, 600)]);
    assert_eq!(parts.video(0, 1001, 3000, &vp8(false, 2, 2, 0)), []);
    let first = parts.video(0, 1002, 6000, &vp8(true, 3, 3, 0)).remove(0);
    assert_eq!((first.receiver, first.ssrc), (RECEIVER, SLOT));
    let second = parts.video(0, 1003, 9000, &vp8(false, 4, 4, 0)).remove(0);
    assert_eq!(second.sequence, first.sequence + 1);
    // Only the owner tells of the source, and only to the owner is anything said.
    parts.own.advance(3 * SECOND);
    parts.other.advance(3 * SECOND);
    assert!(!parts.own.out.events.is_empty());
    assert_eq!(parts.other.out.events, []);
    assert!(parts.other.out.rtcp.iter().all(|(receiver, _)| *receiver == RECEIVER));
    assert_eq!(parts.other.media.stats().rtp_received, 0);
}

#[test]
fn what_nobody_watches_does_not_come_and_later_goes_on_with_any_numbers() {
    let mut parts = Parts::new();
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    parts.carry_asks();
    let first = parts.video(0, 1000, 0, &vp8(true, 1, 1, 0)).remove(0);
    parts.other.route(RECEIVER, VIDEO, SLOT, -1);
    // On its way while nobody wanted it any more.
    parts.mirrored(packet(100, 600, 1001, 3000, true, &vp8(false, 2, 2, 0)));
    assert_eq!(parts.carry_asks(), [NO_PACKETS]);
    assert_eq!(parts.video(0, 1002, 6000, &vp8(false, 3, 3, 0)), []);
    parts.other.advance(SECOND);
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    assert_eq!(parts.carry_asks(), [PACKETS, KEYFRAME]);
    // Far behind those before, as if the numbers had gone round.
    let again = parts.video(0, 900, 9_000_000, &vp8(true, 50, 50, 0)).remove(0);
    assert_eq!(again.sequence, first.sequence + 1);
    assert_eq!(ids(&again).0, ids(&first).0 + 1);
    assert_eq!(parts.video(0, 901, 9_003_000, &vp8(false, 51, 51, 0)).len(), 1);
    // The last route goes in each of the ways that there are.
    parts.other.apply(Command::RemoveRoute { receiver: RECEIVER, source: VIDEO });
    assert_eq!(parts.carry_asks(), [NO_PACKETS]);
    parts.other.apply(Command::SetRelay { receiver: RECEIVER, source: VIDEO, encodings: 0b101 });
    assert_eq!(parts.carry_asks(), [PACKETS]);
    parts.other.apply(Command::SetRelay { receiver: RECEIVER, source: VIDEO, encodings: 0 });
    assert_eq!(parts.carry_asks(), [NO_PACKETS]);
    parts.other.advance(SECOND);
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    parts.sources(&[AUDIO]);
    assert_eq!(parts.carry_asks(), [PACKETS, KEYFRAME, NO_PACKETS]);
    parts.sources(&[AUDIO, VIDEO]);
    parts.other.advance(SECOND);
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    parts.other.apply(Command::RemoveTransport { transport: RECEIVER });
    assert_eq!(parts.carry_asks(), [PACKETS, KEYFRAME, NO_PACKETS]);
    parts.other.apply(Command::AddTransport { transport: RECEIVER, conference: 5 });
    parts.other.advance(SECOND);
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    parts.other.apply(Command::RemoveTransport { transport: SENDER });
    assert_eq!(parts.carry_asks(), [PACKETS, KEYFRAME, NO_PACKETS]);
}

#[test]
fn losses_are_made_good_once_and_by_the_owner() {
    let mut parts = Parts::new();
    parts.other.route(RECEIVER, VIDEO, SLOT, 0);
    parts.carry_asks();
    let first = parts.video(0, 1, 0, &vp8(true, 1, 1, 0)).remove(0);
    let third = parts.video(0, 3, 6000, &vp8(false, 3, 3, 0)).remove(0);
    assert_eq!(third.sequence, first.sequence + 2);
    parts.own.advance(50 * MS);
    parts.other.advance(50 * MS);
    assert_eq!(parts.own.out.nacks(), [2]);
    assert!(parts.other.out.nacks().is_empty());
    let mut again = 2u16.to_be_bytes().to_vec();
    again.extend(vp8(false, 2, 2, 0));
    let found = parts.rtp(packet(96, 700, 9, 3000, true, &again)).remove(0);
    assert_eq!(found.sequence, first.sequence + 1);
    // What the receiver has lost is sent again from here.
    let mut nack = [0; 64];
    let length = super::rtcp_write::nack(&mut nack, 1, SLOT, &[third.sequence]);
    parts.other.out.rtp.clear();
    parts.other.rtcp(RECEIVER, &nack[..length]);
    assert_eq!((parts.other.out.rtp.len(), parts.carry_asks()), (1, vec![]));
}

fn report(ssrc: u32) -> Vec<u8> {
    let mut report = vec![0x80, 200, 0, 6];
    report.extend(ssrc.to_be_bytes());
    report.extend([0, 0, 0, 9, 0, 0, 0, 8]);
    report.extend(960u32.to_be_bytes());
    report.extend([0; 8]);
    report
}

#[test]
fn who_begins_again_is_told_the_clock_at_once() {
    let mut parts = Parts::new();
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    parts.carry_asks();
    parts.video(0, 1, 0, &vp8(true, 1, 1, 0));
    let Room { media, out, now } = &mut parts.other;
    media.receive_mirrored_rtcp(*now, SENDER, &report(600), out);
    parts.other.route(RECEIVER, VIDEO, SLOT, -1);
    parts.carry_asks();
    parts.other.advance(SECOND);
    parts.other.route(RECEIVER, VIDEO, SLOT, 2);
    parts.carry_asks();
    parts.other.out.rtcp.clear();
    assert_eq!(parts.video(0, 3, 40_000, &vp8(true, 3, 3, 0)).len(), 1);
    let told = parts.other.out.rtcp.iter().filter(|(to, data)| (*to, data[1]) == (RECEIVER, 200));
    assert_eq!(told.count(), 1);
}

#[test]
fn keyframes_are_asked_for_no_more_often_than_in_one_part() {
    let mut parts = Parts::new();
    parts.own.route(RECEIVER, VIDEO, SLOT, 0);
    parts.other.route(RECEIVER, VIDEO, SLOT, 0);
    parts.carry_asks();
    parts.own.out.rtcp.clear();
    let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0x51, 0x07];
    for _ in 0..300 {
        parts.own.advance(10 * MS);
        parts.other.advance(10 * MS);
        // Somebody in either part.
        parts.other.rtcp(RECEIVER, &pli);
        parts.carry_asks();
        parts.own.rtcp(RECEIVER, &pli);
    }
    assert!((9..=11).contains(&parts.own.out.plis().len()), "{}", parts.own.out.plis().len());
    assert_eq!(parts.other.out.plis(), []);
}

#[test]
fn sound_comes_unasked_and_the_clock_with_it() {
    let mut parts = Parts::new();
    parts.other.route(RECEIVER, AUDIO, SLOT, 0);
    let sent = parts.rtp(packet(111, 500, 1, 960, false, &[1, 2, 3])).remove(0);
    assert_eq!((sent.receiver, sent.ssrc, sent.payload), (RECEIVER, SLOT, vec![1, 2, 3]));
    assert_eq!(parts.carry_asks(), []);
    let report = report(500);
    assert_eq!(Media::rtcp_concerns(&report), Concerns::All);
    assert_eq!(Media::rtcp_concerns(&[0x80, 201, 0, 1, 0, 0, 0, 1]), Concerns::Nobody);
    let Room { media, out, now } = &mut parts.other;
    media.receive_mirrored_rtcp(*now, SENDER, &report, out);
    let (receiver, told) = parts.other.out.rtcp.pop().unwrap();
    let clock = rtcp::parse(&told).find_map(|packet| match packet {
        Rtcp::SenderReport { ssrc, ntp, timestamp, .. } => Some((ssrc, ntp, timestamp)),
        _ => None,
    });
    assert_eq!((receiver, clock), (RECEIVER, Some((SLOT, 9 << 32 | 8, sent.timestamp))));
}

#[test]
fn who_is_muted_is_not_forwarded_in_any_part() {
    let mut parts = Parts::new();
    parts.other.route(RECEIVER, VIDEO, SLOT, 0);
    parts.carry_asks();
    parts.video(0, 1, 0, &vp8(true, 1, 1, 0));
    parts.other.apply(Command::SetMuted { source: VIDEO, muted: true });
    assert_eq!(parts.video(0, 2, 3000, &vp8(false, 2, 2, 0)), []);
    parts.other.advance(SECOND);
    parts.other.apply(Command::SetMuted { source: VIDEO, muted: false });
    assert_eq!(parts.carry_asks(), [KEYFRAME]);
    assert_eq!(parts.video(0, 3, 6000, &vp8(true, 3, 3, 0)).len(), 1);
}

#[test]
fn nobody_asks_for_a_keyframe_that_nobody_there_watches() {
    let mut parts = Parts::new();
    parts.other.apply(Command::SetMuted { source: VIDEO, muted: true });
    parts.other.apply(Command::SetMuted { source: VIDEO, muted: false });
    assert_eq!(parts.carry_asks(), []);
}
