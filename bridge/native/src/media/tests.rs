//! The machine as a whole: packets in, packets out.

mod audio;
mod bandwidth;
mod hostile;
mod layers;
mod legs;
mod links;
mod mirrors;
mod relays;
mod relief;
mod resend;
mod room;
mod timers;

use super::rtcp::{self, Rtcp};
use super::*;
use room::*;

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
