//! What a participant has received, and how late it was.

use std::collections::HashMap;

use crate::media::Time;

/// SSRCs that one participant keeps figures of.
pub const MAX_TRACKS: usize = 1024;
/// What shows thirty pictures a second stands still after that long without one.
const FREEZE: Time = 200_000_000;
const WINDOW: u64 = 1024;
const WORDS: usize = 16;

/// One stream as it arrives.
#[derive(Clone, Debug)]
pub struct Track {
    pub payload_type: u8,
    pub received: u64,
    pub bytes: u64,
    pub duplicates: u64,
    /// Gaps of more than [`FREEZE`], if no keyframe followed: then it was not shown.
    pub freezes: u64,
    latest: Option<Time>,
    first: u64,
    highest: u64,
    seen: [u64; WORDS],
}

impl Track {
    fn new(payload_type: u8, sequence: u16) -> Self {
        // A whole cycle in front: packets older than the first one have numbers too.
        let first = 0x1_0000 + u64::from(sequence);
        Self {
            payload_type,
            received: 0,
            bytes: 0,
            duplicates: 0,
            freezes: 0,
            latest: None,
            first,
            highest: first,
            seen: [0; WORDS],
        }
    }

    /// Packets between the lowest and the highest number that came.
    pub fn expected(&self) -> u64 {
        if self.received == 0 {
            return 0;
        }
        self.highest - self.first + 1
    }

    pub fn highest(&self) -> u64 {
        self.highest - 0x1_0000
    }

    fn bit(number: u64) -> (usize, u64) {
        let place = number % WINDOW;
        ((place / 64) as usize, 1 << (place % 64))
    }

    fn record(&mut self, sequence: u16, bytes: usize, arrival: Option<Time>, begins: bool) {
        let gap = arrival.zip(self.latest).map(|(now, latest)| now.saturating_sub(latest));
        self.freezes += u64::from(!begins && gap.is_some_and(|gap| gap > FREEZE));
        self.latest = arrival.or(self.latest);
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        let number = self.highest.wrapping_add_signed(i64::from(ahead));
        if number > self.highest {
            if number - self.highest >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.highest + 1..=number {
                    let (word, bit) = Self::bit(skipped);
                    self.seen[word] &= !bit;
                }
            }
            self.highest = number;
        } else if self.highest - number >= WINDOW {
            self.duplicates += 1; // too old to tell
            return;
        }
        let (word, bit) = Self::bit(number);
        if self.seen[word] & bit != 0 {
            self.duplicates += 1;
            return;
        }
        self.seen[word] |= bit;
        self.first = self.first.min(number);
        self.received += 1;
        self.bytes += bytes as u64;
    }

    /// Begin anew after the highest number so far.
    fn reset(&mut self) {
        *self = Self {
            first: self.highest + 1,
            highest: self.highest,
            seen: self.seen,
            ..Self::new(self.payload_type, 0)
        };
    }
}

/// Delays in microseconds, in buckets of at most 1.6 % of their value.
#[derive(Clone, Debug)]
pub struct Delays {
    buckets: Vec<u64>,
}

const SUB: u32 = 6;
const BUCKETS: usize = 27 << SUB;

impl Default for Delays {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS] }
    }
}

impl Delays {
    pub fn record(&mut self, microseconds: u32) {
        let octave = (32 - SUB).saturating_sub(1 + (microseconds | 1).leading_zeros());
        let bucket = (octave << SUB) + (microseconds >> octave);
        if let Some(count) = self.buckets.get_mut(bucket as usize) {
            *count += 1;
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(own, more)| *own += more);
    }

    /// The delay that a share of all do not exceed; 0 if there are none.
    pub fn quantile(&self, share: f64) -> u32 {
        let total: u64 = self.buckets.iter().sum();
        let rank = (total as f64 * share).ceil() as u64;
        let mut below = 0;
        for (bucket, count) in (0u32..).zip(&self.buckets) {
            below += count;
            if below >= rank && total > 0 {
                let octave = (bucket >> SUB).saturating_sub(1);
                return (bucket - (octave << SUB)) << octave;
            }
        }
        0
    }

    fn clear(&mut self) {
        self.buckets.fill(0);
    }
}

#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub tracks: HashMap<u32, Track>,
    pub delays: Delays,
    /// Packets that SRTP did not accept.
    pub refused: u64,
    /// Packets of SSRCs beyond the limit.
    pub untracked: u64,
    pub rtcp: u64,
    /// Packets of what was sent before, and of nothing but padding.
    pub repeats: u64,
    pub keyframe_requests: u64,
    pub nacked: u64,
    /// Under which SSRC the picture is sent that is waited for.
    pub awaited: Option<u32>,
    /// When its first keyframe came; the wall clock's.
    pub picture: Option<Time>,
}

