//! What is received of one SSRC: order, duplicates, loss and jitter (RFC 3550, appendix A).

use super::interface::{Time, SECOND};
use super::rtcp::ReportBlock;
use super::sequence;

/// Sequence numbers that are remembered behind the newest.
const WINDOW: u64 = 1024;
const WORDS: usize = (WINDOW / 64) as usize;
/// A jump further than this needs a second packet in a row to be believed.
const MAX_JUMP: u64 = 3000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Newer than all before; `gap` numbers were skipped.
    Next {
        gap: u64,
    },
    /// Behind the newest and not seen before.
    Late,
    /// The sender began anew, or this is the very first packet.
    First,
    Duplicate,
    TooOld,
}

#[derive(Debug, Default)]
pub struct Reception {
    started: bool,
    highest: u64,
    seen: [u64; WORDS],
    /// What would follow a surprising packet.
    surprise: Option<u16>,
    base: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    transit: u32,
    jitter: f64,
    last_sender_report: Option<(u32, Time)>,
}

impl Reception {
    /// Judge a packet.  One recovered by retransmission does not count as received.
    pub fn receive(&mut self, sequence: u16, recovered: bool) -> (u64, Order) {
        if !self.started {
            if recovered {
                return (0, Order::TooOld);
            }
            return (self.restart(sequence), Order::First);
        }
        let number = sequence::extend(self.highest, sequence);
        if number > self.highest {
            let gap = number - self.highest - 1;
            if gap > MAX_JUMP {
                return self.surprising(sequence, number, recovered);
            }
            if gap >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.highest + 1..number {
                    self.mark(skipped, false);
                }
            }
            self.highest = number;
            self.mark(number, true);
            self.received += u64::from(!recovered);
            self.surprise = None;
            return (number, Order::Next { gap });
        }
        if self.highest - number >= WINDOW {
            return self.surprising(sequence, number, recovered);
        }
        if number < self.base {
            return (number, Order::TooOld); // before the first packet that we know of
        }
        if self.is_marked(number) {
            return (number, Order::Duplicate);
        }
        self.mark(number, true);
        self.received += u64::from(!recovered);
        (number, Order::Late)
    }

    fn surprising(&mut self, sequence: u16, number: u64, recovered: bool) -> (u64, Order) {
        if !recovered && self.surprise == Some(sequence) {
            return (self.restart(sequence), Order::First);
        }
        if !recovered {
            self.surprise = Some(sequence.wrapping_add(1));
        }
        (number, Order::TooOld)
    }

    fn restart(&mut self, sequence: u16) -> u64 {
        let number = sequence::first(sequence);
        *self = Reception {
            started: true,
            highest: number,
            base: number,
            received: 1,
            last_sender_report: self.last_sender_report,
            ..Reception::default()
        };
        self.mark(number, true);
        number
    }

    fn mark(&mut self, number: u64, seen: bool) {
        let bit = 1 << (number % 64);
        if let Some(word) = self.seen.get_mut((number % WINDOW / 64) as usize) {
            *word = if seen { *word | bit } else { *word & !bit };
        }
    }

    fn is_marked(&self, number: u64) -> bool {
        let word = self.seen.get((number % WINDOW / 64) as usize).copied().unwrap_or(0);
        word & (1 << (number % 64)) != 0
    }

    /// Whether `sequence` is one of the newest `count`.
    pub fn is_among_newest(&self, sequence: u16, count: u64) -> bool {
        self.highest.saturating_sub(sequence::extend(self.highest.max(65_536), sequence)) < count
    }

    /// Those of the newest `count` that came, oldest first.
    pub fn newest(&self, count: u64) -> impl Iterator<Item = u64> + '_ {
        let from = (self.highest + 1).saturating_sub(count.min(WINDOW)).max(self.base);
        (from..=self.highest).filter(|number| self.is_marked(*number))
    }

    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Update the interarrival jitter (RFC 3550, A.8).
    pub fn arrived(&mut self, now: Time, timestamp: u32, clock_rate: u32) {
        let units = u128::from(now) * u128::from(clock_rate) / u128::from(SECOND);
        let transit = (units as u32).wrapping_sub(timestamp);
        if self.received > 1 {
            let change = f64::from((transit.wrapping_sub(self.transit) as i32).unsigned_abs());
            self.jitter += (change - self.jitter) / 16.0;
        }
        self.transit = transit;
    }

    /// Note a sender report: the middle 32 bits of its NTP time.
    pub fn sender_report(&mut self, now: Time, middle: u32) {
        self.last_sender_report = Some((middle, now));
    }

    /// The block for the next receiver report; None if nothing came since the last.
    pub fn report(&mut self, now: Time, ssrc: u32) -> Option<ReportBlock> {
        if !self.started || self.received == self.received_before {
            return None;
        }
        let expected = self.highest - self.base + 1;
        let expected_now = expected.saturating_sub(self.expected_before);
        let received_now = self.received - self.received_before;
        let lost_now = expected_now.saturating_sub(received_now);
        self.expected_before = expected;
        self.received_before = self.received;
        let fraction_lost = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8;
        let (last_sender_report, delay) = match self.last_sender_report {
            Some((middle, at)) => {
                let delay = u128::from(now.saturating_sub(at)) * 65_536 / u128::from(SECOND);
                (middle, u32::try_from(delay).unwrap_or(u32::MAX))
            }
            None => (0, 0),
        };
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: expected.saturating_sub(self.received).min(0x7f_ffff) as u32,
            highest: self.highest as u32,
            jitter: self.jitter as u32,
            last_sender_report,
            delay,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::interface::MILLISECOND;
    use super::*;

    fn orders(sequences: &[u16]) -> Vec<Order> {
        let mut reception = Reception::default();
        sequences.iter().map(|&sequence| reception.receive(sequence, false).1).collect()
    }

    #[test]
    fn order_is_told_over_the_wrap() {
        use Order::*;
        assert_eq!(
            orders(&[65_534, 65_535, 1, 0, 0, 1, 2, 65_533]),
            [
                First,
                Next { gap: 0 },
                Next { gap: 1 },
                Late,
                Duplicate,
                Duplicate,
                Next { gap: 0 },
                TooOld
            ]
        );
    }

    #[test]
    fn a_restart_needs_two_packets() {
        use Order::*;
        assert_eq!(orders(&[10, 30_000, 11, 30_001]), [First, TooOld, Next { gap: 0 }, TooOld]);
        assert_eq!(orders(&[10, 30_000, 30_001, 30_002]), [First, TooOld, First, Next { gap: 0 }]);
    }

    #[test]
    fn a_number_is_free_again_after_the_window() {
        let mut reception = Reception::default();
        for sequence in 0..2000 {
            assert_ne!(reception.receive(sequence, false).1, Order::Duplicate);
        }
        assert_eq!(reception.receive(2000 - 1024, false).1, Order::Duplicate);
        assert_eq!(reception.receive(3020, false).1, Order::Next { gap: 1020 });
        assert_eq!(reception.receive(2500, false).1, Order::Late);
        assert_eq!(reception.receive(5000, false).1, Order::Next { gap: 1979 });
        assert_eq!(reception.receive(4999, false).1, Order::Late);
    }

    #[test]
    fn the_report_counts_loss_since_the_last() {
        let mut reception = Reception::default();
        assert_eq!(reception.report(0, 7), None);
        for sequence in [0, 1, 2, 3, 5, 6, 7, 9] {
            reception.receive(sequence, false);
        }
        reception.receive(4, true);
        reception.sender_report(1000 * MILLISECOND, 0x1234_5678);
        let block = reception.report(1500 * MILLISECOND, 7).unwrap();
        assert_eq!((block.ssrc, block.fraction_lost, block.cumulative_lost), (7, 51, 2));
        assert_eq!(block.highest, 65_536 + 9);
        assert_eq!((block.last_sender_report, block.delay), (0x1234_5678, 32_768));
        assert_eq!(reception.report(0, 7), None);
        reception.receive(10, false);
        assert_eq!(reception.report(0, 7).unwrap().fraction_lost, 0);
    }

    #[test]
    fn jitter_follows_rfc_3550() {
        let mut reception = Reception::default();
        for (index, late) in [0, 10, 0].into_iter().enumerate() {
            reception.receive(index as u16, false);
            let at = (index as u64 * 20 + late) * MILLISECOND;
            reception.arrived(at, index as u32 * 960, 48_000);
        }
        // 480 units twice: 480/16 = 30, then 30 + (480 - 30)/16
        assert_eq!(reception.report(0, 1).unwrap().jitter, 58);
    }

    /// Receptions in each state, all but the first with 1000 and 1002 and nothing in between.
    fn state(name: &str) -> Reception {
        let mut reception = Reception::default();
        if name == "new" {
            return reception;
        }
        reception.receive(1000, false);
        reception.receive(1002, false);
        if name == "surprised" {
            assert_eq!(reception.receive(20_000, false).1, Order::TooOld);
        }
        reception
    }

    /// For each state and packet: how it is judged, and the newest number afterwards; a packet
    /// that was recovered never begins anything.
    #[test]
    fn every_packet_in_every_state() {
        use Order::*;
        let packets = [
            ("the next", 1003, false),
            ("after a gap", 1010, false),
            ("after a gap, recovered", 1010, true),
            ("after as much as is believed", 4003, false),
            ("one more", 4004, false),
            ("missing", 1001, false),
            ("missing, recovered", 1001, true),
            ("seen", 1002, false),
            ("seen, recovered", 1002, true),
            ("from before the first", 999, false),
            ("far behind", 64_000, false),
            ("far off", 20_001, false),
            ("far off, recovered", 20_001, true),
            ("far off elsewhere", 30_000, false),
        ];
        let next = |gap| Next { gap };
        let running = [
            (next(0), 1003),
            (next(7), 1010),
            (next(7), 1010),
            (next(3000), 4003),
            (TooOld, 1002),
            (Late, 1002),
            (Late, 1002),
            (Duplicate, 1002),
            (Duplicate, 1002),
            (TooOld, 1002),
            (TooOld, 1002),
            (TooOld, 1002),
            (TooOld, 1002),
            (TooOld, 1002),
        ];
        // The second in a row is believed, if it came by itself.
        let mut surprised = running;
        surprised[11] = (First, 20_001);
        let new = packets.map(|(_, sequence, recovered)| match recovered {
            true => (TooOld, 0),
            false => (First, sequence),
        });
        for (name, expected) in [("new", new), ("running", running), ("surprised", surprised)] {
            for ((packet, sequence, recovered), (order, newest)) in packets.iter().zip(expected) {
                let mut reception = state(name);
                let found = reception.receive(*sequence, *recovered).1;
                assert_eq!(found, order, "{name}, {packet}");
                assert_eq!(reception.highest() as u16, newest, "{name}, {packet}");
            }
        }
    }

    /// What is surprising is forgotten with the next packet that is not.
    #[test]
    fn a_usual_packet_ends_the_surprise() {
        let mut reception = state("surprised");
        reception.receive(1003, false);
        assert_eq!(reception.receive(20_001, false).1, Order::TooOld);
        assert_eq!(reception.receive(20_002, false).1, Order::First);
    }
}
