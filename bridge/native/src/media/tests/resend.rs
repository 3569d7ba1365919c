//! Losses towards receivers, and what is sent again.

use super::*;
use crate::media::transport::Transport;

#[test]
fn losses_keep_their_gap_and_late_packets_fill_it() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    let first = room.video(0, 65_534, 0, &vp8(true, 1, 1, 0)).remove(0);
    let after = room.video(0, 1, 9000, &vp8(false, 4, 4, 0)).remove(0);
    assert_eq!(after.sequence, first.sequence + 3);
    // padding leaves no gap
    assert_eq!(room.video(0, 2, 9000, &[]), []);
    let next = room.video(0, 3, 12_000, &vp8(false, 5, 5, 0)).remove(0);
    assert_eq!(next.sequence, first.sequence + 4);
    // recovered by retransmission
    let mut again = 65_535u16.to_be_bytes().to_vec();
    again.extend(vp8(false, 2, 2, 0));
    let found = room.rtp(SENDER, packet(96, 700, 9, 3000, true, &again)).remove(0);
    assert_eq!((found.sequence, found.ssrc), (first.sequence + 1, SLOT));
    assert_eq!(found.timestamp, first.timestamp.wrapping_add(3000));
    assert_eq!(ids(&found).0, ids(&first).0 + 1);
    assert_eq!(room.rtp(SENDER, packet(96, 700, 10, 3000, true, &again)), []);
    assert_eq!(room.media.stats().dropped_duplicate, 1);
    // late padding becomes a packet that tells the receiver not to wait
    let filler = room.video(0, 0, 6000, &[]).remove(0);
    assert!(filler.padding);
    assert_eq!((filler.sequence, &filler.payload[..]), (first.sequence + 2, &[1][..]));
}

#[test]
fn dropped_temporal_layers_leave_no_gap() {
    let mut room = Room::new();
    room.apply(Command::SetRoute {
        receiver: RECEIVER,
        source: VIDEO,
        ssrc: SLOT,
        rtx_ssrc: None,
        max_encoding: 0,
        max_spatial: 7,
        max_temporal: 0,
    });
    let first = room.video(0, 1, 0, &vp8(true, 1, 1, 0)).remove(0);
    assert_eq!(room.video(0, 2, 3000, &vp8(false, 2, 1, 2)), []);
    assert_eq!(room.video(0, 3, 6000, &vp8(false, 3, 1, 1)), []);
    let next = room.video(0, 4, 12_000, &vp8(false, 5, 2, 0)).remove(0);
    assert_eq!(next.sequence, first.sequence + 1);
    assert_eq!(ids(&next), (ids(&first).0 + 2, ids(&first).1.wrapping_add(1)));
}

#[test]
fn lost_packets_are_asked_for_and_answered() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    let mut sent = Vec::new();
    for number in [1u16, 2, 4, 5, 6] {
        let payload = vp8(number == 1, number, number as u8, 0);
        sent.extend(room.video(0, number, u32::from(number) * 3000, &payload));
    }
    assert_eq!(room.out.nacks(), [3]);
    room.advance(200 * MS);
    assert!(room.out.nacks().len() >= 2);
    // a receiver loses one as well
    let mut nack = [0; 600];
    let wanted = [sent[1].sequence, sent[1].sequence + 1];
    let length = super::rtcp_write::nack(&mut nack, 1, SLOT, &wanted);
    room.out.rtp.clear();
    for _ in 0..5 {
        room.rtcp(RECEIVER, &nack[..length]);
    }
    assert_eq!(room.out.rtp.len(), 3);
    let again = &room.out.rtp[0];
    assert_eq!((again.ssrc, again.payload_type), (SLOT + 1, 96));
    assert_eq!(again.payload[..2], sent[1].sequence.to_be_bytes());
    assert_eq!(again.payload[2..], sent[1].payload[..]);
    assert_eq!(room.out.rtp[1].sequence, again.sequence + 1);
    // somebody else's stream cannot be named
    room.out.rtp.clear();
    room.rtcp(12, &nack[..length]);
    assert_eq!(room.out.rtp, []);
    assert_eq!(room.media.stats().dropped_feedback, 1);
}

