//! What every trend means in every state of the detector, and to which group every packet
//! belongs.

use super::*;

const MS: i64 = MILLISECOND as i64;

/// Judged so, with so many groups in a row above the threshold, the last of them rising so fast.
fn state(usage: Usage, count: u32, trend: f64) -> DelayTrend {
    DelayTrend {
        usage,
        over_count: count,
        over_for: (count > 0 || usage == Usage::Over).then_some(5.0 * f64::from(count)),
        trend,
        deltas: MAX_DELTAS,
        threshold_at: Some(0),
        count: 1,
        ..DelayTrend::default()
    }
}

type Make = fn() -> DelayTrend;

const STATES: [(&str, Make); 5] = [
    ("calm", || state(Usage::Normal, 0, 0.0)),
    ("rising", || state(Usage::Normal, 1, 0.1)),
    ("over", || state(Usage::Over, 0, 0.1)),
    ("draining", || state(Usage::Under, 0, -0.1)),
    ("draining, then rising", || state(Usage::Under, 1, 0.1)),
];

/// A trend, its group's time since the one before it, and the queue (ms).
const EVENTS: [(&str, f64, f64, f64); 9] = [
    ("none", 0.0, 10.0, 20.0),
    ("little", 0.04, 10.0, 20.0),
    ("a rise", 0.1, 10.0, 20.0),
    ("a rise after a pause", 0.1, 30.0, 20.0),
    ("a rise that slows down", 0.08, 10.0, 20.0),
    ("a rise of what does not wait", 0.1, 10.0, 0.0),
    ("a rise of less than a packet", 0.1, 10.0, MIN_QUEUE - 0.1),
    ("a fall", -0.1, 10.0, 20.0),
    ("a small fall", -0.04, 10.0, 20.0),
];

const TABLE: [(&str, &str); STATES.len()] = [
    // One group above the threshold is none; two that span 10 ms are, while they rise.
    ("calm", "n0 n0 n1 n1 n1 n1 n1 u0 n0"),
    ("rising", "n0 n0 o0 o0 n2 n2 n2 u0 n0"),
    // What has drained is no overuse any more, though the trend lags behind.
    ("over", "n0 n0 o1 o1 o1 n1 n1 u0 n0"),
    ("draining", "n0 n0 u1 u1 u1 u1 u1 u0 n0"),
    ("draining, then rising", "n0 n0 o0 o0 u2 u2 u2 u0 n0"),
];

#[test]
fn every_trend_in_every_state() {
    for ((state, make), (name, row)) in STATES.into_iter().zip(TABLE) {
        assert_eq!(state, name);
        let row: Vec<_> = row.split(' ').collect();
        assert_eq!(row.len(), EVENTS.len());
        for ((event, trend, sent, queue), expected) in EVENTS.into_iter().zip(row) {
            let mut detector = make();
            detector.accumulated = queue;
            detector.detect(trend, sent, 10 * MS);
            let usage = match detector.usage {
                Usage::Normal => 'n',
                Usage::Over => 'o',
                Usage::Under => 'u',
            };
            let found = format!("{usage}{}", detector.over_count);
            assert_eq!(found, expected, "{state}, {event}");
            assert_eq!(detector.trend, trend);
        }
    }
}

/// Of one group nothing can be said; the trend of few counts for less than that of many.
#[test]
fn the_first_groups_are_not_judged() {
    for (deltas, usage) in [(1, Usage::Normal), (2, Usage::Normal), (40, Usage::Over)] {
        let mut detector = state(Usage::Normal, 1, 0.1);
        (detector.deltas, detector.accumulated) = (deltas, 20.0);
        detector.detect(0.1, 10.0, 0);
        assert_eq!(detector.usage, usage, "{deltas}");
    }
}

