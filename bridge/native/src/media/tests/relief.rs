//! More to do than can be done: whole pictures are left out for a while.

use super::*;

const THIRD: u32 = 12;

/// Packet `part` of two of frame `number` of the lowest encoding.
fn frame(room: &mut Room, number: u16, part: u16, key: bool) -> Vec<Rtp> {
    let (sequence, timestamp) = (1000 + 2 * number + part, u32::from(number) * 3000);
    room.rtp(SENDER, packet(100, 600, sequence, timestamp, part == 1, &vp8(key, number, 1, 0)))
}

fn shown() -> Room {
    let mut room = Room::new();
    for receiver in [RECEIVER, THIRD] {
        room.route(receiver, VIDEO, SLOT, 0);
    }
    assert_eq!(frame(&mut room, 1, 0, true).len(), 2);
    frame(&mut room, 1, 1, true);
    room
}

#[test]
fn the_frame_is_ended_then_nothing_and_after_the_rest_a_keyframe_is_asked_for() {
    let mut room = shown();
    let last = frame(&mut room, 2, 0, false).remove(0);
    room.media.relieve(room.now);
    let plis = room.out.plis().len();
    let end = frame(&mut room, 2, 1, false);
    assert_eq!((end.len(), end[0].sequence), (2, last.sequence.wrapping_add(1)));
    let mut came = 3;
    while room.now < 12 * SECOND - 33 * MS {
        room.advance(33 * MS);
        // Not even with a keyframe: what it begins would not go on.
        assert_eq!(frame(&mut room, came, 0, came == 10), []);
        assert_eq!(frame(&mut room, came, 1, came == 10), []);
        came += 1;
    }
    assert_eq!((room.out.plis().len(), room.out.nacks()), (plis, vec![]), "nothing is missed");
    assert_eq!(room.media.stats().rests, 1);
    room.advance(2 * SECOND);
    assert_eq!(frame(&mut room, came, 0, false), []);
    assert_eq!(room.out.plis().len(), plis + 1);
    frame(&mut room, came, 1, false);
    let again = frame(&mut room, came + 1, 0, true);
    assert_eq!((again.len(), room.out.plis().len()), (2, plis + 1));
    assert_eq!(again[0].sequence, last.sequence.wrapping_add(2), "no gap");
}

#[test]
fn what_was_lost_of_an_ended_frame_still_comes() {
    let mut room = shown();
    let last = frame(&mut room, 3, 0, false).remove(0);
    room.media.relieve(room.now);
    let missed = frame(&mut room, 2, 0, false).remove(0);
    assert_eq!(missed.sequence, last.sequence.wrapping_sub(2));
}

#[test]
fn sound_and_links_to_other_bridges_carry_on() {
    let mut room = shown();
    room.route(RECEIVER, AUDIO, 0x5005, 0);
    room.apply(Command::SetRelay { receiver: THIRD, source: VIDEO, encodings: 1 });
    room.media.relieve(room.now);
    assert_eq!(room.media.stats().rests, 1);
    let to = |sent: Vec<Rtp>| sent.iter().map(|one| one.receiver).collect::<Vec<_>>();
    assert_eq!(to(frame(&mut room, 2, 0, false)), [THIRD]);
    assert_eq!(to(room.rtp(SENDER, packet(111, 500, 1, 0, false, b"sound"))), [RECEIVER]);
    // Nor is there anything to be gained by it.
    let mut room = Room::new();
    room.apply(Command::SetRelay { receiver: THIRD, source: VIDEO, encodings: 1 });
    frame(&mut room, 1, 0, true);
    room.media.relieve(room.now);
    assert_eq!(room.media.stats().rests, 0);
}

#[test]
fn an_eighth_rests_with_each_step_until_all_do() {
    let mut room = Room::new();
    let encoding = |ssrc| Encoding { ssrc, rtx_ssrc: None };
    let sources = (0..40).map(|number| SourceDescription {
        source: 100 + number,
        kind: Kind::Video,
        encodings: vec![encoding(9000 + number)],
    });
    room.apply(Command::SetSources { transport: SENDER, sources: sources.collect() });
    for number in 0..40 {
        room.route(RECEIVER, 100 + number, SLOT + 2 * number, 0);
    }
    let mut picture = 0;
    let mut come = |room: &mut Room, key| {
        picture += 1;
        let all = (0..40).map(|number| {
            let payload = vp8(key, picture, 1, 0);
            let at = u32::from(picture) * 3000;
            room.rtp(SENDER, packet(100, 9000 + number, picture, at, true, &payload)).len()
        });
        all.collect::<Vec<_>>()
    };
    assert_eq!(come(&mut room, true).iter().sum::<usize>(), 40);
    let mut left = Vec::new();
    let mut first = Vec::new();
    for _ in 0..20 {
        room.media.relieve(room.now);
        let seen = come(&mut room, false);
        left.push(seen.iter().sum::<usize>());
        if first.is_empty() {
            first = seen;
        }
    }
    assert_eq!(left[..8], [35, 30, 26, 22, 19, 16, 14, 12]);
    assert_eq!(left[19], 0);
    assert_eq!(room.media.stats().rests, 40);
    // Not the first that there are.
    assert_ne!(first[..5], [0; 5]);
    // They come back one by one.
    let mut back = Vec::new();
    for _ in 0..22 {
        room.advance(200 * MS);
        back.push(come(&mut room, true).iter().sum::<usize>());
    }
    assert_eq!((back[8], back[21]), (0, 40));
    let most = back.windows(2).map(|two| two[1] - two[0]).max();
    assert!(back.is_sorted() && most < Some(15), "{back:?}");
}

#[test]
fn whose_a_packet_is_can_be_told_before_it_is_decrypted() {
    let room = shown();
    let said = |transport, ssrc| {
        let packet = packet(0, ssrc, 0, 0, false, &[]);
        room.media.is_picture(transport, &packet)
    };
    assert!(said(SENDER, 600) && said(SENDER, 702), "and what is sent again");
    assert!(!said(SENDER, 500), "sound");
    assert!(!said(SENDER, 9) && !said(RECEIVER, 600) && !said(99, 600), "nobody's");
    assert!(!room.media.is_picture(SENDER, &[0; 11]));
}