#[test]
fn media_and_retransmissions_carry_the_mid_of_their_slot() {
    let mut room = Room::new();
    room.apply(Command::SetHeaderExtensions {
        transport: RECEIVER,
        extensions: vec![HeaderExtension {
            id: 10,
            uri: "urn:ietf:params:rtp-hdrext:sdes:mid".into(),
        }],
    });
    let set_mid = |room: &mut Room, receiver, mid| {
        let mid = Mid::new(mid).unwrap();
        room.apply(Command::SetMid { receiver, ssrc: SLOT, mid });
    };
    set_mid(&mut room, RECEIVER, "v3");
    set_mid(&mut room, 12, "v4"); // which has not negotiated the extension
    room.route(RECEIVER, VIDEO, SLOT, 0);
    room.route(12, VIDEO, SLOT, 0);
    let sent = room.video(0, 1, 3000, &vp8(true, 1, 1, 0));
    let element = [0x90, 100, 0xa1, b'v', b'3'];
    let carries = |raw: &[u8]| [raw[0], raw[1] & 0x7f, raw[16], raw[17], raw[18]];
    assert_eq!(room.out.raw.len(), 2);
    assert_eq!(carries(&room.out.raw[0]), element);
    assert!(!room.out.raw[1].windows(2).any(|bytes| bytes == b"v4"));
    let mut nack = [0; 16];
    let length = super::rtcp_write::nack(&mut nack, 1, SLOT, &[sent[0].sequence]);
    room.rtcp(RECEIVER, &nack[..length]);
    assert_eq!(room.out.rtp[2].ssrc, SLOT + 1);
    assert_eq!(carries(&room.out.raw[2])[2..], element[2..]);
    // it survives another source in the slot, and a slot that was there before it
    room.apply(Command::RemoveRoute { receiver: RECEIVER, source: VIDEO });
    room.route(RECEIVER, AUDIO, SLOT, 0);
    room.rtp(SENDER, audio(1, 20));
    assert_eq!(carries(&room.out.raw[3])[2..], element[2..]);
    set_mid(&mut room, RECEIVER, "a0");
    room.rtp(SENDER, audio(2, 20));
    assert_eq!(room.out.raw[4][16..19], [0xa1, b'a', b'0']);
}

#[test]
fn without_rtx_the_packet_is_repeated_byte_for_byte() {
    let mut room = Room::new();
    room.apply(Command::SetRoute {
        receiver: RECEIVER,
        source: VIDEO,
        ssrc: SLOT,
        rtx_ssrc: None,
        max_encoding: 0,
        max_spatial: 7,
        max_temporal: 7,
    });
    room.video(0, 1, 0, &vp8(true, 1, 1, 0));
    room.video(0, 2, 3000, &vp8(false, 2, 2, 0));
    let sent = room.out.raw.clone();
    let mut nack = [0; 600];
    let number = room.out.rtp[0].sequence;
    let length = super::rtcp_write::nack(&mut nack, 1, SLOT, &[number]);
    room.rtcp(RECEIVER, &nack[..length]);
    assert_eq!(room.out.raw[2], sent[0]);
}

#[test]
fn retransmissions_stay_within_their_budget() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    let mut nack = [0; 600];
    let mut total = 0;
    for number in 1..2000u16 {
        let mut payload = vp8(number == 1, number, number as u8, 0);
        payload.resize(1100, 0);
        let sent = room.video(0, number, u32::from(number) * 3000, &payload);
        room.now += 10 * MS;
        total += sent.iter().map(|packet| packet.payload.len()).sum::<usize>();
        let numbers: Vec<u16> = (0..20).map(|back| sent[0].sequence.wrapping_sub(back)).collect();
        for one in numbers {
            let length = super::rtcp_write::nack(&mut nack, 1, SLOT, &[one]);
            room.rtcp(RECEIVER, &nack[..length]);
        }
    }
    let resent: usize =
        room.out.rtp.iter().filter(|p| p.ssrc == SLOT + 1).map(|p| p.payload.len()).sum();
    assert!(resent > total / 5 && resent <= total / 4 + (64 << 10), "{resent} of {total}");
}

/// A room with one packet of video sent to the receiver, the next one lost to it, then a third.
fn with_one_sent(rtx: bool) -> (Room, u16) {
    let mut room = Room::new();
    room.apply(Command::SetRoute {
        receiver: RECEIVER,
        source: VIDEO,
        ssrc: SLOT,
        rtx_ssrc: rtx.then_some(SLOT + 1),
        max_encoding: 0,
        max_spatial: 7,
        max_temporal: 7,
    });
    let mut payload = vp8(true, 1, 1, 0);
    payload.resize(1000, 0);
    let sequence = room.video(0, 1, 0, &payload)[0].sequence;
    room.video(0, 3, 6000, &vp8(false, 3, 3, 0));
    room.out.rtp.clear();
    (room, sequence)
}

