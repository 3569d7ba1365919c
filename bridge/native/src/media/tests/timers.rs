//! What is done because time has passed: every stretch of time, and every end, in every state of
//! the timers.

use super::*;

/// A packet that says when it was sent to the bridge (5) and, of sound, how loud it is (1).
fn counted(mut packet: Vec<u8>, number: u8, level: Option<u8>) -> Vec<u8> {
    packet[0] |= 0x10;
    let mut extension = vec![0xbe, 0xde, 0, 2, 0x51, 0, number];
    extension.extend(level.map_or([0; 5], |level| [0x10, level, 0, 0, 0]));
    packet.splice(12..12, extension);
    packet
}

fn speak(room: &mut Room) {
    room.rtp(SENDER, counted(packet(111, 500, 1, 960, false, &[1, 2, 3]), 1, Some(20)));
}

fn show(room: &mut Room, sequence: u16) {
    let payload = vp8(sequence == 1, sequence, sequence as u8, 0);
    let timestamp = u32::from(sequence) * 3000;
    room.rtp(SENDER, packet(100, 600, sequence, timestamp, true, &payload));
}

fn with(prepare: fn(&mut Room)) -> Room {
    let mut room = Room::new();
    prepare(&mut room);
    room.out = Collected::default();
    room
}

type Make = fn() -> Room;

const STATES: [(&str, Make); 8] = [
    ("nothing came", Room::new),
    ("sound came", || with(speak)),
    ("a picture came", || with(|room| show(room, 1))),
    ("with a gap", || {
        with(|room| {
            room.route(RECEIVER, VIDEO, SLOT, 0);
            [1, 2, 4].into_iter().for_each(|sequence| show(room, sequence));
        })
    }),
    ("a keyframe was asked for", || with(|room| room.route(RECEIVER, VIDEO, SLOT, 0))),
    ("another one is wanted", || {
        with(|room| {
            room.route(RECEIVER, VIDEO, SLOT, 0);
            room.now += 100 * MS;
            room.route(12, VIDEO, SLOT, 0);
        })
    }),
    ("both", || {
        with(|room| {
            speak(room);
            show(room, 1);
        })
    }),
    ("it has fallen silent", || {
        with(|room| {
            show(room, 1);
            room.advance(5 * SECOND);
        })
    }),
];

type Happens = fn(&mut Room);

const EVENTS: [(&str, Happens); 11] = [
    ("asked ahead of time", |room| room.media.timeout(room.now, &mut room.out)),
    ("10 ms", |room| room.advance(10 * MS)),
    ("50 ms", |room| room.advance(50 * MS)),
    ("120 ms", |room| room.advance(120 * MS)),
    ("250 ms", |room| room.advance(250 * MS)),
    ("600 ms", |room| room.advance(600 * MS)),
    ("5 s", |room| room.advance(5 * SECOND)),
    ("5 s at once", |room| {
        room.now += 5 * SECOND;
        room.media.timeout(room.now, &mut room.out);
    }),
    ("the sources end", |room| {
        room.apply(Command::SetSources { transport: SENDER, sources: vec![] });
        room.advance(5 * SECOND);
    }),
    ("the sender leaves", |room| {
        room.apply(Command::RemoveTransport { transport: SENDER });
        room.advance(5 * SECOND);
    }),
    ("the conference ends", |room| {
        room.apply(Command::RemoveConference { conference: 5 });
        room.advance(5 * SECOND);
    }),
];

/// What was sent: reports of arrivals (`a`) and of reception (`r`), NACKs (`n`), requests for
/// keyframes (`k`); what was told: levels (`l`), silence (`s`), layers (`y`), each with how often;
/// and in how many ms something is due.
fn found(room: &Room) -> String {
    let mut told = std::collections::BTreeMap::new();
    let mut count = |what| *told.entry(what).or_insert(0) += 1;
    for (_, compound) in &room.out.rtcp {
        for packet in rtcp::parse(compound) {
            count(match packet {
                Rtcp::TransportFeedback { .. } => 'a',
                Rtcp::ReceiverReport { .. } => 'r',
                Rtcp::Nack { .. } => 'n',
                Rtcp::Pli { .. } => 'k',
                _ => '?',
            });
        }
    }
    for event in &room.out.events {
        count(match event {
            Event::Levels { .. } => 'l',
            Event::SourceSilent { .. } => 's',
            Event::Layers { .. } => 'y',
            _ => '?',
        });
    }
    let told: String = told.iter().map(|(what, times)| format!("{what}{times}")).collect();
    let due = room.media.next_timeout().map(|at| at.saturating_sub(room.now) / MS);
    format!("{told}@{}", due.map_or("-".into(), |due| due.to_string()))
}

const TABLE: [(&str, &str); STATES.len()] = [
    // Without packets there is nothing to wait for.
    ("nothing came", "@- @- @- @- @- @- @- @- @- @- @-"),
    // Levels after 40 ms, arrivals after 100, a report after 500, silence after 2 s; each of them
    // once, the first two also when the source has ended: what came did come.  Whose transport is
    // gone is sent nothing.
    (
        "sound came",
        "@40 @30 l1@50 a1l1@380 a1l1@250 a1l1r1@1400 a1l1r1s1@- a1l1r1s1@- a1l1@- l1@- @-",
    ),
    // No layers are told of what fell silent meanwhile.
    ("a picture came", "@500 @490 @450 @380 @250 r1@400 r1s1y1@- r1s1@- @- @- @-"),
    // Asked for again and again, ten times; but not who is gone, nor several times at once.
    ("with a gap", "@5 @5 n1@50 n2@60 n3@10 n8r1@60 n10r1s1y1@- n1r1s1@5 @- @- @-"),
    // It is asked for again when packets come that are none, not by time.
    ("a keyframe was asked for", "@- @- @- @- @- @- @- @- @- @- @-"),
    // 300 ms after the one before.
    ("another one is wanted", "@200 @190 @150 @80 k1@- k1@- k1@- k1@- @- @- @-"),
    ("both", "@40 @30 l1@50 a1l1@380 a1l1@250 a1l1r2@400 a1l1r2s2y1@- a1l1r2s2@- a1l1@- l1@- @-"),
    ("it has fallen silent", "@- @- @- @- @- @- @- @- @- @- @-"),
];

#[test]
fn every_stretch_of_time_in_every_state() {
    for ((state, make), (name, row)) in STATES.into_iter().zip(TABLE) {
        assert_eq!(state, name);
        let row: Vec<_> = row.split_whitespace().collect();
        assert_eq!(row.len(), EVENTS.len());
        for ((event, happens), expected) in EVENTS.into_iter().zip(row) {
            let mut room = make();
            happens(&mut room);
            assert_eq!(found(&room), expected, "{state}, {event}");
        }
    }
}
