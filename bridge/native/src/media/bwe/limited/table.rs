//! Every state at every use, with an estimate of 1 Mbit/s: 325 kbit is the most that can be left
//! unused or used ahead, 260 begin and 162.5 end it.

use super::super::super::interface::MILLISECOND;
use super::*;

const START: Time = SECOND;
const ESTIMATE: f64 = 1e6;

fn state(unused: f64, limited: bool) -> Limited {
    Limited { unused, at: Some(START), since: limited.then_some(0), ended: None }
}

type Make = fn() -> Limited;

const STATES: [(&str, Make); 6] = [
    ("new", Limited::default),
    ("used ahead", || state(-325e3, false)),
    ("used", || state(0.0, false)),
    ("nearly", || state(250e3, false)),
    ("limited", || state(325e3, true)),
    ("hardly any more", || state(170e3, true)),
];

type Happens = fn(&mut Limited);

const EVENTS: [(&str, Happens); 7] = [
    ("a packet", |limited| limited.sent(START, 1_000, ESTIMATE)),
    ("a keyframe", |limited| limited.sent(START, 50_000, ESTIMATE)),
    ("20 ms", |limited| limited.pass(START + 20 * MILLISECOND, ESTIMATE)),
    ("2 s", |limited| limited.pass(START + 2 * SECOND, ESTIMATE)),
    ("2 s and a packet", |limited| limited.sent(START + 2 * SECOND, 1_000, ESTIMATE)),
    ("the estimate falls", |limited| limited.pass(START, ESTIMATE / 10.0)),
    ("the estimate rises", |limited| limited.pass(START, ESTIMATE * 10.0)),
];

/// What is unused, in kbit, and `L` if that is so little that the estimate cannot be judged.
const TABLE: [[&str; EVENTS.len()]; STATES.len()] = [
    ["-8", "-325", "0", "0", "-8", "0", "0"],
    // What was used ahead of another estimate counts for no more than one can use ahead of this.
    ["-325", "-325", "-312", "325L", "317L", "-32", "-325"],
    ["-8", "-325", "13", "325L", "317L", "0", "0"],
    ["242", "-150", "263L", "325L", "317L", "32L", "250"],
    ["317L", "-75", "325L", "325L", "317L", "32L", "325"],
    ["162", "-230", "183L", "325L", "317L", "32L", "170"],
];

#[test]
fn every_use_in_every_state() {
    for ((state, make), row) in STATES.into_iter().zip(TABLE) {
        for ((event, happens), expected) in EVENTS.into_iter().zip(row) {
            let mut limited = make();
            let was = limited.is_limited();
            happens(&mut limited);
            let sign = if limited.is_limited() { "L" } else { "" };
            let found = format!("{}{sign}", (limited.unused / 1e3) as i64);
            assert_eq!(found, expected, "{state}, {event}");
            let now = limited.at.unwrap_or(0);
            let ended = was && !limited.is_limited();
            assert_eq!(limited.was_limited(now, 1), ended || limited.is_limited());
            assert!(!limited.was_limited(now + SECOND, SECOND) || limited.is_limited());
        }
    }
}
