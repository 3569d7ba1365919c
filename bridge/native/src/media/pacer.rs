//! Holds one receiver's video back so that it leaves at the pace of the way, in order and for a
//! bounded time.  What is sent besides, audio and retransmissions, does not wait but counts.

use std::collections::VecDeque;

use super::interface::{Time, MILLISECOND, SECOND};

/// Bytes that can wait; made when first needed.
const BYTES: usize = 512 << 10;
/// Packets that can wait.
const PACKETS: usize = 1024;
/// What may leave at once: this much time's worth, and so many bytes at least.
const BURST: Time = 10 * MILLISECOND;
const MIN_BURST: f64 = 6_000.0;
/// What does not wait sets the rest back by this at most, but some packets always count.
const MAX_DEBT: Time = 50 * MILLISECOND;
const MIN_DEBT: f64 = 3_000.0;
/// From this waiting time on only what other frames depend on is let in,
const THIN: Time = 100 * MILLISECOND;
/// from this on nothing,
const BLOCKED: Time = 250 * MILLISECOND;
/// until so little is left.
const FREE: Time = 50 * MILLISECOND;

/// What a receiver can still be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pressure {
    #[default]
    Free,
    /// Base layers.
    Thin,
    /// Nothing new.
    Blocked,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// Position in the endless stream of bytes written.
    at: u64,
    header: u16,
    payload: u16,
    /// Where in the header the transport-wide number goes; 0: nowhere.
    number_at: u16,
}

impl Waiting {
    fn size(&self) -> usize {
        usize::from(self.header) + usize::from(self.payload)
    }
}

/// A packet whose turn has come.
pub struct Due<'a> {
    pub header: &'a mut [u8],
    pub payload: &'a [u8],
    pub number_at: usize,
}

#[derive(Debug, Default)]
pub struct Pacer {
    /// Bytes that may leave now; negative is a debt.
    level: f64,
    at: Option<Time>,
    /// Bits per second.
    rate: f64,
    queue: VecDeque<Waiting>,
    queued: usize,
    bytes: Box<[u8]>,
    written: u64,
    pressure: Pressure,
}

impl Pacer {
    /// Time has passed, and packets may leave at `rate` bit/s.
    pub fn refill(&mut self, now: Time, rate: f64) {
        let elapsed = now.saturating_sub(self.at.replace(now).unwrap_or(now));
        let most = (bytes(rate, BURST)).max(MIN_BURST);
        self.rate = rate;
        self.level = (self.level + bytes(rate, elapsed)).min(most);
    }

    /// Whether a packet can leave without waiting.
    pub fn is_open(&self) -> bool {
        self.queue.is_empty() && self.level > 0.0
    }

    /// Bytes have left.
    pub fn sent(&mut self, size: usize) {
        let most = bytes(self.rate, MAX_DEBT).max(MIN_DEBT);
        self.level = (self.level - size as f64).max(-most);
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How long the last packet will wait.
    pub fn delay(&self) -> Time {
        (self.queued as f64 * 8.0 / self.rate.max(1.0) * SECOND as f64) as Time
    }

    /// What the receiver can be sent now.
    pub fn pressure(&mut self) -> Pressure {
        let delay = self.delay();
        self.pressure = match self.pressure {
            _ if delay >= BLOCKED || self.is_full() => Pressure::Blocked,
            Pressure::Blocked if delay >= FREE => Pressure::Blocked,
            _ if delay >= THIN => Pressure::Thin,
            Pressure::Thin if delay >= FREE => Pressure::Thin,
            _ => Pressure::Free,
        };
        self.pressure
    }

    /// Whether there may be no room for a packet of any size.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= PACKETS - 1 || self.queued > BYTES / 2
    }

    /// Let a packet wait; false if there is no room.
    pub fn push(&mut self, header: &[u8], payload: &[u8], number_at: usize) -> bool {
        let size = header.len() + payload.len();
        if self.bytes.is_empty() {
            self.bytes = vec![0; BYTES].into();
            self.queue.reserve_exact(PACKETS);
        }
        if self.queue.is_empty() {
            // Only as much of the memory is ever touched as has waited at once.
            self.written = 0;
        }
        let size_of_ring = self.bytes.len() as u64;
        let left = size_of_ring - self.written % size_of_ring;
        let at = if (size as u64) > left { self.written + left } else { self.written };
        let oldest = self.queue.front().map_or(at, |oldest| oldest.at);
        if self.queue.len() >= PACKETS || at + size as u64 - oldest > size_of_ring {
            return false;
        }
        let (Ok(header_length), Ok(payload_length), Ok(number_at)) =
            (u16::try_from(header.len()), u16::try_from(payload.len()), u16::try_from(number_at))
        else {
            return false;
        };
        let start = (at % size_of_ring) as usize;
        let middle = start + header.len();
        self.bytes[start..middle].copy_from_slice(header);
        self.bytes[middle..start + size].copy_from_slice(payload);
        self.written = at + size as u64;
        self.queued += size;
        self.queue.push_back(Waiting {
            at,
            header: header_length,
            payload: payload_length,
            number_at,
        });
        true
    }

    /// Whether the oldest waiting packet may leave now.
    pub fn has_due(&self) -> bool {
        self.level > 0.0 && !self.queue.is_empty()
    }

    /// The stream of the oldest waiting packet, and how many bytes it has.
    pub fn next(&self) -> Option<(u32, usize)> {
        let waiting = self.queue.front()?;
        let at = (waiting.at % self.bytes.len() as u64) as usize + 8;
        let ssrc = self.bytes.get(at..at + 4)?.try_into().ok()?;
        Some((u32::from_be_bytes(ssrc), waiting.size()))
    }

