//! The way to one receiver: its estimate, its pacer, and what it is padded with.

use super::bwe::feedback::Feedback;
use super::bwe::{Arrival, Estimator, Losses, Reported, OVERHEAD};
use super::interface::{Time, MILLISECOND, SECOND};
use super::pacer::{Pacer, Pressure};

/// Video packets of which the newest are sent again to probe; a power of two.
const RECENT: usize = 16;
/// Padding that may be sent at once: this much time's worth.
const PADDING_BURST: Time = 15 * MILLISECOND;
/// What is sent besides, and above the estimate, takes padding's place for so long at most.
const MAX_SURPLUS: Time = 500 * MILLISECOND;
/// Between two ticks of the estimator, and of one with something in its pacer.
const SLOW: Time = 100 * MILLISECOND;
const FAST: Time = 5 * MILLISECOND;
/// The control side hears of a new estimate so often at most; at once if it fell.
const TELL_INTERVAL: Time = 100 * MILLISECOND;
/// Smaller changes are told after a second.
const TELL_SHARE: f64 = 0.03;
const TELL_ALL: Time = SECOND;

/// A packet that was sent: index of its source, its outgoing SSRC and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recent {
    pub source: usize,
    pub ssrc: u32,
    pub sequence: u16,
}

#[derive(Debug, Default)]
pub struct Leg {
    /// Of a receiver that negotiated transport-wide feedback.
    estimator: Option<Box<Estimator>>,
    /// Of one without that.
    reported: Reported,
    pub pacer: Pacer,
    recent: [Option<Recent>; RECENT],
    newest: usize,
    /// Which of them is sent next.
    turn: usize,
    /// Bits of padding that may be sent; what else is sent takes its place.
    padding: f64,
    padded_at: Option<Time>,
    /// Of padding without content: its own stream.
    pub padding_sequence: u16,
    pub padding_timestamp: u32,
    /// Bits sent that are not video's since a time, and the rate before that.
    besides: f64,
    besides_since: Time,
    besides_rate: f64,
    told: Option<(Time, u64)>,
    due: Option<Time>,
}

/// What should be sent to find out more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling {
    /// Of a probe; 0 is mere padding.
    pub cluster: u8,
}

impl Leg {
    /// The receiver reports transport-wide feedback from now on.  Its numbers are never reset.
    pub fn reports(&mut self, random: u64) {
        if self.estimator.is_none() {
            self.estimator = Some(Box::default());
            self.padding_sequence = (random & 0x7fff) as u16;
            self.padding_timestamp = (random >> 16) as u32;
        }
    }

    /// Whether packets get transport-wide numbers.
    pub fn is_numbered(&self) -> bool {
        self.estimator.is_some()
    }

    /// Number a packet of `size` bytes of the stream that goes out now; 0 if the receiver numbers none.
    pub fn tag(&mut self, now: Time, ssrc: u32, size: usize, cluster: u8) -> u16 {
        self.pacer.sent(size);
        self.padding -= (size + OVERHEAD) as f64 * 8.0;
        match &mut self.estimator {
            Some(estimator) => estimator.tag(now, ssrc, size, cluster),
            None => 0,
        }
    }

    /// A packet of `size` bytes goes out without a number.
    pub fn sent(&mut self, now: Time, size: usize) {
        self.pacer.sent(size);
        self.reported.sent(now, size);
    }

    /// A packet goes out that is not video's.
    pub fn sent_besides(&mut self, size: usize) {
        self.besides += (size + OVERHEAD) as f64 * 8.0;
    }

    /// The rate of those, bit/s.
    pub fn besides(&mut self, now: Time) -> u64 {
        let elapsed = now.saturating_sub(self.besides_since);
        if elapsed >= SECOND {
            let rate = self.besides * SECOND as f64 / elapsed as f64;
            self.besides_rate = (self.besides_rate + rate) / 2.0;
            (self.besides, self.besides_since) = (0.0, now);
        }
        self.besides_rate as u64
    }

    /// Whether a packet of video has to wait.
    pub fn holds(&mut self, now: Time) -> bool {
        let Some(estimator) = self.estimator.as_deref_mut() else {
            return false;
        };
        if estimator.begin(now) {
            self.due = Some(now);
        }
        if estimator.estimate().is_none() {
            return false; // it may never report anything
        }
        self.pacer.refill(now, estimator.pacing_rate());
        !self.pacer.is_open()
    }

