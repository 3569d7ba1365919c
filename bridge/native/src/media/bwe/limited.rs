//! Whether less is sent than might be: what arrives then says nothing about the limit.

use super::super::interface::{Time, SECOND};

/// The share of the estimate that has to be used.
const USED: f64 = 0.65;
/// How far (of half a second's worth) use must fall behind, and how far catch up.
const BEGIN: f64 = 0.8;
const END: f64 = 0.5;
const WINDOW: f64 = 0.5;

#[derive(Debug, Default)]
pub struct Limited {
    /// Bits that might have been sent besides.
    unused: f64,
    at: Option<Time>,
    since: Option<Time>,
    ended: Option<Time>,
}

impl Limited {
    pub fn sent(&mut self, now: Time, bytes: usize, estimate: f64) {
        self.pass(now, estimate);
        let most = estimate * USED * WINDOW;
        self.unused = (self.unused - bytes as f64 * 8.0).max(-most);
        self.judge(now, most);
    }

    /// Time has passed.
    pub fn pass(&mut self, now: Time, estimate: f64) {
        let elapsed = now.saturating_sub(self.at.replace(now).unwrap_or(now));
        let most = estimate * USED * WINDOW;
        let more = estimate * USED * elapsed as f64 / SECOND as f64;
        // Both ways: the estimate may have fallen since, and with it what counts.
        self.unused = (self.unused.max(-most) + more).min(most);
        self.judge(now, most);
    }

    fn judge(&mut self, now: Time, most: f64) {
        if self.since.is_none() && self.unused > BEGIN * most {
            self.since = Some(now);
        } else if self.since.is_some() && self.unused < END * most {
            self.since = None;
            self.ended = Some(now);
        }
    }

    pub fn is_limited(&self) -> bool {
        self.since.is_some()
    }

    /// Limited now, or until at most `ago` before.
    pub fn was_limited(&self, now: Time, ago: Time) -> bool {
        self.is_limited() || self.ended.is_some_and(|ended| now.saturating_sub(ended) < ago)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::interface::MILLISECOND;
    use super::*;

    #[test]
    fn a_stream_far_below_the_estimate_is_limited_and_one_near_it_is_not() {
        let mut limited = Limited::default();
        let mut now = 0;
        let mut send = |limited: &mut Limited, bytes| {
            now += 10 * MILLISECOND;
            limited.sent(now, bytes, 1e6);
        };
        (0..200).for_each(|_| send(&mut limited, 1000)); // 800 kbit/s
        assert!(!limited.is_limited());
        (0..200).for_each(|_| send(&mut limited, 250)); // 200 kbit/s
        assert!(limited.is_limited());
        (0..200).for_each(|_| send(&mut limited, 1250));
        assert!(!limited.is_limited());
        assert!(limited.was_limited(2 * SECOND, 10 * SECOND));
    }
}

#[cfg(test)]
mod table;
