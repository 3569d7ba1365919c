//! One projection of three encodings in every state, at every packet and every order.

use super::*;
use crate::media::selection::ALL;

const START: Time = 5 * SECOND;
/// The newest sequence number of each encoding.
const NEWEST: [u16; 3] = [1000, 2000, 3000];
const EVERYTHING: Limits = Limits { spatial: ALL, temporal: ALL };
const FLOWING: u8 = 0b111;

fn packet(encoding: u8, ahead: u16, keyframe: bool) -> Incoming {
    Incoming {
        encoding,
        sequence: NEWEST[usize::from(encoding)] + ahead,
        timestamp: 90_000 + u32::from(ahead) * 3000,
        order: Order::Next { gap: 0 },
        keyframe,
        empty: false,
        late_start: false,
        frame: Frame { keyframe, ..Frame::default() },
    }
}

fn limited(max_encoding: i32) -> Projection {
    let mut projection = Projection::video(Numbers::start(7));
    projection.limit(max_encoding, EVERYTHING);
    projection
}

/// A keyframe of `encoding` has been forwarded, the second packet after it, and what was between
/// them is missing.
fn forwarding(encoding: u8, max_encoding: i32) -> Projection {
    let mut projection = limited(2);
    for ahead in [0, 2] {
        let verdict = projection.project(START, &packet(encoding, ahead, ahead == 0), FLOWING);
        assert!(matches!(verdict, Verdict::Forward(_)));
    }
    projection.limit(max_encoding, EVERYTHING);
    projection
}

type Make = fn() -> Projection;

const STATES: [(&str, Make); 6] = [
    ("paused", || forwarding(1, -1)),
    ("waiting", || limited(1)),
    ("low", || forwarding(0, 1)),
    ("best", || forwarding(1, 1)),
    // More than is allowed by now, until there is a keyframe.
    ("beyond", || forwarding(2, 1)),
    ("relay", || {
        let mut projection = Projection::video(Numbers::start(7)).relay(1);
        projection.project(START, &packet(1, 0, false), FLOWING);
        projection.project(START, &packet(1, 2, false), FLOWING);
        projection
    }),
];

type Happens = fn(&mut Projection) -> Option<Verdict>;

fn take(projection: &mut Projection, packet: Incoming, flowing: u8) -> Option<Verdict> {
    Some(projection.project(START + 33 * MILLISECOND, &packet, flowing))
}

const EVENTS: [(&str, Happens); 19] = [
    ("keyframe of 0", |one| take(one, packet(0, 3, true), FLOWING)),
    ("keyframe of 1", |one| take(one, packet(1, 3, true), FLOWING)),
    ("keyframe of 2", |one| take(one, packet(2, 3, true), FLOWING)),
    // What is forwarded has stopped.
    ("keyframe of 0 alone", |one| take(one, packet(0, 3, true), 0b001)),
    ("keyframe of 1 alone", |one| take(one, packet(1, 3, true), 0b010)),
    ("packet of 0", |one| take(one, packet(0, 3, false), FLOWING)),
    ("packet of 1", |one| take(one, packet(1, 3, false), FLOWING)),
    ("packet of 2", |one| take(one, packet(2, 3, false), FLOWING)),
    ("padding of 1", |one| take(one, Incoming { empty: true, ..packet(1, 3, false) }, FLOWING)),
    ("padding with a keyframe of 1", |one| {
        take(one, Incoming { empty: true, ..packet(1, 3, true) }, FLOWING)
    }),
    ("again of 1", |one| take(one, packet(1, 2, false), FLOWING)),
    ("late of 1", |one| take(one, Incoming { order: Order::Late, ..packet(1, 1, false) }, FLOWING)),
    ("late padding of 1", |one| {
        let late = Incoming { order: Order::Late, ..packet(1, 1, false) };
        take(one, Incoming { empty: true, ..late }, FLOWING)
    }),
    ("late beginning of 1", |one| {
        let late = Incoming { order: Order::Late, ..packet(1, 3, true) };
        take(one, Incoming { late_start: true, ..late }, FLOWING)
    }),
    ("pause", |one| order(|| one.limit(-1, EVERYTHING))),
    ("more is allowed", |one| order(|| one.limit(2, EVERYTHING))),
    ("less is allowed", |one| order(|| one.limit(0, EVERYTHING))),
    ("another source", |one| order(|| one.interrupt())),
    ("1 counts anew", |one| order(|| one.restarted(1))),
];

