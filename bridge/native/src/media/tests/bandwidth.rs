//! Receivers that do not tell when each packet came: what they get in its place, and what is
//! concluded from their reports.

use super::*;
use crate::media::rtcp::ReportBlock;

const ABS: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const ABS_ID: u8 = 3;
const VOICE: u32 = 0x5207;
const SECOND_PACKETS: u16 = 50;

/// A room whose receiver has abs-send-time, and numbers only if `numbered`.
fn room(numbered: bool, rtx: bool) -> Room {
    let mut room = Room::new();
    // Who has had numbers keeps them.
    room.apply(Command::RemoveTransport { transport: RECEIVER });
    room.apply(Command::AddTransport { transport: RECEIVER, conference: 5 });
    let mut payload_types = types();
    payload_types.iter_mut().for_each(|one| one.transport_cc = numbered);
    room.apply(Command::SetPayloadTypes { transport: RECEIVER, payload_types });
    room.apply(Command::SetHeaderExtensions {
        transport: RECEIVER,
        extensions: vec![
            HeaderExtension { id: ABS_ID, uri: ABS.into() },
            HeaderExtension { id: 5, uri: TCC.into() },
        ],
    });
    room.apply(Command::SetRoute {
        receiver: RECEIVER,
        source: VIDEO,
        ssrc: SLOT,
        rtx_ssrc: rtx.then_some(SLOT + 1),
        max_encoding: 0,
        max_spatial: 7,
        max_temporal: 7,
    });
    room.route(RECEIVER, AUDIO, VOICE, 0);
    room
}

fn ask(room: &mut Room, sequence: u16) {
    let mut nack = [0; 32];
    let length = super::rtcp_write::nack(&mut nack, 1, SLOT, &[sequence]);
    room.rtcp(RECEIVER, &nack[..length]);
}

/// The time of sending that a packet carries, in 2^-18 s.
fn time_in(raw: &[u8]) -> Option<u32> {
    let carries = raw[0] & 0x10 != 0 && raw[16] == ABS_ID << 4 | 2;
    carries.then(|| u32::from_be_bytes([0, raw[17], raw[18], raw[19]]))
}

fn units(now: Time) -> u32 {
    (u128::from(now) * (1 << 18) / u128::from(SECOND) % (1 << 24)) as u32
}

#[test]
fn who_has_no_numbers_gets_the_time_of_sending_with_video() {
    let mut room = room(false, true);
    // It wraps every 64 s.
    for step in 0..5u16 {
        room.now += 20 * SECOND;
        room.video(0, 1 + step, 90_000 * u32::from(step), &vp8(true, step, step as u8, 0));
        assert_eq!(time_in(room.out.raw.last().unwrap()), Some(units(room.now)));
    }
    let sequence = room.out.rtp[4].sequence;
    room.now += 50 * MS;
    ask(&mut room, sequence);
    // RTX has numbers of its own.
    assert_eq!(room.out.rtp[5].ssrc, SLOT + 1);
    assert_eq!(time_in(&room.out.raw[5]), Some(units(room.now)));
    let voice = room.rtp(SENDER, packet(111, 500, 1, 960, false, &[1; 40]));
    assert_eq!((voice.len(), time_in(room.out.raw.last().unwrap())), (1, None));
}

#[test]
fn who_has_numbers_gets_no_time() {
    let mut room = room(true, true);
    room.video(0, 1, 0, &vp8(true, 1, 1, 0));
    assert_eq!(room.out.raw[0][16], 5 << 4 | 1);
    assert_eq!(time_in(&room.out.raw[0]), None);
}

/// Another time under the same number would give the authentication key away (AES-GCM).
#[test]
fn a_repeated_packet_has_the_time_of_the_first() {
    let mut room = room(false, false);
    room.video(0, 1, 0, &vp8(true, 1, 1, 0));
    let (first, sequence) = (room.out.raw[0].clone(), room.out.rtp[0].sequence);
    assert_eq!(time_in(&first), Some(units(room.now)));
    for resends in 1..=3 {
        room.advance(500 * MS);
        ask(&mut room, sequence);
        assert_eq!(room.out.raw.len(), 1 + resends);
        assert_eq!(room.out.raw[resends], first);
    }
}

/// A packet that waited in the pacer has a number that is not remembered.
#[test]
fn nothing_is_repeated_under_numbers_of_before_rtx_went() {
    let mut room = room(true, true);
    room.video(0, 1, 0, &vp8(true, 1, 1, 0));
    let sequence = room.out.rtp[0].sequence;
    room.apply(Command::SetRoute {
        receiver: RECEIVER,
        source: VIDEO,
        ssrc: SLOT,
        rtx_ssrc: None,
        max_encoding: 0,
        max_spatial: 7,
        max_temporal: 7,
    });
    ask(&mut room, sequence);
    assert_eq!(room.out.rtp.len(), 1);
}

