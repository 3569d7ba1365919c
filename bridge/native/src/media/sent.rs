//! The last packets of one outgoing video stream: where each came from and how it was changed,
//! so that late packets find their place and lost ones can be sent again.

use super::selection::Layers;
use super::sequence;

/// Packets that are remembered; a power of two.
pub const SENT: usize = 512;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Unused,
    /// Its number was given out, but the packet has not come from the sender.
    Missing,
    Sent,
    /// Sent without payload, because the packet is not for this receiver.
    Padding,
}

/// What was added to the numbers of an incoming packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    pub timestamp: u32,
    /// Picture ids, or frame numbers of dependency descriptors.
    pub picture: u16,
    /// TL0PICIDX, or template ids.
    pub index: u8,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub sequence: u16,
    pub incoming: u16,
    pub encoding: u8,
    pub state: State,
    /// What was being forwarded of the encoding.
    pub layers: Layers,
    pub resends: u8,
    /// It got a marker that its sender did not give it.
    pub ends: bool,
    /// Decode targets that were named with it, of so many; none if 0.
    pub targets: u8,
    pub mask: u32,
    pub shift: Shift,
    /// Of the first transmission, which a plain retransmission repeats; see [`Fields`].
    ///
    /// [`Fields`]: super::header::Fields
    pub stamp: u32,
    /// Milliseconds, wrapping.
    pub sent_at: u32,
}

#[derive(Debug)]
pub struct SentRing {
    entries: Box<[Sent]>,
}

impl Default for SentRing {
    fn default() -> Self {
        SentRing { entries: vec![Sent::default(); SENT].into() }
    }
}

impl SentRing {
    pub fn put(&mut self, entry: Sent) {
        self.entries[usize::from(entry.sequence) % SENT] = entry;
    }

    pub fn get(&mut self, sequence: u16) -> Option<&mut Sent> {
        let entry = &mut self.entries[usize::from(sequence) % SENT];
        (entry.sequence == sequence && entry.state != State::Unused).then_some(entry)
    }

    /// The missing packet `incoming` of `encoding`, among the numbers from `from` to `newest`;
    /// the newest of its places, if the encoding was begun with more than once.
    pub fn missing(
        &mut self,
        encoding: u8,
        incoming: u16,
        from: u16,
        newest: u16,
    ) -> Option<&mut Sent> {
        let distance = sequence::distance(newest, from).clamp(0, SENT as i32 - 1) as u16;
        let place = (0..=distance).map(|back| newest.wrapping_sub(back)).find(|&number| {
            let entry = &self.entries[usize::from(number) % SENT];
            entry.state == State::Missing
                && (entry.sequence, entry.encoding, entry.incoming) == (number, encoding, incoming)
        })?;
        Some(&mut self.entries[usize::from(place) % SENT])
    }

    /// Forget what came from an encoding.
    pub fn forget(&mut self, encoding: u8) {
        for entry in self.entries.iter_mut().filter(|entry| entry.encoding == encoding) {
            *entry = Sent::default();
        }
    }

    /// Forget everything: nothing sent so far can be sent again.
    pub fn clear(&mut self) {
        self.entries.fill(Sent::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_packets_are_found_behind_dropped_ones() {
        let mut ring = SentRing::default();
        for (sequence, incoming, state) in [
            (65_534u16, 10, State::Sent),
            (65_535, 11, State::Missing),
            (0, 13, State::Missing), // 12 was dropped
            (1, 14, State::Sent),
        ] {
            ring.put(Sent { sequence, incoming, state, encoding: 2, ..Sent::default() });
        }
        assert_eq!(ring.missing(2, 11, 65_534, 1).map(|entry| entry.sequence), Some(65_535));
        assert_eq!(ring.missing(2, 13, 65_535, 1).map(|entry| entry.sequence), Some(0));
        assert!(ring.missing(2, 12, 65_534, 1).is_none());
        assert!(ring.missing(2, 14, 65_534, 1).is_none());
        assert!(ring.missing(1, 13, 65_534, 1).is_none());
        assert!(ring.get(1).is_some());
        assert!(ring.get(513).is_none());
    }
}