fn ask(room: &mut Room, sequence: u16) -> usize {
    let mut nack = [0; 32];
    let length = super::rtcp_write::nack(&mut nack, 1, SLOT, &[sequence]);
    let before = room.out.rtp.len();
    room.rtcp(RECEIVER, &nack[..length]);
    room.out.rtp.len() - before
}

type Prepare = fn(&mut Room, u16);

/// What comes of a request in every state of a packet: how many are sent again, and of which
/// counter it is.
#[test]
fn every_request_in_every_state() {
    let none: Prepare = |_, _| {};
    let states: [(&str, i32, Prepare, [u64; 4]); 9] = [
        // sent by RTX, sent as they were, over the budget, unanswered
        ("sent", 0, none, [1, 0, 0, 0]),
        ("the first of the stream is not asked for", -1, none, [0, 0, 0, 1]),
        ("lost on its way to us", 1, none, [0, 0, 0, 1]),
        ("not sent yet", 3, none, [0, 0, 0, 1]),
        ("sent again once", 0, |room, one| assert_eq!(ask(room, one), 1), [1, 0, 0, 0]),
        (
            "sent again three times",
            0,
            |room, one| {
                for _ in 0..3 {
                    assert_eq!(ask(room, one), 1);
                    room.now += 500 * MS;
                }
            },
            [0, 0, 0, 1],
        ),
        (
            "muted",
            0,
            |room, _| room.apply(Command::SetMuted { source: VIDEO, muted: true }),
            [0, 0, 0, 1],
        ),
        (
            "of a source that is another's by now",
            0,
            |room, _| room.apply(Command::RemoveRoute { receiver: RECEIVER, source: VIDEO }),
            [0, 0, 0, 0],
        ),
        (
            "beyond the budget",
            0,
            |room, _| {
                let index = room.media.transports.index(RECEIVER).unwrap();
                let receiver = room.media.transports.get_mut(index).unwrap();
                while receiver.may_resend(100) {}
            },
            [0, 0, 1, 0],
        ),
    ];
    for rtx in [true, false] {
        for (state, ahead, prepare, expected) in &states {
            let (mut room, sequence) = with_one_sent(rtx);
            prepare(&mut room, sequence);
            room.now += 500 * MS;
            let figures = |room: &Room| {
                let stats = room.media.stats();
                [stats.rtx_sent, stats.resend_sent, stats.resend_over_budget, stats.nack_unanswered]
            };
            let before = figures(&room);
            let sent = ask(&mut room, sequence.wrapping_add_signed(*ahead as i16));
            let after = figures(&room);
            let figures: [u64; 4] = std::array::from_fn(|at| after[at] - before[at]);
            let mut expected = *expected;
            if !rtx {
                expected.swap(0, 1);
            }
            assert_eq!(figures, expected, "{state}, RTX {rtx}");
            assert_eq!(sent as u64, expected[0] + expected[1], "{state}, RTX {rtx}");
        }
    }
}

/// A quarter of what is sent, from a burst of 64 KiB: every step in every state of the budget.
#[test]
fn every_step_in_every_state_of_the_budget() {
    // left in the budget; after 400 more were sent; whether 1000 may be sent again, and left then
    let table = [
        (0, 100, false, 0),
        (999, 1_099, false, 999),
        (1_000, 1_100, true, 0),
        (65_436, 65_536, true, 64_436),
        (65_536, 65_536, true, 64_536),
    ];
    for (left, more, may, then) in table {
        let with = |left: usize| {
            let mut transport = Transport::new(1, 5);
            assert!(transport.may_resend((64 << 10) - left));
            transport
        };
        let left_in = |mut transport: Transport| {
            (0..=64usize << 10).rev().find(|size| transport.may_resend(*size)).unwrap()
        };
        let mut transport = with(left);
        transport.count_sent(400);
        assert_eq!(left_in(transport), more, "{left}");
        let mut transport = with(left);
        assert_eq!(transport.may_resend(1000), may, "{left}");
        assert_eq!(left_in(transport), then, "{left}");
    }
}
