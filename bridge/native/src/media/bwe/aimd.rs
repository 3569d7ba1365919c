//! Additive increase, multiplicative decrease of the rate that the delay allows
//! (draft-ietf-rmcat-gcc-02, 5.5).

use super::super::interface::{Time, MILLISECOND, SECOND};
use super::delay::Usage;
use super::estimator::{MAX_RATE, MIN_RATE};

/// What is left of the rate that came through, when the queue has grown.
const BACKOFF: f64 = 0.85;
/// And a little less, bit/s, so that it drains.
const BACKOFF_MARGIN: f64 = 5_000.0;
/// Growth a second while the limit is far.
pub const GROWTH: f64 = 1.08;
pub const LEAST_GROWTH: f64 = 1_000.0;
/// Growth a second near the limit, bit/s, at least.
const LEAST_ADDITION: f64 = 4_000.0;
/// No more than this is known to be possible.
pub const LIMIT_FACTOR: f64 = 1.5;
pub const LIMIT_MARGIN: f64 = 10_000.0;
const DEFAULT_ROUND_TRIP: Time = 200 * MILLISECOND;
/// Between two reductions.
const MIN_REDUCTION: Time = 10 * MILLISECOND;
const MAX_REDUCTION: Time = 200 * MILLISECOND;
const FRAME_RATE: f64 = 30.0;
const PACKET_BITS: f64 = 1200.0 * 8.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Hold,
    Increase,
}

/// Where overuse has set in: mean and deviation, in kbit/s.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    mean: f64,
    variance: f64,
}

impl Capacity {
    const SMOOTHING: f64 = 0.05;

    fn observe(known: Option<Capacity>, rate: f64) -> Capacity {
        let sample = rate / 1000.0;
        let Some(Capacity { mean, variance }) = known else {
            return Capacity { mean: sample, variance: 0.4 };
        };
        let mean = (1.0 - Self::SMOOTHING) * mean + Self::SMOOTHING * sample;
        let error = mean - sample;
        let variance =
            (1.0 - Self::SMOOTHING) * variance + Self::SMOOTHING * error * error / mean.max(1.0);
        Capacity { mean, variance: variance.clamp(0.4, 2.5) }
    }

    fn deviation(self) -> f64 {
        (self.variance * self.mean).sqrt()
    }

    fn contains(self, rate: f64) -> bool {
        (rate / 1000.0 - self.mean).abs() <= 3.0 * self.deviation()
    }

    fn is_below(self, rate: f64) -> bool {
        rate / 1000.0 > self.mean + 3.0 * self.deviation()
    }
}

#[derive(Debug)]
pub struct Aimd {
    rate: f64,
    mode: Mode,
    changed_at: Time,
    reduced_at: Option<Time>,
    capacity: Option<Capacity>,
}

impl Aimd {
    pub fn new(rate: f64) -> Self {
        Aimd { rate, mode: Mode::Hold, changed_at: 0, reduced_at: None, capacity: None }
    }

    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// A probe has shown that this much comes through, or something else bounds the rate.
    pub fn set(&mut self, now: Time, rate: f64) {
        self.rate = rate.clamp(MIN_RATE, MAX_RATE);
        self.changed_at = now;
    }

    /// Whether one more reduction is due, when the queue still grows.
    fn may_reduce(&self, now: Time, acknowledged: Option<f64>, rtt: Option<Time>) -> bool {
        let interval = rtt.unwrap_or(DEFAULT_ROUND_TRIP).clamp(MIN_REDUCTION, MAX_REDUCTION);
        self.reduced_at.is_none_or(|at| now.saturating_sub(at) >= interval)
            || acknowledged.is_some_and(|acknowledged| acknowledged < self.rate / 2.0)
    }

    /// The rate after feedback that was judged `usage`.
    pub fn update(
        &mut self,
        now: Time,
        usage: Usage,
        acknowledged: Option<f64>,
        rtt: Option<Time>,
    ) -> f64 {
        match usage {
            Usage::Over => {
                if self.may_reduce(now, acknowledged, rtt) {
                    self.reduce(now, acknowledged);
                }
            }
            Usage::Under => self.mode = Mode::Hold,
            Usage::Normal => {
                if self.mode == Mode::Hold {
                    self.mode = Mode::Increase;
                    self.changed_at = now;
                }
                self.increase(now, acknowledged, rtt);
            }
        }
        self.rate
    }

