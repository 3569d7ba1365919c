//! Short trains of packets, sent faster than the estimate, that find out what is beyond it; and
//! what comes of them.

use super::super::interface::{Time, MILLISECOND, SECOND};

/// A train takes this long, and this many packets, at least.
const DURATION: Time = 20 * MILLISECOND;
const PACKETS: u32 = 5;
/// What may be sent ahead: timers go off this often.
const AHEAD: Time = 5 * MILLISECOND;
/// A train that falls so far behind its rate says nothing.
const LATE: Time = 20 * MILLISECOND;
const MAX_WAITING: usize = 4;
/// Trains of which results may come.
const MAX_RUNNING: usize = 8;
/// Shares of a train that must be acknowledged.
const ACKNOWLEDGED: f64 = 0.8;
const MAX_INTERVAL: i64 = SECOND as i64;
/// A train that arrives so much faster than it was sent was held up somewhere.
const MAX_RATIO: f64 = 2.0;
/// A train that is slowed down has met the limit, and a little less than that is safe.
const SATURATED: f64 = 0.9;
const SAFE: f64 = 0.95;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cluster {
    /// Never 0.
    pub id: u8,
    /// Bits per second.
    pub rate: f64,
}

#[derive(Clone, Copy, Debug)]
struct Train {
    cluster: Cluster,
    began: Time,
    bytes: u64,
    packets: u32,
}

impl Train {
    fn needed(&self) -> u64 {
        (self.cluster.rate * DURATION as f64 / SECOND as f64 / 8.0) as u64
    }

    fn is_complete(&self) -> bool {
        self.bytes >= self.needed() && self.packets >= PACKETS
    }