    /// Take the oldest waiting packet.
    pub fn pop(&mut self) -> Option<Due<'_>> {
        let waiting = self.queue.pop_front()?;
        self.queued = self.queued.saturating_sub(waiting.size());
        let start = (waiting.at % self.bytes.len() as u64) as usize;
        let packet = self.bytes.get_mut(start..start + waiting.size())?;
        let (header, payload) = packet.split_at_mut(usize::from(waiting.header));
        Some(Due { header, payload, number_at: usize::from(waiting.number_at) })
    }
}

fn bytes(rate: f64, time: Time) -> f64 {
    rate * time as f64 / SECOND as f64 / 8.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(pacer: &mut Pacer, number: u8, size: usize) -> bool {
        pacer.push(&[number; 12], &vec![number; size - 12], 0)
    }

    #[test]
    fn packets_leave_in_order_and_at_the_rate() {
        let mut pacer = Pacer::default();
        pacer.refill(0, 1e6);
        pacer.refill(SECOND, 1e6);
        pacer.sent(6_000);
        assert!(!pacer.is_open());
        assert!((0..100).all(|number| push(&mut pacer, number, 1250)));
        let mut left = Vec::new();
        for step in 1..=50u64 {
            pacer.refill(SECOND + step * 5 * MILLISECOND, 1e6);
            while pacer.has_due() {
                let due = pacer.pop().unwrap();
                assert_eq!((due.header.len(), due.payload.len()), (12, 1238));
                left.push(due.header[0]);
                pacer.sent(1250);
            }
        }
        // 250 ms at 1 Mbit/s are 25 packets of 1250 bytes.
        assert_eq!(left, (0..25).collect::<Vec<_>>());
    }

    #[test]
    fn a_queue_that_grows_is_thinned_then_blocked_until_it_has_drained() {
        let mut pacer = Pacer::default();
        pacer.refill(0, 1e6);
        let mut seen = vec![pacer.pressure()];
        let mut note = |pacer: &mut Pacer| {
            let pressure = pacer.pressure();
            if seen.last() != Some(&pressure) {
                seen.push(pressure);
            }
        };
        for number in 0..30 {
            push(&mut pacer, number, 1250);
            note(&mut pacer);
        }
        while pacer.pop().is_some() {
            note(&mut pacer);
        }
        assert_eq!(seen, [Pressure::Free, Pressure::Thin, Pressure::Blocked, Pressure::Free]);
    }

    #[test]
    fn little_that_waits_stays_in_little_memory() {
        let mut pacer = Pacer::default();
        pacer.refill(0, 1e6);
        for round in 0..2000usize {
            assert!((0..4).all(|_| push(&mut pacer, round as u8, 1200)));
            while let Some(due) = pacer.pop() {
                assert!(due.payload.iter().all(|byte| *byte == round as u8));
            }
        }
        assert!(pacer.bytes[4 * 1200..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn it_holds_what_fits_and_no_more() {
        let mut pacer = Pacer::default();
        pacer.refill(0, 1e6);
        let mut pushed = 0usize;
        while push(&mut pacer, pushed as u8, 1200) {
            pushed += 1;
            assert!(pushed < 2 * PACKETS);
        }
        assert!(pacer.is_full() && pushed > 400);
        for _ in 0..3 {
            for number in 0..pushed {
                let due = pacer.pop().unwrap();
                assert!(due.payload.iter().all(|byte| *byte == number as u8));
                assert!(push(&mut pacer, number as u8, 1200));
            }
        }
    }

    #[test]
    fn what_does_not_wait_sets_the_rest_back_by_little() {
        let mut pacer = Pacer::default();
        pacer.refill(0, 1e6);
        pacer.sent(1_000_000);
        push(&mut pacer, 1, 1000);
        pacer.refill(51 * MILLISECOND, 1e6);
        assert!(pacer.has_due());
    }

    /// At 1 Mbit/s, with so many milliseconds of packets waiting.
    fn holding(pressure: Pressure, delay: usize) -> Pacer {
        let mut pacer = Pacer::default();
        pacer.refill(0, 1e6);
        for number in 0..delay / 10 {
            assert!(push(&mut pacer, number as u8, 1250));
        }
        pacer.pressure = pressure;
        pacer
    }

    /// For each pressure and waiting time, what is the pressure then: it rises at 100 and 250 ms,
    /// and falls below 50 ms only, to nothing.
    #[test]
    fn every_waiting_time_under_every_pressure() {
        use Pressure::{Blocked, Free, Thin};
        let delays = [0, 40, 50, 90, 100, 240, 250, 300];
        let table = [
            (Free, [Free, Free, Free, Free, Thin, Thin, Blocked, Blocked]),
            (Thin, [Free, Free, Thin, Thin, Thin, Thin, Blocked, Blocked]),
            (Blocked, [Free, Free, Blocked, Blocked, Blocked, Blocked, Blocked, Blocked]),
        ];
        for (before, row) in table {
            for (delay, after) in delays.into_iter().zip(row) {
                let mut pacer = holding(before, delay);
                assert_eq!(pacer.pressure(), after, "{before:?}, {delay} ms");
                assert_eq!(pacer.pressure(), after, "it stays until something happens");
            }
        }
    }

    /// Whoever is fast enough to have no delay can be full nevertheless.
    #[test]
    fn a_full_queue_blocks_under_every_pressure() {
        for before in [Pressure::Free, Pressure::Thin, Pressure::Blocked] {
            let mut pacer = Pacer::default();
            pacer.refill(0, 1e9);
            while !pacer.is_full() {
                push(&mut pacer, 1, 1250);
            }
            pacer.pressure = before;
            assert_eq!(pacer.pressure(), Pressure::Blocked);
            while pacer.pop().is_some() {}
            assert_eq!(pacer.pressure(), Pressure::Free);
        }
    }
}
