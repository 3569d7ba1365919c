//! The parts put together: one estimate from delay, loss, probes, and silence.

use super::super::interface::{Time, MILLISECOND, SECOND};
use super::acknowledged::AcknowledgedRate;
use super::aimd::Aimd;
use super::delay::{DelayTrend, Usage};
use super::feedback::{Feedback, REFERENCE_TICKS, TICK};
use super::history::{Arrival, History};
use super::limited::Limited;
use super::loss::{LossBound, LossState};
use super::probes::{Cluster, Probes};
use super::OVERHEAD;

/// Bit/s.
pub const START_RATE: f64 = 1_000_000.0;
pub const MIN_RATE: f64 = 30_000.0;
pub const MAX_RATE: f64 = 30_000_000.0;

/// Frames leave faster than the estimate, or each would be late by its own length; not so much
/// faster that a keyframe alone makes a queue.
const PACING: f64 = 1.2;

/// Multiples of the first estimate that are probed at once, and of a later one.
const FIRST_PROBES: [f64; 2] = [3.0, 6.0];
const FURTHER: f64 = 2.0;
/// While losses limit.
const FURTHER_LOSSY: f64 = 1.5;
/// A probe has succeeded if so much of it came through.
const SUCCESS: f64 = 0.7;
/// No probe goes far beyond what could be used.
const USEFUL: f64 = 1.5;
/// A demand that has grown by this factor is worth a probe.
const MORE: f64 = 1.1;
/// Between probes while more could be used; longer after those that found nothing.
const PROBE_INTERVAL: Time = 3 * SECOND;
const MAX_PROBE_INTERVAL: Time = 6 * SECOND;
/// The first probe is repeated after so long while the receiver has never said anything: it may
/// have come before the receiver could decrypt it, or have been lost.
const UNHEARD_INTERVAL: Time = SECOND;
/// No probe so soon after the queue has grown.
const CALM: Time = 2 * SECOND;
/// A fall below this share of what was known is checked with a probe: at once if less was sent
/// anyway, else when the queue has drained.
const LARGE_FALL: f64 = 0.66;
const FALL_CHECK: f64 = 0.85;
const FALL_WINDOW: Time = 5 * SECOND;
const LIMITED_WINDOW: Time = 3 * SECOND;

/// Without word from the receiver for so long the way is taken to be blocked: half remains, and
/// half of that after each further interval.
const SILENCE: Time = 1_500 * MILLISECOND;
const SILENCE_INTERVAL: Time = SECOND;
const SILENCE_FACTOR: f64 = 0.5;
/// Who was silent for so long, such as a machine that slept or changed its network, begins as
/// somebody new: what was known is out of date, and reports of what waited meanwhile mislead.
const ABSENCE: Time = 5 * SECOND;
/// Packets that were sent into each of these intervals; fewer say nothing.
const SILENT_PACKETS: u32 = 5;

/// Reference times beyond this (34 years) come from a clock that is none: they begin anew, before
/// nanoseconds of them are no numbers any more.
const MAX_REFERENCE: i64 = 1 << 34;

#[derive(Debug)]
pub struct Estimator {
    history: History,
    acknowledged: AcknowledgedRate,
    delay: DelayTrend,
    aimd: Aimd,
    loss: LossBound,
    limited: Limited,
    probes: Probes,
    target: f64,
    rtt: Option<Time>,
    /// Whether the receiver has ever said something that fits.
    is_live: bool,
    /// The last reference time, unwrapped.
    reference: Option<i64>,
    /// The first packet since the receiver was last heard of, and how many followed.
    unanswered: Option<Time>,
    unanswered_packets: u32,
    silenced_at: Option<Time>,
    /// Bit/s that could be used.
    demand: f64,
    /// Bit/s that somebody wants to see go through before they are used.
    trial: f64,
    has_begun: bool,
    /// Probe further if the estimate exceeds this.
    further_from: Option<f64>,
    probe_at: Time,
    probe_interval: Time,
    /// The first probe is repeated then, if nothing was heard.
    again_at: Time,
    again_interval: Time,
    overused_at: Option<Time>,
    before_fall: Option<(Time, f64)>,
    /// What was sent before is not judged any more.
    since: Time,
}

