//! K4: streams that begin shortly before their numbers wrap, over the wraps of their sequence
//! numbers, from the sender through encryption to a receiver and to another bridge.

mod common;

use std::collections::HashMap;

use common::gate;
use xmppconf_native::media::{
    Command, Encoding, Event, Kind, Media, Output, PayloadType, SourceDescription, MILLISECOND,
};
use xmppconf_native::srtp::{Profile, Receiver, Sender, MAX_OVERHEAD};

const FIRST_SEQUENCE: u16 = 65_000;
const FIRST_TIMESTAMP: u32 = u32::MAX - 1_000;
/// Three wraps, or one where that takes its time.
const PACKETS: u32 = if cfg!(debug_assertions) { 1 } else { 3 } * 65_536 + 2_000;
const SENDER: u32 = 1;
const RECEIVER: u32 = 2;
const BRIDGE: u32 = 3;

/// Encrypts what is sent, decrypts it as its receiver would, and looks at what arrives.
struct Wire {
    ends: HashMap<u32, (Sender, Receiver)>,
    /// The last sequence number and timestamp, and the packets, by receiver and SSRC.
    streams: HashMap<(u32, u32), (u16, u32, u32)>,
    step: u32,
}

impl Output for Wire {
    fn send_rtp(&mut self, receiver: u32, header: &[u8], payload: &[u8]) {
        let plain = [header, payload].concat();
        let (sender, peer) = self.ends.get_mut(&receiver).unwrap();
        let mut slot = plain.clone();
        slot.resize(plain.len() + MAX_OVERHEAD, 0);
        let length = sender.protect_rtp(&mut slot, header.len(), plain.len()).unwrap();
        slot.truncate(length);
        let length = peer.unprotect_rtp(&mut slot).expect("authentic, and not seen before");
        assert_eq!(slot[..length], plain);
        let word = |at: usize| u32::from_be_bytes(plain[at..at + 4].try_into().unwrap());
        let (sequence, timestamp, ssrc) = (word(0) as u16, word(4), word(8));
        let stream = self.streams.entry((receiver, ssrc)).or_insert((
            sequence.wrapping_sub(1),
            timestamp.wrapping_sub(self.step),
            0,
        ));
        assert_eq!(sequence, stream.0.wrapping_add(1), "no gap, no step back");
        assert_eq!(timestamp, stream.1.wrapping_add(self.step));
        *stream = (sequence, timestamp, stream.2 + 1);
    }

    fn send_rtcp(&mut self, _: u32, _: &[u8]) {}

    fn event(&mut self, _: Event) {}
}

fn wire(step: u32) -> Wire {
    let profile = Profile::AeadAes128Gcm;
    let (key, salt) = profile.lengths();
    let (key, salt) = (vec![3; key], vec![4; salt]);
    let end = || {
        let sender = Sender::new(profile, &key, &salt).unwrap();
        (sender, Receiver::new(profile, &key, &salt).unwrap())
    };
    let ends = [RECEIVER, BRIDGE].into_iter().map(|id| (id, end())).collect();
    Wire { ends, streams: HashMap::new(), step }
}

fn payload_type(id: u8, codec: &str, clock_rate: u32) -> PayloadType {
    let codec = codec.into();
    PayloadType {
        id,
        codec,
        clock_rate,
        retransmits: None,
        nack: clock_rate == 90_000,
        pli: false,
        transport_cc: false,
    }
}

fn run(
    kind: Kind,
    id: u8,
    codec: &str,
    clock_rate: u32,
    step: u32,
    payload: impl Fn(u32) -> Vec<u8>,
) {
    let mut media = Media::new(7);
    let mut wire = wire(step);
    let mut apply = |command| media.apply(0, command, &mut wire);
    apply(Command::AddConference { conference: 1, audio_ssrc: 90, video_ssrc: 91 });
    for transport in [SENDER, RECEIVER, BRIDGE] {
        apply(Command::AddTransport { transport, conference: 1 });
        let payload_types = vec![payload_type(id, codec, clock_rate)];
        apply(Command::SetPayloadTypes { transport, payload_types });
    }
    let encodings = vec![Encoding { ssrc: 600, rtx_ssrc: None }];
    let sources = vec![SourceDescription { source: 5, kind, encodings }];
    apply(Command::SetSources { transport: SENDER, sources });
    apply(Command::SetRoute {
        receiver: RECEIVER,
        source: 5,
        ssrc: 700,
        rtx_ssrc: None,
        max_encoding: 0,
        max_spatial: 7,
        max_temporal: 7,
    });
    apply(Command::SetRelay { receiver: BRIDGE, source: 5, encodings: 1 });
    for number in 0..PACKETS {
        let sequence = FIRST_SEQUENCE.wrapping_add(number as u16);
        let timestamp = FIRST_TIMESTAMP.wrapping_add(number.wrapping_mul(step));
        let mut packet = vec![0x80, id | 0x80];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(600u32.to_be_bytes());
        packet.extend(payload(number));
        let now = (u64::from(number) + 1) * 20 * MILLISECOND;
        media.receive_rtp(now, SENDER, &mut packet, &mut wire);
    }
    for (stream, (_, _, packets)) in &wire.streams {
        assert_eq!(*packets, PACKETS, "all of {stream:?}");
    }
    assert_eq!(wire.streams.len(), 2);
}

#[test]
fn audio_passes_its_wraps_without_a_glitch() {
    run(Kind::Audio, 111, "opus", 48_000, 960, |number| number.to_be_bytes().to_vec());
}

#[test]
fn video_passes_its_wraps_without_a_glitch() {
    let what = "packets of sound and of video each, from before their wraps on";
    gate("K4", what, u64::from(PACKETS), || {
        run(Kind::Video, 100, "vp8", 90_000, 1_800, |number| {
            // Picture ids of 15 bits wrap too.
            let [high, low] = ((number as u16) & 0x7fff | 0x8000).to_be_bytes();
            let mut payload = vec![0x90, 0xe0, high, low, number as u8, 0];
            if number == 0 {
                payload.extend([0x10, 2, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1]);
            } else {
                payload.extend([0x01, 1, 2, 3]);
            }
            payload
        });
        "no gap, no step back, every key right".into()
    });
}
