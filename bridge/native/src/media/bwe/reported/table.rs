//! Every report in every state, while 1 Mbit/s is sent, of which nothing is sound.

use super::*;

const NOW: Time = 100 * SECOND;

fn sending(by_losses: Option<f64>, remb: Option<f64>) -> Reported {
    let rate = Some(1e6);
    Reported { by_losses, remb, rate, judged_at: NOW - SECOND, ..Reported::default() }
}

fn fell(ago: Time) -> Reported {
    Reported { fell_at: Some(NOW - ago), ..sending(Some(800e3), None) }
}

type Make = fn() -> Reported;

const STATES: [(&str, Make); 10] = [
    ("sends nothing", || Reported { rate: None, ..sending(None, None) }),
    ("good", || sending(None, None)),
    ("limited", || sending(Some(800e3), None)),
    ("just limited", || fell(399 * MILLISECOND)),
    ("limited for 400 ms", || fell(400 * MILLISECOND)),
    ("limited for 3 s", || fell(3 * SECOND)),
    ("at the limit of what is known", || sending(Some(1_500e3), None)),
    ("above it", || sending(Some(2_000e3), None)),
    ("by REMB", || sending(None, Some(900e3))),
    ("limited with REMB", || sending(Some(800e3), Some(850e3))),
];

/// Of the second before.
fn report(reported: &mut Reported, packets: i64, lost: i64) {
    reported.losses(Losses { since: NOW - SECOND, packets, lost });
    reported.judge(NOW, Some(100 * MILLISECOND), 0.0);
}

type Happens = fn(&mut Reported);

const EVENTS: [(&str, Happens); 12] = [
    ("no loss", |reported| report(reported, 100, 0)),
    ("what was lost came", |reported| report(reported, 100, -50)),
    ("1 %", |reported| report(reported, 100, 1)),
    ("2 %", |reported| report(reported, 100, 2)),
    ("10 %", |reported| report(reported, 100, 10)),
    ("20 %", |reported| report(reported, 100, 20)),
    ("all", |reported| report(reported, 100, 100)),
    ("more than all", |reported| report(reported, 100, 1 << 40)),
    ("half of 19", |reported| report(reported, 19, 10)),
    ("half of 19 and of another", |reported| {
        report(reported, 19, 10);
        report(reported, 1, 0);
    }),
    ("20 %, after 20 s", |reported| {
        reported.losses(Losses { since: NOW + 19 * SECOND, packets: 100, lost: 20 });
        reported.judge(NOW + 20 * SECOND, None, 0.0);
    }),
    ("no loss, after 20 s", |reported| {
        reported.losses(Losses { since: NOW + 19 * SECOND, packets: 100, lost: 0 });
        reported.judge(NOW + 20 * SECOND, None, 0.0);
    }),
];

/// The estimate in kbit/s, -1 for none.
const TABLE: [[i64; EVENTS.len()]; STATES.len()] = [
    [-1; 12],
    [-1, -1, -1, -1, -1, 900, 500, 500, -1, 750, 900, -1],
    [865, 865, 865, 800, 800, 720, 400, 400, 800, 600, 720, 1275],
    // Reports of the second before tell of what was sent before the fall, too.
    [800, 800, 800, 800, 800, 800, 800, 800, 800, 800, 720, 1275],
    [800, 800, 800, 800, 800, 800, 800, 800, 800, 800, 720, 1275],
    [865, 865, 865, 800, 800, 720, 400, 400, 800, 600, 720, 1275],
    // One and a half of what is sent, and 10 kbit/s.
    [1510, 1510, 1510, 1500, 1500, 900, 500, 500, 1500, 750, 900, 1510],
    [2000, 2000, 2000, 2000, 2000, 900, 500, 500, 2000, 750, 900, 2000],
    [900, 900, 900, 900, 900, 900, 500, 500, 900, 750, 900, 900],
    [850, 850, 850, 800, 800, 720, 400, 400, 800, 600, 720, 850],
];

fn kilobits(reported: &Reported) -> i64 {
    reported.estimate().map_or(-1, |rate| (rate / 1e3) as i64)
}

#[test]
fn every_report_in_every_state() {
    for ((state, make), row) in STATES.into_iter().zip(TABLE) {
        for ((event, happens), expected) in EVENTS.into_iter().zip(row) {
            let mut reported = make();
            happens(&mut reported);
            assert_eq!(kilobits(&reported), expected, "{state}, {event}");
        }
    }
}

#[test]
fn it_falls_once_in_a_round_trip_and_300_milliseconds() {
    for (after, expected) in [(399, 500), (400, 250), (1000, 250)] {
        let mut reported = sending(None, None);
        report(&mut reported, 100, 100);
        assert_eq!(kilobits(&reported), 500);
        reported.losses(Losses { since: NOW, packets: 100, lost: 100 });
        reported.judge(NOW + after * MILLISECOND, Some(100 * MILLISECOND), 0.0);
        assert_eq!(kilobits(&reported), expected, "after {after} ms");
    }
}

#[test]
fn what_waited_for_the_next_fall_is_not_forgotten() {
    let mut reported = sending(None, None);
    report(&mut reported, 100, 100);
    for after in [200, 600] {
        reported.losses(Losses { since: NOW, packets: 100, lost: after / 2 });
        reported.judge(NOW + after as Time * MILLISECOND, Some(100 * MILLISECOND), 0.0);
    }
    // 400 lost of 200 are no more than all.
    assert_eq!(kilobits(&reported), 250);
}

#[test]
fn what_is_sent_is_counted_by_the_second_and_without_sound() {
    let mut reported = Reported::default();
    for packet in 0..150u64 {
        reported.sent(packet * 10 * MILLISECOND, 1250 - OVERHEAD);
    }
    reported.losses(Losses { since: 0, packets: 100, lost: 50 });
    assert!(reported.judge(2 * SECOND, None, 200e3));
    assert_eq!(kilobits(&reported), 600);
}

#[test]
fn no_estimate_is_out_of_bounds() {
    let mut reported = sending(None, None);
    for round in 0..100 {
        reported.losses(Losses { since: NOW + round * SECOND, packets: 100, lost: 100 });
        reported.judge(NOW + round * SECOND, None, 0.0);
    }
    assert_eq!(reported.estimate(), Some(MIN_RATE));
    reported.rate = Some(1e12);
    for round in 100..1000 {
        reported.losses(Losses { since: NOW + round * SECOND, packets: 100, lost: 0 });
        reported.judge(NOW + round * SECOND, None, 0.0);
    }
    assert_eq!(reported.estimate(), Some(MAX_RATE));
    for said in [0, u64::MAX] {
        reported.remb(said);
        assert_eq!(reported.estimate(), Some((said as f64).clamp(MIN_RATE, MAX_RATE)));
    }
}