impl Default for Estimator {
    fn default() -> Self {
        Estimator {
            history: History::default(),
            acknowledged: AcknowledgedRate::default(),
            delay: DelayTrend::default(),
            aimd: Aimd::new(START_RATE),
            loss: LossBound::new(START_RATE),
            limited: Limited::default(),
            probes: Probes::default(),
            target: START_RATE,
            rtt: None,
            is_live: false,
            reference: None,
            unanswered: None,
            unanswered_packets: 0,
            silenced_at: None,
            demand: 0.0,
            trial: 0.0,
            has_begun: false,
            further_from: None,
            probe_at: 0,
            probe_interval: PROBE_INTERVAL,
            again_at: 0,
            again_interval: UNHEARD_INTERVAL,
            overused_at: None,
            before_fall: None,
            since: 0,
        }
    }
}

impl Estimator {
    /// The estimate, bit/s; None until the receiver has reported something.
    pub fn estimate(&self) -> Option<f64> {
        self.is_live.then_some(self.target)
    }

    /// The rate at which packets may leave, bit/s.
    pub fn pacing_rate(&self) -> f64 {
        self.target * PACING
    }

    /// Up to which rate the way is to be filled, bit/s; 0 if there is no use in it.
    pub fn padding_rate(&self) -> f64 {
        let calm =
            self.is_live && self.delay.usage() == Usage::Normal && self.silenced_at.is_none();
        match calm {
            true if self.demand > self.target => self.target,
            true => self.trial.min(self.target),
            false => 0.0,
        }
    }

    /// A packet of `size` bytes of RTP goes out now: its number.
    pub fn tag(&mut self, now: Time, ssrc: u32, size: usize, cluster: u8) -> u16 {
        let size = size + OVERHEAD;
        self.limited.sent(now, size, self.target);
        self.unanswered.get_or_insert(now);
        self.unanswered_packets = self.unanswered_packets.saturating_add(1);
        if cluster != 0 {
            self.probes.sent(size);
        }
        self.history.record(now, ssrc, size, cluster)
    }

    /// The probe that wants a packet now.
    pub fn probe(&mut self, now: Time) -> Option<Cluster> {
        self.probes.due(now)
    }

    pub fn is_probing(&self) -> bool {
        !self.probes.is_idle()
    }

    /// Video flows: find out at once what the way can carry, or once the receiver is heard again.
    /// True the first time.
    pub fn begin(&mut self, now: Time) -> bool {
        if self.has_begun || self.silenced_at.is_some() {
            return false;
        }
        self.has_begun = true;
        self.probe_at = now + self.probe_interval;
        self.again_at = now + self.again_interval;
        self.further_from = Some(self.target * FIRST_PROBES[1] * SUCCESS);
        for factor in FIRST_PROBES {
            self.probes.add(self.target * factor);
        }
        true
    }

    /// `demand` bit/s could be used, and `trial` are to be tried out.
    pub fn set_demand(&mut self, now: Time, demand: f64, trial: f64) {
        self.trial = trial;
        if demand > self.target {
            // Also before anything flows: it may be that nothing can, for all that is known.
            self.begin(now);
        }
        if demand > self.demand * MORE {
            self.probe_interval = PROBE_INTERVAL;
            self.probe_at = self.probe_at.min(now);
        }
        self.demand = demand;
    }

    fn add_probe(&mut self, rate: f64) {
        self.probes.add(rate.min(self.demand * USEFUL).min(MAX_RATE));
    }