    pub fn pressure(&mut self) -> Pressure {
        if self.pacer.is_empty() {
            return Pressure::Free;
        }
        self.pacer.pressure()
    }

    /// A packet with content that can be sent again by RTX.
    pub fn remember(&mut self, recent: Recent) {
        self.newest = (self.newest + 1) % RECENT;
        self.recent[self.newest] = Some(recent);
        self.turn = 0;
    }

    /// The next packet to send again, the newest first, then those before it.
    pub fn repeat(&mut self) -> Option<Recent> {
        let at = (self.newest + RECENT - self.turn) % RECENT;
        self.turn = (self.turn + 1) % RECENT;
        self.recent[at]
    }

    pub fn set_demand(&mut self, now: Time, bits_per_second: u64, trial: u64) {
        if let Some(estimator) = &mut self.estimator {
            estimator.set_demand(now, bits_per_second as f64, trial as f64);
            self.due = Some(now);
        }
    }

    /// Take a report; false if it is about nothing that was sent.
    pub fn feedback(&mut self, now: Time, report: &Feedback<'_>, room: &mut Vec<Arrival>) -> bool {
        self.estimator.as_mut().is_some_and(|one| one.feedback(now, report, room))
    }

    /// REMB counts only from those that have nothing better; so do reports of losses.
    pub fn remb(&mut self, bits_per_second: u64) {
        self.reported.remb(bits_per_second);
    }

    /// What the receiver says has been lost of one stream, see [`Leg::judge`].
    pub fn losses(&mut self, losses: Losses) {
        self.reported.losses(losses);
    }

    /// A report has been taken.  True if that may have changed the estimate.
    pub fn judge(&mut self, now: Time, rtt: Option<Time>) -> bool {
        if self.estimator.is_some() {
            return false;
        }
        let besides = self.besides(now) as f64;
        self.reported.judge(now, rtt, besides)
    }

    /// Bits per second; None if nothing is known.
    pub fn estimate(&self) -> Option<u64> {
        let rate = match &self.estimator {
            Some(estimator) => estimator.estimate(),
            None => self.reported.estimate(),
        };
        rate.map(|rate| rate as u64)
    }

    /// An estimate that the control side should hear of now.
    pub fn news(&mut self, now: Time) -> Option<u64> {
        let estimate = self.estimate()?;
        if let Some((at, told)) = self.told {
            let since = now.saturating_sub(at);
            let large = estimate.abs_diff(told) as f64 > told as f64 * TELL_SHARE;
            let fell = large && estimate < told;
            let due = fell || (large && since >= TELL_INTERVAL) || since >= TELL_ALL;
            if estimate == told || !due {
                return None;
            }
        }
        self.told = Some((now, estimate));
        Some(estimate)
    }

    /// Do what is due by time, apart from sending.
    pub fn tick(&mut self, now: Time) {
        if let Some(estimator) = &mut self.estimator {
            estimator.tick(now);
            self.pacer.refill(now, estimator.pacing_rate());
            let rate = estimator.padding_rate();
            let elapsed = now.saturating_sub(self.padded_at.replace(now).unwrap_or(now));
            let bits = |time: Time| rate * time as f64 / SECOND as f64;
            let padding = self.padding.max(-bits(MAX_SURPLUS)) + bits(elapsed);
            self.padding = padding.min(bits(PADDING_BURST));
        }
    }

    /// What wants a packet now.
    pub fn filling(&mut self, now: Time) -> Option<Filling> {
        let estimator = self.estimator.as_deref_mut()?;
        if let Some(cluster) = estimator.probe(now) {
            return Some(Filling { cluster: cluster.id });
        }
        let pads = self.padding > 0.0 && estimator.padding_rate() > 0.0 && self.pacer.is_empty();
        pads.then_some(Filling { cluster: 0 })
    }

    /// When [`Leg::tick`] is due next; None: never.
    pub fn next(&mut self, now: Time) -> Option<Time> {
        let estimator = self.estimator.as_ref()?;
        let busy =
            !self.pacer.is_empty() || estimator.is_probing() || estimator.padding_rate() > 0.0;
        let wait = if busy { FAST } else { SLOW };
        self.due = if busy || estimator.estimate().is_some() {
            Some(now + wait)
        } else {
            estimator.repeats_at()
        };
        self.due
    }

    pub fn is_due(&self, now: Time) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Something must be sent soon.
    pub fn hurry(&mut self, now: Time) {
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
    }

    pub fn due(&self) -> Option<Time> {
        self.due
    }
}