    /// When the next packet is due.
    fn due(&self) -> Time {
        self.began + (self.bytes as f64 * 8.0 / self.cluster.rate * SECOND as f64) as Time
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Result {
    id: u8,
    needed: u64,
    bytes: u64,
    packets: u32,
    first_sent: Time,
    last_sent: Time,
    /// Of the packets sent last, at one time.
    last_burst: u64,
    first_arrived: i64,
    first_size: u64,
    last_arrived: i64,
}

#[derive(Debug, Default)]
pub struct Probes {
    waiting: [Option<Cluster>; MAX_WAITING],
    train: Option<Train>,
    results: [Result; MAX_RUNNING],
    last_id: u8,
}

impl Probes {
    /// Ask for a train; nothing comes of it if too many wait.
    pub fn add(&mut self, rate: f64) {
        if let Some(place) = self.waiting.iter_mut().find(|place| place.is_none()) {
            self.last_id = self.last_id % u8::MAX + 1;
            *place = Some(Cluster { id: self.last_id, rate });
        }
    }

    pub fn clear(&mut self) {
        self.waiting = [None; MAX_WAITING];
        self.train = None;
    }

    pub fn is_idle(&self) -> bool {
        self.train.is_none() && self.waiting[0].is_none()
    }

    /// The train of which a packet should be sent now.
    pub fn due(&mut self, now: Time) -> Option<Cluster> {
        if self.train.is_some_and(|train| now > train.due() + LATE) {
            self.train = None;
        }
        if self.train.is_none() {
            let cluster = self.waiting[0]?;
            self.waiting.rotate_left(1);
            self.waiting[MAX_WAITING - 1] = None;
            let train = Train { cluster, began: now, bytes: 0, packets: 0 };
            self.results[usize::from(cluster.id) % MAX_RUNNING] =
                Result { id: cluster.id, needed: train.needed(), ..Result::default() };
            self.train = Some(train);
        }
        self.train.filter(|train| train.due() < now + AHEAD).map(|train| train.cluster)
    }

    /// A packet of the train was sent.
    pub fn sent(&mut self, bytes: usize) {
        if let Some(train) = &mut self.train {
            train.bytes += bytes as u64;
            train.packets += 1;
            if train.is_complete() {
                self.train = None;
            }
        }
    }

    /// A packet of a train has arrived; the rate that came through, once enough is known.
    pub fn arrived(&mut self, id: u8, sent_at: Time, arrived: i64, size: u32) -> Option<f64> {
        let result = &mut self.results[usize::from(id) % MAX_RUNNING];
        if id == 0 || result.id != id {
            return None;
        }
        let size = u64::from(size);
        if result.packets == 0 {
            (result.first_sent, result.last_sent) = (sent_at, sent_at);
            (result.first_arrived, result.last_arrived) = (arrived, arrived);
            result.first_size = size;
        }
        result.packets += 1;
        result.bytes += size;
        result.first_sent = result.first_sent.min(sent_at);
        if sent_at > result.last_sent {
            (result.last_sent, result.last_burst) = (sent_at, size);
        } else if sent_at == result.last_sent {
            result.last_burst += size;
        }
        if arrived < result.first_arrived {
            (result.first_arrived, result.first_size) = (arrived, size);
        }
        result.last_arrived = result.last_arrived.max(arrived);
        let enough = result.bytes as f64 >= result.needed as f64 * ACKNOWLEDGED
            && f64::from(result.packets) >= f64::from(PACKETS) * ACKNOWLEDGED;
        if !enough {
            return None;
        }
        let sending = (result.last_sent - result.first_sent) as i64;
        let arriving = result.last_arrived - result.first_arrived;
        if !(1..=MAX_INTERVAL).contains(&sending) || !(1..=MAX_INTERVAL).contains(&arriving) {
            return None;
        }
        let sent = (result.bytes - result.last_burst) as f64 * 8e9 / sending as f64;
        let arrived = (result.bytes - result.first_size) as f64 * 8e9 / arriving as f64;
        if sent <= 0.0 || arrived / sent > MAX_RATIO {
            return None;
        }
        Some(if arrived < SATURATED * sent { SAFE * arrived } else { sent.min(arrived) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Send one train of packets over a link of `capacity` bit/s; what the results say.
    fn run(rate: f64, capacity: f64) -> Option<f64> {
        let mut probes = Probes::default();
        probes.add(rate);
        let (mut packets, mut now) = (Vec::new(), SECOND);
        while !probes.is_idle() {
            while let Some(cluster) = probes.due(now) {
                packets.push((cluster.id, now));
                probes.sent(1000);
                if probes.is_idle() {
                    break;
                }
            }
            now += AHEAD;
        }
        assert!(packets.len() >= 5);
        let (mut free, mut last) = (0.0f64, None);
        for (id, sent_at) in packets {
            free = free.max(sent_at as f64) + 8e12 / capacity;
            last = probes.arrived(id, sent_at, free as i64, 1000).or(last);
        }
        last
    }

    #[test]
    fn a_train_that_passes_shows_its_own_rate() {
        for rate in [1e6, 3e6, 12e6] {
            let found = run(rate, 1e9).unwrap();
            assert!((found / rate - 1.0).abs() < 0.25, "{rate}: {found}");
        }
    }

    #[test]
    fn a_train_that_does_not_shows_the_limit() {
        for (rate, capacity) in [(3e6, 1e6), (6e6, 1e6), (6e6, 2.5e6)] {
            let found = run(rate, capacity).unwrap();
            assert!((found / capacity - 0.95).abs() < 0.05, "{rate} {capacity}: {found}");
        }
    }

    #[test]
    fn a_train_that_is_held_up_is_given_up() {
        let mut probes = Probes::default();
        probes.add(3e6);
        assert!(probes.due(SECOND).is_some());
        probes.sent(1000);
        assert_eq!(probes.due(2 * SECOND), None);
        assert!(probes.is_idle());
    }

    #[test]
    fn a_bounded_number_waits() {
        let mut probes = Probes::default();
        (0..100).for_each(|_| probes.add(1e6));
        let mut ids = Vec::new();
        for at in 0..10_000u64 {
            if let Some(cluster) = probes.due(at * AHEAD) {
                ids.push(cluster.id);
                probes.sent(1000);
            }
        }
        ids.dedup();
        assert_eq!(ids, [1, 2, 3, 4]);
    }
}

#[cfg(test)]
mod table;