fn order(carry_out: impl FnOnce()) -> Option<Verdict> {
    carry_out();
    None
}

/// `+`: forwarded, `o`: its place is filled, `-`: dropped; and the encoding that is forwarded
/// from then on, `.` for none.
fn found(state: Make, happens: Happens) -> String {
    let mut projection = state();
    let newest = projection.numbers.sequence;
    let verdict = match happens(&mut projection) {
        None => "",
        Some(Verdict::Drop) => "-",
        Some(Verdict::Fill(_)) => "o",
        Some(Verdict::Forward(_)) => "+",
    };
    let step = projection.numbers.sequence.wrapping_sub(newest);
    assert!(step <= 1, "no number is left out or goes back");
    projection.current().map_or(format!("{verdict}."), |current| format!("{verdict}{current}"))
}

/// In the order of the events; the first five are keyframes, the last five orders.
const TABLE: [(&str, &str); STATES.len()] = [
    // What is late has its place as long as it was given one.
    ("paused", "-. -. -. -. -.  -. -. -. -. -. -.  +. o. -.  . . . . ."),
    ("waiting", "+0 +1 -. +0 +1  -. -. -. -. -. -.  -. -. +1  . . . . ."),
    ("low", "+0 +1 -0 +0 +1  +0 -0 -0 -0 -0 -0  -0 -0 +1  . 0 0 . 0"),
    // Senders emit stray keyframes on the lowest encoding.
    ("best", "-1 +1 -1 +0 +1  -1 +1 -1 -1 -1 -1  +1 o1 -1  . 1 1 . ."),
    ("beyond", "+0 +1 +2 +0 +1  -2 -2 +2 -2 -2 -2  -2 -2 +1  . 2 2 . 2"),
    ("relay", "-1 +1 -1 -1 +1  -1 +1 -1 -1 -1 -1  +1 o1 -1  . 1 1 . ."),
];

#[test]
fn every_event_in_every_state() {
    for ((state, make), (name, row)) in STATES.into_iter().zip(TABLE) {
        assert_eq!(state, name);
        let row: Vec<_> = row.split_whitespace().collect();
        assert_eq!(row.len(), EVENTS.len());
        for ((event, happens), expected) in EVENTS.into_iter().zip(row) {
            assert_eq!(found(make, happens), expected, "{state}, {event}");
        }
    }
}

/// What the sender is asked for: a keyframe, unless the best that flows is forwarded.
#[test]
fn every_state_waits_for_what_it_lacks() {
    let expected = [false, true, true, false, true, false];
    for ((state, make), waits) in STATES.into_iter().zip(expected) {
        assert_eq!(make().waits(FLOWING), waits, "{state}");
        assert!(!make().waits(0), "{state}: nothing flows");
    }
}

/// A rest: which of a packet of the newest frame, one of the next, a keyframe, a late packet and
/// late ones of a newer frame are of interest, to who forwards that encoding, before and within.
#[test]
fn every_state_rests() {
    let table = [
        ("paused", "----- -----"),
        ("waiting", "--+++ -----"),
        ("low", "+++++ +--+-"),
        ("best", "+++++ +--+-"),
        ("beyond", "+++++ +--+-"),
        ("relay", "+++++ +++++"),
    ];
    for ((state, make), (name, expected)) in STATES.into_iter().zip(table) {
        assert_eq!(state, name);
        let mut projection = make();
        let encoding = projection.current().unwrap_or(0);
        let late = |ahead| Incoming { order: Order::Late, ..packet(encoding, ahead, false) };
        let packets = [
            Incoming { sequence: NEWEST[usize::from(encoding)] + 3, ..packet(encoding, 2, false) },
            packet(encoding, 3, false),
            packet(encoding, 3, true),
            late(1),
            late(3),
        ];
        let look = |projection: &Projection| {
            let sign = |packet| if projection.considers(packet) { '+' } else { '-' };
            packets.iter().map(sign).collect::<String>()
        };
        let before = look(&projection);
        projection.rest();
        assert_eq!(format!("{before} {}", look(&projection)), expected, "{state}");
        assert!(!projection.waits(FLOWING), "{state}");
        projection.resume();
        let is_relay = projection.is_relay();
        assert_eq!(projection.current().is_some(), is_relay, "{state}: begins with a keyframe");
        assert_eq!(projection.waits(FLOWING), !is_relay && !projection.is_paused(), "{state}");
    }
}
