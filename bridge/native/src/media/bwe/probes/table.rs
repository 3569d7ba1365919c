//! Trains in every state at every event, and what every result says.

use super::*;

const START: Time = SECOND;
/// 2 Mbit/s for 20 ms: five packets of 1000 bytes.
const RATE: f64 = 2e6;

/// After so many were asked for, and so many packets of the first one were sent; none: it does
/// not run yet.
fn state(asked: usize, sent: Option<usize>) -> Probes {
    let mut probes = Probes::default();
    (0..asked).for_each(|_| probes.add(RATE));
    if let Some(sent) = sent {
        assert!(probes.due(START).is_some());
        (0..sent).for_each(|_| probes.sent(1000));
    }
    probes
}

type Make = fn() -> Probes;

const STATES: [(&str, Make); 6] = [
    ("idle", || state(0, None)),
    ("waiting", || state(1, None)),
    ("full", || state(4, None)),
    ("running", || state(1, Some(1))),
    ("nearly complete", || state(1, Some(4))),
    ("running, another waits", || state(2, Some(1))),
];

type Happens = fn(&mut Probes) -> Option<Cluster>;

const EVENTS: [(&str, Happens); 8] = [
    ("asked for", |probes| nothing(|| probes.add(RATE))),
    ("at once", |probes| probes.due(START)),
    ("in time", |probes| probes.due(START + 12 * MILLISECOND)),
    ("late", |probes| probes.due(START + 30 * MILLISECOND)),
    ("too late", |probes| probes.due(START + 50 * MILLISECOND)),
    ("a packet", |probes| nothing(|| probes.sent(1000))),
    ("a keyframe", |probes| nothing(|| (0..10).for_each(|_| probes.sent(1000)))),
    ("all is off", |probes| nothing(|| probes.clear())),
];

fn nothing(carry_out: impl FnOnce()) -> Option<Cluster> {
    carry_out();
    None
}

/// The train that wants a packet, `.` for none; the one that runs then, and how many wait.
const TABLE: [(&str, &str); STATES.len()] = [
    ("idle", "..1 ..0 ..0 ..0 ..0 ..0 ..0 ..0"),
    // It begins when it is first asked for a packet, however late that is.
    ("waiting", "..2 110 110 110 110 ..1 ..1 ..0"),
    ("full", "..4 113 113 113 113 ..4 ..4 ..0"),
    // One packet takes 4 ms: the second is due at 4, and 20 later nothing follows any more.
    ("running", ".11 110 110 ..0 ..0 .10 ..0 ..0"),
    ("nearly complete", ".11 .10 110 110 ..0 ..0 ..0 ..0"),
    ("running, another waits", ".12 111 111 220 220 .11 ..1 ..0"),
];

#[test]
fn every_event_in_every_state() {
    for ((state, make), (name, row)) in STATES.into_iter().zip(TABLE) {
        assert_eq!(state, name);
        let row: Vec<_> = row.split(' ').collect();
        assert_eq!(row.len(), EVENTS.len());
        for ((event, happens), expected) in EVENTS.into_iter().zip(row) {
            let mut probes = make();
            let due = happens(&mut probes);
            let id =
                |cluster: Option<Cluster>| cluster.map_or(".".into(), |one| one.id.to_string());
            let runs = probes.train.map(|train| train.cluster);
            let waiting = probes.waiting.iter().flatten().count();
            let found = format!("{}{}{waiting}", id(due), id(runs));
            assert_eq!(found, expected, "{state}, {event}");
            assert_eq!(probes.is_idle(), runs.is_none() && waiting == 0);
        }
    }
}

/// Packets by when they were sent and came (ms), and their sizes; what the last of them says, in
/// kbit/s.
type Story = (&'static str, &'static [(u64, i64, u32)], Option<u32>);

const STORIES: [Story; 13] = [
    ("nothing came", &[], None),
    ("too few", &[(0, 20, 2000), (4, 24, 2000), (8, 28, 2000)], None),
    ("too little", &[(0, 20, 500), (4, 24, 500), (8, 28, 500), (12, 32, 500)], None),
    ("as sent", &[(0, 20, 1000), (4, 24, 1000), (8, 28, 1000), (12, 32, 1000)], Some(2000)),
    (
        "in another order",
        &[(4, 24, 1000), (0, 20, 1000), (12, 32, 1000), (8, 28, 1000)],
        Some(2000),
    ),
    ("nearly as sent", &[(0, 20, 1000), (4, 24, 1000), (8, 28, 1000), (12, 33, 1000)], Some(1846)),
    // Less than what is sent comes through: a little less than that is safe.
    ("held up", &[(0, 20, 1000), (4, 28, 1000), (8, 36, 1000), (12, 44, 1000)], Some(950)),
    ("twice as fast", &[(0, 20, 1000), (4, 22, 1000), (8, 24, 1000), (12, 26, 1000)], Some(2000)),
    ("from a queue", &[(0, 20, 1000), (4, 21, 1000), (8, 22, 1000), (12, 25, 1000)], None),
    ("all at once", &[(0, 20, 1000), (4, 20, 1000), (8, 20, 1000), (12, 20, 1000)], None),
    ("sent at once", &[(0, 20, 1000), (0, 24, 1000), (0, 28, 1000), (0, 32, 1000)], None),
    ("too slowly", &[(0, 20, 1000), (4, 500, 1000), (8, 800, 1000), (12, 1021, 1000)], None),
    ("sent too slowly", &[(0, 20, 1000), (4, 24, 1000), (8, 28, 1000), (1001, 900, 1000)], None),
];

#[test]
fn every_result_says_what_came_through() {
    for (story, packets, expected) in STORIES {
        let mut probes = state(1, Some(4));
        let mut said = None;
        for (sent, arrived, size) in packets {
            let (sent, arrived) = (START + sent * MILLISECOND, arrived * MILLISECOND as i64);
            assert_eq!(probes.arrived(0, sent, arrived, *size), None, "of no train");
            assert_eq!(probes.arrived(9, sent, arrived, *size), None, "of a train to come");
            said = probes.arrived(1, sent, arrived, *size);
        }
        assert_eq!(said.map(|rate| (rate / 1e3).round() as u32), expected, "{story}");
    }
}

/// The results of a train make room for those of the eighth after it.
#[test]
fn results_are_kept_for_the_last_trains() {
    let mut probes = Probes::default();
    let mut now = START;
    for id in 1..=300u64 {
        probes.add(RATE);
        let cluster = probes.due(now).unwrap();
        assert_eq!(u64::from(cluster.id), (id - 1) % 255 + 1, "never 0");
        (0..5).for_each(|_| probes.sent(1000));
        assert!(probes.is_idle());
        now += SECOND;
    }
    let kept = (1..=u8::MAX).filter(|id| probes.results.iter().any(|one| one.id == *id));
    assert_eq!(kept.collect::<Vec<_>>(), (38..=45).collect::<Vec<_>>());
}