/// The threshold follows the trend, faster down than up, and no outlier.
#[test]
fn every_trend_moves_the_threshold() {
    let table = [
        // threshold, modified trend, milliseconds since the last, threshold then
        (12.5, 0.0, 10, 12.5 - 0.039 * 12.5 * 10.0),
        (12.5, 12.5, 10, 12.5),
        (12.5, 22.5, 10, 12.5 + 0.0087 * 10.0 * 10.0),
        (12.5, 27.6, 10, 12.5),
        (12.5, 0.0, 10_000, MIN_THRESHOLD),
        (12.5, 22.5, 10_000, 12.5 + 0.0087 * 10.0 * 100.0),
        (12.5, 22.5, -10, 12.5),
        (6.0, 0.0, 100, MIN_THRESHOLD),
        (599.9, 614.0, 100, MAX_THRESHOLD),
    ];
    for (threshold, modified, elapsed, expected) in table {
        let mut detector = DelayTrend { threshold, threshold_at: Some(0), ..DelayTrend::default() };
        detector.adapt(modified, elapsed * MS);
        assert!((detector.threshold - expected).abs() < 1e-9, "{threshold} {modified} {elapsed}");
        assert_eq!(detector.threshold_at, Some(elapsed * MS));
    }
}

/// A group by when its first and its last packet were sent and arrived (ms).
fn group(first: (i64, i64), last: (i64, i64)) -> DelayTrend {
    let current = Group {
        first_sent: (first.0 * MS) as Time,
        last_sent: (last.0 * MS) as Time,
        first_arrived: first.1 * MS,
        last_arrived: last.1 * MS,
    };
    DelayTrend { current: Some(current), ..DelayTrend::default() }
}

#[test]
fn every_packet_after_every_group() {
    let groups: [(&str, Make); 3] = [
        ("of one", || group((100, 120), (100, 120))),
        ("of a burst", || group((100, 120), (108, 122))),
        ("of a long burst", || group((100, 120), (190, 217))),
    ];
    // When it was sent, after the last packet of the group or after the first, and when it
    // arrived after the last one.  `+`: it belongs to the group, `n`: it begins one, `-`: neither.
    let table = [
        ("sent with the last", 0, None, 3, "+nn"),
        ("sent with the last, held up", 0, None, 40, "+nn"),
        ("sent with the first", 0, Some(0), 1, "+++"),
        ("sent soon after the first", 0, Some(5), 7, "+++"),
        ("sent later, as it came", 6, None, 6, "nnn"),
        ("sent later, of a queue that lets go", 10, None, 1, "+++"),
        ("sent later, of a queue that goes on letting go", 10, None, 5, "++n"),
        ("sent later, a little faster", 10, None, 6, "nnn"),
        ("sent much later, at once", 200, None, 0, "+++"),
        ("sent before the first", 0, Some(-1), 1, "---"),
    ];
    for (packet, after_last, after_first, arrived, row) in table {
        for ((name, make), expected) in groups.into_iter().zip(row.chars()) {
            let mut trend = make();
            let before = trend.current.unwrap();
            let sent = match after_first {
                Some(after) => before.first_sent as i64 + after * MS,
                None => before.last_sent as i64 + after_last * MS,
            };
            trend.add(sent as Time, before.last_arrived + arrived * MS);
            let now = trend.current.unwrap();
            let found = match () {
                () if now.first_sent != before.first_sent => 'n',
                () if trend.previous.is_some() => 'n',
                () if sent < before.first_sent as i64 => '-',
                () => '+',
            };
            assert_eq!(found, expected, "{packet}, group {name}");
            if found == '+' {
                assert_eq!(now.last_arrived, before.last_arrived + arrived * MS);
            }
        }
    }
}

/// Two groups give a delta, unless the clock of the arrivals has jumped.
#[test]
fn every_group_after_every_other() {
    // How much later it arrived than the one before (ms), after so many that were overtaken;
    // `+`: it counts, `-`: not, `r`: everything begins anew.
    let table = [
        (10, "+++"),
        (0, "+++"),
        (-1, "--r"),
        (-60_000, "--r"),
        (3_010, "+++"),
        (3_011, "rrr"),
        (60_000, "rrr"),
    ];
    for (later, row) in table {
        for (reordered, expected) in (0..).zip(row.chars()) {
            let mut trend = group((110, 130 + later), (110, 130 + later));
            trend.previous = group((100, 130), (100, 130)).current;
            trend.reordered = reordered;
            trend.threshold = 50.0;
            trend.add(200 * MILLISECOND, (300 + later) * MS);
            let found = match () {
                () if trend.current.is_none() => 'r',
                () if trend.deltas == 1 => '+',
                () => '-',
            };
            assert_eq!(found, expected, "{later} ms later, {reordered} before");
            assert_eq!(trend.threshold, 50.0, "what is usual is not forgotten");
        }
    }
}
