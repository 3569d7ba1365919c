//! The assembled estimator: every event in every state that its parts make together.

use super::*;

const MS: Time = MILLISECOND;
const START: Time = 10 * SECOND;
const DELAY: Time = 20 * MS;
/// Bytes of RTP: with what is around it 8 kbit.
const SIZE: usize = 1000 - OVERHEAD;
const VIDEO: u32 = 5;
/// A stream of which the receiver has not been told.
const UNKNOWN: u32 = 6;

/// How long after it was sent a packet arrives, by its place among those sent with it.
type Arrives = fn(u64) -> Option<Time>;

const AT_ONCE: Arrives = |_| Some(DELAY);
const NEVER: Arrives = |_| None;

struct Way {
    estimator: Estimator,
    now: Time,
    /// Numbers and times of packets of which the receiver has said nothing.
    sent: Vec<(u16, Time)>,
    /// Packets of which it has said that they came.
    heard: usize,
}

impl Way {
    fn new() -> Self {
        Way { estimator: Estimator::default(), now: START, sent: Vec::new(), heard: 0 }
    }

    fn send(&mut self, ssrc: u32, count: u64, every: Time, cluster: u8) {
        for _ in 0..count {
            self.now += every;
            self.sent.push((self.estimator.tag(self.now, ssrc, SIZE, cluster), self.now));
        }
    }

    /// The receiver speaks of all that was sent; whether it was understood.
    fn report(&mut self, arrives: Arrives) -> bool {
        let sent = std::mem::take(&mut self.sent);
        let places = sent.into_iter().zip(0..);
        let packets: Vec<_> = places
            .map(|((number, at), place)| (number, arrives(place).map(|by| at + by)))
            .collect();
        self.now += DELAY;
        self.say(&packets)
    }

    fn say(&mut self, packets: &[(u16, Option<Time>)]) -> bool {
        let (tick, reference_tick) = (TICK as u64, (TICK * REFERENCE_TICKS) as u64);
        let earliest = packets.iter().filter_map(|(_, at)| *at).min().unwrap_or(self.now);
        let reference = earliest / reference_tick;
        let mut body = vec![0, 0, 0, 9];
        body.extend(packets[0].0.to_be_bytes());
        body.extend((packets.len() as u16).to_be_bytes());
        body.extend(&(reference as u32).to_be_bytes()[1..]);
        body.push(0);
        for (_, at) in packets {
            // A run of one: received with a large delta, or not at all.
            body.extend(if at.is_some() { [0x40, 1] } else { [0, 1] });
        }
        let mut last = (reference * reference_tick / tick) as i64;
        for at in packets.iter().filter_map(|(_, at)| *at) {
            let ticks = (at / tick) as i64;
            body.extend(((ticks - last) as i16).to_be_bytes());
            last = ticks;
        }
        self.heard += packets.iter().filter(|(_, at)| at.is_some()).count();
        let report = Feedback::parse(&body).unwrap();
        self.estimator.feedback(self.now, &report, &mut Vec::new())
    }

    /// So many tenths of a second with `rate` kbit/s, each of them reported.
    fn flow(&mut self, tenths: u64, rate: u64, arrives: Arrives) {
        for _ in 0..tenths {
            let count = rate / 80;
            self.send(VIDEO, count, 100 * MS / count, 0);
            self.report(arrives);
        }
    }

    fn want(&mut self, demand: f64, trial: f64) {
        self.estimator.set_demand(self.now, demand, trial);
    }

    fn tick(&mut self, after: Time) {
        self.now += after;
        self.estimator.tick(self.now);
    }

    /// A train of 2 Mbit/s, whatever else was to be found out.
    fn train(&mut self, arrives: Arrives) {
        self.estimator.probes.clear();
        self.estimator.probes.add(2e6);
        let cluster = self.estimator.probe(self.now).unwrap();
        self.send(VIDEO, 5, 4 * MS, cluster.id);
        self.report(arrives);
    }

    /// Send without an answer until `time` has passed.
    fn in_vain(&mut self, time: Time) {
        let end = self.now + time;
        while self.now < end {
            self.send(VIDEO, 1, 100 * MS, 0);
            self.estimator.tick(self.now);
        }
    }

    fn found(&self) -> String {
        let estimator = &self.estimator;
        let rate =
            estimator.estimate().map_or("-".into(), |rate| format!("{}", (rate / 1e3).round()));
        let probes = if estimator.is_probing() { "p" } else { "" };
        let flag = |is: bool, name: &'static str| if is { name } else { "" };
        format!(
            "{rate}{probes}{}{}{}{}",
            flag(estimator.padding_rate() > 0.0, "+"),
            flag(estimator.before_fall.is_some(), "F"),
            flag(estimator.silenced_at.is_some(), "S"),
            match estimator.loss.state {
                LossState::Unbounded => "",
                LossState::Decreasing => "d",
                LossState::Increasing => "i",
            },
        )
    }
}

type Make = fn() -> Way;

