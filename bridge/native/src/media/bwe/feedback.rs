//! Reading transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1).

/// Packets that one report may speak of; more than are remembered are of no use.
pub const MAX_STATUSES: usize = 4096;
/// The unit of arrival times, in nanoseconds, and how many make the unit of reference times.
pub const TICK: i64 = 250_000;
pub const REFERENCE_TICKS: i64 = 256;

/// A report that is whole: every status has its arrival time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    /// The sequence number of the first packet.
    pub base: u16,
    pub count: u16,
    /// In units of 64 ms, 24 bits that wrap.
    pub reference: u32,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> Feedback<'a> {
    /// `body` begins with the media SSRC; None if it is malformed.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
        let (base, count) = (word(4)?, word(6)?);
        let reference = u32::from_be_bytes([0, *body.get(8)?, *body.get(9)?, *body.get(10)?]);
        if usize::from(count) > MAX_STATUSES {
            return None;
        }
        let rest = body.get(12..)?;
        let (mut statuses, mut chunks, mut deltas) = (0, 0, 0);
        while statuses < usize::from(count) {
            let chunk = u16::from_be_bytes([*rest.get(chunks)?, *rest.get(chunks + 1)?]);
            chunks += 2;
            let size = chunk_size(chunk).min(usize::from(count) - statuses);
            for index in 0..size {
                deltas += delta_size(symbol(chunk, index));
            }
            statuses += size;
        }
        let (chunks, after) = rest.split_at_checked(chunks)?;
        Some(Feedback { base, count, reference, chunks, deltas: after.get(..deltas)? })
    }

    /// Sequence number and arrival of each packet, in ticks after the reference time; None is
    /// not received.
    pub fn packets(&self) -> impl Iterator<Item = (u16, Option<i64>)> + 'a {
        let (mut deltas, mut clock) = (self.deltas, 0i64);
        let chunks = self.chunks.chunks_exact(2);
        let chunks = chunks.map(|chunk| u16::from_be_bytes([chunk[0], chunk[1]]));
        let symbols =
            chunks.flat_map(|chunk| (0..chunk_size(chunk)).map(move |at| symbol(chunk, at)));
        let base = self.base;
        symbols.take(usize::from(self.count)).enumerate().map(move |(index, symbol)| {
            let number = base.wrapping_add(index as u16);
            let (delta, rest) = match (delta_size(symbol), deltas) {
                (1, [small, rest @ ..]) => (i64::from(*small), rest),
                (2, [high, low, rest @ ..]) => (i64::from(i16::from_be_bytes([*high, *low])), rest),
                _ => return (number, None),
            };
            deltas = rest;
            clock += delta;
            (number, Some(clock))
        })
    }
}

fn chunk_size(chunk: u16) -> usize {
    match chunk >> 14 {
        0b10 => 14,
        0b11 => 7,
        _ => usize::from(chunk & 0x1fff),
    }
}

fn symbol(chunk: u16, index: usize) -> u16 {
    match chunk >> 14 {
        0b10 => chunk >> (13 - index.min(13)) & 1,
        0b11 => chunk >> (12 - 2 * index.min(6)) & 3,
        _ => chunk >> 13 & 3,
    }
}

/// Symbol 3 is reserved; it has no arrival time.
fn delta_size(symbol: u16) -> usize {
    match symbol {
        1 => 1,
        2 => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(base: u16, count: u16, reference: u32, rest: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0, 0, 9];
        body.extend(base.to_be_bytes());
        body.extend(count.to_be_bytes());
        body.extend((reference << 8).to_be_bytes());
        body.extend(rest);
        body
    }

    fn read(body: &[u8]) -> Option<Vec<(u16, Option<i64>)>> {
        Feedback::parse(body).map(|feedback| feedback.packets().collect())
    }

    #[test]
    fn the_three_kinds_of_chunks() {
        // A run of three received, seven two-bit symbols, fourteen one-bit ones.
        let chunks = [0x20, 0x03, 0b1100_0110, 0b0000_0100, 0b1010_0000, 0b0000_0001];
        let deltas = [4, 8, 0, 1, 0xff, 0xff, 9, 7, 6];
        let rest = [&chunks[..], &deltas].concat();
        let found = read(&body(65_534, 24, 5, &rest)).unwrap();
        let arrived: Vec<_> =
            found.iter().filter_map(|(number, at)| at.map(|at| (*number, at))).collect();
        assert_eq!(
            arrived,
            [(65_534, 4), (65_535, 12), (0, 12), (2, 13), (3, 12), (6, 21), (8, 28), (21, 34)]
                .map(|(number, at)| (number, at))
        );
        assert_eq!(found.len(), 24);
    }

    #[test]
    fn what_is_cut_short_or_claims_too_much_is_refused() {
        let whole = body(1, 3, 5, &[0x20, 0x03, 4, 8, 0]);
        assert!(read(&whole).is_some());
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        assert_eq!(read(&body(1, 0xffff, 5, &[0x1f; 40])), None);
        assert_eq!(read(&body(1, 0, 5, &[])), Some(vec![]));
        // Chunks of no packets lead nowhere.
        assert_eq!(read(&body(1, 3, 5, &[0; 40])), None);
    }
}