    fn reduce(&mut self, now: Time, acknowledged: Option<f64>) {
        let reduced = match acknowledged {
            Some(acknowledged) => {
                let mut reduced = acknowledged * BACKOFF - BACKOFF_MARGIN;
                if reduced > self.rate {
                    if let Some(capacity) = self.capacity {
                        reduced = capacity.mean * 1000.0 * BACKOFF;
                    }
                }
                if self.capacity.is_some_and(|known| {
                    !known.contains(acknowledged) && !known.is_below(acknowledged)
                }) {
                    self.capacity = None;
                }
                self.capacity = Some(Capacity::observe(self.capacity, acknowledged));
                reduced
            }
            None => self.rate / 2.0,
        };
        self.rate = self.rate.min(reduced).max(MIN_RATE);
        self.mode = Mode::Hold;
        self.changed_at = now;
        self.reduced_at = Some(now);
    }

    fn increase(&mut self, now: Time, acknowledged: Option<f64>, rtt: Option<Time>) {
        if let (Some(capacity), Some(acknowledged)) = (self.capacity, acknowledged) {
            if capacity.is_below(acknowledged) {
                self.capacity = None;
            }
        }
        let elapsed = now.saturating_sub(self.changed_at).min(SECOND) as f64 / SECOND as f64;
        self.changed_at = now;
        let limit = acknowledged
            .map_or(f64::INFINITY, |acknowledged| acknowledged * LIMIT_FACTOR + LIMIT_MARGIN);
        if self.rate >= limit {
            return;
        }
        let step = if self.capacity.is_some() {
            self.addition(rtt) * elapsed
        } else {
            (self.rate * (GROWTH.powf(elapsed) - 1.0)).max(LEAST_GROWTH * elapsed)
        };
        self.rate = (self.rate + step).min(limit).min(MAX_RATE);
    }

    /// Growth near the limit, bit/s a second: about a packet per response of the network.
    fn addition(&self, rtt: Option<Time>) -> f64 {
        let frame = self.rate / FRAME_RATE;
        let packet = frame / (frame / PACKET_BITS).ceil().max(1.0);
        let response = 2 * (rtt.unwrap_or(DEFAULT_ROUND_TRIP) + 100 * MILLISECOND);
        (packet * SECOND as f64 / response as f64).max(LEAST_ADDITION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_overuse_it_grows_by_eight_percent_a_second_to_half_above_what_arrives() {
        let mut aimd = Aimd::new(500_000.0);
        for step in 1..=10 {
            aimd.update(step * 100 * MILLISECOND, Usage::Normal, Some(1e6), None);
        }
        assert!((aimd.rate() - 536_000.0).abs() < 4_000.0, "{}", aimd.rate());
        for step in 11..=1000 {
            aimd.update(step * 100 * MILLISECOND, Usage::Normal, Some(1e6), None);
        }
        assert!((aimd.rate() - 1_510_000.0).abs() < 1_000.0);
    }

    #[test]
    fn overuse_leaves_less_than_what_arrived_and_growth_is_slow_from_there() {
        let mut aimd = Aimd::new(2e6);
        aimd.update(SECOND, Usage::Over, Some(1e6), Some(50 * MILLISECOND));
        assert_eq!(aimd.rate(), 845_000.0);
        // At once again: not before the reduction can have had an effect.
        aimd.update(SECOND + MILLISECOND, Usage::Over, Some(0.9e6), Some(50 * MILLISECOND));
        assert_eq!(aimd.rate(), 845_000.0);
        for step in 1..=10 {
            let now = SECOND + step * 100 * MILLISECOND;
            aimd.update(now, Usage::Normal, Some(0.84e6), Some(50 * MILLISECOND));
        }
        assert!(aimd.rate() > 860_000.0 && aimd.rate() < 890_000.0, "{}", aimd.rate());
    }

    #[test]
    fn a_draining_queue_is_left_to_drain() {
        let mut aimd = Aimd::new(1e6);
        aimd.update(SECOND, Usage::Under, Some(1e6), None);
        aimd.update(2 * SECOND, Usage::Under, Some(1e6), None);
        assert_eq!(aimd.rate(), 1e6);
    }
}

#[cfg(test)]
mod table;
