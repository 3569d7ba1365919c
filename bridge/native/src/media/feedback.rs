//! Arrival times of a transport's packets, reported to their sender
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use super::interface::{Time, MICROSECOND, MILLISECOND};
use super::sequence;

/// Numbers that are remembered; a power of two.
const WINDOW: u64 = 1024;
const MAX_INTERVAL: Time = 100 * MILLISECOND;
/// The least time between two reports, when a frame has ended.
const FRAME_INTERVAL: Time = 20 * MILLISECOND;
const TICK: Time = 250 * MICROSECOND;
const REFERENCE: Time = 64 * MILLISECOND;
/// A report covers at most this many numbers, so that it fits into a datagram whatever comes.
const MAX_STATUSES: u64 = 400;
/// Lost numbers before the first one that came; more would leave no room for those that did.
const MAX_LEADING: u64 = MAX_STATUSES / 2;
/// Header, 400 two-bit statuses in chunks of seven, 400 deltas of two bytes, padding.
pub const MAX_FEEDBACK: usize = 20 + 2 * 58 + 2 * 400 + 4;

#[derive(Debug)]
pub struct Arrivals {
    /// Arrival time by number, 0 for none.
    times: Box<[Time]>,
    /// The first number not yet reported and the one after the newest; equal when idle.
    base: u64,
    end: u64,
    started: bool,
    last_sent: Option<Time>,
    count: u8,
    media_ssrc: u32,
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals {
            times: vec![0; WINDOW as usize].into(),
            base: 0,
            end: 0,
            started: false,
            last_sent: None,
            count: 0,
            media_ssrc: 0,
        }
    }
}

impl Arrivals {
    /// Note a packet; true if a report is due.
    pub fn record(&mut self, now: Time, sequence: u16, media_ssrc: u32, marker: bool) -> bool {
        let now = now.max(1);
        let number = if self.started {
            sequence::extend(self.end.saturating_sub(1), sequence)
        } else {
            sequence::first(sequence)
        };
        if !self.started || number >= self.end + WINDOW {
            self.started = true;
            self.times.fill(0);
            self.base = number;
            self.end = number;
        }
        if number + WINDOW / 2 < self.end {
            return false; // its report would displace newer ones
        }
        while self.end <= number {
            let slot = (self.end % WINDOW) as usize;
            self.times[slot] = 0;
            self.end += 1;
        }
        self.base = self.base.min(number).max(self.end.saturating_sub(WINDOW));
        let slot = (number % WINDOW) as usize;
        if self.times[slot] == 0 {
            self.times[slot] = now;
        }
        self.media_ssrc = media_ssrc;
        let Some(last) = self.last_sent else {
            self.last_sent = Some(now);
            return false;
        };
        let since = now.saturating_sub(last);
        since >= MAX_INTERVAL || (marker && since >= FRAME_INTERVAL)
    }

    /// When a report is due even if no further packet comes.
    pub fn deadline(&self) -> Option<Time> {
        match self.last_sent {
            Some(last) if self.base < self.end => Some(last + MAX_INTERVAL),
            _ => None,
        }
    }

