//! The rate after every packet, whatever came before it.

use super::*;

const MS: i64 = MILLISECOND as i64;
/// When the last packet of every state was sent; it arrived 20 ms later.
const LAST: i64 = 60_000 * MS;

/// So many packets of 1000 bytes each 10 ms: 800 kbit/s.
fn after(count: i64) -> AcknowledgedRate {
    let mut rate = AcknowledgedRate::default();
    for number in (0..count).rev() {
        let sent = LAST - number * 10 * MS;
        rate.add(sent as Time, sent + 20 * MS, 1000);
    }
    rate
}

type Make = fn() -> AcknowledgedRate;

const STATES: [(&str, Make); 5] = [
    ("nothing", AcknowledgedRate::default),
    ("too few", || after(8)),
    ("nearly enough", || after(9)),
    ("enough", || after(50)),
    ("more than a second's", || after(150)),
];

/// When it was sent after the last one, and when it arrived after that (ms).
const EVENTS: [(&str, i64, i64); 8] = [
    ("the next", 10, 10),
    ("one after a pause", 900, 900),
    ("one after a long pause", 6_000, 6_000),
    ("one that was overtaken", -5, -5),
    ("one that took long", -3_000, 10),
    ("one by a clock set forward", 10, 60_010),
    ("one by a clock set back a little", 10, -900),
    ("one by a clock set back", 10, -60_000),
];

/// In kbit/s; `-` for none.
const TABLE: [(&str, [&str; EVENTS.len()]); STATES.len()] = [
    ("nothing", ["-", "-", "-", "-", "-", "-", "-", "-"]),
    ("too few", ["-", "-", "-", "-", "-", "-", "-", "-"]),
    // The longest pause does not count, but nothing was sent then either.
    ("nearly enough", ["800", "73", "-", "900", "24", "-", "800", "-"]),
    ("enough", ["800", "141", "-", "816", "133", "-", "800", "-"]),
    // What took longer than all that is known says nothing about how fast they were sent.
    ("more than a second's", ["800", "141", "-", "808", "800", "-", "800", "-"]),
];

#[test]
fn every_packet_in_every_state() {
    for ((state, make), (name, row)) in STATES.into_iter().zip(TABLE) {
        assert_eq!(state, name);
        for ((event, sent, arrived), expected) in EVENTS.into_iter().zip(row) {
            let mut rate = make();
            rate.add((LAST + sent * MS) as Time, LAST + (20 + arrived) * MS, 1000);
            let found = rate.rate().map_or("-".into(), |rate| format!("{:.0}", rate / 1000.0));
            assert_eq!(found, expected, "{state}, {event}");
            assert_eq!(rate.capacity().is_some(), rate.rate().is_some());
            let window: Vec<_> = rate.window.iter().map(|packet| packet.arrived).collect();
            assert!(window.is_sorted(), "{state}, {event}");
        }
    }
}

/// Where clocks go is nothing to be stuck with: a second later all is new.
#[test]
fn a_clock_that_was_set_is_followed() {
    for (state, make) in STATES {
        for by in [-60_000i64, -4_000, -1_500, -900, 900, 4_000, 60_000] {
            let mut rate = make();
            for number in 1..=300 {
                let sent = LAST + number * 5 * MS;
                rate.add(sent as Time, sent + by * MS, 1000);
            }
            let found = rate.rate().unwrap_or_default();
            assert!((found / 1.6e6 - 1.0).abs() < 0.02, "{state}, {by} ms: {found}");
        }
    }
}