    /// Something is due by time alone.
    pub fn tick(&mut self, now: Time) {
        self.limited.pass(now, self.target);
        self.fall_silent(now);
        if let Some(due) = self.repeats_at() {
            self.probe_again(now, due);
            return;
        }
        let calm = self.overused_at.is_none_or(|at| now.saturating_sub(at) >= CALM);
        let wanted = self.is_live && self.demand > self.target && self.probes.is_idle();
        if !wanted || now < self.probe_at || !calm || self.silenced_at.is_some() {
            return;
        }
        if self.loss.state == LossState::Decreasing || self.trial > 0.0 {
            return;
        }
        let factor = if self.loss.state == LossState::Increasing { FURTHER_LOSSY } else { FURTHER };
        self.further_from = Some(self.target * factor * SUCCESS);
        self.add_probe(self.target * factor);
        // Until one is found to have helped.
        self.probe_at = now + self.probe_interval;
        self.probe_interval = (self.probe_interval * 2).min(MAX_PROBE_INTERVAL);
    }

    /// When the first probe is repeated, while more could be used than is assumed of a way of
    /// which nothing is known.
    pub fn repeats_at(&self) -> Option<Time> {
        (!self.is_live && self.demand > self.target).then_some(self.again_at)
    }

    fn probe_again(&mut self, now: Time, due: Time) {
        if now >= due && self.probes.is_idle() {
            self.add_probe(self.target * FIRST_PROBES[0]);
            self.again_at = now + self.again_interval;
            self.again_interval = (self.again_interval * 2).min(MAX_PROBE_INTERVAL);
        }
    }

    /// A probe told nothing, for the receiver did not know its stream yet; soon it will.
    fn probe_unheard(&mut self, now: Time) {
        if now >= self.again_at {
            self.again_at = now + self.again_interval;
            self.again_interval = (self.again_interval * 2).min(MAX_PROBE_INTERVAL);
        }
        self.probe_interval = PROBE_INTERVAL;
        self.probe_at = self.probe_at.min(self.again_at);
    }

    fn fall_silent(&mut self, now: Time) {
        let (true, Some(since)) = (self.is_live, self.unanswered) else {
            return;
        };
        if self.unanswered_packets < SILENT_PACKETS {
            return; // what came last may have been lost, and nothing followed
        }
        let patience = SILENCE.max(2 * self.rtt.unwrap_or(0));
        let due = self.silenced_at.map_or(since + patience, |at| at + SILENCE_INTERVAL);
        if now >= due {
            if self.silenced_at.is_none() {
                self.before_fall = Some((now, self.target));
            }
            self.silenced_at = Some(now);
            self.unanswered_packets = 0;
            self.probes.clear();
            self.set_target((self.target * SILENCE_FACTOR).max(MIN_RATE));
            self.aimd.set(now, self.target);
        }
    }

    fn set_target(&mut self, target: f64) {
        self.target = target.clamp(MIN_RATE, MAX_RATE);
    }

    /// Take a report; `arrivals` is room for its packets.  False if none of them is known: then
    /// it is as if the receiver had said nothing.
    pub fn feedback(
        &mut self,
        now: Time,
        report: &Feedback<'_>,
        arrivals: &mut Vec<Arrival>,
    ) -> bool {
        let reference = self.unwrap_reference(report.reference);
        arrivals.clear();
        for (number, arrived) in report.packets() {
            let arrived = arrived.map(|ticks| (reference * REFERENCE_TICKS + ticks) * TICK);
            arrivals.extend(self.history.resolve(number, arrived));
        }
        if arrivals.is_empty() {
            return false;
        }
        self.reference = Some(reference);
        if arrivals.iter().any(|packet| packet.arrived.is_some()) {
            self.heard(now);
        }
        self.is_live = true;
        if self.silenced_at.is_some() {
            return true; // nothing came: no reason to send more, nor to look for it
        }
        arrivals.retain(|packet| packet.sent_at >= self.since);
        if arrivals.is_empty() {
            return true;
        }
        // Losses first, then in order of arrival.
        arrivals.sort_unstable_by_key(|packet| (packet.arrived, packet.sent_at));
        let (mut probed, mut newest) = (None, None);
        self.delay.expect(self.target);
        for packet in arrivals.iter() {
            if packet.unheard {
                if packet.cluster != 0 {
                    self.probe_unheard(now);
                }
                continue;
            }
            if packet.given_up {
                self.loss.came_late(packet.size);
            } else {
                self.loss.packet(packet.sent_at, packet.size, packet.arrived.is_none());
            }
            let Some(arrived) = packet.arrived else {
                continue;
            };
            newest = newest.max(Some(packet.sent_at));
            self.acknowledged.add(packet.sent_at, arrived, packet.size);
            if packet.cluster == 0 {
                // A probe makes a queue of its own; that is what it is for.
                self.delay.add(packet.sent_at, arrived);
            }
            let probe = self.probes.arrived(packet.cluster, packet.sent_at, arrived, packet.size);
            probed = probe.or(probed);
        }
        if let Some(newest) = newest {
            let sample = now.saturating_sub(newest);
            self.rtt = Some(self.rtt.map_or(sample, |rtt| (rtt * 7 + sample) / 8));
        }
        self.combine(now, self.delay.usage(), probed, newest.is_some());
        true
    }

