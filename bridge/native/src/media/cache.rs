//! The last packets of one incoming SSRC in plain text, shared by all its receivers, from which
//! retransmissions are made.
//!
//! One byte ring and one index ring; the byte ring grows while it holds less than a second.

use super::interface::{Time, SECOND};

/// Packets that are remembered; a power of two.
const PACKETS: usize = 1024;
const MIN_BYTES: usize = 64 << 10;
const MAX_BYTES: usize = 1 << 20;
const KEEP: Time = SECOND;
/// The largest payload or extension value that is kept.
const MAX_PART: usize = 2048;

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    used: bool,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload_type: u8,
    orientation: Option<u8>,
    descriptor_length: u8,
    payload_length: u16,
    /// Position in the endless stream of bytes written.
    at: u64,
}

impl Place {
    fn length(&self) -> usize {
        usize::from(self.descriptor_length) + usize::from(self.payload_length)
    }
}

/// A packet taken from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cached<'a> {
    pub timestamp: u32,
    pub marker: bool,
    pub payload_type: u8,
    pub orientation: Option<u8>,
    pub descriptor: Option<&'a [u8]>,
    pub payload: &'a [u8],
}

#[derive(Debug)]
pub struct Cache {
    places: Box<[Place]>,
    bytes: Vec<u8>,
    written: u64,
    /// How often the bytes were gone through, and since when.
    lap: u64,
    lap_began: Time,
}

impl Default for Cache {
    fn default() -> Self {
        Cache {
            places: vec![Place::default(); PACKETS].into(),
            bytes: vec![0; MIN_BYTES],
            written: 0,
            lap: 0,
            lap_began: 0,
        }
    }
}

impl Cache {
    /// Keep a packet; one that is too large is not kept.
    pub fn insert(&mut self, now: Time, sequence: u16, packet: Cached<'_>) {
        let descriptor = packet.descriptor.unwrap_or_default();
        let length = descriptor.len() + packet.payload.len();
        let (Ok(descriptor_length), Ok(payload_length)) =
            (u8::try_from(descriptor.len()), u16::try_from(packet.payload.len()))
        else {
            return;
        };
        if length > MAX_PART {
            return;
        }
        let mut at = self.room(length);
        if at / self.bytes.len() as u64 != self.lap {
            // The bytes from the beginning of this lap are overwritten next.
            if self.bytes.len() < MAX_BYTES && now.saturating_sub(self.lap_began) < KEEP {
                self.grow();
                at = self.room(length);
            } else {
                self.lap_began = now;
            }
            self.lap = at / self.bytes.len() as u64;
        }
        let start = (at % self.bytes.len() as u64) as usize;
        let middle = start + descriptor.len();
        self.bytes[start..middle].copy_from_slice(descriptor);
        self.bytes[middle..start + length].copy_from_slice(packet.payload);
        self.written = at + length as u64;
        self.places[usize::from(sequence) % PACKETS] = Place {
            used: true,
            sequence,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload_type: packet.payload_type,
            orientation: packet.orientation,
            descriptor_length,
            payload_length,
            at,
        };
    }

    /// Where the next `length` bytes go without being broken by the ring's end.
    fn room(&self, length: usize) -> u64 {
        let size = self.bytes.len() as u64;
        let left = size - self.written % size;
        if (length as u64) > left {
            self.written + left
        } else {
            self.written
        }
    }

    fn is_held(&self, place: &Place) -> bool {
        place.used && place.at + self.bytes.len() as u64 >= self.written
    }

    fn grow(&mut self) {
        let mut bytes = vec![0; self.bytes.len() * 2];
        let mut written = 0usize;
        let oldest = self.written.saturating_sub(self.bytes.len() as u64);
        for place in &mut self.places {
            if !place.used || place.at < oldest {
                place.used = false;
                continue;
            }
            let start = (place.at % self.bytes.len() as u64) as usize;
            let end = start + place.length();
            bytes[written..written + place.length()].copy_from_slice(&self.bytes[start..end]);
            place.at = written as u64;
            written += place.length();
        }
        self.bytes = bytes;
        self.written = written as u64;
    }

    /// The payload is the one received.
    pub fn get(&self, sequence: u16) -> Option<Cached<'_>> {
        let place = &self.places[usize::from(sequence) % PACKETS];
        if place.sequence != sequence || !self.is_held(place) {
            return None;
        }
        let start = (place.at % self.bytes.len() as u64) as usize;
        let middle = start + usize::from(place.descriptor_length);
        Some(Cached {
            timestamp: place.timestamp,
            marker: place.marker,
            payload_type: place.payload_type,
            orientation: place.orientation,
            descriptor: (place.descriptor_length > 0).then(|| &self.bytes[start..middle]),
            payload: &self.bytes[middle..start + place.length()],
        })
    }

    /// Forget everything; the sender began anew.
    pub fn clear(&mut self) {
        self.places.fill(Place::default());
    }
}

#[cfg(test)]
mod tests {
    use super::super::interface::MILLISECOND;
    use super::*;

    fn packet(payload: &[u8]) -> Cached<'_> {
        Cached {
            timestamp: 1,
            marker: true,
            payload_type: 100,
            orientation: Some(1),
            descriptor: Some(&[7, 8, 9]),
            payload,
        }
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let mut cache = Cache::default();
        cache.insert(0, 65_535, packet(&[1, 2, 3]));
        cache.insert(0, 0, Cached { descriptor: None, ..packet(&[]) });
        assert_eq!(cache.get(65_535), Some(packet(&[1, 2, 3])));
        assert_eq!(cache.get(0), Some(Cached { descriptor: None, ..packet(&[]) }));
        assert_eq!(cache.get(1), None);
        assert_eq!(cache.get(1023), None);
        cache.insert(0, 2, packet(&[0; 4000]));
        assert_eq!(cache.get(2), None);
    }

    #[test]
    fn a_second_is_kept_and_memory_is_bounded() {
        let mut cache = Cache::default();
        for number in 0..5000u32 {
            let payload = [number as u8; 1100];
            let now = Time::from(number) * 4 * MILLISECOND; // 250 a second
            cache.insert(now, number as u16, packet(&payload));
            for back in [0, 1, 100, 230] {
                if back <= number {
                    let cached = cache.get((number - back) as u16).unwrap();
                    assert_eq!(cached.payload, [(number - back) as u8; 1100]);
                }
            }
        }
        assert!(cache.bytes.len() <= 512 << 10);
        for number in 0..20_000u32 {
            cache.insert(SECOND * 100, number as u16, packet(&[1; 1400]));
        }
        assert_eq!(cache.bytes.len(), MAX_BYTES);
        assert!(cache.get((20_000 - 700) as u16).is_some());
        assert!(cache.get((20_000 - 800) as u16).is_none());
    }
}
