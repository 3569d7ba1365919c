//! What real links and hostile participants do: losses at the worst moment, floods, restarts.

use super::*;

/// A retransmission of what `packet` would have been.
fn rtx(encoding: u32, number: u16, original: u16, at: u32, payload: &[u8]) -> Vec<u8> {
    let payload = [&original.to_be_bytes()[..], payload].concat();
    packet(96, 700 + encoding, number, at, true, &payload)
}

fn nack(items: &[(u16, u16)]) -> Vec<u8> {
    let mut compound = vec![0x81, 205, 0, 2 + items.len() as u8, 0, 0, 0, 1];
    compound.extend(SLOT.to_be_bytes());
    for (id, mask) in items {
        compound.extend(id.to_be_bytes());
        compound.extend(mask.to_be_bytes());
    }
    compound
}

#[test]
fn a_late_keyframe_is_begun_with_and_caught_up() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 2);
    room.video(0, 99, 0, &vp8(false, 6, 2, 0));
    // 100 begins the keyframe and is lost; 103 is lost as well; 104 is padding
    let body = [0x80, 0xe0, 0x80, 7, 3, 0, 9];
    assert_eq!(room.video(0, 101, 3000, &body), []);
    assert_eq!(room.video(0, 102, 6000, &vp8(false, 8, 4, 0)), []);
    assert_eq!(room.video(0, 104, 9000, &[]), []);
    assert_eq!(room.video(0, 105, 9000, &vp8(false, 10, 6, 0)), []);
    assert_eq!(room.out.nacks(), [100]);
    let plis = room.out.plis().len();
    room.now += 40 * MS;
    let key = vp8(true, 7, 3, 0);
    let sent = room.rtp(SENDER, rtx(0, 1, 100, 3000, &key));
    let numbers: Vec<_> =
        sent.iter().map(|packet| packet.sequence.wrapping_sub(sent[0].sequence)).collect();
    assert_eq!(numbers, [0, 1, 2, 4]);
    let pictures: Vec<_> = sent.iter().map(|packet| ids(packet).0 - ids(&sent[0]).0).collect();
    assert_eq!(pictures, [0, 0, 1, 3]);
    assert_eq!(sent[3].timestamp, sent[0].timestamp.wrapping_add(6000));
    // what is still missing finds its place, and the stream goes on
    let late = room.rtp(SENDER, rtx(0, 2, 103, 6000, &body)).remove(0);
    assert_eq!(late.sequence, sent[0].sequence + 3);
    let next = room.video(0, 106, 12_000, &vp8(false, 11, 7, 0)).remove(0);
    assert_eq!(next.sequence, sent[0].sequence + 5);
    assert_eq!(room.out.plis().len(), plis, "no second keyframe was asked for");
}

#[test]
fn a_keyframe_that_is_too_late_is_not_begun_with() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    room.video(0, 99, 0, &vp8(false, 6, 2, 0));
    for number in 101..=228 {
        room.video(0, number, 3000, &vp8(false, 7, 3, 0));
    }
    assert_eq!(room.rtp(SENDER, rtx(0, 1, 100, 3000, &vp8(true, 7, 3, 0))), []);
}

#[test]
fn who_is_sent_another_encoding_catches_up_with_the_better_one() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 1);
    room.route(12, VIDEO, SLOT, 0);
    let first = room.video(0, 10, 0, &vp8(true, 1, 1, 0));
    assert_eq!(first.len(), 2);
    room.video(1, 50, 0, &vp8(false, 1, 1, 0));
    room.video(1, 52, 3000, &vp8(false, 3, 3, 0));
    room.now += 20 * MS;
    let sent = room.rtp(SENDER, rtx(1, 9, 51, 3000, &vp8(true, 2, 2, 0)));
    assert_eq!(sent.iter().map(|packet| packet.receiver).collect::<Vec<_>>(), [11, 11]);
    assert_eq!(sent[0].sequence, first[0].sequence + 1);
    assert_eq!(sent[1].sequence, first[0].sequence + 2);
}

#[test]
fn numbers_that_come_again_while_paused_answer_no_request() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    let first = room.video(0, 10, 0, &vp8(true, 1, 1, 0)).remove(0);
    room.route(RECEIVER, VIDEO, SLOT, -1);
    room.video(0, 20_000, 5, &vp8(true, 1, 1, 0));
    room.video(0, 20_001, 5, &vp8(true, 1, 1, 0));
    room.video(0, 10, 7, &vp8(true, 99, 99, 0));
    room.video(0, 11, 7, &vp8(true, 99, 99, 0));
    room.video(0, 10, 7, &vp8(true, 98, 98, 0));
    room.now += SECOND;
    let before = room.out.rtp.len();
    room.rtcp(RECEIVER, &nack(&[(first.sequence, 0)]));
    assert_eq!(room.out.rtp.len(), before);
    assert_eq!(room.media.stats().nack_unanswered, 1);
}

#[test]
fn one_compound_has_so_many_numbers_looked_up_and_no_more() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    room.video(0, 10, 0, &vp8(true, 1, 1, 0));
    let items: Vec<_> = (0..200u16).map(|item| (17 * item, 0xffff)).collect();
    let compound = [nack(&items), nack(&items)].concat();
    room.rtcp(RECEIVER, &compound);
    assert!(room.media.stats().nack_unanswered <= 512);
}

#[test]
fn nobody_makes_the_control_side_busy() {
    let mut room = Room::new();
    room.route(RECEIVER, VIDEO, SLOT, 0);
    room.route(RECEIVER, AUDIO, SLOT + 9, 0);
    room.video(0, 10, 0, &vp8(true, 1, 1, 0));
    room.rtp(SENDER, audio(1, 30));
    room.out.events.clear();
    for step in 0..10_000u16 {
        room.advance(MS / 10);
        let mut key = vp8(true, 1, 1, 0);
        key[12] = step as u8; // another width
        room.video(0, 11 + step, 3000, &key);
        room.rtp(SENDER, audio(2 + step, 30));
        let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 1];
        report.extend(SLOT.to_be_bytes());
        report.extend([0; 20]);
        room.rtcp(RECEIVER, &report);
    }
    let count = |is: fn(&Event) -> bool| room.out.events.iter().filter(|event| is(event)).count();
    assert!(count(|event| matches!(event, Event::SourceActive { .. })) <= 5);
    // Reports are nobody's news.
    let known = |event: &Event| {
        matches!(event, Event::SourceActive { .. } | Event::Levels { .. } | Event::Layers { .. })
    };
    assert_eq!(count(known), room.out.events.len());
    let records = room.out.events.iter().map(|event| match event {
        Event::Levels { records, .. } => records.len() / 12,
        _ => 0,
    });
    assert!(records.sum::<usize>() <= 500);
}
