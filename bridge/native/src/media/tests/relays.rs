//! A link to another bridge carries everything of a source as it came.

use super::*;

fn relay(room: &mut Room, source: u32, encodings: u8) {
    room.apply(Command::SetRelay { receiver: RECEIVER, source, encodings });
}

fn nack(ssrc: u32, number: u16) -> Vec<u8> {
    let mut compound = vec![0x81, 205, 0, 3, 0, 0, 0, 1];
    compound.extend(ssrc.to_be_bytes());
    compound.extend(number.to_be_bytes());
    compound.extend([0, 0]);
    compound
}

fn pli(ssrc: u32) -> Vec<u8> {
    let mut compound = vec![0x81, 206, 0, 2, 0, 0, 0, 1];
    compound.extend(ssrc.to_be_bytes());
    compound
}

#[test]
fn every_encoding_goes_under_its_own_ssrc_from_any_packet_on() {
    let mut room = Room::new();
    relay(&mut room, VIDEO, 0b111);
    assert_eq!(room.out.plis(), [], "the other bridge asks for keyframes itself");
    for encoding in 0..3 {
        let payload = vp8(false, 300 + encoding as u16, 7, 2);
        let sent = room.video(encoding, 1000, 5000 + encoding, &payload);
        assert_eq!(sent.len(), 1);
        assert_eq!((sent[0].ssrc, sent[0].timestamp), (600 + encoding, 5000 + encoding));
        assert_eq!(sent[0].payload, payload, "as it came");
    }
    let first = room.video(1, 1001, 8000, &vp8(true, 301, 8, 0)).remove(0);
    // lost numbers stay lost, padding leaves no gap
    let after = room.video(1, 1003, 14_000, &vp8(false, 303, 10, 2)).remove(0);
    assert_eq!(after.sequence, first.sequence.wrapping_add(2));
    assert_eq!(room.video(1, 1004, 14_000, &[]), []);
    let next = room.video(1, 1005, 17_000, &vp8(false, 304, 11, 1)).remove(0);
    assert_eq!(next.sequence, first.sequence.wrapping_add(3));
}

#[test]
fn encodings_that_nobody_wants_there_do_not_cross() {
    let mut room = Room::new();
    relay(&mut room, VIDEO, 0b001);
    let low = room.video(0, 10, 0, &vp8(true, 1, 1, 0)).remove(0);
    assert_eq!(room.video(2, 10, 0, &vp8(true, 1, 1, 0)), []);
    relay(&mut room, VIDEO, 0b100);
    assert_eq!(room.video(0, 11, 3000, &vp8(false, 2, 2, 0)), []);
    assert_eq!(room.video(2, 11, 3000, &vp8(false, 2, 2, 0)).len(), 1);
    // numbers go on where they were: one that came again would repeat a nonce
    relay(&mut room, VIDEO, 0b101);
    let again = room.video(0, 15, 9000, &vp8(false, 5, 5, 0)).remove(0);
    assert_eq!(again.sequence, low.sequence.wrapping_add(1));
    relay(&mut room, VIDEO, 0);
    assert_eq!(room.video(0, 16, 9000, &vp8(false, 6, 6, 0)), []);
}

#[test]
fn each_stream_is_repaired_by_itself_and_requests_reach_the_sender() {
    let mut room = Room::new();
    relay(&mut room, VIDEO, 0b111);
    let payload = vp8(true, 1, 1, 0);
    let low = room.video(0, 10, 0, &payload).remove(0);
    let high = room.video(2, 20, 0, &vp8(true, 2, 2, 0)).remove(0);
    room.now += 100 * MS;
    let before = room.out.rtp.len();
    room.rtcp(RECEIVER, &nack(602, high.sequence));
    room.rtcp(RECEIVER, &nack(600, low.sequence));
    let repairs = &room.out.rtp[before..];
    assert_eq!(repairs.iter().map(|one| one.ssrc).collect::<Vec<_>>(), [702, 700]);
    assert_eq!(repairs[1].payload[2..], payload[..]);
    room.rtcp(RECEIVER, &pli(601));
    assert_eq!(room.out.plis(), [(SENDER, 600)]);
}

#[test]
fn a_source_that_counts_anew_goes_on_over_the_link() {
    let mut room = Room::new();
    relay(&mut room, VIDEO, 0b001);
    let first = room.video(0, 40_000, 0, &vp8(true, 1, 1, 0)).remove(0);
    assert_eq!(room.video(0, 5, 9, &vp8(true, 1, 1, 0)), []);
    let again = room.video(0, 6, 9, &vp8(true, 1, 1, 0)).remove(0);
    assert_eq!(again.sequence, first.sequence.wrapping_add(1));
}

#[test]
fn audio_crosses_under_its_own_ssrc_and_ends_with_its_receiver() {
    let mut room = Room::new();
    relay(&mut room, AUDIO, 0b1);
    let sent = room.rtp(SENDER, packet(111, 500, 1, 960, false, &[1, 2])).remove(0);
    assert_eq!((sent.receiver, sent.ssrc, sent.timestamp), (RECEIVER, 500, 960));
    room.apply(Command::RemoveRoute { receiver: RECEIVER, source: AUDIO });
    assert_eq!(room.rtp(SENDER, packet(111, 500, 2, 1920, false, &[1, 2])), []);
    relay(&mut room, AUDIO, 0b1);
    room.apply(Command::RemoveTransport { transport: RECEIVER });
    assert_eq!(room.rtp(SENDER, packet(111, 500, 3, 2880, false, &[1, 2])), []);
}
