//! The estimate for a receiver that does not tell when each packet came: what it says itself
//! (REMB), and what its reports of losses (RFC 3550, 6.4) leave; the smaller of the two.
//!
//! Losses are judged by fixed marks (draft-ietf-rmcat-gcc-02, 6, with the intervals of libwebrtc).
//! They say nothing until they are bad: then the estimate begins with what is being sent.

use super::super::interface::{Time, MILLISECOND, SECOND};
use super::aimd::{GROWTH, LEAST_GROWTH, LIMIT_FACTOR, LIMIT_MARGIN};
use super::estimator::{MAX_RATE, MIN_RATE};
use super::OVERHEAD;

/// Below this share of losses the rate grows, above the other it falls, by half the losses.
const LOW: f64 = 0.02;
const HIGH: f64 = 0.1;
/// Of fewer packets losses are chance.
const LEAST_PACKETS: i64 = 20;
/// Between two falls, and the round trip besides.
const FALL_INTERVAL: Time = 300 * MILLISECOND;
/// A good report is reason to grow for so long at most.
const LONGEST_GROWTH: Time = 6 * SECOND;
/// What is sent is counted for so long; about as long as a report tells of.
const WINDOW: Time = SECOND;

/// What a report says of one stream since the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Losses {
    /// When that came.
    pub since: Time,
    pub packets: i64,
    /// Negative if what was lost before has come.
    pub lost: i64,
}

#[derive(Debug, Default)]
pub struct Reported {
    /// Bit/s, both.
    remb: Option<f64>,
    by_losses: Option<f64>,
    /// Reported and not judged yet.
    packets: i64,
    lost: i64,
    judged_at: Time,
    fell_at: Option<Time>,
    /// Bits sent since a time, and the rate before that.
    bits: f64,
    bits_since: Option<Time>,
    rate: Option<f64>,
}

impl Reported {
    /// Bit/s; None if nothing is known.
    pub fn estimate(&self) -> Option<f64> {
        match (self.remb, self.by_losses) {
            (Some(remb), Some(by_losses)) => Some(remb.min(by_losses)),
            (one, other) => one.or(other),
        }
    }

    pub fn remb(&mut self, bits_per_second: u64) {
        self.remb = Some((bits_per_second as f64).clamp(MIN_RATE, MAX_RATE));
    }

    /// A packet of `size` bytes of RTP goes out now.
    #[inline]
    pub fn sent(&mut self, now: Time, size: usize) {
        let elapsed = now.saturating_sub(*self.bits_since.get_or_insert(now));
        if elapsed >= WINDOW {
            self.rate = Some(self.bits * SECOND as f64 / elapsed as f64);
            (self.bits, self.bits_since) = (0.0, Some(now));
        }
        self.bits += (size + OVERHEAD) as f64 * 8.0;
    }

    /// Take note of what was lost.
    pub fn losses(&mut self, losses: Losses) {
        // What was sent before the last fall is what it was for.
        if self.fell_at.is_none_or(|at| losses.since >= at) {
            self.packets = self.packets.saturating_add(losses.packets);
            self.lost = self.lost.saturating_add(losses.lost);
        }
    }

    /// Draw the conclusions; `besides` (bit/s) is not video's of what is sent.  True if the
    /// estimate may be another now.
    pub fn judge(&mut self, now: Time, rtt: Option<Time>, besides: f64) -> bool {
        let Some(sent) = self.rate.map(|rate| (rate - besides).max(0.0)) else {
            return false;
        };
        let waits = self.fell_at.is_some_and(|at| {
            now.saturating_sub(at) < FALL_INTERVAL.saturating_add(rtt.unwrap_or(0))
        });
        if self.packets < LEAST_PACKETS || waits {
            return false;
        }
        let share = self.lost.clamp(0, self.packets) as f64 / self.packets as f64;
        (self.packets, self.lost) = (0, 0);
        let elapsed = now.saturating_sub(std::mem::replace(&mut self.judged_at, now));
        if share > HIGH {
            self.fell_at = Some(now);
            let before = self.by_losses.map_or(sent, |rate| rate.min(sent));
            self.by_losses = Some((before * (1.0 - share / 2.0)).max(MIN_RATE));
            return true;
        }
        if let (true, Some(rate)) = (share < LOW, &mut self.by_losses) {
            let seconds = elapsed.min(LONGEST_GROWTH) as f64 / SECOND as f64;
            let grown = *rate * GROWTH.powf(seconds) + LEAST_GROWTH * seconds;
            let limit = (LIMIT_FACTOR * sent + LIMIT_MARGIN).min(MAX_RATE);
            *rate = rate.max(grown.min(limit));
            return true;
        }
        false
    }
}

#[cfg(test)]
mod table;
