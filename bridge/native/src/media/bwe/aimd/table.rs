//! The rate in every state, after every judgement of the queue.

use super::*;

const START: Time = SECOND;
const SOON: Time = START + 10 * MILLISECOND;
const LATER: Time = START + 100 * MILLISECOND;
const RTT: Option<Time> = Some(50 * MILLISECOND);

type Make = fn() -> Aimd;

const STATES: [(&str, Make); 4] = [
    ("held", || Aimd::new(1e6)),
    ("growing", || {
        let mut aimd = Aimd::new(1e6);
        aimd.update(START, Usage::Normal, Some(1e6), RTT);
        aimd
    }),
    // Where overuse sets in is known: at 1000 kbit/s, give or take 60.
    ("reduced", || {
        let mut aimd = Aimd::new(2e6);
        aimd.update(START, Usage::Over, Some(1e6), RTT);
        aimd
    }),
    ("near", || {
        let mut aimd = Aimd::new(2e6);
        aimd.update(START, Usage::Over, Some(1e6), RTT);
        aimd.update(START, Usage::Normal, Some(1e6), RTT);
        aimd
    }),
];

type Happens = fn(&mut Aimd);

fn normal(aimd: &mut Aimd, acknowledged: Option<f64>) {
    aimd.update(LATER, Usage::Normal, acknowledged, RTT);
}

fn over(aimd: &mut Aimd, now: Time, acknowledged: Option<f64>) {
    aimd.update(now, Usage::Over, acknowledged, RTT);
}

const EVENTS: [(&str, Happens); 12] = [
    ("normal", |aimd| normal(aimd, Some(1e6))),
    ("normal, nothing known to arrive", |aimd| normal(aimd, None)),
    ("normal, little arrives", |aimd| normal(aimd, Some(0.2e6))),
    ("normal, more than ever arrives", |aimd| normal(aimd, Some(1.2e6))),
    ("over", |aimd| over(aimd, LATER, Some(0.9e6))),
    ("over, nothing known to arrive", |aimd| over(aimd, LATER, None)),
    ("over, more than the rate arrives", |aimd| over(aimd, LATER, Some(2e6))),
    ("over at once", |aimd| over(aimd, SOON, Some(0.9e6))),
    ("over at once, half is lost", |aimd| over(aimd, SOON, Some(0.3e6))),
    ("under", |aimd| {
        aimd.update(LATER, Usage::Under, Some(1e6), RTT);
    }),
    ("a probe shows more", |aimd| aimd.set(LATER, 2e6)),
    ("a probe shows nothing", |aimd| aimd.set(LATER, 1.0)),
];

/// The rate in kbit/s, whether it is held or increases, and `*` if its limit is known.
fn found(aimd: &Aimd) -> String {
    let mode = match aimd.mode {
        Mode::Hold => 'h',
        Mode::Increase => 'i',
    };
    let known = if aimd.capacity.is_some() { "*" } else { "" };
    format!("{}{mode}{known}", (aimd.rate / 1000.0) as u32)
}

const TABLE: [[&str; EVENTS.len()]; STATES.len()] = [
    // After a hold there is no growth yet: only from now on time counts.
    [
        "1000i", "1000i", "1000i", "1000i", "760h*", "500h", "1000h*", "760h*", "250h*", "1000h",
        "2000h", "30h",
    ],
    // By eight per cent a second, but never by half beyond what arrives.
    [
        "1007i", "1007i", "1000i", "1007i", "760h*", "500h", "1000h*", "760h*", "250h*", "1000h",
        "2000i", "30i",
    ],
    // No overuse raises the rate; and one round trip has to pass between two reductions, unless
    // things got worse by far.
    [
        "845i*", "845i*", "845i*", "845i", "760h*", "422h*", "845h*", "845h*", "250h*", "845h*",
        "2000h*", "30h*",
    ],
    // By a packet a response, until more arrives than the limit would let through.
    [
        "848i*", "848i*", "845i*", "851i", "760h*", "422h*", "845h*", "845i*", "250h*", "845h*",
        "2000i*", "30i*",
    ],
];

#[test]
fn every_judgement_in_every_state() {
    for ((state, make), row) in STATES.into_iter().zip(TABLE) {
        for ((event, happens), expected) in EVENTS.into_iter().zip(row) {
            let mut aimd = make();
            happens(&mut aimd);
            assert_eq!(found(&aimd), expected, "{state}, {event}");
        }
    }
}

/// Whatever comes after whatever: the rate stays within bounds, grows by no more than time
/// allows, and an overuse never raises it.
#[test]
fn three_judgements_in_every_order() {
    for (state, make) in STATES {
        for first in EVENTS {
            for second in EVENTS {
                for third in EVENTS {
                    let mut aimd = make();
                    for (event, happens) in [first, second, third] {
                        let before = aimd.rate;
                        happens(&mut aimd);
                        let name = format!("{state}: {}, {}, {}", first.0, second.0, third.0);
                        assert!((MIN_RATE..=MAX_RATE).contains(&aimd.rate), "{name}");
                        if event.starts_with("over") || event == "under" {
                            assert!(aimd.rate <= before, "{name}");
                        } else if event.starts_with("normal") {
                            assert!(aimd.rate <= before * GROWTH && aimd.rate >= before, "{name}");
                        }
                    }
                }
            }
        }
    }
}
