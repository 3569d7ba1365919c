//! The rate at which packets arrive, robust against pauses: of all intervals between arrivals the
//! longest does not count, and what was sent slowly did not arrive faster.

use std::collections::VecDeque;

use super::super::interface::{Time, MILLISECOND, SECOND};

/// Packets of the window, and how long it is.
const LEAST: usize = 20;
const MOST: usize = 500;
const SPAN: i64 = SECOND as i64;
const LONGEST: i64 = 5 * SECOND as i64;
/// Packets without which there is no rate.
const REQUIRED: usize = 10;
/// What counts as just now: so long and so many packets at least.
const RECENT: i64 = 80 * MILLISECOND as i64;
const RECENT_PACKETS: usize = 16;
/// Rates that differ by less are taken for the same.
const ALIKE: f64 = 1.3;
/// Packets that take so much longer to come than to be sent were held up.
const HELD_UP: f64 = 1.1;
/// What comes so much before what had come already does so by another clock.
const SET_BACK: i64 = SECOND as i64;

#[derive(Clone, Copy, Debug)]
struct Packet {
    arrived: i64,
    sent_at: Time,
    size: u32,
}

#[derive(Debug, Default)]
pub struct AcknowledgedRate {
    /// In order of arrival.
    window: VecDeque<Packet>,
    /// When the newest of those that have left the window was sent.
    passed: Time,
}

impl AcknowledgedRate {
    pub fn add(&mut self, sent_at: Time, arrived: i64, size: u32) {
        // By a clock that was set back everything new would be the oldest, and leave at once.
        if self.window.back().is_some_and(|last| last.arrived.saturating_sub(arrived) > SET_BACK) {
            *self = AcknowledgedRate::default();
        }
        self.window.push_back(Packet { arrived, sent_at, size });
        let mut at = self.window.len() - 1;
        while at > 0 && self.window[at - 1].arrived > self.window[at].arrived {
            self.window.swap(at - 1, at);
            at -= 1;
        }
        while self.is_too_long() {
            if let Some(packet) = self.window.pop_front() {
                self.passed = self.passed.max(packet.sent_at);
            }
        }
    }

    fn is_too_long(&self) -> bool {
        let (Some(first), Some(last)) = (self.window.front(), self.window.back()) else {
            return false;
        };
        let span = last.arrived.saturating_sub(first.arrived);
        let count = self.window.len();
        count > MOST || span > LONGEST || (count > LEAST && span > SPAN)
    }

    /// Bits per second; None while too little is known.
    pub fn rate(&self) -> Option<f64> {
        if self.window.len() < REQUIRED {
            return None;
        }
        let (first, last) = (self.window.front()?, self.window.back()?);
        let (mut longest, mut second) = (0, 0);
        let mut before = first.arrived;
        let (mut earliest, mut latest) = (Time::MAX, 0);
        let (mut total, mut sent, mut last_sent, mut count) = (0u64, 0u64, 0, 0);
        for packet in &self.window {
            let gap = packet.arrived - before;
            if gap > longest {
                (longest, second) = (gap, longest);
            } else if gap > second {
                second = gap;
            }
            before = packet.arrived;
            total += u64::from(packet.size);
            // One that was long on its way was sent when the others were not.
            if packet.sent_at < self.passed {
                continue;
            }
            earliest = earliest.min(packet.sent_at);
            if packet.sent_at >= latest {
                (latest, last_sent) = (packet.sent_at, packet.size);
            }
            sent += u64::from(packet.size);
            count += 1;
        }
        if count < REQUIRED {
            return None;
        }
        let arriving = last.arrived - first.arrived - longest + second;
        let sending = latest - earliest;
        let rate =
            |bytes: u64, nanoseconds: u64| bytes as f64 * 8e9 / nanoseconds.max(MILLISECOND) as f64;
        let arrived = rate(total - u64::from(first.size), arriving.max(0) as u64);
        Some(arrived.min(rate(sent - u64::from(last_sent), sending)))
    }

