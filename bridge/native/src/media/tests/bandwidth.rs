//! Receivers that do not tell when each packet came: what they get in its place.

use super::*;

const ABS: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
const ABS_ID: u8 = 3;
const VOICE: u32 = 0x5207;

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
