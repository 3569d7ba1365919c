//! Whether the queue on the way grows: the trend of the delay between groups of packets, against
//! a threshold that follows what is usual on this way.
//!
//! Carlucci et al., "Analysis and design of the Google congestion control for WebRTC", 2016;
//! draft-ietf-rmcat-gcc-02, 5.2 to 5.4.

use super::super::interface::{Time, MILLISECOND};

/// Packets that were sent within this belong together.
const GROUP: i64 = 5 * MILLISECOND as i64;
/// A group that arrives as one goes on for this long at most.
const LONGEST_BURST: i64 = 100 * MILLISECOND as i64;
/// A jump of the receiver's clock by more starts anew.
const CLOCK_JUMP: i64 = 3_000 * MILLISECOND as i64;
/// Groups in a row that arrive before the group before them, until everything starts anew.
const MAX_REORDERED: u32 = 3;

const WINDOW: usize = 20;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
const MAX_DELTAS: u32 = 60;
/// Milliseconds.
const START_THRESHOLD: f64 = 12.5;
const MIN_THRESHOLD: f64 = 6.0;
const MAX_THRESHOLD: f64 = 600.0;
const THRESHOLD_UP: f64 = 0.0087;
const THRESHOLD_DOWN: f64 = 0.039;
/// A trend so far above the threshold is not what is usual.
const MAX_ADAPTATION: f64 = 15.0;
const MAX_STEP: f64 = 100.0;
const OVERUSE_TIME: f64 = 10.0;
/// What has drained is no overuse any more, though the trend lags behind: the delay must be this
/// much (ms) above the least of the window.  Nor is it one that a frame of two packets takes
/// longer than a frame of one.
const MIN_QUEUE: f64 = 8.0;
const MIN_QUEUE_BITS: f64 = 1200.0 * 8.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Normal,
    /// The queue grows.
    Over,
    /// The queue drains.
    Under,
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    first_sent: Time,
    last_sent: Time,
    first_arrived: i64,
    last_arrived: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// Milliseconds since the first group.
    at: f64,
    delay: f64,
    /// Before smoothing.
    raw: f64,
}

#[derive(Debug)]
pub struct DelayTrend {
    current: Option<Group>,
    previous: Option<Group>,
    reordered: u32,
    deltas: u32,
    accumulated: f64,
    smoothed: f64,
    began: Option<i64>,
    points: [Point; WINDOW],
    count: usize,
    trend: f64,
    threshold: f64,
    threshold_at: Option<i64>,
    /// The least queue (ms) that counts.
    least: f64,
    over_for: Option<f64>,
    over_count: u32,
    usage: Usage,
}

impl Default for DelayTrend {
    fn default() -> Self {
        DelayTrend {
            current: None,
            previous: None,
            reordered: 0,
            deltas: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            began: None,
            points: [Point::default(); WINDOW],
            count: 0,
            trend: 0.0,
            threshold: START_THRESHOLD,
            threshold_at: None,
            least: MIN_QUEUE,
            over_for: None,
            over_count: 0,
            usage: Usage::Normal,
        }
    }
}

fn milliseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / MILLISECOND as f64
}

impl DelayTrend {
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// So many bit/s are sent: what follows is judged by that.
    pub fn expect(&mut self, rate: f64) {
        self.least = MIN_QUEUE.max(MIN_QUEUE_BITS * 1000.0 / rate);
    }

    /// Take a packet that has arrived, in order of arrival.
    pub fn add(&mut self, sent_at: Time, arrived: i64) {
        let Some(current) = &mut self.current else {
            self.current = Some(Group {
                first_sent: sent_at,
                last_sent: sent_at,
                first_arrived: arrived,
                last_arrived: arrived,
            });
            return;
        };
        if sent_at < current.first_sent {
            return; // of an older group
        }
        let since_first = (sent_at - current.first_sent) as i64;
        let arrival_step = arrived - current.last_arrived;
        let send_step = sent_at as i64 - current.last_sent as i64;
        // Those sent with the last one of a burst begin a group: taken for one with it, as the
        // reference does, growth would be seen later, and queues be longer.
        let burst = arrival_step - send_step < 0
            && arrival_step <= GROUP
            && arrived - current.first_arrived < LONGEST_BURST;
        if since_first <= GROUP || burst {
            current.last_sent = current.last_sent.max(sent_at);
            current.last_arrived = current.last_arrived.max(arrived);
            return;
        }
        let finished = *current;
        self.current = Some(Group {
            first_sent: sent_at,
            last_sent: sent_at,
            first_arrived: arrived,
            last_arrived: arrived,
        });
        if let Some(previous) = self.previous {
            let sent = finished.last_sent as i64 - previous.last_sent as i64;
            let arrived = finished.last_arrived - previous.last_arrived;
            if arrived - sent > CLOCK_JUMP {
                self.restart();
                return;
            }
            if arrived < 0 {
                self.reordered += 1;
                if self.reordered >= MAX_REORDERED {
                    self.restart();
                }
                return;
            }
            self.reordered = 0;
            self.update(milliseconds(arrived - sent), milliseconds(sent), finished.last_arrived);
        }
        self.previous = Some(finished);
    }

    fn restart(&mut self) {
        let (threshold, least) = (self.threshold, self.least);
        *self = DelayTrend { threshold, least, ..DelayTrend::default() };
    }