    /// What the way can carry, when a queue has grown: the rate just now, since that of the whole
    /// window lags behind after a fall and a burst; but the latter if they differ by little, since
    /// it is the more exact, or if no more was sent just now than came, since that tells nothing.
    pub fn capacity(&self) -> Option<f64> {
        let rate = self.rate()?;
        let Some((recent, sent)) = self.recent() else {
            return Some(rate);
        };
        let is_exact = (recent..=recent * ALIKE).contains(&rate);
        let says_nothing = sent <= recent * HELD_UP;
        Some(if is_exact || says_nothing { rate.max(recent) } else { recent })
    }

    /// The rates at which packets came just now, and at which these were sent.
    fn recent(&self) -> Option<(f64, f64)> {
        let last = self.window.back()?;
        let (mut total, mut count, mut first) = (0u64, 0, last);
        let (mut earliest, mut latest) = (last.sent_at, last.sent_at);
        for packet in self.window.iter().rev() {
            let span = last.arrived - packet.arrived;
            if span > SPAN || (span > RECENT && count > RECENT_PACKETS) {
                break;
            }
            total += u64::from(packet.size);
            count += 1;
            first = packet;
            earliest = earliest.min(packet.sent_at);
            latest = latest.max(packet.sent_at);
        }
        if count <= REQUIRED {
            return None;
        }
        let bits = (total - u64::from(first.size)) as f64 * 8e9;
        let arriving = (last.arrived - first.arrived).max(MILLISECOND as i64);
        let sending = (latest - earliest).max(MILLISECOND);
        Some((bits / arriving as f64, bits / sending as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = MILLISECOND as i64;

    #[test]
    fn a_steady_stream_has_its_rate_and_a_pause_does_not_lower_it() {
        let mut rate = AcknowledgedRate::default();
        let mut now = 0;
        for number in 0..300i64 {
            now += if number == 150 { 400 * MS } else { 10 * MS };
            rate.add((now - 7 * MS).max(0) as Time, now, 1000);
            if number < 9 {
                assert_eq!(rate.rate(), None);
            }
        }
        let found = rate.rate().unwrap();
        assert!((found - 800_000.0).abs() < 10_000.0, "{found}");
    }

    #[test]
    fn what_arrives_just_now_follows_at_once() {
        let mut rate = AcknowledgedRate::default();
        let mut now = 0;
        for (interval, expected) in [(4, 2e6), (16, 5e5), (4, 2e6)] {
            for _ in 0..(400 / interval) {
                now += interval * MS;
                rate.add(now as Time, now + 20 * MS, 1000);
            }
            let (found, _) = rate.recent().unwrap();
            assert!((found / expected - 1.0).abs() < 0.01, "{found}");
        }
    }

    #[test]
    fn little_that_comes_as_it_was_sent_is_not_what_the_way_can_carry() {
        let mut rate = AcknowledgedRate::default();
        let mut now = 0;
        for (interval, size) in [(16, 1000), (20, 100)] {
            for _ in 0..(400 / interval) {
                now += interval * MS;
                rate.add(now as Time, now + 20 * MS, size);
            }
        }
        assert!(rate.capacity().unwrap() > 250_000.0);
        // The same, but held up: the way carries no more.
        let sent = now as Time;
        for number in 0..20 {
            now += 20 * MS;
            rate.add(sent + number * 5 * MILLISECOND, now + 20 * MS, 100);
        }
        assert!(rate.capacity().unwrap() < 50_000.0);
    }

    #[test]
    fn a_burst_out_of_a_queue_is_not_taken_for_the_rate() {
        let mut rate = AcknowledgedRate::default();
        for number in 0..100i64 {
            let sent = number * 10 * MS;
            // Everything arrives within 100 ms after a second's wait.
            rate.add(sent as Time, 2000 * MS + number * MS, 1000);
        }
        assert!(rate.rate().unwrap() < 850_000.0);
    }

    #[test]
    fn it_holds_a_bounded_number_of_packets() {
        let mut rate = AcknowledgedRate::default();
        for number in 0..10_000 {
            rate.add(number, number as i64, 1000);
            assert!(rate.window.len() <= MOST);
        }
    }
}

#[cfg(test)]
mod table;
