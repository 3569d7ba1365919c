//! What open microphones cost the media machine, without encryption and sockets: a hundred, of
//! which the three loudest are heard, beside three, and beside a hundred that are all heard.
//!
//!     cargo run --release --example microphones

use std::hint::black_box;
use std::time::Instant;

use xmppconf_native::media::*;

const PEOPLE: u32 = 100;
const SECONDS: u64 = 20;

#[derive(Default)]
struct Sink {
    packets: u64,
}

impl Output for Sink {
    fn send_rtp(&mut self, _receiver: u32, header: &[u8], payload: &[u8]) {
        self.packets += 1;
        black_box((header, payload));
    }

    fn send_rtcp(&mut self, _receiver: u32, compound: &[u8]) {
        black_box(compound);
    }

    fn event(&mut self, event: Event) {
        black_box(event);
    }
}

fn room(microphones: u32, loudest: usize) -> Media {
    let mut media = Media::new(1);
    let mut sink = Sink::default();
    let mut apply = |command| media.apply(0, command, &mut sink);
    apply(Command::AddConference { conference: 1, audio_ssrc: 8, video_ssrc: 9 });
    apply(Command::SetLoudest { conference: 1, count: loudest, always: Vec::new() });
    for transport in 1..=PEOPLE {
        apply(Command::AddTransport { transport, conference: 1 });
        apply(Command::SetPayloadTypes {
            transport,
            payload_types: vec![PayloadType {
                id: 111,
                codec: "opus".into(),
                clock_rate: 48_000,
                retransmits: None,
                nack: false,
                pli: false,
                transport_cc: false,
            }],
        });
        let uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level".into();
        apply(Command::SetHeaderExtensions {
            transport,
            extensions: vec![HeaderExtension { id: 1, uri }],
        });
    }
    for source in 1..=microphones {
        apply(Command::SetSources {
            transport: source,
            sources: vec![SourceDescription {
                source,
                kind: Kind::Audio,
                encodings: vec![Encoding { ssrc: source, rtx_ssrc: None }],
            }],
        });
        for receiver in (1..=PEOPLE).filter(|receiver| *receiver != source) {
            apply(Command::SetRoute {
                receiver,
                source,
                ssrc: source,
                rtx_ssrc: None,
                max_encoding: 0,
                max_spatial: 7,
                max_temporal: 7,
            });
        }
    }
    media
}

/// Whether a packet is of a voice, and its level: one in ten speaks at a time, the others' rooms
/// hum.
fn level(source: u32, number: u32) -> u8 {
    let hum = 90 + (source * 7 + number) % 8;
    let speaks = (source + number / 100) % 10 == 0;
    (if speaks { hum - 50 } else { hum }) as u8
}

fn run(name: &str, microphones: u32, loudest: usize) {
    let mut media = room(microphones, loudest);
    let mut sink = Sink::default();
    let mut packet = [0u8; 100];
    let began = Instant::now();
    for number in 0..(SECONDS * 50) as u32 {
        let now = SECOND + Time::from(number) * 20 * MILLISECOND;
        for source in 1..=microphones {
            packet[..12].copy_from_slice(&[0x90, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, source as u8]);
            packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(number * 960).to_be_bytes());
            packet[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0, 0, 0]);
            packet[17] = level(source, number);
            media.receive_rtp(now, source, &mut packet, &mut sink);
        }
        media.timeout(now, &mut sink);
    }
    let nanoseconds = began.elapsed().as_nanos() as u64;
    println!(
        "{name:<32} {:>8} packets/s in {:>8} out {:>8.3} % of a core {:>7} dropped as quiet",
        microphones * 50,
        sink.packets / SECONDS,
        nanoseconds as f64 / (SECONDS * SECOND) as f64 * 100.0,
        media.stats().dropped_quiet,
    );
}

fn main() {
    run("3 microphones", 3, 3);
    run("100 microphones, 3 heard", PEOPLE, 3);
    run("100 microphones, 5 heard", PEOPLE, 5);
    run("100 microphones, all heard", PEOPLE, 0);
}