    fn unwrap_reference(&self, reference: u32) -> i64 {
        let Some(last) = self.reference else {
            return i64::from(reference);
        };
        let step = (i64::from(reference) - last) & 0xff_ffff;
        let next = last + if step >= 0x80_0000 { step - 0x100_0000 } else { step };
        if next.abs() > MAX_REFERENCE {
            return i64::from(reference);
        }
        next
    }

    /// The receiver is there.
    fn heard(&mut self, now: Time) {
        let since = self.unanswered.take().unwrap_or(now);
        self.unanswered_packets = 0;
        if self.silenced_at.take().is_none() {
            return;
        }
        if now.saturating_sub(since) >= ABSENCE {
            self.renew(now);
        } else {
            self.check_fall(now);
        }
    }

    /// Begin anew on a way of which nothing is known, with no more than was good before.
    fn renew(&mut self, now: Time) {
        let rate = self.before_fall.take().map_or(START_RATE, |(_, rate)| rate.min(START_RATE));
        self.acknowledged = AcknowledgedRate::default();
        self.delay = DelayTrend::default();
        self.limited = Limited::default();
        self.aimd = Aimd::new(rate);
        self.loss = LossBound::new(rate);
        self.probes.clear();
        self.set_target(rate);
        self.rtt = None;
        self.overused_at = None;
        self.since = now;
        self.has_begun = false;
        if self.demand > self.target {
            self.begin(now);
        }
    }

    /// `came`: whether anything did.
    fn combine(&mut self, now: Time, usage: Usage, probed: Option<f64>, came: bool) {
        let before = self.target;
        let acknowledged = self.acknowledged.rate();
        // One that finds less beside a trial has shared the way with that.
        let counts =
            |rate: &f64| usage != Usage::Over && (self.trial == 0.0 || *rate > self.aimd.rate());
        let by_delay = match probed.filter(counts) {
            Some(rate) => {
                let known = self.aimd.rate().min(acknowledged.unwrap_or(0.0));
                if rate > self.aimd.rate() {
                    self.probe_interval = PROBE_INTERVAL;
                    self.probe_at = now + self.probe_interval;
                }
                self.aimd.set(now, rate.max(known));
                self.aimd.rate()
            }
            None if usage == Usage::Over => {
                self.aimd.update(now, usage, self.acknowledged.capacity(), self.rtt)
            }
            None if came => self.aimd.update(now, usage, acknowledged, self.rtt),
            // That the way has room nobody has said.
            None => self.aimd.rate(),
        };
        let target = self.loss.update(by_delay, acknowledged, MIN_RATE);
        self.set_target(target);
        if usage == Usage::Over {
            self.overused_at = Some(now);
            self.further_from = None;
        }
        if self.target < before * LARGE_FALL {
            self.before_fall = Some((now, before));
        }
        if usage != Usage::Over {
            let calm = self.overused_at.is_none_or(|at| now.saturating_sub(at) >= CALM);
            if calm || self.limited.was_limited(now, LIMITED_WINDOW) {
                self.check_fall(now);
            }
            if self.further_from.is_some_and(|from| self.target > from) {
                self.further_from = Some(self.target * FURTHER * SUCCESS);
                if self.demand > self.target {
                    self.add_probe(self.target * FURTHER);
                }
            }
        }
    }

