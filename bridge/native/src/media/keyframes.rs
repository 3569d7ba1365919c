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
}
