//! When to ask a source for a keyframe: many receivers may want one, the sender hears of it at
//! most once in 300 ms.

use super::interface::{Time, MILLISECOND};

const MIN_INTERVAL: Time = 300 * MILLISECOND;
/// The longest wait before a keyframe that does not come is asked for again.
const MAX_PATIENCE: Time = 3_000 * MILLISECOND;

#[derive(Debug)]
pub struct KeyframeRequests {
    pending: bool,
    asked: Option<Time>,
    patience: Time,
}

impl Default for KeyframeRequests {
    fn default() -> Self {
        KeyframeRequests { pending: false, asked: None, patience: MIN_INTERVAL }
    }
}

impl KeyframeRequests {
    /// Somebody wants one; true if the sender is to be asked now.
    pub fn want(&mut self, now: Time) -> bool {
        self.pending = true;
        self.due(now)
    }

    /// A receiver still waits for one; asks again, each time more patiently.
    pub fn still_waiting(&mut self, now: Time) -> bool {
        match self.asked {
            Some(asked) if now < asked + self.patience => false,
            _ => {
                self.patience = (self.patience * 2).min(MAX_PATIENCE);
                self.want(now)
            }
        }
    }

    /// True if the sender is to be asked now; the request then counts as made.
    pub fn due(&mut self, now: Time) -> bool {
        if !self.pending || self.asked.is_some_and(|asked| now < asked + MIN_INTERVAL) {
            return false;
        }
        self.pending = false;
        self.asked = Some(now);
        true
    }

    /// When to call [`KeyframeRequests::due`].
    pub fn deadline(&self) -> Option<Time> {
        self.pending.then(|| self.asked.map_or(0, |asked| asked + MIN_INTERVAL))
    }

    /// A keyframe came: it serves whoever has asked until now.
    pub fn arrived(&mut self) {
        self.pending = false;
        self.patience = MIN_INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_merged_and_the_last_is_not_lost() {
        let mut requests = KeyframeRequests::default();
        let ms = MILLISECOND;
        assert!(requests.want(0));
        assert!(!requests.want(100 * ms));
        assert!(!requests.want(299 * ms));
        assert_eq!(requests.deadline(), Some(300 * ms));
        assert!(requests.due(300 * ms));
        assert_eq!(requests.deadline(), None);
        assert!(!requests.due(900 * ms));
    }

    #[test]
    fn a_storm_gets_no_more_than_one_in_300_ms() {
        let mut requests = KeyframeRequests::default();
        let asked = (0..10_000).filter(|ms| requests.want(ms * MILLISECOND)).count();
        assert_eq!(asked, 34);
    }

    #[test]
    fn a_keyframe_serves_those_who_asked() {
        let mut requests = KeyframeRequests::default();
        requests.want(0);
        requests.want(100);
        requests.arrived();
        assert_eq!(requests.deadline(), None);
    }

    #[test]
    fn waiting_grows_patient() {
        let mut requests = KeyframeRequests::default();
        let asked: Vec<_> =
            (0..12_000).filter(|ms| requests.still_waiting(ms * MILLISECOND)).collect();
        assert_eq!(asked, [0, 600, 1800, 4200, 7200, 10_200]);
    }

    const MS: Time = MILLISECOND;
    /// The last request was made then, by states that have made one.
    const ASKED: Time = 10_000 * MS;

    /// What was told before, by name.
    fn states() -> [(&'static str, KeyframeRequests); 5] {
        let new = KeyframeRequests::default;
        let mut asked = new();
        asked.want(ASKED);
        let mut pending = new();
        pending.want(ASKED);
        pending.want(ASKED + 100 * MS);
        let mut patient = new();
        for at in [ASKED - 1_800 * MS, ASKED - 1_200 * MS, ASKED] {
            assert!(patient.still_waiting(at));
        }
        let mut served = new();
        served.want(ASKED);
        served.want(ASKED + 100 * MS);
        served.arrived();
        [
            ("new", new()),
            ("asked", asked),
            ("pending", pending),
            ("patient", patient),
            ("served", served),
        ]
    }

    /// For each state and event: whether the sender is asked at once, and in how many
    /// milliseconds after the event again, if somebody waits.
    #[test]
    fn every_event_in_every_state() {
        type Event = fn(&mut KeyframeRequests, Time) -> bool;
        let arrived: Event = |requests, _| {
            requests.arrived();
            false
        };
        let events: [(&str, Event, Time); 9] = [
            ("wanted soon", KeyframeRequests::want, 200),
            ("wanted later", KeyframeRequests::want, 300),
            ("waited for soon", KeyframeRequests::still_waiting, 299),
            ("waited for later", KeyframeRequests::still_waiting, 300),
            ("waited for long", KeyframeRequests::still_waiting, 2_399),
            ("waited for longer", KeyframeRequests::still_waiting, 2_400),
            ("time soon", KeyframeRequests::due, 200),
            ("time later", KeyframeRequests::due, 300),
            ("it comes", arrived, 200),
        ];
        let (no, yes) = ((false, None), (true, None));
        let in_100_ms = (false, Some(100));
        let table = [
            // Who has never asked need not wait.
            ("new", [yes, yes, yes, yes, yes, yes, no, no, no]),
            ("asked", [in_100_ms, yes, no, yes, yes, yes, no, no, no]),
            // Waiting for long is no reason to forget that somebody else has asked.
            ("pending", [in_100_ms, yes, (false, Some(1)), yes, yes, yes, in_100_ms, yes, no]),
            ("patient", [in_100_ms, yes, no, no, no, yes, no, no, no]),
            ("served", [in_100_ms, yes, no, yes, yes, yes, no, no, no]),
        ];
        for ((state, expected), at_state) in table.iter().zip(0..) {
            for ((event, happens, after), (asks, again)) in events.iter().zip(expected) {
                let mut all = states();
                let (name, requests) = &mut all[at_state];
                assert_eq!(name, state);
                let now = ASKED + after * MS;
                let found = happens(requests, now);
                let next = requests.deadline().map(|due| due.saturating_sub(now) / MS);
                assert_eq!((found, next), (*asks, *again), "{state}, {event}");
            }
        }
    }

    /// What is remembered besides: after a keyframe nobody is more patient than at first.
    #[test]
    fn a_keyframe_ends_patience() {
        let [.., (_, mut patient), _] = states();
        patient.arrived();
        assert!(!patient.still_waiting(ASKED + 299 * MS));
        assert!(patient.still_waiting(ASKED + 300 * MS));
    }
}
