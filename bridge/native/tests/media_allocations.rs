//! Forwarding allocates nothing once a stream runs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use xmppconf_native::media::*;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// Nothing but counts before handing on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        System.dealloc(pointer, layout);
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The tests count for the whole process: one at a time.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[derive(Default)]
struct Counted {
    packets: u64,
    /// What is told of layers once a second is made of memory.
    figures: u64,
}

impl Output for Counted {
    fn send_rtp(&mut self, _receiver: u32, _header: &[u8], _payload: &[u8]) {
        self.packets += 1;
    }

    fn send_rtcp(&mut self, _receiver: u32, _compound: &[u8]) {}

    fn event(&mut self, event: Event) {
        self.figures += u64::from(matches!(event, Event::Layers { .. }));
    }
}

const RECEIVERS: u32 = 10;

/// Transport 0 sends to all others; it may be a mirror.
fn room(mirror_of: Option<u8>) -> Media {
    let mut media = Media::new(1);
    let mut out = Counted::default();
    let mut apply = |command| media.apply(0, command, &mut out);
    apply(Command::AddConference { conference: 1, audio_ssrc: 8, video_ssrc: 9 });
    for transport in 0..=RECEIVERS {
        apply(match mirror_of.filter(|_| transport == 0) {
            Some(worker) => Command::AddMirror { transport, conference: 1, worker },
            None => Command::AddTransport { transport, conference: 1 },
        });
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
    for receiver in 1..=RECEIVERS {
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

#[test]
fn ten_thousand_packets_without_an_allocation() {
    let _alone = alone();
    for mirror_of in [None, Some(1)] {
        ten_thousand_packets(mirror_of);
    }
}

fn ten_thousand_packets(mirror_of: Option<u8>) {
    let mut media = room(mirror_of);
    let mut out = Counted::default();
    let mut packet = [0u8; 1100];
    let mut now = SECOND;
    let mut forward = |media: &mut Media, out: &mut Counted, number: u32| {
        now += 4 * MILLISECOND;
        packet[..12].copy_from_slice(&[0x90, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 77]);
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(number / 4 * 3000).to_be_bytes());
        packet[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x51, 0, 0, 0]);
        packet[17..19].copy_from_slice(&(number as u16).to_be_bytes());
        let key = u8::from(number != 0);
        packet[20..27].copy_from_slice(&[0x90, 0xe0, 0x80, number as u8, 1, 0, key]);
        match mirror_of {
            _ if number % 50 == 7 => {} // lost
            None => media.receive_rtp(now, 0, &mut packet, out),
            Some(_) => media.receive_mirrored_rtp(now, 0, &mut packet, out),
        }
        media.timeout(now, out);
    };
    for number in 0..2_000 {
        forward(&mut media, &mut out, number);
    }
    let (before, sent) = (ALLOCATIONS.load(Ordering::Relaxed), out.packets);
    let told = out.figures;
    for number in 2_000..12_000 {
        forward(&mut media, &mut out, number);
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(out.packets - sent, 9_800 * u64::from(RECEIVERS));
    assert_eq!(allocations, out.figures - told);
    assert!(allocations <= 40); // in 40 s
}

/// Everybody speaks RED; half of the receivers know only Opus.
fn voices() -> Media {
    let mut media = Media::new(1);
    let mut out = Counted::default();
    let mut apply = |command| media.apply(0, command, &mut out);
    apply(Command::AddConference { conference: 1, audio_ssrc: 8, video_ssrc: 9 });
    apply(Command::SetLoudest { conference: 1, count: 3, always: vec![7] });
    let payload_type = |id, codec: &str, retransmits| PayloadType {
        id,
        codec: codec.into(),
        clock_rate: 48_000,
        retransmits,
        nack: false,
        pli: false,
        transport_cc: false,
    };
    for transport in 0..=RECEIVERS {
        apply(Command::AddTransport { transport, conference: 1 });
        let mut payload_types = vec![payload_type(111, "opus", None)];
        if transport % 2 == 0 {
            payload_types.push(payload_type(63, "red", Some(111)));
        }
        apply(Command::SetPayloadTypes { transport, payload_types });
        let uri = |uri: &str, id| HeaderExtension { id, uri: uri.into() };
        apply(Command::SetHeaderExtensions {
            transport,
            extensions: vec![
                uri("urn:ietf:params:rtp-hdrext:ssrc-audio-level", 1),
                uri("urn:ietf:params:rtp-hdrext:sdes:mid", 10),
            ],
        });
    }
    let sources = (1..=10).map(|source| SourceDescription {
        source,
        kind: Kind::Audio,
        encodings: vec![Encoding { ssrc: source, rtx_ssrc: None }],
    });
    apply(Command::SetSources { transport: 0, sources: sources.collect() });
    for receiver in 1..=RECEIVERS {
        for source in 1..=10 {
            if let Some(mid) = Mid::new(&format!("a{source}")) {
                apply(Command::SetMid { receiver, ssrc: source, mid });
            }
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

#[test]
fn voices_are_ranked_and_recovered_without_an_allocation() {
    let _alone = alone();
    let mut media = voices();
    let mut out = Counted::default();
    let mut packet = [9u8; 120];
    let mut round = |media: &mut Media, out: &mut Counted, number: u32| {
        let now = SECOND + Time::from(number) * 20 * MILLISECOND;
        for source in 1..=10u8 {
            if (number + u32::from(source)) % 20 == 0 {
                continue; // lost
            }
            packet[..12].copy_from_slice(&[0x90, 63, 0, 0, 0, 0, 0, 0, 0, 0, 0, source]);
            packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(number * 960).to_be_bytes());
            let level = 20 + (u32::from(source) * 13 + number / 30) % 90;
            packet[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x10, level as u8, 0, 0]);
            // One block of 40 bytes, 960 units old.
            packet[20..25].copy_from_slice(&[0x80 | 111, (960u16 >> 6) as u8, 0, 40, 111]);
            media.receive_rtp(now, 0, &mut packet, out);
        }
        // The levels told are events, and those are made of memory.
        if number >= 1_900 && number % 100 != 0 {
            return;
        }
        media.timeout(now, out);
    };
    (0..2_001).for_each(|number| round(&mut media, &mut out, number));
    let (before, sent) = (ALLOCATIONS.load(Ordering::Relaxed), out.packets);
    (2_001..2_100).for_each(|number| round(&mut media, &mut out, number));
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert!(out.packets - sent > 99 * 3 * u64::from(RECEIVERS));
    assert!(media.stats().dropped_quiet > 0 && media.stats().red_recovered > 0);
    assert_eq!(allocations, 0);
}

/// Receivers that report what came, over ways that are too narrow, each with RTX.
struct Reported {
    packets: u64,
    figures: u64,
    /// The newest transport-wide number, and the last reported, by receiver.
    newest: [u16; RECEIVERS as usize + 1],
    reported: [u16; RECEIVERS as usize + 1],
}

impl Output for Reported {
    fn send_rtp(&mut self, receiver: u32, header: &[u8], _payload: &[u8]) {
        self.packets += 1;
        if let Some(newest) = self.newest.get_mut(receiver as usize) {
            *newest = u16::from_be_bytes([header[17], header[18]]);
        }
    }

    fn send_rtcp(&mut self, _receiver: u32, _compound: &[u8]) {}

    fn event(&mut self, event: Event) {
        self.figures += u64::from(matches!(event, Event::Layers { .. }));
    }
}

impl Reported {
    /// A report that says of all packets since the last that they came `step` ms apart.
    fn report(&mut self, receiver: u32, now: Time, step: u8, report: &mut [u8; 512]) -> usize {
        let (Some(newest), Some(reported)) =
            (self.newest.get(receiver as usize), self.reported.get_mut(receiver as usize))
        else {
            return 0;
        };
        let count = newest.wrapping_sub(*reported).min(400);
        if count == 0 {
            return 0;
        }
        let reference = (now / (64 * MILLISECOND)) as u32;
        report[..12].copy_from_slice(&[0x8f, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 5]);
        report[12..14].copy_from_slice(&reported.wrapping_add(1).to_be_bytes());
        report[14..16].copy_from_slice(&count.to_be_bytes());
        report[16..20].copy_from_slice(&(reference << 8).to_be_bytes());
        report[20..22].copy_from_slice(&(1 << 13 | count).to_be_bytes());
        let end = 22 + usize::from(count);
        report[22..end].fill(4 * step);
        let length = end.div_ceil(4) * 4;
        report[2..4].copy_from_slice(&((length / 4 - 1) as u16).to_be_bytes());
        *reported = reported.wrapping_add(count);
        length
    }
}

#[test]
fn estimating_pacing_and_probing_allocate_nothing() {
    let _alone = alone();
    let mut media = room(None);
    let mut out = Reported { packets: 0, figures: 0, newest: [0; 11], reported: [0; 11] };
    for transport in 0..=RECEIVERS {
        let entry = |id, codec: &str, retransmits| PayloadType {
            id,
            codec: codec.into(),
            clock_rate: 90_000,
            retransmits,
            nack: true,
            pli: true,
            transport_cc: true,
        };
        let payload_types = vec![entry(100, "vp8", None), entry(96, "rtx", Some(100))];
        media.apply(0, Command::SetPayloadTypes { transport, payload_types }, &mut out);
    }
    for receiver in 1..=RECEIVERS {
        let route = Command::SetRoute {
            receiver,
            source: 1,
            ssrc: 5,
            rtx_ssrc: Some(6),
            max_encoding: 2,
            max_spatial: 7,
            max_temporal: 7,
        };
        media.apply(0, route, &mut out);
        let bits_per_second = 5_000_000;
        media.apply(0, Command::SetDemand { receiver, bits_per_second, trial: 0 }, &mut out);
    }
    let mut packet = [0u8; 1100];
    let mut report = [0u8; 512];
    let mut turn = |media: &mut Media, out: &mut Reported, number: u32| {
        let now = SECOND + Time::from(number) * 4 * MILLISECOND;
        packet[..12].copy_from_slice(&[0x90, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 77]);
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(number / 4 * 3000).to_be_bytes());
        packet[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x51, 0, 0, 0]);
        let key = u8::from(number % 1_000 != 0);
        packet[20..27].copy_from_slice(&[0x90, 0xe0, 0x80, number as u8, 1, 0, key]);
        media.receive_rtp(now, 0, &mut packet, out);
        media.timeout(now, out);
        if number % 16 == 0 {
            for receiver in 1..=RECEIVERS {
                // Now fast, now slow.
                let step = if number % 4_000 < 3_000 { 2 } else { 30 };
                let length = out.report(receiver, now, step, &mut report);
                media.receive_rtcp(now, receiver, &report[..length], out);
            }
        }
    };
    (0..4_000).for_each(|number| turn(&mut media, &mut out, number));
    let (before, told) = (ALLOCATIONS.load(Ordering::Relaxed), out.figures);
    let paced = *media.stats();
    (4_000..12_000).for_each(|number| turn(&mut media, &mut out, number));
    let stats = *media.stats();
    let (waited, filled) = (stats.paced - paced.paced, stats.padding_sent - paced.padding_sent);
    assert!(waited > 500 && filled > 1_000, "{waited} {filled}");
    assert_eq!(stats.tcc_unmatched + stats.tcc_malformed, 0);
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, out.figures - told);
}