/// One second of video after `before` such seconds, with those numbers lost on their way to us,
/// and then what the receiver says of it: it has lost so many since it began.
fn second(room: &mut Room, before: u16, gaps: &[u16], lost: u32) {
    for number in 0..SECOND_PACKETS {
        let sequence = 1 + before * SECOND_PACKETS + number;
        if !gaps.contains(&number) {
            let mut payload = vp8(sequence == 1, sequence, sequence as u8, 0);
            payload.resize(1000, 0);
            room.video(0, sequence, 1800 * u32::from(sequence), &payload);
        }
        room.advance(SECOND / u64::from(SECOND_PACKETS));
    }
    say(room, u32::from((before + 1) * SECOND_PACKETS), lost);
}

fn say(room: &mut Room, packets: u32, lost: u32) {
    let highest = u32::from(room.out.rtp[0].sequence) + packets - 1;
    let block =
        ReportBlock { ssrc: SLOT, highest, cumulative_lost: lost, ..ReportBlock::default() };
    let mut report = [0; 32];
    let length = super::rtcp_write::receiver_report(&mut report, 1, &[block]);
    room.rtcp(RECEIVER, &report[..length]);
}

fn remb(room: &mut Room, kilobits: u32) {
    let mut report = vec![0x8f, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B'];
    report.extend((3 << 18 | ((kilobits * 1000) >> 3)).to_be_bytes());
    room.rtcp(RECEIVER, &report);
}

fn told(room: &mut Room) -> Vec<u64> {
    let rates = room.out.events.drain(..).filter_map(|event| match event {
        Event::Bandwidth { transport: RECEIVER, bits_per_second, .. } => Some(bits_per_second),
        _ => None,
    });
    rates.collect()
}

#[test]
fn many_losses_tell_of_a_way_that_nothing_else_tells_of() {
    let mut room = room(false, true);
    second(&mut room, 0, &[], 0);
    second(&mut room, 1, &[], 1);
    assert!(told(&mut room).is_empty(), "what is lost by chance says nothing");
    second(&mut room, 2, &[], 21);
    let [rate] = told(&mut room)[..] else { panic!() };
    // 1,072 bytes, 50 times a second, less a fifth.
    assert!((330_000..360_000).contains(&rate), "{rate}");
    second(&mut room, 3, &[], 21);
    let [better] = told(&mut room)[..] else { panic!() };
    assert!(better > rate && better < rate * 11 / 10, "{better}");
}

#[test]
fn what_never_came_to_us_is_not_lost_by_the_receivers_way() {
    let mut room = room(false, true);
    second(&mut room, 0, &[], 0);
    let gaps: Vec<u16> = (10..30).collect();
    second(&mut room, 1, &gaps, 20);
    assert!(told(&mut room).is_empty());
    second(&mut room, 2, &gaps, 50);
    // 10 more than were missing, of 30.
    let [rate] = told(&mut room)[..] else { panic!() };
    assert!((170_000..370_000).contains(&rate), "{rate}");
}

#[test]
fn what_came_to_us_late_makes_up_for_no_other_loss() {
    let mut room = room(false, true);
    second(&mut room, 0, &[], 0);
    let gaps: Vec<u16> = (10..30).collect();
    second(&mut room, 1, &gaps, 20);
    for number in gaps {
        let sequence = 1 + SECOND_PACKETS + number;
        let late = vp8(false, sequence, sequence as u8, 0);
        assert_eq!(room.video(0, sequence, 1800 * u32::from(sequence), &late).len(), 1);
    }
    second(&mut room, 2, &[], 20);
    // The 20 have come; so 20 others have not.
    assert_eq!(told(&mut room).len(), 1);
}

#[test]
fn the_smaller_of_remb_and_losses_counts() {
    let mut room = room(false, true);
    second(&mut room, 0, &[], 0);
    remb(&mut room, 400);
    second(&mut room, 1, &[], 0);
    assert_eq!(told(&mut room), [400_000]);
    second(&mut room, 2, &[], 25);
    let [rate] = told(&mut room)[..] else { panic!() };
    assert!(rate < 340_000, "{rate}");
    remb(&mut room, 300);
    room.advance(SECOND);
    remb(&mut room, 900);
    assert_eq!(told(&mut room), [300_000, rate]);
}

#[test]
fn of_who_tells_when_each_packet_came_neither_counts() {
    let mut room = room(true, true);
    for before in 0..3 {
        second(&mut room, before, &[], 25 * u32::from(before));
        remb(&mut room, 100);
    }
    assert!(told(&mut room).is_empty());
}
