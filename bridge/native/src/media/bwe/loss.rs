//! The bound that losses set.  Some links lose packets whatever is sent (radio), others because
//! too much is sent; which it is follows from how likely the losses of the last seconds are under
//! each assumption.
//!
//! The model: a packet is lost with the link's own probability, or because more is sent than the
//! candidate for the bandwidth.  Of several candidates the likeliest is taken, and the link's own
//! probability is fitted to each by one step of Newton's method.

use super::super::interface::{Time, MILLISECOND};

const OBSERVATIONS: usize = 15;
const REQUIRED: usize = 3;
const SHORTEST: Time = 250 * MILLISECOND;
/// How much an observation counts compared to the next younger one.
const AGEING: f64 = 0.9;
const FACTORS: [f64; 3] = [1.02, 1.0, 0.95];
const START_INHERENT: f64 = 0.01;
const LEAST_INHERENT: f64 = 0.001;
const NEWTON_STEP: f64 = 0.75;
/// The link's own losses are at most this, plus this many bit/s by the bandwidth: a fast link
/// that loses much is overloaded.
const INHERENT_OFFSET: f64 = 0.05;
const INHERENT_BALANCE: f64 = 100_000.0;
/// Of two equally likely candidates the higher one, unless more than this is lost.
const PREFERENCE_LOSS: f64 = 0.2;
const PREFERENCE_SMOOTHING: f64 = 0.002;
const PREFERENCE: f64 = 0.0002;
const LOG_PREFERENCE: f64 = 0.02;
/// Growth while losses limit: against what arrives, and within one window.
const RAMP: f64 = 1.5;
/// What arrives can be sent, but for this margin to let a queue drain.
const ARRIVES: f64 = 0.8;
const WINDOW_GROWTH: f64 = 1.3;
const WINDOW: Time = 300 * MILLISECOND;

#[derive(Clone, Copy, Debug, Default)]
struct Observation {
    /// In thousands of bytes.
    sent: f64,
    lost: f64,
    /// Bits per second.
    rate: f64,
}

#[derive(Clone, Copy, Debug)]
struct Hypothesis {
    inherent: f64,
    bandwidth: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossState {
    /// Losses set no bound.
    Unbounded,
    Decreasing,
    Increasing,
}

#[derive(Debug)]
pub struct LossBound {
    /// Youngest last.
    observations: [Observation; OBSERVATIONS],
    count: usize,
    partial: Observation,
    newest_sent: Option<Time>,
    observed_until: Option<Time>,
    best: Hypothesis,
    pub state: LossState,
    window_limit: f64,
    window_at: Option<Time>,
    rate: f64,
}

impl LossBound {
    pub fn new(rate: f64) -> Self {
        LossBound {
            observations: [Observation::default(); OBSERVATIONS],
            count: 0,
            partial: Observation::default(),
            newest_sent: None,
            observed_until: None,
            best: Hypothesis { inherent: START_INHERENT, bandwidth: rate },
            state: LossState::Unbounded,
            window_limit: f64::INFINITY,
            window_at: None,
            rate: f64::INFINITY,
        }
    }

    /// One packet of a report.
    pub fn packet(&mut self, sent_at: Time, size: u32, lost: bool) {
        let size = f64::from(size) / 1000.0;
        self.partial.sent += size;
        if lost {
            self.partial.lost += size;
        }
        self.newest_sent = Some(self.newest_sent.map_or(sent_at, |newest| newest.max(sent_at)));
    }

    /// A packet that was taken for lost has come after all.
    pub fn came_late(&mut self, size: u32) {
        let mut size = f64::from(size) / 1000.0;
        let closed = self.observations[..self.count].iter_mut().rev();
        for observation in std::iter::once(&mut self.partial).chain(closed) {
            let part = size.min(observation.lost);
            observation.lost -= part;
            size -= part;
        }
    }

    /// The share that was lost of what the last seconds' observations tell, youngest first.
    pub fn average(&self) -> f64 {
        let (mut sent, mut lost) = (0.0, 0.0);
        self.weighted(|weight, observation| {
            sent += weight * observation.sent;
            lost += weight * observation.lost;
        });
        if sent > 0.0 {
            lost / sent
        } else {
            0.0
        }
    }

