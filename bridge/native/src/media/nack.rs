//! Which packets of an incoming stream to ask for again (RFC 4585, 6.2.1).
//!
//! Wireless senders reorder, so a missing number is asked for only when three newer packets
//! have come or 20 ms have passed.

use super::interface::{Time, MILLISECOND};

const MAX_MISSING: usize = 128;
const PATIENCE: Time = 20 * MILLISECOND;
const REORDERED: u64 = 3;
const MAX_TRIES: u8 = 10;
const MIN_REPEAT: Time = 40 * MILLISECOND;

#[derive(Clone, Copy, Debug)]
struct Missing {
    number: u64,
    found: Time,
    asked: Time,
    tries: u8,
}

#[derive(Debug)]
pub struct Nacks {
    missing: Vec<Missing>,
}

impl Default for Nacks {
    fn default() -> Self {
        Nacks { missing: Vec::with_capacity(MAX_MISSING) }
    }
}

impl Nacks {
    /// Note the `gap` numbers before `number`; false if they are too many to be asked for, so
    /// that only a keyframe helps.
    pub fn skipped(&mut self, now: Time, number: u64, gap: u64) -> bool {
        if gap as usize > MAX_MISSING - self.missing.len().min(MAX_MISSING) {
            self.missing.clear();
            return false;
        }
        for skipped in number - gap..number {
            self.missing.push(Missing { number: skipped, found: now, asked: 0, tries: 0 });
        }
        true
    }

    pub fn arrived(&mut self, number: u64) {
        if let Ok(index) = self.missing.binary_search_by_key(&number, |missing| missing.number) {
            self.missing.remove(index);
        }
    }

    pub fn clear(&mut self) {
        self.missing.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// The numbers to ask for now, through `ask`; also when to look again at the latest.
    pub fn due(
        &mut self,
        now: Time,
        highest: u64,
        rtt: Option<Time>,
        mut ask: impl FnMut(u16),
    ) -> Option<Time> {
        let repeat = rtt.map_or(2 * MIN_REPEAT, |rtt| rtt + rtt / 4).max(MIN_REPEAT);
        let mut next: Option<Time> = None;
        self.missing.retain_mut(|missing| {
            let mut due = match missing.tries {
                0 if highest >= missing.number + REORDERED => now,
                0 => missing.found + PATIENCE,
                _ => missing.asked + repeat,
            };
            if due <= now {
                if missing.tries == MAX_TRIES {
                    return false;
                }
                missing.tries += 1;
                missing.asked = now;
                due = now + repeat;
                ask(missing.number as u16);
            }
            next = Some(next.map_or(due, |next| next.min(due)));
            true
        });
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(nacks: &mut Nacks, at: Time, highest: u64) -> (Vec<u16>, Option<Time>) {
        let mut asked = Vec::new();
        let next = nacks.due(at * MILLISECOND, highest, Some(80 * MILLISECOND), |n| asked.push(n));
        (asked, next.map(|next| next / MILLISECOND))
    }

    #[test]
    fn reordering_is_waited_for() {
        let mut nacks = Nacks::default();
        assert!(nacks.skipped(0, 102, 1));
        assert_eq!(due(&mut nacks, 1, 103), (vec![], Some(20)));
        nacks.arrived(101);
        assert_eq!(due(&mut nacks, 30, 104), (vec![], None));
    }

    #[test]
    fn three_newer_packets_or_20_ms_end_the_patience() {
        let mut nacks = Nacks::default();
        nacks.skipped(0, 102, 1);
        assert_eq!(due(&mut nacks, 1, 104), (vec![101], Some(101)));
        let mut nacks = Nacks::default();
        nacks.skipped(0, 102, 1);
        assert_eq!(due(&mut nacks, 20, 102), (vec![101], Some(120)));
    }

    #[test]
    fn ten_tries_and_no_more() {
        let mut nacks = Nacks::default();
        nacks.skipped(0, 102, 1);
        let asked: usize = (0..40).map(|turn| due(&mut nacks, 100 * turn, 200).0.len()).sum();
        assert_eq!(asked, 10);
        assert!(nacks.is_empty());
    }

    #[test]
    fn a_great_gap_is_given_up() {
        let mut nacks = Nacks::default();
        assert!(nacks.skipped(0, 1000, 100));
        assert!(!nacks.skipped(0, 1100, 29));
        assert!(nacks.is_empty());
    }

    /// One missing number, 101, in every state: not missed, just missed, asked for once, asked
    /// for as often as is tried.
    fn states() -> [(&'static str, Nacks); 4] {
        let missed = || {
            let mut nacks = Nacks::default();
            nacks.skipped(0, 102, 1);
            nacks
        };
        let mut asked = missed();
        assert_eq!(due(&mut asked, 0, 104).0, [101]);
        let mut exhausted = missed();
        for turn in 0..10 {
            assert_eq!(due(&mut exhausted, turn * 100, 104).0, [101]);
        }
        [
            ("whole", Nacks::default()),
            ("missed", missed()),
            ("asked", asked),
            ("exhausted", exhausted),
        ]
    }

    /// For each state and event: whether it is asked for now, and whether it is still missing.
    #[test]
    fn every_event_in_every_state() {
        type Event = fn(&mut Nacks) -> Vec<u16>;
        let events: [(&str, Event); 9] = [
            ("a newer one", |nacks| due(nacks, 19, 103).0),
            ("a third newer one", |nacks| due(nacks, 19, 104).0),
            ("20 ms", |nacks| due(nacks, 20, 102).0),
            ("less than the way takes", |nacks| due(nacks, 99, 200).0),
            ("the time that the way takes", |nacks| due(nacks, 100, 200).0),
            ("a second", |nacks| due(nacks, 1_000, 200).0),
            ("it comes", |nacks| {
                nacks.arrived(101);
                Vec::new()
            }),
            ("another comes", |nacks| {
                nacks.arrived(100);
                Vec::new()
            }),
            ("too many more are missing", |nacks| {
                nacks.skipped(0, 1_000, 129);
                Vec::new()
            }),
        ];
        // `Some` while it is missing, and true if it is asked for.
        let (ask, wait, gone) = (Some(true), Some(false), None);
        let table = [
            ("whole", [gone; 9]),
            ("missed", [wait, ask, ask, ask, ask, ask, gone, wait, gone]),
            ("asked", [wait, wait, wait, wait, ask, ask, gone, wait, gone]),
            // Its last request was made at 900 ms.
            ("exhausted", [wait, wait, wait, wait, wait, gone, gone, wait, gone]),
        ];
        for ((state, row), at_state) in table.iter().zip(0..) {
            for ((event, happens), expected) in events.iter().zip(row) {
                let mut all = states();
                let (name, nacks) = &mut all[at_state];
                assert_eq!(name, state);
                let asked = happens(nacks);
                let found = (!nacks.is_empty()).then_some(asked == [101]);
                assert_eq!(found, *expected, "{state}, {event}");
            }
        }
    }
}