    /// Write the next report into `buffer` and give its length; None when all is reported.
    /// Call again until then.
    pub fn write(
        &mut self,
        now: Time,
        sender_ssrc: u32,
        buffer: &mut [u8; MAX_FEEDBACK],
    ) -> Option<usize> {
        self.last_sent = Some(now);
        let received = |number: &u64| self.times[(number % WINDOW) as usize] != 0;
        let Some(first) = (self.base..self.end).find(received) else {
            self.base = self.end;
            return None;
        };
        let base = self.base.max(first.saturating_sub(MAX_LEADING));
        let limit = self.end.min(base + MAX_STATUSES);
        let reference = self.times[(first % WINDOW) as usize] / REFERENCE;
        let mut symbols = [0u8; MAX_STATUSES as usize];
        let mut deltas = [0u8; 2 * MAX_STATUSES as usize];
        let (mut statuses, mut written) = (0usize, 0usize);
        // In ticks, and rounded as the receiver adds them up, so that errors do not pile up.
        let mut clock = (reference * (REFERENCE / TICK)) as i64;
        for number in base..limit {
            let time = self.times[(number % WINDOW) as usize];
            if time != 0 {
                let delta = (time / TICK) as i64 - clock;
                if let Ok(small) = u8::try_from(delta) {
                    symbols[statuses] = 1;
                    deltas[written] = small;
                    written += 1;
                } else if let Ok(large) = i16::try_from(delta) {
                    symbols[statuses] = 2;
                    deltas[written..written + 2].copy_from_slice(&large.to_be_bytes());
                    written += 2;
                } else {
                    break; // the next report takes it as its first
                }
                clock += delta;
            }
            statuses += 1;
        }
        self.base = base + statuses as u64;
        let mut at = 20;
        for chunk in symbols[..statuses].chunks(7) {
            let mut bits = 0b11 << 14;
            for (index, &symbol) in chunk.iter().enumerate() {
                bits |= u16::from(symbol) << (12 - 2 * index);
            }
            buffer[at..at + 2].copy_from_slice(&bits.to_be_bytes());
            at += 2;
        }
        buffer[at..at + written].copy_from_slice(&deltas[..written]);
        at += written;
        while at % 4 != 0 {
            buffer[at] = 0;
            at += 1;
        }
        buffer[0] = 0x80 | 15;
        buffer[1] = 205;
        buffer[2..4].copy_from_slice(&((at / 4 - 1) as u16).to_be_bytes());
        buffer[4..8].copy_from_slice(&sender_ssrc.to_be_bytes());
        buffer[8..12].copy_from_slice(&self.media_ssrc.to_be_bytes());
        buffer[12..14].copy_from_slice(&(base as u16).to_be_bytes());
        buffer[14..16].copy_from_slice(&(statuses as u16).to_be_bytes());
        buffer[16..20]
            .copy_from_slice(&((reference as u32) << 8 | u32::from(self.count)).to_be_bytes());
        self.count = self.count.wrapping_add(1);
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read reports as the draft says: (number, ticks) of received packets.
    fn read(report: &[u8]) -> Vec<(u16, i64)> {
        let word = |at: usize| u16::from_be_bytes([report[at], report[at + 1]]);
        assert_eq!(usize::from(word(2)) * 4 + 4, report.len());
        let (base, count) = (word(12), usize::from(word(14)));
        let reference = u32::from_be_bytes([0, report[16], report[17], report[18]]);
        let mut at = 20;
        let mut symbols = Vec::new();
        while symbols.len() < count {
            let chunk = word(at);
            at += 2;
            assert_eq!(chunk >> 14, 3);
            symbols.extend((0..7).map(|index| chunk >> (12 - 2 * index) & 3));
        }
        let mut clock = i64::from(reference) * 256;
        let mut found = Vec::new();
        for (index, symbol) in symbols[..count].iter().enumerate() {
            match symbol {
                1 => {
                    clock += i64::from(report[at]);
                    at += 1;
                }
                2 => {
                    clock += i64::from(word(at) as i16);
                    at += 2;
                }
                _ => continue,
            }
            found.push((base.wrapping_add(index as u16), clock));
        }
        assert!(report.len() - at < 4);
        found
    }

    fn reports(arrivals: &mut Arrivals, now: Time) -> Vec<(u16, i64)> {
        let mut buffer = [0; MAX_FEEDBACK];
        let mut found = Vec::new();
        while let Some(length) = arrivals.write(now, 1, &mut buffer) {
            found.extend(read(&buffer[..length]));
        }
        found
    }

    #[test]
    fn loss_reordering_and_the_wrap() {
        let mut arrivals = Arrivals::default();
        let start = 1_000 * MILLISECOND;
        for (number, at) in [(65_534, 0), (65_535, 10), (2, 30), (1, 31), (3, 200)] {
            arrivals.record(start + at * MILLISECOND, number, 9, false);
        }
        assert_eq!(
            reports(&mut arrivals, start),
            [(65_534, 4000), (65_535, 4040), (1, 4124), (2, 4120), (3, 4800)]
        );
        assert_eq!(arrivals.deadline(), None);
        // a late one moves the window back
        arrivals.record(start + 210 * MILLISECOND, 0, 9, false);
        assert_eq!(reports(&mut arrivals, start)[0], (0, 4840));
    }

    #[test]
    fn reports_are_due_after_a_frame_or_100_ms() {
        let mut arrivals = Arrivals::default();
        assert!(!arrivals.record(0, 1, 9, true)); // arms only
        assert!(!arrivals.record(10 * MILLISECOND, 2, 9, true));
        assert!(!arrivals.record(30 * MILLISECOND, 3, 9, false));
        assert!(arrivals.record(30 * MILLISECOND, 4, 9, true));
        assert!(arrivals.record(101 * MILLISECOND, 5, 9, false));
        assert_eq!(arrivals.deadline(), Some(100 * MILLISECOND + 1));
    }

    #[test]
    fn losses_between_two_reports_are_told() {
        let mut arrivals = Arrivals::default();
        let mut buffer = [0; MAX_FEEDBACK];
        let base = |report: &[u8]| u16::from_be_bytes([report[12], report[13]]);
        arrivals.record(MILLISECOND, 10, 9, false);
        arrivals.write(0, 1, &mut buffer).unwrap();
        arrivals.record(2 * MILLISECOND, 14, 9, false); // 11 to 13 are lost
        let length = arrivals.write(0, 1, &mut buffer).unwrap();
        assert_eq!((base(&buffer), read(&buffer[..length])), (11, vec![(14, 8)]));
        arrivals.record(3 * MILLISECOND, 514, 9, false); // more than fit
        let length = arrivals.write(0, 1, &mut buffer).unwrap();
        assert_eq!((base(&buffer), read(&buffer[..length])), (314, vec![(514, 12)]));
    }

    #[test]
    fn a_long_pause_needs_a_second_report() {
        let mut arrivals = Arrivals::default();
        arrivals.record(0, 1, 9, false);
        arrivals.record(20_000 * MILLISECOND, 2, 9, false);
        let found = reports(&mut arrivals, 0);
        assert_eq!(found, [(1, 0), (2, 80_000)]);
    }

    #[test]
    fn every_number_may_come() {
        let mut arrivals = Arrivals::default();
        let mut buffer = [0; MAX_FEEDBACK];
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if arrivals.record(state >> 40, (state >> 33) as u16, 1, state >> 63 != 0) {
                while let Some(length) = arrivals.write(state >> 40, 1, &mut buffer) {
                    read(&buffer[..length]);
                }
            }
        }
    }

