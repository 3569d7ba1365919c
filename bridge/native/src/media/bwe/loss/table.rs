//! What every kind of losses makes of the bound in every state.

use super::*;

const KNOWN: f64 = 1e6;

/// The bound is 1 Mbit/s, or was until losses ended.
fn state(state: LossState) -> LossBound {
    let mut bound = LossBound::new(KNOWN);
    bound.state = state;
    bound.rate = KNOWN;
    if state != LossState::Unbounded {
        bound.window_limit = KNOWN * WINDOW_GROWTH;
        bound.window_at = Some(0);
    }
    bound
}

const STATES: [(&str, LossState); 3] = [
    ("unbounded", LossState::Unbounded),
    ("decreasing", LossState::Decreasing),
    ("increasing", LossState::Increasing),
];

struct Report {
    /// Bits a second that are sent, the share that is lost, and what the delay allows.
    sent: f64,
    lost: f64,
    by_delay: f64,
    /// Observations of 300 ms.
    count: usize,
}

const fn report(sent: f64, lost: f64, by_delay: f64) -> Report {
    Report { sent, lost, by_delay, count: OBSERVATIONS }
}

const EVENTS: [(&str, Report); 10] = [
    ("too little is known", Report { count: REQUIRED - 1, ..report(1e6, 0.5, 1e6) }),
    ("nothing is lost", report(1e6, 0.0, 1e6)),
    ("nothing is lost, the delay allows more", report(1e6, 0.0, 4e6)),
    ("little is lost", report(1e6, 0.01, 1e6)),
    ("what the link loses anyway is lost", report(1e6, 0.04, 4e6)),
    ("a tenth is lost", report(1e6, 0.1, 1e6)),
    ("half of twice the bound is lost", report(2e6, 0.5, 2e6)),
    ("most is lost", report(1e6, 0.8, 1e6)),
    ("the delay allows half", report(0.5e6, 0.0, 0.5e6)),
    ("the delay allows half of what is sent", report(1e6, 0.01, 0.5e6)),
];

/// The state from then on, and the rate in kbit/s.
const TABLE: [(&str, &str); STATES.len()] = [
    ("unbounded", "u1000 u1000 u4000 u1000 d1000 d950 d800 d160 u500 u500"),
    // Growth goes in steps of 30 per cent; all that arrives, but for a fifth, may go on.
    ("decreasing", "d1000 u1000 i1300 u1000 d1000 d950 d800 d160 u500 u500"),
    // More is lost than the link explains: no time for more, nor for less.
    ("increasing", "i1000 u1000 i1300 u1000 i1000 d950 d800 d160 u500 u500"),
];

#[test]
fn every_report_in_every_state() {
    for ((name, now), (state_of_row, row)) in STATES.into_iter().zip(TABLE) {
        assert_eq!(name, state_of_row);
        let row: Vec<_> = row.split(' ').collect();
        assert_eq!(row.len(), EVENTS.len());
        for ((event, report), expected) in EVENTS.iter().zip(row) {
            let mut bound = state(now);
            let size = (report.sent * 0.3 / 8.0 / 100.0) as u32;
            let mut rate = 0.0;
            bound.newest_sent = Some(0);
            bound.observed_until = Some(0);
            for number in 1..=report.count as u64 {
                let sent_at = number * 300 * MILLISECOND;
                for packet in 0..100 {
                    bound.packet(sent_at, size, f64::from(packet) < report.lost * 100.0);
                }
                if number == report.count as u64 {
                    let acknowledged = report.sent * (1.0 - report.lost);
                    rate = bound.update(report.by_delay, Some(acknowledged), 30_000.0);
                } else {
                    assert!(bound.observe());
                }
            }
            let letter = match bound.state {
                LossState::Unbounded => 'u',
                LossState::Decreasing => 'd',
                LossState::Increasing => 'i',
            };
            let found = format!("{letter}{}", (rate / 1e3).round());
            assert_eq!(found, expected, "{name}, {event}");
            assert!(rate <= report.by_delay && rate >= 30_000.0, "{name}, {event}");
            if report.count >= REQUIRED {
                let unbounded = bound.state == LossState::Unbounded;
                assert_eq!(unbounded, rate >= report.by_delay, "{name}, {event}");
            }
        }
    }
}
