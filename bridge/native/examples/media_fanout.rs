//! How long the media machine takes for a forwarded packet, without encryption and sockets.
//!
//!     cargo run --release --example media_fanout

use std::hint::black_box;
use std::time::Instant;

use xmppconf_native::media::*;

#[derive(Default)]
struct Sink {
    packets: u64,
    bytes: u64,
}

impl Output for Sink {
    fn send_rtp(&mut self, _receiver: u32, header: &[u8], payload: &[u8]) {
        self.packets += 1;
        self.bytes += black_box(header).len() as u64 + black_box(payload).len() as u64;
    }

    fn send_rtcp(&mut self, _receiver: u32, compound: &[u8]) {
        black_box(compound);
    }

    fn event(&mut self, event: Event) {
        black_box(event);
    }
}

fn room(receivers: u32) -> Media {
    let mut media = Media::new(1);
    let mut sink = Sink::default();
    let mut apply = |command| media.apply(0, command, &mut sink);
    apply(Command::AddConference { conference: 1, audio_ssrc: 8, video_ssrc: 9 });
    for transport in 0..=receivers {
        apply(Command::AddTransport { transport, conference: 1 });
        apply(Command::SetPayloadTypes {
            transport,
            payload_types: vec![PayloadType {
                id: 100,
                codec: "vp8".into(),
                clock_rate: 90_000,
                retransmits: None,
                nack: true,
                pli: true,
                transport_cc: true,
            }],
        });
        apply(Command::SetHeaderExtensions {
            transport,
            extensions: vec![HeaderExtension {
                id: 5,
                uri: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
                    .into(),
            }],
        });
    }
    apply(Command::SetSources {
        transport: 0,
        sources: vec![SourceDescription {
            source: 1,
            kind: Kind::Video,
            encodings: vec![Encoding { ssrc: 77, rtx_ssrc: None }],
        }],
    });
    for receiver in 1..=receivers {
        apply(Command::SetRoute {
            receiver,
            source: 1,
            ssrc: 5,
            rtx_ssrc: None,
            max_encoding: 2,
            max_spatial: 7,
            max_temporal: 7,
        });
    }
    media
}

fn main() {
    for receivers in [1, 10, 50, 200] {
        let mut media = room(receivers);
        let mut sink = Sink::default();
        let mut packet = [0u8; 1100];
        let count = 4_000_000 / (receivers + 4);
        let mut now = SECOND;
        let start = Instant::now();
        for number in 0..count {
            now += 3 * MILLISECOND;
            packet[..12].copy_from_slice(&[0x90, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 77]);
            packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(number / 4).wrapping_mul(3000).to_be_bytes());
            packet[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x51, 0, 0, 0]);
            packet[17..19].copy_from_slice(&(number as u16).to_be_bytes());
            let key = u8::from(number != 0);
            packet[20..27].copy_from_slice(&[0x90, 0xe0, 0x80, number as u8, 1, 0, key]);
            media.receive_rtp(now, 0, &mut packet, &mut sink);
            media.timeout(now, &mut sink);
        }
        let elapsed = start.elapsed().as_nanos() as f64;
        println!(
            "1 -> {receivers:3}: {:6.1} ns a packet received, {:5.1} ns a packet forwarded",
            elapsed / f64::from(count),
            elapsed / sink.packets.max(1) as f64,
        );
    }
}