    fn weighted(&self, mut each: impl FnMut(f64, &Observation)) {
        let mut weight = 1.0;
        for observation in self.observations[..self.count].iter().rev() {
            each(weight, observation);
            weight *= AGEING;
        }
    }

    /// The bound after a report; `by_delay` is what the delay allows.
    pub fn update(&mut self, by_delay: f64, acknowledged: Option<f64>, least: f64) -> f64 {
        if self.observe() && self.count >= REQUIRED {
            self.estimate(by_delay, acknowledged, least);
        } else if self.state == LossState::Unbounded {
            self.rate = by_delay;
            self.best.bandwidth = by_delay;
        }
        self.rate.min(by_delay)
    }

    /// Close the observation if it is long enough.
    fn observe(&mut self) -> bool {
        let Some(newest) = self.newest_sent else {
            return false;
        };
        let Some(from) = self.observed_until else {
            self.observed_until = Some(newest);
            return false;
        };
        let duration = newest.saturating_sub(from);
        if duration < SHORTEST || self.partial.sent <= 0.0 {
            return false;
        }
        self.observed_until = Some(newest);
        let mut observation = std::mem::take(&mut self.partial);
        observation.rate = observation.sent * 8e12 / duration as f64;
        if self.count == OBSERVATIONS {
            self.observations.copy_within(1.., 0);
            self.count -= 1;
        }
        self.observations[self.count] = observation;
        self.count += 1;
        true
    }

    fn estimate(&mut self, by_delay: f64, acknowledged: Option<f64>, least: f64) {
        let current = self.best;
        let limited = self.state != LossState::Unbounded;
        let grows = self.state == LossState::Increasing;
        let average = self.average();
        let mut best = None;
        let candidates = FACTORS.map(|factor| Some(current.bandwidth * factor));
        let [up, same, down] = candidates;
        for bandwidth in [up, same, down, acknowledged, Some(by_delay)].into_iter().flatten() {
            let bandwidth = if limited { bandwidth.min(self.window_limit) } else { bandwidth };
            let bandwidth = bandwidth.max(least);
            let hypothesis = self.fit(Hypothesis { inherent: current.inherent, bandwidth });
            let score = self.score(hypothesis, average);
            if best.is_none_or(|(known, _)| score > known) {
                best = Some((score, hypothesis));
            }
        }
        let Some((_, mut best)) = best else {
            return;
        };
        if average > best.inherent && best.bandwidth > current.bandwidth {
            // More is lost than the link explains: this is no time for more.
            best.bandwidth = current.bandwidth;
        }
        if let (true, Some(acknowledged)) = (limited, acknowledged) {
            if best.bandwidth > current.bandwidth {
                let bound = best.bandwidth.min(acknowledged * RAMP);
                best.bandwidth = bound.max(current.bandwidth + 1_000.0);
            }
        }
        let floor = acknowledged.map_or(least, |acknowledged| acknowledged * ARRIVES);
        let bounded = best.bandwidth.min(instant_bound(average)).max(floor);
        let bounded = bounded.min(by_delay).max(least);
        best.bandwidth = bounded;
        self.state = if bounded >= by_delay {
            LossState::Unbounded
        } else if limited && (bounded > self.rate || (grows && bounded == self.rate)) {
            LossState::Increasing
        } else {
            LossState::Decreasing
        };
        self.best = best;
        self.rate = bounded;
        if self.state == LossState::Unbounded {
            self.window_limit = f64::INFINITY;
            self.window_at = None;
        } else if self.window_at.is_none_or(|at| self.observed_until >= Some(at + WINDOW)) {
            self.window_limit = bounded * WINDOW_GROWTH;
            self.window_at = self.observed_until;
        }
    }