/// Live, with an estimate of about a megabit, of which all is used; what was to be found out has
/// been.
fn live(demand: f64) -> Way {
    let mut way = Way::new();
    way.estimator.begin(way.now);
    way.want(demand, 0.0);
    way.estimator.probes.clear();
    way.flow(20, 960, AT_ONCE);
    way.estimator.probes.clear();
    way.estimator.further_from = None;
    way
}

const MORE_WANTED: f64 = 8e6;
const LESS_WANTED: f64 = 0.5e6;

const STATES: [(&str, Make); 15] = [
    ("new", Way::new),
    ("asked", || {
        let mut way = Way::new();
        way.want(MORE_WANTED, 0.0);
        way
    }),
    ("unheard", || {
        let mut way = Way::new();
        way.want(MORE_WANTED, 0.0);
        way.train(NEVER);
        way
    }),
    ("sound only", || {
        let mut way = Way::new();
        way.flow(10, 80, AT_ONCE);
        way
    }),
    ("content", || live(LESS_WANTED)),
    ("wanting", || live(MORE_WANTED)),
    ("probing", || {
        let mut way = live(MORE_WANTED);
        way.estimator.probes.add(2e6);
        way.estimator.probe(way.now).unwrap();
        way
    }),
    ("limited", || {
        let mut way = live(MORE_WANTED);
        way.flow(20, 160, AT_ONCE);
        way.estimator.probes.clear();
        way
    }),
    ("on trial", || {
        let mut way = live(LESS_WANTED);
        way.want(LESS_WANTED, 0.8e6);
        way
    }),
    ("held by losses", || {
        let mut way = live(MORE_WANTED);
        way.flow(20, 960, |place| (place % 5 > 0).then_some(DELAY));
        way.estimator.probes.clear();
        way
    }),
    ("rising after losses", || {
        let mut way = live(MORE_WANTED);
        way.flow(20, 960, |place| (place % 5 > 0).then_some(DELAY));
        way.flow(30, 960, AT_ONCE);
        way.estimator.probes.clear();
        way
    }),
    ("overusing", || {
        let mut way = live(MORE_WANTED);
        way.flow(2, 960, |place| Some(DELAY + place * 8 * MS));
        way
    }),
    ("fallen", || {
        let mut way = live(MORE_WANTED);
        way.flow(4, 960, |place| Some(DELAY + place * 24 * MS));
        way
    }),
    ("silent", || {
        let mut way = live(MORE_WANTED);
        way.in_vain(1_700 * MS);
        way
    }),
    ("absent", || {
        let mut way = live(MORE_WANTED);
        way.in_vain(6 * SECOND);
        way
    }),
];

type Happens = fn(&mut Way);

const EVENTS: [(&str, Happens); 16] = [
    ("20 ms", |way| way.tick(20 * MS)),
    ("6 s", |way| way.tick(6 * SECOND)),
    ("2 s of packets without a word", |way| way.in_vain(2 * SECOND)),
    ("all comes", |way| way.flow(1, 960, AT_ONCE)),
    ("the queue grows", |way| way.flow(3, 960, |place| Some(DELAY + place * 8 * MS))),
    ("half is lost", |way| way.flow(8, 960, |place| (place % 2 > 0).then_some(DELAY))),
    ("nothing comes", |way| way.flow(8, 960, NEVER)),
    ("of nothing that was sent", |way| {
        let was = way.found();
        assert!(!way.say(&[(60_000, Some(way.now))]));
        assert_eq!(way.found(), was);
    }),
    ("of a stream that is not known yet", |way| {
        way.send(UNKNOWN, 10, 10 * MS, 0);
        way.report(NEVER);
    }),
    ("a train comes whole", |way| way.train(AT_ONCE)),
    ("a train comes slowly", |way| way.train(|place| Some(DELAY + place * 8 * MS))),
    ("a train is lost", |way| way.train(NEVER)),
    ("video begins", |way| _ = way.estimator.begin(way.now)),
    ("more is wanted", |way| way.want(2.0 * MORE_WANTED, 0.0)),
    ("nothing is wanted", |way| way.want(0.0, 0.0)),
    ("a trial", |way| way.want(LESS_WANTED, 0.8e6)),
];