    /// One group took `delta` ms more than the one `sent` ms before it.
    fn update(&mut self, delta: f64, sent: f64, arrived: i64) {
        self.deltas = (self.deltas + 1).min(1000);
        let began = *self.began.get_or_insert(arrived);
        self.accumulated += delta;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        if self.count == WINDOW {
            self.points.copy_within(1.., 0);
            self.count -= 1;
        }
        self.points[self.count] = Point {
            at: milliseconds(arrived - began),
            delay: self.smoothed,
            raw: self.accumulated,
        };
        self.count += 1;
        let mut trend = self.trend;
        if self.count == WINDOW {
            trend = slope(&self.points).unwrap_or(trend);
        }
        self.detect(trend, sent, arrived);
    }

    fn detect(&mut self, trend: f64, sent: f64, arrived: i64) {
        if self.deltas < 2 {
            return;
        }
        let modified = f64::from(self.deltas.min(MAX_DELTAS)) * trend * GAIN;
        if modified > self.threshold {
            let over_for = self.over_for.map_or(sent / 2.0, |over_for| over_for + sent);
            self.over_for = Some(over_for);
            self.over_count += 1;
            let waits = self.queue() >= self.least;
            if over_for > OVERUSE_TIME && self.over_count > 1 && waits && trend >= self.trend {
                self.over_for = Some(0.0);
                self.over_count = 0;
                self.usage = Usage::Over;
            } else if self.usage == Usage::Over && !waits {
                self.usage = Usage::Normal;
            }
        } else {
            self.over_for = None;
            self.over_count = 0;
            self.usage = if modified < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.trend = trend;
        self.adapt(modified.abs(), arrived);
    }

    /// By how much (ms) the delay is above the least of the window.
    fn queue(&self) -> f64 {
        let points = self.points.iter().take(self.count);
        self.accumulated - points.map(|point| point.raw).fold(self.accumulated, f64::min)
    }

    fn adapt(&mut self, modified: f64, arrived: i64) {
        let last = self.threshold_at.replace(arrived).unwrap_or(arrived);
        if modified > self.threshold + MAX_ADAPTATION {
            return;
        }
        let gain = if modified < self.threshold { THRESHOLD_DOWN } else { THRESHOLD_UP };
        let step = milliseconds(arrived - last).clamp(0.0, MAX_STEP);
        let threshold = self.threshold + gain * (modified - self.threshold) * step;
        self.threshold = threshold.clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }
}

/// The slope of the least squares line; None if all points are at one time.
fn slope(points: &[Point]) -> Option<f64> {
    let count = points.len() as f64;
    let at = points.iter().map(|point| point.at).sum::<f64>() / count;
    let delay = points.iter().map(|point| point.delay).sum::<f64>() / count;
    let (mut numerator, mut denominator) = (0.0, 0.0);
    for point in points {
        numerator += (point.at - at) * (point.delay - delay);
        denominator += (point.at - at) * (point.at - at);
    }
    (denominator > 0.0).then(|| numerator / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = MILLISECOND as i64;

    /// Send a packet every 10 ms, each delayed as told (ms); how it was judged after each.
    fn run(delays: impl IntoIterator<Item = f64>) -> Vec<Usage> {
        let mut trend = DelayTrend::default();
        let mut judged = Vec::new();
        for (index, delay) in delays.into_iter().enumerate() {
            let sent = 10 * MS * index as i64;
            trend.add(sent as Time, sent + (delay * MS as f64) as i64);
            judged.push(trend.usage());
        }
        judged
    }

    #[test]
    fn a_constant_delay_is_normal() {
        assert!(run([50.0; 500]).iter().all(|usage| *usage == Usage::Normal));
    }

    #[test]
    fn a_growing_queue_is_overuse_and_a_draining_one_underuse() {
        let judged = run((0..100).map(|index| f64::from(index) * 1.0));
        let first = judged.iter().position(|usage| *usage == Usage::Over).unwrap();
        assert!(first < 40, "{first}");
        let judged = run((0..100).map(|index| 200.0 - f64::from(index) * 1.0));
        assert!(judged.contains(&Usage::Under) && !judged.contains(&Usage::Over));
    }

    #[test]
    fn overuse_ends_with_the_queue_though_the_trend_lags_behind() {
        let grown = (0..60).map(f64::from);
        let judged = run(grown.chain([51.0, 43.0, 35.0, 35.0]));
        assert_eq!(judged[59], Usage::Over);
        // The least of the last twenty was 40; the last packet's group is not judged yet.
        assert_eq!(judged[63], Usage::Normal);
    }

    #[test]
    fn jitter_alone_is_not_overuse() {
        let mut random = 1u64;
        let mut jitter = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 60) as f64 / 4.0 // up to 4 ms
        };
        let judged = run((0..2000).map(|_| 20.0 + jitter()));
        let over = judged.iter().filter(|usage| **usage == Usage::Over).count();
        assert!(over < 20, "{over}");
    }

    #[test]
    fn a_clock_that_jumps_starts_anew() {
        let mut trend = DelayTrend::default();
        for index in 0..100i64 {
            let jump = if index < 50 { 0 } else { 10_000 * MS };
            trend.add((10 * MS * index) as Time, 10 * MS * index + jump);
            assert_eq!(trend.usage(), Usage::Normal);
        }
    }
}

#[cfg(test)]
mod table;