    /// Fit the link's own loss to the observations.
    fn fit(&self, hypothesis: Hypothesis) -> Hypothesis {
        let (mut first, mut second) = (0.0, 0.0);
        self.weighted(|weight, observation| {
            let lost = probability(hypothesis, observation.rate);
            let received = observation.sent - observation.lost;
            first += weight * (observation.lost / lost - received / (1.0 - lost));
            second -= weight
                * (observation.lost / (lost * lost) + received / ((1.0 - lost) * (1.0 - lost)));
        });
        let inherent = if second < 0.0 {
            hypothesis.inherent - NEWTON_STEP * first / second
        } else {
            hypothesis.inherent
        };
        let most = (INHERENT_OFFSET + INHERENT_BALANCE / hypothesis.bandwidth).min(1.0);
        Hypothesis { inherent: inherent.clamp(LEAST_INHERENT, most), ..hypothesis }
    }

    /// The logarithm of the likelihood, and a preference for more.
    fn score(&self, hypothesis: Hypothesis, average: f64) -> f64 {
        let adjusted = (PREFERENCE_LOSS - average)
            / (PREFERENCE_SMOOTHING + (PREFERENCE_LOSS - average).abs());
        let kilobits = hypothesis.bandwidth / 1000.0;
        let preference =
            adjusted * (PREFERENCE * kilobits + LOG_PREFERENCE * (1.0 + kilobits).ln());
        let mut score = 0.0;
        self.weighted(|weight, observation| {
            let lost = probability(hypothesis, observation.rate);
            let received = observation.sent - observation.lost;
            let likelihood = observation.lost * lost.ln() + received * (1.0 - lost).ln();
            score += weight * (likelihood + preference * observation.sent);
        });
        score
    }
}

/// How likely a packet is lost when this much is sent.
fn probability(hypothesis: Hypothesis, rate: f64) -> f64 {
    let mut lost = hypothesis.inherent;
    if rate > hypothesis.bandwidth {
        lost += (1.0 - lost) * (rate - hypothesis.bandwidth) / rate;
    }
    lost.clamp(1e-6, 1.0 - 1e-6)
}

/// Who loses more than five per cent has no fast link.
fn instant_bound(average: f64) -> f64 {
    if average > INHERENT_OFFSET {
        INHERENT_BALANCE / (average - INHERENT_OFFSET)
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Send at the bound over a link; the bound after `seconds`.
    fn run(seconds: u64, by_delay: f64, mut lost: impl FnMut(f64, u64) -> bool) -> LossBound {
        let mut bound = LossBound::new(by_delay);
        let mut rate = by_delay;
        let (mut now, mut number) = (0u64, 0u64);
        let mut reported = 0;
        while now < seconds * 1_000 * MILLISECOND {
            now += (8e12 / rate) as u64; // a packet of 1000 bytes
            number += 1;
            bound.packet(now, 1000, lost(rate, number));
            if now > reported + 100 * MILLISECOND {
                reported = now;
                rate = bound.update(by_delay, Some(rate * (1.0 - bound.average())), 30_000.0);
            }
        }
        bound
    }

    #[test]
    fn without_losses_there_is_no_bound() {
        let bound = run(10, 2e6, |_, _| false);
        assert_eq!((bound.state, bound.rate), (LossState::Unbounded, 2e6));
    }

    #[test]
    fn losses_of_the_link_itself_are_lived_with() {
        for (every, least) in [(50, 1.9e6), (10, 1.5e6)] {
            let bound = run(30, 2e6, |_, number| number % every == 0);
            assert!(bound.rate > least, "one of {every} lost: {}", bound.rate);
        }
    }

    #[test]
    fn losses_of_an_overload_lower_the_rate_until_they_end() {
        // What exceeds 1 Mbit/s is lost: a link with a policer.
        let mut passed = 0.0;
        let bound = run(30, 3e6, |rate, _| {
            passed += (1e6 / rate).min(1.0);
            if passed >= 1.0 {
                passed -= 1.0;
                false
            } else {
                true
            }
        });
        assert!(bound.rate > 0.75e6 && bound.rate < 1.25e6, "{}", bound.rate);
    }
}

#[cfg(test)]
mod table;