    /// Find out whether a sudden fall was justified.
    fn check_fall(&mut self, now: Time) {
        let Some((at, before)) = self.before_fall else {
            return;
        };
        if now.saturating_sub(at) > FALL_WINDOW {
            self.before_fall = None;
        } else if self.probes.is_idle() && self.demand > self.target {
            self.before_fall = None;
            self.add_probe(before * FALL_CHECK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Let `estimator` hear that all packets since `first` came as they were sent.
    fn acknowledge(estimator: &mut Estimator, now: Time, first: u16, count: u16) {
        let mut body = vec![0, 0, 0, 9];
        body.extend(first.to_be_bytes());
        body.extend(count.to_be_bytes());
        body.extend(((now / (64 * MILLISECOND)) as u32).to_be_bytes()[1..].iter());
        body.push(0);
        // A run of small deltas, of 10 ms each.
        body.extend((0x2000 | count).to_be_bytes());
        body.extend(vec![40; usize::from(count)]);
        let report = Feedback::parse(&body).unwrap();
        assert!(estimator.feedback(now, &report, &mut Vec::new()));
    }

    #[test]
    fn a_trial_fills_the_way_up_to_what_is_asked_and_is_not_disturbed_by_probes() {
        let mut estimator = Estimator::default();
        assert_eq!(estimator.padding_rate(), 0.0);
        for round in 0..20u64 {
            let now = SECOND + round * 100 * MILLISECOND;
            let numbers: Vec<_> = (0..10)
                .map(|packet| estimator.tag(now + packet * 10 * MILLISECOND, 5, 1200, 0))
                .collect();
            acknowledge(&mut estimator, now + 100 * MILLISECOND, numbers[0], 10);
        }
        let now = 10 * SECOND;
        let target = estimator.estimate().unwrap();
        // What is used is less than what is known to pass: nothing to find out.
        estimator.set_demand(now, 0.9 * target, 0.0);
        assert_eq!(estimator.padding_rate(), 0.0);
        estimator.set_demand(now, 0.9 * target, 0.8 * target);
        assert_eq!(estimator.padding_rate(), 0.8 * target);
        // Never beyond the estimate, and no faster train beside it.
        estimator.set_demand(now, 3.0 * target, 2.0 * target);
        assert_eq!(estimator.padding_rate(), target);
        estimator.probes.clear();
        estimator.tick(now + 10 * SECOND);
        assert!(!estimator.is_probing());
        estimator.set_demand(now, 3.0 * target, 0.0);
        estimator.tick(now + 20 * SECOND);
        assert!(estimator.is_probing());
    }

    #[test]
    fn a_receiver_whose_clock_runs_away_does_no_harm() {
        // Far more than there are steps to the end of the numbers.
        for step in [0x7f_ffffu32, 0x80_0001] {
            let mut estimator = Estimator::default();
            let (mut reference, mut room) = (0u32, Vec::new());
            for at in 1..60_000u64 {
                let now = at * 10 * MILLISECOND;
                let number = estimator.tag(now, 5, 1000, 0);
                reference = reference.wrapping_add(step) & 0xff_ffff;
                let mut body = vec![0, 0, 0, 9];
                body.extend(number.to_be_bytes());
                body.extend([0, 1]);
                body.extend(reference.to_be_bytes()[1..].iter());
                // A run of one small delta.
                body.extend([0, 0x20, 0x01, 4]);
                let report = Feedback::parse(&body).unwrap();
                assert!(estimator.feedback(now, &report, &mut room));
                assert!((MIN_RATE..=MAX_RATE).contains(&estimator.estimate().unwrap()));
            }
        }
    }
}

#[cfg(test)]
mod table;