    /// Arrivals in each state, all but the first with a report made at `SENT`.
    fn state(name: &str) -> Arrivals {
        let mut arrivals = Arrivals::default();
        if name == "new" {
            return arrivals;
        }
        arrivals.record(SENT - MILLISECOND, 1000, 9, false);
        if name == "armed" {
            return arrivals;
        }
        assert_eq!(reports(&mut arrivals, SENT).len(), 1);
        if name == "pending" {
            arrivals.record(SENT + MILLISECOND, 1001, 9, false);
        }
        arrivals
    }

    const SENT: Time = 10_000 * MILLISECOND;

    /// For each state and packet: whether a report is due with it, and when without a further
    /// one, in milliseconds after `SENT`, 0 for never.
    #[test]
    fn every_packet_in_every_state() {
        let packets = [
            ("soon", 19, 1002, false),
            ("the end of a frame, soon", 19, 1002, true),
            ("later", 50, 1002, false),
            ("the end of a frame", 50, 1002, true),
            ("after 100 ms", 100, 1002, false),
            ("reported already", 100, 1000, false),
            ("late", 100, 999, false),
            ("too late", 100, 1002 - 600, false),
            ("far ahead", 50, 1000 + 3000, false),
        ];
        let (no, yes) = (false, true);
        let table = [
            // The first only arms the timer.
            ("new", [no; 9], [119, 119, 150, 150, 200, 200, 200, 200, 150]),
            // 1 ms before `SENT`.
            ("armed", [no, yes, no, yes, yes, yes, yes, no, no], [99; 9]),
            // Who is too late to be told of is no reason for a report.
            (
                "idle",
                [no, no, no, yes, yes, yes, yes, no, no],
                [100, 100, 100, 100, 100, 100, 100, 0, 100],
            ),
            ("pending", [no, no, no, yes, yes, yes, yes, no, no], [100; 9]),
        ];
        for (name, due, deadlines) in table {
            for (((packet, after, number, marker), is_due), deadline) in
                packets.iter().zip(due).zip(deadlines)
            {
                let mut arrivals = state(name);
                let now = SENT + after * MILLISECOND;
                assert_eq!(arrivals.record(now, *number, 9, *marker), is_due, "{name}, {packet}");
                let expected = (deadline > 0).then_some(SENT + deadline * MILLISECOND);
                assert_eq!(arrivals.deadline(), expected, "{name}, {packet}");
            }
        }
    }
}
