//! Who of a conference is loud enough to be forwarded.
//!
//! However many microphones are open, only so many voices can be told apart: the loudest few
//! go out, the others' packets end here, before anything is done for a receiver.

use super::interface::{Time, MILLISECOND};

/// Sources that can be asked for in one conference.
pub const MAX_LOUDEST: usize = 50;
/// A level (0 silent, 127 loud) less than this above a source's quietest is background.
const SUBUNIT: u8 = 10;
/// Levels after which the quietest one is estimated anew: 15 s of 20 ms.
const WINDOW: u16 = 750;
/// Who sends nothing for this long gives up its place.
const EXPIRY: Time = 150 * MILLISECOND;
/// What a packet without a level counts as: a voice of ordinary strength, since who cannot say
/// how loud it is shall be heard.
const UNKNOWN: u8 = 80;

/// How loud one source is, smoothed over its packets.
#[derive(Debug, Default)]
pub struct Loudness {
    energy: u8,
    quietest: Quietest,
}

impl Loudness {
    /// Take the level of a packet as RFC 6464 has it, 0 the loudest; gives the energy.
    pub fn heard(&mut self, level: Option<u8>) -> u8 {
        let level = level.map_or(UNKNOWN, |level| 127 - (level & 0x7f));
        self.quietest.update(level);
        let background = level < self.quietest.level.saturating_add(SUBUNIT);
        let level = if background { 0 } else { level };
        self.energy = ((50 * u16::from(level) + 50 * u16::from(self.energy) + 50) / 100) as u8;
        self.energy
    }
}

/// The level of a source's background; 0 is not known yet.
#[derive(Debug, Default)]
struct Quietest {
    level: u8,
    of_window: u8,
    window: u16,
}

impl Quietest {
    fn update(&mut self, level: u8) {
        if level == 0 {
            return;
        }
        if self.level == 0 || self.level > level {
            *self = Quietest { level, of_window: 0, window: 0 };
            return;
        }
        if self.of_window == 0 || self.of_window > level {
            self.of_window = level;
        }
        self.window += 1;
        if self.window >= WINDOW {
            let mean = (u16::from(self.level) * u16::from(self.of_window)).isqrt();
            *self = Quietest { level: mean as u8, of_window: 0, window: 0 };
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    source: u32,
    energy: u8,
    heard: Time,
}

/// The loudest of a conference, and whose turn does not depend on it.
#[derive(Debug, Default)]
pub struct Loudest {
    count: usize,
    /// Ascending ids.
    always: Vec<u32>,
    places: Vec<Place>,
}

impl Loudest {
    /// Let `count` sources pass, 0 for all, and those in `always` besides.
    pub fn set(&mut self, count: usize, mut always: Vec<u32>) {
        self.count = count.min(MAX_LOUDEST);
        self.places.truncate(self.count);
        self.places.reserve(self.count);
        always.sort_unstable();
        always.dedup();
        self.always = always;
    }

    /// Whether everything passes.
    pub fn is_off(&self) -> bool {
        self.count == 0
    }

    /// Whether a place is free: then even who says nothing may have it.
    pub fn has_room(&self) -> bool {
        self.is_off() || self.places.len() < self.count
    }

    /// Whether the source passes whatever its energy.
    pub fn is_exempt(&self, source: u32) -> bool {
        self.is_off() || self.always.binary_search(&source).is_ok()
    }

    /// Rank a packet's source; whether it is among the loudest.  Of equals the former stays.
    pub fn rank(&mut self, now: Time, source: u32, energy: u8) -> bool {
        if self.is_off() {
            return true;
        }
        self.places.retain(|place| place.source != source && now <= place.heard + EXPIRY);
        let louder = |place: &Place| place.energy >= energy;
        let rank = self.places.iter().take_while(|place| louder(place)).count();
        if rank >= self.count {
            return false;
        }
        self.places.truncate(self.count - 1);
        self.places.insert(rank, Place { source, energy, heard: now });
        true
    }

    /// The source is gone.
    pub fn forget(&mut self, source: u32) {
        self.places.retain(|place| place.source != source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudest(count: usize, always: &[u32]) -> Loudest {
        let mut loudest = Loudest::default();
        loudest.set(count, always.to_vec());
        loudest
    }

    #[test]
    fn the_loudest_pass_and_of_equals_the_former() {
        let mut table = loudest(2, &[]);
        assert!(table.rank(0, 1, 50));
        assert!(table.rank(0, 2, 60));
        assert!(!table.rank(0, 3, 50));
        assert!(table.rank(0, 3, 51));
        assert!(!table.rank(0, 1, 51));
        assert!(table.rank(0, 2, 0)); // re-inserted behind the other, but there is room
        assert!(table.rank(0, 1, 1));
        assert!(!table.rank(0, 2, 1));
    }

    #[test]
    fn who_is_not_heard_gives_up_its_place() {
        let mut table = loudest(1, &[]);
        assert!(table.rank(0, 1, 100));
        assert!(!table.has_room());
        assert!(!table.rank(150 * MILLISECOND, 2, 5));
        assert!(table.rank(151 * MILLISECOND, 2, 5));
        table.forget(2);
        assert!(table.has_room());
    }

    #[test]
    fn some_pass_whatever_their_energy() {
        let table = loudest(1, &[9, 4, 9]);
        assert!(table.is_exempt(4) && table.is_exempt(9) && !table.is_exempt(5));
        let off = Loudest::default();
        assert!(off.is_exempt(5) && off.has_room() && off.is_off());
    }

    #[test]
    fn fewer_places_are_taken_from_the_quietest() {
        let mut table = loudest(3, &[]);
        for (source, energy) in [(1, 10), (2, 30), (3, 20)] {
            assert!(table.rank(0, source, energy));
        }
        table.set(1, Vec::new());
        assert!(!table.rank(0, 3, 30));
        assert!(table.rank(0, 3, 31));
    }

    #[test]
    fn energy_is_smoothed_and_background_counts_nothing() {
        let mut loudness = Loudness::default();
        // The first level is the quietest known.
        assert_eq!(loudness.heard(Some(127 - 30)), 0);
        assert_eq!(loudness.heard(Some(127 - 39)), 0);
        assert_eq!(loudness.heard(Some(127 - 40)), 20);
        assert_eq!(loudness.heard(Some(127 - 81)), 51);
        assert_eq!(loudness.heard(Some(127)), 26);
        // The V bit is none of the level.
        assert_eq!(loudness.heard(Some(0x80 | (127 - 80))), 53);
    }

    #[test]
    fn what_is_quietest_follows_a_room_that_grows_loud() {
        let mut quietest = Quietest::default();
        quietest.update(16);
        for _ in 0..749 {
            quietest.update(64);
        }
        assert_eq!(quietest.level, 16);
        quietest.update(64);
        assert_eq!(quietest.level, 32);
        quietest.update(5);
        assert_eq!(quietest.level, 5);
    }
}