/// The estimate in kbit/s, and whether the way is probed (`p`) and filled (`+`), a fall is to be
/// checked (`F`), the receiver is silent (`S`), and losses bound it, down (`d`) or up (`i`): at
/// first, and after each event.
const TABLE: [(&str, &str, &str); STATES.len()] = [
    // Without word from the receiver there is no estimate, and nothing falls silent.
    ("new", "-", "- - - 1000 1009 1000 1000 - 1000 2000 633F 1000 -p -p - -"),
    // It is filled as soon as anything is known.
    ("asked", "-p", "-p -p -p 1000p+ 1009p+ 1000p+ 1000p+ -p 1000p+ 2000+ 633p+ 1000+ -p -p -p -p"),
    // Reports that nothing came are not silence yet, but let nothing rise.
    (
        "unheard",
        "1000+",
        "1000p+ 500FS 500FS 1000+ 1009+ 1000+ 1000+ 1000+ 1000+ \
         2000+ 633p+ 1000+ 1000+ 1000+ 1000 1000+",
    ),
    (
        "sound only",
        "1077",
        "1077 1077 538FS 1077 582F 253Fi 63Fd 1077 1077 \
         2000 633F 1077 1077p 1077p+ 1077 1077+",
    ),
    // What is not wanted is not looked for.
    (
        "content",
        "1192",
        "1192 1192 596FS 1203 446F 564Fd 644Fd 1192 1192 \
         2000 796 1192 1192 1192+ 1192 1192+",
    ),
    (
        "wanting",
        "1192+",
        "1192p+ 1192p+ 596FS 1203+ 446F 564p+d 644p+d 1192+ 1192+ \
         2000+ 796+ 1192+ 1192+ 1192+ 1192 1192+",
    ),
    (
        "probing",
        "1192p+",
        "1192p+ 1192p+ 596FS 1203p+ 446pF 564p+Fd 644p+Fd 1192p+ 1192p+ \
         2000+ 796+ 1192+ 1192p+ 1192p+ 1192p 1192p+",
    ),
    // What arrives says nothing about the limit: no growth, and no hurry to believe in one.
    (
        "limited",
        "1192+",
        "1192p+ 1192p+ 596FS 1192+ 582F 333p+d 135p+d 1192+ 1192+ \
         2000+ 633p+ 1192+ 1192+ 1192+ 1192 1192+",
    ),
    // A train that finds less has shared the way with the trial.
    (
        "on trial",
        "1192+",
        "1192+ 1192+ 596FS 1203+ 446F 564+Fd 644+Fd 1192+ 1192+ \
         2000+ 1195+ 1192+ 1192+ 1192+ 1192 1192+",
    ),
    // Whatever a train finds; and no train, but for who wants more than ever.
    (
        "held by losses",
        "604+d",
        "604+d 604+d 302FSd 604+d 487 511+d 483+d 604+d 604+d \
         604+d 604+d 604+d 604+d 604+d 604d 604+d",
    ),
    (
        "rising after losses",
        "1209+i",
        "1209p+i 1209p+i 605FSi 1209+i 446F 1067+d 644+d 1209+i 1209+i \
         1209+i 796p+i 1209+i 1209+i 1209+i 1209i 1209+i",
    ),
    // Neither filled nor probed until the queue has drained, and the fall is kept in mind.
    (
        "overusing",
        "446F",
        "446F 446pF 223FS 446+F 450+F 450+Fd 446F 446F 446F \
         446F 446F 446F 446F 446F 446F 446F",
    ),
    (
        "fallen",
        "256F",
        "256F 256pF 128FS 256F 256F 256F 256F 256F 256F \
         256F 256F 256F 256F 256F 256F 256F",
    ),
    // Only what has come ends it, and then the fall is checked; nothing else raises the rate.
    (
        "silent",
        "596FS",
        "596FS 596FS 149FS 596p+ 168p+F 601p+ 596FS 596FS 596FS \
         2000p+ 91pF 596FS 596FS 596FS 596FS 596FS",
    ),
    // As if it were new, but with no more than was good before.
    (
        "absent",
        "37FS",
        "37FS 37FS 30FS 1000p+ 1000p+ 1000p+ 37FS 37FS 37FS \
         1000p+ 1000p+ 37FS 37FS 37FS 37FS 37FS",
    ),
];

#[test]
fn every_event_in_every_state() {
    for ((state, make), (name, begins, row)) in STATES.into_iter().zip(TABLE) {
        assert_eq!(state, name);
        assert_eq!(make().found(), begins, "{state}");
        let row: Vec<_> = row.split_whitespace().collect();
        assert_eq!(row.len(), EVENTS.len());
        for ((event, happens), expected) in EVENTS.into_iter().zip(row) {
            let mut way = make();
            happens(&mut way);
            assert_eq!(way.found(), expected, "{state}, {event}");
        }
    }
}

/// Whatever comes after whatever: the rate stays within bounds and is never forgotten, rises only
/// when something has come (or to what came before), and into silence nothing is sent but what
/// must be.
#[test]
fn two_events_in_every_order() {
    for (state, make) in STATES {
        for first in EVENTS {
            for second in EVENTS {
                let mut way = make();
                for (event, happens) in [first, second] {
                    let name = format!("{state}: {}, {}", first.0, second.0);
                    let (was, was_heard) = (way.estimator.estimate(), way.heard);
                    happens(&mut way);
                    let estimator = &way.estimator;
                    let rate = estimator.target;
                    assert!((MIN_RATE..=MAX_RATE).contains(&rate), "{name}");
                    assert_eq!(estimator.pacing_rate(), rate * PACING);
                    assert!(estimator.padding_rate() <= rate, "{name}");
                    if let Some(was) = was {
                        assert!(estimator.is_live, "{name}");
                        let came = estimator.acknowledged.rate().unwrap_or(0.0);
                        let heard = way.heard > was_heard;
                        assert!(heard || rate <= was.max(came), "{name}: {event}");
                    }
                    if estimator.silenced_at.is_some() {
                        assert_eq!(estimator.padding_rate(), 0.0, "{name}");
                        assert!(!estimator.is_probing(), "{name}");
                    }
                }
            }
        }
    }
}