impl Figures {
    /// Whether a packet has nothing but padding (RFC 3550, 5.1) and a stream of its own, with
    /// which a bridge tries out the way.
    pub fn is_filling(&self, packet: &[u8], ssrc: u32) -> bool {
        packet.first().is_some_and(|first| first & 0x20 != 0) && !self.tracks.contains_key(&ssrc)
    }

    /// Count a packet; `begins` if it begins a keyframe.
    pub fn record(
        &mut self,
        ssrc: u32,
        payload_type: u8,
        sequence: u16,
        bytes: usize,
        arrival: Option<Time>,
        begins: bool,
    ) {
        let count = self.tracks.len();
        match self.tracks.get_mut(&ssrc) {
            Some(track) => track.record(sequence, bytes, arrival, begins),
            None if count < MAX_TRACKS => {
                let mut track = Track::new(payload_type, sequence);
                track.record(sequence, bytes, arrival, begins);
                self.tracks.insert(ssrc, track);
            }
            None => self.untracked += 1,
        }
    }

    pub fn reset(&mut self) {
        self.tracks.values_mut().for_each(Track::reset);
        self.delays.clear();
        (self.refused, self.untracked, self.rtcp) = (0, 0, 0);
        (self.keyframe_requests, self.nacked) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tries_out_the_way_is_no_track() {
        let mut figures = Figures::default();
        assert!(figures.is_filling(&[0xa0, 100], 7));
        assert!(!figures.is_filling(&[0x80, 100], 7));
        figures.record(7, 100, 1, 10, None, false);
        assert!(!figures.is_filling(&[0xa0, 100], 7), "it fills a hole of a stream");
        assert!(!figures.is_filling(&[], 8));
    }

    #[test]
    fn a_stream_that_stood_still_is_counted_once() {
        let mut figures = Figures::default();
        for (sequence, milliseconds, begins) in
            [(1, 1_000, true), (2, 1_199, false), (3, 1_400, false), (4, 2_000, true)]
        {
            let arrival = Some(milliseconds * 1_000_000);
            figures.record(7, 96, sequence, 10, arrival, begins);
        }
        assert_eq!(figures.tracks[&7].freezes, 1);
        figures.reset();
        figures.record(7, 96, 5, 10, Some(9_000_000_000), false);
        assert_eq!(figures.tracks[&7].freezes, 0);
    }

    #[test]
    fn gaps_and_repeats_are_told_apart() {
        let mut figures = Figures::default();
        for sequence in [65_534, 65_535, 1, 2, 2, 0, 65_533, 5] {
            figures.record(7, 96, sequence, 10, None, false);
        }
        let track = &figures.tracks[&7];
        assert_eq!((track.received, track.duplicates), (7, 1));
        assert_eq!(track.expected(), 9); // 65533 to 5; 3 and 4 are missing
        assert_eq!(track.bytes, 70);
        figures.reset();
        assert_eq!(figures.tracks[&7].expected(), 0);
        figures.record(7, 96, 5, 10, None, false);
        assert_eq!(figures.tracks[&7].duplicates, 1);
        figures.record(7, 96, 7, 10, None, false);
        assert_eq!((figures.tracks[&7].received, figures.tracks[&7].expected()), (1, 2));
    }

    #[test]
    fn the_number_of_tracks_is_bounded() {
        let mut figures = Figures::default();
        for ssrc in 0..2000 {
            figures.record(ssrc, 96, 1, 10, None, false);
        }
        assert_eq!((figures.tracks.len(), figures.untracked), (MAX_TRACKS, 976));
    }

    #[test]
    fn quantiles_are_within_two_percent() {
        for value in [0u32, 1, 63, 64, 100, 127, 128, 129, 1_000, 54_321, 4_000_000, u32::MAX] {
            let mut delays = Delays::default();
            delays.record(value);
            let found = delays.quantile(0.5);
            assert!(found <= value && value - found <= value / 50, "{value} {found}");
        }
        let mut delays = Delays::default();
        (1..=1000).for_each(|value| delays.record(value));
        assert!((490..=500).contains(&delays.quantile(0.5)));
        assert!((975..=990).contains(&delays.quantile(0.99)));
        assert_eq!(Delays::default().quantile(0.5), 0);
    }
}
